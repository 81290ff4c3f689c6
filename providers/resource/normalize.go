package resource

import (
	"net/netip"
	"sort"
	"strings"
	"time"
	"unicode"

	"github.com/zclconf/go-cty/cty"
)

// The generic normalisers. Each is idempotent, passes null and not wholly known values through and keeps the type of
// what it is given; values of another type than the one it is for pass through unchanged. Normalisers that know one
// vendor's spelling stand beside the type that needs them.
var (
	// FoldCase compares a string without regard to case and outer blanks.
	FoldCase = &Normalizer{Name: "fold case", Source: "inferred: the vendor compares without regard to case", Func: eachString(fold)}
	// FoldedSet compares a set or list of strings without regard to case, outer blanks, order and repetition; an empty
	// one equals null.
	FoldedSet = &Normalizer{Name: "set without case", Source: "inferred: the vendor keeps no order and compares without regard to case", Func: asSet(fold)}
	// UnorderedSet compares a set or list of strings without regard to order and repetition; an empty one equals null.
	UnorderedSet = &Normalizer{Name: "set", Source: "inferred: the vendor keeps no order", Func: asSet(func(s string) string { return s })}
	// EmptyIsNull makes an empty string or an empty collection equal to null.
	EmptyIsNull = &Normalizer{Name: "empty is null", Source: "inferred: the vendor cannot tell empty from absent", Func: emptyIsNull}
	// Host compares a host name or IP address without regard to case, outer blanks and a final dot; an empty one equals
	// null.
	Host = &Normalizer{Name: "host name", Source: "RFC 4343 (case), RFC 1034 section 3.1 (final dot)",
		Func: compose(eachString(host), emptyIsNull)}
	// HostSet compares a set or list of host names like Host, without regard to order.
	HostSet = &Normalizer{Name: "set of host names", Source: "RFC 4343 (case), RFC 1034 section 3.1 (final dot)", Func: asSet(host)}
	// CIDR compares an address or network in its canonical spelling: host bits cleared, IPv6 shortened, a network of
	// one address written as that address.
	CIDR = &Normalizer{Name: "network", Source: "RFC 4632 section 3.1, RFC 5952", Func: eachString(network)}
	// CIDRSet compares a set or list of networks like CIDR, without regard to order; an empty one equals null.
	CIDRSet = &Normalizer{Name: "set of networks", Source: "RFC 4632 section 3.1, RFC 5952", Func: asSet(network)}
	// SMTPPrefix compares an address or domain without the "smtp:" that Exchange puts before and the ";1" (cost) that it
	// puts behind.
	SMTPPrefix = &Normalizer{Name: "smtp prefix", Source: "Microsoft, New-InboundConnector -SenderDomains: type:domain;cost", Func: eachString(smtp)}
	// SMTPPrefixSet compares a set or list like SMTPPrefix, without regard to order; an empty one equals null.
	SMTPPrefixSet = &Normalizer{Name: "set without smtp prefix", Source: "Microsoft, New-InboundConnector -SenderDomains: type:domain;cost", Func: asSet(smtp)}
	// Date compares dates in the spellings 2006-01-02, 2006/01/02, "2006-01-02 15:04:05" and RFC 3339 by their day;
	// an empty one equals null.
	Date = &Normalizer{Name: "date", Source: "seen in clients: YYYY/MM/DD and ISO forms both occur", Func: compose(eachString(day), emptyIsNull)}
)

// Chain makes a normaliser that applies several in order.
func Chain(name, source string, parts ...*Normalizer) *Normalizer {
	funcs := make([]func(cty.Value) cty.Value, len(parts))
	for i, p := range parts {
		funcs[i] = p.Func
	}
	return &Normalizer{Name: name, Source: source, Func: compose(funcs...)}
}

func compose(funcs ...func(cty.Value) cty.Value) func(cty.Value) cty.Value {
	return func(v cty.Value) cty.Value {
		for _, f := range funcs {
			v = f(v)
		}
		return v
	}
}

// eachString rewrites a string, or every string of a collection in its place.
func eachString(rewrite func(string) string) func(cty.Value) cty.Value {
	return func(v cty.Value) cty.Value {
		if v.IsNull() || !v.IsWhollyKnown() {
			return v
		}
		if v.Type() == cty.String {
			return cty.StringVal(rewrite(v.AsString()))
		}
		all, ok := stringsOf(v)
		if !ok {
			return v
		}
		for i := range all {
			all[i] = rewrite(all[i])
		}
		return stringsLike(v.Type(), all)
	}
}

// asSet rewrites every string of a set or list and drops order, repetition and, for an empty one, the difference to
// null.
func asSet(rewrite func(string) string) func(cty.Value) cty.Value {
	return func(v cty.Value) cty.Value {
		if v.IsNull() || !v.IsWhollyKnown() {
			return v
		}
		all, ok := stringsOf(v)
		if !ok {
			return v
		}
		seen := make(map[string]bool, len(all))
		out := all[:0]
		for _, s := range all {
			if s = rewrite(s); !seen[s] {
				seen[s] = true
				out = append(out, s)
			}
		}
		if len(out) == 0 {
			return cty.NullVal(v.Type())
		}
		sort.Strings(out)
		return stringsLike(v.Type(), out)
	}
}

func stringsOf(v cty.Value) ([]string, bool) {
	t := v.Type()
	if !t.IsListType() && !t.IsSetType() || t.ElementType() != cty.String {
		return nil, false
	}
	out := make([]string, 0, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.IsNull() {
			continue
		}
		out = append(out, e.AsString())
	}
	return out, true
}

func stringsLike(t cty.Type, all []string) cty.Value {
	vals := make([]cty.Value, len(all))
	for i, s := range all {
		vals[i] = cty.StringVal(s)
	}
	switch {
	case t.IsSetType() && len(vals) == 0:
		return cty.SetValEmpty(cty.String)
	case t.IsSetType():
		return cty.SetVal(vals)
	case len(vals) == 0:
		return cty.ListValEmpty(cty.String)
	default:
		return cty.ListVal(vals)
	}
}

func emptyIsNull(v cty.Value) cty.Value {
	if v.IsNull() || !v.IsKnown() {
		return v
	}
	t := v.Type()
	switch {
	case t == cty.String && v.AsString() == "":
		return cty.NullVal(t)
	case (t.IsCollectionType()) && v.LengthInt() == 0:
		return cty.NullVal(t)
	}
	return v
}

func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func host(s string) string {
	s = strings.TrimRightFunc(fold(s), func(r rune) bool { return r == '.' || unicode.IsSpace(r) })
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().String()
	}
	return s
}

func network(s string) string {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().String()
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return strings.ToLower(s)
	}
	if p.IsSingleIP() {
		return p.Addr().Unmap().String()
	}
	return p.Masked().String()
}

func smtp(s string) string {
	s = fold(s)
	for {
		before := s
		s = strings.TrimSpace(strings.TrimPrefix(s, "smtp:"))
		if i := strings.LastIndexByte(s, ';'); i >= 0 && i+1 < len(s) && strings.Trim(s[i+1:], "0123456789") == "" {
			s = strings.TrimSpace(s[:i])
		}
		if s == before {
			return s
		}
	}
}

// dateLayouts are the spellings of dates seen in clients of the vendors' APIs.
var dateLayouts = []string{"2006-01-02", "2006/01/02", "2006-01-02 15:04:05", "2006/01/02 15:04:05", time.RFC3339, "2006-01-02T15:04:05"}

// ParseTime reads a date or a time in the spellings that Date knows; a time without zone is UTC. ok is false for
// anything else.
func ParseTime(s string) (t time.Time, ok bool) {
	s = strings.TrimSpace(s)
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func day(s string) string {
	if t, ok := ParseTime(s); ok {
		return t.Format("2006-01-02")
	}
	return strings.TrimSpace(s)
}
