package config

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

// customers is the msp configuration with n customers from a CSV file, and eight blocks each.
func customers(n int) string {
	var csv strings.Builder
	csv.WriteString("key,domain,licenses\n")
	for i := range n {
		fmt.Fprintf(&csv, "c%04d,c%04d.example,%d\n", i, i, i%50+1)
	}
	return providers + `
locals {
  rows    = csvdecode(file("customers.csv"))
  kitchen = ["Kitchen", "Canteen"]
}
module "customer" {
  source   = "./modules/customer"
  for_each = { for r in local.rows : r.key => r }
  customer = each.value
  kitchen  = local.kitchen
}
output "domains" { value = [for k, m in module.customer : m.tenant.this.primary_domain] }
-- customers.csv --
` + csv.String() + `
-- modules/customer/main.weir.hcl --
variable "customer" { type = object({ key = string, domain = string, licenses = number }) }
variable "kitchen" { type = list(string) }
locals { name = "Customer ${var.customer.key}" }
tenant "this" {
  name           = local.name
  primary_domain = var.customer.domain
  licenses       = var.customer.licenses
  tags           = { ring = var.customer.licenses > 25 ? "1" : "2" }
}
data "directory" "this" { filter = var.customer.domain }
domain "main" {
  name    = tenant.this.primary_domain
  purpose = "relay"
}
domain "known" {
  for_each = setsubtract(data.directory.this.verified_domains, [var.customer.domain])
  name     = each.key
}
app "sync" { name = "sync ${local.name}" }
policy "people" {
  include = !contains(var.kitchen, entry.department)
  connection { application = app.sync }
}
policy "second" { limit = length(local.name) }
value "note" { input = domain.main.id }
`
}

// TestManyTenants walks every tenant of a large configuration, several at once. Its cost is linear: no tenant looks
// at another's module instance.
func TestManyTenants(t *testing.T) {
	n := 100
	if testing.Short() {
		n = 30
	}
	f := mustFrame(t, customers(n))
	if len(f.Tenants) != n {
		t.Fatalf("%d tenants", len(f.Tenants))
	}
	work := make(chan *Tenant)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for tn := range work {
				v := newVisit()
				e, diags := f.Evaluate(context.Background(), EvalRequest{Tenant: tn, Data: directoryData("x.example", tn.PrimaryDomain), Visit: v.Visit})
				if diags.HasErrors() || len(e.Visited) != 7 {
					t.Errorf("%s: %v %s", tn.Key, e.Visited, text(diags, f.graph))
				}
			}
		})
	}
	for _, tn := range f.Tenants {
		work <- tn
	}
	close(work)
	wg.Wait()
	fe := f.eval.(*frameEval)
	other := fe.root.child(f.graph.root.calls["customer"], f.Tenants[0].Address.Module[0].Key, false)
	if len(other.tenants) != 1 {
		t.Errorf("a module instance belongs to %v", other.tenants)
	}
	e, diags := f.Evaluate(context.Background(), EvalRequest{OutputsOnly: true, Known: map[string]cty.Value{}})
	if diags.HasErrors() || e.Outputs["domains"].Value.LengthInt() != n {
		t.Errorf("outputs: %s", text(diags, f.graph))
	}
}

func BenchmarkTenants(b *testing.B) {
	for _, n := range []int{200, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			fsys := files(customers(n))
			for b.Loop() {
				g, diags := Load(fsys, ".", testRegistry())
				if diags.HasErrors() {
					b.Fatal(text(diags, g))
				}
				f, diags := g.Frame(Inputs{Now: now})
				if diags.HasErrors() {
					b.Fatal(text(diags, g))
				}
				for _, tn := range f.Tenants {
					if _, diags := f.Evaluate(context.Background(), EvalRequest{Tenant: tn, Data: directoryData("x.example", tn.PrimaryDomain), Visit: newVisit().Visit}); diags.HasErrors() {
						b.Fatal(text(diags, g))
					}
				}
			}
		})
	}
}
