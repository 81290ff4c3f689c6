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
	return context.Cause(l.ctx) // it may have been lost while it was written
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
		defer l.mu.Unlock()
		return l.failed
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
		entries, owners := l.next()
		if len(entries) == 0 {
			return
		}
		err := l.writeSlot(ctx, entries)
		if errors.Is(err, errSlotTaken) {
			err = l.taken(err) // by the seal of whoever took the tenant
		}
		l.settle(owners, err)
		if err == nil && l.long() {
			// Failing now costs nothing: the journal still has everything.
			_ = l.Checkpoint(ctx)
		}
	}
}

// next takes up to a slot's entries from the queue. Without any the writer is
// over.
func (l *Lease) next() (entries []state.Entry, owners map[*queued]int) {
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

// settle tells the callers whose entries were in a slot. After an error nothing
// more is written: the order of slots would have a hole.
func (l *Lease) settle(owners map[*queued]int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failed = err
		for q := range owners {
			q.err = err
			close(q.done)
		}
		for _, q := range l.queue {
			if _, told := owners[q]; !told {
				q.err = err
				close(q.done)
			}
		}
		l.queue = nil
		return
	}
	for q, n := range owners {
		if q.left -= n; q.left == 0 {
			close(q.done)
		}
	}
}

// errSlotTaken says that the next slot is there already, and not ours.
var errSlotTaken = errors.New("its journal has moved on")

// writeSlot writes the next slot and, once it is durable, merges its entries.
// Only one runs at a time.
func (l *Lease) writeSlot(ctx context.Context, entries []state.Entry) error {
	l.mu.Lock()
	slot := l.tail.next
	lineage := l.s.Lineage
	l.mu.Unlock()
	batch := state.Batch{
		Tenant: l.t.key, Lineage: lineage, Epoch: l.epoch, Slot: slot,
		Run: l.holder.Run, Nonce: l.t.b.nonce(), Entries: entries,
	}
	payload, err := state.EncodeBatch(batch)
	if err != nil {
		return err
	}
	key := l.t.slotKey(slot)
	body := l.t.wrap(key, payload)
	if err := l.usable(); err != nil {
		return err
	}
	err = l.t.b.retry(ctx, l.usable, func() error {
		_, err := l.t.b.store.Put(ctx, key, body, "")
		return err
	})
	if errors.Is(err, ErrConflict) {
		return fmt.Errorf("%w: %w", errSlotTaken, err)
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		if err := l.s.Apply(e); err != nil {
			return err // cannot be: each was checked before it was queued
		}
	}
	l.tail.grow(batch, len(body))
	l.deeds.add(entries, l.tail.next)
	return nil
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
