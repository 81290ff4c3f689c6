package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/weir-project/weir/"

// rules say which packages may not import which, and why. A package is named by its path below the module; "/..."
// stands for it and everything below.
var rules = []struct{ from, deny, reason string }{
	{"providers/resource", "", "the vocabulary rests on nothing"},
	{"providers/directory", "config/... state/... planner/... cmd/... providers/essentials/... providers/entra/... providers/exchange/... providers/sim/...", "structs that everybody shares rest on the vocabulary alone"},
	{"providers/directory/cache", "config/... state/... planner/... cmd/... providers/essentials/... providers/entra/... providers/exchange/... providers/sim/...", "what is kept of a directory depends neither on where it lies nor on who read it"},
	{"config", "state/... planner/... cmd/... providers/essentials/... providers/entra/... providers/exchange/... providers/dns/... providers/sim/...", "configuration is evaluated without knowing a vendor, a state or a plan"},
	{"state/...", "config/... planner/... cmd/... providers/essentials/... providers/entra/... providers/exchange/... providers/dns/... providers/sim/...", "what is remembered does not depend on who decides"},
	{"state", "state/store", "the value knows nothing of where it is kept"},
	{"state", "gocloud.dev/... github.com/Azure/...", "state imports no cloud driver"},
	{"state/keys", "state state/store", "keys know neither what they protect nor where it is kept"},
	{"planner/dirsync", "state/... config/... planner cmd/... providers/essentials/... providers/entra/... providers/exchange/... providers/sim/...", "decisions about accounts are pure and rest on the shared structs alone"},
	{"planner/dirsync/hosted", "state/... config/... planner planner/live planner/apply planner/fleet cmd/... providers/essentials/... providers/entra/... providers/exchange/... providers/sim/...", "what the vendor will do is predicted from the shared structs alone, and never from the simulator that it is tested against"},
	{"planner/...", "cmd/... providers providers/essentials/... providers/entra/... providers/exchange/... providers/dns/... providers/sim/... state/store", "the planner names no vendor: what a vendor knows reaches it as values"},
	{"planner", "planner/live planner/apply planner/fleet planner/doctor", "reading and doing come after deciding, and so does looking after what was decided"},
	{"providers/essentials/...", "config/... planner/... state/... cmd/... providers/entra/... providers/exchange/... providers/sim/...", "a provider speaks to its vendor and knows nobody who asks"},
	{"providers/entra/...", "config/... planner/... state/... cmd/... providers/essentials/... providers/exchange/... providers/sim/...", "a provider speaks to its vendor and knows nobody who asks"},
	{"providers/exchange/...", "config/... planner/... state/... cmd/... providers/essentials/... providers/entra/... providers/sim/...", "a provider speaks to its vendor and knows nobody who asks"},
	{"providers/dns/...", "config/... planner/... state/... cmd/... providers/essentials/... providers/entra/... providers/exchange/... providers/sim/...", "a provider speaks to its vendor and knows nobody who asks"},
	{"providers/sim/...", "config/... planner/... state/... cmd/... providers providers/resource providers/directory providers/essentials/... providers/entra/... providers/exchange/... providers/dns/... providers/internal/... providers/vendordata", "a simulator that shares the client's code shares its mistakes"},
	{"cmd/internal/review/...", "cmd/internal/cli config/... planner/... providers/... state/...", "a form knows what to ask, not what becomes of the answers"},
	{"cmd/internal/render/...", "cmd/internal/cli providers providers/sim/... state/store", "reports are made of plans and events, not of commands"},
}

// sole says which package alone may import something.
var sole = []struct{ deny, only, reason string }{
	{"charm.land/bubbletea/v2", "cmd/internal/review", "one package draws forms"},
	{"gocloud.dev/secrets/... filippo.io/age/... golang.org/x/crypto/scrypt", "state/keys", "one place protects keys"},
}

// listed is what go list says of one package.
type listed struct {
	ImportPath string
	Imports    []string
}

func TestImportsGoOneWay(t *testing.T) {
	packages := list(t)
	if len(packages) < 15 {
		t.Fatalf("go list named only %d packages", len(packages))
	}
	for _, p := range packages {
		for _, broken := range violations(p) {
			t.Error(broken)
		}
	}
}

// TestRulesCatchAPlantedCase shows that the check can fail: one forbidden import a rule.
func TestRulesCatchAPlantedCase(t *testing.T) {
	for _, r := range rules {
		for _, deny := range strings.Fields(r.deny) {
			target := strings.TrimSuffix(deny, "/...")
			if !strings.Contains(target, ".") {
				target = module + target
			}
			planted := listed{ImportPath: module + strings.TrimSuffix(r.from, "/..."), Imports: []string{target}}
			if len(violations(planted)) == 0 {
				t.Errorf("%s importing %s was not caught", planted.ImportPath, target)
			}
		}
	}
	for _, r := range sole {
		for _, deny := range strings.Fields(r.deny) {
			target := strings.TrimSuffix(deny, "/...")
			if len(violations(listed{ImportPath: module + "cmd/weir", Imports: []string{target}})) == 0 {
				t.Errorf("cmd/weir importing %s was not caught", target)
			}
			if broken := violations(listed{ImportPath: module + r.only, Imports: []string{target}}); len(broken) > 0 {
				t.Errorf("%s may import %s: %v", r.only, target, broken)
			}
		}
	}
	planted := listed{ImportPath: module + "providers/resource", Imports: []string{module + "config"}}
	if len(violations(planted)) == 0 {
		t.Error("the vocabulary importing config was not caught")
	}
}

func violations(p listed) []string {
	var out []string
	from := strings.TrimPrefix(p.ImportPath, module)
	for _, r := range rules {
		if !covers(r.from, from) {
			continue
		}
		for _, path := range p.Imports {
			local := strings.TrimPrefix(path, module)
			if r.deny == "" && local != path {
				out = append(out, from+" imports "+local+": "+r.reason)
			}
			for _, deny := range strings.Fields(r.deny) {
				// A package may import its own children and itself.
				if covers(deny, local) && !covers(strings.TrimSuffix(r.from, "/...")+"/...", local) {
					out = append(out, from+" imports "+local+": "+r.reason)
				}
				if r.from == "state" && deny == "state/store" && local == deny || r.from == "planner" && local == deny {
					out = append(out, from+" imports "+local+": "+r.reason)
				}
			}
		}
	}
	for _, r := range sole {
		for _, path := range p.Imports {
			for _, deny := range strings.Fields(r.deny) {
				if from != r.only && covers(deny, path) {
					out = append(out, from+" imports "+path+": only "+r.only+" may: "+r.reason)
				}
			}
		}
	}
	return out
}

func covers(pattern, path string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == base || strings.HasPrefix(path, base+"/")
	}
	return path == pattern
}

func list(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listed
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
