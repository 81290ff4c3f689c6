package login_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/weir-project/weir/providers/sim/login"
	"github.com/weir-project/weir/providers/sim/world"
)

const (
	contoso  = "3f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10"
	graph    = "https://graph.microsoft.com"
	exchange = "https://outlook.office365.com"
)

func serve(t *testing.T, w *world.World) (*httptest.Server, policy.ClientOptions) {
	t.Helper()
	srv := httptest.NewTLSServer(login.New(w))
	t.Cleanup(srv.Close)
	return srv, policy.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: srv.URL},
		Transport: srv.Client(), Retry: policy.RetryOptions{MaxRetries: -1},
	}
}

func app(t *testing.T, w *world.World) *world.Application {
	t.Helper()
	_, a := w.HomeOf(w.Automation.ClientID)
	if a == nil {
		t.Fatal("the world has no automation application")
	}
	return a
}

func get(t *testing.T, cred azcore.TokenCredential, resource string) (string, error) {
	t.Helper()
	tok, err := cred.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{resource + "/.default"}})
	return tok.Token, err
}

func verify(t *testing.T, w *world.World, token, resource string) world.Claims {
	t.Helper()
	w.RLock()
	defer w.RUnlock()
	c, err := w.VerifyToken("Bearer " + token)
	if err != nil {
		t.Fatal(err)
	}
	if c.Tenant != contoso || c.Audience != resource || c.AppID != w.Automation.ClientID || len(c.Wids) != 1 {
		t.Fatalf("claims %+v", c)
	}
	return c
}

func TestSecretCredential(t *testing.T) {
	w := world.Quickstart()
	_, o := serve(t, w)
	c := w.Credentials()
	cred, err := azidentity.NewClientSecretCredential(contoso, c.ClientID, c.ClientSecret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: o, DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	for resource, want := range map[string]string{graph: "Directory.Read.All", exchange: "Exchange.ManageAsApp"} {
		token, err := get(t, cred, resource)
		if err != nil {
			t.Fatal(err)
		}
		if roles := verify(t, w, token, resource).Roles; !strings.Contains(strings.Join(roles, " "), want) {
			t.Errorf("roles for %s are %v, want %s among them", resource, roles, want)
		}
	}
	if _, err := get(t, cred, "https://127.0.0.1"); err == nil || !strings.Contains(err.Error(), "AADSTS500011") {
		t.Errorf("an unknown resource gave %v", err)
	}
}

func TestCertificateCredential(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w := world.Quickstart()
	_, o := serve(t, w)
	cert := selfSigned(t, key)
	app(t, w).Certificates = []string{base64.StdEncoding.EncodeToString(cert.Raw)}
	for name, row := range map[string]struct {
		key  crypto.PrivateKey
		cert *x509.Certificate
		want string
	}{
		"registered": {key, cert, ""},
		"unknown":    {other, selfSigned(t, other), "AADSTS700027"},
	} {
		t.Run(name, func(t *testing.T) {
			cred, err := azidentity.NewClientCertificateCredential(contoso, w.Automation.ClientID, []*x509.Certificate{row.cert}, row.key,
				&azidentity.ClientCertificateCredentialOptions{ClientOptions: o, DisableInstanceDiscovery: true})
			if err != nil {
				t.Fatal(err)
			}
			token, err := get(t, cred, graph)
			switch {
			case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
				t.Fatalf("error %v, want %s", err, row.want)
			case row.want == "" && err != nil:
				t.Fatal(err)
			case row.want == "":
				verify(t, w, token, graph)
			}
		})
	}
}

func TestFederatedCredential(t *testing.T) {
	const subject, audience = "repo:msp/customers:ref:refs/heads/main", "api://AzureADTokenExchange"
	for name, row := range map[string]struct{ issuer, subject, audience, want string }{
		"match":    {"https://ci.example", subject, audience, ""},
		"subject":  {"https://ci.example", "repo:msp/customers:pull_request", audience, "AADSTS700213"},
		"audience": {"https://ci.example", subject, "https://elsewhere.example", "AADSTS700212"},
		"issuer":   {"https://other.example", subject, audience, "AADSTS700211"},
	} {
		t.Run(name, func(t *testing.T) {
			w := world.Quickstart()
			w.Issuers = append(w.Issuers, "https://other.example")
			_, o := serve(t, w)
			cred, err := azidentity.NewClientAssertionCredential(contoso, w.Automation.ClientID, func(context.Context) (string, error) {
				w.RLock()
				defer w.RUnlock()
				return w.SignIdentityToken(row.issuer, row.subject, row.audience, time.Unix(1_800_000_000, 0))
			}, &azidentity.ClientAssertionCredentialOptions{ClientOptions: o, DisableInstanceDiscovery: true})
			if err != nil {
				t.Fatal(err)
			}
			token, err := get(t, cred, graph)
			if row.want != "" {
				if err == nil || !strings.Contains(err.Error(), row.want) {
					t.Fatalf("error %v, want %s", err, row.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			verify(t, w, token, graph)
		})
	}
}

func TestTokenErrors(t *testing.T) {
	form := func(w *world.World) url.Values {
		c := w.Credentials()
		return url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret},
			"scope": {graph + "/.default openid offline_access profile"}}
	}
	for name, row := range map[string]struct {
		tenant string
		change func(*world.World, url.Values)
		status int
		code   float64 // 0: a token
	}{
		"good":              {contoso, nil, 200, 0},
		"by domain":         {"contoso.example", nil, 200, 0},
		"wrong secret":      {contoso, func(_ *world.World, f url.Values) { f.Set("client_secret", "nonsense") }, 401, 7000215},
		"secret id":         {contoso, func(w *world.World, f url.Values) { f.Set("client_secret", app(t, w).Secrets[0].KeyID) }, 401, 7000215},
		"no proof":          {contoso, func(_ *world.World, f url.Values) { f.Del("client_secret") }, 401, 7000218},
		"expired":           {contoso, func(w *world.World, _ url.Values) { w.Clock = w.Clock.AddDate(3, 0, 0) }, 401, 7000222},
		"unknown app":       {contoso, func(_ *world.World, f url.Values) { f.Set("client_id", "1b4e28ba-2fa1-11d2-883f-0016d3cca427") }, 400, 700016},
		"unknown tenant":    {"nowhere.example", nil, 400, 90002},
		"common":            {"common", nil, 400, 50059},
		"scope":             {contoso, func(_ *world.World, f url.Values) { f.Set("scope", "openid") }, 400, 70011},
		"scope not default": {contoso, func(_ *world.World, f url.Values) { f.Set("scope", graph+"/User.Read") }, 400, 1002012},
		"grant":             {contoso, func(_ *world.World, f url.Values) { f.Set("grant_type", "password") }, 400, 70003},
		"not installed": {contoso, func(w *world.World, _ url.Values) {
			tn := w.Tenant(contoso)
			tn.RemoveServicePrincipal(tn.ServicePrincipalByAppID(w.Automation.ClientID))
		}, 400, 700016},
		"no exchange": {contoso, func(w *world.World, f url.Values) {
			tn := w.Tenant(contoso)
			tn.RemoveServicePrincipal(tn.ServicePrincipalByAppID(world.ExchangeAppID))
			f.Set("scope", exchange+"/.default")
		}, 400, 500011},
		"assertion": {contoso, func(_ *world.World, f url.Values) {
			f.Set("client_assertion", "a.b")
			f.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		}, 401, 50027},
	} {
		t.Run(name, func(t *testing.T) {
			w := world.Quickstart()
			srv, _ := serve(t, w)
			f := form(w)
			if row.change != nil {
				row.change(w, f)
			}
			res, err := srv.Client().PostForm(srv.URL+"/"+row.tenant+"/oauth2/v2.0/token", f)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Error string    `json:"error"`
				Codes []float64 `json:"error_codes"`
				Token string    `json:"access_token"`
			}
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != row.status {
				t.Errorf("status %d, want %d: %s", res.StatusCode, row.status, body)
			}
			if row.code == 0 {
				if got.Token == "" {
					t.Errorf("no token in %s", body)
				}
			} else if len(got.Codes) != 1 || got.Codes[0] != row.code {
				t.Errorf("codes %v, want %v: %s", got.Codes, row.code, body)
			}
			if s := f.Get("client_secret"); s != "" && strings.Contains(string(body), s) {
				t.Errorf("the answer repeats the secret")
			}
		})
	}
}

func TestDiscovery(t *testing.T) {
	for sub, want := range map[string][3]any{
		"":       {"NA", nil, "microsoftonline.com"},
		"GCC":    {"NA", "GCC", "microsoftonline.com"},
		"DODCON": {"USGov", "DODCON", "microsoftonline.us"},
	} {
		w := world.Quickstart()
		w.Tenant(contoso).RegionSubScope = sub
		srv, _ := serve(t, w)
		res, err := srv.Client().Get(srv.URL + "/contoso.example/v2.0/.well-known/openid-configuration")
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
			t.Fatal(err)
		}
		if doc["tenant_region_scope"] != want[0] || doc["tenant_region_sub_scope"] != want[1] || doc["cloud_instance_name"] != want[2] {
			t.Errorf("%q: %v", sub, doc)
		}
		if doc["issuer"] != srv.URL+"/"+contoso+"/v2.0" {
			t.Errorf("issuer %v", doc["issuer"])
		}
	}
}

func TestAdminConsent(t *testing.T) {
	w := world.Quickstart()
	srv, _ := serve(t, w)
	home, _ := w.HomeOf(w.Automation.ClientID)
	client := srv.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	scope := []world.Permission{{ID: world.Permissions[world.GraphAppID]["Directory.Read.All"].Role, Type: "Role"},
		{ID: world.Permissions[world.GraphAppID]["User.ReadBasic.All"].Scope, Type: "Scope"}}
	home.AddApplication(&world.Application{ID: "0a0a0a0a-0000-4000-8000-000000000001", AppID: "0a0a0a0a-0000-4000-8000-000000000002",
		DisplayName: "Other", SignInAudience: "AzureADMultipleOrgs", RedirectURIs: []string{"https://app.example/back"},
		Required: []world.ResourceAccess{{ResourceAppID: world.GraphAppID, Permissions: scope}}})
	q := url.Values{"client_id": {"0a0a0a0a-0000-4000-8000-000000000002"}, "redirect_uri": {"https://app.example/back"}, "state": {"s1"}}
	for range 2 { // accepting twice grants nothing twice
		res, err := client.Get(srv.URL + "/contoso.example/adminconsent?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if l := res.Header.Get("Location"); res.StatusCode != 302 || !strings.Contains(l, "admin_consent=True") || !strings.Contains(l, "state=s1") {
			t.Fatalf("%d %s", res.StatusCode, l)
		}
	}
	tn := w.Tenant(contoso)
	sp := tn.ServicePrincipalByAppID("0a0a0a0a-0000-4000-8000-000000000002")
	if sp == nil || len(tn.Grants) != 1 || tn.Grants[0].Scope != "User.ReadBasic.All" {
		t.Fatalf("principal %v grants %v", sp, tn.Grants)
	}
	n := 0
	for _, g := range tn.AppRoleGrants {
		if g.Principal == sp.ID {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d application permissions granted, want 1", n)
	}
	q.Set("redirect_uri", "https://evil.example/")
	if res, err := client.Get(srv.URL + "/contoso.example/adminconsent?" + q.Encode()); err != nil || res.StatusCode != 400 {
		t.Errorf("foreign redirect: %v %v", res.StatusCode, err)
	}
}

func selfSigned(t *testing.T, key *rsa.PrivateKey) *x509.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "automation"},
		NotBefore: time.Unix(1_700_000_000, 0), NotAfter: time.Unix(2_000_000_000, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// FuzzToken sends foreign assertions and scopes to the token endpoint.
func FuzzToken(f *testing.F) {
	f.Add("a.b.c", graph+"/.default")
	f.Add("eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2NpLmV4YW1wbGUiLCJzdWIiOiJ4IiwiYXVkIjoieSIsImV4cCI6MX0.", "openid")
	w := world.Quickstart()
	handler := login.New(w)
	f.Fuzz(func(t *testing.T, assertion, scope string) {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {w.Automation.ClientID}, "scope": {scope}, "client_assertion": {assertion},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
		r := httptest.NewRequest("POST", "/"+contoso+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		if rec.Code == 200 {
			t.Fatalf("a token for %q", assertion)
		}
	})
}
