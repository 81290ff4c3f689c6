package exchange

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/sim/world"
)

func TestNew(t *testing.T) {
	for _, row := range []struct{ base, tenant, err string }{
		{"", tenantID, ""},
		{"https://outlook.office365.us/", strings.ToUpper(tenantID), ""},
		{"http://outlook.office365.com", tenantID, "https"},
		{"https://user@outlook.office365.com", tenantID, "https"},
		{"https://outlook.office365.com/adminapi", tenantID, "https"},
		{"", "contoso.example", "GUID"},
		{"", "", "GUID"},
	} {
		_, err := New(Config{BaseURL: row.base, TenantID: row.tenant, HTTP: http.DefaultClient})
		if row.err == "" && err != nil || row.err != "" && (err == nil || !strings.Contains(err.Error(), row.err)) {
			t.Errorf("%q %q: %v, want %q", row.base, row.tenant, err, row.err)
		}
	}
	if _, err := New(Config{TenantID: tenantID}); err == nil {
		t.Error("a client without credential was made")
	}
}

func TestRequest(t *testing.T) {
	s := newService(t, scanner)
	if _, err := listConnectors(context.Background(), s.conn); err != nil {
		t.Fatal(err)
	}
	if _, err := listRules(context.Background(), s.conn); err != nil {
		t.Fatal(err)
	}
	if len(s.sent) != 4 {
		t.Errorf("%d requests, want one for inbound connectors, two for outbound ones, one for rules", len(s.sent))
	}
	for _, q := range s.sent {
		if q.parameters["ResultSize"] != "Unlimited" || q.parameters["Identity"] != nil {
			t.Errorf("%s: parameters %v", q.cmdlet, q.parameters)
		}
		for name, want := range map[string]string{
			"X-CmdletName": q.cmdlet, "Accept-Language": "en-US", "Prefer": "odata.maxpagesize=1000",
			"X-AnchorMailbox": "APP:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@" + tenantID,
		} {
			if got := q.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", q.cmdlet, name, got, want)
			}
		}
	}
}

// TestRegion: the front door redirects, and method, body and pages survive it.
func TestRegion(t *testing.T) {
	for _, region := range []string{"", "nam12"} {
		s := newService(t, scanner, crowd(1500), func(w *world.World, _ *world.Tenant) { w.Switches.ExchangeRegion = region })
		made := s.apply(connectorType(), inboundBlock(nil))
		if made.Name != "Inbound Connector for Proofpoint Essentials" {
			t.Errorf("region %q: made %q", region, made.Name)
		}
		kinds, _, err := s.client.Recipients(context.Background())
		if err != nil || len(kinds) != 1500 {
			t.Errorf("region %q: %d mailboxes, %v", region, len(kinds), err)
		}
	}
}

// TestRefusalWithoutReason: the 403 of a client without role is a run of NUL bytes that claims to be gzip.
func TestRefusalWithoutReason(t *testing.T) {
	s := newService(t, scanner)
	roots := x509.NewCertPool()
	roots.AddCert(s.server.Certificate())
	s.connect(transport.Options{RootCAs: roots}, s.server.URL)
	_, err := listConnectors(context.Background(), s.conn)
	if !errors.Is(err, resource.ErrDenied) || !strings.Contains(err.Error(), "Exchange Administrator") || strings.Contains(err.Error(), "\x00") {
		t.Errorf("without role: %v", err)
	}
	var e *resource.Error
	if !errors.As(err, &e) || e.Status != http.StatusForbidden || e.Request == "" {
		t.Errorf("without role: %#v", e)
	}
	s.connect(transport.Options{RootCAs: roots}, s.server.URL, admin)
	if all, err := listConnectors(context.Background(), s.conn); err != nil || len(all) != 1 {
		t.Errorf("with the role: %v, %v", all, err)
	}
}

func respond(status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
}

const connectorRow = `{"Guid":"aaaaaaaa-0000-4000-8000-000000000001","Name":"A","Enabled":true,"SenderDomains":["smtp:*;1"],"SenderIPAddresses":[],"RestrictDomainsToIPAddresses":false,"RequireTls":true}`

// TestOddAnswers: whatever is not a whole answer is unknown, never an empty list; for a change its outcome is.
func TestOddAnswers(t *testing.T) {
	const other = `"https://evil.example/adminapi/beta/` + tenantID + `/InvokeCommand?%24skiptoken=x"`
	for name, row := range map[string]struct {
		body string
		good bool
	}{
		"good":                      {`{"value":[` + connectorRow + `]}`, true},
		"none":                      {`{"value":[]}`, true},
		"annotations":               {`{"value":[{"Guid@data.type":"System.Guid",` + connectorRow[1:] + `],"@adminapi.warnings":["something else"]}`, true},
		"nothing":                   {``, false},
		"a page of HTML":            {`<!DOCTYPE html><html></html>`, false},
		"no list":                   {`{"@odata.context":"x"}`, false},
		"null list":                 {`{"value":null}`, false},
		"object for list":           {`{"value":{}}`, false},
		"a bare array":              {`[]`, false},
		"cut short":                 {`{"value":[` + connectorRow, false},
		"more behind it":            {`{"value":[]}{"value":[]}`, false},
		"error with success":        {`{"error":{"code":"X","message":"broken"},"value":[]}`, false},
		"errors beside the list":    {`{"value":[],"@adminapi.errors":["broken"]}`, false},
		"null object":               {`{"value":[null]}`, false},
		"object without Guid":       {`{"value":[` + strings.Replace(connectorRow, "Guid", "Gu1d", 1) + `]}`, false},
		"object with a null Name":   {`{"value":[` + strings.Replace(connectorRow, `"A"`, "null", 1) + `]}`, false},
		"object without a list":     {`{"value":[` + strings.Replace(connectorRow, "SenderDomains", "SenderDomain", 1) + `]}`, false},
		"number for a list":         {`{"value":[` + strings.Replace(connectorRow, `["smtp:*;1"]`, "7", 1) + `]}`, false},
		"text for a boolean":        {`{"value":[` + strings.Replace(connectorRow, `"Enabled":true`, `"Enabled":"perhaps"`, 1) + `]}`, false},
		"one object twice":          {`{"value":[` + connectorRow + `,` + connectorRow + `]}`, false},
		"cut off at 1000":           {`{"value":[` + connectorRow + `],"@adminapi.warnings":["There are more results available than are currently displayed. To view them, increase the value for the ResultSize parameter."]}`, false},
		"next page elsewhere":       {`{"value":[],"@odata.nextLink":` + other + `}`, false},
		"next page of another kind": {`{"value":[],"@odata.nextLink":"https://HOST/adminapi/beta/other/InvokeCommand"}`, false},
		"next page without TLS":     {`{"value":[],"@odata.nextLink":"http://HOST/adminapi/beta/` + tenantID + `/InvokeCommand"}`, false},
		"pages without end":         {`{"value":[],"@odata.nextLink":"https://HOST/adminapi/beta/` + tenantID + `/InvokeCommand?%24skiptoken=1"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.intercept = func(string) *http.Response {
				return respond(200, nil, strings.ReplaceAll(row.body, "HOST", strings.TrimPrefix(s.server.URL, "https://")))
			}
			_, err := s.client.connectors(context.Background(), inbound)
			if row.good {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, resource.ErrUnavailable) || errors.Is(err, resource.ErrAbsent) {
				t.Errorf("read: %v, want it to be unknown", err)
			}
		})
	}
	for name, body := range map[string]string{"nothing": "", "HTML": "<html></html>", "no list": "{}", "error with success": `{"error":{"message":"broken"}}`} {
		s := newService(t)
		s.intercept = func(cmdlet string) *http.Response {
			if strings.HasPrefix(cmdlet, "Get-") {
				return nil
			}
			return respond(200, nil, body)
		}
		err := deleteConnector(context.Background(), s.conn, &resource.Change{ID: "inbound:aaaaaaaa-0000-4000-8000-000000000001"})
		if !errors.Is(err, resource.ErrAmbiguous) {
			t.Errorf("change answered with %s: %v", name, err)
		}
	}
	s := newService(t)
	s.intercept = func(string) *http.Response { return respond(204, nil, "") }
	if err := deleteConnector(context.Background(), s.conn, &resource.Change{ID: "inbound:aaaaaaaa-0000-4000-8000-000000000001"}); err != nil {
		t.Errorf("change answered with 204: %v", err)
	}
	if _, err := listRules(context.Background(), s.conn); err == nil {
		t.Error("a list answered with 204 counts as empty")
	}
}

func TestFailures(t *testing.T) {
	inner := func(kind, message string) string {
		raw, _ := json.Marshal(map[string]any{"error": map[string]any{"code": "X", "message": "Error executing cmdlet",
			"innererror": map[string]any{"internalexception": map[string]any{"type": kind, "message": message}}}})
		return string(raw)
	}
	const (
		notFound = "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException"
		exists   = "Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException"
	)
	for _, row := range []struct {
		name         string
		status       int
		body         string
		read, change error
		text         string
	}{
		{"denied", 401, "", resource.ErrDenied, resource.ErrDenied, "Exchange.ManageAsApp"},
		{"no role", 403, strings.Repeat("\x00", 100), resource.ErrDenied, resource.ErrDenied, "Exchange Administrator"},
		{"not found", 404, inner(notFound, "object 'x' couldn't be found"), resource.ErrUnavailable, resource.ErrAbsent, "couldn't be found"},
		{"a proxy's 404", 404, "<html>no such page</html>", resource.ErrUnavailable, resource.ErrAmbiguous, ""},
		{"exists", 400, inner(exists, "The name is taken."), resource.ErrInvalid, resource.ErrConflict, "taken"},
		{"exists, by text", 400, inner("Some.Other", "The rule already exists."), resource.ErrInvalid, resource.ErrConflict, "already exists"},
		{"binding", 400, inner("System.Management.Automation.ParameterBindingException", "matches parameter name 'X'"), resource.ErrInvalid, resource.ErrInvalid, "'X'"},
		{"customization", 400, inner("Y", "you first need to run the command: Enable-OrganizationCustomization."), resource.ErrInvalid, resource.ErrInvalid, "an hour"},
		{"old page", 400, inner("Z", "Expired or invalid pagination request."), resource.ErrUnavailable, resource.ErrUnavailable, "pagination"},
		{"transient", 400, inner("Microsoft.Exchange.Data.Storage.ServerBusyException", "busy"), resource.ErrUnavailable, resource.ErrAmbiguous, "busy"},
		{"throttled", 429, "Too many requests.", resource.ErrThrottled, resource.ErrThrottled, "later"},
		{"broken", 500, inner("", "broken"), resource.ErrUnavailable, resource.ErrAmbiguous, ""},
		{"busy", 503, "", resource.ErrUnavailable, resource.ErrAmbiguous, ""},
		{"gateway", 504, "", resource.ErrUnavailable, resource.ErrAmbiguous, ""},
		{"slow", 408, "", resource.ErrUnavailable, resource.ErrAmbiguous, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newService(t)
			calls := 0
			s.intercept = func(string) *http.Response { calls++; return respond(row.status, nil, row.body) }
			_, err := s.client.rules(context.Background())
			if !errors.Is(err, row.read) && row.read != resource.ErrInvalid || err == nil || errors.Is(err, resource.ErrAmbiguous) || errors.Is(err, resource.ErrAbsent) {
				t.Errorf("read: %v, want %v", err, row.read)
			}
			calls = 0
			_, err = s.client.invoke(context.Background(), &call{op: "change", subject: "x", cmdlet: "Set-TransportRule"})
			if !errors.Is(err, row.change) || !strings.Contains(err.Error(), row.text) || strings.Contains(err.Error(), "\x00") {
				t.Errorf("change: %v, want %v and %q", err, row.change, row.text)
			}
			if calls > 1 && row.status != 429 {
				t.Errorf("a change was sent %d times", calls)
			}
		})
	}
}

func TestFailureEncodings(t *testing.T) {
	detail := func(message string) string {
		raw, _ := json.Marshal(map[string]any{"error": map[string]any{"code": 5, "message": "outer", "details": []any{map[string]any{"code": "Client", "message": message}}}})
		return string(raw)
	}
	for _, row := range []struct {
		body string
		want failure
	}{
		{detail("Id|Some.Type|The text | with a bar"), failure{true, "Some.Type", "The text | with a bar"}},
		{detail("|Some.Type|The text"), failure{true, "Some.Type", "The text"}},
		{detail(`{"Message":"The text","TypeName":"Some.Type","StackTrace":"","InnerError":null}`), failure{true, "Some.Type", "The text"}},
		{detail(`{"ClassName":"Some.Type","Message":"The text","localizedString":{"stringId":"ExX"}}`), failure{true, "Some.Type", "The text"}},
		{detail("only text | and | bars"), failure{true, "", "only text | and | bars"}},
		{`{"error":{"message":"outer"}}`, failure{true, "", "outer"}},
		{`{"error":null}`, failure{false, "", `{"error":null}`}},
		{"plain", failure{false, "", "plain"}},
	} {
		if got := parseFailure([]byte(row.body)); got != row.want {
			t.Errorf("%s: %+v, want %+v", row.body, got, row.want)
		}
	}
	if got := clean("a\x1b[31m\nb\u202e" + strings.Repeat("x", 600)); strings.ContainsAny(got, "\x1b\n\u202e") || len([]rune(got)) > 501 {
		t.Errorf("cleaned: %q", got)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"value":[` + connectorRow + `],"@odata.nextLink":"https://x"}`))
	f.Add([]byte(`{"value":[{"Guid":"g","Name":"n","State":"Enabled","Priority":"0","SetSCL":"-1","SenderIpRanges":null}]}`))
	f.Add([]byte(`{"error":{"details":[{"message":"|A.B|text"}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_ = parseFailure(raw)
		a, err := parseAnswer(raw)
		if err != nil {
			return
		}
		for _, r := range a.rows {
			for name := range r {
				if strings.Contains(name, "@") {
					t.Errorf("annotation %q is left", name)
				}
			}
			_ = r.key()
			for _, decode := range []func(row) (resource.Live, error){inboundLive, outboundLive, ruleLive} {
				if l, err := decode(r); err == nil && (l.Name == "" || l.ID == "") {
					t.Errorf("an object without name or id: %+v", l)
				}
			}
		}
	})
}
