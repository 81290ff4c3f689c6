package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/weir-project/weir/state"
)

// TestStopped stops a run's process for three times its TTL and lets it go on: it writes nothing and begins no call,
// whatever happened meanwhile and whichever of its clocks saw the time pass.
//
// The twins show what each guard is for. A run whose clocks both stood still is refused by the seal alone; and where the
// seal was collected, so that its number is free again, only the clock is left.
func TestStopped(t *testing.T) {
	const nap = 3 * DefaultTTL
	const (
		nothing   = iota
		taken     // another run took the tenant, recorded, and gave it back
		collected // … and after it one removed all that can be removed
	)
	for _, row := range []struct {
		name       string
		meanwhile  int
		wall, mono time.Duration
		want       string
	}{
		{"the twin: it was not stopped", nothing, 0, 0, "goes on"},
		{"stopped", nothing, nap, nap, "does nothing"},
		{"asleep: its monotonic clock stood still", nothing, nap, 0, "does nothing"},
		{"its wall clock was set back", nothing, -time.Hour, nap, "does nothing"},
		{"stopped, taken", taken, nap, nap, "does nothing"},
		{"asleep, taken", taken, nap, 0, "does nothing"},
		{"set back, taken", taken, -time.Hour, nap, "does nothing"},
		{"stopped, taken, collected", collected, nap, nap, "does nothing"},
		{"asleep, taken, collected", collected, nap, 0, "does nothing"},
		{"set back, taken, collected", collected, -time.Hour, nap, "does nothing"},
		{"the twin: no clock saw it, taken", taken, 0, 0, "is refused"},
		{"the twin: no clock saw it, taken, collected", collected, 0, 0, "writes"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, own, others := NewMem(), newFakeClock(), newFakeClock()
			p, f := new(process), &faulty{Store: s}
			l := acquire(t, tenant(t, &erratic{Store: f, p: p}, stoppable{own, p}), "run-1")
			record(t, l, 1, 2)
			if err := l.Intend(t.Context(), []state.Intent{intent(2)}); err != nil {
				t.Fatal(err)
			}
			next := l.t.slotKey(l.tail.next)

			thaw := p.stop()
			own.jump(row.wall, row.mono)
			tn := tenant(t, s, others)
			if row.meanwhile != nothing {
				stop := others.run(time.Second)
				second := acquire(t, tn, "run-2")
				stop()
				record(t, second, 10, 11)
				release(t, second)
			}
			if row.meanwhile == collected {
				for i := range 2 { // two versions whose checkpoint is behind the sleeper's next slot
					later := acquire(t, tn, fmt.Sprintf("run-later-%d", i))
					record(t, later, 10, 11)
					if err := later.Checkpoint(t.Context()); err != nil {
						t.Fatal(err)
					}
					release(t, later)
				}
				others.jump(time.Minute, time.Minute)
				gc := acquire(t, tn, "gc")
				if _, err := gc.collect(t.Context(), Retention{}, false); err != nil {
					t.Fatal(err)
				}
				release(t, gc)
				if _, _, err := s.Get(t.Context(), next); !errors.Is(err, ErrAbsent) {
					t.Fatalf("slot %s was not collected: %v", next, err)
				}
			}
			before := listing(t, s)
			f.writes()

			thaw()
			begun := l.Intend(context.Background(), []state.Intent{intent(3)})
			recorded := l.Record(context.Background(), []state.Outcome{done(2)})
			given := l.Release(context.Background())
			tries, after := f.writes(), listing(t, s)
			lost := errors.Is(begun, ErrLost) && errors.Is(recorded, ErrLost) && errors.Is(given, ErrLost)
			switch row.want {
			case "goes on":
				if begun != nil || recorded != nil || given != nil {
					t.Errorf("intend %v, record %v, release %v", begun, recorded, given)
				}
			case "does nothing":
				if !lost || tries != 0 || after != before {
					t.Errorf("%d writes; intend %v, record %v, release %v", tries, begun, recorded, given)
				}
			case "is refused":
				if !lost || tries == 0 || after != before {
					t.Errorf("%d writes tried; intend %v, record %v, release %v", tries, begun, recorded, given)
				}
			case "writes":
				if _, _, err := s.Get(t.Context(), next); begun != nil || err != nil {
					t.Errorf("without a clock nothing should have held it: intend %v, slot %v", begun, err)
				}
				if !errors.Is(given, ErrLost) {
					t.Errorf("the head is swapped by its version: %v, want ErrLost", given)
				}
			}
			if n, want := objects(t, tn), map[int]int{nothing: 1, taken: 2, collected: 2}[row.meanwhile]; row.want != "goes on" && n != want {
				t.Errorf("%d objects, want %d", n, want)
			}
		})
	}
}
