// Package fleet does one operation for many tenants: a bounded number at once, each on its own. One tenant's failure,
// even a panic, stops nobody else; only a credential or host that fails the same way for several tenants running is
// given up for the rest of the run.
//
// It is given the tenants' keys and a function, and returns one result a tenant, in order. It has no effects of its
// own. cmd imports it.
package fleet
