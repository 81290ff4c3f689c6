package store

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/state"
)

// filled returns a store with one tenant that has a checkpoint and a journal
// after it, and the same bytes once more to compare with.
func filled(t *testing.T) *mem {
	t.Helper()
	s := NewMem().(*mem)
	l := acquire(t, tenant(t, s, newFakeClock()), "run-1")
	record(t, l, 1, 3)
	if err := l.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	record(t, l, 3, 4)
	l.closeJournal()
	if err := l.swapHead(t.Context(), func(h *headV1) { h.Lease = nil }); err != nil {
		t.Fatal(err)
	}
	l.cancel(ErrReleased)
	l.wg.Wait()
	return s
}

// refused reports how reading and taking the tenant fail, and that neither
// writes anything.
func refused(t *testing.T, s *mem, what string) {
	t.Helper()
	f := &faulty{Store: s}
	b := NewBucket(f, Options{Clock: newFakeClock()})
	b.probed = true
	tn, err := b.Tenant("contoso")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tn.State(t.Context()); !unreadable(err) {
		t.Errorf("%s: read: %v, want a refusal", what, err)
	}
	o := options()
	o.Dead = func(Process) bool { return true }
	l, err := tn.Acquire(t.Context(), Holder{Run: "run-2"}, o)
	if !unreadable(err) {
		t.Errorf("%s: acquire: %v, want a refusal", what, err)
	}
	if err == nil {
		_ = l.Release(context.Background())
	}
	if n := f.writes(); n != 0 {
		t.Errorf("%s: %d writes over what could not be read", what, n)
	}
}

func unreadable(err error) bool {
	return errors.Is(err, state.ErrDamaged) || errors.Is(err, state.ErrFormat) ||
		errors.Is(err, ErrRolledBack) || errors.Is(err, ErrHeadless)
}

func TestDamageIsRefused(t *testing.T) {
	s := filled(t)
	for key, body := range s.objects {
		if old := strings.Contains(key, "snap/0000000001") || strings.HasSuffix(key, "log/0000000001") ||
			strings.HasSuffix(key, "log/0000000002") || strings.HasSuffix(key, "log/0000000003"); old {
			continue // superseded by the checkpoint, and not read any more
		}
		t.Run(key, func(t *testing.T) {
			for i := range body {
				bad := bytes.Clone(body)
				bad[i] ^= 1 << (i % 8)
				s.objects[key] = bad
				refused(t, s, "a flipped bit")
				if i%7 == 0 || strings.HasSuffix(key, "/head") {
					s.objects[key] = body[:i]
					refused(t, s, "cut off")
				}
				if t.Failed() {
					t.Fatalf("at byte %d of %d", i, len(body))
				}
			}
			s.objects[key] = append(bytes.Clone(body), 'x')
			refused(t, s, "more at the end")
			delete(s.objects, key)
			if !strings.Contains(key, "/log/") { // the last slot gone is a shorter journal
				refused(t, s, "gone")
			}
			s.objects[key] = body
		})
	}
	release(t, acquire(t, tenant(t, s, newFakeClock()), "the twin"))
}

func TestForeignObjectsAreRefused(t *testing.T) {
	s, other := filled(t), filled(t)
	for key := range s.objects {
		if strings.Contains(key, "snap/") {
			continue // random names: another lineage has none of them
		}
		t.Run(key, func(t *testing.T) {
			own := s.objects[key]
			s.objects[key] = other.objects[key]
			if !strings.HasSuffix(key, "log/0000000001") && !strings.HasSuffix(key, "log/0000000002") && !strings.HasSuffix(key, "log/0000000003") {
				refused(t, s, "from another lineage")
			}
			s.objects[key] = own
		})
	}
	t.Run("another tenant's", func(t *testing.T) {
		b := NewBucket(s, Options{Clock: newFakeClock()})
		for key, body := range s.objects {
			s.objects[strings.Replace(key, "contoso", "fabrikam", 1)] = body
		}
		tn, err := b.Tenant("fabrikam")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tn.State(t.Context()); !errors.Is(err, state.ErrDamaged) {
			t.Errorf("got %v, want ErrDamaged", err)
		}
	})
	t.Run("a slot in another's place", func(t *testing.T) {
		s := filled(t)
		s.objects["t/contoso/log/0000000005"] = s.objects["t/contoso/log/0000000004"]
		refused(t, s, "a slot twice")
	})
	t.Run("a slot missing", func(t *testing.T) {
		s := NewMem().(*mem)
		l := acquire(t, tenant(t, s, newFakeClock()), "run-1")
		record(t, l, 1, 5)
		l.cancel(ErrReleased)
		l.wg.Wait()
		delete(s.objects, "t/contoso/log/0000000003")
		refused(t, s, "a hole in the journal")
	})
}

func TestAnOlderHeadIsRefused(t *testing.T) {
	s := filled(t)
	old := bytes.Clone(s.objects["t/contoso/head"])
	for range 3 { // each run raises the epoch, so no number of tries may reach it
		l := acquire(t, tenant(t, s, newFakeClock()), "later")
		record(t, l, 10, 11)
		release(t, l)
	}
	newest := s.objects["t/contoso/head"]
	s.objects["t/contoso/head"] = old
	for range 5 {
		refused(t, s, "an older head")
	}
	s.objects["t/contoso/head"] = newest
	release(t, acquire(t, tenant(t, s, newFakeClock()), "the twin"))
}

func TestALostHeadIsNoNewTenant(t *testing.T) {
	s := filled(t)
	delete(s.objects, "t/contoso/head")
	refused(t, s, "no head")

	// The twin: what a run leaves that died before it made the head.
	for key := range s.objects {
		if !strings.Contains(key, "snap/0000000001") {
			delete(s.objects, key)
		}
	}
	if len(s.objects) == 0 {
		t.Fatal("nothing left of the first snapshot")
	}
	l := acquire(t, tenant(t, s, newFakeClock()), "run-2")
	if !l.Made() {
		t.Error("no head was made")
	}
	release(t, l)
}

func TestNewerFormatsAreRefused(t *testing.T) {
	s := filled(t)
	key := "t/contoso/head"
	own := s.objects[key]
	for what, body := range map[string][]byte{
		"a newer envelope": []byte("weir2 plain 00\n{}"),
		"another method":   []byte("weir1 aes256gcm k1 00\nxx"),
		"a newer head":     wrap(key, []byte(`{"format":2}`)),
		"a member unknown": wrap(key, []byte(`{"format":1,"news":true}`)),
		"too long":         wrap(key, []byte(`{"format":1}`+strings.Repeat(" ", maxHead))),
		"something else":   []byte(`<html>`),
		"nothing":          {},
	} {
		s.objects[key] = body
		refused(t, s, what)
	}
	s.objects[key] = own
	release(t, acquire(t, tenant(t, s, newFakeClock()), "the twin"))
}

func TestUnfitStorage(t *testing.T) {
	for _, row := range []struct {
		name  string
		spoil func(Store) Store
		fit   bool
	}{
		{"as it is", func(s Store) Store { return s }, true},
		{"creates over what is there", func(s Store) Store { return careless{s, true, false, false} }, false},
		{"ignores versions", func(s Store) Store { return careless{s, false, true, false} }, false},
		{"loses bytes", func(s Store) Store { return careless{s, false, false, true} }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := NewMem()
			l, err := tenant(t, row.spoil(s), newFakeClock()).Acquire(t.Context(), Holder{}, options())
			if row.fit {
				if err != nil {
					t.Fatal(err)
				}
				release(t, l)
				return
			}
			if !errors.Is(err, ErrUnfit) {
				t.Errorf("got %v, want ErrUnfit", err)
			}
			if got := listing(t, s); got != "" {
				t.Errorf("left behind:\n%s", got)
			}
		})
	}
}

// careless is a store that ignores conditions, as some do, or cuts off.
type careless struct {
	Store
	creates, swaps, cuts bool
}

func (c careless) Put(ctx context.Context, key string, body []byte, prev Version) (Version, error) {
	if c.cuts && len(body) > 1000 {
		body = body[:1000]
	}
	if prev == "" && c.creates || prev != "" && c.swaps {
		_, prev, _ = c.Get(ctx, key)
	}
	return c.Store.Put(ctx, key, body, prev)
}

func TestAReaderBesideAHolder(t *testing.T) {
	s := NewMem()
	c := newFakeClock()
	tn := tenant(t, s, c)
	l := acquire(t, tn, "run-1")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 300 {
			if i%50 == 49 {
				if err := l.Checkpoint(context.Background()); err != nil {
					t.Error(err)
				}
			}
			record(t, l, i, i+1)
		}
	}()
	last := 0
	for open := true; open; {
		select {
		case <-done:
			open = false
		default:
		}
		n := objects(t, tn)
		if n < last {
			t.Fatalf("%d objects after %d", n, last)
		}
		last = n
	}
	if last != 300 {
		t.Errorf("%d objects, want 300", last)
	}
	release(t, l)
}

func TestCheckpointReplaces(t *testing.T) {
	s := NewMem()
	tn := tenant(t, s, newFakeClock())
	l := acquire(t, tn, "run-1")
	record(t, l, 1, 3)
	st := l.State()
	delete(st.Objects, done(1).Address)
	if err := l.Replace(t.Context(), st, ""); err != nil {
		t.Fatal(err)
	}
	record(t, l, 5, 6)
	st.Lineage = "other"
	if err := l.Replace(t.Context(), st, ""); err == nil {
		t.Error("a state of another lineage took the place")
	}
	release(t, l)
	if n := objects(t, tn); n != 2 {
		t.Errorf("%d objects, want 2", n)
	}
}

func TestManyEntries(t *testing.T) {
	f := &faulty{Store: NewMem()}
	tn := tenant(t, f, newFakeClock())
	l := acquire(t, tn, "run-1")
	f.writes()
	var all []state.Outcome
	for i := range 1001 {
		all = append(all, done(i))
	}
	if err := l.Record(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if n := f.writes(); n != 6 {
		t.Errorf("1,001 entries took %d slots, want 6", n)
	}
	bad := done(5000)
	bad.Result = "perhaps"
	if err := l.Record(t.Context(), []state.Outcome{bad}); err == nil {
		t.Error("a malformed outcome was recorded")
	}
	if err := l.Record(t.Context(), nil); err != nil || f.writes() != 0 {
		t.Errorf("nothing to record: %v, or something was written", err)
	}
	record(t, l, 2000, 2001)
	release(t, l)
	if n := objects(t, tn); n != 1002 {
		t.Errorf("%d objects, want 1002", n)
	}
}

func TestTenantKeys(t *testing.T) {
	b := NewBucket(NewMem(), Options{})
	for key, good := range map[string]bool{
		"contoso": true, "0": true, "a-b": true, state.RootKey: true, strings.Repeat("a", 63): true,
		"": false, "-a": false, "A": false, "a_b": false, "_other": false, "a/b": false, "..": false, strings.Repeat("a", 64): false, "a\n": false,
	} {
		if _, err := b.Tenant(key); (err == nil) != good {
			t.Errorf("%q: %v", key, err)
		}
	}
}

func TestTTL(t *testing.T) {
	for _, ttl := range []time.Duration{-1, 1, 2 * time.Hour} {
		o := options()
		o.TTL = ttl
		if _, err := tenant(t, NewMem(), newFakeClock()).Acquire(t.Context(), Holder{}, o); err == nil {
			t.Errorf("a TTL of %s was accepted", ttl)
		}
	}
	if DefaultTTL <= fenceTime(DefaultTTL)+callTime(DefaultTTL) {
		t.Error("a call begun just before the fence may outlive the TTL")
	}
	if callTime(DefaultTTL) != 30*time.Second || heartbeatTime(DefaultTTL) != 25*time.Second {
		t.Error("the times do not follow from the TTL as documented")
	}
}

func FuzzHead(f *testing.F) {
	s := NewMem().(*mem)
	tn, err := NewBucket(s, Options{Clock: newFakeClock()}).Tenant("contoso")
	if err != nil {
		f.Fatal(err)
	}
	l, err := tn.Acquire(context.Background(), Holder{Run: "r", Process: ThisProcess()}, options())
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = l.Release(context.Background()) }()
	for key, body := range s.objects {
		payload, err := unwrap(key, body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	f.Fuzz(func(_ *testing.T, payload []byte) {
		if h, err := decodeHead("t/contoso/head", wrap("t/contoso/head", payload)); err == nil {
			_, _ = h.public(nil)
		}
		_, _ = decodeManifest(payload)
		_, _ = unwrap("t/contoso/head", payload)
		_, _ = (&Tenant{key: "contoso", prefix: "t/contoso/"}).openSlot("l", 1, wrap("t/contoso/log/0000000001", payload))
	})
}
