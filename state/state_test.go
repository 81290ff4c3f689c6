package state

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func TestApply(t *testing.T) {
	domain := &Object{Address: "domain.mail", Type: "domain", ID: "1", Ownership: Created}
	renamed := &Object{Address: "domain.post", Type: "domain", ID: "1", Ownership: Created}
	alice := &Account{Address: "alice@contoso.com", UID: 7, Ownership: Created}
	alicia := &Account{Address: "alicia@contoso.com", UID: 7, Ownership: Created}
	const policy = "sync_policy.people"
	intent := func(op, address, mail string) Entry {
		return Entry{Intent: &Intent{Op: op, Address: address, Mail: mail, Action: "create"}}
	}
	outcome := func(o Outcome) Entry { return Entry{Outcome: &o} }

	for _, row := range []struct {
		name     string
		entries  []Entry
		objects  []string
		accounts []string
		doubts   []string
	}{
		{name: "an intent alone is in doubt",
			entries: []Entry{intent("1", "domain.mail", "")},
			doubts:  []string{"1"}},
		{name: "an intent with its outcome is not",
			entries: []Entry{intent("1", "domain.mail", ""), outcome(Outcome{Op: "1", Address: "domain.mail", Result: Done, Object: domain})},
			objects: []string{"domain.mail"}},
		{name: "an unknown outcome stays in doubt",
			entries: []Entry{intent("1", "domain.mail", ""), outcome(Outcome{Op: "1", Address: "domain.mail", Result: Unknown})},
			doubts:  []string{"1"}},
		{name: "a failed one does not, and leaves nothing",
			entries: []Entry{intent("1", "domain.mail", ""), outcome(Outcome{Op: "1", Address: "domain.mail", Result: Failed, Error: "400"})}},
		{name: "a failed one may leave what was done",
			entries: []Entry{outcome(Outcome{Op: "1", Address: "domain.mail", Result: Failed, Object: domain})},
			objects: []string{"domain.mail"}},
		{name: "deleted",
			entries: []Entry{
				outcome(Outcome{Op: "1", Address: "domain.mail", Result: Done, Object: domain}),
				outcome(Outcome{Op: "2", Address: "domain.mail", Result: Done, Deleted: true}),
			}},
		{name: "moved",
			entries: []Entry{
				outcome(Outcome{Op: "1", Address: "domain.mail", Result: Done, Object: domain}),
				outcome(Outcome{Op: "2", Address: "domain.mail", Result: Done, Object: renamed}),
			},
			objects: []string{"domain.post"}},
		{name: "an account renamed",
			entries: []Entry{
				outcome(Outcome{Op: "1", Address: policy, Mail: "alice@contoso.com", Result: Done, Account: alice}),
				outcome(Outcome{Op: "2", Address: policy, Mail: "alice@contoso.com", Result: Done, Account: alicia}),
			},
			accounts: []string{"alicia@contoso.com"}},
		{name: "an account deleted, its policy not",
			entries: []Entry{
				outcome(Outcome{Op: "0", Address: policy, Result: Done, Object: &Object{Address: policy}}),
				outcome(Outcome{Op: "1", Address: policy, Mail: "alice@contoso.com", Result: Done, Account: alice}),
				outcome(Outcome{Op: "2", Address: policy, Mail: "alice@contoso.com", Result: Done, Deleted: true}),
			},
			objects: []string{policy}},
		{name: "a seal says nothing about the tenant",
			entries: []Entry{{Seal: &Seal{Epoch: 2}}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := New("lineage", Live, TenantMeta{Key: "contoso"}, nil)
			for range 2 { // the second time changes nothing, except that a closed intent opens again
				for _, e := range row.entries {
					if err := s.Apply(e); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got := s.Addresses(); !slices.Equal(got, row.objects) {
				t.Errorf("objects %q, want %q", got, row.objects)
			}
			var accounts, doubts []string
			for a := range s.Accounts.All() {
				accounts = append(accounts, a.Address)
			}
			for _, i := range s.Doubts() {
				doubts = append(doubts, i.Op)
			}
			if !slices.Equal(accounts, row.accounts) {
				t.Errorf("accounts %q, want %q", accounts, row.accounts)
			}
			if !slices.Equal(doubts, row.doubts) {
				t.Errorf("in doubt %q, want %q", doubts, row.doubts)
			}
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	for name, e := range map[string]Entry{
		"empty":                     {},
		"intent without operation":  {Intent: &Intent{Address: "domain.mail"}},
		"intent without address":    {Intent: &Intent{Op: "1"}},
		"outcome without result":    {Outcome: &Outcome{Op: "1", Address: "a"}},
		"deleted and there":         {Outcome: &Outcome{Op: "1", Address: "a", Result: Done, Deleted: true, Object: &Object{Address: "a"}}},
		"deleted but failed":        {Outcome: &Outcome{Op: "1", Address: "a", Result: Failed, Deleted: true}},
		"account without address":   {Outcome: &Outcome{Op: "1", Address: "a", Mail: "x@y", Result: Done, Account: &Account{}}},
		"account without its name":  {Outcome: &Outcome{Op: "1", Address: "a", Result: Done, Account: &Account{Address: "x@y"}}},
		"object in account outcome": {Outcome: &Outcome{Op: "1", Address: "a", Mail: "x@y", Result: Done, Object: &Object{Address: "a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := New("lineage", Live, TenantMeta{}, nil)
			if err := s.Apply(e); err == nil {
				t.Error("accepted")
			}
			if !reflect.DeepEqual(s, New("lineage", Live, TenantMeta{}, nil)) {
				t.Error("the state has changed")
			}
		})
	}
}

func TestApplyCountsARemovalOnce(t *testing.T) {
	s := New("lineage", Live, TenantMeta{}, nil)
	gone := Removal{Mail: "alice@contoso.com", Kind: RemovalDisable, Op: "1", Time: noon}
	e := Entry{Outcome: &Outcome{Op: "1", Address: "sync_policy.people", Result: Done, Removals: []Removal{gone}}}
	for range 2 {
		if err := s.Apply(e); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.Removals) != 1 {
		t.Errorf("%d removals, want 1", len(s.Removals))
	}
	s.ForgetRemovals(noon)
	if len(s.Removals) != 1 {
		t.Error("a removal at the edge of the window was forgotten")
	}
	s.ForgetRemovals(noon.Add(1))
	if len(s.Removals) != 0 {
		t.Error("a removal before the window still counts")
	}
}

// TestRemovalsFromElsewhereAreCounted: a list that was put there, cut short or cloned in the meantime is the one that counts.
func TestRemovalsFromElsewhereAreCounted(t *testing.T) {
	removal := func(op string) Removal {
		return Removal{Mail: "alice@contoso.com", Kind: RemovalDisable, Op: op, Time: noon}
	}
	s := New("lineage", Live, TenantMeta{}, nil)
	count := func(want int, ops ...string) {
		t.Helper()
		for _, op := range ops {
			s.countRemovals([]Removal{removal(op)})
		}
		if len(s.Removals) != want {
			t.Errorf("after %q there are %d removals, want %d", ops, len(s.Removals), want)
		}
	}
	count(2, "1", "2", "1")
	s.Removals = []Removal{removal("2"), removal("3")} // as long as the one before
	count(3, "2", "3", "1")
	before := s
	s = s.Clone()
	count(4, "1", "4")
	if s = before; len(s.Removals) != 3 {
		t.Errorf("the clone's removals are the original's: %v", s.Removals)
	}
	count(4, "4", "1")
	s.ForgetRemovals(noon.Add(1))
	count(1, "1", "1")
}

func TestNote(t *testing.T) {
	s := New("lineage", Live, TenantMeta{Key: "contoso"}, nil)
	s.Outputs = map[string]Output{"a": {Value: cty.True}, "b": {Value: cty.True}}
	skips := []Skip{{Address: "domain.mail", Reason: "later"}}
	if err := s.Apply(Entry{Note: &Note{
		Outputs:   map[string]Output{"b": {}, "c": {Value: cty.NumberIntVal(3)}},
		Tenant:    &TenantMeta{Key: "contoso", OrganizationID: "42"},
		Skips:     &skips,
		Allowance: "digest",
		Time:      noon,
	}}); err != nil {
		t.Fatal(err)
	}
	if len(s.Outputs) != 2 || s.Outputs["c"].Value.Equals(cty.NumberIntVal(3)).False() {
		t.Errorf("outputs %v, want a and c", s.Outputs)
	}
	if s.Tenant.OrganizationID != "42" || len(s.Skips) != 1 || !s.Allowances["digest"].Equal(noon) {
		t.Errorf("the note was not merged: %+v", s)
	}
	if err := s.Apply(Entry{Note: &Note{Text: "hello"}}); err != nil || s.Tenant.OrganizationID != "42" || len(s.Skips) != 1 {
		t.Errorf("a note that says nothing changed something: %v %+v", err, s)
	}
}

func TestClone(t *testing.T) {
	s := sample()
	c := s.Clone()
	if err := c.Apply(Entry{Outcome: &Outcome{Op: "x", Address: "domain.mail", Result: Done, Deleted: true}}); err != nil {
		t.Fatal(err)
	}
	c.Accounts.Delete("alice@contoso.com")
	if s.Objects["domain.mail"] == nil || s.Accounts.Get("alice@contoso.com") == nil {
		t.Error("changing the clone changed the original")
	}
	if c.Objects["domain.mail"] != nil || c.Accounts.Get("alice@contoso.com") != nil {
		t.Error("changing the clone did not change it")
	}
}

func TestVersionOf(t *testing.T) {
	s := sample()
	one := s.VersionOf([]byte("correct horse"))
	if one != s.VersionOf([]byte("correct horse")) {
		t.Error("the same secret has two versions")
	}
	if one == s.VersionOf([]byte("battery staple")) {
		t.Error("two secrets have the same version")
	}
	other := sample()
	other.VersionKey = []byte(strings.Repeat("k", VersionKeySize))
	if one == other.VersionOf([]byte("correct horse")) {
		t.Error("two tenants have the same version")
	}
	if new(State).VersionOf([]byte("x")) != "" {
		t.Error("a state that was never stored has a version")
	}
}

func TestGuard(t *testing.T) {
	for _, row := range []struct {
		name, realm, configuration string
		want                       any
	}{
		{"the same", Live, "c1", nil},
		{"another realm", "world-7", "c1", &RealmError{Tenant: "contoso", State: Live, Run: "world-7"}},
		{"another configuration", Live, "c2", &LineageError{Tenant: "contoso", State: "c1", Run: "c2"}},
		{"a run without a configuration", Live, "", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			var want any
			if err := sample().Guard(row.realm, row.configuration); err != nil {
				want = err
			}
			if !reflect.DeepEqual(want, row.want) {
				t.Errorf("got %v, want %v", want, row.want)
			}
		})
	}
	if err := new(State).Guard("world-7", "c2"); err != nil {
		t.Errorf("a state never stored refuses: %v", err)
	}
}

func TestDoubtsAbout(t *testing.T) {
	s := sample()
	if got := s.DoubtsAbout("sync_policy.people", "bob@contoso.com"); len(got) != 1 || got[0].Op != "op-9" {
		t.Errorf("got %v", got)
	}
	if got := s.DoubtsAbout("sync_policy.people", ""); len(got) != 0 {
		t.Errorf("the policy itself is not in doubt: %v", got)
	}
}
