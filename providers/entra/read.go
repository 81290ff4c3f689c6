package entra

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-project/weir/providers/directory"
)

// pageSize is the largest page; more is an error, not a cap ("Invalid page size specified", seen in clients).
const pageSize = "999"

// whole is the proof of a reading that is made of parts. Domains decide nothing about people, so a reading without them
// is complete.
func whole(parts []directory.Proof, r *directory.Reading) directory.Proof {
	p := directory.Proof{Source: "directory", Complete: true, Count: 0, Parts: parts}
	for i := range parts {
		part := &parts[i]
		p.Pages += part.Pages
		if part.Source == "domains" {
			continue
		}
		p.Objects += part.Objects
		if part.Count < 0 || p.Count < 0 {
			p.Count = -1 // a list of which nothing changed is not counted
		} else {
			p.Count += part.Count
		}
		if !part.Complete {
			p.Complete = false
			if p.Problem == "" {
				p.Problem = part.Source + ": " + part.Problem
			}
		}
	}
	if !p.Complete {
		p.Count = -1
	}
	sum := sha256.New()
	var scratch []byte
	for _, e := range r.Entries {
		scratch = digest(scratch[:0], e)
		sum.Write(scratch)
	}
	p.Hash = hex.EncodeToString(sum.Sum(nil))
	return p
}

// digest appends what decisions rest on; the field lengths keep neighbours apart.
func digest(to []byte, e *directory.Entry) []byte {
	add := func(s string) {
		to = strconv.AppendInt(to, int64(len(s)), 10)
		to = append(append(to, ':'), s...)
	}
	for _, s := range [...]string{e.ObjectID, string(e.Kind), e.Address, e.UPN, e.Name, e.GivenName, e.Surname, e.Department, e.JobTitle, e.Company,
		e.Office, e.EmployeeID, e.Mobile, e.UsageLocation, strconv.FormatBool(e.Enabled), strconv.FormatBool(e.Licensed), strconv.FormatBool(e.OnPremises)} {
		add(s)
	}
	to = append(to, 0)
	for _, list := range [...][]string{e.Aliases, e.Groups, e.Members} {
		for _, s := range list {
			add(s)
		}
		to = append(to, 0)
	}
	return to
}

// join writes the names of the groups into their members.
func join(entries, groups []*directory.Entry) {
	names := map[string][]string{}
	for _, g := range groups {
		for _, id := range g.Members {
			names[id] = append(names[id], g.Name)
		}
	}
	for _, list := range [...][]*directory.Entry{entries, groups} {
		for _, e := range list {
			if in := names[e.ObjectID]; len(in) > 0 && e.Groups == nil {
				slices.Sort(in)
				e.Groups = slices.Compact(in)
			}
		}
	}
}

var errTwice = errors.New("an object came a second time")

// unique refuses an object that a list brought before: the list repeated a page, or moved under the reader.
type unique map[string]bool

func (u unique) add(id string) error {
	switch id = strings.ToLower(id); {
	case id == "":
		return errors.New("an object has no id")
	case u[id]:
		return fmt.Errorf("%w: %s", errTwice, id)
	}
	u[id] = true
	return nil
}

func (c *Client) readUsers(ctx context.Context) ([]*directory.Entry, directory.Proof, error) {
	var out []*directory.Entry
	seen := unique{}
	w := walk{source: "users", first: "/users?$select=" + userFields + "&$count=true&$top=" + pageSize, eventual: true}
	proof, err := each(ctx, c, w, func(page []wireUser) error {
		for i := range page {
			u := &page[i]
			if err := seen.add(u.ID); err != nil {
				return err
			}
			if !u.legible() {
				return fmt.Errorf("the fields of user %s are hidden: the microsoft provider's application needs User.Read.All or Directory.Read.All", u.ID)
			}
			out = append(out, u.entry())
		}
		return nil
	})
	if err != nil {
		return nil, proof, err
	}
	if proof.Problem == "" && len(out) == 0 {
		// A tenant without a single user cannot have consented to anything.
		proof.Problem = "the directory answered without a single user"
	}
	c.agree(ctx, &proof, len(out))
	return out, proof, nil
}

// readGroups reads groups with their direct members by a delta query from empty: one call a group would cost hundreds of
// thousands of requests in a large tenant, its pages about a thousand. They may bring a group in several pieces and in any
// order ("Use delta query to track changes in Microsoft Graph data").
func (c *Client) readGroups(ctx context.Context) (out []*directory.Entry, link string, proof directory.Proof) {
	type group struct {
		wireGroup
		members, left map[string]bool
		// asked is the group when it was asked itself, nil when that was not needed; hides that a piece said so.
		asked *directory.Entry
		hides bool
	}
	all, deleted := map[string]*group{}, map[string]bool{}
	doubts := map[string]bool{} // what the order of the pieces would decide
	w := walk{source: "groups", first: "/groups/delta?$select=" + groupFields + ",members", delta: true, end: &link}
	proof, err := each(ctx, c, w, func(page []wireGroup) error {
		for i := range page {
			piece := &page[i]
			if piece.ID == "" {
				return errors.New("a group has no id")
			}
			id := strings.ToLower(piece.ID)
			if piece.Removed != nil {
				deleted[id] = true // deleted groups turn up even in the first round
				continue
			}
			g := all[id]
			if g == nil {
				g = &group{members: map[string]bool{}}
				g.ID = id
				all[id] = g
			}
			if !g.merge(piece) {
				doubts[id] = true
			}
			g.hides = g.hides || piece.hidden()
			for _, m := range piece.Members {
				member := strings.ToLower(m.ID)
				switch {
				case member == "":
					return fmt.Errorf("a member of group %s has no id", id)
				case m.Removed == nil:
					g.members[member] = true
				case g.left == nil:
					g.left = map[string]bool{member: true}
				default:
					g.left[member] = true
				}
			}
		}
		return nil
	})
	if err != nil {
		proof.Problem = err.Error()
		return nil, "", proof
	}
	for id, g := range all {
		for member := range g.left {
			if g.members[member] {
				doubts[id] = true
			}
		}
		if deleted[id] {
			doubts[id] = true
		}
	}
	if len(doubts) > maxDoubts && proof.Problem == "" {
		proof.Problem = fmt.Sprintf("%d groups came in pieces that contradict each other", len(doubts))
	}
	for id := range doubts {
		if proof.Problem != "" {
			break
		}
		entry, present, err := c.Confirm(ctx, id)
		switch {
		case err != nil:
		case !present:
			delete(all, id)
		case !entry.Kind.IsGroup():
			err = fmt.Errorf("it is a %s", entry.Kind)
		default:
			g := all[id]
			g.asked = entry
			members, refused := c.members(ctx, id)
			switch {
			case refused == nil:
				g.members = members
			case !g.hides: // what a group hides is not shown by it either
				err = refused
			}
		}
		if err != nil {
			proof.Problem = fmt.Sprintf("group %s came in pieces that contradict each other, and could not be asked for: %v", id, err)
		}
	}
	out = make([]*directory.Entry, 0, len(all))
	for _, g := range all {
		if g.DisplayName == nil && proof.Problem == "" {
			proof.Problem = fmt.Sprintf("group %s came without its name", g.ID)
		}
		e := g.asked
		if e == nil {
			e = g.entry()
		}
		for id := range g.members {
			e.Members = append(e.Members, id)
		}
		slices.Sort(e.Members)
		e.MembersHidden = g.hides && len(e.Members) == 0
		out = append(out, e)
	}
	proof.Objects = len(out)
	c.agree(ctx, &proof, len(out))
	return out, link, proof
}

// members asks for the direct members of one group, by object id.
func (c *Client) members(ctx context.Context, group string) (map[string]bool, error) {
	out := map[string]bool{}
	w := walk{source: "members of group " + group, first: "/groups/" + group + "/members?$select=id&$count=true&$top=" + pageSize, eventual: true}
	proof, err := each(ctx, c, w, func(page []wireMember) error {
		for _, m := range page {
			id := strings.ToLower(m.ID)
			switch {
			case id == "":
				return errors.New("a member has no id")
			case out[id]:
				return fmt.Errorf("%w: %s", errTwice, id)
			}
			out[id] = true
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case proof.Problem != "":
		return nil, errors.New(proof.Problem)
	case proof.Count >= 0 && proof.Count != len(out):
		return nil, fmt.Errorf("%d members were read, and the directory says it has %d", len(out), proof.Count)
	}
	return out, nil
}

func (c *Client) readContacts(ctx context.Context) ([]*directory.Entry, directory.Proof) {
	var out []*directory.Entry
	seen := unique{}
	w := walk{source: "contacts", first: "/contacts?$select=" + contactFields + "&$count=true&$top=" + pageSize, eventual: true}
	proof, err := each(ctx, c, w, func(page []wireContact) error {
		for i := range page {
			if err := seen.add(page[i].ID); err != nil {
				return err
			}
			out = append(out, page[i].entry())
		}
		return nil
	})
	if err != nil {
		proof.Problem = err.Error()
		return nil, proof
	}
	c.agree(ctx, &proof, len(out))
	return out, proof
}

// readDomains gives the verified domains; nil when they could not be read.
func (c *Client) readDomains(ctx context.Context) ([]string, directory.Proof) {
	proof := directory.Proof{Source: "domains", Count: -1, At: c.now().UTC()}
	all, err := c.domains(ctx)
	if err != nil {
		proof.Problem = err.Error()
		return nil, proof
	}
	proof.Pages, proof.Objects, proof.Complete = 1, len(all), true
	out := []string{}
	for _, d := range all {
		if d.verified {
			out = append(out, d.name)
		}
	}
	slices.Sort(out)
	return out, proof
}
