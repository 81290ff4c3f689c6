package dirsync

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/directory"
)

// unused notes the rules that stand in the configuration and meet nobody: an address with a typo protects nobody, and
// nobody would notice until it is too late. It says so only after complete reads.
func (d *decider) unused() {
	if d.barred || !d.accountsKnown || !d.directoryComplete || !d.kindsKnown {
		return
	}
	// rules are what is still looked for; what is met is crossed off.
	addresses := map[string]bool{}
	var patterns []*patternRule
	var whens []*whenRule
	for i := range d.prot.list {
		x := &d.prot.list[i]
		if x.Where == "" {
			continue
		}
		for _, a := range x.Addresses {
			addresses[directory.Fold(a)] = true
		}
		for _, p := range x.Patterns {
			patterns = append(patterns, &patternRule{Pattern: p, in: i})
		}
		if x.When != nil {
			whens = append(whens, &whenRule{Predicate: x.When, in: i})
		}
	}
	if d.p.Include != nil && d.p.Engine != EngineNone {
		whens = append(whens, &whenRule{Predicate: d.p.Include, in: -1})
	}
	for _, a := range d.p.Safeguard.Protected {
		addresses[directory.Fold(a)] = true
	}
	for a := range d.skips {
		addresses[a] = true
	}
	unmetPatterns := slices.Clone(patterns)
	meet := func(x string) {
		if x == "" {
			return
		}
		delete(addresses, x)
		unmetPatterns = slices.DeleteFunc(unmetPatterns, func(p *patternRule) bool {
			p.met = p.Match(x)
			return p.met
		})
	}
	unmetWhens := slices.Clone(whens)
	for _, e := range d.entries {
		if len(addresses)+len(unmetPatterns)+len(unmetWhens) == 0 {
			return
		}
		if len(addresses)+len(unmetPatterns) > 0 {
			meet(e.Address)
			meet(directory.Fold(e.UPN))
			for _, x := range e.Aliases {
				meet(x)
			}
		}
		unmetWhens = slices.DeleteFunc(unmetWhens, func(w *whenRule) bool {
			match, err := w.Match(e)
			w.met = match || err != nil // what cannot be told is not called unused
			return w.met
		})
	}
	if len(addresses)+len(unmetPatterns) > 0 {
		for _, a := range d.accounts {
			meet(a.Address)
			for _, x := range a.Aliases {
				meet(x)
			}
		}
		for i := range d.known {
			meet(d.known[i].Address)
		}
	}
	d.tellUnused(addresses, patterns, whens)
}

type patternRule struct {
	directory.Pattern
	in  int
	met bool
}

type whenRule struct {
	directory.Predicate
	in  int
	met bool
}

func (d *decider) tellUnused(addresses map[string]bool, patterns []*patternRule, whens []*whenRule) {
	nobody := func(list []string) []string {
		var out []string
		for _, a := range list {
			if a = directory.Fold(a); addresses[a] {
				out = append(out, a)
			}
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	for i := range d.prot.list {
		x := &d.prot.list[i]
		if x.Where == "" {
			continue
		}
		// Whoever was named and renamed since is protected all the same.
		if unmet := nobody(x.Addresses); len(unmet) > d.renamed(x) {
			d.note("%s (%s) names %s, which nobody has.", x.Source, x.Where, someOf(unmet))
		}
	}
	for _, p := range patterns {
		if x := &d.prot.list[p.in]; !p.met {
			d.note("%s (%s) has the pattern %s, which no address matches.", x.Source, x.Where, p.Pattern)
		}
	}
	for _, w := range whens {
		switch {
		case w.met:
		case w.in < 0:
			d.note("%s says include = %s, which is true for nobody.", d.where(), w.Text())
		default:
			x := &d.prot.list[w.in]
			d.note("%s (%s) says when = %s, which is true for nobody.", x.Source, x.Where, w.Text())
		}
	}
	if unmet := nobody(d.p.Safeguard.Protected); len(unmet) > 0 {
		d.note("%s: safeguard.protected names %s, which nobody has.", d.where(), someOf(unmet))
	}
	var left []string
	for a := range d.skips {
		left = append(left, a)
	}
	if unmet := nobody(left); len(unmet) > 0 {
		d.note("A person left %s out, which nobody has any more.", someOf(unmet))
	}
}

// renamed counts those whom the protection follows by id and who have none of its addresses any more.
func (d *decider) renamed(x *Protection) int {
	if len(x.UIDs)+len(x.ObjectIDs) == 0 {
		return 0
	}
	named := map[string]bool{}
	for _, a := range x.Addresses {
		named[directory.Fold(a)] = true
	}
	has := func(primary string, aliases []string) bool {
		return named[primary] || slices.ContainsFunc(aliases, func(a string) bool { return named[a] })
	}
	n := 0
	for _, id := range x.ObjectIDs {
		if e := d.byID[directory.Fold(id)]; e != nil && !has(e.Address, e.Aliases) && !named[directory.Fold(e.UPN)] {
			n++
		}
	}
	if n > 0 {
		return n
	}
	for _, a := range d.accounts {
		if a.UID != 0 && slices.Contains(x.UIDs, a.UID) && !has(a.Address, a.Aliases) {
			n++
		}
	}
	return n
}

// where names the policy and its place.
func (d *decider) where() string {
	if d.p.Where == "" {
		return d.p.Address
	}
	return fmt.Sprintf("%s (%s)", d.p.Address, d.p.Where)
}

// maxNamed is how many addresses a sentence names.
const maxNamed = 10

func someOf(list []string) string {
	if len(list) <= maxNamed {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:maxNamed], ", "), len(list)-maxNamed)
}
