package directory

import (
	"fmt"
	"strings"
)

// The bounds of a Pattern.
const (
	MaxPattern     = 320 // bytes
	maxPatternStar = 8
)

// Pattern is a set of mail addresses, written as a glob: "svc-*@contoso.com". "*" stands for any characters, "?" for one;
// neither crosses the "@". Case does not count. The zero value matches nothing.
type Pattern struct{ local, domain string }

// ParsePattern reads a pattern. It refuses what is no address with wildcards, and what would match every address.
func ParsePattern(s string) (Pattern, error) {
	folded := Fold(s)
	local, domain, found := strings.Cut(folded, "@")
	switch {
	case len(folded) > MaxPattern:
		return Pattern{}, fmt.Errorf("a pattern has at most %d characters", MaxPattern)
	case !found || local == "" || domain == "" || strings.Contains(domain, "@"):
		return Pattern{}, fmt.Errorf("%q is no pattern of addresses such as svc-*@contoso.com", s)
	case strings.ContainsAny(folded, " \t\r\n,;<>\"[]{}\\"):
		return Pattern{}, fmt.Errorf("%q has a character that no address has; only * and ? stand for others", s)
	case strings.Count(folded, "*") > maxPatternStar:
		return Pattern{}, fmt.Errorf("%q has more than %d stars", s, maxPatternStar)
	case strings.Trim(local, "*?") == "" && strings.Trim(domain, "*?.") == "":
		return Pattern{}, fmt.Errorf("%q matches every address", s)
	}
	return Pattern{local, domain}, nil
}

// String is the pattern as addresses are spelled, folded.
func (p Pattern) String() string { return p.local + "@" + p.domain }

// Match reports whether a folded address belongs to the set. It takes time in proportion to the address and the number of
// stars, whatever both are.
func (p Pattern) Match(address string) bool {
	at := strings.LastIndexByte(address, '@')
	return at > 0 && p.local != "" && glob(p.domain, address[at+1:]) && glob(p.local, address[:at])
}

// glob matches with one memory, of the last star: a later star can always take over what an earlier one would have to
// give back.
func glob(pattern, s string) bool {
	star, kept := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, kept = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case p < len(pattern) && pattern[p] == '?':
			p++
			for i++; i < len(s) && s[i]&0xc0 == 0x80; i++ { // the rest of one character
			}
		case star >= 0:
			kept++
			p, i = star+1, kept
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
