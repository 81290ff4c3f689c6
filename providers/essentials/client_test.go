package essentials

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/internal/jsonstream"
	"github.com/weir-project/weir/providers/resource"
)

func TestTypesRegister(t *testing.T) {
	r := resource.NewRegistry(Types(), nil)
	for _, name := range []string{"tenant", "domain", "sync_policy", "exemption", "account"} {
		if r.Type(name) == nil {
			t.Errorf("no type %s", name)
		}
	}
}

func TestNothingExistsBeforeTheOrganization(t *testing.T) {
	v := newVendor(t, false)
	for _, typ := range Types() {
		all, err := typ.List(context.Background(), v.conn)
		if err != nil || len(all) != 0 {
			t.Errorf("%s: %v, %v", typ.Name, all, err)
		}
	}
	// The twin: with the organization there is something of each type.
	v = newVendor(t, true)
	for _, typ := range Types() {
		all, err := typ.List(context.Background(), v.conn)
		if err != nil || len(all) == 0 {
			t.Errorf("%s: %v, %v", typ.Name, all, err)
		}
	}
}

func TestNew(t *testing.T) {
	for _, row := range []struct {
		cfg  Config
		base string
		err  string
	}{
		{Config{Stack: "us1", User: "u", Password: "p"}, "https://us1.proofpointessentials.com/api/v1", ""},
		{Config{BaseURL: "https://mail.partner.example/", User: "u", Password: "p"}, "https://mail.partner.example/api/v1", ""},
		{Config{BaseURL: "https://mail.partner.example/api/v1", User: "u", Password: "p"}, "https://mail.partner.example/api/v1", ""},
		{Config{BaseURL: "https://127.0.0.1:1/us1", User: "u", Password: "p"}, "https://127.0.0.1:1/us1/api/v1", ""},
		{Config{User: "u", Password: "p"}, "", "stack"},
		{Config{BaseURL: "http://mail.partner.example", User: "u", Password: "p"}, "", "https"},
		{Config{BaseURL: "https://a:b@mail.partner.example", User: "u", Password: "p"}, "", "must not carry"},
		{Config{BaseURL: "nonsense", User: "u", Password: "p"}, "", "no URL"},
		{Config{Stack: "us1", User: "u"}, "", "password"},
		{Config{Stack: "us1", User: "u", Password: "a\nb"}, "", "line breaks"},
	} {
		c, err := New(row.cfg)
		switch {
		case row.err != "":
			if err == nil || !strings.Contains(err.Error(), row.err) {
				t.Errorf("%+v: error %v, want %q", row.cfg, err, row.err)
			}
		case err != nil:
			t.Errorf("%+v: %v", row.cfg, err)
		case c.base.String() != row.base:
			t.Errorf("%+v: base %s, want %s", row.cfg, c.base, row.base)
		}
	}
}

// TestKindsOfFailure answers a read and a change of one domain with whatever a vendor, or what stands before it, may say.
func TestKindsOfFailure(t *testing.T) {
	kinds := map[string]error{"absent": resource.ErrAbsent, "denied": resource.ErrDenied, "conflict": resource.ErrConflict, "invalid": resource.ErrInvalid,
		"throttled": resource.ErrThrottled, "unavailable": resource.ErrUnavailable, "ambiguous": resource.ErrAmbiguous}
	named := func(status int, identifier string) string {
		return fmt.Sprintf(`{"errors":[{"status":%d,"error_message":"no","identifier":%q}]}`, status, identifier)
	}
	for _, row := range []struct {
		name              string
		status            int
		body              string
		organization      int // what GET of the organization answers
		read, write, post string
	}{
		{"about the domain", 404, named(404, "Second.example"), 500, "absent", "absent", "unavailable"},
		{"about nothing, organization there", 404, named(404, ""), 200, "absent", "absent", "absent"},
		{"about the organization, which is there", 404, named(404, "contoso.example"), 200, "absent", "absent", "absent"},
		{"about nothing, organization gone", 404, named(404, ""), 404, "absent", "absent", "absent"},
		{"about nothing, organization unreadable", 404, named(404, ""), 500, "unavailable", "unavailable", "unavailable"},
		{"a proxy's page", 404, "<html>not found</html>", 200, "unavailable", "unavailable", "unavailable"},
		{"an empty 404", 404, "", 200, "unavailable", "unavailable", "unavailable"},
		{"a 404 in another dialect", 404, `{"message":"no such domain"}`, 200, "absent", "absent", "absent"},
		{"400", 400, named(400, ""), 200, "invalid", "invalid", "invalid"},
		{"422", 422, named(422, ""), 200, "invalid", "invalid", "invalid"},
		{"401", 401, `{"error":"bad credentials"}`, 200, "denied", "denied", "denied"},
		{"403", 403, "", 200, "denied", "denied", "denied"},
		{"409", 409, named(409, "second.example"), 200, "conflict", "conflict", "conflict"},
		{"429", 429, "slow down", 200, "throttled", "throttled", "throttled"},
		{"500", 500, "", 200, "unavailable", "unavailable", "ambiguous"},
		{"502", 502, "<html>bad gateway</html>", 200, "unavailable", "unavailable", "ambiguous"},
		{"501", 501, named(501, ""), 200, "unavailable", "unavailable", "unavailable"},
		{"302", 302, "", 200, "unavailable", "unavailable", "unavailable"},
		{"a page with 200", 200, "<html>sign in</html>", 200, "unavailable", "ambiguous", "ambiguous"},
		{"nothing with 200", 200, "", 200, "unavailable", "", ""},
		{"another domain", 200, `{"name":"other.example","is_active":true,"is_relay":true}`, 200, "unavailable", "", ""},
		{"an error with 200", 200, named(404, "second.example"), 200, "unavailable", "invalid", "invalid"},
		{"204 to a read", 204, "", 200, "unavailable", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/api/v1/orgs/contoso.example" {
					w.WriteHeader(row.organization)
					_, _ = fmt.Fprint(w, `{"primary_domain":"contoso.example","errors":[{"status":404,"error_message":"x","identifier":""}]}`)
					return
				}
				if row.status == http.StatusFound {
					w.Header().Set("Location", "https://elsewhere.example/")
				}
				w.WriteHeader(row.status)
				_, _ = fmt.Fprint(w, row.body)
			}))
			defer server.Close()
			c, err := New(Config{BaseURL: server.URL, User: "u@x.example", Password: "secret", HTTP: server.Client()})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.domain(context.Background(), "contoso.example", "second.example")
			check := func(op string, err error, want string) {
				t.Helper()
				if want == "" {
					if err != nil {
						t.Errorf("%s: %v", op, err)
					}
					return
				}
				for name, kind := range kinds {
					// A POST that ended in a server error is both in doubt and unavailable.
					if is := errors.Is(err, kind); is != (name == want) && (want != "ambiguous" || name != "unavailable") {
						t.Errorf("%s: %v: %s is %v, want %s", op, err, name, is, want)
					}
				}
			}
			check("GET", err, row.read)
			check("PUT", c.do(context.Background(), orgCall("update", http.MethodPut, "contoso.example", "domains", "second.example").with(map[string]any{})), row.write)
			if row.post == "unavailable" && row.name == "about the domain" {
				return // a POST is not about one domain
			}
			check("POST", c.do(context.Background(), orgCall("create", http.MethodPost, "contoso.example", "domains").with(map[string]any{})), row.post)
		})
	}
}

func TestPasswordFollowsNoRedirect(t *testing.T) {
	seen := false
	other := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = true }))
	defer other.Close()
	server := httptest.NewTLSServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	c, err := New(Config{BaseURL: server.URL, User: "u@x.example", Password: "secret", HTTP: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.organization(context.Background(), "contoso.example"); err == nil || seen {
		t.Errorf("error %v, the other host was asked: %v", err, seen)
	}
}

func TestDecodeList(t *testing.T) {
	for _, row := range []struct {
		body string
		n    int
		ok   bool
	}{
		{`{"users":[{"a":1},{"a":2}]}`, 2, true},
		{`[{"a":1}]`, 1, true},
		{`{"data":[{"a":1}],"total":1}`, 1, true},
		{`{"total":{"x":[1]},"users":[]}`, 0, true},
		{`[]`, 0, true},
		{``, 0, false},
		{`{}`, 0, false},
		{`null`, 0, false},
		{`"users"`, 0, false},
		{`{"users":null}`, 0, false},
		{`{"users":{"a":1}}`, 0, false},
		{`{"errors":[{"status":401}]}`, 0, false},
		{`{"users":[{"a":1}],"errors":[]}`, 1, true},
		{`{"users":[{"a":1}],"errors":null,"error":"","message":"OK"}`, 1, true},
		{`{"users":[{"a":1}],"errors":[{"status":500,"error_message":"the rest could not be read"}]}`, 1, false},
		{`{"errors":[{"status":500}],"users":[{"a":1}]}`, 0, false},
		{`{"users":[{"a":1}],"error":"time-out"}`, 1, false},
		{`{"users":[{"a":1}],"error_message":"time-out"}`, 1, false},
		{`{"users":[{"a":1}`, 1, false},
		{`{"users":[{"a":1}]`, 1, false},
		{`[{"a":1}`, 1, false},
		{`{"users":[{"a":1}],"users":[]}`, 1, false},
		{`{"users":[]} {"users":[]}`, 0, false},
		{`<html>`, 0, false},
	} {
		n := 0
		err := decodeList(strings.NewReader(row.body), "users", func(r *jsonstream.Reader) error { n++; return r.Skip() })
		if (err == nil) != row.ok || n != row.n {
			t.Errorf("%s: %d elements, %v", row.body, n, err)
		}
	}
}

func TestFlexibleScalars(t *testing.T) {
	type scalars struct {
		B flexBool
		N flexInt
		S flexString
		T flexTime
	}
	for _, row := range []struct {
		body string
		want scalars
		ok   bool
	}{
		{`{"B":true,"N":5,"S":"x","T":"2028-01-31"}`, scalars{flexBool{true, true}, flexInt{true, 5}, "x", flexTime{time.Date(2028, 1, 31, 0, 0, 0, 0, time.UTC)}}, true},
		{`{"B":"True","N":"50","S":7,"T":"2027/03/01"}`, scalars{flexBool{true, true}, flexInt{true, 50}, "7", flexTime{time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)}}, true},
		{`{"B":"0","N":"","S":null,"T":null}`, scalars{flexBool{true, false}, flexInt{}, "", flexTime{}}, true},
		{`{"B":null,"T":"2027-03-01 09:00:04"}`, scalars{T: flexTime{time.Date(2027, 3, 1, 9, 0, 4, 0, time.UTC)}}, true},
		{`{"T":1803805200}`, scalars{T: flexTime{time.Unix(1803805200, 0).UTC()}}, true},
		{`{"T":"never"}`, scalars{}, true},
		{`{"B":"maybe"}`, scalars{}, false},
		{`{"N":1.5}`, scalars{}, false},
		{`{"S":[]}`, scalars{}, false},
		{`{"T":"soon"}`, scalars{}, false},
	} {
		var got scalars
		err := json.Unmarshal([]byte(row.body), &got)
		if (err == nil) != row.ok || row.ok && got != row.want {
			t.Errorf("%s: %+v, %v", row.body, got, err)
		}
	}
}

// FuzzUser compares the reader of lists with encoding/json, by which single accounts are read.
func FuzzUser(f *testing.F) {
	for _, s := range []string{
		`{"uid":5,"primary_email":"A@b","is_active":true,"type":"end_user","firstname":"Å","surname":"\u00e9","alias_emails":["x@b",null],"is_billable":false}`,
		`{"uid":"5","primary_email":7,"is_active":"1","type":true,"firstname":null,"alias_emails":null,"is_billable":""}`,
		`{"uid":null,"is_active":0,"alias_emails":[]}`, `{"uid":1.5}`, `{"alias_emails":"a"}`, `{"type":[]}`, `{"is_active":"maybe"}`, `{"uid":1,"uid":2}`, `null`, `[]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil || strings.ToLower(string(raw)) != string(raw) {
			return // no object, or names that only encoding/json takes for the same
		}
		var want, got wireUser
		wantErr := json.Unmarshal(raw, &want)
		r := jsonstream.New(bytes.NewReader(raw))
		err := errors.Join(got.decode(r), r.End())
		if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v %v, encoding/json %+v %v", raw, got, err, want, wantErr)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"users":[{"primary_email":"a@b","type":"end_user","is_active":"1","uid":"7"}]}`, `[]`, `{"data":[1]}`, `{"name":"x","failovers":[null]}`, "<html>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		_ = decodeList(strings.NewReader(string(body)), "users", func(r *jsonstream.Reader) error {
			raw, err := r.Raw()
			if err != nil {
				return err
			}
			a, err := decodeUser(jsonstream.New(bytes.NewReader(raw)))
			if err == nil && a.Address == "" && !strings.Contains(string(raw), "primary_email") {
				t.Errorf("an account without address from %q", raw)
			}
			return err
		})
		var o wireOrganization
		var d domainRead
		var a wireAzure
		for _, into := range []any{&o, &d, &a} {
			_ = decodeOne(strings.NewReader(string(body)), into)
		}
		if said := parseError(body); strings.ContainsAny(said.message, "\x00\x1b\n") {
			t.Errorf("control bytes in %q", said.message)
		}
		if d.Name != "" {
			_ = domainLive(&d, "")
		}
		_ = syncPolicyLive(&a)
	})
}

func BenchmarkReadUsers(b *testing.B) {
	const n = 200_000
	var body strings.Builder
	body.WriteString(`{"users":[`)
	for i := range n {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"uid":%d,"primary_email":"person%d@contoso.example","is_active":true,"type":"end_user","firstname":"Person","surname":"%d","alias_emails":["p%d@contoso.example"],"safe_list_senders":[],"block_list_senders":[],"white_list_senders":[],"black_list_senders":[],"is_billable":true,"odin_settings":{"can_impersonate":false,"is_imitable":false},"read_only_user":false}`, i+1, i, i, i)
	}
	body.WriteString(`]}`)
	text := body.String()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		count := 0
		err := decodeList(strings.NewReader(text), "users", func(r *jsonstream.Reader) error {
			count++
			_, err := decodeUser(r)
			return err
		})
		if err != nil || count != n {
			b.Fatal(count, err)
		}
	}
}
