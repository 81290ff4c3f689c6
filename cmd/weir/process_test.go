package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// child is the program in a process of its own, with a witness inside.
type child struct {
	s      *site
	cmd    *exec.Cmd
	log    string
	output lockedBuffer
	ended  chan struct{}
	err    error // once ended is closed
	before int   // changing calls at the vendors before it began
}

// lockedBuffer may be read while a process writes to it.
type lockedBuffer struct{ lockedWriter }

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.w.String()
}

// start runs weir as a process. env is added to the site's.
func (s *site) start(env map[string]string, args ...string) *child {
	s.t.Helper()
	c := &child{s: s, log: filepath.Join(s.t.TempDir(), "points"), ended: make(chan struct{}), before: len(s.server.Changing())}
	c.output.w = new(bytes.Buffer)
	c.cmd = exec.Command("weir-process", args...)
	c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = s.dir, &c.output, &c.output
	c.cmd.Env = []string{pointsLog + "=" + c.log}
	for name, value := range s.env {
		c.cmd.Env = append(c.cmd.Env, name+"="+value)
	}
	for name, value := range env {
		c.cmd.Env = append(c.cmd.Env, name+"="+value)
	}
	if err := c.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() { c.err = c.cmd.Wait(); close(c.ended) }()
	s.t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // it has ended, unless the test failed on the way
		<-c.ended
	})
	return c
}

// wait waits for its end and returns its exit code, -1 when it was killed.
func (c *child) wait() int {
	<-c.ended
	var exit *exec.ExitError
	if c.err != nil && !errors.As(c.err, &exit) {
		c.s.t.Fatal(c.err)
	}
	return c.cmd.ProcessState.ExitCode()
}

// points are the names that it has passed so far.
func (c *child) points() []string {
	data, err := os.ReadFile(c.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		c.s.t.Fatal(err)
	}
	return strings.FieldsFunc(string(data), func(r rune) bool { return r == '\n' })
}

// quiet waits until the vendors are done with the calls that were under way when the process died: what a request that
// was sent does, it does before anybody asks again. One that never left never arrives, so the wait is bounded.
func (c *child) quiet() {
	begun := 0
	for _, name := range c.points() {
		if strings.HasPrefix(name, "vendor ") && strings.HasSuffix(name, ": before") {
			begun++
		}
	}
	for range 30 {
		if len(c.s.server.Changing())-c.before >= begun {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// killed runs weir until it is killed at a point, and reports whether it got there; if not, it came to a good end.
func (s *site) killed(at string, env map[string]string, args ...string) bool {
	s.t.Helper()
	all := map[string]string{pointAt: at, pointDo: "kill"}
	for name, value := range env {
		all[name] = value
	}
	c := s.start(all, args...)
	switch code := c.wait(); code {
	case -1:
		if len(c.points()) == 0 {
			s.t.Fatalf("the run died before it did anything\n%s", c.output.String())
		}
		c.quiet()
		return true
	case 0:
		return false
	default:
		s.t.Fatalf("the run ended by itself: %d\n%s", code, c.output.String())
	}
	return false
}

// distinct returns the names, each once, in the order of their first.
func distinct(names []string) []string {
	var out []string
	for _, name := range names {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// short says that a test keeps to its short form; WEIR_LONG asks for the long one.
func short() bool { return os.Getenv("WEIR_LONG") == "" }

// each runs a test of every name, side by side.
func each(t *testing.T, names []string, test func(t *testing.T, name string)) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, name)
		})
	}
}
