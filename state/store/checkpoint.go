package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weir-project/weir/state"
)

// Checkpoint writes a snapshot of the state as recorded and points the head to
// it, so that the journal is shorter for the next reader. It is not needed for
// durability: what was recorded is. It makes no new version.
func (l *Lease) Checkpoint(ctx context.Context) error {
	l.saving.Lock()
	defer l.saving.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if err := l.settleHead(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	now, s := l.reading, l.s.Clone()
	l.mu.Unlock()
	// It is on the way to the next version. What bears the number of the first is empty, see firstSnapshot.
	if err := l.shorten(ctx, &now, s, s.Serial+1); err != nil {
		return err
	}
	return l.swapHead(ctx, func(h *headV1) { h.Checkpoint, h.Base = now.point, now.base }, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.shortened(now)
	})
}

// Replace puts another state in the place of the present one, as a version of
// its own with a note for people. It must be of the same lineage, and made from
// State without a Record since.
func (l *Lease) Replace(ctx context.Context, s *state.State, note string) error {
	l.mu.Lock()
	lineage, realm := l.s.Lineage, l.s.Realm
	l.mu.Unlock()
	if s.Lineage != lineage || s.Realm != realm || s.Tenant.Key != l.t.key {
		return fmt.Errorf("the state of tenant %q cannot be replaced by one of lineage %q, realm %q, tenant %q",
			l.t.key, s.Lineage, s.Realm, s.Tenant.Key)
	}
	return l.conclude(ctx, s, note, func(*headV1) {})
}

// removalsKept is how long a snapshot carries removals on: more than any moving window.
const removalsKept = 400 * 24 * time.Hour

// conclude ends a version: what was done since the last one, or the state that replaces it. It writes the snapshot if
// one is due, then the record, and then the head, which makes both count. Without anything done it swaps the head alone.
func (l *Lease) conclude(ctx context.Context, replace *state.State, note string, change func(*headV1)) error {
	l.saving.Lock()
	defer l.saving.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if err := l.settleHead(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	now, done, last, serial := l.reading, l.deeds, l.last, l.s.Serial
	found, tenant := l.found, l.s.Tenant
	due := replace != nil || now.tail.due(now.point.Size)
	changed := replace != nil || done.entries > 0
	if changed {
		serial++
	}
	s := replace
	if due {
		if s == nil {
			s = l.s
		}
		s = s.Clone()
		s.Serial, tenant = serial, s.Tenant
		s.ForgetRemovals(l.t.b.clock.Now().Add(-removalsKept))
	}
	l.mu.Unlock()

	if due {
		if err := l.shorten(ctx, &now, s, s.Serial); err != nil {
			return err
		}
	}
	if changed {
		r := &runV1{
			Format: 1, Tenant: l.t.key, Lineage: now.s.Lineage, Serial: serial, Plan: l.holder.Plan, Note: note,
			Ended: l.t.b.clock.Now().UTC(), Checkpoint: now.point, Base: now.base, End: now.tail.next, Previous: last, Found: found,
		}
		r.by(&leaseV1{Run: l.holder.Run, Who: l.holder.Who, Host: l.holder.Host, Operation: l.holder.Operation, Started: l.started})
		r.fill(&done)
		var err error
		if last, err = l.t.putRecord(ctx, r, l.retry); err != nil {
			return err
		}
	}
	meta, err := state.EncodeTenant(tenant)
	if err != nil {
		return err
	}
	err = l.swapHead(ctx, func(h *headV1) {
		h.Serial, h.Checkpoint, h.Base, h.End = serial, now.point, now.base, now.tail.next
		h.Tenant, h.Last, h.Left = meta, last, nil
		change(h)
	}, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if replace != nil {
			l.s = s
		}
		l.shortened(now)
		l.s.Serial, l.last, l.found, l.deeds = serial, last, l.body, deeds{}
	})
	if err != nil && replace != nil && l.unsettled() {
		// What was recorded now might be about a state that is not the present one any more.
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.failed == nil {
			l.failed = err
		}
	}
	return err
}

// recordDead writes the records of the runs before this one that could not do it themselves.
func (l *Lease) recordDead() error {
	dead, err := l.t.deadRuns(l.ctx, l.before, l.tail.dead)
	if err != nil || len(dead) == 0 {
		return err
	}
	serial, last := l.s.Serial, l.last
	for _, d := range dead {
		serial++
		r := &runV1{
			Format: 1, Tenant: l.t.key, Lineage: l.s.Lineage, Serial: serial, Run: d.run, Interrupted: true,
			Ended: l.t.b.clock.Now().UTC(), Checkpoint: l.point, Base: l.base, End: max(d.end, l.base), Previous: last, Found: l.found,
		}
		for _, lease := range []*leaseV1{l.before.Left, l.before.Lease} {
			if lease != nil && lease.Run == d.run {
				r.by(lease)
			}
		}
		r.fill(&d)
		if last, err = l.t.putRecord(l.ctx, r, l.retry); err != nil {
			return err
		}
	}
	return l.swapHead(l.ctx, func(h *headV1) { h.Serial, h.Last, h.End, h.Left = serial, last, l.tail.next, nil }, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.s.Serial, l.last, l.found = serial, last, l.body
	})
}

// maxDeadSlots bounds how much of a dead run's journal is read for its record alone.
const maxDeadSlots = 10_000

// deadRuns returns what was done by the runs that a head found says nothing of, oldest first. Those of their slots that
// were in a checkpoint already were not replayed, and are read for this alone.
func (t *Tenant) deadRuns(ctx context.Context, found *headV1, replayed []deeds) ([]deeds, error) {
	if found == nil || found.End == 0 {
		return nil, nil
	}
	var all []deeds
	// No run writes more slots without an end than that; a head that says so is not
	// worth hours of reading.
	first := max(found.End, found.Base-min(found.Base, maxDeadSlots))
	for slot := first; slot < found.Base; slot++ {
		body, _, err := t.b.store.Get(ctx, t.slotKey(slot))
		if errors.Is(err, ErrAbsent) {
			continue // collected, and nothing hangs on it but the record
		}
		if err != nil {
			return nil, err
		}
		batch, err := t.openSlot(found.Lineage, slot, body)
		if err != nil {
			return nil, err
		}
		all = bury(all, batch)
	}
	for _, d := range replayed {
		if n := len(all); n > 0 && all[n-1].run == d.run {
			all[n-1].join(d)
		} else {
			all = append(all, d)
		}
	}
	var dead []deeds
	for _, d := range all {
		if d.entries > 0 {
			dead = append(dead, d)
		}
	}
	return dead, nil
}

// shorten writes a snapshot of s, which has all that was read and recorded by now, and moves the reading's base to the
// journal's end. number is that of the version it is for.
func (l *Lease) shorten(ctx context.Context, now *reading, s *state.State, number uint64) (err error) {
	now.point, now.manifest, err = l.t.save(ctx, s, now.manifest, number, l.retry)
	now.base = now.tail.next
	return err
}

// shortened takes over a checkpoint that the head now names; the caller has the lock.
func (l *Lease) shortened(now reading) {
	if l.base != now.base {
		l.tail.entries -= now.tail.entries
		l.tail.slots -= now.tail.slots
		l.tail.bytes -= now.tail.bytes
	}
	l.manifest, l.point, l.base = now.manifest, now.point, now.base
}

// due reports whether a release should checkpoint, after which size is read.
func (a *tail) due(size int64) bool {
	return a.entries >= checkpointEntries || a.slots >= checkpointSlots ||
		a.entries > 0 && a.bytes*checkpointShare >= size
}

// long reports whether a checkpoint is due in the middle of a run. The journal
// must have outgrown the snapshot, so that however long the run is, snapshots
// cost about as much as the journal.
func (l *Lease) long() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tail.entries >= checkpointEntries && l.tail.bytes >= l.point.Size
}
