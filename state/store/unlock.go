package store

import (
	"context"
	"errors"
	"fmt"
)

// ErrNotHeld says that nobody holds the tenant.
var ErrNotHeld = errors.New("no run holds this tenant")

// Unlock takes the tenant away from one run, which need not be dead: it stops as soon as it sees that, and can record
// nothing more once another run has the tenant. It swaps exactly the head that names that run and removes nothing.
// *HeldError says that another run holds the tenant, ErrNotHeld that none does.
func (t *Tenant) Unlock(ctx context.Context, run string) error {
	for {
		h, v, old, err := t.headBytes(ctx)
		if err != nil {
			return err
		}
		if h.Lease == nil {
			return fmt.Errorf("tenant %q: %w", t.key, ErrNotHeld)
		}
		if h.Lease.Run != run {
			return h.Lease.held(t.key, t.b.clock.Now())
		}
		next := *h
		next.Left, next.Lease = h.Lease, nil
		next.Nonce = t.b.nonce()
		next.Previous = digest(old)
		body, err := next.encode(t.headKey(), t.seal.Load())
		if err != nil {
			return err
		}
		_, err = t.putHead(ctx, body, v)
		// The holder may have shown a sign of life in between: it still is the one that was named.
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
}
