package world

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// tenantTargets are the things of an Entra tenant that an edit can address.
var tenantTargets = []string{
	"person", "group", "contact", "domain", "application", "service_principal", "role", "grant", "inbound", "outbound", "rule",
	"dynamic_list", "connection_filter", "organization_config", "set",
}

func (w *World) editTenant(e edit) error {
	name, err := e.text("tenant")
	if err != nil {
		return err
	}
	t := w.Tenant(name)
	if t == nil {
		var known []string
		for _, x := range w.Tenants {
			known = append(known, x.ID)
			for _, d := range x.Domains {
				known = append(known, d.Name)
			}
		}
		return unknown("tenant", name, known)
	}
	for _, target := range tenantTargets {
		if _, ok := e[target]; !ok {
			continue
		}
		switch target {
		case "connection_filter":
			return merge(&t.Exchange.Filter, e.take(target))
		case "organization_config":
			return merge(&t.Exchange.Config, e.take(target))
		case "set":
			if err := patchScalars(t, e.take("set")); err != nil {
				return err
			}
			w.Reindex() // the id may be among them
			return nil
		}
		key, err := e.text(target)
		if err != nil {
			return err
		}
		return w.editTenantObject(t, target, key, e)
	}
	return unknown("thing of a tenant", firstKey(e), tenantTargets)
}

func (w *World) editTenantObject(t *Tenant, target, key string, e edit) error {
	var err error
	switch target {
	case "person":
		return w.editPerson(t, key, e)
	case "group":
		return w.editGroup(t, key, e)
	case "contact":
		c := listOf("contact", &t.Contacts, func(c *Contact) string { return c.Mail }, func(k string) *Contact {
			return &Contact{ID: w.NewGUID(), DisplayName: k, Mail: k, ProxyAddresses: proxies(k), Changed: w.Touch()}
		})
		c.remove = func(o *Contact) error { w.DeleteContact(t, o); return nil }
		_, o, err := c.apply(key, e)
		if o != nil {
			o.Changed = w.Touch()
		}
		t.Reindex()
		return err
	case "domain":
		err = one(listOf("domain", &t.Domains, func(d *EntraDomain) string { return d.Name }, func(k string) *EntraDomain {
			return &EntraDomain{Name: lower(k), Verified: true}
		}), key, e)
		w.Reindex()
	case "application":
		return w.editApplication(t, key, e)
	case "service_principal":
		c := listOf("service principal", &t.ServicePrincipals, func(s *ServicePrincipal) string { return s.DisplayName }, func(k string) *ServicePrincipal {
			return &ServicePrincipal{ID: w.NewGUID(), DisplayName: k, Enabled: true, OwnerTenant: t.ID, Created: w.Clock}
		})
		byName := c.find
		c.find = func(k string) *ServicePrincipal {
			return firstOf(t.ServicePrincipal(k), t.ServicePrincipalByAppID(k), byName(k))
		}
		c.remove = func(s *ServicePrincipal) error { w.DeleteServicePrincipal(t, s); return nil }
		err = one(c, key, e)
		t.Reindex()
	case "role":
		err = w.editRole(t, key, e)
	case "grant":
		err = w.editGrant(t, key, e)
	case "inbound":
		err = w.editExchange("inbound connector", &t.Exchange.Inbound, inboundParameters, key, e)
	case "outbound":
		err = w.editExchange("outbound connector", &t.Exchange.Outbound, outboundParameters, key, e)
	case "rule":
		err = w.editExchange("mail flow rule", &t.Exchange.Rules, ruleParameters, key, e)
	case "dynamic_list":
		err = one(listOf("dynamic list", &t.Exchange.DynamicLists, func(d *DynamicList) string { return d.Primary }, func(k string) *DynamicList {
			return &DynamicList{GUID: w.NewGUID(), Name: k, Primary: k, Addresses: proxies(k)}
		}), key, e)
	}
	return err
}

func firstOf[T any](found ...*T) *T {
	for _, f := range found {
		if f != nil {
			return f
		}
	}
	return nil
}

// people is the collection of directory users: found by object id, user principal name, any mail address or display name.
func (w *World) people(t *Tenant) *collection[DirectoryUser] {
	return &collection[DirectoryUser]{
		what: "person",
		find: func(key string) *DirectoryUser {
			if p := t.Person(key); p != nil {
				return p
			}
			for _, p := range t.People {
				if strings.EqualFold(p.Mail, key) && key != "" || hasProxy(p.ProxyAddresses, key) || p.DisplayName == key {
					return p
				}
			}
			return nil
		},
		keys: func() []string {
			var out []string
			for _, p := range t.People {
				out = append(out, p.UserPrincipalName)
			}
			return out
		},
		add: func(key string, fields json.RawMessage) error {
			local, _, ok := strings.Cut(key, "@")
			if !ok {
				return fmt.Errorf("person %q: name a new person by user principal name (local@domain)", key)
			}
			p := &DirectoryUser{
				UserPrincipalName: key, DisplayName: local, Mail: key, ProxyAddresses: proxies(key), Enabled: true, Licensed: true,
				MailboxKind: "UserMailbox", UsageLocation: "US",
			}
			if err := patch(p, fields); err != nil {
				return err
			}
			if t.Person(p.UserPrincipalName) != nil || p.ID != "" && t.Person(p.ID) != nil {
				return fmt.Errorf("person %q exists already", key)
			}
			w.AddPerson(t, p)
			return nil
		},
		remove: func(p *DirectoryUser) error { w.DeletePerson(t, p, false); return nil },
		set: func(p *DirectoryUser, fields json.RawMessage) error {
			changed := *p
			if err := patch(&changed, fields); err != nil {
				return err
			}
			if other := t.Person(changed.UserPrincipalName); other != nil && other != p {
				return fmt.Errorf("the user principal name %s belongs to somebody else", changed.UserPrincipalName)
			}
			w.ReplacePerson(t, p, changed)
			w.Mark(&p.Changed, &p.Trail)
			return nil
		},
	}
}

func (w *World) editPerson(t *Tenant, key string, e edit) error {
	word, _, err := w.people(t).apply(key, e, "restore")
	if err != nil || word != "restore" {
		return err
	}
	var known []string
	for _, d := range t.Deleted {
		var p DirectoryUser
		if d.Kind != "user" || d.Permanent || json.Unmarshal(d.Object, &p) != nil {
			continue
		}
		if strings.EqualFold(p.ID, key) || strings.EqualFold(p.UserPrincipalName, key) {
			return w.Restore(t, d)
		}
		known = append(known, p.UserPrincipalName)
	}
	return unknown("deleted person", key, known)
}

func (w *World) editGroup(t *Tenant, key string, e edit) error {
	c := listOf("group", &t.Groups, func(g *Group) string { return g.DisplayName }, nil)
	byName := c.find
	c.find = func(k string) *Group {
		if g := firstOf(t.Group(k), byName(k)); g != nil {
			return g
		}
		for _, g := range t.Groups {
			if strings.EqualFold(g.Mail, k) && k != "" {
				return g
			}
		}
		return nil
	}
	c.add = func(k string, fields json.RawMessage) error {
		g := &Group{DisplayName: k, SecurityEnabled: true}
		if local, _, ok := strings.Cut(k, "@"); ok {
			g.Mail, g.MailNickname, g.ProxyAddresses, g.MailEnabled, g.SecurityEnabled = k, local, proxies(k), true, false
		}
		if err := patch(g, fields); err != nil {
			return err
		}
		w.AddGroup(t, g)
		return nil
	}
	c.remove = func(g *Group) error { w.DeleteGroup(t, g, false); return nil }
	c.set = func(g *Group, fields json.RawMessage) error {
		id := g.ID
		if err := patch(g, fields); err != nil {
			return err
		}
		g.ID = id
		w.Mark(&g.Changed, &g.Trail)
		return nil
	}
	raw, ok := e["members"]
	if !ok {
		return one(c, key, e)
	}
	delete(e, "members")
	g := c.find(key)
	if g == nil {
		return unknown("group", key, c.keys())
	}
	var change struct{ Add, Remove []string }
	if err := decode(raw, &change); err != nil {
		return err
	}
	people := w.people(t)
	id := func(name string) (string, error) {
		if p := people.find(name); p != nil {
			return p.ID, nil
		}
		if m := c.find(name); m != nil {
			return m.ID, nil
		}
		if m := t.Contact(name); m != nil {
			return m.ID, nil
		}
		return "", unknown("directory object", name, people.keys())
	}
	for _, name := range change.Add {
		m, err := id(name)
		if err != nil {
			return err
		}
		w.AddMember(g, m)
	}
	for _, name := range change.Remove {
		m, err := id(name)
		if err != nil {
			return err
		}
		if !w.RemoveMember(g, m) {
			return fmt.Errorf("%s is no member of %s", name, g.DisplayName)
		}
	}
	return nil
}

func (w *World) editApplication(t *Tenant, key string, e edit) error {
	c := listOf("application", &t.Applications, func(a *Application) string { return a.DisplayName }, func(k string) *Application {
		return &Application{ID: w.NewGUID(), AppID: w.NewGUID(), DisplayName: k, SignInAudience: "AzureADMyOrg", Created: w.Clock}
	})
	byName := c.find
	c.find = func(k string) *Application { return firstOf(t.Application(k), t.ApplicationByAppID(k), byName(k)) }
	c.remove = func(a *Application) error { w.DeleteApplication(t, a); return nil }
	defer t.Reindex()
	if _, ok := e["secret"]; !ok {
		return one(c, key, e)
	}
	name, err := e.text("secret")
	if err != nil {
		return err
	}
	a := c.find(key)
	if a == nil {
		return unknown("application", key, c.keys())
	}
	s := listOf("secret", &a.Secrets, func(s *Secret) string { return s.DisplayName }, func(k string) *Secret {
		return &Secret{KeyID: w.NewGUID(), DisplayName: k, Value: w.NewSecret("by-hand"), Start: w.Clock, End: w.Clock.AddDate(2, 0, 0)}
	})
	byLabel := s.find
	s.find = func(k string) *Secret {
		for _, x := range a.Secrets {
			if strings.EqualFold(x.KeyID, k) {
				return x
			}
		}
		return byLabel(k)
	}
	return one(s, name, e)
}

// editRole gives or takes a directory role: {"role": "<template id>", "principal": "<service principal>", "add": {}}.
func (w *World) editRole(t *Tenant, role string, e edit) error {
	sp, err := principal(t, e)
	if err != nil {
		return err
	}
	word, _, err := e.verb("add", "remove")
	if err != nil {
		return err
	}
	n := len(t.RoleAssignments)
	t.RoleAssignments = slices.DeleteFunc(t.RoleAssignments, func(r *RoleAssignment) bool { return r.Principal == sp.ID && r.Role == role })
	if word == "add" {
		t.RoleAssignments = append(t.RoleAssignments, &RoleAssignment{ID: w.NewHex(16), Principal: sp.ID, Role: role})
	} else if n == len(t.RoleAssignments) {
		return fmt.Errorf("%s does not have the role %s", sp.DisplayName, role)
	}
	return nil
}

// editGrant gives or takes an application permission: {"grant": "Directory.Read.All", "principal": "<service principal>",
// "remove": true}.
func (w *World) editGrant(t *Tenant, name string, e edit) error {
	sp, err := principal(t, e)
	if err != nil {
		return err
	}
	word, _, err := e.verb("add", "remove")
	if err != nil {
		return err
	}
	for app, permissions := range Permissions {
		p, ok := permissions[name]
		if !ok || p.Role == "" {
			continue
		}
		target := t.ServicePrincipalByAppID(app)
		if target == nil {
			return errors.New("the resource of that permission has no service principal in the tenant")
		}
		n := len(t.AppRoleGrants)
		t.AppRoleGrants = slices.DeleteFunc(t.AppRoleGrants, func(g *AppRoleGrant) bool {
			return g.Principal == sp.ID && g.Resource == target.ID && g.AppRole == p.Role
		})
		if word == "add" {
			t.AppRoleGrants = append(t.AppRoleGrants, &AppRoleGrant{ID: w.NewHex(16), Principal: sp.ID, Resource: target.ID, AppRole: p.Role, Created: w.Clock})
		} else if n == len(t.AppRoleGrants) {
			return fmt.Errorf("%s does not have the permission %s", sp.DisplayName, name)
		}
		return nil
	}
	var known []string
	for _, permissions := range Permissions {
		for k, p := range permissions {
			if p.Role != "" {
				known = append(known, k)
			}
		}
	}
	return unknown("application permission", name, known)
}

func principal(t *Tenant, e edit) (*ServicePrincipal, error) {
	key, err := e.text("principal")
	if err != nil {
		return nil, err
	}
	var known []string
	for _, s := range t.ServicePrincipals {
		if s.DisplayName == key {
			return s, nil
		}
		known = append(known, s.DisplayName)
	}
	if s := firstOf(t.ServicePrincipal(key), t.ServicePrincipalByAppID(key)); s != nil {
		return s, nil
	}
	return nil, unknown("service principal", key, known)
}

// The parameters that a person can set on Exchange objects in the admin centre or by cmdlet (Microsoft: reference of
// Set-InboundConnector, Set-OutboundConnector, Set-TransportRule). Values that an object has already may be set as well.
var (
	inboundParameters = []string{
		"AssociatedAcceptedDomains", "CloudServicesMailEnabled", "Comment", "ConnectorSource", "ConnectorType", "EFSkipIPs",
		"EFSkipLastIP", "EFUsers", "Enabled", "Name", "RequireTls", "RestrictDomainsToCertificate", "RestrictDomainsToIPAddresses",
		"SenderDomains", "SenderIPAddresses", "TlsSenderCertificateName", "TreatMessagesAsInternal", "TrustedOrganizations",
		"ClientHostNames",
	}
	outboundParameters = []string{
		"AllAcceptedDomains", "CloudServicesMailEnabled", "Comment", "ConnectorSource", "ConnectorType", "Enabled",
		"IsTransportRuleScoped", "IsValidated", "LastValidationTimestamp", "MtaStsMode", "Name", "RecipientDomains",
		"RouteAllMessagesViaOnPremises", "SenderRewritingEnabled", "SmartHosts", "SmtpDaneMode", "TestMode", "TlsDomain",
		"TlsSettings", "UseMXRecord", "ValidationRecipients",
	}
	ruleParameters = []string{
		"ActivationDate", "Comments", "DeleteMessage", "Enabled", "ExceptIfSenderIpRanges", "ExpiryDate", "FromScope",
		"HeaderContainsMessageHeader", "HeaderContainsWords", "HeaderMatchesMessageHeader", "HeaderMatchesPatterns", "Mode", "Name",
		"Priority", "Quarantine", "RecipientDomainIs", "RejectMessageEnhancedStatusCode", "RejectMessageReasonText", "RemoveHeader",
		"RouteMessageOutboundConnector", "RouteMessageOutboundRequireTls", "RuleErrorAction", "SenderAddressLocation",
		"SenderDomainIs", "SenderIpRanges", "SentToScope", "SetHeaderName", "SetHeaderValue", "SetSCL", "State",
		"StopRuleProcessing",
	}
)

// editExchange edits connectors and rules: "set" takes parameter names; Name renames, Priority moves a rule, null clears.
func (w *World) editExchange(what string, list *[]*ExchangeObject, parameters []string, key string, e edit) error {
	c := listOf(what, list, func(o *ExchangeObject) string { return o.Name }, nil)
	byName := c.find
	c.find = func(k string) *ExchangeObject {
		for _, o := range *list {
			if strings.EqualFold(o.GUID, k) {
				return o
			}
		}
		return byName(k)
	}
	c.set = func(o *ExchangeObject, fields json.RawMessage) error {
		values := o.Values
		if err := merge(&values, fields); err != nil {
			return err
		}
		name, place := o.Name, -1
		for k, v := range values {
			_, had := o.Values[k]
			switch {
			case !had && !slices.Contains(parameters, k):
				return unknown("parameter", k, parameters)
			case k == "Name":
				n, ok := v.(string)
				if !ok || n == "" {
					return errors.New("parameter Name: want a text")
				}
				name = n
			case k == "Priority":
				n, ok := v.(float64)
				if !ok || n < 0 || int(n) >= len(*list) && slices.Contains(*list, o) {
					return fmt.Errorf("parameter Priority: want a number from 0 to %d", len(*list)-1)
				}
				place = int(n)
			}
		}
		if other := byName(name); other != nil && other != o {
			return fmt.Errorf("the name %q is taken", name)
		}
		if _, ok := values["State"]; ok { // the two say the same; one is kept
			values["Enabled"] = values["State"] == "Enabled"
			delete(values, "State")
		}
		delete(values, "Name")
		delete(values, "Priority")
		// A new object in the place of the old one: what looked at the old one keeps seeing it as it was.
		next := &ExchangeObject{GUID: o.GUID, Name: name, Values: values, Created: o.Created, Changed: w.Clock}
		at := slices.Index(*list, o)
		all := slices.Clone(*list)
		if at < 0 {
			at = len(all)
			all = append(all, nil)
		}
		all[at] = next
		if place >= 0 {
			all = slices.Insert(slices.Delete(all, at, at+1), min(place, len(all)-1), next)
		}
		*list = all
		return nil
	}
	c.add = func(k string, fields json.RawMessage) error {
		return c.set(&ExchangeObject{GUID: w.NewGUID(), Name: k, Created: w.Clock}, fields)
	}
	c.remove = func(o *ExchangeObject) error {
		*list = slices.DeleteFunc(slices.Clone(*list), func(x *ExchangeObject) bool { return x == o })
		return nil
	}
	return one(c, key, e)
}

func hasProxy(list []string, address string) bool {
	for _, p := range list {
		if kind, a, ok := strings.Cut(p, ":"); ok && strings.EqualFold(kind, "smtp") && strings.EqualFold(a, address) {
			return true
		}
	}
	return false
}
