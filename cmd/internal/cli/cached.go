package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/pflag"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/live"
	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/providers/directory/cache"
	"github.com/weir-project/weir/state/store"
)

// registerFullRead adds the flag of commands that read directories.
func (f *configFlags) registerFullRead(flags *pflag.FlagSet) {
	flags.BoolVar(&f.fullRead, "full-read", false, "read directories in full, whatever an earlier run kept of them")
}

// cacheSettings say where the unit's directory is kept between runs.
func (w *workspace) cacheSettings(u *unit) (providers.CacheSettings, error) {
	s := providers.CacheSettings{Realm: w.around.realm, Full: w.flags.fullRead, Nonce: func() string {
		var b [8]byte
		_, _ = io.ReadFull(w.app.Random, b[:])
		return hex.EncodeToString(b[:])
	}}
	if text, ok := w.app.Env("WEIR_FULL_READ_EVERY"); ok && text != "" {
		every, err := time.ParseDuration(text)
		if err != nil || every < 0 {
			return s, fmt.Errorf("WEIR_FULL_READ_EVERY is %q: it takes a duration such as 24h, or 0 for a full read each time", text)
		}
		if s.Every = every; every == 0 {
			s.Every = -1
		}
	}
	shelf, err := w.shelf(u)
	if err != nil {
		return s, err
	}
	s.Shelf = shelf
	if w.flags.keepNothing {
		s.Shelf = readOnly{shelf}
	}
	return s, nil
}

// shelf is the place of the unit's cached directory: beside its state where that is encrypted, else on this machine, where
// nobody but its owner reads it.
func (w *workspace) shelf(u *unit) (cache.Shelf, error) {
	if w.keys != nil {
		tenant, err := w.bucket.Tenant(stateKey(u.key))
		if err != nil {
			return nil, err
		}
		return &beside{tenant: tenant}, nil
	}
	return w.ownShelf(u), nil
}

// ownShelf is the place of the unit's cached directory on this machine.
func (w *workspace) ownShelf(u *unit) cache.Shelf {
	own := filepath.Join(w.app.dir(), ".weir")
	w.folderMu.Lock()
	defer w.folderMu.Unlock()
	if w.folder == nil {
		root := own
		if w.around.stateURL != "" {
			root = filepath.Dir(filepath.FromSlash(strings.TrimPrefix(w.around.stateURL, "file://")))
		}
		// Another world's or bucket's directory is none of this one's.
		sum := sha256.Sum256([]byte(w.around.realm + "\n" + w.stateURL))
		w.folder = store.OpenFolder(filepath.Join(root, "directory", hex.EncodeToString(sum[:4])))
	}
	return inFolder{w.folder.Of(stateKey(u.key)), own}
}

// inFolder keeps a directory in the folder .weir beside the files, out of version control.
type inFolder struct {
	*store.Folder
	own string // .weir
}

// Put implements cache.Shelf.
func (f inFolder) Put(ctx context.Context, name string, body []byte) error {
	if err := privateDir(f.own); err != nil {
		return err
	}
	if err := ignored(f.own); err != nil {
		return err
	}
	return f.Folder.Put(ctx, name, body)
}

// beside keeps a directory beside a tenant's state, as soon as there is one.
type beside struct {
	tenant *store.Tenant

	mu    sync.Mutex
	blobs *store.Blobs
}

func (b *beside) open(ctx context.Context) (*store.Blobs, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.blobs != nil {
		return b.blobs, nil
	}
	blobs, err := b.tenant.OpenBlobs(ctx)
	if errors.Is(err, store.ErrAbsent) {
		return nil, cache.ErrNoShelf
	}
	b.blobs = blobs
	return blobs, err
}

// List implements cache.Shelf.
func (b *beside) List(ctx context.Context) ([]string, error) {
	blobs, err := b.open(ctx)
	if err != nil {
		return nil, err
	}
	return blobs.List(ctx)
}

// Get implements cache.Shelf.
func (b *beside) Get(ctx context.Context, name string) ([]byte, error) {
	blobs, err := b.open(ctx)
	if err != nil {
		return nil, err
	}
	return blobs.Get(ctx, name)
}

// Put implements cache.Shelf.
func (b *beside) Put(ctx context.Context, name string, body []byte) error {
	blobs, err := b.open(ctx)
	if err != nil {
		return err
	}
	return blobs.Put(ctx, name, body)
}

// Remove implements cache.Shelf.
func (b *beside) Remove(ctx context.Context, name string) error {
	blobs, err := b.open(ctx)
	if err != nil {
		return err
	}
	return blobs.Remove(ctx, name)
}

// readOnly is a shelf for commands that write nothing at all.
type readOnly struct{ cache.Shelf }

// Put implements cache.Shelf; it keeps nothing.
func (readOnly) Put(context.Context, string, []byte) error { return cache.ErrNoShelf }

// Remove implements cache.Shelf; it removes nothing.
func (readOnly) Remove(context.Context, string) error { return cache.ErrNoShelf }

// partOf plans the unit. Where the part would take something away because of what an earlier run kept of the directory,
// the objects are asked for directly; when one does not answer as it was kept, the directory is read in full and the part
// is planned again.
func (w *workspace) partOf(ctx context.Context, u *unit, req *planner.Request) (*planner.Part, hcl.Diagnostics) {
	part, diags := planner.Build(ctx, *req)
	if u.connected == nil || u.connected.Distrust == nil || req.Destroy {
		return part, diags
	}
	doubt := live.Confirmed(ctx, part, req.Observed.Directory, live.Direct{Confirm: u.connected.Confirm, Memberships: u.connected.Memberships})
	if doubt == "" {
		return part, diags
	}
	u.connected.Distrust()
	req.Observed.Directory, req.Facts = nil, nil // a large directory is not to be in memory twice
	req.Observed.Directory, req.Observed.DirectoryErr = u.connected.Directory(ctx)
	if req.Observed.Directory != nil {
		req.Observed.Directory.Notes = append(req.Observed.Directory.Notes, "the directory was read in full: "+doubt)
	}
	req.Facts = planner.NewFacts(req.Observed.Directory)
	return planner.Build(ctx, *req)
}
