package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	lockSuffix = ".lk"
	lockName   = ".lk" // one a folder; it stays for ever
	tempPrefix = ".tmp-"
	lockWait   = 5 * time.Millisecond
)

var errKey = errors.New("not a valid key")

// file keeps objects as files below one folder. A put holds an advisory lock on
// the object's folder, so that of all processes on the machine one at a time
// compares and replaces.
//
// The library's own local store is not used: two of its creators can win, it
// follows planted links, and it does not flush.
type file struct {
	dir   string
	clock Clock

	mu   sync.Mutex // guards root
	root *os.Root   // nil until the folder was seen
}

func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.root == nil {
		return nil
	}
	return f.root.Close()
}

// open opens the folder, once, and only a write makes it. Links, other owners'
// folders and folders that others may write are refused.
func (f *file) open(make bool) (*os.Root, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.root != nil {
		return f.root, nil
	}
	if make {
		if err := os.MkdirAll(f.dir, 0o700); err != nil {
			return nil, err
		}
	}
	info, err := os.Lstat(f.dir)
	if err != nil {
		return nil, err
	}
	if err := plain(info, fs.ModeDir); err != nil {
		return nil, err
	}
	if posixModes && info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("%w: other users may write there; run: chmod go-w %s", fs.ErrPermission, f.dir)
	}
	f.root, err = os.OpenRoot(f.dir)
	return f.root, err
}

func (f *file) Get(ctx context.Context, key string) ([]byte, Version, error) {
	if !validKey(key) {
		return nil, "", fail(key, ErrDenied, errKey)
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, "", fail(key, ErrUnavailable, err)
		}
		root, err := f.open(false)
		if err != nil {
			return nil, "", f.fail(key, err)
		}
		body, err := read(root, key)
		if errors.Is(err, errReplaced) {
			continue
		}
		if err != nil {
			return nil, "", f.fail(key, err)
		}
		return body, digestVersion(body), nil
	}
}

// read returns the file's bytes; a link anywhere on the way is an error.
func read(root *os.Root, key string) ([]byte, error) {
	for i, c := range key {
		if c != '/' {
			continue
		}
		info, err := root.Lstat(key[:i])
		if err != nil {
			return nil, err
		}
		if err := plain(info, fs.ModeDir); err != nil {
			return nil, fmt.Errorf("%s: %w", key[:i], err)
		}
	}
	before, err := root.Lstat(key)
	if err != nil {
		return nil, err
	}
	if err := plain(before, 0); err != nil {
		return nil, err
	}
	r, err := root.Open(key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	if opened, err := r.Stat(); err != nil || !os.SameFile(before, opened) {
		// Between the two looks it was replaced, by a put or by a planter of links.
		if err == nil {
			err = errReplaced
		}
		return nil, err
	}
	return readObject(r)
}

var errReplaced = errors.New("it was replaced while being read")

// plain refuses what is not exactly of that type, or not ours.
func plain(info fs.FileInfo, want fs.FileMode) error {
	if info.Mode().Type() != want {
		return fmt.Errorf("%w: it is a link or no regular file (%s); remove it", fs.ErrPermission, info.Mode().Type())
	}
	return checkOwner(info)
}

func (f *file) Put(ctx context.Context, key string, body []byte, prev Version) (_ Version, err error) {
	if !validKey(key) {
		return "", fail(key, ErrDenied, errKey)
	}
	if err := ctx.Err(); err != nil {
		return "", fail(key, ErrUnavailable, err)
	}
	root, err := f.open(true)
	if err != nil {
		return "", f.fail(key, err)
	}
	dir := path.Dir(key)
	if prev == "" && dir != "." {
		if err := mkdirs(root, dir); err != nil {
			return "", f.fail(key, err)
		}
	}
	unlock, err := f.lock(ctx, root, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fail(key, ErrConflict, err) // the folder of a swapped object is gone
	}
	if err != nil {
		return "", f.fail(key, err)
	}
	defer unlock()

	var current Version
	old, err := read(root, key)
	switch {
	case err == nil:
		current = digestVersion(old)
	case !errors.Is(err, fs.ErrNotExist):
		return "", f.fail(key, err)
	}
	if current != prev {
		return "", fail(key, ErrConflict, nil)
	}
	if err := replace(root, dir, key, body); err != nil {
		return "", f.fail(key, err)
	}
	return digestVersion(body), nil
}

// add writes a new file in the folder itself, without its lock: the name is one
// that nobody else chooses.
func (f *file) add(name string, body []byte) error {
	if !validKey(name) || strings.Contains(name, "/") {
		return fail(name, ErrDenied, errKey)
	}
	root, err := f.open(true)
	if err != nil {
		return f.fail(name, err)
	}
	if err := replace(root, ".", name, body); err != nil {
		return f.fail(name, err)
	}
	return nil
}

// names returns the names in the folder itself that begin with prefix, sorted,
// whatever they are of.
func (f *file) names(prefix string) ([]string, error) {
	root, err := f.open(false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, f.fail(prefix, err)
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, f.fail(prefix, err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// replace writes the bytes beside the object, flushes them, and moves them into
// its place.
func replace(root *os.Root, dir, key string, body []byte) error {
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails; the name need only be free
	temp := path.Join(dir, tempPrefix+hex.EncodeToString(random[:]))
	w, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, bytes.NewReader(body))
	if err == nil {
		err = w.Sync()
	}
	err = errors.Join(err, w.Close())
	if err == nil {
		err = root.Rename(temp, key)
	}
	if err != nil {
		_ = root.Remove(temp)
		return err
	}
	return syncDir(root, dir)
}

// mkdirs makes the folder and those above it, and flushes what it made.
func mkdirs(root *os.Root, dir string) error {
	var have string
	for _, name := range strings.Split(dir, "/") {
		parent := have
		have = path.Join(have, name)
		info, err := root.Lstat(have)
		if errors.Is(err, fs.ErrNotExist) {
			err = root.Mkdir(have, 0o700)
			if err == nil {
				err = syncDir(root, path.Join(".", parent))
			}
			if err == nil || errors.Is(err, fs.ErrExist) {
				info, err = root.Lstat(have)
			}
		}
		if err != nil {
			return err
		}
		if err := plain(info, fs.ModeDir); err != nil {
			return fmt.Errorf("%s: %w", have, err)
		}
	}
	return nil
}

// longestLock is how long a put waits for the folder: a process that was stopped
// in the middle of one keeps it until it goes on or ends.
const longestLock = 10 * time.Second

// lock takes the folder's lock. It polls, so that a cancelled context ends the
// wait.
func (f *file) lock(ctx context.Context, root *os.Root, dir string) (unlock func(), err error) {
	name := path.Join(dir, lockName)
	if info, err := root.Lstat(name); err == nil {
		if err := plain(info, 0); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	w, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	began := f.clock.Elapsed()
	for {
		err := tryLock(w)
		if err == nil {
			return func() { _ = w.Close() }, nil // closing releases it
		}
		if !errors.Is(err, errLocked) {
			_ = w.Close()
			return nil, fmt.Errorf("this file system cannot lock files (%w); "+
				"keep the state on a local disk or in a bucket", err)
		}
		if f.clock.Elapsed()-began >= longestLock {
			_ = w.Close()
			return nil, fmt.Errorf("another process has been writing to this folder for %s; it may have been stopped", longestLock)
		}
		if err := f.clock.Sleep(ctx, lockWait); err != nil {
			_ = w.Close()
			return nil, err
		}
	}
}

func syncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(d), d.Close())
}

func (f *file) List(ctx context.Context, prefix string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		root, err := f.open(false)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(Item{}, f.fail(prefix, err))
			return
		}
		items, err := list(ctx, root.FS(), prefix)
		if err != nil {
			yield(Item{}, f.fail(prefix, err))
			return
		}
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// list returns the objects below a folder, sorted. One that is removed meanwhile may be left out; the others never are.
func list(ctx context.Context, fsys fs.FS, prefix string) ([]Item, error) {
	var items []Item
	start := path.Dir(prefix + "x") // the deepest folder that has all of them
	err := fs.WalkDir(fsys, start, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // gone since it was listed, or never there
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case strings.HasPrefix(d.Name(), ".") && name != ".":
			return nil // locks, temporary files, what others keep here
		case d.IsDir() || !strings.HasPrefix(name, prefix) || !validKey(name):
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := plain(info, 0); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		items = append(items, Item{Key: name, Size: info.Size()})
		return nil
	})
	slices.SortFunc(items, func(a, b Item) int { return strings.Compare(a.Key, b.Key) })
	return items, err
}

func (f *file) Remove(ctx context.Context, key string) error {
	if !validKey(key) {
		return fail(key, ErrDenied, errKey)
	}
	root, err := f.open(false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return f.fail(key, err)
	}
	unlock, err := f.lock(ctx, root, path.Dir(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return f.fail(key, err)
	}
	defer unlock()
	if err := root.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.fail(key, err)
	}
	return nil
}

// fail sorts an error of the file system into the five kinds.
func (f *file) fail(key string, err error) error {
	name := path.Join(f.dir, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(name, ErrAbsent, nil)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fail(name, ErrDenied, err)
	}
	return fail(name, ErrUnavailable, err)
}
