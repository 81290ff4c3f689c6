package state

// Blank reports whether nothing is remembered of a tenant but who it is: it is new, or was released.
func (s *State) Blank() bool {
	return len(s.Objects) == 0 && s.Accounts.Len() == 0 && len(s.InDoubt) == 0 && len(s.Outputs) == 0
}

// Succeed returns a state in the place of s, the state of the same organization under another key, that remembers all
// that former does. Neither is changed.
func (s *State) Succeed(former *State) *State {
	next := former.Clone()
	next.Lineage, next.Serial, next.Realm, next.Tenant = s.Lineage, s.Serial, s.Realm, s.Tenant
	if next.Tenant.OrganizationID == "" {
		next.Tenant.OrganizationID = former.Tenant.OrganizationID
	}
	return next
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
