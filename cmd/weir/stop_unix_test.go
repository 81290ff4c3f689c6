//go:build unix

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stop halts this process until somebody lets it go on.
func stop() {
	if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
		panic(err)
	}
	// This thread may run on for a moment before the signal reaches it. It must not get any further; when the process goes
	// on, the time is over.
	time.Sleep(100 * time.Millisecond)
}

// TestStoppedAndRobbed: a process that is stopped for three times the time after which a silent run counts as dead, while
// another run takes over and finishes, begins nothing when it goes on, wherever it was: state storage and the vendors see
// no change by it.
func TestStoppedAndRobbed(t *testing.T) {
	t.Parallel()
	in := files()
	want, points := undisturbed(t, in, histories[0])
	at := []string{
		"contoso: journal intent create domain.mail: before", "vendor POST /v1.0/applications/{id}/addPassword: before",
		"vendor POST /us1/api/v1/orgs/contoso.example/users: before", "contoso: run record: before",
	}
	if !short() {
		at = slices.DeleteFunc(points, func(name string) bool {
			return !strings.HasPrefix(name, "contoso: journal") && !strings.HasPrefix(name, "vendor ") || strings.HasPrefix(name, "vendor ") && strings.HasSuffix(name, ": after")
		})
	}
	each(t, at, func(t *testing.T, name string) {
		s := ready(t, in, histories[0])
		s.env["WEIR_STATE_TTL"] = stopTTL.String()
		c := s.start(map[string]string{pointAt: name, pointDo: "stop"}, "apply", "--auto-approve")
		c.halted()
		stopped, sent := time.Now(), c.underWay(name)
		s.weir(0, "apply", "--auto-approve")
		time.Sleep(time.Until(stopped.Add(3 * stopTTL)))
		before, calls := s.objects(in), len(s.server.Changing())
		if err := c.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if code := c.wait(); code == 0 {
			t.Errorf("a run that lost its tenant ended well:\n%s", c.output.String())
		}
		for _, e := range s.server.Changing()[calls:] {
			if !slices.ContainsFunc(sent, func(n string) bool { return strings.Contains(n, e.Path) || strings.Contains(n, e.Operation) }) {
				t.Errorf("it made the call %s %s %s", e.Vendor, e.Method, e.Path)
			}
		}
		after := s.objects(in)
		for key, body := range after {
			// A part of a snapshot or a record that was on its way lands, and no head names it.
			underWay := strings.Contains(name, "snapshot") && strings.Contains(key, "/snap/") || strings.Contains(name, "run record") && strings.Contains(key, "/runs/")
			if was, ok := before[key]; ok && was != body || !ok && !underWay {
				t.Errorf("it wrote %s", key)
			}
		}
		for _, w := range s.wrong(in, want, 0) {
			t.Error(w)
		}
	})
}

// underWay are the calls, but for the one at the point, that the process had begun and has no answer to: their last bytes
// may leave when it goes on.
func (c *child) underWay(at string) []string {
	count := map[string]int{}
	for _, name := range c.points() {
		if call, ok := strings.CutSuffix(name, ": before"); ok && name != at {
			count[call]++
		} else if call, ok := strings.CutSuffix(name, ": after"); ok {
			count[call]--
		}
	}
	var out []string
	for call, n := range count {
		if n > 0 && strings.HasPrefix(call, "vendor ") {
			out = append(out, call)
		}
	}
	return out
}

// TestStoppedForAMoment: the twin. Stopped for less than that time, a run goes on and finishes.
func TestStoppedForAMoment(t *testing.T) {
	t.Parallel()
	in := files()
	want, _ := undisturbed(t, in, histories[0])
	each(t, []string{"contoso: journal intent create domain.mail: before", "vendor New-TransportRule: before", "contoso: journal done create tenant.contoso: before"}, func(t *testing.T, name string) {
		s := ready(t, in, histories[0])
		s.env["WEIR_STATE_TTL"] = "10s"
		c := s.start(map[string]string{pointAt: name, pointDo: "stop"}, "apply", "--auto-approve")
		c.halted()
		time.Sleep(time.Second)
		if err := c.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if code := c.wait(); code != 0 {
			t.Fatalf("exit code %d\n%s", code, c.output.String())
		}
		for _, w := range s.wrong(in, want, 0) {
			t.Error(w)
		}
	})
}

// stopTTL is short, because three times as long is waited; and long enough for a busy machine.
const stopTTL = 6 * time.Second

// halted waits until the process has stopped itself.
func (c *child) halted() {
	c.s.t.Helper()
	for {
		select {
		case <-c.ended:
			c.s.t.Fatalf("the run came to its end and never got there\n%s", c.output.String())
		default:
		}
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid)); err == nil {
			_, rest, _ := strings.Cut(string(stat), ") ")
			if strings.HasPrefix(rest, "T") {
				return
			}
		} else {
			c.s.t.Skipf("no way to see here whether a process is stopped (%v)", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
