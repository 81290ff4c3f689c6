package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/zclconf/go-cty/cty"
)

var update = flag.Bool("update", false, "write the fixtures of the present format (never of an old one)")

// sample is a state with every member set.
func sample() *State {
	s := New("5d0c8b9a", Live, TenantMeta{
		Address: `module.customer["contoso"].tenant.this`, Key: "contoso", PrimaryDomain: "contoso.com",
		OrganizationID: "42", EntraTenantID: "3f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10", Configuration: "c1",
		Providers: map[string]Provider{"provider.essentials.us1": {
			Type: "essentials", Name: "us1",
			Arguments: map[string]json.RawMessage{"stack": json.RawMessage(`"us1"`)},
			Secrets:   map[string]string{"password": "env://ESSENTIALS_PASSWORD"},
		}},
	}, []byte(strings.Repeat("\x07", VersionKeySize)))
	s.Serial = 3
	s.Objects = map[string]*Object{
		"domain.mail": {
			Address: "domain.mail", Type: "domain", ID: "contoso.com", Provider: "provider.essentials.us1",
			Values: cty.ObjectVal(map[string]cty.Value{
				"name":      cty.StringVal("contoso.com"),
				"failovers": cty.ListValEmpty(cty.String),
				"port":      cty.NumberIntVal(25),
				"password":  cty.NullVal(cty.String),
				"hosts":     cty.SetVal([]cty.Value{cty.StringVal("b"), cty.StringVal("a")}),
				"any":       cty.NullVal(cty.DynamicPseudoType),
			}),
			Previous:  cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal("contoso.com")}),
			Sensitive: []string{"name"}, Versions: map[string]string{"password": "hmac:00"},
			Undelivered: []string{"secret"},
			Ownership:   Adopted, PreventDestroy: true, Dependencies: []string{"tenant.this"},
			Bindings:    []Binding{{Address: "alice@contoso.com", UID: 7, ObjectID: "o-1"}},
			SettleUntil: noon.Add(1), Op: "op-1", Created: noon, Updated: noon.Add(2),
		},
		"value.x": {Address: "value.x", Type: "value", Ownership: Created},
	}
	s.Accounts.Put(&Account{
		Address: "alice@contoso.com", UID: 7, ObjectID: "o-1", Policy: "sync_policy.people", Hash: "h",
		Ownership: Created, Type: "end_user", Active: true, Aliases: []string{"al@contoso.com"},
		Kind: "shared_mailbox", Converted: true, Disabled: true, GoneSince: noon, SettleUntil: noon,
	})
	s.Accounts.Put(&Account{Address: "björn@contoso.com", Ownership: Adopted})
	s.Outputs = map[string]Output{"o": {Value: cty.TupleVal([]cty.Value{cty.True}), Sensitive: true}}
	s.Skips = []Skip{{Address: "sync_policy.people", Mail: "alice@contoso.com", UID: 7, ObjectID: "o-1",
		Action: "delete", Until: noon, Reason: "parental leave", By: "noc@msp.example", Created: noon}}
	s.Removals = []Removal{{Mail: "carol@contoso.com", Kind: RemovalAlias, Op: "op-2", Time: noon}}
	s.Allowances = map[string]time.Time{"allow": noon}
	s.Applied = Applied{Safeguard: cty.ObjectVal(map[string]cty.Value{"max_removals": cty.NumberIntVal(3)}), Known: true, Synced: noon}
	s.InDoubt = map[string]Intent{"op-9": {Op: "op-9", Address: "sync_policy.people", Mail: "bob@contoso.com",
		Type: "account", Action: "create", NaturalKey: "bob@contoso.com", ID: "8", Digest: "d", Counts: []string{"bob@contoso.com"}, Time: noon}}
	s.Hosted = sampleHosted()
	return s
}

// firstSample is what the first build could say; its fixtures stay as they are.
func firstSample() *State {
	s := sample()
	s.Applied, s.Hosted = Applied{}, nil
	return s
}

// secondSample is what its fixture could say.
func secondSample() *State {
	s := sample()
	s.Hosted = nil
	return s
}

func sampleHosted() *Hosted {
	return &Hosted{Policy: "sync_policy.people", At: noon, LastRun: "2026-11-20T12:00:00Z", Fails: "no", Digest: "d", More: 3,
		Accounts: []HostedAccount{{Address: "a@contoso.com", Effect: "adding", Digest: "x", Doubt: true}}}
}

// sampleBatch has every kind of entry with every member.
func sampleBatch() Batch {
	b := firstBatch()
	b.Entries = append(b.Entries, movedEntry(), appliedEntry(), Entry{Note: &Note{Text: "expected", Hosted: sampleHosted(), Time: noon}})
	return b
}

func appliedEntry() Entry {
	applied := sample().Applied
	return Entry{Note: &Note{Text: "applied", Applied: &applied, Time: noon}}
}

func movedEntry() Entry {
	return Entry{Note: &Note{Text: "moved", Moved: []Rename{{From: "domain.mail", To: "module.mail.domain.this"}}, Time: noon}}
}

// firstBatch is what the first build could say; its fixture stays as it is.
func firstBatch() Batch {
	s := sample()
	skips := s.Skips
	return Batch{Tenant: "contoso", Lineage: s.Lineage, Epoch: 2, Slot: 17, Run: "run-1", Nonce: "n", Entries: []Entry{
		{Seal: &Seal{Epoch: 2, Run: "run-1", Time: noon}},
		{Intent: &Intent{Op: "op-3", Address: "domain.mail", Type: "domain", Action: "create", Time: noon}},
		{Outcome: &Outcome{Op: "op-3", Address: "domain.mail", Type: "domain", Action: "create", Result: Done,
			Object: s.Objects["domain.mail"], Time: noon}},
		{Outcome: &Outcome{Op: "op-4", Address: "sync_policy.people", Mail: "alice@contoso.com", Type: "account",
			Action: "update", Result: Failed, Account: s.Accounts.Get("alice@contoso.com"), Removals: s.Removals, Error: "409"}},
		{Outcome: &Outcome{Op: "op-5", Address: "value.x", Result: Done, Deleted: true}},
		{Note: &Note{Text: "applied", Outputs: s.Outputs, Tenant: &s.Tenant, Skips: &skips, Allowance: "allow", Time: noon}},
	}}
}

func TestEveryMemberIsStored(t *testing.T) {
	s := sample()
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() && v.Field(i).IsZero() {
			t.Errorf("the sample leaves State.%s empty, so no test covers it", v.Type().Field(i).Name)
		}
	}
	for _, x := range []any{*s.Objects["domain.mail"], *s.Accounts.Get("alice@contoso.com"), s.Skips[0], s.Removals[0], s.InDoubt["op-9"], s.Tenant} {
		v := reflect.ValueOf(x)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("the sample leaves %s.%s empty, so no test covers it", v.Type(), v.Type().Field(i).Name)
			}
		}
	}
	parts, err := Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(parts)
	if err != nil {
		t.Fatal(err)
	}
	equalStates(t, back, s)

	var seen Note
	for _, e := range sampleBatch().Entries {
		if e.Note != nil {
			from, to := reflect.ValueOf(*e.Note), reflect.ValueOf(&seen).Elem()
			for i := range from.NumField() {
				if !from.Field(i).IsZero() {
					to.Field(i).Set(from.Field(i))
				}
			}
		}
	}
	for i, v := 0, reflect.ValueOf(seen); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("no sample entry has Note.%s, so no test covers it", v.Type().Field(i).Name)
		}
	}
	batch, err := EncodeBatch(sampleBatch())
	if err != nil {
		t.Fatal(err)
	}
	b, err := DecodeBatch(batch)
	if err != nil {
		t.Fatal(err)
	}
	equalBatches(t, b, sampleBatch())
}

// equalStates compares stored forms: equal numbers may differ in memory.
func equalStates(t *testing.T, got, want *State) {
	t.Helper()
	g, err := storeState(got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := storeState(want)
	if err != nil {
		t.Fatal(err)
	}
	equalJSON(t, []any{got.Lineage, got.Serial, g, got.Accounts.list()}, []any{want.Lineage, want.Serial, w, want.Accounts.list()})
}

func equalJSON(t *testing.T, got, want any) {
	t.Helper()
	g, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(g, w) {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

// TestFormat1 reads what the first build wrote. The fixtures are never written
// again once released.
func TestFormat1(t *testing.T) {
	dir := filepath.Join("testdata", "v1")
	stateFile, batchFile := filepath.Join(dir, "state.zst"), filepath.Join(dir, "batch.zst")
	movedFile := filepath.Join(dir, "moved.zst")
	moved, applied := firstBatch(), firstBatch()
	moved.Entries, applied.Entries = []Entry{movedEntry()}, []Entry{appliedEntry()}
	appliedFile, wholeFile := filepath.Join(dir, "applied.zst"), filepath.Join(dir, "state_applied.zst")
	if *update {
		parts, err := Encode(firstSample())
		if err != nil {
			t.Fatal(err)
		}
		batch, err := EncodeBatch(firstBatch())
		if err != nil {
			t.Fatal(err)
		}
		more, err := EncodeBatch(moved)
		if err != nil {
			t.Fatal(err)
		}
		last, err := EncodeBatch(applied)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := Encode(secondSample())
		if err != nil {
			t.Fatal(err)
		}
		for name, body := range map[string][]byte{stateFile: parts[0], batchFile: batch, movedFile: more, appliedFile: last, wholeFile: whole[0]} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, body, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for file, want := range map[string]*State{stateFile: firstSample(), wholeFile: secondSample()} {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Decode([][]byte{body})
		if err != nil {
			t.Fatal(err)
		}
		equalStates(t, s, want)
	}
	for file, want := range map[string]Batch{batchFile: firstBatch(), movedFile: moved, appliedFile: applied} {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b, err := DecodeBatch(body)
		if err != nil {
			t.Fatal(err)
		}
		equalBatches(t, b, want)
	}
}

func equalBatches(t *testing.T, got, want Batch) {
	t.Helper()
	var g, w []entryV1
	for _, e := range got.Entries {
		v, err := storeEntry(e)
		if err != nil {
			t.Fatal(err)
		}
		g = append(g, v)
	}
	for _, e := range want.Entries {
		v, err := storeEntry(e)
		if err != nil {
			t.Fatal(err)
		}
		w = append(w, v)
	}
	got.Entries, want.Entries = nil, nil
	equalJSON(t, []any{got, g}, []any{want, w})
}

func TestEncodeRefuses(t *testing.T) {
	for name, v := range map[string]cty.Value{
		"unknown":   cty.ObjectVal(map[string]cty.Value{"a": cty.UnknownVal(cty.String)}),
		"marked":    cty.ObjectVal(map[string]cty.Value{"a": cty.StringVal("x").Mark("sensitive")}),
		"infinity":  cty.PositiveInfinity,
		"too large": cty.MustParseNumberVal("1e100000"),
	} {
		t.Run(name, func(t *testing.T) {
			s := sample()
			s.Objects["value.bad"] = &Object{Address: "value.bad", Values: v}
			if _, err := Encode(s); err == nil || !strings.Contains(err.Error(), "value.bad") {
				t.Errorf("got %v, want an error that names the object", err)
			}
		})
	}
}

func many(n int) *State {
	s := sample()
	for i := range n {
		s.Accounts.Put(&Account{Address: fmt.Sprintf("user%06d@contoso.com", i), UID: i, Ownership: Created})
	}
	return s
}

func TestParts(t *testing.T) {
	s := many(2*accountsPerPart + 1)
	parts, err := Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	if len(parts) != 3 {
		t.Fatalf("%d parts, want 3", len(parts))
	}
	back, err := Decode(parts)
	if err != nil {
		t.Fatal(err)
	}
	if back.Accounts.Len() != s.Accounts.Len() {
		t.Errorf("%d accounts came back of %d", back.Accounts.Len(), s.Accounts.Len())
	}

	s.Serial++
	s.Accounts.Put(&Account{Address: "user000005@contoso.com", UID: -5})
	again, err := Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	for i := range parts {
		if bytes.Equal(parts[i], again[i]) {
			same++
		}
	}
	if same == 0 {
		t.Error("one account changed, and every part with it")
	}
	for name, wrong := range map[string][][]byte{
		"a part missing":     parts[:2],
		"parts swapped":      {parts[0], parts[2], parts[1]},
		"a part twice":       {parts[0], parts[1], parts[1]},
		"only account parts": parts[1:],
		"none":               nil,
	} {
		if _, err := Decode(wrong); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: got %v, want ErrDamaged", name, err)
		}
	}
}

func TestDecodeLimits(t *testing.T) {
	zip := func(s string) []byte { return packer.EncodeAll([]byte(s), nil) }
	for _, row := range []struct {
		name string
		body []byte
		want error
	}{
		{"a newer format", zip(`{"format":2,"news":1}`), ErrFormat},
		{"no format", zip(`{}`), ErrFormat},
		{"a member this build does not know", zip(`{"format":1,"news":1}`), ErrDamaged},
		{"more after the end", zip(`{"format":1} {}`), ErrDamaged},
		{"nested too deep", zip(`{"format":1,"accounts":` + strings.Repeat("[", 65)), ErrDamaged},
		{"a bomb", zip(`{"format":1,"lineage":"` + strings.Repeat("a", 64<<20) + `"}`), ErrDamaged},
		{"not compressed", []byte(`{"format":1}`), ErrDamaged},
		{"empty", nil, ErrDamaged},
		{"cut off", zip(`{"format":1,"lineage":"x"}`)[:12], ErrDamaged},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := Decode([][]byte{row.body}); !errors.Is(err, row.want) {
				t.Errorf("state: got %v, want %v", err, row.want)
			}
			if _, err := DecodeBatch(row.body); !errors.Is(err, row.want) {
				t.Errorf("batch: got %v, want %v", err, row.want)
			}
		})
	}
}

// FuzzDecode takes the bytes as they are, or as the JSON inside, so that the
// fuzzer need not learn zstd.
func FuzzDecode(f *testing.F) {
	parts, err := Encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	batch, err := EncodeBatch(sampleBatch())
	if err != nil {
		f.Fatal(err)
	}
	d, err := zstd.NewReader(nil)
	if err != nil {
		f.Fatal(err)
	}
	defer d.Close()
	for _, body := range [][]byte{parts[0], batch} {
		raw, err := d.DecodeAll(body, nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, true)
		f.Add(body, false)
	}
	f.Fuzz(func(t *testing.T, body []byte, zip bool) {
		if zip {
			body = packer.EncodeAll(body, nil)
		}
		if s, err := Decode([][]byte{body}); err == nil {
			if _, err := Encode(s); err != nil {
				t.Errorf("what was read cannot be written: %v", err)
			}
		}
		if b, err := DecodeBatch(body); err == nil {
			if _, err := EncodeBatch(b); err != nil {
				t.Errorf("what was read cannot be written: %v", err)
			}
		}
	})
}
