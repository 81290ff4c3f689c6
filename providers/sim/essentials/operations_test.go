package essentials

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weir-project/weir/providers/sim/world"
)

const contoso = "/orgs/contoso.example"

// TestOperations walks through every operation, success and refusal, in one world. Rows depend on those before.
func TestOperations(t *testing.T) {
	w := fixture()
	h := New(w)
	key, public := dkimKeyPair(t)
	forced := "" // id of the identity provider, filled on the way
	rows := []struct {
		call
		status int
		want   string
	}{
		// Discovery.
		{call{partner, "GET", "/me", ""}, 200, `{"type":"channel_admin","is_admin":true,"is_partner_admin":true,"entity_type":"channel","entity_primary_domain":"msp.example","read_only_user":false}`},
		{call{admin, "GET", "/me/", ""}, 200, `{"type":"organization_admin","is_partner_admin":false,"entity_id":2}`},
		{call{person, "GET", "/me", ""}, 403, `{"errors":[{"status":403,"identifier":"alice@contoso.example"}]}`},
		{call{"", "GET", "/me", ""}, 401, `{"errors":[{"status":401}]}`},
		{call{"nobody@contoso.example", "GET", "/me", ""}, 401, `{"errors":[{"status":401}]}`},
		{call{admin, "GET", "/endpoints/europe.example", ""}, 200, `{"endpoints":["https://eu1.proofpointessentials.com"]}`},
		{call{admin, "GET", "/endpoints/unknown.example", ""}, 200, `{"endpoints":[]}`},

		// Organizations.
		{call{admin, "GET", contoso, ""}, 200, `{"primary_domain":"contoso.example","eid":2,"organization_hierarchy":["2 : 'The contoso.example'","1 : 'The msp.example'"],"type":"organization","licensing_package":"advanced_plus","user_licenses":10,"active_users":3,"when_renewal":"2027/06/30","safe_list_senders":[],"white_list_senders":[]}`},
		{call{admin, "GET", "/orgs/contoso.onmicrosoft.example", ""}, 200, `{"eid":2}`},
		{call{partner, "GET", contoso + "/", ""}, 200, `{"eid":2}`},
		{call{admin, "GET", "/orgs/fabrikam.example", ""}, 403, ``},
		{call{admin, "GET", "/orgs/msp.example", ""}, 403, ``},
		{call{partner, "GET", "/orgs/stranger.example", ""}, 403, ``},
		{call{partner, "GET", "/orgs/unknown.example", ""}, 404, `{"errors":[{"status":404,"identifier":"unknown.example"}]}`},
		{call{partner, "GET", "/orgs/msp.example/orgs", ""}, 200, `{"orgs":[{"eid":1},{"eid":2},{"eid":3}]}`},
		{call{admin, "POST", contoso + "/orgs", `{}`}, 403, ``},
		{call{partner, "POST", "/orgs/msp.example/orgs", ``}, 400, ``},
		{call{partner, "POST", "/orgs/msp.example/orgs", `{`}, 400, ``},
		{call{partner, "POST", "/orgs/msp.example/orgs", `{"primary_domain":"new.example","name":"New","user_licenses":5,"domains":[{"name":"new.example"}]}`}, 422, `{"errors":[{"error_message":"admin_user is required","identifier":"new.example"}]}`},
		{call{partner, "POST", "/orgs/msp.example/orgs", `{"primary_domain":"new.example","name":"New","user_licenses":5,"admin_user":{"primary_email":"it@new.example"},"domains":[]}`}, 422, `{"errors":[{"error_message":"domains must…"}]}`},
		{call{partner, "POST", "/orgs/msp.example/orgs", `{"primary_domain":"new.example","name":"New","user_licenses":5,"admin_user":{"primary_email":"it@other.example"},"domains":[{"name":"new.example"}]}`}, 422, ``},
		{call{partner, "POST", "/orgs/msp.example/orgs", `{"primary_domain":"new.example","name":"New","user_licenses":5,"admin_user":{"primary_email":"it@new.example","password":"x"},"domains":[{"name":"new.example"}]}`}, 422, `{"errors":[{"error_message":"password is not supported in POST…"}]}`},
		{call{partner, "POST", "/orgs/msp.example/orgs", `{"primary_domain":"new.example","name":"New","user_licenses":5,"admin_user":{"primary_email":"it@new.example","type":"channel_admin"},"domains":[{"name":"new.example"}]}`}, 422, ``},
		{call{partner, "POST", "/orgs/msp.example/orgs", `{"primary_domain":"new.example","name":"New","licensing_package":"gold"}`}, 400, `{"errors":[{"error_message":"licensing_package must be one of…"}]}`},
		{call{partner, "POST", "/orgs/msp.example/orgs", `{"primary_domain":"new.example","colour":"New"}`}, 422, `{"errors":[{"error_message":"unknown field colour"}]}`},
		{call{partner, "POST", "/orgs/msp.example/orgs", `{"primary_domain":"New.example","name":"New","user_licenses":"5","licensing_package":"business","is_on_trial":false,"admin_user":{"primary_email":"it@new.example","firstname":"I"},"domains":[{"name":"new.example"}]}`}, 201, `{"primary_domain":"new.example","user_licenses":5,"active_users":1,"when_renewal":"2027/11/02","domains":[{"name":"new.example","is_active":false,"is_relay":false}],"organization_hierarchy":["100 : 'New'","1 : 'The msp.example'"]}`},
		{call{partner, "GET", "/orgs/new.example/users", ""}, 200, `{"users":[{"primary_email":"it@new.example","type":"organization_admin"}]}`},
		{call{partner, "POST", "/orgs/msp.example/orgs", `[{"primary_domain":"new.example","name":"N","user_licenses":1,"admin_user":{"primary_email":"it@new.example"},"domains":[{"name":"new.example"}]},{"primary_domain":"two.example","name":"Two","user_licenses":1,"admin_user":{"primary_email":"it@two.example"},"domains":[{"name":"two.example"}]}]`}, 207, `{"orgs":[{"primary_domain":"two.example"}],"errors":[{"status":409,"identifier":"new.example"}]}`},
		{call{partner, "PATCH", "/orgs/new.example", `{"is_active":"false","name":"Newer"}`}, 204, ``},
		{call{partner, "GET", "/orgs/new.example", ""}, 200, `{"is_active":false,"name":"Newer"}`},
		{call{partner, "PATCH", "/orgs/new.example", `{"user_licenses":9}`}, 422, `{"errors":[{"error_message":"unknown field user_licenses"}]}`},
		{call{partner, "PATCH", "/orgs/new.example", `{}`}, 422, ``},
		{call{partner, "PATCH", "/orgs/new.example", `[]`}, 400, ``},
		{call{partner, "DELETE", "/orgs/msp.example", ""}, 403, ``},
		{call{partner, "DELETE", "/orgs/new.example", ""}, 204, ``},
		{call{partner, "GET", "/orgs/new.example", ""}, 404, ``},

		// Users.
		{call{admin, "GET", contoso + "/users", ""}, 200, `{"users":[{"primary_email":"alice@contoso.example","alias_emails":["al@contoso.example"]},{"primary_email":"info@contoso.example","type":"functional_account"},{"primary_email":"it@contoso.example"},{"primary_email":"reader@contoso.example","read_only_user":true}]}`},
		{call{reader, "GET", contoso + "/users/Alice%40contoso.example/", ""}, 200, `{"uid":4,"primary_email":"alice@contoso.example","is_billable":true,"odin_settings":{"can_impersonate":false,"is_imitable":false}}`},
		{call{reader, "GET", contoso + "/users/al@contoso.example", ""}, 404, ``},
		{call{reader, "GET", contoso + "/users/nobody@contoso.example", ""}, 404, ``},
		{call{reader, "DELETE", contoso + "/users/alice@contoso.example", ""}, 403, `{"errors":[{"error_message":"not authorized: a read-only administrator cannot write"}]}`},
		{call{admin, "POST", contoso + "/users", `{"primary_email":"Bob@contoso.example","firstname":"Bob","surname":"B","alias_emails":["b@contoso.onmicrosoft.example"],"white_list_senders":["a@x.example"],"safe_list_senders":["b@x.example"],"black_list_senders":["c@x.example","b@x.example"],"send_welcome_email":false}`}, 201, `{"primary_email":"bob@contoso.example","type":"end_user","is_active":true,"alias_emails":["b@contoso.onmicrosoft.example"],"safe_list_senders":["b@x.example"],"white_list_senders":["b@x.example"],"block_list_senders":["c@x.example"],"black_list_senders":["c@x.example"]}`},
		{call{admin, "POST", contoso + "/users", `{"primary_email":"bob@contoso.example"}`}, 409, `{"errors":[{"status":409,"identifier":"bob@contoso.example"}]}`},
		{call{admin, "POST", contoso + "/users", `{"primary_email":"b2@contoso.example","alias_emails":["al@contoso.example"]}`}, 409, `{"errors":[{"identifier":"al@contoso.example"}]}`},
		{call{admin, "POST", contoso + "/users", `{"primary_email":"al@contoso.example"}`}, 409, ``},
		{call{admin, "POST", contoso + "/users", `{"primary_email":"x@fabrikam.example"}`}, 409, `{"errors":[{"error_message":"the domain fabrikam.example belongs to another organization"}]}`},
		{call{admin, "POST", contoso + "/users", `{"primary_email":"x@unregistered.example"}`}, 422, ``},
		{call{admin, "POST", contoso + "/users", `{"primary_email":"no address"}`}, 422, ``},
		{call{admin, "POST", contoso + "/users", `{}`}, 422, ``},
		{call{admin, "POST", contoso + "/users", `{"primary_email":"x@contoso.example","type":"king"}`}, 400, ``},
		{call{admin, "POST", contoso + "/users", `{"primary_email":"x@contoso.example","type":"channel_admin"}`}, 422, ``},
		{call{admin, "POST", contoso + "/users", `{"primary_email":"x@contoso.example","is_active":"perhaps"}`}, 422, `{"errors":[{"error_message":"is_active must be a boolean"}]}`},
		{call{admin, "POST", contoso + "/users", `{"primary_email":"x@contoso.example","password":"pw"}`}, 422, ``},
		{call{admin, "POST", contoso + "/users", `{"users":[]}`}, 422, `{"errors":[{"error_message":"unknown field users"}]}`},
		{call{admin, "POST", contoso + "/users", `[1]`}, 400, ``},
		{call{admin, "POST", contoso + "/users", `[]`}, 422, ``},
		{call{admin, "POST", contoso + "/users", `{} {}`}, 400, ``},
		{call{admin, "POST", contoso + "/users", `[{"primary_email":"carl@contoso.example","type":"silent_user"},{"primary_email":"bob@contoso.example"},{"primary_email":"dora@contoso.example","colour":"red"}]`}, 207, `{"users":[{"primary_email":"carl@contoso.example","type":"silent_user"}],"errors":[{"status":409,"error_message":"the address is already in use by bob@contoso.example","identifier":"bob@contoso.example"},{"status":422,"error_message":"unknown field colour","identifier":"dora@contoso.example"}]}`},
		{call{admin, "POST", contoso + "/users", `[{"primary_email":"dora@contoso.example"}]`}, 207, `{"users":[{"primary_email":"dora@contoso.example"}]}`},
		{call{admin, "PUT", contoso + "/users/bob@contoso.example", `{"is_billable":false}`}, 204, ``},
		{call{admin, "PUT", contoso + "/users/carl@contoso.example", `{"is_billable":false}`}, 422, `{"errors":[{"error_message":"only one user of an organization can be non-billable, and bob@contoso.example is"}]}`},
		{call{admin, "PUT", contoso + "/users/bob@contoso.example", `{"uid":1000,"primary_email":"bob@contoso.example","is_active":true,"type":"functional_account"}`}, 422, `{"errors":[{"error_message":"uid is read-only"}]}`},
		{call{admin, "PUT", contoso + "/users/bob@contoso.example", `{"primary_email":"bob@contoso.example","is_active":true,"type":"functional_account"}`}, 204, ``},
		{call{admin, "GET", contoso + "/users/bob@contoso.example", ""}, 200, `{"type":"functional_account","firstname":"Bob","alias_emails":["b@contoso.onmicrosoft.example"],"is_billable":false,"safe_list_senders":["b@x.example"]}`},
		{call{admin, "PUT", contoso + "/users/bob@contoso.example", `{"primary_email":"robert@contoso.example","alias_emails":["bob@contoso.example"]}`}, 204, ``},
		{call{admin, "GET", contoso + "/users/bob@contoso.example", ""}, 404, ``},
		{call{admin, "GET", contoso + "/users/robert@contoso.example", ""}, 200, `{"alias_emails":["bob@contoso.example"]}`},
		{call{admin, "PUT", contoso + "/users/robert@contoso.example", `{"primary_email":"bob@contoso.example"}`}, 204, ``},
		{call{admin, "GET", contoso + "/users/bob@contoso.example", ""}, 200, `{"alias_emails":[]}`},
		{call{admin, "GET", contoso + "/users/robert@contoso.example", ""}, 404, ``},
		{call{admin, "PUT", contoso + "/users/bob@contoso.example", `{"primary_email":"alice@contoso.example"}`}, 409, ``},
		{call{admin, "PUT", contoso + "/users/bob@contoso.example", `{"alias_emails":["bob@contoso.example"]}`}, 422, ``},
		{call{admin, "PUT", contoso + "/users/bob@contoso.example", `{"password":"pw","safe_list_senders":[]}`}, 204, ``},
		{call{admin, "PUT", contoso + "/users/nobody@contoso.example", `{}`}, 404, ``},
		{call{admin, "DELETE", contoso + "/users/it@contoso.example", ""}, 403, ``},
		{call{admin, "DELETE", contoso + "/users/bob@contoso.example", `{"primary_email":"bob@contoso.example"}`}, 204, ``},
		{call{admin, "DELETE", contoso + "/users/bob@contoso.example", ""}, 404, ``},

		// Token.
		{call{admin, "POST", "/token/contoso.example", `{"user_to_impersonate":"alice@contoso.example"}`}, 403, ``},
		{call{admin, "PUT", contoso + "/users/it@contoso.example", `{"odin_settings":{"can_impersonate":true}}`}, 204, ``},
		{call{admin, "PUT", contoso + "/users/alice@contoso.example", `{"odin_settings":{"is_imitable":true}}`}, 204, ``},
		{call{admin, "POST", "/token/contoso.example", `{"user_to_impersonate":"alice@contoso.example"}`}, 201, `{"auth_token":"…"}`},
		{call{admin, "POST", "/token/contoso.example", `{"user_to_impersonate":"nobody@contoso.example"}`}, 422, ``},
		{call{admin, "POST", "/token/contoso.example", `{}`}, 422, ``},

		// Domains.
		{call{admin, "GET", contoso + "/domains/", ""}, 200, `{"domains":[{"name":"contoso.example","is_active":true,"is_relay":true,"destination":"mx.contoso.example","failovers":[]},{"name":"contoso.onmicrosoft.example","is_relay":false}]}`},
		{call{admin, "POST", contoso + "/domains", `{"name":"Shop.example","is_active":true,"is_relay":true}`}, 422, `{"errors":[{"error_message":"destination is required for a relay domain","identifier":"shop.example"}]}`},
		{call{admin, "POST", contoso + "/domains", `{"name":"shop.example","is_active":true,"is_relay":true,"destination":"true"}`}, 422, ``},
		{call{admin, "POST", contoso + "/domains", `{"name":"Shop.example","is_active":true,"is_relay":true,"destination":"10.1.2.3","failovers":["mx2.shop.example"]}`}, 201, `{"name":"shop.example","is_active":true,"destination":"10.1.2.3"}`},
		{call{admin, "POST", contoso + "/domains", `[{"name":"known.example","is_active":true,"is_relay":false},{"name":"fabrikam.example"},{"name":"no domain"}]`}, 207, `{"domains":[{"name":"known.example","is_active":false,"is_relay":false}],"errors":[{"status":409,"identifier":"fabrikam.example"},{"status":422}]}`},
		{call{admin, "GET", contoso + "/domains/shop.example", ""}, 200, `{"failovers":["mx2.shop.example"]}`},
		{call{admin, "GET", contoso + "/domains/fabrikam.example", ""}, 404, ``},
		{call{admin, "PUT", contoso + "/domains/shop.example", `{"is_active":false,"failovers":[]}`}, 204, ``},
		{call{admin, "GET", contoso + "/domains/shop.example", ""}, 200, `{"is_active":false,"is_relay":true,"failovers":[],"destination":"10.1.2.3"}`},
		{call{admin, "PUT", contoso + "/domains/shop.example", `{"name":"other.example"}`}, 422, ``},
		{call{admin, "GET", contoso + "/domains/shop.example/verification-code", ""}, 200, `{"code":"ppe-…"}`},
		{call{admin, "PUT", contoso + "/domains/shop.example/verify/TXT", ""}, 409, ``},
		{call{admin, "PUT", contoso + "/domains/shop.example/verify/SMS", ""}, 400, ``},
		{call{admin, "PUT", contoso + "/domains/contoso.example/verify/TXT", ""}, 409, ``},
		{call{admin, "GET", contoso + "/domains/contoso.example/health", ""}, 200, `{"domain":"contoso.example","mx":true,"spf":true,"dkim":false}`},
		{call{admin, "GET", contoso + "/domains/shop.example/health", ""}, 200, `{"mx":false,"spf":false}`},
		{call{admin, "DELETE", contoso + "/domains/contoso.example", ""}, 409, ``},
		{call{admin, "POST", contoso + "/users", `{"primary_email":"shop@shop.example"}`}, 201, ``},
		{call{admin, "DELETE", contoso + "/domains/shop.example", ""}, 409, `{"errors":[{"error_message":"the domain is in use by shop@shop.example"}]}`},
		{call{admin, "DELETE", contoso + "/users/shop@shop.example", ""}, 204, ``},
		{call{admin, "DELETE", contoso + "/domains/shop.example", ""}, 204, ``},
		{call{admin, "DELETE", contoso + "/domains/shop.example", ""}, 404, ``},

		// DKIM.
		{call{admin, "GET", contoso + "/domains/contoso.example/dkim", ""}, 200, `[]`},
		{call{admin, "DELETE", contoso + "/domains/contoso.example/dkim", ""}, 404, ``},
		{call{admin, "POST", contoso + "/domains/contoso.example/dkim/s1", `{"private_key":"bm8ga2V5"}`}, 422, ``},
		{call{admin, "POST", contoso + "/domains/contoso.example/dkim/s1", `{"private_key":"` + key + `"}`}, 201, `{"domain":"contoso.example","selector":"s1","is_valid":false}`},
		{call{admin, "POST", contoso + "/domains/contoso.example/dkim", `{"selector":"s1","private_key":"` + key + `"}`}, 409, ``},
		{call{admin, "POST", contoso + "/domains/contoso.example/dkim", `{"selector":"s2","private_key":"` + key + `"}`}, 201, `{"selector":"s2"}`},
		{call{admin, "POST", contoso + "/domains/contoso.example/dkim", `{"private_key":"` + key + `"}`}, 422, ``},
		{call{admin, "GET", contoso + "/domains/contoso.example/dkim/s1", ""}, 200, `{"selector":"s1"}`},
		{call{admin, "GET", contoso + "/domains/contoso.example/dkim/s9", ""}, 404, ``},
		{call{admin, "PUT", contoso + "/domains/contoso.example/dkim/s1/verify", ""}, 409, ``},
		{call{admin, "PUT", contoso + "/domains/contoso.example/dkim/s2/verify", ""}, 204, ``}, // published below
		{call{admin, "DELETE", contoso + "/domains/contoso.example/dkim/s1", ""}, 204, ``},
		{call{admin, "GET", contoso + "/domains/contoso.example/dkim", ""}, 200, `[{"selector":"s2","is_valid":true}]`},
		{call{admin, "DELETE", contoso + "/domains/contoso.example/dkim", ""}, 204, ``},

		// Features.
		{call{admin, "GET", contoso + "/features", ""}, 200, `{"url_defense":true,"anti_spoofing":false,"one_click_remediation":false,"email_warning_tags":false,"instant_replay":0}`},
		{call{admin, "PUT", contoso + "/features", `{"anti_spoofing":"true","instant_replay":"30"}`}, 204, ``},
		{call{admin, "GET", contoso + "/features", ""}, 200, `{"url_defense":true,"anti_spoofing":true,"instant_replay":30}`},
		{call{admin, "PUT", contoso + "/features", `{"email_archive":true}`}, 403, `{"errors":[{"status":403,"identifier":"email_archive"}]}`},
		{call{admin, "PUT", contoso + "/features", `{"free_beer":true}`}, 422, ``},
		{call{admin, "PUT", contoso + "/features", `{"url_defense":7}`}, 422, ``},

		// Licensing, package, products.
		{call{admin, "GET", contoso + "/licensing", ""}, 200, `{"license_count":10,"package":"advanced_plus","is_on_trial":false,"is_beginner_plus":false}`},
		{call{admin, "PUT", contoso + "/licensing", `{"license_count":12,"package":"advanced_plus"}`}, 204, ``},
		{call{admin, "GET", contoso + "/licensing", ""}, 200, `{"license_count":12}`},
		{call{admin, "PUT", contoso + "/licensing", `{"package":"business"}`}, 422, ``},
		{call{admin, "PUT", contoso + "/licensing", `{"license_count":-1}`}, 422, ``},
		{call{admin, "PUT", contoso + "/package", `{"package":"professional_plus"}`}, 422, `{"errors":[{"error_message":"is_eula_confirmed is required and must be true"}]}`},
		{call{admin, "PUT", contoso + "/package", `{"package":"professional_plus","is_eula_confirmed":true}`}, 204, ``},
		{call{admin, "GET", contoso, ""}, 200, `{"licensing_package":"professional_plus","is_on_trial":true}`},
		{call{admin, "PUT", contoso + "/package", `{"package":"professional_plus","is_eula_confirmed":true,"is_activated":true}`}, 204, ``},
		{call{admin, "GET", contoso, ""}, 200, `{"is_on_trial":false}`},
		{call{admin, "PUT", contoso + "/features", `{"email_archive":true}`}, 204, ``},
		{call{admin, "PUT", contoso + "/package", `{"package":"advanced_plus","is_eula_confirmed":true}`}, 204, ``},
		{call{admin, "GET", contoso + "/features", ""}, 200, `{"url_defense":true}`},
		{call{admin, "PUT", contoso + "/package", `{"package":"gold","is_eula_confirmed":true}`}, 400, ``},
		{call{admin, "GET", contoso + "/products", ""}, 200, `[{"label":"EMAIL_SECURITY","status":"confirmed","purchase_info":{"variant":"advanced_plus"}},{"label":"SECURITY_AWARENESS","status":"available","purchase_info":null}]`},
		{call{admin, "GET", contoso + "/products/security_awareness", ""}, 200, `{"label":"SECURITY_AWARENESS"}`},
		{call{admin, "GET", contoso + "/products/NOTHING", ""}, 404, ``},
		{call{admin, "PATCH", contoso + "/products/SECURITY_AWARENESS", `{"auto_renew":true}`}, 404, ``},
		{call{admin, "POST", contoso + "/products", `{"label":"SECURITY_AWARENESS","variant":"gold"}`}, 422, ``},
		{call{admin, "POST", contoso + "/products", `{"label":"Security_Awareness","variant":"standard","auto_renew":false,"is_trial":true}`}, 201, `{"status":"confirmed","purchase_info":{"is_trial":true}}`},
		{call{admin, "POST", contoso + "/products", `{"label":"Security_Awareness","variant":"standard"}`}, 409, ``},
		{call{admin, "PATCH", contoso + "/products/SECURITY_AWARENESS", `{"auto_renew":true,"is_trial":false}`}, 204, ``},
		{call{admin, "DELETE", contoso + "/products/SECURITY_AWARENESS", ""}, 403, ``},
		{call{partner, "DELETE", contoso + "/products/SECURITY_AWARENESS", ""}, 204, ``},

		// Azure settings.
		{call{admin, "GET", contoso + "/settings/azure", ""}, 200, `{"primary_domain":"","ad_key":"","sync_frequency":0,"default_user_role_name":"end_user","last_successful_sync":null}`},
		{call{admin, "DELETE", contoso + "/settings/azure", ""}, 404, ``},
		{call{admin, "PUT", contoso + "/settings/azure", `{"primary_domain":"contoso.example","application_id":"app-sync"}`}, 422, `{"errors":[{"error_message":"ad_key is required…"}]}`},
		{call{admin, "PUT", contoso + "/settings/azure", `{"primary_domain":"contoso.example","application_id":"app-sync","ad_key":"****"}`}, 422, ``},
		{call{admin, "PUT", contoso + "/settings/azure", `{"primary_domain":"contoso.example","application_id":"app-sync","ad_key":"the value","sync_frequency":2}`}, 400, ``},
		{call{admin, "PUT", contoso + "/settings/azure", `{"primary_domain":"contoso.example","application_id":"app-sync","ad_key":"the value","default_user_role_name":"king"}`}, 400, ``},
		{call{admin, "PUT", contoso + "/settings/azure", `{"primary_domain":"contoso.example","application_id":"app-sync","ad_key":"the value","default_user_role_name":"silent_User","sync_frequency":"1","sync_active_users":"true","add_users":true}`}, 204, ``},
		{call{admin, "GET", contoso + "/settings/azure", ""}, 200, `{"ad_key":"****","default_user_role_name":"silent_user","sync_frequency":1,"sync_active_users":true,"add_users":true,"update_users":false,"secret_expiry":"2027-05-02","last_successful_sync":null}`},
		{call{admin, "PUT", contoso + "/settings/azure", `{"ad_key":"****","update_users":true,"secret_expiry":"2027-05-02"}`}, 204, ``},
		{call{admin, "PUT", contoso + "/settings/azure", `{"ad_key":"","sync_frequency":0}`}, 204, ``},
		{call{admin, "GET", contoso + "/settings/azure", ""}, 200, `{"ad_key":"****","update_users":true,"add_users":true,"sync_frequency":0,"secret_expiry":"2027-05-02"}`},

		// Exemptions.
		{call{admin, "GET", contoso + "/settings/azure/exemptions", ""}, 200, `[]`},
		{call{admin, "PUT", contoso + "/settings/azure/exemptions", `["B@contoso.example","a@contoso.example"]`}, 204, ``},
		{call{admin, "PUT", contoso + "/settings/azure/exemptions", `{"exemptions":["c@contoso.example","a@contoso.example"]}`}, 204, ``},
		{call{admin, "PUT", contoso + "/settings/azure/exemptions", `{"emails":"d@contoso.example, e@contoso.example"}`}, 204, ``},
		{call{admin, "PUT", contoso + "/settings/azure/exemptions", `["nothing"]`}, 422, ``},
		{call{admin, "PUT", contoso + "/settings/azure/exemptions", `[{"email":"a@contoso.example"}]`}, 422, ``},
		{call{admin, "PUT", contoso + "/settings/azure/exemptions", `{}`}, 422, ``},
		{call{admin, "GET", contoso + "/settings/azure/exemptions", ""}, 200, `[{"email":"a@contoso.example"},{"email":"b@contoso.example"},{"email":"c@contoso.example"},{"email":"d@contoso.example"},{"email":"e@contoso.example"}]`},
		{call{admin, "DELETE", contoso + "/settings/azure/exemptions/A%40contoso.example", ""}, 204, ``},
		{call{admin, "DELETE", contoso + "/settings/azure/exemptions/a@contoso.example", ""}, 404, ``},
		{call{admin, "DELETE", contoso + "/settings/azure/exemptions", ""}, 204, ``},
		{call{admin, "GET", contoso + "/settings/azure/exemptions", ""}, 200, `[]`},
		{call{admin, "DELETE", contoso + "/settings/azure", ""}, 204, ``},

		// Sender lists.
		{call{admin, "GET", contoso + "/sender-lists", ""}, 200, `{"allow_list":[],"block_list":[]}`},
		{call{admin, "POST", contoso + "/sender-lists", `{"allow_list":["A@x.example","*@y.example","10.91.*.*","192.0.2.0/24"]}`}, 204, ``},
		{call{admin, "POST", contoso + "/sender-lists", `{"allow_list":["a@x.example"]}`}, 409, ``},
		{call{admin, "POST", contoso + "/sender-lists", `{}`}, 422, ``},
		{call{admin, "POST", contoso + "/sender-lists", `{"allow_list":["a b"]}`}, 422, ``},
		{call{admin, "PATCH", contoso + "/sender-lists", `{"block_list":["bad.example"]}`}, 204, ``},
		{call{admin, "GET", contoso + "/sender-lists", ""}, 200, `{"allow_list":["a@x.example","*@y.example","10.91.*.*","192.0.2.0/24"],"block_list":["bad.example"]}`},
		{call{admin, "GET", contoso, ""}, 200, `{"block_list_senders":["bad.example"],"black_list_senders":["bad.example"]}`},
		{call{admin, "DELETE", contoso + "/sender-lists", `{"allow_list":["nobody"]}`}, 404, ``},
		{call{admin, "DELETE", contoso + "/sender-lists", `{"allow_list":["a@x.example"]}`}, 204, ``},
		{call{admin, "DELETE", contoso + "/sender-lists", ``}, 400, ``},
		{call{admin, "PATCH", contoso + "/users/alice@contoso.example/sender-lists", `{"allow_list":["z@z.example"]}`}, 204, ``},
		{call{admin, "POST", contoso + "/users/alice@contoso.example/sender-lists", `{"block_list":["q@z.example"]}`}, 204, ``},
		{call{admin, "GET", contoso + "/users/alice@contoso.example/sender-lists", ""}, 200, `{"allow_list":["z@z.example"],"block_list":["q@z.example"]}`},
		{call{admin, "DELETE", contoso + "/users/alice@contoso.example/sender-lists", `{"block_list":["q@z.example"]}`}, 204, ``},
		{call{admin, "GET", contoso + "/users/alice@contoso.example", ""}, 200, `{"safe_list_senders":["z@z.example"],"block_list_senders":[]}`},
		{call{admin, "GET", contoso + "/users/nobody@contoso.example/sender-lists", ""}, 404, ``},
		{call{admin, "GET", contoso + "/groups/7/sender-lists", ""}, 200, `{"allow_list":[],"block_list":[]}`},
		{call{admin, "POST", contoso + "/groups/7/sender-lists", `{"allow_list":["g@z.example"]}`}, 204, ``},
		{call{admin, "PATCH", contoso + "/groups/7/sender-lists", `{"block_list":["h@z.example"]}`}, 204, ``},
		{call{admin, "GET", contoso + "/groups/7/sender-lists", ""}, 200, `{"allow_list":["g@z.example"],"block_list":["h@z.example"]}`},
		{call{admin, "DELETE", contoso + "/groups/7/sender-lists", `{"allow_list":["g@z.example"]}`}, 204, ``},

		// Authentication.
		{call{admin, "GET", contoso + "/authentication/settings/mfa", ""}, 200, `{"is_mfa_enabled":false,"mfa_admins_only":false}`},
		{call{admin, "PUT", contoso + "/authentication/settings/mfa", `{"is_mfa_enabled":true}`}, 204, ``},
		{call{admin, "GET", contoso + "/authentication/settings/mfa", ""}, 200, `{"is_mfa_enabled":true,"mfa_admins_only":false}`},
		{call{admin, "GET", contoso + "/authentication/settings/login", ""}, 200, `{"allow_local_login":true,"idp_for_forced_login":null,"allow_azure_login":true,"force_azure_login":false,"idps_valid_for_sso":[]}`},
		{call{admin, "PUT", contoso + "/authentication/settings/login", `{"idp_for_forced_login":"nothing"}`}, 422, ``},
		{call{admin, "GET", contoso + "/authentication/settings/idps", ""}, 200, `[]`},
		{call{admin, "POST", contoso + "/authentication/settings/idps", `{"is_active":true}`}, 422, ``},
		{call{admin, "POST", contoso + "/authentication/settings/idps", `{"name":"Okta","idp_login_url":"javascript:alert(1)"}`}, 422, ``},
		{call{admin, "POST", contoso + "/authentication/settings/idps", `{"name":"Okta","is_active":true,"idp_entity_id":"e","idp_login_url":"https://idp.example/login"}`}, 201, `{"name":"Okta","sp_entity_id":"https://us1.proofpointessentials.com/id"}`},
		{call{admin, "POST", contoso + "/authentication/settings/idps", `{"name":"okta"}`}, 409, ``},
		{call{admin, "GET", contoso + "/authentication/settings/idps/IDP", ""}, 200, `{"name":"Okta"}`},
		{call{admin, "GET", contoso + "/authentication/settings/idps/nothing", ""}, 404, ``},
		{call{admin, "PUT", contoso + "/authentication/settings/idps/IDP", `{"description":"single sign-on"}`}, 204, ``},
		{call{admin, "PUT", contoso + "/authentication/settings/login", `{"idp_for_forced_login":"IDP"}`}, 204, ``},
		{call{admin, "GET", contoso + "/authentication/settings/login", ""}, 200, `{"idp_for_forced_login":"IDP","idps_valid_for_sso":["IDP"]}`},
		{call{admin, "DELETE", contoso + "/authentication/settings/idps/IDP", ""}, 409, ``},
		{call{admin, "PUT", contoso + "/authentication/settings/login", `{"idp_for_forced_login":null}`}, 204, ``},
		{call{admin, "DELETE", contoso + "/authentication/settings/idps/IDP", ""}, 204, ``},

		// Tagging.
		{call{admin, "GET", contoso + "/email-tagging", ""}, 200, `{"email_warning_tags":{"is_enabled":false,"info_tags":{"external_sender":false},"additional_banner_content":{"content":""}},"email_subject_tags":{"is_enabled":false}}`},
		{call{admin, "PUT", contoso + "/email-tagging", `{"email_subject_tags":{"is_enabled":true,"content":"[External]"}}`}, 204, ``},
		{call{admin, "PATCH", contoso + "/email-tagging", `{"email_warning_tags":{"is_enabled":true,"info_tags":{"external_sender":true}}}`}, 204, ``},
		{call{admin, "GET", contoso + "/email-tagging", ""}, 200, `{"email_warning_tags":{"is_enabled":true,"info_tags":{"external_sender":true}},"email_subject_tags":{"is_enabled":true,"content":"[External]"}}`},
		{call{admin, "PUT", contoso + "/email-tagging", `{"email_warning_tags":{"is_enabled":true}}`}, 204, ``},
		{call{admin, "GET", contoso + "/email-tagging", ""}, 200, `{"email_warning_tags":{"info_tags":{"external_sender":false}},"email_subject_tags":{"is_enabled":false}}`},
		{call{admin, "PATCH", contoso + "/email-tagging", `{"email_warning_tags":{"info_tags":{"internal_sender":true}}}`}, 422, `{"errors":[{"error_message":"unknown field internal_sender"}]}`},
		{call{admin, "PATCH", contoso + "/email-tagging", `{"email_warning_tags":true}`}, 422, ``},
		{call{admin, "PATCH", contoso + "/email-tagging", `{}`}, 422, ``},
		{call{admin, "GET", contoso + "/email-tagging/exemptions", ""}, 200, `{"exemptions":[]}`},
		{call{admin, "POST", contoso + "/email-tagging/exemptions", `{"exemptions":["b@x.example","a@x.example"]}`}, 201, ``},
		{call{admin, "DELETE", contoso + "/email-tagging/exemptions", `{"exemptions":["c@x.example"]}`}, 404, ``},
		{call{admin, "DELETE", contoso + "/email-tagging/exemptions", `{"exemptions":["a@x.example"]}`}, 204, ``},
		{call{admin, "DELETE", contoso + "/email-tagging/exemptions", ``}, 400, ``},
		{call{admin, "GET", contoso + "/email-tagging/exemptions", ""}, 200, `{"exemptions":["b@x.example"]}`},

		// Billing, reporting, statistics.
		{call{partner, "GET", "/billing/msp.example", ""}, 200, `[{"eid":1,"data_center":"US1"}]`},
		{call{partner, "GET", "/billing/msp.example/orgs", ""}, 200, `[{"eid":1},{"eid":2,"confirmed_users":12},{"eid":3},{"primary_domain":"two.example"}]`},
		{call{admin, "GET", "/reporting/contoso.example/30d", ""}, 200, `{"period":"30d","frequency":"24hr","inbound":{"clean_total":0},"outbound":{"spam_total":0}}`},
		{call{admin, "GET", "/reporting/contoso.example/1d/inbound", ""}, 200, `{"frequency":"1h","inbound":{"safelist_total":0}}`},
		{call{admin, "GET", "/reporting/contoso.example/1d/sideways", ""}, 400, ``},
		{call{admin, "GET", "/reporting/contoso.example/90y", ""}, 400, ``},
		{call{partner, "GET", "/stats/msp.example/partner", ""}, 200, `{"total":1,"current_page":1,"last_page":1,"next_page_url":null,"data":[{"eid":1,"ib_total":{"count_1d":0}}]}`},
		{call{partner, "GET", "/stats/msp.example/partner/orgs?page=2&page_size=3&period=30d&format=byperiod", ""}, 200, `{"total":4,"last_page":2,"from":4,"to":4,"data":[{"primary":0}]}`},
		{call{partner, "GET", "/stats/msp.example/partner/orgs?page=9&page_size=3", ""}, 200, `{"data":[]}`},
		{call{partner, "GET", "/stats/msp.example/partner?page_size=50001", ""}, 400, ``},
		{call{partner, "GET", "/stats/msp.example/partner?colour=red", ""}, 400, ``},

		// What the API does not have.
		{call{admin, "PUT", contoso, `{}`}, 405, ``},
		{call{admin, "POST", contoso + "/groups", `{}`}, 501, ``},
		{call{admin, "POST", contoso + "/settings/azure/sync", `{}`}, 501, ``},
		{call{admin, "GET", contoso + "/filters", ""}, 501, ``},
		{call{admin, "GET", "/domains/contoso.example", ""}, 501, ``},
	}
	covered := map[string]bool{}
	for _, r := range rows {
		path, _, _ := strings.Cut(r.path, "?")
		if op, _, _ := match(r.method, strings.Split(strings.Trim(path, "/"), "/")); op != nil && r.status < 300 {
			covered[op.method+" "+op.path] = true
		}
		if strings.HasPrefix(r.path, contoso+"/domains/contoso.example/dkim/s2/verify") {
			w.Zones["contoso.example"].TXT["s2._domainkey.contoso.example"] = []string{"v=DKIM1; k=rsa; p=" + public}
		}
		r.path, r.body, r.want = strings.ReplaceAll(r.path, "IDP", forced), strings.ReplaceAll(r.body, "IDP", forced), strings.ReplaceAll(r.want, "IDP", forced)
		if r.path == "/stats/msp.example/partner/orgs?page=2&page_size=3&period=30d&format=byperiod" {
			r.want = strings.ReplaceAll(r.want, `{"primary":0}`, `{"count_30d":{"ib_total":0}}`)
		}
		expect(t, h, r.call, r.status, r.want)
		if forced == "" && len(w.Organization("contoso.example").IdPs) > 0 {
			forced = w.Organization("contoso.example").IdPs[0].ID
		}
	}
	// The verification code is published late, and then found by either method.
	code := w.VerificationCode("contoso.example")
	w.Zones["contoso.example"].TXT["contoso.example"] = append(w.Zones["contoso.example"].TXT["contoso.example"], code)
	expect(t, h, call{admin, "PUT", contoso + "/domains/contoso.example/verify/TXT", ""}, 204, "")
	expect(t, h, call{admin, "PUT", contoso + "/domains/contoso.example/verify/META", ""}, 409, "")
	w.Zones["contoso.example"].Meta = map[string][]string{"www.contoso.example": {code}}
	expect(t, h, call{admin, "PUT", contoso + "/domains/contoso.example/verify/meta", ""}, 204, "")
	covered["PUT /orgs/{d}/domains/{t}/verify/{method}"] = true

	ops := Operations()
	if len(ops) != 77 {
		t.Errorf("%d operations, the vendor has 77", len(ops))
	}
	for _, op := range ops {
		if !op.Implemented {
			t.Errorf("%s %s is not implemented", op.Method, op.Path)
		}
		if !covered[op.Method+" "+op.Path] {
			t.Errorf("%s %s succeeds in no row", op.Method, op.Path)
		}
	}
}

func dkimKeyPair(t *testing.T) (private, public string) {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)})
	return base64.StdEncoding.EncodeToString(text), base64.StdEncoding.EncodeToString(der)
}

func TestStacks(t *testing.T) {
	rows := []struct {
		name, host, prefix, as string
		path                   string
		status                 int
	}{
		{"any host", "127.0.0.1:9443", "", partner, contoso, 200},
		{"right host", "us1.proofpointessentials.com", "", partner, contoso, 200},
		{"right host with port", "us1.proofpointessentials.com:443", "", partner, contoso, 200},
		{"right segment", "127.0.0.1", "/us1", partner, contoso, 200},
		{"the caller lives on another stack", "eu1.proofpointessentials.com", "", partner, contoso, 401},
		{"wrong segment", "127.0.0.1", "/eu1", partner, contoso, 401},
		{"organization on another stack", "eu1.proofpointessentials.com", "", "it@europe.example", contoso, 404},
		{"endpoints from another stack", "eu1.proofpointessentials.com", "", "it@europe.example", "/endpoints/contoso.example", 200},
		{"white label", "stack1.brand.example", "", partner, contoso, 200},
		{"unknown segment", "127.0.0.1", "/us9", partner, contoso, 501},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			req, err := http.NewRequest("GET", "http://"+r.host+r.prefix+"/api/v1"+r.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-User", r.as)
			req.Header.Set("X-Password", "pw")
			req.Header.Set("X-Terms-Update", "true")
			req.Header.Set("X-Correlator", "c-1")
			rec := httptest.NewRecorder()
			New(fixture()).ServeHTTP(rec, req)
			if rec.Code != r.status {
				t.Errorf("status %d, want %d: %s", rec.Code, r.status, rec.Body)
			}
			if rec.Header().Get("X-Correlator") != "c-1" {
				t.Error("X-Correlator is not echoed")
			}
		})
	}
}

func TestAuthentication(t *testing.T) {
	rows := []struct {
		name           string
		user, password string
		change         func(*world.World)
		method         string
		status         int
	}{
		{"right", admin, "pw", nil, "GET", 200},
		{"other case", "IT@Contoso.Example", "pw", nil, "GET", 200},
		{"wrong password", admin, "PW", nil, "GET", 401},
		{"no password", admin, "", nil, "GET", 401},
		{"no user", "", "pw", nil, "GET", 401},
		{"account without password", admin, "", func(w *world.World) { w.Organization("contoso.example").User(admin).Password = "" }, "GET", 401},
		{"inactive", admin, "pw", func(w *world.World) { w.Organization("contoso.example").User(admin).IsActive = false }, "GET", 401},
		{"no administrator", person, "pw", nil, "GET", 403},
		{"reader reads", reader, "pw", nil, "GET", 200},
		{"reader writes", reader, "pw", nil, "PATCH", 403},
		{"MFA does not matter", admin, "pw", func(w *world.World) { w.Organization("contoso.example").MFA.Enabled = true }, "GET", 200},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			w := fixture()
			if r.change != nil {
				r.change(w)
			}
			body := strings.NewReader("")
			if r.method == "PATCH" {
				body = strings.NewReader(`{"is_active":true}`)
			}
			req, err := http.NewRequest(r.method, "http://x/api/v1"+contoso, body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("X-User", r.user)
			req.Header.Set("X-Password", r.password)
			rec := httptest.NewRecorder()
			New(w).ServeHTTP(rec, req)
			if rec.Code != r.status {
				t.Errorf("status %d, want %d: %s", rec.Code, r.status, rec.Body)
			}
			if strings.Contains(rec.Body.String(), "users") && rec.Code == 401 {
				t.Error("a failed login has a users key")
			}
		})
	}
}

func TestJournalNote(t *testing.T) {
	h := New(fixture())
	_, note := do(h, call{partner, "PUT", "/orgs/contoso.onmicrosoft.example/users/alice%40contoso.example", `{"firstname":"A"}`})
	if note.Tenant != "contoso.example" || note.Operation != "PUT /orgs/{d}/users/{user}" || !note.Changing || note.Unimplemented {
		t.Errorf("note of a change: %+v", note)
	}
	_, note = do(h, call{"", "GET", contoso + "/users", ""})
	if note.Tenant != "contoso.example" || note.Operation != "GET /orgs/{d}/users" || note.Changing {
		t.Errorf("note of a refused read: %+v", note)
	}
	_, note = do(h, call{admin, "POST", contoso + "/groups", `{}`})
	if !note.Unimplemented || !note.Changing {
		t.Errorf("note of an unknown path: %+v", note)
	}
}

func TestContentType(t *testing.T) {
	for contentType, status := range map[string]int{
		"application/json": 204, "application/json; charset=utf-8": 204, "text/plain": 415, "": 415, "application/x-www-form-urlencoded": 415,
	} {
		req, err := http.NewRequest("PATCH", "http://x/api/v1"+contoso, strings.NewReader(`{"is_active":true}`))
		if err != nil {
			t.Fatal(err)
		}
		if contentType != "" {
			req.Header.Set("Content-Type", contentType)
		}
		req.Header.Set("X-User", admin)
		req.Header.Set("X-Password", "pw")
		rec := httptest.NewRecorder()
		New(fixture()).ServeHTTP(rec, req)
		if rec.Code != status {
			t.Errorf("%q: status %d, want %d", contentType, rec.Code, status)
		}
	}
}

// TestSwitches shows each open reading beside its opposite.
func TestSwitches(t *testing.T) {
	batch := `[{"primary_email":"n1@contoso.example"},{"primary_email":"n2@contoso.example"}]`
	azure := `{"primary_domain":"contoso.example","application_id":"app-sync","ad_key":"wrong"}`
	rows := []struct {
		name string
		set  func(*world.Switches)
		call
		status  int
		want    string
		offCode int
		off     string
	}{
		{"azure 404", func(s *world.Switches) { s.AzureUnconfigured404 = true }, call{admin, "GET", contoso + "/settings/azure", ""}, 404, "", 200, ""},
		{"azure save connects", func(s *world.Switches) { s.AzureSaveConnects = true }, call{admin, "PUT", contoso + "/settings/azure", azure}, 422, "", 204, ""},
		{"exemptions as object", func(s *world.Switches) { s.ExemptionsAsObject = true }, call{admin, "PUT", contoso + "/settings/azure/exemptions", `["a@x.example"]`}, 400, "", 204, ""},
		{"features as strings", func(s *world.Switches) { s.FeaturesAsStrings = true }, call{admin, "GET", contoso + "/features", ""}, 200, `{"url_defense":"true","dlp":"false","instant_replay":"0"}`, 200, `{"url_defense":true,"instant_replay":0}`},
		{"counts as strings", func(s *world.Switches) { s.CountsAsStrings = true }, call{admin, "GET", contoso, ""}, 200, `{"user_licenses":"10","active_users":"3"}`, 200, `{"user_licenses":10}`},
		{"licences as strings", func(s *world.Switches) { s.CountsAsStrings = true }, call{admin, "GET", contoso + "/licensing", ""}, 200, `{"license_count":"10"}`, 200, `{"license_count":10}`},
		{"bare domains", func(s *world.Switches) { s.BareLists = true }, call{admin, "GET", contoso + "/domains", ""}, 200, `[{},{}]`, 200, `{"domains":[{},{}]}`},
		{"bare orgs", func(s *world.Switches) { s.BareLists = true }, call{partner, "GET", "/orgs/msp.example/orgs", ""}, 200, `[{},{},{}]`, 200, `{"orgs":[{},{},{}]}`},
		{"bare endpoints", func(s *world.Switches) { s.BareLists = true }, call{partner, "GET", "/endpoints/msp.example", ""}, 200, `["https://us1.proofpointessentials.com"]`, 200, `{}`},
		{"without parent", func(s *world.Switches) { s.OrgsWithoutParent = true }, call{partner, "GET", "/orgs/msp.example/orgs", ""}, 200, `{"orgs":[{"eid":2},{"eid":3}]}`, 200, `{"orgs":[{"eid":1},{},{}]}`},
		{"201 for a whole batch", func(s *world.Switches) { s.BatchCreated201 = true }, call{admin, "POST", contoso + "/users", batch}, 201, `{"users":[{},{}]}`, 207, `{"users":[{},{}]}`},
		{"batch limit", func(s *world.Switches) { s.BatchLimit = 1 }, call{admin, "POST", contoso + "/users", batch}, 422, "", 207, ""},
		{"patch is_active only", func(s *world.Switches) { s.PatchOrganizationActiveOnly = true }, call{admin, "PATCH", contoso, `{"name":"N"}`}, 422, "", 204, ""},
		{"alias addresses a user", func(s *world.Switches) { s.UserByAlias = true }, call{admin, "GET", contoso + "/users/al@contoso.example", ""}, 200, `{"primary_email":"alice@contoso.example"}`, 404, ""},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			w := fixture()
			expect(t, New(w), r.call, r.offCode, r.off)
			w = fixture()
			r.set(&w.Switches)
			expect(t, New(w), r.call, r.status, r.want)
		})
	}
}

func TestUserCapping(t *testing.T) {
	post := call{admin, "POST", contoso + "/users", `[{"primary_email":"n1@contoso.example"},{"primary_email":"n2@contoso.example"},{"primary_email":"n3@contoso.example","type":"functional_account"},{"primary_email":"n4@contoso.example","is_active":false}]`}
	w := fixture()
	o := w.Organization("contoso.example")
	o.Licenses = 4 // three are in use
	expect(t, New(w), post, 207, `{"users":[{},{},{},{}]}`)

	w = fixture()
	o = w.Organization("contoso.example")
	o.Licenses, o.UserCapping = 4, true
	h := New(w)
	expect(t, h, post, 207, `{"users":[{"primary_email":"n1@contoso.example"},{"primary_email":"n3@contoso.example"},{"primary_email":"n4@contoso.example"}],"errors":[{"status":422,"identifier":"n2@contoso.example"}]}`)
	expect(t, h, call{admin, "PUT", contoso + "/users/n4@contoso.example", `{"is_active":true}`}, 422, "")
	expect(t, h, call{admin, "PUT", contoso + "/users/n3@contoso.example", `{"type":"end_user"}`}, 422, "")
	expect(t, h, call{admin, "PUT", contoso + "/users/n1@contoso.example", `{"type":"functional_account"}`}, 204, "")
	expect(t, h, call{admin, "PUT", contoso + "/users/n4@contoso.example", `{"is_active":true}`}, 204, "")
}
