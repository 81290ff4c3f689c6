package directory

import "context"

// ExemptionWriter is what an AccountWriter may also do: keep addresses out of the hosted sync, which would turn their
// functional accounts into users again (R39, R40). Both calls may be repeated. Safe for concurrent use.
type ExemptionWriter interface {
	// AddExemption puts one address on the list, beside those that are there.
	AddExemption(ctx context.Context, address string) error
	// RemoveExemption takes one address off the list. One that is not on it is success.
	RemoveExemption(ctx context.Context, address string) error
}
