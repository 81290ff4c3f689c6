package graph

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

var readGrants = anyOf("Directory.Read.All", "DelegatedPermissionGrant.ReadWrite.All")

func grantRoutes() []route {
	write := anyOf("DelegatedPermissionGrant.ReadWrite.All")
	return []route{
		{method: "GET", template: "/oauth2PermissionGrants", need: readGrants, cost: 2, run: listGrants, options: "select filter top skiptoken"},
		{method: "POST", template: "/oauth2PermissionGrants", need: write, cost: 2, changing: true, run: createGrant},
		{method: "GET", template: "/oauth2PermissionGrants/{id}", need: readGrants, cost: 2, run: getGrant, options: "select"},
		{method: "PATCH", template: "/oauth2PermissionGrants/{id}", need: write, cost: 2, changing: true, run: updateGrant},
		{method: "DELETE", template: "/oauth2PermissionGrants/{id}", need: write, cost: 2, changing: true, run: deleteGrant},
	}
}

func delegated(f func(g *world.DelegatedGrant) value) getter {
	return func(_ *request, o any) value { return f(o.(*world.DelegatedGrant)) }
}

// grantEntity is the oAuth2PermissionGrant resource: consent to delegated permissions.
var grantEntity = newEntity("oAuth2PermissionGrant", "OAuth2PermissionGrant", "oauth2PermissionGrants", []property{
	{name: "clientId", ops: opEqual, get: delegated(func(g *world.DelegatedGrant) value { return text(g.Client) })},
	{name: "consentType", ops: opEqual, get: delegated(func(g *world.DelegatedGrant) value { return text(g.ConsentType) })},
	{name: "id", get: delegated(func(g *world.DelegatedGrant) value { return text(g.ID) })},
	{name: "principalId", ops: opEqual, get: delegated(func(g *world.DelegatedGrant) value { return text(g.Principal) })},
	{name: "resourceId", ops: opEqual, get: delegated(func(g *world.DelegatedGrant) value { return text(g.Resource) })},
	{name: "scope", get: delegated(func(g *world.DelegatedGrant) value { return text(g.Scope) })},
})

// opaqueID is an identifier that is base64url and no GUID, as assignments have.
func (x *request) opaqueID() string {
	raw, err := hex.DecodeString(x.w.NewHex(32))
	if err != nil {
		panic("graph: the world's hexadecimal digits decode: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func listGrants(x *request) (*reply, error) {
	return x.list(sortedSlice(grantEntity, x.t.Grants, func(g *world.DelegatedGrant) string { return g.ID }), listing{e: grantEntity})
}

func listPrincipalGrants(x *request) (*reply, error) {
	s, err := x.principal()
	if err != nil {
		return nil, err
	}
	own := slices.DeleteFunc(slices.Clone(x.t.Grants), func(g *world.DelegatedGrant) bool { return g.Client != s.ID })
	return x.list(sortedSlice(grantEntity, own, func(g *world.DelegatedGrant) string { return g.ID }), listing{e: grantEntity})
}

func (x *request) grant() (*world.DelegatedGrant, error) {
	for _, g := range x.t.Grants {
		if g.ID == x.params[0] {
			return g, nil
		}
	}
	return nil, notFound(x.params[0])
}

func getGrant(x *request) (*reply, error) {
	g, err := x.grant()
	if err != nil {
		return nil, err
	}
	return x.one(grantEntity, g, style{})
}

// maxScope is the documented length of a grant's scope.
const maxScope = 3850

func createGrant(x *request) (*reply, error) {
	f, err := x.object("OAuth2PermissionGrant")
	if err != nil {
		return nil, err
	}
	g := &world.DelegatedGrant{Client: strings.ToLower(f.required("clientId", 36)), ConsentType: f.required("consentType", 32),
		Resource: strings.ToLower(f.required("resourceId", 36))}
	f.text("principalId", 36, &g.Principal)
	f.text("scope", maxScope, &g.Scope)
	if err := f.done(); err != nil {
		return nil, err
	}
	g.Principal = strings.ToLower(g.Principal)
	switch {
	case g.ConsentType != "AllPrincipals" && g.ConsentType != "Principal":
		return nil, badRequest("Invalid value specified for property 'consentType' of resource 'OAuth2PermissionGrant'.")
	case g.ConsentType == "AllPrincipals" && g.Principal != "":
		return nil, badRequest("Principal Id must be null when consentType is AllPrincipals.")
	case g.ConsentType == "Principal" && x.t.Person(g.Principal) == nil:
		return nil, notFound(g.Principal)
	}
	for _, id := range []string{g.Client, g.Resource} {
		if s := x.t.ServicePrincipal(id); s == nil || !x.sees(id) {
			return nil, lostGrant(id)
		}
	}
	if slices.ContainsFunc(x.t.Grants, func(o *world.DelegatedGrant) bool {
		return o.Client == g.Client && o.Resource == g.Resource && o.Principal == g.Principal
	}) {
		return nil, &fault{status: http.StatusConflict, code: "Request_MultipleObjectsWithSameKeyValue", message: "Permission entry already exists."}
	}
	g.Scope = strings.Join(strings.Fields(g.Scope), " ")
	g.ID = x.opaqueID()
	x.t.Grants = append(x.t.Grants, g)
	if x.w.Switches.GrantLandsWith404 {
		return nil, lostGrant(g.Client)
	}
	return x.created(grantEntity, g)
}

func updateGrant(x *request) (*reply, error) {
	g, err := x.grant()
	if err != nil {
		return nil, err
	}
	f, err := x.object("OAuth2PermissionGrant")
	if err != nil {
		return nil, err
	}
	scope := g.Scope
	f.text("scope", maxScope, &scope)
	if err := f.done(); err != nil {
		return nil, err
	}
	g.Scope = strings.Join(strings.Fields(scope), " ")
	return noContent()
}

func deleteGrant(x *request) (*reply, error) {
	g, err := x.grant()
	if err != nil {
		return nil, err
	}
	x.t.Grants = slices.DeleteFunc(x.t.Grants, func(o *world.DelegatedGrant) bool { return o == g })
	return noContent()
}
