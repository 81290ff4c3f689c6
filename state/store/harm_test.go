//go:build unix

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/weir-project/weir/state"
)

// TestDiskFull: with no room, or with too little for what is to be written, a run stops and what was there stays as it
// was; with room again the next run finds it. The disk is a small file system where one may be mounted, and otherwise a
// limit on the size of files, in a process of its own.
func TestDiskFull(t *testing.T) {
	if dir := os.Getenv("WEIR_TEST_FULL"); dir != "" {
		fullChild(dir)
		return
	}
	t.Run("a full file system", func(t *testing.T) {
		dir := t.TempDir()
		if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", dir).CombinedOutput(); err != nil {
			t.Skipf("nothing can be mounted here: %v: %s", err, out)
		}
		t.Cleanup(func() {
			if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
				t.Errorf("umount: %v: %s", err, out)
			}
		})
		url := "file://" + dir + "/state"
		l := acquire(t, small(t, url), "run-1")
		record(t, l, 1, 3)
		release(t, l)
		before := listing(t, opened(t, url))

		filler := filepath.Join(dir, "filler")
		if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("filling the disk: %v", err)
		}
		l, err := small(t, url).Acquire(t.Context(), Holder{Run: "run-2"}, options())
		if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrAmbiguous) {
			if err == nil {
				_ = l.Release(context.Background())
			}
			t.Fatalf("on a full disk: %v, want ErrUnavailable or ErrAmbiguous", err)
		}
		if after := listing(t, opened(t, url)); after != before {
			t.Errorf("it wrote:\n%s\nbefore:\n%s", after, before)
		}
		if temps, err := filepath.Glob(dir + "/state/t/contoso/*" + tempPrefix + "*"); err != nil || len(temps) > 0 {
			t.Errorf("left behind: %q %v", temps, err)
		}
		if n := objects(t, small(t, url)); n != 2 {
			t.Errorf("%d objects, want 2", n)
		}

		must(t, os.Remove(filler))
		l = acquire(t, small(t, url), "the twin")
		record(t, l, 3, 4)
		release(t, l)
		if n := objects(t, small(t, url)); n != 3 {
			t.Errorf("%d objects, want 3", n)
		}
	})
	t.Run("a limit on files", func(t *testing.T) {
		url := "file://" + t.TempDir() + "/state"
		l := acquire(t, small(t, url), "run-1")
		record(t, l, 1, 3)
		release(t, l)
		for _, row := range []struct {
			limit string
			want  string
			count int
		}{{"100", "refused", 2}, {"1000000", "recorded", 3}} {
			before := listing(t, opened(t, url))
			cmd := exec.Command(os.Args[0], "-test.run=^TestDiskFull$")
			cmd.Env = append(os.Environ(), "WEIR_TEST_FULL="+url, "WEIR_TEST_LIMIT="+row.limit)
			out, err := cmd.CombinedOutput()
			if got, _, _ := strings.Cut(string(out), "\n"); got != row.want {
				t.Errorf("with at most %s bytes a file: %q, want %s (%v)", row.limit, out, row.want, err)
			}
			if after := listing(t, opened(t, url)); (after == before) != (row.want == "refused") {
				t.Errorf("with at most %s bytes a file: changed: %v", row.limit, after != before)
			}
			if n := objects(t, small(t, url)); n != row.count {
				t.Errorf("with at most %s bytes a file: %d objects, want %d", row.limit, n, row.count)
			}
		}
	})
}

// small returns the tenant in a bucket that is not probed with large objects first.
func small(t testing.TB, url string) *Tenant {
	t.Helper()
	s, err := Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	tn := tenant(t, s, SystemClock())
	tn.b.probed = true
	return tn
}

// TestReadOnly: a folder that may not be written is left alone, and can be read.
func TestReadOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	url := "file://" + dir
	l := acquire(t, small(t, url), "run-1")
	record(t, l, 1, 3)
	release(t, l)
	before := listing(t, opened(t, url))
	undo := readOnly(t, dir)
	if _, err := small(t, url).Acquire(t.Context(), Holder{Run: "run-2"}, options()); !errors.Is(err, ErrDenied) {
		t.Errorf("acquire: %v, want ErrDenied", err)
	}
	if n := objects(t, small(t, url)); n != 2 {
		t.Errorf("%d objects are read, want 2", n)
	}
	undo()
	if after := listing(t, opened(t, url)); after != before {
		t.Errorf("it wrote:\n%s\nbefore:\n%s", after, before)
	}
	release(t, acquire(t, small(t, url), "the twin"))
}

// readOnly takes the right to write away: by modes, or from the superuser by a mount.
func readOnly(t *testing.T, dir string) (undo func()) {
	t.Helper()
	if os.Geteuid() == 0 {
		for _, args := range [][]string{{"--bind", dir, dir}, {"-o", "remount,bind,ro", dir}} {
			if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
				t.Skipf("the superuser may write everywhere, and nothing can be mounted here: %v: %s", err, out)
			}
		}
		return func() {
			if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
				t.Errorf("umount: %v: %s", err, out)
			}
		}
	}
	chmod := func(mode fs.FileMode) {
		must(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				return os.Chmod(name, mode)
			}
			return err
		}))
	}
	chmod(0o500)
	return func() { chmod(0o700) }
}

// fullChild tries one run under a limit on the size of files, and says how it went.
func fullChild(url string) {
	limit, err := strconv.ParseUint(os.Getenv("WEIR_TEST_LIMIT"), 10, 64)
	signal.Ignore(syscall.SIGXFSZ) // so that a write fails instead
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit})
	}
	if err != nil {
		fmt.Println("no limit:", err)
		os.Exit(1)
	}
	s, err := Open(context.Background(), url)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	b := NewBucket(s, Options{})
	b.probed = true
	tn, err := b.Tenant("contoso")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	l, err := tn.Acquire(context.Background(), Holder{Run: "run-2"}, options())
	if err == nil {
		err = l.Record(context.Background(), []state.Outcome{done(3)})
	}
	if err == nil {
		err = l.Release(context.Background())
	}
	if err != nil {
		fmt.Println("refused")
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("recorded")
	os.Exit(0)
}
