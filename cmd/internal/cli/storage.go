package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/weir-project/weir/state/store"
)

// bucket opens state storage.
func (a *App) bucket(ctx context.Context, url string, o store.Options) (*store.Bucket, error) {
	s, err := store.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	if a.AroundStore != nil {
		s = a.AroundStore(s)
	}
	return store.NewBucket(s, o), nil
}

// process is by what others tell whether this run is dead.
func (a *App) process() store.Process {
	if a.Process == nil {
		return store.ThisProcess()
	}
	return a.Process()
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
