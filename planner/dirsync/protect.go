package dirsync

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/directory"
)

// protections are the exemptions, indexed by what they name.
type protections struct {
	list      []Protection
	byAddress map[string][]int
	byUID     map[int][]int
	byObject  map[string][]int
	// whens and patterns are those that have a condition, or patterns.
	whens, patterns []int
}

func (p *protections) empty() bool { return len(p.list) == 0 }

// hit is the protection that holds for a unit: "unchanged" before "functional_account".
type hit struct {
	*Protection
	via string
}

func (d *decider) protect(in []Protection) {
	p := &d.prot
	p.list = slices.SortedStableFunc(slices.Values(in), func(a, b Protection) int { return strings.Compare(a.Source, b.Source) })
	p.byAddress, p.byUID, p.byObject = map[string][]int{}, map[int][]int{}, map[string][]int{}
	for i := range p.list {
		x := &p.list[i]
		if !x.Expires.IsZero() && d.req.Now.After(x.Expires) {
			d.note("%s ended on %s and goes on protecting: renew or remove it.", x.Source, x.Expires.Format("2006-01-02"))
		}
		for _, a := range x.Addresses {
			a = directory.Fold(a)
			p.byAddress[a] = append(p.byAddress[a], i)
		}
		for _, uid := range x.UIDs {
			if uid != 0 {
				p.byUID[uid] = append(p.byUID[uid], i)
			}
		}
		for _, id := range x.ObjectIDs {
			if id != "" {
				p.byObject[directory.Fold(id)] = append(p.byObject[directory.Fold(id)], i)
			}
		}
		if x.When != nil {
			p.whens = append(p.whens, i)
		}
		if len(x.Patterns) > 0 {
			p.patterns = append(p.patterns, i)
		}
		d.protectGroups(i)
		if x.When == nil && len(x.Groups) == 0 && len(x.Patterns) == 0 {
			p.protectLast(i)
		}
	}
}

// protectGroups resolves group names. A name that does not match exactly one group leaves the last members protected.
func (d *decider) protectGroups(i int) {
	x := &d.prot.list[i]
	if len(x.Groups) == 0 {
		return
	}
	members := map[string]bool{}
	doubt := false
	for _, name := range x.Groups {
		found := d.groupsNamed(name)
		switch len(found) {
		case 1:
			before := len(members)
			if hidden := d.members(found[0], members); hidden != "" {
				doubt = true
				d.note("%s names the group %q, and the members of %q are hidden: it goes on protecting its last members. Grant Member.Read.Hidden.", x.Source, name, hidden)
			} else if len(members) == before && x.Where != "" && !d.barred {
				d.note("%s (%s) names the group %q, which adds nobody.", x.Source, x.Where, name)
			}
		case 0:
			doubt = true
			d.note("%s names the group %q, which the directory does not have: it goes on protecting its last members.", x.Source, name)
		default:
			doubt = true
			d.note("%s names the group %q, and the directory has %d groups of that name: it goes on protecting its last members. Name the group by its address.", x.Source, name, len(found))
		}
	}
	for _, id := range slices.Sorted(keys(members)) {
		d.prot.byObject[id] = append(d.prot.byObject[id], i)
	}
	if doubt && x.Last == nil {
		d.problem("%s protects a group that cannot be found or seen, and whom it protected is not known", x.Source)
	}
	if !doubt && x.When == nil && len(x.Patterns) == 0 && d.shrunken(x, members) {
		doubt = true
	}
	if doubt {
		d.prot.protectLast(i)
	}
}

func (p *protections) protectLast(i int) {
	for _, a := range p.list[i].Last {
		a = directory.Fold(a)
		if !slices.Contains(p.byAddress[a], i) {
			p.byAddress[a] = append(p.byAddress[a], i)
		}
	}
}

// shrunken: more than half of those protected last, and more than one, are no members any more. Groups lose members one
// by one; they lose most of them at once by mistake.
func (d *decider) shrunken(x *Protection, members map[string]bool) bool {
	lost := 0
	now := map[string]bool{}
	for _, a := range x.Addresses {
		now[directory.Fold(a)] = true
	}
	for id := range members {
		if e := d.byID[id]; e != nil {
			now[e.Address] = true
		}
	}
	for _, a := range x.Last {
		if !now[directory.Fold(a)] {
			lost++
		}
	}
	if lost < 2 || lost*2 <= len(x.Last) {
		return false
	}
	d.note("%s protected %d addresses and %d of them are no members any more: it goes on protecting them until the exemption is applied again.", x.Source, len(x.Last), lost)
	return true
}

func (d *decider) groupsNamed(name string) []*directory.Entry {
	var found []*directory.Entry
	for _, g := range d.groups {
		if strings.EqualFold(g.Name, name) || g.Address != "" && g.Address == directory.Fold(name) {
			found = append(found, g)
		}
	}
	return found
}

// members collects the object ids below a group, nested groups too; a group that contains itself ends there. It returns the
// name of a group whose members are hidden; "" when all of them are known.
func (d *decider) members(g *directory.Entry, into map[string]bool) (hidden string) {
	if g.MembersHidden {
		hidden = g.Name
	}
	for _, id := range g.Members {
		id = directory.Fold(id)
		if into[id] {
			continue
		}
		into[id] = true
		if nested := d.groupByID[id]; nested != nil {
			if below := d.members(nested, into); below != "" {
				hidden = below
			}
		}
	}
	return hidden
}

// hiddenGroups bars everything destructive when a predicate looks at groups while the members of one are hidden: an entry
// may only seem to be in none.
func (d *decider) hiddenGroups() {
	var asking []string
	if asksGroups(d.p.Include) {
		asking = append(asking, "include of "+d.p.Address)
	}
	for i := range d.req.Protections {
		if asksGroups(d.req.Protections[i].When) {
			asking = append(asking, "when of "+d.req.Protections[i].Source)
		}
	}
	if len(asking) == 0 {
		return
	}
	for _, g := range d.groups {
		if g.MembersHidden {
			d.problem("%s looks at groups, and the members of %q are hidden: grant the microsoft provider's application Member.Read.Hidden", strings.Join(asking, ", "), g.Name)
			return
		}
	}
}

// groupEntries are all groups known, each once, sorted by object id.
func groupEntries(r *directory.Reading) []*directory.Entry {
	var out []*directory.Entry
	for _, g := range r.Groups {
		if g != nil {
			out = append(out, normalEntry(g))
		}
	}
	for _, e := range r.Entries {
		if e != nil && e.Kind.IsGroup() {
			out = append(out, normalEntry(e))
		}
	}
	// Of two copies of a group the one with members comes first.
	slices.SortStableFunc(out, func(a, b *directory.Entry) int {
		return cmp.Or(strings.Compare(a.ObjectID, b.ObjectID), cmp.Compare(len(b.Members), len(a.Members)), strings.Compare(a.Name, b.Name))
	})
	return slices.CompactFunc(out, func(a, b *directory.Entry) bool { return a.ObjectID != "" && a.ObjectID == b.ObjectID })
}

// protection finds what protects a unit; nil for nothing. An error means that a predicate could not be evaluated.
func (d *decider) protection(u *unit) (*hit, error) {
	p := &d.prot
	if p.empty() {
		return nil, nil
	}
	best := -1
	via := ""
	take := func(candidates []int, how string) {
		d.trace.hold(candidates, how)
		for _, i := range candidates {
			if best < 0 || p.list[best].As == AsFunctional && p.list[i].As != AsFunctional {
				best, via = i, how
			}
		}
	}
	named := func(address string) {
		if address == "" {
			return
		}
		candidates := p.byAddress[address]
		if len(candidates) == 0 {
			return
		}
		take(candidates, "its address "+address)
		for _, i := range candidates {
			b := Binding{Source: p.list[i].Source, Address: address}
			if u.account != nil {
				b.UID = u.account.UID
			}
			if u.entry != nil {
				b.ObjectID = u.entry.ObjectID
			} else if u.known != nil {
				b.ObjectID = u.known.ObjectID
			}
			d.res.Bindings = append(d.res.Bindings, b)
		}
	}
	if u.entry != nil {
		named(u.entry.Address)
		for _, a := range u.entry.Aliases {
			named(a)
		}
		if upn := directory.Fold(u.entry.UPN); upn != u.entry.Address {
			named(upn)
		}
		if c := p.byObject[u.entry.ObjectID]; len(c) > 0 {
			take(c, "its object "+u.entry.ObjectID)
		}
	}
	if u.account != nil {
		named(u.account.Address)
		for _, a := range u.account.Aliases {
			named(a)
		}
		if c := p.byUID[u.account.UID]; len(c) > 0 {
			take(c, fmt.Sprintf("its account %d", u.account.UID))
		}
	}
	if u.known != nil {
		named(u.known.Address)
		if c := p.byObject[u.known.ObjectID]; u.known.ObjectID != "" && len(c) > 0 {
			take(c, "its object "+u.known.ObjectID)
		}
	}
	for _, i := range p.patterns {
		if best >= 0 && (p.list[best].As != AsFunctional || p.list[i].As == AsFunctional) && d.trace == nil {
			continue
		}
		if x, address := p.list[i].matching(u); address != "" {
			take([]int{i}, "the pattern "+x.String()+" on "+address)
		}
	}
	if u.entry != nil && (best < 0 || p.list[best].As == AsFunctional) {
		for _, i := range p.whens {
			match, err := p.list[i].When.Match(u.entry)
			if err != nil {
				return nil, fmt.Errorf("when (%s) of %s: %w", p.list[i].When.Text(), p.list[i].Source, err)
			}
			if match {
				take([]int{i}, "when ("+p.list[i].When.Text()+")")
			}
		}
	}
	if best < 0 {
		return nil, nil
	}
	return &hit{Protection: &p.list[best], via: via}, nil
}

// matching finds an address of the unit that one of the patterns matches; "" for none.
func (x *Protection) matching(u *unit) (directory.Pattern, string) {
	for _, p := range x.Patterns {
		match := func(primary string, aliases []string) string {
			if p.Match(primary) {
				return primary
			}
			for _, a := range aliases {
				if p.Match(a) {
					return a
				}
			}
			return ""
		}
		address := ""
		if u.entry != nil {
			if address = match(u.entry.Address, u.entry.Aliases); address == "" {
				address = match(directory.Fold(u.entry.UPN), nil)
			}
		}
		if address == "" && u.account != nil {
			address = match(u.account.Address, u.account.Aliases)
		}
		if address == "" && u.known != nil {
			address = match(u.known.Address, nil)
		}
		if address != "" {
			return p, address
		}
	}
	return directory.Pattern{}, ""
}

func (h *hit) reason() Reason {
	text := fmt.Sprintf("%s protects it by %s", h.Source, h.via)
	if h.Reason != "" {
		text += ": " + h.Reason
	}
	if h.Owner != "" {
		text += " (" + h.Owner + ")"
	}
	return Reason{Rule: "R40", Text: text + "."}
}
