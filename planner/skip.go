package planner

import (
	"fmt"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/state"
)

// SkipAddress is the address of a skip, by which a person ends it: POLICY.skip["alice@contoso.com"].
func SkipAddress(s *state.Skip) string { return fmt.Sprintf("%s.skip[%q]", s.Address, s.Mail) }

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
