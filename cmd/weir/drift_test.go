package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

// everyType is added to the quick start so that each resource type stands in one folder, with settings that a person can
// change back and forth.
const everyType = `
account "printer" {
  tenant     = tenant.contoso
  email      = "printer@contoso.example"
  type       = "functional_account"
  first_name = "Front"
  last_name  = "Printer"
  aliases    = ["scans@contoso.example"]
}

domain "branch" {
  tenant      = tenant.contoso
  name        = "branch.contoso.example"
  purpose     = "relay"
  destination = "mail.branch.contoso.example"
  verify      = false
}

exemption "visitors" {
  tenant    = tenant.contoso
  addresses = ["visitor1@contoso.example", "visitor2@contoso.example"]
  reason    = "shared by guests"
}
`

// managed is the quick start with every type in it, applied: mail arrives through the gateway, so that everything that
// waits for that is on.
func managed(t *testing.T) *site {
	t.Helper()
	s := newSite(t, "quickstart", world.Quickstart())
	s.write("every.weir.hcl", everyType)
	s.rewrite("main.weir.hcl", "  admin {", "  login {\n    microsoft = \"allowed\"\n    local     = true\n  }\n\n  admin {")
	s.rewrite("main.weir.hcl", "  direction = \"inbound\"", "  direction             = \"inbound\"\n  restrict_to_ip_ranges = true\n  enabled               = true")
	s.rewrite("main.weir.hcl", "  set_scl          = -1", "  set_scl          = -1\n  enabled          = true\n  mode             = \"enforce\"")
	s.portal(
		fmt.Sprintf(`{"zone": "contoso.example", "txt": ["v=spf1 include:_spf-us.ppe-hosted.com -all", %q]}`, s.server.World().VerificationCode("contoso.example")),
		fmt.Sprintf(`{"zone": "contoso.onmicrosoft.example", "txt": [%q]}`, s.server.World().VerificationCode("contoso.onmicrosoft.example")),
		`{"zone": "contoso.example", "mx": [{"host": "mx1-us1.ppe-hosted.com", "preference": 10}]}`,
		`{"zone": "contoso.example", "name": "branch.contoso.example", "mx": [{"host": "mx1-us1.ppe-hosted.com", "preference": 10}]}`,
		`{"zone": "contoso.example", "name": "branch.contoso.example", "txt": ["v=spf1 include:_spf-us.ppe-hosted.com -all"]}`)
	s.weir(0, "apply", "--auto-approve")
	s.settle()
	s.empty()
	s.changes()
	return s
}

// settle lets the time pass until vendors show everything that was written.
func (s *site) settle() {
	s.t.Helper()
	if err := s.server.Advance(10 * time.Minute); err != nil {
		s.t.Fatal(err)
	}
}

// TestDriftOfEveryType: a change that a person makes in a portal is found and named with the value that Weir left and
// the one found, apply puts it back with the calls that this takes and no other, and then there is nothing to do.
func TestDriftOfEveryType(t *testing.T) {
	const organization, tenant, people = `{"organization": "contoso.example", `, `{"tenant": "contoso.example", `, `sync_policy.people`
	const app = `Proofpoint Essentials Azure AD Sync`
	const inbound, outbound = `Inbound Connector for Proofpoint Essentials`, `Outbound Connector for Proofpoint Essentials`
	const rule = `Bypass Spam Filtering for Proofpoint Essentials`
	cases := []struct {
		name    string
		edits   []any
		address string
		// attribute, old and found are what drift must say.
		attribute, old, found string
		// calls are the operations that repair it, all of them.
		calls []string
	}{
		{"name", []any{organization + `"set": {"name": "Contoso GmbH"}}`}, "tenant.contoso", "name", `"Contoso Ltd"`, `"Contoso GmbH"`, []string{"PATCH /orgs/{d}"}},
		{"feature", []any{organization + `"features": {"url_defense": false}}`}, "tenant.contoso", "features.url_defense", "true", "false", []string{"PUT /orgs/{d}/features"}},
		{"login with Microsoft", []any{organization + `"login": {"allow_azure_login": false}}`}, "tenant.contoso", "login.microsoft", `"allowed"`, `"disabled"`, []string{"PUT /orgs/{d}/authentication/settings/login"}},
		{"local login", []any{organization + `"login": {"allow_local_login": false}}`}, "tenant.contoso", "login.local", "true", "false", []string{"PUT /orgs/{d}/authentication/settings/login"}},
		{"destination", []any{organization + `"domain": "contoso.example", "set": {"destination": "elsewhere.example"}}`}, "domain.mail", "destination", `"contoso-example.mail.protection.outlook.com"`, `"elsewhere.example"`, []string{"PUT /orgs/{d}/domains/{t}"}},
		{"purpose", []any{organization + `"domain": "contoso.onmicrosoft.example", "set": {"is_relay": true}}`}, `domain.known["contoso.onmicrosoft.example"]`, "purpose", `"management"`, `"relay"`, []string{"PUT /orgs/{d}/domains/{t}"}},
		{"frequency", []any{organization + `"azure": {"sync_frequency": 6}}`}, people, "hosted.frequency", `"never"`, `"6h"`, []string{"PUT /orgs/{d}/settings/azure"}},
		{"what the hosted sync does", []any{organization + `"azure": {"add_users": false}}`}, people, "hosted.add_users", "true", "false", []string{"PUT /orgs/{d}/settings/azure"}},
		{"what the hosted sync brings", []any{organization + `"azure": {"sync_security_groups": false}}`}, people, "hosted.sync", "", "security_groups", []string{"PUT /orgs/{d}/settings/azure"}},
		{"application", []any{organization + `"azure": {"application_id": "00000000-0000-0000-0000-00000000000a"}}`}, people, "connection.application.client_id", "", "00000000-0000-0000-0000-00000000000a", []string{"POST /applications/{id}/addPassword", "PUT /orgs/{d}/settings/azure", "POST /applications/{id}/removePassword"}},
		{"connection", []any{organization + `"azure": {"primary_domain": "elsewhere.example"}}`}, people, "connection.primary_domain", `"contoso.example"`, `"elsewhere.example"`, []string{"PUT /orgs/{d}/settings/azure"}},
		{"exemption removed", []any{organization + `"exemptions": {"remove": ["visitor1@contoso.example"]}}`}, "exemption.visitors", "protects", "visitor1@contoso.example", "", []string{"PUT /orgs/{d}/settings/azure/exemptions"}},
		{"declared account disabled", []any{organization + `"user": "printer@contoso.example", "set": {"is_active": false}}`}, "account.printer", "active", "true", "false", []string{"PUT /orgs/{d}/users/{user}"}},
		{"declared account renamed", []any{organization + `"user": "printer@contoso.example", "set": {"surname": "Desk"}}`}, "account.printer", "last_name", `"Printer"`, `"Desk"`, []string{"PUT /orgs/{d}/users/{user}"}},
		{"declared account without alias", []any{organization + `"user": "printer@contoso.example", "set": {"alias_emails": []}}`}, "account.printer", "aliases", "scans@contoso.example", "", []string{"PUT /orgs/{d}/users/{user}"}},
		{"redirect URI", []any{tenant + `"application": "` + app + `", "set": {"redirect_uris": ["https://us1.proofpointessentials.com", "https://elsewhere.example"]}}`}, "app_registration.sync", "redirect_uris", "", "https://elsewhere.example", []string{"PATCH /applications/{id}"}},
		{"application renamed", []any{tenant + `"application": "` + app + `", "set": {"display_name": "Sync"}}`}, "app_registration.sync", "name", `"` + app + `"`, `"Sync"`, []string{"PATCH /applications/{id}"}},
		{"permission removed", []any{tenant + `"application": "` + app + `", "set": {"required_resource_access": []}}`}, "app_registration.sync", "permissions", "Directory.Read.All (application)", "", []string{"PATCH /applications/{id}"}},
		{"consent revoked", []any{tenant + `"grant": "Directory.Read.All", "principal": "` + app + `", "remove": true}`}, "app_registration.sync", "granted", "Directory.Read.All (application)", "", []string{"POST /servicePrincipals/{id}/appRoleAssignments"}},
		{"inbound disabled", []any{tenant + `"inbound": "` + inbound + `", "set": {"Enabled": false}}`}, "m365_connector.inbound", "enabled", "true", "false", []string{"Set-InboundConnector"}},
		{"inbound ranges", []any{tenant + `"inbound": "` + inbound + `", "set": {"SenderIPAddresses": ["192.0.2.0/24"]}}`}, "m365_connector.inbound", "sender_ip_ranges", "148.163.128.0/24", "192.0.2.0/24", []string{"Set-InboundConnector"}},
		{"inbound restriction", []any{tenant + `"inbound": "` + inbound + `", "set": {"RestrictDomainsToIPAddresses": false}}`}, "m365_connector.inbound", "restrict_to_ip_ranges", "true", "false", []string{"Set-InboundConnector"}},
		{"inbound TLS", []any{tenant + `"inbound": "` + inbound + `", "set": {"RequireTls": false}}`}, "m365_connector.inbound", "require_tls", "true", "false", []string{"Set-InboundConnector"}},
		{"outbound disabled", []any{tenant + `"outbound": "` + outbound + `", "set": {"Enabled": false}}`}, "m365_connector.outbound", "enabled", "true", "false", []string{"Set-OutboundConnector"}},
		{"outbound smart host", []any{tenant + `"outbound": "` + outbound + `", "set": {"SmartHosts": ["relay.elsewhere.example"]}}`}, "m365_connector.outbound", "smart_hosts", "outbound-us1.ppe-hosted.com", "relay.elsewhere.example", []string{"Set-OutboundConnector"}},
		{"rule level", []any{tenant + `"rule": "` + rule + `", "set": {"SetSCL": 5}}`}, "mail_flow_rule.bypass", "set_scl", "-1", "5", []string{"Set-TransportRule"}},
		{"rule ranges", []any{tenant + `"rule": "` + rule + `", "set": {"SenderIpRanges": ["192.0.2.0/24"]}}`}, "mail_flow_rule.bypass", "sender_ip_ranges", "67.231.144.0/24", "192.0.2.0/24", []string{"Set-TransportRule"}},
		{"rule disabled", []any{tenant + `"rule": "` + rule + `", "set": {"Enabled": false}}`}, "mail_flow_rule.bypass", "enabled", "true", "false", []string{"Enable-TransportRule"}},
		{"rule mode", []any{tenant + `"rule": "` + rule + `", "set": {"Mode": "Audit"}}`}, "mail_flow_rule.bypass", "mode", `"enforce"`, `"audit"`, []string{"Set-TransportRule"}},
		{"derived account renamed", []any{organization + `"user": "alice@contoso.example", "set": {"surname": "Changed"}}`}, people + `.account["alice@contoso.example"]`, "", "Archer", "Changed", []string{"PUT /orgs/{d}/users/{user}"}},
		{"derived account disabled", []any{organization + `"user": "bob@contoso.example", "set": {"is_active": false}}`}, people + `.account["bob@contoso.example"]`, "", "true", "false", []string{"PUT /orgs/{d}/users/{user}"}},
	}
	s := managed(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			before := s.lasting()
			s.portal(c.edits...)
			out := s.weir(3, "drift")
			for _, want := range []string{c.address, c.attribute, c.old, c.found} {
				if !strings.Contains(out, want) {
					t.Errorf("drift does not say %s:\n%s", want, out)
				}
			}
			if n := len(driftedAddress.FindAllString(out, -1)); n != 1 {
				t.Errorf("drift names %d objects:\n%s", n, out)
			}
			s.weir(0, "apply", "--auto-approve")
			s.called(c.calls)
			s.settle()
			s.empty()
			s.weir(0, "drift")
			if after := s.lasting(); after != before {
				t.Errorf("the world is not as it was:\n%s", firstDifference(before, after))
			}
		})
	}
}

// lasting is comparable with everything that is issued anew put as the same.
func (s *site) lasting() string { return issued.ReplaceAllString(s.comparable(), "issued") }

var issued = regexp.MustCompile(`(CANARY-app|weir-op)-[0-9a-f]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|"eid": [0-9]+`)

// TestSecretTakenAway: a client secret that somebody removed is issued again and reaches Essentials, once.
func TestSecretTakenAway(t *testing.T) {
	s := managed(t)
	first := s.credential()
	s.portal(`{"tenant": "contoso.example", "application": "Proofpoint Essentials Azure AD Sync", "secret": "` + first.KeyID + `", "remove": true}`)
	out := s.weir(3, "drift")
	for _, want := range []string{"app_registration.sync", "secret_key_id", first.KeyID} {
		if !strings.Contains(out, want) {
			t.Errorf("drift does not say %s:\n%s", want, out)
		}
	}
	s.weir(0, "apply", "--auto-approve")
	s.called([]string{"POST /applications/{id}/addPassword", "PUT /orgs/{d}/settings/azure"})
	if again := s.credential(); again.KeyID == first.KeyID {
		t.Error("the secret is the one that was removed")
	}
	s.settle()
	s.empty()
	s.weir(0, "drift")
}

// credential is the one client secret of Contoso's application, which must be what Essentials signs in with.
func (s *site) credential() world.Secret {
	s.t.Helper()
	secret, err := s.lookCredential()
	if err != nil {
		s.t.Fatal(err)
	}
	return secret
}

func (s *site) lookCredential() (world.Secret, error) {
	w := s.server.World()
	w.RLock()
	defer w.RUnlock()
	var ours []*world.Application
	for _, a := range w.Tenant("contoso.example").Applications {
		if strings.HasPrefix(a.UniqueName, "weir-") {
			ours = append(ours, a)
		}
	}
	if len(ours) != 1 || len(ours[0].Secrets) != 1 {
		return world.Secret{}, fmt.Errorf("the credential: %d applications that Weir made, want one with one secret", len(ours))
	}
	have := w.Organization("contoso.example").Azure
	if have == nil || have.ADKey != ours[0].Secrets[0].Value || have.ApplicationID != ours[0].AppID {
		return world.Secret{}, errors.New("the credential that Essentials signs in with is not the application's secret")
	}
	return *ours[0].Secrets[0], nil
}

// TestDeletedInThePortal: what somebody deleted is found to be gone, made again, and then there is nothing to do.
func TestDeletedInThePortal(t *testing.T) {
	const organization, tenant = `{"organization": "contoso.example", `, `{"tenant": "contoso.example", `
	cases := []struct{ name, edit, address, says string }{
		{"domain", organization + `"domain": "contoso.onmicrosoft.example", "remove": true}`, `domain.known["contoso.onmicrosoft.example"]`, "gone"},
		{"sync settings", organization + `"azure": null}`, "sync_policy.people", "not set"},
		{"exemption", organization + `"exemptions": {"remove": ["breakglass@contoso.example"]}}`, "exemption.break_glass", "gone"},
		{"declared account", organization + `"user": "printer@contoso.example", "remove": true}`, "account.printer", "gone"},
		{"derived account", organization + `"user": "carla@contoso.example", "remove": true}`, `sync_policy.people.account["carla@contoso.example"]`, ""},
		{"inbound connector", tenant + `"inbound": "Inbound Connector for Proofpoint Essentials", "remove": true}`, "m365_connector.inbound", "gone"},
		{"outbound connector", tenant + `"outbound": "Outbound Connector for Proofpoint Essentials", "remove": true}`, "m365_connector.outbound", "gone"},
		{"rule", tenant + `"rule": "Bypass Spam Filtering for Proofpoint Essentials", "remove": true}`, "mail_flow_rule.bypass", "gone"},
		{"application", tenant + `"application": "Proofpoint Essentials Azure AD Sync", "remove": true}`, "app_registration.sync", "gone"},
		{"relay domain", organization + `"domain": "branch.contoso.example", "remove": true}`, "domain.branch", "gone"},
		{"organization", organization + `"remove": true}`, "tenant.contoso", "gone"},
	}
	s := managed(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			before := s.lasting()
			s.portal(c.edit)
			out := s.weir(3, "drift")
			if !strings.Contains(out, c.address) || !strings.Contains(out, c.says) {
				t.Errorf("drift does not say that %s is %s:\n%s", c.address, c.says, out)
			}
			s.weir(0, "apply", "--auto-approve")
			s.settle()
			s.empty()
			s.weir(0, "drift")
			s.credential()
			if after := s.lasting(); after != before {
				t.Errorf("the world is not as it was:\n%s", firstDifference(before, after))
			}
		})
	}
}

// TestNotVisibleYet: an object that Weir has just made and that a replica does not show yet is neither gone nor made
// again. Past its time it is.
func TestNotVisibleYet(t *testing.T) {
	for name, rule := range map[string]sim.Rule{
		"app_registration.sync":   {Vendor: sim.Graph, Path: "/v1.0/applications*", Action: sim.Action{EmptyList: true}},
		"m365_connector.inbound":  {Vendor: sim.Exchange, Operation: "Get-InboundConnector", Action: sim.Action{EmptyList: true}},
		"m365_connector.outbound": {Vendor: sim.Exchange, Operation: "Get-OutboundConnector", Action: sim.Action{EmptyList: true}},
		"mail_flow_rule.bypass":   {Vendor: sim.Exchange, Operation: "Get-TransportRule", Action: sim.Action{EmptyList: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "quickstart", world.Quickstart())
			s.weir(0, "apply", "--auto-approve")
			s.changes()
			if err := s.server.Fault(rule); err != nil {
				t.Fatal(err)
			}
			if out := s.weir(0, "plan", "--detailed-exitcode"); !strings.Contains(out, name+" was made and is not visible yet") {
				t.Errorf("the plan does not say that %s is not visible yet:\n%s", name, out)
			}
			s.weir(0, "drift")
			s.weir(0, "apply", "--auto-approve")
			s.called(nil)
			s.settle()
			if out := s.weir(3, "drift"); !strings.Contains(out, name) {
				t.Errorf("drift does not name %s:\n%s", name, out)
			}
		})
	}
}

// TestNotVisibleYetIsNotForgotten: taken down at once, an object that a replica does not show yet stays in state, and
// goes when it shows.
func TestNotVisibleYetIsNotForgotten(t *testing.T) {
	s := newSite(t, "quickstart", world.Quickstart())
	before := s.comparable()
	s.weir(0, "apply", "--auto-approve")
	if err := s.server.Fault(sim.Rule{Vendor: sim.Exchange, Operation: "Get-InboundConnector", Action: sim.Action{EmptyList: true}}); err != nil {
		t.Fatal(err)
	}
	s.weir(6, "destroy", "--auto-approve")
	s.server.ClearFaults()
	s.weir(0, "destroy", "--auto-approve")
	if after := s.comparable(); after != before {
		t.Errorf("the world is not as it was:\n%s", firstDifference(before, after))
	}
}

// TestLeftOutIsNotDrift: what a block leaves out is not managed, also where Weir chose its first value.
func TestLeftOutIsNotDrift(t *testing.T) {
	s := newSite(t, "quickstart", world.Quickstart())
	s.weir(0, "apply", "--auto-approve")
	s.settle()
	s.portal(`{"tenant": "contoso.example", "inbound": "Inbound Connector for Proofpoint Essentials", "set": {"RestrictDomainsToIPAddresses": true}}`)
	s.weir(0, "drift")
	s.empty()
}

var driftedAddress = regexp.MustCompile(`(?m)^  [~+-] `)

// called fails the test unless the changing calls since the last look are the operations named, in any order.
func (s *site) called(operations []string) {
	s.t.Helper()
	got := s.changes()
	left := slices.Clone(got)
	for _, o := range operations {
		i := slices.IndexFunc(left, func(line string) bool { return strings.HasSuffix(line, " "+o) })
		if i < 0 {
			s.t.Errorf("no call %s among\n%s", o, strings.Join(got, "\n"))
			return
		}
		left = slices.Delete(left, i, i+1)
	}
	if len(left) > 0 {
		s.t.Errorf("other changing calls than %q:\n%s", operations, strings.Join(left, "\n"))
	}
}

// firstDifference shows where two texts part.
func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			from := max(0, i-6)
			return "before:\n" + strings.Join(x[from:min(len(x), i+3)], "\n") + "\nafter:\n" + strings.Join(y[from:min(len(y), i+3)], "\n")
		}
	}
	return "one is longer"
}
