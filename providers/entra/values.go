package entra

import (
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

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

// textMap is a map of strings; empty when it is null or not known.
func textMap(v cty.Value) map[string]string {
	out := map[string]string{}
	v, _ = v.UnmarkDeep()
	if v == cty.NilVal || v.IsNull() || !v.IsWhollyKnown() || !v.CanIterateElements() {
		return out
	}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		out[k.AsString()] = resource.Text(e, "")
	}
	return out
}
