package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/state"
)

// maxDocument bounds what push reads, in bytes.
const maxDocument = 512 << 20

func (a *App) statePullCommand() *cobra.Command {
	var c configFlags
	cmd := &cobra.Command{
		Use:   "pull",
		Short: "Print one whole state as a document that push takes back",
		Long: `Print one whole state as a document that push takes back.

It holds no secret values. But it holds names and addresses of people, values that are marked sensitive, and the key by
which versions of secrets are told apart: whoever has that can test guesses of a weak secret. Keep it like the state.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			w, err := a.remember(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			_, s, err := w.theState(cmd.Context())
			if err != nil {
				return err
			}
			document, err := state.EncodeDocument(s)
			if err != nil {
				return err
			}
			return render.Document(a.Stdout, document)
		},
	}
	c.register(cmd.Flags())
	return cmd
}

func (a *App) statePushCommand() *cobra.Command {
	var f rewriteFlags
	var force bool
	cmd := &cobra.Command{
		Use:   "push FILE",
		Short: "Put a document that pull printed in the place of a state",
		Long: `Put a document that pull printed, and that you may have edited, in the place of the state of the tenant that it names;
FILE is "-" for standard input. What differs is shown, and you are asked.

A document of another tenant, of another state of the same name, of a simulated world or from a newer Weir is refused,
and one that is older than the state, unless with --force. What may have happened at a vendor and is not yet settled,
removals that count against limits, and allowances used up are kept whatever the document says.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if args[0] == "-" && !f.auto {
				return errors.New("the document and your answer cannot both come from standard input: pass --auto-approve, or a file")
			}
			pushed, err := a.readDocument(args[0])
			if err != nil {
				return err
			}
			w, err := a.remember(cmd.Context(), f.configFlags)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			return w.push(cmd.Context(), pushed, f, force)
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().BoolVar(&force, "force", false, "push a document that is older than the state")
	return cmd
}

func (a *App) readDocument(name string) (*state.State, error) {
	in := a.Stdin
	if name != "-" {
		file, err := os.Open(a.path(name))
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxDocument+1))
	if err != nil {
		return nil, err
	}
	pushed, err := state.DecodeDocument(raw)
	if err != nil {
		return nil, fmt.Errorf("%s is not taken: %w", name, err)
	}
	return pushed, nil
}

func (w *workspace) push(ctx context.Context, pushed *state.State, f rewriteFlags, force bool) error {
	units, err := w.states(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(units, func(u *unit) bool { return stateKey(u.key) == pushed.Tenant.Key })
	if i < 0 {
		return fmt.Errorf("the document is the state of tenant %q, which is not among the selected ones", pushed.Tenant.Key)
	}
	u := units[i]
	_, err = w.rewriteState(ctx, u, f, rewrite{
		command: "state push", note: fmt.Sprintf("pushed a document of version %d", pushed.Serial), after: "the document",
		question: "Put this document in the place of the state?",
		change: func(now *state.State) (*state.State, error) {
			if err := pushable(pushed, now, force); err != nil {
				return nil, err
			}
			return now.Keep(pushed), nil
		},
	})
	return err
}

// pushable refuses a document that is not of this state, or behind it.
func pushable(pushed, now *state.State, force bool) error {
	key := pushed.Tenant.Key
	switch {
	case !now.Stored():
		return fmt.Errorf("nothing is stored for tenant %q, so there is no state whose place the document could take; an apply makes one", key)
	case pushed.Realm != now.Realm:
		return &state.RealmError{Tenant: key, State: pushed.Realm, Run: now.Realm}
	case pushed.Lineage != now.Lineage:
		return fmt.Errorf("the document belongs to another state of tenant %q, which was made at another time or place (%s; this one is %s)", key, pushed.Lineage, now.Lineage)
	case string(pushed.VersionKey) != string(now.VersionKey):
		return errors.New("the document's version key is not the state's, so every version of a secret in it would be wrong")
	case pushed.Tenant.Configuration != now.Tenant.Configuration:
		return &state.LineageError{Tenant: key, State: now.Tenant.Configuration, Run: pushed.Tenant.Configuration}
	case pushed.Serial < now.Serial && !force:
		return fmt.Errorf("the document is version %d and the state is version %d by now: pull again and repeat your edit, or pass --force to lose what was written since", pushed.Serial, now.Serial)
	}
	return nil
}
