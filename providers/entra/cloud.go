package entra

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/weir-project/weir/providers/resource"
)

// The parts of Microsoft's cloud in which a directory may be, as Cloud tells them. Any other text is a part that this build
// does not know.
const (
	Worldwide = ""
	GCC       = "GCC" // on the endpoints of the worldwide cloud
	GCCHigh   = "DODCON"
	DoD       = "DOD"
	// USGovernment is one of the two before, and the service does not say which.
	USGovernment = "USGOV"
)

// Where a sign-in of the worldwide cloud, and one of the US government's, is.
const (
	publicLogin     = "https://login.microsoftonline.com"
	GovernmentLogin = "https://login.microsoftonline.us"
)

// maxDiscovery bounds the discovery document, bytes.
const maxDiscovery = 256 << 10

// Cloud tells in which part of Microsoft's cloud a directory is, from its OpenID configuration, which everybody may read
// (Microsoft: "OpenID Connect on the Microsoft identity platform", November 2026; the values are seen in clients). Signing in
// reads the same document, so that it is asked for only where nothing was signed in to. Safe for concurrent use.
type Cloud struct {
	client *http.Client
	login  string
	tenant string

	mu    sync.Mutex
	known bool
	cloud string
}

// NewCloud is the cloud of one directory. login is the sign-in host's base URL; client asks it, and the government's where
// login is the worldwide one, and carries no credential.
func NewCloud(client *http.Client, login, tenant string) *Cloud {
	return &Cloud{client: client, login: strings.TrimSuffix(login, "/"), tenant: tenant}
}

// Watch returns a client that signs in with c and looks at what the sign-in reads anyway.
func (c *Cloud) Watch(signIn *http.Client) *http.Client {
	watched := *signIn
	next := signIn.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	watched.Transport = watching{c, next}
	return &watched
}

type watching struct {
	cloud *Cloud
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (w watching) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.HasPrefix(r.URL.Path, "/"+w.cloud.tenant+"/") || !strings.HasSuffix(r.URL.Path, configurationPath) {
		return resp, err
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, maxDiscovery))
	if err == nil {
		if cloud, err := cloudOf(head); err == nil {
			w.cloud.learn(cloud)
		}
	}
	// Whoever signs in reads it as it came, and meets the error where it was.
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), after{resp.Body, err}), resp.Body}
	return resp, nil
}

// after is the rest of a body, or the error that ended it.
type after struct {
	rest io.Reader
	err  error
}

// Read implements io.Reader.
func (a after) Read(p []byte) (int, error) {
	if a.err != nil {
		return 0, a.err
	}
	return a.rest.Read(p)
}

func (c *Cloud) learn(cloud string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known, c.cloud = true, cloud
}

// Read tells the cloud: what a sign-in has shown, what was read before, or else it asks. A directory that the worldwide host
// does not know is looked for at the US government's.
func (c *Cloud) Read(ctx context.Context) (string, error) {
	c.mu.Lock()
	known, cloud := c.known, c.cloud
	c.mu.Unlock()
	if known {
		return cloud, nil
	}
	cloud, err := c.ask(ctx, c.login)
	if errors.Is(err, errUnknownTenant) && c.login == publicLogin {
		if _, other := c.ask(ctx, GovernmentLogin); other == nil {
			cloud, err = USGovernment, nil
		}
	}
	if err != nil {
		return "", &resource.Error{Op: "read OpenID configuration", Subject: c.tenant, Kind: resource.ErrUnavailable, Err: err}
	}
	c.learn(cloud)
	return cloud, nil
}

const configurationPath = "/v2.0/.well-known/openid-configuration"

// errUnknownTenant is the answer of a host to whose cloud the directory does not belong (AADSTS90002).
var errUnknownTenant = errors.New("the sign-in host does not know the directory")

func (c *Cloud) ask(ctx context.Context, login string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, login+"/"+url.PathEscape(c.tenant)+configurationPath, nil)
	if err != nil {
		return "", err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDiscovery))
	var refusal struct {
		Code string `json:"error"`
	}
	switch {
	case err != nil:
		return "", err
	case resp.StatusCode == http.StatusBadRequest && json.Unmarshal(body, &refusal) == nil && refusal.Code == "invalid_tenant":
		return "", errUnknownTenant
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("HTTP %d", resp.StatusCode)
	}
	return cloudOf(body)
}

// cloudOf reads a discovery document: tenant_region_sub_scope tells the part, and where it says nothing the other members
// still tell that it is a government's.
func cloudOf(document []byte) (string, error) {
	var doc struct {
		Issuer   string  `json:"issuer"`
		Scope    string  `json:"tenant_region_scope"`
		Sub      *string `json:"tenant_region_sub_scope"`
		Instance string  `json:"cloud_instance_name"`
	}
	switch err := json.Unmarshal(document, &doc); {
	case err != nil:
		return "", fmt.Errorf("the answer is no discovery document: %w", err)
	case doc.Issuer == "" || doc.Scope == "":
		return "", errors.New("the discovery document names no issuer or no region")
	case doc.Sub != nil && *doc.Sub != "":
		return strings.ToUpper(*doc.Sub), nil
	case strings.EqualFold(doc.Instance, "microsoftonline.us"), strings.EqualFold(doc.Scope, "USGov"), strings.EqualFold(doc.Scope, "USG"), strings.EqualFold(doc.Scope, "DOD"):
		return USGovernment, nil
	}
	return Worldwide, nil
}
