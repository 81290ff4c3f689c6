package state

import (
	"maps"
	"slices"
	"testing"
)

// TestRename: one note carries objects and everything that names them, and saying it twice changes nothing more.
func TestRename(t *testing.T) {
	for _, row := range []struct {
		name  string
		moved []Rename
		// objects are all addresses afterwards, needs the dependencies of domain.mail under the address it has then.
		objects, needs []string
		policy, skip   string
		doubt, tenant  string
		bad            bool
	}{
		{name: "none", objects: []string{"domain.mail", "value.x"}, needs: []string{"tenant.this"}},
		{
			name: "an object", moved: []Rename{{"domain.mail", "domain.b"}},
			objects: []string{"domain.b", "value.x"}, needs: []string{"tenant.this"},
		},
		{
			name: "what others depend on", moved: []Rename{{"tenant.this", "tenant.a"}},
			objects: []string{"domain.mail", "value.x"}, needs: []string{"tenant.a"},
		},
		{
			name: "a policy with its accounts", moved: []Rename{{"sync_policy.people", "module.sync.sync_policy.p"}},
			objects: []string{"domain.mail", "value.x"}, needs: []string{"tenant.this"},
			policy: "module.sync.sync_policy.p", skip: "module.sync.sync_policy.p", doubt: "module.sync.sync_policy.p",
		},
		{
			name: "the tenant's block", moved: []Rename{{`module.customer["contoso"].tenant.this`, "tenant.contoso"}},
			objects: []string{"domain.mail", "value.x"}, needs: []string{"tenant.this"}, tenant: "tenant.contoso",
		},
		{
			name: "onto an object that is there", moved: []Rename{{"domain.mail", "value.x"}},
			objects: []string{"domain.mail", "value.x"}, needs: []string{"tenant.this"},
		},
		{
			name: "what is not there", moved: []Rename{{"domain.z", "domain.y"}},
			objects: []string{"domain.mail", "value.x"}, needs: []string{"tenant.this"},
		},
		{name: "a chain in one note", moved: []Rename{{"domain.mail", "domain.b"}, {"domain.b", "domain.c"}}, bad: true},
		{name: "two to one", moved: []Rename{{"domain.mail", "domain.b"}, {"value.x", "domain.b"}}, bad: true},
		{name: "one to two", moved: []Rename{{"domain.mail", "domain.b"}, {"domain.mail", "domain.c"}}, bad: true},
		{name: "without an address", moved: []Rename{{"domain.mail", ""}}, bad: true},
		{name: "to itself", moved: []Rename{{"domain.mail", "domain.mail"}}, bad: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := sample()
			before := s.Clone()
			or := func(got, otherwise string) string {
				if got == "" {
					return otherwise
				}
				return got
			}
			err := s.Apply(Entry{Note: &Note{Moved: row.moved}})
			if (err != nil) != row.bad {
				t.Fatalf("got %v", err)
			}
			if row.bad {
				equalStates(t, s, before)
				return
			}
			if got := slices.Sorted(maps.Keys(s.Objects)); !slices.Equal(got, row.objects) {
				t.Errorf("objects %v, want %v", got, row.objects)
			}
			for address, o := range s.Objects {
				if o.Address != address {
					t.Errorf("%s says it is %s", address, o.Address)
				}
				if o.Type == "domain" && !slices.Equal(o.Dependencies, row.needs) {
					t.Errorf("dependencies %v, want %v", o.Dependencies, row.needs)
				}
			}
			if got, want := s.Accounts.Get("alice@contoso.com").Policy, or(row.policy, "sync_policy.people"); got != want {
				t.Errorf("the account's policy is %s, want %s", got, want)
			}
			if got, want := s.Accounts.list()[0].Policy, or(row.policy, "sync_policy.people"); got != want {
				t.Errorf("the first account's policy is %s, want %s", got, want)
			}
			if got, want := s.Skips[0].Address, or(row.skip, "sync_policy.people"); got != want {
				t.Errorf("the skip is about %s, want %s", got, want)
			}
			if got, want := s.InDoubt["op-9"].Address, or(row.doubt, "sync_policy.people"); got != want {
				t.Errorf("the doubt is about %s, want %s", got, want)
			}
			if got, want := s.Tenant.Address, or(row.tenant, before.Tenant.Address); got != want {
				t.Errorf("the tenant is %s, want %s", got, want)
			}
			equalStates(t, before, sample()) // clones share nothing that was changed
			once := s.Clone()
			if err := s.Apply(Entry{Note: &Note{Moved: row.moved}}); err != nil {
				t.Fatal(err)
			}
			equalStates(t, s, once)
		})
	}
}
