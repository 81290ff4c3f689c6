// Package dns looks up what mail flow rests on: the MX and SPF records of a tenant's domains, and the TXT record that
// verifies one. It is given a resolver's address and returns facts; its only effect is DNS queries. A look-up that
// failed is unknown, never "no record": only an answer of the name server counts.
//
// providers.Connect hands its facts to planner/live.
package dns
