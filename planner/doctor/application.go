package doctor

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// What the hosted sync's application declares (R8, R9), and what the vendor's guide unticks.
var (
	delegatedPermissions   = []string{"Directory.Read.All (delegated)", "Group.Read.All (delegated)", "User.ReadBasic.All (delegated)"}
	applicationPermissions = []string{"Directory.Read.All (application)"}
	untickedPermission     = "User.Read (delegated)"
)

// integrationOnly are application permissions that only the integration's own application needs (R65): on the sync's they
// give away more than it uses.
var integrationOnly = []string{
	"AppRoleAssignment.ReadWrite.All", "Application.Read.All", "EntitlementManagement.ReadWrite.All", "Exchange.ManageAsApp",
	"Mail.ReadWrite", "RoleManagement.ReadWrite.Directory",
}

// legacyGraph is the client id of the retired Azure AD Graph.
const legacyGraph = "00000002-0000-0000-c000-000000000000"

// application looks at the application that Essentials reads the directory with.
func (x *examination) application() {
	if x.clientID == "" || !x.known("app_registration") {
		return
	}
	if x.app == cty.NilVal {
		x.find("R14", x.clientID, "Essentials connects with an application that the directory does not have, so no run of the hosted sync and no Microsoft login succeeds",
			"Register a new application and save it in the connection; a person may see \"We have come across a problem\" until then:\n\n    connection {\n      application = app_registration.NAME\n    }")
		return
	}
	name := text(x.app, "name")
	if name == "" {
		name = x.clientID
	}
	if audience := text(x.app, "audience"); audience != "" && audience != "AzureADMyOrg" {
		x.find("R6", name, fmt.Sprintf("The application lets in accounts of other directories (%s); the sync wants accounts of this one only", audience),
			"In Entra: App registrations, "+name+", Authentication, Supported account types: this organizational directory only")
	}
	x.redirect(name)
	x.permissions(name)
	if enabled, set := flag(x.app, "principal_enabled"); text(x.app, "service_principal_id") == "" {
		x.find("R62", name, "The application has no service principal in this directory: somebody removed it, and with it the connection",
			"Grant consent again, which makes it anew:\n\n    weir apply")
	} else if set && !enabled {
		x.find("R62", name, "The application's service principal is disabled: somebody switched it off, and with it the connection",
			"In Entra: Enterprise applications, "+name+", Properties, Enabled for users to sign-in: Yes")
	}
}

func (x *examination) redirect(name string) {
	if x.Gateway.ConsoleURL == "" {
		return
	}
	console, err := url.Parse(x.Gateway.ConsoleURL)
	if err != nil {
		return
	}
	for _, have := range words(x.app, "redirect_uris") {
		if u, err := url.Parse(have); err == nil && strings.EqualFold(u.Hostname(), console.Hostname()) {
			return
		}
	}
	x.find("R7", name, "None of the application's redirect URIs (platform Web) is the console "+x.Gateway.ConsoleURL+", so nobody can log in with Microsoft",
		"Add it, or leave redirect_uris out of the block so that Weir does:\n\n    weir apply --target app_registration.NAME")
}

func (x *examination) permissions(name string) {
	declared, granted := words(x.app, "permissions"), words(x.app, "granted")
	missing := func(want, have []string) []string {
		return slices.DeleteFunc(slices.Clone(want), func(p string) bool { return slices.Contains(have, p) })
	}
	const declare = "Declare them, with the profile of the sync:\n\n    app_registration \"sync\" {\n      profile = \"directory_sync\"\n    }"
	if m := missing(delegatedPermissions, declared); len(m) > 0 {
		x.find("R8", name, "The application does not declare "+strings.Join(m, ", "), declare)
	}
	if slices.Contains(declared, untickedPermission) {
		x.find("R8", name, "The application declares "+untickedPermission+", which the vendor's guide unticks", declare)
	}
	if m := missing(applicationPermissions, declared); len(m) > 0 {
		x.find("R9", name, "The application does not declare "+strings.Join(m, ", ")+", without which the hosted sync reads nothing", declare)
	}
	wanted := slices.Concat(applicationPermissions, delegatedPermissions)
	if m := missing(wanted, granted); len(m) > 0 && len(missing(m, declared)) < len(m) {
		m = slices.DeleteFunc(m, func(p string) bool { return !slices.Contains(declared, p) })
		x.find("R10", name, "Admin consent is missing for "+strings.Join(m, ", ")+": the hosted sync fails with Authorization_RequestDenied",
			"Let Weir grant it (consent = true), or have a Global Administrator open (R5, R66)\n\n    "+adminConsent(x.Tenant.EntraTenantID, x.clientID))
	}
	if slices.ContainsFunc(declared, func(p string) bool { return strings.HasPrefix(p, legacyGraph+"/") }) {
		x.find("R13", name, "The application declares permissions of Azure AD Graph, which is retired; \"Failed to connect. Please check your … Credential\" can mean that",
			"Remove them, and declare those of Microsoft Graph. "+declare)
	}
	var excess []string
	for _, p := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(declared, granted)))) {
		bare, application := strings.CutSuffix(p, " (application)")
		bare = bare[strings.LastIndexByte(bare, '/')+1:] // of another resource than Microsoft Graph
		if application && slices.Contains(integrationOnly, bare) {
			excess = append(excess, bare)
		}
	}
	if len(excess) > 0 {
		x.find("R65", name, "The sync's application has "+strings.Join(excess, ", ")+", which only the application of the Microsoft 365 integration needs: they are two",
			"Take them away. "+declare)
	}
}

// adminConsent is the page at which an administrator consents for the whole directory (Microsoft: "Grant tenant-wide admin
// consent to an application", November 2026).
func adminConsent(tenant, client string) string {
	if tenant == "" {
		tenant = "organizations"
	}
	return "https://login.microsoftonline.com/" + url.PathEscape(tenant) + "/adminconsent?client_id=" + url.QueryEscape(client)
}

// notice is how long before its end a secret is worth a finding: a rotation declared with Weir's defaults comes earlier.
const notice = 30 * 24 * time.Hour

// secret looks at the end of the secret that Essentials holds.
func (x *examination) secret() {
	if x.clientID == "" {
		return
	}
	end, err := time.Parse(time.DateOnly, text(x.settings, "secret_expiry"))
	if err != nil {
		return
	}
	const cure = "Have a new one issued and written in time:\n\n    app_registration \"sync\" {\n      secret {\n        lifetime      = \"2y\"\n        rotate_before = \"45d\"\n      }\n    }"
	switch {
	case x.Now.After(end):
		x.find("R12", "client secret", "The client secret that Essentials has ended on "+end.Format(time.DateOnly)+": additions and removals of the hosted sync have stopped", cure)
	case x.Now.Add(notice).After(end):
		x.find("R12", "client secret", "The client secret that Essentials has ends on "+end.Format(time.DateOnly)+", and then the hosted sync stops", cure)
	}
}
