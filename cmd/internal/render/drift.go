package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
)

// driftView is one tenant's drift, apart from what waits for an apply.
type driftView struct {
	part  *planner.Part
	items []item
	// configuration and directory count what is pending for other reasons.
	configuration, directory int
}

func newDriftView(part *planner.Part) *driftView {
	d := &driftView{part: part}
	for _, c := range part.Drifted {
		d.items = append(d.items, driftItem(c))
	}
	d.items = append(d.items, driftedAccounts(part)...)
	for _, c := range part.Changes {
		switch {
		case c.Action == planner.NoOp || c.Action == planner.Unknown:
		case c.Cause == planner.Configuration:
			d.configuration++
		case c.Cause == planner.Directory:
			d.directory++
		}
	}
	if part.Accounts != nil {
		for i := range part.Accounts.Decisions {
			switch part.Accounts.Decisions[i].Cause {
			case dirsync.CauseConfiguration:
				d.configuration++
			case dirsync.CauseDirectory:
				d.directory++
			}
		}
	}
	return d
}

// quiet reports whether there is nothing to say about the tenant.
func (d *driftView) quiet() bool {
	return d.part.Late == "" && len(d.items) == 0 && d.configuration+d.directory == 0 && len(d.part.Problems)+len(d.part.Errors) == 0
}

// pending says in words what waits for an apply and is not drift.
func (d *driftView) pending() string {
	var parts []string
	if d.configuration > 0 {
		parts = append(parts, plural(d.configuration, "change of the configuration waits", "changes of the configuration wait")+" for an apply")
	}
	if d.directory > 0 {
		parts = append(parts, plural(d.directory, "change of the directory waits", "changes of the directory wait")+" for the next sync")
	}
	return strings.Join(parts, ", ")
}

// repair is the command that puts one object back.
func repair(part *planner.Part, address string, o Options) string {
	command := o.command("apply")
	if part.Tenant.Key != "" {
		command += " --tenant " + shell(part.Tenant.Key)
	}
	return command + " --target " + shell(address)
}

// shell quotes an argument for a POSIX shell. What a line cannot hold has been made visible before.
func shell(s string) string {
	s = SafeText(s)
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/=", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// DriftText shows what somebody changed outside: each object, each attribute with the value Weir left and the one
// found, and the command that puts it back. What waits for an apply for other reasons is only counted.
func DriftText(w io.Writer, plan *planner.Plan, o Options) error {
	p := newPrinter(w, o)
	found, unread, quiet, late := 0, 0, 0, 0
	for _, part := range plan.Parts {
		d := newDriftView(part)
		found += len(d.items)
		if len(part.Problems)+len(part.Errors) > 0 {
			unread++
		}
		if d.quiet() {
			if part.Tenant.Key != "" {
				quiet++
			}
			if len(part.Notes) == 0 || len(plan.Parts) > maxTenants {
				continue
			}
		}
		p.heading(headline(part.Tenant))
		p.blank()
		p.sentences(red, "Could not be planned", part.Errors)
		p.sentences(red, "Could not be read, so drift there is unknown", part.Problems)
		for i := range d.items {
			p.item(&d.items[i])
			p.line("        to put it back: ", p.style(cyan, repair(part, d.items[i].Address, o)))
			p.blank()
		}
		if part.Late != "" {
			late++
			p.prose(red, "  ", strings.ToUpper(part.Late[:1])+part.Late[1:]+".")
			p.blank()
		}
		if text := d.pending(); text != "" {
			p.prose(dim, "  ", "Not drift: "+text+" (weir plan shows them).")
			p.blank()
		}
		p.sentences("", "Notes", part.Notes)
	}
	switch {
	case found > 0:
		p.line(p.style(bold+";"+yellow, fmt.Sprintf("Drift: %s changed outside.", plural(found, "object was", "objects were"))))
		p.line(o.command("apply"), " puts everything back, in all tenants.")
	case unread == 0:
		p.line(p.style(bold+";"+green, "No drift. Nobody changed outside what Weir manages."))
	default:
		p.line(p.style(bold, "No drift was seen in what could be read."))
	}
	if late > 0 {
		p.line(p.style(bold+";"+red, "In "+plural(late, "tenant", "tenants")+" the sync is not running."))
	}
	if quiet > 0 && quiet < len(plan.Parts) && len(plan.Parts) > 1 {
		p.line(plural(quiet, "tenant is", "tenants are") + " as Weir left " + they(quiet) + ".")
	}
	if unread > 0 {
		p.line(p.style(red, "In "+plural(unread, "tenant", "tenants")+" something could not be read."))
	}
	return p.done()
}
