package resource

import (
	"reflect"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

func testTable() []Attribute {
	return []Attribute{
		{Name: "name", Type: cty.String, Required: true, Normalize: FoldCase},
		{Name: "hosts", Type: cty.Set(cty.String), Optional: true, Normalize: HostSet},
		{Name: "id", Type: cty.String, Computed: true},
		{Name: "note", Type: cty.String, Optional: true, Local: true},
		{Name: "key", Type: SecretType, Optional: true, WriteOnly: true},
		{Name: "box", Optional: true, Block: true, Nested: []Attribute{
			{Name: "on", Type: cty.Bool, Optional: true},
			{Name: "count", Type: cty.Number, Optional: true},
		}},
	}
}

func obj(members map[string]cty.Value) cty.Value {
	all := Null(testTable())
	for k, v := range members {
		all[k] = v
	}
	return cty.ObjectVal(all)
}

func TestDifferences(t *testing.T) {
	s := cty.StringVal
	box := func(on, count cty.Value) cty.Value {
		return cty.ObjectVal(map[string]cty.Value{"on": on, "count": count})
	}
	noBool, noNumber := cty.NullVal(cty.Bool), cty.NullVal(cty.Number)
	m := func(kv ...any) cty.Value {
		out := map[string]cty.Value{}
		for i := 0; i < len(kv); i += 2 {
			out[kv[i].(string)] = kv[i+1].(cty.Value)
		}
		return obj(out)
	}
	for _, row := range []struct {
		name       string
		want, have cty.Value
		paths      []string
	}{
		{"equal", m("name", s("a")), m("name", s("a")), nil},
		{"normalised", m("name", s("A")), m("name", s("a")), nil},
		{"differs", m("name", s("b")), m("name", s("a")), []string{"name"}},
		{"null is unmanaged", m(), m("name", s("a"), "hosts", set("x")), nil},
		{"empty equals null", m("hosts", set()), m(), nil},
		{"empty differs from full", m("hosts", set()), m("hosts", set("x")), []string{"hosts"}},
		{"local skipped", m("note", s("x")), m(), nil},
		{"write-only skipped", m("key", Secret(&SecretRef{URL: "env://A"})), m(), nil},
		{"nested", m("box", box(cty.True, cty.NumberIntVal(1))), m("box", box(cty.False, cty.NumberIntVal(1))), []string{"box.on"}},
		{"nested unmanaged member", m("box", box(cty.True, noNumber)), m("box", box(cty.True, cty.NumberIntVal(1))), nil},
		{"nested against null", m("box", box(cty.True, cty.NumberIntVal(1))), m(), []string{"box.count", "box.on"}},
		{"nested empty against null", m("box", box(noBool, noNumber)), m(), nil},
		{"no live object", m("name", s("a"), "id", s("1")), cty.NilVal, []string{"id", "name"}},
		{"unknown argument", m("name", cty.UnknownVal(cty.String)), m("name", s("a")), []string{"name"}},
		{"unknown computed", m("id", cty.UnknownVal(cty.String)), m("id", s("1")), nil},
		{"unknown nested", m("box", cty.UnknownVal(ObjectType(testTable()[5].Nested))), m(), []string{"box"}},
		{"marks", m("name", s("a").Mark("x")), m("name", s("a")), nil},
		{"marked and different", m("name", s("b").Mark("x")), m("name", s("a")), []string{"name"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := Differences(testTable(), row.want, row.have); !reflect.DeepEqual(got, row.paths) {
				t.Errorf("got %q, want %q", got, row.paths)
			}
		})
	}
}

func TestGetAndWith(t *testing.T) {
	v := obj(map[string]cty.Value{"name": cty.StringVal("a")})
	if got := Get(v, "box.on"); !got.IsNull() {
		t.Errorf("member of a null object: %#v", got)
	}
	v = With(v, "box.on", cty.True)
	if got := Get(v, "box.on"); !got.RawEquals(cty.True) {
		t.Errorf("after With: %#v", got)
	}
	if got := Get(v, "box.count"); !got.IsNull() {
		t.Errorf("sibling: %#v", got)
	}
	if got := Get(v, "name"); !got.RawEquals(cty.StringVal("a")) {
		t.Errorf("other member: %#v", got)
	}
	if got := Get(v, "nothing.here"); !got.IsNull() {
		t.Errorf("missing: %#v", got)
	}
	if !v.Type().Equals(ObjectType(testTable())) {
		t.Errorf("type changed: %#v", v.Type())
	}
}
