package essentials

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxBody is the largest request body that is read, bytes. Nothing public gives the vendor's limit.
const maxBody = 32 << 20

// fields is one JSON object of a request, consumed name by name. What nobody consumed is a field that the API does not
// know, and an error: a simulator that ignored it would hide a client's mistake. The first error wins and sticks.
type fields struct {
	raw  map[string]json.RawMessage
	used map[string]bool
	id   string // identifier for error objects
	err  error
}

// decodeObject reads one JSON object.
func decodeObject(body []byte) (*fields, error) {
	list, isList, err := decodeObjects(body)
	if err != nil {
		return nil, err
	}
	if isList {
		return nil, fail(http.StatusBadRequest, "", "expected a JSON object, got a list")
	}
	return list[0], nil
}

// decodeObjects reads one JSON object, or a list of them where the operation allows a batch.
func decodeObjects(body []byte) (objects []*fields, isList bool, err error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil, false, fail(http.StatusBadRequest, "", "a JSON body is required")
	}
	if body[0] != '[' {
		var m map[string]json.RawMessage
		if err := unmarshal(body, &m); err != nil {
			return nil, false, err
		}
		if m == nil {
			return nil, false, fail(http.StatusBadRequest, "", "expected a JSON object, got null")
		}
		return []*fields{newFields(m)}, false, nil
	}
	var list []map[string]json.RawMessage
	if err := unmarshal(body, &list); err != nil {
		return nil, true, err
	}
	for _, m := range list {
		if m == nil {
			return nil, true, fail(http.StatusBadRequest, "", "expected a list of JSON objects, one element is null")
		}
		objects = append(objects, newFields(m))
	}
	return objects, true, nil
}

func newFields(m map[string]json.RawMessage) *fields {
	return &fields{raw: m, used: make(map[string]bool, len(m))}
}

// unmarshal decodes exactly one JSON value.
func unmarshal(body []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(into); err != nil {
		var typeErr *json.UnmarshalTypeError
		if errors.As(err, &typeErr) {
			return fail(http.StatusBadRequest, "", "unexpected JSON %s", typeErr.Value)
		}
		return fail(http.StatusBadRequest, "", "malformed JSON: %v", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return fail(http.StatusBadRequest, "", "malformed JSON: more than one value")
	}
	return nil
}

func (f *fields) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// has tells whether the name was sent with a value other than null. A null counts as left out: the vendor's description
// gives null as the default of optional fields.
func (f *fields) has(name string) bool {
	v, ok := f.raw[name]
	return ok && !isNull(v)
}

// take consumes the name.
func (f *fields) take(name string) (json.RawMessage, bool) {
	v, ok := f.raw[name]
	f.used[name] = true
	if !ok || isNull(v) {
		return nil, false
	}
	return v, true
}

func isNull(v json.RawMessage) bool { return string(bytes.TrimSpace(v)) == "null" }

// str reads a string into dst when it was sent.
func (f *fields) str(name string, dst *string) bool {
	v, ok := f.take(name)
	if !ok {
		return false
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
		f.fail(invalid(f.id, "%s must be a string", name))
		return false
	}
	*dst = s
	return true
}

// enum reads one of the values, whatever its case, into dst. Another value is 400 (inferred).
func (f *fields) enum(name string, dst *string, values ...string) bool {
	var s string
	if !f.str(name, &s) {
		return false
	}
	s = strings.ToLower(s)
	if !slices.Contains(values, s) {
		f.fail(fail(http.StatusBadRequest, f.id, "%s must be one of %s", name, strings.Join(values, ", ")))
		return false
	}
	*dst = s
	return true
}

// boolean reads true, false, and the spellings that published clients send: "true", "false" in any case, 1, 0, "1", "0".
func (f *fields) boolean(name string, dst *bool) bool {
	v, ok := f.take(name)
	if !ok {
		return false
	}
	b, ok := parseBool(v)
	if !ok {
		f.fail(invalid(f.id, "%s must be a boolean", name))
		return false
	}
	*dst = b
	return true
}

func parseBool(v json.RawMessage) (value, ok bool) {
	switch strings.ToLower(strings.Trim(string(bytes.TrimSpace(v)), `"`)) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

// number reads a whole number, or a digit string.
func (f *fields) number(name string, dst *int) bool {
	v, ok := f.take(name)
	if !ok {
		return false
	}
	n, err := strconv.Atoi(strings.Trim(string(bytes.TrimSpace(v)), `"`))
	if err != nil {
		f.fail(invalid(f.id, "%s must be a whole number", name))
		return false
	}
	*dst = n
	return true
}

// list reads a list of strings. The result is never nil.
func (f *fields) list(name string, dst *[]string) bool {
	v, ok := f.take(name)
	if !ok {
		return false
	}
	s := []string{}
	if json.Unmarshal(v, &s) != nil {
		f.fail(invalid(f.id, "%s must be a list of strings", name))
		return false
	}
	*dst = s
	return true
}

// object reads a nested object.
func (f *fields) object(name string) *fields {
	v, ok := f.take(name)
	if !ok {
		return nil
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(v, &m) != nil {
		f.fail(invalid(f.id, "%s must be an object", name))
		return nil
	}
	sub := newFields(m)
	sub.id = f.id
	return sub
}

// readOnlyInt accepts a read-only field when it repeats the present value, as a read-modify-write does, and refuses
// another one.
func (f *fields) readOnlyInt(name string, present int) {
	var n int
	if f.number(name, &n) && n != present {
		f.fail(invalid(f.id, "%s is read-only", name))
	}
}

// done ends the decoding: the first error, or 422 for the fields that nobody asked for.
func (f *fields) done() error {
	if f.err != nil {
		return f.err
	}
	var unknown []string
	for name := range f.raw {
		if !f.used[name] {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return invalid(f.id, "unknown field %s", strings.Join(unknown, ", "))
	}
	return nil
}

// addressOf lower-cases an e-mail address and splits off its domain; ok is false for what is none.
func addressOf(s string) (address, domain string, ok bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	at := strings.LastIndexByte(s, '@')
	if at < 1 || len(s) > 254 || strings.ContainsAny(s, " \t\r\n,;<>\"\x00") || strings.Count(s, "@") != 1 || !validDomain(s[at+1:]) {
		return "", "", false
	}
	return s, s[at+1:], true
}

// validDomain tells whether s, lower case, is a host name of two labels or more.
func validDomain(s string) bool {
	labels := strings.Split(s, ".")
	if len(s) > 253 || len(labels) < 2 {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		for _, c := range l {
			if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && c < 0x80 {
				return false
			}
		}
	}
	return true
}
