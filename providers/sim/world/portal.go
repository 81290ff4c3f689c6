package world

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// UnknownError says that an edit names something that does not exist, with the names that do.
type UnknownError struct {
	What  string // "user", "field", …
	Name  string
	Known []string // sorted; the first hundred of them
}

// Error implements error.
func (e *UnknownError) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("there is no %s %q, nor any other", e.What, e.Name)
	}
	return fmt.Sprintf("there is no %s %q; there are: %s", e.What, e.Name, strings.Join(e.Known, ", "))
}

func unknown(what, name string, known []string) error {
	known = slices.Clone(known)
	slices.Sort(known)
	return &UnknownError{What: what, Name: name, Known: known[:min(len(known), 100)]}
}

// Portal makes the changes that a person would make by hand in a vendor's console, one after another. An edit is one
// JSON object: where ("organization", "tenant" or "zone"), what (the name of a collection with the key of the object) and
// what to do ("set" with fields of the world file, "add" with fields of a new object, "remove": true). For example
//
//	{"organization": "contoso.example", "user": "alice@contoso.example", "set": {"is_active": false}}
//	{"organization": "contoso.example", "exemptions": {"add": ["bob@contoso.example"]}}
//	{"organization": "contoso.example", "features": {"url_defense": false}}
//	{"tenant": "contoso.example", "person": "alice@contoso.example", "remove": true}
//	{"tenant": "contoso.example", "group": "Sales", "members": {"remove": ["bob@contoso.example"]}}
//	{"tenant": "contoso.example", "inbound": "Inbound from ProofPoint", "set": {"Enabled": false}}
//	{"tenant": "contoso.example", "application": "Sync", "secret": "weir", "remove": true}
//	{"zone": "contoso.example", "txt": ["v=spf1 -all"]}
//
// Organizations have user, domain, idp, product, dkim; the settings azure, login, mfa, ldap, features, tagging,
// group_lists (merged; null clears); the lists exemptions, allow_list, block_list, tag_exempt, outgoing ("add", "remove",
// or a whole list); and, without any of these, "set" on the organization itself. Tenants have person (also "restore"),
// group, contact, domain, application, service_principal, role, grant, inbound, outbound, rule, dynamic_list; the
// settings connection_filter and organization_config; and "set" on the tenant. Zones have mx, txt, cname and a of "name"
// (default the apex), and failing. {"switches": {…}} sets Switches.
//
// An edit that names something unknown, or a field that does not exist, is an *UnknownError; the edits before it stand.
// It takes the lock.
func (w *World) Portal(edits ...json.RawMessage) error {
	w.Lock()
	defer w.Unlock()
	for i, raw := range edits {
		if err := w.edit(raw); err != nil {
			return fmt.Errorf("portal edit %d: %w", i+1, err)
		}
	}
	return nil
}

// vocabulary is every member that an edit may have.
var vocabulary = slices.Concat(organizationTargets, tenantTargets, recordTypes,
	[]string{"organization", "tenant", "zone", "switches", "add", "restore", "members", "secret", "principal", "name"})

// edit is one edit while it is made: its members, taken out as they are understood.
type edit map[string]json.RawMessage

func (w *World) edit(raw json.RawMessage) error {
	var e edit
	if err := decode(raw, &e); err != nil {
		return err
	}
	for k := range e {
		if !slices.Contains(vocabulary, k) {
			return unknown("word of an edit", k, vocabulary)
		}
	}
	var err error
	switch {
	case e["organization"] != nil:
		err = w.editOrganization(e)
	case e["tenant"] != nil:
		err = w.editTenant(e)
	case e["zone"] != nil:
		err = w.editZone(e)
	case e["switches"] != nil:
		err = patch(&w.Switches, e.take("switches"))
	default:
		return unknown("place to edit", strings.Join(slices.Sorted(maps.Keys(e)), ", "), []string{"organization", "tenant", "zone", "switches"})
	}
	if err != nil {
		return err
	}
	for k := range e {
		return fmt.Errorf("%q has no meaning in this edit", k)
	}
	return nil
}

func (e edit) take(key string) json.RawMessage {
	raw := e[key]
	delete(e, key)
	return raw
}

func (e edit) text(key string) (string, error) {
	var s string
	if err := decode(e.take(key), &s); err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	return s, nil
}

// verb takes out what is to be done. Exactly one of the words must be there.
func (e edit) verb(words ...string) (word string, arg json.RawMessage, err error) {
	for _, v := range words {
		raw, ok := e[v]
		if !ok {
			continue
		}
		if word != "" {
			return "", nil, fmt.Errorf("both %q and %q: make two edits of it", word, v)
		}
		word, arg = v, raw
		delete(e, v)
	}
	if word == "" {
		return "", nil, fmt.Errorf("nothing to do: give one of %s", strings.Join(words, ", "))
	}
	if (word == "remove" || word == "restore") && string(arg) != "true" {
		return "", nil, fmt.Errorf("%s: want true", word)
	}
	return word, arg, nil
}

// collection is a set of objects that an edit can address by key.
type collection[T any] struct {
	what string
	find func(key string) *T
	keys func() []string
	// add makes an object of a key and the fields of a new one.
	add    func(key string, fields json.RawMessage) error
	remove func(*T) error
	set    func(o *T, fields json.RawMessage) error
}

func (c *collection[T]) apply(key string, e edit, more ...string) (word string, o *T, err error) {
	word, arg, err := e.verb(append([]string{"set", "add", "remove"}, more...)...)
	if err != nil {
		return word, nil, err
	}
	o = c.find(key)
	if word == "add" {
		if o != nil {
			return word, o, fmt.Errorf("%s %q exists already", c.what, key)
		}
		return word, nil, c.add(key, arg)
	}
	if slices.Contains(more, word) {
		return word, o, nil
	}
	if o == nil {
		return word, nil, unknown(c.what, key, c.keys())
	}
	if word == "remove" {
		return word, o, c.remove(o)
	}
	if err := c.set(o, arg); err != nil {
		return word, o, fmt.Errorf("%s %q: %w", c.what, key, err)
	}
	return word, o, nil
}

// listOf is a collection kept in a slice, found by a key of its elements, without any index.
func listOf[T any](what string, list *[]*T, key func(*T) string, fresh func(key string) *T) *collection[T] {
	return &collection[T]{
		what: what,
		find: func(k string) *T {
			for _, x := range *list {
				if strings.EqualFold(key(x), k) {
					return x
				}
			}
			return nil
		},
		keys: func() []string {
			var out []string
			for _, x := range *list {
				out = append(out, key(x))
			}
			return out
		},
		add: func(k string, fields json.RawMessage) error {
			o := fresh(k)
			if err := patch(o, fields); err != nil {
				return err
			}
			*list = append(*list, o)
			return nil
		},
		remove: func(o *T) error {
			*list = slices.DeleteFunc(*list, func(x *T) bool { return x == o })
			return nil
		},
		set: patch[T],
	}
}

// one applies an edit to a collection and forgets what it found.
func one[T any](c *collection[T], key string, e edit) error {
	_, _, err := c.apply(key, e)
	return err
}

// patch sets the fields of a struct that the JSON object names; each must exist. A slice, map or pointer is replaced, not
// merged.
func patch[T any](o *T, fields json.RawMessage) error {
	return patchOnly(o, fields, func(reflect.StructField) bool { return true })
}

// patchScalars is patch for a struct whose collections are not to be replaced in one piece.
func patchScalars[T any](o *T, fields json.RawMessage) error {
	return patchOnly(o, fields, func(f reflect.StructField) bool {
		switch f.Type.Kind() {
		case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Struct:
			return f.Type.String() == "time.Time"
		}
		return true
	})
}

func patchOnly[T any](o *T, fields json.RawMessage, allowed func(reflect.StructField) bool) error {
	var set map[string]json.RawMessage
	if err := decode(fields, &set); err != nil {
		return err
	}
	changed := *o
	v := reflect.ValueOf(&changed).Elem()
	places, names := map[string]int{}, []string{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && name != "" && name != "-" && allowed(f) {
			places[name] = i
			names = append(names, name)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(set)) {
		i, ok := places[k]
		if !ok {
			return unknown("field", k, names)
		}
		v.Field(i).SetZero() // decoding into what is there would merge maps and write into shared slices
		if err := decode(set[k], v.Field(i).Addr().Interface()); err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
	}
	*o = changed
	return nil
}

// merge sets keys of a free map; null removes one.
func merge(m *map[string]any, fields json.RawMessage) error {
	var set map[string]any
	if err := decode(fields, &set); err != nil {
		return err
	}
	next := maps.Clone(*m)
	if next == nil {
		next = map[string]any{}
	}
	for k, v := range set {
		if v == nil {
			delete(next, k)
		} else {
			next[k] = v
		}
	}
	*m = next
	return nil
}

// members edits a list of texts: a whole new list, or {"add": […], "remove": […]}.
func members(list *[]string, raw json.RawMessage, fold func(string) string) error {
	next := slices.Clone(*list)
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		if err := decode(raw, &next); err != nil {
			return err
		}
		for i := range next {
			next[i] = fold(next[i])
		}
		*list = next
		return nil
	}
	var change struct{ Add, Remove []string }
	if err := decode(raw, &change); err != nil {
		return err
	}
	for _, a := range change.Add {
		if a = fold(a); !slices.Contains(next, a) {
			next = append(next, a)
		}
	}
	for _, r := range change.Remove {
		i := slices.Index(next, fold(r))
		if i < 0 {
			return unknown("entry", r, next)
		}
		next = slices.Delete(next, i, i+1)
	}
	*list = next
	return nil
}

// decode reads one JSON value, refusing unknown fields and anything after it.
func decode(raw json.RawMessage, into any) error {
	if len(raw) == 0 {
		return errors.New("a value is missing")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}
