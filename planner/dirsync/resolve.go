package dirsync

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/directory"
)

type skipUntil struct {
	until time.Time
}

func (d *decider) leaveOut() {
	d.skips = make(map[string]skipUntil, len(d.req.Skips))
	for a, until := range d.req.Skips {
		a = directory.Fold(a)
		// Two spellings of one address: the one that lasts longer counts, so that the order of the map does not.
		if old, ok := d.skips[a]; !ok || until.IsZero() || !old.until.IsZero() && until.After(old.until) {
			d.skips[a] = skipUntil{until}
		}
	}
}

// addresses are all that the account accepts, the primary first; none for nil.
func addresses(a *directory.Account) []string {
	if a == nil {
		return nil
	}
	return append([]string{a.Address}, a.Aliases...)
}

func holds(a *directory.Account, address string) bool {
	return a != nil && (a.Address == address || contains(a.Aliases, address))
}

// resolve drops the decisions that a person left out and those that collide, finds out which must wait for which, and
// what each loses.
func (d *decider) resolve() {
	slices.SortFunc(d.works, func(a, b *work) int {
		return cmp.Or(strings.Compare(a.Address, b.Address), strings.Compare(a.ObjectID, b.ObjectID), cmp.Compare(a.UID, b.UID))
	})
	d.dropLeftOut()
	d.takeTurns()

	// claims are addresses that a work takes and does not have yet.
	claims := map[string]*work{}
	for _, w := range d.works {
		if w.blocked != nil || w.After == nil {
			continue
		}
		for _, x := range addresses(w.After) {
			if holds(w.Before, x) {
				continue
			}
			if d.req.Declared[x] {
				w.block(SkipCollision, "An account block declares the address %s.", x)
			}
			if other := claims[x]; other != nil {
				w.block(SkipCollision, "Both it and %s claim the address %s.", other.Address, x)
				other.block(SkipCollision, "Both it and %s claim the address %s.", w.Address, x)
				continue
			}
			claims[x] = w
		}
	}
	if len(claims) > 0 {
		d.meetHolders(claims)
	}
	d.meetRecords()
	d.dropCycles()
	d.spread()
	d.losses(claims)
	d.keepLiving()
	d.spread()
	kept := d.works[:0]
	for _, w := range d.works {
		if w.blocked == nil {
			kept = append(kept, w)
			continue
		}
		d.skip(w.u, w.code, append(slices.Clone(w.Reasons), w.blocked...))
	}
	clear(d.works[len(kept):])
	d.works = kept
	if !d.barred {
		return
	}
	// Nothing destructive gets here on an incomplete read; should it ever, it ends here.
	kept = d.works[:0]
	for _, w := range d.works {
		if w.Destructive {
			d.incomplete(w.u)
			continue
		}
		kept = append(kept, w)
	}
	d.works = kept
}

// keepLiving drops what would take an address out of service that another entry of the directory has: a leaver's
// address that the successor got as alias. It goes on receiving until the successor's account has it.
func (d *decider) keepLiving() {
	lost := map[string]*work{}
	for _, w := range d.works {
		for _, x := range w.Loses {
			lost[x] = w
		}
	}
	if len(lost) == 0 {
		return
	}
	for _, e := range d.entries {
		meet := func(x string) {
			w := lost[x]
			if w == nil || w.u.entry == e || w.blocked != nil {
				return
			}
			switch d.classify(e).want {
			case wantUser, wantFunctional, wantAsIs:
				w.block(SkipCollision, "The directory has its address %s at %s (object %s) now, whose account does not have it yet.", x, e.Address, e.ObjectID)
			}
		}
		meet(e.Address)
		for _, x := range e.Aliases {
			meet(x)
		}
	}
}

// takeTurns lets a newcomer wait for the next plan when its primary address is the one that an account is renamed away
// from now: a plan names accounts by address and cannot have two of one. Until then the renamed account keeps the
// address as alias, so that it receives at every moment.
func (d *decider) takeTurns() {
	leaving := map[string]*work{}
	for _, w := range d.works {
		if w.blocked == nil && w.Before != nil && !holds(w.After, w.Before.Address) {
			leaving[w.Before.Address] = w
		}
	}
	if len(leaving) == 0 {
		return
	}
	d.works = slices.DeleteFunc(d.works, func(w *work) bool {
		h := leaving[w.Address]
		if h == nil || w.Action != Add || w.blocked != nil {
			return false
		}
		if h.After == nil {
			w.block(SkipCollision, "An account with its address is to be deleted; what comes after is the next plan's matter.")
			return false
		}
		after := *h.After
		after.Aliases = merge(after.Aliases, []string{w.Address})
		h.After = &after
		h.Owned = merge(h.Owned, []string{w.Address})
		d.res.Waits = append(d.res.Waits, Wait{Address: w.Address, Text: "added by the next plan: " + after.Address + ", which has the address until now, is renamed first and keeps it as alias meanwhile"})
		return true
	})
}

func (w *work) block(code SkipCode, format string, args ...any) {
	if w.blocked == nil {
		w.code = code
	}
	r := Reason{Text: fmt.Sprintf(format, args...)}
	if code == SkipLeftOut {
		r.Rule = "R42"
	}
	w.blocked = append(w.blocked, r)
}

func (d *decider) dropLeftOut() {
	if len(d.skips) == 0 {
		return
	}
	for _, w := range d.works {
		names := append(addresses(w.Before), w.Known)
		if w.After != nil {
			names = append(names, w.After.Address)
		}
		for _, x := range names {
			s, ok := d.skips[x]
			if !ok {
				continue
			}
			switch {
			case s.until.IsZero():
				w.block(SkipLeftOut, "A person left %s out.", x)
			case d.req.Now.After(s.until):
				w.block(SkipLeftOut, "A person left %s out until %s; it is still left out until somebody takes that back.", x, day(s.until))
				d.note("%s was left out until %s and still is: take that back, or renew it.", x, day(s.until))
			default:
				w.block(SkipLeftOut, "A person left %s out until %s.", x, day(s.until))
			}
			break
		}
	}
}

// meetHolders looks for each claimed address among the accounts that exist: its holder either gives it up, and then
// goes first, or keeps it, and then the claim fails.
func (d *decider) meetHolders(claims map[string]*work) {
	holders := make(map[*directory.Account]*work, len(d.works))
	for _, w := range d.works {
		if w.Before != nil {
			holders[w.Before] = w
		}
	}
	for _, a := range d.accounts {
		meet := func(x string) {
			w := claims[x]
			if w == nil || w.Before == a {
				return
			}
			h := holders[a]
			if h != nil && h.blocked == nil && !holds(h.After, x) {
				if !slices.Contains(w.givers, h) {
					w.givers = append(w.givers, h)
					w.Needs = append(w.Needs, h.Address)
				}
				return
			}
			w.block(SkipCollision, "The account %s (%s) holds the address %s.", a.Address, strings.ReplaceAll(string(a.Type), "_", " "), x)
		}
		meet(a.Address)
		for _, x := range a.Aliases {
			meet(x)
		}
	}
	for _, w := range d.works {
		slices.Sort(w.Needs)
	}
}

// meetRecords keeps two accounts from one place in state, which keeps them by address: a new primary address may still be
// the one under which another account is remembered, because somebody renamed that by hand.
func (d *decider) meetRecords() {
	var movers map[string]*work
	// Links are remembered before anything is written.
	left := map[string]bool{}
	for _, x := range d.res.Forget {
		left[x] = true
	}
	for _, l := range d.res.Links {
		if l.From != "" && l.From != l.Address {
			left[l.From] = true
		}
	}
	d.res.Links = slices.DeleteFunc(d.res.Links, func(l Link) bool {
		if l.From == l.Address || left[l.Address] || d.recordAt(l.Address) == nil {
			return false
		}
		d.res.Unchanged--
		d.skip(&unit{account: &directory.Account{Address: l.Address}, known: &Known{ObjectID: l.ObjectID, Kind: l.Kind}}, SkipCollision,
			append(slices.Clone(l.Reasons), Reason{Text: "It is not adopted yet: another account, renamed by hand, is remembered under its address."}))
		return true
	})
	for _, w := range d.works {
		x := w.Record
		if w.blocked != nil || x == "" || x == w.Known {
			continue
		}
		if k := d.recordAt(x); k == nil || left[x] || k == w.u.known {
			continue
		}
		if movers == nil {
			movers = make(map[string]*work, len(d.works))
			for _, m := range d.works {
				if m.Known != "" && m.Record != m.Known {
					movers[m.Known] = m
				}
			}
		}
		switch m := movers[x]; {
		case m == nil || m.blocked != nil:
			w.block(SkipCollision, "Another account, renamed by hand, is remembered under the address %s.", x)
		case !slices.Contains(w.givers, m):
			w.givers = append(w.givers, m)
			w.Needs = append(w.Needs, m.Address)
			slices.Sort(w.Needs)
		}
	}
}

func (d *decider) recordAt(address string) *Known {
	i, found := slices.BinarySearchFunc(d.known, address, func(k Known, x string) int { return strings.Compare(k.Address, x) })
	if !found {
		return nil
	}
	return &d.known[i]
}

// dropCycles blocks works that need each other in a circle: two accounts that swap an address cannot be changed one
// after the other.
func (d *decider) dropCycles() {
	waiting := map[*work]int{}
	takers := map[*work][]*work{}
	for _, w := range d.works {
		for _, g := range w.givers {
			waiting[w]++
			takers[g] = append(takers[g], w)
		}
	}
	var ready []*work
	for _, w := range d.works {
		if waiting[w] == 0 && len(takers[w]) > 0 {
			ready = append(ready, w)
		}
	}
	for len(ready) > 0 {
		w := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for _, t := range takers[w] {
			t.Wave = max(t.Wave, w.Wave+1)
			if waiting[t]--; waiting[t] == 0 {
				ready = append(ready, t)
			}
		}
	}
	for _, w := range d.works {
		if waiting[w] > 0 {
			w.block(SkipCollision, "It swaps addresses with %s: give one of them an address that is free first.", strings.Join(w.Needs, ", "))
		}
	}
}

// spread blocks, along addresses handed over, whoever depends on a blocked work: the taker cannot have the address, and
// the giver would leave it without an account.
func (d *decider) spread() {
	d.along(func(w *work) bool { return w.blocked != nil }, func(w, because *work) {
		w.block(SkipCollision, "An address goes from one to the other, and %s is left as it is.", because.Address)
	})
}

// along visits everybody connected, by addresses handed over, to a work that is marked; visit marks.
func (d *decider) along(marked func(*work) bool, visit func(w, because *work)) {
	near := map[*work][]*work{}
	for _, w := range d.works {
		for _, g := range w.givers {
			near[w] = append(near[w], g)
			near[g] = append(near[g], w)
		}
	}
	if len(near) == 0 {
		return
	}
	var queue []*work
	for _, w := range d.works {
		if marked(w) && len(near[w]) > 0 {
			queue = append(queue, w)
		}
	}
	for len(queue) > 0 {
		w := queue[0]
		queue = queue[1:]
		for _, n := range near[w] {
			if !marked(n) {
				visit(n, w)
				queue = append(queue, n)
			}
		}
	}
}

// losses fills in what each work takes out of service: what its account accepts today and neither it nor a taker
// accepts tomorrow.
func (d *decider) losses(claims map[string]*work) {
	for _, w := range d.works {
		if w.blocked != nil {
			continue
		}
		if w.Before != nil && w.Before.Active {
			for _, x := range addresses(w.Before) {
				if w.After != nil && w.After.Active && holds(w.After, x) {
					continue
				}
				if t := claims[x]; t != nil && t != w && t.blocked == nil && t.After.Active {
					continue
				}
				w.Loses = append(w.Loses, x)
			}
			slices.Sort(w.Loses)
		}
		// Conversions count as destructive: the user loses a login, or the organization a seat.
		w.Counts = w.counted()
		w.Destructive = w.Action == Delete || w.Action == Disable || w.Action == Convert || len(w.Loses) > 0
	}
}
