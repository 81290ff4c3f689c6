package planner

import (
	"fmt"
	"strings"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// Precede says for each type which types are applied before it, directly or not; what goes, goes in reverse.
func Precede(registry *resource.Registry) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	var add func(into map[string]bool, t *resource.Type)
	add = func(into map[string]bool, t *resource.Type) {
		for _, name := range t.After {
			if into[name] {
				continue
			}
			into[name] = true
			if before := registry.Type(name); before != nil {
				add(into, before)
			}
		}
	}
	for _, t := range registry.Types() {
		out[t.Name] = map[string]bool{}
		add(out[t.Name], t)
		delete(out[t.Name], t.Name)
	}
	return out
}

// AccountsPrecede reports whether derived accounts are there before objects of a type: what routes mail through the
// gateway goes before the accounts that receive it.
func AccountsPrecede(registry *resource.Registry, precede map[string]map[string]bool, typ string) bool {
	t := registry.Type(typ)
	return t != nil && t.Provider != "essentials" && precede[typ]["sync_policy"]
}

// guardDestroy lets mail flow until the end: accounts stay while mail for them comes through the gateway, and nothing
// goes before what was to go first but is held or could not be read.
func (p *Part) guardDestroy(req *Request) {
	precede := Precede(req.Registry)
	stays := func(c *Change) bool { return c.Action == Unknown || c.Held != "" || c.Skipped != "" }
	account := p.guardAccounts(req)
	if account == "" && p.Accounts != nil {
		for _, c := range p.Changes {
			if stays(c) && AccountsPrecede(req.Registry, precede, c.Type) && len(p.Accounts.Decisions) > 0 {
				var held []string
				for i := range p.Accounts.Decisions {
					d := &p.Accounts.Decisions[i]
					if d.Held == "" {
						d.Held = "it goes after " + c.Address + ", which stays"
						held = append(held, AccountAddress(p.AccountPolicy, d.Address))
					}
				}
				account = held[0]
				p.Guards = append(p.Guards, Guard{Name: "order", Addresses: held, Text: fmt.Sprintf("%d accounts stay while %s does, since mail flows until the end", len(held), c.Address)})
				break
			}
		}
	}
	for i, c := range p.Changes {
		if c.Action != Delete || stays(c) {
			continue
		}
		if account != "" && (c.Type == "tenant" || c.Type == "domain") {
			c.Skipped = account
			continue
		}
		for _, first := range p.Changes[:i] {
			if stays(first) && precede[first.Type][c.Type] {
				c.Skipped = first.Address
				break
			}
		}
	}
	if account == "" {
		return
	}
	for _, c := range p.Changes {
		if c.Type == "sync_policy" && !stays(c) {
			c.Skipped = account // releasing it would forget the accounts that stay
		}
	}
}

// guardAccounts holds the deletion of accounts whose mail comes through the gateway, or may; it returns one of them.
func (p *Part) guardAccounts(req *Request) string {
	if p.Accounts == nil {
		return ""
	}
	relays := map[string]bool{}
	reading, asked := req.Observed.Objects["domain"]
	for _, l := range reading.Live {
		active := resource.Get(l.Value, "active")
		relays[strings.ToLower(text(l.Value, "name"))] = text(l.Value, "purpose") == "relay" && !active.IsNull() && active.IsKnown() && active.True()
	}
	why := func(domain string) string {
		switch facts, looked := req.Observed.Mail[domain]; {
		case !asked || reading.Err != nil:
			return "the domains could not be read, and mail to it might be refused"
		case !relays[domain]:
			return ""
		case !looked || facts.MXAtGateway == nil:
			return fmt.Sprintf("it is not known whether the MX records of %s point at the gateway, and mail to it would be refused", domain)
		case *facts.MXAtGateway:
			return fmt.Sprintf("the MX records of %s point at the gateway, and mail to it would be refused", domain)
		}
		return ""
	}
	first := ""
	var order []string
	held := map[string][]string{}
	for i := range p.Accounts.Decisions {
		d := &p.Accounts.Decisions[i]
		if d.Before == nil || !d.Before.Active {
			continue
		}
		for _, mail := range append([]string{d.Address}, d.Before.Aliases...) {
			reason := why(directory.DomainOf(mail))
			if reason == "" {
				continue
			}
			address := AccountAddress(p.AccountPolicy, d.Address)
			if first == "" {
				first = address
			}
			if held[reason] == nil {
				order = append(order, reason)
			}
			d.Held = reason
			held[reason] = append(held[reason], address)
			break
		}
	}
	for _, reason := range order {
		p.Guards = append(p.Guards, Guard{Name: "mail_flow", Addresses: held[reason], Text: fmt.Sprintf("%d accounts stay: %s", len(held[reason]), reason)})
	}
	return first
}
