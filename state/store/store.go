package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strings"
)

// Version names one value of one object, as its store knows it; opaque. The
// empty Version means "must not exist".
type Version string

// Item is one object in a listing.
type Item struct {
	Key  string
	Size int64 // bytes
}

// Store is a bucket of small objects. It is all that the engine sees of a
// backend. Implementations are safe for concurrent use.
//
// Every error wraps exactly one of ErrAbsent, ErrConflict, ErrAmbiguous,
// ErrDenied and ErrUnavailable, and names the key.
//
// There is no conditional delete and no copy: emulators and S3-compatible stores
// get those wrong, and nothing here needs them.
type Store interface {
	// Get returns the object and its version, both from one response. ErrAbsent says
	// that there is none, which is not yet permission to create one.
	Get(ctx context.Context, key string) (body []byte, v Version, err error)
	// Put creates the object if prev is empty and otherwise replaces the value named
	// by prev. It returns the new version, or an empty one if the store does not tell
	// it with a write; a read does. ErrConflict: the object is there already,
	// or is not prev any more, or is gone.
	Put(ctx context.Context, key string, body []byte, prev Version) (Version, error)
	// List yields the objects whose key begins with prefix, sorted by key. An error
	// ends it.
	List(ctx context.Context, prefix string) iter.Seq2[Item, error]
	// Remove deletes the object; none there is no error. It is for garbage only:
	// nothing correct may depend on it.
	Remove(ctx context.Context, key string) error
}

// The five kinds of error a Store returns.
var (
	ErrAbsent      = errors.New("not there")
	ErrConflict    = errors.New("somebody else wrote it first")        // certainly not ours
	ErrAmbiguous   = errors.New("it is not known whether it was kept") // it may even land later
	ErrDenied      = errors.New("access denied")
	ErrUnavailable = errors.New("state storage cannot be reached")
)

// fail wraps a cause under its kind and the key it is about.
func fail(key string, kind, cause error) error {
	if cause == nil {
		return fmt.Errorf("state object %s: %w", key, kind)
	}
	return fmt.Errorf("state object %s: %w: %w", key, kind, cause)
}

// maxObject is the largest object that is read, in bytes: several times what is
// ever written in one piece.
const maxObject = 64 << 20

var errTooLong = fmt.Errorf("it is longer than %d bytes, and nothing of that size was written by weir", maxObject)

// readObject reads a whole object.
func readObject(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxObject+1))
	if err == nil && len(body) > maxObject {
		return nil, errTooLong
	}
	return body, err
}

var keyPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$`)

// validKey reports whether the key is one that every store can hold: no empty
// segments, no dot files, no name that a driver keeps for itself.
func validKey(key string) bool {
	return len(key) <= 512 && keyPattern.MatchString(key) && !strings.HasSuffix(key, lockSuffix)
}
