package render

import (
	"bytes"
	"encoding/json"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
)

// Terraform's own reader of plan documents must understand ours.
func TestJSONIsTerraforms(t *testing.T) {
	var p tfjson.Plan
	if err := json.Unmarshal(draw(t, "plan.json", richPlan()), &p); err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	byAddress := map[string]*tfjson.ResourceChange{}
	for _, c := range p.ResourceChanges {
		byAddress[c.Address] = c
	}
	const module = `module.customer["contoso"].`
	for _, row := range []struct {
		address string
		is      func(tfjson.Actions) bool
	}{
		{module + "domain.mail", tfjson.Actions.Update},
		{module + `domain.extra["zürich.example"]`, tfjson.Actions.Create},
		{module + "m365_connector.outbound", tfjson.Actions.Update},
		{module + "app_registration.weir", tfjson.Actions.DestroyBeforeCreate},
		{module + "account.scanner", tfjson.Actions.Delete},
		{module + "mail_flow_rule.old", tfjson.Actions.Forget},
		{module + "exemption.board", tfjson.Actions.NoOp},
		{module + `sync_policy.staff.account["new00@contoso.com"]`, tfjson.Actions.Create},
		{module + `sync_policy.staff.account["bob@contoso.com"]`, tfjson.Actions.Update},
		{module + `sync_policy.staff.account["leaver@contoso.com"]`, tfjson.Actions.Update},
		{module + `sync_policy.staff.account["gone1@contoso.com"]`, tfjson.Actions.Delete},
	} {
		t.Run(row.address, func(t *testing.T) {
			c := byAddress[row.address]
			if c == nil {
				t.Fatal("missing")
			}
			if !row.is(c.Change.Actions) {
				t.Errorf("actions %v", c.Change.Actions)
			}
			if c.ModuleAddress != `module.customer["contoso"]` || c.Mode != tfjson.ManagedResourceMode {
				t.Errorf("module %q, mode %q", c.ModuleAddress, c.Mode)
			}
		})
	}
	derived := byAddress[module+`sync_policy.staff.account["bob@contoso.com"]`]
	if derived.Type != "account" || derived.Name != "staff" || derived.Index != "bob@contoso.com" {
		t.Errorf("derived account: type %q, name %q, index %v", derived.Type, derived.Name, derived.Index)
	}
	created := byAddress[module+`domain.extra["zürich.example"]`].Change
	if unknown, _ := created.AfterUnknown.(map[string]any); unknown["state"] != true || created.Before != nil {
		t.Errorf("unknown %v, before %v", created.AfterUnknown, created.Before)
	}
	mail := byAddress[module+"domain.mail"].Change
	if after, _ := mail.After.(map[string]any); after["token"] != nil || after["purpose"] != "relay" {
		t.Errorf("after %v", mail.After)
	}
	if marks, _ := mail.AfterSensitive.(map[string]any); marks["token"] != true {
		t.Errorf("sensitive %v", mail.AfterSensitive)
	}
	if paths := byAddress[module+"app_registration.weir"].Change.ReplacePaths; len(paths) != 1 {
		t.Errorf("replace paths %v", paths)
	}
	if byAddress[module+"m365_connector.outbound"].Change.Importing == nil || byAddress[module+"exemption.board"].PreviousAddress != module+"exemption.vip" {
		t.Error("adoption or move are not marked")
	}
	if n := len(p.ResourceDrift); n != 3 {
		t.Errorf("%d drifted, want 3", n)
	}
	if n := len(p.DeferredChanges); n != 2 || p.Complete == nil || *p.Complete {
		t.Errorf("%d deferred, complete %v", n, p.Complete)
	}
	if child := p.PlannedValues.RootModule.ChildModules; len(child) != 1 || len(child[0].Resources) != 5 {
		t.Errorf("planned modules %v", child)
	}
	if o := p.OutputChanges["key"]; !o.Actions.Update() || o.After != nil || o.AfterSensitive != true {
		t.Errorf("sensitive output %+v", o)
	}

	var empty tfjson.Plan
	if err := json.Unmarshal(draw(t, "plan.json", emptyPlan(2)), &empty); err != nil {
		t.Fatal(err)
	}
	if len(empty.ResourceChanges) != 0 || !*empty.Complete {
		t.Errorf("%d changes in a plan without, complete %v", len(empty.ResourceChanges), *empty.Complete)
	}
}

// Every line of the stream is one that Terraform's reader takes, and the counts agree with the plan.
func TestEventsAreTerraforms(t *testing.T) {
	types := map[string]int{}
	for _, line := range bytes.Split(bytes.TrimSpace(draw(t, "plan.jsonl", richPlan())), []byte("\n")) {
		m, err := tfjson.UnmarshalLogMessage(line)
		if err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if m.Message() == "" || m.Timestamp() != noon {
			t.Errorf("line without message or time: %s", line)
		}
		var l struct {
			Type    string
			Changes struct {
				Add, Change, Import, Remove int
				Operation                   string
			}
		}
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		types[l.Type]++
		if l.Type == "change_summary" && (l.Changes.Add != 28 || l.Changes.Change != 13 || l.Changes.Remove != 1 || l.Changes.Import != 41 || l.Changes.Operation != "plan") {
			t.Errorf("summary %+v", l.Changes)
		}
	}
	for kind, want := range map[string]int{"version": 1, "planned_change": 7 + 40, "resource_drift": 3, "change_summary": 1, "outputs": 1, "diagnostic": 8, "weir_plan": 5} {
		if types[kind] != want {
			t.Errorf("%d lines of type %s, want %d", types[kind], kind, want)
		}
	}
}

func TestPlaceOf(t *testing.T) {
	for _, row := range []struct {
		address string
		want    place
	}{
		{"domain.mail", place{"", "domain", "mail", "domain.mail", nil}},
		{`domain.mail["a.b"]`, place{"", "domain", "mail", `domain.mail["a.b"]`, "a.b"}},
		{"module.a.module.b[3].domain.mail[0]", place{"module.a.module.b[3]", "domain", "mail", "domain.mail[0]", int64(0)}},
		{`module.c["x"].sync_policy.p.account["a@b.c"]`, place{`module.c["x"]`, "account", "p", `sync_policy.p.account["a@b.c"]`, "a@b.c"}},
		{`account.a["k"]`, place{"", "account", "a", `account.a["k"]`, "k"}},
		{`module.account["x"].domain.y["z"]`, place{`module.account["x"]`, "domain", "y", `domain.y["z"]`, "z"}},
		{"no address", place{"", "", "no address", "no address", nil}},
		{"", place{}},
	} {
		t.Run(row.address, func(t *testing.T) {
			if got := placeOf(row.address); got != row.want {
				t.Errorf("%+v, want %+v", got, row.want)
			}
		})
	}
}
