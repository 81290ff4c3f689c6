package dirsync

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weir-project/weir/providers/directory"
)

// model is what an address is at Essentials after the accounts are as given: Standing, told independently of it.
func model(accounts []*directory.Account, address string) string {
	best := ""
	for _, a := range accounts {
		a = normalAccount(a)
		if !holds(a, address) {
			continue
		}
		text := fmt.Sprintf("%s active=%v primary=%v", a.Type, a.Active, a.Address == address)
		if best == "" || a.Active {
			best = text
		}
	}
	return best
}

func told(s Standing) string {
	if !s.Exists {
		return ""
	}
	return fmt.Sprintf("%s active=%v primary=%v", s.Type, s.Active, s.Primary)
}

// checkTrace states what holds of every trace.
func checkTrace(t tester, req Request, tr *Trace) {
	t.Helper()
	plain := Decide(req)
	if a, b := summary(plain), summary(tr.Result); !slices.Equal(a, b) {
		t.Errorf("tracing changes what is decided:\n%s\n---\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	entries, accounts, records, decisions, skips := map[*directory.Entry]int{}, map[*directory.Account]int{}, map[*Known]int{}, map[string]int{}, 0
	last := ""
	for c := range tr.All() {
		if c.Name() < last {
			t.Errorf("cases are not in order: %s after %s", c.Name(), last)
		}
		last = c.Name()
		if c.Entry != nil {
			entries[c.Entry]++
		}
		if c.Account != nil {
			accounts[c.Account]++
		}
		if c.Known != nil {
			records[c.Known]++
		}
		if w := c.Decision; w != nil {
			decisions[w.Address]++
			if found := tr.Result.Find(w.Address); found != w || c.Name() != w.Address {
				t.Errorf("case %s tells of the decision about %s", c.Name(), w.Address)
			}
			if c.Account != w.Before {
				t.Errorf("case %s shows another account than the one decided about", c.Name())
			}
		}
		for _, s := range c.Skips {
			if s.Code != SkipHostedEngine {
				skips++
			}
		}
		if c.Word() != "none" && len(c.Reasons) == 0 {
			t.Errorf("case %s (%s) has no reasons", c.Name(), c.Word())
		}
		if c.Word() == "none" && tr.AccountsKnown() && req.Policy.Engine != EngineNone && len(tr.Result.Problems) == 0 {
			t.Errorf("nothing is known of %s %+v", c.Name(), c)
		}
	}
	for what, counts := range map[string][2]int{
		"entries": {len(entries), len(tr.d.entries)}, "accounts": {len(accounts), len(tr.d.accounts)}, "records": {len(records), len(tr.d.known)},
		"decisions": {len(decisions), len(plain.Decisions)}, "skips": {skips, len(plain.Skips)},
	} {
		if counts[0] != counts[1] {
			t.Errorf("%d of %d %s are in cases", counts[0], counts[1], what)
		}
	}
	for e, n := range entries {
		if n != 1 {
			t.Errorf("entry %s is in %d cases", e.Address, n)
		}
	}
	for a, n := range accounts {
		if n != 1 {
			t.Errorf("account %s is in %d cases", a.Address, n)
		}
	}
	if req.Accounts == nil || req.Directory == nil {
		return
	}
	after := carryOut(t, req, tr.Result)
	for _, x := range tr.Addresses() {
		if got, want := told(tr.Now(x)), model(req.Accounts.Accounts, x); got != want {
			t.Errorf("%s is now told as %q, and is %q", x, got, want)
		}
		if got, want := told(tr.After(x)), model(after.Accounts.Accounts, x); got != want {
			t.Errorf("%s is told to become %q, and becomes %q", x, got, want)
		}
		if len(tr.Find(x)) == 0 {
			t.Errorf("nothing is told of %s", x)
		}
	}
}

// checkFlip carries out what is decided with and without the flip's changes.
func checkFlip(t tester, req Request, address string, f Flip) {
	t.Helper()
	was := model(carryOut(t, req, Decide(req)).Accounts.Accounts, address)
	changed := f.Apply(req)
	is := model(carryOut(t, changed, Decide(changed)).Accounts.Accounts, address)
	if is == was {
		t.Errorf("%s: %q changes nothing: %q", address, f.Changes[0].Text, is)
	}
	if is != told(f.After) {
		t.Errorf("%s: %q is told to make it %q, and makes it %q", address, f.Changes[0].Text, told(f.After), is)
	}
}

func TestTraceTellsWhatIsDecided(t *testing.T) {
	for _, row := range table {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture()
			row.with(f)
			req := f.request()
			checkTrace(t, req, Explain(req))
		})
	}
}

func TestTraceOfDrawnTenants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		req := drawRequest(t)
		t.Log(dump(req, Decide(req)))
		checkTrace(t, req, Explain(req))
	})
}

func TestEachFlipFlips(t *testing.T) {
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		req := drawRequest(t)
		tr := Explain(req)
		all := append(tr.Addresses(), "nobody@c.com", "nobody@x.com")
		address := rapid.SampledFrom(all).Draw(t, "address")
		before := fingerprint(req)
		flips, tried := tr.Flips(address, 200)
		if fingerprint(req) != before {
			t.Fatal("looking for flips changed the request")
		}
		if tried > 200 {
			t.Fatalf("decided %d times", tried)
		}
		t.Log(dump(req, tr.Result))
		found += len(flips)
		for _, f := range flips {
			checkFlip(t, req, address, f)
		}
	})
	if found < 30 { // some 110 as a rule
		t.Errorf("only %d flips were found", found)
	}
}

// TestFlipCheckCatches: a change that changes nothing, and one that is told wrongly, do not pass.
func TestFlipCheckCatches(t *testing.T) {
	f := newFixture()
	f.person("alice")
	req := f.request()
	flips, _ := Explain(req).Flips(at("alice"), 100)
	block := flips[slices.IndexFunc(flips, func(f Flip) bool { return strings.HasPrefix(f.Changes[0].Text, "block its sign-in") })]
	var c caught
	checkFlip(&c, req, at("alice"), block)
	if c.n != 0 {
		t.Fatalf("the flip itself: %v", c.texts)
	}
	idle, wrong := block, block
	idle.Changes = []Change{{Text: "nothing", alter: func(*Request) {}}}
	wrong.After.Active = !wrong.After.Active
	for _, planted := range []Flip{idle, wrong} {
		c = caught{}
		checkFlip(&c, req, at("alice"), planted)
		if c.n == 0 {
			t.Errorf("%q was not caught", planted.Changes[0].Text)
		}
	}
	tr := Explain(req)
	tr.marks = tr.marks[1:]
	c = caught{}
	checkTrace(&c, req, tr)
	if c.n == 0 {
		t.Error("a missing case was not caught")
	}
}

// caught is a tester that only counts.
type caught struct {
	n     int
	texts []string
}

func (c *caught) Helper() {}
func (c *caught) Errorf(format string, args ...any) {
	c.n, c.texts = c.n+1, append(c.texts, fmt.Sprintf(format, args...))
}
func (c *caught) Error(args ...any)                 { c.Errorf("%s", fmt.Sprint(args...)) }
func (c *caught) Fatalf(format string, args ...any) { c.Errorf(format, args...) }
