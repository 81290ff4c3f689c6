package jsonstream

import (
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unsafe"
)

// any reads a value of any type as encoding/json reads it into an any; numbers stay text.
func (r *Reader) any() (any, error) {
	switch r.Kind() {
	case '{':
		out := map[string]any{}
		err := r.Object(func(name []byte) error {
			key := string(name)
			v, err := r.any()
			out[key] = v
			return err
		})
		return out, err
	case '[':
		out := []any{}
		err := r.Array(func() error {
			v, err := r.any()
			out = append(out, v)
			return err
		})
		return out, err
	case 't', 'f':
		v, _, err := r.Bool()
		return v, err
	case 'n':
		return nil, r.Skip()
	case '0':
		raw, err := r.Raw()
		return json.Number(raw), err
	default:
		return r.String()
	}
}

func read(text string) (any, error) {
	r := New(iotest.HalfReader(strings.NewReader(text)))
	v, err := r.any()
	if err == nil {
		err = r.End()
	}
	return v, err
}

func standard(text string) (v any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("trailing")
	}
	return v, nil
}

// FuzzReader compares with encoding/json: what the one reads the other reads, to the same values.
func FuzzReader(f *testing.F) {
	for _, seed := range documents {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, wantErr := standard(text)
		got, err := read(text)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, encoding/json %v", text, err, wantErr)
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %v, encoding/json %v", text, got, want)
		}
	})
}

var documents = []string{
	`{"value":[{"id":"a","n":null,"t":true,"l":["x","y"],"o":{"p":[1,2.5e3]}},{}],"next":"\u00e9\n\ud83d\ude00"}`,
	"", " ", "null", `""`, "[]", "{}", `{"a":1,"a":2}`, "\"\xff\"", `"\ud800"`, `"\ud800x"`, `{"\u0061":1}`, `[1,]`, `{"a"}`, `{"a":}`,
	"[1 2]", "[1", `{"a":"b`, "{}{}", "[]x", "nul", "tru", `"a` + "\n" + `"`, "-", "01", "1e", "[[[[]]]]", "{\"\xff\":1}", "\ufeff{}",
}

// TestTruncated: a document that was cut anywhere is never read as a whole one.
func TestTruncated(t *testing.T) {
	whole := documents[0]
	if _, err := read(whole); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		if v, err := read(whole[:i]); err == nil {
			t.Errorf("%q reads as %v", whole[:i], v)
		}
	}
}

func TestUnreadMembersAreSkipped(t *testing.T) {
	r := New(strings.NewReader(`{"a":{"x":[1,{}]},"b":"seen","c":[[]]}`))
	var b string
	err := r.Object(func(name []byte) (err error) {
		if string(name) == "b" {
			b, err = r.String()
		}
		return err
	})
	if err != nil || b != "seen" || r.End() != nil {
		t.Errorf("%q %v", b, err)
	}
}

func TestTypes(t *testing.T) {
	tests := []struct {
		name, text, want string // want is in the error; "" for none
		read             func(*Reader) error
	}{
		{"string", `{"a":[{"b":1}]}`, "expected a string at a/0/b, got a number", func(r *Reader) error {
			return r.Object(func([]byte) error {
				return r.Array(func() error { return r.Object(func([]byte) error { _, err := r.String(); return err }) })
			})
		}},
		{"bool", `"true"`, "expected true or false, got a string", func(r *Reader) error { _, _, err := r.Bool(); return err }},
		{"list", `{}`, "expected a list, got an object", func(r *Reader) error { return r.Array(nil) }},
		{"object", `[]`, "expected an object, got a list", func(r *Reader) error { return r.Object(nil) }},
		{"null object", `null`, "", func(r *Reader) error { return r.Object(nil) }},
		{"null list", `null`, "", func(r *Reader) error { return r.Array(nil) }},
		{"null string", `null`, "", func(r *Reader) error { _, err := r.String(); return err }},
		{"null word", `null`, "", func(r *Reader) error { _, err := r.Word(); return err }},
		{"nothing", ``, "the answer is empty", func(r *Reader) error { return r.Object(nil) }},
		{"cut", `{"a":`, "ends early", func(r *Reader) error { return r.Object(func([]byte) error { return nil }) }},
		{"more", `1 2`, "more follows", func(r *Reader) error { return errors.Join(r.Skip(), r.End()) }},
		{"element's error", `[1]`, "mine", func(r *Reader) error { return r.Array(func() error { return errors.New("mine") }) }},
		{"member's error", `{"a":1}`, "mine", func(r *Reader) error { return r.Object(func([]byte) error { return errors.New("mine") }) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			switch err := tt.read(New(strings.NewReader(tt.text))); {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestStringsAndNull(t *testing.T) {
	r := New(strings.NewReader(`[null,[],["a",null],false]`))
	var lists [][]string
	n := 0
	err := r.Array(func() error {
		if n++; n == 4 {
			if r.Null() {
				t.Error("false is a null")
			}
			v, ok, err := r.Bool()
			if v || !ok {
				t.Error("false reads as unset")
			}
			return err
		}
		l, err := r.Strings()
		lists = append(lists, l)
		return err
	})
	if want := [][]string{nil, {}, {"a", ""}}; err != nil || !reflect.DeepEqual(lists, want) {
		t.Errorf("%v %v", lists, err)
	}
}

// TestWords: equal words share their bytes, over documents too; equal strings do not.
func TestWords(t *testing.T) {
	r := New(strings.NewReader(`["Kitchen","Kitchen"]`))
	var words []string
	read := func(one func() (string, error)) func() error {
		return func() error { s, err := one(); words = append(words, s); return err }
	}
	err := r.Array(read(r.Word))
	r.Reset(strings.NewReader(`["Kitchen"]`))
	err = errors.Join(err, r.Array(read(r.Word)))
	r.Reset(strings.NewReader(`["Kitchen"]`))
	err = errors.Join(err, r.Array(read(r.String)))
	if err != nil || !reflect.DeepEqual(words, []string{"Kitchen", "Kitchen", "Kitchen", "Kitchen"}) {
		t.Fatal(words, err)
	}
	for i, shared := range []bool{true, true, true, false} {
		if (unsafe.StringData(words[i]) == unsafe.StringData(words[0])) != shared {
			t.Errorf("word %d shares its bytes: %v", i, !shared)
		}
	}
}
