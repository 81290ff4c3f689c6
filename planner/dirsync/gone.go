package dirsync

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/directory"
)

// withoutEntry: an account without directory entry, or a record without either.
func (d *decider) withoutEntry(u *unit) {
	k := u.known
	switch {
	case u.account == nil:
		if !d.barred {
			d.res.Forget = append(d.res.Forget, k.Address)
		}
	case k == nil:
		d.stray(u)
	case !d.own(k):
		d.skip(u, SkipGoneKept, []Reason{{Text: "Another policy (" + k.Policy + ") managed it, and the directory does not have it."}})
	case k.ObjectID == "" && d.p.Strays != AsAdopt:
		d.skip(u, SkipGoneKept, []Reason{{Text: `It stands for no directory object, and the policy says strays = "list".`}})
	case k.ObjectID == "":
		d.remove(u, []Reason{{Text: `It stands for no directory object, and was adopted with strays = "adopt".`}})
	default:
		d.remove(u, []Reason{{Text: "Its directory object " + k.ObjectID + " is gone."}})
	}
}

// stray: nobody manages the account. Functional and admin accounts are made by hand for good reasons and are listed
// whatever the policy says.
func (d *decider) stray(u *unit) {
	a := u.account
	if !d.directoryComplete {
		return
	}
	if i, found := slices.BinarySearchFunc(d.entries, a.Address, func(e *directory.Entry, x string) int { return strings.Compare(e.Address, x) }); found {
		d.skip(u, SkipCollision, []Reason{{Text: "The directory has its address at object " + d.entries[i].ObjectID + ", which has another account."}})
		return
	}
	if d.p.Strays != AsAdopt || a.Type == directory.FunctionalAccount || a.Type.IsAdmin() {
		d.res.Strays = append(d.res.Strays, a.Address)
		return
	}
	if a.Active {
		d.res.OwnedActive++
	}
	d.remove(u, []Reason{{Text: `The directory has nobody for it, and the policy says strays = "adopt".`}})
}

// remove applies the policy's gone to an account whose entry is gone or fell out of scope, one step at a time: it is
// parked first (disabled, or functional), and deleted when it was parked for delete_after.
func (d *decider) remove(u *unit, reasons []Reason) {
	a, k, p := u.account, u.known, d.p
	kind := directory.User
	switch {
	case u.entry != nil:
		kind = u.entry.Kind
	case k != nil && k.Kind != "":
		kind = k.Kind
	case a.Type == directory.FunctionalAccount && !u.converted():
		kind = directory.DistributionGroup
	}
	rule := "R25"
	if kind.IsGroup() {
		rule = "R26"
	}
	handMade := a.Type == directory.FunctionalAccount && k != nil && !u.created() && !u.converted() && (k.Kind == "" || k.Kind == directory.User || k.Kind == directory.UnknownKind)
	switch {
	case !d.switches(kind).Remove:
		d.skip(u, SkipRemoveOff, append(reasons, Reason{Rule: rule, Text: "The policy says remove = false for it."}))
		return
	case p.Gone == AsKeep || p.Gone == "":
		d.skip(u, SkipGoneKept, append(reasons, Reason{Rule: rule, Text: `The policy says gone = "keep".`}))
		return
	case handMade:
		d.skip(u, SkipGoneKept, append(reasons, Reason{Rule: "R39", Text: "It is a functional account that Weir did not convert: somebody wanted its address to keep receiving."}))
		return
	case d.barred:
		d.incomplete(u)
		return
	}
	var since time.Time
	if k != nil {
		since = k.GoneSince
	}
	reasons = append(reasons, Reason{Rule: rule, Text: fmt.Sprintf("The policy says gone = %q.", p.Gone)})

	switch {
	case p.Gone == AsDisable && a.Active:
		d.park(u, Disable, reasons)
		return
	case p.Gone == AsFunctional && a.Type != directory.FunctionalAccount:
		if a.Type.IsAdmin() {
			d.skip(u, SkipAdmin, append(reasons, adminReason(a)))
			return
		}
		d.park(u, Convert, reasons)
		return
	case p.Gone == AsDelete && p.DeleteAfter == 0:
		d.delete(u, since, reasons)
		return
	}
	// It is parked. The clock starts when that is first seen; without delete_after it never strikes.
	if p.DeleteAfter == 0 {
		d.skip(u, SkipGrace, append(reasons, Reason{Text: "It stays so: the policy has no delete_after."}))
		return
	}
	if since.IsZero() {
		if k == nil {
			d.adoptStray(u, reasons)
			return
		}
		since = d.req.Now
		d.res.Clocks = append(d.res.Clocks, Clock{Address: k.Address, GoneSince: since})
	}
	due := since.Add(p.DeleteAfter)
	if d.req.Now.Before(due) {
		d.skip(u, SkipGrace, append(reasons, Reason{Text: fmt.Sprintf("It is gone since %s and is deleted after %s.", day(since), day(due))}))
		return
	}
	d.delete(u, since, append(reasons, Reason{Text: fmt.Sprintf("It is gone since %s, longer than delete_after (%s).", day(since), days(p.DeleteAfter))}))
}

// adoptStray adopts a stray that needs no write yet, so that its clock can run.
func (d *decider) adoptStray(u *unit, reasons []Reason) {
	a := u.account
	d.res.Links = append(d.res.Links, Link{Address: a.Address, UID: a.UID, Hash: ownedHash(a, nil), GoneSince: d.req.Now, Reasons: reasons})
}

// park takes the account out of service and starts its clock.
func (d *decider) park(u *unit, action Action, reasons []Reason) {
	if d.req.Sync && d.goneCause(u, action) == CauseDrift {
		d.leaveDrift(u, reasons)
		return
	}
	after := *u.account
	if action == Disable {
		after.Active = false
	} else {
		// It keeps receiving, or receives again where an earlier policy had disabled it.
		after.Type, after.Active = directory.FunctionalAccount, true
	}
	w := d.newWork(u, action, &after, append(slices.Clone(reasons), actionReason(action, u.account, &after, u.known)))
	if u.known == nil {
		w.Record = after.Address
	}
	w.Owned = d.ownedAliases(u, &after)
	w.GoneSince = d.req.Now
	w.Cause = d.goneCause(u, w.Action)
	w.Adopt = u.known == nil
	w.Gone = u.entry == nil
	if d.p.Engine == EngineEssentials && action == Convert {
		w.Exempt = "add"
	}
}

func (d *decider) delete(u *unit, since time.Time, reasons []Reason) {
	if d.req.Sync && d.goneCause(u, Delete) == CauseDrift {
		d.leaveDrift(u, reasons)
		return
	}
	w := d.newWork(u, Delete, nil, append(slices.Clone(reasons), Reason{Text: "It is deleted for ever."}))
	w.Record = ""
	w.GoneSince = since
	w.Cause = d.goneCause(u, w.Action)
	w.Adopt = u.known == nil
	w.Gone = u.entry == nil
	if d.p.Engine == EngineEssentials && u.converted() {
		w.Exempt = "remove"
	}
}

// goneCause: leaving is the directory's doing, unless somebody undid what Weir did about it, or the policy changed under
// somebody who had left before.
func (d *decider) goneCause(u *unit, action Action) string {
	k, a := u.known, u.account
	switch {
	case k == nil, u.entry != nil:
		return d.plainCause()
	case k.Disabled && a.Active, k.Converted && a.Type != directory.FunctionalAccount:
		return CauseDrift
	case action != Delete && !k.GoneSince.IsZero():
		return d.plainCause()
	}
	return CauseDirectory
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

func days(dur time.Duration) string {
	if dur%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", dur/(24*time.Hour))
	}
	return dur.String()
}
