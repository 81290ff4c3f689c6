package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weir-project/weir/state"
)

// OlderError says that the state of a tenant is older than the newest that this machine has seen: somebody put an old
// copy in its place. It wraps ErrRolledBack.
type OlderError struct {
	Tenant string
	// Serial and Runs are the version found, and how often the tenant had been taken by then.
	Serial, Runs uint64
	// SeenSerial, SeenRuns and Seen are the newest seen, and when.
	SeenSerial, SeenRuns uint64
	Seen                 time.Time
	// Purged says that what was seen was the tenant without a state.
	Purged bool
}

func (e *OlderError) Error() string {
	seen := fmt.Sprintf("version %d, after run number %d", e.SeenSerial, e.SeenRuns)
	if e.Purged {
		seen = "already removed from state"
	}
	return fmt.Sprintf("tenant %q: the state found is older than the one that was there: it is version %d, after run number %d, and on %s this machine saw it %s; "+
		"an old copy was put in its place. Restore the newest one; or, to go on from the old one, pass --accept-older-state %s once",
		e.Tenant, e.Serial, e.Runs, e.Seen.Format(time.RFC3339), seen, e.Tenant)
}

// Is makes it an ErrRolledBack.
func (e *OlderError) Is(target error) bool { return target == ErrRolledBack }

// memory is what this machine saw of tenants' heads, a file for each tenant and lineage. A state is known by its lineage,
// wherever it lies: a copy of a bucket that fell behind is as old as one that was restored.
type memory struct {
	folder *file
	accept []string
}

// seenV1 is the stored form of the newest head seen.
type seenV1 struct {
	Format  int       `json:"format"`
	Tenant  string    `json:"tenant"`
	Lineage string    `json:"lineage"`
	Epoch   uint64    `json:"epoch"`
	Serial  uint64    `json:"serial"`
	Purged  bool      `json:"purged,omitempty"`
	Seen    time.Time `json:"seen"`
}

// before reports whether a was stored before b, both of one lineage: holders count up, each of them versions, and a
// purge is the last that one does.
func (a seenV1) before(b seenV1) bool {
	switch {
	case a.Epoch != b.Epoch:
		return a.Epoch < b.Epoch
	case a.Purged != b.Purged:
		return b.Purged
	}
	return a.Serial < b.Serial
}

func (t *Tenant) seen(h *headV1) seenV1 {
	return seenV1{Format: 1, Tenant: t.key, Lineage: h.Lineage, Epoch: h.Epoch, Serial: h.Serial, Purged: h.Purged, Seen: t.b.clock.Now().UTC()}
}

func (s seenV1) name() string { return digest([]byte(s.Tenant+"\n"+s.Lineage)) + ".json" }

// get returns the newest seen of the same state, and the version of its file. What cannot be read is not remembered.
func (m *memory) get(ctx context.Context, same seenV1) (seenV1, Version) {
	body, v, err := m.folder.Get(ctx, same.name())
	if err != nil {
		return seenV1{}, ""
	}
	var s seenV1
	if err := state.DecodeJSON(body, 1, &s); err != nil || s.Tenant != same.Tenant || s.Lineage != same.Lineage {
		return seenV1{}, v
	}
	return s, v
}

// keep remembers s if it is newer than what is, or in any case if it was accepted. That it cannot is no reason to stop.
func (m *memory) keep(ctx context.Context, s seenV1, accepted bool) {
	body, err := json.Marshal(s)
	if err != nil {
		return
	}
	for range quickTries { // other runs of this machine write the same file
		last, v := m.get(ctx, s)
		if !accepted && !last.before(s) {
			return
		}
		if _, err := m.folder.Put(ctx, s.name(), body, v); !errors.Is(err, ErrConflict) {
			return
		}
	}
}

// remember keeps a head that this run stored.
func (t *Tenant) remember(ctx context.Context, h *headV1) {
	if t.b.seen != nil {
		t.b.seen.keep(context.WithoutCancel(ctx), t.seen(h), false)
	}
}

// headBytes reads and verifies the head, and refuses one that is older than what this machine has seen.
func (t *Tenant) headBytes(ctx context.Context) (*headV1, Version, []byte, error) {
	h, v, body, err := t.readHead(ctx)
	m := t.b.seen
	if err != nil || m == nil {
		return h, v, body, err
	}
	now, accepted := t.seen(h), false
	if last, _ := m.get(ctx, now); now.before(last) {
		// Another run of this machine may have seen a newer one between the two reads. What is remembered by now is older
		// than a second look.
		if h, v, body, err = t.readHead(ctx); err != nil {
			return nil, "", nil, err
		}
		now = t.seen(h)
		if now.Lineage == last.Lineage && now.before(last) {
			if accepted = slices.Contains(m.accept, t.key); !accepted {
				return nil, "", nil, &OlderError{
					Tenant: t.key, Serial: now.Serial, Runs: now.Epoch,
					SeenSerial: last.Serial, SeenRuns: last.Epoch, Seen: last.Seen, Purged: last.Purged,
				}
			}
		}
	}
	m.keep(ctx, now, accepted)
	return h, v, body, nil
}
