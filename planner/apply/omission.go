package apply

import (
	"context"
	"slices"
	"time"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/state"
)

// LeaveOut is the action under which the journal and the history have an item that a person left out of what was
// reviewed: nothing happened to it.
const LeaveOut = "leave out"

// omissionBatch bounds the entries that are recorded at once.
const omissionBatch = 500

// RecordOmissions makes durable what a person left out of the reviewed part: the skips that have an end, which later
// runs honour, and one entry an item for the history. They are merged into s. It is called before the part is decided
// again under the lease, so that the decision knows of them.
func RecordOmissions(ctx context.Context, journal Journal, s *state.State, reviewed *planner.Part, operation func() string, now time.Time) error {
	if len(reviewed.Omissions) == 0 {
		return nil
	}
	if skips, changed := reviewed.Skips(s.Skips); changed {
		note := state.Note{Text: "left out until a date", Skips: &skips, Time: now}
		if err := journal.Note(ctx, note); err != nil {
			return err
		}
		if err := s.Apply(state.Entry{Note: &note}); err != nil {
			return err
		}
	}
	for batch := range slices.Chunk(reviewed.Omissions, omissionBatch) {
		outcomes := make([]state.Outcome, len(batch))
		for i, o := range batch {
			outcomes[i] = state.Outcome{Op: operation(), Address: o.Address, Type: "object", Action: LeaveOut, Result: state.Done, Time: now}
			if o.Mail != "" {
				outcomes[i].Address, outcomes[i].Mail, outcomes[i].Type = reviewed.AccountPolicy, o.Mail, "account"
			}
		}
		if err := journal.Record(ctx, outcomes); err != nil {
			return err
		}
		for i := range outcomes {
			if err := s.Apply(state.Entry{Outcome: &outcomes[i]}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Omitted are a reviewed part's omissions as items of a report.
func Omitted(reviewed *planner.Part) []Item {
	var out []Item
	for i := range reviewed.Omissions {
		o := &reviewed.Omissions[i]
		out = append(out, Item{o.Address, o.Text + ": " + o.What()})
	}
	slices.SortFunc(out, func(a, b Item) int { return compare(a.Address, b.Address) })
	return out
}
