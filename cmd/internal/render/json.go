package render

import (
	"io"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
)

// JSON writes a plan as the document that Terraform's show -json prints, so that tools and policies for it work: its
// field names, its action words. Objects and derived accounts appear only when they change; what is unknown or waits is
// under deferred_changes; Weir's own facts stand under "weir", of the document and of each change. Sensitive values are
// null and marked.
func JSON(w io.Writer, p *planner.Plan, o Options) error {
	changes, drift, deferred := []any{}, []any{}, []any{}
	outputs := map[string]any{}
	var planned []placed
	parts := []any{}
	complete, errored := len(p.Targets)+len(p.Excludes) == 0, false
	for _, part := range p.Parts {
		parts = append(parts, jsonPart(part))
		errored = errored || part.Status == planner.Errored
		complete = complete && part.Status == planner.Ready && part.Readable()
		for _, c := range part.Changes {
			switch c.Action {
			case planner.NoOp:
				continue
			case planner.Unknown:
				complete = false
				deferred = append(deferred, map[string]any{"reason": "unknown", "resource_change": jsonChange(part, c)})
				continue
			}
			changes = append(changes, jsonChange(part, c))
			if c.After != cty.NilVal && c.Action != planner.Delete && c.Action != planner.Release {
				planned = append(planned, jsonPlanned(c))
			}
		}
		if part.Accounts != nil {
			for i := range part.Accounts.Decisions {
				d := &part.Accounts.Decisions[i]
				changes = append(changes, jsonDecision(part, d))
				if d.Cause == dirsync.CauseDrift {
					drift = append(drift, jsonDriftedAccount(part, d))
				}
			}
		}
		for _, wait := range part.Waits {
			complete = false
			deferred = append(deferred, jsonWait(part, wait))
		}
		for _, c := range part.Drifted {
			drift = append(drift, jsonDrift(part, c))
		}
		for _, o := range part.Outputs {
			outputs[o.Name] = jsonOutputChange(o)
		}
	}
	variables := map[string]any{}
	for name, v := range p.Variables {
		value := jsonValue(v, nil)
		if p.Sensitive[name] {
			value = nil
		}
		variables[name] = map[string]any{"value": value}
	}
	doc := map[string]any{
		"format_version": "1.2", "terraform_version": terraformVersion, "timestamp": stamp(p.Created), "variables": variables,
		"planned_values": map[string]any{"root_module": modules(planned)}, "resource_changes": changes, "resource_drift": drift,
		"output_changes": outputs, "configuration": map[string]any{}, "complete": complete, "errored": errored, "applyable": applicable(p),
		"prior_state": map[string]any{"format_version": "1.0", "terraform_version": terraformVersion},
		"weir": map[string]any{
			"version": p.Version, "id": p.ID, "realm": p.Realm, "lineage": p.Lineage, "digest": p.Digest, "destroy": p.Destroy,
			"targets": orEmptyList(p.Targets), "excludes": orEmptyList(p.Excludes), "tenants": orEmptyList(p.Tenants), "parts": parts,
		},
	}
	if !o.Approved.At.IsZero() {
		doc["weir"].(map[string]any)["approved"] = map[string]any{"at": stamp(o.Approved.At), "by": o.Approved.By}
	}
	if len(deferred) > 0 {
		doc["deferred_changes"] = deferred
	}
	return writeJSON(w, doc)
}

// terraformActions are Terraform's words for an action.
func terraformActions(c *planner.Change) []string {
	switch c.Action {
	case planner.Create:
		return []string{"create"}
	case planner.Delete:
		return []string{"delete"}
	case planner.DeleteCreate:
		return []string{"delete", "create"}
	case planner.CreateDelete:
		return []string{"create", "delete"}
	case planner.Release:
		return []string{"forget"}
	case planner.Adopt, planner.Move:
		if len(c.Paths) == 0 {
			return []string{"no-op"}
		}
		return []string{"update"}
	case planner.Update:
		return []string{"update"}
	}
	return []string{"no-op"}
}

// jsonFrame is what every resource change begins with.
func jsonFrame(address, typ string) map[string]any {
	at := placeOf(address)
	if typ == "" {
		typ = at.Type
	}
	r := map[string]any{"address": address, "mode": "managed", "type": typ, "name": at.Name, "provider_name": providerName}
	if at.Module != "" {
		r["module_address"] = at.Module
	}
	if at.Index != nil {
		r["index"] = at.Index
	}
	return r
}

func jsonChange(part *planner.Part, c *planner.Change) map[string]any {
	r := jsonFrame(c.Address, c.Type)
	after := c.After
	if c.Action == planner.Delete || c.Action == planner.Release {
		after = cty.NilVal
	}
	sensitive := sensitiveOf(c)
	change := map[string]any{
		"actions": terraformActions(c), "before": jsonValue(c.Before, sensitive), "after": jsonValue(after, sensitive),
		"after_unknown": jsonTree(after, unknownLeaf), "before_sensitive": jsonTree(c.Before, sensitiveLeaf(sensitive)),
		"after_sensitive": jsonTree(after, sensitiveLeaf(sensitive)),
	}
	if c.Action == planner.DeleteCreate || c.Action == planner.CreateDelete {
		paths := [][]string{}
		for _, p := range c.Paths {
			if p.Forces {
				paths = append(paths, strings.Split(p.Path, "."))
			}
		}
		change["replace_paths"] = paths
		r["action_reason"] = "replace_because_cannot_update"
		if len(paths) == 0 {
			r["action_reason"] = "replace_by_request"
		}
	}
	if c.Action == planner.Delete {
		r["action_reason"] = "delete_because_no_resource_config"
	}
	if c.Action == planner.Adopt {
		change["importing"] = map[string]any{"id": string(c.ID)}
	}
	if c.From != "" {
		r["previous_address"] = c.From
	}
	r["change"] = change
	r["weir"] = jsonOurs(part, c)
	return r
}

// sensitiveOf are the paths of a change whose values are shown nowhere: the sensitive and the write-only ones.
func sensitiveOf(c *planner.Change) []string {
	paths := slices.Clone(c.Sensitive)
	for _, p := range c.Paths {
		if p.Sensitive || p.WriteOnly {
			paths = append(paths, p.Path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// jsonOurs is what only Weir knows of a change.
func jsonOurs(part *planner.Part, c *planner.Change) map[string]any {
	paths := []any{}
	for _, p := range c.Paths {
		e := map[string]any{"path": p.Path, "cause": p.Cause}
		if p.Label != "" {
			e["label"] = p.Label
		}
		if p.WriteOnly {
			e["write_only"] = true
		}
		if p.Local {
			e["local"] = true
		}
		if p.Forces {
			e["forces_replacement"] = true
		}
		paths = append(paths, e)
	}
	ours := map[string]any{
		"tenant": part.Tenant.Key, "action": c.Action.Word(), "name": c.Name, "id": string(c.ID), "cause": c.Cause,
		"reasons": orEmptyList(c.Reasons), "held": c.Held, "waits_for": c.Skipped, "source": c.Source, "paths": paths,
		"destructive": c.Destructive(), "created_by_weir": c.Created, "dependencies": orEmptyList(c.Dependencies),
	}
	if text := leftOutText(part, c.Address); text != "" {
		ours["left_out"] = text
	}
	return ours
}

func jsonPlanned(c *planner.Change) placed {
	at := placeOf(c.Address)
	sensitive := sensitiveOf(c)
	r := map[string]any{
		"address": c.Address, "mode": "managed", "type": c.Type, "name": at.Name, "provider_name": providerName, "schema_version": 0,
		"values": orObject(jsonValue(c.After, sensitive)), "sensitive_values": jsonTree(c.After, sensitiveLeaf(sensitive)),
	}
	if at.Index != nil {
		r["index"] = at.Index
	}
	return placed{at.Module, r}
}

func jsonDrift(part *planner.Part, c *planner.Change) map[string]any {
	r := jsonFrame(c.Address, c.Type)
	actions := []string{"update"}
	if c.Action == planner.Delete {
		actions = []string{"delete"}
	}
	sensitive := sensitiveOf(c)
	r["change"] = map[string]any{
		"actions": actions, "before": jsonValue(c.Before, sensitive), "after": jsonValue(c.After, sensitive), "after_unknown": map[string]any{},
		"before_sensitive": jsonTree(c.Before, sensitiveLeaf(sensitive)), "after_sensitive": jsonTree(c.After, sensitiveLeaf(sensitive)),
	}
	ours := jsonOurs(part, c)
	ours["action"], ours["repair"] = "drift", repair(part, c.Address, Options{})
	r["weir"] = ours
	return r
}

// jsonDriftedAccount shows a derived account that somebody changed: as Weir wants it, then as it is.
func jsonDriftedAccount(part *planner.Part, d *dirsync.Decision) map[string]any {
	address := planner.AccountAddress(part.AccountPolicy, d.Address)
	r := jsonFrame(address, "account")
	r["change"] = map[string]any{
		"actions": []string{driftAction(d)}, "before": jsonAccount(d.After), "after": jsonAccount(d.Before),
		"after_unknown": map[string]any{}, "before_sensitive": false, "after_sensitive": false,
	}
	ours := jsonDecisionOurs(part, d)
	ours["action"], ours["repair"] = "drift", repair(part, address, Options{})
	r["weir"] = ours
	return r
}

// driftAction is Terraform's word for what somebody did to an account.
func driftAction(d *dirsync.Decision) string {
	if d.Before == nil {
		return "delete"
	}
	return "update"
}

// decisionActions are Terraform's words for an account decision.
func decisionActions(a dirsync.Action) []string {
	switch a {
	case dirsync.Add:
		return []string{"create"}
	case dirsync.Delete:
		return []string{"delete"}
	}
	return []string{"update"}
}

func jsonDecision(part *planner.Part, d *dirsync.Decision) map[string]any {
	r := jsonFrame(planner.AccountAddress(part.AccountPolicy, d.Address), "account")
	r["change"] = map[string]any{
		"actions": decisionActions(d.Action), "before": jsonAccount(d.Before), "after": jsonAccount(d.After),
		"after_unknown": map[string]any{}, "before_sensitive": false, "after_sensitive": false,
	}
	r["weir"] = jsonDecisionOurs(part, d)
	return r
}

func jsonDecisionOurs(part *planner.Part, d *dirsync.Decision) map[string]any {
	ours := map[string]any{
		"tenant": part.Tenant.Key, "action": string(d.Action), "cause": d.Cause, "reasons": jsonReasons(d.Reasons), "held": d.Held,
		"uid": d.UID, "object_id": d.ObjectID, "kind": string(d.Kind), "destructive": d.Destructive, "stops_receiving": orEmptyList(d.Loses),
		"created_by_weir": d.Created, "adopt": d.Adopt,
	}
	if text := leftOutText(part, planner.AccountAddress(part.AccountPolicy, d.Address)); text != "" {
		ours["left_out"] = text
	}
	return ours
}

func jsonReasons(reasons []dirsync.Reason) []any {
	out := []any{}
	for _, r := range reasons {
		e := map[string]any{"text": r.Text}
		if r.Rule != "" {
			e["rule"] = r.Rule
		}
		out = append(out, e)
	}
	return out
}

func jsonAccount(a *directory.Account) any {
	if a == nil {
		return nil
	}
	return map[string]any{
		"address": a.Address, "type": string(a.Type), "active": a.Active, "first_name": a.FirstName, "surname": a.Surname,
		"aliases": orEmptyList(a.Aliases), "billable": a.Billable,
	}
}

func jsonWait(part *planner.Part, wait planner.Wait) map[string]any {
	r := jsonFrame(wait.Address, "")
	r["change"] = map[string]any{
		"actions": []string{"no-op"}, "before": nil, "after": nil, "after_unknown": map[string]any{}, "before_sensitive": false, "after_sensitive": false,
	}
	r["weir"] = map[string]any{"tenant": part.Tenant.Key, "waits": wait.Text}
	return map[string]any{"reason": "deferred_prereq", "resource_change": r}
}

func jsonOutputChange(o planner.OutputChange) map[string]any {
	change := map[string]any{
		"actions": []string{outputAction(o)}, "before": jsonValue(o.Before, nil), "after": jsonValue(o.After, nil), "after_unknown": false,
		"before_sensitive": o.Sensitive, "after_sensitive": o.Sensitive,
	}
	if o.After != cty.NilVal && !o.After.IsWhollyKnown() {
		change["after_unknown"] = true
	}
	if o.Sensitive {
		change["before"], change["after"] = nil, nil
	}
	return change
}

// jsonPart is one tenant's part, without its items.
func jsonPart(part *planner.Part) map[string]any {
	guards, waits, proofs := []any{}, []any{}, []any{}
	for _, g := range part.Guards {
		guards = append(guards, map[string]any{"name": g.Name, "addresses": orEmptyList(g.Addresses), "text": g.Text, "cure": g.Cure})
	}
	for _, w := range part.Waits {
		waits = append(waits, map[string]any{"address": w.Address, "text": w.Text})
	}
	for _, p := range part.Proofs {
		proofs = append(proofs, jsonProof(p))
	}
	out := map[string]any{
		"tenant": part.Tenant.Key, "name": part.Tenant.Name, "primary_domain": part.Tenant.PrimaryDomain, "address": part.Address,
		"status": part.Status, "serial": part.Serial, "unchanged": part.Unchanged, "removed": part.Removed, "guards": guards, "waits": waits,
		"proofs": proofs, "problems": orEmptyList(part.Problems), "notes": orEmptyList(part.Notes), "errors": orEmptyList(part.Errors),
		"summary": jsonSummary(part.Summary()),
	}
	if part.Former != "" {
		out["former_key"] = part.Former
	}
	if len(part.Omissions) > 0 {
		out["left_out"] = jsonLeftOut(part)
	}
	if text := withheld(part); text != "" {
		out["withheld"] = text
	}
	if f := forecastOf(part); f != nil {
		out["forecast"] = jsonForecast(f)
	}
	if a := part.Accounts; a != nil {
		stops, undecided, links := []any{}, []any{}, []any{}
		for _, s := range a.StopsReceiving {
			stops = append(stops, map[string]any{"address": s.Address, "why": s.Why})
		}
		for _, u := range a.Undecided {
			undecided = append(undecided, map[string]any{"address": u.Address, "reasons": jsonReasons(u.Reasons), "blocks": orEmptyList(u.Blocks)})
		}
		for _, l := range a.Links {
			links = append(links, map[string]any{"address": l.Address, "object_id": l.ObjectID})
		}
		skipped := map[string]int{}
		for code, n := range a.SkipCounts {
			skipped[code] = n
		}
		out["accounts"] = map[string]any{
			"policy": part.AccountPolicy, "stops_receiving": stops, "undecided": undecided, "recognised": links, "skipped": skipped,
			"unchanged": a.Unchanged, "strays": orEmptyList(a.Strays), "seats": map[string]int{"before": a.Seats.Before, "after": a.Seats.After},
		}
	}
	if part.Hosted != nil {
		out["hosted_sync"] = jsonHosted(part.Hosted)
	}
	return out
}

func jsonProof(p directory.Proof) map[string]any {
	out := map[string]any{"source": p.Source, "complete": p.Complete, "objects": p.Objects, "pages": p.Pages, "at": stamp(p.At)}
	if p.Count >= 0 {
		out["count"] = p.Count
	}
	if p.Hash != "" {
		out["sha256"] = p.Hash
	}
	if p.Problem != "" {
		out["problem"] = p.Problem
	}
	if b := p.Base; b != nil {
		out["changed"], out["continued"] = p.Changed, p.Continued
		out["base"] = map[string]any{"generation": b.Generation, "hash": b.Hash, "objects": b.Objects, "at": stamp(b.At), "full": stamp(b.Full)}
	}
	if len(p.Parts) > 0 {
		parts := []any{}
		for _, part := range p.Parts {
			parts = append(parts, jsonProof(part))
		}
		out["parts"] = parts
	}
	return out
}

func jsonSummary(s planner.Summary) map[string]any {
	accounts := map[string]int{}
	for a, n := range s.Accounts {
		accounts[string(a)] = n
	}
	return map[string]any{
		"add": s.Add, "change": s.Change, "destroy": s.Destroy, "adopt": s.Adopt, "move": s.Move, "release": s.Release, "held": s.Held, "unknown": s.Unknown,
		"accounts": accounts, "accounts_held": s.AccountsHeld, "recognised": s.Linked,
	}
}
