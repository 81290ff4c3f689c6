package providers

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/directory/cache"
	"github.com/weir-project/weir/providers/entra"
	"github.com/weir-project/weir/providers/exchange"
)

// fullEvery is how long changes alone are asked for. Deletions of members were seen to be missing from later changes of
// groups (whoever loses something because of a group is asked for directly, but nobody is of whom that should be so), a
// mailbox that is gone is not told about, and a token lives for 7 days.
const fullEvery = 24 * time.Hour

// CacheSettings say where a tenant's directory is kept between runs.
type CacheSettings struct {
	// Shelf holds it; nil keeps nothing, and every read is a full one.
	Shelf cache.Shelf
	// Realm is the world: "live", or a simulated one's id.
	Realm string
	// Nonce gives 16 fresh hexadecimal digits.
	Nonce func() string
	// Full says that everything is to be read once, whatever is kept.
	Full bool
	// Every is how long changes alone are asked for; 0 is 24 hours, and with a negative one every read is a full one.
	Every time.Duration
}

// cachedDirectory reads a tenant's directory and keeps it, so that the next read asks for changes alone. Not safe for
// concurrent use, but for distrust.
type cachedDirectory struct {
	graph *entra.Client
	mail  *exchange.Client
	keep  CacheSettings
	now   func() time.Time
	// simulated says that a simulator answers.
	simulated bool

	distrusted atomic.Bool
}

// read reads Entra and Exchange. Exchange's kinds that could not be read stand in the reading.
func (d *cachedDirectory) read(ctx context.Context) (*directory.Reading, error) {
	var kept *cache.Cache
	var base *cache.Directory
	var notes []string
	if d.keep.Shelf != nil {
		kept = &cache.Cache{Shelf: d.keep.Shelf, Identity: d.graph.Identity(d.keep.Realm), Nonce: d.keep.Nonce}
		if d.simulated {
			kept.Identity.Root = "" // its address is another in each run, and the realm says whose it is
		}
		var err error
		if base, err = kept.Load(ctx); err != nil {
			notes = append(notes, fmt.Sprintf("the directory was read in full: what an earlier run kept of it cannot be used: %v", err))
		}
		if base != nil && (d.distrusted.Load() || d.old(base)) {
			base = nil
		}
	}
	var mailboxes *cache.Mailboxes
	if base != nil {
		mailboxes = base.Mailboxes
	}
	reading, next, err := d.graph.ReadDirectoryFrom(ctx, base)
	if err != nil {
		return nil, err
	}
	var writer *cache.Writer
	if kept != nil && next != nil {
		next.Identity = kept.Identity
		if base == nil || next.Changed() || reading.Proof.Changed > manyChanges {
			writer = kept.Begin(ctx, next)
		}
	}
	found, note, kindsErr := d.mail.Mailboxes(ctx, mailboxes)
	cached := found != nil && found == mailboxes
	if found != nil && !cached {
		found.Full = reading.Proof.At
	}
	var dynamic []*directory.Entry
	if kindsErr == nil {
		dynamic, kindsErr = d.mail.DynamicGroups(ctx)
	}
	if note != "" {
		notes = append(notes, note)
	}
	if next != nil {
		if found != nil {
			next.Mailboxes = found
		}
		if kept != nil && writer == nil && next.Changed() {
			writer = kept.Begin(ctx, next)
		}
	}
	if kindsErr != nil {
		directory.Merge(reading, nil, nil, kindsErr)
	} else {
		directory.Merge(reading, found.Kinds, dynamic, nil)
		part := &reading.Proof.Parts[len(reading.Proof.Parts)-1]
		part.Objects = found.Total
		if cached {
			part.Changed = found.Changed
			part.Base = &directory.Base{Generation: base.Name, Hash: base.Digest, Objects: found.Total, At: base.Read, Full: found.Full}
			if reading.Proof.Base == nil {
				reading.Proof.Base = part.Base
			}
		}
	}
	if writer != nil {
		err := writer.Finish(ctx)
		if err == nil && base == nil {
			d.distrusted.Store(false) // what is kept now was just read
		}
		if err != nil && !errors.Is(err, cache.ErrNoShelf) {
			notes = append(notes, fmt.Sprintf("the directory could not be kept for the next run, which reads it in full: %v", err))
		}
	}
	reading.Notes = append(notes, reading.Notes...)
	return reading, nil
}

// manyChanges is how many changes are brought again and again before the place to go on from is moved, although nothing
// that is kept changed.
const manyChanges = 500

// old reports whether a full read is due. A cached directory that seems to be from the future is in doubt, too.
func (d *cachedDirectory) old(base *cache.Directory) bool {
	every := d.keep.Every
	if every == 0 {
		every = fullEvery
	}
	age := d.now().Sub(base.Full())
	return age >= every || age < 0
}

// confirm reads one object directly, and the kind of its mailbox where somebody might be taken for a user who is none.
func (d *cachedDirectory) confirm(ctx context.Context, objectID string) (*directory.Entry, bool, error) {
	entry, present, err := d.graph.Confirm(ctx, objectID)
	if err != nil || !present || entry.Kind != directory.User {
		return entry, present, err
	}
	if entry.Kind, err = d.mail.MailboxKind(ctx, objectID); err != nil {
		entry.Kind = directory.UnknownKind
	}
	return entry, true, nil
}
