package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

func (a *App) stateMoveCommand() *cobra.Command {
	var f rewriteFlags
	cmd := &cobra.Command{
		Use:   "mv FROM TO",
		Short: "Give an object, all instances of a block, or a module another address",
		Long: `Give an object, all instances of a block, or a module with everything in it another address. The accounts of a sync
policy go with it, and what depends on the object names it by its new address.

A moved block in the configuration does the same for everybody who applies it, as a line of the reviewed plan; this
command is for the state alone. It stays within one tenant: an object is in one organization.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			w, err := a.remember(cmd.Context(), f.configFlags)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			return w.move(cmd.Context(), args[0], args[1], f)
		},
	}
	f.register(cmd.Flags())
	return cmd
}

// move finds the state that has from and renames it there.
func (w *workspace) move(ctx context.Context, from, to string, f rewriteFlags) error {
	var homes []*unit
	var renames []state.Rename
	var refused error
	err := w.eachState(ctx, func(u *unit, s *state.State) error {
		found, err := s.Renames(from, to)
		var absent *state.AbsentError
		switch {
		case errors.As(err, &absent):
			if refused == nil {
				refused = err
			}
		case err != nil:
			return err
		default:
			homes, renames = append(homes, u), found
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(homes) == 0 && refused != nil:
		return fmt.Errorf("%w; weir state list names what is", refused)
	case len(homes) == 0:
		return errors.New("nothing is stored yet, so there is nothing to move")
	case len(homes) > 1:
		return fmt.Errorf("%d states have something at %s: name one with --tenant", len(homes), from)
	}
	undeclared, err := w.declared(homes[0], renames)
	if err != nil {
		return err
	}
	done, err := w.rewriteState(ctx, homes[0], f, rewrite{
		command: "state mv", note: "moved " + from + " to " + to, after: "moved", question: "Give them these addresses?",
		change: func(now *state.State) (*state.State, error) {
			renames, err := now.Renames(from, to)
			if err != nil {
				return nil, err
			}
			next := now.Clone()
			return next, next.Apply(state.Entry{Note: &state.Note{Moved: renames}})
		},
	})
	if done && undeclared != "" {
		w.app.say("No block declares %s yet. Write it before you apply, or the plan will want to remove what is there.", render.SafeText(undeclared))
	}
	return err
}

// declared refuses new addresses that belong to another tenant's blocks, and returns the first that no block declares.
func (w *workspace) declared(u *unit, renames []state.Rename) (undeclared string, err error) {
	for _, r := range renames {
		address, err := resource.ParseAddress(r.To)
		if err != nil {
			return "", err
		}
		home, there := w.frame.Home(address)
		if !there {
			if undeclared == "" {
				undeclared = r.To
			}
			continue
		}
		key := ""
		if home != nil {
			key = home.Key
		}
		if key != u.key {
			return "", fmt.Errorf("%s belongs to %s and %s to %s: an object stays in its organization, so no address takes it there. "+
				"Declare %s and the next plan makes it there; take the block of %s away to have the old one removed, or run weir state rm to leave it alone",
				r.From, named(u.key), r.To, named(key), r.To, r.From)
		}
	}
	return undeclared, nil
}

func (a *App) stateRemoveCommand() *cobra.Command {
	var f rewriteFlags
	cmd := &cobra.Command{
		Use:   "rm ADDRESS…",
		Short: "Forget objects and accounts; nothing happens to them at the vendor",
		Long: `Forget objects and accounts; nothing happens to them at the vendor. An ADDRESS is one of state list, takes everything
below a module or a policy along, and may have * and ? in it. POLICY.skip["ADDRESS"] ends what state show lists as left
out by a person: from the next plan on the account is decided about again.

What a block still declares is found again by the next plan, which proposes to adopt it. From then on it counts as
adopted: when its block goes, it is released and not deleted. What no block declares is left alone from now on.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			w, err := a.remember(cmd.Context(), f.configFlags)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			return w.forget(cmd.Context(), args, f)
		},
	}
	f.register(cmd.Flags())
	return cmd
}

func (w *workspace) forget(ctx context.Context, args []string, f rewriteFlags) error {
	var hit []*unit
	used := map[string]bool{}
	err := w.eachState(ctx, func(u *unit, s *state.State) error {
		addresses, mails := chosen(s, args, used)
		skips := chosenSkips(s, args, used)
		if len(addresses)+len(mails)+len(skips) > 0 {
			hit = append(hit, u)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, arg := range args {
		if !used[arg] {
			return fmt.Errorf("there is no %s in state; weir state list --accounts names what is", arg)
		}
	}
	if len(hit) > 1 && len(f.tenants) == 0 {
		var keys []string
		for _, u := range hit {
			keys = append(keys, stateKey(u.key))
		}
		return fmt.Errorf("that names something in %d states (%s): say with --tenant which are meant", len(hit), strings.Join(keys, ", "))
	}
	removed := false
	for _, u := range hit {
		done, err := w.rewriteState(ctx, u, f, rewrite{
			command: "state rm", note: "removed from state: " + strings.Join(args, ", "), after: "without them",
			question: "Forget what is marked with -? Nothing happens to it at the vendor.",
			change: func(now *state.State) (*state.State, error) {
				next, err := now.Forget(chosen(now, args, map[string]bool{}))
				if err != nil {
					return nil, err
				}
				skips := chosenSkips(now, args, map[string]bool{})
				return next.Unskip(func(s state.Skip) bool { return skips[planner.SkipAddress(&s)] }), nil
			},
		})
		if err != nil {
			return err
		}
		removed = removed || done
	}
	if removed {
		w.app.say("What a block still declares the next plan finds again and proposes to adopt; anything else is left alone from now on.")
	}
	return nil
}

// chosenSkips are the addresses of the skips that the arguments name one by one: what names a policy means its accounts.
func chosenSkips(s *state.State, args []string, used map[string]bool) map[string]bool {
	out := map[string]bool{}
	for i := range s.Skips {
		address := planner.SkipAddress(&s.Skips[i])
		for _, arg := range args {
			if strings.Contains(arg, ".skip[") && planner.Matches(address, []string{arg}) {
				out[address], used[arg] = true, true
			}
		}
	}
	return out
}

// chosen are the objects and accounts that the arguments name; used gets those that named something.
func chosen(s *state.State, args []string, used map[string]bool) (addresses, mails []string) {
	matches := func(address string) bool {
		hit := false
		for _, arg := range args {
			if planner.Matches(address, []string{arg}) {
				hit, used[arg] = true, true
			}
		}
		return hit
	}
	for _, address := range s.Addresses() {
		if matches(address) {
			addresses = append(addresses, address)
		}
	}
	for account := range s.Accounts.All() {
		if matches(planner.AccountAddress(account.Policy, account.Address)) {
			mails = append(mails, account.Address)
		}
	}
	return addresses, mails
}
