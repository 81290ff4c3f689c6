package graph

import (
	"net/http"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

func principalRoutes() []route {
	const lists = "select filter top count orderby skiptoken"
	grant := permissions{
		{"AppRoleAssignment.ReadWrite.All", "Application.Read.All"},
		{"AppRoleAssignment.ReadWrite.All", "Application.ReadWrite.OwnedBy"},
		{"AppRoleAssignment.ReadWrite.All", "Application.ReadWrite.All"},
		{"AppRoleAssignment.ReadWrite.All", "Directory.Read.All"},
	}
	revoke := anyOf("AppRoleAssignment.ReadWrite.All")
	return []route{
		{method: "GET", template: "/servicePrincipals", need: readApplications, run: listPrincipals, options: lists},
		{method: "GET", template: "/servicePrincipals/$count", need: readApplications, run: countPrincipals, options: "filter"},
		{method: "POST", template: "/servicePrincipals", need: writeApplications, changing: true, run: createPrincipal},
		{method: "GET", template: "/servicePrincipals/{id}", need: readApplications, run: getPrincipal, options: "select"},
		{method: "PATCH", template: "/servicePrincipals/{id}", need: writeApplications, changing: true, run: updatePrincipal},
		{method: "DELETE", template: "/servicePrincipals/{id}", need: writeApplications, changing: true, run: deletePrincipal},

		{method: "GET", template: "/servicePrincipals/{id}/appRoleAssignments", need: readApplications, cost: 2,
			run: listAssignments, options: "select filter top skiptoken"},
		{method: "GET", template: "/servicePrincipals/{id}/appRoleAssignedTo", need: readApplications, cost: 2,
			run: listAssignedTo, options: "select filter top skiptoken"},
		{method: "POST", template: "/servicePrincipals/{id}/appRoleAssignments", need: grant, cost: 2, changing: true, run: createAssignment},
		{method: "POST", template: "/servicePrincipals/{id}/appRoleAssignedTo", need: grant, cost: 2, changing: true, run: createAssignedTo},
		{method: "GET", template: "/servicePrincipals/{id}/appRoleAssignments/{grant}", need: readApplications, cost: 2, run: getAssignment, options: "select"},
		{method: "GET", template: "/servicePrincipals/{id}/appRoleAssignedTo/{grant}", need: readApplications, cost: 2, run: getAssignment, options: "select"},
		{method: "DELETE", template: "/servicePrincipals/{id}/appRoleAssignments/{grant}", need: revoke, cost: 2, changing: true, run: deleteAssignment},
		{method: "DELETE", template: "/servicePrincipals/{id}/appRoleAssignedTo/{grant}", need: revoke, cost: 2, changing: true, run: deleteAssignment},
		{method: "GET", template: "/servicePrincipals/{id}/oauth2PermissionGrants", need: readGrants, cost: 2,
			run: listPrincipalGrants, options: "select top skiptoken"},
	}
}

func principal(f func(s *world.ServicePrincipal) value) getter {
	return func(_ *request, o any) value { return f(o.(*world.ServicePrincipal)) }
}

// principalEntity is the servicePrincipal resource.
var principalEntity = newEntity("servicePrincipal", "ServicePrincipal", "servicePrincipals", []property{
	{name: "id", ops: opEqual, get: principal(func(s *world.ServicePrincipal) value { return text(s.ID) })},
	{name: "deletedDateTime", get: deletedAt},
	{name: "accountEnabled", ops: opEqual, get: principal(func(s *world.ServicePrincipal) value { return boolean(s.Enabled) })},
	{name: "alternativeNames", get: always(texts(nil))},
	{name: "appDescription", get: always(value{})},
	{name: "appDisplayName", get: principal(func(s *world.ServicePrincipal) value { return text(s.DisplayName) })},
	{name: "appId", ops: opEqual, get: principal(func(s *world.ServicePrincipal) value { return text(s.AppID) })},
	{name: "appOwnerOrganizationId", ops: opEqual, get: func(x *request, o any) value {
		if owner := o.(*world.ServicePrincipal).OwnerTenant; owner != "" {
			return text(owner)
		}
		return text(x.t.ID)
	}},
	{name: "appRoleAssignmentRequired", get: always(boolean(false))},
	{name: "createdDateTime", ops: opOrder, get: principal(func(s *world.ServicePrincipal) value { return moment(s.Created) })},
	{name: "description", get: always(value{})},
	{name: "displayName", ops: opEqual | opStarts | opOrder | opSort, get: principal(func(s *world.ServicePrincipal) value { return text(s.DisplayName) })},
	{name: "homepage", get: always(value{})},
	{name: "loginUrl", get: always(value{})},
	{name: "logoutUrl", get: always(value{})},
	{name: "notes", get: always(value{})},
	{name: "notificationEmailAddresses", get: always(texts(nil))},
	{name: "preferredSingleSignOnMode", get: always(value{})},
	{name: "replyUrls", get: func(x *request, o any) value {
		if a := x.backing(o.(*world.ServicePrincipal)); a != nil {
			return texts(a.RedirectURIs)
		}
		return texts(nil)
	}},
	{name: "servicePrincipalNames", ops: opAny, get: func(x *request, o any) value {
		s := o.(*world.ServicePrincipal)
		names := []string{s.AppID}
		if a := x.backing(s); a != nil {
			names = append(names, a.IdentifierURIs...)
		}
		return texts(names)
	}},
	{name: "servicePrincipalType", ops: opEqual, get: always(text("Application"))},
	{name: "signInAudience", get: func(x *request, o any) value {
		if a := x.backing(o.(*world.ServicePrincipal)); a != nil {
			return text(audienceOf(a))
		}
		return text("AzureADMultipleOrgs")
	}},
	{name: "tags", ops: opAny, get: principal(func(s *world.ServicePrincipal) value { return texts(s.Tags) })},
	{name: "tokenEncryptionKeyId", get: always(value{})},
	{name: "addIns", get: always(structure("[]"))},
	{name: "appRoles", get: principal(func(s *world.ServicePrincipal) value { return encoded(appRoles(s.AppID)) })},
	{name: "info", get: always(structure(`{"logoUrl":null,"marketingUrl":null,"privacyStatementUrl":null,"supportUrl":null,"termsOfServiceUrl":null}`))},
	{name: "keyCredentials", get: always(structure("[]"))},
	{name: "oauth2PermissionScopes", get: principal(func(s *world.ServicePrincipal) value { return encoded(scopes(s.AppID)) })},
	{name: "passwordCredentials", get: always(structure("[]"))},
	{name: "resourceSpecificApplicationPermissions", get: always(structure("[]"))},
	{name: "verifiedPublisher", get: always(structure(`{"displayName":null,"verifiedPublisherId":null,"addedDateTime":null}`))},
})

// backing is the application that s stands for, nil for Microsoft's own. It asks the owning tenant and not the whole
// world: there may be ten thousand.
func (x *request) backing(s *world.ServicePrincipal) *world.Application {
	owner := x.t
	if s.OwnerTenant != "" {
		owner = x.w.Tenant(s.OwnerTenant)
	}
	if owner == nil {
		return nil
	}
	return owner.ApplicationByAppID(s.AppID)
}

func appRoles(appID string) []map[string]any {
	out := []map[string]any{}
	for _, p := range permissionsOf(appID) {
		if p.Role != "" {
			out = append(out, map[string]any{"allowedMemberTypes": []string{"Application"}, "description": p.value,
				"displayName": p.value, "id": p.Role, "isEnabled": true, "origin": "Application", "value": p.value})
		}
	}
	return out
}

func scopes(appID string) []map[string]any {
	out := []map[string]any{}
	for _, p := range permissionsOf(appID) {
		if p.Scope == "" {
			continue
		}
		who := "Admin"
		if slices.Contains(openScopes, p.value) {
			who = "User"
		}
		out = append(out, map[string]any{"adminConsentDescription": p.value, "adminConsentDisplayName": p.value, "id": p.Scope,
			"isEnabled": true, "type": who, "userConsentDescription": nil, "userConsentDisplayName": nil, "value": p.value})
	}
	return out
}

func (x *request) principals() source {
	var seen []*world.ServicePrincipal
	for _, s := range x.t.ServicePrincipals {
		if x.sees(s.ID) {
			seen = append(seen, s)
		}
	}
	return sortedSlice(principalEntity, seen, func(s *world.ServicePrincipal) string { return s.ID })
}

func listPrincipals(x *request) (*reply, error) {
	return x.list(x.principals(), listing{e: principalEntity, advancedSort: true})
}

func countPrincipals(x *request) (*reply, error) { return x.countText(x.principals(), principalEntity) }

// principal finds the service principal of the path: by object id or (appId='…').
func (x *request) principal() (*world.ServicePrincipal, error) {
	key := x.params[0]
	name, v, alternate := alternateKey(key)
	var s *world.ServicePrincipal
	switch {
	case !alternate:
		s = x.t.ServicePrincipal(key)
	case name == "appId":
		s = x.t.ServicePrincipalByAppID(v)
	default:
		return nil, badRequest("The key '%s' is not an alternate key of servicePrincipals.", name)
	}
	if s == nil || !x.sees(s.ID) {
		return nil, notFound(key)
	}
	return s, nil
}

// ownPrincipal is principal for a change: Application.ReadWrite.OwnedBy reaches the principals of owned applications.
func (x *request) ownPrincipal() (*world.ServicePrincipal, error) {
	s, err := x.principal()
	if err != nil || slices.Contains(x.claims.Roles, "Application.ReadWrite.All") {
		return s, err
	}
	if a := x.t.ApplicationByAppID(s.AppID); a == nil || !x.mayChange(a) {
		return nil, denied()
	}
	return s, nil
}

func getPrincipal(x *request) (*reply, error) {
	s, err := x.principal()
	if err != nil {
		return nil, err
	}
	return x.one(principalEntity, s, style{})
}

func createPrincipal(x *request) (*reply, error) {
	f, err := x.object("ServicePrincipal")
	if err != nil {
		return nil, err
	}
	s := &world.ServicePrincipal{AppID: strings.ToLower(f.required("appId", 36)), Enabled: true, Created: x.w.Clock}
	f.read("tags", &s.Tags)
	f.read("accountEnabled", &s.Enabled)
	if err := f.done(); err != nil {
		return nil, err
	}
	known := world.Permissions[s.AppID] != nil // Microsoft's own resources are registered outside the world
	var home *world.Tenant
	var app *world.Application
	if !known {
		home, app = x.w.HomeOf(s.AppID)
	}
	local := home == x.t
	switch {
	case app == nil && !known, app != nil && !local && audienceOf(app) == "AzureADMyOrg", local && !x.sees(app.ID):
		return nil, badRequest("The appId '%s' of the service principal does not reference a valid application object.", s.AppID)
	case !slices.Contains(x.claims.Roles, "Application.ReadWrite.All") && (!local || !x.mayChange(app)):
		return nil, &fault{status: http.StatusForbidden, code: "Authorization_RequestDenied", message: "When using this permission, " +
			"the backing application of the service principal being created must in the local tenant"}
	case x.t.ServicePrincipalByAppID(s.AppID) != nil:
		return nil, &fault{status: http.StatusConflict, code: "Request_MultipleObjectsWithSameKeyValue", detail: "ObjectConflict",
			message: "The service principal cannot be created, updated, or restored because the service principal name " + s.AppID + " is already in use."}
	}
	switch {
	case known:
		s.OwnerTenant = world.MicrosoftTenant
		s.DisplayName = map[string]string{world.GraphAppID: "Microsoft Graph", world.ExchangeAppID: "Office 365 Exchange Online"}[s.AppID]
	default:
		s.OwnerTenant, s.DisplayName = home.ID, app.DisplayName
	}
	s.ID = x.w.NewGUID()
	x.t.AddServicePrincipal(s)
	x.settle(s.ID)
	return x.created(principalEntity, s)
}

func updatePrincipal(x *request) (*reply, error) {
	s, err := x.ownPrincipal()
	if err != nil {
		return nil, err
	}
	f, err := x.object("ServicePrincipal")
	if err != nil {
		return nil, err
	}
	enabled, tags := s.Enabled, s.Tags
	f.read("accountEnabled", &enabled)
	f.read("tags", &tags)
	if err := f.done(); err != nil {
		return nil, err
	}
	s.Enabled, s.Tags = enabled, tags
	return noContent()
}

func deletePrincipal(x *request) (*reply, error) {
	s, err := x.ownPrincipal()
	if err != nil {
		return nil, err
	}
	x.w.DeleteServicePrincipal(x.t, s)
	return noContent()
}

func assignment(f func(g *world.AppRoleGrant) value) getter {
	return func(_ *request, o any) value { return f(o.(*world.AppRoleGrant)) }
}

// assignmentEntity is the appRoleAssignment resource: consent to an application permission.
var assignmentEntity = newEntity("appRoleAssignment", "AppRoleAssignment", "appRoleAssignments", []property{
	{name: "id", get: assignment(func(g *world.AppRoleGrant) value { return text(g.ID) })},
	{name: "deletedDateTime", get: always(value{})},
	{name: "appRoleId", ops: opEqual, get: assignment(func(g *world.AppRoleGrant) value { return text(g.AppRole) })},
	{name: "createdDateTime", get: assignment(func(g *world.AppRoleGrant) value { return moment(g.Created) })},
	{name: "principalDisplayName", ops: opEqual | opStarts, get: func(x *request, o any) value {
		return text(x.nameOf(o.(*world.AppRoleGrant).Principal))
	}},
	{name: "principalId", ops: opEqual, get: assignment(func(g *world.AppRoleGrant) value { return text(g.Principal) })},
	{name: "principalType", get: func(x *request, o any) value {
		switch e, _ := x.member(o.(*world.AppRoleGrant).Principal); e {
		case userEntity:
			return text("User")
		case groupEntity:
			return text("Group")
		}
		return text("ServicePrincipal")
	}},
	{name: "resourceDisplayName", get: func(x *request, o any) value { return text(x.nameOf(o.(*world.AppRoleGrant).Resource)) }},
	{name: "resourceId", ops: opEqual, get: assignment(func(g *world.AppRoleGrant) value { return text(g.Resource) })},
})

// nameOf is the display name of any principal.
func (x *request) nameOf(id string) string {
	if s := x.t.ServicePrincipal(id); s != nil {
		return s.DisplayName
	}
	if e, o := x.member(id); e != nil {
		return e.property("displayName").get(x, o).s
	}
	return ""
}

func (x *request) assignments(keep func(*world.AppRoleGrant) bool) (*reply, error) {
	var some []*world.AppRoleGrant
	for _, g := range x.t.AppRoleGrants {
		if keep(g) {
			some = append(some, g)
		}
	}
	return x.list(sortedSlice(assignmentEntity, some, func(g *world.AppRoleGrant) string { return g.ID }), listing{e: assignmentEntity})
}

func listAssignments(x *request) (*reply, error) {
	s, err := x.principal()
	if err != nil {
		return nil, err
	}
	return x.assignments(func(g *world.AppRoleGrant) bool { return g.Principal == s.ID })
}

func listAssignedTo(x *request) (*reply, error) {
	s, err := x.principal()
	if err != nil {
		return nil, err
	}
	return x.assignments(func(g *world.AppRoleGrant) bool { return g.Resource == s.ID })
}

func createAssignment(x *request) (*reply, error) { return x.assign("principalId") }
func createAssignedTo(x *request) (*reply, error) { return x.assign("resourceId") }

// maxAssignments is the documented number of app role assignments of one principal.
const maxAssignments = 1500

// assign grants an app role. side is the end that the path names.
func (x *request) assign(side string) (*reply, error) {
	s, err := x.principal()
	if err != nil {
		return nil, err
	}
	f, err := x.object("AppRoleAssignment")
	if err != nil {
		return nil, err
	}
	g := &world.AppRoleGrant{Principal: strings.ToLower(f.required("principalId", 36)), Resource: strings.ToLower(f.required("resourceId", 36)),
		AppRole: strings.ToLower(f.required("appRoleId", 36)), Created: x.w.Clock}
	if err := f.done(); err != nil {
		return nil, err
	}
	if end := map[string]string{"principalId": g.Principal, "resourceId": g.Resource}[side]; end != s.ID {
		return nil, badRequest("Not a valid reference update: %s '%s' is not the object of the request.", side, end)
	}
	resource := x.t.ServicePrincipal(g.Resource)
	if resource == nil || resource != s && !x.sees(resource.ID) {
		return nil, notFound(g.Resource)
	}
	client := x.t.ServicePrincipal(g.Principal)
	if e, _ := x.member(g.Principal); client == nil && e != userEntity && e != groupEntity || client != nil && client != s && !x.sees(client.ID) {
		return nil, notFound(g.Principal)
	}
	roles := permissionsOf(resource.AppID)
	known := slices.ContainsFunc(roles, func(p permission) bool { return p.Role != "" && p.Role == g.AppRole })
	if !known && (len(roles) > 0 || g.AppRole != defaultAppRole) {
		return nil, badRequest("Permission being assigned was not found on application '%s'.", resource.AppID)
	}
	n := 0
	for _, o := range x.t.AppRoleGrants {
		if o.Principal != g.Principal {
			continue
		}
		n++
		if o.Resource == g.Resource && o.AppRole == g.AppRole {
			return nil, badRequest("Permission being assigned already exists on the object.")
		}
	}
	if n >= maxAssignments {
		return nil, badRequest("The principal already has %d app role assignments, the most there can be.", n)
	}
	g.ID = x.opaqueID()
	x.t.AppRoleGrants = append(x.t.AppRoleGrants, g)
	if x.w.Switches.GrantLandsWith404 {
		return nil, lostGrant(g.Principal)
	}
	return x.created(assignmentEntity, g)
}

// lostGrant is the answer to a grant that was stored before all replicas knew its ends.
func lostGrant(id string) *fault {
	f := notFound(id)
	f.code = "Directory_ObjectNotFound"
	return f
}

// findAssignment finds the grant of the path, which must belong to the principal of the path.
func (x *request) findAssignment() (*world.AppRoleGrant, error) {
	s, err := x.principal()
	if err != nil {
		return nil, err
	}
	for _, g := range x.t.AppRoleGrants {
		if g.ID != x.params[1] {
			continue
		}
		if strings.Contains(x.route.template, "appRoleAssignedTo") && g.Resource == s.ID ||
			strings.Contains(x.route.template, "appRoleAssignments") && g.Principal == s.ID {
			return g, nil
		}
	}
	return nil, notFound(x.params[1])
}

func getAssignment(x *request) (*reply, error) {
	g, err := x.findAssignment()
	if err != nil {
		return nil, err
	}
	return x.one(assignmentEntity, g, style{})
}

func deleteAssignment(x *request) (*reply, error) {
	g, err := x.findAssignment()
	if err != nil {
		return nil, err
	}
	x.t.AppRoleGrants = slices.DeleteFunc(x.t.AppRoleGrants, func(o *world.AppRoleGrant) bool { return o == g })
	return noContent()
}
