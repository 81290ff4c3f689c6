package fleet

import (
	"context"
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"
)

// Result is one tenant's outcome.
type Result[T any] struct {
	Key   string
	Value T
	// Err is the function's error, or a *PanicError.
	Err error
}

// PanicError is a panic in one tenant's operation.
type PanicError struct {
	Value any
	Stack []byte
}

// Error says what panicked; the stack is in Stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("internal error: %v; nothing further was begun for this tenant. Please report it", e.Value)
}

// Each calls do once for every key, at most parallel at once (8 when 0), and returns the results in the order of keys.
// It returns when all calls have; cancelling ctx is up to do.
func Each[T any](ctx context.Context, keys []string, parallel int, do func(ctx context.Context, key string) (T, error)) []Result[T] {
	if parallel <= 0 {
		parallel = 8
	}
	results := make([]Result[T], len(keys))
	group := errgroup.Group{}
	group.SetLimit(parallel)
	for i, key := range keys {
		group.Go(func() error {
			results[i] = one(ctx, key, do)
			return nil
		})
	}
	_ = group.Wait() // every function returns nil: errors are part of the results
	return results
}

func one[T any](ctx context.Context, key string, do func(context.Context, string) (T, error)) (r Result[T]) {
	r.Key = key
	defer func() {
		if v := recover(); v != nil {
			r.Err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	r.Value, r.Err = do(ctx, key)
	return r
}
