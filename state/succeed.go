package state

import (
	"slices"
	"time"
)

// Blank reports whether nothing is remembered of a tenant but who it is: it is new, or was released and nobody's word
// about it still stands.
//
// Removals do not count. Every tenant that was taken down has those of its last year, and a limit that they would count
// against is one over accounts that the state does not have any more. Neither does what the last apply went by, which a
// tenant without a policy does not use, nor a prediction about a policy that is gone.
func (s *State) Blank() bool {
	return s.Bare() && len(s.Skips) == 0 && len(s.Allowances) == 0
}

// Bare reports whether nothing is remembered of what the tenant has: no object, account or output, and nothing that may
// have happened. People's words may be: whom they left out, which allowances are used up.
func (s *State) Bare() bool {
	return len(s.Objects) == 0 && s.Accounts.Len() == 0 && len(s.InDoubt) == 0 && len(s.Outputs) == 0
}

// Succeed returns a state in the place of s, a bare state of the same organization under another key, that remembers all
// that former does, and people's words that s has besides. Neither is changed.
func (s *State) Succeed(former *State) *State {
	next := s.Keep(former)
	next.Lineage, next.Serial, next.Realm, next.Tenant = s.Lineage, s.Serial, s.Realm, s.Tenant
	if next.Tenant.OrganizationID == "" {
		next.Tenant.OrganizationID = former.Tenant.OrganizationID
	}
	for _, skip := range s.Skips {
		if !slices.ContainsFunc(next.Skips, skip.equal) {
			next.Skips = append(next.Skips, skip)
		}
	}
	return next
}

// equal reports whether both are the same word about the same item.
func (s Skip) equal(other Skip) bool {
	same := s.Until.Equal(other.Until) && s.Created.Equal(other.Created)
	s.Until, s.Created, other.Until, other.Created = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	return same && s == other
}

// Emptied returns a state in the place of s that remembers nothing but who the tenant is. s is not changed.
func (s *State) Emptied() *State {
	next := New(s.Lineage, s.Realm, s.Tenant, s.VersionKey)
	next.Serial = s.Serial
	return next
}

// Covers reports whether s remembers every object and every account that other does, whatever their addresses.
func (s *State) Covers(other *State) bool {
	type thing struct{ typ, id string }
	name := func(o *Object) thing {
		if o.ID == "" {
			return thing{o.Type, o.Address}
		}
		return thing{o.Type, "id " + o.ID}
	}
	objects := map[thing]bool{}
	for _, o := range s.Objects {
		objects[name(o)] = true
	}
	for _, o := range other.Objects {
		if !objects[name(o)] {
			return false
		}
	}
	users := map[int]bool{}
	for a := range s.Accounts.All() {
		users[a.UID] = true
	}
	for a := range other.Accounts.All() {
		if s.Accounts.Get(a.Address) == nil && (a.UID == 0 || !users[a.UID]) {
			return false
		}
	}
	return true
}
