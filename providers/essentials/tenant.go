package essentials

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/vendordata"
)

var (
	emailAddress = regexp.MustCompile(`^[^@\s,;<>"]+@[^@\s,;<>"]+\.[^@\s,;<>"]+$`)
	isoDate      = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	guid         = regexp.MustCompile(`^(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

const emailHelp = "an e-mail address such as it@contoso.com"

// foldedText compares without regard to case, and empty like null.
var foldedText = resource.Chain("fold case, empty is null", inferredFact, resource.FoldCase, resource.EmptyIsNull)

// packages of the vendor, in ascending order within beginner/business, advanced and professional (vendor API
// description).
var packages = []string{"beginner", "business", "business_plus", "advanced", "advanced_plus", "professional", "professional_plus"}

// features are the keys of the feature set with the portal's words. instant_replay is a number of days, the others are
// switches. An absent key means that the package does not have the feature. Keys: seen in clients.
var features = []struct{ name, label, description string }{
	{"anti_spoofing", "Anti-Spoofing", "Checks SPF, DKIM and DMARC of inbound mail."},
	{"url_defense", "URL Defense", "Rewrites and checks links."},
	{"attachment_defense", "Attachment Defense", "Checks attachments by reputation."},
	{"attachment_defense_sandboxing", "Attachment Defense Sandboxing", "Opens unknown attachments in a sandbox."},
	{"email_warning_tags", "Email Warning Tags", "Marks suspicious mail with a banner."},
	{"automatic_remediation", "Automatic Remediation", "Takes delivered mail back when it turns out bad."},
	{"one_click_remediation", "One-Click Message Pull", "Lets an administrator take delivered mail back (R67)."},
	{"dlp", "Data Loss Prevention", "Checks outbound mail for data that must not leave."},
	{"disclaimers", "Disclaimers", "Adds a text to outbound mail."},
	{"smtp_discovery", "SMTP Discovery", "Makes accounts of addresses that receive mail; stray ones become billable after some weeks."},
	{"outbound_relaying", "Outbound Relaying", "Relays outbound mail."},
	{"email_encryption", "Email Encryption", "Encrypts outbound mail."},
	{"social_media_account_protection", "Social Media Account Protection", "Watches social media accounts."},
	{"email_archive", "Email Archive", "Archives mail."},
	{"instant_replay", "Instant Replay", "Days for which delivered mail can be sent again; 0 is off."},
}

func featureTable() []resource.Attribute {
	out := make([]resource.Attribute, len(features))
	for i, f := range features {
		a := resource.Attribute{Name: f.name, Type: cty.Bool, Optional: true, Label: f.label, Description: f.description, Source: seenClients}
		if f.name == "instant_replay" {
			a.Type, a.Unit = cty.Number, "days"
		}
		out[i] = a
	}
	return out
}

// tenantTable is the attribute table of tenant. The block's meta-arguments key, essentials and microsoft belong to the
// frame and are not in it.
var tenantTable = tenantAttributes()

func tenantAttributes() []resource.Attribute {
	local := func(name string, t cty.Type, description string) resource.Attribute {
		return resource.Attribute{Name: name, Type: t, Optional: true, Local: true, Description: description}
	}
	contact := func(name, label, description string) resource.Attribute {
		return resource.Attribute{Name: name, Type: cty.String, Optional: true, Local: true, Label: label,
			Description: description + " Sent only when the organization is created.", Source: vendorAPI}
	}
	vendor := func(name string, t cty.Type, description string) resource.Attribute {
		return resource.Attribute{Name: name, Type: t, Computed: true, Local: true, Description: description, Source: "vendor data file"}
	}
	return []resource.Attribute{
		{Name: "name", Type: cty.String, Required: true, Description: "Name of the organization.", Label: "Company Name",
			Source: vendorAPI + "; that PATCH takes it is inferred"},
		{Name: "primary_domain", Type: cty.String, Required: true, Fixed: true, Pattern: domainName, PatternHelp: domainNameHelp,
			Description: "The domain by which Essentials addresses the organization.", Label: "Primary Domain", Normalize: resource.FoldCase, Source: vendorAPI},
		{Name: "parent", Type: cty.String, Optional: true, Fixed: true, Local: true, Pattern: domainName, PatternHelp: domainNameHelp,
			Description: "Primary domain of the partner account; without it the organization must exist and is never created, deactivated or deleted."},
		{Name: "entra_tenant_id", Type: cty.String, Optional: true, Fixed: true, Local: true, Pattern: guid, PatternHelp: "a GUID",
			Description: "The customer's Entra tenant."},
		{Name: "package", Type: cty.String, Optional: true, Enum: packages, Normalize: foldedText,
			Description: "Licensing package. Written only as purchases allows.", Label: "Package", Source: vendorAPI},
		{Name: "licenses", Type: cty.Number, Optional: true, Description: "Seats bought. Written only as purchases allows.",
			Label: "User Licenses", Unit: "seats", Source: vendorAPI, Validate: atLeast(0)},
		{Name: "purchases", Type: cty.String, Optional: true, Local: true, Default: cty.StringVal("refuse"), Enum: []string{"refuse", "onboarding", "allow"},
			Description: "Whether Weir may buy seats and packages: never, what a new organization needs, or any difference."},
		{Name: "features", Optional: true, Nested: featureTable(), Label: "Features",
			Description: "Features of the package to switch; only the keys written are managed."},
		{Name: "active", Type: cty.Bool, Optional: true, Description: "Whether the organization is active; an inactive one receives no mail.",
			Label: "Active", Source: vendorAPI},
		{Name: "login", Optional: true, Block: true, Label: "Authentication", Description: "How people log in to the portal.", Nested: []resource.Attribute{
			{Name: "microsoft", Type: cty.String, Optional: true, Enum: []string{"allowed", "forced", "disabled"}, Label: "Login with Microsoft credentials",
				Description: "Whether people may, must or cannot log in with Microsoft (R50, R51).", Source: vendorAPI},
			{Name: "local", Type: cty.Bool, Optional: true, Label: "Login with Essentials credentials",
				Description: "Whether people may log in with an Essentials password.", Source: vendorAPI},
		}},
		{Name: "mfa", Optional: true, Block: true, Label: "Two-Factor Authentication", Description: "Second factor for local logins.", Nested: []resource.Attribute{
			{Name: "enabled", Type: cty.Bool, Optional: true, Label: "Enable 2FA", Description: "Whether a second factor is asked for (R54).", Source: vendorAPI},
			{Name: "admins_only", Type: cty.Bool, Optional: true, Label: "Administrators only", Description: "Whether only administrators are asked.", Source: vendorAPI},
		}},
		{Name: "admin", Optional: true, Block: true, Local: true, Description: "The first administrator of a new organization; used only when it is created.", Nested: []resource.Attribute{
			{Name: "email", Type: cty.String, Required: true, Pattern: emailAddress, PatternHelp: emailHelp, Description: "Address, in the primary domain.", Source: vendorAPI},
			{Name: "first_name", Type: cty.String, Required: true, Description: "First name.", Source: vendorAPI},
			{Name: "last_name", Type: cty.String, Required: true, Description: "Last name.", Source: vendorAPI},
			{Name: "phone", Type: cty.String, Optional: true, Description: "Telephone of the organization, when phone is left out.", Source: vendorAPI},
		}},
		{Name: "trial", Type: cty.Bool, Optional: true, Local: true, Description: "Whether a new organization begins on trial; used only when it is created.", Source: vendorAPI},
		contact("www", "Website", "Web site."),
		contact("address", "Address", "Street address."),
		contact("postcode", "Zip/Postcode", "Postal code."),
		contact("state", "State/Province", "State or province, which the vendor requires in US and CA."),
		contact("country", "Country", "Two-letter country."),
		contact("phone", "Phone", "Telephone."),
		local("tags", cty.Map(cty.String), "Labels that --tenant tag:NAME=VALUE matches."),
		{Name: "attest", Optional: true, Block: true, Local: true, Description: "What no API can tell: a person's dated word.", Nested: []resource.Attribute{
			{Name: "by", Type: cty.String, Required: true, Description: "Who says so, as an address or a name."},
			{Name: "on", Type: cty.String, Required: true, Pattern: isoDate, PatternHelp: "a date such as 2026-11-20", Description: "The day on which it was said."},
			local("tech_contact", cty.String, "Address of the Tech Contact in the account profile; without one the vendor stops the hosted sync (R28)."),
			local("integrations_allowed", cty.Bool, "\"Allow customers to use integrations\" is on in the partner account (R64)."),
			local("engine_change", cty.Bool, "The losses of going from the hosted sync to Weir are accepted."),
			local("note", cty.String, "Anything else."),
		}},
		{Name: "organization_id", Type: cty.String, Computed: true, Description: "The vendor's number of the organization (eid).", Source: vendorAPI},
		{Name: "ldap_url", Type: cty.String, Computed: true, Description: "The on-premises directory that the organization takes accounts from; with one, no other source may (R4).", Source: vendorAPI},
		{Name: "stack", Type: cty.String, Computed: true, Local: true, Description: "The stack that holds the organization."},
		vendor("delivery_ranges", cty.List(cty.String), "Networks that the gateway delivers from."),
		vendor("mx_hosts", cty.List(cty.String), "MX hosts for inbound mail."),
		vendor("smart_host", cty.String, "Smart host for outbound mail."),
		vendor("spf_include", cty.String, "Name to include in SPF for outbound mail."),
	}
}

// tenantType is one Essentials organization.
func tenantType() *resource.Type {
	return &resource.Type{
		Name: "tenant", Provider: "essentials", Attributes: tenantTable,
		Purpose:          "An Essentials organization and the Entra tenant that belongs to it.",
		ProtectByDefault: func(cty.Value) bool { return true },
		Guard:            guardTenant,
		Key:              func(v cty.Value) string { return folded(resource.Text(resource.Bare(v), "primary_domain")) },
		Customize:        customizeTenant,
		List:             listTenant,
		Read:             readTenant,
		Create:           createTenant,
		Update:           updateTenant,
		Delete:           deleteTenant,
	}
}

func atLeast(least int) func(cty.Value) error {
	return func(v cty.Value) error {
		if v.Type() == cty.Number && (v.LessThan(cty.NumberIntVal(int64(least))).True() || !v.AsBigFloat().IsInt()) {
			return fmt.Errorf("must be a whole number of at least %d", least)
		}
		return nil
	}
}

// wrongOrganization is an organization that answers to a domain which is not its primary one.
func wrongOrganization(domain string, o *wireOrganization) error {
	return &resource.Error{Op: "read organization", Subject: domain, Attribute: "primary_domain", Kind: resource.ErrConflict,
		Detail: fmt.Sprintf("the domain belongs to the organization %q with the primary domain %s", clip(string(o.Name)), clip(string(o.PrimaryDomain))),
		Hint:   "Write its primary domain, or remove the domain from that organization"}
}

// readWhole reads the organization with its features and login settings.
func (c *Client) readWhole(ctx context.Context, org string) (resource.Live, error) {
	o, err := c.organization(ctx, org)
	if err != nil {
		return resource.Live{}, err
	}
	feats := map[string]json.RawMessage{}
	if err := c.read(ctx, orgCall("read features", http.MethodGet, org, "features"), func(r io.Reader) error {
		if err := decodeOne(r, &feats); err != nil {
			return err
		}
		if len(feats) == 0 {
			return errors.New("an empty feature set")
		}
		return nil
	}); err != nil {
		return resource.Live{}, present(err)
	}
	login, err := c.login(ctx, org)
	if err != nil {
		return resource.Live{}, present(err)
	}
	mfa, err := c.mfa(ctx, org)
	if err != nil {
		return resource.Live{}, present(err)
	}
	return c.tenantLive(org, o, feats, login, mfa)
}

// present turns the 404 of a part into doubt: the organization that it belongs to was read a moment ago.
func present(err error) error {
	var e *resource.Error
	if errors.As(err, &e) && errors.Is(err, resource.ErrAbsent) {
		unknown := *e
		unknown.Kind, unknown.Err = resource.ErrUnavailable, nil
		return &unknown
	}
	return err
}

func (c *Client) login(ctx context.Context, org string) (*wireLogin, error) {
	var login wireLogin
	q := orgCall("read login settings", http.MethodGet, org, "authentication", "settings", "login")
	err := c.read(ctx, q, func(r io.Reader) error {
		if err := decodeOne(r, &login); err != nil {
			return err
		}
		if !login.Local.set || !login.Azure.set {
			return errors.New("login settings without allow_local_login and allow_azure_login")
		}
		return nil
	})
	return &login, err
}

func (c *Client) mfa(ctx context.Context, org string) (*wireMFA, error) {
	var mfa wireMFA
	q := orgCall("read two-factor settings", http.MethodGet, org, "authentication", "settings", "mfa")
	err := c.read(ctx, q, func(r io.Reader) error {
		if err := decodeOne(r, &mfa); err != nil {
			return err
		}
		if !mfa.Enabled.set {
			return errors.New("two-factor settings without is_mfa_enabled")
		}
		return nil
	})
	return &mfa, err
}

func (c *Client) tenantLive(org string, o *wireOrganization, feats map[string]json.RawMessage, login *wireLogin, mfa *wireMFA) (resource.Live, error) {
	v := resource.Null(tenantTable)
	v["name"] = stringValue(o.Name)
	v["primary_domain"] = cty.StringVal(org)
	v["package"] = stringValue(flexString(folded(string(o.Package))))
	v["licenses"] = intValue(o.UserLicenses)
	v["active"] = boolValue(o.IsActive)
	if o.EID.set {
		v["organization_id"] = cty.StringVal(strconv.Itoa(o.EID.value))
	}
	v["ldap_url"] = stringValue(o.LDAPURL)
	f := map[string]cty.Value{}
	for _, feature := range features {
		raw, ok := feats[feature.name]
		if feature.name == "instant_replay" {
			var n flexInt
			if ok {
				var off flexBool
				if err := json.Unmarshal(raw, &n); err != nil {
					// "false" stands for no days where the package has the feature switched off (inferred).
					if json.Unmarshal(raw, &off) != nil || off.value {
						return resource.Live{}, fmt.Errorf("features of %s: %s: %w", org, feature.name, err)
					}
					n = flexInt{set: true}
				}
			}
			f[feature.name] = intValue(n)
			continue
		}
		var b flexBool
		if ok {
			if err := json.Unmarshal(raw, &b); err != nil {
				return resource.Live{}, fmt.Errorf("features of %s: %s: %w", org, feature.name, err)
			}
		}
		f[feature.name] = boolValue(b)
	}
	v["features"] = cty.ObjectVal(f)
	microsoft := "disabled"
	switch {
	case login.ForceAzure.value:
		microsoft = "forced"
	case login.Azure.value:
		microsoft = "allowed"
	}
	v["login"] = cty.ObjectVal(map[string]cty.Value{"microsoft": cty.StringVal(microsoft), "local": boolValue(login.Local)})
	v["mfa"] = cty.ObjectVal(map[string]cty.Value{"enabled": boolValue(mfa.Enabled), "admins_only": cty.BoolVal(mfa.AdminsOnly.value)})
	return resource.Live{ID: resource.ObjectID(org), Name: string(o.Name), Value: cty.ObjectVal(v)}, nil
}

func listTenant(ctx context.Context, conn *resource.Conn) ([]resource.Live, error) {
	c, org, err := clientOf(conn)
	if err != nil {
		return nil, err
	}
	live, err := c.readWhole(ctx, org)
	if errors.Is(err, errNoOrganization) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []resource.Live{live}, nil
}

func readTenant(ctx context.Context, conn *resource.Conn, id resource.ObjectID) (resource.Live, error) {
	c, _, err := clientOf(conn)
	if err != nil {
		return resource.Live{}, err
	}
	return c.readWhole(ctx, string(id))
}

// createTenant makes the organization below its partner account, with its administrator, licences, package and primary
// domain, then sets what creation does not take. When only the latter fails, the organization exists and is returned
// beside the error.
func createTenant(ctx context.Context, conn *resource.Conn, change *resource.Change) (resource.Live, error) {
	c, org, err := clientOf(conn)
	if err != nil {
		return resource.Live{}, err
	}
	fail := func(attribute, detail, hint string) error {
		return &resource.Error{Op: "create organization", Subject: org, Attribute: attribute, Kind: resource.ErrInvalid, Detail: detail, Hint: hint}
	}
	parent := folded(conn.Tenant.Parent)
	planned := change.Planned
	licenses, hasLicenses := resource.Whole(planned, "licenses")
	switch {
	case parent == "":
		return resource.Live{}, &resource.Error{Op: "create organization", Subject: org, Attribute: "parent", Kind: resource.ErrInvalid,
			Detail: "the organization does not exist and the tenant names no parent below which Weir may create it",
			Hint:   "Check primary_domain and stack, or write parent"}
	case folded(resource.Text(planned, "primary_domain")) != org:
		return resource.Live{}, fail("primary_domain", "the tenant's identity is another", "")
	case !hasLicenses:
		return resource.Live{}, fail("licenses", "a new organization needs a number of licences", "Write licenses")
	case resource.Text(planned, "admin.email") == "":
		return resource.Live{}, fail("admin", "a new organization needs an administrator", "Write an admin block")
	}
	body := newOrganization{
		PrimaryDomain: org, Name: resource.Text(planned, "name"), Type: "organization", Package: resource.Text(planned, "package"), UserLicenses: licenses,
		WWW: resource.Text(planned, "www"), Address: resource.Text(planned, "address"), Postcode: resource.Text(planned, "postcode"), State: resource.Text(planned, "state"),
		Country: strings.ToUpper(resource.Text(planned, "country")), Phone: resource.Text(planned, "phone"),
		Admin: newUser{PrimaryEmail: folded(resource.Text(planned, "admin.email")), Type: "organization_admin",
			FirstName: resource.Text(planned, "admin.first_name"), Surname: resource.Text(planned, "admin.last_name")},
		Domains: []wireDomain{{Name: org, Failovers: []string{}}},
	}
	if body.Phone == "" {
		body.Phone = resource.Text(planned, "admin.phone")
	}
	if trial, ok := resource.Flag(planned, "trial"); ok {
		body.Trial = &trial
	}
	q := orgCall("create organization", http.MethodPost, parent, "orgs").about(org).with(body)
	if err := c.do(ctx, q); err != nil {
		var e *resource.Error
		if errors.Is(err, resource.ErrAbsent) && errors.As(err, &e) {
			e.Kind = resource.ErrInvalid // it is the parent that does not exist
			e.Hint = "Check parent: it must be the primary domain of a partner account on this stack"
		}
		if errors.Is(err, resource.ErrConflict) && errors.As(err, &e) {
			e.Hint = "If the organization exists already, plan again to adopt it"
		}
		return resource.Live{}, err
	}
	return c.settleTenant(ctx, org, change)
}

// settleTenant sets what differs and reads the organization back.
func (c *Client) settleTenant(ctx context.Context, org string, change *resource.Change) (resource.Live, error) {
	have, err := c.readWhole(ctx, org)
	if err != nil {
		return resource.Live{ID: resource.ObjectID(org), Name: org, Value: cty.NullVal(resource.ObjectType(tenantTable))}, err
	}
	paths := resource.Differences(tenantTable, change.Planned, have.Value)
	if len(paths) == 0 {
		return have, nil
	}
	if err := c.writeTenant(ctx, org, change.Planned, paths); err != nil {
		return have, err
	}
	return c.readWhole(ctx, org)
}

func updateTenant(ctx context.Context, conn *resource.Conn, change *resource.Change) (resource.Live, error) {
	c, _, err := clientOf(conn)
	if err != nil {
		return resource.Live{}, err
	}
	org := folded(string(change.ID))
	if active, ok := resource.Flag(change.Planned, "active"); ok && !active && conn.Tenant.Parent == "" && change.Changes("active") {
		return resource.Live{}, &resource.Error{Op: "deactivate organization", Subject: org, Attribute: "active", Kind: resource.ErrDenied,
			Detail: "an organization without parent is never deactivated by Weir", Hint: "Leave active out, or write parent"}
	}
	return c.settleTenant(ctx, org, change)
}

// writeTenant makes one call a group of settings. The name goes last: whether the API takes it is not certain, and the
// rest must not depend on it.
func (c *Client) writeTenant(ctx context.Context, org string, planned cty.Value, paths []string) error {
	changes := (&resource.Change{Paths: paths}).Changes
	if changes("package") {
		// The EULA counts as confirmed and an upgrade as bought: `purchases` says that Weir may buy.
		body := map[string]any{"package": folded(resource.Text(planned, "package")), "is_activated": true, "is_eula_confirmed": true} // vendor API description
		if err := c.do(ctx, orgCall("change package", http.MethodPut, org, "package").about(org).with(body).notRepeated()); err != nil {
			return attribute(err, "package")
		}
	}
	if n, ok := resource.Whole(planned, "licenses"); ok && changes("licenses") {
		body := map[string]any{"license_count": n} // vendor API description: the only writable field
		if err := c.do(ctx, orgCall("change licences", http.MethodPut, org, "licensing").about(org).with(body)); err != nil {
			return attribute(err, "licenses")
		}
	}
	if active, ok := resource.Flag(planned, "active"); ok && changes("active") {
		if err := c.do(ctx, orgCall("update organization", http.MethodPatch, org).with(map[string]any{"is_active": active})); err != nil {
			return attribute(err, "active")
		}
	}
	if changes("features") {
		if err := c.writeFeatures(ctx, org, planned, paths); err != nil {
			return err
		}
	}
	if changes("login") {
		if err := c.writeLogin(ctx, org, planned); err != nil {
			return err
		}
	}
	if changes("mfa") {
		if err := c.writeMFA(ctx, org, planned); err != nil {
			return err
		}
	}
	if changes("name") {
		if err := c.do(ctx, orgCall("rename organization", http.MethodPatch, org).with(map[string]any{"name": resource.Text(planned, "name")})); err != nil {
			err = attribute(err, "name")
			var e *resource.Error
			if errors.Is(err, resource.ErrInvalid) && errors.As(err, &e) {
				e.Hint = "The vendor may not let its API rename an organization: rename it in the portal, or write the name that it has"
			}
			return err
		}
	}
	return nil
}

// writeFeatures sends the keys that differ; the vendor merges them (seen in clients).
func (c *Client) writeFeatures(ctx context.Context, org string, planned cty.Value, paths []string) error {
	body := map[string]any{}
	for _, f := range features {
		path := "features." + f.name
		if !(&resource.Change{Paths: paths}).Changes(path) {
			continue
		}
		if f.name == "instant_replay" {
			if n, ok := resource.Whole(planned, path); ok {
				body[f.name] = n
			}
		} else if on, ok := resource.Flag(planned, path); ok {
			body[f.name] = on
		}
	}
	if len(body) == 0 {
		return nil
	}
	err := c.do(ctx, orgCall("switch features", http.MethodPut, org, "features").about(org).with(body))
	var e *resource.Error
	if errors.As(err, &e) {
		names := make([]string, 0, len(body))
		for name := range body {
			names = append(names, name)
		}
		sort.Strings(names)
		e.Attribute = "features"
		if e.Status == http.StatusForbidden {
			e.Hint = fmt.Sprintf("The organization's package may not have %s, or the account may not write: check package", strings.Join(names, ", "))
		}
	}
	return err
}

// writeLogin reads the settings and writes the whole of them, so that what the block does not name stays.
func (c *Client) writeLogin(ctx context.Context, org string, planned cty.Value) error {
	login, err := c.login(ctx, org)
	if err != nil {
		return err
	}
	switch resource.Text(planned, "login.microsoft") {
	case "allowed":
		login.Azure.value, login.ForceAzure.value = true, false
	case "forced":
		login.Azure.value, login.ForceAzure.value = true, true
	case "disabled":
		login.Azure.value, login.ForceAzure.value = false, false
	}
	if local, ok := resource.Flag(planned, "login.local"); ok {
		login.Local.value = local
	}
	if !login.Local.value && !login.Azure.value && login.ForcedIdP == nil {
		return &resource.Error{Op: "update login settings", Subject: org, Attribute: "login", Kind: resource.ErrInvalid,
			Detail: "nobody could log in any more", Hint: "Keep local or microsoft login; the API account itself needs a local password"}
	}
	body := map[string]any{"allow_local_login": login.Local.value, "idp_for_forced_login": login.ForcedIdP,
		"allow_azure_login": login.Azure.value, "force_azure_login": login.ForceAzure.value}
	return attribute(c.do(ctx, orgCall("update login settings", http.MethodPut, org, "authentication", "settings", "login").about(org).with(body)), "login")
}

func (c *Client) writeMFA(ctx context.Context, org string, planned cty.Value) error {
	mfa, err := c.mfa(ctx, org)
	if err != nil {
		return err
	}
	if on, ok := resource.Flag(planned, "mfa.enabled"); ok {
		mfa.Enabled.value = on
	}
	if only, ok := resource.Flag(planned, "mfa.admins_only"); ok {
		mfa.AdminsOnly.value = only
	}
	body := map[string]any{"is_mfa_enabled": mfa.Enabled.value, "mfa_admins_only": mfa.AdminsOnly.value}
	return attribute(c.do(ctx, orgCall("update two-factor settings", http.MethodPut, org, "authentication", "settings", "mfa").about(org).with(body)), "mfa")
}

func attribute(err error, path string) error {
	var e *resource.Error
	if errors.As(err, &e) && e.Attribute == "" {
		e.Attribute = path
	}
	return err
}

// deleteTenant deletes the organization with everything in it. That Weir created it and that its state accounts for all
// of it is the planner's to know; without parent it is refused here too.
func deleteTenant(ctx context.Context, conn *resource.Conn, change *resource.Change) error {
	c, _, err := clientOf(conn)
	if err != nil {
		return err
	}
	org := folded(string(change.ID))
	if conn.Tenant.Parent == "" {
		return &resource.Error{Op: "delete organization", Subject: org, Attribute: "parent", Kind: resource.ErrDenied,
			Detail: "an organization without parent is never deleted by Weir", Hint: "Release it instead"}
	}
	// A domain of another organization would address that one.
	if _, err := c.organization(ctx, org); err != nil {
		if errors.Is(err, errNoOrganization) {
			return nil
		}
		return err
	}
	err = c.do(ctx, orgCall("delete organization", http.MethodDelete, org))
	if errors.Is(err, resource.ErrAbsent) {
		return nil
	}
	return err
}

func customizeTenant(req *resource.PlanRequest) error {
	planned, live := resource.Bare(req.Planned), resource.Bare(req.Live)
	set := func(path string, v cty.Value) { req.Planned = resource.With(req.Planned, path, v) }
	if req.Tenant.Stack != "" {
		set("stack", cty.StringVal(req.Tenant.Stack))
	} else {
		set("stack", cty.NullVal(cty.String))
	}
	data, err := vendordata.Lookup(req.Tenant.Stack, req.Tenant.VendorData)
	if err != nil {
		// A white-label or new stack: what would be vendor data stays null, so that only who uses it is told.
		for _, name := range []string{"delivery_ranges", "mx_hosts", "smart_host", "spf_include"} {
			set(name, cty.NullVal(resource.Find(tenantTable, name).Type))
		}
	} else {
		set("delivery_ranges", resource.StringList(data.DeliveryRanges))
		set("mx_hosts", resource.StringList(data.MXHosts))
		set("smart_host", cty.StringVal(data.SmartHost))
		set("spf_include", cty.StringVal(data.SPFInclude))
	}
	if err := checkLogin(planned); err != nil {
		return err
	}
	if live.IsNull() {
		return nil
	}
	if resource.Text(planned, "purchases") != "allow" {
		for _, name := range []string{"package", "licenses"} {
			want, have := resource.Get(planned, name), resource.Get(live, name)
			a := resource.Find(tenantTable, name)
			if want.IsNull() || !want.IsKnown() || a.Normalize.Apply(want).RawEquals(a.Normalize.Apply(have)) {
				continue
			}
			// What Weir may not buy it does not manage: a difference is a line of the forecast and never drift.
			set(name, cty.NullVal(a.Type))
			req.Forecast = append(req.Forecast, fmt.Sprintf("%s is %s in Essentials and %s in the configuration; it is not bought, since purchases = %q",
				name, spell(have), spell(want), resource.Text(planned, "purchases")))
		}
	}
	return nil
}

func spell(v cty.Value) string {
	switch {
	case v.IsNull():
		return "not set"
	case v.Type() == cty.String:
		return strconv.Quote(v.AsString())
	case v.Type() == cty.Number:
		return v.AsBigFloat().Text('f', -1)
	}
	return v.GoString()
}

func checkLogin(planned cty.Value) error {
	local, ok := resource.Flag(planned, "login.local")
	if ok && !local && resource.Text(planned, "login.microsoft") == "disabled" {
		return &resource.Error{Op: "plan tenant", Subject: resource.Text(planned, "primary_domain"), Attribute: "login", Kind: resource.ErrInvalid,
			Detail: "nobody could log in: both local and Microsoft login are off", Hint: "Keep one of them"}
	}
	return nil
}

// guardTenant holds purchases that nobody allowed, and deleting or deactivating an organization that mail goes to.
func guardTenant(req *resource.GuardRequest) []string {
	live, planned := resource.Bare(req.Live), resource.Bare(req.Planned)
	var reasons []string
	switch req.Action {
	case "create":
		if resource.Text(planned, "purchases") == "refuse" || resource.Text(planned, "purchases") == "" {
			n, _ := resource.Whole(planned, "licenses")
			reasons = append(reasons, fmt.Sprintf("creating the organization buys %d seats of package %q; write purchases = \"onboarding\" to allow it", n, resource.Text(planned, "package")))
		}
	case "delete", "replace":
		if req.Tenant.Parent == "" {
			reasons = append(reasons, "the tenant has no parent: its organization is never deleted")
		}
		if !req.Created {
			reasons = append(reasons, "Weir did not create the organization")
		}
		reasons = append(reasons, receiving(req.Mail)...)
	case "update":
		was, _ := resource.Flag(live, "active")
		if active, ok := resource.Flag(planned, "active"); ok && !active && was {
			reasons = append(reasons, receiving(req.Mail)...)
		}
	}
	return reasons
}

// receiving names the domains whose mail goes to the gateway, or may.
func receiving(mail resource.MailFacts) []string {
	var reasons []string
	for domain, facts := range mail {
		switch {
		case facts.MXAtGateway == nil:
			reasons = append(reasons, fmt.Sprintf("it is not known whether the MX records of %s point at the gateway", domain))
		case *facts.MXAtGateway:
			reasons = append(reasons, fmt.Sprintf("the MX records of %s point at the gateway", domain))
		}
	}
	sort.Strings(reasons)
	return reasons
}
