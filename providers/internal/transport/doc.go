// Package transport has the http.RoundTrippers that every provider's client is made of: credentials, request ids,
// retries, redirects, limits a host, and the redaction of secrets. It is given Options and requests and returns whole
// answers (bodies are read into memory, within a limit). Its effects are the requests themselves and waiting; it logs
// nothing and stores nothing on disk. The clients of Essentials, Entra and Exchange import it; package providers hands
// Redact on to what lies outside.
//
// The stages stand in one fixed order, outermost first:
//
//	admit      https and allowed hosts only; body made repeatable; request id, user agent
//	retry      repeats what may be repeated; tells what became of a change
//	redirect   replays method, body and headers, to allowed hosts only
//	gate       requests in flight and per second, shared by everyone who speaks to the host
//	authorize  writes the credential, after asking once more where it goes
//	attempt    deadline of one try; whole body; size limit; gzip only when it is gzip
//	base       http.Transport: TLS verified, no transparent compression
//
// The order is code, not configuration: with retries outside compression a public SDK sends its second try with a header
// that no longer fits the body.
package transport
