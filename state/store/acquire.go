package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/keys"
)

// maxTTL bounds what a head may ask others to wait for.
const maxTTL = time.Hour

// minPoll bounds how often a foreign lease is looked at.
const minPoll = 5 * time.Millisecond

// AcquireOptions say how to take a tenant and whose it must be.
type AcquireOptions struct {
	// TTL is how long a silent holder keeps the tenant; all other times follow from
	// it. 0 means DefaultTTL.
	TTL time.Duration
	// LockTimeout is how long to go on waiting for a holder that is alive; 0 means
	// not at all. A holder that shows no sign of life is watched for its TTL in any
	// case, and then taken over.
	LockTimeout time.Duration
	// Realm and Tenant.Configuration must be the state's, see state.State.Guard.
	Realm string
	// Tenant is the identity recorded when the tenant has no head yet; its Key is
	// set to the tenant's.
	Tenant state.TenantMeta
	// Existing refuses a tenant that has no head, with ErrAbsent, instead of making
	// one.
	Existing bool
	// Waiting is called once if another run holds the tenant and is being watched;
	// nil for nobody to tell.
	Waiting func(*HeldError)
	// Kept is told, in a sentence each, what became of that which earlier runs could
	// not store and kept on this machine, see Options.Spool; nil for nobody to tell.
	Kept func(text string)
	// Dead reports whether a process is certainly dead; nil means the system's own
	// look, which knows that only of processes on this machine.
	Dead func(Process) bool
}

// Acquire takes the tenant: it makes the head if there is none, waits for or
// takes over another holder, reads the state, and closes the journal to every
// earlier holder. Nothing is written before all of it was read and verified.
// Errors: *HeldError if a live run holds the tenant,
// *state.RealmError, *state.LineageError, ErrHeadless, ErrUnfit, state.ErrFormat,
// state.ErrDamaged, and the store's five. With an error nothing is held.
//
// The lease's context is a child of ctx. Release must be called.
func (t *Tenant) Acquire(ctx context.Context, holder Holder, o AcquireOptions) (*Lease, error) {
	if o.TTL == 0 {
		o.TTL = DefaultTTL
	}
	if o.TTL < time.Millisecond || o.TTL > maxTTL {
		return nil, fmt.Errorf("a time to live of %s is not between 1ms and %s", o.TTL, maxTTL)
	}
	if o.Dead == nil {
		o.Dead = processDead
	}
	if holder.Run == "" {
		holder.Run = t.b.nonce()
	}
	o.Tenant.Key = t.key
	l, err := t.take(ctx, holder, o)
	if err != nil {
		return nil, err
	}
	tell := o.Kept
	if tell == nil {
		tell = func(string) {}
	}
	rest, err := l.seal(tell)
	if err == nil {
		err = l.because(l.recordDead())
	}
	if err == nil {
		err = l.because(l.settleBy(rest, tell))
	}
	if err != nil {
		l.abandon(ctx)
		return nil, err
	}
	return l, nil
}

// take swaps the head so that it names the holder.
func (t *Tenant) take(ctx context.Context, holder Holder, o AcquireOptions) (*Lease, error) {
	clock := t.b.clock
	begun := clock.Elapsed()
	var seen Version        // the head under watch; empty before the first look
	var since time.Duration // from when on it was seen
	for told := false; ; {
		looked := clock.Elapsed()
		h, v, body, err := t.headBytes(ctx)
		if o.Existing && err == nil && h.Purged {
			err = fail(t.headKey(), ErrAbsent, errPurged)
		}
		if o.Existing && errors.Is(err, ErrAbsent) {
			return nil, err
		}
		if errors.Is(err, ErrAbsent) {
			l, err := t.make(ctx, holder, o)
			if errors.Is(err, ErrConflict) {
				continue // another made it in the meantime
			}
			return l, err
		}
		if err != nil {
			return nil, err
		}
		if h.Purged {
			l, err := t.begin(ctx, h, v, holder, o)
			if errors.Is(err, ErrConflict) {
				continue
			}
			return l, err
		}
		pub, err := h.public(t.b.keys)
		if err != nil {
			return nil, err
		}
		if err := pub.Guard(o.Realm, o.Tenant.Configuration); err != nil {
			return nil, err
		}
		if h.Lease == nil || o.Dead(h.Lease.Process) || seen == v && looked-since >= max(o.TTL, h.Lease.ttl()) {
			l, err := t.swapIn(ctx, h, v, body, holder, o)
			if !errors.Is(err, ErrConflict) {
				return l, err
			}
			// Somebody was faster, or the holder showed a sign of life after all.
			if h, v, err = t.head(ctx); err != nil {
				return nil, err
			}
			if h.Lease == nil {
				continue
			}
		}
		held := h.Lease.held(t.key, clock.Now())
		switch {
		case seen != "" && seen != v:
			// A sign of life, and it was not the holder's end.
			if clock.Elapsed()-begun >= o.LockTimeout {
				return nil, held
			}
			fallthrough
		case seen == "":
			seen, since = v, clock.Elapsed()
		}
		if !told && o.Waiting != nil {
			o.Waiting(held)
		}
		told = true
		if err := clock.Sleep(ctx, t.b.jitter(max(minPoll, o.TTL/24))); err != nil {
			return nil, errors.Join(held, err)
		}
	}
}

// swapIn replaces a free or dead holder in the head. It reads everything first:
// damaged state and a head older than its journal are left as they are.
func (t *Tenant) swapIn(ctx context.Context, h *headV1, v Version, old []byte, holder Holder, o AcquireOptions) (*Lease, error) {
	r, err := t.read(ctx, h)
	if err != nil {
		_, now, herr := t.head(ctx)
		switch {
		case herr != nil:
			return nil, herr // what was read cannot be judged without it
		case now != v:
			return nil, fail(t.headKey(), ErrConflict, err) // it was being changed under the read
		}
		return nil, err
	}
	next := *h
	next.Epoch++
	next.Nonce = t.b.nonce()
	next.Previous = digest(old)
	if h.Lease != nil {
		next.Left = h.Lease
	}
	next.Lease = t.lease(holder, o)
	body, err := next.encode(t.headKey(), t.seal.Load())
	if err != nil {
		return nil, err
	}
	renewed := at(t.b.clock)
	v, err = t.putHead(ctx, body, v)
	if err != nil {
		return nil, err
	}
	t.remember(ctx, &next)
	return t.newLease(ctx, holder, o, r, &next, body, v, renewed, h, old), nil
}

// putHead puts a head in the place of prev. All tries are one write: the condition stays the same.
func (t *Tenant) putHead(ctx context.Context, body []byte, prev Version) (v Version, err error) {
	err = t.b.retry(ctx, nil, func() (err error) {
		v, err = t.b.store.Put(ctx, t.headKey(), body, prev)
		return err
	})
	return v, err
}

// make creates the first head of a tenant, with an empty first snapshot.
func (t *Tenant) make(ctx context.Context, holder Holder, o AcquireOptions) (*Lease, error) {
	if err := t.checkHeadless(ctx); err != nil {
		return nil, err
	}
	if err := t.b.probeOnce(ctx); err != nil {
		return nil, err
	}
	return t.begin(ctx, &headV1{Base: 1}, "", holder, o)
}

// begin writes an empty first snapshot and a head that points to it, over nothing or over a purged head. Of that the
// journal's numbers go on, so that whoever is still removing its slots cannot meet new ones.
func (t *Tenant) begin(ctx context.Context, old *headV1, v Version, holder Holder, o AcquireOptions) (*Lease, error) {
	s := state.New(t.b.nonce(), o.Realm, o.Tenant, t.b.bytes(state.VersionKeySize))
	s.Serial = 1
	named, err := t.firstKey(ctx, s.Lineage)
	if err != nil {
		return nil, err
	}
	checkpoint, manifest, err := t.save(ctx, s, nil, s.Serial, t.b.soon)
	if err != nil {
		return nil, err
	}
	meta, err := state.EncodeTenant(o.Tenant)
	if err != nil {
		return nil, err
	}
	h := &headV1{
		Format: 1, Tenant: meta, Realm: o.Realm, Lineage: s.Lineage, Serial: 1, Epoch: old.Epoch + 1, Nonce: t.b.nonce(),
		Lease: t.lease(holder, o), Checkpoint: checkpoint, Base: old.Base, End: old.Base, Keys: named,
	}
	body, err := h.encode(t.headKey(), t.seal.Load())
	if err != nil {
		return nil, err
	}
	renewed := at(t.b.clock)
	v, err = t.putHead(ctx, body, v)
	if err == nil && v == "" {
		// The store does not tell. Should the head be another's already, the first swap
		// under its version would still be refused, so ask whether it is ours.
		var stored []byte
		if stored, v, err = t.b.store.Get(ctx, t.headKey()); err == nil && digest(stored) != digest(body) {
			err = fail(t.headKey(), ErrConflict, nil)
		}
	}
	if err != nil {
		return nil, err
	}
	t.remember(ctx, h)
	r := reading{s: s, manifest: manifest, point: checkpoint, base: h.Base, tail: tail{next: h.Base}}
	l := t.newLease(ctx, holder, o, r, h, body, v, renewed, nil, nil)
	l.made = true
	return l, nil
}

// firstKey makes the data key of a tenant that begins, if there is encryption.
func (t *Tenant) firstKey(ctx context.Context, lineage string) ([]keyV1, error) {
	t.seal.Store(nil)
	if t.b.keys == nil {
		return nil, nil
	}
	k, wraps, err := t.b.keys.Make(ctx, t.subject(lineage))
	if err != nil {
		return nil, keyError(t.key, err)
	}
	t.seal.Store(&sealer{key: k, all: map[string]*keys.DataKey{k.ID(): k}})
	return []keyV1{{ID: k.ID(), Wraps: wraps}}, nil
}

func (t *Tenant) lease(holder Holder, o AcquireOptions) *leaseV1 {
	return &leaseV1{
		Run: holder.Run, Who: holder.Who, Host: holder.Host, Operation: holder.Operation,
		Started: t.b.clock.Now().UTC(), TTL: o.TTL.Milliseconds(), Process: holder.Process,
	}
}
