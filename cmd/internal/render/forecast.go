package render

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
)

// forecastView is a part's forecast as people see it.
type forecastView struct {
	// Seats is one cell of a table of tenants: "118 → 143 of 125".
	Seats string
	// Lines are what to read, each under a title. Quiet is all of it in one line, for a part without changes.
	Lines []forecastLine
	Quiet string
	// Over: the plan needs more seats than there are licences. Purchases: Weir does not buy what the configuration says.
	Over, Purchases bool
}

// forecastLine is one aspect of a forecast.
type forecastLine struct {
	Title, Text string
	// More are further sentences.
	More []string
	// Bad lines say that something costs money, or that mail is refused.
	Bad bool
	// Refused are reasons with examples, for recipients.
	Refused []refusedView
}

// refusedView is one reason why addresses are refused.
type refusedView struct {
	Count     int
	Text      string
	Addresses []string
	// More addresses are not listed.
	More int
}

// refusedTexts say why an address is refused, where that is no skip of the policy.
var refusedTexts = map[string]string{
	planner.RefusedInactive:  "whose account is disabled",
	planner.RefusedNoAlias:   "that their account does not have as alias",
	planner.RefusedHeld:      "whose account is held by a guard",
	planner.RefusedNoAccount: "without an account",
	planner.RefusedNoPolicy:  "without a sync policy",
}

// forecastOf is the part's forecast; of a plan that was saved without one, what its accounts tell.
func forecastOf(part *planner.Part) *planner.Forecast {
	switch a := part.Accounts; {
	case part.Forecast != nil:
		return part.Forecast
	case a == nil:
		return nil
	default:
		return &planner.Forecast{Licences: planner.Licences{Before: a.Seats.Before, After: a.Seats.After, Bought: -1, Buying: -1}, Stops: a.StopsReceiving}
	}
}

func newForecastView(f *planner.Forecast) *forecastView {
	if f == nil {
		return nil
	}
	v := &forecastView{Over: f.Licences.Over() > 0, Purchases: len(f.Licences.Purchases) > 0}
	v.seats(&f.Licences)
	v.recipients(f.Recipients)
	if len(f.Admins) > 0 {
		var list []string
		for _, a := range f.Admins {
			list = append(list, a.Address+" "+a.What)
		}
		v.Lines = append(v.Lines, forecastLine{Title: "Administrators", Text: strings.Join(list, "; ") + ".", Bad: true})
	}
	if n := len(f.AliasesLost); n > 0 {
		v.Lines = append(v.Lines, forecastLine{Title: "Aliases lost", Text: plural(n, "address of an account that stays", "addresses of accounts that stay") + " (listed under Stops receiving)."})
	}
	return v
}

// bad reports whether the forecast has something that a reviewer must not miss.
func (v *forecastView) bad() bool {
	return v != nil && slices.ContainsFunc(v.Lines, func(l forecastLine) bool { return l.Bad })
}

// over counts tenants that need more seats than they have licences.
func (v *view) over() int {
	n := 0
	for _, t := range v.Tenants {
		if t.Forecast != nil && t.Forecast.Over {
			n++
		}
	}
	return n
}

func (v *forecastView) seats(l *planner.Licences) {
	if l.Unknown != "" {
		v.Lines = append(v.Lines, forecastLine{Title: "Seats", Text: "unknown, because " + l.Unknown + ".", Bad: true})
		v.Quiet, v.Seats = "seats in use unknown", "unknown"
		return
	}
	if l.Before+l.After+l.Buying > 0 {
		v.Seats = fmt.Sprintf("%d → %d", l.Before, l.After)
	}
	text := thousands(l.After)
	if l.Before != l.After {
		text = fmt.Sprintf("%s → %s (%+d)", thousands(l.Before), thousands(l.After), l.After-l.Before)
	}
	line := forecastLine{Title: "Seats", Bad: v.Over}
	switch {
	case l.Buying < 0:
		text += " in use"
	case v.Over:
		v.Seats += " of " + thousands(l.Buying)
		text += fmt.Sprintf(" in use, %s more than the %s", thousands(l.Over()), plural(l.Buying, "licence", "licences"))
	default:
		v.Seats += " of " + thousands(l.Buying)
		text += " of " + plural(l.Buying, "licence", "licences") + " in use"
	}
	v.Quiet, line.Text = text, text+"."
	if l.Bought >= 0 && l.Bought != l.Buying {
		line.More = append(line.More, fmt.Sprintf("The plan changes the licences from %s to %s: a purchase.", thousands(l.Bought), thousands(l.Buying)))
	}
	if n := l.Refused(); n > 0 {
		line.More = append(line.More, fmt.Sprintf("With user capping on, Essentials refuses %s of the additions; without it, the seats are billed.", thousands(n)))
	}
	if l.Counted != 0 && l.Counted != l.Before {
		line.More = append(line.More, fmt.Sprintf("Essentials itself counts %s today and bills by that.", thousands(l.Counted)))
	}
	for _, s := range l.Purchases {
		line.More = append(line.More, upper(s)+".")
	}
	v.Lines = append(v.Lines, line)
}

func (v *forecastView) recipients(r *planner.Recipients) {
	switch {
	case r == nil:
		return
	case r.Unknown != "":
		v.Lines = append(v.Lines, forecastLine{Title: "Recipients", Text: "unknown, because " + r.Unknown + ".", Bad: true})
		v.Quiet += "; recipients unknown"
		return
	}
	share := func(a planner.Accepted) string {
		n := a.Accepted + a.Refused
		if a.Refused == 0 {
			return "all " + thousands(n)
		}
		return thousands(a.Accepted) + " of " + thousands(n)
	}
	text := share(r.After) + " addresses of the directory accepted"
	switch {
	case r.After.Accepted+r.After.Refused == 0 && r.Before.Accepted > 0:
		text = "no address of the directory is on a relayed domain any more; today " + share(r.Before) + " are accepted"
	case r.After.Accepted+r.After.Refused == 0:
		text = "no address of the directory is on a relayed domain"
	case r.Before == r.After:
	case r.Before.Accepted+r.Before.Refused == 0:
		text += "; today no domain is relayed"
	default:
		text += "; today " + share(r.Before)
	}
	v.Quiet += "; " + text
	line := forecastLine{Title: "Recipients", Text: text + "."}
	fresh := 0
	for _, n := range r.Refused {
		fresh += n.New
		line.Refused = append(line.Refused, newRefusedView(n))
	}
	if fresh > 0 {
		line.Bad = true
		line.More = append(line.More, plural(fresh, "address gets mail today and is refused", "addresses get mail today and are refused")+" once the MX records of a domain that the plan begins to relay point here.")
	}
	v.Lines = append(v.Lines, line)
}

func newRefusedView(r planner.Refusal) refusedView {
	text := refusedTexts[r.Code]
	if text == "" {
		text = skipText(dirsync.SkipCode(r.Code), r.Count)
	}
	return refusedView{Count: r.Count, Text: text, Addresses: r.Addresses, More: r.Count - len(r.Addresses)}
}

// some are the first addresses, for a form that folds.
func (r *refusedView) some(n int) (list []string, more int) {
	list = r.Addresses[:min(n, len(r.Addresses))]
	return list, r.Count - len(list)
}

// skipText says why entries are left alone; the count stands before it.
func skipText(code dirsync.SkipCode, n int) string {
	if one := skipOne[code]; n == 1 && one != "" {
		return one
	}
	if text := skipTexts[code]; text != "" {
		return text
	}
	return strings.ReplaceAll(string(code), "_", " ")
}

// thousands is a number with a comma between groups of three digits.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func pickIf(yes bool, then, otherwise string) string {
	if yes {
		return then
	}
	return otherwise
}

func upper(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// quiet reports whether one line says enough of a part without changes.
func (v *forecastView) quiet() bool { return !v.Over && !v.Purchases }

// forecast writes the forecast of a part that changes something, or whose seats are worth a word anyway.
func (p *printer) forecast(v *forecastView, clean bool) {
	if v == nil || len(v.Lines) == 0 || clean && v.quiet() {
		return
	}
	p.section("", "Forecast", pickIf(clean, "as it is", "when all of this is applied"))
	for _, l := range v.Lines {
		code := ""
		if l.Bad {
			code = yellow
		}
		p.prose(code, "    "+pad(l.Title, 16), l.Text)
		for _, s := range l.More {
			p.prose(code, "    "+pad("", 16), s)
		}
		for i := range l.Refused {
			r := &l.Refused[i]
			list, more := r.some(maxAccounts)
			text := fmt.Sprintf("refused: %s %s: %s", thousands(r.Count), r.Text, strings.Join(list, ", "))
			if more > 0 {
				text += fmt.Sprintf(" and %s more", thousands(more))
			}
			p.prose(dim, "    "+pad("", 16), text)
		}
	}
	p.blank()
}

// forecast writes the forecast as a list.
func (m *markdown) forecast(v *forecastView) {
	for _, l := range v.Lines {
		m.f("- %s: %s\n", l.Title, m.text(l.Text))
		for _, s := range l.More {
			m.f("  - %s\n", m.text(s))
		}
		for i := range l.Refused {
			r := &l.Refused[i]
			m.f("  - refused: %s %s", thousands(r.Count), m.text(r.Text))
			if m.names { // shortened, they would all look alike
				list, more := r.some(maxAccounts)
				for i, a := range list {
					m.f("%s%s", pick(i+1, ": ", ", "), m.code(a))
				}
				if more > 0 {
					m.f(" and %s more", thousands(more))
				}
			}
			m.f("\n")
		}
	}
	m.f("\n")
}

// jsonForecast is the forecast for machines.
func jsonForecast(f *planner.Forecast) map[string]any {
	l := &f.Licences
	licences := map[string]any{"purchases": orEmptyList(l.Purchases), "over": l.Over()}
	if l.Unknown != "" {
		licences["unknown"] = l.Unknown
	} else {
		licences["before"], licences["after"] = l.Before, l.After
	}
	for name, n := range map[string]int{"bought_before": l.Bought, "bought_after": l.Buying} {
		if n >= 0 {
			licences[name] = n
		}
	}
	if l.Counted > 0 {
		licences["counted_by_vendor"] = l.Counted
	}
	stops, admins, lost := []any{}, []any{}, []any{}
	for _, s := range f.Stops {
		stops = append(stops, map[string]any{"address": s.Address, "why": s.Why})
	}
	for _, a := range f.Admins {
		admins = append(admins, map[string]any{"address": a.Address, "what": a.What})
	}
	for _, a := range f.AliasesLost {
		lost = append(lost, map[string]any{"account": a.Account, "alias": a.Alias})
	}
	out := map[string]any{"licences": licences, "stops_receiving": stops, "administrators": admins, "aliases_lost": lost}
	if r := f.Recipients; r != nil {
		recipients := map[string]any{}
		if r.Unknown != "" {
			recipients["unknown"] = r.Unknown
		} else {
			refused := []any{}
			for _, n := range r.Refused {
				refused = append(refused, map[string]any{"code": n.Code, "count": n.Count, "receive_today": n.New, "addresses": orEmptyList(n.Addresses)})
			}
			counts := func(a planner.Accepted) map[string]int {
				return map[string]int{"accepted": a.Accepted, "refused": a.Refused}
			}
			recipients["before"], recipients["after"] = counts(r.Before), counts(r.After)
			recipients["on_other_domains"], recipients["refused"] = r.Elsewhere, refused
		}
		out["recipients"] = recipients
	}
	return out
}
