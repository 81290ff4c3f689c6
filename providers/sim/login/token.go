package login

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

// lifetime of an access token, by the world's clock. Microsoft gives 60 to 90 minutes.
const lifetime = 3599 * time.Second

// resources are the applications for which a token can be asked, by the resource part of the scope.
var resources = map[string]string{
	"https://graph.microsoft.com":   world.GraphAppID,
	"https://outlook.office365.com": world.ExchangeAppID,
	"https://outlook.office.com":    world.ExchangeAppID,
}

func (s *server) token(w http.ResponseWriter, r *http.Request) {
	s.world.RLock()
	defer s.world.RUnlock()
	world.Annotate(r.Context(), func(c *world.Call) { c.Operation = "token" })
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		s.refuse(w, r, problem{http.StatusBadRequest, "invalid_request", 900144, "The request body could not be read as a form."})
		return
	}
	claims, p := s.issue(r)
	if p != nil {
		s.refuse(w, r, *p)
		return
	}
	world.Annotate(r.Context(), func(c *world.Call) { c.Detail = claims.Audience })
	reply(w, http.StatusOK, map[string]any{
		"token_type": "Bearer", "expires_in": int(lifetime.Seconds()), "ext_expires_in": int(lifetime.Seconds()),
		"access_token": s.world.SignToken(*claims),
	})
}

// issue decides about one token request. The world is locked for reading and the form is parsed.
func (s *server) issue(r *http.Request) (*world.Claims, *problem) {
	name := r.PathValue("tenant")
	switch name {
	case "common", "organizations", "consumers":
		return nil, &problem{http.StatusBadRequest, "invalid_request", 50059, "No tenant-identifying information found in either the request or implied by any provided credentials."}
	}
	t := s.world.Tenant(name)
	if t == nil {
		return nil, &problem{http.StatusBadRequest, "invalid_request", 90002, unknownTenant(name)}
	}
	world.Annotate(r.Context(), func(c *world.Call) { c.Tenant = t.ID })
	form := r.PostForm
	if g := form.Get("grant_type"); g != "client_credentials" {
		return nil, &problem{http.StatusBadRequest, "unsupported_grant_type", 70003, fmt.Sprintf("The app requested an unsupported grant type '%s'.", g)}
	}
	client := strings.ToLower(form.Get("client_id"))
	if client == "" {
		return nil, &problem{http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: 'client_id'."}
	}
	home, app := s.world.HomeOf(client)
	sp := t.ServicePrincipalByAppID(client)
	absent := &problem{http.StatusBadRequest, "unauthorized_client", 700016, fmt.Sprintf("Application with identifier '%s' was not found in the directory '%s'. "+
		"This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. "+
		"You may have sent your authentication request to the wrong tenant.", client, t.DisplayName)}
	switch {
	case app == nil:
		return nil, absent
	case sp == nil && home == t: // registered here, never given a service principal; the code is inferred
		return nil, &problem{http.StatusBadRequest, "unauthorized_client", 7000229, fmt.Sprintf("The client application %s is missing service principal in the tenant %s.", client, t.ID)}
	case sp == nil, home != t && app.SignInAudience == "AzureADMyOrg":
		return nil, absent
	case !sp.Enabled: // the code is inferred
		return nil, &problem{http.StatusBadRequest, "unauthorized_client", 7000112, fmt.Sprintf("Application '%s'(%s) is disabled.", client, app.DisplayName)}
	}
	resource, resourceApp, p := scope(form.Get("scope"))
	if p != nil {
		return nil, p
	}
	if p := s.authenticate(r, t, app); p != nil {
		return nil, p
	}
	var target *world.ServicePrincipal
	if resourceApp != "" {
		target = t.ServicePrincipalByAppID(resourceApp)
	}
	if target == nil {
		return nil, &problem{http.StatusBadRequest, "invalid_resource", 500011, fmt.Sprintf("The resource principal named %s was not found in the tenant named %s. "+
			"This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.", resource, t.DisplayName)}
	}
	c := &world.Claims{Audience: resource, Tenant: t.ID, AppID: app.AppID, ObjectID: sp.ID,
		Issued: s.world.Clock, Expires: s.world.Clock.Add(lifetime)}
	for _, g := range t.AppRoleGrants {
		if g.Principal == sp.ID && g.Resource == target.ID {
			if n := world.PermissionName(resourceApp, g.AppRole); n != "" {
				c.Roles = append(c.Roles, n)
			}
		}
	}
	for _, a := range t.RoleAssignments {
		if a.Principal == sp.ID {
			c.Wids = append(c.Wids, a.Role)
		}
	}
	slices.Sort(c.Roles)
	slices.Sort(c.Wids)
	c.Roles, c.Wids = slices.Compact(c.Roles), slices.Compact(c.Wids)
	return c, nil
}

// scope reads the scope of an application's request: one "<resource>/.default" besides the OpenID scopes that MSAL
// appends. It returns the resource as asked and its client id, "" when the simulator knows no such resource.
func scope(text string) (resource, app string, p *problem) {
	var asked []string
	for _, f := range strings.Fields(text) {
		switch f {
		case "openid", "offline_access", "profile", "email":
		default:
			asked = append(asked, f)
		}
	}
	if len(asked) != 1 {
		return "", "", &problem{http.StatusBadRequest, "invalid_scope", 70011, fmt.Sprintf("The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope %s is not valid.", text)}
	}
	resource, ok := strings.CutSuffix(asked[0], "/.default")
	if !ok || resource == "" {
		return "", "", &problem{http.StatusBadRequest, "invalid_scope", 1002012, fmt.Sprintf("The provided value for scope %s is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).", asked[0])}
	}
	// "https://graph.microsoft.com//.default" is how an identifier that ends in a slash is asked for.
	resource = strings.TrimSuffix(resource, "/")
	return resource, resources[resource], nil
}

// authenticate checks the client's proof: a secret, or an assertion signed by its certificate or by a federated issuer.
func (s *server) authenticate(r *http.Request, t *world.Tenant, app *world.Application) *problem {
	form := r.PostForm
	secret, assertion := form.Get("client_secret"), form.Get("client_assertion")
	switch {
	case assertion != "":
		if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			return &problem{http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: 'client_assertion_type' with the value urn:ietf:params:oauth:client-assertion-type:jwt-bearer."}
		}
		return s.assertion(r.Host, assertion, t, app)
	case secret != "":
		return s.secret(secret, app)
	}
	return &problem{http.StatusUnauthorized, "invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."}
}

func (s *server) secret(value string, app *world.Application) *problem {
	for _, known := range app.Secrets {
		if known.Value == "" || subtle.ConstantTimeCompare([]byte(known.Value), []byte(value)) != 1 {
			continue
		}
		if !s.world.Clock.Before(known.End) {
			return &problem{http.StatusUnauthorized, "invalid_client", 7000222, fmt.Sprintf("The provided client secret keys for app '%s' are expired. "+
				"Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security.", app.AppID)}
		}
		return nil
	}
	return &problem{http.StatusUnauthorized, "invalid_client", 7000215, fmt.Sprintf("Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "+
		"not the client secret ID, for a secret added to app '%s'.", app.AppID)}
}
