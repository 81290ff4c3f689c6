package store

import (
	"context"
	"time"
)

// Clock is time as the lease sees it. Implementations are safe for concurrent
// use.
type Clock interface {
	// Now is the wall clock; it may jump.
	Now() time.Time
	// Elapsed is a monotonic time since some fixed moment; it may stand still while
	// the machine sleeps.
	Elapsed() time.Duration
	// Sleep waits for d, or until ctx is done, and then returns its error.
	Sleep(ctx context.Context, d time.Duration) error
}

// SystemClock is the machine's clock.
func SystemClock() Clock { return systemClock{start: time.Now()} }

type systemClock struct{ start time.Time }

func (c systemClock) Now() time.Time         { return time.Now() }
func (c systemClock) Elapsed() time.Duration { return time.Since(c.start) }

func (c systemClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// moment is one moment on both clocks.
type moment struct {
	wall time.Time
	mono time.Duration
}

func at(c Clock) moment {
	return moment{wall: c.Now().Round(0), mono: c.Elapsed()}
}

// since is how long ago m was, by the clock that shows more: the monotonic one
// stands still while a machine sleeps, the other may be set back.
func (m moment) since(c Clock) time.Duration {
	return max(c.Elapsed()-m.mono, c.Now().Round(0).Sub(m.wall))
}
