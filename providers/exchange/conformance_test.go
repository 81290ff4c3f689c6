package exchange

import (
	"fmt"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resourcetest"
	"github.com/weir-project/weir/providers/sim/world"
)

// contradictions are the habits of the service about which clients disagree; every type conforms under each.
var contradictions = map[string]world.Switches{
	"empty array clears":          {},
	"empty array changes nothing": {EmptyListIsNoop: true, UnknownIdentityReturnsAll: true, HideRuleScopedConnectors: true},
}

func underEach(t *testing.T, run func(t *testing.T, switches world.Switches)) {
	for name, switches := range contradictions {
		t.Run(name, func(t *testing.T) { run(t, switches) })
	}
}

func scanner(w *world.World, tenant *world.Tenant) {
	tenant.Exchange.Inbound = append(tenant.Exchange.Inbound, object("aaaaaaaa-0000-4000-8000-000000000001", "Scanner relay", map[string]any{
		"ConnectorType": "OnPremises", "SenderDomains": []string{"smtp:*;1"}, "SenderIPAddresses": []string{"203.0.113.25/32"}}))
	tenant.Exchange.Rules = append(tenant.Exchange.Rules, object("aaaaaaaa-0000-4000-8000-000000000002", "External disclaimer", map[string]any{
		"FromScope": "NotInOrganization", "SetHeaderName": "X-External", "SetHeaderValue": "yes"}))
}

const keeps = "left out, the connector keeps what Weir last wrote or adopted"

func TestInboundConnectorConforms(t *testing.T) {
	typ := connectorType()
	s := cty.StringVal
	skip := map[string]string{
		"sender_domains:unmanaged": keeps, "sender_ip_ranges:unmanaged": keeps, "require_tls:unmanaged": keeps,
		"sender_domains:empty": "an inbound connector needs one", "sender_ip_ranges:empty": "with restrict_to_ip_ranges it needs one",
		"name:empty": "a name is never empty",
	}
	for _, path := range outboundOnly {
		skip[path] = "outbound only"
	}
	underEach(t, func(t *testing.T, switches world.Switches) {
		resourcetest.Run(t, resourcetest.Harness{
			Type: typ, Skip: skip, Foreign: 1,
			Open: func(t testing.TB) *resourcetest.Backend {
				v := newService(t, scanner, func(w *world.World, _ *world.Tenant) { w.Switches = switches })
				return v.backend("inbound", 1, map[string]string{
					"name": "Name", "enabled": "Enabled", "comment": "Comment", "sender_domains": "SenderDomains", "sender_ip_ranges": "SenderIPAddresses",
					"restrict_to_ip_ranges": "RestrictDomainsToIPAddresses", "require_tls": "RequireTls",
					"enhanced_filtering.skip_last_ip": "EFSkipLastIP", "enhanced_filtering.skip_ip_ranges": "EFSkipIPs",
				})
			},
			Config: block(typ.Attributes, map[string]cty.Value{
				"direction": s("inbound"), "name": s("Gateway inbound"), "enabled": cty.True, "comment": s("managed"), "sender_domains": stringSet("*"),
				"sender_ip_ranges": stringSet("148.163.128.0/19", "67.231.144.0/24", "203.0.113.9/32"), "restrict_to_ip_ranges": cty.True, "require_tls": cty.True,
				"enhanced_filtering.skip_last_ip": cty.False, "enhanced_filtering.skip_ip_ranges": stringSet("67.231.144.0/24"),
			}),
			Second: block(typ.Attributes, map[string]cty.Value{"direction": s("inbound"), "name": s("Partner"), "sender_domains": stringSet("partner.example"),
				"sender_ip_ranges": stringSet("198.51.100.7")}),
			Changes: []resourcetest.Change{
				{Path: "name", Value: s("Gateway in")},
				{Path: "enabled", Value: cty.False},
				{Path: "comment", Value: s("other\r\nlines")},
				{Path: "sender_domains", Value: stringSet("a.example", "*.b.example")},
				{Path: "sender_ip_ranges", Value: stringSet("67.231.144.0/24", "148.163.128.0/24", "198.51.100.0/25")},
				{Path: "restrict_to_ip_ranges", Value: cty.False},
				{Path: "require_tls", Value: cty.False},
				{Path: "enhanced_filtering.skip_last_ip", Value: cty.True},
				{Path: "enhanced_filtering.skip_ip_ranges", Value: stringSet("148.163.128.0/19", "203.0.113.1-203.0.113.9")},
			},
		})
	})
}

func TestOutboundConnectorConforms(t *testing.T) {
	typ := connectorType()
	s := cty.StringVal
	skip := map[string]string{
		"recipient_domains:unmanaged": keeps, "smart_hosts:unmanaged": keeps, "use_mx_record:unmanaged": keeps, "tls:unmanaged": keeps,
		"tls_domain:unmanaged": "domain validation needs one", "tls_domain:empty": "domain validation needs one",
		"smart_hosts:empty": "without MX routing it needs one", "name:empty": "a name is never empty",
	}
	for _, path := range inboundOnly {
		skip[path] = "inbound only"
	}
	underEach(t, func(t *testing.T, switches world.Switches) {
		resourcetest.Run(t, resourcetest.Harness{
			Type: typ, Skip: skip, Foreign: 1,
			Open: func(t testing.TB) *resourcetest.Backend {
				v := newService(t, scanner, func(w *world.World, _ *world.Tenant) { w.Switches = switches })
				return v.backend("outbound", 0, map[string]string{
					"name": "Name", "enabled": "Enabled", "comment": "Comment", "recipient_domains": "RecipientDomains", "smart_hosts": "SmartHosts",
					"use_mx_record": "UseMXRecord", "tls": "TlsSettings", "tls_domain": "TlsDomain",
				})
			},
			Config: block(typ.Attributes, map[string]cty.Value{
				"direction": s("outbound"), "name": s("Gateway outbound"), "enabled": cty.True, "comment": s("managed"), "recipient_domains": stringSet("*"),
				"smart_hosts": stringSet("Outbound-us1.ppe-hosted.com."), "use_mx_record": cty.False, "tls": s("domain_validation"), "tls_domain": s("*.ppe-hosted.com"),
				"wait_for_spf": cty.False,
			}),
			Second: block(typ.Attributes, map[string]cty.Value{"direction": s("outbound"), "name": s("Partner"), "recipient_domains": stringSet("partner.example"),
				"smart_hosts": stringSet("mail.partner.example")}),
			Changes: []resourcetest.Change{
				{Path: "name", Value: s("Gateway out")},
				{Path: "enabled", Value: cty.False},
				{Path: "comment", Value: s("other")},
				{Path: "recipient_domains", Value: stringSet("a.example", "*.b.example")},
				{Path: "smart_hosts", Value: stringSet("outbound-eu1.ppe-hosted.com", "192.0.2.25")},
				{Path: "use_mx_record", Value: cty.True, Also: map[string]cty.Value{"smart_hosts": stringSet()}},
				{Path: "tls", Value: s("encryption_only"), Also: map[string]cty.Value{"tls_domain": s("")}},
				{Path: "tls_domain", Value: s("*.ppe.example")},
			},
		})
	})
}

func TestRuleConforms(t *testing.T) {
	typ := ruleType()
	s, n := cty.StringVal, func(i int64) cty.Value { return cty.NumberIntVal(i) }
	edits := map[string]string{
		"name": "Name", "enabled": "Enabled", "mode": "Mode", "priority": "Priority", "comments": "Comments", "sender_ip_ranges": "SenderIpRanges",
		"from_scope": "FromScope", "sender_domains": "SenderDomainIs", "recipient_domains": "RecipientDomainIs", "set_scl": "SetSCL",
		"set_header.name": "SetHeaderName", "set_header.value": "SetHeaderValue", "reject.reason": "RejectMessageReasonText",
		"reject.code": "RejectMessageEnhancedStatusCode", "stop_processing": "StopRuleProcessing", "except.sender_ip_ranges": "ExceptIfSenderIpRanges",
		"except.from_scope": "ExceptIfFromScope", "except.sender_domains": "ExceptIfSenderDomainIs", "except.recipient_domains": "ExceptIfRecipientDomainIs",
	}
	const notShown = "the portal of the simulator has no such field"
	skip := map[string]string{"name:empty": "a name is never empty"}
	for _, path := range []string{"except.from_scope", "except.sender_domains", "except.recipient_domains"} {
		skip[path+":drift"], skip[path+":unmanaged"] = notShown, notShown
	}
	underEach(t, func(t *testing.T, switches world.Switches) {
		resourcetest.Run(t, resourcetest.Harness{
			Type: typ, Skip: skip, Foreign: 1,
			Open: func(t testing.TB) *resourcetest.Backend {
				v := newService(t, scanner, func(w *world.World, _ *world.Tenant) { w.Switches = switches })
				b := v.backend("rule", 1, edits)
				edit := b.Edit
				b.Edit = func(path string, value cty.Value) error {
					// Our rule is the last until its priority changes; behind that the foreign one is.
					if at, err := v.ours(); err == nil && at == 0 {
						b.Edit = edit
						return v.portal("rule", v.world.Tenants[0].Exchange.Rules[0].GUID, "set", map[string]any{edits[path]: native(path, value)})
					}
					return edit(path, value)
				}
				return b
			},
			Config: block(typ.Attributes, map[string]cty.Value{
				"name": s("Gateway bypass"), "enabled": cty.True, "mode": s("enforce"), "priority": n(1), "comments": s("managed"),
				"sender_ip_ranges": stringSet("148.163.128.0/19", "67.231.144.1/24"), "from_scope": s("not_in_organization"), "sender_domains": stringSet("a.example"),
				"recipient_domains": stringSet("Contoso.example"), "set_scl": n(-1), "set_header.name": s("X-Gateway"), "set_header.value": s("Yes"),
				"reject.reason": s("no"), "reject.code": s("5.7.1"), "stop_processing": cty.False, "except.sender_ip_ranges": stringSet("192.0.2.1"),
				"except.from_scope": s("in_organization"), "except.sender_domains": stringSet("b.example"), "except.recipient_domains": stringSet("c.example"),
			}),
			Second: block(typ.Attributes, map[string]cty.Value{"name": s("Tag"), "set_header.name": s("X-Tag"), "set_header.value": s("1"), "set_scl": n(5)}),
			Changes: []resourcetest.Change{
				{Path: "comments", Value: s("other")},
				{Path: "name", Value: s("Bypass")},
				{Path: "enabled", Value: cty.False},
				{Path: "mode", Value: s("audit_and_notify")},
				{Path: "sender_ip_ranges", Value: stringSet("148.163.128.0/19", "67.231.145.0-67.231.145.9")},
				{Path: "from_scope", Value: s("in_organization")},
				{Path: "sender_domains", Value: stringSet("d.example")},
				{Path: "recipient_domains", Value: stringSet("e.example", "f.example")},
				{Path: "set_scl", Value: n(6)},
				{Path: "set_header.name", Value: s("X-Other")},
				{Path: "set_header.value", Value: s("No")},
				{Path: "reject.reason", Value: s("not you")},
				{Path: "reject.code", Value: s("5.7.900")},
				{Path: "stop_processing", Value: cty.True},
				{Path: "except.sender_ip_ranges", Value: stringSet("192.0.2.0/28")},
				{Path: "except.from_scope", Value: s("not_in_organization")},
				{Path: "except.sender_domains", Value: stringSet("g.example")},
				{Path: "except.recipient_domains", Value: stringSet("h.example")},
				{Path: "priority", Value: n(0)},
			},
		})
	})
}

// ours is the place of the rule that is not the foreign one.
func (s *service) ours() (int, error) {
	s.world.RLock()
	defer s.world.RUnlock()
	for i, o := range s.world.Tenants[0].Exchange.Rules {
		if o.Name != "External disclaimer" {
			return i, nil
		}
	}
	return 0, fmt.Errorf("there is no rule of ours")
}
