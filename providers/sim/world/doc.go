// Package world is the model that every simulated vendor reads and writes: Essentials organizations, Entra tenants
// with their directories and Exchange objects, and DNS zones, under one lock and one clock. An Entra user is an
// Exchange mailbox is, after a sync, an Essentials user, because all three are views of this one value.
//
// It is given JSON (a world file, or the words of a generator) and returns JSON; reading and writing the file is its
// only effect. The vendor handlers beside it (login, graph, exchange, essentials, dns) import it; it imports none of
// them, and nothing of Weir's clients: a simulator that shared the client's types would share its mistakes.
package world
