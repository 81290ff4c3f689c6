package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// fields reads the properties of a request body one by one and then complains about those that nobody asked for. The
// first problem is kept and answered by done.
type fields struct {
	m     map[string]json.RawMessage
	what  string
	fault *fault
}

// object decodes the body, or the named property of it, as a JSON object.
func (x *request) object(what string) (*fields, error) {
	if len(bytes.TrimSpace(x.body)) == 0 {
		return nil, &fault{status: 400, code: "BadRequest", message: "Empty Payload. JSON content expected."}
	}
	ct, _, _ := strings.Cut(x.header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(ct), "application/json") {
		return nil, &fault{status: 415, code: "BadRequest", message: fmt.Sprintf(
			"Write requests must contain a Content-Type of application/json, not '%s'.", ct)}
	}
	return decodeObject(x.body, what)
}

func decodeObject(raw []byte, what string) (*fields, error) {
	f := &fields{what: what}
	if err := json.Unmarshal(raw, &f.m); err != nil || f.m == nil {
		return nil, &fault{status: 400, code: "BadRequest", message: "Unable to read JSON request payload. " +
			"Please ensure Content-Type header is set and payload is of valid JSON format."}
	}
	return f, nil
}

// has tells whether the property is present, null included.
func (f *fields) has(name string) bool {
	_, ok := f.m[name]
	return ok
}

// read decodes a property into v when it is present and tells so. A null leaves the zero value.
func (f *fields) read(name string, v any) bool {
	raw, ok := f.m[name]
	if !ok {
		return false
	}
	delete(f.m, name)
	if string(raw) == "null" {
		return true
	}
	if err := json.Unmarshal(raw, v); err != nil && f.fault == nil {
		f.fault = badRequest("A value without the right type was given for property '%s' of resource '%s'.", name, f.what)
	}
	return true
}

// text reads a string property of at most limit characters.
func (f *fields) text(name string, limit int, into *string) bool {
	var s string
	if !f.read(name, &s) {
		return false
	}
	if len([]rune(s)) > limit && f.fault == nil {
		f.fault = badRequest("The specified value for property '%s' of resource '%s' exceeds the length limit of %d.", name, f.what, limit)
	}
	*into = s
	return true
}

// required is a text that must be there and not empty.
func (f *fields) required(name string, limit int) string {
	var s string
	f.text(name, limit, &s)
	if s == "" && f.fault == nil {
		f.fault = badRequest("A value is required for property '%s' of resource '%s'.", name, f.what)
	}
	return s
}

// moment reads a time.
func (f *fields) moment(name string, into *time.Time) bool {
	var t time.Time
	if !f.read(name, &t) || t.IsZero() {
		return false
	}
	*into = t.UTC()
	return true
}

// done answers the first problem, or refuses a property that was not read. Annotations ("@odata.type") are not
// properties.
func (f *fields) done() error {
	if f.fault != nil {
		return f.fault
	}
	for name := range f.m {
		if !strings.Contains(name, "@") {
			return unimplemented("the property %q in the body of %s", name, f.what)
		}
	}
	return nil
}

// reference reads {"@odata.id": "…/directoryObjects/{id}"} and returns the id.
func (f *fields) reference() string {
	var link string
	f.read("@odata.id", &link)
	i := strings.LastIndexByte(link, '/')
	if i < 0 || !isGUID(link[i+1:]) {
		if f.fault == nil {
			f.fault = badRequest("Invalid object reference '%s': want …/directoryObjects/{id}.", link)
		}
		return ""
	}
	return strings.ToLower(link[i+1:])
}

// jsonReply encodes v.
func jsonReply(status int, v any) (*reply, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return &reply{status: status, body: bytes.TrimRight(b.Bytes(), "\n")}, nil
}
