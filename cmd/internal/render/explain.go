package render

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
)

// shownFlips is how many changes people are shown; JSON has up to maxFlips.
const shownFlips = 6

// Explain tells a person about one address: what it is now and after the next apply, why, what is known of it, and what
// would change it.
func Explain(w io.Writer, e *Explanation, o Options) error {
	p := newPrinter(w, o)
	detail := []string{}
	if e.TenantName != "" && e.TenantName != e.Tenant {
		detail = append(detail, e.TenantName)
	}
	p.heading(e.Asked, append(detail, "tenant "+e.Tenant))
	p.prose("", "  ", e.Answer)
	if e.Cause != "" {
		p.prose(dim, "  ", "Cause: "+e.Cause+".")
	}
	if e.Nearest != "" {
		p.prose("", "  ", "Nearest: "+e.Nearest+".")
	}
	for _, other := range e.Others {
		p.prose(yellow, "  ", other)
	}
	p.blank()
	p.fates(e)
	p.hostedRun(e)
	p.why(e)
	p.known(e)
	p.said(e)
	p.flipping(e)
	p.readings(e)
	return p.done()
}

// fates is what the address is now and after the next apply.
func (p *printer) fates(e *Explanation) {
	now, after := e.Now, e.After
	rows := []struct{ title, column, now, after string }{
		{"account", "", now.Account, after.Account}, {"mail", "mail", now.Mail, after.Mail}, {"login", "login", now.Login, after.Login},
		{"digest", "digest", now.Digest, after.Digest}, {"billed", "billed", now.Billed, after.Billed},
	}
	left, middle := len("account"), len("now")
	for _, r := range rows {
		middle = max(middle, width(SafeText(r.now)))
	}
	p.line("  ", p.style(dim, pad("", left)+"  "+pad("now", middle)+"  after the next apply"))
	for _, r := range rows {
		code := ""
		if r.now != r.after {
			code = yellow
		}
		remark := after.Remarks[r.column]
		text := SafeText(r.after)
		if remark != "" {
			text += p.style(dim, "  "+SafeText(remark))
		}
		p.line("  ", p.style(dim, pad(r.title, left)), "  ", pad(SafeText(r.now), middle), "  ", p.style(code, text))
	}
	if e.Domain != "" {
		p.prose(dim, "  ", sentenceOf(e.Domain))
	}
	p.blank()
}

func sentenceOf(s string) string { return strings.TrimSuffix(s, ".") + "." }

func (p *printer) why(e *Explanation) {
	by := "in the order in which it was decided"
	if e.Source != "" {
		by += ", by " + SafeText(e.Source)
	}
	p.section("", "Why", by)
	step := func(code string, i int, s ExplainStep) {
		p.prose(code, fmt.Sprintf("    %2d. %-4s ", i, s.Rule), s.Text)
	}
	n := 0
	// What the policy wants of the entry is shown first where the decision did not get that far.
	for _, s := range e.Judged {
		if !containsStep(e.Why, s) {
			n++
			step(dim, n, s)
		}
	}
	for _, s := range e.Why {
		n++
		step("", n, s)
	}
	for _, h := range e.Holds {
		if h.Paste != "" {
			p.line("        To let it pass:")
			p.block("            ", h.Paste)
		}
	}
	if e.Scope != "" {
		p.prose(dim, "    ", "The policy wants: "+scopeWords[dirsync.Scope(e.Scope)]+".")
	}
	p.blank()
}

var scopeWords = map[dirsync.Scope]string{
	dirsync.ScopeNone: "no account of its own", dirsync.ScopeOut: "nothing, it is out of scope", dirsync.ScopeUnknown: "not to be told",
	dirsync.ScopeUser: "an active user", dirsync.ScopeFunctional: "an active functional account", dirsync.ScopeInactive: "an account that is refused mail",
	dirsync.ScopeAsIs: "its account left as it is, for its sign-in is blocked",
}

func containsStep(list []ExplainStep, s ExplainStep) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// known is what directory, Essentials and state know of it.
func (p *printer) known(e *Explanation) {
	row := func(title, text string) {
		if text != "" {
			p.prose("", "    "+pad(title, 11)+" ", text)
		}
	}
	yes := func(b bool, is, not string) string {
		if b {
			return is
		}
		return not
	}
	if d := e.Directory; d != nil {
		p.section("", "In the directory", "found by "+e.FoundBy)
		row("kind", d.Kind+", as "+d.KindFrom+" say")
		row("object", d.ObjectID)
		row("name", commas(d.Name, d.JobTitle, d.Department))
		if d.Address == "" {
			row("address", "none")
		}
		row("address", d.Address)
		row("aliases", strings.Join(d.Aliases, ", "))
		if d.UPN != d.Address {
			row("sign-in as", d.UPN)
		}
		if !d.Proxy {
			row("mail", "the directory holds no proxyAddresses for it (R31)")
		}
		switch d.Kind {
		case "user", "guest", "unknown", "shared mailbox", "room", "equipment":
			row("sign-in", yes(d.Enabled, "allowed", "blocked"))
			row("licence", yes(d.Licensed, "yes", "none"))
		}
		row("source", yes(d.OnPremises, "synchronised from an on-premises directory", ""))
		row("groups", strings.Join(d.Groups, ", "))
		if d.Members > 0 {
			row("members", fmt.Sprint(d.Members))
		}
		p.blank()
	}
	if a := e.Account; a != nil {
		title := "the account"
		if e.Directory == nil {
			title = "found by " + e.FoundBy
		}
		p.section("", "In Essentials", title)
		row("address", a.Address)
		row("type", a.Type+yes(a.Active, "", ", disabled")+yes(a.Billable, "", ", not billable"))
		row("name", a.Name)
		row("aliases", strings.Join(a.Aliases, ", "))
		if len(a.Foreign) > 0 {
			row("kept", "aliases that the directory does not know and Weir did not write: "+strings.Join(a.Foreign, ", "))
		}
		p.blank()
	}
	if k := e.State; k != nil {
		p.section("", "What Weir remembers", "")
		row("account", k.Address+", "+yes(k.Ownership == "created", "which Weir made", "which Weir found"))
		row("object", k.ObjectID)
		row("policy", k.Policy)
		row("converted", yes(k.Converted, "Weir made a functional account of a user", ""))
		row("disabled", yes(k.Disabled, "Weir disabled it", ""))
		if k.GoneSince != nil {
			row("gone since", k.GoneSince.Format("2006-01-02 15:04")+" UTC")
		}
		if e.Account != nil {
			row("left as", yes(k.AsLeft, "the account is as Weir left it", "the account was changed in Essentials since"))
		}
		p.blank()
	}
}

func commas(parts ...string) string {
	var out []string
	for _, s := range parts {
		if s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, ", ")
}

// said is what people said about it.
func (p *printer) said(e *Explanation) {
	if len(e.Words) == 0 {
		return
	}
	p.section("", "What people said about it", "")
	for _, w := range e.Words {
		text := w.Text
		if w.Source != "" {
			text += " [" + w.Source + "]"
		}
		p.prose("", "    - ", text)
		if w.Paste != "" {
			p.block("          ", w.Paste)
		}
	}
	p.blank()
}

// flipping is what would change it, each tried by deciding again.
func (p *printer) flipping(e *Explanation) {
	if len(e.Flips) == 0 {
		if e.NoFlip != "" {
			p.section("", "What would change it", e.NoFlip)
			p.blank()
		}
		return
	}
	p.section("", "What would change it", "each was decided again; the smallest first")
	for i, f := range e.Flips {
		if i == shownFlips && len(e.Flips) > shownFlips+1 {
			p.line("    ", p.style(dim, fmt.Sprintf("… and %d more (--json lists them)", len(e.Flips)-i)))
			break
		}
		var texts []string
		for _, c := range f.Changes {
			texts = append(texts, c.Text)
		}
		p.prose("", "    - ", strings.Join(texts, ", and ")+" → "+f.Then)
		for _, c := range f.Changes {
			if c.Paste != "" {
				p.block("          ", c.Paste)
			}
		}
	}
	p.blank()
}

// readings says what all of it rests on.
func (p *printer) readings(e *Explanation) {
	for _, s := range e.Problems {
		p.prose(red, "  ", "In doubt: "+s)
	}
	for _, s := range e.Errors {
		line, _, _ := strings.Cut(s, "\n")
		p.prose(red, "  ", "Nothing of this tenant is applied until this is mended: "+line)
	}
	var parts []string
	complete := true
	for _, proof := range e.Proofs {
		text, ok := proofText(proof)
		if len(proof.Hash) >= 12 {
			text += ", sha256 " + proof.Hash[:12] + "…"
		}
		if !proof.At.IsZero() {
			text += ", at " + proof.At.UTC().Format("2006-01-02 15:04:05")
		}
		parts, complete = append(parts, text), complete && ok
	}
	if len(parts) == 0 {
		return
	}
	lead := "Read completely: "
	if !complete {
		lead = "Read: "
	}
	p.prose(dim, "  ", lead+strings.Join(parts, "; ")+".")
}

// ExplainJSON is Explain for machines: one JSON object, format 1.
func ExplainJSON(w io.Writer, e *Explanation) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(plain(e))
}

// plain makes the times of proofs UTC, so that equal reads give equal bytes.
func plain(e *Explanation) *Explanation {
	out := *e
	out.Proofs = append([]directory.Proof(nil), e.Proofs...)
	for i := range out.Proofs {
		out.Proofs[i].At = out.Proofs[i].At.UTC().Truncate(time.Second)
		out.Proofs[i].Parts = nil
	}
	return &out
}
