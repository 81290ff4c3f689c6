package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/doctor"
	"github.com/weir-project/weir/planner/fleet"
	"github.com/weir-project/weir/providers/vendordata"
)

// doctorCommand reads everything of the tenants, whatever the configuration names, and says what is missing or about to
// break. It has no path to writing and takes no lock.
func (a *App) doctorCommand() *cobra.Command {
	var c configFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Tell what is missing or about to break, and its cure",
		Long: "Read everything of each tenant, whatever the files name, and say what is missing or about to break, by which rule, and how\n" +
			"to cure it. Nothing is changed and no lock is taken. Reminders, about what no API can tell, do not change the exit status.\n" +
			"\nExit status:\n  0  nothing to mend\n  1  an error\n  2  problems were found\n  7  something could not be read\n  8  state storage could not be reached",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			w, err := a.open(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			all, err := w.examine(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				err = render.DoctorJSON(a.Stdout, all)
			} else {
				err = render.DoctorText(a.Stdout, all, a.outOptions())
			}
			if err != nil {
				return err
			}
			return codeOrNil(doctorCode(all))
		},
	}
	c.register(cmd.Flags())
	c.keepNothing = true
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return cmd
}

// examine looks at every selected tenant.
func (w *workspace) examine(ctx context.Context) ([]render.Examined, error) {
	units, err := w.units()
	if err != nil {
		return nil, err
	}
	w.everyType = true
	byKey, keys := map[string]*unit{}, make([]string, len(units))
	for i, u := range units {
		keys[i], byKey[u.key] = u.key, u
	}
	progress := w.app.progress()
	results := fleet.Each(ctx, keys, w.flags.parallel, func(ctx context.Context, key string) (doctor.Result, error) {
		progress.Say("Reading " + named(key))
		return w.examineUnit(ctx, byKey[key])
	})
	out := make([]render.Examined, 0, len(results))
	for _, r := range results {
		one := render.Examined{Key: r.Key, PrimaryDomain: byKey[r.Key].identity.PrimaryDomain, Result: r.Value}
		if r.Err != nil {
			one.Err = w.app.secrets.Redact(r.Err.Error())
		}
		for i, text := range one.Result.Unread {
			one.Result.Unread[i] = w.app.secrets.Redact(text)
		}
		out = append(out, one)
	}
	return out, nil
}

func (w *workspace) examineUnit(ctx context.Context, u *unit) (doctor.Result, error) {
	req, err := w.request(ctx, u, planOptions{}, nil)
	if err != nil {
		return doctor.Result{}, err
	}
	// What the configuration wants is evaluated as for a plan. Where that fails, validate and plan say so; what lives can
	// be looked at all the same.
	part, _ := planner.Build(ctx, req)
	d := doctor.Request{Tenant: u.identity, Observed: req.Observed, Wanted: part.Values, Now: req.Now}
	if u.connected.Stacks != nil {
		d.Stacks, d.StacksErr = u.connected.Stacks(ctx)
	}
	if data, err := vendordata.Lookup(u.identity.Stack, u.identity.VendorData); err == nil {
		d.Gateway = data
	}
	return doctor.Examine(d), nil
}

func doctorCode(all []render.Examined) int {
	codes := []int{exitOK}
	for _, t := range all {
		switch {
		case t.Err != "":
			codes = append(codes, exitError)
		case len(t.Result.Unread) > 0:
			codes = append(codes, exitUnreadable)
		case t.Result.Problems() > 0:
			codes = append(codes, exitPending)
		}
	}
	return worst(codes...)
}

// useEvery adds every type that the tenant's providers can read.
func (w *workspace) useEvery(u *unit, used map[string]bool) {
	for _, t := range w.registry.Types() {
		if _, connected := u.connected.Providers[t.Provider]; connected && (t.Provider != "microsoft" || u.identity.EntraTenantID != "") {
			used[t.Name] = true
		}
	}
}
