package render

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/weir-project/weir/planner/dirsync"
)

// explainColumns are those of a whole tenant's lines.
var explainColumns = []string{"address", "kind", "action", "rule", "mail", "login", "digest", "billed", "why", "tenant", "hosted_run", "source"}

// explainRow is one address in one line.
type explainRow struct {
	address, kind, action, rule, mail, login, digest, billed, why string
	// hosted is what the vendor's next run does, in short; "" without a prediction.
	hosted string
	// source says what decides, and where that stands.
	source string
	alias  bool
}

// rows gives a line for each entry and account under its primary address, in order, and one for each alias that is
// refused while its primary address is not. Lines are made one at a time.
func (x *Explainer) rows(yield func(explainRow) bool) {
	coming := x.coming()
	before := func(name string, all bool) bool {
		for len(coming) > 0 && (all || coming[0].After.Address < name) {
			if !yield(x.blockRow(coming[0])) {
				return false
			}
			coming = coming[1:]
		}
		return true
	}
	for c := range x.trace.All() {
		name := c.Name()
		if !before(name, false) {
			return
		}
		row := x.row(c, name)
		if name == "" && c.Entry != nil {
			row.address = "object " + c.Entry.ObjectID
		}
		if !yield(row) {
			return
		}
		aliases := allAddresses(c)
		slices.Sort(aliases)
		for _, a := range slices.Compact(aliases) {
			if a == "" || a == name {
				continue
			}
			other := x.row(c, a)
			if x.after(a).Receives() || !x.after(name).Receives() {
				continue
			}
			other.alias = true
			other.kind = "alias of " + cmp.Or(name, row.address)
			if registered, _ := x.trace.Registered(domainOf(a)); !registered {
				other.rule, other.why = "R33", "Its domain "+domainOf(a)+" is not registered in Essentials."
			} else if c.Unchanged {
				// What is said of the account does not say why it lacks the alias.
				other.rule, other.why = "", "The account "+name+" does not have it, and this plan leaves that so."
			}
			if !yield(other) {
				return
			}
		}
	}
	before("", true)
}

func domainOf(a string) string { return a[strings.LastIndexByte(a, '@')+1:] }

func (x *Explainer) row(c *dirsync.Case, address string) explainRow {
	now, after := x.fate(x.trace.Now(address), address), x.fate(x.after(address), address)
	if !x.trace.AccountsKnown() {
		now, after = unknownFate(), unknownFate()
	}
	r := explainRow{
		address: address, kind: kindWord(c.Kind()), action: strings.ReplaceAll(c.Word(), "_", " "),
		mail: turn(now.Mail, after.Mail), login: turn(now.Login, after.Login), digest: turn(now.Digest, after.Digest), billed: turn(now.Billed, after.Billed),
	}
	if c.Entry == nil && c.Account != nil {
		r.kind = strings.TrimSpace(typeWord(c.Account.Type) + ", not in the directory")
	}
	r.hosted = x.hosted(c, address).short()
	r.source = x.source(c, address)
	for _, s := range c.Reasons {
		r.why = s.Text
		if s.Rule != "" {
			r.rule = s.Rule
		}
	}
	if n := len(c.Reasons); n > 0 && ownRule(c) {
		r.rule = c.Reasons[n-1].Rule
	}
	if c.Decision != nil && c.Decision.Held != "" {
		r.action = "held: " + string(c.Decision.Action)
	}
	return r
}

// ownRule: what decided is a rule of the policy's author or of Weir, which has no number; the rules before it, such as the
// one by which its domain is registered, were passed and did not decide.
func ownRule(c *dirsync.Case) bool {
	switch dirsync.SkipCode(c.Word()) {
	case dirsync.SkipNotIncluded, dirsync.SkipPredicate, dirsync.SkipCollision, dirsync.SkipDrift, dirsync.SkipIncomplete:
		return true
	}
	return false
}

// turn is a word now and after the next apply.
func turn(now, after string) string {
	if now == after {
		return now
	}
	return now + " -> " + after
}

// ExplainCSV writes a whole tenant, one line an address, for a spreadsheet. heading writes the names of the columns
// first.
func ExplainCSV(w io.Writer, x *Explainer, heading bool) error {
	c := newCSV(w)
	if heading {
		c.row(explainColumns...)
	}
	for r := range x.rows {
		c.row(r.address, r.kind, r.action, r.rule, r.mail, r.login, r.digest, r.billed, r.why, x.q.Tenant.Key, r.hosted, r.source)
	}
	return c.done()
}

// maxAddressColumn is how wide a table's addresses get.
const maxAddressColumn = 44

// ExplainAll writes a whole tenant as a table for a terminal, one line an address.
func ExplainAll(w io.Writer, x *Explainer, o Options) error {
	p := newPrinter(w, o)
	title, detail := headline(x.q.Tenant)
	p.heading(title, detail)
	for _, s := range x.problems() {
		p.prose(red, "  ", "In doubt: "+s)
	}
	if x.q.Held != "" {
		p.prose(yellow, "  ", x.q.Held)
	}
	for _, s := range x.q.Errors {
		line, _, _ := strings.Cut(s, "\n")
		p.prose(red, "  ", "Nothing of this tenant is applied until this is mended: "+line)
	}
	p.blank()
	// Two passes, so that columns fit and no list of lines is kept.
	heads := []string{"address", "kind", "action", "mail", "login", "billed", "rule"}
	if x.foresight != nil {
		heads = append(heads, "hosted run")
	}
	widths := make([]int, len(heads))
	for i, head := range heads {
		widths[i] = len(head)
	}
	cells := func(r explainRow) []string {
		all := []string{SafeText(r.address), SafeText(r.kind), SafeText(r.action), SafeText(r.mail), SafeText(r.login), SafeText(r.billed), r.rule, SafeText(r.hosted)}
		return all[:len(heads)]
	}
	lines, counts := 0, map[string]int{}
	for r := range x.rows {
		if !r.alias {
			lines++
			counts[r.action]++
		}
		for i, cell := range cells(r) {
			widths[i] = min(max(widths[i], width(cell)), maxAddressColumn)
		}
	}
	write := func(code string, list []string, why string) {
		var b strings.Builder
		for i, cell := range list {
			b.WriteString("  " + pad(cell, widths[i]))
		}
		if room := p.o.Width - width(b.String()) - 2; room >= 20 {
			why = cut(why, room)
		}
		p.line(p.style(code, b.String()+"  "+why))
	}
	write(dim, heads, "why")
	for r := range x.rows {
		code := ""
		switch {
		case r.action == "unchanged":
			code = dim
		case strings.HasPrefix(r.action, "held"), strings.Contains(r.mail, "-> no"):
			code = yellow
		}
		write(code, cells(r), SafeText(r.why))
	}
	p.blank()
	words := make([]string, 0, len(counts))
	for action := range counts {
		words = append(words, action)
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b)) })
	for i, action := range words {
		words[i] = fmt.Sprintf("%d %s", counts[action], SafeText(action))
	}
	p.prose(bold, "  ", plural(lines, "address", "addresses")+": "+strings.Join(words, ", ")+".")
	return p.done()
}

// ExplainAllJSON writes a whole tenant as JSON lines, each what ExplainJSON says of one address, without what would change
// it.
func ExplainAllJSON(w io.Writer, x *Explainer) error {
	b := bufio.NewWriterSize(w, 1<<16)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	coming := x.coming()
	for c := range x.trace.All() {
		for len(coming) > 0 && coming[0].After.Address < c.Name() {
			if err := enc.Encode(x.about(nil, coming[0].After.Address)); err != nil {
				return err
			}
			coming = coming[1:]
		}
		if err := enc.Encode(x.about(c, c.Name())); err != nil {
			return err
		}
	}
	for _, b := range coming {
		if err := enc.Encode(x.about(nil, b.After.Address)); err != nil {
			return err
		}
	}
	return b.Flush()
}
