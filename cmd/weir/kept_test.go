package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/cmd/internal/cli"
	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
	"github.com/weir-project/weir/state/store"
)

// outage is state storage that goes away once broken says so, with an error of that kind for every write, or for the
// journal's alone.
type outage struct {
	store.Store
	broken  func() bool
	kind    error
	journal bool
}

func (o *outage) fails(key string) error {
	if o.broken() && (!o.journal || strings.Contains(key, "/log/")) {
		return fmt.Errorf("state object %s: %w", key, o.kind)
	}
	return nil
}

func (o *outage) Get(ctx context.Context, key string) ([]byte, store.Version, error) {
	if err := o.fails(key); err != nil && !o.journal {
		return nil, "", err
	}
	return o.Store.Get(ctx, key)
}

func (o *outage) Put(ctx context.Context, key string, body []byte, prev store.Version) (store.Version, error) {
	if err := o.fails(key); err != nil {
		return "", err
	}
	return o.Store.Put(ctx, key, body, prev)
}

func (s *site) unstored() []string {
	s.t.Helper()
	names, err := filepath.Glob(filepath.Join(s.env["WEIR_HOME"], "unstored", "[0-9a-f]*"))
	if err != nil {
		s.t.Fatal(err)
	}
	return names
}

// TestStorageGoesAwayInMidApply: the run stops and says where it kept what it did; the next one stores that, does the
// rest, and nothing twice.
func TestStorageGoesAwayInMidApply(t *testing.T) {
	t.Parallel()
	undisturbed := newSite(t, "quickstart", world.Quickstart())
	undisturbed.weir(0, "apply", "--auto-approve")
	want := undisturbed.lasting()
	for _, row := range []struct {
		name    string
		calls   int // after so many changing calls
		kind    error
		journal bool
		home    bool
	}{
		{"out of reach", 2, store.ErrUnavailable, false, true},
		{"no answers from the journal", 4, store.ErrAmbiguous, true, true},
		{"refused", 1, store.ErrDenied, true, true},
		{"refused later", 5, store.ErrDenied, true, true},
		{"refused, and no home to keep anything in", 2, store.ErrDenied, true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "quickstart", world.Quickstart())
			s.env["WEIR_STATE_TTL"] = "2s"
			if !row.home {
				delete(s.env, "WEIR_HOME")
			}
			var stdout, stderr bytes.Buffer
			app := &cli.App{
				Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &lockedWriter{w: &stderr}, Dir: s.dir, Now: time.Now, Random: randomness{}, Sleep: noWait,
				Env: func(name string) (string, bool) { v, ok := s.env[name]; return v, ok },
				AroundStore: func(inner store.Store) store.Store {
					return &outage{Store: inner, kind: row.kind, journal: row.journal, broken: func() bool { return len(s.server.Changing()) >= row.calls }}
				},
			}
			code := cli.Main(app, []string{"apply", "--auto-approve"})
			said := strings.Join(strings.Fields(stdout.String()+stderr.String()), " ")
			if code == 0 {
				t.Fatalf("exit code 0\n%s", said)
			}
			if got := strings.Contains(said, "what was done and could not be stored is kept in "+filepath.Join(s.env["WEIR_HOME"], "unstored")); got != row.home {
				t.Errorf("kept: %v\n%s", got, said)
			}
			if row.home && len(s.unstored()) == 0 {
				t.Error("nothing was kept")
			}
			code, out, progress := s.run("apply", "--auto-approve")
			if code != 0 {
				t.Fatalf("the next run: exit code %d\n%s\n%s", code, tail(out), tail(progress))
			}
			if got := strings.Contains(progress, "was kept on this machine, and is stored now"); got != row.home {
				t.Errorf("taken up: %v\n%s", got, progress)
			}
			if left := s.unstored(); row.home && len(left) > 0 {
				t.Errorf("left: %q", left)
			}
			s.credential()
			if got := s.lasting(); got != want {
				t.Errorf("not the world that an undisturbed run leaves:\n%s", firstDifference(want, got))
			}
			s.empty()
		})
	}
}

// TestWhatIsKeptIsAsReadableAsTheState: what lies on the machine names nobody where the state is encrypted, and does
// where it is not.
func TestWhatIsKeptIsAsReadableAsTheState(t *testing.T) {
	for name, block := range map[string]string{"plaintext": inPlaintext, "encrypted": byPassphrase} {
		t.Run(name, func(t *testing.T) {
			w := world.Quickstart()
			s := newSite(t, "quickstart", w)
			s.env["PASSPHRASE"] = "CANARY-passphrase" + awkward
			s.env["WEIR_STATE_TTL"] = "2s"
			s.rewrite("main.weir.hcl", "weir {\n  required_version = \">= 0.1\"\n}\n", "")
			s.keepState(block)
			added := func(e sim.Entry) bool { return e.Method == "POST" && strings.Contains(e.Path, "/users") }
			app := &cli.App{
				Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Dir: s.dir, Now: time.Now, Random: randomness{}, Sleep: noWait,
				Env: func(name string) (string, bool) { v, ok := s.env[name]; return v, ok },
				AroundStore: func(inner store.Store) store.Store {
					return &outage{Store: inner, kind: store.ErrDenied, journal: true, broken: func() bool { return slices.ContainsFunc(s.server.Changing(), added) }}
				},
			}
			if code := cli.Main(app, []string{"apply", "--auto-approve"}); code == 0 {
				t.Fatal("exit code 0")
			}
			h := haystack{}
			for name, data := range filesIn(t, filepath.Join(s.env["WEIR_HOME"], "unstored")) {
				h["file "+name] = data
			}
			if len(h) == 0 {
				t.Fatal("nothing was kept")
			}
			if named := len(scan(h, people(w))) > 0; named != (block == inPlaintext) {
				t.Errorf("people are named: %v", named)
			}
			if leaks := scan(h, append(w.Secrets(), s.env["PASSPHRASE"])); len(leaks) > 0 {
				t.Errorf("secrets: %v", leaks)
			}
			s.weir(0, "apply", "--auto-approve")
			s.empty()
		})
	}
}

// TestAnOlderStateFolder: a folder that was restored from an older copy is refused until somebody accepts it.
func TestAnOlderStateFolder(t *testing.T) {
	s := newSite(t, "quickstart", world.Quickstart())
	s.weir(0, "apply", "--auto-approve")
	folder := filepath.Join(s.dir, ".weir", "state", "t", "contoso")
	older := filesIn(t, folder)
	s.rewrite("main.weir.hcl", "= \"Contoso Ltd\"", "= \"Contoso Limited\"")
	s.weir(0, "apply", "--auto-approve")
	newest := filesIn(t, folder)
	s.changes()

	restore(t, folder, older)
	code, out, progress := s.run("plan")
	if said := out + progress; code == 0 || !strings.Contains(strings.Join(strings.Fields(said), " "), "--accept-older-state contoso") {
		t.Fatalf("exit code %d\n%s", code, said)
	}
	if code, _, _ := s.run("apply", "--auto-approve"); code == 0 {
		t.Error("it was applied")
	}
	if more := s.changes(); len(more) > 0 {
		t.Errorf("changing calls: %q", more)
	}
	restore(t, folder, newest)
	s.empty()
	restore(t, folder, older)
	s.weir(0, "apply", "--auto-approve", "--accept-older-state", "contoso")
	s.weir(0, "plan") // it is what was seen last

	restore(t, folder, older)
	delete(s.env, "WEIR_HOME")
	s.weir(0, "plan")
}

// filesIn are the files of a folder by name.
func filesIn(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		all[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// restore makes the folder's files those.
func restore(t *testing.T, folder string, want map[string][]byte) {
	t.Helper()
	now := filesIn(t, folder)
	for path := range maps.Keys(now) {
		if _, ok := want[path]; !ok {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	for path, data := range want {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
