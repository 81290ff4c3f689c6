// Package directory holds the plain structs that travel between the vendors' clients and the planner in great number:
// entries of the Entra directory (with their mailbox kind from Exchange) and Essentials accounts. They are structs and
// iterators, not cty values, because one tenant may hold 200,000 of them.
//
// It is given nothing and performs no I/O. providers/entra and providers/exchange make Entries, providers/essentials
// makes Accounts, planner/dirsync decides over both. For the few declared objects choose providers/resource.
package directory
