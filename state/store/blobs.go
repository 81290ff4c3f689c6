package store

import (
	"context"
	"strings"
)

const blobFolder = "blob/"

// Blobs is what a run keeps beside one tenant's state without a lease: caches. They
// are protected like the state. Nothing correct may depend on one. It is safe for
// concurrent use.
type Blobs struct {
	t    *Tenant
	seal *sealer
}

// OpenBlobs returns the tenant's blobs. ErrAbsent says that the tenant has no state
// yet: it is the head that says how to encrypt.
func (t *Tenant) OpenBlobs(ctx context.Context) (*Blobs, error) {
	h, _, err := t.head(ctx)
	if err != nil {
		return nil, err
	}
	if h.Purged {
		return nil, fail(t.headKey(), ErrAbsent, errPurged)
	}
	return &Blobs{t: t, seal: t.seal.Load()}, nil
}

// Put keeps bytes under a name of one segment; what is there already stays, and
// ErrConflict says so.
func (b *Blobs) Put(ctx context.Context, name string, body []byte) error {
	key := b.t.prefix + blobFolder + name
	sealed := b.seal.wrap(key, body, b.t.b.bytes)
	return b.t.b.soon(ctx, func() error {
		_, err := b.t.b.store.Put(ctx, key, sealed, "")
		return err
	})
}

// Get returns bytes kept by Put, or ErrAbsent.
func (b *Blobs) Get(ctx context.Context, name string) ([]byte, error) {
	key := b.t.prefix + blobFolder + name
	body, _, err := b.t.b.store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return b.seal.unwrap(key, body, false)
}

// List returns the names of the blobs kept, sorted.
func (b *Blobs) List(ctx context.Context) ([]string, error) {
	var names []string
	for item, err := range b.t.b.store.List(ctx, b.t.prefix+blobFolder) {
		if err != nil {
			return nil, err
		}
		names = append(names, strings.TrimPrefix(item.Key, b.t.prefix+blobFolder))
	}
	return names, nil
}

// Remove removes a blob; none there is no error.
func (b *Blobs) Remove(ctx context.Context, name string) error {
	return b.t.b.store.Remove(ctx, b.t.prefix+blobFolder+name)
}

// Folder keeps plain objects on this machine, readable by its owner alone, in a
// folder that the first of them makes. It is for caches of states that are not
// encrypted. It is safe for concurrent use.
type Folder struct {
	f      *file
	prefix string
}

// OpenFolder returns the objects of a folder of this machine. Close frees what it
// and its parts hold open.
func OpenFolder(dir string) *Folder { return &Folder{f: &file{dir: dir, clock: SystemClock()}} }

// Of returns the part of it that belongs to a tenant.
func (f *Folder) Of(key string) *Folder { return &Folder{f: f.f, prefix: f.prefix + key + "/"} }

// Put keeps bytes under a name of one segment; ErrConflict says that there are some.
func (f *Folder) Put(ctx context.Context, name string, body []byte) error {
	_, err := f.f.Put(ctx, f.prefix+name, body, "")
	return err
}

// Get returns bytes kept by Put, or ErrAbsent.
func (f *Folder) Get(ctx context.Context, name string) ([]byte, error) {
	body, _, err := f.f.Get(ctx, f.prefix+name)
	return body, err
}

// List returns the names of the objects kept, sorted.
func (f *Folder) List(ctx context.Context) ([]string, error) {
	var names []string
	for item, err := range f.f.List(ctx, f.prefix) {
		if err != nil {
			return nil, err
		}
		if name := strings.TrimPrefix(item.Key, f.prefix); !strings.Contains(name, "/") {
			names = append(names, name)
		}
	}
	return names, nil
}

// Remove removes an object; none there is no error.
func (f *Folder) Remove(ctx context.Context, name string) error {
	return f.f.Remove(ctx, f.prefix+name)
}

// Close frees what it holds open.
func (f *Folder) Close() error { return f.f.Close() }
