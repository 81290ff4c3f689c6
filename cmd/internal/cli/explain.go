package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/directory"
)

// explainBudget bounds how often explain decides again in search of what would change an address.
const explainBudget = 400

// patientBudget is that bound for a tenant above patientSize, where a decision takes a second.
const (
	patientSize   = 20_000
	patientBudget = 40
)

func (a *App) explainCommand() *cobra.Command {
	var c configFlags
	var o explainOptions
	cmd := &cobra.Command{
		Use:   "explain ADDRESS",
		Short: "Tell why a mail address is treated as it is, and what would change that",
		Long: `Tell the whole decision about one mail address: what the directory, Essentials and Weir know of it, the rules that
applied in order, what holds it, what it is now and after the next apply, and the smallest changes that would flip that,
each found by deciding again. Where the vendor's own sync makes the accounts, also what its next run will do with it. ADDRESS may be an alias, a sign-in name or an object id. With --all, one line an address
for the whole tenant. Nothing is changed and no lock is taken.
` + exitStatuses,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := o.check(args); err != nil {
				return err
			}
			w, err := a.open(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			switch {
			case o.csv:
			case o.json && o.all:
				err = w.announceJSON()
			case !o.json:
				err = w.announce("")
			}
			if err != nil {
				return err
			}
			if o.all {
				return w.explainAll(cmd.Context(), o)
			}
			return w.explain(cmd.Context(), directory.Fold(args[0]), o)
		},
	}
	flags := cmd.Flags()
	c.register(flags)
	c.registerRecording(flags)
	flags.BoolVar(&o.all, "all", false, "tell of every address of the tenant, one line each")
	flags.BoolVar(&o.csv, "csv", false, "with --all: comma-separated values for a spreadsheet")
	flags.BoolVar(&o.json, "json", false, "print JSON: one object, or with --all one a line")
	return cmd
}

type explainOptions struct{ all, csv, json bool }

func (o explainOptions) check(args []string) error {
	switch {
	case o.all && len(args) > 0:
		return errors.New("write either an address or --all")
	case !o.all && (len(args) == 0 || directory.Fold(args[0]) == ""):
		return errors.New("write the address to explain, such as weir explain alice@contoso.com, or --all")
	case o.csv && !o.all:
		return errors.New("--csv is for --all")
	case o.csv && o.json:
		return errors.New("write either --csv or --json")
	}
	return nil
}

// explain tells about one address, in the tenant that it belongs to.
func (w *workspace) explain(ctx context.Context, address string, o explainOptions) error {
	u, err := w.unitOf(ctx, address)
	if err != nil {
		return err
	}
	x, code, err := w.explainer(ctx, u)
	if err != nil {
		return err
	}
	budget := explainBudget
	if x.Len() > patientSize {
		budget = patientBudget
	}
	e := x.Explain(address, budget)
	if other := w.ownerOf(directory.DomainOf(address)); other != "" && other != u.key {
		e.Others = append(e.Others, fmt.Sprintf("%s is the primary domain of tenant %s, and this is told of tenant %s; see weir explain %s --tenant %s.", directory.DomainOf(address), other, u.key, address, other))
	}
	if o.json {
		err = render.ExplainJSON(w.app.Stdout, e)
	} else {
		err = render.Explain(w.app.Stdout, e, w.app.outOptions())
	}
	if err != nil {
		return err
	}
	return codeOrNil(code)
}

// explainAll tells about every address of the selected tenants.
func (w *workspace) explainAll(ctx context.Context, o explainOptions) error {
	units, err := w.units()
	if err != nil {
		return err
	}
	codes := []int{exitOK}
	heading := true
	for _, u := range units {
		x, code, err := w.explainer(ctx, u)
		if err != nil {
			w.app.errorf("%s: %v", named(u.key), err)
			codes = append(codes, exitError)
			continue
		}
		codes = append(codes, code)
		switch {
		case o.csv:
			err = render.ExplainCSV(w.app.Stdout, x, heading)
			heading = false
		case o.json:
			err = render.ExplainAllJSON(w.app.Stdout, x)
		default:
			err = render.ExplainAll(w.app.Stdout, x, w.app.outOptions())
		}
		if err != nil {
			return err
		}
	}
	return codeOrNil(worst(codes...))
}

// explainer reads the tenant and decides once, with everything that can be told about it.
func (w *workspace) explainer(ctx context.Context, u *unit) (*render.Explainer, int, error) {
	var q *planner.Inquiry
	w.app.progress().Say("Reading " + named(u.key))
	part, diags, err := w.build(ctx, u, planOptions{inquire: func(found planner.Inquiry) { q = &found }}, nil)
	if err != nil {
		return nil, exitError, err
	}
	if diags.HasErrors() {
		w.warn(diags)
	}
	if q == nil {
		return nil, exitError, fmt.Errorf("%s could not be planned: %s", named(u.key), strings.Join(part.Errors, "; "))
	}
	q.Conclude(part)
	code := exitOK
	if !part.Readable() {
		code = exitUnreadable
	}
	return render.NewExplainer(*q, part.Hosted, config.Nearest), code, nil
}
