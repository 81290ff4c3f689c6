package dirsync

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/directory"
)

// guard holds what the safeguard does not let pass: protected addresses, the last admins, limits.
func (d *decider) guard() {
	s := &d.p.Safeguard
	d.holdProtected(s)
	d.holdAdmins(s)
	d.holdRemovals(s)
	d.holdCount("conversions", "max_conversions", s.MaxConversions, func(w *work) bool { return w.Action == Convert })
	d.holdCount("additions", "max_additions", s.MaxAdditions, func(w *work) bool { return Seat(w.After) > Seat(w.Before) })
	d.along(func(w *work) bool { return w.Held != "" }, func(w, because *work) {
		w.Held = "It hands an address over together with " + because.Address + ", which is held."
	})
}

// hold marks the works and reports the limit. Works held already stay as they are.
func (d *decider) hold(h Hold, works []*work) {
	for _, w := range works {
		if w.Held == "" {
			w.Held = h.Text
		}
		h.Addresses = append(h.Addresses, w.Address)
	}
	slices.Sort(h.Addresses)
	d.res.Held = append(d.res.Held, h)
}

// removal says that the work takes addresses out of service, or an account out of the world.
func (w *work) removal() bool {
	return w.Action == Delete || w.Action == Disable || len(w.Loses) > 0
}

// counted are the addresses that a removal puts on the limit: an account that goes counts once, by its primary address,
// an alias that an account loses by itself. The deletion of what Weir disabled was counted when it was disabled.
func (w *work) counted() []string {
	switch {
	case w.Action == Delete && !w.Before.Active && w.u.known != nil && w.u.known.Disabled:
		return nil
	case w.Action == Delete || w.Action == Disable:
		return []string{w.Before.Address}
	}
	return w.Loses
}

func (d *decider) holdProtected(s *Safeguard) {
	if len(s.Protected) == 0 {
		return
	}
	var held []*work
	for _, w := range d.works {
		if !w.removal() {
			continue
		}
		names := w.Loses
		if w.Action == Delete || w.Action == Disable {
			names = append(addresses(w.Before), w.Known)
		}
		if d.safeguarded(names...) {
			held = append(held, w)
		}
	}
	if len(held) > 0 {
		d.hold(Hold{Limit: "protected", Count: len(held), Text: "safeguard.protected names it: it never stops receiving."}, held)
	}
}

// safeguarded reports whether safeguard.protected names one of the addresses.
func (d *decider) safeguarded(names ...string) bool {
	if d.protected == nil {
		d.protected = make(map[string]bool, len(d.p.Safeguard.Protected))
		for _, a := range d.p.Safeguard.Protected {
			d.protected[directory.Fold(a)] = true
		}
	}
	return slices.ContainsFunc(names, func(x string) bool { return d.protected[x] })
}

func (d *decider) holdAdmins(s *Safeguard) {
	var leaving []*work
	for _, w := range d.works {
		if w.Held == "" && (w.Action == Delete || w.Action == Disable) && w.Before.Active && w.Before.Type.IsAdmin() {
			leaving = append(leaving, w)
		}
	}
	if len(leaving) == 0 {
		return
	}
	active := 0
	for _, a := range d.accounts {
		if a.Active && a.Type.IsAdmin() {
			active++
		}
	}
	going := len(leaving) + d.req.AdminsLeaving
	if active-going >= s.MinAdmins {
		return
	}
	d.hold(Hold{Limit: "admins", Count: going, Allowed: max(0, active-s.MinAdmins),
		Text: fmt.Sprintf("%d of %d active admin accounts would go, and min_admins = %d must remain.", going, active, s.MinAdmins)}, leaving)
}

// AllowedRemovals is the limit for a tenant with that many owned active accounts.
func (s *Safeguard) AllowedRemovals(ownedActive int) int {
	// The product is rounded before it is rounded up, so that 7 % of 100 is 7 and not 8.
	share := math.Ceil(math.Round(s.MaxRemovalPercent*float64(ownedActive)*1e6) / 1e8)
	return min(s.MaxRemovals, max(1, int(math.Min(share, math.MaxInt32))))
}

func (d *decider) holdRemovals(s *Safeguard) {
	now := d.req.Now
	used := map[string]bool{}
	for _, r := range d.req.Window {
		if now.Sub(r.At) < s.Window {
			used[directory.Fold(r.Address)] = true
		}
	}
	fresh := map[string]bool{}
	var works []*work
	for _, w := range d.works {
		if w.Held != "" || !w.removal() {
			continue
		}
		works = append(works, w)
		for _, x := range w.Counts {
			if !used[x] {
				fresh[x] = true
			}
		}
	}
	for _, x := range d.req.Others {
		if !used[x] {
			fresh[x] = true
		}
	}
	allowed := s.AllowedRemovals(d.res.OwnedActive)
	if len(fresh) == 0 || len(used)+len(fresh) <= allowed {
		if a := s.Allow; a != nil && !d.barred && (a.Until.IsZero() || now.Before(a.Until)) {
			d.note("%s lets %d removals pass, and nothing needs it: the removals of this plan (%d) stay within the limit of %d.", a.source(), a.Removals, len(fresh), allowed)
		}
		return
	}
	if a := s.Allow; a != nil {
		switch {
		case !a.Until.IsZero() && !now.Before(a.Until):
			d.note("%s ended on %s and lets nothing pass any more.", a.source(), day(a.Until))
		case a.Removals != len(fresh):
			d.note("%s lets exactly %d removals pass, and there are %d.", a.source(), a.Removals, len(fresh))
		default:
			d.note("%s lets these %d removals pass: %s", a.source(), a.Removals, a.Reason)
			d.res.Allowed = a.Removals
			return
		}
	}
	h := Hold{Limit: "removals", Count: len(fresh), Used: len(used), Allowed: allowed}
	h.Text = fmt.Sprintf("%s (max_removals = %d, max_removal_percent = %s, of %s)", Exceeds(len(fresh), allowed, s.Window),
		s.MaxRemovals, strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.4f", s.MaxRemovalPercent), "0"), "."), Count(d.res.OwnedActive, "active account", "active accounts"))
	if len(used) > 0 {
		h.Text += fmt.Sprintf(", and %d did so already", len(used))
	}
	h.Text += ". All removals of the tenant are held."
	h.Paste = fmt.Sprintf("safeguard {\n  allow {\n    removals = %d\n    reason   = \"\"\n    until    = %q\n  }\n}\n", len(fresh), now.UTC().AddDate(0, 0, 1).Format("2006-01-02"))
	d.hold(h, works)
}

func (d *decider) holdCount(limit, attribute string, allowed int, is func(*work) bool) {
	var works []*work
	for _, w := range d.works {
		if w.Held == "" && is(w) {
			works = append(works, w)
		}
	}
	if len(works) <= allowed {
		return
	}
	d.hold(Hold{Limit: limit, Count: len(works), Allowed: allowed,
		Text:  fmt.Sprintf("%s planned, and %s = %d. All of them are held.", Count(len(works), strings.TrimSuffix(limit, "s")+" is", limit+" are"), attribute, allowed),
		Paste: fmt.Sprintf("safeguard {\n  %s = %d\n}\n", attribute, len(works))}, works)
}

// Seat is 1 for an account that uses a licence, 0 for any other and for nil.
func Seat(a *directory.Account) int {
	if a != nil && a.Active && a.Billable && a.Type != directory.FunctionalAccount {
		return 1
	}
	return 0
}
