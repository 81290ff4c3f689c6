package directory

import "context"

// AccountWriter changes the accounts of one organization. Implemented by providers/essentials, used by planner/apply.
// Safe for concurrent use.
type AccountWriter interface {
	// MaxBatch is the largest number of accounts that one Add takes (100).
	MaxBatch() int
	// Add creates accounts in one request and answers one result an account, in the same order. An account that the
	// vendor named neither as made nor as refused has Err with resource.ErrAmbiguous in its chain, as have all when the
	// answer was lost.
	Add(ctx context.Context, accounts []*Account) []AccountResult
	// Update brings the account now at address before.Address to after, renaming it when the addresses differ. Only
	// what differs is sent; what the struct does not carry is kept.
	Update(ctx context.Context, before, after *Account) (*Account, error)
	// Delete removes the account for ever. An account already gone is success.
	Delete(ctx context.Context, address string) error
	// Get reads one account again; resource.ErrAbsent in the chain when the vendor says that it does not exist.
	Get(ctx context.Context, address string) (*Account, error)
}

// AccountResult is the outcome for one account of a batch.
type AccountResult struct {
	// Account is as the vendor has it now, with its UID when the answer gave one; nil on error.
	Account *Account
	Err     error
}
