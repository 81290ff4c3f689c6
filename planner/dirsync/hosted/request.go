package hosted

import (
	"time"

	"github.com/weir-project/weir/providers/directory"
)

// Settings are those of the vendor's "Azure Directory Sync" as they will be when it runs.
type Settings struct {
	// Configured says that the sync has an application at all.
	Configured bool
	// Role is the type of new accounts (R18).
	Role directory.AccountType
	// SyncUsers, SyncDistribution and SyncSecurity are the kinds that are brought over (R20).
	SyncUsers, SyncDistribution, SyncSecurity bool
	// The portal's How settings (R21–R26).
	AddUsers, UpdateUsers, RemoveUsers    bool
	AddGroups, UpdateGroups, RemoveGroups bool
	// Frequency is the time between two automatic runs; 0 is Never (R27).
	Frequency time.Duration
	// LastRun is the vendor's last_successful_sync; zero when there was none.
	LastRun time.Time
}

// Memory is what a run linked an account to.
type Memory struct {
	ObjectID string
	// Kind is the directory object's; "" when not known.
	Kind directory.Kind
}

// Request is everything that a prediction rests on. Nothing in it is changed.
type Request struct {
	Settings Settings
	// Fails says why no run can succeed, such as a secret that ended; "" when nothing speaks against it. Doubt says what
	// may make it fail and cannot be read; "" for nothing.
	Fails, Doubt string
	// Domains are those registered in Essentials, lower case; whether mail flows for them does not matter (R33, R35).
	Domains []string
	// Directory and Accounts are the two reads. Without both, complete, nothing is predicted.
	Directory *directory.Reading
	Accounts  *directory.AccountReading
	// Exempt are the addresses on the vendor's list of exemptions, lower case.
	Exempt []string
	// Remembered is what state knows of which account stands for which object, by Essentials id. Whether the vendor
	// remembers the same cannot be read.
	Remembered map[int]Memory
	// Licenses is the number of seats bought; 0 when not known.
	Licenses int
	Now      time.Time
}

// Assumptions are what no client can read, and so what a run may depend on without anybody being able to tell. The zero
// value, with Memory from Request.Remembered, is the expected reading.
type Assumptions struct {
	// Memory are the links of earlier runs: what the vendor takes for previously synced (R22, R24, R25).
	Memory map[int]Memory
	// Refuses makes the run fail for that reason.
	Refuses string
	// DeletesHandMade: Remove Deleted Users takes accounts that no run made.
	DeletesHandMade bool
	// FlipsWithoutRemove: a functional account gives way to the user at its address although Remove Deleted Users is off.
	FlipsWithoutRemove bool
	// BringsMicrosoft365: Microsoft 365 groups come over like distribution groups.
	BringsMicrosoft365 bool
	// LeavesNameless: an entry without given name and surname gets no name from its display name.
	LeavesNameless bool
	// Primaries are primary addresses of entries that name none, by object id: the vendor may take the mail attribute.
	Primaries map[string]string
	// IgnoresInitialDomain: the tenant's initial domain does not fail a manual run (R34).
	IgnoresInitialDomain bool
	// NoMail are verified domains, lower case, that carry no mail and so do not fail a manual run either.
	NoMail map[string]bool
	// LastFirst turns the order around in which entries get addresses and seats that several want, and accounts an object that
	// several are remembered for.
	LastFirst bool
	// Capped: user capping is on, and no seat beyond those bought is given.
	Capped bool
}

// Fact names one assumption.
type Fact string

// The facts, each with the text that a report gives for it (Fact.Text).
const (
	EarlierRuns   Fact = "earlier_runs"
	Credentials   Fact = "credentials"
	HandMade      Fact = "hand_made"
	FlipSwitch    Fact = "flip_switch"
	Microsoft365  Fact = "microsoft_365_groups"
	Nameless      Fact = "nameless"
	NoPrimary     Fact = "no_primary"
	InitialDomain Fact = "initial_domain"
	MailDomains   Fact = "mail_domains"
	Contested     Fact = "contested_address"
	UserCapping   Fact = "user_capping"
)

var factTexts = map[Fact]string{
	EarlierRuns:   "whether the vendor remembers that it synced these accounts (R22, R25)",
	Credentials:   "whether the vendor can sign in to the directory with what is stored (R10, R11)",
	HandMade:      "whether Remove Deleted Users also takes accounts that were made by hand (R25)",
	FlipSwitch:    "whether a functional account gives way to the directory's user although Remove Deleted Users is off (R40)",
	Microsoft365:  "whether Microsoft 365 groups count as distribution groups (R1, R20)",
	Nameless:      "whether the display name stands in for missing names",
	NoPrimary:     "whether the mail attribute stands in for a missing primary address (R31)",
	InitialDomain: "whether the tenant's initial domain has to be registered for a manual run (R34)",
	MailDomains:   "whether a domain without mail has to be registered for a manual run (R34)",
	Contested:     "which of several gets an address, a seat or an object that all of them want",
	UserCapping:   "whether user capping is on, which refuses seats beyond those bought",
}

// Text says what cannot be known, to stand behind "It cannot be read".
func (f Fact) Text() string { return factTexts[f] }
