package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// testRegistry holds a few small types in the manner of the real ones.
func testRegistry() *resource.Registry {
	list := func(context.Context, *resource.Conn) ([]resource.Live, error) { return nil, nil }
	read := func(context.Context, *resource.Conn, resource.ObjectID) (resource.Live, error) {
		return resource.Live{}, resource.ErrAbsent
	}
	change := func(context.Context, *resource.Conn, *resource.Change) (resource.Live, error) {
		return resource.Live{}, nil
	}
	del := func(context.Context, *resource.Conn, *resource.Change) error { return nil }
	make := func(name, provider string, after []string, attrs ...resource.Attribute) *resource.Type {
		for i := range attrs {
			if attrs[i].Description == "" {
				attrs[i].Description = "The " + attrs[i].Name + "."
			}
		}
		return &resource.Type{
			Name: name, Purpose: "For tests.", Provider: provider, After: after, Attributes: attrs,
			List: list, Read: read, Create: change, Update: change, Delete: del,
		}
	}
	str := func(name string) resource.Attribute {
		return resource.Attribute{Name: name, Type: cty.String, Optional: true}
	}
	described := func(attrs ...resource.Attribute) []resource.Attribute {
		for i := range attrs {
			attrs[i].Description = "The " + attrs[i].Name + "."
		}
		return attrs
	}
	return resource.NewRegistry([]*resource.Type{
		make("tenant", "essentials", nil,
			str("name"), resource.Attribute{Name: "primary_domain", Type: cty.String, Required: true, Fixed: true},
			str("parent"), str("entra_tenant_id"), str("package"),
			resource.Attribute{Name: "licenses", Type: cty.Number, Optional: true},
			resource.Attribute{Name: "features", Type: cty.Map(cty.Bool), Optional: true},
			resource.Attribute{Name: "delivery_ranges", Type: cty.List(cty.String), Computed: true},
			resource.Attribute{Name: "admin", Block: true, Optional: true, Nested: described(
				resource.Attribute{Name: "email", Type: cty.String, Required: true}, str("first_name"))},
		),
		make("domain", "essentials", []string{"tenant"},
			resource.Attribute{Name: "name", Type: cty.String, Required: true, Pattern: regexp.MustCompile(`^[a-z0-9.-]+$`), PatternHelp: "a domain name in lower case"},
			resource.Attribute{Name: "purpose", Type: cty.String, Optional: true, Enum: []string{"relay", "management"}},
			str("destination"),
			resource.Attribute{Name: "id", Type: cty.String, Computed: true},
			resource.Attribute{Name: "token", Type: cty.String, Computed: true, Sensitive: true},
		),
		make("app", "microsoft", nil,
			str("name"),
			resource.Attribute{Name: "password", Type: resource.SecretType, Optional: true, WriteOnly: true, Sensitive: true},
			resource.Attribute{Name: "client_id", Type: cty.String, Computed: true},
			resource.Attribute{Name: "key", Type: resource.SecretType, Computed: true, Sensitive: true},
		),
		make("policy", "essentials", []string{"domain"},
			resource.Attribute{Name: "include", Type: directory.PredicateType, Optional: true},
			resource.Attribute{Name: "sync", Type: cty.List(cty.String), Optional: true, Enum: []string{"active_users", "security_groups"}},
			resource.Attribute{Name: "limit", Type: cty.Number, Optional: true},
			resource.Attribute{Name: "users", Block: true, Optional: true, Nested: described(
				resource.Attribute{Name: "add", Type: cty.Bool, Optional: true}, resource.Attribute{Name: "remove", Type: cty.Bool, Optional: true})},
			resource.Attribute{Name: "connection", Block: true, Optional: true, Nested: described(
				resource.Attribute{Name: "application", Optional: true, Nested: described(
					str("client_id"), resource.Attribute{Name: "key", Type: resource.SecretType, Optional: true, WriteOnly: true, Sensitive: true})},
			)},
		),
		make("value", "weir", nil,
			resource.Attribute{Name: "input", Type: cty.DynamicPseudoType, Optional: true},
			resource.Attribute{Name: "output", Type: cty.DynamicPseudoType, Computed: true},
		),
	}, []*resource.DataType{{
		Name: "directory", Purpose: "For tests.", Provider: "microsoft", Attributes: []resource.Attribute{
			{Name: "filter", Type: cty.String, Optional: true, Description: "A filter."},
			{Name: "verified_domains", Type: cty.Set(cty.String), Computed: true, Description: "Domains."},
			{Name: "count", Type: cty.Number, Computed: true, Description: "Count."},
		},
		Read: func(context.Context, *resource.Conn, cty.Value) (cty.Value, error) { return cty.NilVal, nil },
	}})
}

// files reads "-- name --" sections; text before the first is main.weir.hcl.
func files(text string) fstest.MapFS {
	out := fstest.MapFS{}
	name := "main.weir.hcl"
	var b strings.Builder
	flush := func() {
		if s := b.String(); strings.TrimSpace(s) != "" || name != "main.weir.hcl" {
			out[name] = &fstest.MapFile{Data: []byte(s)}
		}
		b.Reset()
	}
	for line := range strings.Lines(text) {
		if l := strings.TrimSpace(line); strings.HasPrefix(l, "-- ") && strings.HasSuffix(l, " --") {
			flush()
			name = strings.TrimSuffix(strings.TrimPrefix(l, "-- "), " --")
			continue
		}
		b.WriteString(line)
	}
	flush()
	return out
}

const providers = `
provider "essentials" "us1" {
  stack    = "us1"
  user     = "weir@msp.example"
  password = secret("env://ESSENTIALS_PASSWORD")
}
provider "microsoft" "msp" {
  credential = "azure_cli"
}
`

func text(diags hcl.Diagnostics, g *Graph) string {
	var b strings.Builder
	WriteDiagnostics(&b, diags, g.Files(), 0, false)
	return b.String()
}

func mustLoad(t *testing.T, fsys fs.FS) *Graph {
	t.Helper()
	g, diags := Load(fsys, ".", testRegistry())
	if diags.HasErrors() {
		t.Fatal(text(diags, g))
	}
	return g
}

var now = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

func mustFrame(t *testing.T, src string, vars ...VarInput) *Frame {
	t.Helper()
	g := mustLoad(t, files(src))
	f, diags := g.Frame(Inputs{Vars: vars, Now: now})
	if diags.HasErrors() {
		t.Fatal(text(diags, g))
	}
	return f
}

// visit plans an instance in the simplest way: computed attributes of new objects are unknown, or the given ones.
type visit struct {
	seen   map[string]*Instance
	order  []string
	values map[string]cty.Value
	fail   map[string]bool
}

func (v *visit) Visit(_ context.Context, inst *Instance) (cty.Value, hcl.Diagnostics) {
	addr := inst.Address.String()
	v.seen[addr] = inst
	v.order = append(v.order, addr)
	if v.fail[addr] {
		return cty.NilVal, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Refused", Detail: addr}}
	}
	if got, ok := v.values[addr]; ok {
		return got, nil
	}
	attrs := map[string]cty.Value{}
	u, _ := inst.Config.UnmarkDeep()
	for i := range inst.Type.Attributes {
		row := &inst.Type.Attributes[i]
		attrs[row.Name] = u.GetAttr(row.Name)
		if row.Computed {
			attrs[row.Name] = cty.UnknownVal(row.ValueType())
		}
	}
	return cty.ObjectVal(attrs), nil
}

func newVisit() *visit {
	return &visit{seen: map[string]*Instance{}, values: map[string]cty.Value{}, fail: map[string]bool{}}
}

func noData(context.Context, DataRead) (cty.Value, error) {
	return cty.NilVal, errors.New("no reads here")
}

func directoryData(domains ...string) func(context.Context, DataRead) (cty.Value, error) {
	return func(context.Context, DataRead) (cty.Value, error) {
		var vals []cty.Value
		for _, d := range domains {
			vals = append(vals, cty.StringVal(d))
		}
		return cty.ObjectVal(map[string]cty.Value{
			"filter": cty.NullVal(cty.String), "verified_domains": cty.SetVal(vals), "count": cty.NumberIntVal(int64(len(vals))),
		}), nil
	}
}

func attrText(v cty.Value, path string) string {
	for _, name := range strings.Split(path, ".") {
		v, _ = v.Unmark()
		if v.IsNull() || !v.IsKnown() {
			break
		}
		v = v.GetAttr(name)
	}
	v, _ = v.UnmarkDeep()
	return FormatValue(v)
}

func TestThinPath(t *testing.T) {
	f := mustFrame(t, providers+`
variable "domain" { default = "contoso.com" }
locals { label = upper("relay") }
tenant "contoso" {
  name           = "Contoso Ltd"
  primary_domain = "Contoso.com"
  tags           = { ring = "1" }
}
domain "mail" {
  tenant      = tenant.contoso
  name        = var.domain
  purpose     = lower(local.label)
}
domain "second" {
  name        = "second.example"
  destination = domain.mail.id
}
`)
	if len(f.Tenants) != 1 || f.Tenants[0].Key != "contoso" || f.Tenants[0].PrimaryDomain != "contoso.com" || f.Tenants[0].Stack != "us1" {
		t.Fatalf("tenants: %+v", f.Tenants[0])
	}
	v := newVisit()
	e, diags := f.Evaluate(context.Background(), EvalRequest{Tenant: f.Tenants[0], Data: noData, Visit: v.Visit})
	if diags.HasErrors() {
		t.Fatal(text(diags, f.graph))
	}
	if got := fmt.Sprint(e.Visited); got != "[tenant.contoso domain.mail domain.second]" {
		t.Errorf("visited %s", got)
	}
	if got := attrText(v.seen["domain.mail"].Config, "purpose"); got != `"relay"` {
		t.Errorf("purpose %s", got)
	}
	if got := attrText(v.seen["domain.second"].Config, "destination"); got != "(known after apply)" {
		t.Errorf("destination %s", got)
	}
	if got := fmt.Sprint(v.seen["domain.second"].Dependencies); got != "[domain.mail]" {
		t.Errorf("dependencies %s", got)
	}
	if got := attrText(v.seen["tenant.contoso"].Config, "primary_domain"); got != `"contoso.com"` {
		t.Errorf("primary domain %s", got)
	}
}
