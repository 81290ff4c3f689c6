package essentials

import (
	"sort"
	"strings"

	"github.com/zclconf/go-cty/cty"
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

func folded(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

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
