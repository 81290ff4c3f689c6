package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/store"
)

func (a *App) stateRekeyCommand() *cobra.Command {
	var f rewriteFlags
	var dataKey bool
	cmd := &cobra.Command{
		Use:   "rekey",
		Short: "Protect the state by what the encryption block says now",
		Long: `Protect the state of every selected tenant by what the encryption block says now, and by nothing else: after a change of
passphrase, recipients or key service, for which the previous block still reads what is there, and after a change of the
escrow. States that are so already are left alone.

The data key that state is written with stays the same, unless with --data-key: then a new one is made, and the present
state is written with it. Do that when the old key, or a passphrase together with a copy of the bucket, may be known to
others. Earlier versions stay under the old data key until weir state gc removes them.

--from-plaintext encrypts states that are not encrypted yet. Their earlier versions stay readable to whoever can read
the bucket until weir state gc removes them.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			w, err := a.remember(cmd.Context(), f.configFlags)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			return w.rekey(cmd.Context(), f, dataKey)
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().BoolVar(&f.fromPlaintext, "from-plaintext", false, "encrypt states that are not encrypted yet")
	cmd.Flags().BoolVar(&dataKey, "data-key", false, "make a new data key, too")
	return cmd
}

// rekey protects every selected state that is not as the configuration says.
func (w *workspace) rekey(ctx context.Context, f rewriteFlags, dataKey bool) error {
	if w.keys == nil {
		return errors.New("the configuration has no encryption block, so there is nothing to encrypt with; write one into the state block of the weir block")
	}
	units, err := w.states(ctx)
	if err != nil {
		return err
	}
	type work struct {
		u    *unit
		meta state.TenantMeta
	}
	var todo []work
	for _, u := range units {
		head, err := w.head(ctx, u)
		if err != nil {
			return err
		}
		if head == nil {
			continue
		}
		tenant, err := w.place(u)
		if err != nil {
			return err
		}
		now, err := tenant.Protection(ctx)
		if err != nil {
			return err
		}
		what, due := protectionWords(now, dataKey)
		w.app.say("%s: %s", title(u.key), what)
		if due {
			todo = append(todo, work{u, head.Tenant})
		}
	}
	if len(todo) == 0 {
		w.app.say("There is nothing to do.")
		return nil
	}
	if err := w.app.approve(ctx, f.auto, fmt.Sprintf("Protect %d of them as the encryption block says? Whoever reads state needs its settings from then on.", len(todo))); err != nil {
		return err
	}
	for i, t := range todo {
		if err := w.rekeyOne(ctx, t.u, f, t.meta, dataKey); err != nil {
			if i > 0 {
				w.app.say("%d of %d are done; weir state rekey goes on from there.", i, len(todo))
			}
			return err
		}
		w.app.say("%s: done", title(t.u.key))
	}
	return nil
}

// protectionWords says how a state is protected, and whether something is to be done about it.
func protectionWords(now store.KeyStatus, dataKey bool) (string, bool) {
	switch {
	case !now.Encrypted:
		return "not encrypted yet", true
	case !now.Fresh:
		return "protected by other settings than those of the encryption block", true
	case dataKey:
		return "protected as the encryption block says; a new data key is made", true
	}
	return "protected as the encryption block says", false
}

func (w *workspace) rekeyOne(ctx context.Context, u *unit, f rewriteFlags, meta state.TenantMeta, dataKey bool) (err error) {
	lease, err := w.holdState(ctx, u, f, "state rekey", meta)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release(lease)) }()
	return lease.Rekey(lease.Context(), dataKey)
}
