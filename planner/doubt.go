package planner

import (
	"fmt"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/providers/resource"
)

// What protects people fails safe: a block that could not be evaluated may name anybody, and it may be new, so that nothing
// is remembered of it either.

// protectors are the types whose blocks protect accounts from what directory sync does.
func protectors(typ string) bool { return typ == "exemption" || typ == "account" }

// unevaluated names a block that might protect somebody and was not evaluated, with the reason; "" when all were.
func unevaluated(evaluation *config.Evaluation) string {
	for _, address := range slices.Sorted(maps.Keys(evaluation.Skipped)) {
		if a, err := resource.ParseAddress(address); err != nil || protectors(a.Type) {
			return fmt.Sprintf("whom %s protects is not known, because %s could not be evaluated", address, evaluation.Skipped[address])
		}
	}
	for _, block := range slices.Sorted(maps.Keys(evaluation.Unknown)) {
		if a, err := resource.ParseAddress(block); err != nil || protectors(a.Type) {
			return fmt.Sprintf("whom %s protects is not known: %s", block, evaluation.Unknown[block])
		}
	}
	return ""
}

// protectionDoubt says why it is not known whom the part's exemptions and account blocks protect; "" when it is.
func (p *Part) protectionDoubt() string {
	if p.unevaluated != "" {
		return p.unevaluated
	}
	for _, c := range p.Changes {
		if !protectors(c.Type) || isNull(c.Wanted) {
			continue
		}
		for _, name := range []string{"addresses", "patterns", "groups", "when", "email", "aliases"} {
			if v := resource.Get(c.Wanted, name); v != cty.NilVal && !v.IsWhollyKnown() {
				return fmt.Sprintf("whom %s protects is not known, because its %s depends on something that is still to be made", c.Address, name)
			}
		}
	}
	return ""
}

// protecting is the value that says whom a block protects: as it will be, or as it is written when the vendor's part of it
// could not be read.
func protecting(c *Change) cty.Value {
	if c.Action == Unknown && !isNull(c.Wanted) {
		return c.Wanted
	}
	return c.After
}
