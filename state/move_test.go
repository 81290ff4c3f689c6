package state

import (
	"slices"
	"strings"
	"testing"
)

func TestRenames(t *testing.T) {
	const m = `module.customer["contoso"].`
	for _, row := range []struct {
		name, from, to string
		want           []string // addresses that are there then
		gone           []string
		policy         string
		renames        int
		tenant         string
	}{
		{name: "an object", from: m + "domain.mail", to: m + "domain.main", want: []string{m + "domain.main"}, gone: []string{m + "domain.mail"}, renames: 1},
		{name: "one instance", from: m + `domain.known["a.example"]`, to: m + "domain.a", want: []string{m + "domain.a", m + `domain.known["b.example"]`}, gone: []string{m + `domain.known["a.example"]`}, renames: 1},
		{name: "all instances", from: m + "domain.known", to: m + "domain.other", want: []string{m + `domain.other["a.example"]`, m + `domain.other["b.example"]`}, gone: []string{m + `domain.known["a.example"]`}, renames: 2},
		{name: "a policy with its accounts", from: m + "sync_policy.people", to: m + "sync_policy.staff", want: []string{m + "sync_policy.staff"}, gone: []string{m + "sync_policy.people"}, policy: m + "sync_policy.staff", renames: 1},
		{name: "a module", from: `module.customer["contoso"]`, to: "module.contoso", want: []string{"module.contoso.tenant.this", "module.contoso.domain.mail", "value.x"}, gone: []string{m + "tenant.this"}, policy: "module.contoso.sync_policy.people", renames: 5, tenant: "module.contoso.tenant.this"},
		{name: "all instances of a module", from: "module.customer", to: "module.client", want: []string{`module.client["contoso"].domain.mail`}, gone: []string{m + "domain.mail"}, policy: `module.client["contoso"].sync_policy.people`, renames: 5, tenant: `module.client["contoso"].tenant.this`},
		{name: "out of a module", from: m + "domain.mail", to: "domain.mail", want: []string{"domain.mail"}, gone: []string{m + "domain.mail"}, renames: 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := estate()
			move := func(s *State, from, to string) (*State, int) {
				t.Helper()
				renames, err := s.Renames(from, to)
				if err != nil {
					t.Fatal(err)
				}
				next := s.Clone()
				if err := next.Apply(Entry{Note: &Note{Moved: renames}}); err != nil {
					t.Fatal(err)
				}
				return next, len(renames)
			}
			next, renames := move(s, row.from, row.to)
			if renames != row.renames {
				t.Errorf("%d renames, want %d", renames, row.renames)
			}
			for _, a := range row.want {
				if o := next.Objects[a]; o == nil || o.Address != a {
					t.Errorf("there is no %s: %v", a, next.Addresses())
				}
			}
			for address, o := range next.Objects {
				if slices.Contains(row.gone, address) {
					t.Errorf("%s is still there", address)
				}
				for _, d := range o.Dependencies {
					if next.Objects[d] == nil {
						t.Errorf("%s depends on %s, which is not there", address, d)
					}
				}
				if !slices.IsSorted(o.Dependencies) {
					t.Errorf("dependencies of %s are not sorted", address)
				}
			}
			policy := row.policy
			if policy == "" {
				policy = m + "sync_policy.people"
			}
			if got := next.Accounts.Get("alice@contoso.com").Policy; got != policy || next.Skips[0].Address != policy {
				t.Errorf("account of %s, skip of %s, want %s", got, next.Skips[0].Address, policy)
			}
			tenant := row.tenant
			if tenant == "" {
				tenant = s.Tenant.Address
			}
			if next.Tenant.Address != tenant {
				t.Errorf("tenant block is %s, want %s", next.Tenant.Address, tenant)
			}
			if d := Diff(estate(), s); !d.Empty() {
				t.Errorf("the receiver was changed: %+v", d)
			}
			back, _ := move(next, row.to, row.from)
			if d := Diff(estate(), back); !d.Empty() {
				t.Errorf("moved there and back it is another: %+v", d)
			}
		})
	}
}

func TestRenamesRefuses(t *testing.T) {
	const m = `module.customer["contoso"].`
	for _, row := range []struct{ name, from, to, want string }{
		{"nothing there", m + "domain.nail", m + "domain.main", "no " + m + "domain.nail"},
		{"the same", m + "domain.mail", m + "domain.mail", "present address"},
		{"taken", m + "domain.mail", m + `domain.known["a.example"]`, "already"},
		{"another type", m + "domain.mail", m + "account.mail", "cannot become a"},
		{"an object to a module", m + "domain.mail", "module.other", "a module becomes a module"},
		{"an account", m + `sync_policy.people.account["alice@contoso.com"]`, m + `sync_policy.staff.account["alice@contoso.com"]`, "goes with its policy"},
		{"no address", m + "domain.mail", "domain", "expected TYPE.NAME"},
		{"all into one", m + "domain.known", m + "domain.one[0]", "unexpected"},
		{"in doubt", "value.x", "value.y", "never seen to end"},
		{"an account in doubt", m + "sync_policy.people", m + "sync_policy.staff", "never seen to end"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := estate()
			if strings.Contains(row.name, "in doubt") {
				s.InDoubt = map[string]Intent{
					"op-1": {Op: "op-1", Address: "value.x", Action: "update"},
					"op-2": {Op: "op-2", Address: m + "sync_policy.people", Mail: "new@contoso.com", Action: "create"},
				}
			}
			if _, err := s.Renames(row.from, row.to); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q in it", err, row.want)
			}
		})
	}
	// The twin: what is in doubt elsewhere stops nothing.
	s := estate()
	s.InDoubt = map[string]Intent{"op-1": {Op: "op-1", Address: "value.x"}}
	if renames, err := s.Renames(m+"domain.mail", m+"domain.main"); err != nil || len(renames) != 1 {
		t.Errorf("moved beside something in doubt: %v", err)
	}
}
