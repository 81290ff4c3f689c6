package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/apply"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/planner/dirsync/hosted"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// TestEveryActionHasItsWords: what is done to accounts is said in the portal's words on the way and on the last screens.
func TestEveryActionHasItsWords(t *testing.T) {
	for _, g := range groupTitles {
		action := string(g.action)
		if v, ok := verbs[action]; !ok || v[0] != g.symbol {
			t.Errorf("%s has the words %q, and the plan's symbol is %q", action, v, g.symbol)
		}
		var b bytes.Buffer
		kate := &directory.Account{Address: "kate@c.example", Type: directory.FunctionalAccount}
		part := &planner.Part{Tenant: identity("contoso"), AccountPolicy: "sync_policy.p", Status: planner.Ready,
			Accounts: &dirsync.Result{Decisions: []dirsync.Decision{{Action: g.action, Address: kate.Address, Before: kate, After: kate, Cause: dirsync.CauseDirectory, Reasons: []dirsync.Reason{{Text: "why so"}}}}}}
		done := Synced{Part: part, Outcome: Outcome{Tenant: part.Tenant, Report: &apply.Report{Applied: map[string]int{action: 1}}}}
		if err := Sync(&b, []Synced{done}, Options{}); err != nil {
			t.Fatal(err)
		}
		if out := b.String(); !strings.Contains(out, "kate@c.example") || strings.Contains(out, action+" done") {
			t.Errorf("a sync that did %s to kate says\n%s", action, out)
		}
	}
}

// TestMadeAgainIsAdded: only an account that is added is said to have vanished, whatever else a sync puts right.
func TestMadeAgainIsAdded(t *testing.T) {
	for action, want := range map[dirsync.Action]bool{dirsync.Add: true, dirsync.Protect: false} {
		var b bytes.Buffer
		part := &planner.Part{Tenant: identity("contoso"), AccountPolicy: "sync_policy.p", Status: planner.Ready,
			Accounts: &dirsync.Result{Decisions: []dirsync.Decision{{Action: action, Address: "kate@c.example", Cause: dirsync.CauseDrift}}}}
		done := Synced{Part: part, Outcome: Outcome{Tenant: part.Tenant, Report: &apply.Report{Applied: map[string]int{string(action): 1}}}}
		if err := Sync(&b, []Synced{done}, Options{}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "Made again"); got != want || strings.Count(b.String(), "kate@") != 1 {
			t.Errorf("after %s:\n%s", action, b.String())
		}
	}
}

// TestOutcomesJSONSaysWhatTheScreenSays: the event that sums an apply up says complete only when it is, and how many are
// not done.
func TestOutcomesJSONSaysWhatTheScreenSays(t *testing.T) {
	for _, row := range []struct {
		outcomes []Outcome
		message  string
		undone   int
	}{
		{richOutcomes()[:1], "Apply complete!", 0},
		{richOutcomes(), "Apply ended!", 6},
	} {
		var b bytes.Buffer
		if err := OutcomesJSON(&b, row.outcomes, Options{}); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		var last struct {
			Message string `json:"@message"`
			Level   string `json:"@level"`
			Weir    struct {
				Undone int `json:"not_done"`
			} `json:"weir"`
		}
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(last.Message, row.message) || last.Weir.Undone != row.undone {
			t.Errorf("%+v, want %s and %d", last, row.message, row.undone)
		}
	}
}

// TestRootModuleIsNoTenant: the last screen counts it apart.
func TestRootModuleIsNoTenant(t *testing.T) {
	root := Outcome{Tenant: resource.Identity{}, Report: &apply.Report{Applied: map[string]int{"update": 1}}}
	failed := Outcome{Tenant: resource.Identity{}, Code: 1, Error: "no"}
	var many []Outcome
	for i := range maxTenants + 1 {
		many = append(many, Outcome{Tenant: identity(fmt.Sprintf("t%d", i)), Report: &apply.Report{Applied: map[string]int{"create": 1}}})
	}
	for _, row := range []struct {
		outcomes []Outcome
		want     string
	}{
		{append(many[:len(many):len(many)], root), "9 tenants done, nothing left to do there."},
		{[]Outcome{many[0], failed}, "the root module is not done."},
		{[]Outcome{richOutcomes()[6], failed}, "1 tenant and the root module are not done."},
		{[]Outcome{richOutcomes()[5], richOutcomes()[6], failed}, "2 tenants and the root module are not done."},
		{richOutcomes()[5:7], "2 tenants are not done."},
		{richOutcomes()[6:7], "1 tenant is not done."},
	} {
		var b bytes.Buffer
		if err := Outcomes(&b, row.outcomes, Options{}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), row.want) {
			t.Errorf("not said: %q in\n%s", row.want, b.String())
		}
	}
}

// TestWhySomebodyLoses: of what takes something away a plan says why, and not only what it means.
func TestWhySomebodyLoses(t *testing.T) {
	kate := &directory.Account{Address: "kate@c.example", Type: directory.EndUser, Active: true}
	for _, action := range []dirsync.Action{dirsync.Disable, dirsync.Delete, dirsync.Convert} {
		p := &planner.Plan{ID: "p", Parts: []*planner.Part{{Tenant: identity("contoso"), AccountPolicy: "sync_policy.p", Status: planner.Ready,
			Accounts: &dirsync.Result{Decisions: []dirsync.Decision{{Action: action, Address: kate.Address, Before: kate, After: kate, Cause: dirsync.CauseDirectory,
				Reasons: []dirsync.Reason{{Text: "Its directory object 1 is gone."}, {Rule: "R25", Text: "The policy says gone = x."}, {Text: "It comes of it."}}}}}}}}
		everywhere(t, p, "the policy says gone = x (R25); it comes of it")
	}
}

// TestEventsTellAll: the event stream has what the text refers readers to it for, and warns of what a person must see.
func TestEventsTellAll(t *testing.T) {
	part := risky("r1")
	part.AccountPolicy = "sync_policy.p"
	part.Notes = []string{"worth reading"}
	part.Hosted.Risks = []hosted.Risk{{Limit: "removals", Text: "80 addresses would stop receiving, and 5 may"}}
	part.Forecast.Stops = []dirsync.Stop{{Address: "old@gone.example", Why: "its domain is relayed no more"}}
	part.Accounts = &dirsync.Result{Undecided: []dirsync.Undecided{{Address: "desk@r1.example", Reasons: []dirsync.Reason{{Rule: "R40", Text: "somebody has it"}}, Blocks: []string{"exemption \"desk\" {}"}}}}
	var b bytes.Buffer
	if err := Events(&b, &planner.Plan{ID: "p", Parts: []*planner.Part{part}}); err != nil {
		t.Fatal(err)
	}
	var warned, plan string
	for line := range strings.Lines(b.String()) {
		var e struct {
			Level string `json:"@level"`
			Type  string `json:"type"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Level == "warn" {
			warned += line
		}
		if e.Type == "weir_plan" {
			plan += line
		}
	}
	for _, want := range []string{"desk@r1.example", "somebody has it", "80 addresses would stop receiving", "old@gone.example", "kate@r1.example"} {
		if !strings.Contains(warned, want) {
			t.Errorf("no warning says %q:\n%s", want, warned)
		}
	}
	for _, want := range []string{"worth reading", "kate@r1.example", "its sign-in is blocked", "old@gone.example", "desk@r1.example", `"tenant":"r1"`} {
		if !strings.Contains(plan, want) {
			t.Errorf("the event of the tenant does not say %q:\n%s", want, plan)
		}
	}
}
