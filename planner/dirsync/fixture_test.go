package dirsync

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/directory"
)

var (
	now     = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	errTest = errors.New("no such function")
)

const (
	policyAddress = "sync_policy.people"
	dayLong       = 24 * time.Hour
)

// deciding is what the checks check; mutants_test.go puts wrong ones in its place to see that they are caught.
var deciding = Decide

// predicate is a condition written in Go.
type predicate struct {
	text  string
	match func(*directory.Entry) (bool, error)
}

func (p predicate) Text() string                           { return p.text }
func (p predicate) Match(e *directory.Entry) (bool, error) { return p.match(e) }

func notKitchen() directory.Predicate {
	return predicate{`entry.department != "Kitchen"`, func(e *directory.Entry) (bool, error) { return e.Department != "Kitchen", nil }}
}

func failing() directory.Predicate {
	return predicate{`broken(entry)`, func(e *directory.Entry) (bool, error) {
		if e.Department == "Kitchen" {
			return false, errTest
		}
		return true, nil
	}}
}

// fixture is a small tenant: c.com and c.org are registered for relay, m.com for management, x.com is not.
type fixture struct {
	req   Request
	known []*Known
}

// person is an entry, its account and its record, in agreement until a row changes one of them.
type person struct {
	e *directory.Entry
	a *directory.Account
	k *Known
}

func policy() Policy {
	return Policy{
		Address: policyAddress, Engine: EngineWeir, NewUserRole: directory.EndUser,
		SyncUsers: true, SyncDistributionGroups: true, SyncSecurityGroups: true,
		SharedMailboxes: AsFunctional, Rooms: AsFunctional, BlockedSignIn: AsFunctional, Gone: AsDisable,
		OutOfScope: AsKeep, Strays: AsList, DeleteAfter: 30 * dayLong,
		Users: Switches{true, true, true}, Groups: Switches{true, true, true},
		Safeguard: Safeguard{MaxRemovals: 1000, MaxRemovalPercent: 100, MaxConversions: 1000, MaxAdditions: 1000, Window: dayLong},
	}
}

func newFixture() *fixture {
	f := &fixture{req: Request{
		Policy:    policy(),
		Domains:   []Domain{{"c.com", true}, {"c.org", true}, {"m.com", false}},
		Directory: &directory.Reading{Proof: directory.Proof{Complete: true}},
		Accounts:  &directory.AccountReading{Proof: directory.Proof{Complete: true}},
		Declared:  map[string]bool{},
		Skips:     map[string]time.Time{},
		Now:       now,
	}}
	f.person("zoe")
	return f
}

func uid(name string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return int(h.Sum32()>>8) + 1
}

func at(name string) string {
	if strings.Contains(name, "@") {
		return name
	}
	return name + "@c.com"
}

func local(name string) string {
	l, _, _ := strings.Cut(name, "@")
	return l
}

func (f *fixture) entry(name string, kind directory.Kind, aliases ...string) *directory.Entry {
	e := &directory.Entry{ObjectID: "o-" + local(name), Kind: kind, Address: at(name), Enabled: true, Licensed: true, HasProxy: true,
		GivenName: local(name), Surname: "Test", Name: local(name) + " Test"}
	for _, x := range aliases {
		e.Aliases = append(e.Aliases, at(x))
	}
	slices.Sort(e.Aliases)
	switch kind {
	case directory.SharedMailbox, directory.Room, directory.Equipment:
		e.Enabled, e.Licensed = false, false
		e.GivenName, e.Surname = "", ""
	case directory.User, directory.Guest:
		e.UPN = at(name)
	default:
		e.GivenName, e.Surname = "", ""
		e.Licensed = false
	}
	f.req.Directory.Entries = append(f.req.Directory.Entries, e)
	return e
}

func (f *fixture) account(name string, typ directory.AccountType, aliases ...string) *directory.Account {
	a := &directory.Account{UID: uid(name), Address: at(name), Type: typ, Active: true, FirstName: local(name), Surname: "Test", Billable: true}
	for _, x := range aliases {
		a.Aliases = append(a.Aliases, at(x))
	}
	slices.Sort(a.Aliases)
	f.req.Accounts.Accounts = append(f.req.Accounts.Accounts, a)
	return a
}

func (f *fixture) record(e *directory.Entry, a *directory.Account) *Known {
	k := &Known{Policy: policyAddress}
	if a != nil {
		k.Address, k.UID, k.Aliases, k.Hash = a.Address, a.UID, a.Aliases, Hash(a)
	}
	if e != nil {
		k.ObjectID, k.Kind = e.ObjectID, e.Kind
		if a == nil {
			k.Address = e.Address
		}
	}
	f.known = append(f.known, k)
	return k
}

// person adds a managed user in full agreement.
func (f *fixture) person(name string, aliases ...string) person {
	e := f.entry(name, directory.User, aliases...)
	a := f.account(name, directory.EndUser, aliases...)
	return person{e, a, f.record(e, a)}
}

// place adds a managed mailbox or group, a functional account.
func (f *fixture) place(name string, kind directory.Kind, aliases ...string) person {
	e := f.entry(name, kind, aliases...)
	a := f.account(name, directory.FunctionalAccount, aliases...)
	return person{e, a, f.record(e, a)}
}

// leaver adds a managed user whose entry is gone.
func (f *fixture) leaver(name string, aliases ...string) person {
	p := f.person(name, aliases...)
	f.drop(p.e)
	return p
}

func (f *fixture) drop(e *directory.Entry) {
	f.req.Directory.Entries = slices.DeleteFunc(f.req.Directory.Entries, func(x *directory.Entry) bool { return x == e })
}

func (f *fixture) vanish(a *directory.Account) {
	f.req.Accounts.Accounts = slices.DeleteFunc(f.req.Accounts.Accounts, func(x *directory.Account) bool { return x == a })
}

func (f *fixture) forget(k *Known) {
	f.known = slices.DeleteFunc(f.known, func(x *Known) bool { return x == k })
}

func (f *fixture) exempt(as string, addresses ...string) *Protection {
	f.req.Protections = append(f.req.Protections, Protection{Source: fmt.Sprintf("exemption.e%d", len(f.req.Protections)), As: as, Addresses: addresses})
	return &f.req.Protections[len(f.req.Protections)-1]
}

// request puts the input into its documented order.
func (f *fixture) request() Request {
	r := f.req
	r.Known = nil
	for _, k := range f.known {
		r.Known = append(r.Known, *k)
	}
	slices.SortFunc(r.Known, func(a, b Known) int { return strings.Compare(a.Address, b.Address) })
	sortReadings(&r)
	return r
}

func sortReadings(r *Request) {
	if r.Directory != nil {
		slices.SortFunc(r.Directory.Entries, func(a, b *directory.Entry) int {
			if c := strings.Compare(a.Address, b.Address); c != 0 {
				return c
			}
			return strings.Compare(a.ObjectID, b.ObjectID)
		})
	}
	if r.Accounts != nil {
		slices.SortFunc(r.Accounts.Accounts, func(a, b *directory.Account) int { return strings.Compare(a.Address, b.Address) })
	}
}

// summary renders what a result decides, one line an item, without the reasons.
func summary(r *Result) []string {
	var out []string
	short := func(s string) string { return strings.ReplaceAll(s, "@c.com", "") }
	for _, w := range r.Decisions {
		line := string(w.Action) + " " + w.Address
		if w.Held != "" {
			line = "held " + line
		}
		if w.After != nil && w.After.Address != w.Address {
			line += " -> " + w.After.Address
		}
		switch {
		case w.Action == Add:
			line += " " + string(w.After.Type)
		case w.After != nil && w.Before.Type != w.After.Type:
			line += " " + string(w.After.Type)
		}
		if w.After != nil && w.Before != nil && !w.Before.Active && w.After.Active && w.Action != Enable {
			line += " active"
		}
		line += " (" + w.Cause + ")"
		if len(w.Loses) > 0 {
			line += " loses " + strings.Join(w.Loses, ",")
		}
		if len(w.Needs) > 0 {
			line += " needs " + strings.Join(w.Needs, ",")
		}
		if w.Exempt != "" {
			line += " exempt:" + w.Exempt
		}
		out = append(out, short(line))
	}
	for _, s := range r.Skips {
		name := s.Address
		if name == "" {
			name = s.ObjectID
		}
		out = append(out, short("skip "+name+" "+string(s.Code)))
	}
	for _, l := range r.Links {
		out = append(out, short("link "+l.Address+" "+l.ObjectID))
	}
	for _, c := range r.Clocks {
		state := "starts"
		if c.GoneSince.IsZero() {
			state = "stops"
		}
		out = append(out, short("clock "+c.Address+" "+state))
	}
	for _, w := range r.Waits {
		out = append(out, short("wait "+w.Address))
	}
	for _, s := range r.Strays {
		out = append(out, short("stray "+s))
	}
	for _, x := range r.Foreign {
		out = append(out, short("foreign "+x.Address+" "+strings.Join(x.Aliases, ",")))
	}
	for _, x := range r.Forget {
		out = append(out, short("forget "+x))
	}
	for _, h := range r.Held {
		out = append(out, "hold "+h.Limit)
	}
	for _, u := range r.Undecided {
		if u.Error {
			out = append(out, short("error "+u.Address))
		}
	}
	return out
}

// carryOut applies a result to a model of Essentials and of state, and returns the next request. It fails the test when
// an address would belong to two accounts at any moment.
func carryOut(t tester, req Request, res *Result) Request {
	t.Helper()
	accounts := map[int]*directory.Account{}
	owner := map[string]int{}
	next := 1 << 26
	key := func(a *directory.Account) int {
		if a.UID == 0 {
			next++
			return next
		}
		return a.UID
	}
	for _, a := range req.Accounts.Accounts {
		next = max(next, a.UID)
	}
	for _, a := range req.Accounts.Accounts {
		a = normalAccount(a)
		id := key(a)
		accounts[id] = a
		for _, x := range addresses(a) {
			owner[x] = id
		}
	}
	known := map[string]Known{}
	for _, k := range req.Known {
		known[k.Address] = k
	}
	for _, x := range res.Forget {
		delete(known, x)
	}
	for _, k := range res.Learned {
		known[k.Address] = k
	}
	for _, c := range res.Clocks {
		k := known[c.Address]
		k.GoneSince = c.GoneSince
		known[c.Address] = k
	}
	for _, l := range res.Links {
		delete(known, l.From)
	}
	for _, l := range res.Links {
		known[l.Address] = l.Remember(req.Policy.Address)
	}
	done := map[string]bool{}
	held := map[string]bool{}
	pending := []*Decision{}
	remember := map[string]Known{}
	for i := range res.Decisions {
		if w := &res.Decisions[i]; w.Held == "" {
			pending = append(pending, w)
		} else {
			held[w.Address] = true
		}
	}
	for len(pending) > 0 {
		var later []*Decision
		for _, w := range pending {
			if slices.ContainsFunc(w.Needs, func(x string) bool { return !done[x] }) {
				if slices.ContainsFunc(w.Needs, func(x string) bool { return held[x] }) {
					t.Fatalf("%s %s needs a decision that is held", w.Action, w.Address)
				}
				later = append(later, w)
				continue
			}
			done[w.Address] = true
			id := w.UID
			if w.Before != nil {
				if id == 0 {
					id = owner[w.Before.Address]
				}
				for _, x := range addresses(w.Before) {
					delete(owner, x)
				}
				delete(accounts, id)
			} else {
				next++
				id = next
			}
			if w.After != nil {
				after := *w.After
				after.UID = id
				accounts[id] = &after
				for i, x := range addresses(&after) {
					if other, taken := owner[x]; taken {
						t.Fatalf("%s %s takes %s, which account %s holds", w.Action, w.Address, x, accounts[other].Address)
					}
					if i > 0 && x == after.Address {
						t.Fatalf("%s %s has its primary address as alias", w.Action, w.Address)
					}
					owner[x] = id
				}
			}
			var prev *Known
			if k, ok := known[w.Known]; ok && w.Known != "" {
				prev = &k
				delete(known, w.Known)
			}
			if k, keep := w.Remember(prev, req.Policy.Address, id); keep {
				remember[k.Address] = k
			}
		}
		if len(later) == len(pending) {
			t.Fatalf("decisions wait for each other: %v", summary(res))
		}
		pending = later
	}
	maps.Copy(known, remember)
	out := req
	if req.Exempt != nil {
		out.Exempt = maps.Clone(req.Exempt)
		for _, w := range res.Decisions {
			switch {
			case w.Held != "":
			case w.Exempt == "add":
				out.Exempt[w.Before.Address] = true
			case w.Exempt == "remove":
				delete(out.Exempt, w.Before.Address)
			}
		}
	}
	out.PolicyChanged = false
	out.Accounts = &directory.AccountReading{Proof: req.Accounts.Proof}
	for _, id := range slices.Sorted(maps.Keys(accounts)) {
		out.Accounts.Accounts = append(out.Accounts.Accounts, accounts[id])
	}
	out.Known = nil
	for _, x := range slices.Sorted(maps.Keys(known)) {
		out.Known = append(out.Known, known[x])
	}
	out.Directory = &directory.Reading{}
	*out.Directory = *req.Directory
	out.Directory.Entries = slices.Clone(req.Directory.Entries)
	sortReadings(&out)
	return out
}

// settled fails unless a second plan finds nothing to do but what is held.
func settled(t tester, req Request) {
	t.Helper()
	res := deciding(req)
	for _, w := range res.Decisions {
		if w.Held == "" {
			t.Errorf("after apply the plan still has: %s %s: %v", w.Action, w.Address, w.Reasons)
		}
	}
	if len(res.Links) > 0 || len(res.Clocks) > 0 || len(res.Forget) > 0 || len(res.Learned) > 0 {
		t.Errorf("after apply state still changes: links %v, clocks %v, forget %v, learned %v", res.Links, res.Clocks, res.Forget, res.Learned)
	}
}

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Error(args ...any)
	Fatalf(format string, args ...any)
}

// dump shows a request and what was decided, for failures of drawn tenants.
func dump(r Request, res *Result) string {
	var b strings.Builder
	for _, e := range r.Directory.Entries {
		fmt.Fprintf(&b, "  entry %s %s %s %v enabled=%v licensed=%v proxy=%v %s\n", e.ObjectID, e.Kind, e.Address, e.Aliases, e.Enabled, e.Licensed, e.HasProxy, e.Department)
	}
	for _, a := range r.Accounts.Accounts {
		fmt.Fprintf(&b, "  account %d %s %s %v active=%v\n", a.UID, a.Address, a.Type, a.Aliases, a.Active)
	}
	for _, k := range r.Known {
		fmt.Fprintf(&b, "  known %+v\n", k)
	}
	fmt.Fprintf(&b, "  declared %v, left out %v, protections %+v\n", r.Declared, r.Skips, r.Protections)
	for _, s := range summary(res) {
		fmt.Fprintf(&b, "  => %s\n", s)
	}
	return b.String()
}
