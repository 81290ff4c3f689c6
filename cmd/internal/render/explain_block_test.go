package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
)

// blocks is a tenant in which blocks make two accounts, change one and take one away.
func blocks() planner.Inquiry {
	q := inquiry("")
	q.Request.Accounts.Accounts = append(q.Request.Accounts.Accounts,
		&directory.Account{UID: 3, Address: "desk@c.com", Type: directory.FunctionalAccount, Active: true},
		&directory.Account{UID: 4, Address: "old@c.com", Type: directory.EndUser, Active: true, Billable: true})
	list := q.Request.Accounts.Accounts
	q.Request.Declared = map[string]bool{"desk@c.com": true, "old@c.com": true, "it@c.com": true, "a.scanner@c.com": true}
	q.DeclaredBy = map[string]string{"desk@c.com": "account.desk", "old@c.com": "account.old", "it@c.com": "tenant.c" + adminSuffix, "a.scanner@c.com": "account.scanner"}
	q.Sources = map[string]string{"account.desk": "main.weir.hcl:3", "tenant.c": "main.weir.hcl:9", "account.scanner": "main.weir.hcl:20"}
	q.Blocks = []planner.BlockAccount{
		{Block: "account.desk", Before: list[2], After: &directory.Account{Address: "desk@c.com", Aliases: []string{"front@c.com"}, Type: directory.FunctionalAccount, Active: true}},
		{Block: "tenant.c" + adminSuffix, After: &directory.Account{Address: "it@c.com", Type: directory.OrganizationAdmin, Active: true, Billable: true}},
		{Block: "account.old", Before: list[3]},
		{Block: "account.scanner", After: &directory.Account{Address: "a.scanner@c.com", Type: directory.FunctionalAccount, Active: true}},
	}
	return q
}

// TestExplainDeclaredAccounts: what a block is about to do with an account is told like what the policy does.
func TestExplainDeclaredAccounts(t *testing.T) {
	x := NewExplainer(blocks(), nil, nil)
	for _, tt := range []struct{ address, answer, account, mail, source string }{
		{"it@c.com", "tenant.c (its admin) makes its account, as organization admin", "organization admin", "yes", "tenant.c, its admin (main.weir.hcl:9)"},
		{"a.scanner@c.com", "account.scanner makes its account, as functional account", "functional account", "yes", "account.scanner (main.weir.hcl:20)"},
		{"desk@c.com", "account.desk brings its account up to date", "functional account", "yes", "account.desk (main.weir.hcl:3)"},
		{"front@c.com", "account.desk", "alias of desk@c.com, functional account", "yes", ""},
		{"old@c.com", "account.old is taken away, and its account with it", "none", "no", "account.old"},
		{"ann@c.com", "brought up to date", "end user", "yes", "sync_policy.people"},
	} {
		e := x.Explain(tt.address, 50)
		if !strings.Contains(e.Answer, tt.answer) || e.After.Account != tt.account || e.After.Mail != tt.mail || e.Source != tt.source {
			t.Errorf("%s: %q, after: %s, mail %s, by %s", tt.address, e.Answer, e.After.Account, e.After.Mail, e.Source)
		}
		for _, f := range e.Flips {
			if strings.Contains(f.Changes[0].Text, "declare an account") {
				t.Errorf("%s is to be declared twice", tt.address)
			}
		}
	}
	var sheet, lines bytes.Buffer
	if err := ExplainCSV(&sheet, x, true); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&sheet).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	mail := map[string]string{}
	for _, r := range rows[1:] {
		names = append(names, r[0])
		mail[r[0]] = r[4]
	}
	if mail["it@c.com"] != "no -> yes" || mail["a.scanner@c.com"] != "no -> yes" || mail["old@c.com"] != "yes -> no" || mail["desk@c.com"] != "yes" {
		t.Errorf("%v", mail)
	}
	if !slices.IsSorted(slices.DeleteFunc(names, func(n string) bool { return strings.HasSuffix(n, "nowhere.example") })) {
		t.Errorf("not in order: %s", names)
	}
	if err := ExplainAllJSON(&lines, x); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for d := json.NewDecoder(&lines); d.More(); {
		var e struct{ Asked string }
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		seen[e.Asked] = true
	}
	for _, n := range []string{"it@c.com", "a.scanner@c.com", "desk@c.com", "old@c.com", "ann@c.com"} {
		if !seen[n] {
			t.Errorf("no line about %s", n)
		}
	}
}

// outside is a condition that lets nobody in.
type outside struct{}

func (outside) Text() string                         { return `entry.department == "Nobody"` }
func (outside) Match(*directory.Entry) (bool, error) { return false, nil }

// TestExplainRuleIsTheOneThatDecided: a rule that was passed on the way, such as the one by which a domain is registered, is
// not what decided; and nothing is told twice.
func TestExplainRuleIsTheOneThatDecided(t *testing.T) {
	q := inquiry("")
	q.Request.Policy.Include = outside{}
	q.Request.Policy.Where = "main.weir.hcl:66"
	x := NewExplainer(q, nil, nil)
	var sheet bytes.Buffer
	if err := ExplainCSV(&sheet, x, false); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&sheet).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rows, func(r []string) bool { return r[0] == "new@c.com" })
	if i < 0 || rows[i][2] != "not included" || rows[i][3] != "" || rows[i][len(rows[i])-1] != "sync_policy.people (main.weir.hcl:66)" {
		t.Errorf("%q", rows)
	}
	var b bytes.Buffer
	if err := Explain(&b, x.Explain("new@c.com", 0), Options{Width: 200}); err != nil {
		t.Fatal(err)
	}
	if strings.Count(b.String(), "The directory has it as user") != 1 || !strings.Contains(b.String(), "by sync_policy.people (main.weir.hcl:66)") {
		t.Error(b.String())
	}
}

// TestExplainTellsOfChangesByHand: aliases that somebody else gave the account are kept and are no change of what Weir
// wrote; a name that somebody changed is, also of somebody who left since.
func TestExplainTellsOfChangesByHand(t *testing.T) {
	for _, tt := range []struct {
		name   string
		by     func(*directory.Account)
		asLeft bool
	}{
		{"as it was", func(*directory.Account) {}, true},
		{"an alias more", func(a *directory.Account) { a.Aliases = append(a.Aliases, "more@c.com") }, true},
		{"another name", func(a *directory.Account) { a.FirstName = "Hand" }, false},
	} {
		q := inquiry("")
		a := &directory.Account{UID: 9, Address: "left@c.com", Type: directory.EndUser, Active: true, FirstName: "Lee", Billable: true}
		q.Request.Known = []dirsync.Known{{Address: a.Address, UID: 9, ObjectID: "o-9", Policy: "sync_policy.people", Hash: dirsync.Hash(a), Kind: directory.User}}
		b := *a
		tt.by(&b)
		q.Request.Accounts.Accounts = append(q.Request.Accounts.Accounts, &b)
		e := NewExplainer(q, nil, nil).Explain(a.Address, 0)
		if e.State == nil || e.State.AsLeft != tt.asLeft || e.Action != "disable" {
			t.Errorf("%s: %s, %+v", tt.name, e.Action, e.State)
		}
	}
}
