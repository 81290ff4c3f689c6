package hosted

import (
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
)

func policyValue(members map[string]cty.Value) cty.Value {
	v := map[string]cty.Value{
		"connection": cty.ObjectVal(map[string]cty.Value{
			"primary_domain": cty.StringVal("c.com"),
			"application":    cty.ObjectVal(map[string]cty.Value{"client_id": cty.StringVal("app-1")}),
		}),
		"hosted": cty.ObjectVal(map[string]cty.Value{
			"new_user_role": cty.StringVal("silent_user"), "sync": cty.SetVal([]cty.Value{cty.StringVal("active_users"), cty.StringVal("security_groups")}),
			"add_users": cty.True, "update_users": cty.False, "remove_users": cty.False,
			"add_groups": cty.False, "update_groups": cty.True, "remove_groups": cty.NullVal(cty.Bool), "frequency": cty.StringVal("6h"),
		}),
		"secret_expiry":        cty.StringVal("2027-01-01"),
		"last_successful_sync": cty.StringVal("2026-11-23T06:00:00Z"),
	}
	for name, m := range members {
		v[name] = m
	}
	return cty.ObjectVal(v)
}

func TestDecodeSettings(t *testing.T) {
	got := DecodeSettings(policyValue(nil))
	want := Settings{Configured: true, Role: "silent_user", SyncUsers: true, SyncSecurity: true, AddUsers: true, UpdateGroups: true,
		Frequency: 6 * time.Hour, LastRun: time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)}
	if got != want {
		t.Errorf("got %+v", got)
	}
	pending := cty.ObjectVal(map[string]cty.Value{"application": cty.ObjectVal(map[string]cty.Value{"client_id": cty.UnknownVal(cty.String)})})
	if !DecodeSettings(policyValue(map[string]cty.Value{"connection": pending})).Configured {
		t.Error("an application that is still to be made counts as none")
	}
	for _, v := range []cty.Value{cty.NilVal, cty.NullVal(cty.DynamicPseudoType), policyValue(map[string]cty.Value{"connection": cty.NullVal(cty.DynamicPseudoType)})} {
		if DecodeSettings(v).Configured {
			t.Errorf("%#v counts as configured", v)
		}
	}
}

func TestConnection(t *testing.T) {
	application := func(id string, principal, granted cty.Value, permissions ...string) cty.Value {
		declared := cty.SetValEmpty(cty.String)
		for _, p := range permissions {
			declared = cty.SetVal([]cty.Value{cty.StringVal(p)})
		}
		return cty.ObjectVal(map[string]cty.Value{"client_id": cty.StringVal(id), "service_principal_id": principal, "granted": granted, "permissions": declared})
	}
	yes := cty.SetVal([]cty.Value{cty.StringVal(readAll)})
	none := cty.SetValEmpty(cty.String)
	sp := cty.StringVal("sp")
	good := []cty.Value{application("app-0", sp, none), application("APP-1", sp, yes, readAll)}
	rows := []struct {
		name         string
		set          func(*Connection)
		fails, doubt string
	}{
		{"nothing speaks against it", func(*Connection) {}, "", ""},
		{"R12 the secret ended", func(c *Connection) {
			c.Policy = policyValue(map[string]cty.Value{"secret_expiry": cty.StringVal("2026-11-22")})
		}, "ended on 2026-11-22", ""},
		{"R12 it ends today", func(c *Connection) {
			c.Policy = policyValue(map[string]cty.Value{"secret_expiry": cty.StringVal("2026-11-23")})
		}, "", "ends today"},
		{"R12 it ended and is replaced by the same plan", func(c *Connection) {
			c.Renewed, c.Policy = true, policyValue(map[string]cty.Value{"secret_expiry": cty.StringVal("2026-11-22")})
		}, "", ""},
		{"R11 no end is known", func(c *Connection) {
			c.Policy = policyValue(map[string]cty.Value{"secret_expiry": cty.NullVal(cty.String)})
		}, "", "R11"},
		{"R10 nobody consented", func(c *Connection) { c.Applications = []cty.Value{application("app-1", sp, none, readAll)} }, "no admin consent", ""},
		{"R10 no service principal", func(c *Connection) {
			c.Applications = []cty.Value{application("app-1", cty.NullVal(cty.String), none, readAll)}
		}, "no service principal", ""},
		{"R10 consent is granted by the same plan", func(c *Connection) {
			c.Applications = []cty.Value{application("app-1", cty.UnknownVal(cty.String), cty.UnknownVal(cty.Set(cty.String)), readAll)}
		}, "", ""},
		{"R9 the permission is not declared", func(c *Connection) { c.Applications = []cty.Value{application("app-1", sp, none)} }, "", "does not declare"},
		{"an application of elsewhere", func(c *Connection) { c.Applications = good[:1] }, "", "not registered"},
		{"applications were not read", func(c *Connection) { c.Applications = nil }, "", ""},
		{"R4 an on-premises directory", func(c *Connection) {
			c.Organization = cty.ObjectVal(map[string]cty.Value{"ldap_url": cty.StringVal("ldap://x"), "active": cty.True})
		}, "R4", ""},
		{"the organization is not active", func(c *Connection) { c.Organization = cty.ObjectVal(map[string]cty.Value{"active": cty.False}) }, "not active", ""},
		{"R17 another directory's domain", func(c *Connection) { c.Domains = []string{"d.com"} }, "no verified domain c.com", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := Connection{Policy: policyValue(nil), Applications: good, Domains: []string{"c.com"}, Now: now}
			row.set(&c)
			fails, doubt := c.Check()
			if (fails == "") != (row.fails == "") || !strings.Contains(fails, row.fails) || (doubt == "") != (row.doubt == "") || !strings.Contains(doubt, row.doubt) {
				t.Errorf("fails %q, doubt %q", fails, doubt)
			}
		})
	}
}
