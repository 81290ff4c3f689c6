package planner

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/quick"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
)

// mailbox is an entry with an account, each with those aliases.
func mailEntry(id string, kind directory.Kind, addresses ...string) *directory.Entry {
	e := &directory.Entry{ObjectID: id, Kind: kind, Address: addresses[0], Aliases: addresses[1:], HasProxy: true}
	slices.Sort(e.Aliases)
	return e
}

func mailAccount(active bool, addresses ...string) *directory.Account {
	a := &directory.Account{Address: addresses[0], Aliases: addresses[1:], Active: active, Billable: true, Type: directory.EndUser}
	slices.Sort(a.Aliases)
	return a
}

func TestRecipients(t *testing.T) {
	both := relays{"x.example": {before: true, after: true}, "new.example": {after: true}, "old.example": {before: true}}
	skip := func(address, id string, code dirsync.SkipCode) dirsync.Skip {
		return dirsync.Skip{Address: address, ObjectID: id, Code: code}
	}
	type rows = []Refusal
	for _, row := range []struct {
		name      string
		entries   []*directory.Entry
		accounts  []*directory.Account
		decisions []dirsync.Decision
		skips     []dirsync.Skip
		none      bool // no policy
		hosted    bool
		before    Accepted
		after     Accepted
		elsewhere int
		refused   rows
	}{
		{name: "an account with the same addresses",
			entries:  []*directory.Entry{mailEntry("1", directory.User, "a@x.example", "b@x.example")},
			accounts: []*directory.Account{mailAccount(true, "a@x.example", "b@x.example")},
			before:   Accepted{2, 0}, after: Accepted{2, 0}},
		{name: "an account without the alias",
			entries:  []*directory.Entry{mailEntry("1", directory.User, "a@x.example", "b@x.example")},
			accounts: []*directory.Account{mailAccount(true, "a@x.example")},
			before:   Accepted{1, 1}, after: Accepted{1, 1}, refused: rows{{Code: RefusedNoAlias, Count: 1, Addresses: []string{"b@x.example"}}}},
		{name: "another account has the alias",
			entries:  []*directory.Entry{mailEntry("1", directory.User, "a@x.example", "b@x.example")},
			accounts: []*directory.Account{mailAccount(true, "a@x.example"), mailAccount(true, "z@x.example", "b@x.example")},
			before:   Accepted{2, 0}, after: Accepted{2, 0}},
		{name: "a disabled account",
			entries:  []*directory.Entry{mailEntry("1", directory.User, "a@x.example")},
			accounts: []*directory.Account{mailAccount(false, "a@x.example")},
			before:   Accepted{0, 1}, after: Accepted{0, 1}, refused: rows{{Code: RefusedInactive, Count: 1, Addresses: []string{"a@x.example"}}}},
		{name: "an account is made",
			entries:   []*directory.Entry{mailEntry("1", directory.User, "a@x.example", "b@x.example", "b@elsewhere.example")},
			decisions: []dirsync.Decision{{Action: dirsync.Add, Address: "a@x.example", After: mailAccount(true, "a@x.example", "b@x.example")}},
			before:    Accepted{0, 2}, after: Accepted{2, 0}, elsewhere: 1},
		{name: "an account is not made, because it is held",
			entries:   []*directory.Entry{mailEntry("1", directory.User, "a@x.example")},
			decisions: []dirsync.Decision{{Action: dirsync.Add, Address: "a@x.example", Held: "limit", After: mailAccount(true, "a@x.example")}},
			before:    Accepted{0, 1}, after: Accepted{0, 1}, refused: rows{{Code: RefusedHeld, Count: 1, Addresses: []string{"a@x.example"}}}},
		{name: "a rename",
			entries:   []*directory.Entry{mailEntry("1", directory.User, "new@x.example", "old@x.example")},
			accounts:  []*directory.Account{mailAccount(true, "old@x.example")},
			decisions: []dirsync.Decision{{Action: dirsync.Rename, Address: "old@x.example", After: mailAccount(true, "new@x.example", "old@x.example")}},
			before:    Accepted{1, 1}, after: Accepted{2, 0}},
		{name: "a rename that is held",
			entries:   []*directory.Entry{mailEntry("1", directory.User, "new@x.example", "old@x.example")},
			accounts:  []*directory.Account{mailAccount(true, "old@x.example")},
			decisions: []dirsync.Decision{{Action: dirsync.Rename, ObjectID: "1", Held: "limit", Address: "old@x.example", After: mailAccount(true, "new@x.example", "old@x.example")}},
			before:    Accepted{1, 1}, after: Accepted{1, 1}, refused: rows{{Code: RefusedHeld, Count: 1, Addresses: []string{"new@x.example"}}}},
		{name: "a skip says why",
			entries: []*directory.Entry{mailEntry("1", directory.DynamicDistributionGroup, "all@x.example"), mailEntry("2", directory.Room, "room@x.example")},
			skips:   []dirsync.Skip{skip("all@x.example", "1", dirsync.SkipDynamic), skip("room@x.example", "2", dirsync.SkipKindOff)},
			before:  Accepted{0, 2}, after: Accepted{0, 2},
			refused: rows{{Code: "dynamic_group", Count: 1, Addresses: []string{"all@x.example"}}, {Code: "kind_skipped", Count: 1, Addresses: []string{"room@x.example"}}}},
		{name: "a skip under the address of an account elsewhere",
			entries:  []*directory.Entry{mailEntry("1", directory.User, "new@x.example")},
			accounts: []*directory.Account{mailAccount(true, "old@x.example")},
			skips:    []dirsync.Skip{skip("old@x.example", "1", dirsync.SkipExempt)},
			before:   Accepted{0, 1}, after: Accepted{0, 1}, refused: rows{{Code: "exempt", Count: 1, Addresses: []string{"new@x.example"}}}},
		{name: "aliases without a primary address",
			entries: []*directory.Entry{{ObjectID: "1", Kind: directory.User, Aliases: []string{"a@x.example"}, HasProxy: true}},
			skips:   []dirsync.Skip{skip("", "1", dirsync.SkipNoPrimary)},
			before:  Accepted{0, 1}, after: Accepted{0, 1}, refused: rows{{Code: "no_primary_address", Count: 1, Addresses: []string{"a@x.example"}}}},
		{name: "two entries with one address count it once, and each its aliases",
			entries:  []*directory.Entry{mailEntry("1", directory.User, "a@x.example", "b@x.example"), mailEntry("2", directory.User, "a@x.example", "c@x.example")},
			accounts: []*directory.Account{mailAccount(true, "a@x.example", "b@x.example", "c@x.example")},
			before:   Accepted{3, 0}, after: Accepted{3, 0}},
		{name: "a domain that becomes relayed",
			entries: []*directory.Entry{mailEntry("1", directory.User, "a@new.example")},
			skips:   []dirsync.Skip{skip("a@new.example", "1", dirsync.SkipNotIncluded)},
			after:   Accepted{0, 1}, refused: rows{{Code: "not_included", Count: 1, New: 1, Addresses: []string{"a@new.example"}}}},
		{name: "a domain that is not relayed any more",
			entries:  []*directory.Entry{mailEntry("1", directory.User, "a@old.example")},
			accounts: []*directory.Account{mailAccount(true, "a@old.example")},
			before:   Accepted{1, 0}, elsewhere: 1},
		{name: "no policy",
			entries: []*directory.Entry{mailEntry("1", directory.User, "a@x.example")}, none: true,
			before: Accepted{0, 1}, after: Accepted{0, 1}, refused: rows{{Code: RefusedNoPolicy, Count: 1, Addresses: []string{"a@x.example"}}}},
		{name: "left to the vendor's sync",
			entries: []*directory.Entry{mailEntry("1", directory.User, "a@x.example")}, hosted: true,
			before: Accepted{0, 1}, after: Accepted{0, 1}, refused: rows{{Code: "hosted_engine", Count: 1, Addresses: []string{"a@x.example"}}}},
		{name: "nothing says why",
			entries: []*directory.Entry{mailEntry("1", directory.User, "a@x.example")},
			before:  Accepted{0, 1}, after: Accepted{0, 1}, refused: rows{{Code: RefusedNoAccount, Count: 1, Addresses: []string{"a@x.example"}}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := &Part{}
			if !row.none {
				for i := range row.decisions {
					d := &row.decisions[i]
					for _, a := range row.accounts {
						if a.Address == d.Address {
							d.Before = a
						}
					}
				}
				p.Accounts = &dirsync.Result{Decisions: row.decisions, Skips: row.skips}
			}
			c := coverage{entries: row.entries, result: p.Accounts, hosted: row.hosted, relays: both, fates: p.fates(row.accounts)}
			got := c.count()
			want := Recipients{Before: row.before, After: row.after, Elsewhere: row.elsewhere, Refused: row.refused}
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestRefusedExamplesAreBounded(t *testing.T) {
	var entries []*directory.Entry
	for i := range 3000 {
		domain := "x.example"
		if i%2 == 0 {
			domain = "new.example"
		}
		entries = append(entries, mailEntry(fmt.Sprintf("%05d", i), directory.User, fmt.Sprintf("u%05d@%s", i, domain)))
	}
	p := &Part{Accounts: &dirsync.Result{}}
	c := coverage{entries: entries, result: p.Accounts, relays: relays{"x.example": {before: true, after: true}, "new.example": {after: true}}, fates: p.fates(nil)}
	got := c.count().Refused
	if len(got) != 1 || got[0].Count != 3000 || got[0].New != 1500 || len(got[0].Addresses) != maxRefusedNew || !slices.IsSorted(got[0].Addresses) || !strings.HasSuffix(got[0].Addresses[999], "@new.example") {
		t.Errorf("%d reasons, %+v", len(got), got[0].Count)
	}
	c.relays = relays{"x.example": {before: true, after: true}}
	if got := c.count().Refused; len(got) != 1 || len(got[0].Addresses) != maxRefused || got[0].Addresses[0] != "u00001@x.example" {
		t.Errorf("got %+v", got)
	}
}

// TestRecipientsAgreeWithTheDefinition compares the walk with the plain definition over sets, on random worlds.
func TestRecipientsAgreeWithTheDefinition(t *testing.T) {
	check := func(seed uint64) bool {
		r := rand.New(rand.NewPCG(seed, 7))
		name := func() string {
			return fmt.Sprintf("%c@%s", 'a'+rune(r.IntN(12)), []string{"x.example", "new.example", "old.example", "none.example"}[r.IntN(4)])
		}
		list := relays{"x.example": {before: true, after: true}, "new.example": {after: true}, "old.example": {before: true}}
		var entries []*directory.Entry
		var accounts []*directory.Account
		seen, held := map[string]bool{}, map[string]bool{}
		for i := range r.IntN(10) {
			addresses := []string{name()}
			if seen[addresses[0]] {
				continue
			}
			for range r.IntN(3) {
				if x := name(); !slices.Contains(addresses, x) && !seen[x] {
					addresses = append(addresses, x)
				}
			}
			for _, x := range addresses {
				seen[x] = true
			}
			entries = append(entries, mailEntry(fmt.Sprint(i), directory.User, addresses...))
		}
		for range r.IntN(10) {
			addresses := []string{name()}
			if held[addresses[0]] {
				continue
			}
			held[addresses[0]] = true
			for range r.IntN(3) {
				if x := name(); !held[x] {
					addresses, held[x] = append(addresses, x), true
				}
			}
			accounts = append(accounts, mailAccount(r.IntN(4) > 0, addresses...))
		}
		slices.SortFunc(entries, byEntry)
		slices.SortFunc(accounts, byAccount)
		p := &Part{Accounts: &dirsync.Result{}}
		after := slices.Clone(accounts)
		for i, a := range accounts {
			if r.IntN(3) > 0 {
				continue
			}
			d := dirsync.Decision{Action: dirsync.Update, Address: a.Address, Before: a}
			switch r.IntN(3) {
			case 0:
				d.Action = dirsync.Delete
			case 1:
				b := *a
				b.Active = !b.Active
				d.After = &b
			case 2:
				d.After = mailAccount(true, append([]string{"moved" + fmt.Sprint(i) + "@x.example"}, append(a.Aliases, a.Address)...)...)
			}
			if r.IntN(4) == 0 {
				d.Held = "x"
			} else {
				after[i] = d.After
			}
			p.Accounts.Decisions = append(p.Accounts.Decisions, d)
		}
		accepted := func(list []*directory.Account, x string) bool {
			return slices.ContainsFunc(list, func(a *directory.Account) bool { return accepts(a, x) })
		}
		want := Recipients{}
		for x := range seen {
			r := list[directory.DomainOf(x)]
			if r.before && accepted(accounts, x) {
				want.Before.Accepted++
			} else if r.before {
				want.Before.Refused++
			}
			switch {
			case !r.after:
				want.Elsewhere++
			case accepted(after, x):
				want.After.Accepted++
			default:
				want.After.Refused++
			}
		}
		c := coverage{entries: entries, result: p.Accounts, relays: list, fates: p.fates(accounts)}
		got := c.count()
		refused := 0
		for _, n := range got.Refused {
			refused += n.Count
		}
		ok := got.Before == want.Before && got.After == want.After && got.Elsewhere == want.Elsewhere && refused == want.After.Refused
		if !ok {
			t.Logf("seed %d: got %+v, want %+v", seed, got, want)
		}
		return ok
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
}

func BenchmarkRecipients(b *testing.B) {
	const n = 200_000
	entries, accounts := make([]*directory.Entry, n), make([]*directory.Account, n)
	for i := range n {
		address, alias := fmt.Sprintf("user%06d@x.example", i), fmt.Sprintf("u%06d@x.example", i)
		entries[i] = mailEntry(fmt.Sprint(i), directory.User, address, alias)
		accounts[i] = mailAccount(true, address, alias)
	}
	p := &Part{Accounts: &dirsync.Result{}}
	b.ReportAllocs()
	for b.Loop() {
		c := coverage{entries: entries, result: p.Accounts, relays: relays{"x.example": {before: true, after: true}}, fates: p.fates(accounts)}
		if got := c.count(); got.After.Accepted != 2*n {
			b.Fatalf("%+v", got)
		}
	}
}
