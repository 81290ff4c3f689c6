package dirsync

import (
	"slices"

	"github.com/weir-project/weir/providers/directory"
)

// A sync carries out what the directory asks for and repairs no drift. These functions tell the two apart for one
// account; state keeps a hash of what was last written, and what Weir converted or disabled.

// drifted reports whether somebody changed the account in Essentials since Weir wrote it.
func (d *decider) drifted(u *unit) bool {
	k := u.known
	return k != nil && k.Hash != "" && k.Hash != Hash(u.account) && k.Hash != ownedHash(u.account, d.stillOwned(u))
}

// directoryPart is what is left of after when a sync leaves alone what somebody changed in Essentials; nil when that is
// all there is. Type and switch of the account stay as they are found unless it is the directory that changed its mind
// about them; names and addresses follow the directory, which never takes an address away that it has.
func (d *decider) directoryPart(u *unit, after *directory.Account, owned []string) *directory.Account {
	if !d.req.Sync || !d.drifted(u) {
		return after
	}
	k, a := u.known, u.account
	if k.Hash == Hash(after) || k.Hash == ownedHash(after, owned) {
		return nil // the directory wants what it wanted
	}
	functional := func(x *directory.Account) bool { return x.Type == directory.FunctionalAccount }
	b := *after
	switch {
	case functional(a) == functional(&b):
	case functional(&b) && !u.converted():
	case functional(a) && (u.converted() || k.Kind != "" && k.Kind != u.entry.Kind):
	default:
		b.Type = a.Type
	}
	switch {
	case a.Active == b.Active:
	case a.Active && !k.Disabled:
	case !a.Active && (k.Disabled || !k.GoneSince.IsZero()):
	default:
		b.Active = a.Active
	}
	if Hash(&b) == Hash(a) {
		return nil
	}
	return &b
}

// leaveDrift lists an account that only a person's change in Essentials sets apart from what the directory asks for.
func (d *decider) leaveDrift(u *unit, reasons []Reason) {
	d.skip(u, SkipDrift, append(slices.Clone(reasons), Reason{Text: "Somebody changed it in Essentials, and a sync leaves that alone: weir drift shows it, weir apply repairs it."}))
}

// ask notes what the directory asks for where the decision does not bring all of it.
func (w *work) ask(asked *directory.Account) {
	if Hash(asked) != Hash(w.After) {
		w.Asked = asked
		w.Reasons = append(w.Reasons, Reason{Text: "What somebody changed in Essentials besides stays as it is found."})
	}
}
