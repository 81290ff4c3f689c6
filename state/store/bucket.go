package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/keys"
)

// Bucket is one store with the states of many tenants. It is safe for
// concurrent use.
type Bucket struct {
	store  Store // verified
	clock  Clock
	random io.Reader
	keys   *keys.Ring // nil: nothing is encrypted
	spool  *file      // nil: what cannot be stored is not kept
	seen   *memory    // nil: nothing is remembered

	fromPlaintext bool
	keysMu        sync.Mutex
	opened        map[string]*keys.DataKey // data keys opened before

	probing sync.Mutex
	probed  bool // the store can do what is needed, or did already
}

// Options are the effects a Bucket has besides its store. The zero value means
// the machine's.
type Options struct {
	Clock  Clock
	Random io.Reader // must never fail and be safe for concurrent use
	// Keys protect the states; nil means that they are not encrypted.
	Keys *keys.Ring
	// FromPlaintext lets states be read, with Keys, that are not encrypted yet; Lease.Rekey
	// encrypts them. Otherwise they are refused.
	FromPlaintext bool
	// Spool is the folder of this machine for what a run did and could not store; the
	// next run that takes the tenant stores it. Empty for none.
	Spool string
	// Seen is the folder of this machine that remembers the newest state seen of each
	// tenant, so that an older one in its place is refused. Empty for none. That it
	// cannot be written, or was lost, is no error.
	Seen string
	// AcceptOlder are keys of tenants whose state may be older than the newest seen;
	// from then on that is the newest seen.
	AcceptOlder []string
}

// NewBucket returns the bucket kept in s.
func NewBucket(s Store, o Options) *Bucket {
	if o.Clock == nil {
		o.Clock = SystemClock()
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	b := &Bucket{store: verified{s}, clock: o.Clock, random: o.Random, keys: o.Keys, fromPlaintext: o.FromPlaintext, opened: make(map[string]*keys.DataKey)}
	if o.Spool != "" {
		b.spool = &file{dir: o.Spool, clock: o.Clock}
	}
	if o.Seen != "" {
		b.seen = &memory{folder: &file{dir: o.Seen, clock: o.Clock}, accept: o.AcceptOlder}
	}
	return b
}

// OpenBucket opens the store at a URL, see Open, and returns the bucket in it.
func OpenBucket(ctx context.Context, url string, o Options) (*Bucket, error) {
	s, err := Open(ctx, url)
	if err != nil {
		return nil, err
	}
	return NewBucket(s, o), nil
}

// Close frees what the store holds open, if it holds anything.
func (b *Bucket) Close() error {
	var errs []error
	if c, ok := b.store.(verified).Store.(io.Closer); ok {
		errs = append(errs, c.Close())
	}
	if b.spool != nil {
		errs = append(errs, b.spool.Close())
	}
	if b.seen != nil {
		errs = append(errs, b.seen.folder.Close())
	}
	return errors.Join(errs...)
}

var tenantKey = regexp.MustCompile(`^([a-z0-9][a-z0-9-]{0,62}|` + state.RootKey + `)$`)

// Tenant returns the tenant of that key, which need not be there yet: a key of
// the form [a-z0-9][a-z0-9-]{0,62}, or state.RootKey.
func (b *Bucket) Tenant(key string) (*Tenant, error) {
	if !tenantKey.MatchString(key) {
		return nil, fmt.Errorf("%q is not a tenant key: use up to 63 of a-z, 0-9 and -, beginning with a letter or digit", key)
	}
	return &Tenant{b: b, key: key, prefix: "t/" + key + "/"}, nil
}

// Tenants returns the keys of all tenants that have a head, sorted; the root is
// among them if it has one.
func (b *Bucket) Tenants(ctx context.Context) ([]string, error) {
	var keys []string
	for item, err := range b.store.List(ctx, "t/") {
		if err != nil {
			return nil, err
		}
		if key, ok := strings.CutSuffix(strings.TrimPrefix(item.Key, "t/"), "/head"); ok && tenantKey.MatchString(key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// HeadError says that the head of one tenant cannot be read.
type HeadError struct {
	Tenant string // its key
	Err    error
}

func (e *HeadError) Error() string { return e.Err.Error() }
func (e *HeadError) Unwrap() error { return e.Err }

// Heads yields the head of every tenant, in no particular order. An unreadable
// head comes as a *HeadError, and does not end the sequence; a failed
// listing does.
func (b *Bucket) Heads(ctx context.Context) iter.Seq2[*Head, error] {
	const readers = 16
	type result struct {
		head *Head
		err  error
	}
	return func(yield func(*Head, error) bool) {
		keys, err := b.Tenants(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		work, results := make(chan string), make(chan result)
		var wg sync.WaitGroup
		for range min(readers, len(keys)) {
			wg.Go(func() {
				for key := range work {
					t, err := b.Tenant(key)
					var head *Head
					if err == nil {
						head, err = t.Head(ctx)
					}
					if err != nil {
						err = &HeadError{Tenant: key, Err: err}
					}
					select {
					case results <- result{head, err}:
					case <-ctx.Done():
						return
					}
				}
			})
		}
		wg.Go(func() {
			defer close(work)
			for _, key := range keys {
				select {
				case work <- key:
				case <-ctx.Done():
					return
				}
			}
		})
		defer wg.Wait()
		defer cancel()
		for range keys {
			select {
			case r := <-results:
				if errors.Is(r.err, ErrAbsent) {
					continue // gone since it was listed
				}
				if !yield(r.head, r.err) {
					return
				}
			case <-ctx.Done():
				yield(nil, fail("t/", ErrUnavailable, ctx.Err()))
				return
			}
		}
	}
}

// nonce returns 128 random bits.
func (b *Bucket) nonce() string { return hex.EncodeToString(b.bytes(16)) }

// bytes returns n random bytes.
func (b *Bucket) bytes(n int) []byte {
	raw := make([]byte, n)
	// A source that fails would give equal nonces, and with them two winners.
	if _, err := io.ReadFull(b.random, raw); err != nil {
		panic("no randomness: " + err.Error())
	}
	return raw
}
