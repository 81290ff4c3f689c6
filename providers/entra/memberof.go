package entra

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/internal/jsonstream"
	"github.com/weir-project/weir/providers/resource"
)

// memberOfNeed is the least permission that lists another object's groups (Microsoft, "List a user's memberships", "List
// memberOf", November 2026); Directory.Read.All, which the rest needs, has it.
const memberOfNeed = "GroupMember.Read.All or Directory.Read.All"

// Memberships asks for the groups of a user, or of a group, directly, and with nested for those around them too: directly
// before something is removed because of a group that the object is in, or in no more. Directory roles and administrative
// units are left out. Any doubt is an error.
//
// The plain list is asked, without the cast to groups: that is answered from an index which lags behind ("an index that
// might not be up-to-date").
func (c *Client) Memberships(ctx context.Context, objectID string, kind directory.Kind, nested bool) (*directory.Memberships, error) {
	if !guid.MatchString(objectID) {
		return nil, &resource.Error{Op: "read memberships", Subject: objectID, Kind: resource.ErrInvalid, Detail: "it is no object id of the directory"}
	}
	of := "/users/"
	if kind.IsGroup() {
		of = "/groups/"
	}
	direct, err := c.memberOf(ctx, objectID, of+objectID+"/memberOf")
	if err != nil {
		return nil, err
	}
	m := &directory.Memberships{Direct: direct}
	if !nested {
		return m, nil
	}
	around, err := c.memberOf(ctx, objectID, of+objectID+"/transitiveMemberOf")
	if err != nil {
		return nil, err
	}
	m.All = make([]string, 0, len(around))
	for _, g := range around {
		m.All = append(m.All, g.ObjectID)
	}
	return m, nil
}

func (c *Client) memberOf(ctx context.Context, objectID, path string) ([]directory.Membership, error) {
	const op = "read memberships"
	var out []directory.Membership
	seen := unique{}
	w := walk{source: "memberships", first: path + "?$select=id,displayName&$top=" + pageSize, need: memberOfNeed}
	proof, err := each(ctx, c, w, func(page []wireMembership) error {
		for i := range page {
			o := &page[i]
			if err := seen.add(o.ID); err != nil {
				return err
			}
			switch {
			case o.Type == "":
				return fmt.Errorf("object %s has no type", o.ID)
			case !strings.EqualFold(o.Type, "#microsoft.graph.group"):
				continue
			case o.DisplayName == nil:
				// What a caller sees who may not see groups ("limited information").
				return errors.New("the names of groups are hidden: the microsoft provider's application needs " + memberOfNeed)
			}
			out = append(out, directory.Membership{ObjectID: strings.ToLower(o.ID), Name: *o.DisplayName})
		}
		return nil
	})
	switch {
	case err != nil:
		var e *resource.Error
		if errors.As(err, &e) && e.Subject == "" {
			e.Subject = objectID
		}
		return nil, err
	case proof.Problem != "":
		return nil, &resource.Error{Op: op, Subject: objectID, Kind: resource.ErrUnavailable, Detail: proof.Problem}
	}
	slices.SortFunc(out, func(a, b directory.Membership) int { return strings.Compare(a.ObjectID, b.ObjectID) })
	return out, nil
}

// wireMembership is an object that another one is a member of.
type wireMembership struct {
	Type, ID    string
	DisplayName *string
}

func (m *wireMembership) decode(r *jsonstream.Reader) error {
	return r.Object(func(name []byte) (err error) {
		switch string(name) {
		case "@odata.type":
			m.Type, err = r.String()
		case "id":
			m.ID, err = r.String()
		case "displayName":
			m.DisplayName, err = optionalString(r)
		}
		return err
	})
}
