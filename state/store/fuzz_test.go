package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/keys"
)

// A fuzzer's bytes are what the bucket has, or what is within: wrapped in plaintext with a digest that fits, or sealed
// with the tenant's own key, and packed if the object is. Otherwise no change would get past the outermost layer.
const (
	rawPlain = iota
	rawSealed
	wrappedPlain
	wrappedSealed
	packedPlain
	packedSealed
	layers
)

var fuzzPacker, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))

// target is what fuzzers of one kind of object share.
type target struct {
	plain, sealed *mem
	ring          *keys.Ring
}

func newTarget(f *testing.F) *target {
	f.Helper()
	a := &target{plain: NewMem().(*mem), sealed: NewMem().(*mem), ring: ring(f, keeperA)}
	specimen(f, a.plain, "contoso", Options{})
	specimen(f, a.sealed, "contoso", Options{Keys: a.ring})
	return a
}

// open returns the tenant of that layer over a copy of its bucket, its head read.
func (a *target) open(t testing.TB, layer uint8) (*Tenant, *mem, *headV1) {
	o, from := Options{}, a.plain
	if layer%2 == 1 {
		o.Keys, from = a.ring, a.sealed
	}
	m := &mem{objects: maps.Clone(from.objects)}
	tn := locked(t, m, newFakeClock(), "contoso", o)
	h, _, err := tn.head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return tn, m, h
}

// seeds adds every object whose name has that part, in each layer.
func (a *target) seeds(f *testing.F, part string) {
	f.Helper()
	n := 0
	for sealed, m := range []*mem{a.plain, a.sealed} {
		tn, _, _ := a.open(f, uint8(sealed))
		for _, key := range slices.Sorted(maps.Keys(m.objects)) {
			if !strings.Contains(key, part) {
				continue
			}
			n++
			body := m.objects[key]
			f.Add(body, uint8(rawPlain+sealed))
			_, payload, err := cut(key, body)
			if err == nil && part != "/head" {
				payload, err = tn.seal.Load().unwrap(key, body, true)
			}
			if err != nil {
				f.Fatal(err)
			}
			f.Add(payload, uint8(wrappedPlain+sealed))
			if raw, err := state.Unpacked(payload); err == nil {
				f.Add(raw, uint8(packedPlain+sealed))
			}
		}
	}
	if n < 2 {
		f.Fatalf("%d seeds of %s", n, part)
	}
}

// body makes the stored object of a fuzzer's bytes.
func (a *target) body(tn *Tenant, key string, data []byte, layer uint8) []byte {
	switch layer {
	case packedPlain, packedSealed:
		data = fuzzPacker.EncodeAll(data, nil)
		fallthrough
	case wrappedPlain, wrappedSealed:
		return tn.wrap(key, data)
	}
	return data
}

// sorted fails unless the error is nil or of a kind that a caller can tell.
func sorted(t *testing.T, err error) {
	t.Helper()
	if err != nil && !unreadable(err) && !errors.Is(err, ErrAbsent) && !errors.Is(err, keys.ErrWrongKey) &&
		!errors.Is(err, ErrEncrypted) && !errors.Is(err, ErrPlaintext) {
		t.Errorf("an error of no kind: %v", err)
	}
}

func FuzzHead(f *testing.F) {
	a := newTarget(f)
	a.seeds(f, "/head")
	f.Fuzz(func(t *testing.T, data []byte, layer uint8) {
		layer %= packedPlain
		const key = "t/contoso/head"
		tn, m, own := a.open(t, layer)
		body := data
		switch layer {
		case wrappedPlain:
			body = wrap(key, data)
		case wrappedSealed:
			var err error
			if body, err = tn.seal.Load().sign(key, data, own.Keys[0].ID); err != nil {
				t.Fatal(err)
			}
		}
		m.objects[key] = body
		h, _, _, err := tn.headBytes(context.Background())
		sorted(t, err)
		if err != nil || h.Purged {
			return
		}
		if _, err := h.public(a.ring); err != nil {
			t.Errorf("a head that was read cannot be shown: %v", err)
		}
		again, err := h.encode(key, tn.seal.Load())
		if err != nil {
			return // longer than a head may be
		}
		if _, err := decodeHead(key, again); err != nil {
			t.Errorf("what was written cannot be read: %v", err)
		}
		_, err = tn.State(context.Background())
		sorted(t, err)
	})
}

func FuzzSlot(f *testing.F) {
	a := newTarget(f)
	a.seeds(f, "/log/")
	f.Fuzz(func(t *testing.T, data []byte, layer uint8) {
		layer %= layers
		tn, _, h := a.open(t, layer)
		batch, err := tn.openSlot(h.Lineage, h.Base, a.body(tn, tn.slotKey(h.Base), data, layer))
		sorted(t, err)
		if err != nil {
			return
		}
		s := state.New(h.Lineage, h.Realm, state.TenantMeta{Key: "contoso"}, nil)
		for _, e := range batch.Entries {
			_ = s.Apply(e) // its error is damage, as replay says
		}
		again, err := state.EncodeBatch(batch)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if _, err := state.DecodeBatch(again); err != nil {
			t.Errorf("what was written cannot be read: %v", err)
		}
		if _, err := state.Encode(s); err != nil {
			t.Errorf("what was applied cannot be written: %v", err)
		}
	})
}

func FuzzManifest(f *testing.F) {
	a := newTarget(f)
	a.seeds(f, "/manifest")
	f.Fuzz(func(t *testing.T, data []byte, layer uint8) {
		layer %= packedPlain
		tn, m, h := a.open(t, layer)
		key := tn.prefix + h.Checkpoint.Manifest
		body := a.body(tn, key, data, layer)
		m.objects[key] = body
		h.Checkpoint.Digest = digest(body) // as if the head named it
		_, _, err := tn.load(context.Background(), h)
		sorted(t, err)
	})
}

func FuzzSnapshot(f *testing.F) {
	a := newTarget(f)
	a.seeds(f, "/part-")
	f.Fuzz(func(t *testing.T, data []byte, layer uint8) {
		layer %= layers
		tn, m, h := a.open(t, layer)
		named, err := tn.manifest(context.Background(), h.Checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		key := tn.prefix + named.Parts[0].Key
		body := a.body(tn, key, data, layer)
		m.objects[key] = body
		if payload, err := tn.seal.Load().unwrap(key, body, true); err == nil { // as if the manifest named it
			manifest := tn.prefix + h.Checkpoint.Manifest
			raw := []byte(`{"format":1,"parts":[{"key":"` + named.Parts[0].Key + `","digest":"` + digest(payload) + `"}]}`)
			m.objects[manifest] = tn.wrap(manifest, raw)
			h.Checkpoint.Digest = digest(m.objects[manifest])
		}
		s, _, err := tn.load(context.Background(), h)
		sorted(t, err)
		if err != nil {
			return
		}
		parts, err := state.Encode(s)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if _, err := state.Decode(parts); err != nil {
			t.Errorf("what was written cannot be read: %v", err)
		}
	})
}

func FuzzRecord(f *testing.F) {
	a := newTarget(f)
	a.seeds(f, "/runs/")
	f.Fuzz(func(t *testing.T, data []byte, layer uint8) {
		layer %= layers
		tn, m, h := a.open(t, layer)
		key := tn.prefix + h.Last.Key
		m.objects[key] = a.body(tn, key, data, layer)
		h.Last.Digest = digest(m.objects[key]) // as if the head named it
		for r, err := range tn.records(context.Background(), h) {
			sorted(t, err)
			if err != nil {
				break
			}
			_ = r.public()
			_ = tn.continues(r)
			_, err := tn.at(context.Background(), h, r)
			if !errors.Is(err, ErrNoVersion) {
				sorted(t, err)
			}
		}
	})
}
