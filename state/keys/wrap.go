package keys

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// The methods of format 1. What a method's wrap consists of never changes: an
// addition is a new method, which older builds then refuse by its name.
const (
	methodPassphrase = "passphrase"
	methodAge        = "age"
	methodKeeper     = "keeper"
)

// Limits of a stored wrap.
const (
	maxWraps    = 1 + maxEscrows
	maxWrapData = 32 << 10 // bytes; ten post-quantum recipients need 16 KiB
	maxWrapJSON = 64 << 10
)

// Wrap is a data key as it is stored: protected by one setting, and without
// secrets of its own. It opens only for the subject and the id it was made for,
// and only as a whole: every field takes part in the protection. Stored as JSON.
type Wrap struct {
	// Method is "passphrase", "age" or "keeper".
	Method string `json:"method"`
	// Escrow says that it was made by an escrow setting.
	Escrow bool `json:"escrow,omitempty"`
	// Scrypt is how the passphrase becomes a key; nil with other methods.
	Scrypt *Scrypt `json:"scrypt,omitempty"`
	// Recipients are the age recipients, sorted. Those longer than 100 characters
	// are named by digest: "sha256:" and 32 hex digits.
	Recipients []string `json:"recipients,omitempty"`
	// Keeper is a digest of the keeper's URL: 32 hex digits.
	Keeper string `json:"keeper,omitempty"`
	// Data is the protected key.
	Data []byte `json:"data"`
}

// Scrypt are the parameters of a passphrase's key (RFC 7914).
type Scrypt struct {
	Salt  []byte `json:"salt"`  // 16 bytes
	LogN  int    `json:"log_n"` // cost: 2^LogN
	R     int    `json:"r"`
	P     int    `json:"p"`
	Check []byte `json:"check"` // 16 bytes that tell whether a passphrase is the right one
}

// MarshalJSON refuses what UnmarshalJSON would refuse.
func (w Wrap) MarshalJSON() ([]byte, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	return w.encode()
}

func (w Wrap) encode() ([]byte, error) {
	type plain Wrap
	return json.Marshal(plain(w))
}

// UnmarshalJSON takes exactly what MarshalJSON writes, white space apart.
// Errors wrap ErrFormat or ErrDamaged.
func (w *Wrap) UnmarshalJSON(b []byte) error {
	if len(b) > maxWrapJSON {
		return fmt.Errorf("a protected key of %d bytes: %w", len(b), ErrDamaged)
	}
	var head struct {
		Method string `json:"method"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return fmt.Errorf("a protected key: %w: %w", ErrDamaged, err)
	}
	if err := checkMethod(head.Method); err != nil {
		return err
	}
	type plain Wrap
	var p plain
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return fmt.Errorf("a protected key: %w: %w", ErrDamaged, err)
	}
	got := Wrap(p)
	if err := got.check(); err != nil {
		return err
	}
	// Reading is lenient about case, repeated members and spare bits of base64.
	var compact bytes.Buffer
	if err := json.Compact(&compact, b); err != nil {
		return fmt.Errorf("a protected key: %w: %w", ErrDamaged, err)
	}
	again, err := got.encode()
	if err != nil {
		return fmt.Errorf("a protected key: %w: %w", ErrDamaged, err)
	}
	if !bytes.Equal(compact.Bytes(), again) {
		return fmt.Errorf("a protected key: %w: it is not written as weir writes it", ErrDamaged)
	}
	*w = got
	return nil
}

// decodeFault makes an error of encoding/json one of ours.
func decodeFault(err error) error {
	if errors.Is(err, ErrFormat) || errors.Is(err, ErrDamaged) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// methodName is what a method may be called, now and later.
var methodName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

func checkMethod(method string) error {
	switch method {
	case methodPassphrase, methodAge, methodKeeper:
		return nil
	}
	if methodName.MatchString(method) {
		return fmt.Errorf("a key protected by %q: %w", method, ErrFormat)
	}
	return fmt.Errorf("a protected key: %w: it does not say how it is protected", ErrDamaged)
}

var (
	recipientName = regexp.MustCompile(`^(age1[a-z0-9]{1,96}|sha256:[0-9a-f]{32})$`)
	keeperName    = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// check refuses what no build of this format makes. It runs before anything
// is computed from the wrap.
func (w Wrap) check() error {
	if err := checkMethod(w.Method); err != nil {
		return err
	}
	damaged := func(what string) error {
		return fmt.Errorf("a key protected by %s: %w: %s", w.Method, ErrDamaged, what)
	}
	if len(w.Data) == 0 || len(w.Data) > maxWrapData {
		return damaged(strconv.Itoa(len(w.Data)) + " bytes of data")
	}
	if (w.Scrypt != nil) != (w.Method == methodPassphrase) ||
		(len(w.Recipients) > 0) != (w.Method == methodAge) ||
		(w.Keeper != "") != (w.Method == methodKeeper) {
		return damaged("its parameters are of another method")
	}
	if s := w.Scrypt; s != nil {
		if err := s.check(); err != nil {
			return damaged(err.Error())
		}
	}
	if len(w.Recipients) > maxRecipients {
		return damaged(strconv.Itoa(len(w.Recipients)) + " recipients")
	}
	for i, r := range w.Recipients {
		if !recipientName.MatchString(r) || i > 0 && w.Recipients[i-1] >= r {
			return damaged("its list of recipients")
		}
	}
	if w.Keeper != "" && !keeperName.MatchString(w.Keeper) {
		return damaged("its keeper")
	}
	return nil
}

// check bounds time and memory of what a stored wrap can make us compute:
// at most 256 MiB at a time.
func (s *Scrypt) check() error {
	switch {
	case len(s.Salt) != saltSize || len(s.Check) != checkSize:
		return errors.New("salt or check value of a wrong length")
	case s.LogN < minLogN || s.LogN > maxLogN || s.R != scryptR || s.P < 1 || s.P > maxP:
		return fmt.Errorf("cost 2^%d, r %d, p %d: weir writes 2^%d, %d, 1", s.LogN, s.R, s.P, minLogN, scryptR)
	}
	return nil
}

// binding is a digest of all that a wrap is for and made with, except its data.
// It is protected together with the key.
func (w Wrap) binding(subject, id string) [sha256.Size]byte {
	fields := []string{"weir wrap 1", w.Method, strconv.FormatBool(w.Escrow), subject, id, w.Keeper, strconv.Itoa(len(w.Recipients))}
	fields = append(fields, w.Recipients...)
	if s := w.Scrypt; s != nil {
		fields = append(fields, string(s.Salt), fmt.Sprintf("%d %d %d", s.LogN, s.R, s.P), string(s.Check))
	}
	h := sha256.New()
	for _, f := range fields {
		// The length first, so that no two lists of fields are the same bytes.
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(f))))
		h.Write([]byte(f))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// bound is what age and keepers protect, which take no associated data: the
// key and the binding. 64 bytes fit into one block of RSA with 2048 bits.
func (w Wrap) bound(key []byte, subject, id string) []byte {
	b := w.binding(subject, id)
	return append(append(make([]byte, 0, keySize+len(b)), key...), b[:]...)
}

// unbound is the reverse of bound.
func (w Wrap) unbound(plain []byte, subject, id string) ([]byte, error) {
	b := w.binding(subject, id)
	if len(plain) != keySize+len(b) || !bytes.Equal(plain[keySize:], b[:]) {
		return nil, fmt.Errorf("a key protected by %s: %w: it was not made for this", w.Method, ErrDamaged)
	}
	return plain[:keySize], nil
}
