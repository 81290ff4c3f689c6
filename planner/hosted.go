package planner

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/planner/dirsync/hosted"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// HostedRun is what the vendor's own sync will do by itself once the part is applied. Weir neither does nor can undo it;
// only the schedule is Weir's.
type HostedRun struct {
	*hosted.Prediction
	// Risks are the limits of the policy's safeguard that the run would exceed.
	Risks []hosted.Risk `json:"risks,omitempty"`
	// Suspended is why the schedule is planned as Never; "" when it is as the policy says. The prediction is then what a
	// run would do if there were one.
	Suspended string `json:"suspended,omitempty"`
	// LastRun is the vendor's last_successful_sync as read, RFC 3339; "" when there was none.
	LastRun string `json:"last_run,omitempty"`
	// Found are differences between what an earlier prediction said and what a run did since, in full sentences.
	Found []string `json:"found,omitempty"`
}

// suspended says why the schedule must not run: the predicted run exceeds the safeguard, and the policy says to suspend it
// then. One that rests does not begin, either, while nothing can be said about its risk; one that runs is left to run, since
// a read that failed is no risk. "" when nothing is to be suspended.
func (p *Part) suspended(change *Change, policy *dirsync.Policy) string {
	if p.Hosted == nil || policy.OnRisk != "suspend" {
		return ""
	}
	if running := text(change.Before, "hosted.frequency"); running == "" || running == "never" {
		switch {
		case p.Hosted.Unknown != "":
			return "what the next hosted run would do is not known, because " + p.Hosted.Unknown
		case p.Hosted.Fails != "":
			return "what hosted runs would do once they succeed is not known; for now each would fail: " + p.Hosted.Fails
		}
	}
	var texts []string
	for _, r := range p.Hosted.Risks {
		texts = append(texts, r.Text)
	}
	if len(texts) == 0 {
		return ""
	}
	return "the next hosted run would exceed the safeguard: " + strings.Join(texts, "; ")
}

// foresee predicts the next run of the vendor's own sync, as the part leaves settings, exemptions, domains and accounts.
func (p *Part) foresee(req *Request, change *Change, policy *dirsync.Policy) {
	if policy.Engine != dirsync.EngineEssentials || req.Destroy {
		return
	}
	r := hosted.Request{
		Settings: hosted.DecodeSettings(change.After), Directory: req.Observed.Directory, Accounts: p.accountsAfter(req), Licenses: p.licenses(req),
		Remembered: map[int]hosted.Memory{}, Now: req.Now,
	}
	if wanted := text(change.After, "frequency"); req.suspend != "" && wanted != "" {
		// What the run would do that is not to be.
		r.Settings.Frequency = hosted.Frequency(wanted)
	}
	for _, d := range p.domains(req) {
		r.Domains = append(r.Domains, d.Name)
	}
	if req.Prior != nil {
		for a := range req.Prior.Accounts.All() {
			if a.UID != 0 && a.ObjectID != "" {
				r.Remembered[a.UID] = hosted.Memory{ObjectID: a.ObjectID, Kind: directory.Kind(a.Kind)}
			}
		}
	}
	r.Fails, r.Doubt = p.connection(req, change).Check()
	exempt, err := p.exempt(req)
	r.Exempt = exempt
	run := &HostedRun{Suspended: req.suspend}
	if err != nil {
		run.Prediction = &hosted.Prediction{Unknown: fmt.Sprintf("the exemptions could not be read: %v", err)}
	} else {
		run.Prediction = hosted.Predict(r)
	}
	run.Risks = run.Prediction.Risks(p.measure(req, policy))
	run.LastRun = text(change.Before, "last_successful_sync")
	run.Found = found(req, change, run.Prediction)
	if wait := overdue(req, change, r.Settings.Frequency); wait != "" {
		p.Waits = append(p.Waits, Wait{Address: change.Address, Text: wait})
	}
	p.Hosted = run
	req.risk = p.suspended(change, policy)
	p.Notes = append(p.Notes, run.Found...)
	if len(run.Risks) > 0 && policy.OnRisk != "suspend" && run.Every > 0 {
		for _, risk := range run.Risks {
			p.Notes = append(p.Notes, fmt.Sprintf("Warning: the next run of the vendor's own sync exceeds the safeguard: %s. on_risk = \"suspend\" in %s would keep it from running.", risk.Text, change.Address))
		}
	}
}

// measure is what the prediction counts against: the same window and base as Weir's own removals.
func (p *Part) measure(req *Request, policy *dirsync.Policy) hosted.Measure {
	m := hosted.Measure{Safeguard: policy.Safeguard, Window: window(req.Prior, req.Now, policy.Safeguard.Window), Now: req.Now}
	if reading := req.Observed.Accounts; reading != nil {
		for _, a := range reading.Accounts {
			if !a.Active {
				continue
			}
			m.Active++
			if a.Type.IsAdmin() {
				m.Admins++
			}
		}
	}
	return m
}

// accountsAfter are the accounts as the part leaves them.
func (p *Part) accountsAfter(req *Request) *directory.AccountReading {
	reading := req.Observed.Accounts
	if p.createsOrganization() {
		reading = &directory.AccountReading{Proof: directory.Proof{Complete: true, Source: "accounts", Count: -1, At: req.Now}}
	}
	if reading == nil || p.Accounts == nil {
		return reading
	}
	changed := map[string]*dirsync.Decision{}
	out := &directory.AccountReading{Proof: reading.Proof}
	for i := range p.Accounts.Decisions {
		d := &p.Accounts.Decisions[i]
		switch {
		case d.Held != "":
		case d.Before == nil:
			out.Accounts = append(out.Accounts, d.After)
		default:
			changed[d.Before.Address] = d
		}
	}
	for _, a := range reading.Accounts {
		d := changed[a.Address]
		switch {
		case d == nil:
			out.Accounts = append(out.Accounts, a)
		case d.After != nil:
			after := *d.After
			after.UID = a.UID
			out.Accounts = append(out.Accounts, &after)
		}
	}
	slices.SortFunc(out.Accounts, func(a, b *directory.Account) int { return strings.Compare(a.Address, b.Address) })
	return out
}

// exempt is the vendor's list of exemptions as the part leaves it.
func (p *Part) exempt(req *Request) ([]string, error) {
	on := map[string]bool{}
	reading, asked := req.Observed.Objects["exemption"]
	if asked && reading.Err != nil {
		return nil, reading.Err
	}
	for _, l := range reading.Live {
		all, _ := resource.Words(l.Value, "protects")
		for _, address := range all {
			on[directory.Fold(address)] = true
		}
	}
	was := maps.Clone(on)
	// What one block lets go of stays while another wants it, or Weir itself does (R40).
	var wanted []string
	for _, c := range p.Changes {
		if c.Type != "exemption" {
			continue
		}
		had, _ := resource.Words(c.Before, "protects")
		now, known := resource.Words(c.After, "protects")
		switch {
		case c.Action == Delete && c.Held == "":
		case c.Held != "" || !known || c.Action == Release || c.Action == Unknown:
			for _, address := range had {
				if was[directory.Fold(address)] {
					wanted = append(wanted, address)
				}
			}
			continue
		default:
			wanted = append(wanted, now...)
		}
		for _, address := range had {
			delete(on, directory.Fold(address))
		}
	}
	if req.Prior != nil {
		for a := range req.Prior.Accounts.All() {
			if a.Converted && was[a.Address] {
				wanted = append(wanted, a.Address)
			}
		}
	}
	for _, address := range p.Protected() {
		if was[address] {
			wanted = append(wanted, address)
		}
	}
	for _, address := range wanted {
		on[directory.Fold(address)] = true
	}
	if p.Accounts != nil {
		for i := range p.Accounts.Decisions {
			d := &p.Accounts.Decisions[i]
			switch {
			case d.Held != "" || d.Before == nil:
			case d.Exempt == "add":
				on[d.Before.Address] = true
			case d.Exempt == "remove":
				delete(on, d.Before.Address)
			}
		}
	}
	out := make([]string, 0, len(on))
	for address := range on {
		out = append(out, address)
	}
	slices.Sort(out)
	return out, nil
}

// Protected are the addresses, folded, that the policy's safeguard protects; none when nothing was decided about accounts.
func (p *Part) Protected() []string {
	if p.safeguard == nil {
		return nil
	}
	return p.safeguard.Protected
}

// exemptions are the vendor's list for the decisions about accounts, which the hosted engine needs; nil when it is not known.
func (p *Part) exemptions(req *Request, policy *dirsync.Policy) map[string]bool {
	if _, asked := req.Observed.Objects["exemption"]; !asked || policy.Engine != dirsync.EngineEssentials {
		return nil
	}
	all, err := p.exempt(req)
	if err != nil {
		return nil
	}
	out := make(map[string]bool, len(all))
	for _, address := range all {
		out[address] = true
	}
	return out
}

// connection is what is known of the vendor's access to the directory once the part is applied.
func (p *Part) connection(req *Request, policy *Change) hosted.Connection {
	c := hosted.Connection{Policy: policy.After, Now: req.Now, Organization: cty.NilVal}
	for _, path := range policy.Paths {
		c.Renewed = c.Renewed || path.WriteOnly
	}
	if d := req.Observed.Directory; d != nil {
		c.Domains = d.Domains
	}
	for _, l := range req.Observed.Objects["tenant"].Live {
		c.Organization = l.Value
	}
	planned := map[resource.ObjectID]cty.Value{}
	for _, change := range p.Changes {
		switch {
		case change.Type == "tenant" && change.After != cty.NilVal:
			c.Organization = change.After
		case change.Type == "app_registration" && change.After != cty.NilVal && change.Held == "":
			c.Applications = append(c.Applications, change.After)
			planned[change.ID] = change.After
		}
	}
	if reading, asked := req.Observed.Objects["app_registration"]; asked && reading.Err == nil {
		c.Applications = append([]cty.Value{}, c.Applications...)
		for _, l := range reading.Live {
			if _, changes := planned[l.ID]; !changes {
				c.Applications = append(c.Applications, l.Value)
			}
		}
	}
	return c
}

// licenses is the number of seats bought as the part leaves it; 0 when it is not known.
func (p *Part) licenses(req *Request) int {
	n := 0
	for _, l := range req.Observed.Objects["tenant"].Live {
		n, _ = resource.Whole(l.Value, "licenses")
	}
	for _, c := range p.Changes {
		if c.Type == "tenant" && c.After != cty.NilVal {
			if planned, known := resource.Whole(c.After, "licenses"); known {
				n = planned
			}
		}
	}
	return n
}

// resumes gives a schedule that begins again the cause it has: nobody changed the configuration, what the schedule was
// suspended or held back for is gone.
func (p *Part) resumes(req *Request, c *Change) {
	if c.Action != Update || req.Prior == nil {
		return
	}
	prior := req.Prior.Objects[c.Address]
	if prior == nil || text(prior.Values, "hosted.frequency") != "never" || text(prior.Values, "frequency") != text(c.After, "frequency") {
		return
	}
	for i := range c.Paths {
		if path := &c.Paths[i]; path.Path == "hosted.frequency" && path.Cause == Configuration {
			path.Cause = Directory
			c.Reasons = append(c.Reasons, "the schedule was held back, and nothing speaks against it any more")
			c.Cause = overallCause(c.Paths)
		}
	}
}
