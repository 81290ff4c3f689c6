//go:build !race

package main

// customers is how many customers the fleet of TestFleetWithOneBrokenCustomer has.
const customers = 200
