package hosted

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/directory"
)

// Effect is what a run does to one address. The first four are the groups of the console's summary (R41).
type Effect string

// The effects. Refused entries are errors of single entries: the run goes on.
const (
	Adding    Effect = "adding"
	Updating  Effect = "updating"
	Disabling Effect = "disabling"
	Deleting  Effect = "deleting"
	Exempt    Effect = "exempt"
	Skipped   Effect = "skipped"
	Refused   Effect = "refused"
)

// Reason codes of skipped entries.
const (
	SkipNoAddress    = "no_proxy_address" // R31
	SkipForeign      = "foreign_domain"   // R33
	SkipDynamic      = "dynamic_group"    // R37
	SkipMicrosoft365 = "m365_group"       // R1
)

// Item is what a run does about one address.
type Item struct {
	Effect Effect `json:"effect"`
	// Address is the account's address before the run; for Adding the new one; for Skipped the entry's, or its user
	// principal name when it has none.
	Address  string         `json:"address"`
	ObjectID string         `json:"object_id,omitempty"`
	Kind     directory.Kind `json:"kind,omitempty"`
	// Code is why an entry is skipped.
	Code string `json:"code,omitempty"`
	// Rule is the one that decided, Text the reason in a sentence.
	Rule string `json:"rule,omitempty"`
	Text string `json:"text,omitempty"`
	// Before and After are the account; nil where there is none. Shared with the request: read only.
	Before *directory.Account `json:"before,omitempty"`
	After  *directory.Account `json:"after,omitempty"`
	// Depends are the facts without which it would be otherwise; empty when it is certain.
	Depends []Fact `json:"depends,omitempty"`
}

// Outcome is one run played through. Items are sorted by address, then effect.
type Outcome struct {
	// Fails is why the run fails; then there are no items.
	Fails string
	Items []Item
	// contested says that the order of entries mattered, seats the billable accounts afterwards.
	contested bool
	seats     int
}

// Run plays one run through under the assumptions. manual is the run of the console's button, which fails on domains that
// Essentials does not know (R34); an automatic run leaves their people out (R33).
func Run(req Request, a Assumptions, manual bool) Outcome {
	r := newRun(&req, a)
	switch {
	case !req.Settings.Configured:
		return Outcome{Fails: "the sync is not configured (R17)"}
	case req.Fails != "":
		return Outcome{Fails: req.Fails}
	case a.Refuses != "":
		return Outcome{Fails: a.Refuses}
	}
	if manual {
		if unknown := r.unknownDomains(); len(unknown) > 0 {
			return Outcome{Fails: "the directory has domains that Essentials does not know: " + strings.Join(unknown, ", ") + " (R34)"}
		}
	}
	r.entries()
	r.leftover()
	r.settle()
	r.seat()
	return r.outcome()
}

// run is one run being played.
type run struct {
	req *Request
	a   Assumptions
	s   Settings

	registered, exempt map[string]bool
	byAddress          map[string]*directory.Account
	byUID              map[int]*directory.Account
	byObject           map[string]*directory.Account
	living             map[string]*directory.Entry

	wishes  []*wish
	claimed map[*directory.Account]bool
	going   map[*directory.Account]*Item
	items   []Item

	contested bool
	seats     int
}

// wish is one account as an entry wants it. have is nil for an account to be made.
type wish struct {
	have  *directory.Account
	want  directory.Account
	entry *directory.Entry
	rule  string
	text  string
}

func newRun(req *Request, a Assumptions) *run {
	r := &run{
		req: req, a: a, s: req.Settings, registered: set(req.Domains), exempt: set(req.Exempt),
		byAddress: map[string]*directory.Account{}, byUID: map[int]*directory.Account{}, byObject: map[string]*directory.Account{},
		living: make(map[string]*directory.Entry, len(req.Directory.Entries)), claimed: map[*directory.Account]bool{}, going: map[*directory.Account]*Item{},
	}
	for _, acc := range req.Accounts.Accounts {
		r.byUID[acc.UID] = acc
		r.byAddress[directory.Fold(acc.Address)] = acc
		for _, alias := range acc.Aliases {
			r.byAddress[directory.Fold(alias)] = acc
		}
	}
	for _, e := range req.Directory.Groups {
		r.living[directory.Fold(e.ObjectID)] = e
	}
	for _, e := range req.Directory.Entries {
		r.living[directory.Fold(e.ObjectID)] = e
	}
	for uid, m := range a.Memory {
		if acc := r.byUID[uid]; acc != nil && m.ObjectID != "" {
			id := directory.Fold(m.ObjectID)
			// Of two that are remembered for one object the older one is its own (inferred), or the newer.
			other := r.byObject[id]
			r.contested = r.contested || other != nil
			if other == nil || (acc.UID < other.UID) != a.LastFirst {
				r.byObject[id] = acc
			}
		}
	}
	return r
}

func set(list []string) map[string]bool {
	out := make(map[string]bool, len(list))
	for _, s := range list {
		out[directory.Fold(s)] = true
	}
	return out
}

// unknownDomains are the domains on which a manual run fails (R34).
func (r *run) unknownDomains() []string {
	var out []string
	for _, d := range r.req.Directory.Domains {
		d = directory.Fold(d)
		if r.registered[d] || r.a.NoMail[d] || initial(d) && r.a.IgnoresInitialDomain {
			continue
		}
		out = append(out, d)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// initial tells the domain that every Entra tenant is made with (Microsoft: "*.onmicrosoft.com").
func initial(domain string) bool {
	_, rest, _ := strings.Cut(domain, ".")
	return strings.HasPrefix(rest, "onmicrosoft.")
}

// entries goes through the directory, people before groups, each in the order of their ids: the order decides who gets an
// address or a seat that several want, and is inferred.
func (r *run) entries() {
	var people, groups []*directory.Entry
	for _, e := range r.req.Directory.Entries {
		switch {
		case e.Kind == directory.Contact: // not among what is brought over (R1)
		case e.Kind.IsGroup():
			groups = append(groups, e)
		default:
			people = append(people, e)
		}
	}
	for _, list := range [][]*directory.Entry{people, groups} {
		slices.SortFunc(list, func(a, b *directory.Entry) int { return strings.Compare(a.ObjectID, b.ObjectID) })
		if r.a.LastFirst {
			slices.Reverse(list)
		}
	}
	if r.s.SyncUsers {
		for _, e := range people {
			r.person(e)
		}
	}
	for _, e := range groups {
		r.group(e)
	}
}

func (r *run) add(i Item) { r.items = append(r.items, i) }

func (r *run) skip(e *directory.Entry, address, code, rule, text string) {
	r.add(Item{Effect: Skipped, Address: address, ObjectID: e.ObjectID, Kind: e.Kind, Code: code, Rule: rule, Text: text})
}

// address is an entry's primary address and its aliases on registered domains.
func (r *run) address(e *directory.Entry) (string, []string) {
	primary := directory.Fold(e.Address)
	if primary == "" {
		primary = directory.Fold(r.a.Primaries[e.ObjectID])
	}
	var aliases []string
	for _, x := range e.Aliases {
		if x = directory.Fold(x); x != primary && r.registered[directory.DomainOf(x)] {
			aliases = append(aliases, x)
		}
	}
	slices.Sort(aliases)
	return primary, slices.Compact(aliases)
}

// owner is the account that an entry stands for: the one that an earlier run linked to it, else the one that has its
// address and is not known to stand for another living object (inferred). same says that it is surely its own: linked, or
// with the entry's primary address as its own.
func (r *run) owner(e *directory.Entry, primary string) (account *directory.Account, linked bool) {
	if acc := r.byObject[directory.Fold(e.ObjectID)]; acc != nil {
		return acc, true
	}
	acc := r.byAddress[primary]
	if acc == nil {
		return nil, false
	}
	if m, ok := r.a.Memory[acc.UID]; ok && !strings.EqualFold(m.ObjectID, e.ObjectID) && r.living[directory.Fold(m.ObjectID)] != nil {
		return nil, false
	}
	return acc, false
}

// standsFor is the account that a user or group stands for, as owner has it. done says that there is no more to decide: the
// entry is exempt (R40), or its primary domain is not registered (R33); then an account that is surely its own stays, too.
func (r *run) standsFor(e *directory.Entry, primary string) (acc *directory.Account, linked, done bool) {
	acc, linked = r.owner(e, primary)
	if r.exempted(e, primary, acc) {
		return acc, linked, true
	}
	if r.registered[directory.DomainOf(primary)] {
		return acc, linked, false
	}
	if linked {
		r.claimed[acc] = true
	}
	r.skip(e, primary, SkipForeign, "R33", "its primary domain is not registered in Essentials")
	return acc, linked, true
}

// exempted: an exemption is by address, whatever the directory says (R40). It holds for the entry's address and for that of
// the account that the entry stands for.
func (r *run) exempted(e *directory.Entry, primary string, acc *directory.Account) bool {
	address := primary
	if !r.exempt[primary] {
		if acc == nil || !r.exempt[directory.Fold(acc.Address)] {
			return false
		}
		address = directory.Fold(acc.Address)
	}
	if acc != nil {
		r.claimed[acc] = true
	}
	r.add(Item{Effect: Exempt, Address: address, ObjectID: e.ObjectID, Kind: e.Kind, Rule: "R40", Text: "it is on the list of exemptions", Before: acc, After: acc})
	return true
}

// person decides about a user of the directory. Shared mailboxes, rooms and equipment are users like any other to the
// vendor (R38), and so are guests.
func (r *run) person(e *directory.Entry) {
	primary, aliases := r.address(e)
	if primary == "" {
		r.skip(e, e.UPN, SkipNoAddress, "R31", "it has no proxyAddresses, so the sync does not see it")
		return
	}
	acc, linked, done := r.standsFor(e, primary)
	if done {
		return
	}
	w := &wish{entry: e, want: directory.Account{Address: primary, Aliases: aliases, Type: r.s.Role, Active: e.Enabled, Billable: true,
		FirstName: e.GivenName, Surname: e.Surname}}
	if e.GivenName == "" && e.Surname == "" && !r.a.LeavesNameless {
		w.want.FirstName = e.Name
	}
	switch {
	case acc == nil, !linked && directory.Fold(acc.Address) != primary:
		if r.s.AddUsers {
			w.rule, w.text = addition(e)
			r.wishes = append(r.wishes, w)
		}
	case acc.Type == directory.FunctionalAccount:
		r.claimed[acc] = true
		if r.s.AddUsers && (r.s.RemoveUsers || r.a.FlipsWithoutRemove) {
			r.goes(acc, e, "R40", "it is a functional account and the directory has a user there: it is deleted and made again as a user")
			w.rule, w.text = "R40", "it takes the place of the functional account"
			r.wishes = append(r.wishes, w)
		}
	default:
		r.keep(acc, w, r.s.UpdateUsers)
	}
}

// addition is why a person is added.
func addition(e *directory.Entry) (rule, text string) {
	switch e.Kind {
	case directory.SharedMailbox, directory.Room, directory.Equipment:
		return "R38", "a " + strings.ReplaceAll(string(e.Kind), "_", " ") + " comes over as a user"
	}
	return "R21", "Essentials has no account for it"
}

// group decides about a mail-enabled group: a functional account with its address (R23).
func (r *run) group(e *directory.Entry) {
	if e.Kind == directory.DynamicDistributionGroup {
		r.skip(e, directory.Fold(e.Address), SkipDynamic, "R37", "dynamic distribution groups are not supported")
		return
	}
	primary, aliases := r.address(e)
	on := r.s.SyncDistribution
	if e.Kind == directory.SecurityGroup {
		on = r.s.SyncSecurity
	}
	switch {
	case e.Kind == directory.Microsoft365Group && !r.a.BringsMicrosoft365:
		r.skip(e, cmp.Or(primary, e.ObjectID), SkipMicrosoft365, "R1", "Microsoft 365 groups are not among what the sync brings over")
		return
	case !on:
		return
	case primary == "":
		r.skip(e, e.ObjectID, SkipNoAddress, "R31", "it has no primary address")
		return
	}
	acc, linked, done := r.standsFor(e, primary)
	if done {
		return
	}
	w := &wish{entry: e, rule: "R23", text: "a group becomes a functional account with its address",
		want: directory.Account{Address: primary, Aliases: aliases, Type: directory.FunctionalAccount, Active: true, Billable: true, FirstName: e.Name}}
	switch {
	case acc == nil:
		if r.s.AddGroups {
			r.wishes = append(r.wishes, w)
		}
	case acc.Type != directory.FunctionalAccount, !linked && directory.Fold(acc.Address) != primary:
		r.claimed[acc] = true
		r.refuse(e, primary, "its address belongs to "+acc.Address)
	default:
		r.keep(acc, w, r.s.UpdateGroups)
	}
}

func (r *run) refuse(e *directory.Entry, address, text string) {
	i := Item{Effect: Refused, Address: address, Text: text}
	if e != nil {
		i.ObjectID, i.Kind = e.ObjectID, e.Kind
	}
	r.add(i)
}

// keep brings an account that is there to its entry, if updating is on: names, addresses and whether it is active. Role,
// billing and sender lists are the account's own (R22, R24).
func (r *run) keep(acc *directory.Account, w *wish, update bool) {
	r.claimed[acc] = true
	if !update {
		return
	}
	want := *acc
	want.Address, want.FirstName, want.Surname, want.Active, want.Aliases = w.want.Address, w.want.FirstName, w.want.Surname, w.want.Active, w.want.Aliases
	w.have, w.want, w.rule = acc, want, "R22"
	if w.entry.Kind.IsGroup() {
		w.rule = "R24"
	}
	if same(acc, &want) {
		return
	}
	switch {
	case acc.Active && !want.Active:
		w.rule, w.text = "R32", "its sign-in is blocked, so mail to it is refused"
	case !acc.Active && want.Active:
		w.rule, w.text = "R32", "its sign-in is allowed, so it is active again"
	case directory.Fold(acc.Address) != want.Address:
		w.text = "its primary address changed to " + want.Address
	}
	r.wishes = append(r.wishes, w)
}

// same compares what a run writes.
func same(a, b *directory.Account) bool {
	return strings.EqualFold(a.Address, b.Address) && a.FirstName == b.FirstName && a.Surname == b.Surname && a.Active == b.Active && sameSet(a.Aliases, b.Aliases)
}

func sameSet(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	in := set(a)
	for _, x := range b {
		if !in[directory.Fold(x)] {
			return false
		}
	}
	return true
}

func (r *run) goes(acc *directory.Account, e *directory.Entry, rule, text string) {
	i := &Item{Effect: Deleting, Address: directory.Fold(acc.Address), Rule: rule, Text: text, Before: acc}
	if e != nil {
		i.ObjectID, i.Kind = e.ObjectID, e.Kind
	}
	r.going[acc] = i
}

// leftover decides about accounts that no entry claimed: Remove Deleted Users and Groups (R25, R26).
func (r *run) leftover() {
	users := r.s.SyncUsers && r.s.RemoveUsers
	groups := (r.s.SyncDistribution || r.s.SyncSecurity) && r.s.RemoveGroups
	if !users && !groups {
		return
	}
	for _, acc := range r.req.Accounts.Accounts {
		if r.claimed[acc] {
			continue
		}
		removes, rule := false, "R25"
		m, synced := r.a.Memory[acc.UID]
		e := r.living[directory.Fold(m.ObjectID)]
		switch {
		case !synced:
			removes = users && r.a.DeletesHandMade && !acc.Type.IsAdmin()
		case e != nil && e.Kind.IsGroup(): // there, but not among what is brought over
		case e == nil && (m.Kind.IsGroup() || m.Kind == "" && acc.Type == directory.FunctionalAccount):
			removes, rule = groups, "R26"
		default: // gone, or without an address, which is the same to a sync that does not see it (R31)
			removes = users
		}
		if !removes {
			continue
		}
		if r.exempt[directory.Fold(acc.Address)] {
			r.add(Item{Effect: Exempt, Address: directory.Fold(acc.Address), Rule: "R40", Text: "it is on the list of exemptions", Before: acc, After: acc})
			continue
		}
		r.goes(acc, nil, rule, "the directory does not show it any more")
	}
}

// settle drops what would give one address to two accounts. What the same run gives up is free. A wish that is dropped
// gives nothing up after all, so it is gone through until nothing is dropped any more.
func (r *run) settle() {
	for {
		released := map[string]bool{}
		for _, w := range r.wishes {
			if w.have == nil {
				continue
			}
			stays := set(append(slices.Clone(w.want.Aliases), w.want.Address))
			for _, x := range append(slices.Clone(w.have.Aliases), w.have.Address) {
				if x = directory.Fold(x); !stays[x] {
					released[x] = true
				}
			}
		}
		taken := map[string]bool{}
		free := func(w *wish, x string) bool {
			if taken[x] {
				r.contested = true
				return false
			}
			holder := r.byAddress[x]
			return holder == nil || holder == w.have || r.going[holder] != nil || released[x]
		}
		var kept []*wish
		for _, w := range r.wishes {
			if !free(w, w.want.Address) {
				r.refuse(w.entry, w.want.Address, "its address is already in use")
				continue
			}
			taken[w.want.Address] = true
			var aliases []string
			for _, x := range w.want.Aliases {
				if free(w, x) {
					taken[x] = true
					aliases = append(aliases, x)
					continue
				}
				r.refuse(w.entry, x, "as an alias of "+w.want.Address+" it is already in use")
			}
			w.want.Aliases = aliases
			if w.have == nil || !same(w.have, &w.want) {
				kept = append(kept, w)
			}
		}
		dropped := len(kept) < len(r.wishes)
		r.wishes = kept
		if !dropped {
			return
		}
	}
}

// billable tells whether an account takes a seat.
func billable(a *directory.Account) bool {
	return a != nil && a.Active && a.Billable && a.Type != directory.FunctionalAccount
}

// seat counts seats and, with user capping, refuses those beyond what was bought; what else changes about an account that
// is there goes on.
func (r *run) seat() {
	for _, acc := range r.req.Accounts.Accounts {
		if billable(acc) && r.going[acc] == nil {
			r.seats++
		}
	}
	for _, w := range r.wishes {
		if billable(w.have) && !billable(&w.want) {
			r.seats--
		}
	}
	var kept []*wish
	for _, w := range r.wishes {
		if !billable(&w.want) || billable(w.have) {
			kept = append(kept, w)
			continue
		}
		if r.a.Capped && r.seats >= r.req.Licenses {
			r.contested = true
			r.refuse(w.entry, w.want.Address, fmt.Sprintf("user capping: all %d seats are taken", r.req.Licenses))
			if w.have == nil {
				continue
			}
			if w.want.Active = false; !same(w.have, &w.want) {
				kept = append(kept, w)
			}
			continue
		}
		r.seats++
		kept = append(kept, w)
	}
	r.wishes = kept
}

func (r *run) outcome() Outcome {
	for _, w := range r.wishes {
		want := w.want
		i := Item{Effect: Updating, Address: want.Address, ObjectID: w.entry.ObjectID, Kind: w.entry.Kind, Rule: w.rule, Text: w.text, Before: w.have, After: &want}
		if w.have == nil {
			i.Effect = Adding
		} else {
			i.Address = directory.Fold(w.have.Address)
			if w.have.Active && !want.Active {
				i.Effect = Disabling
			}
			if i.Text == "" {
				i.Text = "names or aliases differ from the directory's"
			}
		}
		r.add(i)
	}
	for _, i := range r.going {
		r.add(*i)
	}
	slices.SortFunc(r.items, compare)
	r.items = slices.CompactFunc(r.items, func(a, b Item) bool { return a.Effect == b.Effect && a.Address == b.Address && a.Code == b.Code })
	return Outcome{Items: r.items, contested: r.contested, seats: r.seats}
}

func compare(a, b Item) int {
	return cmp.Or(strings.Compare(a.Address, b.Address), strings.Compare(string(a.Effect), string(b.Effect)), strings.Compare(a.Code, b.Code))
}
