package transport

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// bench is a TLS server, a clock that sleeping moves, and the Options that reach them.
type bench struct {
	t      *testing.T
	server *httptest.Server
	o      Options

	mu     sync.Mutex
	now    time.Time
	sleeps []time.Duration
	seen   []string // method, path, body of each request
}

func newBench(t *testing.T, handler func(n int, w http.ResponseWriter, r *http.Request)) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	b.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		b.seen = append(b.seen, r.Method+" "+r.URL.RequestURI()+" "+string(body))
		n := len(b.seen)
		b.mu.Unlock()
		handler(n, w, r)
	}))
	b.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	b.server.StartTLS()
	t.Cleanup(b.server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(b.server.Certificate())
	b.o = Options{
		Hosts: []string{b.host()}, RootCAs: roots, Version: "1.2", Gates: &Gates{}, Secrets: &Secrets{},
		Random: func() float64 { return 0.5 },
		NewID:  func() string { return "11111111-2222-4333-8444-555555555555" },
		Now: func() time.Time {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.now
		},
		Sleep: func(ctx context.Context, d time.Duration) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.sleeps = append(b.sleeps, d)
			b.now = b.now.Add(d)
			return ctx.Err()
		},
	}
	return b
}

func (b *bench) host() string { return strings.TrimPrefix(b.server.URL, "https://") }

func (b *bench) do(ctx context.Context, method, path, body string) (*http.Response, string, error) {
	b.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, b.server.URL+path, in)
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := Client(b.o).Do(r)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = response.Body.Close() }()
	out, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response, string(out), nil
}

// drop ends a connection without an answer.
func drop(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func TestWhatIsRepeated(t *testing.T) {
	const lost = -1
	answer := func(status int, header ...string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "answer")
		}
	}
	transient := func(w http.ResponseWriter) {
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"error":"|Microsoft.Exchange.Data.ServerBusyException|later"}`)
	}
	tests := []struct {
		name       string
		method     string
		repeatable bool
		first      func(http.ResponseWriter)
		requests   int
		status     int // lost: *AmbiguousError
	}{
		{"GET 500", "GET", false, answer(500), 2, 200},
		{"GET 502", "GET", false, answer(502), 2, 200},
		{"GET 503", "GET", false, answer(503), 2, 200},
		{"GET 504", "GET", false, answer(504), 2, 200},
		{"GET 408", "GET", false, answer(408), 2, 200},
		{"GET 429", "GET", false, answer(429), 2, 200},
		{"GET dropped", "GET", false, drop, 2, 200},
		{"GET 404 is an answer", "GET", false, answer(404), 1, 404},
		{"GET 501 is an answer", "GET", false, answer(501), 1, 501},
		{"GET transient 400", "GET", false, transient, 2, 200},
		{"POST 200", "POST", false, answer(200), 1, 200},
		{"POST 429 with Retry-After", "POST", false, answer(429, "Retry-After", "3"), 2, 200},
		{"POST 503 with Retry-After", "POST", false, answer(503, "Retry-After", "3"), 2, 200},
		{"POST 503 without", "POST", false, answer(503), 1, 503},
		{"POST 500", "POST", false, answer(500), 1, 500},
		{"POST 408", "POST", false, answer(408), 1, 408},
		{"POST transient 400", "POST", false, transient, 1, 400},
		{"POST 502", "POST", false, answer(502), 1, lost},
		{"POST 504", "POST", false, answer(504), 1, lost},
		{"POST dropped", "POST", false, drop, 1, lost},
		{"PUT dropped", "PUT", false, drop, 1, lost},
		{"PATCH dropped", "PATCH", false, drop, 1, lost},
		{"DELETE dropped", "DELETE", false, drop, 1, lost},
		{"repeatable POST dropped", "POST", true, drop, 2, 200},
		{"repeatable POST 504", "POST", true, answer(504), 2, 200},
		{"repeatable POST 500", "POST", true, answer(500), 2, 200},
		{"repeatable POST transient 400", "POST", true, transient, 2, 200},
		{"repeatable POST 400", "POST", true, answer(400), 1, 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, func(n int, w http.ResponseWriter, _ *http.Request) {
				if n == 1 {
					tt.first(w)
				}
			})
			b.o.Transient = ExchangeTransient
			ctx := context.Background()
			if tt.repeatable {
				ctx = Repeatable(ctx)
			}
			body := ""
			if tt.method != "GET" {
				body = "secret-body"
			}
			response, _, err := b.do(ctx, tt.method, "/x?token=1", body)
			if len(b.seen) != tt.requests {
				t.Fatalf("%d requests, want %d", len(b.seen), tt.requests)
			}
			for _, seen := range b.seen {
				if seen != tt.method+" /x?token=1 "+body {
					t.Errorf("sent %q", seen)
				}
			}
			if len(b.sleeps) != tt.requests-1 {
				t.Errorf("slept %v", b.sleeps)
			}
			var ambiguous *AmbiguousError
			if tt.status == lost {
				if !errors.As(err, &ambiguous) {
					t.Fatalf("got %v, %v; want an ambiguous error", response, err)
				}
				if strings.Contains(ambiguous.Error(), "secret-body") || strings.Contains(ambiguous.Error(), "token=1") || ambiguous.RequestID == "" {
					t.Errorf("error %q", ambiguous)
				}
				return
			}
			if err != nil || response.StatusCode != tt.status {
				t.Fatalf("got %v, %v; want %d", response, err, tt.status)
			}
		})
	}
}

// TestReadingPost: a POST that only reads is repeated as a GET is, and what becomes of it is never in doubt.
func TestReadingPost(t *testing.T) {
	b := newBench(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n < 3 {
			drop(w)
		}
	})
	if response, _, err := b.do(Reading(context.Background()), "POST", "/token", "x"); err != nil || response.StatusCode != 200 || len(b.seen) != 3 {
		t.Fatalf("%v after %d requests", err, len(b.seen))
	}
	b = newBench(t, func(_ int, w http.ResponseWriter, _ *http.Request) { drop(w) })
	var ambiguous *AmbiguousError
	if _, _, err := b.do(Reading(context.Background()), "POST", "/token", "x"); err == nil || errors.As(err, &ambiguous) || len(b.seen) != 5 {
		t.Fatalf("%v after %d requests", err, len(b.seen))
	}
}

func TestLostThenRefused(t *testing.T) {
	// The first try may have taken effect; a refusal of the second says nothing about the first.
	b := newBench(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			drop(w)
			return
		}
		w.WriteHeader(503)
	})
	b.o.Retry.Attempts = 3
	_, _, err := b.do(Repeatable(context.Background()), "DELETE", "/x", "")
	var ambiguous *AmbiguousError
	if !errors.As(err, &ambiguous) || ambiguous.Status != 503 || len(b.seen) != 3 {
		t.Fatalf("%v after %d requests", err, len(b.seen))
	}
	// And its twin: an answer that tells settles it.
	b = newBench(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			drop(w)
			return
		}
		w.WriteHeader(404)
	})
	response, _, err := b.do(Repeatable(context.Background()), "DELETE", "/x", "")
	if err != nil || response.StatusCode != 404 {
		t.Fatalf("%v %v", response, err)
	}
}

func TestTruncatedAnswer(t *testing.T) {
	cut := func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
			return
		}
		_, _ = io.WriteString(w, "whole")
	}
	b := newBench(t, cut)
	if _, body, err := b.do(context.Background(), "GET", "/", ""); err != nil || body != "whole" {
		t.Fatalf("%q %v", body, err)
	}
	b = newBench(t, cut)
	var ambiguous *AmbiguousError
	if _, _, err := b.do(context.Background(), "POST", "/", "x"); !errors.As(err, &ambiguous) {
		t.Fatalf("%v", err)
	}
}

func TestDeadlineOfOneTry(t *testing.T) {
	release := make(chan struct{})
	slow := func(n int, _ http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			<-release
		}
	}
	b := newBench(t, slow)
	t.Cleanup(func() { close(release) }) // runs before the server closes
	b.o.ReadTimeout, b.o.ChangeTimeout = 50*time.Millisecond, 50*time.Millisecond
	if response, _, err := b.do(context.Background(), "GET", "/", ""); err != nil || response.StatusCode != 200 {
		t.Fatalf("a read is repeated: %v", err)
	}
	b.mu.Lock()
	b.seen = nil
	b.mu.Unlock()
	var ambiguous *AmbiguousError
	_, _, err := b.do(context.Background(), "POST", "/", "x")
	if !errors.As(err, &ambiguous) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v", err)
	}
	if got := (Options{ChangeTimeout: time.Hour}).withDefaults().ChangeTimeout; got != 30*time.Second {
		t.Errorf("a change gets %v", got)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	b := newBench(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // an answer now could still be read before the client has closed, and would count
	})
	var ambiguous *AmbiguousError
	if _, _, err := b.do(ctx, "POST", "/", "x"); !errors.As(err, &ambiguous) || !errors.Is(err, context.Canceled) {
		t.Fatalf("in flight: %v", err)
	}
	if _, _, err := b.do(ctx, "POST", "/", "x"); errors.As(err, &ambiguous) || !errors.Is(err, context.Canceled) || len(b.seen) != 1 {
		t.Fatalf("before: %v", err)
	}
}

func TestNeverSent(t *testing.T) {
	// A refused connection proves that nothing was done, also for a POST.
	b := newBench(t, func(int, http.ResponseWriter, *http.Request) {})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := listener.Addr().String()
	_ = listener.Close()
	b.o.Hosts = append(b.o.Hosts, free)
	b.o.Retry.Attempts = 3
	_, err = Client(b.o).Post("https://"+free+"/", "text/plain", strings.NewReader("x"))
	var ambiguous *AmbiguousError
	if err == nil || errors.As(err, &ambiguous) || len(b.sleeps) != 2 {
		t.Fatalf("%v after %v", err, b.sleeps)
	}
	// A certificate that does not verify will not verify later.
	b.sleeps, b.o.RootCAs = nil, x509.NewCertPool()
	if _, _, err := b.do(context.Background(), "POST", "/", "x"); err == nil || errors.As(err, &ambiguous) || len(b.sleeps) != 0 || len(b.seen) != 0 {
		t.Fatalf("%v after %v", err, b.sleeps)
	}
}

func TestPauses(t *testing.T) {
	tests := []struct {
		name   string
		after  []string // Retry-After of each answer
		policy Retry
		random float64
		want   []time.Duration
	}{
		{"doubling", []string{"", "", "", ""}, Retry{}, 0.5, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}},
		{"least jitter", []string{""}, Retry{}, 0, []time.Duration{800 * time.Millisecond}},
		{"cap", []string{"", "", ""}, Retry{Base: 20 * time.Second}, 0.5, []time.Duration{20 * time.Second, 30 * time.Second, 30 * time.Second}},
		{"asked", []string{"7"}, Retry{}, 0, []time.Duration{7 * time.Second}},
		{"fraction", []string{"0.25"}, Retry{}, 0, []time.Duration{250 * time.Millisecond}},
		{"date", []string{"Sat, 21 Nov 2026 12:00:09 GMT"}, Retry{}, 0, []time.Duration{9 * time.Second}},
		{"past date", []string{"Sat, 21 Nov 2020 12:00:09 GMT"}, Retry{}, 0, []time.Duration{0}},
		{"nonsense", []string{"soon"}, Retry{}, 0.5, []time.Duration{time.Second}},
		{"negative", []string{"-5"}, Retry{}, 0.5, []time.Duration{time.Second}},
		{"a date that is ages away", []string{"Fri, 31 Dec 9999 23:59:59 GMT"}, Retry{}, 0.5, nil},
		{"seconds without end", []string{"1e300"}, Retry{}, 0.5, nil},
		{"over the budget", []string{"121"}, Retry{}, 0, nil},
		{"within the budget", []string{"119"}, Retry{}, 0, []time.Duration{119 * time.Second}},
		{"budget used up", []string{"70", "70"}, Retry{}, 0, []time.Duration{70 * time.Second}},
		{"tries used up", []string{"", "", ""}, Retry{Attempts: 2}, 0.5, []time.Duration{time.Second}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, func(n int, w http.ResponseWriter, _ *http.Request) {
				if n <= len(tt.after) {
					if tt.after[n-1] != "" {
						w.Header().Set("Retry-After", tt.after[n-1])
					}
					w.WriteHeader(429)
				}
			})
			b.o.Retry = tt.policy
			b.o.Random = func() float64 { return tt.random }
			response, _, err := b.do(context.Background(), "GET", "/", "")
			if err != nil || !slices.Equal(b.sleeps, tt.want) {
				t.Fatalf("slept %v, want %v (%v)", b.sleeps, tt.want, err)
			}
			want := 200
			if len(tt.want) < len(tt.after) {
				want = 429 // the answer is returned as it came
			}
			if response.StatusCode != want {
				t.Errorf("status %d, want %d", response.StatusCode, want)
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		b := newBench(t, nil)
		b.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/front" {
				http.Redirect(w, r, "/region?q=1", status)
				return
			}
			body, _ := io.ReadAll(r.Body)
			_, _ = fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.URL.RequestURI(), r.Header.Get("X-Kept"), r.Header.Get("X-Password"), body)
		})
		b.o.Credential = EssentialsPassword("u", "hunter22")
		r, err := http.NewRequest("POST", b.server.URL+"/front", strings.NewReader("payload"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Kept", "kept")
		response, err := Client(b.o).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		if string(body) != "POST /region?q=1 kept hunter22 payload" {
			t.Errorf("%d: %s", status, body)
		}
		if response.Request.URL.Path != "/region" || response.Request.Header.Get("X-Password") != "" {
			t.Errorf("%d: the answer's request is %v", status, response.Request)
		}
	}
}

func TestRedirectElsewhere(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	name := strings.TrimPrefix(other.URL, "https://")
	for _, method := range []string{"GET", "POST"} {
		b := newBench(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/steal", http.StatusTemporaryRedirect)
		})
		b.o.RootCAs.AddCert(other.Certificate())
		b.o.Credential = EssentialsPassword("u", "hunter22")
		_, _, err := b.do(context.Background(), method, "/", "")
		var host *HostError
		var ambiguous *AmbiguousError
		if !errors.As(err, &host) || errors.As(err, &ambiguous) || !strings.Contains(err.Error(), name) || host.From != b.host() || elsewhere.Load() != 0 || len(b.seen) != 1 {
			t.Fatalf("%s: %v (%d went elsewhere)", method, err, elsewhere.Load())
		}
		// Twin: an allowed host gets the request.
		b.o.Hosts = append(b.o.Hosts, name)
		if _, _, err := b.do(context.Background(), method, "/", ""); err != nil || elsewhere.Swap(0) != 1 {
			t.Fatalf("%s allowed: %v", method, err)
		}
	}
	for _, location := range []string{"http://" + name + "/", "https://user:pw@" + name + "/", "https://[", "/again"} {
		b := newBench(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(302)
		})
		b.o.Hosts = append(b.o.Hosts, name)
		var host *HostError
		if _, _, err := b.do(context.Background(), "GET", "/", ""); !errors.As(err, &host) || strings.Contains(err.Error(), "user:pw") {
			t.Errorf("%s: %v", location, err)
		}
	}
}

// recorder is a base that answers without a network.
type recorder func(*http.Request) (*http.Response, error)

func (f recorder) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestInnerPort(t *testing.T) {
	var asked []string
	rt := New(Options{
		Hosts: []string{"outlook.office365.com", "*.outlook.office365.com"}, Gates: &Gates{},
		Base: recorder(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.URL.String())
			response := &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}
			if len(asked) == 1 {
				response.StatusCode = 302
				response.Header.Set("Location", "https://nam12.outlook.office365.com:446/adminapi/x")
			}
			return response, nil
		}),
	})
	r, _ := http.NewRequest("POST", "https://outlook.office365.com/adminapi/x", strings.NewReader("{}"))
	if _, err := rt.RoundTrip(r); err != nil || !slices.Equal(asked, []string{"https://outlook.office365.com/adminapi/x", "https://nam12.outlook.office365.com:443/adminapi/x"}) {
		t.Fatalf("%v %v", asked, err)
	}
	if r.Header.Get("User-Agent") != "" || r.URL.Host != "outlook.office365.com" {
		t.Error("the caller's request was written to")
	}
}

func TestHosts(t *testing.T) {
	h := newHosts([]string{"Graph.Microsoft.com", "*.outlook.office365.com", "127.0.0.1:8443", "[::1]:9", "*", "*evil.com", ""})
	tests := map[string]bool{
		"https://graph.microsoft.com/v1.0":           true,
		"https://GRAPH.microsoft.com.:443/":          true,
		"https://graph.microsoft.com:444/":           false,
		"http://graph.microsoft.com/":                false,
		"https://graph.microsoft.com@evil.com/":      false,
		"https://a@graph.microsoft.com/":             false,
		"https://xgraph.microsoft.com/":              false,
		"https://graph.microsoft.com.evil.com/":      false,
		"https://nam12.outlook.office365.com/":       true,
		"https://a.b.outlook.office365.com/":         true,
		"https://outlook.office365.com/":             false,
		"https://evil-outlook.office365.com/":        false,
		"https://nam12.outlook.office365.com:8443/":  false,
		"https://127.0.0.1:8443/x":                   true,
		"https://127.0.0.1/x":                        false,
		"https://[::1]:9/":                           true,
		"https://notevil.com/":                       false,
		"https://anything.example/":                  false,
		"https:///nothing":                           false,
		"//graph.microsoft.com/":                     false,
		"https://nam12.outlook.office365.com.x.org/": false,
	}
	for raw, want := range tests {
		r, err := http.NewRequest("GET", raw, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.check(r.URL); (err == nil) != want {
			t.Errorf("%s: %v, want allowed=%v", raw, err, want)
		}
	}
	if err := newHosts(nil).check(mustURL(t, "https://graph.microsoft.com/")); err == nil {
		t.Error("without hosts nothing is reachable")
	}
}

func TestNothingLeavesTheHosts(t *testing.T) {
	sent := 0
	o := Options{
		Hosts: []string{"api.example"}, Credential: EssentialsPassword("u", "hunter22"), Gates: &Gates{}, Secrets: &Secrets{},
		Base: recorder(func(r *http.Request) (*http.Response, error) {
			sent++
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		}),
	}
	for raw, want := range map[string]int{"https://other.example/": 0, "http://api.example/": 0, "https://api.example/": 1} {
		sent = 0
		_, err := Client(o).Get(raw)
		var host *HostError
		if sent != want || errors.As(err, &host) != (want == 0) {
			t.Errorf("%s: sent %d, %v", raw, sent, err)
		}
	}
}

type tokens struct {
	claims []string
	err    error
}

func (s *tokens) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	s.claims = append(s.claims, strings.Join(o.Scopes, " ")+"|"+o.Claims)
	return azcore.AccessToken{Token: fmt.Sprintf("opaque-token-%d", len(s.claims))}, s.err
}

func TestBearer(t *testing.T) {
	var authorizations []string
	challenged := base64.StdEncoding.EncodeToString([]byte(`{"access_token":{"nbf":{}}}`))
	b := newBench(t, func(n int, w http.ResponseWriter, r *http.Request) {
		authorizations = append(authorizations, r.Header.Get("Authorization"))
		if n == 1 {
			w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_claims", claims="`+challenged+`"`)
			w.WriteHeader(401)
		}
	})
	source := &tokens{}
	b.o.Credential = Bearer(source, "https://outlook.office365.com/.default")
	response, _, err := b.do(context.Background(), "POST", "/", "payload")
	if err != nil || response.StatusCode != 200 {
		t.Fatal(response, err)
	}
	if !slices.Equal(authorizations, []string{"Bearer opaque-token-1", "Bearer opaque-token-2"}) || b.seen[1] != "POST / payload" {
		t.Errorf("%v %v", authorizations, b.seen)
	}
	if want := `https://outlook.office365.com/.default|{"access_token":{"nbf":{}}}`; source.claims[1] != want {
		t.Errorf("asked for %q", source.claims)
	}
	if got := b.o.Secrets.Redact("saw opaque-token-2"); got != "saw [redacted]" {
		t.Error(got)
	}
	// A 401 without claims is an answer.
	b = newBench(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) })
	b.o.Credential = Bearer(&tokens{}, "s")
	if response, _, err := b.do(context.Background(), "POST", "/", "x"); err != nil || response.StatusCode != 401 || len(b.seen) != 1 {
		t.Fatal(response, err)
	}
	// Without a token nothing is sent, and nothing is ambiguous.
	b.o.Credential = Bearer(&tokens{err: errors.New(`AADSTS7000215 for {"client_secret":"hunter22"}`)}, "s")
	_, _, err = b.do(context.Background(), "POST", "/", "x")
	var credential *CredentialError
	var ambiguous *AmbiguousError
	if !errors.As(err, &credential) || errors.As(err, &ambiguous) || strings.Contains(err.Error(), "hunter22") || len(b.seen) != 1 || len(b.sleeps) != 0 {
		t.Fatal(err)
	}
}

func TestHeadersOfEveryRequest(t *testing.T) {
	var got http.Header
	b := newBench(t, func(_ int, _ http.ResponseWriter, r *http.Request) { got = r.Header })
	b.o.Credential = EssentialsPassword("admin@contoso.com", "hunter22")
	if _, _, err := b.do(context.Background(), "GET", "/", ""); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"X-User": "admin@contoso.com", "X-Password": "hunter22", "X-Terms-Update": "true", "User-Agent": "weir/1.2",
		"Client-Request-Id": "11111111-2222-4333-8444-555555555555", "Accept-Encoding": "",
	} {
		if got.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Get(name), want)
		}
	}
	if a, b := newID(), newID(); a == b || len(a) != 36 || a[14] != '4' {
		t.Errorf("ids %s %s", a, b)
	}
}

func TestGzip(t *testing.T) {
	zip := func(s string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, s)
		_ = w.Close()
		return b.Bytes()
	}
	bomb := zip(strings.Repeat("0", 1<<20))
	tests := []struct {
		name   string
		body   []byte
		status int
		want   string
		err    bool
	}{
		{"false gzip of the 403", make([]byte, 1245), 403, string(make([]byte, 1245)), false},
		{"empty", nil, 403, "", false},
		{"gzip", zip("hello"), 200, "hello", false},
		{"bomb", bomb, 200, "", true},
		{"broken gzip", []byte{0x1f, 0x8b, 1}, 200, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				w.WriteHeader(tt.status)
				_, _ = w.Write(tt.body)
			})
			b.o.MaxBody, b.o.Retry.Attempts = 1<<16, 1
			response, body, err := b.do(context.Background(), "GET", "/", "")
			if (err != nil) != tt.err {
				t.Fatal(err)
			}
			if err == nil && (response.StatusCode != tt.status || body != tt.want || response.Header.Get("Content-Encoding") != "") {
				t.Errorf("%d %q", response.StatusCode, body)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	for _, size := range []int{100, 101} {
		b := newBench(t, func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, size)) })
		b.o.MaxBody = 100
		_, body, err := b.do(context.Background(), "GET", "/", "")
		var large *TooLargeError
		if errors.As(err, &large) != (size > 100) || err == nil && len(body) != size || len(b.seen) != 1 {
			t.Errorf("%d: %v after %d requests", size, err, len(b.seen))
		}
	}
}

func TestGate(t *testing.T) {
	var now, most atomic.Int32
	arrived, release := make(chan struct{}, 20), make(chan struct{})
	b := newBench(t, func(int, http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		arrived <- struct{}{}
		<-release
		now.Add(-1)
	})
	b.o.MaxInFlight = 3
	var wait sync.WaitGroup
	for range 10 {
		// Clients of their own share the host's gate.
		client := Client(b.o)
		wait.Go(func() {
			response, err := client.Get(b.server.URL)
			if err != nil {
				t.Error(err)
				return
			}
			_ = response.Body.Close()
		})
	}
	for range 3 {
		<-arrived
	}
	// A waiting caller can give up; its place is not lost.
	ctx, cancel := context.WithCancel(context.Background())
	gaveUp := make(chan error)
	go func() {
		_, _, err := b.do(ctx, "POST", "/", "x")
		gaveUp <- err
	}()
	cancel()
	err := <-gaveUp
	var ambiguous *AmbiguousError
	if !errors.Is(err, context.Canceled) || errors.As(err, &ambiguous) {
		t.Error(err)
	}
	close(release)
	wait.Wait()
	if most.Load() != 3 {
		t.Errorf("%d in flight, want 3", most.Load())
	}
	g := b.o.Gates.of(b.host(), 3, 0)
	if g.inFlight != 0 || len(g.waiting) != 0 {
		t.Errorf("left behind: %+v", g)
	}
}

func TestRate(t *testing.T) {
	b := newBench(t, func(int, http.ResponseWriter, *http.Request) {})
	b.o.PerSecond = 2
	for range 3 {
		if _, _, err := b.do(context.Background(), "GET", "/", ""); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(b.sleeps, []time.Duration{500 * time.Millisecond, 500 * time.Millisecond}) {
		t.Errorf("slept %v", b.sleeps)
	}
}

func TestBodyWithoutGetBody(t *testing.T) {
	b := newBench(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(429)
		}
	})
	r, err := http.NewRequest("PUT", b.server.URL, io.MultiReader(strings.NewReader("a"), strings.NewReader("b")))
	if err != nil {
		t.Fatal(err)
	}
	response, err := Client(b.o).Do(r)
	if err != nil || response.StatusCode != 200 || !slices.Equal(b.seen, []string{"PUT / ab", "PUT / ab"}) {
		t.Fatal(response, err, b.seen)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	var connections atomic.Int32
	b := newBench(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n < 3 {
			w.WriteHeader(503)
			_, _ = w.Write(make([]byte, 100_000))
		}
	})
	b.o.Base = base(b.o.RootCAs)
	counted := b.o.Base.(*http.Transport)
	counted.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		connections.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	if _, _, err := b.do(context.Background(), "GET", "/", ""); err != nil || len(b.seen) != 3 || connections.Load() != 1 {
		t.Errorf("%v: %d requests over %d connections", err, len(b.seen), connections.Load())
	}
	if !counted.DisableCompression || counted.TLSClientConfig.InsecureSkipVerify || counted.TLSClientConfig.MinVersion < 0x0303 {
		t.Error("the base transport is too lax")
	}
}

func TestExchangeTransient(t *testing.T) {
	for body, want := range map[string]bool{
		"x CmdletProxyNotAvailableFailure y": true, "|Microsoft.ServerBusyException|": true, "TransientException": true,
		"BackendCommunicationException": true, "UnableToWriteToAad": true, "ManagementObjectNotFoundException": false, "": false,
	} {
		for status, counts := range map[int]bool{400: true, 500: true, 404: false, 200: false} {
			if got := ExchangeTransient(status, []byte(body)); got != (want && counts) {
				t.Errorf("%d %q: %v", status, body, got)
			}
		}
	}
}
