package essentials

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/resourcetest"
)

func tenantBlock(more map[string]cty.Value) cty.Value {
	s := cty.StringVal
	written := map[string]cty.Value{
		"name": s("Contoso Ltd"), "primary_domain": s("Contoso.example"), "parent": s("msp.example"), "package": s("advanced_plus"), "licenses": cty.NumberIntVal(15),
		"purchases": s("allow"), "active": cty.True, "features.url_defense": cty.True, "features.instant_replay": cty.NumberIntVal(30),
		"login.microsoft": s("allowed"), "login.local": cty.True, "mfa.enabled": cty.False, "mfa.admins_only": cty.False,
		"admin.email": s("it@contoso.example"), "admin.first_name": s("Contoso"), "admin.last_name": s("IT"),
	}
	for k, v := range more {
		written[k] = v
	}
	return block(tenantTable, written)
}

func TestTenantConforms(t *testing.T) {
	s := cty.StringVal
	h := resourcetest.Harness{
		Type: tenantType(),
		Open: func(t testing.TB) *resourcetest.Backend {
			v := newVendor(t, false)
			return v.backend(func(path string, value cty.Value) error {
				name, rest, _ := strings.Cut(path, ".")
				switch name {
				case "features":
					return v.portal("features", map[string]any{rest: native(value)})
				case "login":
					fields := map[string]any{"allow_local_login": native(value)}
					if rest == "microsoft" {
						fields = map[string]any{"allow_azure_login": value.AsString() != "disabled", "force_azure_login": value.AsString() == "forced"}
					}
					return v.portal("login", fields)
				case "mfa":
					return v.portal("mfa", map[string]any{map[string]string{"enabled": "is_mfa_enabled", "admins_only": "mfa_admins_only"}[rest]: native(value)})
				}
				field, ok := map[string]string{"name": "name", "package": "licensing_package", "licenses": "user_licenses", "active": "is_active"}[path]
				if !ok {
					return unknownPath(path)
				}
				return v.portal("set", map[string]any{field: native(value)})
			}, nil)
		},
		Config: tenantBlock(nil),
		Changes: []resourcetest.Change{
			{Path: "name", Value: s("Contoso Limited")},
			{Path: "licenses", Value: cty.NumberIntVal(30)},
			{Path: "active", Value: cty.False},
			{Path: "login.microsoft", Value: s("forced")},
			{Path: "login.local", Value: cty.False},
			{Path: "mfa.enabled", Value: cty.True},
			{Path: "mfa.admins_only", Value: cty.True},
			{Path: "package", Value: s("professional_plus")},
			{Path: "features.instant_replay", Value: cty.NumberIntVal(0)},
		},
		Skip: map[string]string{"package:unmanaged": "another package has other features", "name:empty": "required"},
	}
	for _, f := range features {
		switch f.name {
		case "instant_replay":
		case "email_archive":
			h.Skip["features.email_archive"] = "not in the package"
		default:
			on := f.name != "url_defense"
			h.Config = resource.With(h.Config, "features."+f.name, cty.BoolVal(!on))
			h.Changes = append(h.Changes, resourcetest.Change{Path: "features." + f.name, Value: cty.BoolVal(on)})
		}
	}
	resourcetest.Run(t, h)
}

func TestTenantWithoutParentIsNeverMadeOrUnmade(t *testing.T) {
	ctx := context.Background()
	typ := tenantType()
	v := newVendor(t, false)
	v.conn.Tenant.Parent = ""
	if _, err := typ.Create(ctx, v.conn, &resource.Change{Planned: tenantBlock(nil)}); err == nil || !strings.Contains(err.Error(), "parent") {
		t.Errorf("create: %v", err)
	}
	if v.faults.Changed() != 0 {
		t.Error("something was changed")
	}
	v = newVendor(t, true)
	v.conn.Tenant.Parent = ""
	if err := typ.Delete(ctx, v.conn, &resource.Change{ID: "contoso.example"}); !errors.Is(err, resource.ErrDenied) {
		t.Errorf("delete: %v", err)
	}
	off := tenantBlock(map[string]cty.Value{"active": cty.False})
	if _, err := typ.Update(ctx, v.conn, &resource.Change{ID: "contoso.example", Planned: off, Paths: []string{"active"}}); !errors.Is(err, resource.ErrDenied) {
		t.Errorf("deactivate: %v", err)
	}
	if v.faults.Changed() != 0 || v.world.Organization("contoso.example") == nil {
		t.Error("something was changed")
	}
	// The twin, with parent.
	v.conn.Tenant.Parent = "msp.example"
	if err := typ.Delete(ctx, v.conn, &resource.Change{ID: "contoso.example"}); err != nil || v.world.Organization("contoso.example") != nil {
		t.Errorf("delete with parent: %v", err)
	}
}

func TestTenantAnswersToItsPrimaryDomainOnly(t *testing.T) {
	v := newVendor(t, true)
	if err := v.portal("domain", "second.example", "add", map[string]any{"is_relay": false}); err != nil {
		t.Fatal(err)
	}
	v.conn.Tenant.PrimaryDomain = "second.example"
	_, err := tenantType().List(context.Background(), v.conn)
	if !errors.Is(err, resource.ErrConflict) || !strings.Contains(err.Error(), "contoso.example") {
		t.Errorf("list by a secondary domain: %v", err)
	}
	if err := tenantType().Delete(context.Background(), v.conn, &resource.Change{ID: "second.example"}); err == nil || v.world.Organization("contoso.example") == nil {
		t.Errorf("delete by a secondary domain: %v", err)
	}
}

func TestTenantPurchases(t *testing.T) {
	n := func(i int64) cty.Value { return cty.NumberIntVal(i) }
	live := block(tenantTable, map[string]cty.Value{"primary_domain": cty.StringVal("contoso.example"), "licenses": n(20), "package": cty.StringVal("business")})
	for _, row := range []struct {
		purchases string
		live      cty.Value
		licenses  int // 0: not managed, and so neither a change nor drift
		forecast  int
		held      int // on create
	}{
		{"refuse", live, 0, 2, 1},
		{"onboarding", live, 0, 2, 0},
		{"allow", live, 15, 0, 0},
		{"refuse", cty.NullVal(tenantType().Object()), 15, 0, 1},
	} {
		req := &resource.PlanRequest{Planned: tenantBlock(map[string]cty.Value{"purchases": cty.StringVal(row.purchases)}), Live: row.live,
			Prior: cty.NullVal(tenantType().Object()), Tenant: resource.Identity{Stack: "us1"}}
		if err := tenantType().Customize(req); err != nil {
			t.Fatal(err)
		}
		if got, _ := resource.Whole(req.Planned, "licenses"); got != row.licenses || len(req.Forecast) != row.forecast {
			t.Errorf("%s: %d licences planned, forecast %q", row.purchases, got, req.Forecast)
		}
		if ranges, _ := resource.Words(req.Planned, "delivery_ranges"); len(ranges) == 0 || resource.Text(req.Planned, "smart_host") == "" {
			t.Errorf("%s: no vendor data", row.purchases)
		}
		held := tenantType().Guard(&resource.GuardRequest{Action: "create", Planned: req.Planned, Live: cty.NullVal(tenantType().Object())})
		if len(held) != row.held {
			t.Errorf("%s: create held for %q", row.purchases, held)
		}
	}
}

func TestTenantFeatureOutsideThePackage(t *testing.T) {
	v := newVendor(t, true)
	planned := tenantBlock(map[string]cty.Value{"features.email_archive": cty.True})
	_, err := tenantType().Update(context.Background(), v.conn, &resource.Change{ID: "contoso.example", Planned: planned})
	if !errors.Is(err, resource.ErrDenied) || !strings.Contains(err.Error(), "package") || !strings.Contains(err.Error(), "email_archive") {
		t.Errorf("got %v", err)
	}
}

func TestTenantTolerantReading(t *testing.T) {
	v := newVendor(t, true)
	if err := v.world.Portal([]byte(`{"switches":{"features_as_strings":true,"counts_as_strings":true,"bare_lists":true}}`)); err != nil {
		t.Fatal(err)
	}
	all, err := tenantType().List(context.Background(), v.conn)
	if err != nil || len(all) != 1 {
		t.Fatalf("%v %v", all, err)
	}
	if n, _ := resource.Whole(all[0].Value, "licenses"); n != 20 {
		t.Errorf("licences %d", n)
	}
	if on, ok := resource.Flag(all[0].Value, "features.url_defense"); !ok || !on {
		t.Errorf("url_defense %v %v", on, ok)
	}
	if _, ok := resource.Flag(all[0].Value, "features.email_archive"); ok {
		t.Error("a feature outside the package is not null")
	}
	if domains, err := domainType().List(context.Background(), v.conn); err != nil || len(domains) != 1 {
		t.Errorf("%v %v", domains, err)
	}
}
