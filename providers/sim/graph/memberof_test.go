package graph

import (
	"slices"
	"testing"

	"github.com/weir-project/weir/providers/sim/world"
)

func TestMemberOf(t *testing.T) {
	w := newWorld(3)
	tn := w.Tenants[0]
	w.AddGroup(tn, &world.Group{ID: groupID(1), DisplayName: "Outer", Members: []string{groupID(2), personID(2)}})
	w.AddGroup(tn, &world.Group{ID: groupID(2), DisplayName: "Inner", Members: []string{personID(1), groupID(1)}}) // a circle
	w.AddGroup(tn, &world.Group{ID: groupID(3), DisplayName: "Hidden", HiddenMembership: true, Members: []string{personID(1)}})
	tn.RoleAssignments = append(tn.RoleAssignments, &world.RoleAssignment{ID: "r", Principal: personID(1), Role: roleTemplates[0].id})
	c := newClient(t, w)
	user := "/users/" + personID(1)

	direct := c.get(user + "/memberOf?$select=id,displayName").want(200)
	if c.call.Operation != "GET /users/{id}/memberOf" {
		t.Errorf("journal %+v", c.call)
	}
	rows := direct.values()
	if len(rows) != 3 || rows[0]["@odata.type"] != "#microsoft.graph.group" || rows[0]["displayName"] != "Inner" || len(rows[0]) != 3 ||
		rows[1]["displayName"] != "Hidden" || rows[2]["@odata.type"] != "#microsoft.graph.directoryRole" {
		t.Errorf("direct %s", direct.raw)
	}
	for path, want := range map[string][]string{
		user + "/transitiveMemberOf":                     {groupID(1), groupID(2), groupID(3)},
		"/users/p000001@north.example/memberOf":          {groupID(2), groupID(3)},
		"/groups/" + groupID(2) + "/memberOf":            {groupID(1)},
		"/groups/" + groupID(2) + "/transitiveMemberOf":  {groupID(1)}, // not itself, whatever the circle
		"/users/" + personID(3) + "/transitiveMemberOf":  nil,
		"/users/" + personID(2) + "/transitiveMemberOf":  {groupID(1), groupID(2)},
		"/users/" + personID(3) + "/memberOf?$top=999":   nil,
		"/groups/" + groupID(3) + "/transitiveMemberOf/": nil,
	} {
		got := slices.DeleteFunc(c.get(path).want(200).ids(), func(id string) bool { return !slices.Contains([]string{groupID(1), groupID(2), groupID(3)}, id) })
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	// The cast, and every filter, is an advanced query.
	cast := user + "/memberOf/microsoft.graph.group"
	c.get(cast).want(400, "Request_UnsupportedQuery")
	c.get(cast+"?$count=true").want(400, "Request_UnsupportedQuery")
	if a := c.get(cast+"?$count=true&$select=id", eventual).want(200); !slices.Equal(a.ids(), []string{groupID(2), groupID(3)}) || a.doc["@odata.count"] != 2.0 {
		t.Errorf("cast %s", a.raw)
	}
	c.get(user+"/memberOf?$filter=displayName%20eq%20'Inner'").want(400, "Request_UnsupportedQuery")
	if a := c.get(user+"/memberOf/$count", eventual).want(200); a.raw != "3" {
		t.Errorf("count %s", a.raw)
	}
	c.get(user+"/memberOf/$count").want(400, "Request_BadRequest")
	// Pages.
	all, _, n := c.pages(user + "/memberOf?$select=id&$top=1")
	if len(all) != 3 || n < 3 {
		t.Errorf("%d on %d pages", len(all), n)
	}
	c.get(user+"/memberOf?$top=1000").want(400, "Request_UnsupportedQuery")
	c.get(user+"/memberOf?$select=bogus").want(400, "BadRequest")
	// What is not served, and who is not there.
	c.get(user + "/memberOf?$expand=members").want(501)
	c.get(user+"/memberOf?$search=x", eventual).want(501)
	c.get("/contacts/" + personID(1) + "/memberOf").want(501)
	c.get("/users/"+groupID(1)+"/memberOf").want(404, "Request_ResourceNotFound")
	c.get("/groups/"+personID(1)+"/memberOf").want(404, "Request_ResourceNotFound")
	// Who may ask, and what shows of it.
	c.as("User.ReadBasic.All").get(user+"/memberOf").want(403, "Authorization_RequestDenied")
	c.as("User.Read.All").get("/groups/"+groupID(1)+"/memberOf").want(403, "Authorization_RequestDenied")
	if a := c.as("User.Read.All").get(user + "/memberOf?$select=id,displayName").want(200).values(); a[0]["id"] != groupID(2) || a[0]["displayName"] != nil {
		t.Errorf("limited %v", a)
	}
	plain := c.as("GroupMember.Read.All")
	if a := plain.get(user + "/memberOf?$select=id,displayName").want(200).values(); len(a) != 2 || a[0]["displayName"] != "Inner" || a[1]["displayName"] != nil {
		t.Errorf("without Member.Read.Hidden %v", a)
	}
	w.Switches.HiddenGroupsNamed = true
	if a := plain.get(user + "/memberOf?$select=id,displayName").want(200).values(); len(a) != 3 || a[1]["displayName"] != "Hidden" {
		t.Errorf("hidden groups named %v", a)
	}
}
