package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"golang.org/x/sync/errgroup"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// accountWorkers bounds the single-account writes in flight; the vendor's host budget bounds them again.
const accountWorkers = 4

// applyAccounts carries out the account decisions once, however often it is asked: before the first object that routes
// mail, or at the end.
func (r *run) applyAccounts(ctx context.Context) error {
	r.accounts.Do(func() { r.accountsErr = r.accountPhase(ctx) })
	return r.accountsErr
}

func (r *run) accountPhase(ctx context.Context) error {
	result := r.Part.Accounts
	if result == nil {
		return nil
	}
	r.mu.Lock()
	policyFailed := r.failed[r.Part.AccountPolicy]
	r.mu.Unlock()
	if policyFailed && !r.Plan.Sync { // a sync decides by the policy that was applied, whatever becomes of a secret
		for _, d := range result.Decisions {
			r.skip(planner.AccountAddress(r.Part.AccountPolicy, d.Address), fmt.Sprintf("%s was not applied", r.Part.AccountPolicy))
		}
		return nil
	}
	if why := r.restless(ctx); why != "" {
		for i := range result.Decisions {
			r.skip(r.accountAddress(&result.Decisions[i]), why)
		}
		return nil
	}
	if err := r.bookkeeping(ctx, result); err != nil {
		return err
	}
	var adds []*dirsync.Decision
	waves := map[bool][]*dirsync.Decision{}
	removes := false
	for _, d := range r.agreedAccounts(result) {
		if r.Accounts == nil {
			r.fail(r.accountAddress(d), string(d.Action), errors.New("the tenant has no connection to Essentials"))
			continue
		}
		if d.Action == dirsync.Add && len(d.Needs) == 0 && d.Exempt == "" {
			adds = append(adds, d)
			continue
		}
		waves[len(d.Needs) > 0] = append(waves[len(d.Needs) > 0], d)
		removes = removes || len(d.Counts) > 0
	}
	if removes {
		if err := r.useAllowance(ctx); err != nil {
			return err
		}
	}
	// What gives up an address comes before what takes it; new accounts come between, in bulk.
	if err := r.each(ctx, waves[false]); err != nil {
		return err
	}
	for batch := range slices.Chunk(adds, max(1, r.batch())) {
		if err := r.add(ctx, batch); err != nil {
			return err
		}
	}
	slices.SortStableFunc(waves[true], func(a, b *dirsync.Decision) int { return a.Wave - b.Wave })
	for _, d := range waves[true] {
		if failed := r.neededFailed(d); failed != "" {
			r.skip(r.accountAddress(d), fmt.Sprintf("%s still holds an address that it needs", failed))
			continue
		}
		if err := r.each(ctx, []*dirsync.Decision{d}); err != nil {
			return err
		}
	}
	return r.settleAccounts(ctx)
}

// settleAccounts closes earlier operations in doubt about accounts: the complete read that this part rests on has
// shown what became of them, and what they should have done was decided again.
func (r *run) settleAccounts(ctx context.Context) error {
	if r.Plan.Observed.Accounts == nil || !r.Plan.Observed.Accounts.Proof.Complete {
		return nil
	}
	var outcomes []state.Outcome
	var lifts []state.Intent
	r.mu.Lock()
	for _, d := range r.State.Doubts() {
		switch {
		case d.Mail == "" || !r.doubts[d.Op]:
		case d.Type == planner.LiftExemption:
			lifts = append(lifts, d)
		default:
			// Whether it happened or not, what it was to take away stays counted: a retry counts no address twice.
			outcomes = append(outcomes, state.Outcome{Op: d.Op, Address: d.Address, Mail: d.Mail, Type: d.Type, Action: d.Action, Result: state.Done, Removals: d.Removals(), Time: r.Now()})
		}
	}
	r.mu.Unlock()
	if err := r.record(ctx, outcomes...); err != nil {
		return err
	}
	for _, d := range lifts {
		if err := r.lift(ctx, d); err != nil {
			var fatal *stopError
			if errors.As(err, &fatal) {
				return fatal.err
			}
			r.fail(planner.AccountAddress(d.Address, d.Mail), d.Action, err)
		}
	}
	return nil
}

// lift ends the exemption that an earlier run should have ended. An account that is functional by now goes on needing it, and
// so does one for which a block asks.
func (r *run) lift(ctx context.Context, d state.Intent) error {
	if r.blockExempts(d.Mail) {
		return r.lifted(ctx, d)
	}
	for _, a := range r.Plan.Observed.Accounts.Accounts {
		if a.Address == d.Mail && a.Type == directory.FunctionalAccount {
			return r.lifted(ctx, d)
		}
	}
	writer, ok := r.Accounts.(directory.ExemptionWriter)
	if !ok {
		return nil
	}
	if err := writer.RemoveExemption(r.calls, d.Mail); err != nil {
		return err
	}
	return r.lifted(ctx, d)
}

// blockExempts reports whether an exemption block, as it was applied last, has the address on the vendor's list.
func (r *run) blockExempts(mail string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, obj := range r.State.Objects {
		if obj.Type != "exemption" || obj.Values == cty.NilVal {
			continue
		}
		all, _ := resource.Words(obj.Values, "protects")
		if slices.ContainsFunc(all, func(x string) bool { return directory.Fold(x) == mail }) {
			return true
		}
	}
	return false
}

func (r *run) lifted(ctx context.Context, d state.Intent) error {
	return r.record(ctx, state.Outcome{Op: d.Op, Address: d.Address, Mail: d.Mail, Type: d.Type, Action: d.Action, Result: state.Done, Time: r.Now()})
}

// useAllowance remembers that the one-time allowance which lets removals pass is used up, before the first of them: what
// a failure leaves undone needs another.
func (r *run) useAllowance(ctx context.Context) error {
	r.mu.Lock()
	used := r.Part.Allowance == "" || r.allowanceUsed
	r.allowanceUsed = true
	r.mu.Unlock()
	if used {
		return nil
	}
	note := state.Note{Text: "allowance of removals used", Allowance: r.Part.Allowance, Time: r.Now()}
	if err := r.Journal.Note(ctx, note); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.State.Apply(state.Entry{Note: &note})
}

// bind remembers what the addresses of exemptions stand for, so that the exemptions follow a rename.
func (r *run) bind(ctx context.Context) error {
	if r.Part.Accounts == nil {
		return nil
	}
	var outcomes []state.Outcome
	r.mu.Lock()
	for _, address := range r.State.Addresses() {
		obj := r.State.Objects[address]
		if obj.Type != "exemption" {
			continue
		}
		if bindings, changed := planner.Bind(obj, r.Part.Accounts.Bindings); changed {
			bound := *obj
			bound.Bindings = bindings
			outcomes = append(outcomes, state.Outcome{Op: r.Operation(), Address: address, Type: obj.Type, Action: "bind", Result: state.Done, Object: &bound, Time: r.Now()})
		}
	}
	r.mu.Unlock()
	return r.record(ctx, outcomes...)
}

func (r *run) batch() int {
	if r.Accounts == nil {
		return 1
	}
	return r.Accounts.MaxBatch()
}

func (r *run) accountAddress(d *dirsync.Decision) string {
	return planner.AccountAddress(r.Part.AccountPolicy, d.Address)
}

func (r *run) neededFailed(d *dirsync.Decision) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range d.Needs {
		if r.failed[planner.AccountAddress(r.Part.AccountPolicy, n)] {
			return n
		}
	}
	return ""
}

// agreedAccounts are the decisions to carry out: those that were agreed to, without the ones that hand an address over to
// somebody who was not, or get one from there. An address that its account gives up, and the other does not take, would
// stop receiving without anybody having agreed to that.
func (r *run) agreedAccounts(result *dirsync.Result) []*dirsync.Decision {
	var agreed []*dirsync.Decision
	apart := map[string]bool{}
	for i := range result.Decisions {
		d := &result.Decisions[i]
		if r.agreedAccount(d) {
			agreed = append(agreed, d)
		} else {
			apart[d.Address] = true
		}
	}
	if len(apart) == 0 {
		return agreed
	}
	because := planner.Apart(result.Decisions, apart)
	return slices.DeleteFunc(agreed, func(d *dirsync.Decision) bool {
		other := because[d.Address]
		if other != "" {
			r.skip(r.accountAddress(d), fmt.Sprintf("an address goes from one to the other, and %s is left as it is", other))
		}
		return other != ""
	})
}

func (r *run) agreedAccount(d *dirsync.Decision) bool {
	address := r.accountAddress(d)
	if d.Held != "" {
		r.mu.Lock()
		r.failed[address] = true
		r.report.Held = append(r.report.Held, Item{address, d.Held})
		r.mu.Unlock()
		return false
	}
	item, ok := r.Reviewed.Items[address]
	if ok && item.Digest == planner.DecisionItem(d).Digest {
		return true
	}
	why := "it was not part of what was reviewed: " + planner.DecisionItem(d).Text
	if ok {
		why = "it changed since the review: reviewed as " + item.Text
	}
	r.mu.Lock()
	r.failed[address] = true
	r.report.NotReviewed = append(r.report.NotReviewed, Item{address, why})
	r.mu.Unlock()
	r.event(Event{Address: address, Kind: LeftOut, Text: "not reviewed: " + why})
	return false
}

// accountIs reports whether a reviewed account is as it was to become, so that nothing is left to do about it.
func (r *run) accountIs(item planner.Item) bool {
	reading := r.Plan.Observed.Accounts
	if reading == nil || !reading.Proof.Complete {
		return false
	}
	i, found := slices.BinarySearchFunc(reading.Accounts, item.Mail, func(a *directory.Account, mail string) int { return compare(a.Address, mail) })
	if !found || item.Wanted == "" {
		return !found && item.Wanted == ""
	}
	return dirsync.Hash(reading.Accounts[i]) == item.Wanted
}

// bookkeepingBatch is how many records are made and written at once, some full slots of the journal: a takeover has one for
// everybody.
const bookkeepingBatch = 2000

// bookkeeping records what needs no vendor call: adoptions, grace clocks, records brought up to date and forgotten.
func (r *run) bookkeeping(ctx context.Context, result *dirsync.Result) error {
	policy := r.Part.AccountPolicy
	put := func(action string, a *state.Account) state.Outcome {
		return state.Outcome{
			Op: r.Operation(), Address: policy, Mail: a.Address, Type: "account", Action: action, Result: state.Done, Account: a, Time: r.Now(),
		}
	}
	forget := func(address string) state.Outcome {
		return state.Outcome{
			Op: r.Operation(), Address: policy, Mail: address, Type: "account", Action: "forget", Result: state.Done, Deleted: true, Time: r.Now(),
		}
	}
	var outcomes, last []state.Outcome
	for _, l := range result.Links {
		// Two accounts may have changed places: every old record goes before the first new one comes.
		if l.From != "" && l.From != l.Address {
			outcomes = append(outcomes, forget(l.From))
		}
	}
	for _, c := range result.Clocks {
		if old := r.stateAccount(c.Address); old != nil {
			a := *old
			a.GoneSince = c.GoneSince
			last = append(last, put("clock", &a))
		}
	}
	for _, address := range result.Forget {
		last = append(last, forget(address))
	}
	adopted := len(result.Links)
	if adopted > 0 || len(last) > 0 || len(result.Decisions) > 0 {
		// Records are brought up to date only along with something else: an apply with nothing to do writes nothing.
		for _, k := range result.Learned {
			last = append(last, put("learn", remembered(k, r.stateAccount(k.Address))))
		}
	}
	for i := range result.Links {
		outcomes = append(outcomes, put("adopt", remembered(result.Links[i].Remember(policy), nil)))
		if len(outcomes) < bookkeepingBatch {
			continue
		}
		if err := r.record(ctx, outcomes...); err != nil {
			return err
		}
		outcomes = nil
	}
	if err := r.record(ctx, append(outcomes, last...)...); err != nil {
		return err
	}
	if adopted > 0 {
		r.mu.Lock()
		r.report.Applied["adopt"] += adopted
		r.mu.Unlock()
		r.event(Event{Address: policy, Kind: Finished, Action: "adopt", Count: adopted})
	}
	if !r.Plan.Sync {
		result.Links = nil // state has them now; the part of a sync is shown afterwards
	}
	return nil
}

func (r *run) stateAccount(address string) *state.Account {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.State.Accounts.Get(address)
}

// add creates one batch. Its intents are durable first; what the answer names neither as made nor as refused is in
// doubt, and one read settles it.
func (r *run) add(ctx context.Context, batch []*dirsync.Decision) error {
	if err := context.Cause(ctx); err != nil {
		for _, d := range batch {
			r.skip(r.accountAddress(d), "the run was stopped before it began")
		}
		return nil
	}
	began := r.Now()
	intents := make([]state.Intent, len(batch))
	accounts := make([]*directory.Account, len(batch))
	for i, d := range batch {
		intents[i] = r.accountIntent(d)
		accounts[i] = d.After
	}
	r.event(Event{Address: r.Part.AccountPolicy, Kind: Started, Action: string(dirsync.Add), Count: len(batch)})
	if err := r.intend(ctx, intents...); err != nil {
		return stopped(err)
	}
	results := r.Accounts.Add(r.calls, accounts)
	outcomes := make([]state.Outcome, 0, len(batch))
	made := 0
	for i, d := range batch {
		result := results[i]
		if errors.Is(result.Err, resource.ErrAmbiguous) {
			result = r.settleAdd(ctx, d, result)
		}
		o := state.Outcome{Op: intents[i].Op, Address: r.Part.AccountPolicy, Mail: intents[i].Mail, Type: "account", Action: string(d.Action), Time: r.Now()}
		switch {
		case result.Err == nil:
			o.Result, o.Account = state.Done, r.accountState(d, result.Account)
			made++
		case errors.Is(result.Err, resource.ErrAmbiguous) || context.Cause(ctx) != nil && !errors.Is(result.Err, errNotMade):
			o.Result, o.Error = state.Unknown, result.Err.Error()
			r.fail(r.accountAddress(d), string(d.Action), result.Err)
		default:
			o.Result, o.Error = state.Failed, result.Err.Error()
			r.fail(r.accountAddress(d), string(d.Action), result.Err)
		}
		outcomes = append(outcomes, o)
	}
	if err := r.record(ctx, outcomes...); err != nil {
		return stopped(err)
	}
	r.mu.Lock()
	r.report.Applied[string(dirsync.Add)] += made
	r.mu.Unlock()
	r.event(Event{Address: r.Part.AccountPolicy, Kind: Finished, Action: string(dirsync.Add), Count: made, Elapsed: r.Now().Sub(began)})
	return nil
}

// errNotMade says that a creation without an answer certainly did not happen.
var errNotMade = errors.New("the answer was lost and the account was not made; apply again")

// settleAdd finds out what became of an account whose creation got no answer.
func (r *run) settleAdd(ctx context.Context, d *dirsync.Decision, lost directory.AccountResult) directory.AccountResult {
	account, err := r.Accounts.Get(context.WithoutCancel(ctx), d.Address)
	switch {
	case err == nil && account.Address == d.After.Address:
		return directory.AccountResult{Account: account}
	case errors.Is(err, resource.ErrAbsent):
		return directory.AccountResult{Err: fmt.Errorf("%w: %v", errNotMade, lost.Err)}
	}
	return lost
}

// each carries out decisions one account at a time, a few at once.
func (r *run) each(ctx context.Context, decisions []*dirsync.Decision) error {
	group := errgroup.Group{}
	group.SetLimit(accountWorkers)
	panics := make(chan any, len(decisions))
	for _, d := range decisions {
		group.Go(func() error {
			// A panic is raised again on the caller's goroutine, where it can be caught for this tenant alone.
			defer func() {
				if p := recover(); p != nil {
					panics <- p
				}
			}()
			address := r.accountAddress(d)
			if err := context.Cause(ctx); err != nil {
				r.skip(address, "the run was stopped before it began")
				return nil
			}
			began := r.Now()
			r.event(Event{Address: address, Kind: Started, Action: string(d.Action)})
			err := r.one(ctx, d)
			var fatal *stopError
			if errors.As(err, &fatal) {
				return fatal.err
			}
			if err != nil {
				r.fail(address, string(d.Action), err)
				return nil
			}
			r.applied(address, string(d.Action), began)
			return nil
		})
	}
	err := group.Wait()
	select {
	case p := <-panics:
		panic(p)
	default:
	}
	return err
}

// one carries out one decision. Something destructive is first confirmed: the account and its directory source are
// read once more, and what changed since the plan is left alone.
func (r *run) one(ctx context.Context, d *dirsync.Decision) error {
	if d.Destructive {
		if err := r.confirm(ctx, d); err != nil {
			return err
		}
	}
	intent := r.accountIntent(d)
	outcome := state.Outcome{Op: intent.Op, Address: r.Part.AccountPolicy, Mail: intent.Mail, Type: "account", Action: string(d.Action), Result: state.Done}
	// A change that takes an address away is written down first: killed before its outcome is recorded, it counts
	// against the limits all the same.
	if d.Action == dirsync.Delete || d.Action == dirsync.Add || d.Action == dirsync.Rename || len(d.Counts) > 0 {
		if err := r.intend(ctx, intent); err != nil {
			return err
		}
	}
	lift, err := r.exempt(ctx, d)
	if err != nil {
		return err
	}
	var account *directory.Account
	switch d.Action {
	case dirsync.Delete:
		if err = r.Accounts.Delete(r.calls, d.Address); errors.Is(err, resource.ErrAbsent) {
			err = nil // gone already
		}
	case dirsync.Add:
		result := r.Accounts.Add(r.calls, []*directory.Account{d.After})[0]
		if errors.Is(result.Err, resource.ErrAmbiguous) {
			result = r.settleAdd(ctx, d, result)
		}
		account, err = result.Account, result.Err
	case dirsync.Protect:
		account = d.Before // its exemption was all
	default:
		account, err = r.Accounts.Update(r.calls, d.Before, d.After)
	}
	outcome.Time = r.Now()
	if err != nil {
		outcome.Result, outcome.Error = state.Failed, err.Error()
		if errors.Is(err, resource.ErrAmbiguous) || context.Cause(ctx) != nil {
			outcome.Result = state.Unknown
		}
		// Without a certain answer the exemption stays to be lifted: the next read tells.
		if lift != nil && outcome.Result == state.Failed {
			err = errors.Join(err, r.lifted(ctx, *lift))
		}
		return errors.Join(err, r.record(ctx, outcome))
	}
	outcome.Removals = r.removals(d, intent.Op)
	if d.Action == dirsync.Delete {
		outcome.Deleted = true
	} else {
		outcome.Account = r.accountState(d, account)
	}
	if err := r.record(ctx, outcome); err != nil || lift == nil {
		return err
	}
	if err := r.Accounts.(directory.ExemptionWriter).RemoveExemption(r.calls, lift.Mail); err != nil {
		return fmt.Errorf("the account is done, but it is still exempt from the hosted sync; the next apply lifts that: %w", err)
	}
	return r.lifted(ctx, *lift)
}

// exempt puts the account's address on the list of what the hosted sync leaves alone, if the decision asks for it. When
// it is to leave the list afterwards instead, the intent to do so is durable on return and handed back.
func (r *run) exempt(ctx context.Context, d *dirsync.Decision) (lift *state.Intent, err error) {
	if d.Exempt == "" {
		return nil, nil
	}
	writer, ok := r.Accounts.(directory.ExemptionWriter)
	if !ok {
		return nil, errors.New("this account writer cannot exempt addresses from the hosted sync")
	}
	if d.Exempt == "add" {
		if err := writer.AddExemption(r.calls, d.Before.Address); err != nil {
			return nil, fmt.Errorf("its exemption from the hosted sync could not be written, so the account was left alone: %w", err)
		}
		return nil, nil
	}
	intent := state.Intent{
		Op: r.Operation(), Address: r.Part.AccountPolicy, Mail: d.Before.Address, Type: planner.LiftExemption, Action: "lift",
		NaturalKey: d.Before.Address, Time: r.Now(),
	}
	if err := r.intend(ctx, intent); err != nil {
		return nil, err
	}
	return &intent, nil
}

func (r *run) confirm(ctx context.Context, d *dirsync.Decision) error {
	account, err := r.Accounts.Get(ctx, d.Address)
	switch {
	case errors.Is(err, resource.ErrAbsent) && d.Action == dirsync.Delete:
		return nil
	case err != nil:
		return fmt.Errorf("read again before something is taken away: %w", err)
	case d.Before != nil && dirsync.Hash(account) != dirsync.Hash(d.Before):
		return errors.New("the account changed since the plan was made; it is left alone, plan again")
	}
	if d.ObjectID == "" || r.Confirm == nil {
		return nil
	}
	entry, present, err := r.Confirm(ctx, d.ObjectID)
	switch {
	case err != nil:
		return fmt.Errorf("the directory entry could not be read again: %w", err)
	case present && d.Gone:
		return errors.New("its directory entry is back; it is left alone, plan again")
	case present && d.Kind == directory.User && nobodys(entry):
		return fmt.Errorf("its mailbox is a %s now; it is left alone, plan again", strings.ReplaceAll(string(entry.Kind), "_", " "))
	case present && d.Action == dirsync.Disable && entry != nil && entry.Enabled && d.GoneSince.IsZero() && (entry.Kind == directory.User || entry.Kind == directory.UnknownKind):
		return errors.New("its sign-in is enabled again; it is left alone, plan again")
	case present && d.Groups != nil:
		return r.confirmGroups(ctx, d, entry)
	}
	return nil
}

// confirmGroups asks for the groups of the entry, where what happens to its account rests on them.
func (r *run) confirmGroups(ctx context.Context, d *dirsync.Decision, entry *directory.Entry) error {
	if r.Memberships == nil {
		return errors.New("the groups of its directory entry cannot be read again; it is left alone")
	}
	kind := d.Kind
	if entry != nil {
		kind = entry.Kind
	}
	now, err := r.Memberships(ctx, d.ObjectID, kind, d.Groups.Nested())
	if err != nil {
		return fmt.Errorf("the groups of its directory entry could not be read again: %w", err)
	}
	if what := d.Groups.Differs(now); what != "" {
		return fmt.Errorf("its directory entry %s; it is left alone, plan again", what)
	}
	return nil
}

// nobodys says that the entry is a mailbox that is no person's, whose sign-in is blocked as a matter of course.
func nobodys(e *directory.Entry) bool {
	return e != nil && (e.Kind == directory.SharedMailbox || e.Kind == directory.Room || e.Kind == directory.Equipment)
}

func (r *run) accountIntent(d *dirsync.Decision) state.Intent {
	return state.Intent{
		Op: r.Operation(), Address: r.Part.AccountPolicy, Mail: recordOf(d), Type: "account", Action: string(d.Action), NaturalKey: d.Address,
		Digest: planner.DecisionItem(d).Digest, Counts: d.Counts, Time: r.Now(),
	}
}

// accountState is what state keeps of an account after a decision about it; nil when it keeps nothing.
func (r *run) accountState(d *dirsync.Decision, made *directory.Account) *state.Account {
	r.mu.Lock()
	old := r.State.Accounts.Get(d.Known)
	r.mu.Unlock()
	var prev *dirsync.Known
	if old != nil {
		prev = &dirsync.Known{Address: old.Address, UID: old.UID, Converted: old.Converted, Disabled: old.Disabled}
	}
	uid := 0
	if made != nil {
		uid = made.UID
	}
	k, keep := d.Remember(prev, r.Part.AccountPolicy, uid)
	if !keep {
		return nil
	}
	a := remembered(k, nil)
	a.Type, a.Active = string(d.After.Type), d.After.Active
	return a
}

// remembered is a record as state keeps it; what dirsync does not carry is taken from old.
func remembered(k dirsync.Known, old *state.Account) *state.Account {
	a := &state.Account{}
	if old != nil {
		*a = *old
	}
	a.Address, a.UID, a.ObjectID, a.Policy, a.Hash, a.Aliases = k.Address, k.UID, k.ObjectID, k.Policy, k.Hash, k.Aliases
	a.Kind, a.Converted, a.Disabled, a.GoneSince, a.SettleUntil = string(k.Kind), k.Converted, k.Disabled, k.GoneSince, k.SettleUntil
	a.Ownership = state.Adopted
	if k.Created {
		a.Ownership = state.Created
	}
	return a
}

// recordOf is the address under which state has the account of a decision, or is about to have it.
func recordOf(d *dirsync.Decision) string {
	if d.Known != "" {
		return d.Known
	}
	return d.Address
}

func (r *run) removals(d *dirsync.Decision, op string) []state.Removal {
	kind := state.RemovalAlias
	switch d.Action {
	case dirsync.Delete:
		kind = state.RemovalDelete
	case dirsync.Disable:
		kind = state.RemovalDisable
	}
	var out []state.Removal
	for _, mail := range d.Counts {
		out = append(out, state.Removal{Mail: mail, Kind: kind, Op: op, Time: r.Now()})
	}
	return out
}

func stopped(err error) error {
	var fatal *stopError
	if errors.As(err, &fatal) {
		return fatal.err
	}
	return err
}
