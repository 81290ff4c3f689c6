package render

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/weir-project/weir/planner/apply"
)

// Progress shows the steps of an apply while it runs. Safe for concurrent use. A writer that fails is ignored: a run
// does not stop because nobody can watch it.
type Progress interface {
	// Event shows one step.
	Event(apply.Event)
	// Say shows one line of foreign or own text.
	Say(text string)
}

// NewProgress returns a progress in the format "text" or "json" (JSON lines with Terraform's hook messages). With tty,
// the text form keeps one line at the bottom that says what is being done.
func NewProgress(w io.Writer, format string, o Options, tty bool) Progress {
	if format == "json" {
		return &jsonProgress{w: w}
	}
	return &textProgress{w: w, o: o, tty: tty, running: map[string]string{}}
}

type textProgress struct {
	mu      sync.Mutex
	w       io.Writer
	o       Options
	tty     bool
	running map[string]string
	order   []string
	// finished counts objects and accounts; drawn is the number of columns of the live line.
	finished, drawn int
}

// verbs name an action while it runs and when it is done.
var verbs = map[string][3]string{
	"create":  {"+", "creating", "created"},
	"update":  {"~", "changing", "changed"},
	"delete":  {"-", "deleting", "deleted"},
	"replace": {"-/+", "replacing", "replaced"},
	"adopt":   {"<-", "adopting", "adopted"},
	"move":    {"=>", "moving", "moved"},
	"release": {".", "releasing", "released"},
	"add":     {"+", "adding", "added"},
	"rename":  {"~", "renaming", "renamed"},
	"convert": {"~", "converting", "converted"},
	"protect": {"~", "exempting", "exempted"},
	"enable":  {"~", "enabling", "enabled"},
	"disable": {"~", "disabling", "disabled"},
}

func verb(action string) [3]string {
	if v, ok := verbs[action]; ok {
		return v
	}
	return [3]string{"·", action, action + " done"}
}

func subject(e apply.Event) string {
	s := SafeText(e.Address)
	if e.Count > 0 {
		s += "  " + plural(e.Count, "account", "accounts")
	}
	return s
}

func (p *textProgress) Event(e apply.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := verb(e.Action)
	pr := &printer{o: p.o}
	tenant := SafeText(e.Tenant)
	if tenant == "" {
		tenant = "root"
	}
	key := e.Tenant + "\x00" + e.Address + "\x00" + e.Action
	line := ""
	switch e.Kind {
	case apply.Started:
		if p.running[key] == "" {
			p.order = append(p.order, key)
		}
		p.running[key] = fmt.Sprintf("%s  %s %s", tenant, v[1], subject(e))
	case apply.Finished:
		p.end(key, max(e.Count, 1))
		line = fmt.Sprintf("%s  %s%s  %s%s", pad(tenant, 12), pr.symbol(v[0]), subject(e), SafeText(v[2]), elapsed(e.Elapsed))
	case apply.Failed:
		p.end(key, 0)
		line = fmt.Sprintf("%s  %s%s  %s", pad(tenant, 12), pr.symbol("!"), subject(e), pr.style(red, SafeText("failed: "+e.Text)))
	case apply.LeftOut:
		p.end(key, 0)
		line = fmt.Sprintf("%s      %s  %s", pad(tenant, 12), subject(e), pr.style(yellow, SafeText("left alone: "+e.Text)))
	default:
		line = fmt.Sprintf("%s  %s  %s", pad(tenant, 12), subject(e), SafeText(e.Text))
	}
	p.show(line)
}

func elapsed(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return fmt.Sprintf(" (%.1fs)", d.Seconds())
}

func (p *textProgress) end(key string, n int) {
	p.finished += n
	delete(p.running, key)
	for i, k := range p.order {
		if k == key {
			p.order = append(p.order[:i], p.order[i+1:]...)
			break
		}
	}
}

// show writes a line above the live line and draws that again.
func (p *textProgress) show(line string) {
	var b strings.Builder
	if p.drawn > 0 {
		b.WriteString("\r" + strings.Repeat(" ", p.drawn) + "\r")
		p.drawn = 0
	}
	if line != "" {
		b.WriteString(line + "\n")
	}
	if p.tty && len(p.order) > 0 {
		live := fmt.Sprintf("%d done, %d running: %s", p.finished, len(p.order), p.running[p.order[0]])
		live = cut(live, p.o.width()-1)
		p.drawn = width(live)
		b.WriteString(live)
	}
	if b.Len() > 0 {
		_, _ = io.WriteString(p.w, b.String())
	}
}

// cut shortens a safe text to a number of columns.
func cut(s string, columns int) string {
	if width(s) <= columns {
		return s
	}
	runes := []rune(s)
	for len(runes) > 0 && width(string(runes)) > columns-1 {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}

func (p *textProgress) Say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range safeLines(text) {
		p.show(line)
	}
}

// jsonProgress writes Terraform's hook messages.
type jsonProgress struct {
	mu   sync.Mutex
	w    io.Writer
	last time.Time
}

func (p *jsonProgress) Event(e apply.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = e.Time
	v := verb(e.Action)
	hook := map[string]any{"resource": eventResource(e.Address), "action": hookAction(e.Action)}
	level, message := "info", ""
	switch e.Kind {
	case apply.Started:
		message = fmt.Sprintf("%s: %s", e.Address, v[1])
	case apply.Finished:
		message = fmt.Sprintf("%s: %s%s", e.Address, v[2], elapsed(e.Elapsed))
		hook["elapsed_seconds"] = e.Elapsed.Seconds()
	case apply.Failed:
		level, message = "error", fmt.Sprintf("%s: failed: %s", e.Address, e.Text)
		hook["elapsed_seconds"] = e.Elapsed.Seconds()
	default:
		level, message = "warn", fmt.Sprintf("%s: left alone: %s", e.Address, e.Text)
	}
	ours := map[string]any{"tenant": e.Tenant, "action": e.Action}
	if e.Count > 0 {
		ours["accounts"] = e.Count
	}
	if e.Text != "" {
		ours["text"] = e.Text
	}
	p.write(level, message, string(e.Kind), map[string]any{"hook": hook, "weir": ours})
}

// hookAction is Terraform's word for an action; the account actions are updates to it.
func hookAction(action string) string {
	switch action {
	case "create", "add":
		return "create"
	case "delete":
		return "delete"
	case "release":
		return "remove"
	case "adopt":
		return "import"
	case "move":
		return "move"
	case "":
		return "noop"
	}
	return "update"
}

func (p *jsonProgress) Say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write("info", text, "log", nil)
}

func (p *jsonProgress) write(level, message, kind string, fields map[string]any) {
	data, err := json.Marshal(streamLine(level, message, kind, p.last, fields))
	if err == nil {
		_, _ = p.w.Write(append(safeJSON(data), '\n'))
	}
}
