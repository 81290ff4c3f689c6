package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

// holder holds the one call that a latency fault meets until it is let go.
type holder struct{ held, letgo chan struct{} }

func (h *holder) sleep(context.Context, time.Duration) {
	close(h.held)
	<-h.letgo
}

// killAt applies the quick start in a process of its own and kills it, with no warning, when its changing call number n
// (from 0) is on the way; the calls before it were answered. happens says whether the vendor carries that call out all
// the same. It returns the call that was under way, "" when the run came to its end before it.
func (s *site) killAt(h *holder, n int, happens bool) string {
	s.t.Helper()
	changing := true
	rule := sim.Rule{ID: "kill", Changing: &changing, After: n, Times: 1, Action: sim.Action{Latency: sim.Duration(time.Hour)}}
	if !happens {
		rule.Action.Drop = "before"
	}
	if err := s.server.Fault(rule); err != nil {
		s.t.Fatal(err)
	}
	var output bytes.Buffer
	cmd := exec.Command("weir-process", "apply", "--auto-approve")
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, &output, &output
	for name, value := range s.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-h.held:
	case err := <-ended:
		if err != nil {
			s.t.Fatalf("the run ended by itself: %v\n%s", err, &output)
		}
		s.server.ClearFaults()
		return ""
	}
	if happens {
		time.Sleep(20 * time.Millisecond) // the call's body may still be on its way, and would be lost with the process
	}
	if err := cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	if err := <-ended; err == nil {
		s.t.Error("the process ended well although it was killed")
	}
	close(h.letgo)
	// The vendor finishes what it was doing before anybody asks again.
	for {
		journal := s.server.Journal()
		if i := slices.IndexFunc(journal, func(e sim.Entry) bool { return e.Fault == "kill" }); i >= 0 {
			s.server.ClearFaults()
			return fmt.Sprintf("%s %s → %d", journal[i].Method, journal[i].Path, journal[i].Status)
		}
		time.Sleep(time.Millisecond)
	}
}

// newHeldSite is the quick start with a simulator that can hold one call.
func newHeldSite(t *testing.T) (*site, *holder) {
	t.Helper()
	h := &holder{held: make(chan struct{}), letgo: make(chan struct{})}
	s := newSite(t, "quickstart", nil)
	s.serveWith(sim.Options{World: world.Quickstart(), Sleep: h.sleep})
	// Far longer than any test: the next run takes over because the other is certainly dead.
	s.env["WEIR_STATE_TTL"] = "10m"
	return s, h
}

// TestKilledAnywhere: whatever call a killed run was making, and whether the vendor carried it out or not, a plain apply
// ends in the same world as a run that nobody killed: nothing twice, one credential, and it is the one in use.
func TestKilledAnywhere(t *testing.T) {
	undisturbed := newSite(t, "quickstart", world.Quickstart())
	undisturbed.weir(0, "apply", "--auto-approve")
	want, calls := undisturbed.lasting(), len(undisturbed.changes())
	for n := range calls {
		for _, happens := range []bool{true, false} {
			if !happens && n%3 != 0 {
				continue // the next call's twin has much the same past
			}
			t.Run(fmt.Sprintf("call %d, happens %t", n, happens), func(t *testing.T) {
				t.Parallel()
				s, h := newHeldSite(t)
				t.Logf("killed in %s", s.killAt(h, n, happens))
				s.weir(0, "apply", "--auto-approve")
				s.credential()
				if got := s.lasting(); got != want {
					t.Errorf("not the world that an undisturbed run leaves:\n%s", firstDifference(want, got))
				}
				s.changes()
				s.empty()
				s.settle()
				s.empty()
				s.weir(0, "drift")
				if more := s.changes(); len(more) > 0 {
					t.Errorf("reading made changing calls: %q", more)
				}
			})
		}
	}
}

// TestKilledWhileRotating: a run that replaces the client secret is killed in each of its calls. Whatever it left, the
// next run ends with one credential, the one in use.
func TestKilledWhileRotating(t *testing.T) {
	for n, call := range []string{"/addPassword", "/settings/azure", "/removePassword"} {
		for _, happens := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, happens %t", call[1:], happens), func(t *testing.T) {
				t.Parallel()
				s, h := newHeldSite(t)
				s.weir(0, "apply", "--auto-approve")
				before := s.credential()
				want := s.lasting()
				if err := s.server.SetClock(before.End.AddDate(0, 0, -40)); err != nil {
					t.Fatal(err)
				}
				s.weir(2, "plan", "--detailed-exitcode")
				if got := s.killAt(h, n, happens); !strings.Contains(got, call) {
					t.Fatalf("killed in %s, want %s", got, call)
				}
				s.weir(0, "apply", "--auto-approve")
				if s.credential().KeyID == before.KeyID {
					t.Error("the secret was not replaced")
				}
				if got := s.lasting(); got != want {
					t.Errorf("not the world that was:\n%s", firstDifference(want, got))
				}
				s.empty()
				s.settle()
				s.empty()
			})
		}
	}
}
