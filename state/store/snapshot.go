package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"

	"github.com/weir-project/weir/state"
)

// manifestV1 lists the parts of one snapshot. A part whose bytes did not change
// since an earlier snapshot is not written again: the manifest names the old one.
type manifestV1 struct {
	Format  int      `json:"format"`
	Lineage string   `json:"lineage"`
	Serial  uint64   `json:"serial"`
	Nonce   string   `json:"nonce"`
	Parts   []partV1 `json:"parts"`
}

type partV1 struct {
	Key    string `json:"key"` // below the tenant's prefix
	Size   int64  `json:"size"`
	Digest string `json:"digest"` // SHA-256 of the part before it was wrapped
}

func snapshotFolder(serial uint64) string { return fmt.Sprintf("snap/%010d-", serial) }

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// manifest reads and verifies the manifest of a checkpoint.
func (t *Tenant) manifest(ctx context.Context, point checkpointV1) (*manifestV1, error) {
	key := t.prefix + point.Manifest
	body, _, err := t.b.store.Get(ctx, key)
	if err != nil {
		return nil, missing(err)
	}
	if digest(body) != point.Digest {
		return nil, fmt.Errorf("state object %s: %w: it is not the one the head names", key, state.ErrDamaged)
	}
	raw, err := t.seal.Load().unwrap(key, body, true)
	if err != nil {
		return nil, err
	}
	m, err := decodeManifest(raw)
	if err != nil {
		return nil, fmt.Errorf("state object %s: %w", key, err)
	}
	return m, nil
}

// load reads and verifies the checkpoint that a head points to.
func (t *Tenant) load(ctx context.Context, h *headV1) (*state.State, *manifestV1, error) {
	m, err := t.manifest(ctx, h.Checkpoint)
	if err != nil {
		return nil, nil, err
	}
	parts := make([][]byte, len(m.Parts))
	for i, p := range m.Parts {
		key := t.prefix + p.Key
		body, _, err := t.b.store.Get(ctx, key)
		if err != nil {
			return nil, nil, missing(err)
		}
		if parts[i], err = t.seal.Load().unwrap(key, body, true); err != nil {
			return nil, nil, err
		}
		if digest(parts[i]) != p.Digest {
			return nil, nil, fmt.Errorf("state object %s: %w: it is not the one the manifest names", key, state.ErrDamaged)
		}
	}
	s, err := state.Decode(parts)
	if err != nil {
		return nil, nil, fmt.Errorf("state object %s: %w", t.prefix+h.Checkpoint.Manifest, err)
	}
	if s.Lineage != h.Lineage || s.Serial > h.Serial || s.Realm != h.Realm || s.Tenant.Key != t.key {
		return nil, nil, fmt.Errorf("state object %s: %w: it belongs to another state than the head", t.prefix+h.Checkpoint.Manifest, state.ErrDamaged)
	}
	return s, m, nil
}

// errMissing says that a part of a snapshot is not there.
var errMissing = errors.New("a part of the state is missing; restore it from the bucket's versions")

// missing keeps a part that is not there apart from a tenant that is not there.
func missing(err error) error {
	if errors.Is(err, ErrAbsent) {
		return fmt.Errorf("%w: %w: %v", errMissing, state.ErrDamaged, err)
	}
	return err
}

func decodeManifest(raw []byte) (*manifestV1, error) {
	m := new(manifestV1)
	if err := state.DecodeJSON(raw, 1, m); err != nil {
		return nil, err
	}
	for _, p := range m.Parts {
		if !validKey(p.Key) {
			return nil, fmt.Errorf("%w: %q is no key", state.ErrDamaged, p.Key)
		}
	}
	return m, nil
}

// save writes a snapshot under the number of the version that it is for, and returns how a head names it. Nothing
// refers to it until a head does.
func (t *Tenant) save(ctx context.Context, s *state.State, prior *manifestV1, number uint64, try tries) (checkpointV1, *manifestV1, error) {
	parts, err := state.Encode(s)
	if err != nil {
		return checkpointV1{}, nil, err
	}
	known := make(map[string]partV1)
	if prior != nil {
		for _, p := range prior.Parts {
			known[p.Digest] = p
		}
	}
	m := &manifestV1{Format: 1, Lineage: s.Lineage, Serial: s.Serial, Nonce: t.b.nonce()}
	folder := snapshotFolder(number) + m.Nonce
	var size int64
	for i, part := range parts {
		p, ok := known[digest(part)]
		if !ok {
			p = partV1{Key: path.Join(folder, fmt.Sprintf("part-%04d", i)), Size: int64(len(part)), Digest: digest(part)}
			if _, err := t.create(ctx, t.prefix+p.Key, part, try); err != nil {
				return checkpointV1{}, nil, err
			}
		}
		size += p.Size
		m.Parts = append(m.Parts, p)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return checkpointV1{}, nil, err
	}
	name := path.Join(folder, "manifest")
	body, err := t.create(ctx, t.prefix+name, raw, try)
	if err != nil {
		return checkpointV1{}, nil, err
	}
	return checkpointV1{Manifest: name, Digest: digest(body), Size: size}, m, nil
}

// tries repeats a write: soon given up, or for as long as a lease may write.
type tries func(ctx context.Context, write func() error) error

// soon gives up after a few tries.
func (b *Bucket) soon(ctx context.Context, write func() error) error {
	return b.retry(ctx, nil, write)
}

// create writes one immutable object and returns its stored bytes.
func (t *Tenant) create(ctx context.Context, key string, payload []byte, try tries) ([]byte, error) {
	body := t.wrap(key, payload)
	return body, try(ctx, func() error {
		_, err := t.b.store.Put(ctx, key, body, "")
		return err
	})
}
