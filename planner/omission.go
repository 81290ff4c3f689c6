package planner

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/state"
)

// Omission is an item that a person left out of a part before approving the rest. What was decided about it stays in the
// part for the record; Review does not list it, so it is not applied.
type Omission struct {
	// Address is the item's; Text describes it for people, as Item.Text does.
	Address string `json:"address"`
	Text    string `json:"text"`
	// Mail, UID and ObjectID are the account's; all zero for a declared object.
	Mail     string `json:"mail,omitempty"`
	UID      int    `json:"uid,omitempty"`
	ObjectID string `json:"object_id,omitempty"`
	// Until is the end of a skip that state is to remember, UTC; zero leaves the item out of this run alone.
	Until time.Time `json:"until,omitzero"`
	// Exemption is the address of the block that was written for the account; "" for none.
	Exemption string `json:"exemption,omitempty"`
	// With is the item that this one depends on, or that depends on it, and along with which it was left out; "" for one
	// that was left out for its own sake.
	With string `json:"with,omitempty"`
	// Reason and By are for people.
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"`
}

// What says for people how long the item is left out, and why.
func (o *Omission) What() string {
	switch {
	case o.Exemption != "":
		return "exempt from now on, by " + o.Exemption
	case !o.Until.IsZero():
		return "left out until " + o.Until.UTC().Format(time.DateOnly)
	case o.With != "":
		return "left out along with " + o.With
	case o.Reason != "":
		return "left out this time: " + o.Reason
	}
	return "left out this time"
}

// Omitted is the omission of an item; nil for one that is not left out.
func (p *Part) Omitted(address string) *Omission {
	for i := range p.Omissions {
		if p.Omissions[i].Address == address {
			return &p.Omissions[i]
		}
	}
	return nil
}

// omitted are the addresses that Review leaves out.
func (p *Part) omitted() map[string]bool {
	out := make(map[string]bool, len(p.Omissions))
	for i := range p.Omissions {
		if p.Omissions[i].Exemption == "" {
			out[p.Omissions[i].Address] = true
		}
	}
	return out
}

// Approve narrows the part, decided again after exemptions were written, to what was approved in reviewed: its items as
// far as they are decided likewise, and what also takes. Everything else is left out. Omissions are taken over.
func (p *Part) Approve(reviewed *Part, also func(address string, item Item) bool) {
	approved := reviewed.Review().Items
	now := p.Review().Items
	var late []Omission
	for _, address := range slices.Sorted(maps.Keys(now)) {
		item, ok := approved[address]
		if ok && item.Covers(now[address]) || also(address, now[address]) || reviewed.Omitted(address) != nil && reviewed.Omitted(address).Exemption == "" {
			continue
		}
		late = append(late, Omission{Address: address, Reason: "it came up after the review"})
	}
	for _, o := range reviewed.Omissions {
		_, decided := now[o.Address]
		switch {
		case o.Exemption == "":
			p.Omit(o)
		case !decided:
			p.Omissions = append(p.Omissions, o)
		}
	}
	p.Omit(late...)
}

// Omit leaves items of the part out. It fills in what the part knows of them; an address without an item is ignored, and
// one that is left out already is left out as is said now.
func (p *Part) Omit(list ...Omission) {
	changes := make(map[string]*Change, len(p.Changes))
	for _, c := range p.Changes {
		changes[c.Address] = c
	}
	decisions := map[string]*dirsync.Decision{}
	if p.Accounts != nil {
		for i := range p.Accounts.Decisions {
			d := &p.Accounts.Decisions[i]
			decisions[AccountAddress(p.AccountPolicy, d.Address)] = d
		}
	}
	place := make(map[string]int, len(p.Omissions)+len(list))
	for i := range p.Omissions {
		place[p.Omissions[i].Address] = i
	}
	for _, o := range list {
		switch d, c := decisions[o.Address], changes[o.Address]; {
		case d != nil:
			o.Text, o.Mail, o.UID, o.ObjectID = DecisionItem(d).Text, d.Address, d.UID, d.ObjectID
		case c != nil:
			o.Text = c.Item().Text
		default:
			continue
		}
		if i, there := place[o.Address]; there {
			p.Omissions[i] = o
			continue
		}
		place[o.Address] = len(p.Omissions)
		p.Omissions = append(p.Omissions, o)
	}
}

// LeftOut are the accounts, by address, and the declared objects that a new decision about the part must leave out. What
// has an exemption is left to that.
func (p *Part) LeftOut() (mails, objects []string) {
	for i := range p.Omissions {
		switch o := &p.Omissions[i]; {
		case o.Exemption != "":
		case o.Mail != "":
			mails = append(mails, o.Mail)
		default:
			objects = append(objects, o.Address)
		}
	}
	return mails, objects
}

// Skips are prior's skips with those that the part's omissions ask for; changed is false when they ask for none. A skip
// of the same account is replaced.
func (p *Part) Skips(prior []state.Skip) (skips []state.Skip, changed bool) {
	skips = slices.Clone(prior)
	for i := range p.Omissions {
		o := &p.Omissions[i]
		if o.Until.IsZero() || o.Mail == "" {
			continue
		}
		same := func(s state.Skip) bool {
			return s.Mail != "" && (s.Mail == o.Mail || o.UID != 0 && s.UID == o.UID || o.ObjectID != "" && s.ObjectID == o.ObjectID)
		}
		skips = append(slices.DeleteFunc(skips, same), state.Skip{
			Address: p.AccountPolicy, Mail: o.Mail, UID: o.UID, ObjectID: o.ObjectID, Until: o.Until, Reason: o.Reason, By: o.By,
		})
		changed = true
	}
	return skips, changed
}

// Couplings says, by address, which items go along when an item is left out: what depends on it, and for accounts what
// hands an address over to it or takes one from it. One step; the caller follows them to their end.
func (p *Part) Couplings() map[string][]string {
	out := map[string][]string{}
	seen := map[[2]string]bool{}
	add := func(left, along string) {
		if pair := [2]string{left, along}; left != along && !seen[pair] {
			seen[pair] = true
			out[left] = append(out[left], along)
		}
	}
	applies := map[string]*Change{}
	for _, c := range p.Changes {
		if c.Applies() {
			applies[c.Address] = c
		}
	}
	goes := func(c *Change) bool { return c.Action == Delete || c.Action == Release }
	for _, c := range p.Changes {
		if applies[c.Address] == nil {
			continue
		}
		for _, d := range c.Dependencies {
			switch dep := applies[d]; {
			case dep == nil:
			case !goes(c) && !goes(dep):
				add(d, c.Address)
			case goes(c) && goes(dep):
				add(c.Address, d) // what it depends on does not go before it
			}
		}
		for _, other := range p.Changes {
			switch {
			case applies[other.Address] == nil || c.Type != "tenant":
			case c.Action == Create:
				add(c.Address, other.Address) // they live in it
			case goes(c) && goes(other):
				add(other.Address, c.Address)
			}
		}
	}
	p.coupleAccounts(applies, add)
	return out
}

// coupleAccounts couples accounts with each other, and with the objects without which they were decided otherwise.
func (p *Part) coupleAccounts(applies map[string]*Change, add func(left, along string)) {
	if p.Accounts == nil {
		return
	}
	made, going := map[string]string{}, map[string]string{}
	var exemptions []string
	organization := ""
	for address, c := range applies {
		switch c.Type {
		case "domain":
			if c.Action == Delete {
				going[strings.ToLower(text(c.Before, "name"))] = address
			} else if c.Action != Release && c.brings("purpose") {
				made[strings.ToLower(text(c.After, "name"))] = address
			}
		case "exemption":
			exemptions = append(exemptions, address)
		case "tenant":
			organization = address
		}
	}
	slices.Sort(exemptions)
	for i := range p.Accounts.Decisions {
		d := &p.Accounts.Decisions[i]
		if d.Held != "" {
			continue
		}
		address := AccountAddress(p.AccountPolicy, d.Address)
		for _, n := range d.Needs {
			giver := AccountAddress(p.AccountPolicy, n)
			add(giver, address)
			add(address, giver)
		}
		if applies[p.AccountPolicy] != nil {
			if p.Removed {
				add(address, p.AccountPolicy)
			} else {
				add(p.AccountPolicy, address)
			}
		}
		if organization != "" && applies[organization].Action == Create {
			add(organization, address)
		}
		if d.After != nil {
			for _, x := range mails(d.After) {
				if !slices.Contains(mails(d.Before), x) && made[domainOf(x)] != "" {
					add(made[domainOf(x)], address)
				}
			}
		}
		for _, x := range mails(d.Before) {
			if domain := going[domainOf(x)]; domain != "" {
				add(address, domain) // no domain goes while an address is in it
			}
		}
		for _, r := range d.Reasons {
			for _, e := range exemptions {
				if strings.HasPrefix(r.Text, e+" ") {
					add(e, address)
				}
			}
		}
	}
}

// brings reports whether the change makes the object, or changes the attribute.
func (c *Change) brings(path string) bool {
	if c.After == cty.NilVal {
		return false
	}
	return c.Action == Create || c.Destructive() || slices.ContainsFunc(c.Paths, func(p PathChange) bool { return p.Path == path })
}

// mails are all addresses of an account; none for nil.
func mails(a *directory.Account) []string {
	if a == nil {
		return nil
	}
	return append([]string{a.Address}, a.Aliases...)
}

func domainOf(mail string) string {
	_, domain, _ := strings.Cut(mail, "@")
	return strings.ToLower(domain)
}
