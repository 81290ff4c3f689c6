package exchange

import (
	"maps"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

// filterAttributes are those of the one connection filter policy, Default.
var filterAttributes = []attribute{
	{name: "IPAllowList", kind: list, use: onSet, item: checkFilterAddress, unset: noList},
	{name: "IPBlockList", kind: list, use: onSet, item: checkFilterAddress, unset: noList},
	{name: "EnableSafeList", kind: boolean, use: onSet, unset: false},
	{name: "AdminDisplayName", use: onSet, max: 255, unset: ""},
	{name: "MakeDefault", kind: boolean, gap: true},
	{name: "ConfigurationXmlRaw", gap: true},
}

func filterCmdlets() []*cmdlet {
	shown := filterAttributes[:4]
	known := func(c *invocation) *failure {
		id := c.text("Identity")
		if id == "" || strings.EqualFold(id, "Default") || strings.EqualFold(id, guid("filter", c.tenant.ID)) {
			return nil
		}
		return notFound(id)
	}
	get := func(c *invocation) (output, *failure) {
		if failed := known(c); failed != nil {
			return output{}, failed
		}
		row := map[string]any{}
		show(row, shown, c.view.Filter)
		id := asGUID(guid("filter", c.tenant.ID))
		maps.Copy(row, map[string]any{
			"Name": "Default", "Identity": "Default", "Id": "Default", "IsDefault": true, "IsValid": true,
			"DirectoryBasedEdgeBlockMode": "Default", "Guid": id, "ExchangeObjectId": id,
			"OrganizationId": organizationOf(c.tenant), "ObjectState": "Unchanged",
			"WhenChangedUTC": asDate(utcTime, changedAt(c.view.Filter)),
		})
		return rows(c, []map[string]any{row}, func(_ int, row map[string]any) map[string]any { return row }), nil
	}
	set := func(c *invocation) (output, *failure) {
		if failed := known(c); failed != nil {
			return output{}, failed
		}
		if failed := customized(c); failed != nil {
			return output{}, failed
		}
		for _, name := range []string{"IPAllowList", "IPBlockList"} {
			kinds := map[addressKind]bool{}
			replaced, _ := c.args[name].([]string)
			for _, item := range replaced {
				k, _, _, _ := parseAddress(item)
				kinds[k] = true
			}
			if len(kinds) > 1 {
				return output{}, bad(typeValidation, "The values of '%s' are of different types. To specify single addresses, "+
					"ranges and networks at the same time, use the Add and Remove form.", name)
			}
		}
		next := c.written(shown, c.live.Filter)
		if same(shown, next, c.live.Filter) {
			return output{warnings: unchanged("Default")}, nil
		}
		next["WhenChangedUTC"] = c.now.UTC().Format(utcTime)
		c.live.Filter = next
		return output{}, nil
	}
	return []*cmdlet{
		{name: "Get-HostedConnectionFilterPolicy", area: hygiene, parameters: []attribute{{name: "Identity"}}, run: get},
		{name: "Set-HostedConnectionFilterPolicy", area: hygiene, changes: true, run: set,
			parameters: append([]attribute{{name: "Identity", must: true}}, filterAttributes...)},
	}
}

// configAttributes are the organisation-wide settings that can be written here.
var configAttributes = []attribute{
	{name: "RejectDirectSend", kind: boolean, use: onSet, unset: false},
	{name: "AuditDisabled", kind: boolean, use: onSet, unset: false},
	{name: "MailTipsAllTipsEnabled", kind: boolean, use: onSet, unset: true},
	{name: "MailTipsExternalRecipientsTipsEnabled", kind: boolean, use: onSet, unset: false},
	{name: "MailTipsGroupMetricsEnabled", kind: boolean, use: onSet, unset: true},
	{name: "OAuth2ClientProfileEnabled", kind: boolean, use: onSet, unset: true},
	{name: "AutoExpandingArchiveEnabled", kind: boolean, use: readOnly, unset: false},
	{name: "SendFromAliasEnabled", kind: boolean, use: onSet, unset: false},
	{name: "ConnectorsEnabled", kind: boolean, use: onSet, unset: true},
	{name: "FocusedInboxOn", kind: boolean, use: onSet},
	{name: "CustomerLockboxEnabled", kind: boolean, use: onSet, unset: false},
}

func organizationCmdlets() []*cmdlet {
	var writable []attribute
	for _, a := range configAttributes {
		if a.use&onSet != 0 {
			writable = append(writable, a)
		}
	}
	get := func(c *invocation) (output, *failure) {
		name := organizationOf(c.tenant)
		row := map[string]any{}
		maps.Copy(row, c.view.Config)
		show(row, configAttributes, c.view.Config)
		id := asGUID(guid("organization", c.tenant.ID))
		maps.Copy(row, map[string]any{
			"Name": name, "Identity": name, "Id": name, "DisplayName": c.tenant.DisplayName, "Guid": id,
			"ExternalDirectoryOrganizationId": c.tenant.ID,
			"ExchangeObjectId":                id, "OrganizationId": name,
			"IsDehydrated": boolOf(c.view.Config["IsDehydrated"], false), "IsMixedMode": boolOf(c.view.Config["IsMixedMode"], false),
			"WhenChangedUTC": asDate(utcTime, changedAt(c.view.Config)),
		})
		for key, value := range map[string]any{"HybridConfigurationStatus": "None", "ServicePlan": "BPOS_S_E15_0"} {
			if row[key] == nil {
				row[key] = value
			}
		}
		return rows(c, []map[string]any{row}, func(_ int, row map[string]any) map[string]any { return row }), nil
	}
	set := func(c *invocation) (output, *failure) {
		next := c.written(configAttributes, c.live.Config)
		if same(configAttributes, next, c.live.Config) {
			return output{warnings: unchanged(organizationOf(c.tenant))}, nil
		}
		next["WhenChangedUTC"] = c.now.UTC().Format(utcTime)
		c.live.Config = next
		return output{}, nil
	}
	enable := func(c *invocation) (output, *failure) {
		if !boolOf(c.live.Config["IsDehydrated"], false) {
			return output{}, bad(typeDisclaimed, "This operation is not required. Organization is already enabled for customization.")
		}
		next := maps.Clone(c.live.Config)
		next["IsDehydrated"] = false
		c.live.Config = next
		c.live.CustomizedAt = &c.now
		return output{}, nil
	}
	domains := func(c *invocation) (output, *failure) {
		var kept []*world.EntraDomain
		for _, d := range c.tenant.Domains {
			if d.Verified && !d.NoEmail {
				kept = append(kept, d)
			}
		}
		if identity := c.text("Identity"); identity != "" {
			for _, d := range kept {
				if strings.EqualFold(d.Name, identity) || strings.EqualFold(domainGUID(c.tenant, d), identity) {
					return rows(c, []*world.EntraDomain{d}, func(_ int, d *world.EntraDomain) map[string]any { return domainRow(c, d) }), nil
				}
			}
			return output{}, notFound(identity)
		}
		return rows(c, kept, func(_ int, d *world.EntraDomain) map[string]any { return domainRow(c, d) }), nil
	}
	return []*cmdlet{
		{name: "Get-OrganizationConfig", area: configuration, run: get},
		{name: "Set-OrganizationConfig", area: configuration, changes: true, run: set, parameters: writable},
		{name: "Enable-OrganizationCustomization", area: configuration, changes: true, run: enable},
		{name: "Get-AcceptedDomain", area: configuration, run: domains,
			parameters: []attribute{{name: "Identity"}, {name: "ResultSize", kind: unlimited}}},
	}
}

// customized refuses writes to policies while the tenant still shares default objects, and for a while after it no
// longer does: an hour, a Microsoft support page says, in which results are inconsistent. That this object is among
// those that need it is inferred: clients guard its first write so, the reference does not name it.
func customized(c *invocation) *failure {
	wait := time.Duration(c.switches.CustomizationDelay) * time.Second
	if wait == 0 {
		wait = time.Hour
	}
	at := c.live.CustomizedAt
	if !boolOf(c.live.Config["IsDehydrated"], false) && (at == nil || !at.Add(wait).After(c.now)) {
		return nil
	}
	return bad(typeCustomize, "The command you tried to run isn't currently allowed in your organization. "+
		"To run this command, you first need to run the command: Enable-OrganizationCustomization.")
}

func domainGUID(t *world.Tenant, d *world.EntraDomain) string {
	return guid("accepted domain", t.ID, strings.ToLower(d.Name))
}

func domainRow(c *invocation, d *world.EntraDomain) map[string]any {
	kind := c.view.DomainTypes[strings.ToLower(d.Name)]
	if kind == "" {
		kind = "Authoritative"
	}
	authentication := "Managed"
	if d.Federated {
		authentication = "Federated"
	}
	id := asGUID(domainGUID(c.tenant, d))
	return map[string]any{
		"Name": d.Name, "Identity": d.Name, "Id": d.Name, "DomainName": d.Name, "DomainType": kind,
		"Default": d.Default, "InitialDomain": d.Initial, "IsCoexistenceDomain": strings.HasSuffix(d.Name, ".mail.onmicrosoft.com"),
		"MatchSubDomains": false, "AuthenticationType": authentication, "OutboundOnly": false, "AddressBookEnabled": true,
		"EmailOnly": false, "ExternallyManaged": false, "PendingRemoval": false, "PendingCompletion": false,
		"PendingFederatedAccountNamespace": false, "PendingFederatedDomain": false, "EnableNego2Authentication": false,
		"SendingFromDomainDisabled": false, "SmtpDaneStatus": "Disabled", "SmtpDaneMxValidation": "Disabled",
		"MailFlowRegion": nil, "MailFlowPartner": nil, "AdminDisplayName": "", "IsValid": true, "ObjectState": "Unchanged",
		"OrganizationId": organizationOf(c.tenant), "Guid": id, "ExchangeObjectId": id,
	}
}

// organizationOf is the name of the Exchange organization: the tenant's initial domain.
func organizationOf(t *world.Tenant) string {
	for _, d := range t.Domains {
		if d.Initial {
			return d.Name
		}
	}
	return t.ID
}

func changedAt(values map[string]any) time.Time {
	t, err := parseUTC(textOf(values["WhenChangedUTC"]))
	if err != nil {
		return time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return t
}

func parseUTC(s string) (time.Time, error) { return time.Parse(time.RFC3339Nano, s) }
