package exchange

import (
	"errors"
	"math/big"
	"net/netip"
	"regexp"
	"strings"
)

var domainForm = regexp.MustCompile(`^(?i)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// checkDomainSpace accepts "*", a domain, or "*." and a domain, with or without the read form's decoration. A wildcard
// inside a name is refused (cmdlet reference, New-InboundConnector -SenderDomains).
func checkDomainSpace(s string) error {
	s = bareDomainSpace(s)
	if s == "*" {
		return nil
	}
	if !domainForm.MatchString(strings.TrimPrefix(s, "*.")) {
		return errors.New("specify *, a domain, or *. and a domain")
	}
	return nil
}

func checkDomain(s string) error {
	if !domainForm.MatchString(s) {
		return errors.New("specify a domain")
	}
	return nil
}

// bareDomainSpace strips "smtp:" and ";1" off the form in which sender domains are read.
func bareDomainSpace(s string) string {
	if len(s) > 5 && strings.EqualFold(s[:5], "smtp:") {
		s = s[5:]
	}
	s, _, _ = strings.Cut(s, ";")
	return strings.TrimSpace(s)
}

// storeDomainSpace is the form in which sender domains are read back, whatever was written.
func storeDomainSpace(s string) string { return "smtp:" + bareDomainSpace(s) + ";1" }

// addressKind is the notation of an IP list item.
type addressKind int

const (
	invalidAddress addressKind = iota
	singleAddress
	addressRange
	network
)

// parseAddress reads a single address, a range a-b or a network. size is the number of addresses of a range, capped.
func parseAddress(s string) (k addressKind, v4 bool, bits int, size uint64) {
	if a, b, ok := strings.Cut(s, "-"); ok {
		from, err1 := netip.ParseAddr(strings.TrimSpace(a))
		to, err2 := netip.ParseAddr(strings.TrimSpace(b))
		if err1 != nil || err2 != nil || from.Is4() != to.Is4() || to.Less(from) {
			return invalidAddress, false, 0, 0
		}
		x, y := new(big.Int).SetBytes(from.AsSlice()), new(big.Int).SetBytes(to.AsSlice())
		n := y.Sub(y, x)
		size = 1 << 62
		if n.IsUint64() && n.Uint64() < size {
			size = n.Uint64() + 1
		}
		return addressRange, from.Is4(), 0, size
	}
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s) // host bits may be set: a documented example has them
		if err != nil {
			return invalidAddress, false, 0, 0
		}
		return network, p.Addr().Is4(), p.Bits(), 0
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return invalidAddress, false, 0, 0
	}
	return singleAddress, a.Is4(), 0, 1
}

// checkConnectorAddress: IPv4 only, single or /24 to /32 (cmdlet reference, -SenderIPAddresses).
func checkConnectorAddress(s string) error {
	k, v4, bits, _ := parseAddress(s)
	switch {
	case k == invalidAddress || k == addressRange || !v4:
		return errors.New("specify an IPv4 address or an IPv4 network from /24 to /32")
	case k == network && bits < 24:
		return errors.New("the network is too large; subnet mask lengths from /24 to /32 are supported")
	}
	return nil
}

// checkSkipAddress: single, range or network (cmdlet reference, -EFSkipIPs).
func checkSkipAddress(s string) error {
	if k, _, _, _ := parseAddress(s); k == invalidAddress {
		return errors.New("specify an IP address, a range or a network")
	}
	return nil
}

// checkFilterAddress: single, a range of at most 256 addresses, or a network from /24 to /32; no IPv6 ranges or
// networks (cmdlet reference, Set-HostedConnectionFilterPolicy -IPAllowList).
func checkFilterAddress(s string) error {
	k, v4, bits, size := parseAddress(s)
	switch {
	case k == invalidAddress:
		return errors.New("specify an IP address, a range or a network")
	case k != singleAddress && !v4:
		return errors.New("IPv6 ranges are not supported")
	case k == addressRange && size > 256:
		return errors.New("a range may contain at most 256 addresses")
	case k == network && bits < 24:
		return errors.New("the network is too large; subnet mask lengths from /24 to /32 are supported")
	}
	return nil
}
