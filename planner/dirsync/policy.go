package dirsync

import (
	"time"

	"github.com/weir-project/weir/providers/directory"
)

// The engines of Policy.Engine.
const (
	EngineWeir       = "weir"       // Weir writes the accounts
	EngineEssentials = "essentials" // the vendor's own sync does; Weir removes and converts
	EngineNone       = "none"       // nobody does; exemptions still convert
)

// What Policy.SharedMailboxes, Rooms, BlockedSignIn, Gone, OutOfScope, Strays and Protection.As may say.
const (
	AsFunctional = "functional_account" // mail flows on, no seat
	AsUser       = "user"
	AsSkip       = "skip"
	AsDisable    = "disable" // mail is refused (R32)
	AsKeep       = "keep"
	AsDelete     = "delete"
	AsRemove     = "remove" // out of scope: treated as gone
	AsList       = "list"
	AsAdopt      = "adopt"
	AsUnchanged  = "unchanged"
)

// Policy is one sync_policy block, decoded.
type Policy struct {
	// Address is the block's address, Where its place ("main.weir.hcl:66") in texts.
	Address, Where string
	// Engine is one of the Engine constants.
	Engine string
	// NewUserRole is the type of accounts that are added or turned back into users; never an admin type. "" is end_user.
	NewUserRole directory.AccountType
	// SyncUsers brings over users and mailboxes, the others groups. Microsoft 365 groups count as distribution groups
	// (inferred: the portal has no switch of their own for them).
	SyncUsers, SyncDistributionGroups, SyncSecurityGroups bool
	// Include is evaluated for every entry that could get an account; nil includes all.
	Include directory.Predicate
	// SharedMailboxes and Rooms (which covers equipment) are AsFunctional, AsUser or AsSkip.
	SharedMailboxes, Rooms string
	// BlockedSignIn is AsFunctional, AsDisable or AsKeep.
	BlockedSignIn string
	// Gone is AsDisable, AsFunctional, AsKeep or AsDelete.
	Gone string
	// OutOfScope is AsKeep, or AsRemove: treat like Gone.
	OutOfScope string
	// Strays is AsList or AsAdopt.
	Strays string
	// DeleteAfter is how long a gone account stays disabled (or functional, or, with Gone AsDelete, as it is) before
	// it is deleted. 0: never, or with Gone AsDelete at once.
	DeleteAfter time.Duration
	// Users holds for users and mailboxes, Groups for groups.
	Users, Groups Switches
	Safeguard     Safeguard
	// OnRisk is "report" or "suspend", for the hosted engine.
	OnRisk string
	// MaxAge is how long directory changes may stay pending before drift reports the sync as not running.
	MaxAge time.Duration
}

// Switches are the portal's How settings (R21–R26). Update covers every change of an account whose entry lives:
// attributes, renames, disabling, enabling, conversion.
type Switches struct{ Add, Update, Remove bool }

// Safeguard limits what one plan may do to one tenant. The limits are exact: 0 allows none.
type Safeguard struct {
	// MaxRemovals and MaxRemovalPercent limit addresses that stop receiving within Window: the smaller of MaxRemovals
	// and MaxRemovalPercent of the owned active accounts, rounded up and at least 1.
	MaxRemovals       int
	MaxRemovalPercent float64
	// MaxConversions limits conversions, MaxAdditions the seats newly used, of one plan.
	MaxConversions, MaxAdditions int
	// Window is the moving window for removals.
	Window time.Duration
	// MinAdmins active admin accounts must remain.
	MinAdmins int
	// Protected addresses, folded, never stop receiving.
	Protected []string
	// Allow lets one plan pass the limit of removals; nil for none, or when it was used up.
	Allow *Allow
}

// Allow passes exactly Removals removals, once, until the end of Until (zero: no end).
type Allow struct {
	Removals int
	Reason   string
	Until    time.Time
	// Source names it in texts; "" is safeguard.allow.
	Source string
}

func (a *Allow) source() string {
	if a.Source == "" {
		return "safeguard.allow"
	}
	return a.Source
}

// Protection is one exemption block, decoded. Past Expires it goes on protecting and is reported.
type Protection struct {
	// Source is the address of the exemption. Where is its place ("main.weir.hcl:96"); "" when it stands in no file any
	// more, and then nobody is told that it meets nobody.
	Source, Where string
	// Addresses names accounts or entries by any of their addresses; Patterns selects them so.
	Addresses []string
	Patterns  []directory.Pattern
	// UIDs and ObjectIDs are what Addresses stood for when first seen, so that the protection follows a rename.
	UIDs      []int
	ObjectIDs []string
	// When selects entries; nil selects none. An error makes the entry unknown.
	When directory.Predicate
	// Groups selects the members, nested ones too, of groups named by display name or address.
	Groups []string
	// Last are the addresses that the exemption stood for when last applied. A group that is missing, ambiguous or
	// suddenly much smaller goes on protecting them; without Last, such a group bars everything destructive. A
	// protection without Patterns, When and Groups, as state remembers one, protects them too.
	Last []string
	// As is AsUnchanged or AsFunctional; "" is AsUnchanged.
	As            string
	Reason, Owner string
	Expires       time.Time
}
