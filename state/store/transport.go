package store

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// exchangeTimeout bounds one request with its answer, for a peer that is alive
// and silent. 8 MiB pass through 0.6 Mbit/s in it.
const exchangeTimeout = 2 * time.Minute

// storageClient returns the HTTP client of a driver, on top of base or, if that
// is nil, of the standard transport. It follows no redirect: these services
// answer for themselves, and what was signed for one host must not be sent to
// wherever an answer points.
func storageClient(base http.RoundTripper) *http.Client {
	if base == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.MaxIdleConnsPerHost = 16 // as many as read heads at once
		own.ResponseHeaderTimeout = 30 * time.Second
		base = own
	}
	return &http.Client{
		Transport:     base,
		Timeout:       exchangeTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// checkEndpoint refuses plain HTTP to anywhere but this machine, where emulators
// are.
func checkEndpoint(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return errors.New("the endpoint is not a URL such as https://storage.example")
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("the endpoint %s://%s is not encrypted; use https", u.Scheme, u.Host)
}

// login marks what comes of looking up credentials, which is done by client
// libraries in the middle of a request.
type login struct {
	worked atomic.Bool // once
}

// loginError is a failure to find or renew credentials.
type loginError struct {
	err  error
	away bool // they were there before, and whoever issues them cannot be reached now
}

func (e *loginError) Error() string { return "no credentials: " + e.err.Error() }
func (e *loginError) Unwrap() error { return e.err }

func (l *login) check(err error) error {
	if err == nil {
		l.worked.Store(true)
		return nil
	}
	var network net.Error
	return &loginError{err: err, away: l.worked.Load() && errors.As(err, &network)}
}

// kind is ErrDenied, unless trying again may help; then it is other.
func (e *loginError) kind(other error) error {
	if e.away {
		return other
	}
	return ErrDenied
}
