package planner

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// Reviewed is what a person or a pipeline agreed to: the items of one part by address, each with a digest of object,
// prior and planned value. Apply carries out an item only if it decides the same one again.
type Reviewed struct {
	Items map[string]Item
}

// Item is one reviewed item.
type Item struct {
	Digest      string
	Destructive bool
	// Text describes the item for people: "~ domain.mail".
	Text string
	// Mail is the address that the account of a decision will have, and Wanted stands for what it will be; "" when it is
	// deleted. Both are "" for declared objects.
	Mail, Wanted string
	// Before is the live object that a destructive item was decided upon; cty.NilVal for every other item and for
	// accounts, whose digest covers it.
	Before cty.Value
	// change is the item of a declared object, nil for an account.
	change *Change
	// newborn says that the review creates the organization that the object comes with: it is there once that is.
	newborn bool
}

// Review lists the items of a part that would be applied: those that nothing holds and nobody left out.
func (p *Part) Review() Reviewed {
	r := Reviewed{Items: map[string]Item{}}
	newborn := p.createsOrganization()
	omitted := p.omitted()
	for _, c := range p.Changes {
		if c.Applies() && !omitted[c.Address] {
			item := c.Item()
			item.newborn = newborn && p.comesAlong(c)
			r.Items[c.Address] = item
		}
	}
	if p.Accounts != nil {
		for i := range p.Accounts.Decisions {
			d := &p.Accounts.Decisions[i]
			if address := AccountAddress(p.AccountPolicy, d.Address); d.Held == "" && !omitted[address] {
				r.Items[address] = DecisionItem(d)
			}
		}
	}
	return r
}

// comesAlong reports whether an organization has the object from the beginning: its settings for accounts, and its
// primary domain.
func (p *Part) comesAlong(c *Change) bool {
	return c.Type == "sync_policy" || c.Type == "domain" && strings.EqualFold(text(c.After, "name"), p.Tenant.PrimaryDomain)
}

// Item is the change as an item of a review.
func (c *Change) Item() Item {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\x00%s\x00%s\x00%s\x00", c.Address, c.Action, c.Type, c.ID)
	for _, p := range c.Paths {
		fmt.Fprintf(&b, "%s\x00%s\x00%s\x00", p.Path, Text(orEmpty(p.Before)), Text(orEmpty(p.After)))
	}
	item := Item{Digest: digest(b.String()), Destructive: c.Destructive(), Text: string(c.Action) + " " + c.Address, Before: cty.NilVal, change: c}
	if item.Destructive {
		item.Before = c.Before
	}
	return item
}

// Covers reports whether what is decided now was agreed to with the item: it is the same, or what an earlier run that
// was applying the same review left of it. A value that the review could not know yet may be any.
func (i Item) Covers(now Item) bool {
	switch {
	case i.Digest == now.Digest:
		return true
	case i.change == nil || now.change == nil || i.change.Address != now.change.Address || i.change.Type != now.change.Type:
		return false
	}
	reviewed, c := i.change, now.change
	came := i.newborn && reviewed.Action == Create && c.Action == Adopt
	return (came || reviewed.leaves(c)) && reviewed.promised(c)
}

// leaves reports whether c, decided later, may be what was left of the change: of an update some attributes, of a
// replacement its second half, of a deletion the memory of the object, of a creation an object that this configuration
// began and did not finish.
func (reviewed *Change) leaves(c *Change) bool {
	made := reviewed.Action == Create || reviewed.Action == DeleteCreate || reviewed.Action == CreateDelete
	switch {
	case reviewed.Action == c.Action:
		return reviewed.ID == c.ID && reviewed.unmoved(c)
	case c.Action == Release:
		return reviewed.Action == Delete && reviewed.ID == c.ID && c.Gone
	case c.Action == Create:
		return reviewed.Action == DeleteCreate
	case c.Action == Adopt:
		// A creation that got no answer: what is found is ours only if it is what was to be made, or is made in several steps.
		return reviewed.Action == Create && c.Created && (len(c.Paths) == 0 || c.Type == "tenant" || c.Type == "app_registration")
	case c.Action == Update:
		return made && c.Created && c.ID != reviewed.ID && !c.drifted()
	}
	return false
}

// unmoved reports whether every attribute that c changes was to be changed, from the same value.
func (reviewed *Change) unmoved(c *Change) bool {
	before := map[string]string{}
	for _, p := range reviewed.Paths {
		before[p.Path] = Text(orEmpty(p.Before))
	}
	for _, p := range c.Paths {
		if was, ok := before[p.Path]; !ok || was != Text(orEmpty(p.Before)) {
			return false
		}
	}
	return !reviewed.Destructive() || len(reviewed.Paths) == len(c.Paths)
}

// drifted reports whether somebody changed an attribute after Weir had written it.
func (c *Change) drifted() bool {
	for _, p := range c.Paths {
		if p.Cause == Drift {
			return true
		}
	}
	return false
}

// promised reports whether c brings every attribute to the value that was reviewed, where that was known.
func (reviewed *Change) promised(c *Change) bool {
	now := map[string]cty.Value{}
	for _, p := range c.Paths {
		now[p.Path] = orEmpty(p.After)
	}
	for _, p := range reviewed.Paths {
		if p.WriteOnly || p.After == cty.NilVal || !p.After.IsWhollyKnown() {
			continue
		}
		after, differs := now[p.Path]
		if !differs && p.Local {
			continue // what Weir alone remembers is so already
		}
		if !differs {
			after = resource.Get(c.After, p.Path)
		}
		if Text(after) != Text(p.After) {
			return false
		}
	}
	return true
}

// DecisionItem is an account decision as an item of a review.
func DecisionItem(d *dirsync.Decision) Item {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\x00%s\x00%s\x00", d.Address, d.Action, d.ObjectID)
	// The hash leaves open which kind of user an account is; a review does not.
	for _, a := range []*directory.Account{d.Before, d.After} {
		if a != nil {
			fmt.Fprintf(&b, "%s\x00%s\x00%t\x00%t", dirsync.Hash(a), a.Type, a.Active, a.Billable)
		}
		b.WriteByte(0)
	}
	b.WriteString(d.Exempt)
	item := Item{Digest: digest(b.String()), Destructive: d.Destructive, Text: string(d.Action) + " " + d.Address, Mail: d.Address}
	if d.After != nil {
		item.Mail, item.Wanted = d.After.Address, dirsync.Hash(d.After)
	}
	return item
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
