package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/weir-project/weir/state"
)

// Lease is the right to change one tenant, with its journal. It is safe for
// concurrent use. It renews itself; when that fails for too long, or another run
// has taken the tenant, its context ends with a cause that wraps ErrLost.
type Lease struct {
	t      *Tenant
	holder Holder
	// started is when the run took the tenant, by its own clock.
	started time.Time
	ttl     time.Duration
	made    bool
	epoch   uint64
	ctx     context.Context   // the caller's: ends with its parent too
	life    context.Context   // ends with the lease alone, so that an interrupted run is still renewed
	cancel  func(cause error) // both
	wg      sync.WaitGroup    // heartbeat and fence

	// headLock is held, by a value in it, by whoever swaps the head; it guards the
	// five below.
	headLock chan struct{}
	head     *headV1
	body     []byte
	version  Version
	unsure   []byte // a head that was sent after it, and may have been kept
	adopt    func() // what is to be done if it was; nil for nothing

	saving sync.Mutex // one checkpoint at a time; taken before headLock and mu

	mu      sync.Mutex    // guards all below
	renewed moment        // start of the last renewal that succeeded
	reading               // the state with all that was recorded, and the journal's end
	deeds   deeds         // what this run did since the last version
	last    *recordV1     // record of the last version
	found   []byte        // head that the next version continues; nil if there was none
	before  *headV1       // head that was found when the tenant was taken; nil if there was none
	queue   []*queued     // entries not yet in a slot
	idle    chan struct{} // closed when the writer is done; nil when there is none
	failed  error         // why the journal takes nothing more

	spool spool // what it did not take
}

// All times follow from the TTL; with the default of 120 s they are 10, 75 and
// 30 s. Fence and call together stay below the TTL, so that the last call has
// ended before another may take over. Between a heartbeat and the fence lie 65 s,
// and a renewal is tried again every 2 s: storage may be away for a minute,
// whenever that begins.
func heartbeatTime(ttl time.Duration) time.Duration { return ttl * 10 / 120 }
func fenceTime(ttl time.Duration) time.Duration     { return ttl * 75 / 120 }
func callTime(ttl time.Duration) time.Duration      { return ttl * 30 / 120 }
func retryTime(ttl time.Duration) time.Duration     { return max(minPoll, ttl*2/120) }

// retry repeats a write for as long as the lease may write.
func (l *Lease) retry(ctx context.Context, write func() error) error {
	return l.t.b.retryWithin(ctx, retryTime(l.ttl), l.usable, write)
}

func (t *Tenant) newLease(ctx context.Context, holder Holder, o AcquireOptions, r reading, h *headV1, body []byte, v Version, renewed moment, before *headV1, found []byte) *Lease {
	l := &Lease{
		t: t, holder: holder, started: h.Lease.Started, ttl: o.TTL, epoch: h.Epoch,
		headLock: make(chan struct{}, 1), head: h, body: body, version: v, renewed: renewed, reading: r,
		last: h.Last, found: found, before: before,
	}
	life, cancelLife := context.WithCancelCause(context.WithoutCancel(ctx))
	own, cancelOwn := context.WithCancelCause(ctx)
	l.life, l.ctx = life, own
	l.cancel = func(cause error) { cancelLife(cause); cancelOwn(cause) }
	l.wg.Go(l.heartbeat)
	l.wg.Go(l.fence)
	return l
}

// Context ends when the tenant must not be changed any more: when the parent
// ended, the lease was lost (its cause wraps ErrLost), or released
// (ErrReleased). Every vendor call that changes something runs under it.
func (l *Lease) Context() context.Context { return l.ctx }

// CallTimeout is the longest that one attempt of a vendor call which changes
// something may take.
func (l *Lease) CallTimeout() time.Duration { return callTime(l.ttl) }

// MayBegin returns nil while a vendor call that changes something may begin, and
// else why not, which wraps ErrLost. It asks the clocks: after the process was
// stopped, the context ends a moment late.
func (l *Lease) MayBegin() error {
	if cause := context.Cause(l.life); errors.Is(cause, ErrLost) {
		return cause
	}
	if l.age() >= fenceTime(l.ttl) {
		return l.unrenewed()
	}
	return nil
}

// unrenewed is why a lease ends at its fence.
func (l *Lease) unrenewed() error {
	return fmt.Errorf("%w: it could not be renewed for %s, so another run may take it now", ErrLost, fenceTime(l.ttl))
}

// Run returns the run id under which the tenant is held.
func (l *Lease) Run() string { return l.holder.Run }

// Made reports whether the tenant's head was made by this lease: the tenant is
// new to the bucket.
func (l *Lease) Made() bool { return l.made }

// State returns the state as it is by now: what was read when the tenant was
// taken, and what was recorded since. It is the caller's own. What is in its
// InDoubt at the start was left by a run that died.
func (l *Lease) State() *state.State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.s.Clone()
}

// heartbeat renews the lease until it ends.
func (l *Lease) heartbeat() {
	for {
		l.mu.Lock()
		due := heartbeatTime(l.ttl) - l.renewed.since(l.t.b.clock)
		l.mu.Unlock()
		if due > 0 {
			if l.t.b.clock.Sleep(l.life, due) != nil {
				return
			}
			continue // a checkpoint may have renewed it in the meantime
		}
		if err := l.swapHead(l.life, func(*headV1) {}, nil); err != nil {
			if l.life.Err() != nil {
				return
			}
			// Refused, such as by an expired token: that may pass before the fence.
			if l.t.b.clock.Sleep(l.life, l.t.b.jitter(max(minPoll, l.ttl/100))) != nil {
				return
			}
		}
	}
}

// fence ends the context when the last renewal was too long ago.
func (l *Lease) fence() {
	tick := min(max(minPoll, l.ttl/100), time.Second) // by two clocks, of which one may jump
	for {
		if l.age() >= fenceTime(l.ttl) {
			l.cancel(l.unrenewed())
			return
		}
		if l.t.b.clock.Sleep(l.life, tick) != nil {
			return
		}
	}
}

func (l *Lease) age() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.renewed.since(l.t.b.clock)
}

// usable returns nil while the lease may still write: until its TTL has passed
// since the last renewal. Between the fence and that time only outcomes and the
// release are written.
func (l *Lease) usable() error {
	if cause := context.Cause(l.life); errors.Is(cause, errTaken) {
		return cause
	}
	if l.age() >= l.ttl {
		return fmt.Errorf("%w: it could not be renewed for %s", ErrLost, l.ttl)
	}
	return nil
}

// errTaken is part of the cause when another run certainly has the tenant.
var errTaken = errors.New("another run has taken it")

func (l *Lease) taken(err error) error {
	lost := fmt.Errorf("%w: %w: %w", ErrLost, errTaken, err)
	l.cancel(lost)
	return lost
}

// swapHead changes the head and thereby renews the lease. adopt, unless nil, takes over what the head says then. It is
// called with the head locked, also when it turns out only later that the head was kept.
func (l *Lease) swapHead(ctx context.Context, change func(*headV1), adopt func()) error {
	select {
	case l.headLock <- struct{}{}:
		defer func() { <-l.headLock }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := l.usable(); err != nil {
		return err
	}
	for {
		next := *l.head
		change(&next)
		next.Nonce = l.t.b.nonce()
		next.Previous = digest(l.body)
		body, err := next.encode(l.t.headKey(), l.t.seal.Load())
		if err != nil {
			return err
		}
		// The first attempt may be the one that was kept, so the renewal counts from
		// there.
		renewed := at(l.t.b.clock)
		var v Version
		sent := false // without learning that it was not kept
		err = l.retry(ctx, func() (err error) {
			v, err = l.t.b.store.Put(ctx, l.t.headKey(), body, l.version)
			sent = sent || errors.Is(err, ErrAmbiguous) || errors.Is(err, ErrUnavailable)
			return err
		})
		if err == nil {
			newer := l.t.seen(l.head).before(l.t.seen(&next))
			l.head, l.body, l.version, l.unsure, l.adopt = &next, body, v, nil, nil
			l.mu.Lock()
			l.renewed = renewed
			l.mu.Unlock()
			if adopt != nil {
				adopt()
			}
			if newer {
				l.t.remember(ctx, &next)
			}
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			if sent {
				l.unsure, l.adopt = body, adopt
			}
			return err
		}
		ours, rerr := l.ours(ctx)
		if rerr != nil {
			return rerr // it is not known whose the head is
		}
		if !ours {
			return l.taken(err)
		}
	}
}

// settleHead finds out whether a head was kept whose answer is missing, before another is made of what the lease says.
// ErrReleased says that one was kept that ended the lease.
func (l *Lease) settleHead(ctx context.Context) error {
	if !l.unsettled() {
		return nil
	}
	if err := l.swapHead(ctx, func(*headV1) {}, nil); err != nil {
		return err
	}
	if errors.Is(context.Cause(l.life), ErrReleased) {
		return ErrReleased
	}
	return nil
}

// unsettled reports whether a head may have been kept whose answer is missing.
func (l *Lease) unsettled() bool {
	l.headLock <- struct{}{}
	defer func() { <-l.headLock }()
	return l.unsure != nil
}

// ours reports whether the stored head is one that this lease sent without
// learning that it was kept, and goes on from it if so.
func (l *Lease) ours(ctx context.Context) (bool, error) {
	if l.unsure == nil {
		return false, nil
	}
	h, v, body, err := l.t.headBytes(ctx)
	if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrAmbiguous) {
		return false, err
	}
	if err != nil || !bytes.Equal(body, l.unsure) {
		return false, nil
	}
	adopt := l.adopt
	l.head, l.body, l.version, l.unsure, l.adopt = h, body, v, nil, nil
	if adopt != nil {
		adopt()
	}
	return true, nil
}

// seal closes the journal to earlier holders. A slot of theirs that lands before
// the seal counts, and so does one that was kept on this machine and still fits;
// those that do not fit are returned.
func (l *Lease) seal(tell func(string)) (rest []spooled, err error) {
	for {
		end, err := l.t.replay(l.ctx, l.s, l.tail, l.epoch-1)
		if errors.Is(err, ErrRolledBack) {
			// Slots of a later holder are no sign of an older head.
			h, _, herr := l.t.head(l.ctx)
			switch {
			case herr != nil:
				err = herr
			case h.Epoch > l.epoch:
				return nil, l.taken(err)
			}
		}
		if err != nil {
			return nil, l.because(err)
		}
		l.tail = end
		rest, err := l.takeUp(tell)
		if err == nil {
			err = l.writeSlot(l.ctx, []state.Entry{{Seal: &state.Seal{
				Epoch: l.epoch, Run: l.holder.Run, Time: l.t.b.clock.Now().UTC(),
			}}})
		}
		if !errors.Is(err, errSlotTaken) {
			return rest, l.because(err)
		}
	}
}

// because names the reason why the lease ended, if an error came of that: a run that was too slow to read the journal
// has lost the tenant, it did not find the storage out of reach.
func (l *Lease) because(err error) error {
	if cause := context.Cause(l.ctx); err != nil && errors.Is(cause, ErrLost) && !errors.Is(err, ErrLost) {
		return fmt.Errorf("%w: %v", cause, err)
	}
	return err
}

// Release gives the tenant back and ends the lease's context. If the run changed the state, that is a new version with
// a record; if the journal has become long, a checkpoint is made. It works on a cancelled ctx, within the
// time the lease has left; until then an interrupted run goes on being renewed,
// so every path that took a tenant must come here. It returns an error that wraps ErrLost if the tenant
// was lost before; then it writes nothing. A second call does nothing.
func (l *Lease) Release(ctx context.Context) error {
	if errors.Is(context.Cause(l.life), ErrReleased) {
		return nil
	}
	l.closeJournal()
	err := l.conclude(context.WithoutCancel(ctx), nil, "", func(h *headV1) { h.Lease = nil })
	if errors.Is(err, ErrReleased) {
		err = nil
	}
	l.cancel(ErrReleased)
	l.wg.Wait()
	return err
}

// abandon gives back a tenant that could not be sealed, if that can be done at
// once; otherwise it lapses.
func (l *Lease) abandon(ctx context.Context) {
	l.cancel(ErrReleased)
	l.wg.Wait()
	next := *l.head
	next.Lease = nil
	next.Nonce = l.t.b.nonce()
	next.Previous = digest(l.body)
	if body, err := next.encode(l.t.headKey(), l.t.seal.Load()); err == nil {
		_, _ = l.t.b.store.Put(context.WithoutCancel(ctx), l.t.headKey(), body, l.version)
	}
}
