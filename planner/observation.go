package planner

import (
	"time"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// Observation is what one read of a tenant's vendors found. A type that could not be read has an error: nothing is
// known about its objects, and nothing is decided about them.
type Observation struct {
	// Objects by type name. A type that is missing was not asked for.
	Objects map[string]Reading
	// Directory is the read of Entra and Exchange; nil when no policy asks for it.
	Directory    *directory.Reading
	DirectoryErr error
	// Accounts is the read of the organization's accounts; nil when nothing asks for it.
	Accounts    *directory.AccountReading
	AccountsErr error
	// Cloud is the part of Microsoft's cloud that the directory is in, as entra.Cloud tells it: "" for the worldwide one, or
	// when nothing asked; CloudErr why it is unknown.
	Cloud    string
	CloudErr error
	// Mail is what DNS said.
	Mail resource.MailFacts
	// At is when the read began, UTC.
	At time.Time
}

// WithoutPeople is the observation without the entries and groups of the directory, which are the largest part of it: for an
// apply, which has decided about everybody. Nothing can be decided on what is left of the directory.
func (o *Observation) WithoutPeople() *Observation {
	rest := *o
	if rest.Directory != nil {
		rest.Directory = &directory.Reading{Proof: directory.Proof{Problem: "who is in it was decided about and let go of"}}
	}
	return &rest
}

// Reading is one type's live objects, or why they are unknown.
type Reading struct {
	Live []resource.Live
	Err  error
}
