package graph

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weir-project/weir/providers/sim/world"
)

// batch sends the items and returns the answers by id.
func (c *client) batch(items ...object) map[string]object {
	c.t.Helper()
	a := c.do("POST", "/$batch", object{"requests": items}).want(200)
	out := map[string]object{}
	for _, r := range a.doc["responses"].([]any) {
		out[r.(object)["id"].(string)] = r.(object)
	}
	return out
}

func TestBatch(t *testing.T) {
	w := newWorld(3)
	c := newClient(t, w)
	got := c.batch(
		object{"id": "a", "method": "GET", "url": "/users?%24select=id&%24top=2", "headers": object{"accept": "application/json"}, "body": nil, "dependsOn": []string{}},
		object{"id": "b", "method": "get", "url": "users/nobody"},
		object{"id": "c", "method": "GET", "url": "/users/%24count", "headers": object{"consistencylevel": "eventual"}},
		object{"id": "d", "method": "GET", "url": "/users/" + personID(1), "dependsOn": []string{"B"}},
		object{"id": "e", "method": "GET", "url": "/users/" + personID(1), "dependsOn": []string{"a"}},
		object{"id": "f", "method": "POST", "url": "/applications", "headers": object{"content-type": "application/json"}, "body": object{"displayName": "batched"}},
		object{"id": "g", "method": "POST", "url": "/applications", "body": object{"displayName": "no content type"}},
		object{"id": "h", "method": "GET", "url": "https://graph.microsoft.com/v1.0/users"},
		object{"id": "i", "method": "POST", "url": "/$batch", "headers": object{"Content-Type": "application/json"}, "body": object{}},
		object{"id": "j", "method": "DELETE", "url": "/applications/" + groupID(1)},
	)
	for id, want := range map[string]float64{"a": 200, "b": 404, "c": 200, "d": 424, "e": 200, "f": 201, "g": 400, "h": 400, "i": 400, "j": 404} {
		if got[id]["status"] != want {
			t.Errorf("%s: %v, want %v: %v", id, got[id]["status"], want, got[id]["body"])
		}
	}
	page := got["a"]["body"].(object)
	if next := page["@odata.nextLink"].(string); len(page["value"].([]any)) != 2 || !strings.HasPrefix(next, "https://graph.microsoft.com/v1.0/users?$select=id&$top=2&$skiptoken=") {
		t.Errorf("page %v", page)
	} else if l := c.get(next).want(200).ids(); !slices.Equal(l, []string{personID(3)}) {
		t.Errorf("the rest %v", l)
	}
	if got["c"]["body"] != "3" {
		t.Errorf("count %v", got["c"]["body"])
	}
	if len(w.Tenants[0].Applications) != 1 {
		t.Error("the POST did not happen once")
	}
}

func TestBatchJournal(t *testing.T) {
	c := newClient(t, newWorld(1))
	c.batch(object{"id": "1", "method": "GET", "url": "/users"}, object{"id": "2", "method": "GET", "url": "/domains/north.example"})
	if want := (world.Call{Tenant: tenantID, Operation: "POST /$batch", Detail: "GET /users; GET /domains/{id}"}); c.call != want {
		t.Errorf("journal %+v, want %+v", c.call, want)
	}
	c.batch(object{"id": "1", "method": "DELETE", "url": "/applications/x"}, object{"id": "2", "method": "GET", "url": "/bogus"})
	if !c.call.Changing || !c.call.Unimplemented {
		t.Errorf("journal %+v", c.call)
	}
}

func TestBatchRefusals(t *testing.T) {
	c := newClient(t, newWorld(1))
	get := func(id string, on ...string) object {
		return object{"id": id, "method": "GET", "url": "/users", "dependsOn": on}
	}
	many := func(n int) (out []object) {
		for i := range n {
			out = append(out, get(fmt.Sprint(i)))
		}
		return out
	}
	tests := map[string]struct {
		body   any
		status int
	}{
		"twenty":             {object{"requests": many(20)}, 200},
		"twenty-one":         {object{"requests": many(21)}, 400},
		"none":               {object{"requests": []object{}}, 400},
		"no requests":        {object{}, 400},
		"not JSON":           {"{", 400},
		"same id, case":      {object{"requests": []object{get("a"), get("A")}}, 400},
		"unknown dependency": {object{"requests": []object{get("a", "z")}}, 400},
		"circle":             {object{"requests": []object{get("a", "b"), get("b", "a")}}, 400},
		"later dependency":   {object{"requests": []object{get("a", "b"), get("b")}}, 200},
		"no url":             {object{"requests": []object{{"id": "a", "method": "GET"}}}, 400},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := *c
			c.t = t
			c.do("POST", "/$batch", tt.body).want(tt.status)
		})
	}
	c.token = ""
	c.do("POST", "/$batch", object{"requests": many(1)}).want(401, "InvalidAuthenticationToken")
}

func FuzzBatch(f *testing.F) {
	for _, s := range []string{`{"requests":[{"id":"a","method":"GET","url":"/users"}]}`,
		`{"requests":[{"id":"a","method":"POST","url":"x","body":{},"headers":{"a":"b"},"dependsOn":["b"]},{"id":"b","method":"GET","url":"/y"}]}`,
		`{"requests":[{"id":"a","method":"GET","url":"%zz"}]}`} {
		f.Add([]byte(s))
	}
	w := newWorld(2)
	s := newServer(w, nil)
	token := sign(w, everything...)
	f.Fuzz(func(t *testing.T, raw []byte) {
		items, err := decodeBatch(raw)
		if err == nil && (len(items) == 0 || len(items) > maxBatch) {
			t.Fatalf("%d items", len(items))
		}
		in := &incoming{ctx: t.Context(), method: "POST", path: "/v1.0/$batch", base: "https://x", body: raw,
			header: map[string][]string{"Authorization": {token}}}
		if out := s.answer(in, "1"); !json.Valid(out.body) {
			t.Fatalf("answer is no JSON: %s", out.body)
		}
	})
}

// FuzzTokens forges tokens with a good checksum: what they say is foreign all the same.
func FuzzTokens(f *testing.F) {
	f.Add("x", 1, 2, 3, uint64(4), true)
	f.Add(groupID(1), -1, -5, -7, uint64(0), false)
	w := newWorld(2)
	w.AddGroup(w.Tenants[0], &world.Group{ID: groupID(1), Members: []string{personID(1)}})
	s := newServer(w, nil)
	token := sign(w, everything...)
	f.Fuzz(func(t *testing.T, after string, a, b, c int, since uint64, all bool) {
		for path, tok := range map[string]string{
			"/users":                             seal(&pageToken{For: "/users", After: after, Issued: started.Unix(), Sort: after}),
			"/groups/" + groupID(1) + "/members": seal(&pageToken{For: "/groups/{id}/members", After: after, Index: a, Issued: started.Unix()}),
			"/groups/delta": seal(&deltaToken{For: "/groups/delta", After: after, Phase: a, Member: b, Position: c, Since: since, All: all,
				Issued: started.Unix(), Select: []string{after}, IDs: []string{after}}),
		} {
			in := &incoming{ctx: t.Context(), method: "GET", path: "/v1.0" + path, base: "https://x", query: "$skiptoken=" + tok,
				header: map[string][]string{"Authorization": {token}}}
			if out := s.answer(in, "1"); !json.Valid(out.body) {
				t.Fatalf("answer is no JSON: %s", out.body)
			}
		}
	})
}

// TestConcurrentUse is for the race detector: readers, writers, delta and batches at once, with lag and throttling on.
func TestConcurrentUse(t *testing.T) {
	w := newWorld(300)
	w.Switches.GraphLag, w.Switches.GraphThrottle = 1, 1<<30
	c := newClient(t, w)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			c := *c
			for n := range 10 {
				c.get("/users?$top=50").want(200)
				c.get("/users/delta").want(200)
				c.do("PATCH", fmt.Sprintf("/applications(uniqueName='n%d-%d')", i, n), object{"displayName": "x"}, "Prefer: create-if-missing").want(201)
				c.get("/applications").want(200)
				c.batch(object{"id": "1", "method": "GET", "url": "/servicePrincipals"})
			}
		})
	}
	wg.Wait()
	if n := len(w.Tenants[0].Applications); n != 40 {
		t.Errorf("%d applications", n)
	}
}
