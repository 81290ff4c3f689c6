package planner

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// Text is a value on one line, as plans show it: strings quoted, lists in brackets, "(known after apply)" for what is
// unknown. Control characters never come out raw.
func Text(v cty.Value) string {
	if v == cty.NilVal {
		return "null"
	}
	v, _ = v.UnmarkDeep()
	t := v.Type()
	switch {
	case !v.IsKnown():
		return "(known after apply)"
	case v.IsNull():
		return "null"
	case t == resource.SecretType:
		return "(secret)"
	case t == directory.PredicateType:
		return directory.PredicateOf(v).Text()
	case t == cty.String:
		return fmt.Sprintf("%q", v.AsString())
	case t.IsPrimitiveType():
		data, err := ctyjson.Marshal(v, t)
		if err != nil {
			return "(unprintable)"
		}
		return string(data)
	case t.IsObjectType() || t.IsMapType():
		var parts []string
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			if e.IsNull() && t.IsObjectType() {
				continue
			}
			parts = append(parts, k.AsString()+" = "+Text(e))
		}
		if len(parts) == 0 {
			return "{}"
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	case v.CanIterateElements():
		var parts []string
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			parts = append(parts, Text(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return "(unprintable)"
}
