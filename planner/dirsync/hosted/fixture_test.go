package hosted

import (
	"fmt"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/directory"
)

var now = time.Date(2026, 11, 23, 8, 20, 0, 0, time.UTC)

// fixture is a tenant with the domain c.com, whose settings bring over everything and remove nothing, as Weir writes them.
type fixture struct{ req Request }

func newFixture() *fixture {
	complete := directory.Proof{Complete: true}
	return &fixture{Request{
		Settings: Settings{Configured: true, Role: directory.EndUser, SyncUsers: true, SyncDistribution: true, SyncSecurity: true,
			AddUsers: true, UpdateUsers: true, AddGroups: true, UpdateGroups: true, Frequency: time.Hour},
		Domains:    []string{"c.com"},
		Directory:  &directory.Reading{Proof: complete, Domains: []string{"c.com"}},
		Accounts:   &directory.AccountReading{Proof: complete},
		Remembered: map[int]Memory{},
		Now:        now,
	}}
}

func full(local string) string {
	if strings.Contains(local, "@") {
		return local
	}
	return local + "@c.com"
}

// entry adds a directory object "o-LOCAL" with that primary address.
func (f *fixture) entry(local string, kind directory.Kind, aliases ...string) *directory.Entry {
	e := &directory.Entry{ObjectID: "o-" + local, Kind: kind, Address: full(local), UPN: full(local), Enabled: true, Licensed: true, HasProxy: true,
		Name: "Given Sur", GivenName: "Given", Surname: "Sur"}
	if kind.IsGroup() {
		e.UPN, e.GivenName, e.Surname, e.Name = "", "", "", "Group"
	}
	for _, a := range aliases {
		e.Aliases = append(e.Aliases, full(a))
	}
	f.req.Directory.Entries = append(f.req.Directory.Entries, e)
	directory.Sort(f.req.Directory.Entries)
	return e
}

// account adds an active account as a sync would have made it.
func (f *fixture) account(local string, kind directory.AccountType, aliases ...string) *directory.Account {
	a := &directory.Account{UID: 100 + len(f.req.Accounts.Accounts), Address: full(local), Type: kind, Active: true, Billable: true, FirstName: "Given", Surname: "Sur"}
	if kind == directory.FunctionalAccount {
		a.FirstName, a.Surname = "Group", ""
	}
	for _, x := range aliases {
		a.Aliases = append(a.Aliases, full(x))
	}
	f.req.Accounts.Accounts = append(f.req.Accounts.Accounts, a)
	return a
}

// person adds entry and account of somebody whom state links.
func (f *fixture) person(local string, aliases ...string) (*directory.Entry, *directory.Account) {
	e, a := f.entry(local, directory.User, aliases...), f.account(local, directory.EndUser, aliases...)
	f.req.Remembered[a.UID] = Memory{ObjectID: e.ObjectID, Kind: e.Kind}
	return e, a
}

func line(i Item) string {
	out := string(i.Effect) + " " + strings.TrimSuffix(i.Address, "@c.com")
	switch {
	case i.Code != "":
		out += " " + i.Code
	case i.After != nil && i.Before != nil && i.After.Address != i.Before.Address:
		out += " to " + strings.TrimSuffix(i.After.Address, "@c.com")
	case i.Effect == Adding:
		out += " " + string(i.After.Type)
		if !i.After.Active {
			out += " inactive"
		}
	}
	return out
}

// lines is a prediction in words: the items, then "FACT: not …; instead …".
func lines(p *Prediction) []string {
	if p.Unknown != "" {
		return []string{"unknown: " + p.Unknown}
	}
	if p.Fails != "" {
		return []string{"fails: " + p.Fails}
	}
	var out []string
	for _, i := range p.Items {
		out = append(out, line(i))
	}
	join := func(items []Item) string {
		var all []string
		for _, i := range items {
			all = append(all, line(i))
		}
		return strings.Join(all, ", ")
	}
	for _, d := range p.Doubts {
		out = append(out, fmt.Sprintf("%s: not %s; instead %s", d.Fact, join(d.Not), join(d.Instead)))
	}
	return out
}
