package planner

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

func domainValue(name, purpose string, active bool) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(name), "purpose": cty.StringVal(purpose), "active": cty.BoolVal(active)})
}

func accountValue(email, typ string, active bool, aliases ...string) cty.Value {
	list := cty.SetValEmpty(cty.String)
	if len(aliases) > 0 {
		list = resource.StringSet(aliases)
	}
	return cty.ObjectVal(map[string]cty.Value{"email": cty.StringVal(email), "type": cty.StringVal(typ), "active": cty.BoolVal(active), "aliases": list})
}

func tenantValue(licences int, active bool) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{"licenses": cty.NumberIntVal(int64(licences)), "active": cty.BoolVal(active)})
}

// world is a tenant with x.example relayed, an administrator, a user and a functional account.
func forecastWorld() *Request {
	admin := mailAccount(true, "adm@x.example")
	admin.Type = directory.OrganizationAdmin
	desk := mailAccount(true, "desk@x.example")
	desk.Type = directory.FunctionalAccount
	return &Request{
		Tenant: resource.Identity{Key: "x"},
		Observed: &Observation{
			Objects: map[string]Reading{
				"tenant": {Live: []resource.Live{{Value: tenantValue(2, true)}}},
				"domain": {Live: []resource.Live{{Value: domainValue("x.example", "relay", true)}, {Value: domainValue("m.example", "management", false)}}},
			},
			Accounts: &directory.AccountReading{
				Proof: directory.Proof{Complete: true}, Counted: 2,
				Accounts: []*directory.Account{admin, mailAccount(true, "ann@x.example", "a@m.example", "a@x.example"), desk},
			},
			Directory: &directory.Reading{
				Proof:   directory.Proof{Complete: true},
				Entries: []*directory.Entry{mailEntry("1", directory.User, "ann@x.example", "a@x.example"), mailEntry("2", directory.SharedMailbox, "desk@x.example")},
			},
		},
	}
}

func stopped(f *Forecast) string {
	var out []string
	for _, s := range f.Stops {
		out = append(out, s.Address+": "+s.Why)
	}
	return fmt.Sprint(out)
}

func TestForecastOfDeclaredObjects(t *testing.T) {
	ann := accountValue("ann@x.example", "end_user", true, "a@m.example", "a@x.example")
	for _, row := range []struct {
		name   string
		change Change
		stops  string
		lost   int
		admins string
		after  int // seats; before are 2
	}{
		{"nothing", Change{Type: "domain", Action: NoOp}, "[]", 0, "[]", 2},
		{"a domain goes", Change{Type: "domain", Action: Delete, Before: domainValue("x.example", "relay", true)},
			"[a@x.example: its domain x.example is deleted adm@x.example: its domain x.example is deleted ann@x.example: its domain x.example is deleted desk@x.example: its domain x.example is deleted]", 0, "[]", 2},
		{"a domain goes, but is held", Change{Type: "domain", Action: Delete, Held: "MX", Before: domainValue("x.example", "relay", true)}, "[]", 0, "[]", 2},
		{"a domain is released", Change{Type: "domain", Action: Release, Before: domainValue("x.example", "relay", true), After: cty.NilVal}, "[]", 0, "[]", 2},
		{"a domain is not relayed any more", Change{Type: "domain", Action: Update, Before: domainValue("x.example", "relay", true), After: domainValue("x.example", "management", false)},
			"[a@x.example: its domain x.example is not relayed any more adm@x.example: its domain x.example is not relayed any more ann@x.example: its domain x.example is not relayed any more desk@x.example: its domain x.example is not relayed any more]", 0, "[]", 2},
		{"a domain is made inactive", Change{Type: "domain", Action: Update, Before: domainValue("x.example", "relay", true), After: domainValue("x.example", "relay", false)},
			"[a@x.example: its domain x.example is made inactive adm@x.example: its domain x.example is made inactive ann@x.example: its domain x.example is made inactive desk@x.example: its domain x.example is made inactive]", 0, "[]", 2},
		{"the organization is deactivated", Change{Type: "tenant", Action: Update, Before: tenantValue(2, true), After: tenantValue(2, false)},
			"[a@x.example: the organization is deactivated adm@x.example: the organization is deactivated ann@x.example: the organization is deactivated desk@x.example: the organization is deactivated]", 0, "[]", 2},
		{"an account block goes", Change{Address: "account.ann", Type: "account", Action: Delete, Before: ann, After: cty.NilVal},
			"[a@x.example: account.ann is deleted ann@x.example: account.ann is deleted]", 0, "[]", 1},
		{"an account block is released", Change{Address: "account.ann", Type: "account", Action: Release, Before: ann, After: cty.NilVal}, "[]", 0, "[]", 2},
		{"an account block disables", Change{Address: "account.ann", Type: "account", Action: Update, Before: ann, After: accountValue("ann@x.example", "end_user", false, "a@m.example", "a@x.example")},
			"[a@x.example: account.ann is disabled ann@x.example: account.ann is disabled]", 0, "[]", 1},
		{"an account block loses an alias; the domain of the other is not relayed", Change{Address: "account.ann", Type: "account", Action: Update, Before: ann, After: accountValue("ann@x.example", "end_user", true)},
			"[a@x.example: account.ann does not have it any more]", 1, "[]", 2},
		{"an account block renames and keeps", Change{Address: "account.ann", Type: "account", Action: Update, Before: ann, After: accountValue("anna@x.example", "end_user", true, "a@x.example", "ann@x.example")}, "[]", 0, "[]", 2},
		{"an account block is new", Change{Address: "account.new", Type: "account", Action: Create, Before: cty.NilVal, After: accountValue("new@x.example", "end_user", true)}, "[]", 0, "[]", 3},
		{"a functional account is new", Change{Address: "account.new", Type: "account", Action: Create, Before: cty.NilVal, After: accountValue("new@x.example", "functional_account", true)}, "[]", 0, "[]", 2},
		{"an administrator goes", Change{Address: "account.adm", Type: "account", Action: Delete, Before: accountValue("adm@x.example", "organization_admin", true), After: cty.NilVal},
			"[adm@x.example: account.adm is deleted]", 0, "[{adm@x.example is deleted}]", 1},
		{"an administrator is disabled", Change{Address: "account.adm", Type: "account", Action: Update, Before: accountValue("adm@x.example", "organization_admin", true), After: accountValue("adm@x.example", "organization_admin", false)},
			"[adm@x.example: account.adm is disabled]", 0, "[{adm@x.example is disabled}]", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.change.Before == (cty.Value{}) {
				row.change.Before = cty.NilVal
			}
			p := &Part{Changes: []*Change{&row.change}}
			p.forecast(forecastWorld())
			f := p.Forecast
			if got := stopped(f); got != row.stops {
				t.Errorf("stops %s\nwant  %s", got, row.stops)
			}
			if len(f.AliasesLost) != row.lost || fmt.Sprint(f.Admins) != row.admins {
				t.Errorf("aliases lost %v, admins %v", f.AliasesLost, f.Admins)
			}
			if l := f.Licences; l.Unknown != "" || l.Before != 2 || l.After != row.after || l.Bought != 2 || l.Counted != 2 || l.Over() != max(0, row.after-2) || l.Refused() != l.Over() {
				t.Errorf("licences %+v", l)
			}
		})
	}
}

func TestForecastOfAccountDecisions(t *testing.T) {
	req := forecastWorld()
	accounts := req.Observed.Accounts.Accounts
	ann, adm := accounts[1], accounts[0]
	less := *ann
	less.Aliases = []string{"a@m.example"}
	off := *adm
	off.Active = false
	result := &dirsync.Result{
		Decisions: []dirsync.Decision{
			{Action: dirsync.Disable, Address: adm.Address, Before: adm, After: &off, Loses: []string{adm.Address}},
			{Action: dirsync.Update, Address: ann.Address, Before: ann, After: &less, Loses: []string{"a@x.example"}},
		},
		StopsReceiving: []dirsync.Stop{{Address: "a@x.example", Why: "w"}, {Address: "adm@x.example", Why: "v"}},
	}
	p := &Part{Accounts: result}
	p.forecast(req)
	f := p.Forecast
	if stopped(f) != "[a@x.example: w adm@x.example: v]" || fmt.Sprint(f.AliasesLost) != "[{ann@x.example a@x.example}]" || fmt.Sprint(f.Admins) != "[{adm@x.example is disabled}]" || f.Licences.After != 1 {
		t.Errorf("got %+v", f)
	}
	// What is held does not happen.
	for i := range result.Decisions {
		result.Decisions[i].Held = "limit"
	}
	result.StopsReceiving = nil
	p.forecast(req)
	if f := p.Forecast; len(f.Stops)+len(f.AliasesLost)+len(f.Admins) != 0 || f.Licences.After != 2 {
		t.Errorf("what is held counts: %+v", f)
	}
}

func TestForecastTellsUnknownFromNothing(t *testing.T) {
	failed := errors.New("HTTP 500")
	for _, row := range []struct {
		name            string
		harm            func(*Observation)
		seats, coverage string
	}{
		{"all read", func(*Observation) {}, "", ""},
		{"accounts failed", func(o *Observation) { o.Accounts, o.AccountsErr = nil, failed }, "the accounts could not be read", "the accounts could not be read"},
		{"accounts in part", func(o *Observation) { o.Accounts.Proof.Complete = false }, "the accounts were not read completely", "the accounts were not read completely"},
		{"directory failed", func(o *Observation) { o.Directory, o.DirectoryErr = nil, failed }, "", "the directory could not be read"},
		{"directory in part", func(o *Observation) { o.Directory.Proof.Complete = false }, "", "the directory was not read completely"},
		{"Exchange failed", func(o *Observation) { o.Directory.KindsErr = failed }, "", "Exchange could not be read, which alone knows the dynamic lists"},
		{"domains failed", func(o *Observation) { o.Objects["domain"] = Reading{Err: failed} }, "", "the domains of Essentials could not be read"},
		{"domains not asked for", func(o *Observation) { delete(o.Objects, "domain") }, "", "the domains of Essentials were not read, since no domain block asks for them"},
	} {
		t.Run(row.name, func(t *testing.T) {
			req := forecastWorld()
			row.harm(req.Observed)
			p := &Part{Accounts: &dirsync.Result{}}
			p.forecast(req)
			f := p.Forecast
			if f.Licences.Unknown != row.seats || f.Recipients == nil || f.Recipients.Unknown != row.coverage {
				t.Fatalf("licences %+v, recipients %+v", f.Licences, f.Recipients)
			}
			if row.coverage != "" && f.Recipients.Before != (Accepted{}) || row.coverage == "" && f.Recipients.Before != (Accepted{Accepted: 3}) {
				t.Errorf("recipients %+v", f.Recipients)
			}
		})
	}
}

func TestForecastOfANewOrganization(t *testing.T) {
	req := forecastWorld()
	req.Tenant.PrimaryDomain = "x.example"
	req.Observed.Objects = map[string]Reading{"tenant": {}, "domain": {}}
	req.Observed.Accounts = nil
	after := cty.ObjectVal(map[string]cty.Value{"licenses": cty.NumberIntVal(1), "active": cty.NullVal(cty.Bool),
		"admin": cty.ObjectVal(map[string]cty.Value{"email": cty.StringVal("it@x.example"), "first_name": cty.StringVal("I"), "last_name": cty.StringVal("T")})})
	p := &Part{
		Changes: []*Change{
			{Type: "tenant", Action: Create, Before: cty.NilVal, After: after},
			{Type: "domain", Action: Create, Before: cty.NilVal, After: domainValue("x.example", "relay", true)},
		},
		Accounts: &dirsync.Result{Decisions: []dirsync.Decision{
			{Action: dirsync.Add, Address: "ann@x.example", After: mailAccount(true, "ann@x.example", "a@x.example")},
		}},
	}
	p.forecast(req)
	f := p.Forecast
	if l := f.Licences; l.Before != 0 || l.After != 2 || l.Bought != 0 || l.Buying != 1 || l.Over() != 1 {
		t.Errorf("licences %+v", l)
	}
	want := []Refusal{{Code: RefusedNoAccount, Count: 1, New: 1, Addresses: []string{"desk@x.example"}}}
	if r := f.Recipients; r.Before != (Accepted{}) || r.After != (Accepted{2, 1}) || !slices.EqualFunc(r.Refused, want, func(a, b Refusal) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("recipients %+v", r)
	}
	if fmt.Sprint(f.Admins) != "[{it@x.example is made}]" {
		t.Errorf("admins %v", f.Admins)
	}
}
