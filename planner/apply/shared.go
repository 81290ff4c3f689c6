package apply

import (
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// Several blocks may name the same member of one list of the vendor's, and each of them writes only its own part. What one
// block lets go of stays while another wants it: it must not be off the list for a moment, let alone until the next apply.

// members is the attribute in which a block has its part of a shared list.
const members = "protects"

// ownAlone takes out of what the block had on a shared list whatever another block wants there, so that its driver does not
// remove that. The value of any other type is as it was.
func (r *run) ownAlone(t *resource.Type, c *planner.Change, prior cty.Value) cty.Value {
	had, known := resource.Words(prior, members)
	if t.Project == nil || !known || len(had) == 0 {
		return prior
	}
	others := r.wantedByOthers(c)
	own := slices.DeleteFunc(slices.Clone(had), func(x string) bool { return others[directory.Fold(x)] })
	if len(own) == len(had) {
		return prior
	}
	return resource.With(prior, members, resource.StringSet(own))
}

// wantedByOthers are the members, folded, that other blocks of the type want after this run, or have until they let go of
// them themselves, and, beside the vendor's own sync, which must not see them (R40), the accounts that Weir made functional and whom
// the safeguard protects.
func (r *run) wantedByOthers(c *planner.Change) map[string]bool {
	out := map[string]bool{}
	add := func(v cty.Value) {
		if v == cty.NilVal {
			return
		}
		all, _ := resource.Words(v, members)
		for _, x := range all {
			out[directory.Fold(x)] = true
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if policy := r.State.Objects[r.Part.AccountPolicy]; policy != nil && resource.Text(policy.Values, "engine") == dirsync.EngineEssentials {
		for a := range r.State.Accounts.All() {
			if a.Converted {
				out[a.Address] = true
			}
		}
		for _, x := range r.Part.Protected() {
			out[x] = true
		}
	}
	for address, obj := range r.State.Objects {
		if obj.Type != c.Type || address == c.Address {
			continue
		}
		if now := r.part[address]; now == nil || !now.Applies() || now.After == cty.NilVal {
			add(obj.Values)
		}
	}
	for _, other := range r.Part.Changes {
		if other.Type == c.Type && other.Address != c.Address && other.Applies() && other.After != cty.NilVal && other.Action != planner.Release {
			add(other.After)
		}
	}
	return out
}
