package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/weir-project/weir/state"
)

// KeptError says that something was done and could not be stored, and was kept in a folder of this machine. The next
// run of the tenant there takes it up.
type KeptError struct {
	Folder string
	Err    error // why it could not be stored
}

func (e *KeptError) Error() string {
	return fmt.Sprintf("%v; what was done and could not be stored is kept in %s, and the next run on this machine takes it up by itself", e.Err, e.Folder)
}

func (e *KeptError) Unwrap() error { return e.Err }

// spool is what the journal of one lease did not take.
type spool struct {
	mu   sync.Mutex // taken before the lease's
	next uint64     // number of the next slot; 0 while the journal works
	// held is a slot that failed and has nothing worth keeping. It may have been stored all the same, so that what comes
	// after it needs it.
	held []byte
}

// lasting returns the entries that must not be forgotten. The call of an intent that was not stored has not begun, so
// that there is nothing to remember of it; all else tells what did happen.
func lasting(entries []state.Entry) []state.Entry {
	var kept []state.Entry
	for _, e := range entries {
		if e.Outcome != nil || e.Note != nil {
			kept = append(kept, e)
		}
	}
	return kept
}

// halt ends the journal because a slot could not be stored. What was in it and in the queue is kept on this machine,
// if there is a folder for it, and everybody who waits is told.
func (l *Lease) halt(owners map[*queued]int, tried state.Batch, body []byte, why error) {
	l.spool.mu.Lock()
	defer l.spool.mu.Unlock()
	l.mu.Lock()
	l.failed = why // nothing is queued from now on
	waiting := l.queue
	l.queue = nil
	l.mu.Unlock()

	var rest []state.Entry
	for _, q := range waiting {
		rest = append(rest, lasting(q.entries)...)
	}
	if body != nil {
		l.spool.next, l.spool.held = tried.Slot+1, body
		if len(lasting(tried.Entries))+len(rest) > 0 {
			why = l.keep(rest, why)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = why
	for q := range owners {
		q.err = why
		close(q.done)
	}
	for _, q := range waiting {
		if _, told := owners[q]; !told {
			q.err = why
			close(q.done)
		}
	}
}

// late keeps what calls in flight return after the journal has ended.
func (l *Lease) late(entries []state.Entry) error {
	l.spool.mu.Lock()
	defer l.spool.mu.Unlock()
	l.mu.Lock()
	why := l.failed
	l.mu.Unlock()
	more := lasting(entries)
	if l.spool.next == 0 || len(more) == 0 {
		return why
	}
	if kept := new(KeptError); errors.As(why, &kept) {
		why = kept.Err
	}
	return l.keep(more, why)
}

// keep writes what is held, and then the entries as the slots after it, to the folder; the caller has the spool's lock.
// It returns why, with what became of them.
func (l *Lease) keep(entries []state.Entry, why error) error {
	folder := l.t.b.spool
	if folder == nil {
		return why
	}
	var err error
	if l.spool.held != nil {
		if err = l.keepSlot(l.spool.next-1, l.spool.held); err == nil {
			l.spool.held = nil
		}
	}
	for len(entries) > 0 && err == nil {
		some := entries[:min(len(entries), slotEntries)]
		var body []byte
		if _, body, err = l.encodeSlot(l.spool.next, some); err == nil {
			err = l.keepSlot(l.spool.next, body)
		}
		l.spool.next++
		entries = entries[len(some):]
	}
	if err != nil {
		return fmt.Errorf("%w; it could not be kept on this machine either: %w", why, err)
	}
	return &KeptError{Folder: folder.dir, Err: why}
}

func (l *Lease) keepSlot(slot uint64, body []byte) error {
	return l.t.b.spool.add(fmt.Sprintf("%s-%010d-%s", l.lineage(), slot, l.t.b.nonce()), body)
}

func (l *Lease) lineage() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.s.Lineage
}

// spooled is one slot kept on this machine, not looked into.
type spooled struct {
	name string
	slot uint64
	body []byte
	err  error // why it could not be read
}

// spooled returns the slots of one lineage kept on this machine, in their order.
func (t *Tenant) spooled(ctx context.Context, lineage string) []spooled {
	if t.b.spool == nil || lineage == "" {
		return nil
	}
	names, err := t.b.spool.names(lineage + "-")
	if err != nil {
		return []spooled{{name: lineage, err: err}}
	}
	var all []spooled
	for _, name := range names {
		number, nonce, _ := strings.Cut(strings.TrimPrefix(name, lineage+"-"), "-")
		k := spooled{name: name}
		if k.slot, err = strconv.ParseUint(number, 10, 63); err != nil || nonce == "" || k.slot == 0 {
			k.err = errors.New("its name is not that of a kept file")
		} else if k.body, _, k.err = t.b.spool.Get(ctx, name); errors.Is(k.err, ErrAbsent) {
			continue // another run has taken it up
		}
		all = append(all, k)
	}
	return all
}

// openSpooled verifies what is kept.
func (t *Tenant) openSpooled(lineage string, k spooled) (state.Batch, error) {
	if k.err != nil {
		return state.Batch{}, k.err
	}
	batch, err := t.openSlot(lineage, k.slot, k.body)
	if err != nil {
		return state.Batch{}, err
	}
	for _, e := range batch.Entries {
		if e.Seal != nil {
			return state.Batch{}, fmt.Errorf("%w: it closes the journal, and no kept file does", state.ErrDamaged)
		}
		if err := new(state.State).Apply(e); err != nil {
			return state.Batch{}, fmt.Errorf("%w: %w", state.ErrDamaged, err)
		}
	}
	return batch, nil
}

// fits reports whether a kept slot is the journal's next one. The slot before it must be the same holder's: every holder
// closes the journal to earlier ones before anything else, so the number being free alone does not say that nobody was
// in between once an older copy of the state was restored.
func (t *Tenant) fits(ctx context.Context, batch state.Batch, at tail, last uint64) (bool, error) {
	if batch.Slot != at.next || batch.Slot < 2 || batch.Epoch < at.epoch || batch.Epoch > last {
		return false, nil
	}
	body, _, err := t.b.store.Get(ctx, t.slotKey(batch.Slot-1))
	if errors.Is(err, ErrAbsent) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	before, err := t.openSlot(batch.Lineage, batch.Slot-1, body)
	return err == nil && sameHolder(before, batch), nil
}

// foresee applies to a state that was read what this machine keeps of it, as the run will that takes the tenant. Nothing
// is written, and what cannot be used is left to that run to tell.
func (t *Tenant) foresee(ctx context.Context, r *reading, last uint64) {
	var before state.Batch // the last one applied: it is not in the journal
	for _, k := range t.spooled(ctx, r.s.Lineage) {
		batch, err := t.openSpooled(r.s.Lineage, k)
		if err != nil {
			continue
		}
		ok := batch.Slot == r.tail.next && before.Slot == batch.Slot-1 && sameHolder(before, batch)
		if !ok {
			ok, err = t.fits(ctx, batch, r.tail, last)
		}
		if err == nil && ok && r.tail.add(t, r.s, k.body, last) == nil {
			before = batch
		}
	}
}

func sameHolder(a, b state.Batch) bool { return a.Epoch == b.Epoch && a.Run == b.Run }

// takeUp appends to the journal what this machine keeps of it, exactly as it was: if it was stored after all, that is
// seen by its bytes. It returns what does not fit any more. The journal is not closed yet.
func (l *Lease) takeUp(tell func(string)) (rest []spooled, err error) {
	t := l.t
	for _, k := range t.spooled(l.ctx, l.s.Lineage) {
		batch, err := t.openSpooled(l.s.Lineage, k)
		if err != nil {
			rest = append(rest, k)
			continue
		}
		ok, err := t.fits(l.ctx, batch, l.tail, l.epoch-1)
		if err != nil {
			return nil, err
		}
		if !ok {
			rest = append(rest, k)
			continue
		}
		err = l.putSlot(l.ctx, k.slot, k.body)
		if errors.Is(err, ErrConflict) {
			return nil, errSlotTaken
		}
		if err != nil {
			return nil, err
		}
		if err := l.tail.add(t, l.s, k.body, l.epoch-1); err != nil {
			return nil, err
		}
		tell(fmt.Sprintf("what run %s did and could not store was kept on this machine, and is stored now: %s", batch.Run, changesIn(len(outcomes(batch)))))
		l.forget(k, tell)
	}
	return rest, nil
}

// settleBy records what is known of operations in doubt by what this machine keeps and does not fit the journal any
// more. The rest of it is of no use: another run has seen since how things are.
func (l *Lease) settleBy(rest []spooled, tell func(string)) error {
	t := l.t
	for _, k := range rest {
		batch, err := t.openSpooled(l.s.Lineage, k)
		if err != nil {
			tell(fmt.Sprintf("%s/%s, which an earlier run kept on this machine, cannot be used and stays where it is: %v", t.b.spool.dir, k.name, err))
			continue
		}
		stored, _, err := t.b.store.Get(l.ctx, t.slotKey(k.slot))
		if err != nil && !errors.Is(err, ErrAbsent) {
			return err
		}
		if err == nil && bytes.Equal(stored, k.body) {
			l.forget(k, tell) // it was stored after all
			continue
		}
		doubts := l.State().InDoubt
		var known []state.Outcome
		all := outcomes(batch)
		for _, o := range all {
			if i, ok := doubts[o.Op]; ok && o.Result != state.Unknown && o.Address == i.Address && o.Mail == i.Mail {
				known = append(known, *o)
			}
		}
		if err := l.Record(l.ctx, known); err != nil {
			return err
		}
		tell(fmt.Sprintf("what run %s did and could not store was kept on this machine; of %s, %d were still in doubt, and the others known by now", batch.Run, changesIn(len(all)), len(known)))
		l.forget(k, tell)
	}
	return nil
}

// forget removes what is stored by now.
func (l *Lease) forget(k spooled, tell func(string)) {
	if err := l.t.b.spool.Remove(context.WithoutCancel(l.ctx), k.name); err != nil {
		tell(fmt.Sprintf("it is not needed any more and could not be removed: %v", err))
	}
}

func outcomes(batch state.Batch) []*state.Outcome {
	var all []*state.Outcome
	for _, e := range batch.Entries {
		if e.Outcome != nil {
			all = append(all, e.Outcome)
		}
	}
	return all
}

func changesIn(n int) string {
	if n == 1 {
		return "1 change"
	}
	return fmt.Sprintf("%d changes", n)
}
