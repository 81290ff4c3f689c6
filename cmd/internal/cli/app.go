package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/state/store"
)

// Version is the program's version; releases set it when linking.
var Version = "0.1.0-dev"

// App is everything that a command takes from its surroundings.
type App struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Env looks up environment variables.
	Env func(string) (string, bool)
	// Dir is the working directory.
	Dir string
	// Now is the clock; Random gives ids.
	Now    func() time.Time
	Random io.Reader
	// Sleep waits before a vendor is asked again; nil really waits.
	Sleep func(context.Context, time.Duration) error
	// StdoutTTY and StderrTTY say that a person looks at the stream; StdinTTY that one can answer.
	StdinTTY, StdoutTTY, StderrTTY bool
	// Width is the terminal's, 0 when unknown.
	Width int
	// AroundStore and AroundVendors stand between a run and its state storage, and the vendors; nil is nothing. The
	// program itself has none: tests watch, stop and kill runs there.
	AroundStore   func(store.Store) store.Store
	AroundVendors func(http.RoundTripper) http.RoundTripper
	// Process is by what others tell whether the holder of a tenant is dead; nil is this process.
	Process func() store.Process

	secrets *providers.Redactor
	global  globalFlags
}

// globalFlags hold for every command.
type globalFlags struct {
	dir       string
	noColor   bool
	logFormat string
}

// OS is the App of the running process, whose collector it sets.
func OS() *App {
	boundMemory()
	dir, err := os.Getwd()
	if err != nil {
		dir = "."
	}
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		width = 0
	}
	return &App{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: os.LookupEnv, Dir: dir, Now: time.Now, Random: rand.Reader,
		StdinTTY: term.IsTerminal(int(os.Stdin.Fd())), StdoutTTY: term.IsTerminal(int(os.Stdout.Fd())), StderrTTY: term.IsTerminal(int(os.Stderr.Fd())),
		Width: width,
	}
}

// Main runs one command and returns its exit code.
func Main(app *App, args []string) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	defer app.interruptible(func() { cancel(errors.New("interrupted")) })()
	app.secrets = providers.Secrets()
	root := app.command()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && err.Error() != "" {
		app.errorf("%v", err)
	}
	return codeOf(err)
}

// interruptible makes the first interrupt end the run in order: no new changing call, outcomes recorded, state given back.
// The second leaves at once, whatever the run waits for. It does not fall back on the system's own way, which a program
// that was started in the background of a script, or by nohup, does not have: there an interrupt does nothing. done ends that.
func (a *App) interruptible(cancel func()) (done func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	over := make(chan struct{})
	go func() {
		select {
		case <-signals:
			cancel()
			a.say("\nInterrupted: nothing more is begun, and what is under way is recorded. Interrupt again to leave at once.")
		case <-over:
			return
		}
		select {
		case sig := <-signals:
			os.Exit(exitSignal + int(sig.(syscall.Signal))) // the kinds that were asked for above
		case <-over:
		}
	}()
	return func() { signal.Stop(signals); close(over) }
}

func (a *App) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "weir",
		Short:         "Mail edge of Microsoft 365 tenants behind Proofpoint Essentials, as code",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if f := a.global.logFormat; f != "text" && f != "json" {
				return fmt.Errorf("--log-format is text or json, not %q", f)
			}
			if info, err := os.Stat(a.dir()); a.global.dir != "" && (err != nil || !info.IsDir()) {
				return fmt.Errorf("--chdir %s: there is no such folder", a.global.dir)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	flags := root.PersistentFlags()
	flags.StringVarP(&a.global.dir, "chdir", "C", "", "work in `DIR` instead of the current folder")
	flags.BoolVar(&a.global.noColor, "no-color", false, "no colour, whatever the terminal can do")
	flags.StringVar(&a.global.logFormat, "log-format", "text", "progress on standard error as text or json")
	root.AddCommand(
		a.validateCommand(), a.planCommand(), a.applyCommand(), a.syncCommand(), a.driftCommand(), a.doctorCommand(),
		a.explainCommand(), a.recordCommand(),
		a.destroyCommand(), a.showCommand(),
		a.outputCommand(), a.stateCommand(), a.simulateCommand(), a.versionCommand(),
	)
	return root
}

// dir is the configuration's folder.
func (a *App) dir() string {
	if a.global.dir == "" {
		return a.Dir
	}
	if filepath.IsAbs(a.global.dir) {
		return a.global.dir
	}
	return filepath.Join(a.Dir, a.global.dir)
}

// path resolves a path given on the command line.
func (a *App) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(a.dir(), p)
}

func (a *App) color(tty bool) bool {
	if v, ok := a.Env("NO_COLOR"); ok && v != "" {
		return false
	}
	return tty && !a.global.noColor
}

func (a *App) outOptions() render.Options {
	return render.Options{Color: a.color(a.StdoutTTY), Width: a.Width}
}

func (a *App) errOptions() render.Options {
	return render.Options{Color: a.color(a.StderrTTY), Width: a.Width}
}

func (a *App) progress() render.Progress {
	return render.NewProgress(a.Stderr, a.global.logFormat, a.errOptions(), a.StderrTTY)
}

// errorf prints one error on standard error, with every secret that this run has seen taken out.
func (a *App) errorf(format string, args ...any) {
	text := a.secrets.Redact(fmt.Sprintf(format, args...))
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		if i == 0 {
			line = "Error: " + line
		}
		_, _ = fmt.Fprintln(a.Stderr, render.SafeText(line))
	}
}

// id returns a random identifier with a prefix.
func (a *App) id(prefix string) string {
	var b [10]byte
	_, _ = io.ReadFull(a.Random, b[:])
	return fmt.Sprintf("%s-%x", prefix, b)
}
