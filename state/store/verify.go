package store

import (
	"bytes"
	"context"
	"errors"
)

// verified wraps a driver so that the result of a write is what a read says.
// Client libraries retry by themselves, and a lost first response then turns
// into "precondition failed" although our bytes are stored. Every body carries a
// nonce, so equal bytes are ours.
type verified struct{ Store }

func (s verified) Put(ctx context.Context, key string, body []byte, prev Version) (Version, error) {
	v, err := s.Store.Put(ctx, key, body, prev)
	if err == nil && prev == "" {
		return v, nil // a create that answered "created" is the only one there is
	}
	if errors.Is(err, ErrDenied) {
		return "", err
	}
	stored, sv, rerr := s.Get(ctx, key)
	switch {
	case rerr == nil && bytes.Equal(stored, body):
		return sv, nil
	case rerr == nil && (err == nil || errors.Is(err, ErrConflict)):
		return "", fail(key, ErrConflict, nil)
	case rerr == nil && prev == "":
		return "", fail(key, ErrConflict, err) // immutable, and not ours
	case rerr == nil && sv != prev:
		return "", fail(key, ErrConflict, err) // our condition can never hold again
	case errors.Is(rerr, ErrAbsent) && errors.Is(err, ErrConflict) && prev != "":
		return "", err // swapped, but gone: a conflict, and no permission to create
	}
	// Not seen, and perhaps still on its way. The same bytes under the same
	// condition may be sent again.
	if err == nil {
		err = rerr
	}
	return "", fail(key, ErrAmbiguous, err)
}
