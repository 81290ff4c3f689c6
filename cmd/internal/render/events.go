package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
)

// streamUI is the version of Terraform's event stream that is spoken.
const streamUI = "1.2"

// Events writes a plan as Terraform's JSON lines: version, drift, one planned_change an item, diagnostics for what could
// not be read, is held, stops receiving or needs a person, one weir_plan a tenant with all the rest, the change summary and
// the outputs. All lines carry the plan's time.
func Events(w io.Writer, p *planner.Plan) error {
	s := newStream(w)
	s.at = p.Created
	s.write("info", "Weir "+p.Version, "version", map[string]any{
		"terraform": terraformVersion, "ui": streamUI, "weir": map[string]any{"version": p.Version, "plan": p.ID, "realm": p.Realm},
	})
	for _, part := range p.Parts {
		for _, c := range part.Drifted {
			action := "update"
			if c.Action == planner.Delete {
				action = "delete"
			}
			s.change("resource_drift", c.Address, action, "Drift detected", map[string]any{}, jsonDrift(part, c)["weir"])
		}
		if part.Accounts != nil {
			for i := range part.Accounts.Decisions {
				if d := &part.Accounts.Decisions[i]; d.Cause == dirsync.CauseDrift {
					s.change("resource_drift", planner.AccountAddress(part.AccountPolicy, d.Address), driftAction(d), "Drift detected",
						map[string]any{}, jsonDriftedAccount(part, d)["weir"])
				}
			}
		}
		if it, ok := keyItem(part); ok {
			s.write("info", it.Address, "log", map[string]any{"weir": jsonPart(part)})
		}
		for _, c := range part.Changes {
			if c.Action == planner.NoOp || c.Action == planner.Unknown {
				continue
			}
			extra := map[string]any{}
			if c.Action == planner.Adopt {
				extra["importing"] = map[string]any{"id": string(c.ID)}
			}
			if c.From != "" {
				extra["previous_resource"] = eventResource(c.From)
			}
			if c.Action == planner.Move {
				s.changed("planned_change", c.Address, eventAction(c), c.From+" has moved to "+c.Address, extra, jsonOurs(part, c))
				continue
			}
			s.change("planned_change", c.Address, eventAction(c), "Plan to "+c.Action.Word(), extra, jsonOurs(part, c))
		}
		if part.Accounts != nil {
			for i := range part.Accounts.Decisions {
				d := &part.Accounts.Decisions[i]
				s.change("planned_change", planner.AccountAddress(part.AccountPolicy, d.Address), hookAction(string(d.Action)),
					"Plan to "+string(d.Action), map[string]any{}, jsonDecisionOurs(part, d))
			}
		}
		s.diagnostics(part)
		s.write("info", tenantName(part.Tenant)+": "+counts(part.Summary(), len(part.Outputs)), "weir_plan", map[string]any{"weir": jsonPart(part)})
	}
	v := newView(p)
	s.summary(v.Total, v.Outputs)
	outputs := map[string]any{}
	for _, part := range p.Parts {
		for _, o := range part.Outputs {
			e := map[string]any{"sensitive": o.Sensitive, "action": outputAction(o)}
			if o.After != cty.NilVal {
				e["type"] = jsonType(o.After.Type())
				if !o.Sensitive && o.After.IsWhollyKnown() {
					e["value"] = jsonValue(o.After, nil)
				}
			}
			outputs[o.Name] = e
		}
	}
	if len(outputs) > 0 {
		s.write("info", fmt.Sprintf("Outputs: %d", len(outputs)), "outputs", map[string]any{"outputs": outputs})
	}
	return s.err
}

func outputAction(o planner.OutputChange) string {
	switch {
	case null(o.Before):
		return "create"
	case null(o.After):
		return "delete"
	}
	return "update"
}

func eventAction(c *planner.Change) string {
	switch c.Action {
	case planner.Adopt:
		if len(c.Paths) > 0 {
			return "update"
		}
		return "import"
	case planner.Move:
		if len(c.Paths) > 0 {
			return "update"
		}
		return "move"
	case planner.DeleteCreate, planner.CreateDelete:
		return "replace"
	case planner.Release:
		return "remove"
	}
	return c.Action.Word()
}

func (s *stream) change(kind, address, action, word string, extra map[string]any, ours any) {
	s.changed(kind, address, action, address+": "+word, extra, ours)
}

// changed is change with the whole message.
func (s *stream) changed(kind, address, action, message string, extra map[string]any, ours any) {
	extra["resource"], extra["action"] = eventResource(address), action
	s.write("info", message, kind, map[string]any{"change": extra, "weir": ours})
}

func (s *stream) diagnostics(part *planner.Part) {
	key := part.Tenant.Key
	for _, text := range part.Errors {
		s.diagnostic("error", "Tenant could not be planned", text, key, part.Address)
	}
	for _, text := range part.Problems {
		s.diagnostic("error", "Could not be read", text, key, part.Address)
	}
	if part.Late != "" {
		s.diagnostic("warning", "Sync is not running", part.Late, key, part.AccountPolicy)
	}
	for _, c := range part.Changes {
		if c.Action == planner.Unknown {
			detail := "Nothing is planned for it."
			if len(c.Reasons) > 0 {
				detail = c.Reasons[0]
			}
			s.diagnostic("warning", "Object is unknown", detail, key, c.Address)
		}
	}
	for _, g := range part.Guards {
		detail := g.Text
		if g.Cure != "" {
			detail += "\n\nTo let it pass:\n\n" + g.Cure
		}
		address := ""
		if len(g.Addresses) == 1 {
			address = g.Addresses[0]
		}
		s.diagnostic("warning", "Held by a guard: "+g.Name, detail, key, address)
	}
	for _, w := range part.Waits {
		s.diagnostic("warning", "Waiting", w.Text, key, w.Address)
	}
	s.urgent(part)
}

// urgent warns of what a person must not miss: who stops receiving, by the plan or by the vendor's own sync, the limits that
// the latter exceeds, and what nobody but a person can decide.
func (s *stream) urgent(part *planner.Part) {
	key := part.Tenant.Key
	if f := forecastOf(part); f != nil && len(f.Stops) > 0 {
		var lines []string
		for _, stop := range f.Stops {
			lines = append(lines, stop.Address+": "+stop.Why)
		}
		s.diagnostic("warning", "Stops receiving", strings.Join(lines, "\n"), key, "")
	}
	if v := newHostedView(part.Hosted); v != nil {
		for _, text := range v.Risks {
			s.diagnostic("warning", "The vendor's own sync exceeds the safeguard", text, key, "")
		}
		var lines []string
		for _, stop := range v.Stops {
			lines = append(lines, stop.Address+": "+stopText(stop))
		}
		if len(lines) > 0 && part.Hosted.Suspended == "" {
			s.diagnostic("warning", "Stops receiving by the vendor's own sync", strings.Join(lines, "\n"), key, "")
		}
	}
	if part.Accounts == nil {
		return
	}
	for _, u := range part.Accounts.Undecided {
		var lines []string
		for _, r := range u.Reasons {
			lines = append(lines, reasonText(r))
		}
		detail := strings.Join(lines, "; ")
		if len(u.Blocks) > 0 {
			detail += "\n\nWrite one of these:\n\n" + strings.Join(u.Blocks, "\n\n")
		}
		s.diagnostic("warning", "A person must decide", u.Address+": "+detail, key, "")
	}
}

func (s *stream) summary(t planner.Summary, outputs int) {
	add, change, remove := t.Add, t.Change, t.Destroy
	for a, n := range t.Accounts {
		switch a {
		case dirsync.Add:
			add += n
		case dirsync.Delete:
			remove += n
		default:
			change += n
		}
	}
	s.write("info", "Plan: "+counts(t, outputs)+".", "change_summary", map[string]any{
		"changes": map[string]any{"add": add, "change": change, "import": t.Adopt + t.Linked, "remove": remove, "operation": "plan"},
		"weir":    jsonSummary(t),
	})
}
