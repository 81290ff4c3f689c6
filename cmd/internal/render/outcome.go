package render

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/weir-project/weir/planner/apply"
	"github.com/weir-project/weir/providers/resource"
)

// Outcome is one tenant's fate in an apply or destroy.
type Outcome struct {
	Tenant resource.Identity
	// Code is the exit code that the tenant alone would end with.
	Code int
	// Error says why the tenant was not, or not wholly, applied; "" when nothing stopped it.
	Error string
	// Report is what was done; nil when nothing was begun.
	Report *apply.Report
}

// result is the exit code in words.
func (o *Outcome) result() string {
	switch o.Code {
	case 0:
		if o.Report == nil || o.Report.Total() == 0 {
			return "nothing to do"
		}
		return "applied"
	case 4:
		return "held by a guard"
	case 5:
		return "another run holds it"
	case 6:
		return "applied in part"
	case 7:
		return "could not be read"
	case 8:
		return "state storage could not be reached"
	}
	return "error"
}

// next is what a person does about it; goOn takes up what was not done.
func (o *Outcome) next(goOn string) string {
	r := o.report()
	switch {
	case o.Code == 0:
		return ""
	case o.Code == 5:
		return "wait, or pass --lock-timeout 10m"
	case o.Code == 8:
		return "once state storage answers, weir apply"
	case len(r.Changed) > 0:
		return "plan again: facts changed since the review"
	case len(r.Failed) > 0 || len(r.Skipped) > 0 || o.Error != "":
		return "repair what is named below, then " + goOn
	case len(r.NotReviewed) > 0:
		return "weir plan shows what is new; then weir apply"
	case o.Code == 4:
		return "weir plan prints what lets it pass"
	case o.Code == 7 || o.Code == 6:
		return "weir plan says what could not be read"
	}
	return "weir plan"
}

func (o *Outcome) report() *apply.Report {
	if o.Report == nil {
		return &apply.Report{}
	}
	return o.Report
}

func (o *Outcome) name() string {
	if o.Tenant.Key == "" {
		return "root module"
	}
	return o.Tenant.Key
}

// appliedWords are the numbers of a report in words, in a fixed order.
func appliedWords(applied map[string]int) string {
	order := []string{"create", "add", "update", "rename", "convert", "protect", "enable", "disable", "replace", "adopt", "move", "release", "delete"}
	done := map[string]bool{}
	var parts []string
	for _, action := range append(order, slices.Sorted(maps.Keys(applied))...) {
		if n := applied[action]; n > 0 && !done[action] {
			parts = append(parts, fmt.Sprintf("%d %s", n, SafeText(verb(action)[2])))
		}
		done[action] = true
	}
	return strings.Join(parts, ", ")
}

// Outcomes is the last screen of an apply: a table of the tenants, then what failed, was held or was not reviewed.
// Above eight tenants those that need nothing more are only counted.
func Outcomes(w io.Writer, outcomes []Outcome, o Options) error {
	p := newPrinter(w, o)
	goOn := "weir apply"
	if o.GoOn != "" {
		goOn = "go on"
	}
	rows := [][]string{{"tenant", "result", "applied", "failed", "held", "not reviewed", "left out", "next step"}}
	total := map[string]int{}
	quiet := 0
	for i := range outcomes {
		out := &outcomes[i]
		r := out.report()
		for action, n := range r.Applied {
			total[action] += n
		}
		if out.Tenant.Key == "" && out.Code == 0 && r.Total() == 0 {
			continue
		}
		if len(outcomes) > maxTenants && out.Code == 0 && len(r.LeftOut) == 0 {
			if out.Tenant.Key != "" {
				quiet++
			}
			continue
		}
		rows = append(rows, []string{
			SafeText(out.name()), out.result(), number(r.Total()), number(len(r.Failed) + len(r.Skipped)), number(len(r.Held) + len(r.Changed)),
			number(len(r.NotReviewed)), number(len(r.LeftOut)), out.next(goOn),
		})
	}
	p.blank()
	if len(rows) > 1 {
		p.table(rows)
		p.blank()
	}
	if quiet > 0 {
		p.line(plural(quiet, "tenant", "tenants"), " done, nothing left to do there.")
		p.blank()
	}
	for i := range outcomes {
		p.details(&outcomes[i])
	}
	p.ending(outcomes, total)
	return p.done()
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// table writes rows in columns; the first row is the heading. Columns in which no row says anything are left out.
func (p *printer) table(rows [][]string) {
	var keep, widths []int
	for c := range rows[0] {
		columns, used := width(rows[0][c]), c < 3
		for _, r := range rows[1:] {
			columns = max(columns, width(r[c]))
			used = used || r[c] != "" && r[c] != "-"
		}
		if used {
			keep, widths = append(keep, c), append(widths, columns)
		}
	}
	for i, r := range rows {
		var b strings.Builder
		for k, c := range keep {
			cell := pad(r[c], widths[k])
			switch {
			case i == 0:
				cell = p.style(dim, cell)
			case c == 1:
				cell = p.style(resultColor(r[c]), cell)
			}
			b.WriteString("  " + cell)
		}
		p.line(b.String())
	}
}

func resultColor(result string) string {
	switch result {
	case "applied", "nothing to do":
		return green
	case "error", "could not be read":
		return red
	}
	return yellow
}

func (p *printer) details(o *Outcome) {
	r := o.report()
	sections := []struct {
		title, code string
		items       []apply.Item
	}{
		{"Failed", red, r.Failed},
		{"Not applied, because something it needs was not", yellow, r.Skipped},
		{"Facts changed since the review, so nothing was applied", yellow, r.Changed},
		{"Held by a guard", yellow, r.Held},
		{"Not reviewed, left alone", yellow, r.NotReviewed},
		{"Left out by a person", dim, r.LeftOut},
	}
	said := o.Error != ""
	for _, s := range sections {
		said = said || len(s.items) > 0
	}
	if !said {
		return
	}
	p.heading(headline(o.Tenant))
	if o.Error != "" {
		p.prose(red, "  ", o.Error)
	}
	for _, s := range sections {
		if len(s.items) == 0 {
			continue
		}
		p.section(s.code, s.title, fmt.Sprint(len(s.items)))
		p.reportItems(s.items)
	}
	p.blank()
}

// sharedReason is the number of items that have one reason from which on it is said once, above them.
const sharedReason = 3

// reportItems lists what was not applied and why: first what has a reason of its own, then what shares one with others.
func (p *printer) reportItems(items []apply.Item) {
	shared := map[string][]apply.Item{}
	for _, it := range items {
		shared[it.Text] = append(shared[it.Text], it)
	}
	left := 2 * maxAccounts
	for _, it := range items {
		if len(shared[it.Text]) < sharedReason && left > 0 {
			p.prose("", "    - ", it.Address+": "+it.Text)
			left--
		}
	}
	for _, it := range items {
		of := shared[it.Text]
		if len(of) < sharedReason || left == 0 {
			continue
		}
		delete(shared, it.Text)
		p.prose("", "    ", it.Text)
		for _, one := range of[:min(left, len(of))] {
			p.prose("", "    - ", one.Address)
			left--
		}
	}
	if more := len(items) - 2*maxAccounts; more > 0 {
		p.line("    ", p.style(dim, fmt.Sprintf("… and %d more", more)))
	}
}

func (p *printer) ending(outcomes []Outcome, total map[string]int) {
	words := appliedWords(total)
	if words == "" {
		words = "nothing was changed"
	}
	already, left := 0, 0
	for i := range outcomes {
		left += len(outcomes[i].report().LeftOut)
		already += outcomes[i].report().AlreadySo
	}
	applied := 0
	for _, n := range total {
		applied += n
	}
	switch {
	case p.o.Resumed && applied == 0:
		words = fmt.Sprintf("%d done before, nothing applied now", already)
	case p.o.Resumed:
		words = fmt.Sprintf("%d done before, %d applied now: %s", already, applied, words)
	case already > 0:
		words += fmt.Sprintf("; %d were so already", already)
	}
	if left > 0 {
		words += fmt.Sprintf("; %d left out", left)
	}
	undone, _ := notDone(outcomes)
	if undone == "" {
		p.line(p.style(bold+";"+green, "Apply complete: "+words+"."))
		return
	}
	p.line(p.style(bold+";"+yellow, "Apply ended: "+words+"; "+undone+"."))
	switch {
	case p.o.GoOn != "":
		p.line("What was done stays done. To go on with what was approved:")
		p.blank()
		p.line("    ", p.style(cyan, p.o.GoOn))
	case p.o.Because != "":
		p.prose("", "", "What was done stays done. To go on, plan again ("+p.o.Because+"):")
		p.blank()
		p.line("    ", p.style(cyan, p.o.command("apply")))
	default:
		p.line("What was done stays done. The next weir apply goes on from here.")
	}
}

// notDone says what is not done, such as "2 tenants and the root module are not done", and how many parts that are; "" when
// all are.
func notDone(outcomes []Outcome) (text string, n int) {
	tenants, root := 0, 0
	for i := range outcomes {
		switch {
		case outcomes[i].Code == 0:
		case outcomes[i].Tenant.Key == "":
			root++
		default:
			tenants++
		}
	}
	switch {
	case tenants+root == 0:
		return "", 0
	case root == 0:
		text = plural(tenants, "tenant is", "tenants are")
	case tenants == 0:
		text = "the root module is"
	default:
		text = plural(tenants, "tenant", "tenants") + " and the root module are"
	}
	return text + " not done", tenants + root
}

// OutcomesJSON writes the end of an apply as lines of the event stream: a diagnostic for each failure, one line a
// tenant, and the change summary.
func OutcomesJSON(w io.Writer, outcomes []Outcome, opts Options) error {
	s := newStream(w)
	goOn := cmp.Or(opts.GoOn, "weir apply")
	add, change, remove, adopted := 0, 0, 0, 0
	for i := range outcomes {
		o := &outcomes[i]
		r := o.report()
		for action, n := range r.Applied {
			switch hookAction(action) {
			case "create":
				add += n
			case "delete":
				remove += n
			case "import":
				adopted += n
			case "update":
				if action == "replace" {
					add += n
					remove += n
				} else {
					change += n
				}
			}
		}
		if o.Error != "" {
			s.diagnostic("error", "Not applied", o.Error, o.Tenant.Key, "")
		}
		for _, it := range r.Failed {
			s.diagnostic("error", "Not applied", it.Text, o.Tenant.Key, it.Address)
		}
		for _, list := range [][]apply.Item{r.Skipped, r.Changed, r.Held, r.NotReviewed} {
			for _, it := range list {
				s.diagnostic("warning", "Left alone", it.Text, o.Tenant.Key, it.Address)
			}
		}
		s.write("info", o.name()+": "+o.result(), "weir_tenant", map[string]any{"weir": map[string]any{
			"tenant": o.Tenant.Key, "name": o.Tenant.Name, "primary_domain": o.Tenant.PrimaryDomain, "code": o.Code, "result": o.result(),
			"error": o.Error, "applied": nonNil(r.Applied), "already_so": r.AlreadySo, "failed": items(r.Failed), "skipped": items(r.Skipped),
			"changed": items(r.Changed), "held": items(r.Held), "not_reviewed": items(r.NotReviewed), "left_out": items(r.LeftOut), "next": o.next(goOn),
		}})
	}
	summary := map[string]any{"changes": map[string]any{"add": add, "change": change, "import": adopted, "remove": remove, "operation": "apply"}}
	undone, n := notDone(outcomes)
	ours := map[string]any{"not_done": n}
	if opts.GoOn != "" {
		ours["resume"] = opts.GoOn
	}
	summary["weir"] = ours
	message := fmt.Sprintf("Apply complete! Resources: %d added, %d changed, %d destroyed.", add, change, remove)
	if n > 0 {
		message = fmt.Sprintf("Apply ended! Resources: %d added, %d changed, %d destroyed; %s.", add, change, remove, undone)
	}
	s.write("info", message, "change_summary", summary)
	return s.err
}

func nonNil(m map[string]int) map[string]int {
	if m == nil {
		return map[string]int{}
	}
	return m
}

func items(list []apply.Item) []map[string]string {
	out := []map[string]string{}
	for _, it := range list {
		out = append(out, map[string]string{"address": it.Address, "text": it.Text})
	}
	return out
}
