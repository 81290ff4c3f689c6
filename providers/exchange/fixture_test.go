package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/resourcetest"
	simexchange "github.com/weir-project/weir/providers/sim/exchange"
	"github.com/weir-project/weir/providers/sim/world"
)

const (
	tenantID = "11111111-1111-4111-8111-111111111111"
	admin    = "29232cdf-9323-42fd-ade2-1d097af3e4de" // Exchange Administrator
)

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// signer gives tokens of the simulated world.
type signer struct {
	w    *world.World
	wids []string
}

func (s signer) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{ExpiresOn: start.Add(time.Hour), Token: s.w.SignToken(world.Claims{
		Audience: "https://outlook.office365.com", Tenant: tenantID, AppID: "weir", Roles: []string{"Exchange.ManageAsApp"}, Wids: s.wids,
		Issued: start, Expires: start.Add(100 * time.Hour),
	})}, nil
}

// sent is one request as it left, before redirects.
type sent struct {
	cmdlet     string
	parameters map[string]any
	header     http.Header
}

// service is a simulated Exchange Online with one tenant and a client of it, with the transport of production.
type service struct {
	t      testing.TB
	world  *world.World
	faults *resourcetest.Faults
	client *Client
	conn   *resource.Conn
	sent   []sent
	server *httptest.Server
	// intercept, when set, answers in the place of the service.
	intercept func(cmdlet string) *http.Response
}

// newService starts one; change amends the world first.
func newService(t testing.TB, change ...func(*world.World, *world.Tenant)) *service {
	t.Helper()
	w := &world.World{Format: world.FormatVersion, ID: "test", Clock: start}
	tenant := &world.Tenant{ID: tenantID, DisplayName: "Contoso", Domains: []*world.EntraDomain{
		{Name: "contoso.onmicrosoft.com", Verified: true, Initial: true}, {Name: "contoso.example", Verified: true, Default: true},
	}}
	w.Tenants = []*world.Tenant{tenant}
	for _, f := range change {
		f(w, tenant)
	}
	w.Reindex()
	server := httptest.NewTLSServer(simexchange.New(w))
	t.Cleanup(server.Close)
	base := server.Client().Transport.(*http.Transport).Clone()
	base.DisableCompression = true // as in production: the 403 lies about its encoding
	s := &service{t: t, world: w, server: server}
	s.faults = &resourcetest.Faults{Base: base, Reads: func(_ *http.Request, body []byte) bool { return bytes.Contains(body, []byte(`"CmdletName":"Get-`)) }}
	s.connect(transport.Options{Base: s}, server.URL, admin)
	return s
}

// RoundTrip notes the request and hands it on.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	var in struct {
		CmdletInput struct {
			CmdletName string
			Parameters map[string]any
		}
	}
	body := new(bytes.Buffer)
	if _, err := body.ReadFrom(r.Body); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body.Bytes(), &in); err != nil {
		return nil, fmt.Errorf("request without a body: %w", err)
	}
	s.sent = append(s.sent, sent{in.CmdletInput.CmdletName, in.CmdletInput.Parameters, r.Header.Clone()})
	if s.intercept != nil {
		if resp := s.intercept(in.CmdletInput.CmdletName); resp != nil {
			resp.Request = r
			return resp, nil
		}
	}
	r = r.Clone(r.Context())
	r.Body = http.NoBody
	again, err := http.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), body)
	if err != nil {
		return nil, err
	}
	again.Header = r.Header
	return s.faults.RoundTrip(again)
}

// connect makes the client, as somebody with directory roles.
func (s *service) connect(o transport.Options, url string, wids ...string) {
	s.t.Helper()
	o.Hosts, o.Gates, o.Secrets = []string{strings.TrimPrefix(url, "https://")}, &transport.Gates{}, &transport.Secrets{}
	o.Credential = transport.Bearer(signer{s.world, wids}, "https://outlook.office365.com/.default")
	o.Transient, o.Retry = transport.ExchangeTransient, transport.Retry{Attempts: 2}
	o.Sleep = func(context.Context, time.Duration) error { return nil }
	client, err := New(Config{BaseURL: url, TenantID: tenantID, HTTP: transport.Client(o)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.client = client
	s.conn = &resource.Conn{
		Tenant:  resource.Identity{Key: "contoso", Name: "Contoso", PrimaryDomain: "contoso.example", EntraTenantID: tenantID, Stack: "us1"},
		Clients: []any{client}, Now: func() time.Time { return start },
	}
}

// portal edits one Exchange object: what is "inbound", "outbound" or "rule", key a name or GUID.
func (s *service) portal(what, key, verb string, value any) error {
	raw, err := json.Marshal(map[string]any{"tenant": tenantID, what: key, verb: value})
	if err != nil {
		return err
	}
	return s.world.Portal(raw)
}

// at is the GUID of the object behind the foreign ones.
func (s *service) at(what string, foreign int) (string, error) {
	s.world.RLock()
	defer s.world.RUnlock()
	e := &s.world.Tenants[0].Exchange
	all := map[string][]*world.ExchangeObject{"inbound": e.Inbound, "outbound": e.Outbound, "rule": e.Rules}[what]
	if len(all) <= foreign {
		return "", fmt.Errorf("there is no %s of ours", what)
	}
	return all[foreign].GUID, nil
}

// backend is the service as the conformance suite sees it. edits names the parameter of each path.
func (s *service) backend(what string, foreign int, edits map[string]string) *resourcetest.Backend {
	return &resourcetest.Backend{
		Conn: s.conn, Fault: s.faults.Set, Changed: s.faults.Changed,
		Edit: func(path string, v cty.Value) error {
			parameter, ok := edits[path]
			if !ok {
				return fmt.Errorf("the portal has no %s", path)
			}
			key, err := s.at(what, foreign)
			if err != nil {
				return err
			}
			return s.portal(what, key, "set", map[string]any{parameter: native(path, v)})
		},
		Remove: func() error {
			key, err := s.at(what, foreign)
			if err != nil {
				return err
			}
			return s.portal(what, key, "remove", true)
		},
	}
}

// native is the JSON form of a value as the service stores it.
func native(path string, v cty.Value) any {
	wire := map[string]string{
		"encryption_only": "EncryptionOnly", "certificate_validation": "CertificateValidation", "domain_validation": "DomainValidation",
		"enforce": "Enforce", "audit": "Audit", "audit_and_notify": "AuditAndNotify",
		"in_organization": "InOrganization", "not_in_organization": "NotInOrganization",
	}
	switch {
	case v.IsNull():
		return nil
	case v.Type() == cty.Bool:
		return v.True()
	case v.Type() == cty.Number:
		n, _ := v.AsBigFloat().Int64()
		return n
	case v.Type() == cty.String:
		if w, ok := wire[v.AsString()]; ok {
			return w
		}
		return v.AsString()
	}
	out := []string{}
	for _, s := range words(v) {
		if path == "sender_domains" {
			s = "smtp:" + s + ";1"
		}
		out = append(out, s)
	}
	return out
}

// block is a value of a table from the members written, by dotted path.
func block(table []resource.Attribute, written map[string]cty.Value) cty.Value {
	v := cty.ObjectVal(resource.Null(table))
	for path, value := range written {
		v = resource.With(v, path, value)
	}
	return v
}

func stringSet(s ...string) cty.Value { return resource.StringSet(s) }

// object is an Exchange object of a world.
func object(guid, name string, values map[string]any) *world.ExchangeObject {
	return &world.ExchangeObject{GUID: guid, Name: name, Values: values, Created: start, Changed: start}
}

// plan is the planner's own part in short: customize, compare.
func (s *service) plan(typ *resource.Type, config map[string]cty.Value, live resource.Live, prior cty.Value, mail resource.MailFacts) (*resource.PlanRequest, []string, error) {
	null := cty.NullVal(typ.Object())
	if live.Value == cty.NilVal {
		live.Value = null
	}
	if prior == cty.NilVal {
		prior = null
	}
	value := block(typ.Attributes, config)
	for i := range typ.Attributes {
		if a := &typ.Attributes[i]; a.Default != cty.NilVal && value.GetAttr(a.Name).IsNull() {
			value = resource.With(value, a.Name, a.Default)
		}
	}
	req := &resource.PlanRequest{Config: value, Planned: value, Live: live.Value, Prior: prior, Tenant: s.conn.Tenant, Mail: mail, Now: start}
	if err := typ.Customize(req); err != nil {
		return req, nil, err
	}
	return req, resource.Differences(typ.Attributes, req.Planned, live.Value), nil
}

// apply plans one block against what is there and carries it out.
func (s *service) apply(typ *resource.Type, config map[string]cty.Value) resource.Live {
	s.t.Helper()
	ctx := context.Background()
	all, err := typ.List(ctx, s.conn)
	if err != nil {
		s.t.Fatal(err)
	}
	var found resource.Live
	for _, l := range all {
		if typ.Match(block(typ.Attributes, config), l.Value) {
			found = l
		}
	}
	req, paths, err := s.plan(typ, config, found, cty.NilVal, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	change := &resource.Change{ID: found.ID, Prior: req.Live, Planned: req.Planned, Paths: paths, Now: start}
	do := typ.Update
	if found.ID == "" {
		do = typ.Create
	}
	live, err := do(ctx, s.conn, change)
	if err != nil {
		s.t.Fatal(err)
	}
	return live
}
