package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// Differs names the objects whose blocks in the files are not as they were applied last, sorted, each with what became of
// it. No vendor is asked: what rests on a data read is passed over, and so is what a vendor fills in. It is a hint for a
// run that goes by state; a plan says what would be done.
func Differs(ctx context.Context, frame *config.Frame, selected *config.Tenant, prior *state.State) ([]string, error) {
	var out []string
	visited := map[string]bool{}
	objects := &Objects{}
	evaluation, diags := frame.Evaluate(ctx, config.EvalRequest{
		Tenant: selected,
		Data: func(context.Context, config.DataRead) (cty.Value, error) {
			return cty.NilVal, errors.New("nothing is read")
		},
		Visit: func(_ context.Context, inst *config.Instance) (cty.Value, hcl.Diagnostics) {
			address := inst.Address.String()
			visited[address] = true
			configured, _ := inst.Config.UnmarkDeep()
			want := wanted(inst.Type.Attributes, configured)
			obj := prior.Objects[address]
			if obj == nil {
				out = append(out, address+" is new")
				return cty.UnknownVal(inst.Type.Object()), nil
			}
			if path := changedArgument(inst.Type, want, obj.Values); path != "" {
				out = append(out, fmt.Sprintf("%s (%s)", address, path))
			}
			return objects.remembered(inst.Type, obj, want), nil
		},
	})
	if diags.HasErrors() {
		return nil, diags
	}
	for _, address := range prior.Addresses() {
		parsed, err := resource.ParseAddress(address)
		if err != nil || visited[address] {
			continue
		}
		_, skipped := evaluation.Skipped[address]
		_, unknown := evaluation.Unknown[parsed.Block()]
		if !skipped && !unknown {
			out = append(out, address+" has no block any more")
		}
	}
	files := (&Request{Frame: frame}).AppliedSafeguard()
	if now := (state.Applied{Safeguard: files, Known: true, Synced: prior.Applied.Synced}); prior.Applied.Known && !now.Equal(prior.Applied) {
		out = append(out, "the root's safeguard")
	}
	slices.Sort(out)
	return out, nil
}

// changedArgument is the first argument that is known and differs from what was applied; "" when none does. One that may
// wait for something is passed over: what state has of it may be what it was, with nothing edited since.
func changedArgument(t *resource.Type, want, applied cty.Value) (changed string) {
	stored := Stored(want)
	resource.Walk(t.Attributes, func(path string, a *resource.Attribute) {
		w := resource.Get(want, path)
		if changed != "" || a.WriteOnly || a.Waits || !a.Argument() || w == cty.NilVal || !w.IsWhollyKnown() {
			return
		}
		before, after := resource.Get(applied, path), resource.Get(stored, path)
		switch {
		case isNull(after) && (isNull(before) || !a.Local):
			// What the block leaves out, its type or the vendor may have filled in.
		case isNull(before) || isNull(after) || !sameBy(a, after, before):
			changed = path
		}
	})
	return changed
}
