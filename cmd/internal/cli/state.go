package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/state"
)

func (a *App) stateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "state",
		Short: "Look at what Weir remembers",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.stateListCommand(), a.stateShowCommand(), a.statePullCommand())
	return cmd
}

// eachState reads the state of every selected tenant, and the root's when nothing is selected. Tenants that only state
// knows are among them.
func (w *workspace) eachState(ctx context.Context, do func(key string, s *state.State) error) error {
	units, err := w.units()
	if err != nil {
		return err
	}
	if w.whole() {
		more, err := w.unclaimed(ctx)
		if err != nil {
			return err
		}
		units = append(append(units, more...), &unit{})
	}
	for _, u := range units {
		s, err := w.prior(ctx, u)
		if err != nil {
			return err
		}
		if !s.Stored() {
			continue
		}
		if err := do(u.key, s); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) stateListCommand() *cobra.Command {
	var c configFlags
	var accounts bool
	cmd := &cobra.Command{
		Use:   "list [ADDRESS…]",
		Short: "List the addresses in state",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			w, err := a.open(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			return w.eachState(cmd.Context(), func(_ string, s *state.State) error {
				for _, address := range s.Addresses() {
					if len(args) == 0 || planner.Matches(address, args) {
						_, _ = fmt.Fprintln(a.Stdout, render.SafeText(address))
					}
				}
				if !accounts {
					return nil
				}
				for account := range s.Accounts.All() {
					address := planner.AccountAddress(account.Policy, account.Address)
					if len(args) == 0 || planner.Matches(address, args) {
						_, _ = fmt.Fprintln(a.Stdout, render.SafeText(address))
					}
				}
				return nil
			})
		},
	}
	c.register(cmd.Flags())
	cmd.Flags().BoolVar(&accounts, "accounts", false, "list the accounts that policies derived, too")
	return cmd
}

func (a *App) stateShowCommand() *cobra.Command {
	var c configFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ADDRESS",
		Short: "Show one object or account as remembered",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			w, err := a.open(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			found := false
			err = w.eachState(cmd.Context(), func(_ string, s *state.State) error {
				one := s.Clone()
				one.Objects = map[string]*state.Object{}
				one.Accounts = state.Accounts{}
				if obj := s.Objects[args[0]]; obj != nil {
					one.Objects[args[0]], found = obj, true
				}
				for account := range s.Accounts.All() {
					if planner.AccountAddress(account.Policy, account.Address) == args[0] {
						one.Accounts.Put(account)
						found = true
					}
				}
				if len(one.Objects)+one.Accounts.Len() == 0 {
					return nil
				}
				return a.showState(one, asJSON)
			})
			if err == nil && !found {
				err = fmt.Errorf("there is no %s in state; weir state list names what is", args[0])
			}
			return err
		},
	}
	c.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *App) statePullCommand() *cobra.Command {
	var c configFlags
	cmd := &cobra.Command{
		Use:   "pull",
		Short: "Print the state of one tenant as JSON",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			w, err := a.open(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			units, err := w.units()
			if err != nil {
				return err
			}
			if len(units) != 1 {
				return fmt.Errorf("%d tenants are selected; name one with --tenant", len(units))
			}
			s, err := w.prior(cmd.Context(), units[0])
			if err != nil {
				return err
			}
			return render.StateJSON(a.Stdout, s)
		},
	}
	c.register(cmd.Flags())
	return cmd
}
