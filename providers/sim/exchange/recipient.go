package exchange

import (
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

var mailboxKinds = []string{
	"UserMailbox", "SharedMailbox", "RoomMailbox", "EquipmentMailbox", "SchedulingMailbox", "GroupMailbox",
	"DiscoveryMailbox", "LegacyMailbox", "LinkedMailbox", "LinkedRoomMailbox", "TeamMailbox",
}

var recipientKinds = append([]string{
	"MailUser", "GuestMailUser", "MailContact", "MailUniversalDistributionGroup", "MailUniversalSecurityGroup",
	"MailNonUniversalGroup", "RoomList", "DynamicDistributionGroup", "PublicFolder", "RemoteUserMailbox",
	"RemoteSharedMailbox", "RemoteRoomMailbox", "RemoteEquipmentMailbox", "RemoteTeamMailbox",
}, mailboxKinds...)

// recipient is one mail object of whatever origin.
type recipient struct {
	key       string // u: g: c: d: and the id, in the order of paging
	id        string // directory object id, "" for a dynamic list
	guid      string
	name      string
	upn       string
	kind      string // RecipientTypeDetails
	primary   string
	addresses []string
	enabled   bool
	person    *world.DirectoryUser
	dynamic   *world.DynamicList
}

// recipientsAfter yields a tenant's recipients behind a key: contacts, dynamic lists, groups, users (the order of the keys),
// each in order of id or position. Nothing before the key is looked at.
func recipientsAfter(t *world.Tenant, after string) iter.Seq[recipient] {
	section, last, _ := strings.Cut(after, ":")
	return func(yield func(recipient) bool) {
		if section <= "c" {
			for _, o := range behind(t.Contacts, section == "c", last, func(o *world.Contact) string { return o.ID }) {
				if !yield(ofContact(o)) {
					return
				}
			}
		}
		if section <= "d" {
			start := 0
			if n, err := strconv.Atoi(last); err == nil && section == "d" {
				start = n + 1
			}
			for i := start; i < len(t.Exchange.DynamicLists); i++ {
				if !yield(ofDynamic(i, t.Exchange.DynamicLists[i])) {
					return
				}
			}
		}
		if section <= "g" {
			for _, o := range behind(t.Groups, section == "g", last, func(o *world.Group) string { return o.ID }) {
				if !o.MailEnabled {
					continue
				}
				if !yield(ofGroup(o)) {
					return
				}
			}
		}
		for _, o := range behind(t.People, section == "u", last, func(o *world.DirectoryUser) string { return o.ID }) {
			if o.MailboxKind == "" {
				continue
			}
			if !yield(ofPerson(o)) {
				return
			}
		}
	}
}

// behind is the part of items, sorted by id, that follows last.
func behind[T any](items []T, here bool, last string, id func(T) string) []T {
	if !here {
		return items
	}
	i, found := slices.BinarySearchFunc(items, last, func(item T, want string) int { return strings.Compare(id(item), want) })
	if found {
		i++
	}
	return items[i:]
}

func ofPerson(p *world.DirectoryUser) recipient {
	r := recipient{
		key: "u:" + p.ID, id: p.ID, guid: guid("recipient", p.ID), name: p.DisplayName, upn: p.UserPrincipalName,
		kind: p.MailboxKind, enabled: p.Enabled, person: p,
	}
	r.primary, r.addresses = addressesOf(p.ProxyAddresses, p.Mail)
	return r
}

func ofGroup(g *world.Group) recipient {
	r := recipient{key: "g:" + g.ID, id: g.ID, guid: guid("recipient", g.ID), name: g.DisplayName}
	switch {
	case slices.Contains(g.GroupTypes, "Unified"):
		r.kind = "GroupMailbox"
	case g.SecurityEnabled:
		r.kind = "MailUniversalSecurityGroup"
	default:
		r.kind = "MailUniversalDistributionGroup"
	}
	r.primary, r.addresses = addressesOf(g.ProxyAddresses, g.Mail)
	return r
}

func ofContact(o *world.Contact) recipient {
	r := recipient{key: "c:" + o.ID, id: o.ID, guid: guid("recipient", o.ID), name: o.DisplayName, kind: "MailContact"}
	r.primary, r.addresses = addressesOf(o.ProxyAddresses, o.Mail)
	return r
}

func ofDynamic(i int, d *world.DynamicList) recipient {
	r := recipient{key: "d:" + strconv.Itoa(i), guid: d.GUID, name: d.Name, kind: "DynamicDistributionGroup", dynamic: d}
	r.primary, r.addresses = addressesOf(d.Addresses, d.Primary)
	return r
}

// addressesOf finds the primary address (upper-case SMTP:) and gives an object without proxy addresses its mail as one.
func addressesOf(proxies []string, mail string) (primary string, all []string) {
	for _, a := range proxies {
		if strings.HasPrefix(a, "SMTP:") {
			return a[5:], proxies
		}
	}
	if mail == "" {
		return "", slices.Concat([]string{}, proxies)
	}
	return mail, append([]string{"SMTP:" + mail}, proxies...)
}

func (r recipient) mailbox() bool {
	return slices.Contains(mailboxKinds, r.kind) && r.kind != "GroupMailbox"
}

func (r recipient) is(identity string) bool {
	if strings.EqualFold(r.id, identity) || strings.EqualFold(r.guid, identity) || strings.EqualFold(r.upn, identity) ||
		strings.EqualFold(r.name, identity) || strings.EqualFold(r.primary, identity) || strings.EqualFold(r.alias(), identity) {
		return true
	}
	return slices.ContainsFunc(r.addresses, func(a string) bool {
		prefix, address, _ := strings.Cut(a, ":")
		return strings.EqualFold(prefix, "smtp") && strings.EqualFold(address, identity)
	})
}

func (r recipient) alias() string {
	local, _, _ := strings.Cut(r.primary, "@")
	return local
}

// base is the recipient type of the kind.
func (r recipient) base() string {
	switch {
	case r.mailbox():
		return "UserMailbox"
	case r.kind == "GroupMailbox":
		return "MailUniversalDistributionGroup"
	case r.kind == "GuestMailUser":
		return "MailUser"
	}
	return r.kind
}

// minimal are the properties that the REST-backed cmdlets give by default and every other one has too.
func (r recipient) minimal(t *world.Tenant) map[string]any {
	return map[string]any{
		"ExternalDirectoryObjectId": r.id, "UserPrincipalName": r.upn, "Alias": r.alias(), "DisplayName": r.name,
		"EmailAddresses": r.addresses, "PrimarySmtpAddress": r.primary, "RecipientType": r.base(),
		"RecipientTypeDetails": r.kind, "Identity": r.name, "Id": r.name, "Name": r.name, "Guid": asGUID(r.guid),
		"DistinguishedName": "CN=" + r.name + ",OU=" + organizationOf(t) + ",OU=Microsoft Exchange Hosted Organizations,DC=EXAMPLE,DC=PROD,DC=OUTLOOK,DC=COM",
		"OrganizationId":    organizationOf(t), "ExchangeVersion": "0.20 (15.0.0.0)",
	}
}

func (r recipient) row(c *invocation) map[string]any {
	row := r.minimal(c.tenant)
	maps.Copy(row, map[string]any{
		"ExchangeObjectId": asGUID(r.guid), "HiddenFromAddressListsEnabled": false, "IsValid": true, "ObjectState": "Unchanged",
		"IsDirSynced": false, "ManagedBy": noList,
	})
	if p := r.person; p != nil {
		delete(row, "ManagedBy")
		maps.Copy(row, map[string]any{
			"IsShared": r.kind == "SharedMailbox", "IsResource": r.kind == "RoomMailbox" || r.kind == "EquipmentMailbox",
			"IsDirSynced": p.OnPremSynced, "Department": p.Department, "Company": p.Company, "Office": p.Office,
			"Title": p.JobTitle, "FirstName": p.GivenName, "LastName": p.Surname,
			"WhenCreated": asDate(localTime, p.Created), "WhenCreatedUTC": asDate(utcTime, p.Created.UTC()),
			"WhenChanged":    asDate(localTime, r.changed(c.switches.MailboxChangesUnmarked)),
			"WhenChangedUTC": asDate(utcTime, r.changed(c.switches.MailboxChangesUnmarked)),
		})
	}
	if d := r.dynamic; d != nil {
		delete(row, "ExternalDirectoryObjectId")
		delete(row, "UserPrincipalName")
		maps.Copy(row, map[string]any{
			"RecipientFilter": d.Filter, "LdapRecipientFilter": "", "IncludedRecipients": "None",
			"RecipientContainer": organizationOf(c.tenant),
		})
	}
	return row
}

func (r recipient) mailboxRow(c *invocation) map[string]any {
	row := r.row(c)
	maps.Copy(row, map[string]any{
		"ExchangeGuid": asGUID(guid("mailbox", r.id)), "AccountDisabled": !r.enabled, "IsMailboxEnabled": true,
		"IsInactiveMailbox": false, "ForwardingAddress": nil, "ForwardingSmtpAddress": nil, "DeliverToMailboxAndForward": false,
		"LitigationHoldEnabled": false, "ArchiveStatus": "None", "ResourceType": nil,
		"ProhibitSendQuota": "49.5 GB (53,150,220,288 bytes)", "RetainDeletedItemsFor": "14.00:00:00",
	})
	if r.kind == "RoomMailbox" || r.kind == "EquipmentMailbox" {
		row["ResourceType"] = strings.TrimSuffix(r.kind, "Mailbox")
	}
	return row
}

// lookup finds recipients by an identity. A user's id or principal name is found at once; every other notation is
// looked for among all.
func lookup(t *world.Tenant, identity string, wanted func(recipient) bool) []recipient {
	identity = strings.Trim(identity, "{}")
	if p := t.Person(identity); p != nil && p.MailboxKind != "" && wanted(ofPerson(p)) {
		return []recipient{ofPerson(p)}
	}
	var out []recipient
	for r := range recipientsAfter(t, "") {
		if r.is(identity) && wanted(r) {
			out = append(out, r)
		}
	}
	return out
}

// find answers a Get- cmdlet over recipients.
func find(c *invocation, wanted func(recipient) bool, row func(recipient) map[string]any) (output, *failure) {
	kinds, _ := c.args["RecipientTypeDetails"].([]string)
	bases, _ := c.args["RecipientType"].([]string)
	anr := strings.ToLower(c.text("Anr"))
	filter, f := c.mailboxFilter()
	if f != nil {
		return output{}, f
	}
	keep := func(r recipient) bool {
		return wanted(r) && (filter == nil || filter(r)) && (kinds == nil || slices.Contains(kinds, r.kind)) && (bases == nil || slices.Contains(bases, r.base())) &&
			(anr == "" || strings.HasPrefix(strings.ToLower(r.name), anr) || strings.HasPrefix(strings.ToLower(r.alias()), anr))
	}
	if identity := c.text("Identity"); identity != "" {
		found := lookup(c.tenant, identity, keep)
		switch len(found) {
		case 0:
			return output{}, notFound(identity)
		case 1:
			return rows(c, found, func(_ int, r recipient) map[string]any { return row(r) }), nil
		}
		return output{}, bad(typeAmbiguous, "The operation couldn't be performed because '%s' matches multiple entries.", identity)
	}
	return output{limited: true, rows: func(yield func(string, map[string]any) bool) {
		for r := range c.candidates() {
			if keep(r) && !yield(r.key, row(r)) {
				return
			}
		}
	}}, nil
}

func recipientCmdlets() []*cmdlet {
	base := []attribute{
		{name: "Identity"}, {name: "Anr"}, {name: "ResultSize", kind: unlimited},
		{name: "SortBy", gap: true}, {name: "OrganizationalUnit", gap: true},
	}
	unfiltered := attribute{name: "Filter", gap: true}
	with := func(more ...attribute) []attribute { return slices.Concat(base, more) }
	get := func(wanted func(recipient) bool, row func(recipient, *invocation) map[string]any) func(*invocation) (output, *failure) {
		return func(c *invocation) (output, *failure) {
			return find(c, wanted, func(r recipient) map[string]any { return row(r, c) })
		}
	}
	members := func(c *invocation) (output, *failure) {
		found := lookup(c.tenant, c.text("Identity"), func(r recipient) bool { return r.dynamic != nil })
		if len(found) == 0 {
			return output{}, notFound(c.text("Identity"))
		}
		return rows(c, found[0].dynamic.Members, func(_ int, member string) map[string]any {
			return memberRow(c, member)
		}), nil
	}
	return []*cmdlet{
		{name: "Get-Mailbox", area: recipients, run: get(recipient.mailbox, recipient.mailboxRow), parameters: with(
			attribute{name: "Filter"}, attribute{name: "RecipientTypeDetails", kind: enums, names: mailboxKinds},
			attribute{name: "Archive", kind: boolean, gap: true}, attribute{name: "SoftDeletedMailbox", kind: boolean, gap: true},
			attribute{name: "InactiveMailboxOnly", kind: boolean, gap: true}, attribute{name: "PublicFolder", kind: boolean, gap: true},
			attribute{name: "GroupMailbox", kind: boolean, gap: true},
		)},
		{name: "Get-Recipient", area: recipients, run: get(func(recipient) bool { return true }, recipient.row), parameters: with(
			unfiltered, attribute{name: "RecipientTypeDetails", kind: enums, names: recipientKinds},
			attribute{name: "RecipientType", kind: enums, names: recipientKinds},
			attribute{name: "Properties", gap: true}, attribute{name: "Capabilities", gap: true},
		)},
		{name: "Get-DynamicDistributionGroup", area: recipients, parameters: with(unfiltered, attribute{name: "ManagedBy", gap: true}),
			run: get(func(r recipient) bool { return r.dynamic != nil }, recipient.row)},
		{name: "Get-DynamicDistributionGroupMember", area: recipients, run: members, parameters: []attribute{
			{name: "Identity", must: true}, {name: "ResultSize", kind: unlimited},
		}},
	}
}

// memberRow is a member of a dynamic list: named in the world by the object id or an address of a recipient.
func memberRow(c *invocation, member string) map[string]any {
	switch {
	case c.tenant.Person(member) != nil:
		return ofPerson(c.tenant.Person(member)).row(c)
	case c.tenant.Contact(member) != nil:
		return ofContact(c.tenant.Contact(member)).row(c)
	case c.tenant.Group(member) != nil:
		return ofGroup(c.tenant.Group(member)).row(c)
	}
	for _, r := range lookup(c.tenant, member, func(recipient) bool { return true }) {
		return r.row(c)
	}
	return map[string]any{"Name": member, "Identity": member, "PrimarySmtpAddress": member, "RecipientTypeDetails": "MailUser", "RecipientType": "MailUser"}
}
