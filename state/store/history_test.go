package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/state"
)

func history(t *testing.T, tn *Tenant) []*Run {
	t.Helper()
	var all []*Run
	for r, err := range tn.History(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// changed is one run that records the objects from..to.
func changed(t *testing.T, tn *Tenant, run string, from, to int) {
	t.Helper()
	l := acquire(t, tn, run)
	record(t, l, from, to)
	release(t, l)
}

func TestHistory(t *testing.T) {
	c := newFakeClock()
	tn := tenant(t, NewMem(), c)
	if h := history(t, tn); len(h) != 0 {
		t.Fatalf("a tenant without a head has %d versions", len(h))
	}
	changed(t, tn, "run-1", 0, 3)
	release(t, acquire(t, tn, "run-idle")) // changes nothing, and is no version
	changed(t, tn, "run-2", 3, 5)
	l := acquire(t, tn, "run-3")
	record(t, l, 5, 6)
	if err := l.Checkpoint(t.Context()); err != nil { // in the middle: no version either
		t.Fatal(err)
	}
	record(t, l, 6, 7)
	release(t, l)

	var got []string
	for _, r := range history(t, tn) {
		got = append(got, fmt.Sprintf("%d %s %d", r.Serial, r.ID, len(r.Changes)))
	}
	want := "4 run-3 2; 3 run-2 2; 2 run-1 3"
	if strings.Join(got, "; ") != want {
		t.Errorf("history: got %v, want %s", got, want)
	}
	for serial, n := range map[uint64]int{1: 0, 2: 3, 3: 5, 4: 7} {
		s, err := tn.At(t.Context(), serial)
		if err != nil {
			t.Fatalf("version %d: %v", serial, err)
		}
		if s.Serial != serial || len(s.Objects) != n {
			t.Errorf("version %d: serial %d with %d objects, want %d", serial, s.Serial, len(s.Objects), n)
		}
	}
	if _, err := tn.At(t.Context(), 5); !errors.Is(err, ErrNoVersion) {
		t.Errorf("version 5: got %v, want ErrNoVersion", err)
	}
}

func TestHistoryOfADeadRun(t *testing.T) {
	for _, checkpoint := range []bool{false, true} {
		t.Run(fmt.Sprintf("checkpoint %v", checkpoint), func(t *testing.T) {
			c := newFakeClock()
			tn := tenant(t, NewMem(), c)
			changed(t, tn, "run-1", 0, 1)
			l := acquire(t, tn, "run-2")
			record(t, l, 1, 3)
			if checkpoint {
				if err := l.Checkpoint(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			record(t, l, 3, 4)
			l.cancel(errors.New("killed"))
			l.wg.Wait()

			stop := c.run(time.Second)
			l, err := tn.Acquire(t.Context(), Holder{Run: "run-3", Who: "b"}, options())
			stop()
			if err != nil {
				t.Fatal(err)
			}
			record(t, l, 4, 5)
			release(t, l)
			h := history(t, tn)
			if len(h) != 3 {
				t.Fatalf("%d versions, want 3", len(h))
			}
			if r := h[1]; r.ID != "run-2" || !r.Interrupted || r.Who == "" || r.Serial != 3 || len(r.Changes) != 3 {
				t.Errorf("the dead run's record: %+v", r)
			}
			if r := h[0]; r.ID != "run-3" || r.Interrupted || len(r.Changes) != 1 || r.Serial != 4 {
				t.Errorf("the next run's record: %+v", r)
			}
			for serial, n := range map[uint64]int{2: 1, 3: 4, 4: 5} {
				if s, err := tn.At(t.Context(), serial); err != nil || len(s.Objects) != n {
					t.Errorf("version %d: %v, want %d objects", serial, err, n)
				}
			}
			audited(t, tn)
		})
	}
}

func audited(t *testing.T, tn *Tenant) *Audit {
	t.Helper()
	a, err := tn.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Broken) > 0 {
		t.Errorf("the chain is broken: %q", a.Broken)
	}
	return a
}

func TestReplace(t *testing.T) {
	tn := tenant(t, NewMem(), newFakeClock())
	changed(t, tn, "run-1", 0, 3)
	changed(t, tn, "run-2", 3, 9)
	old, err := tn.At(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	l := acquire(t, tn, "run-3")
	if err := l.Replace(t.Context(), old, "rolled back to 2"); err != nil {
		t.Fatal(err)
	}
	record(t, l, 20, 21)
	release(t, l)
	if n := objects(t, tn); n != 4 {
		t.Errorf("%d objects after the rollback and one more, want 4", n)
	}
	h := history(t, tn)
	if len(h) != 4 || h[1].Note != "rolled back to 2" || h[1].Serial != 4 || h[0].Serial != 5 {
		t.Errorf("history: %+v", h)
	}
	if s, err := tn.At(t.Context(), 3); err != nil || len(s.Objects) != 9 {
		t.Errorf("what was replaced is not in the history: %v", err)
	}
	audited(t, tn)
}

// TestAudit: whatever is done to a record is found, and nothing is found in a chain that is whole.
func TestAudit(t *testing.T) {
	for _, row := range []struct {
		name string
		harm func(t *testing.T, m *mem, keys []string)
		want string
	}{
		{"whole", func(*testing.T, *mem, []string) {}, ""},
		{"a byte changed", func(_ *testing.T, m *mem, keys []string) { m.objects[keys[1]][120] ^= 1 }, "not the one"},
		{"a record missing", func(_ *testing.T, m *mem, keys []string) { delete(m.objects, keys[1]) }, "missing"},
		{"one put in another's place", func(_ *testing.T, m *mem, keys []string) { m.objects[keys[0]] = m.objects[keys[1]] }, "not the one"},
		{"one rewritten with a good digest", func(t *testing.T, m *mem, keys []string) {
			raw, err := unwrap(keys[1], m.objects[keys[1]])
			if err != nil {
				t.Fatal(err)
			}
			r := new(runV1)
			if err := state.Unpack(raw, 1, r); err != nil {
				t.Fatal(err)
			}
			r.Who = "somebody else"
			if raw, err = state.Pack(r); err != nil {
				t.Fatal(err)
			}
			m.objects[keys[1]] = wrap(keys[1], raw)
		}, "not the one"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := NewMem().(*mem)
			tn := tenant(t, m, newFakeClock())
			for i := range 4 {
				changed(t, tn, fmt.Sprintf("run-%d", i), i, i+1)
			}
			var keys []string
			for item, err := range m.List(t.Context(), "t/contoso/runs/") {
				if err != nil {
					t.Fatal(err)
				}
				keys = append(keys, item.Key)
			}
			if len(keys) != 4 {
				t.Fatalf("%d records, want 4", len(keys))
			}
			row.harm(t, m, keys)
			a, err := tn.Audit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			switch got := strings.Join(a.Broken, "\n"); {
			case row.want == "" && (got != "" || len(a.Runs) != 4 || len(a.Loose) != 0):
				t.Errorf("got %q, %d runs, %d loose", got, len(a.Runs), len(a.Loose))
			case !strings.Contains(got, row.want):
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestUnlock(t *testing.T) {
	c := newFakeClock()
	tn := tenant(t, NewMem(), c)
	l := acquire(t, tn, "run-1")
	record(t, l, 0, 1)
	if err := tn.Unlock(t.Context(), "run-9"); !errors.As(err, new(*HeldError)) {
		t.Fatalf("unlocking another run: got %v, want *HeldError", err)
	}
	if err := tn.Unlock(t.Context(), "run-1"); err != nil {
		t.Fatal(err)
	}
	if err := tn.Unlock(t.Context(), "run-1"); !errors.Is(err, ErrNotHeld) {
		t.Fatalf("unlocking once more: got %v, want ErrNotHeld", err)
	}
	next := acquire(t, tn, "run-2")
	// The robbed one notices with its next heartbeat, and cannot record before that.
	if err := l.Intend(t.Context(), []state.Intent{intent(7)}); !errors.Is(err, ErrLost) {
		t.Errorf("an intent after the loss: got %v, want ErrLost", err)
	}
	if n := len(next.State().Objects); n != 1 {
		t.Errorf("%d objects after the takeover, want 1", n)
	}
	release(t, next)
	if h := history(t, tn); len(h) != 1 || h[0].ID != "run-1" || h[0].Who == "" || !h[0].Interrupted {
		t.Errorf("history: %+v", h)
	}
}

func TestUnlockStopsTheHolder(t *testing.T) {
	c := newFakeClock()
	tn := tenant(t, NewMem(), c)
	l := acquire(t, tn, "run-1")
	if err := tn.Unlock(t.Context(), "run-1"); err != nil {
		t.Fatal(err)
	}
	stop := c.run(time.Second)
	<-l.Context().Done()
	stop()
	if err := l.Release(t.Context()); !errors.Is(err, ErrLost) {
		t.Errorf("release: got %v, want ErrLost", err)
	}
}

func TestCollect(t *testing.T) {
	c := newFakeClock()
	m := NewMem().(*mem)
	tn := tenant(t, m, c)
	count := func(folder string) (n int) {
		for key := range m.objects {
			if strings.HasPrefix(key, "t/contoso/"+folder) {
				n++
			}
		}
		return n
	}
	for i := range 6 {
		l := acquire(t, tn, fmt.Sprintf("run-%d", i))
		record(t, l, i, i+1)
		if err := l.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		release(t, l)
		c.jump(10*24*time.Hour, time.Second)
	}
	collect := func(r Retention, dry bool) Collected {
		t.Helper()
		l := acquire(t, tn, "gc")
		got, err := l.Collect(t.Context(), r, dry)
		if err != nil {
			t.Fatal(err)
		}
		release(t, l)
		return got
	}
	l := acquire(t, tn, "gc")
	if _, err := l.Collect(t.Context(), Retention{Age: time.Hour}, false); err == nil {
		t.Error("an hour was taken for a retention")
	}
	release(t, l)
	snaps, slots := count("snap/"), count("log/")
	if got := collect(Retention{Age: 365 * 24 * time.Hour}, false); got.Objects != 0 || got.Oldest != 2 {
		t.Errorf("nothing is a year old, and %+v was removed", got)
	}
	// Versions 2 to 7, made on days 0, 10, … 50; now it is day 60. Version 5, of day 30, is what the
	// state was 30 days ago.
	dry := collect(Retention{Age: MinRetention}, true)
	if dry.Objects == 0 || count("snap/") != snaps || count("log/") < slots {
		t.Errorf("a dry collection: %+v, %d → %d snapshots", dry, snaps, count("snap/"))
	}
	got := collect(Retention{Age: MinRetention}, false)
	if got.Objects != dry.Objects || got.Bytes != dry.Bytes || count("snap/") >= snaps {
		t.Errorf("removed %+v, said before that it would be %+v", got, dry)
	}
	if n := objects(t, tn); n != 6 {
		t.Errorf("%d objects after the collection, want 6", n)
	}
	for serial := uint64(2); serial <= 7; serial++ {
		_, err := tn.At(t.Context(), serial)
		if kept := serial >= got.Oldest; kept && err != nil || !kept && !errors.Is(err, ErrNoVersion) {
			t.Errorf("version %d, with %d the oldest kept: %v", serial, got.Oldest, err)
		}
	}
	if got.Oldest <= 2 || got.Oldest > 5 {
		t.Errorf("the oldest kept is version %d", got.Oldest)
	}
	if again := collect(Retention{Age: MinRetention}, false); again.Objects != 0 {
		t.Errorf("a second collection removed %+v", again)
	}
	if all := collect(Retention{Age: MinRetention, Versions: 100}, false); all.Objects != 0 {
		t.Errorf("a collection that keeps 100 versions removed %+v", all)
	}
	audited(t, tn)
}

func TestPurge(t *testing.T) {
	c := newFakeClock()
	m := NewMem().(*mem)
	tn := tenant(t, m, c)
	changed(t, tn, "run-1", 0, 2)
	l := acquire(t, tn, "run-2")
	epoch, next := l.epoch, l.tail.next
	if _, err := l.Purge(t.Context(), false); !errors.Is(err, ErrNotEmpty) {
		t.Fatalf("purging what has objects: got %v, want ErrNotEmpty", err)
	}
	got, err := l.Purge(t.Context(), true)
	if err != nil || got.Objects == 0 {
		t.Fatalf("purge: %v, %+v", err, got)
	}
	if len(m.objects) != 1 || bytes.Contains(m.objects["t/contoso/head"], []byte("run-1")) {
		t.Errorf("%d objects are left, want the head alone: %s", len(m.objects), m.objects["t/contoso/head"])
	}
	if _, err := tn.Head(t.Context()); !errors.Is(err, ErrAbsent) {
		t.Errorf("head: got %v, want ErrAbsent", err)
	}
	if s, err := tn.State(t.Context()); err != nil || s.Stored() {
		t.Errorf("state: %v, stored %v", err, s.Stored())
	}
	changed(t, tn, "run-3", 0, 1)
	h, _, err := tn.head(t.Context())
	if err != nil || h.Epoch <= epoch || h.Base < next || len(history(t, tn)) != 1 {
		t.Errorf("begun anew: %v, epoch %d after %d, base %d after %d", err, h.Epoch, epoch, h.Base, next)
	}
	audited(t, tn)
}

func TestPurgeCutOff(t *testing.T) {
	f := &faulty{Store: NewMem()}
	tn := tenant(t, f, newFakeClock())
	changed(t, tn, "run-1", 0, 2)
	l := acquire(t, tn, "run-2")
	n := 0
	f.spoil(func(o op) error {
		if o.name == "Remove" {
			if n++; n > 1 {
				return away(o)
			}
		}
		return nil
	}, nil)
	if _, err := l.Purge(t.Context(), true); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("purge: got %v, want ErrUnavailable", err)
	}
	f.spoil(nil, nil)
	got, purged, err := tn.Sweep(t.Context())
	if err != nil || !purged || got.Objects == 0 {
		t.Errorf("sweep: %v, purged %v, %+v", err, purged, got)
	}
	changed(t, tn, "run-3", 0, 1)
	if _, purged, err := tn.Sweep(t.Context()); err != nil || purged {
		t.Errorf("sweeping a tenant in use: %v, purged %v", err, purged)
	}
	if n := objects(t, tn); n != 1 {
		t.Errorf("%d objects, want 1", n)
	}
}

// TestOldRemovalsAreForgotten: what no limit's window can reach any more does not stay in every snapshot.
func TestOldRemovalsAreForgotten(t *testing.T) {
	c := newFakeClock()
	tn := tenant(t, NewMem(), c)
	for i, run := range []string{"run-1", "run-2"} {
		l := acquire(t, tn, run)
		o := done(i)
		o.Removals = []state.Removal{{Mail: run + "@contoso.example", Kind: state.RemovalDelete, Op: o.Op, Time: c.Now()}}
		if err := l.Record(t.Context(), []state.Outcome{o}); err != nil {
			t.Fatal(err)
		}
		if err := l.Replace(t.Context(), l.State(), "so that there is a snapshot"); err != nil {
			t.Fatal(err)
		}
		release(t, l)
		if i == 0 {
			c.jump(removalsKept+time.Hour, time.Second)
		}
	}
	s, err := tn.State(t.Context())
	if err != nil || len(s.Removals) != 1 || s.Removals[0].Mail != "run-2@contoso.example" {
		t.Errorf("%v, %+v", err, s.Removals)
	}
}

// TestExisting: a command that only edits makes no tenant, neither where none was nor where one was purged; without the
// option it does.
func TestExisting(t *testing.T) {
	m := NewMem().(*mem)
	tn := tenant(t, m, newFakeClock())
	only := options()
	only.Existing = true
	if _, err := tn.Acquire(t.Context(), Holder{Run: "run-1"}, only); !errors.Is(err, ErrAbsent) || len(m.objects) != 0 {
		t.Errorf("nothing there: %v, %d objects", err, len(m.objects))
	}
	changed(t, tn, "run-2", 0, 1)
	l, err := tn.Acquire(t.Context(), Holder{Run: "run-3"}, only)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Purge(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if _, err := tn.Acquire(t.Context(), Holder{Run: "run-4"}, only); !errors.Is(err, ErrAbsent) || len(m.objects) != 1 {
		t.Errorf("purged: %v, %d objects", err, len(m.objects))
	}
	changed(t, tn, "run-5", 0, 1)
}

// TestHugeObject: what is far longer than anything of ours is refused before it is taken apart.
func TestHugeObject(t *testing.T) {
	if _, err := readObject(io.LimitReader(endless{}, maxObject+1)); !errors.Is(err, errTooLong) {
		t.Errorf("got %v, want errTooLong", err)
	}
	if body, err := readObject(io.LimitReader(endless{}, 1<<20)); err != nil || len(body) != 1<<20 {
		t.Errorf("1 MiB: %v, %d bytes", err, len(body))
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
