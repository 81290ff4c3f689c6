package entra

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/oauth2permissiongrants"
	"github.com/microsoftgraph/msgraph-sdk-go/serviceprincipals"

	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/resource"
)

const (
	grantRoles  = "AppRoleAssignment.ReadWrite.All"
	grantScopes = "DelegatedPermissionGrant.ReadWrite.All"
)

// principal finds the service principal of an application; "" when there is none.
func (c *Client) principal(ctx context.Context, appID string) (string, error) {
	c.mu.Lock()
	id := c.apps["app "+appID]
	c.mu.Unlock()
	if id != "" {
		return id, nil
	}
	sp, err := serviceprincipals.NewServicePrincipalItemRequestBuilder(c.at("/servicePrincipals(appId='"+appID+"')?$select=id,appId,accountEnabled"), c.adapter).Get(ctx, nil)
	if absent(err) {
		return "", nil
	}
	if err != nil {
		return "", failure("read service principal", appID, readApplications, err)
	}
	if sp == nil || value(sp.GetId()) == "" || !strings.EqualFold(value(sp.GetAppId()), appID) {
		return "", &resource.Error{Op: "read service principal", Subject: appID, Kind: resource.ErrUnavailable, Detail: "the answer is no service principal of that application"}
	}
	id = strings.ToLower(*sp.GetId())
	c.mu.Lock()
	defer c.mu.Unlock()
	// Left out counts as enabled: only what a person switched off is worth a word.
	c.off[id] = sp.GetAccountEnabled() != nil && !*sp.GetAccountEnabled()
	return id, nil
}

// mayAct reports whether a service principal was enabled when it was last read.
func (c *Client) mayAct(sp string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.off[sp]
}

// target is principal for resources, which are Microsoft's own and stay: it is remembered.
func (c *Client) target(ctx context.Context, appID string) (string, error) {
	id, err := c.principal(ctx, appID)
	if err != nil || id == "" {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.apps["app "+appID], c.apps[id] = id, appID
	return id, nil
}

// clientOf is the client id of a resource's service principal.
func (c *Client) clientOf(ctx context.Context, id string) (string, error) {
	c.mu.Lock()
	appID := c.apps[id]
	c.mu.Unlock()
	if appID != "" {
		return appID, nil
	}
	sp, err := serviceprincipals.NewServicePrincipalItemRequestBuilder(c.at("/servicePrincipals/"+id+"?$select=id,appId"), c.adapter).Get(ctx, nil)
	if err != nil {
		return "", failure("read service principal", id, readApplications, err)
	}
	if sp == nil || value(sp.GetAppId()) == "" {
		return "", &resource.Error{Op: "read service principal", Subject: id, Kind: resource.ErrUnavailable, Detail: "the answer is no service principal"}
	}
	appID = strings.ToLower(*sp.GetAppId())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.apps[id] = appID
	return appID, nil
}

// ensurePrincipal finds or makes the service principal of an application. Right after the application was made, replicas
// answer that it is no valid application, or not of this tenant, or that nothing is found (seen in clients).
func (c *Client) ensurePrincipal(ctx context.Context, appID string) (string, error) {
	var id string
	err := c.eventually(ctx, func() error {
		var err error
		if id, err = c.principal(ctx, appID); err != nil || id != "" {
			return err
		}
		body := models.NewServicePrincipal()
		body.SetAppId(&appID)
		sp, err := serviceprincipals.NewServicePrincipalsRequestBuilder(c.at("/servicePrincipals"), c.adapter).Post(ctx, body, nil)
		if err != nil {
			return err
		}
		if sp == nil || value(sp.GetId()) == "" {
			return &answerError{changed: true, detail: "the answer has no service principal"}
		}
		id = strings.ToLower(*sp.GetId())
		return nil
	}, func(err error) bool {
		a := answerOf(err)
		return a != nil && (absent(err) || conflicting(err) || a.says("does not reference a valid application") || a.says("backing application"))
	})
	return id, failure("create service principal", appID, writeApplications, err)
}

// grants is what an application is consented to for the whole tenant.
type grants struct {
	roles  []roleGrant
	scopes []scopeGrant
}

type roleGrant struct {
	id         string // opaque
	permission permission
}

// scopeGrant holds the delegated permissions of one resource.
type scopeGrant struct {
	id       string
	resource string // client id
	scopes   []string
}

func (g *grants) permissions() []permission {
	var out []permission
	for _, r := range g.roles {
		out = append(out, r.permission)
	}
	for _, s := range g.scopes {
		for _, name := range s.scopes {
			out = append(out, permission{resource: s.resource, name: name})
		}
	}
	return out
}

// grantsOf reads the consent of a service principal. Consent of single persons is not Weir's and left out.
func (c *Client) grantsOf(ctx context.Context, sp string) (*grants, error) {
	g := &grants{}
	roles, err := every(c, "list app role assignments", readApplications, c.at("/servicePrincipals/"+sp+"/appRoleAssignments?$top="+pageSize),
		func(link string) (models.AppRoleAssignmentCollectionResponseable, error) {
			return serviceprincipals.NewItemAppRoleAssignmentsRequestBuilder(link, c.adapter).Get(ctx, nil)
		})
	if err != nil {
		return nil, err
	}
	for _, r := range roles {
		if r.GetResourceId() == nil || r.GetAppRoleId() == nil || value(r.GetId()) == "" {
			return nil, &resource.Error{Op: "list app role assignments", Kind: resource.ErrUnavailable, Detail: "an assignment came without its ids"}
		}
		app, err := c.clientOf(ctx, r.GetResourceId().String())
		if err != nil {
			return nil, err
		}
		g.roles = append(g.roles, roleGrant{id: *r.GetId(), permission: permission{resource: app, name: nameOf(app, r.GetAppRoleId().String(), true), role: true}})
	}
	scopes, err := every(c, "list permission grants", "Directory.Read.All", c.at("/servicePrincipals/"+sp+"/oauth2PermissionGrants"),
		func(link string) (models.OAuth2PermissionGrantCollectionResponseable, error) {
			return serviceprincipals.NewItemOauth2PermissionGrantsRequestBuilder(link, c.adapter).Get(ctx, nil)
		})
	if err != nil {
		return nil, err
	}
	for _, s := range scopes {
		if value(s.GetConsentType()) != "AllPrincipals" {
			continue
		}
		if value(s.GetId()) == "" || value(s.GetResourceId()) == "" {
			return nil, &resource.Error{Op: "list permission grants", Kind: resource.ErrUnavailable, Detail: "a grant came without its ids"}
		}
		app, err := c.clientOf(ctx, strings.ToLower(*s.GetResourceId()))
		if err != nil {
			return nil, err
		}
		g.scopes = append(g.scopes, scopeGrant{id: *s.GetId(), resource: app, scopes: strings.Fields(value(s.GetScope()))})
	}
	return g, nil
}

// consent brings the consent of a service principal to exactly want and returns what is read in the end. It reads, grants
// what is missing, revokes what is too much, and reads again until both agree: a grant may be refused because replicas do
// not know its ends yet, and may have been stored in spite of it (seen in clients).
func (c *Client) consent(ctx context.Context, sp string, want []permission) (*grants, error) {
	pause := time.Second
	for n := 1; ; n++ {
		have, err := c.grantsOf(ctx, sp)
		if err != nil && (!errorAbsent(err) || n == patience) {
			return nil, err
		}
		var passing error
		if err == nil {
			if slices.Equal(textsOf(have.permissions()), textsOf(want)) {
				return have, nil
			}
			if n == patience {
				return have, nil // granted and not visible yet: the next read will tell
			}
			if passing, err = c.reconcile(ctx, sp, have, want); err != nil {
				return nil, err
			}
			if passing != nil && n == patience-1 {
				return nil, passing
			}
		}
		if n > 1 || err != nil || passing != nil {
			if err := c.sleep(ctx, pause); err != nil {
				return nil, &resource.Error{Op: "grant consent", Kind: resource.ErrAmbiguous, Err: err}
			}
			pause = min(2*pause, 10*time.Second)
		}
	}
}

// reconcile makes one round of changes. passing is an error that another round may not meet.
func (c *Client) reconcile(ctx context.Context, sp string, have *grants, want []permission) (passing, err error) {
	keep := func(err error) error {
		switch {
		case err == nil || conflicting(err):
			return nil
		case absent(err) || answerOf(err) != nil && answerOf(err).says("not a valid reference update"):
			passing = err
			return nil
		}
		return err
	}
	wanted := map[string]bool{}
	scopes := map[string][]string{}
	for _, p := range want {
		wanted[p.String()] = true
		if !p.role {
			scopes[p.resource] = append(scopes[p.resource], p.name)
		}
	}
	granted := map[string]bool{}
	for _, r := range have.roles {
		granted[r.permission.String()] = true
		if !wanted[r.permission.String()] {
			if err := keep(c.revokeRole(ctx, sp, r.id)); err != nil {
				return nil, failure("revoke", r.permission.String(), grantRoles, err)
			}
		}
	}
	for _, p := range want {
		if p.role && !granted[p.String()] {
			if err := keep(c.grantRole(ctx, sp, p)); err != nil {
				return nil, failure("grant", p.String(), grantRoles, err)
			}
		}
	}
	for _, s := range have.scopes {
		list := scopes[s.resource]
		delete(scopes, s.resource)
		if sameSet(list, s.scopes) {
			continue
		}
		if err := keep(c.setScopes(ctx, s.id, list)); err != nil {
			return nil, failure("grant", strings.Join(list, " "), grantScopes, err)
		}
	}
	for app, list := range scopes {
		if err := keep(c.grantScopes(ctx, sp, app, list)); err != nil {
			return nil, failure("grant", strings.Join(list, " "), grantScopes, err)
		}
	}
	return failureOf(passing), nil
}

func failureOf(err error) error { return failure("grant consent", "", grantRoles, err) }

func errorAbsent(err error) bool {
	var e *resource.Error
	return errors.As(err, &e) && e.Kind == resource.ErrAbsent
}

func sameSet(a, b []string) bool {
	x, y := slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(x), slices.Compact(y))
}

// needTarget is target for a change, which cannot do without.
func (c *Client) needTarget(ctx context.Context, appID string) (string, error) {
	id, err := c.target(ctx, appID)
	if err == nil && id == "" {
		err = &resource.Error{Op: "find resource", Subject: appID, Kind: resource.ErrInvalid, Detail: "the tenant has no service principal of that resource",
			Hint: "Exchange permissions exist only in tenants with Exchange Online"}
	}
	return id, err
}

func (c *Client) grantRole(ctx context.Context, sp string, p permission) error {
	target, err := c.needTarget(ctx, p.resource)
	if err != nil {
		return err
	}
	body := models.NewAppRoleAssignment()
	for _, part := range []struct {
		id  string
		set func(*uuid.UUID)
	}{{sp, body.SetPrincipalId}, {target, body.SetResourceId}, {p.id(), body.SetAppRoleId}} {
		id, err := uuid.Parse(part.id)
		if err != nil {
			return &resource.Error{Op: "grant", Subject: p.String(), Kind: resource.ErrInvalid, Err: err}
		}
		part.set(&id)
	}
	_, err = serviceprincipals.NewItemAppRoleAssignmentsRequestBuilder(c.at("/servicePrincipals/"+sp+"/appRoleAssignments"), c.adapter).Post(ctx, body, nil)
	return err
}

func (c *Client) revokeRole(ctx context.Context, sp, id string) error {
	link := c.at("/servicePrincipals/" + sp + "/appRoleAssignments/" + id)
	return serviceprincipals.NewItemAppRoleAssignmentsAppRoleAssignmentItemRequestBuilder(link, c.adapter).Delete(ctx, nil)
}

func (c *Client) grantScopes(ctx context.Context, sp, app string, scopes []string) error {
	target, err := c.needTarget(ctx, app)
	if err != nil {
		return err
	}
	everybody, scope := "AllPrincipals", strings.Join(slices.Sorted(slices.Values(scopes)), " ")
	body := models.NewOAuth2PermissionGrant()
	body.SetClientId(&sp)
	body.SetConsentType(&everybody)
	body.SetResourceId(&target)
	body.SetScope(&scope)
	_, err = oauth2permissiongrants.NewOauth2PermissionGrantsRequestBuilder(c.at("/oauth2PermissionGrants"), c.adapter).Post(ctx, body, nil)
	return err
}

// setScopes replaces the delegated permissions of a grant; without any the grant goes.
func (c *Client) setScopes(ctx context.Context, id string, scopes []string) error {
	b := oauth2permissiongrants.NewOAuth2PermissionGrantItemRequestBuilder(c.at("/oauth2PermissionGrants/"+id), c.adapter)
	if len(scopes) == 0 {
		return b.Delete(ctx, nil)
	}
	scope := strings.Join(slices.Sorted(slices.Values(scopes)), " ")
	body := models.NewOAuth2PermissionGrant()
	body.SetScope(&scope)
	_, err := b.Patch(transport.Repeatable(ctx), body, nil)
	return err
}
