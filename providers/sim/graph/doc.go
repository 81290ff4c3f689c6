// Package graph is the simulated Microsoft Graph v1.0: users, groups, contacts, domains, the organization,
// applications, service principals, consent, directory roles, deleted items, licences, delta queries and JSON batching.
//
// It is given a world and the requests of any Graph client, and returns what graph.microsoft.com would; its effects are
// changes of that world's tenants, never I/O of its own. Page and delta tokens carry their whole meaning, so a restarted
// simulator continues them; what is kept beside the world is the replication lag of fresh objects and the throttling
// bucket, both only when a switch of the world asks for them.
//
// The simulator's server (providers/sim) imports it. It imports the world and nothing of Weir's clients.
//
// What a caller may do follows the application permissions in its token alone; the directory roles of its service
// principal add nothing here, which is stricter than the service.
package graph
