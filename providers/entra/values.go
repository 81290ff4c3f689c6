package entra

import (
	"slices"

	"github.com/zclconf/go-cty/cty"
)

// stringSet is a set of strings; empty, not null, when there are none.
func stringSet(all []string) cty.Value {
	if len(all) == 0 {
		return cty.SetValEmpty(cty.String)
	}
	vals := make([]cty.Value, len(all))
	for i, s := range all {
		vals[i] = cty.StringVal(s)
	}
	return cty.SetVal(vals)
}

// stringsOf are the strings of a set or list, sorted; none when it is null or not known.
func stringsOf(v cty.Value) []string {
	v, _ = v.UnmarkDeep()
	if v == cty.NilVal || v.IsNull() || !v.IsWhollyKnown() || !v.CanIterateElements() {
		return nil
	}
	var out []string
	for it := v.ElementIterator(); it.Next(); {
		if _, e := it.Element(); !e.IsNull() && e.Type() == cty.String {
			out = append(out, e.AsString())
		}
	}
	slices.Sort(out)
	return out
}

// textOf is a string; "" when it is null or not known.
func textOf(v cty.Value) string {
	v, _ = v.Unmark()
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return ""
	}
	return v.AsString()
}

// textMap is a map of strings; empty when it is null or not known.
func textMap(v cty.Value) map[string]string {
	out := map[string]string{}
	v, _ = v.UnmarkDeep()
	if v == cty.NilVal || v.IsNull() || !v.IsWhollyKnown() || !v.CanIterateElements() {
		return out
	}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		out[k.AsString()] = textOf(e)
	}
	return out
}
