package hosted_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

// randomWorld has n customers whose settings, directories, accounts and memories went every way that a hand or a year can
// make them go. It is written into the world itself, behind the vendors' backs: the predictor reads it over the wire.
func randomWorld(seed uint64, n int) (*world.World, *rand.Rand, error) {
	random := rand.New(rand.NewPCG(seed, 77))
	w, err := world.Generate(world.Spec{Tenants: n, Users: 14, Groups: 9, Seed: seed, Onboarded: true})
	if err != nil {
		return nil, nil, err
	}
	half := func() bool { return random.IntN(2) == 0 }
	w.Switches.HandMadeDeletedBySync, w.Switches.SyncFlipsWithoutRemove = half(), half()
	w.Switches.SyncBringsM365Groups, w.Switches.SyncLeavesNameless = half(), half()
	w.Switches.SyncNeedsPrimary, w.Switches.SyncLastFirst = half(), half()
	w.Switches.ManualSyncIgnoresInitialDomain, w.Switches.LastSyncManualOnly = half(), half()
	for _, o := range w.Organizations {
		if o.Type != "organization" {
			continue
		}
		t := w.Tenant(o.PrimaryDomain)
		if t == nil {
			return nil, nil, fmt.Errorf("%s has no directory", o.PrimaryDomain)
		}
		m := &mutation{w: w, o: o, t: t, r: random}
		m.settings()
		m.domains()
		m.directory()
		m.accounts()
	}
	w.Reindex()
	return w, random, nil
}

// mutation changes one customer.
type mutation struct {
	w *world.World
	o *world.Organization
	t *world.Tenant
	r *rand.Rand
	n int
}

// chance is true in percent of the cases.
func (m *mutation) chance(percent int) bool { return m.r.IntN(100) < percent }

func (m *mutation) fresh(kind string) string {
	m.n++
	return fmt.Sprintf("%s-%d-%d@%s", kind, m.n, m.r.IntN(1_000_000), m.o.PrimaryDomain)
}

// settings turns the switches of the sync and breaks its connection now and then.
func (m *mutation) settings() {
	a := m.o.Azure
	for _, field := range []*bool{&a.SyncUsers, &a.SyncDistGroups, &a.SyncSecGroups, &a.AddUsers, &a.UpdateUsers, &a.AddGroups, &a.UpdateGroups} {
		*field = m.chance(88)
	}
	a.RemoveUsers, a.RemoveGroups = m.chance(35), m.chance(30)
	a.Frequency = []int{0, 1, 3, 6, 12, 24}[m.r.IntN(6)]
	if m.chance(30) {
		a.DefaultRole = "silent_user"
	}
	var app *world.Application
	for _, candidate := range m.t.Applications {
		if candidate.AppID == a.ApplicationID {
			app = candidate
		}
	}
	switch m.r.IntN(60) {
	case 0: // R12
		app.Secrets[0].End = m.w.Clock.AddDate(0, 0, -3)
		a.SecretExpiry = &app.Secrets[0].End
	case 1: // R10: consent taken back
		m.t.AppRoleGrants = slices.DeleteFunc(m.t.AppRoleGrants, func(g *world.AppRoleGrant) bool {
			sp := m.t.ServicePrincipalByAppID(a.ApplicationID)
			return sp != nil && g.Principal == sp.ID
		})
	case 2: // somebody switched the application off (R62)
		m.t.ServicePrincipalByAppID(a.ApplicationID).Enabled = false
	case 3: // the application is gone
		m.w.DeleteApplication(m.t, app)
	case 4: // R11: the secret's id instead of its value
		a.ADKey, a.SecretExpiry = app.Secrets[0].KeyID, nil
	case 5: // R17
		a.PrimaryDomain = "elsewhere.example"
	case 6: // R2
		m.t.RegionSubScope = "DODCON"
	case 7: // R4
		m.o.LDAP = &world.LDAP{URL: "ldaps://dc." + m.o.PrimaryDomain}
	case 8:
		m.o.Azure = nil
	case 9: // the secret was replaced in the directory, and the vendor still has the old one
		app.Secrets[0].Value = "another value"
	}
}

// domains adds some that Essentials does not know, and registers others.
func (m *mutation) domains() {
	for _, d := range m.t.Domains {
		if m.o.Domain(d.Name) == nil && m.chance(65) {
			m.o.Domains = append(m.o.Domains, &world.Domain{Name: d.Name, IsActive: true, IsVerified: true}) // R35
		}
	}
	if m.chance(25) {
		m.t.Domains = append(m.t.Domains, &world.EntraDomain{Name: "more." + m.o.PrimaryDomain, Verified: m.chance(80), NoEmail: m.chance(30)})
		if m.chance(40) {
			m.o.Domains = append(m.o.Domains, &world.Domain{Name: "more." + m.o.PrimaryDomain, IsActive: true, IsVerified: true})
		}
	}
}

// address takes a free address of the tenant, mostly on its first domain.
func (m *mutation) address(kind string) string {
	address := m.fresh(kind)
	if m.chance(12) {
		d := m.t.Domains[m.r.IntN(len(m.t.Domains))]
		address = address[:strings.IndexByte(address, '@')+1] + d.Name
	}
	return address
}

// directory does to people and groups what a year does.
func (m *mutation) directory() {
	for _, p := range slices.Clone(m.t.People) {
		if len(p.ProxyAddresses) == 0 || !m.chance(30) {
			continue
		}
		switch m.r.IntN(12) {
		case 0, 1: // married: the old address stays as alias, or not
			old := p.ProxyAddresses[0]
			p.ProxyAddresses[0] = "SMTP:" + m.address("renamed")
			if m.chance(60) {
				p.ProxyAddresses = append(p.ProxyAddresses, "smtp:"+old[len("SMTP:"):])
			}
		case 2: // a newcomer takes the address of somebody renamed
			old := p.ProxyAddresses[0]
			p.ProxyAddresses[0] = "SMTP:" + m.address("moved")
			m.person(old[len("SMTP:"):])
		case 3:
			m.w.DeletePerson(m.t, p, m.chance(30))
		case 4, 5: // R32
			p.Enabled = !p.Enabled
		case 6: // R31
			p.ProxyAddresses, p.Mail = nil, ""
		case 7:
			p.GivenName, p.Surname = "", ""
		case 8: // no primary one is marked
			p.ProxyAddresses[0] = "smtp:" + p.ProxyAddresses[0][len("SMTP:"):]
			p.Mail = p.ProxyAddresses[0][len("smtp:"):]
		case 9:
			p.ProxyAddresses = append(p.ProxyAddresses, "smtp:"+m.address("alias"))
		case 10: // becomes a shared mailbox (R38)
			p.MailboxKind, p.Licensed, p.Enabled = "SharedMailbox", false, m.chance(30)
		case 11: // moves to a foreign domain (R33)
			p.ProxyAddresses[0] = "SMTP:" + m.fresh("away") + ".elsewhere"
		}
	}
	for range m.r.IntN(4) {
		m.person(m.address("new"))
	}
	if people := m.withAddress(); len(people) > 3 && m.chance(25) { // two change places
		a, b := people[0], people[1]
		a.ProxyAddresses[0], b.ProxyAddresses[0] = b.ProxyAddresses[0], a.ProxyAddresses[0]
	}
	for _, g := range slices.Clone(m.t.Groups) {
		switch m.r.IntN(14) {
		case 0:
			m.w.DeleteGroup(m.t, g, m.chance(50))
		case 1:
			g.DisplayName += " 2"
		case 2:
			if len(g.ProxyAddresses) > 0 {
				g.ProxyAddresses[0] = "SMTP:" + m.address("group")
			}
		}
	}
	if m.chance(30) {
		list := m.address("dynamic")
		m.t.Exchange.DynamicLists = append(m.t.Exchange.DynamicLists, &world.DynamicList{GUID: m.w.NewGUID(), Name: list, Primary: list, Addresses: []string{"SMTP:" + list}})
	}
}

func (m *mutation) person(address string) *world.DirectoryUser {
	p := &world.DirectoryUser{UserPrincipalName: m.fresh("upn"), DisplayName: "New " + address, GivenName: "New", Surname: "Person", Mail: address,
		ProxyAddresses: []string{"SMTP:" + address}, Enabled: m.chance(90), Licensed: true, MailboxKind: "UserMailbox"}
	m.w.AddPerson(m.t, p)
	return p
}

func (m *mutation) withAddress() []*world.DirectoryUser {
	var out []*world.DirectoryUser
	for _, p := range m.t.People {
		if len(p.ProxyAddresses) > 0 && strings.HasPrefix(p.ProxyAddresses[0], "SMTP:") && strings.HasSuffix(p.ProxyAddresses[0], m.o.PrimaryDomain) {
			out = append(out, p)
		}
	}
	return out
}

// accounts does to Essentials what people do in its console, and lets the sync forget.
func (m *mutation) accounts() {
	o := m.o
	for _, u := range slices.Clone(o.Users) {
		if u.Type == "organization_admin" || !m.chance(28) {
			continue
		}
		switch m.r.IntN(9) {
		case 0:
			o.Users = slices.DeleteFunc(o.Users, func(x *world.User) bool { return x == u })
			delete(o.SyncedUIDs, u.UID)
		case 1:
			u.FirstName = "Hand"
		case 2:
			u.Aliases = append(u.Aliases, m.address("hand"))
		case 3, 4: // R39, with the exemption or without (R40)
			u.Type, u.IsActive = "functional_account", true
			if m.chance(50) {
				m.exempt(u.PrimaryEmail)
			}
		case 5:
			u.IsActive = !u.IsActive
		case 6:
			delete(o.SyncedUIDs, u.UID)
		case 7:
			m.exempt(u.PrimaryEmail)
		case 8:
			u.IsBillable = false
		}
	}
	for range m.r.IntN(3) {
		u := &world.User{UID: m.w.NewUID(), PrimaryEmail: m.address("byhand"), Type: "end_user", IsActive: m.chance(80), IsBillable: true, FirstName: "By", Surname: "Hand"}
		if m.chance(30) {
			u.Type = "functional_account"
		}
		if people := m.withAddress(); len(people) > 0 && m.chance(30) { // an alias that somebody else has in the directory
			u.Aliases = append(u.Aliases, strings.ToLower(people[m.r.IntN(len(people))].ProxyAddresses[0][len("SMTP:"):]))
		}
		if !m.holds(u) {
			o.Users = append(o.Users, u)
		}
	}
	if people := m.withAddress(); len(people) > 0 {
		for range m.r.IntN(3) {
			m.exempt(people[m.r.IntN(len(people))].ProxyAddresses[0][len("SMTP:"):])
		}
	}
	if m.chance(25) {
		o.UserCapping, o.Licenses = m.chance(70), len(o.Users)-4+m.r.IntN(10)
	}
	if len(m.t.Groups) > 0 && m.chance(15) { // an account of a person at a group's address
		if g := m.t.Groups[m.r.IntN(len(m.t.Groups))]; len(g.ProxyAddresses) > 0 {
			u := &world.User{UID: m.w.NewUID(), PrimaryEmail: strings.ToLower(g.ProxyAddresses[0][len("SMTP:"):]), Type: "end_user", IsActive: true, IsBillable: true}
			if !m.holds(u) {
				o.Users = append(o.Users, u)
			}
		}
	}
}

// holds tells whether an account of the organization has an address of u already.
func (m *mutation) holds(u *world.User) bool {
	taken := map[string]bool{}
	for _, x := range m.o.Users {
		taken[strings.ToLower(x.PrimaryEmail)] = true
		for _, alias := range x.Aliases {
			taken[strings.ToLower(alias)] = true
		}
	}
	return taken[strings.ToLower(u.PrimaryEmail)] || slices.ContainsFunc(u.Aliases, func(a string) bool { return taken[strings.ToLower(a)] })
}

func (m *mutation) exempt(address string) {
	address = strings.ToLower(address)
	if i, found := slices.BinarySearch(m.o.Exemptions, address); !found {
		m.o.Exemptions = slices.Insert(m.o.Exemptions, i, address)
	}
}

// broken says why the hosted sync of o cannot read the directory, from the world itself; "" when it can.
func broken(w *world.World, o *world.Organization, t *world.Tenant) string {
	a := o.Azure
	if a == nil || w.Tenant(a.PrimaryDomain) != t {
		return "no directory"
	}
	if t.RegionSubScope == "DODCON" || t.RegionSubScope == "DOD" {
		return "GCC High (R2)"
	}
	sp := t.ServicePrincipalByAppID(a.ApplicationID)
	app := t.ApplicationByAppID(a.ApplicationID)
	if app == nil || sp == nil || !sp.Enabled {
		return "no application (R10)"
	}
	now := w.Clock
	if !slices.ContainsFunc(app.Secrets, func(s *world.Secret) bool {
		return s.Value == a.ADKey && !now.Before(s.Start) && now.Before(s.End)
	}) {
		return "no valid secret (R11, R12)"
	}
	role := world.Permissions[world.GraphAppID]["Directory.Read.All"].Role
	if !slices.ContainsFunc(t.AppRoleGrants, func(g *world.AppRoleGrant) bool { return g.Principal == sp.ID && g.AppRole == role }) {
		return "no consent (R10)"
	}
	return ""
}
