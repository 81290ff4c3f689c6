package resourcetest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Faults is an http.RoundTripper that makes calls fail as asked and counts those that changed something. It belongs
// between the client under test and the vendor. The zero value with a Base is ready. Safe for concurrent use.
type Faults struct {
	// Base sends the requests.
	Base http.RoundTripper
	// Reads tells a read from a changing call by the request and its body; nil takes GET and HEAD for reads. Vendors whose
	// reads are POSTs say more.
	Reads func(r *http.Request, body []byte) bool
	// Ignore leaves requests alone that are no vendor calls, such as those for tokens; nil ignores none.
	Ignore func(r *http.Request) bool

	mu      sync.Mutex
	fault   Fault
	changed int
}

// Set makes the calls that follow fail so; None ends it.
func (f *Faults) Set(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// Changed counts the changing calls that the vendor answered with success, lost answers included.
func (f *Faults) Changed() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

// nobody is an address at which nothing listens: port 1 is reserved.
const nobody = "127.0.0.1:1"

// errLost is a connection that broke after the request was sent.
var errLost = errors.New("connection reset after the request was sent")

// RoundTrip sends the request, or fails as asked.
func (f *Faults) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.Ignore != nil && f.Ignore(r) {
		return f.Base.RoundTrip(r)
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	if f.Reads != nil {
		read = f.Reads(r, body)
	}
	f.mu.Lock()
	fault := f.fault
	f.mu.Unlock()
	switch fault {
	case Throttled:
		return answer(r, http.StatusTooManyRequests, `{"error":{"code":"TooManyRequests","message":"throttled"},"errors":[{"status":429,"error_message":"throttled","identifier":""}]}`), nil
	case Denied:
		return answer(r, http.StatusUnauthorized, `{"error":{"code":"Unauthorized","message":"denied"},"errors":[{"status":401,"error_message":"denied","identifier":""}]}`), nil
	case ServerError:
		return answer(r, http.StatusInternalServerError, `{"error":{"code":"InternalServerError","message":"broken"},"errors":[{"status":500,"error_message":"broken","identifier":""}]}`), nil
	case Unreachable:
		// A true failure to connect, so that whoever watches the connection sees that nothing was sent.
		away := r.Clone(r.Context())
		away.URL.Host = nobody
		resp, err := f.Base.RoundTrip(away)
		if err == nil {
			_ = resp.Body.Close()
			err = errors.New(nobody + " answered")
		}
		return nil, err
	}
	if read {
		switch fault {
		case HTMLPage:
			resp := answer(r, http.StatusOK, "<!DOCTYPE html><html><body>Please sign in</body></html>")
			resp.Header.Set("Content-Type", "text/html")
			return resp, nil
		case EmptyBody:
			return answer(r, http.StatusOK, ""), nil
		}
	}
	resp, err := f.Base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if !read && resp.StatusCode < 300 {
		f.mu.Lock()
		f.changed++
		f.mu.Unlock()
		if fault == LostAnswer {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			return nil, errLost
		}
	}
	if read && fault == Truncated {
		whole, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return nil, err
		}
		half := answer(r, resp.StatusCode, string(whole[:len(whole)/2]))
		half.Header.Set("Content-Type", resp.Header.Get("Content-Type"))
		return half, nil
	}
	return resp, nil
}

func answer(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Status: strconv.Itoa(status) + " " + http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": []string{"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)), Request: r,
	}
}
