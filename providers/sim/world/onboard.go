package world

import (
	"slices"
	"strings"
	"time"
)

// gatewayRanges are the networks from which the US stacks deliver, as mail flow rules take them (seen in public scripts
// and in the vendor's article on locking down connections).
var gatewayRanges = []string{
	"67.231.144.0/24", "67.231.145.0/24", "67.231.146.0/24", "67.231.147.0/24", "67.231.148.0/24", "67.231.149.0/24",
	"67.231.152.0/24", "67.231.153.0/24", "67.231.154.0/24", "67.231.155.0/24", "67.231.156.0/24", "148.163.128.0/19",
}

// connectorRanges are gatewayRanges as connectors take them: nothing wider than /24.
func connectorRanges() []string {
	out := slices.Clone(gatewayRanges[:len(gatewayRanges)-1])
	for i := 128; i < 160; i++ {
		out = append(out, "148.163."+itoa(i)+".0/24")
	}
	return out
}

// syncApp registers the application of the hosted directory sync by hand, consents it, and returns it with its secret.
func (b *builder) syncApp(t *Tenant, label string, expires time.Time) (*Application, *Secret) {
	secret := &Secret{KeyID: b.w.NewGUID(), DisplayName: "essentials", Value: b.w.NewSecret("ad-key"), Start: expires.AddDate(-2, 0, 0), End: expires}
	a := &Application{
		ID: b.w.NewGUID(), AppID: b.w.NewGUID(), DisplayName: label, SignInAudience: "AzureADMyOrg",
		RedirectURIs: []string{"https://us1.proofpointessentials.com"}, Secrets: []*Secret{secret}, Created: expires.AddDate(-2, 0, 0),
		Required: requiredAccess([]string{"Directory.Read.All"}, []string{"Directory.Read.All", "Group.Read.All", "User.ReadBasic.All"}), // R8, R9
	}
	sp := &ServicePrincipal{ID: b.w.NewGUID(), AppID: a.AppID, DisplayName: label, Enabled: true, OwnerTenant: t.ID, Created: a.Created}
	t.Applications = append(t.Applications, a)
	t.ServicePrincipals = append(t.ServicePrincipals, sp)
	b.grant(t, sp, GraphAppID, "Directory.Read.All")
	for _, r := range t.ServicePrincipals {
		if r.AppID == GraphAppID {
			t.Grants = append(t.Grants, &DelegatedGrant{
				ID: b.w.NewHex(16), Client: sp.ID, ConsentType: "AllPrincipals", Resource: r.ID,
				Scope: "Directory.Read.All Group.Read.All User.ReadBasic.All",
			})
		}
	}
	return a, secret
}

// hostedSync turns on Essentials' own directory sync with that application, every so many hours, removing nothing. The
// last run was when the last one was due.
func (b *builder) hostedSync(o *Organization, a *Application, s *Secret, hours int) {
	last, expires := start.Truncate(time.Duration(hours)*time.Hour), s.End
	o.Azure = &AzureSync{
		PrimaryDomain: o.PrimaryDomain, ApplicationID: a.AppID, ADKey: s.Value, DefaultRole: "end_user", Frequency: hours,
		SyncUsers: true, SyncDistGroups: true, SyncSecGroups: true, AddUsers: true, UpdateUsers: true, AddGroups: true, UpdateGroups: true,
		SecretExpiry: &expires, LastSync: &last, ConnectionGreen: true,
	}
	o.FreqSince = last
}

// gatewayObjects makes the two connectors and the bypass rule of a customer behind the gateway, under the given names.
// The inbound connector is locked down when restrict is true.
func (b *builder) gatewayObjects(t *Tenant, inbound, outbound, rule string, restrict bool) {
	t.Exchange.Inbound = append(t.Exchange.Inbound, b.exchangeObject(inbound, map[string]any{
		"ConnectorType": "Partner", "Enabled": true, "SenderDomains": []string{"smtp:*;1"}, "RequireTls": true,
		"RestrictDomainsToIPAddresses": restrict, "RestrictDomainsToCertificate": false, "SenderIPAddresses": connectorRanges(),
		"Comment": "set up by hand",
	}))
	t.Exchange.Outbound = append(t.Exchange.Outbound, b.exchangeObject(outbound, map[string]any{
		"ConnectorType": "Partner", "Enabled": true, "RecipientDomains": []string{"*"}, "UseMXRecord": false,
		"SmartHosts": []string{"outbound-us1.ppe-hosted.com"}, "TlsSettings": "EncryptionOnly",
	}))
	t.Exchange.Rules = append(t.Exchange.Rules, b.exchangeObject(rule, map[string]any{
		"Enabled": true, "Mode": "Enforce", "SenderIpRanges": gatewayRanges, "SetSCL": -1,
	}))
}

// synced gives o the account that a sync makes of a directory user, and remembers the link; nil when a sync would leave
// the user out: no proxy address (R31), a primary domain that o does not have (R33), a guest.
func (b *builder) synced(o *Organization, p *DirectoryUser) *User {
	primary, aliases := addressesOf(p.ProxyAddresses)
	if primary == "" || p.UserType == "Guest" || o.Domain(primary[strings.LastIndexByte(primary, '@')+1:]) == nil {
		return nil
	}
	kept := slices.DeleteFunc(aliases, func(a string) bool { return o.Domain(a[strings.LastIndexByte(a, '@')+1:]) == nil })
	first, last := p.GivenName, p.Surname
	if first == "" && last == "" {
		last = p.DisplayName
	}
	u := b.account(o, primary, "end_user", first, last, kept...)
	u.IsActive = p.Enabled // R32
	o.SyncedUIDs[u.UID] = p.ID
	return u
}

// addressesOf reads proxyAddresses: the primary address and the aliases, lower case.
func addressesOf(list []string) (primary string, aliases []string) {
	for _, p := range list {
		switch kind, a, _ := strings.Cut(p, ":"); kind {
		case "SMTP":
			primary = lower(a)
		case "smtp":
			aliases = append(aliases, lower(a))
		}
	}
	return primary, aliases
}
