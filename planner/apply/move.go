package apply

import (
	"context"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/state"
)

// rename records the new addresses of what is remembered, in one note and before anything else is done: what follows
// speaks of objects by these. An object is renamed if what was reviewed has it under its new address; the others keep
// theirs and are listed when their turn comes. From here on everything is planned with all new addresses, so that what
// depends on an object finds it.
func (r *run) rename(ctx context.Context) error {
	if len(r.Part.Moved) == 0 {
		return nil
	}
	var agreed []state.Rename
	for _, m := range r.Part.Moved {
		if r.State.Objects[m.From] == nil || r.reviewedMove(r.part[m.To]) {
			agreed = append(agreed, m)
		}
	}
	if prior := r.Plan.Prior; prior != nil {
		r.Plan.Prior = prior.Clone()
		if err := r.Plan.Prior.Apply(state.Entry{Note: &state.Note{Moved: r.Part.Moved}}); err != nil {
			return err
		}
	}
	if len(agreed) == 0 {
		return nil
	}
	note := state.Note{Text: "moved", Moved: agreed, Time: r.Now()}
	if err := r.Journal.Note(ctx, note); err != nil {
		return err
	}
	return r.State.Apply(state.Entry{Note: &note})
}

func (r *run) reviewedMove(c *planner.Change) bool {
	return c != nil && c.Applies() && r.Reviewed.Items[c.Address].Covers(c.Item())
}
