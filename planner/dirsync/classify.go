package dirsync

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/directory"
)

// want is what the policy wants of an entry's account.
type want uint8

const (
	wantNothing    want = iota // no account of its own; one that exists is left alone
	wantOut                    // out of the policy's scope: out_of_scope decides
	wantUnknown                // not to be judged: nothing happens
	wantUser                   // an active user
	wantFunctional             // an active functional account
	wantInactive               // an account that is refused mail
	wantAsIs                   // blocked sign-in kept: active or not, as it is
)

// verdict is a want with what led to it. Reasons are built only when somebody will read them.
type verdict struct {
	want want
	code SkipCode
	err  error
}

// eligible says that the entry claims addresses of its own.
func (v verdict) eligible() bool { return v.want >= wantUser }

// classify judges an entry by itself: kind before everything, sign-in last (R32, R38).
func (d *decider) classify(e *directory.Entry) verdict {
	kind := e.Kind
	switch kind {
	case directory.Guest:
		return verdict{code: SkipGuest}
	case directory.Contact:
		return verdict{code: SkipContact}
	case directory.DynamicDistributionGroup:
		return verdict{code: SkipDynamic}
	}
	switch {
	case !e.HasProxy:
		return verdict{code: SkipNoProxy}
	case e.Address == "":
		return verdict{code: SkipNoPrimary}
	case e.ObjectID == "" || !plausible(e.Address):
		return verdict{code: SkipUnknownEntry}
	case d.twice[e.ObjectID]:
		return verdict{want: wantUnknown, code: SkipCollision}
	}
	if kind == directory.UnknownKind || kind == directory.User && !d.kindsKnown {
		// Only a licensed entry that may sign in is a person for certain; any other may be a shared mailbox.
		if !e.Enabled || !e.Licensed {
			return verdict{want: wantUnknown, code: SkipUnknownKind}
		}
		kind = directory.User
	}
	as := AsUser
	switch kind {
	case directory.User:
		if !d.p.SyncUsers {
			return verdict{want: wantOut, code: SkipSyncOff}
		}
	case directory.SharedMailbox, directory.Room, directory.Equipment:
		if !d.p.SyncUsers {
			return verdict{want: wantOut, code: SkipSyncOff}
		}
		as = d.p.SharedMailboxes
		if kind != directory.SharedMailbox {
			as = d.p.Rooms
		}
		if as != AsFunctional && as != AsUser {
			return verdict{want: wantOut, code: SkipKindOff}
		}
	case directory.DistributionGroup, directory.Microsoft365Group:
		as = AsFunctional
		if !d.p.SyncDistributionGroups {
			return verdict{want: wantOut, code: SkipSyncOff}
		}
	case directory.SecurityGroup:
		as = AsFunctional
		if !d.p.SyncSecurityGroups {
			return verdict{want: wantOut, code: SkipSyncOff}
		}
	default:
		return verdict{want: wantUnknown, code: SkipUnknownKind}
	}
	if !d.registered(directory.DomainOf(e.Address)) {
		return verdict{code: SkipUnregistered}
	}
	if d.p.Include != nil {
		in, err := d.p.Include.Match(e)
		if err != nil {
			return verdict{want: wantUnknown, code: SkipPredicate, err: err}
		}
		if !in {
			return verdict{want: wantOut, code: SkipNotIncluded}
		}
	}
	if as == AsFunctional {
		return verdict{want: wantFunctional}
	}
	if kind == directory.User && !e.Enabled {
		switch d.p.BlockedSignIn {
		case AsFunctional:
			return verdict{want: wantFunctional, code: SkipBlocked}
		case AsDisable:
			return verdict{want: wantInactive, code: SkipBlocked}
		default:
			return verdict{want: wantAsIs, code: SkipBlocked}
		}
	}
	return verdict{want: wantUser}
}

// Reasons that do not depend on the entry are shared: a tenant may have 100,000 of them.
var fixedReasons = map[SkipCode][]Reason{
	SkipGuest:        {{Rule: "R1", Text: "It is a guest: its mailbox is elsewhere, and the synchronisation brings over users and groups of the tenant."}},
	SkipContact:      {{Rule: "R1", Text: "It is a mail contact: its mailbox is elsewhere, and the synchronisation brings over users and groups of the tenant."}},
	SkipDynamic:      {{Rule: "R37", Text: "Dynamic distribution lists are not supported by Essentials: declare an account block for its address if mail to it must be accepted."}},
	SkipNoProxy:      {{Rule: "R31", Text: "The directory holds no proxyAddresses for it, so Essentials does not see it."}},
	SkipNoPrimary:    {{Rule: "R31", Text: "Its proxyAddresses name no primary SMTP address."}},
	SkipUnknownEntry: {{Text: "The directory gives it no object id, or an address that is none."}},
	SkipHostedEngine: {{Text: `With engine "essentials" the vendor's own sync does this.`}},
}

// chainOf is all that a chain of reasons depends on.
type chainOf struct {
	want     want
	code     SkipCode
	kind     directory.Kind
	domain   string
	licensed bool
	adopted  bool
}

// chain is how the verdict was reached, in order. It is shared by all entries of which the same is true: append copies it.
func (d *decider) chain(e *directory.Entry, v verdict) []Reason {
	if fixed := fixedReasons[v.code]; fixed != nil {
		return slices.Clip(fixed)
	}
	if v.err != nil {
		return d.newChain(e, v)
	}
	key := chainOf{want: v.want, code: v.code, kind: e.Kind, domain: directory.DomainOf(e.Address), licensed: e.Licensed}
	out, ok := d.chains[key]
	if !ok {
		out = slices.Clip(d.newChain(e, v))
		d.keepChain(key, out)
	}
	return out
}

// adoptedChain is the chain of an entry whose account is adopted by its primary address.
func (d *decider) adoptedChain(u *unit) []Reason {
	e, v := u.entry, u.verdict
	key := chainOf{want: v.want, code: v.code, kind: e.Kind, domain: directory.DomainOf(e.Address), licensed: e.Licensed, adopted: true}
	out, ok := d.chains[key]
	if !ok {
		out = slices.Clip(append(d.chain(e, v), linkReasons(u, false)...))
		d.keepChain(key, out)
	}
	return out
}

// keepChain keeps a chain unless the directory has so many domains that chains seldom repeat.
func (d *decider) keepChain(key chainOf, chain []Reason) {
	if d.chains == nil {
		d.chains = map[chainOf][]Reason{}
	}
	if len(d.chains) < 1<<12 {
		d.chains[key] = chain
	}
}

func hasItAs(k directory.Kind) string { return "The directory has it as " + kindText(k) + "." }

// named is a copy of reasons in which the entry is named by its object id, for the few that are shown by themselves.
func named(reasons []Reason, e *directory.Entry) []Reason {
	out := slices.Clone(reasons)
	if e != nil && len(out) > 0 && out[0].Text == hasItAs(e.Kind) {
		out[0].Text = fmt.Sprintf("The directory has it as %s (object %s).", kindText(e.Kind), e.ObjectID)
	}
	return out
}

func (d *decider) newChain(e *directory.Entry, v verdict) []Reason {
	out := []Reason{{Text: hasItAs(e.Kind)}}
	add := func(rule, format string, args ...any) []Reason {
		return append(out, Reason{Rule: rule, Text: fmt.Sprintf(format, args...)})
	}
	switch v.code {
	case SkipCollision:
		return add("", "The directory read shows the object more than once with differing facts.")
	case SkipUnknownKind:
		if d.kindsErr != nil {
			return add("R38", "Exchange could not be read (%v), and without it this entry cannot be told from a shared mailbox.", d.kindsErr)
		}
		return add("R38", "Its kind is not known, so it cannot be told from a shared mailbox.")
	case SkipSyncOff:
		return add("R20", "The policy does not synchronise %ss: sync leaves them out.", kindText(e.Kind))
	case SkipKindOff:
		name := "shared_mailboxes"
		if e.Kind != directory.SharedMailbox {
			name = "rooms"
		}
		return add("R38", `The policy says %s = "skip".`, name)
	case SkipUnregistered:
		return add("R33", "Its primary domain %s is not registered in Essentials: declare a domain block for it.", directory.DomainOf(e.Address))
	}
	domain := directory.DomainOf(e.Address)
	if dom := d.domains[domain]; dom.Relay {
		out = add("R33", "Its primary domain %s is registered.", domain)
	} else {
		out = add("R35", "Its primary domain %s is registered for management: no mail flows for it.", domain)
	}
	if d.p.Include != nil {
		switch v.code {
		case SkipPredicate:
			return add("", "include (%s) cannot be evaluated for it: %v.", d.p.Include.Text(), v.err)
		case SkipNotIncluded:
			return add("", "include (%s) is false for it.", d.p.Include.Text())
		}
		out = add("", "include (%s) is true for it.", d.p.Include.Text())
	}
	switch {
	case v.code == SkipBlocked:
		out = add("R32", "Its sign-in is blocked; the policy says blocked_sign_in = %q.", d.p.BlockedSignIn)
	case v.want == wantFunctional && e.Kind.IsGroup():
		out = add("R23", "A group becomes an address without a seat.")
	case v.want == wantFunctional && e.Kind == directory.SharedMailbox:
		out = add("R38", `The policy says shared_mailboxes = "functional_account"; a shared mailbox is never disabled for its blocked sign-in.`)
	case v.want == wantFunctional:
		out = add("R38", `The policy says rooms = "functional_account"; a resource mailbox is never disabled for its blocked sign-in.`)
	case e.Kind == directory.User || e.Kind == directory.UnknownKind:
		out = add("R32", "Its sign-in is enabled.")
		if !e.Licensed {
			out = add("R1", "It has no licence, which the synchronisation does not ask for.")
		}
	default:
		out = add("R38", "The policy makes it a user, whose sign-in is not looked at.")
	}
	return out
}

func kindText(k directory.Kind) string { return strings.ReplaceAll(string(k), "_", " ") }

// registered says whether Essentials knows the domain, in either purpose.
func (d *decider) registered(domain string) bool {
	if domain == d.lastDomain {
		return d.lastKnown
	}
	_, ok := d.domains[domain]
	d.lastDomain, d.lastKnown = domain, ok
	return ok
}
