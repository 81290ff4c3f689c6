package apply

import (
	"context"

	"github.com/weir-project/weir/state"
)

// rememberApplied remembers what a directory sync of this tenant goes by besides objects: the root's limits as they were
// applied, and, when this run wrote anyway and left nothing undone, that all that the directory asked for is done now.
func (r *run) rememberApplied(ctx context.Context) error {
	if r.Part.Accounts == nil || r.Plan.Destroy || context.Cause(ctx) != nil {
		return nil
	}
	now := r.State.Applied
	if !r.Plan.Sync {
		now.Safeguard, now.Known = r.Plan.AppliedSafeguard(), true
	}
	if r.wrote && r.whole() {
		now.Synced = r.Now().UTC()
	}
	if now.Equal(r.State.Applied) {
		return nil
	}
	note := state.Note{Text: "applied", Applied: &now, Time: r.Now()}
	if err := r.Journal.Note(ctx, note); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.State.Apply(state.Entry{Note: &note})
}

// whole reports whether the run did all that the directory asked for: everything was read, nothing was left out, held or
// failed.
func (r *run) whole() bool {
	if len(r.Plan.Targets)+len(r.Plan.Excludes) > 0 || !r.Part.Readable() || !r.report.Complete() || len(r.report.Held) > 0 {
		return false
	}
	for i := range r.Part.Accounts.Decisions {
		if r.Part.Accounts.Decisions[i].Held != "" {
			return false
		}
	}
	return true
}
