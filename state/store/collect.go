package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/weir-project/weir/state"
)

// Retention says what of a tenant's history is kept.
type Retention struct {
	// Age is how long a version is kept after it was replaced. Less than MinRetention
	// is refused: a run that slept so long could take a removed slot for a free one.
	Age time.Duration
	// Versions is how many of the newest are kept, however old they are.
	Versions int
}

// MinRetention is the least time for which everything that fences a sleeping run
// is kept. A run of that age has long ended by its own wall clock.
const MinRetention = 30 * 24 * time.Hour

// Collected is what a collection removed, or would.
type Collected struct {
	Objects int
	Bytes   int64
	// Oldest is the oldest version that can still be read.
	Oldest uint64
}

// Collect removes snapshots and journal slots that no kept version needs. The
// records of runs stay. Removing is not needed for anything to be correct, and
// may end anywhere. With dry nothing is removed.
func (l *Lease) Collect(ctx context.Context, r Retention, dry bool) (Collected, error) {
	if r.Age < MinRetention {
		return Collected{}, fmt.Errorf("versions must be kept for at least %d days, not %s", MinRetention/(24*time.Hour), r.Age)
	}
	return l.collect(ctx, r, dry)
}

func (l *Lease) collect(ctx context.Context, r Retention, dry bool) (Collected, error) {
	l.mu.Lock()
	now := l.reading
	h := &headV1{Lineage: l.s.Lineage, Serial: l.s.Serial, Last: l.last}
	l.mu.Unlock()
	keep := make(map[string]bool)
	keep[now.point.Manifest] = true
	for _, p := range now.manifest.Parts {
		keep[p.Key] = true
	}
	oldest, base := h.Serial, now.base
	old := l.t.b.clock.Now().Add(-r.Age)
	kept, aged, reached := 0, 0, false
	for run, err := range l.t.records(ctx, h) {
		if err != nil {
			return Collected{}, err
		}
		// A version lasts until the next one, so the first that is old is what the state
		// was at the beginning of the time to keep; its slots became a checkpoint before.
		if err := l.t.keep(ctx, run, keep); err != nil {
			return Collected{}, err
		}
		oldest, base = run.Serial, min(base, run.Base)
		// Two in a row, since one may be from a machine whose clock is wrong.
		if !run.Ended.Before(old) {
			aged = 0
		} else if aged++; aged >= 2 && kept >= r.Versions {
			reached = true
			break
		}
		kept++
	}
	if !reached {
		return Collected{Oldest: oldest}, nil // all of it is younger
	}
	garbage, err := l.t.below(ctx, func(name string) bool {
		folder, rest, _ := strings.Cut(name, "/")
		number, ok := numberOf(rest)
		return ok && !keep[name] && (folder == "snap" && number < oldest || folder == "log" && number < base)
	})
	if err != nil {
		return Collected{}, err
	}
	var out Collected
	if !dry {
		out, err = l.t.remove(l.ctx, garbage)
	} else {
		for _, item := range garbage {
			out.Objects, out.Bytes = out.Objects+1, out.Bytes+item.Size
		}
	}
	out.Oldest = oldest
	return out, err
}

// keep marks what a version needs of the snapshots.
func (t *Tenant) keep(ctx context.Context, r *runV1, keep map[string]bool) error {
	if keep[r.Checkpoint.Manifest] {
		return nil
	}
	m, err := t.manifest(ctx, r.Checkpoint)
	if errors.Is(err, errMissing) {
		return nil // collected before
	}
	if err != nil {
		return err
	}
	keep[r.Checkpoint.Manifest] = true
	for _, p := range m.Parts {
		keep[p.Key] = true
	}
	return nil
}

// numberOf reads the ten digits that a slot's or a snapshot's name begins with.
func numberOf(name string) (uint64, bool) {
	if len(name) < 10 {
		return 0, false
	}
	n, err := strconv.ParseUint(name[:10], 10, 64)
	return n, err == nil
}

// Purge removes everything that is kept of the tenant, its history too, and ends
// the lease. What stays is a head without content, under which the tenant may
// begin anew. Unless forced it refuses a state that still has something: the
// error wraps ErrNotEmpty.
func (l *Lease) Purge(ctx context.Context, force bool) (Collected, error) {
	s := l.State()
	if n := len(s.Objects) + s.Accounts.Len() + len(s.InDoubt); n > 0 && !force {
		return Collected{}, fmt.Errorf("tenant %q: %w: %d objects, %d accounts and %d operations in doubt",
			l.t.key, ErrNotEmpty, len(s.Objects), s.Accounts.Len(), len(s.InDoubt))
	}
	l.closeJournal()
	// The list is made while nobody else can write, so that what a later run begins is
	// not in it.
	garbage, err := l.t.below(ctx, func(string) bool { return true })
	if err != nil {
		return Collected{}, err
	}
	meta, err := state.EncodeTenant(state.TenantMeta{Key: l.t.key})
	if err != nil {
		return Collected{}, err
	}
	err = l.swapHead(ctx, func(h *headV1) {
		*h = headV1{Format: 1, Tenant: meta, Lineage: h.Lineage, Epoch: h.Epoch, Base: l.tail.next, Keys: h.Keys, Purged: true}
	}, func() { l.cancel(ErrReleased) })
	if err != nil {
		return Collected{}, err
	}
	l.wg.Wait()
	return l.t.remove(ctx, garbage)
}

// ErrNotEmpty says that a state still has something in it.
var ErrNotEmpty = errors.New("there is something in this tenant's state")

// Sweep removes what a purge left that was cut off, and reports whether the
// tenant is purged.
func (t *Tenant) Sweep(ctx context.Context) (out Collected, purged bool, err error) {
	h, v, err := t.head(ctx)
	if err != nil || !h.Purged {
		return out, false, err
	}
	// Who begins anew writes a first snapshot before there is a head.
	garbage, err := t.below(ctx, func(name string) bool { return !strings.HasPrefix(name, firstSnapshot) })
	if err != nil {
		return out, true, err
	}
	// With the same head as before, nobody had begun when the list was made.
	if _, now, err := t.head(ctx); err != nil || now != v {
		return out, false, err
	}
	out, err = t.remove(ctx, garbage)
	return out, true, err
}

// below lists all objects of the tenant but its head.
func (t *Tenant) below(ctx context.Context, want func(name string) bool) ([]Item, error) {
	var items []Item
	for item, err := range t.b.store.List(ctx, t.prefix) {
		if err != nil {
			return nil, err
		}
		if item.Key != t.headKey() && want(strings.TrimPrefix(item.Key, t.prefix)) {
			items = append(items, item)
		}
	}
	return items, nil
}

func (t *Tenant) remove(ctx context.Context, items []Item) (Collected, error) {
	var out Collected
	for _, item := range items {
		if err := t.b.store.Remove(ctx, item.Key); err != nil {
			return out, err
		}
		out.Objects++
		out.Bytes += item.Size
	}
	return out, nil
}
