package planner

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// moves are the new addresses that one tenant's state gets.
type moves struct {
	// by is the moved block that gave an address its new name; without one it followed the tenant's block.
	by map[string]config.Moved
	// stuck are addresses, with the one they were to get, where state has another object already.
	stuck map[string]string
}

// move gives what state remembers the addresses that the moved blocks say, and plans with them: req.Prior is a renamed
// copy from here on. The object of the tenant's own block follows that block without a word, for a state has one
// organization.
func (p *Part) move(req *Request) *moves {
	m := &moves{by: map[string]config.Moved{}, stuck: map[string]string{}}
	if req.Prior == nil || req.Frame == nil || req.Destroy {
		return m
	}
	var renames []state.Rename
	if len(req.Frame.Moved) > 0 {
		renames = m.resolve(req.Prior, req.Frame.Moved)
	}
	if req.Selected != nil {
		renames = m.followTenant(req.Prior, req.Selected.Address.String(), renames)
	}
	if len(renames) == 0 {
		return m
	}
	slices.SortFunc(renames, func(a, b state.Rename) int { return strings.Compare(a.From, b.From) })
	renamed := req.Prior.Clone()
	if err := renamed.Apply(state.Entry{Note: &state.Note{Moved: renames}}); err != nil {
		p.Errors = append(p.Errors, "the moved blocks cannot be carried out: "+err.Error())
		return m
	}
	req.moved = map[string]string{}
	for _, r := range renames {
		if req.Prior.Objects[r.From] != nil {
			req.moved[r.To] = r.From
		}
	}
	p.Moved, req.Prior = renames, renamed
	return m
}

// resolve follows the moved blocks from every address that state names. Where two come to one address, that which was
// nearer has it.
func (m *moves) resolve(prior *state.State, blocks []config.Moved) []state.Rename {
	named := addressesIn(prior)
	type candidate struct {
		state.Rename
		steps int
	}
	var candidates []candidate
	for _, from := range slices.Sorted(maps.Keys(named)) {
		a, err := resource.ParseAddress(from)
		if err != nil {
			continue // reported among what no block claims
		}
		to, by, steps := config.Follow(blocks, a)
		if steps == 0 {
			continue
		}
		m.by[from] = by
		candidates = append(candidates, candidate{state.Rename{From: from, To: to.String()}, steps})
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return a.steps - b.steps })
	var out []state.Rename
	for _, c := range candidates {
		if named[c.To] {
			m.stuck[c.From] = c.To
			continue
		}
		named[c.To] = true
		out = append(out, c.Rename)
	}
	return out
}

// addressesIn are the addresses that a state knows anything under.
func addressesIn(s *state.State) map[string]bool {
	named := map[string]bool{}
	for address := range s.Objects {
		named[address] = true
	}
	for a := range s.Accounts.All() {
		named[a.Policy] = true
	}
	for _, skip := range s.Skips {
		named[skip.Address] = true
	}
	for _, doubt := range s.InDoubt {
		named[doubt.Address] = true
	}
	delete(named, "")
	return named
}

// followTenant gives the tenant's object the address of its block, whatever moved blocks say of it.
func (m *moves) followTenant(prior *state.State, address string, renames []state.Rename) []state.Rename {
	if prior.Objects[address] != nil {
		return renames
	}
	for _, from := range prior.Addresses() {
		if prior.Objects[from].Type != "tenant" {
			continue
		}
		delete(m.stuck, from)
		renames = slices.DeleteFunc(renames, func(r state.Rename) bool { return r.From == from || r.To == address })
		return append(renames, state.Rename{From: from, To: address})
	}
	return renames
}

// check reports moves that cannot be: away from what is still declared, and to another organization.
func (m *moves) check(req *Request, visited map[string]*Change) hcl.Diagnostics {
	var diags hcl.Diagnostics
	across := map[hcl.Range][]state.Rename{}
	var order []hcl.Range
	for _, to := range slices.Sorted(maps.Keys(req.moved)) {
		from := req.moved[to]
		by, written := m.by[from]
		if !written {
			continue
		}
		if visited[from] != nil {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Moved but still declared", Subject: by.Range.Ptr(),
				Detail: fmt.Sprintf("%s still stands in the configuration, so it cannot have become %s. Take the old instance out, or the moved block.", from, to),
			})
		}
		if address, err := resource.ParseAddress(to); visited[to] == nil && err == nil {
			if home, declared := req.Frame.Home(address); declared && home != req.Selected {
				if across[by.Range] == nil {
					order = append(order, by.Range)
				}
				across[by.Range] = append(across[by.Range], state.Rename{From: from, To: to})
			}
		}
	}
	for _, at := range order {
		diags = append(diags, m.otherOrganization(req, at, across[at]))
	}
	return diags
}

// maxPrinted bounds the blocks that one message prints.
const maxPrinted = 5

// otherOrganization refuses to move objects to addresses of another tenant: they are in this one's organization.
func (m *moves) otherOrganization(req *Request, at hcl.Range, renames []state.Rename) *hcl.Diagnostic {
	first := renames[0]
	address, _ := resource.ParseAddress(first.To)
	home, _ := req.Frame.Home(address)
	var blocks strings.Builder
	for i, r := range renames {
		if i == maxPrinted {
			fmt.Fprintf(&blocks, "\n\n    # … and so on for %d more", len(renames)-i)
			break
		}
		fmt.Fprintf(&blocks, "\n\n    removed {\n      from    = %s\n      destroy = false # released there, where it stays as it is\n    }", r.From)
		if obj := req.Prior.Objects[r.To]; obj.ID != "" {
			fmt.Fprintf(&blocks, "\n\n    import {\n      to = %s # adopted here, once it exists here\n      id = %q\n    }", r.To, obj.ID)
		}
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Move to another organization", Subject: at.Ptr(),
		Detail: fmt.Sprintf("%s belongs to %s and %s to %s. A moved block renames what Weir remembers; it takes no object from one organization to another. Nothing is planned for %s. Write these blocks instead of the moved block:%s",
			first.From, tenantName(req.Tenant.Key), first.To, homeName(home), tenantName(req.Tenant.Key), blocks.String()),
	}
}

func tenantName(key string) string {
	if key == "" {
		return "the root module"
	}
	return fmt.Sprintf("tenant %q", key)
}

func homeName(t *config.Tenant) string {
	if t == nil {
		return tenantName("")
	}
	return tenantName(t.Key)
}

// identityChanged refuses a tenant block whose key names the state of another organization: everything in state would be
// looked for in the wrong place.
func identityChanged(req *Request) *hcl.Diagnostic {
	if req.Prior == nil || req.Selected == nil {
		return nil
	}
	was, now := req.Prior.Tenant, req.Tenant
	for _, id := range []struct{ name, was, now string }{
		{"primary_domain", was.PrimaryDomain, now.PrimaryDomain}, {"entra_tenant_id", was.EntraTenantID, now.EntraTenantID},
	} {
		if id.was == "" || id.now == "" || strings.EqualFold(id.was, id.now) {
			continue
		}
		return &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Identity cannot change", Subject: rangeOf(req.Selected.Range),
			Detail: fmt.Sprintf("State has tenant %q with %s %s, and %s says %s: that is another organization. Restore the old value. For the new organization give the block a key of its own, and say what becomes of the old one:\n\n    removed {\n      from    = %s\n      destroy = false # release it: mail flows on, Weir forgets it\n    }",
				req.Tenant.Key, id.name, id.was, req.Address, id.now, was.Address),
		}
	}
	return nil
}

// removed reports whether a removed block is about an address.
func removed(evaluation *config.Evaluation, a resource.Address) bool {
	return evaluation != nil && slices.ContainsFunc(evaluation.Removed, func(r config.Removed) bool { return r.Names(a) })
}

// guardMove holds an object whose new address state gives to another one.
func (p *Part) guardMove(from, to string) {
	p.Guards = append(p.Guards, Guard{
		Name: "moved", Addresses: []string{from},
		Text: fmt.Sprintf("%s is to be moved to %s, and state has an object there already. Both are left as they are remembered, and nothing is done to %s", from, to, from),
		Cure: fmt.Sprintf("weir state rm '%[2]s' # if %[1]s is to take its place\n\nremoved {\n  from    = %[1]s\n  destroy = false # or true; if %[2]s is the one to keep\n}", from, to),
	})
}

// renamed makes a change of an object that is as it should be the move that it is.
func (c *Change) renamed() {
	if c.From != "" && c.Action == NoOp {
		c.Action, c.Cause = Move, Configuration
	}
}
