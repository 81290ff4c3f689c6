package resource

import (
	"math/big"

	"github.com/zclconf/go-cty/cty"
)

// Bare is a value without marks; a null of any type for cty.NilVal.
func Bare(v cty.Value) cty.Value { return bare(v) }

// at is the value at a dotted path, without marks; path "" is v itself. ok is false when it is null or not known.
func at(v cty.Value, path string, t cty.Type) (cty.Value, bool) {
	m := bare(Get(v, path))
	return m, !m.IsNull() && m.IsKnown() && m.Type() == t
}

// Text is the string at a dotted path; "" when it is null, not known or no string. Path "" is v itself.
func Text(v cty.Value, path string) string {
	m, ok := at(v, path, cty.String)
	if !ok {
		return ""
	}
	return m.AsString()
}

// Flag is the boolean at a dotted path; ok is false when it is null, not known or no boolean.
func Flag(v cty.Value, path string) (b, ok bool) {
	m, ok := at(v, path, cty.Bool)
	return ok && m.True(), ok
}

// Whole is the whole number at a dotted path; ok is false when it is null, not known or no whole number.
func Whole(v cty.Value, path string) (n int, ok bool) {
	m, ok := at(v, path, cty.Number)
	if !ok {
		return 0, false
	}
	i, accuracy := m.AsBigFloat().Int64()
	return int(i), accuracy == big.Exact
}

// Words are the strings of the set or list at a dotted path, in its order; ok is false when it is null or not wholly
// known. An empty set gives an empty list, not nil, and true.
func Words(v cty.Value, path string) (all []string, ok bool) {
	m := bare(Get(v, path))
	if m.IsNull() || !m.IsWhollyKnown() || !m.CanIterateElements() {
		return nil, false
	}
	all = []string{}
	for it := m.ElementIterator(); it.Next(); {
		if _, e := it.Element(); !e.IsNull() && e.Type() == cty.String {
			all = append(all, e.AsString())
		}
	}
	return all, true
}

// StringSet is a set of strings; empty, not null, when there are none.
func StringSet(all []string) cty.Value {
	if len(all) == 0 {
		return cty.SetValEmpty(cty.String)
	}
	return cty.SetVal(stringVals(all))
}

// StringList is a list of strings; empty, not null, when there are none.
func StringList(all []string) cty.Value {
	if len(all) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	return cty.ListVal(stringVals(all))
}

func stringVals(all []string) []cty.Value {
	vals := make([]cty.Value, len(all))
	for i, s := range all {
		vals[i] = cty.StringVal(s)
	}
	return vals
}
