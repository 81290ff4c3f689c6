package world

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Trail remembers which parts of a directory object changed when, for delta queries: those report, on request, only
// what changed. The zero value, and a nil *Trail, know nothing; then everything counts as touched once the object's
// Changed moved.
type Trail struct {
	// At holds the revision of the last change of each property (by its Graph name) and of each membership that began
	// (MemberTrail).
	At map[string]uint64 `json:"at,omitempty"`
	// Known is the last revision that was recorded here, Unknown the last one before it that was not.
	Known   uint64 `json:"known,omitempty"`
	Unknown uint64 `json:"unknown,omitempty"`
}

// MemberTrail is the name in a Trail of the membership of that object id.
func MemberTrail(id string) string { return "member:" + id }

// Touched tells whether the named part may have changed after the revision since, in an object whose last change was at
// changed. In doubt it says true. It may be called on nil.
func (t *Trail) Touched(name string, since, changed uint64) bool {
	if t == nil || t.Known < changed || t.Unknown > since {
		return changed > since
	}
	return t.At[name] > since
}

// Mark records that the named properties of an object changed now: it bumps the revision, writes it to *changed and to
// the trail, and returns it. The caller holds Lock. Without names it says that anything may have changed.
func (w *World) Mark(changed *uint64, trail **Trail, names ...string) uint64 {
	if *trail == nil {
		*trail = &Trail{}
	}
	t := *trail
	if *changed > t.Known {
		t.Unknown = *changed // somebody changed the object without saying what
	}
	*changed = w.Touch()
	t.Known = *changed
	if len(names) == 0 {
		t.Unknown = *changed
		return *changed
	}
	if t.At == nil {
		t.At = map[string]uint64{}
	}
	for _, n := range names {
		t.At[n] = *changed
	}
	return *changed
}

// deletedItemLife is how long a deleted object can be restored (Microsoft: "within 30 days").
const deletedItemLife = 30 * 24 * time.Hour

// Restorable tells whether the deleted object can still be read and restored at that time.
func (d *DeletedItem) Restorable(now time.Time) bool {
	return !d.Permanent && now.Sub(d.At) <= deletedItemLife
}

// DeletedItem returns the restorable deleted object with that id, or nil. The caller holds the lock.
func (w *World) DeletedItem(t *Tenant, id string) *DeletedItem {
	for _, d := range t.Deleted {
		if strings.EqualFold(d.ID, id) && d.Restorable(w.Clock) {
			return d
		}
	}
	return nil
}

// DeleteApplication soft-deletes a and the service principal that it has in its own tenant, as the service does. The
// caller holds Lock.
func (w *World) DeleteApplication(t *Tenant, a *Application) {
	t.RemoveApplication(a)
	w.bury(t, "application", a.ID, a, false)
	if s := t.ServicePrincipalByAppID(a.AppID); s != nil {
		w.DeleteServicePrincipal(t, s)
	}
}

// DeleteServicePrincipal soft-deletes s; its consent and directory roles are gone for good. The caller holds Lock.
func (w *World) DeleteServicePrincipal(t *Tenant, s *ServicePrincipal) {
	t.RemoveServicePrincipal(s)
	w.bury(t, "servicePrincipal", s.ID, s, false)
}

// Purge makes a deletion permanent. The caller holds Lock.
func (w *World) Purge(d *DeletedItem) {
	d.Permanent, d.Object, d.Changed = true, nil, w.Touch()
}

// Restore puts a deleted object back. A user whose name, or an application whose client id, somebody else has by now is
// an error. The caller holds Lock.
func (w *World) Restore(t *Tenant, d *DeletedItem) error {
	taken := func(what, by string) error {
		return fmt.Errorf("restore %s %s: %s is taken by another object; rename that one first", d.Kind, d.ID, by+what)
	}
	var add func()
	switch d.Kind {
	case "user":
		o := &DirectoryUser{}
		if err := json.Unmarshal(d.Object, o); err != nil {
			return fmt.Errorf("restore user %s: %w", d.ID, err)
		}
		if t.Person(o.UserPrincipalName) != nil {
			return taken(o.UserPrincipalName, "user principal name ")
		}
		add = func() { w.AddPerson(t, o) }
	case "group":
		o := &Group{}
		if err := json.Unmarshal(d.Object, o); err != nil {
			return fmt.Errorf("restore group %s: %w", d.ID, err)
		}
		add = func() { w.AddGroup(t, o) }
	case "application":
		o := &Application{}
		if err := json.Unmarshal(d.Object, o); err != nil {
			return fmt.Errorf("restore application %s: %w", d.ID, err)
		}
		add = func() { t.AddApplication(o) }
	case "servicePrincipal":
		o := &ServicePrincipal{}
		if err := json.Unmarshal(d.Object, o); err != nil {
			return fmt.Errorf("restore service principal %s: %w", d.ID, err)
		}
		if t.ServicePrincipalByAppID(o.AppID) != nil {
			return taken(o.AppID, "client id ")
		}
		add = func() { t.AddServicePrincipal(o) }
	default:
		return fmt.Errorf("restore %s: a deleted %s cannot be restored", d.ID, d.Kind)
	}
	t.Deleted = slices.DeleteFunc(t.Deleted, func(e *DeletedItem) bool { return e == d })
	add()
	return nil
}

// AddMember puts the object with that id into the group; false when it is there already. The caller holds Lock.
func (w *World) AddMember(g *Group, id string) bool {
	if slices.Contains(g.Members, id) {
		return false
	}
	g.Members = append(g.Members, id)
	delete(g.RemovedMembers, id)
	w.Mark(&g.Changed, &g.Trail, MemberTrail(id))
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
	if g.RemovedMembers == nil {
		g.RemovedMembers = map[string]uint64{}
	}
	g.RemovedMembers[id] = w.Mark(&g.Changed, &g.Trail, "members")
	return true
}
