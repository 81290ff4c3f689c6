package entra

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/directory/cache"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

// enlarged is the quick start with a contact, a large group and more people, so that deltas have several pages.
func enlarged(more int) *world.World {
	w := world.Quickstart()
	w.Lock()
	defer w.Unlock()
	t := w.Tenant(contoso)
	w.AddContact(t, &world.Contact{DisplayName: "Partner", Mail: "partner@other.example", ProxyAddresses: []string{"SMTP:partner@other.example"}})
	g := &world.Group{DisplayName: "Crowd", Mail: "crowd@contoso.example", MailEnabled: true, ProxyAddresses: []string{"SMTP:crowd@contoso.example"}}
	for i := range more {
		name := fmt.Sprintf("p%04d@contoso.example", i)
		p := &world.DirectoryUser{UserPrincipalName: name, DisplayName: name, Mail: name, ProxyAddresses: []string{"SMTP:" + name}, Enabled: true, MailboxKind: "UserMailbox"}
		w.AddPerson(t, p)
		g.Members = append(g.Members, p.ID)
	}
	w.AddGroup(t, g)
	return w
}

// readFull reads everything and gives what is to be kept.
func readFull(t testing.TB, c *Client) (*directory.Reading, *cache.Directory) {
	t.Helper()
	r, d, err := c.ReadDirectoryFrom(t.Context(), nil)
	if err != nil || d == nil || !r.Proof.Complete || r.Proof.Base != nil || !r.Proof.Continued {
		t.Fatalf("%v, %+v", err, r)
	}
	d.Name, d.Digest = "directory-0000000001-0000000000000000", "ab"
	return r, d
}

// same compares a reading that went on from a kept one with a full one: entries, groups and hash must agree.
func same(t testing.TB, got, want *directory.Reading) {
	t.Helper()
	if got.Proof.Hash != want.Proof.Hash || len(got.Entries) != len(want.Entries) || len(got.Groups) != len(want.Groups) {
		t.Errorf("%d entries and %d groups instead of %d and %d", len(got.Entries), len(got.Groups), len(want.Entries), len(want.Groups))
	}
	by := map[string]*directory.Entry{}
	for _, e := range slices.Concat(want.Entries, want.Groups) {
		by[e.ObjectID] = e
	}
	differ := 0
	for _, e := range slices.Concat(got.Entries, got.Groups) {
		if w := by[e.ObjectID]; w == nil || !reflect.DeepEqual(*e, *w) {
			if differ++; differ <= 3 {
				t.Errorf("got  %+v\nwant %+v", e, w)
			}
		}
	}
}

// TestDeltaEqualsFull: whatever happened in the directory, going on from what was kept gives what a full read gives.
func TestDeltaEqualsFull(t *testing.T) {
	type edits map[string]any // of the portal
	person := func(name, field string, value any) edits {
		return edits{"tenant": "contoso.example", "person": name, "set": map[string]any{field: value}}
	}
	for name, row := range map[string][]func(w *world.World, tn *world.Tenant){
		"nothing":      {},
		"hire":         {portal(edits{"tenant": "contoso.example", "person": "new@contoso.example", "add": map[string]any{"department": "Sales"}})},
		"leaver":       {func(w *world.World, tn *world.Tenant) { w.DeletePerson(tn, tn.Person("bob@contoso.example"), false) }},
		"gone forever": {func(w *world.World, tn *world.Tenant) { w.DeletePerson(tn, tn.Person("bob@contoso.example"), true) }},
		"deleted, then restored": {
			func(w *world.World, tn *world.Tenant) { w.DeletePerson(tn, tn.Person("bob@contoso.example"), false) }, nil,
			portal(edits{"tenant": "contoso.example", "person": "bob@contoso.example", "restore": true}),
		},
		"deleted and restored at once": {
			func(w *world.World, tn *world.Tenant) { w.DeletePerson(tn, tn.Person("bob@contoso.example"), false) },
			portal(edits{"tenant": "contoso.example", "person": "bob@contoso.example", "restore": true}),
		},
		"renamed":        {portal(person("bob@contoso.example", "proxy_addresses", []string{"SMTP:robert@contoso.example", "smtp:bob@contoso.example"}))},
		"new address":    {portal(person("bob@contoso.example", "upn", "robert@contoso.example"))},
		"cleared fields": {portal(person("bob@contoso.example", "department", "")), portal(person("bob@contoso.example", "job_title", ""))},
		"sign-in":        {portal(person("bob@contoso.example", "enabled", false)), portal(person("leo@contoso.example", "enabled", true))},
		"licence":        {portal(person("bob@contoso.example", "licensed", false))},
		"guest":          {portal(person("bob@contoso.example", "user_type", "Guest"))},
		"no address":     {portal(person("bob@contoso.example", "proxy_addresses", []string{}))},
		"many people":    {func(w *world.World, tn *world.Tenant) { addPeople(w, tn, 450) }},
		"many leavers": {func(w *world.World, tn *world.Tenant) {
			for i := range 230 {
				w.DeletePerson(tn, tn.Person(fmt.Sprintf("p%04d@contoso.example", i)), i%2 == 0)
			}
		}},
		"group made": {func(w *world.World, tn *world.Tenant) {
			w.AddGroup(tn, &world.Group{DisplayName: "New", Mail: "new@contoso.example", MailEnabled: true, SecurityEnabled: true, ProxyAddresses: []string{"SMTP:new@contoso.example"}, Members: []string{tn.People[0].ID}})
		}},
		"group deleted": {func(w *world.World, tn *world.Tenant) { w.DeleteGroup(tn, crowd(tn), false) }},
		"group deleted, then restored": {
			func(w *world.World, tn *world.Tenant) { w.DeleteGroup(tn, crowd(tn), false) }, nil,
			func(w *world.World, tn *world.Tenant) {
				if err := w.Restore(tn, tn.Deleted[len(tn.Deleted)-1]); err != nil {
					panic(err)
				}
			},
		},
		"group renamed":  {portal(edits{"tenant": "contoso.example", "group": "Crowd", "set": map[string]any{"name": "Everybody here"}})},
		"group unmailed": {portal(edits{"tenant": "contoso.example", "group": "Crowd", "set": map[string]any{"proxy_addresses": []string{}}})},
		"group of another kind": {portal(edits{"tenant": "contoso.example", "group": "Crowd", "set": map[string]any{"security_enabled": true}}), nil,
			portal(edits{"tenant": "contoso.example", "group": "Crowd", "set": map[string]any{"group_types": []string{"Unified"}}}), nil,
			portal(edits{"tenant": "contoso.example", "group": "Crowd", "set": map[string]any{"group_types": []string{}, "security_enabled": false}})},
		"members join":  {func(w *world.World, tn *world.Tenant) { w.AddMember(crowd(tn), tn.Person("bob@contoso.example").ID) }},
		"members leave": {func(w *world.World, tn *world.Tenant) { leave(w, tn, 510) }},
		"members leave and join": {func(w *world.World, tn *world.Tenant) {
			g := crowd(tn)
			id := g.Members[3]
			w.RemoveMember(g, id)
			w.AddMember(g, id)
			w.RemoveMember(g, g.Members[0])
		}},
		"a change nobody described": {func(w *world.World, tn *world.Tenant) { w.Mark(&crowd(tn).Changed, &crowd(tn).Trail) }},
		"contact made": {func(w *world.World, tn *world.Tenant) {
			w.AddContact(tn, &world.Contact{DisplayName: "Second", Mail: "second@other.example", ProxyAddresses: []string{"SMTP:second@other.example"}})
		}},
		"contact changed": {portal(edits{"tenant": "contoso.example", "contact": "partner@other.example", "set": map[string]any{"name": "Other name"}})},
		"contact deleted": {func(w *world.World, tn *world.Tenant) { w.DeleteContact(tn, tn.Contacts[0]) }},
	} {
		for _, shuffled := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", name, shuffled), func(t *testing.T) {
				w := enlarged(520)
				w.Switches.DeltaShuffled = shuffled
				_, client := entered(t, w)
				_, kept := readFull(t, client)
				// A nil edit is another read in between.
				for i, edit := range append(row, nil) {
					if edit != nil {
						w.Lock()
						edit(w, w.Tenant(contoso))
						w.Unlock()
						continue
					}
					full, _, err := client.ReadDirectoryFrom(t.Context(), nil)
					if err != nil {
						t.Fatal(err)
					}
					got, next, err := client.ReadDirectoryFrom(t.Context(), kept)
					if err != nil || next == nil {
						t.Fatalf("read %d: %v %+v", i, err, got)
					}
					same(t, got, full)
					for _, part := range got.Proof.Parts[:3] {
						if !part.Complete || part.Base == nil || !part.Continued || part.Base.Generation != "directory-0000000001-0000000000000000" || part.Base.Hash != "ab" {
							t.Errorf("%s was not gone on from: %+v, %v", part.Source, part, got.Notes)
						}
					}
					if p := got.Proof; p.Base == nil || p.Base.Objects == 0 || !p.Continued || len(got.Notes) > 0 {
						t.Errorf("proof %+v, notes %v", p, got.Notes)
					}
					kept = next
					kept.Name, kept.Digest = "directory-0000000001-0000000000000000", "ab"
				}
			})
		}
	}
}

func crowd(tn *world.Tenant) *world.Group {
	for _, g := range tn.Groups {
		if len(g.Members) > 100 || g.DisplayName == "Crowd" {
			return g
		}
	}
	return nil
}

func leave(w *world.World, tn *world.Tenant, n int) {
	g := crowd(tn)
	for range n {
		w.RemoveMember(g, g.Members[0])
	}
}

func addPeople(w *world.World, tn *world.Tenant, n int) {
	for i := range n {
		name := fmt.Sprintf("q%04d@contoso.example", i)
		w.AddPerson(tn, &world.DirectoryUser{UserPrincipalName: name, DisplayName: name, Mail: name, ProxyAddresses: []string{"SMTP:" + name}, Enabled: true, MailboxKind: "UserMailbox"})
	}
}

// portal makes by hand the change that a person would make.
func portal(edit map[string]any) func(*world.World, *world.Tenant) {
	return func(w *world.World, _ *world.Tenant) {
		raw, err := json.Marshal(edit)
		if err != nil {
			panic(err)
		}
		w.Unlock()
		defer w.Lock()
		if err := w.Portal(raw); err != nil {
			panic(err)
		}
	}
}

// leaving is an enlarged directory that was read and kept, and from which somebody has left since.
func leaving(t *testing.T, hires int) (s *sim.Server, w *world.World, client *Client, kept *cache.Directory, id string) {
	t.Helper()
	w = enlarged(250)
	s, client = entered(t, w)
	_, kept = readFull(t, client)
	w.Lock()
	defer w.Unlock()
	tn := w.Tenant(contoso)
	p := tn.Person("bob@contoso.example")
	id = p.ID
	w.DeletePerson(tn, p, false)
	addPeople(w, tn, hires) // so that the changes have pages
	return s, w, client, kept, id
}

func has(r *directory.Reading, id string) bool {
	return slices.ContainsFunc(r.Entries, func(e *directory.Entry) bool { return e.ObjectID == id })
}

// TestSpoiltChanges: a spoilt read of the changes either is not complete and leaves what is kept as it is, or is replaced
// by a full read, which proves itself. Who left is missing in a complete reading only, as without the fault.
func TestSpoiltChanges(t *testing.T) {
	one := 1
	for name, row := range map[string]struct {
		rule sim.Rule
		want string // full, incomplete, fails, complete
		says string
	}{
		"no fault":           {sim.Rule{Path: "/nothing", Action: sim.Action{Status: 500}}, "complete", ""},
		"reset":              {sim.Rule{Path: "/v1.0/users/delta*", Action: sim.Action{DeltaToken: "reset"}, Times: 1}, "full", "begin again"},
		"expired":            {sim.Rule{Path: "/v1.0/users/delta*", Action: sim.Action{DeltaToken: "expired"}, Times: 1}, "full", "expired"},
		"reset without code": {sim.Rule{Path: "/v1.0/users/delta*", Action: sim.Action{Status: 410, Body: "{}"}, Times: 1}, "full", "begin again"},
		"reset on page 2":    {sim.Rule{Path: "/v1.0/users/delta?*skiptoken*", Action: sim.Action{Status: 410}, Times: 1}, "full", "begin again"},
		"token refused":      {sim.Rule{Path: "/v1.0/users/delta*", Action: sim.Action{Status: 400}, Times: 1}, "full", "does not take the token"},
		"token unknown":      {sim.Rule{Path: "/v1.0/users/delta*", Action: sim.Action{Status: 404}, Times: 1}, "full", "does not take the token"},
		"error 500":          {sim.Rule{Path: "/v1.0/users/delta*", Action: sim.Action{Status: 500}}, "fails", ""},
		"refused":            {sim.Rule{Path: "/v1.0/users/delta*", Action: sim.Action{Status: 403}}, "fails", ""},
		"no credential":      {sim.Rule{Path: "/v1.0/users/delta*", Action: sim.Action{Status: 401}}, "fails", ""},
		"web page":           {sim.Rule{Path: "/v1.0/users/delta*", Action: sim.Action{Status: 200, Body: "html"}}, "fails", ""},
		"error with 200":     {sim.Rule{Path: "/v1.0/users/delta*", Action: sim.Action{ErrorWith200: true}}, "fails", ""},
		"cut body":           {sim.Rule{Path: "/v1.0/users/delta*", Action: sim.Action{TruncateBody: 200}}, "fails", ""},
		"no delta link":      {sim.Rule{Path: "/v1.0/users/delta*", Action: sim.Action{DeltaToken: "missing"}}, "incomplete", "ended early"},
		"ends after page 1":  {sim.Rule{Path: "/v1.0/users/delta*", Action: sim.Action{LastPage: 1}}, "incomplete", "ended early"},
		"page 2 fails":       {sim.Rule{Path: "/v1.0/users/delta?*skiptoken*", Action: sim.Action{Status: 503}}, "incomplete", "read to the end"},
		"page 2 throttled":   {sim.Rule{Path: "/v1.0/users/delta?*skiptoken*", Action: sim.Action{Status: 429, RetryAfter: "1"}}, "incomplete", "read to the end"},
		"page 2 lost":        {sim.Rule{Path: "/v1.0/users/delta?*skiptoken*", Action: sim.Action{Drop: "before"}}, "incomplete", "read to the end"},
		"page 2 cut":         {sim.Rule{Path: "/v1.0/users/delta?*skiptoken*", Action: sim.Action{TruncateBody: 300}}, "incomplete", "read to the end"},
		"another form":       {sim.Rule{Path: "/v1.0/users/delta?*skiptoken*", Action: sim.Action{Status: 200, Body: `{"value":[{"id":5}],"@odata.deltaLink":"x"}`}}, "incomplete", "unknown form"},
		"nothing is told":    {sim.Rule{Path: "/v1.0/users/delta*", Action: sim.Action{EmptyList: true}}, "kept", ""},
		"too little is told": {sim.Rule{Path: "/v1.0/users/delta*", Action: sim.Action{KeepItems: &one}}, "incomplete", "ended early"},
		"page 1 again":       {sim.Rule{Path: "/v1.0/users/delta*", Action: sim.Action{RepeatPage: 1}}, "full", "counts"},
		"count disagrees":    {sim.Rule{Path: "/v1.0/users/$count", Action: sim.Action{CountOffset: 1}, Times: 1}, "full", "counts"},
		"fewer are counted":  {sim.Rule{Path: "/v1.0/users/$count", Action: sim.Action{CountOffset: -1}}, "complete", ""},
		"not countable":      {sim.Rule{Path: "/v1.0/users/$count", Action: sim.Action{Status: 500}, Times: 3}, "full", "not known"},
		"groups reset":       {sim.Rule{Path: "/v1.0/groups/delta*", Action: sim.Action{DeltaToken: "reset"}, Times: 1}, "complete", "begin again"},
		"groups fail":        {sim.Rule{Path: "/v1.0/groups/delta*", Action: sim.Action{Status: 500}}, "incomplete", "read to the end"},
		"contacts expired":   {sim.Rule{Path: "/v1.0/contacts/delta*", Action: sim.Action{DeltaToken: "expired"}, Times: 1}, "complete", "expired"},
		"contacts fail":      {sim.Rule{Path: "/v1.0/contacts/delta*", Action: sim.Action{Status: 503}}, "incomplete", "read to the end"},
		"full read cut":      {sim.Rule{Path: "/v1.0/users*", Action: sim.Action{LastPage: 1, DeltaToken: ""}}, "incomplete", ""},
		"no token in full":   {sim.Rule{Path: "/v1.0/users/delta?*deltatoken*", Action: sim.Action{DeltaToken: "reset"}}, "incomplete", "changed while"},
	} {
		t.Run(name, func(t *testing.T) {
			hires := 400
			if row.want == "kept" {
				hires = 0 // one page
			}
			s, w, client, kept, id := leaving(t, hires)
			before, users := kept.Users.Link, kept.Users.Len()
			row.rule.Vendor = sim.Graph
			if err := s.Fault(row.rule); err != nil {
				t.Fatal(err)
			}
			r, next, err := client.ReadDirectoryFrom(t.Context(), kept)
			switch row.want {
			case "fails":
				if err == nil || r != nil || next != nil || errors.Is(err, resource.ErrAbsent) {
					t.Fatalf("%v %+v", err, r)
				}
			case "incomplete":
				if err != nil || next != nil || r.Proof.Complete || !strings.Contains(r.Proof.Problem, row.says) {
					t.Fatalf("%v %+v", err, r.Proof)
				}
			case "kept":
				// An empty answer with a link cannot be told from one of a directory in which nothing happened. Nobody is
				// missing, and since nothing changed the place to go on from is not moved either (see TestKeptPlace).
				if err != nil || !r.Proof.Complete || !has(r, id) {
					t.Fatalf("%v %+v", err, r.Proof)
				}
			default:
				if err != nil || next == nil || !r.Proof.Complete || has(r, id) || !strings.Contains(strings.Join(r.Notes, "\n"), row.says) {
					t.Fatalf("%v %+v %v", err, r.Proof, r.Notes)
				}
				if full := r.Proof.Parts[0].Base == nil; full != (row.want == "full") {
					t.Errorf("users %+v, %v", r.Proof.Parts[0], r.Notes)
				}
			}
			if (row.want == "incomplete" || row.want == "fails") && strings.Contains(row.rule.Path, "users/delta") && !strings.Contains(name, "in full") &&
				(kept.Users.Link != before || kept.Users.Len() != users) {
				t.Error("what is kept was moved on by changes that did not come to their end")
			}
			// Without the fault who left is missing, and nothing else.
			s.ClearFaults()
			w.RLock()
			n := len(w.Tenant(contoso).People)
			w.RUnlock()
			_, again := readFull(t, client)
			r, _, err = client.ReadDirectoryFrom(t.Context(), again)
			if err != nil || !r.Proof.Complete || has(r, id) || again.Users.Len() != n {
				t.Errorf("afterwards: %v %+v", err, r)
			}
		})
	}
}

// TestKeptPlace: a round that told nothing does not move the place to go on from; what one empty answer hid comes with the
// next.
func TestKeptPlace(t *testing.T) {
	s, _, client, kept, id := leaving(t, 0)
	var c cacheOf
	c.keep(t, client, kept)
	if err := s.Fault(sim.Rule{Vendor: sim.Graph, Path: "/v1.0/users/delta*", Action: sim.Action{EmptyList: true}}); err != nil {
		t.Fatal(err)
	}
	r, next, err := client.ReadDirectoryFrom(t.Context(), c.load(t, client))
	if err != nil || !has(r, id) || !next.Changed() {
		t.Errorf("%v, changed %v", err, next.Changed()) // a group has changed
	}
	c.keep(t, client, next)
	s.ClearFaults()
	r, next, err = client.ReadDirectoryFrom(t.Context(), c.load(t, client))
	if err != nil || has(r, id) || !next.Changed() {
		t.Errorf("%v, changed %v", err, next.Changed())
	}
}

// TestOldToken: after more than seven days the token is refused, and everybody is read anew; nobody is removed by that.
func TestOldToken(t *testing.T) {
	w := enlarged(10)
	client := newVendor(t, w).client
	first, kept := readFull(t, client)
	if _, err := w.Advance(8 * 24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	r, next, err := client.ReadDirectoryFrom(t.Context(), kept)
	if err != nil || next == nil || r.Proof.Base != nil || len(r.Notes) != 3 || len(r.Entries) != len(first.Entries) {
		t.Errorf("%v %+v %v", err, r.Proof, r.Notes)
	}
}

// TestTokenOfAnotherTenant: it is refused, and leads to a full read.
func TestTokenOfAnotherTenant(t *testing.T) {
	w := enlarged(10)
	_, client := entered(t, w)
	other := enlarged(10)
	other.Lock()
	other.Tenants[len(other.Tenants)-1].ID = "11111111-2222-4333-8444-555555555555"
	other.Unlock()
	_, kept := readFull(t, client)
	kept.Users.Link = "/users/delta?$deltatoken=bm9uc2Vuc2U"
	r, _, err := client.ReadDirectoryFrom(t.Context(), kept)
	if err != nil || !r.Proof.Complete || r.Proof.Parts[0].Base != nil || r.Proof.Parts[1].Base == nil {
		t.Errorf("%v %+v", err, r)
	}
}

// TestRequests: what a read costs. Nothing changed: one request a list, however many there are.
func TestRequests(t *testing.T) {
	v := newVendor(t, enlarged(2500))
	count := func() map[string]int {
		v.world.Lock()
		defer v.world.Unlock()
		out := map[string]int{}
		for _, call := range v.calls {
			out[strings.TrimPrefix(call, "GET /v1.0/")]++
		}
		v.calls = nil
		return out
	}
	_, kept := readFull(t, v.client)
	n := kept.Users.Len()
	got := count()
	if got["users"] != (n+998)/999 || got["users/delta"] != 2 || got["contacts"] != 1 || got["contacts/delta"] != 2 || got["domains"] != 1 ||
		got["groups/delta"] > 1+2500/500+1 || len(got) != 8 || got["groups/$count"] != 1 || got["organization"] != 1 {
		t.Errorf("a full read of %d users: %v", n, got)
	}
	if _, _, err := v.client.ReadDirectoryFrom(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	if got, want := count(), map[string]int{"users/delta": 1, "groups/delta": 1, "contacts/delta": 1, "domains": 1}; !maps.Equal(got, want) {
		t.Errorf("nothing changed: %v, want %v", got, want)
	}
}

// TestItems: what one object's occurrences in a delta make of it.
func TestItems(t *testing.T) {
	old := func() *directory.Entry {
		return &directory.Entry{ObjectID: "a", Kind: directory.User, Address: "a@x.example", UPN: "a@x.example", Name: "A", Department: "Sales", Enabled: true,
			Licensed: true, HasProxy: true, Aliases: []string{"b@x.example"}}
	}
	with := func(change func(e *directory.Entry)) *directory.Entry { e := old(); change(e); return e }
	const whole = `"userPrincipalName":"a@x.example","accountEnabled":true`
	for name, row := range map[string]struct {
		known bool
		items string // JSON
		want  *directory.Entry
		sure  bool
	}{
		"id alone":                  {true, `[{"id":"a"}]`, old(), true},
		"replay":                    {true, `[{"id":"a",` + whole + `,"department":"Sales"}]`, old(), true},
		"one field":                 {true, `[{"id":"a","department":"Kitchen"}]`, with(func(e *directory.Entry) { e.Department = "Kitchen" }), true},
		"cleared":                   {true, `[{"id":"a","department":null}]`, with(func(e *directory.Entry) { e.Department = "" }), true},
		"no licences":               {true, `[{"id":"a","assignedLicenses":[]}]`, with(func(e *directory.Entry) { e.Licensed = false }), true},
		"no licences, null":         {true, `[{"id":"a","assignedLicenses":null}]`, with(func(e *directory.Entry) { e.Licensed = false }), true},
		"no addresses":              {true, `[{"id":"a","proxyAddresses":[]}]`, with(func(e *directory.Entry) { e.Address, e.Aliases, e.HasProxy = "", nil, false }), true},
		"hidden addresses":          {true, `[{"id":"a","proxyAddresses":null}]`, nil, false},
		"hidden sign-in":            {true, `[{"id":"a","accountEnabled":null}]`, nil, false},
		"in pieces":                 {true, `[{"id":"a","department":"Kitchen"},{"id":"a","jobTitle":"Cook"}]`, with(func(e *directory.Entry) { e.Department, e.JobTitle = "Kitchen", "Cook" }), true},
		"twice":                     {true, `[{"id":"a","department":"Kitchen"},{"id":"a","department":"Kitchen"}]`, with(func(e *directory.Entry) { e.Department = "Kitchen" }), true},
		"contradicting":             {true, `[{"id":"a","department":"Kitchen"},{"id":"a","department":"Sales"}]`, nil, false},
		"contradicting thrice":      {true, `[{"id":"a","department":"Kitchen"},{"id":"a","department":"Sales"},{"id":"a","department":"Kitchen"}]`, nil, false},
		"an address in between":     {true, `[{"id":"a","proxyAddresses":["SMTP:a@x.example"]},{"id":"a","proxyAddresses":["SMTP:c@x.example"]},{"id":"a","proxyAddresses":["SMTP:a@x.example"]}]`, nil, false},
		"thrice the same":           {true, `[{"id":"a","department":"Kitchen"},{"id":"a","jobTitle":"Cook"},{"id":"a","department":"Kitchen","jobTitle":"Cook"}]`, with(func(e *directory.Entry) { e.Department, e.JobTitle = "Kitchen", "Cook" }), true},
		"soft-deleted":              {true, `[{"id":"a","@removed":{"reason":"changed"}}]`, nil, true},
		"deleted for good":          {true, `[{"id":"a","@removed":{"reason":"deleted"}}]`, nil, true},
		"deleted twice":             {true, `[{"id":"a","@removed":{"reason":"changed"}},{"id":"a","@removed":{"reason":"deleted"}}]`, nil, true},
		"there and gone":            {true, `[{"id":"a","department":"Kitchen"},{"id":"a","@removed":{"reason":"changed"}}]`, nil, false},
		"gone and there":            {true, `[{"id":"a","@removed":{"reason":"changed"}},{"id":"a",` + whole + `}]`, nil, false},
		"unknown and deleted":       {false, `[{"id":"a","@removed":{"reason":"deleted"}}]`, nil, true},
		"new":                       {false, `[{"id":"a",` + whole + `}]`, &directory.Entry{ObjectID: "a", Kind: directory.User, UPN: "a@x.example", Enabled: true}, true},
		"new guest":                 {false, `[{"id":"a",` + whole + `,"userType":"guest"}]`, &directory.Entry{ObjectID: "a", Kind: directory.Guest, UPN: "a@x.example", Enabled: true}, true},
		"new, in pieces":            {false, `[{"id":"a","department":"Sales"},{"id":"a",` + whole + `}]`, &directory.Entry{ObjectID: "a", Kind: directory.User, UPN: "a@x.example", Enabled: true, Department: "Sales"}, true},
		"new with too little":       {false, `[{"id":"a","displayName":"A"}]`, nil, false},
		"unknown with one change":   {false, `[{"id":"a","accountEnabled":false}]`, nil, false},
		"new with hidden addresses": {false, `[{"id":"a",` + whole + `,"proxyAddresses":null}]`, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			var items []deltaUser
			if err := json.Unmarshal([]byte(row.items), &items); err != nil {
				t.Fatal(err)
			}
			var all []*deltaUser
			for i := range items {
				all = append(all, &items[i])
			}
			var before *directory.Entry
			if row.known {
				before = old()
			}
			for range 2 {
				got, sure := outcome(before, "a", all)
				if sure != row.sure || sure && !reflect.DeepEqual(got, row.want) {
					t.Errorf("sure %v\ngot  %+v\nwant %+v", sure, got, row.want)
				}
				slices.Reverse(all)
			}
			if row.known && !reflect.DeepEqual(before, old()) {
				t.Error("the kept entry was changed")
			}
		})
	}
}

// TestGroupItems: the same for groups and their members.
func TestGroupItems(t *testing.T) {
	old := func() *directory.Entry {
		return &directory.Entry{ObjectID: "g", Kind: directory.SecurityGroup, Name: "G", Enabled: true, Members: []string{"a", "b"}}
	}
	with := func(change func(e *directory.Entry)) *directory.Entry { e := old(); change(e); return e }
	for name, row := range map[string]struct {
		known bool
		items string
		want  *directory.Entry // nil: gone
		lost  bool
	}{
		"nothing":                 {true, `[{"id":"g"}]`, old(), false},
		"joined":                  {true, `[{"id":"g","members@delta":[{"id":"C"}]}]`, with(func(e *directory.Entry) { e.Members = []string{"a", "b", "c"} }), false},
		"joined again":            {true, `[{"id":"g","members@delta":[{"id":"a"}]}]`, old(), false},
		"left":                    {true, `[{"id":"g","members@delta":[{"id":"a","@removed":{"reason":"deleted"}}]}]`, with(func(e *directory.Entry) { e.Members = []string{"b"} }), false},
		"left who was none":       {true, `[{"id":"g","members@delta":[{"id":"z","@removed":{"reason":"deleted"}}]}]`, old(), false},
		"all left":                {true, `[{"id":"g","members@delta":[{"id":"a","@removed":{}}]},{"id":"g","members@delta":[{"id":"b","@removed":{}}]}]`, with(func(e *directory.Entry) { e.Members = nil }), false},
		"all left, hidden or not": {true, `[{"id":"g","visibility":"HiddenMembership","members@delta":[{"id":"a","@removed":{}}]},{"id":"g","visibility":"Private","members@delta":[{"id":"b","@removed":{}}]}]`, with(func(e *directory.Entry) { e.Members, e.MembersHidden = nil, true }), false},
		"slices":                  {true, `[{"id":"g","members@delta":[{"id":"d"}]},{"id":"g","displayName":"New","members@delta":[{"id":"c"}]}]`, with(func(e *directory.Entry) { e.Name, e.Members = "New", []string{"a", "b", "c", "d"} }), false},
		"joined and left":         {true, `[{"id":"g","members@delta":[{"id":"a","@removed":{}}]},{"id":"g","members@delta":[{"id":"a"}]}]`, nil, true},
		"gone":                    {true, `[{"id":"g","@removed":{"reason":"changed"}}]`, nil, false},
		"gone and there":          {true, `[{"id":"g","@removed":{"reason":"changed"}},{"id":"g","displayName":"G"}]`, nil, true},
		"member without id":       {true, `[{"id":"g","members@delta":[{}]}]`, nil, true},
		"without id":              {true, `[{"displayName":"G"}]`, nil, true},
		"new":                     {false, `[{"id":"g","displayName":"G","securityEnabled":true,"members@delta":[{"id":"b"},{"id":"a"}]}]`, old(), false},
		"new, members first":      {false, `[{"id":"g","members@delta":[{"id":"a"}]},{"id":"g","displayName":"G","securityEnabled":true,"groupTypes":[],"members@delta":[{"id":"b"}]}]`, old(), false},
		"new without members":     {false, `[{"id":"g","displayName":"G","securityEnabled":true,"members@delta":[]}]`, with(func(e *directory.Entry) { e.Members = nil }), false},
		"new, members not told":   {false, `[{"id":"g","displayName":"G","securityEnabled":true}]`, nil, true},
		"new with members alone":  {false, `[{"id":"g","members@delta":[{"id":"a"}]}]`, nil, true},
		"unified":                 {true, `[{"id":"g","groupTypes":["Unified"]}]`, with(func(e *directory.Entry) { e.Kind = directory.Microsoft365Group }), false},
		"no security group now":   {true, `[{"id":"g","securityEnabled":false}]`, with(func(e *directory.Entry) { e.Kind = directory.DistributionGroup }), false},
		"hidden":                  {true, `[{"id":"g","proxyAddresses":null}]`, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, backwards := range []bool{false, true} {
				var items []deltaGroup
				if err := json.Unmarshal([]byte(row.items), &items); err != nil {
					t.Fatal(err)
				}
				if backwards {
					slices.Reverse(items)
				}
				var entries []*directory.Entry
				if row.known {
					entries = append(entries, old())
				}
				col := cache.NewCollection("x", entries)
				err := mergeGroups(col, items)
				var gone *lostError
				if errors.As(err, &gone) != row.lost || err != nil && !row.lost {
					t.Fatalf("%v", err)
				}
				if got := col.Get("g"); !row.lost && !reflect.DeepEqual(got, row.want) {
					t.Errorf("got  %+v\nwant %+v", got, row.want)
				}
			}
		})
	}
}

// TestDoubtfulObjects: what a delta leaves in doubt is asked for directly, up to a number, and else all is read again.
func TestDoubtfulObjects(t *testing.T) {
	for _, n := range []int{1, maxDoubts, maxDoubts + 1} {
		v := newVendor(t, enlarged(40))
		_, kept := readFull(t, v.client)
		v.world.Lock()
		var ids []string
		for i := range n {
			p := v.tenant.Person(fmt.Sprintf("p%04d@contoso.example", i))
			ids = append(ids, p.ID)
			p.Department = "Asked"
			if i == 0 {
				w := v.world
				w.DeletePerson(v.tenant, p, false)
			}
		}
		v.world.Unlock()
		var items []deltaUser
		for _, id := range ids {
			items = append(items, deltaUser{ID: id, Removed: &removed{}}, deltaUser{ID: id})
		}
		err := merge[deltaUser](t.Context(), v.client, kept.Users, items, func(k directory.Kind) bool { return k == directory.User })
		var gone *lostError
		if lost := errors.As(err, &gone); lost != (n > maxDoubts) {
			t.Fatalf("%d doubts: %v", n, err)
		}
		if err != nil {
			continue
		}
		for i, id := range ids {
			if e := kept.Users.Get(id); i == 0 && e != nil || i > 0 && (e == nil || e.Department != "Asked") {
				t.Errorf("object %d of %d: %+v", i, n, e)
			}
		}
	}
}
