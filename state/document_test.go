package state

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

func TestDocument(t *testing.T) {
	raw, err := EncodeDocument(firstSample())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "v1", "document.json")
	if *update {
		if err := os.WriteFile(file, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw, want) {
		t.Errorf("%s differs; got:\n%s", file, raw)
	}
	back, err := DecodeDocument(want)
	if err != nil {
		t.Fatal(err)
	}
	equalStates(t, back, firstSample())
	again, err := EncodeDocument(back)
	if err != nil || !bytes.Equal(again, raw) {
		t.Errorf("a second time it is another document (%v)", err)
	}
}

func TestEncodeDocumentRefuses(t *testing.T) {
	if _, err := EncodeDocument(new(State)); err == nil {
		t.Error("a state that was never stored has a document")
	}
	s := sample()
	s.Objects["value.bad"] = &Object{Address: "value.bad", Values: cty.UnknownVal(cty.String)}
	if _, err := EncodeDocument(s); err == nil || !strings.Contains(err.Error(), "value.bad") {
		t.Errorf("got %v, want an error that names the object", err)
	}
}

func TestDecodeDocumentRefuses(t *testing.T) {
	good, err := EncodeDocument(sample())
	if err != nil {
		t.Fatal(err)
	}
	edit := func(old, new string) []byte {
		t.Helper()
		if !strings.Contains(string(good), old) {
			t.Fatalf("the document has no %s", old)
		}
		return []byte(strings.Replace(string(good), old, new, 1))
	}
	for _, row := range []struct {
		name string
		raw  []byte
		want error
	}{
		{"a newer format", edit(`"format": 1`, `"format": 2`), ErrFormat},
		{"no format", edit(`"format": 1,`, ``), ErrFormat},
		{"empty", nil, ErrDamaged},
		{"a list", []byte(`[]`), ErrDamaged},
		{"cut off", good[:len(good)/2], ErrDamaged},
		{"more after the end", append(bytes.Clone(good), "{}"...), ErrDamaged},
		{"a member that this build does not know", edit(`"format": 1`, `"format": 1, "news": 1`), ErrDamaged},
		{"nested too deep", edit(`"previous": {`, `"previous": `+strings.Repeat("[", 65)+strings.Repeat("]", 65)+`, "x": {`), ErrDamaged},
		{"no lineage", edit(`"5d0c8b9a"`, `""`), ErrDamaged},
		{"no serial", edit(`"serial": 3`, `"serial": 0`), ErrDamaged},
		{"a negative serial", edit(`"serial": 3`, `"serial": -1`), ErrDamaged},
		{"no realm", edit(`"realm": "live"`, `"realm": ""`), ErrDamaged},
		{"no tenant", edit(`"key": "contoso"`, `"key": ""`), ErrDamaged},
		{"a short version key", edit(`"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="`, `"Bwc="`), ErrDamaged},
		{"an object twice", edit(`"address": "value.x"`, `"address": "domain.mail"`), ErrDamaged},
		{"an object without a type", edit(`"type": "value"`, `"type": ""`), ErrDamaged},
		{"an object nobody owns", edit(`"ownership": "adopted"`, `"ownership": "mine"`), ErrDamaged},
		{"an account twice", edit(`"address": "björn@contoso.com"`, `"address": "alice@contoso.com"`), ErrDamaged},
		{"an account in capitals", edit(`"address": "björn@contoso.com"`, `"address": "Björn@contoso.com"`), ErrDamaged},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := DecodeDocument(row.raw); !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
		})
	}
	// The twin: an edit that is none of these passes.
	s, err := DecodeDocument(edit(`"id": "contoso.com"`, `"id": "contoso.net"`))
	if err != nil || s.Objects["domain.mail"].ID != "contoso.net" {
		t.Errorf("a sound edit: %v", err)
	}
}

func FuzzDocument(f *testing.F) {
	raw, err := EncodeDocument(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"format":1,"lineage":"l","serial":1,"realm":"live","tenant":{"key":"a"},"version_key":""}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := DecodeDocument(raw)
		if err != nil {
			return
		}
		again, err := EncodeDocument(s)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, err := DecodeDocument(again)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if d := Diff(s, back); !d.Empty() {
			t.Errorf("it came back another: %+v", d)
		}
	})
}
