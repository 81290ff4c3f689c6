package state

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// RootKey is the key under which the root module's own state is kept. Tenant
// keys begin with a letter or a digit, so no tenant can have it.
const RootKey = "_root"

// State is everything remembered about one tenant, or about the root module.
//
// The zero State is an empty one that was never stored: Serial 0, no lineage,
// no version key. Reading is safe for concurrent use; changing is not, and must
// not overlap with reading. Objects, accounts and intents are replaced, never
// changed in place, so that clones may share them.
type State struct {
	// Lineage is a random id made with the tenant's first head; it never changes.
	Lineage string
	// Serial is the number of the last checkpoint, from 1; 0 was never stored.
	Serial uint64
	// Realm is "live", or the id of a simulated world.
	Realm string
	// Tenant says whose state this is.
	Tenant TenantMeta
	// VersionKey is the random key of [State.VersionOf]; 32 bytes, or nil in a
	// state that was never stored. It is not a credential, but whoever has it can
	// test guesses of a weak secret.
	VersionKey []byte

	// Objects are the declared resources, by address.
	Objects map[string]*Object
	// Accounts are the accounts that sync policies derived from the directory.
	Accounts Accounts
	// Outputs are the values of the root module's outputs, by name.
	Outputs map[string]Output
	// Skips are items that a person unticked until a date.
	Skips []Skip
	// Removals are the removals done, for limits over a moving window; oldest
	// first. The planner says from which time on they still count.
	Removals []Removal
	// Allowances are the one-time allowances already used up, by their digest.
	Allowances map[string]time.Time
	// Applied is what the last apply went by that is no object of the tenant.
	Applied Applied
	// Hosted is what the vendor's own directory sync was last expected to do; nil when nothing
	// was expected.
	Hosted *Hosted
	// InDoubt are the operations begun and never seen to end, by operation id: they
	// may have happened. Their objects are unknown until each is settled.
	InDoubt map[string]Intent

	counted counted // what Removals has
}

// Ownership says how Weir came to manage an object, and so what may happen to
// it when its block goes.
type Ownership string

// The two ownerships. What is neither is not in state.
const (
	Created Ownership = "created" // Weir made it: block gone, object deleted
	Adopted Ownership = "adopted" // Weir found it: block gone, object released
)

// Live is the realm of the vendors themselves.
const Live = "live"

// TenantMeta identifies the tenant and what it was made with, so that it can be
// taken down when no block names it any more.
type TenantMeta struct {
	// Address of the tenant block, such as module.customer["contoso"].tenant.this;
	// empty for the root.
	Address string
	// Key names the state, [a-z0-9][a-z0-9-]{0,62}, or RootKey.
	Key string
	// PrimaryDomain is how Essentials addresses the organization; lower case.
	PrimaryDomain string
	// OrganizationID is the Essentials organization id; empty until known.
	OrganizationID string
	// EntraTenantID is the directory's id, a lower-case UUID; empty if not declared.
	EntraTenantID string
	// Configuration is the lineage of the configuration that manages the tenant.
	Configuration string
	// Providers are the provider blocks that served the tenant, by their address,
	// such as provider.essentials.us1.
	Providers map[string]Provider
}

// Provider is one provider block without its secrets.
type Provider struct {
	// Type and Name are the block's two labels.
	Type string
	Name string
	// Arguments are the arguments that are not secret, each as JSON.
	Arguments map[string]json.RawMessage
	// Secrets are the references of secret arguments, such as
	// env://ESSENTIALS_PASSWORD; never a value.
	Secrets map[string]string
}

// Object is one declared resource as last written or read. It is immutable once
// it is part of a State.
type Object struct {
	// Address, such as module.customer["a"].domain.mail.
	Address string
	// Type is the resource type, such as domain.
	Type string
	// ID is the vendor's id of the object; empty for types that live in state only.
	ID string
	// Provider is the address of the provider block that serves it.
	Provider string
	// Values is an object value: what was last written or read. Wholly known,
	// without marks; write-only attributes are null. cty.NilVal means none.
	Values cty.Value
	// Sensitive names the attributes whose value must not be shown.
	Sensitive []string
	// Versions holds, for each write-only attribute, what stands for its value: the
	// result of State.VersionOf, or the key id of a secret that a vendor issued.
	Versions map[string]string
	// Undelivered names the issued secrets, by attribute, whose value has not yet reached
	// all that consume it; the next run issues a new one.
	Undelivered []string
	// Ownership is Created or Adopted.
	Ownership Ownership
	// PreventDestroy is the lifecycle setting last applied.
	PreventDestroy bool
	// Dependencies are the addresses that must outlive this object, sorted.
	Dependencies []string
	// SettleUntil is the time until which a read that still shows the previous value
	// counts as "not visible yet"; zero for none.
	SettleUntil time.Time
	// Previous is Values before the last write, to recognise it while settling;
	// cty.NilVal for none.
	Previous cty.Value
	// Bindings are, for an object that names people by address (an exemption), the
	// accounts and directory objects that the addresses stood for on first sight, so
	// that it follows a rename.
	Bindings []Binding
	// Op is the id of the operation that last changed the object.
	Op string
	// Created is when it came into state, Updated when it last changed; UTC.
	Created time.Time
	Updated time.Time
}

// Binding says what an address stood for when it was first seen.
type Binding struct {
	// Address as it is named, lower case.
	Address string
	// UID is the Essentials user id, ObjectID the Entra object id; 0 and empty while
	// there was none.
	UID      int
	ObjectID string
}

// Account is one account that a sync policy derived from the directory. It is
// immutable once it is part of a State.
type Account struct {
	// Address is the primary address in Essentials, lower case. It is the key.
	Address string
	// UID is the Essentials user id; 0 when not yet known.
	UID int
	// ObjectID is the Entra object id; empty for an account without a directory
	// object.
	ObjectID string
	// Policy is the address of the sync policy that manages it.
	Policy string
	// Hash stands for what was last written; opaque, compared for equality.
	Hash string
	// Ownership is Created or Adopted.
	Ownership Ownership
	// Type and Active are the Essentials account type and switch last written.
	Type   string
	Active bool
	// Aliases are the further addresses last written, lower case, sorted.
	Aliases []string
	// Kind is the directory entry's kind when last seen; empty when not recorded.
	Kind string
	// Converted says that Weir made a functional account of a user, Disabled that it
	// switched the account off: only what Weir did it undoes.
	Converted bool
	Disabled  bool
	// GoneSince is when its directory object was first missing; zero while present.
	GoneSince time.Time
	// SettleUntil is the time until which an older value read back counts as "not
	// visible yet"; zero for none.
	SettleUntil time.Time
}

// Output is the value of one output of the root module.
type Output struct {
	// Value is wholly known and without marks.
	Value cty.Value
	// Sensitive outputs are shown only when asked for by name.
	Sensitive bool
}

// Skip is one person's word to leave an item alone until a date. It is bound to
// ids, so that it follows a rename.
type Skip struct {
	// Address of the object, or of the account's policy.
	Address string
	// Mail is the account's address; empty for a declared object.
	Mail string
	// UID and ObjectID bind the skip to the account; 0 and empty if unknown.
	UID      int
	ObjectID string
	// Action is the action skipped, such as delete; empty for any.
	Action string
	// Until is the end, UTC; zero for no end.
	Until time.Time
	// Reason and By are for people.
	Reason string
	By     string
	// Created is when it was said, UTC.
	Created time.Time
}

// RemovalKind is the way an address stopped receiving.
type RemovalKind string

// What counts against the limit of removals.
const (
	RemovalDelete  RemovalKind = "delete"
	RemovalDisable RemovalKind = "disable"
	RemovalAlias   RemovalKind = "alias"
)

// Removal is one removal done, kept for limits over a moving window.
type Removal struct {
	// Mail is the address that stopped receiving, lower case.
	Mail string
	Kind RemovalKind
	// Op is the operation that did it.
	Op string
	// Time is when, UTC.
	Time time.Time
}

// New returns an empty state of the given lineage. versionKey are 32 random
// bytes.
func New(lineage, realm string, tenant TenantMeta, versionKey []byte) *State {
	return &State{Lineage: lineage, Realm: realm, Tenant: tenant, VersionKey: versionKey}
}

// Stored reports whether the state was ever stored; an empty state returned for
// an absent head was not.
func (s *State) Stored() bool { return s.Lineage != "" }

// Addresses returns the addresses of all objects, sorted.
func (s *State) Addresses() []string {
	return slices.Sorted(maps.Keys(s.Objects))
}

// Doubts returns the operations in doubt, oldest first.
func (s *State) Doubts() []Intent {
	return slices.SortedFunc(maps.Values(s.InDoubt), func(a, b Intent) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Op, b.Op)
	})
}

// DoubtsAbout returns the operations in doubt about one object (mail empty) or
// about one account of a policy, oldest first.
func (s *State) DoubtsAbout(address, mail string) []Intent {
	if len(s.InDoubt) == 0 {
		return nil
	}
	return slices.DeleteFunc(s.Doubts(), func(i Intent) bool {
		return i.Address != address || i.Mail != mail
	})
}

// ForgetRemovals drops the removals before t, which no window can contain any
// more.
func (s *State) ForgetRemovals(t time.Time) {
	s.Removals = slices.DeleteFunc(slices.Clone(s.Removals), func(r Removal) bool { return r.Time.Before(t) })
}

// Clone returns a state that can be changed without changing s. The cost is one
// pointer an object and account.
func (s *State) Clone() *State {
	c := &State{
		Lineage:    s.Lineage,
		Serial:     s.Serial,
		Realm:      s.Realm,
		Tenant:     s.Tenant,
		VersionKey: slices.Clone(s.VersionKey),
		Objects:    maps.Clone(s.Objects),
		Outputs:    maps.Clone(s.Outputs),
		Skips:      slices.Clone(s.Skips),
		Removals:   slices.Clone(s.Removals),
		Allowances: maps.Clone(s.Allowances),
		Applied:    s.Applied,
		Hosted:     s.Hosted,
		InDoubt:    maps.Clone(s.InDoubt),
	}
	c.Tenant.Providers = maps.Clone(s.Tenant.Providers)
	c.Accounts.all = maps.Clone(s.Accounts.all)
	return c
}
