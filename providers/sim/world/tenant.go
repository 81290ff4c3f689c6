package world

import (
	"encoding/json"
	"time"
)

// Tenant is one Entra tenant with its directory, its applications and its Exchange Online organization.
type Tenant struct {
	ID          string `json:"id"` // tenant GUID, lower case
	DisplayName string `json:"display_name"`
	Country     string `json:"country,omitempty"`
	// RegionSubScope is "" (worldwide), "GCC", "DODCON" (GCC High) or "DOD"; see R2.
	RegionSubScope string `json:"region_sub_scope,omitempty"`
	OnPremSync     bool   `json:"on_prem_sync,omitempty"`

	Domains  []*EntraDomain   `json:"domains"`
	People   []*DirectoryUser `json:"users"`    // sorted by id
	Groups   []*Group         `json:"groups"`   // sorted by id
	Contacts []*Contact       `json:"contacts"` // sorted by id
	Deleted  []*DeletedItem   `json:"deleted"`  // directory/deletedItems, oldest first

	Applications      []*Application      `json:"applications"`
	ServicePrincipals []*ServicePrincipal `json:"service_principals"`
	RoleAssignments   []*RoleAssignment   `json:"role_assignments"` // directory roles of service principals
	AppRoleGrants     []*AppRoleGrant     `json:"app_role_grants"`  // application consent
	Grants            []*DelegatedGrant   `json:"delegated_grants"` // oauth2PermissionGrants
	// ActivatedRoles are template ids of directory roles that /directoryRoles lists although nobody holds them.
	ActivatedRoles []string `json:"activated_roles,omitempty"`
	// SecretsForbidden makes addPassword answer CredentialTypeNotAllowedAsPerAppPolicy.
	SecretsForbidden bool `json:"secrets_forbidden,omitempty"`

	Exchange Exchange `json:"exchange"`

	people       map[string]*DirectoryUser // object id and user principal name, lower case
	groups       map[string]*Group
	contacts     map[string]*Contact
	applications map[string]*Application      // object id, and client id behind clientPrefix
	principals   map[string]*ServicePrincipal // likewise
}

// EntraDomain is one entry of /domains.
type EntraDomain struct {
	Name      string `json:"name"`
	Verified  bool   `json:"verified"`
	Default   bool   `json:"default,omitempty"`
	Initial   bool   `json:"initial,omitempty"` // *.onmicrosoft.com
	Federated bool   `json:"federated,omitempty"`
	// NoEmail removes Email from supportedServices.
	NoEmail bool `json:"no_email,omitempty"`
}

// DirectoryUser is one /users object and, when MailboxKind is set, its Exchange recipient.
type DirectoryUser struct {
	ID                string   `json:"id"`
	UserPrincipalName string   `json:"upn"`
	DisplayName       string   `json:"name"`
	GivenName         string   `json:"given_name,omitempty"`
	Surname           string   `json:"surname,omitempty"`
	Mail              string   `json:"mail,omitempty"`
	ProxyAddresses    []string `json:"proxy_addresses,omitempty"` // SMTP: primary, smtp: alias, SIP:, X500:
	Enabled           bool     `json:"enabled"`
	UserType          string   `json:"user_type,omitempty"` // "" reads as Member; Guest
	Department        string   `json:"department,omitempty"`
	JobTitle          string   `json:"job_title,omitempty"`
	Company           string   `json:"company,omitempty"`
	Office            string   `json:"office,omitempty"`
	EmployeeID        string   `json:"employee_id,omitempty"`
	UsageLocation     string   `json:"usage_location,omitempty"`
	MobilePhone       string   `json:"mobile_phone,omitempty"`
	Licensed          bool     `json:"licensed,omitempty"`
	OnPremSynced      bool     `json:"on_prem_synced,omitempty"`
	// MailboxKind is the Exchange RecipientTypeDetails: UserMailbox SharedMailbox RoomMailbox EquipmentMailbox
	// GuestMailUser MailUser, or "" for none.
	MailboxKind string    `json:"mailbox_kind,omitempty"`
	Created     time.Time `json:"created"`
	// MailboxChanged is the recipient's WhenChangedUTC; zero reads as Created.
	MailboxChanged time.Time `json:"mailbox_changed,omitzero"`
	Changed        uint64    `json:"changed,omitempty"` // World.Revision of the last change
	Trail          *Trail    `json:"trail,omitempty"`   // what changed when, for delta; nil knows nothing
}

// Group is one /groups object and its Exchange recipient.
type Group struct {
	ID               string    `json:"id"`
	DisplayName      string    `json:"name"`
	Description      string    `json:"description,omitempty"`
	Mail             string    `json:"mail,omitempty"`
	MailNickname     string    `json:"mail_nickname,omitempty"`
	MailEnabled      bool      `json:"mail_enabled"`
	SecurityEnabled  bool      `json:"security_enabled"`
	GroupTypes       []string  `json:"group_types,omitempty"` // Unified, DynamicMembership
	MembershipRule   string    `json:"membership_rule,omitempty"`
	ProxyAddresses   []string  `json:"proxy_addresses,omitempty"`
	Members          []string  `json:"members,omitempty"` // ids of users, groups and contacts
	HiddenMembership bool      `json:"hidden_membership,omitempty"`
	Created          time.Time `json:"created"`
	Changed          uint64    `json:"changed,omitempty"`
	Trail            *Trail    `json:"trail,omitempty"`
	// RemovedMembers are members that left, with the revision at which they did, for delta.
	RemovedMembers map[string]uint64 `json:"removed_members,omitempty"`
}

// Contact is one mail contact (/contacts).
type Contact struct {
	ID             string   `json:"id"`
	DisplayName    string   `json:"name"`
	Mail           string   `json:"mail"`
	ProxyAddresses []string `json:"proxy_addresses,omitempty"`
	Changed        uint64   `json:"changed,omitempty"`
	Trail          *Trail   `json:"trail,omitempty"`
}

// DeletedItem is a soft-deleted or permanently deleted directory object.
type DeletedItem struct {
	ID        string          `json:"id"`
	Kind      string          `json:"kind"` // user, group, contact, application, servicePrincipal
	Permanent bool            `json:"permanent,omitempty"`
	At        time.Time       `json:"at"`
	Changed   uint64          `json:"changed"`
	Object    json.RawMessage `json:"object,omitempty"` // the world's JSON of the object, to restore it
}

// Application is one /applications object. Secrets hold their values: the login endpoint compares them.
type Application struct {
	ID             string             `json:"id"`     // object id
	AppID          string             `json:"app_id"` // client id
	UniqueName     string             `json:"unique_name,omitempty"`
	DisplayName    string             `json:"display_name"`
	SignInAudience string             `json:"sign_in_audience"`
	RedirectURIs   []string           `json:"redirect_uris,omitempty"`
	Required       []ResourceAccess   `json:"required_resource_access,omitempty"`
	Secrets        []*Secret          `json:"secrets,omitempty"`
	Certificates   []string           `json:"certificates,omitempty"` // base64 DER
	Federated      []FederatedSubject `json:"federated,omitempty"`
	Notes          string             `json:"notes,omitempty"`
	Tags           []string           `json:"tags,omitempty"`
	Created        time.Time          `json:"created"`
	// IdentifierURIs are unique in the tenant, deleted applications included.
	IdentifierURIs []string `json:"identifier_uris,omitempty"`
	// CertificateNames are the display names of Certificates, by the base64 text.
	CertificateNames map[string]string `json:"certificate_names,omitempty"`
	// Owners are object ids of service principals: Application.ReadWrite.OwnedBy reaches what they own.
	Owners []string `json:"owners,omitempty"`
}

// ResourceAccess is one entry of requiredResourceAccess: the permissions of one resource application.
type ResourceAccess struct {
	ResourceAppID string       `json:"resource_app_id"`
	Permissions   []Permission `json:"permissions"`
}

// Permission is one declared permission.
type Permission struct {
	ID   string `json:"id"`
	Type string `json:"type"` // Role (application) or Scope (delegated)
}

// Secret is one password credential.
type Secret struct {
	KeyID       string    `json:"key_id"`
	DisplayName string    `json:"display_name"`
	Value       string    `json:"value"`
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
}

// FederatedSubject is one federated identity credential.
type FederatedSubject struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Issuer    string   `json:"issuer"`
	Subject   string   `json:"subject"`
	Audiences []string `json:"audiences"`
	// Description is free text.
	Description string `json:"description,omitempty"`
}

// ServicePrincipal is one /servicePrincipals object. The principals of Microsoft Graph and of Office 365 Exchange
// Online are ordinary entries with their well-known AppID; their app roles and scopes come from the vendor's table,
// not from the world.
type ServicePrincipal struct {
	ID          string    `json:"id"`
	AppID       string    `json:"app_id"`
	DisplayName string    `json:"display_name"`
	Enabled     bool      `json:"enabled"`
	OwnerTenant string    `json:"owner_tenant,omitempty"`
	Tags        []string  `json:"tags,omitempty"`
	Created     time.Time `json:"created"`
}

// RoleAssignment gives a directory role (by template id) to a principal.
type RoleAssignment struct {
	ID        string `json:"id"`
	Principal string `json:"principal"`
	Role      string `json:"role"`
}

// AppRoleGrant is an appRoleAssignment: application permission, consented.
type AppRoleGrant struct {
	ID        string    `json:"id"` // opaque base64url, not a GUID
	Principal string    `json:"principal"`
	Resource  string    `json:"resource"` // object id of the resource's service principal in this tenant
	AppRole   string    `json:"app_role"`
	Created   time.Time `json:"created"`
}

// DelegatedGrant is an oauth2PermissionGrant.
type DelegatedGrant struct {
	ID          string `json:"id"`
	Client      string `json:"client"`
	ConsentType string `json:"consent_type"`
	Principal   string `json:"principal,omitempty"`
	Resource    string `json:"resource"`
	Scope       string `json:"scope"` // space-separated
}

// Exchange is the Exchange Online part of a tenant. Objects hold the documented parameter names as keys, with values
// as the wire has them (strings, booleans, numbers, lists of strings).
type Exchange struct {
	Inbound      []*ExchangeObject `json:"inbound_connectors"`
	Outbound     []*ExchangeObject `json:"outbound_connectors"`
	Rules        []*ExchangeObject `json:"transport_rules"` // in order of priority
	Filter       map[string]any    `json:"connection_filter"`
	Config       map[string]any    `json:"organization_config"`
	DynamicLists []*DynamicList    `json:"dynamic_lists"`
	// DomainTypes gives accepted domains (lower case) a DomainType other than Authoritative, such as InternalRelay.
	DomainTypes map[string]string `json:"domain_types,omitempty"`
	// CustomizedAt is when Enable-OrganizationCustomization ran; nil when it did not.
	CustomizedAt *time.Time `json:"customized_at,omitempty"`
}

// ExchangeObject is a connector or a transport rule.
type ExchangeObject struct {
	GUID    string         `json:"guid"`
	Name    string         `json:"name"`
	Values  map[string]any `json:"values"`
	Created time.Time      `json:"created"`
	Changed time.Time      `json:"changed"`
}

// DynamicList is a dynamic distribution group: in Exchange only, never in Graph.
type DynamicList struct {
	GUID      string   `json:"guid"`
	Name      string   `json:"name"`
	Primary   string   `json:"primary"`
	Addresses []string `json:"addresses"` // SMTP:/smtp: prefixed
	Filter    string   `json:"filter,omitempty"`
	Members   []string `json:"members,omitempty"`
}
