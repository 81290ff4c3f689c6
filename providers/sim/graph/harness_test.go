package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

const (
	tenantID = "3f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10"
	callerID = "c0000000-0000-4000-8000-000000000001" // service principal of the calling application
	appID    = "c0000000-0000-4000-8000-000000000002"
	graphSP  = "d0000000-0000-4000-8000-000000000001"
	exchSP   = "d0000000-0000-4000-8000-000000000002"
)

var started = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)

func personID(n int) string { return fmt.Sprintf("0b2e0000-0000-4000-8000-%012d", n) }
func groupID(n int) string  { return fmt.Sprintf("77c00000-0000-4000-8000-%012d", n) }

// newWorld is one tenant with n users: even ones licensed, every tenth blocked.
func newWorld(n int) *world.World {
	t := &world.Tenant{ID: tenantID, DisplayName: "North", Country: "SE", Domains: []*world.EntraDomain{
		{Name: "north.example", Verified: true, Default: true},
		{Name: "north.onmicrosoft.com", Verified: true, Initial: true},
		{Name: "sub.north.example", Verified: true, NoEmail: true},
		{Name: "later.example"},
	}}
	for i := 1; i <= n; i++ {
		name := fmt.Sprintf("p%06d", i)
		t.People = append(t.People, &world.DirectoryUser{ID: personID(i), UserPrincipalName: name + "@north.example",
			DisplayName: "Person " + name, Mail: name + "@north.example", Enabled: i%10 != 0, Licensed: i%2 == 0,
			ProxyAddresses: []string{"SMTP:" + name + "@north.example", "smtp:alias" + name + "@north.example"},
			MailboxKind:    "UserMailbox", Created: started.AddDate(-1, 0, 0)})
	}
	t.ServicePrincipals = []*world.ServicePrincipal{
		{ID: callerID, AppID: appID, DisplayName: "Caller", Enabled: true, Created: started},
		{ID: graphSP, AppID: world.GraphAppID, DisplayName: "Microsoft Graph", Enabled: true, OwnerTenant: world.MicrosoftTenant, Created: started},
		{ID: exchSP, AppID: world.ExchangeAppID, DisplayName: "Office 365 Exchange Online", Enabled: true, OwnerTenant: world.MicrosoftTenant, Created: started},
	}
	w := &world.World{Format: world.FormatVersion, ID: "test", Clock: started, Tenants: []*world.Tenant{t}}
	w.Reindex()
	return w
}

// everything is the set of permissions of a caller that may do all that is served.
var everything = []string{"Directory.Read.All", "Application.ReadWrite.All", "Application.Read.All", "AppRoleAssignment.ReadWrite.All",
	"DelegatedPermissionGrant.ReadWrite.All", "RoleManagement.ReadWrite.Directory", "Domain.Read.All", "MailboxSettings.Read",
	"Member.Read.Hidden"}

type client struct {
	t     *testing.T
	w     *world.World
	h     http.Handler
	token string
	call  world.Call // of the last request
}

func newClient(t *testing.T, w *world.World, roles ...string) *client {
	t.Helper()
	if roles == nil {
		roles = everything
	}
	return &client{t: t, w: w, h: New(w), token: sign(w, roles...)}
}

func sign(w *world.World, roles ...string) string {
	return w.SignToken(world.Claims{Audience: audience, Tenant: tenantID, AppID: appID, ObjectID: callerID, Roles: roles,
		Issued: w.Clock, Expires: w.Clock.Add(30 * 24 * time.Hour)})
}

func (c *client) as(roles ...string) *client {
	d := *c
	d.token = sign(c.w, roles...)
	return &d
}

// answer is a decoded response.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	raw    string
	doc    map[string]any
}

// do sends a request. path may be a whole URL (a nextLink); headers are "Name: value".
func (c *client) do(method, path string, body any, headers ...string) *answer {
	c.t.Helper()
	var rd io.Reader
	if s, ok := body.(string); ok {
		rd = strings.NewReader(s)
	} else if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		rd = bytes.NewReader(b)
	}
	if !strings.HasPrefix(path, "http") {
		path = "https://graph.microsoft.com/v1.0" + path
	}
	path = strings.ReplaceAll(path, " ", "%20")
	r := httptest.NewRequest(method, path, rd)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		r.Header.Set(k, v)
	}
	c.call = world.Call{}
	r = r.WithContext(world.WithCall(r.Context(), &c.call))
	rec := httptest.NewRecorder()
	c.h.ServeHTTP(rec, r)
	a := &answer{t: c.t, status: rec.Code, header: rec.Header(), raw: rec.Body.String()}
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(rec.Body.Bytes(), &a.doc); err != nil {
			c.t.Fatalf("%s %s: answer is no JSON: %v\n%s", method, path, err, a.raw)
		}
	}
	return a
}

func (c *client) get(path string, headers ...string) *answer {
	c.t.Helper()
	return c.do("GET", path, nil, headers...)
}

// want checks the status and, for errors, the code.
func (a *answer) want(status int, code ...string) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.raw)
	}
	if len(code) > 0 && a.code() != code[0] {
		a.t.Fatalf("code %q, want %q: %s", a.code(), code[0], a.raw)
	}
	return a
}

func (a *answer) code() string {
	e, _ := a.doc["error"].(map[string]any)
	s, _ := e["code"].(string)
	return s
}

func (a *answer) message() string {
	e, _ := a.doc["error"].(map[string]any)
	s, _ := e["message"].(string)
	return s
}

func (a *answer) text(name string) string {
	s, _ := a.doc[name].(string)
	return s
}

func (a *answer) values() []map[string]any {
	var out []map[string]any
	list, _ := a.doc["value"].([]any)
	for _, v := range list {
		out = append(out, v.(map[string]any))
	}
	return out
}

func (a *answer) ids() []string {
	out := []string{}
	for _, v := range a.values() {
		out = append(out, v["id"].(string))
	}
	return out
}

// pages follows nextLinks to the end and returns all values, the last page and the number of pages.
func (c *client) pages(path string, headers ...string) ([]map[string]any, *answer, int) {
	c.t.Helper()
	var all []map[string]any
	for n := 1; ; n++ {
		a := c.get(path, headers...).want(200)
		all = append(all, a.values()...)
		if a.text("@odata.nextLink") == "" {
			return all, a, n
		}
		path = a.text("@odata.nextLink")
		if n > 2000 {
			c.t.Fatal("endless paging")
		}
	}
}

const eventual = "ConsistencyLevel: eventual"
