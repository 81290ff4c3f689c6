package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/state"
)

func (a *App) stateRollbackCommand() *cobra.Command {
	var f rewriteFlags
	cmd := &cobra.Command{
		Use:   "rollback N",
		Short: "Remember what version N remembered, as a new version",
		Long: `Remember what version N remembered of objects, accounts and outputs, as a new version; no version is ever rewritten.

It changes what Weir remembers, and nothing at any vendor: the next plan compares that with what is there and shows what
it means. What may have happened and is not yet settled, removals that count against limits, allowances used up,
people's skips and exemptions stay as they are now. An account that had left the directory starts its time of grace anew.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			serial, err := parseSerial(args[0])
			if err != nil {
				return err
			}
			w, err := a.remember(cmd.Context(), f.configFlags)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			u, _, err := w.theState(cmd.Context())
			if err != nil {
				return err
			}
			then, err := w.version(cmd.Context(), u, serial)
			if err != nil {
				return err
			}
			done, err := w.rewriteState(cmd.Context(), u, f, rewrite{
				command: "state rollback", note: fmt.Sprintf("rolled back to version %d", serial), after: fmt.Sprintf("as at version %d", serial),
				question: fmt.Sprintf("Remember this again, as at version %d?", serial),
				change:   func(now *state.State) (*state.State, error) { return now.Rollback(then), nil },
			})
			if done {
				a.say("See what this means: %s", render.Command("plan", a.repeated(f.configFlags)))
			}
			return err
		},
	}
	f.register(cmd.Flags())
	return cmd
}
