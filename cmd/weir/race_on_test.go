//go:build race

package main

// customers is fewer under the race detector, which looks at the same code at a tenth of the speed.
const customers = 24
