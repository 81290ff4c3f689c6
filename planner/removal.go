package planner

import (
	"fmt"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// removal is a change of a declared object that counts against the tenant's limits as the removal of a derived account
// does: a limit that a lost row of account blocks could pass would be none.
type removal struct {
	change *Change
	// counts are the addresses that it puts on the limit: an account that goes counts once, by its primary address, an
	// alias lost by itself, an exemption taken off by itself.
	counts []string
	// loses are all addresses that stop receiving.
	loses []string
	// admin: an active administrator goes.
	admin bool
}

// Removals are the addresses, folded and sorted, that a change of an account block or an exclusive exemption puts on the
// limit of removals; none for any other change.
func Removals(c *Change) []string {
	if r := removalOf(c); r != nil {
		return r.counts
	}
	return nil
}

// Disables reports whether the change of an account block disables its account.
func Disables(c *Change) bool {
	if c.Type != "account" || c.After == cty.NilVal {
		return false
	}
	before, after := declaredAccount(c.Before), declaredAccount(c.After)
	return before != nil && after != nil && before.Active && !after.Active
}

func removalOf(c *Change) *removal {
	switch c.Action {
	case Delete, Update, Adopt, DeleteCreate, CreateDelete:
	default:
		return nil
	}
	r := &removal{change: c}
	switch c.Type {
	case "exemption":
		r.counts = undeclared(c)
	case "account":
		before := declaredAccount(c.Before)
		if before == nil {
			return nil
		}
		var after *directory.Account
		if c.Action != Delete {
			after = declaredAccount(c.After)
		}
		if before.Active {
			eachAddress(before.Address, before.Aliases, func(x string) {
				if !accepts(after, x) {
					r.loses = append(r.loses, x)
				}
			})
		}
		gone := after == nil || before.Active && !after.Active
		r.admin = gone && before.Active && before.Type.IsAdmin()
		if r.counts = r.loses; gone {
			r.counts = []string{before.Address}
		}
		slices.Sort(r.loses)
		slices.Sort(r.counts)
	}
	if len(r.counts) == 0 {
		return nil
	}
	return r
}

// undeclared are the members that an exclusive exemption takes off the vendor's list although no block ever put them there.
func undeclared(c *Change) []string {
	if c.Action == Delete || text(c.After, "ownership") != "exclusive" {
		return nil
	}
	wanted := map[string]bool{}
	for _, x := range strs(c.After, "protects") {
		wanted[x] = true
	}
	var out []string
	for _, x := range strs(c.Before, "protects") {
		if !wanted[x] && !slices.Contains(c.ours, x) {
			out = append(out, x)
		}
	}
	slices.Sort(out)
	return out
}

// guardExclusive holds an exemption that claims the vendor's whole list beside another block that has a part of it: each
// would undo the other.
func (p *Part) guardExclusive() {
	for _, c := range p.Changes {
		if c.Type != "exemption" || !c.Applies() || text(c.After, "ownership") != "exclusive" {
			continue
		}
		for _, other := range p.Changes {
			if other != c && other.Type == "exemption" && other.After != cty.NilVal && other.Action != Delete && other.Action != Release {
				p.hold(c, "exclusive", fmt.Sprintf("ownership = \"exclusive\" claims the whole list of exemptions, and %s has a part of it", other.Address),
					"# in one of the two:\nownership = \"additive\"")
				break
			}
		}
	}
}

// removals are the part's changes of declared objects that count against the limits. Taking everything down is asked for
// by name and counts nothing.
func (p *Part) removals(req *Request) []*removal {
	if req.Destroy || req.Frame == nil {
		return nil
	}
	var out []*removal
	for _, c := range p.Changes {
		if !c.Applies() {
			continue
		}
		if r := removalOf(c); r != nil {
			out = append(out, r)
		}
	}
	return out
}

func counted(removals []*removal) []string {
	var out []string
	for _, r := range removals {
		out = append(out, r.counts...)
	}
	return out
}

func adminsLeaving(removals []*removal) int {
	n := 0
	for _, r := range removals {
		if r.admin {
			n++
		}
	}
	return n
}

// holdRemovals holds what the safeguard does not let pass of the declared objects: protected addresses, the last
// administrators, and with the removals of derived accounts all others.
func (p *Part) holdRemovals(req *Request, removals []*removal) {
	if len(removals) == 0 {
		return
	}
	safeguard := p.safeguard
	if safeguard == nil {
		var err error
		if safeguard, err = p.limits(req); err != nil {
			for _, r := range removals {
				if r.change.Held == "" {
					p.hold(r.change, "removals", fmt.Sprintf("how much may be removed cannot be told: %v", err), "")
				}
			}
			return
		}
	}
	protected := map[string]bool{}
	for _, a := range safeguard.Protected {
		protected[directory.Fold(a)] = true
	}
	for _, r := range removals {
		for _, x := range r.loses {
			if protected[x] && r.change.Held == "" {
				p.hold(r.change, "protected", fmt.Sprintf("safeguard.protected names %s: it never stops receiving", x), "")
			}
		}
	}
	p.holdAdmins(req, safeguard, removals)
	if p.safeguard == nil {
		p.holdAlone(req, safeguard, removals)
		return
	}
	for i := range p.Accounts.Held {
		if h := &p.Accounts.Held[i]; h.Limit == "removals" {
			for _, r := range removals {
				if r.change.Held == "" {
					r.change.Held = h.Text
					p.alsoHeld = append(p.alsoHeld, r.change.Address)
				}
			}
		}
	}
}

// holdAdmins keeps the administrators that must remain. Those that derived accounts would lose are held already.
func (p *Part) holdAdmins(req *Request, safeguard *dirsync.Safeguard, removals []*removal) {
	leaving := 0
	for _, r := range removals {
		if r.admin && r.change.Held == "" {
			leaving++
		}
	}
	if leaving == 0 {
		return
	}
	accounts, unknown := p.readAccounts(req)
	active := 0
	for _, a := range accounts {
		if a.Active && a.Type.IsAdmin() {
			active++
		}
	}
	why := ""
	switch {
	case unknown != "":
		why = unknown + ", so it is not known whether an administrator remains"
	case active-leaving < safeguard.MinAdmins:
		why = fmt.Sprintf("%d of %d active admin accounts would go, and min_admins = %d must remain", leaving, active, safeguard.MinAdmins)
	default:
		return
	}
	for _, r := range removals {
		if r.admin && r.change.Held == "" {
			p.hold(r.change, "admins", why, "")
		}
	}
}

// holdAlone holds the removals of a tenant about whose derived accounts nothing is decided.
func (p *Part) holdAlone(req *Request, safeguard *dirsync.Safeguard, removals []*removal) {
	owned := 0
	if req.Prior != nil {
		for _, obj := range req.Prior.Objects {
			if obj.Type == "account" && flag(obj.Values, "active", true) {
				owned++
			}
		}
	}
	used, fresh := map[string]bool{}, map[string]bool{}
	for _, w := range window(req.Prior, req.Now, safeguard.Window) {
		used[directory.Fold(w.Address)] = true
	}
	for _, r := range removals {
		for _, x := range r.counts {
			if r.change.Held == "" && !used[x] {
				fresh[x] = true
			}
		}
	}
	allowed := safeguard.AllowedRemovals(owned)
	if len(fresh) == 0 || len(used)+len(fresh) <= allowed || req.AcceptRemovals == len(fresh) {
		return
	}
	g := Guard{Name: "removals", Cure: fmt.Sprintf("weir apply --accept-removals %s=%d", req.Tenant.Key, len(fresh))}
	g.Text = dirsync.Exceeds(len(fresh), allowed, safeguard.Window)
	if len(used) > 0 {
		g.Text += fmt.Sprintf(", and %d did so already", len(used))
	}
	g.Text += ". All removals of the tenant are held."
	for _, r := range removals {
		if r.change.Held == "" {
			r.change.Held = g.Text
			g.Addresses = append(g.Addresses, r.change.Address)
		}
	}
	p.Guards = append(p.Guards, g)
}

// limits are what declared objects are held to when nothing is decided about derived accounts: the safeguard of the policy,
// filled up from the root's, or the root's alone, or its defaults.
func (p *Part) limits(req *Request) (*dirsync.Safeguard, error) {
	source, own, root := "safeguard", cty.NilVal, req.safeguard()
	if c := p.policy(); c != nil && !isNull(c.Wanted) {
		source, own = c.Address, resource.Get(c.Wanted, "safeguard")
	}
	if root != cty.NilVal && !root.Type().IsObjectType() {
		root = cty.NilVal
	}
	if root != cty.NilVal && isNull(own) {
		own = root
	}
	members := map[string]cty.Value{"engine": cty.StringVal(dirsync.EngineNone)}
	if !isNull(own) {
		members["safeguard"] = own
	}
	policy, err := dirsync.DecodePolicy(source, withDefaults(cty.ObjectVal(members), root))
	return &policy.Safeguard, err
}
