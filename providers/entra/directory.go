package entra

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/directory/cache"
	"github.com/weir-project/weir/providers/resource"
)

// ReadDirectory reads the whole directory: users, groups with their direct members, contacts and verified domains. An
// error means that no user was read, or those of another directory than the tenant's. In every other case Proof says
// whether the reading is complete; nothing destructive may follow from one that is not. Mailbox kinds and dynamic
// groups are not in it: directory.Merge adds them.
func (c *Client) ReadDirectory(ctx context.Context) (*directory.Reading, error) {
	r, _, err := c.ReadDirectoryFrom(ctx, nil)
	return r, err
}

// ReadDirectoryFrom goes on from a cached directory: it asks for what changed since, and reads only those lists in full
// whose token or changes are good for nothing. It changes base. Without one (nil) everything is read. The directory
// returned is what to cache, nil when the reading is not complete: then what is cached stays. It must be cached before
// anything is written into the reading's entries, which it shares.
func (c *Client) ReadDirectoryFrom(ctx context.Context, base *cache.Directory) (*directory.Reading, *cache.Directory, error) {
	at := c.now().UTC()
	next := &cache.Directory{Identity: c.Identity(""), Read: at}
	if base != nil {
		next.Identity, next.Mailboxes, next.Name, next.Digest = base.Identity, base.Mailboxes, base.Name, base.Digest
	} else {
		base = &cache.Directory{}
	}
	cached := func(col *cache.Collection, full time.Time) *cachedList {
		if col == nil || col.Link == "" {
			return nil
		}
		return &cachedList{col, &directory.Base{Generation: base.Name, Hash: base.Digest, Objects: col.Len(), At: base.Read, Full: full}}
	}
	var users, groups, contacts list
	var domains []string
	var domainsProof directory.Proof
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() (err error) {
		users, err = c.users(ctx, cached(base.Users, base.FullUsers))
		return err
	})
	work.Go(func() error {
		groups = c.groups(ctx, cached(base.Groups, base.FullGroups))
		return nil
	})
	work.Go(func() error {
		contacts = c.contacts(ctx, cached(base.Contacts, base.FullContacts))
		return nil
	})
	work.Go(func() error {
		domains, domainsProof = c.readDomains(ctx)
		return nil
	})
	var unsettled error
	work.Go(func() error {
		if unsettled = c.settled(ctx); errors.Is(unsettled, resource.ErrInvalid) {
			return unsettled
		}
		return nil
	})
	if err := work.Wait(); err != nil {
		return nil, nil, err
	}
	next.Users, next.FullUsers = users.col, users.full(at)
	next.Groups, next.FullGroups = groups.col, groups.full(at)
	next.Contacts, next.FullContacts = contacts.col, contacts.full(at)

	r := &directory.Reading{Domains: domains}
	r.Entries = make([]*directory.Entry, 0, next.Len())
	for e := range next.Users.All() {
		r.Entries = append(r.Entries, e)
	}
	for e := range next.Contacts.All() {
		r.Entries = append(r.Entries, e)
	}
	r.Groups = slices.Collect(next.Groups.All())
	for _, g := range r.Groups {
		if g.HasProxy {
			r.Entries = append(r.Entries, g)
		}
	}
	directory.Sort(r.Entries)
	directory.Sort(r.Groups)
	for _, list := range [][]*directory.Entry{r.Entries, r.Groups} {
		for _, e := range list {
			e.Groups = nil // of a reading before, when what was kept comes from this run
		}
	}
	join(r.Entries, r.Groups)
	parts := []directory.Proof{users.proof, groups.proof, contacts.proof, domainsProof}
	if unsettled != nil {
		parts = append(parts, directory.Proof{Source: "organization", Count: -1, At: at, Problem: "whose directory this is could not be read: " + unsettled.Error()})
	}
	r.Proof = whole(parts, r)
	r.Proof.At = at
	r.Proof.Continued = true
	for _, l := range []*list{&users, &groups, &contacts} {
		if l.note != "" {
			r.Notes = append(r.Notes, l.note)
		}
		r.Proof.Changed += l.proof.Changed
		r.Proof.Continued = r.Proof.Continued && l.proof.Continued
		if l.proof.Base == nil {
			continue
		}
		if r.Proof.Base == nil {
			r.Proof.Base = &directory.Base{Generation: base.Name, Hash: base.Digest, At: base.Read, Full: next.Full()}
		}
		r.Proof.Base.Objects += l.proof.Base.Objects
	}
	if !r.Proof.Complete {
		return r, nil, nil
	}
	return r, next, nil
}

// Identity is what cached directories of this client are known by in a realm, the world that it reads.
func (c *Client) Identity(realm string) cache.Identity {
	sum := sha256.Sum256([]byte(userFields + "\n" + groupFields + "\n" + contactFields))
	return cache.Identity{Tenant: c.tenant, Root: c.base.String(), Realm: realm, Fields: hex.EncodeToString(sum[:8])}
}

// list is one list of the directory as read.
type list struct {
	col   *cache.Collection
	proof directory.Proof
	// note says why it was read in full although it was cached; "" otherwise.
	note string
	// unheard is why not even the first page of the changes was read.
	unheard error
}

// full is when its last full read began.
func (l *list) full(now time.Time) time.Time {
	if l.proof.Base != nil {
		return l.proof.Base.Full
	}
	return now
}

// cachedList is a list to go on from.
type cachedList struct {
	col  *cache.Collection
	base *directory.Base // apart from the list, so that a proof, which lives as long as the plan, does not keep the people
}

// follow goes on from a cached list. done is false when it must be read in full; the note then says why.
func follow[T any, P wireObject[T]](ctx context.Context, c *Client, source string, from *cachedList, take func([]T) error) (l list, done bool) {
	col := from.col
	l = list{col: col, proof: directory.Proof{Source: source, Count: -1, At: c.now().UTC(), Base: from.base}}
	full := func(err error) (list, bool) {
		return list{note: fmt.Sprintf("the %s were read in full: %v", source, err)}, false
	}
	items, next, pages, err := changes[T, P](ctx, c, source, col.Link)
	l.proof.Pages, l.proof.Objects = pages, col.Len()
	var gone *lostError
	switch {
	case errors.As(err, &gone):
		return full(err)
	case err != nil:
		// Nothing of a delta that was cut off counts: what is cached stays as it was.
		l.proof.Problem = "the changes since the last read could not be read to the end: " + err.Error()
		if pages == 0 {
			l.unheard = err
		}
		return l, true
	}
	if err := take(items); err != nil {
		return full(err)
	}
	l.proof.Continued, l.proof.Changed, l.proof.Objects = true, len(items), col.Len()
	if len(items) == 0 {
		// The next read asks from the same place: should this answer have hidden something, it comes then.
		l.proof.Complete = true
		return l, true
	}
	col.Link = next
	// A list of which something changed can be compared with the vendor's count. That fewer are counted than are cached is
	// a deletion that is not told yet.
	n, err := c.count(ctx, source, "")
	switch {
	case err != nil:
		return full(fmt.Errorf("how many there are is not known: %w", err))
	case n > col.Len():
		return full(fmt.Errorf("the directory counts %d, and what was kept and changed since adds up to %d", n, col.Len()))
	}
	l.proof.Count, l.proof.Complete = n, true
	return l, true
}

// users reads users: what changed since they were cached; or else first a token from now on, then the list, then what
// changed while it was read. An error means that no user was read.
func (c *Client) users(ctx context.Context, from *cachedList) (l list, err error) {
	is := func(k directory.Kind) bool { return k == directory.User || k == directory.Guest }
	note := ""
	if from != nil {
		var done bool
		l, done = follow[deltaUser](ctx, c, "users", from, func(items []deltaUser) error { return merge[deltaUser](ctx, c, from.col, items, is) })
		if done {
			// What is cached may be a day old. It decides about nobody while not a word comes from the directory.
			return l, l.unheard
		}
		note = l.note
	}
	link, err := c.latest(ctx, "users", userFields)
	if err != nil {
		return list{}, err
	}
	entries, proof, err := c.readUsers(ctx)
	if err != nil {
		return list{}, err
	}
	l = list{col: cache.NewCollection(link, entries), proof: proof, note: note}
	catchUp[deltaUser](ctx, c, &l, func(items []deltaUser) error { return merge[deltaUser](ctx, c, l.col, items, is) })
	return l, nil
}

// contacts reads mail contacts as users does. What could not be read stands in the proof.
func (c *Client) contacts(ctx context.Context, from *cachedList) (l list) {
	is := func(k directory.Kind) bool { return k == directory.Contact }
	note := ""
	if from != nil {
		var done bool
		l, done = follow[deltaContact](ctx, c, "contacts", from, func(items []deltaContact) error { return merge[deltaContact](ctx, c, from.col, items, is) })
		if done {
			return l
		}
		note = l.note
	}
	link, err := c.latest(ctx, "contacts", contactFields)
	if err != nil {
		return list{col: cache.NewCollection("", nil), proof: directory.Proof{Source: "contacts", Count: -1, At: c.now().UTC(), Problem: err.Error()}, note: note}
	}
	entries, proof := c.readContacts(ctx)
	l = list{col: cache.NewCollection(link, entries), proof: proof, note: note}
	catchUp[deltaContact](ctx, c, &l, func(items []deltaContact) error { return merge[deltaContact](ctx, c, l.col, items, is) })
	return l
}

// catchUp takes over what changed while a list was read, and the link to go on from.
func catchUp[T any, P wireObject[T]](ctx context.Context, c *Client, l *list, take func([]T) error) {
	if !l.proof.Complete {
		return
	}
	items, next, pages, err := changes[T, P](ctx, c, l.proof.Source, l.col.Link)
	l.proof.Pages += 1 + pages // the token was a page too
	if err == nil {
		err = take(items)
	}
	if err != nil {
		l.proof.Complete = false
		l.proof.Problem = "what changed while " + l.proof.Source + " were read is not known: " + err.Error()
		return
	}
	l.col.Link, l.proof.Continued, l.proof.Objects = next, true, l.col.Len()
}

// groups reads groups with their direct members: what changed since they were cached, or all by a delta from empty.
func (c *Client) groups(ctx context.Context, from *cachedList) list {
	note := ""
	if from != nil {
		l, done := follow[deltaGroup](ctx, c, "groups", from, func(items []deltaGroup) error { return mergeGroups(from.col, items) })
		if done {
			return l
		}
		note = l.note
	}
	entries, link, proof := c.readGroups(ctx)
	if proof.Complete {
		var err error
		if link, err = c.below(link); err != nil {
			proof.Complete, proof.Problem = false, err.Error()
		}
		proof.Continued = proof.Complete
	}
	return list{col: cache.NewCollection(link, entries), proof: proof, note: note}
}
