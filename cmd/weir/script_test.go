package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weir-project/weir/cmd/internal/cli"
	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

func TestMain(m *testing.M) {
	// "weir" itself is a command of the scripts; this is the program as a process, for scripts and
	// tests that kill it.
	testscript.Main(sideBySide{m}, map[string]func(){"weir-process": process, "scale-bare": scaleBare, "scale-people": scalePeople})
}

// sideBySide runs more tests at a time than there are processors, unless -parallel says how many: most of them wait, for
// processes that are killed and leases that run out.
type sideBySide struct{ *testing.M }

// Run implements testscript.TestingM.
func (m sideBySide) Run() int {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", strconv.Itoa(max(4, 2*runtime.GOMAXPROCS(0)))); err != nil {
			panic(err) // the flag is package testing's
		}
	}
	return m.M.Run()
}

// TestScripts runs testdata/script/*.txtar through the program's real entry point, against simulators on loopback TLS.
// Besides testscript's own commands there are:
//
//	weir [CODE] ARGS…      run weir; CODE is the exit code expected, 0 when left out. ANSWER is what a person types, with
//	                       \n between the lines
//	sim WORLD              start a simulator (quickstart, msp, generate:SPEC) and put its variables in the environment
//	portal EDIT…           make changes by hand in the simulated portals
//	fault RULE…            put fault rules in force; with no rule, lift all
//	clock DURATION         move the world's clock
//	dump FILE              write the comparable world to FILE
//	nochange / changes N   the number of changing calls since the last look is 0 / N ("+" for at least one)
//	example NAME           copy examples/NAME into the working folder
//
// and those of commands and watchCommands.
func TestScripts(t *testing.T) {
	all := map[string]func(*testscript.TestScript, bool, []string){
		"weir": cmdWeir, "sim": cmdSim, "portal": cmdPortal, "fault": cmdFault, "clock": cmdClock, "dump": cmdDump,
		"changes": cmdChanges, "nochange": func(ts *testscript.TestScript, neg bool, _ []string) { cmdChanges(ts, neg, []string{"0"}) },
		"example": cmdExample,
	}
	maps.Copy(all, commands)
	maps.Copy(all, watchCommands)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			s := &script{}
			env.Values[scriptKey{}] = s
			env.Defer(s.close)
			env.Setenv("NO_COLOR", "1")
			env.Setenv("WEIR_STATE_TTL", "10s")
			home, err := os.MkdirTemp("", "weir-home-")
			if err != nil {
				return err
			}
			env.Setenv("WEIR_HOME", home)
			env.Defer(func() { _ = os.RemoveAll(home) })
			return nil
		},
		Cmds: all,
	})
}

type scriptKey struct{}

// script is what one script has running.
type script struct {
	server *sim.Server
	seen   int          // changing calls already looked at
	calls  int          // calls of any kind already looked at
	watch  *watch       // whose mail must go on arriving; nil for nobody's
	asked  int64        // number of the last call that requests has looked at
	letgo  func() error // gives back the tenant that another run holds; nil when none does
}

func (s *script) close() {
	if s.letgo != nil {
		_ = s.letgo()
	}
	s.stop()
}

// stop ends the simulator.
func (s *script) stop() {
	if s.server != nil {
		_ = s.server.Close()
	}
}

func scriptOf(ts *testscript.TestScript) *script { return ts.Value(scriptKey{}).(*script) }

func serverOf(ts *testscript.TestScript) *sim.Server {
	s := scriptOf(ts)
	if s.server == nil {
		ts.Fatalf("start a simulator first: sim WORLD")
	}
	return s.server
}

var number = regexp.MustCompile(`^[0-9]+$`)

func cmdWeir(ts *testscript.TestScript, neg bool, args []string) {
	want := 0
	if len(args) > 0 && number.MatchString(args[0]) {
		want, _ = strconv.Atoi(args[0])
		args = args[1:]
	}
	if neg {
		ts.Fatalf("write the exit code: weir CODE ARGS…")
	}
	var stdout, stderr bytes.Buffer
	app := &cli.App{
		Stdin: strings.NewReader(strings.ReplaceAll(ts.Getenv("ANSWER"), `\n`, "\n") + "\n"), Stdout: &stdout, Stderr: &lockedWriter{w: &stderr},
		Env: func(name string) (string, bool) { v := ts.Getenv(name); return v, v != "" },
		Dir: ts.MkAbs("."), Now: time.Now, Random: randomness{}, Sleep: noWait, StdinTTY: ts.Getenv("ANSWER") != "",
	}
	s := scriptOf(ts)
	if s.watch != nil {
		app.AroundVendors = s.watch.around
	}
	code := cli.Main(app, args)
	_, _ = ts.Stdout().Write(stdout.Bytes())
	_, _ = ts.Stderr().Write(stderr.Bytes())
	ts.Check(os.WriteFile(ts.MkAbs("stdout.txt"), stdout.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("stderr.txt"), stderr.Bytes(), 0o600))
	if code != want {
		ts.Fatalf("exit code %d, want %d\n[stdout]\n%s[stderr]\n%s", code, want, stdout.String(), stderr.String())
	}
	s.watch.check(ts)
}

// lockedWriter lets tenants report progress at the same time.
type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func builtinWorld(name string) (*world.World, error) {
	switch {
	case name == "quickstart":
		return world.Quickstart(), nil
	case name == "msp":
		return world.MSP(), nil
	case strings.HasPrefix(name, "generate:"):
		spec, err := world.ParseSpec(strings.TrimPrefix(name, "generate:"))
		if err != nil {
			return nil, err
		}
		return world.Generate(spec)
	}
	return nil, fmt.Errorf("no world %q", name)
}

func cmdSim(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: sim WORLD")
	}
	w, err := builtinWorld(args[0])
	ts.Check(err)
	server, err := sim.Start(sim.Options{World: w})
	ts.Check(err)
	s := scriptOf(ts)
	s.stop()
	s.server, s.seen = server, 0
	for _, kv := range server.Env() {
		name, value, _ := strings.Cut(kv, "=")
		ts.Setenv(name, value)
	}
}

func cmdPortal(ts *testscript.TestScript, neg bool, args []string) {
	for _, edit := range args {
		err := serverOf(ts).Portal(edit)
		if neg == (err == nil) {
			ts.Fatalf("portal %s: %v", edit, err)
		}
	}
}

func cmdFault(ts *testscript.TestScript, _ bool, args []string) {
	server := serverOf(ts)
	server.ClearFaults()
	for _, text := range args {
		var rule sim.Rule
		d := json.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		ts.Check(d.Decode(&rule))
		ts.Check(server.Fault(rule))
	}
}

func cmdClock(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	ts.Check(serverOf(ts).Advance(d))
}

func cmdDump(ts *testscript.TestScript, _ bool, args []string) {
	w := serverOf(ts).World()
	w.RLock()
	defer w.RUnlock()
	data, err := w.Comparable()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

func cmdChanges(ts *testscript.TestScript, neg bool, args []string) {
	s, server := scriptOf(ts), serverOf(ts)
	all := server.Changing()
	fresh := all[s.seen:]
	s.seen = len(all)
	ok := strconv.Itoa(len(fresh)) == args[0] || args[0] == "+" && len(fresh) > 0
	if ok == neg {
		var lines []string
		for _, e := range fresh {
			lines = append(lines, fmt.Sprintf("%s %s %s %s → %d", e.Vendor, e.Method, e.Path, e.Operation, e.Status))
		}
		ts.Fatalf("%d changing calls, want %s:\n%s", len(fresh), args[0], strings.Join(lines, "\n"))
	}
}

func cmdExample(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(copyExample(ts.MkAbs("."), args[0]))
}

// repository is the module's root, from this package's folder, which tests run in.
var repository = func() string {
	root, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return root
}()

// randomness makes ids that differ within the process; scripts compare no ids.
type randomness struct{}

var counter struct {
	sync.Mutex
	n uint64
}

func (randomness) Read(p []byte) (int, error) {
	counter.Lock()
	defer counter.Unlock()
	counter.n++
	for i := range p {
		p[i] = byte(counter.n >> (8 * (i % 8)))
	}
	return len(p), nil
}
