package exchange

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/vendordata"
)

const (
	inbound  = "inbound"
	outbound = "outbound"
	// gatewayHosts is where the vendor's smart hosts and certificates are.
	gatewayHosts = ".ppe-hosted.com"
	// settle is how long reads may show the value before a write; that they lag is seen in clients, how long inferred.
	settle = 5 * time.Minute
)

// connectorNames are the names that the vendor's own integration gives (vendor page "Microsoft 365 Integration Guide").
var connectorNames = map[string]string{
	inbound: "Inbound Connector for Proofpoint Essentials", outbound: "Outbound Connector for Proofpoint Essentials",
}

var tlsNames = names{{"encryption_only", "EncryptionOnly"}, {"certificate_validation", "CertificateValidation"}, {"domain_validation", "DomainValidation"}}

// connectorTable describes a connector of either direction.
var connectorTable = connectorAttributes()

func connectorAttributes() []resource.Attribute {
	set := cty.Set(cty.String)
	return []resource.Attribute{
		{Name: "direction", Type: cty.String, Required: true, Immutable: true, Enum: []string{inbound, outbound},
			Description: "Whether the connector takes mail from the gateway or hands mail to it.", Normalize: resource.FoldCase},
		{Name: "name", Type: cty.String, Optional: true, Validate: checkName, Label: "Name",
			Description: "Name of the connector; left out, an existing one keeps its own and a new one gets that of the vendor's integration.", Permission: permission, Source: outboundDocs},
		{Name: "enabled", Type: cty.Bool, Optional: true, Waits: true, Label: "Status", Permission: permission, Source: inboundDocs,
			Description: "Whether mail uses the connector; a new outbound connector is off unless written, and is turned on only once SPF is ready (R60)."},
		{Name: "comment", Type: cty.String, Optional: true, Label: "Description", Normalize: comment, Permission: permission, Source: inboundDocs,
			Description: "Text for administrators."},
		{Name: "sender_domains", Type: set, Optional: true, Validate: checkDomainSpaces, Normalize: resource.SMTPPrefixSet, Permission: permission, Source: inboundDocs,
			Description: "Inbound: the sender domains that the connector is for; a new connector is for all of them."},
		{Name: "recipient_domains", Type: set, Optional: true, Validate: checkDomainSpaces, Normalize: resource.HostSet, Permission: permission, Source: outboundDocs,
			Description: "Outbound: the recipient domains that the connector is for; a new connector is for all of them."},
		{Name: "sender_ip_ranges", Type: set, Optional: true, Validate: checkConnectorNetworks, Normalize: connectorNetworks, Permission: permission, Source: inboundDocs,
			Description: "Inbound: the addresses that mail comes from; left out, the gateway's delivery ranges."},
		{Name: "restrict_to_ip_ranges", Type: cty.Bool, Optional: true, Permission: permission, Source: inboundDocs,
			Label:       "Reject email messages if they aren't sent from within this IP address range",
			Description: "Inbound: whether mail from elsewhere is refused, which locks the tenant down to the gateway; a new connector refuses nothing unless written."},
		{Name: "require_tls", Type: cty.Bool, Optional: true, Label: "Reject email messages if they aren't sent over TLS", Permission: permission, Source: inboundDocs,
			Description: "Inbound: whether mail must come over TLS; a new connector requires it."},
		{Name: "smart_hosts", Type: set, Optional: true, Normalize: resource.HostSet, Label: "Route email through these smart hosts", Permission: permission, Source: outboundDocs,
			Description: "Outbound: the hosts that mail is handed to; for a new connector the gateway's smart host."},
		{Name: "use_mx_record", Type: cty.Bool, Optional: true, Label: "Use the MX record associated with the partner's domain", Permission: permission, Source: outboundDocs,
			Description: "Outbound: whether mail goes to the recipient domain's own MX instead; a new connector uses the smart hosts."},
		{Name: "tls", Type: cty.String, Optional: true, Enum: tlsNames.words(), Normalize: resource.Chain("TLS setting", resource.FoldCase.Source, resource.FoldCase, resource.EmptyIsNull),
			Permission: permission, Source: outboundDocs, Description: "Outbound: how the smart host must prove itself; for a new connector with a certificate of a trusted authority."},
		{Name: "tls_domain", Type: cty.String, Optional: true, Normalize: resource.Host, Permission: permission, Source: outboundDocs,
			Description: "Outbound: the name in the smart host's certificate, with tls = \"domain_validation\"."},
		{Name: "enhanced_filtering", Optional: true, Block: true, Description: "Inbound: enhanced filtering, which judges the address that mail had before the gateway.",
			Nested: []resource.Attribute{
				{Name: "skip_last_ip", Type: cty.Bool, Optional: true, Permission: permission, Source: inboundDocs + " (EFSkipLastIP)",
					Description: "Skip only the last hop, whatever its address."},
				{Name: "skip_ip_ranges", Type: set, Optional: true, Validate: checkNetworks, Normalize: resource.CIDRSet, Permission: permission, Source: inboundDocs + " (EFSkipIPs)",
					Description: "Skip these addresses; used while skip_last_ip is false."},
			}},
		{Name: "wait_for_spf", Type: cty.Bool, Optional: true, Local: true, Default: cty.True,
			Description: "Outbound: turn the connector on only once the SPF records include the gateway (R60)."},
		{Name: "connector_type", Type: cty.String, Computed: true, Source: inboundDocs,
			Description: "Partner or OnPremises; Weir makes and changes partner connectors only, since an OnPremises one locks nothing down and is trusted."},
		{Name: "rule_scoped", Type: cty.Bool, Computed: true, Source: outboundDocs, Description: "Whether only mail flow rules use the connector, or it is a test."},
		{Name: "certificate_name", Type: cty.String, Computed: true, Source: inboundDocs + " (TlsSenderCertificateName)",
			Description: "Inbound: the certificate name by which senders are recognised, when a person set one."},
	}
}

// connectorType is a connector of Exchange Online, inbound or outbound.
func connectorType() *resource.Type {
	return &resource.Type{
		Name: "m365_connector", Provider: "microsoft", Attributes: connectorTable, After: []string{"tenant", "domain", "sync_policy", "exemption", "account"},
		Purpose: "A connector of Exchange Online between the tenant and the gateway, inbound or outbound.",
		Settle:  settle,
		Guard:   guardConnector,
		Adoption: "by what it does: an inbound connector by the addresses or the certificate of the gateway, an outbound one by its smart host; " +
			"a connector of the block's name counts too, an OnPremises one never does. Without name in the block it keeps its own",
		Match:     matchConnector,
		Customize: customizeConnector,
		List:      listConnectors,
		Read:      readConnector,
		Create:    createConnector,
		Update:    updateConnector,
		Delete:    deleteConnector,
	}
}

// inboundOnly and outboundOnly are the arguments that the other direction does not have.
var (
	inboundOnly  = []string{"sender_domains", "sender_ip_ranges", "restrict_to_ip_ranges", "require_tls", "enhanced_filtering"}
	outboundOnly = []string{"recipient_domains", "smart_hosts", "use_mx_record", "tls", "tls_domain"}
)

var inboundProperties = []property{
	{path: "name", parameter: "Name"}, {path: "enabled", parameter: "Enabled"}, {path: "comment", parameter: "Comment"},
	{path: "sender_domains", parameter: "SenderDomains", delta: true, canonical: resource.SMTPPrefixSet},
	{path: "sender_ip_ranges", parameter: "SenderIPAddresses", delta: true, canonical: connectorNetworks},
	{path: "restrict_to_ip_ranges", parameter: "RestrictDomainsToIPAddresses"}, {path: "require_tls", parameter: "RequireTls"},
	{path: "enhanced_filtering.skip_last_ip", parameter: "EFSkipLastIP"},
	{path: "enhanced_filtering.skip_ip_ranges", parameter: "EFSkipIPs", delta: true, canonical: resource.CIDRSet},
}

var outboundProperties = []property{
	{path: "name", parameter: "Name"}, {path: "enabled", parameter: "Enabled"}, {path: "comment", parameter: "Comment"},
	{path: "recipient_domains", parameter: "RecipientDomains", delta: true, canonical: resource.HostSet},
	{path: "smart_hosts", parameter: "SmartHosts", delta: true, canonical: resource.HostSet}, {path: "use_mx_record", parameter: "UseMXRecord"},
	{path: "tls", parameter: "TlsSettings", encode: tlsNames.wire}, {path: "tls_domain", parameter: "TlsDomain", encode: hostName},
}

// hostName is a host name as it is sent: null when empty.
func hostName(v cty.Value) (any, error) {
	if v = resource.Host.Apply(v); v.IsNull() {
		return nil, nil
	}
	return v.AsString(), nil
}

func inboundLive(r row) (resource.Live, error) {
	f := fields{row: r, err: r.need("Guid", "Name", "Enabled", "SenderDomains", "SenderIPAddresses", "RestrictDomainsToIPAddresses", "RequireTls")}
	var domains []string
	for _, d := range f.list("SenderDomains") {
		domains = append(domains, resource.SMTPPrefix.Apply(cty.StringVal(d)).AsString())
	}
	value := resource.Null(connectorTable)
	value["direction"] = cty.StringVal(inbound)
	value["name"] = textValue(f.text("Name"))
	value["enabled"] = cty.BoolVal(f.flag("Enabled"))
	value["comment"] = textValue(f.text("Comment"))
	value["sender_domains"] = resource.StringSet(domains)
	value["sender_ip_ranges"] = resource.StringSet(f.list("SenderIPAddresses"))
	value["restrict_to_ip_ranges"] = cty.BoolVal(f.flag("RestrictDomainsToIPAddresses"))
	value["require_tls"] = cty.BoolVal(f.flag("RequireTls"))
	value["enhanced_filtering"] = cty.ObjectVal(map[string]cty.Value{
		"skip_last_ip": cty.BoolVal(f.flag("EFSkipLastIP")), "skip_ip_ranges": resource.StringSet(f.list("EFSkipIPs")),
	})
	value["connector_type"] = textValue(f.text("ConnectorType"))
	value["rule_scoped"] = cty.False
	if f.flag("RestrictDomainsToCertificate") {
		value["certificate_name"] = textValue(f.text("TlsSenderCertificateName"))
	}
	return live(&f, inbound+":", value)
}

func outboundLive(r row) (resource.Live, error) {
	f := fields{row: r, err: r.need("Guid", "Name", "Enabled", "RecipientDomains", "SmartHosts", "UseMXRecord")}
	value := resource.Null(connectorTable)
	value["direction"] = cty.StringVal(outbound)
	value["name"] = textValue(f.text("Name"))
	value["enabled"] = cty.BoolVal(f.flag("Enabled"))
	value["comment"] = textValue(f.text("Comment"))
	value["recipient_domains"] = resource.StringSet(f.list("RecipientDomains"))
	value["smart_hosts"] = resource.StringSet(f.list("SmartHosts"))
	value["use_mx_record"] = cty.BoolVal(f.flag("UseMXRecord"))
	value["tls"] = tlsNames.value(f.text("TlsSettings"))
	value["tls_domain"] = textValue(f.text("TlsDomain"))
	value["connector_type"] = textValue(f.text("ConnectorType"))
	value["rule_scoped"] = cty.BoolVal(f.flag("IsTransportRuleScoped") || f.flag("TestMode"))
	return live(&f, outbound+":", value)
}

// live finishes an object that was read.
func live(f *fields, idPrefix string, value map[string]cty.Value) (resource.Live, error) {
	id, name := strings.ToLower(f.text("Guid")), f.text("Name")
	if f.err == nil && (id == "" || name == "") {
		f.err = fmt.Errorf("an object came without Guid or Name")
	}
	return resource.Live{ID: resource.ObjectID(idPrefix + id), Name: name, Value: cty.ObjectVal(value)}, f.err
}

// decodeAll makes objects of rows.
func decodeAll(q *call, rows []row, decode func(row) (resource.Live, error)) ([]resource.Live, error) {
	out := make([]resource.Live, 0, len(rows))
	for _, r := range rows {
		l, err := decode(r)
		if err != nil {
			return nil, unreadable(q, err.Error())
		}
		out = append(out, l)
	}
	return out, nil
}

// listConnectors reads both directions whole. A Get- with an unknown Identity may return every object (Microsoft), so
// nothing is ever asked for by identity.
func listConnectors(ctx context.Context, conn *resource.Conn) ([]resource.Live, error) {
	c, err := resource.Client[*Client](conn)
	if err != nil {
		return nil, err
	}
	in, err := c.connectors(ctx, inbound)
	if err != nil {
		return nil, err
	}
	out, err := c.connectors(ctx, outbound)
	if err != nil {
		return nil, err
	}
	return append(in, out...), nil
}

func (c *Client) connectors(ctx context.Context, direction string) ([]resource.Live, error) {
	if direction == inbound {
		q := &call{op: "list inbound connectors", subject: c.tenant, cmdlet: "Get-InboundConnector"}
		out, err := c.invoke(ctx, q)
		if err != nil {
			return nil, err
		}
		return decodeAll(q, out.rows, inboundLive)
	}
	// Rule-scoped and test connectors are left out by default, the reference says; a live call returned them all the
	// same. Both halves together are complete either way.
	var all []resource.Live
	seen := map[resource.ObjectID]bool{}
	for _, scoped := range []bool{false, true} {
		q := &call{op: "list outbound connectors", subject: c.tenant, cmdlet: "Get-OutboundConnector",
			parameters: map[string]any{"IncludeTestModeConnectors": true, "IsTransportRuleScoped": scoped}}
		out, err := c.invoke(ctx, q)
		if err != nil {
			return nil, err
		}
		part, err := decodeAll(q, out.rows, outboundLive)
		if err != nil {
			return nil, err
		}
		for _, l := range part {
			if !seen[l.ID] {
				seen[l.ID] = true
				all = append(all, l)
			}
		}
	}
	return all, nil
}

func directionOf(id resource.ObjectID) (direction, guid string, err error) {
	direction, guid, ok := strings.Cut(string(id), ":")
	if !ok || direction != inbound && direction != outbound || guid == "" {
		return "", "", fmt.Errorf("connector id %q is not inbound:GUID or outbound:GUID", id)
	}
	return direction, guid, nil
}

func readConnector(ctx context.Context, conn *resource.Conn, id resource.ObjectID) (resource.Live, error) {
	c, err := resource.Client[*Client](conn)
	if err != nil {
		return resource.Live{}, err
	}
	direction, _, err := directionOf(id)
	if err != nil {
		return resource.Live{}, err
	}
	all, err := c.connectors(ctx, direction)
	if err != nil {
		return resource.Live{}, err
	}
	return pick(all, id, "read connector")
}

// pick finds an object in a complete list.
func pick(all []resource.Live, id resource.ObjectID, op string) (resource.Live, error) {
	for _, l := range all {
		if strings.EqualFold(string(l.ID), string(id)) {
			return l, nil
		}
	}
	return resource.Live{}, &resource.Error{Op: op, Subject: string(id), Kind: resource.ErrAbsent}
}

// named finds an object by name; names differ by more than case (Microsoft: unique).
func named(all []resource.Live, name string) (resource.Live, bool) {
	for _, l := range all {
		if strings.EqualFold(strings.TrimSpace(l.Name), strings.TrimSpace(name)) {
			return l, true
		}
	}
	return resource.Live{}, false
}

// createConnector makes a connector. A create whose answer was lost leaves a connector with the planned name and
// behaviour: the next plan finds it by Match, and a create that is sent again meets the name and ends in a conflict.
func createConnector(ctx context.Context, conn *resource.Conn, change *resource.Change) (resource.Live, error) {
	c, err := resource.Client[*Client](conn)
	if err != nil {
		return resource.Live{}, err
	}
	direction, name := folded(resource.Text(change.Planned, "direction")), resource.Text(change.Planned, "name")
	noun, properties, decode := "InboundConnector", inboundProperties, inboundLive
	if direction == outbound {
		noun, properties, decode = "OutboundConnector", outboundProperties, outboundLive
	}
	op := "create " + direction + " connector"
	parameters, err := forNew(properties, change.Planned)
	if err != nil {
		return resource.Live{}, &resource.Error{Op: op, Subject: name, Kind: resource.ErrInvalid, Err: err}
	}
	parameters["ConnectorType"] = "Partner"
	if direction == inbound && parameters["RequireTls"] == nil {
		// What leaving it out means differs between editions of the reference.
		parameters["RequireTls"] = true
	}
	if direction == outbound && parameters["Enabled"] == nil {
		parameters["Enabled"] = false // R60
	}
	list := func() ([]resource.Live, error) { return c.connectors(ctx, direction) }
	return c.create(ctx, &call{op: op, subject: name, cmdlet: "New-" + noun, parameters: parameters}, list, decode)
}

// create makes sure that the name is free, makes the object and reads it back.
func (c *Client) create(ctx context.Context, q *call, list func() ([]resource.Live, error), decode func(row) (resource.Live, error)) (resource.Live, error) {
	before, err := list()
	if err != nil {
		return resource.Live{}, err
	}
	if found, taken := named(before, q.subject); taken {
		return resource.Live{}, &resource.Error{Op: q.op, Subject: q.subject, Kind: resource.ErrConflict,
			Detail: fmt.Sprintf("the name is that of %s, which exists", found.ID), Hint: "Plan again to adopt it, or write another name"}
	}
	out, err := c.invoke(ctx, q)
	if err != nil {
		return resource.Live{}, err
	}
	made, err := decodeAll(q, out.rows, decode)
	if err != nil {
		return resource.Live{}, err
	}
	after, err := list()
	if err != nil {
		if len(made) == 1 {
			return made[0], nil // the answer to the create shows the object too
		}
		return resource.Live{}, doubt(q, "it was made, and could not be read back", err)
	}
	if len(made) == 1 {
		if l, err := pick(after, made[0].ID, q.op); err == nil {
			return l, nil
		}
		return made[0], nil // reads lag behind writes
	}
	if l, ok := named(after, q.subject); ok {
		return l, nil
	}
	return resource.Live{}, doubt(q, "it was made, and is not listed yet", nil)
}

// doubt is the error of a change that was accepted and whose result nobody has seen.
func doubt(q *call, detail string, err error) error {
	return &resource.Error{Op: q.op, Subject: q.subject, Kind: resource.ErrAmbiguous, Detail: detail, Err: err, Hint: "Plan again"}
}

func updateConnector(ctx context.Context, conn *resource.Conn, change *resource.Change) (resource.Live, error) {
	c, err := resource.Client[*Client](conn)
	if err != nil {
		return resource.Live{}, err
	}
	direction, guid, err := directionOf(change.ID)
	if err != nil {
		return resource.Live{}, err
	}
	noun, properties := "InboundConnector", inboundProperties
	if direction == outbound {
		noun, properties = "OutboundConnector", outboundProperties
	}
	q := &call{op: "update " + direction + " connector", subject: subjectOf(change, guid), cmdlet: "Set-" + noun}
	if q.parameters, err = forSet(properties, change); err != nil {
		return resource.Live{}, &resource.Error{Op: q.op, Subject: q.subject, Kind: resource.ErrInvalid, Err: err}
	}
	if len(q.parameters) > 0 {
		if direction == inbound {
			withTLS(q.parameters, change)
		} else {
			withRoute(q.parameters, change)
		}
		q.parameters["Identity"], q.parameters["Confirm"] = guid, false
		if _, err := c.invoke(ctx, q); err != nil {
			return resource.Live{}, err
		}
	}
	return readConnector(ctx, conn, change.ID)
}

// subjectOf names the object of a change for messages.
func subjectOf(change *resource.Change, guid string) string {
	for _, v := range []cty.Value{change.Prior, change.Planned} {
		if name := resource.Text(v, "name"); name != "" {
			return name
		}
	}
	return guid
}

// withTLS sends RequireTls with every change of an inbound connector: editions of the reference differ about what
// leaving it out means.
func withTLS(parameters map[string]any, change *resource.Change) {
	if parameters["RequireTls"] != nil {
		return
	}
	for _, v := range []cty.Value{change.Planned, change.Prior} {
		if required, ok := resource.Flag(v, "require_tls"); ok {
			parameters["RequireTls"] = required
			return
		}
	}
}

// withRoute completes pairs of an outbound connector: smart hosts go in the same call as UseMXRecord false, and a TLS
// domain goes with domain validation only (Microsoft, Set-OutboundConnector).
func withRoute(parameters map[string]any, change *resource.Change) {
	if mx, ok := parameters["UseMXRecord"].(bool); ok && !mx && parameters["SmartHosts"] == nil {
		for _, v := range []cty.Value{change.Planned, change.Prior} {
			if hosts := words(resource.HostSet.Apply(resource.Get(v, "smart_hosts"))); len(hosts) > 0 {
				parameters["SmartHosts"] = hosts
				break
			}
		}
	}
	if tls, ok := parameters["TlsSettings"].(string); ok && tls != "DomainValidation" && resource.Text(change.Prior, "tls_domain") != "" {
		parameters["TlsDomain"] = nil
	}
	if domain, ok := parameters["TlsDomain"].(string); ok && domain != "" && parameters["TlsSettings"] == nil {
		parameters["TlsSettings"] = "DomainValidation"
	}
}

func deleteConnector(ctx context.Context, conn *resource.Conn, change *resource.Change) error {
	c, err := resource.Client[*Client](conn)
	if err != nil {
		return err
	}
	direction, guid, err := directionOf(change.ID)
	if err != nil {
		return err
	}
	noun := "InboundConnector"
	if direction == outbound {
		noun = "OutboundConnector"
	}
	return c.remove(ctx, &call{op: "delete " + direction + " connector", subject: subjectOf(change, guid), cmdlet: "Remove-" + noun,
		parameters: map[string]any{"Identity": guid, "Confirm": false}})
}

// remove deletes; an object already gone is success.
func (c *Client) remove(ctx context.Context, q *call) error {
	_, err := c.invoke(ctx, q)
	if isAbsent(err) {
		return nil
	}
	return err
}

// matchConnector recognises the gateway's connector by what it does: an inbound one by the addresses or certificate of
// the gateway, an outbound one by its smart host. A connector of the block's name counts too: so a create is found again
// whatever it does. An OnPremises connector never does.
func matchConnector(config, live cty.Value) bool {
	config, live = resource.Bare(config), resource.Bare(live)
	direction := folded(resource.Text(config, "direction"))
	if direction == "" || direction != folded(resource.Text(live, "direction")) || strings.EqualFold(resource.Text(live, "connector_type"), "OnPremises") {
		return false
	}
	name := resource.Text(config, "name")
	if name == "" {
		name = connectorNames[direction]
	}
	if strings.EqualFold(name, resource.Text(live, "name")) {
		return true
	}
	if direction == inbound {
		want := gatewayNetworks()
		if written := resource.Get(config, "sender_ip_ranges"); !written.IsNull() && written.IsWhollyKnown() {
			want = words(written)
		}
		return mostlyWithin(words(resource.Get(live, "sender_ip_ranges")), want) || isGateway(resource.Text(live, "certificate_name"))
	}
	if scoped, _ := resource.Flag(live, "rule_scoped"); scoped {
		return false
	}
	have := words(resource.Get(live, "smart_hosts"))
	if written := resource.Get(config, "smart_hosts"); !written.IsNull() && written.IsWhollyKnown() {
		want := words(resource.HostSet.Apply(written))
		return slices.ContainsFunc(words(resource.HostSet.Apply(resource.StringSet(have))), func(h string) bool { return slices.Contains(want, h) })
	}
	return slices.ContainsFunc(have, isGateway)
}

func isGateway(host string) bool {
	return strings.HasSuffix(strings.TrimSuffix(folded(host), "."), gatewayHosts)
}

// customizeConnector fills defaults. Those of a new connector are the vendor's integration's; a connector that exists
// keeps what it had when Weir last wrote or adopted it, so that adopting changes nothing that nobody wrote.
func customizeConnector(req *resource.PlanRequest) error {
	p := &connectorPlan{req: req, planned: resource.Bare(req.Planned), live: resource.Bare(req.Live), prior: resource.Bare(req.Prior)}
	p.direction = folded(resource.Text(p.planned, "direction"))
	if p.direction != inbound && p.direction != outbound {
		return nil // not known yet
	}
	p.name = resource.Text(p.planned, "name")
	if p.name == "" {
		p.name = resource.Text(p.live, "name")
	}
	if p.name == "" {
		p.name = connectorNames[p.direction]
	}
	foreign, other := outboundOnly, outbound
	if p.direction == outbound {
		foreign, other = inboundOnly, inbound
	}
	for _, path := range foreign {
		if !resource.Get(p.planned, path).IsNull() {
			return p.invalid(path, fmt.Sprintf("only an %s connector has it: the gateway is inbound, outbound or both, with a connector each (R55)", other), "Leave it out, or change direction")
		}
	}
	if p.live.IsNull() && resource.Get(p.planned, "name").IsNull() {
		p.set("name", cty.StringVal(p.name))
	}
	var err error
	if p.direction == inbound {
		err = p.inbound()
	} else {
		err = p.outbound()
	}
	req.Planned = p.planned
	return err
}

// connectorPlan is one plan of a connector.
type connectorPlan struct {
	req                  *resource.PlanRequest
	planned, live, prior cty.Value
	direction, name      string
}

func (p *connectorPlan) invalid(path, detail, hint string) error {
	return invalid("plan "+p.direction+" connector", p.name, path, detail, hint)
}

func (p *connectorPlan) set(path string, v cty.Value) {
	p.planned = resource.With(p.planned, path, v)
}

func (p *connectorPlan) unwritten(path string) bool { return resource.Get(p.planned, path).IsNull() }

// base is what the object had: as state remembers it, else as it is.
func (p *connectorPlan) base(path string) cty.Value {
	if !p.prior.IsNull() {
		return resource.Get(p.prior, path)
	}
	return resource.Get(p.live, path)
}

func (p *connectorPlan) exists() bool { return !p.prior.IsNull() || !p.live.IsNull() }

// fill plans what is not written: what the object had, or for a new one the default.
func (p *connectorPlan) fill(path string, otherwise cty.Value) {
	if !p.unwritten(path) {
		return
	}
	v := otherwise
	if p.exists() {
		v = p.base(path)
	}
	if !v.IsNull() {
		p.set(path, v)
	}
}

// initial plans what is not written of an object that is to be made; later it is not managed.
func (p *connectorPlan) initial(path string, v cty.Value) {
	if p.live.IsNull() && p.unwritten(path) {
		p.set(path, v)
	}
}

func (p *connectorPlan) vendor() (vendordata.Data, error) {
	d, err := vendordata.Lookup(p.req.Tenant.Stack, p.req.Tenant.VendorData)
	if err != nil {
		return d, p.invalid("", err.Error(), "Write sender_ip_ranges or smart_hosts, or give the essentials provider its stack")
	}
	return d, nil
}

func (p *connectorPlan) inbound() error {
	p.initial("enabled", cty.True)
	p.initial("restrict_to_ip_ranges", cty.False)
	p.fill("sender_domains", resource.StringSet([]string{"*"}))
	p.fill("require_tls", cty.True)
	if p.unwritten("sender_ip_ranges") {
		d, err := p.vendor()
		switch {
		case err == nil:
			p.set("sender_ip_ranges", resource.StringSet(p.ranges(d)))
		case p.exists() && len(words(p.base("sender_ip_ranges"))) > 0:
			p.set("sender_ip_ranges", p.base("sender_ip_ranges"))
		default:
			return err
		}
	} else if decided(p.planned, "sender_ip_ranges") {
		p.set("sender_ip_ranges", resource.StringSet(expand(words(resource.Get(p.planned, "sender_ip_ranges")))))
	}
	if decided(p.planned, "sender_domains") && len(words(resource.Get(p.planned, "sender_domains"))) == 0 {
		return p.invalid("sender_domains", "an inbound connector is for at least one domain", `Write ["*"] for all`)
	}
	restricts, ok := resource.Flag(p.planned, "restrict_to_ip_ranges")
	if !ok {
		restricts, _ = resource.Flag(p.live, "restrict_to_ip_ranges")
	}
	if restricts && decided(p.planned, "sender_ip_ranges") && len(words(resource.Get(p.planned, "sender_ip_ranges"))) == 0 {
		return p.invalid("restrict_to_ip_ranges", "without sender_ip_ranges all mail would be refused", "Write the addresses that mail comes from, or leave sender_ip_ranges out for the gateway's")
	}
	return nil
}

// ranges are the gateway's delivery ranges as a connector takes them, and behind them the addresses that the connector
// has for other senders. Ranges that the vendor gave up go once vendor_data has moved past them.
func (p *connectorPlan) ranges(d vendordata.Data) []string {
	out := expand(d.DeliveryRanges)
	ever := prefixes(known(p.req.Tenant.Stack))
	var extra []string
	for _, r := range words(p.base("sender_ip_ranges")) {
		if n, ok := prefix(r); !ok || !within(ever, n) {
			extra = append(extra, r)
		}
	}
	sort.Strings(extra)
	if len(extra) > 0 && p.prior.IsNull() {
		p.req.Reasons = append(p.req.Reasons, fmt.Sprintf("keeps the addresses of other senders, %s; write sender_ip_ranges to leave them out", strings.Join(extra, ", ")))
	}
	return expand(append(out, extra...))
}

func (p *connectorPlan) outbound() error {
	p.fill("recipient_domains", resource.StringSet([]string{"*"}))
	p.fill("use_mx_record", cty.False)
	if mx, ok := resource.Flag(p.planned, "use_mx_record"); ok && !mx && p.unwritten("smart_hosts") {
		if p.exists() && len(words(p.base("smart_hosts"))) > 0 {
			p.set("smart_hosts", p.base("smart_hosts"))
		} else {
			d, err := p.vendor()
			if err != nil {
				return err
			}
			p.set("smart_hosts", resource.StringSet([]string{d.SmartHost}))
		}
	}
	p.fill("tls", cty.StringVal("certificate_validation"))
	if mx, ok := resource.Flag(p.planned, "use_mx_record"); ok && !mx && decided(p.planned, "smart_hosts") && len(words(resource.Get(p.planned, "smart_hosts"))) == 0 {
		return p.invalid("smart_hosts", "without a smart host mail has nowhere to go", "Write one, leave smart_hosts out for the gateway's, or write use_mx_record = true")
	}
	tls, domain := folded(resource.Text(p.planned, "tls")), resource.Text(p.planned, "tls_domain")
	switch {
	case domain != "" && decided(p.planned, "tls") && tls != "domain_validation":
		return p.invalid("tls_domain", "it counts with domain validation only", `Write tls = "domain_validation", or leave tls_domain out`)
	case tls == "domain_validation" && domain == "" && (decided(p.planned, "tls_domain") || resource.Text(p.live, "tls_domain") == "" && p.unwritten("tls_domain")):
		return p.invalid("tls_domain", "domain validation needs the name in the certificate", `Write tls_domain = "*.ppe-hosted.com"`)
	}
	p.initial("enabled", cty.False)
	p.waitForSPF()
	return nil
}

// waitForSPF keeps the connector off while the gateway would send mail that its recipients refuse (R60).
func (p *connectorPlan) waitForSPF() {
	on, _ := resource.Flag(p.planned, "enabled")
	wait, said := resource.Flag(p.planned, "wait_for_spf")
	if was, _ := resource.Flag(p.live, "enabled"); !on || was || said && !wait {
		return
	}
	lacking, others := notReady(p.req.Mail, p.req.Tenant.PrimaryDomain)
	if len(lacking) == 0 {
		for _, domain := range others {
			p.req.Reasons = append(p.req.Reasons, fmt.Sprintf("mail from %s will leave through the gateway too, and its SPF record does not let it (R60)", domain))
		}
		return
	}
	p.set("enabled", cty.False)
	publish := "the gateway's include"
	if d, err := p.vendor(); err == nil {
		publish = "include:" + d.SPFInclude
	}
	for _, domain := range lacking {
		p.req.Waits = append(p.req.Waits, fmt.Sprintf("enabled waits for SPF (R60): publish %s in the one v=spf1 TXT record of %s%s; then run weir apply, or write wait_for_spf = false",
			publish, domain, problemOf(p.req.Mail, domain)))
	}
}

// notReady are the domains whose mail the gateway relays, or may relay for all that is known, and whose SPF is not
// known to let it send; others are those that it does not relay and whose SPF does not either. Sorted.
func notReady(mail resource.MailFacts, primary string) (lacking, others []string) {
	primary = folded(primary)
	domains := map[string]bool{primary: true}
	for d := range mail {
		domains[d] = true
	}
	for d := range domains {
		facts := mail[d]
		switch {
		case d == "" || microsoftOwn(d), facts.SPFReady != nil && *facts.SPFReady:
		case d != primary && facts.MXAtGateway != nil && !*facts.MXAtGateway:
			others = append(others, d)
		default:
			lacking = append(lacking, d)
		}
	}
	if len(domains) == 1 && domains[""] {
		lacking = append(lacking, "the tenant's domains")
	}
	sort.Strings(lacking)
	sort.Strings(others)
	return lacking, others
}

func problemOf(mail resource.MailFacts, domain string) string {
	facts, asked := mail[domain]
	switch {
	case !asked:
		return " (it was not looked up)"
	case facts.Problem != "":
		return " (" + clean(facts.Problem) + ")"
	case facts.SPFReady == nil:
		return " (it could not be looked up)"
	}
	return ""
}

// microsoftOwn are the domains that every tenant has from Microsoft: their records are not the tenant's to change.
func microsoftOwn(domain string) bool { return strings.Contains(domain, ".onmicrosoft.") }

// guardConnector holds what would refuse good mail: a lock-down while the mail of a domain does not come through the
// gateway, or may not for all that is known. It never lets an OnPremises connector be touched.
func guardConnector(req *resource.GuardRequest) []string {
	live, planned := resource.Bare(req.Live), resource.Bare(req.Planned)
	if strings.EqualFold(resource.Text(live, "connector_type"), "OnPremises") {
		return []string{"it is an OnPremises connector, which restricts nothing and is trusted like the tenant's own servers; Weir changes partner connectors only"}
	}
	if req.Action == "delete" || planned.IsNull() || folded(resource.Text(planned, "direction")) == outbound || !locks(planned) || locks(live) {
		return nil
	}
	var domains, reasons []string
	for d := range req.Mail {
		if !microsoftOwn(d) {
			domains = append(domains, d)
		}
	}
	if len(domains) == 0 {
		return []string{"restrict_to_ip_ranges refuses mail that does not come through the gateway, and it is not known where the MX records of the tenant's domains point"}
	}
	sort.Strings(domains)
	for _, d := range domains {
		switch at := req.Mail[d].MXAtGateway; {
		case at == nil:
			reasons = append(reasons, fmt.Sprintf("restrict_to_ip_ranges refuses mail that does not come through the gateway, and it is not known where the MX records of %s point", d))
		case !*at:
			reasons = append(reasons, fmt.Sprintf("restrict_to_ip_ranges refuses mail that does not come through the gateway, and the MX records of %s do not point at it", d))
		}
	}
	return reasons
}

// locks reports whether a connector refuses mail, or may once its values are known.
func locks(v cty.Value) bool {
	if v.IsNull() {
		return false
	}
	restrict, enabled := resource.Get(v, "restrict_to_ip_ranges"), resource.Get(v, "enabled")
	return !restrict.IsNull() && (!restrict.IsKnown() || restrict.True()) && (enabled.IsNull() || !enabled.IsKnown() || enabled.True())
}
