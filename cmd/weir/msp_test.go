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
		domain := domainOf(t)
		_, _ = fmt.Fprintf(&b, "%s,%q,%s,%s,40,1\n", strings.TrimSuffix(domain, ".example"), t.DisplayName, domain, t.ID)
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
	f.server.ClearJournal()
	f.weir(0, "apply", "--auto-approve", "--parallelism", "16")
	// The others were done: what is left to do is the broken one's, but for the partner's call that makes its organization.
	for _, e := range f.server.Changing() {
		if e.Tenant != broken.ID && e.Tenant != domainOf(broken) && e.Tenant != "msp.example" {
			t.Errorf("%s was not done in the first apply: %s %s", e.Tenant, e.Method, e.Path)
		}
	}
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

	// Somebody leaves the customer whose Graph is out of order: nobody is taken for gone. Once it answers again, the
	// removal is planned and done.
	person := leaver(t, broken)
	if err := f.server.Portal(map[string]any{"tenant": broken.ID, "person": person, "remove": true}); err != nil {
		t.Fatal(err)
	}
	if err := f.server.Fault(sim.Rule{Vendor: sim.Graph, Tenant: broken.ID, Action: sim.Action{Status: 500}}); err != nil {
		t.Fatal(err)
	}
	f.server.ClearJournal()
	f.weir(6, "apply", "--auto-approve", "--parallelism", "16")
	if changing := f.server.Changing(); len(changing) > 0 {
		t.Errorf("%d changing calls while one Graph was out of order: %+v", len(changing), changing[0])
	}
	f.server.ClearFaults()
	f.weir(0, "apply", "--auto-approve", "--parallelism", "16")
	changing := f.server.Changing()
	if len(changing) != 1 || changing[0].Method != "PUT" || !strings.Contains(changing[0].Path, person) {
		t.Errorf("with Graph in order the leaver %s was not disabled, and nothing else: %+v", person, changing)
	}
}

// domainOf is a customer's own domain.
func domainOf(t *world.Tenant) string {
	for _, d := range t.Domains {
		if d.Default && !d.Initial {
			return d.Name
		}
	}
	return ""
}

// leaver is somebody with a mailbox of their own at the customer's domain.
func leaver(t *testing.T, tenant *world.Tenant) string {
	t.Helper()
	for _, p := range tenant.People {
		if p.Enabled && p.Licensed && p.MailboxKind == "UserMailbox" && strings.HasSuffix(p.Mail, "@"+domainOf(tenant)) {
			return p.Mail
		}
	}
	t.Fatal("nobody could leave")
	return ""
}
