package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/weir-project/weir/state"
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
	Previous   string          `json:"previous,omitempty"`
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

func (h *headV1) encode(key string) ([]byte, error) {
	raw, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	body := wrap(key, raw)
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
	raw, err := unwrap(key, body)
	if err != nil {
		return nil, err
	}
	h := new(headV1)
	if err := state.DecodeJSON(raw, 1, h); err != nil {
		return nil, fmt.Errorf("state object %s: %w", key, err)
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

func (h *headV1) public() (*Head, error) {
	tenant, err := state.DecodeTenant(h.Tenant)
	if err != nil {
		return nil, err
	}
	out := &Head{Tenant: tenant, Realm: h.Realm, Lineage: h.Lineage, Serial: h.Serial}
	if l := h.Lease; l != nil {
		out.Holder = &Holder{Run: l.Run, Who: l.Who, Host: l.Host, Operation: l.Operation, Process: l.Process}
		out.Since = l.Started
	}
	return out, nil
}
