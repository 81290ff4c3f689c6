package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/weir-project/weir/cmd/internal/cli"
	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/store"
)

// The variables by which a test tells the program, run as a process of its own, where to end, stop or wait. The program
// itself knows none of them: process reads them and stands between a run and its surroundings.
const (
	pointsLog  = "WEIR_TEST_POINTS" // file to which every point passed is appended, a line each
	pointAt    = "WEIR_TEST_AT"     // NAME, or #N for the Nth point whatever its name
	pointDo    = "WEIR_TEST_DO"     // kill, stop, or sleep DURATION
	otherBoot  = "WEIR_TEST_BOOT"   // the id of the boot under which the process says that it runs
	storageOut = "WEIR_TEST_OUT"    // while this file is there, state storage cannot be reached
)

// process is the program, with a witness at every point between it and its surroundings.
func process() {
	app := cli.OS()
	if name := os.Getenv(pointsLog); name != "" {
		log, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		w := &witness{log: log, at: os.Getenv(pointAt), do: os.Getenv(pointDo)}
		app.AroundStore = func(s store.Store) store.Store {
			return &watchedStore{Store: s, witness: w, out: os.Getenv(storageOut), heads: map[string]headSeen{}}
		}
		app.AroundVendors = func(next http.RoundTripper) http.RoundTripper { return &watchedVendors{next, w} }
	}
	if boot := os.Getenv(otherBoot); boot != "" {
		app.Process = func() store.Process {
			p := store.ThisProcess()
			p.Boot = boot
			return p
		}
	}
	os.Exit(cli.Main(app, os.Args[1:]))
}

// witness writes down every point and does at one of them what the test asked for.
type witness struct {
	log    *os.File
	at, do string

	mu     sync.Mutex
	passed int
	done   bool

	// writing is held, shared, while something is written to a store: a process that is stopped in there holds the lock of
	// a folder until it goes on, which nobody can take from it.
	writing sync.RWMutex
}

// pass is called at a point. Other goroutines go on meanwhile.
func (w *witness) pass(name string) {
	w.mu.Lock()
	w.passed++
	here := !w.done && (w.at == name || w.at == fmt.Sprintf("#%d", w.passed))
	w.done = w.done || here
	// One write of a file opened to append: a process that dies leaves whole lines.
	_, _ = w.log.WriteString(name + "\n")
	w.mu.Unlock()
	if !here {
		return
	}
	what, arg, _ := strings.Cut(w.do, " ")
	switch what {
	case "kill":
		kill()
	case "stop":
		w.writing.Lock()
		stop()
		w.writing.Unlock()
	case "sleep":
		d, err := time.ParseDuration(arg)
		if err != nil {
			panic(err)
		}
		time.Sleep(d)
	}
}

// kill ends this process with no warning.
func kill() {
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {}
}

// watchedStore names what is written to state storage by what it says.
type watchedStore struct {
	store.Store
	witness *witness
	out     string

	mu    sync.Mutex
	heads map[string]headSeen
}

// headSeen is what tells one change of a head from another.
type headSeen struct {
	Epoch  uint64          `json:"epoch"`
	Serial uint64          `json:"serial"`
	Lease  json.RawMessage `json:"lease"`
}

func (w *watchedStore) Close() error {
	if c, ok := w.Store.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// reach refuses while storage is out of reach.
func (w *watchedStore) reach(key string) error {
	if w.out == "" {
		return nil
	}
	if _, err := os.Stat(w.out); err != nil {
		return nil
	}
	return fmt.Errorf("state object %s: %w: no route", key, store.ErrUnavailable)
}

func (w *watchedStore) Get(ctx context.Context, key string) ([]byte, store.Version, error) {
	if err := w.reach(key); err != nil {
		return nil, "", err
	}
	body, v, err := w.Store.Get(ctx, key)
	if err == nil && strings.HasSuffix(key, "/head") {
		w.head(key, body)
	}
	return body, v, err
}

func (w *watchedStore) Put(ctx context.Context, key string, body []byte, prev store.Version) (store.Version, error) {
	names := w.names(key, body, prev)
	for _, name := range names {
		w.witness.pass(name + ": before")
	}
	if err := w.reach(key); err != nil {
		return "", err
	}
	w.witness.writing.RLock()
	v, err := w.Store.Put(ctx, key, body, prev)
	w.witness.writing.RUnlock()
	if err == nil {
		for _, name := range names {
			w.witness.pass(name + ": after")
		}
	}
	return v, err
}

// head remembers a head and returns the one that was known before.
func (w *watchedStore) head(key string, body []byte) (was, now headSeen) {
	_, payload, _ := bytes.Cut(body, []byte("\n"))
	_ = json.Unmarshal(payload, &now) // not a plain head: all zero
	w.mu.Lock()
	defer w.mu.Unlock()
	was = w.heads[key]
	w.heads[key] = now
	return was, now
}

// names are the points of one write, such as "contoso: journal intent create domain.mail".
func (w *watchedStore) names(key string, body []byte, prev store.Version) []string {
	parts := strings.Split(key, "/")
	if parts[0] != "t" || len(parts) < 3 {
		return []string{parts[0]}
	}
	tenant, kind, last := parts[1]+": ", parts[2], parts[len(parts)-1]
	switch kind {
	case "head":
		return []string{tenant + "head " + w.headChange(key, body, prev)}
	case "snap":
		which := "snapshot "
		if strings.HasPrefix(parts[3], "0000000001-") {
			which = "first snapshot "
		}
		return []string{tenant + which + strings.TrimRight(last, "-0123456789")}
	case "log":
		return entryNames(tenant, body)
	case "runs":
		return []string{tenant + "run record"}
	}
	return []string{tenant + kind}
}

func (w *watchedStore) headChange(key string, body []byte, prev store.Version) string {
	was, now := w.head(key, body)
	switch {
	case prev == "":
		return "create"
	case now.Epoch > was.Epoch:
		return "acquire"
	case now.Lease == nil && now.Serial > was.Serial:
		return "checkpoint and release"
	case now.Lease == nil:
		return "release"
	case now.Serial > was.Serial:
		return "checkpoint"
	}
	return "heartbeat"
}

// entryNames are the points of one journal slot: one for each kind of entry and address in it.
func entryNames(tenant string, body []byte) []string {
	_, payload, _ := bytes.Cut(body, []byte("\n"))
	batch, err := state.DecodeBatch(payload)
	if err != nil {
		return []string{tenant + "journal"}
	}
	var names []string
	seen := map[string]bool{}
	for _, e := range batch.Entries {
		name := ""
		switch {
		case e.Intent != nil:
			name = fmt.Sprintf("journal intent %s %s", e.Intent.Action, subjectOf(e.Intent.Address, e.Intent.Mail))
		case e.Outcome != nil:
			name = fmt.Sprintf("journal %s %s %s", e.Outcome.Result, e.Outcome.Action, subjectOf(e.Outcome.Address, e.Outcome.Mail))
		case e.Note != nil:
			name = "journal note " + e.Note.Text
		case e.Seal != nil:
			name = "journal seal"
		}
		if !seen[name] {
			seen[name] = true
			names = append(names, tenant+name)
		}
	}
	return names
}

func subjectOf(address, mail string) string {
	if mail != "" {
		return "accounts of " + address
	}
	return address
}

// watchedVendors names the changing calls that leave for a vendor.
type watchedVendors struct {
	next    http.RoundTripper
	witness *witness
}

func (w *watchedVendors) RoundTrip(r *http.Request) (*http.Response, error) {
	name := callName(r)
	if name == "" {
		return w.next.RoundTrip(r)
	}
	w.witness.pass(name + ": before")
	answer, err := w.next.RoundTrip(r)
	if err == nil {
		w.witness.pass(name + ": after")
	}
	return answer, err
}

var generated = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|weir-[0-9a-f]{12,}`)

// callName is "" for a call that only reads.
func callName(r *http.Request) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || strings.HasSuffix(r.URL.Path, "/token") {
		return ""
	}
	if strings.HasSuffix(r.URL.Path, "/InvokeCommand") {
		var command struct {
			CmdletInput struct{ CmdletName string }
		}
		if body, err := r.GetBody(); err == nil {
			_ = json.NewDecoder(body).Decode(&command)
			_ = body.Close()
		}
		if name := command.CmdletInput.CmdletName; strings.HasPrefix(name, "Get-") || name == "" {
			return ""
		}
		return "vendor " + command.CmdletInput.CmdletName
	}
	return "vendor " + r.Method + " " + generated.ReplaceAllString(r.URL.Path, "{id}")
}
