package render

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync/hosted"
	"github.com/weir-project/weir/providers/directory"
)

// foreseenRun is a prediction about the tenant of inquiry, with text where a vendor or a directory may write.
func foreseenRun(text string) *planner.HostedRun {
	account := &directory.Account{Address: "new" + directory.Fold(text) + "@c.com", Type: directory.EndUser, Active: true, Billable: true}
	return &planner.HostedRun{Prediction: &hosted.Prediction{
		ManualFails: text, MayFail: text,
		Items:  []hosted.Item{{Effect: hosted.Adding, Address: account.Address, ObjectID: "o-3" + text, Rule: "R21", Text: text, After: account}},
		Doubts: []hosted.Doubt{{Fact: hosted.HandMade, Instead: []hosted.Item{{Effect: hosted.Deleting, Address: "stray@c.com", Rule: "R25", Text: text, Before: &directory.Account{UID: 2, Address: "stray@c.com", Active: true}}}}},
	}, Suspended: text}
}

func TestExplainHosted(t *testing.T) {
	account := func(uid int, address string, kind directory.AccountType, active bool, aliases ...string) *directory.Account {
		return &directory.Account{UID: uid, Address: address, Type: kind, Active: active, Billable: true, Aliases: aliases}
	}
	ann := account(1, "ann@c.com", directory.EndUser, true, "alias@c.com")
	stray := account(2, "stray@c.com", directory.EndUser, true)
	newcomer := hosted.Item{Effect: hosted.Adding, Address: "new@c.com", ObjectID: "o-3", Rule: "R21", Text: "Essentials has no account for it", After: account(0, "new@c.com", directory.EndUser, true)}
	leaver := hosted.Item{Effect: hosted.Disabling, Address: "ann@c.com", ObjectID: "o-1", Rule: "R32", Text: "its sign-in is blocked", Before: ann, After: account(1, "ann@c.com", directory.EndUser, false, "alias@c.com")}
	gone := hosted.Item{Effect: hosted.Deleting, Address: "stray@c.com", Rule: "R25", Text: "the directory has it no more", Before: stray}
	flip := []hosted.Item{
		{Effect: hosted.Adding, Address: "ann@c.com", ObjectID: "o-1", Rule: "R40", Text: "it takes the place", After: account(0, "ann@c.com", directory.FunctionalAccount, true, "alias@c.com")},
		{Effect: hosted.Deleting, Address: "ann@c.com", ObjectID: "o-1", Rule: "R40", Text: "it gives way", Before: ann},
	}
	hourly := func(p hosted.Prediction) *planner.HostedRun {
		p.Next, p.Every = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), time.Hour
		return &planner.HostedRun{Prediction: &p}
	}
	suspended := hourly(hosted.Prediction{Items: []hosted.Item{leaver}})
	suspended.Suspended = "too many would go"
	for _, tt := range []struct {
		name, address, short, mail, billed string
		run                                *planner.HostedRun
		says                               []string
	}{
		{"a newcomer", "new@c.com", "adding R21", "yes", "yes", hourly(hosted.Prediction{Items: []hosted.Item{newcomer}}),
			[]string{"at about 09:00 UTC", "the vendor's doing", "Adding new@c.com: end user; Essentials has no account for it (R21).", "Then as after the next apply"}},
		{"a run by hand that fails", "new@c.com", "adding R21", "yes", "yes", hourly(hosted.Prediction{Items: []hosted.Item{newcomer}, ManualFails: "Essentials does not know d.com (R34)"}),
			[]string{"A run by the portal's button fails: Essentials does not know d.com (R34)."}},
		{"only by hand, and that fails", "new@c.com", "fails", "yes", "yes", &planner.HostedRun{Prediction: &hosted.Prediction{Items: []hosted.Item{newcomer}, ManualFails: "Essentials does not know d.com (R34)"}},
			[]string{"it does not run by itself", "A run by the portal's button fails"}},
		{"only by hand, and that may fail", "new@c.com", "adding R21", "yes", "yes", &planner.HostedRun{Prediction: &hosted.Prediction{Items: []hosted.Item{newcomer}, ManualFails: "Essentials does not know d.com (R34)", ManualDepends: []hosted.Fact{hosted.MailDomains}}},
			[]string{"A run by the portal's button may fail", hosted.MailDomains.Text()}},
		{"disabled", "ann@c.com", "disabling R32", "no", "no", hourly(hosted.Prediction{Items: []hosted.Item{leaver}}),
			[]string{"Disabling ann@c.com: its sign-in is blocked (R32).", "mail yes -> no (the account is disabled, and mail to it is refused (R32))", "login yes -> no", "billed yes -> no"}},
		{"its alias with it", "alias@c.com", "disabling R32", "no", "no", hourly(hosted.Prediction{Items: []hosted.Item{leaver}}), []string{"mail yes -> no"}},
		{"suspended", "ann@c.com", "suspended: disabling R32", "no", "no", suspended, []string{"The schedule is suspended: too many would go", "would do this", "Disabling ann@c.com"}},
		{"deleted by hand-made doubt", "stray@c.com", "nothing or deleting R25", "yes", "no", hourly(hosted.Prediction{Doubts: []hosted.Doubt{{Fact: hosted.HandMade, Instead: []hosted.Item{gone}}}}),
			[]string{"Nothing.", "Either that, or deleting stray@c.com: the directory has it no more (R25): it cannot be read " + hosted.HandMade.Text(), "mail yes -> no (Essentials refuses it)"}},
		{"either way round", "stray@c.com", "deleting R25 or nothing", "no", "no", hourly(hosted.Prediction{Items: []hosted.Item{gone}, Doubts: []hosted.Doubt{{Fact: hosted.EarlierRuns, Not: []hosted.Item{gone}}}}),
			[]string{"Deleting stray@c.com", "Either that, or nothing: it cannot be read " + hosted.EarlierRuns.Text()}},
		{"made again as another type", "ann@c.com", "deleting R40, adding R40", "yes", "no", hourly(hosted.Prediction{Items: flip}),
			[]string{"Deleting ann@c.com: it gives way (R40), then adding ann@c.com: functional account; it takes the place (R40).", "mail yes,", "login yes -> no", "billed yes -> no"}},
		{"an alias taken off", "alias@c.com", "updating R22", "no", "no", hourly(hosted.Prediction{Items: []hosted.Item{{Effect: hosted.Updating, Address: "ann@c.com", ObjectID: "o-1", Rule: "R22", Text: "aliases differ", Before: ann, After: account(1, "ann@c.com", directory.EndUser, true)}}}),
			[]string{"mail yes -> no (Essentials refuses it)"}},
		{"left out", "new@c.com", "skipped R33", "yes", "yes", hourly(hosted.Prediction{Items: []hosted.Item{{Effect: hosted.Skipped, Address: "new@c.com", ObjectID: "o-3", Code: hosted.SkipForeign, Rule: "R33", Text: "its primary domain is not registered in Essentials"}}}),
			[]string{"Skipped new@c.com: its primary domain is not registered in Essentials (R33)."}},
		{"exempt", "ann@c.com", "exempt R40", "yes", "yes", hourly(hosted.Prediction{Items: []hosted.Item{{Effect: hosted.Exempt, Address: "ann@c.com", ObjectID: "o-1", Rule: "R40", Before: ann, After: ann}}}),
			[]string{"Exempt ann@c.com: left alone (R40)."}},
		{"another object's trouble", "ann@c.com", "nothing", "yes", "yes", hourly(hosted.Prediction{Items: []hosted.Item{{Effect: hosted.Refused, Address: "ann@c.com", ObjectID: "o-9", Text: "its address belongs to somebody"}}}),
			[]string{"Nothing."}},
		{"the run fails", "ann@c.com", "fails", "yes", "yes", hourly(hosted.Prediction{Fails: "its secret ended (R10)"}), []string{"It fails and changes nothing: its secret ended (R10).", "Then as after the next apply"}},
		{"not to be told", "ann@c.com", "unknown", "unknown", "unknown", hourly(hosted.Prediction{Unknown: "the directory could not be read"}), []string{"It cannot be predicted: the directory could not be read."}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := NewExplainer(inquiry(""), tt.run, nil)
			e := x.Explain(tt.address, 0)
			if e.Hosted == nil || e.Hosted.short() != tt.short || e.Hosted.After.Mail != tt.mail || e.Hosted.After.Billed != tt.billed {
				t.Fatalf("%q: %+v", e.Hosted.short(), e.Hosted)
			}
			var b bytes.Buffer
			if err := Explain(&b, e, Options{Width: 1000}); err != nil {
				t.Fatal(err)
			}
			for _, s := range tt.says {
				if !strings.Contains(b.String(), s) {
					t.Errorf("it does not say %q:\n%s", s, b.String())
				}
			}
		})
	}
}

// TestExplainHostedColumn: the prediction is one more column, and without one nothing of it is there.
func TestExplainHostedColumn(t *testing.T) {
	for _, run := range []*planner.HostedRun{foreseenRun(""), nil} {
		x := NewExplainer(inquiry(""), run, nil)
		var table, sheet, lines bytes.Buffer
		for _, err := range []error{ExplainAll(&table, x, Options{Width: 300}), ExplainCSV(&sheet, x, true), ExplainAllJSON(&lines, x)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		rows, err := csv.NewReader(&sheet).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		cells := map[string]string{}
		for _, r := range rows {
			cells[r[0]] = r[len(r)-2]
		}
		want := map[string]string{"address": "hosted_run", "new@c.com": "", "stray@c.com": "", "ann@c.com": ""}
		if run != nil {
			want = map[string]string{"address": "hosted_run", "new@c.com": "adding R21", "stray@c.com": "nothing or deleting R25", "ann@c.com": "nothing"}
		}
		for address, cell := range want {
			if cells[address] != cell {
				t.Errorf("%s has %q, want %q", address, cells[address], cell)
			}
		}
		for name, there := range map[string]bool{
			"table":  strings.Contains(table.String(), "hosted run") && strings.Contains(table.String(), "adding R21"),
			"lines":  strings.Contains(lines.String(), `"hosted_run":{`) && strings.Contains(lines.String(), `"effect":"adding R21"`),
			"either": strings.Contains(lines.String(), `"fact":"hand_made"`),
		} {
			if there != (run != nil) {
				t.Errorf("%s: %t", name, there)
			}
		}
	}
}
