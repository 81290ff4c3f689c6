//go:build unix

package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

// terminal is a program in a real terminal, which tmux provides.
type terminal struct {
	t      *testing.T
	socket string
}

// inTerminal runs a shell command with the site's environment in a terminal of that size. The test is skipped where
// there is no tmux.
func inTerminal(s *site, columns, lines, command string) *terminal {
	s.t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		s.t.Skip("no tmux here, so no terminal to look at; the form itself is tested in cmd/internal/review")
	}
	term := &terminal{s.t, filepath.Join(s.t.TempDir(), "tmux")}
	cmd := exec.Command("tmux", "-S", term.socket, "-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", lines, command+
		`; code=$?; echo "terminal: $(stty -a | grep -oE -- '-?(icanon|echo) ' | tr -d '\n')exit $code"; sleep 600`)
	cmd.Dir = s.dir
	cmd.Env = append(cmd.Environ(), "TERM=xterm-256color")
	for name, value := range s.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("tmux: %v: %s", err, out)
	}
	s.t.Cleanup(func() { _ = exec.Command("tmux", "-S", term.socket, "kill-server").Run() })
	return term
}

func (x *terminal) tmux(args ...string) string {
	x.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", x.socket}, args...)...).CombinedOutput()
	if err != nil {
		x.t.Fatalf("tmux %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// press sends keys by tmux's names for them.
func (x *terminal) press(keys ...string) { x.tmux(append([]string{"send-keys"}, keys...)...) }

// see waits until the screen shows a text and returns the screen.
func (x *terminal) see(text string) string {
	x.t.Helper()
	screen := ""
	for range 1200 {
		if screen = x.tmux("capture-pane", "-p"); strings.Contains(screen, text) {
			return screen
		}
		time.Sleep(50 * time.Millisecond)
	}
	x.t.Fatalf("%q never came up:\n%s", text, screen)
	return ""
}

// TestReviewInATerminal: the form in a real terminal, resized on the way; what stayed ticked is applied, Ctrl-C changes
// nothing, and the terminal is given back as it was.
func TestReviewInATerminal(t *testing.T) {
	s := newSite(t, "quickstart", world.Quickstart())
	s.weir(0, "apply", "--auto-approve")
	s.empty()
	s.portal(`{"tenant": "contoso.example", "person": "kate@contoso.example", "remove": true}`, `{"tenant": "contoso.example", "person": "bob@contoso.example", "set": {"enabled": false}}`)
	s.changes()

	x := inTerminal(s, "100", "30", "weir-process apply --review")
	screen := x.see("Review: 2 of 2 items to be applied, 2 addresses stop receiving")
	for _, want := range []string{"▾ [x] Converting: 1", "[x] ~   bob@contoso.example", "▾ [x] Disabling: 1", "stops receiving: kate@contoso.example"} {
		if !strings.Contains(screen, want) {
			t.Errorf("%q is not there:\n%s", want, screen)
		}
	}
	if strings.Contains(screen, "\x1b") {
		t.Error("colour, with NO_COLOR set")
	}
	x.press("C-c")
	if screen := x.see("terminal: icanon echo exit 1"); !strings.Contains(screen, "nothing was changed") {
		t.Errorf("after Ctrl-C:\n%s", screen)
	}
	if got := s.changes(); len(got) > 0 {
		t.Errorf("Ctrl-C changed %v", got)
	}

	x = inTerminal(s, "100", "30", "weir-process apply --review")
	x.see("Review: 2 of 2")
	x.press("End", "Space")
	x.see("kate@contoso.example: leave out")
	x.tmux("resize-window", "-x", "60", "-y", "14")
	x.see("t  this time")
	x.press("t")
	x.see("[ ] ~   kate@contoso.example")
	x.press("Enter")
	x.see("left out: kate@contoso.example, this time")
	x.press("y")
	x.see("terminal: icanon echo exit 0")
	if got := s.changes(); len(got) != 1 {
		t.Errorf("applied %v, want bob alone", got)
	}
	if out := s.weir(2, "plan", "--detailed-exitcode"); !strings.Contains(out, "kate@contoso.example") || strings.Contains(out, "bob@contoso.example") {
		t.Errorf("left to do:\n%s", out)
	}
}
