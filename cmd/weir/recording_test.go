package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
)

// Commands of scripts about recordings:
//
//	quiet               stop the simulator and take its variables and credentials out of the environment
//	swap FILE OLD NEW   replace every OLD in the file; it must occur
//	shape A B           two plans as events have the same items under whatever names: types, actions and numbers
//	hides FILE WORD…    no word is in the file, unpacked when it is a recording
//	rest FILE           the last standard output, without its first line and the blank one after it, is FILE
func init() {
	commands["quiet"], commands["swap"], commands["rest"] = cmdQuiet, cmdSwap, cmdRest
	commands["shape"], commands["hides"] = cmdShape, cmdHides
}

func cmdShape(ts *testscript.TestScript, neg bool, args []string) {
	shape := func(name string) string {
		var items []string
		for line := range strings.Lines(ts.ReadFile(name)) {
			var event struct {
				Type   string `json:"type"`
				Change struct {
					Action   string `json:"action"`
					Reason   string `json:"reason"`
					Resource struct {
						Type string `json:"resource_type"`
					} `json:"resource"`
					Weir struct {
						Action string `json:"action"`
						Cause  string `json:"cause"`
						Held   string `json:"held"`
					} `json:"weir"`
				} `json:"change"`
				Changes json.RawMessage `json:"changes"`
			}
			ts.Check(json.Unmarshal([]byte(line), &event))
			if event.Type == "planned_change" || event.Type == "resource_drift" || event.Type == "change_summary" {
				items = append(items, fmt.Sprintf("%s %+v %s", event.Type, event.Change, event.Changes))
			}
		}
		slices.Sort(items)
		if len(items) < 3 {
			ts.Fatalf("%s has %d items only", name, len(items))
		}
		return strings.Join(items, "\n")
	}
	if a, b := shape(args[0]), shape(args[1]); (a == b) == neg {
		ts.Fatalf("%s:\n%s\n%s:\n%s", args[0], a, args[1], b)
	}
}

func cmdHides(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile(args[0])
	if packed, ok := strings.CutPrefix(text, "weir-recording\n"); ok {
		z, err := zstd.NewReader(strings.NewReader(packed))
		ts.Check(err)
		defer z.Close()
		var b strings.Builder
		_, err = z.WriteTo(&b)
		ts.Check(err)
		text = b.String()
	}
	for _, word := range args[1:] {
		if strings.Contains(text, word) != neg {
			ts.Fatalf("%q in %s: %v", word, args[0], !neg)
		}
	}
}

func cmdQuiet(ts *testscript.TestScript, _ bool, _ []string) {
	s := scriptOf(ts)
	for _, kv := range serverOf(ts).Env() {
		name, _, _ := strings.Cut(kv, "=")
		ts.Setenv(name, "")
	}
	s.stop()
	s.server = nil
}

func cmdSwap(ts *testscript.TestScript, _ bool, args []string) {
	data := ts.ReadFile(args[0])
	if len(args) != 3 || !strings.Contains(data, args[1]) {
		ts.Fatalf("swap FILE OLD NEW: %q is not in %s", args[1], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(data, args[1], args[2])), 0o600))
}

func cmdRest(ts *testscript.TestScript, neg bool, args []string) {
	_, rest, ok := strings.Cut(ts.ReadFile("stdout.txt"), "\n\n")
	if want := ts.ReadFile(args[0]); !ok || (rest == want) == neg {
		ts.Fatalf("the output after its first line:\n%s\n%s:\n%s", rest, args[0], want)
	}
}
