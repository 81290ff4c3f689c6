package graph

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

// round follows a delta round from path to its end and returns the values, the deltaLink and the number of pages.
func (c *client) round(path string, headers ...string) ([]map[string]any, string, int) {
	c.t.Helper()
	all, last, n := c.pages(path, headers...)
	link := last.text("@odata.deltaLink")
	if link == "" {
		c.t.Fatalf("the last page has no deltaLink: %s", last.raw)
	}
	return all, link, n
}

func idsOf(values []map[string]any) []string {
	out := []string{}
	for _, v := range values {
		out = append(out, v["id"].(string))
	}
	return out
}

func TestDeltaUsers(t *testing.T) {
	w := newWorld(450)
	tn := w.Tenants[0]
	c := newClient(t, w)
	all, link, n := c.round("/users/delta?$select=displayName,department,mail&$top=5")
	if len(all) != 450 || n != 3 {
		t.Errorf("%d users on %d pages: $top is to be ignored", len(all), n)
	}
	if _, has := all[0]["department"]; has || len(all[0]) != 3 {
		t.Errorf("a property never set is written: %v", all[0])
	}
	if !strings.HasPrefix(link, "https://graph.microsoft.com/v1.0/users/delta?$deltatoken=") {
		t.Errorf("deltaLink %q", link)
	}
	// Nothing changed.
	all, link, _ = c.round(link)
	if len(all) != 0 {
		t.Errorf("an idle round has %v", all)
	}
	// A change, a clearing, an addition, both kinds of deletion.
	one := *tn.Person(personID(1))
	one.Department = "Sales"
	w.ReplacePerson(tn, tn.Person(personID(1)), one)
	two := tn.Person(personID(2))
	two.Mail = ""
	w.Mark(&two.Changed, &two.Trail, "mail")
	w.AddPerson(tn, &world.DirectoryUser{ID: personID(9000), UserPrincipalName: "new@north.example", DisplayName: "New"})
	w.DeletePerson(tn, tn.Person(personID(3)), false)
	w.DeletePerson(tn, tn.Person(personID(4)), true)
	all, after, _ := c.round(link)
	if got, want := idsOf(all), []string{personID(1), personID(2), personID(9000), personID(3), personID(4)}; !slices.Equal(got, want) {
		t.Fatalf("changed %v, want %v", got, want)
	}
	if all[0]["department"] != "Sales" {
		t.Errorf("changed user %v", all[0])
	}
	if m, has := all[1]["mail"]; !has || m != nil {
		t.Errorf("a cleared property must be null: %v", all[1])
	}
	if _, has := all[1]["department"]; has {
		t.Errorf("a property never set is written: %v", all[1])
	}
	for i, reason := range map[int]string{3: "changed", 4: "deleted"} {
		if r, _ := all[i]["@removed"].(map[string]any); r["reason"] != reason || len(all[i]) != 2 {
			t.Errorf("removed %v, want reason %s", all[i], reason)
		}
	}
	// Minimal: only what changed.
	all, _, _ = c.round(link, "Prefer: return=minimal")
	if len(all[1]) != 2 {
		t.Errorf("minimal %v", all[1])
	}
	// Replays are the same, and the next round is empty again.
	if again, _, _ := c.round(link); len(again) != 5 {
		t.Errorf("replay %v", again)
	}
	if all, _, _ := c.round(after); len(all) != 0 {
		t.Errorf("after %v", all)
	}
	// A restored user comes back as an ordinary change.
	if err := w.Restore(tn, w.DeletedItem(tn, personID(3))); err != nil {
		t.Fatal(err)
	}
	if all, _, _ := c.round(after); !slices.Equal(idsOf(all), []string{personID(3)}) || all[0]["displayName"] == nil {
		t.Errorf("restored %v", all)
	}
}

func TestDeltaLatestAndIDs(t *testing.T) {
	w := newWorld(300)
	tn := w.Tenants[0]
	c := newClient(t, w)
	a := c.get("/users/delta?$deltatoken=latest&$select=displayName").want(200)
	if len(a.values()) != 0 || a.text("@odata.nextLink") != "" {
		t.Errorf("latest %s", a.raw)
	}
	link := a.text("@odata.deltaLink")
	for _, n := range []int{1, 2} {
		u := tn.Person(personID(n))
		w.Mark(&u.Changed, &u.Trail, "displayName")
	}
	if all, _, _ := c.round(link); len(all) != 2 {
		t.Errorf("since latest %v", all)
	}
	some := "/users/delta?$filter=id eq '" + personID(2) + "' or id eq '" + personID(200) + "'"
	all, link, n := c.round(some)
	if n != 1 || !slices.Equal(idsOf(all), []string{personID(2), personID(200)}) {
		t.Errorf("filtered %v on %d pages", all, n)
	}
	u := tn.Person(personID(1))
	w.Mark(&u.Changed, &u.Trail)
	if all, _, _ := c.round(link); len(all) != 0 {
		t.Errorf("the filter is lost in the token: %v", all)
	}
	c.get("/users/delta?$filter=displayName eq 'x'").want(400, "Request_UnsupportedQuery")
	c.get("/users/delta?$filter=id eq 'a' and id eq 'b'").want(400, "Request_UnsupportedQuery")
	var many []string
	for i := range 51 {
		many = append(many, "id eq '"+personID(i)+"'")
	}
	c.get("/users/delta?$filter="+strings.Join(many, " or ")).want(400, "Request_UnsupportedQuery")
	for _, option := range []string{"$orderby=displayName", "$expand=members", "$search=x", "$count=true"} {
		c.get("/users/delta?"+option).want(400, "Request_UnsupportedQuery")
	}
}

func TestDeltaShuffled(t *testing.T) {
	w := newWorld(250)
	w.Switches.DeltaShuffled = true
	c := newClient(t, w)
	all, _, n := c.round("/users/delta?$select=displayName")
	ids := idsOf(all)
	if len(all) != 252 || n != 2 || ids[0] != personID(200) || ids[200] != personID(200) {
		t.Errorf("%d values on %d pages, first %s", len(all), n, ids[0])
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 250 {
		t.Error("some are missing")
	}
}

// TestDeltaWhileItRuns changes an object behind the page that was read: the next round must have it.
func TestDeltaWhileItRuns(t *testing.T) {
	w := newWorld(450)
	tn := w.Tenants[0]
	c := newClient(t, w)
	first := c.get("/users/delta").want(200)
	u := tn.Person(personID(1))
	u.DisplayName = "Changed meanwhile"
	w.Mark(&u.Changed, &u.Trail, "displayName")
	w.DeletePerson(tn, tn.Person(personID(2)), false)
	rest, link, _ := c.round(first.text("@odata.nextLink"))
	if len(rest) < 250 {
		t.Errorf("%d in the rest", len(rest))
	}
	all, _, _ := c.round(link)
	if !slices.Equal(idsOf(all), []string{personID(1), personID(2)}) {
		t.Errorf("next round %v", idsOf(all))
	}
}

func TestDeltaTokens(t *testing.T) {
	w := newWorld(300)
	c := newClient(t, w)
	first := c.get("/users/delta").want(200)
	_, link, _ := c.round(first.text("@odata.nextLink"))
	c.get(link+"x").want(400, "Request_BadRequest")
	c.get(strings.Replace(link, "/users/", "/groups/", 1)).want(400, "Request_BadRequest")
	c.get(link+"&$select=id").want(400, "Request_BadRequest")
	if _, err := w.Advance(7 * 24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	c.get(link).want(200) // seven days are still good
	if _, err := w.Advance(time.Second); err != nil {
		t.Fatal(err)
	}
	a := c.get(link).want(400, "syncStateNotFound")
	if !strings.Contains(a.message(), "delta token is expired") {
		t.Errorf("message %q", a.message())
	}
	c.get(first.text("@odata.nextLink")).want(400, "syncStateNotFound")
	// A reset sends the client to the beginning.
	_, link, _ = c.round("/users/delta")
	w.Switches.DeltaResetAt = w.Touch()
	a = c.get(link).want(410, "resyncRequired")
	all, link, _ := c.round(a.header.Get("Location"))
	if len(all) != 300 {
		t.Errorf("after the reset %d", len(all))
	}
	c.round(link)
	// A world put back to an earlier revision knows tokens from its future.
	w.Switches.DeltaResetAt = 0
	w.Revision = 0
	c.get(link).want(410)
}

func TestDeltaGroups(t *testing.T) {
	w := newWorld(1200)
	tn := w.Tenants[0]
	big := &world.Group{ID: groupID(1), DisplayName: "Big"}
	for _, u := range tn.People {
		big.Members = append(big.Members, u.ID)
	}
	w.AddGroup(tn, big)
	w.AddGroup(tn, &world.Group{ID: groupID(2), DisplayName: "Small", Members: []string{personID(1), groupID(1)}})
	w.AddGroup(tn, &world.Group{ID: groupID(3), DisplayName: "Hidden", HiddenMembership: true, Members: []string{personID(1)}})
	c := newClient(t, w)
	members := func(values []map[string]any, group string) (in, out []string) {
		for _, v := range values {
			if v["id"] != group {
				continue
			}
			list, _ := v["members@delta"].([]any)
			for _, m := range list {
				m := m.(map[string]any)
				if m["@removed"] != nil {
					out = append(out, m["id"].(string))
				} else {
					in = append(in, m["id"].(string))
				}
				if m["@odata.type"] == nil || len(m) > 3 {
					t.Errorf("member %v", m)
				}
			}
		}
		return in, out
	}
	all, link, n := c.round("/groups/delta?$select=displayName,members")
	in, _ := members(all, groupID(1))
	slices.Sort(in)
	if len(slices.Compact(in)) != 1200 || n != 3 {
		t.Errorf("%d members on %d pages of 500 links", len(in), n)
	}
	if in, _ := members(all, groupID(2)); !slices.Equal(in, []string{personID(1), groupID(1)}) {
		t.Errorf("small group %v", in)
	}
	if in, _ := members(all, groupID(3)); len(in) != 1 {
		t.Errorf("hidden group for a reader who may: %v", in)
	}
	hidden, _, _ := c.as("Directory.Read.All").round("/groups/delta")
	if in, _ := members(hidden, groupID(3)); len(in) != 0 {
		t.Errorf("hidden group for a reader who may not: %v", in)
	}
	// One joins, one leaves, one leaves and comes back.
	w.AddPerson(tn, &world.DirectoryUser{ID: personID(5000), UserPrincipalName: "x@north.example"})
	w.AddMember(big, personID(5000))
	w.RemoveMember(big, personID(7))
	w.RemoveMember(big, personID(8))
	w.AddMember(big, personID(8))
	all, link, _ = c.round(link)
	in, out := members(all, groupID(1))
	if !slices.Equal(in, []string{personID(5000), personID(8)}) || !slices.Equal(out, []string{personID(7)}) || len(all) != 1 {
		t.Errorf("joined %v, left %v, in %d objects", in, out, len(all))
	}
	// A deleted user leaves every group.
	w.DeletePerson(tn, tn.Person(personID(1)), false)
	all, link, _ = c.round(link)
	for _, g := range []string{groupID(1), groupID(2)} {
		if in, out := members(all, g); len(in) != 0 || !slices.Equal(out, []string{personID(1)}) {
			t.Errorf("%s: joined %v, left %v", g, in, out)
		}
	}
	// Somebody changed the members without saying so: everything is replayed, over several pages.
	big.Members = append(big.Members, personID(1199))
	big.Changed = w.Touch()
	all, _, n = c.round(link)
	if in, _ := members(all, groupID(1)); len(in) != 1200 || n != 3 {
		t.Errorf("replayed %d on %d pages", len(in), n)
	}
	// Without members in $select there are none.
	all, _, _ = c.round("/groups/delta?$select=displayName")
	if in, _ := members(all, groupID(1)); len(in) != 0 {
		t.Errorf("unselected members %v", in)
	}
}

func TestDeltaManyDeleted(t *testing.T) {
	w := newWorld(500)
	tn := w.Tenants[0]
	c := newClient(t, w)
	_, link, _ := c.round("/users/delta")
	for i := 1; i <= 450; i++ {
		w.DeletePerson(tn, tn.Person(personID(i)), i%2 == 0)
	}
	all, _, n := c.round(link)
	if len(all) != 450 || n != 3 {
		t.Errorf("%d deletions on %d pages", len(all), n)
	}
}

func BenchmarkDeltaSince(b *testing.B) {
	w := newWorld(200_000)
	h := New(w)
	token := sign(w, everything...)
	u := w.Tenants[0].People[150_000]
	link := "https://graph.microsoft.com/v1.0/users/delta?$deltatoken=" + seal(&deltaToken{For: "/users/delta", Issued: w.Clock.Unix()})
	w.Mark(&u.Changed, &u.Trail, "displayName")
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("GET", link, nil)
		r.Header.Set("Authorization", token)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != 200 || !strings.Contains(rec.Body.String(), u.ID) {
			b.Fatal(fmt.Sprint(rec.Code, rec.Body.String()))
		}
	}
}
