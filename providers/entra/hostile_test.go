package entra

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/directory/cache"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/sim/world"
)

// answering is a client whose Graph answers what say gives for a path and query, as JSON; its 404 with status 404,
// everything else with 200.
func answering(t testing.TB, say func(path, query string) string) *Client {
	t.Helper()
	c, err := New(Config{BaseURL: "https://graph.example/v1.0", TenantID: contoso, HTTP: &http.Client{Transport: roundTrip(func(r *request) (*response, error) {
		kind := "application/json"
		if strings.HasSuffix(r.URL.Path, "/$count") {
			kind = "text/plain"
		}
		body, status := say(strings.TrimPrefix(r.URL.Path, "/v1.0"), r.URL.RawQuery), http.StatusOK
		if strings.HasPrefix(body, `{"error":{"code":"Request_ResourceNotFound"`) {
			status = http.StatusNotFound
		}
		return &response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Request: r, Body: io.NopCloser(strings.NewReader(body))}, nil
	})}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestOtherTenant: a token that leads to another directory than the tenant's, such as that of a managed identity, which has
// its own, is no reading of this one: everybody would be gone.
func TestOtherTenant(t *testing.T) {
	v := newVendor(t, world.Quickstart())
	for tenant, own := range map[string]bool{contoso: true, "11111111-2222-4333-8444-555555555555": false} {
		c, err := New(Config{BaseURL: v.client.base.String(), TenantID: tenant, HTTP: v.client.http, Now: v.world.Now, Sleep: noSleep})
		if err != nil {
			t.Fatal(err)
		}
		r, _, err := c.ReadDirectoryFrom(t.Context(), nil)
		if own && (err != nil || !r.Proof.Complete) {
			t.Errorf("the tenant's own: %v %+v", err, r)
		}
		if !own && (err == nil || !errors.Is(err, resource.ErrInvalid)) {
			t.Errorf("the directory of another tenant was taken for this one: %+v", r.Proof)
		}
	}
}

// TestNothingIsMadeInAnotherTenant: nor is an application looked for, made, or believed to be gone there.
func TestNothingIsMadeInAnotherTenant(t *testing.T) {
	v := newVendor(t, world.Quickstart())
	r := newRun(t, v, map[string]cty.Value{"name": cty.StringVal("Sync"), "redirect_uris": resource.StringSet([]string{"https://us1.example/"})})
	c, err := New(Config{BaseURL: v.client.base.String(), TenantID: "11111111-2222-4333-8444-555555555555", HTTP: v.client.http, Now: v.world.Now, Sleep: noSleep})
	if err != nil {
		t.Fatal(err)
	}
	conn := *v.conn
	conn.Clients = []any{c}
	const id = "0b2e4c1e-4c9f-4b5f-8c1d-3a9f0e7b0001"
	change := &resource.Change{Address: "app_registration.sync", ID: id, Planned: r.config, Prior: r.prior, Secrets: r.secrets, Now: v.world.Now(), Operation: "op"}
	kind := appRegistration()
	for name, call := range map[string]func() error{
		"list":   func() error { _, err := kind.List(t.Context(), &conn); return err },
		"read":   func() error { _, err := kind.Read(t.Context(), &conn, id); return err },
		"create": func() error { _, err := kind.Create(t.Context(), &conn, change); return err },
		"update": func() error { _, err := kind.Update(t.Context(), &conn, change); return err },
		"delete": func() error { return kind.Delete(t.Context(), &conn, change) },
	} {
		if err := call(); !errors.Is(err, resource.ErrInvalid) || !strings.Contains(err.Error(), "directory") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, call := range v.calls {
		if !strings.HasPrefix(call, "GET /v1.0/organization") {
			t.Errorf("sent: %s", call)
		}
	}
}

// TestLittlePermission: who may write applications and nothing else goes on doing that, and reads no directory.
func TestLittlePermission(t *testing.T) {
	v := newVendor(t, world.Quickstart(), "Application.ReadWrite.All")
	if _, err := appRegistration().List(t.Context(), v.conn); err != nil {
		t.Error(err)
	}
	if r, err := v.client.ReadDirectory(t.Context()); err == nil {
		t.Errorf("%+v", r.Proof)
	}
}

// TestReplicaThatLags: one replica that does not show an object yet, whatever it is, does not make it gone.
func TestReplicaThatLags(t *testing.T) {
	const id = "0b2e4c1e-4c9f-4b5f-8c1d-3a9f0e7b0001"
	objects := map[string]string{
		"/users/":    `{"id":"` + id + `","userPrincipalName":"a@x.example","accountEnabled":true,"proxyAddresses":[]}`,
		"/groups/":   `{"id":"` + id + `","displayName":"G","securityEnabled":true}`,
		"/contacts/": `{"id":"` + id + `","displayName":"C","proxyAddresses":["SMTP:c@x.example"]}`,
		"":           "",
	}
	for what, body := range objects {
		asked := 0
		c := answering(t, func(path, _ string) string {
			if what != "" && strings.HasPrefix(path, what) {
				if asked++; asked > 1 {
					return body
				}
			}
			return `{"error":{"code":"Request_ResourceNotFound","message":"none"}}`
		})
		entry, present, err := c.Confirm(t.Context(), id)
		if err != nil || present != (what != "") || present && entry.ObjectID != id {
			t.Errorf("%s: %+v %v %v", what, entry, present, err)
		}
	}
}

// TestEndlessPages: a list whose links always lead on, to pages without anything new, ends.
func TestEndlessPages(t *testing.T) {
	asked := 0
	const enough = 200_000
	client := func(value string) *Client {
		asked = 0
		return answering(t, func(path, _ string) string {
			if asked++; asked > enough {
				return `{}` // let the test end
			}
			return fmt.Sprintf(`{"value":[%s],"@odata.nextLink":"https://graph.example/v1.0%s?$skiptoken=%d"}`, value, path, asked)
		})
	}
	_, proof, err := client("").readUsers(t.Context())
	if asked > enough || err == nil && proof.Problem == "" {
		t.Errorf("users: %d requests, %v", asked, err)
	}
	for _, value := range []string{"", `{"id":"a","department":"x"}`} {
		if _, _, _, err := changes[deltaUser](t.Context(), client(value), "users", "/users/delta?$deltatoken=x"); asked > enough || err == nil {
			t.Errorf("changes of %q: %d requests, %v", value, asked, err)
		}
	}
}

// TestTwiceInAnotherCase: object ids are compared without case, so a user that comes twice is seen however it is spelled.
func TestTwiceInAnotherCase(t *testing.T) {
	user := func(id string) string {
		return `{"id":"` + id + `","userPrincipalName":"a@x.example","accountEnabled":true,"proxyAddresses":[]}`
	}
	for second, complete := range map[string]bool{"0b2e4c1e-4c9f-4b5f-8c1d-3a9f0e7b0002": true, "0B2E4C1E-4C9F-4B5F-8C1D-3A9F0E7B0001": false} {
		c := answering(t, func(string, string) string {
			return `{"@odata.count":2,"value":[` + user("0b2e4c1e-4c9f-4b5f-8c1d-3a9f0e7b0001") + "," + user(second) + `]}`
		})
		if _, proof, err := c.readUsers(t.Context()); err != nil || proof.Complete != complete {
			t.Errorf("%s: %v %+v", second, err, proof)
		}
		if _, proof := c.readContacts(t.Context()); proof.Complete != complete {
			t.Errorf("%s: %+v", second, proof)
		}
	}
}

// TestPiecesOfGroups: the pieces of a delta come in any order. What would depend on it, the group itself is asked; without
// its answer the reading is not complete.
func TestPiecesOfGroups(t *testing.T) {
	const id = "0b2e4c1e-4c9f-4b5f-8c1d-3a9f0e7b0009"
	const fields = `"id":"` + id + `","displayName":"G","securityEnabled":true,"groupTypes":[]`
	const g = `{` + fields + `}`
	piece := func(more string) string { return `{"id":"` + id + `",` + more + `}` }
	joined := func(m string) string { return piece(`"members@delta":[{"id":"` + m + `"}]`) }
	left := func(m string) string {
		return piece(`"members@delta":[{"id":"` + m + `","@removed":{"reason":"deleted"}}]`)
	}
	gone := piece(`"@removed":{"reason":"changed"}`)
	for name, row := range map[string]struct {
		pieces []string
		// members are what the group says when it is asked.
		members []string
		want    []string
		asked   bool
		// hides: what it hides is nobody's to tell.
		hides bool
	}{
		"hidden, renamed":          {pieces: []string{piece(`"displayName":"Old","securityEnabled":true,"visibility":"HiddenMembership"`), g}, asked: true, hides: true},
		"whole":                    {pieces: []string{g}},
		"members in slices":        {pieces: []string{g, joined("a"), joined("b")}, want: []string{"a", "b"}},
		"a member twice":           {pieces: []string{g, joined("a"), joined("a")}, want: []string{"a"}},
		"a member that left":       {pieces: []string{g, joined("b"), left("a")}, want: []string{"b"}},
		"another group is deleted": {pieces: []string{g, `{"id":"h","@removed":{"reason":"changed"}}`}},
		"joined and left":          {pieces: []string{g, joined("a"), joined("b"), left("A")}, members: []string{"b"}, want: []string{"b"}, asked: true},
		"left and joined":          {pieces: []string{g, joined("b"), left("a"), joined("a")}, members: []string{"A", "b"}, want: []string{"a", "b"}, asked: true},
		"renamed meanwhile":        {pieces: []string{piece(`"displayName":"Old","securityEnabled":true,"members@delta":[{"id":"a"}]`), g, joined("b")}, members: []string{"a", "b"}, want: []string{"a", "b"}, asked: true},
		"back to the old name":     {pieces: []string{g, piece(`"displayName":"Old"`), g}, members: nil, want: nil, asked: true},
		"in another order":         {pieces: []string{g, piece(`"proxyAddresses":["SMTP:g@x.example","smtp:h@x.example"]`), piece(`"proxyAddresses":["smtp:h@x.example","SMTP:g@x.example"]`)}},
		"the same again":           {pieces: []string{g, joined("a"), g}, want: []string{"a"}},
		"deleted and there":        {pieces: []string{joined("a"), gone, g, joined("b")}, members: []string{"a", "b"}, want: []string{"a", "b"}, asked: true},
		"there and deleted":        {pieces: []string{g, joined("a"), gone}, members: []string{"a"}, want: []string{"a"}, asked: true},
	} {
		for _, answers := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/%v", name, answers), func(t *testing.T) {
				asked := false
				c := answering(t, func(path, _ string) string {
					switch {
					case path == "/groups/$count":
						return "1"
					case strings.HasSuffix(path, "/members"):
						asked = true
						if !answers {
							return `{"@odata.count":7,"value":[]}`
						}
						if len(row.members) == 0 {
							return `{"@odata.count":0,"value":[]}`
						}
						return fmt.Sprintf(`{"@odata.count":%d,"value":[{"id":"%s"}]}`, len(row.members), strings.Join(row.members, `"},{"id":"`))
					case path == "/groups/delta":
						return `{"value":[` + strings.Join(row.pieces, ",") + `],"@odata.deltaLink":"https://graph.example/v1.0/groups/delta?$deltatoken=x"}`
					case strings.HasPrefix(path, "/users/"):
						return `{"error":{"code":"Request_ResourceNotFound","message":"none"}}`
					}
					return g
				})
				groups, _, proof := c.readGroups(t.Context())
				if asked != row.asked || proof.Complete != (answers || !row.asked || row.hides) {
					t.Fatalf("asked %v, %+v", asked, proof)
				}
				if proof.Complete && (len(groups) != 1 || groups[0].Name != "G" || !slices.Equal(groups[0].Members, row.want) || groups[0].MembersHidden != row.hides) {
					t.Errorf("%+v", groups[0])
				}
			})
		}
	}
}

// TestGroupBack: a group that is unknown and comes without a word about its members, such as a restored one, is not taken
// for an empty one.
func TestGroupBack(t *testing.T) {
	for items, lost := range map[string]bool{
		`{"id":"g","displayName":"G","securityEnabled":true}`:                                 true,
		`{"id":"g","displayName":"G","securityEnabled":true,"members@delta":[]}`:              false,
		`{"id":"g","displayName":"G","securityEnabled":true,"members@delta":[{"id":"a"}]}`:    false,
		`{"id":"h","displayName":"H","description":"of a group that is known, nothing more"}`: false,
	} {
		c := answering(t, func(string, string) string {
			return `{"value":[` + items + `],"@odata.deltaLink":"https://graph.example/v1.0/groups/delta?$deltatoken=y"}`
		})
		all, _, _, err := changes[deltaGroup](t.Context(), c, "groups", "/groups/delta?$deltatoken=x")
		if err != nil {
			t.Fatal(err)
		}
		col := cache.NewCollection("x", []*directory.Entry{{ObjectID: "h", Kind: directory.SecurityGroup, Name: "H", Members: []string{"a"}}})
		var gone *lostError
		if err := mergeGroups(col, all); errors.As(err, &gone) != lost {
			t.Errorf("%s: %v, %+v", items, err, col.Get("g"))
		}
	}
}
