package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/store"
)

// version is the state as it was at a serial.
func (w *workspace) version(ctx context.Context, u *unit, serial uint64) (*state.State, error) {
	tenant, err := w.place(u)
	if err != nil {
		return nil, err
	}
	s, err := tenant.At(ctx, serial)
	if errors.Is(err, store.ErrNoVersion) {
		return nil, fmt.Errorf("%w; weir state history lists those there are", err)
	}
	if err != nil {
		return nil, fmt.Errorf("state of %s: %w", named(u.key), err)
	}
	return s, s.Guard(w.around.realm, w.knownLineage())
}

// parseSerial reads the number of a version.
func parseSerial(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is no version: write its number, as weir state history lists it", text)
	}
	return n, nil
}

// shownRun is a run's record as reports show it.
func shownRun(r *store.Run) render.Run {
	out := render.Run{
		Serial: r.Serial, ID: r.ID, Who: r.Who, Host: r.Host, Operation: r.Operation, Plan: r.Plan, Note: r.Note,
		Started: r.Started, Ended: r.Ended, Interrupted: r.Interrupted, Counts: r.Counts,
	}
	for _, c := range r.Changes {
		out.Changes = append(out.Changes, render.RunChange{Address: c.Address, Mail: c.Mail, Type: c.Type, Action: c.Action, Result: string(c.Result)})
	}
	return out
}

func (a *App) stateHistoryCommand() *cobra.Command {
	var c configFlags
	var asJSON bool
	var limit int
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List the versions of the state: which run made each, when, and what it changed",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			w, err := a.remember(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			units, err := w.states(cmd.Context())
			if err != nil {
				return err
			}
			var list []render.History
			var unreadable []error
			for _, u := range units {
				h, err := w.history(cmd.Context(), u, limit)
				if err != nil {
					unreadable = append(unreadable, fmt.Errorf("history of %s: %w", named(u.key), err))
				}
				if h != nil {
					list = append(list, *h)
				}
			}
			if asJSON {
				err = render.HistoriesJSON(a.Stdout, list)
			} else {
				err = render.Histories(a.Stdout, list, a.Now(), a.outOptions())
			}
			return errors.Join(errors.Join(unreadable...), err)
		},
	}
	c.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with each change")
	cmd.Flags().IntVar(&limit, "limit", 20, "only the newest `N` of each state; 0 shows all")
	return cmd
}

// history are the newest runs of a unit; nil for one that has no state. With an error it holds what could be read.
func (w *workspace) history(ctx context.Context, u *unit, limit int) (*render.History, error) {
	head, err := w.head(ctx, u)
	if err != nil || head == nil {
		return nil, err
	}
	tenant, err := w.place(u)
	if err != nil {
		return nil, err
	}
	h := &render.History{Tenant: head.Tenant}
	for run, err := range tenant.History(ctx) {
		if err != nil {
			return h, err
		}
		if limit > 0 && len(h.Runs) == limit {
			h.More = true
			break
		}
		h.Runs = append(h.Runs, shownRun(run))
	}
	return h, nil
}

func (a *App) stateDiffCommand() *cobra.Command {
	var c configFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff [N [M]]",
		Short: "Show what differs between two versions of a state",
		Long: `Show what differs between versions N and M of a state; without M between N and the present; without both between the
version before the present one and it. Sensitive values are hidden.`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			var serials []uint64
			for _, arg := range args {
				n, err := parseSerial(arg)
				if err != nil {
					return err
				}
				serials = append(serials, n)
			}
			w, err := a.remember(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			u, now, err := w.theState(cmd.Context())
			if err != nil {
				return err
			}
			comparison, err := w.compare(cmd.Context(), u, now, serials)
			if err != nil {
				return err
			}
			if asJSON {
				return render.StateDiffJSON(a.Stdout, *comparison)
			}
			return render.StateDiff(a.Stdout, *comparison, a.outOptions())
		},
	}
	c.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (w *workspace) compare(ctx context.Context, u *unit, now *state.State, serials []uint64) (*render.StateComparison, error) {
	after := now
	var from uint64
	switch len(serials) {
	case 0:
		if from = now.Serial - 1; from == 0 {
			return nil, fmt.Errorf("%s has one version only, so there is nothing to compare it with", named(u.key))
		}
	case 2:
		var err error
		if after, err = w.version(ctx, u, serials[1]); err != nil {
			return nil, err
		}
		fallthrough
	default:
		from = serials[0]
	}
	before, err := w.version(ctx, u, from)
	if err != nil {
		return nil, err
	}
	return &render.StateComparison{
		Tenant: now.Tenant, Before: versionName(before, now), After: versionName(after, now),
		BeforeSerial: before.Serial, AfterSerial: after.Serial, Difference: state.Diff(before, after),
	}, nil
}

func versionName(s, now *state.State) string {
	if s.Serial == now.Serial {
		return fmt.Sprintf("version %d, the present", s.Serial)
	}
	return fmt.Sprintf("version %d", s.Serial)
}

func (a *App) stateAuditCommand() *cobra.Command {
	var c configFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Verify the records of all runs, and tell who did what and when",
		Long: `Verify the records of all runs, and tell who did what and when.

Each record names the one before it and its digest, and the head of the state names the last. A record that was changed
or removed afterwards breaks the chain: audit then says where and exits 1.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			w, err := a.remember(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			units, err := w.states(cmd.Context())
			if err != nil {
				return err
			}
			var list []render.Audit
			var unreadable []error
			broken := false
			for _, u := range units {
				found, err := w.audit(cmd.Context(), u)
				if err != nil {
					unreadable = append(unreadable, fmt.Errorf("records of %s: %w", named(u.key), err))
					continue
				}
				if found != nil {
					list = append(list, *found)
					broken = broken || len(found.Broken) > 0
				}
			}
			if asJSON {
				err = render.AuditsJSON(a.Stdout, list)
			} else {
				err = render.Audits(a.Stdout, list, a.Now(), a.outOptions())
			}
			if err := errors.Join(errors.Join(unreadable...), err); err != nil {
				return err
			}
			if broken {
				return codeError(exitError)
			}
			return nil
		},
	}
	c.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with each change")
	return cmd
}

// audit verifies a unit's records; nil for one that has no state.
func (w *workspace) audit(ctx context.Context, u *unit) (*render.Audit, error) {
	head, err := w.head(ctx, u)
	if err != nil || head == nil {
		return nil, err
	}
	tenant, err := w.place(u)
	if err != nil {
		return nil, err
	}
	found, err := tenant.Audit(ctx)
	if err != nil {
		return nil, err
	}
	out := &render.Audit{Tenant: head.Tenant, Broken: found.Broken, Loose: found.Loose}
	for _, r := range found.Runs {
		out.Runs = append(out.Runs, shownRun(r))
	}
	return out, nil
}
