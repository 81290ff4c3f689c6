package exchange

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/directory/cache"
	"github.com/weir-project/weir/providers/resource"
)

// overlap is how far before the last read changes are asked for again: a change shows with delay, and each of the
// service's machines keeps its own WhenChanged.
const overlap = time.Hour

// filterTime is the notation of dates in the documentation of filters ("8/1/2017 2:00:00 PM").
const filterTime = "1/2/2006 3:04:05 PM"

// ErrNoMailbox says that Exchange shows no mailbox for a directory object.
var ErrNoMailbox = errors.New("exchange shows no mailbox for it")

// Mailboxes reads the kinds of mailboxes that are no ordinary user's: all, or, given what an earlier read found, those of
// mailboxes that changed since by the service's own clock (Filter on WhenChangedUTC, documented). One request is then
// enough however many mailboxes there are. A mailbox that is gone is not told about; it stays what it was, which protects
// its address. note says why everything was read although something was cached. On an error nothing is known.
//
// That each change of a kind moves WhenChangedUTC is inferred. So nothing may be taken away from somebody whose kind comes
// from here without MailboxKind.
func (c *Client) Mailboxes(ctx context.Context, known *cache.Mailboxes) (found *cache.Mailboxes, note string, err error) {
	if known != nil && !known.Until.IsZero() {
		changed, at, err := c.mailboxes(ctx, "read changed mailboxes", map[string]any{
			"Filter": fmt.Sprintf("WhenChangedUTC -gt '%s'", known.Until.Add(-overlap).UTC().Format(filterTime)),
		})
		switch {
		case err == nil && !at.IsZero() && at.Add(overlap).Before(known.Until):
			note = "the mailboxes were read in full: by the service's clock the last read was in the future"
		case err == nil:
			known.Changed = len(changed)
			for id, kind := range changed {
				known.Set(id, kind)
			}
			if !at.IsZero() && len(changed) > pageSize/2 {
				known.Advance(at) // or else each read from now on would bring them again
			}
			return known, "", nil
		case !errors.Is(err, resource.ErrInvalid):
			return nil, "", err
		default:
			note = "the mailboxes were read in full: " + err.Error()
		}
	}
	kinds, at, err := c.allMailboxes(ctx)
	if err != nil {
		return nil, note, err
	}
	found = &cache.Mailboxes{Until: at, Total: len(kinds), Kinds: map[string]directory.Kind{}}
	for id, kind := range kinds {
		found.Set(id, kind)
	}
	return found, note, nil
}

// MailboxKind asks for the kind of one directory object's mailbox, directly. ErrNoMailbox says that there seems to be none,
// which is no proof.
func (c *Client) MailboxKind(ctx context.Context, objectID string) (directory.Kind, error) {
	if !tenantForm.MatchString(strings.ToLower(objectID)) {
		return "", &resource.Error{Op: "read a mailbox", Subject: objectID, Kind: resource.ErrInvalid, Detail: "it is no object id of the directory"}
	}
	id := strings.ToLower(objectID)
	found, _, err := c.mailboxes(ctx, "read a mailbox", map[string]any{"Filter": "ExternalDirectoryObjectId -eq '" + id + "'"})
	if err != nil {
		return "", err
	}
	// Whatever else came with it, what counts is what is said of this one.
	kind, ok := found[id]
	if !ok {
		return "", ErrNoMailbox
	}
	return kind, nil
}
