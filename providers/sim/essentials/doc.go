// Package essentials simulates the Proofpoint Essentials Interface API v1 over a world.World: the 77 operations under
// /api/v1 with the vendor's methods, envelopes and error objects, and beside them, under /_sim, what only the console
// can do: run the hosted Azure sync, and tell whether mail to an address is accepted.
//
// It is given a world and returns an http.Handler (New). A request takes the world's read lock when it reads and the
// write lock when it changes something, for its whole length; Sync leaves locking to its caller, Tick locks itself. It
// reads no clock but the world's and opens no connections. providers/sim imports it; it imports the world alone, and
// nothing of Weir's clients.
//
// Facts follow the vendor's own API description ("Proofpoint Essentials Interface API", v1, as of August 2023) where
// it speaks, then what published clients read and write on the live API ("seen in clients"). What is neither is marked
// inferred, and where two readings are likely a field of world.Switches chooses. Rule numbers R1…R67 are those of the
// project's list of vendor rules.
package essentials
