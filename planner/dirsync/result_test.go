package dirsync

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/directory"
)

func decide(with func(f *fixture)) *Result {
	f := newFixture()
	with(f)
	return Decide(f.request())
}

func TestReasonsNameRulesAndFacts(t *testing.T) {
	res := decide(func(f *fixture) { f.person("alice").e.Enabled = false; f.req.Policy.BlockedSignIn = AsDisable })
	w := res.Find("alice@c.com")
	if w == nil {
		t.Fatal("nothing is decided")
	}
	var text strings.Builder
	for _, r := range w.Reasons {
		text.WriteString(r.Rule + " " + r.Text + "\n")
	}
	for _, want := range []string{"o-alice", "R33", "R32", "blocked_sign_in", "refused"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the reasons do not say %s:\n%s", want, text.String())
		}
	}
	if res.Find("bob@c.com") != nil || len(res.Group(Disable)) != 1 || len(res.Group(Add)) != 0 {
		t.Error("Find and Group disagree with the decisions")
	}
	if got := res.StopsReceiving; len(got) != 1 || got[0].Address != "alice@c.com" || !strings.Contains(got[0].Why, "disabled") {
		t.Errorf("stops receiving: %v", got)
	}
	if !res.Destructive || res.Seats != (Forecast{Before: 2, After: 1}) || res.OwnedActive != 2 {
		t.Errorf("destructive %v, seats %+v, owned %d", res.Destructive, res.Seats, res.OwnedActive)
	}
}

func TestHeldIsNotForecast(t *testing.T) {
	res := decide(func(f *fixture) { f.leaver("alice"); f.req.Policy.Safeguard.MaxRemovals = 0 })
	if res.Destructive || len(res.StopsReceiving) > 0 || res.Seats.Before != res.Seats.After {
		t.Errorf("what is held counts: %v %v %+v", res.Destructive, res.StopsReceiving, res.Seats)
	}
	if len(res.Held) != 1 || !strings.Contains(res.Held[0].Paste, "removals = 1") || !slices.Equal(res.Held[0].Addresses, []string{"alice@c.com"}) {
		t.Errorf("held: %+v", res.Held)
	}
	if w := res.Find("alice@c.com"); w.Held == "" || !slices.Equal(w.Loses, []string{"alice@c.com"}) {
		t.Errorf("the held decision does not say what it would lose: %+v", w)
	}
}

func TestAllowIsReportedAsUsed(t *testing.T) {
	with := func(n, limit int) *Result {
		return decide(func(f *fixture) {
			leavers(f, 2)
			f.req.Policy.Safeguard.MaxRemovals = limit
			f.req.Policy.Safeguard.Allow = &Allow{Removals: n}
		})
	}
	if got := with(2, 1).Allowed; got != 2 {
		t.Errorf("used: got %d, want 2", got)
	}
	if got := with(2, 2).Allowed; got != 0 {
		t.Errorf("not needed: got %d, want 0", got)
	}
	if got := with(3, 1).Allowed; got != 0 {
		t.Errorf("another number: got %d, want 0", got)
	}
}

func TestNotes(t *testing.T) {
	for _, row := range []struct {
		name string
		with func(f *fixture)
		want string
	}{
		{"expired exemption", func(f *fixture) { f.exempt(AsUnchanged, "zoe@c.com").Expires = now.Add(-dayLong) }, "goes on protecting"},
		{"expired skip", func(f *fixture) { f.leaver("alice"); f.req.Skips["alice@c.com"] = now.Add(-dayLong) }, "still is"},
		{"missing group", func(f *fixture) {
			p := f.exempt(AsUnchanged)
			p.Groups, p.Last = []string{"vip"}, []string{"zoe@c.com"}
		}, `group "vip"`},
		{"unregistered domain", func(f *fixture) { f.req.Directory.Domains = []string{"c.com", "New.com"} }, "new.com"},
		{"allow ended", func(f *fixture) {
			leavers(f, 2)
			f.req.Policy.Safeguard.MaxRemovals = 1
			f.req.Policy.Safeguard.Allow = &Allow{Removals: 2, Until: now}
		}, "allow ended"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if res := decide(row.with); !strings.Contains(strings.Join(res.Notes, "\n"), row.want) {
				t.Errorf("notes %q do not say %q", res.Notes, row.want)
			}
		})
	}
	if res := decide(func(f *fixture) {
		f.exempt(AsUnchanged, "zoe@c.com").Expires = now.Add(dayLong)
		f.req.Skips["zoe@c.com"] = now.Add(dayLong)
		f.req.Directory.Domains = []string{"c.com", "c.org", "m.com"}
	}); len(res.Notes) > 0 || len(res.Unregistered) > 0 {
		t.Errorf("notes without a cause: %q %q", res.Notes, res.Unregistered)
	}
}

func TestUndecidedShowsBothBlocks(t *testing.T) {
	res := decide(func(f *fixture) {
		f.entry("al${x}ice", directory.User)
		f.account("al${x}ice", directory.FunctionalAccount)
	})
	if len(res.Undecided) != 1 || len(res.Undecided[0].Blocks) != 2 {
		t.Fatalf("undecided: %+v", res.Undecided)
	}
	if b := res.Undecided[0].Blocks; !strings.Contains(b[0], "exemption \"al__x_ice\"") || !strings.Contains(b[0], `"al$${x}ice@c.com"`) || !strings.Contains(b[1], `type  = "end_user"`) {
		t.Errorf("blocks: %s%s", b[0], b[1])
	}
}

func TestBindings(t *testing.T) {
	res := decide(func(f *fixture) { f.person("alice", "al"); f.exempt(AsUnchanged, "al@c.com", "nobody@c.com") })
	want := []Binding{{Source: "exemption.e0", Address: "al@c.com", UID: uid("alice"), ObjectID: "o-alice"}}
	if !slices.Equal(res.Bindings, want) {
		t.Errorf("got %v, want %v", res.Bindings, want)
	}
}

func TestAllowedRemovals(t *testing.T) {
	for _, row := range []struct {
		max     int
		percent float64
		owned   int
		want    int
	}{
		{5, 10, 0, 1}, {5, 10, 1, 1}, {5, 10, 10, 1}, {5, 10, 11, 2}, {5, 10, 50, 5}, {5, 10, 200000, 5}, {0, 10, 100, 0},
		{1000, 7, 100, 7}, {1000, 0.1, 1001, 2}, {1000, 0, 100, 1}, {1000, 100, 37, 37}, {1000, 33.3, 10, 4},
	} {
		s := Safeguard{MaxRemovals: row.max, MaxRemovalPercent: row.percent}
		if got := s.AllowedRemovals(row.owned); got != row.want {
			t.Errorf("max %d, %v %% of %d: got %d, want %d", row.max, row.percent, row.owned, got, row.want)
		}
	}
}

func TestHash(t *testing.T) {
	a := directory.Account{UID: 1, Address: "a@c.com", Type: directory.EndUser, Active: true, FirstName: "A", Surname: "B", Aliases: []string{"x@c.com", "y@c.com"}, Billable: true}
	same := map[string]func(*directory.Account){
		"uid":            func(a *directory.Account) { a.UID = 2 },
		"billable":       func(a *directory.Account) { a.Billable = false },
		"kind of user":   func(a *directory.Account) { a.Type = directory.OrganizationAdmin },
		"order of alias": func(a *directory.Account) { a.Aliases = []string{"y@c.com", "x@c.com"} },
	}
	other := map[string]func(*directory.Account){
		"address":         func(a *directory.Account) { a.Address = "b@c.com" },
		"functional":      func(a *directory.Account) { a.Type = directory.FunctionalAccount },
		"active":          func(a *directory.Account) { a.Active = false },
		"first name":      func(a *directory.Account) { a.FirstName = "" },
		"names cut apart": func(a *directory.Account) { a.FirstName, a.Surname = "AB", "" },
		"aliases":         func(a *directory.Account) { a.Aliases = a.Aliases[:1] },
	}
	for name, change := range same {
		b := a
		if change(&b); Hash(&a) != Hash(&b) {
			t.Errorf("%s changes the hash", name)
		}
	}
	for name, change := range other {
		b := a
		if change(&b); Hash(&a) == Hash(&b) {
			t.Errorf("%s does not change the hash", name)
		}
	}
}

// TestAliasLostInDoubtIsRemovedLater: what an incomplete read keeps stays Weir's own, so that a complete one removes it.
func TestAliasLostInDoubtIsRemovedLater(t *testing.T) {
	f := newFixture()
	p := f.person("alice", "al")
	p.e.Aliases, p.e.Surname = nil, "Other"
	f.req.Directory.Proof.Complete = false
	req := f.request()
	res := Decide(req)
	if got := summary(res); !slices.Equal(got, []string{"update alice (directory)"}) {
		t.Fatalf("in doubt: %q", got)
	}
	req = carryOut(t, req, res)
	if got := summary(Decide(req)); len(got) > 0 {
		t.Fatalf("in doubt, again: %q", got)
	}
	req.Directory.Proof.Complete = true
	if got := summary(Decide(req)); !slices.Equal(got, []string{"update alice (directory) loses al"}) {
		t.Errorf("without doubt: %q", got)
	}
}

// TestLeaverOverTime: a leaver is refused at once, deleted after the grace time and not before, and may come back.
func TestLeaverOverTime(t *testing.T) {
	f := newFixture()
	p := f.leaver("alice")
	req := f.request()
	step := func(days int, want ...string) {
		t.Helper()
		req.Now = now.Add(time.Duration(days) * dayLong)
		res := Decide(req)
		if got := summary(res); !slices.Equal(got, want) {
			t.Fatalf("day %d: got %q, want %q", days, got, want)
		}
		req = carryOut(t, req, res)
	}
	step(0, "disable alice (directory) loses alice")
	step(1, "skip alice grace")
	step(29, "skip alice grace")
	back := req
	step(30, "delete alice (directory)")
	step(31)

	req = back
	req.Directory.Entries = append(slices.Clone(req.Directory.Entries), p.e)
	sortReadings(&req)
	step(29, "enable alice (directory)")
	req.Directory = &directory.Reading{Proof: req.Directory.Proof, Entries: slices.DeleteFunc(slices.Clone(req.Directory.Entries), func(e *directory.Entry) bool { return e == p.e })}
	step(40, "disable alice (directory) loses alice")
	step(60, "skip alice grace")
	step(70, "delete alice (directory)")
}

// TestConvertedStaysConverted: a blocked person keeps receiving as functional account over many plans, under either
// engine, and becomes a user again when the sign-in is opened.
func TestConvertedStaysConverted(t *testing.T) {
	for _, engine := range []string{EngineWeir, EngineEssentials} {
		t.Run(engine, func(t *testing.T) {
			f := newFixture()
			f.req.Policy.Engine = engine
			p := f.person("alice", "al")
			p.e.Enabled = false
			req := f.request()
			res := Decide(req)
			if len(res.Decisions) != 1 || res.Decisions[0].Action != Convert || len(res.StopsReceiving) > 0 {
				t.Fatalf("got %q, stops %v", summary(res), res.StopsReceiving)
			}
			req = carryOut(t, req, res)
			for range 10 {
				res := Decide(req)
				if len(res.Decisions) > 0 {
					t.Fatalf("got %q", summary(res))
				}
				req = carryOut(t, req, res)
			}
			p.e.Enabled = true
			if res := Decide(req); len(res.Decisions) != 1 || res.Decisions[0].After.Type != directory.EndUser {
				t.Errorf("unblocked: got %q", summary(res))
			}
		})
	}
}

// TestNamesakeTakesTheAddressInTurn: the address receives at every moment while it goes from one person to the next.
func TestNamesakeTakesTheAddressInTurn(t *testing.T) {
	f := newFixture()
	f.person("alice").e.Address = "alicia@c.com"
	f.entry("alice", directory.User).ObjectID = "o-new"
	req := f.request()
	for _, want := range [][]string{
		{"rename alice -> alicia (directory)", "wait alice"},
		{"add alice end_user (directory) needs alicia", "update alicia (directory)"},
		nil,
	} {
		res := Decide(req)
		if got := summary(res); !slices.Equal(got, want) || len(res.StopsReceiving) > 0 {
			t.Fatalf("got %q, stops receiving %v, want %q", got, res.StopsReceiving, want)
		}
		req = carryOut(t, req, res)
	}
}
