package entra

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/directory/cache"
	"github.com/weir-project/weir/providers/internal/jsonstream"
	"github.com/weir-project/weir/providers/resource"
)

// lostError says that a change query cannot go on from where it was to: the directory must be read in full, and what is
// missing then was proven to be missing by that read alone.
type lostError struct{ why string }

func (e *lostError) Error() string { return e.why }

// lost is the reason why an answer means that a token is good for nothing: 410 asks for a resync, wherever its Location
// leads ("Use delta query"), 400 says that the token expired (syncStateNotFound) or was never one of this directory. nil for
// every other error.
func lost(err error) *lostError {
	a := answerOf(err)
	if a == nil {
		return nil
	}
	switch {
	case a.status == http.StatusGone, a.code == "resyncRequired":
		return &lostError{"Microsoft Graph asked to begin again"}
	case a.code == "syncStateNotFound":
		return &lostError{"the token has expired"}
	case a.status == http.StatusBadRequest, a.status == http.StatusNotFound:
		return &lostError{"Microsoft Graph does not take the token: " + a.Error()}
	}
	return nil
}

// latest gives the link from which changes from now on are told.
func (c *Client) latest(ctx context.Context, collection, fields string) (string, error) {
	var body bytes.Buffer
	if err := c.bulk(ctx, c.at("/"+collection+"/delta?$deltatoken=latest&$select="+fields), false, &body); err != nil {
		return "", failure("read "+collection, "", "Directory.Read.All", err)
	}
	p, _, err := readPage[deltaUser](jsonstream.New(&body), body.Bytes(), nil)
	if err == nil && (p.delta == "" || p.next != "") {
		err = errors.New("the answer has no delta link")
	}
	link := ""
	if err == nil {
		link, err = c.below(p.delta)
	}
	if err != nil {
		return "", &resource.Error{Op: "read " + collection, Kind: resource.ErrUnavailable, Err: err}
	}
	return link, nil
}

// below is a link of this service as it is kept: path and query below the version root, so that it can lead nowhere else.
func (c *Client) below(link string) (string, error) {
	if err := c.own(link); err != nil {
		return "", err
	}
	u, err := url.Parse(link)
	if err != nil {
		return "", err
	}
	return strings.TrimPrefix(u.EscapedPath(), c.base.EscapedPath()) + "?" + u.RawQuery, nil
}

// changes follows a change query, kept as below says, to its end and gives the items of all pages. A *lostError says that the token is good for
// nothing, any other error that it did not come to its end: then nothing that was read may be used.
func changes[T any, P wireObject[T]](ctx context.Context, c *Client, source, link string) (items []T, next string, pages int, err error) {
	links := map[string]bool{}
	link = c.at(link)
	var body bytes.Buffer
	reader := jsonstream.New(&body)
	for {
		if err := c.own(link); err != nil {
			return nil, "", pages, &resource.Error{Op: "read changes of " + source, Kind: resource.ErrUnavailable, Err: err}
		}
		if err := c.bulk(ctx, link, false, &body); err != nil {
			if l := lost(err); l != nil {
				return nil, "", pages, l
			}
			return nil, "", pages, failure("read changes of "+source, "", "Directory.Read.All", err)
		}
		reader.Reset(&body)
		var p *page
		if p, items, err = readPage[T, P](reader, body.Bytes(), items); err != nil {
			return nil, "", pages, &resource.Error{Op: "read changes of " + source, Kind: resource.ErrUnavailable, Err: err}
		}
		pages++
		switch {
		case p.delta != "":
			if next, err = c.below(p.delta); err != nil {
				return nil, "", pages, &resource.Error{Op: "read changes of " + source, Kind: resource.ErrUnavailable, Err: err}
			}
			return items, next, pages, nil
		case p.next == "":
			return nil, "", pages, &resource.Error{Op: "read changes of " + source, Kind: resource.ErrUnavailable, Detail: "the last page has no delta link: the list ended early"}
		case links[p.next]:
			return nil, "", pages, &resource.Error{Op: "read changes of " + source, Kind: resource.ErrUnavailable, Detail: "the link to the next page leads back"}
		case pages >= maxChanges:
			return nil, "", pages, &lostError{fmt.Sprintf("the changes do not end after %d pages", pages)}
		}
		links[p.next] = true
		link = p.next
	}
}

// given is a field of a changed object: one that is missing says nothing, one that is null was cleared ("a property never
// set is absent").
type given[T any] struct {
	set, null bool
	value     T
}

// UnmarshalJSON implements json.Unmarshaler.
func (g *given[T]) UnmarshalJSON(b []byte) error {
	*g = given[T]{set: true, null: string(b) == "null"}
	if g.null {
		return nil
	}
	return json.Unmarshal(b, &g.value)
}

func (g *given[T]) into(p *T) {
	if g.set {
		*p = g.value
	}
}

// item is one occurrence of an object in a delta.
type item interface {
	object() string
	gone() bool
	// hides says that something is null that decides about mail: what a caller sees who may not see ("limited information").
	hides() bool
	// tells says that it has what an object must have that was not known before.
	tells() bool
	// patch writes what it says into an entry; false when that does not follow from it.
	patch(e *directory.Entry) bool
}

// decodeItem reads one occurrence. There are few, so that the time which a missing field costs to be told from one that is
// null does not matter.
func decodeItem(r *jsonstream.Reader, into any) error {
	raw, err := r.Raw()
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// deltaUser is a user in a delta.
type deltaUser struct {
	ID                    string                   `json:"id"`
	Removed               *removed                 `json:"@removed"`
	DisplayName           given[string]            `json:"displayName"`
	GivenName             given[string]            `json:"givenName"`
	Surname               given[string]            `json:"surname"`
	UserPrincipalName     given[string]            `json:"userPrincipalName"`
	MobilePhone           given[string]            `json:"mobilePhone"`
	JobTitle              given[string]            `json:"jobTitle"`
	OfficeLocation        given[string]            `json:"officeLocation"`
	Department            given[string]            `json:"department"`
	CompanyName           given[string]            `json:"companyName"`
	EmployeeID            given[string]            `json:"employeeId"`
	UsageLocation         given[string]            `json:"usageLocation"`
	AccountEnabled        given[bool]              `json:"accountEnabled"`
	UserType              given[string]            `json:"userType"`
	ProxyAddresses        given[[]string]          `json:"proxyAddresses"`
	AssignedLicenses      given[[]json.RawMessage] `json:"assignedLicenses"`
	OnPremisesSyncEnabled given[bool]              `json:"onPremisesSyncEnabled"`
	CreatedDateTime       given[string]            `json:"createdDateTime"`
}

func (u *deltaUser) decode(r *jsonstream.Reader) error { return decodeItem(r, u) }

func (u *deltaUser) object() string { return strings.ToLower(u.ID) }
func (u *deltaUser) gone() bool     { return u.Removed != nil }

func (u *deltaUser) hides() bool { return u.AccountEnabled.null || u.ProxyAddresses.null }
func (u *deltaUser) tells() bool { return u.AccountEnabled.set && u.UserPrincipalName.set }

func (u *deltaUser) patch(e *directory.Entry) bool {
	if u.UserType.set || e.Kind == "" {
		e.Kind = directory.User
		if strings.EqualFold(u.UserType.value, "Guest") {
			e.Kind = directory.Guest
		}
	}
	if u.UserPrincipalName.set {
		e.UPN = directory.Fold(u.UserPrincipalName.value)
	}
	u.AccountEnabled.into(&e.Enabled)
	u.OnPremisesSyncEnabled.into(&e.OnPremises)
	if u.AssignedLicenses.set {
		e.Licensed = len(u.AssignedLicenses.value) > 0
	}
	for _, f := range []struct {
		from *given[string]
		to   *string
	}{
		{&u.DisplayName, &e.Name}, {&u.GivenName, &e.GivenName}, {&u.Surname, &e.Surname}, {&u.Department, &e.Department}, {&u.JobTitle, &e.JobTitle},
		{&u.CompanyName, &e.Company}, {&u.OfficeLocation, &e.Office}, {&u.EmployeeID, &e.EmployeeID}, {&u.MobilePhone, &e.Mobile},
		{&u.UsageLocation, &e.UsageLocation},
	} {
		f.from.into(f.to)
	}
	if u.CreatedDateTime.set {
		e.Created = moment(u.CreatedDateTime.value)
	}
	patchAddresses(e, &u.ProxyAddresses)
	return true
}

func patchAddresses(e *directory.Entry, proxies *given[[]string]) {
	if proxies.set {
		e.HasProxy = len(proxies.value) > 0
		e.Address, e.Aliases, _ = directory.Addresses(proxies.value)
	}
}

// deltaContact is a mail contact in a delta.
type deltaContact struct {
	ID                    string          `json:"id"`
	Removed               *removed        `json:"@removed"`
	DisplayName           given[string]   `json:"displayName"`
	GivenName             given[string]   `json:"givenName"`
	Surname               given[string]   `json:"surname"`
	Department            given[string]   `json:"department"`
	JobTitle              given[string]   `json:"jobTitle"`
	CompanyName           given[string]   `json:"companyName"`
	ProxyAddresses        given[[]string] `json:"proxyAddresses"`
	OnPremisesSyncEnabled given[bool]     `json:"onPremisesSyncEnabled"`
}

func (o *deltaContact) decode(r *jsonstream.Reader) error { return decodeItem(r, o) }

func (o *deltaContact) object() string { return strings.ToLower(o.ID) }
func (o *deltaContact) gone() bool     { return o.Removed != nil }

func (o *deltaContact) hides() bool { return o.ProxyAddresses.null }
func (o *deltaContact) tells() bool { return o.DisplayName.set }

func (o *deltaContact) patch(e *directory.Entry) bool {
	e.Kind, e.Enabled = directory.Contact, true
	o.OnPremisesSyncEnabled.into(&e.OnPremises)
	for _, f := range []struct {
		from *given[string]
		to   *string
	}{
		{&o.DisplayName, &e.Name}, {&o.GivenName, &e.GivenName}, {&o.Surname, &e.Surname}, {&o.Department, &e.Department},
		{&o.JobTitle, &e.JobTitle}, {&o.CompanyName, &e.Company},
	} {
		f.from.into(f.to)
	}
	patchAddresses(e, &o.ProxyAddresses)
	return true
}

// maxDoubts is how many objects of one delta are asked for directly before the whole list is read again instead.
const maxDoubts = 20

// merge takes the changes of users or contacts over into a collection. An object may occur several times and in any order,
// so what depends on the order is in doubt, and the object itself is asked. A *lostError says that too much is in doubt.
func merge[T any, P interface {
	*T
	item
}](ctx context.Context, c *Client, col *cache.Collection, items []T, is func(directory.Kind) bool) error {
	by := map[string][]P{}
	var order []string
	for i := range items {
		p := P(&items[i])
		id := p.object()
		if id == "" {
			return &lostError{"a changed object has no id"}
		}
		if by[id] == nil {
			order = append(order, id)
		}
		by[id] = append(by[id], p)
	}
	var doubts []string
	for _, id := range order {
		after, sure := outcome(col.Get(id), id, by[id])
		switch {
		case !sure:
			doubts = append(doubts, id)
		case after == nil:
			col.Remove(id)
		default:
			put(col, after)
		}
	}
	if len(doubts) > maxDoubts {
		return &lostError{fmt.Sprintf("%d changed objects contradict themselves or hide their fields", len(doubts))}
	}
	for _, id := range doubts {
		entry, present, err := c.Confirm(ctx, id)
		switch {
		case err != nil:
			return &lostError{fmt.Sprintf("object %s is in doubt: %v", id, err)}
		case !present:
			col.Remove(id)
		case !is(entry.Kind):
			return &lostError{fmt.Sprintf("object %s is another kind of object now", id)}
		default:
			put(col, entry)
		}
	}
	return nil
}

// put changes an entry only where something is different, so that a replay leaves the cache as it is.
func put(col *cache.Collection, e *directory.Entry) {
	if old := col.Get(e.ObjectID); old == nil || !cache.Equal(old, e) {
		col.Put(e)
	}
}

// outcome is what an object is after all its occurrences; nil when it is gone. sure is false when that depends on their
// order, or when they say too little.
func outcome[P item](old *directory.Entry, id string, occurrences []P) (after *directory.Entry, sure bool) {
	gone := 0
	for _, p := range occurrences {
		if p.gone() {
			gone++
		}
	}
	switch gone {
	case len(occurrences):
		return nil, true
	case 0:
	default:
		return nil, false
	}
	if slices.ContainsFunc(occurrences, P.hides) || old == nil && !slices.ContainsFunc(occurrences, P.tells) {
		return nil, false
	}
	fold := func(all []P) (*directory.Entry, bool) {
		e := &directory.Entry{ObjectID: id}
		if old != nil {
			*e = *old
			e.Groups = nil
		}
		for _, p := range all {
			if !p.patch(e) {
				return nil, false
			}
		}
		return e, true
	}
	after, sure = fold(occurrences)
	if !sure || len(occurrences) == 1 {
		return after, sure
	}
	backwards := slices.Clone(occurrences)
	slices.Reverse(backwards)
	other, sure := fold(backwards)
	sure = sure && cache.Equal(after, other)
	// Any of them may be the latest: then none may say anything else than all together.
	for _, p := range occurrences {
		again := *after
		sure = sure && p.patch(&again) && cache.Equal(after, &again)
	}
	return after, sure
}

// deltaGroup is a group in a delta.
type deltaGroup struct {
	ID                    string          `json:"id"`
	Removed               *removed        `json:"@removed"`
	DisplayName           given[string]   `json:"displayName"`
	SecurityEnabled       given[bool]     `json:"securityEnabled"`
	GroupTypes            given[[]string] `json:"groupTypes"`
	ProxyAddresses        given[[]string] `json:"proxyAddresses"`
	OnPremisesSyncEnabled given[bool]     `json:"onPremisesSyncEnabled"`
	CreatedDateTime       given[string]   `json:"createdDateTime"`
	Visibility            given[string]   `json:"visibility"`
	Members               []deltaMember   `json:"members@delta"`
}

type deltaMember struct {
	ID      string   `json:"id"`
	Removed *removed `json:"@removed"`
}

// lists says that it tells of members, if only that there are none, or that they are hidden.
func (g *deltaGroup) lists() bool {
	return g.Members != nil || (&wireGroup{Visibility: &g.Visibility.value}).hidden()
}

func (g *deltaGroup) decode(r *jsonstream.Reader) error { return decodeItem(r, g) }

func (g *deltaGroup) object() string { return strings.ToLower(g.ID) }
func (g *deltaGroup) gone() bool     { return g.Removed != nil }
func (g *deltaGroup) hides() bool    { return g.DisplayName.null || g.ProxyAddresses.null }
func (g *deltaGroup) tells() bool    { return g.DisplayName.set && g.SecurityEnabled.set }

// patch takes over everything but the members. An empty list may be left out of a delta ("a property never set is absent"),
// so that the kind must follow from either of two properties.
func (g *deltaGroup) patch(e *directory.Entry) bool {
	e.Enabled = true
	g.DisplayName.into(&e.Name)
	g.OnPremisesSyncEnabled.into(&e.OnPremises)
	if g.CreatedDateTime.set {
		e.Created = moment(g.CreatedDateTime.value)
	}
	patchAddresses(e, &g.ProxyAddresses)
	kind := (&wireGroup{GroupTypes: g.GroupTypes.value, SecurityEnabled: &g.SecurityEnabled.value}).kind()
	switch {
	case kind == directory.Microsoft365Group:
		e.Kind = kind
	case g.GroupTypes.set && !g.SecurityEnabled.set:
		return e.Kind != directory.Microsoft365Group // it is none any more, and what it is instead is not told
	case g.SecurityEnabled.set && (g.GroupTypes.set || e.Kind != directory.Microsoft365Group):
		e.Kind = kind
	}
	return true
}

// mergeGroups takes the changes of groups over. A *lostError says that something is in doubt: members cannot be asked for
// group by group.
func mergeGroups(col *cache.Collection, items []deltaGroup) error {
	by := map[string][]*deltaGroup{}
	for i := range items {
		id := items[i].object()
		if id == "" {
			return &lostError{"a changed group has no id"}
		}
		by[id] = append(by[id], &items[i])
	}
	for id, pieces := range by {
		after, sure := outcome(col.Get(id), id, pieces)
		switch {
		case !sure:
			return &lostError{"the changes of group " + id + " are not whole, or contradict themselves"}
		case after == nil:
			col.Remove(id)
			continue
		}
		if old := col.Get(id); old == nil && !slices.ContainsFunc(pieces, (*deltaGroup).lists) {
			// A group that is back has the members that it had, of which a delta tells those that changed (inferred).
			return &lostError{"group " + id + " was not known, and nothing is said of its members"}
		}
		var err error
		if after.Members, err = members(after.Members, pieces); err != nil {
			return &lostError{"group " + id + ": " + err.Error()}
		}
		hidden, told := false, false
		for _, p := range pieces {
			told = told || p.Visibility.set
			hidden = hidden || (&wireGroup{Visibility: &p.Visibility.value}).hidden()
		}
		if told {
			after.MembersHidden = hidden
		}
		// Members that were seen stay: what hides them now takes nobody out.
		after.MembersHidden = after.MembersHidden && len(after.Members) == 0
		put(col, after)
	}
	return nil
}

// members is a sorted list of members after what all pieces of a group say.
func members(old []string, pieces []*deltaGroup) ([]string, error) {
	join, leave := map[string]bool{}, map[string]bool{}
	for _, p := range pieces {
		for _, m := range p.Members {
			switch id := strings.ToLower(m.ID); {
			case id == "":
				return nil, errors.New("a member has no id")
			case m.Removed != nil:
				leave[id] = true
			default:
				join[id] = true
			}
		}
	}
	if len(join)+len(leave) == 0 {
		return old, nil
	}
	var out []string
	for _, id := range old {
		if !leave[id] && !join[id] {
			out = append(out, id)
		}
	}
	for id := range join {
		if leave[id] {
			return nil, errors.New("a member is told to have joined and to have left")
		}
		out = append(out, id)
	}
	slices.Sort(out)
	return out, nil
}
