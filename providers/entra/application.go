package entra

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/vendordata"
)

// Types are the resource types of this package.
func Types() []*resource.Type { return []*resource.Type{appRegistration()} }

const (
	applicationPage = "Microsoft Graph: application resource type (November 2026)"
	consentPage     = "Microsoft Graph: appRoleAssignment and oAuth2PermissionGrant resource types (November 2026)"
	secretPage      = "Microsoft Graph: application: addPassword (November 2026)"
	principalPage   = "Microsoft Graph: servicePrincipal resource type (November 2026)"
	guidePage       = "Proofpoint Essentials: Azure Active Directory (Entra ID) Sync Guide, New API Version"
)

// The defaults of the secret block.
const (
	defaultLifetime     = "2y" // what the vendor's guide chooses (R11)
	defaultRotateBefore = "45d"
)

var (
	spanPattern = regexp.MustCompile(`^[1-9][0-9]{0,4}[ywdh]$`)
	// redirects compares redirect URIs: scheme and host without regard to case, an empty path equal to "/" (RFC 3986,
	// sections 6.2.2.1 and 6.2.3), without order.
	redirects = &resource.Normalizer{Name: "set of URIs", Source: "RFC 3986 sections 6.2.2.1 and 6.2.3", Func: func(v cty.Value) cty.Value {
		if v.IsNull() || !v.IsWhollyKnown() || !v.CanIterateElements() {
			return v
		}
		all := stringsOf(v)
		for i := range all {
			all[i] = canonicalURI(all[i])
		}
		return resource.UnorderedSet.Apply(resource.StringSet(all))
	}}
)

func appRegistration() *resource.Type {
	text := cty.Set(cty.String)
	return &resource.Type{
		Name:     "app_registration",
		Purpose:  "An application of the Entra tenant with service principal, admin consent and a client secret that is renewed in time: what the sync of Essentials signs in with.",
		Provider: "microsoft",
		Attributes: []resource.Attribute{
			{Name: "name", Type: cty.String, Required: true, Label: "Name", Description: "Display name of the application; never what it is recognised by.",
				Pattern: regexp.MustCompile(`^\S(.{0,118}\S)?$`), PatternHelp: "1 to 120 characters without blanks at the ends", Permission: writeApplications, Source: applicationPage},
			{Name: "profile", Type: cty.String, Optional: true, Local: true, Default: cty.StringVal("directory_sync"), Enum: []string{"directory_sync"},
				Description: "The permission set: directory_sync is what the hosted sync of Essentials needs (R8, R9).", Source: guidePage},
			{Name: "redirect_uris", Type: text, Optional: true, Computed: true, Normalize: redirects, Label: "Redirect URIs (Web)",
				Description: "Redirect URIs of the platform Web; left out, the console address of the tenant's stack (R7) and those that an adopted application has.",
				Permission:  writeApplications, Source: guidePage},
			{Name: "permissions", Type: text, Optional: true, Computed: true, Normalize: resource.UnorderedSet, Label: "API permissions",
				Description: "Declared permissions, such as \"Directory.Read.All (application)\"; left out, those of the profile.",
				Permission:  writeApplications, Source: applicationPage},
			{Name: "consent", Type: cty.Bool, Optional: true, Local: true, Default: cty.True, Label: "Grant admin consent",
				Description: "Whether Weir grants the permissions for the whole tenant (R10); false leaves that to a person.", Source: consentPage},
			{Name: "granted", Type: text, Optional: true, Computed: true, Normalize: resource.UnorderedSet, Label: "Status: Granted",
				Description: "Permissions that are consented to for the whole tenant; with consent they follow permissions, and others are revoked.",
				Permission:  grantRoles + ", " + grantScopes, Source: consentPage},
			{Name: "secret", Optional: true, Block: true, Label: "Certificates & secrets", Description: "How long a client secret lives and when it is renewed.", Nested: []resource.Attribute{
				{Name: "lifetime", Type: cty.String, Optional: true, Local: true, Default: cty.StringVal(defaultLifetime), Pattern: spanPattern, PatternHelp: "a number with y, w, d or h",
					Description: "How long a new client secret is valid.", Label: "Expires", Source: secretPage},
				{Name: "rotate_before", Type: cty.String, Optional: true, Local: true, Default: cty.StringVal(defaultRotateBefore), Pattern: spanPattern, PatternHelp: "a number with y, w, d or h",
					Description: "How long before its end a client secret is replaced (R12)."},
			}},
			{Name: "client_id", Type: cty.String, Computed: true, Label: "Application (client) ID", Description: "What the application signs in as.", Source: applicationPage},
			{Name: "object_id", Type: cty.String, Computed: true, Label: "Object ID", Description: "Object id of the application.", Source: applicationPage},
			{Name: "service_principal_id", Type: cty.String, Computed: true, Description: "Object id of the application's service principal; null while there is none.", Source: consentPage},
			{Name: "principal_enabled", Type: cty.Bool, Computed: true, Label: "Enabled for users to sign-in?",
				Description: "Whether the service principal may sign in: a person can switch it off, and that cuts the connection (R62); null while there is none.", Source: principalPage},
			{Name: "audience", Type: cty.String, Computed: true, Label: "Supported account types",
				Description: "Who may sign in to the application; AzureADMyOrg is this directory only (R6).", Source: applicationPage},
			{Name: "secret_value", Type: resource.SecretType, Computed: true, Sensitive: true, Label: "Value", Description: "The client secret, for write-only attributes of other blocks; its value exists only in the run that issues it (R11).", Source: secretPage},
			{Name: "secret_key_id", Type: cty.String, Computed: true, Label: "Secret ID", Description: "Key id of the client secret.", Source: secretPage},
			{Name: "secret_expires", Type: cty.String, Computed: true, Label: "Expires", Description: "When the client secret ends, RFC 3339, UTC.", Source: secretPage},
			{Name: "secrets", Type: cty.Map(cty.String), Computed: true, Description: "End of every client secret that Weir issued and that still stands, by key id.", Source: secretPage},
		},
		// Replicas show a change after seconds to minutes (seen in clients).
		Settle: 2 * time.Minute,
		Adoption: "by what it does: it sends people back to the block's redirect URIs or, without any, to a console of Essentials, " +
			"and declares an application permission of the block's; names prove nothing",
		Match:     matchRegistration,
		Customize: customizeRegistration,
		List:      listRegistrations,
		Read:      readRegistration,
		Create:    createRegistration,
		Update:    updateRegistration,
		Delete:    deleteRegistration,
		Retire:    retireSecrets,
	}
}

// canonicalURI is a URI in the form in which redirect URIs are compared.
func canonicalURI(s string) string {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Host == "" {
		return s
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if u.Path == "/" && u.RawQuery == "" {
		u.Path = ""
	}
	return u.String()
}

// consoleSuffix is below which every console of Essentials lies that is not white-labelled (R7).
const consoleSuffix = ".proofpointessentials.com"

// matchRegistration recognises the application that a block means by what it does: it sends people back to the console,
// and it declares an application permission of the block's. Names are free and prove nothing.
func matchRegistration(config, live cty.Value) bool {
	var have []string
	for _, u := range stringsOf(resource.Get(live, "redirect_uris")) {
		have = append(have, canonicalURI(u))
	}
	want := stringsOf(resource.Get(config, "redirect_uris"))
	meets := func(u string) bool { return slices.Contains(have, canonicalURI(u)) }
	if len(want) == 0 {
		want = have
		meets = func(s string) bool {
			u, err := url.Parse(s)
			return err == nil && strings.HasSuffix(u.Hostname(), consoleSuffix)
		}
	}
	if !slices.ContainsFunc(want, meets) {
		return false
	}
	permissions := stringsOf(resource.Get(config, "permissions"))
	if len(permissions) == 0 {
		permissions = profiles[profileOf(config)]
	}
	applications := slices.DeleteFunc(slices.Clone(permissions), func(p string) bool { return !strings.HasSuffix(p, "(application)") })
	if len(applications) == 0 {
		applications = permissions
	}
	declared := stringsOf(resource.Get(live, "permissions"))
	return slices.ContainsFunc(applications, func(p string) bool { return slices.Contains(declared, p) })
}

func profileOf(v cty.Value) string {
	if p := resource.Text(resource.Get(v, "profile"), ""); p != "" {
		return p
	}
	return "directory_sync"
}

// customizeRegistration fills what follows from profile and stack, and decides whether the client secret stays.
func customizeRegistration(req *resource.PlanRequest) error {
	set := func(name string, v cty.Value) { req.Planned = resource.With(req.Planned, name, v) }
	if resource.Get(req.Config, "redirect_uris").IsNull() {
		uris, err := defaultRedirects(req)
		if err != nil {
			return err
		}
		set("redirect_uris", uris)
	}
	if resource.Get(req.Config, "permissions").IsNull() {
		set("permissions", resource.StringSet(profiles[profileOf(req.Planned)]))
	}
	if resource.Get(req.Config, "granted").IsNull() {
		granted := resource.Get(req.Planned, "permissions")
		if consent := resource.Get(req.Planned, "consent"); consent.IsKnown() && !consent.IsNull() && consent.False() {
			waitForConsent(req, stringsOf(granted))
			granted = cty.NullVal(cty.Set(cty.String))
		}
		set("granted", granted)
	}
	for _, name := range []string{"permissions", "granted"} {
		if _, err := parsePermissions(stringsOf(resource.Get(req.Planned, name))); err != nil {
			return &resource.Error{Op: name, Attribute: name, Kind: resource.ErrInvalid, Err: err}
		}
	}
	_, before, err := secretSpans(req.Planned, req.Now)
	if err != nil {
		return err
	}
	if req.Live.IsNull() {
		return nil
	}
	why, keep, expires := rotation(req, before)
	if why != "" {
		set("secret_value", cty.UnknownVal(resource.SecretType))
		for _, name := range []string{"secret_key_id", "secret_expires"} {
			set(name, cty.UnknownVal(cty.String))
		}
		// secrets stays as it is read: what it will be also depends on when the replaced one is removed.
		req.Reasons, req.Force = append(req.Reasons, why), true
		return nil
	}
	set("secret_key_id", cty.StringVal(keep))
	set("secret_expires", cty.StringVal(expires))
	if strays := len(textMap(resource.Get(req.Live, "secrets"))) - 1; strays > 0 {
		req.Reasons, req.Force = append(req.Reasons, fmt.Sprintf("%d client secret(s) that Weir issued and nobody uses are removed", strays)), true
	}
	return nil
}

// waitForConsent says where a person consents, as long as something is missing of an application that exists.
func waitForConsent(req *resource.PlanRequest, want []string) {
	client := resource.Text(resource.Get(req.Live, "client_id"), "")
	if req.Live.IsNull() || client == "" {
		return
	}
	have := stringsOf(resource.Get(req.Live, "granted"))
	missing := slices.DeleteFunc(want, func(p string) bool { return slices.Contains(have, p) })
	if len(missing) == 0 {
		return
	}
	slices.Sort(missing)
	req.Waits = append(req.Waits, fmt.Sprintf("consent to %s waits for a Global Administrator (R5), at Microsoft's page for it (R66): https://login.microsoftonline.com/%s/adminconsent?client_id=%s",
		strings.Join(missing, ", "), url.PathEscape(req.Tenant.EntraTenantID), url.QueryEscape(client)))
}

// defaultRedirects is the console's address and what the application had when it was adopted: an address that somebody
// adds later would receive sign-ins, so it is drift.
func defaultRedirects(req *resource.PlanRequest) (cty.Value, error) {
	data, err := vendordata.Lookup(req.Tenant.Stack, req.Tenant.VendorData)
	if err != nil {
		return cty.NilVal, &resource.Error{Op: "redirect_uris", Attribute: "redirect_uris", Kind: resource.ErrInvalid, Err: err,
			Hint: "Write redirect_uris with the address of the Essentials console (R7)"}
	}
	have := stringsOf(resource.Get(req.Prior, "redirect_uris"))
	if req.Prior.IsNull() {
		have = stringsOf(resource.Get(req.Live, "redirect_uris"))
	}
	if !slices.ContainsFunc(have, func(u string) bool { return canonicalURI(u) == canonicalURI(data.ConsoleURL) }) {
		have = append(have, data.ConsoleURL)
	}
	return resource.StringSet(have), nil
}

// secretSpans reads the secret block; without one its defaults hold, since the sync needs a secret (R11).
func secretSpans(planned cty.Value, now time.Time) (lifetime, before span, err error) {
	read := func(name, otherwise string) (span, error) {
		s := resource.Text(resource.Get(planned, "secret."+name), "")
		if s == "" {
			s = otherwise
		}
		out, err := parseSpan(s)
		if err != nil {
			return out, &resource.Error{Op: "secret." + name, Attribute: "secret." + name, Kind: resource.ErrInvalid, Err: err}
		}
		return out, nil
	}
	if lifetime, err = read("lifetime", defaultLifetime); err != nil {
		return
	}
	if before, err = read("rotate_before", defaultRotateBefore); err != nil {
		return
	}
	if !before.before(lifetime.after(now)).After(now) {
		err = &resource.Error{Op: "secret.rotate_before", Attribute: "secret.rotate_before", Kind: resource.ErrInvalid,
			Detail: "rotate_before is not shorter than lifetime: a new secret would be due at once"}
	}
	return
}

// rotation says why a new secret must be issued; "" when the remembered one, keep, stays.
func rotation(req *resource.PlanRequest, before span) (why, keep, expires string) {
	standing := textMap(resource.Get(req.Live, "secrets"))
	remembered := resource.Text(resource.Get(req.Prior, "secret_key_id"), "")
	end, ok := standing[remembered]
	switch {
	case remembered == "":
		return "a client secret is issued: the value of an existing one cannot be read (R11)", "", ""
	case !ok:
		return fmt.Sprintf("client secret %s is gone; a new one is issued, since a value can be read only then (R11)", remembered), "", ""
	case req.Undelivered:
		return "a client secret was issued earlier and did not reach everything that uses it; a new one is issued", "", ""
	}
	at, err := time.Parse(time.RFC3339, end)
	if err == nil && req.Now.After(before.before(at)) {
		return fmt.Sprintf("the client secret ends on %s and is replaced before that (R12)", at.Format(time.DateOnly)), "", ""
	}
	return "", remembered, end
}

// candidate reports whether an application could be one that a block means: only those have their consent read.
func (r *registration) candidate() bool {
	if strings.HasPrefix(r.uniqueName, ourPrefix) || slices.ContainsFunc(r.passwords, password.ours) {
		return true
	}
	for _, u := range r.redirectURIs {
		if p, err := url.Parse(u); err == nil && strings.HasSuffix(strings.ToLower(p.Hostname()), consoleSuffix) {
			return true
		}
	}
	return slices.ContainsFunc(r.declared, func(p permission) bool {
		return slices.Contains(profiles["directory_sync"], p.String()) && p.role
	})
}

// live is the object as the planner sees it. sp is "" and g nil when there is no service principal; enabled is of it.
func (r *registration) live(sp string, enabled bool, g *grants) resource.Live {
	members := resource.Null(appRegistration().Attributes)
	members["name"] = cty.StringVal(r.name)
	members["redirect_uris"] = resource.StringSet(r.redirectURIs)
	members["permissions"] = resource.StringSet(textsOf(r.declared))
	members["client_id"], members["object_id"] = cty.StringVal(r.appID), cty.StringVal(r.id)
	if sp != "" {
		members["service_principal_id"], members["principal_enabled"] = cty.StringVal(sp), cty.BoolVal(enabled)
	}
	if r.audience != "" {
		members["audience"] = cty.StringVal(r.audience)
	}
	members["granted"] = cty.SetValEmpty(cty.String)
	if g != nil {
		members["granted"] = resource.StringSet(textsOf(g.permissions()))
	}
	ends := map[string]cty.Value{}
	var newest *password
	for i := range r.passwords {
		p := &r.passwords[i]
		if !p.ours() {
			continue
		}
		ends[p.keyID] = cty.StringVal(p.end.Format(time.RFC3339))
		if newest == nil || p.start.After(newest.start) || p.start.Equal(newest.start) && p.keyID > newest.keyID {
			newest = p
		}
	}
	members["secrets"] = cty.MapValEmpty(cty.String)
	if newest != nil {
		members["secrets"] = cty.MapVal(ends)
		members["secret_key_id"], members["secret_expires"] = cty.StringVal(newest.keyID), cty.StringVal(newest.end.Format(time.RFC3339))
	}
	return resource.Live{ID: resource.ObjectID(r.id), Name: r.name, Value: cty.ObjectVal(members)}
}

// complete reads what belongs to an application.
func (c *Client) complete(ctx context.Context, r *registration) (resource.Live, error) {
	sp, err := c.principal(ctx, r.appID)
	if err != nil {
		return resource.Live{}, err
	}
	if sp == "" {
		return r.live("", false, nil), nil
	}
	g, err := c.grantsOf(ctx, sp)
	if err != nil {
		// The application exists; only something that belongs to it could not be read, or went while it was.
		return resource.Live{}, unsettled(err)
	}
	return r.live(sp, c.mayAct(sp), g), nil
}

// unsettled turns the absence of a part into "unavailable": it must not count as the absence of the whole.
func unsettled(err error) error {
	var e *resource.Error
	if errors.As(err, &e) && e.Kind == resource.ErrAbsent {
		changed := *e
		changed.Kind = resource.ErrUnavailable
		return &changed
	}
	return err
}

func listRegistrations(ctx context.Context, conn *resource.Conn) ([]resource.Live, error) {
	c, err := inTenant(ctx, conn)
	if err != nil {
		return nil, err
	}
	all, err := c.registrations(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]resource.Live, 0, len(all))
	for _, r := range all {
		if !r.candidate() {
			out = append(out, r.live("", false, nil))
			continue
		}
		live, err := c.complete(ctx, r)
		if err != nil {
			return nil, err
		}
		out = append(out, live)
	}
	return out, nil
}

// readRegistration believes an absence only when it is confirmed: replicas that lag answer 404 for what was just made.
func readRegistration(ctx context.Context, conn *resource.Conn, id resource.ObjectID) (resource.Live, error) {
	c, err := inTenant(ctx, conn)
	if err != nil {
		return resource.Live{}, err
	}
	r, err := c.confirmed(ctx, string(id))
	if err != nil {
		return resource.Live{}, failure("read application", string(id), readApplications, err)
	}
	return c.complete(ctx, r)
}

func (c *Client) confirmed(ctx context.Context, id string) (*registration, error) {
	if !guid.MatchString(id) {
		return nil, &resource.Error{Op: "read application", Subject: id, Kind: resource.ErrInvalid, Detail: "it is no object id"}
	}
	r, err := c.registration(ctx, "/"+id)
	if !absent(err) {
		return r, err
	}
	if at, deletedErr := c.DeletedAt(ctx, id); !at.IsZero() {
		return nil, err
	} else if deletedErr != nil {
		return nil, deletedErr
	}
	return c.registration(ctx, "/"+id)
}

// uniqueName is a stable name for the application of a block: a create whose answer was lost meets the same application
// again, even before lists show it.
func uniqueName(address string, redirectURIs []string) string {
	parts := []string{address}
	for _, u := range redirectURIs {
		parts = append(parts, canonicalURI(u))
	}
	slices.Sort(parts[1:])
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return ourPrefix + hex.EncodeToString(sum[:12])
}

// remains is how old an application of our unique name may be to count as what a lost create left.
const remains = time.Hour

func createRegistration(ctx context.Context, conn *resource.Conn, change *resource.Change) (resource.Live, error) {
	c, err := inTenant(ctx, conn)
	if err != nil {
		return resource.Live{}, err
	}
	const op = "create application"
	w, err := writeOf(change, true)
	if err != nil {
		return resource.Live{}, err
	}
	name := uniqueName(change.Address, *w.redirectURIs)
	before, err := c.registration(ctx, "(uniqueName='"+name+"')")
	switch {
	case absent(err):
	case err != nil:
		return resource.Live{}, failure(op, change.Address, readApplications, err)
	case change.Now.Sub(before.created) > remains:
		return resource.Live{}, &resource.Error{Op: op, Subject: before.name, Kind: resource.ErrConflict,
			Detail: fmt.Sprintf("an older application (object id %s) was made for this block and still exists", before.id),
			Hint:   "Import it, delete it, or replace it without create_before_destroy"}
	}
	r, err := c.upsert(ctx, name, w)
	if conflicting(err) {
		// A deleted application may go on holding its name for 30 days; whether it does is not documented.
		name += "-" + shortened(change.Operation)
		r, err = c.upsert(ctx, name, w)
	}
	if err != nil {
		return resource.Live{}, failure(op, change.Address, writeApplications, err)
	}
	if r == nil {
		err = c.eventually(ctx, func() (err error) { r, err = c.registration(ctx, "(uniqueName='"+name+"')"); return err }, absent)
		if err != nil {
			return resource.Live{}, begun(op, failure(op, change.Address, readApplications, err))
		}
	}
	live, err := c.finish(ctx, r, change, true)
	if err != nil {
		return resource.Live{}, begun(op, err)
	}
	return live, nil
}

// begun marks the failure of a later step of a create: the application exists by then, and the next run must take it for
// Weir's own.
func begun(op string, err error) error {
	err = unsettled(err)
	return &resource.Error{Op: op, Kind: resource.ErrAmbiguous, Err: err, Detail: "the application was made, and then: " + err.Error(),
		Hint: "Apply again: it goes on from there"}
}

func shortened(operation string) string {
	sum := sha256.Sum256([]byte(operation))
	return hex.EncodeToString(sum[:4])
}

// writeOf makes the body of a change from its planned value: of a create everything, of an update what differs.
func writeOf(change *resource.Change, create bool) (write, error) {
	var w write
	if create || change.Changes("name") {
		name := resource.Text(resource.Get(change.Planned, "name"), "")
		w.name = &name
	}
	if create || change.Changes("redirect_uris") {
		uris := stringsOf(resource.Get(change.Planned, "redirect_uris"))
		w.redirectURIs = &uris
	}
	if create || change.Changes("permissions") {
		permissions, err := parsePermissions(stringsOf(resource.Get(change.Planned, "permissions")))
		if err != nil {
			return w, &resource.Error{Op: "permissions", Attribute: "permissions", Kind: resource.ErrInvalid, Err: err}
		}
		w.permissions = &permissions
	}
	if create {
		audience := "AzureADMyOrg" // this directory only (R6)
		w.audience = &audience
	}
	return w, nil
}

func updateRegistration(ctx context.Context, conn *resource.Conn, change *resource.Change) (resource.Live, error) {
	c, err := inTenant(ctx, conn)
	if err != nil {
		return resource.Live{}, err
	}
	const op = "update application"
	r, err := c.confirmed(ctx, string(change.ID))
	if err != nil {
		return resource.Live{}, failure(op, change.Address, readApplications, err)
	}
	w, err := writeOf(change, false)
	if err != nil {
		return resource.Live{}, err
	}
	if w.name != nil || w.redirectURIs != nil || w.permissions != nil {
		if err := c.patch(ctx, r, w); err != nil {
			return resource.Live{}, failure(op, change.Address, writeApplications, err)
		}
	}
	return c.finish(ctx, r, change, false)
}

// finish brings everything that belongs to an application to where it is planned: service principal, consent, secret.
func (c *Client) finish(ctx context.Context, r *registration, change *resource.Change, create bool) (resource.Live, error) {
	sp, err := c.principal(ctx, r.appID)
	if err != nil {
		return resource.Live{}, unsettled(err)
	}
	granted := resource.Get(change.Planned, "granted")
	var consented *grants
	if create || change.Changes("granted") {
		if sp, err = c.ensurePrincipal(ctx, r.appID); err != nil {
			return resource.Live{}, unsettled(err)
		}
		if !granted.IsNull() && granted.IsKnown() {
			want, err := parsePermissions(stringsOf(granted))
			if err != nil {
				return resource.Live{}, &resource.Error{Op: "granted", Attribute: "granted", Kind: resource.ErrInvalid, Err: err}
			}
			if consented, err = c.consent(ctx, sp, want); err != nil {
				return resource.Live{}, unsettled(err)
			}
		}
	}
	issued, err := c.secret(ctx, r, change)
	if err != nil {
		return resource.Live{}, err
	}
	if sp != "" && consented == nil {
		if err := c.eventually(ctx, func() (err error) { consented, err = c.grantsOf(ctx, sp); return err }, errorAbsent); err != nil {
			return resource.Live{}, unsettled(err)
		}
	}
	id := r.id
	if err := c.eventually(ctx, func() (err error) { r, err = c.registration(ctx, "/"+id); return err }, absent); err != nil {
		return resource.Live{}, unsettled(failure("read application", id, readApplications, err))
	}
	if issued != nil {
		r.passwords = slices.DeleteFunc(r.passwords, func(p password) bool { return p.keyID == issued.keyID })
		issued.start = latest(r.passwords, issued.start)
		r.passwords = append(r.passwords, *issued)
	}
	return r.live(sp, c.mayAct(sp), consented), nil
}

// latest is a start that makes an issued secret the newest of ours.
func latest(all []password, start time.Time) time.Time {
	for _, p := range all {
		if p.ours() && !p.start.Before(start) {
			start = p.start.Add(time.Nanosecond)
		}
	}
	return start
}

// secret issues a client secret when the plan leaves its key id open, and otherwise removes those of ours that are not the
// planned one. The replaced secret stays until its consumers have the new one: retireSecrets removes it.
func (c *Client) secret(ctx context.Context, r *registration, change *resource.Change) (*password, error) {
	keep := resource.Text(resource.Get(change.Planned, "secret_key_id"), "")
	if keep != "" {
		if !slices.ContainsFunc(r.passwords, func(p password) bool { return p.ours() && strings.EqualFold(p.keyID, keep) }) {
			return nil, &resource.Error{Op: "keep client secret", Subject: keep, Kind: resource.ErrConflict, Detail: "it is gone since the plan was made", Hint: "Plan again: a new one is issued"}
		}
		return nil, c.sweep(ctx, r, map[string]bool{strings.ToLower(keep): true})
	}
	lifetime, _, err := secretSpans(change.Planned, change.Now)
	if err != nil {
		return nil, err
	}
	var p password
	var text string
	err = c.eventually(ctx, func() (err error) {
		p, text, err = c.addPassword(ctx, r.id, ourPrefix+change.Operation, lifetime.after(change.Now))
		return err
	}, absent)
	if err != nil {
		err = unsettled(failure("issue client secret", change.Address, writeApplications, err))
		var e *resource.Error
		if a := answerOf(err); errors.As(err, &e) && a != nil && a.code == lifetimeTooLong {
			e.Attribute = "secret.lifetime"
		}
		return nil, err
	}
	change.Secrets.Issue(change.Address+"#secret_value", p.keyID, text)
	return &p, nil
}

// sweep removes the secrets that Weir issued and that are not among keep. Secrets of others are never touched.
func (c *Client) sweep(ctx context.Context, r *registration, keep map[string]bool) error {
	for _, p := range r.passwords {
		if !p.ours() || keep[strings.ToLower(p.keyID)] {
			continue
		}
		if err := c.removePassword(ctx, r.id, p.keyID); err != nil {
			return unsettled(failure("remove client secret", p.keyID, writeApplications, err))
		}
	}
	return nil
}

func retireSecrets(ctx context.Context, conn *resource.Conn, change *resource.Change) error {
	c, err := inTenant(ctx, conn)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	if id := change.Keep["secret_value"]; id != "" {
		keep[strings.ToLower(id)] = true
	}
	if len(keep) == 0 {
		return &resource.Error{Op: "remove client secrets", Subject: change.Address, Kind: resource.ErrInvalid, Detail: "it is not known which one must stay, so all of them do"}
	}
	r, err := c.registration(ctx, "/"+string(change.ID))
	if err != nil {
		return unsettled(failure("read application", change.Address, readApplications, err))
	}
	if !slices.ContainsFunc(r.passwords, func(p password) bool { return keep[strings.ToLower(p.keyID)] }) {
		// A replica that does not show the new secret yet would have the old one removed all the same, but nothing proves
		// that the new one stands.
		return &resource.Error{Op: "remove client secrets", Subject: change.Address, Kind: resource.ErrUnavailable, Detail: "the one that must stay is not visible yet"}
	}
	return c.sweep(ctx, r, keep)
}

// deleteRegistration moves the application to the deleted items, from where it can be restored for 30 days.
func deleteRegistration(ctx context.Context, conn *resource.Conn, change *resource.Change) error {
	c, err := inTenant(ctx, conn)
	if err != nil {
		return err
	}
	if !guid.MatchString(string(change.ID)) {
		return &resource.Error{Op: "delete application", Subject: string(change.ID), Kind: resource.ErrInvalid, Detail: "it is no object id"}
	}
	err = c.deleteRegistration(ctx, string(change.ID))
	if absent(err) {
		return nil
	}
	return failure("delete application", change.Address, writeApplications, err)
}
