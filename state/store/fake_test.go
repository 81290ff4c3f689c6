package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/keys"
)

// fakeClock is a clock that moves only when told to, or when all who sleep on it
// would otherwise wait for ever.
type fakeClock struct {
	mu      sync.Mutex
	wall    time.Time
	mono    time.Duration
	sleeper map[*sleeper]struct{}
}

type sleeper struct {
	until time.Duration
	wake  chan struct{}
}

func newFakeClock() *fakeClock {
	return &fakeClock{wall: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), sleeper: make(map[*sleeper]struct{})}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wall
}

func (c *fakeClock) Elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mono
}

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	s := &sleeper{until: c.mono + d, wake: make(chan struct{})}
	c.sleeper[s] = struct{}{}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.sleeper, s)
		c.mu.Unlock()
	}()
	select {
	case <-s.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pass moves both clocks on in small steps, so that everybody who sleeps acts at
// about the right time. Between steps the others get the processor.
func (c *fakeClock) pass(d, step time.Duration) {
	for ; d > 0; d -= step {
		c.jump(step, step)
		time.Sleep(200 * time.Microsecond)
	}
}

// jump moves the clocks apart at once.
func (c *fakeClock) jump(wall, mono time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = c.wall.Add(wall)
	c.mono += mono
	for s := range c.sleeper {
		if s.until <= c.mono {
			close(s.wake)
			delete(c.sleeper, s)
		}
	}
}

// run moves the clock on until the returned function is called.
func (c *fakeClock) run(step time.Duration) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				c.pass(step, step)
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

// op is one call to a Store, as a fault sees it.
type op struct {
	name string // Get, Put, List, Remove
	key  string
	n    int // of calls so far, from 1
}

// faulty passes calls through and lets a test spoil them.
type faulty struct {
	Store
	mu     sync.Mutex
	n      int
	log    []op
	before func(op) error // an error: the call does not happen
	after  func(op) error // an error: it happened, and its answer is lost
}

func (f *faulty) call(name, key string) (op, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	o := op{name, key, f.n}
	f.log = append(f.log, o)
	if f.before != nil {
		return o, f.before(o)
	}
	return o, nil
}

func (f *faulty) answer(o op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.after != nil {
		return f.after(o)
	}
	return nil
}

func (f *faulty) spoil(before, after func(op) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

// writes counts the puts seen since the last call.
func (f *faulty) writes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, o := range f.log {
		if o.name == "Put" {
			n++
		}
	}
	f.log = nil
	return n
}

func (f *faulty) Get(ctx context.Context, key string) ([]byte, Version, error) {
	o, err := f.call("Get", key)
	if err != nil {
		return nil, "", err
	}
	body, v, err := f.Store.Get(ctx, key)
	if lost := f.answer(o); lost != nil {
		return nil, "", lost
	}
	return body, v, err
}

func (f *faulty) Put(ctx context.Context, key string, body []byte, prev Version) (Version, error) {
	o, err := f.call("Put", key)
	if err != nil {
		return "", err
	}
	v, err := f.Store.Put(ctx, key, body, prev)
	if lost := f.answer(o); lost != nil {
		return "", lost
	}
	return v, err
}

func (f *faulty) List(ctx context.Context, prefix string) iter.Seq2[Item, error] {
	if _, err := f.call("List", prefix); err != nil {
		return func(yield func(Item, error) bool) { yield(Item{}, err) }
	}
	return f.Store.List(ctx, prefix)
}

func (f *faulty) Remove(ctx context.Context, key string) error {
	o, err := f.call("Remove", key)
	if err != nil {
		return err
	}
	if err := f.Store.Remove(ctx, key); err != nil {
		return err
	}
	return f.answer(o)
}

func away(o op) error { return fail(o.key, ErrUnavailable, errors.New("connection refused")) }
func lost(o op) error { return fail(o.key, ErrAmbiguous, errors.New("connection reset")) }

var meta = state.TenantMeta{Address: "tenant.contoso", PrimaryDomain: "contoso.com", Configuration: "c1"}

func options() AcquireOptions {
	return AcquireOptions{TTL: 120 * time.Second, Realm: state.Live, Tenant: meta}
}

// testKeys, if set, encrypt what tenant makes.
var testKeys *keys.Ring

func tenant(t testing.TB, s Store, c Clock) *Tenant {
	t.Helper()
	tn, err := NewBucket(s, Options{Clock: c, Keys: testKeys}).Tenant("contoso")
	if err != nil {
		t.Fatal(err)
	}
	return tn
}

func acquire(t testing.TB, tn *Tenant, run string) *Lease {
	t.Helper()
	l, err := tn.Acquire(t.Context(), Holder{Run: run, Who: "alice", Host: "ci", Operation: "apply"}, options())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func release(t testing.TB, l *Lease) {
	t.Helper()
	if err := l.Release(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// done is the outcome that object i exists.
func done(i int) state.Outcome {
	address := fmt.Sprintf("domain.d%d", i)
	return state.Outcome{Op: fmt.Sprintf("op-%d", i), Address: address, Type: "domain", Result: state.Done,
		Object: &state.Object{Address: address, Type: "domain", Ownership: state.Created}}
}

func intent(i int) state.Intent {
	o := done(i)
	return state.Intent{Op: o.Op, Address: o.Address, Type: o.Type, Action: "create"}
}

func record(t testing.TB, l *Lease, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := l.Record(context.Background(), []state.Outcome{done(i)}); err != nil {
			t.Fatal(err)
		}
	}
}

func objects(t testing.TB, tn *Tenant) int {
	t.Helper()
	s, err := tn.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(s.Objects)
}
