package essentials

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/resourcetest"
)

func TestDomainConforms(t *testing.T) {
	for name, raw := range map[string]bool{"over the transport": false, "over plain HTTP": true} {
		t.Run(name, func(t *testing.T) { domainConforms(t, raw) })
	}
}

func domainConforms(t *testing.T, raw bool) {
	typ := domainType()
	s, set := cty.StringVal, stringSet
	resourcetest.Run(t, resourcetest.Harness{
		Type: typ, Foreign: 1,
		Open: func(t testing.TB) *resourcetest.Backend {
			v := newVendorOver(t, true, raw)
			return v.backend(func(path string, value cty.Value) error {
				fields := map[string]any{}
				switch path {
				case "purpose":
					fields["is_relay"] = value.AsString() == "relay"
				case "destination", "failovers":
					fields[path] = native(value)
				case "active":
					fields["is_active"] = native(value)
				default:
					return unknownPath(path)
				}
				return v.portal("domain", "second.example", "set", fields)
			}, func() error { return v.portal("domain", "second.example", "remove", true) })
		},
		Config: block(typ.Attributes, map[string]cty.Value{"name": s("Second.example"), "purpose": s("relay"), "destination": s("mail.second.example"),
			"failovers": set("b.second.example", "a.second.example"), "active": cty.True}),
		Second: block(typ.Attributes, map[string]cty.Value{"name": s("third.example"), "purpose": s("management")}),
		Changes: []resourcetest.Change{
			{Path: "destination", Value: s("other.second.example")},
			{Path: "failovers", Value: set("c.second.example")},
			{Path: "active", Value: cty.False},
			{Path: "purpose", Value: s("management"), Also: map[string]cty.Value{"active": cty.False}},
		},
		Skip: map[string]string{
			"destination:empty": "a relay domain needs one",
			"purpose:unmanaged": "an inactive domain cannot stay active",
		},
	})
}

func TestDomainIsNotReadThroughErrors(t *testing.T) {
	v := newVendor(t, true)
	for _, row := range []struct {
		name, org string
		want      error
	}{
		{"nobody.example", "contoso.example", resource.ErrAbsent},
		{"contoso.example", "contoso.example", nil},
		{"contoso.example", "nowhere.example", resource.ErrAbsent},
	} {
		v.conn.Tenant.PrimaryDomain = row.org
		_, err := domainType().Read(context.Background(), v.conn, resource.ObjectID(row.name))
		if row.want == nil && err != nil || row.want != nil && !errors.Is(err, row.want) {
			t.Errorf("%s of %s: %v, want %v", row.name, row.org, err, row.want)
		}
	}
	v.conn.Tenant.PrimaryDomain = "nowhere.example"
	all, err := domainType().List(context.Background(), v.conn)
	if err != nil || len(all) != 0 {
		t.Errorf("domains of an organization that does not exist: %v, %v", all, err)
	}
}

func TestPrimaryDomainIsAmended(t *testing.T) {
	v := newVendor(t, true)
	typ := domainType()
	planned := block(typ.Attributes, map[string]cty.Value{"name": cty.StringVal("contoso.example"), "purpose": cty.StringVal("relay"),
		"destination": cty.StringVal("contoso-example.mail.protection.outlook.com"), "verify": cty.True})
	live, err := typ.Create(context.Background(), v.conn, &resource.Change{Planned: planned})
	if err != nil {
		t.Fatal(err)
	}
	if resource.Text(live.Value, "destination") != "contoso-example.mail.protection.outlook.com" || !strings.HasPrefix(resource.Text(live.Value, "verification_record"), "ppe-") {
		t.Errorf("live %#v", live.Value)
	}
	if verified, ok := resource.Flag(live.Value, "verified"); !ok || verified {
		t.Errorf("verified without a published record: %v %v", verified, ok)
	}
	if err := v.world.Portal([]byte(`{"zone":"contoso.example","txt":["` + resource.Text(live.Value, "verification_record") + `"]}`)); err != nil {
		t.Fatal(err)
	}
	live, err = typ.Update(context.Background(), v.conn, &resource.Change{ID: live.ID, Planned: planned})
	if err != nil {
		t.Fatal(err)
	}
	if verified, _ := resource.Flag(live.Value, "verified"); !verified {
		t.Error("not verified although the record is published")
	}
	// It cannot be removed; deleting it stops the relaying.
	if err := typ.Delete(context.Background(), v.conn, &resource.Change{ID: live.ID}); err != nil {
		t.Fatal(err)
	}
	if d := v.world.Organization("contoso.example").Domain("contoso.example"); d == nil || d.IsRelay {
		t.Errorf("after the delete: %+v", d)
	}
}

func TestDomainCustomize(t *testing.T) {
	typ := domainType()
	s := cty.StringVal
	none := cty.NullVal(typ.Object())
	live := block(typ.Attributes, map[string]cty.Value{"name": s("a.example"), "purpose": s("relay"), "destination": s("mail.a.example"), "active": cty.True})
	asked := block(typ.Attributes, map[string]cty.Value{"name": s("a.example"), "verified": cty.False, "verification_record": s("ppe-1")})
	for _, row := range []struct {
		name    string
		planned map[string]cty.Value
		live    cty.Value
		prior   cty.Value
		txt     []string
		err     string
		force   bool
		waits   int
	}{
		{"relay without destination", map[string]cty.Value{"purpose": s("relay")}, none, none, nil, "destination", false, 0},
		{"relay with a destination to come", map[string]cty.Value{"purpose": s("relay"), "destination": cty.UnknownVal(cty.String)}, none, none, nil, "", false, 0},
		{"relay with the live destination", map[string]cty.Value{"purpose": s("relay")}, live, none, nil, "", false, 0},
		{"relay with an empty destination", map[string]cty.Value{"purpose": s("relay"), "destination": s("")}, live, none, nil, "destination", false, 0},
		{"active management", map[string]cty.Value{"purpose": s("management"), "active": cty.True}, none, none, nil, "never active", false, 0},
		{"not yet published", map[string]cty.Value{"verify": cty.True}, live, asked, []string{"v=spf1 -all"}, "", false, 1},
		{"published now", map[string]cty.Value{"verify": cty.True}, live, asked, []string{"PPE-1"}, "", true, 0},
		{"published, not to be verified", map[string]cty.Value{"verify": cty.False}, live, asked, []string{"ppe-1"}, "", false, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.planned["name"] = s("a.example")
			req := &resource.PlanRequest{Planned: block(typ.Attributes, row.planned), Live: row.live, Prior: row.prior,
				Mail: resource.MailFacts{"a.example": {TXT: row.txt}}}
			err := typ.Customize(req)
			if row.err == "" && err != nil || row.err != "" && (err == nil || !strings.Contains(err.Error(), row.err)) {
				t.Fatalf("error %v, want %q", err, row.err)
			}
			if req.Force != row.force || len(req.Waits) != row.waits {
				t.Errorf("force %v, waits %q", req.Force, req.Waits)
			}
		})
	}
}

func TestDomainGuard(t *testing.T) {
	typ := domainType()
	s := cty.StringVal
	yes, no := true, false
	relay := block(typ.Attributes, map[string]cty.Value{"name": s("a.example"), "purpose": s("relay"), "active": cty.True})
	management := block(typ.Attributes, map[string]cty.Value{"name": s("a.example"), "purpose": s("management"), "active": cty.False})
	off := resource.With(relay, "active", cty.False)
	none := cty.NullVal(typ.Object())
	for _, row := range []struct {
		name, action  string
		planned, live cty.Value
		mx            *bool
		addresses     int
		held          int
	}{
		{"delete, MX here", "delete", none, relay, &yes, 0, 1},
		{"delete, MX elsewhere", "delete", none, relay, &no, 0, 0},
		{"delete, MX unknown", "delete", none, relay, nil, 0, 1},
		{"delete, addresses", "delete", none, relay, &no, 3, 1},
		{"delete, addresses unknown", "delete", none, relay, &no, -1, 1},
		{"delete management", "delete", none, management, &yes, 0, 0},
		{"stop relaying, MX here", "update", management, relay, &yes, 5, 1},
		{"stop relaying, MX elsewhere", "update", management, relay, &no, 5, 0},
		{"deactivate, MX here", "update", off, relay, &yes, 0, 1},
		{"start relaying", "update", relay, management, &yes, 0, 0},
		{"create", "create", relay, none, &yes, 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := typ.Guard(&resource.GuardRequest{Action: row.action, Planned: row.planned, Live: row.live,
				Mail: resource.MailFacts{"a.example": {MXAtGateway: row.mx}}, AddressesIn: func(string) int { return row.addresses }})
			if len(got) != row.held {
				t.Errorf("held for %q, want %d reasons", got, row.held)
			}
		})
	}
}

// TestShortListOfDomains: an organization has its primary domain, and each domain once. Under a domain that a short list
// lacks, aliases would count as nobody's.
func TestShortListOfDomains(t *testing.T) {
	list := ""
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"domains":[`+list+`]}`)
	}))
	defer server.Close()
	c, err := New(Config{BaseURL: server.URL, User: "u@x.example", Password: "secret", HTTP: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	for names, whole := range map[string]bool{
		"contoso.example":                true,
		"second.example Contoso.Example": true,
		"":                               false,
		"second.example":                 false,
		"contoso.example second.example Second.example": false,
	} {
		var all []string
		for _, name := range strings.Fields(names) {
			all = append(all, `{"name":"`+name+`","is_active":true,"is_relay":false}`)
		}
		list = strings.Join(all, ",")
		if got, err := c.listDomains(t.Context(), "contoso.example"); (err == nil) != whole || err != nil && !errors.Is(err, resource.ErrUnavailable) {
			t.Errorf("%q: %v, %v", names, got, err)
		}
	}
}
