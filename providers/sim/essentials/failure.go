package essentials

import (
	"fmt"
	"net/http"
)

// failure is an answer other than success. The vendor's error object has three fields, seen in clients generated
// against the specification; single failures carry it in the same errors array as batches do.
type failure struct {
	Status     int    `json:"status"`
	Message    string `json:"error_message"`
	Identifier string `json:"identifier"` // the address or domain it is about, "" when about none
}

func (f *failure) Error() string {
	return fmt.Sprintf("%d %s (%s)", f.Status, f.Message, f.Identifier)
}

// errorBody is the body of a failed call.
type errorBody struct {
	Errors []*failure `json:"errors"`
}

func fail(status int, identifier, format string, args ...any) error {
	return &failure{Status: status, Identifier: identifier, Message: fmt.Sprintf(format, args...)}
}

func notFound(what, identifier string) error {
	return fail(http.StatusNotFound, identifier, "%s not found", what)
}

func invalid(identifier, format string, args ...any) error {
	return fail(http.StatusUnprocessableEntity, identifier, format, args...)
}

func conflict(identifier, format string, args ...any) error {
	return fail(http.StatusConflict, identifier, format, args...)
}
