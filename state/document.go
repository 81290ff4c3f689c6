package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// documentV1 is a whole state as one readable document, for people and scripts
// that take it out and put it back.
type documentV1 struct {
	Format  int    `json:"format"`
	Lineage string `json:"lineage"`
	Serial  uint64 `json:"serial"`
	stateV1
	Accounts []accountV1 `json:"accounts,omitempty"`
}

// EncodeDocument returns s as one indented JSON document, format 1: the members
// of the stored form, with lineage, serial, realm and version key. Objects and
// accounts are sorted by address. It holds no secret values; but whoever has the
// version key in it can test guesses of a weak secret against the versions, so
// it is to be kept like the state itself. It fails on a state that was never
// stored and on a value that has no stored form, naming its object.
func EncodeDocument(s *State) ([]byte, error) {
	if !s.Stored() {
		return nil, fmt.Errorf("nothing is stored for tenant %q", s.Tenant.Key)
	}
	main, err := storeState(s)
	if err != nil {
		return nil, err
	}
	d := documentV1{Format: formatV1, Lineage: s.Lineage, Serial: s.Serial, stateV1: *main}
	for a := range s.Accounts.All() {
		d.Accounts = append(d.Accounts, accountV1(*a))
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// DecodeDocument is the reverse of EncodeDocument. A person may have edited the
// document, so it is looked at more closely than what a store gives back. Errors
// wrap ErrFormat or ErrDamaged.
func DecodeDocument(raw []byte) (*State, error) {
	if len(raw) > maxDecoded {
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrDamaged, maxDecoded)
	}
	var d documentV1
	if err := DecodeJSON(raw, formatV1, &d); err != nil {
		return nil, err
	}
	s := &State{Lineage: d.Lineage, Serial: d.Serial}
	if err := d.load(s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	for _, v := range d.Accounts {
		if s.Accounts.Get(v.Address) != nil {
			return nil, fmt.Errorf("%w: account %q is there twice", ErrDamaged, v.Address)
		}
		account := Account(v)
		s.Accounts.Put(&account)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return s, nil
}

// check reports what no run would have written.
func (s *State) check() error {
	switch {
	case s.Lineage == "" || s.Serial == 0 || s.Realm == "" || s.Tenant.Key == "":
		return fmt.Errorf("lineage, serial, realm and the tenant's key are required")
	case len(s.VersionKey) != VersionKeySize:
		return fmt.Errorf("the version key has %d bytes, and %d are required", len(s.VersionKey), VersionKeySize)
	}
	for address, o := range s.Objects {
		switch {
		case o.Type == "":
			return fmt.Errorf("object %s has no type", address)
		case !o.Ownership.known():
			return fmt.Errorf("object %s: ownership %q is not created or adopted", address, o.Ownership)
		}
	}
	for a := range s.Accounts.All() {
		switch {
		case a.Address == "" || a.Address != strings.ToLower(a.Address):
			return fmt.Errorf("account %q: its address is required, in lower case", a.Address)
		case !a.Ownership.known():
			return fmt.Errorf("account %s: ownership %q is not created or adopted", a.Address, a.Ownership)
		}
	}
	return nil
}

func (o Ownership) known() bool { return o == Created || o == Adopted }
