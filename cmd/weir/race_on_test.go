//go:build race

package main

// customers is fewer under the race detector, which looks at the same code at a tenth of the speed.
const customers = 24

// every is how many of the points at which runs are killed one of them is tried.
const every = 12
