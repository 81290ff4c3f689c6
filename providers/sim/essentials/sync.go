package essentials

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

// SyncMode says how the hosted Azure sync is run.
type SyncMode string

const (
	// SyncPreview is the first step of a manual run: the summary, nothing changed (R41).
	SyncPreview SyncMode = "preview"
	// SyncApply is the second step, "Sync Active Directory" (R43).
	SyncApply SyncMode = "apply"
	// SyncScheduled is an automatic run: no review (R44), unknown domains are left out silently (R33).
	SyncScheduled SyncMode = "scheduled"
)

// SyncReport is what a run did, or would do. Lists hold lower-case addresses, sorted; the zero value of each is empty.
type SyncReport struct {
	// Status is "ok" or "failed"; Error says why a run failed. A failed run changed no account.
	Status string `json:"status"`
	Error  string `json:"error"`
	// Adding … Deleting are the groups of the console's summary. An address may stand in Adding and Deleting: a
	// functional account that gives way to a user (R40).
	Adding    []string `json:"adding"`
	Updating  []string `json:"updating"`
	Disabling []string `json:"disabling"`
	Deleting  []string `json:"deleting"`
	Exempt    []string `json:"exempt"`
	// Skipped are directory objects that the sync does not bring over.
	Skipped []SyncSkip `json:"skipped"`
	// Errors are single entries that could not be carried out.
	Errors []SyncSkip `json:"errors"`
}

// SyncSkip names an entry and why nothing came of it. Reasons of skipped entries are no_proxy_address, foreign_domain,
// dynamic_group and m365_group.
type SyncSkip struct {
	Identifier string `json:"identifier"`
	Reason     string `json:"reason"`
}

// connection is what the sync holds in hand after it logged in to the directory. secret may be set beside an error.
type connection struct {
	tenant *world.Tenant
	secret *world.Secret
}

// connect does what the hosted sync has to do before it can read anything: find the directory, log in with the client
// secret, and hold Directory.Read.All (R8–R12). The texts are those of Microsoft's errors.
func connect(w *world.World, a *world.AzureSync, at time.Time) (connection, error) {
	c := connection{tenant: w.Tenant(a.PrimaryDomain)}
	if c.tenant == nil {
		return c, fmt.Errorf("AADSTS90002: tenant '%s' not found", a.PrimaryDomain)
	}
	switch c.tenant.RegionSubScope {
	case "DODCON", "DOD":
		return c, errors.New("GCC High directories are not supported (R2)")
	}
	app := c.tenant.ApplicationByAppID(a.ApplicationID)
	if app == nil {
		_, app = w.HomeOf(a.ApplicationID)
	}
	sp := c.tenant.ServicePrincipalByAppID(a.ApplicationID)
	if app == nil || sp == nil {
		return c, fmt.Errorf("AADSTS700016: application with identifier '%s' was not found in the directory", a.ApplicationID)
	}
	for _, s := range app.Secrets {
		if s.Value == a.ADKey && a.ADKey != "" {
			c.secret = s
		}
	}
	switch {
	case c.secret == nil:
		return c, errors.New("AADSTS7000215: invalid client secret provided (the secret's value is needed, not its id; R11)")
	case at.Before(c.secret.Start):
		return c, errors.New("AADSTS7000215: the client secret is not valid yet")
	case !at.Before(c.secret.End):
		return c, fmt.Errorf("AADSTS7000222: the client secret expired on %s (R12)", c.secret.End.Format("2006-01-02"))
	case !sp.Enabled:
		return c, fmt.Errorf("AADSTS7000112: application '%s' is disabled", a.ApplicationID)
	case !consented(c.tenant, sp):
		return c, errors.New("[Authorization_RequestDenied] Insufficient privileges to complete the operation: " +
			"Directory.Read.All has no admin consent (R9, R10)")
	}
	return c, nil
}

func consented(t *world.Tenant, sp *world.ServicePrincipal) bool {
	graph := t.ServicePrincipalByAppID(world.GraphAppID)
	role := world.Permissions[world.GraphAppID]["Directory.Read.All"].Role
	return graph != nil && slices.ContainsFunc(t.AppRoleGrants, func(g *world.AppRoleGrant) bool {
		return g.Principal == sp.ID && g.Resource == graph.ID && strings.EqualFold(g.AppRole, role)
	})
}

// Sync runs the hosted Azure sync of o once, at the world's present. uncheck are addresses that the person at the
// console unticked (R42). A preview changes nothing; a failed run changes nothing but the connection status (R48). The
// caller holds Lock, or RLock for a preview.
func Sync(w *world.World, o *world.Organization, mode SyncMode, uncheck []string) SyncReport {
	return syncAt(w, o, mode, uncheck, w.Clock)
}

func syncAt(w *world.World, o *world.Organization, mode SyncMode, uncheck []string, at time.Time) SyncReport {
	s := &syncRun{w: w, o: o, mode: mode, report: SyncReport{Status: "ok", Adding: []string{}, Updating: []string{},
		Disabling: []string{}, Deleting: []string{}, Exempt: []string{}, Skipped: []SyncSkip{}, Errors: []SyncSkip{}}}
	if err := s.prepare(at); err != nil {
		s.report.Status, s.report.Error = "failed", err.Error()
		if o.Azure != nil && mode != SyncPreview {
			o.Azure.ConnectionGreen = false
		}
		return s.report
	}
	for _, a := range uncheck {
		s.unchecked[strings.ToLower(a)] = true
	}
	s.decide()
	s.resolveConflicts()
	s.capSeats()
	s.summarise()
	if mode == SyncPreview {
		return s.report
	}
	s.apply()
	if mode == SyncApply {
		o.Azure.ConnectionGreen = true // R48: a manual run turns the status green
	}
	if mode == SyncApply || !w.Switches.LastSyncManualOnly {
		o.Azure.LastSync = &at
	}
	return s.report
}

// change is one account as it is to be; from is nil for an account to be created.
type change struct {
	from   *world.User
	to     world.User
	object string // directory id
}

// empty tells whether nothing is left to do.
func (c *change) empty() bool {
	return c.from != nil && strings.EqualFold(c.to.PrimaryEmail, c.from.PrimaryEmail) && c.to.FirstName == c.from.FirstName &&
		c.to.Surname == c.from.Surname && c.to.IsActive == c.from.IsActive && sameAddresses(c.to.Aliases, c.from.Aliases)
}

func (c *change) disables() bool { return c.from != nil && c.from.IsActive && !c.to.IsActive }

type syncRun struct {
	w      *world.World
	o      *world.Organization
	mode   SyncMode
	tenant *world.Tenant
	report SyncReport

	domains   map[string]bool // registered here
	exempt    map[string]bool
	unchecked map[string]bool
	byObject  map[string]*world.User // directory id → account, as earlier runs remembered
	seen      map[*world.User]bool   // accounts whose directory object was considered
	links     map[*world.User]string // account → directory id, to be remembered

	changes []*change
	deletes map[*world.User]bool
}

func (s *syncRun) prepare(at time.Time) error {
	a := s.o.Azure
	switch {
	case a == nil:
		return errors.New("the Azure sync is not configured")
	case !s.o.IsActive:
		return errors.New("the organization is not active")
	case s.o.LDAP != nil:
		return errors.New("an Active Directory sync is configured too: remove its settings first (R4)")
	}
	c, err := connect(s.w, a, at)
	if err != nil {
		return err
	}
	s.tenant = c.tenant
	s.domains, s.exempt, s.unchecked = map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, d := range s.o.Domains {
		s.domains[strings.ToLower(d.Name)] = true
	}
	if s.mode != SyncScheduled {
		if err := s.unknownDomains(); err != nil {
			return err
		}
	}
	for _, e := range s.o.Exemptions {
		s.exempt[strings.ToLower(e)] = true
	}
	s.byObject = make(map[string]*world.User, len(s.o.SyncedUIDs))
	for uid, id := range s.o.SyncedUIDs {
		u, object := s.o.UserByUID(uid), strings.ToLower(id)
		// Of two accounts that are linked to one object the older one is its own (inferred; SyncLastFirst).
		if other := s.byObject[object]; u != nil && (other == nil || (uid < other.UID) != s.w.Switches.SyncLastFirst) {
			s.byObject[object] = u
		}
	}
	s.seen, s.links, s.deletes = map[*world.User]bool{}, map[*world.User]string{}, map[*world.User]bool{}
	return nil
}

// unknownDomains fails a manual run while the tenant has a domain that Essentials does not know (R34). Which of the
// tenant's domains count is inferred: the verified ones that carry mail.
func (s *syncRun) unknownDomains() error {
	var unknown []string
	for _, d := range s.tenant.Domains {
		if !d.Verified || d.NoEmail || d.Initial && s.w.Switches.ManualSyncIgnoresInitialDomain {
			continue
		}
		if name := strings.ToLower(d.Name); !s.domains[name] {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return fmt.Errorf("domains were found that are not associated with this customer account: %s (R34)", strings.Join(unknown, ", "))
}

// decide walks the directory, then the accounts that no directory object claimed.
func (s *syncRun) decide() {
	a := s.o.Azure
	if a.SyncUsers {
		for _, p := range inOrder(s.tenant.People, s.w.Switches.SyncLastFirst) {
			s.person(p)
		}
	}
	for _, g := range inOrder(s.tenant.Groups, s.w.Switches.SyncLastFirst) {
		s.group(g)
	}
	for _, l := range s.tenant.Exchange.DynamicLists { // R37; the directory does not even show them
		s.skip(strings.ToLower(l.Primary), "dynamic_group")
	}
	s.gone()
}

// inOrder is a list by id, or from its end: which of several objects gets an address that all of them want is not
// documented.
func inOrder[T any](list []T, reverse bool) []T {
	if reverse {
		list = slices.Clone(list)
		slices.Reverse(list)
	}
	return list
}

func (s *syncRun) skip(identifier, reason string) {
	s.report.Skipped = append(s.report.Skipped, SyncSkip{identifier, reason})
}

func (s *syncRun) problem(identifier, format string, args ...any) {
	s.report.Errors = append(s.report.Errors, SyncSkip{identifier, fmt.Sprintf(format, args...)})
}

// person decides about one directory user. Shared, room and equipment mailboxes are directory users like any other: the
// sync reads the directory, which does not tell them apart (R38).
func (s *syncRun) person(p *world.DirectoryUser) {
	a := s.o.Azure
	primary, aliases := s.addresses(p.ProxyAddresses, p.Mail)
	if primary == "" {
		s.skip(strings.ToLower(p.UserPrincipalName), "no_proxy_address") // R31: not detected at all
		return
	}
	u, known := s.match(p.ID, primary)
	if s.isExempt(primary, u) {
		return
	}
	if !s.domains[domainPart(primary)] {
		if known {
			s.seen[u] = true
		}
		s.skip(primary, "foreign_domain") // R33
		return
	}
	want := world.User{
		PrimaryEmail: primary, Type: a.DefaultRole, IsActive: p.Enabled, FirstName: p.GivenName, Surname: p.Surname,
		Aliases: aliases, IsBillable: true,
	}
	if want.FirstName == "" && want.Surname == "" && !s.w.Switches.SyncLeavesNameless {
		want.FirstName = p.DisplayName // inferred
	}
	switch {
	case u == nil, !known && !strings.EqualFold(u.PrimaryEmail, primary):
		// An alias of another account may be set free by this very run; dropConflicts judges.
		if a.AddUsers {
			s.changes = append(s.changes, &change{to: want, object: p.ID})
		}
	case u.Type == functionalAccount:
		// R40: the functional account stands in the way of the user, and nothing exempts it.
		s.seen[u] = true
		if a.AddUsers && (a.RemoveUsers || s.w.Switches.SyncFlipsWithoutRemove) {
			s.deletes[u] = true
			s.changes = append(s.changes, &change{to: want, object: p.ID})
		}
	default:
		s.known(u, want, p.ID, a.UpdateUsers)
	}
}

// group decides about one group. A distribution or mail-enabled security group becomes a functional account at its
// address; groups without an address leave nothing that the API shows. Microsoft 365 groups are not among what the sync
// brings over (R1; inferred from its list).
func (s *syncRun) group(g *world.Group) {
	a := s.o.Azure
	if !g.MailEnabled {
		return
	}
	primary, aliases := s.addresses(g.ProxyAddresses, g.Mail)
	unified := slices.Contains(g.GroupTypes, "Unified")
	switch {
	case unified && !s.w.Switches.SyncBringsM365Groups:
		s.skip(nonEmpty(primary, g.ID), "m365_group")
		return
	case g.SecurityEnabled && !unified && !a.SyncSecGroups, (!g.SecurityEnabled || unified) && !a.SyncDistGroups:
		return
	case primary == "":
		s.skip(g.ID, "no_proxy_address")
		return
	}
	u, known := s.match(g.ID, primary)
	if s.isExempt(primary, u) {
		return
	}
	if !s.domains[domainPart(primary)] {
		if known {
			s.seen[u] = true
		}
		s.skip(primary, "foreign_domain")
		return
	}
	want := world.User{PrimaryEmail: primary, Type: functionalAccount, IsActive: true, FirstName: g.DisplayName, Aliases: aliases,
		IsBillable: true}
	switch {
	case u == nil:
		if a.AddGroups {
			s.changes = append(s.changes, &change{to: want, object: g.ID})
		}
	case u.Type != functionalAccount || !known && !strings.EqualFold(u.PrimaryEmail, primary):
		s.seen[u] = true
		s.problem(primary, "the address of the group belongs to %s", u.PrimaryEmail)
	default:
		s.known(u, want, g.ID, a.UpdateGroups)
	}
}

// known compares an account with its directory object. Role, billing and sender lists are the account's own.
func (s *syncRun) known(u *world.User, want world.User, object string, update bool) {
	s.seen[u] = true
	s.links[u] = object
	to := *u
	to.PrimaryEmail, to.FirstName, to.Surname, to.IsActive = want.PrimaryEmail, want.FirstName, want.Surname, want.IsActive
	if !sameAddresses(to.Aliases, want.Aliases) {
		to.Aliases = want.Aliases
	}
	if c := (&change{from: u, to: to, object: object}); update && !c.empty() {
		s.changes = append(s.changes, c)
	}
}

// match finds the account of a directory object: the one that an earlier run linked to it (known), else the one that
// holds the address and is not linked to another object that is still there (inferred: one account never follows two).
func (s *syncRun) match(object, primary string) (u *world.User, known bool) {
	if u := s.byObject[strings.ToLower(object)]; u != nil {
		return u, true
	}
	u = s.o.User(primary)
	if u != nil {
		if other := s.o.SyncedUIDs[u.UID]; other != "" && !strings.EqualFold(other, object) && (s.tenant.Person(other) != nil || s.tenant.Group(other) != nil) {
			return nil, false
		}
	}
	return u, false
}

// isExempt: an exemption is by address, whatever the directory says; it holds for the directory's address and for that
// of the account that the object is linked to.
func (s *syncRun) isExempt(primary string, u *world.User) bool {
	by := ""
	switch {
	case s.exempt[primary]:
		by = primary
	case u != nil && s.exempt[strings.ToLower(u.PrimaryEmail)]:
		by = strings.ToLower(u.PrimaryEmail)
	default:
		return false
	}
	if u != nil {
		s.seen[u] = true
	}
	s.report.Exempt = append(s.report.Exempt, by)
	return true
}

// gone decides about accounts without a directory object (R25, R26).
func (s *syncRun) gone() {
	a := s.o.Azure
	removeUsers := a.SyncUsers && a.RemoveUsers
	removeGroups := (a.SyncDistGroups || a.SyncSecGroups) && a.RemoveGroups
	if !removeUsers && !removeGroups {
		return
	}
	var deletedKinds map[string]string
	for _, u := range s.o.Users {
		if s.seen[u] {
			continue
		}
		remove := false
		if id, synced := s.o.SyncedUIDs[u.UID]; synced {
			if deletedKinds == nil {
				deletedKinds = map[string]string{}
				for _, d := range s.tenant.Deleted {
					deletedKinds[strings.ToLower(d.ID)] = d.Kind
				}
			}
			switch {
			case s.tenant.Group(id) != nil: // there, but not among what is synced
			case s.tenant.Person(id) != nil: // there without addresses: not detected (R31)
				remove = removeUsers
			case deletedKinds[strings.ToLower(id)] == "group",
				deletedKinds[strings.ToLower(id)] == "" && u.Type == functionalAccount:
				remove = removeGroups
			default:
				remove = removeUsers
			}
		} else if s.w.Switches.HandMadeDeletedBySync && !isAdmin(u.Type) {
			remove = removeUsers
		}
		if !remove {
			continue
		}
		if address := strings.ToLower(u.PrimaryEmail); s.exempt[address] {
			s.report.Exempt = append(s.report.Exempt, address)
			continue
		}
		s.deletes[u] = true
	}
}

// addresses reads proxyAddresses: SMTP: is primary, smtp: an alias; aliases on domains that are not registered here stay
// behind.
func (s *syncRun) addresses(proxies []string, mail string) (primary string, aliases []string) {
	for _, p := range proxies {
		kind, address, ok := strings.Cut(p, ":")
		if !ok || !strings.EqualFold(kind, "smtp") {
			continue
		}
		address, _, ok = addressOf(address)
		switch {
		case !ok:
		case kind == "SMTP" && primary == "":
			primary = address
		case s.domains[domainPart(address)] && !slices.Contains(aliases, address):
			aliases = append(aliases, address)
		}
	}
	if primary == "" && len(aliases) > 0 && !s.w.Switches.SyncNeedsPrimary { // a directory without a primary marker: the mail attribute decides (inferred)
		if address, _, ok := addressOf(mail); ok {
			primary = address
		}
	}
	aliases = slices.DeleteFunc(aliases, func(a string) bool { return a == primary })
	return primary, aliases
}

// resolveConflicts drops what was unticked and what would give one address to two accounts. Addresses that this very run
// sets free count as free.
func (s *syncRun) resolveConflicts() {
	for u := range s.deletes {
		if s.unchecked[strings.ToLower(u.PrimaryEmail)] {
			delete(s.deletes, u)
		}
	}
	s.changes = slices.DeleteFunc(s.changes, func(c *change) bool {
		return s.unchecked[c.to.PrimaryEmail] || c.from != nil && s.unchecked[strings.ToLower(c.from.PrimaryEmail)]
	})
	// A change that is dropped frees nothing after all, so the pass is repeated until none is.
	for before := -1; before != len(s.changes); {
		before = len(s.changes)
		s.dropConflicts()
	}
}

func (s *syncRun) dropConflicts() {
	freed := map[string]bool{}
	for _, c := range s.changes {
		if c.from == nil {
			continue
		}
		for _, a := range append([]string{c.from.PrimaryEmail}, c.from.Aliases...) {
			if a = strings.ToLower(a); a != c.to.PrimaryEmail && !slices.Contains(c.to.Aliases, a) {
				freed[a] = true
			}
		}
	}
	taken := make(map[string]bool, len(s.changes))
	free := func(address string, c *change) bool {
		owner := s.o.User(address)
		return !taken[address] && (owner == nil || owner == c.from || s.deletes[owner] || freed[address])
	}
	s.changes = slices.DeleteFunc(s.changes, func(c *change) bool {
		if !free(c.to.PrimaryEmail, c) {
			s.problem(c.to.PrimaryEmail, "the address is already in use")
			return true
		}
		taken[c.to.PrimaryEmail] = true
		var kept []string
		for _, a := range c.to.Aliases {
			if a = strings.ToLower(a); free(a, c) {
				taken[a] = true
				kept = append(kept, a)
			} else {
				s.problem(a, "the alias of %s is already in use", c.to.PrimaryEmail)
			}
		}
		c.to.Aliases = kept
		return c.empty()
	})
}

// capSeats refuses, with user capping on, what would take a seat beyond those bought.
func (s *syncRun) capSeats() {
	if !s.o.UserCapping {
		return
	}
	used := activeUsers(s.o)
	for u := range s.deletes {
		if takesSeat(u) {
			used--
		}
	}
	for _, c := range s.changes {
		if c.from != nil && takesSeat(c.from) && !takesSeat(&c.to) {
			used--
		}
	}
	s.changes = slices.DeleteFunc(s.changes, func(c *change) bool {
		if !takesSeat(&c.to) || c.from != nil && takesSeat(c.from) {
			return false
		}
		if used >= s.o.Licenses {
			s.problem(c.to.PrimaryEmail, "user capping: all %d licenses are in use", s.o.Licenses)
			c.to.IsActive = false // an account that is there keeps its other changes
			return c.from == nil || c.empty()
		}
		used++
		return false
	})
}

func (s *syncRun) summarise() {
	r := &s.report
	for _, c := range s.changes {
		switch {
		case c.from == nil:
			r.Adding = append(r.Adding, c.to.PrimaryEmail)
		case c.disables():
			r.Disabling = append(r.Disabling, strings.ToLower(c.from.PrimaryEmail))
		default:
			r.Updating = append(r.Updating, strings.ToLower(c.from.PrimaryEmail))
		}
	}
	for u := range s.deletes {
		r.Deleting = append(r.Deleting, strings.ToLower(u.PrimaryEmail))
	}
	for _, l := range [][]string{r.Adding, r.Updating, r.Disabling, r.Deleting, r.Exempt} {
		slices.Sort(l)
	}
	r.Exempt = slices.Compact(r.Exempt)
	for _, l := range [][]SyncSkip{r.Skipped, r.Errors} {
		slices.SortFunc(l, func(a, b SyncSkip) int {
			return strings.Compare(a.Identifier+"\x00"+a.Reason, b.Identifier+"\x00"+b.Reason)
		})
	}
}

// apply writes all changes and indexes once, so that a first sync of 200,000 people costs one sort.
func (s *syncRun) apply() {
	o := s.o
	if o.SyncedUIDs == nil {
		o.SyncedUIDs = map[int]string{}
	}
	for u, object := range s.links {
		if !s.deletes[u] {
			o.SyncedUIDs[u.UID] = object
		}
	}
	if len(s.deletes) > 0 {
		for u := range s.deletes {
			delete(o.SyncedUIDs, u.UID)
		}
		o.Users = slices.DeleteFunc(o.Users, func(u *world.User) bool { return s.deletes[u] })
	}
	for _, c := range s.changes {
		if c.from != nil {
			*c.from = c.to
			continue
		}
		u := c.to
		u.UID = s.w.NewUID()
		o.Users = append(o.Users, &u)
		o.SyncedUIDs[u.UID] = c.object
	}
	if len(s.changes)+len(s.deletes) > 0 {
		o.Reindex()
	}
}

// Tick does what Essentials does by itself while the clock moves from from (exclusive) to to (inclusive), for every
// organization: scheduled syncs that fall due, at whole multiples of the frequency in UTC (inferred), and the frequency
// that goes back to Never when no tech contact is named (R28). It takes the world's lock; providers/sim calls it after
// the clock was advanced. Since nothing else happens within one step of the clock, a run that would repeat an earlier
// one of the same step only moves the time stamp.
func Tick(w *world.World, from, to time.Time) {
	w.Lock()
	defer w.Unlock()
	for _, o := range w.Organizations {
		if o.Azure != nil && o.Azure.Frequency > 0 {
			tick(w, o, from.UTC(), to.UTC())
		}
	}
}

func tick(w *world.World, o *world.Organization, from, to time.Time) {
	every := time.Duration(o.Azure.Frequency) * time.Hour
	end := to
	reset := false
	if o.TechContact != "" {
		o.FreqSince = time.Time{}
	} else {
		if o.FreqSince.IsZero() {
			o.FreqSince = from
		}
		days := w.Switches.FrequencyResetDays
		if days <= 0 {
			days = 7
		}
		if at := o.FreqSince.AddDate(0, 0, days); !at.After(to) {
			reset, end = true, at
		}
	}
	first, last := from.Truncate(every).Add(every), end.Truncate(every)
	if o.IsActive && !first.After(last) {
		scheduled(w, o, first, last, every)
	}
	if reset {
		o.Azure.Frequency, o.FreqSince = 0, time.Time{}
	}
}

// scheduled stands for the runs at first, first+every … last.
func scheduled(w *world.World, o *world.Organization, first, last time.Time, every time.Duration) {
	c, err := connect(w, o.Azure, first)
	if err != nil && c.secret != nil && first.Before(c.secret.Start) && !last.Before(c.secret.Start) {
		// The secret becomes valid between two runs.
		if first = c.secret.Start.UTC().Truncate(every); first.Before(c.secret.Start) {
			first = first.Add(every)
		}
		if first.After(last) {
			first = last
		}
	}
	report := syncAt(w, o, SyncScheduled, nil, first)
	if report.Status != "ok" || last.Equal(first) {
		return
	}
	at := last
	if c, err := connect(w, o.Azure, last); err != nil {
		o.Azure.ConnectionGreen = false
		if c.secret == nil || last.Before(c.secret.End) {
			return
		}
		if at = c.secret.End.UTC().Truncate(every); !at.Before(c.secret.End) {
			at = at.Add(-every)
		}
	}
	if !w.Switches.LastSyncManualOnly && at.After(first) {
		o.Azure.LastSync = &at
	}
}

func domainPart(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

func nonEmpty(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// sameAddresses compares two alias lists as sets, whatever the case.
func sameAddresses(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		if !slices.ContainsFunc(b, func(y string) bool { return strings.EqualFold(x, y) }) {
			return false
		}
	}
	return true
}
