package transport

import (
	"context"
	"net/http"
	"time"
)

type permitKey struct{}

// Permit returns a context under which ask is asked before every try of a request that may change something, as late as
// can be: directly before it is sent. An error of it is final, and nothing is sent.
func Permit(ctx context.Context, ask func() error) context.Context {
	return context.WithValue(ctx, permitKey{}, ask)
}

// refusedError is what a permit said.
type refusedError struct{ error }

func (e refusedError) Unwrap() error { return e.error }

// permitted is the innermost stage. A process that was stopped between two stages finds here, by the clock, that its
// time is over; timers and contexts tell it a moment too late.
type permitted struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (p *permitted) RoundTrip(r *http.Request) (*http.Response, error) {
	if !changing(r) {
		return p.next.RoundTrip(r)
	}
	if ask, ok := r.Context().Value(permitKey{}).(func() error); ok {
		if err := ask(); err != nil {
			return nil, unsentError{refusedError{err}}
		}
	}
	if deadline, ok := r.Context().Deadline(); ok && time.Until(deadline) <= 0 {
		return nil, unsentError{context.DeadlineExceeded}
	}
	return p.next.RoundTrip(r)
}
