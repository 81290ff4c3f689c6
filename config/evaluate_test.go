package config

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// evaluate walks one tenant ("" for the root) and fails the test on errors.
func evaluate(t *testing.T, f *Frame, key string, req EvalRequest) (*Evaluation, *visit) {
	t.Helper()
	e, v, diags := tryEvaluate(t, f, key, req)
	if diags.HasErrors() {
		t.Fatal(text(diags, f.graph))
	}
	return e, v
}

func tryEvaluate(t *testing.T, f *Frame, key string, req EvalRequest) (*Evaluation, *visit, hcl.Diagnostics) {
	t.Helper()
	v := newVisit()
	if req.Visit == nil {
		req.Visit = v.Visit
	}
	if key != "" {
		ts, err := f.Select([]string{key})
		if err != nil {
			t.Fatal(err)
		}
		req.Tenant = ts[0]
	}
	if req.Data == nil {
		req.Data = noData
	}
	e, diags := f.Evaluate(context.Background(), req)
	return e, v, diags
}

const msp = providers + `
variable "customers" {
  type = map(object({
    domain   = string
    licenses = optional(number, 10)
    extra    = optional(list(string), [])
  }))
  default = {
    contoso  = { domain = "contoso.com" }
    fabrikam = { domain = "fabrikam.example", licenses = 5, extra = ["b.example", "a.example"] }
  }
}
module "customer" {
  source   = "./modules/customer"
  for_each = var.customers
  customer = each.value
}
output "ids" {
  value = { for k, m in module.customer : k => m.domain_id }
}
output "domains" {
  value = [for k, m in module.customer : m.tenant.this.primary_domain]
}
-- modules/customer/main.weir.hcl --
variable "customer" {
  type = object({ domain = string, licenses = number, extra = list(string) })
}
tenant "this" {
  primary_domain = var.customer.domain
  licenses       = var.customer.licenses
}
domain "main" {
  name    = tenant.this.primary_domain
  purpose = "relay"
}
domain "more" {
  for_each    = toset(var.customer.extra)
  name        = each.key
  destination = domain.main.id
}
app "sync" {
  name = "sync of ${tenant.this.key}"
}
policy "people" {
  connection {
    application = app.sync
  }
}
output "domain_id" { value = domain.main.id }
output "tenant_value" { value = tenant.this }
`

func TestModules(t *testing.T) {
	f := mustFrame(t, msp)
	var keys []string
	for _, tn := range f.Tenants {
		keys = append(keys, tn.Key+"="+tn.PrimaryDomain+" "+tn.Address.String())
	}
	want := `[contoso=contoso.com module.customer["contoso"].tenant.this fabrikam=fabrikam.example module.customer["fabrikam"].tenant.this]`
	if fmt.Sprint(keys) != want {
		t.Fatalf("tenants %v", keys)
	}
	e, v := evaluate(t, f, "fabrikam", EvalRequest{})
	m := `module.customer["fabrikam"].`
	wantOrder := strings.Join([]string{m + "app.sync", m + "tenant.this", m + "domain.main", m + `domain.more["a.example"]`, m + `domain.more["b.example"]`, m + "policy.people"}, " ")
	if got := strings.Join(e.Visited, " "); got != wantOrder {
		t.Errorf("order\n got %s\nwant %s", got, wantOrder)
	}
	if got := attrText(v.seen[m+"tenant.this"].Config, "licenses"); got != "5" {
		t.Errorf("licenses %s", got)
	}
	if got := attrText(v.seen[m+"policy.people"].Config, "connection.application.client_id"); got != "(known after apply)" {
		t.Errorf("client_id %s", got)
	}
	key := v.seen[m+"policy.people"].Config.GetAttr("connection").GetAttr("application").GetAttr("key")
	if u, marks := key.Unmark(); u.IsKnown() || u.Type() != resource.SecretType || len(marks) != 2 {
		t.Errorf("key %#v", key)
	}
	if got := fmt.Sprint(v.seen[m+"policy.people"].Dependencies); got != "["+m+"app.sync]" {
		t.Errorf("dependencies %s", got)
	}
	if r := v.seen[m+"policy.people"].Ranges["connection.application"]; r.Start.Line == 0 || r.Filename != "modules/customer/main.weir.hcl" {
		t.Errorf("range %v", r)
	}

	known := map[string]cty.Value{}
	for _, k := range []string{"contoso", "fabrikam"} {
		attrs := map[string]cty.Value{}
		for name, ty := range testRegistry().Type("domain").Object().AttributeTypes() {
			attrs[name] = cty.NullVal(ty)
		}
		attrs["id"] = cty.StringVal("id-" + k)
		known[fmt.Sprintf("module.customer[%q].domain.main", k)] = cty.ObjectVal(attrs)
	}
	out, _ := evaluate(t, f, "", EvalRequest{OutputsOnly: true, Known: known})
	if got := FormatValue(out.Outputs["ids"].Value); got != `{ contoso = "id-contoso", fabrikam = "id-fabrikam" }` {
		t.Errorf("ids %s", got)
	}
	if got := FormatValue(out.Outputs["domains"].Value); got != `["contoso.com", "fabrikam.example"]` {
		t.Errorf("domains %s", got)
	}
}

func TestTenantsAsValues(t *testing.T) {
	f := mustFrame(t, msp+`
-- other.weir.hcl --
domain "extra" {
  tenant = module.customer["contoso"].tenant.this
  name   = "extra.example"
}
domain "by_output" {
  tenant = module.customer["contoso"].tenant_value
  name   = module.customer["fabrikam"].tenant.this.primary_domain
}
domain "each" {
  for_each = { contoso = "c.example", fabrikam = "f.example" }
  tenant   = module.customer[each.key].tenant.this
  name     = each.value
}
module "bundle" {
  source = "./modules/bundle"
  who    = module.customer["fabrikam"].tenant.this
}
value "note" { input = [for k, m in module.customer : m.tenant.this.key] }
domain "noted" {
  tenant      = module.customer["contoso"].tenant.this
  name        = "noted.example"
  destination = value.note.output
}
-- modules/bundle/main.weir.hcl --
variable "who" { type = tenant }
domain "bundled" {
  tenant = var.who
  name   = "x.${var.who.primary_domain}"
}
domain "implied" { name = "implied.example" }
`)
	_, v := evaluate(t, f, "contoso", EvalRequest{Known: map[string]cty.Value{"value.note": cty.ObjectVal(map[string]cty.Value{"input": cty.NullVal(cty.DynamicPseudoType), "output": cty.StringVal("known")})}})
	for addr, want := range map[string]string{
		"domain.extra": `"extra.example"`, "domain.by_output": `"fabrikam.example"`, `domain.each["contoso"]`: `"c.example"`, "domain.noted": `"noted.example"`,
	} {
		if v.seen[addr] == nil {
			t.Errorf("%s not visited: %v", addr, v.order)
			continue
		}
		if got := attrText(v.seen[addr].Config, "name"); got != want {
			t.Errorf("%s: %s", addr, got)
		}
	}
	if got := attrText(v.seen["domain.noted"].Config, "destination"); got != `"known"` {
		t.Errorf("root value: %s", got)
	}
	if got := fmt.Sprint(v.seen["domain.noted"].Dependencies); got != "[value.note]" {
		t.Errorf("dependencies on root: %s", got)
	}
	_, v = evaluate(t, f, "fabrikam", EvalRequest{})
	for addr, want := range map[string]string{
		"module.bundle.domain.bundled": `"x.fabrikam.example"`, "module.bundle.domain.implied": `"implied.example"`, `domain.each["fabrikam"]`: `"f.example"`,
	} {
		if v.seen[addr] == nil {
			t.Errorf("%s not visited: %v", addr, v.order)
		} else if got := attrText(v.seen[addr].Config, "name"); got != want {
			t.Errorf("%s: %s", addr, got)
		}
	}
	if v.seen["domain.extra"] != nil || v.seen[`domain.each["contoso"]`] != nil {
		t.Error("another tenant's blocks were visited")
	}
	_, v = evaluate(t, f, "", EvalRequest{})
	if got := fmt.Sprint(v.order); got != "[value.note]" {
		t.Errorf("root visited %s", got)
	}
	if got := attrText(v.seen["value.note"].Config, "input"); got != `["contoso", "fabrikam"]` {
		t.Errorf("root input %s", got)
	}
}

func TestForeignValues(t *testing.T) {
	f := mustFrame(t, msp+`
-- other.weir.hcl --
domain "extra" {
  tenant      = module.customer["contoso"].tenant.this
  name        = "extra.example"
  destination = module.customer["fabrikam"].domain_id
}
value "all" { input = values(module.customer)[*].domain_id }
`)
	for _, key := range []string{"contoso", ""} {
		_, _, diags := tryEvaluate(t, f, key, EvalRequest{})
		if got := text(diags, f.graph); !strings.Contains(got, "Value of another tenant") {
			t.Errorf("%q: %s", key, got)
		}
	}
	evaluate(t, f, "fabrikam", EvalRequest{}) // the twin: its own value is its own
}

const reads = providers + `
tenant "a" { primary_domain = "a.example" }
data "directory" "a" {
  tenant = tenant.a
  filter = "of ${tenant.a.primary_domain}"
}
domain "fixed" { name = "a.example" }
domain "known" {
  for_each = setsubtract(data.directory.a.verified_domains, ["a.example"])
  name     = each.key
}
domain "count" {
  name        = "c.example"
  destination = "n${data.directory.a.count}"
}
domain "user" {
  name        = "u.example"
  destination = domain.known["b.example"].id
}
module "m" {
  source   = "./m"
  for_each = data.directory.a.verified_domains
  tenant   = tenant.a
  name     = each.key
}
-- m/x.weir.hcl --
variable "tenant" { type = tenant }
variable "name" {}
domain "inner" {
  tenant = var.tenant
  name   = var.name
}
domain "after" {
  name        = "after.${var.name}"
  destination = domain.inner.id
}
`

func TestData(t *testing.T) {
	f := mustFrame(t, reads)
	var filter string
	data := func(ctx context.Context, r DataRead) (cty.Value, error) {
		filter = r.Config.GetAttr("filter").AsString()
		if r.Tenant == nil || r.Tenant.Key != "a" || r.Address.String() != "data.directory.a" {
			t.Errorf("read %+v", r)
		}
		return directoryData("a.example", "b.example")(ctx, r)
	}
	e, v := evaluate(t, f, "a", EvalRequest{Data: data})
	if filter != "of a.example" {
		t.Errorf("filter %q", filter)
	}
	for _, addr := range []string{`domain.known["b.example"]`, "domain.count", "domain.user", `module.m["b.example"].domain.inner`, `module.m["a.example"].domain.after`} {
		if v.seen[addr] == nil {
			t.Errorf("%s not visited: %v", addr, v.order)
		}
	}
	if got := attrText(v.seen["domain.count"].Config, "destination"); got != `"n2"` {
		t.Errorf("count %s", got)
	}
	if got := fmt.Sprint(v.seen[`module.m["a.example"].domain.after`].Dependencies); got != `[module.m["a.example"].domain.inner]` {
		t.Errorf("dependencies %s", got)
	}
	if len(e.Unknown)+len(e.Skipped) > 0 {
		t.Errorf("unknown %v skipped %v", e.Unknown, e.Skipped)
	}
}

func TestFailedReadPlansNothing(t *testing.T) {
	f := mustFrame(t, reads)
	e, v := evaluate(t, f, "a", EvalRequest{Data: func(context.Context, DataRead) (cty.Value, error) {
		return cty.NilVal, errors.New("Graph answered 500")
	}})
	if v.seen["domain.fixed"] == nil || len(v.seen) != 2 {
		t.Errorf("visited %v", v.order)
	}
	for _, b := range []string{"domain.known", "module.m.domain.inner", "module.m.domain.after"} {
		if !strings.Contains(e.Unknown[b], "Graph answered 500") {
			t.Errorf("unknown[%s] = %q", b, e.Unknown[b])
		}
	}
	if e.Skipped["domain.count"] != "data.directory.a" || e.Skipped["domain.user"] != "data.directory.a" {
		t.Errorf("skipped %v", e.Skipped)
	}
}

func TestUnknownForEachWaits(t *testing.T) {
	f := mustFrame(t, providers+`
tenant "a" { primary_domain = "a.example" }
app "one" { name = "x" }
domain "later" {
  for_each = toset([app.one.client_id])
  name     = each.key
}
`)
	e, v, diags := tryEvaluate(t, f, "a", EvalRequest{})
	if diags.HasErrors() || !strings.Contains(text(diags, f.graph), "Instances not known yet") {
		t.Error(text(diags, f.graph))
	}
	if !strings.Contains(e.Unknown["domain.later"], "app.one") || len(v.order) != 2 {
		t.Errorf("unknown %v, visited %v", e.Unknown, v.order)
	}
	// The twin: with the value known the instance is there.
	v2 := newVisit()
	v2.values["app.one"] = cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal("x"), "client_id": cty.StringVal("d.example"), "password": cty.NullVal(resource.SecretType), "key": cty.NullVal(resource.SecretType)})
	e, _, diags = tryEvaluate(t, f, "a", EvalRequest{Visit: v2.Visit})
	if diags.HasErrors() || v2.seen[`domain.later["d.example"]`] == nil || len(e.Unknown) > 0 {
		t.Errorf("%v %v %s", v2.order, e.Unknown, text(diags, f.graph))
	}
}

func TestFailureSkipsDependants(t *testing.T) {
	f := mustFrame(t, providers+`
tenant "a" { primary_domain = "a.example" }
domain "d" {
  for_each = toset(["x.example", "y.example"])
  name     = each.key
}
domain "on_x" {
  name        = "onx.example"
  destination = domain.d["x.example"].id
}
domain "on_y" {
  name        = "ony.example"
  destination = domain.d["y.example"].id
}
domain "on_all" {
  name       = "all.example"
  depends_on = [domain.d]
}
domain "far" {
  name        = "far.example"
  destination = domain.on_x.name
}
`)
	v := newVisit()
	v.fail[`domain.d["x.example"]`] = true
	e, _, diags := tryEvaluate(t, f, "a", EvalRequest{Visit: v.Visit})
	if !diags.HasErrors() {
		t.Error("the failure is not reported")
	}
	want := map[string]string{"domain.on_x": `domain.d["x.example"]`, "domain.on_all": `domain.d["x.example"]`, "domain.far": "domain.on_x"}
	if fmt.Sprint(e.Skipped) != fmt.Sprint(want) {
		t.Errorf("skipped %v", e.Skipped)
	}
	if v.seen["domain.on_y"] == nil {
		t.Error("domain.on_y needs nothing that failed")
	}
}

func TestParallelVisits(t *testing.T) {
	var src strings.Builder
	src.WriteString(providers + "tenant \"a\" { primary_domain = \"a.example\" }\n")
	for i := range 20 {
		fmt.Fprintf(&src, "domain \"d%d\" {\n  name = \"d%d.example\"\n}\n", i, i)
	}
	f := mustFrame(t, src.String())
	var mu sync.Mutex
	open, most := 0, 0
	gate := make(chan struct{})
	var once sync.Once
	_, diags := f.Evaluate(context.Background(), EvalRequest{Tenant: f.Tenants[0], Parallel: 4, Visit: func(_ context.Context, inst *Instance) (cty.Value, hcl.Diagnostics) {
		if inst.Type.Name == "domain" {
			mu.Lock()
			open++
			most = max(most, open)
			if open == 4 {
				once.Do(func() { close(gate) })
			}
			mu.Unlock()
			<-gate
			mu.Lock()
			open--
			mu.Unlock()
		}
		return inst.Config, nil
	}})
	if diags.HasErrors() || most != 4 {
		t.Errorf("at most %d at once; %s", most, text(diags, f.graph))
	}
}

func TestInterrupted(t *testing.T) {
	f := mustFrame(t, msp)
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	e, diags := f.Evaluate(ctx, EvalRequest{Tenant: f.Tenants[0], Visit: func(_ context.Context, inst *Instance) (cty.Value, hcl.Diagnostics) {
		n++
		cancel()
		return inst.Config, nil
	}})
	if len(e.Unknown) != 4 || e.Unknown["module.customer.domain.main"] == "" {
		t.Errorf("what was not come to must be unknown: %v", e.Unknown)
	}
	if n != 1 || len(e.Visited) != 1 || !strings.Contains(text(diags, f.graph), "Interrupted") {
		t.Errorf("%d visits, %v", n, e.Visited)
	}
}

func TestLifecycle(t *testing.T) {
	f := mustFrame(t, providers+`
tenant "a" { primary_domain = "a.example" }
domain "old" { name = "o.example" }
domain "d" {
  name = "d.example"
  lifecycle {
    prevent_destroy       = true
    ignore_changes        = [destination]
    create_before_destroy = true
    replace_triggered_by  = [domain.old.id]
    precondition {
      condition     = self.name != "bad.example"
      error_message = "The name is ${self.name}."
    }
    postcondition {
      condition     = self.id == "1" && domain.old.name == "o.example"
      error_message = "The id is wrong."
    }
  }
}
`)
	_, v := evaluate(t, f, "a", EvalRequest{})
	l := v.seen["domain.d"].Lifecycle
	if l.PreventDestroy == nil || !*l.PreventDestroy || fmt.Sprint(l.IgnoreChanges, l.CreateBeforeDestroy, l.ReplaceTriggeredBy) != "[destination] true [domain.old.id]" {
		t.Errorf("%+v", l)
	}
	self := func(name, id string) cty.Value {
		return cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(name), "purpose": cty.NullVal(cty.String), "destination": cty.NullVal(cty.String), "id": cty.StringVal(id), "token": cty.NullVal(cty.String)})
	}
	for _, row := range []struct {
		before   bool
		name, id string
		want     string
	}{
		{true, "d.example", "1", ""}, {true, "bad.example", "1", "The name is bad.example."},
		{false, "d.example", "1", ""}, {false, "d.example", "2", "The id is wrong."},
	} {
		got := text(l.Check(row.before, self(row.name, row.id)), f.graph)
		if row.want == "" && got != "" || !strings.Contains(got, row.want) {
			t.Errorf("%+v: %s", row, got)
		}
	}
}

func TestDynamicAndCount(t *testing.T) {
	f := mustFrame(t, providers+`
variable "adders" {
  type    = list(bool)
  default = [true]
}
tenant "a" { primary_domain = "a.example" }
policy "p" {
  count = 2
  limit = count.index
  dynamic "users" {
    for_each = count.index == 0 ? var.adders : []
    content {
      add = users.value
    }
  }
}
policy "q" {
  limit = policy.p[1].limit
}
`)
	_, v := evaluate(t, f, "a", EvalRequest{})
	if got := attrText(v.seen["policy.p[0]"].Config, "users.add"); got != "true" {
		t.Errorf("users.add %s", got)
	}
	if got := attrText(v.seen["policy.p[1]"].Config, "users"); got != "null" {
		t.Errorf("users %s", got)
	}
	if got := attrText(v.seen["policy.q"].Config, "limit"); got != "1" {
		t.Errorf("limit %s", got)
	}
}

func TestPredicates(t *testing.T) {
	f := mustFrame(t, providers+`
locals {
  kitchens = ["Kitchen", "Canteen"]
  prefix   = "ext-"
}
tenant "a" { primary_domain = "a.example" }
policy "p" {
  include = (!contains(local.kitchens, entry.department) && # no cooks
    !startswith(entry.address, local.prefix) && anytrue([for g in entry.groups : g == upper(local.prefix)]) == false)
}
policy "q" { include = true }
policy "none" { include = null }
policy "later" {
  include = entry.employee_id == app.x.client_id
}
app "x" { name = "x" }
`)
	_, v := evaluate(t, f, "a", EvalRequest{})
	p := directory.PredicateOf(v.seen["policy.p"].Config.GetAttr("include"))
	want := `(!contains(["Kitchen", "Canteen"], entry.department) && !startswith(entry.address, "ext-") && anytrue([for g in entry.groups : g == "EXT-"]) == false)`
	if p.Text() != want {
		t.Errorf("text\n got %s\nwant %s", p.Text(), want)
	}
	again, diags := ParsePredicate(p.Text())
	if diags.HasErrors() || again.Text() != p.Text() {
		t.Errorf("round trip: %v %v", diags, again)
	}
	if got := fmt.Sprint(PredicateFields(p)); got != "[address department groups]" {
		t.Errorf("fields %s", got)
	}
	for _, row := range []struct {
		e    directory.Entry
		want bool
	}{
		{directory.Entry{Department: "Sales", Address: "a@x"}, true},
		{directory.Entry{Department: "Kitchen", Address: "a@x"}, false},
		{directory.Entry{Department: "Sales", Address: "ext-a@x"}, false},
		{directory.Entry{Department: "Sales", Address: "a@x", Groups: []string{"EXT-"}}, false},
		{directory.Entry{Department: "Sales", Address: "a@x", Groups: []string{"other"}}, true},
	} {
		for _, p := range []directory.Predicate{p, again} {
			if got, err := p.Match(&row.e); err != nil || got != row.want {
				t.Errorf("%+v: %v %v", row.e, got, err)
			}
		}
	}
	if ok, err := directory.PredicateOf(v.seen["policy.q"].Config.GetAttr("include")).Match(&directory.Entry{}); !ok || err != nil {
		t.Error("constant condition")
	}
	if !v.seen["policy.none"].Config.GetAttr("include").IsNull() || v.seen["policy.later"].Config.GetAttr("include").IsKnown() {
		t.Error("null and unknown conditions")
	}
	bad, diags := ParsePredicate(`regex("(", entry.name) == ""`)
	if !diags.HasErrors() {
		if _, err := bad.Match(&directory.Entry{}); err == nil {
			t.Error("an error must make the entry unknown")
		}
	}
}

func TestPredicateIsSafeForConcurrentUse(t *testing.T) {
	p, diags := ParsePredicate(`entry.department == "d7" || length([for a in entry.aliases : a if a != "x"]) > 3`)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 2000 {
				d := fmt.Sprintf("d%d", i%50)
				ok, err := p.Match(&directory.Entry{Department: d})
				if err != nil || ok != (d == "d7") {
					t.Errorf("%s: %v %v", d, ok, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestSecretsAndEnv(t *testing.T) {
	env := map[string]string{"PLAIN": "p", "TOKEN": "t0psecret", "WEIR_PUBLIC_X": "x"}
	frame := func(src string, env map[string]string) (*Graph, *Frame, hcl.Diagnostics) {
		g := mustLoad(t, files(src))
		f, diags := g.Frame(Inputs{Now: now, Env: func(n string) (string, bool) { v, ok := env[n]; return v, ok }})
		return g, f, diags
	}
	_, f, diags := frame(providers+`
tenant "a" { primary_domain = "a.example" }
app "x" {
  name     = env("PLAIN")
  password = secret("env://TOKEN")
}
`, env)
	if diags.HasErrors() {
		t.Fatal(text(diags, f.graph))
	}
	_, v := evaluate(t, f, "a", EvalRequest{})
	pw := v.seen["app.x"].Config.GetAttr("password")
	if ref := resource.SecretOf(pw); ref == nil || ref.URL != "env://TOKEN" || !pw.HasMark(SensitiveMark) || !pw.HasMark(EphemeralMark) {
		t.Errorf("password %#v", pw)
	}
	if got := fmt.Sprint(f.Secrets); got != "[secret(env://ESSENTIALS_PASSWORD) secret(env://TOKEN)]" {
		t.Errorf("secrets %s", got)
	}
	ci := map[string]string{"CI": "true", "PLAIN": "p", "WEIR_PUBLIC_X": "x", "USER_NAME": "u"}
	listed := map[string]string{"CI": "true", "PLAIN": "p", "WEIR_ALLOW_ENV": "PLA*, ESSENTIALS_PASSWORD"}
	for _, row := range []struct {
		name, src string
		env       map[string]string
		want      string
	}{
		{"secret read by env", `locals { x = env("TOKEN") }` + "\n" + `app "x" { password = secret("env://TOKEN") }` + "\n" + `value "v" { input = local.x }`, env, "holds a secret"},
		{"unset", `value "v" { input = env("NOPE") }`, env, "is not set"},
		{"ci", `value "v" { input = env("PLAIN") }`, ci, "under CI"},
		{"ci public", `value "v" { input = env("WEIR_PUBLIC_X") }`, ci, ""},
		{"ci provider body", `provider "essentials" "two" {
  stack    = "us2"
  user     = env("USER_NAME")
  password = secret("env://ESSENTIALS_PASSWORD")
}`, ci, ""},
		{"ci allow-list", `value "v" { input = env("PLAIN") }`, listed, ""},
		{"ci allow-list refuses", `value "v" { input = env("OTHER") }`, listed, "WEIR_ALLOW_ENV"},
		{"stored", `value "v" { input = secret("env://TOKEN") }`, env, "Secret in a stored attribute"},
		{"text", `app "x" { password = "hunter2" }`, env, "A secret is never written in a file"},
		{"bad scheme", `app "x" { password = secret("http://x") }`, env, "a secret reference is"},
		{"output", `output "o" { value = secret("env://TOKEN") }`, env, "Secret in an output"},
	} {
		t.Run(row.name, func(t *testing.T) {
			src := providers + "tenant \"a\" {\n  primary_domain = \"a.example\"\n  essentials = provider.essentials.us1\n}\n" + row.src
			g, f, diags := frame(src, row.env)
			if !diags.HasErrors() {
				for _, key := range []string{"a", ""} {
					_, _, more := tryEvaluate(t, f, key, EvalRequest{})
					diags = append(diags, more...)
				}
			}
			got := text(diags, g)
			if row.want == "" && diags.HasErrors() || !strings.Contains(got, row.want) {
				t.Errorf("want %q, got %s", row.want, got)
			}
			if strings.Contains(got, "t0psecret") {
				t.Error("the secret is in a diagnostic")
			}
		})
	}
}

func TestSensitive(t *testing.T) {
	f := mustFrame(t, providers+`
variable "pin" {
  default   = "4711"
  sensitive = true
}
tenant "a" { primary_domain = "a.example" }
domain "d" {
  name        = "d.example"
  destination = "x${var.pin}"
}
domain "e" {
  name        = "e.example"
  destination = domain.d.token
}
output "pin" {
  value     = var.pin
  sensitive = true
}
`)
	_, v := evaluate(t, f, "a", EvalRequest{})
	for _, addr := range []string{"domain.d", "domain.e"} {
		if !v.seen[addr].Config.GetAttr("destination").HasMark(SensitiveMark) {
			t.Errorf("%s: the mark is lost", addr)
		}
	}
	if !f.Sensitive["pin"] {
		t.Error("pin is not called sensitive")
	}
	out, _ := evaluate(t, f, "", EvalRequest{OutputsOnly: true})
	if o := out.Outputs["pin"]; !o.Sensitive || o.Value.AsString() != "4711" {
		t.Errorf("%+v", o)
	}
}

func TestVariables(t *testing.T) {
	src := providers + `
variable "n" { type = number }
variable "l" {
  type    = list(object({ a = string, b = optional(number, 3) }))
  default = []
}
variable "only_provider" { default = "x" }
provider "essentials" "two" {
  stack    = "us2"
  user     = var.only_provider
  password = secret("env://P")
}
`
	f := mustFrame(t, src, VarInput{Name: "n", Text: "1", Source: "WEIR_VAR_n"}, VarInput{Name: "n", Text: "7", Source: "--var"}, VarInput{Name: "l", Text: `[{ a = "x" }]`, Source: "--var"}, VarInput{Name: "gone", Text: "1", Source: "WEIR_VAR_gone"})
	if got := FormatValue(f.Variables["n"]); got != "7" {
		t.Errorf("n = %s", got)
	}
	if got := FormatValue(f.Variables["l"]); got != `[{ a = "x", b = 3 }]` {
		t.Errorf("l = %s", got)
	}
	if _, travels := f.Variables["only_provider"]; travels {
		t.Error("a variable of provider bodies travels")
	}
	v, diags := f.Eval(`[for x in var.l : x.b * 2]`)
	if diags.HasErrors() || FormatValue(v) != "[6]" {
		t.Errorf("eval: %s %v", FormatValue(v), diags)
	}
	if _, diags := f.Eval(`var.only_provder`); !strings.Contains(text(diags, f.graph), "Did you mean var.only_provider?") {
		t.Error(text(diags, f.graph))
	}
}

func TestSelect(t *testing.T) {
	f := mustFrame(t, providers+`
tenant "contoso" {
  primary_domain = "contoso.com"
  tags           = { ring = "1" }
}
tenant "fabrikam" {
  primary_domain = "fabrikam.example"
  tags           = { ring = "2" }
}
`)
	for _, row := range []struct{ selectors, want string }{
		{"", "[contoso fabrikam]"}, {"contoso", "[contoso]"}, {"Fabrikam.example", "[fabrikam]"}, {"tag:ring=1", "[contoso]"},
		{"tag:ring", "[contoso fabrikam]"}, {"*o", "[contoso]"}, {"fab*,contoso", "[contoso fabrikam]"},
		{"contso", `no tenant matches "contso". Did you mean contoso?`}, {"tag:ring=3", `no tenant matches "tag:ring=3". Did you mean tag:ring=1?`},
	} {
		var selectors []string
		if row.selectors != "" {
			selectors = strings.Split(row.selectors, ",")
		}
		got, err := f.Select(selectors)
		s := fmt.Sprint(err)
		if err == nil {
			var keys []string
			for _, t := range got {
				keys = append(keys, t.Key)
			}
			s = fmt.Sprint(keys)
		}
		if s != row.want {
			t.Errorf("%q: %s", row.selectors, s)
		}
	}
}

func TestImportRemovedMovedCheck(t *testing.T) {
	f := mustFrame(t, providers+`
locals { ids = { "x.example" = "17" } }
tenant "a" { primary_domain = "a.example" }
domain "d" {
  for_each = local.ids
  name     = each.key
}
import {
  for_each = local.ids
  to       = domain.d[each.key]
  id       = each.value
}
removed {
  from    = module.customer["gone"].tenant.this
  destroy = true
}
removed { from = domain.d["old.example"] }
moved {
  from = domain.old
  to   = domain.d["x.example"]
}
check "ids" {
  assert {
    condition     = length(local.ids) > 3
    error_message = "Only ${length(local.ids)}."
  }
}
`)
	e, v, diags := tryEvaluate(t, f, "a", EvalRequest{})
	if diags.HasErrors() || !strings.Contains(text(diags, f.graph), "check.ids: Only 1.") {
		t.Error(text(diags, f.graph))
	}
	if v.seen[`domain.d["x.example"]`].Import != "17" {
		t.Error("import id")
	}
	if len(e.Removed) != 2 || e.Removed[0].From.String() != `module.customer["gone"].tenant.this` || !e.Removed[0].Destroy || !e.Removed[0].Whole || e.Removed[1].Whole {
		t.Errorf("%+v", e.Removed)
	}
	if len(e.Moved) != 1 || e.Moved[0].To.String() != `domain.d["x.example"]` {
		t.Errorf("%+v", e.Moved)
	}
}

func TestJSONSyntax(t *testing.T) {
	f := mustFrame(t, providers+`
-- extra.weir.json --
{
  "tenant": {"a": {"primary_domain": "a.example", "admin": {"email": "it@${var.d}"}}},
  "variable": {"d": {"default": "a.example", "type": "string"}},
  "domain": {"x": {"tenant": "${tenant.a}", "name": "${var.d}", "depends_on": ["tenant.a"]}},
  "policy": {"p": {"include": "${entry.department != var.d}"}}
}
`)
	_, v := evaluate(t, f, "a", EvalRequest{})
	if got := attrText(v.seen["tenant.a"].Config, "admin.email"); got != `"it@a.example"` {
		t.Errorf("email %s", got)
	}
	if got := directory.PredicateOf(v.seen["policy.p"].Config.GetAttr("include")).Text(); got != `entry.department != "a.example"` {
		t.Errorf("predicate %s", got)
	}
	if fmt.Sprint(v.seen["domain.x"].Dependencies) != "[tenant.a]" {
		t.Error(v.seen["domain.x"].Dependencies)
	}
}

func TestFilesAreRecorded(t *testing.T) {
	f := mustFrame(t, providers+`
locals { rows = csvdecode(file("${path.module}/customers.csv")) }
tenant "t" {
  for_each       = { for r in local.rows : r.key => r }
  primary_domain = each.value.domain
}
module "m" {
  source = "./m"
  for_each = toset(["a"])
  tenant = tenant.t[each.key]
}
-- customers.csv --
key,domain
a,a.example
b,b.example
-- m/m.weir.hcl --
variable "tenant" { type = tenant }
domain "d" {
  tenant      = var.tenant
  name        = trimspace(file("${path.module}/name.txt"))
  destination = templatefile("${path.module}/t.tpl", { who = var.tenant.key })
}
-- m/name.txt --
n.example
-- m/t.tpl --
%{ if who == "a" }hello ${who}%{ endif }
`)
	if len(f.Tenants) != 2 || f.Files["customers.csv"] == nil {
		t.Fatalf("%v %v", f.Tenants, sortedKeys(f.Files))
	}
	e, v := evaluate(t, f, "a", EvalRequest{})
	inst := v.seen[`module.m["a"].domain.d`]
	if got := attrText(inst.Config, "name") + attrText(inst.Config, "destination"); got != `"n.example""hello a\n"` {
		t.Errorf("got %s", got)
	}
	if got := fmt.Sprint(sortedKeys(e.Files)); got != "[customers.csv m/name.txt m/t.tpl]" {
		t.Errorf("files %s", got)
	}
}

func TestProvidersCountsAndModules(t *testing.T) {
	f := mustFrame(t, `
variable "stack" { default = "us2" }
provider "essentials" "us1" {
  stack    = "us1"
  user     = "a"
  password = secret("env://P")
}
provider "essentials" "us2" {
  stack    = "us2"
  user     = "b"
  password = secret("env://Q")
}
provider "microsoft" "m" {
  client_id     = "x"
  client_secret = secret("env://R")
}
tenant "t" {
  count          = 2
  primary_domain = "t${count.index}.example"
  essentials     = provider.essentials[count.index == 0 ? "us1" : var.stack]
}
module "pair" {
  source = "./pair"
  count  = 2
  n      = count.index
  p      = provider.essentials.us2
}
module "after" {
  source     = "./after"
  depends_on = [module.pair]
  who        = module.pair[1].tenant.x
}
-- pair/p.weir.hcl --
variable "p" { type = provider }
variable "n" {}
tenant "x" {
  key            = "pair-${var.n}"
  primary_domain = "${var.n}.pair.example"
  essentials     = var.p
  microsoft      = null
}
-- after/a.weir.hcl --
variable "who" { type = tenant }
domain "d" { name = var.who.primary_domain }
`)
	var got []string
	for _, tn := range f.Tenants {
		m := "none"
		if tn.Microsoft != nil {
			m = tn.Microsoft.Name + "/" + attrText(tn.Microsoft.Config, "credential")
		}
		got = append(got, tn.Key+" "+tn.Stack+" "+m)
	}
	if want := `[pair-0 us2 none pair-1 us2 none t-0 us1 m/"secret" t-1 us2 m/"secret"]`; fmt.Sprint(got) != want {
		t.Errorf("tenants %v", got)
	}
	_, v := evaluate(t, f, "pair-1", EvalRequest{})
	d := v.seen["module.after.domain.d"]
	if d == nil || attrText(d.Config, "name") != `"1.pair.example"` || fmt.Sprint(d.Dependencies) != "[module.pair[1].tenant.x]" {
		t.Errorf("%v %+v", v.order, d)
	}
}

func TestRootSubfolder(t *testing.T) {
	fsys := files(`
-- envs/prod/main.weir.hcl --
module "m" { source = "../../modules/m" }
locals { here = file("x.txt") }
output "o" { value = "${local.here}${module.m.text}${path.module}" }
-- envs/prod/x.txt --
here
-- modules/m/m.weir.hcl --
output "text" { value = "${file("${path.module}/y.txt")}${path.module}" }
-- modules/m/y.txt --
there
`)
	g, diags := Load(fsys, "envs/prod", testRegistry())
	if diags.HasErrors() {
		t.Fatal(text(diags, g))
	}
	f, diags := g.Frame(Inputs{})
	if diags.HasErrors() {
		t.Fatal(text(diags, g))
	}
	e, _ := evaluate(t, f, "", EvalRequest{OutputsOnly: true})
	if got := FormatValue(e.Outputs["o"].Value); got != `"here\nthere\n../../modules/m."` {
		t.Errorf("got %s", got)
	}
	if got := fmt.Sprint(sortedKeys(e.Files)); got != "[envs/prod/x.txt modules/m/y.txt]" {
		t.Errorf("files %s", got)
	}
}

func TestPanicReachesTheCaller(t *testing.T) {
	f := mustFrame(t, msp)
	defer func() {
		if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), "driver fault") {
			t.Errorf("recovered %v", p)
		}
		evaluate(t, f, "fabrikam", EvalRequest{}) // other tenants go on
	}()
	_, _ = f.Evaluate(context.Background(), EvalRequest{Tenant: f.Tenants[0], Parallel: 3, Visit: func(context.Context, *Instance) (cty.Value, hcl.Diagnostics) {
		panic("driver fault")
	}})
}

// TestUnconnected: where no vendor is asked, no credential has to be there; everything else is as it is otherwise.
func TestUnconnected(t *testing.T) {
	const src = `
provider "essentials" "us1" {
  stack    = "us1"
  user     = env("ESSENTIALS_USER")
  password = secret("env://ESSENTIALS_PASSWORD")
}
provider "essentials" "eu1" {
  stack    = "eu1"
  user     = env("ESSENTIALS_USER")
  password = secret("env://ESSENTIALS_PASSWORD")
}
tenant "a" {
  primary_domain = "a.example"
  essentials     = provider.essentials.us1
  tags           = { ring = "1" }
}
tenant "b" {
  primary_domain = "a.example"
  essentials     = provider.essentials.eu1
}
`
	g := mustLoad(t, files(src))
	none := func(string) (string, bool) { return "", false }
	f, diags := g.Frame(Inputs{Now: now, Env: none, Unconnected: true})
	if diags.HasErrors() {
		t.Fatal(text(diags, g))
	}
	if len(f.Tenants) != 2 || f.Tenants[0].Essentials != nil || f.Tenants[0].Tags["ring"] != "1" || len(f.Providers) != 0 {
		t.Errorf("%d tenants, %d providers", len(f.Tenants), len(f.Providers))
	}
	// The twin: a run that asks vendors needs the name, and other mistakes are mistakes here too.
	if _, diags := g.Frame(Inputs{Now: now, Env: none}); !strings.Contains(text(diags, g), "is not set") {
		t.Errorf("connected, without the variable: %s", text(diags, g))
	}
	g = mustLoad(t, files(src+"tenant \"c\" {\n  primary_domain = env(\"NOPE\")\n  essentials = null\n}"))
	if _, diags := g.Frame(Inputs{Now: now, Env: none, Unconnected: true}); !strings.Contains(text(diags, g), "is not set") {
		t.Errorf("a tenant that needs a variable: %s", text(diags, g))
	}
}
