package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

// fleet is examples/msp over a generated world, in a folder of its own.
type fleet struct{ *site }

func newFleet(t *testing.T, tenants int) *fleet {
	t.Helper()
	w, err := world.Generate(world.Spec{Tenants: tenants, Users: 8, Groups: 1, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{newSite(t, "msp", nil)}
	f.write("customers.csv", customersCSV(w))
	f.write("exemptions.csv", "customer,address,as,reason,owner\n")
	f.serve(w)
	return f
}

// customersCSV has a row for every customer of a generated world.
func customersCSV(w *world.World) string {
	var b strings.Builder
	b.WriteString("key,name,domain,entra_tenant_id,licenses,ring\n")
	for _, t := range w.Tenants {
		if t.ID == w.Automation.TenantID {
			continue
		}
		for _, d := range t.Domains {
			if d.Default && !d.Initial {
				key := strings.TrimSuffix(d.Name, ".example")
				_, _ = fmt.Fprintf(&b, "%s,%q,%s,%s,40,1\n", key, t.DisplayName, d.Name, t.ID)
			}
		}
	}
	return b.String()
}

func (f *fleet) organizations() int {
	w := f.server.World()
	w.RLock()
	defer w.RUnlock()
	return len(w.Organizations) - 1 // without the partner
}

// TestFleetWithOneBrokenCustomer: one command plans and applies many customers; the one whose Graph answers 500 is
// unknown and loses nothing, the others are applied.
func TestFleetWithOneBrokenCustomer(t *testing.T) {
	f := newFleet(t, customers)
	w := f.server.World()
	broken := w.Tenants[len(w.Tenants)/2]
	if err := f.server.Fault(sim.Rule{ID: "graph", Vendor: sim.Graph, Tenant: broken.ID, Action: sim.Action{Status: 500}}); err != nil {
		t.Fatal(err)
	}
	plan := f.weir(7, "plan")
	if !strings.Contains(plan, "could not be read") && !strings.Contains(plan, "Could not be read") {
		t.Errorf("the plan does not say what could not be read:\n%s", tail(plan))
	}
	f.weir(6, "apply", "--auto-approve", "--parallelism", "16")
	if got := f.organizations(); got < customers-1 {
		t.Errorf("%d organizations were made, want at least %d", got, customers-1)
	}
	f.server.ClearFaults()
	f.weir(0, "apply", "--auto-approve", "--parallelism", "16")
	if got := f.organizations(); got != customers {
		t.Errorf("%d organizations in the end, want %d", got, customers)
	}
	if out := f.weir(0, "plan", "--detailed-exitcode", "--parallelism", "16"); !strings.Contains(out, "No changes") {
		t.Errorf("the plan after apply is not empty:\n%s", tail(out))
	}
	states, err := os.ReadDir(filepath.Join(f.dir, ".weir", "state", "t"))
	if err != nil || len(states) < customers {
		t.Errorf("%d states, %v", len(states), err)
	}

	// The broken customer's people do not go: nothing destructive is planned while Graph is out of order.
	if err := f.server.Fault(sim.Rule{Vendor: sim.Graph, Tenant: broken.ID, Action: sim.Action{Status: 500}}); err != nil {
		t.Fatal(err)
	}
	f.server.ClearJournal()
	f.weir(6, "apply", "--auto-approve", "--parallelism", "16")
	if changing := f.server.Changing(); len(changing) > 0 {
		t.Errorf("%d changing calls while one Graph was out of order: %+v", len(changing), changing[0])
	}
}
