package directory

import (
	"fmt"
	"slices"
)

// Membership is one group that an entry is a direct member of.
type Membership struct {
	// ObjectID is the group's object id, lower case; Name its display name, which is what Entry.Groups has.
	ObjectID, Name string
}

// Memberships are the groups of one entry.
type Memberships struct {
	// Direct are the groups that have the entry itself as a member, sorted by object id.
	Direct []Membership
	// All are the object ids of these and of every group around them, sorted; nil when only the direct ones were asked for.
	All []string
	// Unseen are groups whose members could not be read, so that they are missing here for no reason: sorted object ids.
	Unseen []string
}

// Nested reports whether groups around the direct ones were asked for.
func (m *Memberships) Nested() bool { return m.All != nil }

// Differs says in what now, asked for directly, differs from m, which was read before; "" in nothing. A group of which m
// could not know says nothing, and groups around the direct ones count only if m asked for them.
func (m *Memberships) Differs(now *Memberships) string {
	unseen := func(id string) bool {
		_, found := slices.BinarySearch(m.Unseen, id)
		return found
	}
	was := make(map[string]string, len(m.Direct))
	for _, g := range m.Direct {
		was[g.ObjectID] = g.Name
	}
	for _, g := range now.Direct {
		name, known := was[g.ObjectID]
		switch {
		case !known && unseen(g.ObjectID):
		case !known:
			return fmt.Sprintf("is a member of %q, and was not", g.Name)
		case name != g.Name:
			return fmt.Sprintf("is a member of %q, which was %q", g.Name, name)
		}
		delete(was, g.ObjectID)
	}
	for _, g := range m.Direct {
		if _, left := was[g.ObjectID]; left {
			return fmt.Sprintf("is no member of %q, and was one", g.Name)
		}
	}
	if !m.Nested() {
		return ""
	}
	for _, id := range now.All {
		if _, found := slices.BinarySearch(m.All, id); !found && !unseen(id) {
			return fmt.Sprintf("is, through other groups, a member of the group %s, and was not", id)
		}
	}
	for _, id := range m.All {
		if _, found := slices.BinarySearch(now.All, id); !found {
			return fmt.Sprintf("is, through other groups, no member of the group %s any more", id)
		}
	}
	return ""
}
