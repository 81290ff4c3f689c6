package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/store/storetest"
)

// TestCompetition lets 16 runs fight for one tenant on real time, with crashes, pauses longer than the TTL, and answers
// that are lost, late or wrong. The long form takes a minute a store, on every store there is.
func TestCompetition(t *testing.T) {
	ttl, length := 500*time.Millisecond, 5*time.Second
	if long() {
		ttl, length = 2*time.Second, time.Minute
	}
	if testing.Short() {
		length = 2 * time.Second
	}
	fight := func(t *testing.T, s Store) {
		v := compete(t, s, ttl, length)
		for _, p := range v.problems {
			t.Error(p)
		}
		if v.linear != porcupine.Ok {
			t.Errorf("linearizable: %s", v.linear)
		}
		if v.acknowledged == 0 || v.taken == 0 {
			t.Errorf("nothing was put to the test: %s", v)
		}
		t.Log(v)
	}
	t.Run("mem", func(t *testing.T) { fight(t, NewMem()) })
	storetest.Each(t, func(t *testing.T, place storetest.Place) {
		if place.Name != "file" && !long() {
			t.Skip("only with WEIR_LONG")
		}
		place.Setenv(t)
		fight(t, opened(t, place.Below("compete/")))
	})
}

// TestCompetitionIsChecked plants what must not be, and expects the judge to see it.
func TestCompetitionIsChecked(t *testing.T) {
	ttl, length := 300*time.Millisecond, 2*time.Second
	t.Run("a store that ignores conditions", func(t *testing.T) {
		v := compete(t, careless{NewMem(), true, true, false}, ttl, length)
		if len(v.problems) == 0 {
			t.Fatal("no problem was found")
		}
		t.Logf("%s; such as: %s", v, v.problems[0])
	})
	t.Run("a store that shows slots late", func(t *testing.T) {
		v := compete(t, &tardy{Store: NewMem(), made: make(map[string]time.Time), by: ttl / 2}, ttl, length)
		if v.linear != porcupine.Illegal {
			t.Errorf("linearizable: %s", v.linear)
		}
		t.Log(v)
	})
}

// tardy is a store whose new objects in the journal are not to be read for a while.
type tardy struct {
	Store
	by   time.Duration
	mu   sync.Mutex
	made map[string]time.Time
}

func (s *tardy) Put(ctx context.Context, key string, body []byte, prev Version) (Version, error) {
	v, err := s.Store.Put(ctx, key, body, prev)
	if err == nil && strings.Contains(key, "/log/") {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.made[key] = time.Now()
	}
	return v, err
}

func (s *tardy) Get(ctx context.Context, key string) ([]byte, Version, error) {
	s.mu.Lock()
	at, there := s.made[key]
	s.mu.Unlock()
	if there && time.Since(at) < s.by {
		return nil, "", fail(key, ErrAbsent, nil)
	}
	return s.Store.Get(ctx, key)
}

// link is one operation on the chain that all runs lengthen: an object whose id is the digest of what its run found
// there and its own. The zero want means a read.
type link struct {
	before, after string // what the run found, and what it wrote
}

// seen is what came of it.
type seen struct {
	value string // what a read found
	known bool   // of a write: that it was acknowledged
}

// chain is the model: writes that were acknowledged took place on exactly what their run had found; others did or did
// not, then or later; reads see the last one.
var chain = porcupine.Model{
	Init: func() any { return "" },
	Step: func(now, in, out any) (bool, any) {
		op, got := in.(link), out.(seen)
		switch {
		case op.after == "":
			return got.value == now, now
		case op.before == now:
			return true, op.after
		default:
			return !got.known, now
		}
	},
}

func TestChain(t *testing.T) {
	write := func(before, after string, from, to int64, known bool) porcupine.Operation {
		return porcupine.Operation{Input: link{before, after}, Output: seen{known: known}, Call: from, Return: to}
	}
	read := func(value string, from, to int64) porcupine.Operation {
		return porcupine.Operation{Input: link{}, Output: seen{value: value}, Call: from, Return: to}
	}
	for _, row := range []struct {
		name string
		ops  []porcupine.Operation
		want bool
	}{
		{"one after the other", []porcupine.Operation{write("", "a", 0, 1, true), read("a", 2, 3), write("a", "b", 4, 5, true), read("b", 6, 7)}, true},
		{"a lost write", []porcupine.Operation{write("", "a", 0, 1, true), read("", 2, 3)}, false},
		{"a stale read", []porcupine.Operation{write("", "a", 0, 1, true), write("a", "b", 2, 3, true), read("a", 4, 5)}, false},
		{"a read meanwhile", []porcupine.Operation{write("", "a", 0, 3, true), read("", 1, 2)}, true},
		{"two that found the same", []porcupine.Operation{write("", "a", 0, 1, true), write("", "b", 0, 1, true)}, false},
		{"one of two unknown", []porcupine.Operation{write("", "a", 0, 9, false), write("", "b", 1, 2, true), read("b", 3, 4)}, true},
		{"an unknown one that counts", []porcupine.Operation{write("", "a", 0, 9, false), read("", 1, 2), read("a", 3, 4), write("a", "b", 5, 6, true)}, true},
		{"an unknown one that came and went", []porcupine.Operation{write("", "a", 0, 9, false), read("a", 1, 2), read("", 3, 4)}, false},
	} {
		if got := porcupine.CheckOperations(chain, row.ops); got != row.want {
			t.Errorf("%s: linearizable %v, want %v", row.name, got, row.want)
		}
	}
}

// verdict is what a competition came to.
type verdict struct {
	problems                           []string
	linear                             porcupine.CheckResult
	taken, crashed, paused, lost       int
	acknowledged, operations, readings int
}

func (v verdict) String() string {
	return fmt.Sprintf("%d times taken, %d crashes, %d pauses, %d leases lost, %d outcomes acknowledged, %d operations on the chain with %d reads",
		v.taken, v.crashed, v.paused, v.lost, v.acknowledged, v.operations, v.readings)
}

const chainAddress = "value.chain"

// contest is what competitors share.
type contest struct {
	s     Store
	ttl   time.Duration
	start time.Time
	late  sync.WaitGroup // writes still on their way

	mu           sync.Mutex
	verdict      verdict
	history      []porcupine.Operation
	acknowledged map[int]bool
	attempted    map[string]bool // addresses
	epochs       map[uint64]string
	next         atomic.Int32
}

func (c *contest) problem(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.verdict.problems) < 100 {
		c.verdict.problems = append(c.verdict.problems, fmt.Sprintf(format, args...))
	}
}

func (c *contest) now() int64 { return time.Since(c.start).Nanoseconds() }

// compete lets them fight for that long, and judges.
func compete(t *testing.T, s Store, ttl, length time.Duration) verdict {
	t.Helper()
	c := &contest{s: s, ttl: ttl, start: time.Now(), acknowledged: make(map[int]bool), attempted: make(map[string]bool), epochs: make(map[uint64]string)}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var wg sync.WaitGroup
	const runs, readers = 16, 2
	for i := range runs {
		random := rand.New(rand.NewPCG(uint64(i), 7))
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				c.run(ctx, random, i)
			}
		})
	}
	for i := range readers {
		tn := c.tenant(c.s, SystemClock())
		wg.Go(func() {
			for ctx.Err() == nil {
				c.read(tn, runs+i)
				time.Sleep(ttl / 10)
			}
		})
	}
	wg.Wait()
	c.late.Wait()
	c.judge()
	return c.verdict
}

func (c *contest) tenant(s Store, clock Clock) *Tenant {
	b := NewBucket(s, Options{Clock: clock})
	b.probed = true
	return &Tenant{b: b, key: "contoso", prefix: "t/contoso/"}
}

// read puts one reading of the chain into the history.
func (c *contest) read(tn *Tenant, client int) {
	from := c.now()
	s, err := tn.State(context.Background())
	to := c.now()
	if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrAbsent) {
		return // a busy server
	}
	if err != nil {
		c.problem("reading: %v", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history = append(c.history, porcupine.Operation{ClientId: client, Input: link{}, Output: seen{value: chainOf(s)}, Call: from, Return: to})
	c.verdict.readings++
}

func chainOf(s *state.State) string {
	if o := s.Objects[chainAddress]; o != nil {
		return o.ID
	}
	return ""
}

// run is one run's life: it takes the tenant, records, and gives it back, or crashes, or is stopped for longer than the
// TTL and goes on.
func (c *contest) run(ctx context.Context, random *rand.Rand, client int) {
	p := &process{}
	tn := c.tenant(&erratic{Store: c.s, p: p, late: &c.late, random: rand.New(rand.NewPCG(random.Uint64(), 8)), delay: c.ttl}, stoppable{SystemClock(), p})
	o := options()
	o.TTL, o.LockTimeout = c.ttl, time.Hour
	l, err := tn.Acquire(ctx, Holder{}, o)
	if err != nil {
		// On a busy machine a run may be too slow to read the journal in time.
		if ctx.Err() == nil && !errors.Is(err, ErrLost) && !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrAmbiguous) {
			c.problem("acquire: %v", err)
		}
		return
	}
	c.mu.Lock()
	c.verdict.taken++
	other, twice := c.epochs[l.epoch]
	c.epochs[l.epoch] = l.Run()
	c.mu.Unlock()
	if twice {
		c.problem("epoch %d has two holders, %s and %s", l.epoch, other, l.Run())
	}
	fate := random.IntN(6) // 0: it crashes; 1: it is stopped; both at some step
	step := random.IntN(5)
	for i := range 1 + random.IntN(5) {
		if i == step && fate == 0 {
			c.crash(p, l)
			return
		}
		if i == step && fate == 1 {
			c.mu.Lock()
			c.verdict.paused++
			c.mu.Unlock()
			thaw := p.stop()
			time.AfterFunc(c.ttl*3/2, thaw)
		}
		if !c.record(l, client) {
			break
		}
	}
	if fate == 0 {
		c.crash(p, l)
		return
	}
	err = l.Release(context.Background())
	if errors.Is(err, ErrLost) {
		c.mu.Lock()
		c.verdict.lost++
		c.mu.Unlock()
	} else if err != nil && !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrAmbiguous) {
		c.problem("release: %v", err)
	}
}

// record lengthens the chain, and beside that records some outcomes at once.
func (c *contest) record(l *Lease, client int) bool {
	var wg sync.WaitGroup
	for range 2 {
		n := int(c.next.Add(1))
		c.mu.Lock()
		c.attempted[done(n).Address] = true
		c.mu.Unlock()
		wg.Go(func() {
			if err := l.Record(context.Background(), []state.Outcome{done(n)}); err == nil {
				c.mu.Lock()
				c.acknowledged[n] = true
				c.mu.Unlock()
			}
		})
	}
	before := chainOf(l.State())
	op := link{before: before, after: digest([]byte(before + l.Run()))}
	outcome := state.Outcome{Op: op.after, Address: chainAddress, Type: "value", Result: state.Done,
		Object: &state.Object{Address: chainAddress, Type: "value", ID: op.after, Ownership: state.Created}}
	from := c.now()
	err := l.Record(context.Background(), []state.Outcome{outcome})
	to := c.now()
	if err != nil {
		to = int64(time.Hour) // it may have been kept, and may be yet
		if !errors.Is(err, ErrLost) && !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrAmbiguous) && !errors.Is(err, errDead) {
			c.problem("record: %v", err)
		}
	}
	c.mu.Lock()
	c.history = append(c.history, porcupine.Operation{ClientId: client, Input: op, Output: seen{known: err == nil}, Call: from, Return: to})
	c.verdict.operations++
	c.mu.Unlock()
	wg.Wait()
	return err == nil
}

func (c *contest) crash(p *process, l *Lease) {
	c.mu.Lock()
	c.verdict.crashed++
	c.mu.Unlock()
	p.kill()
	l.cancel(errDead)
	l.wg.Wait()
}

// judge looks at what is left: the journal from its first slot on, and the state.
func (c *contest) judge() {
	ctx := context.Background()
	tn := c.tenant(c.s, SystemClock())
	c.read(tn, 99)
	c.verdict.acknowledged = len(c.acknowledged)
	c.verdict.linear = porcupine.CheckOperationsTimeout(chain, c.history, time.Minute)

	s, err := tn.State(ctx)
	if err != nil {
		c.problem("the state cannot be read: %v", err)
		return
	}
	replayed := state.New(s.Lineage, s.Realm, s.Tenant, nil)
	holders := make(map[uint64]string)
	var last uint64
	for slot := uint64(1); ; slot++ {
		body, _, err := c.s.Get(ctx, tn.slotKey(slot))
		if errors.Is(err, ErrAbsent) {
			break
		}
		if err != nil {
			c.problem("slot %d: %v", slot, err)
			return
		}
		batch, err := tn.openSlot(s.Lineage, slot, body)
		if err != nil {
			c.problem("slot %d: %v", slot, err)
			continue
		}
		if batch.Epoch < last {
			c.problem("slot %d is of epoch %d, after %d", slot, batch.Epoch, last)
		}
		last = batch.Epoch
		if h, there := holders[batch.Epoch]; there && h != batch.Run {
			c.problem("epoch %d was written by two: %s and %s", batch.Epoch, h, batch.Run)
		}
		holders[batch.Epoch] = batch.Run
		for _, e := range batch.Entries {
			if err := replayed.Apply(e); err != nil {
				c.problem("slot %d: %v", slot, err)
			}
		}
	}
	for n := range c.acknowledged {
		if replayed.Objects[done(n).Address] == nil {
			c.problem("acknowledged outcome %d is not in the journal", n)
		}
	}
	if journal, head := slices.Sorted(maps.Keys(replayed.Objects)), slices.Sorted(maps.Keys(s.Objects)); !slices.Equal(journal, head) {
		c.problem("the journal has %d objects, the state %d", len(journal), len(head))
	}
	if chainOf(replayed) != chainOf(s) {
		c.problem("journal and state end in another link of the chain")
	}
	for address := range s.Objects {
		if address != chainAddress && !c.attempted[address] {
			c.problem("%s is in the state and nobody wrote it", address)
		}
	}
	if a, err := tn.Audit(ctx); err != nil || len(a.Broken) > 0 {
		c.problem("the records of the runs: %v, %q", err, a.Broken)
	}
}

// process is whether a run's process goes on: it can be stopped, as by SIGSTOP, and killed.
type process struct {
	mu      sync.Mutex
	stopped chan struct{} // nil while it runs
	dead    bool
}

var errDead = errors.New("the process is dead")

func (p *process) stop() (thaw func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	stopped := make(chan struct{})
	p.stopped = stopped
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.stopped = nil
		close(stopped)
	})
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

// alive waits while the process is stopped.
func (p *process) alive() error {
	for {
		p.mu.Lock()
		stopped, dead := p.stopped, p.dead
		p.mu.Unlock()
		if dead {
			return fail("", ErrDenied, errDead)
		}
		if stopped == nil {
			return nil
		}
		<-stopped
	}
}

// stoppable is the clock of a process. It goes on while the process is stopped, but nobody looks at it.
type stoppable struct {
	Clock
	p *process
}

func (c stoppable) Sleep(ctx context.Context, d time.Duration) error {
	err := c.Clock.Sleep(ctx, d)
	_ = c.p.alive() // a dead one is ended by its context
	return err
}

// erratic is a store as seen by one process through a bad network; without random, through a good one.
type erratic struct {
	Store
	p     *process
	late  *sync.WaitGroup
	delay time.Duration // the longest that a write may take that nobody waits for any more

	mu     sync.Mutex
	random *rand.Rand
}

func (e *erratic) chance() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.random == nil {
		return 100
	}
	return e.random.IntN(100)
}

func (e *erratic) Get(ctx context.Context, key string) ([]byte, Version, error) {
	if err := e.p.alive(); err != nil {
		return nil, "", err
	}
	body, v, err := e.Store.Get(ctx, key)
	if dead := e.p.alive(); dead != nil {
		return nil, "", dead
	}
	if e.chance() < 2 {
		return nil, "", fail(key, ErrUnavailable, errors.New("connection refused"))
	}
	return body, v, err
}

func (e *erratic) Put(ctx context.Context, key string, body []byte, prev Version) (Version, error) {
	if err := e.p.alive(); err != nil {
		return "", err
	}
	switch luck := e.chance(); {
	case luck < 2:
		return "", fail(key, ErrUnavailable, errors.New("connection refused"))
	case luck < 4: // it arrives when nobody waits for it any more
		after := time.Duration(e.chance()) * e.delay / 100
		e.late.Go(func() {
			time.Sleep(after)
			_, _ = e.Store.Put(context.WithoutCancel(ctx), key, body, prev)
		})
		return "", fail(key, ErrAmbiguous, errors.New("connection reset"))
	case luck < 10: // its answer is lost; some client libraries then try again by themselves
		_, err := e.Store.Put(ctx, key, body, prev)
		if luck < 7 && err == nil {
			return "", fail(key, ErrConflict, nil)
		}
		return "", fail(key, ErrAmbiguous, errors.New("connection reset"))
	}
	v, err := e.Store.Put(ctx, key, body, prev)
	if dead := e.p.alive(); dead != nil {
		return "", dead
	}
	return v, err
}

func (e *erratic) List(ctx context.Context, prefix string) iter.Seq2[Item, error] {
	if err := e.p.alive(); err != nil {
		return func(yield func(Item, error) bool) { yield(Item{}, err) }
	}
	return e.Store.List(ctx, prefix)
}
