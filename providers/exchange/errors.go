package exchange

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/weir-project/weir/providers/internal/identity"
	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/resource"
)

// failure is what an error answer says.
type failure struct {
	// shaped says that the body is an error of the service at all, and not the page of something in between.
	shaped bool
	// kind is the .NET type, message the innermost text.
	kind, message string
}

type wireFailure struct {
	Error *struct {
		Message string `json:"message"`
		Details []struct {
			Message string `json:"message"`
		} `json:"details"`
		Inner *struct {
			Internal *struct {
				Message string `json:"message"`
				Type    string `json:"type"`
			} `json:"internalexception"`
		} `json:"innererror"`
	} `json:"error"`
}

// parseFailure looks for the useful text where clients find it: the internal exception, then the first detail, which
// comes in three encodings, then the outer message.
func parseFailure(body []byte) failure {
	var w wireFailure
	var mismatch *json.UnmarshalTypeError
	if err := json.Unmarshal(body, &w); err != nil && !errors.As(err, &mismatch) || w.Error == nil {
		return failure{message: strings.TrimSpace(string(body))}
	}
	f := failure{shaped: true}
	if w.Error.Inner != nil && w.Error.Inner.Internal != nil {
		f.kind, f.message = w.Error.Inner.Internal.Type, w.Error.Inner.Internal.Message
	}
	if len(w.Error.Details) > 0 {
		kind, message := parseDetail(w.Error.Details[0].Message)
		if f.kind == "" {
			f.kind = kind
		}
		if f.message == "" {
			f.message = message
		}
	}
	if f.message == "" {
		f.message = w.Error.Message
	}
	return f
}

// parseDetail reads "id|Type|Text", an object with TypeName, or one with ClassName; anything else is the text itself.
func parseDetail(detail string) (kind, message string) {
	var object struct {
		Message   string `json:"Message"`
		TypeName  string `json:"TypeName"`
		ClassName string `json:"ClassName"`
	}
	if json.Unmarshal([]byte(detail), &object) == nil && object.Message != "" {
		kind = object.TypeName
		if kind == "" {
			kind = object.ClassName
		}
		return kind, object.Message
	}
	if parts := strings.SplitN(detail, "|", 3); len(parts) == 3 && strings.Contains(parts[1], ".") && !strings.ContainsAny(parts[1], " \t") {
		return parts[1], parts[2]
	}
	return "", detail
}

const (
	hintGrant = "Consent the application permission Exchange.ManageAsApp of Office 365 Exchange Online for the client and give its service principal the role Exchange Administrator; both take minutes to show in a new token"
	hintRole  = "The token is accepted, but the client lacks the directory role Exchange Administrator in this tenant, or its role group does not hold this cmdlet"
)

// refused is the error of an answer that is no success.
func refused(q *call, resp *http.Response, body []byte) error {
	said := parseFailure(body)
	if said.kind == "" {
		said.kind = resp.Header.Get("X-ExceptionType")
	}
	e := &resource.Error{Op: q.op, Subject: q.subject, Status: resp.StatusCode, Request: clean(resp.Header.Get("request-id")), Detail: clean(said.message)}
	// A failure inside the service may come after the change was made.
	inDoubt := func() {
		e.Kind = resource.ErrUnavailable
		if q.changes() {
			e.Kind, e.Err = resource.ErrAmbiguous, resource.ErrUnavailable
		}
	}
	text := strings.ToLower(said.message)
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized:
		e.Kind, e.Hint = resource.ErrDenied, hintGrant
	case status == http.StatusForbidden:
		e.Kind, e.Hint = resource.ErrDenied, hintRole
		if len(bytes.Trim(body, "\x00")) == 0 {
			e.Detail = q.cmdlet + " was refused without a reason"
		}
	case status == http.StatusTooManyRequests:
		e.Kind, e.Hint = resource.ErrThrottled, "Try again later, or lower the number of requests in flight"
	case status == http.StatusNotFound && said.shaped && strings.Contains(said.kind, "ManagementObjectNotFoundException") && q.changes():
		// Only changes name an object; a list that answers so says nothing about any.
		e.Kind = resource.ErrAbsent
	case status >= 500 && status != http.StatusNotImplemented, status == http.StatusRequestTimeout, transport.ExchangeTransient(status, body):
		inDoubt()
	case strings.Contains(said.kind, "AlreadyExists") || status == http.StatusBadRequest && strings.Contains(text, "already exists"):
		e.Kind, e.Hint = resource.ErrConflict, "Plan again to adopt the object that has the name, or write another name"
	case strings.Contains(text, "enable-organizationcustomization"):
		e.Kind, e.Hint = resource.ErrInvalid, "Run Enable-OrganizationCustomization once in this tenant and allow it an hour; it cannot be undone"
	case strings.Contains(text, "pagination request"):
		e.Kind = resource.ErrUnavailable
	case status == http.StatusBadRequest && said.shaped:
		e.Kind = resource.ErrInvalid
	case status >= 300 && status < 400:
		e.Kind, e.Detail = resource.ErrUnavailable, "the host redirects instead of answering"
	default:
		inDoubt()
	}
	return e
}

// unanswered is the error of a call without an answer.
func unanswered(q *call, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the address adds nothing to op and subject
	}
	e := &resource.Error{Op: q.op, Subject: q.subject, Kind: resource.ErrUnavailable, Err: err, Detail: clean(err.Error())}
	var lost *transport.AmbiguousError
	var credential *transport.CredentialError
	switch {
	case identity.Explain(e, err):
	case errors.As(err, &credential): // nothing was sent
	case errors.As(err, &lost) && lost.Status == http.StatusTooManyRequests && !q.changes():
		e.Kind, e.Status = resource.ErrThrottled, lost.Status
	case q.changes() && !unsent(err):
		e.Kind = resource.ErrAmbiguous
		e.Err = errors.Join(resource.ErrUnavailable, err)
	}
	return e
}

// unsent tells whether an error proves that the request never reached the service.
func unsent(err error) bool {
	var lost *transport.AmbiguousError
	if errors.As(err, &lost) {
		return false
	}
	var host *transport.HostError
	var op *net.OpError
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &host) || errors.As(err, &op) && op.Op == "dial" || errors.As(err, &name) || errors.As(err, &certificate)
}

// unreadable is an answer that arrived and is not what the service sends: unknown, never absent, never empty.
func unreadable(q *call, detail string) error {
	e := &resource.Error{Op: q.op, Subject: q.subject, Kind: resource.ErrUnavailable, Status: http.StatusOK, Detail: clean(detail)}
	if q.changes() {
		e.Kind, e.Err = resource.ErrAmbiguous, resource.ErrUnavailable
	}
	return e
}

// clean makes foreign text fit for a message: redacted, one line, no control characters, not too long.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case unicode.IsControl(r) || r == unicode.ReplacementChar || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, transport.Redact(s))
	s = strings.TrimSpace(s)
	const most = 500
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

func isAbsent(err error) bool { return errors.Is(err, resource.ErrAbsent) }
