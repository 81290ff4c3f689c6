package world

import (
	"sync"
	"sync/atomic"
	"time"
)

// FormatVersion is the version of the world file that this package reads and writes.
const FormatVersion = 1

// World is everything that the simulated vendors know. All fields are guarded by the embedded lock: handlers take
// RLock to read and Lock to change, for the whole of one request.
type World struct {
	sync.RWMutex `json:"-"`

	// Format is FormatVersion. A file with another number is refused.
	Format int `json:"format"`
	// ID names the world; clients use it as their realm, so that a simulated run never touches a live state.
	ID string `json:"id"`
	// Clock is the world's present, UTC. It moves only when it is moved (Advance, POST /clock), so runs repeat.
	Clock time.Time `json:"clock"`
	// Revision increases with every change of a directory object; delta tokens are made of it.
	Revision uint64 `json:"revision"`
	// NextEID and NextUID are the next numeric ids that Essentials hands out.
	NextEID int `json:"next_eid"`
	NextUID int `json:"next_uid"`
	// NextGUID counts the ids made by NewGUID, NewHex and NewSecret.
	NextGUID uint64 `json:"next_guid"`
	// Switches choose between readings of what the vendors do not document.
	Switches Switches `json:"switches"`
	// Organizations are the Essentials organizations of every stack, partners and customers alike, in order of EID.
	Organizations []*Organization `json:"organizations"`
	// Tenants are the Entra tenants, in order of ID.
	Tenants []*Tenant `json:"tenants"`
	// Applications that are registered in one tenant and used in others (an MSP's multi-tenant application) are found
	// through their home tenant's Applications.
	// Automation names the identities under which an MSP's automation works in this world.
	Automation Credentials `json:"automation"`
	// Issuers are the identity providers outside Entra whose tokens federated credentials may name, by issuer URL.
	Issuers []string `json:"issuers,omitempty"`
	// Zones are the DNS zones, by apex name (lower case, no trailing dot).
	Zones map[string]*Zone `json:"zones"`

	byDomain map[string]*Organization // any domain of an organization, lower case → organization
	byEID    map[int]*Organization
	byTenant map[string]*Tenant // tenant id, and every verified domain, lower case
	homes    sync.Map           // client id → *Tenant, what HomeOf found; readers fill it, hence its own lock
	noteJTI  atomic.Uint64      // how many identity tokens were signed
}

// Switches select behaviours that the public record leaves open (marked inferred in the reference). The zero value is
// the most faithful known reading.
type Switches struct {
	// EmptyListIsNoop makes an empty array on a multi-valued Exchange parameter change nothing instead of clearing it.
	EmptyListIsNoop bool `json:"empty_list_is_noop,omitempty"`
	// UnknownIdentityReturnsAll makes Get-*Connector and Get-TransportRule with an unknown Identity return every object
	// instead of 404.
	UnknownIdentityReturnsAll bool `json:"unknown_identity_returns_all,omitempty"`
	// AzureUnconfigured404 makes GET settings/azure answer 404 while nothing is configured, instead of an object of
	// defaults.
	AzureUnconfigured404 bool `json:"azure_unconfigured_404,omitempty"`
	// ExemptionsAsObject makes PUT exemptions accept only {"exemptions":[…]}; otherwise arrays and both objects do.
	ExemptionsAsObject bool `json:"exemptions_as_object,omitempty"`
	// FeaturesAsStrings makes GET features answer "true"/"false" strings.
	FeaturesAsStrings bool `json:"features_as_strings,omitempty"`
	// CountsAsStrings makes licence counts digit strings.
	CountsAsStrings bool `json:"counts_as_strings,omitempty"`
	// HideRuleScopedConnectors makes Get-OutboundConnector without filters hide rule-scoped and test connectors, as
	// documented; a live call returned them.
	HideRuleScopedConnectors bool `json:"hide_rule_scoped_connectors,omitempty"`
	// ExchangeRegion makes the front door of Exchange Online redirect (302) to a region: "nam12", or "nam12:446" to leak
	// the inner port as the service has been seen to do. "" does not redirect.
	ExchangeRegion string `json:"exchange_region,omitempty"`
	// ExchangeReadLag is the number of seconds, by the world's clock, after which a write to a connector, rule, policy
	// or the organization configuration becomes visible to reads.
	ExchangeReadLag int `json:"exchange_read_lag,omitempty"`
	// ResultSizeIgnored makes Exchange page through every result whatever ResultSize says, as one client claims;
	// otherwise a cmdlet without it stops at 1000 with a warning, as documented.
	ResultSizeIgnored bool `json:"result_size_ignored,omitempty"`
	// MailboxChangesUnmarked makes WhenChangedUTC of a mailbox stay what it was when it changes; that every change of a kind
	// moves it is inferred.
	MailboxChangesUnmarked bool `json:"mailbox_changes_unmarked,omitempty"`
	// MailboxFilterRefused makes Get-Mailbox refuse -Filter, MailboxFilterIgnored makes it return every mailbox.
	MailboxFilterRefused bool `json:"mailbox_filter_refused,omitempty"`
	MailboxFilterIgnored bool `json:"mailbox_filter_ignored,omitempty"`
	// CustomizationDelay is the number of seconds after Enable-OrganizationCustomization in which writes to policies
	// still fail; 0 means 3600, a negative number none.
	CustomizationDelay int `json:"customization_delay,omitempty"`
	// HandMadeDeletedBySync makes the hosted sync delete hand-made users that are not in the directory.
	HandMadeDeletedBySync bool `json:"hand_made_deleted_by_sync,omitempty"`
	// SyncFlipsWithoutRemove makes the hosted sync put a user in the place of a functional account that is not exempt (R40)
	// even while Remove Deleted Users is off; otherwise only with it on, as the decision table has it.
	SyncFlipsWithoutRemove bool `json:"sync_flips_without_remove,omitempty"`
	// SyncBringsM365Groups makes the hosted sync bring over Microsoft 365 groups like distribution groups; otherwise they are
	// left out.
	SyncBringsM365Groups bool `json:"sync_brings_m365_groups,omitempty"`
	// SyncLeavesNameless makes the hosted sync give no name to a user without given name and surname; otherwise the display
	// name stands in.
	SyncLeavesNameless bool `json:"sync_leaves_nameless,omitempty"`
	// SyncNeedsPrimary makes the hosted sync leave out an entry whose proxyAddresses mark no primary one; otherwise its mail
	// attribute stands in.
	SyncNeedsPrimary bool `json:"sync_needs_primary,omitempty"`
	// SyncLastFirst makes the hosted sync go through people and groups from the last id to the first, which decides who gets
	// an address or a seat that several want, and of several accounts linked to one object take the newest; otherwise from
	// the first, and the oldest.
	SyncLastFirst bool `json:"sync_last_first,omitempty"`
	// FrequencyResetDays is the number of days after which a missing tech contact sets the frequency to Never
	// (R28); 0 means 7.
	FrequencyResetDays int `json:"frequency_reset_days,omitempty"`
	// BareLists makes GET of organizations, domains and endpoints answer bare arrays, as the vendor's description of 2023
	// draws them, instead of objects with one named list, as clients read them.
	BareLists bool `json:"bare_lists,omitempty"`
	// BatchCreated201 makes a list POST answer 201 when every element succeeded; otherwise a list always answers 207.
	BatchCreated201 bool `json:"batch_created_201,omitempty"`
	// BatchLimit is the largest number of elements of a list POST; 0 means no limit.
	BatchLimit int `json:"batch_limit,omitempty"`
	// OrgsWithoutParent leaves the addressed organization out of GET orgs/{d}/orgs.
	OrgsWithoutParent bool `json:"orgs_without_parent,omitempty"`
	// PatchOrganizationActiveOnly makes PATCH orgs/{d} accept is_active alone.
	PatchOrganizationActiveOnly bool `json:"patch_organization_active_only,omitempty"`
	// UserByAlias lets an alias address an account in a path; otherwise only the primary address does.
	UserByAlias bool `json:"user_by_alias,omitempty"`
	// AzureSaveConnects makes PUT settings/azure refuse credentials that do not connect (R30); otherwise they are stored
	// and the next run fails.
	AzureSaveConnects bool `json:"azure_save_connects,omitempty"`
	// ManualSyncIgnoresInitialDomain keeps the tenant's initial domain (onmicrosoft) from failing a manual run (R34).
	ManualSyncIgnoresInitialDomain bool `json:"manual_sync_ignores_initial_domain,omitempty"`
	// LastSyncManualOnly makes last_successful_sync the time of the last manual run (R48, said of the console); otherwise
	// scheduled runs move it too.
	LastSyncManualOnly bool `json:"last_sync_manual_only,omitempty"`
	// GraphLag is the number of reads for which a new application or service principal is not found yet by
	// Microsoft Graph; after them one read finds it, one more does not (another replica), and then all do. Counted in
	// calls and not in time, so that runs repeat.
	GraphLag int `json:"graph_lag,omitempty"`
	// GrantLandsWith404 makes the first POST of a consent grant answer 404 Directory_ObjectNotFound although it was
	// stored, as seen while principals replicate.
	GrantLandsWith404 bool `json:"grant_lands_with_404,omitempty"`
	// DeletedAppKeepsUniqueName makes a soft-deleted application go on holding its uniqueName: an upsert by that name is a
	// conflict. Otherwise the name is free again.
	DeletedAppKeepsUniqueName bool `json:"deleted_app_keeps_unique_name,omitempty"`
	// RoleDuplicate409 makes a second role assignment of the same role and principal answer 409; otherwise 400.
	RoleDuplicate409 bool `json:"role_duplicate_409,omitempty"`
	// HiddenMembersEmpty makes the members of a group with hidden membership read as an empty list without
	// Member.Read.Hidden; otherwise the call is refused with 403.
	HiddenMembersEmpty bool `json:"hidden_members_empty,omitempty"`
	// HiddenGroupsNamed makes memberOf name the groups with hidden membership without Member.Read.Hidden; otherwise they are
	// left out.
	HiddenGroupsNamed bool `json:"hidden_groups_named,omitempty"`
	// GraphThrottle is the budget of resource units per application and tenant in 10 seconds of real time; 0 does not
	// throttle, a negative number takes the documented budget of the tenant's size.
	GraphThrottle int `json:"graph_throttle,omitempty"`
	// GraphEmptyPages puts an empty page before every further page of a Graph list, as the paging page allows.
	GraphEmptyPages bool `json:"graph_empty_pages,omitempty"`
	// DeltaShuffled makes the pages of Graph delta queries come in another order and repeat an object, as documented.
	DeltaShuffled bool `json:"delta_shuffled,omitempty"`
	// DeltaResetAt resets (410) every Graph delta token that began before this revision.
	DeltaResetAt uint64 `json:"delta_reset_at,omitempty"`
}

// Zone is the DNS data of one apex: owner name (relative to the root, lower case, no trailing dot) → records.
type Zone struct {
	TXT   map[string][]string   `json:"txt,omitempty"`
	MX    map[string][]MXRecord `json:"mx,omitempty"`
	CNAME map[string]string     `json:"cname,omitempty"`
	A     map[string][]string   `json:"a,omitempty"`
	// Meta holds the site verification codes that the web page of a host carries in META tags.
	Meta map[string][]string `json:"meta,omitempty"`
	// Failing makes the zone's servers answer SERVFAIL.
	Failing bool `json:"failing,omitempty"`
}

// MXRecord is one mail exchanger.
type MXRecord struct {
	Preference uint16 `json:"preference"`
	Host       string `json:"host"`
}
