package state

import (
	"maps"
	"reflect"
	"testing"
	"time"
)

func TestSucceed(t *testing.T) {
	former := sample()
	s := New("other", Live, TenantMeta{Address: "tenant.b", Key: "b", PrimaryDomain: "contoso.com"}, make([]byte, VersionKeySize))
	s.Serial = 7
	if !s.Blank() || former.Blank() {
		t.Error("blank is the state that remembers nothing")
	}
	next := s.Succeed(former)
	if next.Lineage != "other" || next.Serial != 7 || next.Tenant.Key != "b" || next.Tenant.OrganizationID != "42" {
		t.Errorf("%+v", next.Tenant)
	}
	if next.VersionOf([]byte("x")) != former.VersionOf([]byte("x")) {
		t.Error("what stands for secrets stands for others now")
	}
	if !next.Covers(former) || !former.Covers(next) || s.Covers(former) || !former.Covers(s) {
		t.Error("it does not remember what the former state does")
	}
	back := next.Succeed(former)
	back.Lineage, back.Serial, back.Tenant = former.Lineage, former.Serial, former.Tenant
	equalStates(t, back, former)
	// What people said under either key holds, once; so does what is used up.
	former.Allowances = map[string]time.Time{"b": noon}
	s.Skips = []Skip{{Address: "sync_policy.people", Mail: "nora@contoso.com", Until: noon}, former.Skips[0]}
	s.Skips[1].Until = s.Skips[1].Until.In(time.FixedZone("elsewhere", 3600))
	s.Allowances = map[string]time.Time{"a": noon}
	next = s.Succeed(former)
	if n := len(next.Skips); n != len(former.Skips)+1 || next.Skips[n-1].Mail != "nora@contoso.com" || len(next.Allowances) != 2 || len(s.Skips) != 2 {
		t.Errorf("%+v, %v", next.Skips, next.Allowances)
	}
	former = sample()
	empty := former.Emptied()
	if !empty.Blank() || empty.Lineage != former.Lineage || empty.Serial != former.Serial || empty.Tenant.Key != "contoso" || len(empty.VersionKey) == 0 {
		t.Errorf("%+v", empty)
	}
	equalStates(t, former, sample())
}

// TestBlank goes through all that a state remembers: what is forgotten with a change of key when it is all there is.
func TestBlank(t *testing.T) {
	for name, row := range map[string]struct {
		change      func(s *State)
		blank, bare bool
	}{
		"nothing":           {func(*State) {}, true, true},
		"an object":         {func(s *State) { s.Objects = map[string]*Object{"value.x": {Address: "value.x"}} }, false, false},
		"an account":        {func(s *State) { s.Accounts.Put(&Account{Address: "a@contoso.com"}) }, false, false},
		"an output":         {func(s *State) { s.Outputs = map[string]Output{"x": {}} }, false, false},
		"a doubt":           {func(s *State) { s.InDoubt = map[string]Intent{"op": {Op: "op"}} }, false, false},
		"a skip":            {func(s *State) { s.Skips = []Skip{{Mail: "a@contoso.com"}} }, false, true},
		"an allowance":      {func(s *State) { s.Allowances = map[string]time.Time{"x": noon} }, false, true},
		"a removal":         {func(s *State) { s.Removals = []Removal{{Mail: "a@contoso.com"}} }, true, true},
		"the root's limits": {func(s *State) { s.Applied = Applied{Known: true, Synced: noon} }, true, true},
		"a prediction":      {func(s *State) { s.Hosted = &Hosted{} }, true, true},
		"who the tenant is": {func(s *State) { s.Tenant = TenantMeta{Key: "c", OrganizationID: "42"} }, true, true},
		"where it is stored": {func(s *State) {
			s.Lineage, s.Serial, s.Realm, s.VersionKey = "l", 7, Live, make([]byte, VersionKeySize)
		}, true, true},
	} {
		s := &State{}
		row.change(s)
		if s.Blank() != row.blank || s.Bare() != row.bare {
			t.Errorf("%s: blank %t, bare %t", name, s.Blank(), s.Bare())
		}
	}
	known := 0
	for _, f := range reflect.VisibleFields(reflect.TypeFor[State]()) {
		if f.IsExported() {
			known++
		}
	}
	if known != 14 {
		t.Errorf("a state has %d fields: say here whether the new one is forgotten", known)
	}
}

func TestCovers(t *testing.T) {
	for name, row := range map[string]struct {
		change func(s *State)
		want   bool
	}{
		"the same":            {func(*State) {}, true},
		"more":                {func(s *State) { s.Objects["value.y"] = &Object{Address: "value.y", Type: "value"} }, true},
		"another address":     {func(s *State) { s.rename([]Rename{{"domain.mail", "domain.other"}}) }, true},
		"without an object":   {func(s *State) { delete(s.Objects, "domain.mail") }, false},
		"another id":          {func(s *State) { o := *s.Objects["domain.mail"]; o.ID = "x"; s.Objects["domain.mail"] = &o }, false},
		"without a local one": {func(s *State) { delete(s.Objects, "value.x") }, false},
		"an account renamed": {func(s *State) {
			a := *s.Accounts.Get("alice@contoso.com")
			s.Accounts.Delete(a.Address)
			a.Address = "b@contoso.com"
			s.Accounts.Put(&a)
		}, true},
		"without an account":    {func(s *State) { s.Accounts.Delete("alice@contoso.com") }, false},
		"without one of no uid": {func(s *State) { s.Accounts.Delete("björn@contoso.com") }, false},
	} {
		s := sample()
		s.Objects = maps.Clone(s.Objects)
		row.change(s)
		if got := s.Covers(sample()); got != row.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
