package apply

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/state"
)

// noted is a journal that keeps what it is given, and refuses from the n-th entry on; n 0 takes all.
type noted struct {
	refuse  int
	entries int
	notes   []state.Note
	records [][]state.Outcome
}

func (j *noted) take() error {
	if j.entries++; j.entries == j.refuse {
		return errors.New("refused")
	}
	return nil
}

func (j *noted) Intend(context.Context, []state.Intent) error { return errors.New("nothing is begun") }
func (j *noted) Note(_ context.Context, n state.Note) error {
	j.notes = append(j.notes, n)
	return j.take()
}
func (j *noted) Record(_ context.Context, o []state.Outcome) error {
	j.records = append(j.records, o)
	return j.take()
}

func TestRecordOmissions(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	until := now.AddDate(0, 1, 0)
	part := &planner.Part{AccountPolicy: "sync_policy.p", Accounts: &dirsync.Result{}, Changes: []*planner.Change{{Address: "domain.d", Action: planner.Create}}}
	var out []planner.Omission
	for i := range omissionBatch + 1 {
		mail := fmt.Sprintf("p%d@c.example", i)
		part.Accounts.Decisions = append(part.Accounts.Decisions, dirsync.Decision{Action: dirsync.Disable, Address: mail})
		out = append(out, planner.Omission{Address: planner.AccountAddress("sync_policy.p", mail)})
	}
	out[0].Until = until
	part.Omit(append(out, planner.Omission{Address: "domain.d"})...)
	ops := 0
	record := func(j Journal, s *state.State, p *planner.Part) error {
		return RecordOmissions(context.Background(), j, s, p, func() string { ops++; return fmt.Sprint(ops) }, now)
	}

	j, s := &noted{}, &state.State{}
	if err := record(j, s, part); err != nil {
		t.Fatal(err)
	}
	if len(j.notes) != 1 || len(j.records) != 2 || len(j.records[0]) != omissionBatch || len(j.records[1]) != 2 {
		t.Fatalf("%d notes, %d records", len(j.notes), len(j.records))
	}
	if len(s.Skips) != 1 || s.Skips[0].Mail != "p0@c.example" || !s.Skips[0].Until.Equal(until) {
		t.Errorf("skips %+v", s.Skips)
	}
	if s.Accounts.Len() != 0 || len(s.Objects) != 0 || len(s.InDoubt) != 0 {
		t.Errorf("something else came into state: %+v", s)
	}
	last := j.records[1][1]
	if first := j.records[0][0]; first.Address != "sync_policy.p" || first.Mail != "p0@c.example" || first.Action != LeaveOut || last.Address != "domain.d" || last.Mail != "" {
		t.Errorf("first %+v, last %+v", first, last)
	}

	// What the journal does not take is not in state either, and nothing comes after it.
	j, s = &noted{refuse: 1}, &state.State{}
	if err := record(j, s, part); err == nil || len(s.Skips) != 0 || len(j.records) != 0 {
		t.Errorf("%v: skips %v, %d records", err, s.Skips, len(j.records))
	}
	// A part that leaves nothing out writes nothing.
	j = &noted{}
	if err := record(j, &state.State{}, &planner.Part{}); err != nil || j.entries != 0 {
		t.Errorf("%v: %d entries", err, j.entries)
	}
}
