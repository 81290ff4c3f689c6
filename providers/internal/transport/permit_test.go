package transport

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestPermit: without leave no changing request is sent, not even a second try; reading needs none.
func TestPermit(t *testing.T) {
	gone := errors.New("gone")
	for _, c := range []struct {
		name, method string
		reading      bool
		leave        error
		late         bool
		sent         int
	}{
		{"may", http.MethodPost, false, nil, false, 1},
		{"may not", http.MethodPost, false, gone, false, 0},
		{"may not, only reads", http.MethodGet, false, gone, false, 1},
		{"may not, only reads by POST", http.MethodPost, true, gone, false, 1},
		{"too late", http.MethodPost, false, nil, true, 0},
		{"too late, only reads", http.MethodGet, false, nil, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			sent := 0
			next := &permitted{roundTripper(func(*http.Request) (*http.Response, error) {
				sent++
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
			})}
			ctx := Permit(t.Context(), func() error { return c.leave })
			if c.reading {
				ctx = Reading(ctx)
			}
			if c.late {
				ctx = pastDeadline{ctx}
			}
			request, err := http.NewRequestWithContext(ctx, c.method, "https://vendor.example/", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = next.RoundTrip(request) //nolint:bodyclose // there is none
			if sent != c.sent || (err == nil) != (sent == 1) {
				t.Errorf("sent %d, want %d: %v", sent, c.sent, err)
			}
			if c.leave != nil && err != nil && (!errors.Is(err, gone) || !final(err)) {
				t.Errorf("%v is not the permit's word, or would be tried again", err)
			}
		})
	}
}

// pastDeadline is a context whose timer has not told yet that its time is over.
type pastDeadline struct{ context.Context }

func (pastDeadline) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
