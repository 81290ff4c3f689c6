package exchange_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/sim/exchange"
	"github.com/weir-project/weir/providers/sim/world"
)

const (
	tenantID    = "11111111-1111-4111-8111-111111111111"
	otherTenant = "22222222-2222-4222-8222-222222222222"
	exoAdmin    = "29232cdf-9323-42fd-ade2-1d097af3e4de"
	reader      = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
	secAdmin    = "194ae4cb-b126-40b2-bd5b-6091b380977d"
)

// service is a simulator with a client that speaks to it as an administrator unless told otherwise.
type service struct {
	t      testing.TB
	w      *world.World
	h      http.Handler
	header http.Header
	claims world.Claims
}

func start(t testing.TB, change ...func(*world.World)) *service {
	t.Helper()
	w := &world.World{ID: "test", Clock: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	tenant := &world.Tenant{ID: tenantID, DisplayName: "Contoso", Domains: []*world.EntraDomain{
		{Name: "contoso.onmicrosoft.com", Verified: true, Initial: true},
		{Name: "contoso.com", Verified: true, Default: true},
		{Name: "new.example", Verified: false},
	}}
	for i, kind := range []string{"UserMailbox", "SharedMailbox", "RoomMailbox", "", "GuestMailUser", "UserMailbox"} {
		tenant.People = append(tenant.People, &world.DirectoryUser{
			ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), UserPrincipalName: fmt.Sprintf("u%d@contoso.com", i),
			DisplayName: fmt.Sprintf("Person %d", i), Mail: fmt.Sprintf("u%d@contoso.com", i), Enabled: true, MailboxKind: kind,
			ProxyAddresses: []string{fmt.Sprintf("SMTP:u%d@contoso.com", i), fmt.Sprintf("smtp:alias%d@contoso.com", i)},
		})
	}
	tenant.Groups = []*world.Group{
		{ID: "g1", DisplayName: "All", Mail: "all@contoso.com", MailEnabled: true},
		{ID: "g2", DisplayName: "Team", Mail: "team@contoso.com", MailEnabled: true, GroupTypes: []string{"Unified"}},
		{ID: "g3", DisplayName: "Silent", SecurityEnabled: true},
	}
	tenant.Contacts = []*world.Contact{{ID: "c1", DisplayName: "Outside", Mail: "x@fabrikam.example"}}
	tenant.Exchange.DynamicLists = []*world.DynamicList{{
		GUID: "dddddddd-0000-4000-8000-000000000001", Name: "Everyone", Primary: "everyone@contoso.com",
		Addresses: []string{"SMTP:everyone@contoso.com"}, Members: []string{"00000000-0000-4000-8000-000000000000", "u1@contoso.com", "c1", "g1", "alias2@contoso.com", "lost@contoso.com"},
	}}
	w.Tenants = []*world.Tenant{tenant, {ID: otherTenant}}
	for _, f := range change {
		f(w)
	}
	w.Reindex()
	return &service{
		t: t, w: w, h: exchange.New(w), header: http.Header{},
		claims: world.Claims{
			Audience: "https://outlook.office365.com", Tenant: tenantID, AppID: "app", Roles: []string{"Exchange.ManageAsApp"},
			Wids: []string{exoAdmin}, Issued: w.Clock, Expires: w.Clock.Add(100 * time.Hour),
		},
	}
}

type result struct {
	t      testing.TB
	status int
	header http.Header
	raw    []byte
	body   map[string]any
	call   world.Call
}

func (s *service) do(method, target, body string) *result {
	s.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header = s.header.Clone()
	if r.Header.Get("Authorization") == "" {
		r.Header.Set("Authorization", "Bearer "+s.w.SignToken(s.claims))
	}
	out := &result{t: s.t}
	r = r.WithContext(world.WithCall(r.Context(), &out.call))
	rec := httptest.NewRecorder()
	s.h.ServeHTTP(rec, r)
	out.status, out.header, out.raw = rec.Code, rec.Header(), rec.Body.Bytes()
	_ = json.Unmarshal(out.raw, &out.body) // 403s are not JSON on purpose
	return out
}

const path = "/adminapi/beta/" + tenantID + "/InvokeCommand"

func body(cmdlet string, parameters string) string {
	if parameters == "" {
		parameters = "{}"
	}
	return `{"CmdletInput":{"CmdletName":"` + cmdlet + `","Parameters":` + parameters + `}}`
}

// run invokes a cmdlet with JSON parameters.
func (s *service) run(cmdlet, parameters string) *result {
	s.t.Helper()
	return s.do("POST", path, body(cmdlet, parameters))
}

// must runs a cmdlet that has to succeed and returns its objects.
func (s *service) must(cmdlet, parameters string) []map[string]any {
	s.t.Helper()
	r := s.run(cmdlet, parameters)
	if r.status != 200 {
		s.t.Fatalf("%s %s: status %d: %s", cmdlet, parameters, r.status, r.raw)
	}
	return r.values()
}

func (r *result) values() []map[string]any {
	var out []map[string]any
	list, ok := r.body["value"].([]any)
	if !ok {
		r.t.Fatalf("value is no array: %s", r.raw)
	}
	for _, item := range list {
		out = append(out, item.(map[string]any))
	}
	return out
}

func (r *result) warnings() []any {
	list, _ := r.body["@adminapi.warnings"].([]any)
	return list
}

// failure is the error's type and text, from where the service hides them.
func (r *result) failure() (kind, text string) {
	e, _ := r.body["error"].(map[string]any)
	inner, _ := e["innererror"].(map[string]any)
	deep, _ := inner["internalexception"].(map[string]any)
	kind, _ = deep["type"].(string)
	text, _ = deep["message"].(string)
	return kind, text
}

func strs(value any) []string {
	var out []string
	list, _ := value.([]any)
	for _, item := range list {
		out = append(out, fmt.Sprint(item))
	}
	return out
}

func names(objects []map[string]any) []string {
	var out []string
	for _, o := range objects {
		out = append(out, o["Name"].(string))
	}
	return out
}

func equal(t testing.TB, got, want any) {
	t.Helper()
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	if !bytes.Equal(g, w) {
		t.Fatalf("got  %s\nwant %s", g, w)
	}
}

// Checklist 1, 2, 3: who gets in.
func TestAuthentication(t *testing.T) {
	tests := []struct {
		name   string
		change func(*world.Claims)
		header string
		target string
		cmdlet string
		want   int
	}{
		{name: "everything right", cmdlet: "Set-TransportRule", want: 400},
		{name: "by domain", target: "/adminapi/beta/contoso.com/InvokeCommand", want: 200},
		{name: "no token", header: "Basic x", want: 401},
		{name: "damaged", header: "Bearer a.b.c", want: 401},
		{name: "graph token", change: func(c *world.Claims) { c.Audience = "https://graph.microsoft.com" }, want: 401},
		{name: "expired", change: func(c *world.Claims) { c.Expires = c.Issued }, want: 401},
		{name: "another tenant's", change: func(c *world.Claims) { c.Tenant = otherTenant }, want: 401},
		{name: "another tenant's path", target: "/adminapi/beta/" + otherTenant + "/InvokeCommand", want: 401},
		{name: "unknown tenant", target: "/adminapi/beta/nobody.example/InvokeCommand", want: 401},
		{name: "neither permission nor role", change: func(c *world.Claims) { c.Roles, c.Wids = nil, nil }, want: 401},
		{name: "role only", change: func(c *world.Claims) { c.Roles = nil }, want: 401},
		{name: "permission only", change: func(c *world.Claims) { c.Wids = nil }, want: 403},
		{name: "reader reads", change: func(c *world.Claims) { c.Wids = []string{reader} }, want: 200},
		{name: "reader writes", change: func(c *world.Claims) { c.Wids = []string{reader} }, cmdlet: "New-InboundConnector", want: 403},
		{name: "security administrator writes hygiene", change: func(c *world.Claims) { c.Wids = []string{secAdmin} }, cmdlet: "Set-HostedConnectionFilterPolicy", want: 400},
		{name: "security administrator writes rules", change: func(c *world.Claims) { c.Wids = []string{secAdmin} }, cmdlet: "Set-TransportRule", want: 403},
		{name: "unknown cmdlet", cmdlet: "Get-Nothing", want: 403},
		{name: "no enable for connectors", cmdlet: "Enable-InboundConnector", want: 403},
		{name: "no disable for connectors", cmdlet: "Disable-OutboundConnector", want: 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t)
			if tt.change != nil {
				tt.change(&s.claims)
			}
			if tt.header != "" {
				s.header.Set("Authorization", tt.header)
			}
			target, cmdlet := path, "Get-InboundConnector"
			if tt.target != "" {
				target = tt.target
			}
			if tt.cmdlet != "" {
				cmdlet = tt.cmdlet
			}
			r := s.do("POST", target, body(cmdlet, ""))
			if r.status != tt.want {
				t.Fatalf("status %d, want %d: %s", r.status, tt.want, r.raw)
			}
			switch r.status {
			case 401:
				if !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer ") {
					t.Error("401 without a challenge")
				}
			case 403:
				if r.header.Get("Content-Encoding") != "gzip" || len(r.raw) == 0 || len(bytes.Trim(r.raw, "\x00")) != 0 {
					t.Errorf("a 403 is NUL bytes called gzip, got %q %q", r.header.Get("Content-Encoding"), r.raw)
				}
			}
		})
	}
}

// Checklist 4: casing.
func TestEnvelope(t *testing.T) {
	tests := []struct {
		name, body string
		want       int
	}{
		{"plain", body("Get-AcceptedDomain", "{}"), 200},
		{"cmdlet name in any case", body("get-ACCEPTEDdomain", "{}"), 200},
		{"parameter in any case", body("Get-AcceptedDomain", `{"resultSIZE":"unlimited"}`), 200},
		{"outer key case", `{"cmdletInput":{"CmdletName":"Get-AcceptedDomain","Parameters":{}}}`, 400},
		{"name key case", `{"CmdletInput":{"cmdletname":"Get-AcceptedDomain","Parameters":{}}}`, 400},
		{"parameters key case", `{"CmdletInput":{"CmdletName":"Get-AcceptedDomain","parameters":{}}}`, 400},
		{"parameters null", `{"CmdletInput":{"CmdletName":"Get-AcceptedDomain","Parameters":null}}`, 400},
		{"parameters absent", `{"CmdletInput":{"CmdletName":"Get-AcceptedDomain"}}`, 400},
		{"parameters list", `{"CmdletInput":{"CmdletName":"Get-AcceptedDomain","Parameters":[]}}`, 400},
		{"not JSON", `hello`, 400},
		{"trailing text", body("Get-AcceptedDomain", "{}") + "x", 400},
		{"unknown parameter", body("Get-AcceptedDomain", `{"Nope":1}`), 400},
		{"parameter twice", body("Get-AcceptedDomain", `{"Identity":"a","identity":"b"}`), 400},
		{"documented, not simulated", body("Get-Recipient", `{"Filter":"x"}`), 501},
		{"a filter", body("Get-Mailbox", `{"Filter":"WhenChangedUTC -gt '11/1/2026 2:00:00 PM'"}`), 200},
		{"a filter with another operator", body("Get-Mailbox", `{"Filter":"WhenChangedUTC -eq '11/1/2026 2:00:00 PM'"}`), 501},
		{"a filter of another property", body("Get-Mailbox", `{"Filter":"Alias -eq 'x'"}`), 501},
		{"a filter of two", body("Get-Mailbox", `{"Filter":"WhenChangedUTC -gt '11/1/2026' -and Alias -eq 'x'"}`), 501},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t).do("POST", path, tt.body)
			if r.status != tt.want {
				t.Fatalf("status %d, want %d: %s", r.status, tt.want, r.raw)
			}
			if r.call.Unimplemented != (tt.want == 501) {
				t.Errorf("unimplemented = %v", r.call.Unimplemented)
			}
		})
	}
}

// Checklist 5, 6, 15: what objects look like.
func TestObjectsOnTheWire(t *testing.T) {
	s := start(t)
	s.must("New-InboundConnector", `{"Name":"In","SenderDomains":["*"],"RestrictDomainsToIPAddresses":true,"SenderIPAddresses":["203.0.113.0/24"]}`)
	s.must("New-TransportRule", `{"Name":"Bypass","SenderIpRanges":["203.0.113.0/19"],"SetSCL":-1}`)
	r := s.run("Get-InboundConnector", "")
	o := r.values()[0]
	equal(t, o["SenderDomains"], []string{"smtp:*;1"})
	equal(t, o["SenderDomains@odata.type"], "#Collection(String)")
	equal(t, o["Guid@data.type"], "System.Guid")
	equal(t, o["WhenCreatedUTC"], "2026-11-21T12:00:00.0000000Z")
	equal(t, o["WhenCreatedUTC@data.type"], "System.DateTime")
	equal(t, o["EFSkipIPs"], []string{})
	equal(t, o["TlsSenderCertificateName"], nil)
	equal(t, o["RequireTls"], true)
	equal(t, o["Identity"], "In")
	equal(t, r.body["@adminapi.warnings"], []string{})
	equal(t, r.body["adminapi.warnings@odata.type"], "#Collection(String)")
	if r.header.Get("Rate-Limit-Limit") != "30000" || r.header.Get("OData-Version") != "4.0" || r.header.Get("request-id") == "" {
		t.Errorf("headers %v", r.header)
	}
	o = s.must("Get-TransportRule", "")[0]
	if value, ok := o["SubjectContainsWords"]; !ok || value != nil {
		t.Errorf("an unset list of a rule reads null, got %v", value)
	}
	equal(t, o["SenderIpRanges"], []string{"203.0.113.0/19"})
	equal(t, o["State"], "Enabled")
	equal(t, o["SetSCL"], "-1")
	equal(t, o["Priority"], 0)
	equal(t, o["Priority@data.type"], "System.Int32")
	equal(t, o["Exceptions"], nil)
	equal(t, o["Conditions"], []string{"Microsoft.Exchange.MessagingPolicies.Rules.Tasks.SenderIpRangesPredicate"})
	equal(t, o["Actions"], []string{"Microsoft.Exchange.MessagingPolicies.Rules.Tasks.SetSclAction"})
	if _, ok := o["Enabled"]; ok {
		t.Error("a rule has no Enabled when read")
	}
	// $select trims to the named properties and their sidecars.
	r = s.do("POST", path+"?$select=Name,SenderDomains", body("Get-InboundConnector", ""))
	equal(t, r.values(), []any{map[string]any{"Name": "In", "SenderDomains": []string{"smtp:*;1"}, "SenderDomains@odata.type": "#Collection(String)"}})
	// Both forms are accepted on writes, and a value already there is no change.
	if w := s.run("Set-InboundConnector", `{"Identity":"In","SenderDomains":["smtp:*;1"]}`).warnings(); len(w) != 1 {
		t.Errorf("want the warning about nothing modified, got %v", w)
	}
	// Worlds written by hand hold the plain form.
	s.w.Tenants[0].Exchange.Inbound[0].Values["SenderDomains"] = []any{"contoso.com"}
	equal(t, s.must("Get-InboundConnector", "")[0]["SenderDomains"], []string{"smtp:contoso.com;1"})
}

// Checklist 7: bodies of changing cmdlets.
func TestChangingCmdletsAnswerEmpty(t *testing.T) {
	s := start(t)
	if got := s.must("New-InboundConnector", `{"Name":"In","SenderDomains":"*"}`); len(got) != 1 {
		t.Fatalf("New- returns the object, got %v", got)
	}
	s.must("New-TransportRule", `{"Name":"R"}`)
	steps := []struct {
		cmdlet, parameters string
		warned             bool
	}{
		{"Set-InboundConnector", `{"Identity":"in","Comment":"x"}`, false},
		{"Set-InboundConnector", `{"Identity":"In","Comment":"x","Confirm":false}`, true},
		{"Set-InboundConnector", `{"Identity":"In","Name":"Inner"}`, false},
		{"Disable-TransportRule", `{"Identity":"R","Confirm":false}`, false},
		{"Disable-TransportRule", `{"Identity":"R"}`, true},
		{"Enable-TransportRule", `{"Identity":"R","Mode":"Audit"}`, false},
		{"Enable-TransportRule", `{"Identity":"R","Mode":"Audit"}`, true},
		{"Remove-TransportRule", `{"Identity":"R"}`, false},
		{"Remove-InboundConnector", `{"Identity":"Inner"}`, false},
		{"Set-OrganizationConfig", `{"RejectDirectSend":true}`, false},
		{"Set-OrganizationConfig", `{"RejectDirectSend":true}`, true},
	}
	for _, step := range steps {
		r := s.run(step.cmdlet, step.parameters)
		if r.status != 200 || len(r.values()) != 0 || (len(r.warnings()) > 0) != step.warned || !r.call.Changing {
			t.Fatalf("%s %s: %d %s (changing %v)", step.cmdlet, step.parameters, r.status, r.raw, r.call.Changing)
		}
	}
	if got := s.run("Remove-InboundConnector", `{"Identity":"Inner"}`).status; got != 404 {
		t.Errorf("removing what is gone: %d", got)
	}
	equal(t, s.must("Get-OrganizationConfig", "")[0]["RejectDirectSend"], true)
}

func TestWhatIfChangesNothing(t *testing.T) {
	s := start(t)
	r := s.run("New-TransportRule", `{"Name":"R","WhatIf":true}`)
	if r.status != 200 || r.body["@adminapi.confirmationmessage"] == nil || r.call.Changing || len(s.must("Get-TransportRule", "")) != 0 {
		t.Fatalf("%d %s", r.status, r.raw)
	}
	s.must("New-TransportRule", `{"Name":"R","WhatIf":false}`)
	if len(s.must("Get-TransportRule", "")) != 1 {
		t.Fatal("without WhatIf it happens")
	}
}

// Checklist 8: priorities.
func TestPriority(t *testing.T) {
	order := func(s *service) []string {
		got := s.must("Get-TransportRule", "")
		for i, o := range got {
			if o["Priority"] != float64(i) {
				s.t.Fatalf("priority of %v is %v at %d", o["Name"], o["Priority"], i)
			}
		}
		return names(got)
	}
	s := start(t)
	for _, name := range []string{"a", "b", "c"} {
		s.must("New-TransportRule", `{"Name":"`+name+`"}`)
	}
	s.must("New-TransportRule", `{"Name":"first","Priority":0}`)
	equal(t, order(s), []string{"first", "a", "b", "c"})
	s.must("New-TransportRule", `{"Name":"last","Priority":4}`)
	s.must("Set-TransportRule", `{"Identity":"last","Priority":1}`)
	equal(t, order(s), []string{"first", "last", "a", "b", "c"})
	s.must("Set-TransportRule", `{"Identity":"first","Priority":"4"}`)
	equal(t, order(s), []string{"last", "a", "b", "c", "first"})
	s.must("Remove-TransportRule", `{"Identity":"b"}`)
	equal(t, order(s), []string{"last", "a", "c", "first"})
	for _, bad := range []string{
		`{"Name":"x","Priority":5}`, `{"Name":"x","Priority":-1}`, `{"Name":"x","Priority":"high"}`,
	} {
		if got := s.run("New-TransportRule", bad).status; got != 400 {
			t.Errorf("%s: %d", bad, got)
		}
	}
	if got := s.run("Set-TransportRule", `{"Identity":"a","Priority":4}`).status; got != 400 {
		t.Errorf("out of range on Set: %d", got)
	}
	equal(t, order(s), []string{"last", "a", "c", "first"})
	s.must("Disable-TransportRule", `{"Identity":"a"}`)
	equal(t, names(s.must("Get-TransportRule", `{"State":"Disabled"}`)), []string{"a"})
	equal(t, names(s.must("Get-TransportRule", `{"State":"Enabled"}`)), []string{"last", "c", "first"})
}

// Checklist 9 and 10 and 17: constraints, each with the value that is just right.
func TestConstraints(t *testing.T) {
	tests := []struct {
		name, cmdlet, parameters string
		want                     int
		text                     string
	}{
		{"network /24", "New-InboundConnector", `{"Name":"n","SenderDomains":["*"],"SenderIPAddresses":["203.0.113.0/24","203.0.113.9/32","203.0.113.1/25"]}`, 200, ""},
		{"network /23", "New-InboundConnector", `{"Name":"n","SenderDomains":["*"],"SenderIPAddresses":["203.0.112.0/23"]}`, 400, "/24"},
		{"range on connector", "New-InboundConnector", `{"Name":"n","SenderDomains":["*"],"SenderIPAddresses":["203.0.113.1-203.0.113.2"]}`, 400, "IPv4"},
		{"IPv6 on connector", "New-InboundConnector", `{"Name":"n","SenderDomains":["*"],"SenderIPAddresses":["2001:db8::1"]}`, 400, "IPv4"},
		{"skip range", "New-InboundConnector", `{"Name":"n","SenderDomains":["*"],"EFSkipIPs":["203.0.113.1-203.0.113.2"]}`, 200, ""},
		{"skip nonsense", "New-InboundConnector", `{"Name":"n","SenderDomains":["*"],"EFSkipIPs":["gateway"]}`, 400, "EFSkipIPs"},
		{"sender domain with leading wildcard", "New-InboundConnector", `{"Name":"n","SenderDomains":["*.contoso.com"]}`, 200, ""},
		{"embedded wildcard", "New-InboundConnector", `{"Name":"n","SenderDomains":["a.*.com"]}`, 400, "SenderDomains"},
		{"no sender domains", "New-InboundConnector", `{"Name":"n"}`, 400, "SenderDomains"},
		{"no name", "New-InboundConnector", `{"SenderDomains":["*"]}`, 400, "Name"},
		{"Partner flags on an OnPremises connector stay", "New-InboundConnector", `{"Name":"n","SenderDomains":["*"],"ConnectorType":"OnPremises","RestrictDomainsToIPAddresses":true,"RequireTls":true}`, 200, ""},
		{"client host names on new", "New-InboundConnector", `{"Name":"n","SenderDomains":["*"],"ClientHostNames":["h.example"]}`, 200, ""},
		{"client host names on set", "Set-InboundConnector", `{"Identity":"taken","ClientHostNames":["h.example"]}`, 400, "ClientHostNames"},
		{"enum by beginning", "New-InboundConnector", `{"Name":"n","SenderDomains":["*"],"ConnectorType":"onprem"}`, 200, ""},
		{"wrong enum lists names", "New-InboundConnector", `{"Name":"n","SenderDomains":["*"],"ConnectorType":"Cloud"}`, 400, "Partner, OnPremises"},
		{"wrong bool", "New-InboundConnector", `{"Name":"n","SenderDomains":["*"],"Enabled":"maybe"}`, 400, "Enabled"},
		{"name of 64", "New-OutboundConnector", `{"Name":"` + strings.Repeat("é", 64) + `"}`, 200, ""},
		{"name of 65", "New-OutboundConnector", `{"Name":"` + strings.Repeat("é", 65) + `"}`, 400, "64"},
		{"name taken", "New-InboundConnector", `{"Name":"TAKEN","SenderDomains":["*"]}`, 400, "already exists"},
		{"rename to taken", "Set-InboundConnector", `{"Identity":"taken","Name":"other"}`, 400, "already exists"},
		{"rename to itself", "Set-InboundConnector", `{"Identity":"taken","Name":"Taken"}`, 200, ""},
		{"smart host", "New-OutboundConnector", `{"Name":"n","UseMXRecord":false,"SmartHosts":["outbound-us1.ppe-hosted.com","203.0.113.7","203.0.113.0/24"]}`, 200, ""},
		{"no smart host", "New-OutboundConnector", `{"Name":"n","UseMXRecord":false}`, 400, "SmartHosts"},
		{"smart host nonsense", "New-OutboundConnector", `{"Name":"n","UseMXRecord":false,"SmartHosts":["not a host"]}`, 400, "SmartHosts"},
		{"TLS domain", "New-OutboundConnector", `{"Name":"n","TlsSettings":"DomainValidation","TlsDomain":"*.example.com"}`, 200, ""},
		{"TLS domain alone", "New-OutboundConnector", `{"Name":"n","TlsSettings":"EncryptionOnly","TlsDomain":"example.com"}`, 400, "TlsDomain"},
		{"no TLS settings", "New-OutboundConnector", `{"Name":"n","TlsSettings":null}`, 200, ""},
		{"validation on new", "New-OutboundConnector", `{"Name":"n","IsValidated":true}`, 400, "IsValidated"},
		{"header pair", "New-TransportRule", `{"Name":"n","HeaderContainsMessageHeader":"X-A","HeaderContainsWords":["b"]}`, 200, ""},
		{"half a pair", "New-TransportRule", `{"Name":"n","HeaderContainsMessageHeader":"X-A"}`, 400, "HeaderContainsWords"},
		{"other half", "New-TransportRule", `{"Name":"n","SetHeaderValue":"b"}`, 400, "SetHeaderName"},
		{"half an exception", "New-TransportRule", `{"Name":"n","ExceptIfHeaderMatchesPatterns":["b"]}`, 400, "ExceptIfHeaderMatchesMessageHeader"},
		{"SCL as text", "New-TransportRule", `{"Name":"n","SetSCL":"9"}`, 200, ""},
		{"SCL of 10", "New-TransportRule", `{"Name":"n","SetSCL":10}`, 400, "SetSCL"},
		{"status code", "New-TransportRule", `{"Name":"n","RejectMessageEnhancedStatusCode":"5.7.999"}`, 200, ""},
		{"wrong status code", "New-TransportRule", `{"Name":"n","RejectMessageEnhancedStatusCode":"5.7.2"}`, 400, "5.7.900"},
		{"comments of 1025", "New-TransportRule", `{"Name":"n","Comments":"` + strings.Repeat("x", 1025) + `"}`, 400, "1024"},
		{"rule to a connector", "New-TransportRule", `{"Name":"n","RouteMessageOutboundConnector":"out"}`, 200, ""},
		{"rule to no connector", "New-TransportRule", `{"Name":"n","RouteMessageOutboundConnector":"gone"}`, 400, "gone"},
		{"rule enabled on set", "Set-TransportRule", `{"Identity":"rule","Enabled":false}`, 400, "Enabled"},
		{"legacy regex on set", "Set-TransportRule", `{"Identity":"rule","UseLegacyRegex":true}`, 400, "UseLegacyRegex"},
		{"retired condition", "Set-TransportRule", `{"Identity":"rule","HasSenderOverride":true}`, 400, "HasSenderOverride"},
		{"filter list", "Set-HostedConnectionFilterPolicy", `{"Identity":"Default","IPAllowList":["203.0.113.0/24","198.51.100.0/28"]}`, 200, ""},
		{"filter /23", "Set-HostedConnectionFilterPolicy", `{"Identity":"Default","IPAllowList":["203.0.112.0/23"]}`, 400, "/24"},
		{"filter range of 256", "Set-HostedConnectionFilterPolicy", `{"Identity":"Default","IPAllowList":["203.0.113.0-203.0.113.255"]}`, 200, ""},
		{"filter range of 257", "Set-HostedConnectionFilterPolicy", `{"Identity":"Default","IPAllowList":["203.0.113.0-203.0.114.0"]}`, 400, "256"},
		{"filter IPv6", "Set-HostedConnectionFilterPolicy", `{"Identity":"Default","IPAllowList":["2001:db8::1"]}`, 200, ""},
		{"filter IPv6 network", "Set-HostedConnectionFilterPolicy", `{"Identity":"Default","IPAllowList":["2001:db8::/64"]}`, 400, "IPv6"},
		{"filter mixed replacement", "Set-HostedConnectionFilterPolicy", `{"Identity":"Default","IPAllowList":["203.0.113.0/24","198.51.100.1"]}`, 400, "different types"},
		{"filter mixed delta", "Set-HostedConnectionFilterPolicy", `{"Identity":"Default","IPAllowList":{"@odata.type":"#Exchange.GenericHashTable","Add":["203.0.113.0/24","198.51.100.1"]}}`, 200, ""},
		{"filter result size", "Get-HostedConnectionFilterPolicy", `{"ResultSize":"Unlimited"}`, 400, "ResultSize"},
		{"connector result size", "Get-InboundConnector", `{"ResultSize":"Unlimited"}`, 200, ""},
		{"another filter", "Get-HostedConnectionFilterPolicy", `{"Identity":"Other"}`, 404, "Other"},
		{"filter by name", "Get-HostedConnectionFilterPolicy", `{"Identity":"default"}`, 200, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t)
			s.must("New-InboundConnector", `{"Name":"taken","SenderDomains":["*"]}`)
			s.must("New-InboundConnector", `{"Name":"other","SenderDomains":["*"]}`)
			s.must("New-OutboundConnector", `{"Name":"out","IsTransportRuleScoped":true}`)
			s.must("New-TransportRule", `{"Name":"rule"}`)
			r := s.run(tt.cmdlet, tt.parameters)
			_, text := r.failure()
			if r.status != tt.want || !strings.Contains(text, tt.text) {
				t.Fatalf("status %d, want %d with %q: %s", r.status, tt.want, tt.text, r.raw)
			}
		})
	}
}

func TestErrorShapes(t *testing.T) {
	s := start(t)
	tests := []struct{ cmdlet, parameters, kind, detail string }{
		{"Set-InboundConnector", `{"Identity":"nope"}`, "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException", "|Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException|"},
		{"Get-InboundConnector", `{"Nope":1}`, "System.Management.Automation.ParameterBindingException", `"ErrorId":"AmbiguousParameterSet"`},
		{"Get-TransportRule", `{"State":"x"}`, "System.Management.Automation.ParameterBindingArgumentTransformationException", "Enabled, Disabled"},
	}
	for _, tt := range tests {
		r := s.run(tt.cmdlet, tt.parameters)
		kind, _ := r.failure()
		details := r.body["error"].(map[string]any)["details"].([]any)[0].(map[string]any)
		if kind != tt.kind || !strings.Contains(details["message"].(string), tt.detail) || r.body["error"].(map[string]any)["message"] != "Error executing cmdlet" {
			t.Errorf("%s: %s", tt.cmdlet, r.raw)
		}
	}
}

// Checklist 11: unknown identities.
func TestUnknownIdentity(t *testing.T) {
	for _, all := range []bool{false, true} {
		s := start(t, func(w *world.World) { w.Switches.UnknownIdentityReturnsAll = all })
		s.must("New-InboundConnector", `{"Name":"a","SenderDomains":["*"]}`)
		s.must("New-InboundConnector", `{"Name":"b","SenderDomains":["*"]}`)
		r := s.run("Get-InboundConnector", `{"Identity":"nope"}`)
		if all && (r.status != 200 || len(r.values()) != 2) || !all && r.status != 404 {
			t.Errorf("all=%v: %d %s", all, r.status, r.raw)
		}
		one := s.must("Get-InboundConnector", `{"Identity":"B"}`)
		equal(t, names(one), []string{"b"})
		equal(t, names(s.must("Get-InboundConnector", `{"Identity":"`+one[0]["Guid"].(string)+`"}`)), []string{"b"})
		equal(t, names(s.must("Get-InboundConnector", `{"Identity":null}`)), []string{"a", "b"})
		if got := s.run("Set-InboundConnector", `{"Identity":"nope","Enabled":false}`).status; got != 404 {
			t.Errorf("a write never falls back to everything: %d", got)
		}
	}
}

// Checklist 12: clearing lists.
func TestLists(t *testing.T) {
	const start3 = `["192.0.2.1","192.0.2.2","192.0.2.3"]`
	tests := []struct {
		name, value string
		noop        bool
		want        []string
	}{
		{"empty array clears", `[]`, false, nil},
		{"empty array is nothing", `[]`, true, []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}},
		{"null clears", `null`, true, nil},
		{"empty hash table clears", `{"@odata.type":"#Exchange.GenericHashTable"}`, true, nil},
		{"remove all", `{"@odata.type":"#Exchange.GenericHashTable","Remove":` + start3 + `}`, true, nil},
		{"add and remove", `{"@odata.type":"#Exchange.StringFieldDeltaUpdateData","add":["192.0.2.9"],"Remove":"192.0.2.2"}`, true, []string{"192.0.2.1", "192.0.2.3", "192.0.2.9"}},
		{"add what is there", `{"@odata.type":"#Exchange.GenericHashTable","Add":["192.0.2.1"]}`, false, []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}},
		{"replace, without duplicates", `["192.0.2.7","192.0.2.7"]`, true, []string{"192.0.2.7"}},
		{"scalar", `"192.0.2.7"`, true, []string{"192.0.2.7"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, func(w *world.World) { w.Switches.EmptyListIsNoop = tt.noop })
			s.must("Set-HostedConnectionFilterPolicy", `{"Identity":"Default","IPBlockList":`+start3+`}`)
			s.must("Set-HostedConnectionFilterPolicy", `{"Identity":"Default","IPBlockList":`+tt.value+`}`)
			got := strs(s.must("Get-HostedConnectionFilterPolicy", "")[0]["IPBlockList"])
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	s := start(t)
	for _, wrong := range []string{`{"Add":["192.0.2.1"]}`, `{"@odata.type":"#Exchange.GenericHashTable","Set":[]}`, `[1.5]`, `[{}]`, `true`} {
		if got := s.run("Set-HostedConnectionFilterPolicy", `{"Identity":"Default","IPBlockList":`+wrong+`}`).status; got != 400 {
			t.Errorf("%s: %d", wrong, got)
		}
	}
	// A rule's condition goes with null and reads null again.
	s.must("New-TransportRule", `{"Name":"r","SubjectContainsWords":["x"],"FromScope":"NotInOrganization"}`)
	s.must("Set-TransportRule", `{"Identity":"r","SubjectContainsWords":null,"FromScope":null}`)
	o := s.must("Get-TransportRule", "")[0]
	if o["SubjectContainsWords"] != nil || o["FromScope"] != nil || o["Conditions"] != nil {
		t.Errorf("%v", o)
	}
}

// Checklist 13: customization.
func TestCustomization(t *testing.T) {
	s := start(t, func(w *world.World) { w.Tenants[0].Exchange.Config = map[string]any{"IsDehydrated": true} })
	write := `{"Identity":"Default","IPBlockList":["192.0.2.1"]}`
	r := s.run("Set-HostedConnectionFilterPolicy", write)
	if _, text := r.failure(); r.status != 400 || !strings.Contains(text, "Enable-OrganizationCustomization") {
		t.Fatalf("%d %s", r.status, r.raw)
	}
	s.must("New-InboundConnector", `{"Name":"a","SenderDomains":["*"]}`) // connectors do not need it
	equal(t, s.must("Get-OrganizationConfig", "")[0]["IsDehydrated"], true)
	s.must("Enable-OrganizationCustomization", "")
	equal(t, s.must("Get-OrganizationConfig", "")[0]["IsDehydrated"], false)
	if got := s.run("Set-HostedConnectionFilterPolicy", write).status; got != 400 {
		t.Fatalf("at once: %d", got)
	}
	s.w.Clock = s.w.Clock.Add(time.Hour)
	s.must("Set-HostedConnectionFilterPolicy", write)
	r = s.run("Enable-OrganizationCustomization", "")
	if _, text := r.failure(); r.status != 400 || !strings.Contains(text, "not required") {
		t.Fatalf("twice: %d %s", r.status, r.raw)
	}
}

// Checklist 14: redirects and stale reads. (Throttling, latency and dropped connections are the server's faults.)
func TestRedirect(t *testing.T) {
	tests := []struct{ region, host, query, want string }{
		{"", "outlook.office365.com", "", ""},
		{"nam12", "outlook.office365.com", "", "https://nam12.outlook.office365.com" + path},
		{"nam12:446", "outlook.office365.com", "?x=1", "https://nam12.outlook.office365.com:446" + path + "?x=1"},
		{"nam12", "nam12.outlook.office365.com", "", ""},
		{"nam12", "127.0.0.1:8443", "", "https://127.0.0.1:8443" + path + "?region=nam12"},
		{"nam12", "127.0.0.1:8443", "?region=nam12", ""},
	}
	for _, tt := range tests {
		s := start(t, func(w *world.World) { w.Switches.ExchangeRegion = tt.region })
		r := s.do("POST", "https://"+tt.host+path+tt.query, body("Get-AcceptedDomain", ""))
		if got := r.header.Get("Location"); got != tt.want || (r.status == 302) != (tt.want != "") || tt.want == "" && r.status != 200 {
			t.Errorf("%s at %s%s: %d %q, want %q", tt.region, tt.host, tt.query, r.status, got, tt.want)
		}
	}
}

func TestStaleReads(t *testing.T) {
	for _, lag := range []int{0, 60} {
		s := start(t, func(w *world.World) { w.Switches.ExchangeReadLag = lag })
		s.must("New-InboundConnector", `{"Name":"a","SenderDomains":["*"]}`)
		got := names(s.must("Get-InboundConnector", ""))
		if (len(got) == 0) != (lag > 0) {
			t.Errorf("lag %d: just made: %v", lag, got)
		}
		s.w.Clock = s.w.Clock.Add(61 * time.Second)
		equal(t, names(s.must("Get-InboundConnector", "")), []string{"a"})
		s.must("Set-InboundConnector", `{"Identity":"a","Comment":"new"}`)
		comment := s.must("Get-InboundConnector", "")[0]["Comment"]
		if (comment == "") != (lag > 0) {
			t.Errorf("lag %d: just changed: %v", lag, comment)
		}
		// Writes are not stale: the second one finds the first.
		s.must("Set-InboundConnector", `{"Identity":"a","Name":"b"}`)
		s.must("Remove-InboundConnector", `{"Identity":"b"}`)
		s.w.Clock = s.w.Clock.Add(61 * time.Second)
		if got := s.must("Get-InboundConnector", ""); len(got) != 0 {
			t.Errorf("lag %d: removed: %v", lag, got)
		}
	}
}

// Checklist 16 and unknown paths.
func TestPaths(t *testing.T) {
	tests := []struct {
		method, target string
		want           int
	}{
		{"POST", path, 200},
		{"GET", path, 405},
		{"POST", "/adminapi/v1.0/" + tenantID + "/InvokeCommand", 405},
		{"POST", "/adminapi/v2.0/" + tenantID + "/InvokeCommand", 501},
		{"POST", "/adminapi/v2.0/" + tenantID + "/AcceptedDomain", 501},
		{"GET", "/adminapi/beta/" + tenantID + "/$metadata", 501},
		{"GET", "/adminapi/beta/" + tenantID, 501},
		{"GET", "/powershell", 501},
		{"POST", path + "?$filter=x", 501},
		{"GET", "/adminapi/beta/" + tenantID + "/Mailbox", 200},
		{"GET", "/adminapi/beta/" + tenantID + "/Mailbox?$filter=Name eq 'x'", 501},
	}
	for _, tt := range tests {
		r := start(t).do(tt.method, strings.ReplaceAll(tt.target, " ", "%20"), body("Get-AcceptedDomain", ""))
		if r.status != tt.want || r.call.Unimplemented != (tt.want == 501) {
			t.Errorf("%s %s: %d (unimplemented %v), want %d", tt.method, tt.target, r.status, r.call.Unimplemented, tt.want)
		}
	}
	s := start(t)
	s.header.Set("X-ResponseFormat", "clixml")
	if got := s.run("Get-AcceptedDomain", "").status; got != 501 {
		t.Errorf("clixml: %d", got)
	}
}

func TestScopedConnectors(t *testing.T) {
	tests := []struct {
		hide       bool
		parameters string
		want       []string
	}{
		{false, `{}`, []string{"plain", "scoped", "test"}},
		{false, `{"IsTransportRuleScoped":true}`, []string{"scoped"}},
		{true, `{}`, []string{"plain"}},
		{true, `{"IsTransportRuleScoped":true}`, []string{"scoped"}},
		{true, `{"IncludeTestModeConnectors":true}`, []string{"plain", "test"}},
	}
	for _, tt := range tests {
		s := start(t, func(w *world.World) { w.Switches.HideRuleScopedConnectors = tt.hide })
		s.must("New-OutboundConnector", `{"Name":"plain"}`)
		s.must("New-OutboundConnector", `{"Name":"scoped","IsTransportRuleScoped":true}`)
		s.must("New-OutboundConnector", `{"Name":"test","TestMode":true}`)
		equal(t, names(s.must("Get-OutboundConnector", tt.parameters)), tt.want)
	}
}

func TestAcceptedDomains(t *testing.T) {
	s := start(t, func(w *world.World) {
		w.Tenants[0].Exchange.DomainTypes = map[string]string{"contoso.com": "InternalRelay"}
	})
	got := s.must("Get-AcceptedDomain", "")
	equal(t, names(got), []string{"contoso.onmicrosoft.com", "contoso.com"}) // not the unverified one
	equal(t, got[0]["DomainType"], "Authoritative")
	equal(t, got[0]["InitialDomain"], true)
	equal(t, got[1]["DomainType"], "InternalRelay")
	equal(t, got[1]["Default"], true)
	if got := s.run("Get-AcceptedDomain", `{"Identity":"new.example"}`).status; got != 404 {
		t.Errorf("unverified: %d", got)
	}
}

func TestRecipients(t *testing.T) {
	s := start(t)
	kinds := func(objects []map[string]any) []string {
		var out []string
		for _, o := range objects {
			out = append(out, o["PrimarySmtpAddress"].(string)+" "+o["RecipientTypeDetails"].(string))
		}
		return out
	}
	equal(t, kinds(s.must("Get-Mailbox", "")), []string{"u0@contoso.com UserMailbox", "u1@contoso.com SharedMailbox", "u2@contoso.com RoomMailbox", "u5@contoso.com UserMailbox"})
	equal(t, kinds(s.must("Get-Mailbox", `{"RecipientTypeDetails":["SharedMailbox","roommailbox"]}`)), []string{"u1@contoso.com SharedMailbox", "u2@contoso.com RoomMailbox"})
	equal(t, kinds(s.must("Get-Recipient", `{"ResultSize":"Unlimited"}`)), []string{
		"x@fabrikam.example MailContact", "everyone@contoso.com DynamicDistributionGroup", "all@contoso.com MailUniversalDistributionGroup",
		"team@contoso.com GroupMailbox", "u0@contoso.com UserMailbox", "u1@contoso.com SharedMailbox", "u2@contoso.com RoomMailbox",
		"u4@contoso.com GuestMailUser", "u5@contoso.com UserMailbox",
	})
	shared := s.must("Get-Mailbox", `{"Identity":"alias1@contoso.com"}`)[0]
	equal(t, shared["IsShared"], true)
	equal(t, shared["ExternalDirectoryObjectId"], "00000000-0000-4000-8000-000000000001")
	equal(t, shared["EmailAddresses"], []string{"SMTP:u1@contoso.com", "smtp:alias1@contoso.com"})
	for identity, want := range map[string]int{"u4@contoso.com": 404, "nobody": 404, "Person 0": 200} {
		if got := s.run("Get-Mailbox", `{"Identity":"`+identity+`"}`).status; got != want {
			t.Errorf("Get-Mailbox %s: %d, want %d", identity, got, want)
		}
	}
	equal(t, kinds(s.must("Get-DynamicDistributionGroup", "")), []string{"everyone@contoso.com DynamicDistributionGroup"})
	equal(t, kinds(s.must("Get-DynamicDistributionGroupMember", `{"Identity":"everyone@contoso.com"}`)), []string{
		"u0@contoso.com UserMailbox", "u1@contoso.com SharedMailbox", "x@fabrikam.example MailContact", "all@contoso.com MailUniversalDistributionGroup",
		"u2@contoso.com RoomMailbox", "lost@contoso.com MailUser",
	})
	if got := s.run("Get-DynamicDistributionGroupMember", `{"Identity":"all@contoso.com"}`).status; got != 404 {
		t.Errorf("not a dynamic list: %d", got)
	}
	r := s.do("GET", "/adminapi/v1.0/"+tenantID+"/Mailbox?$filter=RecipientTypeDetails%20eq%20'SharedMailbox'&$select=UserPrincipalName", "")
	equal(t, r.values(), []any{map[string]any{"UserPrincipalName": "u1@contoso.com"}})
	r = s.do("GET", "/adminapi/beta/"+tenantID+"/Mailbox('u0@contoso.com')", "")
	equal(t, r.values()[0]["RecipientTypeDetails"], "UserMailbox")
}

func TestPaging(t *testing.T) {
	s := start(t)
	s.header.Set("Prefer", "odata.maxpagesize=2")
	s.header.Set("connection-id", "c1")
	var got []string
	target := path + "?$select=PrimarySmtpAddress"
	in := body("Get-Mailbox", `{"ResultSize":"Unlimited"}`)
	var links []string
	for target != "" {
		r := s.do("POST", target, in)
		if r.status != 200 || r.header.Get("Preference-Applied") != "odata.maxpagesize=2" {
			t.Fatalf("%d %v %s", r.status, r.header, r.raw)
		}
		for _, o := range r.values() {
			if len(o) != 1 {
				t.Fatalf("$select is lost on the next page: %v", o)
			}
			got = append(got, o["PrimarySmtpAddress"].(string))
		}
		target, _ = r.body["@odata.nextLink"].(string)
		if target != "" {
			links = append(links, target)
		}
	}
	equal(t, got, []string{"u0@contoso.com", "u1@contoso.com", "u2@contoso.com", "u5@contoso.com"})
	if len(links) != 1 || !strings.Contains(links[0], "%24skiptoken=") {
		t.Fatalf("links %v", links)
	}
	if got := s.do("POST", links[0], in).status; got != 200 {
		t.Errorf("again: %d", got)
	}
	if got := s.do("POST", links[0], body("Get-Mailbox", `{}`)).status; got != 400 {
		t.Errorf("another body: %d", got)
	}
	s.header.Set("connection-id", "c2")
	if got := s.do("POST", links[0], in).status; got != 400 {
		t.Errorf("another connection: %d", got)
	}
	s.header.Set("connection-id", "c1")
	s.w.Clock = s.w.Clock.Add(31 * time.Minute)
	r := s.do("POST", links[0], in)
	if _, text := r.failure(); r.status != 400 || !strings.Contains(strings.ToLower(text), "expired or invalid pagination request") {
		t.Errorf("after half an hour: %d %s", r.status, r.raw)
	}
	// The REST form pages with GET and keeps its filter.
	r = s.do("GET", "/adminapi/beta/"+tenantID+"/Mailbox?$filter=RecipientTypeDetails%20eq%20'UserMailbox'%20or%20RecipientTypeDetails%20eq%20'RoomMailbox'", "")
	next, _ := r.body["@odata.nextLink"].(string)
	r = s.do("GET", next, "")
	equal(t, names(r.values()), []string{"Person 5"})
}

func TestRulesArePagedToo(t *testing.T) {
	s := start(t)
	for i := range 5 {
		s.must("New-TransportRule", fmt.Sprintf(`{"Name":"r%d"}`, i))
	}
	s.header.Set("Prefer", "odata.maxpagesize=2")
	var got []string
	for target, ok := path, true; ok; {
		r := s.do("POST", target, body("Get-TransportRule", ""))
		for _, o := range r.values() {
			if o["Priority"] != float64(len(got)) {
				t.Errorf("priority of %v is %v", o["Name"], o["Priority"])
			}
			got = append(got, o["Name"].(string))
		}
		target, ok = r.body["@odata.nextLink"].(string)
	}
	equal(t, got, []string{"r0", "r1", "r2", "r3", "r4"})
}

func TestDatesAndNumbers(t *testing.T) {
	s := start(t)
	s.must("New-OutboundConnector", `{"Name":"o","LinkForModifiedConnector":"AAAAAAAA-0000-4000-8000-000000000001"}`)
	s.must("Set-OutboundConnector", `{"Identity":"o","IsValidated":true,"LastValidationTimestamp":"2026-11-20T10:00:00+01:00","ValidationRecipients":"a@b.example"}`)
	o := s.must("Get-OutboundConnector", "")[0]
	equal(t, o["LastValidationTimestamp"], "2026-11-20T09:00:00.0000000") // without a zone
	equal(t, o["LinkForModifiedConnector"], "aaaaaaaa-0000-4000-8000-000000000001")
	equal(t, o["ValidationRecipients"], []string{"a@b.example"})
	s.must("New-TransportRule", `{"Name":"r","ActivationDate":"2026-12-01","SCLOver":"5","ExceptIfSCLOver":9}`)
	o = s.must("Get-TransportRule", "")[0]
	equal(t, o["ActivationDate"], "2026-12-01T00:00:00.0000000Z")
	equal(t, o["SCLOver"], 5)
	for _, wrong := range []string{`{"Name":"x","ActivationDate":"tomorrow"}`, `{"Name":"x","SCLOver":10}`, `{"Name":"x","SCLOver":"many"}`, `{"Name":"x","SCLOver":{}}`} {
		if got := s.run("New-TransportRule", wrong).status; got != 400 {
			t.Errorf("%s: %d", wrong, got)
		}
	}
	if got := s.run("New-OutboundConnector", `{"Name":"x","LinkForModifiedConnector":"no"}`).status; got != 400 {
		t.Errorf("no GUID: %d", got)
	}
	// A world written by hand holds numbers; writing the same again is no change.
	s.w.Tenants[0].Exchange.Rules[0].Values["SetSCL"] = float64(-1)
	equal(t, s.must("Get-TransportRule", "")[0]["SetSCL"], "-1")
	if len(s.run("Set-TransportRule", `{"Identity":"r","SetSCL":-1}`).warnings()) != 1 {
		t.Error("want the warning about nothing modified")
	}
}

func TestResultSize(t *testing.T) {
	many := func(w *world.World) {
		for i := range 1500 {
			w.Tenants[0].People = append(w.Tenants[0].People, &world.DirectoryUser{
				ID: fmt.Sprintf("10000000-0000-4000-8000-%012d", i), UserPrincipalName: fmt.Sprintf("m%d@contoso.com", i),
				Mail: fmt.Sprintf("m%d@contoso.com", i), MailboxKind: "UserMailbox",
			})
		}
	}
	tests := []struct {
		name, parameters string
		ignored          bool
		count            int
		warned, linked   bool
	}{
		{"default", `{}`, false, 1000, true, false},
		{"unlimited", `{"ResultSize":"Unlimited"}`, false, 1000, false, true},
		{"three", `{"ResultSize":3}`, false, 3, true, false},
		{"more than there are", `{"ResultSize":"900","RecipientTypeDetails":"RoomMailbox"}`, false, 1, false, false},
		{"ignored", `{"ResultSize":3}`, true, 1000, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, many, func(w *world.World) { w.Switches.ResultSizeIgnored = tt.ignored })
			r := s.run("Get-Mailbox", tt.parameters)
			_, linked := r.body["@odata.nextLink"]
			if len(r.values()) != tt.count || (len(r.warnings()) > 0) != tt.warned || linked != tt.linked {
				t.Errorf("%d objects, warnings %v, link %v", len(r.values()), r.warnings(), linked)
			}
		})
	}
}

func TestBatch(t *testing.T) {
	s := start(t)
	s.header.Set("Accept", "application/json")
	part := func(id, cmdlet, parameters string) string {
		return fmt.Sprintf(`{"id":%q,"method":"POST","url":"https://outlook.office365.com%s","headers":{},"body":%s}`, id, path, body(cmdlet, parameters))
	}
	target := "/adminapi/beta/" + tenantID + "/$batch"
	r := s.do("POST", target, `{"requests":[`+strings.Join([]string{
		part("1", "New-TransportRule", `{"Name":"a"}`), part("2", "Get-TransportRule", ``), part("3", "Get-Nothing", ``), part("4", "Set-TransportRule", `{"Identity":"x"}`),
	}, ",")+`]}`)
	if r.status != 200 || !r.call.Changing {
		t.Fatalf("%d %s", r.status, r.raw)
	}
	var statuses []any
	for _, p := range r.body["responses"].([]any) {
		statuses = append(statuses, p.(map[string]any)["id"], p.(map[string]any)["status"])
	}
	equal(t, statuses, []any{"1", 200, "2", 200, "3", 403, "4", 404})
	var many []string
	for i := range 11 {
		many = append(many, part(fmt.Sprint(i), "Get-TransportRule", ""))
	}
	for name, in := range map[string]string{
		"eleven": `{"requests":[` + strings.Join(many, ",") + `]}`, "none": `{"requests":[]}`, "no JSON": `x`,
		"same id": `{"requests":[` + part("1", "Get-TransportRule", "") + "," + part("1", "Get-TransportRule", "") + `]}`,
	} {
		if got := s.do("POST", target, in).status; got != 400 {
			t.Errorf("%s: %d", name, got)
		}
	}
	if got := s.do("POST", target, `{"requests":[`+strings.Join(many[:10], ",")+`]}`).status; got != 200 {
		t.Errorf("ten: %d", got)
	}
	s.header.Del("Accept")
	if got := s.do("POST", target, `{"requests":[]}`).status; got != 501 {
		t.Errorf("multipart: %d", got)
	}
}

// Readers and writers at once, for the race detector.
func TestConcurrent(t *testing.T) {
	s := start(t)
	done := make(chan int)
	token := "Bearer " + s.w.SignToken(s.claims)
	for i := range 8 {
		go func() {
			status := 0
			for j := range 20 {
				in := body("Get-TransportRule", "")
				if i%2 == 0 {
					in = body("New-TransportRule", fmt.Sprintf(`{"Name":"r%d-%d","Priority":0}`, i, j))
				}
				r := httptest.NewRequest("POST", path, strings.NewReader(in))
				r.Header.Set("Authorization", token)
				rec := httptest.NewRecorder()
				s.h.ServeHTTP(rec, r)
				status = max(status, rec.Code)
			}
			done <- status
		}()
	}
	for range 8 {
		if got := <-done; got != 200 {
			t.Errorf("status %d", got)
		}
	}
	if got := len(s.must("Get-TransportRule", "")); got != 80 {
		t.Errorf("%d rules", got)
	}
}

func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		body("Get-TransportRule", "{}"), body("New-InboundConnector", `{"Name":"a","SenderDomains":["*"]}`),
		body("Set-HostedConnectionFilterPolicy", `{"Identity":"Default","IPAllowList":{"@odata.type":"#Exchange.GenericHashTable","Add":["::1-::2"],"Remove":[1]}}`),
		body("New-TransportRule", `{"Name":"x","Priority":1e9,"ActivationDate":"2026-01-01"}`), `{"CmdletInput":{"CmdletName":null,"Parameters":{"a":}}}`, `[]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		s := start(t)
		r := s.do("POST", path, in)
		switch r.status {
		case 200, 400, 403, 404, 501:
		default:
			t.Fatalf("status %d for %q: %s", r.status, in, r.raw)
		}
		// Whatever was written can be read.
		for _, cmdlet := range []string{"Get-InboundConnector", "Get-OutboundConnector", "Get-TransportRule", "Get-HostedConnectionFilterPolicy", "Get-OrganizationConfig"} {
			s.must(cmdlet, "")
		}
	})
}

func BenchmarkPage(b *testing.B) {
	s := start(b, func(w *world.World) {
		for i := range 200_000 {
			w.Tenants[0].People = append(w.Tenants[0].People, &world.DirectoryUser{
				ID: fmt.Sprintf("10000000-0000-4000-8000-%012d", i), Mail: fmt.Sprintf("m%d@contoso.com", i), MailboxKind: "UserMailbox",
			})
		}
	})
	target := path
	in := body("Get-Mailbox", `{"ResultSize":"Unlimited"}`)
	for b.Loop() {
		next, _ := s.do("POST", target, in).body["@odata.nextLink"].(string)
		if target = next; target == "" {
			target = path
		}
	}
}
