package keys

import (
	"bytes"
	"context"
	"crypto/hmac"
	"fmt"
	"io"
	"sync"

	"golang.org/x/crypto/scrypt"
)

// scrypt takes 32 MiB and about a tenth of a second at the lowest cost, which is
// the one we write. Higher ones are read, so that it can be raised.
const (
	minLogN   = 15
	maxLogN   = 18
	scryptR   = 8
	maxP      = 4
	saltSize  = 16
	checkSize = 16
	maxKEKs   = 1024 // salts remembered by one ring
)

// deriver is scrypt.Key.
type deriver func(password, salt []byte, n, r, p, size int) ([]byte, error)

var _ deriver = scrypt.Key

// passphrase protects keys with AES-256-GCM under a key-encryption key that
// scrypt makes of a passphrase and a salt. Derived keys are remembered, and new
// wraps take the salt last seen, so that the tenants of one bucket cost one
// derivation. Safe for concurrent use.
type passphrase struct {
	secret []byte
	derive deriver

	mu   sync.Mutex // held while deriving: one takes enough memory
	keks map[kekName]kek
	salt []byte
}

type kekName struct {
	salt       string
	logN, r, p int
}

// kek is what comes of a passphrase.
type kek struct {
	key   []byte
	check []byte
}

func newPassphrase(secret string, d deriver) *passphrase {
	return &passphrase{secret: []byte(secret), derive: d, keks: map[kekName]kek{}}
}

// kek derives or remembers. p.mu is held.
func (p *passphrase) kek(s *Scrypt) (kek, error) {
	name := kekName{string(s.Salt), s.LogN, s.R, s.P}
	if k, known := p.keks[name]; known {
		return k, nil
	}
	out, err := p.derive(p.secret, s.Salt, 1<<s.LogN, s.R, s.P, keySize)
	if err != nil {
		return kek{}, fmt.Errorf("passphrase: %w", err)
	}
	k := kek{key: derive(out, "weir wrap key", keySize), check: derive(out, "weir wrap check", checkSize)}
	if len(p.keks) < maxKEKs {
		p.keks[name] = k
	}
	return k, nil
}

func (p *passphrase) wrap(_ context.Context, random io.Reader, w Wrap, subject string, k *DataKey) (Wrap, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.salt == nil {
		salt := make([]byte, saltSize)
		if _, err := io.ReadFull(random, salt); err != nil {
			return Wrap{}, fmt.Errorf("randomness: %w", err)
		}
		p.salt = salt
	}
	w.Method = methodPassphrase
	w.Scrypt = &Scrypt{Salt: bytes.Clone(p.salt), LogN: minLogN, R: scryptR, P: 1}
	kek, err := p.kek(w.Scrypt)
	if err != nil {
		return Wrap{}, err
	}
	w.Scrypt.Check = kek.check
	nonce := make([]byte, nonceSize)
	if _, err := io.ReadFull(random, nonce); err != nil {
		return Wrap{}, fmt.Errorf("randomness: %w", err)
	}
	ad := w.binding(subject, k.id)
	w.Data = newGCM(kek.key).Seal(nonce, nonce, k.key[:], ad[:])
	return w, nil
}

func (p *passphrase) open(_ context.Context, w Wrap, subject, id string) ([]byte, error) {
	if w.Method != methodPassphrase {
		return nil, errNotMine
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	kek, err := p.kek(w.Scrypt)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(kek.check, w.Scrypt.Check) {
		return nil, errNotMine
	}
	ad := w.binding(subject, id)
	if len(w.Data) < nonceSize {
		return nil, fmt.Errorf("a key protected by passphrase: %w: it is too short", ErrDamaged)
	}
	key, err := newGCM(kek.key).Open(nil, w.Data[:nonceSize], w.Data[nonceSize:], ad[:])
	if err != nil || len(key) != keySize {
		return nil, fmt.Errorf("a key protected by passphrase: %w: the passphrase is right, but it was not made for this", ErrDamaged)
	}
	if w.Scrypt.LogN == minLogN && w.Scrypt.P == 1 {
		p.salt = bytes.Clone(w.Scrypt.Salt)
	}
	return key, nil
}

func (p *passphrase) fresh(w Wrap) bool {
	if w.Method != methodPassphrase || w.Scrypt.LogN != minLogN || w.Scrypt.P != 1 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	kek, err := p.kek(w.Scrypt)
	return err == nil && hmac.Equal(kek.check, w.Scrypt.Check)
}

func (p *passphrase) opens() bool  { return true }
func (p *passphrase) close() error { return nil }
