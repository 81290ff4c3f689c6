package store

import (
	"context"
	"errors"

	"github.com/weir-project/weir/state/keys"
)

// keyV1 is a data key as a head names it.
type keyV1 struct {
	ID    string      `json:"id"`
	Wraps []keys.Wrap `json:"wraps"`
}

// maxKeys is how many data keys a head may name.
const maxKeys = 20

// KeyStatus says how a tenant's state is protected.
type KeyStatus struct {
	// Encrypted is false for plaintext; the rest is then empty.
	Encrypted bool
	// Fresh says that the configuration's present settings protect the data key, and
	// nothing else does; otherwise a rekey is due.
	Fresh bool
	// Keys is the number of data keys, of which the newest is written with.
	Keys int
}

// Protection says how the tenant's state is protected. ErrAbsent says that there
// is none.
func (t *Tenant) Protection(ctx context.Context) (KeyStatus, error) {
	h, _, err := t.head(ctx)
	if err != nil {
		return KeyStatus{}, err
	}
	return h.protection(t.b.keys), nil
}

func (h *headV1) protection(ring *keys.Ring) KeyStatus {
	if len(h.Keys) == 0 {
		return KeyStatus{}
	}
	return KeyStatus{Encrypted: true, Keys: len(h.Keys), Fresh: ring != nil && ring.Fresh(h.Keys[len(h.Keys)-1].Wraps)}
}

// Rekey protects the tenant's data keys by the configuration's present settings
// alone. With fresh, or when the state was not encrypted, it makes a new data key
// and writes the state with it; what was written before stays readable with the
// old key, or in plaintext, until it is collected; a head names maxKeys keys, and
// versions older than that many fresh ones cannot be read any more. It is a version of its own, and
// must not overlap with Record.
func (l *Lease) Rekey(ctx context.Context, fresh bool) error {
	ring := l.t.b.keys
	if ring == nil {
		return errors.New("the configuration has no encryption block, so there is nothing to encrypt with")
	}
	l.mu.Lock()
	lineage, end, manifest := l.s.Lineage, l.tail.next, l.manifest
	l.mu.Unlock()
	old := l.t.seal.Load()
	subject := l.t.subject(lineage)

	next := &sealer{all: make(map[string]*keys.DataKey)}
	var named []keyV1
	if old != nil {
		*next = sealer{key: old.key, all: old.all, plainBefore: old.plainBefore}
		for _, k := range l.keys() {
			data, err := l.t.b.dataKey(ctx, subject, k)
			if errors.Is(err, keys.ErrUnavailable) {
				return keyError(l.t.key, err) // later it can be protected anew, too
			}
			if err != nil {
				named = append(named, k) // its settings are gone; they may come back
				continue
			}
			wraps, err := ring.Wrap(ctx, data, subject)
			if err != nil {
				return keyError(l.t.key, err)
			}
			named = append(named, keyV1{ID: k.ID, Wraps: wraps})
		}
	} else {
		next.plainBefore = end
	}
	renew := fresh || old == nil
	if renew {
		if over := len(named) + 1 - maxKeys; over > 0 {
			named = named[over:]
		}
		data, wraps, err := ring.Make(ctx, subject)
		if err != nil {
			return keyError(l.t.key, err)
		}
		named = append(named, keyV1{ID: data.ID(), Wraps: wraps})
		all := map[string]*keys.DataKey{data.ID(): data}
		for id, k := range next.all {
			all[id] = k
		}
		next = &sealer{key: data, all: all, plainBefore: next.plainBefore}
	}
	note := "the data key is protected anew"
	l.t.seal.Store(next)
	if renew {
		note = "encrypted with a new data key"
		l.reuse(&manifestV1{}) // all of it is written again
	}
	err := l.conclude(ctx, l.State(), note, func(h *headV1) { h.Keys, h.PlainBefore = named, next.plainBefore })
	if err == nil {
		return nil
	}
	l.headLock <- struct{}{}
	defer func() { <-l.headLock }()
	if n := len(l.head.Keys); !renew || n == 0 || l.head.Keys[n-1].ID != next.key.ID() { // else it was kept after all
		l.t.seal.Store(old)
		l.reuse(manifest)
	}
	return err
}

// reuse says which parts of earlier snapshots the next one may name.
func (l *Lease) reuse(m *manifestV1) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.manifest = m
}

// keys returns the data keys that the head names.
func (l *Lease) keys() []keyV1 {
	l.headLock <- struct{}{}
	defer func() { <-l.headLock }()
	return l.head.Keys
}
