package planner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// A sync is planned and applied like everything else, on the same objects and by the same code. Only where the blocks come
// from differs: Evaluate hands out what state remembers of them instead of what the files say, and asApplied takes out of
// each change what is not the directory's or the clock's doing.

// Evaluate visits the blocks in order of dependency: those of the files, or in a sync what state remembers of those that
// concern one. Tenant, Data and Known of e are filled in.
func (req *Request) Evaluate(ctx context.Context, e config.EvalRequest) (*config.Evaluation, hcl.Diagnostics) {
	if req.Sync {
		return req.remembered(ctx, e)
	}
	e.Tenant, e.Data, e.Known = req.Selected, req.Data, req.Known
	return req.Frame.Evaluate(ctx, e)
}

// buildSync plans a tenant under what was applied to it last.
func buildSync(ctx context.Context, part *Part, req *Request) (*Part, hcl.Diagnostics) {
	objects, evaluation, _, diags := part.evaluate(ctx, req, nil)
	if demanded := slices.Sorted(maps.Keys(objects.demanded)); len(demanded) > 0 {
		objects, evaluation, _, diags = part.evaluate(ctx, req, demanded)
		part.Reissue = demanded
	}
	for address, why := range evaluation.Skipped {
		part.Problems = append(part.Problems, fmt.Sprintf("%s: %s", address, why))
	}
	sort.Strings(part.Problems)
	part.Drifted, part.Waits, part.Notes = req.drifted, req.waits, append(part.Notes, req.notes...)
	if part.guardCloud(req) {
		part.conclude(diags)
		return part, diags
	}
	removals := part.removals(req)
	part.accounts(req, objects, removals)
	part.holdRemovals(req, removals)
	part.guard(req)
	part.withhold()
	part.forecast(req)
	part.conclude(diags)
	return part, diags
}

// SyncTypes are the types of the objects in state that a sync has to read: what accounts depend on, what issues secrets,
// and whatever refers to that. Sorted.
func SyncTypes(registry *resource.Registry, prior *state.State) []string {
	types := map[string]bool{}
	issuers := issuers(registry, prior)
	for _, obj := range prior.Objects {
		if obj.Type == "sync_policy" {
			types["domain"] = true // whoever manages the domains: an address in one that was not read would count as one that nobody can have
		}
		switch {
		case obj.Type == "sync_policy" && text(obj.Values, "engine") == dirsync.EngineEssentials:
			types[obj.Type], types["exemption"] = true, true // what the vendor's sync leaves alone decides too (R40)
		case obj.Type == "tenant", obj.Type == "domain", obj.Type == "sync_policy", obj.Type == "exemption", issuers[obj.Address] != "":
			types[obj.Type] = true
		case slices.ContainsFunc(obj.Dependencies, func(d string) bool { return issuers[d] != "" }):
			types[obj.Type] = true
		}
	}
	return slices.Sorted(maps.Keys(types))
}

// issuers gives, by address, the attribute in which an object in state issues a secret.
func issuers(registry *resource.Registry, prior *state.State) map[string]string {
	out := map[string]string{}
	for address, obj := range prior.Objects {
		t := registry.Type(obj.Type)
		if t == nil {
			continue
		}
		for i := range t.Attributes {
			if a := &t.Attributes[i]; a.Computed && a.Type == resource.SecretType && obj.Versions[a.Name] != "" {
				out[address] = a.Name
			}
		}
	}
	return out
}

// remembered visits the objects in state that concern a sync: the policy, exemptions, what issues a secret and what refers
// to that.
func (req *Request) remembered(ctx context.Context, e config.EvalRequest) (*config.Evaluation, hcl.Diagnostics) {
	out := &config.Evaluation{Skipped: map[string]string{}, Unknown: map[string]string{}}
	issuers := issuers(req.Registry, req.Prior)
	var order []*state.Object
	for _, address := range req.Prior.Addresses() {
		obj := req.Prior.Objects[address]
		consumer := slices.ContainsFunc(obj.Dependencies, func(d string) bool { return issuers[d] != "" })
		if req.Registry.Type(obj.Type) != nil && (obj.Type == "sync_policy" || obj.Type == "exemption" || issuers[address] != "" || consumer) {
			order = append(order, obj)
		}
	}
	// Issuers first: nothing that issues a secret refers to what uses one.
	slices.SortStableFunc(order, func(a, b *state.Object) int {
		switch first, second := issuers[a.Address] != "", issuers[b.Address] != ""; {
		case first == second:
			return 0
		case first:
			return -1
		}
		return 1
	})
	var diags hcl.Diagnostics
	values := map[string]cty.Value{}
	for _, obj := range order {
		inst, err := req.instance(obj, issuers, values)
		if err != nil {
			out.Skipped[obj.Address] = err.Error()
			continue
		}
		v, d := e.Visit(ctx, inst)
		diags = append(diags, d...)
		values[obj.Address] = v
		out.Visited = append(out.Visited, obj.Address)
	}
	return out, diags
}

// instance is an object in state as its block was when it was applied. values are the planned or applied ones of what was
// visited before.
func (req *Request) instance(obj *state.Object, issuers map[string]string, values map[string]cty.Value) (*config.Instance, error) {
	address, err := resource.ParseAddress(obj.Address)
	if err != nil {
		return nil, fmt.Errorf("state names an object that is no address: %w", err)
	}
	t := req.Registry.Type(obj.Type)
	written, err := arguments(t.Attributes, obj.Values)
	if err != nil {
		return nil, fmt.Errorf("what was applied cannot be read back: %w", err)
	}
	resource.Walk(t.Attributes, func(path string, a *resource.Attribute) {
		if !a.WriteOnly || obj.Versions[path] == "" || strings.HasPrefix(obj.Versions[path], "hmac:") {
			return
		}
		for _, d := range obj.Dependencies {
			issuer := values[d]
			if issuers[d] == "" || issuer == cty.NilVal || req.Observed.Objects[req.Prior.Objects[d].Type].Err != nil {
				continue
			}
			written = resource.With(written, path, resource.Get(issuer, issuers[d]))
			written = along(written, path, issuer, req.Prior.Objects[d])
		}
	})
	protect := obj.PreventDestroy
	return &config.Instance{Address: address, Type: t, Config: written, Dependencies: obj.Dependencies, Lifecycle: config.Lifecycle{PreventDestroy: &protect}}, nil
}

// along lets what stands beside a secret (the client id, when it ends) follow its issuer, where it was the issuer's value
// when it was applied, or where an earlier secret did not arrive, and so nor did what belongs to it.
func along(written cty.Value, secret string, issuer cty.Value, was *state.Object) cty.Value {
	i := strings.LastIndexByte(secret, '.')
	if i < 0 {
		return written
	}
	for name := range resource.Get(written, secret[:i]).Type().AttributeTypes() {
		path := secret[:i+1] + name
		have, before, now := resource.Get(written, path), resource.Get(was.Values, name), resource.Get(issuer, name)
		if path == secret || have == cty.NilVal || before == cty.NilVal || now == cty.NilVal || !now.Type().Equals(have.Type()) {
			continue
		}
		if !have.IsNull() && (have.RawEquals(before) || len(was.Undelivered) > 0) {
			written = resource.With(written, path, now)
		}
	}
	return written
}

// arguments is the configuration that a stored value was applied from: what is computed, and secrets, are null.
func arguments(table []resource.Attribute, stored cty.Value) (cty.Value, error) {
	members := map[string]cty.Value{}
	for i := range table {
		a := &table[i]
		want := a.ValueType()
		members[a.Name] = cty.NullVal(want)
		if stored == cty.NilVal || stored.IsNull() || !a.Argument() || a.Type == resource.SecretType {
			continue
		}
		v := resource.Get(stored, a.Name)
		if v == cty.NilVal || v.IsNull() {
			continue
		}
		var err error
		switch {
		case len(a.Nested) > 0:
			v, err = arguments(a.Nested, v)
		case a.Type == directory.PredicateType:
			v, err = predicate(v)
		default:
			v, err = convert.Convert(v, want)
		}
		if err != nil {
			return cty.NilVal, fmt.Errorf("%s: %w", a.Name, err)
		}
		members[a.Name] = v
	}
	return cty.ObjectVal(members), nil
}

// predicate compiles the text in which state keeps one.
func predicate(text cty.Value) (cty.Value, error) {
	if text.Type() != cty.String {
		return cty.NilVal, fmt.Errorf("it is a %s and no predicate", text.Type().FriendlyName())
	}
	p, diags := config.ParsePredicate(text.AsString())
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	return directory.PredicateValue(p), nil
}

// asApplied takes out of a change what a sync does not do. What is left is whom an exemption stands for, and a secret that
// is due with what is written along with it; what somebody changed stays as it is found, and as it is remembered.
func asApplied(c *Change, t *resource.Type, prior *state.Object) {
	c.Sensitive = prior.Sensitive
	c.Action, c.Cause = NoOp, Configuration
	if c.Before == cty.NilVal {
		// It is gone at the vendor. What refers to it sees it as it was.
		c.Paths, c.Reasons, c.Forced = nil, nil, false
		return
	}
	renews := renews(c, t, prior)
	var groups []string
	for _, p := range c.Paths {
		if i := strings.LastIndexByte(p.Path, '.'); p.WriteOnly && i > 0 {
			groups = append(groups, p.Path[:i])
		}
	}
	var kept []PathChange
	for _, p := range c.Paths {
		switch {
		case p.WriteOnly, under(p.Path, groups):
		case renews && !p.After.IsWhollyKnown():
		case t.Name == "exemption" && p.Path == "protects" && p.Cause == Configuration:
			p.Cause = Directory
		case scheduled(c, p.Path, prior):
			p.Cause = Directory
		case p.Local:
			continue // what state does not remember as applied is of a build that knows more attributes
		default:
			c.Wanted = resource.With(c.Wanted, p.Path, resource.Get(c.Before, p.Path))
			c.Left = append(c.Left, p.Path)
			continue
		}
		kept = append(kept, p)
	}
	c.Paths = kept
	if !renews {
		c.Forced = false
		for i := range t.Attributes {
			if a := &t.Attributes[i]; a.Computed && a.Type == resource.SecretType {
				c.Wanted = resource.With(c.Wanted, a.Name, cty.NullVal(a.Type))
			}
		}
	}
	c.After = overlay(t.Attributes, c.Wanted, c.Before, prior.Values)
	if len(kept) > 0 || renews {
		c.Action, c.Cause = Update, overallCause(kept)
	}
	if c.Action == NoOp {
		c.Reasons = nil
	}
}

// scheduled reports whether the path is the schedule of the vendor's own sync, which a sync suspends when the next run would
// exceed the safeguard, and starts again afterwards.
func scheduled(c *Change, path string, prior *state.Object) bool {
	const schedule = "hosted.frequency"
	if path != schedule || text(c.Wanted, "engine") != dirsync.EngineEssentials {
		return false
	}
	wanted := text(c.Wanted, "frequency")
	suspended := text(c.Wanted, schedule) == "never" && wanted != "" && wanted != "never"
	resumed := text(prior.Values, schedule) == "never" && text(c.Before, schedule) == "never" && text(c.Wanted, schedule) == wanted
	return suspended || resumed
}

// renews reports whether the change issues a secret because it is time, or because an earlier one did not arrive. One that
// somebody took away is drift.
func renews(c *Change, t *resource.Type, prior *state.Object) bool {
	due := false
	for i := range t.Attributes {
		a := &t.Attributes[i]
		if w := resource.Get(c.Wanted, a.Name); a.Computed && a.Type == resource.SecretType && w != cty.NilVal && !w.IsKnown() {
			due = true
		}
	}
	if !due || len(prior.Undelivered) > 0 {
		return due
	}
	for i := range t.Attributes {
		// What goes with the secret (its key id, its end) is still as it was issued.
		a := &t.Attributes[i]
		w := resource.Get(c.Wanted, a.Name)
		if a.Computed && a.Type != resource.SecretType && w != cty.NilVal && !w.IsKnown() && !sameBy(a, resource.Get(c.Before, a.Name), resource.Get(prior.Values, a.Name)) {
			return false
		}
	}
	return true
}

// safeguard are the root's limits: those of the files, or in a sync those that were applied. A state that was written
// before they were remembered goes by the files.
func (req *Request) safeguard() cty.Value {
	if req.Sync && req.Prior != nil && req.Prior.Applied.Known {
		return req.Prior.Applied.Safeguard
	}
	if req.Frame == nil {
		return cty.NilVal
	}
	return req.Frame.Safeguard
}

// AppliedSafeguard are the root's limits as state remembers them.
func (req *Request) AppliedSafeguard() cty.Value {
	v := req.safeguard()
	if v == cty.NilVal || v.IsNull() || !v.IsWhollyKnown() {
		return cty.NilVal
	}
	return Stored(v)
}

// unremembered reports whether an apply has to remember other limits of the root than state does.
func (req *Request) unremembered() bool {
	if req.Sync || req.Prior == nil || !req.Prior.Stored() {
		return false
	}
	now := state.Applied{Safeguard: req.AppliedSafeguard(), Known: true, Synced: req.Prior.Applied.Synced}
	return req.Prior.Applied.Known && !now.Equal(req.Prior.Applied)
}

// syncDomains are the domains that the organization has. Those that could not be read are taken to be as applied.
func (req *Request) syncDomains() []dirsync.Domain {
	relay := map[string]bool{}
	reading := req.Observed.Objects["domain"]
	if reading.Err != nil {
		for _, obj := range req.Prior.Objects {
			if obj.Type == "domain" {
				relay[strings.ToLower(text(obj.Values, "name"))] = text(obj.Values, "purpose") == "relay"
			}
		}
	}
	for _, l := range reading.Live {
		relay[strings.ToLower(text(l.Value, "name"))] = text(l.Value, "purpose") == "relay"
	}
	var out []dirsync.Domain
	for _, name := range slices.Sorted(maps.Keys(relay)) {
		out = append(out, dirsync.Domain{Name: name, Relay: relay[name]})
	}
	return out
}
