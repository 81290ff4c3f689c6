//go:build !race

package main

// customers is how many customers the fleet of TestFleetWithOneBrokenCustomer has.
const customers = 200

// every is how many of the points at which runs are killed one of them is tried.
const every = 1
