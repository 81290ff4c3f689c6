package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weir-project/weir/state/store/storetest"
)

// wire lets a test spoil HTTP exchanges below a client library, which retries by
// itself. Writes and reads of objects are numbered from 1; listings and deletes
// pass.
type wire struct {
	mu            sync.Mutex
	writes, reads int
	before        func(x exchange) (*http.Response, error) // an answer or error: the request is not sent
	after         func(x exchange, resp *http.Response) (*http.Response, error)
}

// exchange is one request as a fault sees it; one of write and read is its
// number, and both are 0 for the rest.
type exchange struct {
	*http.Request
	write, read int
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	x := exchange{Request: r}
	w.mu.Lock()
	switch {
	case r.Method == http.MethodPut, strings.Contains(r.URL.Path, "/upload/"):
		w.writes++
		x.write = w.writes
	case r.Method == http.MethodGet && !isListing(r):
		w.reads++
		x.read = w.reads
	}
	before, after := w.before, w.after
	w.mu.Unlock()
	if before != nil {
		if resp, err := before(x); resp != nil || err != nil {
			return resp, err
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && after != nil {
		return after(x, resp)
	}
	return resp, err
}

func isListing(r *http.Request) bool {
	q := r.URL.Query()
	return q.Get("comp") == "list" || q.Get("list-type") == "2" || strings.HasSuffix(r.URL.Path, "/o")
}

func (w *wire) count() (writes, reads int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writes, w.reads
}

// cloud is one running server and the driver for it.
type cloud struct {
	storetest.Place
	n atomic.Int32
}

// open returns a fresh part of the server's bucket, reached through transport.
func (c *cloud) open(transport http.RoundTripper) (Store, error) {
	return c.at(fmt.Sprintf("p%d/", c.n.Add(1)), transport)
}

func (c *cloud) at(prefix string, transport http.RoundTripper) (Store, error) {
	ctx := context.Background()
	scheme, name, _ := strings.Cut(c.URL, "://")
	switch scheme {
	case "azblob":
		access := azureFromEnvironment()
		access.transport = transport
		return openAzure(ctx, name, prefix, access)
	case "s3":
		return openS3(ctx, name, prefix, transport)
	case "gs":
		return openGCS(ctx, name, prefix, transport)
	}
	return nil, errors.New("no driver over HTTP")
}

// answer is what the service says with a status and a code of its own.
func (c *cloud) answer(r *http.Request, status int, code string) *http.Response {
	resp := &http.Response{
		StatusCode: status, Status: fmt.Sprint(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Request: r,
	}
	var body string
	switch scheme, _, _ := strings.Cut(c.URL, "://"); {
	case code == "":
	case scheme == "azblob":
		resp.Header.Set("X-Ms-Error-Code", code)
	case scheme == "s3":
		body = "<Error><Code>" + code + "</Code><Message>as injected</Message></Error>"
	default:
		body = fmt.Sprintf(`{"error":{"code":%d,"message":%q,"errors":[{"reason":"injected","message":%q}]}}`, status, code, code)
		resp.Header.Set("Content-Type", "application/json")
	}
	resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	return resp
}

// eachCloud runs a test against every server that is there, with its
// environment.
func eachCloud(t *testing.T, test func(*testing.T, *cloud)) {
	storetest.Each(t, func(t *testing.T, p storetest.Place) {
		if p.Name == "file" {
			t.Skip("not over HTTP")
		}
		p.Setenv(t)
		test(t, &cloud{Place: p})
	})
}

// atOnce calls f with 1 to n, several at a time: most of what is tested with
// faults is waiting.
func atOnce(n int, f func(i int)) {
	slots := make(chan struct{}, 16)
	var wg sync.WaitGroup
	for i := 1; i <= n; i++ {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	wg.Wait()
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }

// cutOff lets the first n bytes of a body through.
func cutOff(resp *http.Response, n int64) *http.Response {
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(resp.Body, n), brokenReader{}), resp.Body}
	return resp
}

// garbled flips one bit in the middle of a body.
func garbled(resp *http.Response) *http.Response {
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err == nil && len(body) > 0 {
		body[len(body)/2] ^= 1
	}
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	return resp
}

// transport is a function as a server.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answerRow is one answer of a service, and what it means to a read and to a
// swap.
type answerRow struct {
	name   string
	status int // 0 for none
	code   string
	read   error
	swap   error
	says   string // part of both errors
}

// answers checks how a driver sorts the answers of its service. Nothing listens.
func answers(t *testing.T, c *cloud, rows []answerRow) {
	kinds := []error{ErrAbsent, ErrConflict, ErrAmbiguous, ErrDenied, ErrUnavailable}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, err := c.at("", transport(func(r *http.Request) (*http.Response, error) {
				if row.status == 0 {
					return nil, errors.New("connection reset by peer")
				}
				return c.answer(r, row.status, row.code), nil
			}))
			if err != nil {
				t.Fatal(err)
			}
			check := func(what string, err, want error) {
				t.Helper()
				for _, kind := range kinds {
					if errors.Is(err, kind) != (kind == want) {
						t.Errorf("%s: %v, want %v alone", what, err, want)
					}
				}
				if err == nil || !strings.Contains(err.Error(), "t/contoso/") || want != ErrAbsent && want != ErrConflict && !strings.Contains(err.Error(), row.says) {
					t.Errorf("%s: %v does not say %q", what, err, row.says)
				}
			}
			_, _, err = s.Get(t.Context(), "t/contoso/head")
			check("read", err, row.read)
			_, err = s.Put(t.Context(), "t/contoso/head", []byte("x"), "1")
			check("swap", err, row.swap)
			if row.read != ErrAbsent {
				for _, err := range s.List(t.Context(), "t/contoso/") {
					check("list", err, row.read)
				}
			}
			if err := s.Remove(t.Context(), "t/contoso/head"); row.status != 404 || row.read == ErrAbsent {
				if (err == nil) != (row.read == ErrAbsent) {
					t.Errorf("remove: %v", err)
				}
			}
		})
	}
}

// wantError checks that an error says something, or that there is none if it
// should say nothing.
func wantError(t *testing.T, err error, says string) {
	t.Helper()
	switch {
	case says == "" && err != nil:
		t.Error(err)
	case says != "" && (err == nil || !strings.Contains(err.Error(), says)):
		t.Errorf("got %v, want an error about %s", err, says)
	case err != nil && strings.Contains(err.Error(), "secret"):
		t.Errorf("the error quotes a secret: %v", err)
	}
}

// TestRedirect points every driver elsewhere: nobody may go there.
func TestRedirect(t *testing.T) {
	awsSettings(t, map[string]string{"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"})
	t.Setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:1")
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/a")
	for _, url := range []string{"azblob://weir-state", "s3://weir-state", "gs://weir-state"} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			c := &cloud{Place: storetest.Place{URL: url}}
			s, err := c.at("", transport(func(r *http.Request) (*http.Response, error) {
				if r.URL.Host != "127.0.0.1:1" {
					t.Errorf("%s, %d: went to %s with %q", url, status, r.URL.Host, r.Header)
				}
				resp := c.answer(r, status, "Moved")
				resp.Header.Set("Location", "https://evil.example/")
				return resp, nil
			}))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Get(t.Context(), "t/a/head"); err == nil || errors.Is(err, ErrAbsent) {
				t.Errorf("%s, %d: read: %v, want an error", url, status, err)
			}
			if _, err := s.Put(t.Context(), "t/a/head", []byte("x"), ""); err == nil {
				t.Errorf("%s, %d: written", url, status)
			}
		}
	}
}
