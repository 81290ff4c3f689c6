package dirsync

import (
	"fmt"
	"slices"

	"github.com/weir-project/weir/providers/directory"
)

// waysInto are the groups that it is a member of itself and that are, or lie within, one of those named; none when a name
// does not stand for exactly one group, for then leaving does not help.
func (c *changes) waysInto(names []string) []*directory.Entry {
	d, id := c.t.d, c.objectID()
	if id == "" {
		return nil
	}
	within := map[string]bool{}
	for _, name := range names {
		found := d.groupsNamed(name)
		if len(found) != 1 {
			return nil
		}
		d.members(found[0], within)
		within[found[0].ObjectID] = true
	}
	var out []*directory.Entry
	for _, g := range d.groups {
		if within[g.ObjectID] && hasMember(g, id) {
			out = append(out, g)
		}
	}
	return out
}

func hasMember(g *directory.Entry, id string) bool {
	return slices.ContainsFunc(g.Members, func(m string) bool { return directory.Fold(m) == id })
}

// leaveGroups takes it out of groups, all of them together.
func (c *changes) leaveGroups(size int, groups []*directory.Entry) {
	if len(groups) == 0 {
		return
	}
	var names []string
	ids := map[string]bool{}
	for _, g := range groups {
		names = append(names, g.Name)
		ids[g.ObjectID] = true
	}
	noun := "group"
	if len(names) > 1 {
		noun = "groups"
	}
	id := c.objectID()
	c.add(size, InDirectory, "take it out of the "+noun+" "+quotes(names), "", func(r *Request) {
		membership(r, id, func(g *directory.Entry) bool { return ids[directory.Fold(g.ObjectID)] }, false)
	})
}

// groups are those that a condition names.
func (c *changes) groups(literals []string) {
	id := c.objectID()
	for _, name := range literals {
		var in, all []*directory.Entry
		for _, g := range c.t.d.groups {
			if g.Name == name {
				all = append(all, g)
				if hasMember(g, id) {
					in = append(in, g)
				}
			}
		}
		member := slices.Contains(c.Entry.Groups, name)
		switch {
		case member && len(in) > 0:
			c.leaveGroups(1, in)
		case member:
			// A group that was not read, whose name alone is known.
			c.inEntry(1, "take it out of the group "+quote(name), func(e *directory.Entry) {
				e.Groups = slices.DeleteFunc(slices.Clone(e.Groups), func(x string) bool { return x == name })
			})
		case len(all) > 0:
			c.add(1, InDirectory, "add it to the group "+quote(name), "", func(r *Request) {
				membership(r, id, func(g *directory.Entry) bool { return directory.Fold(g.ObjectID) == all[0].ObjectID }, true)
			})
		default:
			c.inEntry(2, fmt.Sprintf("make a group %s in the directory and add it to it", quote(name)), func(e *directory.Entry) {
				e.Groups = append(slices.Clone(e.Groups), name)
				slices.Sort(e.Groups)
			})
		}
	}
}

// membership makes an object a member of groups, or no member, in a copy of the directory: in the groups, and in what its
// own entry says of them.
func membership(r *Request, id string, of func(*directory.Entry) bool, in bool) {
	if r.Directory == nil {
		return
	}
	d := *r.Directory
	concerned := map[string]bool{} // names
	elsewhere := map[string]bool{} // names of other groups that it is in
	regroup := func(list []*directory.Entry) []*directory.Entry {
		out := slices.Clone(list)
		for i, g := range out {
			if g == nil || !g.Kind.IsGroup() {
				continue
			}
			is := hasMember(g, id)
			if !of(g) {
				if is {
					elsewhere[g.Name] = true
				}
				continue
			}
			concerned[g.Name] = true
			if is == in {
				continue
			}
			n := *g
			if in {
				n.Members = append(slices.Clone(g.Members), id)
			} else {
				n.Members = slices.DeleteFunc(slices.Clone(g.Members), func(m string) bool { return directory.Fold(m) == id })
			}
			out[i] = &n
		}
		return out
	}
	d.Groups, d.Entries = regroup(d.Groups), regroup(d.Entries)
	for i, e := range d.Entries {
		if e == nil || directory.Fold(e.ObjectID) != id {
			continue
		}
		n := *e
		n.Groups = slices.DeleteFunc(slices.Clone(e.Groups), func(name string) bool { return concerned[name] && (in || !elsewhere[name]) })
		if in {
			for name := range concerned {
				n.Groups = append(n.Groups, name)
			}
			slices.Sort(n.Groups)
		}
		d.Entries[i] = &n
	}
	r.Directory = &d
}
