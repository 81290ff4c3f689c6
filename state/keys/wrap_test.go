package keys

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// refused are the kinds that a spoiled wrap or file may be refused with.
func refused(err error) bool {
	return errors.Is(err, ErrDamaged) || errors.Is(err, ErrWrongKey) || errors.Is(err, ErrFormat)
}

func TestWrapFlips(t *testing.T) {
	for name, s := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			r := ring(t, Options{Current: s})
			k, wraps := mustMake(t, r, "s")
			whole, err := json.Marshal(wraps[0])
			if err != nil {
				t.Fatal(err)
			}
			open := func(b []byte) error {
				var w Wrap
				if err := json.Unmarshal(b, &w); err != nil {
					return fmt.Errorf("%w: %w", ErrDamaged, err)
				}
				_, err := r.Open(t.Context(), "s", k.ID(), []Wrap{w})
				return err
			}
			if err := open(whole); err != nil {
				t.Fatal(err)
			}
			// Post-quantum ones are another recipient of the same method, and long.
			stride := map[bool]int{true: 13, false: 1}[name == "hybrid"]
			for i := 0; i < len(whole); i += stride {
				for _, mask := range []byte{0x01, 0x04, 0x20, 0x80, 0xff} {
					b := bytes.Clone(whole)
					b[i] ^= mask
					if err := open(b); !refused(err) {
						t.Fatalf("byte %d flipped by %#x: %v\n%s", i, mask, err, b)
					}
				}
				if err := open(whole[:i]); !refused(err) {
					t.Fatalf("cut off at %d: %v", i, err)
				}
			}
			// What decodes is refused too if it was changed after decoding.
			for what, change := range map[string]func(*Wrap){
				"escrow":     func(w *Wrap) { w.Escrow = true },
				"data":       func(w *Wrap) { w.Data = append(bytes.Clone(w.Data), 0) },
				"short data": func(w *Wrap) { w.Data = w.Data[:1] },
				"no data":    func(w *Wrap) { w.Data = nil },
				"huge data":  func(w *Wrap) { w.Data = make([]byte, maxWrapData+1) },
				"method":     func(w *Wrap) { w.Method = "" },
			} {
				w := wraps[0]
				change(&w)
				if _, err := r.Open(t.Context(), "s", k.ID(), []Wrap{w}); !refused(err) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

func TestWrapDecode(t *testing.T) {
	_, wraps := mustMake(t, ring(t, Options{Current: Settings{Passphrase: goodPassphrase}}), "s")
	b, err := json.Marshal(wraps[0])
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	replace := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %s in %s", old, good)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, test := range map[string]struct {
		text string
		want error
	}{
		"good":                {good, nil},
		"indented":            {strings.ReplaceAll(good, ",", ",\n  "), nil},
		"newer method":        {replace("passphrase", "passphrase2"), ErrFormat},
		"newer with members":  {`{"method":"tpm","pcrs":[7],"data":"AA=="}`, ErrFormat},
		"no method":           {`{"data":"AA=="}`, ErrDamaged},
		"method of noise":     {`{"method":"\u0000","data":"AA=="}`, ErrDamaged},
		"not an object":       {`[1]`, ErrDamaged},
		"unknown member":      {replace(`"data"`, `"extra":1,"data"`), ErrDamaged},
		"other case":          {replace(`"data"`, `"Data"`), ErrDamaged},
		"member twice":        {replace(`"data"`, `"data":"AA==","data"`), ErrDamaged},
		"cost below":          {replace(`"log_n":15`, `"log_n":14`), ErrDamaged},
		"cost above":          {replace(`"log_n":15`, `"log_n":19`), ErrDamaged},
		"cost that overflows": {replace(`"log_n":15`, `"log_n":64`), ErrDamaged},
		"cost negative":       {replace(`"log_n":15`, `"log_n":-1`), ErrDamaged},
		"memory":              {replace(`"r":8`, `"r":8388608`), ErrDamaged},
		"parallel":            {replace(`"p":1`, `"p":1073741824`), ErrDamaged},
		"parallel none":       {replace(`"p":1`, `"p":0`), ErrDamaged},
		"parameters of age":   {replace(`"data"`, `"recipients":["age1x"],"data"`), ErrDamaged},
		"parameters missing":  {`{"method":"passphrase","data":"AA=="}`, ErrDamaged},
		"keeper without":      {`{"method":"keeper","data":"AA=="}`, ErrDamaged},
		"keeper malformed":    {`{"method":"keeper","keeper":"x","data":"AA=="}`, ErrDamaged},
		"age without":         {`{"method":"age","data":"AA=="}`, ErrDamaged},
		"age malformed":       {`{"method":"age","recipients":["age1<"],"data":"AA=="}`, ErrDamaged},
		"age unsorted":        {`{"method":"age","recipients":["age1b","age1a"],"data":"AA=="}`, ErrDamaged},
		"age many":            {`{"method":"age","recipients":["age1` + strings.Join(strings.Split("abcdefghijk", ""), `","age1`) + `"],"data":"AA=="}`, ErrDamaged},
		"huge":                {`{"method":"keeper","keeper":"` + strings.Repeat("0", maxWrapJSON) + `","data":"AA=="}`, ErrDamaged},
	} {
		var w Wrap
		if err := json.Unmarshal([]byte(test.text), &w); !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
	}
	if _, err := json.Marshal(Wrap{Method: methodAge}); !errors.Is(err, ErrDamaged) {
		t.Errorf("an incomplete wrap was written: %v", err)
	}
}

// Parameters are refused before anything is computed with them.
func TestHugeCostIsNotPaid(t *testing.T) {
	o := Options{Current: Settings{Passphrase: goodPassphrase}}
	k, wraps := mustMake(t, ring(t, o), "s")
	paid := 0
	r, err := newRing(t.Context(), o, deps{open: openKeeper, derive: func(password, salt []byte, n, rr, p, size int) ([]byte, error) {
		paid++
		return quick(password, salt, n, rr, p, size)
	}})
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*Scrypt){
		"cost": func(s *Scrypt) { s.LogN = 30 }, "memory": func(s *Scrypt) { s.R = 1 << 20 }, "parallel": func(s *Scrypt) { s.P = 1 << 20 },
	} {
		w := wraps[0]
		s := *w.Scrypt
		change(&s)
		w.Scrypt = &s
		if _, err := r.Open(t.Context(), "s", k.ID(), []Wrap{w}); !errors.Is(err, ErrDamaged) || r.Fresh([]Wrap{w}) {
			t.Errorf("%s: error %v, want ErrDamaged and not fresh", what, err)
		}
	}
	if paid != 0 {
		t.Errorf("%d derivations", paid)
	}
	if _, err := r.Open(t.Context(), "s", k.ID(), wraps); err != nil || paid != 1 {
		t.Errorf("the twin: error %v after %d derivations", err, paid)
	}
}

func TestOpenRefusesLists(t *testing.T) {
	r := ring(t, Options{Current: Settings{Passphrase: goodPassphrase}})
	k, wraps := mustMake(t, r, "s")
	many := make([]Wrap, maxWraps+1)
	for i := range many {
		many[i] = wraps[0]
	}
	for name, test := range map[string]struct {
		id    string
		wraps []Wrap
	}{
		"none": {k.ID(), nil}, "many": {k.ID(), many}, "no id": {"", wraps}, "upper case": {strings.Repeat("A", 16), wraps}, "zero": {k.ID(), []Wrap{{}}},
	} {
		if _, err := r.Open(t.Context(), "s", test.id, test.wraps); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: error %v, want ErrDamaged", name, err)
		}
	}
}

func FuzzWrapOpen(f *testing.F) {
	r, v := fuzzRing(f)
	var each []json.RawMessage
	if err := json.Unmarshal(v.Wraps, &each); err != nil {
		f.Fatal(err)
	}
	for _, w := range each {
		var b bytes.Buffer
		if err := json.Compact(&b, w); err != nil {
			f.Fatal(err)
		}
		f.Add([]byte("[" + b.String() + "]"))
	}
	f.Add([]byte(`[{"method":"tpm","data":"AA=="}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var wraps []Wrap
		if err := json.Unmarshal(b, &wraps); err != nil {
			return
		}
		again, err := json.Marshal(wraps)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		var back []Wrap
		if err := json.Unmarshal(again, &back); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		_ = r.Fresh(wraps)
		k, err := r.Open(t.Context(), v.Subject, v.ID, wraps)
		if err == nil && hex.EncodeToString(k.key[:]) != v.Key {
			t.Errorf("another key")
		}
		if err != nil && !refused(err) {
			t.Errorf("error %v is of no kind", err)
		}
	})
}

// fuzzRing is a ring that opens each wrap of the frozen ones, which are the same
// in every process.
func fuzzRing(f *testing.F) (*Ring, frozenV1) {
	v := readFrozen(f)
	o := Options{Current: Settings(v.Settings[0])}
	for _, s := range v.Settings[1:] {
		o.Previous = append(o.Previous, Settings(s))
	}
	r, err := New(f.Context(), o)
	if err != nil {
		f.Fatal(err)
	}
	// One derivation with the real scrypt, so that the frozen ones open; each other
	// salt would cost another.
	p := r.current.(*passphrase)
	var wraps []Wrap
	if err := json.Unmarshal(v.Wraps, &wraps); err != nil {
		f.Fatal(err)
	}
	if !p.fresh(wraps[0]) {
		f.Fatal("the frozen passphrase is not the right one")
	}
	file := bytes.TrimPrefix(v.File[:bytes.IndexByte(v.File, '\n')], []byte(sealedVersion))
	raw, err := base64.StdEncoding.DecodeString(string(file))
	if err != nil {
		f.Fatal(err)
	}
	var header sealedV1
	if err := json.Unmarshal(raw, &header); err != nil {
		f.Fatal(err)
	}
	if !p.fresh(header.Wraps[0]) {
		f.Fatal("the frozen passphrase is not the right one")
	}
	p.derive = quick
	return r, v
}
