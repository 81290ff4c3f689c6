package planner

import (
	"fmt"
	"strings"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
)

// domainGoes reports whether a domain that is to be deleted goes with this plan, so that its addresses are given up: not while
// its deletion is held, for another reason than those addresses, or left out.
func (p *Part) domainGoes(req *Request, c *Change) bool {
	if c.Held != "" || !req.selects(c) {
		return false
	}
	t := req.Registry.Type(c.Type)
	return t == nil || t.Guard == nil || len(judge(req, t, c, func(string) int { return 0 })) == 0
}

// selects reports whether the run's selections name the change, or there are none. What a selection takes along besides
// counts as left out: an address is better kept once too often.
func (req *Request) selects(c *Change) bool {
	return (len(req.Targets) == 0 || Matches(c.Address, req.Targets)) && !Matches(c.Address, req.Excludes)
}

// domainDoubt says why the organization's domains may not be all known; "" when they are. An alias under a domain that is
// missing from the list would count as one that nobody asks for, and would be taken away. The list has no count, but no
// account has an address under a domain that Essentials does not know (vendor page "Creating Users"): one that does, and
// whose domain this plan does not delete, shows that the list is cut short.
func (p *Part) domainDoubt(req *Request, domains []dirsync.Domain) string {
	reading, asked := req.Observed.Objects["domain"]
	if !asked {
		return ""
	}
	if reading.Err != nil {
		return fmt.Sprintf("the registered domains could not be read: %v", reading.Err)
	}
	if req.Observed.Accounts == nil {
		return ""
	}
	known := map[string]bool{}
	for _, d := range domains {
		known[d.Name] = true
	}
	for _, c := range p.Changes {
		if c.Type == "domain" && c.Action == Delete {
			known[strings.ToLower(text(c.Before, "name"))] = true
		}
	}
	last := ""
	for _, a := range req.Observed.Accounts.Accounts {
		for _, address := range append([]string{a.Address}, a.Aliases...) {
			domain := directory.DomainOf(address)
			if domain == last {
				continue
			}
			if !known[domain] {
				return fmt.Sprintf("the registered domains are not all known: %s has the address %s, and %s is not among them", a.Address, address, domain)
			}
			last = domain
		}
	}
	return ""
}
