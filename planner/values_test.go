package planner

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

type textPredicate string

func (p textPredicate) Text() string                         { return string(p) }
func (p textPredicate) Match(*directory.Entry) (bool, error) { return true, nil }

var table = []resource.Attribute{
	{Name: "name", Type: cty.String, Required: true, Description: "x"},
	{Name: "size", Type: cty.Number, Optional: true, Default: cty.NumberIntVal(3), Description: "x"},
	{Name: "note", Type: cty.String, Optional: true, Description: "x"},
	{Name: "id", Type: cty.String, Computed: true, Description: "x"},
	{Name: "when", Type: directory.PredicateType, Optional: true, Local: true, Description: "x"},
	{Name: "login", Block: true, Optional: true, Description: "x", Nested: []resource.Attribute{
		{Name: "local", Type: cty.Bool, Optional: true, Default: cty.True, Description: "x"},
		{Name: "token", Type: resource.SecretType, Optional: true, WriteOnly: true, Description: "x"},
	}},
}

func object(members map[string]cty.Value) cty.Value {
	all := resource.Null(table)
	for name, v := range members {
		all[name] = v
	}
	return cty.ObjectVal(all)
}

func TestWantedFillsDefaultsOnlyWhereTheBlockStands(t *testing.T) {
	login := cty.ObjectVal(map[string]cty.Value{"local": cty.NullVal(cty.Bool), "token": cty.NullVal(resource.SecretType)})
	for _, row := range []struct {
		name   string
		config map[string]cty.Value
		path   string
		want   cty.Value
	}{
		{"an argument as written", map[string]cty.Value{"name": cty.StringVal("a")}, "name", cty.StringVal("a")},
		{"a default", nil, "size", cty.NumberIntVal(3)},
		{"written over a default", map[string]cty.Value{"size": cty.NumberIntVal(9)}, "size", cty.NumberIntVal(9)},
		{"left out", nil, "note", cty.NullVal(cty.String)},
		{"unknown", map[string]cty.Value{"note": cty.UnknownVal(cty.String)}, "note", cty.UnknownVal(cty.String)},
		{"a default in a block that stands", map[string]cty.Value{"login": login}, "login.local", cty.True},
		{"no default in a block that is left out", nil, "login.local", cty.NullVal(cty.DynamicPseudoType)},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := resource.Get(wanted(table, object(row.config)), row.path)
			if !got.RawEquals(row.want) {
				t.Errorf("got %#v, want %#v", got, row.want)
			}
		})
	}
}

func TestOverlay(t *testing.T) {
	live := object(map[string]cty.Value{"name": cty.StringVal("live"), "note": cty.StringVal("by hand"), "id": cty.StringVal("7")})
	want := object(map[string]cty.Value{"name": cty.StringVal("mine")})
	after := overlay(table, want, live, cty.NilVal)
	for path, v := range map[string]cty.Value{"name": cty.StringVal("mine"), "note": cty.StringVal("by hand"), "id": cty.StringVal("7")} {
		if got := resource.Get(after, path); !got.RawEquals(v) {
			t.Errorf("%s is %#v, want %#v", path, got, v)
		}
	}
	if created := overlay(table, want, cty.NilVal, cty.NilVal); resource.Get(created, "id").IsKnown() {
		t.Error("a computed attribute of an object that is still to be created is known")
	}
	rotated := object(map[string]cty.Value{"name": cty.StringVal("mine"), "id": cty.UnknownVal(cty.String)})
	if id := resource.Get(After(table, rotated, live), "id"); !id.RawEquals(cty.StringVal("7")) {
		t.Errorf("what the plan left unknown is %#v after the write, want the live value", id)
	}
	kept := Remembered(table, want, live)
	if note := resource.Get(kept, "note"); !note.IsNull() {
		t.Errorf("state would remember %#v, which the block does not manage: somebody's change to it would be drift", note)
	}
	if id := resource.Get(kept, "id"); !id.RawEquals(cty.StringVal("7")) {
		t.Errorf("state would not remember the computed id: %#v", id)
	}
}

func TestStoredHasNoCapsules(t *testing.T) {
	v := Stored(object(map[string]cty.Value{
		"when":  directory.PredicateValue(textPredicate(`entry.kind == "user"`)),
		"login": cty.ObjectVal(map[string]cty.Value{"local": cty.True, "token": resource.Secret(&resource.SecretRef{URL: "env://X"})}),
	}))
	if got := resource.Get(v, "when"); !got.RawEquals(cty.StringVal(`entry.kind == "user"`)) {
		t.Errorf("predicate is stored as %#v", got)
	}
	if got := resource.Get(v, "login.token"); !got.RawEquals(cty.NullVal(cty.String)) {
		t.Errorf("secret reference is stored as %#v", got)
	}
	if other := Stored(object(nil)); !other.Type().Equals(v.Type()) {
		t.Errorf("two stored values of one type differ in type:\n%#v\n%#v", other.Type(), v.Type())
	}
}

func TestPlanFileRoundTrip(t *testing.T) {
	change := &Change{
		Address: "domain.mail", Type: "domain", Action: Update, Cause: Drift, ID: "contoso.example", Before: object(map[string]cty.Value{"name": cty.StringVal("a")}),
		After:  object(map[string]cty.Value{"name": cty.StringVal("b"), "id": cty.UnknownVal(cty.String), "when": directory.PredicateValue(textPredicate("true"))}),
		Wanted: cty.NilVal, Paths: []PathChange{{Path: "name", Before: cty.StringVal("a"), After: cty.UnknownVal(cty.String)}, {Path: "login.token", WriteOnly: true, Before: cty.NilVal, After: cty.NilVal}},
		Reasons: []string{"because"}, Created: true,
	}
	p := &Plan{
		ID: "plan-1", Created: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Realm: "live", Lineage: "cfg-1", Digest: "d",
		Variables: map[string]cty.Value{"n": cty.NumberIntVal(3)}, Sources: map[string][]byte{"main.weir.hcl": []byte("x")},
		Parts: []*Part{{Tenant: resource.Identity{Key: "contoso"}, Status: Ready, Changes: []*Change{change}, Outputs: []OutputChange{{Name: "o", Before: cty.NilVal, After: cty.True}}}},
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	back, err := ReadPlan(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := back.Parts[0].Review().Items, p.Parts[0].Review().Items; got["domain.mail"].Digest != want["domain.mail"].Digest || !want["domain.mail"].Covers(got["domain.mail"]) || len(got) != len(want) {
		t.Errorf("the review changed on the way:\n%v\n%v", got, want)
	}
	after := back.Parts[0].Changes[0].After
	if resource.Get(after, "id").IsKnown() || !resource.Get(after, "name").RawEquals(cty.StringVal("b")) {
		t.Errorf("after is %#v", after)
	}
	if !back.Variables["n"].RawEquals(cty.NumberIntVal(3)) || back.Lineage != "cfg-1" {
		t.Errorf("variables or lineage are lost: %#v", back)
	}
	for n := range b.Len() {
		if _, err := ReadPlan(bytes.NewReader(b.Bytes()[:n])); err == nil {
			t.Fatalf("a plan file cut after %d of %d bytes was read", n, b.Len())
		}
	}
	if _, err := ReadPlan(bytes.NewReader([]byte("something else entirely"))); !errors.Is(err, ErrNotPlan) {
		t.Errorf("another file: %v", err)
	}
}

// TestPlanFileOfUnknownMembers: a name that an output gives to a member may hold anything.
func TestPlanFileOfUnknownMembers(t *testing.T) {
	unknown, known := cty.UnknownVal(cty.String), cty.StringVal("x")
	for _, v := range []cty.Value{
		unknown,
		cty.ObjectVal(map[string]cty.Value{"contoso.example": unknown, "contoso": known}),
		cty.ObjectVal(map[string]cty.Value{"contoso.example": known, "contoso": cty.ObjectVal(map[string]cty.Value{"example": unknown})}),
		cty.ObjectVal(map[string]cty.Value{`a\`: cty.ObjectVal(map[string]cty.Value{`.b\.c`: unknown}), `a\.`: known}),
		cty.ListVal([]cty.Value{known, unknown}),
	} {
		stored, err := encodeValue(v)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodeValue(stored)
		if v.Type().IsListType() {
			v = cty.UnknownVal(v.Type()) // an unknown in a collection makes it unknown
		}
		if err != nil || !back.RawEquals(v) {
			t.Errorf("%#v\ncame back as %#v, %v", v, back, err)
		}
	}
	for _, path := range []string{"nope", "a.nope", "a.b.c", "l.0"} {
		stored, err := encodeValue(cty.ObjectVal(map[string]cty.Value{
			"a": cty.ObjectVal(map[string]cty.Value{"b": known}), "n": cty.NullVal(cty.EmptyObject), "l": cty.ListVal([]cty.Value{known}),
		}))
		if err != nil {
			t.Fatal(err)
		}
		stored.Unknown = []string{path}
		if v, err := decodeValue(stored); err == nil {
			t.Errorf("%s, which is not there, was made unknown: %#v", path, v)
		}
	}
}

func TestPlanFileLimits(t *testing.T) {
	file := func(document string) []byte {
		z, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = z.Close() }()
		return z.EncodeAll([]byte(document), []byte(fileMagic))
	}
	nested := func(n int) string {
		return `{"format": 1, "parts": null, "targets": ` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}"
	}
	for _, row := range []struct {
		name string
		file []byte
		want string // "" for none
	}{
		{"as it should be", file(`{"format": 1, "parts": null}`), ""},
		{"wide", file(`{"format": 1, "parts": null, "id": "` + strings.Repeat("a", freePlanSize/2) + `"}`), ""},
		{"too wide", file(`{"format": 1, "parts": null, "id": "` + strings.Repeat("a", freePlanSize) + `"}`), "unpack to more than"},
		{"deep", file(nested(maxPlanDepth - 1)), "damaged: json"},
		{"too deep", file(nested(maxPlanDepth)), "nested deeper"},
		{"brackets in a text", file(`{"format": 1, "parts": null, "id": "\\\"` + strings.Repeat("[", maxPlanDepth) + `"}`), ""},
		{"newer", file(`{"format": 2}`), "has format 2"},
		{"a member of a newer version", file(`{"format": 1, "parts": null, "surprise": 1}`), "unknown field"},
		{"more behind it", append(file(`{"format": 1, "parts": null}`), "more"...), "damaged"},
		{"no compression", []byte(fileMagic + `{"format": 1}`), "damaged"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := ReadPlan(bytes.NewReader(row.file))
			if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want %q", err, row.want)
			}
		})
	}
}

// TestPlanFileV1: a plan file of the first version stays readable.
func TestPlanFileV1(t *testing.T) {
	data, err := os.ReadFile("testdata/v1.plan")
	if err != nil {
		t.Fatal(err)
	}
	p, err := ReadPlan(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Parts) != 2 || len(p.Parts[0].Review().Items) == 0 || p.Sources["main.weir.hcl"] == nil {
		t.Errorf("it has %d parts and %d sources", len(p.Parts), len(p.Sources))
	}
}

func FuzzReadPlan(f *testing.F) {
	var b bytes.Buffer
	unknown := cty.ObjectVal(map[string]cty.Value{"a.b": cty.UnknownVal(cty.String), "c": cty.ListVal([]cty.Value{cty.True})})
	part := &Part{Changes: []*Change{{Address: "a.b", Before: cty.True, After: unknown}}, Outputs: []OutputChange{{Name: "o", Before: cty.NilVal, After: unknown}}}
	if err := (&Plan{ID: "p", Parts: []*Part{part}, Variables: map[string]cty.Value{"v": unknown.GetAttr("c")}}).Write(&b); err != nil {
		f.Fatal(err)
	}
	real, err := os.ReadFile("testdata/v1.plan")
	if err != nil {
		f.Fatal(err)
	}
	// The document is mutated unpacked too: changes of packed bytes seldom get past the decompression.
	packer, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range [][]byte{b.Bytes(), real, []byte(fileMagic)} {
		f.Add(file, false)
		if document, err := unpackFile("plan file", file[len(fileMagic):]); err == nil {
			f.Add(document, true)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, pack bool) {
		if pack {
			data = packer.EncodeAll(data, []byte(fileMagic))
		}
		p, err := ReadPlan(bytes.NewReader(data))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := p.Write(&again); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, err := ReadPlan(&again)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		for i, part := range p.Parts {
			if !reflect.DeepEqual(digests(part), digests(back.Parts[i])) {
				t.Fatalf("the review of part %d changed on the way", i)
			}
		}
	})
}

// digests are what a review of the part approves.
func digests(p *Part) map[string]string {
	out := map[string]string{}
	for address, item := range p.Review().Items {
		out[address] = item.Digest
	}
	return out
}

func TestMatches(t *testing.T) {
	for _, row := range []struct {
		address, selection string
		want               bool
	}{
		{"domain.mail", "domain.mail", true},
		{"domain.mail", "domain.mai", false},
		{`module.customer["a"].domain.mail`, `module.customer["a"]`, true},
		{`module.customer["a"].domain.mail`, "module.customer", true},
		{`module.customer["a"].domain.mail`, `module.customer["b"]`, false},
		{`domain.known["x"]`, "domain.known", true},
		{`domain.known["x"]`, `domain.known["*"]`, true},
		{"domain.mail", "domain.*", true},
		{"tenant.mail", "domain.*", false},
		{`sync_policy.p.account["a@x.example"]`, `sync_policy.p.account["*@x.example"]`, true},
	} {
		if got := Matches(row.address, []string{row.selection}); got != row.want {
			t.Errorf("Matches(%s, %s) = %v", row.address, row.selection, got)
		}
	}
}

func TestText(t *testing.T) {
	for _, row := range []struct {
		v    cty.Value
		want string
	}{
		{cty.StringVal("a\x1b[31m\"b"), `"a\x1b[31m\"b"`},
		{cty.NumberIntVal(12), "12"},
		{cty.True, "true"},
		{cty.NullVal(cty.String), "null"},
		{cty.UnknownVal(cty.String), "(known after apply)"},
		{cty.StringVal("s").Mark("sensitive"), `"s"`},
		{cty.SetVal([]cty.Value{cty.StringVal("b"), cty.StringVal("a")}), `["a", "b"]`},
		{cty.ObjectVal(map[string]cty.Value{"a": cty.True, "b": cty.NullVal(cty.String)}), "{ a = true }"},
		{resource.Secret(&resource.SecretRef{URL: "env://X"}), "(secret)"},
		{cty.NilVal, "null"},
	} {
		if got := Text(row.v); got != row.want {
			t.Errorf("Text(%#v) = %s, want %s", row.v, got, row.want)
		}
	}
}
