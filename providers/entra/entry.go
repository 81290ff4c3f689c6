package entra

import (
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/internal/jsonstream"
)

// userFields are what is selected of users ("user resource type"). What the collection offers only with $select must be
// named; mailbox settings fail there.
const userFields = "id,displayName,givenName,surname,mail,userPrincipalName,mobilePhone,jobTitle,officeLocation,department," +
	"companyName,employeeId,usageLocation,accountEnabled,userType,proxyAddresses,assignedLicenses,onPremisesSyncEnabled,createdDateTime"

// wireUser is a user as selected. Nulls read as zero values: an entry has no nulls.
type wireUser struct {
	ID, DisplayName, GivenName, Surname string
	UserPrincipalName, MobilePhone      string
	JobTitle, OfficeLocation            string
	Department, CompanyName             string
	EmployeeID, UsageLocation, UserType string
	AccountEnabled                      *bool
	// ProxyAddresses are nil when they are null or missing.
	ProxyAddresses []string
	// Licenses is the number of assigned licences.
	Licenses              int
	OnPremisesSyncEnabled bool
	CreatedDateTime       string
	Removed               *removed // in a delta
}

func (u *wireUser) decode(r *jsonstream.Reader) error {
	return r.Object(func(name []byte) (err error) {
		switch string(name) {
		case "id":
			u.ID, err = r.String()
		case "displayName":
			u.DisplayName, err = r.String()
		case "givenName":
			u.GivenName, err = r.Word()
		case "surname":
			u.Surname, err = r.Word()
		case "userPrincipalName":
			u.UserPrincipalName, err = r.String()
		case "mobilePhone":
			u.MobilePhone, err = r.String()
		case "jobTitle":
			u.JobTitle, err = r.Word()
		case "officeLocation":
			u.OfficeLocation, err = r.Word()
		case "department":
			u.Department, err = r.Word()
		case "companyName":
			u.CompanyName, err = r.Word()
		case "employeeId":
			u.EmployeeID, err = r.String()
		case "usageLocation":
			u.UsageLocation, err = r.Word()
		case "userType":
			u.UserType, err = r.Word()
		case "accountEnabled":
			u.AccountEnabled, err = optionalBool(r)
		case "proxyAddresses":
			u.ProxyAddresses, err = r.Strings()
		case "assignedLicenses":
			err = r.Array(func() error { u.Licenses++; return r.Skip() })
		case "onPremisesSyncEnabled":
			u.OnPremisesSyncEnabled, _, err = r.Bool()
		case "createdDateTime":
			u.CreatedDateTime, err = r.String()
		case "@removed":
			u.Removed, err = readRemoved(r)
		}
		return err
	})
}

// optionalBool is nil for a null.
func optionalBool(r *jsonstream.Reader) (*bool, error) {
	v, ok, err := r.Bool()
	if !ok {
		return nil, err
	}
	return &v, nil
}

// optionalString is nil for a null.
func optionalString(r *jsonstream.Reader) (*string, error) {
	if r.Null() {
		return nil, nil
	}
	s, err := r.String()
	return &s, err
}

func readRemoved(r *jsonstream.Reader) (*removed, error) {
	if r.Null() {
		return nil, nil
	}
	out := &removed{}
	return out, r.Object(func(name []byte) (err error) {
		if string(name) == "reason" {
			out.Reason, err = r.String()
		}
		return err
	})
}

// legible reports whether the caller may see the fields that decide about mail. With too small a permission they are null
// instead of refused ("limited information"), which must not be taken for a person without address and sign-in.
func (u *wireUser) legible() bool {
	return u.ID != "" && u.AccountEnabled != nil && u.ProxyAddresses != nil
}

func (u *wireUser) entry() *directory.Entry {
	e := &directory.Entry{
		ObjectID: strings.ToLower(u.ID), Kind: directory.User, UPN: directory.Fold(u.UserPrincipalName),
		Enabled: u.AccountEnabled != nil && *u.AccountEnabled, Licensed: u.Licenses > 0, OnPremises: u.OnPremisesSyncEnabled,
		Name: u.DisplayName, GivenName: u.GivenName, Surname: u.Surname, Department: u.Department, JobTitle: u.JobTitle,
		Company: u.CompanyName, Office: u.OfficeLocation, EmployeeID: u.EmployeeID, Mobile: u.MobilePhone, UsageLocation: u.UsageLocation,
		Created: moment(u.CreatedDateTime),
	}
	if strings.EqualFold(u.UserType, "Guest") {
		e.Kind = directory.Guest
	}
	e.HasProxy = len(u.ProxyAddresses) > 0
	e.Address, e.Aliases, _ = directory.Addresses(u.ProxyAddresses)
	if e.UPN == e.Address {
		e.UPN = e.Address // as a rule; the bytes are kept once
	}
	return e
}

// groupFields are what is selected of groups ("group resource type").
const groupFields = "id,displayName,mailEnabled,securityEnabled,groupTypes,proxyAddresses,onPremisesSyncEnabled,createdDateTime,visibility"

// wireGroup is a group as selected. In a delta a group comes in several pieces: a member that is missing says nothing.
type wireGroup struct {
	ID                           string
	DisplayName                  *string
	MailEnabled, SecurityEnabled *bool
	GroupTypes, ProxyAddresses   []string
	OnPremisesSyncEnabled        *bool
	CreatedDateTime              *string
	Visibility                   *string
	Members                      []wireMember
	Removed                      *removed
}

type wireMember struct {
	ID      string
	Removed *removed
}

type removed struct{ Reason string }

func (g *wireGroup) decode(r *jsonstream.Reader) error {
	return r.Object(func(name []byte) (err error) {
		switch string(name) {
		case "id":
			g.ID, err = r.String()
		case "displayName":
			g.DisplayName, err = optionalString(r)
		case "mailEnabled":
			g.MailEnabled, err = optionalBool(r)
		case "securityEnabled":
			g.SecurityEnabled, err = optionalBool(r)
		case "groupTypes":
			g.GroupTypes, err = r.Strings()
		case "proxyAddresses":
			g.ProxyAddresses, err = r.Strings()
		case "onPremisesSyncEnabled":
			g.OnPremisesSyncEnabled, err = optionalBool(r)
		case "createdDateTime":
			g.CreatedDateTime, err = optionalString(r)
		case "visibility":
			g.Visibility, err = optionalString(r)
		case "members@delta":
			err = r.Array(func() error {
				g.Members = append(g.Members, wireMember{})
				return g.Members[len(g.Members)-1].decode(r)
			})
		case "@removed":
			g.Removed, err = readRemoved(r)
		}
		return err
	})
}

func (m *wireMember) decode(r *jsonstream.Reader) error {
	return r.Object(func(name []byte) (err error) {
		switch string(name) {
		case "id":
			m.ID, err = r.String()
		case "@removed":
			m.Removed, err = readRemoved(r)
		}
		return err
	})
}

// merge takes over what another piece of the same group says, and reports whether it is nothing else than what was said
// before.
func (g *wireGroup) merge(piece *wireGroup) (agrees bool) {
	agrees = take(&g.DisplayName, piece.DisplayName)
	agrees = take(&g.MailEnabled, piece.MailEnabled) && agrees
	agrees = take(&g.SecurityEnabled, piece.SecurityEnabled) && agrees
	agrees = take(&g.OnPremisesSyncEnabled, piece.OnPremisesSyncEnabled) && agrees
	agrees = take(&g.CreatedDateTime, piece.CreatedDateTime) && agrees
	agrees = take(&g.Visibility, piece.Visibility) && agrees
	if piece.GroupTypes != nil {
		agrees = agrees && (g.GroupTypes == nil || sameSet(g.GroupTypes, piece.GroupTypes))
		g.GroupTypes = piece.GroupTypes
	}
	if piece.ProxyAddresses != nil {
		agrees = agrees && (g.ProxyAddresses == nil || sameSet(g.ProxyAddresses, piece.ProxyAddresses))
		g.ProxyAddresses = piece.ProxyAddresses
	}
	return agrees
}

func take[T comparable](into **T, from *T) (agrees bool) {
	if from == nil {
		return true
	}
	agrees = *into == nil || **into == *from
	*into = from
	return agrees
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// hidden reports whether the members are shown only to callers with Member.Read.Hidden ("group resource type").
func (g *wireGroup) hidden() bool { return strings.EqualFold(value(g.Visibility), "HiddenMembership") }

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
	ID, DisplayName, GivenName, Surname string
	Department, JobTitle, CompanyName   string
	ProxyAddresses                      []string
	OnPremisesSyncEnabled               bool
}

func (w *wireContact) decode(r *jsonstream.Reader) error {
	return r.Object(func(name []byte) (err error) {
		switch string(name) {
		case "id":
			w.ID, err = r.String()
		case "displayName":
			w.DisplayName, err = r.String()
		case "givenName":
			w.GivenName, err = r.Word()
		case "surname":
			w.Surname, err = r.Word()
		case "department":
			w.Department, err = r.Word()
		case "jobTitle":
			w.JobTitle, err = r.Word()
		case "companyName":
			w.CompanyName, err = r.Word()
		case "proxyAddresses":
			w.ProxyAddresses, err = r.Strings()
		case "onPremisesSyncEnabled":
			w.OnPremisesSyncEnabled, _, err = r.Bool()
		}
		return err
	})
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
