package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

// clone is another site with the same files, state and world, which goes its own way from here.
func (s *site) clone(t *testing.T) *site {
	t.Helper()
	var saved bytes.Buffer
	if err := s.server.World().Save(&saved); err != nil {
		t.Fatal(err)
	}
	w, err := world.Load(&saved)
	if err != nil {
		t.Fatal(err)
	}
	c := &site{t: t, dir: t.TempDir(), env: map[string]string{}}
	for name, value := range s.env {
		c.env[name] = value
	}
	c.env["WEIR_HOME"] = t.TempDir()
	for from, to := range map[string]string{s.dir: c.dir, s.env["WEIR_HOME"]: c.env["WEIR_HOME"]} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	c.serveWith(sim.Options{World: w})
	return c
}
