package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// takeDown deletes and releases what no block claims any more, in the plan's order: dependants first. When everything
// goes, accounts go after what routes mail through the gateway and before what they live in.
func (r *run) takeDown(ctx context.Context) error {
	var precede map[string]map[string]bool
	if r.Plan.Destroy {
		precede = planner.Precede(r.Plan.Registry)
	}
	for _, c := range r.Part.Changes {
		if c.Action != planner.Delete && c.Action != planner.Release {
			continue
		}
		if t := r.Plan.Registry.Type(c.Type); r.Plan.Destroy && t != nil && t.Provider == "essentials" {
			r.holdAccounts(precede)
			if err := r.applyAccounts(ctx); err != nil {
				return err
			}
		}
		if !r.agreed(c) {
			continue
		}
		if err := context.Cause(ctx); err != nil {
			r.skip(c.Address, "the run was stopped before it began")
			continue
		}
		if left := r.accountLeft(c); left != "" {
			r.skip(c.Address, fmt.Sprintf("%s is still there", left))
			continue
		}
		if blocked := r.dependantLeft(c, precede); blocked != "" {
			r.skip(c.Address, fmt.Sprintf("%s goes before it and is still there", blocked))
			continue
		}
		began := r.Now()
		r.event(Event{Address: c.Address, Kind: Started, Action: c.Action.Word()})
		err := r.takeDownOne(ctx, c)
		var fatal *stopError
		if errors.As(err, &fatal) {
			return fatal.err
		}
		if err != nil {
			r.fail(c.Address, c.Action.Word(), err)
			continue
		}
		r.applied(c.Address, c.Action.Word(), began)
	}
	return r.applyAccounts(ctx)
}

func (r *run) takeDownOne(ctx context.Context, c *planner.Change) error {
	t := r.Plan.Registry.Type(c.Type)
	if c.Action == planner.Delete {
		request := &resource.Change{
			Address: c.Address, Operation: r.Operation(), ID: c.ID, Prior: r.ownAlone(t, c, orNull(c.Before, t)), Planned: cty.NullVal(t.Object()),
			Secrets: r.Secrets, Now: r.Now(),
		}
		if err := r.remove(ctx, t, c, request); err != nil {
			return err
		}
	} else if err := r.record(ctx, state.Outcome{
		Op: r.Operation(), Address: c.Address, Type: c.Type, Action: c.Action.Word(), Result: state.Done, Deleted: true, Time: r.Now(),
	}); err != nil {
		return err
	}
	if c.Type == "tenant" || c.Type == "sync_policy" {
		if err := r.forgetAccounts(ctx, c); err != nil {
			return err
		}
	}
	return r.settle(ctx, c.Address)
}

// remove deletes one object: it is read again first, and left alone when it is no longer what was reviewed.
func (r *run) remove(ctx context.Context, t *resource.Type, c *planner.Change, request *resource.Change) error {
	if t.Project == nil {
		live, err := t.Read(ctx, r.Conn, c.ID)
		switch {
		case errors.Is(err, resource.ErrAbsent):
			return r.record(ctx, state.Outcome{Op: request.Operation, Address: c.Address, Type: t.Name, Action: "delete", Result: state.Done, Deleted: true, Time: r.Now()})
		case err != nil:
			return fmt.Errorf("read again before deletion: %w", err)
		}
		if paths := resource.Differences(t.Attributes, known(t, c.Before), live.Value); len(paths) > 0 {
			return fmt.Errorf("%v changed since the plan was made; it is left alone, plan again", paths)
		}
		request.Prior = live.Value
	}
	intent := r.intent(t, c, request, "delete")
	if len(intent.Counts) > 0 {
		if err := r.useAllowance(ctx); err != nil {
			return err
		}
	}
	if err := r.intend(ctx, intent); err != nil {
		return err
	}
	err := t.Delete(r.calls, r.Conn, request)
	if errors.Is(err, resource.ErrAbsent) {
		err = nil
	}
	if err != nil {
		return r.concluded(ctx, t, c, request, resource.Live{}, err)
	}
	outcome := state.Outcome{Op: request.Operation, Address: c.Address, Type: t.Name, Action: "delete", Result: state.Done, Removals: intent.Removals(), Time: r.Now()}
	if r.stateObject(c.Address) != nil && c.Action != planner.CreateDelete {
		outcome.Deleted = true
	}
	return r.record(ctx, outcome)
}

// known is the value that deletion compares with the object read again; stored forms of another type compare nothing.
func known(t *resource.Type, before cty.Value) cty.Value {
	if before == cty.NilVal || !before.Type().Equals(t.Object()) {
		return cty.NullVal(t.Object())
	}
	return before
}

// holdAccounts leaves the accounts alone when something that routes mail through the gateway was to go before them and
// did not.
func (r *run) holdAccounts(precede map[string]map[string]bool) {
	if r.Part.Accounts == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.Part.Changes {
		if !r.failed[c.Address] || !planner.AccountsPrecede(r.Plan.Registry, precede, c.Type) {
			continue
		}
		for i := range r.Part.Accounts.Decisions {
			if d := &r.Part.Accounts.Decisions[i]; d.Held == "" {
				d.Held = "it goes after " + c.Address + ", which is still there"
			}
		}
		return
	}
}

// dependantLeft names an object that depends on c, or routes mail through what c is part of, and was to go before it,
// but did not.
func (r *run) dependantLeft(c *planner.Change, precede map[string]map[string]bool) string {
	if c.Action != planner.Delete {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, other := range r.Part.Changes {
		lives := r.failed[other.Address] || other.Action == planner.Unknown
		first := slices.Contains(other.Dependencies, c.Address) || r.Plan.Destroy && precede[other.Type][c.Type]
		if other.Address != c.Address && lives && first {
			return other.Address
		}
	}
	return ""
}

// accountLeft names an account that was to go with everything else and did not, when c is what it lives in or what
// remembers it: releasing the policy would forget an account that Weir made.
func (r *run) accountLeft(c *planner.Change) string {
	if !r.Plan.Destroy || r.Part.Accounts == nil || c.Type != "tenant" && c.Type != "domain" && c.Type != "sync_policy" {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.Part.Accounts.Decisions {
		if address := planner.AccountAddress(r.Part.AccountPolicy, d.Address); r.failed[address] {
			return address
		}
	}
	return ""
}

// forgetAccounts takes the derived accounts out of state when their organization or their policy is gone from it.
func (r *run) forgetAccounts(ctx context.Context, c *planner.Change) error {
	var outcomes []state.Outcome
	r.mu.Lock()
	for a := range r.State.Accounts.All() {
		if c.Type == "sync_policy" && a.Policy != c.Address {
			continue
		}
		outcomes = append(outcomes, state.Outcome{
			Op: r.Operation(), Address: a.Policy, Mail: a.Address, Type: "account", Action: "release", Result: state.Done, Deleted: true, Time: r.Now(),
		})
	}
	r.mu.Unlock()
	return r.record(ctx, outcomes...)
}

// deliver finishes objects that issued a secret: once every consumer has it, what it replaced is removed and the
// secret counts as delivered. Otherwise it stays undelivered, and the next run issues another.
func (r *run) deliver(ctx context.Context) error {
	for _, address := range r.State.Addresses() {
		obj := r.stateObject(address)
		if len(obj.Undelivered) == 0 || !r.succeeded[address] || r.consumerFailed(address) {
			continue
		}
		c, t := r.part[address], r.Plan.Registry.Type(obj.Type)
		if c == nil || t == nil {
			continue
		}
		if t.Retire != nil {
			request := &resource.Change{
				Address: address, Operation: r.Operation(), ID: resource.ObjectID(obj.ID), Prior: orNull(c.Before, t), Planned: c.Wanted,
				Secrets: r.Secrets, Now: r.Now(), Keep: obj.Versions,
			}
			if err := t.Retire(r.calls, r.Conn, request); err != nil {
				r.fail(address, "retire", fmt.Errorf("what the new secret replaced could not be removed; the next run tries again: %w", err))
				continue
			}
		}
		done := *obj
		done.Undelivered = nil
		if err := r.record(ctx, state.Outcome{Op: r.Operation(), Address: address, Type: obj.Type, Action: "deliver", Result: state.Done, Object: &done, Time: r.Now()}); err != nil {
			return err
		}
	}
	return nil
}

// consumerFailed reports whether anything that refers to the object may still hold what its new secret replaced: it
// failed, was left alone, could not be read, or was not come to in this run.
func (r *run) consumerFailed(address string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	lags := func(consumer string, dependencies []string) bool {
		return slices.Contains(dependencies, address) && !r.succeeded[consumer] && !r.settled[consumer]
	}
	for _, c := range append(slices.Clone(r.Part.Changes), r.left...) {
		if lags(c.Address, c.Dependencies) {
			return true
		}
	}
	for _, obj := range r.State.Objects {
		if lags(obj.Address, obj.Dependencies) {
			return true
		}
	}
	return false
}
