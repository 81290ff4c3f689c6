package exchange

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// source lines, once.
const (
	inboundDocs  = "Microsoft, New-InboundConnector, 2026"
	outboundDocs = "Microsoft, New-OutboundConnector, 2026"
	ruleDocs     = "Microsoft, New-TransportRule, 2026"
	permission   = "Exchange.ManageAsApp and Exchange Administrator"
)

// comment compares free text: rules without one have been seen to read as a lone line break (seen in clients).
var comment = &resource.Normalizer{Name: "comment", Source: "seen in clients: null, empty, a lone line break and CRLF all occur",
	Func: func(v cty.Value) cty.Value {
		if v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
			return v
		}
		s := strings.TrimSpace(strings.ReplaceAll(v.AsString(), "\r\n", "\n"))
		if s == "" {
			return cty.NullVal(cty.String)
		}
		return cty.StringVal(s)
	}}

func folded(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// words are the strings of a set; nil when null or not wholly known.
func words(v cty.Value) []string {
	if v.IsNull() || !v.IsWhollyKnown() || !v.CanIterateElements() {
		return nil
	}
	var all []string
	for it := v.ElementIterator(); it.Next(); {
		if _, e := it.Element(); !e.IsNull() && e.Type() == cty.String {
			all = append(all, e.AsString())
		}
	}
	return all
}

// decided reports whether the value at a path is written and known: not null, no unknown in it.
func decided(v cty.Value, path string) bool {
	m := resource.Get(v, path)
	return !m.IsNull() && m.IsWhollyKnown()
}

// textValue makes an empty text null.
func textValue(s string) cty.Value {
	if s == "" {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(s)
}

// names pairs the words of the configuration with those on the wire.
type names [][2]string

func (n names) words() []string {
	out := make([]string, len(n))
	for i := range n {
		out[i] = n[i][0]
	}
	return out
}

// value is the configuration's word for the wire's; one that is not known stays as it is.
func (n names) value(wire string) cty.Value {
	for _, pair := range n {
		if strings.EqualFold(pair[1], wire) {
			return cty.StringVal(pair[0])
		}
	}
	return textValue(wire)
}

// wire is the wire's word. The service accepts the beginning of a name for the name (seen in clients), so nothing but a
// whole one is sent.
func (n names) wire(v cty.Value) (any, error) {
	for _, pair := range n {
		if strings.EqualFold(pair[0], v.AsString()) {
			return pair[1], nil
		}
	}
	return nil, fmt.Errorf("%q is none of %s", v.AsString(), strings.Join(n.words(), ", "))
}

var domainForm = regexp.MustCompile(`^(?i)(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// checkDomainSpaces: "*", a domain, or "*." and a domain (Microsoft, New-InboundConnector -SenderDomains).
func checkDomainSpaces(v cty.Value) error {
	for _, s := range words(v) {
		if s != "*" && !domainForm.MatchString(s) {
			return fmt.Errorf("%q is neither * nor a domain such as contoso.com or *.contoso.com", s)
		}
	}
	return nil
}

func checkDomains(v cty.Value) error {
	for _, s := range words(v) {
		if !domainForm.MatchString(s) || strings.HasPrefix(s, "*") {
			return fmt.Errorf("%q is no domain such as contoso.com", s)
		}
	}
	return nil
}

// checkName: at most 64 characters (Microsoft; for inbound connectors inferred).
func checkName(v cty.Value) error {
	s := v.AsString()
	if strings.TrimSpace(s) == "" || len([]rune(s)) > 64 {
		return fmt.Errorf("%q: a name has 1 to 64 characters", s)
	}
	return nil
}

func between(low, high int) func(cty.Value) error {
	return func(v cty.Value) error {
		n, accuracy := v.AsBigFloat().Int64()
		if accuracy != big.Exact || n < int64(low) || n > int64(high) {
			return fmt.Errorf("%s is no whole number from %d to %d", v.AsBigFloat().Text('f', -1), low, high)
		}
		return nil
	}
}

// property is one attribute on the wire.
type property struct {
	path, parameter string
	// encode makes the parameter's value of a known, non-null one; nil takes strings and booleans as they are.
	encode func(cty.Value) (any, error)
	// delta clears a list by removing what was read: whether an empty array does is contradictory in clients. Without it
	// an empty value is sent as null.
	delta bool
	// canonical is the form in which a list is sent; nil sends it as written. Whether the service stores another form,
	// changes it or refuses it is unknown.
	canonical *resource.Normalizer
}

func (p *property) value(v, prior cty.Value) (value any, send bool, err error) {
	switch t := v.Type(); {
	case p.encode != nil:
		value, err = p.encode(v)
		return value, true, err
	case t == cty.Bool:
		return v.True(), true, nil
	case t == cty.String:
		if v.AsString() == "" {
			return nil, true, nil
		}
		return v.AsString(), true, nil
	case t == cty.Number:
		n, _ := v.AsBigFloat().Int64()
		return n, true, nil
	}
	all := words(p.canonical.Apply(v))
	if len(all) > 0 {
		return all, true, nil
	}
	had := words(prior)
	switch {
	case len(had) == 0:
		return nil, false, nil
	case p.delta:
		return map[string]any{"@odata.type": "#Exchange.GenericHashTable", "Remove": had}, true, nil
	}
	return nil, true, nil
}

// forNew are the parameters of a New- cmdlet: all that is planned and not empty.
func forNew(properties []property, planned cty.Value) (map[string]any, error) {
	out := map[string]any{}
	for i := range properties {
		p := &properties[i]
		v := resource.Get(planned, p.path)
		if v.IsNull() {
			continue
		}
		value, send, err := p.value(v, cty.NullVal(v.Type()))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.path, err)
		}
		if send && value != nil {
			out[p.parameter] = value
		}
	}
	return out, nil
}

// forSet are the parameters of a Set- cmdlet: what is planned and differs.
func forSet(properties []property, change *resource.Change) (map[string]any, error) {
	out := map[string]any{}
	for i := range properties {
		p := &properties[i]
		v := resource.Get(change.Planned, p.path)
		if v.IsNull() || !change.Changes(p.path) {
			continue
		}
		value, send, err := p.value(v, resource.Get(change.Prior, p.path))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.path, err)
		}
		if send {
			out[p.parameter] = value
		}
	}
	return out, nil
}

// invalid is a configuration error.
func invalid(op, subject, attribute, detail, hint string) error {
	return &resource.Error{Op: op, Subject: subject, Attribute: attribute, Kind: resource.ErrInvalid, Detail: detail, Hint: hint}
}
