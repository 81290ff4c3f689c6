package doctor

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/vendordata"
)

var now = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func object(members map[string]cty.Value) cty.Value { return cty.ObjectVal(members) }

func list(all ...string) cty.Value { return resource.StringSet(all) }

const appID = "0c3f9c2e-5a7d-4a0b-9a39-7f1f0a1b2c3d"

func application() map[string]cty.Value {
	permissions := list(slices.Concat(applicationPermissions, delegatedPermissions)...)
	return map[string]cty.Value{
		"name": cty.StringVal("Sync"), "client_id": cty.StringVal(appID), "audience": cty.StringVal("AzureADMyOrg"),
		"redirect_uris": list("https://us1.proofpointessentials.com"), "permissions": permissions, "granted": permissions,
		"service_principal_id": cty.StringVal("sp"), "principal_enabled": cty.True,
	}
}

func settings(frequency, last string) map[string]cty.Value {
	when := cty.NullVal(cty.String)
	if last != "" {
		when = cty.StringVal(last)
	}
	return map[string]cty.Value{
		"connection":    object(map[string]cty.Value{"application": object(map[string]cty.Value{"client_id": cty.StringVal(appID)})}),
		"hosted":        object(map[string]cty.Value{"frequency": cty.StringVal(frequency)}),
		"secret_expiry": cty.StringVal("2028-01-31"), "last_successful_sync": when,
	}
}

func yes() *bool { b := true; return &b }

// healthy is a tenant about which there is nothing to say: mail arrives through the gateway and nowhere else.
func healthy(t *testing.T) Request {
	t.Helper()
	gateway, err := vendordata.Lookup("us1", "")
	if err != nil {
		t.Fatal(err)
	}
	one := func(v map[string]cty.Value) planner.Reading {
		return planner.Reading{Live: []resource.Live{{ID: "1", Value: object(v)}}}
	}
	ada := &directory.Entry{ObjectID: "o1", Kind: directory.User, Address: "ada@c.com", UPN: "ada@c.com", Enabled: true, Mobile: "+1 555 0100"}
	info := &directory.Entry{ObjectID: "o2", Kind: directory.SharedMailbox, Address: "info@c.com"}
	return Request{
		Tenant:  resource.Identity{Key: "c", PrimaryDomain: "c.com", Parent: "msp.com", EntraTenantID: "3f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10", Stack: "us1"},
		Stacks:  []string{"us1"},
		Gateway: gateway, Now: now,
		Wanted: map[string]cty.Value{"tenant.c": object(map[string]cty.Value{
			"attest": object(map[string]cty.Value{"integrations_allowed": cty.True, "tech_contact": cty.StringVal("noc@msp.com")}),
		})},
		Observed: &planner.Observation{
			Objects: map[string]planner.Reading{
				"tenant": one(map[string]cty.Value{
					"login": object(map[string]cty.Value{"microsoft": cty.StringVal("allowed"), "local": cty.True}),
					"mfa":   object(map[string]cty.Value{"enabled": cty.True}),
				}),
				"domain":           one(map[string]cty.Value{"name": cty.StringVal("c.com"), "purpose": cty.StringVal("relay"), "active": cty.True}),
				"sync_policy":      one(settings("1h", "2026-11-23T07:00:00Z")),
				"app_registration": one(application()),
				"m365_connector": one(map[string]cty.Value{"direction": cty.StringVal("inbound"), "enabled": cty.True, "connector_type": cty.StringVal("Partner"),
					"restrict_to_ip_ranges": cty.True}),
				"mail_flow_rule": one(map[string]cty.Value{"enabled": cty.True, "mode": cty.StringVal("enforce"), "set_scl": cty.NumberIntVal(-1),
					"sender_ip_ranges": list(gateway.DeliveryRanges...)}),
			},
			Directory: &directory.Reading{Proof: directory.Proof{Complete: true}, Domains: []string{"c.com"}, Entries: []*directory.Entry{ada, info}},
			Accounts: &directory.AccountReading{Proof: directory.Proof{Complete: true}, Accounts: []*directory.Account{
				{UID: 1, Address: "ada@c.com", Type: directory.OrganizationAdmin, Active: true, Billable: true},
				{UID: 2, Address: "info@c.com", Type: directory.FunctionalAccount, Active: true, Billable: true},
			}},
			Mail: resource.MailFacts{"c.com": {MXAtGateway: yes(), SPFReady: yes()}},
		},
	}
}

// set replaces members of the one object of a type.
func set(r *Request, name string, members map[string]cty.Value) {
	all := r.Observed.Objects[name]
	v := map[string]cty.Value{}
	for k, x := range all.Live[0].Value.AsValueMap() {
		v[k] = x
	}
	for k, x := range members {
		v[k] = x
	}
	r.Observed.Objects[name] = planner.Reading{Live: []resource.Live{{ID: "1", Value: object(v)}}}
}

func rules(r Result) string {
	var out []string
	for _, f := range r.Findings {
		out = append(out, f.Rule)
	}
	return strings.Join(out, " ")
}

// TestExamine changes one thing of a healthy tenant a row and says every finding.
func TestExamine(t *testing.T) {
	app := func(name string, v cty.Value) func(*Request) {
		return func(r *Request) { set(r, "app_registration", map[string]cty.Value{name: v}) }
	}
	login := func(microsoft string, local bool) func(*Request) {
		return func(r *Request) {
			set(r, "tenant", map[string]cty.Value{"login": object(map[string]cty.Value{"microsoft": cty.StringVal(microsoft), "local": cty.BoolVal(local)})})
		}
	}
	all := slices.Concat(applicationPermissions, delegatedPermissions)
	for _, row := range []struct {
		name   string
		change func(*Request)
		want   string
	}{
		{"healthy", func(*Request) {}, ""},
		{"GCC High", func(r *Request) { r.Observed.Cloud = "DODCON" }, "R2"},
		{"GCC is supported", func(r *Request) { r.Observed.Cloud = "GCC" }, ""},
		{"multi-tenant application", app("audience", cty.StringVal("AzureADMultipleOrgs")), "R6"},
		{"redirect to another stack", app("redirect_uris", list("https://us2.proofpointessentials.com")), "R7"},
		{"redirect to a page of the console", app("redirect_uris", list("https://US1.proofpointessentials.com/login")), ""},
		{"delegated permission missing", app("permissions", list(all[:3]...)), "R8"},
		{"User.Read", app("permissions", list(append(slices.Clone(all), untickedPermission)...)), "R8"},
		{"application permission missing", app("permissions", list(all[1:]...)), "R9"},
		{"consent missing", app("granted", list(all[1:]...)), "R10"},
		{"consent missing for what is not declared", func(r *Request) { app("granted", list(all[1:]...))(r); app("permissions", list(all[1:]...))(r) }, "R9"},
		{"secret ends soon", func(r *Request) {
			set(r, "sync_policy", map[string]cty.Value{"secret_expiry": cty.StringVal("2026-12-20")})
		}, "R12"},
		{"secret ended", func(r *Request) {
			set(r, "sync_policy", map[string]cty.Value{"secret_expiry": cty.StringVal("2026-11-20")})
		}, "R12"},
		{"secret ends later", func(r *Request) {
			set(r, "sync_policy", map[string]cty.Value{"secret_expiry": cty.StringVal("2026-12-24")})
		}, ""},
		{"Azure AD Graph", app("permissions", list(append(slices.Clone(all), legacyGraph+"/x (application)")...)), "R13"},
		{"application gone", func(r *Request) { r.Observed.Objects["app_registration"] = planner.Reading{} }, "R14"},
		{"white label", func(r *Request) { r.Tenant.Stack, r.Gateway = "", vendordata.Data{} }, "R15"},
		{"no tech contact", func(r *Request) {
			r.Wanted = map[string]cty.Value{"tenant.c": object(map[string]cty.Value{"attest": object(map[string]cty.Value{"integrations_allowed": cty.True})})}
		}, "R28"},
		{"domain unknown to Essentials", func(r *Request) { r.Observed.Directory.Domains = []string{"c.com", "new.com"} }, "R36"},
		{"shared mailbox as user", func(r *Request) { r.Observed.Accounts.Accounts[1].Type = directory.EndUser }, "R38"},
		{"shared mailbox as user on purpose", func(r *Request) {
			r.Observed.Accounts.Accounts[1].Type = directory.EndUser
			r.Wanted["sync_policy.p"] = object(map[string]cty.Value{"shared_mailboxes": cty.StringVal("user")})
		}, ""},
		{"shared mailbox as inactive user", func(r *Request) {
			r.Observed.Accounts.Accounts[1].Type, r.Observed.Accounts.Accounts[1].Active = directory.EndUser, false
		}, ""},
		{"other stack", func(r *Request) { r.Stacks = []string{"eu1"} }, "R47"},
		{"on both stacks", func(r *Request) { r.Stacks = []string{"eu1", "us1"} }, ""},
		{"last run long ago", func(r *Request) {
			set(r, "sync_policy", settings("1h", "2026-11-23T04:59:00Z"))
		}, "R48"},
		{"last run a little ago", func(r *Request) { set(r, "sync_policy", settings("1h", "2026-11-23T05:01:00Z")) }, ""},
		{"stopped long ago on purpose", func(r *Request) { set(r, "sync_policy", settings("never", "2026-01-01T00:00:00Z")) }, ""},
		{"Microsoft login without connection", func(r *Request) {
			set(r, "sync_policy", map[string]cty.Value{"connection": cty.NullVal(cty.DynamicPseudoType)})
		}, "R49"},
		{"forced login, administrator unknown to the directory", func(r *Request) {
			login("forced", true)(r)
			r.Observed.Accounts.Accounts[0].Address = "root@c.com"
		}, "R50"},
		{"allowed login, administrator unknown to the directory", func(r *Request) { r.Observed.Accounts.Accounts[0].Address = "root@c.com" }, ""},
		{"forced login by alias", func(r *Request) {
			login("forced", true)(r)
			r.Observed.Accounts.Accounts[0].Address, r.Observed.Accounts.Accounts[0].Aliases = "root@c.com", []string{"ada@c.com"}
		}, ""},
		{"no way back", login("forced", false), "R51"},
		{"no mobile number", func(r *Request) { r.Observed.Directory.Entries[0].Mobile = "" }, "R54"},
		{"no mobile number and no second factor", func(r *Request) {
			r.Observed.Directory.Entries[0].Mobile = ""
			set(r, "tenant", map[string]cty.Value{"mfa": object(map[string]cty.Value{"enabled": cty.False})})
		}, ""},
		{"MX at the gateway, not relayed", func(r *Request) {
			set(r, "domain", map[string]cty.Value{"purpose": cty.StringVal("management")})
		}, "R58"},
		{"never ran", func(r *Request) { set(r, "sync_policy", settings("1h", "")) }, "R59"},
		{"no bypass", func(r *Request) { set(r, "mail_flow_rule", map[string]cty.Value{"enabled": cty.False}) }, "R61"},
		{"bypass for some addresses", func(r *Request) {
			set(r, "mail_flow_rule", map[string]cty.Value{"sender_ip_ranges": list(r.Gateway.DeliveryRanges[1:]...)})
		}, "R61"},
		{"bypass only tried out", func(r *Request) { set(r, "mail_flow_rule", map[string]cty.Value{"mode": cty.StringVal("audit")}) }, "R61"},
		{"enhanced filtering in place of the bypass", func(r *Request) {
			set(r, "mail_flow_rule", map[string]cty.Value{"enabled": cty.False})
			set(r, "m365_connector", map[string]cty.Value{"enhanced_filtering": object(map[string]cty.Value{"skip_last_ip": cty.True})})
		}, ""},
		{"service principal gone", app("service_principal_id", cty.NullVal(cty.String)), "R62"},
		{"service principal off", app("principal_enabled", cty.False), "R62"},
		{"integrations", func(r *Request) {
			r.Wanted = map[string]cty.Value{"tenant.c": object(map[string]cty.Value{"attest": object(map[string]cty.Value{"tech_contact": cty.StringVal("noc@msp.com")})})}
		}, "R64"},
		{"integrations of a tenant without partner", func(r *Request) {
			r.Tenant.Parent = ""
			r.Wanted = map[string]cty.Value{"tenant.c": object(map[string]cty.Value{"attest": object(map[string]cty.Value{"tech_contact": cty.StringVal("noc@msp.com")})})}
		}, ""},
		{"permissions of the integration", app("granted", list(append(slices.Clone(all), "RoleManagement.ReadWrite.Directory (application)")...)), "R65"},
		{"not locked down", func(r *Request) {
			set(r, "m365_connector", map[string]cty.Value{"restrict_to_ip_ranges": cty.False})
		}, "R67"},
		{"not locked down, mail elsewhere", func(r *Request) {
			set(r, "m365_connector", map[string]cty.Value{"restrict_to_ip_ranges": cty.False})
			no := false
			r.Observed.Mail["c.com"] = resource.DomainFacts{MXAtGateway: &no}
		}, ""},
		{"locked by a connector that locks nothing", func(r *Request) {
			set(r, "m365_connector", map[string]cty.Value{"connector_type": cty.StringVal("OnPremises")})
		}, "R67"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := healthy(t)
			row.change(&r)
			got := Examine(r)
			if rules(got) != row.want {
				t.Errorf("found %q, want %q: %+v", rules(got), row.want, got.Findings)
			}
			if len(got.Unread) > 0 {
				t.Errorf("unread: %v", got.Unread)
			}
			for _, f := range got.Findings {
				if f.Subject == "" || f.Cure == "" || !strings.HasSuffix(f.Text, f.Rule+").") {
					t.Errorf("incomplete finding: %+v", f)
				}
			}
		})
	}
}

// TestUnreadIsNoFinding: everything is wrong, and nothing of it is said when it could not be read. The twin of each row
// is the same tenant with the read.
func TestUnreadIsNoFinding(t *testing.T) {
	broken := func() Request {
		r := healthy(t)
		r.Observed.Cloud, r.Stacks = "DODCON", []string{"eu1"}
		set(&r, "app_registration", map[string]cty.Value{"audience": cty.StringVal("AzureADMultipleOrgs")})
		set(&r, "sync_policy", settings("1h", ""))
		set(&r, "tenant", map[string]cty.Value{"login": object(map[string]cty.Value{"microsoft": cty.StringVal("forced"), "local": cty.False})})
		set(&r, "mail_flow_rule", map[string]cty.Value{"enabled": cty.False})
		r.Observed.Directory.Domains = []string{"c.com", "new.com"}
		r.Observed.Directory.Entries[0].Mobile = ""
		r.Observed.Accounts.Accounts[1].Type = directory.EndUser
		return r
	}
	const everything = "R2 R6 R36 R38 R47 R51 R54 R59 R61"
	if got := rules(Examine(broken())); got != everything {
		t.Fatalf("found %q, want %q", got, everything)
	}
	failed := errors.New("503")
	for _, row := range []struct {
		name   string
		change func(*Request)
		lost   string
	}{
		{"cloud", func(r *Request) { r.Observed.Cloud, r.Observed.CloudErr = "", failed }, "R2"},
		{"stacks", func(r *Request) { r.Stacks, r.StacksErr = nil, failed }, "R47"},
		{"applications", func(r *Request) { r.Observed.Objects["app_registration"] = planner.Reading{Err: failed} }, "R6"},
		{"rules", func(r *Request) { r.Observed.Objects["mail_flow_rule"] = planner.Reading{Err: failed} }, "R61"},
		{"settings", func(r *Request) { r.Observed.Objects["sync_policy"] = planner.Reading{Err: failed} }, "R6 R59"},
		{"domains", func(r *Request) { r.Observed.Objects["domain"] = planner.Reading{Err: failed} }, "R36 R61"},
		{"organization", func(r *Request) { r.Observed.Objects["tenant"] = planner.Reading{Err: failed} }, "R51 R54"},
		{"directory", func(r *Request) { r.Observed.Directory, r.Observed.DirectoryErr = nil, failed }, "R36 R38 R54"},
		{"half of the directory", func(r *Request) { r.Observed.Directory.Proof = directory.Proof{Problem: "page 2"} }, "R38 R54"},
		{"kinds", func(r *Request) { r.Observed.Directory.KindsErr = failed }, "R38"},
		{"accounts", func(r *Request) { r.Observed.Accounts, r.Observed.AccountsErr = nil, failed }, "R38 R54"},
		{"half of the accounts", func(r *Request) { r.Observed.Accounts.Proof = directory.Proof{Problem: "cut"} }, "R38 R54"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := broken()
			row.change(&r)
			got := Examine(r)
			want := slices.DeleteFunc(strings.Fields(everything), func(rule string) bool { return slices.Contains(strings.Fields(row.lost), rule) })
			if rules(got) != strings.Join(want, " ") {
				t.Errorf("found %q, want %q", rules(got), strings.Join(want, " "))
			}
			if len(got.Unread) != 1 || got.Healthy() {
				t.Errorf("unread %v, healthy %v", got.Unread, got.Healthy())
			}
		})
	}
}

func TestCovers(t *testing.T) {
	for _, row := range []struct {
		have, want string
		covered    bool
	}{
		{"10.0.0.0/8", "10.1.0.0/16", true},
		{"10.1.0.0/16", "10.0.0.0/8", false},
		{"10.0.0.0/9 10.128.0.0/9", "10.0.0.0/8", true},
		{"10.0.0.0/9 10.128.0.0/10", "10.0.0.0/8", false},
		{"192.0.2.1", "192.0.2.1/32", true},
		{"192.0.2.0/25 192.0.2.128/26 192.0.2.192/26", "192.0.2.0/24", true},
		{"", "192.0.2.0/24", false},
		{"nonsense", "192.0.2.0/24", false},
		{"0.0.0.0/0", "nonsense", false},
		{"2001:db8::/33 2001:db8:8000::/33", "2001:db8::/32", true},
		{"0.0.0.0/0", "2001:db8::/32", false},
	} {
		if got := covers(strings.Fields(row.have), []string{row.want}); got != row.covered {
			t.Errorf("%q covers %s: %v", row.have, row.want, got)
		}
	}
	if covers([]string{"0.0.0.0/0"}, nil) {
		t.Error("no network at all is covered")
	}
	if !covered([]netip.Prefix{netip.MustParsePrefix("148.163.128.0/20"), netip.MustParsePrefix("148.163.144.0/20")}, netip.MustParsePrefix("148.163.128.0/19")) {
		t.Error("two halves do not cover the whole")
	}
}
