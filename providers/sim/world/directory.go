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
	p.Changed, p.MailboxChanged = w.Touch(), w.Clock
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
	changed.ID, changed.Created, changed.Changed, changed.MailboxChanged = p.ID, p.Created, w.Touch(), w.Clock
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

// Consent does what an administrator's acceptance does: it makes the service principal of app in t when there is none
// and grants, for the whole tenant, every permission that app declares and that its resource knows. A resource without a
// service principal in t is passed over. The caller holds Lock.
func (w *World) Consent(t *Tenant, app *Application) *ServicePrincipal {
	sp := t.ServicePrincipalByAppID(app.AppID)
	if sp == nil {
		home, _ := w.HomeOf(app.AppID)
		owner := t.ID
		if home != nil {
			owner = home.ID
		}
		sp = &ServicePrincipal{
			ID: w.NewGUID(), AppID: app.AppID, DisplayName: app.DisplayName, Enabled: true, OwnerTenant: owner, Created: w.Clock,
		}
		t.AddServicePrincipal(sp)
	}
	for _, access := range app.Required {
		target := t.ServicePrincipalByAppID(access.ResourceAppID)
		if target == nil {
			continue
		}
		var scopes []string
		for _, p := range access.Permissions {
			name := PermissionName(access.ResourceAppID, p.ID)
			switch {
			case name == "":
			case p.Type == "Scope":
				scopes = append(scopes, name)
			case !slices.ContainsFunc(t.AppRoleGrants, func(g *AppRoleGrant) bool {
				return g.Principal == sp.ID && g.Resource == target.ID && g.AppRole == p.ID
			}):
				t.AppRoleGrants = append(t.AppRoleGrants, &AppRoleGrant{
					ID: w.NewHex(16), Principal: sp.ID, Resource: target.ID, AppRole: p.ID, Created: w.Clock,
				})
			}
		}
		if len(scopes) == 0 {
			continue
		}
		i := slices.IndexFunc(t.Grants, func(g *DelegatedGrant) bool {
			return g.Client == sp.ID && g.Resource == target.ID && g.ConsentType == "AllPrincipals"
		})
		if i < 0 {
			t.Grants = append(t.Grants, &DelegatedGrant{ID: w.NewHex(16), Client: sp.ID, ConsentType: "AllPrincipals", Resource: target.ID})
			i = len(t.Grants) - 1
		}
		have := strings.Fields(t.Grants[i].Scope)
		for _, s := range scopes {
			if !slices.Contains(have, s) {
				have = append(have, s)
			}
		}
		t.Grants[i].Scope = strings.Join(have, " ")
	}
	return sp
}
