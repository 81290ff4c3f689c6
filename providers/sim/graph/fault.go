package graph

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

// fault is an error answer of Graph: HTTP status, error code and text, with extra headers where the service sends some.
// Codes and texts are those of "Microsoft Graph error responses and resource types" and those seen in clients.
type fault struct {
	status  int
	code    string
	message string
	header  http.Header
	// detail is the code of the one entry of error.details, "" for none.
	detail string
	// missing marks what this simulator does not know, for the journal.
	missing bool
}

func (f *fault) Error() string { return fmt.Sprintf("%d %s: %s", f.status, f.code, f.message) }

func badRequest(format string, args ...any) *fault {
	return &fault{status: http.StatusBadRequest, code: "Request_BadRequest", message: fmt.Sprintf(format, args...)}
}

func unsupportedQuery(format string, args ...any) *fault {
	return &fault{status: http.StatusBadRequest, code: "Request_UnsupportedQuery", message: fmt.Sprintf(format, args...)}
}

// unimplemented is the loud refusal of something that the service may know and the simulator does not.
func unimplemented(format string, args ...any) *fault {
	return &fault{status: http.StatusNotImplemented, code: "NotImplemented", missing: true,
		message: "The simulator does not implement " + fmt.Sprintf(format, args...)}
}

func notFound(id string) *fault {
	return &fault{status: http.StatusNotFound, code: "Request_ResourceNotFound", message: fmt.Sprintf(
		"Resource '%s' does not exist or one of its queried reference-property objects are not present.", id)}
}

func denied() *fault {
	return &fault{status: http.StatusForbidden, code: "Authorization_RequestDenied",
		message: "Insufficient privileges to complete the operation."}
}

func conflict(status int) *fault {
	f := &fault{status: status, code: "Request_MultipleObjectsWithSameKeyValue", detail: "ConflictingObjects",
		message: "A conflicting object with one or more of the specified property values is present in the directory."}
	if status == http.StatusBadRequest {
		f.code = "Request_BadRequest"
	}
	return f
}

// reply turns f into an answer. The inner error carries the identifiers that support asks for.
func (f *fault) reply(now time.Time, requestID, clientRequestID string) *reply {
	type inner struct {
		Date            string `json:"date"`
		RequestID       string `json:"request-id"`
		ClientRequestID string `json:"client-request-id"`
	}
	type detail struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Target  string `json:"target,omitempty"`
	}
	type body struct {
		Code       string   `json:"code"`
		Message    string   `json:"message"`
		Details    []detail `json:"details,omitempty"`
		InnerError inner    `json:"innerError"`
	}
	b := body{Code: f.code, Message: f.message, InnerError: inner{now.UTC().Format("2006-01-02T15:04:05"), requestID, clientRequestID}}
	if f.detail != "" {
		b.Details = []detail{{Code: f.detail, Message: f.message}}
	}
	text, err := json.Marshal(map[string]body{"error": b})
	if err != nil {
		// Strings always encode; an unreadable answer is still an error answer.
		text = []byte(`{"error":{"code":"InternalServerError","message":""}}`)
	}
	r := &reply{status: f.status, header: http.Header{}, body: text}
	for k, v := range f.header {
		r.header[k] = v
	}
	return r
}

// invalidToken is the 401 of the directory, with the challenge that clients read the authority from.
func invalidToken(message string) *fault {
	challenge := fmt.Sprintf(`Bearer realm="", authorization_uri="https://%s/common/oauth2/authorize", client_id="%s"`,
		loginHost, world.GraphAppID)
	return &fault{status: http.StatusUnauthorized, code: "InvalidAuthenticationToken", message: message,
		header: http.Header{"Www-Authenticate": {challenge}}}
}
