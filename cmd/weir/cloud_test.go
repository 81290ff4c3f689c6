package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

// TestGovernmentCloud: a directory in a cloud that Essentials does not support (R2) stops its tenant before anything is
// changed, in plan, apply and sync, also where all of it was applied before. The sign-in tells the cloud, so that no run
// asks anything more for it. The twin, in a supported part of the same cloud, is applied.
func TestGovernmentCloud(t *testing.T) {
	in := func(scope string) func(*site) {
		return inWorld(func(_ *world.World, t *world.Tenant, _ *world.Organization) { t.RegionSubScope = scope })
	}
	fresh := newSite(t, "quickstart", world.Quickstart())
	applied := newSite(t, "quickstart", world.Quickstart())
	applied.weir(0, "apply", "--auto-approve")
	applied.settle()
	applied.changes()
	for _, row := range []struct{ scope, says string }{
		{"DODCON", "the directory is in GCC High, which Essentials does not support (R2)"}, {"DOD", "Department of Defense, which Essentials does not support (R2)"}, {"GCC", ""},
	} {
		for name, base := range map[string]*site{"fresh": fresh, "applied": applied} {
			t.Run(row.scope+" "+name, func(t *testing.T) {
				s := base.clone(t)
				in(row.scope)(s)
				commands := [][]string{{"plan"}, {"apply", "--auto-approve"}, {"drift"}, {"explain", "kate@contoso.example"}}
				if name == "applied" {
					commands = append(commands, []string{"sync"})
				}
				for _, args := range commands {
					from := len(s.server.Journal())
					code, stdout, stderr := s.run(args...)
					said := strings.Join(strings.Fields(stdout+stderr), " ")
					if row.says == "" {
						if code == 1 || strings.Contains(said, "R2)") {
							t.Errorf("%v: exit code %d\n%s", args, code, tail(stdout+stderr))
						}
					} else if code != 1 || !strings.Contains(said, row.says) {
						t.Errorf("%v: exit code %d\n%s", args, code, tail(stdout+stderr))
					}
					// Every document that was asked for belongs to a sign-in, whose next call is for the token.
					alone := false
					for _, e := range s.server.Journal()[from:] {
						if e.Vendor != sim.Login {
							continue
						}
						if alone && e.Operation != "token" {
							break
						}
						alone = e.Operation == "openid-configuration"
					}
					if alone {
						t.Errorf("%v asked for the cloud alone", args)
					}
				}
				if changed := s.changes(); (len(changed) > 0) != (row.says == "" && name == "fresh") {
					t.Errorf("%d changes: %v", len(changed), changed)
				}
			})
		}
	}
	t.Run("approved before", func(t *testing.T) {
		s := fresh.clone(t)
		file := filepath.Join(t.TempDir(), "contoso.plan")
		s.weir(0, "plan", "--out", file)
		in("DODCON")(s)
		if _, stdout, stderr := s.run("apply", file); !strings.Contains(strings.Join(strings.Fields(stdout+stderr), " "), "in GCC High") {
			t.Errorf("%s", tail(stdout+stderr))
		}
		if changed := s.changes(); len(changed) > 0 {
			t.Errorf("%d changes: %v", len(changed), changed)
		}
		// The twin.
		in("GCC")(s)
		s.weir(0, "apply", file)
		if len(s.changes()) == 0 {
			t.Error("nothing was applied")
		}
	})
	t.Run("recorded", func(t *testing.T) {
		s := applied.clone(t)
		in("DODCON")(s)
		file := filepath.Join(t.TempDir(), "contoso.rec")
		s.weir(0, "record", file)
		in("")(s)
		if out := strings.Join(strings.Fields(s.weir(1, "plan", "--recording", file)), " "); !strings.Contains(out, "GCC High") {
			t.Errorf("the recording does not have it:\n%s", out)
		}
	})
}
