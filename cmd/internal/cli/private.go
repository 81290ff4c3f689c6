package cli

import (
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/weir-project/weir/state/store"
)

// private gives state storage the folders of this machine: for what a run did and could not store, and for the newest
// state seen of each tenant. A --simulate run keeps them beside its state. Without a home there are none.
func (w *workspace) private(o store.Options) store.Options {
	home := w.app.home()
	if w.around.server != nil {
		home = filepath.Join(w.app.dir(), ".weir", "simulate", "private")
	}
	o.AcceptOlder = w.flags.acceptOlder
	if home != "" {
		o.Spool, o.Seen = filepath.Join(home, "unstored"), filepath.Join(home, "seen")
	}
	return o
}

// home is the user's folder for what concerns this machine alone: WEIR_HOME, or weir in the place that the system has
// for such files; empty if nothing says where that is. It is $XDG_STATE_HOME, by default ~/.local/state (XDG Base
// Directory Specification 0.8), and %LocalAppData% on Windows.
func (a *App) home() string {
	if dir, ok := a.Env("WEIR_HOME"); ok && dir != "" {
		return a.path(dir)
	}
	if dir, ok := a.Env("XDG_STATE_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "weir")
	}
	if runtime.GOOS == "windows" {
		if dir, ok := a.Env("LocalAppData"); ok && filepath.IsAbs(dir) {
			return filepath.Join(dir, "weir")
		}
		return ""
	}
	if dir, ok := a.Env("HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, ".local", "state", "weir")
	}
	return ""
}

// kept tells what became of that which earlier runs could not store.
func kept(key string, say func(string)) func(string) {
	return func(text string) { say(fmt.Sprintf("%s: %s", named(key), text)) }
}
