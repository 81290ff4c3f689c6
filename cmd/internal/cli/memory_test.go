package cli

import (
	"context"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/state"
)

func TestMemoryLimit(t *testing.T) {
	for live, want := range map[uint64]int64{
		0: 350 << 20, 100 << 20: 350 << 20, 260 << 20: 350 << 20, // a third more is still comfortable
		1000 << 20: 1_394_606_080, // never less than a third of room
	} {
		if got := memoryLimit(live); got < want || got > want+1<<10 {
			t.Errorf("%d MB live: limit %d, want %d", live>>20, got, want)
		}
	}
}

// TestEachCollection hangs if one of the collections is not told.
func TestEachCollection(t *testing.T) {
	told := make(chan struct{}, 1000)
	eachCollection(func() { told <- struct{}{} })
	for range 3 {
		runtime.GC()
		<-told
	}
}

// TestPlanLetsGoOfWhatWasRead: a plan lives until its apply has ended, which reads everything once more. Were what it was
// made from kept as long, an apply would take twice the memory of a plan.
func TestPlanLetsGoOfWhatWasRead(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "quickstart", "main.weir.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.weir.hcl"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(string) (string, bool) { return "", false }
	for _, name := range []string{"read in full", "gone on from what was kept"} {
		t.Run(name, func(t *testing.T) {
			a := &App{Stdout: io.Discard, Stderr: io.Discard, Env: env, Dir: dir, Now: time.Now, Random: rand.Reader, secrets: providers.Secrets()}
			w, err := a.open(context.Background(), configFlags{simulationFlags: simulationFlags{simulate: true, world: "quickstart"}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := w.close(); err != nil {
					t.Error(err)
				}
			}()
			var observation weak.Pointer[planner.Observation]
			var entries []weak.Pointer[directory.Entry]
			var held *directory.Entry
			plan, _, err := w.plan(context.Background(), planOptions{observed: func(_ *state.State, o *planner.Observation) {
				observation, held = weak.Make(o), o.Directory.Entries[0]
				for _, e := range o.Directory.Entries {
					entries = append(entries, weak.Make(e))
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			if base := plan.Parts[0].Proofs[0].Base != nil; base == (name == "read in full") {
				t.Fatalf("goes on from an earlier reading: %v", base)
			}
			left := func() (n int) {
				runtime.GC()
				for _, e := range entries {
					if e.Value() != nil {
						n++
					}
				}
				return n
			}
			// What is referred to is seen to be there.
			if n := left(); n != 1 {
				t.Errorf("the plan keeps %d of %d entries of the directory", n-1, len(entries)-1)
			}
			runtime.KeepAlive(held)
			if held = nil; left() != 0 || observation.Value() != nil {
				t.Error("the plan keeps what was read")
			}
			runtime.KeepAlive(plan)
		})
	}
}
