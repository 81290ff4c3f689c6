package exchange

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// Readers of one property. A property that is missing or null reads as unset; one of another type is an error, so that
// a misread object is unknown and not half empty.

func (r row) unset(name string) bool {
	raw, ok := r[name]
	return !ok || bytes.Equal(bytes.TrimSpace(raw), []byte("null"))
}

func (r row) decode(name string, into any) error {
	if err := json.Unmarshal(r[name], into); err != nil {
		return fmt.Errorf("the object's %s is %s", name, clean(string(r[name])))
	}
	return nil
}

// need is an error when a property is missing altogether: the object was not read whole.
func (r row) need(names ...string) error {
	for _, name := range names {
		if _, ok := r[name]; !ok {
			return fmt.Errorf("an object came without %s", name)
		}
	}
	return nil
}

func (r row) text(name string) (s string, err error) {
	if r.unset(name) {
		return "", nil
	}
	err = r.decode(name, &s)
	return s, err
}

func (r row) flag(name string) (b bool, err error) {
	if r.unset(name) {
		return false, nil
	}
	err = r.decode(name, &b)
	return b, err
}

// whole reads a number, which may come as text: SetSCL has been seen both ways. ok is false when it is unset.
func (r row) whole(name string) (n int, ok bool, err error) {
	if r.unset(name) {
		return 0, false, nil
	}
	if s, textErr := r.text(name); textErr == nil {
		if s == "" {
			return 0, false, nil
		}
		if n, err = strconv.Atoi(s); err != nil {
			return 0, false, fmt.Errorf("the object's %s is %q", name, clean(s))
		}
		return n, true, nil
	}
	err = r.decode(name, &n)
	return n, err == nil, err
}

// list reads a list of strings; a single string is a list of one.
func (r row) list(name string) (all []string, err error) {
	if r.unset(name) {
		return nil, nil
	}
	if s, textErr := r.text(name); textErr == nil {
		if s == "" {
			return nil, nil
		}
		return []string{s}, nil
	}
	err = r.decode(name, &all)
	return all, err
}

// fields reads several properties and keeps the first error.
type fields struct {
	row
	err error
}

func (f *fields) keep(err error) {
	if f.err == nil {
		f.err = err
	}
}

func (f *fields) text(name string) string { s, err := f.row.text(name); f.keep(err); return s }
func (f *fields) flag(name string) bool   { b, err := f.row.flag(name); f.keep(err); return b }
func (f *fields) list(name string) []string {
	all, err := f.row.list(name)
	f.keep(err)
	return all
}
func (f *fields) whole(name string) (int, bool) {
	n, ok, err := f.row.whole(name)
	f.keep(err)
	return n, ok
}
