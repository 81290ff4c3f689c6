package dirsync

import (
	"strings"

	"github.com/weir-project/weir/providers/directory"
)

// link brings together what belongs together and hands each unit to visit once; visit must not keep it. Entry, account and record at the same
// address, with the same ids, are the rule and pass through a merge; the rest is linked by object id, Essentials id,
// primary address and alias, in this order.
func (d *decider) link(visit func(*unit)) {
	var rest remainder
	es, as, ks := d.entries, d.accounts, d.known
	for len(es) > 0 && es[0].Address == "" {
		rest.entries = append(rest.entries, es[0])
		es = es[1:]
	}
	var usual unit
	for len(es) > 0 || len(as) > 0 || len(ks) > 0 {
		address := ""
		first := true
		least := func(a string) {
			if first || a < address {
				address, first = a, false
			}
		}
		if len(es) > 0 {
			least(es[0].Address)
		}
		if len(as) > 0 {
			least(as[0].Address)
		}
		if len(ks) > 0 {
			least(ks[0].Address)
		}
		ne, na, nk := 0, 0, 0
		for ne < len(es) && es[ne].Address == address {
			ne++
		}
		for na < len(as) && as[na].Address == address {
			na++
		}
		for nk < len(ks) && ks[nk].Address == address {
			nk++
		}
		if ne == 1 && na == 1 && nk == 1 && ks[0].ObjectID != "" && es[0].ObjectID == ks[0].ObjectID && !d.twice[ks[0].ObjectID] &&
			ks[0].UID != 0 && as[0].UID == ks[0].UID {
			usual = unit{entry: es[0], account: as[0], known: &ks[0]}
			visit(&usual)
		} else if ne == 1 && na == 1 && len(d.known) == 0 {
			// Nothing is remembered of anybody: the account at the primary address is the entry's.
			usual = unit{entry: es[0], account: as[0]}
			visit(&usual)
		} else {
			rest.entries = append(rest.entries, es[:ne]...)
			rest.accounts = append(rest.accounts, as[:na]...)
			for i := range ks[:nk] {
				rest.known = append(rest.known, &ks[i])
			}
		}
		es, as, ks = es[ne:], as[na:], ks[nk:]
	}
	d.linkRest(&rest, visit)
}

// remainder is what the merge could not line up, each list sorted by address.
type remainder struct {
	entries  []*directory.Entry
	accounts []*directory.Account
	known    []*Known
}

func (d *decider) linkRest(rest *remainder, visit func(*unit)) {
	usedEntry := make(map[*directory.Entry]bool)
	usedAccount := make(map[*directory.Account]bool)

	byRecord := d.linkRecords(rest, usedEntry, usedAccount)

	// Entries that nobody remembers: an account at the primary address, then one that shares an alias.
	verdicts := make(map[*directory.Entry]verdict)
	judge := func(e *directory.Entry) verdict {
		v, ok := verdicts[e]
		if !ok {
			v = d.classify(e)
			verdicts[e] = v
		}
		return v
	}
	for _, u := range byRecord {
		visit(u)
	}
	es, as := rest.entries, rest.accounts
	var loose []*unit
	for len(es) > 0 {
		n := 1
		for n < len(es) && es[n].Address == es[0].Address {
			n++
		}
		for len(as) > 0 && as[0].Address < es[0].Address {
			as = as[1:]
		}
		var account *directory.Account
		if len(as) > 0 && as[0].Address == es[0].Address && es[0].Address != "" && !usedAccount[as[0]] {
			account = as[0]
		}
		// Several entries with one address: those that would have an account collide, unless there is only one such.
		var claimants []*directory.Entry
		if es[0].Address != "" && n > 1 {
			for _, e := range es[:n] {
				if judge(e).eligible() {
					claimants = append(claimants, e)
				}
			}
		}
		for _, e := range es[:n] {
			if usedEntry[e] {
				continue
			}
			u := unit{entry: e}
			if n > 1 && e.Address != "" {
				u.verdict, u.judged = judge(e), true
				if len(claimants) > 1 && u.verdict.eligible() {
					u.account = account
					if account != nil {
						usedAccount[account] = true
					}
					d.collide(&u, claimants)
					continue
				}
				if len(claimants) == 1 && claimants[0] != e {
					visit(&u)
					continue
				}
			}
			if account != nil && !usedAccount[account] {
				u.account = account
				usedAccount[account] = true
				visit(&u)
				continue
			}
			one := u
			loose = append(loose, &one)
		}
		es = es[n:]
	}
	var free []*directory.Account
	for _, a := range rest.accounts {
		if !usedAccount[a] {
			free = append(free, a)
		}
	}
	d.linkByAlias(loose, free, usedAccount)
	for _, u := range loose {
		if u.entry != nil {
			visit(u)
		}
	}
	for _, a := range free {
		if !usedAccount[a] {
			visit(&unit{account: a})
		}
	}
}

// linkRecords finds entry and account of every record.
func (d *decider) linkRecords(rest *remainder, usedEntry map[*directory.Entry]bool, usedAccount map[*directory.Account]bool) []*unit {
	if len(rest.known) == 0 {
		return nil
	}
	byUID := make(map[int]*directory.Account, len(rest.accounts))
	byAddress := make(map[string]*directory.Account, len(rest.accounts))
	for _, a := range rest.accounts {
		if a.UID != 0 {
			byUID[a.UID] = a
		}
		byAddress[a.Address] = a
	}
	entryAt := make(map[string][]*directory.Entry, len(rest.entries))
	// An entry that is not among the rest went through the merge with a record of its own.
	inRest := make(map[*directory.Entry]bool, len(rest.entries))
	for _, e := range rest.entries {
		inRest[e] = true
		if e.Address != "" {
			entryAt[e.Address] = append(entryAt[e.Address], e)
		}
	}
	units := make([]*unit, 0, len(rest.known))
	for _, k := range rest.known {
		u := &unit{known: k}
		units = append(units, u)
		if a := byUID[k.UID]; k.UID != 0 && a != nil && !usedAccount[a] {
			u.account = a
			usedAccount[a] = true
		}
	}
	for _, u := range units {
		// The account at the remembered address: its id was not known yet, or it was made again under a new one.
		if a := byAddress[u.known.Address]; u.account == nil && a != nil && !usedAccount[a] {
			u.account = a
			usedAccount[a] = true
		}
	}
	var kept, open []*unit
	for _, u := range units {
		id := u.known.ObjectID
		e := d.byID[id]
		switch {
		case id != "" && (d.twice[id] || e != nil && (usedEntry[e] || !inRest[e])):
			// A second record of one object, or an object read with two faces: nothing follows from it.
			d.skip(u, SkipCollision, []Reason{{Text: "Its directory object " + id + " has several records, or was read with differing facts."}})
			for _, other := range entryAt[u.known.Address] {
				if other.ObjectID == id {
					usedEntry[other] = true
				}
			}
		case id != "" && e != nil:
			usedEntry[e] = true
			u.entry = e
			kept = append(kept, u)
		default:
			open = append(open, u)
		}
	}
	for _, u := range open {
		// The object is gone, but another one has its address: the person was made again.
		addresses := []string{u.known.Address}
		if u.account != nil && u.account.Address != u.known.Address {
			addresses = append(addresses, u.account.Address)
		}
		for _, address := range addresses {
			for _, e := range entryAt[address] {
				if u.entry != nil || usedEntry[e] {
					continue
				}
				v := d.classify(e)
				if !v.eligible() && len(entryAt[address]) > 1 {
					continue
				}
				usedEntry[e] = true
				u.entry, u.verdict, u.judged = e, v, true
			}
		}
		kept = append(kept, u)
	}
	return kept
}

// linkByAlias links entries without account to accounts that know the entry's address as alias, or whose address is
// an alias of the entry, where that is unambiguous on both sides.
func (d *decider) linkByAlias(loose []*unit, free []*directory.Account, usedAccount map[*directory.Account]bool) {
	if len(free) == 0 || len(loose) == 0 {
		return
	}
	primary := make(map[string]*directory.Account, len(free))
	aliases := make(map[string][]*directory.Account)
	for _, a := range free {
		primary[a.Address] = a
		for _, x := range a.Aliases {
			aliases[x] = append(aliases[x], a)
		}
	}
	suitors := make(map[*directory.Account]int)
	candidates := make(map[*unit][]*directory.Account)
	for _, u := range loose {
		if u.entry.Address == "" {
			continue
		}
		found := append([]*directory.Account(nil), aliases[u.entry.Address]...)
		for _, x := range u.entry.Aliases {
			if a := primary[x]; a != nil && !containsAccount(found, a) {
				found = append(found, a)
			}
		}
		if len(found) == 0 {
			continue
		}
		if !u.judged {
			u.verdict, u.judged = d.classify(u.entry), true
		}
		if !u.verdict.eligible() {
			continue
		}
		// A functional account made by hand at somebody's alias is an address of its own, not the person's account.
		var fitting []*directory.Account
		for _, a := range found {
			if a.Type == directory.FunctionalAccount && u.verdict.want != wantFunctional && !contains(a.Aliases, u.entry.Address) {
				continue
			}
			fitting = append(fitting, a)
			suitors[a]++
		}
		if len(fitting) > 0 {
			candidates[u] = fitting
		}
	}
	for _, u := range loose {
		found := candidates[u]
		switch {
		case len(found) == 0:
		case len(found) == 1 && suitors[found[0]] == 1 && !d.declaredAddress(found[0].Address):
			u.account = found[0]
			usedAccount[found[0]] = true
		default:
			var names []string
			for _, a := range found {
				names = append(names, a.Address)
				usedAccount[a] = true
			}
			reasons := []Reason{{Text: "Several accounts or entries share its addresses, so that it is not clear whose account is whose: " +
				strings.Join(names, ", ") + ". Remove the alias from all but one, or declare the accounts."}}
			d.skip(u, SkipCollision, reasons)
			d.trace.contest(found, reasons)
			u.entry = nil
		}
	}
}

func containsAccount(list []*directory.Account, a *directory.Account) bool {
	for _, x := range list {
		if x == a {
			return true
		}
	}
	return false
}

// collide leaves alone an entry whose primary address another entry has too.
func (d *decider) collide(u *unit, claimants []*directory.Entry) {
	var names []string
	for _, e := range claimants {
		names = append(names, kindText(e.Kind)+" "+e.ObjectID)
	}
	d.skip(u, SkipCollision, []Reason{{Text: "Several directory objects have the address " + u.entry.Address + ": " + strings.Join(names, ", ") + "."}})
}

func (d *decider) declaredAddress(address string) bool { return d.req.Declared[address] }
