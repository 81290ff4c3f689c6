package transport

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// Credential authorizes requests. Implementations are safe for concurrent use and register what must never be shown
// with the registry that they are given.
type Credential interface {
	// authorize writes the credential into r; claims are those of a challenge, "" without one.
	authorize(ctx context.Context, r *http.Request, claims string, secrets *Secrets) error
}

// CredentialError says that no credential could be had; nothing was sent to the vendor's API.
type CredentialError struct{ Cause error }

// Error implements error.
func (e *CredentialError) Error() string { return "cannot get a token: " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *CredentialError) Unwrap() error { return e.Cause }

// EssentialsPassword authorizes with the headers of the Essentials API: X-User, X-Password, and X-Terms-Update: true,
// which unrelated clients send; that it accepts the vendor's terms is inferred.
func EssentialsPassword(user, password string) Credential {
	return headers{secret: password, values: map[string]string{
		"X-User": user, "X-Password": password, "X-Terms-Update": "true",
	}}
}

type headers struct {
	secret string
	values map[string]string
}

func (h headers) authorize(_ context.Context, r *http.Request, _ string, secrets *Secrets) error {
	secrets.Add(h.secret)
	for name, value := range h.values {
		r.Header.Set(name, value)
	}
	return nil
}

// Bearer authorizes with an access token of source for the scopes. The source caches: it is asked for each request. A
// 401 with a claims challenge is answered once with a token that meets it.
func Bearer(source azcore.TokenCredential, scopes ...string) Credential {
	return &bearer{source: source, scopes: scopes}
}

type bearer struct {
	source azcore.TokenCredential
	scopes []string

	mu   sync.Mutex
	last string
}

func (b *bearer) authorize(ctx context.Context, r *http.Request, claims string, secrets *Secrets) error {
	token, err := b.source.GetToken(ctx, policy.TokenRequestOptions{Scopes: b.scopes, Claims: claims})
	if err != nil {
		return &CredentialError{Cause: err}
	}
	if token.Token == "" {
		return &CredentialError{Cause: fmt.Errorf("the identity provider returned an empty token for %s", strings.Join(b.scopes, " "))}
	}
	b.mu.Lock()
	fresh := b.last != token.Token
	b.last = token.Token
	b.mu.Unlock()
	if fresh {
		secrets.addToken(token.Token)
	}
	r.Header.Set("Authorization", "Bearer "+token.Token)
	return nil
}

// authorize is the stage that writes credentials; it asks once more where they go.
type authorize struct {
	next       http.RoundTripper
	allowed    hosts
	credential Credential
	secrets    *Secrets
}

// RoundTrip implements http.RoundTripper.
func (s *authorize) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := s.allowed.check(r.URL); err != nil {
		return nil, unsentError{err}
	}
	response, err := s.try(r, "")
	if err != nil || response.StatusCode != http.StatusUnauthorized || s.credential == nil {
		return response, err
	}
	claims := challenge(response.Header.Values("WWW-Authenticate"))
	if claims == "" {
		return response, nil
	}
	_ = response.Body.Close() // in memory
	return s.try(r, claims)
}

func (s *authorize) try(r *http.Request, claims string) (*http.Response, error) {
	one, err := renew(r)
	if err != nil {
		return nil, unsentError{err}
	}
	if s.credential != nil {
		if err := s.credential.authorize(r.Context(), one, claims, s.secrets); err != nil {
			return nil, unsentError{err}
		}
	}
	return s.next.RoundTrip(one)
}

var claimsForm = regexp.MustCompile(`(?i)\bclaims="([^"]+)"`)

// challenge is the decoded claims of a continuous access evaluation challenge, or "".
func challenge(values []string) string {
	for _, value := range values {
		m := claimsForm.FindStringSubmatch(value)
		if m == nil {
			continue
		}
		trimmed := strings.TrimRight(m[1], "=")
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if decoded, err := encoding.DecodeString(trimmed); err == nil {
				return string(decoded)
			}
		}
	}
	return ""
}
