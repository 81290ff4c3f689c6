package main

import (
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/weir-project/weir/providers/sim/world"
)

// TestTerraformReadsPlanAndState: the documents of show are read by HashiCorp's own module, and say what the text says.
func TestTerraformReadsPlanAndState(t *testing.T) {
	for _, c := range []struct {
		example, tenant, address string
		world                    *world.World
	}{
		{"quickstart", "contoso", "domain.mail", world.Quickstart()},
		{"msp", "northwind", `module.customer["northwind"].domain.mail["northwind.example"]`, world.MSP()},
	} {
		t.Run(c.example, func(t *testing.T) {
			s := newSite(t, c.example, c.world)
			s.weir(0, "plan", "--out", "saved.plan", "--tenant", c.tenant)
			var plan tfjson.Plan
			if err := plan.UnmarshalJSON([]byte(s.weir(0, "show", "--json", "saved.plan"))); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(plan.FormatVersion, "1.") || plan.PlannedValues == nil || plan.Config == nil {
				t.Errorf("format %q, planned values %v, configuration %v", plan.FormatVersion, plan.PlannedValues != nil, plan.Config != nil)
			}
			found := false
			for _, r := range plan.ResourceChanges {
				if r.Change == nil || len(r.Change.Actions) == 0 {
					t.Errorf("%s has no actions", r.Address)
				}
				found = found || r.Address == c.address
			}
			if !found {
				t.Errorf("%s is not among the %d changes", c.address, len(plan.ResourceChanges))
			}

			s.weir(0, "apply", "saved.plan")
			var state tfjson.State
			if err := state.UnmarshalJSON([]byte(s.weir(0, "state", "show", "--json", "--tenant", c.tenant))); err != nil {
				t.Fatal(err)
			}
			if state.Values == nil || state.Values.RootModule == nil || !holds(state.Values.RootModule, c.address) {
				t.Errorf("%s is not in state", c.address)
			}

			// The twin: a plan with nothing to do has no changes but no-ops.
			s.weir(0, "plan", "--out", "empty.plan", "--tenant", c.tenant)
			var empty tfjson.Plan
			if err := empty.UnmarshalJSON([]byte(s.weir(0, "show", "--json", "empty.plan"))); err != nil {
				t.Fatal(err)
			}
			for _, r := range empty.ResourceChanges {
				if !r.Change.Actions.NoOp() {
					t.Errorf("%s: %v after apply", r.Address, r.Change.Actions)
				}
			}
		})
	}
}

func holds(m *tfjson.StateModule, address string) bool {
	for _, r := range m.Resources {
		if r.Address == address {
			return true
		}
	}
	for _, child := range m.ChildModules {
		if holds(child, address) {
			return true
		}
	}
	return false
}
