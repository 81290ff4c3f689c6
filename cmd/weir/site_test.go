package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/cmd/internal/cli"
	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

// site is a folder with a configuration and a simulator to run it against, for tests that need more than a script.
type site struct {
	t      *testing.T
	dir    string
	server *sim.Server
	env    map[string]string
	seen   int    // changing calls already looked at
	answer string // what a person types
}

// newSite copies an example into a folder of its own and serves the world. w nil: no simulator, as for --simulate.
func newSite(t *testing.T, example string, w *world.World) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), env: map[string]string{"NO_COLOR": "1", "WEIR_HOME": t.TempDir()}}
	if err := copyExample(s.dir, example); err != nil {
		t.Fatal(err)
	}
	if w != nil {
		s.serve(w)
	}
	return s
}

// copyExample copies examples/NAME into a folder. What a person who tried the example left there, its world and state, is no
// part of it.
func copyExample(to, name string) error {
	if err := os.CopyFS(to, os.DirFS(filepath.Join(repository, "examples", name))); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(to, ".weir"))
}

// serve starts the simulator and gives its variables to the program.
func (s *site) serve(w *world.World) { s.serveWith(sim.Options{World: w}) }

func (s *site) serveWith(o sim.Options) {
	s.t.Helper()
	server, err := sim.Start(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = server.Close() })
	s.server = server
	for _, kv := range server.Env() {
		name, value, _ := strings.Cut(kv, "=")
		s.env[name] = value
	}
}

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) read(name string) string {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

// rewrite replaces old, which must stand in the file once, by text.
func (s *site) rewrite(name, old, text string) {
	s.t.Helper()
	data := s.read(name)
	if strings.Count(data, old) != 1 {
		s.t.Fatalf("%s has %q %d times, want once", name, old, strings.Count(data, old))
	}
	s.write(name, strings.Replace(data, old, text, 1))
}

// run runs weir in this process and returns its exit code and what it printed.
func (s *site) run(args ...string) (code int, stdout, stderr string) {
	var out, progress bytes.Buffer
	app := &cli.App{
		Stdin: strings.NewReader(s.answer), Stdout: &out, Stderr: &lockedWriter{w: &progress}, Dir: s.dir, Now: time.Now, Random: randomness{}, Sleep: noWait,
		Env: func(name string) (string, bool) { v, ok := s.env[name]; return v, ok },
	}
	code = cli.Main(app, args)
	return code, out.String(), progress.String()
}

// weir runs weir, which must end with the exit code want, and returns its standard output.
func (s *site) weir(want int, args ...string) string {
	s.t.Helper()
	code, stdout, stderr := s.run(args...)
	if code != want {
		s.t.Fatalf("weir %s: exit code %d, want %d\n%s\n%s", strings.Join(args, " "), code, want, tail(stdout), tail(stderr))
	}
	return stdout
}

// empty fails the test unless a plan finds nothing to do.
func (s *site) empty(args ...string) {
	s.t.Helper()
	code, stdout, stderr := s.run(append([]string{"plan", "--detailed-exitcode"}, args...)...)
	if code != 0 || !strings.Contains(stdout, "No changes") {
		s.t.Fatalf("the plan is not empty: exit code %d\n%s\n%s", code, tail(stdout), tail(stderr))
	}
}

func (s *site) portal(edits ...any) {
	s.t.Helper()
	if err := s.server.Portal(edits...); err != nil {
		s.t.Fatal(err)
	}
}

// changes are the changing calls since the last look, a line each: vendor, method, path and operation.
func (s *site) changes() []string {
	all := s.server.Changing()
	var lines []string
	for _, e := range all[s.seen:] {
		lines = append(lines, fmt.Sprintf("%s %s %s %s", e.Vendor, e.Method, e.Path, e.Operation))
	}
	s.seen = len(all)
	return lines
}

// comparable is the world but for clock, generated ids and deleted items.
func (s *site) comparable() string {
	s.t.Helper()
	w := s.server.World()
	w.RLock()
	defer w.RUnlock()
	data, err := w.Comparable()
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

// noWait tries again at once what a run would wait for.
func noWait(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func tail(s string) string {
	if len(s) > 4000 {
		return "…" + s[len(s)-4000:]
	}
	return s
}
