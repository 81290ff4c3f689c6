package world

import "context"

// Call is what the handler of a request tells about it, for the journal. The zero value is a read about which nothing
// is known beyond its method and path.
type Call struct {
	// Tenant is the Entra tenant id or the organization's primary domain that the call was about, "" when none.
	Tenant string
	// Operation is the vendor's name of the call ("createUser", "New-InboundConnector"), "" when it has none.
	Operation string
	// Detail is a short free text for people; never a secret.
	Detail string
	// Changing is true for a call that changes, or asks to change, something in the world. A POST that reads (a token,
	// a Get- cmdlet, a batch of GETs) leaves it false.
	Changing bool
	// Unimplemented is true for a call that the simulator refused because it does not know it.
	Unimplemented bool
}

type callKey struct{}

// WithCall returns a context in which Annotate writes to c.
func WithCall(ctx context.Context, c *Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// Annotate lets a handler describe the call it is serving. Without a Call in ctx it does nothing. Not safe for
// concurrent use within one request.
func Annotate(ctx context.Context, f func(*Call)) {
	if c, ok := ctx.Value(callKey{}).(*Call); ok && c != nil {
		f(c)
	}
}
