package planner

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
)

// Collide holds, in the parts of one plan, the domains that more than one organization of a vendor stack would have: the
// vendor gives a domain, and so every address in it, to one organization only (409 for the second, R33). Only the
// colliding domains and the accounts whose new addresses are in them are held; both tenants are told. A domain that an
// organization has already stays where it is.
func Collide(parts []*Part) {
	type place struct{ stack, domain string }
	owners, takers := map[place]*Part{}, map[place][]*Part{}
	for _, p := range parts {
		for _, name := range p.registered {
			owners[place{p.Tenant.Stack, name}] = p
		}
		for _, c := range p.Changes {
			if name := addsDomain(c); name != "" {
				at := place{p.Tenant.Stack, name}
				takers[at] = append(takers[at], p)
			}
		}
	}
	held := map[*Part]map[string]string{}
	block := func(p *Part, name, why string) {
		if held[p] == nil {
			held[p] = map[string]string{}
		}
		held[p][name] = why
		for _, c := range p.Changes {
			if addsDomain(c) == name {
				p.hold(c, "collision", why, "")
			}
		}
	}
	wanted := slices.SortedFunc(maps.Keys(takers), func(a, b place) int {
		return cmp.Or(strings.Compare(a.stack, b.stack), strings.Compare(a.domain, b.domain))
	})
	for _, at := range wanted {
		all := takers[at]
		if owner := owners[at]; owner != nil && !slices.Contains(all, owner) {
			for _, p := range all {
				block(p, at.domain, fmt.Sprintf("the organization of tenant %q has the domain %s, and a domain is in one organization only: remove it there first", owner.Tenant.Key, at.domain))
				owner.Notes = append(owner.Notes, fmt.Sprintf("tenant %q declares the domain %s too, which this organization has; it is held there.", p.Tenant.Key, at.domain))
			}
			continue
		}
		if len(all) < 2 {
			continue
		}
		var keys []string
		for _, p := range all {
			keys = append(keys, fmt.Sprintf("%q", p.Tenant.Key))
		}
		slices.Sort(keys)
		for _, p := range all {
			block(p, at.domain, fmt.Sprintf("the tenants %s all declare the domain %s, and a domain is in one organization only: leave it in one of them", strings.Join(keys, ", "), at.domain))
		}
	}
	for p, names := range held {
		p.withhold()
		p.holdAccountsIn(names)
		if p.Status != Errored {
			p.Status = Held
		}
		p.forget(names)
	}
}

// addsDomain is the domain that a change adds to its organization, lower case; "" for none.
func addsDomain(c *Change) string {
	if c.Type != "domain" || !c.Applies() || c.Action != Create && c.Action != DeleteCreate && c.Action != CreateDelete {
		return ""
	}
	return strings.ToLower(text(c.After, "name"))
}

// registered are the domains that an organization has, lower case.
func registered(o *Observation) []string {
	var out []string
	for _, l := range o.Objects["domain"].Live {
		if name := strings.ToLower(text(l.Value, "name")); name != "" {
			out = append(out, name)
		}
	}
	return out
}

// holdHomeless holds the accounts whose new addresses are in domains that this plan was to add and does not, because a
// guard holds them.
func (p *Part) holdHomeless() {
	names := map[string]string{}
	for _, c := range p.Changes {
		if c.Type == "domain" && c.Action == Create && (c.Held != "" || c.Skipped != "") {
			if name := strings.ToLower(text(c.After, "name")); name != "" {
				names[name] = c.Address + " is not applied"
			}
		}
	}
	p.holdAccountsIn(names)
}

// holdAccountsIn holds the decisions that give an account a new address in one of the domains, and those that hand an
// address over to one of them or get it from one.
func (p *Part) holdAccountsIn(names map[string]string) {
	if len(names) == 0 || p.Accounts == nil {
		return
	}
	all := p.Accounts.Decisions
	changed := false
	hold := func(d *dirsync.Decision, why string) {
		if d.Held == "" {
			d.Held, changed = why, true
		}
	}
	for i := range all {
		d := &all[i]
		if d.After == nil {
			continue
		}
		eachAddress(d.After.Address, d.After.Aliases, func(x string) {
			domain := directory.DomainOf(x)
			if _, missing := names[domain]; missing && (d.Before == nil || !holds(d.Before.Address, d.Before.Aliases, x)) {
				hold(d, fmt.Sprintf("%s is in the domain %s: %s", x, domain, names[domain]))
			}
		})
	}
	if !changed {
		return
	}
	for changed {
		changed = false
		waits := map[string]bool{}
		for i := range all {
			if all[i].Held != "" {
				waits[all[i].Address] = true
			}
		}
		needed := map[string]string{}
		for i := range all {
			for _, n := range all[i].Needs {
				if all[i].Held != "" {
					needed[n] = all[i].Address
				}
				if waits[n] {
					hold(&all[i], "it takes over an address from "+n+", which is held")
				}
			}
		}
		for i := range all {
			if taker := needed[all[i].Address]; taker != "" {
				hold(&all[i], "it hands an address over to "+taker+", which is held")
			}
		}
	}
	r := *p.Accounts
	losing := map[string]bool{}
	r.Destructive = false
	for i := range all {
		if all[i].Held != "" {
			continue
		}
		r.Destructive = r.Destructive || all[i].Destructive
		for _, x := range all[i].Loses {
			losing[x] = true
		}
	}
	r.StopsReceiving = slices.DeleteFunc(slices.Clone(r.StopsReceiving), func(s dirsync.Stop) bool { return !losing[s.Address] })
	p.Accounts = &r
}

// forget corrects a forecast made before domains were found to collide: the seats that are not taken now are subtracted,
// and what the directory's addresses come to is not known any more.
func (p *Part) forget(names map[string]string) {
	f := p.Forecast
	if f == nil {
		return
	}
	if p.Accounts != nil {
		after := f.Licences.Before
		for i := range p.Accounts.Decisions {
			if d := &p.Accounts.Decisions[i]; d.Held == "" {
				after += dirsync.Seat(d.After) - dirsync.Seat(d.Before)
			}
		}
		f.Licences.After = min(f.Licences.After, after)
		told := map[string]bool{}
		for _, s := range p.Accounts.StopsReceiving {
			told[s.Address] = true
		}
		for i := range p.Accounts.Decisions {
			if d := &p.Accounts.Decisions[i]; d.Held != "" {
				f.Stops = slices.DeleteFunc(f.Stops, func(s dirsync.Stop) bool { return slices.Contains(d.Loses, s.Address) && !told[s.Address] })
			}
		}
	}
	if f.Recipients != nil {
		var list []string
		for name := range names {
			list = append(list, name)
		}
		slices.Sort(list)
		f.Recipients = &Recipients{Unknown: "another tenant has, or declares, " + strings.Join(list, ", ")}
	}
}

// CollideAs holds in a part, decided again for its tenant alone, what the plan of all tenants found to collide: whoever
// decides about one does not see the others.
func (p *Part) CollideAs(planned *Part) {
	names := map[string]string{}
	for _, g := range planned.Guards {
		if g.Name != "collision" {
			continue
		}
		for _, c := range p.Changes {
			if name := addsDomain(c); name != "" && slices.Contains(g.Addresses, c.Address) {
				names[name] = strings.TrimPrefix(g.Text, c.Address+": ")
				p.hold(c, "collision", names[name], "")
			}
		}
	}
	if len(names) == 0 {
		return
	}
	p.withhold()
	p.holdAccountsIn(names)
	if p.Status != Errored {
		p.Status = Held
	}
}
