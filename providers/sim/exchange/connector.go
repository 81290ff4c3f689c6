package exchange

import (
	"github.com/weir-project/weir/providers/sim/world"
)

var (
	connectorTypes   = []string{"Partner", "OnPremises"}
	connectorSources = []string{"Default", "Migrated", "HybridWizard", "AdminUI"}
	noList           = []string{} // how connectors read an unset list
)

// inboundConnector follows New-/Set-InboundConnector. Flags that count for Partner connectors only are kept on an
// OnPremises connector, where they do nothing: that is the trap.
var inboundConnector = &family{
	noun: "InboundConnector", container: "Inbound Connectors", area: configuration,
	objects: func(e *world.Exchange) *[]*world.ExchangeObject { return &e.Inbound },
	attributes: []attribute{
		{name: "ConnectorType", kind: enum, use: both, names: connectorTypes, unset: "Partner"},
		{name: "ConnectorSource", kind: enum, use: both, names: connectorSources, unset: "Default"},
		{name: "Enabled", kind: boolean, use: both, unset: true},
		{name: "Comment", use: both, unset: ""},
		{name: "SenderDomains", kind: list, use: both, item: checkDomainSpace, store: storeDomainSpace, unset: noList, must: true},
		{name: "SenderIPAddresses", kind: list, use: both, item: checkConnectorAddress, unset: noList},
		{name: "RestrictDomainsToIPAddresses", kind: boolean, use: both, unset: false},
		{name: "RestrictDomainsToCertificate", kind: boolean, use: both, unset: false},
		{name: "TlsSenderCertificateName", use: both},
		// The current reference says true, older schemas false.
		{name: "RequireTls", kind: boolean, use: both, unset: true},
		{name: "AssociatedAcceptedDomains", kind: list, use: both, item: checkDomain, unset: noList},
		{name: "TrustedOrganizations", kind: list, use: both, unset: noList},
		{name: "ClientHostNames", kind: list, use: onNew, unset: noList},
		{name: "CloudServicesMailEnabled", kind: boolean, use: both, unset: false},
		{name: "TreatMessagesAsInternal", kind: boolean, use: both, unset: false},
		{name: "EFSkipIPs", kind: list, use: both, item: checkSkipAddress, unset: noList},
		{name: "EFSkipLastIP", kind: boolean, use: both, unset: false},
		{name: "EFUsers", kind: list, use: both, unset: noList},
		// Reserved for Microsoft: parameters exist, nobody writes them.
		{name: "EFTestMode", kind: boolean, use: both, unset: false},
		{name: "EFSkipMailGateway", kind: list, use: both, unset: noList},
		{name: "ScanAndDropRecipients", kind: list, use: both, unset: noList},
	},
	check: func(c *invocation, next, _ map[string]any) *failure {
		if len(listOf(next["SenderDomains"], nil)) == 0 {
			return bad(typeValidation, "The property 'SenderDomains' of an inbound connector can't be empty.")
		}
		return nil
	},
}

// outboundConnector follows New-/Set-OutboundConnector.
var outboundConnector = &family{
	noun: "OutboundConnector", container: "Outbound Connectors", area: configuration,
	objects: func(e *world.Exchange) *[]*world.ExchangeObject { return &e.Outbound },
	gets: []attribute{
		{name: "IncludeTestModeConnectors", kind: boolean}, {name: "IsTransportRuleScoped", kind: boolean},
	},
	attributes: []attribute{
		{name: "ConnectorType", kind: enum, use: both, names: connectorTypes, unset: "Partner"},
		{name: "ConnectorSource", kind: enum, use: both, names: connectorSources, unset: "Default"},
		{name: "Enabled", kind: boolean, use: both, unset: true},
		{name: "Comment", use: both, unset: ""},
		{name: "RecipientDomains", kind: list, use: both, item: checkDomainSpace, unset: noList},
		{name: "UseMXRecord", kind: boolean, use: both, unset: true},
		{name: "SmartHosts", kind: list, use: both, item: checkSmartHost, unset: noList},
		{name: "TlsSettings", kind: enum, use: both, names: []string{"EncryptionOnly", "CertificateValidation", "DomainValidation"}},
		{name: "TlsDomain", use: both, item: checkDomainSpace},
		{name: "IsTransportRuleScoped", kind: boolean, use: both, unset: false},
		{name: "AllAcceptedDomains", kind: boolean, use: both, unset: false},
		{name: "RouteAllMessagesViaOnPremises", kind: boolean, use: both, unset: false},
		{name: "SenderRewritingEnabled", kind: boolean, use: both, unset: false},
		{name: "CloudServicesMailEnabled", kind: boolean, use: both, unset: false},
		{name: "MtaStsMode", kind: enum, use: both, names: []string{"Opportunistic", "None"}, unset: "Opportunistic"},
		{name: "SmtpDaneMode", kind: enum, use: both, names: []string{"Opportunistic", "Mandatory", "None"}, unset: "Opportunistic"},
		{name: "TestMode", kind: boolean, use: both, unset: false},
		{name: "LinkForModifiedConnector", kind: identifier, use: onNew, unset: asGUID("00000000-0000-0000-0000-000000000000")},
		{name: "ValidationRecipients", kind: list, use: onSet, unset: noList},
		{name: "IsValidated", kind: boolean, use: onSet, unset: false},
		{name: "LastValidationTimestamp", kind: date, use: onSet},
	},
	filter: func(c *invocation, o *world.ExchangeObject) bool {
		scoped, test := boolOf(o.Values["IsTransportRuleScoped"], false), boolOf(o.Values["TestMode"], false)
		if c.has("IsTransportRuleScoped") && scoped != c.flag("IsTransportRuleScoped") {
			return false
		}
		if !c.switches.HideRuleScopedConnectors {
			return true
		}
		return (!scoped || c.flag("IsTransportRuleScoped")) && (!test || c.flag("IncludeTestModeConnectors"))
	},
	check: func(c *invocation, next, before map[string]any) *failure {
		hosts := listOf(next["SmartHosts"], nil)
		if mx, given := c.args["UseMXRecord"].(bool); given && !mx && !c.has("SmartHosts") ||
			!boolOf(next["UseMXRecord"], true) && len(hosts) == 0 {
			return bad(typeArgument, "You must specify SmartHosts in the same command when UseMXRecord is set to $false.")
		}
		domain, settings := textOf(next["TlsDomain"]), textOf(next["TlsSettings"])
		if domain != "" && settings != "DomainValidation" {
			return bad(typeArgument, "TlsDomain can be used only when TlsSettings is DomainValidation.")
		}
		if domain == "" && settings == "DomainValidation" {
			return bad(typeArgument, "TlsDomain must be specified when TlsSettings is DomainValidation.")
		}
		return nil
	},
	finish: func(row map[string]any, o *world.ExchangeObject, _ int) {
		if t, err := parseUTC(textOf(o.Values["LastValidationTimestamp"])); err == nil {
			row["LastValidationTimestamp"] = asDate(zoneless, t)
		}
		if id := textOf(o.Values["LinkForModifiedConnector"]); id != "" {
			row["LinkForModifiedConnector"] = asGUID(id)
		}
	},
}

// checkSmartHost accepts a host name, an address or a network.
func checkSmartHost(s string) error {
	if k, _, _, _ := parseAddress(s); k == singleAddress || k == network {
		return nil
	}
	return checkDomain(s)
}
