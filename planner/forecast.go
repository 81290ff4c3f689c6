package planner

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// Forecast is what the items of a part come to when all that are not held are applied: for licences, for those who
// receive mail and for those who administer. It rests on the part's reads alone; what could not be read is unknown, and
// says so.
type Forecast struct {
	Licences Licences
	// Stops are all addresses that Essentials accepts today and refuses afterwards, whatever does it, sorted.
	Stops []dirsync.Stop `json:",omitempty"`
	// Admins are the administrator accounts that change, sorted by address.
	Admins []AdminChange `json:",omitempty"`
	// AliasesLost are addresses lost by accounts that live on; they are among Stops.
	AliasesLost []AliasLoss `json:",omitempty"`
	// Recipients is nil when nothing asked for the directory.
	Recipients *Recipients `json:",omitempty"`
}

// Licences compares the seats in use with those bought.
type Licences struct {
	// Unknown says why the seats in use are not known; "" when Before and After hold.
	Unknown string `json:",omitempty"`
	// Before and After are the seats in use: active accounts that are neither functional nor marked not billable.
	Before, After int
	// Counted is how many the vendor itself counts as in use, which is what it bills; 0 when it does not say.
	Counted int `json:",omitempty"`
	// Bought and Buying are the licences before and after the plan; -1 when not known.
	Bought, Buying int
	// Purchases are differences between the configuration and what was bought that Weir does not buy: no drift.
	Purchases []string `json:",omitempty"`
}

// Over is by how many seats the plan exceeds the licences; 0 when it does not, or when that is not known.
func (l *Licences) Over() int {
	if l.Unknown != "" || l.Buying < 0 {
		return 0
	}
	return max(0, l.After-l.Buying)
}

// Refused is how many of the seats that the plan adds Essentials refuses when user capping is on.
func (l *Licences) Refused() int { return min(l.Over(), max(0, l.After-l.Before)) }

// AdminChange is what happens to one administrator account.
type AdminChange struct{ Address, What string }

// AliasLoss is one address that an account loses.
type AliasLoss struct{ Account, Alias string }

// forecast sums the part up. It comes last, when guards and selections have had their say.
func (p *Part) forecast(req *Request) {
	if req.Observed == nil || req.Tenant.Key == "" && req.Address == "" {
		return
	}
	accounts, known := p.readAccounts(req)
	_, asked := req.Observed.Objects["tenant"]
	if accounts == nil && !asked && req.Observed.AccountsErr == nil && req.Observed.Directory == nil {
		return
	}
	f := &Forecast{}
	p.Forecast = f
	relays := p.relays(req)
	fates := p.fates(accounts)
	p.licences(req, &f.Licences, known)
	for x := range fates {
		if known == "" {
			f.Licences.Before += dirsync.Seat(x.before)
			f.Licences.After += dirsync.Seat(x.after)
		}
		f.admin(x)
	}
	f.stops(p, relays, fates)
	slices.SortFunc(f.Admins, func(a, b AdminChange) int {
		return cmp.Or(strings.Compare(a.Address, b.Address), strings.Compare(a.What, b.What))
	})
	if r := req.Observed.Directory; r != nil || req.Observed.DirectoryErr != nil {
		f.Recipients = p.recipients(req, relays, fates, known)
	}
}

// readAccounts are the accounts as read; an organization that the part creates has none. unknown says why they are not
// known; "" when they are.
func (p *Part) readAccounts(req *Request) (accounts []*directory.Account, unknown string) {
	switch r := req.Observed.Accounts; {
	case p.createsOrganization() && (r == nil || len(r.Accounts) == 0):
		return []*directory.Account{}, ""
	case req.Observed.AccountsErr != nil:
		return nil, "the accounts could not be read"
	case r == nil:
		return nil, "the accounts were not read"
	case !r.Proof.Complete:
		return r.Accounts, "the accounts were not read completely"
	default:
		return r.Accounts, ""
	}
}

// moves reports whether the plan changes the account at all.
func (f *fate) moves() bool { return f.before != f.after }

// fates are all accounts with what the part does to each, by address.
func (p *Part) fates(accounts []*directory.Account) iter.Seq[*fate] {
	if !slices.IsSortedFunc(accounts, byAccount) {
		accounts = slices.SortedFunc(slices.Values(accounts), byAccount)
	}
	declared := map[string]*Change{}
	var made []*fate
	for _, c := range p.Changes {
		before := directory.Fold(text(c.Before, "email"))
		switch {
		case !c.Applies():
		case c.Type == "tenant" && c.Action == Create:
			if a := firstAdmin(c.After); a != nil {
				made = append(made, &fate{after: a, change: c})
			}
		case c.Type != "account":
		case c.Action == Create:
			if a := declaredAccount(c.After); a != nil {
				made = append(made, &fate{after: a, change: c})
			}
		case before != "" && c.Action != Release && c.Action != Move:
			declared[before] = c
		}
	}
	var decisions []*dirsync.Decision
	if p.Accounts != nil {
		for i := range p.Accounts.Decisions {
			d := &p.Accounts.Decisions[i]
			if d.Before != nil {
				decisions = append(decisions, d)
			} else if d.Held == "" {
				made = append(made, &fate{after: d.After, decision: d})
			} else {
				// What is held is not made, but it says why its entry has no account.
				made = append(made, &fate{at: d.Address, decision: d})
			}
		}
	}
	slices.SortStableFunc(made, func(a, b *fate) int { return strings.Compare(a.address(), b.address()) })
	return func(yield func(*fate) bool) {
		news, ds := made, decisions
		var f fate
		for _, a := range accounts {
			for len(news) > 0 && news[0].address() < a.Address {
				if !yield(news[0]) {
					return
				}
				news = news[1:]
			}
			f = fate{before: a, after: a}
			for len(ds) > 0 && ds[0].Address < a.Address {
				ds = ds[1:]
			}
			if len(ds) > 0 && ds[0].Address == a.Address {
				f.decision = ds[0]
				if f.decision.Held == "" {
					f.after = f.decision.After
				}
			}
			if c := declared[a.Address]; c != nil {
				f.change, f.after = c, declaredAccount(c.After)
			}
			if !yield(&f) {
				return
			}
		}
		for _, n := range news {
			if !yield(n) {
				return
			}
		}
	}
}

func byAccount(a, b *directory.Account) int { return strings.Compare(a.Address, b.Address) }

// declaredAccount is the account of an account block's value; nil for none.
func declaredAccount(v cty.Value) *directory.Account {
	email := directory.Fold(text(v, "email"))
	if email == "" {
		return nil
	}
	a := &directory.Account{
		Address: email, Type: directory.AccountType(text(v, "type")), FirstName: text(v, "first_name"), Surname: text(v, "last_name"),
		Aliases: strs(v, "aliases"), Active: flag(v, "active", true), Billable: flag(v, "billable", true),
	}
	slices.Sort(a.Aliases)
	return a
}

// firstAdmin is the administrator that a new organization comes with; nil when the block names none.
func firstAdmin(v cty.Value) *directory.Account {
	admin := resource.Get(v, "admin")
	email := directory.Fold(text(admin, "email"))
	if email == "" {
		return nil
	}
	return &directory.Account{Address: email, Type: directory.OrganizationAdmin, FirstName: text(admin, "first_name"), Surname: text(admin, "last_name"), Active: true, Billable: true}
}

func flag(v cty.Value, path string, otherwise bool) bool {
	if v == cty.NilVal {
		return otherwise
	}
	b := resource.Get(v, path)
	if b == cty.NilVal || b.IsNull() || !b.IsKnown() || b.Type() != cty.Bool {
		return otherwise
	}
	return b.True()
}

// admin notes what becomes of an administrator account.
func (f *Forecast) admin(x *fate) {
	isAdmin := x.before != nil && x.before.Type.IsAdmin() || x.after != nil && x.after.Type.IsAdmin()
	if !isAdmin || !x.moves() {
		return
	}
	add := func(what string) { f.Admins = append(f.Admins, AdminChange{x.address(), what}) }
	switch b, a := x.before, x.after; {
	case b == nil:
		add("is made")
	case a == nil:
		add("is deleted")
	case b.Active && !a.Active:
		add("is disabled")
	case !b.Active && a.Active:
		add("is enabled")
	case b.Address != a.Address:
		add("is renamed to " + a.Address)
	case !b.Type.IsAdmin():
		add("becomes an administrator")
	case !a.Type.IsAdmin():
		add("is no administrator any more")
	}
}

// relays are the domains for which Essentials accepts mail before or after the part.
func (p *Part) relays(req *Request) relays {
	out := relays{}
	on, stays, why := true, true, ""
	for _, l := range req.Observed.Objects["tenant"].Live {
		on = flag(l.Value, "active", true)
		stays = on
	}
	for _, c := range p.Changes {
		if c.Type != "tenant" || !c.Applies() {
			continue
		}
		switch {
		case c.Action == Delete:
			stays, why = false, "the organization is deleted"
		case c.After != cty.NilVal:
			if stays = flag(c.After, "active", stays); !stays {
				why = "the organization is deactivated"
			}
		}
	}
	relayed := func(v cty.Value) bool { return text(v, "purpose") == "relay" && flag(v, "active", true) }
	for _, l := range req.Observed.Objects["domain"].Live {
		if relayed(l.Value) {
			out[strings.ToLower(text(l.Value, "name"))] = relay{before: on, after: stays, why: why}
		}
	}
	for _, c := range p.Changes {
		if c.Type != "domain" || !c.Applies() {
			continue
		}
		if name := strings.ToLower(text(c.Before, "name")); name != "" && c.Action == Delete {
			r := out[name]
			r.after, r.why = false, "its domain "+name+" is deleted"
			out[name] = r
			continue
		}
		name := strings.ToLower(text(c.After, "name"))
		if name == "" || c.Action == Release {
			continue
		}
		r := out[name]
		switch {
		case stays && relayed(c.After):
			r.after, r.why = true, ""
		case text(c.After, "purpose") == "relay" && stays:
			r.after, r.why = false, "its domain "+name+" is made inactive"
		case stays:
			r.after, r.why = false, "its domain "+name+" is not relayed any more"
		}
		out[name] = r
	}
	return out
}

// stops lists what is accepted before and refused after: what account decisions say, and what account blocks, domains
// and the organization do besides.
func (f *Forecast) stops(p *Part, relays relays, fates iter.Seq[*fate]) {
	told := map[string]bool{}
	if p.Accounts != nil {
		for _, s := range p.Accounts.StopsReceiving {
			told[s.Address] = true
			f.Stops = append(f.Stops, s)
		}
		for i := range p.Accounts.Decisions {
			d := &p.Accounts.Decisions[i]
			if d.Held != "" || d.After == nil || !d.After.Active {
				continue
			}
			for _, x := range d.Loses {
				f.AliasesLost = append(f.AliasesLost, AliasLoss{d.After.Address, x})
			}
		}
	}
	ends, changes := false, false
	for _, r := range relays {
		ends = ends || r.before && !r.after
	}
	lost := map[string]*fate{} // by account blocks
	for x := range fates {
		if x.before == nil || !x.before.Active || !ends && x.change == nil {
			continue
		}
		eachAddress(x.before.Address, x.before.Aliases, func(a string) {
			switch r := relays[directory.DomainOf(a)]; {
			case !r.before || told[a]:
			case !r.after:
				told[a] = true
				f.Stops = append(f.Stops, dirsync.Stop{Address: a, Why: r.why})
			case x.change != nil && !accepts(x.after, a):
				lost[a], changes = &fate{before: x.before, after: x.after, change: x.change}, true
			}
		})
	}
	if changes {
		for x := range fates {
			if x.moves() && x.after != nil && x.after.Active {
				eachAddress(x.after.Address, x.after.Aliases, func(a string) { delete(lost, a) })
			}
		}
	}
	for a, x := range lost {
		why := x.change.Address + " does not have it any more"
		switch {
		case x.after == nil:
			why = x.change.Address + " is deleted"
		case !x.after.Active:
			why = x.change.Address + " is disabled"
		default:
			f.AliasesLost = append(f.AliasesLost, AliasLoss{x.after.Address, a})
		}
		f.Stops = append(f.Stops, dirsync.Stop{Address: a, Why: why})
	}
	slices.SortFunc(f.Stops, func(a, b dirsync.Stop) int { return strings.Compare(a.Address, b.Address) })
	slices.SortFunc(f.AliasesLost, func(a, b AliasLoss) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.Alias, b.Alias))
	})
}

// licences fills in what was bought and what is not bought although the configuration says so.
func (p *Part) licences(req *Request, l *Licences, unknown string) {
	l.Unknown, l.Bought, l.Buying = unknown, -1, -1
	if r := req.Observed.Accounts; r != nil {
		l.Counted = r.Counted
	}
	for _, live := range req.Observed.Objects["tenant"].Live {
		if n, ok := resource.Whole(live.Value, "licenses"); ok {
			l.Bought, l.Buying = n, n
		}
	}
	if p.createsOrganization() {
		l.Bought = 0
	}
	for _, c := range p.Changes {
		if c.Type != "tenant" {
			continue
		}
		l.Purchases = append(l.Purchases, c.forecast...)
		if n, ok := resource.Whole(c.After, "licenses"); ok && c.Applies() {
			l.Buying = n
		}
	}
}

// recipients compares the directory with what Essentials accepts, when all that this rests on was read.
func (p *Part) recipients(req *Request, relays relays, fates iter.Seq[*fate], unknown string) *Recipients {
	o := req.Observed
	domains, asked := o.Objects["domain"]
	switch {
	case o.DirectoryErr != nil:
		unknown = "the directory could not be read"
	case !o.Directory.Proof.Complete:
		unknown = "the directory was not read completely"
	case o.Directory.KindsErr != nil:
		unknown = "Exchange could not be read, which alone knows the dynamic lists"
	case domains.Err != nil:
		unknown = "the domains of Essentials could not be read"
	case !asked && !p.createsOrganization():
		unknown = "the domains of Essentials were not read, since no domain block asks for them"
	}
	for _, c := range p.Changes {
		if c.Type == "domain" && c.Applies() && c.After != cty.NilVal && (!resource.Get(c.After, "purpose").IsKnown() || !resource.Get(c.After, "name").IsKnown()) {
			unknown = fmt.Sprintf("what %s becomes is known after the apply", c.Address)
		}
	}
	if unknown != "" {
		return &Recipients{Unknown: unknown}
	}
	c := coverage{entries: o.Directory.Entries, result: p.Accounts, relays: relays, fates: fates}
	if !slices.IsSortedFunc(c.entries, byEntry) {
		c.entries = slices.SortedFunc(slices.Values(c.entries), byEntry)
	}
	for _, change := range p.Changes {
		c.hosted = c.hosted || change.Type == "sync_policy" && text(change.After, "engine") == dirsync.EngineEssentials
	}
	out := c.count()
	return &out
}

func byEntry(a, b *directory.Entry) int {
	return cmp.Or(strings.Compare(a.Address, b.Address), strings.Compare(a.ObjectID, b.ObjectID))
}
