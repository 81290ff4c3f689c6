package resource

import (
	"errors"
	"fmt"
	"strings"
)

// The kinds that callers branch on, found with errors.Is.
var (
	// ErrAbsent: the vendor said, in a complete and successful answer, that the object does not exist.
	ErrAbsent = errors.New("object does not exist")
	// ErrAmbiguous: the call may or may not have taken effect, because its answer was lost.
	ErrAmbiguous = errors.New("outcome unknown")
	// ErrDenied: the credentials were refused or lack a permission.
	ErrDenied = errors.New("access denied")
	// ErrThrottled: the vendor asked to come back later and the retry budget is used up.
	ErrThrottled = errors.New("throttled")
	// ErrConflict: the vendor refused because something else holds the name, address or seat.
	ErrConflict = errors.New("conflict")
	// ErrInvalid: the vendor refused the value.
	ErrInvalid = errors.New("value refused")
	// ErrUnavailable: the vendor could not be reached or is out of order.
	ErrUnavailable = errors.New("vendor unavailable")
)

// Error is what provider code returns: the call, what it was about, and what helps.
type Error struct {
	// Op is the call in words: "create domain", "PUT /orgs/{d}/users/{user}".
	Op string
	// Subject is the object: an address or name.
	Subject string
	// Attribute is the path of the attribute at fault, if one is.
	Attribute string
	// Kind is one of the Err values above, or nil.
	Kind error
	// Status is the HTTP status, 0 when there was no answer.
	Status int
	// Request is the vendor's request id, for its support.
	Request string
	// Detail is the vendor's message, redacted.
	Detail string
	// Hint says what to do.
	Hint string
	// Err is the cause.
	Err error
}

// Error names operation, subject, reason and hint; parts that repeat are dropped.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Subject != "" && !strings.Contains(e.Op, e.Subject) {
		fmt.Fprintf(&b, " %s", e.Subject)
	}
	if e.Attribute != "" {
		fmt.Fprintf(&b, " (%s)", e.Attribute)
	}
	fmt.Fprintf(&b, ": %s", e.Reason())
	return b.String()
}

// Reason is what Error says without operation and subject: why it failed, and what helps.
func (e *Error) Reason() string {
	var b strings.Builder
	switch {
	case e.Detail != "":
		b.WriteString(e.Detail)
	case e.Err != nil && e.Err.Error() != "":
		b.WriteString(e.Err.Error())
	case e.Kind != nil:
		b.WriteString(e.Kind.Error())
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, " (HTTP %d", e.Status)
		if e.Request != "" {
			fmt.Fprintf(&b, ", request %s", e.Request)
		}
		b.WriteString(")")
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, ". %s", e.Hint)
	}
	return b.String()
}

// Unwrap gives the kind and the cause.
func (e *Error) Unwrap() []error {
	var errs []error
	if e.Kind != nil {
		errs = append(errs, e.Kind)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}
