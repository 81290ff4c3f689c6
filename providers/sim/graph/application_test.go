package graph

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

type object = map[string]any

const roleDirectoryRead = "7ab1d382-f21e-4acd-a863-ba3e13f7da61"

func TestApplicationLife(t *testing.T) {
	w := newWorld(0)
	c := newClient(t, w)
	body := object{"displayName": "Sync", "web": object{"redirectUris": []string{"https://us1.gateway.example/cb"}},
		"requiredResourceAccess": []object{{"resourceAppId": world.GraphAppID, "resourceAccess": []object{{"id": roleDirectoryRead, "type": "Role"}}}},
		"tags":                   []string{"weir"}, "notes": "made by a test", "identifierUris": []string{"api://sync"}}
	a := c.do("POST", "/applications", body).want(201)
	if !c.call.Changing || c.call.Operation != "POST /applications" {
		t.Errorf("journal %+v", c.call)
	}
	id, appID := a.text("id"), a.text("appId")
	if id == appID || a.text("signInAudience") != "AzureADMyOrg" || a.doc["web"].(object)["redirectUris"].([]any)[0] != "https://us1.gateway.example/cb" {
		t.Errorf("created %s", a.raw)
	}
	if len(w.Tenants[0].ServicePrincipals) != 3 {
		t.Error("a service principal was made along")
	}
	for _, path := range []string{"/applications/" + id, "/applications(appId='" + appID + "')"} {
		if got := c.get(path).want(200); got.text("id") != id {
			t.Errorf("%s: %s", path, got.raw)
		}
	}
	if got := c.get("/applications?$filter=appId eq '" + appID + "'").want(200).ids(); !slices.Equal(got, []string{id}) {
		t.Errorf("by filter %v", got)
	}
	// PATCH replaces collections and leaves the rest.
	c.do("PATCH", "/applications/"+id, object{"displayName": "Sync 2", "web": object{"redirectUris": []string{"https://b.example/"}}}).want(204)
	got := c.get("/applications/" + id).want(200)
	if got.text("displayName") != "Sync 2" || got.text("notes") != "made by a test" || len(got.doc["web"].(object)["redirectUris"].([]any)) != 1 {
		t.Errorf("patched %s", got.raw)
	}
	// Identifier URIs are unique, also against deleted applications.
	clash := object{"displayName": "Other", "identifierUris": []string{"api://SYNC"}}
	c.do("POST", "/applications", clash).want(400, "Request_BadRequest")
	sp := c.do("POST", "/servicePrincipals", object{"appId": appID}).want(201).text("id")
	c.do("DELETE", "/applications/"+id, nil).want(204)
	c.get("/applications/" + id).want(404)
	c.get("/servicePrincipals/" + sp).want(404)
	c.do("POST", "/applications", clash).want(400, "Request_BadRequest")
	// Deleted, listed, restored; the service principal on its own.
	if d := c.get("/directory/deletedItems/" + id).want(200); d.text("@odata.type") != "#microsoft.graph.application" || d.text("deletedDateTime") == "" {
		t.Errorf("deleted %s", d.raw)
	}
	if l := c.get("/directory/deletedItems/microsoft.graph.application").want(200).ids(); !slices.Equal(l, []string{id}) {
		t.Errorf("deleted applications %v", l)
	}
	c.do("POST", "/directory/deletedItems/"+id+"/restore", nil).want(200)
	if r := c.get("/applications/" + id).want(200); r.doc["deletedDateTime"] != nil {
		t.Errorf("restored %s", r.raw)
	}
	c.get("/servicePrincipals/" + sp).want(404)
	c.do("POST", "/directory/deletedItems/"+sp+"/restore", nil).want(200)
	c.get("/servicePrincipals/" + sp).want(200)
	// Permanent.
	c.do("DELETE", "/applications/"+id, nil).want(204)
	c.do("DELETE", "/directory/deletedItems/"+id, nil).want(204)
	c.get("/directory/deletedItems/" + id).want(404)
	c.do("POST", "/directory/deletedItems/"+id+"/restore", nil).want(404)
	// After 30 days as well.
	if _, err := w.Advance(31 * 24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	c.token = sign(w, everything...)
	c.get("/directory/deletedItems/" + sp).want(404)
}

func TestApplicationBodies(t *testing.T) {
	c := newClient(t, newWorld(0))
	tests := map[string]struct {
		body   string
		status int
	}{
		"empty":              {``, 400},
		"no JSON":            {`{`, 400},
		"a list":             {`[]`, 400},
		"null":               {`null`, 400},
		"no name":            {`{}`, 400},
		"null name":          {`{"displayName":null}`, 400},
		"long name":          {`{"displayName":"` + strings.Repeat("x", 257) + `"}`, 400},
		"wrong type":         {`{"displayName":1}`, 400},
		"audience":           {`{"displayName":"x","signInAudience":"Everybody"}`, 400},
		"http redirect":      {`{"displayName":"x","web":{"redirectUris":["http://a.example/"]}}`, 400},
		"localhost redirect": {`{"displayName":"x","web":{"redirectUris":["http://localhost:8400/cb"]}}`, 201},
		"permission type":    {`{"displayName":"x","requiredResourceAccess":[{"resourceAppId":"` + world.GraphAppID + `","resourceAccess":[{"id":"` + roleDirectoryRead + `","type":"App"}]}]}`, 400},
		"permission id":      {`{"displayName":"x","requiredResourceAccess":[{"resourceAppId":"` + world.GraphAppID + `","resourceAccess":[{"id":"x","type":"Role"}]}]}`, 400},
		"passwords":          {`{"displayName":"x","passwordCredentials":[]}`, 400},
		"unknown property":   {`{"displayName":"x","bogus":1}`, 501},
		"unknown in web":     {`{"displayName":"x","web":{"homePageUrl":"https://x"}}`, 501},
		"annotation":         {`{"@odata.type":"#microsoft.graph.application","displayName":"x"}`, 201},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := *c
			c.t = t
			c.do("POST", "/applications", tt.body).want(tt.status)
		})
	}
}

func TestUpsertByUniqueName(t *testing.T) {
	w := newWorld(0)
	c := newClient(t, w, "Application.ReadWrite.OwnedBy", "Directory.Read.All")
	path := "/applications(uniqueName='weir-sync')"
	const prefer = "Prefer: create-if-missing"
	c.do("PATCH", path, object{"displayName": "x"}).want(404)
	c.do("PATCH", path, object{}, prefer).want(400)
	a := c.do("PATCH", path, object{"displayName": "x"}, prefer).want(201)
	if a.text("uniqueName") != "weir-sync" {
		t.Errorf("created %s", a.raw)
	}
	c.do("PATCH", path, object{"displayName": "y"}, prefer).want(204)
	if got := c.get(path).want(200); got.text("id") != a.text("id") || got.text("displayName") != "y" {
		t.Errorf("updated %s", got.raw)
	}
	c.do("DELETE", path, nil).want(204)
	w.Switches.DeletedAppKeepsUniqueName = true
	c.do("PATCH", path, object{"displayName": "z"}, prefer).want(409)
	w.Switches.DeletedAppKeepsUniqueName = false
	if again := c.do("PATCH", path, object{"displayName": "z"}, prefer).want(201); again.text("id") == a.text("id") {
		t.Error("the deleted application came back")
	}
}

func TestOwnedBy(t *testing.T) {
	w := newWorld(0)
	all := newClient(t, w, "Application.ReadWrite.All")
	foreign := all.do("POST", "/applications", object{"displayName": "foreign"}).want(201)
	c := all.as("Application.ReadWrite.OwnedBy")
	own := c.do("POST", "/applications", object{"displayName": "own"}).want(201)
	if l := c.get("/applications").want(200).ids(); len(l) != 2 {
		t.Errorf("sees %v", l)
	}
	if l := c.get("/applications/" + own.text("id") + "/owners").want(200).ids(); !slices.Equal(l, []string{callerID}) {
		t.Errorf("owners %v", l)
	}
	for _, call := range [][2]string{{"PATCH", ""}, {"POST", "/addPassword"}, {"DELETE", ""}} {
		c.do(call[0], "/applications/"+foreign.text("id")+call[1], object{}).want(403, "Authorization_RequestDenied")
	}
	a := c.do("POST", "/servicePrincipals", object{"appId": foreign.text("appId")}).want(403)
	if !strings.Contains(a.message(), "backing application") {
		t.Errorf("message %q", a.message())
	}
	c.do("POST", "/servicePrincipals", object{"appId": own.text("appId")}).want(201)
	c.do("DELETE", "/applications/"+own.text("id"), nil).want(204)
	c.do("DELETE", "/directory/deletedItems/"+own.text("id"), nil).want(204)
	all.do("DELETE", "/applications/"+foreign.text("id"), nil).want(204)
	c.do("DELETE", "/directory/deletedItems/"+foreign.text("id"), nil).want(403)
}

func TestSecrets(t *testing.T) {
	w := newWorld(0)
	c := newClient(t, w)
	app := "/applications/" + c.do("POST", "/applications", object{"displayName": "x"}).want(201).text("id")
	end := started.AddDate(0, 1, 0)
	one := c.do("POST", app+"/addPassword", object{"passwordCredential": object{"displayName": "weir", "endDateTime": end}}).want(200)
	two := c.do("POST", app+"/addPassword", object{"passwordCredential": object{"displayName": "weir"}}).want(200)
	c.do("POST", app+"/addPassword", nil).want(200)
	secret := one.text("secretText")
	if n := len(secret); n < 16 || n > 64 || one.text("hint") != secret[:3] || one.text("endDateTime") != "2026-12-21T08:00:00Z" {
		t.Errorf("secret %s", one.raw)
	}
	if two.text("endDateTime") != "2028-11-21T08:00:00Z" || two.text("keyId") == one.text("keyId") {
		t.Errorf("default end %s", two.raw)
	}
	got := c.get(app + "?$select=passwordCredentials").want(200)
	if list := got.doc["passwordCredentials"].([]any); len(list) != 3 || strings.Contains(got.raw, secret) || list[0].(object)["secretText"] != nil {
		t.Errorf("credentials %s", got.raw)
	}
	c.do("POST", app+"/removePassword", object{"keyId": one.text("keyId")}).want(204)
	c.do("POST", app+"/removePassword", object{"keyId": one.text("keyId")}).want(400)
	c.do("POST", app+"/addPassword", object{"passwordCredential": object{"startDateTime": end, "endDateTime": started}}).want(400)
	w.Tenants[0].SecretsForbidden = true
	c.do("POST", app+"/addPassword", object{}).want(400, "CredentialTypeNotAllowedAsPerAppPolicy")
	c.do("POST", app+"/addKey", object{"keyCredential": object{}, "proof": ""}).want(401)
}

func TestCertificates(t *testing.T) {
	w := newWorld(0)
	c := newClient(t, w)
	app := "/applications/" + c.do("POST", "/applications", object{"displayName": "x"}).want(201).text("id")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "weir"}, NotBefore: started, NotAfter: started.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert := base64.StdEncoding.EncodeToString(der)
	entry := object{"type": "AsymmetricX509Cert", "usage": "Verify", "key": cert, "displayName": "CN=weir"}
	c.do("PATCH", app, object{"keyCredentials": []object{entry}}).want(204)
	plain := c.get(app).want(200).doc["keyCredentials"].([]any)[0].(object)
	if plain["key"] != nil || plain["displayName"] != "CN=weir" || plain["endDateTime"] != "2027-11-21T08:00:00Z" || len(plain["keyId"].(string)) != 36 {
		t.Errorf("credential %v", plain)
	}
	if got := c.get(app + "?$select=keyCredentials").want(200).doc["keyCredentials"].([]any)[0].(object); got["key"] != cert {
		t.Errorf("selected %v", got)
	}
	// An entry named by its id keeps its key; the whole list is what the PATCH says.
	c.do("PATCH", app, object{"keyCredentials": []object{{"type": "AsymmetricX509Cert", "usage": "Verify", "keyId": plain["keyId"]}}}).want(204)
	if n := len(w.Tenants[0].Applications[0].Certificates); n != 1 {
		t.Errorf("%d certificates", n)
	}
	for _, bad := range []object{{"type": "X", "usage": "Verify", "key": cert}, {"type": "AsymmetricX509Cert", "usage": "Verify", "key": "AAAA"},
		{"type": "AsymmetricX509Cert", "usage": "Verify"}} {
		c.do("PATCH", app, object{"keyCredentials": []object{bad}}).want(400)
	}
	c.do("PATCH", app, object{"keyCredentials": []object{}}).want(204)
	if n := len(w.Tenants[0].Applications[0].Certificates); n != 0 {
		t.Errorf("%d certificates", n)
	}
}

func TestFederatedCredentials(t *testing.T) {
	w := newWorld(0)
	c := newClient(t, w)
	base := "/applications/" + c.do("POST", "/applications", object{"displayName": "x"}).want(201).text("id") + "/federatedIdentityCredentials"
	fic := func(name, subject string) object {
		return object{"name": name, "issuer": "https://token.actions.githubusercontent.com", "subject": subject, "audiences": []string{"api://AzureADTokenExchange"}}
	}
	a := c.do("POST", base, fic("ci", "repo:a/b:ref:refs/heads/main")).want(201)
	c.do("POST", base, fic("ci", "other")).want(409)
	c.do("POST", base, fic("ci2", "repo:a/b:ref:refs/heads/main")).want(400)
	wrong := fic("ci3", "z")
	wrong["audiences"] = []string{"api://Other"}
	c.do("POST", base, wrong).want(400)
	c.do("PATCH", base+"/"+a.text("id"), object{"name": "renamed"}).want(400)
	c.do("PATCH", base+"/"+a.text("id"), object{"subject": "new"}).want(204)
	if got := c.get(base + "/ci").want(200); got.text("subject") != "new" {
		t.Errorf("by name %s", got.raw)
	}
	for i := range maxFederated - 1 {
		c.do("POST", base, fic(fmt.Sprint("n", i), fmt.Sprint("s", i))).want(201)
	}
	c.do("POST", base, fic("one-more", "one-more")).want(400)
	if l := c.get(base).want(200).values(); len(l) != maxFederated {
		t.Errorf("%d credentials", len(l))
	}
	c.do("DELETE", base+"/"+a.text("id"), nil).want(204)
	c.do("DELETE", base+"/"+a.text("id"), nil).want(404)
}

func TestConsent(t *testing.T) {
	w := newWorld(1)
	c := newClient(t, w)
	app := c.do("POST", "/applications", object{"displayName": "x"}).want(201)
	sp := c.do("POST", "/servicePrincipals", object{"appId": app.text("appId")}).want(201).text("id")
	c.do("POST", "/servicePrincipals", object{"appId": app.text("appId")}).want(409, "Request_MultipleObjectsWithSameKeyValue")
	a := c.do("POST", "/servicePrincipals", object{"appId": groupID(1)}).want(400)
	if !strings.Contains(a.message(), "does not reference a valid application object") {
		t.Errorf("message %q", a.message())
	}
	// The resource's roles, looked up by value.
	role := ""
	for _, r := range c.get("/servicePrincipals(appId='" + world.GraphAppID + "')?$select=id,appRoles").want(200).doc["appRoles"].([]any) {
		if r.(object)["value"] == "Directory.Read.All" {
			role = r.(object)["id"].(string)
		}
	}
	if role != roleDirectoryRead {
		t.Errorf("role %q", role)
	}
	grant := object{"principalId": sp, "resourceId": graphSP, "appRoleId": role}
	g := c.do("POST", "/servicePrincipals/"+graphSP+"/appRoleAssignedTo", grant).want(201)
	if g.text("principalType") != "ServicePrincipal" || g.text("principalDisplayName") != "x" || isGUID(g.text("id")) {
		t.Errorf("grant %s", g.raw)
	}
	dup := c.do("POST", "/servicePrincipals/"+sp+"/appRoleAssignments", grant).want(400, "Request_BadRequest")
	if !strings.Contains(dup.message(), "Permission being assigned already exists on the object") {
		t.Errorf("message %q", dup.message())
	}
	c.do("POST", "/servicePrincipals/"+sp+"/appRoleAssignedTo", grant).want(400)
	c.do("POST", "/servicePrincipals/"+graphSP+"/appRoleAssignedTo", object{"principalId": sp, "resourceId": graphSP, "appRoleId": groupID(1)}).want(400)
	c.do("POST", "/servicePrincipals/"+graphSP+"/appRoleAssignedTo", object{"principalId": groupID(1), "resourceId": graphSP, "appRoleId": role}).want(404)
	for _, path := range []string{"/servicePrincipals/" + sp + "/appRoleAssignments", "/servicePrincipals/" + graphSP + "/appRoleAssignedTo",
		"/servicePrincipals/" + sp + "/appRoleAssignments?$filter=resourceId eq " + graphSP} {
		if l := c.get(path).want(200).ids(); !slices.Equal(l, []string{g.text("id")}) {
			t.Errorf("%s: %v", path, l)
		}
	}
	c.do("DELETE", "/servicePrincipals/"+exchSP+"/appRoleAssignedTo/"+g.text("id"), nil).want(404)
	c.do("DELETE", "/servicePrincipals/"+graphSP+"/appRoleAssignedTo/"+g.text("id"), nil).want(204)
	if l := c.get("/servicePrincipals/" + sp + "/appRoleAssignments").want(200).ids(); len(l) != 0 {
		t.Errorf("left %v", l)
	}
	// Delegated.
	del := object{"clientId": sp, "consentType": "AllPrincipals", "principalId": nil, "resourceId": graphSP, "scope": "Directory.Read.All"}
	d := c.do("POST", "/oauth2PermissionGrants", del).want(201)
	if a := c.do("POST", "/oauth2PermissionGrants", del).want(409, "Request_MultipleObjectsWithSameKeyValue"); a.message() != "Permission entry already exists." {
		t.Errorf("message %q", a.message())
	}
	del["consentType"], del["principalId"] = "Principal", personID(1)
	c.do("POST", "/oauth2PermissionGrants", del).want(201)
	del["consentType"] = "Some"
	c.do("POST", "/oauth2PermissionGrants", del).want(400)
	c.do("PATCH", "/oauth2PermissionGrants/"+d.text("id"), object{"scope": "Directory.Read.All  Group.Read.All"}).want(204)
	if l := c.get("/oauth2PermissionGrants?$filter=clientId eq '" + sp + "' and consentType eq 'AllPrincipals'").want(200).values(); len(l) != 1 || l[0]["scope"] != "Directory.Read.All Group.Read.All" {
		t.Errorf("grants %v", l)
	}
	c.do("PATCH", "/oauth2PermissionGrants/"+d.text("id"), object{"scope": strings.Repeat("x", 3851)}).want(400)
	c.do("DELETE", "/oauth2PermissionGrants/"+d.text("id"), nil).want(204)
	c.get("/oauth2PermissionGrants/" + d.text("id")).want(404)
	// A deleted principal takes its consent with it.
	c.do("POST", "/servicePrincipals/"+graphSP+"/appRoleAssignedTo", grant).want(201)
	c.do("DELETE", "/servicePrincipals/"+sp, nil).want(204)
	if n := len(w.Tenants[0].AppRoleGrants) + len(w.Tenants[0].Grants); n != 0 {
		t.Errorf("%d grants left", n)
	}
}

func TestServicePrincipalOfForeignApplication(t *testing.T) {
	w := newWorld(0)
	home := &world.Tenant{ID: "4f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10", Domains: []*world.EntraDomain{{Name: "msp.example", Verified: true, Default: true}}}
	w.AddTenant(home)
	multi := &world.Application{ID: groupID(11), AppID: groupID(12), DisplayName: "MSP", SignInAudience: "AzureADMultipleOrgs"}
	single := &world.Application{ID: groupID(13), AppID: groupID(14), DisplayName: "Own", SignInAudience: "AzureADMyOrg"}
	home.AddApplication(multi)
	home.AddApplication(single)
	c := newClient(t, w)
	sp := c.do("POST", "/servicePrincipals", object{"appId": multi.AppID}).want(201)
	if sp.text("appOwnerOrganizationId") != home.ID || sp.text("displayName") != "MSP" {
		t.Errorf("principal %s", sp.raw)
	}
	c.do("POST", "/servicePrincipals", object{"appId": single.AppID}).want(400)
	c.do("PATCH", "/servicePrincipals/"+sp.text("id"), object{"accountEnabled": false, "tags": []string{"a"}}).want(204)
	if got := c.get("/servicePrincipals/" + sp.text("id")).want(200); got.doc["accountEnabled"] != false {
		t.Errorf("patched %s", got.raw)
	}
}

func TestRoles(t *testing.T) {
	w := newWorld(1)
	c := newClient(t, w)
	exchangeAdmin := world.ExchangeAdministrator
	if l := c.get("/directoryRoles").want(200).values(); len(l) != 1 {
		t.Errorf("active roles %v", l)
	}
	body := object{"@odata.type": "#microsoft.graph.unifiedRoleAssignment", "roleDefinitionId": exchangeAdmin, "principalId": callerID, "directoryScopeId": "/"}
	a := c.do("POST", "/roleManagement/directory/roleAssignments", body).want(201)
	if isGUID(a.text("id")) || a.text("roleDefinitionId") != exchangeAdmin {
		t.Errorf("assignment %s", a.raw)
	}
	dup := c.do("POST", "/roleManagement/directory/roleAssignments", body).want(400, "Request_BadRequest")
	if !strings.Contains(dup.message(), "A conflicting object") {
		t.Errorf("message %q", dup.message())
	}
	w.Switches.RoleDuplicate409 = true
	c.do("POST", "/roleManagement/directory/roleAssignments", body).want(409, "Request_MultipleObjectsWithSameKeyValue")
	if l := c.get("/roleManagement/directory/roleAssignments?$filter=principalId eq '" + callerID + "'").want(200).ids(); !slices.Equal(l, []string{a.text("id")}) {
		t.Errorf("assignments %v", l)
	}
	members := "/directoryRoles(roleTemplateId='" + exchangeAdmin + "')/members"
	if l := c.get(members).want(200).values(); len(l) != 1 || l[0]["@odata.type"] != "#microsoft.graph.servicePrincipal" {
		t.Errorf("members %v", l)
	}
	ref := object{"@odata.id": "https://graph.microsoft.com/v1.0/directoryObjects/" + personID(1)}
	c.do("POST", members+"/$ref", ref).want(204)
	if a := c.do("POST", members+"/$ref", ref).want(400); !strings.Contains(a.message(), "One or more added object references already exist") {
		t.Errorf("message %q", a.message())
	}
	c.do("DELETE", members+"/"+personID(1)+"/$ref", nil).want(204)
	c.do("DELETE", members+"/"+personID(1)+"/$ref", nil).want(400)
	c.do("DELETE", "/roleManagement/directory/roleAssignments/"+a.text("id"), nil).want(204)
	if l := c.get("/directoryRoles").want(200).values(); len(l) != 2 {
		t.Errorf("a role stays active without members: %v", l)
	}
	c.do("POST", "/directoryRoles", object{"roleTemplateId": exchangeAdmin}).want(400)
	c.do("POST", "/directoryRoles", object{"roleTemplateId": "f2ef992c-3afb-46b9-b7cf-a126ee74c451"}).want(201)
	for name, bad := range map[string]object{
		"role":      {"roleDefinitionId": groupID(1), "principalId": callerID, "directoryScopeId": "/"},
		"principal": {"roleDefinitionId": exchangeAdmin, "principalId": groupID(1), "directoryScopeId": "/"},
	} {
		t.Run(name, func(t *testing.T) { c.do("POST", "/roleManagement/directory/roleAssignments", bad).want(404) })
	}
}

// TestReplicationLag walks an object through 404, 404, 200, 404, 200.
func TestReplicationLag(t *testing.T) {
	w := newWorld(0)
	w.Switches.GraphLag = 2
	c := newClient(t, w)
	app := c.do("POST", "/applications", object{"displayName": "x"}).want(201)
	var seen []int
	for range 6 {
		seen = append(seen, c.get("/applications/"+app.text("id")).status)
	}
	if !slices.Equal(seen, []int{404, 404, 200, 404, 200, 200}) {
		t.Errorf("reads %v", seen)
	}
	// A service principal made too early.
	app = c.do("POST", "/applications", object{"displayName": "y"}).want(201)
	a := c.do("POST", "/servicePrincipals", object{"appId": app.text("appId")}).want(400, "Request_BadRequest")
	if !strings.Contains(a.message(), "does not reference a valid application object") {
		t.Errorf("message %q", a.message())
	}
	c.do("POST", "/servicePrincipals", object{"appId": app.text("appId")}).want(400)
	sp := c.do("POST", "/servicePrincipals", object{"appId": app.text("appId")}).want(201).text("id")
	if l := c.get("/servicePrincipals").want(200).ids(); slices.Contains(l, sp) {
		t.Error("the list has it already")
	}
	c.get("/servicePrincipals/" + sp).want(404)
	c.get("/servicePrincipals/" + sp).want(200)
	// The upsert by name knows its own creation at once.
	const prefer = "Prefer: create-if-missing"
	c.do("PATCH", "/applications(uniqueName='n')", object{"displayName": "n"}, prefer).want(201)
	c.do("PATCH", "/applications(uniqueName='n')", object{"displayName": "n"}, prefer).want(204)
	w.Switches.GraphLag = 0
	c.get("/applications(uniqueName='n')").want(200)
}

func TestGrantThatLandsWith404(t *testing.T) {
	w := newWorld(0)
	w.Switches.GrantLandsWith404 = true
	c := newClient(t, w)
	body := object{"principalId": callerID, "resourceId": graphSP, "appRoleId": roleDirectoryRead}
	c.do("POST", "/servicePrincipals/"+graphSP+"/appRoleAssignedTo", body).want(404, "Directory_ObjectNotFound")
	c.do("POST", "/servicePrincipals/"+graphSP+"/appRoleAssignedTo", body).want(400, "Request_BadRequest")
	del := object{"clientId": callerID, "consentType": "AllPrincipals", "resourceId": graphSP, "scope": "User.Read"}
	c.do("POST", "/oauth2PermissionGrants", del).want(404, "Directory_ObjectNotFound")
	c.do("POST", "/oauth2PermissionGrants", del).want(409)
	if len(w.Tenants[0].AppRoleGrants) != 1 || len(w.Tenants[0].Grants) != 1 {
		t.Error("the grants did not land")
	}
}

func TestDeletedUsersAndGroups(t *testing.T) {
	w := newWorld(2)
	tn := w.Tenants[0]
	w.AddGroup(tn, &world.Group{ID: groupID(1), DisplayName: "G"})
	w.DeletePerson(tn, tn.Person(personID(1)), false)
	w.DeleteGroup(tn, tn.Group(groupID(1)), false)
	c := newClient(t, w)
	if l := c.get("/directory/deletedItems/microsoft.graph.user?$select=id,userPrincipalName,deletedDateTime").want(200).values(); len(l) != 1 || l[0]["deletedDateTime"] != "2026-11-21T08:00:00Z" {
		t.Errorf("deleted users %v", l)
	}
	c.get("/directory/deletedItems/" + groupID(1)).want(200)
	c.as("Application.Read.All").get("/directory/deletedItems/"+groupID(1)).want(403, "Authorization_RequestDenied")
	c.as("Application.Read.All").get("/directory/deletedItems/microsoft.graph.user").want(403)
	// No application permission of this simulator restores people.
	c.do("POST", "/directory/deletedItems/"+personID(1)+"/restore", nil).want(403)
	c.do("DELETE", "/directory/deletedItems/"+personID(1), nil).want(403)
}
