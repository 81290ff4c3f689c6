package cli

import (
	"context"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
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
			left := func() int { return alive(entries) }
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

// TestApplyLetsGoOfWhatWasRead: a takeover has a record for everybody, decides about many, and so reads the directory in full
// once more although it was kept. Each of these is as large as the directory itself, and none may stay beside the next.
func TestApplyLetsGoOfWhatWasRead(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "scale", "main.weir.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	const exemption = `
exemption "e" {
  tenant    = tenant.large
  addresses = ["nobody@customer-1.example"]
  reason    = "a block that may ask who is in the directory"
  owner     = "t@customer-1.example"
  expires   = "2099-01-01"
}
`
	for name, more := range map[string]string{"nothing else asks who is in the directory": "", "a block may ask": exemption} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "main.weir.hcl"), append(slices.Clone(text), more...), 0o600); err != nil {
				t.Fatal(err)
			}
			a := &App{Stdout: io.Discard, Stderr: io.Discard, Env: func(string) (string, bool) { return "", false }, Dir: dir, Now: time.Now, Random: rand.Reader, secrets: providers.Secrets()}
			ctx := context.Background()
			w, err := a.open(ctx, configFlags{simulationFlags: simulationFlags{simulate: true, world: "generate:users=1000,groups=5,seed=7,onboarded=true"}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := w.close(); err != nil {
					t.Error(err)
				}
			}()
			plan, _, err := w.plan(ctx, planOptions{})
			if err != nil {
				t.Fatal(err)
			}
			part := plan.Parts[0]
			links := weak.Make(&part.Accounts.Links[0])
			units, err := w.units()
			if err != nil {
				t.Fatal(err)
			}
			u := units[0]
			if u.connected, err = w.connect(u); err != nil {
				t.Fatal(err)
			}
			var entries []weak.Pointer[directory.Entry]
			left := func() int { return alive(entries) }
			read, readings := u.connected.Directory, 0
			u.connected.Directory = func(ctx context.Context) (*directory.Reading, error) {
				if readings++; readings == 2 {
					if n := left(); n > 0 {
						t.Errorf("%d of %d entries stay while the directory is read in full", n, len(entries))
					}
					if links.Value() != nil {
						t.Error("the adoptions of the plan stay while the directory is read again")
					}
				}
				reading, err := read(ctx)
				if err != nil {
					return nil, err
				}
				entries = entries[:0]
				for _, e := range reading.Entries {
					entries = append(entries, weak.Make(e))
				}
				return reading, nil
			}
			writes := &firstWrite{AccountWriter: u.connected.Writer, first: func() {
				if n := left(); n > 0 != (more != "") {
					t.Errorf("%d of %d entries stay while accounts are written", n, len(entries))
				}
			}}
			u.connected.Writer = writes
			done, err := w.applyUnit(ctx, u, part, applyFlags{}, planOptions{}, carried{}, a.progress(), nil)
			if err != nil || !done.report.Complete() {
				t.Fatalf("%v: %+v", err, done)
			}
			if written := done.report.Applied["convert"]; readings != 2 || len(entries) < 1000 || written == 0 || !writes.done {
				t.Errorf("%d readings of %d entries, %d accounts written", readings, len(entries), written)
			}
			runtime.KeepAlive(plan)
		})
	}
}

// firstWrite calls first before the first account is changed.
type firstWrite struct {
	directory.AccountWriter
	once  sync.Once
	first func()
	done  bool
}

func (w *firstWrite) Update(ctx context.Context, before, after *directory.Account) (*directory.Account, error) {
	w.once.Do(func() { w.first(); w.done = true })
	return w.AccountWriter.Update(ctx, before, after)
}

// alive counts the entries that somebody still refers to.
func alive(entries []weak.Pointer[directory.Entry]) (n int) {
	runtime.GC()
	for _, e := range entries {
		if e.Value() != nil {
			n++
		}
	}
	return n
}
