package exchange

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/internal/jsonstream"
)

// kinds maps RecipientTypeDetails (Microsoft, Get-Mailbox). A kind that is not here is unknown, so that nothing happens
// to its entry.
var mailboxKinds = map[string]directory.Kind{
	"usermailbox": directory.User, "linkedmailbox": directory.User, "legacymailbox": directory.User,
	"sharedmailbox": directory.SharedMailbox, "teammailbox": directory.SharedMailbox,
	// Bookings: nobody signs in to it, and mail to it must flow on (that it is like a shared mailbox is inferred).
	"schedulingmailbox": directory.SharedMailbox,
	"roommailbox":       directory.Room, "linkedroommailbox": directory.Room,
	"equipmentmailbox": directory.Equipment,
}

// impersonal are the kinds whose sign-in is blocked as a matter of course; mistaking one for a user could stop its mail.
var impersonal = []string{"SharedMailbox", "TeamMailbox", "SchedulingMailbox", "RoomMailbox", "LinkedRoomMailbox", "EquipmentMailbox"}

// Recipients reads what Graph does not tell: the kind of each mailbox, by Entra object id in lower case, and the dynamic
// distribution groups as entries sorted by address. On an error nothing is known.
//
// Exchange counts nothing, so the list proves itself in another way: the mailboxes that are no person's are asked for a
// second time by their kinds, and both lists must agree. What a list could lose unnoticed are then only mailboxes of
// users, whom the directory takes for users anyway.
func (c *Client) Recipients(ctx context.Context) (kinds map[string]directory.Kind, dynamic []*directory.Entry, err error) {
	kinds, _, err = c.allMailboxes(ctx)
	if err != nil {
		return nil, nil, err
	}
	dynamic, err = c.DynamicGroups(ctx)
	if err != nil {
		return nil, nil, err
	}
	return kinds, dynamic, nil
}

// allMailboxes reads the kind of every mailbox, and when the service answered, by its own clock.
func (c *Client) allMailboxes(ctx context.Context) (map[string]directory.Kind, time.Time, error) {
	none := time.Time{}
	kinds, at, err := c.mailboxes(ctx, "read mailboxes", nil)
	if err != nil {
		return nil, none, err
	}
	q := &call{op: "read mailboxes", subject: c.tenant, cmdlet: "Get-Mailbox"}
	if len(kinds) == 0 {
		return nil, none, unreadable(q, "the tenant seems to have no mailbox at all")
	}
	special, _, err := c.mailboxes(ctx, "read shared and resource mailboxes", map[string]any{"RecipientTypeDetails": impersonal})
	if err != nil {
		return nil, none, err
	}
	if id := disagreement(kinds, special); id != "" {
		return nil, none, unreadable(q, fmt.Sprintf("two reads of the mailboxes disagree about %s: one of them is incomplete, or the mailbox has just changed; read again", id))
	}
	return kinds, at, nil
}

// disagreement names a mailbox of which the full list and the list by kind tell different things; "" when none is.
func disagreement(all, special map[string]directory.Kind) string {
	var ids []string
	for id, kind := range special {
		if all[id] != kind {
			ids = append(ids, id)
		}
	}
	for id, kind := range all {
		if kind != directory.User && kind != directory.UnknownKind && special[id] != kind {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	sort.Strings(ids)
	return ids[0]
}

func (c *Client) mailboxes(ctx context.Context, op string, parameters map[string]any) (map[string]directory.Kind, time.Time, error) {
	kinds := map[string]directory.Kind{}
	q := &call{op: op, subject: c.tenant, cmdlet: "Get-Mailbox", parameters: parameters,
		fields: []string{"Guid", "ExternalDirectoryObjectId", "RecipientTypeDetails"}}
	q.each = func(r *jsonstream.Reader) (string, error) {
		m, err := readMailbox(r)
		if err != nil {
			return "", err
		}
		if m.object == "" {
			return m.guid, nil // a system mailbox: the directory has no entry that it could tell about
		}
		id := strings.ToLower(m.object)
		if _, twice := kinds[id]; twice {
			return "", fmt.Errorf("two mailboxes belong to the directory object %s", clean(id))
		}
		kind, ok := mailboxKinds[strings.ToLower(m.details)]
		if !ok {
			kind = directory.UnknownKind
		}
		kinds[id] = kind
		return m.guid, nil
	}
	out, err := c.invoke(ctx, q)
	if err != nil {
		return nil, time.Time{}, err
	}
	return kinds, out.at, nil
}

// mailbox is what is read of one; guid falls back to the directory object for a mailbox without.
type mailbox struct{ guid, object, details string }

func readMailbox(r *jsonstream.Reader) (m mailbox, err error) {
	var object, details bool
	err = r.Object(func(name []byte) (err error) {
		switch string(name) {
		case "Guid":
			m.guid, err = r.String()
		case "ExternalDirectoryObjectId":
			object = true
			m.object, err = r.String()
		case "RecipientTypeDetails":
			details = true
			m.details, err = r.Word()
		}
		return err
	})
	switch {
	case err != nil:
		return m, err
	case !object:
		return m, errors.New("an object came without ExternalDirectoryObjectId")
	case !details:
		return m, errors.New("an object came without RecipientTypeDetails")
	}
	if m.guid == "" {
		m.guid = m.object + " " + m.details
	}
	return m, nil
}

// DynamicGroups reads the dynamic distribution groups, which Entra does not know, as entries sorted by address.
func (c *Client) DynamicGroups(ctx context.Context) ([]*directory.Entry, error) {
	q := &call{op: "read dynamic distribution groups", subject: c.tenant, cmdlet: "Get-DynamicDistributionGroup",
		fields: []string{"Guid", "DisplayName", "Name", "PrimarySmtpAddress", "EmailAddresses"}}
	out, err := c.invoke(ctx, q)
	if err != nil {
		return nil, err
	}
	entries := make([]*directory.Entry, 0, len(out.rows))
	for _, r := range out.rows {
		f := fields{row: r, err: r.need("Guid", "PrimarySmtpAddress", "EmailAddresses")}
		proxies := f.list("EmailAddresses")
		e := &directory.Entry{ObjectID: "exchange:" + strings.ToLower(f.text("Guid")), Kind: directory.DynamicDistributionGroup, Enabled: true,
			Name: f.text("DisplayName"), HasProxy: len(proxies) > 0}
		if e.Name == "" {
			e.Name = f.text("Name")
		}
		e.Address, e.Aliases, _ = directory.Addresses(proxies)
		if e.Address == "" {
			e.Address = directory.Fold(f.text("PrimarySmtpAddress"))
			e.Aliases = without(e.Aliases, e.Address)
		}
		if f.err != nil {
			return nil, unreadable(q, f.err.Error())
		}
		if e.ObjectID == "exchange:" {
			return nil, unreadable(q, "a group came without Guid")
		}
		entries = append(entries, e)
	}
	sort.Slice(entries, func(i, j int) bool {
		if entries[i].Address != entries[j].Address {
			return entries[i].Address < entries[j].Address
		}
		return entries[i].ObjectID < entries[j].ObjectID
	})
	return entries, nil
}

func without(all []string, one string) []string {
	var out []string
	for _, s := range all {
		if s != one {
			out = append(out, s)
		}
	}
	return out
}
