package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
)

// Explanation is everything that can be told about one mail address, before any format. Its texts are foreign.
type Explanation struct {
	Format int `json:"format"`
	// Asked is the address as folded; Address the primary address of what was found, "" for nobody.
	Asked   string `json:"asked"`
	Address string `json:"address"`
	// FoundBy says which of its addresses was asked for.
	FoundBy    string `json:"found_by,omitempty"`
	Tenant     string `json:"tenant"`
	TenantName string `json:"tenant_name,omitempty"`
	Answer     string `json:"answer"`
	// Source says what decides about it and where that stands: "sync_policy.people (main.weir.hcl:66)".
	Source    string         `json:"source,omitempty"`
	Action    string         `json:"action"`
	Held      string         `json:"held,omitempty"`
	Cause     string         `json:"cause,omitempty"`
	Now       Fate           `json:"now"`
	After     Fate           `json:"after"`
	Why       []ExplainStep  `json:"why"`
	Scope     string         `json:"scope,omitempty"`
	Judged    []ExplainStep  `json:"judged,omitempty"`
	Directory *explainEntry  `json:"directory,omitempty"`
	Account   *explainLive   `json:"account,omitempty"`
	State     *explainRecord `json:"state,omitempty"`
	// Words are what people said about it: exemptions, skips, protected addresses, the block that declares it.
	Words []explainWord `json:"words,omitempty"`
	Holds []explainHold `json:"limits,omitempty"`
	Flips []explainFlip `json:"flips,omitempty"`
	// Tried is how many changes were tried; NoFlip says why none is told.
	Tried  int    `json:"tried,omitempty"`
	NoFlip string `json:"no_flip,omitempty"`
	// Hosted is what the vendor's own sync does with it after the next apply; nil without a prediction.
	Hosted *explainHosted `json:"hosted_run,omitempty"`
	// Domain says what Essentials and DNS do with the domain.
	Domain   string            `json:"domain,omitempty"`
	Proofs   []directory.Proof `json:"proofs,omitempty"`
	Problems []string          `json:"problems,omitempty"`
	// Errors are why nothing of the tenant is applied.
	Errors []string `json:"errors,omitempty"`
	// Others are further things that have the address.
	Others  []string `json:"others,omitempty"`
	Nearest string   `json:"nearest,omitempty"`
	// Recorded is when the recording was made that this rests on; nil when the vendors were read.
	Recorded *time.Time `json:"recorded,omitempty"`
}

// Fate is what an address is to its owner. The words are "yes", "no", or "unknown".
type Fate struct {
	// Account is "end user", "functional account (disabled)", …; "none" without one.
	Account string `json:"account"`
	Mail    string `json:"mail"`
	Login   string `json:"login"`
	Digest  string `json:"digest"`
	Billed  string `json:"billed"`
	// Remarks say more, by column: "mail", "login", "digest", "billed".
	Remarks map[string]string `json:"remarks,omitempty"`
}

// ExplainStep is one step of a decision.
type ExplainStep struct {
	Rule string `json:"rule,omitempty"`
	Text string `json:"text"`
}

type explainEntry struct {
	Kind       string   `json:"kind"`
	KindFrom   string   `json:"kind_from"`
	ObjectID   string   `json:"object_id"`
	Address    string   `json:"address"`
	Aliases    []string `json:"aliases,omitempty"`
	UPN        string   `json:"upn,omitempty"`
	Name       string   `json:"name,omitempty"`
	Department string   `json:"department,omitempty"`
	JobTitle   string   `json:"job_title,omitempty"`
	Enabled    bool     `json:"enabled"`
	Licensed   bool     `json:"licensed"`
	OnPremises bool     `json:"on_premises,omitempty"`
	Proxy      bool     `json:"has_proxy_addresses"`
	Groups     []string `json:"groups,omitempty"`
	Members    int      `json:"members,omitempty"`
}

type explainLive struct {
	UID      int      `json:"uid,omitempty"`
	Address  string   `json:"address"`
	Type     string   `json:"type"`
	Active   bool     `json:"active"`
	Name     string   `json:"name,omitempty"`
	Aliases  []string `json:"aliases,omitempty"`
	Billable bool     `json:"billable"`
	Foreign  []string `json:"foreign_aliases,omitempty"`
}

type explainRecord struct {
	Address   string     `json:"address"`
	ObjectID  string     `json:"object_id,omitempty"`
	Policy    string     `json:"policy,omitempty"`
	Ownership string     `json:"ownership"`
	Kind      string     `json:"kind,omitempty"`
	Converted bool       `json:"converted,omitempty"`
	Disabled  bool       `json:"disabled,omitempty"`
	GoneSince *time.Time `json:"gone_since,omitempty"`
	// AsLeft: the account is as Weir left it.
	AsLeft bool `json:"as_left"`
}

type explainWord struct {
	// Kind is "exemption", "skip", "protected", "declared" or "undecided".
	Kind   string `json:"kind"`
	Text   string `json:"text"`
	Source string `json:"source,omitempty"`
	Paste  string `json:"paste,omitempty"`
	name   string
}

// adminSuffix marks the block that declares an organization's first administrator.
const adminSuffix = " (its admin)"

type explainHold struct {
	Limit string `json:"limit"`
	Text  string `json:"text"`
	Paste string `json:"paste,omitempty"`
}

type explainFlip struct {
	Changes []explainChange `json:"changes"`
	Then    string          `json:"then"`
	After   Fate            `json:"after"`
}

type explainChange struct {
	Where string `json:"where"`
	Text  string `json:"text"`
	Paste string `json:"paste,omitempty"`
}

// Explainer tells about the addresses of one tenant.
type Explainer struct {
	q         planner.Inquiry
	trace     *dirsync.Trace
	foresight *foresight
	// nearest finds a known address like the given one; "" for none.
	nearest func(string, []string) string
}

// NewExplainer decides once, tracing. run is the part's prediction of the vendor's own sync, nil for none. nearest finds
// the address most like one that nobody has.
func NewExplainer(q planner.Inquiry, run *planner.HostedRun, nearest func(string, []string) string) *Explainer {
	return &Explainer{q: q, trace: dirsync.Explain(q.Request), foresight: newForesight(run), nearest: nearest}
}

// Len is how many entries, accounts and records there are, each counted with what belongs to it.
func (x *Explainer) Len() int { return x.trace.Len() }

// Explain tells about one address, with the changes that would flip it found by at most budget decisions; 0 looks for
// none.
func (x *Explainer) Explain(address string, budget int) *Explanation {
	address = directory.Fold(address)
	cases := x.trace.Find(address)
	var first *dirsync.Case
	asked := address
	if len(cases) > 0 {
		first = cases[0]
		if !strings.Contains(address, "@") {
			asked = first.Name() // an object id was given
			if asked == "" && first.Entry != nil {
				asked = directory.Fold(first.Entry.UPN) // the address that it would have
			}
		}
	}
	e := x.about(first, asked)
	e.Asked, e.Proofs = address, proofsOf(x.q.Observed)
	if first != nil {
		e.FoundBy = foundBy(first, address)
		for _, other := range cases[1:] {
			e.Others = append(e.Others, fmt.Sprintf("%s has it too: %s", cmp.Or(other.Name(), "object "+objectOf(other)), lower(x.answer(other))))
		}
	}
	if budget > 0 {
		x.flips(e, asked, budget)
	}
	return e
}

// about tells about a case under one of its addresses; nil is nobody.
func (x *Explainer) about(c *dirsync.Case, address string) *Explanation {
	e := &Explanation{Format: 1, Asked: address, Tenant: x.q.Tenant.Key, TenantName: x.q.Tenant.Name, Problems: x.problems()}
	if x.q.Held != "" {
		e.Problems = append(slices.Clone(e.Problems), x.q.Held)
	}
	e.Errors = x.q.Errors
	e.Source = x.source(c, address)
	if c == nil {
		e.nobody(x)
	} else {
		x.tell(e, c)
	}
	e.Now, e.After = x.fate(x.trace.Now(address), address), x.fate(x.after(address), address)
	if !x.trace.AccountsKnown() {
		e.Now, e.After = unknownFate(), unknownFate()
	}
	if c != nil {
		e.Hosted = x.hosted(c, address)
	}
	e.Domain = x.domain(directory.DomainOf(address))
	return e
}

// unasked: the directory was not read because nothing asks for it, which is no failure.
func (x *Explainer) unasked() bool {
	return x.q.Held != "" && x.q.Request.Directory == nil && (x.q.Observed == nil || x.q.Observed.DirectoryErr == nil)
}

// problems are what is in doubt.
func (x *Explainer) problems() []string {
	if !x.unasked() {
		return x.trace.Result.Problems
	}
	out := slices.Clone(x.trace.Result.Problems)
	for i, s := range out {
		if s == dirsync.DirectoryUnread {
			out[i] = "the directory was not read, for nothing asks for it"
		}
	}
	return out
}

// lower makes a sentence's first letter small.
func lower(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// maxFlips bounds the changes that are told.
const maxFlips = 12

func (x *Explainer) flips(e *Explanation, address string, budget int) {
	if x.q.Held != "" {
		e.NoFlip = "nothing is decided about this tenant's accounts, whatever changes about the address"
		return
	}
	if e.Address == "" && x.block(address) != nil {
		e.NoFlip = "it is what its block says"
		return
	}
	flips, tried := x.trace.Flips(address, budget)
	e.Tried = tried
	seen := map[string]bool{}
	for _, f := range flips {
		out := explainFlip{After: x.fate(f.After, address)}
		key := ""
		for _, c := range f.Changes {
			out.Changes = append(out.Changes, explainChange{Where: c.Where, Text: c.Text, Paste: c.Paste})
			key += c.Text + "\x00"
		}
		out.Then = x.then(f, address)
		if !seen[key] && len(e.Flips) < maxFlips {
			seen[key] = true
			e.Flips = append(e.Flips, out)
		}
	}
	if len(flips) == 0 {
		e.NoFlip = fmt.Sprintf("none of %s, alone or two together, changes what it is", plural(tried, "change that was tried", "changes that were tried"))
		if tried == 0 {
			e.NoFlip = "there is nothing to change about it"
		}
	}
}

// then says what an address would be.
func (x *Explainer) then(f dirsync.Flip, address string) string {
	s := f.After
	mail := "mail"
	if registered, relay := x.trace.Registered(directory.DomainOf(address)); registered && !relay {
		mail = "no mail flows for its domain (R35)"
	}
	switch {
	case !s.Exists:
		return "no account: mail to it is refused"
	case !s.Active:
		return accountWord(s) + ": mail to it is refused"
	case s.Billed():
		return accountWord(s) + ": " + mail + ", and a seat"
	}
	return accountWord(s) + ": " + mail + ", no seat"
}

func (e *Explanation) nobody(x *Explainer) {
	e.Action = "none"
	if b := x.block(e.Asked); b != nil {
		e.Action, e.Answer = "declared", "Nobody has this address yet. "+b.sentence()
		e.Why = []ExplainStep{{Text: b.Block + " declares it, and its account is not there yet."}}
		e.Words = append(e.Words, explainWord{Kind: "declared", Text: b.Block + " declares it.", Source: x.q.Sources[strings.TrimSuffix(b.Block, adminSuffix)]})
		return
	}
	e.Answer = "Nobody has this address: it is not in the directory, no account has it, and Weir remembers nothing of it."
	if len(x.problems()) > 0 {
		e.Answer = "Whether anybody has this address is unknown, because " + strings.Join(x.problems(), "; ") + "."
	}
	e.Why = []ExplainStep{{Text: "No directory object, account or record has the address, as primary address, alias or user principal name."}}
	if x.unasked() {
		e.Why = []ExplainStep{{Text: "No account or record has the address; whether the directory has it is not known."}}
	}
	for _, p := range x.q.Request.Protections {
		if slices.ContainsFunc(p.Addresses, func(a string) bool { return directory.Fold(a) == e.Asked }) && !slices.ContainsFunc(e.Words, func(w explainWord) bool { return w.name == p.Source }) {
			e.Words = append(e.Words, explainWord{Kind: "exemption", name: p.Source, Source: x.q.Sources[p.Source],
				Text: p.Source + " names it, and nobody has it: the exemption protects nothing by this address."})
		}
	}
	if block := x.q.DeclaredBy[e.Asked]; block != "" {
		e.Words = append(e.Words, explainWord{Kind: "declared", Text: block + " declares it, and its account is not there yet.", Source: x.q.Sources[strings.TrimSuffix(block, adminSuffix)]})
	}
	if x.nearest != nil {
		e.Nearest = cmp.Or(x.nearest(e.Asked, x.trace.Addresses()), strings.Join(x.alike(e.Asked), ", "))
	}
}

// maxAlike bounds the addresses that are named for one that nobody has.
const maxAlike = 5

// alike are addresses for somebody who wrote another domain, the part before the @ alone, or a name.
func (x *Explainer) alike(asked string) []string {
	local, _, _ := strings.Cut(asked, "@")
	var out []string
	for c := range x.trace.All() {
		name := c.Name()
		same := name != "" && (local != "" && strings.HasPrefix(name, local+"@") || c.Entry != nil && strings.EqualFold(c.Entry.Name, asked))
		if same && len(out) < maxAlike {
			out = append(out, name)
		}
	}
	return out
}

func objectOf(c *dirsync.Case) string {
	if c.Entry != nil {
		return c.Entry.ObjectID
	}
	return ""
}

func (x *Explainer) tell(e *Explanation, c *dirsync.Case) {
	e.Address, e.Action, e.Answer, e.Scope = c.Name(), c.Word(), x.answer(c), string(c.Scope)
	if c.Decision != nil {
		e.Held, e.Cause = c.Decision.Held, causeWord(planner.Cause(c.Decision.Cause))
		if c.Decision.Held != "" {
			e.Action = string(c.Decision.Action)
		}
	}
	e.Why, e.Judged = steps(c.Reasons), steps(c.Judged)
	x.entry(e, c)
	if a := c.Account; a != nil {
		e.Account = &explainLive{UID: a.UID, Address: a.Address, Type: typeWord(a.Type), Active: a.Active, Name: strings.TrimSpace(a.FirstName + " " + a.Surname), Aliases: a.Aliases, Billable: a.Billable, Foreign: c.Foreign}
	}
	if k := c.Known; k != nil {
		r := &explainRecord{Address: k.Address, ObjectID: k.ObjectID, Policy: k.Policy, Ownership: "adopted", Kind: kindWord(k.Kind), Converted: k.Converted, Disabled: k.Disabled}
		if k.Created {
			r.Ownership = "created"
		}
		if !k.GoneSince.IsZero() {
			since := k.GoneSince.UTC()
			r.GoneSince = &since
		}
		r.AsLeft = c.Account != nil && (c.Unchanged || !c.Drifted)
		e.State = r
	}
	x.words(e, c)
	for _, h := range c.Holds {
		paste := h.Paste
		if paste != "" {
			paste = "# in " + x.q.Request.Policy.Address + ":\n" + paste
		}
		e.Holds = append(e.Holds, explainHold{Limit: h.Limit, Text: h.Text, Paste: paste})
	}
}

func steps(reasons []dirsync.Reason) []ExplainStep {
	out := make([]ExplainStep, 0, len(reasons))
	for _, r := range reasons {
		out = append(out, ExplainStep(r))
	}
	return out
}

func (x *Explainer) entry(e *Explanation, c *dirsync.Case) {
	n := c.Entry
	if n == nil {
		return
	}
	from := "Microsoft Graph and Exchange Online"
	switch {
	case n.Kind == directory.DynamicDistributionGroup:
		from = "Exchange Online"
	case n.Kind.IsGroup() || n.Kind == directory.Contact || n.Kind == directory.Guest:
		from = "Microsoft Graph"
	case x.q.Request.Directory != nil && x.q.Request.Directory.KindsErr != nil:
		from = "Microsoft Graph alone, because Exchange Online could not be read"
	}
	e.Directory = &explainEntry{
		Kind: kindWord(n.Kind), KindFrom: from, ObjectID: n.ObjectID, Address: n.Address, Aliases: n.Aliases, UPN: n.UPN,
		Name: cmp.Or(n.Name, strings.TrimSpace(n.GivenName+" "+n.Surname)), Department: n.Department, JobTitle: n.JobTitle,
		Enabled: n.Enabled, Licensed: n.Licensed, OnPremises: n.OnPremises, Proxy: n.HasProxy, Groups: n.Groups, Members: len(n.Members),
	}
}

func (x *Explainer) words(e *Explanation, c *dirsync.Case) {
	add := func(kind, source, paste, format string, args ...any) {
		e.Words = append(e.Words, explainWord{Kind: kind, Text: fmt.Sprintf(format, args...), Source: source, Paste: paste})
	}
	seen := map[string]bool{}
	for _, p := range c.Protections {
		text := fmt.Sprintf("%s protects it by %s, as %q", p.Source, p.Via, cmp.Or(p.As, dirsync.AsUnchanged))
		if p.Reason != "" {
			text += ": " + p.Reason
		}
		var more []string
		if p.Owner != "" {
			more = append(more, "owner "+p.Owner)
		}
		switch {
		case p.Over:
			more = append(more, "ended on "+p.Expires.Format(time.DateOnly)+", and goes on protecting until it is renewed or removed")
		case !p.Expires.IsZero():
			more = append(more, "ends on "+p.Expires.Format(time.DateOnly)+"; it goes on protecting after that, and is reported")
		}
		if len(more) > 0 {
			text += " (" + strings.Join(more, "; ") + ")"
		}
		// The same exemption counts as written and as last applied.
		if !seen[p.Source] {
			seen[p.Source] = true
			add("exemption", cmp.Or(x.q.Sources[p.Source], "no block any more; it holds until the next apply"), "", "%s.", text)
		}
	}
	for _, l := range c.LeftOut {
		switch {
		case l.Until.IsZero():
			add("skip", "", "", "A person left %s out, without an end.", l.Address)
		case l.Over:
			add("skip", "", "", "A person left %s out until %s. That is over, and it is still left out until somebody takes it back.", l.Address, l.Until.UTC().Format("2006-01-02 15:04"))
		default:
			add("skip", "", "", "A person left %s out until %s.", l.Address, l.Until.UTC().Format("2006-01-02 15:04"))
		}
	}
	for _, p := range c.Protected {
		add("protected", "", "", "safeguard.protected names %s: it never stops receiving.", p)
	}
	if c.Declared {
		for _, a := range append([]string{c.Name()}, allAddresses(c)...) {
			if block := x.q.DeclaredBy[a]; block != "" {
				add("declared", x.q.Sources[strings.TrimSuffix(block, adminSuffix)], "", "%s declares %s: what the block says holds, and no policy touches it.", block, a)
				break
			}
		}
	}
	if c.Undecided != nil {
		add("undecided", "", strings.Join(c.Undecided.Blocks, "\n"), "Only a person can tell what it is to be. One of the two blocks says it:")
	}
}

func allAddresses(c *dirsync.Case) []string {
	var out []string
	if c.Entry != nil {
		out = append(append(out, c.Entry.Address), c.Entry.Aliases...)
	}
	if c.Account != nil {
		out = append(append(out, c.Account.Address), c.Account.Aliases...)
	}
	return out
}

// foundBy says which of its addresses the one asked for is.
func foundBy(c *dirsync.Case, address string) string {
	e, a := c.Entry, c.Account
	has := func(list []string) bool { _, ok := slices.BinarySearch(list, address); return ok }
	switch {
	case e != nil && e.Address == address:
		return "its primary address"
	case e != nil && e.ObjectID == address:
		return "its object id"
	case e != nil && has(e.Aliases):
		return "an alias in the directory; its primary address is " + e.Address
	case e != nil && directory.Fold(e.UPN) == address:
		return "its user principal name; " + primaryOf(e)
	case a != nil && a.Address == address:
		return "the primary address of its account"
	case a != nil && has(a.Aliases):
		return "an alias of the account " + a.Address
	case c.Known != nil:
		return "what Weir remembers of it"
	}
	return "an address that it is to get"
}

func primaryOf(e *directory.Entry) string {
	if e.Address == "" {
		return "it has no primary address"
	}
	return "its primary address is " + e.Address
}

// answer is the decision in one sentence.
func (x *Explainer) answer(c *dirsync.Case) string {
	if d := c.Decision; d != nil {
		text := actionSentence(d)
		if d.Held != "" {
			return "A limit holds what would happen: " + lower(text)
		}
		return "With the next apply: " + lower(text)
	}
	last := ""
	if n := len(c.Reasons); n > 0 {
		last = c.Reasons[n-1].Text
	}
	switch {
	case c.Wait != nil:
		return "It waits: " + c.Wait.Text + "."
	case c.Link != nil:
		return "It has its account, which Weir takes over with the next apply. Nothing is written to it."
	case c.Unchanged:
		return "It has its account, and nothing changes."
	case c.Stray:
		return "It is an account that the directory does not know and Weir does not manage. It is left alone."
	case c.Forget:
		return "It is gone from the directory and from Essentials. Weir forgets it."
	case x.q.Held != "":
		return "Nothing is decided about it: " + x.q.Held + "."
	case len(c.Skips) == 0 && !c.Contested && len(x.problems()) > 0:
		return "What happens to it is unknown, because " + strings.Join(x.problems(), "; ") + "."
	case len(c.Skips) == 0 && !c.Contested && x.q.Request.Policy.Engine == dirsync.EngineNone:
		return `Nothing is decided about it: the policy says engine = "none".`
	}
	code := dirsync.SkipCollision
	if n := len(c.Skips); n > 0 {
		code = c.Skips[n-1].Code
	}
	switch code {
	case dirsync.SkipHostedEngine:
		return "The vendor's own sync is to make its account. Weir does not."
	case dirsync.SkipGrace:
		return "It left the directory. " + last
	case dirsync.SkipExempt:
		return "It is exempt, and nothing happens to it."
	case dirsync.SkipDeclared:
		for _, a := range allAddresses(c) {
			if b := x.block(a); b != nil {
				return b.sentence()
			}
		}
		return "A block declares it, and the policy leaves it alone."
	}
	if c.Account == nil {
		return "It gets no account. " + last
	}
	return "Its account is left as it is. " + last
}

func actionSentence(d *dirsync.Decision) string {
	switch d.Action {
	case dirsync.Add:
		return "It gets an account, as " + typeWord(d.After.Type) + "."
	case dirsync.Rename:
		return "Its account " + d.Before.Address + " is renamed to " + d.After.Address + "."
	case dirsync.Convert:
		return "Its account becomes " + article(typeWord(d.After.Type)) + "."
	case dirsync.Disable:
		return "Its account is disabled, and mail to it is refused."
	case dirsync.Enable:
		return "Its account is enabled again."
	case dirsync.Delete:
		return "Its account is deleted."
	}
	return "Its account is brought up to date."
}

func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}

func kindWord(k directory.Kind) string { return strings.ReplaceAll(string(k), "_", " ") }

func typeWord(t directory.AccountType) string { return strings.ReplaceAll(string(t), "_", " ") }

func accountWord(s dirsync.Standing) string {
	text := typeWord(s.Type)
	if !s.Active {
		text += " (disabled)"
	}
	if !s.Primary && s.Account != nil {
		text = "alias of " + s.Account.Address + ", " + text
	}
	return text
}

func unknownFate() Fate {
	return Fate{Account: "unknown", Mail: "unknown", Login: "unknown", Digest: "unknown", Billed: "unknown"}
}

// fate is what an address means to its owner (R19, R49, R50).
func (x *Explainer) fate(s dirsync.Standing, address string) Fate {
	f := Fate{Account: "none", Mail: "no", Login: "no", Digest: "no", Billed: "no", Remarks: map[string]string{}}
	remark := func(column, text string) { f.Remarks[column] = text }
	if !s.Exists {
		remark("mail", "Essentials refuses it")
		return f
	}
	f.Account = accountWord(s)
	if !s.Active {
		remark("mail", "the account is disabled, and mail to it is refused (R32)")
		return f
	}
	f.Mail = "yes"
	if registered, relay := x.trace.Registered(directory.DomainOf(address)); registered && !relay {
		f.Mail = "not relayed"
		remark("mail", "its domain is for management, and no mail flows for it (R35)")
	}
	switch s.Type {
	case directory.FunctionalAccount:
		remark("login", "a functional account has none")
		remark("billed", "a functional account uses no seat (R39)")
		return f
	case directory.SilentUser:
		remark("login", "a silent user has none (R19)")
		remark("digest", "a silent user gets none unless it is turned on (R19)")
	default:
		f.Login, f.Digest = x.login(remark)
	}
	if s.Billed() {
		f.Billed = "yes"
	} else {
		remark("billed", "the account is marked as not billable")
	}
	return f
}

// login says whether and how an end user gets into the portal.
func (x *Explainer) login(remark func(column, text string)) (login, digest string) {
	l := x.q.Login
	remark("digest", "end users get one (R19)")
	microsoft := l.Connected && (l.Microsoft == "allowed" || l.Microsoft == "forced")
	local := l.Local == nil || *l.Local
	switch {
	case l.Microsoft == "forced" && microsoft:
		remark("login", "with Microsoft credentials only (R50, R51)")
	case microsoft && local:
		remark("login", "with Microsoft credentials (R50), or an Essentials password")
	case microsoft:
		remark("login", "with Microsoft credentials (R50)")
	case l.Local != nil && !local:
		remark("login", "neither Microsoft nor Essentials credentials are let in")
		return "no", "yes"
	case l.Microsoft == "disabled":
		remark("login", "with an Essentials password; Microsoft credentials are switched off (R50)")
	case !l.Connected:
		remark("login", "with an Essentials password; Microsoft credentials need the policy's connection (R49)")
	default:
		remark("login", "how is not known, since the tenant block says nothing about login (R50)")
	}
	return "yes", "yes"
}

// domain says what becomes of mail to a domain.
func (x *Explainer) domain(name string) string {
	if name == "" {
		return ""
	}
	registered, relay := x.trace.Registered(name)
	text := name + " is registered for management only: no mail flows for it (R35)"
	switch {
	case !registered:
		text = name + " is not registered in Essentials (R33)"
	case relay:
		text = name + " is relayed"
	}
	if x.q.Observed == nil {
		return text + "."
	}
	facts, asked := x.q.Observed.Mail[name]
	switch {
	case !asked:
	case facts.MXAtGateway == nil:
		text += "; whether its MX points at the gateway could not be looked up"
	case *facts.MXAtGateway:
		text += "; its MX points at the gateway"
	default:
		text += "; its MX does not point at the gateway, so that mail reaches Exchange directly, whatever Essentials accepts"
	}
	return text + "."
}

func proofsOf(o *planner.Observation) []directory.Proof {
	var out []directory.Proof
	if o == nil {
		return nil
	}
	if o.Directory != nil {
		out = append(out, o.Directory.Proof)
	}
	if o.Accounts != nil {
		out = append(out, o.Accounts.Proof)
	}
	return out
}
