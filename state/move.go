package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/resource"
)

// AbsentError says that a state knows nothing of an address.
type AbsentError struct {
	Address string
}

func (e *AbsentError) Error() string { return fmt.Sprintf("there is no %s in state", e.Address) }

// Renames says what becomes of the addresses in s when what from names is called
// to: one object, all instances of a block, or a whole module with everything in
// it. The result is for Note.Moved, sorted by From. Nothing is changed. Errors:
// *AbsentError if nothing has that address; something has the new one already;
// the type would change; an operation in doubt is about one of the objects.
func (s *State) Renames(from, to string) ([]Rename, error) {
	rename, err := renamer(from, to)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	look := func(address string) {
		if now, hit := rename(address); hit {
			names[address] = now
		}
	}
	for address, o := range s.Objects {
		look(address)
		for _, d := range o.Dependencies {
			look(d)
		}
	}
	for a := range s.Accounts.All() {
		look(a.Policy)
	}
	for _, k := range s.Skips {
		look(k.Address)
	}
	look(s.Tenant.Address)
	if len(names) == 0 {
		return nil, &AbsentError{Address: from}
	}
	var renames []Rename
	for _, address := range slices.Sorted(maps.Keys(names)) {
		now := names[address]
		if err := movable(address, now); err != nil {
			return nil, err
		}
		if s.Objects[now] != nil {
			return nil, fmt.Errorf("there is a %s already; move or remove that one first", now)
		}
		renames = append(renames, Rename{From: address, To: now})
	}
	if err := s.settled(func(address, _ string) bool { return names[address] != "" }); err != nil {
		return nil, err
	}
	return renames, checkRenames(renames)
}

// renamer returns what gives an address its new form, if from names it.
func renamer(from, to string) (func(string) (string, bool), error) {
	if strings.Contains(from, ".account[") {
		return nil, fmt.Errorf("%s: an account goes with its policy; move the policy, or remove the account from state and let the next plan take it up", from)
	}
	if from == to {
		return nil, fmt.Errorf("%s is its present address", to)
	}
	whole := isModule(from)
	for _, address := range []string{from, to} {
		if whole && isModule(to) {
			continue
		}
		if _, err := resource.ParseAddress(address); err != nil {
			return nil, fmt.Errorf("a module becomes a module, and an object an object: %w", err)
		}
	}
	keyed := strings.HasSuffix(from, "]")
	return func(address string) (string, bool) {
		rest, ok := strings.CutPrefix(address, from)
		switch {
		case !ok:
			return "", false
		case whole && strings.HasPrefix(rest, "."), !whole && rest == "":
			return to + rest, true
		case strings.HasPrefix(rest, "[") && !keyed:
			return to + rest, true // all instances of a block or of a module call keep their keys
		}
		return "", false
	}, nil
}

// isModule reports whether the last thing that an address names is a module call.
func isModule(address string) bool {
	_, object := resource.ParseAddress(address)
	_, within := resource.ParseAddress(address + ".type.name")
	return object != nil && within == nil
}

// movable reports why an object cannot bear the new address.
func movable(from, to string) error {
	a, err := resource.ParseAddress(from)
	if err != nil {
		return err
	}
	b, err := resource.ParseAddress(to)
	if err != nil {
		return fmt.Errorf("%s would become %s: %w", from, to, err)
	}
	if a.Type != b.Type || a.Data != b.Data {
		return fmt.Errorf("%s cannot become a %s; remove it from state and let the next plan adopt it under the other address", from, b.Type)
	}
	return nil
}
