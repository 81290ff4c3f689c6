package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/keys"
)

// long reports whether the long forms of tests are asked for: the same tests with longer parameters.
func long() bool { return os.Getenv("WEIR_LONG") != "" }

// made returns a bucket with the specimen.
func made(t *testing.T, o Options) *mem {
	t.Helper()
	s := NewMem().(*mem)
	specimen(t, s, "contoso", o)
	return s
}

// refused reports how reading and taking the tenant fail, and that neither
// writes anything.
func refused(t *testing.T, s *mem, o Options, what string) {
	t.Helper()
	f := &faulty{Store: s}
	tn := locked(t, f, newFakeClock(), "contoso", o)
	tn.b.probed = true
	if _, err := tn.State(t.Context()); !unreadable(err) {
		t.Errorf("%s: read: %v, want a refusal", what, err)
	}
	l, err := takeOver(tn)
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

// takeOver takes a tenant from a run that is dead.
func takeOver(tn *Tenant) (*Lease, error) {
	o := options()
	o.Dead = func(Process) bool { return true }
	return tn.Acquire(context.Background(), Holder{Run: "next", Who: "bob"}, o)
}

// twin shows that what was refused before its harm is read and taken without it.
func twin(t *testing.T, s *mem, o Options) {
	t.Helper()
	tn := locked(t, &mem{objects: maps.Clone(s.objects)}, newFakeClock(), "contoso", o)
	checkSpecimen(t, tn)
	l, err := takeOver(tn)
	if err != nil {
		t.Fatal(err)
	}
	checkSpecimenState(t, l.State())
	release(t, l)
}

func unreadable(err error) bool {
	return errors.Is(err, state.ErrDamaged) || errors.Is(err, state.ErrFormat) ||
		errors.Is(err, ErrRolledBack) || errors.Is(err, ErrHeadless) || errors.Is(err, keys.ErrWrongKey)
}

// live returns the keys of what the state is read from, sorted: head, manifest, parts and slots after the checkpoint.
func live(t *testing.T, s *mem, o Options) []string {
	t.Helper()
	tn := locked(t, s, newFakeClock(), "contoso", o)
	h, _, err := tn.head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m, err := tn.manifest(t.Context(), h.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	all := []string{tn.headKey(), tn.prefix + h.Checkpoint.Manifest}
	for _, p := range m.Parts {
		all = append(all, tn.prefix+p.Key)
	}
	for key := range s.objects {
		if strings.HasPrefix(key, tn.prefix+"log/") && key >= tn.slotKey(h.Base) {
			all = append(all, key)
		}
	}
	slices.Sort(all)
	return all
}

// slotOf returns the number in a slot's key, and nothing for other keys.
func slotOf(key string) string {
	_, slot, _ := strings.Cut(key, "/log/")
	return slot
}

// harmed calls test with the object's bytes in a state of harm, and puts them back.
func (m *mem) harmed(key string, body []byte, test func()) {
	own, there := m.objects[key]
	m.objects[key] = body
	test()
	if m.objects[key] = own; !there {
		delete(m.objects, key)
	}
}

// each runs a test on a specimen in plaintext and on an encrypted one.
func each(t *testing.T, test func(t *testing.T, s *mem, o Options)) {
	t.Helper()
	for name, o := range protections(t) {
		t.Run(name, func(t *testing.T) { test(t, made(t, o), o) })
	}
}

// TestDamagedHead tries every byte of the head, with WEIR_LONG every bit, and every truncation.
func TestDamagedHead(t *testing.T) {
	each(t, func(t *testing.T, s *mem, o Options) {
		const key = "t/contoso/head"
		body := s.objects[key]
		bits := 1
		if long() {
			bits = 8
		}
		for i := range body {
			for bit := range bits {
				bad := bytes.Clone(body)
				bad[i] ^= 1 << ((i + bit) % 8)
				s.harmed(key, bad, func() { refused(t, s, o, fmt.Sprintf("byte %d of %d flipped", i, len(body))) })
			}
			s.harmed(key, body[:i], func() { refused(t, s, o, fmt.Sprintf("cut off at byte %d of %d", i, len(body))) })
			if t.Failed() {
				return
			}
		}
		s.harmed(key, append(bytes.Clone(body), 'x'), func() { refused(t, s, o, "more at the end") })
		t.Logf("%d bytes", len(body))
		twin(t, s, o)
	})
}

// TestDamagedObjects flips 1,000 random bits of everything else that the state is read from, with WEIR_LONG 100,000.
func TestDamagedObjects(t *testing.T) {
	flips := 1000
	if long() {
		flips = 100_000
	}
	each(t, func(t *testing.T, s *mem, o Options) {
		random := rand.New(rand.NewPCG(1, 2))
		all := live(t, s, o)
		all = slices.DeleteFunc(all, func(key string) bool { return strings.HasSuffix(key, "/head") })
		for n := range flips {
			key := all[n%len(all)]
			bad := bytes.Clone(s.objects[key])
			i := random.IntN(8 * len(bad))
			bad[i/8] ^= 1 << (i % 8)
			s.harmed(key, bad, func() { refused(t, s, o, fmt.Sprintf("%s: bit %d flipped", key, i)) })
			if t.Failed() {
				return
			}
		}
		lastSlot := slices.MaxFunc(all, func(a, b string) int { return strings.Compare(slotOf(a), slotOf(b)) })
		for _, key := range all {
			body := s.objects[key]
			for i := range body {
				if i%7 == 0 || long() {
					s.harmed(key, body[:i], func() { refused(t, s, o, fmt.Sprintf("%s: cut off at byte %d", key, i)) })
				}
			}
			s.harmed(key, append(bytes.Clone(body), 'x'), func() { refused(t, s, o, key+": more at the end") })
			if key == lastSlot {
				continue // without its last slot the journal is a shorter one
			}
			delete(s.objects, key)
			refused(t, s, o, key+": gone")
			s.objects[key] = body
		}
		twin(t, s, o)
	})
}

// TestDamagedRecords: a changed record is found, and does not keep anybody from the state.
func TestDamagedRecords(t *testing.T) {
	flips := 300
	if long() {
		flips = 30_000
	}
	each(t, func(t *testing.T, s *mem, o Options) {
		var all []string
		for key := range s.objects {
			if strings.Contains(key, "/runs/") {
				all = append(all, key)
			}
		}
		slices.Sort(all)
		f := &faulty{Store: s}
		tn := locked(t, f, newFakeClock(), "contoso", o)
		random := rand.New(rand.NewPCG(3, 4))
		for n := range flips {
			key := all[n%len(all)]
			bad := bytes.Clone(s.objects[key])
			i := random.IntN(8 * len(bad))
			bad[i/8] ^= 1 << (i % 8)
			s.harmed(key, bad, func() {
				if a, err := tn.Audit(t.Context()); err != nil || len(a.Broken) == 0 {
					t.Errorf("%s: bit %d flipped: %v, and the audit found nothing", key, i, err)
				}
				var last error
				for _, err := range tn.History(t.Context()) {
					last = err
				}
				if !unreadable(last) {
					t.Errorf("%s: bit %d flipped: the history ends with %v, want a refusal", key, i, last)
				}
				for serial := range uint64(4) {
					if _, err := tn.At(t.Context(), serial+1); err != nil && !unreadable(err) && !errors.Is(err, ErrNoVersion) {
						t.Errorf("%s: bit %d flipped: version %d: %v", key, i, serial+1, err)
					}
				}
				if _, err := tn.State(t.Context()); err != nil {
					t.Errorf("%s: bit %d flipped: the state cannot be read: %v", key, i, err)
				}
			})
			if t.Failed() {
				return
			}
		}
		if n := f.writes(); n != 0 {
			t.Errorf("%d writes", n)
		}
		twin(t, s, o)
	})
}

// TestSwappedObjects puts whole, sound objects where they do not belong.
func TestSwappedObjects(t *testing.T) {
	each(t, func(t *testing.T, s *mem, o Options) {
		all := live(t, s, o)
		kind := func(key string) string {
			key = strings.TrimPrefix(strings.TrimPrefix(key, "t/contoso/"), "t/fabrikam/")
			if strings.HasPrefix(key, "snap/") {
				return path.Base(key) // the rest is random
			}
			return key
		}
		swapped := func(what string, other *mem) {
			t.Helper()
			n := 0
			for _, key := range all {
				for from, body := range other.objects {
					if kind(from) == kind(key) && !bytes.Equal(body, s.objects[key]) {
						s.harmed(key, body, func() { refused(t, s, o, key+": "+what) })
						n++
					}
				}
			}
			if n < len(all) {
				t.Errorf("%s: only %d of %d objects were swapped", what, n, len(all))
			}
		}
		swapped("of another lineage", made(t, o))
		neighbour := NewMem().(*mem)
		specimen(t, neighbour, "fabrikam", o)
		swapped("of another tenant", neighbour)

		moved := &mem{objects: make(map[string][]byte)}
		for key, body := range neighbour.objects {
			moved.objects[strings.Replace(key, "fabrikam", "contoso", 1)] = body
		}
		refused(t, moved, o, "all of another tenant's")

		var slots []string
		for _, key := range all {
			if strings.Contains(key, "/log/") {
				slots = append(slots, key)
			}
		}
		for _, key := range slots {
			for _, from := range slots {
				if from == key {
					continue
				}
				s.harmed(key, s.objects[from], func() { refused(t, s, o, fmt.Sprintf("%s in the place of %s", from, key)) })
			}
		}
		tn := locked(t, s, newFakeClock(), "contoso", o)
		h, _, err := tn.head(t.Context())
		if err != nil || len(slots) < 3 {
			t.Fatal(err, slots)
		}
		s.harmed(tn.slotKey(h.Base+uint64(len(slots))), s.objects[slots[0]], func() { refused(t, s, o, "a slot twice") })
		twin(t, s, o)
	})
}

// TestOlderHeads restores every head that the tenant ever had. One of an earlier run is refused, however often it is
// tried; an earlier one of the same run leads to the same state.
func TestOlderHeads(t *testing.T) {
	for name, o := range protections(t) {
		t.Run(name, func(t *testing.T) {
			kept := &heads{mem: NewMem().(*mem)}
			specimen(t, kept, "contoso", o)
			s, tn := kept.mem, locked(t, kept.mem, newFakeClock(), "contoso", o)
			now, _, err := tn.head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			older := 0
			for i, body := range kept.all[:len(kept.all)-1] {
				old, err := decodeHead(tn.headKey(), body)
				if err != nil {
					t.Fatal(err)
				}
				s.harmed(tn.headKey(), body, func() {
					if old.Epoch < now.Epoch {
						older++
						for range 3 {
							refused(t, s, o, fmt.Sprintf("head %d of %d", i, len(kept.all)))
						}
						return
					}
					st, err := tn.State(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					checkSpecimenState(t, st)
				})
			}
			if older < 6 || older == len(kept.all)-1 {
				t.Errorf("%d of %d heads are of earlier runs", older, len(kept.all))
			}
			twin(t, s, o)
		})
	}
}

// heads keeps every head that was stored.
type heads struct {
	*mem
	all [][]byte
}

func (h *heads) Put(ctx context.Context, key string, body []byte, prev Version) (Version, error) {
	v, err := h.mem.Put(ctx, key, body, prev)
	if err == nil && strings.HasSuffix(key, "/head") {
		h.all = append(h.all, bytes.Clone(body))
	}
	return v, err
}

func TestALostHeadIsNoNewTenant(t *testing.T) {
	s := made(t, Options{})
	delete(s.objects, "t/contoso/head")
	refused(t, s, Options{}, "no head")

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

// TestNewerFormats: what a later build wrote is refused, wherever it stands, and left as it is.
func TestNewerFormats(t *testing.T) {
	each(t, func(t *testing.T, s *mem, o Options) {
		tn := locked(t, s, newFakeClock(), "contoso", o)
		h, _, err := tn.head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		const key = "t/contoso/head"
		sign := func(payload string) []byte {
			if o.Keys == nil {
				return wrap(key, []byte(payload))
			}
			body, err := tn.seal.Load().sign(key, []byte(payload), h.Keys[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			return body
		}
		for what, body := range map[string][]byte{
			"a newer envelope": []byte("weir2 plain 00\n{}"),
			"another method":   []byte("weir1 aes512gcm k1 00\nxx"),
			"a newer head":     sign(`{"format":2}`),
			"a member unknown": sign(`{"format":1,"news":true}`),
			"too long":         sign(`{"format":1}` + strings.Repeat(" ", maxHead)),
			"something else":   []byte(`<html>`),
			"nothing":          {},
		} {
			s.harmed(key, body, func() { refused(t, s, o, what) })
		}

		// Around a newer object everything is sound.
		packed, err := state.Pack(map[string]int{"format": 2})
		if err != nil {
			t.Fatal(err)
		}
		slot := tn.slotKey(h.Base)
		s.harmed(slot, tn.wrap(slot, packed), func() { refused(t, s, o, "a newer slot") })
		named := func(manifest []byte, test func()) {
			next := *h
			name := tn.prefix + h.Checkpoint.Manifest
			body := tn.wrap(name, manifest)
			next.Checkpoint.Digest = digest(body)
			head, err := next.encode(key, tn.seal.Load())
			if err != nil {
				t.Fatal(err)
			}
			s.harmed(name, body, func() { s.harmed(key, head, test) })
		}
		named([]byte(`{"format":2}`), func() { refused(t, s, o, "a newer manifest") })
		part := "snap/0000000009-0/part-0000"
		s.harmed(tn.prefix+part, tn.wrap(tn.prefix+part, packed), func() {
			named([]byte(`{"format":1,"parts":[{"key":"`+part+`","digest":"`+digest(packed)+`"}]}`), func() { refused(t, s, o, "a newer snapshot") })
		})
		last := tn.prefix + h.Last.Key
		next := *h
		body := tn.wrap(last, packed)
		next.Last = &recordV1{Key: h.Last.Key, Digest: digest(body)}
		head, err := next.encode(key, tn.seal.Load())
		if err != nil {
			t.Fatal(err)
		}
		s.harmed(last, body, func() {
			s.harmed(key, head, func() {
				if _, err := tn.At(t.Context(), 2); !errors.Is(err, state.ErrFormat) {
					t.Errorf("a newer record: %v, want ErrFormat", err)
				}
				if a, err := tn.Audit(t.Context()); err != nil || len(a.Broken) == 0 {
					t.Errorf("a newer record: %v, and the audit found nothing", err)
				}
			})
		})
		twin(t, s, o)
	})
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
	if callTime(DefaultTTL) != 30*time.Second || heartbeatTime(DefaultTTL) != 10*time.Second {
		t.Error("the times do not follow from the TTL as documented")
	}
}
