package cli

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/spf13/cobra"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/fleet"
	"github.com/weir-project/weir/planner/live"
	"github.com/weir-project/weir/state"
)

// A sync is an apply of what the directory asks for, under what was applied last: the same reads, decisions, guards, lease,
// journal and writes, and nobody who reviews. The files give the tenants and how to reach them, nothing else.

func (a *App) syncCommand() *cobra.Command {
	var c configFlags
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Carry out what changed in the directory; made to run every hour",
		Long: "Carry out, for every tenant, what changed in its directory, under the policy, exemptions and limits that were applied last. It never\n" +
			"asks. Edited files change nothing, and drift is not repaired, except that an account which vanished in Essentials while the\n" +
			"directory has its entry is made again. Secrets that are due are renewed. Removals above the limit are held (exit status 4) and\n" +
			"everything else goes on; what could not be read completely takes nothing away (exit status 6). With nothing to do, nothing is\n" +
			"written and no lock is taken.\n" + exitStatuses,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.sync(cmd.Context(), c, f) },
	}
	flags := cmd.Flags()
	c.register(flags)
	c.registerFullRead(flags)
	flags.BoolVar(&f.json, "json", false, "print events, one JSON object a line")
	flags.DurationVar(&f.lockTimeout, "lock-timeout", 0, "wait so long for another run")
	return cmd
}

// synced is what became of one tenant in a sync.
type synced struct {
	// part was planned last: under the lease, when there was something to do. nil when there is nothing to say.
	part *planner.Part
	// remarks are sentences about what the run went by.
	remarks []string
	outcome render.Outcome
}

// sync syncs every selected tenant.
func (a *App) sync(ctx context.Context, c configFlags, f applyFlags) (err error) {
	w, err := a.open(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	units, err := w.syncUnits(ctx)
	if err != nil {
		return err
	}
	byKey := map[string]*unit{}
	keys := make([]string, len(units))
	for i, u := range units {
		keys[i], byKey[u.key] = u.key, u
	}
	progress := a.progress()
	w.storage.tell(progress.Say)
	results := fleet.Each(ctx, keys, c.parallel, func(ctx context.Context, key string) (*synced, error) {
		if ctx.Err() != nil {
			return nil, errors.New("interrupted before it began")
		}
		return w.syncUnit(ctx, byKey[key], f, progress), nil
	})
	plan := &planner.Plan{ID: a.id("sync"), Created: w.around.now(), Version: Version, Realm: w.around.realm, Lineage: w.lineage, Digest: w.digest, Tenants: c.tenants}
	var outcomes []render.Outcome
	var shown []render.Synced
	codes := []int{exitOK}
	for _, r := range results {
		s := r.Value
		if r.Err != nil {
			u := byKey[r.Key]
			part := &planner.Part{Tenant: u.identity, Address: u.address, Status: planner.Errored}
			s = &synced{part: part, outcome: w.outcome(part, nil, r.Err)}
		}
		if s == nil {
			continue
		}
		plan.Parts = append(plan.Parts, s.part)
		outcomes = append(outcomes, s.outcome)
		shown = append(shown, render.Synced{Outcome: s.outcome, Part: s.part, Remarks: s.remarks})
		codes = append(codes, s.outcome.Code)
	}
	options := a.outOptions()
	options.Flags = a.repeated(c)
	if f.json {
		err = errors.Join(render.Events(a.Stdout, plan), render.OutcomesJSON(a.Stdout, outcomes, options))
	} else {
		err = render.Sync(a.Stdout, shown, options)
	}
	if err != nil {
		return err
	}
	return codeOrNil(worst(codes...))
}

// syncUnits are the selected tenants, and without a selection also those in state that no block claims: what was applied to
// them stands until an apply takes it back.
func (w *workspace) syncUnits(ctx context.Context) ([]*unit, error) {
	units, err := w.allUnits(ctx, planOptions{})
	if err != nil {
		return nil, err
	}
	for _, u := range units {
		u.sync = true
	}
	sort.Slice(units, func(i, j int) bool { return units[i].key < units[j].key })
	return units, nil
}

// syncUnit plans one tenant and carries out what is decided. nil when it was released and only its history is left.
func (w *workspace) syncUnit(ctx context.Context, u *unit, f applyFlags, progress render.Progress) *synced {
	o := planOptions{sync: true}
	progress.Say(fmt.Sprintf("Reading %s", named(u.key)))
	part, remarks, err := w.planSync(ctx, u, o)
	if err == nil && part == nil {
		return nil
	}
	if err != nil {
		part = &planner.Part{Tenant: u.identity, Address: u.address, Status: planner.Errored}
		return &synced{part: part, remarks: remarks, outcome: w.outcome(part, nil, err)}
	}
	done, err := w.applyUnit(ctx, u, part, f, o, carried{}, progress, nil)
	outcome := w.outcome(part, done, err)
	if done != nil && done.part != nil {
		part = done.part
	}
	return &synced{part: part, remarks: remarks, outcome: outcome}
}

// planSync plans one tenant under what was applied, and says in sentences what that was.
func (w *workspace) planSync(ctx context.Context, u *unit, o planOptions) (*planner.Part, []string, error) {
	prior, err := w.lastApplied(ctx, u)
	if err != nil {
		return nil, nil, err
	}
	nothing := &planner.Part{Tenant: u.identity, Address: u.address, Status: planner.Ready, Serial: prior.Serial, Lineage: prior.Lineage}
	switch {
	case prior.Bare() && u.unclaimed != nil:
		return nil, nil, nil
	case prior.Bare():
		former, err := w.former(ctx, u, false)
		if err != nil || former == nil {
			return nothing, []string{"nothing was ever applied to it, so there is no policy to go by: weir apply."}, err
		}
		return nothing, []string{fmt.Sprintf("state has it under the key %q, and it is synced there until weir apply gives it the new key.", former.Tenant.Key)}, nil
	case !syncs(prior):
		return nothing, []string{"what was applied to it has no sync_policy."}, nil
	}
	req, err := w.request(ctx, u, o, prior)
	if err != nil {
		return nil, nil, err
	}
	part, _ := w.partOf(ctx, u, &req) // what is wrong stands in the part
	return part, w.remarks(ctx, u, prior), nil
}

// lastApplied is the unit's own state; that of a key which a block had before stays where it is.
func (w *workspace) lastApplied(ctx context.Context, u *unit) (*state.State, error) {
	tenant, err := w.bucket.Tenant(stateKey(u.key))
	if err != nil {
		return nil, err
	}
	prior, err := tenant.State(ctx)
	if err != nil {
		return nil, fmt.Errorf("state of %s: %w", named(u.key), err)
	}
	return prior, prior.Guard(w.around.realm, w.knownLineage())
}

func syncs(prior *state.State) bool {
	for _, obj := range prior.Objects {
		if obj.Type == "sync_policy" {
			return true
		}
	}
	return false
}

// remarks say where the files are not what the run goes by.
func (w *workspace) remarks(ctx context.Context, u *unit, prior *state.State) []string {
	if u.tenant == nil {
		return []string{"no block claims this tenant; the run went by what was applied to it last. weir plan says what to write."}
	}
	differs, err := planner.Differs(ctx, w.frame, u.tenant, prior)
	switch {
	case err != nil:
		return []string{fmt.Sprintf("the files cannot be evaluated, and the run went by what was applied last: %v", err)}
	case len(differs) > 0:
		const most = 5
		text := "the files are not what was applied, and the run went by what was applied. weir plan shows it, weir apply makes it so."
		for _, d := range differs[:min(most, len(differs))] {
			text += "\n- " + d
		}
		if more := len(differs) - most; more > 0 {
			text += fmt.Sprintf("\n- and %d more", more)
		}
		return []string{text}
	}
	return nil
}

// asApplied gives the unit the identity that was applied, whatever the files say by now.
func asApplied(u *unit, prior *state.State) {
	if d := prior.Tenant.PrimaryDomain; d != "" {
		u.identity.PrimaryDomain = d
	}
	if id := prior.Tenant.EntraTenantID; id != "" {
		u.identity.EntraTenantID = id
	}
}

// syncReaders are what a sync reads: directory, accounts, and the few objects that they depend on.
func (w *workspace) syncReaders(u *unit, prior *state.State) live.Readers {
	r := live.Readers{Conn: u.connected.Conn, Directory: u.connected.Directory, Accounts: u.connected.Accounts}
	for _, name := range planner.SyncTypes(w.registry, prior) {
		if t := w.registry.Type(name); t != nil {
			r.Types = append(r.Types, t)
		}
	}
	return w.unbroken(u, r)
}

// operation names the run in state.
func (o planOptions) operation() string {
	if o.sync {
		return "sync"
	}
	return "apply"
}
