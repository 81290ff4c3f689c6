package dirsync

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/directory"
)

// Where a Change is made.
const (
	InDirectory     = "directory"     // Entra or Exchange
	InConfiguration = "configuration" // the files
	InEssentials    = "essentials"    // by hand, in the portal
	InState         = "state"         // a person's word that Weir remembers
	InReads         = "reads"         // what could not be read
	InTime          = "time"          // nothing but waiting
)

// Change is one thing that could be otherwise.
type Change struct {
	// Where is one of the In constants.
	Where string
	// Text is the change as a request: "unblock its sign-in".
	Text string
	// Paste is the HCL that makes it, with a comment that says where; "" when it is not made in the files.
	Paste string
	size  int
	alter func(*Request)
}

// Flip is the smallest change of its sort after which the address would stand otherwise. It was decided again with the
// change made, and with nothing else changed.
type Flip struct {
	// Changes are made together; one, or two when no single one is enough.
	Changes []Change
	// After is what the address would be after the next apply.
	After Standing
	// Word is what would happen to the case, as Case.Word says it; "" when nothing has the address then.
	Word string
}

func (f *Flip) size() int {
	n := 0
	for _, c := range f.Changes {
		n += c.size
	}
	return n
}

// Apply returns the request with the changes made; the request itself is left alone.
func (f *Flip) Apply(req Request) Request {
	for _, c := range f.Changes {
		c.alter(&req)
	}
	return req
}

// Flips finds what would have to be otherwise for the address to stand otherwise after the next apply: each change by
// itself, the smallest first, and pairs when no single change is enough. It decides again for each, at most budget times;
// tried says how often it did.
func (t *Trace) Flips(address string, budget int) (flips []Flip, tried int) {
	address = directory.Fold(address)
	cases := t.Find(address)
	base := t.After(address)
	c := changes{t: t, req: t.d.req, address: address}
	if len(cases) > 0 {
		c.Case = cases[0]
	} else {
		c.Case = &Case{}
	}
	c.collect()
	try := func(list ...Change) {
		f := Flip{Changes: list}
		tried++
		then := Explain(f.Apply(*t.d.req))
		if f.After = then.After(address); f.After.Same(base) {
			return
		}
		if found := then.Find(address); len(found) > 0 {
			f.Word = found[0].Word()
		}
		flips = append(flips, f)
	}
	for _, one := range c.list {
		if tried < budget {
			try(one)
		}
	}
	if len(flips) == 0 {
		for i, a := range c.list {
			for _, b := range c.list[i+1:] {
				if tried < budget && a.Where != InReads && b.Where != InReads {
					try(a, b)
				}
			}
		}
	}
	slices.SortStableFunc(flips, func(a, b Flip) int { return cmp.Compare(a.size(), b.size()) })
	return flips, tried
}

// changes collects what could be otherwise for one address.
type changes struct {
	*Case
	t       *Trace
	req     *Request
	address string
	list    []Change
}

func (c *changes) add(size int, where, text, paste string, alter func(*Request)) {
	if slices.ContainsFunc(c.list, func(o Change) bool { return o.Text == text }) {
		return // two rules ask about the same thing
	}
	if where == InConfiguration {
		inner := alter
		alter = func(r *Request) { r.PolicyChanged = true; inner(r) }
	}
	c.list = append(c.list, Change{Where: where, Text: text, Paste: paste, size: size, alter: alter})
}

func (c *changes) collect() {
	c.reads()
	c.words()
	switch {
	case c.Entry != nil:
		c.entry()
		c.attributes()
		c.policyForEntry()
		c.domain(c.Entry.Domain())
	case c.Account == nil && c.Known == nil:
		c.nobody()
	default:
		c.withoutEntry()
	}
	if d := directory.DomainOf(c.address); c.Entry == nil || d != c.Entry.Domain() {
		c.domain(d)
	}
	c.collisions()
	c.switches()
	c.limits()
	c.block()
}

// policy is a change of one attribute of the policy.
func (c *changes) policy(size int, block, name, value string, alter func(*Policy)) {
	line := name + " = " + value
	text, paste := line, line
	if block != "" {
		text, paste = block+"."+line, block+" {\n  "+line+"\n}"
	}
	c.add(size, InConfiguration, fmt.Sprintf("write %s in %s", text, c.req.Policy.Address),
		fmt.Sprintf("# in %s:\n%s\n", c.req.Policy.Address, paste), func(r *Request) { alter(&r.Policy) })
}

func (c *changes) enum(name string, now string, set func(*Policy, string), values ...string) {
	for _, v := range values {
		if v != now {
			c.policy(2, "", name, strconv.Quote(v), func(p *Policy) { set(p, v) })
		}
	}
}

// reads are what was in doubt.
func (c *changes) reads() {
	if r := c.req.Directory; r != nil && !r.Proof.Complete {
		c.add(1, InReads, "read the directory completely", "", func(r *Request) {
			d := *r.Directory
			d.Proof.Complete, d.Proof.Problem = true, ""
			r.Directory = &d
		})
	}
	if r := c.req.Directory; r != nil && r.KindsErr != nil {
		c.add(1, InReads, "let Exchange be read, and say that it is an ordinary mailbox", "", func(r *Request) {
			d := *r.Directory
			d.KindsErr = nil
			r.Directory = &d
			if c.Entry != nil && c.Entry.Kind == directory.UnknownKind {
				c.edit(r, func(e *directory.Entry) { e.Kind = directory.User })
			}
		})
	}
	if r := c.req.Accounts; r != nil && !r.Proof.Complete {
		c.add(1, InReads, "read the accounts completely", "", func(r *Request) {
			a := *r.Accounts
			a.Proof.Complete, a.Proof.Problem = true, ""
			r.Accounts = &a
		})
	}
}

// words are what people said about it: skips, exemptions, declared accounts, protected addresses.
func (c *changes) words() {
	u := unit{entry: c.Entry, account: c.Account, known: c.Known}
	mine := map[string]bool{}
	for _, x := range u.names() {
		mine[x] = true
	}
	if len(c.LeftOut) > 0 {
		c.takeBack(mine)
	}
	if c.Declared {
		// Without the removed block the account that the block made is deleted, and mail refused in between. What was
		// applied counts until it is forgotten.
		c.add(2, InConfiguration, "take it out of the block that declares it, by removed { destroy = false }, and apply twice", "", func(r *Request) {
			declared := map[string]bool{}
			for x, is := range r.Declared {
				if is && !mine[x] {
					declared[x] = true
				}
			}
			r.Declared = declared
		})
	}
	seen := map[string]bool{}
	for _, p := range c.Protections {
		if seen[p.Source] {
			continue
		}
		seen[p.Source] = true
		c.exemption(p, mine)
	}
	if len(c.Protections) == 0 && (c.Entry != nil || c.Account != nil) {
		ways := []string{AsUnchanged}
		if c.Account != nil && c.Account.Type != directory.FunctionalAccount {
			ways = []string{AsFunctional, AsUnchanged}
		}
		label := c.freeLabel()
		for _, as := range ways {
			paste := fmt.Sprintf("exemption %q {\n  addresses = [%s]\n  as        = %q\n  reason    = \"\"\n  owner     = \"\"\n}\n", label, quote(c.address), as)
			c.add(2, InConfiguration, fmt.Sprintf("exempt it, as = %q", as), paste, func(r *Request) {
				r.Protections = append(slices.Clone(r.Protections), Protection{Source: "exemption." + label, Addresses: []string{c.address}, As: as})
			})
		}
	}
}

// exemption takes it out of one exemption: out of its list, out of its groups, or the block as a whole.
func (c *changes) exemption(p Protecting, mine map[string]bool) {
	named := slices.ContainsFunc(p.Addresses, func(x string) bool { return mine[directory.Fold(x)] })
	without := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(x string) bool { return mine[directory.Fold(x)] })
	}
	if named && p.When == nil && len(p.Groups) == 0 && len(p.Patterns) == 0 {
		text, paste := "remove "+p.Source+", which names nobody else", ""
		if rest := without(p.Addresses); len(rest) > 0 {
			text = "take it out of the addresses of " + p.Source
			paste = fmt.Sprintf("# in %s, without %s:\naddresses = [%s]\n", p.Source, c.Name(), quotes(rest))
		}
		where, text := c.ending(p.Source, text)
		if where == InState {
			paste = ""
		}
		c.add(2, where, text, paste, func(r *Request) {
			list := slices.Clone(r.Protections)
			for i := range list {
				if x := &list[i]; x.Source == p.Source {
					x.Addresses, x.Last = without(x.Addresses), without(x.Last)
					x.UIDs = slices.DeleteFunc(slices.Clone(x.UIDs), func(uid int) bool { return c.Account != nil && uid == c.Account.UID })
					x.ObjectIDs = slices.DeleteFunc(slices.Clone(x.ObjectIDs), func(id string) bool { return directory.Fold(id) == c.objectID() })
				}
			}
			r.Protections = list
		})
		return
	}
	if len(p.Groups) > 0 && !named {
		c.leaveGroups(1, c.waysInto(p.Groups))
	}
	where, text := c.ending(p.Source, "remove "+p.Source)
	c.add(3, where, text, "", func(r *Request) {
		r.Protections = slices.DeleteFunc(slices.Clone(r.Protections), func(x Protection) bool { return x.Source == p.Source })
	})
}

func (c *changes) objectID() string {
	switch {
	case c.Entry != nil:
		return c.Entry.ObjectID
	case c.Known != nil:
		return directory.Fold(c.Known.ObjectID)
	}
	return ""
}

// edit changes the entry in a copy of the directory.
func (c *changes) edit(r *Request, change func(*directory.Entry)) {
	if r.Directory == nil {
		return
	}
	d := *r.Directory
	d.Entries = slices.Clone(d.Entries)
	for i, e := range d.Entries {
		// The run may have worked on a copy in normal spelling.
		if e != nil && (e == c.Entry || directory.Fold(e.ObjectID) == c.Entry.ObjectID && directory.Fold(e.Address) == c.Entry.Address) {
			n := *e
			change(&n)
			d.Entries[i] = &n
		}
	}
	r.Directory = &d
}

func (c *changes) inEntry(size int, text string, change func(*directory.Entry)) {
	c.add(size, InDirectory, text, "", func(r *Request) { c.edit(r, change) })
}

// entry is what the directory could say otherwise about the entry.
func (c *changes) entry() {
	e := c.Entry
	person := e.Kind == directory.User || e.Kind == directory.UnknownKind
	switch {
	case !e.HasProxy || e.Address == "":
		address := cmp.Or(e.Address, c.address)
		if !plausible(address) && len(e.Aliases) > 0 {
			address = e.Aliases[0]
		}
		if plausible(address) {
			c.inEntry(1, "give it a mailbox, or proxyAddresses with SMTP:"+address, func(e *directory.Entry) {
				e.HasProxy, e.Address = true, address
				e.Aliases = slices.DeleteFunc(slices.Clone(e.Aliases), func(x string) bool { return directory.Fold(x) == address })
			})
		}
	default:
		for _, x := range e.Aliases {
			if registered, _ := c.t.Registered(directory.DomainOf(x)); registered {
				if own, _ := c.t.Registered(e.Domain()); !own {
					c.inEntry(2, "make its alias "+x+" the primary address", func(e *directory.Entry) {
						e.Aliases = append(slices.DeleteFunc(slices.Clone(e.Aliases), func(y string) bool { return directory.Fold(y) == x }), e.Address)
						e.Address = x
					})
				}
			}
		}
	}
	if person {
		if e.Enabled {
			c.inEntry(1, "block its sign-in in Entra", func(e *directory.Entry) { e.Enabled = false })
		} else {
			c.inEntry(1, "unblock its sign-in in Entra", func(e *directory.Entry) { e.Enabled = true })
		}
		if !e.Licensed {
			c.inEntry(1, "give it a Microsoft 365 licence", func(e *directory.Entry) { e.Licensed = true })
		}
		if e.Kind == directory.User && c.t.d.kindsKnown {
			c.inEntry(2, "convert its mailbox to a shared one in Exchange", func(e *directory.Entry) { e.Kind = directory.SharedMailbox })
		}
	} else if e.Kind == directory.SharedMailbox {
		c.inEntry(2, "convert it to a regular mailbox in Exchange and unblock its sign-in", func(e *directory.Entry) { e.Kind, e.Enabled = directory.User, true })
	}
	c.add(3, InDirectory, "delete it in the directory", "", func(r *Request) {
		if r.Directory == nil {
			return
		}
		d := *r.Directory
		d.Entries = slices.DeleteFunc(slices.Clone(d.Entries), func(x *directory.Entry) bool {
			return x != nil && (x == e || directory.Fold(x.ObjectID) == e.ObjectID && directory.Fold(x.Address) == e.Address)
		})
		r.Directory = &d
		if e.ObjectID != "" {
			membership(r, e.ObjectID, func(*directory.Entry) bool { return true }, false)
		}
	})
}

// texts are the attributes that a condition may name and a person may change.
var texts = map[string]func(*directory.Entry) *string{
	"department":     func(e *directory.Entry) *string { return &e.Department },
	"job_title":      func(e *directory.Entry) *string { return &e.JobTitle },
	"company":        func(e *directory.Entry) *string { return &e.Company },
	"office":         func(e *directory.Entry) *string { return &e.Office },
	"employee_id":    func(e *directory.Entry) *string { return &e.EmployeeID },
	"usage_location": func(e *directory.Entry) *string { return &e.UsageLocation },
	"name":           func(e *directory.Entry) *string { return &e.Name },
	"given_name":     func(e *directory.Entry) *string { return &e.GivenName },
	"surname":        func(e *directory.Entry) *string { return &e.Surname },
}

var (
	namedAttribute = regexp.MustCompile(`\bentry\.([a-z_]+)`)
	quotedText     = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
)

// maxLiterals bounds how many values of a condition are tried.
const maxLiterals = 12

// attributes are the values that the conditions in force ask about.
func (c *changes) attributes() {
	conditions := []directory.Predicate{c.req.Policy.Include}
	for _, p := range c.req.Protections {
		conditions = append(conditions, p.When)
	}
	done := map[string]bool{}
	for _, p := range conditions {
		if p == nil {
			continue
		}
		var literals []string
		for _, q := range quotedText.FindAllString(p.Text(), maxLiterals) {
			if s, err := strconv.Unquote(q); err == nil {
				literals = append(literals, s)
			}
		}
		for _, m := range namedAttribute.FindAllStringSubmatch(p.Text(), -1) {
			name := m[1]
			if done[name+"\x00"+p.Text()] {
				continue
			}
			done[name+"\x00"+p.Text()] = true
			if name == "groups" {
				c.groups(literals)
				continue
			}
			if field := texts[name]; field != nil {
				c.values(name, field, literals)
			}
		}
	}
}

func (c *changes) values(name string, field func(*directory.Entry) *string, literals []string) {
	word := strings.ReplaceAll(name, "_", " ")
	now := *field(c.Entry)
	for _, v := range literals {
		if v != now {
			c.inEntry(1, fmt.Sprintf("give it the %s %q", word, v), func(e *directory.Entry) { *field(e) = v })
		}
	}
	if slices.Contains(literals, now) {
		c.inEntry(1, fmt.Sprintf("give it another %s than %q", word, now), func(e *directory.Entry) { *field(e) = "another " + now })
	}
}

// policyForEntry are the attributes of the policy that look at entries of this kind.
func (c *changes) policyForEntry() {
	p, e := &c.req.Policy, c.Entry
	switch e.Kind {
	case directory.User, directory.UnknownKind, directory.SharedMailbox, directory.Room, directory.Equipment:
		if !p.SyncUsers {
			c.sync("active_users", func(p *Policy) { p.SyncUsers = true })
		}
	case directory.DistributionGroup, directory.Microsoft365Group:
		if !p.SyncDistributionGroups {
			c.sync("distribution_groups", func(p *Policy) { p.SyncDistributionGroups = true })
		}
	case directory.SecurityGroup:
		if !p.SyncSecurityGroups {
			c.sync("security_groups", func(p *Policy) { p.SyncSecurityGroups = true })
		}
	}
	switch e.Kind {
	case directory.SharedMailbox:
		c.enum("shared_mailboxes", p.SharedMailboxes, func(p *Policy, v string) { p.SharedMailboxes = v }, AsFunctional, AsUser, AsSkip)
	case directory.Room, directory.Equipment:
		c.enum("rooms", p.Rooms, func(p *Policy, v string) { p.Rooms = v }, AsFunctional, AsUser, AsSkip)
	case directory.User, directory.UnknownKind:
		if !e.Enabled {
			c.enum("blocked_sign_in", p.BlockedSignIn, func(p *Policy, v string) { p.BlockedSignIn = v }, AsFunctional, AsDisable, AsKeep)
		}
	}
	if p.Include != nil && c.Scope == ScopeOut {
		c.add(2, InConfiguration, "remove include from "+p.Address, fmt.Sprintf("# in %s, without:\n# include = %s\n", p.Address, p.Include.Text()), func(r *Request) { r.Policy.Include = nil })
	}
	if c.Scope == ScopeOut {
		c.enum("out_of_scope", p.OutOfScope, func(p *Policy, v string) { p.OutOfScope = v }, AsRemove, AsKeep)
	}
	switch p.Engine {
	case EngineNone:
		c.policy(5, "", "engine", `"weir"`, func(p *Policy) { p.Engine = EngineWeir })
	case EngineEssentials:
		c.add(5, InConfiguration, fmt.Sprintf(`write engine = "weir" in %s, and attest { engine_change = true } in the tenant block`, p.Address),
			fmt.Sprintf("# in %s:\nengine = \"weir\"\n\n# in the tenant block:\nattest {\n  engine_change = true\n  by            = \"\"\n  on            = %q\n}\n", p.Address, c.req.Now.UTC().Format(time.DateOnly)),
			func(r *Request) { r.Policy.Engine = EngineWeir })
	}
}

func (c *changes) sync(what string, set func(*Policy)) {
	var list []string
	p := c.req.Policy
	set(&p)
	for _, s := range []struct {
		on   bool
		name string
	}{{p.SyncUsers, "active_users"}, {p.SyncDistributionGroups, "distribution_groups"}, {p.SyncSecurityGroups, "security_groups"}} {
		if s.on {
			list = append(list, s.name)
		}
	}
	c.add(2, InConfiguration, fmt.Sprintf("add %q to sync in %s", what, p.Address), fmt.Sprintf("# in %s:\nsync = [%s]\n", p.Address, quotes(list)), func(r *Request) { set(&r.Policy) })
}

// withoutEntry: an account or a record whose entry is not there.
func (c *changes) withoutEntry() {
	p := &c.req.Policy
	kind, id, name := directory.User, "weir-explain", c.Name()
	if c.Known != nil {
		kind, id = cmp.Or(c.Known.Kind, directory.User), cmp.Or(c.Known.ObjectID, id)
	}
	text := "make a user with the address " + name + " in the directory"
	if name == c.address {
		text = "make a user with this address in the directory"
	}
	if c.Known != nil && c.Known.ObjectID != "" {
		text = "restore it in the directory (object " + c.Known.ObjectID + ")"
	}
	var aliases []string
	if c.Account != nil {
		aliases = c.Account.Aliases
	}
	c.add(2, InDirectory, text, "", func(r *Request) {
		c.enter(r, &directory.Entry{ObjectID: id, Kind: kind, Address: name, Aliases: aliases, Enabled: true, Licensed: !kind.IsGroup(), HasProxy: true})
	})
	if c.Stray || c.Known != nil && c.Known.ObjectID == "" {
		c.enum("strays", p.Strays, func(p *Policy, v string) { p.Strays = v }, AsList, AsAdopt)
	}
	if c.Known != nil {
		c.enum("gone", p.Gone, func(p *Policy, v string) { p.Gone = v }, AsDisable, AsFunctional, AsKeep, AsDelete)
		if since := c.Known.GoneSince; p.DeleteAfter > 0 && !since.IsZero() && since.Add(p.DeleteAfter).After(c.req.Now) {
			due := since.Add(p.DeleteAfter)
			c.add(1, InTime, "wait until "+day(due), "", func(r *Request) { r.Now = due })
		}
	}
}

// enter adds an entry to a copy of the directory.
func (c *changes) enter(r *Request, e *directory.Entry) {
	if r.Directory == nil {
		return
	}
	d := *r.Directory
	d.Entries = append(slices.Clone(d.Entries), e)
	directory.Sort(d.Entries)
	r.Directory = &d
}

// nobody has the address.
func (c *changes) nobody() {
	if !plausible(c.address) {
		return
	}
	c.add(2, InDirectory, "make a user with this address in the directory", "", func(r *Request) {
		c.enter(r, &directory.Entry{ObjectID: "weir-explain", Kind: directory.User, Address: c.address, Enabled: true, Licensed: true, HasProxy: true})
	})
}

// domain registers a domain that Essentials does not know.
func (c *changes) domain(name string) {
	if registered, _ := c.t.Registered(name); registered || name == "" || !plausible("a@"+name) {
		return
	}
	c.add(2, InConfiguration, "register the domain "+name, fmt.Sprintf("domain %q {\n  name        = %s\n  purpose     = \"relay\"\n  destination = \"\" # the host that takes its mail\n}\n", blockLabel(strings.ReplaceAll(name, ".", "_")), quote(name)), func(r *Request) {
		r.Domains = append(slices.Clone(r.Domains), Domain{Name: name, Relay: true})
	})
}

// collisions are claims that others have to its addresses.
func (c *changes) collisions() {
	if !c.Contested && !slices.ContainsFunc(c.Skips, func(s Skip) bool { return s.Code == SkipCollision || s.Code == SkipUndecided }) {
		return
	}
	u := unit{entry: c.Entry, account: c.Account, known: c.Known}
	names := u.names()
	for _, a := range c.t.d.accounts {
		if a == c.Account {
			continue
		}
		for _, x := range names {
			if contains(a.Aliases, x) {
				c.account(2, fmt.Sprintf("take the alias %s away from the account %s in Essentials", x, a.Address), a, func(b *directory.Account) *directory.Account {
					b.Aliases = slices.DeleteFunc(slices.Clone(b.Aliases), func(y string) bool { return directory.Fold(y) == x })
					return b
				})
			}
			if a.Address == x && c.Entry != nil {
				if contains(c.Entry.Aliases, x) {
					c.inEntry(2, "take the alias "+x+" away from it in the directory", func(e *directory.Entry) {
						e.Aliases = slices.DeleteFunc(slices.Clone(e.Aliases), func(y string) bool { return directory.Fold(y) == x })
					})
				}
				c.account(3, "delete the account "+x+" in Essentials", a, func(*directory.Account) *directory.Account { return nil })
			}
		}
	}
	if c.Undecided != nil {
		c.account(3, "delete the functional account in Essentials", c.Account, func(*directory.Account) *directory.Account { return nil })
	}
	if c.Entry == nil {
		return
	}
	for _, e := range c.t.d.entries {
		if e != c.Entry && e.Address != "" && e.Address == c.Entry.Address {
			c.add(2, InDirectory, fmt.Sprintf("give the %s %s another address in the directory, and do not keep this one as alias", kindText(e.Kind), e.ObjectID), "", func(r *Request) {
				d := *r.Directory
				d.Entries = slices.Clone(d.Entries)
				for i, x := range d.Entries {
					if x != nil && directory.Fold(x.ObjectID) == e.ObjectID {
						n := *x
						n.Address = "weir-explain@" + e.Domain()
						d.Entries[i] = &n
					}
				}
				directory.Sort(d.Entries)
				r.Directory = &d
			})
		}
	}
}

func (c *changes) account(size int, text string, a *directory.Account, change func(*directory.Account) *directory.Account) {
	if a == nil {
		return
	}
	c.add(size, InEssentials, text, "", func(r *Request) {
		n := *r.Accounts
		n.Accounts = nil
		for _, x := range r.Accounts.Accounts {
			if x != nil && (x == a || x.UID == a.UID && directory.Fold(x.Address) == a.Address) {
				b := *x
				x = change(&b)
			}
			if x != nil {
				n.Accounts = append(n.Accounts, x)
			}
		}
		r.Accounts = &n
	})
}

// switches are those of the policy that are off.
func (c *changes) switches() {
	groups := c.Kind().IsGroup()
	block, now := "users", c.req.Policy.Users
	if groups {
		block, now = "groups", c.req.Policy.Groups
	}
	of := func(p *Policy) *Switches {
		if groups {
			return &p.Groups
		}
		return &p.Users
	}
	for _, s := range []struct {
		name string
		on   bool
		set  func(*Switches)
	}{
		{"add", now.Add, func(s *Switches) { s.Add = true }}, {"update", now.Update, func(s *Switches) { s.Update = true }},
		{"remove", now.Remove, func(s *Switches) { s.Remove = true }},
	} {
		if !s.on {
			c.policy(2, block, s.name, "true", func(p *Policy) { s.set(of(p)) })
		}
	}
}

// limits are those that hold its decision.
func (c *changes) limits() {
	for _, h := range c.Holds {
		in := "# in " + c.req.Policy.Address + ":\n"
		switch h.Limit {
		case "removals":
			c.window(h)
			c.add(2, InConfiguration, fmt.Sprintf("let these %d removals pass, once", h.Count), "# in "+c.req.Policy.Address+", for once:\n"+h.Paste, func(r *Request) {
				r.Policy.Safeguard.Allow = &Allow{Removals: h.Count, Reason: "explain"}
			})
		case "conversions":
			c.add(2, InConfiguration, fmt.Sprintf("raise safeguard.max_conversions to %d", h.Count), in+h.Paste, func(r *Request) { r.Policy.Safeguard.MaxConversions = h.Count })
		case "additions":
			c.add(2, InConfiguration, fmt.Sprintf("raise safeguard.max_additions to %d", h.Count), in+h.Paste, func(r *Request) { r.Policy.Safeguard.MaxAdditions = h.Count })
		case "admins":
			c.add(3, InConfiguration, "lower safeguard.min_admins to 0", in+"safeguard {\n  min_admins = 0\n}\n", func(r *Request) { r.Policy.Safeguard.MinAdmins = 0 })
		case "protected":
			c.add(3, InConfiguration, "take it out of safeguard.protected", "", func(r *Request) {
				r.Policy.Safeguard.Protected = slices.DeleteFunc(slices.Clone(r.Policy.Safeguard.Protected), func(x string) bool { return slices.Contains(c.Protected, directory.Fold(x)) })
			})
		}
	}
}

// block declares the address by hand. The request is the one after that was applied: the account is there, and declared.
func (c *changes) block() {
	registered, _ := c.t.Registered(directory.DomainOf(c.address))
	if c.Declared || c.req.Declared[c.address] || c.Account != nil || c.t.Now(c.address).Exists || c.t.After(c.address).Exists || !registered || !plausible(c.address) || !c.t.AccountsKnown() {
		return
	}
	c.add(4, InConfiguration, "declare an account for it", fmt.Sprintf("account %q {\n  email = %s\n  type  = \"functional_account\"\n}\n", blockLabel(c.address), quote(c.address)), func(r *Request) {
		declared := map[string]bool{c.address: true}
		for x, is := range r.Declared {
			declared[x] = is
		}
		r.Declared = declared
		a := *r.Accounts
		a.Accounts = append(slices.Clone(a.Accounts), &directory.Account{Address: c.address, Type: directory.FunctionalAccount, Active: true, Billable: true})
		r.Accounts = &a
	})
}

func quotes(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = quote(s)
	}
	return strings.Join(out, ", ")
}
