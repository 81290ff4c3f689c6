package exchange

import (
	"context"
	"fmt"
	"regexp"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// ruleName is the name that the vendor's own integration gives its rule (vendor page "Microsoft 365 Integration Guide").
const ruleName = "Bypass Spam Filtering for Proofpoint Essentials"

var (
	modeNames  = names{{"enforce", "Enforce"}, {"audit", "Audit"}, {"audit_and_notify", "AuditAndNotify"}}
	scopeNames = names{{"in_organization", "InOrganization"}, {"not_in_organization", "NotInOrganization"}}
	// Codes that a rule may refuse with (Microsoft, New-TransportRule -RejectMessageEnhancedStatusCode).
	statusCode = regexp.MustCompile(`^5\.7\.(1|9[0-9][0-9])$`)
)

// ruleTable describes a mail flow rule.
var ruleTable = ruleAttributes()

func ruleAttributes() []resource.Attribute {
	set := cty.Set(cty.String)
	word := resource.Chain("name of a setting", resource.FoldCase.Source, resource.FoldCase, resource.EmptyIsNull)
	ranges := func(description string) resource.Attribute {
		return resource.Attribute{Name: "sender_ip_ranges", Type: set, Optional: true, Validate: checkNetworks, Normalize: resource.CIDRSet,
			Label: "Sender IP address is in any of these ranges", Description: description, Permission: permission, Source: ruleDocs}
	}
	domains := func(name, label, description string) resource.Attribute {
		return resource.Attribute{Name: name, Type: set, Optional: true, Validate: checkDomains, Normalize: resource.HostSet,
			Label: label, Description: description, Permission: permission, Source: ruleDocs}
	}
	return []resource.Attribute{
		{Name: "name", Type: cty.String, Optional: true, Validate: checkName, Label: "Name", Permission: permission, Source: ruleDocs,
			Description: "Name of the rule; left out, an existing one keeps its own and a new bypass rule gets that of the vendor's integration."},
		{Name: "enabled", Type: cty.Bool, Optional: true, Label: "Status", Permission: permission, Source: ruleDocs + "; read from State",
			Description: "Whether the rule is on; a new one is."},
		{Name: "mode", Type: cty.String, Optional: true, Enum: modeNames.words(), Normalize: word, Label: "Rule mode", Permission: permission, Source: ruleDocs,
			Description: "Whether the rule acts or is only tried out; a new one acts."},
		{Name: "priority", Type: cty.Number, Optional: true, Validate: between(0, 1<<20), Label: "Priority", Permission: permission, Source: ruleDocs,
			Description: "Place among all rules of the tenant, counted from 0; left out, a new rule is the last and an existing one stays where it is."},
		{Name: "comments", Type: cty.String, Optional: true, Label: "Comments", Normalize: comment, Permission: permission, Source: ruleDocs,
			Description: "Text for administrators."},
		ranges("The rule is for mail whose last hop has one of these addresses."),
		{Name: "from_scope", Type: cty.String, Optional: true, Enum: scopeNames.words(), Normalize: word, Label: "The sender is located", Permission: permission, Source: ruleDocs,
			Description: "The rule is for mail from inside or from outside the organization."},
		domains("sender_domains", "The sender's domain is", "The rule is for mail from these domains and those below them."),
		domains("recipient_domains", "The recipient's domain is", "The rule is for mail to these domains and those below them."),
		{Name: "set_scl", Type: cty.Number, Optional: true, Validate: between(-1, 9), Label: "Set the spam confidence level (SCL)", Permission: permission, Source: ruleDocs,
			Description: "Spam confidence level to give the mail; -1 asks to bypass most spam filtering."},
		{Name: "set_header", Optional: true, Block: true, Description: "A header to set.", Nested: []resource.Attribute{
			{Name: "name", Type: cty.String, Required: true, Normalize: resource.FoldCase, Description: "Name of the header.", Permission: permission, Source: ruleDocs + " (SetHeaderName)"},
			{Name: "value", Type: cty.String, Required: true, Description: "Value of the header.", Permission: permission, Source: ruleDocs + " (SetHeaderValue)"},
		}},
		{Name: "reject", Optional: true, Block: true, Description: "Refuse the mail.", Nested: []resource.Attribute{
			{Name: "reason", Type: cty.String, Required: true, Description: "Text for the sender.", Permission: permission, Source: ruleDocs + " (RejectMessageReasonText)"},
			{Name: "code", Type: cty.String, Optional: true, Pattern: statusCode, PatternHelp: "5.7.1, or 5.7.900 to 5.7.999", Normalize: resource.EmptyIsNull,
				Description: "Enhanced status code for the sender's server.", Permission: permission, Source: ruleDocs + " (RejectMessageEnhancedStatusCode)"},
		}},
		{Name: "stop_processing", Type: cty.Bool, Optional: true, Label: "Stop processing more rules", Permission: permission, Source: ruleDocs,
			Description: "Whether rules behind this one leave the mail alone."},
		{Name: "except", Optional: true, Block: true, Description: "Mail that the rule is not for.", Nested: []resource.Attribute{
			ranges("Not for mail whose last hop has one of these addresses."),
			{Name: "from_scope", Type: cty.String, Optional: true, Enum: scopeNames.words(), Normalize: word, Permission: permission, Source: ruleDocs,
				Description: "Not for mail from inside, or from outside, the organization."},
			domains("sender_domains", "", "Not for mail from these domains."),
			domains("recipient_domains", "", "Not for mail to these domains."),
		}},
	}
}

// ruleType is a mail flow rule. Retired data-loss parameters, which rules still show, are neither read nor written.
func ruleType() *resource.Type {
	return &resource.Type{
		Name: "mail_flow_rule", Provider: "microsoft", Attributes: ruleTable, After: []string{"tenant", "domain", "sync_policy", "exemption", "account", "m365_connector"},
		Purpose: "A mail flow rule (transport rule) of Exchange Online.",
		Serial:  true,
		Settle:  settle,
		Adoption: "by what it does, when it bypasses spam filtering (SCL -1) for the addresses of the block or of the gateway; a rule of the block's name counts too. " +
			"Without name in the block it keeps its own",
		Match:     matchRule,
		Customize: customizeRule,
		List:      listRules,
		Read:      readRule,
		Create:    createRule,
		Update:    updateRule,
		Delete:    deleteRule,
	}
}

// ruleProperties leave out enabled, which is written by cmdlets of its own.
var ruleProperties = []property{
	{path: "name", parameter: "Name"}, {path: "mode", parameter: "Mode", encode: modeNames.wire},
	{path: "priority", parameter: "Priority"}, {path: "comments", parameter: "Comments"},
	{path: "sender_ip_ranges", parameter: "SenderIpRanges", canonical: resource.CIDRSet}, {path: "from_scope", parameter: "FromScope", encode: scopeNames.wire},
	{path: "sender_domains", parameter: "SenderDomainIs", canonical: resource.HostSet}, {path: "recipient_domains", parameter: "RecipientDomainIs", canonical: resource.HostSet},
	{path: "set_scl", parameter: "SetSCL"},
	{path: "set_header.name", parameter: "SetHeaderName"}, {path: "set_header.value", parameter: "SetHeaderValue"},
	{path: "reject.reason", parameter: "RejectMessageReasonText"}, {path: "reject.code", parameter: "RejectMessageEnhancedStatusCode"},
	{path: "stop_processing", parameter: "StopRuleProcessing"},
	{path: "except.sender_ip_ranges", parameter: "ExceptIfSenderIpRanges", canonical: resource.CIDRSet},
	{path: "except.from_scope", parameter: "ExceptIfFromScope", encode: scopeNames.wire},
	{path: "except.sender_domains", parameter: "ExceptIfSenderDomainIs", canonical: resource.HostSet},
	{path: "except.recipient_domains", parameter: "ExceptIfRecipientDomainIs", canonical: resource.HostSet},
}

// together are the parameters that make sense only side by side.
var together = [][2]string{{"set_header.name", "set_header.value"}, {"reject.reason", "reject.code"}}

func ruleLive(r row) (resource.Live, error) {
	f := fields{row: r, err: r.need("Guid", "Name", "State", "Priority", "SenderIpRanges", "SetSCL")}
	state := folded(f.text("State"))
	if f.err == nil && state != "enabled" && state != "disabled" {
		f.err = fmt.Errorf("the rule's State is %q", clean(state))
	}
	number := func(name string) cty.Value {
		if n, ok := f.whole(name); ok {
			return cty.NumberIntVal(int64(n))
		}
		return cty.NullVal(cty.Number)
	}
	value := resource.Null(ruleTable)
	value["name"] = textValue(f.text("Name"))
	value["enabled"] = cty.BoolVal(state == "enabled")
	value["mode"] = modeNames.value(f.text("Mode"))
	value["priority"] = number("Priority")
	value["comments"] = textValue(f.text("Comments"))
	value["sender_ip_ranges"] = resource.StringSet(f.list("SenderIpRanges"))
	value["from_scope"] = scopeNames.value(f.text("FromScope"))
	value["sender_domains"] = resource.StringSet(f.list("SenderDomainIs"))
	value["recipient_domains"] = resource.StringSet(f.list("RecipientDomainIs"))
	value["set_scl"] = number("SetSCL")
	if name := f.text("SetHeaderName"); name != "" {
		value["set_header"] = cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(name), "value": cty.StringVal(f.text("SetHeaderValue"))})
	}
	if reason, code := f.text("RejectMessageReasonText"), f.text("RejectMessageEnhancedStatusCode"); reason != "" || code != "" {
		value["reject"] = cty.ObjectVal(map[string]cty.Value{"reason": textValue(reason), "code": textValue(code)})
	}
	value["stop_processing"] = cty.BoolVal(f.flag("StopRuleProcessing"))
	value["except"] = cty.ObjectVal(map[string]cty.Value{
		"sender_ip_ranges": resource.StringSet(f.list("ExceptIfSenderIpRanges")), "from_scope": scopeNames.value(f.text("ExceptIfFromScope")),
		"sender_domains": resource.StringSet(f.list("ExceptIfSenderDomainIs")), "recipient_domains": resource.StringSet(f.list("ExceptIfRecipientDomainIs")),
	})
	return live(&f, "", value)
}

func (c *Client) rules(ctx context.Context) ([]resource.Live, error) {
	q := &call{op: "list mail flow rules", subject: c.tenant, cmdlet: "Get-TransportRule"}
	out, err := c.invoke(ctx, q)
	if err != nil {
		return nil, err
	}
	return decodeAll(q, out.rows, ruleLive)
}

func listRules(ctx context.Context, conn *resource.Conn) ([]resource.Live, error) {
	c, err := resource.Client[*Client](conn)
	if err != nil {
		return nil, err
	}
	return c.rules(ctx)
}

func readRule(ctx context.Context, conn *resource.Conn, id resource.ObjectID) (resource.Live, error) {
	all, err := listRules(ctx, conn)
	if err != nil {
		return resource.Live{}, err
	}
	return pick(all, id, "read mail flow rule")
}

// createRule makes a rule; what a lost answer leaves behind is found as for connectors. A priority behind the last place
// becomes the last place: of several rules to come, those in front may not be there yet.
func createRule(ctx context.Context, conn *resource.Conn, change *resource.Change) (resource.Live, error) {
	c, err := resource.Client[*Client](conn)
	if err != nil {
		return resource.Live{}, err
	}
	q := &call{op: "create mail flow rule", subject: resource.Text(change.Planned, "name"), cmdlet: "New-TransportRule"}
	if q.parameters, err = forNew(ruleProperties, change.Planned); err != nil {
		return resource.Live{}, &resource.Error{Op: q.op, Subject: q.subject, Kind: resource.ErrInvalid, Err: err}
	}
	if on, ok := resource.Flag(change.Planned, "enabled"); ok {
		q.parameters["Enabled"] = on
	}
	list := func() ([]resource.Live, error) {
		all, err := c.rules(ctx)
		if n, ok := resource.Whole(change.Planned, "priority"); ok && n > len(all) {
			q.parameters["Priority"] = len(all)
		}
		return all, err
	}
	return c.create(ctx, q, list, ruleLive)
}

func updateRule(ctx context.Context, conn *resource.Conn, change *resource.Change) (resource.Live, error) {
	c, err := resource.Client[*Client](conn)
	if err != nil {
		return resource.Live{}, err
	}
	guid, op := string(change.ID), "update mail flow rule"
	subject := subjectOf(change, guid)
	completed := *change
	completed.Paths = complete(change)
	parameters, err := forSet(ruleProperties, &completed)
	if err != nil {
		return resource.Live{}, &resource.Error{Op: op, Subject: subject, Kind: resource.ErrInvalid, Err: err}
	}
	var calls []*call
	if len(parameters) > 0 {
		parameters["Identity"], parameters["Confirm"] = guid, false
		calls = append(calls, &call{op: op, subject: subject, cmdlet: "Set-TransportRule", parameters: parameters})
	}
	if on, ok := resource.Flag(change.Planned, "enabled"); ok && change.Changes("enabled") {
		// Set-TransportRule has no Enabled (Microsoft). A rule is off while it changes, where it can be.
		state := &call{op: "disable mail flow rule", subject: subject, cmdlet: "Disable-TransportRule", parameters: map[string]any{"Identity": guid, "Confirm": false}}
		if on {
			state.op, state.cmdlet = "enable mail flow rule", "Enable-TransportRule"
			calls = append(calls, state)
		} else {
			calls = append([]*call{state}, calls...)
		}
	}
	for _, q := range calls {
		if _, err := c.invoke(ctx, q); err != nil {
			return resource.Live{}, err
		}
	}
	return readRule(ctx, conn, change.ID)
}

// complete adds to the paths that differ those that must go with them.
func complete(change *resource.Change) []string {
	paths := append([]string(nil), change.Paths...)
	for _, pair := range together {
		for i := range pair {
			if change.Changes(pair[i]) && !change.Changes(pair[1-i]) {
				paths = append(paths, pair[1-i])
			}
		}
	}
	return paths
}

func deleteRule(ctx context.Context, conn *resource.Conn, change *resource.Change) error {
	c, err := resource.Client[*Client](conn)
	if err != nil {
		return err
	}
	guid := string(change.ID)
	return c.remove(ctx, &call{op: "delete mail flow rule", subject: subjectOf(change, guid), cmdlet: "Remove-TransportRule",
		parameters: map[string]any{"Identity": guid, "Confirm": false}})
}

// bypasses reports whether a rule asks to bypass spam filtering.
func bypasses(v cty.Value) bool {
	n, ok := resource.Whole(v, "set_scl")
	return ok && n == -1
}

// matchRule recognises a bypass rule by what it does: SCL -1 for the addresses of the block or, when they are not known
// yet, of the gateway. A rule of the block's name counts too.
func matchRule(config, live cty.Value) bool {
	config, live = resource.Bare(config), resource.Bare(live)
	name := resource.Text(config, "name")
	if name == "" && bypasses(config) {
		name = ruleName
	}
	if name != "" && folded(name) == folded(resource.Text(live, "name")) {
		return true
	}
	if !bypasses(config) || !bypasses(live) {
		return false
	}
	want := gatewayNetworks()
	if decided(config, "sender_ip_ranges") {
		want = words(resource.Get(config, "sender_ip_ranges"))
	}
	return mostlyWithin(words(resource.Get(live, "sender_ip_ranges")), want)
}

// customizeRule names a new bypass rule and refuses rules that would meet all mail by mistake.
func customizeRule(req *resource.PlanRequest) error {
	planned, live := resource.Bare(req.Planned), resource.Bare(req.Live)
	name := resource.Text(planned, "name")
	if name == "" {
		name = resource.Text(live, "name")
	}
	scl := resource.Get(planned, "set_scl")
	if live.IsNull() && resource.Get(planned, "name").IsNull() {
		switch {
		case bypasses(planned):
			name = ruleName
			planned = resource.With(planned, "name", cty.StringVal(name))
		case scl.IsKnown():
			return invalid("plan mail flow rule", "", "name", "a new rule needs a name", "Write one; only the bypass rule, with set_scl = -1, has a name of its own")
		}
	}
	if live.IsNull() {
		for path, v := range map[string]cty.Value{"enabled": cty.True, "mode": cty.StringVal("enforce")} {
			if resource.Get(planned, path).IsNull() {
				planned = resource.With(planned, path, v)
			}
		}
	}
	if (bypasses(planned) || resource.Text(planned, "reject.reason") != "") && !conditioned(planned, live) {
		return invalid("plan mail flow rule", name, "sender_ip_ranges", "without a condition the rule would be for all mail", "Write sender_ip_ranges, from_scope, sender_domains or recipient_domains")
	}
	req.Planned = planned
	return nil
}

// conditioned reports whether the rule has a condition, or may have one that is not known yet. A condition that Weir
// does not know cannot be ruled out on a rule that exists.
func conditioned(planned, live cty.Value) bool {
	if !live.IsNull() {
		unchanged := true
		for _, path := range []string{"sender_ip_ranges", "from_scope", "sender_domains", "recipient_domains"} {
			unchanged = unchanged && resource.Get(planned, path).IsNull()
		}
		if unchanged {
			return true
		}
	}
	for _, path := range []string{"sender_ip_ranges", "from_scope", "sender_domains", "recipient_domains"} {
		v := resource.Get(planned, path)
		if v.IsNull() {
			v = resource.Get(live, path)
		}
		if v.IsNull() {
			continue
		}
		if !v.IsWhollyKnown() || v.Type() == cty.String && v.AsString() != "" || v.Type() != cty.String && len(words(v)) > 0 {
			return true
		}
	}
	return false
}
