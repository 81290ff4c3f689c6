package world

import "time"

// Organization is one Essentials organization: a partner (channel) or a customer.
type Organization struct {
	EID            int    `json:"eid"`
	Stack          string `json:"stack"` // us1 … us5, eu1
	Parent         int    `json:"parent,omitempty"`
	Type           string `json:"type"` // oem_partner strategic_partner channel organization
	Name           string `json:"name"`
	PrimaryDomain  string `json:"primary_domain"`
	IsActive       bool   `json:"is_active"`
	Package        string `json:"licensing_package"`
	BeginnerPlus   bool   `json:"is_beginner_plus,omitempty"`
	Trial          bool   `json:"is_on_trial,omitempty"`
	Licenses       int    `json:"user_licenses"`
	Renewal        string `json:"when_renewal,omitempty"` // YYYY/MM/DD
	WWW            string `json:"www,omitempty"`
	Address        string `json:"address,omitempty"`
	Postcode       string `json:"postcode,omitempty"`
	State          string `json:"stateprov,omitempty"`
	Country        string `json:"country,omitempty"`
	Phone          string `json:"phone,omitempty"`
	ExternalID     string `json:"external_id,omitempty"`
	SendWelcome    bool   `json:"send_welcome_email,omitempty"`
	UserCapping    bool   `json:"user_capping,omitempty"`
	TechContact    string `json:"tech_contact,omitempty"`
	IntegrationsOK bool   `json:"integrations_allowed,omitempty"`

	Domains    []*Domain            `json:"domains"`
	Users      []*User              `json:"users"`       // sorted by primary address
	Features   map[string]any       `json:"features"`    // only keys of the package; bool, or number for instant_replay
	Allow      []string             `json:"allow_list"`  // organization sender list
	Block      []string             `json:"block_list"`  //
	Azure      *AzureSync           `json:"azure"`       // nil: not configured
	Exemptions []string             `json:"exemptions"`  // lower case, sorted
	MFA        MFA                  `json:"mfa"`         //
	Login      Login                `json:"login"`       //
	IdPs       []*IdP               `json:"idps"`        //
	Tagging    map[string]any       `json:"tagging"`     // the object of /email-tagging
	TagExempt  []string             `json:"tag_exempt"`  //
	Products   []*Product           `json:"products"`    //
	LDAP       *LDAP                `json:"ldap"`        // nil: no on-premises AD sync
	Outgoing   []string             `json:"outgoing"`    // outgoing_servers
	SyncedUIDs map[int]string       `json:"synced_uids"` // uid → Entra object id, as the hosted sync remembers them
	GroupLists map[string]any       `json:"group_lists"` // sender lists by group identifier
	FreqSince  time.Time            `json:"freq_since"`  // since when sync runs without tech contact (R28)
	DKIM       []*DKIMKey           `json:"dkim"`        //
	RoutableAt map[string]time.Time `json:"routable_at"` // domain → time from which it routes (R46)

	users map[string]*User // primary address and aliases, lower case
	byUID map[int]*User
}

// Domain is one domain of an organization.
type Domain struct {
	Name         string   `json:"name"`
	IsActive     bool     `json:"is_active"`
	IsRelay      bool     `json:"is_relay"`
	Destination  string   `json:"destination,omitempty"`
	Failovers    []string `json:"failovers,omitempty"`
	IsVerified   bool     `json:"is_verified"`
	Verification string   `json:"verification_code"` // ppe-<40 hex>
}

// User is one Essentials account, functional accounts included.
type User struct {
	UID            int      `json:"uid"`
	PrimaryEmail   string   `json:"primary_email"`
	Type           string   `json:"type"`
	IsActive       bool     `json:"is_active"`
	FirstName      string   `json:"firstname"`
	Surname        string   `json:"surname"`
	Aliases        []string `json:"alias_emails"`
	Allow          []string `json:"allow_list"`
	Block          []string `json:"block_list"`
	IsBillable     bool     `json:"is_billable"`
	CanImpersonate bool     `json:"can_impersonate,omitempty"`
	IsImitable     bool     `json:"is_imitable,omitempty"`
	ReadOnly       bool     `json:"read_only_user,omitempty"`
	Password       string   `json:"password,omitempty"` // local password; checked by API authentication
}

// AzureSync is /settings/azure.
type AzureSync struct {
	PrimaryDomain   string     `json:"primary_domain"`
	ApplicationID   string     `json:"application_id"`
	ADKey           string     `json:"ad_key"`
	DisableLogin    bool       `json:"disable_login"`
	DefaultRole     string     `json:"default_user_role_name"`
	Frequency       int        `json:"sync_frequency"` // hours, 0 = Never
	SyncUsers       bool       `json:"sync_active_users"`
	SyncDistGroups  bool       `json:"sync_distribution_groups"`
	SyncSecGroups   bool       `json:"sync_security_groups"`
	AddUsers        bool       `json:"add_users"`
	UpdateUsers     bool       `json:"update_users"`
	RemoveUsers     bool       `json:"remove_deleted_users"`
	AddGroups       bool       `json:"add_groups"`
	UpdateGroups    bool       `json:"update_groups"`
	RemoveGroups    bool       `json:"remove_deleted_groups"`
	SecretExpiry    *time.Time `json:"secret_expiry,omitempty"`
	LastSync        *time.Time `json:"last_successful_sync,omitempty"`
	ConnectionGreen bool       `json:"connection_green,omitempty"`
}

// MFA is /authentication/settings/mfa.
type MFA struct {
	Enabled    bool `json:"is_mfa_enabled"`
	AdminsOnly bool `json:"mfa_admins_only"`
}

// Login is /authentication/settings/login.
type Login struct {
	Local      bool    `json:"allow_local_login"`
	ForcedIdP  *string `json:"idp_for_forced_login"`
	Azure      bool    `json:"allow_azure_login"`
	ForceAzure bool    `json:"force_azure_login"`
}

// IdP is one SAML identity provider.
type IdP struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	IsActive    bool   `json:"is_active"`
	Description string `json:"description"`
	IconRef     string `json:"icon_ref"`
	EntityID    string `json:"idp_entity_id"`
	LoginURL    string `json:"idp_login_url"`
	LogoutURL   string `json:"idp_logout_url"`
	PublicCert  string `json:"idp_public_cert"`
	SPCert      string `json:"sp_public_cert"`
}

// Product is one product subscription.
type Product struct {
	Label     string `json:"label"`
	Variant   string `json:"variant"`
	AutoRenew bool   `json:"auto_renew"`
	Trial     bool   `json:"is_trial"`
}

// LDAP is an on-premises Active Directory connection (R4).
type LDAP struct {
	URL      string `json:"ldap_url"`
	Username string `json:"ldap_username"`
	BaseDN   string `json:"ldap_basedn"`
}

// DKIMKey is one signing key of a domain.
type DKIMKey struct {
	DID       int    `json:"did"`
	Domain    string `json:"domain"`
	Selector  string `json:"selector"`
	PublicKey string `json:"public_key"`
	IsValid   bool   `json:"is_valid"`
}
