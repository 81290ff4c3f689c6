package resourcetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// trial is one object on one backend, with what state would remember of it.
type trial struct {
	t testing.TB
	h *Harness
	b *Backend
	// id and prior are what state holds: "" and null when the object is not in state.
	id      resource.ObjectID
	prior   cty.Value
	secrets resource.Secrets
}

func open(t testing.TB, h *Harness) *trial {
	t.Helper()
	b := h.Open(t)
	if b == nil || b.Conn == nil || b.Edit == nil || b.Fault == nil || b.Changed == nil {
		t.Fatal("the harness's backend lacks Conn, Edit, Fault or Changed")
	}
	return newTrial(t, h, b)
}

func newTrial(t testing.TB, h *Harness, b *Backend) *trial {
	s := &trial{t: t, h: h, b: b, prior: cty.NullVal(h.Type.Object()), secrets: b.Secrets}
	if s.secrets == nil {
		s.secrets = &fakeSecrets{}
	}
	return s
}

// plan is what the suite's planner found out about one block.
type plan struct {
	// found says that the object exists; live is what it is like.
	found   bool
	live    resource.Live
	planned cty.Value
	// paths differ; force asks for an update although none does.
	paths []string
	force bool
}

func (p *plan) empty() bool { return p.found && len(p.paths) == 0 && !p.force }

func (s *trial) ctx() context.Context { return context.Background() }

// list calls List and fails the test when it does not work.
func (s *trial) list() []resource.Live {
	s.t.Helper()
	all, err := s.h.Type.List(s.ctx(), s.b.Conn)
	if err != nil {
		s.t.Fatalf("list: %v", err)
	}
	return all
}

// find picks the block's object out of a listing: by id when state knows it, else by key or behaviour.
func (s *trial) find(all []resource.Live, planned cty.Value) (resource.Live, bool, error) {
	t := s.h.Type
	if t.Project != nil {
		for _, collection := range all {
			if part, ok := t.Project(collection, planned, s.prior); ok {
				return part, true, nil
			}
		}
		return resource.Live{}, false, nil
	}
	var candidates []resource.Live
	for _, l := range all {
		switch {
		case t.Singleton:
			candidates = append(candidates, l)
		case s.id != "":
			if l.ID == s.id {
				candidates = append(candidates, l)
			}
		case t.Match != nil:
			if t.Match(planned, l.Value) {
				candidates = append(candidates, l)
			}
		case t.Key != nil:
			if k := t.Key(planned); k != "" && k == t.Key(l.Value) {
				candidates = append(candidates, l)
			}
		}
	}
	switch len(candidates) {
	case 0:
		return resource.Live{}, false, nil
	case 1:
		return candidates[0], true, nil
	}
	return resource.Live{}, false, fmt.Errorf("%d objects answer to one block: %s and %s are two of them", len(candidates), candidates[0].ID, candidates[1].ID)
}

// plan reads and compares, as Weir's planner does.
func (s *trial) plan(config cty.Value) (*plan, error) {
	all, err := s.h.Type.List(s.ctx(), s.b.Conn)
	if err != nil {
		return nil, err
	}
	want := fill(s.h.Type.Attributes, config)
	p := &plan{}
	if s.h.Type.Project != nil {
		// As in Weir's planner: Customize sees the whole collection, and the block's part is cut out for what it planned.
		if p.found = len(all) > 0; p.found {
			p.live = all[0]
		}
	} else if p.live, p.found, err = s.find(all, want); err != nil {
		return nil, err
	}
	live := cty.NullVal(s.h.Type.Object())
	if p.found {
		live = p.live.Value
	}
	if p.planned, p.force, err = s.customize(config, want, live); err != nil {
		return nil, err
	}
	if s.h.Type.Project != nil {
		if p.live, p.found, err = s.find(all, p.planned); err != nil {
			return nil, err
		}
		live = cty.NullVal(s.h.Type.Object())
		if p.found {
			live = p.live.Value
		}
	}
	p.paths = resource.Differences(s.h.Type.Attributes, p.planned, live)
	if p.found && !s.prior.IsNull() {
		p.paths = append(p.paths, secretPaths(s.h.Type.Attributes, p.planned, s.prior)...)
	}
	return p, nil
}

func (s *trial) customize(config, planned, live cty.Value) (cty.Value, bool, error) {
	if s.h.Type.Customize == nil {
		return planned, false, nil
	}
	req := &resource.PlanRequest{Config: config, Prior: s.prior, Live: live, Planned: planned, Tenant: s.b.Conn.Tenant, Now: s.b.Conn.Now()}
	if s.h.Type.FromDirectory {
		req.Directory = s.b.Directory
	}
	if err := s.h.Type.Customize(req); err != nil {
		return cty.NilVal, false, err
	}
	return req.Planned, req.Force, nil
}

// mustPlan is plan for moments in which nothing is wrong.
func (s *trial) mustPlan(config cty.Value) *plan {
	s.t.Helper()
	p, err := s.plan(config)
	if err != nil {
		s.t.Fatalf("plan: %v", err)
	}
	return p
}

// carryOut makes the planned change and remembers the object as state would.
func (s *trial) carryOut(p *plan) (resource.Live, error) {
	change := &resource.Change{
		Address: s.h.Type.Name + ".test", Operation: "op-" + s.h.Type.Name, Prior: cty.NullVal(s.h.Type.Object()),
		Planned: known(p.planned), Paths: p.paths, Secrets: s.secrets, Now: s.b.Conn.Now(),
	}
	var live resource.Live
	var err error
	switch {
	case p.found:
		change.ID, change.Prior = p.live.ID, p.live.Value
		live, err = s.h.Type.Update(s.ctx(), s.b.Conn, change)
	case s.h.Type.Create == nil:
		err = errors.New("the object does not exist and the type has no create")
	default:
		change.Paths = append(change.Paths, secretPaths(s.h.Type.Attributes, p.planned, cty.NullVal(s.h.Type.Object()))...)
		live, err = s.h.Type.Create(s.ctx(), s.b.Conn, change)
	}
	if err != nil {
		return live, err
	}
	s.remember(change.Planned, live)
	return live, nil
}

func (s *trial) remember(planned cty.Value, live resource.Live) {
	s.id, s.prior = live.ID, remembered(s.h.Type.Attributes, planned, live.Value)
}

// apply plans and carries out until done, and fails the test on any error.
func (s *trial) apply(config cty.Value) resource.Live {
	s.t.Helper()
	p := s.mustPlan(config)
	if p.empty() {
		s.remember(known(p.planned), p.live)
		return p.live
	}
	live, err := s.carryOut(p)
	if err != nil {
		s.t.Fatalf("apply: %v", err)
	}
	return live
}

// wantEmpty fails the test unless planning again finds nothing to do.
func (s *trial) wantEmpty(config cty.Value, after string) {
	s.t.Helper()
	p := s.mustPlan(config)
	switch {
	case !p.found:
		s.t.Errorf("after %s the object is not found", after)
	case len(p.paths) > 0:
		for _, path := range p.paths {
			s.t.Errorf("after %s the plan is not empty: %s is %s, wanted %s", after, path, show(resource.Get(p.live.Value, path)), show(resource.Get(p.planned, path)))
		}
	case p.force:
		s.t.Errorf("after %s the plan is not empty: an update is forced", after)
	}
}

// delete deletes the object that state knows.
func (s *trial) delete() error {
	return s.h.Type.Delete(s.ctx(), s.b.Conn, &resource.Change{
		Address: s.h.Type.Name + ".test", Operation: "op-delete", ID: s.id, Prior: s.prior, Planned: cty.NullVal(s.h.Type.Object()),
		Secrets: s.secrets, Now: s.b.Conn.Now(),
	})
}

// exists says whether List still shows the block's object.
func (s *trial) exists(config cty.Value) bool {
	s.t.Helper()
	p := s.mustPlan(config)
	return p.found
}

// fill is what the block manages: arguments as written, defaults where one with a default is left out, null elsewhere.
func fill(table []resource.Attribute, config cty.Value) cty.Value {
	out := map[string]cty.Value{}
	for i := range table {
		a := &table[i]
		c := resource.Get(config, a.Name)
		switch {
		case c.IsNull() && a.Default != cty.NilVal && a.Argument():
			c = a.Default
		case c.IsNull():
			c = cty.NullVal(a.ValueType())
		case len(a.Nested) > 0 && c.IsKnown():
			c = fill(a.Nested, c)
		}
		out[a.Name] = c
	}
	return cty.ObjectVal(out)
}

// known replaces what nobody can know before the call by null.
func known(v cty.Value) cty.Value {
	out, err := cty.Transform(v, func(_ cty.Path, v cty.Value) (cty.Value, error) {
		if !v.IsKnown() {
			return cty.NullVal(v.Type()), nil
		}
		return v, nil
	})
	if err != nil {
		panic(err) // the function above returns none
	}
	return out
}

// remembered is the value that state keeps: what the vendor shows, and of what it does not show, what was planned.
func remembered(table []resource.Attribute, planned, live cty.Value) cty.Value {
	out := map[string]cty.Value{}
	for i := range table {
		a := &table[i]
		p, l := resource.Get(planned, a.Name), resource.Get(live, a.Name)
		v := l
		switch {
		case !a.Observable():
			if !p.IsNull() {
				v = p
			}
		case len(a.Nested) > 0 && !p.IsNull():
			if l.IsNull() {
				l = cty.NullVal(a.ValueType())
			}
			v = remembered(a.Nested, p, l)
		}
		if v.IsNull() {
			v = cty.NullVal(a.ValueType())
		}
		out[a.Name] = v
	}
	return cty.ObjectVal(out)
}

// secretPaths are the write-only attributes whose reference differs from the remembered one.
func secretPaths(table []resource.Attribute, planned, prior cty.Value) []string {
	var paths []string
	resource.Walk(table, func(path string, a *resource.Attribute) {
		if !a.WriteOnly {
			return
		}
		p, q := resource.SecretOf(resource.Get(planned, path)), resource.SecretOf(resource.Get(prior, path))
		if p != nil && (q == nil || *p != *q) {
			paths = append(paths, path)
		}
	})
	return paths
}

func show(v cty.Value) string {
	if v.IsNull() {
		return "null"
	}
	return v.GoString()
}

// fakeSecrets gives every reference a value of its own and keeps what is issued.
type fakeSecrets struct {
	mu     sync.Mutex
	issued map[string]string
}

// Resolve returns the issued value, or one made of the reference.
func (f *fakeSecrets) Resolve(_ context.Context, ref *resource.SecretRef) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ref.Issuer != "" {
		v, ok := f.issued[ref.Issuer]
		if !ok {
			return "", fmt.Errorf("%s issued no secret in this run", ref.Issuer)
		}
		return v, nil
	}
	return "value of " + ref.URL, nil
}

// Issue keeps the value.
func (f *fakeSecrets) Issue(issuer, _, value string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.issued == nil {
		f.issued = map[string]string{}
	}
	f.issued[issuer] = value
}
