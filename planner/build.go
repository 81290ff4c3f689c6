package planner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// Request is everything that one tenant's part is planned from.
type Request struct {
	// Registry holds the types, also of objects whose block is gone.
	Registry *resource.Registry
	// Settings is the weir block.
	Settings config.Settings
	// Tenant identifies it, Address is its block ("" for the root's own objects).
	Tenant  resource.Identity
	Address string
	// Frame and Selected evaluate its blocks; Frame nil plans a tenant that no block claims any more.
	Frame    *config.Frame
	Selected *config.Tenant
	// Data answers data reads.
	Data func(ctx context.Context, read config.DataRead) (cty.Value, error)
	// Known are values of tenants' objects that root outputs refer to, by address; root only.
	Known map[string]cty.Value
	// Prior is the state; nil or never stored for a tenant without one.
	Prior *state.State
	// Observed is what the vendors have.
	Observed *Observation
	// Facts answers questions about the directory; nil when it was not read.
	Facts resource.DirectoryFacts
	// SecretVersion gives the version of a secret reference's present value, or an error when it cannot be had.
	SecretVersion func(*resource.SecretRef) (string, error)
	// Destroy plans to take everything down; IncludeAdopted also what was found.
	Destroy, IncludeAdopted bool
	// Targets and Excludes select addresses; Replace names addresses to replace.
	Targets, Excludes, Replace []string
	// LeftOut are accounts, by address, that a person left out of this run, besides the skips in Prior.
	LeftOut []string
	// AcceptRemovals is the exact number of removals that may pass above the limit; -1 none.
	AcceptRemovals int
	// Sync plans what the directory asks for, under what was applied last, and nothing else: the files are not evaluated.
	// Frame gives nothing but the tenants' surroundings then, and Selected is nil.
	Sync bool
	// Now is the time of the plan.
	Now time.Time
	// Inquire, when given, is told once what the decisions about accounts rest on.
	Inquire func(Inquiry)

	inquired bool
	// suspend is why the vendor's own sync must not run by itself, risk why it should not according to this plan; "" when it
	// may.
	suspend, risk string
	drifted       []*Change
	waits         []Wait
	notes         []string
	// moved gives, by new address, the one under which state has the object.
	moved map[string]string
}

// Build plans one tenant. Diagnostics with errors come with a part of status Errored. The part is deterministic: equal
// requests give equal parts.
func Build(ctx context.Context, req Request) (*Part, hcl.Diagnostics) {
	original := req
	part := &Part{Tenant: req.Tenant, Address: req.Address, Status: Ready, Values: map[string]cty.Value{}}
	if req.Prior != nil {
		part.Serial, part.Lineage = req.Prior.Serial, req.Prior.Lineage
	}
	part.Proofs = proofs(req.Observed)
	part.registered = registered(req.Observed)
	part.Problems = problems(req.Observed)
	if req.Observed.Directory != nil {
		part.Notes = append(part.Notes, req.Observed.Directory.Notes...)
	}
	if d := identityChanged(&req); d != nil {
		part.Status, part.Errors = Errored, []string{d.Summary + ": " + d.Detail}
		return part, hcl.Diagnostics{d}
	}
	if req.Sync {
		part, diags := buildSync(ctx, part, &req)
		if req.risk != "" && req.suspend == "" {
			original.suspend, original.inquired = req.risk, req.inquired
			return Build(ctx, original)
		}
		return part, diags
	}
	moves := part.move(&req)

	objects, evaluation, visited, diags := part.evaluate(ctx, &req, nil)
	if demanded := slices.Sorted(maps.Keys(objects.demanded)); len(demanded) > 0 {
		// A secret issued by an earlier run has to be written again, and only its issuer can give a new one: once more,
		// with that in mind.
		objects, evaluation, visited, diags = part.evaluate(ctx, &req, demanded)
		part.Reissue = demanded
	}
	if evaluation != nil {
		part.unevaluated = unevaluated(evaluation)
		for address, needs := range evaluation.Skipped {
			part.Problems = append(part.Problems, fmt.Sprintf("%s was not planned, because %s could not be", address, needs))
		}
		for block, why := range evaluation.Unknown {
			part.Problems = append(part.Problems, fmt.Sprintf("the instances of %s are unknown: %s", block, why))
		}
		part.Files = evaluation.Files
		diags = append(diags, moves.check(&req, visited)...)
		if req.Tenant.Key == "" && !diags.HasErrors() {
			part.Outputs = outputs(req.Prior, evaluation.Outputs)
		}
	}
	if req.Destroy && req.Tenant.Key == "" {
		part.Outputs = outputs(req.Prior, nil)
	}
	sort.Strings(part.Problems)
	part.Drifted, part.Waits, part.Notes = req.drifted, req.waits, append(part.Notes, req.notes...)

	part.orphans(&req, objects, evaluation, visited, moves)
	part.guardExclusive()
	if part.guardCloud(&req) {
		part.conclude(diags)
		return part, diags
	}
	removals := part.removals(&req)
	part.accounts(&req, objects, removals)
	if req.risk != "" && req.suspend == "" {
		// The schedule of the vendor's own sync is planned as Never: once more, with that in mind.
		original.suspend, original.inquired = req.risk, req.inquired
		return Build(ctx, original)
	}
	part.holdRemovals(&req, removals)
	part.inquire(&req, nil)
	part.guard(&req)
	if req.Destroy {
		part.guardDestroy(&req)
	}
	if !selectItems(part, &req) {
		part.Notes = append(part.Notes, "the selection leaves nothing of this tenant")
	}
	part.withhold()
	part.holdHomeless()
	part.forgotten(&req, visited)
	part.forecast(&req)
	part.conclude(diags)
	return part, diags
}

// conclude counts what needs no change apart, and says what is to become of the part.
func (p *Part) conclude(diags hcl.Diagnostics) {
	p.Changes, p.Unchanged = settled(p.Changes)
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			p.Errors = append(p.Errors, d.Summary+": "+d.Detail)
		}
	}
	switch {
	case len(p.Errors) > 0:
		p.Status = Errored
	case len(p.Guards) > 0:
		p.Status = Held
	}
}

// evaluate plans every block. reissue are the objects that must issue their secrets anew.
func (p *Part) evaluate(ctx context.Context, req *Request, reissue []string) (*Objects, *config.Evaluation, map[string]*Change, hcl.Diagnostics) {
	objects := NewObjects(req).Reissue(reissue).Suspend(req.suspend)
	visited := map[string]*Change{}
	p.Changes, p.Values = nil, map[string]cty.Value{}
	req.drifted, req.waits, req.notes = nil, nil, nil
	if req.Frame == nil || req.Destroy {
		return objects, nil, visited, nil
	}
	evaluation, diags := req.Evaluate(ctx, config.EvalRequest{
		Visit: func(_ context.Context, inst *config.Instance) (cty.Value, hcl.Diagnostics) {
			change, diags := objects.Plan(inst)
			if change == nil {
				return cty.UnknownVal(inst.Type.Object()), diags
			}
			visited[change.Address] = change
			p.Changes = append(p.Changes, change)
			p.Values[change.Address] = change.After
			return change.After, diags
		},
	})
	return objects, evaluation, visited, diags
}

// orphans plans what becomes of objects in state that no block claims: created ones are deleted, adopted ones
// released, unless a removed block says otherwise. Where evaluation could not tell, nothing happens.
func (p *Part) orphans(req *Request, objects *Objects, evaluation *config.Evaluation, visited map[string]*Change, moves *moves) {
	if req.Prior == nil {
		return
	}
	var gone []*Change
	for _, address := range req.Prior.Addresses() {
		if visited[address] != nil {
			continue
		}
		parsed, err := resource.ParseAddress(address)
		if err != nil {
			p.Problems = append(p.Problems, fmt.Sprintf("state names an object %q that is no address: %v", address, err))
			continue
		}
		if evaluation != nil {
			if _, skipped := evaluation.Skipped[address]; skipped {
				continue
			}
			if _, unknown := evaluation.Unknown[parsed.Block()]; unknown {
				continue
			}
		}
		if to := moves.stuck[address]; to != "" && !removed(evaluation, parsed) {
			p.guardMove(address, to)
			continue
		}
		gone = append(gone, p.orphan(req, objects, req.Prior.Objects[address], parsed, evaluation))
	}
	p.Changes = append(p.Changes, reverseOrder(req.Registry, gone)...)
}

func (p *Part) orphan(req *Request, objects *Objects, obj *state.Object, address resource.Address, evaluation *config.Evaluation) *Change {
	c := &Change{
		Address: obj.Address, Type: obj.Type, ID: resource.ObjectID(obj.ID), Created: obj.Ownership == state.Created,
		Before: obj.Values, After: cty.NilVal, Cause: Configuration, Dependencies: obj.Dependencies,
		PreventDestroy: obj.PreventDestroy, Sensitive: obj.Sensitive, From: req.moved[obj.Address],
	}
	if c.From != "" {
		c.Reasons = append(c.Reasons, "a moved block gives it an address that the configuration does not declare")
	}
	t := req.Registry.Type(obj.Type)
	destroy, told := c.Created, false
	if req.Destroy {
		destroy, told = c.Created || req.IncludeAdopted, true
	}
	if evaluation != nil {
		for _, r := range evaluation.Removed {
			if r.Names(address) {
				destroy, told = r.Destroy, true
			}
		}
	}
	if t == nil {
		c.Action = Release
		c.Reasons = append(c.Reasons, fmt.Sprintf("this version of Weir does not know the type %q", obj.Type))
		return c
	}
	if reading, asked := req.Observed.Objects[obj.Type]; reading.Err != nil || !asked {
		c.Action = Unknown
		c.Reasons = append(c.Reasons, "its block is gone, but it could not be read, so nothing is done about it")
		return c
	} else if t.Project == nil {
		live, found := resource.Live{}, false
		for _, l := range reading.Live {
			if l.ID == c.ID {
				live, found = l, true
			}
		}
		if !found && invisible(obj, req.Now) {
			c.Action = Unknown
			c.Reasons = append(c.Reasons, "its block is gone, and it was made so lately that the vendor may not show it yet, so nothing is done about it")
			return c
		}
		if !found {
			c.Action, c.Gone = Release, true
			c.Reasons = append(c.Reasons, "its block is gone and so is the object; only the memory of it is removed")
			return c
		}
		c.Before, c.Name = live.Value, live.Name
	}
	switch {
	case !destroy || t.Undeletable && t.Delete == nil:
		c.Action = Release
		c.Reasons = append(c.Reasons, releaseReason(c.Created, told, t))
	default:
		if obj.Type == "tenant" {
			if ok, why := accounted(req); !ok {
				c.Action = Release
				c.Reasons = append(c.Reasons, "the organization is released instead of deleted: "+why)
				return c
			}
		}
		c.Action = Delete
		if req.Destroy {
			break
		}
		c.Reasons = append(c.Reasons, "its block is gone")
		if c.PreventDestroy && !told {
			c.Held = "prevent_destroy was set on it"
			p.Guards = append(p.Guards, Guard{
				Name: "prevent_destroy", Addresses: []string{c.Address},
				Text: fmt.Sprintf("%s is protected against deletion, and its block is gone", c.Address),
				Cure: fmt.Sprintf("removed {\n  from    = %s\n  destroy = true # or false, to let it live on unmanaged\n}", c.Address),
			})
		}
	}
	return c
}

func releaseReason(created, told bool, t *resource.Type) string {
	switch {
	case t.Undeletable:
		return "its block is gone; the vendor's object stays as it is"
	case told && created:
		return "released as the removed block says; the object stays as it is"
	case told:
		return "Weir found this object, it did not make it: it is released and stays as it is"
	default:
		return "its block is gone; Weir found this object, it did not make it, so it is released and stays as it is"
	}
}

// withhold keeps back what depends on an item that is held, failed to be read, or itself kept back.
func (p *Part) withhold() {
	blocked := map[string]string{}
	for _, c := range p.Changes {
		if c.Action == Unknown {
			blocked[c.Address] = c.Address
			continue
		}
		goes := c.Action == Delete || c.Action == Release
		if c.Held != "" && !goes {
			blocked[c.Address] = c.Address
			continue
		}
		for _, d := range c.Dependencies {
			if by, ok := blocked[d]; ok && !goes && dependsOnUnknown(c) {
				c.Skipped = by
				blocked[c.Address] = by
				break
			}
		}
	}
}

// dependsOnUnknown reports whether the change cannot be carried out without what it depends on: a change all of whose
// wanted values are known can go on although a neighbour could not be read.
func dependsOnUnknown(c *Change) bool {
	return c.Wanted != cty.NilVal && !c.Wanted.IsWhollyKnown() || c.Action == Create || c.Action == DeleteCreate || c.Action == CreateDelete
}

// settled drops what does not change and counts it.
func settled(changes []*Change) ([]*Change, int) {
	unchanged := 0
	kept := changes[:0]
	for _, c := range changes {
		if c.Action == NoOp {
			unchanged++
			continue
		}
		kept = append(kept, c)
	}
	return kept, unchanged
}

// forgotten notes the operations in doubt whose object neither a block nor state names: it may exist.
func (p *Part) forgotten(req *Request, visited map[string]*Change) {
	if req.Prior == nil || len(req.Targets)+len(req.Excludes) > 0 {
		return
	}
	for _, d := range req.Prior.Doubts() {
		if d.Mail != "" || visited[d.Address] != nil || req.Prior.Objects[d.Address] != nil {
			continue
		}
		p.Notes = append(p.Notes, fmt.Sprintf("an earlier run ended while it was about to %s %s (%s), whose block is gone: look whether it exists, since nothing manages it", d.Action, d.Address, d.NaturalKey))
	}
}

// reverseOrder sorts objects that go: dependants before what they depend on, and types in reverse of the order in
// which they are applied, whatever lies between them.
func reverseOrder(registry *resource.Registry, changes []*Change) []*Change {
	rank := map[string]int{}
	for i, t := range registry.Types() {
		rank[t.Name] = i
	}
	needs := map[string][]string{}
	precede := Precede(registry)
	for _, c := range changes {
		needs[c.Address] = slices.Clone(c.Dependencies)
		for _, other := range changes {
			if precede[c.Type][other.Type] {
				needs[c.Address] = append(needs[c.Address], other.Address)
			}
		}
	}
	depth := map[string]int{}
	var measure func(address string, seen map[string]bool) int
	measure = func(address string, seen map[string]bool) int {
		if d, ok := depth[address]; ok {
			return d
		}
		if seen[address] {
			return 0
		}
		seen[address] = true
		d := 0
		for _, n := range needs[address] {
			if _, ok := needs[n]; ok {
				d = max(d, measure(n, seen)+1)
			}
		}
		depth[address] = d
		return d
	}
	for _, c := range changes {
		measure(c.Address, map[string]bool{})
	}
	slices.SortStableFunc(changes, func(a, b *Change) int {
		if d := depth[b.Address] - depth[a.Address]; d != 0 {
			return d
		}
		if d := rank[b.Type] - rank[a.Type]; d != 0 {
			return d
		}
		if a.Address < b.Address {
			return -1
		}
		return 1
	})
	return changes
}

func outputs(prior *state.State, now map[string]config.Output) []OutputChange {
	var changes []OutputChange
	var before map[string]state.Output
	if prior != nil {
		before = prior.Outputs
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		after, _ := now[name].Value.UnmarkDeep()
		old := before[name].Value
		if old != cty.NilVal && after.IsWhollyKnown() && old.RawEquals(after) {
			continue
		}
		changes = append(changes, OutputChange{Name: name, Before: old, After: after, Sensitive: now[name].Sensitive})
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, declared := now[name]; !declared {
			changes = append(changes, OutputChange{Name: name, Before: before[name].Value, After: cty.NilVal, Sensitive: before[name].Sensitive})
		}
	}
	return changes
}
