package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/store"
)

// rewriteFlags are the flags of every command that writes a state by hand.
type rewriteFlags struct {
	configFlags
	auto        bool
	lockTimeout time.Duration
}

func (f *rewriteFlags) register(flags *pflag.FlagSet) {
	f.configFlags.register(flags)
	flags.BoolVar(&f.auto, "auto-approve", false, "do not ask")
	flags.DurationVar(&f.lockTimeout, "lock-timeout", 0, "wait so long for another run")
}

// rewrite is a change of what one state says. It touches no vendor.
type rewrite struct {
	// command is told by the history, note says for people what was done.
	command, note string
	// after names the new state, as the diff's heading does.
	after string
	// question is asked when the difference was shown.
	question string
	// change makes the new state. It is called once for the difference that is shown, and once with the state held.
	change func(now *state.State) (*state.State, error)
}

// rewriteState shows what would change, asks, takes the state and writes a new version of it. done is false if nothing
// had to change.
func (w *workspace) rewriteState(ctx context.Context, u *unit, f rewriteFlags, r rewrite) (done bool, err error) {
	now, err := w.prior(ctx, u)
	if err != nil {
		return false, err
	}
	next, err := r.change(now)
	if err != nil {
		return false, err
	}
	d := state.Diff(now, next)
	if d.Empty() {
		w.app.say("The state of %s says that already; nothing was written.", named(u.key))
		return false, nil
	}
	err = render.StateDiff(w.app.Stdout, render.StateComparison{
		Tenant: now.Tenant, Before: versionName(now, now), After: r.after, BeforeSerial: now.Serial, Difference: d,
	}, w.app.outOptions())
	if err != nil {
		return false, err
	}
	if err := w.app.approve(ctx, f.auto, r.question); err != nil {
		return false, err
	}
	lease, err := w.holdState(ctx, u, f, r.command, now.Tenant)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, release(lease)) }()
	held := lease.State()
	if !state.Diff(now, held).Empty() {
		return false, fmt.Errorf("another run changed the state of %s while you looked at it; nothing was written, look again", named(u.key))
	}
	if next, err = r.change(held); err != nil {
		return false, err
	}
	if err := lease.Replace(lease.Context(), next, r.note); err != nil {
		return false, err
	}
	w.app.say("%s: the state is version %d now. Nothing was changed at any vendor.", title(u.key), lease.State().Serial)
	return true, nil
}

var errNotApproved = errors.New("not approved; nothing was changed")

// approve asks a person, unless that was done before.
func (a *App) approve(ctx context.Context, already bool, question string) error {
	if already {
		return nil
	}
	ok, err := a.confirmWord(ctx, question, "yes", "pass --auto-approve")
	if err == nil && !ok {
		err = errNotApproved
	}
	return err
}

// holdState takes a state for a command. Another run that holds it ends the command with exit code 5.
func (w *workspace) holdState(ctx context.Context, u *unit, f rewriteFlags, command string, meta state.TenantMeta) (*store.Lease, error) {
	tenant, err := w.place(u)
	if err != nil {
		return nil, err
	}
	if err := w.recordLineage(); err != nil {
		return nil, err
	}
	meta.Configuration = w.lineage
	lease, err := tenant.Acquire(ctx, w.holder(command), store.AcquireOptions{
		TTL: w.ttl, LockTimeout: f.lockTimeout, Realm: w.around.realm, Tenant: meta, Existing: true,
		Waiting: func(h *store.HeldError) {
			w.app.say("%s is held by %s since %s; waiting", named(u.key), render.SafeText(h.Who), h.Since.Format(time.TimeOnly))
		},
		Kept: kept(u.key, func(text string) { w.app.say("%s", text) }),
	})
	var held *store.HeldError
	if errors.As(err, &held) {
		w.app.errorf("%v", err)
		return nil, codeError(exitBusy)
	}
	return lease, err
}

// release gives a state back, whether or not the command was interrupted.
func release(lease *store.Lease) error {
	return lease.Release(context.Background())
}

// title begins a sentence with a unit's name.
func title(key string) string {
	if key == "" {
		return "The root module"
	}
	return key
}
