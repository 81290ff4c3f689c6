package exchange

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/resourcetest"
	"github.com/weir-project/weir/providers/sim/world"
	"github.com/weir-project/weir/providers/vendordata"
)

func with(base, more map[string]cty.Value) map[string]cty.Value {
	for path, v := range more {
		base[path] = v
	}
	return base
}

func inboundBlock(more map[string]cty.Value) map[string]cty.Value {
	return with(map[string]cty.Value{"direction": cty.StringVal("inbound")}, more)
}

func outboundBlock(more map[string]cty.Value) map[string]cty.Value {
	return with(map[string]cty.Value{"direction": cty.StringVal("outbound")}, more)
}

// gateway is the mail flow of a customer set up by hand under other names.
func gateway(_ *world.World, tenant *world.Tenant) {
	d, err := vendordata.Lookup("us1", "")
	if err != nil {
		panic(err)
	}
	tenant.Exchange.Inbound = append(tenant.Exchange.Inbound, object("bbbbbbbb-0000-4000-8000-000000000001", "Inbound from ProofPoint", map[string]any{
		"ConnectorType": "Partner", "SenderDomains": []string{"smtp:*;1"}, "RequireTls": true, "RestrictDomainsToIPAddresses": true,
		"SenderIPAddresses": expand(d.DeliveryRanges), "Comment": "set up by hand"}))
	tenant.Exchange.Outbound = append(tenant.Exchange.Outbound, object("bbbbbbbb-0000-4000-8000-000000000002", "Proofpoint - Outbound", map[string]any{
		"ConnectorType": "Partner", "RecipientDomains": []string{"*"}, "UseMXRecord": false, "SmartHosts": []string{"outbound-us1.ppe-hosted.com"}, "TlsSettings": "EncryptionOnly"}))
	tenant.Exchange.Rules = append(tenant.Exchange.Rules, object("bbbbbbbb-0000-4000-8000-000000000003", "Bypass Spam Filter (PPE)", map[string]any{
		"Mode": "Enforce", "SenderIpRanges": d.DeliveryRanges, "SetSCL": -1}))
}

// TestAdoptionUnderOtherNames: blocks that say no more than what they are for find the objects made by hand, and change
// nothing.
func TestAdoptionUnderOtherNames(t *testing.T) {
	s := newService(t, scanner, gateway)
	d, err := vendordata.Lookup("us1", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		typ    *resource.Type
		config map[string]cty.Value
		name   string
		paths  []string
	}{
		{connectorType(), inboundBlock(nil), "Inbound from ProofPoint", nil},
		{connectorType(), inboundBlock(map[string]cty.Value{"name": cty.StringVal("Gateway")}), "Inbound from ProofPoint", []string{"name"}},
		{connectorType(), inboundBlock(map[string]cty.Value{"sender_ip_ranges": cty.UnknownVal(cty.Set(cty.String))}), "Inbound from ProofPoint", []string{"sender_ip_ranges"}},
		{connectorType(), outboundBlock(map[string]cty.Value{"enabled": cty.True}), "Proofpoint - Outbound", nil},
		{connectorType(), outboundBlock(map[string]cty.Value{"tls": cty.StringVal("certificate_validation")}), "Proofpoint - Outbound", []string{"tls"}},
		{ruleType(), map[string]cty.Value{"set_scl": cty.NumberIntVal(-1), "sender_ip_ranges": resource.StringSet(d.DeliveryRanges)}, "Bypass Spam Filter (PPE)", nil},
		{ruleType(), map[string]cty.Value{"set_scl": cty.NumberIntVal(-1), "sender_ip_ranges": cty.UnknownVal(cty.Set(cty.String))}, "Bypass Spam Filter (PPE)", []string{"sender_ip_ranges"}},
	} {
		all, err := row.typ.List(context.Background(), s.conn)
		if err != nil {
			t.Fatal(err)
		}
		var found []resource.Live
		for _, l := range all {
			if row.typ.Match(block(row.typ.Attributes, row.config), l.Value) {
				found = append(found, l)
			}
		}
		if len(found) != 1 || found[0].Name != row.name {
			t.Errorf("%v: found %v, want %s", row.config, found, row.name)
			continue
		}
		_, paths, err := s.plan(row.typ, row.config, found[0], cty.NilVal, nil)
		if err != nil || !slices.Equal(paths, row.paths) {
			t.Errorf("%s: %q differ (%v), want %q", row.name, paths, err, row.paths)
		}
	}
	if n := s.faults.Changed(); n != 0 {
		t.Errorf("%d changing calls", n)
	}
}

func TestConnectorMatch(t *testing.T) {
	str := cty.StringVal
	lives := map[string]map[string]cty.Value{
		"gateway":        inboundBlock(map[string]cty.Value{"sender_ip_ranges": stringSet("67.231.144.0/24", "148.163.128.0/24"), "connector_type": str("Partner")}),
		"europe":         inboundBlock(map[string]cty.Value{"sender_ip_ranges": stringSet("185.132.181.0/24")}),
		"mostly gateway": inboundBlock(map[string]cty.Value{"sender_ip_ranges": stringSet("67.231.144.0/24", "67.231.145.0/24", "203.0.113.0/24")}),
		"mostly other":   inboundBlock(map[string]cty.Value{"sender_ip_ranges": stringSet("67.231.144.0/24", "203.0.113.0/24", "198.51.100.0/24")}),
		"half":           inboundBlock(map[string]cty.Value{"sender_ip_ranges": stringSet("67.231.144.0/24", "203.0.113.0/24")}),
		"on premises":    inboundBlock(map[string]cty.Value{"sender_ip_ranges": stringSet("67.231.144.0/24"), "connector_type": str("OnPremises"), "name": str(connectorNames[inbound])}),
		"certificate":    inboundBlock(map[string]cty.Value{"certificate_name": str("*.ppe-hosted.com")}),
		"no addresses":   inboundBlock(nil),
		"vendor's name":  inboundBlock(map[string]cty.Value{"name": str("inbound connector for proofpoint essentials")}),
		"smart host":     outboundBlock(map[string]cty.Value{"smart_hosts": stringSet("outbound-eu1.PPE-hosted.com")}),
		"rule scoped":    outboundBlock(map[string]cty.Value{"smart_hosts": stringSet("outbound-eu1.ppe-hosted.com"), "rule_scoped": cty.True}),
		"like-sounding":  outboundBlock(map[string]cty.Value{"smart_hosts": stringSet("outbound.evil-ppe-hosted.com")}),
	}
	for _, row := range []struct {
		config map[string]cty.Value
		want   []string
	}{
		{inboundBlock(nil), []string{"certificate", "europe", "gateway", "mostly gateway", "vendor's name"}},
		{inboundBlock(map[string]cty.Value{"sender_ip_ranges": stringSet("203.0.113.0/24", "198.51.100.0/24")}), []string{"certificate", "mostly other", "vendor's name"}},
		{outboundBlock(nil), []string{"smart host"}},
		{outboundBlock(map[string]cty.Value{"smart_hosts": stringSet("Outbound.Evil-PPE-hosted.com.")}), []string{"like-sounding"}},
		{map[string]cty.Value{"direction": cty.UnknownVal(cty.String)}, nil},
	} {
		var got []string
		for name, live := range lives {
			if matchConnector(block(connectorTable, row.config), block(connectorTable, live)) {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, row.want) {
			t.Errorf("%v matches %q, want %q", row.config, got, row.want)
		}
	}
}

// TestCreateFillsDefaults: what a new connector is sent with when the block says next to nothing.
func TestCreateFillsDefaults(t *testing.T) {
	s := newService(t)
	in, out := s.apply(connectorType(), inboundBlock(nil)), s.apply(connectorType(), outboundBlock(map[string]cty.Value{"enabled": cty.True}))
	if in.Name != connectorNames[inbound] || out.Name != connectorNames[outbound] {
		t.Errorf("named %q and %q", in.Name, out.Name)
	}
	created := map[string]map[string]any{}
	for _, q := range s.sent {
		if strings.HasPrefix(q.cmdlet, "New-") {
			created[q.cmdlet] = q.parameters
		}
	}
	p := created["New-InboundConnector"]
	ranges, _ := p["SenderIPAddresses"].([]any)
	if len(ranges) != 43 || !slices.Contains(ranges, any("148.163.159.0/24")) || slices.Contains(ranges, any("148.163.128.0/19")) {
		t.Errorf("ranges %v", ranges)
	}
	if p["ConnectorType"] != "Partner" || p["RequireTls"] != true || p["RestrictDomainsToIPAddresses"] != false || p["Enabled"] != true {
		t.Errorf("inbound: %v", p)
	}
	p = created["New-OutboundConnector"]
	if p["ConnectorType"] != "Partner" || p["Enabled"] != false || p["UseMXRecord"] != false || p["TlsSettings"] != "CertificateValidation" {
		t.Errorf("outbound, without SPF: %v", p)
	}
}

// TestForeignAddressesStay: addresses of other senders on an adopted connector are neither lost nor forgotten; what
// somebody adds later is drift.
func TestForeignAddressesStay(t *testing.T) {
	s := newService(t, func(_ *world.World, tenant *world.Tenant) {
		tenant.Exchange.Inbound = append(tenant.Exchange.Inbound, object("cccccccc-0000-4000-8000-000000000001", "Inbound", map[string]any{
			"SenderDomains": []string{"smtp:*;1"}, "RestrictDomainsToIPAddresses": true, "SenderIPAddresses": []string{"67.231.144.0/24", "67.231.145.7", "203.0.113.25"}}))
	})
	typ := connectorType()
	all, err := typ.List(context.Background(), s.conn)
	if err != nil {
		t.Fatal(err)
	}
	req, paths, err := s.plan(typ, inboundBlock(nil), all[0], cty.NilVal, nil)
	if err != nil || !slices.Equal(paths, []string{"sender_ip_ranges"}) {
		t.Fatalf("%q differ, %v", paths, err)
	}
	planned := words(resource.Get(req.Planned, "sender_ip_ranges"))
	if len(planned) != 44 || !slices.Contains(planned, "203.0.113.25") || slices.Contains(planned, "67.231.145.7") {
		t.Errorf("planned %q", planned)
	}
	if len(req.Reasons) != 1 || !strings.Contains(req.Reasons[0], "203.0.113.25") {
		t.Errorf("reasons %q", req.Reasons)
	}
	live, err := typ.Update(context.Background(), s.conn, &resource.Change{ID: all[0].ID, Prior: all[0].Value, Planned: req.Planned, Paths: paths})
	if err != nil {
		t.Fatal(err)
	}
	if _, paths, err = s.plan(typ, inboundBlock(nil), live, req.Planned, nil); err != nil || paths != nil {
		t.Errorf("after apply %q differ, %v", paths, err)
	}
	drifted := live
	drifted.Value = resource.With(live.Value, "sender_ip_ranges", resource.StringSet(append(planned, "192.0.2.66")))
	if _, paths, err = s.plan(typ, inboundBlock(nil), drifted, req.Planned, nil); err != nil || !slices.Equal(paths, []string{"sender_ip_ranges"}) {
		t.Errorf("after a stranger's address %q differ, %v", paths, err)
	}
}

// TestUpdateSendsOnlyWhatDiffers, and the pairs that the service wants together.
func TestUpdateSendsOnlyWhatDiffers(t *testing.T) {
	s := newService(t, gateway)
	for _, row := range []struct {
		config map[string]cty.Value
		cmdlet string
		want   []string
	}{
		{inboundBlock(map[string]cty.Value{"comment": cty.StringVal("x")}), "Set-InboundConnector", []string{"Comment", "RequireTls"}},
		{outboundBlock(map[string]cty.Value{"comment": cty.StringVal("x")}), "Set-OutboundConnector", []string{"Comment"}},
		{outboundBlock(map[string]cty.Value{"comment": cty.StringVal("x")}), "", nil},
		{outboundBlock(map[string]cty.Value{"tls": cty.StringVal("domain_validation"), "tls_domain": cty.StringVal("*.ppe-hosted.com")}), "Set-OutboundConnector", []string{"TlsDomain", "TlsSettings"}},
		{outboundBlock(map[string]cty.Value{"tls": cty.StringVal("encryption_only")}), "Set-OutboundConnector", []string{"TlsDomain", "TlsSettings"}},
	} {
		s.sent = nil
		s.apply(connectorType(), row.config)
		cmdlet, got := "", []string(nil)
		for _, q := range s.sent {
			if strings.HasPrefix(q.cmdlet, "Get-") {
				continue
			}
			cmdlet = q.cmdlet
			for name := range q.parameters {
				if name != "Identity" && name != "Confirm" {
					got = append(got, name)
				}
			}
			if q.parameters["Confirm"] != false {
				t.Errorf("%s asks for confirmation", q.cmdlet)
			}
		}
		slices.Sort(got)
		if cmdlet != row.cmdlet || !slices.Equal(got, row.want) {
			t.Errorf("%v: %s with %q, want %s with %q", row.config, cmdlet, got, row.cmdlet, row.want)
		}
	}
}

// TestClearing: a connector's list is cleared by removing what was read, a rule's by null; never by an empty array, which
// may change nothing.
func TestClearing(t *testing.T) {
	s := newService(t, gateway, func(w *world.World, tenant *world.Tenant) {
		w.Switches.EmptyListIsNoop = true
		tenant.Exchange.Inbound[0].Values["RestrictDomainsToIPAddresses"] = false
		tenant.Exchange.Inbound[0].Values["EFSkipIPs"] = []string{"67.231.144.0/24", "192.0.2.1-192.0.2.9"}
	})
	clear := map[string]cty.Value{"enhanced_filtering.skip_ip_ranges": stringSet()}
	live := s.apply(connectorType(), inboundBlock(clear))
	if left := words(resource.Get(live.Value, "enhanced_filtering.skip_ip_ranges")); len(left) != 0 {
		t.Errorf("left over: %q", left)
	}
	bypass := map[string]cty.Value{"set_scl": cty.NumberIntVal(-1), "recipient_domains": stringSet("a.example"), "sender_domains": stringSet("b.example")}
	s.apply(ruleType(), bypass)
	live = s.apply(ruleType(), with(bypass, map[string]cty.Value{"sender_domains": stringSet()}))
	if left := words(resource.Get(live.Value, "sender_domains")); len(left) != 0 {
		t.Errorf("left over: %q", left)
	}
	var deltas, nulls int
	for _, q := range s.sent {
		for name, v := range q.parameters {
			switch list, _ := v.([]any); {
			case v == nil:
				nulls++
			case list != nil && len(list) == 0:
				t.Errorf("%s sends an empty array as %s", q.cmdlet, name)
			}
			if delta, ok := v.(map[string]any); ok {
				deltas++
				removed, _ := delta["Remove"].([]any)
				if delta["@odata.type"] != "#Exchange.GenericHashTable" || len(removed) != 2 {
					t.Errorf("%s sends %v as %s", q.cmdlet, delta, name)
				}
			}
		}
	}
	if deltas != 1 || nulls != 1 {
		t.Errorf("%d lists cleared by what was read and %d by null, want one each", deltas, nulls)
	}
}

// TestLostCreateWithoutName: a connector whose block has no name is found again too, and a create sent again makes no
// second one.
func TestLostCreateWithoutName(t *testing.T) {
	for _, config := range []map[string]cty.Value{inboundBlock(nil), outboundBlock(nil), inboundBlock(map[string]cty.Value{"sender_ip_ranges": stringSet()})} {
		s := newService(t, scanner)
		typ := connectorType()
		req, paths, err := s.plan(typ, config, resource.Live{}, cty.NilVal, nil)
		if err != nil {
			t.Fatal(err)
		}
		change := &resource.Change{Prior: cty.NullVal(typ.Object()), Planned: req.Planned, Paths: paths}
		s.faults.Set(resourcetest.LostAnswer)
		if _, err := typ.Create(context.Background(), s.conn, change); !errors.Is(err, resource.ErrAmbiguous) {
			t.Errorf("lost answer: %v", err)
		}
		s.faults.Set(resourcetest.None)
		all, err := typ.List(context.Background(), s.conn)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, l := range all {
			if typ.Match(block(typ.Attributes, config), l.Value) {
				found++
			}
		}
		if found != 1 || len(all) != 2 {
			t.Errorf("%d of %d connectors are found again", found, len(all))
		}
		if _, err := typ.Create(context.Background(), s.conn, change); !errors.Is(err, resource.ErrConflict) {
			t.Errorf("the create again: %v", err)
		}
		if got := s.faults.Changed(); got != 1 {
			t.Errorf("%d changing calls", got)
		}
	}
}

// TestTakenName: a connector that is not ours keeps its name, and nothing is made.
func TestTakenName(t *testing.T) {
	s := newService(t, scanner)
	req, paths, err := s.plan(connectorType(), inboundBlock(map[string]cty.Value{"name": cty.StringVal("scanner RELAY")}), resource.Live{}, cty.NilVal, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = createConnector(context.Background(), s.conn, &resource.Change{Prior: cty.NullVal(connectorType().Object()), Planned: req.Planned, Paths: paths})
	if !errors.Is(err, resource.ErrConflict) || s.faults.Changed() != 0 {
		t.Errorf("%v, %d changing calls", err, s.faults.Changed())
	}
}

// TestScopedConnectorsAreListed, whether or not the service leaves them out by default.
func TestScopedConnectorsAreListed(t *testing.T) {
	for _, hide := range []bool{false, true} {
		s := newService(t, gateway, func(w *world.World, tenant *world.Tenant) {
			w.Switches.HideRuleScopedConnectors = hide
			host := []string{"outbound-us1.ppe-hosted.com"}
			tenant.Exchange.Outbound = append(tenant.Exchange.Outbound,
				object("ffffffff-0000-4000-8000-000000000001", "Scoped", map[string]any{"IsTransportRuleScoped": true, "UseMXRecord": false, "SmartHosts": host}),
				object("ffffffff-0000-4000-8000-000000000002", "Test", map[string]any{"TestMode": true, "UseMXRecord": false, "SmartHosts": host}))
		})
		all, err := s.client.connectors(context.Background(), outbound)
		if err != nil || len(all) != 3 {
			t.Errorf("hidden %v: %d connectors, %v", hide, len(all), err)
		}
		matching := 0
		for _, l := range all {
			if matchConnector(block(connectorTable, outboundBlock(nil)), l.Value) {
				matching++
			}
		}
		if matching != 1 {
			t.Errorf("hidden %v: %d connectors answer to one block", hide, matching)
		}
	}
}

// TestReadsLag: an object that a write made and reads do not show yet is taken from the answer.
func TestReadsLag(t *testing.T) {
	s := newService(t, func(w *world.World, _ *world.Tenant) { w.Switches.ExchangeReadLag = 60 })
	live := s.apply(connectorType(), inboundBlock(nil))
	if live.Name != connectorNames[inbound] || !strings.HasPrefix(string(live.ID), "inbound:") {
		t.Errorf("made %+v", live)
	}
	if _, err := readConnector(context.Background(), s.conn, live.ID); !errors.Is(err, resource.ErrAbsent) {
		t.Errorf("the read does not lag: %v", err)
	}
	if connectorType().Settle == 0 || ruleType().Settle == 0 {
		t.Error("no settle time although reads lag")
	}
}

func TestConnectorCustomize(t *testing.T) {
	s := newService(t)
	str := cty.StringVal
	exists := func(m map[string]cty.Value) resource.Live {
		return resource.Live{ID: "x", Value: block(connectorTable, m)}
	}
	for _, row := range []struct {
		name   string
		config map[string]cty.Value
		live   resource.Live
		err    string
	}{
		{"inbound", inboundBlock(nil), resource.Live{}, ""},
		{"outbound", outboundBlock(nil), resource.Live{}, ""},
		{"inbound with smart hosts", inboundBlock(map[string]cty.Value{"smart_hosts": stringSet("a.example")}), resource.Live{}, "smart_hosts"},
		{"outbound with ranges", outboundBlock(map[string]cty.Value{"sender_ip_ranges": stringSet("192.0.2.1")}), resource.Live{}, "sender_ip_ranges"},
		{"outbound with filtering", outboundBlock(map[string]cty.Value{"enhanced_filtering.skip_last_ip": cty.True}), resource.Live{}, "enhanced_filtering"},
		{"no sender domains", inboundBlock(map[string]cty.Value{"sender_domains": stringSet()}), resource.Live{}, "at least one domain"},
		{"lock-down without ranges", inboundBlock(map[string]cty.Value{"sender_ip_ranges": stringSet(), "restrict_to_ip_ranges": cty.True}), resource.Live{}, "all mail would be refused"},
		{"emptied under a lock-down", inboundBlock(map[string]cty.Value{"sender_ip_ranges": stringSet()}), exists(inboundBlock(map[string]cty.Value{"restrict_to_ip_ranges": cty.True})), "all mail would be refused"},
		{"emptied without one", inboundBlock(map[string]cty.Value{"sender_ip_ranges": stringSet()}), exists(inboundBlock(map[string]cty.Value{"restrict_to_ip_ranges": cty.False})), ""},
		{"no smart host", outboundBlock(map[string]cty.Value{"smart_hosts": stringSet()}), resource.Live{}, "nowhere to go"},
		{"no smart host, MX", outboundBlock(map[string]cty.Value{"smart_hosts": stringSet(), "use_mx_record": cty.True}), resource.Live{}, ""},
		{"TLS domain without validation", outboundBlock(map[string]cty.Value{"tls_domain": str("*.a.example")}), resource.Live{}, "tls_domain"},
		{"validation without TLS domain", outboundBlock(map[string]cty.Value{"tls": str("domain_validation")}), resource.Live{}, "tls_domain"},
		{"validation, TLS domain to come", outboundBlock(map[string]cty.Value{"tls": str("domain_validation"), "tls_domain": cty.UnknownVal(cty.String)}), resource.Live{}, ""},
		{"validation, TLS domain as it is", outboundBlock(map[string]cty.Value{"tls": str("domain_validation")}), exists(outboundBlock(map[string]cty.Value{"tls": str("domain_validation"), "tls_domain": str("*.a.example"), "use_mx_record": cty.True})), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, _, err := s.plan(connectorType(), row.config, row.live, cty.NilVal, nil)
			if row.err == "" && err != nil || row.err != "" && (!errors.Is(err, resource.ErrInvalid) || !strings.Contains(err.Error(), row.err)) {
				t.Errorf("%v, want %q", err, row.err)
			}
		})
	}
	s.conn.Tenant.Stack = "au1"
	for name, config := range map[string]map[string]cty.Value{"inbound": inboundBlock(nil), "outbound": outboundBlock(nil)} {
		if _, _, err := s.plan(connectorType(), config, resource.Live{}, cty.NilVal, nil); !errors.Is(err, resource.ErrInvalid) {
			t.Errorf("%s on an unknown stack: %v", name, err)
		}
	}
	if _, _, err := s.plan(connectorType(), inboundBlock(map[string]cty.Value{"sender_ip_ranges": stringSet("192.0.2.1")}), resource.Live{}, cty.NilVal, nil); err != nil {
		t.Errorf("written ranges on an unknown stack: %v", err)
	}
}

func TestOutboundWaitsForSPF(t *testing.T) {
	s := newService(t)
	yes, no := true, false
	fact := func(spf, mx *bool) resource.DomainFacts { return resource.DomainFacts{SPFReady: spf, MXAtGateway: mx} }
	const domain = "contoso.example"
	for _, row := range []struct {
		name    string
		mail    resource.MailFacts
		more    map[string]cty.Value
		live    map[string]cty.Value
		enabled bool
		waits   []string
		reasons int
	}{
		{name: "ready", mail: resource.MailFacts{domain: fact(&yes, &yes)}, enabled: true},
		{name: "ready before the MX", mail: resource.MailFacts{domain: fact(&yes, &no)}, enabled: true},
		{name: "not ready", mail: resource.MailFacts{domain: fact(&no, &yes)}, waits: []string{domain}},
		{name: "unknown", mail: resource.MailFacts{domain: fact(nil, &yes)}, waits: []string{domain}},
		{name: "not looked up", mail: nil, waits: []string{domain}},
		{name: "another relayed", mail: resource.MailFacts{domain: fact(&yes, &yes), "b.example": fact(&no, &yes)}, waits: []string{"b.example"}},
		{name: "another, unknown", mail: resource.MailFacts{domain: fact(&yes, &yes), "b.example": fact(&no, nil)}, waits: []string{"b.example"}},
		{name: "another, not relayed", mail: resource.MailFacts{domain: fact(&yes, &yes), "b.example": fact(&no, &no)}, enabled: true, reasons: 1},
		{name: "Microsoft's own", mail: resource.MailFacts{domain: fact(&yes, &yes), "contoso.onmicrosoft.com": fact(&no, &no)}, enabled: true},
		{name: "told not to wait", mail: nil, more: map[string]cty.Value{"wait_for_spf": cty.False}, enabled: true},
		{name: "not to be enabled", mail: nil, more: map[string]cty.Value{"enabled": cty.False}},
		{name: "enabled already", mail: nil, live: map[string]cty.Value{"enabled": cty.True}, enabled: true},
		{name: "disabled so far", mail: nil, live: map[string]cty.Value{"enabled": cty.False}, waits: []string{domain}},
	} {
		t.Run(row.name, func(t *testing.T) {
			live := resource.Live{}
			if row.live != nil {
				live = resource.Live{ID: "x", Value: block(connectorTable, outboundBlock(row.live))}
			}
			req, paths, err := s.plan(connectorType(), outboundBlock(with(map[string]cty.Value{"enabled": cty.True}, row.more)), live, cty.NilVal, row.mail)
			if err != nil {
				t.Fatal(err)
			}
			if on, _ := resource.Flag(req.Planned, "enabled"); on != row.enabled || len(req.Reasons) != row.reasons {
				t.Errorf("enabled %v, reasons %q", on, req.Reasons)
			}
			if row.live != nil && slices.Contains(paths, "enabled") {
				t.Error("a wait is a change")
			}
			if len(req.Waits) != len(row.waits) {
				t.Fatalf("waits %q, want %q", req.Waits, row.waits)
			}
			for i, w := range row.waits {
				for _, part := range []string{w, "R60", "include:_spf-us.ppe-hosted.com", "weir apply"} {
					if !strings.Contains(req.Waits[i], part) {
						t.Errorf("%q does not say %q", req.Waits[i], part)
					}
				}
			}
		})
	}
}

func TestConnectorGuard(t *testing.T) {
	yes, no := true, false
	open, locked := inboundBlock(map[string]cty.Value{"restrict_to_ip_ranges": cty.False, "enabled": cty.True}), inboundBlock(map[string]cty.Value{"restrict_to_ip_ranges": cty.True, "enabled": cty.True})
	off := inboundBlock(map[string]cty.Value{"restrict_to_ip_ranges": cty.True, "enabled": cty.False})
	unknown := inboundBlock(map[string]cty.Value{"restrict_to_ip_ranges": cty.UnknownVal(cty.Bool)})
	premises := inboundBlock(map[string]cty.Value{"connector_type": cty.StringVal("OnPremises")})
	mail := func(at *bool) resource.MailFacts {
		return resource.MailFacts{"contoso.example": {MXAtGateway: at}, "contoso.onmicrosoft.com": {MXAtGateway: &no}}
	}
	for _, row := range []struct {
		name, action  string
		planned, live map[string]cty.Value
		mail          resource.MailFacts
		held          int
	}{
		{"lock, MX here", "update", locked, open, mail(&yes), 0},
		{"lock, MX elsewhere", "update", locked, open, mail(&no), 1},
		{"lock, MX unknown", "update", locked, open, mail(nil), 1},
		{"lock, nothing known", "update", locked, open, nil, 1},
		{"create locked, MX elsewhere", "create", locked, nil, mail(&no), 1},
		{"create locked, MX here", "create", locked, nil, mail(&yes), 0},
		{"create open", "create", open, nil, mail(&no), 0},
		{"locked already", "update", locked, locked, mail(&no), 0},
		{"turned on", "update", locked, off, mail(&no), 1},
		{"locked but off", "update", off, open, mail(&no), 0},
		{"perhaps", "update", unknown, open, mail(&no), 1},
		{"unlock", "update", open, locked, mail(&no), 0},
		{"delete", "delete", nil, locked, mail(&no), 0},
		{"outbound", "update", outboundBlock(nil), outboundBlock(nil), mail(&no), 0},
		{"on premises", "update", open, premises, mail(&yes), 1},
		{"delete on premises", "delete", nil, premises, mail(&yes), 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			value := func(m map[string]cty.Value) cty.Value {
				if m == nil {
					return cty.NullVal(connectorType().Object())
				}
				return block(connectorTable, m)
			}
			got := guardConnector(&resource.GuardRequest{Action: row.action, Planned: value(row.planned), Live: value(row.live), Mail: row.mail})
			if len(got) != row.held {
				t.Errorf("held for %q, want %d reasons", got, row.held)
			}
		})
	}
}

func TestExpand(t *testing.T) {
	for _, row := range []struct {
		in   string
		n    int
		last string
	}{
		{"148.163.128.0/19", 32, "148.163.159.0/24"},
		{"185.183.28.0/22", 4, "185.183.31.0/24"},
		{"10.1.0.0/16", 256, "10.1.255.0/24"},
		{"203.0.113.9/32", 1, "203.0.113.9"},
		{"203.0.113.9/24", 1, "203.0.113.0/24"},
		{"203.0.113.0/25", 1, "203.0.113.0/25"},
		{"10.0.0.0/8", 1, "10.0.0.0/8"},
		{"2001:DB8::/32", 1, "2001:db8::/32"},
		{"hello", 1, "hello"},
	} {
		got := expand([]string{row.in, row.in})
		if len(got) != row.n || got[len(got)-1] != row.last {
			t.Errorf("%s: %q", row.in, got)
		}
	}
	for _, row := range []struct {
		in   string
		good bool
	}{{"192.0.2.1", true}, {"148.163.128.0/19", true}, {"10.0.0.0/8", false}, {"2001:db8::1", false}, {"192.0.2.1-192.0.2.9", false}, {"x", false}} {
		if err := checkConnectorNetworks(stringSet(row.in)); (err == nil) != row.good {
			t.Errorf("connector with %s: %v", row.in, err)
		}
	}
	for _, row := range []struct {
		in   string
		good bool
	}{{"192.0.2.1", true}, {"10.0.0.0/8", true}, {"192.0.2.1-192.0.2.9", true}, {"192.0.2.9-192.0.2.1", false}, {"192.0.2.1-", false}, {"2001:db8::/32", true}} {
		if err := checkNetworks(stringSet(row.in)); (err == nil) != row.good {
			t.Errorf("networks with %s: %v", row.in, err)
		}
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("148.163.128.0/19")
	f.Add("::ffff:1.2.3.4/120")
	f.Fuzz(func(t *testing.T, s string) {
		once := expand([]string{s})
		if twice := expand(once); !slices.Equal(once, twice) {
			t.Errorf("%q: %q, then %q", s, once, twice)
		}
		_ = checkNetworks(stringSet(strings.ToValidUTF8(s, "")))
	})
}
