package essentials

import (
	"sort"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// Conversions between wire scalars and values. An empty string is null: the API does not tell them apart (inferred).

func stringValue(s flexString) cty.Value {
	if s == "" {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(string(s))
}

func boolValue(b flexBool) cty.Value {
	if !b.set {
		return cty.NullVal(cty.Bool)
	}
	return cty.BoolVal(b.value)
}

func intValue(n flexInt) cty.Value {
	if !n.set {
		return cty.NullVal(cty.Number)
	}
	return cty.NumberIntVal(int64(n.value))
}

func setValue(all []string) cty.Value {
	if len(all) == 0 {
		return cty.SetValEmpty(cty.String)
	}
	vals := make([]cty.Value, len(all))
	for i, s := range all {
		vals[i] = cty.StringVal(s)
	}
	return cty.SetVal(vals)
}

func listValue(all []string) cty.Value {
	if len(all) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	vals := make([]cty.Value, len(all))
	for i, s := range all {
		vals[i] = cty.StringVal(s)
	}
	return cty.ListVal(vals)
}

// text is the string at a path of a known value; "" when null.
func text(v cty.Value, path string) string {
	s := resource.Get(v, path)
	if s.IsNull() || !s.IsKnown() || s.Type() != cty.String {
		return ""
	}
	return s.AsString()
}

// whole is the whole number at a path of a known value; ok is false when null.
func whole(v cty.Value, path string) (n int, ok bool) {
	m := resource.Get(v, path)
	if m.IsNull() || !m.IsKnown() || m.Type() != cty.Number {
		return 0, false
	}
	i, _ := m.AsBigFloat().Int64()
	return int(i), true
}

// flag is the boolean at a path of a known value; ok is false when null.
func flag(v cty.Value, path string) (b, ok bool) {
	m := resource.Get(v, path)
	if m.IsNull() || !m.IsKnown() || m.Type() != cty.Bool {
		return false, false
	}
	return m.True(), true
}

// words are the strings of the set or list at a path of a known value; ok is false when null.
func words(v cty.Value, path string) (all []string, ok bool) {
	m := resource.Get(v, path)
	if m.IsNull() || !m.IsWhollyKnown() || !m.CanIterateElements() {
		return nil, false
	}
	all = []string{}
	for it := m.ElementIterator(); it.Next(); {
		if _, e := it.Element(); !e.IsNull() {
			all = append(all, e.AsString())
		}
	}
	return all, true
}

func folded(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// plain is a value without marks.
func plain(v cty.Value) cty.Value {
	if v == cty.NilVal {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	v, _ = v.UnmarkDeep()
	return v
}

// source lines, once.
const (
	vendorAPI    = "vendor API description, Interface API v1, August 2023"
	seenClients  = "seen in clients"
	inferredFact = "inferred"
)

// foldedSorted folds strings, drops repetitions and sorts.
func foldedSorted(all []string) []string {
	seen := map[string]bool{}
	out := []string{}
	for _, s := range all {
		if s = folded(s); s != "" && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	sort.Strings(out)
	return out
}
