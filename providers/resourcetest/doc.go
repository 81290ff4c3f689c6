// Package resourcetest is the conformance suite that every resource type runs: create and read back, update of each
// attribute, an empty plan after apply, drift of each attribute seen and repaired, adoption, release, deletion, objects
// already deleted, throttling, lost answers, and reads that fail without ever counting as absence.
//
// It is given a Harness (the type, values, and a backend with faults and a "portal") and reports through testing.T. Its
// effects are those of the type's functions on the backend. It plans with a small planner of its own, which shares the
// comparison (resource.Differences) with Weir's and nothing else, so that a mistake of the planner cannot hide one of a
// type. Tests of providers import it; it imports no provider and no simulator.
package resourcetest
