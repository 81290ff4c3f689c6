package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/state/store"
)

func (a *App) stateUnlockCommand() *cobra.Command {
	var f rewriteFlags
	cmd := &cobra.Command{
		Use:   "unlock RUN",
		Short: "Take the tenant away from a run that holds it",
		Long: `Take the tenant away from a run that holds it. RUN is the run's id, which the message "another run holds …" shows; if by
now another run holds the tenant, nothing happens.

There is seldom a need: a run that shows no sign of life loses the tenant by itself after two minutes, and the next run
then takes over. A run that is alive stops as soon as it sees that the tenant is no longer its own. A change that it has
begun by then may still happen: the next apply finds out before it does anything else.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			w, err := a.remember(cmd.Context(), f.configFlags)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			return w.unlock(cmd.Context(), args[0], f.auto)
		},
	}
	f.configFlags.register(cmd.Flags())
	cmd.Flags().BoolVar(&f.auto, "auto-approve", false, "do not ask")
	return cmd
}

func (w *workspace) unlock(ctx context.Context, run string, auto bool) error {
	units, err := w.states(ctx)
	if err != nil {
		return err
	}
	var held []*unit
	var others []string
	for _, u := range units {
		head, err := w.head(ctx, u)
		if err != nil {
			return err
		}
		switch {
		case head == nil || head.Holder == nil:
		case head.Holder.Run == run:
			held = append(held, u)
			w.app.say("%s is held by %s since %s (%s).", title(u.key), holderWords(head.Holder), head.Since.UTC().Format("2006-01-02 15:04:05 UTC"), render.Ago(head.Since, w.app.Now()))
		default:
			others = append(others, stateKey(u.key)+" by run "+head.Holder.Run)
		}
	}
	if len(held) == 0 {
		if len(others) > 0 {
			return fmt.Errorf("run %s holds no tenant; held are %s", run, strings.Join(others, ", "))
		}
		return fmt.Errorf("run %s holds no tenant, and neither does any other", run)
	}
	if err := w.app.approve(ctx, auto, "Take it away from that run? If it is alive it stops; a change that it has begun may still happen, and the next apply finds out."); err != nil {
		return err
	}
	for _, u := range held {
		tenant, err := w.place(u)
		if err != nil {
			return err
		}
		if err := tenant.Unlock(ctx, run); errors.Is(err, store.ErrNotHeld) {
			w.app.say("%s was given back in the meantime.", title(u.key))
		} else if err != nil {
			return err
		} else {
			w.app.say("%s is free.", title(u.key))
		}
	}
	return nil
}

func holderWords(h *store.Holder) string {
	what := h.Operation
	if what == "" {
		what = "a run"
	}
	return render.SafeText(what + " by " + h.Who + " on " + h.Host)
}
