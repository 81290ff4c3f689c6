package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

// The people and groups of TestReadFaults, by what is due to them once the directory has moved on.
var (
	dueBefore = []string{
		person("pat@contoso.example", ""), // leaves
		person("lou@contoso.example", `"proxy_addresses": ["SMTP:lou@contoso.example", "smtp:louis@contoso.example"]`), // loses an alias
		person("con@contoso.example", ""), // is blocked: becomes a functional account
		person("oda@contoso.example", ""), // falls out of the policy
		inContoso + `"group": "Crew", "add": {"mail": "crew@contoso.example", "mail_enabled": true, "proxy_addresses": ["SMTP:crew@contoso.example"]}}`, // is deleted
		// Nothing is due to them, in no world: an alias under a domain that a person registered, and a member of a group that
		// protects.
		inContoso + `"domain": "extra.example", "add": {}}`,
		inOrg + `"domain": "extra.example", "add": {}}`,
		person("amy@contoso.example", `"proxy_addresses": ["SMTP:amy@contoso.example", "smtp:amy@extra.example"]`),
		person("pro@contoso.example", ""),
		inContoso + `"group": "Protected", "add": {"security_enabled": true}}`,
		inContoso + `"group": "Protected", "members": {"add": ["pro@contoso.example"]}}`,
		inContoso + `"contact": "books@accountant.example", "add": {}}`,
	}
	dueAfter = []string{
		inContoso + `"person": "pat@contoso.example", "remove": true}`,
		inContoso + `"person": "lou@contoso.example", "set": {"proxy_addresses": ["SMTP:lou@contoso.example"]}}`,
		inContoso + `"person": "con@contoso.example", "set": {"enabled": false}}`,
		inContoso + `"person": "oda@contoso.example", "set": {"department": "Kitchen"}}`,
		inContoso + `"group": "Crew", "remove": true}`,
		inContoso + `"person": "pro@contoso.example", "set": {"enabled": false}}`,
	}
	// due is what a complete read leads to, and all of it.
	due = []string{"con@contoso.example is no user any more", "crew@contoso.example is refused", "louis@contoso.example is refused", "oda@contoso.example is refused", "pat@contoso.example is refused"}
)

// removals are those of due that the limit counts: a conversion is none.
const removals = 4

const protectedGroup = `
exemption "protected" {
  tenant = tenant.contoso
  groups = ["Protected"]
  reason = "they decide themselves"
}
`

// settledBefore is a customer whose accounts are as the directory has them, and whose directory then moves on.
func settledBefore(t *testing.T) *site {
	t.Helper()
	s := managed(t)
	extraDomain(s)
	policyLine(`out_of_scope = "remove"`)(s)
	how("groups", "remove", true)(s)
	s.rewrite("main.weir.hcl", "max_removals        = 5\n    max_removal_percent = 10", "max_removals        = 3\n    max_removal_percent = 100")
	portal(dueBefore...)(s)
	s.weir(0, "apply", "--auto-approve")
	// Whom the group protects has an account by then.
	s.write("protected.weir.hcl", protectedGroup)
	s.weir(0, "apply", "--auto-approve")
	s.settle()
	s.empty()
	return s
}

// standing is who is accepted, and who is a user.
func standing(w *world.World) map[string]bool {
	w.RLock()
	defer w.RUnlock()
	out := map[string]bool{}
	for _, u := range w.Organization("contoso.example").Users {
		if !u.IsActive {
			continue
		}
		for _, a := range append([]string{u.PrimaryEmail}, u.Aliases...) {
			out[directory.Fold(a)+" is refused"] = true
		}
		if u.Type != string(directory.FunctionalAccount) {
			out[directory.Fold(u.PrimaryEmail)+" is no user any more"] = true
		}
	}
	return out
}

// lost is what was taken away between the two: who is refused, and who is accepted and no user any more.
func lost(before, after map[string]bool) []string {
	var out []string
	for what := range before {
		address, user := strings.CutSuffix(what, " is no user any more")
		if after[what] || user && !after[address+" is refused"] {
			continue
		}
		out = append(out, what)
	}
	slices.Sort(out)
	return out
}

// destructive are the items of a saved plan that would take something away.
func (s *site) destructive() []string {
	s.t.Helper()
	name := filepath.Join(s.t.TempDir(), "plan")
	s.run("plan", "--out", name)
	data, err := os.ReadFile(name)
	if err != nil {
		return nil // nothing was planned
	}
	p, err := planner.ReadPlan(bytes.NewReader(data))
	check(s.t, err)
	var out []string
	for _, part := range p.Parts {
		for _, c := range part.Changes {
			if c.Destructive() && c.Applies() {
				out = append(out, c.Action.Word()+" "+c.Address)
			}
		}
		if part.Accounts == nil {
			continue
		}
		for _, d := range part.Accounts.Decisions {
			if d.Held == "" && (d.Destructive || len(d.Loses) > 0) {
				out = append(out, string(d.Action)+" "+d.Address)
			}
		}
		if part.Accounts.Destructive && len(out) == 0 {
			out = append(out, "something")
		}
	}
	return out
}

// readFault is one way in which a read goes wrong.
type readFault struct {
	name  string
	rules []sim.Rule
	// delta reads the directory by its changes, from what the base kept of it; otherwise it is read in full.
	delta bool
	// early puts the rules in force before the directory moves on (stale reads).
	early bool
	// world is what goes wrong within the vendor, and mend takes it back.
	world, mend func(*site)
}

const (
	usersPath    = `^/v1\.0/users(|/delta.*)$`
	groupsPath   = `^/v1\.0/groups/delta.*$`
	contactsPath = `^/v1\.0/contacts$`
)

// readFaults are all of them: what is read, times what goes wrong.
func readFaults() []readFault {
	var out []readFault
	add := func(name string, rules ...sim.Rule) { out = append(out, readFault{name: name, rules: rules}) }
	n := func(i int) *int { return &i }
	// What can happen to any answer.
	anything := []struct {
		name   string
		action sim.Action
	}{
		{"401", sim.Action{Status: 401}}, {"403", sim.Action{Status: 403}}, {"410", sim.Action{Status: 410}},
		{"429 for ever", sim.Action{Status: 429, RetryAfter: "0.01"}}, {"500", sim.Action{Status: 500}}, {"503 as a page", sim.Action{Status: 503, Body: "html"}},
		{"an error with 200", sim.Action{ErrorWith200: true}}, {"a page with 200", sim.Action{Status: 200, Body: "html"}}, {"nothing with 200", sim.Action{Status: 200, Body: "empty"}},
		{"an empty object", sim.Action{Status: 200, Body: "{}"}}, {"dropped before", sim.Action{Drop: "before"}}, {"dropped after", sim.Action{Drop: "after"}},
		{"broken off", sim.Action{TruncateBody: 40}},
	}
	for _, target := range []struct {
		name string
		rule sim.Rule
	}{
		{"users", sim.Rule{Vendor: sim.Graph, Path: usersPath}}, {"groups", sim.Rule{Vendor: sim.Graph, Path: groupsPath}},
		{"contacts", sim.Rule{Vendor: sim.Graph, Path: contactsPath}}, {"mailboxes", sim.Rule{Vendor: sim.Exchange, Operation: "Get-Mailbox"}},
		{"accounts", sim.Rule{Vendor: sim.Essentials, Operation: "GET /orgs/{d}/users"}},
	} {
		for _, a := range anything {
			r := target.rule
			r.Action = a.action
			add(target.name+": "+a.name, r)
		}
	}
	// What can happen to a list, in several pages.
	paged := sim.Action{PageSize: 5}
	users := func(a sim.Action) sim.Rule { return sim.Rule{Vendor: sim.Graph, Path: usersPath, Action: a} }
	add("users: only the first page", users(sim.Action{PageSize: 5, LastPage: 1}))
	add("users: the last page missing", users(sim.Action{PageSize: 5, LastPage: 2}))
	add("users: the first page twice", users(sim.Action{PageSize: 5, RepeatPage: 1}))
	add("users: the second page twice", users(sim.Action{PageSize: 5, RepeatPage: 2}))
	add("users: empty", users(sim.Action{EmptyList: true}))
	add("users: cut to three", users(sim.Action{KeepItems: n(3)}))
	add("users: more counted than sent", sim.Rule{Vendor: sim.Graph, Path: "*/users*", Action: sim.Action{CountOffset: 3}})
	add("users: fewer counted than sent", sim.Rule{Vendor: sim.Graph, Path: "*/users*", Action: sim.Action{CountOffset: -2}})
	for _, status := range []int{401, 403, 410, 429, 500, 503} {
		add(fmt.Sprintf("users: %d at the second page", status), sim.Rule{Vendor: sim.Graph, Path: usersPath, After: 1, Action: sim.Action{Status: status, RetryAfter: "0.01"}}, users(paged))
	}
	add("users: dropped at the second page", sim.Rule{Vendor: sim.Graph, Path: usersPath, After: 1, Action: sim.Action{Drop: "before"}}, users(paged))
	add("users: broken off at the third page", sim.Rule{Vendor: sim.Graph, Path: usersPath, After: 2, Action: sim.Action{TruncateBody: 100}}, users(paged))
	groups := func(a sim.Action) sim.Rule { return sim.Rule{Vendor: sim.Graph, Path: groupsPath, Action: a} }
	add("groups: empty", groups(sim.Action{EmptyList: true}))
	add("groups: cut to one", groups(sim.Action{KeepItems: n(1)}))
	add("groups: no token at the end", groups(sim.Action{DeltaToken: "missing"}))
	add("contacts: cut to none", sim.Rule{Vendor: sim.Graph, Path: contactsPath, Action: sim.Action{KeepItems: n(0)}})
	add("contacts: more counted than sent", sim.Rule{Vendor: sim.Graph, Path: "*/contacts*", Action: sim.Action{CountOffset: 1}})
	for what, operation := range map[string]string{"mailboxes": "Get-Mailbox", "dynamic lists": "Get-DynamicDistributionGroup"} {
		if what != "mailboxes" {
			for _, a := range anything[1:6] {
				add(what+": "+a.name, sim.Rule{Vendor: sim.Exchange, Operation: operation, Action: a.action})
			}
		}
	}
	add("mailboxes: empty", sim.Rule{Vendor: sim.Exchange, Operation: "Get-Mailbox", Action: sim.Action{EmptyList: true}})
	add("mailboxes: the second look empty", sim.Rule{Vendor: sim.Exchange, Operation: "Get-Mailbox", After: 1, Times: 1, Action: sim.Action{EmptyList: true}})
	add("mailboxes: 403 for all of Exchange", sim.Rule{Vendor: sim.Exchange, Action: sim.Action{Status: 403, Body: "nul"}})
	accounts := func(a sim.Action) sim.Rule {
		return sim.Rule{Vendor: sim.Essentials, Operation: "GET /orgs/{d}/users", Action: a}
	}
	add("accounts: empty", accounts(sim.Action{EmptyList: true}))
	add("accounts: cut to four", accounts(sim.Action{KeepItems: n(4)}))
	for _, a := range []struct {
		name   string
		action sim.Action
	}{{"403", sim.Action{Status: 403}}, {"500", sim.Action{Status: 500}}, {"an error with 200", sim.Action{ErrorWith200: true}}, {"empty", sim.Action{EmptyList: true}},
		{"cut to one", sim.Action{KeepItems: n(1)}}, {"dropped", sim.Action{Drop: "after"}}} {
		add("registered domains: "+a.name, sim.Rule{Vendor: sim.Essentials, Operation: "GET /orgs/{d}/domains", Action: a.action})
	}
	for _, a := range anything[:2] {
		add("sign-in: "+a.name, sim.Rule{Vendor: sim.Login, Path: "*/token", Action: a.action})
	}
	add("sign-in: dropped", sim.Rule{Vendor: sim.Login, Path: "*/token", Action: sim.Action{Drop: "before"}})
	add("everything: Graph is away", sim.Rule{Vendor: sim.Graph, Action: sim.Action{Status: 503}})
	add("everything: Essentials is away", sim.Rule{Vendor: sim.Essentials, Action: sim.Action{Status: 502, Body: "html"}})
	// The same where only changes are read; a full read in its place fails too.
	for _, a := range anything {
		out = append(out, readFault{name: "changes of users: " + a.name, delta: true, rules: []sim.Rule{users(a.action)}})
	}
	for _, token := range []string{"reset", "expired", "missing"} {
		out = append(out, readFault{name: "changes of users: token " + token + ", then half a list", delta: true, rules: []sim.Rule{
			{Vendor: sim.Graph, Path: "^/v1\\.0/users/delta$", Action: sim.Action{DeltaToken: token}}, users(sim.Action{PageSize: 5, LastPage: 1}),
		}})
	}
	// The world as it was before somebody left.
	out = append(out,
		readFault{name: "users and groups: stale", early: true, rules: []sim.Rule{{Vendor: sim.Graph, Action: sim.Action{Stale: true}}}},
		// What decides about people comes as null.
		readFault{name: "users: fields hidden",
			world: func(s *site) { automation(s, "User.ReadBasic.All", "Directory.Read.All", "User.Read.All") },
			mend:  func(s *site) { automation(s, "Directory.Read.All", "User.ReadBasic.All") }},
	)
	return out
}

// automation gives the customer's automation one permission and takes others.
func automation(s *site, give string, take ...string) {
	inWorld(func(w *world.World, t *world.Tenant, _ *world.Organization) {
		sp := t.ServicePrincipalByAppID(w.Automation.ClientID)
		graph := t.ServicePrincipalByAppID(world.GraphAppID)
		for _, name := range take {
			t.AppRoleGrants = slices.DeleteFunc(t.AppRoleGrants, func(g *world.AppRoleGrant) bool {
				return g.Principal == sp.ID && g.AppRole == world.Permissions[world.GraphAppID][name].Role
			})
		}
		t.AppRoleGrants = append(t.AppRoleGrants, &world.AppRoleGrant{ID: w.NewHex(16), Principal: sp.ID, Resource: graph.ID, AppRole: world.Permissions[world.GraphAppID][give].Role, Created: w.Clock})
	})(s)
}

// TestReadFaults: removals of every kind are due. Whatever goes wrong with a read, the plan takes nothing away, and an apply
// that is told to accept every removal carries none out. The fault gone, the same customer's removals happen, exactly
// those that are due.
func TestReadFaults(t *testing.T) {
	base := settledBefore(t)
	moved := base.clone(t)
	portal(dueAfter...)(moved)
	// Without a figure the four removals are held, since three are allowed; the conversion goes on.
	if got := moved.destructive(); !slices.Equal(got, []string{"convert con@contoso.example"}) {
		t.Fatalf("planned without a fault: %v", got)
	}
	all := readFaults()
	names := map[string]bool{}
	for _, f := range all {
		names[f.name] = true
	}
	t.Logf("%d faults in reads", len(names))
	if len(names) < 40 || len(names) != len(all) {
		t.Fatalf("%d faults of %d names, want at least 40, each once", len(all), len(names))
	}
	accept := []string{"apply", "--auto-approve", "--accept-removals", fmt.Sprint(removals)}
	for i, f := range all {
		if i%every != 0 {
			continue // under the race detector, which is slow, not all of them
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			from := moved
			if f.early {
				from = base
			}
			s := from.clone(t)
			if !f.delta {
				s.env["WEIR_FULL_READ_EVERY"] = "0"
			}
			for _, r := range f.rules {
				check(t, s.server.Fault(r))
			}
			if f.early {
				portal(dueAfter...)(s)
			}
			if f.world != nil {
				f.world(s)
			}
			before := standing(s.server.World())
			if got := s.destructive(); len(got) > 0 {
				t.Errorf("the plan would take away: %v", got)
			}
			if !f.early {
				// Each run meets the fault anew, also one that comes at the second call only.
				s.server.ClearFaults()
				for _, r := range f.rules {
					check(t, s.server.Fault(r))
				}
			}
			_, stdout, stderr := s.run(accept...)
			if got := lost(before, standing(s.server.World())); len(got) > 0 {
				t.Errorf("the apply took away: %v\n%s\n%s", got, tail(stdout), tail(stderr))
			}

			// The twin.
			s.server.ClearFaults()
			if f.mend != nil {
				f.mend(s)
			}
			code, stdout, stderr := s.run(accept...)
			if got := lost(before, standing(s.server.World())); !slices.Equal(got, due) || code != 0 {
				t.Errorf("without the fault, exit code %d, lost: %v\nwant %v\n%s\n%s", code, got, due, tail(stdout), tail(stderr))
			}
		})
	}
}

// TestHiddenMembersGoOnProtecting: a group that protects comes to hide its members, which then read as none. Whom it protected
// last stays protected. The twin: the same person really leaves the group.
func TestHiddenMembersGoOnProtecting(t *testing.T) {
	base := settledBefore(t)
	const pro = "pro@contoso.example is no user any more"
	blocked := inContoso + `"person": "pro@contoso.example", "set": {"enabled": false}}`
	for _, row := range []struct {
		name  string
		world func(*site)
		lost  []string
	}{
		{"hidden", func(s *site) {
			automation(s, "Directory.Read.All", "Member.Read.Hidden")
			portal(inContoso + `"group": "Protected", "set": {"hidden_membership": true}}`)(s)
		}, nil},
		{"hidden, and the application may see it", func(s *site) {
			automation(s, "Member.Read.Hidden")
			portal(inContoso + `"group": "Protected", "set": {"hidden_membership": true}}`)(s)
		}, nil},
		{"left", portal(inContoso + `"group": "Protected", "members": {"remove": ["pro@contoso.example"]}}`), []string{pro}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := base.clone(t)
			portal(blocked)(s)
			row.world(s)
			before := standing(s.server.World())
			_, stdout, _ := s.run("apply", "--auto-approve")
			if got := lost(before, standing(s.server.World())); !slices.Equal(got, row.lost) {
				t.Errorf("lost %v, want %v\n%s", got, row.lost, tail(stdout))
			}
			if said := strings.Contains(stdout, "are hidden"); said != (row.name == "hidden") {
				t.Errorf("says that members are hidden: %v\n%s", said, tail(stdout))
			}
		})
	}
}

// TestDomainRemovalInDoubt: a relay domain is to be deleted, and its mail does not come through the gateway any more. As long
// as that, or who has an address in it, cannot be read, the deletion is held; without the fault it happens.
func TestDomainRemovalInDoubt(t *testing.T) {
	base := managed(t)
	const branch = "branch.contoso.example"
	block := everyType[strings.Index(everyType, `domain "branch" {`):strings.Index(everyType, `exemption "visitors"`)]
	base.rewrite("every.weir.hcl", block, "removed {\n  from    = domain.branch\n  destroy = true\n}\n")
	base.portal(`{"zone": "contoso.example", "name": "branch.contoso.example", "mx": [{"host": "mx.elsewhere.example", "preference": 10}]}`)
	stands := func(s *site) bool {
		w := s.server.World()
		w.RLock()
		defer w.RUnlock()
		return w.Organization("contoso.example").Domain(branch) != nil
	}
	faults := []readFault{
		{name: "DNS: SERVFAIL", rules: []sim.Rule{{Vendor: sim.DNS, Path: "MX " + branch, Action: sim.Action{Status: 2}}}},
		{name: "accounts: 500", rules: []sim.Rule{{Vendor: sim.Essentials, Operation: "GET /orgs/{d}/users", Action: sim.Action{Status: 500}}}},
		{name: "accounts: cut to two", rules: []sim.Rule{{Vendor: sim.Essentials, Operation: "GET /orgs/{d}/users", Action: sim.Action{KeepItems: func() *int { n := 2; return &n }()}}}},
		{name: "domains: 500", rules: []sim.Rule{{Vendor: sim.Essentials, Operation: "GET /orgs/{d}/domains", Action: sim.Action{Status: 500}}}},
		{name: "domains: an error with 200", rules: []sim.Rule{{Vendor: sim.Essentials, Operation: "GET /orgs/{d}/domains", Action: sim.Action{ErrorWith200: true}}}},
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			s := base.clone(t)
			for _, r := range f.rules {
				check(t, s.server.Fault(r))
			}
			if got := s.destructive(); len(got) > 0 {
				t.Errorf("the plan would take away: %v", got)
			}
			s.run("apply", "--auto-approve", "--accept-removals", "1")
			if !stands(s) {
				t.Fatal("the domain was deleted")
			}
			s.server.ClearFaults()
			if got := s.destructive(); !slices.Equal(got, []string{"delete domain.branch"}) {
				t.Errorf("without the fault the plan takes away: %v", got)
			}
			code, stdout, stderr := s.run("apply", "--auto-approve")
			if stands(s) || code != 0 {
				t.Errorf("without the fault the domain stands, exit code %d\n%s\n%s", code, tail(stdout), tail(stderr))
			}
		})
	}
	t.Logf("%d faults in reads that a domain's deletion rests on", len(faults))
}
