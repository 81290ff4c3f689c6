package planner

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
)

// Recipients compares every mail address of the directory with what Essentials accepts, before and after the plan. Only
// addresses on domains that Essentials relays count: mail for the others does not come through it. An address is accepted
// when an active account has it.
type Recipients struct {
	// Unknown says why nothing is known; "" when the rest holds.
	Unknown string `json:"unknown,omitempty"`
	// Before and After count the addresses on domains relayed before the plan, and after it.
	Before, After Accepted
	// Elsewhere counts addresses on domains that are not relayed after the plan.
	Elsewhere int
	// Refused are the reasons why addresses are refused after the plan, the most frequent first.
	Refused []Refusal `json:",omitempty"`
}

// Accepted counts addresses.
type Accepted struct{ Accepted, Refused int }

// Refusal is one reason why addresses are refused.
type Refusal struct {
	// Code is a dirsync.SkipCode or one of the Refused constants.
	Code string
	// Count is the number of addresses, New that of those on domains which the plan begins to relay: mail reaches them
	// today and will be refused once it comes through Essentials.
	Count, New int
	// Addresses are examples: the new ones first, sorted, at most 1,000, then others up to 10 in all.
	Addresses []string
}

// The codes of Refusal besides those of dirsync.
const (
	RefusedInactive  = "account_inactive" // an account has it and is disabled (R32)
	RefusedNoAlias   = "alias_missing"    // the entry's account does not have this alias
	RefusedHeld      = "held"             // what would make it accepted is held by a guard
	RefusedNoAccount = "no_account"       // no account has it, and nothing says why
	RefusedNoPolicy  = "no_policy"        // no sync policy decides about the directory
)

// How many examples of a reason are kept: of addresses that are refused today too, and of those that receive.
const (
	maxRefused    = 10
	maxRefusedNew = 1000
)

// relays says, by domain in lower case, whether Essentials accepts mail for it before and after the plan.
type relays map[string]relay

type relay struct {
	before, after bool
	// why says what ends it; "" when nothing does.
	why string
}

// fate is what a plan does to one account. before is nil for one that is made, after for one that goes; after may have
// another address. Both are nil for one that a guard keeps from being made; at is its address.
type fate struct {
	before, after *directory.Account
	decision      *dirsync.Decision
	change        *Change
	at            string
}

func (f *fate) address() string {
	switch {
	case f.before != nil:
		return f.before.Address
	case f.after != nil:
		return f.after.Address
	}
	return f.at
}

// coverage is what recipients are counted from.
type coverage struct {
	// entries are sorted by Address, then ObjectID.
	entries []*directory.Entry
	// result is what the policy decided; nil without one. hosted: the vendor's own sync adds accounts.
	result *dirsync.Result
	hosted bool
	relays relays
	// fates come sorted by address.
	fates iter.Seq[*fate]
	// reasons, by object id, is made when somebody asks for an entry whose skip stands under another address.
	reasons map[string]string
}

// accepting says what the accounts do with an address.
type accepting uint8

const (
	acceptsBefore accepting = 1 << iota
	acceptsAfter
	inactiveAfter
)

// count walks entries and accounts side by side, both by primary address, twice: the first time it notes the addresses
// that do not line up, which are few, the second time it counts.
func (c *coverage) count() Recipients {
	loose := map[string]accepting{}
	note := func(a *directory.Account, except *directory.Entry, active, inactive accepting) {
		if a == nil {
			return
		}
		bit := active
		if !a.Active {
			bit = inactive
		}
		if bit == 0 {
			return
		}
		eachAddress(a.Address, a.Aliases, func(x string) {
			if except != nil && holds(except.Address, except.Aliases, x) {
				return
			}
			if r := c.relays[directory.DomainOf(x)]; r.before || r.after {
				loose[x] |= bit
			}
		})
	}
	c.walk(func(e *directory.Entry, f *fate, again bool) {
		if f == nil || again {
			return
		}
		note(f.before, e, acceptsBefore, 0)
		if f.after != nil && f.after.Address != f.address() {
			e = nil
		}
		note(f.after, e, acceptsAfter, inactiveAfter)
	})

	out := Recipients{}
	refused := map[string]*refusals{}
	c.walk(func(e *directory.Entry, f *fate, again bool) {
		if e == nil {
			return
		}
		var before, after *directory.Account
		if f != nil {
			before = f.before
			if f.after != nil && f.after.Address == e.Address {
				after = f.after
			}
		}
		why, asked := "", false
		eachAddress(e.Address, e.Aliases, func(x string) {
			if x == "" || again && x == e.Address {
				return
			}
			r := c.relays[directory.DomainOf(x)]
			if r.before {
				if accepts(before, x) || loose[x]&acceptsBefore != 0 {
					out.Before.Accepted++
				} else {
					out.Before.Refused++
				}
			}
			if !r.after {
				out.Elsewhere++
				return
			}
			if accepts(after, x) || loose[x]&acceptsAfter != 0 {
				out.After.Accepted++
				return
			}
			out.After.Refused++
			code := ""
			switch {
			case loose[x]&inactiveAfter != 0, after != nil && holds(after.Address, after.Aliases, x):
				code = RefusedInactive
			case f != nil && f.decision != nil && f.decision.Held != "":
				code = RefusedHeld
			case after != nil:
				code = RefusedNoAlias
			default:
				if !asked {
					why, asked = c.reason(e), true
				}
				code = why
			}
			if refused[code] == nil {
				refused[code] = &refusals{}
			}
			refused[code].add(x, !r.before)
		})
	})
	for code, n := range refused {
		slices.Sort(n.fresh)
		slices.Sort(n.others)
		n.others = n.others[:min(len(n.others), max(0, maxRefused-len(n.fresh)))]
		out.Refused = append(out.Refused, Refusal{Code: code, Count: n.count, New: n.new, Addresses: append(n.fresh, n.others...)})
	}
	slices.SortFunc(out.Refused, func(a, b Refusal) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Code, b.Code))
	})
	return out
}

// refusals are a Refusal in the making.
type refusals struct {
	count, new    int
	fresh, others []string
}

func (n *refusals) add(x string, fresh bool) {
	n.count++
	switch {
	case fresh:
		if n.new++; len(n.fresh) < maxRefusedNew {
			n.fresh = append(n.fresh, x)
		}
	case len(n.others) < maxRefused:
		n.others = append(n.others, x)
	}
}

// reason is why the plan makes no account for the entry.
func (c *coverage) reason(e *directory.Entry) string {
	if c.result == nil {
		return RefusedNoPolicy
	}
	i, found := slices.BinarySearchFunc(c.result.Skips, e, func(s dirsync.Skip, e *directory.Entry) int {
		return cmp.Or(strings.Compare(s.Address, e.Address), strings.Compare(s.ObjectID, e.ObjectID))
	})
	if found {
		return string(c.result.Skips[i].Code)
	}
	if c.reasons == nil {
		c.reasons = map[string]string{}
		for _, s := range c.result.Skips {
			c.reasons[s.ObjectID] = string(s.Code)
		}
		for i := range c.result.Decisions {
			if d := &c.result.Decisions[i]; d.Held != "" {
				c.reasons[d.ObjectID] = RefusedHeld
			}
		}
	}
	switch code := c.reasons[e.ObjectID]; {
	case code != "" && e.ObjectID != "":
		return code
	case c.hosted:
		return string(dirsync.SkipHostedEngine)
	}
	return RefusedNoAccount
}

// walk visits entries and fates by primary address: each entry with the fate of the account at its address (nil for
// none), each fate without entry alone. again: an entry with that address was visited before.
func (c *coverage) walk(visit func(e *directory.Entry, f *fate, again bool)) {
	es := c.entries
	last := ""
	pop := func(f *fate) {
		e := es[0]
		es = es[1:]
		visit(e, f, e.Address != "" && e.Address == last)
		last = e.Address
	}
	for f := range c.fates {
		address := f.address()
		for len(es) > 0 && es[0].Address < address {
			pop(nil)
		}
		if len(es) == 0 || es[0].Address != address {
			visit(nil, f, false)
			continue
		}
		for len(es) > 0 && es[0].Address == address {
			pop(f)
		}
	}
	for len(es) > 0 {
		pop(nil)
	}
}

func eachAddress(primary string, aliases []string, visit func(string)) {
	visit(primary)
	for _, x := range aliases {
		visit(x)
	}
}

// holds looks x up in a primary address and sorted aliases.
func holds(primary string, aliases []string, x string) bool {
	if primary == x {
		return true
	}
	_, found := slices.BinarySearch(aliases, x)
	return found
}

func accepts(a *directory.Account, x string) bool {
	return a != nil && a.Active && holds(a.Address, a.Aliases, x)
}
