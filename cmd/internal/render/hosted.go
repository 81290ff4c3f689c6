package render

import (
	"fmt"
	"strings"
	"time"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync/hosted"
	"github.com/weir-project/weir/providers/directory"
)

// hostedView is what the vendor's own sync will do, for people.
type hostedView struct {
	Title string
	// Lead are sentences about the run as a whole: that it fails, or does nothing, or is suspended.
	Lead []string
	// Risks are sentences about limits that it exceeds.
	Risks  []string
	Groups []hostedGroup
	// Either are the either-ors.
	Either []hostedEither
	Stops  []hosted.Stop
	// Skipped are entries that it leaves out, counted.
	Skipped []skipCount
	Seats   string
	still   bool
}

// hostedGroup is one group of the console's summary.
type hostedGroup struct {
	Title, Symbol string
	Items         []hostedItem
}

type hostedItem struct {
	Symbol, Address, Text string
	// Doubt says that it depends on what cannot be read.
	Doubt bool
}

// hostedEither is one fact that cannot be read, and what it changes.
type hostedEither struct {
	Fact    string
	Expect  []string
	Instead []string
}

// hostedTitles are the console's words, in its order.
var hostedTitles = []struct {
	effect hosted.Effect
	title  string
	symbol string
}{
	{hosted.Adding, "Adding", "+"},
	{hosted.Updating, "Updating", "~"},
	{hosted.Disabling, "Disabling", "~"},
	{hosted.Deleting, "Deleting", "-"},
	{hosted.Refused, "Refused", "!"},
	{hosted.Exempt, "Exempt", "="},
}

// hostedSkips say why entries are left out; the count stands before them.
var hostedSkips = map[string]string{
	hosted.SkipNoAddress:    "without a mail address (R31)",
	hosted.SkipForeign:      "in a domain that Essentials does not know (R33)",
	hosted.SkipDynamic:      "dynamic groups (R37)",
	hosted.SkipMicrosoft365: "Microsoft 365 groups (R1)",
}

// newHostedView reads the prediction; nil when there is none, or nothing in it is worth a line.
func newHostedView(run *planner.HostedRun) *hostedView {
	if run == nil {
		return nil
	}
	v := &hostedView{Title: hostedTitle(run), still: still(run)}
	for _, r := range run.Risks {
		v.Risks = append(v.Risks, r.Text)
	}
	v.Lead = hostedLead(run)
	if run.Unknown+run.Fails != "" {
		return v
	}
	if text := manualLead(run); text != "" {
		v.Lead = append(v.Lead, text)
	}
	for _, t := range hostedTitles {
		g := hostedGroup{Title: t.title, Symbol: t.symbol}
		for _, i := range run.Group(t.effect) {
			g.Items = append(g.Items, hostedItem{Symbol: t.symbol, Address: i.Address, Text: hostedText(&i), Doubt: i.Acts() && !run.Sure(&i)})
		}
		if len(g.Items) > 0 {
			v.Groups = append(v.Groups, g)
		}
	}
	v.skips(run)
	for _, d := range run.Doubts {
		if e := either(d); matters(d.Fact) && len(e.Expect)+len(e.Instead) > 0 {
			v.Either = append(v.Either, e)
		}
	}
	v.Stops = run.Stops()
	switch {
	case run.SeatsAtMost > run.SeatsAfter:
		v.Seats = fmt.Sprintf("Seats in use: %d -> %d, or up to %d, by the vendor's run.", run.SeatsBefore, run.SeatsAfter, run.SeatsAtMost)
	case run.SeatsAfter != run.SeatsBefore:
		v.Seats = fmt.Sprintf("Seats in use: %d -> %d (%+d), by the vendor's run.", run.SeatsBefore, run.SeatsAfter, run.SeatsAfter-run.SeatsBefore)
	}
	if !run.Changes() && len(v.Groups) == 0 {
		v.Lead = append(v.Lead, "Nothing.")
	}
	return v
}

// hostedLead are sentences about the run as a whole.
func hostedLead(run *planner.HostedRun) []string {
	if run.Unknown != "" {
		return []string{"It cannot be predicted: " + run.Unknown + "."}
	}
	var out []string
	if run.Suspended != "" {
		out = append(out, "The schedule is suspended: "+run.Suspended+". It starts again when that is over. The run that does not happen would do this:")
	}
	if run.Fails != "" {
		return append(out, "It fails and changes nothing: "+run.Fails+".")
	}
	if run.MayFail != "" {
		out = append(out, "Either it works or it fails and changes nothing; that cannot be told, because "+run.MayFail+".")
	}
	return out
}

// manualLead says how a run by the portal's button differs; "" when it does not.
func manualLead(run *planner.HostedRun) string {
	switch {
	case run.ManualFails == "":
		return ""
	case len(run.ManualDepends) > 0:
		return "A run by the portal's button may fail: " + run.ManualFails + "; it cannot be read " + factsText(run.ManualDepends) + "."
	}
	return "A run by the portal's button fails: " + run.ManualFails + "."
}

// quiet tells whether the view says nothing that is worth showing in a plan without changes: the run does nothing, and
// what cannot be read about it has been so since the last one.
func (v *hostedView) quiet() bool { return v == nil || v.still }

// still is the answer of quiet.
func still(run *planner.HostedRun) bool {
	if run.Unknown+run.Fails+run.MayFail+run.Suspended != "" || len(run.Risks) > 0 {
		return false
	}
	for i := range run.Items {
		if run.Items[i].Acts() || run.Items[i].Effect == hosted.Refused {
			return false
		}
	}
	for _, d := range run.Doubts {
		if d.Fact != hosted.Microsoft365 && d.Fact != hosted.NoPrimary && matters(d.Fact) {
			return false
		}
	}
	return true
}

func hostedTitle(run *planner.HostedRun) string {
	const title = "What the hosted sync will do next"
	switch {
	case run.Suspended != "":
		return title + " (suspended)"
	case run.Every <= 0:
		return title + " (it does not run by itself; when somebody presses the portal's button)"
	case run.Next.IsZero():
		return title
	}
	at := run.Next.UTC().Format("15:04")
	if run.Every >= 24*time.Hour {
		at = run.Next.UTC().Format("2006-01-02 15:04")
	}
	return title + " (at about " + at + " UTC)"
}

// hostedText is what happens to one address, and why.
func hostedText(i *hosted.Item) string {
	var parts []string
	if i.Effect == hosted.Adding && i.After != nil {
		kind := accountType(i.After.Type)
		if !i.After.Active {
			kind += ", not active"
		}
		parts = append(parts, kind)
	}
	if i.Effect == hosted.Updating && i.Before != nil && i.After != nil && i.Before.Address != i.After.Address {
		parts = append(parts, "renamed to "+i.After.Address)
	}
	text := i.Text
	if i.Effect == hosted.Exempt {
		text = "left alone"
	}
	if i.Rule != "" {
		text = strings.TrimSpace(text + " (" + i.Rule + ")")
	}
	if text != "" {
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

func (v *hostedView) skips(run *planner.HostedRun) {
	n := map[string]int{}
	for _, i := range run.Group(hosted.Skipped) {
		n[i.Code]++
	}
	for _, code := range []string{hosted.SkipNoAddress, hosted.SkipForeign, hosted.SkipDynamic, hosted.SkipMicrosoft365} {
		if n[code] > 0 {
			text := hostedSkips[code]
			if n[code] == 1 {
				text = strings.Replace(text, "groups (", "group (", 1)
			}
			v.Skipped = append(v.Skipped, skipCount{Code: code, Text: text, Count: n[code]})
		}
	}
}

// matters tells the facts that people are bothered with: what a name will be is in the JSON.
func matters(f hosted.Fact) bool { return f != hosted.Nameless }

// either puts a doubt into words, without what changes nobody's account.
func either(d hosted.Doubt) hostedEither {
	e := hostedEither{Fact: d.Fact.Text()}
	for i := range d.Not {
		if d.Not[i].Acts() {
			e.Expect = append(e.Expect, sideText(&d.Not[i]))
		}
	}
	for i := range d.Instead {
		if d.Instead[i].Acts() {
			e.Instead = append(e.Instead, sideText(&d.Instead[i]))
		}
	}
	return e
}

func sideText(i *hosted.Item) string {
	out := string(i.Effect) + " " + i.Address
	if i.Effect == hosted.Adding && i.After != nil && i.After.Type != directory.EndUser {
		out += " as " + accountType(i.After.Type)
	}
	if i.Effect == hosted.Updating && i.Before != nil && i.After != nil && i.Before.Address != i.After.Address {
		out += " to " + i.After.Address
	}
	return out
}

// sides is an either-or as one sentence, with at most so many effects a side.
func (e *hostedEither) sides(most int) string {
	list := func(side []string) string {
		if len(side) == 0 {
			return "nothing"
		}
		if n := len(side) - most; n > 0 {
			return strings.Join(side[:most], ", ") + fmt.Sprintf(" and %d more", n)
		}
		return strings.Join(side, ", ")
	}
	return "either " + list(e.Expect) + ", or " + list(e.Instead) + ": it cannot be read " + e.Fact
}

func factsText(facts []hosted.Fact) string {
	var out []string
	for _, f := range facts {
		out = append(out, f.Text())
	}
	return strings.Join(out, ", or ")
}

// hosted shows the prediction on a terminal.
func (p *printer) hosted(v *hostedView) {
	if v == nil {
		return
	}
	p.section("", v.Title, "the vendor's doing, not Weir's")
	for _, l := range v.Lead {
		p.prose("", "    ", l)
	}
	for _, r := range v.Risks {
		p.prose(yellow, "    exceeds the safeguard: ", r)
	}
	for _, g := range v.Groups {
		p.line("    ", p.style(bold, fmt.Sprintf("%s: %d", g.Title, len(g.Items))))
		shown := g.Items[:min(len(g.Items), maxAccounts)]
		if g.Title == "Exempt" {
			shown = g.Items[:min(len(g.Items), 3)]
		}
		if len(g.Items) == len(shown)+1 {
			shown = g.Items
		}
		column := 0
		for _, i := range shown {
			column = max(column, min(width(SafeText(i.Address)), 44))
		}
		for _, i := range shown {
			text := SafeText(i.Text)
			if i.Doubt {
				text += p.style(yellow, "  (either, or: see below)")
			}
			p.line("      ", p.symbol(i.Symbol), pad(SafeText(i.Address), column), "  ", p.style(dim, text))
		}
		if n := len(g.Items) - len(shown); n > 0 {
			p.line("      ", p.style(dim, fmt.Sprintf("… and %d more (weir plan --json lists all)", n)))
		}
	}
	if len(v.Skipped) > 0 {
		var parts []string
		for _, s := range v.Skipped {
			parts = append(parts, fmt.Sprintf("%d %s", s.Count, s.Text))
		}
		p.prose("", "    ", "Left out: "+strings.Join(parts, ", ")+".")
	}
	for i := range v.Either {
		text := v.Either[i].sides(3)
		p.prose(yellow, "    ", strings.ToUpper(text[:1])+text[1:]+".")
	}
	if len(v.Stops) > 0 {
		p.line("    ", p.style(bold+";"+red, fmt.Sprintf("Stops receiving by the vendor's run: %d", len(v.Stops))))
		for _, s := range v.Stops {
			p.line("      ", p.symbol("-"), p.style(red, SafeText(s.Address)), "  ", p.style(dim, SafeText(stopText(s))))
		}
	}
	if v.Seats != "" {
		p.line("    ", v.Seats)
	}
	p.blank()
}

// hostedStops says how many addresses the vendor's own sync stops, for the verdict; what a suspended one would do does not
// happen.
func (v *view) hostedStops() []string {
	sure, perhaps := 0, 0
	for _, t := range v.Tenants {
		if t.Hosted == nil || t.Part.Hosted.Suspended != "" {
			continue
		}
		for _, s := range t.Hosted.Stops {
			if len(s.Depends) > 0 {
				perhaps++
			} else {
				sure++
			}
		}
	}
	var out []string
	if sure > 0 {
		out = append(out, "**"+plural(sure, "address stops", "addresses stop")+" receiving by the vendor's own sync**")
	}
	if perhaps > 0 {
		out = append(out, plural(perhaps, "address", "addresses")+" may stop receiving by the vendor's own sync")
	}
	return out
}

func stopText(s hosted.Stop) string {
	if len(s.Depends) > 0 {
		return s.Why + "; only if so: it cannot be read " + factsText(s.Depends)
	}
	return s.Why
}

// hosted shows the prediction in a pull request.
func (m *markdown) hosted(v *hostedView) {
	if v == nil {
		return
	}
	m.f("**%s** (the vendor's doing, not Weir's)\n\n", m.text(v.Title))
	for _, l := range v.Lead {
		m.f("%s\n\n", m.text(l))
	}
	for _, g := range v.Groups {
		var list []string
		for i, it := range g.Items {
			if i == maxAccounts {
				list = append(list, fmt.Sprintf("… and %d more", len(g.Items)-i))
				break
			}
			entry := m.code(it.Address)
			if it.Text != "" && g.Title != "Exempt" {
				entry += " " + m.text(it.Text)
			}
			if it.Doubt {
				entry += " (either, or: see below)"
			}
			list = append(list, entry)
		}
		m.f("- %s: %d\n", g.Title, len(g.Items))
		for _, l := range list {
			m.f("  - %s\n", l)
		}
	}
	for _, s := range v.Skipped {
		m.f("- Left out: %d %s\n", s.Count, m.text(s.Text))
	}
	for i := range v.Either {
		m.f("- %s\n", m.text(v.Either[i].sides(3)))
	}
	if v.Seats != "" {
		m.f("- %s\n", m.text(v.Seats))
	}
	m.f("\n")
}

// hostedUrgent shows what a reviewer must not miss of the prediction, never folded.
func (m *markdown) hostedUrgent(t *tenantView) {
	v := t.Hosted
	if v == nil || len(v.Risks)+len(v.Stops) == 0 {
		return
	}
	title, _ := headline(t.Part.Tenant)
	m.f("#### The vendor's own sync: %s\n\n", m.text(title))
	for _, r := range v.Risks {
		m.f("- Exceeds the safeguard: %s\n", m.text(r))
	}
	for _, s := range v.Stops {
		m.f("- Stops receiving: %s %s\n", m.code(s.Address), m.text(stopText(s)))
	}
	m.f("\n")
}

// jsonHosted is the prediction in full.
func jsonHosted(run *planner.HostedRun) map[string]any {
	item := func(i *hosted.Item) map[string]any {
		out := map[string]any{"effect": string(i.Effect), "address": i.Address, "rule": i.Rule, "text": i.Text, "before": jsonAccount(i.Before), "after": jsonAccount(i.After)}
		if i.Code != "" {
			out["code"] = i.Code
		}
		if i.ObjectID != "" {
			out["object_id"], out["kind"] = i.ObjectID, string(i.Kind)
		}
		if len(i.Depends) > 0 {
			out["depends_on"] = i.Depends
		}
		return out
	}
	list := func(items []hosted.Item) []any {
		out := []any{}
		for i := range items {
			out = append(out, item(&items[i]))
		}
		return out
	}
	counts, doubts, stops, risks := map[string]int{}, []any{}, []any{}, []any{}
	for _, i := range run.Items {
		counts[string(i.Effect)]++
	}
	for _, d := range run.Doubts {
		doubts = append(doubts, map[string]any{"fact": string(d.Fact), "text": d.Fact.Text(), "either": list(d.Not), "or": list(d.Instead)})
	}
	for _, s := range run.Stops() {
		stops = append(stops, map[string]any{"address": s.Address, "why": s.Why, "depends_on": orEmptyList(factNames(s.Depends))})
	}
	for _, r := range run.Risks {
		risks = append(risks, map[string]any{"limit": r.Limit, "count": r.Count, "used": r.Used, "allowed": r.Allowed, "addresses": orEmptyList(r.Addresses), "text": r.Text})
	}
	out := map[string]any{
		"unknown": run.Unknown, "fails": run.Fails, "may_fail": run.MayFail, "manual_fails": run.ManualFails, "suspended": run.Suspended,
		"every": run.Every.String(), "counts": counts, "items": list(run.Items), "doubts": doubts, "stops_receiving": stops, "risks": risks,
		"found": orEmptyList(run.Found), "seats": map[string]int{"before": run.SeatsBefore, "after": run.SeatsAfter, "at_most": run.SeatsAtMost},
	}
	if !run.Next.IsZero() {
		out["next"] = stamp(run.Next)
	}
	return out
}

func factNames(facts []hosted.Fact) []string {
	var out []string
	for _, f := range facts {
		out = append(out, string(f))
	}
	return out
}
