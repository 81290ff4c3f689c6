package essentials

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

var domainName = regexp.MustCompile(`^(?i)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}$`)

const domainNameHelp = "a domain name such as contoso.com"

// domainType is one domain of the organization: a relay domain, whose mail the gateway accepts and delivers, or a
// management domain, which is only known (R35).
func domainType() *resource.Type {
	table := []resource.Attribute{
		{Name: "name", Type: cty.String, Required: true, Immutable: true, Pattern: domainName, PatternHelp: domainNameHelp,
			Description: "The domain.", Label: "Domain Name", Normalize: resource.FoldCase, Source: vendorAPI},
		{Name: "purpose", Type: cty.String, Optional: true, Enum: []string{"relay", "management"},
			Description: "Whether the gateway relays mail for the domain, or only knows it. A new domain without it is a management domain.",
			Label:       "Domain Purpose", Normalize: resource.FoldCase, Source: vendorAPI + " (is_relay)"},
		{Name: "destination", Type: cty.String, Optional: true, Description: "Host or IPv4 address that mail is delivered to; a relay domain needs one.",
			Label: "Delivery Destination", Normalize: resource.Host, Source: vendorAPI},
		{Name: "failovers", Type: cty.Set(cty.String), Optional: true, Description: "Hosts that are tried when the destination does not answer.",
			Label: "Failover Servers", Normalize: resource.HostSet, Source: vendorAPI},
		{Name: "active", Type: cty.Bool, Optional: true, Description: "Whether mail for the relay domain is accepted. A new relay domain is active.",
			Label: "Active", Source: vendorAPI + ": always false for management domains"},
		{Name: "verify", Type: cty.Bool, Optional: true, Local: true, Default: cty.True,
			Description: "Ask the vendor to verify ownership by the TXT record, when the domain is added and when the record is seen.", Source: vendorAPI},
		{Name: "verified", Type: cty.Bool, Computed: true, Local: true,
			Description: "Whether the vendor found the TXT record when Weir last asked; null when it never did. The API does not tell it otherwise.",
			Source:      vendorAPI + ": the answer of the verification check"},
		{Name: "verification_record", Type: cty.String, Computed: true, Local: true,
			Description: "The TXT record to publish at the domain to verify it.", Label: "TXT Record", Source: vendorAPI},
	}
	t := &resource.Type{
		Name: "domain", Provider: "essentials", Attributes: table, After: []string{"tenant"},
		Purpose: "A domain of the Essentials organization, relayed or only known.",
		ProtectByDefault: func(config cty.Value) bool {
			return folded(resource.Text(resource.Bare(config), "purpose")) == "relay"
		},
		Guard:     guardDomain,
		Key:       func(v cty.Value) string { return folded(resource.Text(resource.Bare(v), "name")) },
		Customize: customizeDomain,
		List:      listDomainObjects,
		Read:      readDomainObject,
		Create:    createDomain,
		Update:    updateDomain,
		Delete:    deleteDomain,
	}
	return t
}

func domainLive(d *domainRead, code string) resource.Live {
	purpose := "management"
	if d.IsRelay.value {
		purpose = "relay"
	}
	record := cty.NullVal(cty.String)
	if code != "" {
		record = cty.StringVal(code)
	}
	name := folded(string(d.Name))
	return resource.Live{ID: resource.ObjectID(name), Name: name, Value: cty.ObjectVal(map[string]cty.Value{
		"name":                cty.StringVal(name),
		"purpose":             cty.StringVal(purpose),
		"destination":         stringValue(d.Destination),
		"failovers":           resource.StringSet(d.Failovers),
		"active":              cty.BoolVal(d.IsActive.value),
		"verify":              cty.NullVal(cty.Bool),
		"verified":            boolValue(d.IsVerified),
		"verification_record": record,
	})}
}

// listDomainObjects leaves verification_record null: the code costs one request a domain and never changes.
func listDomainObjects(ctx context.Context, conn *resource.Conn) ([]resource.Live, error) {
	c, org, err := clientOf(conn)
	if err != nil {
		return nil, err
	}
	all, err := c.listDomains(ctx, org)
	if errors.Is(err, errNoOrganization) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := make([]resource.Live, len(all))
	for i := range all {
		out[i] = domainLive(&all[i], "")
	}
	return out, nil
}

func readDomainObject(ctx context.Context, conn *resource.Conn, id resource.ObjectID) (resource.Live, error) {
	c, org, err := clientOf(conn)
	if err != nil {
		return resource.Live{}, err
	}
	d, err := c.domain(ctx, org, string(id))
	if err != nil {
		return resource.Live{}, err
	}
	return domainLive(d, ""), nil
}

func createDomain(ctx context.Context, conn *resource.Conn, change *resource.Change) (resource.Live, error) {
	c, org, err := clientOf(conn)
	if err != nil {
		return resource.Live{}, err
	}
	name := folded(resource.Text(change.Planned, "name"))
	if name == org {
		// The organization came into being with its primary domain; the block that names it amends it.
		if _, err := c.domain(ctx, org, name); err == nil {
			return writeDomain(ctx, c, org, name, change)
		} else if !errors.Is(err, resource.ErrAbsent) {
			return resource.Live{}, err
		}
	}
	d := wireDomain{Name: name, Failovers: []string{}}
	overlayDomain(&d, change.Planned)
	q := orgCall("create domain", http.MethodPost, org, "domains").about(name).with(d)
	if err := c.do(ctx, q); err != nil {
		var e *resource.Error
		if errors.Is(err, resource.ErrConflict) && errors.As(err, &e) {
			e.Hint = "If it is in this organization, plan again to adopt it; otherwise another organization has it"
		}
		return resource.Live{}, err
	}
	return finishDomain(ctx, c, org, name, change)
}

func updateDomain(ctx context.Context, conn *resource.Conn, change *resource.Change) (resource.Live, error) {
	c, org, err := clientOf(conn)
	if err != nil {
		return resource.Live{}, err
	}
	return writeDomain(ctx, c, org, string(change.ID), change)
}

// writeDomain reads the domain, overlays what is planned and writes the whole of it: whether the vendor keeps what is
// left out of a PUT is seen in one client only, and a relay domain without destination would lose mail.
func writeDomain(ctx context.Context, c *Client, org, name string, change *resource.Change) (resource.Live, error) {
	name = folded(name)
	have, err := c.domain(ctx, org, name)
	if err != nil {
		return resource.Live{}, err
	}
	d := wireDomain{Name: name, IsActive: have.IsActive.value, IsRelay: have.IsRelay.value, Destination: string(have.Destination), Failovers: have.Failovers}
	if d.Failovers == nil {
		d.Failovers = []string{}
	}
	before := d
	overlayDomain(&d, change.Planned)
	if !sameDomain(before, d) {
		q := orgCall("update domain", http.MethodPut, org, "domains", name).about(name).with(d)
		if err := c.do(ctx, q); err != nil {
			return resource.Live{}, err
		}
	}
	return finishDomain(ctx, c, org, name, change)
}

func sameDomain(a, b wireDomain) bool {
	if len(a.Failovers) != len(b.Failovers) {
		return false
	}
	for i := range a.Failovers {
		if a.Failovers[i] != b.Failovers[i] {
			return false
		}
	}
	return a.IsActive == b.IsActive && a.IsRelay == b.IsRelay && a.Destination == b.Destination
}

// overlayDomain sets what the planned value manages.
func overlayDomain(d *wireDomain, planned cty.Value) {
	if purpose := folded(resource.Text(planned, "purpose")); purpose != "" {
		relay := purpose == "relay"
		if relay != d.IsRelay {
			// A management domain is never active; one that begins to relay is meant to.
			d.IsActive = relay
		}
		d.IsRelay = relay
	}
	if v := resource.Get(planned, "destination"); !v.IsNull() {
		d.Destination = folded(v.AsString())
	}
	if all, ok := resource.Words(planned, "failovers"); ok {
		d.Failovers = all
	}
	if active, ok := resource.Flag(planned, "active"); ok {
		d.IsActive = active
	}
}

// finishDomain verifies the domain if asked to and reads it back.
func finishDomain(ctx context.Context, c *Client, org, name string, change *resource.Change) (resource.Live, error) {
	d, err := c.domain(ctx, org, name)
	if err != nil {
		return resource.Live{}, err
	}
	code, err := c.verificationCode(ctx, org, name)
	if err != nil {
		return domainLive(d, ""), err
	}
	live := domainLive(d, code)
	already, _ := resource.Flag(change.Planned, "verified")
	if wanted, _ := resource.Flag(change.Planned, "verify"); !wanted || already {
		if already {
			live.Value = resource.With(live.Value, "verified", cty.True)
		}
		return live, nil
	}
	verified, err := c.verify(ctx, org, name)
	if err != nil {
		return live, err
	}
	live.Value = resource.With(live.Value, "verified", cty.BoolVal(verified))
	return live, nil
}

// verify asks for the TXT check: 204 means verified, 409 that the record was not found (vendor API description).
func (c *Client) verify(ctx context.Context, org, name string) (bool, error) {
	q := orgCall("verify domain", http.MethodPut, org, "domains", name, "verify", "TXT").about(name)
	err := c.do(ctx, q)
	if errors.Is(err, resource.ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

// deleteDomain removes the domain. The primary domain cannot be removed from its organization (inferred); it stops
// relaying instead.
func deleteDomain(ctx context.Context, conn *resource.Conn, change *resource.Change) error {
	c, org, err := clientOf(conn)
	if err != nil {
		return err
	}
	name := folded(string(change.ID))
	if name == org {
		have, err := c.domain(ctx, org, name)
		if errors.Is(err, resource.ErrAbsent) {
			return nil
		}
		if err != nil {
			return err
		}
		if !have.IsRelay.value {
			return nil
		}
		d := wireDomain{Name: name, Destination: string(have.Destination), Failovers: have.Failovers}
		return c.do(ctx, orgCall("stop relaying the primary domain", http.MethodPut, org, "domains", name).about(name).with(d))
	}
	err = c.do(ctx, orgCall("delete domain", http.MethodDelete, org, "domains", name).about(name))
	if errors.Is(err, resource.ErrAbsent) {
		return nil
	}
	return err
}

func customizeDomain(req *resource.PlanRequest) error {
	planned, live, prior := resource.Bare(req.Planned), resource.Bare(req.Live), resource.Bare(req.Prior)
	purpose := folded(resource.Text(planned, "purpose"))
	if purpose == "" {
		purpose = folded(resource.Text(live, "purpose"))
	}
	if active, ok := resource.Flag(planned, "active"); ok && active && purpose == "management" {
		return &resource.Error{Op: "plan domain", Subject: resource.Text(planned, "name"), Attribute: "active", Kind: resource.ErrInvalid,
			Detail: "a management domain is never active", Hint: `Leave active out, or write purpose = "relay"`}
	}
	destination := resource.Get(planned, "destination")
	if purpose == "relay" && destination.IsKnown() && resource.Text(planned, "destination") == "" && (destination.IsKnown() && !destination.IsNull() || resource.Text(live, "destination") == "") {
		return &resource.Error{Op: "plan domain", Subject: resource.Text(planned, "name"), Attribute: "destination", Kind: resource.ErrInvalid,
			Detail: "a relay domain needs a destination", Hint: `For Microsoft 365 write destination = data.directory.NAME.mail_host["` + resource.Text(planned, "name") + `"]`}
	}
	if live := folded(resource.Text(live, "purpose")); purpose == "relay" && live != "relay" {
		req.Reasons = append(req.Reasons, "the gateway takes mail for a new relay domain after 60 minutes at the earliest: move its MX records after that (R46)")
	}
	// What Weir learned about verification stays in state: the API does not show it.
	verified, asked := resource.Flag(prior, "verified")
	if verified && !live.IsNull() { // one that is made again has to be verified again
		req.Planned = resource.With(req.Planned, "verified", cty.True)
	}
	wanted, _ := resource.Flag(planned, "verify")
	switch {
	case !wanted || verified || live.IsNull():
	case req.Doubt:
		req.Force = true
		req.Reasons = append(req.Reasons, "the run that made it ended before its time; the vendor is asked to verify the domain")
	case asked:
		code := resource.Text(prior, "verification_record")
		if code != "" && publishes(req.Mail, resource.Text(planned, "name"), code) {
			req.Force = true
			req.Reasons = append(req.Reasons, "the verification record is published now; the vendor is asked to verify the domain")
		} else if code != "" && purpose == "relay" {
			// A management domain works unverified, and nobody can publish records at an onmicrosoft.com name.
			req.Waits = append(req.Waits, fmt.Sprintf("verification waits for the TXT record %q at %s", code, resource.Text(planned, "name")))
		}
	}
	return nil
}

func publishes(mail resource.MailFacts, domain, code string) bool {
	for _, record := range mail[folded(domain)].TXT {
		if folded(record) == folded(code) {
			return true
		}
	}
	return false
}

// guardDomain holds what would stop mail: removing or un-relaying a domain whose MX is the gateway, and removing one that
// carries addresses. What is not known holds too.
func guardDomain(req *resource.GuardRequest) []string {
	live, planned := resource.Bare(req.Live), resource.Bare(req.Planned)
	if live.IsNull() || req.Action == "create" {
		return nil
	}
	name := folded(resource.Text(live, "name"))
	removes := req.Action == "delete" || req.Action == "replace"
	relays := folded(resource.Text(live, "purpose")) == "relay"
	active, _ := resource.Flag(live, "active")
	stops := relays && active && (removes || folded(resource.Text(planned, "purpose")) == "management")
	if off, ok := resource.Flag(planned, "active"); relays && active && ok && !off {
		stops = true
	}
	var reasons []string
	if stops {
		switch facts, asked := req.Mail[name]; {
		case !asked || facts.MXAtGateway == nil:
			reasons = append(reasons, fmt.Sprintf("it is not known whether the MX records of %s point at the gateway, and mail to it would be refused", name))
		case *facts.MXAtGateway:
			reasons = append(reasons, fmt.Sprintf("the MX records of %s point at the gateway, and mail to it would be refused", name))
		}
	}
	if removes && req.AddressesIn != nil {
		switch n := req.AddressesIn(name); {
		case n < 0:
			reasons = append(reasons, fmt.Sprintf("it is not known whether accounts have addresses in %s", name))
		case n > 0:
			reasons = append(reasons, fmt.Sprintf("%d addresses of accounts are in %s", n, name))
		}
	}
	return reasons
}
