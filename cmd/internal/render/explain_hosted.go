package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/planner/dirsync/hosted"
	"github.com/weir-project/weir/providers/directory"
)

// explainHosted is what the next run of the vendor's own sync will do with one address, once the plan is applied. It is
// the part's prediction and nothing besides.
type explainHosted struct {
	// Next is about when the next automatic run begins; nil when none does.
	Next *time.Time `json:"next,omitempty"`
	// Effect is the effects and their rules in short: "adding R21", "deleting R40, adding R40"; "nothing", "fails" or
	// "unknown".
	Effect string `json:"effect"`
	// Steps are the same in sentences, and After what the address is then.
	Steps []ExplainStep `json:"steps,omitempty"`
	After Fate          `json:"after"`
	// Or are the other sides, one for each fact that nobody can read and on which this address depends.
	Or []explainOr `json:"or,omitempty"`
	// Run are sentences about the run as a whole: that it fails or is suspended. Manual says how one by the portal's button
	// differs; "" when it does not.
	Run       []string `json:"run,omitempty"`
	Manual    string   `json:"manual,omitempty"`
	Suspended bool     `json:"suspended,omitempty"`
	title     string
}

// explainOr is what happens instead if one fact is the other way round.
type explainOr struct {
	Fact   hosted.Fact   `json:"fact"`
	Effect string        `json:"effect"`
	Steps  []ExplainStep `json:"steps,omitempty"`
	After  Fate          `json:"after"`
}

// foresight finds the items of a prediction by what they are about. nil knows none.
type foresight struct {
	run *planner.HostedRun
	// items are by object id, by the account's id, and by every address that an account has before or after.
	byObject, byAddress map[string][]foreseen
	byUID               map[int][]foreseen
}

// foreseen is one item, and the doubt that it stands in: -1 for none, which is the expected run.
type foreseen struct {
	*hosted.Item
	doubt int
}

func newForesight(run *planner.HostedRun) *foresight {
	if run == nil || run.Prediction == nil {
		return nil
	}
	f := &foresight{run: run, byObject: map[string][]foreseen{}, byAddress: map[string][]foreseen{}, byUID: map[int][]foreseen{}}
	add := func(items []hosted.Item, doubt int) {
		for i := range items {
			f.add(foreseen{&items[i], doubt})
		}
	}
	add(run.Items, -1)
	for k := range run.Doubts {
		add(run.Doubts[k].Instead, k)
	}
	return f
}

func (f *foresight) add(i foreseen) {
	if i.ObjectID != "" {
		id := directory.Fold(i.ObjectID)
		f.byObject[id] = append(f.byObject[id], i)
	}
	names := []string{directory.Fold(i.Address)}
	for _, a := range []*directory.Account{i.Before, i.After} {
		if a != nil {
			names = append(append(names, directory.Fold(a.Address)), a.Aliases...)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		f.byAddress[name] = append(f.byAddress[name], i)
	}
	if a := i.Before; a != nil && a.UID != 0 {
		f.byUID[a.UID] = append(f.byUID[a.UID], i)
	}
}

// about are the items about a case, deletions first, as a run does them. nil is nobody.
func (f *foresight) about(c *dirsync.Case) []foreseen {
	if c == nil {
		return nil
	}
	var out []foreseen
	if c.Entry != nil {
		out = append(out, f.byObject[directory.Fold(c.Entry.ObjectID)]...)
	}
	if c.Account != nil {
		out = append(out, f.byUID[c.Account.UID]...)
	}
	for _, i := range f.byAddress[c.Name()] {
		// An item of another object that has the address is not about this one.
		if i.ObjectID == "" {
			out = append(out, i)
		}
	}
	return inOrder(out)
}

// inOrder sorts items and drops what was found twice.
func inOrder(items []foreseen) []foreseen {
	last := func(i foreseen) int {
		if i.Effect == hosted.Deleting {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(items, func(a, b foreseen) int {
		return cmp.Or(cmp.Compare(a.doubt, b.doubt), cmp.Compare(last(a), last(b)), strings.Compare(a.Address, b.Address), strings.Compare(string(a.Effect), string(b.Effect)))
	})
	return slices.CompactFunc(items, func(a, b foreseen) bool { return a.Item == b.Item })
}

// side are the items that happen if one fact is the other way round; doubt -1 is the expected run.
func (f *foresight) side(items []foreseen, doubt int) []*hosted.Item {
	var out []*hosted.Item
	for _, i := range items {
		not := doubt >= 0 && i.doubt < 0 && slices.ContainsFunc(f.run.Doubts[doubt].Not, func(n hosted.Item) bool {
			return n.Effect == i.Effect && n.Address == i.Address && n.Code == i.Code
		})
		if i.doubt == doubt || i.doubt < 0 && !not {
			out = append(out, i.Item)
		}
	}
	return out
}

// hosted is what the vendor's next run does with a case under one of its addresses; nil without a prediction.
func (x *Explainer) hosted(c *dirsync.Case, address string) *explainHosted {
	f := x.foresight
	if f == nil {
		return nil
	}
	h := &explainHosted{title: hostedTitle(f.run), Run: hostedLead(f.run), Manual: manualLead(f.run), Suspended: f.run.Suspended != ""}
	if !f.run.Next.IsZero() {
		next := f.run.Next.UTC()
		h.Next = &next
	}
	unmoved := x.fate(x.after(address), address)
	switch {
	case f.run.Unknown != "":
		h.Effect, h.After = "unknown", unknownFate()
		return h
	case f.run.Fails != "", f.run.Every <= 0 && f.run.ManualFails != "" && len(f.run.ManualDepends) == 0:
		h.Effect, h.After = "fails", unmoved
		return h
	}
	items, holding := f.about(c), f.byAddress[address]
	tell := func(doubt int) (string, []ExplainStep, Fate) {
		list := f.side(items, doubt)
		return hostedWords(list), hostedSteps(list), x.fate(x.standing(f.side(holding, doubt), address), address)
	}
	h.Effect, h.Steps, h.After = tell(-1)
	for k := range f.run.Doubts {
		effect, steps, after := tell(k)
		if effect != h.Effect || !sameWords(after, h.After) {
			h.Or = append(h.Or, explainOr{Fact: f.run.Doubts[k].Fact, Effect: effect, Steps: steps, After: after})
		}
	}
	return h
}

// standing is what an address is after those items: what they make of it, else what the plan left.
func (x *Explainer) standing(items []*hosted.Item, address string) dirsync.Standing {
	s := x.after(address)
	for _, i := range items {
		if i.Acts() && has(i.Before, address) {
			s = dirsync.Standing{}
		}
	}
	for _, i := range items {
		if a := i.After; i.Acts() && has(a, address) {
			s = dirsync.Standing{Exists: true, Type: a.Type, Active: a.Active, Primary: directory.Fold(a.Address) == address, Account: a}
		}
	}
	return s
}

func has(a *directory.Account, address string) bool {
	return a != nil && (directory.Fold(a.Address) == address || slices.Contains(a.Aliases, address))
}

// hostedWords are the effects in short.
func hostedWords(items []*hosted.Item) string {
	if len(items) == 0 {
		return "nothing"
	}
	var words []string
	for _, i := range items {
		words = append(words, strings.TrimSpace(string(i.Effect)+" "+i.Rule))
	}
	return strings.Join(words, ", ")
}

// hostedSteps are the effects in sentences, in the plan's words.
func hostedSteps(items []*hosted.Item) []ExplainStep {
	var out []ExplainStep
	for _, i := range items {
		text := strings.TrimSpace(string(i.Effect) + " " + i.Address)
		if more := hostedText(i); more != "" {
			text += ": " + more
		}
		out = append(out, ExplainStep{Rule: i.Rule, Text: text})
	}
	return out
}

// sameWords compares what people notice.
func sameWords(a, b Fate) bool {
	return a.Account == b.Account && a.Mail == b.Mail && a.Login == b.Login && a.Digest == b.Digest && a.Billed == b.Billed
}

// short is the whole in a cell: both sides of each either-or, and that the run is suspended.
func (h *explainHosted) short() string {
	if h == nil {
		return ""
	}
	sides := []string{h.Effect}
	for _, o := range h.Or {
		if !slices.Contains(sides, o.Effect) {
			sides = append(sides, o.Effect)
		}
	}
	text := strings.Join(sides, " or ")
	if h.Suspended {
		text = "suspended: " + text
	}
	return text
}

// hostedRun tells a person what the vendor's own sync will do with the address.
func (p *printer) hostedRun(e *Explanation) {
	h := e.Hosted
	if h == nil {
		return
	}
	p.section("", h.title, "the vendor's doing, not Weir's")
	for _, s := range h.Run {
		p.prose("", "    ", s)
	}
	if h.Effect == "unknown" {
		p.blank()
		return
	}
	if h.Effect != "fails" {
		p.prose("", "    ", sentenceOf(upper(stepTexts(h.Steps))))
	}
	p.prose("", "    ", fateTurns(e.After, h.After))
	for _, o := range h.Or {
		p.prose(yellow, "    ", fmt.Sprintf("Either that, or %s: it cannot be read %s. %s", stepTexts(o.Steps), o.Fact.Text(), fateTurns(e.After, o.After)))
	}
	if h.Manual != "" {
		p.prose("", "    ", h.Manual)
	}
	p.blank()
}

func stepTexts(steps []ExplainStep) string {
	if len(steps) == 0 {
		return "nothing"
	}
	var texts []string
	for _, s := range steps {
		texts = append(texts, s.Text)
	}
	return strings.Join(texts, ", then ")
}

// fateTurns says what a run changes for the address's owner; then is the fate after it.
func fateTurns(now, then Fate) string {
	if sameWords(now, then) {
		return fmt.Sprintf("Then as after the next apply: account %s, mail %s, login %s, billed %s.", then.Account, then.Mail, then.Login, then.Billed)
	}
	var parts []string
	for _, c := range []struct{ title, column, now, then string }{
		{"account", "", now.Account, then.Account}, {"mail", "mail", now.Mail, then.Mail}, {"login", "login", now.Login, then.Login},
		{"digest", "digest", now.Digest, then.Digest}, {"billed", "billed", now.Billed, then.Billed},
	} {
		text := c.title + " " + turn(c.now, c.then)
		if remark := then.Remarks[c.column]; remark != "" && c.now != c.then {
			text += " (" + remark + ")"
		}
		parts = append(parts, text)
	}
	return "Then " + strings.Join(parts, ", ") + "."
}
