package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/weir-project/weir/state"
)

// ErrUnfit says that a store does not do what keeping state safely needs, such
// as one that ignores conditions on writes.
var ErrUnfit = errors.New("this storage is not fit for state")

// Probe tries on scratch objects whether the store keeps the promises of Store,
// and returns an error that wraps ErrUnfit if not. It is done by itself before
// the first head in a bucket is made.
func (b *Bucket) Probe(ctx context.Context) error {
	s := b.store.(verified).Store // a read-back must not hide what the driver does
	prefix := "probe/" + b.nonce() + "/"
	var mu sync.Mutex
	var keys []string
	key := func(name string) string {
		mu.Lock()
		defer mu.Unlock()
		keys = append(keys, prefix+name)
		return prefix + name
	}
	defer func() {
		for _, k := range keys {
			_ = s.Remove(ctx, k) // a run may lack the right to delete; scratch is small
		}
	}()
	body := func(what string) []byte { return []byte(what + " " + b.nonce()) }
	unfit := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrUnfit, fmt.Sprintf(format, args...))
	}

	a := key("a")
	if _, _, err := s.Get(ctx, a); !errors.Is(err, ErrAbsent) {
		return fmt.Errorf("reading an object that is not there: %w", orUnfit(err, "it was found"))
	}
	first := body("first")
	v1, err := s.Put(ctx, a, first, "")
	if err != nil {
		return fmt.Errorf("creating a first object: %w", err)
	}
	if _, err := s.Put(ctx, a, body("second"), ""); !errors.Is(err, ErrConflict) {
		return fmt.Errorf("creating an object twice: %w", orUnfit(err, "the second create replaced the first"))
	}
	if got, v, err := s.Get(ctx, a); err != nil || !bytes.Equal(got, first) || v != v1 && v1 != "" {
		return fmt.Errorf("reading back a new object: %w", orUnfit(err, "it is not what was written"))
	} else if v1 == "" {
		v1 = v
	}
	third := body("third")
	if _, err := s.Put(ctx, a, third, v1); err != nil {
		return fmt.Errorf("replacing an object: %w", err)
	}
	if _, err := s.Put(ctx, a, body("fourth"), v1); !errors.Is(err, ErrConflict) {
		return fmt.Errorf("replacing a version that is gone: %w", orUnfit(err, "the condition was ignored"))
	}
	if got, _, err := s.Get(ctx, a); err != nil || !bytes.Equal(got, third) {
		return fmt.Errorf("reading back a replaced object: %w", orUnfit(err, "it is not what was written"))
	}
	if _, err := s.Put(ctx, key("b"), body("fifth"), v1); !errors.Is(err, ErrConflict) {
		return fmt.Errorf("replacing an object that is not there: %w", orUnfit(err, "it was created"))
	}

	large := make([]byte, 1<<20)
	if _, err := io.ReadFull(b.random, large); err != nil {
		return err
	}
	if _, err := s.Put(ctx, key("large"), large, ""); err != nil {
		return fmt.Errorf("creating an object of 1 MiB: %w", err)
	}
	if got, _, err := s.Get(ctx, prefix+"large"); err != nil || !bytes.Equal(got, large) {
		return fmt.Errorf("reading back an object of 1 MiB: %w", orUnfit(err, "it is not what was written"))
	}

	const races, racers = 20, 8
	for i := range races {
		k := key(fmt.Sprintf("race-%d", i))
		var won atomic.Int32
		errs := make([]error, racers)
		var wg sync.WaitGroup
		for j := range racers {
			wg.Go(func() {
				_, err := s.Put(ctx, k, body("racer"), "")
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, ErrConflict) {
					errs[j] = err
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("creating one object from %d sides: %w", racers, err)
		}
		if n := won.Load(); n != 1 {
			return unfit("of %d that created one object at once, %d were told that they did", racers, n)
		}
	}
	return nil
}

// orUnfit returns the error of a call that should have been refused in another
// way, or says what happened instead.
func orUnfit(err error, otherwise string) error {
	if err != nil && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrAbsent) {
		return err
	}
	return fmt.Errorf("%w: %s", ErrUnfit, otherwise)
}

// probeOnce probes the store unless some tenant already lives in it.
func (b *Bucket) probeOnce(ctx context.Context) error {
	b.probing.Lock()
	defer b.probing.Unlock()
	if b.probed {
		return nil
	}
	for item, err := range b.store.List(ctx, "t/") {
		if err != nil {
			return err
		}
		if key, ok := strings.CutSuffix(strings.TrimPrefix(item.Key, "t/"), "/head"); ok {
			err := b.passed(ctx, key)
			if errors.Is(err, state.ErrDamaged) {
				continue // that is its tenant's matter; another may tell
			}
			return err
		}
	}
	if err := b.Probe(ctx); err != nil {
		return err
	}
	b.probed = true
	return nil
}

// passed looks at a tenant that is there already before another is made beside it: what does not open the one must not
// encrypt the other.
func (b *Bucket) passed(ctx context.Context, key string) error {
	t, err := b.Tenant(key)
	if err == nil {
		_, _, err = t.head(ctx)
	}
	if err != nil && !errors.Is(err, ErrAbsent) {
		return fmt.Errorf("a new tenant cannot be kept beside this one: %w", err)
	}
	b.probed = true
	return nil
}
