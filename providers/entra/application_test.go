package entra

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/sim/world"
)

// issues keeps what was issued.
type issues struct {
	mu     sync.Mutex
	values map[string]string // key id → value
}

func (s *issues) Resolve(context.Context, *resource.SecretRef) (string, error) {
	return "", errors.New("nothing is resolved here")
}

func (s *issues) Issue(issuer, version, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values == nil {
		s.values = map[string]string{}
	}
	s.values[version] = value
	s.values["issuer"] = issuer
}

// run plans and carries out one block as planner and apply do.
type run struct {
	t       *testing.T
	v       *vendor
	kind    *resource.Type
	config  cty.Value
	prior   cty.Value
	id      resource.ObjectID
	secrets *issues
	last    *resource.PlanRequest
	op      string
}

func newRun(t *testing.T, v *vendor, written map[string]cty.Value) *run {
	written["profile"], written["consent"] = cty.StringVal("directory_sync"), orElse(written["consent"], cty.True)
	kind := appRegistration()
	return &run{t: t, v: v, kind: kind, config: block(written), prior: cty.NullVal(kind.Object()), secrets: &issues{}, op: "op-1"}
}

func orElse(v, otherwise cty.Value) cty.Value {
	if v == cty.NilVal {
		return otherwise
	}
	return v
}

// plan returns the live object, the request after Customize and the paths that differ.
func (r *run) plan(undelivered bool) (resource.Live, bool, []string) {
	r.t.Helper()
	all, err := r.kind.List(r.t.Context(), r.v.conn)
	if err != nil {
		r.t.Fatal(err)
	}
	live, found := resource.Live{}, false
	for _, l := range all {
		if r.id != "" && l.ID == r.id || r.id == "" && r.kind.Match(r.config, l.Value) {
			live, found = l, true
		}
	}
	have := cty.NullVal(r.kind.Object())
	if found {
		have = live.Value
	}
	r.last = &resource.PlanRequest{Config: r.config, Prior: r.prior, Live: have, Planned: r.config, Undelivered: undelivered, Tenant: r.v.conn.Tenant, Now: r.v.world.Now()}
	if err := r.kind.Customize(r.last); err != nil {
		r.t.Fatal(err)
	}
	return live, found, resource.Differences(r.kind.Attributes, r.last.Planned, have)
}

func (r *run) apply(undelivered bool) (resource.Live, error) {
	r.t.Helper()
	live, found, paths := r.plan(undelivered)
	change := &resource.Change{Address: "app_registration.sync", Operation: r.op, Planned: r.last.Planned, Paths: paths, Secrets: r.secrets, Now: r.v.world.Now()}
	var err error
	if found {
		change.ID = live.ID
		live, err = r.kind.Update(r.t.Context(), r.v.conn, change)
	} else {
		live, err = r.kind.Create(r.t.Context(), r.v.conn, change)
	}
	if err == nil {
		r.id, r.prior = live.ID, live.Value
	}
	return live, err
}

func (r *run) mustApply(undelivered bool) resource.Live {
	r.t.Helper()
	live, err := r.apply(undelivered)
	if err != nil {
		r.t.Fatal(err)
	}
	return live
}

func (r *run) retire(keep string) error {
	return r.kind.Retire(r.t.Context(), r.v.conn, &resource.Change{Address: "app_registration.sync", ID: r.id, Keep: map[string]string{"secret_value": keep}, Now: r.v.world.Now()})
}

func (r *run) empty(undelivered bool) bool {
	r.t.Helper()
	_, found, paths := r.plan(undelivered)
	return found && len(paths) == 0 && !r.last.Force
}

func minimal() map[string]cty.Value {
	return map[string]cty.Value{"name": cty.StringVal("Essentials sync")}
}

func key(live resource.Live) string {
	return resource.Text(resource.Get(live.Value, "secret_key_id"), "")
}

func TestCreateFromProfile(t *testing.T) {
	v := newVendor(t, world.Quickstart())
	r := newRun(t, v, minimal())
	live := r.mustApply(false)
	a := v.ours()
	if a == nil || a.SignInAudience != "AzureADMyOrg" || !slices.Equal(a.RedirectURIs, []string{console}) || len(a.Secrets) != 1 ||
		a.Secrets[0].DisplayName != "weir-op-1" || a.Secrets[0].Value != r.secrets.values[key(live)] || r.secrets.values["issuer"] != "app_registration.sync#secret_value" {
		t.Fatalf("application %+v, issued %v", a, r.secrets.values)
	}
	if want := v.world.Now().AddDate(2, 0, 0).Format(time.RFC3339); resource.Text(resource.Get(live.Value, "secret_expires"), "") != want {
		t.Errorf("ends %#v, want %s", resource.Get(live.Value, "secret_expires"), want)
	}
	want := slices.Sorted(slices.Values(profiles["directory_sync"]))
	for _, path := range []string{"permissions", "granted"} {
		if got := stringsOf(resource.Get(live.Value, path)); !slices.Equal(got, want) {
			t.Errorf("%s %q", path, got)
		}
	}
	if !r.empty(false) {
		t.Errorf("not empty: %+v", r.last)
	}
	if s := live.Value.GoString(); strings.Contains(s, a.Secrets[0].Value) {
		t.Error("the live value shows the secret")
	}
}

// TestRotation: what makes a new secret due, beside the same plan without it.
func TestRotation(t *testing.T) {
	tests := []struct {
		name        string
		change      func(v *vendor, a *world.Application)
		undelivered bool
		rotates     bool
	}{
		{"nothing", nil, false, false},
		{"46 days before the end", func(v *vendor, _ *world.Application) { v.world.Clock = v.world.Clock.AddDate(2, 0, -46) }, false, false},
		{"44 days before the end", func(v *vendor, _ *world.Application) { v.world.Clock = v.world.Clock.AddDate(2, 0, -44) }, false, true},
		{"removed by hand", func(_ *vendor, a *world.Application) { a.Secrets = nil }, false, true},
		{"replaced by hand", func(v *vendor, a *world.Application) {
			a.Secrets = []*world.Secret{{KeyID: v.world.NewGUID(), DisplayName: "by hand", Value: "x", Start: v.world.Clock, End: v.world.Clock.AddDate(3, 0, 0)}}
		}, false, true},
		{"undelivered", nil, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := newVendor(t, world.Quickstart())
			r := newRun(t, v, minimal())
			first := key(r.mustApply(false))
			if tt.change != nil {
				v.world.Lock()
				tt.change(v, v.ours())
				v.world.Unlock()
			}
			if r.empty(tt.undelivered) == tt.rotates {
				t.Fatalf("plan: force %v, reasons %q", r.last.Force, r.last.Reasons)
			}
			if !tt.rotates {
				return
			}
			if len(r.last.Reasons) != 1 || resource.Get(r.last.Planned, "secret_value").IsKnown() || resource.Get(r.last.Planned, "secret_expires").IsKnown() {
				t.Errorf("reasons %q, planned %#v", r.last.Reasons, r.last.Planned)
			}
			r.op = "op-2"
			second := key(r.mustApply(tt.undelivered))
			if second == first || second == "" || r.secrets.values[second] == "" {
				t.Fatalf("secret %s after %s", second, first)
			}
			if err := r.retire(second); err != nil {
				t.Fatal(err)
			}
			for _, s := range v.ours().Secrets {
				if strings.HasPrefix(s.DisplayName, "weir-") && s.KeyID != second {
					t.Errorf("%s still stands", s.DisplayName)
				}
			}
			if !r.empty(false) {
				t.Errorf("not empty after rotation: %q", r.last.Reasons)
			}
		})
	}
}

// TestStrays: a secret of ours that a killed run left goes; one of somebody else stays.
func TestStrays(t *testing.T) {
	v := newVendor(t, world.Quickstart())
	r := newRun(t, v, minimal())
	kept := key(r.mustApply(false))
	v.world.Lock()
	a := v.ours()
	a.Secrets = append(a.Secrets, &world.Secret{KeyID: v.world.NewGUID(), DisplayName: "by hand", Value: "x", Start: v.world.Clock, End: v.world.Clock.AddDate(1, 0, 0)})
	v.world.Unlock()
	if !r.empty(false) {
		t.Errorf("a secret of somebody else is planned away: %q", r.last.Reasons)
	}
	v.world.Lock()
	a.Secrets = append(a.Secrets, &world.Secret{KeyID: v.world.NewGUID(), DisplayName: "weir-killed", Value: "y", Start: v.world.Clock.Add(time.Minute), End: v.world.Clock.AddDate(1, 0, 0)})
	v.world.Unlock()
	if r.empty(false) || len(r.last.Reasons) != 1 {
		t.Fatalf("the stray is not seen: %q", r.last.Reasons)
	}
	if got := key(r.mustApply(false)); got != kept {
		t.Errorf("secret %s, was %s", got, kept)
	}
	var names []string
	for _, s := range v.ours().Secrets {
		names = append(names, s.DisplayName)
	}
	if !slices.Equal(names, []string{"weir-op-1", "by hand"}) || len(r.secrets.values) != 2 {
		t.Errorf("secrets %q", names)
	}
	if !r.empty(false) {
		t.Error("not empty after the sweep")
	}
	// Nothing is removed when it is not known what must stay, or when that is not there.
	for _, keep := range []string{"", "11111111-1111-4111-8111-111111111111"} {
		if err := r.retire(keep); err == nil || len(v.ours().Secrets) != 2 {
			t.Errorf("keeping %q: %v, %d secrets", keep, err, len(v.ours().Secrets))
		}
	}
}

// TestAdoption: an application made by hand is recognised by what it does, brought to the profile, and keeps the rest.
func TestAdoption(t *testing.T) {
	made := func(uri string, role bool) (*vendor, *world.Application) {
		w := world.Quickstart()
		v := newVendor(t, w)
		a := &world.Application{ID: w.NewGUID(), AppID: w.NewGUID(), DisplayName: "Old sync", SignInAudience: "AzureADMyOrg", RedirectURIs: []string{uri, "https://other.example"}, Created: w.Clock.AddDate(-1, 0, 0),
			Required: []world.ResourceAccess{{ResourceAppID: world.GraphAppID, Permissions: []world.Permission{{ID: "e1fe6dd8-ba31-4d61-89e7-88639da4683d", Type: "Scope"}}}},
			Secrets:  []*world.Secret{{KeyID: w.NewGUID(), DisplayName: "by hand", Value: "old", Start: w.Clock.AddDate(-1, 0, 0), End: w.Clock.AddDate(1, 0, 0)}}}
		if role {
			a.Required[0].Permissions = append(a.Required[0].Permissions, world.Permission{ID: "7ab1d382-f21e-4acd-a863-ba3e13f7da61", Type: "Role"})
		}
		v.tenant.AddApplication(a)
		return v, a
	}
	tests := []struct {
		name, uri    string
		role, adopts bool
	}{
		{"like the guide", console, true, true},
		{"spelled otherwise", "https://US1.proofpointessentials.com/", true, true},
		{"console of another stack", "https://us3.proofpointessentials.com", true, true},
		{"another redirect URI", "https://proofpointessentials.com.example", true, false},
		{"without the permission", console, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, a := made(tt.uri, tt.role)
			r := newRun(t, v, minimal())
			live := r.mustApply(false)
			if (string(live.ID) == a.ID) != tt.adopts {
				t.Fatalf("applied to %s, made by hand is %s", live.ID, a.ID)
			}
			if !tt.adopts {
				if a.DisplayName != "Old sync" || len(a.Secrets) != 1 {
					t.Errorf("a foreign application was changed: %+v", a)
				}
				return
			}
			if !slices.Contains(a.RedirectURIs, "https://other.example") || a.DisplayName != "Essentials sync" || len(a.Secrets) != 2 {
				t.Errorf("adopted %+v", a)
			}
			if err := r.retire(key(live)); err != nil {
				t.Fatal(err)
			}
			if len(a.Secrets) != 2 || a.Secrets[0].DisplayName != "by hand" {
				t.Errorf("secrets %+v", a.Secrets)
			}
			if !r.empty(false) {
				t.Errorf("not empty after adoption: %+v", r.last)
			}
		})
	}
}

// TestReplicas: applications and principals that show late, and grants that are stored behind a 404.
func TestReplicas(t *testing.T) {
	for _, lag := range []int{0, 1, 3} {
		for _, lands := range []bool{false, true} {
			w := world.Quickstart()
			w.Switches.GraphLag, w.Switches.GrantLandsWith404 = lag, lands
			v := newVendor(t, w)
			r := newRun(t, v, minimal())
			if _, err := r.apply(false); err != nil {
				t.Errorf("lag %d, grants behind 404 %v: %v", lag, lands, err)
				continue
			}
			if n := len(v.tenant.Applications); n != 1 || len(v.ours().Secrets) != 1 {
				t.Errorf("lag %d: %d applications, %d secrets", lag, n, len(v.ours().Secrets))
			}
			for range 8 { // until every replica shows everything
				_, _, _ = r.plan(false)
			}
			if !r.empty(false) {
				t.Errorf("lag %d, grants behind 404 %v: not empty: %+v", lag, lands, r.last)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Run("policy", func(t *testing.T) {
		v := newVendor(t, world.Quickstart())
		v.tenant.SecretsForbidden = true
		_, err := newRun(t, v, minimal()).apply(false)
		var e *resource.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), "app management policy") || !errors.Is(err, resource.ErrAmbiguous) {
			t.Errorf("%v", err)
		}
	})
	t.Run("permission", func(t *testing.T) {
		v := newVendor(t, world.Quickstart(), "Application.ReadWrite.OwnedBy", "Directory.Read.All")
		_, err := newRun(t, v, minimal()).apply(false)
		if !errors.Is(err, resource.ErrDenied) || !strings.Contains(err.Error(), "AppRoleAssignment.ReadWrite.All") {
			t.Errorf("%v", err)
		}
		// Its twin: a block that leaves consent to a person.
		v = newVendor(t, world.Quickstart(), "Application.ReadWrite.OwnedBy", "Directory.Read.All")
		written := minimal()
		written["consent"] = cty.False
		r := newRun(t, v, written)
		if _, err := r.apply(false); err != nil {
			t.Errorf("without consent: %v", err)
		}
		if !r.empty(false) {
			t.Errorf("not empty: %+v", r.last)
		}
	})
	t.Run("older application of the same block", func(t *testing.T) {
		v := newVendor(t, world.Quickstart())
		r := newRun(t, v, minimal())
		r.mustApply(false)
		v.world.Clock = v.world.Clock.Add(2 * time.Hour)
		_, err := r.kind.Create(t.Context(), v.conn, &resource.Change{Address: "app_registration.sync", Operation: "op-9", Planned: r.last.Planned, Secrets: r.secrets, Now: v.world.Now()})
		if !errors.Is(err, resource.ErrConflict) || len(v.tenant.Applications) != 1 {
			t.Errorf("%v", err)
		}
	})
	t.Run("deleted one holds the name", func(t *testing.T) {
		w := world.Quickstart()
		w.Switches.DeletedAppKeepsUniqueName = true
		v := newVendor(t, w)
		r := newRun(t, v, minimal())
		live := r.mustApply(false)
		if err := r.kind.Delete(t.Context(), v.conn, &resource.Change{ID: live.ID, Now: w.Now()}); err != nil {
			t.Fatal(err)
		}
		r.id, r.prior = "", cty.NullVal(r.kind.Object())
		if again := r.mustApply(false); again.ID == live.ID || !r.empty(false) {
			t.Errorf("made again as %s", again.ID)
		}
	})
}

// TestHalfMade: a create that stops after the application was made says so, and the next run finishes it.
func TestHalfMade(t *testing.T) {
	v := newVendor(t, world.Quickstart())
	r := newRun(t, v, minimal())
	seen := 0
	v.faults.Reads = nil
	v.client.sleep = func(context.Context, time.Duration) error { return nil }
	base := v.faults.Base
	v.faults.Base = roundTrip(func(q *request) (*response, error) {
		answer, err := base.RoundTrip(q)
		if strings.HasSuffix(q.URL.Path, "/addPassword") && err == nil {
			seen++
			_ = answer.Body.Close()
			return nil, errors.New("connection reset") // after the secret was issued
		}
		return answer, err
	})
	_, err := r.apply(false)
	if !errors.Is(err, resource.ErrAmbiguous) || seen != 1 || len(v.ours().Secrets) != 1 {
		t.Fatalf("%v, %d calls", err, seen)
	}
	v.faults.Base = base
	r.op = "op-2"
	live := r.mustApply(false)
	if err := r.retire(key(live)); err != nil {
		t.Fatal(err)
	}
	if s := v.ours().Secrets; len(s) != 1 || s[0].KeyID != key(live) || len(v.tenant.Applications) != 1 {
		t.Errorf("secrets %+v", s)
	}
	if !r.empty(false) {
		t.Error("not empty")
	}
}

func TestCustomizeRefuses(t *testing.T) {
	tests := []struct {
		path  string
		value cty.Value
	}{
		{"secret.lifetime", cty.StringVal("30d")}, // shorter than rotate_before
		{"secret.rotate_before", cty.StringVal("3y")},
		{"secret.lifetime", cty.StringVal("2 years")},
		{"permissions", texts("Directory.Read.All")},
		{"permissions", texts("Directory.Write.Everything (application)")},
		{"granted", texts("df021288-bdef-4463-88db-98f22de89214 (delegated)")},
	}
	kind := appRegistration()
	null := cty.NullVal(kind.Object())
	for _, tt := range tests {
		config := block(map[string]cty.Value{"name": cty.StringVal("x"), tt.path: tt.value})
		req := &resource.PlanRequest{Config: config, Planned: config, Live: null, Prior: null, Tenant: resource.Identity{Stack: "us1"}, Now: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)}
		var e *resource.Error
		if err := kind.Customize(req); !errors.As(err, &e) || e.Attribute == "" {
			t.Errorf("%s = %#v: %v", tt.path, tt.value, err)
		}
	}
	config := block(map[string]cty.Value{"name": cty.StringVal("x")})
	for stack, ok := range map[string]bool{"us1": true, "": false} {
		req := &resource.PlanRequest{Config: config, Planned: config, Live: null, Prior: null, Tenant: resource.Identity{Stack: stack}}
		if err := kind.Customize(req); (err == nil) != ok {
			t.Errorf("stack %q: %v", stack, err)
		}
	}
}

func TestPermissionTexts(t *testing.T) {
	tests := []struct{ in, want string }{
		{"Directory.Read.All (application)", "Directory.Read.All (application)"},
		{"7ab1d382-f21e-4acd-a863-ba3e13f7da61 (application)", "Directory.Read.All (application)"},
		{"11111111-1111-4111-8111-111111111111 (application)", "11111111-1111-4111-8111-111111111111 (application)"},
		{"00000002-0000-0FF1-ce00-000000000000/Exchange.ManageAsApp (application)", "00000002-0000-0ff1-ce00-000000000000/Exchange.ManageAsApp (application)"},
		{"User.Read (application)", ""},
		{"Directory.Read.All", ""},
		{"", ""},
	}
	for _, tt := range tests {
		p, err := parsePermission(tt.in)
		if (err != nil) != (tt.want == "") || err == nil && p.String() != tt.want {
			t.Errorf("%q: %q, %v", tt.in, p, err)
		}
	}
	for name, list := range profiles {
		if _, err := parsePermissions(list); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The simulator has a table of its own: both were copied from Microsoft's reference.
	for resource, names := range known {
		for name, i := range names {
			if other := world.Permissions[resource][name]; other.Role != i.role || other.Scope != i.scope {
				t.Errorf("%s: %+v, the simulator has %+v", name, i, other)
			}
		}
	}
}

func FuzzParsePermission(f *testing.F) {
	f.Add("Directory.Read.All (application)")
	f.Add("00000002-0000-0ff1-ce00-000000000000/Exchange.ManageAsApp (application)")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePermission(s)
		if err != nil {
			return
		}
		if again, err := parsePermission(p.String()); err != nil || again != p {
			t.Errorf("%q reads as %q and that as %q (%v)", s, p, again, err)
		}
	})
}
