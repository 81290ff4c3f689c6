package keys

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"testing"
)

var freeze = flag.Bool("freeze", false, "write the files of testdata/v1 that are not there; those that are never change")

// frozenV1 is a data key and everything made with it, by format 1. The secrets
// in it protect nothing.
type frozenV1 struct {
	Subject  string           `json:"subject"`
	ID       string           `json:"id"`
	Key      string           `json:"key"`
	Settings []frozenSettings `json:"settings"` // each opens the wrap in the same place
	Wraps    json.RawMessage  `json:"wraps"`
	Objects  []frozenObject   `json:"objects"`
	File     []byte           `json:"file"` // sealed for the same subject, by the first setting
	Text     string           `json:"text"` // what is in it
}

type frozenSettings struct {
	Passphrase string   `json:"passphrase,omitempty"`
	Recipients []string `json:"recipients,omitempty"`
	Identities []string `json:"identities,omitempty"`
	Keeper     string   `json:"keeper,omitempty"`
}

type frozenObject struct {
	Name   string `json:"name"`
	AD     string `json:"ad"`
	Nonce  string `json:"nonce"`
	Text   string `json:"text"`
	Sealed string `json:"sealed"`
	MAC    string `json:"mac"`
}

const frozenFile = "testdata/v1/keys.json"

// TestFrozen reads what format 1 wrote, through the real scrypt. It must pass
// for ever.
func TestFrozen(t *testing.T) {
	if *freeze {
		writeFrozen(t)
	}
	f := readFrozen(t)
	var wraps []Wrap
	if err := json.Unmarshal(f.Wraps, &wraps); err != nil {
		t.Fatal(err)
	}
	if len(wraps) != len(f.Settings) || len(wraps) < 4 {
		t.Fatalf("%d wraps, %d settings", len(wraps), len(f.Settings))
	}
	for i, s := range f.Settings {
		r, err := New(t.Context(), Options{Current: Settings(s)})
		if err != nil {
			t.Fatal(err)
		}
		k, err := r.Open(t.Context(), f.Subject, f.ID, wraps[i:i+1])
		if err != nil {
			t.Errorf("%s: %v", wraps[i].Method, err)
			continue
		}
		if got := hex.EncodeToString(k.key[:]); got != f.Key || k.ID() != f.ID {
			t.Errorf("%s: another key", wraps[i].Method)
		}
		if i > 0 {
			continue
		}
		text, err := r.OpenFile(t.Context(), f.Subject, f.File)
		if err != nil || string(text) != f.Text {
			t.Errorf("sealed file: %q, %v", text, err)
		}
		if _, err := r.OpenFile(t.Context(), f.Subject, append(bytes.Clone(f.File), 0)); !errors.Is(err, ErrDamaged) {
			t.Errorf("a spoiled file: %v", err)
		}
		for _, o := range f.Objects {
			text, err := k.Open(o.Name, []byte(o.AD), unhex(t, o.Sealed), unhex(t, o.Nonce))
			if err != nil || string(text) != o.Text {
				t.Errorf("%s: %q, %v", o.Name, text, err)
			}
			if got := hex.EncodeToString(k.Seal(o.Name, []byte(o.AD), []byte(o.Text), unhex(t, o.Nonce))); got != o.Sealed {
				t.Errorf("%s is sealed as\n%s, want\n%s", o.Name, got, o.Sealed)
			}
			if got := hex.EncodeToString(k.MAC(o.Name, []byte(o.Text))); got != o.MAC {
				t.Errorf("%s: MAC %s, want %s", o.Name, got, o.MAC)
			}
		}
	}
}

func readFrozen(t testing.TB) frozenV1 {
	t.Helper()
	b, err := os.ReadFile(frozenFile)
	if err != nil {
		t.Fatal(err)
	}
	var f frozenV1
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFrozen(t *testing.T) {
	if _, err := os.Stat(frozenFile); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is there and stays: %v", frozenFile, err)
	}
	recipient, identity := pair(t)
	second, _ := pair(t)
	hybrid, hybridIdentity := hybridPair(t)
	all := []Settings{
		{Passphrase: goodPassphrase},
		{Recipients: []string{recipient, second}, Identities: []string{identity}},
		{Recipients: []string{hybrid}, Identities: []string{hybridIdentity}},
		{Keeper: localKeeper("frozen")},
	}
	f := frozenV1{Subject: "tenant contoso", Text: "a plan: äöü"}
	first, err := New(t.Context(), Options{Current: all[0], Escrow: all[1:]})
	if err != nil {
		t.Fatal(err)
	}
	k, wraps, err := first.Make(t.Context(), f.Subject)
	if err != nil {
		t.Fatal(err)
	}
	f.ID, f.Key = k.ID(), hex.EncodeToString(k.key[:])
	for _, s := range all {
		f.Settings = append(f.Settings, frozenSettings(s))
	}
	if f.Wraps, err = json.Marshal(wraps); err != nil {
		t.Fatal(err)
	}
	if f.File, err = first.SealFile(t.Context(), f.Subject, []byte(f.Text)); err != nil {
		t.Fatal(err)
	}
	for _, o := range []frozenObject{
		{Name: "snap/0000000007-ab/0", AD: "1 contoso", Nonce: "000102030405060708090a0b", Text: "{}"},
		{Name: "", AD: "", Nonce: "ffffffffffffffffffffffff", Text: ""},
	} {
		o.Sealed = hex.EncodeToString(k.Seal(o.Name, []byte(o.AD), []byte(o.Text), unhex(t, o.Nonce)))
		o.MAC = hex.EncodeToString(k.MAC(o.Name, []byte(o.Text)))
		f.Objects = append(f.Objects, o)
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("testdata/v1", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(frozenFile, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
