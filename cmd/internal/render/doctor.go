package render

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/weir-project/weir/planner/doctor"
)

// Examined is what doctor found in one tenant, or why it could not look.
type Examined struct {
	Key           string
	PrimaryDomain string
	Result        doctor.Result
	// Err is why the tenant could not be looked at at all; "" when it was.
	Err string
}

// DoctorText shows findings, tenant by tenant: what is wrong, by which rule, and what to do about it.
func DoctorText(w io.Writer, all []Examined, o Options) error {
	p := newPrinter(w, o)
	problems, reminders, unread := 0, 0, 0
	for _, t := range all {
		title := fmt.Sprintf("Tenant %q (%s)", SafeText(t.Key), SafeText(t.PrimaryDomain))
		p.line(p.style(bold, title))
		p.blank()
		if t.Err != "" {
			unread++
			p.prose(red, "  ", "It could not be looked at: "+t.Err)
			p.blank()
			continue
		}
		p.findings("Problems", red, t.Result, doctor.Problem, &problems)
		p.findings("Reminders: no API can tell", yellow, t.Result, doctor.Reminder, &reminders)
		if len(t.Result.Unread) > 0 {
			unread++
			p.line(p.style(bold, "  Not read, so nothing is said about it"))
			for _, u := range t.Result.Unread {
				p.prose("", "    - ", u)
			}
			p.blank()
		}
		if t.Result.Healthy() {
			p.line("  Nothing to mend.")
			p.blank()
		}
	}
	summary := fmt.Sprintf("%s looked at: %s, %s", plural(len(all), "tenant", "tenants"), plural(problems, "problem", "problems"), plural(reminders, "reminder", "reminders"))
	if unread > 0 {
		summary += fmt.Sprintf("; %s not read completely", plural(unread, "tenant", "tenants"))
	}
	p.line(p.style(bold, summary+"."))
	return p.done()
}

func (p *printer) findings(title, code string, r doctor.Result, s doctor.Severity, count *int) {
	first := true
	for _, f := range r.Findings {
		if f.Severity != s {
			continue
		}
		if first {
			p.line(p.style(bold, "  "+title))
			p.blank()
			first = false
		}
		*count++
		p.line("    ", p.style(code, pad(f.Rule, 4)), " ", SafeText(f.Subject))
		p.prose("", "         ", f.Text)
		for i, line := range strings.Split(f.Cure, "\n") {
			switch {
			case line == "":
				p.blank()
			case i == 0 && !strings.HasSuffix(line, "{"):
				p.prose("", "         ", line)
			default:
				p.block("         ", line)
			}
		}
		p.blank()
	}
}

// DoctorJSON prints the same as one JSON document.
func DoctorJSON(w io.Writer, all []Examined) error {
	type tenant struct {
		Key           string           `json:"key"`
		PrimaryDomain string           `json:"primary_domain"`
		Findings      []doctor.Finding `json:"findings"`
		Unread        []string         `json:"unread"`
		Error         string           `json:"error,omitempty"`
	}
	out := struct {
		FormatVersion string   `json:"format_version"`
		Tenants       []tenant `json:"tenants"`
	}{"1.0", []tenant{}}
	for _, t := range all {
		one := tenant{t.Key, t.PrimaryDomain, t.Result.Findings, t.Result.Unread, t.Err}
		if one.Findings == nil {
			one.Findings = []doctor.Finding{}
		}
		if one.Unread == nil {
			one.Unread = []string{}
		}
		out.Tenants = append(out.Tenants, one)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
