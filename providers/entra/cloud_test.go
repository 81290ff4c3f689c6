package entra

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/weir-project/weir/providers/internal/identity"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

// asked are the discovery documents that a simulator was asked for.
func asked(s *sim.Server) int {
	n := 0
	for _, e := range s.Journal() {
		if e.Operation == "openid-configuration" {
			n++
		}
	}
	return n
}

// TestCloudSeenAtSignIn: whoever signs in has been told the cloud, and nothing more is asked. Whoever has not asks once.
func TestCloudSeenAtSignIn(t *testing.T) {
	for scope, want := range map[string]string{"": Worldwide, "GCC": GCC, "DODCON": GCCHigh, "DOD": DoD} {
		for _, signIn := range []bool{true, false} {
			w := world.Quickstart()
			w.Tenant(contoso).RegionSubScope = scope
			s, err := sim.Start(sim.Options{World: w, Sleep: func(context.Context, time.Duration) {}})
			if err != nil {
				t.Fatal(err)
			}
			cloud := NewCloud(s.Client(), s.URLs().Login, contoso)
			if signIn {
				c := w.Credentials()
				credential, err := identity.New(identity.Options{Kind: identity.Secret, TenantID: contoso, ClientID: c.ClientID, Secret: c.ClientSecret,
					Authority: s.URLs().Login, Transport: cloud.Watch(s.Client()), Simulated: true})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}}); err != nil {
					t.Errorf("%q: the sign-in that is watched fails: %v", scope, err)
				}
			}
			before := asked(s)
			for range 2 {
				if got, err := cloud.Read(t.Context()); err != nil || got != want {
					t.Errorf("%q: %q %v", scope, got, err)
				}
			}
			more := 1
			if signIn {
				more = 0
			}
			if n := asked(s) - before; n != more || signIn && before != 1 {
				t.Errorf("%q, signed in %v: asked %d times, and %d times more", scope, signIn, before, n)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// answers gives what each host says, as status and body.
type answers map[string]struct {
	status int
	body   string
}

// RoundTrip implements http.RoundTripper.
func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Authorization") != "" {
		return nil, errors.New("the call carries a credential")
	}
	if r.URL.Path != "/"+contoso+configurationPath {
		return nil, errors.New("asked for " + r.URL.Path)
	}
	answer, ok := a[r.URL.Host]
	if !ok {
		return nil, errors.New("no route to " + r.URL.Host)
	}
	return &http.Response{StatusCode: answer.status, Body: io.NopCloser(strings.NewReader(answer.body)), Header: http.Header{}, Request: r}, nil
}

func TestCloudDocuments(t *testing.T) {
	const public, government = "login.microsoftonline.com", "login.microsoftonline.us"
	const unknown = `{"error":"invalid_tenant","error_description":"AADSTS90002: Tenant not found."}`
	document := func(members string) string {
		return `{"issuer":"https://login.microsoftonline.com/x/v2.0"` + members + `}`
	}
	for _, row := range []struct {
		name    string
		login   string // "" is the worldwide one
		answers answers
		want    string
		fails   bool
	}{
		{name: "worldwide", answers: answers{public: {200, document(`,"tenant_region_scope":"EU","tenant_region_sub_scope":null,"cloud_instance_name":"microsoftonline.com"`)}}},
		{name: "without the member", answers: answers{public: {200, document(`,"tenant_region_scope":"WW"`)}}},
		{name: "in small letters", answers: answers{public: {200, document(`,"tenant_region_scope":"USGov","tenant_region_sub_scope":"dodcon"`)}}, want: GCCHigh},
		{name: "a government's, by its instance", answers: answers{public: {200, document(`,"tenant_region_scope":"NA","cloud_instance_name":"microsoftonline.us"`)}}, want: USGovernment},
		{name: "a government's, by its region", answers: answers{public: {200, document(`,"tenant_region_scope":"USGov"`)}}, want: USGovernment},
		{name: "a part that nobody knows", answers: answers{public: {200, document(`,"tenant_region_scope":"NA","tenant_region_sub_scope":"NEW"`)}}, want: "NEW"},
		{name: "known to the government's host alone", answers: answers{public: {400, unknown}, government: {200, document(`,"tenant_region_scope":"USGov","tenant_region_sub_scope":"DODCON"`)}}, want: USGovernment},
		{name: "known to none", answers: answers{public: {400, unknown}, government: {400, unknown}}, fails: true},
		{name: "the government's host is not asked about others", login: "https://sim.example", answers: answers{"sim.example": {400, unknown}, government: {200, document(`,"tenant_region_scope":"USGov"`)}}, fails: true},
		{name: "nor after another refusal", answers: answers{public: {400, `{"error":"invalid_request"}`}, government: {200, document(`,"tenant_region_scope":"USGov"`)}}, fails: true},
		{name: "no region", answers: answers{public: {200, document("")}}, fails: true},
		{name: "no issuer", answers: answers{public: {200, `{"tenant_region_scope":"EU"}`}}, fails: true},
		{name: "a page", answers: answers{public: {200, "<html>"}}, fails: true},
		{name: "nothing", answers: answers{public: {200, ""}}, fails: true},
		{name: "away", answers: answers{public: {503, ""}}, fails: true},
		{name: "no answer", answers: answers{}, fails: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			login := row.login
			if login == "" {
				login = publicLogin
			}
			c := NewCloud(&http.Client{Transport: row.answers}, login+"/", contoso)
			got, err := c.Read(t.Context())
			if (err != nil) != row.fails || got != row.want || err != nil && !errors.Is(err, resource.ErrUnavailable) {
				t.Errorf("%q %v", got, err)
			}
		})
	}
}
