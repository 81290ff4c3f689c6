package dirsync

import (
	"cmp"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/directory"
)

// finish fills in what the decisions amount to, and puts every list into its order.
func (d *decider) finish() {
	r := d.res
	for _, a := range d.accounts {
		r.Seats.Before += Seat(a)
	}
	r.Seats.After = r.Seats.Before
	written := map[string]bool{}
	r.Decisions = slices.Grow(r.Decisions, len(d.works))
	for _, w := range d.works {
		if w.Held == "" {
			r.Destructive = r.Destructive || w.Destructive
			r.Seats.After += Seat(w.After) - Seat(w.Before)
			for _, x := range w.Loses {
				r.StopsReceiving = append(r.StopsReceiving, Stop{Address: x, Why: stopReason(w, x)})
			}
			if w.Known != "" {
				written[w.Known] = true
			}
		}
		r.Decisions = append(r.Decisions, w.Decision)
	}
	// A decision that is carried out writes the clock along.
	r.Clocks = slices.DeleteFunc(r.Clocks, func(c Clock) bool { return written[c.Address] })

	d.unregistered()
	slices.SortFunc(r.Skips, func(a, b Skip) int {
		return cmp.Or(strings.Compare(a.Address, b.Address), strings.Compare(a.ObjectID, b.ObjectID), strings.Compare(string(a.Code), string(b.Code)))
	})
	slices.SortFunc(r.Links, func(a, b Link) int { return strings.Compare(a.Address, b.Address) })
	slices.SortFunc(r.Clocks, func(a, b Clock) int { return strings.Compare(a.Address, b.Address) })
	slices.SortFunc(r.Waits, func(a, b Wait) int { return strings.Compare(a.Address, b.Address) })
	slices.SortFunc(r.Undecided, func(a, b Undecided) int { return strings.Compare(a.Address, b.Address) })
	slices.SortFunc(r.StopsReceiving, func(a, b Stop) int { return strings.Compare(a.Address, b.Address) })
	slices.SortFunc(r.Foreign, func(a, b Foreign) int { return strings.Compare(a.Address, b.Address) })
	slices.SortFunc(r.Learned, func(a, b Known) int { return strings.Compare(a.Address, b.Address) })
	byBinding := func(a, b Binding) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(a.Address, b.Address),
			strings.Compare(a.ObjectID, b.ObjectID), cmp.Compare(a.UID, b.UID))
	}
	slices.SortFunc(r.Bindings, byBinding)
	r.Bindings = slices.Compact(r.Bindings)
	slices.Sort(r.Strays)
	slices.Sort(r.Forget)
	r.Forget = slices.Compact(r.Forget)
	slices.Sort(r.Notes)
	slices.Sort(r.Problems)
}

func stopReason(w *work, address string) string {
	switch {
	case w.Action == Delete:
		return "its account is deleted"
	case w.After != nil && !w.After.Active:
		return "its account is disabled"
	case address == w.Before.Address:
		return "its account is renamed to " + w.After.Address + " and the directory does not keep it as alias"
	}
	return "the directory does not have it as alias of " + w.After.Address + " any more"
}

// unregistered reports the directory's domains that Essentials does not know: a manual run of the vendor's sync fails on
// them (R34, R36).
func (d *decider) unregistered() {
	if d.req.Directory == nil {
		return
	}
	for _, name := range d.req.Directory.Domains {
		name = directory.Fold(name)
		if _, ok := d.domains[name]; !ok && name != "" {
			d.res.Unregistered = append(d.res.Unregistered, name)
		}
	}
	slices.Sort(d.res.Unregistered)
	d.res.Unregistered = slices.Compact(d.res.Unregistered)
	if n := len(d.res.Unregistered); n > 0 {
		d.note("Essentials does not know %d of the directory's domains: %s. A manual run of the vendor's sync fails on them (R34), and whoever has a primary address in them gets no account (R36); declare them with purpose \"management\" (R35).",
			n, strings.Join(d.res.Unregistered, ", "))
	}
}
