//go:build unix

package main

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

// TestInterruptedTwice: a run that is interrupted gives its tenant back, for as long as that may take while state storage
// is away; interrupted again it leaves at once, and the next run goes on from there all the same.
func TestInterruptedTwice(t *testing.T) {
	t.Parallel()
	again := func(s *site, c *child, _ string) {
		if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name    string
		ignored bool // as in the background of a script
		second  func(s *site, c *child, away string)
		code    int
	}{
		{"again", false, again, 130},
		{"again, started where interrupts are ignored", true, again, 130},
		{"storage is back", false, func(s *site, _ *child, away string) {
			if err := os.Remove(away); err != nil {
				s.t.Fatal(err)
			}
		}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "quickstart", world.Quickstart())
			s.env["WEIR_STATE_TTL"] = "10m" // longer than any test waits
			away := filepath.Join(t.TempDir(), "away")
			at := "contoso: journal done create tenant.contoso: after"
			if row.ignored {
				signal.Ignore(syscall.SIGINT) // children begin with that
				t.Cleanup(func() { signal.Reset(syscall.SIGINT) })
			}
			c := s.start(map[string]string{pointAt: at, pointDo: "sleep 2s", storageOut: away}, "apply", "--auto-approve")
			until(t, c, func() bool { return slices.Contains(c.points(), at) })
			if err := errors.Join(os.WriteFile(away, nil, 0o600), c.cmd.Process.Signal(syscall.SIGINT)); err != nil {
				t.Fatal(err)
			}
			until(t, c, func() bool { return strings.Contains(c.output.String(), "Interrupt again to leave at once") })
			select {
			case <-c.ended:
				t.Fatalf("it ended with the storage away and no second interrupt:\n%s", tail(c.output.String()))
			case <-time.After(300 * time.Millisecond): // it goes on trying
			}
			row.second(s, c, away)
			if code := c.wait(); code != row.code {
				t.Errorf("exit code %d, want %d\n%s", code, row.code, tail(c.output.String()))
			}
			_ = os.Remove(away)
			if !s.kept() {
				t.Error("the plan is not kept")
			}
			s.weir(0, "apply", "--resume")
			s.empty()
		})
	}
}

// until waits for a condition while the child runs.
func until(t *testing.T, c *child, ok func() bool) {
	t.Helper()
	for range 3000 {
		if ok() {
			return
		}
		select {
		case <-c.ended:
			t.Fatalf("it ended early: %v\n%s", c.err, tail(c.output.String()))
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatalf("it did not happen:\n%s", tail(c.output.String()))
}
