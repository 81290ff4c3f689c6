package identity_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/weir-project/weir/providers/internal/identity"
	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/resource"
)

// TestWhyNobodySignedIn: the reason is one sentence, the same each time, with what to do about it.
func TestWhyNobodySignedIn(t *testing.T) {
	s := start(t)
	c := s.World().Credentials()
	answer := func(status int, body string) roundTrip {
		return func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		}
	}
	const described = `{"error": "invalid_client", "error_description": "AADSTS%s\r\nTrace ID: 1\r\nCorrelation ID: 2\r\nTimestamp: 3"}`
	code := func(text string) string { return strings.Replace(described, "%s", text, 1) }
	reset := 0
	for _, tt := range []struct {
		name   string
		change func(*identity.Options)
		token  roundTrip // answers for the token's address; nil: the simulator does
		kind   error
		text   string
		hint   string
	}{
		{"another application", func(o *identity.Options) { o.ClientID = "11111111-2222-4333-8444-555555555555" }, nil, resource.ErrDenied, "failed: AADSTS700016: Application with identifier '11111111-2222-4333-8444-555555555555' was not found", "consented"},
		{"a wrong secret", func(o *identity.Options) { o.Secret = "canary" }, nil, resource.ErrDenied, "AADSTS7000215: Invalid client secret provided", "not its id"},
		{"an expired secret", nil, answer(401, code("7000222: The provided client secret keys for app '1' are expired. Visit the portal.")), resource.ErrDenied, "failed: AADSTS7000222: The provided client secret keys for app '1' are expired. Visit the portal", "Make a new client secret"},
		{"a code that nobody foresaw", nil, answer(400, code("42: Something. ")), resource.ErrDenied, "failed: AADSTS42: Something", "entra_tenant_id"},
		{"no code", nil, answer(400, `{"error": "invalid_request", "error_description": "no"}`), resource.ErrDenied, "answered with status 400: invalid_request no", "entra_tenant_id"},
		{"out of order", nil, answer(500, code("90033: A transient error has occurred.")), resource.ErrUnavailable, "AADSTS90033: A transient error has occurred", ""},
		{"a page of something between", nil, answer(403, "<html>no</html>"), resource.ErrDenied, "answered with status 403", "entra_tenant_id"},
		{"asked too often", nil, answer(429, "{}"), resource.ErrUnavailable, "answered with status 429", ""},
		{"no answer", nil, func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, resource.ErrUnavailable, "no answer from " + strings.TrimPrefix(s.URLs().Login, "https://") + ": unexpected EOF", ""},
		{"a stream that was reset", nil, func(*http.Request) (*http.Response, error) {
			reset++
			return nil, fmt.Errorf("stream error: stream ID %d; INTERNAL_ERROR", reset)
		}, resource.ErrUnavailable, ": stream error: INTERNAL_ERROR", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			next := roundTrip(s.Client().Transport.RoundTrip)
			client := transport.Client(transport.Options{
				Hosts: []string{strings.TrimPrefix(s.URLs().Login, "https://")}, Retry: transport.Retry{Attempts: 1},
				Base: roundTrip(func(r *http.Request) (*http.Response, error) {
					if tt.token != nil && r.Method == http.MethodPost {
						return tt.token(r)
					}
					return next(r)
				}),
			})
			o := identity.Options{Kind: identity.Secret, TenantID: contoso, ClientID: c.ClientID, Secret: c.ClientSecret,
				Authority: s.URLs().Login, Transport: client, Simulated: true}
			if tt.change != nil {
				tt.change(&o)
			}
			credential, err := identity.New(o)
			if err != nil {
				t.Fatal(err)
			}
			var texts [2]string
			for i := range texts {
				_, err := credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}})
				call := &resource.Error{Op: "read organization"}
				if !identity.Explain(call, &transport.CredentialError{Cause: err}) {
					t.Fatalf("%v is not explained", err)
				}
				texts[i] = call.Detail
				if !errors.Is(call, tt.kind) || !strings.Contains(call.Detail, tt.text) || !strings.HasPrefix(call.Detail, "signing in to directory "+contoso+" failed: ") ||
					!strings.Contains(call.Hint, tt.hint) || (call.Hint == "") != (tt.hint == "") {
					t.Errorf("kind %v\n%s\n%s", call.Kind, call.Detail, call.Hint)
				}
				if strings.ContainsAny(call.Detail, "\r\n") || strings.Contains(call.Detail, "Trace ID") || strings.Contains(call.Error(), "canary") {
					t.Errorf("not a sentence, or too much of it: %q", call)
				}
			}
			if texts[0] != texts[1] {
				t.Errorf("once\n%s\nand then\n%s", texts[0], texts[1])
			}
		})
	}
	if call := (&resource.Error{}); identity.Explain(call, io.EOF) || call.Kind != nil || call.Detail != "" {
		t.Errorf("another failure is explained: %+v", call)
	}
}
