package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/resource"
)

// Error says in a sentence why there is no token. Two calls that fail for one reason have the same text.
type Error struct {
	// TenantID is the directory, as Options name it.
	TenantID string
	// Code is the token service's own, "AADSTS7000222"; "" when it gave none.
	Code string
	// Detail is the first sentence of what the service said, or why there was no answer.
	Detail string
	// Hint says what to do; "" when nothing is known.
	Hint string
	// Refused says that the service answered and would not: asking again does not help.
	Refused bool
	// Cause is the library's error.
	Cause error
}

// Error implements error.
func (e *Error) Error() string {
	text := "signing in to directory " + e.TenantID + " failed: "
	if e.Code != "" {
		text += e.Code + ": "
	}
	return text + e.Detail
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Explain writes into the error of a call why nobody could sign in for it, and reports whether that is why it failed.
func Explain(call *resource.Error, err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	call.Kind, call.Detail, call.Hint, call.Err = resource.ErrUnavailable, transport.Redact(e.Error()), e.Hint, err
	if e.Refused {
		call.Kind = resource.ErrDenied
	}
	return true
}

// hints are what to do about the codes that people meet (Microsoft: "Microsoft Entra authentication and authorization
// error codes", November 2026).
var hints = map[string]string{
	"AADSTS7000222": "Make a new client secret for the application, and give its value to the microsoft provider",
	"AADSTS7000215": "Give the microsoft provider the value of the client secret, not its id",
	"AADSTS700016":  "Check client_id and entra_tenant_id, and that an administrator of this directory has consented to the application",
	"AADSTS90002":   "Check entra_tenant_id",
	"AADSTS900023":  "Check entra_tenant_id",
	"AADSTS7000112": "The application is disabled in this directory: enable its enterprise application",
	"AADSTS700027":  "Upload the certificate of certificate_path to the application",
	"AADSTS700211":  "Compare the issuer with the federated credential of the application",
	"AADSTS700212":  "Compare the audience with the federated credential of the application",
	"AADSTS700213":  "Compare the subject with the federated credential of the application",
	"AADSTS53003":   "A Conditional Access policy for workload identities refuses it",
}

const anyHint = "Check entra_tenant_id, and client_id and credential of the microsoft provider, and that an administrator of this directory has consented to the application"

// explained is a credential whose errors are sentences. The library's are pages, with the whole answer and a link.
type explained struct {
	next   azcore.TokenCredential
	tenant string
}

// GetToken implements azcore.TokenCredential.
func (c explained) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	met := &met{}
	token, err := c.next.GetToken(context.WithValue(ctx, metKey{}, met), o)
	if err == nil {
		return token, nil
	}
	e := &Error{TenantID: c.tenant, Cause: err}
	var failed *azidentity.AuthenticationFailedError
	switch {
	case errors.As(err, &failed) && failed.RawResponse != nil:
		e.answered(failed.RawResponse)
	case met.error() != nil:
		e.Detail = "no answer from " + met.error().Error()
	default: // no request was made, or somebody else's program made it
		e.Detail, _, _ = strings.Cut(strings.Join(strings.Fields(err.Error()), " "), " To troubleshoot, visit")
	}
	return token, e
}

// sentence is the code and the text of an error_description; what follows are ids and the time, different each time.
var sentence = regexp.MustCompile(`(?s)^(AADSTS[0-9]+): (.*?)(?:\s*(?:\r?\n|Trace ID:).*)?$`)

// answered tells what the token service said.
func (e *Error) answered(r *http.Response) {
	e.Refused = r.StatusCode < http.StatusInternalServerError && r.StatusCode != http.StatusTooManyRequests && r.StatusCode != http.StatusRequestTimeout
	var said struct {
		Error       string
		Description string `json:"error_description"`
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxFile))
	if err == nil {
		err = json.Unmarshal(body, &said)
	}
	e.Detail = fmt.Sprintf("the token service answered with status %d", r.StatusCode)
	if m := sentence.FindStringSubmatch(said.Description); err == nil && m != nil {
		e.Code, e.Detail = m[1], strings.TrimSuffix(strings.Join(strings.Fields(m[2]), " "), ".")
	} else if err == nil && said.Error != "" {
		e.Detail += ": " + strings.Join(strings.Fields(said.Error+" "+said.Description), " ")
	}
	if e.Refused {
		e.Hint = anyHint
	}
	if hint := hints[e.Code]; hint != "" {
		e.Hint = hint
	}
}

// met is what the requests for one token met on their way; the library keeps its text alone.
type met struct {
	mu  sync.Mutex
	err error
}

type metKey struct{}

// note remembers why a request had no answer, without the id that makes each one different.
func note(r *http.Request, err error) {
	m, ok := r.Context().Value(metKey{}).(*met)
	if !ok {
		return
	}
	var address *url.Error
	if errors.As(err, &address) {
		err = address.Err
	}
	if inner := errors.Unwrap(err); inner != nil {
		err = inner // the outer one names request and address
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = fmt.Errorf("%s: %s", r.URL.Host, stream.ReplaceAllString(err.Error(), ""))
}

// stream is the number of an HTTP/2 stream, in the text of its error: it differs each time, too.
var stream = regexp.MustCompile(`stream ID [0-9]+; `)

func (m *met) error() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}
