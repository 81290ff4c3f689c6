package dirsync

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/directory"
)

// assess decides about one unit by itself. What depends on other units (collisions, limits) comes later.
func (d *decider) assess(u *unit) {
	if u.account != nil && u.known != nil && u.account.Active {
		d.res.OwnedActive++
	}
	if d.declared(u) {
		d.skip(u, SkipDeclared, []Reason{{Text: "An account or admin block declares it."}})
		if u.known != nil {
			d.res.Forget = append(d.res.Forget, u.known.Address)
		}
		return
	}
	protection, err := d.protection(u)
	if err != nil {
		d.skip(u, SkipPredicate, []Reason{{Text: fmt.Sprintf("Whether it is exempt cannot be told: %v.", err)}})
		return
	}
	switch {
	case protection != nil:
		d.exempt(u, protection)
	case d.p.Engine == EngineNone:
	case u.entry == nil:
		d.withoutEntry(u)
	default:
		if !u.judged {
			u.verdict = d.classify(u.entry)
		}
		if u.account == nil {
			d.withoutAccount(u)
		} else {
			d.compare(u)
		}
	}
}

func (d *decider) declared(u *unit) bool {
	if len(d.req.Declared) == 0 {
		return false
	}
	return u.entry != nil && d.req.Declared[u.entry.Address] ||
		u.account != nil && d.req.Declared[u.account.Address] ||
		u.known != nil && d.req.Declared[u.known.Address]
}

// exempt leaves the unit untouched, or makes its user a functional account (R39) under the exemption (R40).
func (d *decider) exempt(u *unit, h *hit) {
	reasons := []Reason{h.reason()}
	d.stopClock(u.known)
	if h.As != AsFunctional || u.account == nil || u.account.Type == directory.FunctionalAccount {
		d.skip(u, SkipExempt, reasons)
		return
	}
	if u.account.Type.IsAdmin() {
		d.skip(u, SkipAdmin, append(reasons, adminReason(u.account)))
		return
	}
	if d.barred {
		d.incomplete(u)
		return
	}
	cause := CauseConfiguration
	switch {
	case u.known != nil && u.known.Converted:
		cause = CauseDrift
	case d.req.Sync:
		cause = CauseDirectory // the configuration is the applied one: whom it exempts changed in the directory
	}
	if d.req.Sync && cause == CauseDrift {
		d.leaveDrift(u, reasons)
		return
	}
	after := *u.account
	after.Type = directory.FunctionalAccount
	after.Active = true
	w := d.newWork(u, Convert, &after, append(reasons, Reason{Rule: "R39", Text: "It becomes a functional account and keeps its addresses."}))
	w.Cause = cause
	w.Adopt = u.known == nil && u.entry != nil
	if w.Adopt {
		w.Record = after.Address
	}
	w.Owned = d.ownedAliases(u, &after)
}

func adminReason(a *directory.Account) Reason {
	return Reason{Text: fmt.Sprintf("Its account is %s: no account is ever moved out of an admin type.", strings.ReplaceAll(string(a.Type), "_", " "))}
}

// withoutAccount: the entry lives and Essentials has no account for it.
func (d *decider) withoutAccount(u *unit) {
	v := u.verdict
	switch {
	case !v.eligible():
		d.skip(u, v.code, d.chain(u.entry, v))
		return
	case v.want == wantInactive || v.want == wantAsIs:
		d.skip(u, SkipBlocked, append(d.chain(u.entry, v), Reason{Rule: "R21", Text: "No account is made for a blocked sign-in."}))
		return
	case d.p.Engine == EngineEssentials:
		d.res.SkipCounts[string(SkipHostedEngine)]++
		if d.trace != nil {
			d.trace.skip(u, Skip{Code: SkipHostedEngine, Address: u.entry.Address, ObjectID: u.entry.ObjectID, Kind: u.entry.Kind,
				Reasons: append(slices.Clone(d.chain(u.entry, v)), fixedReasons[SkipHostedEngine]...)})
		}
		return
	}
	if !d.switches(u.entry.Kind).Add {
		rule := "R21"
		if u.entry.Kind.IsGroup() {
			rule = "R23"
		}
		d.skip(u, SkipAddOff, append(d.chain(u.entry, v), Reason{Rule: rule, Text: "The policy says add = false for it."}))
		return
	}
	after := &directory.Account{Address: u.entry.Address, Type: d.p.NewUserRole, Active: true, Billable: true}
	if v.want == wantFunctional {
		after.Type = directory.FunctionalAccount
	}
	after.FirstName, after.Surname = d.names(u.entry, &directory.Account{})
	after.Aliases = d.wantedAliases(u.entry)
	reasons := d.chain(u.entry, v)
	if k := u.known; k != nil {
		if k.SettleUntil.After(d.req.Now) {
			d.res.Waits = append(d.res.Waits, Wait{Address: after.Address, Until: k.SettleUntil, Text: "made a moment ago and not visible yet"})
			return
		}
		text := "Weir managed its account, which vanished in Essentials while its entry lives: it is made again."
		if inDoubt(k) {
			text = "An earlier attempt to make it got no answer, and Essentials has no account for it."
		}
		reasons = append(reasons, Reason{Text: text})
	} else {
		reasons = append(reasons, Reason{Rule: addRule(u.entry.Kind), Text: "Essentials has no account for it."})
	}
	if after.Type != directory.FunctionalAccount {
		reasons = append(reasons, d.roleReason())
	}
	w := d.newWork(u, Add, after, reasons)
	w.Record = after.Address
	w.Created = true
	w.Owned = after.Aliases
	w.Cause = d.plainCause()
	if u.known != nil && !inDoubt(u.known) {
		w.Cause = CauseDrift
	}
}

// inDoubt: the record stands for an addition whose outcome nobody saw.
func inDoubt(k *Known) bool { return k.UID == 0 && k.Hash == "" }

func addRule(k directory.Kind) string {
	if k.IsGroup() {
		return "R23"
	}
	return "R21"
}

// own says that the record is this policy's; one that names none counts as such.
func (d *decider) own(k *Known) bool { return k.Policy == d.p.Address || k.Policy == "" }

// stopClock: whoever lives, or is exempt, is not on the way out; should that end, the clock starts anew.
func (d *decider) stopClock(k *Known) {
	if k != nil && !k.GoneSince.IsZero() {
		d.res.Clocks = append(d.res.Clocks, Clock{Address: k.Address})
	}
}

func (d *decider) plainCause() string {
	if d.req.PolicyChanged {
		return CauseConfiguration
	}
	return CauseDirectory
}

func (d *decider) switches(k directory.Kind) Switches {
	if k.IsGroup() {
		return d.p.Groups
	}
	return d.p.Users
}

// compare brings the account of a living entry to what the policy wants.
func (d *decider) compare(u *unit) {
	v, e, a, k := u.verdict, u.entry, u.account, u.known
	if v.want != wantUnknown && (v.want != wantOut || d.p.OutOfScope != AsRemove) {
		d.stopClock(k)
	}
	switch {
	case v.want == wantOut && k != nil && d.own(k) && d.p.OutOfScope == AsRemove:
		d.remove(u, append(d.chain(e, v), Reason{Text: `The policy says out_of_scope = "remove".`}))
		return
	case v.want == wantOut && k != nil:
		d.skip(u, v.code, append(d.chain(e, v), Reason{Text: `Its account is kept: the policy says out_of_scope = "keep".`}))
		return
	case !v.eligible():
		d.skip(u, v.code, d.chain(e, v))
		return
	}
	linked := k != nil && k.ObjectID == e.ObjectID && d.own(k)
	if !linked && !d.directoryComplete {
		d.incomplete(u)
		return
	}
	if a.Type == directory.FunctionalAccount && v.want != wantFunctional && !u.created() && !u.converted() {
		d.undecided(u)
		return
	}
	if k == nil && a.Active {
		d.res.OwnedActive++
	}
	if d.p.Engine == EngineEssentials {
		d.compareHosted(u, linked)
		return
	}
	after, owned, same := d.wanted(u)
	if same {
		d.unchanged(u, linked, owned)
		return
	}
	if k != nil && k.SettleUntil.After(d.req.Now) && (k.Hash == Hash(after) || k.Hash == ownedHash(after, owned)) {
		d.res.Waits = append(d.res.Waits, Wait{Address: a.Address, Until: k.SettleUntil, Text: "changed a moment ago and not visible yet"})
		return
	}
	reasons := d.chain(e, v)
	asked := after
	if after = d.directoryPart(u, asked, owned); after == nil {
		d.leaveDrift(u, reasons)
		return
	}
	if !d.switches(e.Kind).Update {
		rule := "R22"
		if e.Kind.IsGroup() {
			rule = "R24"
		}
		d.skip(u, SkipUpdateOff, append(reasons, Reason{Rule: rule, Text: "The policy says update = false for it, so this stays: " + differences(a, after) + "."}))
		return
	}
	action := actionOf(a, after)
	if d.barred && (action == Disable || action == Convert) {
		d.incomplete(u)
		return
	}
	w := d.newWork(u, action, after, append(reasons, linkReasons(u, linked)...))
	w.ask(asked)
	w.Record = after.Address
	w.Owned = owned
	w.Adopt = k == nil
	w.Created = u.created()
	w.Cause = d.cause(u)
	w.Reasons = append(w.Reasons, actionReason(action, a, after, k))
	if w.Cause == CauseDrift {
		w.Reasons = append(w.Reasons, Reason{Text: "The account is not as Weir left it: somebody changed it in Essentials."})
	}
}

// cause tells drift from the rest: an account that is as Weir left it was changed by nobody.
func (d *decider) cause(u *unit) string {
	if !d.req.Sync && d.drifted(u) {
		return CauseDrift
	}
	return d.plainCause() // in a sync, only what the directory asks for is left
}

// stillOwned are the account's aliases that the directory asked for when it was last written.
func (d *decider) stillOwned(u *unit) []string {
	var out []string
	for _, x := range u.account.Aliases {
		if contains(u.known.Aliases, x) {
			out = append(out, x)
		}
	}
	return out
}

func actionOf(before, after *directory.Account) Action {
	functional := func(a *directory.Account) bool { return a.Type == directory.FunctionalAccount }
	switch {
	case before.Active && !after.Active:
		return Disable
	case functional(before) != functional(after):
		return Convert
	case !before.Active && after.Active:
		return Enable
	case before.Address != after.Address:
		return Rename
	}
	return Update
}

func actionReason(action Action, before, after *directory.Account, k *Known) Reason {
	switch action {
	case Disable:
		return Reason{Rule: "R32", Text: "It is disabled: mail to it is refused."}
	case Convert:
		if after.Type == directory.FunctionalAccount {
			return Reason{Rule: "R39", Text: "It becomes a functional account: mail flows on, without a seat."}
		}
		return Reason{Rule: "R18", Text: "It becomes a user again, as " + strings.ReplaceAll(string(after.Type), "_", " ") + "."}
	case Enable:
		if k != nil && !k.GoneSince.IsZero() {
			return Reason{Rule: "R32", Text: "It is back in the directory and is enabled again."}
		}
		return Reason{Rule: "R32", Text: "It is enabled: mail to it is accepted."}
	case Rename:
		return Reason{Rule: "R22", Text: "The same object has another primary address now: " + differences(before, after) + "."}
	}
	return Reason{Rule: "R22", Text: "It differs: " + differences(before, after) + "."}
}

// linkReasons say why this account belongs to this entry, when state does not.
func linkReasons(u *unit, linked bool) []Reason {
	if linked {
		return nil
	}
	e, a := u.entry, u.account
	switch {
	case u.known != nil && u.known.ObjectID != e.ObjectID:
		return []Reason{{Text: fmt.Sprintf("Its address belonged to object %q, which is gone; object %s has it now.", u.known.ObjectID, e.ObjectID)}}
	case u.known != nil:
		return []Reason{{Text: "Another policy (" + u.known.Policy + ") managed it."}}
	case a.Address == e.Address:
		return []Reason{{Text: "Adopted: an account with its primary address exists."}}
	}
	return []Reason{{Text: "Adopted: the account " + a.Address + " has an address of it."}}
}

func differences(before, after *directory.Account) string {
	var out []string
	field := func(name, from, to string) {
		if from != to {
			out = append(out, fmt.Sprintf("%s %q becomes %q", name, from, to))
		}
	}
	field("address", before.Address, after.Address)
	field("type", string(before.Type), string(after.Type))
	field("active", fmt.Sprint(before.Active), fmt.Sprint(after.Active))
	field("first name", before.FirstName, after.FirstName)
	field("surname", before.Surname, after.Surname)
	if more := without(after.Aliases, before.Aliases); len(more) > 0 {
		out = append(out, "aliases added: "+strings.Join(more, ", "))
	}
	if less := without(before.Aliases, after.Aliases); len(less) > 0 {
		out = append(out, "aliases removed: "+strings.Join(less, ", "))
	}
	return strings.Join(out, "; ")
}

// without returns what is in a and not in b; both sorted.
func without(a, b []string) []string {
	var out []string
	for _, x := range a {
		if !contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

// unchanged counts the account, adopts it when state does not have it, and stops a grace clock.
func (d *decider) unchanged(u *unit, linked bool, owned []string) {
	d.res.Unchanged++
	e, a, k := u.entry, u.account, u.known
	if u.verdict.want == wantFunctional && a.Type.IsAdmin() {
		d.skip(u, SkipAdmin, append(d.chain(e, u.verdict), adminReason(a)))
	}
	if !linked || k.Address != a.Address {
		l := Link{Address: a.Address, UID: a.UID, ObjectID: e.ObjectID, Kind: e.Kind, Owned: owned, Hash: ownedHash(a, owned)}
		if k == nil && a.Address == e.Address && u.verdict.err == nil {
			l.Reasons = d.adoptedChain(u)
		} else {
			l.Reasons = append(d.chain(e, u.verdict), linkReasons(u, linked)...)
		}
		if len(d.known) == 0 && d.res.Links == nil {
			d.res.Links = make([]Link, 0, len(d.accounts)) // a first run adopts nearly all
		}
		if k != nil {
			l.From, l.Created, l.Converted, l.Disabled = k.Address, u.created(), u.converted(), k.Disabled && !a.Active
			if linked {
				l.Reasons = append(l.Reasons, Reason{Text: "Its account was renamed in Essentials as in the directory."})
			}
		}
		d.res.Links = append(d.res.Links, l)
		return
	}
	if d.barred {
		return
	}
	// Somebody may have made the same change by hand. Without the new hash every later change would pass for drift.
	hash := k.Hash
	if hash != Hash(a) {
		hash = ownedHash(a, owned)
	}
	if k.UID != a.UID || k.Kind != e.Kind || k.Hash != hash || !slices.Equal(k.Aliases, owned) {
		n := *k
		n.Hash, n.Created, n.Converted = hash, u.created(), u.converted()
		n.UID, n.Kind, n.Aliases, n.GoneSince = a.UID, e.Kind, owned, time.Time{}
		d.res.Learned = append(d.res.Learned, n)
	}
}

// compareHosted leaves additions and updates to the vendor's sync and does what that cannot: blocked sign-ins and
// shared mailboxes become functional accounts behind an exemption, and users again when that ends (R39, R40).
func (d *decider) compareHosted(u *unit, linked bool) {
	v, e, a, k := u.verdict, u.entry, u.account, u.known
	after := *a
	exempt, action := "", Convert
	switch {
	case v.want == wantFunctional && a.Type == directory.FunctionalAccount && !a.Active && u.converted():
		after.Active, action = true, Enable // it was converted so that it goes on receiving
	case v.want == wantFunctional && !e.Kind.IsGroup() && a.Type != directory.FunctionalAccount && !a.Type.IsAdmin():
		after.Type, after.Active, exempt = directory.FunctionalAccount, true, "add"
	case v.want == wantUser && a.Type == directory.FunctionalAccount:
		after.Type, after.Active, exempt = d.p.NewUserRole, true, "remove"
	default:
		if why := d.unprotected(u); why != "" {
			d.spare(u, linked, why)
			return
		}
		d.unchanged(u, linked, d.ownedAliases(u, a))
		return
	}
	if !d.p.Users.Update {
		d.skip(u, SkipUpdateOff, append(d.chain(e, v), Reason{Rule: "R22", Text: "The policy says update = false for it."}))
		return
	}
	if d.barred {
		d.incomplete(u)
		return
	}
	rest := d.directoryPart(u, &after, d.ownedAliases(u, &after))
	if rest == nil {
		d.leaveDrift(u, d.chain(e, v))
		return
	}
	asked := after
	after = *rest
	if exempt == "add" {
		after.Active = true // it was the vendor's sync that disabled it, because of the blocked sign-in (R32), and not a person
	}
	w := d.newWork(u, action, &after, append(d.chain(e, v), linkReasons(u, linked)...))
	w.ask(&asked)
	w.Record = after.Address
	if w.Exempt = exempt; exempt == "remove" {
		w.Exempt = d.lifts(a)
	}
	w.Owned = d.ownedAliases(u, &after)
	w.Adopt = k == nil
	w.Created = u.created()
	w.Cause = d.cause(u)
	w.Reasons = append(w.Reasons, actionReason(action, a, &after, k))
	if exempt != "" && w.Exempt == exempt {
		w.Reasons = append(w.Reasons, Reason{Rule: "R40", Text: "The vendor's sync must not see it as long as it is a functional account: its exemption is written first and removed last."})
	}
}

func (d *decider) newWork(u *unit, action Action, after *directory.Account, reasons []Reason) *work {
	unit := *u
	w := &work{u: &unit}
	w.Action, w.After, w.Before, w.Reasons = action, after, u.account, named(reasons, u.entry)
	if u.account != nil {
		w.Address, w.UID = u.account.Address, u.account.UID
	} else {
		w.Address = after.Address
	}
	if u.known != nil {
		w.Created = u.created()
		// An account that somebody else renamed stays under the address that state knows, so that what names it by that
		// address goes on meaning it.
		w.Record = u.known.Address
		w.Known, w.ObjectID, w.Kind = u.known.Address, u.known.ObjectID, u.known.Kind
	}
	if u.entry != nil {
		w.ObjectID = u.entry.ObjectID
		if w.Kind == "" || d.kindsKnown {
			w.Kind = u.entry.Kind
		}
	}
	d.works = append(d.works, w)
	return w
}

// undecided lists a functional account that Weir did not make of a user, while the directory has a user there. Turning
// it into one would cost a seat and undo somebody's work (R40); only a person can tell.
func (d *decider) undecided(u *unit) {
	hosted := d.p.Engine == EngineEssentials
	exempt := hosted && (d.req.Exempt[u.account.Address] || d.req.Exempt[u.entry.Address])
	reasons := append(slices.Clone(d.chain(u.entry, u.verdict)), Reason{Rule: "R40", Text: "Its address is held by a functional account that Weir did not convert: it is left alone until one of the two blocks says what it is."})
	if exempt {
		reasons = append(reasons, Reason{Rule: "R40", Text: "Somebody put it on the vendor's list of exemptions, so the vendor's sync leaves it alone for now."})
	} else if hosted {
		reasons = append(reasons, Reason{Rule: "R40", Text: "Without an exemption the vendor's sync deletes the functional account and makes a user."})
	}
	d.skip(u, SkipUndecided, reasons)
	label := blockLabel(u.account.Address)
	d.res.Undecided = append(d.res.Undecided, Undecided{
		Address: u.account.Address, ObjectID: u.entry.ObjectID, Reasons: reasons, Error: hosted && !exempt,
		Blocks: []string{
			fmt.Sprintf("exemption %q {\n  addresses = [%s]\n  as        = \"functional_account\"\n  reason    = \"keeps receiving without a seat\"\n}\n", label, quote(u.account.Address)),
			fmt.Sprintf("account %q {\n  email = %s\n  type  = %q\n}\n", label, quote(u.account.Address), string(d.p.NewUserRole)),
		},
	})
}

// blockLabel makes an HCL label of the local part.
func blockLabel(address string) string {
	local, _, _ := strings.Cut(address, "@")
	label := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, local)
	if label == "" || label[0] >= '0' && label[0] <= '9' || label[0] == '_' {
		label = "a" + label
	}
	return label
}

// quote writes a string as an HCL template without interpolation.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "${", "$${", "%{", "%%{").Replace(s) + `"`
}

// roleReason says what type a new user has and, once, what that means (R18, R19).
func (d *decider) roleReason() Reason {
	if d.p.NewUserRole == directory.SilentUser {
		d.note("New users are silent users: they cannot log in to the console and get no digest unless that is enabled (R19).")
	}
	return Reason{Rule: "R18", Text: "The policy's new_user_role makes it " + strings.ReplaceAll(string(d.p.NewUserRole), "_", " ") + "."}
}
