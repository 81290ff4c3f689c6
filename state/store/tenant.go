package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/weir-project/weir/state"
)

// Tenant is one tenant's place in a bucket. It is safe for concurrent use.
type Tenant struct {
	b      *Bucket
	key    string
	prefix string // t/<key>/
	// seal is as the head says that was read last; nil is plaintext.
	seal atomic.Pointer[sealer]
}

// Key returns the tenant's key.
func (t *Tenant) Key() string { return t.key }

// Head returns the tenant's head. ErrAbsent says that there is none, which a
// damaged one never is.
func (t *Tenant) Head(ctx context.Context) (*Head, error) {
	h, _, err := t.head(ctx)
	if err != nil {
		return nil, err
	}
	if h.Purged {
		return nil, fail(t.headKey(), ErrAbsent, errPurged)
	}
	return h.public(t.b.keys)
}

// State returns the tenant's state as it is now, without a lease: the last
// checkpoint and what the journal says since. Operations begun and not ended are
// in its InDoubt; with a live holder they may be under way. What a run could not
// store and kept on this machine is in it, too, if it still fits. A tenant without
// a head has an empty state, for which Stored is false. Nothing is written to the
// bucket.
func (t *Tenant) State(ctx context.Context) (*state.State, error) {
	var last Version
	for {
		h, v, err := t.head(ctx)
		if errors.Is(err, ErrAbsent) {
			err := t.checkHeadless(ctx)
			if errors.Is(err, ErrConflict) {
				continue
			}
			if err != nil {
				return nil, err
			}
			return t.empty(), nil
		}
		if err != nil {
			return nil, err
		}
		if h.Purged {
			return t.empty(), nil
		}
		r, err := t.read(ctx, h)
		if err == nil {
			t.foresee(ctx, &r, h.Epoch)
			return r.s, nil
		}
		// A holder may have moved on between the two reads. If the head is the same
		// once more, it has not.
		if v == last || ctx.Err() != nil {
			return nil, err
		}
		last = v
	}
}

func (t *Tenant) empty() *state.State {
	s := new(state.State)
	s.Tenant.Key = t.key
	return s
}

// reading is a state as read: a checkpoint, and where the journal after it ended.
type reading struct {
	s        *state.State
	manifest *manifestV1
	point    checkpointV1
	base     uint64 // first slot that is not in the checkpoint
	tail     tail
}

// read reads the checkpoint that the head names, and the journal after it.
func (t *Tenant) read(ctx context.Context, h *headV1) (reading, error) {
	s, m, err := t.load(ctx, h)
	if err != nil {
		return reading{}, err
	}
	s.Serial = h.Serial
	end, err := t.replay(ctx, s, tail{next: h.Base, ended: h.End}, h.Epoch)
	if err != nil {
		return reading{}, err
	}
	if end.next < h.End {
		return reading{}, fmt.Errorf("state object %s: %w: it is missing, and the head says that it was there", t.slotKey(end.next), state.ErrDamaged)
	}
	return reading{s: s, manifest: m, point: h.Checkpoint, base: h.Base, tail: end}, nil
}

// wrap returns the stored bytes of an object other than the head.
func (t *Tenant) wrap(key string, payload []byte) []byte {
	return t.seal.Load().wrap(key, payload, t.b.bytes)
}

func (t *Tenant) headKey() string { return t.prefix + "head" }

func (t *Tenant) head(ctx context.Context) (*headV1, Version, error) {
	h, v, _, err := t.headBytes(ctx)
	return h, v, err
}

// readHead reads and verifies the head.
func (t *Tenant) readHead(ctx context.Context) (*headV1, Version, []byte, error) {
	body, v, err := t.b.store.Get(ctx, t.headKey())
	if err != nil {
		return nil, "", nil, err
	}
	h, err := decodeHead(t.headKey(), body)
	if err != nil {
		return nil, "", nil, err
	}
	s, err := t.sealerOf(ctx, h, h.line)
	if err != nil {
		return nil, "", nil, err
	}
	t.seal.Store(s)
	if h.Purged {
		return h, v, body, nil
	}
	meta, err := state.DecodeTenant(h.Tenant)
	if err != nil {
		return nil, "", nil, fmt.Errorf("state object %s: %w", t.headKey(), err)
	}
	if meta.Key != t.key {
		return nil, "", nil, fmt.Errorf("state object %s: %w: it is the head of tenant %q", t.headKey(), state.ErrDamaged, meta.Key)
	}
	return h, v, body, nil
}

// firstSnapshot begins the keys of what may be left when a run died before it
// made the tenant's head.
var firstSnapshot = snapshotFolder(1)

// checkHeadless refuses to call a tenant new whose head was lost. What a run
// leaves that died just before making the head, and cached blobs, are no sign of
// one. ErrConflict says that the head was made in the meantime.
func (t *Tenant) checkHeadless(ctx context.Context) error {
	for item, err := range t.b.store.List(ctx, t.prefix) {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(item.Key, t.prefix)
		if name == "head" {
			switch _, _, err := t.b.store.Get(ctx, item.Key); {
			case err == nil:
				return fail(item.Key, ErrConflict, nil) // and so what is listed after it is its
			case !errors.Is(err, ErrAbsent):
				return err
			}
			continue
		}
		if strings.HasPrefix(name, blobFolder) || strings.HasPrefix(name, firstSnapshot) {
			continue
		}
		return fmt.Errorf("tenant %q: %w (found %s)", t.key, ErrHeadless, item.Key)
	}
	return nil
}

var errPurged = errors.New("it was purged")
