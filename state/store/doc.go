// Package store keeps the states of many tenants in one bucket, so that two
// runs never both change one and no kill loses or repeats anything.
//
// Given: a bucket URL ([Open]) or any [Store]; a clock, randomness and sleep,
// with defaults. Returned: a [Bucket] of tenants; for each [Tenant] its state
// read without a lease ([Tenant.State]), or a [Lease], which is the right to
// change it and carries its journal. Effects: reads and writes of the bucket;
// nothing else.
//
// A tenant is one small mutable head, swapped by compare-and-swap, and immutable
// objects: snapshots and journal slots. Between the [Store] interface and its
// drivers run five kinds of error and no cloud type; only the drivers in this
// package import a cloud library.
//
// Imported by cmd, which opens the bucket and hands leases to planner/apply as
// its journal.
package store
