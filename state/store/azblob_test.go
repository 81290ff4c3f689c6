package store

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/weir-project/weir/state/store/storetest"
)

func TestAzureReadFaults(t *testing.T) {
	connection := storetest.Azurite(t, "weir-reads")
	w := &wire{}
	s, err := openAzure(t.Context(), "weir-reads", "", azureAccess{connection: connection, transport: w})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "t/contoso/x", strings.Repeat("x", 1000), "")
	c := &cloud{Place: storetest.Place{URL: "azblob://weir-reads"}}
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
			w.before = func(x exchange) (*http.Response, error) { return c.answer(x.Request, row.code, row.text), nil }
			_, _, err := s.Get(t.Context(), "t/contoso/x")
			if !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
			if absent := errors.Is(err, ErrAbsent); absent != (row.want == ErrAbsent) {
				t.Errorf("a failed read is not an absent object: %v", err)
			}
		})
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
