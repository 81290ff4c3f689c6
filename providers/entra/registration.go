package entra

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/applications"
	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/resource"
)

// registration is an application as far as Weir looks at it.
type registration struct {
	id, appID, name, uniqueName string
	// audience is signInAudience, as spelled.
	audience     string
	redirectURIs []string
	declared     []permission
	passwords    []password
	created      time.Time
	// web is kept because a change of one of its members sends all of them.
	web models.WebApplicationable
}

// password is a client secret without its value.
type password struct {
	keyID, name string
	start, end  time.Time
}

// ourPrefix begins the display name of every secret that Weir issues, with the operation behind it.
const ourPrefix = "weir-"

func (p password) ours() bool { return strings.HasPrefix(p.name, ourPrefix) }

const (
	applicationFields = "id,appId,displayName,uniqueName,signInAudience,web,requiredResourceAccess,passwordCredentials,createdDateTime"
	readApplications  = "Application.Read.All"
	writeApplications = "Application.ReadWrite.OwnedBy or Application.ReadWrite.All"
)

// decodeRegistration takes a model apart; nil without its ids.
func decodeRegistration(a models.Applicationable) *registration {
	if a == nil || value(a.GetId()) == "" || value(a.GetAppId()) == "" {
		return nil
	}
	r := &registration{id: strings.ToLower(value(a.GetId())), appID: strings.ToLower(value(a.GetAppId())), name: value(a.GetDisplayName()),
		uniqueName: value(a.GetUniqueName()), audience: value(a.GetSignInAudience()), created: value(a.GetCreatedDateTime()).UTC(), web: a.GetWeb()}
	if r.web != nil {
		r.redirectURIs = r.web.GetRedirectUris()
	}
	for _, access := range a.GetRequiredResourceAccess() {
		if access == nil {
			continue
		}
		target := strings.ToLower(value(access.GetResourceAppId()))
		for _, one := range access.GetResourceAccess() {
			if one == nil || one.GetId() == nil {
				continue
			}
			role := value(one.GetTypeEscaped()) == "Role"
			r.declared = append(r.declared, permission{resource: target, name: nameOf(target, one.GetId().String(), role), role: role})
		}
	}
	for _, p := range a.GetPasswordCredentials() {
		if p == nil || p.GetKeyId() == nil {
			continue
		}
		r.passwords = append(r.passwords, password{keyID: p.GetKeyId().String(), name: value(p.GetDisplayName()),
			start: value(p.GetStartDateTime()).UTC(), end: value(p.GetEndDateTime()).UTC()})
	}
	return r
}

func (c *Client) registrations(ctx context.Context) ([]*registration, error) {
	const op = "list applications"
	link := c.at("/applications?$select=" + applicationFields + "&$top=" + pageSize)
	all, err := every(c, op, readApplications, link, func(link string) (models.ApplicationCollectionResponseable, error) {
		return applications.NewApplicationsRequestBuilder(link, c.adapter).Get(ctx, nil)
	})
	if err != nil {
		return nil, err
	}
	out := make([]*registration, 0, len(all))
	seen := unique{}
	for _, a := range all {
		r := decodeRegistration(a)
		if r == nil {
			return nil, &resource.Error{Op: op, Kind: resource.ErrUnavailable, Detail: "an application came without its ids"}
		}
		if err := seen.add(r.id); err != nil {
			return nil, &resource.Error{Op: op, Kind: resource.ErrUnavailable, Err: err}
		}
		out = append(out, r)
	}
	return out, nil
}

// registration reads one application by key: "/<object id>" or "(uniqueName='…')". The error of one that does not exist
// satisfies absent.
func (c *Client) registration(ctx context.Context, key string) (*registration, error) {
	a, err := applications.NewApplicationItemRequestBuilder(c.at("/applications"+key+"?$select="+applicationFields), c.adapter).Get(ctx, nil)
	if err != nil {
		return nil, err
	}
	r := decodeRegistration(a)
	if r == nil {
		return nil, &answerError{detail: "the answer is no application"}
	}
	return r, nil
}

// write is what a create or update sends; nil members are left alone.
type write struct {
	name         *string
	redirectURIs *[]string
	permissions  *[]permission
	audience     *string
}

// model makes the body. web is what the application has now; nil for a new one.
func (w write) model(web models.WebApplicationable) models.Applicationable {
	a := models.NewApplication()
	a.SetDisplayName(w.name)
	a.SetSignInAudience(w.audience)
	if w.redirectURIs != nil {
		m := models.NewWebApplication()
		if web != nil {
			// What else the complex property holds is sent along: whether a PATCH keeps members that it does not name is
			// inferred, so it is not left to chance.
			m.SetHomePageUrl(web.GetHomePageUrl())
			m.SetLogoutUrl(web.GetLogoutUrl())
			if s := web.GetImplicitGrantSettings(); s != nil && (value(s.GetEnableAccessTokenIssuance()) || value(s.GetEnableIdTokenIssuance())) {
				kept := models.NewImplicitGrantSettings()
				kept.SetEnableAccessTokenIssuance(s.GetEnableAccessTokenIssuance())
				kept.SetEnableIdTokenIssuance(s.GetEnableIdTokenIssuance())
				m.SetImplicitGrantSettings(kept)
			}
		}
		m.SetRedirectUris(append([]string{}, *w.redirectURIs...))
		a.SetWeb(m)
	}
	if w.permissions != nil {
		a.SetRequiredResourceAccess(accessOf(*w.permissions))
	}
	return a
}

func accessOf(all []permission) []models.RequiredResourceAccessable {
	by := map[string][]models.ResourceAccessable{}
	var order []string
	for _, p := range all {
		id, err := uuid.Parse(p.id())
		if err != nil {
			continue // parsePermission lets only permissions with an id through
		}
		kind := "Scope"
		if p.role {
			kind = "Role"
		}
		one := models.NewResourceAccess()
		one.SetId(&id)
		one.SetTypeEscaped(&kind)
		if by[p.resource] == nil {
			order = append(order, p.resource)
		}
		by[p.resource] = append(by[p.resource], one)
	}
	slices.Sort(order)
	out := []models.RequiredResourceAccessable{}
	for _, target := range order {
		access := models.NewRequiredResourceAccess()
		access.SetResourceAppId(&target)
		access.SetResourceAccess(by[target])
		out = append(out, access)
	}
	return out
}

// patch changes an application. It sets whole values, so it may be repeated.
func (c *Client) patch(ctx context.Context, r *registration, w write) error {
	_, err := applications.NewApplicationItemRequestBuilder(c.at("/applications/"+r.id), c.adapter).
		Patch(transport.Repeatable(ctx), w.model(r.web), nil)
	return err
}

// upsert creates the application of a unique name, or updates the one that has it: a create that can be repeated
// ("Upsert application", Microsoft Graph). The result is nil when the answer does not show the application.
func (c *Client) upsert(ctx context.Context, uniqueName string, w write) (*registration, error) {
	headers := abstractions.NewRequestHeaders()
	headers.Add("Prefer", "create-if-missing")
	a, err := applications.NewApplicationItemRequestBuilder(c.at("/applications(uniqueName='"+uniqueName+"')"), c.adapter).
		Patch(transport.Repeatable(ctx), w.model(nil), &applications.ApplicationItemRequestBuilderPatchRequestConfiguration{Headers: headers})
	if err != nil {
		return nil, err
	}
	return decodeRegistration(a), nil
}

func (c *Client) deleteRegistration(ctx context.Context, id string) error {
	return applications.NewApplicationItemRequestBuilder(c.at("/applications/"+id), c.adapter).Delete(ctx, nil)
}

// addPassword issues a client secret. The answer is the only place that ever shows its value.
func (c *Client) addPassword(ctx context.Context, id, name string, end time.Time) (password, string, error) {
	credential := models.NewPasswordCredential()
	credential.SetDisplayName(&name)
	end = end.UTC().Truncate(time.Second)
	credential.SetEndDateTime(&end)
	body := applications.NewItemAddPasswordPostRequestBody()
	body.SetPasswordCredential(credential)
	p, err := applications.NewItemAddPasswordRequestBuilder(c.at("/applications/"+id+"/addPassword"), c.adapter).Post(ctx, body, nil)
	if err != nil {
		return password{}, "", err
	}
	if p == nil || p.GetKeyId() == nil || value(p.GetSecretText()) == "" {
		return password{}, "", &answerError{changed: true, detail: "the answer to addPassword has no secret"}
	}
	transport.ProcessSecrets().Add(*p.GetSecretText())
	out := password{keyID: p.GetKeyId().String(), name: name, start: value(p.GetStartDateTime()).UTC(), end: end}
	if p.GetEndDateTime() != nil {
		out.end = p.GetEndDateTime().UTC()
	}
	return out, *p.GetSecretText(), nil
}

// removePassword removes a client secret; one that is gone already is success.
func (c *Client) removePassword(ctx context.Context, id, keyID string) error {
	key, err := uuid.Parse(keyID)
	if err != nil {
		return &resource.Error{Op: "remove client secret", Subject: keyID, Kind: resource.ErrInvalid, Err: err}
	}
	body := applications.NewItemRemovePasswordPostRequestBody()
	body.SetKeyId(&key)
	err = applications.NewItemRemovePasswordRequestBuilder(c.at("/applications/"+id+"/removePassword"), c.adapter).
		Post(transport.Repeatable(ctx), body, nil)
	if a := answerOf(err); a != nil && a.says("no password credential found") {
		return nil
	}
	return err
}
