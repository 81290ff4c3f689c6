package graph

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

func TestEveryReadAnswers(t *testing.T) {
	w := newWorld(3)
	w.AddGroup(w.Tenants[0], &world.Group{ID: groupID(1), DisplayName: "All", Members: []string{personID(1)}})
	w.AddContact(w.Tenants[0], &world.Contact{ID: "90aa0000-0000-4000-8000-000000000001", DisplayName: "Out", Mail: "out@else.example"})
	c := newClient(t, w)
	for _, path := range []string{"/users", "/users/delta", "/users/delta()", "/users/microsoft.graph.delta()", "/users/" + personID(1),
		"/users('" + personID(1) + "')", "/users/p000001@north.example", "/groups", "/groups/delta", "/groups/" + groupID(1),
		"/groups/" + groupID(1) + "/members", "/groups/" + groupID(1) + "/transitiveMembers",
		"/groups/" + groupID(1) + "/members/microsoft.graph.user", "/groups?$expand=members", "/contacts", "/contacts/delta",
		"/contacts/90aa0000-0000-4000-8000-000000000001", "/domains", "/domains/north.example",
		"/domains/north.example/verificationDnsRecords", "/domains/north.example/serviceConfigurationRecords", "/organization",
		"/organization/" + tenantID, "/applications", "/servicePrincipals", "/servicePrincipals/" + graphSP,
		"/servicePrincipals(appId='" + world.GraphAppID + "')", "/servicePrincipals/" + graphSP + "/appRoleAssignments",
		"/servicePrincipals/" + graphSP + "/appRoleAssignedTo", "/servicePrincipals/" + graphSP + "/oauth2PermissionGrants",
		"/oauth2PermissionGrants", "/directoryRoles", "/directoryRoleTemplates",
		"/roleManagement/directory/roleDefinitions", "/roleManagement/directory/roleAssignments",
		"/directory/deletedItems/microsoft.graph.user", "/directory/deletedItems/microsoft.graph.group",
		"/directory/deletedItems/microsoft.graph.application", "/directory/deletedItems/microsoft.graph.servicePrincipal",
		"/subscribedSkus", "/users/" + personID(1) + "/mailboxSettings", "/users/" + personID(1) + "/mailboxSettings/userPurpose"} {
		t.Run(path, func(t *testing.T) {
			c := *c
			c.t = t
			a := c.get(path).want(200)
			for name, want := range map[string]string{"Odata-Version": "4.0", "Cache-Control": "no-cache", "Content-Type": contentType} {
				if got := a.header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			for _, name := range []string{"Request-Id", "X-Ms-Resource-Unit", "X-Ms-Ags-Diagnostic"} {
				if a.header.Get(name) == "" {
					t.Errorf("no %s header", name)
				}
			}
			if c.call.Tenant != tenantID || c.call.Changing || c.call.Unimplemented || !strings.HasPrefix(c.call.Operation, "GET /") {
				t.Errorf("journal says %+v", c.call)
			}
			if v, ok := a.doc["value"]; ok && v == nil {
				t.Error("value is null")
			}
		})
	}
	if c.get("/users/" + personID(1)).want(200); c.call.Operation != "GET /users/{id}" {
		t.Errorf("operation %q", c.call.Operation)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(3)
	c := newClient(t, w)
	tests := []struct {
		method, path  string
		headers       []string
		status        int
		code, message string
	}{
		{"GET", "/users?$top=1000", nil, 400, "Request_UnsupportedQuery", "Invalid page size specified: '1000'. Must be between 1 and 999 inclusive."},
		{"GET", "/users?$top=0", nil, 400, "Request_UnsupportedQuery", "Invalid page size"},
		{"GET", "/users?$top=x", nil, 400, "BadRequest", "$top"},
		{"GET", "/users?$skip=5", nil, 400, "Request_UnsupportedQuery", "$skip"},
		{"GET", "/groups?$skip=5", nil, 400, "Request_UnsupportedQuery", "$skip"},
		{"GET", "/users?$select=aboutMe", nil, 501, "NotImplemented", "aboutMe"},
		{"GET", "/users?$select=mailboxSettings", nil, 501, "NotImplemented", ""},
		{"GET", "/groups?$select=hideFromAddressLists", nil, 501, "NotImplemented", ""},
		{"GET", "/users?$select=nonsense", nil, 400, "BadRequest", "Could not find a property named 'nonsense'"},
		{"GET", "/users?$filter=nonsense eq 'x'", nil, 400, "Request_UnsupportedQuery", "property 'nonsense' of resource 'User'"},
		{"GET", "/users?$filter=displayName eq", nil, 400, "BadRequest", "filter"},
		{"GET", "/users?$filter=displayName ne 'x'", nil, 400, "Request_UnsupportedQuery", "Operator 'ne' is not supported because the 'ConsistencyLevel:eventual' header is missing"},
		{"GET", "/users?$filter=endsWith(mail,'x')", nil, 400, "Request_UnsupportedQuery", "Operator 'endsWith' is not supported because the 'ConsistencyLevel:eventual' header is missing"},
		{"GET", "/users?$filter=endsWith(mail,'x')", []string{eventual}, 400, "Request_UnsupportedQuery", "$count"},
		{"GET", "/users?$filter=not(accountEnabled eq true)", nil, 400, "Request_UnsupportedQuery", "Operator 'not'"},
		{"GET", "/users?$filter=accountEnabled eq true&$orderby=displayName", nil, 400, "Request_UnsupportedQuery", "Sorting"},
		{"GET", "/users?$orderby=department", nil, 400, "Request_UnsupportedQuery", ""},
		{"GET", "/servicePrincipals?$orderby=displayName", nil, 400, "Request_UnsupportedQuery", ""},
		{"GET", "/users?$search=\"displayName:x\"", []string{eventual}, 501, "NotImplemented", "$search"},
		{"GET", "/users?$expand=manager", nil, 501, "NotImplemented", "$expand"},
		{"GET", "/applications/delta", nil, 501, "NotImplemented", "delta"},
		{"GET", "/users/$bogus", nil, 501, "NotImplemented", ""},
		{"GET", "/groups/" + groupID(1) + "/members/microsoft.graph.device", nil, 501, "NotImplemented", ""},
		{"GET", "/users/delta?$orderby=displayName", nil, 400, "Request_UnsupportedQuery", "delta"},
		{"GET", "/groups?$expand=owners", nil, 501, "NotImplemented", "$expand"},
		{"GET", "/groups?$expand=members&$count=true", []string{eventual}, 400, "Request_UnsupportedQuery", "$expand"},
		{"GET", "/users?$bogus=1", nil, 400, "BadRequest", "$bogus"},
		{"GET", "/users?bogus=1", nil, 501, "NotImplemented", "bogus"},
		{"GET", "/users?$top=1&$top=2", nil, 400, "BadRequest", "more than once"},
		{"GET", "/users?$skiptoken=abc", nil, 400, "Request_BadRequest", "skip token"},
		{"GET", "/users/$count", nil, 400, "Request_BadRequest", "$count is not currently supported."},
		{"GET", "/users/nobody", nil, 404, "Request_ResourceNotFound", "Resource 'nobody' does not exist"},
		{"GET", "/groups/" + groupID(9), nil, 404, "Request_ResourceNotFound", ""},
		{"GET", "/domains/no.example", nil, 404, "Request_ResourceNotFound", ""},
		{"GET", "/servicePrincipals(appId='" + groupID(1) + "')", nil, 404, "Request_ResourceNotFound", ""},
		{"GET", "/servicePrincipals(foo='x')", nil, 400, "Request_BadRequest", "alternate key"},
		{"GET", "/me", nil, 501, "NotImplemented", "/v1.0/me"},
		{"POST", "/users", nil, 501, "NotImplemented", ""},
		{"PUT", "/users", nil, 405, "Request_BadRequest", "PUT"},
		{"GET", "https://graph.microsoft.com/beta/users", nil, 501, "NotImplemented", "beta"},
		{"GET", "/users/%zz", nil, 400, "Request_BadRequest", "escape"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			c := *c
			c.t = t
			if strings.Contains(tt.path, "%zz") {
				t.Skip("the URL does not even parse on the way in")
			}
			a := c.do(tt.method, tt.path, nil, tt.headers...).want(tt.status, tt.code)
			if !strings.Contains(a.message(), tt.message) {
				t.Errorf("message %q, want %q in it", a.message(), tt.message)
			}
			if want := tt.status == 501 && !strings.Contains(tt.path, "$select="); c.call.Unimplemented != want {
				t.Errorf("Unimplemented is %v, want %v", c.call.Unimplemented, want)
			}
			inner := a.doc["error"].(map[string]any)["innerError"].(map[string]any)
			if inner["date"] != "2026-11-21T08:00:00" || inner["request-id"] == "" {
				t.Errorf("innerError %v", inner)
			}
		})
	}
}

func TestTokens(t *testing.T) {
	w := newWorld(1)
	good := world.Claims{Audience: audience, Tenant: tenantID, AppID: appID, ObjectID: callerID, Roles: everything, Issued: started, Expires: started.Add(time.Hour)}
	with := func(f func(*world.Claims)) string {
		cl := good
		f(&cl)
		return w.SignToken(cl)
	}
	tests := map[string]struct {
		token  string
		status int
	}{
		"good":           {with(func(*world.Claims) {}), 200},
		"audience by id": {with(func(c *world.Claims) { c.Audience = world.GraphAppID }), 200},
		"missing":        {"", 401},
		"garbage":        {"abc", 401},
		"expired":        {with(func(c *world.Claims) { c.Expires = started.Add(-time.Second) }), 401},
		"wrong audience": {with(func(c *world.Claims) { c.Audience = "https://outlook.office365.com" }), 401},
		"unknown tenant": {with(func(c *world.Claims) { c.Tenant = groupID(1) }), 401},
		"no roles":       {with(func(c *world.Claims) { c.Roles = nil }), 403},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, w)
			c.token = tt.token
			a := c.get("/users").want(tt.status)
			switch tt.status {
			case 401:
				a.want(401, "InvalidAuthenticationToken")
				if ch := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(ch, "Bearer ") || !strings.Contains(ch, `client_id="00000003-0000-0000-c000-000000000000"`) || !strings.Contains(ch, "authorization_uri=") {
					t.Errorf("challenge %q", ch)
				}
			case 403:
				a.want(403, "Authorization_RequestDenied")
			}
		})
	}
}

func TestPermissions(t *testing.T) {
	w := newWorld(2)
	tn := w.Tenants[0]
	w.AddGroup(tn, &world.Group{ID: groupID(1), DisplayName: "G", Members: []string{personID(1)}})
	tests := []struct {
		method, path string
		sufficient   [][]string
		insufficient [][]string
	}{
		{"GET", "/users", [][]string{{"User.ReadBasic.All"}, {"User.Read.All"}, {"Directory.Read.All"}}, [][]string{{"Group.Read.All"}, {"User.Read"}}},
		{"GET", "/users/delta", [][]string{{"User.Read.All"}, {"Directory.Read.All"}}, [][]string{{"User.ReadBasic.All"}}},
		{"GET", "/groups", [][]string{{"GroupMember.Read.All"}, {"Group.Read.All"}, {"Directory.Read.All"}}, [][]string{{"User.Read.All"}}},
		{"GET", "/groups/" + groupID(1) + "/members", [][]string{{"GroupMember.Read.All"}}, [][]string{{"User.Read.All"}}},
		{"GET", "/contacts", [][]string{{"OrgContact.Read.All"}, {"Directory.Read.All"}}, [][]string{{"User.Read.All"}}},
		{"GET", "/domains", [][]string{{"Domain.Read.All"}, {"Directory.Read.All"}}, [][]string{{"User.Read.All"}}},
		{"GET", "/domains/north.example/serviceConfigurationRecords", [][]string{{"Domain.Read.All"}}, [][]string{{"Directory.Read.All"}}},
		{"GET", "/domains/north.example/verificationDnsRecords", [][]string{{"Domain.Read.All"}}, [][]string{{"Directory.Read.All"}}},
		{"GET", "/organization", [][]string{{"Organization.Read.All"}, {"User.Read.All"}}, [][]string{{"Group.Read.All"}}},
		{"GET", "/applications", [][]string{{"Application.Read.All"}, {"Directory.Read.All"}}, [][]string{{"User.Read.All"}}},
		{"POST", "/applications", [][]string{{"Application.ReadWrite.OwnedBy"}, {"Application.ReadWrite.All"}}, [][]string{{"Application.Read.All", "Directory.Read.All"}}},
		{"POST", "/servicePrincipals/" + graphSP + "/appRoleAssignedTo", [][]string{{"AppRoleAssignment.ReadWrite.All", "Application.Read.All"}}, [][]string{{"AppRoleAssignment.ReadWrite.All"}, {"Application.ReadWrite.All"}}},
		{"POST", "/oauth2PermissionGrants", [][]string{{"DelegatedPermissionGrant.ReadWrite.All"}}, [][]string{{"Directory.Read.All"}}},
		{"GET", "/roleManagement/directory/roleAssignments", [][]string{{"RoleManagement.Read.Directory"}, {"Directory.Read.All"}}, [][]string{{"User.Read.All"}}},
		{"POST", "/roleManagement/directory/roleAssignments", [][]string{{"RoleManagement.ReadWrite.Directory"}}, [][]string{{"RoleManagement.Read.Directory"}}},
		{"GET", "/users/" + personID(1) + "/mailboxSettings", [][]string{{"MailboxSettings.Read"}}, [][]string{{"Directory.Read.All"}}},
		{"GET", "/subscribedSkus", [][]string{{"Organization.Read.All"}}, [][]string{{"User.Read.All"}}},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			c := newClient(t, w)
			var body any
			if tt.method == "POST" {
				body = "{}" // refused as 400 once the caller is allowed
			}
			for _, roles := range tt.sufficient {
				if a := c.as(roles...).do(tt.method, tt.path, body); a.status == 403 || a.status == 401 {
					t.Errorf("%v: %d %s", roles, a.status, a.raw)
				}
			}
			for _, roles := range tt.insufficient {
				c.as(roles...).do(tt.method, tt.path, body).want(403, "Authorization_RequestDenied")
			}
		})
	}
}

func TestDefaultAndSelectedProperties(t *testing.T) {
	w := newWorld(2)
	c := newClient(t, w)
	u := c.get("/users").want(200).values()[0]
	for _, name := range []string{"accountEnabled", "proxyAddresses", "assignedLicenses", "department"} {
		if _, ok := u[name]; ok {
			t.Errorf("%s is in the default set", name)
		}
	}
	for _, name := range []string{"id", "displayName", "mail", "userPrincipalName", "mobilePhone", "businessPhones"} {
		if _, ok := u[name]; !ok {
			t.Errorf("%s is missing from the default set", name)
		}
	}
	a := c.get("/users?$select=id,accountEnabled,proxyAddresses,department,assignedLicenses,assignedPlans,onPremisesSyncEnabled&$top=2").want(200)
	u = a.values()[1]
	if len(u) != 7 || u["department"] != nil || u["accountEnabled"] != true || len(u["proxyAddresses"].([]any)) != 2 ||
		len(u["assignedLicenses"].([]any)) != 1 || u["onPremisesSyncEnabled"] != nil {
		t.Errorf("selected %v", u)
	}
	if want := "https://graph.microsoft.com/v1.0/$metadata#users(id,accountEnabled,proxyAddresses,department,assignedLicenses,assignedPlans,onPremisesSyncEnabled)"; a.text("@odata.context") != want {
		t.Errorf("context %q", a.text("@odata.context"))
	}
	if l := a.values()[0]["assignedLicenses"].([]any); len(l) != 0 {
		t.Errorf("unlicensed user has %v", l)
	}
	// One object, where the group's extra properties are offered.
	w.AddGroup(w.Tenants[0], &world.Group{ID: groupID(1)})
	c.get("/groups/" + groupID(1) + "?$select=hideFromAddressLists").want(200)
	// A basic reader sees basic properties and nulls.
	basic := c.as("User.ReadBasic.All").get("/users?$select=id,mail,proxyAddresses,accountEnabled").want(200).values()[0]
	if basic["mail"] == nil || basic["proxyAddresses"] != nil || basic["accountEnabled"] != nil {
		t.Errorf("basic reader sees %v", basic)
	}
}

func TestPaging(t *testing.T) {
	w := newWorld(250)
	c := newClient(t, w)
	all, last, n := c.pages("/users?$select=id")
	if len(all) != 250 || n != 3 || last.text("@odata.nextLink") != "" {
		t.Errorf("%d users on %d pages", len(all), n)
	}
	all, _, n = c.pages("/users?$select=id&$top=50")
	if len(all) != 250 || n != 5 {
		t.Errorf("%d users on %d pages of 50", len(all), n)
	}
	first := c.get("/users?$select=id,displayName&$top=7").want(200)
	next := first.text("@odata.nextLink")
	if !strings.HasPrefix(next, "https://graph.microsoft.com/v1.0/users?$select=id,displayName&$top=7&$skiptoken=") {
		t.Errorf("nextLink %q", next)
	}
	// The link works on another instance, and after the object it stands on is gone.
	w.DeletePerson(w.Tenants[0], w.Tenants[0].Person(personID(7)), false)
	if got := newClient(t, w).get(next).want(200).ids()[0]; got != personID(8) {
		t.Errorf("page 2 begins with %s", got)
	}
	// Links expire, by the world's clock.
	if _, err := w.Advance(25 * time.Hour); err != nil {
		t.Fatal(err)
	}
	c.get(next).want(400, "Directory_ExpiredPageToken")
}

func TestEmptyPages(t *testing.T) {
	w := newWorld(250)
	w.Switches.GraphEmptyPages = true
	c := newClient(t, w)
	all, _, n := c.pages("/users?$select=id")
	if len(all) != 250 || n != 5 {
		t.Errorf("%d users on %d pages", len(all), n)
	}
	if a := c.get(c.get("/users").want(200).text("@odata.nextLink")).want(200); len(a.values()) != 0 || a.text("@odata.nextLink") == "" {
		t.Errorf("second page %s", a.raw)
	}
}

// TestPageCostsAPage counts how many objects a page looks at: it must not depend on the size of the directory.
func TestPageCostsAPage(t *testing.T) {
	const size, top = 1 << 20, 999
	looked := 0
	src := source{n: size, sorted: true, at: func(int) (*entity, any) { looked++; return userEntity, nil },
		id: func(i int) string { looked++; return personID(i) }}
	x := &request{}
	match := func(i int) (*entity, any, bool) { e, o := src.at(i); return e, o, true }
	_, next := x.pageByPosition(src, &pageToken{After: personID(size / 2)}, top, match, func(b []byte, _ *entity, _ any) []byte { return b })
	if next == nil || next.After != personID(size/2+top) || looked > top+64 {
		t.Errorf("looked %d times, next %+v", looked, next)
	}
}

func TestPagingByOrder(t *testing.T) {
	w := newWorld(0)
	for i, name := range []string{"delta", "Alpha", "charlie", "Bravo", "alpha", "", "echo"} {
		w.AddPerson(w.Tenants[0], &world.DirectoryUser{ID: personID(i), UserPrincipalName: fmt.Sprint("u", i), DisplayName: name})
	}
	c := newClient(t, w)
	for path, want := range map[string][]string{
		"/users?$orderby=displayName&$top=2":      {"", "Alpha", "alpha", "Bravo", "charlie", "delta", "echo"},
		"/users?$orderby=displayName desc&$top=3": {"echo", "delta", "charlie", "Bravo", "Alpha", "alpha", ""},
	} {
		all, _, n := c.pages(path)
		var got []string
		for _, u := range all {
			s, _ := u["displayName"].(string)
			got = append(got, s)
		}
		if !slices.Equal(got, want) || n < 3 {
			t.Errorf("%s: %q on %d pages, want %q", path, got, n, want)
		}
	}
}

func TestCount(t *testing.T) {
	w := newWorld(120)
	c := newClient(t, w)
	// Without the header, $count=true is silently ignored.
	if _, ok := c.get("/users?$count=true").want(200).doc["@odata.count"]; ok {
		t.Error("@odata.count without the header")
	}
	a := c.get("/users?$count=true&$filter=accountEnabled eq false", eventual).want(200)
	if a.doc["@odata.count"] != 12.0 || len(a.values()) != 12 {
		t.Errorf("count %v of %d", a.doc["@odata.count"], len(a.values()))
	}
	a = c.get("/users?$count=true", eventual).want(200)
	if a.doc["@odata.count"] != 120.0 {
		t.Errorf("count %v", a.doc["@odata.count"])
	}
	// Only on the first page; and the header must come again.
	next := a.text("@odata.nextLink")
	if _, ok := c.get(next, eventual).want(200).doc["@odata.count"]; ok {
		t.Error("@odata.count on the second page")
	}
	c.get(next).want(400, "Directory_ExpiredPageToken")
	for path, want := range map[string]string{"/users/$count": "120", "/users/$count?$filter=accountEnabled eq false": "12",
		"/users/$count?$filter=endsWith(mail,'5@north.example')": "12"} {
		a := c.get(path, eventual).want(200)
		if a.raw != want || a.header.Get("Content-Type") != "text/plain" {
			t.Errorf("%s: %q as %q", path, a.raw, a.header.Get("Content-Type"))
		}
	}
}

func TestFilters(t *testing.T) {
	w := newWorld(3)
	tn := w.Tenants[0]
	w.AddPerson(tn, &world.DirectoryUser{ID: personID(4), UserPrincipalName: "o'neil@north.example", DisplayName: "O'Neil", UserType: "Guest",
		Department: "Kitchen", Licensed: true, OnPremSynced: true, Created: started})
	c := newClient(t, w)
	tests := []struct {
		filter   string
		advanced bool
		want     []int
	}{
		{"displayName eq 'O''Neil'", false, []int{4}},
		{"DisplayName eq 'x'", false, nil}, // names are case-sensitive: unknown property
		{"userPrincipalName eq 'P000002@NORTH.example'", false, []int{2}},
		{"startsWith(displayName,'Person')", false, []int{1, 2, 3}},
		{"startswith(displayName,'person') eq true", false, []int{1, 2, 3}},
		{"id in ('" + personID(1) + "','" + personID(4) + "')", false, []int{1, 4}},
		{"id eq '" + personID(1) + "' or id eq '" + personID(2) + "'", false, []int{1, 2}},
		{"accountEnabled eq true and (userType eq 'Member' or userType eq 'Guest')", false, []int{1, 2, 3}},
		{"department eq null", false, []int{1, 2, 3}},
		{"department ne null", true, []int{4}},
		{"not(department eq 'Kitchen')", true, []int{1, 2, 3}},
		{"not startsWith(displayName,'P')", true, []int{4}},
		{"onPremisesSyncEnabled eq true", false, []int{4}},
		{"proxyAddresses/any(p:startswith(p,'smtp:aliasp000002'))", false, []int{2}},
		{"proxyAddresses/any(p:p eq 'SMTP:p000003@north.example')", false, []int{3}},
		{"proxyAddresses/any(p:endswith(p,'3@north.example'))", true, []int{3}},
		{"proxyAddresses/$count eq 0", true, []int{4}},
		{"assignedLicenses/$count ne 0", true, []int{2, 4}},
		{"assignedLicenses/any(l:l/skuId eq " + skuExchange + ")", false, []int{2, 4}},
		{"endsWith(mail,'1@north.example')", true, []int{1}},
		{"createdDateTime ge 2026-01-01T00:00:00Z", false, []int{4}},
		{"createdDateTime le 2026-01-01T00:00:00Z", false, []int{1, 2, 3}},
	}
	for _, tt := range tests {
		t.Run(tt.filter, func(t *testing.T) {
			c := *c
			c.t = t
			path := "/users?$select=id&$filter=" + strings.ReplaceAll(tt.filter, "/$count", "/%24count")
			if strings.HasPrefix(tt.filter, "DisplayName") {
				c.get(path).want(400, "Request_UnsupportedQuery")
				return
			}
			if tt.advanced {
				c.get(path).want(400, "Request_UnsupportedQuery")
			}
			want := []string{}
			for _, n := range tt.want {
				want = append(want, personID(n))
			}
			if got := c.get(path+"&$count=true", eventual).want(200).ids(); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestFilterParserRefuses(t *testing.T) {
	for _, s := range []string{"", "a", "a eq", "a eq b", "a eq 'x", "a gt 1", "a eq 'x' and", "(a eq 'x'", "a eq 'x')", "a in ()", "a in ('x'",
		"a/any(p:q eq 'x')", "a/any(p:p ne 'x')", "a/any(p:(p eq 'x'))", "a/all(p:p eq 'x')", "startswith(a)", "startswith(a,b)", "contains(a,'x')",
		"a/$count gt 1", "a eq #", strings.Repeat("(", 100) + "a eq 'x'" + strings.Repeat(")", 100), strings.Repeat("not ", 100) + "a eq 'x'",
		"a in ('1','2','3','4','5','6','7','8','9','10','11','12','13','14','15','16')", "a eq \xff"} {
		if e, err := parseFilter(s); err == nil {
			t.Errorf("%q parsed as %#v", s, e)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"a eq 'x'", "not (a eq null or b ne true) and startsWith(c,'d')", "a/any(p:p/q eq 'x')", "a/$count eq 0",
		"a in ('x',1,2026-11-21T19:50:00Z)", "id eq 4b9405b0-7788-4568-add1-99614e613b69", "endswith(a,'''') eq false"} {
		f.Add(s)
	}
	w := newWorld(2)
	f.Fuzz(func(t *testing.T, s string) {
		e, err := parseFilter(s)
		if err != nil {
			return
		}
		q := query{filter: e, eventual: true, count: true}
		if checkFilter(&q, userEntity) != nil {
			return
		}
		x := &request{incoming: &incoming{}, w: w, t: w.Tenants[0]}
		for _, u := range w.Tenants[0].People {
			e.match(x, userEntity, u)
		}
	})
}

func TestGzipBodies(t *testing.T) {
	w := newWorld(1)
	c := newClient(t, w)
	plain := `{"displayName":"Zipped"}`
	var z bytes.Buffer
	g := gzip.NewWriter(&z)
	if _, err := g.Write([]byte(plain)); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	c.do("POST", "/applications", z.String(), "Content-Encoding: gzip").want(201)
	c.do("POST", "/applications", plain, "Content-Encoding: gzip").want(400, "BadRequest")
	c.do("POST", "/applications", z.String()).want(400, "BadRequest")
	c.do("POST", "/applications", plain, "Content-Encoding: br").want(415)
	c.do("POST", "/applications", plain, "Content-Type: text/plain").want(415)
	c.do("POST", "/applications", strings.Repeat(" ", maxBody+1)).want(413)
	if n := len(w.Tenants[0].Applications); n != 1 {
		t.Errorf("%d applications", n)
	}
}

func TestMembers(t *testing.T) {
	w := newWorld(5)
	tn := w.Tenants[0]
	contactID := "90aa0000-0000-4000-8000-000000000001"
	w.AddContact(tn, &world.Contact{ID: contactID, DisplayName: "Out", Mail: "out@else.example"})
	w.AddGroup(tn, &world.Group{ID: groupID(1), DisplayName: "Outer", Members: []string{personID(1), groupID(2), contactID, "deadbeef-0000-4000-8000-000000000000"}})
	w.AddGroup(tn, &world.Group{ID: groupID(2), DisplayName: "Inner", Members: []string{personID(2), personID(1), groupID(1)}})
	w.AddGroup(tn, &world.Group{ID: groupID(3), DisplayName: "Hidden", HiddenMembership: true, Members: []string{personID(3)}})
	c := newClient(t, w)
	direct := c.get("/groups/" + groupID(1) + "/members").want(200)
	if got := direct.ids(); !slices.Equal(got, []string{personID(1), groupID(2), contactID}) {
		t.Errorf("members %v", got)
	}
	if got := direct.values()[1]["@odata.type"]; got != "#microsoft.graph.group" {
		t.Errorf("type %v", got)
	}
	trans := c.get("/groups/" + groupID(1) + "/transitiveMembers").want(200)
	if got := trans.ids(); !slices.Equal(got, []string{personID(1), groupID(2), contactID, personID(2)}) {
		t.Errorf("transitive members %v", got)
	}
	cast := "/groups/" + groupID(1) + "/transitiveMembers/microsoft.graph.user?$count=true&$select=id,mail"
	c.get(cast).want(400, "Request_UnsupportedQuery")
	if a := c.get(cast, eventual).want(200); !slices.Equal(a.ids(), []string{personID(1), personID(2)}) || a.doc["@odata.count"] != 2.0 {
		t.Errorf("cast %s", a.raw)
	}
	if a := c.get("/groups/"+groupID(1)+"/members/$count", eventual).want(200); a.raw != "3" {
		t.Errorf("count %s", a.raw)
	}
	// Pages of mixed objects, selected properties where the type has them.
	all, _, n := c.pages("/groups/" + groupID(1) + "/members?$select=id,userPrincipalName,mail&$top=1")
	if len(all) != 3 || n != 4 && n != 3 || all[0]["userPrincipalName"] == nil {
		t.Errorf("%d on %d pages: %v", len(all), n, all)
	}
	if _, has := all[1]["userPrincipalName"]; has {
		t.Errorf("a group has %v", all[1])
	}
	c.get("/groups/"+groupID(1)+"/members?$select=bogus").want(400, "BadRequest")
	// Limited information: listed, but only type and id.
	limited := c.as("GroupMember.Read.All").get("/groups/" + groupID(1) + "/members").want(200).values()
	if u := limited[0]; u["@odata.type"] != "#microsoft.graph.user" || u["id"] != personID(1) || u["mail"] != nil || u["displayName"] != nil {
		t.Errorf("limited user %v", u)
	}
	if g := limited[1]; g["displayName"] != "Inner" {
		t.Errorf("readable group %v", g)
	}
	// Hidden membership.
	c.get("/groups/" + groupID(3) + "/members").want(200)
	plain := c.as("Directory.Read.All")
	plain.get("/groups/"+groupID(3)+"/members").want(403, "Authorization_RequestDenied")
	w.Switches.HiddenMembersEmpty = true
	if got := plain.get("/groups/" + groupID(3) + "/members").want(200).ids(); len(got) != 0 {
		t.Errorf("hidden members %v", got)
	}
	// $expand holds at most 20.
	big := &world.Group{ID: groupID(4)}
	for i := range 25 {
		w.AddPerson(tn, &world.DirectoryUser{ID: personID(100 + i), UserPrincipalName: fmt.Sprint("x", i)})
		big.Members = append(big.Members, personID(100+i))
	}
	w.AddGroup(tn, big)
	g := c.get("/groups/" + groupID(4) + "?$expand=members($select=id)").want(200)
	if m := g.doc["members"].([]any); len(m) != 20 || len(m[0].(map[string]any)) != 2 {
		t.Errorf("%d expanded members, first %v", len(m), m[0])
	}
}

func TestDomainRecords(t *testing.T) {
	c := newClient(t, newWorld(0))
	rows := c.get("/domains/north.example/serviceConfigurationRecords").want(200).values()
	if rows[0]["mailExchange"] != "north-example.mail.protection.outlook.com" || rows[0]["preference"] != 0.0 || rows[0]["@odata.type"] != "#microsoft.graph.domainDnsMxRecord" {
		t.Errorf("MX %v", rows[0])
	}
	rows = c.get("/domains/later.example/verificationDnsRecords").want(200).values()
	if s, _ := rows[0]["text"].(string); !strings.HasPrefix(s, "MS=ms") || len(s) != 13 || rows[0]["@odata.type"] != "#microsoft.graph.domainDnsTxtRecord" {
		t.Errorf("TXT %v", rows[0])
	}
	if again := c.get("/domains/later.example/verificationDnsRecords").values(); again[0]["text"] != rows[0]["text"] {
		t.Error("the code changes between calls")
	}
	if rows := c.get("/domains/sub.north.example/serviceConfigurationRecords").want(200).values(); len(rows) != 0 {
		t.Errorf("a domain without mail has %v", rows)
	}
	d := c.get("/domains/sub.north.example").want(200).doc
	if d["isRoot"] != false || d["isVerified"] != true || len(d["supportedServices"].([]any)) != 0 {
		t.Errorf("domain %v", d)
	}
	if l := c.get("/domains").want(200).values(); len(l) != 4 || l[1]["isDefault"] != true {
		t.Errorf("domains %v", l)
	}
}

func TestLinksUseTheRequestsHost(t *testing.T) {
	w := newWorld(5)
	c := newClient(t, w)
	srv := httptest.NewServer(c.h)
	defer srv.Close()
	a := c.get("http://127.0.0.1:9/v1.0/users?$top=2").want(200)
	if got := a.text("@odata.nextLink"); !strings.HasPrefix(got, "http://127.0.0.1:9/v1.0/users?") {
		t.Errorf("nextLink %q", got)
	}
}

func TestThrottling(t *testing.T) {
	w := newWorld(1)
	now := started
	c := newClient(t, w)
	c.h = newServer(w, func() time.Time { return now })
	for range 20 {
		c.get("/users").want(200) // the switch is off
	}
	w.Switches.GraphThrottle = 5
	c.get("/users").want(200)
	a := c.get("/users?$select=id").want(200)
	if u := a.header.Get("X-Ms-Resource-Unit"); u != "1" {
		t.Errorf("units %q", u)
	}
	c.get("/users").want(200)
	now = now.Add(4 * time.Second)
	a = c.get("/users").want(429, "TooManyRequests")
	if a.header.Get("Retry-After") != "6" || !strings.HasPrefix(a.header.Get("X-Ms-Throttle-Scope"), "Tenant_Application/ReadWrite/") {
		t.Errorf("headers %v", a.header)
	}
	now = now.Add(6 * time.Second)
	c.get("/users").want(200)
}

func BenchmarkUserPage(b *testing.B) {
	w := newWorld(200_000)
	h := New(w)
	token := sign(w, everything...)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("GET", "https://graph.microsoft.com/v1.0/users?$top=999&$select=id,displayName,mail,userPrincipalName,accountEnabled,proxyAddresses", nil)
		r.Header.Set("Authorization", token)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != 200 {
			b.Fatal(rec.Body.String())
		}
	}
}
