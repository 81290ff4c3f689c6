package planner

import (
	"maps"
	"slices"

	"github.com/weir-project/weir/planner/dirsync"
)

// Left is what a fresh decision leaves of a reviewed part.
type Left struct {
	// Part is the fresh part with only those items that were reviewed and are still to be done.
	Part *Part
	// Done counts reviewed items that need nothing any more.
	Done int
	// Differs says, by sorted address, what was reviewed and is decided otherwise now, and what came up since.
	Differs []string
}

// Left compares the part, decided now, with a reviewed one.
func (p *Part) Left(reviewed *Part) Left {
	rest := *p
	rest.Changes, rest.Drifted, rest.Notes = nil, nil, nil
	left := Left{Part: &rest}
	items := reviewed.Review().Items
	omitted, held := reviewed.omitted(), reviewed.held()
	differs := map[string]string{}
	// take tells what becomes of a fresh item, and whether it is one that was reviewed.
	take := func(address string, now Item) bool {
		item, ok := items[address]
		delete(items, address)
		switch {
		case omitted[address] || !ok && held[address]:
			return false // it was known, and is not done in this run either
		case !ok:
			differs[address] = "came up since and was not reviewed: " + now.Text
		case !item.Covers(now):
			differs[address] = "changed since the review: reviewed as " + item.Text + ", now " + now.Text
		default:
			return true
		}
		return false
	}
	for _, c := range p.Changes {
		if c.Action == Unknown || take(c.Address, c.Item()) {
			rest.Changes = append(rest.Changes, c)
			delete(items, c.Address)
		}
	}
	if p.Accounts != nil {
		rest.Accounts = &dirsync.Result{Held: p.Accounts.Held}
		stops := map[string]bool{}
		for i := range p.Accounts.Decisions {
			d := &p.Accounts.Decisions[i]
			if take(AccountAddress(p.AccountPolicy, d.Address), DecisionItem(d)) {
				rest.Accounts.Decisions = append(rest.Accounts.Decisions, *d)
				for _, address := range d.Loses {
					stops[address] = true
				}
			}
		}
		for _, s := range p.Accounts.StopsReceiving {
			if stops[s.Address] {
				rest.Accounts.StopsReceiving = append(rest.Accounts.StopsReceiving, s)
			}
		}
		rest.narrowForecast(p.Accounts)
	}
	if len(reviewed.Outputs) == 0 {
		rest.Outputs = nil
	}
	if p.Status != Errored {
		left.Done = len(items)
	}
	for _, address := range slices.Sorted(maps.Keys(differs)) {
		left.Differs = append(left.Differs, address+": "+differs[address])
	}
	return left
}

// narrowForecast takes out of the forecast what the account decisions of all would do that are not the part's own. Which
// recipients are accepted then is not known.
func (p *Part) narrowForecast(all *dirsync.Result) {
	if p.Forecast == nil || len(p.Accounts.Decisions) == len(all.Decisions) {
		return
	}
	f := *p.Forecast
	f.Recipients = nil
	kept := map[string]bool{}
	for i := range p.Accounts.Decisions {
		kept[p.Accounts.Decisions[i].Address] = true
	}
	goesOn := map[string]bool{}
	for _, s := range all.StopsReceiving {
		goesOn[s.Address] = true
	}
	for _, s := range p.Accounts.StopsReceiving {
		delete(goesOn, s.Address)
	}
	for i := range all.Decisions {
		if d := &all.Decisions[i]; d.Held == "" && !kept[d.Address] && f.Licences.Unknown == "" {
			f.Licences.After -= dirsync.Seat(d.After) - dirsync.Seat(d.Before)
		}
	}
	f.Stops = slices.DeleteFunc(slices.Clone(f.Stops), func(s dirsync.Stop) bool { return goesOn[s.Address] })
	f.AliasesLost = slices.DeleteFunc(slices.Clone(f.AliasesLost), func(a AliasLoss) bool { return goesOn[a.Alias] })
	p.Forecast = &f
}
