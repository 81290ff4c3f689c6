package directory

import "time"

// Reading is one read of a tenant's directory.
type Reading struct {
	// Entries are sorted by Address, then ObjectID; entries without address come first.
	Entries []*Entry
	// Proof says why the read counts as complete, or why not.
	Proof Proof
	// KindsErr is why mailbox kinds are not known (Exchange unreadable); nil when they are.
	KindsErr error
	// Domains are the tenant's verified domains, lower case, sorted; nil when they could not be read.
	Domains []string
	// Groups are found by display name or address for protections and `entry.groups`.
	Groups []*Entry
	// Notes say in full sentences what is worth knowing about the read and changes nothing: why it was done in full, or
	// that it could not be kept for the next one.
	Notes []string
}

// AccountReading is one read of an organization's accounts.
type AccountReading struct {
	// Accounts are sorted by Address.
	Accounts []*Account
	Proof    Proof
	// Counted is the vendor's own number of seats in use, which is what it bills; 0 when it does not say.
	Counted int
}

// Proof shows that a read is complete: every page seen, counts in agreement, no page twice, token continuity. Nothing
// destructive is decided on a read whose Complete is false.
type Proof struct {
	Complete bool `json:"complete"`
	// Problem says in one sentence what makes the read incomplete; "" when complete.
	Problem string `json:"problem,omitempty"`
	// Source names what was read: "users", "groups", "mailboxes", "accounts".
	Source string `json:"source,omitempty"`
	// Pages and Objects are what was received, Count what the vendor said there is (-1 when it does not say).
	Pages   int `json:"pages"`
	Objects int `json:"objects"`
	Count   int `json:"count"`
	// Hash is the SHA-256 of the objects in order, hex; it tells two reads apart in a plan.
	Hash string `json:"hash,omitempty"`
	// At is when the read began, UTC.
	At time.Time `json:"at"`
	// Parts are the reads that this one is made of.
	Parts []Proof `json:"parts,omitempty"`
	// Base is the kept reading that this one goes on from, of which only the changes were asked for; nil when everything
	// was read. What is missing in a reading with a base must be confirmed directly before something is removed because of
	// it, and so must be who is in a group.
	Base *Base `json:"base,omitempty"`
	// Changed is how many objects the changes since Base brought, repetitions too.
	Changed int `json:"changed,omitempty"`
	// Continued says that the read ended with the token that the next one goes on from, so that nothing that happened in
	// between can be missed.
	Continued bool `json:"continued,omitempty"`
}

// Base is a reading that was kept.
type Base struct {
	// Generation names it among those kept, and Hash is the SHA-256, hex, that covers all of it.
	Generation string `json:"generation"`
	Hash       string `json:"hash"`
	// Objects is how many objects it had.
	Objects int `json:"objects"`
	// At is when it was read, Full when the last full read began on which it rests, UTC.
	At   time.Time `json:"at"`
	Full time.Time `json:"full"`
}
