package dirsync

import (
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/directory"
)

// asksGroups reports whether a predicate looks at the groups of an entry, as far as its text tells: one that only has the
// word in it costs a question more.
func asksGroups(p directory.Predicate) bool { return p != nil && strings.Contains(p.Text(), "groups") }

// memberships gives every destructive decision about an entry that lives what the reading says of its groups, where
// anything is decided by groups: whoever carries it out asks the directory itself whether that is so. Predicates look at the
// groups that an entry is in itself, exemptions that name groups at those around them too.
func (d *decider) memberships() {
	direct, nested := asksGroups(d.p.Include), false
	for i := range d.prot.list {
		direct = direct || asksGroups(d.prot.list[i].When)
		nested = nested || len(d.prot.list[i].Groups) > 0
	}
	if !direct && !nested {
		return
	}
	asked := map[string]*directory.Memberships{}
	for _, w := range d.works {
		if w.Destructive && !w.Gone && w.u.entry != nil {
			w.Groups = &directory.Memberships{}
			asked[w.u.entry.ObjectID] = w.Groups
		}
	}
	if len(asked) == 0 {
		return
	}
	// around are the groups that have a group as a member. What is kept of a group is its own: a decision lives as long as
	// the plan.
	var unseen []string
	around := map[string][]string{}
	for _, g := range d.groups {
		if g.MembersHidden {
			unseen = append(unseen, strings.Clone(g.ObjectID))
			continue
		}
		for _, id := range g.Members {
			id = directory.Fold(id)
			if m := asked[id]; m != nil {
				m.Direct = append(m.Direct, directory.Membership{ObjectID: strings.Clone(g.ObjectID), Name: strings.Clone(g.Name)})
			}
			if nested && d.groupByID[id] != nil {
				around[id] = append(around[id], g.ObjectID)
			}
		}
	}
	slices.Sort(unseen)
	for id, m := range asked {
		m.Unseen = unseen
		slices.SortFunc(m.Direct, func(a, b directory.Membership) int { return strings.Compare(a.ObjectID, b.ObjectID) })
		m.Direct = slices.Compact(m.Direct)
		if !nested {
			continue
		}
		seen := map[string]bool{id: true} // a group is not around itself, whatever the circle
		m.All = []string{}
		queue := make([]string, 0, len(m.Direct))
		for _, g := range m.Direct {
			queue = append(queue, g.ObjectID)
		}
		for len(queue) > 0 {
			next := queue[0]
			queue = queue[1:]
			if !seen[next] {
				seen[next] = true
				m.All = append(m.All, strings.Clone(next))
				queue = append(queue, around[next]...)
			}
		}
		slices.Sort(m.All)
	}
}
