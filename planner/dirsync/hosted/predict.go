package hosted

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/directory"
)

// Prediction is what the next run of the vendor's sync will do. The zero value predicts nothing.
type Prediction struct {
	// Unknown is why nothing can be predicted: a read is missing or incomplete. Then the rest is empty.
	Unknown string `json:"unknown,omitempty"`
	// Next is about when the next automatic run begins, UTC; zero when none does. Every is the time between two.
	Next  time.Time     `json:"next,omitzero"`
	Every time.Duration `json:"every,omitempty"`
	// Fails is why every run fails, ManualFails why a run by the console's button does although an automatic one would
	// not (R34); "" when they do not. MayFail says what may make every run fail and cannot be read.
	Fails       string `json:"fails,omitempty"`
	ManualFails string `json:"manual_fails,omitempty"`
	MayFail     string `json:"may_fail,omitempty"`
	// ManualDepends are the facts on which ManualFails depends; empty when it is certain.
	ManualDepends []Fact `json:"manual_depends,omitempty"`
	// Items are the effects of the next run, sorted by address, under the expected reading of what cannot be read. Those
	// with Depends are one side of an either-or.
	Items []Item `json:"items,omitempty"`
	// Doubts are the other sides, one for each fact that matters here, sorted by fact.
	Doubts []Doubt `json:"doubts,omitempty"`
	// Seats are the billable accounts before the run and after it, and SeatsAtMost what they may be if every doubt turns
	// out the expensive way.
	SeatsBefore int `json:"seats_before"`
	SeatsAfter  int `json:"seats_after"`
	SeatsAtMost int `json:"seats_at_most"`
}

// Doubt is one fact that cannot be read, and what it changes.
type Doubt struct {
	Fact Fact `json:"fact"`
	// Not are the items of the prediction that do not happen if it is the other way round, Instead those that do.
	Not     []Item `json:"not,omitempty"`
	Instead []Item `json:"instead,omitempty"`
}

// Predict plays the next automatic run through, once under the expected reading and once more for every fact that cannot
// be read and could matter here. The cost is that of a handful of passes over directory and accounts.
func Predict(req Request) *Prediction {
	p := &Prediction{Every: req.Settings.Frequency, Next: next(req.Settings, req.Now)}
	if p.Unknown = unreadable(&req); p.Unknown != "" {
		return p
	}
	for _, a := range req.Accounts.Accounts {
		if billable(a) {
			p.SeatsBefore++
		}
	}
	expected := Assumptions{Memory: req.Remembered}
	base := Run(req, expected, false)
	p.SeatsAfter, p.SeatsAtMost = base.seats, base.seats
	if base.Fails != "" {
		p.Fails, p.SeatsAfter, p.SeatsAtMost = base.Fails, p.SeatsBefore, p.SeatsBefore
		return p
	}
	p.MayFail, p.Items = req.Doubt, base.Items
	p.manual(&req, expected)
	for _, side := range sides(&req, base) {
		a := expected
		side.turn(&a)
		other := Run(req, a, false)
		p.SeatsAtMost = max(p.SeatsAtMost, other.seats)
		if d := compareRuns(base.Items, other.Items); len(d.Not)+len(d.Instead) > 0 {
			d.Fact = side.fact
			p.Doubts = append(p.Doubts, d)
		}
	}
	slices.SortFunc(p.Doubts, func(a, b Doubt) int { return cmp.Compare(a.Fact, b.Fact) })
	p.depend()
	return p
}

// unreadable says why nothing can be predicted.
func unreadable(req *Request) string {
	switch {
	case req.Directory == nil:
		return "the directory could not be read"
	case !req.Directory.Proof.Complete:
		return "the read of the directory is not complete"
	case req.Accounts == nil:
		return "the accounts could not be read"
	case !req.Accounts.Proof.Complete:
		return "the read of the accounts is not complete"
	}
	return ""
}

// next is when the next automatic run begins: one interval after the last that is known to have succeeded, else at the next
// whole multiple of the interval (inferred).
func next(s Settings, now time.Time) time.Time {
	if s.Frequency <= 0 || !s.Configured {
		return time.Time{}
	}
	if at := s.LastRun.Add(s.Frequency); !s.LastRun.IsZero() && at.After(now) {
		return at.UTC()
	}
	return now.UTC().Truncate(s.Frequency).Add(s.Frequency)
}

// manual finds out whether a run by the console's button would fail, and what that depends on.
func (p *Prediction) manual(req *Request, a Assumptions) {
	base := newRun(req, a).unknownDomains()
	if len(base) == 0 {
		return
	}
	p.ManualFails = "Essentials does not know " + strings.Join(base, ", ") + ", which the directory has (R34)"
	with := a
	with.IgnoresInitialDomain = true
	rest := newRun(req, with).unknownDomains()
	if len(rest) == 0 {
		p.ManualDepends = []Fact{InitialDomain}
		return
	}
	// A domain on which nobody has an address may carry no mail at all.
	used := map[string]bool{}
	for _, e := range req.Directory.Entries {
		used[directory.DomainOf(e.Address)] = true
		for _, x := range e.Aliases {
			used[directory.DomainOf(x)] = true
		}
	}
	for _, d := range rest {
		if used[d] {
			return
		}
	}
	if len(rest) < len(base) {
		p.ManualDepends = []Fact{InitialDomain, MailDomains}
		return
	}
	p.ManualDepends = []Fact{MailDomains}
}

// side is one fact turned to its other side.
type side struct {
	fact Fact
	turn func(*Assumptions)
}

// sides are the facts that could matter for this request.
func sides(req *Request, base Outcome) []side {
	var out []side
	s := req.Settings
	var unified, nameless, unnamed, functional bool
	primaries := map[string]string{}
	for _, e := range req.Directory.Entries {
		switch {
		case e.Kind == directory.Microsoft365Group:
			unified = true
		case !e.Kind.IsGroup() && e.Kind != directory.Contact:
			nameless = nameless || e.GivenName == "" && e.Surname == "" && e.Name != ""
		}
		if e.Address == "" && len(e.Aliases) > 0 {
			unnamed = true
			primaries[e.ObjectID] = e.Aliases[0]
		}
	}
	for _, a := range req.Accounts.Accounts {
		functional = functional || a.Type == directory.FunctionalAccount
	}
	if len(req.Remembered) > 0 {
		out = append(out, side{EarlierRuns, func(a *Assumptions) { a.Memory = nil }})
	}
	if s.SyncUsers && s.RemoveUsers {
		out = append(out, side{HandMade, func(a *Assumptions) { a.DeletesHandMade = true }})
	}
	if s.SyncUsers && s.AddUsers && !s.RemoveUsers && functional {
		out = append(out, side{FlipSwitch, func(a *Assumptions) { a.FlipsWithoutRemove = true }})
	}
	if unified {
		out = append(out, side{Microsoft365, func(a *Assumptions) { a.BringsMicrosoft365 = true }})
	}
	if s.SyncUsers && nameless {
		out = append(out, side{Nameless, func(a *Assumptions) { a.LeavesNameless = true }})
	}
	if unnamed {
		out = append(out, side{NoPrimary, func(a *Assumptions) { a.Primaries = primaries }})
	}
	if base.contested {
		out = append(out, side{Contested, func(a *Assumptions) { a.LastFirst = true }})
	}
	if req.Licenses > 0 && base.seats > req.Licenses {
		out = append(out, side{UserCapping, func(a *Assumptions) { a.Capped = true }})
		if !base.contested {
			out = append(out, side{UserCapping, func(a *Assumptions) { a.Capped, a.LastFirst = true, true }})
		}
	}
	return out
}

// alike tells whether two items are the same effect with the same result.
func alike(a, b *Item) bool {
	if a.Effect != b.Effect || a.Address != b.Address || a.Code != b.Code || (a.After == nil) != (b.After == nil) {
		return false
	}
	return a.After == nil || same(a.After, b.After) && a.After.Type == b.After.Type
}

// compareRuns finds what one run does and the other does not; both sorted.
func compareRuns(base, other []Item) Doubt {
	var d Doubt
	i, j := 0, 0
	for i < len(base) || j < len(other) {
		switch {
		case j == len(other) || i < len(base) && compare(base[i], other[j]) < 0:
			d.Not = append(d.Not, base[i])
			i++
		case i == len(base) || compare(base[i], other[j]) > 0:
			d.Instead = append(d.Instead, other[j])
			j++
		default:
			if !alike(&base[i], &other[j]) {
				d.Not, d.Instead = append(d.Not, base[i]), append(d.Instead, other[j])
			}
			i, j = i+1, j+1
		}
	}
	return d
}

// depend writes into the items what they depend on, and joins the two halves of one fact.
func (p *Prediction) depend() {
	for i := range p.Doubts {
		d := &p.Doubts[i]
		for k := range d.Not {
			if at, ok := slices.BinarySearchFunc(p.Items, d.Not[k], compare); ok && !slices.Contains(p.Items[at].Depends, d.Fact) {
				p.Items[at].Depends = append(p.Items[at].Depends, d.Fact)
			}
		}
	}
	joined := p.Doubts[:0]
	for _, d := range p.Doubts {
		if n := len(joined); n > 0 && joined[n-1].Fact == d.Fact {
			joined[n-1].Not = union(joined[n-1].Not, d.Not)
			joined[n-1].Instead = union(joined[n-1].Instead, d.Instead)
			continue
		}
		joined = append(joined, d)
	}
	p.Doubts = joined
}

func union(a, b []Item) []Item {
	out := append(slices.Clone(a), b...)
	slices.SortStableFunc(out, compare)
	return slices.CompactFunc(out, func(a, b Item) bool { return alike(&a, &b) })
}

// Group returns the items with that effect.
func (p *Prediction) Group(e Effect) []Item {
	var out []Item
	for _, i := range p.Items {
		if i.Effect == e {
			out = append(out, i)
		}
	}
	return out
}

// Changes reports whether the run does anything to any account, on any side of a doubt.
func (p *Prediction) Changes() bool {
	acts := func(i Item) bool { return i.Effect.acts() }
	if slices.ContainsFunc(p.Items, acts) {
		return true
	}
	for _, d := range p.Doubts {
		if slices.ContainsFunc(d.Instead, acts) {
			return true
		}
	}
	return false
}

// Sure reports whether the effect on the item's address happens on every side of every doubt, though perhaps with another
// name or alias.
func (p *Prediction) Sure(i *Item) bool {
	for k := range p.Doubts {
		d := &p.Doubts[k]
		if _, not := slices.BinarySearchFunc(d.Not, *i, compare); !not {
			continue
		}
		if _, still := slices.BinarySearchFunc(d.Instead, *i, compare); !still {
			return false
		}
	}
	return true
}

// Acts reports whether the item changes an account.
func (i *Item) Acts() bool { return i.Effect.acts() }

// acts tells the effects that change an account.
func (e Effect) acts() bool {
	switch e {
	case Adding, Updating, Disabling, Deleting:
		return true
	}
	return false
}

// Possible are the items of the prediction and of every other side of its doubts.
func (p *Prediction) Possible() []Item {
	out := slices.Clone(p.Items)
	for _, d := range p.Doubts {
		out = union(out, d.Instead)
	}
	return out
}

// Stop is one address that accepts mail before the run and not after it.
type Stop struct {
	Address string `json:"address"`
	Why     string `json:"why"`
	// Depends are the facts that it depends on; empty when it is certain.
	Depends []Fact `json:"depends,omitempty"`
}

// Stops are the addresses that the run takes out of service, on any side of a doubt, sorted. Each side is looked at by
// itself: what one keeps may stop on another.
func (p *Prediction) Stops() []Stop {
	base := stopsOf(p.Items)
	all := map[string]*Stop{}
	for address, why := range base {
		all[address] = &Stop{Address: address, Why: why}
	}
	for k := range p.Doubts {
		d := &p.Doubts[k]
		other := stopsOf(p.other(d))
		for address, why := range other {
			if _, expected := base[address]; expected {
				continue
			}
			if all[address] == nil {
				all[address] = &Stop{Address: address, Why: why}
			}
			all[address].Depends = append(all[address].Depends, d.Fact)
		}
		for address := range base {
			if _, still := other[address]; !still {
				all[address].Depends = append(all[address].Depends, d.Fact)
			}
		}
	}
	out := make([]Stop, 0, len(all))
	for _, s := range all {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b Stop) int { return strings.Compare(a.Address, b.Address) })
	return out
}

// other are the items of the run if a doubt turns out the other way, sorted.
func (p *Prediction) other(d *Doubt) []Item {
	var rest []Item
	for _, i := range p.Items {
		if _, not := slices.BinarySearchFunc(d.Not, i, compare); !not {
			rest = append(rest, i)
		}
	}
	return union(rest, d.Instead)
}

// stopsOf says of each address that accepts mail before a run and not after it why.
func stopsOf(items []Item) map[string]string {
	kept := map[string]bool{}
	for _, i := range items {
		if i.After != nil && i.After.Active && (i.Effect == Adding || i.Effect == Updating) {
			kept[i.After.Address] = true
			for _, x := range i.After.Aliases {
				kept[x] = true
			}
		}
	}
	out := map[string]string{}
	for _, i := range items {
		if !i.Effect.acts() || i.Before == nil || !i.Before.Active {
			continue
		}
		why := "the vendor's sync deletes its account"
		if i.After != nil {
			why = "the vendor's sync disables its account"
			if i.After.Active {
				why = "the vendor's sync takes it off the account " + i.After.Address
			}
		}
		if i.Rule != "" && i.Rule != "R22" && i.Rule != "R24" {
			why += " (" + i.Rule + ")"
		}
		for _, x := range append(slices.Clone(i.Before.Aliases), i.Before.Address) {
			if x = directory.Fold(x); !kept[x] && out[x] == "" {
				out[x] = why
			}
		}
	}
	return out
}
