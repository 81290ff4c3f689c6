package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/weir-project/weir/state/store"
)

// ttl is how long a run that shows no sign of life keeps its tenants.
func (a *App) ttl() (time.Duration, error) {
	text, ok := a.Env("WEIR_STATE_TTL")
	if !ok {
		return store.DefaultTTL, nil
	}
	ttl, err := time.ParseDuration(text)
	if err != nil || ttl < 2*time.Second {
		return 0, fmt.Errorf("WEIR_STATE_TTL is %q: it takes a duration of at least 2s", text)
	}
	return ttl, nil
}

// openBucket opens state storage, so that a person is told when it does not answer.
func (w *workspace) openBucket(ctx context.Context, o store.Options) (*store.Bucket, error) {
	s, err := store.Open(ctx, w.stateURL)
	if err != nil {
		return nil, err
	}
	if w.app.AroundStore != nil {
		s = w.app.AroundStore(s)
	}
	w.storage = &reach{
		Store: s, now: w.app.Now, say: func(text string) { w.app.say("%s", text) },
		// A tenth of the time is no trouble: 12 s of 120. At 75 s after the last sign of life a run stops.
		patience: w.ttl / 10, limit: w.ttl * 75 / 120,
	}
	return store.NewBucket(w.storage, o), nil
}

// process is by what others tell whether this run is dead.
func (a *App) process() store.Process {
	if a.Process == nil {
		return store.ThisProcess()
	}
	return a.Process()
}

// reach is state storage that says when it cannot be reached, and when it can again: one line each, for all tenants.
type reach struct {
	store.Store
	now             func() time.Time
	patience, limit time.Duration

	mu    sync.Mutex
	say   func(string)
	since time.Time // of the first failure that nothing but failures followed; zero while storage answers
	told  bool      // about this failure
	ever  bool      // about any
}

// tell sets who is told.
func (r *reach) tell(say func(string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.say = say
}

// ended reports whether a run ended with err because storage could not be reached.
func (r *reach) ended(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrAmbiguous) || errors.Is(err, store.ErrLost) && (r.ever || !r.since.IsZero())
}

// note learns from the end of one operation.
func (r *reach) note(ctx context.Context, err error) {
	away := errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrAmbiguous)
	if away && ctx.Err() != nil {
		return // it was called off
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	switch {
	case !away:
		if r.told {
			r.say(fmt.Sprintf("State storage answers again, after %s.", now.Sub(r.since).Round(time.Second)))
		}
		r.since, r.told = time.Time{}, false
	case r.since.IsZero():
		r.since = now
	case !r.told && now.Sub(r.since) >= r.patience:
		r.told, r.ever = true, true
		r.say(fmt.Sprintf("State storage does not answer since %s; waiting until %s, then this run stops. (%v)",
			r.since.Format(time.TimeOnly), r.since.Add(r.limit).Format(time.TimeOnly), err))
	}
}

// Get implements store.Store.
func (r *reach) Get(ctx context.Context, key string) ([]byte, store.Version, error) {
	body, v, err := r.Store.Get(ctx, key)
	r.note(ctx, err)
	return body, v, err
}

// Put implements store.Store.
func (r *reach) Put(ctx context.Context, key string, body []byte, prev store.Version) (store.Version, error) {
	v, err := r.Store.Put(ctx, key, body, prev)
	r.note(ctx, err)
	return v, err
}

// List implements store.Store.
func (r *reach) List(ctx context.Context, prefix string) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		for item, err := range r.Store.List(ctx, prefix) {
			r.note(ctx, err)
			if !yield(item, err) {
				return
			}
		}
	}
}

// Remove implements store.Store.
func (r *reach) Remove(ctx context.Context, key string) error {
	err := r.Store.Remove(ctx, key)
	r.note(ctx, err)
	return err
}

// Close frees what the store holds open, if it holds anything.
func (r *reach) Close() error {
	if c, ok := r.Store.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// writeWhole writes a small file so that a run that dies on the way leaves none or the whole of it.
func writeWhole(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
