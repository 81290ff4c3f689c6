package essentials

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

// maskedKey is what a read shows for ad_key: "This will always be returned as '****'", the vendor's description.
const maskedKey = "****"

// azureSettings is the wire form. secret_expiry and last_successful_sync are seen in clients; their formats are
// inferred.
type azureSettings struct {
	PrimaryDomain  string  `json:"primary_domain"`
	ApplicationID  string  `json:"application_id"`
	ADKey          string  `json:"ad_key"`
	DisableLogin   bool    `json:"disable_login"`
	DefaultRole    string  `json:"default_user_role_name"`
	Frequency      int     `json:"sync_frequency"`
	SyncUsers      bool    `json:"sync_active_users"`
	SyncDistGroups bool    `json:"sync_distribution_groups"`
	SyncSecGroups  bool    `json:"sync_security_groups"`
	AddUsers       bool    `json:"add_users"`
	UpdateUsers    bool    `json:"update_users"`
	RemoveUsers    bool    `json:"remove_deleted_users"`
	AddGroups      bool    `json:"add_groups"`
	UpdateGroups   bool    `json:"update_groups"`
	RemoveGroups   bool    `json:"remove_deleted_groups"`
	SecretExpiry   *string `json:"secret_expiry"`
	LastSync       *string `json:"last_successful_sync"`
}

func wireAzure(w *world.World, a *world.AzureSync) azureSettings {
	if a == nil {
		return azureSettings{DefaultRole: "end_user"}
	}
	out := azureSettings{
		PrimaryDomain: a.PrimaryDomain, ApplicationID: a.ApplicationID, DisableLogin: a.DisableLogin, DefaultRole: a.DefaultRole,
		Frequency: a.Frequency, SyncUsers: a.SyncUsers, SyncDistGroups: a.SyncDistGroups, SyncSecGroups: a.SyncSecGroups,
		AddUsers: a.AddUsers, UpdateUsers: a.UpdateUsers, RemoveUsers: a.RemoveUsers,
		AddGroups: a.AddGroups, UpdateGroups: a.UpdateGroups, RemoveGroups: a.RemoveGroups,
		SecretExpiry: stamp(a.SecretExpiry, "2006-01-02"), LastSync: stamp(a.LastSync, "2006-01-02 15:04:05"),
	}
	if a.ADKey != "" {
		out.ADKey = maskedKey
	}
	if a.SecretExpiry == nil { // settings of a world file or of the portal: the expiry is that of the secret
		if c, _ := connect(w, a, w.Clock); c.secret != nil {
			out.SecretExpiry = stamp(&c.secret.End, "2006-01-02")
		}
	}
	return out
}

func stamp(t *time.Time, layout string) *string {
	if t == nil {
		return nil
	}
	s := t.UTC().Format(layout)
	return &s
}

func getAzure(rq *request) (answer, error) {
	if rq.org.Azure == nil && rq.w.Switches.AzureUnconfigured404 {
		return answer{}, fail(http.StatusNotFound, rq.org.PrimaryDomain, "no domain or settings found")
	}
	return answer{http.StatusOK, wireAzure(rq.w, rq.org.Azure)}, nil
}

// putAzure overlays the fields that were sent (inferred: the known client always sends all). An ad_key that is left out,
// empty or masked keeps the stored one.
func putAzure(rq *request) (answer, error) {
	f, err := decodeObject(rq.body)
	if err != nil {
		return answer{}, err
	}
	o := rq.org
	f.id = o.PrimaryDomain
	a := world.AzureSync{DefaultRole: "end_user"}
	if o.Azure != nil {
		a = *o.Azure
	}
	before := a
	f.str("primary_domain", &a.PrimaryDomain)
	f.str("application_id", &a.ApplicationID)
	var key string
	if f.str("ad_key", &key) && strings.Trim(key, "*") != "" {
		a.ADKey = key
	}
	f.boolean("disable_login", &a.DisableLogin)
	f.enum("default_user_role_name", &a.DefaultRole, "end_user", "silent_user")
	if f.number("sync_frequency", &a.Frequency) && !slices.Contains([]int{0, 1, 3, 6, 12, 24}, a.Frequency) {
		f.fail(fail(http.StatusBadRequest, f.id, "sync_frequency must be one of 0, 1, 3, 6, 12, 24"))
	}
	f.boolean("sync_active_users", &a.SyncUsers)
	f.boolean("sync_distribution_groups", &a.SyncDistGroups)
	f.boolean("sync_security_groups", &a.SyncSecGroups)
	f.boolean("add_users", &a.AddUsers)
	f.boolean("update_users", &a.UpdateUsers)
	f.boolean("remove_deleted_users", &a.RemoveUsers)
	f.boolean("add_groups", &a.AddGroups)
	f.boolean("update_groups", &a.UpdateGroups)
	f.boolean("remove_deleted_groups", &a.RemoveGroups)
	// A read-modify-write sends the read-only fields back; they are taken and ignored.
	var ignored string
	f.str("secret_expiry", &ignored)
	f.str("last_successful_sync", &ignored)
	if err := f.done(); err != nil {
		return answer{}, err
	}
	a.PrimaryDomain = strings.ToLower(strings.TrimSpace(a.PrimaryDomain))
	switch { // R17
	case !validDomain(a.PrimaryDomain):
		return answer{}, invalid(f.id, "primary_domain is required and must be a domain name")
	case a.ApplicationID == "":
		return answer{}, invalid(f.id, "application_id is required")
	case a.ADKey == "":
		return answer{}, invalid(f.id, "ad_key is required: the value of the client secret")
	}
	if a.ADKey != before.ADKey || a.ApplicationID != before.ApplicationID || a.PrimaryDomain != before.PrimaryDomain {
		c, err := connect(rq.w, &a, rq.w.Clock)
		if err != nil && rq.w.Switches.AzureSaveConnects {
			return answer{}, invalid(f.id, "the connection failed: %v", err)
		}
		// The status is grey until a manual run connects with the new values (R48).
		a.ConnectionGreen, a.SecretExpiry = false, nil
		if c.secret != nil {
			end := c.secret.End
			a.SecretExpiry = &end
		}
	}
	if a.Frequency != before.Frequency {
		o.FreqSince = time.Time{}
		if a.Frequency != 0 && o.TechContact == "" {
			o.FreqSince = rq.w.Clock
		}
	}
	o.Azure = &a
	return noContent, nil
}

// deleteAzure clears and resets: the settings, the exemptions and what the sync remembers (how much of it is inferred).
func deleteAzure(rq *request) (answer, error) {
	if rq.org.Azure == nil {
		return answer{}, fail(http.StatusNotFound, rq.org.PrimaryDomain, "no domain or settings found")
	}
	rq.org.Azure, rq.org.Exemptions, rq.org.SyncedUIDs, rq.org.FreqSince = nil, nil, nil, time.Time{}
	return noContent, nil
}

// getExemptions answers a bare array of objects (seen in clients).
func getExemptions(rq *request) (answer, error) {
	out := []map[string]string{}
	for _, e := range rq.org.Exemptions {
		out = append(out, map[string]string{"email": e})
	}
	return answer{http.StatusOK, out}, nil
}

// putExemptions adds to the list; nothing is removed.
func putExemptions(rq *request) (answer, error) {
	sent, err := decodeAddresses(rq.body, "exemptions", !rq.w.Switches.ExemptionsAsObject)
	if err != nil {
		return answer{}, err
	}
	rq.org.Exemptions = addSorted(rq.org.Exemptions, sent)
	return noContent, nil
}

func deleteExemptions(rq *request) (answer, error) {
	rq.org.Exemptions = nil
	return noContent, nil
}

func deleteExemption(rq *request) (answer, error) {
	address := strings.ToLower(rq.params["user"])
	i, found := slices.BinarySearch(rq.org.Exemptions, address)
	if !found {
		return answer{}, notFound("exemption", address)
	}
	rq.org.Exemptions = slices.Delete(slices.Clone(rq.org.Exemptions), i, i+1)
	return noContent, nil
}

// decodeAddresses reads {"<name>":[…]}; with lists allowed also a bare list of strings and {"emails":"a,b"}, the other
// readings of the vendor's "list of comma-separated e-mails".
func decodeAddresses(body []byte, name string, lists bool) ([]string, error) {
	var in []string
	body = bytes.TrimSpace(body)
	if lists && len(body) > 0 && body[0] == '[' {
		var raw []json.RawMessage
		if err := unmarshal(body, &raw); err != nil {
			return nil, err
		}
		for _, r := range raw {
			var s string
			if json.Unmarshal(r, &s) != nil {
				return nil, invalid("", "the list must hold addresses as strings")
			}
			in = append(in, s)
		}
	} else {
		f, err := decodeObject(body)
		if err != nil {
			return nil, err
		}
		var joined string
		named := f.list(name, &in)
		if lists && f.str("emails", &joined) {
			named = true
			in = append(in, strings.Split(joined, ",")...)
		}
		if err := f.done(); err != nil {
			return nil, err
		}
		if !named {
			return nil, invalid("", "%s is required", name)
		}
	}
	out := make([]string, 0, len(in))
	for _, s := range in {
		address, _, ok := addressOf(s)
		if !ok {
			return nil, invalid(strings.ToLower(s), "%q is no e-mail address", s)
		}
		out = append(out, address)
	}
	return out, nil
}

// addSorted merges into a new sorted list without repetitions.
func addSorted(present, added []string) []string {
	out := append(slices.Clone(present), added...)
	slices.Sort(out)
	return slices.Compact(out)
}
