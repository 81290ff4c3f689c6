package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/weir-project/weir/state"
)

// readAhead is the most slots read at once.
const readAhead = 16

func (t *Tenant) slotKey(slot uint64) string { return fmt.Sprintf("%slog/%010d", t.prefix, slot) }

// tail is the journal after a checkpoint, as far as it was read or written.
type tail struct {
	next    uint64 // first free slot
	slots   int
	entries int // without seals
	bytes   int64
	epoch   uint64 // of the last slot; 0 without slots
	// ended is the first slot after the last run that ended well; 0 means that nobody asks. dead are the runs after it.
	ended uint64
	dead  []deeds
}

func (a *tail) grow(batch state.Batch, bytes int) {
	a.next++
	a.slots++
	for _, e := range batch.Entries {
		if e.Seal == nil {
			a.entries++
		}
	}
	a.bytes += int64(bytes)
	a.epoch = batch.Epoch
}

// replay applies the slots from at on to s, up to the first free one. Slots of
// an epoch after last are not the head's: it was rolled back, or is old by now.
func (t *Tenant) replay(ctx context.Context, s *state.State, at tail, last uint64) (tail, error) {
	gap := false
	for width := 2; ; width = min(2*width, readAhead) {
		bodies, err := t.slots(ctx, at.next, width)
		if err != nil {
			return at, err
		}
		for i, body := range bodies {
			if body == nil {
				if !slices.ContainsFunc(bodies[i:], func(b []byte) bool { return b != nil }) {
					if i < width-1 {
						return at, nil
					}
					break // the one after it was not looked for, and would show that this one was lost
				}
				// A later slot is there. Either both were written while this one was being
				// looked for, or this one was lost; a second look tells.
				if gap && i == 0 {
					return at, fmt.Errorf("state object %s: %w: it is missing, and later ones are there", t.slotKey(at.next), state.ErrDamaged)
				}
				gap = true
				break
			}
			gap = false
			if err := at.add(t, s, body, last); err != nil {
				return at, err
			}
		}
	}
}

// slots reads width slots at once; one that is not there is nil.
func (t *Tenant) slots(ctx context.Context, first uint64, width int) ([][]byte, error) {
	bodies, errs := make([][]byte, width), make([]error, width)
	var wg sync.WaitGroup
	for i := range width {
		wg.Go(func() {
			body, _, err := t.b.store.Get(ctx, t.slotKey(first+uint64(i)))
			if errors.Is(err, ErrAbsent) {
				return
			}
			bodies[i], errs[i] = body, err
		})
	}
	wg.Wait()
	return bodies, errors.Join(errs...)
}

// add verifies one slot and applies its entries.
func (a *tail) add(t *Tenant, s *state.State, body []byte, last uint64) error {
	batch, err := t.openSlot(s.Lineage, a.next, body)
	if err != nil {
		return err
	}
	if batch.Epoch < a.epoch {
		return fmt.Errorf("state object %s: %w: it was written after the journal was closed to its writer", t.slotKey(a.next), state.ErrDamaged)
	}
	if batch.Epoch > last {
		return fmt.Errorf("tenant %q: %w", t.key, ErrRolledBack)
	}
	for i, e := range batch.Entries {
		if err := s.Apply(e); err != nil {
			return fmt.Errorf("state object %s: entry %d: %w: %w", t.slotKey(a.next), i, state.ErrDamaged, err)
		}
	}
	if a.ended > 0 && a.next >= a.ended {
		a.dead = bury(a.dead, batch)
	}
	a.grow(batch, len(body))
	return nil
}

// bury adds a slot to what the runs did that wrote it.
func bury(dead []deeds, batch state.Batch) []deeds {
	if len(dead) == 0 || dead[len(dead)-1].run != batch.Run {
		dead = append(dead, deeds{run: batch.Run})
	}
	dead[len(dead)-1].add(batch.Entries, batch.Slot+1)
	return dead
}

func (t *Tenant) openSlot(lineage string, slot uint64, body []byte) (state.Batch, error) {
	key := t.slotKey(slot)
	payload, err := t.seal.Load().unwrapSlot(key, body, slot)
	if err != nil {
		return state.Batch{}, err
	}
	batch, err := state.DecodeBatch(payload)
	if err != nil {
		return state.Batch{}, fmt.Errorf("state object %s: %w", key, err)
	}
	if batch.Tenant != t.key || batch.Lineage != lineage || batch.Slot != slot {
		return state.Batch{}, fmt.Errorf("state object %s: %w: it belongs to another state or place", key, state.ErrDamaged)
	}
	return batch, nil
}
