package main

import (
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// Commands of scripts about recordings:
//
//	quiet               stop the simulator and take its variables and credentials out of the environment
//	swap FILE OLD NEW   replace every OLD in the file; it must occur
//	rest FILE           the last standard output, without its first line and the blank one after it, is FILE
func init() {
	commands["quiet"], commands["swap"], commands["rest"] = cmdQuiet, cmdSwap, cmdRest
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
