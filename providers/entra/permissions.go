package entra

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Client ids of the resources that permissions belong to (Microsoft: "Verify first-party Microsoft applications in
// sign-in reports").
const (
	graphApp    = "00000003-0000-0000-c000-000000000000"
	exchangeApp = "00000002-0000-0ff1-ce00-000000000000"
)

// ids are the two faces of a permission: the application permission (app role) and the delegated one (scope).
type ids struct{ role, scope string }

// known are the permissions that can be written by name: Microsoft, "Microsoft Graph permissions reference", read
// November 2026. Exchange.ManageAsApp is seen in clients.
var known = map[string]map[string]ids{
	graphApp: {
		"Application.Read.All":                   {"9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30", "c79f8feb-a9db-4090-85f9-90d820caa0eb"},
		"Application.ReadWrite.All":              {"1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9", "bdfbf15f-ee85-4955-8675-146e8e5296b5"},
		"Application.ReadWrite.OwnedBy":          {"18a4783c-866b-4cc7-a460-3d5e5662c884", ""},
		"AppRoleAssignment.ReadWrite.All":        {"06b708a9-e830-4db3-a914-8e69da51d44f", "84bccea3-f856-4a8a-967b-dbe0a3d53a64"},
		"DelegatedPermissionGrant.ReadWrite.All": {"8e8e4742-1d95-4f68-9d56-6ee75648c72a", "41ce6ca6-6826-4807-84f1-1c82854f7ee5"},
		"Directory.Read.All":                     {"7ab1d382-f21e-4acd-a863-ba3e13f7da61", "06da0dbc-49e2-44d2-8312-53f166ab848a"},
		"Domain.Read.All":                        {"dbb9058a-0e50-45d7-ae91-66909b5d4664", "2f9ee017-59c1-4f1d-9472-bd5529a7b311"},
		"Domain.ReadWrite.All":                   {"7e05723c-0bb0-42da-be95-ae9f08a6e53c", "0b5d694c-a244-4bde-86e6-eb5cd07730fe"},
		"EntitlementManagement.ReadWrite.All":    {"9acd699f-1e81-4958-b001-93b1d2506e19", "ae7a573d-81d7-432b-ad44-4ed5c9d89038"},
		"Group.Read.All":                         {"5b567255-7703-4780-807c-7be8301ae99b", "5f8c59db-677d-491f-a6b8-5f174b11ec1d"},
		"GroupMember.Read.All":                   {"98830695-27a2-44f7-8c18-0c3ebc9698f6", "bc024368-1153-4739-b217-4326f2e966d0"},
		"Mail.ReadWrite":                         {"e2a3a72e-5f79-4c64-b1b1-878b674786c9", "024d486e-b451-40bb-833d-3e66d98c5c73"},
		"MailboxSettings.Read":                   {"40f97065-369a-49f4-947c-6a255697ae91", "87f447af-9fa4-4c32-9dfa-4a57a73d18ce"},
		"Member.Read.Hidden":                     {"658aa5d8-239f-45c4-aa12-864f4fc7e490", "f6a3db3e-f7e8-4ed2-a414-557c8c9830be"},
		"OrgContact.Read.All":                    {"e1a88a34-94c4-4418-be12-c87b00e26bea", "08432d1b-5911-483c-86df-7980af5cdee0"},
		"Organization.Read.All":                  {"498476ce-e0fe-48b0-b801-37ba7e2685c6", "4908d5b9-3fb2-4b1e-9336-1888b7937185"},
		"RoleManagement.Read.Directory":          {"483bed4a-2ad3-4361-a73b-c83ccdbdc53c", "741c54c3-0c1e-44a1-818b-3f97ab4e8c83"},
		"RoleManagement.ReadWrite.Directory":     {"9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8", "d01b97e9-cbc0-49fe-810a-750afd5527a3"},
		"User.Read":                              {"", "e1fe6dd8-ba31-4d61-89e7-88639da4683d"},
		"User.Read.All":                          {"df021288-bdef-4463-88db-98f22de89214", "a154be20-db9c-4678-8ab7-66f6cc099a59"},
		"User.ReadBasic.All":                     {"97235f07-e226-4f63-ace3-39588e11d3a1", "b340eb25-3456-403f-be2f-af7a0d370277"},
		"email":                                  {"", "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0"},
		"offline_access":                         {"", "7427e0e9-2fba-42fe-b0c0-848c9e6a8182"},
		"openid":                                 {"", "37f7f235-527c-4136-accd-4a02d197296e"},
		"profile":                                {"", "14dad69e-099b-42c9-810b-d002981feec1"},
	},
	exchangeApp: {"Exchange.ManageAsApp": {"dc50a0fb-09a3-484d-be87-e023b12c6440", ""}},
}

// profiles are permission sets by name. directory_sync is what the hosted sync of Essentials needs (R8, R9): the vendor's
// guide unticks User.Read, which the portal adds by itself.
var profiles = map[string][]string{
	"directory_sync": {
		"Directory.Read.All (application)",
		"Directory.Read.All (delegated)", "Group.Read.All (delegated)", "User.ReadBasic.All (delegated)",
	},
}

// permission is one permission of one resource. Its text is "Directory.Read.All (application)"; a resource other than
// Microsoft Graph stands in front as its client id, and an id stands for a name that is not known.
type permission struct {
	resource string // client id, lower case
	name     string // value, or id
	role     bool   // application permission, else delegated
}

func (p permission) String() string {
	kind := "delegated"
	if p.role {
		kind = "application"
	}
	text := p.name + " (" + kind + ")"
	if p.resource != graphApp {
		text = p.resource + "/" + text
	}
	return text
}

// id is what declarations and assignments name; "" when the name is not known.
func (p permission) id() string {
	if guid.MatchString(p.name) {
		return p.name
	}
	i := known[p.resource][p.name]
	if p.role {
		return i.role
	}
	return i.scope
}

var permissionText = regexp.MustCompile(`^(?:([0-9a-fA-F-]{36})/)?([A-Za-z0-9_.-]+) \((application|delegated)\)$`)

func parsePermission(text string) (permission, error) {
	m := permissionText.FindStringSubmatch(text)
	if m == nil {
		return permission{}, fmt.Errorf("%q is no permission; write it as \"Directory.Read.All (application)\" or \"… (delegated)\"", text)
	}
	p := permission{resource: graphApp, name: m[2], role: m[3] == "application"}
	if m[1] != "" {
		p.resource = strings.ToLower(m[1])
	}
	switch {
	case guid.MatchString(p.name) && p.role:
		p.name = nameOf(p.resource, p.name, true)
	case p.id() == "" || guid.MatchString(p.name):
		return permission{}, fmt.Errorf("the permission %q is not known; an application permission can be written with its id in place of the name", text)
	}
	return p, nil
}

// nameOf is the name of a permission's id, or the id, lower case.
func nameOf(resource, id string, role bool) string {
	id = strings.ToLower(id)
	for name, i := range known[resource] {
		if role && i.role == id || !role && i.scope == id {
			return name
		}
	}
	return id
}

func parsePermissions(texts []string) ([]permission, error) {
	out := make([]permission, 0, len(texts))
	for _, t := range texts {
		p, err := parsePermission(t)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// textsOf are the texts of permissions, sorted, each once.
func textsOf(all []permission) []string {
	out := make([]string, 0, len(all))
	for _, p := range all {
		out = append(out, p.String())
	}
	slices.Sort(out)
	return slices.Compact(out)
}
