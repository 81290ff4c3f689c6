package graph

import (
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

// memberOfRoutes are the memberships of a user and of a group: "List a user's direct memberships", "List a user's
// memberships (direct and transitive)" and "List memberOf" of a group.
func memberOfRoutes() []route {
	var rs []route
	for _, of := range []struct {
		set  string
		need permissions
	}{
		{"users", anyOf("User.Read.All", "GroupMember.Read.All", "Group.Read.All", "Directory.Read.All")},
		{"groups", readGroups},
	} {
		for _, view := range []string{"memberOf", "transitiveMemberOf"} {
			for _, cast := range []*entity{nil, groupEntity, roleEntity} {
				path := "/" + of.set + "/{id}/" + view
				if cast != nil {
					path += "/microsoft.graph." + cast.name
				}
				transitive := view == "transitiveMemberOf"
				rs = append(rs,
					route{method: "GET", template: path, need: of.need, run: memberships(transitive, cast, false),
						options: "select filter top count orderby skiptoken"},
					route{method: "GET", template: path + "/$count", need: of.need, run: memberships(transitive, cast, true),
						options: "filter"})
			}
		}
	}
	return rs
}

// memberships answers the groups and directory roles that the object of the path is a member of. Administrative units
// would be among them; this world has none.
func memberships(transitive bool, cast *entity, count bool) func(*request) (*reply, error) {
	return func(x *request) (*reply, error) {
		if (cast != nil || x.q.filter != nil || x.q.order != "") && !count && !x.q.advanced() {
			return nil, unsupportedQuery("The cast, $filter and $orderby of memberOf need the 'ConsistencyLevel:eventual' header and $count=true.")
		}
		id, err := x.memberOfPath()
		if err != nil {
			return nil, err
		}
		groups := x.groupsOf(id, transitive)
		var held []*role
		for _, a := range x.t.RoleAssignments {
			if a.Principal == id || transitive && slices.ContainsFunc(groups, func(g *world.Group) bool { return g.ID == a.Principal }) {
				held = append(held, x.role(a.Role))
			}
		}
		slices.SortFunc(held, func(a, b *role) int { return strings.Compare(a.id, b.id) })
		held = slices.CompactFunc(held, func(a, b *role) bool { return a.id == b.id })
		src := source{n: len(groups) + len(held),
			id: func(i int) string {
				if i < len(groups) {
					return groups[i].ID
				}
				return held[i-len(groups)].id
			},
			at: func(i int) (*entity, any) {
				e, o := groupEntity, any(nil)
				if i < len(groups) {
					o = groups[i]
				} else {
					e, o = roleEntity, held[i-len(groups)]
				}
				if cast != nil && e != cast {
					return nil, nil
				}
				return e, o
			}}
		l := listing{e: directoryObject, mixed: []*entity{groupEntity, roleEntity}, typed: true, style: x.membershipStyle}
		if cast != nil {
			l = listing{e: cast, style: x.membershipStyle}
		}
		if count {
			return x.countText(src, l.e)
		}
		return x.list(src, l)
	}
}

// memberOfPath is the id of the user or group in the path.
func (x *request) memberOfPath() (string, error) {
	if strings.HasPrefix(x.route.template, "/users/") {
		u, err := x.person()
		if err != nil {
			return "", err
		}
		return u.ID, nil
	}
	g, err := x.groupOfPath()
	if err != nil {
		return "", err
	}
	return g.ID, nil
}

// groupsOf are the groups that have the object as a member, and with transitive those that have such a group as one, each
// once, by id. A group with hidden membership is left out for a caller without Member.Read.Hidden (inferred from "the
// response might include only the groups that the caller is authorized to evaluate", said of checkMemberGroups); the
// switch HiddenGroupsNamed names it.
func (x *request) groupsOf(id string, transitive bool) []*world.Group {
	named := x.w.Switches.HiddenGroupsNamed || readHidden.grants(x.claims.Roles)
	inside := map[string]bool{id: true} // the object, and the groups found: whoever has one of them as a member is next
	var found []*world.Group
	for again := true; again; {
		again = false
		for _, g := range x.t.Groups {
			if g.ID == id || g.HiddenMembership && !named || slices.ContainsFunc(found, func(f *world.Group) bool { return f == g }) {
				continue
			}
			if slices.ContainsFunc(g.Members, func(m string) bool { return inside[m] }) {
				found = append(found, g)
				again = transitive
			}
		}
		if transitive {
			for _, g := range found {
				inside[g.ID] = true
			}
		}
	}
	slices.SortFunc(found, func(a, b *world.Group) int { return strings.Compare(a.ID, b.ID) })
	return found
}

// membershipStyle is "limited information returned for inaccessible member objects".
func (x *request) membershipStyle(e *entity) style {
	if e == roleEntity {
		return style{limited: !readRoles.grants(x.claims.Roles)}
	}
	return style{limited: !readGroups.grants(x.claims.Roles)}
}
