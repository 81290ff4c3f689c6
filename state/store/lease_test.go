package store

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-project/weir/state"
)

func TestMainPath(t *testing.T) {
	c := newFakeClock()
	f := &faulty{Store: NewMem()}
	tn := tenant(t, f, c)

	s, err := tn.State(t.Context())
	if err != nil || s.Stored() || s.Tenant.Key != "contoso" {
		t.Fatalf("a tenant without a head: %v, %+v", err, s)
	}
	if n := f.writes(); n != 0 {
		t.Fatalf("reading wrote %d objects", n)
	}
	if _, err := tn.Head(t.Context()); !errors.Is(err, ErrAbsent) {
		t.Fatalf("head: got %v, want ErrAbsent", err)
	}

	l := acquire(t, tn, "run-1")
	if !l.Made() || !l.State().Stored() || len(l.State().VersionKey) != state.VersionKeySize {
		t.Fatalf("made %v, state %+v", l.Made(), l.State())
	}
	if err := l.Intend(t.Context(), []state.Intent{intent(1), intent(2)}); err != nil {
		t.Fatal(err)
	}
	s, err = tn.State(t.Context())
	if err != nil || len(s.InDoubt) != 2 {
		t.Fatalf("%d in doubt after two intents, want 2 (%v)", len(s.InDoubt), err)
	}
	record(t, l, 1, 2)
	if s := l.State(); len(s.InDoubt) != 1 || len(s.Objects) != 1 {
		t.Fatalf("the lease's state: %+v", s)
	}
	if err := l.Note(t.Context(), state.Note{Tenant: &state.TenantMeta{Key: "contoso", OrganizationID: "42", Configuration: "c1"}}); err != nil {
		t.Fatal(err)
	}
	release(t, l)
	if !errors.Is(context.Cause(l.Context()), ErrReleased) {
		t.Errorf("cause after release: %v", context.Cause(l.Context()))
	}
	if err := l.Intend(t.Context(), []state.Intent{intent(9)}); err == nil {
		t.Error("an intent was taken after release")
	}
	release(t, l) // a second time does nothing

	h, err := tn.Head(t.Context())
	if err != nil || h.Holder != nil || h.Tenant.OrganizationID != "42" || h.Serial != 2 {
		t.Fatalf("head after release: %v %+v", err, h)
	}
	l = acquire(t, tn, "run-2")
	if s := l.State(); l.Made() || len(s.InDoubt) != 1 || len(s.Objects) != 1 || s.Serial != 2 {
		t.Fatalf("the next run's state: %+v", s)
	}
	release(t, l)
}

func TestReleaseCheckpointsOnlyALongJournal(t *testing.T) {
	tn := tenant(t, NewMem(), newFakeClock())
	l := acquire(t, tn, "run-1")
	for i := 0; i < 4000; i += 200 {
		var some []state.Outcome
		for j := range 200 {
			o := done(i + j)
			o.Object.ID = digest([]byte(o.Address)) // as hard to compress as real ids
			some = append(some, o)
		}
		if err := l.Record(t.Context(), some); err != nil {
			t.Fatal(err)
		}
	}
	release(t, l)
	point := func() string {
		h, _, err := tn.head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return h.Checkpoint.Manifest
	}
	first := point()
	if !strings.HasPrefix(first, snapshotFolder(2)) {
		t.Fatalf("the head names %s after a journal longer than the state, want version 2's", first)
	}
	l = acquire(t, tn, "run-2")
	record(t, l, 5000, 5001)
	release(t, l)
	if now := point(); now != first {
		t.Errorf("the head names %s after one change of 4,000, want %s", now, first)
	}
	if n := objects(t, tn); n != 4001 {
		t.Errorf("%d objects, want 4001", n)
	}
}

func TestGuardComesBeforeAnything(t *testing.T) {
	f := &faulty{Store: NewMem()}
	tn := tenant(t, f, newFakeClock())
	release(t, acquire(t, tn, "run-1"))
	f.writes()
	for _, row := range []struct {
		name   string
		change func(*AcquireOptions)
		want   any
	}{
		{"another realm", func(o *AcquireOptions) { o.Realm = "world-7" }, new(*state.RealmError)},
		{"another configuration", func(o *AcquireOptions) { o.Tenant.Configuration = "c2" }, new(*state.LineageError)},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := options()
			row.change(&o)
			if _, err := tn.Acquire(t.Context(), Holder{}, o); !errors.As(err, row.want) {
				t.Errorf("got %v, want %T", err, row.want)
			}
			if n := f.writes(); n != 0 {
				t.Errorf("%d writes", n)
			}
		})
	}
	release(t, acquire(t, tn, "the same"))
	if f.writes() == 0 {
		t.Error("the same realm and configuration were not let in")
	}
}

func TestAHolderThatLivesIsNeverRobbed(t *testing.T) {
	c := newFakeClock()
	defer c.run(time.Second)()
	s := NewMem()
	first := acquire(t, tenant(t, s, c), "run-1")
	var waited *HeldError
	o := options()
	o.Waiting = func(h *HeldError) { waited = h }
	_, err := tenant(t, s, c).Acquire(t.Context(), Holder{Run: "run-2"}, o)
	var held *HeldError
	if !errors.As(err, &held) || held.Run != "run-1" || held.Who != "alice" || held.Host != "ci" || held.Operation != "apply" {
		t.Fatalf("got %v, want the first holder", err)
	}
	if waited == nil || waited.Run != "run-1" {
		t.Error("nobody was told that it waits")
	}
	record(t, first, 1, 2)
	if first.Context().Err() != nil {
		t.Errorf("the holder stopped: %v", context.Cause(first.Context()))
	}
	release(t, first)
	release(t, acquire(t, tenant(t, s, c), "run-3")) // the twin: free, it is taken at once
}

func TestLockTimeoutWaitsForRelease(t *testing.T) {
	c := newFakeClock()
	defer c.run(time.Second)()
	s := NewMem()
	first := acquire(t, tenant(t, s, c), "run-1")
	o := options()
	o.LockTimeout = time.Hour
	waiting := make(chan struct{})
	o.Waiting = func(*HeldError) { close(waiting) }
	got := make(chan error, 1)
	go func() {
		l, err := tenant(t, s, c).Acquire(context.Background(), Holder{Run: "run-2"}, o)
		if err == nil {
			err = l.Release(context.Background())
		}
		got <- err
	}()
	<-waiting
	release(t, first)
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestADeadHolderIsTakenOverAndClosedOut(t *testing.T) {
	c := newFakeClock()
	s := NewMem()
	f := &faulty{Store: s}
	first := acquire(t, tenant(t, f, c), "run-1")
	record(t, first, 1, 3)
	if err := first.Intend(t.Context(), []state.Intent{intent(7)}); err != nil {
		t.Fatal(err)
	}
	// Frozen: its process does nothing while the others' time goes on. The fence
	// goroutine of a real one would be frozen too.
	frozen := make(chan struct{})
	f.spoil(func(op) error { <-frozen; return nil }, nil)
	stop := c.run(time.Second)
	second := acquire(t, tenant(t, s, c), "run-2")
	stop()
	if st := second.State(); len(st.Objects) != 2 || len(st.InDoubt) != 1 {
		t.Errorf("taken over: %d objects, %d in doubt, want 2 and 1", len(st.Objects), len(st.InDoubt))
	}
	record(t, second, 10, 11)

	// The first wakes up. Neither journal nor head are open to it.
	before := listing(t, s)
	close(frozen)
	f.spoil(nil, nil)
	if err := first.Record(context.Background(), []state.Outcome{done(7)}); !errors.Is(err, ErrLost) {
		t.Errorf("record: got %v, want ErrLost", err)
	}
	if err := first.Intend(context.Background(), []state.Intent{intent(8)}); !errors.Is(err, ErrLost) {
		t.Errorf("intend: got %v, want ErrLost", err)
	}
	if err := first.Release(context.Background()); !errors.Is(err, ErrLost) {
		t.Errorf("release: got %v, want ErrLost", err)
	}
	if !errors.Is(context.Cause(first.Context()), ErrLost) {
		t.Errorf("cause: %v, want ErrLost", context.Cause(first.Context()))
	}
	if after := listing(t, s); after != before {
		t.Errorf("it wrote:\n%s\nbefore:\n%s", after, before)
	}
	release(t, second)
	if n := objects(t, tenant(t, s, c)); n != 3 {
		t.Errorf("%d objects, want 3", n)
	}
}

func listing(t *testing.T, s Store) string {
	t.Helper()
	var b strings.Builder
	for item, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		body, _, err := s.Get(t.Context(), item.Key)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(item.Key + " " + digest(body) + "\n")
	}
	return b.String()
}

// TestALateSlotBeforeTheSeal is the race the seal is for: the old holder's slot
// lands after the new one read the journal and before it sealed it.
func TestALateSlotBeforeTheSeal(t *testing.T) {
	c := newFakeClock()
	s := NewMem()
	first := acquire(t, tenant(t, s, c), "run-1")
	record(t, first, 1, 2)
	f := &faulty{Store: s}
	f.spoil(func(o op) error {
		if o.name == "Put" && strings.HasSuffix(o.key, "/log/0000000003") {
			f.before = nil
			return errors.Join(first.writeSlot(context.Background(), []state.Entry{{Outcome: ptr(done(2))}}))
		}
		return nil
	}, nil)
	o := options()
	o.Dead = func(Process) bool { return true }
	second, err := tenant(t, f, c).Acquire(t.Context(), Holder{Run: "run-2"}, o)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(second.State().Objects); n != 2 {
		t.Errorf("%d objects, want 2: what was acknowledged before the seal counts", n)
	}
	if err := first.Record(t.Context(), []state.Outcome{done(3)}); !errors.Is(err, ErrLost) {
		t.Errorf("after the seal: got %v, want ErrLost", err)
	}
	release(t, second)
}

func ptr[T any](v T) *T { return &v }

func TestProvablyDeadIsTakenOverAtOnce(t *testing.T) {
	for _, row := range []struct {
		name string
		dead bool
	}{{"dead", true}, {"alive", false}} {
		t.Run(row.name, func(t *testing.T) {
			c := newFakeClock() // stands still: nobody can wait
			s := NewMem()
			first := acquire(t, tenant(t, s, c), "run-1")
			defer func() { _ = first.Release(context.Background()) }()
			o := options()
			o.Dead = func(Process) bool { return row.dead }
			ctx, cancel := context.WithCancel(t.Context())
			o.Waiting = func(*HeldError) { cancel() }
			l, err := tenant(t, s, c).Acquire(ctx, Holder{Run: "run-2"}, o)
			if (err == nil) != row.dead {
				t.Fatalf("got %v", err)
			}
			if err == nil {
				release(t, l)
			}
		})
	}
}

func TestClocks(t *testing.T) {
	for _, row := range []struct {
		name       string
		wall, mono time.Duration
		lost       bool
	}{
		{"nothing", 0, 0, false},
		{"a day back", -24 * time.Hour, 0, false},
		{"a day ahead: the machine may have slept", 24 * time.Hour, 0, true},
		{"just below the fence", 72 * time.Second, 0, false},
		{"the monotonic clock alone", 0, 75 * time.Second, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newFakeClock()
			f := &faulty{Store: NewMem()}
			l := acquire(t, tenant(t, f, c), "run-1")
			f.spoil(func(o op) error { return away(o) }, nil) // so that no heartbeat comes in between
			c.jump(row.wall, row.mono)
			if row.lost {
				stop := c.run(time.Second)
				<-l.Context().Done()
				stop()
				if !errors.Is(context.Cause(l.Context()), ErrLost) {
					t.Errorf("cause %v, want ErrLost", context.Cause(l.Context()))
				}
				if err := l.Intend(context.Background(), []state.Intent{intent(1)}); !errors.Is(err, ErrLost) {
					t.Errorf("intend: got %v, want ErrLost", err)
				}
			} else {
				c.pass(2*time.Second, 100*time.Millisecond)
				if l.Context().Err() != nil {
					t.Errorf("ended: %v", context.Cause(l.Context()))
				}
			}
			f.spoil(nil, nil)
			stop := c.run(time.Second)
			_ = l.Release(context.Background())
			stop()
		})
	}
}

func TestForeignClocksDoNotMatter(t *testing.T) {
	s := NewMem()
	c := newFakeClock()
	first := acquire(t, tenant(t, s, c), "run-1")
	other := newFakeClock()
	other.jump(1000*time.Hour, 0) // its wall clock is far ahead, and it has not watched yet
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		_, err := tenant(t, s, other).Acquire(ctx, Holder{Run: "run-2"}, options())
		got <- err
	}()
	other.pass(100*time.Second, time.Second)
	cancel()
	if err := <-got; err == nil {
		t.Error("taken over before a TTL of watching")
	}
	stop := c.run(time.Second)
	release(t, first)
	stop()
}

// TestAfterTheFence: a call in flight when the lease could not be renewed is
// still recorded, as long as nobody has taken over; a new one is not begun.
func TestAfterTheFence(t *testing.T) {
	c := newFakeClock()
	f := &faulty{Store: NewMem()}
	l := acquire(t, tenant(t, f, c), "run-1")
	if err := l.Intend(t.Context(), []state.Intent{intent(1)}); err != nil {
		t.Fatal(err)
	}
	f.spoil(func(o op) error {
		if o.key == "t/contoso/head" {
			return away(o)
		}
		return nil
	}, nil)
	c.pass(76*time.Second, time.Second)
	<-l.Context().Done()
	if err := l.Intend(context.Background(), []state.Intent{intent(2)}); !errors.Is(err, ErrLost) {
		t.Errorf("intend: got %v, want ErrLost", err)
	}
	record(t, l, 1, 2)
	c.pass(60*time.Second, time.Second)
	f.writes()
	if err := l.Record(context.Background(), []state.Outcome{done(3)}); !errors.Is(err, ErrLost) {
		t.Errorf("record after the TTL: got %v, want ErrLost", err)
	}
	f.spoil(nil, nil)
	if err := l.Release(context.Background()); !errors.Is(err, ErrLost) {
		t.Errorf("release after the TTL: got %v, want ErrLost", err)
	}
	if n := f.writes(); n != 0 {
		t.Errorf("%d writes after the TTL, want none", n)
	}
}

func TestAShortOutageIsSurvived(t *testing.T) {
	c := newFakeClock()
	f := &faulty{Store: NewMem()}
	tn := tenant(t, f, c)
	l := acquire(t, tn, "run-1")
	f.spoil(func(o op) error { return away(o) }, nil)
	wrote := make(chan error, 1)
	go func() { wrote <- l.Record(context.Background(), []state.Outcome{done(1)}) }()
	c.pass(60*time.Second, time.Second)
	f.spoil(nil, nil)
	stop := c.run(time.Second)
	defer stop()
	if err := <-wrote; err != nil {
		t.Errorf("record: %v", err)
	}
	if l.Context().Err() != nil {
		t.Errorf("ended: %v", context.Cause(l.Context()))
	}
	release(t, l)
	if n := objects(t, tn); n != 1 {
		t.Errorf("%d objects, want 1", n)
	}
}

func TestAnInterruptedRunIsRenewedUntilReleased(t *testing.T) {
	c := newFakeClock()
	f := &faulty{Store: NewMem()}
	ctx, interrupt := context.WithCancel(t.Context())
	l, err := tenant(t, f, c).Acquire(ctx, Holder{Run: "run-1"}, options())
	if err != nil {
		t.Fatal(err)
	}
	interrupt()
	if l.Context().Err() == nil {
		t.Error("new calls may begin after an interrupt")
	}
	c.pass(600*time.Second, time.Second)
	record(t, l, 1, 2)
	release(t, l)
}

// TestLostAnswers loses the answer of each write in turn: every one must be
// recognised as ours.
func TestLostAnswers(t *testing.T) {
	scenario := func(f *faulty, c *fakeClock) error {
		b := NewBucket(f, Options{Clock: c, Keys: testKeys})
		tn, err := b.Tenant("contoso")
		if err != nil {
			return err
		}
		b.probed = true
		l, err := tn.Acquire(context.Background(), Holder{Run: "run-1"}, options())
		if err != nil {
			return err
		}
		err = errors.Join(
			l.Intend(context.Background(), []state.Intent{intent(1)}),
			l.Record(context.Background(), []state.Outcome{done(1)}),
			l.Checkpoint(context.Background()),
			l.swapHead(context.Background(), func(*headV1) {}, nil),
			l.Record(context.Background(), []state.Outcome{done(2)}),
			l.Release(context.Background()))
		if err != nil {
			return err
		}
		s, err := tn.State(context.Background())
		if err == nil && len(s.Objects) != 2 {
			err = errors.New("not two objects")
		}
		return err
	}
	counter := &faulty{Store: NewMem()}
	if err := scenario(counter, newFakeClock()); err != nil {
		t.Fatal(err)
	}
	writes := counter.writes()
	if writes < 12 {
		t.Fatalf("the scenario has only %d writes", writes)
	}
	for _, place := range []struct {
		name string
		open func() Store
	}{
		{"memory", NewMem},
		{"folder", func() Store { return &file{dir: filepath.Join(t.TempDir(), "state"), clock: SystemClock()} }},
	} {
		for _, kind := range []struct {
			name string
			err  func(op) error
		}{
			{"lost", lost},
			{"retried by the client library", func(o op) error { return fail(o.key, ErrConflict, nil) }},
			{"unavailable", away},
		} {
			for n := 1; n <= writes; n++ {
				c := newFakeClock()
				stop := c.run(10 * time.Millisecond)
				f := &faulty{Store: place.open()}
				var puts atomic.Int32
				f.spoil(nil, func(o op) error {
					if o.name == "Put" && int(puts.Add(1)) == n {
						return kind.err(o)
					}
					return nil
				})
				if err := scenario(f, c); err != nil {
					t.Errorf("%s, %s: write %d of %d: %v", place.name, kind.name, n, writes, err)
				}
				stop()
			}
		}
	}
}

// TestCrashAnywhere ends a run after each of its calls to the store; the next
// run finds everything that was acknowledged, and what was begun in doubt.
func TestCrashAnywhere(t *testing.T) {
	crash := errors.New("crash")
	type progress struct{ intended, recorded bool }
	scenario := func(f *faulty, c *fakeClock) (p progress) {
		b := NewBucket(f, Options{Clock: c, Keys: testKeys})
		b.probed = true
		tn, err := b.Tenant("contoso")
		if err != nil {
			return p
		}
		l, err := tn.Acquire(context.Background(), Holder{Run: "run-1"}, options())
		if err != nil {
			return p
		}
		defer func() { l.cancel(crash); l.wg.Wait() }()
		if l.Intend(context.Background(), []state.Intent{intent(1)}) != nil {
			return p
		}
		p.intended = true
		if l.Record(context.Background(), []state.Outcome{done(1)}) != nil {
			return p
		}
		p.recorded = true
		if l.Checkpoint(context.Background()) == nil {
			_ = l.Release(context.Background())
		}
		return p
	}
	counter := &faulty{Store: NewMem()}
	scenario(counter, newFakeClock())
	counter.mu.Lock()
	calls := counter.n
	counter.mu.Unlock()
	for n := 0; n <= calls; n++ {
		for _, kind := range []string{"before", "after"} {
			c := newFakeClock()
			stop := c.run(time.Second)
			s := NewMem()
			f := &faulty{Store: s}
			dead := func(o op) error {
				if o.n > n {
					return fail(o.key, ErrDenied, crash)
				}
				return nil
			}
			if kind == "before" {
				f.spoil(dead, nil)
			} else {
				f.spoil(func(o op) error {
					if o.n > n+1 {
						return dead(o)
					}
					return nil
				}, dead)
			}
			p := scenario(f, c)

			b := NewBucket(s, Options{Clock: c, Keys: testKeys})
			b.probed = true
			tn, err := b.Tenant("contoso")
			if err != nil {
				t.Fatal(err)
			}
			l, err := tn.Acquire(context.Background(), Holder{Run: "run-2"}, options())
			if err != nil {
				t.Fatalf("crash %s call %d: the next run: %v", kind, n, err)
			}
			st := l.State()
			switch there, doubt := len(st.Objects) == 1, len(st.InDoubt) == 1; {
			case p.recorded && !there:
				t.Errorf("crash %s call %d: an acknowledged outcome is lost", kind, n)
			case p.intended && !there && !doubt:
				t.Errorf("crash %s call %d: an operation begun is forgotten", kind, n)
			}
			if err := l.Release(context.Background()); err != nil {
				t.Errorf("crash %s call %d: %v", kind, n, err)
			}
			stop()
		}
	}
	t.Logf("%d crash points", 2*(calls+1))
}

// TestARaceIsNoOlderHead: while a run reads the journal another takes the tenant. Its slots are newer than the head
// that was read, and that must not pass for an older head, even if the new one cannot be read at once.
func TestARaceIsNoOlderHead(t *testing.T) {
	for _, row := range []struct {
		name string
		away bool
		want error
	}{{"the head is read again", false, nil}, {"it cannot be", true, ErrUnavailable}} {
		t.Run(row.name, func(t *testing.T) {
			s, c := NewMem(), newFakeClock()
			changed(t, tenant(t, s, c), "run-1", 0, 2)
			f := &faulty{Store: s}
			raced := false
			f.spoil(func(o op) error {
				switch {
				case o.name == "Get" && strings.Contains(o.key, "/log/") && !raced:
					raced = true
					changed(t, tenant(t, s, c), "run-2", 2, 3)
				case o.name == "Get" && strings.HasSuffix(o.key, "/head") && raced && row.away:
					return away(o)
				}
				return nil
			}, nil)
			l, err := tenant(t, f, c).Acquire(t.Context(), Holder{Run: "run-3"}, options())
			if !errors.Is(err, row.want) || errors.Is(err, ErrRolledBack) {
				t.Fatalf("got %v, want %v", err, row.want)
			}
			if err == nil {
				release(t, l)
			}
		})
	}
}

// TestAcquireTriesTheSameSwapAgain: a head that could not be swapped is swapped with the next try, not created, and
// when none succeeds the run gives up.
func TestAcquireTriesTheSameSwapAgain(t *testing.T) {
	for _, row := range []struct {
		name  string
		fails int
		want  error
	}{{"once", 1, nil}, {"always", 1000, ErrUnavailable}} {
		t.Run(row.name, func(t *testing.T) {
			s, c := NewMem(), newFakeClock()
			changed(t, tenant(t, s, c), "run-1", 0, 2)
			f := &faulty{Store: s}
			n := 0
			f.spoil(func(o op) error {
				if o.name == "Put" && o.key == "t/contoso/head" {
					if n++; n <= row.fails {
						return away(o)
					}
				}
				return nil
			}, nil)
			stop := c.run(10 * time.Millisecond)
			l, err := tenant(t, f, c).Acquire(t.Context(), Holder{Run: "run-2"}, options())
			stop()
			if !errors.Is(err, row.want) || n > quickTries {
				t.Fatalf("%d tries: %v, want %v", n, err, row.want)
			}
			if err == nil {
				release(t, l)
			}
		})
	}
}
