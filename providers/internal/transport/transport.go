package transport

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"time"
)

// Options configure a client. Only Hosts is mandatory: the zero value reaches nothing.
type Options struct {
	// Hosts are the hosts that may be asked, and so may see the credential: "graph.microsoft.com" (port 443),
	// "127.0.0.1:8443", or "*.outlook.office365.com" for every host below. Upper and lower case are equal.
	Hosts []string
	// Credential is written into every request; nil sends none.
	Credential Credential
	// Version is what User-Agent says: weir/<Version>; "" says "dev".
	Version string

	// Retry says how often and how long; its zero value has defaults.
	Retry Retry
	// Transient recognises answers that mean "try again" although their status does not say so; nil knows none.
	Transient func(status int, body []byte) bool
	// MaxInFlight is the number of requests a host may have at a time, over all clients of the process; 0 means 4.
	// When clients differ the smallest counts.
	MaxInFlight int
	// PerSecond is the number of requests a second a host gets, over all clients of the process; 0 is no limit.
	PerSecond float64
	// Gates hold the limits; nil are those of the process.
	Gates *Gates

	// MaxBody is the largest answer in bytes, also after inflating; 0 means 64 MiB.
	MaxBody int64
	// ChangeTimeout bounds one try of a changing request, 30 seconds at most and when 0. ReadTimeout bounds one try of
	// a reading one; 0 means 100 seconds.
	ChangeTimeout, ReadTimeout time.Duration

	// RootCAs replaces the system's roots, for the simulator; nil trusts the system's.
	RootCAs *x509.CertPool
	// Jar keeps cookies of a Client, for vendors that route by them; nil keeps none. New ignores it.
	Jar http.CookieJar
	// Secrets learns the credential's values and redacts errors; nil is the process's.
	Secrets *Secrets

	// Now, Sleep, Random (0 ≤ x < 1) and NewID are the world's; nil is the real one.
	Now    func() time.Time
	Sleep  func(context.Context, time.Duration) error
	Random func() float64
	NewID  func() string
	// Base sends one request; nil is an http.Transport of its own, which verifies TLS.
	Base http.RoundTripper
	// Around, when given, stands directly around Base and sees every try.
	Around func(http.RoundTripper) http.RoundTripper
}

const (
	defaultMaxBody       = 64 << 20
	defaultChangeTimeout = 30 * time.Second
	defaultReadTimeout   = 100 * time.Second
	defaultInFlight      = 4
)

func (o Options) withDefaults() Options {
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = defaultInFlight
	}
	if o.Gates == nil {
		o.Gates = processGates
	}
	if o.MaxBody <= 0 {
		o.MaxBody = defaultMaxBody
	}
	if o.ChangeTimeout <= 0 || o.ChangeTimeout > defaultChangeTimeout {
		o.ChangeTimeout = defaultChangeTimeout
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = defaultReadTimeout
	}
	if o.Secrets == nil {
		o.Secrets = processSecrets
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Random == nil {
		o.Random = mathrand.Float64
	}
	if o.NewID == nil {
		o.NewID = newID
	}
	if o.Base == nil {
		o.Base = base(o.RootCAs)
	}
	o.Base = &permitted{o.Base}
	if o.Around != nil {
		o.Base = o.Around(o.Base)
	}
	o.Retry = o.Retry.withDefaults()
	return o
}

// New returns the stages of Options as one RoundTripper, safe for concurrent use. Its errors are sanitized; those about
// a change whose outcome is unknown are *AmbiguousError. Answers hold their whole body, so that closing them is free.
func New(o Options) http.RoundTripper {
	o = o.withDefaults()
	allowed := newHosts(o.Hosts)
	var rt http.RoundTripper = &attempt{next: o.Base, maxBody: o.MaxBody, change: o.ChangeTimeout, read: o.ReadTimeout}
	rt = &authorize{next: rt, allowed: allowed, credential: o.Credential, secrets: o.Secrets}
	rt = &gated{next: rt, gates: o.Gates, inFlight: o.MaxInFlight, perSecond: o.PerSecond, now: o.Now, sleep: o.Sleep}
	rt = &redirect{next: rt, allowed: allowed}
	rt = &retry{next: rt, policy: o.Retry, transient: o.Transient, now: o.Now, sleep: o.Sleep, random: o.Random}
	return &admit{next: rt, allowed: allowed, agent: "weir/" + o.Version, newID: o.NewID, secrets: o.Secrets, maxBody: o.MaxBody}
}

// Client returns a client over New that follows no redirect by itself and has no timeout of its own: tries have theirs,
// and the caller's context bounds the whole.
func Client(o Options) *http.Client {
	return &http.Client{
		Transport:     New(o),
		Jar:           o.Jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// base is a transport of our own: http.DefaultTransport inflates by itself, which hides the status of an answer that
// only pretends to be gzip.
func base(roots *x509.CertPool) http.RoundTripper {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DisableCompression:    true,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
}

// admit is the outermost stage.
type admit struct {
	next    http.RoundTripper
	allowed hosts
	agent   string
	newID   func() string
	secrets *Secrets
	maxBody int64
}

// RoundTrip implements http.RoundTripper.
func (a *admit) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := a.trip(r)
	if err != nil {
		return nil, a.secrets.sanitize(err)
	}
	return response, nil
}

func (a *admit) trip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close() //nolint:errcheck // reading it told all there is to know
	}
	if err := a.allowed.check(r.URL); err != nil {
		return nil, err
	}
	clone := r.Clone(r.Context())
	if clone.Header == nil {
		clone.Header = http.Header{}
	}
	if r.Body != nil && r.Body != http.NoBody && r.GetBody == nil {
		body, err := io.ReadAll(io.LimitReader(r.Body, a.maxBody+1))
		if err != nil {
			return nil, fmt.Errorf("read the request body of %s %s: %w", r.Method, place(r.URL), err)
		}
		if int64(len(body)) > a.maxBody {
			return nil, fmt.Errorf("the request body of %s %s is larger than %d bytes", r.Method, place(r.URL), a.maxBody)
		}
		clone.ContentLength = int64(len(body))
		clone.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	clone.Body = nil // every try takes its own from GetBody
	if clone.Header.Get("User-Agent") == "" {
		clone.Header.Set("User-Agent", a.agent)
	}
	if clone.Header.Get(requestIDHeader) == "" {
		clone.Header.Set(requestIDHeader, a.newID())
	}
	return a.next.RoundTrip(clone)
}

// requestIDHeader is the correlation id that Graph and Exchange Online log and return.
const requestIDHeader = "client-request-id"

// renew is a fresh request for one try: same everything, body from the start.
func renew(r *http.Request) (*http.Request, error) {
	clone := r.Clone(r.Context())
	if r.GetBody == nil {
		return clone, nil
	}
	body, err := r.GetBody()
	if err != nil {
		return nil, fmt.Errorf("repeat the request body of %s %s: %w", r.Method, place(r.URL), err)
	}
	clone.Body = body
	return clone, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
