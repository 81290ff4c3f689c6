package entra

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/weir-project/weir/providers/internal/identity"
	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/resource"
)

// failure makes the error of a call: what was done to what, with one of resource's kinds. need names the application
// permissions of which one suffices, for the hint; "" gives none.
func failure(op, subject, need string, err error) error {
	if err == nil {
		return nil
	}
	var done *resource.Error
	if errors.As(err, &done) {
		return err
	}
	e := &resource.Error{Op: op, Subject: subject}
	var answer *answerError
	var ambiguous *transport.AmbiguousError
	var credential *transport.CredentialError
	var address *url.Error
	switch {
	case errors.As(err, &answer):
		e.Kind, e.Status, e.Request, e.Detail = answer.kind(), answer.status, answer.request, transport.Redact(answer.Error())
		e.Hint = answer.hint(need)
	case errors.As(err, &ambiguous):
		e.Kind, e.Status, e.Request, e.Err = resource.ErrAmbiguous, ambiguous.Status, ambiguous.RequestID, ambiguous
	case identity.Explain(e, err):
	case errors.As(err, &credential):
		e.Kind, e.Err = resource.ErrUnavailable, credential
	case errors.Is(err, context.Canceled):
		e.Err = err
	default:
		e.Kind, e.Err = resource.ErrUnavailable, err
		if errors.As(err, &address) {
			e.Err = address.Err // the address has tokens of pages in it
		}
	}
	return e
}

// kind maps an answer to what callers branch on. Only Graph's own 404 says that something is absent.
func (e *answerError) kind() error {
	switch {
	case e.changed:
		return resource.ErrAmbiguous
	case e.status == http.StatusUnauthorized, e.status == http.StatusForbidden:
		return resource.ErrDenied
	case e.status == http.StatusNotFound && e.shaped && e.code != "":
		return resource.ErrAbsent
	case e.status == http.StatusConflict, e.status == http.StatusBadRequest && e.conflicts():
		return resource.ErrConflict
	case e.status == http.StatusBadRequest && e.shaped, e.status == http.StatusUnprocessableEntity:
		return resource.ErrInvalid
	case e.status == http.StatusTooManyRequests:
		return resource.ErrThrottled
	}
	return resource.ErrUnavailable
}

// conflicts recognises "exists already" behind a 400: directory errors share one code, so clients match the text (seen in
// clients).
func (e *answerError) conflicts() bool {
	return e.code == "Request_MultipleObjectsWithSameKeyValue" || e.says("already exist") || e.says("conflicting object")
}

func (e *answerError) says(text string) bool {
	return strings.Contains(strings.ToLower(e.message), strings.ToLower(text))
}

// The codes with which a tenant's app management policy refuses secrets (seen in clients).
const (
	secretsForbidden = "CredentialTypeNotAllowedAsPerAppPolicy"
	lifetimeTooLong  = "CredentialInvalidLifetimeAsPerAppPolicy"
)

func (e *answerError) hint(need string) string {
	switch {
	case e.code == secretsForbidden:
		return "An app management policy of this tenant forbids client secrets. The sync of Essentials takes nothing else (R11): exempt this application from the policy (Entra admin center > Enterprise applications > Application policies)"
	case e.code == lifetimeTooLong:
		return "An app management policy of this tenant allows client secrets for a shorter time only: write a shorter lifetime in the secret block"
	case e.says("InvalidCloudInstance"):
		return "The directory is in another cloud than the one asked"
	case e.status == http.StatusForbidden && need != "":
		return "The microsoft provider's application needs the application permission " + need + ", with admin consent in this tenant"
	case e.status == http.StatusUnauthorized:
		return "Check the microsoft provider's credential and that its application is consented to in this tenant"
	case e.status == http.StatusTooManyRequests:
		return "Try again later"
	}
	return ""
}

// answerOf is the answer behind an error; nil when there was none.
func answerOf(err error) *answerError {
	var a *answerError
	if errors.As(err, &a) {
		return a
	}
	return nil
}

func absent(err error) bool {
	a := answerOf(err)
	return a != nil && a.kind() == resource.ErrAbsent
}

func conflicting(err error) bool {
	a := answerOf(err)
	return a != nil && a.kind() == resource.ErrConflict
}
