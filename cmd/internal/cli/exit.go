package cli

import (
	"errors"

	"github.com/weir-project/weir/state/store"
)

// The exit codes. A run over many tenants takes the first that occurs in the order of exitOrder; each tenant's own is
// shown on the last screen and in the JSON.
const (
	exitOK         = 0 // success, or nothing to do
	exitError      = 1 // an error
	exitPending    = 2 // pending changes (plan --detailed-exitcode, drift)
	exitDrift      = 3 // drift (drift only)
	exitHeld       = 4 // held by a guard
	exitBusy       = 5 // another run holds the state
	exitPartial    = 6 // applied in part
	exitUnreadable = 7 // something could not be read (plan, drift)
	exitStorage    = 8 // state storage could not be reached

	// exitSignal plus a signal's number is what a second interrupt leaves with, as shells count: 130, for SIGTERM 143.
	exitSignal = 128
)

var exitOrder = []int{exitError, exitStorage, exitUnreadable, exitPartial, exitHeld, exitBusy, exitDrift, exitPending, exitOK}

// worst is the exit code of a run over several tenants.
func worst(codes ...int) int {
	for _, c := range exitOrder {
		for _, have := range codes {
			if have == c {
				return c
			}
		}
	}
	return exitOK
}

// exitStatuses is appended to the help of commands that have more to say than success and failure.
const exitStatuses = `
Exit status:
  0  success, or nothing to do
  1  an error
  2  pending changes (plan --detailed-exitcode, drift)
  3  drift (drift only)
  4  held by a guard
  5  another run holds the state
  6  applied in part
  7  something could not be read (plan, drift)
  8  state storage could not be reached`

// codeError ends a command with an exit code; what was to be said has been said.
type codeError int

func (codeError) Error() string { return "" }

func codeOf(err error) int {
	var code codeError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrAmbiguous):
		return exitStorage
	}
	return exitError
}
