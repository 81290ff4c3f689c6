package essentials

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

var noon = time.Date(2026, 11, 2, 12, 30, 0, 0, time.UTC)

const (
	partner = "noc@msp.example"
	admin   = "it@contoso.example"
	reader  = "reader@contoso.example"
	person  = "alice@contoso.example"
)

// fixture is a partner with two customers, an unrelated customer, one on another stack, and the directory of Contoso.
// Every account's password is "pw".
func fixture() *world.World {
	w := &world.World{Format: world.FormatVersion, ID: "test", Clock: noon, NextEID: 100, NextUID: 1000, Zones: map[string]*world.Zone{
		"contoso.example": {
			MX:  map[string][]world.MXRecord{"contoso.example": {{Preference: 10, Host: "mx1-us1.ppe-hosted.com."}}},
			TXT: map[string][]string{"contoso.example": {"v=spf1 a:dispatch-us.ppe-hosted.com -all"}},
		},
	}}
	org := func(eid, parent int, stack, kind, domain string, users ...*world.User) *world.Organization {
		o := &world.Organization{
			EID: eid, Parent: parent, Stack: stack, Type: kind, Name: "The " + domain, PrimaryDomain: domain, IsActive: true,
			Package: "advanced_plus", Licenses: 10, Renewal: "2027/06/30", Login: world.Login{Local: true, Azure: true},
			Domains: []*world.Domain{{Name: domain, IsActive: true, IsRelay: true, Destination: "mx." + domain, Verification: w.VerificationCode(domain)}},
			Users:   users, Features: map[string]any{"url_defense": true}, TechContact: "noc@msp.example",
		}
		w.Organizations = append(w.Organizations, o)
		return o
	}
	uid := 0
	user := func(address, kind string, aliases ...string) *world.User {
		uid++
		return &world.User{UID: uid, PrimaryEmail: address, Type: kind, IsActive: true, Aliases: aliases, IsBillable: true, Password: "pw",
			FirstName: "F" + address[:1], Surname: "S"}
	}
	org(1, 0, "us1", "channel", "msp.example", user(partner, "channel_admin"))
	readOnly := user(reader, "organization_admin")
	readOnly.ReadOnly = true
	contoso := org(2, 1, "us1", "organization", "contoso.example", user(admin, "organization_admin"), readOnly,
		user(person, "end_user", "al@contoso.example"), user("info@contoso.example", functionalAccount))
	contoso.Domains = append(contoso.Domains, &world.Domain{Name: "contoso.onmicrosoft.example"})
	org(3, 1, "us1", "organization", "fabrikam.example", user("it@fabrikam.example", "organization_admin"))
	org(4, 0, "us1", "organization", "stranger.example", user("it@stranger.example", "organization_admin"))
	org(5, 0, "eu1", "organization", "europe.example", user("it@europe.example", "organization_admin"))

	graph := &world.ServicePrincipal{ID: "sp-graph", AppID: world.GraphAppID, Enabled: true}
	sync := &world.ServicePrincipal{ID: "sp-sync", AppID: "app-sync", Enabled: true}
	w.Tenants = []*world.Tenant{{
		ID:      "tenant-contoso",
		Domains: []*world.EntraDomain{{Name: "contoso.example", Verified: true, Default: true}, {Name: "contoso.onmicrosoft.example", Verified: true, Initial: true}},
		Applications: []*world.Application{{ID: "object-sync", AppID: "app-sync", DisplayName: "sync",
			Secrets: []*world.Secret{{KeyID: "key", Value: "the value", Start: noon.AddDate(0, -1, 0), End: noon.AddDate(0, 6, 0)}}}},
		ServicePrincipals: []*world.ServicePrincipal{graph, sync},
		AppRoleGrants: []*world.AppRoleGrant{{ID: "g", Principal: sync.ID, Resource: graph.ID,
			AppRole: world.Permissions[world.GraphAppID]["Directory.Read.All"].Role}},
	}}
	w.Reindex()
	return w
}

// a call of the API in the tests. as is the caller, "" sends no credentials.
type call struct {
	as, method, path, body string
}

// do sends the call to /api/v1 and returns status, body and the journal's note.
func do(h http.Handler, c call) (*httptest.ResponseRecorder, *world.Call) {
	path := c.path
	if strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "/_sim/") && !strings.Contains(path, "/api/") {
		path = "/api/v1" + path
	}
	r := httptest.NewRequest(c.method, path, strings.NewReader(c.body))
	if c.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.as != "" {
		r.Header.Set("X-User", c.as)
		r.Header.Set("X-Password", "pw")
	}
	note := &world.Call{}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r.WithContext(world.WithCall(r.Context(), note)))
	return rec, note
}

// contains tells whether got has everything that want has: objects may have more fields, lists are equal in length.
func contains(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return false
		}
		for k, v := range want {
			gv, ok := g[k]
			if !ok || !contains(gv, v) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			return false
		}
		for i := range want {
			if !contains(g[i], want[i]) {
				return false
			}
		}
		return true
	case string:
		g, ok := got.(string)
		if prefix, cut := strings.CutSuffix(want, "…"); cut {
			return ok && strings.HasPrefix(g, prefix)
		}
		return ok && g == want
	default:
		return got == want
	}
}

// expect sends the call and compares status and, when want is not empty, the JSON body.
func expect(t *testing.T, h http.Handler, c call, status int, want string) {
	t.Helper()
	rec, _ := do(h, c)
	if rec.Code != status {
		t.Fatalf("%s %s %s: status %d, want %d: %s", c.method, c.path, c.body, rec.Code, status, rec.Body)
	}
	if want == "" {
		if status == http.StatusNoContent && rec.Body.Len() > 0 {
			t.Fatalf("%s %s: 204 with a body: %s", c.method, c.path, rec.Body)
		}
		return
	}
	var got, wanted any
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
		t.Fatalf("%s %s: body is no JSON: %v: %s", c.method, c.path, err, rec.Body)
	}
	if err := json.NewDecoder(bytes.NewReader([]byte(want))).Decode(&wanted); err != nil {
		t.Fatalf("the test's own JSON: %v: %s", err, want)
	}
	if !contains(got, wanted) {
		t.Fatalf("%s %s %s:\n got  %s want %s", c.method, c.path, c.body, rec.Body, want)
	}
}
