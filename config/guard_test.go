package config

import (
	"fmt"
	"github.com/weir-project/weir/providers/directory"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestGuard(t *testing.T) {
	rep := strings.Repeat
	flat := func() string {
		var b strings.Builder
		b.WriteString("locals {\n  customers = {\n")
		for i := range 6000 {
			fmt.Fprintf(&b, "    c%d = { domain = \"c%d.example\", licenses = %d, ring = local.x.y.z }\n", i, i, i)
		}
		b.WriteString("  }\n  x = { y = { z = 1 } }\n}\n")
		return b.String()
	}
	for _, row := range []struct{ name, src, want string }{
		{"parentheses", "locals {\n  x = " + rep("(", 20_000) + "1" + rep(")", 20_000) + "\n}", "Nested too deeply"},
		{"parentheses twin", "locals {\n  x = " + rep("(", 90) + "1" + rep(")", 90) + "\n}", ""},
		{"brackets", "locals {\n  x = " + rep("[", 20_000), "Nested too deeply"},
		{"blocks", rep("a {\n", 20_000), "Nested too deeply"},
		{"templates", "locals {\n  x = " + rep(`"${`, 60) + "1" + rep(`}"`, 60) + "\n}", "Nested too deeply"},
		{"directives", "locals {\n  x = \"" + rep("%{ if true }", 5_000) + rep("%{ endif }", 5_000) + "\"\n}", "Nested too deeply"},
		{"directives twin", "locals {\n  x = \"" + rep("%{ if true }a%{ endif }", 500) + "\"\n}", ""},
		{"unary", "locals {\n  x = " + rep("!", 20_000) + "true\n}", "Nested too deeply"},
		{"unary minus", "locals {\n  x = " + rep("-", 20_000) + "1\n}", "Nested too deeply"},
		{"ternary", "locals {\n  x = " + rep("true ? 1 : ", 50_000) + "1\n}", "Nested too deeply"},
		{"ternary twin", "locals {\n  x = [" + rep("true ? 1 : 2, ", 2_000) + "]\n}", ""},
		{"binary", "locals {\n  x = 1" + rep(" + 1", 20_000) + "\n}", "Expression too long"},
		{"binary twin", "locals {\n  x = 1" + rep(" + 1", 5_000) + "\n}", ""},
		{"index", "locals {\n  y = 1\n  x = local.y" + rep("[local.y]", 50_000) + "\n}", "Expression too long"},
		{"flat map", flat(), ""},
		{"large", "locals {\n  x = \"" + rep("a", 1<<20) + "\"\n}", "at most 1048576"},
	} {
		t.Run(row.name, func(t *testing.T) {
			diags, g := findings(row.src)
			got := text(diags, g)
			if row.want == "" && diags.HasErrors() || !strings.Contains(got, row.want) {
				if len(got) > 2000 {
					got = got[:2000]
				}
				t.Errorf("want %q, got %s", row.want, got)
			}
		})
	}
	for name, src := range map[string]string{
		"arrays":   `{"locals": {"x": ` + rep("[", 20_000) + rep("]", 20_000) + `}}`,
		"objects":  rep(`{"a":`, 20_000),
		"template": `{"locals": {"x": "` + rep("${(", 5_000) + `"}}`,
		"type":     `{"variable": {"x": {"type": "` + rep("list(", 50_000) + `string"}}}`,
	} {
		g, diags := Load(fstest.MapFS{"x.weir.json": {Data: []byte(src)}}, ".", testRegistry())
		if !diags.HasErrors() {
			t.Errorf("json %s: accepted", name)
		} else if got := text(diags, g); !strings.Contains(got, "Nested too deeply") && !strings.Contains(got, "Invalid JSON") {
			t.Errorf("json %s: %s", name, got[:min(len(got), 500)])
		}
	}
	if v, diags := (&Frame{}).graphless(rep("(", 20_000)); !diags.HasErrors() {
		t.Errorf("expression: %v", v)
	}
}

// graphless parses an expression as Eval does.
func (f *Frame) graphless(expr string) (any, interface{ HasErrors() bool }) {
	e, diags := parseExpression([]byte(expr), "x")
	return e, diags
}

func TestBudgets(t *testing.T) {
	var doubling, list strings.Builder
	doubling.WriteString("locals {\n  a0 = \"xxxxxxxxxxxxxxxx\"\n")
	list.WriteString("locals {\n  a0 = [1]\n")
	for i := 1; i < 31; i++ {
		fmt.Fprintf(&doubling, "  a%d = \"${local.a%d}${local.a%d}\"\n", i, i-1, i-1)
		fmt.Fprintf(&list, "  a%d = [local.a%d, local.a%d]\n", i, i-1, i-1)
	}
	doubling.WriteString("}\n")
	list.WriteString("}\n")
	big := "locals {\n  big = join(\"\", [for i in range(1000) : \"" + strings.Repeat("x", 1000) + "\"])\n"
	for _, row := range []struct{ name, src, want string }{
		{"doubling text", doubling.String(), "larger than 4 MiB"},
		{"doubling list", list.String(), "larger than 4 MiB"},
		{"loop of large text", big + "  x = [for i in range(1000) : \"${local.big}!\"]\n}", "MiB"},
		{"one template", big + "  x = \"" + strings.Repeat("${local.big}", 2_000) + "\"\n}", "over budget"},
		{"replace", big + "  x = replace(local.big, \"x\", local.big)\n}", "larger than 4 MiB"},
		{"format", "locals {\n  x = format(\"%1000000000s\", \"\")\n}", "999"},
		{"setproduct", "locals {\n  r = range(1000)\n  x = setproduct(local.r, local.r, local.r)\n}", "combinations"},
		{"jsondecode", "locals {\n  x = jsondecode(join(\"\", [for i in range(1000) : \"[[[[[[\"]))\n}", "nested 100 deep"},
		{"yamldecode", "locals {\n  x = yamldecode(join(\"\", [for i in range(1000) : \"- - - - \"]))\n}", "nested 100 deep"},
		{"pow", "locals {\n  x = pow(10, 400)\n}", "infinite"},
		{"hidden in try", "locals {\n  r = range(1000)\n  x = try([for a in local.r : [for b in local.r : [for c in local.r : \"${a}\"]]], 1)\n}", "over budget"},
		{"fine", "locals {\n  r = range(100)\n  x = [for a in local.r : [for b in local.r : \"${a}\"]]\n}", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			diags, g := findings(row.src)
			got := text(diags, g)
			if row.want == "" && diags.HasErrors() || !strings.Contains(strings.ToLower(got), strings.ToLower(row.want)) {
				t.Errorf("want %q, got %s", row.want, got[:min(len(got), 1500)])
			}
		})
	}
}

func TestFilesStayInside(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "conf")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(root, "sub"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "secret.txt"), []byte("outside"), 0o600))
	must(os.WriteFile(filepath.Join(root, "in.txt"), []byte("inside"), 0o600))
	must(os.Symlink(filepath.Join(dir, "secret.txt"), filepath.Join(root, "link.txt")))
	must(os.Symlink(dir, filepath.Join(root, "up")))
	for _, row := range []struct{ expr, want string }{
		{`file("in.txt")`, ""}, {`file("./sub/../in.txt")`, ""},
		{`file("../secret.txt")`, "leads out"}, {`file("/etc/passwd")`, "relative path"},
		{`file("link.txt")`, "not a regular file"}, {`file("up/secret.txt")`, "not a regular folder"}, {`file("sub")`, "not a regular file"},
		{`fileset(".", "*.txt")`, ""}, {`fileset("..", "*.txt")`, "leads out"},
	} {
		must(os.WriteFile(filepath.Join(root, "main.weir.hcl"), []byte("locals {\n  x = "+row.expr+"\n}\n"), 0o600))
		g, diags := Load(os.DirFS(root), ".", testRegistry())
		diags = append(diags, g.Validate()...)
		if got := text(diags, g); row.want == "" && diags.HasErrors() || !strings.Contains(got, row.want) {
			t.Errorf("%s: want %q, got %s", row.expr, row.want, got)
		}
	}
	must(os.Symlink(filepath.Join(dir, "secret.txt"), filepath.Join(root, "evil.weir.hcl")))
	if g, diags := Load(os.DirFS(root), ".", testRegistry()); !strings.Contains(text(diags, g), "not a regular file") {
		t.Error("a linked source is read")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{msp, reads, providers, "locals {\n x = \"${[for a in [1] : a]}\"\n}", "a \"b\" {\n c = <<-E\n x\n E\n}", "x = ((((", "%{ if", "\"${\"${"} {
		f.Add(s)
	}
	registry := testRegistry()
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 1<<14 {
			return
		}
		g, diags := Load(files(src), ".", registry)
		if !diags.HasErrors() {
			_ = g.Validate()
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add(`{"tenant": {"a": {"primary_domain": "a.example"}}}`)
	f.Add(`{"variable": {"x": {"type": "list(string)", "default": ["${1}"]}}}`)
	f.Add(`[[[[`)
	registry := testRegistry()
	f.Fuzz(func(t *testing.T, src string) {
		g, diags := Load(fstest.MapFS{"x.weir.json": {Data: []byte(src)}}, ".", registry)
		if !diags.HasErrors() {
			_ = g.Validate()
		}
	})
}

func FuzzVarFile(f *testing.F) {
	f.Add("a = 1\nb = [\"x\", { c = true }]\n")
	f.Add("a = <<E\nx\nE\n")
	f.Fuzz(func(t *testing.T, src string) {
		vars, _, diags := ParseVarFile([]byte(src), "x.weirvars.hcl")
		if !diags.HasErrors() {
			for _, v := range vars {
				FormatValue(v.Value)
			}
		}
		_, _, _ = ParseVarFile([]byte(src), "x.weirvars.json")
	})
}

func FuzzPredicate(f *testing.F) {
	f.Add(`entry.department != "Kitchen"`)
	f.Add(`contains(["a"], entry.kind) && length([for g in entry.groups : g if g != "x"]) > 0`)
	f.Add(`"${entry.name}" == <<E` + "\nx\nE\n")
	f.Fuzz(func(t *testing.T, src string) {
		p, diags := ParsePredicate(src)
		if diags.HasErrors() {
			return
		}
		_, _ = p.Match(&entryForTests)
		if again, diags := ParsePredicate(p.Text()); diags.HasErrors() || again.Text() != p.Text() {
			t.Errorf("%q does not read back: %v", p.Text(), diags)
		}
	})
}

var entryForTests = directory.Entry{Kind: directory.User, Address: "a@x.example", Groups: []string{"g"}}
