package dirsync

import (
	"time"

	"github.com/weir-project/weir/providers/directory"
)

// Known is what state remembers of one account. The zero value of every field but Address is the cautious one.
type Known struct {
	// Address is the primary address when last written or linked, folded.
	Address string
	// UID is the Essentials id; 0 when not known yet.
	UID int
	// ObjectID is the directory object; "" for an adopted stray.
	ObjectID string
	// Policy is the address of the policy that manages the account.
	Policy string
	// Hash is Hash of what was last written or linked.
	Hash string
	// Created says that Weir made the account; otherwise it was adopted.
	Created bool
	// GoneSince is when the grace clock began; zero while the entry lives.
	GoneSince time.Time

	// Aliases are those that the directory asked for when the account was last written or linked. Other aliases of the
	// account are foreign: kept and listed.
	Aliases []string
	// Kind is the entry's kind when last seen; "" when not recorded.
	Kind directory.Kind
	// Converted says that Weir made a functional account of a user. Only then, or when Created, does it turn the
	// account back.
	Converted bool
	// Disabled says that Weir disabled the account, so that its deletion does not count as a removal again.
	Disabled bool
	// SettleUntil is until when a read may still show the value before the last write.
	SettleUntil time.Time
}

// Domain is one domain of the organization as it will be after the plan.
type Domain struct {
	Name string
	// Relay: mail flows for it. Otherwise it is a management domain (R35).
	Relay bool
}

// Removal is one address that stopped receiving within the window.
type Removal struct {
	Address string
	At      time.Time
}

// Request is everything that a decision rests on. Nothing in it is changed.
type Request struct {
	Policy  Policy
	Domains []Domain
	// DomainsDoubt says why Domains may lack some; "" when they are whole.
	DomainsDoubt string
	// Directory and Accounts are the two reads; nil counts as unreadable.
	Directory *directory.Reading
	Accounts  *directory.AccountReading
	// Known is sorted by address.
	Known       []Known
	Protections []Protection
	// ProtectionsDoubt says why Protections and Declared may lack some; "" when they are whole.
	ProtectionsDoubt string
	// Declared holds the addresses of declared account blocks, folded.
	Declared map[string]bool
	// Exempt holds the addresses on the vendor's list of exemptions, folded, as the plan leaves it; nil when it was not read.
	// Only the hosted engine asks for it.
	Exempt map[string]bool
	// Skips are addresses that a person left out until a time (zero: no end). Past it they are still left out, and
	// reported.
	Skips map[string]time.Time
	// SkipRecords gives, by address of Skips, the record in state that a person ends it by; "" or nil is the policy's own
	// of that address. Only flips ask for it.
	SkipRecords map[string]string
	// Window are earlier removals; those older than Safeguard.Window are ignored.
	Window []Removal
	// Others are addresses, folded, that other items of the plan take out of service: they count against the limit too.
	Others []string
	// AdminsLeaving are active administrator accounts that other items take away.
	AdminsLeaving int
	// PolicyChanged says that the configuration differs from the last applied one.
	PolicyChanged bool
	// Sync leaves alone what somebody changed in Essentials: only what the directory asks for is decided, and that an
	// account which vanished there is made again, with cause drift.
	Sync bool
	Now  time.Time
}
