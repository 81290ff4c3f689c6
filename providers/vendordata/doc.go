// Package vendordata knows what a Proofpoint Essentials stack looks like from outside: the address ranges that it
// delivers from, its MX hosts, smart host, SPF names and console. These lists change; they are dated files in the
// binary, which a configuration pins with `weir { vendor_data = "2026-11-01" }`.
//
// It is given a stack and a date and returns plain data. It has no effects. Providers use it in the Customize functions
// of their types (tenant, m365_connector), the DNS provider for the SPF gate.
package vendordata
