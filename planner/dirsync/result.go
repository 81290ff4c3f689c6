package dirsync

import (
	"time"

	"github.com/weir-project/weir/providers/directory"
)

// Action is what happens to one account.
type Action string

// The actions. A decision that does several things carries the gravest; Before and After say the rest.
const (
	Add     Action = "add"
	Update  Action = "update"
	Rename  Action = "rename"
	Convert Action = "convert" // between user and functional account
	Protect Action = "protect" // nothing but its exemption from the vendor's own sync is written
	Disable Action = "disable"
	Enable  Action = "enable"
	Delete  Action = "delete"
)

// The causes, kept apart everywhere.
const (
	CauseConfiguration = "configuration" // the files changed
	CauseDirectory     = "directory"     // the directory changed under an unchanged policy
	CauseDrift         = "drift"         // somebody changed a managed account
)

// Reason is one link of the chain that led to a decision.
type Reason struct {
	// Rule is "R32", or "" for Weir's own rules.
	Rule string
	Text string
}

// Decision is one change of one account.
type Decision struct {
	Action Action
	// Address is the account's primary address today; for Add the wanted one.
	Address  string
	UID      int
	ObjectID string
	Kind     directory.Kind
	// Before is the account as read, nil for Add; After as wanted, nil for Delete. Shared with the request: read only.
	Before, After *directory.Account
	// Asked is what the directory asks for, where After leaves something as somebody changed it in Essentials; nil when
	// that is After. State remembers it, so that what was left goes on being drift.
	Asked *directory.Account
	// Owned are those of After's aliases that the directory asks for; the others are foreign and kept.
	Owned   []string
	Cause   string
	Reasons []Reason
	// Destructive decisions rest on complete reads and are confirmed directly before the call.
	Destructive bool
	// Loses are the addresses, sorted, that stop receiving through it.
	Loses []string
	// Counts are the addresses that it puts on the limit of removals, and that Request.Window must hold once it is
	// done: an account that goes counts once, by its primary address, and not again when Weir had disabled it.
	Counts []string
	// Gone: its directory object does not exist, which must still be so directly before the call. Without it a removal
	// rests on what the entry says.
	Gone bool
	// Groups are the groups of the entry, as read, on a destructive decision about one that lives where the policy or an
	// exemption decides by groups; they must still be these directly before the call. nil otherwise.
	Groups *directory.Memberships
	// Created: Weir made the account, or makes it now.
	Created bool
	// Adopt: the account is not in state yet.
	Adopt bool
	// Exempt is "add" or "remove" when, under the hosted engine, the address must enter the vendor's exemption list
	// before the call, or leave it after (R40).
	Exempt string
	// Needs are addresses whose decisions must be done first, because they give up an address that this one takes.
	Needs []string
	// Wave is 0 without Needs, else one more than the highest wave among them.
	Wave int
	// Known is the address of the account's record in state, "" when there is none; Record the one under which state
	// keeps the account afterwards, "" when it drops it. They differ when the account is renamed.
	Known, Record string
	// Held says why the decision is not applied; "" when it is.
	Held string
	// GoneSince is the grace clock to remember; zero while the entry lives.
	GoneSince time.Time
}

// Skip is an entry or account to which nothing happens although somebody might expect it.
type Skip struct {
	// Address is "" for an entry without one.
	Address  string
	ObjectID string
	Kind     directory.Kind
	Code     SkipCode
	Reasons  []Reason
}

// Link adopts an account: from now on it stands for a directory object. Nothing is written to the vendor.
type Link struct {
	Address  string
	UID      int
	ObjectID string
	Kind     directory.Kind
	// Owned and Hash are to be remembered, as Known.Aliases and Known.Hash.
	Owned   []string
	Hash    string
	Reasons []Reason
	// From is the address of the record that this one replaces; "" when there was none. Drop all From before the first
	// link is remembered: two accounts may change places. Created, Converted and Disabled
	// are taken over from it.
	From                         string
	Created, Converted, Disabled bool
	// GoneSince starts the clock of a stray that is adopted.
	GoneSince time.Time
}

// Clock is a grace clock to be started, or stopped (zero), in state. Nothing is written to the vendor.
type Clock struct {
	Address   string
	GoneSince time.Time
}

// Wait is a change made but not visible yet.
type Wait struct {
	Address string
	Until   time.Time
	Text    string
}

// Undecided is an account that only a person can decide about.
type Undecided struct {
	Address  string
	ObjectID string
	Reasons  []Reason
	// Blocks are the HCL blocks, of which one is to be pasted.
	Blocks []string
	// Error: with this engine the plan must not go on without a decision (R40).
	Error bool
}

// Hold is a limit that was reached.
type Hold struct {
	// Limit is "removals", "conversions", "additions", "admins" or "protected".
	Limit string
	// Count is what the plan asks for, Used what the window already saw, Allowed the limit.
	Count, Used, Allowed int
	// Addresses are the accounts held, sorted.
	Addresses []string
	Text      string
	// Paste is the HCL that lets it pass; "" when none does.
	Paste string
}

// Stop is one address that is accepted today and refused tomorrow.
type Stop struct{ Address, Why string }

// Foreign lists aliases of a managed account that the directory does not know and Weir did not write.
type Foreign struct {
	Address string
	Aliases []string
}

// Binding says what an address named by a protection stands for now.
type Binding struct {
	Source, Address string
	UID             int
	ObjectID        string
}

// DirectoryUnread is the problem of a tenant whose directory could not be read.
const DirectoryUnread = "the directory could not be read"

// Forecast counts billable seats: active accounts that are neither functional nor marked not billable.
type Forecast struct{ Before, After int }

// Result is what Decide found. All lists are sorted by address.
type Result struct {
	Decisions  []Decision
	Skips      []Skip
	SkipCounts map[string]int
	// Links are adoptions that need no write.
	Links     []Link
	Clocks    []Clock
	Waits     []Wait
	Undecided []Undecided
	// Unchanged is the number of managed accounts that are as they should be.
	Unchanged int
	// Destructive: some decision that is not held is.
	Destructive bool
	Held        []Hold
	// Allowed is the number of removals that safeguard.allow let pass, which uses it up; 0 when it was not needed.
	Allowed int
	Notes   []string
	Seats   Forecast
	// OwnedActive is the base of the percentage: active accounts managed or adopted by this plan.
	OwnedActive int
	// Problems say why nothing destructive may be decided.
	Problems []string
	// StopsReceiving are all addresses that decisions not held take out of service.
	StopsReceiving []Stop
	// Strays are addresses of accounts without directory entry that nobody manages.
	Strays []string
	// Foreign are aliases kept on managed accounts.
	Foreign []Foreign
	// Unregistered are domains of the directory that Essentials does not know (R34, R36), sorted.
	Unregistered []string
	// Bindings are what the protections' addresses stand for.
	Bindings []Binding
	// Learned are records that state may bring up to date when it next writes.
	Learned []Known
	// Forget are records without account and entry.
	Forget []string
}

// Group returns the decisions with that action, held ones included.
func (r *Result) Group(action Action) []Decision {
	var out []Decision
	for i := range r.Decisions {
		if r.Decisions[i].Action == action {
			out = append(out, r.Decisions[i])
		}
	}
	return out
}

// Find returns the decision about the account now at, or to be added at, the address; nil for none.
func (r *Result) Find(address string) *Decision {
	for i := range r.Decisions {
		if r.Decisions[i].Address == address {
			return &r.Decisions[i]
		}
	}
	return nil
}

// Remember returns what state has to keep of the account when the decision was carried out; uid is what Essentials
// assigned. The record at
// Known is replaced. false: nothing is to be kept.
func (d *Decision) Remember(prev *Known, policy string, uid int) (Known, bool) {
	if d.Record == "" {
		return Known{}, false
	}
	if uid == 0 {
		uid = d.UID
	}
	asked := d.After
	if d.Asked != nil {
		asked = d.Asked
	}
	k := Known{
		Address: d.Record, UID: uid, ObjectID: d.ObjectID, Policy: policy, Kind: d.Kind,
		Hash: ownedHash(asked, d.Owned), Aliases: d.Owned, Created: d.Created, GoneSince: d.GoneSince,
	}
	if d.After.Type == directory.FunctionalAccount && d.Action != Add {
		k.Converted = d.Before.Type != directory.FunctionalAccount || prev != nil && prev.Converted && (prev.UID == 0 || prev.UID == d.UID)
	}
	if !d.After.Active {
		k.Disabled = d.Before.Active || prev != nil && prev.Disabled
	}
	return k, true
}

// Remember returns what state has to keep of an adopted account.
func (l *Link) Remember(policy string) Known {
	return Known{
		Address: l.Address, UID: l.UID, ObjectID: l.ObjectID, Policy: policy, Kind: l.Kind, Hash: l.Hash, Aliases: l.Owned,
		Created: l.Created, Converted: l.Converted, Disabled: l.Disabled, GoneSince: l.GoneSince,
	}
}
