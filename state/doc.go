// Package state is the value that one tenant's state is: what Weir has written
// and read, which ids the vendors gave, whose each object is, and which
// operations were begun and never seen to end.
//
// Given: journal entries ([Entry]) and stored bytes. Returned: a [State], and
// its stored form. Effects: none; no file, no network, no clock, no randomness
// of its own (a version key is read from the reader it is handed).
//
// Imported by planner and its children, by state/store (which keeps the bytes)
// and by cmd. It imports no vendor and no cloud driver.
package state
