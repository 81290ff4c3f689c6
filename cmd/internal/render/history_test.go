package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/state"
)

var contoso = state.TenantMeta{Key: "contoso", Address: `module.customer["contoso"].tenant.this`, PrimaryDomain: "contoso.com"}

func richHistory() []History {
	return []History{
		{Tenant: contoso, More: true, Runs: []Run{
			{
				Serial: 12, ID: "run-0c", Who: "alice", Host: "laptop", Operation: "apply", Plan: "3f1e0c6a7c1e4b7e9a530d5c3b1f2a10",
				Started: noon.Add(-time.Minute), Ended: noon.Add(-50 * time.Second), Counts: map[string]int{"create": 2, "update": 1, "add": 14, "failed": 1},
				Changes: []RunChange{
					{Address: "domain.a", Type: "domain", Action: "create", Result: "done"}, {Address: "domain.b", Type: "domain", Action: "create", Result: "done"},
					{Address: "domain.mail", Type: "domain", Action: "update", Result: "done"}, {Address: "domain.c", Type: "domain", Action: "create", Result: "failed"},
					{Address: "sync_policy.people", Mail: "new@contoso.com", Type: "account", Action: "add", Result: "done"},
				},
			},
			{
				Serial: 11, ID: "run-0b", Who: "bob", Host: "ci-7", Operation: "apply", Interrupted: true, Ended: noon.Add(-50 * time.Minute),
				Counts: map[string]int{"replace": 1, "delete": 1}, Changes: []RunChange{
					{Address: "domain.spare", Action: "replace", Result: "unknown"}, {Address: "domain.old", Action: "delete", Result: "done"},
				},
			},
			{Serial: 10, ID: "run-0a", Who: "alice", Operation: "state rollback", Note: "rolled back to version 7", Ended: noon.Add(-30 * time.Hour)},
			{Serial: 9, ID: "run-09", Ended: noon.Add(-300 * time.Hour), Counts: map[string]int{"add": 1}},
			{Serial: 8, ID: "run-08", Who: "later", Ended: noon.Add(time.Hour)},
			{Serial: 2, ID: "run-02", Who: "first", Ended: noon.Add(-3000 * time.Hour)},
		}},
		{Tenant: state.TenantMeta{Key: state.RootKey}},
	}
}

func TestHistories(t *testing.T) {
	var text, narrow, color, doc bytes.Buffer
	err := errors.Join(Histories(&text, richHistory(), noon, Options{Width: 120}), Histories(&narrow, richHistory(), noon, Options{Width: 60}),
		Histories(&color, richHistory(), noon, Options{Width: 120, Color: true}), HistoriesJSON(&doc, richHistory()))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "history.txt", text.Bytes())
	golden(t, "history.narrow.txt", narrow.Bytes())
	golden(t, "history.color.txt", color.Bytes())
	golden(t, "history.json", doc.Bytes())
}

func TestAudits(t *testing.T) {
	h := richHistory()
	whole := []Audit{{Tenant: contoso, Runs: h[0].Runs[:3]}}
	broken := []Audit{{Tenant: contoso, Runs: h[0].Runs[:1], Broken: []string{"state object t/contoso/runs/0000000011-run-0b: damaged state: it is not the one that its successor names"}, Loose: []string{"runs/0000000012-x"}}, {Tenant: h[1].Tenant}}
	var text, bad, none, doc bytes.Buffer
	err := errors.Join(Audits(&text, whole, noon, Options{}), Audits(&bad, broken, noon, Options{}), Audits(&none, nil, noon, Options{}), AuditsJSON(&doc, broken))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "audit.txt", text.Bytes())
	golden(t, "broken.audit.txt", bad.Bytes())
	golden(t, "none.audit.txt", none.Bytes())
	golden(t, "audit.json", doc.Bytes())
}

func TestTally(t *testing.T) {
	many := Run{Counts: map[string]int{"add": 20_000, "create": 1}, Changes: []RunChange{{Address: "a", Action: "create"}}}
	for want, r := range map[string]Run{
		"":                                {},
		"+2 ~1 -0, 14 accounts, 1 failed": richHistory()[0].Runs[0],
		"+1 ~0 -2":                        richHistory()[0].Runs[1],
		"1 account":                       richHistory()[0].Runs[3],
		"+1 ~0 -0, 20000 accounts":        many,
		"1 failed":                        {Counts: map[string]int{"failed": 1}, Changes: []RunChange{{Address: "a", Action: "create", Result: "failed"}}},
		"+0 ~1 -1":                        {Counts: map[string]int{"adopt": 1, "release": 1}, Changes: []RunChange{{Address: "a", Action: "adopt"}, {Address: "b", Action: "release"}}},
	} {
		if got := r.tally(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func richComparison() StateComparison {
	before, after := richState(), richState()
	const m = `module.customer["contoso"].`
	mail := *before.Objects[m+"domain.mail"]
	mail.Values = object("name", cty.StringVal("contoso.com"), "spam", object("threshold", cty.NumberIntVal(7)), "token", cty.StringVal("new-"+canary), "purpose", cty.StringVal("relay"))
	mail.PreventDestroy, mail.Ownership, mail.Dependencies = true, state.Adopted, []string{m + "domain.other"}
	after.Objects[mail.Address] = &mail
	out := *before.Objects[m+`module.mail["a.b"].m365_connector.outbound[2]`]
	delete(after.Objects, out.Address)
	out.Address, out.Versions = m+"m365_connector.outbound", map[string]string{"secret": "v2"}
	after.Objects[out.Address] = &out
	after.Objects[m+"domain.new"] = &state.Object{Address: m + "domain.new", Type: "domain", ID: "new.example", Ownership: state.Created, Values: object("name", cty.StringVal("new.example"), "key", cty.StringVal(canary)), Sensitive: []string{"key"}, Versions: map[string]string{"password": "v1"}}
	before.Objects[m+"domain.old"] = &state.Object{Address: m + "domain.old", Type: "domain", ID: "old.example", Ownership: state.Created, Values: object("name", cty.StringVal("old.example"))}
	before.Objects[m+"domain.same"] = &state.Object{Address: m + "domain.same", Type: "domain", Op: "op-1", Values: object("name", cty.StringVal("s.example"))}
	after.Objects[m+"domain.same"] = &state.Object{Address: m + "domain.same", Type: "domain", Op: "op-2", Values: object("name", cty.StringVal("s.example"))}
	policy := m + "sync_policy.staff"
	for i := range 13 {
		after.Accounts.Put(&state.Account{Address: "new" + string(rune('a'+i)) + "@contoso.com", Policy: policy, Type: "end_user", Active: true, Ownership: state.Created})
	}
	alice := *before.Accounts.Get("alice@contoso.com")
	alice.Active, alice.Aliases, alice.Type = false, []string{"al@contoso.com"}, "functional_account"
	after.Accounts.Put(&alice)
	before.Accounts.Put(&state.Account{Address: "bob@contoso.com", UID: 9, Policy: policy})
	after.Accounts.Put(&state.Account{Address: "robert@contoso.com", UID: 9, Policy: policy})
	before.Accounts.Put(&state.Account{Address: "hash@contoso.com", Hash: "1", Policy: policy})
	after.Accounts.Put(&state.Account{Address: "hash@contoso.com", Hash: "2", Policy: policy})
	after.Accounts.Delete("gone@contoso.com")
	after.Outputs["count"] = state.Output{Value: cty.NumberIntVal(13)}
	after.Outputs["key"] = state.Output{Value: cty.StringVal("new-" + canary), Sensitive: true}
	after.InDoubt = map[string]state.Intent{"op-2": {Op: "op-2", Address: m + "domain.new", Action: "create", Time: noon}}
	after.Tenant.PrimaryDomain = "contoso.net"
	after.Skips = []state.Skip{{Address: policy}}
	after.Removals = []state.Removal{{Mail: "gone@contoso.com"}}
	after.Allowances = map[string]time.Time{"x": noon}
	return StateComparison{Tenant: contoso, Before: "version 7", After: "version 8, the present", BeforeSerial: 7, AfterSerial: 8, Difference: state.Diff(before, after)}
}

func TestStateDiff(t *testing.T) {
	same := StateComparison{Tenant: contoso, Before: "version 8", After: "the present", Difference: state.Diff(richState(), richState())}
	var text, color, none, doc bytes.Buffer
	err := errors.Join(StateDiff(&text, richComparison(), Options{}), StateDiff(&color, richComparison(), Options{Color: true, Width: 70}),
		StateDiff(&none, same, Options{}), StateDiffJSON(&doc, richComparison()))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "statediff.txt", text.Bytes())
	golden(t, "statediff.color.txt", color.Bytes())
	golden(t, "none.statediff.txt", none.Bytes())
	golden(t, "statediff.json", doc.Bytes())
	for _, out := range []bytes.Buffer{text, color, doc} {
		if bytes.Contains(out.Bytes(), []byte(canary)) {
			t.Error("a sensitive value is shown")
		}
	}
	if !json.Valid(doc.Bytes()) {
		t.Error("not JSON")
	}
}

// TestHostileState shows histories, audits and differences whose every text is hostile.
func TestHostileState(t *testing.T) {
	for _, text := range hostile {
		h, c := richHistory(), richComparison()
		poisonValue(reflect.ValueOf(&h).Elem(), text)
		poisonValue(reflect.ValueOf(&c).Elem(), text)
		audits := []Audit{{Tenant: h[0].Tenant, Runs: h[0].Runs, Broken: []string{"bad" + text}, Loose: []string{"loose" + text}}}
		raw, err := json.Marshal(map[string]string{"x": text})
		if err != nil {
			t.Fatal(err)
		}
		for name, write := range map[string]func(*bytes.Buffer) error{
			"history": func(b *bytes.Buffer) error { return Histories(b, h, noon, Options{Width: 200}) },
			"narrow":  func(b *bytes.Buffer) error { return Histories(b, h, noon, Options{Width: 40}) },
			"audit":   func(b *bytes.Buffer) error { return Audits(b, audits, noon, Options{}) },
			"diff":    func(b *bytes.Buffer) error { return StateDiff(b, c, Options{}) },
			"json": func(b *bytes.Buffer) error {
				return errors.Join(HistoriesJSON(b, h), AuditsJSON(b, audits), StateDiffJSON(b, c), Document(b, raw))
			},
		} {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			clean(t, name, b.Bytes())
		}
	}
}
