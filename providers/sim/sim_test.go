package sim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

const contoso = "3f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10"

func start(t *testing.T, w *world.World) *sim.Server {
	t.Helper()
	s, err := sim.Start(sim.Options{World: w, Sleep: func(context.Context, time.Duration) {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// call makes one request and returns status and body; header holds pairs.
func call(t *testing.T, c *http.Client, method, address, body string, header ...string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func token(t *testing.T, s *sim.Server, base, resource string) string {
	t.Helper()
	c := s.World().Credentials()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}, "scope": {resource + "/.default"}}
	status, body, err := call(t, s.Client(), "POST", base+"/"+contoso+"/oauth2/v2.0/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	if err != nil || status != 200 {
		t.Fatalf("token: %d %s %v", status, body, err)
	}
	var got struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	return "Bearer " + got.Token
}

// bases are the two ways to reach each vendor.
func bases(s *sim.Server) map[string]sim.URLs {
	return map[string]sim.URLs{
		"loopback": s.URLs(),
		"names": {
			Login: "https://login.microsoftonline.com", Graph: "https://graph.microsoft.com",
			Exchange: "https://outlook.office365.com", Essentials: "https://us1.proofpointessentials.com",
		},
	}
}

func TestVendorsAnswer(t *testing.T) {
	s := start(t, world.Quickstart())
	client := s.Client()
	c := s.World().Credentials()
	for name, u := range bases(s) {
		t.Run(name, func(t *testing.T) {
			bearer := token(t, s, u.Login, "https://graph.microsoft.com")
			status, body, err := call(t, client, "GET", u.Graph+"/v1.0/users?$top=5", "", "Authorization", bearer)
			if err != nil || status != 200 || !strings.Contains(body, `"@odata.nextLink":"`+u.Graph) {
				t.Errorf("graph: %d %.300s %v", status, body, err)
			}
			bearer = token(t, s, u.Login, "https://outlook.office365.com")
			status, body, err = call(t, client, "POST", u.Exchange+"/adminapi/beta/"+contoso+"/InvokeCommand",
				`{"CmdletInput":{"CmdletName":"Get-InboundConnector","Parameters":{}}}`, "Authorization", bearer, "Content-Type", "application/json")
			if err != nil || status != 200 {
				t.Errorf("exchange: %d %.300s %v", status, body, err)
			}
			path := "/api/v1/orgs/msp.example"
			for _, p := range []string{path, "/us1" + path} {
				if name == "names" && p != path {
					continue
				}
				status, body, err = call(t, client, "GET", u.Essentials+p, "", "X-User", c.EssentialsUser, "X-Password", c.EssentialsPassword)
				if err != nil || status != 200 || !strings.Contains(body, `"msp.example"`) {
					t.Errorf("essentials: %d %.300s %v", status, body, err)
				}
			}
		})
	}
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.DNS())
	}}
	if mx, err := resolver.LookupMX(context.Background(), "contoso.example"); err != nil || len(mx) != 1 {
		t.Errorf("dns: %v %v", mx, err)
	}
	seen := map[sim.Vendor]int{}
	raw, err := json.Marshal(s.Journal())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.Journal() {
		seen[e.Vendor]++
		if e.Changing || e.RequestID == "" {
			t.Errorf("a read in the journal: %+v", e)
		}
		if e.Vendor == sim.Graph && e.Tenant != contoso {
			t.Errorf("tenant %q: %+v", e.Tenant, e)
		}
	}
	for _, v := range []sim.Vendor{sim.Login, sim.Graph, sim.Exchange, sim.Essentials, sim.DNS} {
		if seen[v] == 0 {
			t.Errorf("no call of %s in the journal", v)
		}
	}
	for _, secret := range s.World().Secrets() {
		if bytes.Contains(raw, []byte(secret)) {
			t.Errorf("the journal holds the secret %s", secret)
		}
	}
}

func TestUnknownHostIsRefused(t *testing.T) {
	s := start(t, world.Quickstart())
	req, err := http.NewRequest("GET", s.URLs().Named+"/v1.0/users", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Client().Do(req)
	if err != nil || res.StatusCode != http.StatusMisdirectedRequest {
		t.Fatalf("%v %v", res, err)
	}
	if _, _, err := call(t, s.Client(), "GET", strings.Replace(s.URLs().Named, "127.0.0.1", "localhost", 1), ""); err != nil {
		t.Errorf("localhost: %v", err)
	}
}

func TestFaults(t *testing.T) {
	two := 2
	users := func(n int, s *sim.Server, bearer string) func() (int, string, error) {
		return func() (int, string, error) {
			return call(t, s.Client(), "GET", s.URLs().Graph+"/v1.0/users?$count=true&$top="+string(rune('0'+n)), "", "Authorization", bearer, "ConsistencyLevel", "eventual")
		}
	}
	count := func(body string) int {
		var l struct{ Value []json.RawMessage }
		if json.Unmarshal([]byte(body), &l) != nil {
			return -1
		}
		return len(l.Value)
	}
	for name, row := range map[string]struct {
		rule  sim.Rule
		check func(t *testing.T, status int, body string, err error)
	}{
		"none": {sim.Rule{Vendor: sim.Essentials, Action: sim.Action{Status: 500}}, func(t *testing.T, status int, body string, err error) {
			if err != nil || status != 200 || count(body) != 5 || !strings.Contains(body, "nextLink") {
				t.Errorf("%d %.200s %v", status, body, err)
			}
		}},
		"status": {sim.Rule{Vendor: sim.Graph, Path: "/v1.0/users*", Tenant: "contoso.example", Action: sim.Action{Status: 503, Body: "html"}}, func(t *testing.T, status int, body string, err error) {
			if err != nil || status != 503 || !strings.Contains(body, "<html>") {
				t.Errorf("%d %.200s %v", status, body, err)
			}
		}},
		"other tenant": {sim.Rule{Vendor: sim.Graph, Tenant: "msp.example", Action: sim.Action{Status: 503}}, func(t *testing.T, status int, _ string, _ error) {
			if status != 200 {
				t.Errorf("%d", status)
			}
		}},
		"drop before": {sim.Rule{Path: "^/v1.0/users$", Action: sim.Action{Drop: "before"}}, func(t *testing.T, _ int, _ string, err error) {
			if err == nil {
				t.Error("an answer came")
			}
		}},
		"truncated body": {sim.Rule{Vendor: sim.Graph, Action: sim.Action{TruncateBody: 20}}, func(t *testing.T, status int, body string, err error) {
			if err == nil || len(body) > 20 {
				t.Errorf("%d %q %v", status, body, err)
			}
		}},
		"last page": {sim.Rule{Vendor: sim.Graph, Action: sim.Action{LastPage: 1}}, func(t *testing.T, status int, body string, _ error) {
			if status != 200 || count(body) != 5 || strings.Contains(body, "nextLink") {
				t.Errorf("%d %.200s", status, body)
			}
		}},
		"keep items": {sim.Rule{Vendor: sim.Graph, Action: sim.Action{KeepItems: &two}}, func(t *testing.T, _ int, body string, _ error) {
			if count(body) != 2 {
				t.Errorf("%.200s", body)
			}
		}},
		"empty": {sim.Rule{Vendor: sim.Graph, Action: sim.Action{EmptyList: true}}, func(t *testing.T, status int, body string, _ error) {
			if status != 200 || count(body) != 0 || !strings.Contains(body, `"@odata.count":0`) {
				t.Errorf("%d %.200s", status, body)
			}
		}},
		"error with 200": {sim.Rule{Vendor: sim.Graph, Action: sim.Action{ErrorWith200: true}}, func(t *testing.T, status int, body string, _ error) {
			if status != 200 || !strings.Contains(body, `"error"`) {
				t.Errorf("%d %.200s", status, body)
			}
		}},
		"page size": {sim.Rule{Vendor: sim.Graph, Action: sim.Action{PageSize: 3}}, func(t *testing.T, _ int, body string, _ error) {
			if count(body) != 3 {
				t.Errorf("%.200s", body)
			}
		}},
		"count": {sim.Rule{Vendor: sim.Graph, Action: sim.Action{CountOffset: 7}}, func(t *testing.T, _ int, body string, _ error) {
			if !strings.Contains(body, `"@odata.count":22`) {
				t.Errorf("%.200s", body)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, world.Quickstart())
			bearer := token(t, s, s.URLs().Login, "https://graph.microsoft.com")
			if err := s.Fault(row.rule); err != nil {
				t.Fatal(err)
			}
			status, body, err := users(5, s, bearer)()
			row.check(t, status, body, err)
			s.ClearFaults()
			if status, body, err := users(5, s, bearer)(); err != nil || status != 200 || count(body) != 5 {
				t.Errorf("without the fault: %d %.200s %v", status, body, err)
			}
		})
	}
}

func TestFaultsCount(t *testing.T) {
	s := start(t, world.Quickstart())
	if err := s.Fault(
		sim.Rule{Vendor: sim.Login, After: 1, Times: 2, Action: sim.Action{Status: 500}},
		sim.Rule{Vendor: sim.Login, After: 1, Times: 1, Action: sim.Action{Status: 503}},
	); err != nil {
		t.Fatal(err)
	}
	// The first call passes both, the next two meet the first rule, the fourth meets the second, the fifth none.
	for i, want := range []int{200, 500, 500, 503, 200} {
		status, _, err := call(t, s.Client(), "GET", s.URLs().Login+"/contoso.example/v2.0/.well-known/openid-configuration", "")
		if err != nil || status != want {
			t.Errorf("call %d: %d %v, want %d", i+1, status, err, want)
		}
	}
}

func TestFaultBreaksConnectionsOfBothProtocols(t *testing.T) {
	s := start(t, world.Quickstart())
	old := s.Client()
	old.Transport.(*http.Transport).ForceAttemptHTTP2 = false
	old.Transport.(*http.Transport).TLSClientConfig.NextProtos = []string{"http/1.1"}
	address := s.URLs().Login + "/contoso.example/v2.0/.well-known/openid-configuration"
	for name, client := range map[string]*http.Client{"HTTP/2": s.Client(), "HTTP/1.1": old} {
		for _, action := range []sim.Action{{Drop: "before"}, {Drop: "after"}, {TruncateBody: 10}, {Latency: sim.Duration(time.Hour)}} {
			s.ClearFaults()
			res, err := client.Get(address)
			if err != nil || res.Proto[:6] != name[:6] || res.StatusCode != 200 {
				t.Fatalf("%s: %v %v", name, res, err)
			}
			_ = res.Body.Close()
			if err := s.Fault(sim.Rule{Action: action}); err != nil {
				t.Fatal(err)
			}
			_, body, err := call(t, client, "GET", address, "")
			if (err == nil) != (action.Latency > 0) || action.TruncateBody > 0 && len(body) != 10 {
				t.Errorf("%s %+v: %q %v", name, action, body, err)
			}
		}
	}
}

func TestFaultOfDeltaTokens(t *testing.T) {
	for kind, want := range map[string]int{"": 200, "reset": 410, "expired": 400, "missing": 200} {
		t.Run(kind, func(t *testing.T) {
			s := start(t, world.Quickstart())
			bearer := token(t, s, s.URLs().Login, "https://graph.microsoft.com")
			read := func(address string) (int, string) {
				status, body, err := call(t, s.Client(), "GET", address, "", "Authorization", bearer)
				if err != nil {
					t.Fatal(err)
				}
				var l struct {
					Link string `json:"@odata.deltaLink"`
				}
				if err := json.Unmarshal([]byte(body), &l); err != nil {
					t.Fatal(err)
				}
				return status, l.Link
			}
			_, link := read(s.URLs().Graph + "/v1.0/users/delta?$select=id&$deltatoken=latest")
			if link == "" {
				t.Fatal("no delta link")
			}
			if kind != "" {
				if err := s.Fault(sim.Rule{Vendor: sim.Graph, Path: "/v1.0/users/delta*", Action: sim.Action{DeltaToken: kind}}); err != nil {
					t.Fatal(err)
				}
			}
			status, next := read(link)
			if status != want || (next != "") != (kind == "") {
				t.Errorf("status %d, delta link %q", status, next)
			}
		})
	}
}

func TestFaultOfDNS(t *testing.T) {
	s := start(t, world.Quickstart())
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.DNS())
	}}
	if err := s.Fault(sim.Rule{Vendor: sim.DNS, Path: "MX *", Tenant: contoso, Action: sim.Action{Status: 2}}); err != nil {
		t.Fatal(err)
	}
	if mx, err := resolver.LookupMX(context.Background(), "contoso.example"); err == nil {
		t.Errorf("MX: %v", mx)
	}
	if _, err := resolver.LookupTXT(context.Background(), "contoso.example"); err != nil {
		t.Errorf("TXT: %v", err)
	}
	if mx, err := resolver.LookupMX(context.Background(), "msp.example"); err != nil {
		t.Errorf("MX of another customer: %v %v", mx, err)
	}
	j := s.Journal()
	if len(j) < 3 || j[0].Path != "MX contoso.example" || j[0].Status != 2 || j[0].Fault != "fault-1" || j[0].Tenant != contoso || j[len(j)-1].Fault != "" {
		t.Errorf("%+v", j)
	}
}

func TestFaultRepeatsPage(t *testing.T) {
	s := start(t, world.Quickstart())
	bearer := token(t, s, s.URLs().Login, "https://graph.microsoft.com")
	read := func() []string {
		next, ids := s.URLs().Graph+"/v1.0/users?$select=id&$top=5", []string{}
		for next != "" {
			status, body, err := call(t, s.Client(), "GET", next, "", "Authorization", bearer)
			if err != nil || status != 200 {
				t.Fatalf("%d %s %v", status, body, err)
			}
			var l struct {
				Value []struct{ ID string }
				Next  string `json:"@odata.nextLink"`
			}
			if err := json.Unmarshal([]byte(body), &l); err != nil {
				t.Fatal(err)
			}
			for _, v := range l.Value {
				ids = append(ids, v.ID)
			}
			next = l.Next
		}
		return ids
	}
	distinct := func(ids []string) int {
		m := map[string]bool{}
		for _, id := range ids {
			m[id] = true
		}
		return len(m)
	}
	if n := distinct(read()); n != 15 {
		t.Fatalf("%d people without the fault, want 15", n)
	}
	if err := s.Fault(sim.Rule{Vendor: sim.Graph, Action: sim.Action{RepeatPage: 1}}); err != nil {
		t.Fatal(err)
	}
	if ids := read(); len(ids) != 15 || distinct(ids) != 10 {
		t.Errorf("%d entries, %d people; want 15 and 10", len(ids), distinct(ids))
	}
}

func TestFaultAfterEffect(t *testing.T) {
	for name, action := range map[string]sim.Action{"drop": {Drop: "after"}, "status": {Status: 504, AfterEffect: true}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, world.Quickstart())
			bearer := token(t, s, s.URLs().Login, "https://outlook.office365.com")
			yes := true
			if err := s.Fault(sim.Rule{Vendor: sim.Exchange, Operation: "new-inboundconnector", Changing: &yes, Times: 1, Action: action}); err != nil {
				t.Fatal(err)
			}
			create := func() (int, string, error) {
				return call(t, s.Client(), "POST", s.URLs().Exchange+"/adminapi/beta/"+contoso+"/InvokeCommand",
					`{"CmdletInput":{"CmdletName":"New-InboundConnector","Parameters":{"Name":"In","SenderDomains":["*"]}}}`, "Authorization", bearer, "Content-Type", "application/json")
			}
			status, _, err := create()
			if name == "drop" && err == nil || name == "status" && status != 504 {
				t.Errorf("%d %v", status, err)
			}
			if n := len(s.World().Tenant(contoso).Exchange.Inbound); n != 1 {
				t.Fatalf("%d connectors, want the one whose answer was lost", n)
			}
			if status, _, err = create(); err != nil || status == 200 {
				t.Errorf("the second call: %d %v, want a refusal of the doubled name", status, err)
			}
			changing := s.Changing()
			if len(changing) != 2 || changing[0].Fault == "" || changing[1].Fault != "" || changing[0].Operation != "New-InboundConnector" {
				t.Errorf("journal %+v", changing)
			}
		})
	}
}

func TestFaultStaleRead(t *testing.T) {
	s := start(t, world.Quickstart())
	c := s.World().Credentials()
	read := func() string {
		_, body, err := call(t, s.Client(), "GET", s.URLs().Essentials+"/api/v1/orgs/msp.example", "", "X-User", c.EssentialsUser, "X-Password", c.EssentialsPassword)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	if err := s.Fault(sim.Rule{Vendor: sim.Essentials, Times: 1, Action: sim.Action{Stale: true}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Portal(`{"organization": "msp.example", "set": {"name": "Renamed"}}`); err != nil {
		t.Fatal(err)
	}
	if b := read(); strings.Contains(b, "Renamed") {
		t.Errorf("the first read is not stale: %s", b)
	}
	if b := read(); !strings.Contains(b, "Renamed") {
		t.Errorf("the second read is stale: %s", b)
	}
}

func TestControl(t *testing.T) {
	s := start(t, world.Quickstart())
	control := s.URLs().Control
	do := func(method, path, body string) (int, string) {
		t.Helper()
		status, got, err := call(t, s.Client(), method, control+path, body)
		if err != nil {
			t.Fatal(err)
		}
		return status, got
	}
	for _, row := range []struct {
		method, path, body string
		status             int
		text               string
	}{
		{"GET", "/healthz", "", 200, "quickstart"},
		{"GET", "/clock", "", 200, "2026-11-23T08:00:00Z"},
		{"POST", "/clock", `{"advance":"24h"}`, 200, "2026-11-24T08:00:00Z"},
		{"POST", "/clock", `{"set":"2026-12-01T00:00:00Z"}`, 200, "2026-12-01T00:00:00Z"},
		{"POST", "/clock", `{"set":"2026-11-01T00:00:00Z"}`, 400, "cannot go back"},
		{"POST", "/clock", `{"advance":"soon"}`, 400, "no duration"},
		{"POST", "/clock", `{}`, 400, "either"},
		{"POST", "/faults", `{"vendor":"graph","action":{"status":429,"retry_after":"1.5"}}`, 200, `"fault-1"`},
		{"POST", "/faults", `[{"id":"mine","action":{"latency":"10ms"}}]`, 200, `"mine"`},
		{"POST", "/faults", `{"faults":[{"vendor":"dns","action":{"status":2}}]}`, 200, `"fault-3"`},
		{"POST", "/faults", `{"vendor":"teams","action":{"status":429}}`, 400, "want login"},
		{"POST", "/faults", `{"action":{}}`, 400, "says nothing"},
		{"POST", "/faults", `{"action":{"statsu":500}}`, 400, "statsu"},
		{"POST", "/faults", `{"path":"^(","action":{"status":500}}`, 400, "path"},
		{"GET", "/faults", "", 200, `"1.5"`},
		{"DELETE", "/faults", "", 204, ""},
		{"POST", "/portal", `{"edits":[{"tenant":"contoso.example","person":"alice@contoso.example","set":{"department":"Board"}}]}`, 200, "1"},
		{"POST", "/portal", `{"edits":[{"tenant":"contoso.example","person":"nobody@contoso.example","set":{"department":"Board"}}]}`, 400, "bob@contoso.example"},
		{"POST", "/portal", `{}`, 400, "edits"},
		{"GET", "/world", "", 200, `"Board"`},
		{"GET", "/world?comparable=1", "", 200, `"Board"`},
		{"POST", "/identity-token", `{"issuer":"https://ci.example","subject":"s","audience":"a"}`, 200, "value"},
		{"POST", "/identity-token", `{"issuer":"https://other.example","subject":"s","audience":"a"}`, 400, "not declared"},
		{"GET", "/journal", "", 200, ""},
		{"DELETE", "/journal", "", 204, ""},
	} {
		status, body := do(row.method, row.path, row.body)
		if status != row.status || !strings.Contains(body, row.text) {
			t.Errorf("%s %s %s: %d %.300s", row.method, row.path, row.body, status, body)
		}
	}
}

func TestFaultOfAnOperation(t *testing.T) {
	s := start(t, world.Quickstart())
	c := s.World().Credentials()
	if err := s.Fault(sim.Rule{Vendor: sim.Essentials, Operation: "post /orgs/{d}/users", Tenant: "msp.example", Action: sim.Action{Status: 429, RetryAfter: "3"}}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/api/v1/orgs/msp.example/users": 429, "/us1/api/v1/orgs/msp.example/users/": 429, "/api/v1/orgs/msp.example/domains": 400} {
		status, body, err := call(t, s.Client(), "POST", s.URLs().Essentials+path, "{", "Content-Type", "application/json", "X-User", c.EssentialsUser, "X-Password", c.EssentialsPassword)
		if err != nil || status != want {
			t.Errorf("%s: %d %s %v", path, status, body, err)
		}
	}
	for _, e := range s.Changing() {
		if e.Status == 429 && (e.Operation != "POST /orgs/{d}/users" || e.Tenant != "msp.example" || e.Fault != "fault-1" || !strings.HasPrefix(e.Path, "/api/")) {
			t.Errorf("%+v", e)
		}
	}
}

func TestClockRunsTheHostedSync(t *testing.T) {
	s := start(t, world.MSP())
	s.World().RLock()
	o := s.World().Organization("northwind.example")
	before := *o.Azure.LastSync
	s.World().RUnlock()
	if err := s.Advance(24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	s.World().RLock()
	defer s.World().RUnlock()
	if !o.Azure.LastSync.After(before) {
		t.Errorf("the last sync is still at %s", before)
	}
}

func TestEnv(t *testing.T) {
	s := start(t, world.Quickstart())
	path := filepath.Join(t.TempDir(), "env")
	if err := s.WriteEnv(path); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"WEIR_SIM_LOGIN_URL", "WEIR_SIM_GRAPH_URL", "WEIR_SIM_EXCHANGE_URL", "WEIR_SIM_ESSENTIALS_URL", "WEIR_SIM_CONTROL_URL",
		"WEIR_SIM_DNS", "WEIR_SIM_CA_FILE", "WEIR_SIM_REALM", "ESSENTIALS_USER", "ESSENTIALS_PASSWORD", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"} {
		if !bytes.Contains(raw, []byte("export "+k+"='")) || bytes.Contains(raw, []byte(k+"=''")) {
			t.Errorf("%s is missing in\n%s", k, raw)
		}
	}
	if pem, err := os.ReadFile(s.CAFile()); err != nil || !bytes.Equal(pem, s.CA()) {
		t.Errorf("authority file: %v", err)
	}
}

func TestJournalIsBounded(t *testing.T) {
	s, err := sim.Start(sim.Options{World: world.Quickstart(), JournalLimit: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	for range 5 {
		if _, _, err := call(t, s.Client(), "GET", s.URLs().Graph+"/v1.0/users", ""); err != nil {
			t.Fatal(err)
		}
	}
	j := s.Journal()
	if len(j) != 3 || j[0].Seq != 3 || j[2].Seq != 5 {
		t.Errorf("%+v", j)
	}
}

func TestStartRefusesOtherAddresses(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "192.0.2.1:443", "nonsense"} {
		if s, err := sim.Start(sim.Options{World: world.Quickstart(), Listen: addr}); err == nil {
			_ = s.Close()
			t.Errorf("%s was accepted", addr)
		}
	}
}

// TestBuiltInWorldsAreServed reads everything of each tenant of the msp world from every vendor: what a generator writes
// must be what the vendors' handlers understand.
func TestBuiltInWorldsAreServed(t *testing.T) {
	s := start(t, world.MSP())
	c := s.World().Credentials()
	for domain, want := range map[string][5]int{ // people, groups, inbound, outbound, rules
		"contoso.example":   {15, 3, 0, 0, 0},
		"northwind.example": {133, 12, 2, 1, 2},
		"fabrikam.example":  {1500, 60, 1, 0, 0},
	} {
		t.Run(domain, func(t *testing.T) {
			bearer := func(resource string) string {
				form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}, "scope": {resource + "/.default"}}
				status, body, err := call(t, s.Client(), "POST", s.URLs().Login+"/"+domain+"/oauth2/v2.0/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
				var got struct {
					Token string `json:"access_token"`
				}
				if err != nil || status != 200 || json.Unmarshal([]byte(body), &got) != nil {
					t.Fatalf("token: %d %s %v", status, body, err)
				}
				return "Bearer " + got.Token
			}
			graph, exchange := bearer("https://graph.microsoft.com"), bearer("https://outlook.office365.com")
			list := func(path string) map[string]bool {
				ids, next := map[string]bool{}, s.URLs().Graph+"/v1.0/"+path
				for next != "" {
					status, body, err := call(t, s.Client(), "GET", next, "", "Authorization", graph)
					var l struct {
						Value []struct{ ID string }
						Next  string `json:"@odata.nextLink"`
					}
					if err != nil || status != 200 || json.Unmarshal([]byte(body), &l) != nil {
						t.Fatalf("%s: %d %.300s %v", path, status, body, err)
					}
					for _, v := range l.Value {
						ids[v.ID] = true
					}
					next = l.Next
				}
				return ids
			}
			s.World().RLock()
			tn := s.World().Tenant(domain)
			people, groups := len(tn.People), len(tn.Groups)
			s.World().RUnlock()
			if people != want[0] || groups != want[1] {
				t.Errorf("%d people, %d groups", people, groups)
			}
			for path, want := range map[string]int{"users?$top=999": people, "groups?$top=999": groups, "users/delta": people, "groups/delta?$select=displayName,members": groups} {
				if got := len(list(path)); got < want {
					t.Errorf("%s: %d objects, want %d", path, got, want)
				}
			}
			for _, path := range []string{"domains", "organization", "applications", "servicePrincipals", "contacts"} {
				list(path)
			}
			cmdlets := map[string]int{"Get-InboundConnector": want[2], "Get-OutboundConnector": want[3], "Get-TransportRule": want[4],
				"Get-HostedConnectionFilterPolicy": -1, "Get-OrganizationConfig": -1, "Get-AcceptedDomain": -1, "Get-Mailbox": -1, "Get-DynamicDistributionGroup": -1}
			for name, want := range cmdlets {
				status, body, err := call(t, s.Client(), "POST", s.URLs().Exchange+"/adminapi/beta/"+domain+"/InvokeCommand",
					`{"CmdletInput":{"CmdletName":"`+name+`","Parameters":{}}}`, "Authorization", exchange, "Content-Type", "application/json")
				var l struct{ Value []json.RawMessage }
				if err != nil || status != 200 || json.Unmarshal([]byte(body), &l) != nil || want >= 0 && len(l.Value) != want {
					t.Errorf("%s: %d %.300s %v", name, status, body, err)
				}
			}
			for path, status := range map[string]int{"": 200, "/users": 200, "/domains": 200, "/features": 200, "/settings/azure/exemptions": 200} {
				if domain == "contoso.example" {
					status = 404
				}
				got, body, err := call(t, s.Client(), "GET", s.URLs().Essentials+"/us1/api/v1/orgs/"+domain+path, "", "X-User", c.EssentialsUser, "X-Password", c.EssentialsPassword)
				if err != nil || got != status {
					t.Errorf("%s: %d %.300s %v", path, got, body, err)
				}
			}
		})
	}
	for _, e := range s.Journal() {
		if e.Unimplemented || e.Status >= 500 {
			t.Errorf("%+v", e)
		}
	}
}
