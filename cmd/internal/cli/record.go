package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/state"
)

func (a *App) recordCommand() *cobra.Command {
	var c configFlags
	var o recordOptions
	cmd := &cobra.Command{
		Use:   "record FILE",
		Short: "Keep what one tenant's vendors say in a file, to plan and explain without them",
		Long: `Read directory, accounts, objects, Exchange and DNS of one tenant, with the proofs and times of the reads, and write them
to FILE together with what state remembers. weir plan and weir explain take it with --recording FILE: they then need no
credentials, ask nobody, and show what they would have shown at that time. A recording holds no secret, but names and
addresses of people: --pseudonymise replaces them, and domains and ids, under a random key that is not kept. Plans need a
configuration with the same replacements, which --configuration writes: comments go, labels of blocks and keys of tenants
stay as they are. Nothing is changed and no lock is taken.
` + exitStatuses,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.configuration != "" && !o.pseudonymise {
				return errors.New("--configuration is for --pseudonymise: without it the recording goes with the configuration as it is")
			}
			w, err := a.open(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			return w.record(cmd.Context(), a.path(args[0]), o)
		},
	}
	c.register(cmd.Flags())
	cmd.Flags().BoolVar(&o.pseudonymise, "pseudonymise", false, "replace names, addresses, domains and ids")
	cmd.Flags().StringVar(&o.configuration, "configuration", "", "with --pseudonymise: write the configuration that goes with the recording to the new folder `DIR`")
	return cmd
}

type recordOptions struct {
	pseudonymise  bool
	configuration string
}

// record reads the selected tenant and writes its recording.
func (w *workspace) record(ctx context.Context, path string, o recordOptions) error {
	units, err := w.units()
	if err != nil {
		return err
	}
	if len(units) != 1 {
		return fmt.Errorf("a recording is of one tenant, and %d are selected: say which with --tenant KEY", len(units))
	}
	u := units[0]
	// What no block names yet may be asked for later.
	w.everyType = true
	w.app.progress().Say("Reading " + named(u.key))
	r := &planner.Recording{Version: Version, Realm: w.around.realm}
	part, diags, err := w.build(ctx, u, planOptions{
		observed: func(prior *state.State, o *planner.Observation) { r.Prior, r.Observed, r.Made = prior, o, o.At },
		answered: func(read config.DataRead, v cty.Value, err error) { r.Answered(read.Type.Name, read.Config, v, err) },
	}, nil)
	if err != nil {
		return err
	}
	w.warn(diags)
	if r.Observed == nil {
		return fmt.Errorf("%s could not be read: %s", named(u.key), strings.Join(part.Errors, "; "))
	}
	r.Tenant = u.identity
	if o.pseudonymise {
		var err error
		if r, err = w.pseudonymise(r, o); err != nil {
			return err
		}
	}
	if err := writeFile(path, func(f io.Writer) error { return r.Write(f) }); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	entries, accounts := r.Counts()
	_, err = fmt.Fprintf(w.app.Stdout, "Recorded %s: %d directory entries, %d accounts, %d KiB in %s.\n", named(u.key), entries, accounts, (info.Size()+1023)>>10, path)
	if o.pseudonymise {
		w.app.say("Names, addresses, domains and ids are replaced; labels of blocks and keys of tenants are as they were. A condition that looks into a name may turn out otherwise.")
		if o.configuration != "" {
			w.app.say("The configuration that goes with it, without its comments and variable files: read it before you pass it on.\n\n    weir -C %s plan --recording %s", w.app.path(o.configuration), path)
		}
	}
	for _, problem := range part.Problems {
		w.app.say("Not read, and recorded as unknown: %s", problem)
	}
	if err == nil && !part.Readable() {
		err = codeError(exitUnreadable)
	}
	return err
}
