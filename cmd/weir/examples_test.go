package main

import (
	"os"
	"path/filepath"
	"testing"
)

// exampleWorlds names the world that each example is made for.
var exampleWorlds = map[string]string{"quickstart": "quickstart", "msp": "msp", "scale": "generate:users=2000,groups=50,seed=7,onboarded=true"}

// TestExamples: each example, copied into an empty folder, plans, applies and is done, with nothing but --simulate.
func TestExamples(t *testing.T) {
	examples, err := os.ReadDir(filepath.Join(repository, "examples"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range examples {
		t.Run(e.Name(), func(t *testing.T) {
			simulated := []string{"--simulate", "--world", exampleWorlds[e.Name()]}
			if simulated[2] == "" {
				t.Fatalf("say in exampleWorlds which world examples/%s is made for", e.Name())
			}
			s := newSite(t, e.Name(), nil)
			s.weir(0, append([]string{"validate"}, simulated...)...)
			s.weir(2, append([]string{"plan", "--detailed-exitcode"}, simulated...)...)
			s.weir(0, append([]string{"apply", "--auto-approve"}, simulated...)...)
			s.empty(simulated...)
			s.weir(0, append([]string{"drift"}, simulated...)...)
		})
	}
}
