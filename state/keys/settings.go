package keys

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what may be configured. They keep the wraps of one key far below
// the size of a head, which carries them.
const (
	minPassphrase  = 16   // characters
	maxPassphrase  = 1024 // bytes
	maxRecipients  = 10   // of one setting
	maxIdentities  = 100  // of one setting
	maxEscrows     = 8
	maxPrevious    = 8
	settingsPrefix = "encryption"
)

// Settings is one way of protecting data keys: a passphrase, or age recipients
// (with identities to read), or a keeper. Exactly one is set. It prints without
// its secrets, whatever the verb; a struct that holds it in an unexported field
// must see to that itself, since fmt calls no methods there.
type Settings struct {
	// Passphrase has at least 16 characters.
	Passphrase string
	// Recipients are age public keys, age1… or post-quantum age1pq1…, not mixed.
	Recipients []string
	// Identities are age secret keys, AGE-SECRET-KEY-1… or AGE-SECRET-KEY-PQ-1….
	// Each may be the whole content of a key file, with its comment lines.
	Identities []string
	// Keeper is a gocloud.dev/secrets URL: awskms, azurekeyvault, gcpkms, base64key.
	Keeper string
}

// Options say what a Ring is made of.
type Options struct {
	// Current protects new data keys and opens old ones.
	Current Settings
	// Escrow protects each data key once more: recipients or a keeper. It opens
	// nothing, unless identities are given with its recipients.
	Escrow []Settings
	// Previous still opens data keys and protects no new ones: what was Current
	// before a change of keys.
	Previous []Settings
	// Random is where keys and nonces come from; nil means crypto/rand. (age and
	// keepers use their own.)
	Random io.Reader
}

// words says what is set, without any secret.
func (s Settings) words() string {
	var words []string
	if s.Passphrase != "" {
		words = append(words, "passphrase")
	}
	if n := len(s.Recipients); n > 0 {
		words = append(words, fmt.Sprintf("%d age recipients", n))
	}
	if n := len(s.Identities); n > 0 {
		words = append(words, fmt.Sprintf("%d age identities", n))
	}
	if s.Keeper != "" {
		words = append(words, keeperWords(s.Keeper))
	}
	if words == nil {
		words = []string{"nothing set"}
	}
	return "keys.Settings(" + strings.Join(words, ", ") + ")"
}

// String names what is set, without secrets.
func (s Settings) String() string { return s.words() }

// GoString is String.
func (s Settings) GoString() string { return s.words() }

// Format writes String for every verb: %d would otherwise print the fields.
func (s Settings) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.words()) }

// LogValue is String.
func (s Settings) LogValue() slog.Value { return slog.StringValue(s.words()) }

// MarshalJSON writes String, so that no report carries a secret by accident.
func (s Settings) MarshalJSON() ([]byte, error) { return json.Marshal(s.words()) }

// role is what a setting is for.
type role int

const (
	current  role = iota // writes and reads
	escrow               // writes
	previous             // reads
)

// protector makes one setting into what wraps and opens keys, or says what is
// wrong with it. at names the setting.
func (s Settings) protector(at string, r role, d deps) (protector, error) {
	isAge := len(s.Recipients) > 0 || len(s.Identities) > 0
	kinds := 0
	for _, set := range []bool{s.Passphrase != "", isAge, s.Keeper != ""} {
		if set {
			kinds++
		}
	}
	switch {
	case kinds == 0:
		return nil, &SettingsError{at, "no passphrase, recipients or keeper is given. If it comes from a variable of the environment, that is not set or empty; set it and run again"}
	case kinds > 1:
		return nil, &SettingsError{at, "passphrase, recipients with identities, and keeper exclude each other; keep one, and make the other an escrow or a previous setting"}
	case isAge:
		return newAge(s, at, r)
	case s.Keeper != "":
		return newKeeper(s.Keeper, at+".keeper", d.open)
	case r == escrow:
		return nil, &SettingsError{at + ".passphrase", "an escrow is kept by somebody else, so it is age recipients or a keeper; a second passphrase would stand beside the first"}
	}
	if err := checkPassphrase(s.Passphrase, at+".passphrase"); err != nil {
		return nil, err
	}
	return newPassphrase(s.Passphrase, d.derive), nil
}

func checkPassphrase(p, at string) error {
	switch n := utf8.RuneCountInString(p); {
	case strings.TrimSpace(p) == "":
		return &SettingsError{at, "it is only white space; is the variable that it comes from set?"}
	case strings.TrimFunc(p, unicode.IsSpace) != p:
		return &SettingsError{at, "it begins or ends with white space, such as the line end of the file it was read from; take that away, since elsewhere it would be missing and nothing could be read"}
	case n < minPassphrase:
		return &SettingsError{at, fmt.Sprintf("it has %d characters; at least %d are needed, and six random words are better", n, minPassphrase)}
	case len(p) > maxPassphrase:
		return &SettingsError{at, fmt.Sprintf("it has %d bytes; at most %d are taken", len(p), maxPassphrase)}
	}
	return nil
}
