package providers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

// shelf is a cache.Shelf in memory. fail, when given, is asked before each call.
type shelf struct {
	mu      sync.Mutex
	objects map[string][]byte
	fail    func(op string) error
}

func (s *shelf) ask(op string) error {
	if s.fail == nil {
		return nil
	}
	return s.fail(op)
}

// List implements cache.Shelf.
func (s *shelf) List(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.objects)), s.ask("list")
}

// Get implements cache.Shelf.
func (s *shelf) Get(_ context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, ok := s.objects[name]
	if !ok {
		return nil, errors.New("none of that name")
	}
	return body, s.ask("get")
}

// Put implements cache.Shelf.
func (s *shelf) Put(_ context.Context, name string, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ask("put"); err != nil {
		return err
	}
	if _, ok := s.objects[name]; ok {
		return errors.New("there is one of that name")
	}
	s.objects[name] = slices.Clone(body)
	return nil
}

// Remove implements cache.Shelf.
func (s *shelf) Remove(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, name)
	return s.ask("remove")
}

type plain struct{ secret string }

// Resolve implements resource.Secrets.
func (p plain) Resolve(context.Context, *resource.SecretRef) (string, error) { return p.secret, nil }

// Issue implements resource.Secrets.
func (plain) Issue(string, string, string) {}

// kept is a simulated tenant with a shelf, and what each new run reads.
type kept struct {
	t     *testing.T
	w     *world.World
	s     *sim.Server
	shelf *shelf
	ahead time.Duration // of the run's clock
	run   int
}

const contoso = "3f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10"

func newKept(t *testing.T) *kept {
	k := &kept{t: t, w: world.Quickstart(), shelf: &shelf{objects: map[string][]byte{}}}
	s, err := sim.Start(sim.Options{World: k.w, Sleep: func(context.Context, time.Duration) {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	k.s = s
	return k
}

func (k *kept) tenant(change func(s *Settings)) *Tenant {
	k.t.Helper()
	c, u := k.w.Credentials(), k.s.URLs()
	pool, err := NewPool(PoolOptions{
		Endpoints: Endpoints{Login: u.Login, Graph: u.Graph, Exchange: u.Exchange, Essentials: u.Essentials, DNS: k.s.DNS(), CA: k.s.CA()},
		Secrets:   plain{c.ClientSecret}, Redactor: Secrets(), Now: func() time.Time { return k.w.Now().Add(k.ahead) },
		Sleep: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		k.t.Fatal(err)
	}
	k.run++
	set := Settings{
		Tenant:    resource.Identity{Key: "contoso", PrimaryDomain: "contoso.example", EntraTenantID: contoso, Stack: "us1"},
		Microsoft: &MicrosoftSettings{Address: "provider.microsoft", ClientID: c.ClientID, ClientSecret: &resource.SecretRef{URL: "env://X"}},
		Cache:     CacheSettings{Shelf: k.shelf, Realm: "a world", Nonce: func() string { return fmt.Sprintf("%016x", k.run) }},
	}
	if change != nil {
		change(&set)
	}
	tenant, err := pool.Connect(set)
	if err != nil {
		k.t.Fatal(err)
	}
	return tenant
}

// read is what a new run reads; full tells whether the users were.
func (k *kept) read(change func(s *Settings)) (r *directory.Reading, full bool) {
	k.t.Helper()
	r, err := k.tenant(change).Directory(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	return r, r.Proof.Parts[0].Base == nil
}

func (k *kept) kind(r *directory.Reading, address string) directory.Kind {
	for _, e := range r.Entries {
		if e.Address == address {
			return e.Kind
		}
	}
	return ""
}

func (k *kept) portal(edit string) {
	k.t.Helper()
	if err := k.w.Portal([]byte(edit)); err != nil {
		k.t.Fatal(err)
	}
}

// TestKeptDirectory: when a run goes on from what was kept, and when it does not.
func TestKeptDirectory(t *testing.T) {
	away := errors.New("the storage is away")
	for name, row := range map[string]struct {
		between func(k *kept)
		change  func(s *Settings)
		full    bool
		note    string
	}{
		"an hour later":           {between: func(k *kept) { k.ahead = time.Hour }},
		"a day later":             {between: func(k *kept) { k.ahead = 24 * time.Hour }, full: true},
		"the clock went back":     {between: func(k *kept) { k.ahead = -time.Second }, full: true},
		"asked to":                {change: func(s *Settings) { s.Cache.Full = true }, full: true},
		"every read":              {change: func(s *Settings) { s.Cache.Every = -1 }, full: true},
		"another world":           {change: func(s *Settings) { s.Cache.Realm = "another" }, full: true, note: "another directory"},
		"nothing to keep it on":   {change: func(s *Settings) { s.Cache.Shelf = nil }, full: true},
		"the storage is away":     {between: func(k *kept) { k.shelf.fail = func(string) error { return away } }, full: true, note: "away"},
		"it takes nothing more":   {between: func(k *kept) { k.shelf.fail = func(op string) error { return map[string]error{"put": away}[op] } }},
		"the manifest alone":      {between: func(k *kept) { k.shelf.keep(func(name string) bool { return strings.Count(name, "-") == 2 }) }, full: true, note: "none of that name"},
		"parts without manifest":  {between: func(k *kept) { k.shelf.keep(func(name string) bool { return strings.Count(name, "-") == 3 }) }, full: true},
		"a part of another one's": {between: func(k *kept) { k.shelf.mix() }, full: true, note: "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKept(t)
			first, full := k.read(nil)
			if !full || len(first.Notes) > 0 {
				t.Fatalf("the first read: %v %v", full, first.Notes)
			}
			if row.between != nil {
				row.between(k)
			}
			r, full := k.read(row.change)
			if full != row.full || !r.Proof.Complete || len(r.Entries) != len(first.Entries) || !strings.Contains(strings.Join(r.Notes, "\n"), row.note) || (row.note == "") != (len(r.Notes) == 0) {
				t.Errorf("full %v, %+v, %v", full, r.Proof, r.Notes)
			}
		})
	}
}

// keep leaves only the objects with such names.
func (s *shelf) keep(wanted func(string) bool) {
	maps.DeleteFunc(s.objects, func(name string, _ []byte) bool { return !wanted(name) })
}

// mix gives each part the bytes of another.
func (s *shelf) mix() {
	var parts []string
	for name := range s.objects {
		if strings.Count(name, "-") == 3 {
			parts = append(parts, name)
		}
	}
	slices.Sort(parts)
	first := s.objects[parts[0]]
	for i, name := range parts {
		if i+1 < len(parts) {
			s.objects[name] = s.objects[parts[i+1]]
		} else {
			s.objects[name] = first
		}
	}
}

// TestKeptKinds: while Exchange does not answer, kinds are not known, and what changed meanwhile is told when it does again.
func TestKeptKinds(t *testing.T) {
	k := newKept(t)
	before, _ := k.read(nil)
	if before.KindsErr != nil || k.kind(before, "ines@contoso.example") != directory.User {
		t.Fatalf("%v %s", before.KindsErr, k.kind(before, "ines@contoso.example"))
	}
	k.portal(`{"tenant": "contoso.example", "person": "ines@contoso.example", "set": {"mailbox_kind": "SharedMailbox", "enabled": false, "licensed": false}}`)
	if err := k.s.Fault(sim.Rule{Vendor: sim.Exchange, Action: sim.Action{Status: 500}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r, full := k.read(nil)
		if full || r.KindsErr == nil || k.kind(r, "ines@contoso.example") != directory.UnknownKind || !r.Proof.Complete {
			t.Fatalf("Exchange is away: full %v, %v, %s", full, r.KindsErr, k.kind(r, "ines@contoso.example"))
		}
	}
	k.s.ClearFaults()
	r, full := k.read(nil)
	if full || r.KindsErr != nil || k.kind(r, "ines@contoso.example") != directory.SharedMailbox {
		t.Errorf("Exchange is back: full %v, %v, %s", full, r.KindsErr, k.kind(r, "ines@contoso.example"))
	}
}

// TestKeptByTwo: of two runs at once either's directory is good to go on from.
func TestKeptByTwo(t *testing.T) {
	k := newKept(t)
	k.read(nil)
	var work sync.WaitGroup
	for i := range 4 {
		k.portal(fmt.Sprintf(`{"tenant": "contoso.example", "person": "new%d@contoso.example", "add": {"department": "Sales"}}`, i))
		tenant := k.tenant(nil)
		work.Go(func() {
			if r, err := tenant.Directory(t.Context()); err != nil || !r.Proof.Complete {
				t.Errorf("%v %+v", err, r)
			}
		})
	}
	work.Wait()
	r, full := k.read(nil)
	want, _ := k.read(func(s *Settings) { s.Cache.Full = true })
	if full || r.Proof.Hash != want.Proof.Hash {
		t.Errorf("full %v, %d entries instead of %d", full, len(r.Entries), len(want.Entries))
	}
}
