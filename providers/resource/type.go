package resource

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// Type is one resource type: what its blocks may say, how its objects are recognised, and the calls that read and
// change them. A Type is immutable once registered and safe for concurrent use.
type Type struct {
	// Name is the block type: "domain".
	Name string
	// Purpose is one sentence for the reference page and for hover.
	Purpose string
	// Provider is the kind of provider block that the type needs: "essentials" or "microsoft".
	Provider string
	// Attributes is the attribute table, in the order of documentation.
	Attributes []Attribute
	// After names the types of the same tenant whose objects precede this type's; reversed on destroy. It orders
	// objects that no reference connects.
	After []string
	// Serial says that the vendor cannot take two changes of this type in one tenant at once (transport rules, whose
	// priorities shift).
	Serial bool
	// Singleton says that a tenant has exactly one object of the type, which a block configures; it is found without
	// a key.
	Singleton bool
	// Undeletable says that the vendor has no delete, or none that Weir would ever call: removing the block releases
	// the object. Reset, if set, is called for objects that Weir created.
	Undeletable bool
	// ProtectByDefault makes lifecycle.prevent_destroy true unless the block says otherwise, for one configured value
	// (null when the block is gone: the remembered setting counts). nil means never.
	ProtectByDefault func(config cty.Value) bool
	// Settle is how long the vendor may keep showing the previous value after a change. 0 means reads follow writes.
	Settle time.Duration
	// Guard says why a change must be held although it was asked for: each sentence is one reason. nil holds nothing.
	Guard func(*GuardRequest) []string

	// Key is the natural key by which an existing object is adopted: equal, non-empty keys of a configured and a live
	// value make a candidate. nil with Match nil and Singleton false: the type is never adopted.
	Key func(v cty.Value) string
	// Adoption ends the sentence "It is recognised …" of the reference page, for types with Match or Project, whose way
	// no function can tell. "" says only that it is by behaviour.
	Adoption string
	// Match recognises by behaviour instead of by key (connectors and rules, whose names vary). It wins over Key.
	Match func(config, live cty.Value) bool
	// Project, for types whose blocks each claim a part of a collection that others write too (exemption), cuts the
	// block's part out of the one collection object that List returns. ok false means that nothing of the part exists.
	// prior is cty.NullVal when the block is new.
	Project func(collection Live, planned, prior cty.Value) (part Live, ok bool)
	// Customize amends the planned value: computed attributes that follow from configuration and vendor data, rotation
	// that falls due, checks that need more than one attribute. It must be pure. nil means nothing to amend.
	Customize func(*PlanRequest) error
	// FromDirectory says that Customize asks PlanRequest.Directory. No other type is given it: an apply plans every block once
	// more, and keeps a large directory for that only where some block may ask.
	FromDirectory bool

	// Withhold gives the value to write at first when a part of the planned one must not take effect before everything else
	// of the tenant is done: live is null when there is no object yet. ok is false when nothing has to wait. The rest is
	// written last, by Update, after the object was read back. nil withholds nothing.
	Withhold func(planned, live cty.Value) (first cty.Value, ok bool)

	// Lost reports that the vendor cannot have the write-only values any more that state remembers as written, judged by
	// what can be read: prior is the value in state, live the one read. They are then written again, and an issued secret
	// is issued anew. nil means that an object that exists has them.
	Lost func(prior, live cty.Value) bool

	// List reads every live object of the type in the tenant, in as few requests as the vendor allows. An error means
	// that nothing is known, never that nothing is there.
	List func(ctx context.Context, conn *Conn) ([]Live, error)
	// Read reads one object again, directly before a destructive call and when an answer was lost. An object that the
	// vendor says is gone is reported with ErrAbsent in the chain; any other error means unknown.
	Read func(ctx context.Context, conn *Conn, id ObjectID) (Live, error)
	// Create makes the object of change.Planned. A lost answer is reported with ErrAmbiguous in the chain; the next run
	// then finds the object by Key or Match.
	Create func(ctx context.Context, conn *Conn, change *Change) (Live, error)
	// Update brings the object with change.ID to change.Planned. It sets values, so it may be repeated.
	Update func(ctx context.Context, conn *Conn, change *Change) (Live, error)
	// Delete removes the object with change.ID. An object already gone is success.
	Delete func(ctx context.Context, conn *Conn, change *Change) error
	// Retire removes what an Update or Create left behind on purpose until its consumers were done: the credential
	// that a rotation replaced. nil means nothing is left behind.
	Retire func(ctx context.Context, conn *Conn, change *Change) error
}

// ObjectID is the vendor's identifier of one live object, unique within its type and tenant.
type ObjectID string

// Live is one object as the vendor has it now.
type Live struct {
	// ID is the vendor's identifier.
	ID ObjectID
	// Name is what the portal shows for the object, for diagnostics.
	Name string
	// Value conforms to Type.Object(). Attributes that cannot be read (write-only, local) are null.
	Value cty.Value
}

// Change is one call that changes an object.
type Change struct {
	// Address is the object's address; it never travels to the vendor.
	Address string
	// Operation identifies this attempt, unique for ever; types whose create cannot be repeated leave it in the object
	// where the vendor has a field for it.
	Operation string
	// ID is the live object's identifier; "" on create.
	ID ObjectID
	// Prior is the live value that the change starts from; null on create.
	Prior cty.Value
	// Planned is the wanted value: known throughout, null where not managed, write-only attributes holding *SecretRef.
	// On delete it is null.
	Planned cty.Value
	// Paths are the attribute paths that differ, dotted ("connection.application.client_id"), sorted.
	Paths []string
	// Secrets resolves references and takes issued values.
	Secrets Secrets
	// Keep is given to Retire: the key ids, by attribute, of the issued secrets that must stay.
	Keep map[string]string
	// Now is the time of the change.
	Now time.Time
}

// Changes reports whether path, or anything below it, is among the paths that differ.
func (c *Change) Changes(path string) bool {
	for _, p := range c.Paths {
		if p == path || len(p) > len(path) && p[:len(path)] == path && p[len(path)] == '.' {
			return true
		}
	}
	return false
}

// PlanRequest is what Customize sees and amends.
type PlanRequest struct {
	// Config is the evaluated block; unknown where it depends on pending changes.
	Config cty.Value
	// Prior is the value in state, Live the value read; null when there is none.
	Prior, Live cty.Value
	// Planned is amended in place of being returned.
	Planned cty.Value
	// Undelivered says that a secret which the object issued earlier never reached its consumers.
	Undelivered bool
	// Doubt says that a run which ended before its time began to make the object: what cannot be read of it may not have
	// been done.
	Doubt bool
	// Suspend is why what the vendor does by itself must not go on; "" when it may.
	Suspend string
	// Tenant is the tenant's identity and provider choice.
	Tenant Identity
	// Directory answers questions about the directory; nil when it could not be read, or the type is not FromDirectory.
	Directory DirectoryFacts
	// Mail is what DNS said about the tenant's domains.
	Mail MailFacts
	// Now is the time of the plan.
	Now time.Time
	// Waits are sentences that say what an attribute, planned at its live value for now, waits for; appended to. A
	// wait is not a change.
	Waits []string
	// Reasons are sentences to show with the change; appended to.
	Reasons []string
	// Keep are members of the collection that Weir itself put there for derived accounts: a block that claims the whole
	// collection leaves them. Folded addresses.
	Keep []string
	// Notes are sentences worth reading that change nothing; appended to.
	Notes []string
	// Forecast are sentences about what the configuration asks for and Weir does not buy; appended to. They are lines of
	// the plan's forecast, and no change.
	Forecast []string
	// Force makes the plan an update even when no attribute differs (a stray credential to remove).
	Force bool
}

// MailFacts is what DNS said about a tenant's domains, by domain in lower case. A domain that is missing was not asked
// for.
type MailFacts map[string]DomainFacts

// DomainFacts is what DNS said about one domain. A nil pointer means unknown: the look-up failed.
type DomainFacts struct {
	// MXAtGateway: an MX of the domain is a host of the gateway.
	MXAtGateway *bool
	// SPFReady: the domain's one SPF record includes the gateway and is sound.
	SPFReady *bool
	// TXT are the domain's own TXT records, each joined to one string; nil when unknown or not asked for.
	TXT []string
	// Problem says what is wrong with SPF or why a look-up failed.
	Problem string
}

// GuardRequest is what a type's Guard judges.
type GuardRequest struct {
	// Action is "create", "update", "delete" or "replace".
	Action string
	// Planned is null on delete; Live is null on create.
	Planned, Live cty.Value
	Tenant        Identity
	Mail          MailFacts
	// AddressesIn counts the addresses of accounts in a domain that the plan leaves in place; -1 when unknown.
	AddressesIn func(domain string) int
	// Created says that Weir made the object.
	Created bool
}

// DirectoryFacts are the answers that attribute values may be derived from at plan time.
type DirectoryFacts interface {
	// Matching returns the primary addresses of the entries for which match is true, sorted. An entry whose predicate
	// fails to evaluate is an error.
	Matching(match func(entry any) (bool, error)) ([]string, error)
	// GroupMembers returns the primary addresses of the members of the one group with that name or address, sorted.
	GroupMembers(nameOrAddress string) ([]string, error)
}

// Identity says which tenant an operation is about.
type Identity struct {
	// Key names the tenant in state, flags and journals.
	Key string
	// Name is for people.
	Name string
	// PrimaryDomain addresses the Essentials organization, lower case.
	PrimaryDomain string
	// Parent is the primary domain of the partner account; "" when the organization is never created or deleted.
	Parent string
	// EntraTenantID is the directory, lower-case GUID; "" when the tenant has none declared.
	EntraTenantID string
	// Stack is the Essentials stack: us1 … us5, eu1.
	Stack string
	// VendorData is the date ("2026-11-01") that the configuration pins vendor data to; "" means the newest.
	VendorData string
}

// Conn is one tenant's connection to its vendors.
type Conn struct {
	Tenant Identity
	// Clients holds one client per provider package; a type fetches its own with Client.
	Clients []any
	// Now is the clock.
	Now func() time.Time
}

// Client returns the connection's client of type T, or an error that says what the tenant lacks.
func Client[T any](c *Conn) (T, error) {
	for _, client := range c.Clients {
		if t, ok := client.(T); ok {
			return t, nil
		}
	}
	var zero T
	return zero, fmt.Errorf("tenant %q has no connection of type %T: declare the provider block it needs", c.Tenant.Key, zero)
}

// DataType is one data source: values read before planning, that expressions may use.
type DataType struct {
	Name       string
	Purpose    string
	Provider   string
	Attributes []Attribute
	// Read returns the data for the evaluated arguments. An error makes everything that depends on the data unknown.
	Read func(ctx context.Context, conn *Conn, config cty.Value) (cty.Value, error)
}

// Registry is the set of types that a configuration may use.
type Registry struct {
	types map[string]*Type
	data  map[string]*DataType
}

// NewRegistry registers types and data sources. It panics on a duplicate name or a malformed table: a mistake of the
// programmer.
func NewRegistry(types []*Type, data []*DataType) *Registry {
	r := &Registry{types: map[string]*Type{}, data: map[string]*DataType{}}
	for _, t := range types {
		if r.types[t.Name] != nil {
			panic("resource type registered twice: " + t.Name)
		}
		if err := t.check(); err != nil {
			panic("resource type " + t.Name + ": " + err.Error())
		}
		r.types[t.Name] = t
	}
	for _, d := range data {
		if r.data[d.Name] != nil {
			panic("data source registered twice: " + d.Name)
		}
		r.data[d.Name] = d
	}
	return r
}

// Type returns the resource type of that name, or nil.
func (r *Registry) Type(name string) *Type { return r.types[name] }

// Data returns the data source of that name, or nil.
func (r *Registry) Data(name string) *DataType { return r.data[name] }

// Types returns all resource types in the order in which a tenant's objects are applied: After first, then by name.
func (r *Registry) Types() []*Type {
	names := make([]string, 0, len(r.types))
	for n := range r.types {
		names = append(names, n)
	}
	sort.Strings(names)
	var ordered []*Type
	done := map[string]bool{}
	var place func(name string)
	place = func(name string) {
		t := r.types[name]
		if t == nil || done[name] {
			return
		}
		done[name] = true
		for _, before := range t.After {
			place(before)
		}
		ordered = append(ordered, t)
	}
	for _, n := range names {
		place(n)
	}
	return ordered
}

// DataTypes returns all data sources by name.
func (r *Registry) DataTypes() []*DataType {
	out := make([]*DataType, 0, len(r.data))
	for _, d := range r.data {
		out = append(out, d)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

func (t *Type) check() error {
	if t.Name == "" || t.Purpose == "" || t.Provider == "" {
		return fmt.Errorf("name, purpose and provider are required")
	}
	if t.List == nil || t.Read == nil || t.Create == nil && !t.Singleton || t.Update == nil {
		return fmt.Errorf("list, read, create and update are required")
	}
	if t.Delete == nil && !t.Undeletable {
		return fmt.Errorf("delete is required unless the type is undeletable")
	}
	return checkTable(t.Attributes)
}
