package entra

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// wire stands between the vendor's SDK and our client. It turns every answer that is no usable success into an
// *answerError before the SDK sees it: the SDK drops the status of error pages that are not JSON, gives no error for empty
// successes, and its ODataError panics when an error body lacks its message.
type wire struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper, but for answers other than usable successes, which are errors.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	// The SDK's address templates cannot write "$select=", and the service documents no other form.
	query := "&" + r.URL.RawQuery
	r.URL.RawQuery = strings.ReplaceAll(query, "&%24", "&$")[1:]
	response, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if bulk, _ := r.Context().Value(bulkKey{}).(bool); bulk && usable(response) {
		return response, nil
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close() // what could be read is read
	if err != nil {
		return nil, err
	}
	if problem := examine(r, response, body); problem != nil {
		return nil, problem
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	response.ContentLength = int64(len(body))
	return response, nil
}

// usable reports whether an answer says of itself that it is a success in JSON.
func usable(response *http.Response) bool {
	return response.StatusCode == http.StatusOK && contentType(response) == "application/json"
}

func contentType(response *http.Response) string {
	t, _, _ := strings.Cut(strings.ToLower(response.Header.Get("Content-Type")), ";")
	return t
}

// answerError is an answer that is no usable success.
type answerError struct {
	// status is the HTTP status; 0 when it is not known any more.
	status int
	// code and message are those of Graph's error body; shaped says that there was one.
	code, message string
	shaped        bool
	// request is Graph's request id.
	request string
	// detail says what is wrong with an answer that is no error of Graph.
	detail string
	// changed says that the request asked for a change and was answered with success, in a form that cannot be read.
	changed bool
}

// Error implements error.
func (e *answerError) Error() string {
	switch {
	case e.message != "" && e.code != "":
		return e.code + ": " + e.message
	case e.message != "" || e.code != "":
		return e.code + e.message
	case e.detail != "":
		return e.detail
	}
	return fmt.Sprintf("status %d without an explanation", e.status)
}

// examine finds what is wrong with an answer; nil when it can be used.
func examine(r *http.Request, response *http.Response, body []byte) *answerError {
	e := &answerError{status: response.StatusCode, request: response.Header.Get("request-id")}
	contentType := contentType(response)
	success := response.StatusCode >= 200 && response.StatusCode < 300
	e.changed = success && r.Method != http.MethodGet
	switch {
	case !success:
		e.parse(body)
		if !e.shaped {
			e.detail = fmt.Sprintf("status %d, and the answer is not one of Microsoft Graph", e.status)
		}
		return e
	case response.StatusCode == http.StatusNoContent:
		return nil
	case len(bytes.TrimSpace(body)) == 0:
		e.detail = "the answer is empty"
		return e
	case strings.HasSuffix(r.URL.Path, "/$count") && contentType == "text/plain":
		return nil
	case contentType != "application/json":
		e.detail = fmt.Sprintf("the answer has the type %q, not JSON", contentType)
		return e
	}
	if !json.Valid(body) {
		e.detail = "the answer is not whole"
		return e
	}
	if e.parse(body); e.shaped {
		return e
	}
	return nil
}

// parse reads Graph's error body, {"error": {"code", "message"}} ("Microsoft Graph error responses and resource types").
// Older services put a text where the object belongs.
func (e *answerError) parse(body []byte) {
	var outer struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &outer) != nil || len(outer.Error) == 0 || string(outer.Error) == "null" {
		return
	}
	var inner struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(outer.Error, &inner); err != nil {
		var text string
		if json.Unmarshal(outer.Error, &text) != nil {
			text = "an error in an unknown form"
		}
		e.message, e.shaped = text, true
		return
	}
	e.code, e.message, e.shaped = inner.Code, inner.Message, true
}
