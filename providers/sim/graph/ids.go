package graph

import (
	"maps"
	"slices"

	"github.com/weir-project/weir/providers/sim/world"
)

// defaultAppRole is the app role of an assignment to a resource that declares none.
const defaultAppRole = "00000000-0000-0000-0000-000000000000"

// openScopes are the delegated permissions that a user can consent to without an administrator ("Microsoft Graph
// permissions reference").
var openScopes = []string{"User.ReadBasic.All", "User.Read", "Mail.ReadWrite", "MailboxSettings.Read", "openid", "profile",
	"email", "offline_access"}

// permission is one permission that a resource exposes, by value.
type permission struct {
	value string
	world.PermissionIDs
}

// permissionsOf returns what the resource with that client id exposes, by value; none for an application without roles
// of its own.
func permissionsOf(appID string) []permission {
	table := world.Permissions[appID]
	out := make([]permission, 0, len(table))
	for _, name := range slices.Sorted(maps.Keys(table)) {
		out = append(out, permission{name, table[name]})
	}
	return out
}

// roleTemplates are the built-in directory roles ("Microsoft Entra built-in roles", January 2026).
var roleTemplates = []struct{ id, name string }{
	{"62e90394-69f5-4237-9190-012177145e10", "Global Administrator"},
	{"29232cdf-9323-42fd-ade2-1d097af3e4de", "Exchange Administrator"},
	{"31392ffb-586c-42d1-9346-e59415a2cc4e", "Exchange Recipient Administrator"},
	{"9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", "Application Administrator"},
	{"158c047a-c907-4556-b7ef-446551a6b5f7", "Cloud Application Administrator"},
	{"88d8e3e3-8f55-4a1e-953a-9b9898b8876b", "Directory Readers"},
	{"8329153b-31d0-4727-b945-745eb3bc5f31", "Domain Name Administrator"},
	{"f2ef992c-3afb-46b9-b7cf-a126ee74c451", "Global Reader"},
	{"fdd7a751-b60b-444a-984c-02652fe8fa1c", "Groups Administrator"},
	{"8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2", "Hybrid Identity Administrator"},
	{"17315797-102d-40b4-93e0-432062caca18", "Compliance Administrator"},
}

func roleName(template string) (string, bool) {
	for _, r := range roleTemplates {
		if r.id == template {
			return r.name, true
		}
	}
	return "", false
}

// The licence and service plan that a licensed user of the world holds: Exchange Online (Plan 1), from "Product names
// and service plan identifiers for licensing".
const (
	skuExchange       = "4b9405b0-7788-4568-add1-99614e613b69"
	skuPartExchange   = "EXCHANGESTANDARD"
	planExchange      = "9aaf7827-d63c-4b61-89c3-182f06f82e5c"
	planNameExchange  = "EXCHANGE_S_STANDARD"
	assignedLicense   = `[{"disabledPlans":[],"skuId":"` + skuExchange + `"}]`
	exchangePlanState = `"capabilityStatus":"Enabled","service":"exchange","servicePlanId":"` + planExchange + `"`
)
