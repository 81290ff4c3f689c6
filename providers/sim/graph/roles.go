package graph

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

var readRoles = anyOf("RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory", "Directory.Read.All")

func roleRoutes() []route {
	read := readRoles
	write := anyOf("RoleManagement.ReadWrite.Directory")
	return []route{
		{method: "GET", template: "/directoryRoles", need: read, run: listRoles, options: "select filter"},
		{method: "POST", template: "/directoryRoles", need: write, changing: true, run: activateRole},
		{method: "GET", template: "/directoryRoles/{id}", need: read, run: getRole, options: "select"},
		{method: "GET", template: "/directoryRoles/{id}/members", need: read, run: listRoleMembers, options: "select"},
		{method: "POST", template: "/directoryRoles/{id}/members/$ref", need: write, changing: true, run: addRoleMember},
		{method: "DELETE", template: "/directoryRoles/{id}/members/{member}/$ref", need: write, changing: true, run: removeRoleMember},
		{method: "GET", template: "/directoryRoleTemplates", need: read, run: listRoleTemplates, options: "select"},
		{method: "GET", template: "/roleManagement/directory/roleDefinitions", need: read, run: listRoleDefinitions, options: "select filter"},
		{method: "GET", template: "/roleManagement/directory/roleDefinitions/{id}", need: read, run: getRoleDefinition, options: "select"},
		{method: "GET", template: "/roleManagement/directory/roleAssignments", need: read, run: listRoleAssignments, options: "select filter top skiptoken"},
		{method: "POST", template: "/roleManagement/directory/roleAssignments", need: write, changing: true, run: createRoleAssignment},
		{method: "GET", template: "/roleManagement/directory/roleAssignments/{id}", need: read, run: getRoleAssignment, options: "select"},
		{method: "DELETE", template: "/roleManagement/directory/roleAssignments/{id}", need: write, changing: true, run: deleteRoleAssignment},
	}
}

// role is one built-in role as three resources show it.
type role struct{ id, template, name string }

func roleProperty(f func(r *role) value) getter {
	return func(_ *request, o any) value { return f(o.(*role)) }
}

var (
	roleEntity = newEntity("directoryRole", "DirectoryRole", "directoryRoles", []property{
		{name: "id", get: roleProperty(func(r *role) value { return text(r.id) })},
		{name: "deletedDateTime", get: always(value{})},
		{name: "description", get: always(value{})},
		{name: "displayName", ops: opEqual, get: roleProperty(func(r *role) value { return text(r.name) })},
		{name: "roleTemplateId", ops: opEqual, get: roleProperty(func(r *role) value { return text(r.template) })},
	})
	templateEntity = newEntity("directoryRoleTemplate", "DirectoryRoleTemplate", "directoryRoleTemplates", []property{
		{name: "id", get: roleProperty(func(r *role) value { return text(r.template) })},
		{name: "deletedDateTime", get: always(value{})},
		{name: "description", get: always(value{})},
		{name: "displayName", get: roleProperty(func(r *role) value { return text(r.name) })},
	})
	definitionEntity = newEntity("unifiedRoleDefinition", "UnifiedRoleDefinition", "roleManagement/directory/roleDefinitions", []property{
		{name: "id", ops: opEqual, get: roleProperty(func(r *role) value { return text(r.template) })},
		{name: "description", get: always(value{})},
		{name: "displayName", ops: opEqual | opStarts, get: roleProperty(func(r *role) value { return text(r.name) })},
		{name: "isBuiltIn", ops: opEqual, get: always(boolean(true))},
		{name: "isEnabled", get: always(boolean(true))},
		{name: "resourceScopes", get: always(texts([]string{"/"}))},
		{name: "templateId", ops: opEqual, get: roleProperty(func(r *role) value { return text(r.template) })},
		{name: "version", get: always(text("1"))},
		{name: "rolePermissions", where: onSelect, get: always(structure("[]"))},
	})
)

// templateID is the key of templates and definitions.
func templateID(r *role) string { return r.template }

func (x *request) role(template string) *role {
	name, _ := roleName(template)
	sum := sha256.Sum256([]byte("directory role\x00" + x.t.ID + "\x00" + template))
	return &role{template: template, name: name, id: fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])}
}

func (x *request) allRoles() []*role {
	out := make([]*role, 0, len(roleTemplates))
	for _, t := range roleTemplates {
		out = append(out, x.role(t.id))
	}
	return out
}

// activeRoles are those that were activated or that somebody holds. Global Administrator is active in every tenant.
func (x *request) activeRoles() []*role {
	return slices.DeleteFunc(x.allRoles(), func(r *role) bool {
		return r.name != "Global Administrator" && !slices.Contains(x.t.ActivatedRoles, r.template) &&
			!slices.ContainsFunc(x.t.RoleAssignments, func(a *world.RoleAssignment) bool { return a.Role == r.template })
	})
}

func listRoles(x *request) (*reply, error) {
	return x.list(sortedSlice(roleEntity, x.activeRoles(), func(r *role) string { return r.id }), listing{e: roleEntity, whole: true})
}

func listRoleTemplates(x *request) (*reply, error) {
	return x.list(sortedSlice(templateEntity, x.allRoles(), templateID), listing{e: templateEntity, whole: true})
}

func listRoleDefinitions(x *request) (*reply, error) {
	return x.list(sortedSlice(definitionEntity, x.allRoles(), templateID), listing{e: definitionEntity, whole: true})
}

func getRoleDefinition(x *request) (*reply, error) {
	if _, ok := roleName(strings.ToLower(x.params[0])); !ok {
		return nil, notFound(x.params[0])
	}
	return x.one(definitionEntity, x.role(strings.ToLower(x.params[0])), style{})
}

func (x *request) roleOfPath() (*role, error) {
	key := x.params[0]
	name, v, alternate := alternateKey(key)
	for _, r := range x.activeRoles() {
		if strings.EqualFold(r.id, key) || alternate && name == "roleTemplateId" && strings.EqualFold(r.template, v) {
			return r, nil
		}
	}
	return nil, notFound(key)
}

func getRole(x *request) (*reply, error) {
	r, err := x.roleOfPath()
	if err != nil {
		return nil, err
	}
	return x.one(roleEntity, r, style{})
}

func activateRole(x *request) (*reply, error) {
	f, err := x.object("DirectoryRole")
	if err != nil {
		return nil, err
	}
	template := strings.ToLower(f.required("roleTemplateId", 36))
	if err := f.done(); err != nil {
		return nil, err
	}
	if _, ok := roleName(template); !ok {
		return nil, notFound(template)
	}
	if slices.ContainsFunc(x.activeRoles(), func(r *role) bool { return r.template == template }) {
		return nil, conflict(http.StatusBadRequest)
	}
	x.t.ActivatedRoles = append(x.t.ActivatedRoles, template)
	return x.created(roleEntity, x.role(template))
}

// principalByID finds whoever can hold a role.
func (x *request) principalByID(id string) (*entity, any) {
	if s := x.t.ServicePrincipal(id); s != nil {
		return principalEntity, s
	}
	if e, o := x.member(id); e == userEntity || e == groupEntity {
		return e, o
	}
	return nil, nil
}

func listRoleMembers(x *request) (*reply, error) {
	r, err := x.roleOfPath()
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, a := range x.t.RoleAssignments {
		if a.Role == r.template {
			ids = append(ids, a.Principal)
		}
	}
	src := source{n: len(ids), id: func(i int) string { return ids[i] }, at: func(i int) (*entity, any) { return x.principalByID(ids[i]) }}
	return x.list(src, listing{e: directoryObject, mixed: []*entity{userEntity, groupEntity, principalEntity}, typed: true, whole: true,
		style: func(e *entity) style {
			if e == principalEntity {
				return style{limited: !readApplications.grants(x.claims.Roles)}
			}
			return x.memberStyle(e)
		}})
}

func addRoleMember(x *request) (*reply, error) {
	r, err := x.roleOfPath()
	if err != nil {
		return nil, err
	}
	f, err := x.object("DirectoryRole.members")
	if err != nil {
		return nil, err
	}
	id := f.reference()
	if err := f.done(); err != nil {
		return nil, err
	}
	if e, _ := x.principalByID(id); e == nil || !x.sees(id) {
		return nil, notFound(id)
	}
	if x.holds(id, r.template) != nil {
		return nil, badRequest("One or more added object references already exist for the following modified properties: 'members'.")
	}
	x.t.RoleAssignments = append(x.t.RoleAssignments, &world.RoleAssignment{ID: x.opaqueID(), Principal: id, Role: r.template})
	return noContent()
}

func removeRoleMember(x *request) (*reply, error) {
	r, err := x.roleOfPath()
	if err != nil {
		return nil, err
	}
	a := x.holds(strings.ToLower(x.params[1]), r.template)
	if a == nil {
		return nil, badRequest("One or more removed object references do not exist for the following modified properties: 'members'.")
	}
	x.dropRole(a)
	return noContent()
}

func (x *request) holds(principal, template string) *world.RoleAssignment {
	for _, a := range x.t.RoleAssignments {
		if a.Principal == principal && a.Role == template {
			return a
		}
	}
	return nil
}

func (x *request) dropRole(a *world.RoleAssignment) {
	// The role stays active without members.
	if !slices.Contains(x.t.ActivatedRoles, a.Role) {
		x.t.ActivatedRoles = append(x.t.ActivatedRoles, a.Role)
	}
	x.t.RoleAssignments = slices.DeleteFunc(x.t.RoleAssignments, func(o *world.RoleAssignment) bool { return o == a })
}

func roleAssignment(f func(a *world.RoleAssignment) value) getter {
	return func(_ *request, o any) value { return f(o.(*world.RoleAssignment)) }
}

// roleAssignmentEntity is the unifiedRoleAssignment resource.
var roleAssignmentEntity = newEntity("unifiedRoleAssignment", "UnifiedRoleAssignment", "roleManagement/directory/roleAssignments", []property{
	{name: "id", get: roleAssignment(func(a *world.RoleAssignment) value { return text(a.ID) })},
	{name: "principalId", ops: opEqual, get: roleAssignment(func(a *world.RoleAssignment) value { return text(a.Principal) })},
	{name: "directoryScopeId", ops: opEqual, get: always(text("/"))},
	{name: "roleDefinitionId", ops: opEqual, get: roleAssignment(func(a *world.RoleAssignment) value { return text(a.Role) })},
})

func listRoleAssignments(x *request) (*reply, error) {
	return x.list(sortedSlice(roleAssignmentEntity, x.t.RoleAssignments, func(a *world.RoleAssignment) string { return a.ID }),
		listing{e: roleAssignmentEntity})
}

func (x *request) roleAssignmentOfPath() (*world.RoleAssignment, error) {
	for _, a := range x.t.RoleAssignments {
		if a.ID == x.params[0] {
			return a, nil
		}
	}
	return nil, notFound(x.params[0])
}

func getRoleAssignment(x *request) (*reply, error) {
	a, err := x.roleAssignmentOfPath()
	if err != nil {
		return nil, err
	}
	return x.one(roleAssignmentEntity, a, style{})
}

func createRoleAssignment(x *request) (*reply, error) {
	f, err := x.object("UnifiedRoleAssignment")
	if err != nil {
		return nil, err
	}
	a := &world.RoleAssignment{Role: strings.ToLower(f.required("roleDefinitionId", 36)), Principal: strings.ToLower(f.required("principalId", 36))}
	scope := f.required("directoryScopeId", 256)
	if err := f.done(); err != nil {
		return nil, err
	}
	if scope != "/" {
		return nil, unimplemented("role assignments scoped to %q; only \"/\" is", scope)
	}
	if _, ok := roleName(a.Role); !ok {
		return nil, notFound(a.Role)
	}
	if e, _ := x.principalByID(a.Principal); e == nil || !x.sees(a.Principal) {
		return nil, notFound(a.Principal)
	}
	if x.holds(a.Principal, a.Role) != nil {
		if x.w.Switches.RoleDuplicate409 {
			return nil, conflict(http.StatusConflict)
		}
		return nil, conflict(http.StatusBadRequest)
	}
	a.ID = x.opaqueID()
	x.t.RoleAssignments = append(x.t.RoleAssignments, a)
	return x.created(roleAssignmentEntity, a)
}

func deleteRoleAssignment(x *request) (*reply, error) {
	a, err := x.roleAssignmentOfPath()
	if err != nil {
		return nil, err
	}
	x.dropRole(a)
	return noContent()
}
