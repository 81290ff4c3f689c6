package config

import (
	"strings"
	"testing"

	"github.com/weir-project/weir/providers/resource"
)

// moved reads "FROM to TO", where either may be a module call.
func moved(t *testing.T, text string) Moved {
	t.Helper()
	read := func(s string) resource.Address {
		if !strings.HasPrefix(s, "module.") || strings.Contains(s, "box.") {
			a, err := resource.ParseAddress(s)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		a, err := resource.ParseAddress(s + ".box.x")
		if err != nil {
			t.Fatal(err)
		}
		return resource.Address{Module: a.Module}
	}
	from, to, ok := strings.Cut(text, " to ")
	if !ok {
		t.Fatal(text)
	}
	return Moved{From: read(from), To: read(to)}
}

func TestMovedRename(t *testing.T) {
	for _, row := range []struct {
		moved, address string
		want           string // "" when the block is about something else
	}{
		{`box.a to box.b`, `box.a`, `box.b`},
		{`box.a to box.b`, `box.a["x"]`, `box.b["x"]`},
		{`box.a to box.b`, `box.a[3]`, `box.b[3]`},
		{`box.a to box.b`, `box.c`, ``},
		{`box.a to box.b`, `tin.a`, ``},
		{`box.a to box.b`, `module.m.box.a`, ``},
		{`box.a to box.a["x"]`, `box.a`, `box.a["x"]`},
		{`box.a to box.a["x"]`, `box.a["y"]`, ``},
		{`box.a[0] to box.a`, `box.a[0]`, `box.a`},
		{`box.a[0] to box.a`, `box.a[1]`, ``},
		{`box.a["x"] to box.a["y"]`, `box.a["x"]`, `box.a["y"]`},
		{`box.a["1"] to box.b`, `box.a[1]`, ``},
		{`box.a to module.m.box.a`, `box.a`, `module.m.box.a`},
		{`box.a to module.m["k"].box.a`, `box.a[2]`, `module.m["k"].box.a[2]`},
		{`module.m.box.a to box.a`, `module.m.box.a`, `box.a`},
		{`module.m.box.a to box.a`, `module.m["k"].box.a`, ``},
		{`module.m.box.a to module.m.box.b`, `module.m["k"].box.a["x"]`, `module.m["k"].box.b["x"]`},
		{`module.m["k"].box.a to module.m["k"].box.b`, `module.m["k"].box.a["x"]`, `module.m["k"].box.b["x"]`},
		{`module.m["k"].box.a to module.m["k"].box.b`, `module.m["l"].box.a`, ``},
		{`module.a to module.b`, `module.a.box.x`, `module.b.box.x`},
		{`module.a to module.b`, `module.a["k"].module.in[1].box.x["y"]`, `module.b["k"].module.in[1].box.x["y"]`},
		{`module.a to module.b`, `module.c.box.x`, ``},
		{`module.a to module.b`, `box.a`, ``},
		{`module.a to module.a["k"]`, `module.a.box.x`, `module.a["k"].box.x`},
		{`module.a to module.a["k"]`, `module.a["j"].box.x`, ``},
		{`module.a["k"] to module.a["l"]`, `module.a["k"].box.x`, `module.a["l"].box.x`},
		{`module.a["k"] to module.b`, `module.a["k"].box.x`, `module.b.box.x`},
		{`module.a.module.in to module.a.module.out`, `module.a["k"].module.in["j"].box.x`, `module.a["k"].module.out["j"].box.x`},
		{`module.a.module.in to module.in`, `module.a.module.in.box.x`, `module.in.box.x`},
		{`module.a.module.in to module.in`, `module.a["k"].module.in.box.x`, ``},
		{`module.a to module.a.module.in`, `module.a["k"].box.x`, `module.a["k"].module.in.box.x`},
	} {
		t.Run(row.moved+": "+row.address, func(t *testing.T) {
			a, err := resource.ParseAddress(row.address)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := moved(t, row.moved).Rename(a)
			switch {
			case ok != (row.want != ""):
				t.Errorf("is about it: %v (%s)", ok, got)
			case ok && got.String() != row.want:
				t.Errorf("got %s, want %s", got, row.want)
			}
			if a.String() != row.address {
				t.Errorf("the address given is %s by now", a)
			}
		})
	}
}

func TestMovedContradictions(t *testing.T) {
	const before = providers + `
tenant "a" { primary_domain = "a.example" }
domain "b" { name = "b.example" }
domain "k" {
  for_each = { x = "x.example" }
  name     = each.value
}
module "m" {
  source = "./m"
  t      = tenant.a
}
-- m/main.weir.hcl --
variable "t" { type = tenant }
domain "in" { name = "in.example" }
-- moved.weir.hcl --
`
	for _, row := range []struct {
		name, src string
		want      string // in the diagnostics; "" for none
	}{
		{"good", "moved {\n from = domain.a\n to = domain.b\n}", ""},
		{"a chain", "moved {\n from = domain.z\n to = domain.a\n}\nmoved {\n from = domain.a\n to = domain.b\n}", ""},
		{"a key gained", "moved {\n from = domain.k\n to = domain.k[\"x\"]\n}", ""},
		{"a module", "moved {\n from = module.n\n to = module.m\n}", ""},
		{"to itself", "moved {\n from = domain.b\n to = domain.b\n}", "moved to itself"},
		{"one origin, two destinations", "moved {\n from = domain.a\n to = domain.b\n}\nmoved {\n from = domain.a\n to = domain.c\n}", "Ambiguous moves"},
		{"two origins, one destination", "moved {\n from = domain.a\n to = domain.b\n}\nmoved {\n from = domain.c\n to = domain.b\n}", "Ambiguous moves"},
		{"a circle", "moved {\n from = domain.y\n to = domain.z\n}\nmoved {\n from = domain.z\n to = domain.y\n}", "Moves in a circle"},
		{"a circle of one instance", "moved {\n from = domain.y[\"x\"]\n to = domain.z[\"x\"]\n}\nmoved {\n from = domain.z\n to = domain.y\n}", "Moves in a circle"},
		{"still declared", "moved {\n from = domain.b\n to = domain.c\n}", "domain.b still stands"},
		{"an instance still declared", "moved {\n from = domain.k[\"x\"]\n to = domain.b\n}", "domain.k[\"x\"] still stands"},
		{"an instance that is not", "moved {\n from = domain.k[\"y\"]\n to = domain.b\n}", ""},
		{"a module still called", "moved {\n from = module.m\n to = module.n\n}", "module.m still stands"},
		{"a block of a module still declared", "moved {\n from = module.m.domain.in\n to = domain.b\n}", "module.m.domain.in still stands"},
		{"of different kinds", "moved {\n from = domain.a\n to = value.a\n}", "different kinds"},
		{"a module to a block", "moved {\n from = module.n\n to = domain.b\n}", "different kinds"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := mustLoad(t, files(before+row.src))
			f, diags := g.Frame(Inputs{Now: now})
			switch {
			case row.want == "" && diags.HasErrors():
				t.Fatal(text(diags, g))
			case row.want == "" && len(f.Moved) == 0:
				t.Error("the frame has no moves")
			case row.want != "" && !strings.Contains(text(diags, g), row.want):
				t.Errorf("got %s", text(diags, g))
			}
		})
	}
}

func TestHome(t *testing.T) {
	f := mustFrame(t, providers+`
tenant "a" { primary_domain = "a.example" }
module "m" {
  source   = "./m"
  for_each = toset(["x", "y"])
  name     = each.key
}
value "v" { input = "1" }
-- m/main.weir.hcl --
variable "name" { type = string }
tenant "this" {
  key            = var.name
  primary_domain = "${var.name}.example"
}
domain "in" { name = "in.${var.name}.example" }
`)
	for address, want := range map[string]string{
		`tenant.a`: "a", `module.m["x"].domain.in`: "x", `module.m["y"].tenant.this`: "y", `value.v`: "a",
		`module.m["z"].domain.in`: "-", `module.m.domain.in`: "-", `domain.in`: "-", `tenant.a["k"]`: "-", `module.q.domain.in`: "-",
	} {
		a, err := resource.ParseAddress(address)
		if err != nil {
			t.Fatal(err)
		}
		home, declared := f.Home(a)
		got := "-"
		if declared {
			got = tenantKey(home)
		}
		if got != want {
			t.Errorf("%s belongs to %q, want %q", address, got, want)
		}
	}
}
