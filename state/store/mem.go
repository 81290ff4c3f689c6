package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
)

// NewMem returns an empty store in memory, for tests.
func NewMem() Store { return &mem{objects: make(map[string][]byte)} }

type mem struct {
	mu      sync.Mutex
	objects map[string][]byte // by key; nil entries do not occur
}

// digestVersion is the version of stores that have none of their own. Equal
// bytes have equal versions, therefore every mutable object carries a nonce.
func digestVersion(body []byte) Version {
	sum := sha256.Sum256(body)
	return Version(hex.EncodeToString(sum[:]))
}

func (m *mem) Get(ctx context.Context, key string) ([]byte, Version, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", fail(key, ErrUnavailable, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	body, there := m.objects[key]
	if !there {
		return nil, "", fail(key, ErrAbsent, nil)
	}
	return bytes.Clone(body), digestVersion(body), nil
}

func (m *mem) Put(ctx context.Context, key string, body []byte, prev Version) (Version, error) {
	if !validKey(key) {
		return "", fail(key, ErrDenied, errKey)
	}
	if err := ctx.Err(); err != nil {
		return "", fail(key, ErrUnavailable, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, there := m.objects[key]
	var current Version
	if there {
		current = digestVersion(old)
	}
	if current != prev {
		return "", fail(key, ErrConflict, nil)
	}
	m.objects[key] = append([]byte{}, body...)
	return digestVersion(body), nil
}

func (m *mem) List(ctx context.Context, prefix string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Item{}, fail(prefix, ErrUnavailable, err))
			return
		}
		m.mu.Lock()
		var items []Item
		for _, key := range slices.Sorted(maps.Keys(m.objects)) {
			if strings.HasPrefix(key, prefix) {
				items = append(items, Item{Key: key, Size: int64(len(m.objects[key]))})
			}
		}
		m.mu.Unlock()
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

func (m *mem) Remove(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}
