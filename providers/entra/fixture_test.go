package entra

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/resourcetest"
	"github.com/weir-project/weir/providers/sim/graph"
	"github.com/weir-project/weir/providers/sim/world"
)

const contoso = "3f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10"

// everything is what the MSP's automation is consented to.
var everything = []string{
	"Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All", "Directory.Read.All",
	"Domain.Read.All",
}

// vendor is simulated Graph over TLS, with contoso of the quick start in it.
type vendor struct {
	world  *world.World
	tenant *world.Tenant
	faults *resourcetest.Faults
	client *Client
	conn   *resource.Conn
	// calls are the requests, "GET /v1.0/users".
	calls []string
}

type signer struct {
	w     *world.World
	roles []string
}

func (s signer) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	s.w.RLock()
	defer s.w.RUnlock()
	t := s.w.Tenant(contoso)
	claims := world.Claims{Audience: "https://graph.microsoft.com", Tenant: contoso, Roles: s.roles, Issued: s.w.Clock, Expires: s.w.Clock.Add(time.Hour)}
	for _, sp := range t.ServicePrincipals {
		if sp.DisplayName == "MSP automation" {
			claims.AppID, claims.ObjectID = sp.AppID, sp.ID
		}
	}
	return azcore.AccessToken{Token: s.w.SignToken(claims), ExpiresOn: claims.Expires}, nil
}

func noSleep(context.Context, time.Duration) error { return nil }

func newVendor(t testing.TB, w *world.World, roles ...string) *vendor {
	t.Helper()
	if roles == nil {
		roles = everything
	}
	v := &vendor{world: w, tenant: w.Tenant(contoso)}
	handler := graph.New(w)
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.Lock()
		v.calls = append(v.calls, r.Method+" "+r.URL.Path)
		w.Unlock()
		handler.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	v.faults = &resourcetest.Faults{Base: server.Client().Transport}
	client, err := New(Config{BaseURL: server.URL + "/v1.0", TenantID: contoso, Now: w.Now, Sleep: noSleep, HTTP: transport.Client(transport.Options{
		Hosts: []string{strings.TrimPrefix(server.URL, "https://")}, Base: v.faults, Gates: &transport.Gates{}, Sleep: noSleep,
		Credential: transport.Bearer(signer{w, roles}, "https://graph.microsoft.com/.default"), Retry: transport.Retry{Attempts: 2},
	})})
	if err != nil {
		t.Fatal(err)
	}
	v.client = client
	v.conn = &resource.Conn{
		Tenant:  resource.Identity{Key: "contoso", Name: "Contoso", PrimaryDomain: "contoso.example", EntraTenantID: contoso, Stack: "us1"},
		Clients: []any{client}, Now: w.Now,
	}
	return v
}

type (
	request  = http.Request
	response = http.Response
)

// roundTrip is a function as an http.RoundTripper.
type roundTrip func(*request) (*response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTrip) RoundTrip(r *request) (*response, error) { return f(r) }
