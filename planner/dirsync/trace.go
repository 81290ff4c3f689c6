package dirsync

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/directory"
)

// Trace is one run of Decide that can tell of every entry, account and record how it fared. What it says is what the run
// itself found: nothing is decided a second time. It is not safe for concurrent use.
type Trace struct {
	Result *Result

	d     *decider
	marks []mark
	// skips are kept with the unit that they are about, until the run is over.
	skips []skipped
	// current is the unit that is being assessed; -1 for none.
	current int
	// contested are accounts that several entries could own, so that none does.
	contested map[*directory.Account][]Reason
	now       map[string][]*directory.Account
	after     map[string][]*directory.Account
}

// mark is one unit and what the run left on it.
type mark struct {
	unit
	work      *work
	skips     []Skip
	holds     []held
	unchanged bool
}

// held is a protection that holds for a unit, and by what.
type held struct {
	index int
	via   string
}

type skipped struct {
	unit
	skip Skip
}

// Explain decides like Decide, and remembers on the way what each unit met with. The result is Decide's.
func Explain(req Request) *Trace {
	t := &Trace{current: -1}
	run(&req, t)
	return t
}

// visit assesses a unit and marks what that left behind.
func (t *Trace) visit(u *unit) {
	d := t.d
	t.current = len(t.marks)
	t.marks = append(t.marks, mark{})
	works, unchanged := len(d.works), d.res.Unchanged
	d.assess(u)
	m := &t.marks[t.current]
	t.current = -1
	m.unit = *u
	if len(d.works) > works {
		m.work = d.works[works]
	}
	m.unchanged = d.res.Unchanged > unchanged
}

// skip keeps what was said about a unit. nil does nothing.
func (t *Trace) skip(u *unit, s Skip) {
	if t != nil {
		t.skips = append(t.skips, skipped{*u, s})
	}
}

// contest keeps why accounts belong to nobody. nil does nothing.
func (t *Trace) contest(accounts []*directory.Account, reasons []Reason) {
	if t == nil {
		return
	}
	if t.contested == nil {
		t.contested = map[*directory.Account][]Reason{}
	}
	for _, a := range accounts {
		t.contested[a] = reasons
	}
}

// hold marks that a protection holds for the unit being assessed. nil does nothing.
func (t *Trace) hold(candidates []int, via string) {
	if t == nil || t.current < 0 {
		return
	}
	m := &t.marks[t.current]
	for _, i := range candidates {
		if !slices.ContainsFunc(m.holds, func(h held) bool { return h.index == i }) {
			m.holds = append(m.holds, held{i, via})
		}
	}
}

// close gives every skip its unit, and every entry, account and record that no unit had one of its own.
func (t *Trace) close() {
	d := t.d
	if !d.accountsKnown {
		// Nothing was assessed. What belongs together is found all the same, in a run whose result is dropped.
		shadow := *d
		shadow.res, shadow.trace = &Result{SkipCounts: map[string]int{}}, nil
		shadow.link(func(u *unit) { t.marks = append(t.marks, mark{unit: *u}) })
	}
	entry := make(map[*directory.Entry]int, len(d.entries))
	account := make(map[*directory.Account]int, len(d.accounts))
	record := make(map[*Known]int, len(d.known))
	take := func(i int) {
		m := &t.marks[i]
		if m.entry != nil {
			entry[m.entry] = i
		}
		if m.account != nil {
			account[m.account] = i
		}
		if m.known != nil {
			record[m.known] = i
		}
	}
	for i := range t.marks {
		take(i)
	}
	find := func(u *unit) int {
		if i, ok := entry[u.entry]; ok && u.entry != nil {
			return i
		}
		fresh := *u
		if i, ok := account[u.account]; ok && u.account != nil {
			if u.entry == nil {
				return i
			}
			fresh.account = nil // several entries claim it, and one has it already
		}
		if i, ok := record[u.known]; ok && u.known != nil {
			if u.entry == nil {
				return i
			}
			fresh.known = nil
		}
		if u.account != nil && u.entry == nil {
			// What is said of an adoption names its account by address alone.
			for i := range t.marks {
				if a := t.marks[i].account; a != nil && a.Address == u.account.Address {
					return i
				}
			}
		}
		t.marks = append(t.marks, mark{unit: fresh})
		take(len(t.marks) - 1)
		return len(t.marks) - 1
	}
	for i := range t.skips {
		s := &t.skips[i]
		m := &t.marks[find(&s.unit)]
		m.skips = append(m.skips, s.skip)
	}
	t.skips = nil
	alone := func(u unit) {
		t.marks = append(t.marks, mark{unit: u})
		take(len(t.marks) - 1)
	}
	for _, e := range d.entries {
		if _, ok := entry[e]; !ok {
			alone(unit{entry: e})
		}
	}
	for _, a := range d.accounts {
		if _, ok := account[a]; !ok {
			alone(unit{account: a})
		}
	}
	for i := range d.known {
		if _, ok := record[&d.known[i]]; !ok {
			alone(unit{known: &d.known[i]})
		}
	}
	slices.SortStableFunc(t.marks, func(a, b mark) int {
		return cmp.Or(strings.Compare(a.name(), b.name()), strings.Compare(a.object(), b.object()))
	})
	t.readAccounts()
}

// name is the address that a unit goes by, "" for an entry without one.
func (u *unit) name() string {
	switch {
	case u.account != nil:
		return u.account.Address
	case u.entry != nil:
		return u.entry.Address
	case u.known != nil:
		return u.known.Address
	}
	return ""
}

func (u *unit) object() string {
	switch {
	case u.entry != nil:
		return u.entry.ObjectID
	case u.known != nil:
		return u.known.ObjectID
	}
	return ""
}

// readAccounts finds who accepts which address now and after the plan.
func (t *Trace) readAccounts() {
	t.now, t.after = map[string][]*directory.Account{}, map[string][]*directory.Account{}
	add := func(to map[string][]*directory.Account, a *directory.Account) {
		if a == nil {
			return
		}
		for _, x := range addresses(a) {
			to[x] = append(to[x], a)
		}
	}
	replaced := map[*directory.Account]bool{}
	for _, w := range t.d.works {
		if w.Held == "" {
			replaced[w.Before] = true
			add(t.after, w.After)
		}
	}
	for _, a := range t.d.accounts {
		add(t.now, a)
		if !replaced[a] {
			add(t.after, a)
		}
	}
}

// Standing is what an address is at Essentials.
type Standing struct {
	// Exists: some account has the address. Type, Primary (it is the account's primary address) and Account are that
	// account's; an active one comes before one that is not.
	Exists  bool
	Type    directory.AccountType
	Active  bool
	Primary bool
	Account *directory.Account
}

// Receives reports whether mail to the address is accepted.
func (s Standing) Receives() bool { return s.Exists && s.Active }

// Billed reports whether the account uses a licence.
func (s Standing) Billed() bool { return Seat(s.Account) == 1 }

// Same reports whether nothing that people notice differs.
func (s Standing) Same(o Standing) bool {
	return s.Exists == o.Exists && s.Type == o.Type && s.Active == o.Active && s.Primary == o.Primary && s.Billed() == o.Billed()
}

func standing(list []*directory.Account, address string) Standing {
	var best *directory.Account
	for _, a := range list {
		if best == nil || a.Active && !best.Active || a.Active == best.Active && a.Address == address && best.Address != address {
			best = a
		}
	}
	if best == nil {
		return Standing{}
	}
	return Standing{Exists: true, Type: best.Type, Active: best.Active, Primary: best.Address == address, Account: best}
}

// Now is what the address is, as the accounts were read.
func (t *Trace) Now(address string) Standing {
	address = directory.Fold(address)
	return standing(t.now[address], address)
}

// After is what the address is once the decisions that are not held were carried out.
func (t *Trace) After(address string) Standing {
	address = directory.Fold(address)
	return standing(t.after[address], address)
}

// AccountsKnown reports whether the accounts were read well enough to decide about any.
func (t *Trace) AccountsKnown() bool { return t.d.accountsKnown }

// Registered reports whether Essentials knows the domain, and whether mail flows for it.
func (t *Trace) Registered(domain string) (registered, relay bool) {
	dom, ok := t.d.domains[directory.Fold(domain)]
	return ok, dom.Relay
}

// Len is the number of cases.
func (t *Trace) Len() int { return len(t.marks) }

// All gives every case in order of address; entries without one come first. A case is built when its turn comes.
func (t *Trace) All() iter.Seq[*Case] {
	return func(yield func(*Case) bool) {
		for i := range t.marks {
			if !yield(t.build(&t.marks[i])) {
				return
			}
		}
	}
}

// Find gives the cases that an address, or an object id, is about: the one whose primary address it is first.
func (t *Trace) Find(address string) []*Case {
	address = directory.Fold(address)
	var out []*Case
	if address == "" {
		return nil
	}
	for i := range t.marks {
		if t.marks[i].about(address) {
			out = append(out, t.build(&t.marks[i]))
		}
	}
	rank := func(c *Case) int {
		switch {
		case c.Entry != nil && c.Entry.Address == address:
			return 0
		case c.Account != nil && c.Account.Address == address:
			return 1
		case c.Account != nil && contains(c.Account.Aliases, address):
			return 2
		case c.Entry != nil && contains(c.Entry.Aliases, address):
			return 3
		}
		return 4
	}
	slices.SortStableFunc(out, func(a, b *Case) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

func (m *mark) about(x string) bool {
	if e := m.entry; e != nil && (e.Address == x || contains(e.Aliases, x) || e.ObjectID == x || e.UPN != "" && directory.Fold(e.UPN) == x) {
		return true
	}
	if holds(m.account, x) || m.known != nil && (m.known.Address == x || m.known.ObjectID == x) {
		return true
	}
	return m.work != nil && holds(m.work.After, x)
}

// Addresses are all that anybody could ask about, sorted: of entries, accounts and records.
func (t *Trace) Addresses() []string {
	var out []string
	for i := range t.marks {
		m := &t.marks[i]
		if m.entry != nil && m.entry.Address != "" {
			out = append(append(out, m.entry.Address), m.entry.Aliases...)
		}
		out = append(out, addresses(m.account)...)
		if m.known != nil {
			out = append(out, m.known.Address)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Case is what a run found about one entry, account and record that belong together. Any of the three may be nil.
type Case struct {
	Entry   *directory.Entry
	Account *directory.Account
	Known   *Known
	// Scope says what the policy wants of the entry; "" without one. Judged is how that was reached, in order.
	Scope  Scope
	Judged []Reason
	// Protections are the exemptions that hold for it, the one that counts first.
	Protections []Protecting
	// Declared: an account block has one of its addresses.
	Declared bool
	// Protected are its addresses that safeguard.protected names.
	Protected []string
	// LeftOut are the skips on its addresses.
	LeftOut []LeftOut

	// Decision is nil when nothing is done. Its Held says why a decision is not carried out.
	Decision *Decision
	// Skips say why nothing is done; the last one counts.
	Skips     []Skip
	Link      *Link
	Wait      *Wait
	Undecided *Undecided
	// Clock is set when the plan starts or stops its grace clock.
	Clock *Clock
	// Foreign are aliases of the account that the directory does not know and Weir did not write.
	Foreign []string
	// Unchanged: managed, and as it should be. Stray: an account that nobody manages and the directory does not know.
	// Forget: a record without account and entry, which state drops.
	Unchanged, Stray, Forget bool
	// Contested: an account that several entries could own, so that it belongs to none and is left alone.
	Contested bool
	// Drifted: the account is not as Weir left it.
	Drifted bool
	// Holds are the limits that hold its decision.
	Holds []Hold
	// Reasons lead to what is done, in order.
	Reasons []Reason
}

// Scope says what a policy wants of an entry.
type Scope string

// The scopes.
const (
	ScopeNone       Scope = "no_account"         // never gets an account of its own
	ScopeOut        Scope = "out_of_scope"       // the policy leaves it out
	ScopeUnknown    Scope = "unknown"            // cannot be judged
	ScopeUser       Scope = "user"               // an active user
	ScopeFunctional Scope = "functional_account" // an active functional account
	ScopeInactive   Scope = "refused"            // an account that is refused mail
	ScopeAsIs       Scope = "as_is"              // blocked sign-in kept as it is
)

var scopes = map[want]Scope{
	wantNothing: ScopeNone, wantOut: ScopeOut, wantUnknown: ScopeUnknown, wantUser: ScopeUser, wantFunctional: ScopeFunctional,
	wantInactive: ScopeInactive, wantAsIs: ScopeAsIs,
}

// Protecting is one exemption that holds.
type Protecting struct {
	*Protection
	// Via says by what: "its address a@b.example", "when (…)".
	Via string
	// Over: its end has passed, and it goes on protecting.
	Over bool
}

// LeftOut is a person's word that nothing be done; it holds past its end.
type LeftOut struct {
	Address string
	// Until is zero for no end.
	Until time.Time
	Over  bool
}

// Name is the address that the case goes by; "" for an entry without one.
func (c *Case) Name() string {
	u := unit{entry: c.Entry, account: c.Account, known: c.Known}
	return u.name()
}

// Kind is what it is, as far as anybody knows; "" when nobody does.
func (c *Case) Kind() directory.Kind {
	switch {
	case c.Entry != nil:
		return c.Entry.Kind
	case c.Known != nil:
		return c.Known.Kind
	}
	return ""
}

// Acts reports whether something is done to it when the plan is applied.
func (c *Case) Acts() bool { return c.Decision != nil && c.Decision.Held == "" }

// Word names what happens in one word: an Action, "held", "wait", "adopt", "unchanged", "stray", "forget", a SkipCode,
// or "none".
func (c *Case) Word() string {
	switch {
	case c.Decision != nil && c.Decision.Held != "":
		return "held"
	case c.Decision != nil:
		return string(c.Decision.Action)
	case c.Wait != nil:
		return "wait"
	case c.Link != nil:
		return "adopt"
	case c.Unchanged:
		return "unchanged"
	case len(c.Skips) > 0:
		return string(c.Skips[len(c.Skips)-1].Code)
	case c.Stray:
		return "stray"
	case c.Contested:
		return string(SkipCollision)
	case c.Forget:
		return "forget"
	}
	return "none"
}

// names are all addresses of the unit.
func (u *unit) names() []string {
	var out []string
	if u.entry != nil && u.entry.Address != "" {
		out = append(append(out, u.entry.Address), u.entry.Aliases...)
	}
	out = append(out, addresses(u.account)...)
	if u.known != nil {
		out = append(out, u.known.Address)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (t *Trace) build(m *mark) *Case {
	d := t.d
	c := &Case{Entry: m.entry, Account: m.account, Known: m.known, Skips: m.skips, Unchanged: m.unchanged}
	if m.entry != nil {
		if !m.judged {
			m.verdict, m.judged = d.classify(m.entry), true
		}
		c.Scope, c.Judged = scopes[m.verdict.want], named(d.chain(m.entry, m.verdict), m.entry)
	}
	names := m.names()
	c.Declared = d.declared(&m.unit) || slices.ContainsFunc(names, func(x string) bool { return d.req.Declared[x] })
	for _, x := range names {
		if s, ok := d.skips[x]; ok {
			c.LeftOut = append(c.LeftOut, LeftOut{Address: x, Until: s.until, Over: !s.until.IsZero() && d.req.Now.After(s.until)})
		}
		if slices.ContainsFunc(d.p.Safeguard.Protected, func(p string) bool { return directory.Fold(p) == x }) {
			c.Protected = append(c.Protected, x)
		}
	}
	t.protecting(c, m)
	t.outcome(c, m)
	c.Drifted = m.account != nil && d.drifted(&m.unit)
	// Those that many entries share name none.
	c.Reasons = named(t.reasons(c, m), m.entry)
	return c
}

// protecting lists the exemptions that hold; "unchanged" counts before "functional_account", as in protection.
func (t *Trace) protecting(c *Case, m *mark) {
	for _, h := range m.holds {
		p := &t.d.prot.list[h.index]
		c.Protections = append(c.Protections, Protecting{Protection: p, Via: h.via, Over: !p.Expires.IsZero() && t.d.req.Now.After(p.Expires)})
	}
	slices.SortStableFunc(c.Protections, func(a, b Protecting) int {
		rank := func(p Protecting) int {
			if p.As == AsFunctional {
				return 1
			}
			return 0
		}
		return cmp.Compare(rank(a), rank(b))
	})
}

func (t *Trace) outcome(c *Case, m *mark) {
	r := t.Result
	if w := m.work; w != nil && w.blocked == nil {
		if i, ok := slices.BinarySearchFunc(r.Decisions, w.Address, func(d Decision, x string) int { return strings.Compare(d.Address, x) }); ok && r.Decisions[i].ObjectID == w.ObjectID {
			c.Decision = &r.Decisions[i]
		}
	}
	if c.Decision != nil {
		for i := range r.Held {
			if _, ok := slices.BinarySearch(r.Held[i].Addresses, c.Decision.Address); ok {
				c.Holds = append(c.Holds, r.Held[i])
			}
		}
	}
	name := m.name()
	if c.Decision == nil && (m.account != nil || m.entry != nil) {
		if i, ok := slices.BinarySearchFunc(r.Waits, name, func(w Wait, x string) int { return strings.Compare(w.Address, x) }); ok && len(m.skips) == 0 {
			c.Wait = &r.Waits[i]
		}
	}
	if m.account != nil {
		if i, ok := slices.BinarySearchFunc(r.Links, name, func(l Link, x string) int { return strings.Compare(l.Address, x) }); ok {
			c.Link = &r.Links[i]
		}
		if i, ok := slices.BinarySearchFunc(r.Undecided, name, func(u Undecided, x string) int { return strings.Compare(u.Address, x) }); ok {
			c.Undecided = &r.Undecided[i]
		}
		if i, ok := slices.BinarySearchFunc(r.Foreign, name, func(f Foreign, x string) int { return strings.Compare(f.Address, x) }); ok {
			c.Foreign = r.Foreign[i].Aliases
		}
		_, c.Stray = slices.BinarySearch(r.Strays, name)
		c.Contested = t.contested[m.account] != nil
	}
	if m.known != nil {
		if i, ok := slices.BinarySearchFunc(r.Clocks, m.known.Address, func(k Clock, x string) int { return strings.Compare(k.Address, x) }); ok {
			c.Clock = &r.Clocks[i]
		}
		if m.entry == nil && m.account == nil {
			_, c.Forget = slices.BinarySearch(r.Forget, m.known.Address)
		}
	}
}

// reasons lead to the outcome: those that the run itself gave, where it gave any.
func (t *Trace) reasons(c *Case, m *mark) []Reason {
	d := t.d
	switch {
	case c.Decision != nil && c.Decision.Held != "":
		return append(slices.Clone(c.Decision.Reasons), Reason{Text: "Held: " + c.Decision.Held})
	case c.Decision != nil:
		return c.Decision.Reasons
	case len(c.Skips) > 0 && !c.Unchanged:
		return c.Skips[len(c.Skips)-1].Reasons
	case c.Wait != nil && m.work != nil:
		return append(slices.Clone(m.work.Reasons), Reason{Text: sentence(c.Wait.Text)})
	case c.Wait != nil:
		return append(slices.Clone(c.Judged), Reason{Text: sentence(c.Wait.Text) + " Until " + day(c.Wait.Until) + " that is no difference."})
	case c.Link != nil:
		return append(slices.Clone(c.Link.Reasons), Reason{Text: "From now on Weir manages it; nothing is written to it."})
	case c.Unchanged:
		out := slices.Clone(c.Judged)
		for _, s := range c.Skips {
			out = append(out, s.Reasons[len(s.Reasons)-1])
		}
		return append(out, Reason{Text: "Its account is as the policy wants it."})
	case c.Stray:
		return []Reason{{Text: `The directory has nobody with any of its addresses, and Weir does not manage it: a stray, listed and left alone.`}}
	case c.Contested:
		return t.contested[m.account]
	case c.Forget:
		return []Reason{{Text: "Weir remembers it, and neither the directory nor Essentials has it any more: the memory of it is dropped."}}
	case d.p.Engine == EngineNone:
		return append(slices.Clone(c.Judged), Reason{Text: `The policy says engine = "none": nobody writes accounts.`})
	case len(d.res.Problems) > 0:
		return append(slices.Clone(c.Judged), Reason{Text: "Unknown, because " + strings.Join(d.res.Problems, "; ") + "."})
	}
	return c.Judged
}

// sentence makes a whole sentence of a clause.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}
