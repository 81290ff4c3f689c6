package planner

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

var recordedAt = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// recording has something in every field.
func recording(t testing.TB) *Recording {
	t.Helper()
	yes := true
	registry := providers.Builtin()
	domain := registry.Type("domain")
	value := resource.Null(domain.Attributes)
	value["name"], value["purpose"] = cty.StringVal("acme.example"), cty.StringVal("relay")
	data := registry.Data("directory")
	answer := resource.Null(data.Attributes)
	answer["verified_domains"] = resource.StringSet([]string{"acme.example"})
	answer["mail_host"] = cty.MapVal(map[string]cty.Value{"acme.example": cty.StringVal("acme-example.mail.protection.outlook.com")})
	prior := state.New("lineage-1", state.Live, state.TenantMeta{
		Address: "tenant.acme", Key: "acme", PrimaryDomain: "acme.example",
		Providers: map[string]state.Provider{"provider.essentials.us1": {Type: "essentials", Name: "us1", Secrets: map[string]string{"password": "env://P"}}},
	}, bytes.Repeat([]byte{7}, state.VersionKeySize))
	prior.Serial = 3
	prior.Accounts.Put(&state.Account{Address: "ann@acme.example", UID: 5, ObjectID: "6f0c9a1e-0000-4000-8000-000000000001", Policy: "sync_policy.people", Hash: "h", Ownership: state.Created})
	proof := directory.Proof{Complete: true, Source: "users", Pages: 2, Objects: 2, Count: 2, Hash: "ab", At: recordedAt, Parts: []directory.Proof{{Complete: true, Source: "groups", Count: -1, At: recordedAt}}}
	ann := &directory.Entry{
		ObjectID: "6f0c9a1e-0000-4000-8000-000000000001", Kind: directory.User, Address: "ann@acme.example", Aliases: []string{"a@acme.example"}, UPN: "ann@acme.example",
		Enabled: true, Licensed: true, OnPremises: true, HasProxy: true, Name: "Ann Acme", GivenName: "Ann", Surname: "Acme", Department: "Sales", JobTitle: "Chief", Company: "Acme",
		Office: "1", EmployeeID: "e7", Mobile: "+1", UsageLocation: "DE", Groups: []string{"Team"}, Created: recordedAt,
	}
	team := &directory.Entry{ObjectID: "6f0c9a1e-0000-4000-8000-000000000002", Kind: directory.DistributionGroup, Address: "team@acme.example", HasProxy: true, Enabled: true, Name: "Team", Members: []string{ann.ObjectID}}
	r := &Recording{
		Made: recordedAt, Version: "0.1.0", Realm: state.Live, Pseudonymous: false, Prior: prior,
		Tenant: resource.Identity{Key: "acme", Name: "Acme", PrimaryDomain: "acme.example", Parent: "msp.example", EntraTenantID: "3f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10", Stack: "us1", VendorData: "2026-11-01"},
		Observed: &Observation{
			At: recordedAt,
			Objects: map[string]Reading{
				"domain":         {Live: []resource.Live{{ID: "acme.example", Name: "acme.example", Value: cty.ObjectVal(value)}}},
				"m365_connector": {Err: &resource.Error{Op: "list connectors", Kind: resource.ErrDenied, Detail: "no"}},
			},
			Directory:   &directory.Reading{Entries: []*directory.Entry{ann, team}, Groups: []*directory.Entry{team}, Domains: []string{"acme.example"}, KindsErr: errors.New("exchange said no"), Proof: proof},
			Accounts:    &directory.AccountReading{Accounts: []*directory.Account{{UID: 5, Address: "ann@acme.example", Type: directory.EndUser, Active: true, FirstName: "Ann", Surname: "Acme", Aliases: []string{"a@acme.example"}, Billable: true}}, Proof: proof, Counted: 1},
			AccountsErr: errors.New("late"), DirectoryErr: errors.New("later"),
			Mail: resource.MailFacts{"acme.example": {MXAtGateway: &yes, SPFReady: nil, TXT: []string{"v=spf1 -all"}, Problem: "spf"}},
		},
	}
	r.Answered("directory", cty.ObjectVal(resource.Null(data.Attributes)), cty.ObjectVal(answer), nil)
	return r
}

func written(t testing.TB, r *Recording) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sameRecording compares what decisions look at.
func sameRecording(t testing.TB, got, want *Recording) {
	t.Helper()
	if got.Tenant != want.Tenant || !got.Made.Equal(want.Made) || got.Version != want.Version || got.Realm != want.Realm || got.Pseudonymous != want.Pseudonymous {
		t.Errorf("head %+v, want %+v", got, want)
	}
	g, w := got.Observed, want.Observed
	if !reflect.DeepEqual(g.Directory.Entries, w.Directory.Entries) || !reflect.DeepEqual(g.Directory.Groups, w.Directory.Groups) || !reflect.DeepEqual(g.Directory.Domains, w.Directory.Domains) {
		t.Errorf("directory %+v, want %+v", g.Directory, w.Directory)
	}
	if !reflect.DeepEqual(g.Accounts, w.Accounts) || !reflect.DeepEqual(g.Directory.Proof, w.Directory.Proof) || !reflect.DeepEqual(g.Mail, w.Mail) {
		t.Errorf("accounts %+v, want %+v", g.Accounts, w.Accounts)
	}
	for what, errs := range map[string][2]error{"kinds": {g.Directory.KindsErr, w.Directory.KindsErr}, "accounts": {g.AccountsErr, w.AccountsErr},
		"directory": {g.DirectoryErr, w.DirectoryErr}, "connectors": {g.Objects["m365_connector"].Err, w.Objects["m365_connector"].Err}} {
		if errs[0] == nil || errs[0].Error() != errs[1].Error() {
			t.Errorf("%s: error %v, want %v", what, errs[0], errs[1])
		}
	}
	if !errors.Is(g.Objects["m365_connector"].Err, resource.ErrDenied) {
		t.Error("the kind of an error is lost")
	}
	if l := g.Objects["domain"].Live; len(l) != 1 || !l[0].Value.RawEquals(w.Objects["domain"].Live[0].Value) || l[0].ID != "acme.example" {
		t.Errorf("domain %+v", l)
	}
	v, err := got.Answer("directory", cty.ObjectVal(resource.Null(providers.Builtin().Data("directory").Attributes)))
	if err != nil || !v.RawEquals(want.Data[0].Value) {
		t.Errorf("answer %#v, %v", v, err)
	}
	if got.Prior == nil || got.Prior.Serial != 3 || got.Prior.Accounts.Get("ann@acme.example") == nil {
		t.Errorf("state %+v", got.Prior)
	}
}

func TestRecordingRoundTrip(t *testing.T) {
	want := recording(t)
	data := written(t, want)
	got, err := ReadRecording(bytes.NewReader(data), providers.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	sameRecording(t, got, want)
	if !bytes.Equal(written(t, got), data) {
		t.Error("written again, the bytes differ")
	}
	if _, err := got.Answer("directory", cty.EmptyObjectVal); err == nil || !strings.Contains(err.Error(), "was recorded without it") {
		t.Errorf("an answer to what was not asked: %v", err)
	}
}

// TestRecordingFormat1: a file that an earlier build wrote is read for ever.
func TestRecordingFormat1(t *testing.T) {
	path := filepath.Join("testdata", "recording_v1.weir")
	if os.Getenv("WEIR_UPDATE") != "" {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, written(t, recording(t)), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	got, err := ReadRecording(f, providers.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	sameRecording(t, got, recording(t))
}

func TestRecordingHasNoSecrets(t *testing.T) {
	r := recording(t)
	z, err := zstd.NewReader(bytes.NewReader(written(t, r)[len(recordingMagic):]))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	// The version key, in base64, and what the providers are reached with.
	for _, secret := range []string{"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc", "env://P"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("%s is in the recording", secret)
		}
	}
	document, err := state.EncodeDocument(r.Prior)
	if err != nil || !strings.Contains(string(document), "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc") || !strings.Contains(string(document), "env://P") {
		t.Errorf("what is looked for would not be found where it is: %v", err)
	}
}

func TestRecordingRefuses(t *testing.T) {
	data := written(t, recording(t))
	packer, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	pack := func(s string) []byte { return packer.EncodeAll([]byte(s), []byte(recordingMagic)) }
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"another file":  {[]byte("weir-plan\nxxxxxxxxxxxxxxxxxx"), "not a recording"},
		"nothing":       {nil, "not a recording"},
		"cut off":       {data[:len(data)-5], "damaged"},
		"newer format":  {pack(`{"format":2}`), "format 2; this version of Weir reads 1"},
		"unknown field": {pack(`{"format":1,"more":true}`), "damaged"},
		"no tenant":     {pack(`{"format":1,"made":"2026-11-21T12:00:00Z","tenant":{},"objects":{}}`), "names no time or no tenant"},
		"bomb":          {pack(`{"format":1,"version":"` + strings.Repeat("a", 40<<20) + `"}`), "unpack to more than"},
		"deep":          {pack(strings.Repeat("[", 5000)), "nested deeper"},
	} {
		if _, err := ReadRecording(bytes.NewReader(c.data), providers.Builtin()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// FuzzReadRecording: whatever the file holds, reading it ends, and what was read can be written and read again.
func FuzzReadRecording(f *testing.F) {
	packer, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		f.Fatal(err)
	}
	file := written(f, recording(f))
	f.Add(file, false)
	if document, err := unpackFile("recording", file[len(recordingMagic):]); err == nil {
		f.Add(document, true)
	}
	registry := providers.Builtin()
	f.Fuzz(func(t *testing.T, data []byte, pack bool) {
		if pack {
			data = packer.EncodeAll(data, []byte(recordingMagic))
		}
		r, err := ReadRecording(bytes.NewReader(data), registry)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := r.Write(&b); err != nil {
			return // a value that JSON cannot hold again is refused
		}
		if _, err := ReadRecording(&b, registry); err != nil {
			t.Errorf("what was written cannot be read: %v", err)
		}
	})
}
