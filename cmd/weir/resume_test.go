package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kept reports whether a plan is kept for --resume.
func (s *site) kept() bool {
	s.t.Helper()
	info, err := os.Stat(filepath.Join(s.dir, ".weir", "resume.plan"))
	if err == nil && info.Mode().Perm() != 0o600 {
		s.t.Errorf("others can read the kept plan: %v", info.Mode())
	}
	return err == nil
}

// TestResumedAtEachPoint: `kill -9` at each named point of a run, then the plan that was approved is taken up again. All
// of it still counts as reviewed, whatever the killed run left half done, and the end is that of an undisturbed run. A
// run that was killed before its plan was kept changed nothing.
func TestResumedAtEachPoint(t *testing.T) {
	in := files()
	for _, h := range histories {
		t.Run(h.name, func(t *testing.T) {
			want, points := undisturbed(t, in, h)
			if short() {
				var chosen []string
				for i, name := range points {
					if i%(4*every) == 0 {
						chosen = append(chosen, name)
					}
				}
				points = chosen
			}
			each(t, points, func(t *testing.T, name string) {
				s := ready(t, in, h)
				since := len(s.server.Changing())
				if !s.killed(name, nil, "apply", "--auto-approve") {
					t.Fatal("the run came to its end and never got there")
				}
				if !s.kept() {
					if more := len(s.server.Changing()) - since; more > 0 {
						t.Errorf("%d changing calls before the plan was kept", more)
					}
					s.weir(1, "apply", "--resume")
					return
				}
				out := s.weir(0, "apply", "--resume")
				if !strings.Contains(out, " done before") {
					t.Errorf("it does not say what was done before:\n%s", tail(out))
				}
				if s.kept() {
					t.Error("the plan was carried out and is still kept")
				}
				for _, w := range s.wrong(in, want, since) {
					t.Error(w)
				}
			})
		})
	}
}
