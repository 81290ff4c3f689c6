package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/store/storetest"
)

// wire lets a test spoil HTTP exchanges below the client library, which retries
// by itself.
type wire struct {
	mu     sync.Mutex
	puts   int
	before func(r *http.Request, put int) (*http.Response, error)
	after  func(r *http.Request, put int, resp *http.Response) (*http.Response, error)
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	put := 0
	if r.Method == http.MethodPut {
		w.puts++
		put = w.puts
	}
	before, after := w.before, w.after
	w.mu.Unlock()
	if before != nil {
		if resp, err := before(r, put); resp != nil || err != nil {
			return resp, err
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && after != nil {
		return after(r, put, resp)
	}
	return resp, err
}

func answer(r *http.Request, status int, code string) *http.Response {
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"X-Ms-Error-Code": {code}}, Body: http.NoBody, Request: r,
	}
}

// TestAzureFaults spoils every single write of a tenant's life in each way.
func TestAzureFaults(t *testing.T) {
	connection := storetest.Azurite(t, "weir-faults")
	run := 0
	scenario := func(w *wire) error {
		run++
		s, err := openAzure(context.Background(), "weir-faults", fmt.Sprintf("p%d/", run), azureAccess{connection: connection, transport: w})
		if err != nil {
			return err
		}
		b := NewBucket(s, Options{})
		b.probed = true
		tn, err := b.Tenant("contoso")
		if err != nil {
			return err
		}
		l, err := tn.Acquire(context.Background(), Holder{Run: "run-1"}, options())
		if err != nil {
			return err
		}
		err = errors.Join(
			l.Intend(context.Background(), []state.Intent{intent(1)}),
			l.Record(context.Background(), []state.Outcome{done(1)}),
			l.Checkpoint(context.Background()),
			l.Record(context.Background(), []state.Outcome{done(2)}),
			l.Release(context.Background()))
		if err != nil {
			return err
		}
		st, err := tn.State(context.Background())
		if err == nil && (len(st.Objects) != 2 || len(st.InDoubt) != 0) {
			err = fmt.Errorf("%d objects, %d in doubt", len(st.Objects), len(st.InDoubt))
		}
		return err
	}
	counter := &wire{}
	if err := scenario(counter); err != nil {
		t.Fatal(err)
	}
	writes := counter.puts
	for _, fault := range []struct {
		name   string
		before func(*http.Request) (*http.Response, error)
		after  func(*http.Request, *http.Response) (*http.Response, error)
	}{
		{name: "answer lost", after: func(_ *http.Request, resp *http.Response) (*http.Response, error) {
			_ = resp.Body.Close()
			return nil, errors.New("connection reset by peer")
		}},
		{name: "503 after the effect", after: func(r *http.Request, resp *http.Response) (*http.Response, error) {
			_ = resp.Body.Close()
			return answer(r, 503, "ServerBusy"), nil
		}},
		{name: "503 without it", before: func(r *http.Request) (*http.Response, error) { return answer(r, 503, "ServerBusy"), nil }},
		{name: "429", before: func(r *http.Request) (*http.Response, error) { return answer(r, 429, ""), nil }},
		{name: "409 of another kind", before: func(r *http.Request) (*http.Response, error) { return answer(r, 409, "OperationTimedOut"), nil }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			for n := 1; n <= writes; n++ {
				w := &wire{}
				w.before = func(r *http.Request, put int) (*http.Response, error) {
					if put == n && fault.before != nil {
						return fault.before(r)
					}
					return nil, nil
				}
				w.after = func(r *http.Request, put int, resp *http.Response) (*http.Response, error) {
					if put == n && fault.after != nil {
						return fault.after(r, resp)
					}
					return resp, nil
				}
				if err := scenario(w); err != nil {
					t.Errorf("write %d of %d: %v", n, writes, err)
				}
			}
		})
	}
}

func TestAzureReadFaults(t *testing.T) {
	connection := storetest.Azurite(t, "weir-reads")
	w := &wire{}
	s, err := openAzure(t.Context(), "weir-reads", "", azureAccess{connection: connection, transport: w})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "t/contoso/x", strings.Repeat("x", 1000), "")
	isGet := func(r *http.Request) bool { return r.Method == http.MethodGet }
	for _, row := range []struct {
		name string
		want error
		code int
		text string
	}{
		{"denied", ErrDenied, 403, "AuthorizationFailure"},
		{"not signed in", ErrDenied, 401, "NoAuthenticationInformation"},
		{"no such container", ErrDenied, 404, "ContainerNotFound"},
		{"a 404 that says nothing", ErrDenied, 404, ""},
		{"no such blob", ErrAbsent, 404, "BlobNotFound"},
		{"busy", ErrUnavailable, 503, "ServerBusy"},
		{"broken", ErrUnavailable, 500, "InternalError"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.before = func(r *http.Request, _ int) (*http.Response, error) {
				if isGet(r) {
					return answer(r, row.code, row.text), nil
				}
				return nil, nil
			}
			_, _, err := s.Get(t.Context(), "t/contoso/x")
			if !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
			if absent := errors.Is(err, ErrAbsent); absent != (row.want == ErrAbsent) {
				t.Errorf("a failed read is not an absent object: %v", err)
			}
		})
	}
	w.before = nil
	w.after = func(r *http.Request, _ int, resp *http.Response) (*http.Response, error) {
		if isGet(r) {
			resp.Body = io.NopCloser(io.MultiReader(io.LimitReader(resp.Body, 10), brokenReader{}))
		}
		return resp, nil
	}
	if _, _, err := s.Get(t.Context(), "t/contoso/x"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a body that breaks off: %v, want ErrUnavailable", err)
	}
	w.after = nil
	if body, _ := get(t, s, "t/contoso/x"); len(body) != 1000 {
		t.Errorf("%d bytes, want 1000", len(body))
	}

	missing, err := openAzure(t.Context(), "no-such-container", "", azureAccess{connection: connection})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tenant(t, missing, SystemClock()).State(t.Context()); !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "make it first") {
		t.Errorf("no container: %v, want what to do", err)
	}
	wrong := strings.Replace(connection, "AccountKey=Eby8", "AccountKey=AAAA", 1)
	denied, err := openAzure(t.Context(), "weir-reads", "", azureAccess{connection: wrong})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := denied.Get(t.Context(), "t/contoso/x"); !errors.Is(err, ErrDenied) {
		t.Errorf("a wrong key: %v, want ErrDenied", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }

// TestAzureSmallWriteFails is the regression test for the library's panic on a
// refused small write; Upload does not have it.
func TestAzureSmallWriteFails(t *testing.T) {
	connection := storetest.Azurite(t, "weir-small")
	s, err := openAzure(t.Context(), "weir-small", "", azureAccess{connection: connection})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "t/a/head", "x", "")
	for i := range 20 {
		if _, err := s.Put(t.Context(), "t/a/head", bytes.Repeat([]byte("y"), i), ""); !errors.Is(err, ErrConflict) {
			t.Errorf("got %v, want ErrConflict", err)
		}
	}
}

func TestAzureAccess(t *testing.T) {
	const key = "c2VjcmV0LWtleQ=="
	for _, row := range []struct {
		name   string
		access azureAccess
		want   string // part of the error; empty for none
	}{
		{"nothing", azureAccess{}, "AZURE_STORAGE_ACCOUNT"},
		{"account and key", azureAccess{account: "acct", key: key}, ""},
		{"account and token", azureAccess{account: "acct", sas: "sv=1&sig=" + key}, ""},
		{"account alone", azureAccess{account: "acct"}, ""},
		{"sovereign cloud", azureAccess{account: "acct", key: key, domain: "blob.core.usgovcloudapi.net"}, ""},
		{"connection string", azureAccess{connection: "AccountName=acct;AccountKey=" + key + ";EndpointSuffix=core.windows.net"}, ""},
		{"key that is none", azureAccess{account: "acct", key: "%%%secret%%%"}, "AZURE_STORAGE_KEY"},
		{"connection string that is none", azureAccess{connection: "secret"}, "AZURE_STORAGE_CONNECTION_STRING"},
		{"plain HTTP abroad", azureAccess{connection: "AccountName=acct;AccountKey=" + key + ";BlobEndpoint=http://storage.example/acct"}, "not encrypted"},
		{"plain HTTP here", azureAccess{connection: "AccountName=acct;AccountKey=" + key + ";BlobEndpoint=http://127.0.0.1:10000/acct"}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := openAzure(t.Context(), "weir-state", "", row.access)
			switch {
			case row.want == "" && err != nil:
				t.Error(err)
			case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
				t.Errorf("got %v, want an error about %s", err, row.want)
			case err != nil && strings.Contains(err.Error(), "secret"):
				t.Errorf("the error quotes a secret: %v", err)
			}
		})
	}
}
