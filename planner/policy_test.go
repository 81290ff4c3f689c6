package planner

import (
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

func number(n int64) cty.Value { return cty.NumberIntVal(n) }

func policyValue(engine string, safeguard cty.Value) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{"engine": cty.StringVal(engine), "safeguard": safeguard})
}

func TestRootSafeguardFillsWhatThePolicyLeavesOut(t *testing.T) {
	limits := func(removals, admins cty.Value) cty.Value {
		return cty.ObjectVal(map[string]cty.Value{"max_removals": removals, "min_admins": admins})
	}
	null := cty.NullVal(cty.Number)
	root := limits(number(7), number(3))
	for _, row := range []struct {
		name             string
		own, root        cty.Value
		removals, admins int
	}{
		{"no root block", limits(number(2), null), cty.NullVal(root.Type()), 2, 1},
		{"the policy's own counts", limits(number(2), null), root, 2, 3},
		{"no block of its own", cty.NullVal(root.Type()), root, 7, 3},
		{"neither", cty.NullVal(root.Type()), cty.NilVal, 5, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, err := dirsync.DecodePolicy("sync_policy.p", withDefaults(policyValue("weir", row.own), row.root))
			if err != nil || p.Safeguard.MaxRemovals != row.removals || p.Safeguard.MinAdmins != row.admins {
				t.Errorf("removals %d, admins %d, %v", p.Safeguard.MaxRemovals, p.Safeguard.MinAdmins, err)
			}
		})
	}
}

func TestPolicyChanged(t *testing.T) {
	local := []PathChange{{Path: "addresses", Local: true, Cause: Configuration}}
	members := []PathChange{{Path: "protects", Cause: Configuration}}
	for _, row := range []struct {
		name   string
		change Change
		want   bool
	}{
		{"a policy as it was", Change{Type: "sync_policy", Action: NoOp, Cause: Configuration}, false},
		{"a policy of its own accord", Change{Type: "sync_policy", Action: Update, Cause: Configuration}, true},
		{"a policy that somebody changed", Change{Type: "sync_policy", Action: Update, Cause: Drift}, false},
		{"a new exemption", Change{Type: "exemption", Action: Create, Cause: Configuration}, true},
		{"an exemption that goes", Change{Type: "exemption", Action: Delete, Cause: Configuration}, true},
		{"other addresses", Change{Type: "exemption", Action: Update, Cause: Configuration, Paths: local}, true},
		{"other members of its group", Change{Type: "exemption", Action: Update, Cause: Configuration, Paths: members}, false},
		{"a domain more", Change{Type: "domain", Action: Create, Cause: Configuration}, true},
		{"a domain made again", Change{Type: "domain", Action: Create, Cause: Drift}, false},
		{"a connector", Change{Type: "m365_connector", Action: Create, Cause: Configuration}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := &Part{Changes: []*Change{&row.change}}
			if got := p.policyChanged(); got != row.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestSkipsGoOnPastTheirEndAndFollowARename(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	s := &state.State{Skips: []state.Skip{
		{Mail: "old@x.example", Until: now.Add(-time.Hour), UID: 7},
		{Mail: "plain@x.example"},
		{Address: "domain.mail"},
	}}
	s.Accounts.Put(&state.Account{Address: "new@x.example", UID: 7})
	s.Accounts.Put(&state.Account{Address: "other@x.example"})
	got := skips(s, nil)
	if len(got) != 3 || !got["old@x.example"].Equal(now.Add(-time.Hour)) || !got["new@x.example"].Equal(now.Add(-time.Hour)) || !got["plain@x.example"].IsZero() {
		t.Errorf("skips %v", got)
	}
}

// TestSkipsFollowARenameOfWhatStateNeverKnew: somebody left out of the first plan has no record, only the skip.
func TestSkipsFollowARenameOfWhatStateNeverKnew(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	s := &state.State{Skips: []state.Skip{{Mail: "old@x.example", UID: 7, Until: now}, {Mail: "miss@x.example", ObjectID: "o", Until: now}}}
	got := skips(s, &Observation{
		Accounts:  &directory.AccountReading{Accounts: []*directory.Account{{Address: "new@x.example", UID: 7}, {Address: "other@x.example", UID: 8}, {Address: "none@x.example"}}},
		Directory: &directory.Reading{Entries: []*directory.Entry{{Address: "mrs@x.example", ObjectID: "o"}, {Address: "else@x.example", ObjectID: "p"}, {Address: "dynamic@x.example"}}},
	})
	if len(got) != 4 || got["new@x.example"] != now || got["mrs@x.example"] != now || got["old@x.example"] != now || got["miss@x.example"] != now {
		t.Errorf("skips %v", got)
	}
}

// TestAppliedConditionStillProtects: an exemption whose block is taken away protects in that plan whom it protected before,
// also those whom only its condition names, beside patterns or groups. Whom nothing names it does not protect.
func TestAppliedConditionStillProtects(t *testing.T) {
	list := func(s ...string) cty.Value {
		var out []cty.Value
		for _, x := range s {
			out = append(out, cty.StringVal(x))
		}
		return cty.ListVal(out)
	}
	users := dirsync.Switches{Add: true, Update: true, Remove: true}
	entry := func(id, mail, place string) *directory.Entry {
		return &directory.Entry{ObjectID: id, Kind: directory.User, Address: mail, UPN: mail, Office: place, HasProxy: true, Licensed: true}
	}
	account := func(uid int, mail string) *directory.Account {
		return &directory.Account{UID: uid, Address: mail, Type: directory.EndUser, Active: true, Billable: true}
	}
	for name, row := range map[string]struct {
		other, when string
		protected   bool
	}{
		"beside patterns":        {"patterns", `entry.office == "Plant"`, true},
		"beside a group":         {"groups", `entry.office == "Plant"`, true},
		"one that is unreadable": {"patterns", `entry.office ==`, true},
		"another condition":      {"patterns", `entry.office == "Yard"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &state.State{Objects: map[string]*state.Object{"exemption.old": {Address: "exemption.old", Type: "exemption", Values: cty.ObjectVal(map[string]cty.Value{
				row.other: list("nobody@x.example"), "when": cty.StringVal(row.when), "protects": list("ann@x.example"),
			})}}}
			s.Accounts.Put(&state.Account{Address: "ann@x.example", UID: 1, ObjectID: "a", Policy: "sync_policy.p"})
			result := dirsync.Decide(dirsync.Request{
				Policy: dirsync.Policy{
					Address: "sync_policy.p", Engine: dirsync.EngineWeir, SyncUsers: true, Users: users, BlockedSignIn: dirsync.AsDisable,
					Safeguard: dirsync.Safeguard{MaxRemovals: 9, MaxRemovalPercent: 100, MaxConversions: 9, MaxAdditions: 9},
				},
				Domains:     []dirsync.Domain{{Name: "x.example", Relay: true}},
				Directory:   &directory.Reading{Proof: directory.Proof{Complete: true}, Entries: []*directory.Entry{entry("a", "ann@x.example", "Plant")}, Groups: []*directory.Entry{{ObjectID: "g", Kind: directory.SecurityGroup, Name: "nobody@x.example"}}},
				Accounts:    &directory.AccountReading{Proof: directory.Proof{Complete: true}, Accounts: []*directory.Account{account(1, "ann@x.example")}},
				Known:       known(s),
				Protections: (&Part{}).protections(&Request{Prior: s}),
				Now:         time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
			})
			if exempt := len(result.Decisions) == 0; exempt != row.protected {
				t.Errorf("decisions %+v, skips %+v, problems %v", result.Decisions, result.Skips, result.Problems)
			}
		})
	}
}

// TestSyncReadsDomainsThatStateDoesNotKnow: the domains decide which aliases may stay, whoever manages them.
func TestSyncReadsDomainsThatStateDoesNotKnow(t *testing.T) {
	for kind, want := range map[string]string{"sync_policy": "domain sync_policy", "exemption": "exemption"} {
		s := &state.State{Objects: map[string]*state.Object{kind + ".x": {Address: kind + ".x", Type: kind, Values: policyValue("weir", number(1))}}}
		if got := strings.Join(SyncTypes(resource.NewRegistry(nil, nil), s), " "); got != want {
			t.Errorf("%s: reads %s", kind, got)
		}
	}
}

func TestReviewedTypeIsPartOfTheItem(t *testing.T) {
	d := func(kind directory.AccountType) *dirsync.Decision {
		return &dirsync.Decision{Action: dirsync.Add, Address: "a@x.example", After: &directory.Account{Address: "a@x.example", Type: kind, Active: true}}
	}
	if DecisionItem(d(directory.EndUser)).Digest == DecisionItem(d(directory.SilentUser)).Digest {
		t.Error("a reviewed end_user passes as silent_user")
	}
	if again := d(directory.EndUser); DecisionItem(d(directory.EndUser)).Digest != DecisionItem(again).Digest {
		t.Error("the same decision has two digests")
	}
}

func TestAllowanceIsUsedOnce(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	allow := &dirsync.Allow{Removals: 9, Reason: "office closed", Until: now}
	other := &dirsync.Allow{Removals: 9, Reason: "another office closed", Until: now}
	used := &state.State{Allowances: map[string]time.Time{Allowance(allow): now}}
	for _, row := range []struct {
		name   string
		prior  *state.State
		given  int
		block  *dirsync.Allow
		want   int // removals let pass; -1 none
		digest bool
	}{
		{"fresh", &state.State{}, -1, allow, 9, true},
		{"used up", used, -1, allow, -1, false},
		{"another one", used, -1, other, 9, true},
		{"the figure given to apply", used, 3, allow, 3, false},
		{"none", nil, -1, nil, -1, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := dirsync.Safeguard{Allow: row.block}
			digest := (&Part{}).allow(&Request{Prior: row.prior, AcceptRemovals: row.given}, &s)
			got := -1
			if s.Allow != nil {
				got = s.Allow.Removals
			}
			if got != row.want || (digest != "") != row.digest {
				t.Errorf("lets %d pass, digest %q", got, digest)
			}
		})
	}
}

func TestBindKeepsFirstSight(t *testing.T) {
	obj := func(bindings ...state.Binding) *state.Object {
		return &state.Object{Address: "exemption.e", Type: "exemption", Bindings: bindings,
			Values: cty.ObjectVal(map[string]cty.Value{"addresses": cty.SetVal([]cty.Value{cty.StringVal("a@x.example")})})}
	}
	seen := func(uid int, id string) []dirsync.Binding {
		return []dirsync.Binding{{Source: "exemption.e", Address: "a@x.example", UID: uid, ObjectID: id}}
	}
	bound := func(uid int, id string) state.Binding {
		return state.Binding{Address: "a@x.example", UID: uid, ObjectID: id}
	}
	for _, row := range []struct {
		name    string
		obj     *state.Object
		seen    []dirsync.Binding
		want    []state.Binding
		changed bool
	}{
		{"first sight", obj(), seen(7, "o"), []state.Binding{bound(7, "o")}, true},
		{"nothing seen yet", obj(), nil, nil, false},
		{"somebody else has the address now", obj(bound(7, "o")), seen(8, "p"), []state.Binding{bound(7, "o")}, false},
		{"not seen this time", obj(bound(7, "o")), nil, []state.Binding{bound(7, "o")}, false},
		{"the account comes later", obj(bound(0, "o")), seen(7, "o"), []state.Binding{bound(7, "o")}, true},
		{"no longer named", obj(bound(7, "o"), state.Binding{Address: "b@x.example", UID: 9}), seen(7, "o"), []state.Binding{bound(7, "o")}, true},
		{"another exemption's", obj(), []dirsync.Binding{{Source: "exemption.f", Address: "a@x.example", UID: 1}}, nil, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, changed := Bind(row.obj, row.seen)
			if changed != row.changed || len(got) != len(row.want) {
				t.Fatalf("%v %v", got, changed)
			}
			for i := range got {
				if got[i] != row.want[i] {
					t.Errorf("%v, want %v", got[i], row.want[i])
				}
			}
		})
	}
	p := dirsync.Protection{Addresses: []string{"a@x.example"}}
	follow(&p, obj(bound(7, "o"), state.Binding{Address: "b@x.example", UID: 9}))
	if len(p.UIDs) != 1 || p.UIDs[0] != 7 || p.ObjectIDs[0] != "o" {
		t.Errorf("the protection follows %v %v", p.UIDs, p.ObjectIDs)
	}
}

func TestPolicyGuards(t *testing.T) {
	null := cty.NullVal(cty.Number)
	organization := func(url string) map[string]Reading {
		v := cty.ObjectVal(map[string]cty.Value{"ldap_url": cty.StringVal(url)})
		return map[string]Reading{"tenant": {Live: []resource.Live{{Value: v}}}}
	}
	was := func(engine string) *state.State {
		return &state.State{Objects: map[string]*state.Object{"sync_policy.p": {Values: policyValue(engine, null)}}}
	}
	attest := func(v cty.Value) *Change {
		return &Change{Type: "tenant", After: cty.ObjectVal(map[string]cty.Value{"attest": cty.ObjectVal(map[string]cty.Value{"engine_change": v})})}
	}
	for _, row := range []struct {
		name, engine string
		objects      map[string]Reading
		prior        *state.State
		tenant       *Change
		want         string
	}{
		{"nothing in the way", "weir", organization(""), was("weir"), nil, ""},
		{"a second source", "weir", organization("ldaps://ad.x.example"), nil, nil, "second_source"},
		{"a second source, hosted", "essentials", organization("ldaps://ad.x.example"), nil, nil, "second_source"},
		{"a second source and no sync", "none", organization("ldaps://ad.x.example"), nil, nil, ""},
		{"from the hosted sync", "weir", nil, was("essentials"), attest(cty.NullVal(cty.Bool)), "engine_change"},
		{"from the hosted sync, attested", "weir", nil, was("essentials"), attest(cty.True), ""},
		{"to the hosted sync", "essentials", nil, was("weir"), nil, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := &Part{}
			if row.tenant != nil {
				p.Changes = append(p.Changes, row.tenant)
			}
			c := &Change{Address: "sync_policy.p", Type: "sync_policy", After: policyValue(row.engine, null)}
			held := p.guardPolicy(&Request{Address: "tenant.t", Observed: &Observation{Objects: row.objects}, Prior: row.prior}, c)
			name := ""
			for _, g := range p.Guards {
				name = g.Name
				if g.Cure == "" || !strings.Contains(g.Text, "sync_policy.p") {
					t.Errorf("guard %+v", g)
				}
			}
			if name != row.want || held != (row.want != "") || (c.Held != "") != held {
				t.Errorf("guard %q, held %v", name, held)
			}
		})
	}
}

func TestSelectionNarrowsWhatIsRemembered(t *testing.T) {
	for _, row := range []struct {
		name              string
		targets, excludes []string
		links, bindings   int
	}{
		{"everything", nil, nil, 2, 1},
		{"the policy", []string{"sync_policy.p"}, nil, 2, 0},
		{"one account", []string{`sync_policy.p.account["a@x.example"]`}, nil, 1, 0},
		{"something else", []string{"domain.mail"}, nil, 0, 0},
		{"all but one account", nil, []string{`sync_policy.p.account["a@x.example"]`}, 1, 1},
		{"all but the exemption", nil, []string{"exemption.e"}, 2, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := &Part{AccountPolicy: "sync_policy.p", Accounts: &dirsync.Result{
				Links: []dirsync.Link{{Address: "a@x.example"}, {Address: "b@x.example"}}, Bindings: []dirsync.Binding{{Source: "exemption.e"}},
			}}
			req := &Request{Targets: row.targets, Excludes: row.excludes}
			p.narrow(req)
			if len(p.Accounts.Links) != row.links || len(p.Accounts.Bindings) != row.bindings || p.remembers(req) != (row.links > 0) {
				t.Errorf("links %v, bindings %v", p.Accounts.Links, p.Accounts.Bindings)
			}
		})
	}
}

// TestExemptionStandsToTheEndOfItsLastDay, as the exemption's own type counts, and UTC.
func TestExemptionStandsToTheEndOfItsLastDay(t *testing.T) {
	value := cty.ObjectVal(map[string]cty.Value{"expires": cty.StringVal("2026-11-28"), "addresses": cty.SetVal([]cty.Value{cty.StringVal("ann@x.example")})})
	for _, row := range []struct {
		now   string
		ended bool
	}{{"2026-11-27T12:00:00Z", false}, {"2026-11-28T00:30:00Z", false}, {"2026-11-28T23:59:00Z", false}, {"2026-11-29T00:00:01Z", true}} {
		now, err := time.Parse(time.RFC3339, row.now)
		if err != nil {
			t.Fatal(err)
		}
		r := dirsync.Decide(dirsync.Request{Policy: dirsync.Policy{Engine: dirsync.EngineWeir}, Protections: []dirsync.Protection{protection("exemption.e", value, cty.NilVal)}, Now: now})
		notes := strings.Join(r.Notes, "\n")
		if strings.Contains(notes, "exemption.e ended on 2026-11-28") != row.ended {
			t.Errorf("%s: %s", row.now, notes)
		}
	}
}
