package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/cmd/internal/review"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/state"
)

// A saved plan has all that was planned, also what a person left out when approving it. What that was is kept beside the
// plan that takes the file's place, under the digest of the file: whoever goes on with the file goes on with what was
// approved, and whoever applies it anew is told. It stays when all is carried out, since the file does. Another machine
// knows nothing of it.

// leftOut is what a person left out of a saved plan.
type leftOut struct {
	// approved is when, UTC; by is the person.
	approved time.Time
	by       string
	// kept is the digest of the plan that took the file's place.
	kept string
	// omissions are the items by the key of their tenant, "" for the root module.
	omissions map[string][]planner.Omission
}

// leftOutV1 is the stored form of leftOut, sealed where plans are.
type leftOutV1 struct {
	Format   int                           `json:"format"`
	Approved time.Time                     `json:"approved"`
	By       string                        `json:"by"`
	Kept     string                        `json:"kept"`
	LeftOut  map[string][]planner.Omission `json:"left_out"`
}

// leftOutFile is where what was left out of the plan file of a digest is kept.
func (w *workspace) leftOutFile(digest string) string {
	return filepath.Join(filepath.Dir(w.app.keptPlan(w.flags)), "left-out", digest+".json")
}

// leftOutSubject names the record to the seal, so that no other plan's is taken for it.
func leftOutSubject(configuration, digest string) string {
	return "left out " + configuration + " " + digest
}

// remember keeps what was left out of the plan file of a digest, whose place the plan of another digest takes, or forgets
// what an earlier approval left out of it. An apply does not depend on it: it says when that fails, and returns false.
func (w *workspace) remember(ctx context.Context, digest string, p *planner.Plan, kept string) bool {
	left := leftOutV1{Format: 1, Approved: w.around.now().UTC(), By: w.app.who(), Kept: kept, LeftOut: map[string][]planner.Omission{}}
	for _, part := range p.Parts {
		if len(part.Omissions) > 0 {
			left.LeftOut[part.Tenant.Key] = part.Omissions
		}
	}
	path := w.leftOutFile(digest)
	if len(left.LeftOut) == 0 {
		err := os.Remove(path)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return true
		}
		w.app.say("What was left out of this plan before cannot be forgotten, so that --resume with its file would leave it out again: %v", err)
		return false
	}
	data, err := json.Marshal(left)
	if err == nil && w.keys != nil {
		data, err = w.keys.SealFile(ctx, leftOutSubject(w.lineage, digest), data)
	}
	if err == nil {
		err = w.write(path, data)
	}
	if err != nil {
		w.app.say("What is left out cannot be remembered beside the plan file, so do not apply that file again: %v", err)
	}
	return err == nil
}

// remembered is what was left out of the plan file of a digest when it was approved here; nil when nothing was, or nothing
// is known.
func (w *workspace) remembered(ctx context.Context, digest string) (*leftOut, error) {
	path := w.leftOutFile(digest)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && w.keys != nil {
		data, err = w.keys.OpenFile(ctx, leftOutSubject(w.lineage, digest), data)
	}
	var v1 leftOutV1
	if err == nil {
		in := json.NewDecoder(bytes.NewReader(data))
		in.DisallowUnknownFields()
		err = in.Decode(&v1)
	}
	if err == nil && v1.Format != 1 {
		err = fmt.Errorf("it has format %d, which this version of weir does not know", v1.Format)
	}
	if err != nil {
		return nil, fmt.Errorf("a person left items out of this plan before, and which cannot be read from %s (%w); nothing was changed. Save a new plan with weir plan --out, and approve that", path, err)
	}
	return &leftOut{approved: v1.Approved, by: v1.By, kept: v1.Kept, omissions: v1.LeftOut}, nil
}

// leftOutOf is what was left out of a plan file when it was approved here, wherever it was approved: live or simulated. It
// is nil when nothing was, or nothing is known.
func (a *App) leftOutOf(ctx context.Context, c configFlags, p *planner.Plan, info planFileInfo) (l *leftOut, err error) {
	w := &workspace{app: a, flags: c, lineage: p.Lineage}
	for _, simulate := range []bool{c.simulate, !c.simulate} {
		w.flags.simulate = simulate
		if _, err := os.Lstat(w.leftOutFile(info.digest)); err != nil {
			continue
		}
		if info.encrypted {
			opened, err := a.openKeys(ctx, c, info.path)
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, opened.ring.Close()) }()
			w.keys = opened.ring
		}
		return w.remembered(ctx, info.digest)
	}
	return nil, nil
}

// repeatedFile are the flags that a command which applies a plan file must repeat: selections and variables are in the file.
func (a *App) repeatedFile(c configFlags, p *planner.Plan) []string {
	if _, served := a.Env(simulatorVariables[0]); p.Realm != "" && p.Realm != state.Live && !served {
		c.simulate = true
	}
	return a.repeated(configFlags{simulationFlags: c.simulationFlags})
}

// left are the items of a plan that the person left out of that run alone, as far as they would be applied now. What has a
// date is a skip in state, which every plan honours until a person ends it.
func (l *leftOut) left(p *planner.Plan) []string {
	var out []string
	for _, part := range p.Parts {
		items := part.Review().Items
		for i := range l.omissions[part.Tenant.Key] {
			o := &l.omissions[part.Tenant.Key][i]
			if _, there := items[o.Address]; there && o.Until.IsZero() {
				out = append(out, o.Text+"  "+o.What())
			}
		}
	}
	return out
}

// when says for people when that was, and who did it.
func (l *leftOut) when() string {
	return render.SafeText(fmt.Sprintf("on %s by %s", l.approved.UTC().Format("2006-01-02 15:04 UTC"), l.by))
}

// omit leaves the same items out of the plan again.
func (l *leftOut) omit(p *planner.Plan) {
	for _, part := range p.Parts {
		part.Omit(l.omissions[part.Tenant.Key]...)
	}
}

// untick lets a review begin with what was left out of the run before.
func (l *leftOut) untick(list *review.List) {
	if l == nil {
		return
	}
	chosen := map[[2]string]bool{}
	for key, omissions := range l.omissions {
		for i := range omissions {
			chosen[[2]string{key, omissions[i].Address}] = omissions[i].With == "" && omissions[i].Until.IsZero()
		}
	}
	for i := range list.Items {
		if it := &list.Items[i]; chosen[[2]string{it.Key, it.Address}] {
			list.LeaveOut(review.Choice{Way: review.ThisTime}, i)
		}
	}
}

// approvedBefore takes up what a person left out of a saved plan when approving it here: going on with the plan leaves it
// out again, and applying the whole plan is asked about. It returns nil when nothing was left out, or nothing is known.
func (w *workspace) approvedBefore(ctx context.Context, p *planner.Plan, f applyFlags, name string, plan *carried) (*leftOut, error) {
	l, err := w.remembered(ctx, plan.digest)
	if err != nil || l == nil {
		return nil, err
	}
	left := l.left(p)
	switch {
	case plan.resumed && len(left) > 0:
		w.app.say("Left out when this plan was approved %s, and so again now: %d", l.when(), len(left))
		l.omit(p)
	case plan.resumed:
		l.omit(p)
	case f.review:
	default:
		if whole, err := w.wholeAfterAll(ctx, l, left, f, name); err != nil || !whole {
			return nil, cmp.Or(err, errNotApproved)
		}
	}
	// The plan that took the file's place has nothing left to do when this run has not.
	if kept := w.app.keptPlan(w.flags); plan.kept == "" && l.kept != "" && l.kept == fileDigest(kept) {
		plan.kept = kept
	}
	return l, nil
}

// fileDigest is the digest of the plan file at a path; "" when there is none.
func fileDigest(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return digestOfFile(data)
}

// maxLeftOut bounds the items that a question names.
const maxLeftOut = 20

// wholeAfterAll asks whether all of a saved plan is to be applied, of which a person left items out before.
func (w *workspace) wholeAfterAll(ctx context.Context, l *leftOut, left []string, f applyFlags, name string) (bool, error) {
	if len(left) == 0 {
		return true, nil
	}
	a := w.app
	goOn := a.goOn(w.flags, name)
	a.say("Left out when this plan was approved %s: %d", l.when(), len(left))
	for i, text := range left {
		if i == maxLeftOut {
			a.say("  … and %d more", len(left)-i)
			break
		}
		a.say("  %s", render.SafeText(text))
	}
	if f.auto {
		a.say("They are applied now, as --auto-approve says; %s would have gone on without them.", goOn)
		return true, nil
	}
	a.say("%s goes on without them.", goOn)
	whole := render.Command("apply", append(a.repeated(configFlags{simulationFlags: w.flags.simulationFlags}), "--auto-approve", name))
	return a.confirmWord(ctx, "Apply the whole plan, with what was left out?", "yes", fmt.Sprintf("%s goes on with what was approved, %s applies the whole plan", goOn, whole))
}
