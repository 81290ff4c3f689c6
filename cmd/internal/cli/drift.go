package cli

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
)

// driftCommand reads and compares. It shares plan's path, which has no code that writes, and takes no lock.
func (a *App) driftCommand() *cobra.Command {
	var c configFlags
	var asJSON, markdown bool
	var html string
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Tell what somebody changed outside",
		Long: "Read and compare, change nothing, take no lock. Changes of the configuration or of the directory that wait for an apply are\n" +
			"told apart from drift. Changes of the directory are the sync's, and clean until one waits longer than the policy's max_age:\n" +
			"then the sync is not running (exit status 2).\n" + exitStatuses,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			w, err := a.open(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			p, diags, err := w.plan(cmd.Context(), planOptions{})
			if err != nil {
				return err
			}
			w.warn(diags)
			busy, err := w.busy(cmd.Context(), p)
			if err != nil {
				return err
			}
			overdue, err := w.overdue(cmd.Context(), p)
			if err != nil {
				return err
			}
			if html != "" {
				if err := writeFile(a.path(html), func(f io.Writer) error { return render.HTML(f, p, render.Options{}) }); err != nil {
					return err
				}
			}
			options := a.outOptions()
			options.Flags = a.repeated(c)
			switch {
			case asJSON:
				err = render.Events(a.Stdout, p)
			case markdown:
				err = render.DriftMarkdown(a.Stdout, p, options)
			default:
				err = render.DriftText(a.Stdout, p, options)
			}
			if err != nil {
				return err
			}
			return codeOrNil(driftCode(p, busy, overdue))
		},
	}
	flags := cmd.Flags()
	c.register(flags)
	c.registerFullRead(flags)
	c.keepNothing = true
	flags.BoolVar(&asJSON, "json", false, "print events, one JSON object a line")
	flags.BoolVar(&markdown, "markdown", false, "print Markdown")
	flags.StringVar(&html, "html", "", "write one self-contained page to `FILE`")
	return cmd
}

// busy finds tenants that another run holds, or changed while they were read: what looks like drift there may be that
// run's work. Their drift is taken out of the plan and said so.
func (w *workspace) busy(ctx context.Context, p *planner.Plan) (map[string]bool, error) {
	out := map[string]bool{}
	for _, part := range p.Parts {
		if len(part.Drifted) == 0 && !driftedAccounts(part) {
			continue
		}
		key := part.Tenant.Key
		if part.Former != "" {
			key = part.Former
		}
		tenant, err := w.bucket.Tenant(stateKey(key))
		if err != nil {
			return nil, err
		}
		head, err := tenant.Head(ctx)
		if err != nil {
			return nil, err
		}
		if head.Holder != nil || head.Serial != part.Serial {
			out[part.Tenant.Key] = true
			part.Drifted = nil
			withoutDrift(part)
			part.Notes = append(part.Notes, "another run is changing this tenant right now, so nothing is called drift; look again when it is done")
		}
	}
	return out, nil
}

func driftCode(p *planner.Plan, busy, overdue map[string]bool) int {
	codes := []int{exitOK}
	for _, part := range p.Parts {
		switch {
		case part.Status == planner.Errored:
			codes = append(codes, exitError)
		case !part.Readable():
			codes = append(codes, exitUnreadable)
		case busy[part.Tenant.Key]:
			codes = append(codes, exitBusy)
		case part.Status == planner.Held && len(part.Drifted) == 0 && !driftedAccounts(part):
			codes = append(codes, exitHeld)
		case len(part.Drifted) > 0 || driftedAccounts(part):
			codes = append(codes, exitDrift)
		case pendingConfiguration(part), overdue[part.Tenant.Key]:
			codes = append(codes, exitPending)
		}
	}
	return worst(codes...)
}

// withoutDrift takes what somebody changed of accounts out of the part.
func withoutDrift(part *planner.Part) {
	if part.Accounts == nil {
		return
	}
	accounts := *part.Accounts
	accounts.Decisions = slices.DeleteFunc(slices.Clone(accounts.Decisions), func(d dirsync.Decision) bool { return d.Cause == string(planner.Drift) })
	part.Accounts = &accounts
}

func driftedAccounts(part *planner.Part) bool {
	if part.Accounts == nil {
		return false
	}
	for _, d := range part.Accounts.Decisions {
		if d.Cause == string(planner.Drift) {
			return true
		}
	}
	return false
}

// pendingConfiguration reports changes that wait for an apply. Directory changes are the sync's and count as clean
// here: their age decides whether the sync is running.
func pendingConfiguration(part *planner.Part) bool {
	if len(part.Outputs) > 0 {
		return true
	}
	for _, c := range part.Changes {
		if c.Action != planner.Unknown && c.Cause != planner.Directory {
			return true
		}
	}
	if part.Accounts != nil {
		for _, d := range part.Accounts.Decisions {
			if d.Cause == string(planner.Configuration) {
				return true
			}
		}
	}
	return false
}
