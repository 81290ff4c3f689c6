package store

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// vanishing is a folder of which one file is gone once it was listed.
type vanishing struct {
	fstest.MapFS
	name string
}

func (v vanishing) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := v.MapFS.ReadDir(name)
	for i, e := range entries {
		if e.Name() == v.name {
			entries[i] = gone{e}
		}
	}
	return entries, err
}

type gone struct{ fs.DirEntry }

func (g gone) Info() (fs.FileInfo, error) {
	return nil, fmt.Errorf("%s: %w", g.Name(), fs.ErrNotExist)
}

// TestFileListWhileAnotherRemoves: what vanishes is left out, and nothing that comes after it.
func TestFileListWhileAnotherRemoves(t *testing.T) {
	files := fstest.MapFS{}
	for _, key := range []string{"t/a/head", "t/b/head", "t/b/log/0000000001", "t/c/head"} {
		files[key] = &fstest.MapFile{Data: []byte("x"), Mode: 0o600}
	}
	items, err := list(t.Context(), vanishing{files, "0000000001"}, "t/")
	var keys []string
	for _, item := range items {
		keys = append(keys, item.Key)
	}
	if err != nil || strings.Join(keys, " ") != "t/a/head t/b/head t/c/head" {
		t.Errorf("got %q, %v", keys, err)
	}
	if items, err := list(t.Context(), files, "x/"); err != nil || len(items) != 0 {
		t.Errorf("nothing there: %v, %v", items, err)
	}
}
