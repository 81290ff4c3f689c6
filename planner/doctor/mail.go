package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// domains looks at what Essentials does not know of the directory's domains, and at mail that it is sent and refuses.
func (x *examination) domains() {
	if !x.known("domain") || x.known("tenant") && len(x.live("tenant")) == 0 {
		return // without an organization there is nothing to compare with
	}
	registered := map[string]bool{}
	for _, l := range x.live("domain") {
		name := directory.Fold(text(l.Value, "name"))
		registered[name] = true
		active, _ := flag(l.Value, "active")
		if at := x.Observed.Mail[name].MXAtGateway; at != nil && *at && (text(l.Value, "purpose") != "relay" || !active) {
			x.find("R58", name, "Its MX records point at the gateway, which does not relay for it: mail is refused. The integration imports domains without enabling relay",
				fmt.Sprintf("domain %q {\n  name        = %q\n  purpose     = \"relay\"\n  destination = data.directory.NAME.mail_host[%q]\n}", label(name), name, name))
		}
	}
	if x.Observed.Directory == nil {
		return
	}
	entries := map[string]int{}
	for _, e := range x.Observed.Directory.Entries {
		entries[e.Domain()]++
	}
	for _, name := range x.Observed.Directory.Domains {
		if registered[name] {
			continue
		}
		n := entries[name]
		who := "nobody receives mail under it yet"
		if n > 0 {
			who = fmt.Sprintf("%d directory entries have their primary address in it and get no account (R33)", n)
		}
		x.find("R36", name, "The directory has the domain and Essentials does not: "+who+", and a manual run of the hosted sync fails (R34)",
			fmt.Sprintf("Without mail flow (R35):\n\ndomain %q {\n  name    = %q\n  purpose = \"management\"\n}", label(name), name))
	}
}

func label(domain string) string { return strings.NewReplacer(".", "_", "-", "_").Replace(domain) }

// seats looks for mailboxes of nobody that cost a seat.
func (x *examination) seats() {
	if text(x.wantedSync, "shared_mailboxes") == dirsync.AsUser || x.people == nil || x.Observed.Directory.KindsErr != nil {
		return
	}
	for _, a := range x.accounts() {
		e := x.entry(a)
		if e == nil || e.Kind != directory.SharedMailbox || !a.Active || !a.Billable || a.Type == directory.FunctionalAccount || a.Type.IsAdmin() {
			continue
		}
		x.find("R38", a.Address, "It is a shared mailbox and its account is a user, which costs a seat",
			fmt.Sprintf("Let the policy say shared_mailboxes = \"functional_account\", or for this one:\n\nexemption %q {\n  addresses = [%q]\n  as        = \"functional_account\"\n  reason    = \"shared mailbox\"\n}", label(strings.SplitN(a.Address, "@", 2)[0]), a.Address))
	}
}

// delivery looks at what Exchange Online makes of mail that comes through the gateway, and past it.
func (x *examination) delivery() {
	if !x.known("m365_connector") || !x.known("mail_flow_rule") || len(x.Gateway.DeliveryRanges) == 0 || !x.receives() {
		return
	}
	locked, filtered := false, false
	for _, l := range x.live("m365_connector") {
		enabled, _ := flag(l.Value, "enabled")
		if text(l.Value, "direction") != "inbound" || !enabled || strings.EqualFold(text(l.Value, "connector_type"), "OnPremises") {
			continue
		}
		restrict, _ := flag(l.Value, "restrict_to_ip_ranges")
		locked = locked || restrict
		skip, _ := flag(l.Value, "enhanced_filtering.skip_last_ip")
		filtered = filtered || skip || covers(words(l.Value, "enhanced_filtering.skip_ip_ranges"), x.Gateway.DeliveryRanges)
	}
	for _, l := range x.live("mail_flow_rule") {
		enabled, _ := flag(l.Value, "enabled")
		if !enabled || text(l.Value, "mode") != "enforce" {
			continue
		}
		scl := resource.Get(l.Value, "set_scl")
		if n, ok := resource.Whole(l.Value, "set_scl"); ok && !scl.IsNull() && n == -1 && covers(words(l.Value, "sender_ip_ranges"), x.Gateway.DeliveryRanges) {
			filtered = true
		}
		if text(l.Value, "reject.reason") != "" && text(l.Value, "from_scope") == "not_in_organization" && covers(words(l.Value, "except.sender_ip_ranges"), x.Gateway.DeliveryRanges) {
			locked = true
		}
	}
	if !filtered {
		x.find("R61", "Exchange Online", "Mail arrives through the gateway, and neither a rule (SCL -1) nor enhanced filtering covers all of its addresses: Exchange Online takes it for a source of spam",
			"mail_flow_rule \"bypass\" {\n  sender_ip_ranges = tenant.NAME.delivery_ranges\n  set_scl          = -1\n}")
	}
	if !locked {
		x.find("R67", "Exchange Online", "Mail arrives through the gateway, and nothing refuses mail that is sent past it: lock the tenant down",
			"m365_connector \"inbound\" {\n  direction             = \"inbound\"\n  enabled               = true\n  restrict_to_ip_ranges = true\n}")
	}
}

// receives reports whether mail arrives through the gateway: some relay domain's MX is there, and none is known to be
// elsewhere.
func (x *examination) receives() bool {
	some := false
	for _, l := range x.live("domain") {
		if text(l.Value, "purpose") != "relay" {
			continue
		}
		at := x.Observed.Mail[directory.Fold(text(l.Value, "name"))].MXAtGateway
		switch {
		case at == nil:
		case *at:
			some = true
		default:
			return false
		}
	}
	return some
}

// covers reports whether have holds every address of each network, in one piece or in several. What is no network covers
// nothing.
func covers(have, networks []string) bool {
	var ours []netip.Prefix
	for _, h := range have {
		if p, err := netip.ParsePrefix(h); err == nil {
			ours = append(ours, p.Masked())
		} else if a, err := netip.ParseAddr(h); err == nil {
			ours = append(ours, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	for _, n := range networks {
		if p, err := netip.ParsePrefix(n); err != nil || !covered(ours, p.Masked()) {
			return false
		}
	}
	return len(networks) > 0
}

// covered halves the network until each part lies in one of ours or touches none.
func covered(ours []netip.Prefix, p netip.Prefix) bool {
	near := slices.DeleteFunc(slices.Clone(ours), func(o netip.Prefix) bool { return !o.Overlaps(p) })
	switch {
	case len(near) == 0:
		return false
	case slices.ContainsFunc(near, func(o netip.Prefix) bool { return o.Bits() <= p.Bits() }):
		return true
	}
	low := netip.PrefixFrom(p.Addr(), p.Bits()+1)
	bytes := p.Addr().AsSlice()
	bytes[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	upper, _ := netip.AddrFromSlice(bytes) // as long as the address it was made of
	return covered(near, low) && covered(near, netip.PrefixFrom(upper, p.Bits()+1))
}
