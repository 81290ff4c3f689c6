package world

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// SignIdentityToken returns a JWT of an identity provider outside Entra (a CI system, a cluster) that the world declares
// in Issuers, for workload identity federation. Its key is derived from the world's ID and the issuer, so no key is in
// the file. The token is valid for an hour from now. An issuer that the world does not declare is an error. The caller
// holds RLock or Lock.
func (w *World) SignIdentityToken(issuer, subject, audience string, now time.Time) (string, error) {
	key, err := w.issuerKey(issuer)
	if err != nil {
		return "", err
	}
	w.noteJTI.Add(1)
	body, err := json.Marshal(map[string]any{
		"iss": issuer, "sub": subject, "aud": audience, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"jti": guid(w.ID, "jti", w.noteJTI.Load()),
	})
	if err != nil {
		return "", fmt.Errorf("identity token: %w", err)
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"EdDSA"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(signed))), nil
}

// IssuerKey returns the public key of an issuer that the world declares. The caller holds RLock or Lock.
func (w *World) IssuerKey(issuer string) (ed25519.PublicKey, error) {
	key, err := w.issuerKey(issuer)
	if err != nil {
		return nil, err
	}
	return key.Public().(ed25519.PublicKey), nil
}

func (w *World) issuerKey(issuer string) (ed25519.PrivateKey, error) {
	if !slices.Contains(w.Issuers, issuer) {
		return nil, fmt.Errorf("issuer %q is not declared in this world; it declares %q", issuer, w.Issuers)
	}
	seed := sha256.Sum256([]byte("weir simulator identity tokens\x00" + w.ID + "\x00" + issuer))
	return ed25519.NewKeyFromSeed(seed[:]), nil
}
