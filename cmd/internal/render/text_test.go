package render

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/apply"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/resource"
)

func text(t *testing.T, p *planner.Plan, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Text(&b, p, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestNoChanges(t *testing.T) {
	drifted, waiting, unread, removed := emptyPlan(1), emptyPlan(1), emptyPlan(1), emptyPlan(1)
	drifted.Parts[0].Drifted = richPart().Drifted
	waiting.Parts[0].Waits = []planner.Wait{{Address: "domain.mail", Text: "not visible yet"}}
	unread.Parts[0].Problems = []string{"the directory could not be read"}
	removed.Parts[0].Removed = true
	root := emptyPlan(1)
	root.Parts = append(root.Parts, &planner.Part{Status: planner.Ready})
	for _, row := range []struct {
		name string
		plan *planner.Plan
		want int
	}{
		{"one tenant", emptyPlan(1), 1}, {"with a root", root, 1}, {"none", emptyPlan(0), 1}, {"waiting", waiting, 1},
		{"drifted", drifted, 0}, {"not read", unread, 0}, {"removed", removed, 0}, {"rich", richPlan(), 1 /* one of its tenants */},
	} {
		t.Run(row.name, func(t *testing.T) {
			out := text(t, row.plan, Options{})
			if got := strings.Count(out, "No changes. The vendors match the configuration."); got != row.want && (row.want <= 0 || got <= 0) {
				t.Errorf("said %d times, want %d:\n%s", got, row.want, out)
			}
		})
	}
}

// Addresses that stop receiving are never folded, those of a group are.
func TestFolding(t *testing.T) {
	p := emptyPlan(1)
	p.Parts[0].AccountPolicy = "sync_policy.staff"
	a := &dirsync.Result{}
	for i := range 142 {
		d := dirsync.Decision{Action: dirsync.Delete, Address: fmt.Sprintf("p%03d@x.example", i), Before: account(fmt.Sprintf("p%03d@x.example", i), "", ""), Cause: dirsync.CauseDirectory}
		a.Decisions = append(a.Decisions, d)
		a.StopsReceiving = append(a.StopsReceiving, dirsync.Stop{Address: d.Address, Why: "its account is deleted"})
	}
	p.Parts[0].Accounts = a
	p.Parts[0].Forecast = &planner.Forecast{Stops: a.StopsReceiving}
	out := text(t, p, Options{})
	before, after, _ := strings.Cut(out, "Accounts: ")
	if n := strings.Count(before, "@x.example"); n != 142 {
		t.Errorf("%d stop receiving are shown, want 142", n)
	}
	if n := strings.Count(after, "@x.example"); n != 10 {
		t.Errorf("%d accounts are shown, want 10", n)
	}
	if !strings.Contains(after, "… and 132 more (weir plan --json lists all)") {
		t.Error("the rest is not counted")
	}
}

func TestManyTenants(t *testing.T) {
	p := emptyPlan(20)
	p.Parts[3].Changes = richPart().Changes[:1]
	p.Parts[4].Waits = []planner.Wait{{Address: "domain.mail", Text: "not visible yet"}}
	out := text(t, p, Options{})
	if !strings.Contains(out, "19 other tenants have no changes (1 wait for something; weir plan --tenant KEY shows them).") || strings.Contains(out, "Tenant 5 ") {
		t.Errorf("quiet tenants are not one line:\n%s", out)
	}
	if !strings.Contains(out, "Plan for 20 tenants: 0 to add, 1 to change, 0 to destroy.") {
		t.Errorf("no total:\n%s", out)
	}
}

func TestNext(t *testing.T) {
	asked := text(t, richPlan(), Options{Asking: true})
	if strings.Contains(asked, "To carry this out") {
		t.Error("the next step is told although a question follows")
	}
	p := richPlan()
	p.Targets, p.Tenants = []string{`domain.x["a b"]`}, []string{"contoso"}
	if out := text(t, p, Options{}); !strings.Contains(out, `    weir apply --tenant contoso --target 'domain.x["a b"]'`) {
		t.Errorf("the command does not repeat the selection:\n%s", out)
	}
	p.Destroy = true
	if out := text(t, p, Options{Flags: []string{"--simulate", "--var-file=a b"}}); !strings.Contains(out, "    weir destroy --simulate '--var-file=a b' --tenant contoso") {
		t.Errorf("the command does not repeat the flags:\n%s", out)
	}
	held := emptyPlan(1)
	held.Parts[0].Changes = richPart().Changes[4:5]
	if out := text(t, held, Options{}); !strings.Contains(out, "Everything is held.") || strings.Contains(out, "weir apply") {
		t.Errorf("a held plan:\n%s", out)
	}
}

// Prose stays within the width; without colour there are no escapes, with colour there are.
func TestWidth(t *testing.T) {
	for _, w := range []int{0, 60, 100} {
		p := &planner.Plan{Parts: []*planner.Part{unreadablePart()}}
		for _, line := range strings.Split(text(t, p, Options{Width: w}), "\n") {
			if n := width(line); n > max(w, 60) && w > 0 {
				t.Errorf("%d columns in %q", n, line)
			}
		}
	}
	if out := text(t, richPlan(), Options{}); strings.Contains(out, "\x1b") {
		t.Error("escapes without colour")
	}
	if out := text(t, richPlan(), Options{Color: true}); !strings.Contains(out, "\x1b[1m") {
		t.Error("no colour")
	}
}

type failing struct{ after int }

func (f *failing) Write(p []byte) (int, error) {
	if f.after -= len(p); f.after < 0 {
		return 0, errors.New("disk full")
	}
	return len(p), nil
}

func TestWriterErrors(t *testing.T) {
	for name, format := range formats {
		if err := format(&failing{after: 10}, richPlan()); err == nil {
			t.Errorf("%s: the writer's error is lost", name)
		}
	}
	if err := errors.Join(Outcomes(&failing{}, nil, Options{}), nil); err == nil {
		t.Error("Outcomes: the writer's error is lost")
	}
}

func identity(key string) resource.Identity {
	return resource.Identity{Key: key, Name: strings.ToUpper(key[:1]) + key[1:], PrimaryDomain: key + ".example"}
}

func richOutcomes() []Outcome {
	return []Outcome{
		{Tenant: identity("contoso"), Report: &apply.Report{Applied: map[string]int{"create": 3, "update": 1, "add": 26, "adopt": 40}, AlreadySo: 2}},
		{Tenant: identity("fabrikam"), Code: 6, Report: &apply.Report{Applied: map[string]int{"update": 1}, Failed: []apply.Item{{Address: "domain.mail", Text: "PUT /orgs/fabrikam.example: value refused (HTTP 400, request 7f)"}},
			Skipped: []apply.Item{{Address: "m365_connector.outbound", Text: "not applied, because domain.mail was not"}}}},
		{Tenant: identity("litware"), Code: 4, Report: &apply.Report{Applied: map[string]int{}, Held: []apply.Item{{Address: "account.scanner", Text: "prevent_destroy was set on it"}}}},
		{Tenant: identity("northwind"), Code: 5, Error: "another run holds this tenant (alice on build-3, since 11:58:00)"},
		{Tenant: identity("proseware"), Code: 4, Report: &apply.Report{Changed: []apply.Item{{Address: "account.x", Text: "was to be changed destructively and now would not be: - account.x"}}}},
		{Tenant: identity("wingtip"), Code: 6, Report: &apply.Report{Applied: map[string]int{"delete": 1}, NotReviewed: []apply.Item{{Address: "domain.new", Text: "it was not part of what was reviewed: + domain.new"}}}},
		{Tenant: identity("adatum"), Code: 1, Error: "the credentials were refused (HTTP 401)"},
		{Tenant: resource.Identity{}, Report: &apply.Report{Applied: map[string]int{}}},
	}
}

func TestOutcomes(t *testing.T) {
	var b, j, done, many bytes.Buffer
	all := make([]Outcome, 0, 200)
	for i := range 199 {
		all = append(all, Outcome{Tenant: identity(fmt.Sprintf("t%03d", i)), Report: &apply.Report{Applied: map[string]int{"create": 1}}})
	}
	all = append(all, richOutcomes()[1])
	if err := errors.Join(Outcomes(&b, richOutcomes(), Options{Width: 140}), OutcomesJSON(&j, richOutcomes(), Options{}), Outcomes(&done, richOutcomes()[:1], Options{}), Outcomes(&many, all, Options{})); err != nil {
		t.Fatal(err)
	}
	golden(t, "outcomes.txt", b.Bytes())
	golden(t, "outcomes.jsonl", j.Bytes())
	golden(t, "done.outcomes.txt", done.Bytes())
	golden(t, "many.outcomes.txt", many.Bytes())
}

func events() []apply.Event {
	return []apply.Event{
		{Time: noon, Tenant: "contoso", Address: "domain.mail", Kind: apply.Started, Action: "create"},
		{Time: noon, Tenant: "fabrikam", Address: "domain.mail", Kind: apply.Started, Action: "update"},
		{Time: noon, Tenant: "contoso", Address: "domain.mail", Kind: apply.Finished, Action: "create", Elapsed: 1200 * time.Millisecond},
		{Time: noon, Tenant: "fabrikam", Address: "domain.mail", Kind: apply.Failed, Action: "update", Text: "value refused (HTTP 400)"},
		{Time: noon, Tenant: "fabrikam", Address: "m365_connector.outbound", Kind: apply.LeftOut, Text: "not applied, because domain.mail was not"},
		{Time: noon, Tenant: "contoso", Address: "sync_policy.staff", Kind: apply.Started, Action: "add", Count: 100},
		{Time: noon, Tenant: "contoso", Address: "sync_policy.staff", Kind: apply.Finished, Action: "add", Count: 100, Elapsed: 800 * time.Millisecond},
		{Time: noon, Tenant: "contoso", Address: `sync_policy.staff.account["bob@contoso.com"]`, Kind: apply.Finished, Action: "disable"},
		{Time: noon, Address: "output.x", Kind: apply.Finished, Action: "update"},
	}
}

func TestProgress(t *testing.T) {
	for _, row := range []struct {
		name, format string
		tty          bool
	}{{"progress.txt", "text", false}, {"progress.tty.txt", "text", true}, {"progress.jsonl", "json", false}} {
		t.Run(row.name, func(t *testing.T) {
			var b bytes.Buffer
			p := NewProgress(&b, row.format, Options{}, row.tty)
			for _, e := range events() {
				p.Event(e)
			}
			p.Say("Saved to plan.weir.\nTo apply exactly this:")
			golden(t, row.name, b.Bytes())
			if row.tty != strings.Contains(b.String(), "\r") {
				t.Error("the live line is drawn where it must not, or not where it must")
			}
		})
	}
	p := NewProgress(&failing{}, "text", Options{}, true)
	for _, e := range events() {
		p.Event(e) // a writer that fails stops nobody
	}
}
