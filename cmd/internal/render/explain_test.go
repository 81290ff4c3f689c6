package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// inquiry is a small tenant in which text stands wherever a directory, a vendor or a configuration may write.
func inquiry(text string) planner.Inquiry {
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	complete := directory.Proof{Complete: true, Source: "users" + text, Count: -1, At: at}
	reading := &directory.Reading{Proof: complete, Entries: []*directory.Entry{
		{ObjectID: "o-3" + text, Kind: directory.User, Address: "new" + directory.Fold(text) + "@c.com", Aliases: []string{"also@nowhere.example"}, Enabled: true, HasProxy: true, Name: text, GivenName: text, Surname: text, Groups: []string{text}},
		{ObjectID: "o-1", Kind: directory.User, Address: "ann@c.com", Aliases: []string{"alias@c.com", "far@nowhere.example"}, Enabled: true, HasProxy: true, Name: "Ann" + text, Department: text, JobTitle: text, UPN: "ann@c.com"},
		{ObjectID: "o-2", Kind: directory.Kind("robot" + text), Address: "robot@c.com", HasProxy: true, Enabled: true},
	}}
	directory.Sort(reading.Entries)
	accounts := &directory.AccountReading{Proof: complete, Accounts: []*directory.Account{
		{UID: 1, Address: "ann@c.com", Type: directory.EndUser, Active: true, FirstName: text, Surname: text, Aliases: []string{"alias@c.com"}, Billable: true},
		{UID: 2, Address: "stray@c.com", Type: directory.EndUser, Active: true, FirstName: text},
	}}
	return planner.Inquiry{
		Tenant: resource.Identity{Key: "c", Name: "C" + text, PrimaryDomain: "c.com"},
		Request: dirsync.Request{
			Policy: dirsync.Policy{Address: "sync_policy.people", Engine: dirsync.EngineWeir, SyncUsers: true, Gone: dirsync.AsDisable, Strays: dirsync.AsList,
				SharedMailboxes: dirsync.AsFunctional, BlockedSignIn: dirsync.AsFunctional, OutOfScope: dirsync.AsKeep,
				Users: dirsync.Switches{Add: true, Update: true, Remove: true}, Safeguard: dirsync.Safeguard{MaxRemovals: 5, MaxRemovalPercent: 100, MaxConversions: 5, MaxAdditions: 5}},
			Domains: []dirsync.Domain{{Name: "c.com", Relay: true}}, Directory: reading, Accounts: accounts,
			Protections: []dirsync.Protection{{Source: "exemption.x", Addresses: []string{"stray@c.com"}, Reason: text, Owner: text, Expires: at.AddDate(0, 0, -2)}},
			Declared:    map[string]bool{}, Now: at,
		},
		Sources: map[string]string{"exemption.x": text + ":3"}, DeclaredBy: map[string]string{},
		Observed: &planner.Observation{Directory: reading, Accounts: accounts},
	}
}

// explainForms are all forms of an explanation.
func explainForms(x *Explainer) map[string]func(io.Writer) error {
	forms := map[string]func(io.Writer) error{
		"all.txt":   func(w io.Writer) error { return ExplainAll(w, x, Options{}) },
		"all.csv":   func(w io.Writer) error { return ExplainCSV(w, x, true) },
		"all.jsonl": func(w io.Writer) error { return ExplainAllJSON(w, x) },
	}
	for c := range x.trace.All() {
		name := c.Name()
		forms[name+".txt"] = func(w io.Writer) error { return Explain(w, x.Explain(name, 50), Options{Color: false, Width: 90}) }
		forms[name+".json"] = func(w io.Writer) error { return ExplainJSON(w, x.Explain(name, 50)) }
	}
	forms["nobody.txt"] = func(w io.Writer) error { return Explain(w, x.Explain("nobody@c.com", 50), Options{}) }
	return forms
}

// acts says what in a text could act on a terminal.
func acts(text string) string {
	for _, r := range text {
		if r != '\n' && r != '\r' && (unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x2028 || r == 0x2029 || r == 0xfeff) {
			return fmt.Sprintf("%q", r)
		}
	}
	return ""
}

// formula says which cell of comma-separated values a spreadsheet would run.
func formula(data []byte) string {
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return err.Error()
	}
	for _, row := range rows {
		for _, cell := range row {
			if c := strings.TrimLeft(cell, " "); c != "" && strings.ContainsAny(c[:1], "=+-@\t\r|%") {
				return fmt.Sprintf("%q", cell)
			}
		}
	}
	return ""
}

func TestExplainHostileTexts(t *testing.T) {
	all := append(slices.Clone(hostile), "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1")
	for _, text := range all {
		x := NewExplainer(inquiry(text), foreseenRun(text), func(string, []string) string { return text })
		for name, form := range explainForms(x) {
			var b bytes.Buffer
			if err := form(&b); err != nil {
				t.Fatalf("%s with %q: %v", name, text, err)
			}
			switch {
			case strings.HasSuffix(name, ".txt"), strings.HasSuffix(name, ".csv"):
				if found := acts(b.String()); found != "" {
					t.Errorf("%s with %q lets %s through:\n%s", name, text, found, b.String())
				}
			}
			switch {
			case strings.HasSuffix(name, ".csv"):
				if found := formula(b.Bytes()); found != "" {
					t.Errorf("%s with %q has a formula: %s", name, text, found)
				}
			case strings.HasSuffix(name, ".jsonl"), strings.HasSuffix(name, ".json"):
				d := json.NewDecoder(&b)
				for {
					var v any
					if err := d.Decode(&v); err == io.EOF {
						break
					} else if err != nil {
						t.Fatalf("%s with %q: %v", name, text, err)
					}
				}
			}
		}
	}
}

// TestExplainChecksCatch: what the checks are to find is found where it is planted.
func TestExplainChecksCatch(t *testing.T) {
	for _, text := range []string{"a\x1b[2J", "a\u202eb", "a\tb"} {
		if acts(text) == "" {
			t.Errorf("%q is not caught", text)
		}
	}
	for _, cell := range []string{"=1", "+1", "-1", "@x", `"=1"`, " =1"} {
		if formula([]byte("a,"+cell+"\n")) == "" {
			t.Errorf("%q is not caught", cell)
		}
	}
	if found := formula([]byte(`"a","'=1"` + "\n")); found != "" {
		t.Errorf("a quoted formula counts as one: %s", found)
	}
}

func TestExplainLines(t *testing.T) {
	x := NewExplainer(inquiry(""), nil, nil)
	var b bytes.Buffer
	if err := ExplainCSV(&b, x, true); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, strings.Join(slices.Concat(r[:8], r[9:10]), "|"))
	}
	want := []string{
		"address|kind|action|rule|mail|login|digest|billed|tenant",
		"ann@c.com|user|update|R22|yes|yes|yes|yes|c",
		"far@nowhere.example|alias of ann@c.com|update|R33|no|no|no|no|c",
		"new@c.com|user|add|R18|no -> yes|no -> yes|no -> yes|no -> yes|c",
		"also@nowhere.example|alias of new@c.com|add|R33|no|no|no|no|c",
		"robot@c.com|robot|unknown kind|R38|no|no|no|no|c",
		"stray@c.com|end user, not in the directory|exempt|R40|yes|yes|yes|no|c",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestExplainSaysWhatCannotBeKnown(t *testing.T) {
	q := inquiry("")
	q.Request.Accounts = nil
	x := NewExplainer(q, nil, nil)
	e := x.Explain("ann@c.com", 50)
	if e.Now.Mail != "unknown" || e.After.Billed != "unknown" || !strings.Contains(e.Answer, "unknown, because the accounts could not be read") {
		t.Errorf("%+v", e)
	}
	if e := NewExplainer(inquiry(""), nil, nil).Explain("ann@c.com", 0); e.Now.Mail != "yes" || strings.Contains(e.Answer, "unknown") {
		t.Errorf("read, it is known: %+v", e)
	}
	q = inquiry("")
	q.Held = "no sync_policy block decides about this tenant's accounts"
	q.Request.Policy = dirsync.Policy{Engine: dirsync.EngineNone}
	e = NewExplainer(q, nil, nil).Explain("ann@c.com", 50)
	if !strings.Contains(e.Answer, q.Held) || len(e.Flips) > 0 {
		t.Errorf("%+v", e)
	}
}
