package resourcetest

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

var cases = []testCase{
	{"table", checkTable},
	{"create and read back", checkCreate},
	{"plan after apply is empty", checkPlanAfterApply},
	{"each attribute is updated", checkUpdate},
	{"what is not managed is left alone", checkUnmanaged},
	{"drift is seen and repaired", checkDrift},
	{"empty is what the vendor keeps", checkEmpty},
	{"an existing object is adopted", checkAdopt},
	{"release calls nothing", checkRelease},
	{"siblings are left alone", checkSiblings},
	{"delete", checkDelete},
	{"already deleted", checkAlreadyDeleted},
	{"throttled and refused", checkRefused},
	{"lost answer to a create", checkLostCreate},
	{"lost answer to an update", checkLostUpdate},
	{"lost answer to a delete", checkLostDelete},
	{"a failed read is unknown", checkFailedRead},
}

// skipped tells whether the harness leaves the path out of a case.
func (h *Harness) skipped(path, inCase string) bool {
	for p := path; p != ""; {
		if h.Skip[p] != "" || h.Skip[p+":"+inCase] != "" {
			return true
		}
		i := strings.LastIndexByte(p, '.')
		if i < 0 {
			break
		}
		p = p[:i]
	}
	return false
}

// changed is the configuration with a change made.
func (h *Harness) changed(config cty.Value, c Change) cty.Value {
	config = resource.With(config, c.Path, c.Value)
	paths := make([]string, 0, len(c.Also))
	for p := range c.Also {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	for _, p := range paths {
		config = resource.With(config, p, c.Also[p])
	}
	return config
}

func contains(paths []string, path string) bool {
	for _, p := range paths {
		if p == path || strings.HasPrefix(p, path+".") || strings.HasPrefix(path, p+".") {
			return true
		}
	}
	return false
}

// checkTable is about the type as such: it registers, its values fit, and the harness leaves no attribute out.
func checkTable(t testing.TB, h *Harness) {
	func() {
		defer func() {
			if p := recover(); p != nil {
				t.Fatalf("the type does not register: %v", p)
			}
		}()
		resource.NewRegistry([]*resource.Type{h.Type}, nil)
	}()
	if h.Config == cty.NilVal || !h.Config.Type().Equals(h.Type.Object()) {
		t.Fatal("Config does not conform to the type's table")
	}
	if h.Second != cty.NilVal && !h.Second.Type().Equals(h.Type.Object()) {
		t.Fatal("Second does not conform to the type's table")
	}
	if h.Type.Key == nil && h.Type.Match == nil && !h.Type.Singleton && h.Type.Project == nil {
		t.Error("the type has no Key, Match or Project: its objects are never found again after a lost answer")
	}
	byPath := map[string]Change{}
	for _, c := range h.Changes {
		byPath[c.Path] = c
	}
	resource.Walk(h.Type.Attributes, func(path string, a *resource.Attribute) {
		if !strings.HasSuffix(strings.TrimSpace(a.Description), ".") {
			t.Errorf("%s: the description is no sentence", path)
		}
		if d := a.Default; d != cty.NilVal {
			if !d.Type().Equals(a.Type) {
				t.Errorf("%s: the default has type %s", path, d.Type().FriendlyName())
			}
			if len(a.Enum) > 0 && d.Type() == cty.String && !inEnum(a.Enum, d.AsString()) {
				t.Errorf("%s: the default %q is not among the allowed values", path, d.AsString())
			}
		}
		for _, v := range []cty.Value{resource.Get(h.Config, path), byPath[path].Value} {
			if v == cty.NilVal || v.IsNull() || !v.IsWhollyKnown() || a.Normalize == nil {
				continue
			}
			once := a.Normalize.Apply(v)
			if !a.Normalize.Apply(once).RawEquals(once) {
				t.Errorf("%s: normaliser %q is not idempotent", path, a.Normalize.Name)
			}
		}
		if hidden(h.Type.Attributes, path) || !a.Argument() || a.Immutable || a.Fixed || h.skipped(path, "update") {
			return
		}
		c, ok := byPath[path]
		switch {
		case !ok:
			t.Errorf("%s: the harness has no Changes entry and no Skip reason", path)
		case !c.Value.Type().Equals(a.Type):
			t.Errorf("%s: the changed value has type %s, want %s", path, c.Value.Type().FriendlyName(), a.Type.FriendlyName())
		case a.Normalize.Apply(c.Value).RawEquals(a.Normalize.Apply(known(resource.Get(h.Config, path)))):
			t.Errorf("%s: the changed value is the same as the first", path)
		}
	})
}

// hidden reports whether the row at path, or one above it, is local or write-only.
func hidden(table []resource.Attribute, path string) bool {
	name, rest, _ := strings.Cut(path, ".")
	a := resource.Find(table, name)
	return a == nil || !a.Observable() || rest != "" && hidden(a.Nested, rest)
}

func inEnum(enum []string, s string) bool {
	for _, e := range enum {
		if e == s {
			return true
		}
	}
	return false
}

// checkCreate: what was made is what was planned, in the answer, in a read and in a list.
func checkCreate(t testing.TB, h *Harness) {
	s := open(t, h)
	before := len(s.list())
	p := s.mustPlan(h.Config)
	if p.found && !h.Type.Singleton {
		t.Fatalf("the object exists on a fresh backend")
	}
	if len(s.list()) != h.Foreign {
		t.Errorf("a fresh backend lists %d objects, the harness says %d", len(s.list()), h.Foreign)
	}
	live, err := s.carryOut(p)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	if live.ID == "" || live.Name == "" {
		t.Errorf("create returned id %q and name %q", live.ID, live.Name)
	}
	s.wantLike(p.planned, live.Value, "the answer to create")
	s.wantUnreadable(live.Value)
	if h.Type.Project == nil {
		read, err := h.Type.Read(s.ctx(), s.b.Conn, live.ID)
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		if read.ID != live.ID {
			t.Errorf("asked for object %q, read %q", live.ID, read.ID)
		}
		s.wantLike(p.planned, read.Value, "read")
	}
	listed, found, err := s.find(s.list(), known(p.planned))
	if err != nil || !found {
		t.Fatalf("list does not show the object (%v)", err)
	}
	s.wantLike(p.planned, listed.Value, "list")
	want := before + 1
	if h.Type.Singleton || h.Type.Project != nil {
		want = before
	}
	if got := len(s.list()); got != want && h.Type.Project == nil {
		t.Errorf("list shows %d objects after one create, before it %d", got, before)
	}
	if s.b.Changed() == 0 {
		t.Error("Changed counts no changing call after a create")
	}
}

// wantLike fails the test where a managed attribute is not as planned.
func (s *trial) wantLike(planned, live cty.Value, where string) {
	s.t.Helper()
	if live == cty.NilVal || !live.Type().Equals(s.h.Type.Object()) {
		s.t.Errorf("%s: the value does not conform to the type's table", where)
		return
	}
	for _, path := range resource.Differences(s.h.Type.Attributes, known(planned), live) {
		s.t.Errorf("%s: %s is %s, wanted %s", where, path, show(resource.Get(live, path)), show(resource.Get(planned, path)))
	}
}

// wantUnreadable fails the test where a live value shows what cannot be read.
func (s *trial) wantUnreadable(live cty.Value) {
	s.t.Helper()
	resource.Walk(s.h.Type.Attributes, func(path string, a *resource.Attribute) {
		if (a.WriteOnly || a.Local && !a.Computed) && !resource.Get(live, path).IsNull() {
			s.t.Errorf("%s cannot be read, but the live value has it", path)
		}
	})
}

func checkPlanAfterApply(t testing.TB, h *Harness) {
	s := open(t, h)
	s.apply(h.Config)
	calls := s.b.Changed()
	s.wantEmpty(h.Config, "apply")
	s.wantEmpty(h.Config, "a second look")
	if got := s.b.Changed(); got != calls {
		t.Errorf("planning made %d changing calls", got-calls)
	}
}

// checkUpdate: each attribute reaches the vendor, and none of the others changes with it.
func checkUpdate(t testing.TB, h *Harness) {
	s := open(t, h)
	s.apply(h.Config)
	for _, c := range h.Changes {
		if h.skipped(c.Path, "update") || immutable(h.Type.Attributes, c.Path) {
			continue
		}
		before := s.mustPlan(h.Config).live
		config := h.changed(h.Config, c)
		p := s.mustPlan(config)
		if !contains(p.paths, c.shows()) {
			t.Errorf("%s: the change is not planned; the plan has %q", c.Path, p.paths)
			continue
		}
		live, err := s.carryOut(p)
		if err != nil {
			t.Errorf("%s: update: %v", c.Path, err)
			continue
		}
		s.wantLike(p.planned, live.Value, "the answer to the update of "+c.Path)
		s.wantEmpty(config, "the update of "+c.Path)
		after := s.mustPlan(config).live
		for _, path := range resource.Differences(h.Type.Attributes, before.Value, after.Value) {
			if a := at(h.Type.Attributes, path); contains(p.paths, path) || !a.Argument() && resource.Get(p.planned, path).IsNull() {
				continue // planned, or what the vendor computes of it
			}
			t.Errorf("%s: the update also changed %s from %s to %s", c.Path, path, show(resource.Get(before.Value, path)), show(resource.Get(after.Value, path)))
		}
		s.apply(h.Config)
		s.wantEmpty(h.Config, "the way back from "+c.Path)
	}
}

func at(table []resource.Attribute, path string) *resource.Attribute {
	name, rest, nested := strings.Cut(path, ".")
	a := resource.Find(table, name)
	if a == nil || !nested {
		return a
	}
	return at(a.Nested, rest)
}

func immutable(table []resource.Attribute, path string) bool {
	a := at(table, path)
	return a == nil || a.Immutable || a.Fixed
}

// checkUnmanaged: an attribute that the block leaves out keeps what somebody set in the portal, through updates of
// others.
func checkUnmanaged(t testing.TB, h *Harness) {
	for _, c := range h.Changes {
		a := at(h.Type.Attributes, c.Path)
		if a == nil || !a.Optional || a.Default != cty.NilVal || h.skipped(c.Path, "unmanaged") || h.skipped(c.Path, "drift") {
			continue
		}
		other, ok := otherChange(h, c)
		if !ok {
			continue
		}
		s := open(t, h)
		s.apply(h.Config)
		config := resource.With(h.Config, c.Path, cty.NullVal(a.Type))
		s.apply(config)
		if err := s.b.Edit(c.shows(), c.Value); err != nil {
			t.Errorf("%s: portal: %v", c.Path, err)
			continue
		}
		p := s.mustPlan(config)
		if contains(p.paths, c.shows()) {
			t.Errorf("%s is not managed, but its change in the portal is planned away", c.Path)
			continue
		}
		kept := resource.Get(p.live.Value, c.shows())
		s.apply(h.changed(config, other))
		after := resource.Get(s.mustPlan(h.changed(config, other)).live.Value, c.shows())
		if n := at(h.Type.Attributes, c.shows()).Normalize; !n.Apply(after).RawEquals(n.Apply(kept)) {
			t.Errorf("%s is not managed, but the update of %s changed it from %s to %s", c.Path, other.Path, show(kept), show(after))
		}
	}
}

// otherChange is a change that does not touch the path of c.
func otherChange(h *Harness, c Change) (Change, bool) {
	for _, o := range h.Changes {
		if o.Path == c.Path || len(o.Also) > 0 || h.skipped(o.Path, "update") || immutable(h.Type.Attributes, o.Path) {
			continue
		}
		if _, also := c.Also[o.Path]; also {
			continue
		}
		return o, true
	}
	return Change{}, false
}

func checkDrift(t testing.TB, h *Harness) {
	s := open(t, h)
	s.apply(h.Config)
	for _, c := range h.Changes {
		if h.skipped(c.Path, "drift") || immutable(h.Type.Attributes, c.Path) {
			continue
		}
		if resource.Get(h.Config, c.Path).IsNull() {
			t.Errorf("%s: Config does not manage it, so its drift cannot be seen", c.Path)
			continue
		}
		if err := s.b.Edit(c.shows(), c.Value); err != nil {
			t.Errorf("%s: portal: %v", c.Path, err)
			continue
		}
		p := s.mustPlan(h.Config)
		if !p.found {
			t.Errorf("%s: after a change in the portal the object is not found any more", c.Path)
			return
		}
		if !contains(p.paths, c.shows()) {
			t.Errorf("%s: drift is not seen; the plan has %q", c.Path, p.paths)
			continue
		}
		if _, err := s.carryOut(p); err != nil {
			t.Errorf("%s: repair: %v", c.Path, err)
			continue
		}
		s.wantEmpty(h.Config, "the repair of "+c.Path)
	}
}

// checkEmpty: an attribute written as empty is not planned for ever.
func checkEmpty(t testing.TB, h *Harness) {
	for _, c := range h.Changes {
		a := at(h.Type.Attributes, c.Path)
		if a == nil || a.Required || immutable(h.Type.Attributes, c.Path) || h.skipped(c.Path, "empty") {
			continue
		}
		var empty cty.Value
		switch {
		case a.Type.IsSetType():
			empty = cty.SetValEmpty(a.Type.ElementType())
		case a.Type.IsListType():
			empty = cty.ListValEmpty(a.Type.ElementType())
		case a.Type.IsMapType():
			empty = cty.MapValEmpty(a.Type.ElementType())
		case a.Type == cty.String && len(a.Enum) == 0 && a.Pattern == nil:
			empty = cty.StringVal("")
		default:
			continue
		}
		s := open(t, h)
		config := resource.With(h.Config, c.Path, empty)
		s.apply(config)
		s.wantEmpty(config, "apply with an empty "+c.Path)
		// Its twin: what is empty and was full before.
		s.apply(h.Config)
		s.apply(config)
		s.wantEmpty(config, "emptying "+c.Path)
	}
}

// checkAdopt: an object that exists and is not in state is found, once, and nothing is made.
func checkAdopt(t testing.TB, h *Harness) {
	s := open(t, h)
	made := s.apply(h.Config)
	calls := s.b.Changed()
	fresh := newTrial(t, h, s.b)
	p := fresh.mustPlan(h.Config)
	if !p.found {
		t.Fatal("an existing object is not found without state")
	}
	if p.live.ID != made.ID {
		t.Errorf("found %q, made was %q", p.live.ID, made.ID)
	}
	for _, path := range p.paths {
		t.Errorf("adopting a like object would change %s from %s to %s", path, show(resource.Get(p.live.Value, path)), show(resource.Get(p.planned, path)))
	}
	if got := s.b.Changed(); got != calls {
		t.Errorf("finding the object made %d changing calls", got-calls)
	}
}

func checkRelease(t testing.TB, h *Harness) {
	s := open(t, h)
	s.apply(h.Config)
	calls := s.b.Changed()
	// Releasing is forgetting: the twin of delete below, in which the object goes.
	if fresh := newTrial(t, h, s.b); !fresh.exists(h.Config) {
		t.Error("a released object is gone")
	}
	if got := s.b.Changed(); got != calls {
		t.Errorf("releasing made %d changing calls", got-calls)
	}
}

// checkSiblings: two objects of one type do not touch each other.
func checkSiblings(t testing.TB, h *Harness) {
	if h.Second == cty.NilVal {
		return
	}
	first := open(t, h)
	second := newTrial(t, h, first.b)
	one := first.apply(h.Config)
	two := second.apply(h.Second)
	if one.ID == two.ID && h.Type.Project == nil {
		t.Fatalf("two objects have the id %q", one.ID)
	}
	first.wantEmpty(h.Config, "creating another object")
	second.wantEmpty(h.Second, "creating it beside another")
	if h.Type.Project == nil {
		if got := len(first.list()); got != h.Foreign+2 {
			t.Errorf("list shows %d objects, there are %d", got, h.Foreign+2)
		}
		for _, want := range []resource.Live{one, two} {
			read, err := h.Type.Read(first.ctx(), first.b.Conn, want.ID)
			if err != nil {
				t.Fatalf("read %q: %v", want.ID, err)
			}
			if read.ID != want.ID || h.Type.Key != nil && h.Type.Key(read.Value) != h.Type.Key(want.Value) {
				t.Errorf("asked for object %q, read %q", want.ID, read.ID)
			}
		}
	}
	for _, c := range h.Changes {
		if h.skipped(c.Path, "update") || immutable(h.Type.Attributes, c.Path) || resource.Get(h.Config, c.Path).IsNull() {
			continue
		}
		first.apply(h.changed(h.Config, c))
		second.wantEmpty(h.Second, "updating another object")
		break
	}
	if h.Type.Delete == nil {
		return
	}
	if err := first.delete(); err != nil {
		t.Fatalf("delete: %v", err)
	}
	second.wantEmpty(h.Second, "deleting another object")
	if !second.exists(h.Second) {
		t.Error("deleting one object took the other one too")
	}
}

func checkDelete(t testing.TB, h *Harness) {
	if h.Type.Delete == nil {
		return
	}
	s := open(t, h)
	live := s.apply(h.Config)
	calls := s.b.Changed()
	if err := s.delete(); err != nil {
		t.Fatalf("delete: %v", err)
	}
	if s.b.Changed() == calls {
		t.Error("delete made no changing call")
	}
	s.wantGone(live.ID)
	if got := len(s.list()); got != h.Foreign && h.Type.Project == nil {
		t.Errorf("list shows %d objects after the delete, before the create %d", got, h.Foreign)
	}
}

// wantGone fails the test unless List and Read say that the object does not exist.
func (s *trial) wantGone(id resource.ObjectID) {
	s.t.Helper()
	if s.exists(s.h.Config) {
		s.t.Error("the deleted object is still listed")
	}
	if s.h.Type.Project != nil {
		return
	}
	if _, err := s.h.Type.Read(s.ctx(), s.b.Conn, id); !errors.Is(err, resource.ErrAbsent) {
		s.t.Errorf("reading the deleted object: %v, want an error with ErrAbsent", err)
	}
}

func checkAlreadyDeleted(t testing.TB, h *Harness) {
	if h.Type.Delete == nil {
		return
	}
	s := open(t, h)
	s.apply(h.Config)
	if err := s.delete(); err != nil {
		t.Fatalf("delete: %v", err)
	}
	if err := s.delete(); err != nil {
		t.Errorf("deleting it again: %v, want success", err)
	}
	if s.b.Remove == nil {
		return
	}
	s = open(t, h)
	live := s.apply(h.Config)
	if err := s.b.Remove(); err != nil {
		t.Fatalf("portal: %v", err)
	}
	s.wantGone(live.ID)
	if err := s.delete(); err != nil {
		t.Errorf("deleting what was removed in the portal: %v, want success", err)
	}
	// And made again, when the block still stands.
	s.id, s.prior = "", cty.NullVal(h.Type.Object())
	s.apply(h.Config)
	s.wantEmpty(h.Config, "making it again")
}

// checkRefused: a refusal has its kind, and no effect.
func checkRefused(t testing.TB, h *Harness) {
	for fault, kind := range map[Fault]error{Throttled: resource.ErrThrottled, Denied: resource.ErrDenied, ServerError: resource.ErrUnavailable, Unreachable: resource.ErrUnavailable} {
		s := open(t, h)
		p := s.mustPlan(h.Config)
		s.b.Fault(fault)
		_, err := s.carryOut(p)
		if !errors.Is(err, kind) {
			t.Errorf("%s: create: %v, want %v", fault, err, kind)
		}
		s.b.Fault(None)
		if s.b.Changed() != 0 {
			t.Errorf("%s: the create had an effect", fault)
		}
		s.apply(h.Config)
		s.wantEmpty(h.Config, "the refusal ended")
		calls := s.b.Changed()
		if c, ok := otherChange(h, Change{}); ok {
			p := s.mustPlan(h.changed(h.Config, c))
			s.b.Fault(fault)
			if _, err := s.carryOut(p); !errors.Is(err, kind) {
				t.Errorf("%s: update: %v, want %v", fault, err, kind)
			}
			s.b.Fault(None)
		}
		if h.Type.Delete != nil {
			s.b.Fault(fault)
			if err := s.delete(); !errors.Is(err, kind) {
				t.Errorf("%s: delete: %v, want %v", fault, err, kind)
			}
			s.b.Fault(None)
		}
		if s.b.Changed() != calls {
			t.Errorf("%s: an update or delete had an effect", fault)
		}
		s.wantEmpty(h.Config, "refused changes")
	}
}

// checkLostCreate: the answer to a create is lost; the next run finds the object and makes no second one.
func checkLostCreate(t testing.TB, h *Harness) {
	if h.Type.Create == nil {
		return
	}
	s := open(t, h)
	p := s.mustPlan(h.Config)
	s.b.Fault(LostAnswer)
	live, err := s.carryOut(p)
	s.b.Fault(None)
	if !errors.Is(err, resource.ErrAmbiguous) {
		t.Fatalf("create with a lost answer: %v (%q), want an error with ErrAmbiguous", err, live.ID)
	}
	if errors.Is(err, resource.ErrAbsent) {
		t.Errorf("create with a lost answer says that the object is absent: %v", err)
	}
	again := newTrial(t, h, s.b)
	again.secrets = s.secrets
	p = again.mustPlan(h.Config)
	if !p.found {
		t.Fatal("the object was made, but is not found again")
	}
	again.apply(h.Config)
	again.wantEmpty(h.Config, "going on after a lost answer")
	if got := len(again.list()); h.Type.Project == nil && !h.Type.Singleton && got != h.Foreign+1 {
		t.Errorf("there are %d objects after a create with a lost answer, want %d", got, h.Foreign+1)
	}
	// A create that is carried out again although the object exists must not make a second one either.
	p.found = false
	if _, err := again.carryOut(p); err == nil || errors.Is(err, resource.ErrConflict) {
		if got := len(again.list()); h.Type.Project == nil && !h.Type.Singleton && got != h.Foreign+1 {
			t.Errorf("carrying out the create again made %d objects, want %d", got, h.Foreign+1)
		}
	} else {
		t.Errorf("carrying out the create again: %v, want success or an error with ErrConflict", err)
	}
}

func checkLostUpdate(t testing.TB, h *Harness) {
	c, ok := otherChange(h, Change{})
	if !ok {
		return
	}
	s := open(t, h)
	s.apply(h.Config)
	config := h.changed(h.Config, c)
	p := s.mustPlan(config)
	s.b.Fault(LostAnswer)
	_, err := s.carryOut(p)
	s.b.Fault(None)
	switch {
	case err == nil:
		// Repeated until an answer told the outcome; it must be the one that was wanted.
		s.wantEmpty(config, "an update that says it was done")
	case !errors.Is(err, resource.ErrAmbiguous):
		t.Errorf("update with a lost answer: %v, want success or an error with ErrAmbiguous", err)
	}
	// An update sets values: carrying it out again must do no harm.
	if _, err := s.carryOut(p); err != nil {
		t.Errorf("the update again: %v", err)
	}
	s.wantEmpty(config, "an update with a lost answer")
}

func checkLostDelete(t testing.TB, h *Harness) {
	if h.Type.Delete == nil {
		return
	}
	s := open(t, h)
	live := s.apply(h.Config)
	s.b.Fault(LostAnswer)
	err := s.delete()
	s.b.Fault(None)
	// A transport that repeats deletes learns from the second answer that the object is gone; success is right then.
	if err != nil && !errors.Is(err, resource.ErrAmbiguous) {
		t.Errorf("delete with a lost answer: %v, want success or an error with ErrAmbiguous", err)
	}
	if err := s.delete(); err != nil {
		t.Errorf("the delete again: %v, want success", err)
	}
	s.wantGone(live.ID)
}

// checkFailedRead: a read that failed in whatever way says nothing about the object.
func checkFailedRead(t testing.TB, h *Harness) {
	s := open(t, h)
	live := s.apply(h.Config)
	for _, fault := range readFaults {
		s.b.Fault(fault)
		all, err := h.Type.List(s.ctx(), s.b.Conn)
		switch {
		case err == nil:
			t.Errorf("%s: list reported %d objects and no error", fault, len(all))
		case errors.Is(err, resource.ErrAbsent):
			t.Errorf("%s: list says that the object does not exist: %v", fault, err)
		}
		if h.Type.Project == nil {
			_, err = h.Type.Read(s.ctx(), s.b.Conn, live.ID)
			switch {
			case err == nil:
				t.Errorf("%s: read reported an object", fault)
			case errors.Is(err, resource.ErrAbsent):
				t.Errorf("%s: read says that the object does not exist: %v", fault, err)
			}
		}
		s.b.Fault(None)
	}
	// Its twin: the same backend without fault.
	s.wantEmpty(h.Config, "the faults ended")
	// Nor does a delete take a failed read for an object that is gone.
	if h.Type.Delete != nil {
		s.b.Fault(ServerError)
		if err := s.delete(); err == nil {
			t.Error(fmt.Sprint(ServerError, ": delete reported success"))
		}
		s.b.Fault(None)
		if !s.exists(h.Config) {
			t.Error("the object is gone after a delete that failed")
		}
	}
}
