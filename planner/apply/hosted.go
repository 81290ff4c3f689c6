package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync/hosted"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// withheld is an object of which a part is still to be written: the schedule of the vendor's own sync.
type withheld struct {
	inst   *config.Instance
	change *planner.Change
}

// release writes what was withheld, last of all: only when everything before it was done, the object reads back as it was
// written, what the vendor's sync will do was predicted, and the vendor's list of exemptions has everybody on it whom the
// prediction counts as exempt.
func (r *run) release(ctx context.Context) error {
	for _, w := range r.withheld {
		address := w.change.Address
		why := r.unfinished(address)
		if why == "" && context.Cause(ctx) != nil {
			why = "the run was stopped before it"
		}
		if why == "" {
			why = r.unforeseen()
		}
		if why == "" {
			var err error
			if why, err = r.unready(ctx); err != nil {
				r.fail(address, planner.Update.Word(), fmt.Errorf("the schedule was not started: %w", err))
				continue
			}
		}
		if why != "" {
			r.skip(address, "the schedule was not started, because "+why+"; apply again")
			continue
		}
		if err := r.start(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// unfinished names what of this run was not done, the object itself apart; "" when everything was.
func (r *run) unfinished(address string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := slices.Concat(r.report.Failed, r.report.Skipped, r.report.NotReviewed)
	switch {
	case len(left) == 0:
		return ""
	case left[0].Address == address:
		return "the object itself was not applied whole"
	}
	return left[0].Address + " was not applied"
}

// unforeseen says why it is not known whom the vendor's sync must leave alone, and what it would do to them: a read that the
// prediction rests on failed. "" when it is known, or when nothing is there to read it with.
func (r *run) unforeseen() string {
	o := r.Plan.Observed
	if r.Part.Hosted == nil {
		return "nothing was predicted of it" // the policy cannot be decoded yet
	}
	if r.Part.Hosted.Unknown == "" || o == nil || o.Directory == nil && o.DirectoryErr == nil && o.Objects["exemption"].Err == nil {
		return ""
	}
	return "what it would do is not known: " + r.Part.Hosted.Unknown
}

// unready reads the exemptions back. It says who is missing; "" when nobody is.
func (r *run) unready(ctx context.Context) (string, error) {
	t := r.Plan.Registry.Type("exemption")
	if t == nil || r.Part.Hosted == nil {
		return "", nil
	}
	found, err := t.List(ctx, r.Conn)
	if err != nil {
		return "", fmt.Errorf("the exemptions could not be read back: %w", err)
	}
	on := map[string]bool{}
	for _, l := range found {
		all, _ := resource.Words(l.Value, "protects")
		for _, a := range all {
			on[directory.Fold(a)] = true
		}
	}
	var missing []string
	for _, i := range r.Part.Hosted.Group(hosted.Exempt) {
		if !on[i.Address] {
			missing = append(missing, i.Address)
		}
	}
	if len(missing) == 0 {
		return "", nil
	}
	return strings.Join(missing[:min(3, len(missing))], ", ") + " is not on the vendor's list of exemptions (R40)", nil
}

// start writes the rest of the object.
func (r *run) start(ctx context.Context, w withheld) error {
	t, c := w.inst.Type, w.change
	began := r.Now()
	request := &resource.Change{Address: c.Address, Operation: r.Operation(), ID: c.ID, Planned: c.Wanted, Secrets: r.Secrets, Now: began}
	back, err := t.Read(ctx, r.Conn, c.ID)
	if err == nil {
		c.ID, request.ID, request.Prior = back.ID, back.ID, back.Value
		request.Paths = slices.DeleteFunc(resource.Differences(t.Attributes, c.Wanted, back.Value), func(path string) bool { return path == "" })
		var live resource.Live
		if live, err = t.Update(r.calls, r.Conn, request); err == nil {
			obj, _ := r.remember(w.inst, c, live, request.Operation)
			if err := r.record(ctx, state.Outcome{
				Op: request.Operation, Address: c.Address, Type: t.Name, Action: planner.Update.Word(), Result: state.Done, Object: obj, Time: r.Now(),
			}); err != nil {
				return stopped(err)
			}
			r.event(Event{Address: c.Address, Kind: Finished, Action: planner.Update.Word(), Text: "the schedule was started", Elapsed: r.Now().Sub(began)})
			return nil
		}
	}
	if recordErr := r.concluded(ctx, t, c, request, resource.Live{}, err); recordErr != nil {
		err = recordErr
	}
	r.fail(c.Address, planner.Update.Word(), fmt.Errorf("the schedule was not started: %w", err))
	return nil
}

// underWay is how long after its time a run of the vendor's sync may still be under way without last_successful_sync
// showing it (inferred: the vendor names no duration).
const underWay = 10 * time.Minute

// restless says why accounts must not be written yet after this run stopped the vendor's own sync: it ran again since the
// accounts were read, or a last run may still be under way. "" when last_successful_sync rests, or nothing was stopped.
func (r *run) restless(ctx context.Context) string {
	c := r.part[r.Part.AccountPolicy]
	if c == nil || c.Before == cty.NilVal || !c.Applies() {
		return ""
	}
	every := hosted.Frequency(resource.Text(c.Before, "hosted.frequency"))
	if every == 0 || resource.Text(c.After, "hosted.frequency") != "never" || r.Part.Hosted != nil {
		return ""
	}
	t := r.Plan.Registry.Type(c.Type)
	back, err := t.Read(ctx, r.Conn, c.ID)
	if err != nil {
		return fmt.Sprintf("whether the vendor's sync rests could not be read: %v; apply again", err)
	}
	const path = "last_successful_sync"
	was, now := resource.Text(c.Before, path), resource.Text(back.Value, path)
	if was != now {
		return "the vendor's sync ran again after the accounts were read; apply again"
	}
	due := r.Now().UTC().Truncate(every)
	if ran, err := time.Parse(time.RFC3339, now); r.Now().Sub(due) < underWay && (err != nil || ran.Before(due)) {
		return fmt.Sprintf("a run of the vendor's sync may be under way since %s, and its end is not visible yet; apply again after %s",
			due.Format("15:04 UTC"), due.Add(underWay).Format("15:04 UTC"))
	}
	return ""
}

// expect remembers what the vendor's sync is expected to do now, when this run changed anything.
func (r *run) expect(ctx context.Context) error {
	h := r.Part.Expected(r.Now())
	r.mu.Lock()
	idle := len(r.report.Applied) == 0
	old := r.State.Hosted
	r.mu.Unlock()
	if h == nil || idle || old != nil && old.Digest == h.Digest && old.LastRun == h.LastRun && old.Policy == h.Policy {
		return nil
	}
	note := state.Note{Text: "what the vendor's sync is expected to do", Hosted: h, Time: r.Now()}
	if err := r.Journal.Note(context.WithoutCancel(ctx), note); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.State.Apply(state.Entry{Note: &note})
}
