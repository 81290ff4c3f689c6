package essentials

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

var duration = regexp.MustCompile(`^(\d+[mhdwy])+$`)

const durationHelp = "a duration such as 30d, 24h or 90m"

// frequencies are the values of the portal's "When" (R27), in hours; 0 is Never (vendor API description).
var frequencies = map[string]int{"never": 0, "1h": 1, "3h": 3, "6h": 6, "12h": 12, "24h": 24}

var syncKinds = []string{"active_users", "distribution_groups", "security_groups"}

// syncPolicyTable has two halves. What the block writes, connection apart, is Weir's own policy and never sent as such.
// hosted is what the vendor's own sync is set to; it follows from the policy, and its drift is seen.
var syncPolicyTable = []resource.Attribute{
	{Name: "engine", Type: cty.String, Required: true, Local: true, Enum: []string{"weir", "essentials", "none"},
		Description: "Who writes the accounts: Weir, the vendor's own Azure sync, or nobody."},
	{Name: "new_user_role", Type: cty.String, Optional: true, Local: true, Default: cty.StringVal("end_user"), Enum: []string{"end_user", "silent_user"},
		Description: "What new accounts are (R18, R19).", Label: "Default New User Role"},
	{Name: "sync", Type: cty.Set(cty.String), Optional: true, Local: true, Validate: oneOf(syncKinds),
		Description: "What is brought over: active_users, distribution_groups, security_groups; all three when left out (R20); with engine essentials, a connection that exists keeps what it has.", Label: "What to sync"},
	{Name: "include", Type: directory.PredicateType, Optional: true, Local: true, Description: "Predicate over entry: who is in scope. Only with engine weir."},
	policy("shared_mailboxes", "functional_account", "What a shared mailbox becomes (R38).", "functional_account", "user", "skip"),
	policy("rooms", "skip", "What room and equipment mailboxes become.", "functional_account", "user", "skip"),
	policy("blocked_sign_in", "functional_account", "What becomes of a person whose sign-in is blocked: mail flows on without a seat, mail is refused, or nothing changes (R32).",
		"functional_account", "disable", "keep"),
	policy("gone", "disable", "What becomes of an account whose directory entry is gone.", "disable", "functional_account", "keep", "delete"),
	{Name: "delete_after", Type: cty.String, Optional: true, Local: true, Pattern: duration, PatternHelp: durationHelp,
		Description: "How long after that the account is deleted; left out, never."},
	policy("out_of_scope", "keep", "What becomes of an account whose entry falls out of include.", "keep", "remove"),
	policy("strays", "list", "What becomes of accounts that no directory entry has.", "list", "adopt"),
	{Name: "max_age", Type: cty.String, Optional: true, Local: true, Default: cty.StringVal("3h"), Pattern: duration, PatternHelp: durationHelp,
		Description: "How long directory changes may stay pending before drift says that the sync is not running."},
	policy("on_risk", "report", "What happens when the predicted hosted run exceeds the safeguard. Suspending is only for engine essentials.", "report", "suspend"),
	{Name: "users", Optional: true, Block: true, Local: true, Description: "How users are treated (R21, R22, R25).", Nested: how("Users", "users")},
	{Name: "groups", Optional: true, Block: true, Local: true, Description: "How groups are treated (R23, R24, R26).", Nested: how("Groups", "groups")},
	{Name: "frequency", Type: cty.String, Optional: true, Local: true, Enum: []string{"1h", "3h", "6h", "12h", "24h", "never"},
		Description: "How often the hosted sync runs (R27). With engine weir it is always never.", Label: "When"},
	{Name: "safeguard", Optional: true, Block: true, Local: true, Description: "How much may change; above a limit the removals of the tenant are held, all of them.", Nested: []resource.Attribute{
		limit("max_removals", "Addresses that may stop receiving within the window; left out, what the root's safeguard says, else 5.", "addresses"),
		limit("max_removal_percent", "The same in percent of the owned active accounts; the smaller counts. Left out, what the root's safeguard says, else 10.", "percent"),
		limit("max_conversions", "Accounts that may change their type in one plan; left out, what the root's safeguard says, else 50.", "accounts"),
		limit("max_additions", "Seats that one plan may newly use, since they cost money; left out, what the root's safeguard says, else 500.", "accounts"),
		limit("min_admins", "Active administrators that must remain; left out, what the root's safeguard says, else 1.", "accounts"),
		{Name: "window", Type: cty.String, Optional: true, Local: true, Pattern: duration, PatternHelp: durationHelp, Description: "Time over which removals are counted; left out, what the root's safeguard says, else 24h."},
		{Name: "protected", Type: cty.Set(cty.String), Optional: true, Local: true, Normalize: resource.FoldedSet, Description: "Addresses that never stop receiving."},
		{Name: "allow", Optional: true, Block: true, Local: true, Description: "Lets one reviewed number of removals pass, once.", Nested: []resource.Attribute{
			{Name: "removals", Type: cty.Number, Required: true, Local: true, Validate: atLeast(1), Description: "How many addresses may stop receiving, exactly."},
			{Name: "reason", Type: cty.String, Required: true, Local: true, Description: "Why they may."},
			{Name: "until", Type: cty.String, Required: true, Local: true, Pattern: isoDate, PatternHelp: "a date such as 2026-12-01", Description: "The last day on which it counts, UTC."},
		}},
	}},
	{Name: "connection", Optional: true, Block: true, Description: "The application with which the vendor reads the directory; Microsoft login needs it with any engine (R49, R50).",
		Nested: []resource.Attribute{
			{Name: "application", Optional: true, Description: "The application, such as app_registration.sync.", Nested: []resource.Attribute{
				{Name: "client_id", Type: cty.String, Optional: true, Normalize: foldedText, Label: "Application (client) ID", Description: "The application's client id (R17).", Source: vendorAPI},
				{Name: "secret_value", Type: resource.SecretType, Optional: true, WriteOnly: true, Sensitive: true, Label: "Client Secret Key",
					Description: "The value of the application's secret, not the secret's id (R11).", Source: vendorAPI + ": always masked when read"},
				{Name: "secret_expires", Type: cty.String, Optional: true, Local: true, Description: "When the secret ends (R12)."},
			}},
			{Name: "primary_domain", Type: cty.String, Optional: true, Normalize: foldedText, Label: "Primary Domain", Description: "The Entra tenant's primary domain (R17).", Source: vendorAPI},
		}},
	{Name: "hosted", Computed: true, Description: "What the vendor's own sync is set to. Null members are left as they are.", Nested: []resource.Attribute{
		{Name: "new_user_role", Type: cty.String, Computed: true, Normalize: foldedText, Label: "Default New User Role", Description: "Type of new accounts.", Source: vendorAPI},
		{Name: "sync", Type: cty.Set(cty.String), Computed: true, Normalize: resource.FoldedSet, Label: "What to sync", Description: "Kinds that are brought over.", Source: vendorAPI},
		hostedSwitch("add_users", "Add Users"), hostedSwitch("update_users", "Update Users"), hostedSwitch("remove_users", "Remove Deleted Users"),
		hostedSwitch("add_groups", "Add Groups"), hostedSwitch("update_groups", "Update Groups"), hostedSwitch("remove_groups", "Remove Deleted Groups"),
		{Name: "frequency", Type: cty.String, Computed: true, Label: "When", Description: "How often it runs by itself.", Source: vendorAPI},
	}},
	{Name: "secret_expiry", Type: cty.String, Computed: true, Normalize: resource.Date, Description: "When the stored secret ends, as the vendor knows it (R12).", Source: seenClients},
	{Name: "last_successful_sync", Type: cty.String, Computed: true, Description: "When the hosted sync last succeeded.", Source: seenClients},
}

// hostedDefaults are what new settings of the hosted sync say where the block leaves it out. An organization begins with
// every switch off, with which its sync would bring over nobody (inferred).
var hostedDefaults = map[string]cty.Value{
	"sync":      resource.StringSet(syncKinds),
	"add_users": cty.True, "update_users": cty.True, "add_groups": cty.True, "update_groups": cty.True,
}

func policy(name, otherwise, description string, allowed ...string) resource.Attribute {
	return resource.Attribute{Name: name, Type: cty.String, Optional: true, Local: true, Default: cty.StringVal(otherwise), Enum: allowed, Description: description}
}

func how(what, kind string) []resource.Attribute {
	row := func(name, label, description string) resource.Attribute {
		return resource.Attribute{Name: name, Type: cty.Bool, Optional: true, Local: true, Label: label, Description: description}
	}
	const kept = "with engine essentials a connection that exists keeps what it has"
	return []resource.Attribute{
		row("add", "Add "+what, "Make accounts of new "+kind+"; true when left out, but "+kept+"."),
		row("update", "Update "+what, "Follow changes of "+kind+"; true when left out, but "+kept+"."),
		row("remove", "Remove Deleted "+what, "Treat "+kind+" that are gone as gone says; true when left out. Weir does that itself, under the safeguard; the hosted sync's own switch stays off."),
	}
}

func limit(name, description, unit string) resource.Attribute {
	return resource.Attribute{Name: name, Type: cty.Number, Optional: true, Local: true, Validate: atLeast(0), Unit: unit, Description: description}
}

func hostedSwitch(name, label string) resource.Attribute {
	return resource.Attribute{Name: name, Type: cty.Bool, Computed: true, Label: label, Description: "The portal's \"" + label + "\".", Source: vendorAPI}
}

func oneOf(allowed []string) func(cty.Value) error {
	return func(v cty.Value) error {
		all, _ := resource.Words(cty.ObjectVal(map[string]cty.Value{"v": v}), "v")
		for _, s := range all {
			found := false
			for _, a := range allowed {
				found = found || a == s
			}
			if !found {
				return fmt.Errorf("%q is none of %s", clip(s), strings.Join(allowed, ", "))
			}
		}
		return nil
	}
}

// azureID is the id of the one settings object.
const azureID = resource.ObjectID("azure")

// syncPolicyType is a tenant's directory sync: Weir's policy, and the settings of the vendor's own sync.
func syncPolicyType() *resource.Type {
	return &resource.Type{
		Name: "sync_policy", Provider: "essentials", Attributes: syncPolicyTable, After: []string{"tenant", "domain", "app_registration"},
		Purpose:   "How directory entries become Essentials accounts, and the settings of the vendor's own sync.",
		Singleton: true, Undeletable: true,
		Customize: customizeSyncPolicy,
		Lost:      lostConnection,
		Withhold:  withholdSchedule,
		List: func(ctx context.Context, conn *resource.Conn) ([]resource.Live, error) {
			live, err := readSyncPolicy(ctx, conn, azureID)
			if errors.Is(err, errNoOrganization) {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
			return []resource.Live{live}, nil
		},
		Read:   readSyncPolicy,
		Create: writeSyncPolicy,
		Update: writeSyncPolicy,
	}
}

// withholdSchedule keeps a schedule that begins waiting for the exemptions and accounts of the same run: the vendor's sync
// knows no review (R44), and what it must leave alone has to be said before it runs for the first time.
func withholdSchedule(planned, live cty.Value) (cty.Value, bool) {
	wanted := resource.Text(planned, "hosted.frequency")
	if was := resource.Text(live, "hosted.frequency"); wanted == "" || wanted == "never" || was != "" && was != "never" {
		return planned, false
	}
	return resource.With(planned, "hosted.frequency", cty.StringVal("never")), true
}

// lostConnection reports that the settings were cleared, or name another application than the one whose secret was
// written: the secret is masked when read, but it does not outlive that.
func lostConnection(prior, live cty.Value) bool {
	const path = "connection.application.client_id"
	was := folded(resource.Text(prior, path))
	return was != "" && was != folded(resource.Text(live, path))
}

// azure reads GET /orgs/{d}/settings/azure. Settings that were never made are answered with 404 "no domain or settings
// found" (vendor API description) or an object of defaults (inferred); both give an object without application_id.
func (c *Client) azure(ctx context.Context, org string) (*wireAzure, error) {
	var a wireAzure
	q := orgCall("read sync settings", http.MethodGet, org, "settings", "azure").about("sync settings of " + org)
	err := c.read(ctx, q, func(r io.Reader) error {
		if err := decodeOne(r, &a); err != nil {
			return err
		}
		if !a.Frequency.set && a.ApplicationID != "" {
			// An empty frequency is Never (seen in clients).
			a.Frequency.set = true
		}
		if a.ApplicationID == "" && !a.SyncUsers.set && !a.AddUsers.set && a.DefaultRole == "" && !a.Frequency.set {
			return errors.New("no settings in the answer")
		}
		return nil
	})
	if errors.Is(err, resource.ErrAbsent) && !errors.Is(err, errNoOrganization) {
		return &wireAzure{}, nil
	}
	return &a, err
}

func readSyncPolicy(ctx context.Context, conn *resource.Conn, _ resource.ObjectID) (resource.Live, error) {
	c, org, err := clientOf(conn)
	if err != nil {
		return resource.Live{}, err
	}
	a, err := c.azure(ctx, org)
	if err != nil {
		return resource.Live{}, err
	}
	return syncPolicyLive(a), nil
}

func syncPolicyLive(a *wireAzure) resource.Live {
	v := resource.Null(syncPolicyTable)
	if a.ApplicationID != "" {
		connection := resource.Null(resource.Find(syncPolicyTable, "connection").Nested)
		connection["primary_domain"] = stringValue(a.PrimaryDomain)
		application := resource.Null(resource.Find(resource.Find(syncPolicyTable, "connection").Nested, "application").Nested)
		application["client_id"] = stringValue(a.ApplicationID)
		connection["application"] = cty.ObjectVal(application)
		v["connection"] = cty.ObjectVal(connection)
	}
	kinds := []string{}
	for i, on := range []bool{a.SyncUsers.value, a.SyncDist.value, a.SyncSecurity.value} {
		if on {
			kinds = append(kinds, syncKinds[i])
		}
	}
	v["hosted"] = cty.ObjectVal(map[string]cty.Value{
		"new_user_role": stringValue(flexString(folded(string(a.DefaultRole)))),
		"sync":          resource.StringSet(kinds),
		"add_users":     cty.BoolVal(a.AddUsers.value), "update_users": cty.BoolVal(a.UpdateUsers.value), "remove_users": cty.BoolVal(a.RemoveUsers.value),
		"add_groups": cty.BoolVal(a.AddGroups.value), "update_groups": cty.BoolVal(a.UpdateGroups.value), "remove_groups": cty.BoolVal(a.RemoveGroups.value),
		"frequency": cty.StringVal(frequencyText(a.Frequency.value)),
	})
	if !a.SecretExpiry.IsZero() {
		v["secret_expiry"] = cty.StringVal(a.SecretExpiry.UTC().Format("2006-01-02"))
	}
	if !a.LastSync.IsZero() {
		v["last_successful_sync"] = cty.StringVal(a.LastSync.UTC().Format(time.RFC3339))
	}
	return resource.Live{ID: azureID, Name: "Azure Directory Sync", Value: cty.ObjectVal(v)}
}

func frequencyText(hours int) string {
	if hours == 0 {
		return "never"
	}
	return strconv.Itoa(hours) + "h"
}

// writeSyncPolicy writes connection and hosted settings. A schedule that ends is ended first, on its own; one that begins
// begins last, after the other settings have been read back: at no moment does the vendor run by itself under settings
// that are half one engine's and half the other's.
func writeSyncPolicy(ctx context.Context, conn *resource.Conn, change *resource.Change) (resource.Live, error) {
	c, org, err := clientOf(conn)
	if err != nil {
		return resource.Live{}, err
	}
	have, err := c.azure(ctx, org)
	if err != nil {
		return resource.Live{}, err
	}
	now := bodyOf(have)
	target, err := overlaySync(now, change.Planned)
	if err != nil {
		return resource.Live{}, err
	}
	secret, err := syncSecret(ctx, have, target, change)
	if err != nil {
		return resource.Live{}, err
	}
	if target == now && secret == "" {
		return syncPolicyLive(have), nil
	}
	if target.ApplicationID == "" {
		return resource.Live{}, &resource.Error{Op: "write sync settings", Subject: org, Attribute: "connection", Kind: resource.ErrInvalid,
			Detail: "the vendor has no settings without an application (R17)", Hint: "Write connection { application = … }"}
	}
	if now.Frequency != 0 && target.Frequency == 0 {
		now.Frequency = 0
		if err := c.putAzure(ctx, org, "stop the hosted sync", now, ""); err != nil {
			return resource.Live{}, err
		}
		back, err := c.azure(ctx, org)
		if err != nil {
			return resource.Live{}, err
		}
		if back.Frequency.value != 0 {
			return resource.Live{}, &resource.Error{Op: "stop the hosted sync", Subject: org, Attribute: "frequency", Kind: resource.ErrUnavailable,
				Detail: "the schedule that is read back is not Never, so nothing else was written"}
		}
	}
	if target != now || secret != "" {
		settings := target
		if settings.Frequency != now.Frequency && now.Frequency == 0 {
			settings.Frequency = 0
		}
		if settings != now || secret != "" {
			if err := c.putAzure(ctx, org, "write sync settings", settings, secret); err != nil {
				return resource.Live{}, err
			}
			back, err := c.azure(ctx, org)
			if err != nil {
				return resource.Live{}, err
			}
			if got := bodyOf(back); got != settings && settings != target {
				return resource.Live{}, &resource.Error{Op: "write sync settings", Subject: org, Attribute: "hosted", Kind: resource.ErrUnavailable,
					Detail: "the settings read back are not those written, so the schedule was not started"}
			}
		}
		if settings != target {
			if err := c.putAzure(ctx, org, "start the hosted sync", target, ""); err != nil {
				return resource.Live{}, err
			}
		}
	}
	after, err := c.azure(ctx, org)
	if err != nil {
		return resource.Live{}, err
	}
	return syncPolicyLive(after), nil
}

func (c *Client) putAzure(ctx context.Context, org, op string, body azureBody, secret string) error {
	body.ADKey = secret
	q := orgCall(op, http.MethodPut, org, "settings", "azure").about("sync settings of " + org).with(body).hide(secret)
	return c.do(ctx, q)
}

// bodyOf is what a PUT that changes nothing would send.
func bodyOf(a *wireAzure) azureBody {
	role := folded(string(a.DefaultRole))
	if role == "" {
		role = "end_user"
	}
	return azureBody{
		PrimaryDomain: folded(string(a.PrimaryDomain)), ApplicationID: folded(string(a.ApplicationID)), DisableLogin: a.DisableLogin.value, DefaultRole: role,
		Frequency: a.Frequency.value, SyncUsers: a.SyncUsers.value, SyncDist: a.SyncDist.value, SyncSecurity: a.SyncSecurity.value,
		AddUsers: a.AddUsers.value, UpdateUsers: a.UpdateUsers.value, RemoveUsers: a.RemoveUsers.value,
		AddGroups: a.AddGroups.value, UpdateGroups: a.UpdateGroups.value, RemoveGroups: a.RemoveGroups.value,
	}
}

func overlaySync(b azureBody, planned cty.Value) (azureBody, error) {
	if v := resource.Text(planned, "connection.application.client_id"); v != "" {
		b.ApplicationID = folded(v)
	}
	if v := resource.Text(planned, "connection.primary_domain"); v != "" {
		b.PrimaryDomain = folded(v)
	}
	if v := resource.Text(planned, "hosted.new_user_role"); v != "" {
		b.DefaultRole = v
	}
	if kinds, ok := resource.Words(planned, "hosted.sync"); ok {
		on := toSet(kinds)
		b.SyncUsers, b.SyncDist, b.SyncSecurity = on[syncKinds[0]], on[syncKinds[1]], on[syncKinds[2]]
	}
	for path, field := range map[string]*bool{"add_users": &b.AddUsers, "update_users": &b.UpdateUsers, "remove_users": &b.RemoveUsers,
		"add_groups": &b.AddGroups, "update_groups": &b.UpdateGroups, "remove_groups": &b.RemoveGroups} {
		if on, ok := resource.Flag(planned, "hosted."+path); ok {
			*field = on
		}
	}
	if v := resource.Text(planned, "hosted.frequency"); v != "" {
		hours, ok := frequencies[v]
		if !ok {
			return b, &resource.Error{Op: "write sync settings", Attribute: "frequency", Kind: resource.ErrInvalid, Detail: fmt.Sprintf("%q is no frequency", clip(v))}
		}
		b.Frequency = hours
	}
	return b, nil
}

// syncSecret is the secret to store: when its version differs, when the application does, or when nothing is stored yet.
func syncSecret(ctx context.Context, have *wireAzure, target azureBody, change *resource.Change) (string, error) {
	const path = "connection.application.secret_value"
	ref := resource.SecretOf(resource.Get(change.Planned, path))
	if ref == nil || !change.Changes(path) && folded(string(have.ApplicationID)) == target.ApplicationID {
		return "", nil
	}
	secret, err := change.Secrets.Resolve(ctx, ref)
	if err != nil {
		return "", &resource.Error{Op: "write sync settings", Attribute: path, Err: err, Detail: "the secret cannot be had: " + err.Error()}
	}
	if secret == "" || strings.Trim(secret, "*") == "" {
		return "", &resource.Error{Op: "write sync settings", Attribute: path, Kind: resource.ErrInvalid, Detail: ref.String() + " is empty or masked"}
	}
	return secret, nil
}

// lossesOfWeir are what the vendor's own sync does and the API cannot.
const lossesOfWeir = "with engine weir a group becomes an address without members, mobile numbers are not written (R54), and forced Microsoft login is not assured"

// customizeSyncPolicy derives the hosted settings from the policy, and refuses what the engine cannot honour.
func customizeSyncPolicy(req *resource.PlanRequest) error {
	planned, live := resource.Bare(req.Planned), resource.Bare(req.Live)
	engine := resource.Text(planned, "engine")
	fail := func(attribute, detail, hint string) error {
		return &resource.Error{Op: "plan sync_policy", Subject: req.Tenant.PrimaryDomain, Attribute: attribute, Kind: resource.ErrInvalid, Detail: detail, Hint: hint}
	}
	written := func(path string) bool { return !resource.Get(planned, path).IsNull() }
	frequency := resource.Text(planned, "frequency")
	switch {
	case engine == "weir" && written("frequency") && frequency != "never":
		return fail("frequency", "with engine weir the hosted sync never runs by itself", "Leave frequency out, or write engine = \"essentials\"")
	case engine != "essentials" && resource.Text(planned, "on_risk") == "suspend":
		return fail("on_risk", "only the hosted sync can be suspended", "Leave on_risk out")
	case engine == "essentials" && written("include"):
		return fail("include", "the hosted sync brings over everybody of the kinds it syncs", "Leave include out, or write engine = \"weir\"")
	case engine == "none" && written("frequency"):
		return fail("frequency", "with engine none nothing is said about the hosted sync", "Leave frequency out")
	}
	configured := !live.IsNull() && resource.Text(live, "connection.application.client_id") != ""
	if engine == "essentials" && !configured && !written("connection") {
		return fail("connection", "the hosted sync needs an application (R17)", "Write connection { application = app_registration.NAME, primary_domain = … }")
	}
	if written("connection") && !configured {
		for _, path := range []string{"connection.application", "connection.primary_domain"} {
			if !written(path) {
				return fail(path, "the vendor's settings need application and primary domain (R17)", "Write both")
			}
		}
	}
	hosted := resource.Find(syncPolicyTable, "hosted").ValueType()
	if engine == "none" || !configured && !written("connection") {
		req.Planned = resource.With(req.Planned, "hosted", cty.NullVal(hosted))
		return nil
	}
	h := resource.Null(resource.Find(syncPolicyTable, "hosted").Nested)
	for from, to := range map[string]string{"new_user_role": "new_user_role", "sync": "sync", "users.add": "add_users", "users.update": "update_users",
		"groups.add": "add_groups", "groups.update": "update_groups"} {
		if v := resource.Get(planned, from); !v.IsNull() {
			h[to] = v
		}
	}
	if engine == "essentials" && !configured {
		// Settings that are made now have nothing to be left as.
		for name, v := range hostedDefaults {
			if h[name].IsNull() {
				h[name] = v
			}
		}
	}
	// Removal is never the hosted sync's: it knows no limits (R25, R26, R44).
	h["remove_users"], h["remove_groups"] = cty.False, cty.False
	if engine == "weir" {
		h["frequency"] = cty.StringVal("never")
		if was := resource.Text(live, "hosted.frequency"); was != "" && was != "never" {
			req.Reasons = append(req.Reasons, "the hosted sync, which runs every "+was+" (R27), is stopped; "+lossesOfWeir)
		}
	} else if frequency != "" {
		h["frequency"] = cty.StringVal(frequency)
		if was := resource.Text(live, "hosted.frequency"); frequency != "never" && was != frequency {
			req.Reasons = append(req.Reasons, "the hosted sync will run every "+frequency+" (R27); the schedule starts only when the settings were saved and read back (R30), and a daily report is sent as long as it runs (R29)")
		}
	}
	for _, name := range []string{"remove_users", "remove_groups"} {
		if on, _ := resource.Flag(live, "hosted."+name); on {
			req.Reasons = append(req.Reasons, "the hosted sync's own removals are switched off: it offers no review and knows no limits (R44)")
			break
		}
	}
	if engine == "essentials" && req.Suspend != "" {
		h["frequency"] = cty.StringVal("never")
		req.Reasons = append(req.Reasons, "the schedule is suspended: "+req.Suspend)
	}
	req.Planned = resource.With(req.Planned, "hosted", cty.ObjectVal(h))
	return nil
}
