package cli

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/live"
	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// planOptions say what a plan is about, beyond the configuration.
type planOptions struct {
	targets, excludes, replace []string
	destroy, includeAdopted    bool
	// acceptRemovals gives, by tenant key, the exact number of removals that may pass the limit; "" holds for the only
	// tenant selected.
	acceptRemovals map[string]int
	acceptTenants  []string
	// sync plans what the directory asks for under what was applied last.
	sync bool
	// inquire, when given, is told what the decisions about each tenant's accounts rest on.
	inquire func(planner.Inquiry)
	// observed and answered, when given, are told what was read: by the readers, and by data blocks.
	observed func(*state.State, *planner.Observation)
	answered func(config.DataRead, cty.Value, error)
}

// unit is one tenant of a run, or the root (key "").
type unit struct {
	key      string
	identity resource.Identity
	address  string
	// tenant is nil for the root and for a tenant that no block claims.
	tenant *config.Tenant
	// unclaimed is the head of a tenant that no block claims.
	unclaimed *state.TenantMeta
	// former is the key under which state has the tenant, when the block's key changed and no apply moved the state yet.
	former string
	// connected is nil for the root.
	connected *providers.Tenant
	// sync says that the unit goes by what was applied, not by the files.
	sync bool
}

// units are the tenants that the selection leaves, in order of key.
func (w *workspace) units() ([]*unit, error) { return w.unitsOf(w.flags.tenants) }

// unitsOf are the tenants that those selectors leave.
func (w *workspace) unitsOf(selectors []string) ([]*unit, error) {
	selected, err := w.frame.Select(selectors)
	if err != nil {
		return nil, err
	}
	index, count, err := parseShard(w.flags.shard)
	if err != nil {
		return nil, err
	}
	var out []*unit
	for _, t := range selected {
		h := fnv.New32a()
		_, _ = h.Write([]byte(t.Key))
		if count > 1 && int(h.Sum32()%uint32(count)) != index-1 {
			continue
		}
		out = append(out, &unit{key: t.Key, identity: t.Identity, address: t.Address.String(), tenant: t})
	}
	return out, nil
}

func parseShard(s string) (index, count int, err error) {
	if s == "" {
		return 1, 1, nil
	}
	i, n, ok := strings.Cut(s, "/")
	index, err1 := strconv.Atoi(i)
	count, err2 := strconv.Atoi(n)
	if !ok || err1 != nil || err2 != nil || index < 1 || index > count || count > 1<<16 {
		return 0, 0, fmt.Errorf("--shard %q: write I/N with 1 ≤ I ≤ N, such as 2/5", s)
	}
	return index, count, nil
}

// whole reports whether nothing narrows the run to some tenants.
func (w *workspace) whole() bool { return len(w.flags.tenants) == 0 && w.flags.shard == "" }

// unclaimed finds tenants that state knows and no block claims. A run that is narrowed never looks. Of one whose head
// cannot be read only the key is known; reading its state will say why.
func (w *workspace) unclaimed(ctx context.Context) ([]*unit, error) {
	claimed := map[string]bool{state.RootKey: true}
	for _, t := range w.frame.Tenants {
		claimed[t.Key] = true
	}
	var out []*unit
	heads, err := w.heads.list(ctx, w.bucket)
	if err != nil {
		return nil, err
	}
	for _, meta := range heads {
		if claimed[meta.Key] {
			continue
		}
		out = append(out, &unit{
			key: meta.Key, address: meta.Address, unclaimed: &meta,
			identity: resource.Identity{Key: meta.Key, Name: meta.Key, PrimaryDomain: meta.PrimaryDomain, EntraTenantID: meta.EntraTenantID},
		})
	}
	for _, key := range w.heads.unreadable {
		if !claimed[key] {
			out = append(out, &unit{key: key, unclaimed: &state.TenantMeta{Key: key}, identity: resource.Identity{Key: key, Name: key}})
		}
	}
	return out, nil
}

// request reads a unit's state and vendors and returns what its part is planned from.
func (w *workspace) request(ctx context.Context, u *unit, o planOptions, prior *state.State) (planner.Request, error) {
	if prior == nil {
		var err error
		if prior, err = w.prior(ctx, u); err != nil {
			return planner.Request{}, err
		}
	}
	req := planner.Request{
		Registry: w.registry, Settings: w.frame.Settings, Tenant: u.identity, Address: u.address, Frame: w.frame, Selected: u.tenant,
		Prior: prior, Destroy: o.destroy, IncludeAdopted: o.includeAdopted, Targets: o.targets, Excludes: o.excludes, Replace: o.replace,
		AcceptRemovals: o.accepted(u.key), Now: w.around.now(), Inquire: o.inquire,
		SecretVersion: func(ref *resource.SecretRef) (string, error) {
			value, err := w.secrets.Resolve(ctx, ref)
			if err != nil {
				return "", err
			}
			return prior.VersionOf([]byte(value)), nil
		},
	}
	if u.key == "" {
		req.Observed = &planner.Observation{Objects: map[string]planner.Reading{}, At: req.Now}
		return req, nil
	}
	if o.sync {
		req.Sync, req.Selected = true, nil
		asApplied(u, prior)
		req.Tenant = u.identity
	}
	if w.recording != nil {
		w.replay(u, &req)
		return req, nil
	}
	if u.connected == nil {
		connected, err := w.connect(u)
		if err != nil {
			return planner.Request{}, err
		}
		u.connected = connected
	}
	readers := w.readers
	if o.sync {
		readers = w.syncReaders
	}
	req.Observed = live.Read(ctx, w.withCloud(u, readers(u, prior)), req.Now)
	w.notice(u, req.Observed)
	req.Facts = planner.NewFacts(req.Observed.Directory)
	req.Data = func(ctx context.Context, read config.DataRead) (cty.Value, error) {
		v, err := read.Type.Read(ctx, u.connected.Conn, read.Config)
		if o.answered != nil {
			o.answered(read, v, err)
		}
		return v, err
	}
	if o.observed != nil {
		o.observed(prior, req.Observed)
	}
	return req, nil
}

func (o planOptions) accepted(key string) int {
	if n, ok := o.acceptRemovals[key]; ok {
		return n
	}
	if n, ok := o.acceptRemovals[""]; ok {
		return n
	}
	return -1
}

// prior reads the unit's state and refuses one of another realm or configuration.
func (w *workspace) prior(ctx context.Context, u *unit) (*state.State, error) {
	if w.recording != nil {
		return w.recordedState(), nil
	}
	tenant, err := w.bucket.Tenant(stateKey(u.key))
	if err != nil {
		return nil, err
	}
	prior, err := tenant.State(ctx)
	if err != nil {
		return nil, fmt.Errorf("state of %s: %w", named(u.key), err)
	}
	if err := prior.Guard(w.around.realm, w.knownLineage()); err != nil {
		return prior, err
	}
	return w.succeed(ctx, u, prior)
}

// knownLineage is the configuration's identity; a fresh one conflicts with every recorded one on purpose.
func (w *workspace) knownLineage() string { return w.lineage }

func stateKey(key string) string {
	if key == "" {
		return state.RootKey
	}
	return key
}

func named(key string) string {
	if key == "" {
		return "the root module"
	}
	return "tenant " + strconv.Quote(key)
}

// connect makes the unit's clients from the provider blocks that serve it, or from those its state was made with.
func (w *workspace) connect(u *unit) (*providers.Tenant, error) {
	s := providers.Settings{Tenant: u.identity}
	var err error
	if s.Cache, err = w.cacheSettings(u); err != nil {
		return nil, err
	}
	switch {
	case u.tenant != nil:
		s.Essentials, s.Microsoft, err = providerSettings(u.tenant.Essentials, u.tenant.Microsoft)
	case u.unclaimed != nil:
		s.Essentials, s.Microsoft, err = recordedSettings(u.unclaimed.Providers)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", named(u.key), err)
	}
	if u.tenant != nil && !u.sync {
		for name := range w.graph.Types() {
			t := w.registry.Type(name)
			if t != nil && (t.Provider == "essentials" && s.Essentials == nil || t.Provider == "microsoft" && s.Microsoft == nil) {
				return nil, fmt.Errorf("%s has no provider %q, which %s blocks need: declare one, or name it in the tenant block (%s)", named(u.key), t.Provider, name, u.tenant.Range)
			}
		}
	}
	if s.Essentials != nil {
		s.Tenant.Stack = s.Essentials.Stack
		u.identity.Stack = s.Essentials.Stack
	}
	s.Tenant.VendorData, u.identity.VendorData = w.frame.Settings.VendorData, w.frame.Settings.VendorData
	return w.pool.Connect(s)
}

// readers are what the unit is read with: the types that the configuration or its state names, and people only when
// something asks for them.
func (w *workspace) readers(u *unit, prior *state.State) live.Readers {
	asks := w.asks(u, prior)
	if w.everyType {
		w.useEvery(u, asks.types)
		asks.settle(prior)
	}
	r := live.Readers{Conn: u.connected.Conn}
	for _, t := range w.registry.Types() {
		if asks.types[t.Name] {
			r.Types = append(r.Types, t)
		}
	}
	if asks.directory {
		r.Directory = u.connected.Directory
	}
	if asks.accounts {
		r.Accounts = u.connected.Accounts
	}
	if asks.mail {
		r.Mail = u.connected.Mail
	}
	return w.unbroken(u, r)
}

// questions are what the configuration and the state of one unit ask the vendors.
type questions struct {
	types                     map[string]bool
	directory, accounts, mail bool
}

func (w *workspace) asks(u *unit, prior *state.State) *questions {
	q := &questions{types: map[string]bool{}}
	if u.tenant != nil {
		for name := range w.graph.Types() {
			q.types[name] = true
		}
	}
	for _, obj := range prior.Objects {
		q.types[obj.Type] = true
	}
	q.settle(prior)
	return q
}

// settle says what else has to be read for the types.
func (q *questions) settle(prior *state.State) {
	used := q.types
	if used["sync_policy"] {
		used["exemption"] = true // what the vendor's own sync leaves alone decides about accounts under its engine (R40)
		used["domain"] = true    // an address in a domain that was not read would count as one that nobody can have
	}
	q.directory = used["sync_policy"] || used["exemption"] || prior.Accounts.Len() > 0
	q.accounts = q.directory || used["tenant"] || used["domain"]
	q.mail = used["domain"] || used["m365_connector"] || used["tenant"]
}

// derives reports whether a block, or what state has of one, may ask who is in the directory whenever it is planned.
func (w *workspace) derives(prior *state.State) bool {
	types := w.graph.Types()
	for _, obj := range prior.Objects {
		types[obj.Type] = true
	}
	for name := range types {
		if t := w.registry.Type(name); t != nil && t.FromDirectory {
			return true
		}
	}
	return false
}

// withCloud asks in which part of Microsoft's cloud the directory is, where something of the tenant is about it.
func (w *workspace) withCloud(u *unit, r live.Readers) live.Readers {
	registers := slices.ContainsFunc(r.Types, func(t *resource.Type) bool { return t.Name == "app_registration" })
	if (r.Directory != nil || registers) && w.breaker.Allow(u.connected.Providers["microsoft"]) == nil {
		r.Cloud = u.connected.Cloud
	}
	return r
}

// unbroken closes the providers that refused this run before.
func (w *workspace) unbroken(u *unit, r live.Readers) live.Readers {
	for name, provider := range u.connected.Providers {
		if err := w.breaker.Allow(provider); err != nil {
			r = withoutProvider(r, name, err)
		}
	}
	return r
}

// withoutProvider makes every read through a provider fail with err, without asking the vendor.
func withoutProvider(r live.Readers, provider string, err error) live.Readers {
	types := slices.Clone(r.Types)
	for i, t := range types {
		if t.Provider == provider {
			closed := *t
			closed.List = func(context.Context, *resource.Conn) ([]resource.Live, error) { return nil, err }
			types[i] = &closed
		}
	}
	r.Types = types
	switch {
	case provider == "essentials" && r.Accounts != nil:
		r.Accounts = func(context.Context) (*directory.AccountReading, error) { return nil, err }
	case provider == "microsoft" && r.Directory != nil:
		r.Directory = func(context.Context) (*directory.Reading, error) { return nil, err }
	}
	return r
}

// notice tells the breaker how the unit's providers answered.
func (w *workspace) notice(u *unit, o *planner.Observation) {
	for name, provider := range u.connected.Providers {
		reason, asked := "", false
		for _, t := range w.registry.Types() {
			reading, ok := o.Objects[t.Name]
			if t.Provider != name || !ok {
				continue
			}
			asked = true
			var e *resource.Error
			if errors.Is(reading.Err, resource.ErrDenied) && errors.As(reading.Err, &e) {
				reason = e.Detail
			}
		}
		if asked {
			w.breaker.Report(provider, reason)
		}
	}
}

// build plans one unit.
func (w *workspace) build(ctx context.Context, u *unit, o planOptions, known map[string]cty.Value) (*planner.Part, hcl.Diagnostics, error) {
	if u.unclaimed != nil {
		return w.buildUnclaimed(ctx, u, o)
	}
	req, err := w.request(ctx, u, o, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Known = known
	part, diags := w.partOf(ctx, u, &req)
	if u.former != "" {
		part.Former, part.Bookkeeping = u.former, true
	}
	w.filesMu.Lock()
	defer w.filesMu.Unlock()
	if w.files == nil {
		w.files = map[string][]byte{}
	}
	maps.Copy(w.files, part.Files)
	return part, diags, nil
}

// buildUnclaimed plans a tenant that no block claims: held, unless a removed block says what to do.
func (w *workspace) buildUnclaimed(ctx context.Context, u *unit, o planOptions) (*planner.Part, hcl.Diagnostics, error) {
	prior, err := w.prior(ctx, u)
	if err != nil {
		return nil, nil, err
	}
	if len(prior.Objects) == 0 && prior.Accounts.Len() == 0 {
		return nil, nil, nil // taken down or released before; only its history is left
	}
	removed := w.removed(ctx)
	if t := w.claimant(u); t != nil {
		if part, done, err := w.buildClaimed(ctx, u, t, prior, removed); done || err != nil {
			return part, nil, err
		}
	}
	for _, r := range removed {
		if names(r, u) {
			return w.takeDownUnclaimed(ctx, u, o, prior, r)
		}
	}
	if d := w.movedAway(u); d != nil {
		part := &planner.Part{Tenant: u.identity, Address: u.address, Status: planner.Errored, Serial: prior.Serial, Lineage: prior.Lineage, Errors: []string{d.Summary + ": " + d.Detail}}
		return part, hcl.Diagnostics{d}, nil
	}
	part := &planner.Part{Tenant: u.identity, Address: u.address, Status: planner.Held, Serial: prior.Serial, Lineage: prior.Lineage, Removed: true}
	part.Guards = append(part.Guards, planner.Guard{
		Name: "tenant_removed", Addresses: []string{u.address},
		Text: fmt.Sprintf("no block claims tenant %q any more (%d objects and %d accounts in state). If that is a lost row or a wrong variable file, nothing has happened to it. Otherwise say what is to become of it", u.key, len(prior.Objects), prior.Accounts.Len()),
		Cure: fmt.Sprintf("removed {\n  from    = %[1]s\n  destroy = false # release it: mail flows on, Weir forgets it\n}\n\nremoved {\n  from    = %[1]s\n  destroy = true # take down what Weir made for it\n}", u.address),
	})
	return part, nil, nil
}

// names reports whether a removed block is about the unit's tenant.
func names(r config.Removed, u *unit) bool {
	address, err := resource.ParseAddress(u.address)
	return err == nil && r.Names(address)
}

// takeDownUnclaimed plans what a removed block says about a tenant: release, or take down under its own guard.
func (w *workspace) takeDownUnclaimed(ctx context.Context, u *unit, o planOptions, prior *state.State, r config.Removed) (*planner.Part, hcl.Diagnostics, error) {
	if !r.Destroy {
		part := &planner.Part{Tenant: u.identity, Address: u.address, Status: planner.Ready, Serial: prior.Serial, Lineage: prior.Lineage, Removed: true}
		for _, address := range prior.Addresses() {
			obj := prior.Objects[address]
			part.Changes = append(part.Changes, &planner.Change{
				Address: address, Type: obj.Type, ID: resource.ObjectID(obj.ID), Action: planner.Release, Cause: planner.Configuration,
				Before: obj.Values, After: cty.NilVal, Created: obj.Ownership == state.Created, Reasons: []string{"released as the removed block says; it stays as it is"},
			})
		}
		return part, nil, nil
	}
	o.destroy = true
	for _, obj := range prior.Objects {
		if obj.Type == "tenant" && obj.Values != cty.NilVal {
			// Only a tenant that names its partner may be deleted; the head does not repeat what its object says. A
			// connection that was made before knows nothing of it.
			u.connected = nil
			u.identity.Parent, u.identity.Name = argument(obj.Values, "parent"), argument(obj.Values, "name")
		}
	}
	req, err := w.request(ctx, u, o, prior)
	if err != nil {
		return nil, nil, err
	}
	part, diags := planner.Build(ctx, req)
	part.Removed = true
	return part, diags, nil
}

// removed are the removed blocks of the root.
func (w *workspace) removed(ctx context.Context) []config.Removed {
	evaluation, diags := w.frame.Evaluate(ctx, config.EvalRequest{Visit: func(_ context.Context, inst *config.Instance) (cty.Value, hcl.Diagnostics) {
		return cty.UnknownVal(inst.Type.Object()), nil
	}})
	if diags.HasErrors() || evaluation == nil {
		return nil
	}
	return evaluation.Removed
}

// meta is what the head records of a claimed tenant.
func (w *workspace) meta(u *unit) state.TenantMeta {
	m := state.TenantMeta{
		Address: u.address, Key: stateKey(u.key), PrimaryDomain: u.identity.PrimaryDomain, EntraTenantID: u.identity.EntraTenantID, Configuration: w.lineage,
	}
	if u.tenant != nil {
		m.Providers = recordProviders(u.tenant.Essentials, u.tenant.Microsoft)
	} else if u.unclaimed != nil {
		m = *u.unclaimed
	}
	return m
}
