package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/store"
)

// A tenant's key names its state. When the key of a block changes, the state that another key has of the same
// organization moves along: the plan is made from it, and an apply puts it under the new key and empties the old one, in
// that order and before anything else. A run that dies between the two leaves it in both places; then the block's key has
// it, and the other place is only emptied.

// knownHeads are the tenants that state has, listed once a run.
type knownHeads struct {
	once  sync.Once
	heads []state.TenantMeta
	// unreadable are the keys of those whose head cannot be read: that is the tenant's matter.
	unreadable []string
	// err is why they could not be listed.
	err error
}

func (k *knownHeads) list(ctx context.Context, bucket *store.Bucket) ([]state.TenantMeta, error) {
	k.once.Do(func() {
		for head, err := range bucket.Heads(ctx) {
			var one *store.HeadError
			switch {
			case err == nil:
				k.heads = append(k.heads, head.Tenant)
			case errors.As(err, &one) && !errors.Is(err, store.ErrUnavailable):
				k.unreadable = append(k.unreadable, one.Tenant)
			default:
				k.err = err
			}
		}
	})
	if k.err != nil {
		return nil, fmt.Errorf("the tenants in state cannot be listed: %w", k.err)
	}
	return k.heads, nil
}

// former finds the tenant in state that no block claims and that is of the unit's organization, other than by its own
// key; nil when there is none that remembers anything. One that has been released, of which only people's words are left,
// is found if words is true and no other is there: they are taken over by a tenant that begins, not by one that lives.
func (w *workspace) former(ctx context.Context, u *unit, words bool) (*state.State, error) {
	heads, err := w.heads.list(ctx, w.bucket)
	if err != nil {
		return nil, err
	}
	claimed := map[string]bool{state.RootKey: true}
	for _, t := range w.frame.Tenants {
		claimed[t.Key] = true
	}
	var found *state.State
	for _, meta := range heads {
		if claimed[meta.Key] || !sameOrganization(u.identity, meta) {
			continue
		}
		s, err := w.prior(ctx, &unit{key: meta.Key, unclaimed: &meta})
		if err != nil {
			return nil, err
		}
		switch {
		case s.Blank() || s.Bare() && (!words || found != nil && !found.Bare()):
			continue
		case found == nil || found.Bare() && !s.Bare():
		case s.Bare():
			return nil, fmt.Errorf("%s has no state yet, and under the keys %q and %q state has whom a person left out in its organization %s: end that under one of them with weir state rm; weir state show lists it", named(u.key), min(found.Tenant.Key, meta.Key), max(found.Tenant.Key, meta.Key), u.identity.PrimaryDomain)
		default:
			return nil, fmt.Errorf("%s has no state yet, and state has its organization %s twice, under the keys %q and %q: give the block the key of the one to keep, and release the other", named(u.key), u.identity.PrimaryDomain, min(found.Tenant.Key, meta.Key), max(found.Tenant.Key, meta.Key))
		}
		found = s
	}
	return found, nil
}

// succeed gives the unit the state that another key has of its organization. Where a run died before that was forgotten
// there, the unit has its own, and what is left of the change is to forget.
func (w *workspace) succeed(ctx context.Context, u *unit, own *state.State) (*state.State, error) {
	if u.tenant == nil || !own.Bare() && !w.whole() {
		return own, nil
	}
	former, err := w.former(ctx, u, own.Bare())
	if err != nil || former == nil {
		return own, err
	}
	switch {
	case own.Bare():
		u.former = former.Tenant.Key
		former.Tenant.Key = u.key
		if !own.Blank() {
			former = own.Succeed(former)
		}
		return former, nil
	case own.Covers(former):
		u.former = former.Tenant.Key
	}
	return own, nil
}

// sameOrganization reports whether a tenant in state is the organization of a block.
func sameOrganization(id resource.Identity, meta state.TenantMeta) bool {
	if id.PrimaryDomain != "" && meta.PrimaryDomain != "" {
		return strings.EqualFold(id.PrimaryDomain, meta.PrimaryDomain)
	}
	return id.EntraTenantID != "" && strings.EqualFold(id.EntraTenantID, meta.EntraTenantID)
}

// claimant is the tenant block of an unclaimed unit's organization, under another key; nil when there is none.
func (w *workspace) claimant(u *unit) *config.Tenant {
	for _, t := range w.frame.Tenants {
		if sameOrganization(t.Identity, *u.unclaimed) {
			return t
		}
	}
	return nil
}

// buildClaimed plans what state has under a key that no block has, of an organization that another block claims. done is
// false when a removed block releases it, which takes nothing from anybody.
func (w *workspace) buildClaimed(ctx context.Context, u *unit, t *config.Tenant, prior *state.State, removed []config.Removed) (part *planner.Part, done bool, err error) {
	now, err := w.prior(ctx, &unit{key: t.Key})
	if err != nil {
		return nil, true, err
	}
	if now.Bare() || now.Covers(prior) {
		return nil, true, nil // a line of its block's part
	}
	part = &planner.Part{Tenant: u.identity, Address: u.address, Status: planner.Held, Serial: prior.Serial, Lineage: prior.Lineage}
	for _, r := range removed {
		if names(r, u) && !r.Destroy {
			return nil, false, nil
		}
	}
	part.Guards = []planner.Guard{{
		Name: "two_states", Addresses: []string{u.address},
		Text: fmt.Sprintf("state has the organization %s under the key %q, which no block has, and under the key %q of %s, and the first remembers what the second does not. Nothing is done about the first: what lives in the organization is the block's", u.identity.PrimaryDomain, u.key, t.Key, t.Address),
		Cure: fmt.Sprintf("removed {\n  from    = %s\n  destroy = false # forget what %q remembers; everything stays as it is\n}", u.address, u.key),
	}}
	return part, true, nil
}

// movedAway refuses a moved block that leads from an unclaimed tenant to the block of another organization.
func (w *workspace) movedAway(u *unit) *hcl.Diagnostic {
	from, err := resource.ParseAddress(u.address)
	if err != nil {
		return nil
	}
	to, by, steps := config.Follow(w.frame.Moved, from)
	home, declared := w.frame.Home(to)
	if steps == 0 || !declared || home == nil || home.Address.String() != to.String() {
		return nil
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Move to another organization", Subject: by.Range.Ptr(),
		Detail: fmt.Sprintf("%s (%s) and %s (%s) are different organizations. A moved block renames what Weir remembers; what is remembered of one organization is not true of another. Nothing is planned for tenant %q. Take the moved block out: %s is found or made as an organization of its own. And say what becomes of the old one:\n\n    removed {\n      from    = %s\n      destroy = false # release it: mail flows on, Weir forgets it\n    }\n\n    removed {\n      from    = %s\n      destroy = true # take down what Weir made for it\n    }",
			u.address, u.identity.PrimaryDomain, to, home.PrimaryDomain, u.key, to, u.address, u.address),
	}
}

// changeKey moves the state of an organization from one key to another, under both: first it is put under the new one,
// then the old one is emptied, which stays as a tenant that was released. It reports whether anything was left to do.
func (w *workspace) changeKey(ctx context.Context, from, to string, o store.AcquireOptions) (moved bool, err error) {
	existing := o
	existing.Existing = true
	old, giveOld, err := w.hold(ctx, from, existing)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, giveOld()) }()
	was := old.State()
	if was.Blank() {
		return false, nil
	}
	fresh, giveFresh, err := w.hold(ctx, to, o)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, giveFresh()) }()
	now := fresh.State()
	switch {
	case now.Bare():
		if err := fresh.Replace(fresh.Context(), now.Succeed(was), fmt.Sprintf("the key changed from %s", from)); err != nil {
			return false, err
		}
	case !now.Covers(was):
		return false, fmt.Errorf("tenant %q has a state of its own since the plan was made, and %q remembers what it does not; plan again", to, from)
	}
	return true, old.Replace(old.Context(), was.Emptied(), fmt.Sprintf("the key changed to %s", to))
}

// holder names this run in state.
func (w *workspace) holder(operation string) store.Holder {
	return store.Holder{Run: w.app.id("run"), Who: w.app.who(), Host: hostname(), Operation: operation, Process: w.app.process()}
}

// hold takes a tenant for a moment.
func (w *workspace) hold(ctx context.Context, key string, o store.AcquireOptions) (*store.Lease, func() error, error) {
	tenant, err := w.bucket.Tenant(key)
	if err != nil {
		return nil, nil, err
	}
	o.Kept = kept(strings.TrimPrefix(key, state.RootKey), func(text string) { w.app.say("%s", text) })
	lease, err := tenant.Acquire(ctx, w.holder("apply"), o)
	if err != nil {
		return nil, nil, err
	}
	return lease, func() error { return giveBack(lease, nil) }, nil
}
