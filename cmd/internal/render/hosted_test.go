package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync/hosted"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// hostedPlan has one tenant whose hosted sync does one of everything, with hostile names.
func hostedPlan() *planner.Plan {
	account := func(address string, kind directory.AccountType, active bool) *directory.Account {
		return &directory.Account{Address: address, Type: kind, Active: active, Billable: true}
	}
	run := &planner.HostedRun{Prediction: &hosted.Prediction{
		Next: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), Every: time.Hour, SeatsBefore: 3, SeatsAfter: 4, SeatsAtMost: 5,
		ManualFails: "Essentials does not know f.example, which the directory has (R34)",
		Items: []hosted.Item{
			{Effect: hosted.Disabling, Address: "bob@c.example", Rule: "R32", Text: "its sign-in is blocked", Before: account("bob@c.example", directory.EndUser, true), After: account("bob@c.example", directory.EndUser, false)},
			{Effect: hosted.Exempt, Address: "ceo@c.example", Rule: "R40", Text: "it is on the list"},
			{Effect: hosted.Adding, Address: "<b>info</b>@c.example", Rule: "R38", Text: "a shared mailbox\x1b[2J comes over as a user", After: account("<b>info</b>@c.example", directory.EndUser, true)},
			{Effect: hosted.Skipped, Address: "all@c.example", Code: hosted.SkipDynamic},
		},
		Doubts: []hosted.Doubt{{Fact: hosted.FlipSwitch, Instead: []hosted.Item{
			{Effect: hosted.Deleting, Address: "leo@c.example", Rule: "R40", Before: account("leo@c.example", directory.FunctionalAccount, true)},
			{Effect: hosted.Adding, Address: "leo@c.example", Rule: "R40", After: account("leo@c.example", directory.EndUser, true)},
		}}},
	}, Risks: []hosted.Risk{{Limit: "removals", Count: 1, Text: "1 addresses would stop receiving, and 0 may"}}}
	return &planner.Plan{ID: "p", Parts: []*planner.Part{{Tenant: resource.Identity{Key: "c", Name: "C"}, Status: planner.Ready, Hosted: run,
		Changes: []*planner.Change{{Address: "domain.x", Type: "domain", Action: planner.Update, Cause: planner.Configuration}}}}}
}

// TestHosted: every format names the group, its time, each address, both sides of the either-or, what stops receiving by the
// vendor's run, the seats and the limit that it exceeds, and lets no markup or control character through.
func TestHosted(t *testing.T) {
	p := hostedPlan()
	formats := map[string]func(*bytes.Buffer) error{
		"text":     func(b *bytes.Buffer) error { return Text(b, p, Options{Width: 200}) },
		"markdown": func(b *bytes.Buffer) error { return Markdown(b, p, Options{Names: true}) },
		"html":     func(b *bytes.Buffer) error { return HTML(b, p, Options{}) },
		"json":     func(b *bytes.Buffer) error { return JSON(b, p, Options{}) },
	}
	for name, write := range formats {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		// Escapes of each format are no matter of this test.
		out := strings.NewReplacer("\u200b", "", `\`, "", "&#39;", "'", "&#64;", "@").Replace(b.String())
		wants := []string{"bob@c.example", "ceo@c.example", "leo@c.example", "R38", "R40", "functional account gives way", "would stop receiving", "does not know f.example"}
		if name != "json" {
			wants = append(wants, "What the hosted sync will do next", "09:00", "Adding: 1", "Disabling: 1", "Exempt: 1", "dynamic group", "3 -> 4, or up to 5", "the vendor's doing")
		}
		for _, want := range wants {
			if name == "html" {
				want = strings.ReplaceAll(want, "->", "-&gt;")
			}
			if !strings.Contains(out, want) {
				t.Errorf("%s does not say %q:\n%s", name, want, b.String())
			}
		}
		if strings.ContainsRune(b.String(), '\x1b') || name == "html" && strings.Contains(b.String(), "<b>info") {
			t.Errorf("%s lets foreign text through", name)
		}
	}
	var b bytes.Buffer
	if err := JSON(&b, p, Options{}); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Weir struct {
			Parts []struct {
				Hosted struct {
					Counts map[string]int `json:"counts"`
					Next   string         `json:"next"`
					Stops  []any          `json:"stops_receiving"`
				} `json:"hosted_sync"`
			} `json:"parts"`
		} `json:"weir"`
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if h := doc.Weir.Parts[0].Hosted; h.Counts["disabling"] != 1 || h.Next != "2026-11-23T09:00:00Z" || len(h.Stops) != 1 {
		t.Errorf("%+v", h)
	}
}

// TestHostedQuiet: a plan without changes shows the group only when the run would do something, or something about it is in
// the way.
func TestHostedQuiet(t *testing.T) {
	item := func(e hosted.Effect) []hosted.Item { return []hosted.Item{{Effect: e, Address: "a@c.example"}} }
	rows := map[string]struct {
		run  planner.HostedRun
		show bool
	}{
		"nothing":           {planner.HostedRun{Prediction: &hosted.Prediction{Every: time.Hour}}, false},
		"exempt only":       {planner.HostedRun{Prediction: &hosted.Prediction{Items: item(hosted.Exempt)}}, false},
		"a run by hand":     {planner.HostedRun{Prediction: &hosted.Prediction{ManualFails: "x"}}, false},
		"adding":            {planner.HostedRun{Prediction: &hosted.Prediction{Items: item(hosted.Adding)}}, true},
		"refused":           {planner.HostedRun{Prediction: &hosted.Prediction{Items: item(hosted.Refused)}}, true},
		"fails":             {planner.HostedRun{Prediction: &hosted.Prediction{Fails: "the secret ended"}}, true},
		"unknown":           {planner.HostedRun{Prediction: &hosted.Prediction{Unknown: "not read"}}, true},
		"suspended":         {planner.HostedRun{Prediction: &hosted.Prediction{}, Suspended: "too many"}, true},
		"a doubtful flip":   {planner.HostedRun{Prediction: &hosted.Prediction{Doubts: []hosted.Doubt{{Fact: hosted.FlipSwitch, Instead: item(hosted.Deleting)}}}}, true},
		"a group as always": {planner.HostedRun{Prediction: &hosted.Prediction{Doubts: []hosted.Doubt{{Fact: hosted.Microsoft365, Instead: item(hosted.Adding)}}}}, false},
	}
	for name, row := range rows {
		p := &planner.Plan{Parts: []*planner.Part{{Tenant: resource.Identity{Key: "c", Name: "C"}, Status: planner.Ready, Hosted: &row.run}}}
		var b bytes.Buffer
		if err := Text(&b, p, Options{Width: 120}); err != nil {
			t.Fatal(err)
		}
		if shown := strings.Contains(b.String(), "What the hosted sync"); shown != row.show {
			t.Errorf("%s: shown %t\n%s", name, shown, fmt.Sprint(b.String()))
		}
	}
}
