package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Retry is the policy of repeating.
type Retry struct {
	// Attempts is the number of tries in all; 0 means 5, 1 never repeats.
	Attempts int
	// Base is the first pause, doubled each time up to Cap, both ±20 %; 0 means 1 second and 30 seconds.
	Base, Cap time.Duration
	// Budget bounds the time from the first try to the start of the last; 0 means 2 minutes. A Retry-After that does not
	// fit ends the repeating, and the answer is returned as it came.
	Budget time.Duration
}

func (r Retry) withDefaults() Retry {
	if r.Attempts <= 0 {
		r.Attempts = 5
	}
	if r.Base <= 0 {
		r.Base = time.Second
	}
	if r.Cap <= 0 {
		r.Cap = 30 * time.Second
	}
	if r.Budget <= 0 {
		r.Budget = 2 * time.Minute
	}
	return r
}

type readingKey struct{}

// Reading marks a request as one that only reads although its method is POST: a cmdlet that gets, a token that is asked
// for. It is treated as a GET in everything.
func Reading(ctx context.Context) context.Context {
	return context.WithValue(ctx, readingKey{}, true)
}

type repeatableKey struct{}

// Repeatable marks a changing request as safe to repeat although its first try may have taken effect: a PUT or PATCH of
// whole values, a DELETE whose 404 counts as done. It is then retried as a GET is.
func Repeatable(ctx context.Context) context.Context {
	return context.WithValue(ctx, repeatableKey{}, true)
}

// changing tells whether a request may change something: by its method, unless it is marked.
func changing(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, "":
		return false
	}
	marked, _ := r.Context().Value(readingKey{}).(bool)
	return !marked
}

func repeatable(r *http.Request) bool {
	if !changing(r) {
		return true
	}
	marked, _ := r.Context().Value(repeatableKey{}).(bool)
	return marked
}

// AmbiguousError says that a changing request was sent and its answer lost: nobody knows whether it took effect. Read
// before you repeat.
type AmbiguousError struct {
	Method string
	URL    string // scheme, host and path
	// Status is the gateway's status (502, 504), or that of the last try after an earlier one was lost; 0 when there was
	// no answer at all.
	Status int
	// RequestID is the client-request-id, for the vendor's support.
	RequestID string
	// Cause is what happened to the connection, or nil.
	Cause error
}

// Error implements error.
func (e *AmbiguousError) Error() string {
	what := "no answer"
	if e.Status != 0 {
		what = fmt.Sprintf("status %d", e.Status)
	}
	if e.Cause != nil {
		what = e.Cause.Error()
	}
	return fmt.Sprintf("%s %s may or may not have taken effect (%s, request %s): read the object before repeating",
		e.Method, e.URL, what, e.RequestID)
}

// Unwrap returns the cause, so that errors.Is finds a cancelled context.
func (e *AmbiguousError) Unwrap() error { return e.Cause }

// unsentError marks a failure before the request left: refused connections, failed handshakes, missing tokens.
type unsentError struct{ error }

func (e unsentError) Unwrap() error { return e.error }

// retry repeats what may be repeated.
type retry struct {
	next      http.RoundTripper
	policy    Retry
	transient func(int, []byte) bool
	now       func() time.Time
	sleep     func(context.Context, time.Duration) error
	random    func() float64
}

// RoundTrip implements http.RoundTripper.
func (s *retry) RoundTrip(r *http.Request) (*http.Response, error) {
	start := s.now()
	lost := false // an earlier try of a change was sent and not answered
	for n := 1; ; n++ {
		response, err := s.next.RoundTrip(r)
		if changing(r) && (sent(err) || err == nil && gatewayLost(response.StatusCode)) {
			lost = true
		}
		again, wait := s.again(r, response, err, n)
		left := s.policy.Budget - s.now().Sub(start)
		if deadline, ok := r.Context().Deadline(); ok {
			left = min(left, deadline.Sub(s.now()))
		}
		if !again || n >= s.policy.Attempts || wait > left || r.Context().Err() != nil {
			return s.finish(r, response, err, lost)
		}
		if slept := s.sleep(r.Context(), wait); slept != nil {
			return s.finish(r, response, slept, lost)
		}
	}
}

// finish returns the last try's outcome, or that nobody knows it.
func (s *retry) finish(r *http.Request, response *http.Response, err error, lost bool) (*http.Response, error) {
	if lost && (err != nil || !told(response.StatusCode)) {
		a := &AmbiguousError{Method: r.Method, URL: place(r.URL), RequestID: r.Header.Get(requestIDHeader), Cause: err}
		if err == nil {
			a.Status = response.StatusCode
		}
		return nil, a
	}
	var unsent unsentError
	if errors.As(err, &unsent) {
		err = unsent.error
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s (request %s): %w", r.Method, place(r.URL), r.Header.Get(requestIDHeader), err)
	}
	return response, nil
}

// again decides about another try and the pause before it.
func (s *retry) again(r *http.Request, response *http.Response, err error, n int) (bool, time.Duration) {
	if err != nil {
		return !final(err) && (repeatable(r) || !sent(err)), s.pause(n)
	}
	after, asked := retryAfter(response.Header.Get("Retry-After"), s.now())
	refused := response.StatusCode == http.StatusTooManyRequests || response.StatusCode == http.StatusServiceUnavailable && asked
	switch {
	case refused && asked:
		// Not all waiters at once. A wait that is ages long must not overflow to none.
		return true, min(after, maxWait) + time.Duration(0.1*s.random()*float64(min(after, maxWait)))
	case refused, repeatable(r) && (retriable(response.StatusCode) || s.isTransient(response)):
		return true, max(after, s.pause(n))
	}
	return false, 0
}

func (s *retry) isTransient(response *http.Response) bool {
	if s.transient == nil || response.StatusCode < 400 {
		return false
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return false
	}
	setBody(response, io.NopCloser(bytes.NewReader(body)), int64(len(body)))
	return s.transient(response.StatusCode, body)
}

// pause is the nth exponential pause, ±20 %.
func (s *retry) pause(n int) time.Duration {
	d := s.policy.Cap
	if n < 30 {
		d = min(d, s.policy.Base<<(n-1))
	}
	return time.Duration(float64(d) * (0.8 + 0.4*s.random()))
}

func retriable(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// gatewayLost are the statuses with which a gateway says that it lost the vendor's answer.
func gatewayLost(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusGatewayTimeout
}

// told tells whether a status says what became of a change, also of an earlier try of it.
func told(status int) bool { return !retriable(status) }

// sent tells whether an error leaves open that the request arrived.
func sent(err error) bool {
	var unsent unsentError
	return err != nil && !errors.As(err, &unsent)
}

// final are errors that another try would only meet again.
func final(err error) bool {
	var refused refusedError
	var host *HostError
	var large *TooLargeError
	var credential *CredentialError
	var certificate *tls.CertificateVerificationError
	var name *net.DNSError
	return errors.As(err, &refused) || errors.As(err, &host) || errors.As(err, &large) || errors.As(err, &credential) || errors.As(err, &certificate) ||
		errors.As(err, &name) && name.IsNotFound || errors.Is(err, context.Canceled)
}

// maxWait is longer than any budget.
const maxWait = 10 * 365 * 24 * time.Hour

// retryAfter reads seconds, also fractional, or a date.
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		if math.IsNaN(seconds) || seconds < 0 {
			return 0, false
		}
		return time.Duration(min(seconds, 1e9) * float64(time.Second)), true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now)), true
	}
	return 0, false
}
