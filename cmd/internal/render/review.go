package render

import (
	"slices"
	"strings"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
)

// ReviewGroup are the items of one tenant that stand under one title of the summary. Accounts that are held are in groups
// of their own, one for each reason.
type ReviewGroup struct {
	// Title is the portal's word, such as Disabling; Objects for declared objects. Tenant is the tenant's name, fit for a
	// terminal; Key its key.
	Title, Tenant, Key string
	// Held says why a guard holds the items, which are not applied then; "" for those that are.
	Held  string
	Items []ReviewItem
}

// ReviewItem is one item as a person who is asked about it sees it. Texts are fit for one line of a terminal.
type ReviewItem struct {
	// Address is the item's own, Mail the account's as it is; "" for a declared object.
	Address, Mail string
	// Symbol, Name and About are a line of the summary.
	Symbol, Name, About string
	// Stops are the addresses that stop receiving with it; none while it is held.
	Stops []string
	// Convertible says that an exemption can make a functional account of it: it exists and is no administrator's.
	Convertible bool
}

// ReviewGroups are the items of a part that would be applied, grouped and in the order of the summary, and then the
// accounts that are held, which can be left out for longer than this run.
func ReviewGroups(part *planner.Part) []ReviewGroup {
	tenant := SafeText(part.Tenant.Name)
	if tenant == "" {
		tenant = SafeText(part.Tenant.Key)
	}
	if part.Tenant.Key == "" {
		tenant = "Root module"
	}
	var out []ReviewGroup
	objects := ReviewGroup{Title: "Objects", Tenant: tenant, Key: part.Tenant.Key}
	for _, c := range part.Changes {
		if !c.Applies() {
			continue
		}
		it := changeItem(c)
		about := it.Word
		if it.Name != "" {
			about += ", " + it.Name
		}
		objects.Items = append(objects.Items, ReviewItem{Address: it.Address, Symbol: it.Symbol, Name: SafeText(it.Address), About: SafeText(about)})
	}
	if len(objects.Items) > 0 {
		out = append(out, objects)
	}
	if part.Accounts == nil {
		return out
	}
	var held []ReviewGroup
	for _, g := range groupTitles {
		group := ReviewGroup{Title: g.title, Tenant: tenant, Key: part.Tenant.Key}
		place := map[string]int{}
		for i := range part.Accounts.Decisions {
			d := &part.Accounts.Decisions[i]
			if d.Action != g.action {
				continue
			}
			into := &group
			if d.Held != "" {
				if _, there := place[d.Held]; !there {
					place[d.Held] = len(held)
					held = append(held, ReviewGroup{Title: g.title + ", held", Tenant: tenant, Key: part.Tenant.Key, Held: SafeText(d.Held)})
				}
				into = &held[place[d.Held]]
			}
			into.Items = append(into.Items, reviewAccount(part.AccountPolicy, d, g.symbol))
		}
		if len(group.Items) > 0 {
			out = append(out, group)
		}
	}
	return append(out, held...)
}

func reviewAccount(policy string, d *dirsync.Decision, symbol string) ReviewItem {
	it := decisionItem(d, symbol)
	about := it.who()
	if short := oneRow(it.Rows); short != "" {
		about += ", " + short
	}
	if len(it.Because) > 0 {
		about += ": " + strings.Join(it.Because, "; ")
	}
	out := ReviewItem{
		Address: planner.AccountAddress(policy, d.Address), Mail: d.Address, Symbol: symbol, Name: SafeText(d.Address), About: SafeText(about),
		Convertible: d.Before != nil && !d.Before.Type.IsAdmin(),
	}
	for _, x := range slices.Sorted(slices.Values(d.Loses)) {
		if d.Held != "" {
			break
		}
		out.Stops = append(out.Stops, SafeText(x))
	}
	return out
}
