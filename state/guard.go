package state

import "fmt"

// RealmError says that a state belongs to another realm than the run: a
// simulated run met a live state, or the reverse.
type RealmError struct {
	Tenant string // the tenant's key
	State  string // the realm recorded
	Run    string // the realm of this run
}

func (e *RealmError) Error() string {
	return fmt.Sprintf("the state of tenant %q belongs to %s, and this run works on %s: "+
		"choose another state url or prefix for one of them; nothing was read from or written to any vendor",
		e.Tenant, realmName(e.State), realmName(e.Run))
}

func realmName(realm string) string {
	if realm == Live {
		return "the live vendors"
	}
	return fmt.Sprintf("the simulated world %q", realm)
}

// LineageError says that a state is managed by another configuration.
type LineageError struct {
	Tenant string // the tenant's key
	State  string // the configuration recorded
	Run    string // the configuration of this run
}

func (e *LineageError) Error() string {
	return fmt.Sprintf("tenant %q is managed by another configuration (%s; this one is %s): "+
		"give this configuration a state url or prefix of its own, or release the tenant from the other one first",
		e.Tenant, e.State, e.Run)
}

// Guard refuses a run of another realm or of another configuration's lineage
// with a *RealmError or a *LineageError. A state never stored and an empty
// configuration on either side refuse nothing.
func (s *State) Guard(realm, configuration string) error {
	if !s.Stored() {
		return nil
	}
	return CheckOwner(s.Tenant.Key, s.Realm, s.Tenant.Configuration, realm, configuration)
}

// CheckOwner is Guard for those who know a state only by its head.
func CheckOwner(tenant, stateRealm, stateConfiguration, realm, configuration string) error {
	if stateRealm != realm {
		return &RealmError{Tenant: tenant, State: stateRealm, Run: realm}
	}
	if stateConfiguration != "" && configuration != "" && stateConfiguration != configuration {
		return &LineageError{Tenant: tenant, State: stateConfiguration, Run: configuration}
	}
	return nil
}
