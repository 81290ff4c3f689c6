package cache

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/weir-project/weir/providers/directory"
)

// Writer writes one generation. What was written counts only after Finish.
type Writer struct {
	c      *Cache
	d      *Directory
	name   string
	serial uint64

	// scratch holds a buffer for each part that may be packed at the same time; as many as the encoder has hands.
	scratch chan []byte

	mu     sync.Mutex
	number int
	err    error
}

// Begin writes those parts of a directory that changed since it was loaded. It must be called before mailbox kinds or names
// of groups are written into the entries. An error is kept for Finish: a directory that cannot be cached is read all the
// same.
func (c *Cache) Begin(ctx context.Context, d *Directory) *Writer {
	w := &Writer{c: c, d: d, serial: c.serial + 1, scratch: make(chan []byte, packers)}
	for range packers {
		w.scratch <- nil
	}
	w.name = manifestName(w.serial, c.Nonce())
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(workers)
	for _, col := range []*Collection{d.Users, d.Groups, d.Contacts} {
		for i := range col.parts {
			if col.parts[i].Name != "" {
				continue
			}
			work.Go(func() (err error) {
				col.parts[i], err = w.entries(ctx, col.shards[i])
				return err
			})
		}
	}
	w.err = work.Wait()
	return w
}

func (w *Writer) entries(ctx context.Context, shard []*directory.Entry) (partV2, error) {
	return w.put(ctx, len(shard), func(raw []byte) (_ []byte, err error) {
		for _, e := range shard {
			if raw, err = appendEntry(raw, e); err != nil {
				return nil, err
			}
		}
		return raw, nil
	})
}

// put writes a part of records, which add appends to a buffer.
func (w *Writer) put(ctx context.Context, objects int, add func([]byte) ([]byte, error)) (partV2, error) {
	body, err := w.pack(add)
	if err != nil {
		return partV2{}, err
	}
	w.mu.Lock()
	w.number++
	name := partName(w.name, w.number)
	w.mu.Unlock()
	if err := w.c.Shelf.Put(ctx, name, body); err != nil {
		return partV2{}, err
	}
	return partV2{Name: name, Digest: digest(body), Size: int64(len(body)), Objects: objects}, nil
}

func (w *Writer) pack(add func([]byte) ([]byte, error)) ([]byte, error) {
	scratch := <-w.scratch
	defer func() { w.scratch <- scratch }()
	raw, err := add(scratch[:0])
	if err != nil {
		return nil, err
	}
	scratch = raw
	if len(raw) > maxPart {
		return nil, fmt.Errorf("a part of the directory has %d bytes, which is more than can be cached", len(raw))
	}
	zw, err := encoder()
	if err != nil {
		return nil, err
	}
	return zw.EncodeAll(raw, nil), nil
}

// Finish writes the mailboxes, if they changed, and the manifest; with it the generation is there, and older ones than the
// one before are removed. Mailboxes that are nil are not known. ErrNoShelf says that there is no place for it yet; any
// other error that nothing was cached, or that old generations could not be removed.
func (w *Writer) Finish(ctx context.Context) error {
	if w.err != nil {
		return w.err
	}
	d := w.d
	m := &manifestV2{
		Format: format, Serial: w.serial, Tenant: d.Tenant, Root: d.Root, Realm: d.Realm, Fields: d.Fields, Read: d.Read.UTC(),
		Collections: []collectionV2{
			{Name: "users", Link: d.Users.Link, Full: d.FullUsers.UTC(), Parts: d.Users.parts},
			{Name: "groups", Link: d.Groups.Link, Full: d.FullGroups.UTC(), Parts: d.Groups.parts},
			{Name: "contacts", Link: d.Contacts.Link, Full: d.FullContacts.UTC(), Parts: d.Contacts.parts},
		},
	}
	if d.Mailboxes != nil {
		if d.Mailboxes.parts == nil {
			if err := w.mailboxes(ctx); err != nil {
				return err
			}
		}
		m.Mailboxes = &mailboxesV2{Until: d.Mailboxes.Until.UTC(), Total: d.Mailboxes.Total, Full: d.Mailboxes.Full.UTC(), Parts: d.Mailboxes.parts}
	}
	body, err := encodeManifest(m)
	if err != nil {
		return err
	}
	if err := w.c.Shelf.Put(ctx, w.name, body); err != nil {
		return err
	}
	w.c.serial = w.serial
	_, err = Collect(ctx, w.c.Shelf, false)
	return err
}

func (w *Writer) mailboxes(ctx context.Context) error {
	ids := make([]string, 0, len(w.d.Mailboxes.Kinds))
	for id := range w.d.Mailboxes.Kinds {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	parts := []partV2{}
	for batch := range slices.Chunk(ids, 1<<20) {
		p, err := w.put(ctx, len(batch), func(raw []byte) (_ []byte, err error) {
			for _, id := range batch {
				if raw, err = appendMailbox(raw, id, w.d.Mailboxes.Kinds[id]); err != nil {
					return nil, err
				}
			}
			return raw, nil
		})
		if err != nil {
			return err
		}
		parts = append(parts, p)
	}
	w.d.Mailboxes.parts = parts
	return nil
}
