// Package planner compares what the configuration wants with what the vendors have and what state remembers, and
// returns a Plan.
//
// It is given an evaluated frame (config), a state.State, an Observation of the live objects and a time. It performs
// no I/O, reads no clock and names no vendor: what a vendor knows reaches it through resource.Type values. Its children
// are dirsync (who gets an account), live (makes Observations), apply (carries Plans out), fleet (many tenants at
// once). cmd imports it to build, save and show plans.
package planner
