package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/store"
)

// commands are the script commands that need no simulator:
//
//	tree FROM TO           copy a folder, state and all
//	grow FILE KIND N       write a configuration with N of a hostile shape: parentheses, brackets, operators, bytes, locals
//	cut FILE N             keep only the first N bytes
//	digest FILE            put the SHA-256 of a file into DIGEST
//	nostate                no state was ever written below the working folder
//	hold KEY / letgo       another run takes a tenant of the local state, and gives it back
//	await N                wait until N changing calls since the last look have arrived
//	doubt KEY              wait until an operation on a tenant of the local state was begun and not ended
//	tamper KEY SERIAL      change one byte of the record of a version in the local state
//	lose KEY SERIAL        remove it
//	leaveout KEY [MAIL D]  a person leaves an account out for a while; without MAIL nobody is left out any more
//	unwritten ARGS…        weir ARGS… leaves state byte for byte as it was; negated: it does not
//	calls N                the simulator has had N calls since the last look, reading ones too ("+" for at least one)
//	requests WHAT=N…       since the last look the vendors were asked N times for each list named, and for no other
//	spoil DIR              add a byte to every file below a folder
//	jsonlines FILE         every line is one JSON object
//	sealed DIR             every object in the bucket is encrypted, heads signed
var commands = map[string]func(*testscript.TestScript, bool, []string){
	"digest": cmdDigest, "tree": cmdTree, "grow": cmdGrow, "cut": cmdCut, "nostate": cmdNoState, "hold": cmdHold, "letgo": cmdLetGo, "jsonlines": cmdJSONLines,
	"await": cmdAwait, "sealed": cmdSealed, "doubt": cmdDoubt, "tamper": cmdTamper, "lose": cmdLose, "calls": cmdCalls, "unwritten": cmdUnwritten, "leaveout": cmdLeaveOut,
	"requests": cmdRequests, "spoil": cmdSpoil,
}

func need(ts *testscript.TestScript, args []string, n int, usage string) {
	if len(args) != n {
		ts.Fatalf("usage: %s", usage)
	}
}

func cmdTree(ts *testscript.TestScript, _ bool, args []string) {
	need(ts, args, 2, "tree FROM TO")
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), os.DirFS(ts.MkAbs(args[0]))))
}

func cmdDigest(ts *testscript.TestScript, _ bool, args []string) {
	need(ts, args, 1, "digest FILE")
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Setenv("DIGEST", fmt.Sprintf("%x", sha256.Sum256(data)))
}

func cmdGrow(ts *testscript.TestScript, _ bool, args []string) {
	need(ts, args, 3, "grow FILE KIND N")
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	var text string
	switch args[1] {
	case "parentheses":
		text = "locals {\n  deep = " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n) + "\n}\n"
	case "brackets":
		text = "locals {\n  deep = " + strings.Repeat("[", n) + strings.Repeat("]", n) + "\n}\n"
	case "operators":
		text = "locals {\n  long = 1" + strings.Repeat("+1", n) + "\n}\n"
	case "bytes":
		text = "# " + strings.Repeat("x", n) + "\n"
	case "locals":
		// Each local holds the one before twice: 2^n bytes.
		var b strings.Builder
		b.WriteString("locals {\n  d0 = \"0123456789\"\n")
		for i := 1; i <= n; i++ {
			fmt.Fprintf(&b, "  d%d = \"${local.d%d}${local.d%d}\"\n", i, i-1, i-1)
		}
		fmt.Fprintf(&b, "}\n\noutput \"doubled\" {\n  value = length(local.d%d)\n}\n", n)
		text = b.String()
	default:
		ts.Fatalf("no shape %q", args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func cmdCut(ts *testscript.TestScript, _ bool, args []string) {
	need(ts, args, 2, "cut FILE N")
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

func cmdNoState(ts *testscript.TestScript, neg bool, _ []string) {
	var found []string
	ts.Check(filepath.WalkDir(ts.MkAbs("."), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.Contains(path, string(filepath.Separator)+".weir"+string(filepath.Separator)) && d.Name() != ".gitignore" {
			found = append(found, path)
		}
		return err
	}))
	if neg == (len(found) == 0) {
		ts.Fatalf("files of state: %v", found)
	}
}

func cmdHold(ts *testscript.TestScript, _ bool, args []string) {
	need(ts, args, 1, "hold KEY")
	ctx := context.Background()
	bucket, err := store.OpenBucket(ctx, "file://"+filepath.ToSlash(ts.MkAbs(".weir/state")), store.Options{})
	ts.Check(err)
	tenant, err := bucket.Tenant(args[0])
	ts.Check(err)
	head, err := tenant.Head(ctx)
	ts.Check(err)
	lease, err := tenant.Acquire(ctx, store.Holder{Run: "run-other", Who: "robin", Host: "elsewhere", Operation: "apply"},
		store.AcquireOptions{TTL: ttlOf(ts), Realm: head.Realm, Tenant: state.TenantMeta{Key: args[0], Configuration: head.Tenant.Configuration}})
	ts.Check(err)
	s := scriptOf(ts)
	s.letgo = func() error {
		s.letgo = nil
		if err := lease.Release(ctx); err != nil {
			return err
		}
		return bucket.Close()
	}
}

// ttlOf is how long a silent holder keeps a tenant in this script.
func ttlOf(ts *testscript.TestScript) time.Duration {
	ttl, err := time.ParseDuration(ts.Getenv("WEIR_STATE_TTL"))
	ts.Check(err)
	return ttl
}

func cmdLetGo(ts *testscript.TestScript, _ bool, _ []string) {
	s := scriptOf(ts)
	if s.letgo == nil {
		ts.Fatalf("nothing is held")
	}
	ts.Check(s.letgo())
}

// cmdAwait looks until the calls are there; only a run that never makes them reaches the end of its patience.
func cmdAwait(ts *testscript.TestScript, _ bool, args []string) {
	need(ts, args, 1, "await N")
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	s, server := scriptOf(ts), serverOf(ts)
	for range 3000 {
		if len(server.Changing()) >= s.seen+n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%d changing calls since the last look, want %d", len(server.Changing())-s.seen, n)
}

// cmdSealed looks at the first word behind the magic of every object.
func cmdSealed(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, args, 1, "sealed DIR")
	objects, plain := 0, []string{}
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if !bytes.HasPrefix(data, []byte("weir1 ")) {
			return err // a lock
		}
		objects++
		method := "weir1 aes256gcm "
		if d.Name() == "head" {
			method = "weir1 signed "
		}
		if !bytes.HasPrefix(data, []byte(method)) {
			plain = append(plain, path)
		}
		return err
	}))
	if sealed := objects > 0 && len(plain) == 0; sealed == neg {
		ts.Fatalf("%d objects, of which in plaintext: %v", objects, plain)
	}
}

// cmdDoubt looks until something is under way; only a run that begins nothing reaches the end of its patience.
func cmdDoubt(ts *testscript.TestScript, _ bool, args []string) {
	need(ts, args, 1, "doubt KEY")
	ctx := context.Background()
	bucket, err := store.OpenBucket(ctx, "file://"+filepath.ToSlash(ts.MkAbs(".weir/state")), store.Options{})
	ts.Check(err)
	defer func() { _ = bucket.Close() }()
	tenant, err := bucket.Tenant(args[0])
	ts.Check(err)
	for range 3000 {
		s, err := tenant.State(ctx)
		ts.Check(err)
		if len(s.InDoubt) > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("nothing was begun")
}

// recordOf finds the record of one version in the local state.
func recordOf(ts *testscript.TestScript, args []string) string {
	need(ts, args, 2, "tamper|lose KEY SERIAL")
	serial, err := strconv.Atoi(args[1])
	ts.Check(err)
	found, err := filepath.Glob(filepath.Join(ts.MkAbs(".weir/state"), "t", args[0], "runs", fmt.Sprintf("%010d-*", serial)))
	ts.Check(err)
	for _, path := range found {
		if !strings.HasSuffix(path, ".lk") {
			return path
		}
	}
	ts.Fatalf("no record of version %d", serial)
	return ""
}

func cmdTamper(ts *testscript.TestScript, _ bool, args []string) {
	path := recordOf(ts, args)
	data, err := os.ReadFile(path)
	ts.Check(err)
	data[len(data)-1] ^= 1
	ts.Check(os.WriteFile(path, data, 0o600))
}

func cmdLose(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.Remove(recordOf(ts, args)))
}

func cmdCalls(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, args, 1, "calls N")
	s, server := scriptOf(ts), serverOf(ts)
	all := len(server.Journal())
	fresh := all - s.calls
	s.calls = all
	if ok := strconv.Itoa(fresh) == args[0] || args[0] == "+" && fresh > 0; ok == neg {
		ts.Fatalf("%d calls, want %s", fresh, args[0])
	}
}

func cmdJSONLines(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, args, 1, "jsonlines FILE")
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	ok := len(data) > 0
	for _, line := range lines {
		var object map[string]any
		if json.Unmarshal(line, &object) != nil {
			ok = false
			if !neg {
				ts.Logf("not a JSON object: %s", line)
			}
		}
	}
	if ok == neg {
		ts.Fatalf("%s: %d lines, JSON objects %t", args[0], len(lines), ok)
	}
}
