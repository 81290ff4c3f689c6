package planner

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/resource"
)

// withDefaults fills the limits that the policy's safeguard leaves out from the root's safeguard block.
func withDefaults(policy, root cty.Value) cty.Value {
	if root == cty.NilVal || root.IsNull() || policy == cty.NilVal || policy.IsNull() || !policy.Type().HasAttribute("safeguard") {
		return policy
	}
	own := policy.GetAttr("safeguard")
	if !own.IsKnown() || !own.Type().IsObjectType() {
		return policy
	}
	members := map[string]cty.Value{}
	for name, t := range own.Type().AttributeTypes() {
		members[name] = cty.NullVal(t)
		if !own.IsNull() {
			members[name] = own.GetAttr(name)
		}
		if d := resource.Get(root, name); d != cty.NilVal && !d.IsNull() && members[name].IsKnown() && members[name].IsNull() && d.Type().Equals(t) {
			members[name] = d
		}
	}
	return resource.With(policy, "safeguard", cty.ObjectVal(members))
}

// policyChanged reports whether the plan changes what decides about accounts: then what the accounts differ by is the
// configuration's doing, not the directory's.
func (p *Part) policyChanged() bool {
	for _, c := range p.Changes {
		switch c.Type {
		case "sync_policy", "exemption", "domain", "account":
		default:
			continue
		}
		switch {
		case c.Action == NoOp || c.Action == Unknown || c.Cause != Configuration:
		case c.Type == "exemption" && c.Action == Update:
			// Whom a group or a predicate stands for is the directory's doing.
			for _, path := range c.Paths {
				if path.Local && path.Cause == Configuration {
					return true
				}
			}
		default:
			return true
		}
	}
	return false
}

// Allowance is the digest of a policy's one-time allowance, by which state remembers that it was used up.
func Allowance(a *dirsync.Allow) string {
	return digest(fmt.Sprintf("%d\x00%s\x00%s", a.Removals, a.Reason, a.Until.UTC()))
}

// allow sets what lets removals pass the limit: the figure given to apply, else the policy's allow block if it was not
// used up. It returns the digest by which the latter is remembered once it is.
func (p *Part) allow(req *Request, s *dirsync.Safeguard) string {
	if req.AcceptRemovals >= 0 {
		s.Allow = &dirsync.Allow{Removals: req.AcceptRemovals, Reason: "given to apply", Source: "--accept-removals"}
		return ""
	}
	if s.Allow == nil {
		return ""
	}
	allowance := Allowance(s.Allow)
	if req.Prior != nil {
		if at, used := req.Prior.Allowances[allowance]; used {
			p.Notes = append(p.Notes, fmt.Sprintf("safeguard.allow of %s was used up on %s: remove it, or write another", p.AccountPolicy, at.UTC().Format("2006-01-02")))
			s.Allow = nil
			return ""
		}
	}
	return allowance
}

// guardPolicy holds a policy under which nothing may be decided about accounts. It reports whether it does.
func (p *Part) guardPolicy(req *Request, c *Change) bool {
	engine := text(c.After, "engine")
	if engine != dirsync.EngineWeir && engine != dirsync.EngineEssentials {
		return false
	}
	held := false
	hold := func(name, why, cure string) {
		p.hold(c, name, why, cure)
		held = true
	}
	for _, l := range req.Observed.Objects["tenant"].Live {
		if url := text(l.Value, "ldap_url"); url != "" {
			hold("second_source", fmt.Sprintf("the organization is connected to an on-premises directory (%s), and Essentials takes accounts from one source only (R4): nothing is decided about accounts until one of the two is gone", url),
				"# Either remove the on-premises connection in the portal, or leave the accounts to it:\n"+fmt.Sprintf("engine = %q", dirsync.EngineNone))
		}
	}
	if engine == dirsync.EngineWeir && req.Prior != nil {
		prior := req.Prior.Objects[c.Address]
		if prior != nil && text(prior.Values, "engine") == dirsync.EngineEssentials && !p.attested(req, "engine_change") {
			hold("engine_change", "going from the hosted sync to Weir loses what the API cannot do: a group becomes an address without members, mobile numbers are not written (R54), and forced Microsoft login is not assured. Nothing is changed until a person has said that this is accepted",
				fmt.Sprintf("# in %s:\nattest {\n  engine_change = true\n  by            = \"\"\n  on            = %q\n}", req.Address, req.Now.UTC().Format("2006-01-02")))
		}
	}
	return held
}

// attested reports whether the tenant block carries a person's word.
func (p *Part) attested(req *Request, word string) bool {
	for _, c := range p.Changes {
		if c.Type != "tenant" || c.After == cty.NilVal {
			continue
		}
		v := resource.Get(c.After, "attest."+word)
		if v != cty.NilVal && v.IsKnown() && !v.IsNull() && v.Type() == cty.Bool && v.True() {
			return true
		}
	}
	return false
}

// unregistered is the block to paste for the directory's domains that Essentials does not know.
func unregistered(domains []string) []string {
	if len(domains) == 0 {
		return nil
	}
	quoted := make([]string, len(domains))
	for i, d := range domains {
		quoted[i] = fmt.Sprintf("%q", d)
	}
	return []string{fmt.Sprintf("To register the directory's other domains (R35):\n\ndomain \"known\" {\n  for_each = toset([%s])\n  name     = each.key\n  purpose  = \"management\"\n}", strings.Join(quoted, ", "))}
}
