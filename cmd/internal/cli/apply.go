package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing/fstest"
	"time"

	"github.com/spf13/cobra"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/apply"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/planner/fleet"
	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/store"
)

// applyFlags are the flags of apply and destroy.
type applyFlags struct {
	auto           bool
	resume         bool
	review         bool
	skips          []string
	json           bool
	acceptRemovals []string
	acceptTenants  []string
	lockTimeout    time.Duration
	maxAge         time.Duration
}

func (a *App) applyCommand() *cobra.Command {
	var c configFlags
	var s selectFlags
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply [PLANFILE]",
		Short: "Make the vendors as the configuration says",
		Long: "Plan, ask, and apply; or apply a saved plan, item by item as it was reviewed: what changed since is left alone and listed.\n" +
			"A run that failed or was interrupted is taken up again with --resume, without asking: it was approved.\n" + exitStatuses,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o := planOptions{targets: s.targets, excludes: s.excludes, replace: s.replace, acceptTenants: f.acceptTenants}
			var err error
			if o.acceptRemovals, err = parseRemovals(f.acceptRemovals); err != nil {
				return err
			}
			if f.review && (f.auto || f.json || f.resume) {
				return errors.New("--review asks a person: it does not go with --auto-approve, --json or --resume; --skip and --exclude leave things out without asking")
			}
			if f.resume {
				return a.resume(cmd.Context(), c, f, o, strings.Join(args, ""))
			}
			if len(args) == 1 {
				return a.applySaved(cmd.Context(), c, f, o, args[0], carried{command: a.goOn(c, args[0])})
			}
			return a.planAndApply(cmd.Context(), c, f, o)
		},
	}
	flags := cmd.Flags()
	c.register(flags)
	c.registerFullRead(flags)
	s.register(flags)
	flags.BoolVar(&f.auto, "auto-approve", false, "do not ask")
	flags.BoolVar(&f.resume, "resume", false, "go on with the plan that was approved last, or with PLANFILE, after a failure or an interruption: what is done is left out")
	flags.BoolVar(&f.review, "review", false, "let single items be left out first: this time, until a date, or as an exemption that is written into the configuration")
	flags.StringArrayVar(&f.skips, "skip", nil, "leave an account out until a date, in this run and in every later one: `ADDRESS=DATE`")
	flags.BoolVar(&f.json, "json", false, "print events, one JSON object a line; needs --auto-approve, --resume or a saved plan")
	flags.StringArrayVar(&f.acceptRemovals, "accept-removals", nil, "let exactly `[KEY=]N` removals pass the limit")
	flags.StringSliceVar(&f.acceptTenants, "accept-tenants", nil, "let the removal of these tenants pass: `KEY,KEY`")
	flags.DurationVar(&f.lockTimeout, "lock-timeout", 0, "wait so long for another run")
	flags.DurationVar(&f.maxAge, "max-age", 24*time.Hour, "refuse a saved plan with destructive items that is older")
	return cmd
}

func (a *App) destroyCommand() *cobra.Command {
	var c configFlags
	var f applyFlags
	var adopted bool
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "Take down what Weir made, release what it found",
		Long:  "Delete every object that Weir made and release those that it found, in reverse order, so that mail flows until the end.\n" + exitStatuses,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.planAndApply(cmd.Context(), c, f, planOptions{destroy: true, includeAdopted: adopted})
		},
	}
	flags := cmd.Flags()
	c.register(flags)
	flags.BoolVar(&f.auto, "auto-approve", false, "do not ask")
	flags.BoolVar(&f.json, "json", false, "print events, one JSON object a line; needs --auto-approve")
	flags.BoolVar(&adopted, "include-adopted", false, "delete also what Weir found and adopted")
	flags.DurationVar(&f.lockTimeout, "lock-timeout", 0, "wait so long for another run")
	return cmd
}

// parseRemovals reads KEY=N, or N alone for the only tenant selected.
func parseRemovals(args []string) (map[string]int, error) {
	out := map[string]int{}
	for _, arg := range args {
		key, number, ok := strings.Cut(arg, "=")
		if !ok {
			key, number = "", arg
		}
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("--accept-removals %q: write KEY=N, or N alone when one tenant is selected", arg)
		}
		out[key] = n
	}
	return out, nil
}

// planAndApply plans, shows, asks and applies.
func (a *App) planAndApply(ctx context.Context, c configFlags, f applyFlags, o planOptions) (err error) {
	if f.json && !f.auto {
		return errors.New("--json prints events only: pass --auto-approve with it, or apply a saved plan")
	}
	w, err := a.open(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	p, diags, err := w.plan(ctx, o)
	if err != nil {
		return err
	}
	w.warn(diags)
	options := a.outOptions()
	options.Asking, options.Flags = true, a.repeated(c)
	if f.json {
		err = render.Events(a.Stdout, p)
	} else {
		err = render.Text(a.Stdout, p, options)
	}
	if err != nil {
		return err
	}
	if !anything(p) && (!leaving(f) || !heldAccounts(p)) {
		return codeOrNil(planCodeForApply(p))
	}
	if ctx.Err() != nil {
		return errors.New("interrupted; nothing was changed")
	}
	w.leftOver()
	list, err := w.reviewed(p, f)
	if err != nil {
		return err
	}
	approved := f.auto
	switch {
	case f.review:
		approved, err = w.review(ctx, list, "")
	case o.destroy && !f.auto:
		approved, err = a.confirm(ctx, "Take all this down? There is no undo.")
	case !f.auto:
		approved, err = a.confirm(ctx, "Apply this?")
	}
	if err != nil {
		return err
	}
	if !approved {
		return errors.New("not approved; nothing was changed (R43)")
	}
	if err := w.leaveOut(ctx, p, o, list); err != nil {
		return err
	}
	return w.apply(ctx, p, f, o, w.keep(ctx, p))
}

// applySaved applies a plan file: the configuration and the variables are the archive's, the surroundings are ours.
func (a *App) applySaved(ctx context.Context, c configFlags, f applyFlags, o planOptions, name string, plan carried) (err error) {
	if len(c.vars)+len(c.varFiles)+len(o.targets)+len(o.excludes)+len(o.replace)+len(c.tenants) > 0 || c.shard != "" {
		return errors.New("a saved plan is applied as it was reviewed: variables and selections belong to plan")
	}
	p, file, err := a.readPlan(ctx, c, a.path(name))
	if err != nil {
		return err
	}
	plan.digest = file.digest
	if age := a.Now().Sub(p.Created); p.Realm == state.Live && f.maxAge > 0 && age > f.maxAge && destructive(p) {
		return fmt.Errorf("the plan is %s old and has destructive items; plan again, or pass --max-age", age.Round(time.Minute))
	}
	// The files in the folder must be those that were reviewed, if they are still there.
	w, err := a.openArchive(ctx, c, p, file.encrypted)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	o.destroy, o.includeAdopted, o.targets, o.excludes, o.replace = p.Destroy, p.IncludeAdopted, p.Targets, p.Excludes, p.Replace
	before, err := w.approvedBefore(ctx, p, f, name, &plan)
	if err != nil {
		return err
	}
	if plan.resumed {
		if err := w.showLeft(ctx, p, f, o, plan); err != nil {
			return err
		}
	}
	if leaving(f) {
		list, err := w.reviewed(p, f)
		if err != nil {
			return err
		}
		if f.review {
			before.untick(list)
			if err := w.reviewSaved(ctx, p, list); err != nil {
				return err
			}
		}
		if err := w.leaveOut(ctx, p, o, list); err != nil {
			return err
		}
		plan = w.keep(ctx, p) // to go on with the file would be to go on with all that is in it
	}
	if leaving(f) || !plan.resumed {
		if remembered := w.remember(ctx, file.digest, p, plan.digest); remembered && plan.command == "" {
			plan.command = a.goOn(c, name)
		}
	}
	return w.apply(ctx, p, f, o, plan)
}

// openArchive is open with the plan's own sources and variables. The configuration in the folder must be the one that
// was planned: an apply of something else than what lies in version control would surprise the next plan. encrypted says
// that the plan file was, which nobody can forge who has not the keys.
func (a *App) openArchive(ctx context.Context, c configFlags, p *planner.Plan, encrypted bool) (*workspace, error) {
	around, err := a.surroundings(ctx, c.simulationFlags)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*workspace, error) { return nil, errors.Join(err, around.close()) }
	if p.Realm != around.realm {
		return fail(&state.RealmError{Tenant: "every tenant of this plan", State: p.Realm, Run: around.realm})
	}
	w := &workspace{app: a, flags: c, around: around, registry: builtin(), breaker: &fleet.Breaker{}}
	fail = func(err error) (*workspace, error) { return nil, errors.Join(err, w.close()) }
	archive := fstest.MapFS{}
	for name, data := range p.Sources {
		archive[name] = &fstest.MapFile{Data: data, Mode: 0o600}
	}
	vars := []config.VarInput{}
	for name, v := range p.Variables {
		vars = append(vars, config.VarInput{Name: name, Value: v, Source: "the saved plan"})
	}
	w.flags.tenants = p.Tenants
	if err := w.load(archive, vars); err != nil {
		return fail(err)
	}
	folder, _ := config.Load(os.DirFS(a.dir()), ".", w.registry)
	if folder == nil || folder.Digest() != w.graph.Digest() {
		return fail(errors.New("the configuration in this folder is not the one that was planned; check out the planned version, or plan again"))
	}
	if w.digest != p.Digest {
		return fail(errors.New("the saved plan does not fit its own archive; it was damaged or changed, plan again"))
	}
	if err := w.openState(ctx); err != nil {
		return fail(err)
	}
	if w.keys != nil && !encrypted {
		return fail(errors.New("the plan is not encrypted, and this configuration encrypts its plans: it was not made here, or somebody changed it; plan again"))
	}
	if w.fresh {
		w.lineage = p.Lineage
	}
	if w.lineage != p.Lineage {
		return fail(fmt.Errorf("the plan belongs to another configuration (%s; this one is %s); nothing was changed", p.Lineage, w.lineage))
	}
	if err := w.guardBucket(ctx); err != nil {
		return fail(err)
	}
	return w, nil
}

func anything(p *planner.Plan) bool {
	for _, part := range p.Parts {
		if part.Status != planner.Errored && (len(part.Review().Items) > 0 || part.Bookkeeping) || len(part.Outputs) > 0 {
			return true
		}
	}
	return false
}

// leaving reports whether the command lets items be left out.
func leaving(f applyFlags) bool { return f.review || len(f.skips) > 0 }

// heldAccounts reports whether a guard holds accounts, which can be left out for longer although nothing is applied.
func heldAccounts(p *planner.Plan) bool {
	return slices.ContainsFunc(p.Parts, func(part *planner.Part) bool { return part.Status != planner.Errored && part.HeldAccounts() })
}

func destructive(p *planner.Plan) bool {
	for _, part := range p.Parts {
		for _, item := range part.Review().Items {
			if item.Destructive {
				return true
			}
		}
	}
	return false
}

// planCodeForApply is the exit code of an apply that has nothing to do.
func planCodeForApply(p *planner.Plan) int {
	codes := []int{exitOK}
	for _, part := range p.Parts {
		code := partCode(part, false)
		if code == exitUnreadable {
			code = exitPartial
		}
		codes = append(codes, code)
	}
	return worst(codes...)
}

// apply carries out every part of the plan, each tenant under its own lease, then the root's.
func (w *workspace) apply(ctx context.Context, p *planner.Plan, f applyFlags, o planOptions, plan carried) error {
	units, err := w.allUnits(ctx, o)
	if err != nil {
		return err
	}
	byKey := map[string]*unit{}
	for _, u := range units {
		byKey[u.key] = u
	}
	var keys []string
	parts := map[string]*planner.Part{}
	for _, part := range p.Parts {
		if part.Tenant.Key != "" {
			keys = append(keys, part.Tenant.Key)
		}
		parts[part.Tenant.Key] = part
	}
	if err := w.recordLineage(); err != nil {
		return err
	}
	progress := w.app.progress()
	w.storage.tell(progress.Say)
	var mu sync.Mutex
	known := map[string]cty.Value{}
	results := fleet.Each(ctx, keys, w.flags.parallel, func(ctx context.Context, key string) (*applied, error) {
		u := byKey[key]
		if u == nil {
			return nil, fmt.Errorf("tenant %q is in the plan and neither in the configuration nor in state any more", key)
		}
		if ctx.Err() != nil {
			return nil, errors.New("interrupted before it began")
		}
		done, err := w.applyUnit(ctx, u, parts[key], f, o, plan, progress, nil)
		mu.Lock()
		defer mu.Unlock()
		if done != nil {
			maps.Copy(known, done.values)
		}
		return done, err
	})
	var outcomes []render.Outcome
	for i, r := range results {
		outcomes = append(outcomes, w.outcome(parts[keys[i]], r.Value, r.Err))
	}
	if root := parts[""]; root != nil && ctx.Err() != nil {
		outcomes = append(outcomes, w.outcome(root, nil, errors.New("interrupted before it began")))
	} else if root != nil && lost(results) {
		outcomes = append(outcomes, w.outcome(root, nil, fmt.Errorf("not begun, because a tenant was lost on the way: %w", store.ErrLost)))
	} else if root != nil {
		done, err := w.applyUnit(ctx, &unit{}, root, f, o, plan, progress, known)
		outcomes = append(outcomes, w.outcome(root, done, err))
	}
	left, resumable := undone(parts, outcomes)
	if err := plan.conclude(left); err != nil {
		w.app.say("%v", err)
	}
	options := w.app.outOptions()
	options.Flags, options.Resumed = w.app.repeated(w.flags), plan.resumed
	if resumable {
		options.GoOn, options.Because = plan.command, plan.why
	}
	if f.json {
		err = render.OutcomesJSON(w.app.Stdout, outcomes, options)
	} else {
		err = render.Outcomes(w.app.Stdout, outcomes, options)
	}
	if err != nil {
		return err
	}
	codes := []int{exitOK}
	for _, out := range outcomes {
		codes = append(codes, out.Code)
	}
	return codeOrNil(worst(codes...))
}

// undone reports whether anything that was approved is left to do, and whether taking the plan up again can do it.
func undone(parts map[string]*planner.Part, outcomes []render.Outcome) (left, resumable bool) {
	for i := range outcomes {
		out := &outcomes[i]
		if out.Error != "" {
			left, resumable = true, true
		}
		r := out.Report
		if r == nil {
			continue
		}
		approved := parts[out.Tenant.Key].Review().Items
		for _, list := range [][]apply.Item{r.Failed, r.Skipped, r.Held, r.Changed, r.NotReviewed} {
			for _, item := range list {
				_, ok := approved[item.Address]
				left = left || ok
			}
		}
		resumable = resumable || len(r.Failed)+len(r.Skipped) > 0
	}
	return left || resumable, resumable
}

// applied is what one unit's apply left.
type applied struct {
	report *apply.Report
	part   *planner.Part
	values map[string]cty.Value
}

// count adds something done besides the part's items.
func (a *applied) count(action string) {
	if a == nil || a.report == nil {
		return
	}
	if a.report.Applied == nil {
		a.report.Applied = map[string]int{}
	}
	a.report.Applied[action]++
}

// lost reports whether a tenant was lost to this run, which then begins nothing else: what it knows is old.
func lost(results []fleet.Result[*applied]) bool {
	for _, r := range results {
		if errors.Is(r.Err, store.ErrLost) {
			return true
		}
	}
	return false
}

// outcome turns one unit's end into its line of the last screen.
func (w *workspace) outcome(planned *planner.Part, done *applied, err error) render.Outcome {
	out := render.Outcome{Tenant: planned.Tenant}
	if done != nil {
		out.Report = done.report
	}
	var held *store.HeldError
	switch {
	case errors.As(err, &held):
		out.Code, out.Error = exitBusy, held.Error()
	case err != nil && w.storage.ended(err):
		out.Code = exitStorage
		out.Error = w.app.secrets.Redact(err.Error()) + "; nothing more was begun, and the next run finds out about what was under way"
	case err != nil:
		out.Code, out.Error = exitError, w.app.secrets.Redact(err.Error())
		if done != nil && done.report != nil && done.report.Total() > 0 {
			out.Code = exitPartial
		}
	case done == nil || done.part == nil:
		out.Code = exitOK
	default:
		out.Code = reportCode(done)
	}
	return out
}

func reportCode(done *applied) int {
	codes := []int{exitOK}
	if r := done.report; r != nil {
		if len(r.Failed)+len(r.Skipped)+len(r.NotReviewed) > 0 {
			codes = append(codes, exitPartial)
		}
		if len(r.Held)+len(r.Changed) > 0 {
			codes = append(codes, exitHeld)
		}
	}
	switch {
	case done.part.Status == planner.Errored:
		codes = append(codes, exitError)
	case !done.part.Readable():
		codes = append(codes, exitPartial)
	case done.part.Status == planner.Held:
		codes = append(codes, exitHeld)
	}
	return worst(codes...)
}

// applyUnit takes the unit's lease, reads and decides again, and applies what was reviewed. A part with nothing to do
// takes no lease and writes nothing.
func (w *workspace) applyUnit(ctx context.Context, u *unit, planned *planner.Part, f applyFlags, o planOptions, plan carried, progress render.Progress, known map[string]cty.Value) (done *applied, err error) {
	reviewed := planned.Review()
	_, skips := planned.Skips(nil)
	if planned.Status == planner.Errored || len(reviewed.Items) == 0 && len(planned.Outputs) == 0 && !planned.Bookkeeping && !skips {
		return &applied{part: planned, report: &apply.Report{LeftOut: apply.Omitted(planned)}, values: w.untouched(ctx, u, planned, o)}, nil
	}
	promised := promises(planned)
	if planned.Accounts != nil && !o.sync {
		planned.Accounts.Links = nil // those of a takeover are everybody, and everybody is read again
	}
	tenant, err := w.bucket.Tenant(stateKey(u.key))
	if err != nil {
		return nil, err
	}
	options := store.AcquireOptions{TTL: w.ttl, Existing: o.sync, LockTimeout: f.lockTimeout, Realm: w.around.realm, Tenant: w.meta(u), Waiting: func(h *store.HeldError) {
		progress.Say(fmt.Sprintf("%s is held by %s since %s; waiting", named(strings.TrimPrefix(h.Tenant, state.RootKey)), h.Who, h.Since.Format(time.TimeOnly)))
	}, Kept: kept(u.key, progress.Say)}
	if planned.Former != "" {
		moved, err := w.changeKey(ctx, planned.Former, u.key, options)
		if err != nil {
			return nil, err
		}
		if moved {
			defer func() { done.count("move") }()
		}
	}
	holder := w.holder(o.operation())
	holder.Plan = plan.digest
	lease, err := tenant.Acquire(ctx, holder, options)
	if err != nil {
		return nil, err
	}
	// The lease ends with the run's context too, so that an interrupt stops new calls; what is in flight is recorded.
	leaseCtx, cancel := context.WithCancelCause(lease.Context())
	stop := context.AfterFunc(ctx, func() { cancel(errors.New("interrupted")) })
	defer stop()
	defer cancel(nil)
	working := lease.State()
	defer func() {
		err = errors.Join(err, giveBack(lease, done))
		if cause := context.Cause(lease.Context()); err != nil && errors.Is(cause, store.ErrLost) && !errors.Is(err, store.ErrLost) {
			err = fmt.Errorf("%w: %w", cause, err) // whatever failed, failed because of that
		}
	}()
	if working.Bare() && u.tenant != nil {
		if former, err := w.former(leaseCtx, u, true); err != nil {
			return nil, err
		} else if former != nil {
			return nil, fmt.Errorf("state has %s under the key %q, and the plan did not say that it moves; plan again", u.identity.PrimaryDomain, former.Tenant.Key)
		}
	}

	if err := apply.RecordOmissions(leaseCtx, lease, working, planned, func() string { return w.app.id("op") }, w.around.now()); err != nil {
		return nil, err
	}
	// Planning reads a copy: apply changes the working state while later objects are still being planned.
	prior := working.Clone()
	mails, objects := planned.LeftOut()
	if planned.Removed {
		for _, mail := range mails { // nothing derives them any more
			objects = append(objects, planner.AccountAddress(planned.AccountPolicy, mail))
		}
	}
	o.excludes = slices.Concat(o.excludes, objects)
	req, err := w.request(leaseCtx, u, o, prior)
	if err != nil {
		return nil, err
	}
	req.Known, req.LeftOut = known, mails
	var part *planner.Part
	if planned.Removed && !o.destroy {
		part, _, err = w.rebuildRemoved(leaseCtx, u, o, prior)
		req.Destroy, req.Frame = true, nil
	} else {
		part, _ = w.partOf(leaseCtx, u, &req)
	}
	if err != nil {
		return nil, err
	}
	if part.Status == planner.Errored {
		return &applied{part: part, report: &apply.Report{}}, errors.New(strings.Join(part.Errors, "; "))
	}
	if o.sync {
		reviewed = part.Review() // nobody reviews an hourly run: what is decided now is what is done
	} else {
		if part.Accounts != nil {
			bounded(part, promised)
		}
		part.CollideAs(planned)
		part.StayHeld(planned)
		if err := w.introduce(leaseCtx, lease, working, u); err != nil {
			return nil, err
		}
	}
	if !w.derives(prior) {
		req.Observed, req.Facts = req.Observed.WithoutPeople(), nil
	}
	leaseCtx = providers.Permit(leaseCtx, lease.MayBegin)
	run := apply.Request{
		Grace: lease.CallTimeout(),
		Part:  part, Plan: req, Reviewed: reviewed, Secrets: w.secrets, Journal: lease, State: working, Emit: progress.Event,
		Operation: func() string { return w.app.id("op") }, Now: w.around.now,
		Provider: func(t *resource.Type) string {
			if u.connected == nil {
				return ""
			}
			return u.connected.Providers[t.Provider]
		},
	}
	if u.connected != nil {
		run.Conn, run.Accounts = u.connected.Conn, u.connected.Writer
		run.Confirm, run.Memberships = u.connected.Confirm, u.connected.Memberships
	}
	report, err := apply.Run(leaseCtx, run)
	report.LeftOut = apply.Omitted(planned)
	return &applied{part: part, report: report, values: report.Values}, err
}

// untouched gives root outputs the values of a tenant that has nothing to apply. A saved plan does not carry them, so
// they are read; a tenant that cannot be read leaves them unknown, and outputs that need them as they are.
func (w *workspace) untouched(ctx context.Context, u *unit, planned *planner.Part, o planOptions) map[string]cty.Value {
	if planned.Values != nil || u.key == "" || planned.Status == planner.Errored {
		return planned.Values
	}
	part, _, err := w.build(ctx, u, o, nil)
	if err != nil || part == nil {
		return nil
	}
	return part.Values
}

func sameMeta(a, b state.TenantMeta) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// rebuildRemoved plans the removal of an unclaimed tenant again, under the lease.
func (w *workspace) rebuildRemoved(ctx context.Context, u *unit, o planOptions, prior *state.State) (*planner.Part, []string, error) {
	for _, r := range w.removed(ctx) {
		if names(r, u) {
			part, _, err := w.takeDownUnclaimed(ctx, u, o, prior, r)
			return part, nil, err
		}
	}
	return nil, nil, fmt.Errorf("no removed block names tenant %q any more", u.key)
}

// promises are the addresses of the accounts that state is to have by a reviewed part: those that it adopts, and those that
// it makes, since an account that an earlier run made and could not remember is the one that was reviewed.
func promises(planned *planner.Part) map[string]bool {
	out := map[string]bool{}
	if planned.Accounts == nil {
		return out
	}
	for i := range planned.Accounts.Links {
		out[planned.Accounts.Links[i].Address] = true
	}
	for i := range planned.Accounts.Decisions {
		if d := &planned.Accounts.Decisions[i]; d.Action == dirsync.Add && d.After != nil {
			out[d.After.Address] = true
		}
	}
	return out
}

// bounded keeps the account bookkeeping of a fresh decision to what was planned: adoptions that nobody saw wait for
// the next plan.
func bounded(part *planner.Part, promised map[string]bool) {
	part.Accounts.Links = slices.DeleteFunc(part.Accounts.Links, func(l dirsync.Link) bool { return !promised[l.Address] })
}

// introduce records who the tenant is, where that changed since the state was last written.
func (w *workspace) introduce(ctx context.Context, lease *store.Lease, working *state.State, u *unit) error {
	meta := w.meta(u)
	meta.OrganizationID = working.Tenant.OrganizationID
	if sameMeta(meta, working.Tenant) {
		return nil
	}
	note := state.Note{Text: "identity", Tenant: &meta, Time: w.around.now()}
	if err := lease.Note(ctx, note); err != nil {
		return err
	}
	return working.Apply(state.Entry{Note: &note})
}

// giveBack releases the lease, on every path out. What was done stands in the journal already.
func giveBack(lease *store.Lease, done *applied) error {
	lost := errors.Is(context.Cause(lease.Context()), store.ErrLost)
	err := lease.Release(context.Background())
	if lost && done != nil && errors.Is(err, store.ErrLost) {
		return nil // it was said why the run ended
	}
	return err
}

func hostname() string {
	h, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return h
}

func dirOf(path string) string { return filepath.Dir(path) }
