package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// maxTenants is the number of tenants up to which those without changes are shown one by one.
const maxTenants = 8

// maxAccounts is the number of accounts of a group that people are shown.
const maxAccounts = 10

// view is a plan as people see it, before any format. All texts in it are foreign still.
type view struct {
	Plan    *planner.Plan
	Tenants []*tenantView
	// Quiet counts tenants without changes that are left out; Waiting and Noted how many of them wait or have notes.
	Quiet, Waiting, Noted int
	Total                 planner.Summary
	// Outputs counts root outputs that change.
	Outputs int
	// Errored and Unreadable count tenants.
	Errored, Unreadable int
	// NoChanges: everything was read and nothing differs. Pending: an apply would find something to do.
	NoChanges, Pending bool
	// Approved says when and by whom the plan was approved without what is left out; "" for one that was not.
	Approved string
	// LeftOut counts items that are counted and yet left out.
	LeftOut int
}

// tenantView is one tenant's part.
type tenantView struct {
	Part    *planner.Part
	Title   string
	Key     string
	Domain  string
	Summary planner.Summary
	Clean   bool
	Stops   []dirsync.Stop
	Drift   []item
	Changes []item
	Groups  []group
	// Linked counts existing accounts that are recognised.
	Linked    int
	Skipped   []skipCount
	SkipTotal int
	Undecided []dirsync.Undecided
	Strays    []string
	Guards    []planner.Guard
	Waits     []planner.Wait
	Problems  []string
	Notes     []string
	Errors    []string
	Outputs   []row
	Proofs    []directory.Proof
	Forecast  *forecastView
	// Hosted is what the vendor's own sync will do; nil without one.
	Hosted *hostedView
	// LeftOut are the items that a person left out when approving the plan; Apart is how many of them the summary counts.
	LeftOut []leftOutView
	Apart   int
}

// item is one declared object.
type item struct {
	Symbol, Word, Address, Type, Name string
	Rows                              []row
	Because                           []string
	Held, Skipped, From, LeftOut      string
}

// group is what happens to some accounts, in the portal's words.
type group struct {
	Title  string
	Action dirsync.Action
	Held   int
	// Because holds for all of the group; if Mixed, for those that have no reasons of their own.
	Because  []string
	Mixed    bool
	Accounts []accountItem
}

// becauseWord introduces the group's reasons.
func (g *group) becauseWord() string {
	if g.Mixed {
		return "because, where nothing else is said"
	}
	return "because"
}

// accountItem is one derived account.
type accountItem struct {
	Symbol, Address string
	// Name is a person's or mailbox's name, Kind the account's type.
	Name, Kind string
	Rows       []row
	Because    []string
	// LeftOut says how a person left it out; "" when nobody did.
	Held, LeftOut string
}

// who is name and type on one line.
func (a *accountItem) who() string {
	if a.Name == "" {
		return a.Kind
	}
	return a.Name + ", " + a.Kind
}

type skipCount struct {
	Code  string
	Text  string
	Count int
}

// groupTitles are the portal's words, in its order.
var groupTitles = []struct {
	action dirsync.Action
	title  string
	symbol string
}{
	{dirsync.Add, "Adding", "+"},
	{dirsync.Update, "Updating", "~"},
	{dirsync.Rename, "Renaming", "~"},
	{dirsync.Convert, "Converting", "~"},
	{dirsync.Protect, "Exempting", "~"},
	{dirsync.Enable, "Enabling", "~"},
	{dirsync.Disable, "Disabling", "~"},
	{dirsync.Delete, "Deleting", "-"},
}

// skipTexts say why accounts or directory entries are left alone; the count stands before them.
var skipTexts = map[dirsync.SkipCode]string{
	dirsync.SkipNoProxy:         "without a mail address",
	dirsync.SkipNoPrimary:       "without a primary mail address",
	dirsync.SkipUnregistered:    "in a domain that Essentials does not know",
	dirsync.SkipGuest:           "guests",
	dirsync.SkipContact:         "contacts",
	dirsync.SkipDynamic:         "dynamic groups",
	dirsync.SkipSyncOff:         "of a kind that is not synced",
	dirsync.SkipKindOff:         "of a mailbox kind that is skipped",
	dirsync.SkipNotIncluded:     "not included by the policy",
	dirsync.SkipUnknownKind:     "whose mailbox kind could not be told",
	dirsync.SkipPredicate:       "whose condition could not be evaluated",
	dirsync.SkipBlocked:         "with a blocked sign-in",
	dirsync.SkipAdmin:           "administrators",
	dirsync.SkipAddOff:          "not added, because adding is off",
	dirsync.SkipUpdateOff:       "not updated, because updating is off",
	dirsync.SkipRemoveOff:       "not removed, because removing is off",
	dirsync.SkipGoneKept:        "gone from the directory and kept",
	dirsync.SkipGrace:           "gone from the directory and in their grace period",
	dirsync.SkipDeclared:        "declared by an account or admin block",
	dirsync.SkipExempt:          "exempt",
	dirsync.SkipLeftOut:         "left out by a person",
	dirsync.SkipCollision:       "with an address that several claim",
	dirsync.SkipUndecided:       "that a person must decide about",
	dirsync.SkipIncomplete:      "not judged, because a read is incomplete",
	dirsync.SkipUnknownEntry:    "with an invalid directory entry",
	dirsync.SkipDrift:           "that somebody changed in Essentials",
	dirsync.SkipHostedEngine:    "handled by the vendor's own sync",
	dirsync.SkipDeclaredAddress: "with an address that an account block declares",
}

// skipOne are those texts that differ for one.
var skipOne = map[dirsync.SkipCode]string{
	dirsync.SkipGuest: "guest", dirsync.SkipContact: "contact", dirsync.SkipDynamic: "dynamic group", dirsync.SkipAdmin: "administrator",
	dirsync.SkipGrace: "gone from the directory and in its grace period",
}

func causeWord(c planner.Cause) string {
	switch c {
	case planner.Configuration:
		return "configuration"
	case planner.Directory:
		return "the directory changed"
	case planner.Drift:
		return "changed outside"
	}
	return string(c)
}

// newView reads a plan for people.
func newView(p *planner.Plan) *view {
	v := &view{Plan: p, NoChanges: true}
	v.Total.Accounts = map[dirsync.Action]int{}
	fold := len(p.Parts) > maxTenants
	for _, part := range p.Parts {
		t := newTenantView(part)
		v.add(t.Summary)
		v.Outputs += len(t.Outputs)
		v.LeftOut += t.Apart
		if part.Status == planner.Errored {
			v.Errored++
		}
		if !part.Readable() {
			v.Unreadable++
		}
		if part.Status != planner.Errored && part.Pending() {
			v.Pending = true
		}
		v.NoChanges = v.NoChanges && t.Clean
		if t.still() && (fold || part.Tenant.Key == "") && len(p.Parts) > 1 {
			v.Quiet++
			if len(t.Waits) > 0 {
				v.Waiting++
			}
			if len(t.Notes) > 0 {
				v.Noted++
			}
			if part.Tenant.Key == "" {
				v.Quiet-- // the root module is no tenant
			}
			continue
		}
		v.Tenants = append(v.Tenants, t)
	}
	return v
}

// still reports whether nothing changes in the tenant, and nothing about it is worth a reader's time all the same: not what
// the vendor's own sync does next, and not its seats.
func (t *tenantView) still() bool {
	return t.Clean && t.Hosted.quiet() && (t.Forecast == nil || t.Forecast.quiet()) && len(t.LeftOut) == 0
}

func (v *view) add(s planner.Summary) {
	t := &v.Total
	t.Add += s.Add
	t.Change += s.Change
	t.Destroy += s.Destroy
	t.Adopt += s.Adopt
	t.Release += s.Release
	t.Move += s.Move
	t.Held += s.Held
	t.Unknown += s.Unknown
	t.AccountsHeld += s.AccountsHeld
	t.Linked += s.Linked
	for a, n := range s.Accounts {
		t.Accounts[a] += n
	}
}

func newTenantView(part *planner.Part) *tenantView {
	t := &tenantView{
		Part: part, Title: part.Tenant.Name, Key: part.Tenant.Key, Domain: part.Tenant.PrimaryDomain, Summary: part.Summary(),
		Guards: part.Guards, Waits: part.Waits, Problems: part.Problems, Notes: part.Notes, Errors: part.Errors, Proofs: part.Proofs,
	}
	if t.Title == "" {
		t.Title = t.Key
	}
	if t.Key == "" {
		t.Title = "Root module"
	}
	t.Hosted = newHostedView(part.Hosted)
	t.LeftOut, t.Apart = leftOutViews(part), leftOutOf(part)
	if it, ok := keyItem(part); ok {
		t.Changes = append(t.Changes, it)
	}
	for _, c := range part.Changes {
		if c.Action != planner.NoOp {
			t.Changes = append(t.Changes, changeItem(c))
		}
	}
	for _, c := range part.Drifted {
		t.Drift = append(t.Drift, driftItem(c))
	}
	for _, o := range part.Outputs {
		r := pathRow(&planner.PathChange{Path: o.Name, Before: o.Before, After: o.After, Sensitive: o.Sensitive}, "", null(o.Before))
		t.Outputs = append(t.Outputs, r)
	}
	if a := part.Accounts; a != nil {
		t.accounts(a)
	}
	if f := forecastOf(part); f != nil {
		t.Stops, t.Forecast = f.Stops, newForecastView(f)
	}
	t.markLeftOut(part)
	t.Clean = part.Status != planner.Errored && !part.Pending() && len(t.Changes) == 0 && len(t.Drift) == 0 && len(t.Guards) == 0 &&
		len(t.Problems) == 0 && len(t.Errors) == 0 && len(t.Undecided) == 0 && !part.Removed
	return t
}

func (t *tenantView) accounts(a *dirsync.Result) {
	t.Linked, t.Undecided, t.Strays = len(a.Links), a.Undecided, a.Strays
	for _, g := range groupTitles {
		decisions := a.Group(g.action)
		if len(decisions) == 0 {
			continue
		}
		out := group{Title: g.title, Action: g.action}
		for i := range decisions {
			account := decisionItem(&decisions[i], g.symbol)
			if account.Held != "" {
				out.Held++
			}
			out.Accounts = append(out.Accounts, account)
		}
		out.shareReasons()
		t.Groups = append(t.Groups, out)
	}
	for code, n := range a.SkipCounts {
		t.Skipped = append(t.Skipped, skipCount{Code: code, Text: skipText(dirsync.SkipCode(code), n), Count: n})
		t.SkipTotal += n
	}
	slices.SortFunc(t.Skipped, func(a, b skipCount) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Code, b.Code)
	})
}

// shareReasons moves the reasons that hold for most of the group to its heading; the others keep their own.
func (g *group) shareReasons() {
	seen := map[string]int{}
	for _, a := range g.Accounts {
		key := strings.Join(a.Because, "\x00")
		seen[key]++
		if 2*seen[key] > len(g.Accounts) && len(g.Accounts) > 1 {
			g.Because = a.Because
		}
	}
	if g.Because == nil {
		return
	}
	for i := range g.Accounts {
		if a := &g.Accounts[i]; slices.Equal(a.Because, g.Because) {
			a.Because = nil
		} else {
			g.Mixed = true
		}
	}
}

// keyItem is the change of a tenant's key; false without one.
func keyItem(part *planner.Part) (item, bool) {
	return item{
		Symbol: string(planner.Move), Word: planner.Move.Word(), Address: "tenant key " + part.Former + " → " + part.Tenant.Key,
		Because: []string{"the block of " + part.Tenant.PrimaryDomain + " has another key; its state moves along"},
	}, part.Former != ""
}

func changeItem(c *planner.Change) item {
	it := item{
		Symbol: string(c.Action), Word: c.Action.Word(), Address: c.Address, Type: c.Type, Name: c.Name,
		Held: c.Held, Skipped: c.Skipped, From: c.From,
	}
	wanted := c.Action == planner.Create
	switch c.Action {
	case planner.Delete, planner.Release, planner.Unknown:
	default:
		for i := range c.Paths {
			it.Rows = append(it.Rows, pathRow(&c.Paths[i], c.Cause, wanted))
		}
		if wanted && len(it.Rows) == 0 {
			it.Rows = leafRows(c.After, c.Sensitive)
		}
	}
	it.Because = because(c.Cause, c.Action, c.Source, c.Reasons)
	return it
}

func because(cause planner.Cause, action planner.Action, source string, reasons []string) []string {
	var out []string
	switch {
	case action == planner.Unknown:
	case cause == planner.Configuration && action == planner.Adopt:
		out = append(out, in("it exists already and comes under management", source))
	case cause == planner.Configuration && source != "":
		out = append(out, "configuration, "+source)
	case cause == planner.Directory:
		out = append(out, in("the directory changed", source))
	case cause == planner.Drift:
		out = append(out, in("somebody changed it outside; this puts it back", source))
	}
	for _, r := range reasons {
		if r != "" {
			out = append(out, r)
		}
	}
	return out
}

func in(text, source string) string {
	if source == "" {
		return text
	}
	return text + " (" + source + ")"
}

// driftItem shows what somebody changed: the remembered value and the live one.
func driftItem(c *planner.Change) item {
	it := item{Symbol: "~", Word: "changed", Address: c.Address, Type: c.Type, Name: c.Name}
	if c.Action == planner.Delete {
		it.Symbol, it.Word = "-", "gone at the vendor"
		return it
	}
	for i := range c.Paths {
		it.Rows = append(it.Rows, pathRow(&c.Paths[i], planner.Drift, false))
	}
	it.Because = slices.Clone(c.Reasons)
	return it
}

func decisionItem(d *dirsync.Decision, symbol string) accountItem {
	out := accountItem{Symbol: symbol, Address: d.Address, Held: d.Held}
	about := d.After
	if about == nil {
		about = d.Before
	}
	if about != nil {
		out.Name, out.Kind = strings.TrimSpace(about.FirstName+" "+about.Surname), accountType(about.Type)
	}
	if d.Action != dirsync.Add && d.Action != dirsync.Delete {
		out.Rows = accountRows(d.Before, d.After)
	}
	// The chain ends with what decided; the links before it are in the JSON.
	var last dirsync.Reason
	if n := len(d.Reasons); n > 0 {
		last = d.Reasons[n-1]
	}
	drifted := planner.Cause(d.Cause) == planner.Drift
	switch {
	case (d.Action == dirsync.Update || d.Action == dirsync.Rename) && len(out.Rows) > 0:
		// The rows say what differs; what is left to say is why.
		out.Because = []string{reasonText(dirsync.Reason{Rule: last.Rule, Text: accountCause(d.Cause)})}
	case drifted:
		out.Because = []string{accountCause(d.Cause), reasonText(last)}
	case last.Text != "":
		out.Because = []string{reasonText(last)}
		if n := len(d.Reasons); n > 1 && takes[d.Action] {
			out.Because = []string{reasonText(d.Reasons[n-2]), reasonText(last)}
		}
	}
	return out
}

// takes are the actions of which the last link of the chain says what comes of them, and the one before it why.
var takes = map[dirsync.Action]bool{dirsync.Disable: true, dirsync.Delete: true, dirsync.Convert: true}

func accountCause(cause string) string {
	switch cause {
	case dirsync.CauseConfiguration:
		return "the configuration changed"
	case dirsync.CauseDirectory:
		return "the directory changed"
	}
	return "somebody changed it outside; this puts it back"
}

func reasonText(r dirsync.Reason) string {
	text := strings.TrimSuffix(r.Text, ".")
	for _, word := range []string{"It ", "Its ", "The ", "Another "} {
		if strings.HasPrefix(text, word) {
			text = strings.ToLower(text[:1]) + text[1:] // it stands behind "because:"
		}
	}
	if r.Rule != "" {
		text += " (" + r.Rule + ")"
	}
	return text
}

// driftedAccounts are the derived accounts that somebody changed, old value first.
func driftedAccounts(part *planner.Part) []item {
	if part.Accounts == nil {
		return nil
	}
	var out []item
	for i := range part.Accounts.Decisions {
		d := &part.Accounts.Decisions[i]
		if planner.Cause(d.Cause) != planner.Drift {
			continue
		}
		it := item{Symbol: "~", Word: "changed", Type: "account", Address: planner.AccountAddress(part.AccountPolicy, d.Address)}
		it.Rows = accountRows(d.After, d.Before)
		switch {
		case d.Before == nil:
			it.Symbol, it.Word = "-", "gone in Essentials"
		case d.After == nil:
			it.Because = []string{"the account is to be deleted"}
		}
		out = append(out, it)
	}
	return out
}

// counts are the parts of a summary line, without "Plan:".
func counts(s planner.Summary, outputs int) string {
	parts := []string{fmt.Sprintf("%d to add, %d to change, %d to destroy", s.Add, s.Change, s.Destroy)}
	if s.Adopt > 0 {
		parts[0] += fmt.Sprintf(", %d to adopt", s.Adopt)
	}
	if s.Move > 0 {
		parts[0] += fmt.Sprintf(", %d to move", s.Move)
	}
	if s.Release > 0 {
		parts[0] += fmt.Sprintf(", %d to release", s.Release)
	}
	var accounts []string
	for _, g := range groupTitles {
		if n := s.Accounts[g.action]; n > 0 {
			accounts = append(accounts, fmt.Sprintf("%d to %s", n, g.action))
		}
	}
	if s.Linked > 0 {
		accounts = append(accounts, fmt.Sprintf("%d recognised", s.Linked))
	}
	if len(accounts) > 0 {
		parts = append(parts, "accounts: "+strings.Join(accounts, ", "))
	}
	if n := s.Held + s.AccountsHeld; n > 0 {
		parts = append(parts, fmt.Sprintf("%d held", n))
	}
	if s.Unknown > 0 {
		parts = append(parts, fmt.Sprintf("%d unknown", s.Unknown))
	}
	if outputs > 0 {
		parts = append(parts, plural(outputs, "output to change", "outputs to change"))
	}
	return strings.Join(parts, "; ")
}

// simulated reports whether the plan is of a world that is not real.
func simulated(p *planner.Plan) bool { return p.Realm != "" && p.Realm != state.Live }

// plural is "1 account", "2 accounts".
var plural = dirsync.Count

// strayText says how many accounts nobody manages.
func strayText(n int) string {
	return plural(n, "account has", "accounts have") + " no directory entry and nobody manages " + they(n) + "; Weir leaves " + they(n) + " alone."
}

// headline names a tenant: its name, key and primary domain.
func headline(id resource.Identity) (title string, detail []string) {
	if id.Key == "" {
		return "Root module", nil
	}
	title = id.Name
	if title == "" {
		title = id.Key
	} else {
		detail = append(detail, id.Key)
	}
	if id.PrimaryDomain != "" && id.PrimaryDomain != id.Name {
		detail = append(detail, id.PrimaryDomain)
	}
	return title, detail
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// proofText is one read in a few words, and whether it was complete.
func proofText(p directory.Proof) (string, bool) {
	if len(p.Parts) > 0 {
		var parts []string
		for _, part := range p.Parts {
			text, _ := proofText(part)
			parts = append(parts, text)
		}
		if b := p.Base; b != nil {
			// What a reader wants to know of a read that asked for changes alone is how old the rest is.
			parts[len(parts)-1] += fmt.Sprintf(" (changes since %s; all of it was read on %s)", minute(b.At), minute(b.Full))
		}
		if p.Complete {
			return strings.Join(parts, ", "), true
		}
		return strings.Join(append(parts, "not complete"), ", "), false
	}
	text := fmt.Sprintf("%d %s", p.Objects, p.Source)
	if !p.Complete {
		return text + " (not complete)", false
	}
	return text, true
}
