package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/weir-project/weir/state"
)

// station is a clock that runs at its own rates, in step with others: it moves only while all who use it sleep, so that
// what they do at which time does not depend on how busy the testing machine is.
type station struct {
	*fakeClock
	wall, mono float64 // rates; 1 is true time
	users      int     // goroutines that sleep on it between their deeds
}

// pass moves true time on by steps, as long as the function says so.
func pass(d, step time.Duration, stop func() bool, all ...*station) (passed time.Duration) {
	for ; passed < d; passed += step {
		for _, m := range all {
			for !m.quiet() {
				if stop() {
					return passed
				}
				time.Sleep(20 * time.Microsecond)
			}
		}
		if stop() {
			return passed
		}
		for _, m := range all {
			m.jump(time.Duration(m.wall*float64(step)), time.Duration(m.mono*float64(step)))
		}
	}
	return passed
}

func (m *station) quiet() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sleeper) >= m.users
}

// True time moves in steps, and in finer ones where it is measured.
const (
	step = 2500 * time.Millisecond
	fine = 500 * time.Millisecond
)

// over says whether a channel is closed.
func over(c <-chan struct{}) func() bool {
	return func() bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
}

// watcher is a station on which a run waits for a tenant.
type watcher struct {
	swapping chan struct{} // closed when it takes the tenant
	at       time.Duration // when that was, by its clock
	has      chan struct{} // closed when it has it
}

func watch(t *testing.T, s Store, m *station) *watcher {
	t.Helper()
	o := options()
	o.LockTimeout = 1000 * time.Hour
	w := &watcher{swapping: make(chan struct{}), has: make(chan struct{})}
	f := &faulty{Store: s}
	first := true
	f.spoil(func(o op) error {
		if o.name == "Put" && o.key == "t/contoso/head" && first {
			// From here on its new lease sleeps on the clock, too, which then says nothing more.
			first, w.at = false, m.Elapsed()
			close(w.swapping)
		}
		return nil
	}, nil)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	tn := tenant(t, f, m)
	go func() {
		defer close(done)
		l, err := tn.Acquire(ctx, Holder{Run: "run-2"}, o)
		if err != nil {
			return
		}
		close(w.has)
		l.cancel(errors.New("enough"))
		l.wg.Wait()
	}()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

// TestTakeover: whatever the clocks of two machines show, a run that lives is not robbed, and one that died is taken
// over within its TTL and ten seconds of the watcher's clock.
func TestTakeover(t *testing.T) {
	const day = 24 * time.Hour
	for _, row := range []struct {
		name    string
		watcher station
		offset  time.Duration // of its wall clock
		jump    time.Duration // of its wall clock, in the middle
		asleep  bool          // for ten minutes in the middle its monotonic clock stands still
	}{
		{"equal clocks", station{wall: 1, mono: 1}, 0, 0, false},
		{"a day ahead", station{wall: 1, mono: 1}, day, 0, false},
		{"a day behind", station{wall: 1, mono: 1}, -day, 0, false},
		{"a jump ahead", station{wall: 1, mono: 1}, 0, day, false},
		{"a jump back", station{wall: 1, mono: 1}, 0, -day, false},
		{"half as fast again", station{wall: 1.5, mono: 1.5}, 0, 0, false},
		{"slower by a third", station{wall: 0.667, mono: 0.667}, 0, 0, false},
		{"a sleep", station{wall: 1, mono: 1}, 0, 0, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := NewMem()
			holder := &station{fakeClock: newFakeClock(), wall: 1, mono: 1, users: 2} // heartbeat and fence
			other := row.watcher
			other.fakeClock, other.users = newFakeClock(), 1
			other.jump(row.offset, 0)
			l := acquire(t, tenant(t, s, holder), "run-1")
			w := watch(t, s, &other)
			taken := over(w.swapping)

			pass(5*time.Minute, step, taken, holder, &other)
			other.jump(row.jump, 0)
			if row.asleep {
				other.mono = 0
				pass(10*time.Minute, step, taken, holder, &other)
				other.mono = 1
			}
			pass(5*time.Minute, step, taken, holder, &other)
			pass(time.Minute, fine, taken, holder, &other)
			if taken() || l.Context().Err() != nil {
				t.Fatalf("a run that lives was robbed, or stopped: %v", context.Cause(l.Context()))
			}
			record(t, l, 1, 2)

			l.cancel(errors.New("killed"))
			l.wg.Wait()
			died := other.Elapsed()
			pass(time.Hour, fine, taken, &other)
			limit := DefaultTTL + 10*time.Second + time.Duration(2*other.mono*float64(fine)) // it is looked at twice
			if after := w.at - died; !taken() || after > limit {
				t.Errorf("taken over %s after it died, want at most %s", after, limit)
			} else {
				t.Logf("taken over after %s", after)
			}
		})
	}
}

// TestFencedInTime: a run that cannot renew its lease stops before another machine takes the tenant, though that one's
// clock runs half as fast again. The twin's runs twice as fast, which is more than the times allow for: there the
// journal still keeps the first one from calling anybody.
func TestFencedInTime(t *testing.T) {
	for _, row := range []struct {
		rate   float64
		inTime bool
	}{{1, true}, {1.5, true}, {2, false}} {
		s := NewMem()
		f := &faulty{Store: s}
		holder := &station{fakeClock: newFakeClock(), wall: 1, mono: 1, users: 2}
		other := &station{fakeClock: newFakeClock(), wall: row.rate, mono: row.rate, users: 1}
		l := acquire(t, tenant(t, f, holder), "run-1")
		f.spoil(func(o op) error { // refused, as by an expired token: it is tried again
			if o.name == "Put" && o.key == "t/contoso/head" {
				return fail(o.key, ErrDenied, nil)
			}
			return nil
		}, nil)
		w := watch(t, s, other)
		stopped, taken := over(l.Context().Done()), over(w.swapping)
		pass(time.Hour, time.Second, func() bool { return stopped() || taken() }, holder, other)
		if stopped() != row.inTime {
			t.Errorf("rate %g: stopped before it was taken over: %v, want %v", row.rate, stopped(), row.inTime)
		}
		if !row.inTime {
			<-w.has
			if err := l.Intend(context.Background(), []state.Intent{intent(1)}); !errors.Is(err, ErrLost) {
				t.Errorf("rate %g: intend: %v, want ErrLost", row.rate, err)
			}
		}
		l.cancel(errors.New("enough"))
		l.wg.Wait()
	}
}
