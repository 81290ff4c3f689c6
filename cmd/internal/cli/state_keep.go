package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/providers/directory/cache"
	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/store"
)

func (a *App) stateCollectCommand() *cobra.Command {
	var f rewriteFlags
	var dry bool
	var days, versions int
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove old versions that nothing needs any more",
		Long: `Remove old versions that nothing needs any more: those that were replaced more than --keep-days ago, but for the newest
--keep-versions. The present state, and the records of who did what, stay. Without --dry-run what would go is shown
first, and you are asked.

Nothing younger than 30 days is ever removed: it keeps a run that slept that long from writing where another has
written.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			keep := store.Retention{Age: time.Duration(days) * 24 * time.Hour, Versions: versions}
			if keep.Age < store.MinRetention || versions < 1 {
				return fmt.Errorf("--keep-days is at least %d, and --keep-versions at least 1", store.MinRetention/(24*time.Hour))
			}
			w, err := a.remember(cmd.Context(), f.configFlags)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			return w.collect(cmd.Context(), f, keep, dry)
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be removed")
	cmd.Flags().IntVar(&days, "keep-days", 90, "keep versions for `N` days after they were replaced")
	cmd.Flags().IntVar(&versions, "keep-versions", 50, "keep the newest `N` versions, however old they are")
	return cmd
}

// collect says what would go from each selected state, asks once, and removes it.
func (w *workspace) collect(ctx context.Context, f rewriteFlags, keep store.Retention, dry bool) error {
	units, err := w.states(ctx)
	if err != nil {
		return err
	}
	var some []*unit
	for _, u := range units {
		head, err := w.head(ctx, u)
		if err != nil {
			return err
		}
		if head == nil {
			if err := w.sweep(ctx, u, dry); err != nil {
				return err
			}
			continue
		}
		found, err := w.collectOne(ctx, u, f, head.Tenant, keep, true)
		if err != nil {
			return err
		}
		if found.Objects > 0 {
			some = append(some, u)
		}
		w.app.say("%s: %s", title(u.key), collectedWords(found, "can go"))
	}
	if dry || len(some) == 0 {
		return nil
	}
	if err := w.app.approve(ctx, f.auto, "Remove this? Those versions cannot be shown or rolled back to any more."); err != nil {
		return err
	}
	for _, u := range some {
		head, err := w.head(ctx, u)
		if err != nil || head == nil {
			return err
		}
		done, err := w.collectOne(ctx, u, f, head.Tenant, keep, false)
		if err != nil {
			return err
		}
		w.app.say("%s: %s", title(u.key), collectedWords(done, "removed"))
	}
	return nil
}

func (w *workspace) collectOne(ctx context.Context, u *unit, f rewriteFlags, meta state.TenantMeta, keep store.Retention, dry bool) (out store.Collected, err error) {
	lease, err := w.holdState(ctx, u, f, "state gc", meta)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, release(lease)) }()
	if out, err = lease.Collect(lease.Context(), keep, dry); err != nil {
		return out, err
	}
	// Every run that keeps a directory removes older ones. One that died on the way leaves some.
	shelf, err := w.shelf(u)
	if err != nil {
		return out, err
	}
	n, err := cache.Collect(lease.Context(), shelf, dry)
	out.Objects += n
	return out, err
}

// sweep removes what a purge left that was cut off.
func (w *workspace) sweep(ctx context.Context, u *unit, dry bool) error {
	tenant, err := w.place(u)
	if err != nil || dry {
		return err
	}
	swept, _, err := tenant.Sweep(ctx)
	if errors.Is(err, store.ErrAbsent) {
		return nil
	}
	if err == nil && swept.Objects > 0 {
		w.app.say("%s was purged: %s", title(u.key), collectedWords(swept, "removed"))
	}
	return err
}

func collectedWords(c store.Collected, verb string) string {
	if c.Objects == 0 {
		return fmt.Sprintf("nothing %s; version %d is the oldest that can be read.", verb, c.Oldest)
	}
	text := fmt.Sprintf("%d objects, %s, %s", c.Objects, sizeWords(c.Bytes), verb)
	if c.Oldest > 0 {
		text += fmt.Sprintf("; version %d is then the oldest that can be read", c.Oldest)
	}
	return text + "."
}

// sizeWords is a number of bytes for people.
func sizeWords(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

func (a *App) statePurgeCommand() *cobra.Command {
	var f rewriteFlags
	var force bool
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Remove a tenant's whole state with its history",
		Long: `Remove the whole state of the one tenant that --tenant names, its history and its records with it. There is no undo but
the bucket's own versions. What this machine kept of the tenant's directory goes with it. Nothing happens at any vendor.

It is for a tenant that was taken down or released, whose state is empty. While something is remembered there, or may
still be happening, it is refused; --force does it all the same, once you have typed the tenant's key.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if len(f.tenants) == 0 {
				return errors.New("name the tenant whose state is to go with --tenant")
			}
			w, err := a.remember(cmd.Context(), f.configFlags)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			return w.purge(cmd.Context(), f, force)
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().BoolVar(&force, "force", false, "although something is remembered; asks for the tenant's key")
	return cmd
}

func (w *workspace) purge(ctx context.Context, f rewriteFlags, force bool) (err error) {
	u, s, err := w.theState(ctx)
	if err != nil {
		return err
	}
	remembered := len(s.Objects) + s.Accounts.Len() + len(s.InDoubt)
	what := fmt.Sprintf("%s has %d objects, %d accounts and %d operations in doubt in version %d of its state.",
		title(u.key), len(s.Objects), s.Accounts.Len(), len(s.InDoubt), s.Serial)
	w.app.say("%s", what)
	switch {
	case remembered > 0 && !force:
		return fmt.Errorf("something is still remembered, so nothing was removed: take the tenant down or release it first (%s), or pass --force",
			render.Command("destroy", w.app.repeated(w.flags)))
	case remembered > 0:
		// This is the last trace of what Weir made: no flag stands in for a person.
		ok, err := w.app.confirmWord(ctx, "All of this would be forgotten, with its history. Nothing happens to it at any vendor.", stateKey(u.key), "this needs a person, who types the tenant's key")
		if err != nil {
			return err
		}
		if !ok {
			return errNotApproved
		}
	default:
		if err := w.app.approve(ctx, f.auto, "Remove this state with its history? There is no undo."); err != nil {
			return err
		}
	}
	lease, err := w.holdState(ctx, u, f, "state purge", s.Tenant)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release(lease)) }()
	if !state.Diff(s, lease.State()).Empty() {
		return fmt.Errorf("another run changed the state of %s while you looked at it; nothing was removed, look again", named(u.key))
	}
	gone, err := lease.Purge(lease.Context(), force)
	if err != nil {
		return err
	}
	w.app.say("%s: %d objects, %s, removed. Nothing was changed at any vendor.", title(u.key), gone.Objects, sizeWords(gone.Bytes))
	// What was kept beside the state went with it. What lies on this machine is of a state that is not encrypted, or was not.
	kept, err := cache.Forget(ctx, w.ownShelf(u))
	if err != nil {
		return fmt.Errorf("the state is gone, but what this machine kept of the directory is not: %w", err)
	}
	if kept > 0 {
		w.app.say("What this machine kept of its directory is gone, too.")
	}
	if u.tenant != nil && remembered > 0 {
		w.app.say("A block still declares this tenant: the next plan finds what is there and proposes to adopt it.")
	}
	return nil
}
