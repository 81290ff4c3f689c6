package dirsync

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/directory"
)

// Decide compares the directory with the accounts under the policy. It never fails: what cannot be known ends in
// Problems and Skips, and then nothing destructive is among the decisions.
func Decide(req Request) *Result { return run(&req, nil) }

// run does so and, with a trace, keeps on it what each unit met with. Without one that costs nothing.
func run(req *Request, trace *Trace) *Result {
	d := &decider{req: req, p: &req.Policy, res: &Result{SkipCounts: map[string]int{}}, trace: trace}
	if d.p.NewUserRole == "" || d.p.NewUserRole.IsAdmin() || d.p.NewUserRole == directory.FunctionalAccount {
		// An admin type is never given (R18).
		policy := *d.p
		policy.NewUserRole = directory.EndUser
		d.p = &policy
	}
	d.prepare()
	visit := d.assess
	if trace != nil {
		trace.d, trace.Result, visit = d, d.res, trace.visit
	}
	if d.accountsKnown {
		d.link(visit)
	}
	d.resolve()
	d.memberships()
	d.guard()
	d.unused()
	d.finish()
	if trace != nil {
		trace.close()
	}
	return d.res
}

// decider is one run of Decide.
type decider struct {
	req *Request
	p   *Policy
	res *Result
	// trace, if not nil, is told what units meet with.
	trace *Trace

	entries  []*directory.Entry
	accounts []*directory.Account
	known    []Known
	byID     map[string]*directory.Entry
	// twice are object ids whose facts contradict each other within the read.
	twice     map[string]bool
	groups    []*directory.Entry
	groupByID map[string]*directory.Entry
	domains   map[string]Domain
	prot      protections
	// protected are the addresses of safeguard.protected, once asked for.
	protected map[string]bool

	// accountsKnown and directoryComplete are the two proofs; kindsKnown that Exchange was read.
	accountsKnown, directoryComplete, kindsKnown bool
	kindsErr                                     error
	// barred: nothing destructive may be decided.
	barred bool

	lastDomain string
	lastKnown  bool

	// chains are reasons that many entries share.
	chains map[chainOf][]Reason

	works []*work
	// skipped and left are the addresses that a person left out, folded.
	skips map[string]skipUntil
	notes map[string]bool
}

// unit is what belongs together: an entry, its account, and what state remembers. Any of them may be missing.
type unit struct {
	entry   *directory.Entry
	account *directory.Account
	known   *Known
	// judged says that verdict is filled in.
	judged  bool
	verdict verdict
}

// replaced says that another account has the place of the one that state remembers: somebody deleted that in Essentials and
// made this. What Weir did to the old one says nothing about it.
func (u *unit) replaced() bool {
	return u.known != nil && u.account != nil && u.known.UID != 0 && u.account.UID != 0 && u.known.UID != u.account.UID
}

// created says that Weir made the account that is there.
func (u *unit) created() bool { return u.known != nil && u.known.Created && !u.replaced() }

// converted says that Weir made a functional account of a user here. A user in its place undoes that; a functional account
// in its place is somebody's own.
func (u *unit) converted() bool {
	return u.known != nil && u.known.Converted && (!u.replaced() || u.account.Type != directory.FunctionalAccount)
}

// work is a decision in the making.
type work struct {
	Decision
	u *unit
	// blocked, if not nil, is why the decision is dropped and its account left as it is.
	blocked []Reason
	code    SkipCode
	// givers are works that give up an address that this one takes.
	givers []*work
}

func (d *decider) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if d.notes == nil {
		d.notes = map[string]bool{}
	}
	if !d.notes[text] {
		d.notes[text] = true
		d.res.Notes = append(d.res.Notes, text)
	}
}

func (d *decider) problem(format string, args ...any) {
	d.barred = true
	if text := fmt.Sprintf(format, args...); !slices.Contains(d.res.Problems, text) {
		d.res.Problems = append(d.res.Problems, text)
	}
}

// prepare brings the input into order and finds out what may be decided on it.
func (d *decider) prepare() {
	d.lastDomain = "\x00"
	d.domains = make(map[string]Domain, len(d.req.Domains))
	for _, dom := range d.req.Domains {
		name := directory.Fold(dom.Name)
		// A domain named twice is registered once; it relays if either says so.
		d.domains[name] = Domain{Name: name, Relay: dom.Relay || d.domains[name].Relay}
	}
	if d.req.DomainsDoubt != "" {
		// An alias under a domain that is only missing from the list must not be taken away.
		d.problem("%s", d.req.DomainsDoubt)
	}
	if d.req.ProtectionsDoubt != "" {
		d.problem("%s", d.req.ProtectionsDoubt)
	}
	d.known = knowns(d.req.Known, d.p.Address)

	if r := d.req.Directory; r == nil {
		d.problem(DirectoryUnread)
	} else {
		d.entries, d.byID, d.twice = entries(r.Entries)
		d.groups = groupEntries(r)
		d.groupByID = make(map[string]*directory.Entry, len(d.groups))
		for _, g := range d.groups {
			d.groupByID[g.ObjectID] = g
		}
		d.directoryComplete = r.Proof.Complete
		if !r.Proof.Complete {
			d.problem("the directory read is not complete%s", because(r.Proof.Problem))
		}
		d.kindsErr = r.KindsErr
		d.kindsKnown = r.KindsErr == nil
		if r.KindsErr != nil {
			d.problem("the kinds of mailboxes could not be read from Exchange: %v", r.KindsErr)
		}
		d.hiddenGroups()
		if len(d.twice) > 0 {
			d.problem("the directory read shows %d objects more than once with differing facts", len(d.twice))
		}
	}
	if r := d.req.Accounts; r == nil {
		d.problem("the accounts could not be read")
	} else {
		var twice []string
		d.accounts, twice = accounts(r.Accounts)
		d.accountsKnown = r.Proof.Complete
		if !r.Proof.Complete {
			d.problem("the accounts read is not complete%s", because(r.Proof.Problem))
		}
		if len(twice) > 0 {
			d.accountsKnown = false
			d.problem("the accounts read shows %s more than once", strings.Join(twice, ", "))
		}
	}
	if d.req.Directory != nil && !d.anyPeople() && (len(d.known) > 0 || len(d.accounts) > 0) {
		d.directoryComplete = false
		d.problem("the directory holds nobody, which is taken for a failed read")
	}
	d.protect(d.req.Protections)
	d.leaveOut()
}

func because(problem string) string {
	if problem == "" {
		return ""
	}
	return ": " + problem
}

// anyPeople: no tenant is without a single user, so a read without one has failed, whatever its proof says.
func (d *decider) anyPeople() bool {
	for _, e := range d.entries {
		switch e.Kind {
		case directory.User, directory.SharedMailbox, directory.Room, directory.Equipment, directory.UnknownKind:
			return true
		}
	}
	return false
}

func (d *decider) skip(u *unit, code SkipCode, reasons []Reason) {
	d.res.SkipCounts[string(code)]++
	s := Skip{Code: code, Reasons: reasons}
	switch {
	case u.account != nil:
		s.Address = u.account.Address
	case u.entry != nil:
		s.Address = u.entry.Address
	case u.known != nil:
		s.Address = u.known.Address
	}
	if u.entry != nil {
		s.ObjectID, s.Kind = u.entry.ObjectID, u.entry.Kind
	} else if u.known != nil {
		s.ObjectID, s.Kind = u.known.ObjectID, u.known.Kind
	}
	d.res.Skips = append(d.res.Skips, s)
	d.trace.skip(u, s)
}

func (d *decider) incomplete(u *unit) {
	d.skip(u, SkipIncomplete, []Reason{{Text: "What would happen to it rests on a read that is not complete: " + strings.Join(d.res.Problems, "; ") + "."}})
}

func keys[K comparable, V any](m map[K]V) iter.Seq[K] { return maps.Keys(m) }
