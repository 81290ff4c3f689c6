package login

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/weir-project/weir/providers/sim/world"
)

// assertion checks a client assertion. One that the application issued about itself (iss = sub = client id) must be
// signed by one of its certificates; any other must come from an issuer that the world declares and match a federated
// credential exactly. Times inside are checked against each other alone: they are the client's clock, and the world has
// its own.
func (s *server) assertion(host, text string, t *world.Tenant, app *world.Application) *problem {
	malformed := &problem{http.StatusUnauthorized, "invalid_client", 50027, "JWT token is invalid or malformed."}
	claims := jwt.MapClaims{}
	parser := jwt.NewParser(jwt.WithoutClaimsValidation())
	if _, _, err := parser.ParseUnverified(text, claims); err != nil {
		return malformed
	}
	issuer, err1 := claims.GetIssuer()
	subject, err2 := claims.GetSubject()
	audience, err3 := claims.GetAudience()
	expires, err4 := claims.GetExpirationTime()
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil || expires == nil || len(audience) == 0 {
		return malformed
	}
	if before, err := claims.GetNotBefore(); err != nil || before != nil && !before.Before(expires.Time) {
		return &problem{http.StatusUnauthorized, "invalid_client", 700024, "Client assertion is not within its valid time range."}
	}
	if strings.EqualFold(issuer, app.AppID) && strings.EqualFold(subject, app.AppID) {
		return s.certificate(host, text, audience, t, app)
	}
	return s.federated(text, issuer, subject, audience, app)
}

func (s *server) certificate(host, text string, audience []string, t *world.Tenant, app *world.Application) *problem {
	if !slices.ContainsFunc(audience, func(a string) bool { return s.ownEndpoint(host, a, t) }) {
		return &problem{http.StatusUnauthorized, "invalid_client", 700023, "Client assertion audience claim does not match Realm issuer. " +
			"Review the documentation at https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials ."}
	}
	parser := jwt.NewParser(jwt.WithoutClaimsValidation(), jwt.WithValidMethods([]string{"PS256", "RS256"}))
	for _, encoded := range app.Certificates {
		der, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			continue
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			continue
		}
		_, err = parser.ParseWithClaims(text, jwt.MapClaims{}, func(*jwt.Token) (any, error) { return cert.PublicKey, nil })
		if err != nil {
			continue
		}
		if s.world.Clock.After(cert.NotAfter) {
			return &problem{http.StatusUnauthorized, "invalid_client", 700027, fmt.Sprintf("The certificate with identifier used to sign the client assertion is expired on application. [Reason - The key used is expired., expired on %s]", cert.NotAfter.Format(time.RFC3339))}
		}
		return nil
	}
	return &problem{http.StatusUnauthorized, "invalid_client", 700027, "Client assertion failed signature validation. The certificate with identifier used to sign the client assertion is not registered on application."}
}

// ownEndpoint tells whether an audience names this tenant's token endpoint, on the host that was asked or under the
// vendor's own name, by id or by domain.
func (s *server) ownEndpoint(host, audience string, t *world.Tenant) bool {
	u, err := url.Parse(audience)
	if err != nil || u.Scheme != "https" || !strings.EqualFold(u.Host, host) && u.Host != "login.microsoftonline.com" {
		return false
	}
	name, rest, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	switch rest {
	case "oauth2/v2.0/token", "v2.0", "oauth2/token", "":
	default:
		return false
	}
	return s.world.Tenant(name) == t
}

// federated matches the token of another identity provider against the application's federated credentials (Microsoft:
// "Workload identity federation"; the codes are those that clients report).
func (s *server) federated(text, issuer, subject string, audience []string, app *world.Application) *problem {
	var issuers, subjects bool
	for _, f := range app.Federated {
		if f.Issuer != issuer {
			continue
		}
		issuers = true
		if f.Subject != subject {
			continue
		}
		subjects = true
		if !slices.ContainsFunc(f.Audiences, func(a string) bool { return slices.Contains(audience, a) }) {
			continue
		}
		return s.federatedSignature(text, issuer)
	}
	switch {
	case subjects:
		return &problem{http.StatusUnauthorized, "invalid_client", 700212, fmt.Sprintf("No matching federated identity record found for presented assertion audience '%s'. Please check your federated identity credential Subject, Audience and Issuer against the presented assertion.", strings.Join(audience, " "))}
	case issuers:
		return &problem{http.StatusUnauthorized, "invalid_client", 700213, fmt.Sprintf("No matching federated identity record found for presented assertion subject '%s'. Please check your federated identity credential Subject, Audience and Issuer against the presented assertion.", subject)}
	}
	return &problem{http.StatusUnauthorized, "invalid_client", 700211, fmt.Sprintf("No matching federated identity record found for presented assertion issuer '%s'. Please check your federated identity credential Subject, Audience and Issuer against the presented assertion.", issuer)}
}

func (s *server) federatedSignature(text, issuer string) *problem {
	key, err := s.world.IssuerKey(issuer)
	if err != nil { // the credential names an issuer that does not exist in this world
		return &problem{http.StatusUnauthorized, "invalid_client", 50166, fmt.Sprintf("Request to External OIDC endpoint of issuer '%s' failed.", issuer)}
	}
	parser := jwt.NewParser(jwt.WithoutClaimsValidation(), jwt.WithValidMethods([]string{"EdDSA"}))
	if _, err := parser.ParseWithClaims(text, jwt.MapClaims{}, func(*jwt.Token) (any, error) { return ed25519.PublicKey(key), nil }); err != nil {
		return &problem{http.StatusUnauthorized, "invalid_client", 50013, "Assertion failed signature validation."}
	}
	return nil
}
