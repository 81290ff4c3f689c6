package apply_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/apply"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/secrets"
	"github.com/weir-project/weir/state"
)

// writer is an organization's accounts in memory.
type writer struct {
	mu       sync.Mutex
	accounts map[string]*directory.Account
	exempt   map[string]bool
	calls    []string
	fail     map[string]error
}

func (w *writer) call(name string) error {
	w.calls = append(w.calls, name)
	return w.fail[name]
}

func (w *writer) MaxBatch() int { return 2 }

func (w *writer) Add(_ context.Context, accounts []*directory.Account) []directory.AccountResult {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]directory.AccountResult, len(accounts))
	for i, a := range accounts {
		if out[i].Err = w.call("add " + a.Address); out[i].Err == nil {
			made := *a
			made.UID = 100 + len(w.accounts)
			w.accounts[a.Address], out[i].Account = &made, &made
		}
	}
	return out
}

func (w *writer) Update(_ context.Context, before, after *directory.Account) (*directory.Account, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("update " + before.Address); err != nil {
		return nil, err
	}
	delete(w.accounts, before.Address)
	w.accounts[after.Address] = after
	return after, nil
}

func (w *writer) Delete(_ context.Context, address string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.accounts, address)
	return w.call("delete " + address)
}

func (w *writer) Get(_ context.Context, address string) (*directory.Account, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a := w.accounts[address]; a != nil {
		return a, nil
	}
	return nil, resource.ErrAbsent
}

func (w *writer) AddExemption(_ context.Context, address string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("exempt " + address); err != nil {
		return err
	}
	w.exempt[address] = true
	return nil
}

func (w *writer) RemoveExemption(_ context.Context, address string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("lift " + address); err != nil {
		return err
	}
	delete(w.exempt, address)
	return nil
}

func newWriter(accounts ...*directory.Account) *writer {
	w := &writer{accounts: map[string]*directory.Account{}, exempt: map[string]bool{}, fail: map[string]error{}}
	for _, a := range accounts {
		w.accounts[a.Address] = a
	}
	return w
}

// numbered makes operation ids, also for writers that run side by side.
func numbered(prefix string) func() string {
	var n atomic.Int64
	return func() string { return fmt.Sprint(prefix, n.Add(1)) }
}

// carryOut applies account decisions over the writer; later is the time of the read that they rest on.
func carryOut(t *testing.T, w *writer, j *journal, part *planner.Part, later time.Duration) *apply.Report {
	t.Helper()
	part.AccountPolicy = "sync_policy.p"
	reading := &directory.AccountReading{Proof: directory.Proof{Complete: true}}
	for _, a := range w.accounts {
		reading.Accounts = append(reading.Accounts, a)
	}
	calls := len(w.calls)
	at := noon.Add(later)
	report, err := apply.Run(context.Background(), apply.Request{
		Part: part, Plan: planner.Request{Observed: &planner.Observation{Accounts: reading, At: at}}, Reviewed: part.Review(), Accounts: w,
		Secrets: &secrets.Run{}, Journal: j, State: j.durable.Clone(), Provider: func(*resource.Type) string { return "" },
		Operation: numbered(fmt.Sprint("op-", later, "-")), Now: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.calls = slices.Clone(w.calls[calls:])
	return report
}

func account(kind directory.AccountType) *directory.Account {
	return &directory.Account{UID: 7, Address: "a@t.example", Type: kind, Active: true}
}

func TestExemptionBeforeAndAfterTheAccount(t *testing.T) {
	convert := func(from, to directory.AccountType, exempt string) *planner.Part {
		return &planner.Part{Accounts: &dirsync.Result{Decisions: []dirsync.Decision{{
			Action: dirsync.Convert, Address: "a@t.example", Before: account(from), After: account(to), Exempt: exempt, Record: "a@t.example",
		}}}}
	}
	refused := resource.ErrInvalid
	for _, row := range []struct {
		name   string
		part   *planner.Part
		fail   string
		calls  []string
		exempt bool
		failed int
		doubts int
		again  []string // calls of the next apply, which decides nothing
	}{
		{name: "add", part: convert(directory.EndUser, directory.FunctionalAccount, "add"), calls: []string{"exempt a@t.example", "update a@t.example"}, exempt: true},
		{name: "add refused", part: convert(directory.EndUser, directory.FunctionalAccount, "add"), fail: "exempt a@t.example", calls: []string{"exempt a@t.example"}, failed: 1},
		{name: "remove", part: convert(directory.FunctionalAccount, directory.EndUser, "remove"), calls: []string{"update a@t.example", "lift a@t.example"}},
		{name: "remove, account refused", part: convert(directory.FunctionalAccount, directory.EndUser, "remove"), fail: "update a@t.example",
			calls: []string{"update a@t.example"}, exempt: true, failed: 1},
		{name: "remove, lifting refused", part: convert(directory.FunctionalAccount, directory.EndUser, "remove"), fail: "lift a@t.example",
			calls: []string{"update a@t.example", "lift a@t.example"}, exempt: true, failed: 1, doubts: 1, again: []string{"lift a@t.example"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w, j := newWriter(row.part.Accounts.Decisions[0].Before), newJournal()
			w.exempt["a@t.example"] = row.part.Accounts.Decisions[0].Exempt == "remove"
			w.fail[row.fail] = refused
			report := carryOut(t, w, j, row.part, 0)
			if !slices.Equal(w.calls, row.calls) || w.exempt["a@t.example"] != row.exempt || len(report.Failed) != row.failed || len(j.durable.InDoubt) != row.doubts {
				t.Errorf("calls %v, exempt %v, failed %v, in doubt %v", w.calls, w.exempt, report.Failed, j.durable.InDoubt)
			}
			delete(w.fail, row.fail)
			carryOut(t, w, j, &planner.Part{Accounts: &dirsync.Result{}}, time.Hour)
			if !slices.Equal(w.calls, row.again) || len(j.durable.InDoubt) != 0 {
				t.Errorf("next time %v, in doubt %v", w.calls, j.durable.InDoubt)
			}
		})
	}
}

// TestLiftLeavesWhatABlockExempts: an exemption that an earlier run was to end, and that a block asks for by now, stays.
func TestLiftLeavesWhatABlockExempts(t *testing.T) {
	for _, row := range []struct {
		protects string
		lifted   bool
	}{{"a@t.example", false}, {"other@t.example", true}} {
		w, j := newWriter(account(directory.EndUser)), newJournal()
		w.exempt["a@t.example"] = true
		j.durable.Objects = map[string]*state.Object{"exemption.e": {Address: "exemption.e", Type: "exemption",
			Values: cty.ObjectVal(map[string]cty.Value{"protects": cty.SetVal([]cty.Value{cty.StringVal(row.protects)})})}}
		lift := state.Intent{Op: "earlier", Address: "sync_policy.p", Mail: "a@t.example", Type: planner.LiftExemption, Action: "lift", NaturalKey: "a@t.example", Time: noon}
		if err := j.Intend(t.Context(), []state.Intent{lift}); err != nil {
			t.Fatal(err)
		}
		carryOut(t, w, j, &planner.Part{Accounts: &dirsync.Result{}}, time.Hour)
		if w.exempt["a@t.example"] == row.lifted || len(j.durable.InDoubt) != 0 {
			t.Errorf("%s is protected: still exempt %v, in doubt %v", row.protects, w.exempt["a@t.example"], j.durable.InDoubt)
		}
	}
}

func TestAllowanceIsRememberedBeforeTheFirstRemoval(t *testing.T) {
	disable := account(directory.EndUser)
	disable.Active = false
	part := func(held string, counts ...string) *planner.Part {
		return &planner.Part{Allowance: "digest", Accounts: &dirsync.Result{Allowed: 1, Decisions: []dirsync.Decision{{
			Action: dirsync.Disable, Address: "a@t.example", Before: account(directory.EndUser), After: disable, Record: "a@t.example", Counts: counts, Held: held,
		}}}}
	}
	for _, row := range []struct {
		name string
		part *planner.Part
		fail bool
		used bool
	}{
		{"a removal", part("", "a@t.example"), false, true},
		{"a removal that fails", part("", "a@t.example"), true, true},
		{"a removal that is held", part("for a reason", "a@t.example"), false, false},
		{"no removal", part(""), false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			w, j := newWriter(account(directory.EndUser)), newJournal()
			if row.fail {
				w.fail["update a@t.example"] = errors.New("refused")
			}
			carryOut(t, w, j, row.part, 0)
			if _, used := j.durable.Allowances["digest"]; used != row.used {
				t.Errorf("used up: %v", used)
			}
		})
	}
}

// TestGroupsAreConfirmed: what is taken away because of a group is taken away when the groups of the entry are still what they
// were, directly before the call, and at no other time. Where nothing rests on groups they are not asked for.
func TestGroupsAreConfirmed(t *testing.T) {
	off := account(directory.EndUser)
	off.Active = false
	was := &directory.Memberships{Direct: []directory.Membership{{ObjectID: "g", Name: "Guests"}}}
	for _, row := range []struct {
		name   string
		groups *directory.Memberships
		now    *directory.Memberships
		err    error
		mute   bool
		says   string // why it is left alone; "" when it is disabled
		asked  int
	}{
		{name: "as they were", groups: was, now: was, asked: 1},
		{name: "nothing rests on them"},
		{name: "added again", groups: &directory.Memberships{}, now: was, says: `its directory entry is a member of "Guests", and was not; it is left alone`, asked: 1},
		{name: "taken out", groups: was, now: &directory.Memberships{}, says: `is no member of "Guests"`, asked: 1},
		{name: "unanswered", groups: was, err: errors.New("403"), says: "could not be read again: 403", asked: 1},
		{name: "nobody to ask", groups: was, mute: true, says: "cannot be read again"},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := account(directory.EndUser)
			part := &planner.Part{AccountPolicy: "sync_policy.p", Accounts: &dirsync.Result{Decisions: []dirsync.Decision{{
				Action: dirsync.Disable, Address: before.Address, Before: before, After: off, Record: before.Address, ObjectID: "o", Kind: directory.SharedMailbox,
				Destructive: true, Groups: row.groups,
			}}}}
			w, j, asked := newWriter(before), newJournal(), 0
			request := apply.Request{
				Part: part, Plan: planner.Request{Observed: &planner.Observation{At: noon}}, Reviewed: part.Review(), Accounts: w,
				Secrets: &secrets.Run{}, Journal: j, State: j.durable.Clone(), Provider: func(*resource.Type) string { return "" },
				Operation: numbered("op-"), Now: func() time.Time { return noon },
				Confirm: func(context.Context, string) (*directory.Entry, bool, error) {
					return &directory.Entry{ObjectID: "o", Kind: directory.SharedMailbox}, true, nil
				},
				Memberships: func(_ context.Context, id string, kind directory.Kind, nested bool) (*directory.Memberships, error) {
					if asked++; id != "o" || kind != directory.SharedMailbox || nested {
						t.Errorf("asked for %s, a %s, nested %v", id, kind, nested)
					}
					return row.now, row.err
				},
			}
			if row.mute {
				request.Memberships = nil
			}
			report, err := apply.Run(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			if done := slices.Contains(w.calls, "update "+before.Address); done != (row.says == "") || asked != row.asked {
				t.Errorf("calls %v after %d questions", w.calls, asked)
			}
			if row.says != "" && (len(report.Failed) != 1 || !strings.Contains(report.Failed[0].Text, row.says)) {
				t.Errorf("failed %+v", report.Failed)
			}
		})
	}
}

// TestTakeoverIsRemembered: the adoptions of a takeover are recorded some at a time, in order, and are let go of then. The part of
// a sync is shown afterwards and keeps them.
func TestTakeoverIsRemembered(t *testing.T) {
	for _, sync := range []bool{false, true} {
		result := &dirsync.Result{Clocks: []dirsync.Clock{{Address: "gone@t.example", GoneSince: noon}}, Forget: []string{"old@t.example"}}
		const many = 4500
		for i := range many {
			result.Links = append(result.Links, dirsync.Link{Address: fmt.Sprintf("u%04d@t.example", i), UID: i + 1, ObjectID: fmt.Sprint("o", i)})
		}
		// Two accounts changed places.
		result.Links[1].From, result.Links[many-1].From = result.Links[many-1].Address, result.Links[1].Address
		j := newJournal()
		for _, address := range []string{"gone@t.example", "old@t.example", result.Links[1].Address, result.Links[many-1].Address} {
			j.durable.Accounts.Put(&state.Account{Address: address, Policy: "sync_policy.p"})
		}
		working := j.durable.Clone()
		report, err := apply.Run(t.Context(), apply.Request{
			Part: &planner.Part{AccountPolicy: "sync_policy.p", Accounts: result}, Plan: planner.Request{Observed: &planner.Observation{At: noon}, Sync: sync},
			Accounts: newWriter(), Secrets: &secrets.Run{}, Journal: j, State: working, Operation: numbered("op-"), Now: func() time.Time { return noon },
		})
		if err != nil || report.Applied["adopt"] != many {
			t.Fatalf("%v: %v", err, report.Applied)
		}
		for _, s := range []*state.State{j.durable, working} {
			if s.Accounts.Len() != many+1 || s.Accounts.Get("old@t.example") != nil || !s.Accounts.Get("gone@t.example").GoneSince.Equal(noon) {
				t.Errorf("%d accounts are remembered, want %d", s.Accounts.Len(), many+1)
			}
			for i := range many {
				if a := s.Accounts.Get(fmt.Sprintf("u%04d@t.example", i)); a == nil || a.UID != i+1 || a.ObjectID != fmt.Sprint("o", i) {
					t.Fatalf("account %d is remembered as %+v", i, a)
				}
			}
		}
		if writes := -1 - j.failAfter; writes != 3+1 { // the last says what the apply went by
			t.Errorf("%d writes of %d adoptions", writes, many)
		}
		if kept := len(result.Links); kept != map[bool]int{false: 0, true: many}[sync] {
			t.Errorf("sync %v: %d adoptions stay", sync, kept)
		}
	}
}

func TestExemptionsAreBound(t *testing.T) {
	w, j := newWriter(account(directory.EndUser)), newJournal()
	j.durable.Objects = map[string]*state.Object{"exemption.e": {Address: "exemption.e", Type: "exemption",
		Values: cty.ObjectVal(map[string]cty.Value{"addresses": cty.SetVal([]cty.Value{cty.StringVal("a@t.example")})})}}
	seen := []dirsync.Binding{{Source: "exemption.e", Address: "a@t.example", UID: 7, ObjectID: "o"}}
	carryOut(t, w, j, &planner.Part{Accounts: &dirsync.Result{Bindings: seen}}, 0)
	if got := j.durable.Objects["exemption.e"].Bindings; len(got) != 1 || got[0] != (state.Binding{Address: "a@t.example", UID: 7, ObjectID: "o"}) {
		t.Errorf("bound to %v", got)
	}
	if len(w.calls) > 0 {
		t.Errorf("calls %v", w.calls)
	}
}

func TestReviewedAccountThatIsHeldNow(t *testing.T) {
	off := account(directory.EndUser)
	off.Active = false
	d := dirsync.Decision{Action: dirsync.Disable, Address: off.Address, Before: account(directory.EndUser), After: off, Destructive: true}
	reviewed := (&planner.Part{AccountPolicy: "sync_policy.p", Accounts: &dirsync.Result{Decisions: []dirsync.Decision{d}}}).Review()
	d.Held = "too many"
	w, j := newWriter(d.Before), newJournal()
	report, err := apply.Run(context.Background(), apply.Request{
		Part:     &planner.Part{AccountPolicy: "sync_policy.p", Accounts: &dirsync.Result{Decisions: []dirsync.Decision{d}}},
		Reviewed: reviewed, Plan: planner.Request{Observed: &planner.Observation{At: noon}}, Accounts: w, Secrets: &secrets.Run{}, Journal: j,
		State: j.durable.Clone(), Operation: func() string { return "op" }, Now: func() time.Time { return noon },
	})
	if err != nil || len(report.Held) != 1 || len(report.NotReviewed) != 0 || report.AlreadySo != 0 || len(w.calls) > 0 {
		t.Errorf("%v: %+v, calls %v", err, report, w.calls)
	}
}

func TestReviewedAccountThatIsNotDecidedAgain(t *testing.T) {
	off := account(directory.EndUser)
	off.Active = false
	on := account(directory.EndUser)
	for _, row := range []struct {
		name        string
		decision    dirsync.Decision
		live        *directory.Account // nil: gone
		notReviewed int
	}{
		{"a leaver who is back", dirsync.Decision{Action: dirsync.Disable, Address: on.Address, Before: on, After: off, Destructive: true}, on, 1},
		{"a leaver disabled by somebody else", dirsync.Decision{Action: dirsync.Disable, Address: on.Address, Before: on, After: off, Destructive: true}, off, 0},
		{"a deletion already done", dirsync.Decision{Action: dirsync.Delete, Address: on.Address, Before: on, Destructive: true}, nil, 0},
		{"a deletion no longer due", dirsync.Decision{Action: dirsync.Delete, Address: on.Address, Before: on, Destructive: true}, on, 1},
		{"a newcomer made by somebody else", dirsync.Decision{Action: dirsync.Add, Address: on.Address, After: on}, on, 0},
		{"a newcomer who left at once", dirsync.Decision{Action: dirsync.Add, Address: on.Address, After: on}, nil, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			reviewed := &planner.Part{AccountPolicy: "sync_policy.p", Accounts: &dirsync.Result{Decisions: []dirsync.Decision{row.decision}}}
			reading := &directory.AccountReading{Proof: directory.Proof{Complete: true}}
			if row.live != nil {
				reading.Accounts = append(reading.Accounts, row.live)
			}
			j := newJournal()
			report, err := apply.Run(context.Background(), apply.Request{
				Part: &planner.Part{AccountPolicy: "sync_policy.p", Accounts: &dirsync.Result{}}, Reviewed: reviewed.Review(),
				Plan: planner.Request{Observed: &planner.Observation{Accounts: reading, At: noon}}, Accounts: newWriter(), Secrets: &secrets.Run{}, Journal: j,
				State: j.durable.Clone(), Operation: func() string { return "op" }, Now: func() time.Time { return noon },
			})
			if err != nil || len(report.NotReviewed) != row.notReviewed || report.AlreadySo != 1-row.notReviewed || len(report.Changed) > 0 {
				t.Errorf("%v: %+v", err, report)
			}
		})
	}
}

// What takes an address away is written down before it is done, so that a run which dies between the call and its outcome
// leaves the address on the limit.
func TestRemovalCountsWhenItsOutcomeIsLost(t *testing.T) {
	before := account(directory.EndUser)
	off := *before
	off.Active = false
	less := *before
	less.Aliases = nil
	with := *before
	with.Aliases = []string{"al@t.example"}
	for _, row := range []struct {
		name     string
		decision dirsync.Decision
		kind     state.RemovalKind
		mail     string
	}{
		{"disable", dirsync.Decision{Action: dirsync.Disable, Before: before, After: &off, Counts: []string{"a@t.example"}}, state.RemovalDisable, "a@t.example"},
		{"delete", dirsync.Decision{Action: dirsync.Delete, Before: before, Counts: []string{"a@t.example"}}, state.RemovalDelete, "a@t.example"},
		{"an alias lost", dirsync.Decision{Action: dirsync.Update, Before: &with, After: &less, Counts: []string{"al@t.example"}}, state.RemovalAlias, "al@t.example"},
		{"an update that takes nothing away", dirsync.Decision{Action: dirsync.Update, Before: before, After: &with}, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, lost := range []bool{true, false} {
				if lost && row.mail == "" {
					continue // it has no intent, and so nothing of it is known when its outcome is lost
				}
				d := row.decision
				d.Address, d.Known, d.Record = "a@t.example", "a@t.example", "a@t.example"
				w, j := newWriter(d.Before), newJournal()
				if lost {
					j.failAfter = 1 // the intent is taken, the outcome is not
				}
				part := &planner.Part{AccountPolicy: "sync_policy.p", Accounts: &dirsync.Result{Decisions: []dirsync.Decision{d}}}
				_, err := apply.Run(context.Background(), apply.Request{
					Part: part, Plan: planner.Request{Observed: &planner.Observation{At: noon}}, Reviewed: part.Review(), Accounts: w,
					Secrets: &secrets.Run{}, Journal: j, State: j.durable.Clone(), Provider: func(*resource.Type) string { return "" },
					Operation: numbered("op-"), Now: func() time.Time { return noon },
				})
				if (err != nil) != lost {
					t.Fatalf("lost %v: %v", lost, err)
				}
				var counted []state.Removal
				for _, doubt := range j.durable.Doubts() {
					counted = append(counted, doubt.Removals()...)
				}
				counted = append(counted, j.durable.Removals...)
				if row.mail == "" {
					if len(counted) != 0 {
						t.Errorf("lost %v: counted %+v", lost, counted)
					}
					continue
				}
				if len(counted) != 1 || counted[0].Mail != row.mail || counted[0].Kind != row.kind || len(j.durable.Doubts()) > 0 != lost {
					t.Errorf("lost %v: counted %+v, in doubt %v", lost, counted, j.durable.Doubts())
				}
				if !lost {
					continue
				}
				// The next run reads the accounts and closes the doubt; the address stays counted, once.
				j.failAfter = -1
				carryOut(t, w, j, &planner.Part{Accounts: &dirsync.Result{}}, time.Minute)
				if got := j.durable.Removals; len(j.durable.Doubts()) > 0 || len(got) != 1 || got[0].Mail != row.mail || !got[0].Time.Equal(noon) {
					t.Errorf("after the next run: removals %+v, in doubt %v", got, j.durable.Doubts())
				}
			}
		})
	}
}

// TestNothingIsHandedOverToWhoWasNotReviewed: an account gives up an address only together with the one that takes it.
func TestNothingIsHandedOverToWhoWasNotReviewed(t *testing.T) {
	for _, missing := range []string{"", "b@t.example", "a@t.example"} {
		a := &directory.Account{UID: 7, Address: "a@t.example", Type: directory.EndUser, Active: true, Aliases: []string{"s@t.example"}}
		b := &directory.Account{UID: 8, Address: "b@t.example", Type: directory.EndUser, Active: true}
		gave, took := *a, *b
		gave.Aliases, took.Aliases = nil, []string{"s@t.example"}
		c := &directory.Account{UID: 9, Address: "c@t.example", Type: directory.EndUser, Active: true}
		named := *c
		named.Surname = "C"
		part := &planner.Part{AccountPolicy: "sync_policy.p", Accounts: &dirsync.Result{Decisions: []dirsync.Decision{
			{Action: dirsync.Update, Address: a.Address, Before: a, After: &gave},
			{Action: dirsync.Update, Address: b.Address, Before: b, After: &took, Needs: []string{a.Address}, Wave: 1},
			{Action: dirsync.Update, Address: c.Address, Before: c, After: &named},
		}}}
		reviewed := part.Review()
		delete(reviewed.Items, planner.AccountAddress(part.AccountPolicy, missing))
		w, j := newWriter(a, b, c), newJournal()
		report, err := apply.Run(context.Background(), apply.Request{
			Part: part, Plan: planner.Request{Observed: &planner.Observation{At: noon}}, Reviewed: reviewed, Accounts: w,
			Secrets: &secrets.Run{}, Journal: j, State: j.durable.Clone(), Provider: func(*resource.Type) string { return "" },
			Operation: numbered("op-"), Now: func() time.Time { return noon },
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"update c@t.example"}
		if missing == "" {
			want = []string{"update a@t.example", "update c@t.example", "update b@t.example"}
		}
		got := slices.Clone(w.calls)
		if missing == "" {
			slices.Sort(got[:2])
		} else if len(report.Skipped) != 1 {
			t.Errorf("without %s: skipped %v", missing, report.Skipped)
		}
		if !slices.Equal(got, want) {
			t.Errorf("without %q: %v", missing, got)
		}
	}
}
