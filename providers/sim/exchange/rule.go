package exchange

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

var noItems []string // how rules read an unset list: null

// transportRule follows New-/Set-TransportRule. The objects' order is their priority.
var transportRule = &family{
	noun: "TransportRule", container: "TransportVersioned", area: rules,
	objects:    func(e *world.Exchange) *[]*world.ExchangeObject { return &e.Rules },
	attributes: ruleAttributes(),
	gets: []attribute{
		{name: "State", kind: enum, names: []string{"Enabled", "Disabled"}},
		{name: "Filter", gap: true},
		{name: "ExcludeConditionActionDetails", kind: boolean},
	},
	sets: []attribute{{name: "Priority", kind: number}},
	filter: func(c *invocation, o *world.ExchangeObject) bool {
		state := c.text("State")
		return state == "" || state == stateOf(o)
	},
	check:  checkRule,
	place:  placeRule,
	finish: finishRule,
}

func ruleAttributes() []attribute {
	out := []attribute{
		{name: "Enabled", kind: boolean, use: onNew},
		{name: "Mode", kind: enum, use: both, names: ruleModes, unset: "Enforce"},
		{name: "Comments", use: both, max: 1024},
		{name: "RuleErrorAction", kind: enum, use: both, names: []string{"Ignore", "Defer"}, unset: "Ignore"},
		{name: "SenderAddressLocation", kind: enum, use: both, names: []string{"Header", "Envelope", "HeaderOrEnvelope"}, unset: "Header"},
		{name: "RuleSubType", kind: enum, use: both, names: []string{"None", "DLP"}, unset: "None"},
		{name: "StopRuleProcessing", kind: boolean, use: both, unset: false},
		{name: "ActivationDate", kind: date, use: both},
		{name: "ExpiryDate", kind: date, use: both},
		{name: "UseLegacyRegex", kind: boolean, use: onNew, unset: false},
	}
	for _, a := range conditions {
		out = append(out, a)
		a.name = "ExceptIf" + a.name
		out = append(out, a)
	}
	return append(out, actions...)
}

var (
	ruleModes  = []string{"Enforce", "Audit", "AuditAndNotify"}
	scopes     = []string{"InOrganization", "NotInOrganization"}
	sentScopes = []string{"InOrganization", "NotInOrganization", "ExternalPartner", "ExternalNonPartner"}
)

func lists(names ...string) []attribute {
	var out []attribute
	for _, name := range names {
		out = append(out, attribute{name: name, kind: list, use: both, unset: noItems})
	}
	return out
}

func texts(names ...string) []attribute {
	var out []attribute
	for _, name := range names {
		out = append(out, attribute{name: name, use: both})
	}
	return out
}

func booleans(names ...string) []attribute {
	var out []attribute
	for _, name := range names {
		out = append(out, attribute{name: name, kind: boolean, use: both, unset: false})
	}
	return out
}

func concat(parts ...[]attribute) []attribute { return slices.Concat(parts...) }

// conditions are the documented predicates; each has an ExceptIf… twin.
var conditions = concat(
	[]attribute{
		{name: "SenderIpRanges", kind: list, use: both, item: checkSkipAddress, unset: noItems},
		{name: "SenderDomainIs", kind: list, use: both, item: checkDomain, unset: noItems},
		{name: "RecipientDomainIs", kind: list, use: both, item: checkDomain, unset: noItems},
		{name: "FromScope", kind: enum, use: both, names: scopes},
		{name: "SentToScope", kind: enum, use: both, names: sentScopes},
		{name: "HeaderContainsMessageHeader", use: both, max: 64},
		{name: "HeaderMatchesMessageHeader", use: both, max: 64},
		{name: "SCLOver", kind: number, use: both, low: -1, high: 9},
		{name: "WithImportance", kind: enum, use: both, names: []string{"Low", "Normal", "High"}},
		{name: "ManagerForEvaluatedUser", kind: enum, use: both, names: []string{"Recipient", "Sender"}},
		{name: "SenderManagementRelationship", kind: enum, use: both, names: []string{"Manager", "DirectReport"}},
		{name: "ADComparisonOperator", kind: enum, use: both, names: []string{"Equal", "NotEqual"}},
		{name: "MessageTypeMatches", kind: enum, use: both, names: []string{
			"OOF", "AutoForward", "Encrypted", "Calendaring", "PermissionControlled", "Voicemail", "Signed", "ApprovalRequest", "ReadReceipt",
		}},
	},
	lists("From", "FromMemberOf", "FromAddressContainsWords", "FromAddressMatchesPatterns", "SentTo", "SentToMemberOf",
		"AnyOfCcHeader", "AnyOfCcHeaderMemberOf", "AnyOfToCcHeader", "AnyOfToCcHeaderMemberOf", "AnyOfToHeader",
		"AnyOfToHeaderMemberOf", "AnyOfRecipientAddressContainsWords", "AnyOfRecipientAddressMatchesPatterns",
		"AttachmentContainsWords", "AttachmentExtensionMatchesWords", "AttachmentMatchesPatterns",
		"AttachmentNameMatchesPatterns", "AttachmentPropertyContainsWords", "BetweenMemberOf1", "BetweenMemberOf2",
		"ContentCharacterSetContainsWords", "HeaderContainsWords", "HeaderMatchesPatterns", "ManagerAddresses",
		"RecipientADAttributeContainsWords", "RecipientADAttributeMatchesPatterns", "RecipientAddressContainsWords",
		"RecipientAddressMatchesPatterns", "RecipientInSenderList", "SenderADAttributeContainsWords",
		"SenderADAttributeMatchesPatterns", "SenderInRecipientList", "SubjectContainsWords", "SubjectMatchesPatterns",
		"SubjectOrBodyContainsWords", "SubjectOrBodyMatchesPatterns"),
	booleans("AttachmentHasExecutableContent", "AttachmentIsPasswordProtected", "AttachmentIsUnsupported",
		"AttachmentProcessingLimitExceeded", "HasNoClassification"),
	texts("ADComparisonAttribute", "AttachmentSizeOver", "HasClassification", "MessageSizeOver"),
	// Retired data-loss conditions: still read, no longer parameters.
	[]attribute{
		{name: "HasSenderOverride", kind: boolean, unset: false},
		{name: "MessageContainsDataClassifications", kind: list, unset: noItems},
	},
)

// actions are the documented actions.
var actions = concat(
	[]attribute{
		// Whether the wire has it as text or number is unknown; readers accept both.
		{name: "SetSCL", kind: text, use: both, item: checkSCL},
		{name: "SetAuditSeverity", kind: enum, use: both, names: []string{"DoNotAudit", "Low", "Medium", "High"}},
		{name: "RejectMessageReasonText", use: both, max: 1024},
		{name: "RejectMessageEnhancedStatusCode", use: both, item: checkStatusCode},
		{name: "ApplyHtmlDisclaimerLocation", kind: enum, use: both, names: []string{"Append", "Prepend"}},
		{name: "ApplyHtmlDisclaimerFallbackAction", kind: enum, use: both, names: []string{"Wrap", "Ignore", "Reject"}},
		{name: "AddManagerAsRecipientType", kind: enum, use: both, names: []string{"To", "Cc", "Bcc", "Redirect"}},
	},
	texts("SetHeaderName", "SetHeaderValue", "RemoveHeader", "RouteMessageOutboundConnector", "ApplyClassification",
		"ApplyHtmlDisclaimerText", "ApplyRightsProtectionTemplate", "ApplyRightsProtectionCustomizationTemplate",
		"GenerateIncidentReport", "GenerateNotification", "PrependSubject"),
	lists("AddToRecipients", "BlindCopyTo", "CopyTo", "IncidentReportContent", "ModerateMessageByUser", "RedirectMessageTo"),
	booleans("ApplyOME", "DeleteMessage", "ModerateMessageByManager", "Quarantine", "RemoveOME", "RemoveOMEv2",
		"RemoveRMSAttachmentEncryption", "RouteMessageOutboundRequireTls"),
	[]attribute{{name: "NotifySender"}},
)

// classes are the .NET classes of conditions and actions whose names are not the parameter's own. A second parameter of
// a pair has none.
var classes = map[string]string{
	"SetSCL": "SetScl", "HeaderContainsMessageHeader": "HeaderContains", "HeaderMatchesMessageHeader": "HeaderMatches",
	"HeaderContainsWords": "", "HeaderMatchesPatterns": "", "SetHeaderName": "SetHeader", "SetHeaderValue": "",
	"RejectMessageReasonText": "RejectMessage", "RejectMessageEnhancedStatusCode": "", "SCLOver": "SclOver",
	"RouteMessageOutboundRequireTls": "RouteMessageOutboundRequireTls",
}

// pairs are parameters of which one makes no sense without the other.
var pairs = [][2]string{
	{"HeaderContainsMessageHeader", "HeaderContainsWords"}, {"HeaderMatchesMessageHeader", "HeaderMatchesPatterns"},
	{"ExceptIfHeaderContainsMessageHeader", "ExceptIfHeaderContainsWords"},
	{"ExceptIfHeaderMatchesMessageHeader", "ExceptIfHeaderMatchesPatterns"},
	{"SetHeaderName", "SetHeaderValue"},
}

func checkRule(c *invocation, next, _ map[string]any) *failure {
	for _, pair := range pairs {
		if (next[pair[0]] == nil) != (next[pair[1]] == nil) {
			return bad(typeArgument, "The parameters %s and %s must be used together.", pair[0], pair[1])
		}
	}
	if name := textOf(c.args["RouteMessageOutboundConnector"]); name != "" {
		i := outboundConnector.find(c, c.live.Outbound, name)
		if i < 0 {
			return bad(typeRuleTarget, "The outbound connector '%s' couldn't be found.", name)
		}
		next["RouteMessageOutboundConnector"] = c.live.Outbound[i].Name
	}
	next["LastModifiedBy"] = c.caller
	if next["CreatedBy"] == nil {
		next["CreatedBy"] = c.caller
	}
	return nil
}

func checkSCL(s string) error {
	var n int
	if _, err := fmt.Sscanf(s, "%d", &n); err != nil || n < -1 || n > 9 || fmt.Sprint(n) != s {
		return fmt.Errorf("specify a number from -1 to 9")
	}
	return nil
}

var statusCode = regexp.MustCompile(`^5\.7\.(1|9[0-9][0-9])$`)

func checkStatusCode(s string) error {
	if !statusCode.MatchString(s) {
		return fmt.Errorf("valid values are 5.7.1 and 5.7.900 through 5.7.999")
	}
	return nil
}

// placeRule keeps priorities contiguous: 0 to n for a rule that is not among all.
func placeRule(c *invocation, all []*world.ExchangeObject, o *world.ExchangeObject) ([]*world.ExchangeObject, *failure) {
	at := len(all)
	if n, ok := c.args["Priority"].(int); ok {
		at = n
	}
	if at < 0 || at > len(all) {
		return nil, bad(typeRulePrio, "The priority value '%d' isn't valid. Specify a value between 0 and %d.", at, len(all))
	}
	return slices.Insert(all, at, o), nil
}

func stateOf(o *world.ExchangeObject) string {
	if !boolOf(o.Values["Enabled"], true) || strings.EqualFold(textOf(o.Values["State"]), "Disabled") {
		return "Disabled"
	}
	return "Enabled"
}

func finishRule(row map[string]any, o *world.ExchangeObject, position int) {
	delete(row, "Enabled")
	row["State"] = stateOf(o)
	row["Priority"] = asNumber(position)
	row["CreatedBy"], row["LastModifiedBy"] = textOf(o.Values["CreatedBy"]), textOf(o.Values["LastModifiedBy"])
	row["ManuallyModified"] = false
	row["RuleVersion"] = "14.0.0.0"
	row["RecipientAddressType"] = "Resolved"
	conds, excepts, acts := classNames(o, conditions, "", "Predicate"), classNames(o, conditions, "ExceptIf", "Predicate"), classNames(o, actions, "", "Action")
	if boolOf(o.Values["StopRuleProcessing"], false) {
		acts = append(acts, namespace+"StopRuleProcessingAction")
	}
	row["Conditions"], row["Exceptions"], row["Actions"] = conds, excepts, acts
	row["Description"] = describe(conds, acts, excepts)
}

const namespace = "Microsoft.Exchange.MessagingPolicies.Rules.Tasks."

func classNames(o *world.ExchangeObject, attributes []attribute, prefix, suffix string) []string {
	var out []string
	for _, a := range attributes {
		switch v := o.Values[prefix+a.name].(type) {
		case nil:
			continue
		case bool:
			if !v {
				continue
			}
		case string:
			if v == "" {
				continue
			}
		}
		class, special := classes[a.name]
		if !special {
			class = a.name
		}
		if class != "" {
			out = append(out, namespace+class+suffix)
		}
	}
	return out
}

// describe writes the prose that the service generates; nobody should compare it.
func describe(conds, acts, excepts []string) string {
	var b strings.Builder
	section := func(title string, names []string) {
		if len(names) == 0 {
			return
		}
		b.WriteString(title + "\r\n")
		for _, name := range names {
			b.WriteString("\t" + strings.TrimPrefix(name, namespace) + "\r\n")
		}
	}
	section("If the message:", conds)
	section("Take the following actions:", acts)
	section("Except if the message:", excepts)
	return b.String()
}

// transportRuleStates are Enable- and Disable-TransportRule.
func transportRuleStates() []*cmdlet {
	turn := func(verb string, on bool) *cmdlet {
		parameters := []attribute{{name: "Identity", must: true}}
		if on {
			parameters = append(parameters, attribute{name: "Mode", kind: enum, names: ruleModes})
		}
		return &cmdlet{name: verb + "-TransportRule", area: rules, changes: true, parameters: parameters,
			run: func(c *invocation) (output, *failure) {
				i := transportRule.find(c, c.live.Rules, c.text("Identity"))
				if i < 0 {
					return output{}, notFound(c.text("Identity"))
				}
				old := c.live.Rules[i]
				o := &world.ExchangeObject{GUID: old.GUID, Name: old.Name, Created: old.Created, Changed: c.now}
				o.Values = c.written(transportRule.attributes, old.Values)
				delete(o.Values, "State")
				o.Values["Enabled"] = on
				if stateOf(o) == stateOf(old) && same(transportRule.attributes[1:], o.Values, old.Values) {
					return output{warnings: unchanged(old.Name)}, nil
				}
				c.live.Rules = slices.Clone(c.live.Rules)
				c.live.Rules[i] = o
				return output{}, nil
			}}
	}
	return []*cmdlet{turn("Enable", true), turn("Disable", false)}
}
