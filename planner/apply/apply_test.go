package apply_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/apply"
	"github.com/weir-project/weir/planner/live"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/secrets"
	"github.com/weir-project/weir/state"
)

// vendor is an in-memory vendor of three types: "tenant" (a singleton), "box", and "key", which issues a secret that a
// box may hold.
type vendor struct {
	mu      sync.Mutex
	boxes   map[string]map[string]cty.Value
	keys    map[string][]string // key name → live credentials
	secrets map[string]string   // box → secret written
	calls   []string
	// fail makes the named call fail with the error.
	fail map[string]error
	n    int
}

func newVendor() *vendor {
	return &vendor{boxes: map[string]map[string]cty.Value{}, keys: map[string][]string{}, secrets: map[string]string{}, fail: map[string]error{}}
}

func (v *vendor) call(name string) error {
	v.calls = append(v.calls, name)
	return v.fail[name]
}

func (v *vendor) changes() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	calls := v.calls
	v.calls = nil
	return calls
}

func str(v cty.Value, path string) string {
	s := resource.Get(v, path)
	if s == cty.NilVal || s.IsNull() || !s.IsKnown() || s.Type() != cty.String {
		return ""
	}
	return s.AsString()
}

func (v *vendor) registry() *resource.Registry {
	tenant := &resource.Type{
		Name: "tenant", Purpose: "x", Provider: "essentials", Singleton: true, Undeletable: true,
		Attributes: []resource.Attribute{
			{Name: "name", Type: cty.String, Required: true, Description: "x"},
			{Name: "primary_domain", Type: cty.String, Required: true, Description: "x"},
			{Name: "parent", Type: cty.String, Optional: true, Local: true, Description: "x"},
			{Name: "entra_tenant_id", Type: cty.String, Optional: true, Local: true, Description: "x"},
		},
		List: func(context.Context, *resource.Conn) ([]resource.Live, error) {
			return []resource.Live{{ID: "1", Value: cty.ObjectVal(map[string]cty.Value{
				"name": cty.StringVal("T"), "primary_domain": cty.StringVal("t.example"), "parent": cty.NullVal(cty.String), "entra_tenant_id": cty.NullVal(cty.String),
			})}}, nil
		},
		Read: func(context.Context, *resource.Conn, resource.ObjectID) (resource.Live, error) {
			return resource.Live{}, nil
		},
		Update: func(_ context.Context, _ *resource.Conn, c *resource.Change) (resource.Live, error) {
			return resource.Live{ID: "1", Value: c.Prior}, nil
		},
	}
	return resource.NewRegistry([]*resource.Type{tenant, v.boxType(), v.keyType()}, nil)
}

func (v *vendor) boxType() *resource.Type {
	table := []resource.Attribute{
		{Name: "name", Type: cty.String, Required: true, Immutable: true, Description: "x"},
		{Name: "content", Type: cty.String, Optional: true, Description: "x"},
		{Name: "note", Type: cty.String, Optional: true, Description: "x"},
		{Name: "secret", Type: resource.SecretType, Optional: true, WriteOnly: true, Description: "x"},
		{Name: "serial", Type: cty.String, Computed: true, Description: "x"},
	}
	liveOf := func(name string) resource.Live {
		members := resource.Null(table)
		maps.Copy(members, v.boxes[name])
		return resource.Live{ID: resource.ObjectID(name), Name: name, Value: cty.ObjectVal(members)}
	}
	write := func(ctx context.Context, name string, c *resource.Change) error {
		box := v.boxes[name]
		for _, attribute := range []string{"content", "note"} {
			if w := resource.Get(c.Planned, attribute); !w.IsNull() {
				box[attribute] = w
			}
		}
		if ref := resource.SecretOf(resource.Get(c.Planned, "secret")); ref != nil && c.Changes("secret") {
			value, err := c.Secrets.Resolve(ctx, ref)
			if err != nil {
				return err
			}
			v.secrets[name] = value
		}
		return nil
	}
	return &resource.Type{
		Name: "box", Purpose: "x", Provider: "essentials", Attributes: table, After: []string{"tenant"},
		Key:              func(b cty.Value) string { return str(b, "name") },
		ProtectByDefault: func(b cty.Value) bool { return str(b, "note") == "precious" },
		List: func(context.Context, *resource.Conn) ([]resource.Live, error) {
			v.mu.Lock()
			defer v.mu.Unlock()
			if err := v.fail["list"]; err != nil {
				return nil, err
			}
			var out []resource.Live
			for _, name := range slices.Sorted(maps.Keys(v.boxes)) {
				out = append(out, liveOf(name))
			}
			return out, nil
		},
		Read: func(_ context.Context, _ *resource.Conn, id resource.ObjectID) (resource.Live, error) {
			v.mu.Lock()
			defer v.mu.Unlock()
			if v.boxes[string(id)] == nil {
				return resource.Live{}, resource.ErrAbsent
			}
			return liveOf(string(id)), v.fail["read"]
		},
		Create: func(ctx context.Context, _ *resource.Conn, c *resource.Change) (resource.Live, error) {
			v.mu.Lock()
			defer v.mu.Unlock()
			name := str(c.Planned, "name")
			if err := v.call("create " + name); err != nil && !errors.Is(err, resource.ErrAmbiguous) {
				return resource.Live{}, err
			}
			v.n++
			v.boxes[name] = map[string]cty.Value{"name": cty.StringVal(name), "serial": cty.StringVal(fmt.Sprint("s", v.n))}
			if err := write(ctx, name, c); err != nil {
				return resource.Live{}, err
			}
			if err := v.fail["half "+name]; err != nil {
				return liveOf(name), err
			}
			return liveOf(name), v.fail["create "+name]
		},
		Update: func(ctx context.Context, _ *resource.Conn, c *resource.Change) (resource.Live, error) {
			v.mu.Lock()
			defer v.mu.Unlock()
			name := string(c.ID)
			if err := v.call("update " + name); err != nil {
				return resource.Live{}, err
			}
			if err := write(ctx, name, c); err != nil {
				return resource.Live{}, err
			}
			return liveOf(name), nil
		},
		Delete: func(_ context.Context, _ *resource.Conn, c *resource.Change) error {
			v.mu.Lock()
			defer v.mu.Unlock()
			if err := v.call("delete " + string(c.ID)); err != nil {
				return err
			}
			delete(v.boxes, string(c.ID))
			return nil
		},
	}
}

func (v *vendor) keyType() *resource.Type {
	table := []resource.Attribute{
		{Name: "name", Type: cty.String, Required: true, Description: "x"},
		{Name: "key_id", Type: cty.String, Computed: true, Description: "x"},
		{Name: "value", Type: resource.SecretType, Computed: true, Description: "x"},
	}
	liveOf := func(name string) resource.Live {
		members := resource.Null(table)
		members["name"] = cty.StringVal(name)
		if n := len(v.keys[name]); n > 0 {
			members["key_id"] = cty.StringVal(v.keys[name][n-1])
		}
		return resource.Live{ID: resource.ObjectID(name), Value: cty.ObjectVal(members)}
	}
	issue := func(c *resource.Change, name string) (resource.Live, error) {
		v.n++
		id := fmt.Sprint("key-", v.n)
		v.keys[name] = append(v.keys[name], id)
		c.Secrets.Issue(c.Address+"#value", id, "value of "+id)
		return liveOf(name), v.fail["after issue"]
	}
	return &resource.Type{
		Name: "key", Purpose: "x", Provider: "essentials", Attributes: table, After: []string{"tenant"},
		Key: func(k cty.Value) string { return str(k, "name") },
		Customize: func(r *resource.PlanRequest) error {
			if r.Live.IsNull() {
				return nil
			}
			if r.Prior.IsNull() || r.Undelivered {
				r.Planned = resource.With(r.Planned, "value", cty.UnknownVal(resource.SecretType))
				r.Planned = resource.With(r.Planned, "key_id", cty.UnknownVal(cty.String))
				r.Force = true
				r.Reasons = append(r.Reasons, "its secret never arrived")
			}
			return nil
		},
		List: func(context.Context, *resource.Conn) ([]resource.Live, error) {
			v.mu.Lock()
			defer v.mu.Unlock()
			var out []resource.Live
			for _, name := range slices.Sorted(maps.Keys(v.keys)) {
				out = append(out, liveOf(name))
			}
			return out, nil
		},
		Read: func(_ context.Context, _ *resource.Conn, id resource.ObjectID) (resource.Live, error) {
			return liveOf(string(id)), nil
		},
		Create: func(_ context.Context, _ *resource.Conn, c *resource.Change) (resource.Live, error) {
			v.mu.Lock()
			defer v.mu.Unlock()
			if err := v.call("create key"); err != nil {
				return resource.Live{}, err
			}
			return issue(c, str(c.Planned, "name"))
		},
		Update: func(_ context.Context, _ *resource.Conn, c *resource.Change) (resource.Live, error) {
			v.mu.Lock()
			defer v.mu.Unlock()
			if err := v.call("update key"); err != nil {
				return resource.Live{}, err
			}
			return issue(c, string(c.ID))
		},
		Delete: func(_ context.Context, _ *resource.Conn, c *resource.Change) error {
			v.mu.Lock()
			defer v.mu.Unlock()
			delete(v.keys, string(c.ID))
			return v.call("delete key")
		},
		Retire: func(_ context.Context, _ *resource.Conn, c *resource.Change) error {
			v.mu.Lock()
			defer v.mu.Unlock()
			name := string(c.ID)
			v.keys[name] = slices.DeleteFunc(v.keys[name], func(id string) bool { return id != c.Keep["value"] })
			return nil
		},
	}
}

// journal keeps what is durable: a crash leaves exactly this.
type journal struct {
	mu      sync.Mutex
	durable *state.State
	// failAfter makes the journal refuse everything after so many writes; negative never.
	failAfter int
	ops       map[string]bool
}

func newJournal() *journal {
	return &journal{durable: state.New("lineage", "live", state.TenantMeta{Key: "t"}, make([]byte, state.VersionKeySize)), failAfter: -1, ops: map[string]bool{}}
}

func (j *journal) write(entries ...state.Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failAfter == 0 {
		return errors.New("the bucket is gone")
	}
	j.failAfter--
	for _, e := range entries {
		if err := j.durable.Apply(e); err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) Intend(_ context.Context, intents []state.Intent) error {
	var entries []state.Entry
	for i := range intents {
		entries = append(entries, state.Entry{Intent: &intents[i]})
	}
	return j.write(entries...)
}

func (j *journal) Record(_ context.Context, outcomes []state.Outcome) error {
	var entries []state.Entry
	for i := range outcomes {
		entries = append(entries, state.Entry{Outcome: &outcomes[i]})
	}
	return j.write(entries...)
}

func (j *journal) Note(_ context.Context, n state.Note) error { return j.write(state.Entry{Note: &n}) }

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// bench is one configuration over one vendor and one durable state.
type bench struct {
	t        *testing.T
	vendor   *vendor
	journal  *journal
	frame    *config.Frame
	registry *resource.Registry
	// head is the tenant's block.
	head string
	n    atomic.Int64
}

func (b *bench) configure(source string) {
	b.t.Helper()
	if diags := b.tryConfigure(source); diags.HasErrors() {
		b.t.Fatal(diags)
	}
}

func (b *bench) tryConfigure(source string) hcl.Diagnostics {
	b.t.Helper()
	graph, diags := config.Load(fstest.MapFS{"main.weir.hcl": &fstest.MapFile{Data: []byte(b.head + source)}}, ".", b.registry)
	if diags.HasErrors() {
		return diags
	}
	frame, diags := graph.Frame(config.Inputs{Now: noon})
	if !diags.HasErrors() {
		b.frame = frame
	}
	return diags
}

func newBench(t *testing.T, source string) *bench {
	v := newVendor()
	b := &bench{
		t: t, vendor: v, journal: newJournal(), registry: v.registry(),
		head: "tenant \"t\" {\n  name = \"T\"\n  primary_domain = \"t.example\"\n}\n",
	}
	b.configure(source)
	return b
}

func (b *bench) request(prior *state.State) planner.Request {
	conn := &resource.Conn{Tenant: b.frame.Tenants[0].Identity}
	return planner.Request{
		Registry: b.registry, Settings: b.frame.Settings, Tenant: conn.Tenant, Address: b.frame.Tenants[0].Address.String(), Frame: b.frame, Selected: b.frame.Tenants[0],
		Prior: prior, Observed: live.Read(context.Background(), live.Readers{Conn: conn, Types: b.registry.Types()}, noon), AcceptRemovals: -1, Now: noon,
	}
}

func (b *bench) plan() *planner.Part {
	b.t.Helper()
	part, diags := planner.Build(context.Background(), b.request(b.journal.durable.Clone()))
	if diags.HasErrors() {
		b.t.Fatal(diags)
	}
	return part
}

// apply plans again and applies what was reviewed, as the command does under its lease.
func (b *bench) apply(reviewed planner.Reviewed) (*apply.Report, error) {
	b.t.Helper()
	req := b.request(b.journal.durable.Clone())
	part, diags := planner.Build(context.Background(), req)
	if diags.HasErrors() {
		b.t.Fatal(diags)
	}
	return apply.Run(context.Background(), apply.Request{
		Part: part, Plan: req, Reviewed: reviewed, Conn: &resource.Conn{Tenant: req.Tenant}, Secrets: &secrets.Run{}, Journal: b.journal,
		State: b.journal.durable.Clone(), Provider: func(*resource.Type) string { return "provider.essentials.x" },
		Operation: func() string { return fmt.Sprint("op-", b.n.Add(1)) }, Now: func() time.Time { return noon },
	})
}

func (b *bench) mustApply() {
	b.t.Helper()
	report, err := b.apply(b.plan().Review())
	if err != nil || !report.Complete() {
		b.t.Fatalf("apply: %v %+v", err, report)
	}
}

func (b *bench) mustBeEmpty() {
	b.t.Helper()
	part := b.plan()
	if len(part.Changes) > 0 || len(part.Drifted) > 0 {
		for _, c := range part.Changes {
			b.t.Errorf("after apply the plan still has %s %s %v %v", c.Action, c.Address, c.Paths, c.Reasons)
		}
		b.t.Fatalf("drift: %v", part.Drifted)
	}
}

func actions(p *planner.Part) string {
	var out []string
	for _, c := range p.Changes {
		out = append(out, strings.TrimSpace(string(c.Action)+" "+c.Address))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

const two = `
box "a" {
  name    = "a"
  content = "1"
}
box "b" {
  name    = "b"
  content = box.a.serial
}
`

func TestApplyThenPlanAgain(t *testing.T) {
	b := newBench(t, two)
	if got := actions(b.plan()); got != "+ box.a, + box.b, <- tenant.t" {
		t.Fatalf("planned %s", got)
	}
	b.mustApply()
	if got := b.vendor.changes(); !slices.Equal(got, []string{"create a", "create b"}) {
		t.Errorf("calls %v", got)
	}
	if got := b.vendor.boxes["b"]["content"]; !got.RawEquals(cty.StringVal("s1")) {
		t.Errorf("b holds %#v, want the serial that a was given on creation", got)
	}
	b.mustBeEmpty()
	b.mustApply()
	if got := b.vendor.changes(); len(got) > 0 {
		t.Errorf("the second apply called %v", got)
	}
}

func TestCausesAreKeptApart(t *testing.T) {
	b := newBench(t, two)
	b.mustApply()
	b.vendor.boxes["a"]["content"] = cty.StringVal("by hand")
	b.vendor.boxes["b"]["note"] = cty.StringVal("nobody manages this")
	part := b.plan()
	if got := actions(part); got != "~ box.a" {
		t.Fatalf("planned %s", got)
	}
	if c := part.Changes[0]; c.Cause != planner.Drift || len(part.Drifted) != 1 || part.Drifted[0].Paths[0].Path != "content" {
		t.Errorf("cause %s, drifted %+v", c.Cause, part.Drifted)
	}
	b.mustApply()
	b.mustBeEmpty()

	b.configure(strings.Replace(two, `"1"`, `"2"`, 1))
	if c := b.plan().Changes[0]; c.Cause != planner.Configuration || len(b.plan().Drifted) != 0 {
		t.Errorf("a changed file is called %s", c.Cause)
	}
}

func TestObjectsWithoutBlock(t *testing.T) {
	for _, row := range []struct {
		name, before, after string
		byHand              bool // the object existed before Weir
		want                string
	}{
		{"created is deleted", `box "a" { name = "a" }`, "", false, "- box.a"},
		{"adopted is released", `box "a" { name = "a" }`, "", true, ". box.a"},
		{"adopted and told so is deleted", `box "a" { name = "a" }`, "removed {\n  from = box.a\n  destroy = true\n}", true, "- box.a"},
		{"created and told so is released", `box "a" { name = "a" }`, "removed {\n  from = box.a\n  destroy = false\n}", false, ". box.a"},
		{"protected is held", "box \"a\" {\n  name = \"a\"\n  note = \"precious\"\n}", "", false, "- box.a held"},
		{"protected and told so is deleted", "box \"a\" {\n  name = \"a\"\n  note = \"precious\"\n}", "removed {\n  from = box.a\n  destroy = true\n}", false, "- box.a"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBench(t, row.before)
			if row.byHand {
				b.vendor.boxes["a"] = map[string]cty.Value{"name": cty.StringVal("a")}
			}
			b.mustApply()
			b.configure(row.after)
			part := b.plan()
			got := actions(part)
			if len(part.Changes) == 1 && part.Changes[0].Held != "" {
				got += " held"
			}
			if got != row.want {
				t.Fatalf("planned %q, want %q", got, row.want)
			}
			_, err := b.apply(part.Review())
			if err != nil {
				t.Fatal(err)
			}
			if gone := b.vendor.boxes["a"] == nil; gone != (row.want == "- box.a") {
				t.Errorf("the box is gone: %v", gone)
			}
		})
	}
}

func TestUnreadableIsNotAbsent(t *testing.T) {
	for _, broken := range []bool{true, false} {
		t.Run(fmt.Sprint("broken ", broken), func(t *testing.T) {
			b := newBench(t, `box "a" { name = "a" }`)
			b.mustApply()
			b.vendor.changes()
			b.configure("")
			if broken {
				b.vendor.fail["list"] = resource.ErrUnavailable
			}
			part := b.plan()
			if _, err := b.apply(part.Review()); err != nil {
				t.Fatal(err)
			}
			if calls := b.vendor.changes(); broken == (len(calls) > 0) {
				t.Errorf("calls %v", calls)
			}
			if broken == part.Readable() {
				t.Errorf("readable: %v", part.Readable())
			}
		})
	}
}

func TestOnlyWhatWasReviewed(t *testing.T) {
	b := newBench(t, two)
	reviewed := b.plan().Review()
	b.configure(strings.Replace(two, `"1"`, `"2"`, 1))
	report, err := b.apply(reviewed)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.NotReviewed) != 1 || report.NotReviewed[0].Address != "box.a" {
		t.Errorf("not reviewed: %v", report.NotReviewed)
	}
	if b.vendor.boxes["a"] != nil {
		t.Error("what was not reviewed was applied")
	}
	if b.vendor.boxes["b"] != nil || len(report.Skipped) != 1 {
		t.Errorf("what depends on it was applied: %v", report.Skipped)
	}
}

func TestDestructiveItemWhoseFactsChangedHoldsTheTenant(t *testing.T) {
	for _, changed := range []bool{true, false} {
		t.Run(fmt.Sprint("changed ", changed), func(t *testing.T) {
			b := newBench(t, two+"box \"c\" {\n  name = \"c\"\n  content = \"old\"\n}\n")
			b.mustApply()
			// Reviewed: c goes and d comes.
			b.configure(two + "box \"d\" { name = \"d\" }\n")
			reviewed := b.plan().Review()
			if changed {
				b.vendor.boxes["c"]["content"] = cty.StringVal("somebody needs this")
			}
			report, err := b.apply(reviewed)
			if err != nil {
				t.Fatal(err)
			}
			listed := slices.ContainsFunc(report.Changed, func(i apply.Item) bool { return i.Address == "box.c" })
			if listed != changed {
				t.Errorf("listed as changed: %v (%+v)", listed, report)
			}
			if there := b.vendor.boxes["c"] != nil; there != changed {
				t.Errorf("c is there: %v", there)
			}
			if made := b.vendor.boxes["d"] != nil; made == changed {
				t.Errorf("d was made: %v; a changed destructive item holds the whole tenant", made)
			}
		})
	}
}

func TestGoesOnPastAFailure(t *testing.T) {
	b := newBench(t, two+"box \"z\" { name = \"z\" }\n")
	b.vendor.fail["create a"] = resource.ErrInvalid
	report, err := b.apply(b.plan().Review())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Failed) != 1 || report.Failed[0].Address != "box.a" || len(report.Skipped) != 1 || report.Skipped[0].Address != "box.b" {
		t.Errorf("failed %v, skipped %v", report.Failed, report.Skipped)
	}
	if b.vendor.boxes["z"] == nil {
		t.Error("z depends on nothing and was not made")
	}
	delete(b.vendor.fail, "create a")
	b.mustApply()
	b.mustBeEmpty()
}

func TestLostAnswerMakesNoSecondObject(t *testing.T) {
	b := newBench(t, two)
	b.vendor.fail["create a"] = fmt.Errorf("connection reset: %w", resource.ErrAmbiguous)
	if _, err := b.apply(b.plan().Review()); err != nil {
		t.Fatal(err)
	}
	delete(b.vendor.fail, "create a")
	b.vendor.changes()
	b.mustApply()
	if got := b.vendor.changes(); !slices.Equal(got, []string{"create b"}) {
		t.Errorf("calls %v", got)
	}
	if o := b.journal.durable.Objects["box.a"]; o == nil || o.Ownership != state.Created {
		t.Errorf("the object that was made in doubt is not remembered as ours: %+v", o)
	}
	if len(b.journal.durable.InDoubt) > 0 {
		t.Errorf("still in doubt: %v", b.journal.durable.InDoubt)
	}
	b.mustBeEmpty()
}

// TestCrashAtEveryJournalWrite stops the journal after each number of writes: whatever was durable, the next run
// converges without a second object.
func TestCrashAtEveryJournalWrite(t *testing.T) {
	const source = two + "key \"k\" { name = \"k\" }\nbox \"holder\" {\n  name = \"holder\"\n  secret = key.k.value\n}\n"
	for crash := range 14 {
		t.Run(fmt.Sprint("after write ", crash), func(t *testing.T) {
			b := newBench(t, source)
			b.journal.failAfter = crash
			_, _ = b.apply(b.plan().Review())
			b.journal.failAfter = -1
			b.mustApply()
			b.mustBeEmpty()
			creates := map[string]int{}
			for _, c := range b.vendor.changes() {
				if strings.HasPrefix(c, "create") {
					creates[c]++
				}
			}
			for call, n := range creates {
				if n > 1 {
					t.Errorf("%s %d times", call, n)
				}
			}
			if got := b.vendor.keys["k"]; len(got) != 1 || b.vendor.secrets["holder"] != "value of "+got[0] {
				t.Errorf("credentials %v, the holder has %q", got, b.vendor.secrets["holder"])
			}
			if len(b.journal.durable.InDoubt) > 0 {
				t.Errorf("still in doubt: %v", b.journal.durable.InDoubt)
			}
		})
	}
}

func TestSecretReachesItsConsumerOrIsIssuedAgain(t *testing.T) {
	const source = "key \"k\" { name = \"k\" }\nbox \"holder\" {\n  name = \"holder\"\n  secret = key.k.value\n}\n"
	b := newBench(t, source)
	b.vendor.fail["create holder"] = resource.ErrInvalid
	if _, err := b.apply(b.plan().Review()); err != nil {
		t.Fatal(err)
	}
	if o := b.journal.durable.Objects["key.k"]; o == nil || len(o.Undelivered) != 1 {
		t.Fatalf("the secret that nobody got counts as delivered: %+v", o)
	}
	delete(b.vendor.fail, "create holder")
	b.mustApply()
	if got := b.vendor.keys["k"]; len(got) != 1 || b.vendor.secrets["holder"] != "value of "+got[0] {
		t.Errorf("credentials %v, the holder has %q", got, b.vendor.secrets["holder"])
	}
	b.mustBeEmpty()
}

func TestReplaceReadsAgainAndAsksForNoMore(t *testing.T) {
	b := newBench(t, `box "a" { name = "a" }`)
	b.mustApply()
	b.vendor.changes()
	b.configure(`box "a" { name = "b" }`)
	if got := actions(b.plan()); got != "-/+ box.a" {
		t.Fatalf("planned %s", got)
	}
	b.mustApply()
	if got := b.vendor.changes(); !slices.Equal(got, []string{"delete a", "create b"}) {
		t.Errorf("calls %v", got)
	}
	b.mustBeEmpty()
}

func TestProtectionAloneIsRemembered(t *testing.T) {
	const free, protected = "box \"a\" {\n  name = \"a\"\n}", "box \"a\" {\n  name = \"a\"\n  lifecycle {\n    prevent_destroy = true\n  }\n}"
	for _, row := range []struct {
		name, before, after string
		held                bool
	}{{"set", free, protected, true}, {"lifted", protected, free, false}} {
		t.Run(row.name, func(t *testing.T) {
			b := newBench(t, row.before)
			b.mustApply()
			b.vendor.changes()
			b.configure(row.after)
			if got := actions(b.plan()); got != "~ box.a" {
				t.Fatalf("planned %s", got)
			}
			b.mustApply()
			if got := b.vendor.changes(); len(got) > 0 {
				t.Errorf("what only Weir remembers made the calls %v", got)
			}
			b.mustBeEmpty()
			b.configure("")
			if part := b.plan(); (part.Changes[0].Held != "") != row.held {
				t.Errorf("held: %q", part.Changes[0].Held)
			}
		})
	}
}

// TestInterruptLetsACallUnderWayEnd: an interrupt while a vendor call is under way does not cut the call off; its outcome
// is recorded, and nothing more is begun.
func TestInterruptLetsACallUnderWayEnd(t *testing.T) {
	for _, interrupted := range []bool{true, false} {
		t.Run(fmt.Sprint("interrupted ", interrupted), func(t *testing.T) {
			b := newBench(t, two)
			ctx, interrupt := context.WithCancel(context.Background())
			defer interrupt()
			box := b.registry.Type("box")
			create := box.Create
			box.Create = func(call context.Context, conn *resource.Conn, c *resource.Change) (resource.Live, error) {
				if interrupted {
					interrupt()
				}
				if err := call.Err(); err != nil {
					return resource.Live{}, err
				}
				return create(call, conn, c)
			}
			reviewed := b.plan().Review()
			req := b.request(b.journal.durable.Clone())
			part, _ := planner.Build(context.Background(), req)
			_, _ = apply.Run(ctx, apply.Request{
				Part: part, Plan: req, Reviewed: reviewed, Conn: &resource.Conn{Tenant: req.Tenant}, Secrets: &secrets.Run{}, Journal: b.journal,
				State: b.journal.durable.Clone(), Provider: func(*resource.Type) string { return "" },
				Operation: func() string { return fmt.Sprint("op-", b.n.Add(1)) }, Now: func() time.Time { return noon },
			})
			if b.journal.durable.Objects["box.a"] == nil || len(b.journal.durable.InDoubt) > 0 {
				t.Errorf("the call that was under way is not recorded: %v", b.journal.durable.InDoubt)
			}
			if made := b.vendor.boxes["b"] != nil; made == interrupted {
				t.Errorf("b was made: %v", made)
			}
		})
	}
}
