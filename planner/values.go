package planner

import (
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// wanted is what the block manages: arguments as written, defaults where an argument with one is left out, null
// elsewhere. A nested object that the block leaves out whole stays null, defaults and all.
func wanted(table []resource.Attribute, config cty.Value) cty.Value {
	if config.IsNull() || !config.IsKnown() {
		return config
	}
	members := make(map[string]cty.Value, len(table))
	for i := range table {
		a := &table[i]
		v := config.GetAttr(a.Name)
		switch {
		case len(a.Nested) > 0:
			v = wanted(a.Nested, v)
		case v.IsNull() && a.Default != cty.NilVal:
			v = a.Default
		}
		members[a.Name] = v
	}
	return cty.ObjectVal(members)
}

// overlay is the whole planned value: what is wanted, else what the live object shows, else, on creation, unknown for
// what the vendor will fill in. remembered gives local attributes, which no live object shows.
func overlay(table []resource.Attribute, want, live, remembered cty.Value) cty.Value {
	members := make(map[string]cty.Value, len(table))
	for i := range table {
		a := &table[i]
		w := attr(want, a)
		l := attr(live, a)
		if a.Local {
			l = attr(remembered, a)
		}
		if a.Local && a.Argument() && !a.Computed {
			l = cty.NullVal(a.ValueType()) // what only Weir knows is what the block says, also when it says nothing
		}
		switch {
		case !w.IsNull() && len(a.Nested) > 0 && w.IsKnown():
			members[a.Name] = overlay(a.Nested, w, l, attr(remembered, a))
		case !w.IsNull():
			members[a.Name] = w
		case isNull(live) && a.Computed:
			members[a.Name] = cty.UnknownVal(a.ValueType())
		default:
			members[a.Name] = l
		}
	}
	return cty.ObjectVal(members)
}

func attr(object cty.Value, a *resource.Attribute) cty.Value {
	switch {
	case isNull(object) || !object.Type().IsObjectType() || !object.Type().HasAttribute(a.Name):
		return cty.NullVal(a.ValueType())
	case !object.IsKnown():
		return cty.UnknownVal(a.ValueType())
	}
	v := object.GetAttr(a.Name)
	if !v.Type().Equals(a.ValueType()) && v.IsNull() {
		return cty.NullVal(a.ValueType())
	}
	return v
}

func isNull(v cty.Value) bool { return v == cty.NilVal || v.IsNull() }

// Stored is the form in which state keeps a value: predicates as their text, secrets and what is unknown as null.
// Types follow the values, so two stored forms of one type are comparable by RawEquals.
func Stored(v cty.Value) cty.Value {
	v, _ = v.UnmarkDeep()
	return stored(v)
}

func stored(v cty.Value) cty.Value {
	t := v.Type()
	switch {
	case t == resource.SecretType:
		return cty.NullVal(cty.String)
	case t == directory.PredicateType:
		if p := directory.PredicateOf(v); p != nil {
			return cty.StringVal(p.Text())
		}
		return cty.NullVal(cty.String)
	case t.IsObjectType():
		members := map[string]cty.Value{}
		for name, mt := range t.AttributeTypes() {
			member := cty.NullVal(mt)
			if v.IsKnown() && !v.IsNull() {
				member = v.GetAttr(name)
			}
			members[name] = stored(member)
		}
		if v.IsNull() || !v.IsKnown() {
			return cty.NullVal(cty.ObjectVal(members).Type())
		}
		return cty.ObjectVal(members)
	case !v.IsWhollyKnown():
		return cty.NullVal(t)
	}
	return v
}

// sensitivePaths are the dotted paths whose values must not be shown: by the table, or because a sensitive value was
// written there.
func sensitivePaths(table []resource.Attribute, config cty.Value) []string {
	var paths []string
	resource.Walk(table, func(path string, a *resource.Attribute) {
		v := resource.Get(config, path)
		if a.Sensitive || v != cty.NilVal && v.IsMarked() || v != cty.NilVal && v.ContainsMarked() {
			paths = append(paths, path)
		}
	})
	return paths
}

// lookup finds the row of a dotted path.
func lookup(table []resource.Attribute, path string) *resource.Attribute {
	name, rest, nested := strings.Cut(path, ".")
	a := resource.Find(table, name)
	if a == nil || !nested {
		return a
	}
	return lookup(a.Nested, rest)
}

func under(path string, prefixes []string) bool {
	for _, p := range prefixes {
		if p == "all" || path == p || strings.HasPrefix(path, p+".") {
			return true
		}
	}
	return false
}

// After is the value of an object that has just been written or read: what is wanted over what is live. What was still
// unknown in the plan is taken from the live object.
func After(table []resource.Attribute, want, live cty.Value) cty.Value {
	return overlay(table, settle(want, live), live, want)
}

// settle replaces the unknown parts of want by those of live.
func settle(want, live cty.Value) cty.Value {
	switch {
	case want.IsWhollyKnown() || isNull(live) || !live.Type().Equals(want.Type()):
		return want
	case !want.IsKnown() || !want.Type().IsObjectType():
		return live
	}
	members := map[string]cty.Value{}
	for name := range want.Type().AttributeTypes() {
		members[name] = settle(want.GetAttr(name), live.GetAttr(name))
	}
	return cty.ObjectVal(members)
}

// Remembered is what state keeps of an object: the managed arguments as written, and what the vendor computed. What
// the block does not manage stays out, so that nobody's change to it counts as drift.
func Remembered(table []resource.Attribute, want, live cty.Value) cty.Value {
	return stored(remembered(table, want, live))
}

func remembered(table []resource.Attribute, want, live cty.Value) cty.Value {
	members := make(map[string]cty.Value, len(table))
	for i := range table {
		a := &table[i]
		w, l := attr(want, a), attr(live, a)
		switch {
		case !w.IsNull() && w.IsKnown() && len(a.Nested) > 0:
			members[a.Name] = remembered(a.Nested, w, l)
		case !w.IsNull() && w.IsKnown():
			members[a.Name] = w
		case a.Argument() && !w.IsNull():
			members[a.Name] = l // was unknown in the plan, known now
		case a.Argument():
			members[a.Name] = cty.NullVal(a.ValueType())
		default:
			members[a.Name] = l
		}
	}
	return cty.ObjectVal(members)
}
