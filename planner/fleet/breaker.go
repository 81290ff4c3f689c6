package fleet

import (
	"fmt"
	"sync"
)

// threshold is the number of tenants running that must fail the same way before a provider is given up.
const threshold = 3

// Breaker gives up a provider whose credential or host fails the same way for three tenants running, so that a wrong
// password is one line and not two hundred, and locks nobody out. Safe for concurrent use. The zero value is ready.
type Breaker struct {
	mu    sync.Mutex
	kinds map[string]*streak
}

type streak struct {
	reason string
	count  int
}

// OpenError says that a provider was given up for the run.
type OpenError struct{ Provider, Reason string }

// Error names the provider and the failure that repeated.
func (e *OpenError) Error() string {
	return fmt.Sprintf("%s was given up for this run after it failed the same way for %d tenants: %s", e.Provider, threshold, e.Reason)
}

// Allow returns an *OpenError when the provider was given up.
func (b *Breaker) Allow(provider string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.kinds[provider]; s != nil && s.count >= threshold {
		return &OpenError{Provider: provider, Reason: s.reason}
	}
	return nil
}

// Report notes one tenant's outcome with a provider: "" for success, else a reason that is equal for equal failures.
func (b *Breaker) Report(provider, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kinds == nil {
		b.kinds = map[string]*streak{}
	}
	s := b.kinds[provider]
	switch {
	case s != nil && s.count >= threshold:
	case reason == "":
		delete(b.kinds, provider)
	case s != nil && s.reason == reason:
		s.count++
	default:
		b.kinds[provider] = &streak{reason: reason, count: 1}
	}
}
