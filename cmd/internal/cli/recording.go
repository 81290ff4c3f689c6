package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/fleet"
	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/state"
)

// registerRecording adds the flags of commands that can do without the vendors, because they change nothing.
func (f *configFlags) registerRecording(flags *pflag.FlagSet) {
	flags.StringVar(&f.recording, "recording", "", "read `FILE`, made by weir record, instead of the vendors and state")
	flags.StringVar(&f.at, "at", "", "with --recording: the `TIME` that it is taken to be, such as 2026-12-01T08:00:00Z")
}

// openRecording loads the configuration and puts a recording in the place of vendors and state. No vendor and no state
// storage is reached, and no credentials are needed.
func (a *App) openRecording(f configFlags) (*workspace, error) {
	if f.simulate {
		return nil, errors.New("write either --recording or --simulate: a recording asks nobody, simulated or not")
	}
	registry := providers.Builtin()
	file, err := os.Open(a.path(f.recording))
	if err != nil {
		return nil, fmt.Errorf("--recording: %w", err)
	}
	defer func() { _ = file.Close() }()
	r, err := planner.ReadRecording(file, registry)
	if err != nil {
		return nil, fmt.Errorf("--recording %s: %w", f.recording, err)
	}
	now := r.Made
	if f.at != "" {
		if now, err = time.Parse(time.RFC3339, f.at); err != nil {
			return nil, fmt.Errorf("--at %q is no time such as 2026-12-01T08:00:00Z", f.at)
		}
	}
	f.unconnected = true
	w := &workspace{
		app: a, flags: f, registry: registry, breaker: &fleet.Breaker{}, recording: r, lineage: "recording",
		around: &surroundings{realm: r.Realm, env: a.Env, now: func() time.Time { return now.UTC() }},
	}
	a.say("%s", w.recordedWhen())
	if err := w.load(os.DirFS(a.dir()), nil); err != nil {
		return nil, err
	}
	u, err := w.recordedUnit()
	if err != nil {
		return nil, err
	}
	w.flags.tenants = []string{u.key}
	return w, nil
}

// recordedUnit is the tenant that the recording is of. One of another tenant is refused.
func (w *workspace) recordedUnit() (*unit, error) {
	units, err := w.units()
	if err != nil {
		return nil, err
	}
	r := w.recording.Tenant
	var names []string
	for _, u := range units {
		names = append(names, fmt.Sprintf("%s (%s)", u.key, u.identity.PrimaryDomain))
		if !strings.EqualFold(u.identity.PrimaryDomain, r.PrimaryDomain) {
			continue
		}
		if !strings.EqualFold(u.identity.EntraTenantID, r.EntraTenantID) {
			return nil, fmt.Errorf("--recording %s is of %s with the directory %s, and %s has %s: it is a recording of another tenant", w.flags.recording, r.PrimaryDomain, r.EntraTenantID, named(u.key), u.identity.EntraTenantID)
		}
		return u, nil
	}
	return nil, fmt.Errorf("--recording %s is of %s (tenant %q), and the tenants here are others: %s", w.flags.recording, r.PrimaryDomain, r.Key, strings.Join(names, ", "))
}

func (w *workspace) recordedState() *state.State {
	if w.recording.Prior != nil {
		return w.recording.Prior
	}
	return &state.State{}
}

// replay answers from the recording what the vendors would be asked: no more than that, so that what was recorded
// besides changes nothing.
func (w *workspace) replay(u *unit, req *planner.Request) {
	r := w.recording
	u.identity.Stack, u.identity.VendorData = r.Tenant.Stack, w.frame.Settings.VendorData
	req.Tenant, req.SecretVersion = u.identity, nil
	asks := w.asks(u, req.Prior)
	o := *r.Observed
	o.Objects = map[string]planner.Reading{}
	for name := range asks.types {
		if reading, ok := r.Observed.Objects[name]; ok {
			o.Objects[name] = reading
		} else if w.registry.Type(name) != nil {
			o.Objects[name] = planner.Reading{Err: errors.New("the recording has none of them")}
		}
	}
	if !asks.directory {
		o.Directory, o.DirectoryErr = nil, nil
	}
	if !asks.accounts {
		o.Accounts, o.AccountsErr = nil, nil
	}
	req.Observed = &o
	req.Facts = planner.NewFacts(o.Directory)
	req.Data = func(_ context.Context, read config.DataRead) (cty.Value, error) {
		return r.Answer(read.Type.Name, read.Config)
	}
}

// recordedWhen is the first thing that a run on a recording says.
func (w *workspace) recordedWhen() string {
	r := w.recording
	text := fmt.Sprintf("Recording of %s, tenant %q: no vendor is asked, and nothing of this can be applied.", r.Made.UTC().Format("2006-01-02 15:04 UTC"), r.Tenant.Key)
	if now := w.around.now(); !now.Equal(r.Made) {
		text += " The time is taken to be " + now.Format("2006-01-02 15:04 UTC") + "."
	}
	if r.Pseudonymous {
		text += " Its names, addresses, domains and ids are not the real ones; a condition that looks into them may turn out otherwise."
	}
	return text
}

// announce says on standard output that what follows is made of a recording; nothing without one.
func (w *workspace) announce(lead string) error {
	if w.recording == nil {
		return nil
	}
	_, err := fmt.Fprintf(w.app.Stdout, "%s%s\n\n", lead, render.SafeText(w.recordedWhen()))
	return err
}

// announceJSON does so as a line of JSON.
func (w *workspace) announceJSON() error {
	if w.recording == nil {
		return nil
	}
	return json.NewEncoder(w.app.Stdout).Encode(map[string]any{
		"@level": "info", "@message": w.recordedWhen(), "@module": "weir.ui", "type": "log",
		"weir": map[string]any{"recorded": w.recording.Made.UTC(), "pseudonymous": w.recording.Pseudonymous},
	})
}
