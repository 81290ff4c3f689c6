package planner

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

func exemptionValue(ownership string, protects ...string) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{"ownership": cty.StringVal(ownership), "protects": resource.StringSet(protects)})
}

func TestRemovals(t *testing.T) {
	ann := func(active bool, aliases ...string) cty.Value {
		return accountValue("ann@x.example", "end_user", active, aliases...)
	}
	for _, row := range []struct {
		name   string
		change Change
		counts string
		loses  string
	}{
		{"an account that goes counts once", Change{Type: "account", Action: Delete, Before: ann(true, "a@x.example"), After: cty.NilVal}, "[ann@x.example]", "[a@x.example ann@x.example]"},
		{"one that is inactive still does", Change{Type: "account", Action: Delete, Before: ann(false), After: cty.NilVal}, "[ann@x.example]", "[]"},
		{"one that is disabled", Change{Type: "account", Action: Update, Before: ann(true, "a@x.example"), After: ann(false, "a@x.example")}, "[ann@x.example]", "[a@x.example ann@x.example]"},
		{"aliases count by themselves", Change{Type: "account", Action: Update, Before: ann(true, "a@x.example", "b@x.example"), After: ann(true)}, "[a@x.example b@x.example]", "[a@x.example b@x.example]"},
		{"aliases of an inactive account do not", Change{Type: "account", Action: Update, Before: ann(false, "a@x.example"), After: ann(false)}, "[]", "[]"},
		{"a rename that keeps", Change{Type: "account", Action: Update, Before: ann(true), After: accountValue("anna@x.example", "end_user", true, "ann@x.example")}, "[]", "[]"},
		{"a rename that does not", Change{Type: "account", Action: Update, Before: ann(true), After: accountValue("anna@x.example", "end_user", true)}, "[ann@x.example]", "[ann@x.example]"},
		{"a new account", Change{Type: "account", Action: Create, Before: cty.NilVal, After: ann(true)}, "[]", "[]"},
		{"a release", Change{Type: "account", Action: Release, Before: ann(true), After: cty.NilVal}, "[]", "[]"},
		{"what an exclusive block takes off", Change{Type: "exemption", Action: Adopt, Before: exemptionValue("", "a@x.example", "b@x.example"), After: exemptionValue("exclusive", "a@x.example")}, "[b@x.example]", "[]"},
		{"but not what it put there", Change{Type: "exemption", Action: Update, Before: exemptionValue("exclusive", "a@x.example", "b@x.example"), After: exemptionValue("exclusive", "a@x.example"), ours: []string{"b@x.example"}}, "[]", "[]"},
		{"an additive block takes off its own alone", Change{Type: "exemption", Action: Update, Before: exemptionValue("additive", "a@x.example", "b@x.example"), After: exemptionValue("additive", "a@x.example")}, "[]", "[]"},
		{"another type", Change{Type: "domain", Action: Delete, Before: domainValue("x.example", "relay", true), After: cty.NilVal}, "[]", "[]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := removalOf(&row.change)
			if r == nil {
				r = &removal{}
			}
			if fmt.Sprint(r.counts) != row.counts || fmt.Sprint(r.loses) != row.loses {
				t.Errorf("counts %v, loses %v", r.counts, r.loses)
			}
		})
	}
}

// TestDeclaredRemovalsAreLimited: a list of account blocks that lost its rows is held like a directory that lost people.
func TestDeclaredRemovalsAreLimited(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	root := func(removals int64, protected ...string) cty.Value {
		list := cty.NullVal(cty.Set(cty.String))
		if len(protected) > 0 {
			list = resource.StringSet(protected)
		}
		return cty.ObjectVal(map[string]cty.Value{"max_removals": cty.NumberIntVal(removals), "max_removal_percent": cty.NumberIntVal(100), "protected": list, "min_admins": cty.NumberIntVal(1)})
	}
	account := func(name string) *state.Object {
		return &state.Object{Address: "account." + name, Type: "account", Values: accountValue(name+"@x.example", "end_user", true)}
	}
	goes := func(name, typ string) *Change {
		return &Change{Address: "account." + name, Type: "account", Action: Delete, Before: accountValue(name+"@x.example", typ, true), After: cty.NilVal}
	}
	for _, row := range []struct {
		name     string
		root     cty.Value
		changes  []*Change
		removals []state.Removal
		doubt    []string // counted by an operation in doubt
		accept   int
		harm     func(*Request)
		held     string
		guards   string
	}{
		{"within the limit", root(2), []*Change{goes("ann", "end_user"), goes("bob", "end_user")}, nil, nil, -1, nil, "[]", "[]"},
		{"above the limit all are held", root(1), []*Change{goes("ann", "end_user"), goes("bob", "end_user")}, nil, nil, -1, nil, "[account.ann account.bob]", "[removals]"},
		{"and nothing else", root(1), []*Change{goes("ann", "end_user"), goes("bob", "end_user"), {Address: "account.new", Type: "account", Action: Create, Before: cty.NilVal, After: accountValue("n@x.example", "end_user", true)}}, nil, nil, -1, nil, "[account.ann account.bob]", "[removals]"},
		{"the exact figure passes", root(1), []*Change{goes("ann", "end_user"), goes("bob", "end_user")}, nil, nil, 2, nil, "[]", "[]"},
		{"another does not", root(1), []*Change{goes("ann", "end_user"), goes("bob", "end_user")}, nil, nil, 3, nil, "[account.ann account.bob]", "[removals]"},
		{"the window counts", root(1), []*Change{goes("ann", "end_user")}, []state.Removal{{Mail: "former@x.example", Time: now.Add(-time.Hour)}}, nil, -1, nil, "[account.ann]", "[removals]"},
		{"the window has moved on", root(1), []*Change{goes("ann", "end_user")}, []state.Removal{{Mail: "former@x.example", Time: now.Add(-25 * time.Hour)}}, nil, -1, nil, "[]", "[]"},
		{"an address counts once", root(1), []*Change{goes("ann", "end_user")}, []state.Removal{{Mail: "ann@x.example", Time: now.Add(-time.Hour)}}, nil, -1, nil, "[]", "[]"},
		{"what may have happened counts", root(1), []*Change{goes("ann", "end_user")}, nil, []string{"former@x.example"}, -1, nil, "[account.ann]", "[removals]"},
		{"a protected address", root(5, "Bob@x.example"), []*Change{goes("ann", "end_user"), goes("bob", "end_user")}, nil, nil, -1, nil, "[account.bob]", "[protected]"},
		{"the last administrator", root(5), []*Change{goes("adm", "organization_admin")}, nil, nil, -1, nil, "[account.adm]", "[admins]"},
		{"one of two administrators", root(5), []*Change{goes("adm", "organization_admin")}, nil, nil, -1, func(r *Request) {
			other := mailAccount(true, "boss@x.example")
			other.Type = "organization_admin"
			r.Observed.Accounts.Accounts = append(r.Observed.Accounts.Accounts, other)
		}, "[]", "[]"},
		{"an administrator, when nobody knows who is left", root(5), []*Change{goes("adm", "organization_admin")}, nil, nil, -1, func(r *Request) { r.Observed.Accounts.Proof.Complete = false }, "[account.adm]", "[admins]"},
		{"everything is taken down by name", root(0), []*Change{goes("ann", "end_user")}, nil, nil, -1, func(r *Request) { r.Destroy = true }, "[]", "[]"},
		{"no block at all: five", cty.NilVal, []*Change{goes("a", "end_user"), goes("b", "end_user")}, nil, nil, -1, nil, "[account.a account.b]", "[removals]"}, // 10 % of 3
	} {
		t.Run(row.name, func(t *testing.T) {
			req := forecastWorld()
			req.Frame, req.Now, req.AcceptRemovals = &config.Frame{Safeguard: row.root}, now, row.accept
			req.Prior = &state.State{Objects: map[string]*state.Object{"account.ann": account("ann"), "account.bob": account("bob"), "account.cat": account("cat")}, Removals: row.removals}
			if row.doubt != nil {
				req.Prior.InDoubt = map[string]state.Intent{"op": {Op: "op", Address: "account.former", Action: "delete", Counts: row.doubt, Time: now.Add(-time.Minute)}}
			}
			if row.harm != nil {
				row.harm(req)
			}
			p := &Part{Changes: row.changes}
			p.holdRemovals(req, p.removals(req))
			held, guards := []string{}, []string{}
			for _, c := range p.Changes {
				if c.Held != "" {
					held = append(held, c.Address)
				}
			}
			for _, g := range p.Guards {
				guards = append(guards, g.Name)
				if g.Name == "removals" && !strings.Contains(g.Cure, "--accept-removals x=") {
					t.Errorf("cure %q", g.Cure)
				}
			}
			if fmt.Sprint(held) != row.held || fmt.Sprint(guards) != row.guards {
				t.Errorf("held %v by %v, want %s by %s", held, guards, row.held, row.guards)
			}
		})
	}
}

// With a policy the limit is one for both kinds of accounts, and what holds the derived ones holds the declared ones.
func TestLimitHoldsDeclaredAndDerivedTogether(t *testing.T) {
	gone := &Change{Address: "account.ann", Type: "account", Action: Delete, Before: accountValue("ann@x.example", "end_user", true), After: cty.NilVal}
	for _, held := range []bool{true, false} {
		c := *gone
		req := forecastWorld()
		req.Frame, req.Registry = &config.Frame{}, tenantTypes()
		p := &Part{Changes: []*Change{&c}, safeguard: &dirsync.Safeguard{MaxRemovals: 1}, AccountPolicy: "sync_policy.p", Accounts: &dirsync.Result{}}
		if held {
			p.Accounts.Held = []dirsync.Hold{{Limit: "removals", Count: 2, Addresses: []string{"l@x.example"}, Text: "too many", Paste: "x"}}
		}
		removals := p.removals(req)
		if got := counted(removals); !slices.Equal(got, []string{"ann@x.example"}) {
			t.Errorf("counted %v", got)
		}
		p.holdRemovals(req, removals)
		p.guard(req)
		if (c.Held != "") != held {
			t.Errorf("held %q", c.Held)
		}
		if held && (len(p.Guards) != 1 || !slices.Equal(p.Guards[0].Addresses, []string{"l@x.example", "account.ann"})) {
			t.Errorf("guards %+v", p.Guards)
		}
	}
}

func TestExclusiveExemptionStandsAlone(t *testing.T) {
	block := func(name, ownership string, action Action) *Change {
		return &Change{Address: "exemption." + name, Type: "exemption", Action: action, Before: cty.NilVal, After: exemptionValue(ownership)}
	}
	for _, row := range []struct {
		name    string
		changes []*Change
		guards  int
	}{
		{"alone", []*Change{block("a", "exclusive", Create)}, 0},
		{"beside one that stays", []*Change{block("a", "exclusive", Update), block("b", "additive", NoOp)}, 1},
		{"beside one that goes", []*Change{block("a", "exclusive", Update), {Address: "exemption.b", Type: "exemption", Action: Delete, After: cty.NilVal}}, 0},
		{"two of them", []*Change{block("a", "exclusive", Create), block("b", "exclusive", Create)}, 2},
		{"additive ones", []*Change{block("a", "additive", Create), block("b", "additive", Create)}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := &Part{Changes: row.changes}
			if p.guardExclusive(); len(p.Guards) != row.guards {
				t.Errorf("guards %+v", p.Guards)
			}
		})
	}
}

// TestSafeguardHoldsWithoutDecisions: what the policy's safeguard says of declared accounts holds too when nothing can be
// decided about the derived ones, and when it cannot be read everything is held.
func TestSafeguardHoldsWithoutDecisions(t *testing.T) {
	safeguard := func(removals int64, window string, protected ...string) cty.Value {
		return cty.ObjectVal(map[string]cty.Value{
			"max_removals": cty.NumberIntVal(removals), "max_removal_percent": cty.NumberIntVal(100), "min_admins": cty.NumberIntVal(0),
			"window": cty.StringVal(window), "protected": resource.StringSet(protected),
		})
	}
	for _, row := range []struct {
		name         string
		action       Action
		policy, root cty.Value
		held         bool
	}{
		{"nothing speaks against it", Unknown, safeguard(5, "24h", "other@x.example"), cty.NilVal, false},
		{"the policy protects it, and could not be read at the vendor", Unknown, safeguard(5, "24h", "ann@x.example"), cty.NilVal, true},
		{"the policy allows none", Unknown, safeguard(0, "24h", "other@x.example"), cty.NilVal, true},
		{"the policy cannot be decoded", NoOp, safeguard(5, "soon", "other@x.example"), cty.NilVal, true},
		{"the root's safeguard cannot be", Delete, safeguard(5, "24h", "other@x.example"), safeguard(5, "soon", "other@x.example"), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			req := forecastWorld()
			req.Frame, req.Registry, req.Prior, req.AcceptRemovals = &config.Frame{Safeguard: row.root}, tenantTypes(), &state.State{}, -1
			req.Now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
			gone := &Change{Address: "account.ann", Type: "account", Action: Delete, Before: accountValue("ann@x.example", "end_user", true), After: cty.NilVal}
			policy := &Change{Address: "sync_policy.p", Type: "sync_policy", Action: row.action, Before: cty.NilVal, Wanted: policyValue("weir", row.policy), After: policyValue("weir", row.policy)}
			if row.action == Unknown {
				policy.After = cty.ObjectVal(map[string]cty.Value{"engine": cty.UnknownVal(cty.String), "safeguard": cty.UnknownVal(row.policy.Type())})
			}
			p := &Part{Changes: []*Change{policy, gone}}
			removals := p.removals(req)
			p.accounts(req, NewObjects(req), removals)
			p.holdRemovals(req, removals)
			if (gone.Held != "") != row.held {
				t.Errorf("held %q, problems %q", gone.Held, p.Problems)
			}
		})
	}
}
