package planner

import (
	"cmp"
	"fmt"
	"time"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/state"
)

// SkipAddress is the address of a skip, by which a person ends it: POLICY.skip["alice@contoso.com"].
func SkipAddress(s *state.Skip) string { return fmt.Sprintf("%s.skip[%q]", s.Address, s.Mail) }

// skipRecords gives, for each address that is left out, the record that says so: it may name an address that the account
// had before.
func skipRecords(prior *state.State, left map[string]time.Time, observed *Observation) map[string]string {
	out := map[string]string{}
	if prior == nil || len(left) == 0 {
		return out
	}
	byUID, byObject := map[int]string{}, map[string]string{}
	for i := range prior.Skips {
		s := &prior.Skips[i]
		out[s.Mail] = SkipAddress(s)
		if s.UID != 0 {
			byUID[s.UID] = SkipAddress(s)
		}
		if s.ObjectID != "" {
			byObject[s.ObjectID] = SkipAddress(s)
		}
	}
	also := func(address string, uid int, objectID string) {
		if _, is := left[address]; is && out[address] == "" {
			out[address] = cmp.Or(byUID[uid], byObject[objectID])
		}
	}
	eachID(prior, observed, also)
	return out
}

// eachID tells under which ids the vendors and state know each address: the number of its account, 0 where it has none, and
// the object id of its directory entry, "" where it has none. An address comes once for each that knows it.
func eachID(prior *state.State, observed *Observation, tell func(address string, uid int, objectID string)) {
	for a := range prior.Accounts.All() {
		tell(a.Address, a.UID, a.ObjectID)
	}
	if observed == nil {
		return
	}
	if observed.Accounts != nil {
		for _, a := range observed.Accounts.Accounts {
			tell(a.Address, a.UID, "")
		}
	}
	if observed.Directory != nil {
		for _, e := range observed.Directory.Entries {
			if e.Address != "" {
				tell(e.Address, 0, e.ObjectID)
			}
		}
	}
}

// maxSkipNotes bounds the skips that a plan names one by one.
const maxSkipNotes = 10

// noteSkips names those whom a person left out and about whom something would be decided. Expired ones have a note of
// their own.
func (p *Part) noteSkips() {
	said := 0
	for i := range p.Accounts.Skips {
		s := &p.Accounts.Skips[i]
		if _, unselected := p.unselected[s.Address]; s.Code != dirsync.SkipLeftOut || unselected {
			continue
		}
		if said++; said > maxSkipNotes {
			continue
		}
		p.Notes = append(p.Notes, s.Reasons[len(s.Reasons)-1].Text)
	}
	if said > maxSkipNotes {
		p.Notes = append(p.Notes, fmt.Sprintf("and %d more accounts that a person left out; weir state show lists all", said-maxSkipNotes))
	}
}
