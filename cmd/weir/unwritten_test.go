package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdUnwritten runs weir and sees to it that state is byte for byte as it was; negated, that it is not.
func cmdUnwritten(ts *testscript.TestScript, neg bool, args []string) {
	before := stateDigest(ts.MkAbs(".weir/state"))
	cmdWeir(ts, false, args)
	if (before == stateDigest(ts.MkAbs(".weir/state"))) == neg {
		ts.Fatalf("weir %v: state was written: %t", args, !neg)
	}
}

// stateDigest stands for every name and byte below a folder.
func stateDigest(root string) string {
	h := sha256.New()
	folder := os.DirFS(root)
	_ = fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		data, _ := fs.ReadFile(folder, name)
		_, _ = fmt.Fprintf(h, "%s\x00%d\x00%s\x00", name, len(data), data)
		return nil
	})
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestStateDigest(t *testing.T) {
	root := t.TempDir()
	empty := stateDigest(root)
	if err := os.WriteFile(root+"/head", []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	one := stateDigest(root)
	if err := os.WriteFile(root+"/head", []byte("2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if two := stateDigest(root); one == empty || two == one {
		t.Error("a change of a state folder is not seen")
	}
}
