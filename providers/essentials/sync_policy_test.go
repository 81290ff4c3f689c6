package essentials

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/resourcetest"
)

func policyBlock(more map[string]cty.Value) cty.Value {
	s := cty.StringVal
	written := map[string]cty.Value{
		"engine": s("essentials"), "new_user_role": s("end_user"), "sync": stringSet("active_users", "distribution_groups"), "frequency": s("1h"),
		"users.add": cty.True, "users.update": cty.True, "users.remove": cty.True, "groups.add": cty.True, "groups.update": cty.False,
		"connection.application.client_id":    s("11111111-2222-4333-8444-555555555555"),
		"connection.application.secret_value": resource.Secret(&resource.SecretRef{URL: "env://SYNC_SECRET"}),
		"connection.primary_domain":           s("Contoso.example"),
	}
	for k, v := range more {
		written[k] = v
	}
	return block(syncPolicyTable, written)
}

func TestSyncPolicyConforms(t *testing.T) {
	s := cty.StringVal
	for _, unconfigured := range []string{"false", "true"} {
		t.Run("unconfigured is 404 "+unconfigured, func(t *testing.T) {
			resourcetest.Run(t, resourcetest.Harness{
				Type: syncPolicyType(), Foreign: 1,
				Open: func(t testing.TB) *resourcetest.Backend {
					v := newVendor(t, true)
					if err := v.world.Portal([]byte(`{"switches":{"azure_unconfigured_404":` + unconfigured + `}}`)); err != nil {
						t.Fatal(err)
					}
					return v.backend(func(path string, value cty.Value) error {
						name, ok := map[string]string{
							"connection.application.client_id": "application_id", "connection.primary_domain": "primary_domain",
							"hosted.new_user_role": "default_user_role_name", "hosted.add_users": "add_users", "hosted.update_users": "update_users",
							"hosted.remove_users": "remove_deleted_users", "hosted.add_groups": "add_groups", "hosted.update_groups": "update_groups",
						}[path]
						fields := map[string]any{name: native(value)}
						switch path {
						case "hosted.frequency":
							fields = map[string]any{"sync_frequency": frequencies[value.AsString()]}
						case "hosted.sync":
							on := toSet(native(value).([]string))
							fields = map[string]any{"sync_active_users": on["active_users"], "sync_distribution_groups": on["distribution_groups"], "sync_security_groups": on["security_groups"]}
						default:
							if !ok {
								return unknownPath(path)
							}
						}
						return v.portal("azure", fields)
					}, nil)
				},
				Config: policyBlock(nil),
				Changes: []resourcetest.Change{
					{Path: "connection.primary_domain", Value: s("second.example")},
					{Path: "connection.application.client_id", Value: s("99999999-2222-4333-8444-555555555555")},
					{Path: "new_user_role", Shows: "hosted.new_user_role", Value: s("silent_user")},
					{Path: "sync", Shows: "hosted.sync", Value: stringSet("security_groups")},
					{Path: "frequency", Shows: "hosted.frequency", Value: s("24h")},
					{Path: "users.add", Shows: "hosted.add_users", Value: cty.False},
					{Path: "users.update", Shows: "hosted.update_users", Value: cty.False},
					{Path: "groups.add", Shows: "hosted.add_groups", Value: cty.False},
					{Path: "groups.update", Shows: "hosted.update_groups", Value: cty.True},
				},
				Skip: map[string]string{
					"connection.application.client_id:unmanaged": "an application is required", "connection.primary_domain:unmanaged": "required with an application",
					"connection:empty": "both are required",
				},
			})
		})
	}
}

// puts records the bodies of PUT /settings/azure.
type puts struct {
	base   http.RoundTripper
	bodies []map[string]any
}

func (p *puts) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		var body map[string]any
		if err := json.Unmarshal(raw, &body); err != nil {
			return nil, err
		}
		p.bodies = append(p.bodies, body)
		r.Body = io.NopCloser(strings.NewReader(string(raw)))
	}
	return p.base.RoundTrip(r)
}

type oneSecret string

func (s oneSecret) Resolve(context.Context, *resource.SecretRef) (string, error) {
	return string(s), nil
}
func (oneSecret) Issue(string, string, string) {}

func TestScheduleStopsFirstAndStartsLast(t *testing.T) {
	ctx := context.Background()
	typ := syncPolicyType()
	v := newVendor(t, true)
	p := &puts{base: v.faults.Base}
	v.faults.Base = p
	apply := func(config cty.Value, paths ...string) {
		t.Helper()
		live, err := typ.List(ctx, v.conn)
		if err != nil {
			t.Fatal(err)
		}
		req := &resource.PlanRequest{Planned: config, Live: live[0].Value, Prior: cty.NullVal(typ.Object()), Tenant: v.conn.Tenant}
		if err := typ.Customize(req); err != nil {
			t.Fatal(err)
		}
		p.bodies = nil
		if _, err := typ.Update(ctx, v.conn, &resource.Change{ID: azureID, Planned: req.Planned, Paths: paths, Secrets: oneSecret("the value")}); err != nil {
			t.Fatal(err)
		}
	}
	frequencies := func() (out []float64) {
		for _, b := range p.bodies {
			out = append(out, b["sync_frequency"].(float64))
		}
		return out
	}
	apply(policyBlock(nil), "connection.application.secret_value")
	if want := []float64{0, 1}; !reflect.DeepEqual(frequencies(), want) {
		t.Errorf("the first time: frequencies %v, want %v", frequencies(), want)
	}
	if p.bodies[0]["ad_key"] != "the value" || p.bodies[1]["ad_key"] != nil || p.bodies[0]["remove_deleted_users"] != false {
		t.Errorf("bodies %v", p.bodies)
	}
	apply(policyBlock(nil))
	if len(p.bodies) != 0 {
		t.Errorf("again: %v", p.bodies)
	}
	apply(policyBlock(map[string]cty.Value{"frequency": cty.StringVal("3h")}))
	if want := []float64{3}; !reflect.DeepEqual(frequencies(), want) || p.bodies[0]["ad_key"] != nil {
		t.Errorf("another frequency: %v", p.bodies)
	}
	apply(policyBlock(map[string]cty.Value{"engine": cty.StringVal("weir"), "frequency": cty.NullVal(cty.String), "new_user_role": cty.StringVal("silent_user")}))
	if want := []float64{0, 0}; !reflect.DeepEqual(frequencies(), want) || p.bodies[0]["default_user_role_name"] != "end_user" || p.bodies[1]["default_user_role_name"] != "silent_user" {
		t.Errorf("to engine weir: %v", p.bodies)
	}
	if a := v.world.Organization("contoso.example").Azure; a.ADKey != "the value" || a.Frequency != 0 {
		t.Errorf("%+v", a)
	}
	apply(policyBlock(nil))
	if want := []float64{0, 1}; !reflect.DeepEqual(frequencies(), want) {
		t.Errorf("back to the hosted engine: frequencies %v, want %v", frequencies(), want)
	}
}

func TestSyncPolicyCustomize(t *testing.T) {
	typ := syncPolicyType()
	s, null := cty.StringVal, cty.NullVal(cty.String)
	bare := map[string]cty.Value{"connection": cty.NullVal(resource.Find(syncPolicyTable, "connection").ValueType())}
	with := func(base map[string]cty.Value, more ...any) map[string]cty.Value {
		out := map[string]cty.Value{}
		for k, v := range base {
			out[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			out[more[i].(string)] = more[i+1].(cty.Value)
		}
		return out
	}
	none := cty.NullVal(typ.Object())
	unconfigured := syncPolicyLive(&wireAzure{}).Value
	running := syncPolicyLive(&wireAzure{ApplicationID: "x", PrimaryDomain: "contoso.example", Frequency: flexInt{true, 1}, RemoveUsers: flexBool{true, true}}).Value
	predicate := directory.PredicateValue(isX{})
	for _, row := range []struct {
		name    string
		written map[string]cty.Value
		live    cty.Value
		hosted  string // frequency, "" is not managed
		paths   int
		reasons int
		err     string
	}{
		{"essentials, new", nil, unconfigured, "1h", 8, 1, ""},
		{"essentials, organization to come", nil, none, "1h", 11, 1, ""},
		{"essentials without connection", bare, unconfigured, "", 0, 0, "R17"},
		{"essentials without connection, configured", bare, running, "1h", -1, 1, ""},
		{"essentials with include", map[string]cty.Value{"include": predicate}, running, "", 0, 0, "include"},
		{"weir, nothing hosted", with(bare, "engine", s("weir"), "frequency", null), unconfigured, "", 0, 0, ""},
		{"weir stops what runs", with(bare, "engine", s("weir"), "frequency", null), running, "never", -1, 2, ""},
		{"weir with a frequency", map[string]cty.Value{"engine": s("weir")}, running, "", 0, 0, "never runs"},
		{"weir that suspends", map[string]cty.Value{"engine": s("weir"), "frequency": null, "on_risk": s("suspend")}, running, "", 0, 0, "suspended"},
		{"none", map[string]cty.Value{"engine": s("none"), "frequency": null}, running, "", -1, 0, ""},
		{"half a connection", map[string]cty.Value{"connection.primary_domain": null}, unconfigured, "", 0, 0, "R17"},
	} {
		t.Run(row.name, func(t *testing.T) {
			written := row.written
			conn, drop := written["connection"]
			config := policyBlock(nil)
			if drop {
				config = resource.With(config, "connection", conn)
			}
			for k, v := range written {
				if k != "connection" {
					config = resource.With(config, k, v)
				}
			}
			req := &resource.PlanRequest{Planned: config, Live: row.live, Prior: none}
			err := typ.Customize(req)
			if row.err != "" {
				if err == nil || !strings.Contains(err.Error(), row.err) {
					t.Fatalf("error %v, want %q", err, row.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := resource.Text(req.Planned, "hosted.frequency"); got != row.hosted {
				t.Errorf("hosted frequency %q, want %q", got, row.hosted)
			}
			if remove, ok := resource.Flag(req.Planned, "hosted.remove_users"); row.hosted != "" && (!ok || remove) {
				t.Error("the hosted sync may remove users")
			}
			if paths := resource.Differences(syncPolicyTable, req.Planned, row.live); row.paths >= 0 && len(paths) != row.paths {
				t.Errorf("paths %q, want %d", paths, row.paths)
			}
			if len(req.Reasons) != row.reasons {
				t.Errorf("reasons %q", req.Reasons)
			}
		})
	}
}

// A connection that is made says what the block leaves out as the reference does, so that the first run brings people over;
// one that exists keeps what it has.
func TestHostedDefaults(t *testing.T) {
	typ := syncPolicyType()
	connected := func() cty.Value {
		live := resource.Null(syncPolicyTable)
		live["connection"] = resource.Get(policyBlock(nil), "connection")
		return cty.ObjectVal(live)
	}
	tests := []struct {
		name, engine string
		live         cty.Value
		written      map[string]cty.Value
		add, groups  string
		kinds        int
	}{
		{"made", "essentials", cty.NullVal(typ.Object()), nil, "true", "true", 3},
		{"made, one switch written", "essentials", cty.NullVal(typ.Object()), map[string]cty.Value{"users.add": cty.False}, "false", "true", 3},
		{"exists", "essentials", connected(), nil, "null", "null", 0},
		{"engine weir", "weir", cty.NullVal(typ.Object()), nil, "null", "null", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			written := map[string]cty.Value{
				"engine": cty.StringVal(tt.engine), "connection.application.client_id": cty.StringVal("11111111-2222-4333-8444-555555555555"),
				"connection.application.secret_value": resource.Secret(&resource.SecretRef{URL: "env://SYNC_SECRET"}),
				"connection.primary_domain":           cty.StringVal("contoso.example"),
			}
			for k, v := range tt.written {
				written[k] = v
			}
			req := &resource.PlanRequest{Planned: block(syncPolicyTable, written), Live: tt.live, Prior: cty.NullVal(typ.Object())}
			if err := typ.Customize(req); err != nil {
				t.Fatal(err)
			}
			shown := func(name string) string {
				if v := resource.Get(req.Planned, "hosted."+name); !v.IsNull() {
					return strconv.FormatBool(v.True())
				}
				return "null"
			}
			if got := shown("add_users"); got != tt.add {
				t.Errorf("add_users %s, want %s", got, tt.add)
			}
			if got := shown("update_groups"); got != tt.groups {
				t.Errorf("update_groups %s, want %s", got, tt.groups)
			}
			if v := resource.Get(req.Planned, "hosted.sync"); tt.kinds == 0 && !v.IsNull() || tt.kinds > 0 && v.LengthInt() != tt.kinds {
				t.Errorf("sync %#v", v)
			}
			if v := resource.Get(req.Planned, "hosted.remove_users"); !v.False() {
				t.Error("the hosted sync would remove users")
			}
		})
	}
}
