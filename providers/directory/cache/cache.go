package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"github.com/weir-project/weir/providers/directory"
)

// Identity says which directory a cached one is of. One of another identity is never gone on from.
type Identity struct {
	// Tenant is the Entra tenant, Root the version root of Microsoft Graph, Realm the world: "live" or a simulated one's id.
	Tenant, Root, Realm string
	// Fields stands for what was asked of each object: a Weir that asks for more cannot go on from less.
	Fields string
}

// Directory is a directory as Entra and Exchange told it, before the kinds of mailboxes and the names of groups are
// written into its entries.
type Directory struct {
	Identity
	// Read is when the read began, UTC.
	Read time.Time
	// Users, Groups and Contacts are by object id; groups have members.
	Users, Groups, Contacts *Collection
	// FullUsers, FullGroups and FullContacts are when the last full read of each began, UTC.
	FullUsers, FullGroups, FullContacts time.Time
	// Mailboxes are nil when they are not known.
	Mailboxes *Mailboxes

	// Name is the generation that this was loaded from and Digest the SHA-256 of its manifest, hex, which covers every part;
	// "" for one that was read in full.
	Name, Digest string
}

// Full is when the oldest of the full reads began on which this rests.
func (d *Directory) Full() time.Time {
	full := d.FullUsers
	all := []time.Time{d.FullGroups, d.FullContacts}
	if d.Mailboxes != nil {
		all = append(all, d.Mailboxes.Full)
	}
	for _, t := range all {
		if t.Before(full) {
			full = t
		}
	}
	return full
}

// Len is the number of entries.
func (d *Directory) Len() int { return d.Users.Len() + d.Groups.Len() + d.Contacts.Len() }

// Changed reports whether the directory differs from the generation that it was loaded from.
func (d *Directory) Changed() bool {
	return d.Users.changed() || d.Groups.changed() || d.Contacts.changed() || d.Mailboxes != nil && d.Mailboxes.parts == nil
}

// Mailboxes are what Exchange tells about mailboxes, up to a moment.
type Mailboxes struct {
	// Until is the service's own time up to which changes are in, UTC.
	Until time.Time
	// Kinds are those of mailboxes that are no ordinary user's, by object id.
	Kinds map[string]directory.Kind
	// Total is how many mailboxes of any kind the last full read saw, and Full when it began, UTC.
	Total int
	Full  time.Time
	// Changed is how many mailboxes the last read of changes brought. It is not kept.
	Changed int

	parts []partV2 // nil: to be written
}

// Set changes the kind of one mailbox. One of an ordinary user is not kept: an entry without a kind of Exchange's is taken
// for what Entra says, which is the same.
func (m *Mailboxes) Set(id string, kind directory.Kind) {
	old, had := m.Kinds[id]
	switch {
	case kind == directory.User && had:
		delete(m.Kinds, id)
	case kind == directory.User || had && old == kind:
		return
	default:
		m.Kinds[id] = kind
	}
	m.parts = nil
}

// Advance says that changes are in up to a later moment.
func (m *Mailboxes) Advance(until time.Time) {
	if until.After(m.Until) {
		m.Until, m.parts = until, nil
	}
}

// Cache is one tenant's generations.
type Cache struct {
	Shelf    Shelf
	Identity Identity
	// Nonce gives 16 fresh hexadecimal digits.
	Nonce func() string

	serial uint64 // of the newest generation seen
}

// workers bounds the objects read or written at once, packers those that are in memory unpacked meanwhile.
const workers, packers = 8, 2

// window is how far back a part refers to itself, bytes. Most parts are not larger; the default would have each packer
// hold 8 MB.
const window = 1 << 20

var (
	encoder = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(packers), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(window), zstd.WithZeroFrames(true))
	})
	decoder = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(packers), zstd.WithDecoderMaxMemory(maxPart))
	})
)

// ErrForeign says that what is cached is another directory, or was asked for less.
var ErrForeign = errors.New("what is cached is of another directory, or of another version of weir")

// Load reads the newest generation. Without any it returns nil. An error says why the newest cannot be gone on from.
func (c *Cache) Load(ctx context.Context) (*Directory, error) {
	names, err := c.Shelf.List(ctx)
	if errors.Is(err, ErrNoShelf) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	name, serial := newest(names)
	if name == "" {
		return nil, nil
	}
	c.serial = serial
	body, err := c.Shelf.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	m, err := decodeManifest(body)
	if err != nil {
		return nil, err
	}
	if got := (Identity{m.Tenant, m.Root, m.Realm, m.Fields}); got != c.Identity {
		return nil, ErrForeign
	}
	if m.Serial != serial {
		return nil, fmt.Errorf("%w: its manifest is that of generation %d", ErrDamaged, m.Serial)
	}
	d := &Directory{Identity: c.Identity, Read: m.Read, Name: name, Digest: digest(body)}
	for _, stored := range m.Collections {
		into, full, ok := d.collection(stored.Name)
		if !ok || *into != nil {
			return nil, fmt.Errorf("%w: it has a collection %q", ErrDamaged, stored.Name)
		}
		if *into, err = c.load(ctx, stored); err != nil {
			return nil, fmt.Errorf("%s: %w", stored.Name, err)
		}
		*full = stored.Full
	}
	if d.Users == nil || d.Groups == nil || d.Contacts == nil {
		return nil, fmt.Errorf("%w: it lacks a collection", ErrDamaged)
	}
	if m.Mailboxes != nil {
		if d.Mailboxes, err = c.loadMailboxes(ctx, m.Mailboxes); err != nil {
			return nil, fmt.Errorf("mailboxes: %w", err)
		}
	}
	return d, nil
}

// collection finds the field of a stored collection.
func (d *Directory) collection(name string) (into **Collection, full *time.Time, ok bool) {
	switch name {
	case "users":
		return &d.Users, &d.FullUsers, true
	case "groups":
		return &d.Groups, &d.FullGroups, true
	case "contacts":
		return &d.Contacts, &d.FullContacts, true
	}
	return nil, nil, false
}

func (c *Cache) load(ctx context.Context, stored collectionV2) (*Collection, error) {
	out := &Collection{Link: stored.Link, shards: make([][]*directory.Entry, len(stored.Parts)), parts: slices.Clone(stored.Parts)}
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(workers)
	for i, p := range stored.Parts {
		work.Go(func() error {
			raw, err := c.part(ctx, p)
			if err != nil {
				return err
			}
			out.shards[i], err = decodeEntries(raw, p.Objects, i, len(stored.Parts))
			return err
		})
	}
	return out, work.Wait()
}

// decodeEntries reads the records of one shard.
func decodeEntries(raw []byte, objects, shard, of int) ([]*directory.Entry, error) {
	entries := make([]*directory.Entry, 0, min(objects, len(raw)/8))
	for len(raw) > 0 {
		e, rest, err := cutEntry(raw)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		raw = rest
		if n := len(entries); n > 0 && byID(entries[n-1], e) >= 0 || shardOf(e.ObjectID, of) != shard {
			return nil, fmt.Errorf("%w: its entries are not in order", ErrDamaged)
		}
		entries = append(entries, e)
	}
	if len(entries) != objects {
		return nil, fmt.Errorf("%w: a part has %d objects instead of %d", ErrDamaged, len(entries), objects)
	}
	return entries, nil
}

func (c *Cache) loadMailboxes(ctx context.Context, stored *mailboxesV2) (*Mailboxes, error) {
	out := &Mailboxes{Until: stored.Until, Total: stored.Total, Full: stored.Full, Kinds: map[string]directory.Kind{}, parts: stored.Parts}
	for _, p := range stored.Parts {
		raw, err := c.part(ctx, p)
		if err != nil {
			return nil, err
		}
		r, n := cursor{s: string(raw)}, 0
		for r.more() {
			id, kind, err := r.mailbox()
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
			}
			out.Kinds[id] = kind
			n++
		}
		if n != p.Objects {
			return nil, fmt.Errorf("%w: a part has %d objects instead of %d", ErrDamaged, n, p.Objects)
		}
	}
	return out, nil
}

// part reads and verifies the records of one part.
func (c *Cache) part(ctx context.Context, p partV2) ([]byte, error) {
	body, err := c.Shelf.Get(ctx, p.Name)
	if err != nil {
		return nil, err
	}
	if int64(len(body)) != p.Size || digest(body) != p.Digest {
		return nil, fmt.Errorf("%w: a part is not the one that its manifest names", ErrDamaged)
	}
	zr, err := decoder()
	if err != nil {
		return nil, err
	}
	raw, err := zr.DecodeAll(body, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	return raw, nil
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
