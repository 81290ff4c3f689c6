package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/keys"
)

// maxHead is the largest head, in bytes. It is the only object ever swapped, and
// must fit any store's smallest request.
const maxHead = 64 << 10

// Head is what a tenant's head tells without reading its state.
type Head struct {
	// Tenant is its identity at the last checkpoint; Tenant.Key is its key.
	Tenant  state.TenantMeta
	Realm   string
	Lineage string
	// Protection says how the state is encrypted.
	Protection KeyStatus
	// Serial numbers the state that the last run to change it left, from 1, which is empty.
	Serial uint64
	// Holder is who holds the tenant, or held it when it died; nil if nobody.
	Holder *Holder
	// Since is when Holder began, by its own clock.
	Since time.Time
}

// Guard refuses a run of another realm or configuration, see state.State.Guard.
func (h *Head) Guard(realm, configuration string) error {
	return state.CheckOwner(h.Tenant.Key, h.Realm, h.Tenant.Configuration, realm, configuration)
}

// headV1 is the stored form of a head.
type headV1 struct {
	Format     int             `json:"format"`
	Tenant     json.RawMessage `json:"tenant"`
	Realm      string          `json:"realm"`
	Lineage    string          `json:"lineage"`
	Serial     uint64          `json:"serial"`
	Epoch      uint64          `json:"epoch"`
	Nonce      string          `json:"nonce"`
	Lease      *leaseV1        `json:"lease,omitempty"`
	Checkpoint checkpointV1    `json:"checkpoint"`
	Base       uint64          `json:"journal_base"`          // first slot that is not in the checkpoint
	End        uint64          `json:"journal_end,omitempty"` // first slot after the last run that ended well
	Last       *recordV1       `json:"last_run,omitempty"`    // record of the run that left Serial
	Left       *leaseV1        `json:"left,omitempty"`        // a lease that was taken away, until its run has a record
	Purged     bool            `json:"purged,omitempty"`      // nothing else of the tenant is left
	// Keys are the data keys of an encrypted tenant, the newest last; slots before PlainBefore are older than the first.
	Keys        []keyV1 `json:"keys,omitempty"`
	PlainBefore uint64  `json:"plain_before,omitempty"`

	line     line   // as stored
	Previous string `json:"previous,omitempty"`
}

type leaseV1 struct {
	Run       string    `json:"run"`
	Who       string    `json:"who,omitempty"`
	Host      string    `json:"host,omitempty"`
	Operation string    `json:"operation,omitempty"`
	Started   time.Time `json:"started"`
	TTL       int64     `json:"ttl_ms"`
	Process   Process   `json:"process,omitzero"`
}

type checkpointV1 struct {
	Manifest string `json:"manifest"` // key below the tenant's prefix
	Digest   string `json:"digest"`   // of the stored manifest
	Size     int64  `json:"size"`     // bytes of all its parts
}

func (h *headV1) encode(key string, s *sealer) ([]byte, error) {
	raw, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	body := wrap(key, raw)
	if n := len(h.Keys); n > 0 {
		if body, err = s.sign(key, raw, h.Keys[n-1].ID); err != nil {
			return nil, err
		}
	}
	if len(body) > maxHead {
		return nil, fmt.Errorf("the head of this tenant's state would be %d bytes, and %d is the limit; "+
			"its provider blocks are too long", len(body), maxHead)
	}
	return body, nil
}

func decodeHead(key string, body []byte) (*headV1, error) {
	if len(body) > maxHead {
		return nil, fmt.Errorf("state object %s: %w: it is longer than %d bytes", key, state.ErrDamaged, maxHead)
	}
	l, raw, err := cut(key, body)
	if err != nil {
		return nil, err
	}
	if l.method == methodSealed {
		return nil, fmt.Errorf("state object %s: %w: no head is like that", key, state.ErrDamaged)
	}
	if err := l.verify(key, raw); err != nil {
		return nil, err
	}
	h := &headV1{line: l}
	if err := state.DecodeJSON(raw, 1, h); err != nil {
		return nil, fmt.Errorf("state object %s: %w", key, err)
	}
	if len(h.Keys) > maxKeys {
		return nil, fmt.Errorf("state object %s: %w: it names %d keys", key, state.ErrDamaged, len(h.Keys))
	}
	if h.Purged && h.Lease == nil && h.Epoch > 0 && h.Base > 0 {
		return h, nil
	}
	if h.Lineage == "" || h.Epoch == 0 || h.Serial == 0 || h.Base == 0 || h.Lease != nil && (h.Lease.TTL <= 0 || h.Lease.Run == "") {
		return nil, fmt.Errorf("state object %s: %w: a required member is missing", key, state.ErrDamaged)
	}
	if h.Lease != nil && h.Lease.ttl() > maxTTL {
		return nil, fmt.Errorf("state object %s: %w: it is held for longer than %s at a time", key, state.ErrDamaged, maxTTL)
	}
	return h, nil
}

func (l *leaseV1) ttl() time.Duration { return time.Duration(l.TTL) * time.Millisecond }

func (l *leaseV1) held(tenant string, now time.Time) *HeldError {
	return &HeldError{
		Tenant: tenant, Run: l.Run, Who: l.Who, Host: l.Host, Operation: l.Operation,
		Since: l.Started, Until: now.Add(l.ttl()).UTC(),
	}
}

func (h *headV1) public(ring *keys.Ring) (*Head, error) {
	tenant, err := state.DecodeTenant(h.Tenant)
	if err != nil {
		return nil, err
	}
	out := &Head{Tenant: tenant, Realm: h.Realm, Lineage: h.Lineage, Serial: h.Serial, Protection: h.protection(ring)}
	if l := h.Lease; l != nil {
		out.Holder = &Holder{Run: l.Run, Who: l.Who, Host: l.Host, Operation: l.Operation, Process: l.Process}
		out.Since = l.Started
	}
	return out, nil
}
