package live

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
)

// TestConfirmed: what is taken away because of a kept reading is asked for directly, and anything but the same answer is a
// doubt. Nothing is asked of a full reading, or when nothing is taken away.
func TestConfirmed(t *testing.T) {
	entry := func(change func(e *directory.Entry)) *directory.Entry {
		e := &directory.Entry{ObjectID: "a", Kind: directory.User, Address: "a@x.example", UPN: "a@x.example", Enabled: true, Licensed: true, HasProxy: true, Groups: []string{"G"}, Aliases: []string{"s@x.example"}}
		change(e)
		return e
	}
	same := func(*directory.Entry) {}
	for name, row := range map[string]struct {
		kept, now *directory.Entry // nil: missing
		err       error
		kindsErr  error
		full      bool // the reading has no base
		harmless  bool // nothing is taken away
		doubt     string
		asked     int
	}{
		"gone":              {asked: 1},
		"as kept":           {kept: entry(same), now: entry(func(e *directory.Entry) { e.Groups = nil }), asked: 1},
		"full reading":      {now: entry(same), full: true},
		"nothing destroyed": {now: entry(same), harmless: true},
		"back":              {now: entry(same), doubt: "it exists", asked: 1},
		"gone meanwhile":    {kept: entry(same), doubt: "does not exist any more", asked: 1},
		"unanswered":        {kept: entry(same), err: errors.New("503"), doubt: "could not be asked", asked: 1},
		"unanswered, gone":  {err: errors.New("503"), doubt: "could not be asked", asked: 1},
		"shared by now":     {kept: entry(same), now: entry(func(e *directory.Entry) { e.Kind = directory.SharedMailbox }), doubt: "shared_mailbox", asked: 1},
		"kind unknown":      {kept: entry(same), now: entry(func(e *directory.Entry) { e.Kind = directory.UnknownKind }), doubt: "unknown", asked: 1},
		"kinds unread":      {kept: entry(same), now: entry(func(e *directory.Entry) { e.Kind = directory.UnknownKind }), kindsErr: errors.New("403"), asked: 1},
		"enabled again":     {kept: entry(func(e *directory.Entry) { e.Enabled = false }), now: entry(same), doubt: "not as it was kept", asked: 1},
		"licensed":          {kept: entry(func(e *directory.Entry) { e.Licensed = false }), now: entry(same), doubt: "not as it was kept", asked: 1},
		"another address":   {kept: entry(same), now: entry(func(e *directory.Entry) { e.Address = "b@x.example" }), doubt: "not as it was kept", asked: 1},
		"another place":     {kept: entry(same), now: entry(func(e *directory.Entry) { e.Department = "Kitchen" }), doubt: "not as it was kept", asked: 1},
		"an alias back":     {kept: entry(func(e *directory.Entry) { e.Aliases = nil }), now: entry(same), doubt: "not as it was kept", asked: 1},
		"another title":     {kept: entry(same), now: entry(func(e *directory.Entry) { e.JobTitle = "Cook" }), doubt: "not as it was kept", asked: 1},
		"a dynamic group":   {kept: entry(func(e *directory.Entry) { e.Kind = directory.DynamicDistributionGroup })},
	} {
		t.Run(name, func(t *testing.T) {
			reading := &directory.Reading{KindsErr: row.kindsErr}
			if !row.full {
				reading.Proof.Base = &directory.Base{}
			}
			if row.kept != nil {
				reading.Entries = append(reading.Entries, row.kept)
			}
			part := &planner.Part{Accounts: &dirsync.Result{Decisions: []dirsync.Decision{
				{Action: dirsync.Disable, ObjectID: "a", Destructive: !row.harmless, Gone: row.kept == nil}, {Action: dirsync.Add, ObjectID: "b"},
			}}}
			asked := 0
			got := Confirmed(t.Context(), part, reading, func(_ context.Context, id string) (*directory.Entry, bool, error) {
				if asked++; id != "a" {
					t.Errorf("asked for %s", id)
				}
				return row.now, row.now != nil, row.err
			})
			if (got == "") != (row.doubt == "") || !strings.Contains(got, row.doubt) || asked != row.asked {
				t.Errorf("%q after %d questions", got, asked)
			}
		})
	}
}

// TestConfirmedWithoutObject: that nobody has the address of an account cannot be asked for directly when no object was ever
// known for it, so a kept reading does not prove it. What goes for another reason than that rests on no absence.
func TestConfirmedWithoutObject(t *testing.T) {
	never := func(context.Context, string) (*directory.Entry, bool, error) {
		t.Error("asked for nothing")
		return nil, false, nil
	}
	for _, gone := range []bool{true, false} {
		part := &planner.Part{Accounts: &dirsync.Result{Decisions: []dirsync.Decision{{Action: dirsync.Disable, Address: "stray@x.example", Destructive: true, Gone: gone}}}}
		doubt := Confirmed(t.Context(), part, &directory.Reading{Proof: directory.Proof{Base: &directory.Base{}}}, never)
		if gone != strings.Contains(doubt, "stray@x.example") {
			t.Errorf("gone %v: %q", gone, doubt)
		}
		if doubt := Confirmed(t.Context(), part, &directory.Reading{}, never); doubt != "" {
			t.Errorf("a full reading: %q", doubt)
		}
	}
}

// TestConfirmedBounds: more than fifty are not asked for one by one.
func TestConfirmedBounds(t *testing.T) {
	for _, n := range []int{maxConfirmed, maxConfirmed + 1} {
		part := &planner.Part{Accounts: &dirsync.Result{}}
		for i := range n {
			part.Accounts.Decisions = append(part.Accounts.Decisions, dirsync.Decision{ObjectID: fmt.Sprint(i), Destructive: true, Gone: true})
		}
		var mu sync.Mutex
		asked := 0
		doubt := Confirmed(t.Context(), part, &directory.Reading{Proof: directory.Proof{Base: &directory.Base{}}}, func(context.Context, string) (*directory.Entry, bool, error) {
			mu.Lock()
			defer mu.Unlock()
			asked++
			return nil, false, nil
		})
		if over := n > maxConfirmed; over != (doubt != "") || over != (asked == 0) || !over && asked != n {
			t.Errorf("%d: %q after %d questions", n, doubt, asked)
		}
	}
}
