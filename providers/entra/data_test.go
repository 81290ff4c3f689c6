package entra

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/internal/jsonstream"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/resourcetest"
	"github.com/weir-project/weir/providers/sim/world"
)

func TestDirectoryData(t *testing.T) {
	w := world.Quickstart()
	tenant := w.Tenant(contoso)
	w.AddGroup(tenant, &world.Group{DisplayName: "Twice", SecurityEnabled: true})
	w.AddGroup(tenant, &world.Group{DisplayName: "Twice", SecurityEnabled: true})
	v := newVendor(t, w)
	data := DataTypes()[0]
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := data.Read(t.Context(), v.conn, cty.EmptyObjectVal); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := data.Read(t.Context(), v.conn, cty.EmptyObjectVal)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Type().Equals(resource.ObjectType(data.Attributes)) {
		t.Errorf("type %#v", got.Type())
	}
	n := 0
	for _, call := range v.calls {
		if call == "GET /v1.0/groups" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("ten references made %d reads", n)
	}
	host := resource.Get(got, "mail_host").AsValueMap()
	if host["contoso.example"].AsString() != "contoso-example.mail.protection.outlook.com" ||
		!slices.Equal(stringsOf(resource.Get(got, "mail_host_inferred")), []string{"contoso.onmicrosoft.example"}) {
		t.Errorf("mail hosts %#v, inferred %#v", host, resource.Get(got, "mail_host_inferred"))
	}
	counts := resource.Get(got, "counts").AsValueMap()
	for kind, want := range map[string]int64{"user": 15, "guest": 0, "contact": 0, "distribution_group": 1, "security_group": 3, "m365_group": 1} {
		if n, _ := counts[kind].AsBigFloat().Int64(); n != want {
			t.Errorf("%s: %d, want %d", kind, n, want)
		}
	}
	groups := resource.Get(got, "groups").AsValueMap()
	if _, twice := groups["Twice"]; twice || len(groups) != 3 || resource.Text(groups["Sales"].GetAttr("address"), "") != "sales@contoso.example" {
		t.Errorf("groups %#v", groups)
	}
	if resource.Text(resource.Get(got, "organization.id"), "") != contoso || resource.Text(resource.Get(got, "default_domain"), "") != "contoso.example" ||
		resource.Text(resource.Get(got, "initial_domain"), "") != "contoso.onmicrosoft.example" {
		t.Errorf("%#v", got)
	}

	// Without permission for the records, all hosts follow from the names; without any permission nothing is known.
	v = newVendor(t, world.Quickstart(), "Directory.Read.All")
	got, err = data.Read(t.Context(), v.conn, cty.EmptyObjectVal)
	if err != nil || len(stringsOf(resource.Get(got, "mail_host_inferred"))) != 2 {
		t.Errorf("%v %#v", err, got)
	}
	for _, fault := range []resourcetest.Fault{resourcetest.ServerError, resourcetest.EmptyBody, resourcetest.Truncated, resourcetest.HTMLPage, resourcetest.Denied} {
		v = newVendor(t, world.Quickstart())
		v.faults.Set(fault)
		if got, err := data.Read(t.Context(), v.conn, cty.EmptyObjectVal); err == nil {
			t.Errorf("%s: %#v", fault, got)
		}
	}
	v = newVendor(t, world.Quickstart())
	v.client.tenant = "11111111-1111-4111-8111-111111111111"
	if _, err := data.Read(t.Context(), v.conn, cty.EmptyObjectVal); err == nil || !strings.Contains(err.Error(), contoso) {
		t.Errorf("another directory answered: %v", err)
	}
}

func FuzzReadPage(f *testing.F) {
	for _, s := range []string{`{"value":[]}`, `{"value":[{"id":"1"}],"@odata.nextLink":"https://x/v1.0/users?a"}`, `{"error":{"code":"x"}}`, `{"value":null}`, `[]`, ``,
		`{"value":[{"id":"1","proxyAddresses":["SMTP:a@b.c"],"accountEnabled":true,"assignedLicenses":[{}]},{"id":2}]}`, `{"value":[],"value":[]}`, `{"value":[]}x`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		_, items, err := readPage[wireUser](jsonstream.New(bytes.NewBuffer(body)), body, nil)
		if err != nil {
			return
		}
		var want struct {
			Error any
			Value []struct{ ID string }
		}
		if err := json.Unmarshal(body, &want); err != nil || want.Error != nil || len(want.Value) != len(items) {
			t.Errorf("%q passes as a page of %d: %v", body, len(items), err)
		}
	})
}

func FuzzErrorBody(f *testing.F) {
	for _, s := range []string{`{"error":{"code":"Request_ResourceNotFound","message":"m"}}`, `{"error":{}}`, `{"error":"text"}`, `{"error":null}`, `{}`, `<html>`, ``} {
		f.Add(404, []byte(s))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		e := &answerError{status: status}
		e.parse(body)
		if e.Error() == "" && e.code == "" && e.message != "" {
			t.Error("no text")
		}
		if e.kind() == resource.ErrAbsent && (status != 404 || e.code == "") {
			t.Errorf("%d %q says that something is absent", status, body)
		}
	})
}

func TestForeignLinks(t *testing.T) {
	v := newVendor(t, world.Quickstart())
	base := v.client.base.String()
	for link, ok := range map[string]bool{
		base + "/users?$skiptoken=x":                                    true,
		"https://evil.example/v1.0/users":                               false,
		strings.Replace(base, "https", "http", 1) + "/users":            false,
		strings.Replace(base, "/v1.0", "", 1) + "/beta/users":           false,
		strings.Replace(base, "https://", "https://a:b@", 1) + "/users": false,
		"%": false,
	} {
		if err := v.client.own(link); (err == nil) != ok {
			t.Errorf("%s: %v", link, err)
		}
	}
	for _, c := range []Config{{}, {BaseURL: "http://graph.microsoft.com/v1.0"}, {BaseURL: "https://graph.microsoft.com/v1.0"}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}
