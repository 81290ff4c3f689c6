package planner

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// guard lets each type judge its changes, holds replacements and deletions of protected objects, and holds everything
// destructive while something that it rests on could not be read.
func (p *Part) guard(req *Request) {
	addresses := p.addressCounter(req)
	for _, c := range p.Changes {
		if c.Held != "" || c.Action == NoOp || c.Action == Unknown || c.Action == Release {
			continue
		}
		t := req.Registry.Type(c.Type)
		if (c.Action == DeleteCreate || c.Action == CreateDelete) && c.PreventDestroy {
			p.hold(c, "prevent_destroy", "prevent_destroy forbids to replace it", fmt.Sprintf("# in %s, only if the object may go:\nlifecycle {\n  prevent_destroy = false\n}", c.Address))
			continue
		}
		if (c.Action == DeleteCreate || c.Action == CreateDelete) && !c.Created && !under(c.Address, req.Replace) {
			p.hold(c, "adopted", "Weir found this object, it did not make it, and the change would delete it", "weir plan --replace '"+c.Address+"'   # or give the new object a block of its own")
			continue
		}
		if t == nil || t.Guard == nil {
			continue
		}
		for _, reason := range judge(req, t, c, addresses) {
			p.hold(c, c.Type, reason, "")
		}
	}
	if p.Accounts != nil {
		for _, h := range p.Accounts.Held {
			cure := h.Paste
			if h.Limit == "removals" && cure != "" {
				cure = fmt.Sprintf("# in %s, for once:\n%s# or: weir apply --accept-removals %s=%d\n# or, to keep some of them: weir apply --review", p.AccountPolicy, cure, req.Tenant.Key, h.Count)
			}
			addresses := h.Addresses
			if h.Limit == "removals" {
				addresses = slices.Concat(addresses, p.alsoHeld)
			}
			p.Guards = append(p.Guards, Guard{Name: h.Limit, Addresses: addresses, Text: h.Text, Cure: cure})
		}
	}
}

// judge asks the type what speaks against the change.
func judge(req *Request, t *resource.Type, c *Change, addresses func(domain string) int) []string {
	action := c.Action.Word()
	if c.Action == Adopt {
		action = "update"
	}
	return t.Guard(&resource.GuardRequest{
		Action: action, Planned: orNull(c.After, t), Live: orNull(c.Before, t), Tenant: req.Tenant,
		Mail: req.Observed.Mail, AddressesIn: addresses, Created: c.Created,
	})
}

func (p *Part) hold(c *Change, name, text, cure string) {
	c.Held = text
	p.Guards = append(p.Guards, Guard{Name: name, Addresses: []string{c.Address}, Text: c.Address + ": " + text, Cure: cure})
}

// addressCounter counts, per domain, the account addresses that the plan leaves in place.
func (p *Part) addressCounter(req *Request) func(string) int {
	if req.Observed.Accounts == nil || !req.Observed.Accounts.Proof.Complete {
		return func(string) int { return -1 }
	}
	leaving := map[string]bool{}
	for _, c := range p.Changes {
		if c.Action == Delete && c.Type == "account" && c.Held == "" && req.selects(c) {
			leaving[directory.Fold(text(c.Before, "email"))] = true
		}
		if c.Action == Delete && c.Type == "tenant" && c.Held == "" {
			// The accounts of an organization that goes do not keep its domains.
			return func(string) int { return 0 }
		}
	}
	if p.Accounts != nil {
		for _, d := range p.Accounts.Decisions {
			if d.Action == dirsync.Delete && d.Held == "" && p.selected(req, d) {
				leaving[d.Address] = true
			}
		}
	}
	count := map[string]int{}
	for _, a := range req.Observed.Accounts.Accounts {
		if leaving[a.Address] {
			continue
		}
		count[directory.DomainOf(a.Address)]++
		for _, alias := range a.Aliases {
			count[directory.DomainOf(alias)]++
		}
	}
	return func(domain string) int { return count[strings.ToLower(domain)] }
}

func text(v cty.Value, path string) string {
	if v == cty.NilVal {
		return ""
	}
	s := resource.Get(v, path)
	if s == cty.NilVal || s.IsNull() || !s.IsKnown() || s.Type() != cty.String {
		return ""
	}
	return s.AsString()
}

// selectItems applies targets and excludes. A target keeps the object and what it depends on; an exclusion drops the
// object and what depends on it. Nothing else is touched.
func selectItems(p *Part, req *Request) bool {
	if len(req.Targets) == 0 && len(req.Excludes) == 0 {
		return true
	}
	p.match(req)
	byAddress := map[string]*Change{}
	for _, c := range p.Changes {
		byAddress[c.Address] = c
	}
	needs := p.needs(req)
	precede := Precede(req.Registry)
	goes := func(c *Change) bool { return c.Action == Delete || c.Action == Release }
	stay := p.accountsStay(req)
	keep := map[string]bool{}
	if len(req.Targets) > 0 {
		var mark func(address string)
		mark = func(address string) {
			if keep[address] {
				return
			}
			keep[address] = true
			c := byAddress[address]
			if c == nil {
				return
			}
			if goes(c) {
				// What goes takes along what depends on it, never what it depends on.
				for _, other := range p.Changes {
					if goes(other) && slices.Contains(other.Dependencies, address) {
						mark(other.Address)
					}
				}
				return
			}
			for _, d := range needs(c) {
				if dep := byAddress[d]; dep == nil || !goes(dep) {
					mark(d)
				}
			}
		}
		for _, c := range p.Changes {
			if Matches(c.Address, req.Targets) {
				mark(c.Address)
			}
		}
	} else {
		for _, c := range p.Changes {
			keep[c.Address] = true
		}
	}
	for changed := true; changed; {
		changed = false
		for _, c := range p.Changes {
			if !keep[c.Address] {
				continue
			}
			drop := Matches(c.Address, req.Excludes)
			for _, d := range needs(c) {
				if dep := byAddress[d]; dep != nil && !goes(c) && !keep[d] && dep.Action != NoOp && len(req.Excludes) > 0 {
					drop = true
				}
			}
			// What an object depends on, or lives in, does not go before it.
			for _, other := range p.Changes {
				first := precede[other.Type][c.Type] && req.Destroy && (len(req.Targets) == 0 || c.Type == "tenant")
				if goes(c) && goes(other) && !keep[other.Address] && (first || slices.Contains(other.Dependencies, c.Address)) {
					drop = true
				}
			}
			switch {
			case !goes(c) || len(stay) == 0:
			case c.Type == "tenant", c.Type == "sync_policy", c.Type == "domain" && stay[strings.ToLower(text(c.Before, "name"))]:
				drop = true
			}
			if drop {
				delete(keep, c.Address)
				changed = true
			}
		}
	}
	kept := p.Changes[:0]
	for _, c := range p.Changes {
		if keep[c.Address] {
			kept = append(kept, c)
		}
	}
	p.Changes = kept
	if p.Accounts != nil {
		p.selectAccounts(func(d dirsync.Decision) bool { return p.selected(req, d) })
	}
	return len(p.Changes) > 0 || p.Accounts != nil && len(p.Accounts.Decisions) > 0
}

// match notes which selections name something that is there, whether anything is to be done about it or not.
func (p *Part) match(req *Request) {
	p.Matched = map[string]bool{}
	selections := slices.Concat(req.Targets, req.Excludes)
	note := func(address string) {
		for _, s := range selections {
			if !p.Matched[s] && Matches(address, []string{s}) {
				p.Matched[s] = true
			}
		}
	}
	for _, c := range p.Changes {
		p.Addresses = append(p.Addresses, c.Address)
		note(c.Address)
	}
	if p.Accounts != nil {
		for i := range p.Accounts.Decisions {
			note(AccountAddress(p.AccountPolicy, p.Accounts.Decisions[i].Address))
			note(string(p.Accounts.Decisions[i].Action))
		}
	}
	for address, action := range p.unselected {
		note(AccountAddress(p.AccountPolicy, address))
		note(string(action))
	}
	if req.Prior == nil || !slices.ContainsFunc(selections, func(s string) bool { return !p.Matched[s] }) {
		return
	}
	for a := range req.Prior.Accounts.All() {
		note(AccountAddress(a.Policy, a.Address))
	}
}

// needs returns what a change depends on: what its block refers to, and the organization that it lives in while that is
// still to be made. A block names its tenant by identity only, which is no reference.
func (p *Part) needs(req *Request) func(*Change) []string {
	provider := func(c *Change) string {
		if t := req.Registry.Type(c.Type); t != nil {
			return t.Provider
		}
		return ""
	}
	var home *Change
	for _, c := range p.Changes {
		if c.Type == "tenant" && c.Action == Create {
			home = c
		}
	}
	return func(c *Change) []string {
		if home == nil || c == home || provider(c) != provider(home) {
			return c.Dependencies
		}
		return append(slices.Clone(c.Dependencies), home.Address)
	}
}

// selected reports whether targets and excludes leave an account decision in the plan.
func (p *Part) selected(req *Request, d dirsync.Decision) bool {
	address := AccountAddress(p.AccountPolicy, d.Address)
	group := string(d.Action)
	if len(req.Targets) > 0 && !Matches(address, req.Targets) && !Matches(group, req.Targets) && !Matches(p.AccountPolicy, req.Targets) {
		return false
	}
	return !Matches(address, req.Excludes) && !Matches(group, req.Excludes) && !Matches(p.AccountPolicy, req.Excludes)
}

// accountsStay are the domains of accounts that were to go with everything else and that the selection leaves in place:
// what they live in, and what remembers them, stays too.
func (p *Part) accountsStay(req *Request) map[string]bool {
	out := map[string]bool{}
	if !req.Destroy || p.Accounts == nil {
		return out
	}
	for _, d := range p.Accounts.Decisions {
		if p.selected(req, d) {
			continue
		}
		out[directory.DomainOf(d.Address)] = true
		if d.Before != nil {
			for _, alias := range d.Before.Aliases {
				out[directory.DomainOf(alias)] = true
			}
		}
	}
	return out
}

// Apart gives the decisions that cannot be carried out because of some that are not, and the one because of which: they
// hand an address over to it or get one from it, over however many steps. Both are named by their accounts' addresses.
func Apart(decisions []dirsync.Decision, not map[string]bool) map[string]string {
	out := map[string]string{}
	for changed := len(not) > 0; changed; {
		changed = false
		mark := func(address, because string) {
			if !not[address] && out[address] == "" {
				out[address], changed = because, true
			}
		}
		for i := range decisions {
			d := &decisions[i]
			for _, giver := range d.Needs {
				if not[giver] || out[giver] != "" {
					mark(d.Address, giver)
				}
				if not[d.Address] || out[d.Address] != "" {
					mark(giver, d.Address)
				}
			}
		}
	}
	return out
}

// selectAccounts keeps the account decisions for which keep is true, without those that are tied to one for which it is not.
func (p *Part) selectAccounts(keep func(dirsync.Decision) bool) {
	r := *p.Accounts
	r.Decisions, r.StopsReceiving, r.Destructive = nil, nil, false
	losing := map[string]bool{}
	dropped := map[string]bool{}
	for _, d := range p.Accounts.Decisions {
		if !keep(d) {
			dropped[d.Address] = true
		}
	}
	because := Apart(p.Accounts.Decisions, dropped)
	for _, address := range slices.Sorted(maps.Keys(because)) {
		p.Notes = append(p.Notes, fmt.Sprintf("%s is left out, too: an address goes from one to the other, and the selection leaves out %s.", address, because[address]))
	}
	for _, d := range p.Accounts.Decisions {
		if dropped[d.Address] || because[d.Address] != "" {
			continue
		}
		r.Decisions = append(r.Decisions, d)
		r.Destructive = r.Destructive || d.Destructive && d.Held == ""
		for _, a := range d.Loses {
			losing[a] = true
		}
	}
	for _, s := range p.Accounts.StopsReceiving {
		if losing[s.Address] {
			r.StopsReceiving = append(r.StopsReceiving, s)
		}
	}
	p.Accounts = &r
}

// Matches reports whether an address is one of the selections: equal, below it, or matching as a glob.
func Matches(address string, selections []string) bool {
	for _, s := range selections {
		if address == s || strings.HasPrefix(address, s+".") || strings.HasPrefix(address, s+"[") {
			return true
		}
		if strings.ContainsAny(s, "*?") {
			if ok, err := path.Match(escapeBrackets(s), address); err == nil && ok {
				return true
			}
		}
	}
	return false
}

// escapeBrackets keeps the brackets of instance keys from being read as glob classes.
func escapeBrackets(glob string) string { return strings.ReplaceAll(glob, "[", `\[`) }

// AccountAddress is the address of a derived account: POLICY.account["alice@contoso.com"].
func AccountAddress(policy, mail string) string { return fmt.Sprintf("%s.account[%q]", policy, mail) }

func proofs(o *Observation) []directory.Proof {
	var out []directory.Proof
	if o.Directory != nil {
		out = append(out, o.Directory.Proof)
	}
	if o.Accounts != nil {
		out = append(out, o.Accounts.Proof)
	}
	return out
}
