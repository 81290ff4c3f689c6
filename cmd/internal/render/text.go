package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
)

// textNoChanges is said when everything was read and nothing differs.
const textNoChanges = "No changes. The vendors match the configuration."

// Text shows a plan on a terminal: one section a tenant, what would happen in it and why, and at the end the counts and
// what to type next. Above eight tenants, those without changes are only counted.
func Text(w io.Writer, plan *planner.Plan, o Options) error {
	v := newView(plan)
	p := newPrinter(w, o)
	p.selection(plan)
	p.legend(v)
	for _, t := range v.Tenants {
		p.tenant(t, len(plan.Parts) > 1)
	}
	p.quiet(v)
	p.total(v)
	return p.done()
}

// selection says what the plan was limited to.
func (p *printer) selection(plan *planner.Plan) {
	var limits []string
	if plan.Destroy {
		limits = append(limits, "This plan takes down what Weir made.")
	}
	for _, l := range []struct {
		word string
		list []string
	}{{"tenants", plan.Tenants}, {"targets", plan.Targets}, {"excluded", plan.Excludes}} {
		if len(l.list) > 0 {
			limits = append(limits, "Limited to "+l.word+": "+strings.Join(l.list, ", ")+".")
		}
	}
	if simulated(plan) {
		limits = append(limits, "Simulated: no real tenant is read or changed.")
	}
	for _, l := range limits {
		l = strings.Replace(l, "Limited to excluded: ", "All but what is excluded: ", 1)
		p.prose(dim, "", l)
	}
	if len(limits) > 0 {
		p.blank()
	}
}

var legends = []struct{ symbol, text string }{
	{"+", "create"}, {"~", "change"}, {"-", "delete"}, {"-/+", "replace, delete first"}, {"+/-", "replace, create first"},
	{"<-", "adopt: exists already, comes under management"}, {"=>", "move: same object, other address"},
	{".", "release: stays as it is, Weir forgets it"}, {"!", "unknown: could not be read, nothing is planned"},
}

// legend explains the symbols that the plan uses.
func (p *printer) legend(v *view) {
	used := map[string]bool{}
	for _, t := range v.Tenants {
		for _, it := range t.Changes {
			used[it.Symbol] = true
		}
		for _, g := range t.Groups {
			for _, a := range g.Accounts {
				used[a.Symbol] = true
			}
		}
	}
	if len(used) == 0 {
		return
	}
	p.line("What the symbols mean:")
	for _, l := range legends {
		if used[l.symbol] {
			p.line("  ", p.symbol(l.symbol), l.text)
		}
	}
	p.blank()
}

func (p *printer) heading(title string, detail []string) {
	line := p.style(bold, SafeText(title))
	if len(detail) > 0 {
		line += p.style(dim, "  ("+SafeText(strings.Join(detail, ", "))+")")
	}
	p.line(line)
}

func (p *printer) tenant(t *tenantView, summary bool) {
	title, detail := headline(t.Part.Tenant)
	p.heading(title, detail)
	if t.Part.Removed {
		p.prose(yellow, "  ", "No block claims this tenant any more.")
	}
	p.blank()
	p.sentences(red, "Could not be planned", t.Errors)
	p.sentences(red, "Could not be read (nothing destructive is planned from it)", t.Problems)
	p.stops(t.Stops)
	if len(t.Drift) > 0 {
		p.section(yellow, "Changed outside", "somebody changed these since the last apply")
		for i := range t.Drift {
			p.item(&t.Drift[i])
			p.blank()
		}
	}
	if len(t.Changes) > 0 {
		if len(t.Drift)+len(t.Stops) > 0 {
			p.section("", "Changes", "")
		}
		for i := range t.Changes {
			p.item(&t.Changes[i])
			p.blank()
		}
	}
	if len(t.Groups)+t.Linked+t.SkipTotal > 0 {
		p.accounts(t)
	}
	if !t.Clean || !t.Hosted.quiet() {
		p.hosted(t.Hosted)
	}
	if len(t.Outputs) > 0 {
		p.section("", "Outputs", "")
		p.rows("    ", t.Outputs)
		p.blank()
	}
	p.guards(t)
	p.leftOut(t.LeftOut)
	if len(t.Waits) > 0 {
		p.section("", "Waiting", "no change now")
		for i, w := range t.Waits {
			if i == maxAccounts && len(t.Waits) > maxAccounts+1 {
				p.line("    ", p.style(dim, fmt.Sprintf("… and %d more (weir plan --json lists all)", len(t.Waits)-i)))
				break
			}
			p.prose("", "    ", w.Address+": "+w.Text)
		}
		p.blank()
	}
	p.sentences("", "Notes", t.Notes)
	p.forecast(t.Forecast, t.Clean)
	p.proofs(t)
	p.facts(t)
	if t.Clean {
		p.line("  ", textNoChanges)
	} else if summary && t.Part.Status != planner.Errored {
		p.prose(bold, "  ", "Plan: "+counts(t.Summary, len(t.Outputs))+ofThese(t.Apart)+".")
	}
	p.blank()
}

func (p *printer) section(code, title, remark string) {
	line := "  " + p.style(strings.Trim(bold+";"+code, ";"), title)
	if remark != "" {
		line += p.style(dim, ": "+remark)
	}
	p.line(line)
}

func (p *printer) sentences(code, title string, list []string) {
	if len(list) == 0 {
		return
	}
	p.section(code, title, "")
	for _, s := range list {
		p.prose("", "    - ", s)
	}
	p.blank()
}

// stops lists every address that is accepted today and refused tomorrow; it is never folded.
func (p *printer) stops(stops []dirsync.Stop) {
	if len(stops) == 0 {
		return
	}
	p.section(red, "Stops receiving", plural(len(stops), "address takes", "addresses take")+" mail today and will not after the apply")
	column := 0
	for _, s := range stops {
		column = max(column, min(width(SafeText(s.Address)), 44))
	}
	for _, s := range stops {
		p.line("    ", p.symbol("-"), p.style(red, pad(SafeText(s.Address), column)), "  ", p.style(dim, SafeText(s.Why)))
	}
	p.blank()
}

func (p *printer) item(it *item) {
	line := "  " + p.symbol(it.Symbol) + p.style(bold, SafeText(it.Address))
	if it.Name != "" {
		line += "  " + p.style(dim, SafeText(fmt.Sprintf("%q", it.Name)))
	}
	if it.Word != "" && it.Word != "create" && it.Word != "update" && it.Word != "delete" && it.Word != "changed" {
		line += "  " + p.style(dim, "("+it.Word+")")
	}
	p.line(line)
	p.rows("        ", it.Rows)
	if it.From != "" {
		p.prose("", "        ", "moved from "+it.From)
	}
	p.reasons("        ", it.Because)
	if it.Held != "" {
		p.prose(yellow, "        held: ", it.Held)
	}
	if it.LeftOut != "" {
		p.prose(yellow, "        ", it.LeftOut)
	}
	if it.Skipped != "" {
		p.prose(yellow, "        not applied: ", "it waits for "+it.Skipped)
	}
}

func (p *printer) reasons(indent string, because []string) {
	if len(because) > 0 {
		p.prose(dim, indent+"because: ", strings.Join(because, "; "))
	}
}

// rows writes attributes, one a line where it fits: path, old -> new, the portal's word.
func (p *printer) rows(indent string, rows []row) {
	column := 0
	for _, r := range rows {
		column = max(column, min(width(SafeText(r.Path)), 36))
	}
	for _, r := range rows {
		lead := indent + pad(SafeText(r.Path), column) + "  "
		tail := ""
		if r.Label != "" {
			tail = "  (" + SafeText(r.Label) + ")"
		}
		for _, m := range r.Marks {
			tail += "  # " + SafeText(m)
		}
		if len(r.Added)+len(r.Removed) > 0 {
			p.line(lead, p.style(dim, strings.TrimLeft(tail, " ")))
			for _, e := range r.Removed {
				p.line(indent, "    ", p.style(red, "- "), SafeText(e))
			}
			for _, e := range r.Added {
				p.line(indent, "    ", p.style(green, "+ "), SafeText(e))
			}
			if r.More > 0 {
				p.line(indent, "    ", p.style(dim, fmt.Sprintf("… and %d more", r.More)))
			}
			continue
		}
		old, now := SafeText(r.Old), SafeText(r.New)
		switch {
		case r.Old == "":
			p.line(lead, now, p.style(dim, tail))
		case width(lead)+width(old)+width(now)+4+width(tail) <= p.o.width():
			p.line(lead, old, p.style(dim, " -> "), now, p.style(dim, tail))
		default:
			p.line(lead, p.style(dim, strings.TrimLeft(tail, " ")))
			p.line(indent, "    ", p.style(red, "- "), old)
			p.line(indent, "    ", p.style(green, "+ "), now)
		}
	}
}

func (p *printer) accounts(t *tenantView) {
	remark := ""
	if t.Part.AccountPolicy != "" {
		remark = "derived from the directory by " + SafeText(t.Part.AccountPolicy)
	}
	if len(t.Groups)+t.Linked > 0 {
		p.section("", "Accounts", remark)
		p.blank()
	}
	for i := range t.Groups {
		p.group(&t.Groups[i])
	}
	if t.Linked > 0 {
		p.prose("", "    ", plural(t.Linked, "existing account is recognised and comes under management", "existing accounts are recognised and come under management")+"; nothing is written to "+they(t.Linked)+".")
	}
	if t.SkipTotal > 0 {
		var parts []string
		for _, s := range t.Skipped {
			parts = append(parts, fmt.Sprintf("%d %s", s.Count, s.Text))
		}
		indent, word := "    ", "Left alone: "
		if len(t.Groups)+t.Linked == 0 {
			indent, word = "  ", "Accounts left alone: "
		}
		p.prose("", indent, word+strings.Join(parts, ", ")+".")
	}
	p.blank()
}

func they(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
}

func (p *printer) group(g *group) {
	title := fmt.Sprintf("%s: %d", g.Title, len(g.Accounts))
	switch {
	case g.Held == len(g.Accounts):
		title += ", held"
	case g.Held > 0:
		title += fmt.Sprintf(", %d of them held", g.Held)
	}
	p.line("    ", p.style(bold, title))
	if len(g.Because) > 0 {
		p.prose(dim, "      "+g.becauseWord()+": ", strings.Join(g.Because, "; "))
	}
	shown := g.Accounts[:min(len(g.Accounts), maxAccounts)]
	if len(g.Accounts) == maxAccounts+1 {
		shown = g.Accounts // folding one line into one line hides something for nothing
	}
	column := 0
	for _, a := range shown {
		column = max(column, min(width(SafeText(a.Address)), 44))
	}
	for _, a := range shown {
		who := SafeText(a.who())
		if a.Held != "" && g.Held < len(g.Accounts) {
			who += p.style(yellow, "  (held)")
		}
		if a.LeftOut != "" {
			who += p.style(yellow, "  (left out)")
		}
		line := "      " + p.symbol(a.Symbol) + pad(SafeText(a.Address), column) + "  "
		if short := oneRow(a.Rows); short != "" && width(line)+width(who)+2+width(short) <= p.o.width() {
			p.line(line, p.style(dim, who), "  ", short)
		} else {
			p.line(line, p.style(dim, who))
			p.rows("            ", a.Rows)
		}
		p.reasons("            ", a.Because)
	}
	if n := len(g.Accounts) - len(shown); n > 0 {
		p.line("      ", p.style(dim, fmt.Sprintf("… and %d more (weir plan --json lists all)", n)))
	}
	p.blank()
}

// oneRow is a single simple row as text, to stand behind an account.
func oneRow(rows []row) string {
	if len(rows) != 1 || len(rows[0].Added)+len(rows[0].Removed) > 0 {
		return ""
	}
	return SafeText(rows[0].Path) + " " + SafeText(rows[0].Old) + " -> " + SafeText(rows[0].New)
}

func (p *printer) guards(t *tenantView) {
	for _, g := range t.Guards {
		p.section(yellow, "Held by a guard", SafeText(g.Name))
		p.prose("", "    ", g.Text)
		if n := len(g.Addresses); n > 1 {
			list := g.Addresses[:min(n, maxAccounts)]
			text := "It holds: " + strings.Join(list, ", ")
			if n > len(list) {
				text += fmt.Sprintf(" and %d more", n-len(list))
			}
			p.prose(dim, "    ", text)
		}
		if g.Cure != "" {
			p.line("    What to write or type, if that is what you want:")
			p.blank()
			p.block("        ", g.Cure)
		}
		p.blank()
	}
	for _, u := range t.Undecided {
		p.section(yellow, "A person must decide", SafeText(u.Address))
		var reasons []string
		for _, r := range u.Reasons {
			reasons = append(reasons, reasonText(r))
		}
		p.prose(dim, "    because: ", strings.Join(reasons, "; "))
		if len(u.Blocks) > 0 {
			p.line("    Write one of these:")
			for _, b := range u.Blocks {
				p.blank()
				p.block("        ", b)
			}
		}
		p.blank()
	}
}

// facts are what did not change, and of a part without changes the forecast in one line.
func (p *printer) facts(t *tenantView) {
	if t.Clean && t.Forecast != nil && t.Forecast.quiet() && t.Forecast.Quiet != "" {
		p.prose(dim, "  ", "Forecast: "+t.Forecast.Quiet+".")
	}
	if len(t.Strays) > 0 {
		p.prose(dim, "  ", strayText(len(t.Strays)))
	}
	unchanged := ""
	if t.Part.Unchanged > 0 {
		unchanged = plural(t.Part.Unchanged, "object", "objects")
	}
	if a := t.Part.Accounts; a != nil && a.Unchanged > 0 {
		if unchanged != "" {
			unchanged += " and "
		}
		unchanged += plural(a.Unchanged, "account", "accounts")
	}
	if unchanged != "" && !t.Clean {
		p.line("  ", p.style(dim, "Unchanged: "+unchanged+"."))
	}
}

// quiet counts the tenants that are left out.
func (p *printer) quiet(v *view) {
	if v.Quiet == 0 {
		return
	}
	text := plural(v.Quiet, "tenant has", "tenants have") + " no changes"
	if v.Quiet < len(v.Plan.Parts) && len(v.Tenants) > 0 {
		text = plural(v.Quiet, "other tenant has", "other tenants have") + " no changes"
	}
	var extra []string
	if v.Waiting > 0 {
		extra = append(extra, fmt.Sprintf("%d wait for something", v.Waiting))
	}
	if v.Noted > 0 {
		extra = append(extra, fmt.Sprintf("%d have notes", v.Noted))
	}
	if len(extra) > 0 {
		text += " (" + strings.Join(extra, ", ") + "; weir plan --tenant KEY shows them)"
	}
	p.line(text, ".")
	p.blank()
}

// total is the summary over all tenants and what to type next.
func (p *printer) total(v *view) {
	if v.NoChanges {
		if len(v.Tenants) != 1 || len(v.Plan.Parts) > 1 && v.Quiet > 0 {
			p.line(p.style(bold+";"+green, textNoChanges))
		}
		return
	}
	text := "Plan: " + counts(v.Total, v.Outputs) + ofThese(v.LeftOut) + "."
	if n := len(v.Plan.Parts); n > 1 {
		tenants := 0
		for _, part := range v.Plan.Parts {
			if part.Tenant.Key != "" {
				tenants++
			}
		}
		if tenants > 1 {
			text = strings.Replace(text, "Plan:", fmt.Sprintf("Plan for %d tenants:", tenants), 1)
		}
	}
	p.prose(bold, "", text)
	if v.Errored > 0 {
		p.prose(red, "", plural(v.Errored, "tenant", "tenants")+" could not be planned; the others are not affected.")
	}
	if v.Unreadable > 0 {
		p.prose(red, "", "In "+plural(v.Unreadable, "tenant", "tenants")+" something could not be read; nothing destructive is planned from it.")
	}
	if p.o.Asking {
		return
	}
	p.blank()
	switch {
	case p.o.GoOn != "":
		p.line("To go on with what was approved, without what is left out:")
		p.blank()
		p.line("    ", p.style(cyan, p.o.GoOn))
	case applicable(v.Plan):
		p.line("Nothing has been changed yet (R41). To carry this out:")
		p.blank()
		p.line("    ", p.style(cyan, command(v.Plan, p.o)))
	case v.Errored+v.Unreadable > 0: // also when something is held: it may wait for that
		p.line("Repair what is named above, then plan again.")
	case v.Total.Held+v.Total.AccountsHeld > 0:
		p.line("Everything is held. Write what lets it pass (above), then plan again.")
	}
}

// command carries the plan out, with the selections it was made with.
func command(plan *planner.Plan, o Options) string {
	if o.File != "" {
		return o.command("apply") + " " + shell(o.File)
	}
	text := o.command("apply")
	if plan.Destroy {
		text = o.command("destroy")
	}
	for _, l := range []struct {
		flag string
		list []string
	}{{" --tenant ", plan.Tenants}, {" --target ", plan.Targets}, {" --exclude ", plan.Excludes}} {
		for _, s := range l.list {
			text += l.flag + shell(s)
		}
	}
	return text
}

// applicable reports whether an apply would do anything.
func applicable(plan *planner.Plan) bool {
	for _, part := range plan.Parts {
		if part.Status == planner.Errored {
			continue
		}
		if part.Former != "" || len(part.Outputs) > 0 || part.Accounts != nil && len(part.Accounts.Links)+len(part.Accounts.Clocks) > 0 {
			return true
		}
		for _, c := range part.Changes {
			if c.Applies() {
				return true
			}
		}
		if part.Accounts != nil {
			for i := range part.Accounts.Decisions {
				if part.Accounts.Decisions[i].Held == "" {
					return true
				}
			}
		}
	}
	return false
}
