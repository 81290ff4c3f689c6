package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/store"
)

func (a *App) stateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "state",
		Short: "Look at what Weir remembers, and mend it",
		Long: `Look at what Weir remembers, and mend it.

No state command asks or changes anything at a vendor, and none needs a vendor's credentials. --tenant selects states
by a tenant's key, primary domain, pattern or tag; --tenant _root is the state of the root module itself. Tenants that
no block claims any more are selected by their key.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		a.stateListCommand(), a.stateShowCommand(), a.statePullCommand(), a.statePushCommand(), a.stateMoveCommand(), a.stateRemoveCommand(),
		a.stateHistoryCommand(), a.stateDiffCommand(), a.stateRollbackCommand(), a.stateAuditCommand(), a.stateUnlockCommand(),
		a.stateCollectCommand(), a.stateRekeyCommand(), a.statePurgeCommand(),
	)
	return cmd
}

// remember is open for commands that ask no vendor.
func (a *App) remember(ctx context.Context, f configFlags) (*workspace, error) {
	f.unconnected = true
	return a.open(ctx, f)
}

// states are the units whose state is selected: by key, domain, pattern or tag, the root's by its key; without a
// selection all, those that only state knows among them. They need not have a state yet.
func (w *workspace) states(ctx context.Context) ([]*unit, error) {
	if len(w.flags.tenants) == 0 {
		units, err := w.unitsOf(nil)
		if err != nil || !w.whole() {
			return units, err
		}
		more, err := w.unclaimed(ctx)
		return append(append(units, more...), &unit{}), err
	}
	chosen := map[string]*unit{}
	for _, s := range w.flags.tenants {
		if s == state.RootKey {
			chosen[""] = &unit{}
			continue
		}
		units, err := w.unitsOf([]string{s})
		if err != nil {
			// No block has it, but there may be a state.
			more, listErr := w.unclaimed(ctx)
			if listErr != nil {
				return nil, errors.Join(err, listErr)
			}
			units = slices.DeleteFunc(more, func(u *unit) bool { return !u.matches(s) })
			if len(units) == 0 {
				return nil, err
			}
		}
		for _, u := range units {
			chosen[u.key] = u
		}
	}
	var out []*unit
	for _, u := range chosen {
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b *unit) int { return strings.Compare(stateKey(a.key), stateKey(b.key)) })
	return out, nil
}

// matches reports whether a selector names a tenant that no block claims, which has no tags.
func (u *unit) matches(selector string) bool {
	key, err := path.Match(selector, u.key)
	domain, err2 := path.Match(strings.ToLower(selector), u.identity.PrimaryDomain)
	return err == nil && key || err2 == nil && domain
}

// eachState reads every selected state. One that cannot be read stops no other; its error comes last.
func (w *workspace) eachState(ctx context.Context, do func(u *unit, s *state.State) error) error {
	units, err := w.states(ctx)
	if err != nil {
		return err
	}
	var unreadable []error
	for _, u := range units {
		s, err := w.prior(ctx, u)
		if err != nil {
			unreadable = append(unreadable, err)
			continue
		}
		if !s.Stored() {
			continue
		}
		if err := do(u, s); err != nil {
			return err
		}
	}
	return errors.Join(unreadable...)
}

// theState is the one selected state, for commands about one. Without a selection the root's does not count, unless
// there is no other.
func (w *workspace) theState(ctx context.Context) (*unit, *state.State, error) {
	units, err := w.states(ctx)
	if err != nil {
		return nil, nil, err
	}
	var stored []*unit
	var root *unit
	for _, u := range units {
		head, err := w.head(ctx, u)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case head == nil:
		case u.key == "" && len(w.flags.tenants) == 0:
			root = u
		default:
			stored = append(stored, u)
		}
	}
	if len(stored) == 0 && root != nil {
		stored = append(stored, root)
	}
	switch len(stored) {
	case 1:
		s, err := w.prior(ctx, stored[0])
		return stored[0], s, err
	case 0:
		if len(units) == 1 {
			return nil, nil, fmt.Errorf("nothing is stored for %s yet; the first apply makes its state", named(units[0].key))
		}
		return nil, nil, errors.New("nothing is stored yet; the first apply makes the state of each tenant")
	}
	var keys []string
	for _, u := range stored {
		keys = append(keys, stateKey(u.key))
	}
	more := ""
	if len(keys) > 10 {
		keys, more = keys[:10], ", …"
	}
	return nil, nil, fmt.Errorf("this command is about one state, and %d are selected (%s%s): name one with --tenant", len(stored), strings.Join(keys, ", "), more)
}

// place is a unit's place in the bucket.
func (w *workspace) place(u *unit) (*store.Tenant, error) { return w.bucket.Tenant(stateKey(u.key)) }

// head is a unit's head, guarded; nil for one that has none.
func (w *workspace) head(ctx context.Context, u *unit) (*store.Head, error) {
	tenant, err := w.place(u)
	if err != nil {
		return nil, err
	}
	head, err := tenant.Head(ctx)
	if errors.Is(err, store.ErrAbsent) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state of %s: %w", named(u.key), err)
	}
	return head, head.Guard(w.around.realm, w.knownLineage())
}

func (a *App) stateListCommand() *cobra.Command {
	var c configFlags
	var accounts bool
	cmd := &cobra.Command{
		Use:   "list [ADDRESS…]",
		Short: "List the addresses in state",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			w, err := a.remember(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			return w.eachState(cmd.Context(), func(_ *unit, s *state.State) error {
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
	var serial uint64
	cmd := &cobra.Command{
		Use:   "show [ADDRESS]",
		Short: "Show one object or account as remembered, or all of a state",
		Long: `Show one object or account as remembered, or all of a state; with --serial as it was at that version, which weir state
history lists.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			w, err := a.remember(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			found := false
			show := func(_ *unit, s *state.State) error {
				if len(args) == 1 {
					if s = only(s, args[0]); s == nil {
						return nil
					}
				}
				found = true
				return a.showState(s, asJSON)
			}
			if cmd.Flags().Changed("serial") {
				u, _, err := w.theState(cmd.Context())
				if err != nil {
					return err
				}
				s, err := w.version(cmd.Context(), u, serial)
				if err != nil {
					return err
				}
				if err := show(u, s); err != nil {
					return err
				}
			} else if err := w.eachState(cmd.Context(), show); err != nil {
				return err
			}
			if !found && len(args) == 1 {
				return fmt.Errorf("there is no %s in state; weir state list names what is", args[0])
			}
			return nil
		},
	}
	c.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the document that Terraform's show -json prints")
	cmd.Flags().Uint64Var(&serial, "serial", 0, "as it was at version `N`")
	return cmd
}

// only is a state with one object or account of it; nil if it has neither.
func only(s *state.State, address string) *state.State {
	one := s.Clone()
	one.Objects, one.Outputs, one.InDoubt = nil, nil, nil
	one.Accounts = state.Accounts{}
	if obj := s.Objects[address]; obj != nil {
		one.Objects = map[string]*state.Object{address: obj}
		return one
	}
	for account := range s.Accounts.All() {
		if planner.AccountAddress(account.Policy, account.Address) == address {
			one.Accounts.Put(account)
			return one
		}
	}
	return nil
}
