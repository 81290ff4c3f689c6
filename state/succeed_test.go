package state

import (
	"maps"
	"testing"
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
	empty := former.Emptied()
	if !empty.Blank() || empty.Lineage != former.Lineage || empty.Serial != former.Serial || empty.Tenant.Key != "contoso" || len(empty.VersionKey) == 0 {
		t.Errorf("%+v", empty)
	}
	equalStates(t, former, sample())
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
