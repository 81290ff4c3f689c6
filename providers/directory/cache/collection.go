package cache

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"hash/fnv"
	"io"
	"iter"
	"slices"

	"github.com/weir-project/weir/providers/directory"
)

// perShard is about how many entries share one part: a change of one person rewrites some hundred kilobytes, and 200,000
// people are some fifty objects.
const perShard = 4096

// maxShards bounds the parts of one collection.
const maxShards = 1024

// Collection is one list of a directory: its entries, and the link from which the next read goes on. The zero value is an
// empty one without a link. Not safe for concurrent use.
type Collection struct {
	// Link is the change query that goes on from here, path and query below the service's root; "" when there is none,
	// and then the entries are good for nothing.
	Link string

	// shards are sorted by object id; which one an entry is in follows from its id alone.
	shards [][]*directory.Entry
	// parts are those that hold the shards as they were loaded or written; a zero part is to be written.
	parts []partV2
	// fresh says that it was not loaded.
	fresh bool
}

// NewCollection makes a collection of entries, which need not be sorted. Of two with one id the later stays.
func NewCollection(link string, entries []*directory.Entry) *Collection {
	n := min(maxShards, (len(entries)+perShard-1)/perShard)
	c := &Collection{Link: link, shards: make([][]*directory.Entry, n), parts: make([]partV2, n), fresh: true}
	for _, e := range entries {
		i := shardOf(e.ObjectID, n)
		c.shards[i] = append(c.shards[i], e)
	}
	for i, shard := range c.shards {
		slices.SortStableFunc(shard, byID)
		kept := shard[:0]
		for j, e := range shard {
			if j+1 < len(shard) && shard[j+1].ObjectID == e.ObjectID {
				continue
			}
			kept = append(kept, e)
		}
		c.shards[i] = kept
	}
	return c
}

func byID(a, b *directory.Entry) int { return cmp.Compare(a.ObjectID, b.ObjectID) }

func shardOf(id string, of int) int {
	if of <= 1 {
		return 0
	}
	h := fnv.New32a()
	_, _ = io.WriteString(h, id) // a hash takes everything
	return int(h.Sum32() % uint32(of))
}

// Len is the number of entries.
func (c *Collection) Len() int {
	n := 0
	for _, s := range c.shards {
		n += len(s)
	}
	return n
}

// All yields the entries, sorted by nothing in particular. They are the collection's own: what is changed in them must be
// told with Put.
func (c *Collection) All() iter.Seq[*directory.Entry] {
	return func(yield func(*directory.Entry) bool) {
		for _, s := range c.shards {
			for _, e := range s {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// Get returns the entry of an object id as stored, lower case; nil when there is none.
func (c *Collection) Get(id string) *directory.Entry {
	if len(c.shards) == 0 {
		return nil
	}
	s := c.shards[shardOf(id, len(c.shards))]
	if i, found := find(s, id); found {
		return s[i]
	}
	return nil
}

// Put adds an entry, or puts it in the place of the one with its id.
func (c *Collection) Put(e *directory.Entry) {
	if len(c.shards) == 0 {
		c.shards, c.parts = make([][]*directory.Entry, 1), make([]partV2, 1)
	}
	n := shardOf(e.ObjectID, len(c.shards))
	i, found := find(c.shards[n], e.ObjectID)
	if found {
		c.shards[n][i] = e
	} else {
		c.shards[n] = slices.Insert(c.shards[n], i, e)
	}
	c.parts[n] = partV2{}
}

// Remove takes the entry of an object id out and reports whether there was one.
func (c *Collection) Remove(id string) bool {
	if len(c.shards) == 0 {
		return false
	}
	n := shardOf(id, len(c.shards))
	i, found := find(c.shards[n], id)
	if found {
		c.shards[n] = slices.Delete(c.shards[n], i, i+1)
		c.parts[n] = partV2{}
	}
	return found
}

func find(s []*directory.Entry, id string) (int, bool) {
	return slices.BinarySearchFunc(s, id, func(e *directory.Entry, id string) int { return cmp.Compare(e.ObjectID, id) })
}

// Equal reports whether two entries are kept as the same; the names of their groups are not looked at.
func Equal(a, b *directory.Entry) bool {
	x, errX := appendEntry(nil, a)
	y, errY := appendEntry(nil, b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// changed reports whether it differs from what was loaded.
func (c *Collection) changed() bool {
	return c.fresh || slices.ContainsFunc(c.parts, func(p partV2) bool { return p.Name == "" })
}

// guid reads a GUID as Entra spells object ids, in lower case with dashes.
func guid(s string) (b [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return b, false
	}
	at := 0
	for i := 0; i < 36; {
		if s[i] == '-' {
			i++
			continue
		}
		hi, lo := nibble(s[i]), nibble(s[i+1])
		if hi > 15 || lo > 15 {
			return b, false
		}
		b[at] = hi<<4 | lo
		at++
		i += 2
	}
	return b, true
}

// nibble is the value of a lower-case hexadecimal digit, 255 for anything else.
func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

// spell is the reverse of guid.
func spell(b [16]byte) string {
	var s [36]byte
	hex.Encode(s[:8], b[:4])
	s[8] = '-'
	hex.Encode(s[9:13], b[4:6])
	s[13] = '-'
	hex.Encode(s[14:18], b[6:8])
	s[18] = '-'
	hex.Encode(s[19:23], b[8:10])
	s[23] = '-'
	hex.Encode(s[24:], b[10:])
	return string(s[:])
}
