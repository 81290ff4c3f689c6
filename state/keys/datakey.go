package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"regexp"
)

const (
	keySize   = 32
	nonceSize = 12
)

// keyID is what the id of a data key looks like.
var keyID = regexp.MustCompile(`^[0-9a-f]{16}$`)

// DataKey encrypts and authenticates bodies. It comes from a Ring; its zero
// value is of no use. Safe for concurrent use. It prints as its id.
type DataKey struct {
	id  string
	key [keySize]byte
}

// ID is random and public: 16 hex digits.
func (k *DataKey) ID() string { return k.id }

// Seal encrypts plaintext with AES-256-GCM under a key of its own, derived with
// HKDF-SHA256 from this key and the object's name. ad is authenticated and not
// encrypted. The nonce has 12 bytes and serves one plaintext a name; another
// length is a mistake of the program and panics.
func (k *DataKey) Seal(name string, ad, plaintext, nonce []byte) []byte {
	return newGCM(k.derive("weir object "+name, keySize)).Seal(nil, nonce, plaintext, ad)
}

// Open is the reverse of Seal. Errors wrap ErrDamaged.
func (k *DataKey) Open(name string, ad, ciphertext, nonce []byte) ([]byte, error) {
	if len(nonce) != nonceSize {
		return nil, fmt.Errorf("%s: %w: a nonce of %d bytes", name, ErrDamaged, len(nonce))
	}
	plaintext, err := newGCM(k.derive("weir object "+name, keySize)).Open(nil, nonce, ciphertext, ad)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: it does not open with the data key %s", name, ErrDamaged, k.id)
	}
	return plaintext, nil
}

// MAC is HMAC-SHA256 of body under a key derived from this key and the name: 32
// bytes. Compare with hmac.Equal.
func (k *DataKey) MAC(name string, body []byte) []byte {
	h := hmac.New(sha256.New, k.derive("weir mac "+name, keySize))
	h.Write(body)
	return h.Sum(nil)
}

func (k *DataKey) derive(info string, size int) []byte { return derive(k.key[:], info, size) }

// derive is HKDF-SHA256 without salt: the secrets here are uniformly random or
// come out of scrypt.
func derive(secret []byte, info string, size int) []byte {
	out, err := hkdf.Key(sha256.New, secret, nil, info, size)
	if err != nil {
		panic("keys: " + err.Error()) // only for sizes that nobody asks for
	}
	return out
}

func newGCM(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("keys: " + err.Error()) // only for keys of another length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("keys: " + err.Error()) // only for other block sizes
	}
	return aead
}

// String is the id.
func (k DataKey) String() string { return "keys.DataKey(" + k.id + ")" }

// GoString is String.
func (k DataKey) GoString() string { return k.String() }

// Format writes String for every verb.
func (k DataKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue is String.
func (k DataKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON writes String: a data key is stored as wraps and never as itself.
func (k DataKey) MarshalJSON() ([]byte, error) { return json.Marshal(k.String()) }
