package exchange

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/vendordata"
)

const (
	// Connectors take single IPv4 addresses and networks from /24 (Microsoft, New-InboundConnector -SenderIPAddresses).
	narrowest = 24
	// widest network that is spelled out as /24 networks: 256 of them. How long the list may be is documented nowhere.
	widest = 16
)

// connectorNetworks compares networks the way a connector keeps them.
var connectorNetworks = resource.Chain("networks of /24 and smaller", "Microsoft, New-InboundConnector -SenderIPAddresses: masks from /24 to /32 only",
	&resource.Normalizer{Func: func(v cty.Value) cty.Value {
		if v.IsNull() || !v.IsWhollyKnown() || !v.Type().IsSetType() || v.Type().ElementType() != cty.String {
			return v
		}
		return resource.StringSet(expand(words(v)))
	}}, resource.CIDRSet)

// expand spells out networks wider than /24 as networks of /24 and brings the others to their canonical form; what is
// no network, or is too wide to be spelled out, stays as it is. Repetitions are dropped, the order is kept.
func expand(ranges []string) []string {
	seen := map[string]bool{}
	out := make([]string, 0, len(ranges))
	add := func(s string) {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	for _, r := range ranges {
		p, ok := prefix(r)
		switch {
		case !ok:
			add(strings.TrimSpace(r))
		case p.IsSingleIP():
			add(p.Addr().String())
		case !p.Addr().Is4() || p.Bits() >= narrowest || p.Bits() < widest:
			add(p.String())
		default:
			base := p.Addr().As4()
			for i := range 1 << (narrowest - p.Bits()) {
				add(netip.PrefixFrom(netip.AddrFrom4([4]byte{base[0], base[1], base[2] + byte(i), 0}), narrowest).String())
			}
		}
	}
	return out
}

// prefix reads an address or network, with host bits cleared.
func prefix(s string) (netip.Prefix, bool) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, false
	}
	return p.Masked(), true
}

func prefixes(all []string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range all {
		if p, ok := prefix(s); ok {
			out = append(out, p)
		}
	}
	return out
}

// within reports whether one of the networks contains p.
func within(networks []netip.Prefix, p netip.Prefix) bool {
	for _, n := range networks {
		if n.Bits() <= p.Bits() && n.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

// mostlyWithin reports whether more than half of the addresses of have lie in want. Wide networks of have are spelled
// out first, so that a part of one counts as a part.
func mostlyWithin(have, want []string) bool {
	networks := prefixes(want)
	var inside, all float64
	for _, p := range prefixes(expand(have)) {
		size := float64(uint64(1) << min(32, p.Addr().BitLen()-p.Bits()))
		all += size
		if within(networks, p) {
			inside += size
		}
	}
	return all > 0 && inside > all/2
}

// gatewayNetworks are the delivery ranges of every stack as of every known date: by these a connector or rule is
// recognised as the gateway's.
func gatewayNetworks() []string {
	return known("us1", "us2", "us3", "us4", "us5", "eu1")
}

func known(stacks ...string) []string {
	var out []string
	seen := map[string]bool{}
	for _, stack := range stacks {
		for _, date := range vendordata.Dates() {
			d, err := vendordata.Lookup(stack, date)
			if err != nil {
				continue
			}
			for _, r := range d.DeliveryRanges {
				if !seen[r] {
					seen[r] = true
					out = append(out, r)
				}
			}
		}
	}
	return out
}

// checkConnectorNetworks refuses what a connector cannot take even when spelled out.
func checkConnectorNetworks(v cty.Value) error {
	for _, s := range words(v) {
		p, ok := prefix(s)
		switch {
		case !ok:
			return fmt.Errorf("%q is no IP address or network such as 203.0.113.0/24; connectors take no ranges with a hyphen", s)
		case !p.Addr().Is4():
			return fmt.Errorf("%q is IPv6; connectors take IPv4 only", s)
		case p.Bits() < widest:
			return fmt.Errorf("%q is wider than /%d; connectors take /%d to /32 only", s, widest, narrowest)
		}
	}
	return nil
}

// checkNetworks refuses what is no address, network, or range a-b.
func checkNetworks(v cty.Value) error {
	for _, s := range words(v) {
		if _, ok := prefix(s); ok {
			continue
		}
		from, to, hyphen := strings.Cut(s, "-")
		a, err1 := netip.ParseAddr(strings.TrimSpace(from))
		b, err2 := netip.ParseAddr(strings.TrimSpace(to))
		if !hyphen || err1 != nil || err2 != nil || a.BitLen() != b.BitLen() || b.Less(a) {
			return fmt.Errorf("%q is no IP address, network or range such as 203.0.113.1-203.0.113.9", s)
		}
	}
	return nil
}
