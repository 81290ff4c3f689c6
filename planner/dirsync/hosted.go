package dirsync

import (
	"github.com/weir-project/weir/providers/directory"
)

// unprotected says why the vendor's own sync must not touch an account that is as it should be and is not on the vendor's
// list of exemptions; "" when there is no reason, or the list was not read. A group's functional account needs none: the
// vendor's sync makes the same of it.
func (d *decider) unprotected(u *unit) string {
	a, e := u.account, u.entry
	if d.req.Exempt == nil || d.req.Exempt[a.Address] || d.req.Exempt[e.Address] || e.Kind.IsGroup() {
		return ""
	}
	if a.Type == directory.FunctionalAccount && u.verdict.want == wantFunctional {
		return "Without an exemption the vendor's sync deletes the functional account and makes a user."
	}
	if d.safeguarded(addresses(a)...) {
		return "safeguard.protected names it, and the vendor's sync knows no safeguard but its exemptions."
	}
	return ""
}

// lifts is "remove" when the account's exemption ends once it is a user again, and otherwise what keeps it: the vendor's sync
// would not spare whom the safeguard protects.
func (d *decider) lifts(a *directory.Account) string {
	switch {
	case !d.safeguarded(addresses(a)...):
		return "remove"
	case d.req.Exempt != nil && !d.req.Exempt[a.Address]:
		return "add"
	}
	return ""
}

// spare puts the account's address on the vendor's list of exemptions and does nothing else. That only protects, so it is
// done whatever could not be read.
func (d *decider) spare(u *unit, linked bool, why string) {
	after := *u.account
	w := d.newWork(u, Protect, &after, append(d.chain(u.entry, u.verdict), linkReasons(u, linked)...))
	w.Record = after.Address
	w.Exempt = "add"
	w.Owned = d.ownedAliases(u, &after)
	w.Adopt = u.known == nil
	w.Cause = d.plainCause()
	if k := u.known; k != nil && k.Converted && !d.req.PolicyChanged {
		w.Cause = CauseDrift // Weir exempted it when it converted it
	}
	w.Reasons = append(w.Reasons, Reason{Rule: "R40", Text: why})
}
