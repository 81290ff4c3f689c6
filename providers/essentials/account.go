package essentials

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

var accountTable = []resource.Attribute{
	{Name: "email", Type: cty.String, Required: true, Pattern: emailAddress, PatternHelp: emailHelp, Normalize: resource.FoldCase,
		Description: "Primary address. Changing it renames the account.", Label: "Email Address", Source: vendorAPI + "; that PUT renames is inferred"},
	{Name: "type", Type: cty.String, Optional: true, Waits: true, Default: cty.StringVal(string(directory.EndUser)), Normalize: resource.FoldCase,
		Enum:        []string{string(directory.EndUser), string(directory.SilentUser), string(directory.FunctionalAccount), string(directory.OrganizationAdmin)},
		Description: "What the account is. No account is moved into or out of an administrator type.", Label: "Privileges", Source: vendorAPI},
	{Name: "first_name", Type: cty.String, Optional: true, Normalize: resource.EmptyIsNull, Description: "First name.", Label: "First Name", Source: vendorAPI},
	{Name: "last_name", Type: cty.String, Optional: true, Normalize: resource.EmptyIsNull, Description: "Last name.", Label: "Last Name", Source: vendorAPI},
	{Name: "aliases", Type: cty.Set(cty.String), Optional: true, Normalize: resource.FoldedSet, Description: "Further addresses.", Label: "Aliases", Source: vendorAPI},
	{Name: "active", Type: cty.Bool, Optional: true, Default: cty.True,
		Description: "Whether the account is active; mail to an inactive one is refused, and it takes no licence (R32).", Label: "Active", Source: vendorAPI},
	{Name: "billable", Type: cty.Bool, Optional: true, Description: "Whether the account takes a licence; the vendor lets one account of an organization be free.",
		Label: "Billable", Source: vendorAPI},
	{Name: "uid", Type: cty.String, Computed: true, Description: "The vendor's number of the account; it survives a rename.", Source: vendorAPI},
}

// accountType is one account declared by hand: a user, a functional account or an administrator. Declared accounts are
// exempt from directory sync.
func accountType() *resource.Type {
	return &resource.Type{
		Name: "account", Provider: "essentials", Attributes: accountTable, After: []string{"tenant", "domain", "sync_policy", "exemption"},
		Purpose:   "An Essentials user or functional account declared by hand.",
		Key:       func(v cty.Value) string { return folded(resource.Text(resource.Bare(v), "email")) },
		Customize: customizeAccount,
		List:      listAccountObjects,
		Read:      readAccountObject,
		Create:    createAccount,
		Update:    updateAccount,
		Delete: func(ctx context.Context, conn *resource.Conn, change *resource.Change) error {
			c, org, err := clientOf(conn)
			if err != nil {
				return err
			}
			a, err := c.accountByID(ctx, org, change)
			if errors.Is(err, resource.ErrAbsent) {
				return nil
			}
			if err != nil {
				return err
			}
			return c.deleteUser(ctx, org, a.Address, a.UID, true)
		},
	}
}

func accountLive(a *directory.Account) resource.Live {
	uid := strconv.Itoa(a.UID)
	return resource.Live{ID: resource.ObjectID(uid), Name: a.Address, Value: cty.ObjectVal(map[string]cty.Value{
		"email": cty.StringVal(a.Address), "type": cty.StringVal(string(a.Type)), "first_name": stringValue(flexString(a.FirstName)),
		"last_name": stringValue(flexString(a.Surname)), "aliases": resource.StringSet(a.Aliases), "active": cty.BoolVal(a.Active),
		"billable": cty.BoolVal(a.Billable), "uid": cty.StringVal(uid),
	})}
}

func listAccountObjects(ctx context.Context, conn *resource.Conn) ([]resource.Live, error) {
	reading, err := ReadAccounts(ctx, conn)
	if errors.Is(err, errNoOrganization) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !reading.Proof.Complete {
		return nil, &resource.Error{Op: "list accounts", Subject: conn.Tenant.PrimaryDomain, Kind: resource.ErrUnavailable, Detail: reading.Proof.Problem}
	}
	out := make([]resource.Live, len(reading.Accounts))
	for i, a := range reading.Accounts {
		out[i] = accountLive(a)
	}
	return out, nil
}

// readAccountObject finds the account by its number in the list: the API addresses accounts by address only, and the
// address may have changed.
func readAccountObject(ctx context.Context, conn *resource.Conn, id resource.ObjectID) (resource.Live, error) {
	c, org, err := clientOf(conn)
	if err != nil {
		return resource.Live{}, err
	}
	a, err := c.accountByUID(ctx, org, string(id))
	if err != nil {
		return resource.Live{}, err
	}
	return accountLive(a), nil
}

func (c *Client) accountByUID(ctx context.Context, org, id string) (*directory.Account, error) {
	uid, err := strconv.Atoi(id)
	if err != nil || uid == 0 {
		return nil, &resource.Error{Op: "read account", Subject: id, Kind: resource.ErrInvalid, Detail: "no number of an account"}
	}
	var found *directory.Account
	n := 0
	err = c.users(ctx, org, func(a *directory.Account) {
		n++
		if a.UID == uid {
			found = a
		}
	})
	switch {
	case err != nil:
		return nil, err
	case found != nil:
		return found, nil
	case n == 0:
		return nil, unreadable(orgCall("list accounts", http.MethodGet, org, "users"), http.StatusOK, errors.New("an empty list of accounts"))
	}
	return nil, &resource.Error{Op: "read account", Subject: id, Kind: resource.ErrAbsent, Detail: "no account of the organization has this number"}
}

// accountByID finds the account of a change: at the address that it had, or, renamed meanwhile, by its number.
func (c *Client) accountByID(ctx context.Context, org string, change *resource.Change) (*directory.Account, error) {
	if address := resource.Text(resource.Bare(change.Prior), "email"); address != "" {
		a, err := c.account(ctx, org, address)
		if err == nil && strconv.Itoa(a.UID) == string(change.ID) {
			return a, nil
		}
		if err != nil && !errors.Is(err, resource.ErrAbsent) {
			return nil, err
		}
	}
	return c.accountByUID(ctx, org, string(change.ID))
}

// plannedAccount is base with what is planned.
func plannedAccount(base directory.Account, planned cty.Value) *directory.Account {
	a := base
	if v := resource.Text(planned, "email"); v != "" {
		a.Address = folded(v)
	}
	if v := folded(resource.Text(planned, "type")); v != "" {
		a.Type = directory.AccountType(v)
	}
	if v := resource.Get(planned, "first_name"); !v.IsNull() {
		a.FirstName = v.AsString()
	}
	if v := resource.Get(planned, "last_name"); !v.IsNull() {
		a.Surname = v.AsString()
	}
	if all, ok := resource.Words(planned, "aliases"); ok {
		a.Aliases = foldedSorted(all)
	}
	if v, ok := resource.Flag(planned, "active"); ok {
		a.Active = v
	}
	if v, ok := resource.Flag(planned, "billable"); ok {
		a.Billable = v
	}
	return &a
}

func createAccount(ctx context.Context, conn *resource.Conn, change *resource.Change) (resource.Live, error) {
	c, org, err := clientOf(conn)
	if err != nil {
		return resource.Live{}, err
	}
	a := plannedAccount(directory.Account{Type: directory.EndUser, Active: true, Billable: true}, change.Planned)
	body := newUserOf(a)
	if billable, ok := resource.Flag(change.Planned, "billable"); ok {
		body.Billable = &billable
	}
	q := orgCall("create account", http.MethodPost, org, "users").about(a.Address).with(body)
	status, answer, err := c.change(ctx, q)
	if err != nil {
		var e *resource.Error
		if errors.Is(err, resource.ErrConflict) && errors.As(err, &e) {
			e.Hint = "If the account is in this organization, plan again to adopt it"
		}
		return resource.Live{}, err
	}
	// A single create may be answered with an errors array beside its status (seen in clients).
	if err := c.within(q, status, answer); err != nil {
		return resource.Live{}, err
	}
	made, err := c.account(ctx, org, a.Address)
	if err != nil {
		return resource.Live{}, err
	}
	return accountLive(made), nil
}

func updateAccount(ctx context.Context, conn *resource.Conn, change *resource.Change) (resource.Live, error) {
	c, org, err := clientOf(conn)
	if err != nil {
		return resource.Live{}, err
	}
	before, err := c.accountByID(ctx, org, change)
	if err != nil {
		return resource.Live{}, err
	}
	after := plannedAccount(*before, change.Planned)
	body, err := userChanges(before, after)
	if err != nil {
		return resource.Live{}, err
	}
	if len(body) > 0 {
		if err := c.putUser(ctx, org, before, after.Address, body); err != nil {
			return resource.Live{}, err
		}
	}
	have, err := c.account(ctx, org, after.Address)
	if err != nil {
		return resource.Live{}, err
	}
	return accountLive(have), nil
}

func customizeAccount(req *resource.PlanRequest) error {
	planned, live := resource.Bare(req.Planned), resource.Bare(req.Live)
	address := folded(resource.Text(planned, "email"))
	if all, ok := resource.Words(planned, "aliases"); ok {
		for _, alias := range all {
			if folded(alias) == address {
				return &resource.Error{Op: "plan account", Subject: address, Attribute: "aliases", Kind: resource.ErrInvalid,
					Detail: "the primary address is among the aliases", Hint: "Leave it out there"}
			}
		}
	}
	if live.IsNull() {
		return nil
	}
	have, want := directory.AccountType(folded(resource.Text(live, "type"))), directory.AccountType(folded(resource.Text(planned, "type")))
	if want != "" && have != want && (have.IsAdmin() || want.IsAdmin()) {
		req.Planned = resource.With(req.Planned, "type", cty.StringVal(string(have)))
		req.Waits = append(req.Waits, fmt.Sprintf("%s is %s; somebody must make it %s in the portal, since Weir moves no account into or out of an administrator type",
			address, have, want))
	}
	return nil
}
