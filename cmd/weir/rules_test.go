package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/cmd/internal/cli"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
	rulebook "github.com/weir-project/weir/planner/rules"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/sim/world"
)

// pair is two worlds that differ in one rule only, and what the difference makes the program say.
type pair struct {
	rule int
	by   rulebook.Shown
	// common, if any, is done to both worlds; with and without, to one of them.
	common, with, without func(*site)
	// says matches a line that names the rule: one of the world with, none of the world without.
	says string
	// fresh begins with the quick start before its first apply.
	fresh bool
	// run is for what is not a command of its own: the lines said in the one world (true) and the other.
	run func(t *testing.T, s *site, with bool) []string
}

// Shorthands of edits in the portals.
const (
	inContoso = `{"tenant": "contoso.example", `
	inOrg     = `{"organization": "contoso.example", `
	syncApp   = "Proofpoint Essentials Azure AD Sync"
)

func portal(edits ...string) func(*site) {
	return func(s *site) {
		all := make([]any, len(edits))
		for i, e := range edits {
			all[i] = e
		}
		s.portal(all...)
	}
}

func person(address, fields string) string {
	return fmt.Sprintf(inContoso+`"person": %q, "add": {%s}}`, address, fields)
}

// policyLine adds a line to the sync policy, in place of one that begins likewise.
func policyLine(line string) func(*site) {
	return func(s *site) {
		name, _, _ := strings.Cut(line, " ")
		old := regexp.MustCompile(`(?m)^  ` + name + ` +=.*\n`)
		file, begin := s.read("main.weir.hcl"), `sync_policy "people" {`+"\n"
		at := strings.Index(file, begin) + len(begin)
		end := at + strings.Index(file[at:], "\n}\n")
		block := old.ReplaceAllString(file[at:end], "")
		s.write("main.weir.hcl", file[:at]+"  "+line+"\n"+block+file[end:])
	}
}

// how sets one of the switches of users or groups.
func how(kind, name string, on bool) func(*site) {
	return func(s *site) {
		re := regexp.MustCompile(`(  ` + kind + ` \{\n(?:    .*\n)*?    ` + name + ` +=) \w+`)
		file := s.read("main.weir.hcl")
		if !re.MatchString(file) {
			s.t.Fatalf("no %s of %s", name, kind)
		}
		s.write("main.weir.hcl", re.ReplaceAllString(file, fmt.Sprintf("$1 %v", on)))
	}
}

func rewrite(old, text string) func(*site) {
	return func(s *site) { s.rewrite("main.weir.hcl", old, text) }
}

func then(all ...func(*site)) func(*site) {
	return func(s *site) {
		for _, f := range all {
			f(s)
		}
	}
}

// world changes what no portal shows.
func inWorld(change func(*world.World, *world.Tenant, *world.Organization)) func(*site) {
	return func(s *site) {
		w := s.server.World()
		w.Lock()
		defer w.Unlock()
		change(w, w.Tenant("contoso.example"), w.Organization("contoso.example"))
	}
}

// declares changes what the sync's application declares.
func declares(change func([]world.ResourceAccess) []world.ResourceAccess) func(*site) {
	return inWorld(func(_ *world.World, t *world.Tenant, _ *world.Organization) {
		for _, a := range t.Applications {
			if a.DisplayName == syncApp {
				a.Required = change(a.Required)
			}
		}
	})
}

// secrets changes the secrets of the sync's application; it removes those for which change is false.
func secrets(change func(*world.World, *world.Secret) bool) func(*site) {
	return inWorld(func(w *world.World, t *world.Tenant, _ *world.Organization) {
		for _, a := range t.Applications {
			if a.DisplayName == syncApp {
				a.Secrets = slices.DeleteFunc(a.Secrets, func(x *world.Secret) bool { return !change(w, x) })
			}
		}
	})
}

// undeclare takes one permission of Microsoft Graph away.
func undeclare(id string) func(*site) {
	return declares(func(all []world.ResourceAccess) []world.ResourceAccess {
		for i := range all {
			all[i].Permissions = slices.DeleteFunc(slices.Clone(all[i].Permissions), func(p world.Permission) bool { return p.ID == id })
		}
		return all
	})
}

// hosted gives the hosted sync a schedule and a last run that long ago; negative: none yet.
func hosted(hours int, ago time.Duration) func(*site) {
	return inWorld(func(w *world.World, _ *world.Tenant, o *world.Organization) {
		o.Azure.Frequency, o.Azure.LastSync = hours, nil
		if ago >= 0 {
			last := w.Clock.Add(-ago)
			o.Azure.LastSync = &last
		}
	})
}

// extraDomain leaves one more domain out of those that the quick start registers for management, and lets the directory
// have it.
var extraDomain = rewrite(`(data.directory.contoso.verified_domains, ["contoso.example"])`, `(data.directory.contoso.verified_domains, ["contoso.example", "extra.example"])`)

const extraInEntra = inContoso + `"domain": "extra.example", "add": {}}`

const leaverIsGone = inContoso + `"person": "kate@contoso.example", "remove": true}`

func pairs() []pair {
	graph := world.Permissions[world.GraphAppID]
	newHire := portal(person("nora@contoso.example", ""))
	sales := inContoso + `"group": "Sales", "set": {"proxy_addresses": ["SMTP:sales@contoso.example", "smtp:deals@contoso.example"]}}`
	newGroup := inContoso + `"group": "Crew", "add": {"mail": "crew@contoso.example", "mail_enabled": true, "proxy_addresses": ["SMTP:crew@contoso.example"]}}`
	attest := func(words string) func(*site) {
		return rewrite("  admin {", "  attest {\n    by = \"noc@msp.example\"\n    on = \"2026-11-20\"\n"+words+"  }\n\n  admin {")
	}
	return []pair{
		{rule: 1, by: rulebook.ByPlan, says: "It is a guest",
			with:    portal(person("nora@contoso.example", `"user_type": "Guest"`)),
			without: portal(person("nora@contoso.example", `"user_type": "Member"`))},
		{rule: 2, by: rulebook.ByPlan, says: "GCC High", with: inWorld(func(_ *world.World, t *world.Tenant, _ *world.Organization) { t.RegionSubScope = "DODCON" }),
			without: inWorld(func(_ *world.World, t *world.Tenant, _ *world.Organization) { t.RegionSubScope = "GCC" })},
		{rule: 4, by: rulebook.ByPlan, says: "one source only", common: portal(leaverIsGone), with: portal(inOrg + `"ldap": {"ldap_url": "ldaps://dc1.contoso.example"}}`)},
		{rule: 6, by: rulebook.ByDoctor, says: "AzureADMultipleOrgs", with: portal(inContoso + `"application": "` + syncApp + `", "set": {"sign_in_audience": "AzureADMultipleOrgs"}}`)},
		{rule: 7, by: rulebook.ByDoctor, says: "redirect URIs", with: portal(inContoso + `"application": "` + syncApp + `", "set": {"redirect_uris": ["https://eu1.proofpointessentials.com"]}}`)},
		{rule: 8, by: rulebook.ByDoctor, says: "Group.Read.All", with: undeclare(graph["Group.Read.All"].Scope)},
		{rule: 9, by: rulebook.ByDoctor, says: `Directory.Read.All \(application\)`, with: undeclare(graph["Directory.Read.All"].Role)},
		{rule: 10, by: rulebook.ByDoctor, says: "Admin consent is missing", with: portal(inContoso + `"grant": "Directory.Read.All", "principal": "` + syncApp + `", "remove": true}`)},
		{rule: 11, by: rulebook.ByPlan, says: "is gone; a new one is issued", with: secrets(func(*world.World, *world.Secret) bool { return false })},
		{rule: 12, by: rulebook.ByPlan, says: "is replaced before that",
			with:    secrets(func(w *world.World, x *world.Secret) bool { x.End = w.Clock.AddDate(0, 0, 44); return true }),
			without: secrets(func(w *world.World, x *world.Secret) bool { x.End = w.Clock.AddDate(0, 0, 46); return true })},
		{rule: 13, by: rulebook.ByDoctor, says: "retired", with: declares(func(all []world.ResourceAccess) []world.ResourceAccess {
			return append(all, world.ResourceAccess{ResourceAppID: "00000002-0000-0000-c000-000000000000", Permissions: []world.Permission{{ID: "5778995a-e1bf-45b8-affa-663a9f3f4d04", Type: "Role"}}})
		})},
		{rule: 14, by: rulebook.ByDoctor, says: "does not have", with: portal(inContoso + `"application": "` + syncApp + `", "remove": true}`)},
		{rule: 15, by: rulebook.ByDoctor, says: "white-labelled", with: rewrite(`  stack    = "us1"`, `  base_url = "https://mail.reseller.example"`)},
		{rule: 17, by: rulebook.ByPlan, says: "needs? application and primary domain|need application and primary domain", fresh: true, with: rewrite("    primary_domain = \"contoso.example\"\n  }", "  }")},
		{rule: 18, by: rulebook.ByPlan, says: "silent user", common: newHire, with: policyLine(`new_user_role = "silent_user"`), without: policyLine(`new_user_role = "end_user"`)},
		{rule: 19, by: rulebook.ByPlan, says: "cannot log in", common: newHire, with: policyLine(`new_user_role = "silent_user"`), without: policyLine(`new_user_role = "end_user"`)},
		{rule: 20, by: rulebook.ByPlan, says: "does not synchronise users", common: newHire, with: policyLine(`sync = ["distribution_groups"]`), without: policyLine(`sync = ["active_users", "distribution_groups"]`)},
		{rule: 21, by: rulebook.ByPlan, says: "add = false", common: newHire, with: how("users", "add", false)},
		{rule: 22, by: rulebook.ByPlan, says: "update = false", common: portal(inContoso + `"person": "bob@contoso.example", "set": {"surname": "Other"}}`), with: how("users", "update", false)},
		{rule: 23, by: rulebook.ByPlan, says: "add = false", common: portal(newGroup), with: how("groups", "add", false)},
		{rule: 24, by: rulebook.ByPlan, says: "update = false", common: portal(sales), with: how("groups", "update", false)},
		{rule: 25, by: rulebook.ByPlan, says: "remove = false", common: portal(leaverIsGone), with: how("users", "remove", false)},
		{rule: 26, by: rulebook.ByPlan, says: "remove = false", common: portal(inContoso + `"group": "Sales", "remove": true}`), without: how("groups", "remove", true)},
		{rule: 27, by: rulebook.ByPlan, says: "runs every 6h", with: hosted(6, -1)},
		{rule: 28, by: rulebook.ByDoctor, says: "Tech Contact", common: hosted(1, 0), with: attest(""), without: attest("    tech_contact = \"noc@msp.example\"\n")},
		{rule: 29, by: rulebook.ByPlan, says: "daily report", common: then(rewrite("  include          = entry.department != \"Kitchen\"\n", ""), policyLine(`engine = "essentials"`)),
			with: policyLine(`frequency = "1h"`), without: policyLine(`frequency = "never"`)},
		{rule: 30, by: rulebook.ByPlan, says: "saved and read back", common: then(rewrite("  include          = entry.department != \"Kitchen\"\n", ""), policyLine(`engine = "essentials"`)),
			with: policyLine(`frequency = "1h"`), without: policyLine(`frequency = "never"`)},
		{rule: 31, by: rulebook.ByPlan, says: "no proxyAddresses", with: portal(person("nora@contoso.example", `"proxy_addresses": []`)), without: newHire},
		{rule: 32, by: rulebook.ByPlan, says: "sign-in is blocked", with: portal(person("nora@contoso.example", `"enabled": false`)), without: newHire},
		{rule: 33, by: rulebook.ByPlan, says: "is not registered", common: extraDomain, with: portal(extraInEntra, person("nora@extra.example", "")), without: newHire},
		{rule: 34, by: rulebook.ByPlan, says: "manual run .* fails", common: extraDomain, with: portal(extraInEntra)},
		{rule: 35, by: rulebook.ByPlan, says: "registered for management", common: then(extraDomain, portal(extraInEntra, person("nora@extra.example", ""))),
			with: func(s *site) {
				s.write("extra.weir.hcl", "domain \"extra\" {\n  tenant  = tenant.contoso\n  name    = \"extra.example\"\n  purpose = \"management\"\n}\n")
			},
			without: func(s *site) {
				s.write("extra.weir.hcl", "domain \"extra\" {\n  tenant  = tenant.contoso\n  name    = \"extra.example\"\n  purpose = \"relay\"\n  destination = \"mx.extra.example\"\n}\n")
			}},
		{rule: 36, by: rulebook.ByDoctor, says: "extra.example|Essentials does not", common: extraDomain, with: portal(extraInEntra)},
		{rule: 37, by: rulebook.ByPlan, says: "Dynamic distribution lists", with: portal(inContoso + `"dynamic_list": "crew@contoso.example", "add": {}}`), without: portal(newGroup)},
		{rule: 38, by: rulebook.ByPlan, says: "shared mailbox is never disabled",
			with:    portal(person("desk@contoso.example", `"mailbox_kind": "SharedMailbox", "enabled": false`)),
			without: portal(person("desk@contoso.example", `"mailbox_kind": "UserMailbox", "enabled": false`))},
		{rule: 39, by: rulebook.ByPlan, says: "becomes a functional account and keeps its addresses",
			with: func(s *site) { s.write("leaver.weir.hcl", exemptKate("functional_account")) }, without: func(s *site) { s.write("leaver.weir.hcl", exemptKate("unchanged")) }},
		{rule: 40, by: rulebook.ByPlan, says: "functional account that Weir did not convert", common: newHire,
			with:    portal(inOrg + `"user": "nora@contoso.example", "add": {"type": "functional_account"}}`),
			without: portal(inOrg + `"user": "nora@contoso.example", "add": {"type": "end_user"}}`)},
		{rule: 41, by: rulebook.ByPlan, says: "Nothing has been changed yet", with: portal(leaverIsGone)},
		{rule: 42, by: rulebook.ByDecisions, says: "left .* out", run: leftOut},
		{rule: 43, by: rulebook.ByApply, says: "not approved", common: portal(leaverIsGone), run: answered},
		{rule: 44, by: rulebook.ByPlan, says: "offers no review", with: inWorld(func(_ *world.World, _ *world.Tenant, o *world.Organization) { o.Azure.RemoveUsers = true })},
		{rule: 46, by: rulebook.ByPlan, says: "60 minutes",
			with: func(s *site) {
				s.write("extra.weir.hcl", "domain \"extra\" {\n  tenant  = tenant.contoso\n  name    = \"extra.example\"\n  purpose = \"relay\"\n  destination = \"mx.extra.example\"\n}\n")
			},
			without: func(s *site) {
				s.write("extra.weir.hcl", "domain \"extra\" {\n  tenant  = tenant.contoso\n  name    = \"extra.example\"\n  purpose = \"management\"\n}\n")
			}},
		{rule: 47, by: rulebook.ByDoctor, says: "registered on us2", with: inWorld(func(_ *world.World, _ *world.Tenant, o *world.Organization) { o.Stack = "us2" })},
		{rule: 48, by: rulebook.ByDoctor, says: "last succeeded", with: hosted(1, 10*time.Hour), without: hosted(1, time.Hour)},
		{rule: 49, by: rulebook.ByDoctor, says: "no connection", common: portal(inOrg + `"azure": null}`), with: portal(inOrg + `"login": {"allow_azure_login": true}}`), without: portal(inOrg + `"login": {"allow_azure_login": false}}`)},
		{rule: 50, by: rulebook.ByDoctor, says: "nobody with an address", common: portal(inOrg+`"login": {"force_azure_login": true}}`, inOrg+`"user": "root@contoso.example", "add": {"type": "organization_admin"}}`, person("it@contoso.example", "")),
			without: portal(person("root@contoso.example", ""))},
		{rule: 51, by: rulebook.ByDoctor, says: "nobody gets in", common: portal(inOrg+`"login": {"force_azure_login": true}}`, person("it@contoso.example", "")), with: portal(inOrg + `"login": {"allow_local_login": false}}`)},
		{rule: 54, by: rulebook.ByDoctor, says: "Mobile Number", common: portal(inOrg + `"mfa": {"is_mfa_enabled": true}}`),
			with: portal(person("it@contoso.example", "")), without: portal(person("it@contoso.example", `"mobile_phone": "+1 555 0100"`))},
		{rule: 55, by: rulebook.ByPlan, says: "inbound, outbound or both", with: rewrite("  direction = \"outbound\"\n", "  direction = \"outbound\"\n  require_tls = true\n")},
		{rule: 58, by: rulebook.ByDoctor, says: "does not relay", with: portal(`{"zone": "contoso.onmicrosoft.example", "mx": [{"host": "mx1-us1.ppe-hosted.com", "preference": 10}]}`)},
		{rule: 59, by: rulebook.ByDoctor, says: "never run", with: hosted(1, -1), without: hosted(1, 0)},
		{rule: 60, by: rulebook.ByPlan, says: "waits for SPF", fresh: true, without: portal(`{"zone": "contoso.example", "txt": ["v=spf1 include:_spf-us.ppe-hosted.com -all"]}`)},
		{rule: 61, by: rulebook.ByDoctor, says: "source of spam", with: portal(inContoso + `"rule": "Bypass Spam Filtering for Proofpoint Essentials", "set": {"Enabled": false}}`)},
		{rule: 62, by: rulebook.ByDoctor, says: "switched it off", with: portal(inContoso + `"service_principal": "` + syncApp + `", "set": {"enabled": false}}`)},
		{rule: 64, by: rulebook.ByDoctor, says: "all its customers", with: attest(""), without: attest("    integrations_allowed = true\n")},
		{rule: 65, by: rulebook.ByDoctor, says: "RoleManagement.ReadWrite.Directory", with: portal(inContoso + `"grant": "RoleManagement.ReadWrite.Directory", "principal": "` + syncApp + `", "add": {}}`)},
		{rule: 66, by: rulebook.ByPlan, says: "adminconsent", common: portal(inContoso + `"grant": "Directory.Read.All", "principal": "` + syncApp + `", "remove": true}`),
			with: rewrite("  profile = \"directory_sync\"\n", "  profile = \"directory_sync\"\n  consent = false\n")},
		{rule: 67, by: rulebook.ByDoctor, says: "lock the tenant down", with: portal(inContoso + `"inbound": "Inbound Connector for Proofpoint Essentials", "set": {"RestrictDomainsToIPAddresses": false}}`)},
	}
}

func exemptKate(as string) string {
	return fmt.Sprintf("exemption \"kate\" {\n  tenant    = tenant.contoso\n  addresses = [\"kate@contoso.example\"]\n  as        = %q\n  reason    = \"keeps receiving\"\n}\n", as)
}

// TestRulesArePaired: every rule that Weir enforces, plans for or reports has its pair, told apart as the table says.
func TestRulesArePaired(t *testing.T) {
	have := map[int]rulebook.Shown{}
	for _, p := range pairs() {
		if _, twice := have[p.rule]; twice {
			t.Errorf("R%d has two pairs", p.rule)
		}
		have[p.rule] = p.by
	}
	for _, problem := range rulebook.Unpaired(rulebook.All(), have) {
		t.Error(problem)
	}
	delete(have, 31)
	if len(rulebook.Unpaired(rulebook.All(), have)) != 1 {
		t.Error("a pair that is missing is not noticed")
	}
	t.Logf("%d pairs", len(pairs()))
}

// TestRulePairs shows, for each rule, two worlds that differ in it only. The program looks at both, by its real entry
// point and over the vendors' protocols, and says in the one what it does not say in the other, with the rule's number.
// Looking changes nothing.
func TestRulePairs(t *testing.T) {
	fresh := newSite(t, "quickstart", world.Quickstart())
	applied := managed(t)
	look := func(t *testing.T, s *site, p *pair, with bool) []string {
		s.changes()
		defer func() {
			if calls := s.changes(); len(calls) > 0 && p.by != rulebook.ByApply {
				t.Errorf("looking changed something: %v", calls)
			}
		}()
		switch {
		case p.run != nil:
			return p.run(t, s, with)
		case p.by == rulebook.ByDoctor:
			_, stdout, stderr := s.run("doctor", "--json")
			return strings.Split(stdout+stderr, "\n")
		}
		return s.planned()
	}
	// What is said of a world to which nothing was done is found out once.
	untouched := map[string][]string{}
	for _, p := range pairs() {
		t.Run(fmt.Sprintf("R%d", p.rule), func(t *testing.T) {
			base := applied
			if p.fresh {
				base = fresh
			}
			said := map[bool][]string{}
			for _, with := range []bool{true, false} {
				plain := ""
				if !with && p.run == nil && p.common == nil && p.without == nil {
					plain = fmt.Sprint(p.fresh, p.by)
				}
				if all, ok := untouched[plain]; ok {
					said[with] = naming(p.rule, all)
					continue
				}
				s := base.clone(t)
				for _, f := range []func(*site){p.common, map[bool]func(*site){true: p.with, false: p.without}[with]} {
					if f != nil {
						f(s)
					}
				}
				all := look(t, s, &p, with)
				if plain != "" {
					untouched[plain] = all
				}
				said[with] = naming(p.rule, all)
			}
			differs := func(from, than []string) []string {
				return slices.DeleteFunc(slices.Clone(from), func(line string) bool { return slices.Contains(than, line) })
			}
			only := differs(said[true], said[false])
			re := regexp.MustCompile(p.says)
			if !slices.ContainsFunc(only, re.MatchString) {
				t.Errorf("the world with the rule's case says\n  %s\nthe other\n  %s\nwant a line only of the first that names R%d and matches %q",
					strings.Join(said[true], "\n  "), strings.Join(said[false], "\n  "), p.rule, p.says)
			}
			if too := differs(said[false], said[true]); slices.ContainsFunc(too, re.MatchString) {
				t.Errorf("the other world says it too:\n  %s", strings.Join(too, "\n  "))
			}
		})
	}
}

// naming are the lines that name the rule.
func naming(rule int, all []string) []string {
	re := regexp.MustCompile(fmt.Sprintf(`\bR%d\b`, rule))
	return slices.DeleteFunc(slices.Clone(all), func(line string) bool { return !re.MatchString(line) })
}

// TestNaming: R1 is not named by R10, nor by a word that ends with it.
func TestNaming(t *testing.T) {
	got := naming(1, []string{"because of R1.", "R10", "XR1", "(R12, R1)", "R1x"})
	if strings.Join(got, "|") != "because of R1.|(R12, R1)" {
		t.Error(got)
	}
}

// planned is everything that a plan says: what is printed, and every reason in the saved plan.
func (s *site) planned() []string {
	s.t.Helper()
	name := filepath.Join(s.t.TempDir(), "plan")
	_, stdout, stderr := s.run("plan", "--out", name)
	// Printed lines are wrapped; one paragraph is one line here.
	out := strings.Split(regexp.MustCompile(`\n\s{6,}`).ReplaceAllString(stdout+"\n"+stderr, " "), "\n")
	data, err := os.ReadFile(name)
	if err != nil {
		return out // a plan with errors is not saved
	}
	p, err := planner.ReadPlan(bytes.NewReader(data))
	check(s.t, err)
	reasons := func(who string, all []dirsync.Reason) {
		for _, r := range all {
			out = append(out, fmt.Sprintf("%s: %s (%s)", who, r.Text, r.Rule))
		}
	}
	for _, part := range p.Parts {
		out = append(out, slices.Concat(part.Notes, part.Problems, part.Errors)...)
		for _, g := range part.Guards {
			out = append(out, g.Text)
		}
		for _, w := range part.Waits {
			out = append(out, w.Text)
		}
		for _, c := range part.Changes {
			out = append(out, c.Reasons...)
		}
		if part.Accounts == nil {
			continue
		}
		for _, d := range part.Accounts.Decisions {
			reasons(d.Address, d.Reasons)
		}
		for _, k := range part.Accounts.Skips {
			reasons(k.Address+k.ObjectID, k.Reasons)
		}
		for _, u := range part.Accounts.Undecided {
			reasons(u.Address, u.Reasons)
		}
	}
	return out
}

// leftOut decides about a leaver whom a person left out, or did not.
func leftOut(_ *testing.T, _ *site, with bool) []string {
	proof := directory.Proof{Complete: true}
	zoe := &directory.Entry{ObjectID: "o-zoe", Kind: directory.User, Address: "zoe@c.com", Enabled: true, HasProxy: true}
	kate := &directory.Account{UID: 1, Address: "kate@c.com", Type: directory.EndUser, Active: true}
	req := dirsync.Request{
		Policy: dirsync.Policy{Address: "sync_policy.p", Engine: dirsync.EngineWeir, SyncUsers: true, Gone: dirsync.AsDisable, Users: dirsync.Switches{Add: true, Update: true, Remove: true},
			Safeguard: dirsync.Safeguard{MaxRemovals: 5, MaxRemovalPercent: 100, MaxAdditions: 5, Window: 24 * time.Hour}},
		Domains:   []dirsync.Domain{{Name: "c.com", Relay: true}},
		Directory: &directory.Reading{Entries: []*directory.Entry{zoe}, Proof: proof},
		Accounts:  &directory.AccountReading{Accounts: []*directory.Account{kate}, Proof: proof},
		Known:     []dirsync.Known{{Address: "kate@c.com", UID: 1, ObjectID: "o-kate", Policy: "sync_policy.p", Hash: dirsync.Hash(kate)}},
		Now:       time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC),
	}
	if with {
		req.Skips = map[string]time.Time{"kate@c.com": {}}
	}
	var out []string
	res := dirsync.Decide(req)
	for _, d := range res.Decisions {
		out = append(out, fmt.Sprintf("%s %s", d.Action, d.Address))
	}
	for _, k := range res.Skips {
		for _, r := range k.Reasons {
			out = append(out, fmt.Sprintf("%s: %s (%s)", k.Address, r.Text, r.Rule))
		}
	}
	return out
}

// answered applies and answers the question with no (true) or yes. Only the yes changes anything.
func answered(t *testing.T, s *site, no bool) []string {
	answer := "yes\n"
	if no {
		answer = "no\n"
	}
	var stdout, stderr bytes.Buffer
	cli.Main(&cli.App{
		Stdin: strings.NewReader(answer), Stdout: &stdout, Stderr: &lockedWriter{w: &stderr}, Dir: s.dir, Now: time.Now, Random: randomness{}, Sleep: noWait, StdinTTY: true,
		Env: func(name string) (string, bool) { v, ok := s.env[name]; return v, ok },
	}, []string{"apply"})
	if calls := s.changes(); (len(calls) == 0) != no {
		t.Errorf("answered %q: %d changing calls\n%s%s", answer, len(calls), tail(stdout.String()), tail(stderr.String()))
	}
	return strings.Split(stdout.String()+stderr.String(), "\n")
}
