package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/weir-project/weir/state"
)

const (
	// slotEntries is the most entries in one slot.
	slotEntries = 200
	// A release makes a checkpoint when the journal has that many entries or slots,
	// or that part of the snapshot's bytes: a twentieth.
	checkpointEntries = 5000
	checkpointSlots   = 500
	checkpointShare   = 20
)

// queued are entries that one caller waits for.
type queued struct {
	entries []state.Entry
	left    int // entries not yet durable
	err     error
	done    chan struct{}
}

// Intend makes intents durable. When it returns nil, the calls may begin; with
// an error none may, although the intents may have become durable and then show
// as in doubt.
func (l *Lease) Intend(ctx context.Context, intents []state.Intent) error {
	if err := context.Cause(l.ctx); err != nil {
		return err
	}
	entries := make([]state.Entry, len(intents))
	for i := range intents {
		entries[i].Intent = &intents[i]
	}
	if err := l.append(ctx, entries); err != nil {
		return err
	}
	// It may have been lost while it was written, and the machine have slept, so that the fence was not heard yet.
	if err := context.Cause(l.ctx); err != nil {
		return err
	}
	if l.age() >= fenceTime(l.ttl) {
		return l.unrenewed()
	}
	return nil
}

// Record makes outcomes durable and merges them into the state. It works for a
// while after the lease's context has ended, so that calls that were in flight
// can be recorded; ctx must then be another one.
func (l *Lease) Record(ctx context.Context, outcomes []state.Outcome) error {
	entries := make([]state.Entry, len(outcomes))
	for i := range outcomes {
		entries[i].Outcome = &outcomes[i]
	}
	return l.append(ctx, entries)
}

// Note makes a note durable and merges it into the state.
func (l *Lease) Note(ctx context.Context, n state.Note) error {
	return l.append(ctx, []state.Entry{{Note: &n}})
}

// append queues entries and waits until they are durable. What several callers
// queue while a slot is being written goes into the next one together.
func (l *Lease) append(ctx context.Context, entries []state.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	for _, e := range entries {
		if err := e.Check(); err != nil {
			return err
		}
	}
	q := &queued{entries: entries, left: len(entries), done: make(chan struct{})}
	l.mu.Lock()
	if l.failed != nil {
		l.mu.Unlock()
		return l.late(entries)
	}
	l.queue = append(l.queue, q)
	if l.idle == nil {
		l.idle = make(chan struct{})
		go l.write()
	}
	l.mu.Unlock()
	select {
	case <-q.done:
		return q.err
	case <-ctx.Done():
		return fail(l.t.prefix+"log", ErrAmbiguous, context.Cause(ctx))
	}
}

// write empties the queue, one slot after the other, and ends.
func (l *Lease) write() {
	// The queue outlives every caller's context; the slot is bounded by the lease.
	ctx := context.WithoutCancel(l.ctx)
	for {
		entries, owners := l.dequeue()
		if len(entries) == 0 {
			return
		}
		batch, body, err := l.encodeSlot(l.next(), entries)
		if err == nil {
			err = l.storeSlot(ctx, batch, body)
		}
		if errors.Is(err, errSlotTaken) {
			err = l.taken(err) // by the seal of whoever took the tenant
		}
		if err != nil {
			// Nothing more is written: the order of slots would have a hole.
			l.halt(owners, batch, body, err)
			continue
		}
		l.settle(owners)
		if l.long() {
			// Failing now costs nothing: the journal still has everything.
			_ = l.Checkpoint(ctx)
		}
	}
}

// dequeue takes up to a slot's entries from the queue. Without any the writer is
// over.
func (l *Lease) dequeue() (entries []state.Entry, owners map[*queued]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	owners = make(map[*queued]int)
	for len(l.queue) > 0 && len(entries) < slotEntries {
		q := l.queue[0]
		n := min(len(q.entries), slotEntries-len(entries))
		entries = append(entries, q.entries[:n]...)
		owners[q] = n
		if q.entries = q.entries[n:]; len(q.entries) == 0 {
			l.queue = l.queue[1:]
		}
	}
	if len(entries) == 0 {
		close(l.idle)
		l.idle = nil
	}
	return entries, owners
}

// settle tells the callers whose entries are durable.
func (l *Lease) settle(owners map[*queued]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for q, n := range owners {
		if q.left -= n; q.left == 0 {
			close(q.done)
		}
	}
}

// errSlotTaken says that the next slot is there already, and not ours.
var errSlotTaken = errors.New("its journal has moved on")

// encodeSlot returns what goes into the slot of that number, and its stored bytes.
func (l *Lease) encodeSlot(slot uint64, entries []state.Entry) (state.Batch, []byte, error) {
	batch := state.Batch{
		Tenant: l.t.key, Lineage: l.lineage(), Epoch: l.epoch, Slot: slot,
		Run: l.holder.Run, Nonce: l.t.b.nonce(), Entries: entries,
	}
	payload, err := state.EncodeBatch(batch)
	if err != nil {
		return batch, nil, err
	}
	return batch, l.t.wrap(l.t.slotKey(slot), payload), nil
}

// writeSlot writes the next slot and, once it is durable, merges its entries.
// Only one runs at a time.
func (l *Lease) writeSlot(ctx context.Context, entries []state.Entry) error {
	batch, body, err := l.encodeSlot(l.next(), entries)
	if err != nil {
		return err
	}
	return l.storeSlot(ctx, batch, body)
}

// next is the number of the journal's next slot.
func (l *Lease) next() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tail.next
}

// storeSlot is writeSlot for one that is encoded.
func (l *Lease) storeSlot(ctx context.Context, batch state.Batch, body []byte) error {
	if err := l.usable(); err != nil {
		return err
	}
	err := l.putSlot(ctx, batch.Slot, body)
	if errors.Is(err, ErrConflict) {
		return fmt.Errorf("%w: %w", errSlotTaken, err)
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range batch.Entries {
		if err := l.s.Apply(e); err != nil {
			return err // cannot be: each was checked before it was queued
		}
	}
	l.tail.grow(batch, len(body))
	l.deeds.add(batch.Entries, l.tail.next)
	return nil
}

// putSlot stores a slot, if that number is free. The head may be within reach and
// the journal not; a run does not wait for that for ever either.
func (l *Lease) putSlot(ctx context.Context, slot uint64, body []byte) error {
	begun := at(l.t.b.clock)
	more := func() error {
		if begun.since(l.t.b.clock) >= l.ttl {
			return fmt.Errorf("the journal could not be written for %s", l.ttl)
		}
		return l.usable()
	}
	return l.t.b.retryWithin(ctx, retryTime(l.ttl), more, func() error {
		_, err := l.t.b.store.Put(ctx, l.t.slotKey(slot), body, "")
		return err
	})
}

// closeJournal waits for what is queued and takes nothing more.
func (l *Lease) closeJournal() {
	l.mu.Lock()
	if l.failed == nil {
		l.failed = ErrReleased
	}
	idle := l.idle
	l.mu.Unlock()
	if idle != nil {
		<-idle
	}
}
