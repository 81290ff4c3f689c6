// Package sim runs the simulator: login, Microsoft Graph, Exchange Online, Essentials and DNS over one world, on
// loopback sockets with real TLS. It is given a world and returns a Server with addresses, a certificate authority, the
// world's credentials as environment variables, a journal of every call, faults that can be asked for, a clock that can
// be moved and "the portal", the changes that a person would make by hand; all of it from Go and over a control
// listener.
//
// Its effects are the sockets, one temporary file with the certificate of its authority, and the changes that calls make
// to the world. cmd serves it (weir simulate, --simulate) and tests start it; nothing in providers, planner or state
// imports it, and it imports nothing of Weir's clients, so that the two cannot share a mistake.
package sim
