package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// unitOf is the tenant that an address belongs to: the only one selected, else the one with its domain as primary domain,
// else the only one whose state has the domain, an account or the object.
func (w *workspace) unitOf(ctx context.Context, address string) (*unit, error) {
	units, err := w.units()
	if err != nil {
		return nil, err
	}
	switch len(units) {
	case 0:
		return nil, errors.New("no tenant is selected")
	case 1:
		return units[0], nil
	}
	domain := directory.DomainOf(address)
	var domains []string
	for _, u := range units {
		if domain != "" && u.identity.PrimaryDomain == domain {
			return u, nil
		}
		domains = append(domains, u.identity.PrimaryDomain)
	}
	var found []*unit
	var unread []string
	for _, u := range units {
		prior, err := w.prior(ctx, u)
		switch {
		case err != nil:
			unread = append(unread, u.key)
		case remembers(prior, address, domain):
			found = append(found, u)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	text := fmt.Sprintf("%d tenants are selected, and none of them is known to have ", len(units))
	switch {
	case len(found) > 1:
		var keys []string
		for _, u := range found {
			keys = append(keys, u.key)
		}
		text = "several tenants know " + address + ": " + strings.Join(keys, ", ")
	case domain == "":
		text += "the object " + address
	default:
		text += "the domain " + domain
	}
	text += "; say which with --tenant"
	if len(unread) > 0 {
		text += " (the states of " + strings.Join(unread, ", ") + " cannot be read)"
	}
	if near := config.Nearest(domain, domains); near != "" {
		text += ". Did you mean " + near + "?"
	}
	return nil, errors.New(text)
}

// remembers reports whether a tenant's state has the domain, or an account of the address or the object.
func remembers(prior *state.State, address, domain string) bool {
	if prior == nil {
		return false
	}
	for _, obj := range prior.Objects {
		if domain != "" && obj.Type == "domain" && directory.Fold(resource.Text(obj.Values, "name")) == domain {
			return true
		}
	}
	if prior.Accounts.Get(address) != nil {
		return true
	}
	for a := range prior.Accounts.All() {
		if a.ObjectID == address || slices.Contains(a.Aliases, address) {
			return true
		}
	}
	return false
}

// ownerOf is the key of the tenant with that primary domain, whether it is selected or not; "" for none.
func (w *workspace) ownerOf(domain string) string {
	for _, t := range w.frame.Tenants {
		if domain != "" && t.PrimaryDomain == domain {
			return t.Key
		}
	}
	return ""
}
