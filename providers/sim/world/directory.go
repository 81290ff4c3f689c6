package world

import (
	"encoding/json"
	"slices"
	"strings"
)

// AddPerson adds p to the directory, with a fresh id when it has none, and marks it changed. The caller holds Lock and
// has checked that the user principal name is free.
func (w *World) AddPerson(t *Tenant, p *DirectoryUser) {
	if p.ID == "" {
		p.ID = w.NewGUID()
	}
	if p.Created.IsZero() {
		p.Created = w.Clock
	}
	p.Changed = w.Touch()
	i, _ := slices.BinarySearchFunc(t.People, p.ID, func(e *DirectoryUser, id string) int { return strings.Compare(e.ID, id) })
	t.People = slices.Insert(t.People, i, p)
	if t.people == nil {
		t.people = map[string]*DirectoryUser{}
	}
	t.people[p.ID], t.people[lower(p.UserPrincipalName)] = p, p
}

// ReplacePerson puts the fields of changed (same id) in the place of p's and marks p changed. The caller holds Lock.
func (w *World) ReplacePerson(t *Tenant, p *DirectoryUser, changed DirectoryUser) {
	delete(t.people, lower(p.UserPrincipalName))
	changed.ID, changed.Created, changed.Changed = p.ID, p.Created, w.Touch()
	*p = changed
	t.people[lower(p.UserPrincipalName)] = p
}

// DeletePerson moves p to the deleted items (restorable) or, when permanent, leaves only its id there, and takes it out
// of every group. The caller holds Lock.
func (w *World) DeletePerson(t *Tenant, p *DirectoryUser, permanent bool) {
	t.People = slices.DeleteFunc(t.People, func(e *DirectoryUser) bool { return e == p })
	delete(t.people, p.ID)
	delete(t.people, lower(p.UserPrincipalName))
	w.bury(t, "user", p.ID, p, permanent)
}

// AddGroup adds g to the directory, with a fresh id when it has none, and marks it changed. The caller holds Lock.
func (w *World) AddGroup(t *Tenant, g *Group) {
	if g.ID == "" {
		g.ID = w.NewGUID()
	}
	if g.Created.IsZero() {
		g.Created = w.Clock
	}
	g.Changed = w.Touch()
	i, _ := slices.BinarySearchFunc(t.Groups, g.ID, func(e *Group, id string) int { return strings.Compare(e.ID, id) })
	t.Groups = slices.Insert(t.Groups, i, g)
	if t.groups == nil {
		t.groups = map[string]*Group{}
	}
	t.groups[g.ID] = g
}

// DeleteGroup moves g to the deleted items and takes it out of every other group. The caller holds Lock.
func (w *World) DeleteGroup(t *Tenant, g *Group, permanent bool) {
	t.Groups = slices.DeleteFunc(t.Groups, func(e *Group) bool { return e == g })
	delete(t.groups, g.ID)
	w.bury(t, "group", g.ID, g, permanent)
}

// AddContact adds c to the directory, with a fresh id when it has none, and marks it changed. The caller holds Lock.
func (w *World) AddContact(t *Tenant, c *Contact) {
	if c.ID == "" {
		c.ID = w.NewGUID()
	}
	c.Changed = w.Touch()
	i, _ := slices.BinarySearchFunc(t.Contacts, c.ID, func(e *Contact, id string) int { return strings.Compare(e.ID, id) })
	t.Contacts = slices.Insert(t.Contacts, i, c)
	if t.contacts == nil {
		t.contacts = map[string]*Contact{}
	}
	t.contacts[c.ID] = c
}

// DeleteContact moves c to the deleted items and takes it out of every group. The caller holds Lock.
func (w *World) DeleteContact(t *Tenant, c *Contact) {
	t.Contacts = slices.DeleteFunc(t.Contacts, func(e *Contact) bool { return e == c })
	delete(t.contacts, c.ID)
	w.bury(t, "contact", c.ID, c, true)
}

// AddMember puts the object with that id into the group; false when it is there already. The caller holds Lock.
func (w *World) AddMember(g *Group, id string) bool {
	if slices.Contains(g.Members, id) {
		return false
	}
	g.Members = append(g.Members, id)
	delete(g.RemovedMembers, id)
	g.Changed = w.Touch()
	return true
}

// RemoveMember takes the object with that id out of the group and remembers when, for delta; false when it is not
// there. The caller holds Lock.
func (w *World) RemoveMember(g *Group, id string) bool {
	i := slices.Index(g.Members, id)
	if i < 0 {
		return false
	}
	g.Members = slices.Delete(g.Members, i, i+1)
	g.Changed = w.Touch()
	if g.RemovedMembers == nil {
		g.RemovedMembers = map[string]uint64{}
	}
	g.RemovedMembers[id] = g.Changed
	return true
}

func (w *World) bury(t *Tenant, kind, id string, object any, permanent bool) {
	for _, g := range t.Groups {
		w.RemoveMember(g, id)
	}
	d := &DeletedItem{ID: id, Kind: kind, Permanent: permanent, At: w.Clock, Changed: w.Touch()}
	if !permanent {
		raw, err := json.Marshal(object)
		if err != nil {
			panic("world: a directory object always encodes: " + err.Error())
		}
		d.Object = raw
	}
	t.Deleted = append(t.Deleted, d)
}
