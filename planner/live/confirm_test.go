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
			got := Confirmed(t.Context(), part, reading, Direct{Confirm: func(_ context.Context, id string) (*directory.Entry, bool, error) {
				if asked++; id != "a" {
					t.Errorf("asked for %s", id)
				}
				return row.now, row.now != nil, row.err
			}, Memberships: func(context.Context, string, directory.Kind, bool) (*directory.Memberships, error) {
				t.Error("asked for groups, on which nothing rests")
				return nil, nil
			}})
			if (got == "") != (row.doubt == "") || !strings.Contains(got, row.doubt) || asked != row.asked {
				t.Errorf("%q after %d questions", got, asked)
			}
		})
	}
}

// TestConfirmedGroups: where groups decide, those of the entry are asked for, too, and anything but the same answer is a doubt.
func TestConfirmedGroups(t *testing.T) {
	kept := &directory.Memberships{Direct: []directory.Membership{{ObjectID: "g", Name: "Guests"}}, Unseen: []string{"h"}}
	around := &directory.Memberships{Direct: kept.Direct, All: []string{"g", "o"}}
	answer := func(names ...string) *directory.Memberships {
		m := &directory.Memberships{}
		for _, n := range names {
			m.Direct = append(m.Direct, directory.Membership{ObjectID: strings.ToLower(n[:1]), Name: n})
		}
		return m
	}
	entry := func(kind directory.Kind) *directory.Entry {
		return &directory.Entry{ObjectID: "a", Kind: kind, Address: "a@x.example"}
	}
	for name, row := range map[string]struct {
		kind  directory.Kind
		kept  *directory.Memberships
		gone  bool // the entry does not exist any more
		full  bool
		now   *directory.Memberships
		err   error
		doubt string
		asked int
	}{
		"nothing rests on them": {kind: directory.User},
		"as kept":               {kind: directory.User, kept: kept, now: answer("Guests"), asked: 1},
		"as kept, of a group":   {kind: directory.DistributionGroup, kept: kept, now: answer("Guests"), asked: 1},
		"added again":           {kind: directory.User, kept: kept, now: answer("Guests", "Staff"), doubt: `a@x.example (object a) is a member of "Staff", and was not in what was kept`, asked: 1},
		"not taken out":         {kind: directory.User, kept: &directory.Memberships{}, now: answer("Guests"), doubt: `is a member of "Guests"`, asked: 1},
		"taken out":             {kind: directory.User, kept: kept, now: answer(), doubt: `is no member of "Guests"`, asked: 1},
		"hidden when read":      {kind: directory.User, kept: kept, now: answer("Guests", "Hidden"), asked: 1},
		"around":                {kind: directory.User, kept: around, now: &directory.Memberships{Direct: kept.Direct, All: []string{"g"}}, doubt: "no member of the group o any more", asked: 1},
		"around, as kept":       {kind: directory.User, kept: around, now: around, asked: 1},
		"unanswered":            {kind: directory.User, kept: kept, err: errors.New("403"), doubt: "groups of a@x.example (object a) could not be asked for directly: 403", asked: 1},
		"gone meanwhile":        {kind: directory.User, kept: kept, gone: true, doubt: "does not exist any more"},
		"a full reading":        {kind: directory.User, kept: kept, now: answer(), full: true},
	} {
		t.Run(name, func(t *testing.T) {
			reading := &directory.Reading{Entries: []*directory.Entry{entry(row.kind)}}
			if !row.full {
				reading.Proof.Base = &directory.Base{}
			}
			part := &planner.Part{Accounts: &dirsync.Result{Decisions: []dirsync.Decision{{Action: dirsync.Disable, ObjectID: "a", Destructive: true, Groups: row.kept}}}}
			asked := 0
			ask := Direct{Confirm: func(context.Context, string) (*directory.Entry, bool, error) { return entry(row.kind), !row.gone, nil },
				Memberships: func(_ context.Context, id string, kind directory.Kind, nested bool) (*directory.Memberships, error) {
					if asked++; id != "a" || kind != row.kind || nested != (row.kept == around) {
						t.Errorf("asked for %s, a %s, nested %v", id, kind, nested)
					}
					return row.now, row.err
				}}
			if got := Confirmed(t.Context(), part, reading, ask); (got == "") != (row.doubt == "") || !strings.Contains(got, row.doubt) || asked != row.asked {
				t.Errorf("%q after %d questions", got, asked)
			}
			ask.Memberships = nil
			if got := Confirmed(t.Context(), part, reading, ask); (got == "") == (row.asked > 0 || row.gone) {
				t.Errorf("nobody to ask: %q", got)
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
		doubt := Confirmed(t.Context(), part, &directory.Reading{Proof: directory.Proof{Base: &directory.Base{}}}, Direct{Confirm: never})
		if gone != strings.Contains(doubt, "stray@x.example") {
			t.Errorf("gone %v: %q", gone, doubt)
		}
		if doubt := Confirmed(t.Context(), part, &directory.Reading{}, Direct{Confirm: never}); doubt != "" {
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
		doubt := Confirmed(t.Context(), part, &directory.Reading{Proof: directory.Proof{Base: &directory.Base{}}}, Direct{Confirm: func(context.Context, string) (*directory.Entry, bool, error) {
			mu.Lock()
			defer mu.Unlock()
			asked++
			return nil, false, nil
		}})
		if over := n > maxConfirmed; over != (doubt != "") || over != (asked == 0) || !over && asked != n {
			t.Errorf("%d: %q after %d questions", n, doubt, asked)
		}
	}
}
