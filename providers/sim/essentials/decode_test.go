package essentials

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// FuzzRequest sends foreign bytes as the body of every kind of write. Nothing may panic, an answer is JSON or empty, and
// the organization stays consistent.
func FuzzRequest(f *testing.F) {
	targets := []call{
		{admin, "POST", contoso + "/users", ""}, {admin, "PUT", contoso + "/users/alice@contoso.example", ""},
		{admin, "POST", contoso + "/domains", ""}, {admin, "PUT", contoso + "/domains/contoso.example", ""},
		{partner, "POST", "/orgs/msp.example/orgs", ""}, {partner, "PATCH", contoso, ""},
		{admin, "PUT", contoso + "/features", ""}, {admin, "PUT", contoso + "/settings/azure", ""},
		{admin, "PUT", contoso + "/settings/azure/exemptions", ""}, {admin, "PATCH", contoso + "/sender-lists", ""},
		{admin, "PUT", contoso + "/email-tagging", ""}, {admin, "PUT", contoso + "/authentication/settings/login", ""},
		{admin, "POST", contoso + "/authentication/settings/idps", ""}, {admin, "POST", contoso + "/domains/contoso.example/dkim/s", ""},
		{admin, "POST", contoso + "/products", ""}, {admin, "PUT", contoso + "/package", ""},
		{"", "POST", "/_sim/orgs/contoso.example/azure/sync", ""},
	}
	for i, body := range []string{
		`{"primary_email":"n@contoso.example","alias_emails":["m@contoso.example"],"type":"end_user"}`,
		`{"primary_email":"bob@contoso.example","alias_emails":["al@contoso.example"]}`,
		`[{"name":"x.example"},{}]`, `{"is_relay":"1","failovers":null}`,
		`{"primary_domain":"n.example","name":"N","user_licenses":"3","admin_user":{"primary_email":"a@n.example"},"domains":[{"name":"n.example"}]}`,
		`{"is_active":0}`, `{"instant_replay":"30"}`, `{"ad_key":"****","sync_frequency":24}`, `["a@b.example"]`,
		`{"allow_list":["*"]}`, `{"email_subject_tags":{"content":"x"}}`, `{"idp_for_forced_login":null}`, `{"name":"x"}`,
		`{"private_key":"eA=="}`, `{"label":"SECURITY_AWARENESS","variant":"standard"}`, `{"package":"business","is_eula_confirmed":1}`,
		`{"mode":"apply","uncheck":[""]}`,
	} {
		f.Add(uint8(i), []byte(body))
	}
	f.Add(uint8(0), []byte(`[[[[`))
	f.Add(uint8(0), []byte("null"))
	f.Add(uint8(0), []byte("[null]"))
	f.Fuzz(func(t *testing.T, target uint8, body []byte) {
		w, o, _ := syncFixture()
		c := targets[int(target)%len(targets)]
		c.body = string(body)
		rec, _ := do(New(w), c)
		if rec.Code >= http.StatusInternalServerError && rec.Code != http.StatusNotImplemented {
			t.Errorf("status %d: %s", rec.Code, rec.Body)
		}
		if rec.Body.Len() > 0 && !json.Valid(rec.Body.Bytes()) {
			t.Errorf("body is no JSON: %s", rec.Body)
		}
		consistent(t, o)
	})
}

func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"A@Contoso.Example": "a@contoso.example", " a@b.example ": "a@b.example", "a+b'c@b.example": "a+b'c@b.example",
		"a@b": "", "@b.example": "", "a@@b.example": "", "a b@c.example": "", "a@b.example,c@d.example": "", "a": "", "": "",
		"a@-b.example": "", "a@b..example": "", strings.Repeat("x", 250) + "@b.example": "",
	} {
		if got, _, ok := addressOf(in); got != want || ok != (want != "") {
			t.Errorf("addressOf(%q) = %q, %v; want %q", in, got, ok, want)
		}
	}
}

func TestBooleans(t *testing.T) {
	for in, want := range map[string]any{
		`true`: true, `"true"`: true, `"TRUE"`: true, `1`: true, `"1"`: true, `false`: false, `"False"`: false, `0`: false, `"0"`: false,
		`2`: nil, `"yes"`: nil, `""`: nil, `[]`: nil, `{}`: nil,
	} {
		got, ok := parseBool(json.RawMessage(in))
		if (want != nil) != ok || ok && got != want {
			t.Errorf("parseBool(%s) = %v, %v; want %v", in, got, ok, want)
		}
	}
}
