package transport

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// TooLargeError says that an answer is larger than the client reads.
type TooLargeError struct {
	URL   string // scheme, host and path
	Limit int64  // bytes
}

// Error implements error.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the answer of %s is larger than %d bytes", e.URL, e.Limit)
}

// attempt is one try: sent, answered and read whole, within its deadline.
type attempt struct {
	next         http.RoundTripper
	maxBody      int64
	change, read time.Duration
}

// RoundTrip implements http.RoundTripper.
func (a *attempt) RoundTrip(r *http.Request) (*http.Response, error) {
	timeout := a.read
	if changing(r) {
		timeout = a.change
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, unsentError{err}
	}
	var dialled, connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { dialled.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	response, err := a.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && r.Context().Err() == nil && ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", cause, context.DeadlineExceeded)
		}
		// Only a transport that asked for a connection and got none proves that nothing left.
		if dialled.Load() && !connected.Load() {
			return nil, unsentError{err}
		}
		return nil, err
	}
	body, err := a.readAll(r, response)
	if err != nil {
		return nil, err
	}
	if r.Method == http.MethodHead { // its Content-Length is about the body that a GET would have
		response.Body = http.NoBody
		return response, nil
	}
	setBody(response, body, body.left)
	return response, nil
}

func (a *attempt) readAll(r *http.Request, response *http.Response) (*body, error) {
	defer response.Body.Close() //nolint:errcheck // the answer is whole by then, or an error has been told
	at := place(r.URL)
	whole, err := limited(response.Body, a.maxBody, at)
	if err != nil {
		return nil, err
	}
	// Exchange Online sends 403s that declare gzip over a run of NUL bytes: only the magic number counts.
	if !strings.EqualFold(response.Header.Get("Content-Encoding"), "gzip") {
		return whole, nil
	}
	response.Header.Del("Content-Encoding")
	if !whole.hasPrefix([]byte{0x1f, 0x8b}) {
		return whole, nil
	}
	inflater, err := gzip.NewReader(whole)
	var inflated *body
	if err == nil {
		inflated, err = limited(inflater, a.maxBody, at)
	}
	_ = whole.Close() // never fails
	if err != nil {
		return nil, fmt.Errorf("inflate the answer of %s (status %d): %w", at, response.StatusCode, err)
	}
	response.Uncompressed = true
	return inflated, nil
}

func limited(in io.Reader, limit int64, at string) (*body, error) {
	whole, err := readBody(in, limit)
	switch {
	case errors.Is(err, errLarge):
		return nil, &TooLargeError{URL: at, Limit: limit}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("the answer of %s ends early: %w", at, err)
	}
	return whole, err
}

// setBody gives a response a whole body in memory, of a length in bytes.
func setBody(response *http.Response, whole io.ReadCloser, length int64) {
	response.Body = whole
	response.ContentLength = length
	response.TransferEncoding = nil
	if response.Header.Get("Content-Length") != "" {
		response.Header.Set("Content-Length", strconv.FormatInt(length, 10))
	}
}
