package planner

import (
	"slices"

	"github.com/weir-project/weir/planner/dirsync"
)

// HeldAccounts reports whether a guard holds any account of the part.
func (p *Part) HeldAccounts() bool {
	return p.Accounts != nil && slices.ContainsFunc(p.Accounts.Decisions, func(d dirsync.Decision) bool { return d.Held != "" })
}

// held are the addresses of what guards hold and nobody left out.
func (p *Part) held() map[string]bool {
	out := map[string]bool{}
	for _, c := range p.Changes {
		if c.Held != "" {
			out[c.Address] = true
		}
	}
	if p.Accounts != nil {
		for i := range p.Accounts.Decisions {
			if d := &p.Accounts.Decisions[i]; d.Held != "" {
				out[AccountAddress(p.AccountPolicy, d.Address)] = true
			}
		}
	}
	for i := range p.Omissions {
		delete(out, p.Omissions[i].Address)
	}
	return out
}

// StayHeld holds in the part, decided again after a review, what the reviewed part held and nobody decided about: with
// what was left out for longer, or as time passes, a limit lets it pass, but nobody has approved it.
func (p *Part) StayHeld(reviewed *Part) {
	held := reviewed.held()
	if len(held) == 0 {
		return
	}
	const still = "It was held when the rest was approved, and is not any more: the next plan asks for it."
	for _, c := range p.Changes {
		if held[c.Address] && c.Applies() {
			c.Held = still
		}
	}
	if p.Accounts == nil {
		return
	}
	for i := range p.Accounts.Decisions {
		d := &p.Accounts.Decisions[i]
		if held[AccountAddress(p.AccountPolicy, d.Address)] && d.Held == "" {
			d.Held = still
		}
	}
}
