package store

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-project/weir/state"
)

// conditions remembers under which conditions heads were put, and does not store the first of them.
type conditions struct {
	Store
	mu    sync.Mutex
	prevs []Version
}

func (s *conditions) Put(ctx context.Context, key string, body []byte, prev Version) (Version, error) {
	if strings.HasSuffix(key, "/head") {
		s.mu.Lock()
		s.prevs = append(s.prevs, prev)
		n := len(s.prevs)
		s.mu.Unlock()
		if n == 1 {
			return "", away(op{key: key})
		}
	}
	return s.Store.Put(ctx, key, body, prev)
}

// TestATryIsRepeatedUnderItsCondition: another condition would make it another write, and the first may still arrive.
func TestATryIsRepeatedUnderItsCondition(t *testing.T) {
	m, c := NewMem(), newFakeClock()
	changed(t, tenant(t, m, c), "run-1", 0, 1)
	s := &conditions{Store: m}
	stop := c.run(time.Second)
	l := acquire(t, tenant(t, s, c), "run-2")
	stop()
	if len(s.prevs) != 2 || s.prevs[0] == "" || s.prevs[0] != s.prevs[1] {
		t.Errorf("the head was put under %q, want the same condition twice", s.prevs)
	}
	release(t, l)
}

// deafClock never wakes anybody, as if the others had not got the processor yet.
type deafClock struct{ *fakeClock }

func (c deafClock) Sleep(ctx context.Context, _ time.Duration) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestAnIntentThatTookTooLong: a machine that slept while an intent was being stored must not begin the call, even if

// nobody else has noticed yet.
func TestAnIntentThatTookTooLong(t *testing.T) {
	for _, slept := range []time.Duration{0, time.Hour} {
		c := deafClock{newFakeClock()}
		f := &faulty{Store: NewMem()}
		l := acquire(t, tenant(t, f, c), "run-1")
		f.spoil(nil, func(o op) error {
			if o.name == "Put" && strings.Contains(o.key, "/log/") {
				c.jump(slept, 0)
			}
			return nil
		})
		err := l.Intend(t.Context(), []state.Intent{intent(1)})
		if errors.Is(err, ErrLost) != (slept > 0) || (err == nil) != (slept == 0) {
			t.Errorf("slept %s: got %v", slept, err)
		}
		l.cancel(ErrReleased)
		l.wg.Wait()
	}
}

// interrupted does something with a lease whose next head is kept, while neither the answer nor a second look arrives,

// and the run is interrupted at that.
func interrupted(t *testing.T, f *faulty, do func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	gone := false
	f.spoil(func(o op) error {
		if gone && strings.HasSuffix(o.key, "/head") {
			return away(o)
		}
		return nil
	}, func(o op) error {
		if o.name == "Put" && strings.HasSuffix(o.key, "/head") {
			gone = true
			cancel()
			return lost(o)
		}
		return nil
	})
	if err := do(ctx); err == nil {
		t.Fatal("it was told that all went well")
	}
	if !gone {
		t.Fatal("no head was put")
	}
	f.spoil(nil, nil)
}

// TestAVersionKeptWithoutAnAnswer stays when the lease is given back.
func TestAVersionKeptWithoutAnAnswer(t *testing.T) {
	f, c := &faulty{Store: NewMem()}, newFakeClock()
	tn := tenant(t, f, c)
	changed(t, tn, "run-1", 0, 3)
	l := acquire(t, tn, "push")
	next := l.State()
	delete(next.Objects, done(0).Object.Address)
	interrupted(t, f, func(ctx context.Context) error { return l.Replace(ctx, next, "one less") })
	if err := l.Record(t.Context(), []state.Outcome{done(7)}); err == nil {
		t.Error("something was recorded about a state that may not be the present one")
	}
	if n := objects(t, tn); n != 2 {
		t.Fatalf("%d objects, want the 2 of the head that was kept", n)
	}
	stop := c.run(time.Second)
	release(t, l)
	stop()
	if n := objects(t, tn); n != 2 {
		t.Errorf("%d objects after the release, want 2", n)
	}
	if h := history(t, tn); len(h) != 2 || h[0].Serial != 3 || h[0].Note != "one less" {
		t.Errorf("history: %d versions", len(h))
	}
	if a := audited(t, tn); len(a.Loose) > 0 {
		t.Errorf("loose: %q", a.Loose)
	}
}

// TestEncryptionKeptWithoutAnAnswer: what the head calls encrypted is encrypted.
func TestEncryptionKeptWithoutAnAnswer(t *testing.T) {
	m, c := NewMem().(*mem), newFakeClock()
	changed(t, locked(t, m, c, "contoso", Options{}), "run-1", 0, 3)
	f := &faulty{Store: m}
	r := ring(t, keeperA)
	l := acquire(t, locked(t, f, c, "contoso", Options{Keys: r, FromPlaintext: true}), "rekey")
	interrupted(t, f, func(ctx context.Context) error { return l.Rekey(ctx, false) })
	stop := c.run(time.Second)
	release(t, l)
	stop()
	tn := locked(t, m, c, "contoso", Options{Keys: r})
	h, _, err := tn.head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.HasPrefix(m.objects[tn.prefix+h.Checkpoint.Manifest], []byte("weir1 plain")) || h.Base < h.PlainBefore {
		t.Errorf("the head is signed, its snapshot is in plaintext: base %d, plaintext before %d", h.Base, h.PlainBefore)
	}
	changed(t, tn, "run-2", 3, 4)
	if n := objects(t, tn); n != 4 {
		t.Errorf("%d objects, want 4", n)
	}
	audited(t, tn)
}

// TestAPurgeKeptWithoutAnAnswer: the numbers go on from where they were.
func TestAPurgeKeptWithoutAnAnswer(t *testing.T) {
	f, c := &faulty{Store: NewMem()}, newFakeClock()
	tn := tenant(t, f, c)
	changed(t, tn, "run-1", 0, 3)
	l := acquire(t, tn, "purge")
	next := l.tail.next
	interrupted(t, f, func(ctx context.Context) error {
		_, err := l.Purge(ctx, true)
		return err
	})
	stop := c.run(time.Second)
	release(t, l)
	stop()
	h, _, err := tn.head(t.Context())
	if err != nil || !h.Purged || h.Base < next {
		t.Errorf("%v, purged %v, base %d, want at least %d", err, h.Purged, h.Base, next)
	}
	changed(t, tn, "run-2", 0, 1)
	if n := objects(t, tn); n != 1 {
		t.Errorf("%d objects, want 1", n)
	}
}

// TestSweepLeavesNothingOfAFirstRun, though that run made a checkpoint while its version was still the first.
func TestSweepLeavesNothingOfAFirstRun(t *testing.T) {
	m, c := NewMem().(*mem), newFakeClock()
	f := &faulty{Store: m}
	tn := tenant(t, f, c)
	l := acquire(t, tn, "run-1")
	first := l.point.Manifest
	record(t, l, 0, 3)
	if err := l.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.spoil(func(o op) error {
		if o.name == "Remove" {
			return away(o)
		}
		return nil
	}, nil)
	if _, err := l.Purge(t.Context(), true); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("got %v, want ErrUnavailable", err)
	}
	f.spoil(nil, nil)
	if _, purged, err := tn.Sweep(t.Context()); err != nil || !purged {
		t.Fatalf("sweep: %v, purged %v", err, purged)
	}
	folder, _, _ := strings.Cut(strings.TrimPrefix(first, "snap/"), "/")
	for key := range m.objects {
		if key != tn.headKey() && !strings.Contains(key, folder) { // the empty snapshot of the beginning may stay
			t.Errorf("%s is left", key)
		}
	}
}
