// Package resource is the vocabulary that every other package speaks: addresses, attribute tables, resource types as
// values, live objects, secret references and errors. It is given nothing, performs no I/O and imports no other
// package of Weir; providers fill it with types, config decodes blocks against them, the planner compares values under
// them and apply calls their functions.
//
// A resource type is one Type value in one file of its provider. Decoding, diff, import, documentation and the
// conformance suite (providers/resourcetest) all come from that value. Choose providers/directory instead for the
// plain structs of directory entries and mail accounts, which are too many to be cty values.
package resource
