// Package cache keeps a directory as it was read until the next read, so that only what changed since has to be asked
// for. It is given entries and the links from which the vendor's change queries go on, and returns both again; its only
// effects are those of the Shelf it is given. providers/entra fills and continues a cached directory, providers connects
// the two.
//
// Whenever something changed a new generation is written: one manifest and the parts that it names. Everything is
// create-only, so that any run may write at any time without a lock; a part in which nothing changed is named again
// instead of being written again. What cannot be read, is damaged, or belongs to another directory is no error of a run:
// the vendor is read in full.
package cache
