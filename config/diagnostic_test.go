package config

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// findings loads, frames and evaluates everything and returns what was said on the way.
func findings(src string, vars ...VarInput) (hcl.Diagnostics, *Graph) {
	g, diags := Load(files(src), ".", testRegistry())
	if diags.HasErrors() {
		return diags, g
	}
	f, diags := g.Frame(Inputs{Vars: vars, Now: now})
	if diags.HasErrors() {
		return diags, g
	}
	for _, tn := range append(f.Tenants, nil) {
		_, more := f.Evaluate(context.Background(), EvalRequest{Tenant: tn, Visit: newVisit().Visit, Data: noData})
		diags = append(diags, more...)
	}
	return diags, g
}

func TestDiagnostics(t *testing.T) {
	const a = "tenant \"a\" { primary_domain = \"a.example\" }\n" // line 1
	for _, row := range []struct {
		name, src string
		at        string // file:line,column-line,column of the first error; "" when it has no place
		want      []string
	}{
		{"unknown domain", a + "domain \"mail\" {\n  name = \"x.example\"\n}\ndomain \"b\" {\n  name = domain.main.name\n}", "main.weir.hcl:6,10-26", []string{"Unknown domain", "There is no domain.main in this module. Did you mean domain.mail?", "in domain \"b\""}},
		{"unknown attribute", a + "domain \"b\" {\n  name = tenant.a.delivery_range\n}", "main.weir.hcl:3,10-33", []string{"Unknown attribute", "Did you mean delivery_ranges?"}},
		{"unknown argument", a + "domain \"b\" {\n  name = \"x\"\n  purpos = \"relay\"\n}", "main.weir.hcl:4,3-9", []string{"Unsupported argument", `Did you mean "purpose"?`}},
		{"unknown block", a + "domian \"b\" {\n}", "main.weir.hcl:2,1-7", []string{"Unsupported block type", `Did you mean "domain"?`}},
		{"resource block", "resource \"domain\" \"b\" {\n}", "main.weir.hcl:1,1-9", []string{`write domain "x"`}},
		{"missing argument", a + "domain \"b\" {\n}", "main.weir.hcl:2,1-11", []string{"Missing required argument", `"name" is required. The name.`}},
		{"computed", a + "domain \"b\" {\n  name = \"x\"\n  id = \"1\"\n}", "main.weir.hcl:4,3-5", []string{"Value is computed"}},
		{"wrong type", a + "policy \"p\" {\n  limit = \"many\"\n}", "main.weir.hcl:3,11-17", []string{"Invalid value", "expected a number, but this is text"[1:]}},
		{"enum", a + "domain \"b\" {\n  name = \"x\"\n  purpose = \"relais\"\n}", "main.weir.hcl:4,13-21", []string{`"relais" is not allowed here; allowed are relay, management. Did you mean relay?`}},
		{"enum element", a + "policy \"p\" {\n  sync = [\"active_user\"]\n}", "main.weir.hcl:3,10-25", []string{"Did you mean active_users?"}},
		{"pattern", a + "domain \"b\" {\n  name = \"X Y\"\n}", "main.weir.hcl:3,10-15", []string{"a domain name in lower case"}},
		{"required null", a + "domain \"b\" {\n  name = null\n}", "main.weir.hcl:3,10-14", []string{"is required and cannot be null"}},
		{"undeclared variable", a + "variable \"domain\" { default = \"x\" }\ndomain \"b\" {\n  name = var.domian\n}", "main.weir.hcl:4,10-20", []string{"Undeclared variable", "Did you mean var.domain?"}},
		{"undeclared local", a + "domain \"b\" {\n  name = local.x\n}", "main.weir.hcl:3,10-17", []string{"Undeclared local value"}},
		{"unknown function", a + "domain \"b\" {\n  name = uper(\"x\")\n}", "main.weir.hcl:3,10-14", []string{`Did you mean "upper"?`}},
		{"cycle of locals", "locals {\n  a = local.b\n  b = local.c\n  c = local.a\n}", "main.weir.hcl:2,3-14", []string{"Cycle", "local.a → local.b → local.c → local.a"}},
		{"cycle of blocks", a + "domain \"x\" {\n  name = domain.y.name\n}\ndomain \"y\" {\n  name = domain.x.name\n}", "main.weir.hcl:2,1-11", []string{"Cycle", "domain.x → domain.y → domain.x"}},
		{"cycle through a module", a + "module \"m\" {\n  source = \"./m\"\n  in = domain.x.name\n}\ndomain \"x\" {\n  name = module.m.out\n}\n-- m/m.weir.hcl --\nvariable \"in\" {}\noutput \"out\" { value = var.in }", "", []string{"Cycle", "domain.x → domain.x"}},
		{"self", a + "domain \"x\" {\n  name = domain.x.id\n}", "main.weir.hcl:3,10-21", []string{"Block refers to itself"}},
		{"duplicate", a + "domain \"x\" {\n  name = \"x\"\n}\ndomain \"x\" {\n  name = \"y\"\n}", "main.weir.hcl:5,1-11", []string{"Declared twice", "the first is at main.weir.hcl line 2"}},
		{"duplicate key", a + "tenant \"b\" {\n  primary_domain = \"b.example\"\n  key = \"a\"\n}", "main.weir.hcl:4,9-12", []string{"Tenant key used twice", "main.weir.hcl line 1"}},
		{"same organization", a + "tenant \"b\" {\n  primary_domain = \"A.example\"\n}", "main.weir.hcl:3,20-31", []string{"Organization claimed twice"}},
		{"bad key", "tenant \"Big_Co\" {\n  primary_domain = \"b.example\"\n}", "main.weir.hcl:1,1-16", []string{"Invalid tenant key", `Write key = "…"`}},
		{"no primary domain", "tenant \"x\" {\n  name = \"X\"\n}", "main.weir.hcl:1,1-11", []string{"primary_domain"}},
		{"unknown frame value", a + "app \"x\" {\n  tenant = tenant.a\n  name = \"x\"\n}\ntenant \"b\" {\n  primary_domain = \"${app.x.client_id}.example\"\n}", "main.weir.hcl:7,20-48", []string{"Not known in time", "depends on app.x"}},
		{"unknown tenant list", a + "data \"directory\" \"d\" {\n  tenant = tenant.a\n}\ntenant \"b\" {\n  for_each = data.directory.d.verified_domains\n  primary_domain = each.key\n}", "main.weir.hcl:5,1-11", []string{"Not known in time", "depends on data.directory.d"}},
		{"two tenants", a + "tenant \"b\" { primary_domain = \"b.example\" }\ndomain \"x\" {\n  name = \"x\"\n}", "main.weir.hcl:3,1-11", []string{"Tenant missing", "2 tenant blocks", "tenant = tenant.NAME"}},
		{"no tenant", "domain \"x\" {\n  name = \"x\"\n}", "main.weir.hcl:1,1-11", []string{"Tenant missing"}},
		{"not a tenant", a + "domain \"x\" {\n  tenant = \"a\"\n  name = \"x\"\n}", "main.weir.hcl:3,12-15", []string{"Invalid tenant", "expected a tenant, such as tenant.contoso, but this is text"}},
		{"for_each list", a + "domain \"x\" {\n  for_each = [\"a\"]\n  name = each.key\n}", "main.weir.hcl:3,14-19", []string{"Invalid for_each", "toset("}},
		{"for_each sensitive", a + "domain \"x\" {\n  for_each = sensitive(toset([\"a\"]))\n  name = each.key\n}", "main.weir.hcl:3,14-37", []string{"Invalid for_each", "sensitive"}},
		{"each outside", a + "domain \"x\" {\n  name = each.key\n}", "main.weir.hcl:3,10-18", []string{"only inside a block with for_each"}},
		{"no key", a + "domain \"x\" {\n  for_each = toset([\"a\"])\n  name = each.key\n}\ndomain \"y\" {\n  name = domain.x.name\n}", "main.weir.hcl:7,10-23", []string{"Missing instance key"}},
		{"wrong key", a + "domain \"x\" {\n  for_each = toset([\"a\"])\n  name = each.key\n}\ndomain \"y\" {\n  name = domain.x[\"b\"].name\n}", "main.weir.hcl:7,18-23", []string{"Invalid index"}},
		{"division", a + "policy \"p\" {\n  limit = 1 / 0\n}", "main.weir.hcl:3,11-16", []string{"division by zero"}},
		{"conversion drops", a + "variable \"o\" {\n  type = object({ name = string, size = optional(number) })\n  default = { name = \"x\", sizes = 3 }\n}", "main.weir.hcl:4,13-38", []string{"Attribute would be dropped", "Did you mean size?"}},
		{"module object", a + "module \"m\" {\n  source = \"./m\"\n  o = { name = \"x\", colour = 3 }\n}\n-- m/m.weir.hcl --\nvariable \"o\" { type = object({ name = string }) }", "main.weir.hcl:4,7-33", []string{"Attribute would be dropped", `extra = "ignore"`}},
		{"module argument", a + "module \"m\" {\n  source = \"./m\"\n  nam = 1\n}\n-- m/m.weir.hcl --\nvariable \"name\" { default = 1 }", "main.weir.hcl:4,3-6", []string{"Unsupported argument", "Did you mean name?"}},
		{"module missing", "module \"m\" {\n  source = \"./mm\"\n}", "main.weir.hcl:2,12-18", []string{"Module not found"}},
		{"module outside", "module \"m\" {\n  source = \"../x\"\n}", "main.weir.hcl:2,12-18", []string{"Module outside the configuration"}},
		{"module remote", "module \"m\" {\n  source = \"git::https://x\"\n}", "main.weir.hcl:2,12-28", []string{"Not a local module"}},
		{"module itself", "module \"m\" {\n  source = \"./m\"\n}\n-- m/m.weir.hcl --\nmodule \"n\" {\n  source = \"../m\"\n}", "m/m.weir.hcl:2,12-18", []string{"Module calls itself"}},
		{"module output", a + "module \"m\" {\n  source = \"./m\"\n}\ndomain \"x\" {\n  name = module.m.nam\n}\n-- m/m.weir.hcl --\noutput \"name\" { value = 1 }", "", []string{"Unknown output", "Did you mean name?"}},
		{"required variable", "variable \"x\" {\n  type = string\n}", "main.weir.hcl:1,1-13", []string{"No value for required variable", "--var x=…"}},
		{"variable type", "variable \"x\" {\n  type = strin\n}", "main.weir.hcl:2,10-15", []string{"Invalid type", "Did you mean string?"}},
		{"validation", a + "variable \"x\" {\n  default = 3\n  validation {\n    condition = var.x > 5\n    error_message = \"Not ${var.x}.\"\n  }\n}", "main.weir.hcl:5,17-26", []string{"Invalid value for variable", "Not 3.", "var.x is 3"}},
		{"predicate field", a + "policy \"p\" {\n  include = entry.departmnt == \"x\"\n}", "main.weir.hcl:3,13-28", []string{"Unknown attribute", "Did you mean entry.department?"}},
		{"predicate type", a + "policy \"p\" {\n  include = entry.department\n}", "main.weir.hcl:3,13-29", []string{"Invalid condition", "gives text"}},
		{"predicate whole", a + "policy \"p\" {\n  include = entry == null\n}", "main.weir.hcl:3,13-18", []string{"names the attribute it reads"}},
		{"predicate sensitive", a + "policy \"p\" {\n  include = entry.name == sensitive(\"x\")\n}", "", nil},
		{"entry elsewhere", a + "domain \"x\" {\n  name = entry.name\n}", "main.weir.hcl:3,10-20", []string{"only in a condition"}},
		{"sensitive output", "output \"x\" {\n  value = sensitive(1)\n}", "main.weir.hcl:2,11-23", []string{"Output shows a sensitive value"}},
		{"data in plan", a + "app \"x\" {\n  name = \"x\"\n}\ndata \"directory\" \"d\" {\n  filter = app.x.client_id\n}", "main.weir.hcl:5,1-21", []string{"Not known in time", "app.x"}},
		{"removed declared", a + "domain \"x\" {\n  name = \"x\"\n}\nremoved {\n  from = domain.x\n}", "main.weir.hcl:6,10-18", []string{"Removed but still declared", "main.weir.hcl line 2"}},
		{"import nothing", a + "import {\n  to = domain.x\n  id = \"1\"\n}", "main.weir.hcl:3,8-16", []string{"Invalid import"}},
		{"provider kind", "provider \"essential\" \"x\" {\n}", "main.weir.hcl:1,10-21", []string{"Unknown provider", "Did you mean essentials?"}},
		{"two providers", a + "provider \"microsoft\" \"two\" { credential = \"azure_cli\" }", "main.weir.hcl:1,1-11", []string{"Provider missing", "provider.microsoft.msp or provider.microsoft.two"}},
		{"provider incomplete", "provider \"microsoft\" \"two\" { credential = \"secret\" }", "main.weir.hcl:1,1-27", []string{"Incomplete provider", "client_id"}},
		{"dynamic", a + "policy \"p\" {\n  dynamic \"users\" {\n    for_each = [1, 2]\n    content {}\n  }\n}", "main.weir.hcl:4,16-22", []string{"may stand only once"}},
		{"settings", "weir {\n  adopt = \"never\"\n}", "", []string{"adopt is"}},
		{"safeguard window", "safeguard {\n  window = \"soon\"\n}", "main.weir.hcl:2,12-18", []string{"24h"}},
		{"safeguard allow", "safeguard {\n  allow {}\n}", "main.weir.hcl:2,3-8", []string{"one reviewed removal of one tenant"}},
		{"block in module", a + "module \"m\" {\n  source = \"./m\"\n}\n-- m/m.weir.hcl --\nprovider \"microsoft\" \"x\" {\n}", "m/m.weir.hcl:1,1-25", []string{"Block belongs in the root module"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			diags, g := findings(row.src + "\n-- providers.weir.hcl --" + providers)
			got := text(diags, g)
			if row.want == nil && row.at == "" {
				if row.name == "predicate sensitive" {
					return // literals are the author's own text
				}
			}
			for _, want := range row.want {
				if !strings.Contains(got, want) {
					t.Errorf("want %q in\n%s", want, got)
				}
			}
			var first *hcl.Diagnostic
			for _, d := range diags {
				if d.Severity == hcl.DiagError {
					first = d
					break
				}
			}
			if first == nil {
				t.Fatalf("no error:\n%s", got)
			}
			if row.at != "" {
				at := "nowhere"
				if r := first.Subject; r != nil {
					at = fmt.Sprintf("%s:%d,%d-%d", r.Filename, r.Start.Line, r.Start.Column, r.End.Column)
					if r.End.Line != r.Start.Line {
						at = fmt.Sprintf("%s:%d,%d-%d,%d", r.Filename, r.Start.Line, r.Start.Column, r.End.Line, r.End.Column)
					}
				}
				if at != row.at {
					t.Errorf("at %s, want %s\n%s", at, row.at, got)
				}
			}
		})
	}
}

func TestWriteDiagnostics(t *testing.T) {
	g, _ := Load(files("locals {\n  secret = sensitive(\"hunter2\")\n  a = \"x\\u001b[31m\"\n  b = tonumber(local.a) + tonumber(local.secret)\n}\n"), ".", testRegistry())
	got := text(g.Validate(), g)
	want := "Error: Invalid function argument\n" +
		"  on main.weir.hcl line 4, in locals:\n" +
		"  4:   b = tonumber(local.a) + tonumber(local.secret)\n" +
		"    local.a is \"x\\u001b[31m\"\n"
	if !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if strings.Contains(got, "hunter2") || strings.Contains(got, "\x1b") {
		t.Error("a sensitive value or a control byte is shown")
	}
	var b strings.Builder
	WriteDiagnostics(&b, g.Validate(), g.Files(), 40, true)
	if !strings.Contains(b.String(), "\x1b[31mError:\x1b[0m") {
		t.Errorf("no colour: %q", b.String())
	}
}

func TestUndeclaredInputs(t *testing.T) {
	src := "variable \"customers\" { default = 1 }\n"
	for _, row := range []struct {
		in   VarInput
		want string
	}{
		{VarInput{Name: "custmers", Text: "1", Source: "--var"}, "Did you mean customers?"},
		{VarInput{Name: "custmers", Text: "1", Source: "x.weirvars.hcl", FromFile: true, Range: hcl.Range{Filename: "x.weirvars.hcl", Start: hcl.InitialPos, End: hcl.InitialPos}}, "Did you mean customers?"},
		{VarInput{Name: "custmers", Text: "1", Source: "WEIR_VAR_custmers"}, ""},
	} {
		diags, g := findings(src, row.in)
		if got := text(diags, g); row.want == "" && got != "" || !strings.Contains(got, row.want) {
			t.Errorf("%s: %s", row.in.Source, got)
		}
	}
}
