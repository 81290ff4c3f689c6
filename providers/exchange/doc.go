// Package exchange speaks to Exchange Online's administrative interface (InvokeCommand): connectors, mail flow rules, and
// the two things about recipients that Graph does not tell, mailbox kinds and dynamic distribution groups.
//
// It is given a base address, a tenant and an HTTP client that carries the credential, and returns resource types and
// directory entries. Its effects are the calls. Package providers connects it; planner/live, planner/apply and the
// conformance suite use it through resource.Type.
//
// The interface is what Microsoft's own module uses; no public page documents it. Facts about it are seen in clients
// unless a comment says otherwise; the cmdlets themselves are documented.
package exchange
