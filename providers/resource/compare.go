package resource

import (
	"sort"

	"github.com/zclconf/go-cty/cty"
)

// Differences compares a wanted value with the live one under an attribute table and returns the dotted paths of the
// attributes that differ, sorted; nil when none does. Both conform to ObjectType(table); have may be null or cty.NilVal,
// then every wanted attribute differs.
//
// A null in want is not managed and never differs. Write-only and local attributes are skipped: the live object does
// not show them. Values are compared after their normaliser. A wanted value that is not known yet counts as different
// when a block may write the attribute, since it may turn out so; a merely computed one does not. Marks are ignored.
func Differences(table []Attribute, want, have cty.Value) []string {
	var paths []string
	differences("", table, bare(want), bare(have), &paths)
	sort.Strings(paths)
	return paths
}

func bare(v cty.Value) cty.Value {
	if v == cty.NilVal {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	v, _ = v.UnmarkDeep()
	return v
}

func differences(prefix string, table []Attribute, want, have cty.Value, paths *[]string) {
	for i := range table {
		a := &table[i]
		if !a.Observable() {
			continue
		}
		w, h := member(want, a), member(have, a)
		if w.IsNull() {
			continue
		}
		path := prefix + a.Name
		if len(a.Nested) > 0 && w.IsKnown() {
			differences(path+".", a.Nested, w, h, paths)
			continue
		}
		if !w.IsWhollyKnown() {
			if a.Argument() {
				*paths = append(*paths, path)
			}
			continue
		}
		if !h.IsWhollyKnown() || !a.Normalize.Apply(w).RawEquals(a.Normalize.Apply(h)) {
			*paths = append(*paths, path)
		}
	}
}

// member is the attribute's value in an object; null when the object is null or lacks it, unknown when it is unknown.
func member(object cty.Value, a *Attribute) cty.Value {
	t := a.ValueType()
	switch {
	case object.IsNull() || !object.Type().IsObjectType():
		return cty.NullVal(t)
	case !object.Type().HasAttribute(a.Name):
		return cty.NullVal(t)
	case !object.IsKnown():
		return cty.UnknownVal(t)
	}
	return object.GetAttr(a.Name)
}

// Get returns the value at a dotted path of an object ("connection.application.client_id"); a null of any type when
// something on the way is null or missing, an unknown when something on the way is unknown. Marks are kept.
func Get(object cty.Value, path string) cty.Value {
	v := object
	for path != "" {
		name, rest := path, ""
		for i := range path {
			if path[i] == '.' {
				name, rest = path[:i], path[i+1:]
				break
			}
		}
		if v == cty.NilVal || v.IsNull() {
			return cty.NullVal(cty.DynamicPseudoType)
		}
		u, marks := v.Unmark()
		if !u.Type().IsObjectType() || !u.Type().HasAttribute(name) {
			return cty.NullVal(cty.DynamicPseudoType)
		}
		v = u.GetAttr(name).WithMarks(marks)
		path = rest
	}
	return v
}

// With returns object with the value at a dotted path replaced. Objects on the way that are null are made, with all
// their other members null; a path that the object's type does not have panics.
func With(object cty.Value, path string, value cty.Value) cty.Value {
	name, rest := path, ""
	for i := range path {
		if path[i] == '.' {
			name, rest = path[:i], path[i+1:]
			break
		}
	}
	t := object.Type()
	members := make(map[string]cty.Value, len(t.AttributeTypes()))
	for n, mt := range t.AttributeTypes() {
		if object.IsNull() {
			members[n] = cty.NullVal(mt)
		} else {
			members[n] = object.GetAttr(n)
		}
	}
	inner, ok := members[name]
	if !ok {
		panic("no attribute " + name)
	}
	if rest != "" {
		value = With(inner, rest, value)
	}
	members[name] = value
	return cty.ObjectVal(members)
}

// Null is the value of an attribute table with every member null, for drivers to fill with With or a map.
func Null(table []Attribute) map[string]cty.Value {
	members := make(map[string]cty.Value, len(table))
	for i := range table {
		members[table[i].Name] = cty.NullVal(table[i].ValueType())
	}
	return members
}
