package planner

import (
	"context"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// tenantTypes are the types of an organization in their order, without any vendor.
func tenantTypes() *resource.Registry {
	write := func(context.Context, *resource.Conn, *resource.Change) (resource.Live, error) {
		return resource.Live{}, nil
	}
	typ := func(name, provider string, after ...string) *resource.Type {
		return &resource.Type{
			Name: name, Provider: provider, Purpose: "x", After: after,
			List: func(context.Context, *resource.Conn) ([]resource.Live, error) { return nil, nil },
			Read: func(context.Context, *resource.Conn, resource.ObjectID) (resource.Live, error) {
				return resource.Live{}, nil
			},
			Create: write, Update: write,
			Delete: func(context.Context, *resource.Conn, *resource.Change) error { return nil },
			Key:    func(cty.Value) string { return "" },
		}
	}
	return resource.NewRegistry([]*resource.Type{
		typ("tenant", "essentials"), typ("domain", "essentials", "tenant"), typ("sync_policy", "essentials", "tenant", "domain"),
		typ("m365_connector", "microsoft", "tenant", "domain", "sync_policy"),
	}, nil)
}

// takenDown is the part of a destroy: connector, accounts, policy, domain and organization.
func takenDown() (*Part, *Request) {
	registry := tenantTypes()
	part := &Part{AccountPolicy: "sync_policy.p"}
	for _, address := range []string{"tenant.t", "domain.d", "m365_connector.out", "sync_policy.p"} {
		typ, _, _ := strings.Cut(address, ".")
		c := &Change{Address: address, Type: typ, Action: Delete, Before: cty.NilVal}
		if typ == "domain" {
			c.Before = cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal("t.example")})
		}
		if typ == "sync_policy" {
			c.Action, c.Dependencies = Release, []string{"domain.d"}
		}
		part.Changes = append(part.Changes, c)
	}
	reverseOrder(registry, part.Changes)
	part.Accounts = &dirsync.Result{Decisions: []dirsync.Decision{{
		Action: dirsync.Delete, Address: "a@t.example", Destructive: true, Before: &directory.Account{Address: "a@t.example", Active: true},
	}}}
	elsewhere := false
	req := &Request{Registry: registry, Destroy: true, Observed: &Observation{
		Objects: map[string]Reading{"domain": {Live: []resource.Live{{ID: "t.example", Value: cty.ObjectVal(map[string]cty.Value{
			"name": cty.StringVal("t.example"), "purpose": cty.StringVal("relay"), "active": cty.True,
		})}}}},
		Mail: resource.MailFacts{"t.example": {MXAtGateway: &elsewhere}},
	}}
	return part, req
}

// going lists what would be applied, in order; accounts by their bare address, first.
func going(p *Part) string {
	var out []string
	if p.Accounts != nil {
		for _, d := range p.Accounts.Decisions {
			if d.Held == "" {
				out = append(out, d.Address)
			}
		}
	}
	for _, c := range p.Changes {
		if c.Applies() {
			out = append(out, c.Address)
		}
	}
	return strings.Join(out, " ")
}

func TestMailFlowsUntilTheEndOfADestroy(t *testing.T) {
	here := true
	for _, row := range []struct {
		name   string
		change func(*Part, *Request)
		want   string
	}{
		{"nothing in the way", func(*Part, *Request) {}, "a@t.example m365_connector.out sync_policy.p domain.d tenant.t"},
		{"MX at the gateway", func(_ *Part, r *Request) { r.Observed.Mail["t.example"] = resource.DomainFacts{MXAtGateway: &here} }, "m365_connector.out"},
		{"MX unknown", func(_ *Part, r *Request) { delete(r.Observed.Mail, "t.example") }, "m365_connector.out"},
		{"domains unreadable", func(_ *Part, r *Request) {
			r.Observed.Objects["domain"] = Reading{Err: resource.ErrUnavailable}
		}, "m365_connector.out"},
		{"the account receives nothing", func(p *Part, r *Request) {
			delete(r.Observed.Mail, "t.example")
			p.Accounts.Decisions[0].Before.Active = false
		}, "a@t.example m365_connector.out sync_policy.p domain.d tenant.t"},
		{"connector unreadable", func(p *Part, _ *Request) { p.Changes[0].Action = Unknown }, ""},
		{"connector held", func(p *Part, _ *Request) { p.Changes[0].Held = "x" }, ""},
		{"domain held", func(p *Part, _ *Request) { p.Changes[2].Held = "x" }, "a@t.example m365_connector.out sync_policy.p"},
	} {
		t.Run(row.name, func(t *testing.T) {
			part, req := takenDown()
			row.change(part, req)
			part.guardDestroy(req)
			if got := going(part); got != row.want {
				t.Errorf("goes: %q, want %q", got, row.want)
			}
		})
	}
}

func TestSelectionOfADestroyTakesNothingElseDown(t *testing.T) {
	for _, row := range []struct {
		targets, excludes []string
		want              string
	}{
		{want: "a@t.example m365_connector.out sync_policy.p domain.d tenant.t"},
		{targets: []string{"m365_connector.out"}, want: "m365_connector.out"},
		{targets: []string{"tenant.t"}, want: ""}, // what lives in it is not part of the selection
		{targets: []string{"delete", "domain.d"}, want: "a@t.example sync_policy.p domain.d"},
		{targets: []string{"domain.d"}, want: ""}, // an account in it stays
		{excludes: []string{"m365_connector.out"}, want: "a@t.example"},
		{excludes: []string{"domain.d"}, want: "a@t.example m365_connector.out sync_policy.p"},
		{excludes: []string{`sync_policy.p.account["a@t.example"]`}, want: "m365_connector.out"},
		{excludes: []string{"tenant.t"}, want: "a@t.example m365_connector.out sync_policy.p domain.d"},
	} {
		t.Run(strings.Join(row.targets, ",")+"/"+strings.Join(row.excludes, ","), func(t *testing.T) {
			part, req := takenDown()
			req.Targets, req.Excludes = row.targets, row.excludes
			selectItems(part, req)
			if got := going(part); got != row.want {
				t.Errorf("goes: %q, want %q", got, row.want)
			}
		})
	}
}

func TestReplacementWaitsForWhatItNeeds(t *testing.T) {
	for _, action := range []Action{Unknown, Update} {
		needed := &Change{Address: "domain.d", Type: "domain", Action: action}
		p := &Part{Changes: []*Change{needed, {
			Address: "m365_connector.out", Type: "m365_connector", Action: DeleteCreate, Dependencies: []string{"domain.d"}, Wanted: cty.EmptyObjectVal,
		}}}
		p.withhold()
		if waits := p.Changes[1].Skipped != ""; waits != (action == Unknown) {
			t.Errorf("%s: the replacement waits: %v", action.Word(), waits)
		}
	}
}

// TestTakedownLeavesWhatTookTheAccountsPlace: an account with the address of one that Weir made, and another id, was made by
// somebody else. It stays, and so does an organization that has it.
func TestTakedownLeavesWhatTookTheAccountsPlace(t *testing.T) {
	for _, row := range []struct {
		name          string
		recorded, uid int
		deleted       int
	}{
		{"the one that Weir made", 5, 5, 1},
		{"its id was never seen", 0, 5, 1},
		{"another in its place", 5, 9, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			live := mailAccount(true, "ann@x.example")
			live.UID = row.uid
			req := &Request{Destroy: true, Tenant: resource.Identity{Key: "x", PrimaryDomain: "x.example"}, Prior: &state.State{}, Observed: &Observation{
				Objects:  map[string]Reading{"domain": {}},
				Accounts: &directory.AccountReading{Proof: directory.Proof{Complete: true}, Accounts: []*directory.Account{live}},
			}}
			req.Prior.Accounts.Put(&state.Account{Address: "ann@x.example", UID: row.recorded, Policy: "sync_policy.p", Ownership: state.Created})
			p := &Part{}
			p.takeDownAccounts(req)
			if got := len(p.Accounts.Decisions); got != row.deleted {
				t.Errorf("%d accounts are deleted", got)
			}
			if ok, why := accounted(req); ok != (row.deleted > 0) {
				t.Errorf("all of the organization is Weir's: %v %s", ok, why)
			}
		})
	}
}
