package planner

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
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
}

// Review lists the items of a part that would be applied.
func (p *Part) Review() Reviewed {
	r := Reviewed{Items: map[string]Item{}}
	for _, c := range p.Changes {
		if c.Applies() {
			r.Items[c.Address] = c.Item()
		}
	}
	if p.Accounts != nil {
		for i := range p.Accounts.Decisions {
			if d := &p.Accounts.Decisions[i]; d.Held == "" {
				r.Items[AccountAddress(p.AccountPolicy, d.Address)] = DecisionItem(d)
			}
		}
	}
	return r
}

// Item is the change as an item of a review.
func (c *Change) Item() Item {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\x00%s\x00%s\x00%s\x00", c.Address, c.Action, c.Type, c.ID)
	for _, p := range c.Paths {
		fmt.Fprintf(&b, "%s\x00%s\x00%s\x00", p.Path, Text(orEmpty(p.Before)), Text(orEmpty(p.After)))
	}
	item := Item{Digest: digest(b.String()), Destructive: c.Destructive(), Text: string(c.Action) + " " + c.Address, Before: cty.NilVal}
	if item.Destructive {
		item.Before = c.Before
	}
	return item
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
