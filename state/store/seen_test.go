package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// past is a bucket with two copies of a tenant: an older one, and the newest, which a machine has seen.
type past struct {
	older, newest map[string][]byte
	clock         *fakeClock
	o             Options
}

func newPast(t *testing.T, o Options) *past {
	p := &past{clock: newFakeClock(), o: o}
	m := NewMem().(*mem)
	tn := locked(t, m, p.clock, "contoso", o)
	changed(t, tn, "run-1", 0, 1)
	p.older = maps.Clone(m.objects)
	changed(t, tn, "run-2", 1, 2)
	p.newest = maps.Clone(m.objects)
	return p
}

func (p *past) at(t *testing.T, objects map[string][]byte, change func(*Options)) (*Tenant, *faulty) {
	o := p.o
	if change != nil {
		change(&o)
	}
	f := &faulty{Store: &mem{objects: maps.Clone(objects)}}
	return locked(t, f, p.clock, "contoso", o), f
}

// ways are the ways to come upon a state.
var ways = map[string]func(t *testing.T, tn *Tenant) error{
	"state": func(t *testing.T, tn *Tenant) error { _, err := tn.State(t.Context()); return err },
	"head":  func(t *testing.T, tn *Tenant) error { _, err := tn.Head(t.Context()); return err },
	"acquire": func(t *testing.T, tn *Tenant) error {
		l, err := tn.Acquire(t.Context(), Holder{Run: "run-3"}, options())
		if err == nil {
			err = l.Release(context.Background())
		}
		return err
	},
	"unlock": func(t *testing.T, tn *Tenant) error {
		if err := tn.Unlock(t.Context(), "run-1"); !errors.Is(err, ErrNotHeld) {
			return err
		}
		return nil
	},
}

// TestAnOlderCopyIsRefused: head and journal of an older moment fit each other, and nothing in the bucket tells.
func TestAnOlderCopyIsRefused(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		for way, come := range ways {
			t.Run(fmt.Sprintf("%s, encrypted %v", way, encrypted), func(t *testing.T) {
				o := Options{Seen: filepath.Join(t.TempDir(), "private", "seen")}
				if encrypted {
					o.Keys = ring(t, keeperA)
				}
				p := newPast(t, o)
				tn, f := p.at(t, p.older, nil)
				err := come(t, tn)
				var older *OlderError
				if !errors.As(err, &older) || !errors.Is(err, ErrRolledBack) {
					t.Fatalf("got %v, want an OlderError", err)
				}
				if older.Serial != 2 || older.SeenSerial != 3 || older.Runs != 1 || older.SeenRuns != 2 || !older.Seen.Equal(p.clock.Now()) {
					t.Errorf("%+v", older)
				}
				if !strings.Contains(err.Error(), "--accept-older-state contoso") {
					t.Errorf("%v", err)
				}
				if n := f.writes(); n != 0 {
					t.Errorf("%d writes", n)
				}
				// The newest one is as welcome as ever, and so is the old one where nothing was seen.
				tn, _ = p.at(t, p.newest, nil)
				if err := come(t, tn); err != nil {
					t.Errorf("the newest: %v", err)
				}
				for name, change := range map[string]func(*Options){
					"nothing is remembered":   func(o *Options) { o.Seen = "" },
					"what was seen is lost":   func(o *Options) { o.Seen = t.TempDir() },
					"the folder is of no use": func(o *Options) { o.Seen = "/dev/null/seen" },
				} {
					tn, _ := p.at(t, p.older, change)
					if err := come(t, tn); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
				// Accepted once, it is what was seen last.
				tn, _ = p.at(t, p.older, func(o *Options) { o.AcceptOlder = []string{"fabrikam"} })
				if err := come(t, tn); !errors.Is(err, ErrRolledBack) {
					t.Errorf("accepted for another: got %v, want ErrRolledBack", err)
				}
				tn, f = p.at(t, p.older, func(o *Options) { o.AcceptOlder = []string{"contoso"} })
				if err := come(t, tn); err != nil {
					t.Errorf("accepted: %v", err)
				}
				tn = locked(t, f, p.clock, "contoso", p.o)
				if err := come(t, tn); err != nil {
					t.Errorf("once more: %v", err)
				}
			})
		}
	}
}

// TestWhatIsRemembered: what a run stored and what it read, and nothing that comes of a run's being slow.
func TestWhatIsRemembered(t *testing.T) {
	fresh := func(t *testing.T) (*past, func(objects map[string][]byte) error) {
		p := newPast(t, Options{})
		p.o.Seen = t.TempDir()
		return p, func(objects map[string][]byte) error {
			tn, _ := p.at(t, objects, nil)
			_, err := tn.Head(t.Context())
			return err
		}
	}
	t.Run("what was read", func(t *testing.T) {
		p, look := fresh(t)
		if err := errors.Join(look(p.older), look(p.newest), look(p.newest)); err != nil {
			t.Fatal(err)
		}
		if err := look(p.older); !errors.Is(err, ErrRolledBack) {
			t.Errorf("got %v, want ErrRolledBack", err)
		}
	})
	t.Run("a run that died", func(t *testing.T) {
		p, look := fresh(t)
		tn, _ := p.at(t, p.newest, nil)
		acquire(t, tn, "run-3")
		if err := look(p.newest); !errors.Is(err, ErrRolledBack) {
			t.Errorf("got %v, want ErrRolledBack", err)
		}
	})
	t.Run("a spoiled file", func(t *testing.T) {
		p, look := fresh(t)
		if err := look(p.newest); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(p.o.Seen, "*.json"))
		if err != nil || len(files) != 1 {
			t.Fatalf("%q, %v", files, err)
		}
		if info, err := os.Stat(files[0]); err != nil || posixModes && info.Mode() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		if err := os.WriteFile(files[0], []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(look(p.older), look(p.newest)); err != nil {
			t.Error(err)
		}
		if err := look(p.older); !errors.Is(err, ErrRolledBack) {
			t.Errorf("written anew: got %v, want ErrRolledBack", err)
		}
	})
	t.Run("a slow reader", func(t *testing.T) {
		p, look := fresh(t)
		_, f := p.at(t, p.newest, nil)
		slow := &stale{Store: f, body: p.older["t/contoso/head"], then: func() {
			if err := look(p.newest); err != nil { // another process of the machine
				t.Error(err)
			}
		}}
		if _, err := locked(t, slow, p.clock, "contoso", p.o).State(t.Context()); err != nil {
			t.Errorf("got %v", err)
		}
		if slow.body != nil {
			t.Error("it was not slow")
		}
	})
	t.Run("a purge, and a new beginning", func(t *testing.T) {
		p, look := fresh(t)
		tn, f := p.at(t, p.newest, nil)
		l := acquire(t, tn, "run-3")
		if _, err := l.Purge(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if err := look(p.newest); !errors.Is(err, ErrRolledBack) || !strings.Contains(err.Error(), "already removed from state") {
			t.Errorf("what was purged: got %v, want ErrRolledBack", err)
		}
		if s, err := tn.State(t.Context()); err != nil || s.Stored() {
			t.Errorf("the purged tenant: %v", err)
		}
		changed(t, locked(t, f, p.clock, "contoso", p.o), "run-4", 0, 1)
		if err := look(p.newest); !errors.Is(err, ErrRolledBack) {
			t.Errorf("what was purged, later: got %v, want ErrRolledBack", err)
		}
	})
	t.Run("another state", func(t *testing.T) {
		p, look := fresh(t)
		if err := look(p.newest); err != nil {
			t.Fatal(err)
		}
		// A bucket of its own, or one that was emptied: version 1 of another lineage is older than nothing.
		release(t, acquire(t, locked(t, NewMem(), p.clock, "contoso", p.o), "run-1"))
	})
}

// stale answers the first look at the head with an older one, and lets something happen just after.
type stale struct {
	Store
	body []byte
	then func()
}

func (s *stale) Get(ctx context.Context, key string) ([]byte, Version, error) {
	if old := s.body; old != nil && strings.HasSuffix(key, "/head") {
		s.body = nil
		s.then()
		return old, digestVersion(old), nil
	}
	return s.Store.Get(ctx, key)
}

func FuzzSeen(f *testing.F) {
	f.Add([]byte(`{"format":1,"tenant":"contoso","lineage":"l","epoch":2,"serial":3,"seen":"2026-11-20T12:00:00Z"}`))
	f.Add([]byte(`{"format":2}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		dir := t.TempDir()
		same := seenV1{Format: 1, Tenant: "contoso", Lineage: "l", Epoch: 1, Serial: 1}
		if err := os.WriteFile(filepath.Join(dir, same.name()), body, 0o600); err != nil {
			t.Fatal(err)
		}
		m := &memory{folder: &file{dir: dir, clock: newFakeClock()}}
		last, _ := m.get(t.Context(), same)
		if last.Lineage != "" && last.Lineage != same.Lineage {
			t.Errorf("%+v", last)
		}
		m.keep(t.Context(), same, false)
		if now, _ := m.get(t.Context(), same); now.before(same) {
			t.Errorf("%+v was kept over it", now)
		}
	})
}
