package transport

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// Gates hold how many requests each host has in flight and when it may get the next, shared by all clients that are
// given the same Gates. The zero value is ready; safe for concurrent use.
type Gates struct {
	mu    sync.Mutex
	hosts map[string]*gate // by "host:port"
}

// processGates serve the clients that are given none.
var processGates = &Gates{}

type gate struct {
	mu       sync.Mutex
	limit    int
	interval time.Duration // between the starts of two requests
	inFlight int
	next     time.Time
	waiting  []chan struct{} // first come, first served
}

func (g *Gates) of(host string, limit int, interval time.Duration) *gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hosts == nil {
		g.hosts = map[string]*gate{}
	}
	one := g.hosts[host]
	if one == nil {
		one = &gate{limit: limit, interval: interval}
		g.hosts[host] = one
		return one
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	one.limit, one.interval = min(one.limit, limit), max(one.interval, interval)
	return one
}

func (g *gate) enter(ctx context.Context) error {
	g.mu.Lock()
	if g.inFlight < g.limit && len(g.waiting) == 0 {
		g.inFlight++
		g.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	g.waiting = append(g.waiting, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.waiting {
		if other == turn {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return ctx.Err()
		}
	}
	// The turn came in the same moment: pass it on.
	g.leaveLocked()
	return ctx.Err()
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.leaveLocked()
}

func (g *gate) leaveLocked() {
	g.inFlight--
	for g.inFlight < g.limit && len(g.waiting) > 0 {
		g.inFlight++
		close(g.waiting[0])
		g.waiting = g.waiting[1:]
	}
}

// reserve takes the next start and returns how long it is away.
func (g *gate) reserve(now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.interval <= 0 {
		return 0
	}
	if g.next.Before(now) {
		g.next = now
	}
	wait := g.next.Sub(now)
	g.next = g.next.Add(g.interval)
	return wait
}

// gated lets requests through the gate of their host.
type gated struct {
	next      http.RoundTripper
	gates     *Gates
	inFlight  int
	perSecond float64
	now       func() time.Time
	sleep     func(context.Context, time.Duration) error
}

// RoundTrip implements http.RoundTripper. Errors of waiting say that nothing was sent.
func (s *gated) RoundTrip(r *http.Request) (*http.Response, error) {
	var interval time.Duration
	if s.perSecond > 0 {
		interval = time.Duration(float64(time.Second) / s.perSecond)
	}
	g := s.gates.of(address(r.URL), s.inFlight, interval)
	if err := g.enter(r.Context()); err != nil {
		return nil, unsentError{err}
	}
	defer g.leave()
	if wait := g.reserve(s.now()); wait > 0 {
		if err := s.sleep(r.Context(), wait); err != nil {
			return nil, unsentError{err}
		}
	}
	return s.next.RoundTrip(r)
}
