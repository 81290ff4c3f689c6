package essentials

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/resourcetest"
	sim "github.com/weir-project/weir/providers/sim/essentials"
	"github.com/weir-project/weir/providers/sim/world"
)

var now = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// vendor is a simulated stack with the partner msp.example and, unless left out, the customer contoso.example below it.
type vendor struct {
	world  *world.World
	faults *resourcetest.Faults
	client *Client
	conn   *resource.Conn
}

func newVendor(t testing.TB, customer bool) *vendor {
	t.Helper()
	return newVendorOver(t, customer, false)
}

// newVendorOver leaves Weir's transport out when raw, so that what it makes of faults is not all that is seen.
func newVendorOver(t testing.TB, customer, raw bool) *vendor {
	t.Helper()
	w := &world.World{Format: world.FormatVersion, ID: "test", Clock: now, NextEID: 100, NextUID: 1000, Zones: map[string]*world.Zone{}}
	org := func(eid, parent int, kind, name, domain string, users ...*world.User) *world.Organization {
		return &world.Organization{EID: eid, Parent: parent, Stack: "us1", Type: kind, Name: name, PrimaryDomain: domain, IsActive: true,
			Package: "advanced_plus", Licenses: 20, Renewal: "2027/06/30", Login: world.Login{Local: true, Azure: true},
			Features: map[string]any{"url_defense": true}, SyncedUIDs: map[int]string{}, Users: users,
			Domains: []*world.Domain{{Name: domain, IsActive: true, IsRelay: true, Destination: "mail." + domain, IsVerified: true, Verification: w.VerificationCode(domain)}}}
	}
	user := func(uid int, address, kind string) *world.User {
		return &world.User{UID: uid, PrimaryEmail: address, Type: kind, IsActive: true, IsBillable: true, FirstName: "First", Surname: "Last", Password: "a password of the partner"}
	}
	w.Organizations = append(w.Organizations, org(1, 0, "channel", "MSP Example", "msp.example", user(1, "noc@msp.example", "channel_admin")))
	if customer {
		w.Organizations = append(w.Organizations, org(2, 1, "organization", "Contoso Ltd", "contoso.example",
			user(2, "it@contoso.example", "organization_admin"), user(3, "alice@contoso.example", "end_user"), user(4, "info@contoso.example", "functional_account")))
	}
	w.Reindex()
	server := httptest.NewTLSServer(sim.New(w))
	t.Cleanup(server.Close)
	v := &vendor{world: w, faults: &resourcetest.Faults{Base: server.Client().Transport}}
	httpClient := transport.Client(transport.Options{
		Hosts: []string{strings.TrimPrefix(server.URL, "https://")}, Credential: transport.EssentialsPassword("noc@msp.example", "a password of the partner"),
		Gates: &transport.Gates{}, Base: v.faults, Sleep: func(context.Context, time.Duration) error { return nil },
	})
	if raw {
		httpClient = &http.Client{Transport: v.faults}
	}
	client, err := New(Config{BaseURL: server.URL, Stack: "us1", User: "noc@msp.example", Password: "a password of the partner", HTTP: httpClient})
	if err != nil {
		t.Fatal(err)
	}
	v.client = client
	v.conn = &resource.Conn{
		Tenant:  resource.Identity{Key: "contoso", Name: "Contoso", PrimaryDomain: "contoso.example", Parent: "msp.example", Stack: "us1"},
		Clients: []any{client}, Now: func() time.Time { return now },
	}
	return v
}

// portal makes one edit; parts are the JSON members behind the organization, as pairs of name and value.
func (v *vendor) portal(parts ...any) error {
	edit := map[string]any{"organization": "contoso.example"}
	for i := 0; i+1 < len(parts); i += 2 {
		edit[parts[i].(string)] = parts[i+1]
	}
	raw, err := json.Marshal(edit)
	if err != nil {
		return err
	}
	return v.world.Portal(raw)
}

// backend is the vendor as the conformance suite sees it.
func (v *vendor) backend(edit func(path string, value cty.Value) error, remove func() error) *resourcetest.Backend {
	return &resourcetest.Backend{Conn: v.conn, Edit: edit, Remove: remove, Fault: v.faults.Set, Changed: v.faults.Changed}
}

// block is a value of a table from the members written; nested ones are given by dotted path.
func block(table []resource.Attribute, written map[string]cty.Value) cty.Value {
	v := cty.ObjectVal(resource.Null(table))
	for path, value := range written {
		v = resource.With(v, path, value)
	}
	return v
}

// native is the JSON form of a simple value.
func native(v cty.Value) any {
	switch {
	case v.IsNull():
		return nil
	case v.Type() == cty.Bool:
		return v.True()
	case v.Type() == cty.Number:
		n, _ := v.AsBigFloat().Int64()
		return n
	case v.Type() == cty.String:
		return v.AsString()
	case v.CanIterateElements():
		out := []string{}
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			out = append(out, e.AsString())
		}
		return out
	}
	panic(fmt.Sprintf("no JSON form of %#v", v))
}

func stringSet(s ...string) cty.Value { return resource.StringSet(s) }

// unknownPath is the error of an edit that the portal has no field for.
func unknownPath(path string) error { return fmt.Errorf("the portal has no %s", path) }
