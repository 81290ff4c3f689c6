package hosted

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
)

// Risk is one limit of the policy's safeguard that the run would exceed. The vendor's sync knows no limits (R44): nothing
// but the schedule can be held.
type Risk struct {
	// Limit is "removals", "conversions", "additions", "admins" or "protected".
	Limit string `json:"limit"`
	// Count is what the run would do at most, Used what the window already saw, Allowed the limit.
	Count   int `json:"count"`
	Used    int `json:"used,omitempty"`
	Allowed int `json:"allowed"`
	// Addresses are the accounts, sorted.
	Addresses []string `json:"addresses,omitempty"`
	Text      string   `json:"text"`
}

// Measure is what a prediction is measured against.
type Measure struct {
	Safeguard dirsync.Safeguard
	// Window are the earlier removals that still count.
	Window []dirsync.Removal
	// Active is the number of active accounts, the base of the percentage; Admins how many of them administer.
	Active, Admins int
	Now            time.Time
}

// Risks are the limits that the run exceeds when every doubt turns out the worse way, in a fixed order.
func (p *Prediction) Risks(m Measure) []Risk {
	var out []Risk
	stops := p.Stops()
	leaving, converting, adding, admins := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	items := p.Possible()
	for i := range items {
		it := &items[i]
		switch it.Effect {
		case Adding:
			if billable(it.After) {
				adding[it.Address] = true
			}
		case Updating:
			if billable(it.After) && !billable(it.Before) {
				adding[it.Address] = true
			}
		case Deleting:
			// Made again in the same run, the account changes its type.
			if again(items, it) {
				converting[it.Address] = true
			}
		}
		if (it.Effect == Deleting || it.Effect == Disabling) && it.Before != nil && it.Before.Active && it.Before.Type.IsAdmin() {
			admins[it.Address] = true
		}
	}
	used := map[string]bool{}
	for _, r := range m.Window {
		if m.Now.Sub(r.At) < m.Safeguard.Window {
			used[directory.Fold(r.Address)] = true
		}
	}
	accounts := owners(items)
	for _, s := range stops {
		address := s.Address
		if owner, whole := accounts[address]; whole {
			address = owner // an account that goes counts once
		}
		if !used[address] {
			leaving[address] = true
		}
	}
	if hit := intersection(stops, m.Safeguard.Protected); len(hit) > 0 {
		out = append(out, Risk{Limit: "protected", Count: len(hit), Addresses: hit,
			Text: "safeguard.protected names " + strings.Join(hit, ", ") + ", which would stop receiving"})
	}
	if n := len(admins); n > 0 && m.Admins-n < m.Safeguard.MinAdmins {
		out = append(out, Risk{Limit: "admins", Count: n, Allowed: max(0, m.Admins-m.Safeguard.MinAdmins), Addresses: sorted(admins),
			Text: fmt.Sprintf("%d of %d active admin accounts would go, and min_admins = %d must remain", n, m.Admins, m.Safeguard.MinAdmins)})
	}
	if allowed := m.Safeguard.AllowedRemovals(m.Active); len(leaving) > 0 && len(used)+len(leaving) > allowed {
		text := fmt.Sprintf("%s would stop receiving, and %d may", dirsync.Count(len(leaving), "address", "addresses"), allowed)
		if len(used) > 0 {
			text += fmt.Sprintf(", of which %d did already", len(used))
		}
		out = append(out, Risk{Limit: "removals", Count: len(leaving), Used: len(used), Allowed: allowed, Addresses: sorted(leaving), Text: text})
	}
	if n := len(converting); n > m.Safeguard.MaxConversions {
		out = append(out, Risk{Limit: "conversions", Count: n, Allowed: m.Safeguard.MaxConversions, Addresses: sorted(converting),
			Text: fmt.Sprintf("%d functional accounts would be deleted and made again as users (R40), and max_conversions = %d", n, m.Safeguard.MaxConversions)})
	}
	if n := len(adding); n > m.Safeguard.MaxAdditions {
		out = append(out, Risk{Limit: "additions", Count: n, Allowed: m.Safeguard.MaxAdditions, Addresses: sorted(adding),
			Text: fmt.Sprintf("%d more seats would be used, and max_additions = %d", n, m.Safeguard.MaxAdditions)})
	}
	return out
}

// again tells whether what is deleted is made again with the same primary address. items are sorted.
func again(items []Item, gone *Item) bool {
	_, found := slices.BinarySearchFunc(items, Item{Effect: Adding, Address: gone.Address}, compare)
	return found
}

// owners give, for every address of an account that is disabled or deleted, the account's primary one.
func owners(items []Item) map[string]string {
	out := map[string]string{}
	for _, i := range items {
		if i.Effect != Deleting && i.Effect != Disabling || i.Before == nil {
			continue
		}
		for _, x := range append(slices.Clone(i.Before.Aliases), i.Before.Address) {
			out[directory.Fold(x)] = i.Address
		}
	}
	return out
}

func intersection(stops []Stop, protected []string) []string {
	named := set(protected)
	var out []string
	for _, s := range stops {
		if named[s.Address] {
			out = append(out, s.Address)
		}
	}
	return out
}

func sorted(of map[string]bool) []string {
	out := make([]string, 0, len(of))
	for a := range of {
		out = append(out, a)
	}
	slices.Sort(out)
	return out
}
