// Package providers is the explicit list of everything that speaks to a vendor: the resource types and data sources
// that a configuration may use, and the connections of one tenant.
//
// It is given connection settings and returns resource.Registry and Tenant values; it performs no call itself. Only
// cmd imports it; what is below it (essentials, entra, exchange, dns) knows nothing of it.
package providers
