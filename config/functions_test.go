package config

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

func TestFunctions(t *testing.T) {
	f := mustFrame(t, `
variable "secret" {
  default   = "s"
  sensitive = true
}
value "v" { input = 1 }
`)
	for expr, want := range map[string]string{
		`abs(-3)`: "3", `ceil(1.2)`: "2", `floor(1.8)`: "1", `max(1, 3, 2)`: "3", `min(1, 3, 2)`: "1", `parseint("ff", 16)`: "255", `pow(2, 10)`: "1024", `signum(-4)`: "-1", `sum([1, 2, 3])`: "6", `log(8, 2)`: "3",
		`format("%s has %d", "x", 3)`: `"x has 3"`, `formatlist("%s!", ["a", "b"])`: `["a!", "b!"]`, `indent(2, "a\nb")`: `"a\n  b"`, `join("-", ["a", "b"])`: `"a-b"`, `lower("A")`: `"a"`, `upper("a")`: `"A"`,
		`regex("[a-z]+", "12ab")`: `"ab"`, `regexall("[a-z]", "1a2b")`: `["a", "b"]`, `replace("a.b", ".", "-")`: `"a-b"`, `replace("a1b", "/[0-9]/", "_")`: `"a_b"`, `split(",", "a,b")`: `["a", "b"]`,
		`startswith("abc", "ab")`: "true", `endswith("abc", "bc")`: "true", `strcontains("abc", "b")`: "true", `strrev("abc")`: `"cba"`, `substr("hello", 1, 3)`: `"ell"`, `title("a b")`: `"A B"`, `trim("xax", "x")`: `"a"`,
		`trimprefix("ab", "a")`: `"b"`, `trimsuffix("ab", "b")`: `"a"`, `trimspace(" a ")`: `"a"`, `chomp("a\n")`: `"a"`,
		`alltrue([true, false])`: "false", `anytrue([true, false])`: "true", `alltrue([])`: "true", `chunklist([1, 2, 3], 2)`: "[[1, 2], [3]]", `coalesce("", "b")`: `"b"`, `coalesce(null, 2)`: "2", `coalescelist([], [1])`: "[1]", `compact(["a", ""])`: `["a"]`,
		`concat([1], [2])`: "[1, 2]", `contains(["a"], "a")`: "true", `distinct([1, 1, 2])`: "[1, 2]", `element(["a", "b"], 3)`: `"b"`, `flatten([[1], [2, [3]]])`: "[1, 2, 3]", `index(["a", "b"], "b")`: "1", `keys({ b = 1, a = 2 })`: `["a", "b"]`,
		`length("äb")`: "2", `length([1, 2])`: "2", `length({ a = 1 })`: "1", `lookup({ a = 1 }, "a", 0)`: "1", `lookup({ a = 1 }, "b", 0)`: "0", `lookup(tomap({ a = 1 }), "a")`: "1", `merge({ a = 1 }, { b = 2 })`: "{ a = 1, b = 2 }",
		`matchkeys(["a", "b"], [1, 2], [2])`: `["b"]`, `one([1])`: "1", `one([])`: "null", `range(3)`: "[0, 1, 2]", `reverse([1, 2])`: "[2, 1]", `setintersection(["a", "b"], ["b"])`: `toset(["b"])`, `setproduct(["a"], [1, 2])`: `[["a", 1], ["a", 2]]`,
		`setsubtract(["a", "b"], ["b"])`: `toset(["a"])`, `setunion(["a"], ["b"])`: `toset(["a", "b"])`, `slice([1, 2, 3], 1, 2)`: "[2]", `sort(["b", "a"])`: `["a", "b"]`, `transpose({ a = ["x"] })`: `{ x = ["a"] }`, `values({ a = 1 })`: "[1]", `zipmap(["a"], [1])`: "{ a = 1 }",
		`tobool("true")`: "true", `tolist(["a"])`: `["a"]`, `tomap({ a = 1 })`: "{ a = 1 }", `tonumber("3")`: "3", `toset(["a", "a"])`: `toset(["a"])`, `tostring(3)`: `"3"`,
		`base64decode(base64encode("hi"))`: `"hi"`, `csvdecode("a,b\n1,2\n")`: `[{ a = "1", b = "2" }]`, `jsondecode("{\"a\": [1]}")`: "{ a = [1] }", `jsonencode({ a = 1 })`: `"{\"a\":1}"`, `urlencode("a b")`: `"a+b"`, `yamldecode("a: [1, 2]\nb:\n  c: x\n")`: `{ a = [1, 2], b = { c = "x" } }`,
		`yamlencode({ a = 1 })`: `"\"a\": 1\n"`, `sha256("a")`: `"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"`, `sha1("a")`: `"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"`, `md5("a")`: `"0cc175b9c0f1b6a831c399e269772661"`, `length(sha512("a"))`: "128", `base64sha256("a")`: `"ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs="`,
		`formatdate("YYYY-MM-DD", timestamp())`: `"2026-11-20"`, `timeadd("2026-11-20T10:00:00Z", "24h")`: `"2026-11-21T10:00:00Z"`, `timecmp("2026-11-20T10:00:00Z", plantimestamp())`: "0",
		`cidrhost("10.0.0.0/8", 5)`: `"10.0.0.5"`, `cidrnetmask("10.0.0.0/8")`: `"255.0.0.0"`, `cidrsubnet("10.0.0.0/8", 8, 2)`: `"10.2.0.0/16"`, `cidrsubnets("10.0.0.0/8", 8, 8)`: `["10.0.0.0/16", "10.1.0.0/16"]`,
		`basename("a/b")`: `"b"`, `dirname("a/b")`: `"a"`, `try(tonumber("x"), 7)`: "7", `can(tonumber("x"))`: "false", `issensitive(var.secret)`: "true", `nonsensitive(var.secret)`: `"s"`, `upper(var.secret)`: "(sensitive value)",
		`value.v.output`: "(known after apply)", `length(value.v.input)`: "(known after apply)", `[for k, v in { a = 1 } : "${k}=${v}"]`: `["a=1"]`, `{ for i in [1, 2] : "k${i}" => i if i > 1 }`: "{ k2 = 2 }", `[{ a = 1 }, { a = 2 }][*].a`: "[1, 2]",
		`path.module`: `"."`, `7 % 4`: "3", `6 / 4`: "1.5", `fileexists("main.weir.hcl")`: "true", `fileexists("nope")`: "false", `issensitive(1)`: "false",
	} {
		v, diags := f.Eval(expr)
		if diags.HasErrors() {
			t.Errorf("%s: %s", expr, text(diags, f.graph))
			continue
		}
		if got := FormatValue(v); got != want {
			t.Errorf("%s = %s, want %s", expr, got, want)
		}
	}
	for expr, want := range map[string]string{
		`1 / 0`: "division by zero", `0 / 0`: "division by zero", `5 % 0`: "remainder by zero", `log(0, 2)`: "infinite", `one([1, 2])`: "more than one", `base64decode("%")`: "not base64", `index([1], 2)`: "does not contain", `lookup({ a = 1 }, "b")`: `no "b"`,
		`nonsensitive(secret("env://X"))`: "stays secret", `uper("x")`: "Did you mean", `file("nope")`: "does not exist", `value.w.x`: "There is no value.w", `each.key`: "for_each", `var`: "names nothing alone", `tonumber("x")`: "does not convert",
		`templatefile("main.weir.hcl", {})`: "", `cidrhost("x", 1)`: "no network", `sum([])`: "at least one",
	} {
		if _, diags := f.Eval(expr); want != "" && !strings.Contains(text(diags, f.graph), want) {
			t.Errorf("%s: want %q, got %s", expr, want, text(diags, f.graph))
		}
	}
}

func TestFormatValue(t *testing.T) {
	for _, row := range []struct {
		v    cty.Value
		want string
	}{
		{cty.StringVal("a\"${x}\n"), `"a\"$${x}\n"`},
		{cty.NumberFloatVal(1.25), "1.25"},
		{cty.ObjectVal(map[string]cty.Value{"a-b": cty.True, "x y": cty.NullVal(cty.String)}), `{ a-b = true, "x y" = null }`},
		{cty.EmptyObjectVal, "{}"},
		{cty.ListValEmpty(cty.String), "[]"},
		{cty.UnknownVal(cty.String), "(known after apply)"},
		{cty.StringVal("x").Mark(SensitiveMark), "(sensitive value)"},
	} {
		got := FormatValue(row.v)
		if got != row.want {
			t.Errorf("%#v: %s, want %s", row.v, got, row.want)
		}
		if strings.HasPrefix(got, "(") {
			continue
		}
		e, diags := parseExpression([]byte(got), "x")
		if diags.HasErrors() {
			t.Errorf("%s does not parse", got)
			continue
		}
		if back, diags := e.Value(&hcl.EvalContext{}); diags.HasErrors() || FormatValue(back) != got {
			t.Errorf("%s does not read back", got)
		}
	}
}

func TestVarFiles(t *testing.T) {
	fsys := files(`
-- weir.weirvars.hcl --
a = 1
b = ["x"]
-- b.auto.weirvars.hcl --
c = true
-- a.auto.weirvars.json --
{"d": {"e": 1}}
-- other.weirvars.hcl --
z = local.x
-- block.weirvars.hcl --
x { }
`)
	names, err := AutoVarFiles(fsys, ".")
	if err != nil || strings.Join(names, " ") != "weir.weirvars.hcl a.auto.weirvars.json b.auto.weirvars.hcl" {
		t.Fatalf("%v %v", names, err)
	}
	vars, file, diags := VarFile(fsys, "weir.weirvars.hcl")
	if diags.HasErrors() || file == nil || len(vars) != 2 || vars[1].Name != "b" || !vars[1].FromFile || vars[1].Range.Start.Line != 2 {
		t.Errorf("%+v %v", vars, diags)
	}
	if vars, _, diags := VarFile(fsys, "a.auto.weirvars.json"); diags.HasErrors() || FormatValue(vars[0].Value) != "{ e = 1 }" {
		t.Errorf("%+v %v", vars, diags)
	}
	for name, want := range map[string]string{"other.weirvars.hcl": "plain values", "block.weirvars.hcl": "NAME = value", "nope.weirvars.hcl": "cannot be read"} {
		if _, _, diags := VarFile(fsys, name); !diags.HasErrors() || !strings.Contains(diags[0].Detail, want) {
			t.Errorf("%s: %v", name, diags)
		}
	}
}

func TestDigestAndSources(t *testing.T) {
	g := mustLoad(t, files(msp))
	if got := strings.Join(sortedKeys(g.Sources()), " "); got != "main.weir.hcl modules/customer/main.weir.hcl" {
		t.Errorf("sources %s", got)
	}
	again := mustLoad(t, files(msp))
	other := mustLoad(t, files(msp+"\n"))
	if g.Digest() != again.Digest() || g.Digest() == other.Digest() || len(g.Digest()) != 64 {
		t.Error("digest")
	}
}
