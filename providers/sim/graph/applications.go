package graph

import (
	"crypto/sha1" // a certificate's thumbprint is SHA-1 by definition
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

var (
	readApplications = anyOf("Application.Read.All", "Application.ReadWrite.OwnedBy", "Application.ReadWrite.All", "Directory.Read.All")
	// OwnedBy reaches only what the caller owns; handlers check that.
	writeApplications = anyOf("Application.ReadWrite.OwnedBy", "Application.ReadWrite.All")
)

func applicationRoutes() []route {
	const lists = "select filter top count orderby skiptoken"
	return []route{
		{method: "GET", template: "/applications", need: readApplications, cost: 2, run: listApplications, options: lists},
		{method: "GET", template: "/applications/$count", need: readApplications, cost: 2, run: countApplications, options: "filter"},
		{method: "POST", template: "/applications", need: writeApplications, cost: 2, changing: true, run: createApplication},
		{method: "GET", template: "/applications/{id}", need: readApplications, cost: 2, run: getApplication, options: "select"},
		{method: "PATCH", template: "/applications/{id}", need: writeApplications, cost: 2, changing: true, run: updateApplication},
		{method: "DELETE", template: "/applications/{id}", need: writeApplications, cost: 2, changing: true, run: deleteApplication},
		{method: "POST", template: "/applications/{id}/addPassword", need: writeApplications, changing: true, run: addPassword},
		{method: "POST", template: "/applications/{id}/removePassword", need: writeApplications, changing: true, run: removePassword},
		{method: "POST", template: "/applications/{id}/addKey", need: writeApplications, changing: true, run: addKey},
		{method: "GET", template: "/applications/{id}/owners", need: readApplications, run: listOwners, options: "select top skiptoken"},
		{method: "GET", template: "/applications/{id}/federatedIdentityCredentials", need: readApplications, run: listFederated,
			options: "select filter top skiptoken"},
		{method: "POST", template: "/applications/{id}/federatedIdentityCredentials", need: writeApplications, changing: true, run: createFederated},
		{method: "GET", template: "/applications/{id}/federatedIdentityCredentials/{fic}", need: readApplications, run: getFederated, options: "select"},
		{method: "PATCH", template: "/applications/{id}/federatedIdentityCredentials/{fic}", need: writeApplications, changing: true, run: updateFederated},
		{method: "DELETE", template: "/applications/{id}/federatedIdentityCredentials/{fic}", need: writeApplications, changing: true, run: deleteFederated},
	}
}

// deletedAt is null except in answers about deleted items.
func deletedAt(x *request, o any) value { return moment(x.buried[o]) }

func application(f func(a *world.Application) value) getter {
	return func(_ *request, o any) value { return f(o.(*world.Application)) }
}

// applicationEntity is the application resource.
var applicationEntity = newEntity("application", "Application", "applications", []property{
	{name: "id", ops: opEqual, get: application(func(a *world.Application) value { return text(a.ID) })},
	{name: "deletedDateTime", get: deletedAt},
	{name: "appId", ops: opEqual, get: application(func(a *world.Application) value { return text(a.AppID) })},
	{name: "applicationTemplateId", get: always(value{})},
	{name: "createdDateTime", ops: opEqual | opOrder | opSort, get: application(func(a *world.Application) value { return moment(a.Created) })},
	{name: "description", get: always(value{})},
	{name: "disabledByMicrosoftStatus", get: always(value{})},
	{name: "displayName", ops: opEqual | opStarts | opOrder | opSort, get: application(func(a *world.Application) value { return text(a.DisplayName) })},
	{name: "groupMembershipClaims", get: always(value{})},
	{name: "identifierUris", ops: opAny, get: application(func(a *world.Application) value { return texts(a.IdentifierURIs) })},
	{name: "isDeviceOnlyAuthSupported", get: always(value{})},
	{name: "isFallbackPublicClient", get: always(value{})},
	{name: "notes", get: application(func(a *world.Application) value { return text(a.Notes) })},
	{name: "publisherDomain", get: func(x *request, _ any) value { return text(x.initialDomain()) }},
	{name: "serviceManagementReference", get: always(value{})},
	{name: "signInAudience", ops: opEqual, get: application(func(a *world.Application) value { return text(audienceOf(a)) })},
	{name: "tags", ops: opAny, get: application(func(a *world.Application) value { return texts(a.Tags) })},
	{name: "tokenEncryptionKeyId", get: always(value{})},
	{name: "uniqueName", get: application(func(a *world.Application) value { return text(a.UniqueName) })},
	{name: "addIns", get: always(structure("[]"))},
	{name: "api", get: always(structure(`{"acceptMappedClaims":null,"knownClientApplications":[],"requestedAccessTokenVersion":null,"oauth2PermissionScopes":[],"preAuthorizedApplications":[]}`))},
	{name: "appRoles", get: always(structure("[]"))},
	{name: "info", get: always(structure(`{"logoUrl":null,"marketingUrl":null,"privacyStatementUrl":null,"supportUrl":null,"termsOfServiceUrl":null}`))},
	{name: "keyCredentials", get: keyCredentials},
	{name: "parentalControlSettings", get: always(structure(`{"countriesBlockedForMinors":[],"legalAgeGroupRule":"Allow"}`))},
	{name: "passwordCredentials", get: application(passwordCredentials)},
	{name: "publicClient", get: always(structure(`{"redirectUris":[]}`))},
	{name: "requiredResourceAccess", get: application(func(a *world.Application) value { return encoded(requiredOf(a)) })},
	{name: "spa", get: always(structure(`{"redirectUris":[]}`))},
	{name: "verifiedPublisher", get: always(structure(`{"displayName":null,"verifiedPublisherId":null,"addedDateTime":null}`))},
	{name: "web", get: application(func(a *world.Application) value {
		uris := a.RedirectURIs
		if uris == nil {
			uris = []string{}
		}
		return encoded(map[string]any{"homePageUrl": nil, "logoutUrl": nil, "redirectUris": uris,
			"implicitGrantSettings": map[string]bool{"enableAccessTokenIssuance": false, "enableIdTokenIssuance": false}})
	})},
})

func audienceOf(a *world.Application) string {
	if a.SignInAudience == "" {
		return "AzureADMyOrg"
	}
	return a.SignInAudience
}

type wireAccess struct {
	ResourceAppID  string           `json:"resourceAppId"`
	ResourceAccess []wirePermission `json:"resourceAccess"`
}

type wirePermission struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

func requiredOf(a *world.Application) []wireAccess {
	out := make([]wireAccess, 0, len(a.Required))
	for _, r := range a.Required {
		w := wireAccess{ResourceAppID: r.ResourceAppID, ResourceAccess: []wirePermission{}}
		for _, p := range r.Permissions {
			w.ResourceAccess = append(w.ResourceAccess, wirePermission(p))
		}
		out = append(out, w)
	}
	return out
}

// wirePassword is a passwordCredential; SecretText is null except in the reply of addPassword.
type wirePassword struct {
	Context             string  `json:"@odata.context,omitempty"`
	CustomKeyIdentifier *string `json:"customKeyIdentifier"`
	DisplayName         *string `json:"displayName"`
	EndDateTime         string  `json:"endDateTime"`
	Hint                string  `json:"hint"`
	KeyID               string  `json:"keyId"`
	SecretText          *string `json:"secretText"`
	StartDateTime       string  `json:"startDateTime"`
}

func wireSecret(s *world.Secret) wirePassword {
	w := wirePassword{EndDateTime: stamp(s.End), StartDateTime: stamp(s.Start), KeyID: s.KeyID, Hint: s.Value[:min(3, len(s.Value))]}
	if s.DisplayName != "" {
		w.DisplayName = &s.DisplayName
	}
	return w
}

func passwordCredentials(a *world.Application) value {
	out := make([]wirePassword, 0, len(a.Secrets))
	for _, s := range a.Secrets {
		out = append(out, wireSecret(s))
	}
	return encoded(out)
}

// wireKey is a keyCredential.
type wireKey struct {
	CustomKeyIdentifier *string    `json:"customKeyIdentifier"`
	DisplayName         *string    `json:"displayName"`
	EndDateTime         *time.Time `json:"endDateTime"`
	Key                 *string    `json:"key"`
	KeyID               string     `json:"keyId"`
	StartDateTime       *time.Time `json:"startDateTime"`
	Type                string     `json:"type"`
	Usage               string     `json:"usage"`
}

// keyCredentials shows the key itself only for one object and only when selected by name.
func keyCredentials(x *request, o any) value {
	a := o.(*world.Application)
	withKey := x.route.template == "/applications/{id}" && slices.Contains(x.q.selected, "keyCredentials")
	out := make([]wireKey, 0, len(a.Certificates))
	for _, c := range a.Certificates {
		der, err := base64.StdEncoding.DecodeString(c)
		if err != nil {
			continue
		}
		k := wireKey{KeyID: keyID(der), Type: "AsymmetricX509Cert", Usage: "Verify"}
		sum := sha1.Sum(der)
		thumb := base64.StdEncoding.EncodeToString(sum[:])
		k.CustomKeyIdentifier = &thumb
		name := a.CertificateNames[c]
		if cert, err := x509.ParseCertificate(der); err == nil {
			from, to := cert.NotBefore.UTC(), cert.NotAfter.UTC()
			k.StartDateTime, k.EndDateTime = &from, &to
			if name == "" {
				name = cert.Subject.String()
			}
		}
		if name != "" {
			k.DisplayName = &name
		}
		if withKey {
			k.Key = &c
		}
		out = append(out, k)
	}
	return encoded(out)
}

// keyID is the id of a certificate in an application: made from its bytes, so that it survives the world file.
func keyID(der []byte) string {
	s := sha256.Sum256(der)
	return fmt.Sprintf("%x-%x-4%x-8%x-%x", s[0:4], s[4:6], s[6:8], s[8:10], s[10:16])[:36]
}

// applications is the source of those that replication shows already.
func (x *request) applications() source {
	var seen []*world.Application
	for _, a := range x.t.Applications {
		if x.sees(a.ID) {
			seen = append(seen, a)
		}
	}
	return sortedSlice(applicationEntity, seen, func(a *world.Application) string { return a.ID })
}

func listApplications(x *request) (*reply, error) {
	return x.list(x.applications(), listing{e: applicationEntity, advancedSort: true})
}

func countApplications(x *request) (*reply, error) {
	return x.countText(x.applications(), applicationEntity)
}

// findApplication reads the key of the path: an object id, (appId='…') or (uniqueName='…').
func (x *request) findApplication() (*world.Application, error) {
	key := x.params[0]
	name, v, alternate := alternateKey(key)
	switch {
	case !alternate:
		return x.t.Application(key), nil
	case name == "appId":
		return x.t.ApplicationByAppID(v), nil
	case name == "uniqueName":
		return x.applicationByName(v), nil
	}
	return nil, badRequest("The key '%s' is not an alternate key of applications.", name)
}

func (x *request) applicationByName(name string) *world.Application {
	for _, a := range x.t.Applications {
		if a.UniqueName != "" && strings.EqualFold(a.UniqueName, name) {
			return a
		}
	}
	return nil
}

// application finds the application of the path, as far as replication shows it.
func (x *request) application() (*world.Application, error) {
	a, err := x.findApplication()
	if err != nil {
		return nil, err
	}
	if a == nil || !x.sees(a.ID) {
		return nil, notFound(x.params[0])
	}
	return a, nil
}

// ownApplication is application for a change: Application.ReadWrite.OwnedBy reaches owned ones only.
func (x *request) ownApplication() (*world.Application, error) {
	a, err := x.application()
	if err == nil && !x.mayChange(a) {
		return nil, denied()
	}
	return a, err
}

func (x *request) mayChange(a *world.Application) bool {
	return slices.Contains(x.claims.Roles, "Application.ReadWrite.All") || slices.Contains(a.Owners, x.claims.ObjectID)
}

func getApplication(x *request) (*reply, error) {
	a, err := x.application()
	if err != nil {
		return nil, err
	}
	return x.one(applicationEntity, a, style{})
}

func createApplication(x *request) (*reply, error) {
	f, err := x.object("Application")
	if err != nil {
		return nil, err
	}
	return x.makeApplication(f, "")
}

func (x *request) makeApplication(f *fields, uniqueName string) (*reply, error) {
	a := &world.Application{UniqueName: uniqueName, SignInAudience: "AzureADMyOrg", Created: x.w.Clock}
	if !f.has("displayName") {
		f.required("displayName", 256)
	}
	if err := x.readApplication(f, a); err != nil {
		return nil, err
	}
	a.ID, a.AppID = x.w.NewGUID(), x.w.NewGUID()
	if !slices.Contains(x.claims.Roles, "Application.ReadWrite.All") {
		a.Owners = []string{x.claims.ObjectID}
	}
	x.t.AddApplication(a)
	x.settle(a.ID)
	return x.created(applicationEntity, a)
}

// updateApplication is PATCH by id, and the upsert by uniqueName: with Prefer: create-if-missing it creates what is not
// there (201), so a create can be repeated safely.
func updateApplication(x *request) (*reply, error) {
	f, err := x.object("Application")
	if err != nil {
		return nil, err
	}
	key, name, alternate := alternateKey(x.params[0])
	upsert := alternate && key == "uniqueName"
	a, err := x.findApplication()
	switch {
	case err != nil:
		return nil, err
	case a == nil && upsert && strings.Contains(strings.ToLower(x.header.Get("Prefer")), "create-if-missing"):
		if x.w.Switches.DeletedAppKeepsUniqueName && x.deletedHolds(func(d *world.Application) bool { return strings.EqualFold(d.UniqueName, name) }) {
			return nil, conflict(http.StatusConflict)
		}
		return x.makeApplication(f, name)
	case a == nil || !upsert && !x.sees(a.ID):
		return nil, notFound(x.params[0])
	case !x.mayChange(a):
		return nil, denied()
	}
	changed := *a
	if err := x.readApplication(f, &changed); err != nil {
		return nil, err
	}
	*a = changed
	return noContent()
}

// deletedHolds looks through the restorable applications.
func (x *request) deletedHolds(test func(*world.Application) bool) bool {
	for _, d := range x.t.Deleted {
		a := &world.Application{}
		if d.Kind == "application" && d.Restorable(x.w.Clock) && json.Unmarshal(d.Object, a) == nil && test(a) {
			return true
		}
	}
	return false
}

// readApplication puts the properties of the body into a; collections replace what was there.
func (x *request) readApplication(f *fields, a *world.Application) error {
	if f.has("displayName") {
		a.DisplayName = f.required("displayName", 256)
	}
	f.text("notes", 1024, &a.Notes)
	f.read("tags", &a.Tags)
	if f.text("signInAudience", 64, &a.SignInAudience) && !slices.Contains([]string{"AzureADMyOrg", "AzureADMultipleOrgs",
		"AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"}, a.SignInAudience) {
		return badRequest("Invalid value specified for property 'signInAudience' of resource 'Application'.")
	}
	var uris []string
	if f.read("identifierUris", &uris) {
		if err := x.checkIdentifiers(a, uris); err != nil {
			return err
		}
		a.IdentifierURIs = uris
	}
	var web json.RawMessage
	if f.read("web", &web) && len(web) > 0 {
		if err := readWeb(web, a); err != nil {
			return err
		}
	}
	var required []wireAccess
	if f.read("requiredResourceAccess", &required) {
		var err error
		if a.Required, err = checkRequired(required); err != nil {
			return err
		}
	}
	var keys []wireKey
	if f.read("keyCredentials", &keys) {
		if err := setKeys(a, keys); err != nil {
			return err
		}
	}
	if f.has("passwordCredentials") {
		return badRequest("Setting passwordCredentials is not supported; use the addPassword and removePassword methods.")
	}
	return f.done()
}

func (x *request) checkIdentifiers(a *world.Application, uris []string) error {
	for _, u := range uris {
		holds := func(o *world.Application) bool { return o.ID != a.ID && containsFold(o.IdentifierURIs, u) }
		// A deleted application still holds its identifiers.
		if slices.ContainsFunc(x.t.Applications, holds) || x.deletedHolds(holds) {
			return &fault{status: http.StatusBadRequest, code: "Request_BadRequest", detail: "ObjectConflict",
				message: "Another object with the same value for property identifierUris already exists."}
		}
	}
	return nil
}

func readWeb(raw json.RawMessage, a *world.Application) error {
	f, err := decodeObject(raw, "Application.web")
	if err != nil {
		return err
	}
	var uris []string
	if f.read("redirectUris", &uris) {
		for _, s := range uris {
			u, err := url.Parse(s)
			if err != nil || u.Host == "" || u.Fragment != "" || len(s) > 256 ||
				u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1") {
				return badRequest("Reply URL '%s' is invalid: it must be absolute, https (http on localhost alone), without a fragment.", s)
			}
		}
		a.RedirectURIs = uris
	}
	return f.done()
}

func checkRequired(in []wireAccess) ([]world.ResourceAccess, error) {
	if len(in) > 50 {
		return nil, badRequest("requiredResourceAccess may name at most 50 resources.")
	}
	var out []world.ResourceAccess
	total := 0
	for _, r := range in {
		if !isGUID(r.ResourceAppID) {
			return nil, badRequest("Invalid value specified for property 'resourceAppId' of resource 'RequiredResourceAccess'.")
		}
		ra := world.ResourceAccess{ResourceAppID: strings.ToLower(r.ResourceAppID)}
		for _, p := range r.ResourceAccess {
			if !isGUID(p.ID) || p.Type != "Role" && p.Type != "Scope" {
				return nil, badRequest("Invalid value specified for property 'resourceAccess' of resource 'RequiredResourceAccess'.")
			}
			ra.Permissions = append(ra.Permissions, world.Permission{ID: strings.ToLower(p.ID), Type: p.Type})
			total++
		}
		out = append(out, ra)
	}
	if total > 400 {
		return nil, badRequest("requiredResourceAccess may name at most 400 permissions.")
	}
	return out, nil
}

// setKeys replaces the certificates. An entry without key keeps the one with its keyId; that this works is inferred.
func setKeys(a *world.Application, keys []wireKey) error {
	known := map[string]string{}
	for _, c := range a.Certificates {
		if der, err := base64.StdEncoding.DecodeString(c); err == nil {
			known[keyID(der)] = c
		}
	}
	var certs []string
	names := map[string]string{}
	for _, k := range keys {
		if k.Type != "AsymmetricX509Cert" || k.Usage != "Verify" {
			return badRequest("Invalid key credential: want type AsymmetricX509Cert and usage Verify.")
		}
		c := known[k.KeyID]
		if k.Key != nil && *k.Key != "" {
			c = *k.Key
		}
		der, err := base64.StdEncoding.DecodeString(c)
		if err != nil || c == "" {
			return badRequest("Key value is not a base64 encoded certificate.")
		}
		if _, err := x509.ParseCertificate(der); err != nil {
			return badRequest("Key value is invalid certificate.")
		}
		if k.DisplayName != nil {
			if len(*k.DisplayName) > 90 {
				return badRequest("The display name of a key credential has at most 90 characters.")
			}
			names[c] = *k.DisplayName
		}
		certs = append(certs, c)
	}
	a.Certificates, a.CertificateNames = certs, names
	return nil
}

func deleteApplication(x *request) (*reply, error) {
	a, err := x.ownApplication()
	if err != nil {
		return nil, err
	}
	x.w.DeleteApplication(x.t, a)
	return noContent()
}

func addPassword(x *request) (*reply, error) {
	a, err := x.ownApplication()
	if err != nil {
		return nil, err
	}
	s := &world.Secret{Start: x.w.Clock}
	if len(x.body) > 0 {
		outer, err := x.object("addPassword")
		if err != nil {
			return nil, err
		}
		var inner json.RawMessage
		if outer.read("passwordCredential", &inner) && len(inner) > 0 {
			f, err := decodeObject(inner, "PasswordCredential")
			if err != nil {
				return nil, err
			}
			f.text("displayName", 256, &s.DisplayName)
			f.moment("startDateTime", &s.Start)
			f.moment("endDateTime", &s.End)
			if err := f.done(); err != nil {
				return nil, err
			}
		}
		if err := outer.done(); err != nil {
			return nil, err
		}
	}
	if s.End.IsZero() {
		s.End = s.Start.AddDate(2, 0, 0)
	}
	if !s.End.After(s.Start) {
		return nil, badRequest("Key credential end date is invalid: it must follow the start date.")
	}
	if x.t.SecretsForbidden {
		return nil, &fault{status: http.StatusBadRequest, code: "CredentialTypeNotAllowedAsPerAppPolicy",
			message: "Credential type not allowed as per assigned policy."}
	}
	s.KeyID, s.Value = x.w.NewGUID(), x.w.NewSecret("app")
	a.Secrets = append(a.Secrets, s)
	w := wireSecret(s)
	w.SecretText = &s.Value
	w.Context = x.base + "/v1.0/$metadata#microsoft.graph.passwordCredential"
	return jsonReply(http.StatusOK, w)
}

func removePassword(x *request) (*reply, error) {
	a, err := x.ownApplication()
	if err != nil {
		return nil, err
	}
	f, err := x.object("removePassword")
	if err != nil {
		return nil, err
	}
	id := f.required("keyId", 36)
	if err := f.done(); err != nil {
		return nil, err
	}
	n := len(a.Secrets)
	a.Secrets = slices.DeleteFunc(slices.Clone(a.Secrets), func(s *world.Secret) bool { return strings.EqualFold(s.KeyID, id) })
	if len(a.Secrets) == n {
		return nil, badRequest("No password credential found with keyId.")
	}
	return noContent()
}

// addKey is refused: its proof is signed with a key that the application has already, which the simulator does not
// check; the first certificate is set by PATCH.
func addKey(x *request) (*reply, error) {
	a, err := x.ownApplication()
	if err != nil {
		return nil, err
	}
	f, err := x.object("addKey")
	if err != nil {
		return nil, err
	}
	var proof string
	f.read("proof", &proof)
	if proof == "" || len(a.Certificates) == 0 {
		return nil, &fault{status: http.StatusUnauthorized, code: "Authentication_MissingOrMalformed",
			message: "Access Token missing or malformed: addKey needs a proof of possession signed with an existing key."}
	}
	return nil, unimplemented("the check of addKey's proof of possession; set keyCredentials by PATCH instead")
}

func listOwners(x *request) (*reply, error) {
	a, err := x.application()
	if err != nil {
		return nil, err
	}
	src := source{n: len(a.Owners), id: func(i int) string { return a.Owners[i] }, at: func(i int) (*entity, any) {
		if s := x.t.ServicePrincipal(a.Owners[i]); s != nil {
			return principalEntity, s
		}
		return x.member(a.Owners[i])
	}}
	return x.list(src, listing{e: directoryObject, mixed: []*entity{userEntity, groupEntity, contactEntity, principalEntity},
		typed: true, style: x.memberStyle})
}

func federated(f func(c *world.FederatedSubject) value) getter {
	return func(_ *request, o any) value { return f(o.(*world.FederatedSubject)) }
}

// federatedEntity is the federatedIdentityCredential resource.
var federatedEntity = newEntity("federatedIdentityCredential", "FederatedIdentityCredential", "federatedIdentityCredentials", []property{
	{name: "id", get: federated(func(c *world.FederatedSubject) value { return text(c.ID) })},
	{name: "audiences", get: federated(func(c *world.FederatedSubject) value { return texts(c.Audiences) })},
	{name: "description", get: federated(func(c *world.FederatedSubject) value { return text(c.Description) })},
	{name: "issuer", ops: opEqual, get: federated(func(c *world.FederatedSubject) value { return text(c.Issuer) })},
	{name: "name", ops: opEqual, get: federated(func(c *world.FederatedSubject) value { return text(c.Name) })},
	{name: "subject", ops: opEqual, get: federated(func(c *world.FederatedSubject) value { return text(c.Subject) })},
})

func listFederated(x *request) (*reply, error) {
	a, err := x.application()
	if err != nil {
		return nil, err
	}
	all := make([]*world.FederatedSubject, len(a.Federated))
	for i := range a.Federated {
		all[i] = &a.Federated[i]
	}
	return x.list(sortedSlice(federatedEntity, all, func(c *world.FederatedSubject) string { return c.ID }), listing{e: federatedEntity})
}

// findFederated reads the second key of the path: id or name.
func (x *request) findFederated(a *world.Application) (int, error) {
	key := x.params[1]
	if name, v, ok := alternateKey(key); ok && name == "name" {
		key = v
	}
	for i, c := range a.Federated {
		if strings.EqualFold(c.ID, key) || c.Name == key {
			return i, nil
		}
	}
	return 0, notFound(key)
}

func getFederated(x *request) (*reply, error) {
	a, err := x.application()
	if err != nil {
		return nil, err
	}
	i, err := x.findFederated(a)
	if err != nil {
		return nil, err
	}
	return x.one(federatedEntity, &a.Federated[i], style{})
}

// maxFederated is the documented number of federated credentials of one application.
const maxFederated = 20

func createFederated(x *request) (*reply, error) {
	a, err := x.ownApplication()
	if err != nil {
		return nil, err
	}
	f, err := x.object("FederatedIdentityCredential")
	if err != nil {
		return nil, err
	}
	c := world.FederatedSubject{Name: f.required("name", 120)}
	if err := x.readFederated(f, a, &c); err != nil {
		return nil, err
	}
	if len(a.Federated) >= maxFederated {
		return nil, badRequest("Too many FederatedIdentityCredential entries found on object: at most %d.", maxFederated)
	}
	if slices.ContainsFunc(a.Federated, func(o world.FederatedSubject) bool { return o.Name == c.Name }) {
		return nil, &fault{status: http.StatusConflict, code: "Request_MultipleObjectsWithSameKeyValue",
			message: "FederatedIdentityCredential with name " + c.Name + " already exists."}
	}
	c.ID = x.w.NewGUID()
	a.Federated = append(slices.Clone(a.Federated), c)
	return x.created(federatedEntity, &a.Federated[len(a.Federated)-1])
}

func (x *request) readFederated(f *fields, a *world.Application, c *world.FederatedSubject) error {
	f.text("issuer", 600, &c.Issuer)
	f.text("subject", 600, &c.Subject)
	f.text("description", 600, &c.Description)
	f.read("audiences", &c.Audiences)
	if err := f.done(); err != nil {
		return err
	}
	want := "api://AzureADTokenExchange"
	if x.t.RegionSubScope == "DODCON" || x.t.RegionSubScope == "DOD" {
		want = "api://AzureADTokenExchangeUSGov"
	}
	switch {
	case c.Issuer == "" || c.Subject == "":
		return badRequest("A federated identity credential needs an issuer and a subject.")
	case len(c.Audiences) != 1 || c.Audiences[0] != want:
		return badRequest("The audiences of a federated identity credential must be exactly [\"%s\"].", want)
	case slices.ContainsFunc(a.Federated, func(o world.FederatedSubject) bool {
		return o.ID != c.ID && o.Issuer == c.Issuer && o.Subject == c.Subject
	}):
		return badRequest("FederatedIdentityCredential with the same issuer and subject already exists on the application.")
	}
	return nil
}

func updateFederated(x *request) (*reply, error) {
	a, err := x.ownApplication()
	if err != nil {
		return nil, err
	}
	i, err := x.findFederated(a)
	if err != nil {
		return nil, err
	}
	f, err := x.object("FederatedIdentityCredential")
	if err != nil {
		return nil, err
	}
	c := a.Federated[i]
	var name string
	if f.text("name", 120, &name) && name != c.Name {
		return nil, badRequest("Property 'name' of resource 'FederatedIdentityCredential' cannot be changed.")
	}
	if err := x.readFederated(f, a, &c); err != nil {
		return nil, err
	}
	a.Federated[i] = c
	return noContent()
}

func deleteFederated(x *request) (*reply, error) {
	a, err := x.ownApplication()
	if err != nil {
		return nil, err
	}
	i, err := x.findFederated(a)
	if err != nil {
		return nil, err
	}
	a.Federated = slices.Delete(slices.Clone(a.Federated), i, i+1)
	return noContent()
}
