package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func putBlob(ctx context.Context, tn *Tenant, name string, body []byte) error {
	b, err := tn.OpenBlobs(ctx)
	if err != nil {
		return err
	}
	return b.Put(ctx, name, body)
}

func getBlob(ctx context.Context, tn *Tenant, name string) ([]byte, error) {
	b, err := tn.OpenBlobs(ctx)
	if err != nil {
		return nil, err
	}
	return b.Get(ctx, name)
}

// TestFolder: objects beside an unencrypted state are this user's alone, created once and listed without what is in
// folders below.
func TestFolder(t *testing.T) {
	root := filepath.Join(t.TempDir(), "directory")
	dir := filepath.Join(root, "contoso")
	all := OpenFolder(root)
	t.Cleanup(func() { _ = all.Close() })
	f := all.Of("contoso")
	ctx := t.Context()
	if names, err := f.List(ctx); err != nil || len(names) != 0 {
		t.Errorf("before the first: %q, %v", names, err)
	}
	if err := f.Remove(ctx, "a"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("reading made the folder: %v", err)
	}
	for _, name := range []string{"b", "a"} {
		if err := f.Put(ctx, name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Put(ctx, "a", []byte("other")); !errors.Is(err, ErrConflict) {
		t.Errorf("a second of one name: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sub", "c"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if names, err := f.List(ctx); err != nil || !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("%q, %v", names, err)
	}
	if names, err := all.Of("contos").List(ctx); err != nil || len(names) != 0 {
		t.Errorf("another tenant has %q, %v", names, err)
	}
	info, err := os.Stat(filepath.Join(dir, "a"))
	if err != nil || posixModes && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if body, err := f.Get(ctx, "a"); err != nil || string(body) != "a" {
		t.Errorf("%q, %v", body, err)
	}
	if err := f.Remove(ctx, "a"); err != nil {
		t.Error(err)
	}
	if _, err := f.Get(ctx, "a"); !errors.Is(err, ErrAbsent) {
		t.Errorf("after its removal: %v", err)
	}
}
