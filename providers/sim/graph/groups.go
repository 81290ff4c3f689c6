package graph

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

var (
	readGroups   = anyOf("GroupMember.Read.All", "Group.Read.All", "Directory.Read.All")
	readContacts = anyOf("OrgContact.Read.All", "Directory.Read.All")
	readHidden   = anyOf("Member.Read.Hidden")
)

func groupRoutes() []route {
	rs := []route{
		{method: "GET", template: "/groups", need: readGroups, run: listGroups,
			options: "select filter top count orderby expand skiptoken"},
		{method: "GET", template: "/groups/$count", need: readGroups, run: countGroups, options: "filter"},
		{method: "GET", template: "/groups/delta", need: readGroups, run: deltaGroups,
			options: "select filter top skiptoken deltatoken"},
		{method: "GET", template: "/groups/{id}", need: readGroups, run: getGroup, options: "select expand"},
	}
	for _, view := range []struct {
		name string
		cost int
		list func(cast *entity, count bool) func(*request) (*reply, error)
	}{{"members", 3, directMembers}, {"transitiveMembers", 5, transitiveMembers}} {
		for _, cast := range []*entity{nil, userEntity, groupEntity, contactEntity} {
			path := "/groups/{id}/" + view.name
			if cast != nil {
				path += "/microsoft.graph." + cast.name
			}
			rs = append(rs,
				route{method: "GET", template: path, need: readGroups, cost: view.cost, run: view.list(cast, false),
					options: "select filter top count orderby skiptoken"},
				route{method: "GET", template: path + "/$count", need: readGroups, cost: view.cost, run: view.list(cast, true),
					options: "filter"})
		}
	}
	return rs
}

func group(f func(g *world.Group) value) getter {
	return func(_ *request, o any) value { return f(o.(*world.Group)) }
}

// groupEntity is the group resource of "group resource type".
var groupEntity = newEntity("group", "Group", "groups", []property{
	{name: "id", ops: opEqual, get: group(func(g *world.Group) value { return text(g.ID) })},
	{name: "deletedDateTime", get: deletedAt},
	{name: "classification", get: always(value{})},
	{name: "createdDateTime", ops: opEqual | opOrder, get: group(func(g *world.Group) value { return moment(g.Created) })},
	{name: "description", ops: opEqual | opStarts, get: group(func(g *world.Group) value { return text(g.Description) })},
	{name: "displayName", ops: opEqual | opStarts | opOrder | opSort, get: group(func(g *world.Group) value { return text(g.DisplayName) })},
	{name: "expirationDateTime", get: always(value{})},
	{name: "groupTypes", ops: opAny, get: group(func(g *world.Group) value { return texts(g.GroupTypes) })},
	{name: "isAssignableToRole", ops: opEqual, get: always(value{})},
	{name: "mail", ops: opEqual | opStarts | opEnds | opOrder, get: group(func(g *world.Group) value { return text(g.Mail) })},
	{name: "mailEnabled", ops: opEqual, get: group(func(g *world.Group) value { return boolean(g.MailEnabled) })},
	{name: "mailNickname", ops: opEqual | opStarts, get: group(func(g *world.Group) value { return text(g.MailNickname) })},
	{name: "membershipRule", ops: opEqual | opStarts, get: group(func(g *world.Group) value { return text(g.MembershipRule) })},
	{name: "membershipRuleProcessingState", ops: opEqual, get: group(func(g *world.Group) value {
		if g.MembershipRule == "" {
			return value{}
		}
		return text("On")
	})},
	{name: "onPremisesLastSyncDateTime", get: always(value{})},
	{name: "onPremisesSamAccountName", get: always(value{})},
	{name: "onPremisesSecurityIdentifier", get: always(value{})},
	{name: "onPremisesSyncEnabled", ops: opEqual, get: always(value{})},
	{name: "preferredLanguage", get: always(value{})},
	{name: "proxyAddresses", ops: opAny, get: group(func(g *world.Group) value { return texts(g.ProxyAddresses) })},
	{name: "renewedDateTime", get: group(func(g *world.Group) value { return moment(g.Created) })},
	{name: "resourceProvisioningOptions", ops: opAny, get: always(texts(nil))},
	{name: "securityEnabled", ops: opEqual, get: group(func(g *world.Group) value { return boolean(g.SecurityEnabled) })},
	{name: "securityIdentifier", get: group(func(g *world.Group) value { return text(securityIdentifier(g.ID)) })},
	{name: "visibility", get: group(visibility)},
	{name: "allowExternalSenders", where: singleOnly, get: always(boolean(false))},
	{name: "hideFromAddressLists", where: singleOnly, get: always(boolean(false))},
	{name: "hideFromOutlookClients", where: singleOnly, get: always(boolean(false))},
})

// securityIdentifier is the cloud SID that stands for an object id: its four 32-bit words.
func securityIdentifier(id string) string {
	raw, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(raw) != 16 {
		return ""
	}
	raw[0], raw[1], raw[2], raw[3] = raw[3], raw[2], raw[1], raw[0]
	raw[4], raw[5], raw[6], raw[7] = raw[5], raw[4], raw[7], raw[6]
	u := binary.LittleEndian.Uint32
	return fmt.Sprintf("S-1-12-1-%d-%d-%d-%d", u(raw), u(raw[4:]), u(raw[8:]), u(raw[12:]))
}

func visibility(g *world.Group) value {
	switch {
	case g.HiddenMembership:
		return text("HiddenMembership")
	case slices.Contains(g.GroupTypes, "Unified"):
		return text("Private")
	}
	return value{}
}

func (x *request) groups() source {
	return slice(groupEntity, x.t.Groups, func(g *world.Group) string { return g.ID })
}

func listGroups(x *request) (*reply, error) {
	l := listing{e: groupEntity}
	var err error
	l.expand, err = x.expandMembers()
	if err != nil {
		return nil, err
	}
	return x.list(x.groups(), l)
}

func countGroups(x *request) (*reply, error) { return x.countText(x.groups(), groupEntity) }

func (x *request) groupOfPath() (*world.Group, error) {
	if g := x.t.Group(x.params[0]); g != nil {
		return g, nil
	}
	return nil, notFound(x.params[0])
}

func getGroup(x *request) (*reply, error) {
	g, err := x.groupOfPath()
	if err != nil {
		return nil, err
	}
	expand, err := x.expandMembers()
	if err != nil {
		return nil, err
	}
	out, err := x.one(groupEntity, g, style{})
	if err == nil && expand != nil {
		out.body = append(expand(out.body[:len(out.body)-1], g), '}')
	}
	return out, err
}

// maxExpanded is the documented bound of $expand on directory relationships.
const maxExpanded = 20

// expandMembers reads $expand=members or members($select=…); nil without $expand.
func (x *request) expandMembers() (func([]byte, any) []byte, error) {
	if x.q.expand == "" {
		return nil, nil
	}
	var selected []string
	switch rest, ok := strings.CutPrefix(x.q.expand, "members"); {
	case ok && rest == "":
	case ok && strings.HasPrefix(rest, "($select=") && strings.HasSuffix(rest, ")"):
		selected = strings.Split(rest[len("($select="):len(rest)-1], ",")
	default:
		return nil, unimplemented("$expand=%s on groups", x.q.expand)
	}
	sub := *x
	sub.q.selected = selected
	l := listing{mixed: memberTypes}
	choose, err := l.chooser(&sub)
	if err != nil {
		return nil, err
	}
	return func(b []byte, o any) []byte {
		g := o.(*world.Group)
		b = append(b, `,"members":[`...)
		if !g.HiddenMembership || readHidden.grants(x.claims.Roles) {
			n := 0
			for _, id := range g.Members {
				e, m := x.member(id)
				if e == nil || n == maxExpanded {
					continue
				}
				if n > 0 {
					b = append(b, ',')
				}
				st := x.memberStyle(e)
				st.withType = true
				b = append(e.appendObject(b, x, choose(e), m, st), '}')
				n++
			}
		}
		return append(b, ']')
	}, nil
}

var memberTypes = []*entity{userEntity, groupEntity, contactEntity}

// directoryObject stands for the mixed collections in contexts and error texts.
var directoryObject = newEntity("directoryObject", "DirectoryObject", "directoryObjects", nil)

// member finds a directory object and its type by id; a nil type when nothing has it.
func (x *request) member(id string) (*entity, any) {
	if u := x.t.Person(id); u != nil {
		return userEntity, u
	}
	if g := x.t.Group(id); g != nil {
		return groupEntity, g
	}
	if c := x.t.Contact(id); c != nil {
		return contactEntity, c
	}
	return nil, nil
}

// memberStyle is "limited information returned for inaccessible member objects": without permission on its type, a
// member keeps type and id and everything else is null.
func (x *request) memberStyle(e *entity) style {
	switch e {
	case userEntity:
		return style{limited: !readUsers.grants(x.claims.Roles), basicOnly: !readUsersFull.grants(x.claims.Roles)}
	case contactEntity:
		return style{limited: !readContacts.grants(x.claims.Roles)}
	}
	return style{}
}

// visibleMembers returns the direct members, or refuses those of a hidden group. That it is a refusal and not an empty
// list is inferred; the switch HiddenMembersEmpty chooses the list.
func (x *request) visibleMembers(g *world.Group) ([]string, error) {
	if g.HiddenMembership && !readHidden.grants(x.claims.Roles) {
		if x.w.Switches.HiddenMembersEmpty {
			return nil, nil
		}
		return nil, denied()
	}
	return g.Members, nil
}

func directMembers(cast *entity, count bool) func(*request) (*reply, error) {
	return func(x *request) (*reply, error) {
		g, err := x.groupOfPath()
		if err != nil {
			return nil, err
		}
		ids, err := x.visibleMembers(g)
		if err != nil {
			return nil, err
		}
		return x.listMembers(ids, cast, count)
	}
}

func transitiveMembers(cast *entity, count bool) func(*request) (*reply, error) {
	return func(x *request) (*reply, error) {
		if cast != nil && !count && !x.q.advanced() {
			return nil, unsupportedQuery("The cast of transitiveMembers needs the 'ConsistencyLevel:eventual' header and $count=true.")
		}
		g, err := x.groupOfPath()
		if err != nil {
			return nil, err
		}
		// Groups can contain each other in a circle: each object is met once, the group asked about not at all.
		seen := map[string]bool{g.ID: true}
		var flat []string
		for queue := []*world.Group{g}; len(queue) > 0; queue = queue[1:] {
			ids, err := x.visibleMembers(queue[0])
			if err != nil && queue[0] == g {
				return nil, err
			}
			// A hidden group further down shows itself but not its members.
			for _, id := range ids {
				if seen[id] {
					continue
				}
				seen[id] = true
				flat = append(flat, id)
				if nested := x.t.Group(id); nested != nil {
					queue = append(queue, nested)
				}
			}
		}
		return x.listMembers(flat, cast, count)
	}
}

func (x *request) listMembers(ids []string, cast *entity, count bool) (*reply, error) {
	src := source{n: len(ids), id: func(i int) string { return ids[i] },
		at: func(i int) (*entity, any) {
			e, o := x.member(ids[i])
			if cast != nil && e != cast {
				return nil, nil
			}
			return e, o
		}}
	l := listing{e: directoryObject, mixed: memberTypes, typed: true, style: x.memberStyle}
	if cast != nil {
		l = listing{e: cast, style: x.memberStyle, filterAdvanced: true, advancedSort: true}
	}
	if count {
		return x.countText(src, l.e)
	}
	return x.list(src, l)
}

func contactRoutes() []route {
	return []route{
		{method: "GET", template: "/contacts", need: readContacts, run: listContacts,
			options: "select filter top count orderby skiptoken"},
		{method: "GET", template: "/contacts/$count", need: readContacts, run: countContacts, options: "filter"},
		{method: "GET", template: "/contacts/delta", need: readContacts, run: deltaContacts,
			options: "select filter top skiptoken deltatoken"},
		{method: "GET", template: "/contacts/{id}", need: readContacts, run: getContact, options: "select"},
	}
}

func contact(f func(c *world.Contact) value) getter {
	return func(_ *request, o any) value { return f(o.(*world.Contact)) }
}

// contactEntity is the orgContact resource.
var contactEntity = newEntity("orgContact", "OrgContact", "contacts", []property{
	{name: "id", ops: opEqual, get: contact(func(c *world.Contact) value { return text(c.ID) })},
	{name: "deletedDateTime", get: deletedAt},
	{name: "companyName", get: always(value{})},
	{name: "department", get: always(value{})},
	{name: "displayName", ops: opEqual | opStarts | opOrder | opSort, get: contact(func(c *world.Contact) value { return text(c.DisplayName) })},
	{name: "givenName", get: always(value{})},
	{name: "jobTitle", get: always(value{})},
	{name: "mail", ops: opEqual | opStarts | opEnds | opOrder, get: contact(func(c *world.Contact) value { return text(c.Mail) })},
	{name: "mailNickname", ops: opEqual | opStarts, get: contact(func(c *world.Contact) value {
		nick, _, _ := strings.Cut(c.Mail, "@")
		return text(nick)
	})},
	{name: "onPremisesLastSyncDateTime", get: always(value{})},
	{name: "onPremisesSyncEnabled", ops: opEqual, get: always(value{})},
	{name: "surname", get: always(value{})},
	{name: "addresses", get: always(structure("[]"))},
	{name: "phones", get: always(structure("[]"))},
	{name: "proxyAddresses", ops: opAny, get: contact(func(c *world.Contact) value { return texts(c.ProxyAddresses) })},
})

func (x *request) contacts() source {
	return slice(contactEntity, x.t.Contacts, func(c *world.Contact) string { return c.ID })
}

func listContacts(x *request) (*reply, error)  { return x.list(x.contacts(), listing{e: contactEntity}) }
func countContacts(x *request) (*reply, error) { return x.countText(x.contacts(), contactEntity) }

func getContact(x *request) (*reply, error) {
	c := x.t.Contact(x.params[0])
	if c == nil {
		return nil, notFound(x.params[0])
	}
	return x.one(contactEntity, c, style{})
}
