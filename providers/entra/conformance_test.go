package entra

import (
	"fmt"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/resourcetest"
	"github.com/weir-project/weir/providers/sim/world"
)

const console = "https://us1.proofpointessentials.com"

// block is a value of the type's table from the members written; nested ones are given by dotted path.
func block(written map[string]cty.Value) cty.Value {
	v := cty.ObjectVal(resource.Null(appRegistration().Attributes))
	for path, value := range written {
		v = resource.With(v, path, value)
	}
	return v
}

func texts(s ...string) cty.Value { return resource.StringSet(s) }

// edit changes the application of a block as a person would in the portal.
func (v *vendor) edit(path string, value cty.Value) error {
	v.world.Lock()
	defer v.world.Unlock()
	a := v.ours()
	if a == nil {
		return fmt.Errorf("the application is gone")
	}
	switch path {
	case "name":
		a.DisplayName = value.AsString()
	case "redirect_uris":
		a.RedirectURIs = stringsOf(value)
	case "permissions":
		a.Required = nil
		all, err := parsePermissions(stringsOf(value))
		if err != nil {
			return err
		}
		access := world.ResourceAccess{ResourceAppID: world.GraphAppID}
		for _, p := range all {
			kind := "Scope"
			if p.role {
				kind = "Role"
			}
			access.Permissions = append(access.Permissions, world.Permission{ID: p.id(), Type: kind})
		}
		a.Required = append(a.Required, access)
	case "granted":
		return v.grant(a, stringsOf(value))
	default:
		return fmt.Errorf("the portal has no %s", path)
	}
	return nil
}

func (v *vendor) grant(a *world.Application, texts []string) error {
	all, err := parsePermissions(texts)
	if err != nil {
		return err
	}
	sp, graph := v.tenant.ServicePrincipalByAppID(a.AppID), v.tenant.ServicePrincipalByAppID(world.GraphAppID)
	var roles []*world.AppRoleGrant
	for _, g := range v.tenant.AppRoleGrants {
		if g.Principal != sp.ID {
			roles = append(roles, g)
		}
	}
	var scopes []*world.DelegatedGrant
	for _, g := range v.tenant.Grants {
		if g.Client != sp.ID {
			scopes = append(scopes, g)
		}
	}
	scope := ""
	for _, p := range all {
		if p.role {
			roles = append(roles, &world.AppRoleGrant{ID: v.world.NewHex(16), Principal: sp.ID, Resource: graph.ID, AppRole: p.id(), Created: v.world.Clock})
		} else {
			scope += " " + p.name
		}
	}
	if scope != "" {
		scopes = append(scopes, &world.DelegatedGrant{ID: v.world.NewHex(16), Client: sp.ID, ConsentType: "AllPrincipals", Resource: graph.ID, Scope: scope[1:]})
	}
	v.tenant.AppRoleGrants, v.tenant.Grants = roles, scopes
	return nil
}

// ours is the first application that Weir made.
func (v *vendor) ours() *world.Application {
	for _, a := range v.tenant.Applications {
		if a.UniqueName != "" {
			return a
		}
	}
	return nil
}

func withForeign() *world.World {
	w := world.Quickstart()
	t := w.Tenant(contoso)
	t.AddApplication(&world.Application{ID: w.NewGUID(), AppID: w.NewGUID(), DisplayName: "Proofpoint Essentials Azure AD Sync", SignInAudience: "AzureADMyOrg",
		RedirectURIs: []string{"https://app.example/callback"}, Created: w.Clock, Required: []world.ResourceAccess{{ResourceAppID: world.GraphAppID,
			Permissions: []world.Permission{{ID: "df021288-bdef-4463-88db-98f22de89214", Type: "Role"}}}}})
	return w
}

func TestAppRegistrationConforms(t *testing.T) {
	profile := texts(profiles["directory_sync"]...)
	narrow := texts("Directory.Read.All (application)", "Directory.Read.All (delegated)")
	resourcetest.Run(t, resourcetest.Harness{
		Type: appRegistration(),
		Open: func(t testing.TB) *resourcetest.Backend {
			v := newVendor(t, withForeign())
			return &resourcetest.Backend{Conn: v.conn, Edit: v.edit, Fault: v.faults.Set, Changed: v.faults.Changed, Remove: func() error {
				v.world.Lock()
				defer v.world.Unlock()
				v.world.DeleteApplication(v.tenant, v.ours())
				return nil
			}}
		},
		Config: block(map[string]cty.Value{"name": cty.StringVal("Essentials sync"), "redirect_uris": texts(console), "permissions": profile, "granted": profile,
			"secret.lifetime": cty.StringVal("1y")}),
		Second: block(map[string]cty.Value{"name": cty.StringVal("Essentials sync"), "redirect_uris": texts("https://eu1.proofpointessentials.com")}),
		Changes: []resourcetest.Change{
			{Path: "name", Value: cty.StringVal("Mail gateway sync")},
			{Path: "redirect_uris", Value: texts(console, "https://gateway.example/console")},
			{Path: "permissions", Value: narrow},
			{Path: "granted", Value: narrow},
		},
		Skip: map[string]string{
			"redirect_uris:unmanaged": "left out, those known at adoption stay and others are drift",
			"permissions:unmanaged":   "left out, the profile says what they are",
			"granted:unmanaged":       "left out, permissions say what it is",
		},
		Foreign: 1,
	})
}
