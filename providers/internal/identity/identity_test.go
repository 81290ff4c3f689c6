package identity_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/weir-project/weir/providers/internal/identity"
	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

const contoso = "3f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10"

func start(t *testing.T) *sim.Server {
	t.Helper()
	s, err := sim.Start(sim.Options{World: world.Quickstart()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// certificate writes a PEM file with key and returns its path and the certificate, base64 DER.
func certificate(t *testing.T) (path, der string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "automation"}, NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().AddDate(10, 0, 0)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	data := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	path = filepath.Join(t.TempDir(), "automation.pem")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, base64.StdEncoding.EncodeToString(raw)
}

// TestSignIn gets tokens from the simulated token service with each kind that it can know, and never asks anyone else.
func TestSignIn(t *testing.T) {
	s := start(t)
	w := s.World()
	c := w.Credentials()
	path, der := certificate(t)
	w.Lock()
	_, app := w.HomeOf(c.ClientID)
	app.Certificates = append(app.Certificates, der)
	w.Unlock()
	file := filepath.Join(t.TempDir(), "token")
	refresh := func(audience string) {
		w.RLock()
		defer w.RUnlock()
		token, err := w.SignIdentityToken("https://ci.example", "repo:msp/customers:ref:refs/heads/main", audience, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environment := func(name string) string {
		if name == "AZURE_FEDERATED_TOKEN_FILE" {
			return file
		}
		return ""
	}
	base := identity.Options{TenantID: contoso, ClientID: c.ClientID, Authority: s.URLs().Login, Transport: s.Client(), Simulated: true}
	with := func(change func(*identity.Options)) identity.Options { o := base; change(&o); return o }
	tests := []struct {
		name     string
		options  identity.Options
		audience string
		refused  bool
	}{
		{"secret", with(func(o *identity.Options) { o.Kind, o.Secret = identity.Secret, c.ClientSecret }), "", false},
		{"wrong secret", with(func(o *identity.Options) { o.Kind, o.Secret = identity.Secret, "not-the-secret-canary" }), "", true},
		{"certificate", with(func(o *identity.Options) { o.Kind, o.CertificatePath = identity.Certificate, path }), "", false},
		{"federated", with(func(o *identity.Options) { o.Kind, o.Getenv = identity.Federated, environment }), "api://AzureADTokenExchange", false},
		{"federated, wrong audience", with(func(o *identity.Options) { o.Kind, o.Getenv = identity.Federated, environment }), "https://other.example", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.audience != "" {
				refresh(tt.audience)
			}
			credential, err := identity.New(tt.options)
			if err != nil {
				t.Fatal(err)
			}
			token, err := credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}})
			if (err != nil) != tt.refused || (token.Token == "") != tt.refused {
				t.Fatalf("token %d bytes, %v", len(token.Token), err)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

// TestOnePatience: a sign-in that meets nobody is repeated by the transport alone, as often as that does and with its
// pauses; one that meets somebody in time succeeds.
func TestOnePatience(t *testing.T) {
	s := start(t)
	w := s.World()
	for _, tt := range []struct {
		name         string
		lost, pauses int // answers that are lost, pauses that are made
	}{
		{"at once", 0, 0}, {"late", 3, 3}, {"never", 100, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, asked, paused := w.Credentials(), 0, 0
			client := transport.Client(transport.Options{
				Hosts: []string{strings.TrimPrefix(s.URLs().Login, "https://")},
				Sleep: func(context.Context, time.Duration) error { paused++; return nil },
				Base: roundTrip(func(r *http.Request) (*http.Response, error) {
					if r.Method != http.MethodPost {
						return s.Client().Transport.RoundTrip(r)
					}
					asked++
					if asked <= tt.lost {
						return nil, io.ErrUnexpectedEOF
					}
					return s.Client().Transport.RoundTrip(r)
				}),
			})
			credential, err := identity.New(identity.Options{Kind: identity.Secret, TenantID: contoso, ClientID: c.ClientID, Secret: c.ClientSecret,
				Authority: s.URLs().Login, Transport: client, Simulated: true})
			if err != nil {
				t.Fatal(err)
			}
			_, err = credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}})
			if never := tt.lost >= 5; (err != nil) != never || asked != tt.pauses+1 || paused != tt.pauses {
				t.Errorf("asked %d times with %d pauses: %v", asked, paused, err)
			}
			if err != nil && strings.Contains(err.Error(), "may or may not") {
				t.Errorf("a token that was not had is called a change in doubt: %v", err)
			}
		})
	}
}

// TestJobToken: the token of a GitHub Actions job is fetched for each sign-in.
func TestJobToken(t *testing.T) {
	s := start(t)
	w := s.World()
	asked := 0
	job := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked++
		if r.Header.Get("Authorization") != "bearer job-request-token" || r.URL.Query().Get("audience") != "api://AzureADTokenExchange" || r.URL.Query().Get("api-version") != "2" {
			http.Error(rw, "no", http.StatusForbidden)
			return
		}
		w.RLock()
		defer w.RUnlock()
		token, err := w.SignIdentityToken("https://ci.example", "repo:msp/customers:ref:refs/heads/main", "api://AzureADTokenExchange", time.Now())
		if err != nil {
			t.Error(err)
		}
		_, _ = rw.Write([]byte(`{"count":1,"value":"` + token + `"}`))
	}))
	defer job.Close()
	both := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if "https://"+r.URL.Host == job.URL {
			return job.Client().Transport.RoundTrip(r)
		}
		return s.Client().Transport.RoundTrip(r)
	})}
	for token, ok := range map[string]bool{"job-request-token": true, "another-token": false} {
		environment := map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": job.URL + "/?api-version=2", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": token}
		credential, err := identity.New(identity.Options{Kind: identity.Federated, TenantID: contoso, ClientID: w.Credentials().ClientID, Authority: s.URLs().Login,
			Transport: both, Simulated: true, Getenv: func(name string) string { return environment[name] }})
		if err != nil {
			t.Fatal(err)
		}
		_, err = credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}})
		if (err == nil) != ok {
			t.Errorf("%s: %v", token, err)
		}
		if err != nil && strings.Contains(transport.Redact(err.Error()), token) {
			t.Errorf("the error shows the token: %v", err)
		}
	}
	if asked < 2 {
		t.Errorf("asked %d times", asked)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRefusedOptions(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.pem")
	if err := os.WriteFile(bad, []byte("-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	none := func(string) string { return "" }
	const login = "https://127.0.0.1:1"
	tests := []struct {
		name    string
		options identity.Options
		says    string
	}{
		{"no kind", identity.Options{TenantID: contoso}, "kind of credential"},
		{"unknown kind", identity.Options{Kind: "password", TenantID: contoso}, "unknown kind"},
		{"no tenant", identity.Options{Kind: identity.Secret, ClientID: "c", Secret: "canary"}, "entra_tenant_id"},
		{"no client id", identity.Options{Kind: identity.Secret, TenantID: contoso, Secret: "canary"}, "client_id"},
		{"no secret", identity.Options{Kind: identity.Secret, TenantID: contoso, ClientID: "c"}, "client_secret"},
		{"odd tenant", identity.Options{Kind: identity.Secret, TenantID: "a b/c", ClientID: "c", Secret: "canary"}, "credential"},
		{"plain authority", identity.Options{Kind: identity.Secret, TenantID: contoso, ClientID: "c", Secret: "canary", Authority: "http://127.0.0.1:1"}, "https"},
		{"no file", identity.Options{Kind: identity.Certificate, TenantID: contoso, ClientID: "c", CertificatePath: bad + ".not"}, "certificate_path"},
		{"folder", identity.Options{Kind: identity.Certificate, TenantID: contoso, ClientID: "c", CertificatePath: filepath.Dir(bad)}, "regular file"},
		{"bad file", identity.Options{Kind: identity.Certificate, TenantID: contoso, ClientID: "c", CertificatePath: bad}, "no certificate"},
		{"no federated token", identity.Options{Kind: identity.Federated, TenantID: contoso, ClientID: "c", Getenv: none}, "AZURE_FEDERATED_TOKEN_FILE"},
		{"machine's identity against a simulator", identity.Options{Kind: identity.ManagedIdentity, TenantID: contoso, Authority: login, Simulated: true}, "simulator"},
		{"person's sign-in against a simulator", identity.Options{Kind: identity.AzureCLI, TenantID: contoso, Authority: login, Simulated: true}, "simulator"},
		{"simulated without authority", identity.Options{Kind: identity.Secret, TenantID: contoso, ClientID: "c", Secret: "canary", Simulated: true}, "token service"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := identity.New(tt.options)
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%v", err)
			}
		})
	}
	for _, o := range []identity.Options{
		{Kind: identity.ManagedIdentity, TenantID: contoso, ClientID: "11111111-1111-4111-8111-111111111111"},
		{Kind: identity.AzureCLI, TenantID: contoso},
		{Kind: identity.Secret, TenantID: contoso, ClientID: "c", Secret: "canary"},
	} {
		if _, err := identity.New(o); err != nil {
			t.Errorf("%s: %v", o.Kind, err)
		}
	}
}
