// Package login simulates the Microsoft identity platform: discovery, the token endpoint for applications (client
// secret, certificate, federated token) and admin consent. It is given a world, returns an http.Handler with the
// vendor's root-relative paths, and changes the world only when an administrator consents. providers/sim serves it.
//
// Facts are Microsoft's: "OAuth 2.0 client credentials flow", "OpenID Connect on the identity platform", "Admin consent
// endpoint", "Authentication and authorization error codes"; the requests are those that azidentity 1.15 and MSAL Go put
// on the wire. What these leave open is marked inferred.
package login
