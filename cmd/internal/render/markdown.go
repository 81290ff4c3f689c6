package render

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/resource"
)

// maxMarkdown is how much Markdown is written before the details of further tenants are left out: a comment of a pull
// request holds 65,536 characters.
const maxMarkdown = 58_000

// markdown escapes and writes. Foreign text is either in a code span or fence, where Markdown has no meaning, or has
// every character escaped that could start markup, a link, a mention or a reference.
type markdown struct {
	bytes.Buffer
	names bool
}

func (m *markdown) f(format string, args ...any) { fmt.Fprintf(&m.Buffer, format, args...) }

// hide shortens mail addresses, unless names are wanted.
func (m *markdown) hide(s string) string {
	if m.names {
		return s
	}
	return pseudonym(s)
}

// text is foreign text as prose, for a table cell or a list item.
func (m *markdown) text(s string) string { return escapeMarkdown(SafeText(m.hide(s))) }

// escapeMarkdown escapes one safe line. A zero-width space behind the characters that start mentions and references of
// the usual hosts keeps those from being found in the text afterwards.
func escapeMarkdown(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case strings.ContainsRune("\\`*_[]<>|~&!$#^", r) || r == ':' && strings.HasPrefix(s[i:], ":/"):
			b.WriteByte('\\')
			b.WriteRune(r)
			if strings.ContainsRune("#!$&~", r) {
				b.WriteRune('\u200b')
			}
		case r == '=' && (i == 0 || s[i-1] == '=' || strings.HasPrefix(s[i+1:], "=")): // one alone between words starts nothing
			b.WriteString(`\=`)
		case r == '@' || r == '%':
			b.WriteRune(r)
			b.WriteRune('\u200b')
		case r == '.' && i >= 3 && strings.EqualFold(s[i-3:i], "www"):
			b.WriteString(`\.`)
		case i == 0 && strings.ContainsRune("-+", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case (r == '.' || r == ')') && strings.Trim(s[:i], "0123456789") == "":
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// code is foreign text as a code span for a table cell. A pipe is escaped as tables want it; behind a backslash, where
// that cannot be done, it becomes a broken bar.
func (m *markdown) code(s string) string {
	s = SafeText(m.hide(s))
	if s == "" {
		return ""
	}
	s = strings.ReplaceAll(s, `\|`, `\¦`)
	s = strings.ReplaceAll(s, "|", `\|`)
	fence := strings.Repeat("`", longestRun(s, '`')+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") || strings.HasPrefix(s, " ") && strings.HasSuffix(s, " ") {
		s = " " + s + " "
	}
	return fence + s + fence
}

// summary is foreign text inside an HTML element.
func (m *markdown) summary(s string) string {
	s = html.EscapeString(SafeText(m.hide(s)))
	for _, mark := range []string{"@", "#", "!", "$", "~", "%"} {
		s = strings.ReplaceAll(s, mark, mark+"\u200b")
	}
	return strings.ReplaceAll(s, "&#\u200b", "&#") // the escapes' own number sign
}

// fenced is text of several lines, as code.
func (m *markdown) fenced(s string) {
	lines := safeLines(m.hide(s))
	longest := 2
	for _, l := range lines {
		longest = max(longest, longestRun(l, '`'))
	}
	fence := strings.Repeat("`", longest+1)
	m.f("%s\n%s\n%s\n", fence, strings.Join(lines, "\n"), fence)
}

// entry is a sentence as an item of a list. What stands behind an empty line, such as a block to paste, is code.
func (m *markdown) entry(s string) {
	lines := safeLines(s)
	n := slices.Index(lines, "")
	if n < 0 {
		n = len(lines)
	}
	m.f("- %s\n", m.text(strings.Join(lines[:n], " ")))
	if n == len(lines) {
		return
	}
	var block markdown
	block.names = m.names
	block.fenced(strings.Join(lines[n+1:], "\n"))
	for line := range strings.Lines(block.String()) {
		m.f("  %s", line)
	}
}

func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := 0; i < len(s); i++ {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// Markdown shows a plan to the reviewer of a pull request: the verdict first, a table of the tenants, what stops
// receiving and what is held in full, everything else to unfold. People's mail addresses are shortened unless
// Options.Names is set.
func Markdown(w io.Writer, p *planner.Plan, o Options) error {
	v := newView(p)
	m := &markdown{names: o.Names}
	m.f("### Weir plan: %s\n\n", verdict(v))
	if simulated(p) {
		m.f("**Simulated: no real tenant is read or changed.**\n\n")
	}
	if p.Destroy {
		m.f("**This plan takes down what Weir made.**\n\n")
	}
	m.selection(p)
	if v.NoChanges {
		m.f("%s\n\n", textNoChanges)
	} else {
		m.f("%s%s.\n\n", counts(v.Total, v.Outputs), ofThese(v.LeftOut))
	}
	m.tenantTable(v)
	for _, t := range v.Tenants {
		m.leftOut(t, o.Approved.text())
		m.urgent(t)
	}
	left := 0
	for _, t := range v.Tenants {
		if t.Clean && t.Hosted.quiet() {
			continue
		}
		part := &markdown{names: o.Names}
		part.details(t)
		if m.Len()+part.Len() > maxMarkdown && left+m.Len() > 0 {
			left++
			continue
		}
		_, _ = m.Write(part.Bytes())
	}
	if left > 0 {
		m.f("The details of %s are left out here; `weir show` prints the whole plan.\n\n", plural(left, "further tenant", "further tenants"))
	}
	m.footer(p)
	_, err := w.Write(m.Bytes())
	return err
}

// verdict is what a reviewer has to know first.
func verdict(v *view) string {
	stops := 0
	for _, t := range v.Tenants {
		stops += len(t.Stops)
	}
	var parts []string
	if stops > 0 {
		parts = append(parts, "**"+plural(stops, "address stops", "addresses stop")+" receiving mail**")
	}
	parts = append(parts, v.hostedStops()...)
	if n := v.Total.Destroy; n > 0 {
		parts = append(parts, plural(n, "object is", "objects are")+" destroyed or replaced")
	}
	if n := v.Total.Held + v.Total.AccountsHeld; n > 0 {
		parts = append(parts, fmt.Sprintf("%d held by guards", n))
	}
	if n := v.over(); n > 0 {
		parts = append(parts, plural(n, "tenant needs", "tenants need")+" more seats than licences")
	}
	if v.Errored > 0 {
		parts = append(parts, plural(v.Errored, "tenant", "tenants")+" could not be planned")
	}
	if v.Unreadable > 0 {
		parts = append(parts, plural(v.Unreadable, "tenant", "tenants")+" could not be read in full")
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, ", ")
	case v.NoChanges:
		return "no changes"
	}
	return "nothing stops receiving, nothing is destroyed, nothing is held"
}

func (m *markdown) selection(p *planner.Plan) {
	for _, l := range []struct {
		word string
		list []string
	}{{"Tenants", p.Tenants}, {"Only", p.Targets}, {"All but", p.Excludes}} {
		if len(l.list) == 0 {
			continue
		}
		var parts []string
		for _, s := range l.list {
			parts = append(parts, m.code(s))
		}
		m.f("%s: %s\n\n", l.word, strings.Join(parts, ", "))
	}
}

func (m *markdown) tenantTable(v *view) {
	if len(v.Tenants) > 0 {
		m.f("| tenant | add | change | destroy | adopt | accounts | stops receiving | held | seats | |\n|---|--:|--:|--:|--:|---|--:|--:|---|---|\n")
	}
	for _, t := range v.Tenants {
		s := t.Summary
		title, _ := headline(t.Part.Tenant)
		seats := seatsCell(t)
		m.f("| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", m.text(title), cell(s.Add), cell(s.Change), cell(s.Destroy), cell(s.Adopt),
			accountCounts(s), cell(len(t.Stops)), cell(s.Held+s.AccountsHeld), seats, statusText(t))
	}
	if len(v.Tenants) > 0 {
		m.f("\n")
	}
	if v.Quiet > 0 {
		m.f("%s no changes.\n\n", plural(v.Quiet, "further tenant has", "further tenants have"))
	}
}

func cell(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func accountCounts(s planner.Summary) string {
	var parts []string
	for _, g := range groupTitles {
		if n := s.Accounts[g.action]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, g.action))
		}
	}
	return strings.Join(parts, ", ")
}

// statusText is a tenant's state in one or two words.
func statusText(t *tenantView) string {
	switch {
	case t.Part.Status == planner.Errored:
		return "could not be planned"
	case !t.Part.Readable():
		return "not read in full"
	case t.Clean:
		return "no changes"
	case t.Part.Removed:
		return "no longer configured"
	case t.Part.Status == planner.Held:
		return "held in part"
	case len(t.Drift) > 0:
		return "changed outside"
	}
	return ""
}

// urgent shows in full, never folded, what a reviewer must not miss.
func (m *markdown) urgent(t *tenantView) {
	title, _ := headline(t.Part.Tenant)
	if len(t.Stops) > 0 {
		m.f("#### Stops receiving: %s\n\n| address | why |\n|---|---|\n", m.text(title))
		for _, s := range t.Stops {
			m.f("| %s | %s |\n", m.code(s.Address), m.text(s.Why))
		}
		m.f("\n")
	}
	m.hostedUrgent(t)
	for _, list := range []struct {
		word  string
		texts []string
	}{{"Could not be planned", t.Errors}, {"Could not be read", t.Problems}} {
		if len(list.texts) == 0 {
			continue
		}
		m.f("#### %s: %s\n\n", list.word, m.text(title))
		for _, text := range list.texts {
			m.entry(text)
		}
		m.f("\n")
	}
	if incomplete := !readCompletely(t.Proofs); incomplete {
		m.f("#### Read incompletely: %s\n\n", m.text(title))
		m.proofs(t)
	}
	if t.Forecast.bad() {
		m.f("#### Forecast: %s\n\n", m.text(title))
		m.forecast(t.Forecast)
	}
	for _, g := range t.Guards {
		m.f("#### Held by a guard: %s: %s\n\n%s\n\n", m.text(title), m.text(g.Name), m.text(strings.Join(safeLines(g.Text), " ")))
		if g.Cure != "" {
			m.f("What to write or type, if that is what is wanted:\n\n")
			m.fenced(g.Cure)
			m.f("\n")
		}
	}
	for _, u := range t.Undecided {
		m.f("#### A person must decide: %s: %s\n\n", m.text(title), m.code(u.Address))
		for _, r := range u.Reasons {
			m.f("- %s\n", m.text(reasonText(r)))
		}
		m.f("\n")
		for _, b := range u.Blocks {
			m.fenced(b)
			m.f("\n")
		}
	}
}

func (m *markdown) details(t *tenantView) {
	title, detail := headline(t.Part.Tenant)
	name := title
	if len(detail) > 0 {
		name += " (" + strings.Join(detail, ", ") + ")"
	}
	if len(t.Changes)+len(t.Groups)+len(t.Drift)+len(t.Outputs)+len(t.Waits)+len(t.Notes)+t.Linked+t.SkipTotal == 0 && t.Hosted.quiet() {
		return
	}
	m.f("<details><summary>%s: %s</summary>\n\n", m.summary(name), m.summary(counts(t.Summary, len(t.Outputs))))
	if len(t.Drift) > 0 {
		m.f("**Changed outside since the last apply**\n\n")
		m.items(t.Drift, "Weir left", "found")
	}
	if len(t.Changes) > 0 {
		m.f("**Changes**\n\n")
		m.items(t.Changes, "now", "planned")
	}
	for i := range t.Groups {
		m.group(&t.Groups[i])
	}
	if t.Linked > 0 {
		m.f("%s and come under management; nothing is written to %s.\n\n", plural(t.Linked, "existing account is recognised", "existing accounts are recognised"), they(t.Linked))
	}
	if t.SkipTotal > 0 {
		var parts []string
		for _, s := range t.Skipped {
			parts = append(parts, fmt.Sprintf("%d %s", s.Count, m.text(s.Text)))
		}
		m.f("Left alone: %s.\n\n", strings.Join(parts, ", "))
	}
	if n := len(t.Strays); n > 0 {
		m.f("%s\n\n", strayText(n))
	}
	m.hosted(t.Hosted)
	if len(t.Outputs) > 0 {
		m.f("**Outputs**\n\n| output | now | planned |\n|---|---|---|\n")
		for _, r := range t.Outputs {
			old, now := m.values(&r)
			m.f("| %s | %s | %s |\n", m.code(r.Path), old, now)
		}
		m.f("\n")
	}
	if len(t.Waits) > 0 {
		m.f("**Waiting** (no change now)\n\n")
		for i, wait := range t.Waits {
			if i == maxAccounts {
				m.f("- … and %d more\n", len(t.Waits)-i)
				break
			}
			m.f("- %s: %s\n", m.code(wait.Address), m.text(wait.Text))
		}
		m.f("\n")
	}
	if len(t.Notes) > 0 {
		m.f("**Notes**\n\n")
		for _, n := range t.Notes {
			m.entry(n)
		}
		m.f("\n")
	}
	if t.Forecast != nil && !t.Forecast.bad() {
		m.f("**Forecast**\n\n")
		m.forecast(t.Forecast)
	}
	if len(t.Proofs) > 0 && readCompletely(t.Proofs) {
		m.f("**Read**\n\n")
		m.proofs(t)
	}
	m.f("</details>\n\n")
}

func (m *markdown) items(list []item, old, now string) {
	m.f("| | object | attribute | %s | %s | because |\n|---|---|---|---|---|---|\n", old, now)
	for i := range list {
		it := &list[i]
		object := m.code(it.Address)
		if it.Name != "" {
			object += " " + m.text(it.Name)
		}
		why := append([]string{}, it.Because...)
		if it.Held != "" {
			why = append([]string{"HELD: " + it.Held}, why...)
		}
		if it.LeftOut != "" {
			why = append([]string{it.LeftOut}, why...)
		}
		if it.Skipped != "" {
			why = append([]string{"not applied, waits for " + it.Skipped}, why...)
		}
		if it.From != "" {
			why = append(why, "moved from "+it.From)
		}
		reason := m.text(strings.Join(why, "; "))
		m.itemRows("`"+it.Symbol+"`", object, it.Rows, reason, it.Word)
	}
	m.f("\n")
}

// itemRows writes a table row an attribute; symbol, object and reason stand in the first.
func (m *markdown) itemRows(symbol, object string, rows []row, reason, word string) {
	if len(rows) == 0 {
		m.f("| %s | %s | | | %s | %s |\n", symbol, object, m.text(word), reason)
		return
	}
	for i, r := range rows {
		if i > 0 {
			symbol, object, reason = "", "", ""
		}
		label := m.code(r.Path)
		if r.Label != "" {
			label += " (" + m.text(r.Label) + ")"
		}
		for _, mark := range r.Marks {
			label += ", " + m.text(mark)
		}
		old, now := m.values(&r)
		m.f("| %s | %s | %s | %s | %s | %s |\n", symbol, object, label, old, now, reason)
	}
}

// values are the two value cells of a row.
func (m *markdown) values(r *row) (old, now string) {
	if !m.names && personal(r.Path) {
		return m.text("(name)"), m.text("(name)")
	}
	if len(r.Added)+len(r.Removed) == 0 {
		return m.code(r.Old), m.code(r.New)
	}
	list := func(symbol string, elements []string) string {
		var parts []string
		for _, e := range elements {
			parts = append(parts, symbol+" "+m.code(e))
		}
		return strings.Join(parts, "<br>")
	}
	now = list("+", r.Added)
	if r.More > 0 {
		now += fmt.Sprintf("<br>… and %d more", r.More)
	}
	return list("−", r.Removed), now
}

// personal reports whether an attribute holds a person's name.
func personal(path string) bool {
	last := path[strings.LastIndexByte(path, '.')+1:]
	return last == "first_name" || last == "surname"
}

func (m *markdown) group(g *group) {
	held := ""
	if g.Held > 0 {
		held = fmt.Sprintf(", %d held", g.Held)
	}
	m.f("**%s: %d%s**", g.Title, len(g.Accounts), held)
	if len(g.Because) > 0 {
		m.f(" %s: %s", g.becauseWord(), m.text(strings.Join(g.Because, "; ")))
	}
	m.f("\n\n| | account | attribute | now | planned | because |\n|---|---|---|---|---|---|\n")
	// With shortened addresses many lines are equal; they are counted.
	var lines []string
	times := map[string]int{}
	for i := range g.Accounts {
		line := m.account(&g.Accounts[i], "\x00")
		if times[line] == 0 {
			lines = append(lines, line)
		}
		times[line]++
	}
	rest := len(g.Accounts)
	for i, line := range lines {
		if i == maxAccounts && len(lines) > maxAccounts+1 {
			m.f("| | … and %d more | | | | |\n", rest)
			break
		}
		rest -= times[line]
		count := ""
		if n := times[line]; n > 1 {
			count = fmt.Sprintf(" ×%d", n)
		}
		m.f("%s", strings.Replace(line, "\x00", count, 1))
	}
	m.f("\n")
}

// account is an account's table rows; mark stands behind its address.
func (m *markdown) account(a *accountItem, mark string) string {
	about := m.code(a.Address)
	if m.names && a.Name != "" {
		about += " " + m.text(a.Name)
	}
	why := strings.Join(a.Because, "; ")
	if a.Held != "" {
		why = strings.TrimSuffix("HELD: "+a.Held+"; "+why, "; ")
	}
	if a.LeftOut != "" {
		why = strings.TrimSuffix(a.LeftOut+"; "+why, "; ")
	}
	rows := markdown{names: m.names}
	rows.itemRows("`"+a.Symbol+"`", about+mark, a.Rows, m.text(why), a.Kind)
	return rows.String()
}

func (m *markdown) footer(p *planner.Plan) {
	m.f("---\n\nPlan %s, made %s UTC by Weir %s.", m.code(p.ID), p.Created.UTC().Format("2006-01-02 15:04"), m.text(p.Version))
	if !m.names {
		m.f(" People's addresses are shortened, in blocks to paste too; `--names` shows them.")
	}
	m.f("\n")
}

// DriftMarkdown shows in a pull request or an issue what somebody changed outside; see [DriftText].
func DriftMarkdown(w io.Writer, p *planner.Plan, o Options) error {
	m := &markdown{names: o.Names}
	var found, unread, configuration, directory int
	var rows, problems, late markdown
	rows.names, problems.names, late.names = o.Names, o.Names, o.Names
	for _, part := range p.Parts {
		d := newDriftView(part)
		found += len(d.items)
		configuration += d.configuration
		directory += d.directory
		for i := range d.items {
			rows.driftRows(part, &d.items[i], o)
		}
		if part.Late != "" {
			late.f("- %s: %s\n", late.text(tenantName(part.Tenant)), late.text(strings.Join(safeLines(part.Late), " ")))
		}
		if len(part.Errors)+len(part.Problems) > 0 {
			unread++
		}
		for _, text := range append(append([]string{}, part.Errors...), part.Problems...) {
			problems.f("- %s: %s\n", problems.text(tenantName(part.Tenant)), problems.text(strings.Join(safeLines(text), " ")))
		}
	}
	switch {
	case found > 0:
		m.f("### Weir drift: **%s changed outside**\n\n", plural(found, "object was", "objects were"))
		m.f("| | tenant | object | attribute | Weir left | found | to put it back |\n|---|---|---|---|---|---|---|\n%s\n", rows.String())
	case unread > 0:
		m.f("### Weir drift: none was seen in what could be read\n\n")
	default:
		m.f("### Weir drift: none\n\nNobody changed outside what Weir manages.\n\n")
	}
	if text := late.String(); text != "" {
		m.f("#### The sync is not running\n\n%s\n", text)
	}
	if unread > 0 {
		m.f("#### Could not be read, so drift there is unknown\n\n%s\n", problems.String())
	}
	d := driftView{configuration: configuration, directory: directory}
	if text := d.pending(); text != "" {
		m.f("Not drift: %s.\n\n", text)
	}
	m.footer(p)
	_, err := w.Write(m.Bytes())
	return err
}

func (m *markdown) driftRows(part *planner.Part, it *item, o Options) {
	symbol, tenant, object, command := "`"+it.Symbol+"`", m.text(tenantName(part.Tenant)), m.code(it.Address), m.code(repair(part, it.Address, o))
	if len(it.Rows) == 0 {
		m.f("| %s | %s | %s | | | %s | %s |\n", symbol, tenant, object, m.text(it.Word), command)
	}
	for i := range it.Rows {
		if i > 0 {
			symbol, tenant, object, command = "", "", "", ""
		}
		old, now := m.values(&it.Rows[i])
		m.f("| %s | %s | %s | %s | %s | %s | %s |\n", symbol, tenant, object, m.code(it.Rows[i].Path), old, now, command)
	}
}

func tenantName(id resource.Identity) string {
	title, _ := headline(id)
	return title
}
