package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

func init() {
	commands["functional"] = cmdFunctional
	commands["active"] = cmdActive
}

// cmdFunctional tells whether the account at an address is an active functional account.
func cmdFunctional(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, args, 1, "functional ADDRESS")
	u := accountOf(ts, args[0])
	if is := u.IsActive && u.Type == "functional_account"; is == neg {
		ts.Fatalf("%s is %s, active %t", args[0], u.Type, u.IsActive)
	}
}

// cmdActive tells whether the account at an address is active.
func cmdActive(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, args, 1, "active ADDRESS")
	if u := accountOf(ts, args[0]); u.IsActive == neg {
		ts.Fatalf("%s: active %t", args[0], u.IsActive)
	}
}

func accountOf(ts *testscript.TestScript, address string) world.User {
	w := serverOf(ts).World()
	w.RLock()
	defer w.RUnlock()
	_, name, _ := strings.Cut(address, "@")
	if o := w.Organization(name); o != nil && o.User(address) != nil {
		return *o.User(address)
	}
	ts.Fatalf("no account %s", address)
	return world.User{}
}

// hostedSite is the quick start's customer, whose accounts Weir itself has made: three of them are functional.
func hostedSite(t *testing.T) *site {
	s := &site{t: t, dir: t.TempDir(), env: map[string]string{"NO_COLOR": "1", "WEIR_HOME": t.TempDir()}}
	s.serve(world.Quickstart())
	s.write("main.weir.hcl", hostedTenant)
	s.write("policy.weir.hcl", hostedApplication+strings.Replace(hostedPolicy, "ENGINE", `engine = "weir"`, 1))
	s.weir(0, "apply", "--auto-approve")
	s.empty()
	s.changes()
	s.write("policy.weir.hcl", hostedApplication+strings.Replace(hostedPolicy, "ENGINE", "engine = \"essentials\"\n  frequency = \"1h\"", 1))
	return s
}

func (s *site) contoso() *world.Organization {
	w := s.server.World()
	w.RLock()
	defer w.RUnlock()
	return w.Organization("contoso.example")
}

// TestScheduleBeginsLast: going from Weir to the hosted sync, every functional account is on the vendor's list of exemptions
// before the schedule begins, and the schedule is the last thing that is written.
func TestScheduleBeginsLast(t *testing.T) {
	s := hostedSite(t)
	s.weir(0, "apply", "--auto-approve")
	made := s.changes()
	isSettings := func(line string) bool { return strings.Contains(line, "/settings/azure ") }
	if len(made) < 3 || !isSettings(made[len(made)-1]) {
		t.Fatalf("the settings are not what is written last:\n%s", strings.Join(made, "\n"))
	}
	exempted := 0
	for _, line := range made[:len(made)-1] {
		if strings.Contains(line, "/settings/azure/exemptions") {
			exempted++
		}
	}
	o := s.contoso()
	if o.Azure.Frequency != 1 || exempted == 0 || !slices.Equal(o.Exemptions, []string{"info@contoso.example", "leo@contoso.example"}) {
		t.Errorf("frequency %d, %d calls about exemptions, exempt %v", o.Azure.Frequency, exempted, o.Exemptions)
	}
	s.empty()
	for range 3 {
		s.advance(t)
	}
	for _, address := range []string{"info@contoso.example", "leo@contoso.example"} {
		if u := s.contoso().User(address); u == nil || u.Type != "functional_account" {
			t.Errorf("%s is %+v after three hosted runs", address, u)
		}
	}
	s.empty()
}

// TestScheduleDoesNotBegin: an exemption that the vendor does not take keeps the schedule from beginning; the next apply
// finishes what this one left.
func TestScheduleDoesNotBegin(t *testing.T) {
	s := hostedSite(t)
	if err := s.server.Fault(faultOnExemptions); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := s.run("apply", "--auto-approve")
	if code != 6 || !strings.Contains(unwrapped(stdout+stderr), "the schedule was not started") {
		t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
	if f := s.contoso().Azure.Frequency; f != 0 {
		t.Fatalf("the schedule runs every %d hours", f)
	}
	s.server.ClearFaults()
	s.weir(2, "plan", "--detailed-exitcode")
	s.weir(0, "apply", "--auto-approve")
	if f := s.contoso().Azure.Frequency; f != 1 {
		t.Errorf("the schedule runs every %d hours", f)
	}
	s.empty()
}

// TestPredictionIsCompared: when the hosted run did what was predicted, plans afterwards say nothing about it; when it did
// not, or did what nobody predicted, plan and drift say so.
func TestPredictionIsCompared(t *testing.T) {
	rows := []struct {
		name string
		// between happens after the apply that predicts and before the run.
		between []any
		want    string // in plan and drift; "" is nothing
		code    int    // of the plan
	}{
		{"as predicted", nil, "", 2}, // the new accounts are recognised
		{"somebody switched Add Users off", []any{`{"organization": "contoso.example", "azure": {"add_users": false}}`},
			"did not do what was predicted: adding nina@contoso.example", 2},
		{"somebody took an exemption away", []any{`{"switches": {"sync_flips_without_remove": true}}`,
			`{"organization": "contoso.example", "exemptions": {"remove": ["info@contoso.example"]}}`},
			"info@contoso.example is a user instead of a functional account (R40), which was not predicted", 2},
		{"she left before the run", []any{`{"tenant": "contoso.example", "person": "nina@contoso.example", "remove": true}`}, "", 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := hostedSite(t)
			s.portal(`{"tenant": "contoso.example", "person": "nina@contoso.example", "add": {}}`)
			s.weir(0, "apply", "--auto-approve")
			if out := s.weir(0, "plan"); strings.Contains(out, "predicted") {
				t.Errorf("a finding before any run:\n%s", out)
			}
			s.portal(row.between...)
			s.advance(t)
			for _, command := range [][]string{{"plan", "--detailed-exitcode"}, {"drift"}} {
				code, out, _ := s.run(command...)
				said := strings.Contains(unwrapped(out), "predicted")
				if row.want == "" && said || row.want != "" && !strings.Contains(unwrapped(out), row.want) {
					t.Errorf("weir %s (exit code %d):\n%s", command[0], code, out)
				}
				if command[0] == "plan" && code != row.code {
					t.Errorf("weir plan: exit code %d, want %d\n%s", code, row.code, out)
				}
			}
		})
	}
}

// TestHostedSyncRestsFirst: going back to Weir, no account is written while a last hosted run may be under way, or when one
// ran after the accounts were read; when it rests, they are.
func TestHostedSyncRestsFirst(t *testing.T) {
	back := func(s *site) {
		s.write("policy.weir.hcl", hostedApplication+strings.Replace(hostedPolicy, "ENGINE", `engine = "weir"`, 1))
		s.rewrite("main.weir.hcl", "  admin {", "  attest {\n    engine_change = true\n    by = \"noc@msp.example\"\n    on = \"2026-11-20\"\n  }\n  admin {")
		s.portal(`{"tenant": "contoso.example", "person": "nina@contoso.example", "add": {}}`)
	}
	begin := func(t *testing.T) *site {
		s := hostedSite(t)
		s.weir(0, "apply", "--auto-approve")
		s.advance(t)
		s.empty()
		return s
	}
	t.Run("at rest", func(t *testing.T) {
		s := begin(t)
		if err := s.server.Advance(30 * time.Minute); err != nil {
			t.Fatal(err)
		}
		back(s)
		s.weir(0, "apply", "--auto-approve")
		if o := s.contoso(); o.Azure.Frequency != 0 || o.User("nina@contoso.example") == nil {
			t.Errorf("frequency %d, Nina %v", o.Azure.Frequency, o.User("nina@contoso.example"))
		}
		s.empty()
	})
	t.Run("under way", func(t *testing.T) {
		s := begin(t)
		// The run that is due now has not shown its end yet: its time is kept back.
		s.portal(`{"switches": {"last_sync_manual_only": true}}`)
		s.advance(t)
		back(s)
		code, stdout, stderr := s.run("apply", "--auto-approve")
		if code != 6 || !strings.Contains(unwrapped(stdout+stderr), "may be under way since") {
			t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
		}
		if o := s.contoso(); o.Azure.Frequency != 0 || o.User("nina@contoso.example") != nil {
			t.Errorf("frequency %d, Nina %v", o.Azure.Frequency, o.User("nina@contoso.example"))
		}
		s.weir(0, "apply", "--auto-approve")
		if s.contoso().User("nina@contoso.example") == nil {
			t.Error("the next apply does not make the account")
		}
		s.empty()
	})
}

func (s *site) advance(t *testing.T) {
	t.Helper()
	if err := s.server.Advance(time.Hour); err != nil {
		t.Fatal(err)
	}
}

// faultOnExemptions refuses every address for the list of exemptions.
var faultOnExemptions = sim.Rule{Vendor: sim.Essentials, Method: "PUT", Path: "*/settings/azure/exemptions", Action: sim.Action{Status: 403}}

var hostedTenant = `provider "essentials" "us1" {
  stack    = "us1"
  user     = env("ESSENTIALS_USER")
  password = secret("env://ESSENTIALS_PASSWORD")
}

provider "microsoft" "msp" {
  client_id     = env("AZURE_CLIENT_ID")
  client_secret = secret("env://AZURE_CLIENT_SECRET")
}

tenant "contoso" {
  name            = "Contoso Ltd"
  primary_domain  = "contoso.example"
  parent          = "msp.example"
  entra_tenant_id = "3f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10"
  package         = "advanced_plus"
  licenses        = 30
  purchases       = "onboarding"
  admin {
    email      = "it@contoso.example"
    first_name = "Contoso"
    last_name  = "IT"
  }
}

domain "mail" {
  name        = "contoso.example"
  purpose     = "relay"
  destination = "contoso-example.mail.protection.outlook.com"
}
`

var hostedApplication = `app_registration "sync" {
  name    = "Proofpoint Essentials Azure AD Sync"
  profile = "directory_sync"
  secret {
    lifetime      = "2y"
    rotate_before = "45d"
  }
}

`

var hostedPolicy = `sync_policy "people" {
  ENGINE
  sync   = ["active_users", "distribution_groups", "security_groups"]
  users {
    add    = true
    update = true
    remove = true
  }
  groups {
    add    = true
    update = true
    remove = false
  }
  connection {
    application    = app_registration.sync
    primary_domain = "contoso.example"
  }
}
`
