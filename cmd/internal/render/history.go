package render

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/planner/apply"
	"github.com/weir-project/weir/state"
)

// Run is one run that changed a tenant, with the version of the state that it left.
type Run struct {
	Serial uint64
	// ID, Who, Host, Operation and Plan are as recorded; of a run that died some may be empty. Plan is a digest.
	ID, Who, Host, Operation, Plan string
	// Note is for people.
	Note           string
	Started, Ended time.Time
	// Interrupted says that another run wrote this record.
	Interrupted bool
	// Changes may be cut off; Counts has all, by action.
	Changes []RunChange
	Counts  map[string]int
}

// RunChange is one operation of a run.
type RunChange struct {
	Address string
	Mail    string // of a derived account
	Type    string
	Action  string
	Result  string
}

// History is what happened to one tenant's state.
type History struct {
	Tenant state.TenantMeta
	// Runs are newest first.
	Runs []Run
	// More says that there are earlier ones.
	More bool
}

// tally is what a run did, in the fewest words: +2 ~1 -0, 14 accounts.
func (r *Run) tally() string {
	added, changed, removed, failed, left, objects := 0, 0, 0, r.Counts["failed"], r.Counts[apply.LeaveOut], 0
	for _, c := range r.Changes {
		if c.Mail != "" || c.Action == apply.LeaveOut || c.Result == string(state.Failed) {
			continue
		}
		objects++
		switch c.Action {
		case "bind", "deliver": // notes that Weir makes to itself
		case "create":
			added++
		case "delete", "release":
			removed++
		case "replace":
			added++
			removed++
		default:
			changed++
		}
	}
	total := 0
	for action, n := range r.Counts {
		if action != "failed" && action != apply.LeaveOut {
			total += n
		}
	}
	var parts []string
	if added+changed+removed > 0 {
		parts = append(parts, fmt.Sprintf("+%d ~%d -%d", added, changed, removed))
	}
	if n := total - objects; n > 0 {
		parts = append(parts, plural(n, "account", "accounts"))
	}
	if failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", failed))
	}
	if left > 0 {
		parts = append(parts, fmt.Sprintf("%d left out", left))
	}
	return strings.Join(parts, ", ")
}

// what is the command, who gave it and where: apply by alice on laptop.
func (r *Run) what() string {
	text := r.Operation
	if text == "" {
		text = "a run"
	}
	if r.Who != "" {
		text += " by " + r.Who
	}
	if r.Host != "" {
		text += " on " + r.Host
	}
	return text
}

// digestWords is a digest as people compare it.
func digestWords(digest string) string {
	if len(digest) > 12 {
		return digest[:12]
	}
	return digest
}

// Ago is the time since t in the largest unit that fits: 5 minutes ago.
func Ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case d < 0:
		return "(clock ahead)"
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return plural(int(d/time.Minute), "minute", "minutes") + " ago"
	case d < 48*time.Hour:
		return plural(int(d/time.Hour), "hour", "hours") + " ago"
	case d < 60*24*time.Hour:
		return plural(int(d/(24*time.Hour)), "day", "days") + " ago"
	}
	return plural(int(d/(30*24*time.Hour)), "month", "months") + " ago"
}

// Histories shows the runs of each tenant, newest first.
func Histories(w io.Writer, list []History, now time.Time, o Options) error {
	p := newPrinter(w, o)
	for i := range list {
		h := &list[i]
		p.heading(stateTitle(h.Tenant))
		p.blank()
		if len(h.Runs) == 0 {
			p.line("  No run has changed anything yet.")
		}
		p.runs(h.Runs, now)
		if h.More {
			p.blank()
			p.line("  ", p.style(dim, "There are earlier ones: --limit 0 shows all."))
		}
		p.blank()
	}
	return p.done()
}

// runs writes a table of runs, without the plans where it is too wide with them; where it still is, a few lines for
// each run. Notes and what went wrong stand below their run.
func (p *printer) runs(runs []Run, now time.Time) {
	if len(runs) == 0 {
		return
	}
	rows := [][]string{{"version", "when (UTC)", "", "what and who", "changes", "plan"}}
	for i := range runs {
		r := &runs[i]
		rows = append(rows, []string{
			fmt.Sprint(r.Serial), r.Ended.UTC().Format("2006-01-02 15:04"), Ago(r.Ended, now), SafeText(r.what()), r.tally(), SafeText(digestWords(r.Plan)),
		})
	}
	const plan = 5
	widths := make([]int, plan+1)
	total := 0
	for c := range widths {
		for _, r := range rows {
			widths[c] = max(widths[c], width(r[c]))
		}
		total += widths[c] + 2
	}
	columns := plan + 1
	if slices.IndexFunc(runs, func(r Run) bool { return r.Plan != "" }) < 0 || total > p.o.width() {
		columns, total = plan, total-widths[plan]-2
	}
	indent := strings.Repeat(" ", 6)
	if total <= p.o.width() {
		indent = strings.Repeat(" ", widths[0]+4)
	}
	for i, cells := range rows {
		switch {
		case total <= p.o.width():
			p.runLine(cells[:columns], widths, i == 0)
		case i > 0:
			p.line("  ", p.style(bold, cells[0]), "  ", cells[1], "  ", p.style(dim, cells[2]))
			p.prose("", "      ", cells[3])
			if cells[4] != "" {
				p.line("      ", cells[4])
			}
		}
		if i > 0 {
			p.runRemarks(&runs[i-1], indent)
		}
	}
}

func (p *printer) runLine(cells []string, widths []int, head bool) {
	var b strings.Builder
	for c, cell := range cells {
		if c == 0 {
			cell = strings.Repeat(" ", widths[c]-width(cell)) + cell
		}
		cell = pad(cell, widths[c])
		switch {
		case head || c == 2 || c == 5:
			cell = p.style(dim, cell)
		case c == 0:
			cell = p.style(bold, cell)
		}
		b.WriteString("  " + cell)
	}
	p.line(b.String())
}

func (p *printer) runRemarks(r *Run, indent string) {
	if r.Interrupted {
		p.prose(yellow, indent+"! ", "The run did not end by itself: it was killed or lost the tenant. Whoever came next wrote this.")
	}
	if r.Note != "" {
		p.prose(dim, indent, r.Note)
	}
}

// HistoriesJSON writes the runs of each tenant as one document.
func HistoriesJSON(w io.Writer, list []History) error {
	tenants := []map[string]any{}
	for i := range list {
		h := &list[i]
		tenants = append(tenants, map[string]any{"tenant": h.Tenant.Key, "versions": jsonRuns(h.Runs), "more": h.More})
	}
	return writeJSON(w, map[string]any{"format_version": "1.0", "tenants": tenants})
}

func jsonRuns(runs []Run) []map[string]any {
	out := []map[string]any{}
	for i := range runs {
		r := &runs[i]
		changes := []map[string]any{}
		for _, c := range r.Changes {
			changes = append(changes, map[string]any{"address": c.Address, "mail": c.Mail, "type": c.Type, "action": c.Action, "result": c.Result})
		}
		out = append(out, map[string]any{
			"serial": r.Serial, "run": r.ID, "who": r.Who, "host": r.Host, "operation": r.Operation, "plan": r.Plan, "note": r.Note,
			"started": stamp(r.Started), "ended": stamp(r.Ended), "interrupted": r.Interrupted, "counts": nonNil(r.Counts), "changes": changes,
		})
	}
	return out
}

// Audit is what the check of one tenant's records found.
type Audit struct {
	Tenant state.TenantMeta
	// Runs are the records of the chain, newest first.
	Runs []Run
	// Broken says what is wrong; empty if every record is the one that was written.
	Broken []string
	// Loose are records that no other names: of runs that died on their last step.
	Loose []string
}

// Audits shows who did what and when, oldest last, and whether the records are those that were written.
func Audits(w io.Writer, list []Audit, now time.Time, o Options) error {
	p := newPrinter(w, o)
	broken, records := 0, 0
	for i := range list {
		a := &list[i]
		records += len(a.Runs)
		p.heading(stateTitle(a.Tenant))
		p.blank()
		if len(a.Runs) == 0 && len(a.Broken) == 0 {
			p.line("  No run has changed anything yet.")
			p.blank()
		}
		for k := range a.Runs {
			p.audited(&a.Runs[k], now)
		}
		if len(a.Broken) > 0 {
			broken++
			p.sentences(red, "The records are not those that were written", a.Broken)
		}
		p.sentences("", "Left by runs that died on their last step; the record after them tells what they did", a.Loose)
	}
	switch {
	case broken > 0:
		p.line(p.style(bold+";"+red, "The records of "+plural(broken, "state", "states")+" were changed or lost: what they tell cannot be trusted."))
	case records == 0:
		p.line("There are no records yet.")
	default:
		p.line(p.style(bold+";"+green, plural(records, "record", "records")+" of "+plural(len(list), "state", "states")+": each is the one that was written, none is missing."))
	}
	return p.done()
}

// audited shows one record with each of its changes.
func (p *printer) audited(r *Run, now time.Time) {
	line := p.style(bold, fmt.Sprintf("  %d", r.Serial)) + "  " + r.Ended.UTC().Format("2006-01-02 15:04:05") + " UTC" + p.style(dim, "  "+Ago(r.Ended, now))
	p.line(line)
	p.prose("", "      ", r.what()+", run "+r.ID)
	if r.Plan != "" {
		p.line("      ", p.style(dim, "plan "+SafeText(r.Plan)))
	}
	p.runRemarks(r, "      ")
	for i, c := range r.Changes {
		if i == 2*maxAccounts {
			p.line("        ", p.style(dim, fmt.Sprintf("… and %d more; --json has them all", len(r.Changes)-i)))
			break
		}
		what := c.Address
		if c.Mail != "" {
			what = c.Mail
		}
		text := c.Action + " " + what
		code := ""
		if c.Result != string(state.Done) && c.Result != "" {
			text += " (" + c.Result + ")"
			code = yellow
		}
		p.prose(code, "        ", text)
	}
	p.blank()
}

// AuditsJSON writes the records of each state and what is wrong with them as one document.
func AuditsJSON(w io.Writer, list []Audit) error {
	tenants := []map[string]any{}
	whole := true
	for i := range list {
		a := &list[i]
		whole = whole && len(a.Broken) == 0
		tenants = append(tenants, map[string]any{
			"tenant": a.Tenant.Key, "whole": len(a.Broken) == 0, "broken": orEmptyList(a.Broken), "loose": orEmptyList(a.Loose), "records": jsonRuns(a.Runs),
		})
	}
	return writeJSON(w, map[string]any{"format_version": "1.0", "whole": whole, "tenants": tenants})
}
