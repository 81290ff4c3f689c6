// Package apply carries out one tenant's part of a plan: declared objects in dependency order, derived accounts in
// bulk, deletions last and in reverse. Every change that cannot be repeated is in the journal before the vendor is
// called, and its outcome after; so a kill at any point loses nothing and repeats nothing.
//
// It is given a part that was decided under the lease, what a person reviewed, the tenant's connection and a journal;
// it returns a Report and emits Events. Its effects are the vendor calls of resource types and the journal's writes.
// planner/fleet and cmd import it.
package apply
