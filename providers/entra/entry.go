package entra

import (
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/directory"
)

// userFields are what is selected of users ("user resource type"). What the collection offers only with $select must be
// named; mailbox settings fail there.
const userFields = "id,displayName,givenName,surname,mail,userPrincipalName,mobilePhone,jobTitle,officeLocation,department," +
	"companyName,employeeId,usageLocation,accountEnabled,userType,proxyAddresses,assignedLicenses,onPremisesSyncEnabled,createdDateTime"

// wireUser is a user as selected. Nulls read as zero values: an entry has no nulls.
type wireUser struct {
	ID                    string            `json:"id"`
	DisplayName           string            `json:"displayName"`
	GivenName             string            `json:"givenName"`
	Surname               string            `json:"surname"`
	UserPrincipalName     string            `json:"userPrincipalName"`
	MobilePhone           string            `json:"mobilePhone"`
	JobTitle              string            `json:"jobTitle"`
	OfficeLocation        string            `json:"officeLocation"`
	Department            string            `json:"department"`
	CompanyName           string            `json:"companyName"`
	EmployeeID            string            `json:"employeeId"`
	UsageLocation         string            `json:"usageLocation"`
	AccountEnabled        *bool             `json:"accountEnabled"`
	UserType              string            `json:"userType"`
	ProxyAddresses        *[]string         `json:"proxyAddresses"`
	AssignedLicenses      []assignedLicense `json:"assignedLicenses"`
	OnPremisesSyncEnabled bool              `json:"onPremisesSyncEnabled"`
	CreatedDateTime       string            `json:"createdDateTime"`
}

type assignedLicense struct {
	SkuID string `json:"skuId"`
}

// legible reports whether the caller may see the fields that decide about mail. With too small a permission they are null
// instead of refused ("limited information"), which must not be taken for a person without address and sign-in.
func (u *wireUser) legible() bool {
	return u.ID != "" && u.AccountEnabled != nil && u.ProxyAddresses != nil
}

func (u *wireUser) entry() *directory.Entry {
	e := &directory.Entry{
		ObjectID: strings.ToLower(u.ID), Kind: directory.User, UPN: directory.Fold(u.UserPrincipalName),
		Enabled: u.AccountEnabled != nil && *u.AccountEnabled, Licensed: len(u.AssignedLicenses) > 0, OnPremises: u.OnPremisesSyncEnabled,
		Name: u.DisplayName, GivenName: u.GivenName, Surname: u.Surname, Department: u.Department, JobTitle: u.JobTitle,
		Company: u.CompanyName, Office: u.OfficeLocation, EmployeeID: u.EmployeeID, Mobile: u.MobilePhone, UsageLocation: u.UsageLocation,
		Created: moment(u.CreatedDateTime),
	}
	if strings.EqualFold(u.UserType, "Guest") {
		e.Kind = directory.Guest
	}
	if u.ProxyAddresses != nil {
		e.HasProxy = len(*u.ProxyAddresses) > 0
		e.Address, e.Aliases, _ = directory.Addresses(*u.ProxyAddresses)
	}
	return e
}

// groupFields are what is selected of groups ("group resource type").
const groupFields = "id,displayName,mailEnabled,securityEnabled,groupTypes,proxyAddresses,onPremisesSyncEnabled,createdDateTime"

// wireGroup is a group as selected. In a delta a group comes in several pieces: a member that is missing says nothing.
type wireGroup struct {
	ID                    string       `json:"id"`
	DisplayName           *string      `json:"displayName"`
	MailEnabled           *bool        `json:"mailEnabled"`
	SecurityEnabled       *bool        `json:"securityEnabled"`
	GroupTypes            []string     `json:"groupTypes"`
	ProxyAddresses        []string     `json:"proxyAddresses"`
	OnPremisesSyncEnabled *bool        `json:"onPremisesSyncEnabled"`
	CreatedDateTime       *string      `json:"createdDateTime"`
	Members               []wireMember `json:"members@delta"`
	Removed               *removed     `json:"@removed"`
}

type wireMember struct {
	ID      string   `json:"id"`
	Removed *removed `json:"@removed"`
}

type removed struct {
	Reason string `json:"reason"`
}

// merge takes over what another piece of the same group says.
func (g *wireGroup) merge(piece *wireGroup) {
	take(&g.DisplayName, piece.DisplayName)
	take(&g.MailEnabled, piece.MailEnabled)
	take(&g.SecurityEnabled, piece.SecurityEnabled)
	take(&g.OnPremisesSyncEnabled, piece.OnPremisesSyncEnabled)
	take(&g.CreatedDateTime, piece.CreatedDateTime)
	if piece.GroupTypes != nil {
		g.GroupTypes = piece.GroupTypes
	}
	if piece.ProxyAddresses != nil {
		g.ProxyAddresses = piece.ProxyAddresses
	}
}

func take[T any](into **T, from *T) {
	if from != nil {
		*into = from
	}
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func (g *wireGroup) entry() *directory.Entry {
	e := &directory.Entry{
		ObjectID: strings.ToLower(g.ID), Kind: g.kind(), Enabled: true, Name: value(g.DisplayName),
		OnPremises: value(g.OnPremisesSyncEnabled), HasProxy: len(g.ProxyAddresses) > 0, Created: moment(value(g.CreatedDateTime)),
	}
	e.Address, e.Aliases, _ = directory.Addresses(g.ProxyAddresses)
	return e
}

// kind follows the table of "Working with groups in Microsoft Graph".
func (g *wireGroup) kind() directory.Kind {
	switch {
	case slices.ContainsFunc(g.GroupTypes, func(t string) bool { return strings.EqualFold(t, "Unified") }):
		return directory.Microsoft365Group
	case value(g.SecurityEnabled):
		return directory.SecurityGroup
	}
	return directory.DistributionGroup
}

// contactFields are what is selected of mail contacts ("orgContact resource type").
const contactFields = "id,displayName,givenName,surname,department,jobTitle,companyName,proxyAddresses,onPremisesSyncEnabled"

type wireContact struct {
	ID                    string   `json:"id"`
	DisplayName           string   `json:"displayName"`
	GivenName             string   `json:"givenName"`
	Surname               string   `json:"surname"`
	Department            string   `json:"department"`
	JobTitle              string   `json:"jobTitle"`
	CompanyName           string   `json:"companyName"`
	ProxyAddresses        []string `json:"proxyAddresses"`
	OnPremisesSyncEnabled bool     `json:"onPremisesSyncEnabled"`
}

func (w *wireContact) entry() *directory.Entry {
	e := &directory.Entry{
		ObjectID: strings.ToLower(w.ID), Kind: directory.Contact, Enabled: true, Name: w.DisplayName, GivenName: w.GivenName,
		Surname: w.Surname, Department: w.Department, JobTitle: w.JobTitle, Company: w.CompanyName, OnPremises: w.OnPremisesSyncEnabled,
		HasProxy: len(w.ProxyAddresses) > 0,
	}
	e.Address, e.Aliases, _ = directory.Addresses(w.ProxyAddresses)
	return e
}

// moment reads a time of Graph; zero when there is none.
func moment(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
