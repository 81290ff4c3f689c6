package planner

import (
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// Action is what happens to an object. Its value is the symbol that is shown.
type Action string

// The actions on declared objects.
const (
	NoOp         Action = ""
	Create       Action = "+"
	Update       Action = "~"
	Delete       Action = "-"
	DeleteCreate Action = "-/+" // replace, the old object first
	CreateDelete Action = "+/-" // replace, the new object first
	Adopt        Action = "<-"  // an existing object comes under management, with or without differences
	Move         Action = "=>"  // the address changed, the object did not
	Release      Action = "."   // forgotten; the vendor's object stays as it is
	Unknown      Action = "!"   // could not be read: nothing is planned
)

// Word names the action for people and machine formats.
func (a Action) Word() string {
	switch a {
	case NoOp:
		return "no-op"
	case Create:
		return "create"
	case Update:
		return "update"
	case Delete:
		return "delete"
	case DeleteCreate, CreateDelete:
		return "replace"
	case Adopt:
		return "adopt"
	case Move:
		return "move"
	case Release:
		return "release"
	}
	return "unknown"
}

// Cause says why something differs. The three are kept apart everywhere.
type Cause string

// The causes.
const (
	Configuration Cause = "configuration" // the files changed
	Directory     Cause = "directory"     // Entra or Exchange changed under an unchanged policy
	Drift         Cause = "drift"         // somebody changed a managed object
)

// Status is the fate of one tenant's part.
type Status string

// The states of a part.
const (
	Ready   Status = "ready"   // everything in it can be applied
	Held    Status = "held"    // complete, but guards hold items
	Errored Status = "errored" // could not be planned; recorded and skipped
)

// Plan is what one run of plan decided, for every tenant it looked at.
type Plan struct {
	// ID is random and names the plan in journals; Created is its time, UTC.
	ID      string
	Created time.Time
	// Version is the program's.
	Version string
	// Realm is "live" or the id of a simulated world; Lineage the configuration's; Digest of sources and variables.
	Realm, Lineage, Digest string
	// Destroy says that the plan takes everything down, IncludeAdopted what was found too.
	Destroy, IncludeAdopted bool
	// Targets and Excludes are the selections the plan was made with.
	Targets, Excludes, Tenants []string
	// Replace names what was to be replaced.
	Replace []string
	// Parts in order of tenant key; the root's, key "", last.
	Parts []*Part
	// Variables are the root variables, for the archive; Sensitive names the sensitive ones.
	Variables map[string]cty.Value
	Sensitive map[string]bool
	// Sources are the module sources and the files read by functions, by path, for the archive.
	Sources map[string][]byte
}

// Part is the plan of one tenant.
type Part struct {
	// Tenant identifies it; Address is its block.
	Tenant  resource.Identity
	Address string
	Status  Status
	// Serial and Lineage name the state that the part was made against; 0 and "" when there was none.
	Serial  uint64
	Lineage string
	// Proofs show how complete each read was.
	Proofs []directory.Proof
	// Changes are the declared objects that change, in the order in which they are applied; NoOps are counted.
	Changes   []*Change
	Unchanged int
	// Drifted lists what somebody changed outside, apart from Changes; one entry an object.
	Drifted []*Change
	// Accounts are the derived accounts; nil when the tenant has no sync policy in this plan.
	Accounts *dirsync.Result
	// AccountPolicy is the address of the policy that Accounts follow.
	AccountPolicy string
	// Forecast is what the part comes to; nil when it has nothing to do with an organization.
	Forecast *Forecast
	// Hosted is what the vendor's own sync will do by itself after the part is applied; nil with any other engine.
	Hosted *HostedRun
	// Allowance is the digest of the policy's one-time allowance that the removals of this part use up; "" for none.
	Allowance string
	// Bookkeeping says that state has something to remember about accounts that needs no vendor call.
	Bookkeeping bool
	// Waiting are changes that the directory asks for and that bear a date. They do not travel in a plan file.
	Waiting []Waiting
	// MaxAge is how long the policy lets such a change wait before the sync counts as not running.
	MaxAge time.Duration
	// Late says that the sync is not running; "" when nothing waits too long, or nobody looked.
	Late string
	// Guards are the guards that hold something.
	Guards []Guard
	// Waits say what is planned at its live value for now, and until when or what.
	Waits []Wait
	// Problems say what could not be read, in full sentences.
	Problems []string
	// Notes are sentences worth reading that change nothing.
	Notes []string
	// Errors are why an errored part could not be planned.
	Errors []string
	// Outputs are the planned changes of root outputs (root part only).
	Outputs []OutputChange
	// Former is the key under which state has had the tenant up to now, when that is another: its state moves to Tenant.Key
	// before anything else is applied.
	Former string
	// Removed says that no block claims the tenant any more.
	Removed bool
	// Omissions are the items that a person left out before approving the rest.
	Omissions []Omission
	// registered are the domains that the organization has, lower case.
	registered []string
	// unselected are the decisions that were not made because the run's selections leave them out, by account address.
	unselected map[string]dirsync.Action
	// unevaluated names a block that might protect somebody and was not evaluated; "" when all were.
	unevaluated string
	// safeguard is what the accounts were decided under; nil without a policy.
	safeguard *dirsync.Safeguard
	// alsoHeld are addresses of declared objects that the limit of removals holds along with accounts.
	alsoHeld []string
	// Reissue are the addresses of objects that issue their secret anew, because a value that was written once has to be
	// written again.
	Reissue []string
	// Values are the planned values of all objects, unchanged ones included, by address: what root outputs refer to.
	// They do not travel in a plan file.
	Values map[string]cty.Value
	// Moved are the new addresses of what state remembers: first in the journal when the part is applied. It is found
	// anew under the lease, so it does not travel in a plan file; the changes there say From.
	Moved []state.Rename
	// Addresses are the objects that a selection chose from, and Matched the selections that name any of them or an account.
	// Both are for whoever looks for a mistyped selection and do not travel in a plan file; without a selection they are nil.
	Addresses []string
	Matched   map[string]bool
	// Files are the files that functions read while the part was evaluated, by path. They travel among the plan's sources.
	Files map[string][]byte
}

// Guard is one guard that holds items.
type Guard struct {
	// Name identifies the kind of guard: "prevent_destroy", "removals", "tenant_removed".
	Name string
	// Addresses are the items it holds.
	Addresses []string
	// Text says why, Cure what to write or pass, ready to paste.
	Text, Cure string
}

// Wait is something that is not a change yet.
type Wait struct {
	Address string
	Text    string
}

// OutputChange is one root output that changes; Before or After is cty.NilVal when it is new or goes.
type OutputChange struct {
	Name          string
	Before, After cty.Value
	Sensitive     bool
}

// Change is one declared object in a plan.
type Change struct {
	Address string
	Type    string
	// Name is what the portal shows.
	Name   string
	ID     resource.ObjectID
	Action Action
	Cause  Cause
	// Before is the live value, After the planned one; cty.NilVal where there is none. After may hold unknowns.
	// Neither carries marks: Sensitive names the paths that must not be shown.
	Before, After cty.Value
	// Wanted is the managed part of After: null where the block says nothing. It is what drivers are given.
	Wanted cty.Value
	// Paths are the attributes that differ, sorted by path.
	Paths     []PathChange
	Sensitive []string
	// Reasons are sentences that say why, besides Cause.
	Reasons []string
	// Gone says that the vendor does not have what is released any more. It does not travel in a plan file.
	Gone bool
	// Forced sends an update although no attribute differs: what is missing cannot be read.
	Forced bool
	// Held says why the item is not applied; "" when it is.
	Held string
	// Skipped names the address whose failure or hold keeps this item from being applied.
	Skipped string
	// Created says that Weir made the object (it may be deleted), rather than found it.
	Created bool
	// Dependencies are addresses that come first.
	Dependencies []string
	// PreventDestroy as it will be remembered.
	PreventDestroy bool
	// Versions are the planned versions of write-only attributes, where known.
	Versions map[string]string
	// From is the address under which state has the object so far, when a move changes it; "" when nothing does. A Move
	// has it, and so has any other action on an object that moves.
	From string
	// Left are the paths that a sync leaves as somebody changed them; state goes on remembering what was applied. They do
	// not travel in a plan file.
	Left []string
	// Source is where the block stands ("main.weir.hcl:14"); "" when it is gone.
	Source string

	// forecast are lines for the part's forecast; ours what Weir put on a list of the vendor before this plan.
	forecast, ours []string
}

// PathChange is one attribute that differs.
type PathChange struct {
	// Path is dotted: "connection.application.client_id".
	Path string
	// Label is the portal's word for it, "" when it has none.
	Label string
	// Before and After are the attribute's values; After may be unknown. Null for write-only attributes.
	Before, After cty.Value
	Cause         Cause
	// WriteOnly paths are sent without being compared; Sensitive ones must not be shown.
	WriteOnly, Sensitive bool
	// Local paths change what Weir remembers and send nothing.
	Local bool
	// Forces says that the change of this path replaces the object.
	Forces bool
}

// Destructive reports whether applying the change takes something away that cannot be put back.
func (c *Change) Destructive() bool {
	return c.Action == Delete || c.Action == DeleteCreate || c.Action == CreateDelete
}

// Applies reports whether the change would be carried out.
func (c *Change) Applies() bool {
	return c.Action != NoOp && c.Action != Unknown && c.Held == "" && c.Skipped == ""
}

// Pending reports whether the part has anything to apply, held or not.
func (p *Part) Pending() bool {
	for _, c := range p.Changes {
		if c.Action != NoOp && c.Action != Unknown {
			return true
		}
	}
	return p.Former != "" || p.Accounts != nil && len(p.Accounts.Decisions) > 0 || len(p.Outputs) > 0 ||
		p.Accounts != nil && len(p.Accounts.Links) > 0
}

// Readable reports whether everything that the part rests on could be read.
func (p *Part) Readable() bool { return len(p.Problems) == 0 }

// Summary counts what a part would do.
type Summary struct {
	Add, Change, Destroy, Adopt, Release, Move, Held, Unknown int
	// Accounts counts account decisions by action; AccountsHeld those that limits hold.
	Accounts     map[dirsync.Action]int
	AccountsHeld int
	Linked       int
}

// Summary counts the items of the part.
func (p *Part) Summary() Summary {
	s := Summary{Accounts: map[dirsync.Action]int{}}
	if p.Former != "" {
		s.Move++
	}
	for _, c := range p.Changes {
		if c.Held != "" || c.Skipped != "" {
			s.Held++
			continue
		}
		switch c.Action {
		case Create:
			s.Add++
		case Update:
			s.Change++
		case Move:
			s.Move++
		case Delete:
			s.Destroy++
		case DeleteCreate, CreateDelete:
			s.Add++
			s.Destroy++
		case Adopt:
			s.Adopt++
		case Release:
			s.Release++
		case Unknown:
			s.Unknown++
		}
	}
	if p.Accounts != nil {
		s.Linked = len(p.Accounts.Links)
		for _, d := range p.Accounts.Decisions {
			if d.Held != "" {
				s.AccountsHeld++
				continue
			}
			s.Accounts[d.Action]++
		}
	}
	return s
}
