package essentials

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/resource"
)

// vendorError is what an error answer says. Field names of the errors array are seen in clients; the others are where
// further clients look.
type vendorError struct {
	// shaped says that the body is an error object of the API at all, and not the page of a proxy in between.
	shaped     bool
	message    string
	identifier string // address or domain, lower case; "" when none is named
}

// wireErrors is the body of a failed call, or the failed part of a batch.
type wireErrors struct {
	Errors       []wireError `json:"errors"`        // seen in clients
	ErrorMessage flexString  `json:"error_message"` // seen in clients
	Message      flexString  `json:"message"`       // seen in clients
	Error        flexString  `json:"error"`         // seen in clients
	Detail       flexString  `json:"detail"`        // seen in clients
	Identifier   flexString  `json:"identifier"`    // seen in clients
}

// wireError is one element of errors.
type wireError struct {
	Status       flexInt    `json:"status"`        // seen in clients: an HTTP status
	ErrorMessage flexString `json:"error_message"` // seen in clients
	Identifier   flexString `json:"identifier"`    // seen in clients: the address or domain it is about
}

func parseError(body []byte) vendorError {
	var w wireErrors
	if err := json.Unmarshal(body, &w); err != nil {
		return vendorError{message: clip(strings.TrimSpace(string(body)))}
	}
	e := vendorError{identifier: strings.ToLower(string(w.Identifier))}
	for _, one := range w.Errors {
		e.shaped = true
		if e.message == "" {
			e.message = string(one.ErrorMessage)
		}
		if e.identifier == "" {
			e.identifier = strings.ToLower(string(one.Identifier))
		}
	}
	for _, s := range []flexString{w.ErrorMessage, w.Message, w.Error, w.Detail} {
		if s == "" {
			continue
		}
		e.shaped = true
		if e.message == "" {
			e.message = string(s)
		}
	}
	e.message = clip(e.message)
	return e
}

// kindOf maps a status to the kind that callers branch on. 404 is left out: whether it means absence depends on what it
// is about (Client.settle404).
func kindOf(status int) error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return resource.ErrDenied
	case http.StatusConflict:
		return resource.ErrConflict
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		return resource.ErrInvalid
	case http.StatusTooManyRequests:
		return resource.ErrThrottled
	}
	return resource.ErrUnavailable
}

func hintOf(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "Check user and password of the essentials provider: the API takes the account's local Essentials password, which single sign-on does not change"
	case http.StatusForbidden:
		return "The account must administer this organization (organization or partner administrator, not read-only)"
	case http.StatusTooManyRequests:
		return "Try again later, or lower the number of requests in flight"
	}
	return ""
}

// lost tells whether a call that failed without an answer may have taken effect. The transport says so itself; what it
// refused to send, and what never reached the host, had none. Of anything else it is not known.
func lost(err error) bool {
	var ambiguous *transport.AmbiguousError
	if errors.As(err, &ambiguous) {
		return true
	}
	var host *transport.HostError
	var credential *transport.CredentialError
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &host) || errors.As(err, &credential) || errors.As(err, &dns) || errors.As(err, &certificate) {
		return false
	}
	var op *net.OpError
	return !errors.As(err, &op) || op.Op != "dial"
}

// unreadable is an answer that was received but is not what the API sends: unknown, never absent.
func unreadable(c *call, status int, err error) error {
	e := &resource.Error{Op: c.op, Subject: c.subject, Kind: resource.ErrUnavailable, Status: status, Err: err,
		Detail: "the answer is not one of the Essentials API: " + clip(err.Error())}
	if c.method != http.MethodGet {
		// The effect may have happened before whatever stands between answered in the vendor's place.
		e.Kind = resource.ErrAmbiguous
	}
	return e
}
