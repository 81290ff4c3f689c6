package essentials

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/internal/jsonstream"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/resourcetest"
)

func TestAccountConforms(t *testing.T) {
	s := cty.StringVal
	fields := map[string]string{"email": "primary_email", "type": "type", "first_name": "firstname", "last_name": "surname", "aliases": "alias_emails",
		"active": "is_active", "billable": "is_billable"}
	resourcetest.Run(t, resourcetest.Harness{
		Type: accountType(), Foreign: 3,
		Open: func(t testing.TB) *resourcetest.Backend {
			v := newVendor(t, true)
			at := "bob@contoso.example"
			return v.backend(func(path string, value cty.Value) error {
				field, ok := fields[path]
				if !ok {
					return unknownPath(path)
				}
				if path == "email" {
					// A rename by hand, as the portal does it.
					return v.portal("user", at, "set", map[string]any{field: native(value)})
				}
				return v.portal("user", at, "set", map[string]any{field: native(value)})
			}, func() error { return v.portal("user", at, "remove", true) })
		},
		Config: block(accountTable, map[string]cty.Value{"email": s("Bob@contoso.example"), "type": s("end_user"), "first_name": s("Bob"), "last_name": s("Brewer"),
			"aliases": stringSet("b@contoso.example", "Brewer@contoso.example"), "active": cty.True, "billable": cty.True}),
		Second: block(accountTable, map[string]cty.Value{"email": s("desk@contoso.example"), "type": s("functional_account")}),
		Changes: []resourcetest.Change{
			{Path: "first_name", Value: s("Robert")},
			{Path: "last_name", Value: s("Baker")},
			{Path: "aliases", Value: stringSet("robert@contoso.example")},
			{Path: "active", Value: cty.False},
			{Path: "billable", Value: cty.False},
			{Path: "type", Value: s("functional_account")},
			{Path: "email", Value: s("robert.brewer@contoso.example")},
		},
	})
}

func TestReadAccounts(t *testing.T) {
	v := newVendor(t, true)
	got, err := ReadAccounts(context.Background(), v.conn)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Proof.Complete || got.Proof.Objects != 3 || got.Proof.Hash == "" || got.Accounts[0].Address != "alice@contoso.example" {
		t.Errorf("%+v", got.Proof)
	}
	for _, fault := range []resourcetest.Fault{resourcetest.Throttled, resourcetest.Denied, resourcetest.ServerError, resourcetest.HTMLPage,
		resourcetest.EmptyBody, resourcetest.Truncated, resourcetest.Unreachable} {
		v.faults.Set(fault)
		got, err := ReadAccounts(context.Background(), v.conn)
		if err == nil || errors.Is(err, resource.ErrAbsent) || got.Proof.Complete || got.Proof.Problem == "" || len(got.Accounts) != 0 {
			t.Errorf("%s: %v %+v", fault, err, got)
		}
	}
	v.faults.Set(resourcetest.None)
	v.conn.Tenant.PrimaryDomain = "nowhere.example"
	if _, err := ReadAccounts(context.Background(), v.conn); !errors.Is(err, resource.ErrAbsent) {
		t.Errorf("no organization: %v", err)
	}
}

func TestIncompleteLists(t *testing.T) {
	a := func(uid int, address string) *directory.Account {
		return &directory.Account{UID: uid, Address: address}
	}
	for _, row := range []struct {
		name     string
		accounts []*directory.Account
		active   flexInt
		want     string
	}{
		{"whole", []*directory.Account{a(1, "a"), a(2, "b")}, flexInt{true, 2}, ""},
		{"no count", []*directory.Account{a(1, "a")}, flexInt{}, ""},
		{"empty", nil, flexInt{true, 0}, "empty"},
		{"cut short", []*directory.Account{a(1, "a")}, flexInt{true, 2}, "2 are active"},
		{"twice", []*directory.Account{a(1, "a"), a(2, "a")}, flexInt{}, "twice"},
		{"one number", []*directory.Account{a(1, "a"), a(1, "b")}, flexInt{}, "one number"},
		{"every type", []*directory.Account{{Address: "a", Type: directory.FunctionalAccount}, {Address: "b", Type: directory.OEMPartner}}, flexInt{}, ""},
		{"a type that is not known", []*directory.Account{{Address: "a", Type: "auditor"}}, flexInt{}, `"auditor"`},
		{"no numbers", []*directory.Account{a(0, "a"), a(0, "b")}, flexInt{}, ""},
	} {
		if got := incomplete(row.accounts, row.active); (got == "") != (row.want == "") || !strings.Contains(got, row.want) {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

func writer(t *testing.T) (*vendor, *Writer) {
	t.Helper()
	v := newVendor(t, true)
	w, err := NewWriter(v.conn)
	if err != nil {
		t.Fatal(err)
	}
	return v, w
}

func person(address string) *directory.Account {
	return &directory.Account{Address: address, Type: directory.EndUser, Active: true, FirstName: "P", Surname: "Q"}
}

func TestAddMatchesByAddress(t *testing.T) {
	v, w := writer(t)
	got := w.Add(context.Background(), []*directory.Account{
		person("New@contoso.example"), person("alice@contoso.example"), person("x@elsewhere.example"), person("other@contoso.example"),
	})
	for i, want := range []error{nil, resource.ErrConflict, resource.ErrInvalid, nil} {
		if (want == nil) != (got[i].Err == nil) || want != nil && !errors.Is(got[i].Err, want) {
			t.Errorf("%d: %v, want %v", i, got[i].Err, want)
		}
		if want == nil && (got[i].Account == nil || got[i].Account.UID == 0) {
			t.Errorf("%d: %+v", i, got[i].Account)
		}
	}
	if v.world.Organization("contoso.example").User("new@contoso.example") == nil {
		t.Error("the account was not made")
	}
}

func TestAddWithALostAnswer(t *testing.T) {
	v, w := writer(t)
	v.faults.Set(resourcetest.LostAnswer)
	for _, r := range w.Add(context.Background(), []*directory.Account{person("a@contoso.example"), person("b@contoso.example")}) {
		if !errors.Is(r.Err, resource.ErrAmbiguous) {
			t.Errorf("%v, want ambiguous", r.Err)
		}
	}
	if v.faults.Changed() != 1 {
		t.Errorf("%d changing calls, want one", v.faults.Changed())
	}
	v.faults.Set(resourcetest.Throttled)
	for _, r := range w.Add(context.Background(), []*directory.Account{person("c@contoso.example"), person("d@contoso.example")}) {
		if !errors.Is(r.Err, resource.ErrThrottled) || errors.Is(r.Err, resource.ErrAmbiguous) {
			t.Errorf("%v, want throttled", r.Err)
		}
	}
}

func TestAddHalvesARefusedList(t *testing.T) {
	v, w := writer(t)
	if err := v.world.Portal([]byte(`{"switches":{"batch_limit":2}}`)); err != nil {
		t.Fatal(err)
	}
	var all []*directory.Account
	for i := range 9 {
		all = append(all, person(fmt.Sprintf("p%d@contoso.example", i)))
	}
	for i, r := range w.Add(context.Background(), all) {
		if r.Err != nil || r.Account.Address != all[i].Address {
			t.Errorf("%d: %+v", i, r)
		}
	}
	if got := w.Add(context.Background(), make([]*directory.Account, maxBatch+1)); !errors.Is(got[0].Err, resource.ErrInvalid) {
		t.Errorf("too many: %v", got[0].Err)
	}
	admin := person("chief@contoso.example")
	admin.Type = directory.OrganizationAdmin
	if got := w.Add(context.Background(), []*directory.Account{admin}); !errors.Is(got[0].Err, resource.ErrDenied) {
		t.Errorf("an administrator: %v", got[0].Err)
	}
}

func TestUpdateSendsWhatDiffers(t *testing.T) {
	v, w := writer(t)
	ctx := context.Background()
	before, err := w.Get(ctx, "Alice@contoso.example")
	if err != nil {
		t.Fatal(err)
	}
	same := *before
	if _, err := w.Update(ctx, before, &same); err != nil || v.faults.Changed() != 0 {
		t.Errorf("nothing to do: %v, %d calls", err, v.faults.Changed())
	}
	after := *before
	after.Address, after.Type, after.Aliases = "alice.archer@contoso.example", directory.FunctionalAccount, []string{"alice@contoso.example"}
	if _, err := w.Update(ctx, before, &after); err != nil {
		t.Fatal(err)
	}
	u := v.world.Organization("contoso.example").User("alice@contoso.example")
	if u == nil || u.PrimaryEmail != "alice.archer@contoso.example" || u.Type != "functional_account" || u.FirstName != "First" {
		t.Errorf("%+v", u)
	}
	chief, err := w.Get(ctx, "it@contoso.example")
	if err != nil {
		t.Fatal(err)
	}
	demoted := *chief
	demoted.Type = directory.EndUser
	if _, err := w.Update(ctx, chief, &demoted); !errors.Is(err, resource.ErrDenied) {
		t.Errorf("demoting an administrator: %v", err)
	}
	if err := w.Delete(ctx, "it@contoso.example"); !errors.Is(err, resource.ErrDenied) {
		t.Errorf("deleting an administrator: %v", err)
	}
}

func TestDeleteSparesTheOwnerOfAnAlias(t *testing.T) {
	v, w := writer(t)
	ctx := context.Background()
	if err := v.world.Portal([]byte(`{"switches":{"user_by_alias":true}}`)); err != nil {
		t.Fatal(err)
	}
	if err := v.portal("user", "alice@contoso.example", "set", map[string]any{"alias_emails": []string{"leaver@contoso.example"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Delete(ctx, "leaver@contoso.example"); err != nil {
		t.Fatal(err)
	}
	if v.world.Organization("contoso.example").User("alice@contoso.example") == nil {
		t.Error("the owner of the alias was deleted")
	}
	if err := w.Delete(ctx, "nobody@contoso.example"); err != nil {
		t.Errorf("already gone: %v", err)
	}
	if err := w.Delete(ctx, "alice@contoso.example"); err != nil || v.world.Organization("contoso.example").User("alice@contoso.example") != nil {
		t.Errorf("delete: %v", err)
	}
	if _, err := w.Get(ctx, "alice@contoso.example"); !errors.Is(err, resource.ErrAbsent) {
		t.Errorf("get: %v", err)
	}
}

func TestParseBatch(t *testing.T) {
	for _, row := range []struct {
		name, body   string
		made, failed int
		err          bool
	}{
		{"both lists", `{"users":[{"primary_email":"A@x.example","type":"end_user","is_active":true,"uid":"7"}],"errors":[{"status":409,"error_message":"taken","identifier":"B@x.example"}]}`, 1, 1, false},
		{"bare", `[{"primary_email":"a@x.example"},{"status":409,"error_message":"taken","identifier":"b@x.example"}]`, 1, 1, false},
		{"single", `{"primary_email":"a@x.example","uid":3}`, 1, 0, false},
		{"wrapped", `[{"status":201,"user":{"primary_email":"a@x.example"}},{"status":409,"errors":[{"status":409,"error_message":"no","identifier":"b@x.example"}]}]`, 1, 1, false},
		{"nothing", ``, 0, 0, false},
		{"nameless error", `{"errors":[{"status":500,"error_message":"oops","identifier":""}]}`, 0, 0, false},
		{"html", `<html>`, 0, 0, true},
		{"cut", `{"users":[{"primary_email":"a@x.ex`, 0, 0, true},
	} {
		made, failed, err := parseBatch([]byte(row.body))
		if len(made) != row.made || len(failed) != row.failed || (err != nil) != row.err {
			t.Errorf("%s: %v %v %v", row.name, made, failed, err)
		}
	}
}

func FuzzParseBatch(f *testing.F) {
	f.Add([]byte(`{"users":[{"primary_email":"a@x.example"}],"errors":[{"status":409,"identifier":"b"}]}`))
	f.Add([]byte(`[{"user":null}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		made, failed, err := parseBatch(body)
		if err == nil && (made == nil || failed == nil) {
			t.Error("no maps and no error")
		}
	})
}

// TestPasswordStaysOutOfErrors plants the password in what the vendor says.
func TestPasswordStaysOutOfErrors(t *testing.T) {
	const password = "hunter2 is the password"
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = fmt.Fprintf(w, `{"errors":[{"status":422,"error_message":"echo %s","identifier":""}]}`, r.Header.Get("X-Password"))
	}))
	defer server.Close()
	c, err := New(Config{BaseURL: server.URL, User: "a@b.example", Password: password, HTTP: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.organization(context.Background(), "contoso.example")
	if err == nil || strings.Contains(err.Error(), password) || !strings.Contains(err.Error(), "echo") {
		t.Errorf("got %v", err)
	}
}

// TestAliasesAsListed: an alias that is listed twice in different spellings, or repeats the primary address, is no further
// address: else each plan would find a difference that no apply can mend.
func TestAliasesAsListed(t *testing.T) {
	a, err := decodeUser(jsonstream.New(strings.NewReader(
		`{"primary_email":"A@x.example","type":"end_user","is_active":true,"alias_emails":["c@x.example","B@x.example","b@X.example"," ","a@x.example"]}`)))
	if err != nil || a.Address != "a@x.example" || !slices.Equal(a.Aliases, []string{"b@x.example", "c@x.example"}) {
		t.Errorf("%v %+v", err, a)
	}
}

// TestErrorsInASuccess: errors in an answer that says success are no success; what names no status is in doubt.
func TestErrorsInASuccess(t *testing.T) {
	for body, want := range map[string]error{
		``:                                nil,
		`{}`:                              nil,
		`{"errors":[]}`:                   nil,
		`{"message":"updated"}`:           nil,
		`{"primary_email":"a@x.example"}`: nil,
		`{"errors":[{"status":422,"error_message":"the domain is not registered","identifier":"a@x.example"}]}`: resource.ErrInvalid,
		`{"errors":[{"status":409,"error_message":"taken"}]}`:                                                   resource.ErrConflict,
		`{"errors":[{"error_message":"something went wrong"}]}`:                                                 resource.ErrAmbiguous,
		`{"error_message":"something went wrong"}`:                                                              resource.ErrAmbiguous,
	} {
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.Method == http.MethodGet {
				_, _ = fmt.Fprint(w, `{"primary_email":"a@x.example","type":"end_user","is_active":true,"uid":7}`)
				return
			}
			_, _ = fmt.Fprint(w, body)
		}))
		c, err := New(Config{BaseURL: server.URL, User: "u@x.example", Password: "secret", HTTP: server.Client()})
		if err != nil {
			t.Fatal(err)
		}
		w, err := NewWriter(&resource.Conn{Tenant: resource.Identity{PrimaryDomain: "x.example"}, Clients: []any{c}})
		if err != nil {
			t.Fatal(err)
		}
		before, after := person("a@x.example"), person("a@x.example")
		after.Active = false
		_, updated := w.Update(t.Context(), before, after)
		for call, err := range map[string]error{"update": updated, "delete": w.Delete(t.Context(), "a@x.example")} {
			if (want == nil) != (err == nil) || want != nil && !errors.Is(err, want) {
				t.Errorf("%s, %s: %v, want %v", body, call, err, want)
			}
		}
		server.Close()
	}
}
