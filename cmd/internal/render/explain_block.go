package render

import (
	"slices"
	"strings"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
)

// blockAccount is what the next apply does with the account of a declared block.
type blockAccount planner.BlockAccount

// sentence says it.
func (b *blockAccount) sentence() string {
	block := "With the next apply: " + b.Block
	switch {
	case b.Before == nil:
		return block + " makes its account, as " + typeWord(b.After.Type) + "."
	case b.After == nil:
		return block + " is taken away, and its account with it."
	}
	return block + " brings its account up to date."
}

// block finds the declared account that has the address before or after the next apply; nil for none that changes.
func (x *Explainer) block(address string) *blockAccount {
	if address == "" {
		return nil
	}
	for i := range x.q.Blocks {
		if b := &x.q.Blocks[i]; has(b.Before, address) || has(b.After, address) {
			return (*blockAccount)(b)
		}
	}
	return nil
}

// after is what an address is after the next apply, what declared blocks do included.
func (x *Explainer) after(address string) dirsync.Standing {
	s := x.trace.After(address)
	b := x.block(address)
	switch {
	case b == nil:
		return s
	case has(b.After, address):
		return dirsync.Standing{Exists: true, Type: b.After.Type, Active: b.After.Active, Primary: b.After.Address == directory.Fold(address), Account: b.After}
	case s.Account == nil || b.Before == s.Account || b.Before != nil && b.Before.UID == s.Account.UID:
		return dirsync.Standing{}
	}
	return s
}

// coming are the accounts that declared blocks make at addresses of which nothing is known yet, in order of address.
func (x *Explainer) coming() []*blockAccount {
	var out []*blockAccount
	for i := range x.q.Blocks {
		if b := &x.q.Blocks[i]; b.Before == nil && b.After != nil && len(x.trace.Find(b.After.Address)) == 0 {
			out = append(out, (*blockAccount)(b))
		}
	}
	slices.SortFunc(out, func(a, b *blockAccount) int { return strings.Compare(a.After.Address, b.After.Address) })
	return out
}

// blockRow is the line of an account that is coming.
func (x *Explainer) blockRow(b *blockAccount) explainRow {
	address := b.After.Address
	now, after := x.fate(x.trace.Now(address), address), x.fate(x.after(address), address)
	if !x.trace.AccountsKnown() {
		now, after = unknownFate(), unknownFate()
	}
	return explainRow{
		address: address, kind: typeWord(b.After.Type) + ", not in the directory", action: "declared", why: b.sentence(), source: x.source(nil, address),
		mail: turn(now.Mail, after.Mail), login: turn(now.Login, after.Login), digest: turn(now.Digest, after.Digest), billed: turn(now.Billed, after.Billed),
		hosted: x.hosted(nil, address).short(),
	}
}

// source says which block decides about a case and where it stands: the exemption that holds, the block that declares it,
// else the policy.
func (x *Explainer) source(c *dirsync.Case, address string) string {
	at := func(block string) string {
		name, admin := strings.CutSuffix(block, adminSuffix)
		text := name
		if admin {
			text += ", its admin"
		}
		if where := x.q.Sources[name]; where != "" {
			text += " (" + where + ")"
		}
		return text
	}
	addresses := []string{directory.Fold(address)}
	if c != nil {
		addresses = append(append(addresses, c.Name()), allAddresses(c)...)
	}
	if c == nil || c.Declared {
		for _, a := range addresses {
			if block := x.q.DeclaredBy[a]; block != "" {
				return at(block)
			}
		}
	}
	if c != nil && len(c.Protections) > 0 {
		return at(c.Protections[0].Source)
	}
	p := &x.q.Request.Policy
	if c == nil || p.Address == "" {
		return ""
	}
	if p.Where != "" {
		return p.Address + " (" + p.Where + ")"
	}
	return at(p.Address)
}
