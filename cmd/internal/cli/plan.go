package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sort"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/planner/fleet"
	"github.com/weir-project/weir/providers/resource"
)

// selectFlags narrow a plan to some objects.
type selectFlags struct{ targets, excludes, replace []string }

func (f *selectFlags) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.targets, "target", nil, "only `ADDRESS` and what it depends on; globs, account addresses and groups such as \"delete\" too")
	flags.StringArrayVar(&f.excludes, "exclude", nil, "all but `ADDRESS` and what depends on it")
	flags.StringArrayVar(&f.replace, "replace", nil, "replace `ADDRESS`")
}

func (a *App) planCommand() *cobra.Command {
	var c configFlags
	var s selectFlags
	var out, html string
	var asJSON, markdown, names, detailed, refreshOnly, destroy, plaintext bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would do",
		Long:  "Compare the configuration, the live vendors and state, and show what apply would do. Nothing is changed and no lock is taken.\n" + exitStatuses,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx := cmd.Context()
			if c.recording != "" && out != "" {
				return errors.New("--out: a plan of a recording cannot be applied; plan without --recording to save one")
			}
			w, err := a.open(ctx, c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			p, diags, err := w.plan(ctx, planOptions{targets: s.targets, excludes: s.excludes, replace: s.replace, destroy: destroy})
			if err != nil {
				return err
			}
			w.warn(diags)
			if refreshOnly {
				keepDrift(p)
			}
			digest := ""
			if out != "" {
				if digest, err = w.savePlan(ctx, p, a.path(out), plaintext); err != nil {
					return err
				}
			}
			if html != "" {
				if err := writeFile(a.path(html), func(f io.Writer) error { return render.HTML(f, p, render.Options{}) }); err != nil {
					return err
				}
			}
			options := a.outOptions()
			options.Names, options.Flags = names, a.repeated(c)
			if out != "" {
				options.File, options.Flags = out, a.repeatedFile(c, p)
			}
			switch {
			case asJSON:
				err = w.announceJSON()
			case markdown:
				err = w.announce("> ")
			default:
				err = w.announce("")
			}
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				err = render.Events(a.Stdout, p)
			case markdown:
				err = render.Markdown(a.Stdout, p, options)
			default:
				err = render.Text(a.Stdout, p, options)
			}
			if err != nil {
				return err
			}
			if out != "" && !asJSON {
				a.say("\nSaved to %s (sha256 %s). To apply exactly this:\n\n    %s", out, digest, render.Command("apply", append(a.repeatedFile(c, p), out)))
			}
			return codeOrNil(planCode(p, detailed))
		},
	}
	flags := cmd.Flags()
	c.register(flags)
	c.registerRecording(flags)
	c.registerFullRead(flags)
	s.register(flags)
	flags.StringVar(&out, "out", "", "save the plan to `FILE`, to be applied as reviewed")
	flags.BoolVar(&asJSON, "json", false, "print the events that Terraform prints, one JSON object a line")
	flags.BoolVar(&markdown, "markdown", false, "print Markdown for a pull request")
	flags.BoolVar(&names, "names", false, "with --markdown: show people's addresses in full")
	flags.StringVar(&html, "html", "", "write one self-contained page to `FILE`")
	flags.BoolVar(&detailed, "detailed-exitcode", false, "exit 2 when there are pending changes")
	flags.BoolVar(&refreshOnly, "refresh-only", false, "show only what changed outside")
	flags.BoolVar(&destroy, "destroy", false, "plan to take everything down")
	flags.BoolVar(&plaintext, "plaintext-plan", false, "allow values of sensitive variables in a plan file that is not encrypted")
	return cmd
}

// repeated are the flags that a command printed for the reader must repeat to mean the same.
func (a *App) repeated(c configFlags) []string {
	var out []string
	if a.global.dir != "" {
		out = append(out, "-C", a.global.dir)
	}
	if c.simulate {
		out = append(out, "--simulate")
	}
	for _, name := range c.varFiles {
		out = append(out, "--var-file", name)
	}
	return out
}

// plan plans every selected tenant, then the root. A tenant that fails is recorded in its part and stops nobody else.
func (w *workspace) plan(ctx context.Context, o planOptions) (*planner.Plan, hcl.Diagnostics, error) {
	units, err := w.units()
	if err != nil {
		return nil, nil, err
	}
	if _, bare := o.acceptRemovals[""]; bare && len(units) != 1 {
		return nil, nil, fmt.Errorf("--accept-removals with a bare number is for one tenant, and %d are selected: write KEY=N", len(units))
	}
	if w.whole() && !o.destroy && len(o.targets) == 0 {
		more, err := w.unclaimed(ctx)
		if err != nil {
			return nil, nil, err
		}
		units = append(units, more...)
		sort.Slice(units, func(i, j int) bool { return units[i].key < units[j].key })
	}
	for _, u := range units {
		if planner.Matches(u.address, o.replace) {
			return nil, nil, fmt.Errorf("--replace %s: a tenant is never replaced; release it and declare a new one", u.address)
		}
	}
	p := &planner.Plan{
		ID: w.app.id("plan"), Created: w.around.now(), Version: Version, Realm: w.around.realm, Lineage: w.lineage, Digest: w.digest,
		Destroy: o.destroy, IncludeAdopted: o.includeAdopted, Targets: o.targets, Excludes: o.excludes, Tenants: w.flags.tenants, Replace: o.replace,
		Variables: w.frame.Variables, Sensitive: w.frame.Sensitive,
	}
	parts, diags := w.parts(ctx, units, o)
	p.Parts, p.Sources = parts, w.sources()
	guardRemovedTenants(p, o, tenantsRemoved(w.frame.Safeguard))
	if len(o.targets)+len(o.replace)+len(o.excludes) > 0 {
		if err := w.matched(p, o); err != nil {
			return nil, diags, err
		}
	}
	return p, diags, nil
}

// parts plans the units, at most --parallelism at once.
func (w *workspace) parts(ctx context.Context, units []*unit, o planOptions) ([]*planner.Part, hcl.Diagnostics) {
	byKey := map[string]*unit{}
	keys := make([]string, len(units))
	for i, u := range units {
		keys[i], byKey[u.key] = u.key, u
	}
	progress := w.app.progress()
	var mu sync.Mutex
	var diags hcl.Diagnostics
	results := fleet.Each(ctx, keys, w.flags.parallel, func(ctx context.Context, key string) (*planner.Part, error) {
		u := byKey[key]
		progress.Say(fmt.Sprintf("Reading %s", named(key)))
		part, d, err := w.build(ctx, u, o, nil)
		mu.Lock()
		defer mu.Unlock()
		diags = append(diags, d...)
		return part, err
	})
	var parts []*planner.Part
	for _, r := range results {
		part := r.Value
		if r.Err != nil {
			u := byKey[r.Key]
			part = &planner.Part{Tenant: u.identity, Address: u.address, Status: planner.Errored, Errors: []string{w.app.secrets.Redact(r.Err.Error())}}
		}
		if part != nil {
			parts = append(parts, part)
		}
	}
	planner.Collide(parts)
	if root, d, err := w.root(ctx, parts, o); err != nil {
		parts = append(parts, &planner.Part{Status: planner.Errored, Errors: []string{w.app.secrets.Redact(err.Error())}})
	} else if root != nil {
		diags = append(diags, d...)
		parts = append(parts, root)
	}
	return parts, diags
}

// root plans the root's own objects and outputs, which may refer to every tenant's planned values.
func (w *workspace) root(ctx context.Context, parts []*planner.Part, o planOptions) (*planner.Part, hcl.Diagnostics, error) {
	if !w.whole() || len(o.targets) > 0 {
		return nil, nil, nil
	}
	known := map[string]cty.Value{}
	for _, p := range parts {
		maps.Copy(known, p.Values)
	}
	part, diags, err := w.build(ctx, &unit{}, o, known)
	if err != nil || part != nil && !part.Pending() && part.Status == planner.Ready && len(part.Problems) == 0 {
		return nil, diags, err
	}
	return part, diags, nil
}

// sources are the files that a saved plan carries: module sources and every file read through a function.
func (w *workspace) sources() map[string][]byte {
	out := map[string][]byte{}
	for name, data := range w.graph.Sources() {
		out[name] = data
	}
	for name, data := range w.frame.Files {
		out[name] = data
	}
	w.filesMu.Lock()
	defer w.filesMu.Unlock()
	maps.Copy(out, w.files)
	return out
}

// tenantsRemoved is how many tenants one run may take down: what the root's safeguard block says, else 1.
func tenantsRemoved(safeguard cty.Value) int {
	most := 1
	if safeguard == cty.NilVal || safeguard.IsNull() {
		return most
	}
	if v := resource.Get(safeguard, "max_tenants_removed"); v != cty.NilVal && !v.IsNull() && v.IsKnown() {
		n, _ := v.AsBigFloat().Int64()
		most = int(n)
	}
	return most
}

const tooMany = "more tenants would be taken down than one run may"

// takesDown reports whether applying the part would delete anything of its tenant.
func takesDown(part *planner.Part) bool {
	for _, item := range part.Review().Items {
		if item.Destructive {
			return true
		}
	}
	return false
}

// guardRemovedTenants holds the removal of more tenants than one run may remove.
func guardRemovedTenants(p *planner.Plan, o planOptions, most int) {
	accepted := map[string]bool{}
	for _, key := range o.acceptTenants {
		accepted[key] = true
	}
	var going []*planner.Part
	for _, part := range p.Parts {
		if part.Removed && !accepted[part.Tenant.Key] && takesDown(part) {
			going = append(going, part)
		}
	}
	if len(going) <= most {
		return
	}
	keys := ""
	for i, part := range going {
		if i > 0 {
			keys += ","
		}
		keys += part.Tenant.Key
	}
	for _, part := range going {
		part.Status = planner.Held
		for _, c := range part.Changes {
			c.Held = tooMany
		}
		if part.Accounts != nil {
			for i := range part.Accounts.Decisions {
				part.Accounts.Decisions[i].Held = tooMany
			}
		}
		part.Guards = append(part.Guards, planner.Guard{
			Name: "tenants_removed", Addresses: []string{part.Address},
			Text: fmt.Sprintf("%s would be taken down in one run, and %d may", dirsync.Count(len(going), "tenant", "tenants"), most), Cure: "weir apply --accept-tenants " + keys,
		})
	}
}

// matched refuses selections that match nothing. To exclude what a block does not make at present, or a kind of account
// decision that is not among this plan's, is no mistake.
func (w *workspace) matched(p *planner.Plan, o planOptions) error {
	found := map[string]bool{}
	var addresses []string
	for _, part := range p.Parts {
		maps.Copy(found, part.Matched)
		addresses = append(addresses, part.Addresses...)
		for _, c := range part.Changes {
			if c.Type == "tenant" && planner.Matches(c.Address, o.replace) {
				return fmt.Errorf("--replace %s: an organization is never replaced, since everything in it would go; take it down with weir destroy --tenant %s if that is what you want", c.Address, part.Tenant.Key)
			}
			addresses = append(addresses, c.Address)
			for _, s := range o.replace {
				found[s] = found[s] || planner.Matches(c.Address, []string{s})
			}
		}
		if part.Status == planner.Errored {
			return nil // what it has is not known, and its errors say more
		}
	}
	for _, s := range o.excludes {
		if a, err := resource.ParseAddress(s); err == nil && !found[s] {
			found[s] = w.graph.Declares(a)
		}
		found[s] = found[s] || slices.Contains(accountActions, dirsync.Action(s))
	}
	for _, l := range []struct {
		flag string
		list []string
	}{{"--target", o.targets}, {"--exclude", o.excludes}, {"--replace", o.replace}} {
		for _, s := range l.list {
			if found[s] {
				continue
			}
			text := fmt.Sprintf("%s %s matches nothing in this plan", l.flag, s)
			if near := config.Nearest(s, addresses); near != "" {
				return fmt.Errorf("%s; did you mean %s?", text, near)
			}
			return fmt.Errorf("%s; addresses look like module.customer[\"contoso\"].domain.mail", text)
		}
	}
	return nil
}

// accountActions are the groups of account decisions that a selection can name.
var accountActions = []dirsync.Action{
	dirsync.Add, dirsync.Update, dirsync.Rename, dirsync.Convert, dirsync.Disable, dirsync.Enable, dirsync.Delete,
}

// keepDrift leaves only what changed outside.
func keepDrift(p *planner.Plan) {
	for _, part := range p.Parts {
		part.Changes, part.Accounts, part.Outputs = nil, nil, nil
	}
}

// planCode is the exit code of a plan over all its parts.
func planCode(p *planner.Plan, detailed bool) int {
	codes := []int{exitOK}
	for _, part := range p.Parts {
		codes = append(codes, partCode(part, detailed))
	}
	return worst(codes...)
}

func partCode(part *planner.Part, detailed bool) int {
	switch {
	case part.Status == planner.Errored:
		return exitError
	case !part.Readable():
		return exitUnreadable
	case part.Status == planner.Held:
		return exitHeld
	case detailed && part.Pending():
		return exitPending
	}
	return exitOK
}

func codeOrNil(code int) error {
	if code == exitOK {
		return nil
	}
	return codeError(code)
}

// writeFile writes a private file whole or not at all.
func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(dirOf(path), ".weir-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(write(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
