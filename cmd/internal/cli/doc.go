// Package cli is the command line: one file a command, each with its options and its run function, and the wiring of
// configuration, state, providers and planner that the commands share (workspace.go, tenant.go).
//
// It is given an App (streams, environment, clock) and arguments, and returns an exit code. All effects of the program
// begin here. Only cmd/weir and its scripts import it.
package cli
