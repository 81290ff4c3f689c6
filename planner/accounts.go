package planner

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// accounts decides about the accounts that the tenant's sync policy derives from the directory. removals are what other
// items take out of service.
func (p *Part) accounts(req *Request, objects *Objects, removals []*removal) {
	if req.Destroy || req.Frame == nil {
		p.takeDownAccounts(req)
		return
	}
	policyChange := p.policy()
	if policyChange == nil {
		p.releaseAccounts(req)
		return
	}
	p.resumes(req, policyChange)
	if policyChange.Action == Unknown && !req.Sync {
		return
	}
	if p.guardPolicy(req, policyChange) {
		return
	}
	policy, err := dirsync.DecodePolicy(policyChange.Address, withDefaults(policyChange.After, req.safeguard()))
	if err != nil {
		p.Problems = append(p.Problems, fmt.Sprintf("%s cannot decide about accounts yet: %v", policyChange.Address, err))
		return
	}
	policy.Where = policyChange.Source
	p.AccountPolicy = policyChange.Address
	if req.Observed.Accounts == nil && req.Observed.AccountsErr == nil && !p.createsOrganization() {
		return
	}
	request := dirsync.Request{
		Policy:        policy,
		Domains:       p.domains(req),
		Directory:     req.Observed.Directory,
		Accounts:      req.Observed.Accounts,
		Known:         known(req.Prior),
		Protections:   p.protections(req),
		Declared:      p.declared(req),
		Skips:         req.skips(),
		Window:        window(req.Prior, req.Now, policy.Safeguard.Window),
		PolicyChanged: !req.Sync && p.policyChanged(),
		Sync:          req.Sync,
		Others:        counted(removals),
		AdminsLeaving: adminsLeaving(removals),
		Now:           req.Now,
	}
	request.DomainsDoubt = p.domainDoubt(req, request.Domains)
	request.ProtectionsDoubt = p.protectionDoubt()
	allowance := p.allow(req, &request.Policy.Safeguard)
	safeguard := request.Policy.Safeguard // a copy: a pointer into the request would keep all that was read as long as the plan
	p.safeguard = &safeguard
	if p.createsOrganization() {
		// An organization that this plan creates has no accounts yet: that is known without reading.
		request.Accounts = &directory.AccountReading{Proof: directory.Proof{Complete: true, Source: "accounts", Count: -1, At: req.Now}}
	}
	request.Exempt = p.exemptions(req, &policy)
	p.inquire(req, &request)
	p.Accounts = dirsync.Decide(request)
	p.decideSelected(req, request)
	p.Waiting, p.MaxAge = waiting(req, p.Accounts), policy.MaxAge
	if p.Accounts.Allowed > 0 {
		p.Allowance = allowance
	}
	p.narrow(req)
	p.Bookkeeping = p.remembers(req) || req.unremembered()
	p.Notes = append(p.Notes, p.Accounts.Notes...)
	p.noteSkips()
	p.Notes = append(p.Notes, unregistered(p.Accounts.Unregistered)...)
	p.addProblems(req.Observed, p.Accounts.Problems)
	for _, w := range p.Accounts.Waits {
		p.Waits = append(p.Waits, Wait{Address: AccountAddress(p.AccountPolicy, w.Address), Text: w.Text})
	}
	for _, u := range p.Accounts.Undecided {
		if u.Error {
			p.Errors = append(p.Errors, fmt.Sprintf("%s: a person must decide about it, because the hosted sync would (R40):\n%s", u.Address, strings.Join(u.Blocks, "\n")))
		}
	}
	p.foresee(req, policyChange, &policy)
}

// createsOrganization reports whether the part creates the tenant's organization.
func (p *Part) createsOrganization() bool {
	for _, c := range p.Changes {
		if c.Type == "tenant" && c.Action == Create {
			return true
		}
	}
	return false
}

func (p *Part) policy() *Change {
	for _, c := range p.Changes {
		if c.Type == "sync_policy" && c.After != cty.NilVal && c.Action != Delete && c.Action != Release {
			return c
		}
	}
	return nil
}

// domains are the domains that the organization will have after the plan: those that exist and do not go with it, and
// those that it adds.
func (p *Part) domains(req *Request) []dirsync.Domain {
	relay := map[string]bool{}
	if p.createsOrganization() {
		relay[req.Tenant.PrimaryDomain] = false
	}
	if req.Sync {
		return req.syncDomains()
	}
	for _, l := range req.Observed.Objects["domain"].Live {
		relay[strings.ToLower(text(l.Value, "name"))] = text(l.Value, "purpose") == "relay"
	}
	for _, c := range p.Changes {
		if c.Type != "domain" {
			continue
		}
		switch {
		case c.Action == Delete:
			if p.domainGoes(req, c) {
				delete(relay, strings.ToLower(text(c.Before, "name")))
			}
		case c.Action == Create && !req.selects(c):
		case c.After != cty.NilVal:
			if name := strings.ToLower(text(c.After, "name")); name != "" {
				relay[name] = text(c.After, "purpose") == "relay"
			}
		}
	}
	var out []dirsync.Domain
	for name, r := range relay {
		out = append(out, dirsync.Domain{Name: name, Relay: r})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// protections are those of the present configuration and those last applied: both count, so that a protection that is
// being taken away in the same plan still holds.
func (p *Part) protections(req *Request) []dirsync.Protection {
	var out []dirsync.Protection
	for _, c := range p.Changes {
		if c.Type == "exemption" && c.After != cty.NilVal && c.Action != Delete && c.Action != Release {
			prot := protection(c.Address, protecting(c), c.Wanted)
			prot.Last = strs(c.After, "protects")
			prot.Where = c.Source
			if req.Prior != nil {
				follow(&prot, req.Prior.Objects[c.Address])
			}
			out = append(out, prot)
		}
	}
	if req.Prior != nil {
		for _, address := range req.Prior.Addresses() {
			if obj := req.Prior.Objects[address]; obj.Type == "exemption" {
				prot := protection(address, obj.Values, cty.NilVal)
				lastWhen(&prot, obj.Values)
				follow(&prot, obj)
				out = append(out, prot)
			}
		}
	}
	return out
}

func protection(source string, after, wanted cty.Value) dirsync.Protection {
	prot := dirsync.Protection{
		Source: source, As: text(after, "as"), Reason: text(after, "reason"), Owner: text(after, "owner"),
		Addresses: strs(after, "addresses"), Groups: strs(after, "groups"),
	}
	prot.Last = strs(after, "protects")
	for _, s := range strs(after, "patterns") {
		if p, err := directory.ParsePattern(s); err == nil {
			prot.Patterns = append(prot.Patterns, p)
		}
	}
	if wanted != cty.NilVal {
		prot.When = directory.PredicateOf(resource.Get(wanted, "when"))
	}
	if t, err := time.Parse(time.DateOnly, text(after, "expires")); err == nil {
		prot.Expires = t.AddDate(0, 0, 1).Add(-time.Second) // it stands to the end of that day
	}
	return prot
}

// lastWhen gives a protection that was applied its condition, where it names people otherwise, too. With nothing else than a
// condition it goes by whom it protected last; with more it does not, and those whom the condition alone protects would be
// left without. A condition that this build cannot read protects them by their addresses.
func lastWhen(prot *dirsync.Protection, applied cty.Value) {
	if text(applied, "when") == "" || len(prot.Groups)+len(prot.Patterns) == 0 {
		return
	}
	v, err := predicate(resource.Get(applied, "when"))
	if err != nil {
		prot.Addresses = append(prot.Addresses, prot.Last...)
		return
	}
	prot.When = directory.PredicateOf(v)
}

func strs(v cty.Value, path string) []string {
	if v == cty.NilVal {
		return nil
	}
	list := resource.Get(v, path)
	if list == cty.NilVal || list.IsNull() || !list.IsWhollyKnown() || !list.CanIterateElements() {
		return nil
	}
	var out []string
	for it := list.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.Type() == cty.String && !e.IsNull() {
			out = append(out, directory.Fold(e.AsString()))
		}
	}
	return out
}

// declared are the addresses of account blocks, of the present configuration and of state, and of the organization's
// first administrator.
func (p *Part) declared(req *Request) map[string]bool {
	out := map[string]bool{}
	add := func(v cty.Value) {
		if email := directory.Fold(text(v, "email")); email != "" {
			out[email] = true
		}
		if v == cty.NilVal {
			return
		}
		for _, alias := range strs(v, "aliases") {
			out[alias] = true
		}
	}
	for _, c := range p.Changes {
		switch c.Type {
		case "account":
			add(protecting(c))
			add(c.Before)
		case "tenant":
			if c.After != cty.NilVal {
				add(resource.Get(c.After, "admin"))
			}
		}
	}
	if req.Prior != nil {
		for _, obj := range req.Prior.Objects {
			switch obj.Type {
			case "account":
				add(obj.Values)
			case "tenant":
				add(resource.Get(obj.Values, "admin"))
			}
		}
	}
	return out
}

func known(prior *state.State) []dirsync.Known {
	if prior == nil {
		return nil
	}
	out := make([]dirsync.Known, 0, prior.Accounts.Len())
	for a := range prior.Accounts.All() {
		out = append(out, dirsync.Known{
			Address: a.Address, UID: a.UID, ObjectID: a.ObjectID, Policy: a.Policy, Hash: a.Hash,
			Created: a.Ownership == state.Created, GoneSince: a.GoneSince, Aliases: a.Aliases, Kind: directory.Kind(a.Kind),
			Converted: a.Converted, Disabled: a.Disabled, SettleUntil: a.SettleUntil,
		})
	}
	for _, doubt := range prior.Doubts() {
		// An account whose creation was begun and never seen to end is Weir's own, if it exists.
		if doubt.Mail != "" && doubt.Action == string(dirsync.Add) && prior.Accounts.Get(doubt.Mail) == nil {
			out = append(out, dirsync.Known{Address: doubt.Mail, Policy: doubt.Address, Created: true})
		}
	}
	if byAddress := func(a, b dirsync.Known) int { return strings.Compare(a.Address, b.Address) }; !slices.IsSortedFunc(out, byAddress) {
		slices.SortFunc(out, byAddress) // doubts stand at the end
	}
	return slices.CompactFunc(out, func(a, b dirsync.Known) bool { return a.Address == b.Address })
}

// skips are those of state and of this run, which has no end to remember.
func (req *Request) skips() map[string]time.Time {
	out := skips(req.Prior, req.Observed)
	for _, mail := range req.LeftOut {
		if _, known := out[mail]; !known {
			out[mail] = time.Time{}
		}
	}
	return out
}

// skips are the accounts that a person left out, by every address that the account has had since, and by those that it and
// its directory object have now: state does not know an account about which nothing was ever carried out. One whose time
// is over is passed on too: it goes on protecting, and is reported.
func skips(prior *state.State, observed *Observation) map[string]time.Time {
	out := map[string]time.Time{}
	if prior == nil {
		return out
	}
	// One pass over the accounts, however many were left out.
	byUID, byObject := map[int][]time.Time{}, map[string][]time.Time{}
	for _, s := range prior.Skips {
		if s.Mail == "" {
			continue
		}
		longest(out, s.Mail, s.Until)
		if s.UID != 0 {
			byUID[s.UID] = append(byUID[s.UID], s.Until)
		}
		if s.ObjectID != "" {
			byObject[s.ObjectID] = append(byObject[s.ObjectID], s.Until)
		}
	}
	if len(byUID)+len(byObject) == 0 {
		return out
	}
	also := func(address string, uid int, objectID string) {
		for _, until := range byUID[uid] {
			longest(out, address, until)
		}
		for _, until := range byObject[objectID] {
			longest(out, address, until)
		}
	}
	eachID(prior, observed, also)
	return out
}

// longest keeps the later of two ends; zero is none.
func longest(ends map[string]time.Time, mail string, until time.Time) {
	if old, ok := ends[mail]; ok && (old.IsZero() || !until.IsZero() && old.After(until)) {
		return
	}
	ends[mail] = until
}

func window(prior *state.State, now time.Time, length time.Duration) []dirsync.Removal {
	if prior == nil {
		return nil
	}
	var out []dirsync.Removal
	for _, r := range prior.Removals {
		if r.Time.After(now.Add(-length)) {
			out = append(out, dirsync.Removal{Address: r.Mail, At: r.Time})
		}
	}
	// What was begun and never seen to end may have happened.
	for _, d := range prior.Doubts() {
		for _, r := range d.Removals() {
			if r.Time.After(now.Add(-length)) {
				out = append(out, dirsync.Removal{Address: r.Mail, At: r.Time})
			}
		}
	}
	return out
}

// releaseAccounts: a policy that is gone releases its accounts, it never deletes them.
func (p *Part) releaseAccounts(req *Request) {
	if req.Prior == nil || req.Prior.Accounts.Len() == 0 {
		return
	}
	for _, c := range p.Changes {
		if c.Type == "sync_policy" && (c.Action == Release || c.Action == Delete) {
			p.Notes = append(p.Notes, fmt.Sprintf("%d accounts that %s derived from the directory are released: they stay as they are", req.Prior.Accounts.Len(), c.Address))
		}
	}
}

// takeDownAccounts plans the accounts of a destroy: those that Weir made are deleted, those it found stay. They are
// deleted one by one even when the organization goes too, since no domain can go while an address is in it.
func (p *Part) takeDownAccounts(req *Request) {
	if req.Prior == nil || req.Prior.Accounts.Len() == 0 {
		return
	}
	if req.Observed.Accounts == nil || !req.Observed.Accounts.Proof.Complete {
		p.Problems = append(p.Problems, "the accounts could not be read completely, so none is deleted")
		return
	}
	live := map[string]*directory.Account{}
	for _, a := range req.Observed.Accounts.Accounts {
		live[a.Address] = a
	}
	result := &dirsync.Result{}
	for a := range req.Prior.Accounts.All() {
		p.AccountPolicy = a.Policy
		before := live[a.Address]
		if before == nil || before.Type.IsAdmin() || !madeHere(a, before) && !req.IncludeAdopted {
			continue
		}
		result.Decisions = append(result.Decisions, dirsync.Decision{
			Action: dirsync.Delete, Address: a.Address, UID: a.UID, ObjectID: a.ObjectID, Before: before,
			Cause: string(Configuration), Destructive: true, Created: madeHere(a, before),
			Loses:   append([]string{a.Address}, before.Aliases...),
			Reasons: []dirsync.Reason{{Text: "everything that Weir made in this tenant is taken down"}},
		})
		if !before.Active {
			continue
		}
		for _, address := range append([]string{a.Address}, before.Aliases...) {
			result.StopsReceiving = append(result.StopsReceiving, dirsync.Stop{Address: address, Why: "its account is taken down"})
		}
	}
	slices.SortFunc(result.StopsReceiving, func(a, b dirsync.Stop) int { return strings.Compare(a.Address, b.Address) })
	p.Accounts = result
}

// madeHere reports whether Weir made the live account that has the address of the remembered one. One with another id was made
// by somebody else after ours was gone.
func madeHere(a *state.Account, live *directory.Account) bool {
	return a.Ownership == state.Created && (a.UID == 0 || live.UID == 0 || a.UID == live.UID)
}

// accounted reports whether state accounts for everything in an organization that is about to be deleted; if not, it
// names what it does not know.
func accounted(req *Request) (bool, string) {
	if req.Observed.Accounts == nil || !req.Observed.Accounts.Proof.Complete {
		return false, "its accounts could not be read completely"
	}
	if req.Observed.Objects["domain"].Err != nil {
		return false, "its domains could not be read"
	}
	ours := map[string]bool{req.Tenant.PrimaryDomain: true}
	declared := (&Part{}).declared(req)
	for _, obj := range req.Prior.Objects {
		if obj.Type == "domain" {
			ours[strings.ToLower(text(obj.Values, "name"))] = true
		}
	}
	for _, l := range req.Observed.Objects["domain"].Live {
		if name := strings.ToLower(text(l.Value, "name")); !ours[name] {
			return false, "it has the domain " + name + ", which Weir does not manage"
		}
	}
	for _, a := range req.Observed.Accounts.Accounts {
		known := req.Prior.Accounts.Get(a.Address)
		if !declared[a.Address] && (known == nil || known.Ownership == state.Created && !madeHere(known, a) && !req.IncludeAdopted) {
			return false, "it has the account " + a.Address + ", which Weir does not manage"
		}
	}
	return true, ""
}
