package world

import (
	"cmp"
	"slices"
	"strings"
)

// Reindex sorts what is kept sorted and builds the look-up tables anew. It is due after a structural change that did
// not go through the helpers of this package. The caller holds Lock. It costs time proportional to the whole world.
func (w *World) Reindex() {
	slices.SortStableFunc(w.Organizations, func(a, b *Organization) int { return cmp.Compare(a.EID, b.EID) })
	slices.SortStableFunc(w.Tenants, func(a, b *Tenant) int { return strings.Compare(a.ID, b.ID) })
	w.byDomain = make(map[string]*Organization, 2*len(w.Organizations))
	w.byEID = make(map[int]*Organization, len(w.Organizations))
	w.byTenant = make(map[string]*Tenant, 3*len(w.Tenants))
	w.homes.Clear()
	if w.Zones == nil {
		w.Zones = map[string]*Zone{}
	}
	for _, o := range w.Organizations {
		w.indexOrganization(o)
		o.Reindex()
	}
	for _, t := range w.Tenants {
		w.indexTenant(t)
		t.Reindex()
	}
}

func (w *World) indexOrganization(o *Organization) {
	w.byEID[o.EID] = o
	w.byDomain[lower(o.PrimaryDomain)] = o
	for _, d := range o.Domains {
		if _, taken := w.byDomain[lower(d.Name)]; !taken {
			w.byDomain[lower(d.Name)] = o
		}
	}
}

func (w *World) indexTenant(t *Tenant) {
	t.ID = lower(t.ID)
	w.byTenant[t.ID] = t
	for _, d := range t.Domains {
		if d.Verified {
			w.byTenant[lower(d.Name)] = t
		}
	}
}

// Organization returns the organization that has the domain, primary or not, or nil. A domain that two organizations
// have (on two stacks) finds the one with the lower EID, or the one whose primary domain it is. The caller holds the
// lock.
func (w *World) Organization(anyDomain string) *Organization { return w.byDomain[lower(anyDomain)] }

// OrganizationByEID returns the organization with the numeric id, or nil. The caller holds the lock.
func (w *World) OrganizationByEID(eid int) *Organization { return w.byEID[eid] }

// Children returns the organizations whose parent is eid, in order of EID. The caller holds the lock. It looks at every
// organization.
func (w *World) Children(eid int) []*Organization {
	var out []*Organization
	for _, o := range w.Organizations {
		if o.Parent == eid {
			out = append(out, o)
		}
	}
	return out
}

// AddOrganization adds o and keeps order and indexes right. The caller holds Lock and has set a free EID.
func (w *World) AddOrganization(o *Organization) {
	i, _ := slices.BinarySearchFunc(w.Organizations, o.EID, func(e *Organization, id int) int { return cmp.Compare(e.EID, id) })
	w.Organizations = slices.Insert(w.Organizations, i, o)
	w.indexOrganization(o)
	o.Reindex()
}

// RemoveOrganization removes o with everything in it. The caller holds Lock.
func (w *World) RemoveOrganization(o *Organization) {
	w.Organizations = slices.DeleteFunc(w.Organizations, func(e *Organization) bool { return e == o })
	delete(w.byEID, o.EID)
	for d, e := range w.byDomain {
		if e == o {
			delete(w.byDomain, d)
		}
	}
}

// Domain returns the organization's domain of that name, or nil. The caller holds the lock.
func (o *Organization) Domain(name string) *Domain {
	for _, d := range o.Domains {
		if strings.EqualFold(d.Name, name) {
			return d
		}
	}
	return nil
}

// AddDomain adds d to o and keeps the look-up by domain right. The caller holds Lock.
func (w *World) AddDomain(o *Organization, d *Domain) {
	o.Domains = append(o.Domains, d)
	if _, taken := w.byDomain[lower(d.Name)]; !taken {
		w.byDomain[lower(d.Name)] = o
	}
}

// RemoveDomain removes the domain from o; false when o does not have it. The caller holds Lock.
func (w *World) RemoveDomain(o *Organization, name string) bool {
	n := len(o.Domains)
	o.Domains = slices.DeleteFunc(o.Domains, func(d *Domain) bool { return strings.EqualFold(d.Name, name) })
	if w.byDomain[lower(name)] == o && !strings.EqualFold(name, o.PrimaryDomain) {
		delete(w.byDomain, lower(name))
	}
	return len(o.Domains) < n
}

// Reindex sorts Users and rebuilds the look-up by address. The caller holds Lock.
func (o *Organization) Reindex() {
	slices.SortStableFunc(o.Users, func(a, b *User) int { return strings.Compare(lower(a.PrimaryEmail), lower(b.PrimaryEmail)) })
	o.users = make(map[string]*User, 2*len(o.Users))
	o.byUID = make(map[int]*User, len(o.Users))
	for _, u := range o.Users {
		o.users[lower(u.PrimaryEmail)] = u
		o.byUID[u.UID] = u
	}
	for _, u := range o.Users {
		o.indexAliases(u)
	}
}

func (o *Organization) indexAliases(u *User) {
	for _, a := range u.Aliases {
		if _, taken := o.users[lower(a)]; !taken {
			o.users[lower(a)] = u
		}
	}
}

func (o *Organization) forget(u *User) {
	for _, a := range u.Aliases {
		if o.users[lower(a)] == u {
			delete(o.users, lower(a))
		}
	}
	if o.users[lower(u.PrimaryEmail)] == u {
		delete(o.users, lower(u.PrimaryEmail))
	}
	delete(o.byUID, u.UID)
}

func (o *Organization) position(address string) (int, bool) {
	return slices.BinarySearchFunc(o.Users, lower(address), func(u *User, a string) int {
		return strings.Compare(lower(u.PrimaryEmail), a)
	})
}

// User returns the account with the primary address or alias, whatever its case, or nil. A primary address is found
// before an alias. The caller holds the lock.
func (o *Organization) User(addressOrAlias string) *User { return o.users[lower(addressOrAlias)] }

// UserByUID returns the account with the numeric id, or nil. The caller holds the lock.
func (o *Organization) UserByUID(uid int) *User { return o.byUID[uid] }

// AddUser adds u, keeping Users sorted and the look-up right. The caller holds Lock, has checked that the address is
// free, and has set the UID.
func (o *Organization) AddUser(u *User) {
	i, _ := o.position(u.PrimaryEmail)
	o.Users = slices.Insert(o.Users, i, u)
	if o.users == nil {
		o.users, o.byUID = map[string]*User{}, map[int]*User{}
	}
	o.users[lower(u.PrimaryEmail)] = u
	o.byUID[u.UID] = u
	o.indexAliases(u)
}

// RemoveUser removes the account with that primary address; false when there is none. The caller holds Lock.
func (o *Organization) RemoveUser(address string) bool {
	i, ok := o.position(address)
	if !ok {
		return false
	}
	o.forget(o.Users[i])
	o.Users = slices.Delete(o.Users, i, i+1)
	return true
}

// RenameUser gives u another primary address. Its aliases stay as they are. The caller holds Lock and has checked that
// the address is free.
func (o *Organization) RenameUser(u *User, primary string) {
	aliases := u.Aliases
	o.RemoveUser(u.PrimaryEmail)
	u.PrimaryEmail, u.Aliases = primary, aliases
	o.AddUser(u)
}

// SetAliases replaces the aliases of u. The caller holds Lock and has checked that the addresses are free.
func (o *Organization) SetAliases(u *User, aliases []string) {
	o.forget(u)
	u.Aliases = aliases
	o.users[lower(u.PrimaryEmail)] = u
	o.byUID[u.UID] = u
	o.indexAliases(u)
}

// Tenant returns the Entra tenant with that id or verified domain, or nil. The caller holds the lock.
func (w *World) Tenant(idOrVerifiedDomain string) *Tenant {
	return w.byTenant[lower(idOrVerifiedDomain)]
}

// HomeOf returns the tenant in which the application with that client id is registered, and the application; nil, nil
// when it is registered nowhere. The caller holds the lock.
func (w *World) HomeOf(appID string) (*Tenant, *Application) {
	appID = lower(appID)
	if t, ok := w.homes.Load(appID); ok {
		// An application may have been deleted since.
		if a := t.(*Tenant).ApplicationByAppID(appID); a != nil {
			return t.(*Tenant), a
		}
	}
	for _, t := range w.Tenants {
		if a := t.ApplicationByAppID(appID); a != nil {
			w.homes.Store(appID, t)
			return t, a
		}
	}
	return nil, nil
}

// Reindex sorts the directory by id and rebuilds the look-ups. The caller holds Lock.
func (t *Tenant) Reindex() {
	slices.SortStableFunc(t.People, func(a, b *DirectoryUser) int { return strings.Compare(a.ID, b.ID) })
	slices.SortStableFunc(t.Groups, func(a, b *Group) int { return strings.Compare(a.ID, b.ID) })
	slices.SortStableFunc(t.Contacts, func(a, b *Contact) int { return strings.Compare(a.ID, b.ID) })
	t.people = make(map[string]*DirectoryUser, 2*len(t.People))
	for _, p := range t.People {
		t.people[p.ID] = p
		t.people[lower(p.UserPrincipalName)] = p
	}
	t.groups = make(map[string]*Group, len(t.Groups))
	for _, g := range t.Groups {
		t.groups[g.ID] = g
	}
	t.contacts = make(map[string]*Contact, len(t.Contacts))
	for _, c := range t.Contacts {
		t.contacts[c.ID] = c
	}
	t.applications = make(map[string]*Application, 2*len(t.Applications))
	for _, a := range t.Applications {
		t.indexApplication(a)
	}
	t.principals = make(map[string]*ServicePrincipal, 2*len(t.ServicePrincipals))
	for _, s := range t.ServicePrincipals {
		t.indexPrincipal(s)
	}
}

// Object ids and client ids come from different hats, so one table with a prefix for client ids serves both.
const clientPrefix = "client:"

func (t *Tenant) indexApplication(a *Application) {
	t.applications[lower(a.ID)] = a
	t.applications[clientPrefix+lower(a.AppID)] = a
}

func (t *Tenant) indexPrincipal(s *ServicePrincipal) {
	t.principals[lower(s.ID)] = s
	t.principals[clientPrefix+lower(s.AppID)] = s
}

// Person returns the directory user with that object id or user principal name, or nil. The caller holds the lock.
func (t *Tenant) Person(idOrUPN string) *DirectoryUser { return t.people[lower(idOrUPN)] }

// Group returns the group with that object id, or nil. The caller holds the lock.
func (t *Tenant) Group(id string) *Group { return t.groups[lower(id)] }

// Contact returns the mail contact with that object id, or nil. The caller holds the lock.
func (t *Tenant) Contact(id string) *Contact { return t.contacts[lower(id)] }

// Application returns the application registered here with that object id, or nil. The caller holds the lock.
func (t *Tenant) Application(objectID string) *Application { return t.applications[lower(objectID)] }

// ApplicationByAppID returns the application registered here with that client id, or nil. The caller holds the lock.
func (t *Tenant) ApplicationByAppID(appID string) *Application {
	return t.applications[clientPrefix+lower(appID)]
}

// ServicePrincipal returns the service principal with that object id, or nil. The caller holds the lock.
func (t *Tenant) ServicePrincipal(id string) *ServicePrincipal { return t.principals[lower(id)] }

// ServicePrincipalByAppID returns the service principal of that client id in this tenant, or nil. The caller holds the
// lock.
func (t *Tenant) ServicePrincipalByAppID(appID string) *ServicePrincipal {
	return t.principals[clientPrefix+lower(appID)]
}

// AddTenant adds t and keeps order and indexes right. The caller holds Lock.
func (w *World) AddTenant(t *Tenant) {
	i, _ := slices.BinarySearchFunc(w.Tenants, lower(t.ID), func(e *Tenant, id string) int { return strings.Compare(e.ID, id) })
	w.Tenants = slices.Insert(w.Tenants, i, t)
	w.indexTenant(t)
	t.Reindex()
}

// AddApplication registers a in t. The caller holds Lock and has set fresh ids.
func (t *Tenant) AddApplication(a *Application) {
	t.Applications = append(t.Applications, a)
	if t.applications == nil {
		t.applications = map[string]*Application{}
	}
	t.indexApplication(a)
}

// RemoveApplication takes a out of t. The caller holds Lock; what becomes of the deleted object is the caller's.
func (t *Tenant) RemoveApplication(a *Application) {
	t.Applications = slices.DeleteFunc(t.Applications, func(e *Application) bool { return e == a })
	delete(t.applications, lower(a.ID))
	delete(t.applications, clientPrefix+lower(a.AppID))
}

// AddServicePrincipal adds s to t. The caller holds Lock and has set a fresh id.
func (t *Tenant) AddServicePrincipal(s *ServicePrincipal) {
	t.ServicePrincipals = append(t.ServicePrincipals, s)
	if t.principals == nil {
		t.principals = map[string]*ServicePrincipal{}
	}
	t.indexPrincipal(s)
}

// RemoveServicePrincipal takes s out of t with its role assignments and grants. The caller holds Lock; what becomes of
// the deleted object is the caller's.
func (t *Tenant) RemoveServicePrincipal(s *ServicePrincipal) {
	t.ServicePrincipals = slices.DeleteFunc(t.ServicePrincipals, func(e *ServicePrincipal) bool { return e == s })
	delete(t.principals, lower(s.ID))
	delete(t.principals, clientPrefix+lower(s.AppID))
	t.RoleAssignments = slices.DeleteFunc(t.RoleAssignments, func(r *RoleAssignment) bool { return r.Principal == s.ID })
	t.AppRoleGrants = slices.DeleteFunc(t.AppRoleGrants, func(g *AppRoleGrant) bool { return g.Principal == s.ID || g.Resource == s.ID })
	t.Grants = slices.DeleteFunc(t.Grants, func(g *DelegatedGrant) bool { return g.Client == s.ID || g.Resource == s.ID })
}

// lower folds an address, domain or id for look-ups. Addresses here are ASCII or punycode; ToLower returns its argument
// unchanged when there is nothing to fold.
func lower(s string) string { return strings.ToLower(s) }
