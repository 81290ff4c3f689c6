package planner

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/state"
)

func mail(name string) string { return AccountAddress("sync_policy.p", name+"@c.example") }

// decided is a part with one decision for each name: kate hands an address over to bob, nora is new in a new domain.
func decided() *Part {
	account := func(name string, aliases ...string) *directory.Account {
		return &directory.Account{Address: name + "@c.example", Aliases: aliases, Active: true, Type: directory.EndUser}
	}
	nora := account("nora", "nora@new.example")
	return &Part{
		AccountPolicy: "sync_policy.p", Status: Ready,
		Changes: []*Change{
			{Address: "domain.new", Type: "domain", Action: Create, After: cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal("new.example"), "purpose": cty.StringVal("relay")})},
			{Address: "exemption.e", Type: "exemption", Action: Create, Before: cty.NilVal, After: cty.EmptyObjectVal},
			{Address: "m365_connector.c", Type: "m365_connector", Action: Create},
			{Address: "mail_flow_rule.r", Type: "mail_flow_rule", Action: Update, Dependencies: []string{"m365_connector.c"}},
			{Address: "mail_flow_rule.held", Type: "mail_flow_rule", Action: Update, Held: "held", Dependencies: []string{"m365_connector.c"}},
			{Address: "dkim.outer", Type: "dkim", Action: Delete, Before: cty.EmptyObjectVal, Dependencies: []string{"dkim.inner"}},
			{Address: "dkim.inner", Type: "dkim", Action: Delete, Before: cty.EmptyObjectVal},
		},
		Accounts: &dirsync.Result{Decisions: []dirsync.Decision{
			{Action: dirsync.Update, Address: "bob@c.example", UID: 2, Before: account("bob"), After: account("bob", "k@c.example"), Needs: []string{"kate@c.example"}},
			{Action: dirsync.Disable, Address: "kate@c.example", UID: 3, ObjectID: "k", Before: account("kate", "k@c.example"), After: account("kate"), Destructive: true},
			{Action: dirsync.Convert, Address: "leo@c.example", UID: 4, Before: account("leo"), After: account("leo"), Reasons: []dirsync.Reason{{Rule: "R40", Text: "exemption.e protects it by its address."}}},
			{Action: dirsync.Add, Address: "nora@c.example", After: nora},
			{Action: dirsync.Delete, Address: "olga@c.example", Before: account("olga"), Held: "held", Destructive: true},
		}},
	}
}

func TestCouplings(t *testing.T) {
	got := decided().Couplings()
	want := map[string][]string{
		"domain.new":       {mail("nora")},
		"exemption.e":      {mail("leo")},
		"m365_connector.c": {"mail_flow_rule.r"},
		"dkim.outer":       {"dkim.inner"},
		mail("bob"):        {mail("kate")},
		mail("kate"):       {mail("bob")},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}

	p := decided()
	p.Changes = append(p.Changes, &Change{Address: "sync_policy.p", Type: "sync_policy", Action: Update})
	if got := p.Couplings()["sync_policy.p"]; len(got) != 4 {
		t.Errorf("with the policy go %v", got)
	}
	p.Changes = append(p.Changes, &Change{Address: "tenant.t", Type: "tenant", Action: Create})
	if got := p.Couplings()["tenant.t"]; len(got) != 6+1+4 {
		t.Errorf("with the organization go %v", got)
	}
}

// TestCouplingsOfATakedown: an organization that loses one object less stays, and so does the domain of an account.
func TestCouplingsOfATakedown(t *testing.T) {
	p := &Part{
		AccountPolicy: "sync_policy.p", Removed: true,
		Changes: []*Change{
			{Address: "domain.d", Type: "domain", Action: Delete, Before: cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal("c.example")})},
			{Address: "sync_policy.p", Type: "sync_policy", Action: Release},
			{Address: "tenant.t", Type: "tenant", Action: Delete},
		},
		Accounts: &dirsync.Result{Decisions: []dirsync.Decision{{Action: dirsync.Delete, Address: "bob@c.example", Before: &directory.Account{Address: "bob@c.example"}}}},
	}
	want := map[string][]string{mail("bob"): {"sync_policy.p", "domain.d"}, "domain.d": {"tenant.t"}, "sync_policy.p": {"tenant.t"}}
	if got := p.Couplings(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestOmit(t *testing.T) {
	p := decided()
	all := len(p.Review().Items)
	until := time.Date(2027, 1, 31, 23, 59, 59, 0, time.UTC)
	p.Omit(
		Omission{Address: mail("kate"), Until: until, By: "dana"}, Omission{Address: mail("bob"), With: mail("kate")},
		Omission{Address: "m365_connector.c"}, Omission{Address: "mail_flow_rule.r", With: "m365_connector.c"}, Omission{Address: "no.such"},
	)
	p.Omissions = append(p.Omissions, Omission{Address: mail("leo"), Mail: "leo@c.example", Exemption: "exemption.leo"})
	items := p.Review().Items
	if len(items) != all-4 {
		t.Errorf("%d of %d items are left", len(items), all)
	}
	for _, address := range []string{mail("kate"), mail("bob"), "m365_connector.c", "mail_flow_rule.r"} {
		if _, there := items[address]; there {
			t.Errorf("%s is still to be applied", address)
		}
	}
	mails, objects := p.LeftOut()
	if !slices.Equal(mails, []string{"kate@c.example", "bob@c.example"}) || !slices.Equal(objects, []string{"m365_connector.c", "mail_flow_rule.r"}) {
		t.Errorf("left out %v and %v", mails, objects)
	}
	if o := p.Omitted(mail("kate")); o.UID != 3 || o.ObjectID != "k" || o.Text != "disable kate@c.example" || o.What() != "left out until 2027-01-31" {
		t.Errorf("%+v: %s", o, o.What())
	}

	// A skip replaces an earlier one of the same account, whatever it was called, and leaves the others.
	skips, changed := p.Skips([]state.Skip{{Mail: "katharina@c.example", ObjectID: "k", Until: until.AddDate(-1, 0, 0)}, {Mail: "zoe@c.example"}})
	want := []state.Skip{{Mail: "zoe@c.example"}, {Address: "sync_policy.p", Mail: "kate@c.example", UID: 3, ObjectID: "k", Until: until, By: "dana"}}
	if !changed || !reflect.DeepEqual(skips, want) {
		t.Errorf("changed %t: %+v", changed, skips)
	}
	if _, changed := decided().Skips(want); changed {
		t.Error("a part that leaves nothing out changes skips")
	}

	// The last word counts, and counts once.
	before := len(p.Omissions)
	p.Omit(Omission{Address: mail("kate"), By: "robin"})
	if o := p.Omitted(mail("kate")); len(p.Omissions) != before || !o.Until.IsZero() || o.By != "robin" || o.UID != 3 {
		t.Errorf("%d omissions, were %d: %+v", len(p.Omissions), before, o)
	}
}

// TestOmissionsTravel: a kept plan that is taken up again leaves out what was left out.
func TestOmissionsTravel(t *testing.T) {
	p := decided()
	p.Omit(Omission{Address: mail("kate"), Until: time.Date(2027, 1, 31, 23, 59, 59, 0, time.UTC), By: "dana", Reason: "r"}, Omission{Address: mail("bob"), With: mail("kate")})
	var b bytes.Buffer
	if err := (&Plan{ID: "p", Parts: []*Part{p}}).Write(&b); err != nil {
		t.Fatal(err)
	}
	read, err := ReadPlan(&b)
	if err != nil {
		t.Fatal(err)
	}
	if got := read.Parts[0]; !reflect.DeepEqual(got.Omissions, p.Omissions) || len(got.Review().Items) != len(p.Review().Items) {
		t.Errorf("got  %+v\nwant %+v", got.Omissions, p.Omissions)
	}
	// What is left of it does not bring them back, and does not count them as done.
	left := decided().Left(read.Parts[0])
	if left.Part.Accounts == nil || left.Done != 0 || strings.Contains(fmt.Sprint(left.Differs), "kate") {
		t.Errorf("left %+v", left)
	}
	for _, d := range left.Part.Accounts.Decisions {
		if d.Address == "kate@c.example" || d.Address == "bob@c.example" {
			t.Errorf("%s came back", d.Address)
		}
	}
}

// TestApprove: a part that was decided again is narrowed to what was approved and what comes of it.
func TestApprove(t *testing.T) {
	reviewed := decided()
	reviewed.Omit(Omission{Address: mail("kate")}, Omission{Address: mail("bob"), With: mail("kate")}, Omission{Address: mail("nora"), Exemption: "exemption.nora"}, Omission{Address: mail("leo"), Exemption: "exemption.leo"})
	now := decided()
	decisions := now.Accounts.Decisions
	now.Accounts.Decisions = append(decisions[:3:3], dirsync.Decision{Action: dirsync.Add, Address: "late@c.example", After: &directory.Account{Address: "late@c.example"}})
	now.Changes = append(now.Changes, &Change{Address: "exemption.nora", Type: "exemption", Action: Create})
	now.Changes[0].ID = "other" // decided differently since
	now.Approve(reviewed, func(address string, _ Item) bool { return address == "exemption.nora" || address == mail("leo") })
	got := slices.Sorted(func(yield func(string) bool) {
		for address := range now.Review().Items {
			if !yield(address) {
				return
			}
		}
	})
	want := []string{"dkim.inner", "dkim.outer", "exemption.e", "exemption.nora", "m365_connector.c", "mail_flow_rule.r", mail("leo")}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	said := map[string]string{}
	for i := range now.Omissions {
		said[now.Omissions[i].Address] = now.Omissions[i].What()
	}
	for address, what := range map[string]string{
		mail("late"): "left out this time: it came up after the review", "domain.new": "left out this time: it came up after the review",
		mail("kate"): "left out this time", mail("bob"): "left out along with " + mail("kate"), mail("nora"): "exempt from now on, by exemption.nora",
	} {
		if said[address] != what {
			t.Errorf("%s: %q, want %q", address, said[address], what)
		}
	}
	if _, there := said[mail("leo")]; there {
		t.Error("leo is converted as was wanted, and said to be left out")
	}
}

// TestSelectionTakesNoAddressAway: who hands an address over is left out along with who would take it, over more than one
// step; nobody else is.
func TestSelectionTakesNoAddressAway(t *testing.T) {
	part := func() *Part {
		return &Part{AccountPolicy: "sync_policy.p", Accounts: &dirsync.Result{Decisions: []dirsync.Decision{
			{Address: "giver@x.example"}, {Address: "taker@x.example", Needs: []string{"giver@x.example", "other@x.example"}},
			{Address: "other@x.example"}, {Address: "alone@x.example"},
		}}}
	}
	for dropped, want := range map[string]string{
		"":                "giver@x.example taker@x.example other@x.example alone@x.example",
		"taker@x.example": "alone@x.example",
		"giver@x.example": "alone@x.example",
		"alone@x.example": "giver@x.example taker@x.example other@x.example",
	} {
		p := part()
		p.selectAccounts(func(d dirsync.Decision) bool { return d.Address != dropped })
		var got []string
		for _, d := range p.Accounts.Decisions {
			got = append(got, d.Address)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("without %q: %v", dropped, got)
		}
	}
}
