package world

import (
	"encoding/json"
	"strings"
	"time"
)

// start is the present of every built-in and generated world until it is moved.
var start = time.Date(2026, time.November, 23, 8, 0, 0, 0, time.UTC)

// automationPermissions are what the MSP's automation application holds, by value, in every tenant: reading the
// directory, making and consenting an application registration, and managing Exchange.
var automationPermissions = []string{
	"Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All",
	"Directory.Read.All", "Domain.Read.All", "Organization.Read.All", "Group.Read.All", "GroupMember.Read.All",
	"Member.Read.Hidden", "User.Read.All", "OrgContact.Read.All", "RoleManagement.Read.Directory",
}

// builder makes the objects of a world one by one. Its methods keep the counters right; Reindex is called once, at the
// end.
type builder struct {
	w   *World
	app *Application // the MSP's automation application
}

// newBuilder starts a world with a partner organization msp.example on stack us1, its administrator, its Entra tenant
// and the multi-tenant automation application.
func newBuilder(id string) *builder {
	w := &World{Format: FormatVersion, ID: id, Clock: start, NextEID: 1001, NextUID: 50001, Zones: map[string]*Zone{}}
	b := &builder{w: w}
	msp := b.organization(nil, "MSP Example Services", "msp.example", "professional_plus", 25)
	msp.Type, msp.TechContact, msp.IntegrationsOK = "channel", "noc@msp.example", true
	admin := b.account(msp, "noc@msp.example", "channel_admin", "NOC", "MSP Example")
	admin.Password = w.NewSecret("essentials-password")
	backup := b.account(msp, "second@msp.example", "channel_admin", "Second", "Admin")
	backup.Password = w.NewSecret("essentials-password-2")

	home := b.entra("MSP Example Services", "msp.onmicrosoft.example", "msp.example")
	b.app = &Application{
		ID: w.NewGUID(), AppID: w.NewGUID(), DisplayName: "MSP automation", SignInAudience: "AzureADMultipleOrgs", Created: w.Clock,
		Required: requiredAccess(automationPermissions, nil, "Exchange.ManageAsApp"),
		Secrets: []*Secret{{
			KeyID: w.NewGUID(), DisplayName: "automation", Value: w.NewSecret("app-secret"),
			Start: start.AddDate(0, -1, 0), End: start.AddDate(1, 11, 0),
		}},
		Federated: []FederatedSubject{{
			ID: w.NewGUID(), Name: "ci", Issuer: "https://ci.example", Subject: "repo:msp/customers:ref:refs/heads/main",
			Audiences: []string{"api://AzureADTokenExchange"},
		}},
	}
	w.Issuers = []string{"https://ci.example"}
	home.Applications = append(home.Applications, b.app)
	b.consent(home)
	b.person(home, "noc@msp.example", "NOC", "MSP Example")
	w.Automation = Credentials{EssentialsUser: admin.PrimaryEmail, TenantID: home.ID, ClientID: b.app.AppID}
	b.zone("msp.example", gatewayMX("us"), []string{"v=spf1 include:spf.protection.outlook.com a:dispatch-us.ppe-hosted.com -all"})
	return b
}

// done indexes the world and returns it.
func (b *builder) done() *World {
	b.w.Reindex()
	return b.w
}

// organization adds an Essentials organization with its primary domain, below parent unless that is nil.
func (b *builder) organization(parent *Organization, name, domain, pkg string, licenses int) *Organization {
	o := &Organization{
		EID: b.w.NewEID(), Stack: "us1", Type: "organization", Name: name, PrimaryDomain: domain, IsActive: true,
		Package: pkg, Licenses: licenses, Renewal: "2027/06/30", Country: "US",
		Features: map[string]any{}, SyncedUIDs: map[int]string{}, Login: Login{Local: true, Azure: true},
	}
	if parent != nil {
		o.Parent, o.Stack = parent.EID, parent.Stack
	}
	b.domain(o, domain, true)
	b.w.Organizations = append(b.w.Organizations, o)
	return o
}

// domain adds a verified domain to o: a relay domain that delivers to Exchange Online, or a management domain.
func (b *builder) domain(o *Organization, name string, relay bool) *Domain {
	d := &Domain{Name: name, IsActive: true, IsRelay: relay, IsVerified: true, Verification: b.w.VerificationCode(name)}
	if relay {
		d.Destination = MailHost(name)
	}
	o.Domains = append(o.Domains, d)
	return d
}

// account adds an Essentials account.
func (b *builder) account(o *Organization, address, kind, first, last string, aliases ...string) *User {
	u := &User{
		UID: b.w.NewUID(), PrimaryEmail: address, Type: kind, IsActive: true, FirstName: first, Surname: last,
		Aliases: aliases, IsBillable: kind != "functional_account",
	}
	o.Users = append(o.Users, u)
	return u
}

// entra adds an Entra tenant with an initial domain, further verified domains (the first is the default one), and the
// principals of Graph and Exchange Online.
func (b *builder) entra(name, initial string, domains ...string) *Tenant {
	w := b.w
	t := &Tenant{ID: w.NewGUID(), DisplayName: name, Country: "US"}
	t.Domains = append(t.Domains, &EntraDomain{Name: initial, Verified: true, Initial: true, Default: len(domains) == 0})
	for i, d := range domains {
		t.Domains = append(t.Domains, &EntraDomain{Name: d, Verified: true, Default: i == 0})
	}
	for _, p := range []struct{ app, name string }{{GraphAppID, "Microsoft Graph"}, {ExchangeAppID, "Office 365 Exchange Online"}} {
		t.ServicePrincipals = append(t.ServicePrincipals, &ServicePrincipal{
			ID: w.NewGUID(), AppID: p.app, DisplayName: p.name, Enabled: true, OwnerTenant: MicrosoftTenant, Created: start.AddDate(-3, 0, 0),
		})
	}
	w.Tenants = append(w.Tenants, t)
	return t
}

// consent gives the automation application a service principal in t, its permissions and the Exchange Administrator
// role, as an onboarding by admin consent leaves them.
func (b *builder) consent(t *Tenant) {
	sp := &ServicePrincipal{
		ID: b.w.NewGUID(), AppID: b.app.AppID, DisplayName: b.app.DisplayName, Enabled: true,
		OwnerTenant: b.w.Tenants[0].ID, Created: start.AddDate(0, -1, 0),
	}
	t.ServicePrincipals = append(t.ServicePrincipals, sp)
	b.grant(t, sp, GraphAppID, automationPermissions...)
	b.grant(t, sp, ExchangeAppID, "Exchange.ManageAsApp")
	t.RoleAssignments = append(t.RoleAssignments, &RoleAssignment{ID: b.w.NewHex(16), Principal: sp.ID, Role: ExchangeAdministrator})
}

// grant consents application permissions of a resource to sp.
func (b *builder) grant(t *Tenant, sp *ServicePrincipal, resourceApp string, permissions ...string) {
	for _, r := range t.ServicePrincipals {
		if r.AppID != resourceApp {
			continue
		}
		for _, p := range permissions {
			t.AppRoleGrants = append(t.AppRoleGrants, &AppRoleGrant{
				ID: b.w.NewHex(16), Principal: sp.ID, Resource: r.ID, AppRole: Permissions[resourceApp][p].Role, Created: start.AddDate(0, -1, 0),
			})
		}
	}
}

// requiredAccess declares permissions: application ones and delegated ones of Graph, application ones of Exchange.
func requiredAccess(roles, scopes []string, exchange ...string) []ResourceAccess {
	var graph []Permission
	for _, p := range roles {
		graph = append(graph, Permission{ID: Permissions[GraphAppID][p].Role, Type: "Role"})
	}
	for _, p := range scopes {
		graph = append(graph, Permission{ID: Permissions[GraphAppID][p].Scope, Type: "Scope"})
	}
	out := []ResourceAccess{{ResourceAppID: GraphAppID, Permissions: graph}}
	if len(exchange) > 0 {
		var ex []Permission
		for _, p := range exchange {
			ex = append(ex, Permission{ID: Permissions[ExchangeAppID][p].Role, Type: "Role"})
		}
		out = append(out, ResourceAccess{ResourceAppID: ExchangeAppID, Permissions: ex})
	}
	return out
}

// person adds an enabled, licensed member with a user mailbox whose primary address is upn.
func (b *builder) person(t *Tenant, upn, given, surname string, aliases ...string) *DirectoryUser {
	p := &DirectoryUser{
		ID: b.w.NewGUID(), UserPrincipalName: upn, DisplayName: strings.TrimSpace(given + " " + surname), GivenName: given, Surname: surname,
		Mail: upn, ProxyAddresses: proxies(upn, aliases...), Enabled: true, Licensed: true, MailboxKind: "UserMailbox",
		UsageLocation: "US", Created: start.AddDate(-2, 0, 0), Changed: b.w.Touch(),
	}
	t.People = append(t.People, p)
	return p
}

// mailbox adds a mailbox that is nobody's: shared, room or equipment. Sign-in is blocked and there is no licence, as
// Exchange makes them.
func (b *builder) mailbox(t *Tenant, kind, address, name string, aliases ...string) *DirectoryUser {
	p := b.person(t, address, "", name, aliases...)
	p.Surname, p.MailboxKind, p.Enabled, p.Licensed = "", kind, false, false
	return p
}

// group adds a group of one of the kinds of entry.kind: distribution_group, mail_security_group, security_group,
// m365_group.
func (b *builder) group(t *Tenant, kind, address, name string, members ...*DirectoryUser) *Group {
	g := &Group{ID: b.w.NewGUID(), DisplayName: name, Created: start.AddDate(-2, 0, 0), Changed: b.w.Touch()}
	if address != "" {
		g.Mail, g.ProxyAddresses, g.MailEnabled = address, proxies(address), true
		g.MailNickname = address[:strings.IndexByte(address, '@')]
	} else {
		g.MailNickname = "g" + g.ID[:8]
	}
	switch kind {
	case "mail_security_group", "security_group":
		g.SecurityEnabled = true
	case "m365_group":
		g.GroupTypes = []string{"Unified"}
	}
	for _, m := range members {
		g.Members = append(g.Members, m.ID)
	}
	t.Groups = append(t.Groups, g)
	return g
}

// dynamicList adds a dynamic distribution group, which only Exchange knows.
func (b *builder) dynamicList(t *Tenant, address, name, filter string, members ...*DirectoryUser) {
	d := &DynamicList{GUID: b.w.NewGUID(), Name: name, Primary: address, Addresses: proxies(address), Filter: filter}
	for _, m := range members {
		d.Members = append(d.Members, m.Mail)
	}
	t.Exchange.DynamicLists = append(t.Exchange.DynamicLists, d)
}

// exchangeObject makes a connector or rule; its values get the types that a world file would give them.
func (b *builder) exchangeObject(name string, values map[string]any) *ExchangeObject {
	raw, err := json.Marshal(values)
	if err != nil {
		panic("world: built-in values encode: " + err.Error())
	}
	o := &ExchangeObject{GUID: b.w.NewGUID(), Name: name, Created: start.AddDate(-1, 0, 0), Changed: start.AddDate(-1, 0, 0)}
	if err := json.Unmarshal(raw, &o.Values); err != nil {
		panic("world: built-in values decode: " + err.Error())
	}
	return o
}

// zone publishes mail records of a domain.
func (b *builder) zone(domain string, mx []MXRecord, txt []string) *Zone {
	z := &Zone{MX: map[string][]MXRecord{}, TXT: map[string][]string{}}
	if len(mx) > 0 {
		z.MX[domain] = mx
	}
	if len(txt) > 0 {
		z.TXT[domain] = txt
	}
	b.w.Zones[domain] = z
	return z
}

// sharedZones publishes the vendors' own names, so that SPF includes and mail hosts resolve.
func (b *builder) sharedZones() {
	b.w.Zones["protection.outlook.com"] = &Zone{TXT: map[string][]string{
		"spf.protection.outlook.com": {"v=spf1 ip4:40.92.0.0/15 ip4:40.107.0.0/16 -all"},
	}}
	b.w.Zones["ppe-hosted.com"] = &Zone{
		TXT: map[string][]string{
			"_spf-us.ppe-hosted.com": {"v=spf1 ip4:67.231.144.0/20 ip4:148.163.128.0/19 -all"},
			"_spf-eu.ppe-hosted.com": {"v=spf1 ip4:185.132.180.0/22 ip4:185.183.28.0/22 -all"},
		},
		A: map[string][]string{
			"mx1-us1.ppe-hosted.com": {"67.231.154.162"}, "mx2-us1.ppe-hosted.com": {"148.163.129.50"},
			"mx1-eu1.ppe-hosted.com": {"185.132.181.6"}, "mx2-eu1.ppe-hosted.com": {"185.183.29.10"},
			"dispatch-us.ppe-hosted.com": {"67.231.154.162", "148.163.129.50"}, "dispatch-eu.ppe-hosted.com": {"185.132.181.6"},
			"outbound-us1.ppe-hosted.com": {"67.231.154.183"}, "outbound-eu1.ppe-hosted.com": {"185.132.181.7"},
		},
	}
}

// VerificationCode returns the code that Essentials gives for a domain: "ppe-" and 40 hexadecimal digits. It depends on
// the world and the domain alone, so a world can publish it in DNS before the domain is added.
func (w *World) VerificationCode(domain string) string {
	return "ppe-" + hex40(w.ID, lower(domain))
}

// MailHost returns the host under which Exchange Online accepts mail for a domain: dashes for dots, below
// mail.protection.outlook.com (Microsoft: "External DNS records required for Microsoft 365").
func MailHost(domain string) string {
	return strings.ReplaceAll(lower(domain), ".", "-") + ".mail.protection.outlook.com"
}

func proxies(primary string, aliases ...string) []string {
	out := []string{"SMTP:" + primary}
	for _, a := range aliases {
		out = append(out, "smtp:"+a)
	}
	return out
}

func gatewayMX(region string) []MXRecord {
	return []MXRecord{{10, "mx1-" + region + "1.ppe-hosted.com"}, {20, "mx2-" + region + "1.ppe-hosted.com"}}
}

func microsoftMX(domain string) []MXRecord { return []MXRecord{{0, MailHost(domain)}} }
