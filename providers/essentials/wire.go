package essentials

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/weir-project/weir/providers/internal/jsonstream"
)

// wireOrganization is what is read of an organization. A read returns many more fields, which nobody here needs.
type wireOrganization struct {
	PrimaryDomain flexString `json:"primary_domain"`    // vendor API description
	Name          flexString `json:"name"`              // vendor API description
	EID           flexInt    `json:"eid"`               // vendor API description: read-only
	Type          flexString `json:"type"`              // vendor API description
	IsActive      flexBool   `json:"is_active"`         // vendor API description
	Package       flexString `json:"licensing_package"` // vendor API description
	Trial         flexBool   `json:"is_on_trial"`       // vendor API description
	UserLicenses  flexInt    `json:"user_licenses"`     // vendor API description
	ActiveUsers   flexInt    `json:"active_users"`      // vendor API description: read-only
	LDAPURL       flexString `json:"ldap_url"`          // vendor API description
}

// newOrganization is the body that creates a customer organization.
type newOrganization struct {
	PrimaryDomain string       `json:"primary_domain"`              // vendor API description: required
	Name          string       `json:"name"`                        // vendor API description: required
	Type          string       `json:"type"`                        // vendor API description
	Package       string       `json:"licensing_package,omitempty"` // vendor API description
	UserLicenses  int          `json:"user_licenses"`               // vendor API description: required
	Trial         *bool        `json:"is_on_trial,omitempty"`       // vendor API description
	WWW           string       `json:"www,omitempty"`               // vendor API description
	Address       string       `json:"address,omitempty"`           // vendor API description
	Postcode      string       `json:"postcode,omitempty"`          // vendor API description
	State         string       `json:"stateprov,omitempty"`         // vendor API description: required in US and CA
	Country       string       `json:"country,omitempty"`           // vendor API description: two letters
	Phone         string       `json:"phone,omitempty"`             // vendor API description
	Admin         newUser      `json:"admin_user"`                  // vendor API description: required
	Domains       []wireDomain `json:"domains"`                     // vendor API description: required, at least one
}

// newUser is the first administrator of a new organization, or a new account.
type newUser struct {
	PrimaryEmail string   `json:"primary_email"`          // vendor API description: required
	Type         string   `json:"type,omitempty"`         // vendor API description
	IsActive     *bool    `json:"is_active,omitempty"`    // vendor API description
	FirstName    string   `json:"firstname"`              // vendor API description
	Surname      string   `json:"surname"`                // vendor API description
	Aliases      []string `json:"alias_emails,omitempty"` // vendor API description
	Billable     *bool    `json:"is_billable,omitempty"`  // vendor API description
}

// wireUser is one account, functional accounts included.
type wireUser struct {
	UID          flexInt    `json:"uid"`           // vendor API description: read-only
	PrimaryEmail flexString `json:"primary_email"` // vendor API description
	Type         flexString `json:"type"`          // vendor API description
	IsActive     flexBool   `json:"is_active"`     // vendor API description
	FirstName    flexString `json:"firstname"`     // vendor API description
	Surname      flexString `json:"surname"`       // vendor API description
	Aliases      []string   `json:"alias_emails"`  // vendor API description
	Billable     flexBool   `json:"is_billable"`   // vendor API description
}

// wireDomain is one domain, read and written.
type wireDomain struct {
	Name        string   `json:"name"`                  // vendor API description: required
	IsActive    bool     `json:"is_active"`             // vendor API description: always false for non-relay domains
	IsRelay     bool     `json:"is_relay"`              // vendor API description; false is the console's "Management" (inferred)
	Destination string   `json:"destination,omitempty"` // vendor API description; required when relaying: seen in clients
	Failovers   []string `json:"failovers"`             // vendor API description
}

// domainRead is wireDomain with the tolerance of reads.
type domainRead struct {
	Name        flexString `json:"name"`
	IsActive    flexBool   `json:"is_active"`
	IsRelay     flexBool   `json:"is_relay"`
	Destination flexString `json:"destination"`
	Failovers   []string   `json:"failovers"`
	IsVerified  flexBool   `json:"is_verified"` // inferred: nobody has seen it
}

// wireLogin is /authentication/settings/login; idps_valid_for_sso, read-only, is left out.
type wireLogin struct {
	Local      flexBool `json:"allow_local_login"`    // vendor API description
	ForcedIdP  *string  `json:"idp_for_forced_login"` // vendor API description: UUID or null
	Azure      flexBool `json:"allow_azure_login"`    // vendor API description
	ForceAzure flexBool `json:"force_azure_login"`    // vendor API description
}

// wireMFA is /authentication/settings/mfa.
type wireMFA struct {
	Enabled    flexBool `json:"is_mfa_enabled"`  // vendor API description
	AdminsOnly flexBool `json:"mfa_admins_only"` // vendor API description
}

// wireAzure is what is read of /settings/azure. ad_key is always masked and never read (vendor API description).
type wireAzure struct {
	PrimaryDomain flexString `json:"primary_domain"`           // vendor API description
	ApplicationID flexString `json:"application_id"`           // vendor API description
	DisableLogin  flexBool   `json:"disable_login"`            // vendor API description
	DefaultRole   flexString `json:"default_user_role_name"`   // vendor API description: end_user or silent_user
	Frequency     flexInt    `json:"sync_frequency"`           // vendor API description: hours, 0 disables
	SyncUsers     flexBool   `json:"sync_active_users"`        // vendor API description
	SyncDist      flexBool   `json:"sync_distribution_groups"` // vendor API description
	SyncSecurity  flexBool   `json:"sync_security_groups"`     // vendor API description
	AddUsers      flexBool   `json:"add_users"`                // vendor API description
	UpdateUsers   flexBool   `json:"update_users"`             // vendor API description
	RemoveUsers   flexBool   `json:"remove_deleted_users"`     // vendor API description
	AddGroups     flexBool   `json:"add_groups"`               // vendor API description
	UpdateGroups  flexBool   `json:"update_groups"`            // vendor API description
	RemoveGroups  flexBool   `json:"remove_deleted_groups"`    // vendor API description
	SecretExpiry  flexTime   `json:"secret_expiry"`            // seen in clients: read-only; format inferred
	LastSync      flexTime   `json:"last_successful_sync"`     // seen in clients: read-only; format inferred
}

// azureBody is the whole object that PUT /settings/azure takes; ad_key only when a secret is to be stored, since an
// omitted one keeps the stored one (inferred) and a masked one must never overwrite it.
type azureBody struct {
	PrimaryDomain string `json:"primary_domain"`
	ApplicationID string `json:"application_id"`
	ADKey         string `json:"ad_key,omitempty"`
	DisableLogin  bool   `json:"disable_login"`
	DefaultRole   string `json:"default_user_role_name"`
	Frequency     int    `json:"sync_frequency"`
	SyncUsers     bool   `json:"sync_active_users"`
	SyncDist      bool   `json:"sync_distribution_groups"`
	SyncSecurity  bool   `json:"sync_security_groups"`
	AddUsers      bool   `json:"add_users"`
	UpdateUsers   bool   `json:"update_users"`
	RemoveUsers   bool   `json:"remove_deleted_users"`
	AddGroups     bool   `json:"add_groups"`
	UpdateGroups  bool   `json:"update_groups"`
	RemoveGroups  bool   `json:"remove_deleted_groups"`
}

// organization reads GET /orgs/{d}. An organization that has the domain as a secondary one is an error: Weir would work
// on an organization under a name that is not its own.
func (c *Client) organization(ctx context.Context, domain string) (*wireOrganization, error) {
	q := orgCall("read organization", http.MethodGet, domain)
	var o wireOrganization
	err := c.read(ctx, q, func(r io.Reader) error {
		if err := decodeOne(r, &o); err != nil {
			return err
		}
		if o.PrimaryDomain == "" {
			return fmt.Errorf("an organization without primary_domain")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(string(o.PrimaryDomain), domain) {
		return nil, wrongOrganization(domain, &o)
	}
	return &o, nil
}

// listDomains reads GET /orgs/{d}/domains.
func (c *Client) listDomains(ctx context.Context, org string) ([]domainRead, error) {
	var out []domainRead
	q := orgCall("list domains", http.MethodGet, org, "domains")
	err := c.read(ctx, q, func(r io.Reader) error {
		return decodeList(r, "domains", func(r *jsonstream.Reader) error {
			raw, err := r.Raw()
			if err != nil {
				return err
			}
			var d domainRead
			if err := json.Unmarshal(raw, &d); err != nil {
				return err
			}
			if d.Name == "" {
				return fmt.Errorf("a domain without name")
			}
			out = append(out, d)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, d := range out {
		name := folded(string(d.Name))
		if names[name] {
			return nil, unreadable(q, http.StatusOK, fmt.Errorf("the list names %s twice, so it may lack another", clip(name)))
		}
		names[name] = true
	}
	if !names[folded(org)] {
		// An organization always has its primary domain (vendor API description: domains is required).
		return nil, unreadable(q, http.StatusOK, fmt.Errorf("an organization without its primary domain"))
	}
	return out, nil
}

// domain reads GET /orgs/{d}/domains/{t}.
func (c *Client) domain(ctx context.Context, org, name string) (*domainRead, error) {
	var d domainRead
	q := orgCall("read domain", http.MethodGet, org, "domains", name).about(name)
	err := c.read(ctx, q, func(r io.Reader) error {
		if err := decodeOne(r, &d); err != nil {
			return err
		}
		if !strings.EqualFold(string(d.Name), name) {
			return fmt.Errorf("asked for domain %s, got %q", name, clip(string(d.Name)))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &d, nil
}

// verificationCode reads GET /orgs/{d}/domains/{t}/verification-code.
func (c *Client) verificationCode(ctx context.Context, org, name string) (string, error) {
	var code struct {
		Code  flexString `json:"code"`              // vendor API description
		Other flexString `json:"verification_code"` // inferred
	}
	q := orgCall("read verification code", http.MethodGet, org, "domains", name, "verification-code").about(name)
	if err := c.read(ctx, q, func(r io.Reader) error { return decodeOne(r, &code) }); err != nil {
		return "", err
	}
	if code.Code == "" {
		code.Code = code.Other
	}
	return string(code.Code), nil
}
