package cli

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/pflag"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/fleet"
	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/secrets"
	"github.com/weir-project/weir/state/keys"
	"github.com/weir-project/weir/state/store"
)

// configFlags are the flags of every command that evaluates the configuration.
type configFlags struct {
	simulationFlags
	vars     []string
	varFiles []string
	tenants  []string
	shard    string
	parallel int
	// acceptOlder are keys of states that may be older than what this machine has seen of them.
	acceptOlder []string
	// fromPlaintext lets states be read that are not encrypted though the configuration says so. It is no flag of every
	// command: state rekey sets it.
	fromPlaintext bool
	// recording is a file to read instead of the vendors and state; at is the clock then, RFC 3339, "" for the recording's.
	recording, at string
	// unconnected says that the command asks no vendor, so that no credential has to be there.
	unconnected bool
	// fullRead reads directories in full; keepNothing leaves what is kept of them as it is.
	fullRead, keepNothing bool
}

func (f *configFlags) register(flags *pflag.FlagSet) {
	f.simulationFlags.register(flags)
	flags.StringArrayVar(&f.vars, "var", nil, "set a variable: `NAME=VALUE`")
	flags.StringArrayVar(&f.varFiles, "var-file", nil, "read variables from `FILE`")
	flags.StringArrayVar(&f.tenants, "tenant", nil, "only tenants matching `SELECTOR`: key, primary domain, glob, or tag:NAME=VALUE")
	flags.StringVar(&f.shard, "shard", "", "only the I-th of N parts of the tenants: `I/N`")
	flags.IntVar(&f.parallel, "parallelism", 8, "tenants worked on at once")
	flags.StringSliceVar(&f.acceptOlder, "accept-older-state", nil, "go on from the state of `KEY` though this machine has seen a newer one")
}

// workspace is a loaded configuration with its state and surroundings.
type workspace struct {
	app      *App
	flags    configFlags
	around   *surroundings
	registry *resource.Registry
	graph    *config.Graph
	frame    *config.Frame
	bucket   *store.Bucket
	storage  *reach
	// stateURL is where state is kept; local says that it is a folder on this machine, own that no url was written, so
	// that it lies beside the files and nobody else can have been pointed at it.
	stateURL   string
	local, own bool
	// keys encrypt state and plan files; nil where both are plaintext.
	keys    *keys.Ring
	pool    *providers.Pool
	secrets *secrets.Run
	breaker *fleet.Breaker
	ttl     time.Duration
	// lineage identifies the configuration; fresh says that no run has recorded it yet.
	lineage string
	fresh   bool
	// digest stands for sources and variables.
	digest string
	// recording, if not nil, stands in for the vendors and for state.
	recording *planner.Recording
	// heads are the tenants in state, for those whose key changed.
	heads knownHeads
	// everyType reads tenants whole, whatever their configuration and state name (doctor).
	everyType bool
	// files are those that functions read while parts were evaluated, for a saved plan.
	filesMu sync.Mutex
	// folder has the directories that are kept on this machine; nil until the first is asked for.
	folderMu sync.Mutex
	folder   *store.Folder
	files    map[string][]byte
}

// open loads the configuration and connects to state. Diagnostics are printed; a codeError then ends the command.
func (a *App) open(ctx context.Context, f configFlags) (*workspace, error) {
	if f.recording != "" {
		return a.openRecording(f)
	}
	around, err := a.surroundings(ctx, f.simulationFlags)
	if err != nil {
		return nil, err
	}
	w := &workspace{app: a, flags: f, around: around, registry: providers.Builtin(), breaker: &fleet.Breaker{}}
	if err := w.load(os.DirFS(a.dir()), nil); err != nil {
		return nil, errors.Join(err, around.close())
	}
	if err := w.openState(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	if err := w.guardBucket(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// guardBucket refuses a bucket of another configuration, realm or key as a whole, so that a run that is pointed at the
// wrong one does not begin with those of its tenants that are new there. One head speaks for all: each tenant's own is
// looked at again before it is planned. Damaged heads are left to their tenants.
func (w *workspace) guardBucket(ctx context.Context) error {
	var misfit, unreadable error
	for head, err := range w.bucket.Heads(ctx) {
		switch {
		case errors.Is(err, keys.ErrUnavailable):
			return fmt.Errorf("state %s cannot be opened: %w", w.stateURL, err)
		case errors.Is(err, keys.ErrWrongKey), errors.Is(err, store.ErrEncrypted), errors.Is(err, store.ErrPlaintext):
			misfit = err
		case err != nil:
			unreadable = fmt.Errorf("state %s cannot be read: %w", w.stateURL, err)
		default:
			return head.Guard(w.around.realm, w.lineage)
		}
	}
	if misfit != nil {
		return w.refuse(hcl.Diagnostics{w.misfit(misfit)})
	}
	return unreadable
}

// misfit says that state is protected otherwise than the configuration says.
func (w *workspace) misfit(err error) *hcl.Diagnostic {
	settings := w.frame.Settings
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Subject: settings.Range.Ptr()}
	if settings.Encryption != nil {
		d.Subject = settings.Encryption.Current.At("")
	}
	switch {
	case errors.Is(err, store.ErrPlaintext):
		d.Summary = "State is not encrypted"
		d.Detail = fmt.Sprintf("State in %s: %s. Nothing was done. To encrypt what is there:\n\n    weir state rekey --from-plaintext", w.stateURL, err)
	case errors.Is(err, store.ErrEncrypted):
		d.Summary = "State is encrypted"
		d.Detail = fmt.Sprintf("State in %s: %s. Nothing was done.", w.stateURL, err)
		if settings.Plaintext {
			d.Detail += " The encryption block takes the place of plaintext = true."
		}
	default:
		d.Summary = "State is encrypted with another key"
		d.Detail = fmt.Sprintf("State in %s: %s. Nothing was done. If the key was changed on purpose, write what it was before into a previous block; weir state rekey then makes the change.", w.stateURL, err)
	}
	return d
}

// close gives everything back; it keeps the simulated world.
func (w *workspace) close() error {
	var errs []error
	if w.bucket != nil {
		errs = append(errs, w.bucket.Close())
	}
	if w.keys != nil {
		errs = append(errs, w.keys.Close())
	}
	if w.folder != nil {
		errs = append(errs, w.folder.Close())
	}
	return errors.Join(append(errs, w.around.close())...)
}

// load parses and evaluates the frame. given replaces variables from files, flags and environment (a saved plan's).
func (w *workspace) load(fsys fs.FS, given []config.VarInput) error {
	graph, diags := config.Load(fsys, ".", w.registry)
	w.graph = graph
	if diags.HasErrors() {
		return w.refuse(diags)
	}
	vars := given
	if given == nil {
		var varDiags hcl.Diagnostics
		var files map[string]*hcl.File
		vars, files, varDiags = w.variables(fsys)
		if varDiags.HasErrors() {
			return w.refuseIn(varDiags, files)
		}
	}
	frame, frameDiags := graph.Frame(config.Inputs{Vars: vars, Env: w.around.env, Now: w.around.now(), Simulated: w.around.realm != "live", Unconnected: w.flags.unconnected})
	w.frame = frame
	if d := unfit(frame); d != nil {
		return w.refuse(hcl.Diagnostics{d})
	}
	if frameDiags.HasErrors() {
		return w.refuse(frameDiags)
	}
	w.warn(append(diags, frameDiags...))
	w.secrets = &secrets.Run{Env: w.around.env, Seen: w.app.secrets.Add}
	for _, ref := range frame.Secrets {
		// Learn the values that are there, so that no message can ever show them.
		_, _ = w.secrets.Resolve(context.Background(), ref)
	}
	w.digest = digestOf(graph.Digest(), frame)
	ttl, err := w.app.ttl()
	if err != nil {
		return err
	}
	w.ttl = ttl
	pool, err := providers.NewPool(providers.PoolOptions{Endpoints: w.around.endpoints, Secrets: w.secrets, Redactor: w.app.secrets, Version: Version, Now: w.around.now, Sleep: w.app.Sleep, AllowHosts: w.allowHosts(), Around: w.app.AroundVendors, ChangeTimeout: w.ttl * 30 / 120})
	if err != nil {
		return err
	}
	w.pool = pool
	return nil
}

// unfit says that the configuration asks for another version of Weir. Pre-releases count as the version that they lead to.
func unfit(frame *config.Frame) *hcl.Diagnostic {
	if frame == nil || frame.Settings.RequiredVersion == "" {
		return nil
	}
	required, subject := frame.Settings.RequiredVersion, &frame.Settings.Range
	constraints, err := version.NewConstraint(required)
	if err != nil {
		return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Invalid required_version", Subject: subject,
			Detail: fmt.Sprintf("required_version is %q; write a condition such as \">= 0.1\" or \">= 0.1, < 2.0\".", required)}
	}
	this, err := version.NewVersion(Version)
	if err != nil || constraints.Check(this.Core()) {
		return nil // a build without a version of its own fits everything
	}
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Another version of Weir is required", Subject: subject,
		Detail: fmt.Sprintf("The configuration requires Weir %s, and this is %s. Use a version that fits, or change required_version.", required, Version)}
}

// allowHosts are the hosts that credentials may go to besides the vendors' own; nil is no limit. Without the operator's
// word a pipeline sends them to the vendors alone.
func (w *workspace) allowHosts() []string {
	hosts, ok := w.app.Env("WEIR_ALLOW_HOSTS")
	if !ok {
		if ci, _ := w.app.Env("CI"); ci != "" && ci != "false" {
			return []string{}
		}
		return nil
	}
	return strings.FieldsFunc(hosts, func(r rune) bool { return r == ',' || r == ' ' })
}

// variables gathers variable values in ascending precedence: environment, automatic files, --var-file, --var.
func (w *workspace) variables(fsys fs.FS) ([]config.VarInput, map[string]*hcl.File, hcl.Diagnostics) {
	var vars []config.VarInput
	var diags hcl.Diagnostics
	files := map[string]*hcl.File{}
	if w.graph != nil {
		for _, name := range w.graph.Variables() {
			if v, ok := w.app.Env("WEIR_VAR_" + name); ok {
				vars = append(vars, config.VarInput{Name: name, Text: v, Source: "WEIR_VAR_" + name})
			}
		}
	}
	auto, err := config.AutoVarFiles(fsys, ".")
	if err != nil {
		return nil, nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Variable files cannot be listed", Detail: err.Error()}}
	}
	for _, name := range auto {
		in, file, d := config.VarFile(fsys, name)
		vars, diags, files[name] = append(vars, in...), append(diags, d...), file
	}
	for _, name := range w.flags.varFiles {
		path := w.app.path(name)
		src, err := os.ReadFile(path)
		if err != nil {
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Variable file cannot be read", Detail: fmt.Sprintf("--var-file %s: %v.", name, err)})
			continue
		}
		in, file, d := config.ParseVarFile(src, name)
		vars, diags, files[name] = append(vars, in...), append(diags, d...), file
	}
	for _, v := range w.flags.vars {
		name, text, ok := strings.Cut(v, "=")
		if !ok {
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Invalid --var", Detail: "A --var has no \"=\"; write --var NAME=VALUE."})
			continue
		}
		vars = append(vars, config.VarInput{Name: name, Text: text, Source: "--var"})
	}
	return vars, files, diags
}

func digestOf(sources string, f *config.Frame) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s\x00", sources)
	names := make([]string, 0, len(f.Variables))
	for name := range f.Variables {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		v, _ := f.Variables[name].UnmarkDeep()
		_, _ = fmt.Fprintf(h, "%s\x00%d\x00", name, v.Hash())
	}
	files := make([]string, 0, len(f.Files))
	for name := range f.Files {
		files = append(files, name)
	}
	sort.Strings(files)
	for _, name := range files {
		sum := sha256.Sum256(f.Files[name])
		_, _ = fmt.Fprintf(h, "%s\x00%x\x00", name, sum)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// openState opens the bucket and finds out which configuration this is.
func (w *workspace) openState(ctx context.Context) error {
	settings := w.frame.Settings
	w.stateURL = w.around.stateURL
	w.own = w.stateURL != "" || settings.StateURL == ""
	if w.stateURL == "" {
		w.stateURL = settings.StateURL
	}
	if w.stateURL == "" {
		w.stateURL = "file://" + filepath.ToSlash(filepath.Join(w.app.dir(), ".weir", "state"))
	}
	w.local = strings.HasPrefix(w.stateURL, "file://")
	// The simulated world of --simulate has a state of its own, and needs no credentials.
	if settings.Encryption != nil && w.around.stateURL == "" {
		ring, diags := w.app.keyring(ctx, settings.Encryption, w.secrets)
		if diags.HasErrors() {
			return w.refuse(diags)
		}
		w.keys = ring
	}
	if !w.local && !settings.Plaintext && w.keys == nil {
		return w.refuse(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "State would not be encrypted", Subject: &settings.Range,
			Detail: "The state url names a bucket and the state block has no encryption block. Write one, such as encryption { passphrase = secret(\"env://WEIR_STATE_PASSPHRASE\") }. If the bucket is yours alone, plaintext = true will do; state holds no secret values, but names and addresses of people."}})
	}
	if w.local && w.own {
		if err := w.prepareFolder(); err != nil {
			return err
		}
	}
	bucket, err := w.openBucket(ctx, w.private(store.Options{Keys: w.keys, FromPlaintext: w.flags.fromPlaintext}))
	if err != nil {
		return fmt.Errorf("state %s: %w", w.stateURL, err)
	}
	w.bucket = bucket
	return w.identify()
}

// prepareFolder makes the state folder beside the files, private and out of version control. One that was named is made
// by the first write: a folder that is not mounted must not look like an empty one.
func (w *workspace) prepareFolder() error {
	path := strings.TrimPrefix(w.stateURL, "file://")
	if err := privateDir(path); err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	root := filepath.Join(w.app.dir(), ".weir")
	if rel, err := filepath.Rel(root, path); err != nil || strings.HasPrefix(rel, "..") {
		return nil
	}
	return ignored(root)
}

// ignored keeps a folder out of version control.
func ignored(root string) error {
	ignore := filepath.Join(root, ".gitignore")
	if _, err := os.Lstat(ignore); errors.Is(err, fs.ErrNotExist) {
		return writeWhole(ignore, []byte("*\n"))
	}
	return nil
}

func privateDir(path string) error { return os.MkdirAll(path, 0o700) }

// lineageFile keeps the configuration's identity: in a state folder of its own, else in the configuration's folder, to
// be committed with it. Every copy of one configuration has the same, so that another configuration that is pointed at
// the same bucket or folder by mistake is refused.
func (w *workspace) lineageFile() string {
	if w.own {
		return filepath.Join(strings.TrimPrefix(w.stateURL, "file://"), "configuration.json")
	}
	return filepath.Join(w.app.dir(), "weir.lock.json")
}

type lineageV1 struct {
	Format        int    `json:"format"`
	Configuration string `json:"configuration"`
}

func (w *workspace) identify() error {
	data, err := os.ReadFile(w.lineageFile())
	if errors.Is(err, fs.ErrNotExist) {
		w.lineage, w.fresh = w.app.id("cfg"), true
		return nil
	}
	if err != nil {
		return err
	}
	var l lineageV1
	if err := json.Unmarshal(data, &l); err != nil || l.Format != 1 || l.Configuration == "" {
		return fmt.Errorf("%s is damaged: it should name this configuration; restore it from version control", w.lineageFile())
	}
	w.lineage = l.Configuration
	return nil
}

// recordLineage writes the identity before the first state is.
func (w *workspace) recordLineage() error {
	if !w.fresh {
		return nil
	}
	data, err := json.Marshal(lineageV1{Format: 1, Configuration: w.lineage})
	if err != nil {
		return err
	}
	if err := writeWhole(w.lineageFile(), append(data, '\n')); err != nil {
		return err
	}
	w.fresh = false
	if !w.own {
		w.app.say("Wrote %s, which identifies this configuration: commit it.", filepath.Base(w.lineageFile()))
	}
	return nil
}

// refuse prints diagnostics with their source and ends the command.
func (w *workspace) refuse(diags hcl.Diagnostics) error { return w.refuseIn(diags, nil) }

func (w *workspace) refuseIn(diags hcl.Diagnostics, more map[string]*hcl.File) error {
	w.print(diags, more)
	return codeError(exitError)
}

func (w *workspace) warn(diags hcl.Diagnostics) {
	if len(diags) > 0 {
		w.print(diags, nil)
	}
}

func (w *workspace) print(diags hcl.Diagnostics, more map[string]*hcl.File) {
	files := map[string]*hcl.File{}
	if w.graph != nil {
		for name, f := range w.graph.Files() {
			files[name] = f
		}
	}
	for name, f := range more {
		files[name] = f
	}
	var b strings.Builder
	config.WriteDiagnostics(&b, diags, files, w.app.Width, w.app.color(w.app.StderrTTY))
	_, _ = fmt.Fprint(w.app.Stderr, w.app.secrets.Redact(b.String()))
}

// confirm asks a person; only "yes" counts.
func (a *App) confirm(ctx context.Context, question string) (bool, error) {
	return a.confirmWord(ctx, question, "yes", "pass --auto-approve, or apply a saved plan")
}

// confirmWord asks a person; only the given word counts. instead says what to do where nobody can be asked.
func (a *App) confirmWord(ctx context.Context, question, word, instead string) (bool, error) {
	if !a.StdinTTY {
		if _, ok := a.Env("WEIR_ASSUME_TTY"); !ok {
			return false, errors.New("nobody can be asked here: " + instead)
		}
	}
	_, _ = fmt.Fprintf(a.Stderr, "\n%s\n  Only %q is taken as approval: ", question, word)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.Stdin).ReadString('\n') // no answer is not "yes"
		answer <- line
	}()
	select {
	case line := <-answer:
		return strings.TrimSpace(line) == word, nil
	case <-ctx.Done():
		return false, nil // an interrupt at the question is an answer
	}
}

// who names the person or job for state.
func (a *App) who() string {
	for _, name := range []string{"WEIR_ACTOR", "GITHUB_ACTOR", "BUILD_REQUESTEDFOR", "GITLAB_USER_LOGIN"} {
		if v, ok := a.Env(name); ok && v != "" {
			return v
		}
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}
