// Package dns serves the zones of a world over UDP and TCP, as the recursive resolver of a network would: it answers TXT,
// MX, CNAME, A and AAAA for the world's names and NXDOMAIN for every other, follows aliases across zones, and truncates
// what does not fit a datagram. It is given a world and an address to listen on; its only effect is the two sockets.
// providers/sim starts it.
package dns
