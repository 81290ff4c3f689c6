package keys

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/scrypt"
)

// protector is one setting that was found good. Safe for concurrent use.
type protector interface {
	// wrap completes w, whose Escrow is set, with the protected key.
	wrap(ctx context.Context, random io.Reader, w Wrap, subject string, k *DataKey) (Wrap, error)
	// open is the reverse. w passed check. errNotMine: another setting's.
	open(ctx context.Context, w Wrap, subject, id string) ([]byte, error)
	// opens is false of recipients without identities.
	opens() bool
	// fresh reports whether wrap would make w with the same method and parameters now.
	fresh(w Wrap) bool
	close() error
}

// deps are what tests replace.
type deps struct {
	derive deriver
	open   opener
}

// Ring makes, protects and opens data keys. Safe for concurrent use. It prints
// without secrets.
type Ring struct {
	current  protector
	escrow   []protector
	previous []protector

	mu     sync.Mutex // of random
	random io.Reader
}

// New checks all settings. It asks no network and writes nothing. Errors:
// *SettingsError.
func New(ctx context.Context, o Options) (*Ring, error) {
	return newRing(ctx, o, deps{derive: scrypt.Key, open: openKeeper})
}

func newRing(_ context.Context, o Options, d deps) (*Ring, error) {
	r := &Ring{random: o.Random}
	if r.random == nil {
		r.random = rand.Reader
	}
	if len(o.Escrow) > maxEscrows {
		return nil, &SettingsError{settingsPrefix + ".escrow", fmt.Sprintf("%d escrows; at most %d are taken", len(o.Escrow), maxEscrows)}
	}
	if len(o.Previous) > maxPrevious {
		return nil, &SettingsError{settingsPrefix + ".previous", fmt.Sprintf("%d previous settings; at most %d are taken", len(o.Previous), maxPrevious)}
	}
	var err error
	if r.current, err = o.Current.protector(settingsPrefix, current, d); err != nil {
		return nil, err
	}
	for i, s := range o.Escrow {
		p, err := s.protector(fmt.Sprintf("%s.escrow[%d]", settingsPrefix, i), escrow, d)
		if err != nil {
			return nil, err
		}
		r.escrow = append(r.escrow, p)
	}
	for i, s := range o.Previous {
		p, err := s.protector(fmt.Sprintf("%s.previous[%d]", settingsPrefix, i), previous, d)
		if err != nil {
			return nil, err
		}
		r.previous = append(r.previous, p)
	}
	return r, nil
}

// Close ends the connections to key services.
func (r *Ring) Close() error {
	var errs []error
	for _, p := range r.all() {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

func (r *Ring) all() []protector {
	return slices.Concat([]protector{r.current}, r.escrow, r.previous)
}

// readers are asked in this order.
func (r *Ring) readers() []protector {
	readers := append([]protector{r.current}, r.previous...)
	for _, p := range r.escrow {
		// A keeper that is an escrow is left alone: its owner wants to be asked.
		if a, is := p.(*ageKeys); is && a.opens() {
			readers = append(readers, p)
		}
	}
	return readers
}

// randomness is the ring as an io.Reader that many may use.
type randomness Ring

func (r *randomness) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.random.Read(b)
}

func (r *Ring) bytes(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull((*randomness)(r), b); err != nil {
		return nil, fmt.Errorf("randomness: %w", err)
	}
	return b, nil
}

// Make returns a fresh data key for a subject and its wraps, by Current and by
// every escrow. Each wrap that can be opened was opened and compared. Errors
// wrap ErrUnavailable if a key service failed; nothing is returned then.
func (r *Ring) Make(ctx context.Context, subject string) (*DataKey, []Wrap, error) {
	b, err := r.bytes(keySize + 8)
	if err != nil {
		return nil, nil, err
	}
	k := &DataKey{id: hex.EncodeToString(b[keySize:]), key: [keySize]byte(b[:keySize])}
	wraps, err := r.Wrap(ctx, k, subject)
	if err != nil {
		return nil, nil, err
	}
	return k, wraps, nil
}

// Wrap protects a key that exists as Make would, for a change of settings or of
// subject.
func (r *Ring) Wrap(ctx context.Context, k *DataKey, subject string) ([]Wrap, error) {
	var wraps []Wrap
	for i, p := range append([]protector{r.current}, r.escrow...) {
		w, err := p.wrap(ctx, (*randomness)(r), Wrap{Escrow: i > 0}, subject, k)
		if err != nil {
			return nil, fmt.Errorf("protect the data key of %s: %w", subject, err)
		}
		if err := w.check(); err != nil {
			return nil, fmt.Errorf("protect the data key of %s: %w", subject, err)
		}
		if p.opens() {
			key, err := p.open(ctx, w, subject, k.id)
			if err != nil {
				return nil, fmt.Errorf("protect the data key of %s: what was just protected does not open again: %w", subject, err)
			}
			if subtle.ConstantTimeCompare(key, k.key[:]) != 1 {
				return nil, fmt.Errorf("protect the data key of %s: what was just protected opens to something else", subject)
			}
		}
		wraps = append(wraps, w)
	}
	return wraps, nil
}

// Open returns the data key of a subject, by Current, else by Previous, else by
// an escrow's identities. Errors wrap ErrWrongKey if no setting is the right
// one, ErrDamaged, ErrFormat, or ErrUnavailable if a key service that might have
// opened it failed.
func (r *Ring) Open(ctx context.Context, subject, id string, wraps []Wrap) (*DataKey, error) {
	fail := func(err error) error { return fmt.Errorf("the data key of %s: %w", subject, err) }
	if !keyID.MatchString(id) {
		return nil, fail(fmt.Errorf("%w: its id is not 16 hex digits", ErrDamaged))
	}
	if len(wraps) == 0 || len(wraps) > maxWraps {
		return nil, fail(fmt.Errorf("%w: it is protected %d times", ErrDamaged, len(wraps)))
	}
	for _, w := range wraps {
		if err := w.check(); err != nil {
			return nil, fail(err)
		}
	}
	var faults []error
	for _, p := range r.readers() {
		// Those that look like its own first: asking a key service about others may
		// take long and is refused in many ways.
		mine, others := split(wraps, p.fresh)
		for _, w := range append(mine, others...) {
			key, err := p.open(ctx, w, subject, id)
			if err == nil {
				return &DataKey{id: id, key: [keySize]byte(key)}, nil
			}
			if ctx.Err() != nil {
				return nil, fail(fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx)))
			}
			if !errors.Is(err, errNotMine) {
				faults = append(faults, err)
			}
		}
	}
	if len(faults) > 0 {
		return nil, fail(errors.Join(faults...))
	}
	return nil, fail(fmt.Errorf("%w; it is protected by %s", ErrWrongKey, methods(wraps)))
}

func split(wraps []Wrap, by func(Wrap) bool) (yes, no []Wrap) {
	for _, w := range wraps {
		if by(w) {
			yes = append(yes, w)
		} else {
			no = append(no, w)
		}
	}
	return yes, no
}

// methods names what protects a key, so that the reader can find the right one.
func methods(wraps []Wrap) string {
	var words []string
	for _, w := range wraps {
		word := w.Method
		if w.Method == methodAge {
			word = "age for " + strings.Join(w.Recipients, ", ")
		}
		if w.Escrow {
			word += " (escrow)"
		}
		words = append(words, word)
	}
	return strings.Join(words, "; ")
}

// Fresh reports whether wraps are what Current and Escrow would make now: the
// same methods with the same public parameters, in any order. If not, the data
// key should be wrapped anew. With a passphrase it may derive a key.
func (r *Ring) Fresh(wraps []Wrap) bool {
	writers := append([]protector{r.current}, r.escrow...)
	if len(wraps) != len(writers) {
		return false
	}
	left := slices.Clone(wraps)
	for i, p := range writers {
		at := slices.IndexFunc(left, func(w Wrap) bool {
			return w.Escrow == (i > 0) && w.check() == nil && p.fresh(w)
		})
		if at < 0 {
			return false
		}
		left = slices.Delete(left, at, at+1)
	}
	return true
}

// String tells nothing of the settings.
func (r *Ring) String() string { return "keys.Ring" }

// GoString is String.
func (r *Ring) GoString() string { return r.String() }

// Format writes String for every verb.
func (r *Ring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }
