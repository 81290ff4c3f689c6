package state

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Accounts is a set of accounts by address. The zero value is empty. Reading is
// safe for concurrent use; changing is not.
type Accounts struct {
	all map[string]*Account

	mu     sync.Mutex // guards sorted, which readers fill in on demand
	sorted []*Account // nil when all has changed since
}

// Len returns the number of accounts.
func (a *Accounts) Len() int { return len(a.all) }

// Get returns the account with that address (lower case), or nil.
func (a *Accounts) Get(address string) *Account { return a.all[address] }

// Put adds the account, or replaces the one with its address. The account must
// not be changed afterwards.
func (a *Accounts) Put(account *Account) {
	if a.all == nil {
		a.all = make(map[string]*Account)
	}
	a.all[account.Address] = account
	a.sorted = nil
}

// Delete removes the account with that address, if there is one.
func (a *Accounts) Delete(address string) {
	delete(a.all, address)
	a.sorted = nil
}

// All yields the accounts sorted by address, by bytes. The accounts must not be
// changed, nor the set while the sequence is read.
func (a *Accounts) All() iter.Seq[*Account] {
	return slices.Values(a.list())
}

func (a *Accounts) list() []*Account {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sorted == nil {
		a.sorted = slices.AppendSeq(make([]*Account, 0, len(a.all)), maps.Values(a.all))
		slices.SortFunc(a.sorted, func(x, y *Account) int { return strings.Compare(x.Address, y.Address) })
	}
	return a.sorted
}
