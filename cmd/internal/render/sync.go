package render

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/apply"
	"github.com/weir-project/weir/planner/dirsync"
)

// Synced is one tenant's fate in a sync.
type Synced struct {
	Outcome Outcome
	// Part is what was decided, whether it was carried out or not; never nil.
	Part *planner.Part
	// Remarks say what the run went by, where that is not what a reader expects.
	Remarks []string
}

// syncGroups are what a sync does to accounts, in the order in which a reader wants to know.
var syncGroups = []struct {
	action        dirsync.Action
	symbol, title string
}{
	{dirsync.Disable, "-", "Disabled"}, {dirsync.Delete, "-", "Deleted"}, {dirsync.Convert, "~", "Converted"}, {dirsync.Add, "+", "Added"},
	{dirsync.Protect, "~", "Exempted from the vendor's own sync"},
	{dirsync.Enable, "~", "Enabled"}, {dirsync.Rename, "~", "Renamed"}, {dirsync.Update, "~", "Updated"},
}

// Sync is the screen of a sync: for each tenant in which something happened or is wrong what was done to whom and why,
// then a table with each tenant's exit status. Above eight tenants those that need nothing are only counted.
func Sync(w io.Writer, tenants []Synced, o Options) error {
	p := newPrinter(w, o)
	rows := [][]string{{"tenant", "exit", "result", "done", "held", "failed", "next step"}}
	total := map[string]int{}
	quiet, undone, held := 0, 0, 0
	for i := range tenants {
		t := &tenants[i]
		p.synced(t)
		r := t.Outcome.report()
		held += t.held()
		for action, n := range r.Applied {
			total[action] += n
		}
		if t.Outcome.Code != 0 {
			undone++
		} else if len(tenants) > maxTenants {
			quiet++
			continue
		}
		rows = append(rows, []string{
			SafeText(t.Outcome.name()), fmt.Sprint(t.Outcome.Code), t.result(), number(r.Total()), number(t.held()), number(len(r.Failed) + len(r.Skipped)), t.next(o),
		})
	}
	if len(rows) > 1 {
		p.table(rows)
		p.blank()
	}
	if quiet > 0 {
		p.line(plural(quiet, "tenant", "tenants"), " with exit status 0, nothing left to do there.")
		p.blank()
	}
	words := appliedWords(total)
	if words == "" {
		words = "nothing was changed"
	}
	if held > 0 {
		words += fmt.Sprintf("; %d held", held)
	}
	if undone == 0 {
		p.line(p.style(bold+";"+green, "Sync complete: "+words+"."))
	} else {
		p.line(p.style(bold+";"+yellow, "Sync ended: "+words+"; "+plural(undone, "tenant needs", "tenants need")+" somebody."))
	}
	return p.done()
}

// result is the exit status in words.
func (t *Synced) result() string {
	o := &t.Outcome
	switch {
	case o.Code == 4 && o.report().Total() > 0:
		return "held in part, the rest is done"
	case o.Code == 4:
		return "held by a guard"
	case o.Code == 6 && len(t.Part.Problems) > 0:
		return "not all could be read"
	case o.Code == 0 && o.report().Total() > 0:
		return "done"
	}
	return o.result()
}

// next is what a person does about it.
func (t *Synced) next(o Options) string {
	switch t.Outcome.Code {
	case 0:
		return ""
	case 4:
		return "see what is held above"
	case 5:
		return "nothing: the next sync goes on"
	case 6:
		return "nothing, if the next sync can"
	case 8:
		return "nothing, once state storage answers"
	}
	return o.command("plan")
}

func (t *Synced) held() int {
	n := len(t.Outcome.report().Held) + len(t.Outcome.report().Changed)
	if n == 0 && t.Part.Accounts != nil {
		for i := range t.Part.Accounts.Decisions {
			if t.Part.Accounts.Decisions[i].Held != "" {
				n++
			}
		}
	}
	return n
}

// done are the account decisions that were carried out.
func (t *Synced) done() []*dirsync.Decision {
	r := t.Outcome.Report
	if r == nil || t.Part.Accounts == nil {
		return nil
	}
	not := map[string]bool{}
	for _, list := range [][]apply.Item{r.Failed, r.Skipped, r.Held, r.Changed, r.NotReviewed} {
		for _, item := range list {
			not[item.Address] = true
		}
	}
	var out []*dirsync.Decision
	if r.Total() == 0 {
		return nil
	}
	for i := range t.Part.Accounts.Decisions {
		d := &t.Part.Accounts.Decisions[i]
		if d.Held == "" && !not[planner.AccountAddress(t.Part.AccountPolicy, d.Address)] {
			out = append(out, d)
		}
	}
	return out
}

func (p *printer) synced(t *Synced) {
	part, r := t.Part, t.Outcome.report()
	done := t.done()
	drift := leftAsDrift(part)
	if len(done)+len(part.Changes)+len(part.Errors)+len(part.Problems)+len(part.Guards)+len(drift)+len(t.Remarks)+r.Total()+len(r.Failed)+len(r.Skipped) == 0 && t.Outcome.Error == "" {
		return
	}
	p.heading(headline(part.Tenant))
	if t.Outcome.Error != "" {
		p.prose(red, "  ", t.Outcome.Error)
	}
	p.sentencesTight(red, "Could not be decided", part.Errors)
	p.sentencesTight(red, "Could not be read, so nothing was taken away", part.Problems)
	for _, g := range syncGroups {
		p.syncGroup(g.symbol, g.title, g.action, slices.DeleteFunc(slices.Clone(done), func(d *dirsync.Decision) bool {
			return d.Action != g.action || madeAgain(d)
		}))
	}
	p.syncGroup("+", "Made again (they vanished in Essentials, and the directory has them: drift, repaired)", dirsync.Add,
		slices.DeleteFunc(slices.Clone(done), func(d *dirsync.Decision) bool { return !madeAgain(d) }))
	if n := r.Applied["adopt"]; n > 0 {
		p.section("", "Recognised", plural(n, "account that exists already", "accounts that exist already"))
	}
	p.syncObjects(part, r)
	for _, list := range []struct {
		title string
		items []apply.Item
	}{{"Failed", r.Failed}, {"Not done, because something it needs was not", r.Skipped}, {"Left alone, because it changed meanwhile", append(slices.Clone(r.Changed), r.NotReviewed...)}} {
		if len(list.items) == 0 {
			continue
		}
		p.section(red, list.title, fmt.Sprint(len(list.items)))
		for _, it := range list.items[:min(len(list.items), maxAccounts)] {
			p.prose("", "    - ", it.Address+": "+it.Text)
		}
		p.more(len(list.items))
	}
	p.guards(&tenantView{Guards: part.Guards})
	if len(drift) > 0 {
		p.section(yellow, "Left as somebody changed it in Essentials", fmt.Sprintf("%d (weir drift shows it, weir apply repairs it)", len(drift)))
		p.prose(dim, "    ", firstFew(drift))
	}
	for _, text := range t.Remarks {
		p.prose(dim, "  Note: ", text)
	}
	p.blank()
}

// madeAgain reports whether an account had vanished in Essentials while the directory has it.
func madeAgain(d *dirsync.Decision) bool {
	return d.Action == dirsync.Add && d.Cause == dirsync.CauseDrift
}

// syncGroup writes what was done to some accounts, each with the reason that decided.
func (p *printer) syncGroup(symbol, title string, action dirsync.Action, list []*dirsync.Decision) {
	if len(list) == 0 {
		return
	}
	p.section("", title, fmt.Sprint(len(list)))
	column := 0
	for _, d := range list[:min(len(list), maxAccounts)] {
		column = max(column, min(width(SafeText(d.Address)), 44))
	}
	for _, d := range list[:min(len(list), maxAccounts)] {
		p.prose("", "    "+symbol+" "+pad(SafeText(d.Address), column)+"  ", syncReason(action, d))
	}
	p.more(len(list))
}

// more says how many of a list were left out.
func (p *printer) more(n int) {
	if n > maxAccounts {
		p.line("    ", p.style(dim, fmt.Sprintf("… and %d more", n-maxAccounts)))
	}
}

// syncReason is why a decision was made, in one line: what the directory says, not what is done, which stands above.
func syncReason(action dirsync.Action, d *dirsync.Decision) string {
	var texts []string
	for _, r := range d.Reasons {
		texts = append(texts, reasonText(r))
	}
	switch {
	case len(texts) == 0:
		return ""
	case action == dirsync.Disable || action == dirsync.Delete:
		return texts[0]
	case action == dirsync.Convert && len(texts) > 1:
		return strings.Join(texts[len(texts)-2:], "; ")
	case action == dirsync.Rename && d.After != nil:
		return "is " + d.After.Address + " now; " + texts[len(texts)-1]
	}
	return texts[len(texts)-1]
}

// syncObjects writes what was done besides accounts: secrets renewed, and whom exemptions stand for.
func (p *printer) syncObjects(part *planner.Part, r *apply.Report) {
	not := map[string]bool{}
	for _, list := range [][]apply.Item{r.Failed, r.Skipped, r.Held, r.Changed, r.NotReviewed} {
		for _, item := range list {
			not[item.Address] = true
		}
	}
	for _, c := range part.Changes {
		if not[c.Address] || c.Action != planner.Update || r.Applied[c.Action.Word()] == 0 {
			continue
		}
		word := "Updated"
		if c.Forced {
			word = "Secret renewed"
		}
		p.section("", word, SafeText(c.Address))
		for _, text := range c.Reasons {
			p.prose(dim, "    ", text)
		}
	}
}

func (p *printer) sentencesTight(code, title string, list []string) {
	if len(list) == 0 {
		return
	}
	p.section(code, title, "")
	for _, s := range list {
		p.prose("", "    - ", s)
	}
}

// leftAsDrift are the accounts that a sync left as somebody changed them.
func leftAsDrift(part *planner.Part) []string {
	if part.Accounts == nil {
		return nil
	}
	var out []string
	for _, s := range part.Accounts.Skips {
		if s.Code == dirsync.SkipDrift {
			out = append(out, s.Address)
		}
	}
	return out
}

// firstFew lists the first of some addresses.
func firstFew(list []string) string {
	shown := strings.Join(list[:min(len(list), maxAccounts)], ", ")
	if n := len(list) - maxAccounts; n > 0 {
		return fmt.Sprintf("%s and %d more", shown, n)
	}
	return shown
}
