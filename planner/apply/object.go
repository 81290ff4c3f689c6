package apply

import (
	"context"
	"errors"
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// object applies one declared object and returns the value that references to it see from now on.
func (r *run) object(ctx context.Context, inst *config.Instance) (cty.Value, error) {
	r.planMu.Lock()
	now, diags := r.objects.Plan(inst)
	r.planMu.Unlock()
	if diags.HasErrors() {
		r.fail(inst.Address.String(), "plan", diags)
		return cty.UnknownVal(inst.Type.Object()), diags
	}
	planned := r.part[now.Address]
	if planned == nil {
		if now.Action == planner.NoOp && now.Before != cty.NilVal {
			r.upToDate(now.Address)
			return now.After, r.settle(ctx, now.Address)
		}
		// The plan had nothing to do here, or a selection left it out; what turned up since was not reviewed. Doubts about
		// it stay: what could not be read, or differs, has not shown what became of it.
		r.leave(now)
		if now.Before != cty.NilVal {
			return now.After, nil
		}
		return now.After, errors.New("left out of the plan")
	}
	if planned.Action == planner.Unknown {
		r.leave(planned)
		return now.After, nil
	}
	if !r.agreed(planned) {
		if now.Before == cty.NilVal {
			return now.After, errors.New("left alone")
		}
		return now.After, nil
	}
	if planned.Action == planner.Move && now.Action == planner.NoOp {
		// The journal has its new address already, and there is nothing else to do.
		r.applied(now.Address, planned.Action.Word(), r.Now())
		return now.After, r.settle(ctx, now.Address)
	}
	if now.Action == planner.NoOp && !planned.Destructive() && now.Before != cty.NilVal {
		// What the plan could not know turned out as the object has it already.
		r.mu.Lock()
		r.report.AlreadySo++
		r.mu.Unlock()
		r.upToDate(now.Address)
		return now.After, r.settle(ctx, now.Address)
	}
	err := agrees(planned, now)
	if err == nil {
		err = complete(inst.Type, now)
	}
	if err != nil {
		r.fail(now.Address, planned.Action.Word(), err)
		return now.After, err
	}
	if inst.Type.Serial {
		lock := r.serial[inst.Type.Name]
		lock.Lock()
		defer lock.Unlock()
	}
	if err := context.Cause(ctx); err != nil {
		r.skip(now.Address, "the run was stopped before it began")
		return now.After, err
	}
	began := r.Now()
	r.event(Event{Address: now.Address, Kind: Started, Action: planned.Action.Word()})
	after, err := r.change(ctx, inst, now)
	if err != nil {
		r.fail(now.Address, planned.Action.Word(), err)
		return now.After, err
	}
	if inst.Lifecycle.Check != nil {
		if diags := inst.Lifecycle.Check(false, after); diags.HasErrors() {
			r.fail(now.Address, "postcondition", diags)
			return after, diags
		}
	}
	r.applied(now.Address, planned.Action.Word(), began)
	return after, nil
}

// agrees checks that what is decided now, with more values known, is what was planned wherever that was known.
func agrees(planned, now *planner.Change) error {
	if planned.Action != now.Action {
		return fmt.Errorf("planned to %s it, and with the values known now it would be to %s; plan again", planned.Action.Word(), now.Action.Word())
	}
	known := map[string]cty.Value{}
	for _, p := range planned.Paths {
		if p.After != cty.NilVal && p.After.IsWhollyKnown() {
			known[p.Path] = p.After
		}
	}
	for _, p := range now.Paths {
		want, ok := known[p.Path]
		if ok && p.After != cty.NilVal && planner.Text(want) != planner.Text(p.After) {
			return fmt.Errorf("%s was planned as %s and turned out as %s; plan again", p.Path, planner.Text(want), planner.Text(p.After))
		}
	}
	return nil
}

// complete checks that every argument has a value by now: no driver is given one that is unknown.
func complete(t *resource.Type, c *planner.Change) (err error) {
	resource.Walk(t.Attributes, func(path string, a *resource.Attribute) {
		if v := resource.Get(c.Wanted, path); err == nil && a.Argument() && v != cty.NilVal && !v.IsWhollyKnown() {
			err = fmt.Errorf("the value of %s is still not known, because something that it refers to was not applied; apply again", path)
		}
	})
	return err
}

// change makes the vendor calls of one object and records them.
func (r *run) change(ctx context.Context, inst *config.Instance, c *planner.Change) (cty.Value, error) {
	t := inst.Type
	request := &resource.Change{
		Address: c.Address, Operation: r.Operation(), ID: c.ID, Prior: r.ownAlone(t, c, orNull(c.Before, t)), Planned: c.Wanted,
		Paths: vendorPaths(c), Secrets: r.Secrets, Now: r.Now(),
	}
	if t.Withhold != nil {
		if first, waits := t.Withhold(c.Wanted, request.Prior); waits {
			whole := *c
			part := *c
			part.Wanted = first
			c, request.Planned = &part, first
			r.mu.Lock()
			r.withheld = append(r.withheld, withheld{inst: inst, change: &whole})
			r.mu.Unlock()
		}
	}
	var live resource.Live
	var err error
	switch c.Action {
	case planner.Create:
		live, err = r.create(ctx, t, c, request)
	case planner.DeleteCreate, planner.CreateDelete:
		live, err = r.replace(ctx, t, c, request)
	default:
		live, err = r.update(ctx, t, c, request)
	}
	if err != nil {
		return c.After, err
	}
	obj, after := r.remember(inst, c, live, request.Operation)
	if err := r.record(ctx, state.Outcome{
		Op: request.Operation, Address: c.Address, Type: t.Name, Action: c.Action.Word(), Result: state.Done, Object: obj,
		Removals: r.intent(t, c, request, removalWord(c)).Removals(), Time: r.Now(),
	}); err != nil {
		return after, err
	}
	return after, r.settle(ctx, c.Address)
}

func (r *run) create(ctx context.Context, t *resource.Type, c *planner.Change, request *resource.Change) (resource.Live, error) {
	if err := r.intend(ctx, r.intent(t, c, request, "create")); err != nil {
		return resource.Live{}, err
	}
	create := t.Create
	if create == nil {
		create = t.Update // a singleton is configured, not made
	}
	live, err := create(r.calls, r.Conn, request)
	return live, r.concluded(ctx, t, c, request, live, err)
}

func (r *run) update(ctx context.Context, t *resource.Type, c *planner.Change, request *resource.Change) (resource.Live, error) {
	if len(request.Paths) == 0 && !issues(t, c) && !c.Forced {
		// Only what Weir itself remembers changes, or an object as it should be is adopted: no call.
		return resource.Live{ID: c.ID, Name: c.Name, Value: c.Before}, nil
	}
	counts := planner.Removals(c)
	if len(counts) > 0 {
		if err := r.useAllowance(ctx); err != nil {
			return resource.Live{}, err
		}
	}
	if issues(t, c) || len(counts) > 0 {
		if err := r.intend(ctx, r.intent(t, c, request, "update")); err != nil {
			return resource.Live{}, err
		}
	}
	live, err := t.Update(r.calls, r.Conn, request)
	return live, r.concluded(ctx, t, c, request, resource.Live{}, err)
}

// replace deletes and creates in the order that the plan shows. The old object is read again first. When the new one
// comes first, state has it before the old one is touched: whatever becomes of the old one, the new one is not forgotten.
func (r *run) replace(ctx context.Context, t *resource.Type, c *planner.Change, request *resource.Change) (resource.Live, error) {
	old := *request
	old.Operation, old.Planned = r.Operation(), cty.NullVal(t.Object())
	remove := func() error { return r.remove(ctx, t, c, &old) }
	if c.Action == planner.DeleteCreate {
		if err := remove(); err != nil {
			return resource.Live{}, err
		}
	}
	request.ID, request.Prior = "", cty.NullVal(t.Object())
	live, err := r.create(ctx, t, c, request)
	if err != nil || c.Action == planner.DeleteCreate {
		return live, err
	}
	if err := r.record(ctx, state.Outcome{
		Op: request.Operation, Address: c.Address, Type: t.Name, Action: "create", Result: state.Done, Object: r.begun(t, c, live, request.Operation), Time: r.Now(),
	}); err != nil {
		return live, err
	}
	if err := remove(); err != nil {
		return live, fmt.Errorf("the new object was made and the old one, %s, is still there; state has the new one, so take the old one away by hand: %w", old.ID, err)
	}
	return live, nil
}

// concluded records an operation that ended in an error: failed when it certainly did not happen, unknown when it may
// have. An object that came into being before a later step failed is remembered as ours. It returns the error.
func (r *run) concluded(ctx context.Context, t *resource.Type, c *planner.Change, request *resource.Change, live resource.Live, err error) error {
	if err == nil {
		return nil
	}
	result := state.Failed
	if errors.Is(err, resource.ErrAmbiguous) || context.Cause(ctx) != nil {
		result = state.Unknown
	}
	outcome := state.Outcome{
		Op: request.Operation, Address: c.Address, Type: t.Name, Action: c.Action.Word(), Result: result, Error: err.Error(), Time: r.Now(),
	}
	if issued := r.Secrets.Issued(c.Address); len(issued) > 0 && result == state.Failed {
		// The object gave out a secret before it failed: the next run must know that it has to issue another.
		outcome.Result = state.Unknown
	}
	if live.ID != "" {
		outcome.Object = r.begun(t, c, live, request.Operation)
	}
	if recordErr := r.record(ctx, outcome); recordErr != nil {
		return errors.Join(err, recordErr)
	}
	return err
}

func (r *run) intent(t *resource.Type, c *planner.Change, request *resource.Change, action string) state.Intent {
	key := ""
	if t.Key != nil && c.Wanted.IsKnown() && !c.Wanted.IsNull() {
		key = t.Key(c.Wanted)
	}
	return state.Intent{
		Op: request.Operation, Address: c.Address, Type: t.Name, Action: action, NaturalKey: key, ID: string(c.ID), Digest: c.Item().Digest,
		Counts: planner.Removals(c), Time: r.Now(),
	}
}

// removalWord names the kind of removal that an update of an account block is, as intents do.
func removalWord(c *planner.Change) string {
	if planner.Disables(c) {
		return "disable"
	}
	return "update"
}

// begun is the state object of something that was made and is not finished: what is live, and of what was wanted only what
// no vendor holds, so that the next plan still finds the difference.
func (r *run) begun(t *resource.Type, c *planner.Change, live resource.Live, op string) *state.Object {
	now := r.Now()
	obj := &state.Object{
		Address: c.Address, Type: t.Name, ID: string(live.ID), Provider: r.Provider(t), Previous: cty.NilVal,
		Sensitive: c.Sensitive, Versions: map[string]string{}, Ownership: state.Created, PreventDestroy: c.PreventDestroy,
		Dependencies: c.Dependencies, Op: op, Created: now, Updated: now,
	}
	members := map[string]cty.Value{}
	for i := range t.Attributes {
		a := &t.Attributes[i]
		from := live.Value
		if a.Local {
			from = c.Wanted
		}
		members[a.Name] = cty.NullVal(a.ValueType())
		if from != cty.NilVal && !from.IsNull() {
			members[a.Name] = resource.Get(from, a.Name)
		}
	}
	obj.Values = planner.Stored(cty.ObjectVal(members))
	for attribute, version := range r.Secrets.Issued(c.Address) {
		obj.Versions[attribute] = version
		obj.Undelivered = append(obj.Undelivered, attribute)
	}
	return obj
}

// remember makes the state object of what was applied, and the value that references see.
func (r *run) remember(inst *config.Instance, c *planner.Change, live resource.Live, op string) (*state.Object, cty.Value) {
	t := inst.Type
	now := r.Now()
	prior := r.stateObject(c.Address)
	after := planner.After(t.Attributes, c.Wanted, live.Value)
	obj := &state.Object{
		Address: c.Address, Type: t.Name, ID: string(live.ID), Provider: r.Provider(t), Values: planner.Remembered(t.Attributes, c.Wanted, live.Value),
		Sensitive: c.Sensitive, Versions: map[string]string{}, Ownership: state.Adopted, PreventDestroy: c.PreventDestroy,
		Dependencies: c.Dependencies, Op: op, Created: now, Updated: now, Previous: cty.NilVal,
	}
	if c.Created {
		obj.Ownership = state.Created
	}
	if prior != nil {
		obj.Created, obj.Bindings = prior.Created, prior.Bindings
		for path, version := range prior.Versions {
			obj.Versions[path] = version
		}
		obj.Undelivered = prior.Undelivered
	}
	if prior != nil {
		for _, path := range c.Left {
			obj.Values = resource.With(obj.Values, path, resource.Get(prior.Values, path))
		}
	}
	if t.Settle > 0 && c.Action != planner.Adopt {
		obj.SettleUntil = now.Add(t.Settle)
		if c.Before != cty.NilVal {
			obj.Previous = planner.Stored(c.Before)
		}
	}
	r.versions(obj, t, c)
	for attribute, version := range r.Secrets.Issued(c.Address) {
		obj.Versions[attribute] = version
		obj.Undelivered = []string{attribute}
	}
	for i := range t.Attributes {
		a := &t.Attributes[i]
		if a.Computed && a.Type == resource.SecretType && obj.Versions[a.Name] != "" {
			after = resource.With(after, a.Name, resource.Secret(&resource.SecretRef{Issuer: c.Address + "#" + a.Name, Version: obj.Versions[a.Name]}))
		}
	}
	return obj, after
}

// versions records what stands for the write-only attributes that were written.
func (r *run) versions(obj *state.Object, t *resource.Type, c *planner.Change) {
	resource.Walk(t.Attributes, func(path string, a *resource.Attribute) {
		if !a.WriteOnly {
			return
		}
		ref := resource.SecretOf(resource.Get(c.Wanted, path))
		switch {
		case ref == nil && r.Plan.Sync:
			// What was applied is not known to a sync, which does not write it either.
		case ref == nil:
			delete(obj.Versions, path)
		case ref.Issuer != "":
			obj.Versions[path] = ref.Version
		default:
			if value, err := r.Secrets.Resolve(context.Background(), ref); err == nil {
				r.mu.Lock()
				obj.Versions[path] = r.State.VersionOf([]byte(value))
				r.mu.Unlock()
			}
		}
	})
}

// settle closes the operations in doubt about an address: whatever became of them, the object has just been read or
// written.
func (r *run) settle(ctx context.Context, address string) error {
	r.mu.Lock()
	doubts := r.State.DoubtsAbout(address, "")
	r.mu.Unlock()
	var outcomes []state.Outcome
	for _, d := range doubts {
		outcomes = append(outcomes, state.Outcome{Op: d.Op, Address: address, Type: d.Type, Action: d.Action, Result: state.Done, Removals: d.Removals(), Time: r.Now()})
	}
	return r.record(ctx, outcomes...)
}

func (r *run) stateObject(address string) *state.Object {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.State.Objects[address]
}

// vendorPaths are the differing paths that are sent.
func vendorPaths(c *planner.Change) []string {
	var paths []string
	for _, p := range c.Paths {
		if !p.Local {
			paths = append(paths, p.Path)
		}
	}
	return paths
}

// issues reports whether the change makes the object issue a secret: a computed secret is unknown in the plan.
func issues(t *resource.Type, c *planner.Change) bool {
	for i := range t.Attributes {
		a := &t.Attributes[i]
		if a.Computed && a.Type == resource.SecretType {
			if v := resource.Get(c.After, a.Name); v != cty.NilVal && !v.IsKnown() {
				return true
			}
		}
	}
	return false
}

func orNull(v cty.Value, t *resource.Type) cty.Value {
	if v == cty.NilVal {
		return cty.NullVal(t.Object())
	}
	return v
}
