// Package identity makes the credentials with which Weir signs in to Microsoft Entra ID: a client secret, a certificate,
// workload identity federation, a managed identity, or the Azure CLI of the person at the keyboard. It is given Options
// and returns an azcore.TokenCredential, which fetches and caches tokens when it is asked. Its effects are the requests
// to the token service, and reading the files that Options or the environment name. Package providers imports it.
package identity
