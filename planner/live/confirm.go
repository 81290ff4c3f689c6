package live

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/directory"
)

// maxConfirmed is how many objects are asked for directly before a full read is the cheaper proof.
const maxConfirmed = 50

// Direct asks the directory about one object.
type Direct struct {
	// Confirm reads the object; present says whether it exists.
	Confirm func(ctx context.Context, objectID string) (entry *directory.Entry, present bool, err error)
	// Memberships reads the groups that the object is a member of, with nested those around them too.
	Memberships func(ctx context.Context, objectID string, kind directory.Kind, nested bool) (*directory.Memberships, error)
}

// source is what a decision to take something away rests on.
type source struct {
	entry  *directory.Entry       // nil for one that is missing
	groups *directory.Memberships // nil when nothing rests on them
}

// Confirmed asks the directory directly about every object because of which the part takes something away, where the
// reading rests on what an earlier run kept: what is missing in it, or different in it, may only be so there, and where
// groups decide, who is in them, too. It returns
// "" when all of it is as the reading says, or why the reading is not to be trusted. A reading without Base was read
// in full and proves itself.
func Confirmed(ctx context.Context, part *planner.Part, reading *directory.Reading, ask Direct) (doubt string) {
	if part == nil || part.Accounts == nil || reading == nil || reading.Proof.Base == nil || ask.Confirm == nil {
		return ""
	}
	asked := map[string]*source{}
	for i := range part.Accounts.Decisions {
		d := &part.Accounts.Decisions[i]
		switch {
		case !d.Destructive:
		case d.ObjectID != "":
			asked[d.ObjectID] = &source{groups: d.Groups}
		case d.Gone:
			// Nothing names the object that might have its address after all.
			return fmt.Sprintf("nobody in what was kept has the address %s", d.Address)
		}
	}
	switch {
	case len(asked) == 0:
		return ""
	case len(asked) > maxConfirmed:
		return fmt.Sprintf("%d accounts would lose something", len(asked))
	}
	for _, e := range reading.Entries {
		if s := asked[e.ObjectID]; s != nil {
			s.entry = e
		}
	}
	var work errgroup.Group
	work.SetLimit(4)
	doubts := make([]string, len(asked))
	for i, id := range slices.Sorted(maps.Keys(asked)) {
		work.Go(func() error {
			doubts[i] = ask.differs(ctx, id, asked[id], reading.KindsErr == nil)
			return nil
		})
	}
	_ = work.Wait() // every function returns nil
	for _, d := range doubts {
		if d != "" {
			return d
		}
	}
	return ""
}

// differs says in what an object asked for directly differs from what was read; "" in nothing.
func (ask *Direct) differs(ctx context.Context, id string, from *source, kinds bool) string {
	e := from.entry
	if e != nil && e.Kind == directory.DynamicDistributionGroup {
		return "" // Exchange lists these in full each time
	}
	who := "object " + id
	if e != nil && e.Address != "" {
		who = e.Address + " (" + who + ")"
	}
	now, present, err := ask.Confirm(ctx, id)
	switch {
	case err != nil:
		return fmt.Sprintf("%s could not be asked for directly: %v", who, err)
	case e == nil && present:
		return fmt.Sprintf("%s is missing in what was kept, and it exists", who)
	case e == nil:
		return ""
	case !present:
		return fmt.Sprintf("%s does not exist any more", who)
	case kinds && now.Kind != e.Kind:
		return fmt.Sprintf("%s is kept as %s, and it is %s", who, e.Kind, now.Kind)
	case !alike(now, e):
		return fmt.Sprintf("%s is not as it was kept", who)
	case from.groups == nil:
		return ""
	case ask.Memberships == nil:
		return fmt.Sprintf("the groups of %s cannot be asked for", who)
	}
	groups, err := ask.Memberships(ctx, id, now.Kind, from.groups.Nested())
	if err != nil {
		return fmt.Sprintf("the groups of %s could not be asked for directly: %v", who, err)
	}
	if what := from.groups.Differs(groups); what != "" {
		return fmt.Sprintf("%s %s in what was kept", who, what)
	}
	return ""
}

// alike reports whether everything is the same that a direct answer tells: a predicate may ask for any of it, and each
// alias is an address that receives. Kinds, groups and members are none of it: they are asked for apart.
func alike(a, b *directory.Entry) bool {
	if !slices.Equal(a.Aliases, b.Aliases) {
		return false
	}
	x, y := *a, *b
	for _, e := range []*directory.Entry{&x, &y} {
		e.Kind, e.Aliases, e.Groups, e.Members, e.Created = "", nil, nil, nil, time.Time{}
	}
	return reflect.DeepEqual(x, y)
}
