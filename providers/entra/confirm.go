package entra

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/internal/jsonstream"
	"github.com/weir-project/weir/providers/resource"
)

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$`)

// Confirm reads one user, group or contact again, directly before something is removed because of it. present is false
// only when Graph itself says that the object does not exist; any doubt is an error. The entry has neither groups nor
// members, and a user's kind is what Entra alone can tell.
func (c *Client) Confirm(ctx context.Context, objectID string) (entry *directory.Entry, present bool, err error) {
	if !guid.MatchString(objectID) {
		return nil, false, &resource.Error{Op: "confirm", Subject: objectID, Kind: resource.ErrInvalid, Detail: "it is no object id of the directory"}
	}
	if entry, err = c.look(ctx, objectID); entry != nil || err != nil {
		return entry, entry != nil, err
	}
	// No replica that answered knows it. What was deleted stands in the deleted items for 30 days; an answer other than
	// yes or no from there leaves it open.
	at, err := c.DeletedAt(ctx, objectID)
	if err != nil {
		return nil, false, err
	}
	if !at.IsZero() {
		return nil, false, nil
	}
	// Deleted for good, or the replicas lag: ask once more.
	entry, err = c.look(ctx, objectID)
	return entry, entry != nil, err
}

// look asks for an object as a user, a group and a contact; nil when Graph says that it is none of them.
func (c *Client) look(ctx context.Context, objectID string) (*directory.Entry, error) {
	for _, look := range []struct {
		path   string
		decode func([]byte) (*directory.Entry, error)
	}{
		{"/users/" + objectID + "?$select=" + userFields, decodeUser},
		{"/groups/" + objectID + "?$select=" + groupFields, decode(func(g *wireGroup) (string, *directory.Entry) { return g.ID, g.entry() })},
		{"/contacts/" + objectID + "?$select=" + contactFields, decode(func(w *wireContact) (string, *directory.Entry) { return w.ID, w.entry() })},
	} {
		body, err := c.get(ctx, c.at(look.path), false)
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, failure("confirm", objectID, "Directory.Read.All", err)
		}
		entry, err := look.decode(body)
		if err != nil || !strings.EqualFold(entry.ObjectID, objectID) {
			return nil, &resource.Error{Op: "confirm", Subject: objectID, Kind: resource.ErrUnavailable, Detail: "the answer is not the object that was asked for"}
		}
		return entry, nil
	}
	return nil, nil
}

// DeletedAt tells when an object was deleted that stands in the deleted items, UTC; zero when it does not stand there.
func (c *Client) DeletedAt(ctx context.Context, objectID string) (time.Time, error) {
	body, err := c.get(ctx, c.at("/directory/deletedItems/"+url.PathEscape(objectID)+"?$select=id,deletedDateTime"), false)
	if absent(err) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, failure("confirm", objectID, "Directory.Read.All", err)
	}
	var o struct {
		ID      string
		Deleted time.Time `json:"deletedDateTime"`
	}
	if err := json.Unmarshal(body, &o); err != nil || !strings.EqualFold(o.ID, objectID) || o.Deleted.IsZero() {
		return time.Time{}, &resource.Error{Op: "confirm", Subject: objectID, Kind: resource.ErrUnavailable, Detail: "the deleted item is not the one that was asked for"}
	}
	return o.Deleted.UTC(), nil
}

// decoded reads one object.
func decoded[T any, P wireObject[T]](body []byte) (*T, error) {
	o := new(T)
	r := jsonstream.New(bytes.NewBuffer(body))
	if err := P(o).decode(r); err != nil {
		return nil, err
	}
	return o, r.End()
}

func decode[T any, P wireObject[T]](of func(*T) (string, *directory.Entry)) func([]byte) (*directory.Entry, error) {
	return func(body []byte) (*directory.Entry, error) {
		o, err := decoded[T, P](body)
		if err != nil {
			return nil, err
		}
		id, entry := of(o)
		if id == "" {
			return nil, fmt.Errorf("the object has no id")
		}
		return entry, nil
	}
}

func decodeUser(body []byte) (*directory.Entry, error) {
	u, err := decoded[wireUser](body)
	if err != nil {
		return nil, err
	}
	if !u.legible() {
		return nil, fmt.Errorf("the fields of user %s are hidden: User.Read.All or Directory.Read.All is needed", u.ID)
	}
	return u.entry(), nil
}
