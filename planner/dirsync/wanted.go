package dirsync

import (
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/directory"
)

// wanted computes the account as it should be, which of its aliases the directory asks for, and whether it is so
// already; then after is nil.
func (d *decider) wanted(u *unit) (after *directory.Account, owned []string, same bool) {
	v, e, a := u.verdict, u.entry, u.account
	if v.want == wantInactive {
		// A refused account is left as it is otherwise; what changed meanwhile follows when it comes back.
		if !a.Active {
			return nil, d.ownedAliases(u, a), true
		}
		b := *a
		b.Active = false
		return &b, d.ownedAliases(u, a), false
	}
	typ, active := a.Type, true
	switch {
	case v.want == wantAsIs:
		active = a.Active
	case v.want == wantFunctional && !a.Type.IsAdmin():
		typ = directory.FunctionalAccount
	case v.want == wantFunctional:
		// An admin whose sign-in is blocked keeps its type and its state.
		active = a.Active
	case a.Type == directory.FunctionalAccount:
		typ = d.p.NewUserRole
	}
	first, sur := d.names(e, a)
	plain := typ == a.Type && active == a.Active && first == a.FirstName && sur == a.Surname && e.Address == a.Address
	if plain && len(e.Aliases) == len(a.Aliases) && slices.Equal(e.Aliases, a.Aliases) && d.allRegistered(e.Aliases) {
		return nil, a.Aliases, true
	}
	owned = d.wantedAliases(e)
	aliases := owned
	if foreign := d.foreign(u, owned); len(foreign) > 0 {
		d.res.Foreign = append(d.res.Foreign, Foreign{Address: a.Address, Aliases: foreign})
		aliases = merge(owned, foreign)
	}
	if d.barred {
		// Nothing that is accepted today may be lost: the rest of the account's addresses stay.
		var keep []string
		for _, x := range append(slices.Clone(a.Aliases), a.Address) {
			if x != e.Address && !contains(aliases, x) {
				keep = append(keep, x)
			}
		}
		slices.Sort(keep)
		aliases = merge(aliases, keep)
		// They stay owned, so that a complete read may remove them.
		owned = merge(owned, keep)
	}
	if plain && slices.Equal(aliases, a.Aliases) {
		return nil, owned, true
	}
	b := *a
	b.Type, b.Active, b.FirstName, b.Surname, b.Address, b.Aliases = typ, active, first, sur, e.Address, aliases
	return &b, owned, false
}

// foreign are addresses of the account that neither the directory asks for nor Weir wrote: somebody's work, kept.
func (d *decider) foreign(u *unit, owned []string) []string {
	var out []string
	add := func(x string) {
		if x == u.entry.Address || contains(owned, x) {
			return
		}
		if k := u.known; k != nil && (x == k.Address || contains(k.Aliases, x)) {
			return
		}
		out = append(out, x)
	}
	for _, x := range u.account.Aliases {
		add(x)
	}
	add(u.account.Address)
	slices.Sort(out)
	return out
}

// ownedAliases are those of the account's aliases that the directory asks for, or asked for.
func (d *decider) ownedAliases(u *unit, a *directory.Account) []string {
	var out []string
	for _, x := range a.Aliases {
		switch {
		case u.entry != nil && contains(u.entry.Aliases, x),
			u.known != nil && contains(u.known.Aliases, x):
			out = append(out, x)
		}
	}
	return out
}

// wantedAliases are the entry's aliases on registered domains.
func (d *decider) wantedAliases(e *directory.Entry) []string {
	if d.allRegistered(e.Aliases) {
		return e.Aliases
	}
	var out []string
	for _, x := range e.Aliases {
		if d.takes(x) {
			out = append(out, x)
		}
	}
	return out
}

func (d *decider) allRegistered(aliases []string) bool {
	for _, x := range aliases {
		if !d.takes(x) {
			return false
		}
	}
	return true
}

func (d *decider) takes(alias string) bool {
	return d.registered(directory.DomainOf(alias)) && plausible(alias)
}

// merge unites two sorted lists without common elements.
func merge(a, b []string) []string {
	if len(b) == 0 {
		return a
	}
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return out
}

// names are the account's names as the directory wants them. A name that the directory leaves empty is kept; an entry
// without given name and surname (a group, a shared mailbox) gives its display name.
func (d *decider) names(e *directory.Entry, a *directory.Account) (first, sur string) {
	first, sur = clean(e.GivenName), clean(e.Surname)
	if first == "" && sur == "" {
		name := clean(e.Name)
		if name == "" || strings.TrimSpace(a.FirstName+" "+a.Surname) == name {
			return a.FirstName, a.Surname
		}
		return name, ""
	}
	if first == "" {
		first = a.FirstName
	}
	if sur == "" {
		sur = a.Surname
	}
	return first, sur
}
