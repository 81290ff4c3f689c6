package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/planner"
)

// An apply keeps the plan that was approved beside the state folder of the files until it has been carried out wholly, so
// that it can be taken up again as it was approved. It is a plan file like any other. A saved plan needs no keeping.

// carried is a plan on its way.
type carried struct {
	// digest is the SHA-256 of the plan file in hexadecimal digits, for the record of the runs.
	digest string
	// kept is the file to remove once nothing is left to do; "" for none.
	kept string
	// command takes the plan up again; "" when it cannot be, for the reason why.
	command, why string
	// resumed says that this run took it up again.
	resumed bool
}

// keptPlan is where the plan that was approved last is kept.
func (a *App) keptPlan(c configFlags) string {
	dir := filepath.Join(a.dir(), ".weir")
	if c.simulate {
		dir = filepath.Join(dir, "simulate")
	}
	return filepath.Join(dir, "resume.plan")
}

// goOn is the command that takes a plan up again; name is "" for the one that was kept.
func (a *App) goOn(c configFlags, name string) string {
	args := append([]string{"--resume"}, a.repeated(configFlags{simulationFlags: c.simulationFlags})...)
	if name != "" {
		args = append(args, name)
	}
	return render.Command("apply", args)
}

// leftOver says that an earlier plan was not carried out wholly, before another is approved in its place.
func (w *workspace) leftOver() {
	info, err := os.Stat(w.app.keptPlan(w.flags))
	if err != nil {
		return
	}
	w.app.say("The plan approved on %s was not carried out wholly: %s goes on with it, and approving this one takes its place.",
		info.ModTime().UTC().Format("2006-01-02 15:04 UTC"), w.app.goOn(w.flags, ""))
}

// keep keeps an approved plan until nothing of it is left to do, in place of an earlier one. An apply does not depend on
// it: a plan that cannot be kept can only not be taken up again.
func (w *workspace) keep(ctx context.Context, p *planner.Plan) carried {
	c := carried{kept: w.app.keptPlan(w.flags)}
	data, err := w.planFile(ctx, p)
	if err != nil {
		return carried{why: fmt.Sprintf("the plan was not kept: %v", err)}
	}
	c.digest = digestOfFile(data)
	err = os.Remove(c.kept)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		if name := sensitiveIn(p); name != "" && w.keys == nil {
			c.why = fmt.Sprintf("the plan was not kept, since it has the value of sensitive variable %q and nothing encrypts it", name)
			return c
		}
		err = w.write(c.kept, data)
	}
	if err != nil {
		c.why = fmt.Sprintf("the plan was not kept: %v", err)
		return c
	}
	c.command = w.app.goOn(w.flags, "")
	return c
}

// write writes a file below .weir, which is private and out of version control.
func (w *workspace) write(path string, data []byte) error {
	if err := privateDir(filepath.Dir(path)); err != nil {
		return err
	}
	if err := ignored(filepath.Join(w.app.dir(), ".weir")); err != nil {
		return err
	}
	return writeWhole(path, data)
}

// sensitiveIn names a sensitive variable whose value the plan has; "" when it has none.
func sensitiveIn(p *planner.Plan) string {
	var names []string
	for name := range p.Sensitive {
		if _, used := p.Variables[name]; used {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names[:min(1, len(names))], "")
}

// conclude removes the kept plan once nothing of it is left to do.
func (c *carried) conclude(left bool) error {
	if left || c.kept == "" {
		return nil
	}
	if err := os.Remove(c.kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("all was applied, but the plan that was kept for --resume cannot be removed: %w", err)
	}
	return nil
}

// resume takes up the plan in the file, or the kept one when name is "".
func (a *App) resume(ctx context.Context, c configFlags, f applyFlags, o planOptions, name string) error {
	if name != "" {
		return a.applySaved(ctx, c, f, o, name, carried{command: a.goOn(c, name), resumed: true})
	}
	kept := a.keptPlan(c)
	if _, err := os.Stat(kept); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no plan to go on with in %s: the last one approved here was carried out wholly, was not kept, or was approved elsewhere. "+
			"Run weir apply to plan what is left, or weir apply --resume PLANFILE with a plan saved by weir plan --out", a.dir())
	}
	return a.applySaved(ctx, c, f, o, kept, carried{command: a.goOn(c, ""), kept: kept, resumed: true})
}

// showLeft shows what is left of a plan, and what of it cannot be taken up any more.
func (w *workspace) showLeft(ctx context.Context, p *planner.Plan, f applyFlags, o planOptions, plan carried) error {
	units, err := w.planned(ctx, p, o)
	if err != nil {
		return err
	}
	fresh, diags := w.parts(ctx, units, o)
	w.warn(diags)
	byKey := map[string]*planner.Part{}
	for _, part := range fresh {
		byKey[part.Tenant.Key] = part
	}
	left := *p
	left.Parts = nil
	resumed := render.Resumed{Plan: &left, Approved: p.Created, Digest: plan.digest}
	for _, part := range p.Parts {
		r := part.Review()
		now := byKey[part.Tenant.Key]
		if now == nil {
			resumed.Done += len(r.Items)
			continue
		}
		rest := now.Left(part)
		resumed.Done += rest.Done
		for _, text := range rest.Differs {
			resumed.Differs = append(resumed.Differs, render.Differing{Tenant: part.Tenant.Key, Text: text})
		}
		if rest.Part.Status == planner.Errored || rest.Part.Pending() || len(rest.Part.Problems) > 0 {
			left.Parts = append(left.Parts, rest.Part)
		}
	}
	if f.json {
		return render.Events(w.app.Stdout, &left)
	}
	options := w.app.outOptions()
	options.Asking = true
	return render.Resume(w.app.Stdout, &resumed, options)
}

// planned are the units that the plan has parts of.
func (w *workspace) planned(ctx context.Context, p *planner.Plan, o planOptions) ([]*unit, error) {
	all, err := w.allUnits(ctx, o)
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for _, part := range p.Parts {
		named[part.Tenant.Key] = true
	}
	return slices.DeleteFunc(all, func(u *unit) bool { return !named[u.key] }), nil
}

// allUnits are the selected tenants, and those that no block claims where a run looks for them.
func (w *workspace) allUnits(ctx context.Context, o planOptions) ([]*unit, error) {
	units, err := w.units()
	if err != nil || !w.whole() || o.destroy {
		return units, err
	}
	more, err := w.unclaimed(ctx)
	return append(units, more...), err
}
