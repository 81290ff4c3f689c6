package keys

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
)

// ageKeys protects keys for age recipients. Safe for concurrent use.
type ageKeys struct {
	recipients []age.Recipient
	names      []string // sorted
	identities []age.Identity
}

func newAge(s Settings, at string, r role) (*ageKeys, error) {
	a := &ageKeys{}
	if len(s.Recipients) > maxRecipients {
		return nil, &SettingsError{at + ".recipients", fmt.Sprintf("%d recipients; at most %d are taken", len(s.Recipients), maxRecipients)}
	}
	if len(s.Identities) > maxIdentities {
		return nil, &SettingsError{at + ".identities", fmt.Sprintf("%d identities; at most %d are taken", len(s.Identities), maxIdentities)}
	}
	hybrid := 0
	for i, text := range s.Recipients {
		recipient, name, err := parseRecipient(text, fmt.Sprintf("%s.recipients[%d]", at, i))
		if err != nil {
			return nil, err
		}
		if slices.Contains(a.names, name) {
			continue
		}
		if _, is := recipient.(*age.HybridRecipient); is {
			hybrid++
		}
		a.recipients, a.names = append(a.recipients, recipient), append(a.names, name)
	}
	slices.Sort(a.names)
	if hybrid > 0 && hybrid < len(a.recipients) {
		return nil, &SettingsError{at + ".recipients", "post-quantum recipients (age1pq1…) stand beside others, which a quantum computer would open instead; use one kind, or make the others an escrow"}
	}
	var own []string // whose identities we have
	for i, text := range s.Identities {
		identities, names, err := parseIdentities(text, fmt.Sprintf("%s.identities[%d]", at, i))
		if err != nil {
			return nil, err
		}
		a.identities, own = append(a.identities, identities...), append(own, names...)
	}
	switch {
	case len(a.recipients) == 0 && r != previous:
		return nil, &SettingsError{at + ".recipients", "identities are given and no recipients; name the public keys too (age-keygen -y prints them)"}
	case len(a.identities) == 0 && r != escrow:
		return nil, &SettingsError{at + ".identities", "recipients are given and no identities, so that what is written could not be read again; give the secret key of one of the recipients. Recipients alone make an escrow"}
	case len(a.identities) > 0 && len(a.names) > 0 && !slices.ContainsFunc(own, func(n string) bool { return slices.Contains(a.names, n) }):
		return nil, &SettingsError{at + ".identities", "none belongs to any of the recipients, so that what is written could not be read again; give the secret key of one of them"}
	}
	return a, nil
}

// recipientLine names a recipient in a wrap, see Wrap.Recipients.
func recipientLine(text string) string {
	if len(text) <= 100 {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:16])
}

func parseRecipient(text, at string) (age.Recipient, string, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return nil, "", &SettingsError{at, "it is empty; is the variable that it comes from set?"}
	case isSecret(text):
		// Not quoted: a secret key in the place of a public one.
		return nil, "", &SettingsError{at, "it is a secret key. Recipients are public keys, age1…; secret keys are identities. If the file is shared, this key is known now: make another"}
	case strings.HasPrefix(text, "age1pq1"):
		if r, err := age.ParseHybridRecipient(text); err == nil {
			return r, recipientLine(r.String()), nil
		}
	default:
		if r, err := age.ParseX25519Recipient(text); err == nil {
			return r, recipientLine(r.String()), nil
		}
	}
	return nil, "", &SettingsError{at, fmt.Sprintf("these %d characters are no age recipient (age1… or age1pq1…); copy it again. SSH keys and plugins are not supported", len(text))}
}

// parseIdentities takes one key or the content of a key file, and returns the
// recipients' names with the identities. Its errors quote nothing.
func parseIdentities(text, at string) ([]age.Identity, []string, error) {
	var identities []age.Identity
	var names []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(identities) == maxIdentities {
			return nil, nil, &SettingsError{at, fmt.Sprintf("more than %d identities", maxIdentities)}
		}
		if i, err := age.ParseHybridIdentity(line); err == nil {
			identities, names = append(identities, i), append(names, recipientLine(i.Recipient().String()))
		} else if i, err := age.ParseX25519Identity(line); err == nil {
			identities, names = append(identities, i), append(names, recipientLine(i.Recipient().String()))
		} else {
			return nil, nil, &SettingsError{at, fmt.Sprintf("these %d characters are no age identity (AGE-SECRET-KEY-1… or AGE-SECRET-KEY-PQ-1…); copy it again. SSH keys and plugins are not supported", len(line))}
		}
	}
	if identities == nil {
		return nil, nil, &SettingsError{at, "it is empty; is the variable that it comes from set?"}
	}
	return identities, names, nil
}

func isSecret(text string) bool {
	return strings.HasPrefix(strings.ToUpper(text), "AGE-SECRET-KEY")
}

func (a *ageKeys) wrap(_ context.Context, _ io.Reader, w Wrap, subject string, k *DataKey) (Wrap, error) {
	w.Method, w.Recipients = methodAge, slices.Clone(a.names)
	var out bytes.Buffer
	enc, err := age.Encrypt(&out, a.recipients...)
	if err != nil {
		return Wrap{}, fmt.Errorf("age: %w", err)
	}
	if _, err := enc.Write(w.bound(k.key[:], subject, k.id)); err != nil {
		return Wrap{}, fmt.Errorf("age: %w", err)
	}
	if err := enc.Close(); err != nil {
		return Wrap{}, fmt.Errorf("age: %w", err)
	}
	w.Data = out.Bytes()
	return w, nil
}

func (a *ageKeys) open(_ context.Context, w Wrap, subject, id string) ([]byte, error) {
	if w.Method != methodAge || len(a.identities) == 0 {
		return nil, errNotMine
	}
	in, err := age.Decrypt(bytes.NewReader(w.Data), a.identities...)
	if no := (*age.NoIdentityMatchError)(nil); errors.As(err, &no) {
		return nil, errNotMine
	}
	if err != nil {
		return nil, fmt.Errorf("a key protected by age: %w: %w", ErrDamaged, err)
	}
	plain, err := io.ReadAll(io.LimitReader(in, maxWrapData))
	if err != nil {
		return nil, fmt.Errorf("a key protected by age: %w: %w", ErrDamaged, err)
	}
	return w.unbound(plain, subject, id)
}

func (a *ageKeys) fresh(w Wrap) bool {
	return w.Method == methodAge && slices.Equal(w.Recipients, a.names)
}

func (a *ageKeys) opens() bool  { return len(a.identities) > 0 }
func (a *ageKeys) close() error { return nil }
