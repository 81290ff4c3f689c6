package planner

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// Inquiry is what the decisions about one tenant's accounts rest on, for whoever asks why. dirsync.Explain decides on its
// Request once more and tells of each address.
type Inquiry struct {
	Tenant  resource.Identity
	Request dirsync.Request
	// Held says why nothing is decided although there is a policy, or that there is none; "" when accounts are decided
	// about.
	Held string
	// Sources gives, by address of a block, where it stands ("main.weir.hcl:14").
	Sources map[string]string
	// DeclaredBy gives, by folded mail address, the block that declares it.
	DeclaredBy map[string]string
	// Blocks are accounts that declared blocks make, change or take away with the next apply; Errors why nothing of the
	// tenant is applied at all. Conclude fills both in.
	Blocks []BlockAccount
	Errors []string
	// Login says who may log in to the portal.
	Login Login
	// Observed is what was read.
	Observed *Observation
}

// BlockAccount is one account that a block declares, or declared. Before is nil for one that is made, After for one that is
// taken away.
type BlockAccount struct {
	// Block is the block's address; for an organization's first administrator with adminSuffix.
	Block         string
	Before, After *directory.Account
}

// adminSuffix marks the block that declares an organization's first administrator.
const adminSuffix = " (its admin)"

// Conclude adds what only the finished part tells: the accounts of declared blocks, in order of address, and errors.
func (q *Inquiry) Conclude(p *Part) {
	q.Errors = p.Errors
	var accounts []*directory.Account
	if q.Observed != nil && q.Observed.Accounts != nil {
		accounts = q.Observed.Accounts.Accounts
	}
	for f := range p.fates(accounts) {
		if f.change == nil || !f.moves() {
			continue
		}
		block := f.change.Address
		if f.change.Type == "tenant" {
			block += adminSuffix
		}
		q.Blocks = append(q.Blocks, BlockAccount{Block: block, Before: f.before, After: f.after})
	}
}

// Login is how people may log in to the organization's portal, as it will be after the plan.
type Login struct {
	// Microsoft is "allowed", "forced" or "disabled"; "" when not known.
	Microsoft string
	// Local says whether Essentials passwords work; nil when not known.
	Local *bool
	// Connected: the connection to Entra is configured, without which nobody can log in with Microsoft (R49).
	Connected bool
}

// inquire passes on what is decided on; request nil says that nothing is.
func (p *Part) inquire(req *Request, request *dirsync.Request) {
	if req.Inquire == nil || req.inquired {
		return
	}
	req.inquired = true
	q := Inquiry{Tenant: req.Tenant, Sources: map[string]string{}, DeclaredBy: map[string]string{}, Observed: req.Observed}
	if request != nil {
		q.Request = *request
	} else {
		q.Held = p.whyUndecided()
		q.Request = dirsync.Request{
			Policy:    dirsync.Policy{Engine: dirsync.EngineNone},
			Domains:   p.domains(req),
			Directory: req.Observed.Directory, Accounts: req.Observed.Accounts,
			Known: known(req.Prior), Protections: p.protections(req), Declared: p.declared(req), Skips: skips(req.Prior, req.Observed),
			Now: req.Now,
		}
	}
	q.Request.SkipRecords = skipRecords(req.Prior, q.Request.Skips, req.Observed)
	declare := func(v cty.Value, block string) {
		if email := directory.Fold(text(v, "email")); email != "" {
			q.DeclaredBy[email] = block
		}
		if v != cty.NilVal {
			for _, alias := range strs(v, "aliases") {
				q.DeclaredBy[alias] = block
			}
		}
	}
	if req.Prior != nil {
		for address, obj := range req.Prior.Objects {
			switch {
			case obj.Type == "account":
				declare(obj.Values, address)
			case obj.Type == "tenant" && obj.Values != cty.NilVal:
				declare(resource.Get(obj.Values, "admin"), address+adminSuffix)
			}
		}
	}
	for _, l := range req.Observed.Objects["tenant"].Live {
		q.Login.read(l.Value)
	}
	for _, l := range req.Observed.Objects["sync_policy"].Live {
		q.Login.connection(l.Value)
	}
	for _, c := range p.Changes {
		if c.Source != "" {
			q.Sources[c.Address] = c.Source
		}
		switch {
		case c.After == cty.NilVal:
		case c.Type == "account":
			declare(c.After, c.Address)
		case c.Type == "tenant":
			declare(resource.Get(c.After, "admin"), c.Address+adminSuffix)
			q.Login.read(c.After)
		case c.Type == "sync_policy":
			q.Login.connection(c.After)
		}
	}
	req.Inquire(q)
}

// read takes what a tenant object says.
func (l *Login) read(v cty.Value) {
	if m := text(v, "login.microsoft"); m != "" {
		l.Microsoft = m
	}
	if local := resource.Get(v, "login.local"); local != cty.NilVal && local.IsKnown() && !local.IsNull() && local.Type() == cty.Bool {
		on := local.True()
		l.Local = &on
	}
}

// connection takes what a sync policy says.
func (l *Login) connection(v cty.Value) {
	id := resource.Get(v, "connection.application.client_id")
	l.Connected = l.Connected || id != cty.NilVal && (!id.IsKnown() || !id.IsNull())
}

// whyUndecided says why nothing was decided about accounts.
func (p *Part) whyUndecided() string {
	policy := p.policy()
	if policy == nil {
		return "no sync_policy block decides about this tenant's accounts"
	}
	for _, g := range p.Guards {
		if len(g.Addresses) == 1 && g.Addresses[0] == policy.Address {
			return g.Text
		}
	}
	if policy.Action == Unknown {
		return policy.Address + " could not be read, so that nothing is decided about accounts"
	}
	for _, s := range p.Problems {
		if strings.HasPrefix(s, policy.Address+" ") {
			return s
		}
	}
	return fmt.Sprintf("%s decides nothing about accounts at present", policy.Address)
}
