package directory

import (
	"reflect"

	"github.com/zclconf/go-cty/cty"
)

// Predicate is a compiled condition over an entry: `entry.department != "Kitchen"`. Safe for concurrent use.
type Predicate interface {
	// Text is the canonical source, with the values it captured, as state and reports keep it.
	Text() string
	// Match evaluates it. An error makes the entry unknown: nothing happens to it.
	Match(*Entry) (bool, error)
}

// PredicateType is the cty type of predicates. They are not values that expressions may pass on.
var PredicateType = cty.CapsuleWithOps("predicate", reflect.TypeOf((*Predicate)(nil)).Elem(), &cty.CapsuleOps{
	GoString:     func(v any) string { return "predicate(" + (*v.(*Predicate)).Text() + ")" },
	TypeGoString: func(reflect.Type) string { return "directory.PredicateType" },
	RawEquals:    func(a, b any) bool { return (*a.(*Predicate)).Text() == (*b.(*Predicate)).Text() },
})

// PredicateValue wraps a predicate as a value.
func PredicateValue(p Predicate) cty.Value { return cty.CapsuleVal(PredicateType, &p) }

// PredicateOf unwraps a value of PredicateType; nil when null or unknown.
func PredicateOf(v cty.Value) Predicate {
	v, _ = v.Unmark()
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() || v.Type() != PredicateType {
		return nil
	}
	return *v.EncapsulatedValue().(*Predicate)
}
