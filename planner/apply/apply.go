package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// Journal is where intents and outcomes are made durable. Both are durable on return.
type Journal interface {
	Intend(ctx context.Context, intents []state.Intent) error
	Record(ctx context.Context, outcomes []state.Outcome) error
	Note(ctx context.Context, note state.Note) error
}

// Secrets are the values of one run: referenced ones are resolved, issued ones live here until the run ends.
type Secrets interface {
	resource.Secrets
	// Issued returns the key ids of the secrets that the object at address issued in this run, by attribute.
	Issued(address string) map[string]string
}

// Request is one tenant's part and everything needed to carry it out.
type Request struct {
	// Part was decided from Plan under the lease.
	Part *planner.Part
	Plan planner.Request
	// Reviewed is what was agreed to. Items that differ from it are left alone.
	Reviewed planner.Reviewed
	// Conn reaches the vendors; Accounts writes derived accounts (nil when the tenant has none).
	Conn     *resource.Conn
	Accounts directory.AccountWriter
	// Confirm reads the directory source of an account again, directly before something destructive is done to it:
	// present says whether the object still exists. nil when the directory was not read.
	Confirm func(ctx context.Context, objectID string) (entry *directory.Entry, present bool, err error)
	// Memberships reads the groups of that object again, where the decision rests on them (dirsync.Decision.Groups): what does is
	// not carried out when it is nil.
	Memberships func(ctx context.Context, objectID string, kind directory.Kind, nested bool) (*directory.Memberships, error)
	Secrets     Secrets
	Journal     Journal
	// State is the working copy that outcomes are merged into.
	State *state.State
	// Provider gives the address of the provider block that serves a type, for state.
	Provider func(t *resource.Type) string
	// Emit receives events, in order, from one goroutine at a time. nil drops them.
	Emit func(Event)
	// Operation makes operation ids; Now is the clock. Both are called from several goroutines at once.
	Operation func() string
	Now       func() time.Time
	// Grace is how long a vendor call that is under way when the run is stopped may still take; 0 means 30 seconds. The
	// state's lease is held at least that long after it is lost to this run.
	Grace time.Duration
	// Parallel bounds the declared objects changed at once; 0 means 4.
	Parallel int
}

// Event is one step of an apply, for progress displays and machine logs.
type Event struct {
	Time    time.Time
	Tenant  string
	Address string
	Kind    EventKind
	Action  string
	Elapsed time.Duration
	// Text is a sentence: what failed and why, or why something is left alone. Never a secret.
	Text string
	// Count is the number of accounts that one event stands for; 0 for a declared object.
	Count int
}

// EventKind is the kind of an Event.
type EventKind string

// The kinds of events.
const (
	Started  EventKind = "apply_start"
	Finished EventKind = "apply_complete"
	Failed   EventKind = "apply_errored"
	LeftOut  EventKind = "apply_skipped"
)

// Report is what an apply did. Applied counts successful items; the rest are named with their reason.
type Report struct {
	Applied map[string]int // by action word
	// AlreadySo counts reviewed items that needed nothing any more.
	AlreadySo   int
	Failed      []Item
	NotReviewed []Item
	// Skipped items depend on something that failed or was held.
	Skipped []Item
	// Held items are held by guards.
	Held []Item
	// LeftOut items were left out by a person; they are no failure.
	LeftOut []Item
	// Changed says that a destructive item's facts changed since the review, so that nothing was applied.
	Changed []Item
	// Values are the values of the declared objects as they are now, by address.
	Values map[string]cty.Value
}

// Item names one object or account and why it is listed.
type Item struct {
	Address string
	Text    string
}

// Complete reports whether everything that was to be applied was.
func (r *Report) Complete() bool {
	return len(r.Failed) == 0 && len(r.Skipped) == 0 && len(r.NotReviewed) == 0
}

// Total is the number of items applied.
func (r *Report) Total() int {
	n := 0
	for _, c := range r.Applied {
		n += c
	}
	return n
}

// run is the working state of one Run.
type run struct {
	Request
	// calls is the context of changing vendor calls; see inFlight.
	calls context.Context
	// objects plans instances again with the values known by then; it is not safe for concurrent use.
	objects   *planner.Objects
	planMu    sync.Mutex
	part      map[string]*planner.Change
	mu        sync.Mutex // guards report, State and failed
	report    *Report
	failed    map[string]bool
	succeeded map[string]bool
	// doubts are the operations that earlier runs left in doubt: everything that was read for this one was read after them,
	// whatever the clocks of the machines say.
	doubts map[string]bool
	// settled are the addresses that are as they are wanted, left those that are known not to be.
	settled map[string]bool
	left    []*planner.Change
	serial  map[string]*sync.Mutex
	// wrote says that this run has written to the journal.
	wrote bool
	// withheld are the objects of which a part is written after everything else.
	withheld []withheld
	accounts sync.Once
	// allowanceUsed says that the one-time allowance of the part is written down as used up.
	allowanceUsed bool
	// accountsErr is what stopped the accounts, for everyone who asks for them.
	accountsErr error
}

// callGrace is the Grace that is not given: the deadline of one attempt.
const callGrace = 30 * time.Second

// inFlight is the context of changing vendor calls. An interrupt or a lost lease ends ctx, and nothing more is begun;
// what is under way may end within its deadline, so that its outcome is known instead of in doubt.
func inFlight(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return calls, func() { stop(); cancel() }
}

// Run applies the part. It goes on with what does not depend on a failure; the error is non-nil only when the run had
// to stop altogether: the journal refused, or ctx ended. The report is complete in either case.
func Run(ctx context.Context, req Request) (*Report, error) {
	r := &run{
		Request: req, report: &Report{Applied: map[string]int{}, Values: map[string]cty.Value{}}, failed: map[string]bool{}, succeeded: map[string]bool{}, settled: map[string]bool{},
		doubts: map[string]bool{}, part: map[string]*planner.Change{}, serial: map[string]*sync.Mutex{},
	}
	for op := range req.State.InDoubt {
		r.doubts[op] = true
	}
	if r.Parallel == 0 {
		r.Parallel = 4
	}
	if r.Grace == 0 {
		r.Grace = callGrace
	}
	if r.Emit == nil {
		r.Emit = func(Event) {}
	}
	calls, cancel := inFlight(ctx, r.Grace)
	defer cancel()
	r.calls = calls
	for _, c := range req.Part.Changes {
		r.part[c.Address] = c
		r.serial[c.Type] = &sync.Mutex{}
	}
	fresh := req.Part.Review()
	held := r.held()
	for address, item := range req.Reviewed.Items {
		now, still := fresh.Items[address]
		switch {
		case !still && item.Destructive && r.present(address):
			r.report.Changed = append(r.report.Changed, Item{address, "was to be changed destructively and now would not be: " + item.Text})
		case !still && held[address]:
			// It is listed as held when its turn comes.
		case !still && item.Mail != "" && !r.accountIs(item):
			r.report.NotReviewed = append(r.report.NotReviewed, Item{address, "reviewed as " + item.Text + ", which is not to be done any more"})
		case !still:
			r.report.AlreadySo++
		case !item.Covers(now) && (now.Destructive || item.Destructive):
			r.report.Changed = append(r.report.Changed, Item{address, "reviewed as " + item.Text + ", now " + now.Text + " with other facts"})
		case item.Destructive && now.Destructive:
			if paths := r.changedSince(address, item); len(paths) > 0 {
				r.report.Changed = append(r.report.Changed, Item{address, fmt.Sprintf("reviewed as %s, and %s changed since", item.Text, strings.Join(paths, ", "))})
			}
		}
	}
	slices.SortFunc(r.report.Changed, func(a, b Item) int { return compare(a.Address, b.Address) })
	if len(r.report.Changed) > 0 {
		return r.report, nil
	}

	if err := r.rename(ctx); err != nil {
		return r.finish(), err
	}
	if req.Plan.Frame != nil && !req.Plan.Destroy {
		if err := r.walk(ctx); err != nil {
			return r.finish(), err
		}
	}
	if !req.Plan.Destroy {
		if err := r.applyAccounts(ctx); err != nil {
			return r.finish(), err
		}
	}
	if err := r.takeDown(ctx); err != nil {
		return r.finish(), err
	}
	if err := r.bind(ctx); err != nil {
		return r.finish(), err
	}
	if err := r.release(ctx); err != nil {
		return r.finish(), err
	}
	if err := r.expect(ctx); err != nil {
		return r.finish(), err
	}
	if err := r.deliver(ctx); err != nil {
		return r.finish(), err
	}
	if err := r.rememberApplied(ctx); err != nil {
		return r.finish(), err
	}
	if req.Plan.Destroy && req.Part.Tenant.Key == "" && len(req.Part.Outputs) > 0 {
		if err := r.recordOutputs(ctx, &config.Evaluation{}, false); err != nil {
			return r.finish(), err
		}
	}
	return r.finish(), context.Cause(ctx)
}

// changedSince names the attributes in which the object of a destructive item is not the one that was reviewed.
func (r *run) changedSince(address string, item planner.Item) []string {
	c := r.part[address]
	if c == nil {
		return nil
	}
	t := r.Plan.Registry.Type(c.Type)
	if t == nil {
		return nil
	}
	return resource.Differences(t.Attributes, known(t, item.Before), known(t, c.Before))
}

// present reports whether a reviewed address still exists in the fresh decision in any form that could matter: an
// object in state, or a live account. An object that is gone altogether was taken down by somebody else: already so.
func (r *run) present(address string) bool {
	return r.State.Objects[address] != nil && r.part[address] != nil
}

// held are the addresses of everything that is decided and kept back.
func (r *run) held() map[string]bool {
	out := map[string]bool{}
	for _, c := range r.Part.Changes {
		if c.Held != "" || c.Skipped != "" {
			out[c.Address] = true
		}
	}
	if r.Part.Accounts != nil {
		for i := range r.Part.Accounts.Decisions {
			if d := &r.Part.Accounts.Decisions[i]; d.Held != "" {
				out[r.accountAddress(d)] = true
			}
		}
	}
	return out
}

func (r *run) finish() *Report {
	for _, list := range [][]Item{r.report.Failed, r.report.NotReviewed, r.report.Skipped, r.report.Held} {
		slices.SortFunc(list, func(a, b Item) int { return compare(a.Address, b.Address) })
	}
	return r.report
}

// walk evaluates the blocks again, in order, and applies each as its values become known.
func (r *run) walk(ctx context.Context) error {
	r.objects = planner.NewObjects(&r.Plan).Reissue(r.Part.Reissue)
	if r.Part.Hosted != nil {
		r.objects.Suspend(r.Part.Hosted.Suspended)
	}
	var stop error
	evaluation, diags := r.Plan.Evaluate(ctx, config.EvalRequest{
		Parallel: r.Parallel,
		Visit: func(ctx context.Context, inst *config.Instance) (cty.Value, hcl.Diagnostics) {
			if slices.Contains(inst.Type.After, "sync_policy") && inst.Type.Provider == "microsoft" {
				// Accounts exist before mail is routed through the gateway.
				if err := r.applyAccounts(ctx); err != nil {
					r.mu.Lock()
					stop = err
					r.mu.Unlock()
					return cty.UnknownVal(inst.Type.Object()), failure(inst, err)
				}
			}
			v, err := r.object(ctx, inst)
			r.mu.Lock()
			r.report.Values[inst.Address.String()] = v
			r.mu.Unlock()
			if err != nil {
				var fatal *stopError
				if errors.As(err, &fatal) {
					r.mu.Lock()
					stop = fatal.err
					r.mu.Unlock()
				}
				return v, failure(inst, err)
			}
			return v, nil
		},
	})
	if stop != nil {
		return stop
	}
	for address, because := range evaluation.Skipped {
		if c := r.part[address]; c != nil && c.Applies() {
			r.skip(address, fmt.Sprintf("not applied, because %s was not", because))
		}
	}
	r.unreached(ctx, diags)
	if r.Plan.Selected == nil && len(evaluation.Outputs) > 0 {
		return r.recordOutputs(ctx, evaluation, diags.HasErrors())
	}
	return nil
}

// unreached lists what was to be applied and was never come to: its block could not be evaluated with the values known by
// then, or the run was stopped before.
func (r *run) unreached(ctx context.Context, diags hcl.Diagnostics) {
	why := "its block could not be evaluated again"
	if context.Cause(ctx) != nil {
		why = "the run was stopped before it began"
	} else if diags.HasErrors() {
		why += ": " + diags.Error()
	}
	for _, c := range r.Part.Changes {
		if !c.Applies() || c.Action == planner.Delete || c.Action == planner.Release {
			continue
		}
		r.mu.Lock()
		told := r.failed[c.Address] || r.succeeded[c.Address] || r.settled[c.Address]
		r.mu.Unlock()
		if !told {
			r.skip(c.Address, why)
		}
	}
}

// upToDate notes an address that is as it is wanted, leave one that is not and was not touched.
func (r *run) upToDate(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settled[address] = true
}

func (r *run) leave(c *planner.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = append(r.left, c)
}

// recordOutputs merges the root outputs whose values are known.
func (r *run) recordOutputs(ctx context.Context, evaluation *config.Evaluation, broken bool) error {
	note := state.Note{Text: "outputs", Outputs: map[string]state.Output{}, Time: r.Now()}
	for name, o := range evaluation.Outputs {
		v, _ := o.Value.UnmarkDeep()
		if !v.IsWhollyKnown() {
			continue
		}
		now := state.Output{Value: planner.Stored(v), Sensitive: o.Sensitive}
		if was, there := r.State.Outputs[name]; !there || was.Sensitive != now.Sensitive || was.Value == cty.NilVal || !was.Value.RawEquals(now.Value) {
			note.Outputs[name] = now
		}
	}
	for name := range r.State.Outputs {
		if broken {
			break // an output that could not be evaluated is not one that is gone
		}
		if _, declared := evaluation.Outputs[name]; !declared {
			note.Outputs[name] = state.Output{Value: cty.NilVal}
		}
	}
	if len(note.Outputs) == 0 {
		return nil // it would be a version that changes nothing
	}
	if err := r.Journal.Note(ctx, note); err != nil {
		return err
	}
	return r.State.Apply(state.Entry{Note: &note})
}

// stopError ends the whole run: the journal or the lease is gone.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }
func (e *stopError) Unwrap() error { return e.err }

func failure(inst *config.Instance, err error) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Not applied", Detail: inst.Address.String() + ": " + err.Error()}}
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (r *run) event(e Event) {
	e.Time, e.Tenant = r.Now(), r.Part.Tenant.Key
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Emit(e)
}

func (r *run) fail(address, action string, err error) {
	r.mu.Lock()
	r.failed[address] = true
	r.report.Failed = append(r.report.Failed, Item{address, err.Error()})
	r.mu.Unlock()
	r.event(Event{Address: address, Kind: Failed, Action: action, Text: err.Error()})
}

func (r *run) skip(address, why string) {
	r.mu.Lock()
	r.failed[address] = true
	r.report.Skipped = append(r.report.Skipped, Item{address, why})
	r.mu.Unlock()
	r.event(Event{Address: address, Kind: LeftOut, Text: why})
}

func (r *run) applied(address, action string, began time.Time) {
	r.mu.Lock()
	r.succeeded[address] = true
	r.report.Applied[action]++
	r.mu.Unlock()
	r.event(Event{Address: address, Kind: Finished, Action: action, Elapsed: r.Now().Sub(began)})
}

// agreed reports whether the item may be applied; if not, it has been listed.
func (r *run) agreed(c *planner.Change) bool {
	switch {
	case c.Held != "":
		r.mu.Lock()
		r.failed[c.Address] = true
		r.report.Held = append(r.report.Held, Item{c.Address, c.Held})
		r.mu.Unlock()
		return false
	case c.Skipped != "":
		r.skip(c.Address, "waits for "+c.Skipped)
		return false
	}
	item, ok := r.Reviewed.Items[c.Address]
	if ok && item.Covers(c.Item()) {
		return true
	}
	why := "it was not part of what was reviewed: " + c.Item().Text
	if ok {
		why = "it changed since the review: reviewed as " + item.Text
	}
	r.mu.Lock()
	r.failed[c.Address] = true
	r.report.NotReviewed = append(r.report.NotReviewed, Item{c.Address, why})
	r.mu.Unlock()
	r.event(Event{Address: c.Address, Kind: LeftOut, Text: "not reviewed: " + why})
	return false
}

// intend makes an intent durable. Its failure stops the run: nothing may be begun that is not written down.
func (r *run) intend(ctx context.Context, intents ...state.Intent) error {
	if err := r.Journal.Intend(ctx, intents); err != nil {
		return &stopError{fmt.Errorf("the journal did not take an intent, so nothing more is begun: %w", err)}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrote = true
	for i := range intents {
		if err := r.State.Apply(state.Entry{Intent: &intents[i]}); err != nil {
			return &stopError{err}
		}
	}
	return nil
}

// record makes outcomes durable, on a context that an interrupt does not cancel: what happened must be remembered.
func (r *run) record(ctx context.Context, outcomes ...state.Outcome) error {
	if len(outcomes) == 0 {
		return nil
	}
	if err := r.Journal.Record(context.WithoutCancel(ctx), outcomes); err != nil {
		return &stopError{fmt.Errorf("the journal did not take an outcome; the next run will find out what happened: %w", err)}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrote = true
	for i := range outcomes {
		if err := r.State.Apply(state.Entry{Outcome: &outcomes[i]}); err != nil {
			return &stopError{err}
		}
	}
	return nil
}
