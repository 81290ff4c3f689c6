package hosted

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// DecodeSettings reads the value of a sync_policy, live or planned: what the vendor's sync is set to. An application that
// is still to be made counts as one.
func DecodeSettings(v cty.Value) Settings {
	v = resource.Bare(v)
	if v.IsNull() || !v.IsKnown() {
		return Settings{}
	}
	client := resource.Get(v, "connection.application.client_id")
	s := Settings{
		Configured: client != cty.NilVal && (!client.IsKnown() || resource.Text(client, "") != ""),
		Role:       directory.AccountType(resource.Text(v, "hosted.new_user_role")),
	}
	if s.Role == "" {
		s.Role = directory.EndUser
	}
	kinds, _ := resource.Words(v, "hosted.sync")
	s.SyncUsers = slices.Contains(kinds, "active_users")
	s.SyncDistribution = slices.Contains(kinds, "distribution_groups")
	s.SyncSecurity = slices.Contains(kinds, "security_groups")
	for path, field := range map[string]*bool{"add_users": &s.AddUsers, "update_users": &s.UpdateUsers, "remove_users": &s.RemoveUsers,
		"add_groups": &s.AddGroups, "update_groups": &s.UpdateGroups, "remove_groups": &s.RemoveGroups} {
		*field, _ = resource.Flag(v, "hosted."+path)
	}
	s.Frequency = Frequency(resource.Text(v, "hosted.frequency"))
	s.LastRun, _ = time.Parse(time.RFC3339, resource.Text(v, "last_successful_sync"))
	return s
}

// Connection is what is known of the vendor's access to the directory.
type Connection struct {
	// Policy is the value of the sync_policy, live or planned.
	Policy cty.Value
	// Renewed says that a secret is written before the run, so that what is known of the stored one does not count.
	Renewed bool
	// Applications are the values of the tenant's app_registrations, live or planned; nil when they were not read.
	Applications []cty.Value
	// Organization is the value of the tenant, live; cty.NilVal when it was not read.
	Organization cty.Value
	// Domains are the directory's verified domains; nil when they were not read.
	Domains []string
	Now     time.Time
}

// readAll is the permission without which the sync reads nothing (R9).
const readAll = "Directory.Read.All (application)"

// Check says why no run can succeed, or, when nothing that can be read speaks against it, what may make runs fail and
// cannot be read; both "" when there is no sign of trouble.
func (c Connection) Check() (fails, doubt string) {
	v := resource.Bare(c.Policy)
	if active, read := resource.Flag(c.Organization, "active"); read && !active {
		return "the organization is not active", ""
	}
	if url := resource.Text(c.Organization, "ldap_url"); url != "" {
		return "the organization is connected to an on-premises directory too (R4)", ""
	}
	client := resource.Text(v, "connection.application.client_id")
	if client == "" {
		return "", "" // not configured, or still to be made by the same plan
	}
	if domain := directory.Fold(resource.Text(v, "connection.primary_domain")); domain != "" && c.Domains != nil && !slices.Contains(c.Domains, domain) {
		return fmt.Sprintf("the directory has no verified domain %s, under which the sync looks for it (R17)", domain), ""
	}
	if !c.Renewed {
		if fails, doubt = c.secret(v); fails != "" {
			return fails, ""
		}
	}
	if c.Applications == nil {
		return "", doubt
	}
	for _, a := range c.Applications {
		id := resource.Get(a, "client_id")
		if id == cty.NilVal || !id.IsKnown() || !strings.EqualFold(resource.Text(id, ""), client) {
			continue
		}
		if !has(a, "permissions") {
			return "", orElse(doubt, "the application does not declare Directory.Read.All (R9), so whether it was consented to was not read")
		}
		principal, granted := resource.Get(a, "service_principal_id"), resource.Get(a, "granted")
		switch {
		case !principal.IsKnown() || !granted.IsKnown():
		case principal.IsNull():
			return "the application has no service principal in the directory: nobody consented to it (R10)", ""
		case !granted.IsNull() && !has(a, "granted"):
			return "Directory.Read.All has no admin consent (R9, R10)", ""
		}
		return "", doubt
	}
	return "", orElse(doubt, "the application "+client+" is not registered in this directory, so what it may do cannot be read")
}

func has(application cty.Value, list string) bool {
	all, _ := resource.Words(application, list)
	return slices.Contains(all, readAll)
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// secret judges the stored secret by the end that the vendor shows for it (R12). It shows days, not hours.
func (c Connection) secret(v cty.Value) (fails, doubt string) {
	expiry := resource.Text(v, "secret_expiry")
	if expiry == "" {
		return "", "the vendor shows no end of the stored secret, as if it were none of the application's (R11)"
	}
	day, err := time.Parse(time.DateOnly, expiry)
	switch today := c.Now.UTC().Truncate(24 * time.Hour); {
	case err != nil:
		return "", fmt.Sprintf("the vendor shows %q as the end of the stored secret", expiry)
	case day.Before(today):
		return "the stored client secret ended on " + expiry + " (R12)", ""
	case day.Equal(today):
		return "", "the stored client secret ends today (R12)"
	}
	return "", ""
}

// Frequency is the time between two automatic runs for a word of the portal's When; 0 for "never".
func Frequency(word string) time.Duration {
	every, err := time.ParseDuration(word)
	if err != nil {
		return 0 // "never" is no duration
	}
	return every
}
