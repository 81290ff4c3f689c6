package directory

import (
	"slices"
	"strings"
	"time"
)

// Kind says what a directory entry is. The kind is decided before the sign-in state is looked at: shared, room and
// equipment mailboxes have their sign-in blocked as a matter of course (R32, R38).
type Kind string

// The kinds, as predicates spell them.
const (
	User                     Kind = "user"
	SharedMailbox            Kind = "shared_mailbox"
	Room                     Kind = "room"
	Equipment                Kind = "equipment"
	Guest                    Kind = "guest"
	Contact                  Kind = "contact"
	DistributionGroup        Kind = "distribution_group"
	SecurityGroup            Kind = "security_group" // mail-enabled
	Microsoft365Group        Kind = "m365_group"
	DynamicDistributionGroup Kind = "dynamic_distribution_group"
	// UnknownKind: Exchange could not be read, so a user entry cannot be told from a shared mailbox.
	UnknownKind Kind = "unknown"
)

// IsGroup reports whether the kind is one of the groups.
func (k Kind) IsGroup() bool {
	switch k {
	case DistributionGroup, SecurityGroup, Microsoft365Group, DynamicDistributionGroup:
		return true
	}
	return false
}

// Entry is one object of the Entra directory that could receive mail. Strings that the directory lacks are empty,
// lists nil; nothing is null.
type Entry struct {
	// ObjectID is the Entra object id, lower-case GUID; for a dynamic distribution group, which Entra does not know,
	// "exchange:" and the Exchange GUID.
	ObjectID string
	Kind     Kind
	// Address is the primary SMTP address, lower case; "" when the entry has no proxyAddresses (R31).
	Address string
	// Aliases are the other SMTP addresses, lower case, sorted, without the primary.
	Aliases []string
	// UPN is the user principal name, lower case; "" for groups and contacts.
	UPN string
	// Enabled is accountEnabled; true for groups and contacts.
	Enabled bool
	// Licensed says that any licence is assigned, directly or through a group.
	Licensed bool
	// OnPremises says that the entry is synchronised from an on-premises directory.
	OnPremises bool
	// HasProxy says that the directory holds any proxyAddresses at all; without, Essentials never sees the entry (R31).
	HasProxy bool

	Name, GivenName, Surname              string
	Department, JobTitle, Company, Office string
	EmployeeID, Mobile, UsageLocation     string
	// Groups are the display names of the groups that the entry is a direct member of, sorted. Filled only when
	// something asks for them.
	Groups []string
	// Members are, for a group, the object ids of its direct members. Filled only when something asks for them.
	Members []string
	// MembersHidden says of a group that its members may not be seen: Members says nothing. Hidden membership reads as an
	// empty list (inferred), so a group without visible members whose membership is hidden counts as such.
	MembersHidden bool
	// Created is when the entry was made, UTC; zero when unknown.
	Created time.Time
}

// Domain is the part of the primary address behind the last "@"; "" without address.
func (e *Entry) Domain() string { return DomainOf(e.Address) }

// DomainOf is the part of an address behind the last "@", as spelled.
func DomainOf(address string) string {
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		return address[i+1:]
	}
	return ""
}

// Fold brings an address to the form in which addresses are compared: trimmed and lower case. Essentials and Exchange
// both compare addresses without regard to case.
func Fold(address string) string { return strings.ToLower(strings.TrimSpace(address)) }

// Addresses splits proxyAddresses into the primary SMTP address and its sorted aliases, all folded: an upper-case
// "SMTP:" marks the primary, a lower-case "smtp:" an alias, any other prefix is not mail (Microsoft, "EmailAddresses").
// ok is false when the list holds no SMTP address; several primaries are kept as aliases behind the first.
func Addresses(proxies []string) (primary string, aliases []string, ok bool) {
	for _, p := range proxies {
		kind, address, found := strings.Cut(p, ":")
		if !found || !strings.EqualFold(kind, "smtp") {
			continue
		}
		if address = Fold(address); address == "" {
			continue
		}
		if kind == "SMTP" && primary == "" {
			primary = address
			continue
		}
		if aliases == nil {
			aliases = make([]string, 0, len(proxies)-1)
		}
		aliases = append(aliases, address)
	}
	slices.Sort(aliases)
	aliases = slices.Compact(aliases)
	if i, found := slices.BinarySearch(aliases, primary); found {
		aliases = slices.Delete(aliases, i, i+1)
	}
	if len(aliases) == 0 {
		aliases = nil
	}
	// Without a primary the directory names no address to deliver to; the entry is seen by its aliases only.
	return primary, aliases, primary != "" || aliases != nil
}
