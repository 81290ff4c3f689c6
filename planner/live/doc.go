// Package live reads one tenant's live objects, directory, accounts and DNS facts with bounded concurrency and returns
// them as a planner.Observation.
//
// It is given readers and returns what they found; its effects are their reading calls, nothing is ever changed. A
// read that failed is recorded as unknown for its type alone. cmd and planner/fleet import it.
package live
