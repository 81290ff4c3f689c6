package graph

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

var (
	readUsers     = anyOf("User.ReadBasic.All", "User.Read.All", "Directory.Read.All")
	readUsersFull = anyOf("User.Read.All", "Directory.Read.All")
)

func userRoutes() []route {
	return []route{
		{method: "GET", template: "/users", need: readUsers, cost: 2, run: listUsers,
			options: "select filter top count orderby skiptoken"},
		{method: "GET", template: "/users/$count", need: readUsers, run: countUsers, options: "filter"},
		{method: "GET", template: "/users/delta", need: readUsersFull, run: deltaUsers,
			options: "select filter top skiptoken deltatoken"},
		{method: "GET", template: "/users/{id}", need: readUsers, run: getUser, options: "select"},
		{method: "GET", template: "/users/{id}/mailboxSettings", need: anyOf("MailboxSettings.Read"), run: getMailboxSettings},
		{method: "GET", template: "/users/{id}/mailboxSettings/userPurpose", need: anyOf("MailboxSettings.Read"), run: getUserPurpose},
	}
}

func user(f func(u *world.DirectoryUser) value) getter {
	return func(_ *request, o any) value { return f(o.(*world.DirectoryUser)) }
}

// userEntity is the user resource: default set, selectable properties and filters of "user resource type".
var userEntity = newEntity("user", "User", "users", []property{
	{name: "businessPhones", basic: true, get: always(texts(nil))},
	{name: "displayName", basic: true, ops: opEqual | opStarts | opOrder | opSort, get: user(func(u *world.DirectoryUser) value { return text(u.DisplayName) })},
	{name: "givenName", basic: true, ops: opEqual | opStarts | opOrder, get: user(func(u *world.DirectoryUser) value { return text(u.GivenName) })},
	{name: "jobTitle", ops: opEqual | opStarts | opOrder, get: user(func(u *world.DirectoryUser) value { return text(u.JobTitle) })},
	{name: "mail", basic: true, ops: opEqual | opStarts | opEnds | opOrder, get: user(func(u *world.DirectoryUser) value { return text(u.Mail) })},
	{name: "mobilePhone", ops: opEqual | opStarts | opOrder, get: user(func(u *world.DirectoryUser) value { return text(u.MobilePhone) })},
	{name: "officeLocation", ops: opEqual | opStarts | opOrder, get: user(func(u *world.DirectoryUser) value { return text(u.Office) })},
	{name: "preferredLanguage", ops: opEqual | opStarts, get: always(value{})},
	{name: "surname", basic: true, ops: opEqual | opStarts | opOrder, get: user(func(u *world.DirectoryUser) value { return text(u.Surname) })},
	{name: "userPrincipalName", basic: true, ops: opEqual | opStarts | opEnds | opOrder | opSort, get: user(func(u *world.DirectoryUser) value { return text(u.UserPrincipalName) })},
	{name: "id", basic: true, ops: opEqual, get: user(func(u *world.DirectoryUser) value { return text(u.ID) })},

	{name: "accountEnabled", where: onSelect, ops: opEqual, get: user(func(u *world.DirectoryUser) value { return boolean(u.Enabled) })},
	{name: "assignedLicenses", where: onSelect, ops: opAny, element: "skuId", get: user(userLicenses)},
	{name: "assignedPlans", where: onSelect, get: user(userPlans)},
	{name: "companyName", where: onSelect, ops: opEqual | opStarts | opOrder, get: user(func(u *world.DirectoryUser) value { return text(u.Company) })},
	{name: "createdDateTime", where: onSelect, ops: opEqual | opOrder, get: user(func(u *world.DirectoryUser) value { return moment(u.Created) })},
	{name: "creationType", where: onSelect, ops: opEqual, get: user(func(u *world.DirectoryUser) value { return whenGuest(u, "Invitation") })},
	{name: "deletedDateTime", where: onSelect, get: deletedAt},
	{name: "department", where: onSelect, ops: opEqual | opStarts | opOrder, get: user(func(u *world.DirectoryUser) value { return text(u.Department) })},
	{name: "employeeId", where: onSelect, ops: opEqual | opStarts | opOrder, get: user(func(u *world.DirectoryUser) value { return text(u.EmployeeID) })},
	{name: "externalUserState", where: onSelect, ops: opEqual, get: user(func(u *world.DirectoryUser) value { return whenGuest(u, "Accepted") })},
	{name: "identities", where: onSelect, get: func(x *request, o any) value {
		return encoded([]map[string]string{{"signInType": "userPrincipalName", "issuer": x.initialDomain(),
			"issuerAssignedId": o.(*world.DirectoryUser).UserPrincipalName}})
	}},
	{name: "mailNickname", where: onSelect, ops: opEqual | opStarts | opOrder, get: user(func(u *world.DirectoryUser) value {
		nick, _, _ := strings.Cut(u.UserPrincipalName, "@")
		return text(nick)
	})},
	{name: "onPremisesImmutableId", where: onSelect, ops: opEqual, get: user(func(u *world.DirectoryUser) value {
		if !u.OnPremSynced {
			return value{}
		}
		return text(base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(u.ID, "-", ""))[:16]))
	})},
	{name: "onPremisesLastSyncDateTime", where: onSelect, get: func(x *request, o any) value {
		if !o.(*world.DirectoryUser).OnPremSynced {
			return value{}
		}
		return moment(x.w.Clock)
	}},
	{name: "onPremisesSamAccountName", where: onSelect, get: user(onPremName)},
	{name: "onPremisesUserPrincipalName", where: onSelect, get: user(func(u *world.DirectoryUser) value {
		if !u.OnPremSynced {
			return value{}
		}
		return text(u.UserPrincipalName)
	})},
	{name: "onPremisesSyncEnabled", where: onSelect, ops: opEqual, get: user(func(u *world.DirectoryUser) value { return trueOrNull(u.OnPremSynced) })},
	{name: "onPremisesExtensionAttributes", where: onSelect, get: always(structure(extensionAttributes()))},
	{name: "otherMails", where: onSelect, ops: opAny, get: always(texts(nil))},
	{name: "proxyAddresses", where: onSelect, ops: opAny, get: user(func(u *world.DirectoryUser) value { return texts(u.ProxyAddresses) })},
	{name: "showInAddressList", where: onSelect, get: always(value{})},
	{name: "usageLocation", where: onSelect, ops: opEqual | opStarts, get: user(func(u *world.DirectoryUser) value { return text(u.UsageLocation) })},
	{name: "userType", where: onSelect, ops: opEqual, get: user(func(u *world.DirectoryUser) value {
		if u.UserType == "" {
			return text("Member")
		}
		return text(u.UserType)
	})},
}, "aboutMe", "birthday", "hireDate", "interests", "mailboxSettings", "mySite", "pastProjects", "preferredName",
	"responsibilities", "schools", "skills", "deviceEnrollmentLimit", "print")

func userLicenses(u *world.DirectoryUser) value {
	v := structure("[]")
	if u.Licensed {
		v = structure(assignedLicense)
		v.list = []string{skuExchange} // what any() and $count look at
	}
	return v
}

func userPlans(u *world.DirectoryUser) value {
	if !u.Licensed {
		return structure("[]")
	}
	return structure(`[{"assignedDateTime":"` + stamp(u.Created) + `",` + exchangePlanState + `}]`)
}

func whenGuest(u *world.DirectoryUser, s string) value {
	if u.UserType != "Guest" {
		return value{}
	}
	return text(s)
}

func onPremName(u *world.DirectoryUser) value {
	if !u.OnPremSynced {
		return value{}
	}
	nick, _, _ := strings.Cut(u.UserPrincipalName, "@")
	return text(nick[:min(len(nick), 20)])
}

func extensionAttributes() string {
	var b strings.Builder
	for _, n := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15"} {
		b.WriteString(`,"extensionAttribute` + n + `":null`)
	}
	return "{" + b.String()[1:] + "}"
}

func (x *request) initialDomain() string {
	for _, d := range x.t.Domains {
		if d.Initial {
			return d.Name
		}
	}
	return ""
}

func (x *request) users() source {
	return slice(userEntity, x.t.People, func(u *world.DirectoryUser) string { return u.ID })
}

// userStyle hides what User.ReadBasic.All alone does not show. That hidden properties read as null, instead of the call
// being refused, is inferred.
func (x *request) userStyle(*entity) style {
	return style{basicOnly: !readUsersFull.grants(x.claims.Roles)}
}

func listUsers(x *request) (*reply, error) {
	return x.list(x.users(), listing{e: userEntity, style: x.userStyle})
}

func countUsers(x *request) (*reply, error) { return x.countText(x.users(), userEntity) }

func (x *request) person() (*world.DirectoryUser, error) {
	if u := x.t.Person(x.params[0]); u != nil {
		return u, nil
	}
	return nil, notFound(x.params[0])
}

func getUser(x *request) (*reply, error) {
	u, err := x.person()
	if err != nil {
		return nil, err
	}
	return x.one(userEntity, u, x.userStyle(userEntity))
}

// purposes maps Exchange's recipient type to mailboxSettings/userPurpose ("userPurpose values").
var purposes = map[string]string{"UserMailbox": "user", "SharedMailbox": "shared", "RoomMailbox": "room", "EquipmentMailbox": "equipment"}

func (x *request) purpose() (string, error) {
	u, err := x.person()
	if err != nil {
		return "", err
	}
	p, ok := purposes[u.MailboxKind]
	if !ok {
		return "", &fault{status: http.StatusNotFound, code: "MailboxNotEnabledForRESTAPI",
			message: "The mailbox is either inactive, soft-deleted, or is hosted on-premise."}
	}
	return p, nil
}

func getMailboxSettings(x *request) (*reply, error) {
	p, err := x.purpose()
	if err != nil {
		return nil, err
	}
	return &reply{status: http.StatusOK, body: append(appendText([]byte(`{"@odata.context":`), x.context("users/mailboxSettings")),
		`,"timeZone":"UTC","userPurpose":"`+p+`"}`...)}, nil
}

func getUserPurpose(x *request) (*reply, error) {
	p, err := x.purpose()
	if err != nil {
		return nil, err
	}
	return &reply{status: http.StatusOK, body: []byte(`{"value":"` + p + `"}`)}, nil
}
