package world

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Claims are what an access token of the simulated login says about its bearer.
type Claims struct {
	// Audience is the resource, without "/.default": "https://graph.microsoft.com" or "https://outlook.office365.com".
	Audience string
	// Tenant is the GUID of the Entra tenant, lower case.
	Tenant string
	// AppID is the client id; ObjectID the object id of its service principal in Tenant.
	AppID, ObjectID string
	// Roles are the values of the consented application permissions of Audience ("Directory.Read.All").
	Roles []string
	// Wids are the template ids of the directory roles of the service principal.
	Wids []string
	// Issued and Expires are by the world's clock, whole seconds, UTC.
	Issued, Expires time.Time
}

// tokenClaims is the stored form: the names that Microsoft's v1.0 access tokens use
// (learn.microsoft.com/entra/identity-platform/access-token-claims-reference).
type tokenClaims struct {
	Aud   string   `json:"aud"`
	Iss   string   `json:"iss"`
	Iat   int64    `json:"iat"`
	Nbf   int64    `json:"nbf"`
	Exp   int64    `json:"exp"`
	AppID string   `json:"appid"`
	IDTyp string   `json:"idtyp"`
	OID   string   `json:"oid"`
	Roles []string `json:"roles,omitempty"`
	Sub   string   `json:"sub"`
	TID   string   `json:"tid"`
	Ver   string   `json:"ver"`
	Wids  []string `json:"wids,omitempty"`
}

// Errors of VerifyToken, told apart with errors.Is.
var (
	// ErrTokenMissing means that there was no bearer token at all.
	ErrTokenMissing = errors.New("access token is empty")
	// ErrTokenMalformed means that the text is no token of this world: wrong shape or wrong signature.
	ErrTokenMalformed = errors.New("access token is malformed or not signed by this world")
	// ErrTokenExpired means that the token's time is over by the world's clock.
	ErrTokenExpired = errors.New("access token has expired")
)

var tokenHeader = base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"HS256","kid":"weir-sim"}`))

// SignToken returns c as a compact token in the shape of a JWT, signed with a key derived from the world's ID. It reads
// nothing that changes, so it needs no lock.
func (w *World) SignToken(c Claims) string {
	body, err := json.Marshal(tokenClaims{
		Aud: c.Audience, Iss: "https://sts.windows.net/" + c.Tenant + "/",
		Iat: c.Issued.Unix(), Nbf: c.Issued.Unix(), Exp: c.Expires.Unix(),
		AppID: c.AppID, IDTyp: "app", OID: c.ObjectID, Roles: c.Roles, Sub: c.ObjectID, TID: c.Tenant, Ver: "1.0", Wids: c.Wids,
	})
	if err != nil {
		panic("world: token claims of strings and numbers always encode: " + err.Error())
	}
	signed := tokenHeader + "." + base64.RawURLEncoding.EncodeToString(body)
	return signed + "." + base64.RawURLEncoding.EncodeToString(w.tokenMAC(signed))
}

// VerifyToken checks the value of an Authorization header ("Bearer …") or a bare token: signature, and expiry by the
// world's clock. It does not check the audience; that is the resource's business. Errors wrap ErrTokenMissing,
// ErrTokenMalformed or ErrTokenExpired; with ErrTokenExpired the claims are returned as well. The caller holds RLock or
// Lock.
func (w *World) VerifyToken(bearer string) (Claims, error) {
	if len(bearer) >= 7 && strings.EqualFold(bearer[:7], "Bearer ") {
		bearer = bearer[7:]
	}
	bearer = strings.TrimSpace(bearer)
	if bearer == "" {
		return Claims{}, ErrTokenMissing
	}
	head, rest, ok1 := strings.Cut(bearer, ".")
	body, sig, ok2 := strings.Cut(rest, ".")
	if !ok1 || !ok2 {
		return Claims{}, fmt.Errorf("%w: want three parts", ErrTokenMalformed)
	}
	mac, err := base64.RawURLEncoding.DecodeString(sig)
	if err != nil || !hmac.Equal(mac, w.tokenMAC(head+"."+body)) {
		return Claims{}, fmt.Errorf("%w: signature does not match", ErrTokenMalformed)
	}
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return Claims{}, fmt.Errorf("%w: payload is not base64url", ErrTokenMalformed)
	}
	var t tokenClaims
	if err := json.Unmarshal(raw, &t); err != nil {
		return Claims{}, fmt.Errorf("%w: payload is not JSON", ErrTokenMalformed)
	}
	c := Claims{
		Audience: t.Aud, Tenant: t.TID, AppID: t.AppID, ObjectID: t.OID, Roles: t.Roles, Wids: t.Wids,
		Issued: time.Unix(t.Iat, 0).UTC(), Expires: time.Unix(t.Exp, 0).UTC(),
	}
	if !w.Clock.Before(c.Expires) {
		return c, fmt.Errorf("%w at %s, the world's clock says %s", ErrTokenExpired, c.Expires.Format(time.RFC3339),
			w.Clock.Format(time.RFC3339))
	}
	return c, nil
}

func (w *World) tokenMAC(signed string) []byte {
	key := sha256.Sum256([]byte("weir simulator access tokens\x00" + w.ID))
	m := hmac.New(sha256.New, key[:])
	_, _ = m.Write([]byte(signed)) // a hash never fails to write
	return m.Sum(nil)
}
