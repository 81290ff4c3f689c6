package keys

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

func mustSeal(t testing.TB, r *Ring, subject string, plain []byte) []byte {
	t.Helper()
	file, err := r.SealFile(t.Context(), subject, plain)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSealFile(t *testing.T) {
	for name, s := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			for _, plain := range [][]byte{nil, []byte("a plan"), bytes.Repeat([]byte("z"), 1<<20)} {
				file := mustSeal(t, ring(t, Options{Current: s}), "plan", plain)
				if !IsSealed(file) || bytes.Contains(file, []byte("a plan")) || !bytes.HasPrefix(file, []byte("weir-sealed 1 ")) {
					t.Fatalf("%.40q", file)
				}
				r := ring(t, Options{Current: s})
				got, err := r.OpenFile(t.Context(), "plan", file)
				if err != nil || !bytes.Equal(got, plain) {
					t.Errorf("%d bytes: %v", len(got), err)
				}
				if _, err := r.OpenFile(t.Context(), "cache", file); !errors.Is(err, ErrDamaged) {
					t.Errorf("opened as something else: %v", err)
				}
			}
			wrong := ring(t, Options{Current: Settings{Passphrase: "a passphrase that is wrong"}})
			file := mustSeal(t, ring(t, Options{Current: s}), "plan", []byte("x"))
			if _, err := wrong.OpenFile(t.Context(), "plan", file); !errors.Is(err, ErrWrongKey) {
				t.Errorf("error %v, want ErrWrongKey", err)
			}
		})
	}
}

func TestFileFlips(t *testing.T) {
	r := ring(t, Options{Current: Settings{Passphrase: goodPassphrase}, Escrow: []Settings{{Keeper: localKeeper("k")}}})
	file := mustSeal(t, r, "plan", []byte("the plan"))
	if _, err := r.OpenFile(t.Context(), "plan", file); err != nil {
		t.Fatal(err)
	}
	for i := range file {
		for _, mask := range []byte{0x01, 0x20, 0x80} {
			b := bytes.Clone(file)
			b[i] ^= mask
			if got, err := r.OpenFile(t.Context(), "plan", b); !refused(err) || got != nil {
				t.Fatalf("byte %d flipped by %#x: %q, %v", i, mask, got, err)
			}
		}
		if got, err := r.OpenFile(t.Context(), "plan", file[:i]); !refused(err) || got != nil {
			t.Fatalf("cut off at %d: %q, %v", i, got, err)
		}
	}
}

func TestFileRefused(t *testing.T) {
	r := ring(t, Options{Current: Settings{Passphrase: goodPassphrase}})
	file := string(mustSeal(t, r, "plan", []byte("the plan")))
	line, body, _ := strings.Cut(file, "\n")
	header := func(text string) string {
		return "weir-sealed 1 " + base64.StdEncoding.EncodeToString([]byte(text)) + "\n" + body
	}
	huge := make([]byte, len(line)+1+maxSealed+gcmOverhead+1)
	copy(huge, line+"\n")
	for name, test := range map[string]struct {
		file []byte
		want error
	}{
		"nothing":         {nil, ErrDamaged},
		"a plain plan":    {[]byte(`{"format":1}`), ErrDamaged},
		"newer":           {[]byte(strings.Replace(file, " 1 ", " 2 ", 1)), ErrFormat},
		"no line":         {[]byte(line), ErrDamaged},
		"endless line":    {append([]byte("weir-sealed 1 "), bytes.Repeat([]byte("A"), maxHeader)...), ErrDamaged},
		"not base64":      {[]byte("weir-sealed 1 %%\n"), ErrDamaged},
		"not JSON":        {[]byte(header("x")), ErrDamaged},
		"no wraps":        {[]byte(header(`{"id":"0123456789abcdef","wraps":[],"nonce":"AAAAAAAAAAAAAAAA"}`)), ErrDamaged},
		"unknown member":  {[]byte(header(`{"id":"0123456789abcdef","x":1}`)), ErrDamaged},
		"newer protector": {[]byte(header(`{"id":"0123456789abcdef","wraps":[{"method":"tpm"}]}`)), ErrFormat},
		"too long":        {huge, ErrDamaged},
		"carriage return": {[]byte(strings.Replace(file, "\n", "\r\n", 1)), ErrDamaged},
		"as it was":       {[]byte(file), nil},
	} {
		if _, err := r.OpenFile(t.Context(), "plan", test.file); !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
	}
	if _, err := r.SealFile(t.Context(), "plan", make([]byte, maxSealed+1)); err == nil {
		t.Error("a file was sealed that cannot be opened")
	}
}

func FuzzOpenFile(f *testing.F) {
	r, v := fuzzRing(f)
	f.Add(v.File)
	f.Add([]byte("weir-sealed 1 e30=\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := r.OpenFile(t.Context(), v.Subject, b)
		if err == nil && (!bytes.Equal(b, v.File) || string(got) != v.Text) {
			t.Errorf("opened %q", got)
		}
		if err != nil && !refused(err) {
			t.Errorf("error %v is of no kind", err)
		}
	})
}
