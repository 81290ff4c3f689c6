package state

import (
	"fmt"
	"slices"
)

// checkRenames refuses renames that would mean something else when they are
// applied a second time, or that would lose an object.
func checkRenames(renames []Rename) error {
	from, to := make(map[string]bool, len(renames)), make(map[string]bool, len(renames))
	for _, r := range renames {
		if r.From == "" || r.To == "" || from[r.From] || to[r.To] {
			return fmt.Errorf("rename of %q to %q: an address is missing or named twice", r.From, r.To)
		}
		from[r.From], to[r.To] = true, true
	}
	for _, r := range renames {
		if from[r.To] {
			return fmt.Errorf("rename of %q to %q: %q is renamed itself", r.From, r.To, r.To)
		}
	}
	return nil
}

// rename gives addresses their new names wherever they stand. What has none stays;
// an object already there is not overwritten: the one under the old address then
// keeps it. The cost is that of what changes, and a look at each account and
// object.
func (s *State) rename(renames []Rename) {
	names := make(map[string]string, len(renames))
	for _, r := range renames {
		if s.Objects[r.From] == nil || s.Objects[r.To] == nil {
			names[r.From] = r.To
		}
	}
	if len(names) == 0 {
		return
	}
	name := func(address string) string {
		if to, ok := names[address]; ok {
			return to
		}
		return address
	}
	moved := func(address string) bool { return names[address] != "" }
	for _, address := range s.Addresses() {
		o := s.Objects[address]
		if !moved(address) && !slices.ContainsFunc(o.Dependencies, moved) {
			continue
		}
		renamed := *o
		renamed.Address = name(address)
		renamed.Dependencies = convert(o.Dependencies, name)
		slices.Sort(renamed.Dependencies)
		delete(s.Objects, address)
		s.Objects[renamed.Address] = &renamed
	}
	for address, a := range s.Accounts.all {
		if moved(a.Policy) {
			renamed := *a
			renamed.Policy = name(a.Policy)
			s.Accounts.all[address] = &renamed
			s.Accounts.sorted = nil
		}
	}
	if slices.ContainsFunc(s.Skips, func(k Skip) bool { return moved(k.Address) }) {
		s.Skips = convert(s.Skips, func(k Skip) Skip { k.Address = name(k.Address); return k })
	}
	if s.Hosted != nil && moved(s.Hosted.Policy) {
		renamed := *s.Hosted
		renamed.Policy = name(renamed.Policy)
		s.Hosted = &renamed
	}
	for op, i := range s.InDoubt {
		if moved(i.Address) {
			i.Address = name(i.Address)
			s.InDoubt[op] = i
		}
	}
	if moved(s.Tenant.Address) {
		s.Tenant.Address = name(s.Tenant.Address)
	}
}
