// Package entra speaks to Microsoft Graph for one Entra tenant: it reads the directory whole (users, groups with their
// members, contacts, verified domains), confirms single objects and the groups that they are in, manages application
// registrations with their service principal, consent and client secret (resource type app_registration), and answers data
// "directory".
//
// It is given an *http.Client that already carries the bearer token, retries and limits, and returns directory.Readings,
// resource.Types and errors of resource's kinds. Its effects are the requests to Graph; it stores nothing. Administrative
// objects go through msgraph-sdk-go's builders, which nothing else imports; bulk reads go raw through the same request
// adapter (DESIGN.md says why). Package providers imports it.
package entra
