package essentials

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/internal/jsonstream"
	"github.com/weir-project/weir/providers/resource"
)

// maxBatch is the largest number of accounts in one POST. The vendor names no limit; 100 keeps an answer that is lost,
// and the list read that settles it, small.
const maxBatch = 100

func accountOf(u *wireUser) *directory.Account {
	a := &directory.Account{
		UID: u.UID.value, Address: directory.Fold(string(u.PrimaryEmail)), Type: directory.AccountType(folded(string(u.Type))),
		Active: u.IsActive.value, FirstName: string(u.FirstName), Surname: string(u.Surname), Billable: u.Billable.value || !u.Billable.set,
	}
	if len(u.Aliases) > 0 {
		a.Aliases = make([]string, 0, len(u.Aliases))
	}
	for _, alias := range u.Aliases {
		if alias = directory.Fold(alias); alias != "" && alias != a.Address {
			a.Aliases = append(a.Aliases, alias)
		}
	}
	slices.Sort(a.Aliases)
	if a.Aliases = slices.Compact(a.Aliases); len(a.Aliases) == 0 {
		a.Aliases = nil
	}
	return a
}

// decode reads one user as json.Unmarshal would, but for names of members in another case.
func (u *wireUser) decode(r *jsonstream.Reader) error {
	return r.Object(func(name []byte) (err error) {
		switch string(name) {
		case "uid":
			err = u.UID.read(r)
		case "primary_email":
			err = u.PrimaryEmail.read(r, false)
		case "type":
			err = u.Type.read(r, true)
		case "is_active":
			err = u.IsActive.read(r)
		case "firstname":
			err = u.FirstName.read(r, true)
		case "surname":
			err = u.Surname.read(r, true)
		case "alias_emails":
			u.Aliases, err = r.Strings()
		case "is_billable":
			err = u.Billable.read(r)
		}
		return err
	})
}

// decodeUser reads one element of a user list, or one user.
func decodeUser(r *jsonstream.Reader) (*directory.Account, error) {
	var u wireUser
	if err := u.decode(r); err != nil {
		return nil, err
	}
	switch {
	case u.PrimaryEmail == "":
		return nil, errors.New("an account without primary_email")
	case u.Type == "":
		return nil, fmt.Errorf("account %s without type", clip(string(u.PrimaryEmail)))
	case !u.IsActive.set:
		return nil, fmt.Errorf("account %s without is_active", clip(string(u.PrimaryEmail)))
	}
	return accountOf(&u), nil
}

// ReadAccounts reads every account of the connection's organization in one list and judges whether the list is complete.
// The API neither pages nor counts, so the proof rests on what is always true of a whole list: it is not empty (an
// organization has an administrator), names nobody twice, has no type but those of the API, and is not shorter than the
// organization's own number of active users. An organization that does not exist is an error with resource.ErrAbsent in
// its chain. A read that failed returns an error and a proof that says why.
func ReadAccounts(ctx context.Context, conn *resource.Conn) (*directory.AccountReading, error) {
	c, org, err := clientOf(conn)
	if err != nil {
		return nil, err
	}
	reading := &directory.AccountReading{Proof: directory.Proof{Source: "accounts", Count: -1, At: conn.Now().UTC()}}
	o, err := c.organization(ctx, org)
	if err == nil {
		err = c.users(ctx, org, func(a *directory.Account) { reading.Accounts = append(reading.Accounts, a) })
	}
	if err != nil {
		reading.Accounts = nil
		reading.Proof.Problem = err.Error()
		return reading, err
	}
	slices.SortFunc(reading.Accounts, func(a, b *directory.Account) int { return strings.Compare(a.Address, b.Address) })
	reading.Proof.Pages, reading.Proof.Objects = 1, len(reading.Accounts)
	reading.Proof.Hash = hashAccounts(reading.Accounts)
	reading.Counted = o.ActiveUsers.value
	reading.Proof.Problem = incomplete(reading.Accounts, o.ActiveUsers)
	reading.Proof.Complete = reading.Proof.Problem == ""
	return reading, nil
}

// incomplete says why sorted accounts cannot be the whole list; "" when nothing speaks against it.
func incomplete(accounts []*directory.Account, active flexInt) string {
	if len(accounts) == 0 {
		return "the list of accounts is empty, but an organization has at least its administrator"
	}
	uids := make(map[int]string, len(accounts))
	for i, a := range accounts {
		if i > 0 && accounts[i-1].Address == a.Address {
			return fmt.Sprintf("the list of accounts names %s twice", a.Address)
		}
		if other, twice := uids[a.UID]; twice && a.UID != 0 {
			return fmt.Sprintf("the list of accounts gives %s and %s one number", other, a.Address)
		}
		uids[a.UID] = a.Address
		if a.Type != "" && !a.Type.Known() {
			return fmt.Sprintf("%s is of the type %q, which this version of weir does not know: it may be an administrator", a.Address, clip(string(a.Type)))
		}
	}
	// active_users is what is billed and may count differently (seen in clients), but never more than there are.
	if active.set && active.value > len(accounts) {
		return fmt.Sprintf("the list holds %d accounts, but the organization says that %d are active", len(accounts), active.value)
	}
	return ""
}

func hashAccounts(accounts []*directory.Account) string {
	h := sha256.New()
	e := json.NewEncoder(h)
	for _, a := range accounts {
		_ = e.Encode(a) // a hash takes every write
	}
	return hex.EncodeToString(h.Sum(nil))
}

// users reads GET /orgs/{d}/users, one account at a time. The vendor has no paging and no filter (vendor API
// description).
func (c *Client) users(ctx context.Context, org string, each func(*directory.Account)) error {
	return c.read(ctx, orgCall("list accounts", http.MethodGet, org, "users"), func(r io.Reader) error {
		return decodeList(r, "users", func(r *jsonstream.Reader) error {
			a, err := decodeUser(r)
			if err == nil {
				each(a)
			}
			return err
		})
	})
}

// account reads GET /orgs/{d}/users/{user}. An address that has become the alias of another account is absent.
func (c *Client) account(ctx context.Context, org, address string) (*directory.Account, error) {
	address = directory.Fold(address)
	q := orgCall("read account", http.MethodGet, org, "users", address).about(address)
	var a *directory.Account
	err := c.read(ctx, q, func(r io.Reader) error {
		one := jsonstream.New(r)
		var err error
		if a, err = decodeUser(one); err != nil {
			return err
		}
		return one.End()
	})
	if err != nil {
		return nil, err
	}
	if a.Address != address {
		for _, alias := range a.Aliases {
			if alias == address {
				return nil, &resource.Error{Op: q.op, Subject: address, Kind: resource.ErrAbsent, Detail: "the address is an alias of " + a.Address}
			}
		}
		return nil, unreadable(q, http.StatusOK, fmt.Errorf("asked for %s, got %s", address, clip(a.Address)))
	}
	return a, nil
}

// Writer changes the accounts of one organization; it is the directory.AccountWriter of Essentials. Safe for concurrent
// use.
type Writer struct {
	client *Client
	org    string

	exempting sync.Mutex // one change of the list of exemptions at a time
}

var (
	_ directory.AccountWriter   = (*Writer)(nil)
	_ directory.ExemptionWriter = (*Writer)(nil)
)

// NewWriter makes the writer of the connection's organization; it sends nothing.
func NewWriter(conn *resource.Conn) (*Writer, error) {
	c, org, err := clientOf(conn)
	if err != nil {
		return nil, err
	}
	return &Writer{client: c, org: org}, nil
}

// MaxBatch is 100.
func (w *Writer) MaxBatch() int { return maxBatch }

// Add creates accounts in one POST of a list and matches the answer by address. A list that is refused as a whole has
// had no effect and is halved until the account at fault stands alone, so that one bad entry stops nobody else. Asking
// for an administrator, or for more than MaxBatch, is refused without a call.
func (w *Writer) Add(ctx context.Context, accounts []*directory.Account) []directory.AccountResult {
	results := make([]directory.AccountResult, len(accounts))
	all := func(err error) []directory.AccountResult {
		for i := range results {
			results[i] = directory.AccountResult{Err: err}
		}
		return results
	}
	if len(accounts) == 0 {
		return results
	}
	if len(accounts) > maxBatch {
		return all(fmt.Errorf("%d accounts in one batch, at most %d are taken: %w", len(accounts), maxBatch, resource.ErrInvalid))
	}
	body := make([]newUser, len(accounts))
	for i, a := range accounts {
		if a.Type.IsAdmin() {
			return all(&resource.Error{Op: "create accounts", Subject: a.Address, Kind: resource.ErrDenied, Detail: "administrators are not made from a directory"})
		}
		body[i] = newUserOf(a)
	}
	q := orgCall("create accounts", http.MethodPost, w.org, "users").about(fmt.Sprintf("%s and %d more", accounts[0].Address, len(accounts)-1)).with(body)
	if len(accounts) == 1 {
		q.about(accounts[0].Address)
	}
	_, answer, err := w.client.change(ctx, q)
	if err != nil {
		if len(accounts) > 1 && wholeRefused(err) {
			half := len(accounts) / 2
			return append(w.Add(ctx, accounts[:half]), w.Add(ctx, accounts[half:])...)
		}
		return all(err)
	}
	made, failed, err := parseBatch(answer)
	if err != nil {
		return all(&resource.Error{Op: q.op, Subject: q.subject, Kind: resource.ErrAmbiguous, Err: err, Detail: "the answer cannot be read: " + clip(err.Error())})
	}
	for i, a := range accounts {
		address := directory.Fold(a.Address)
		refused, isRefused := failed[address]
		account, isMade := made[address]
		switch {
		case isMade && !isRefused:
			results[i].Account = account
		case isRefused && !isMade:
			refused.Op, refused.Subject = "create account", address
			results[i].Err = refused
		default:
			detail := "the answer names the account neither as made nor as refused"
			if isMade {
				detail = "the answer names the account as made and as refused"
			}
			results[i].Err = &resource.Error{Op: "create account", Subject: address, Kind: resource.ErrAmbiguous, Detail: detail}
		}
	}
	return results
}

// wholeRefused tells whether a list was refused before anything of it took effect.
func wholeRefused(err error) bool {
	var e *resource.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusConflict, http.StatusRequestEntityTooLarge:
		return !errors.Is(err, resource.ErrAmbiguous)
	}
	return false
}

func newUserOf(a *directory.Account) newUser {
	active := a.Active
	u := newUser{PrimaryEmail: directory.Fold(a.Address), Type: string(a.Type), IsActive: &active, FirstName: a.FirstName, Surname: a.Surname, Aliases: a.Aliases}
	if u.Type == "" {
		u.Type = string(directory.EndUser)
	}
	return u
}

// parseBatch reads the answer to a list POST: {"users":[…],"errors":[…]} (seen in clients), a bare list of users, or one
// user. Elements of the list that wrap a user with its own status are understood too (vendor API description: "individual
// results contained within").
func parseBatch(body []byte) (made map[string]*directory.Account, failed map[string]*resource.Error, err error) {
	made, failed = map[string]*directory.Account{}, map[string]*resource.Error{}
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return made, failed, nil
	}
	if body[0] == '[' {
		var list []json.RawMessage
		if err := json.Unmarshal(body, &list); err != nil {
			return nil, nil, err
		}
		for _, raw := range list {
			if err := parseElement(raw, made, failed); err != nil {
				return nil, nil, err
			}
		}
		return made, failed, nil
	}
	var object struct {
		Users  []json.RawMessage `json:"users"`
		Data   []json.RawMessage `json:"data"`
		Errors []json.RawMessage `json:"errors"`
	}
	if err := json.Unmarshal(body, &object); err != nil {
		return nil, nil, err
	}
	if object.Users == nil && object.Data == nil && object.Errors == nil {
		return made, failed, parseElement(body, made, failed)
	}
	for _, raw := range append(append(object.Users, object.Data...), object.Errors...) {
		if err := parseElement(raw, made, failed); err != nil {
			return nil, nil, err
		}
	}
	return made, failed, nil
}

// parseElement files one element of a batch answer. What names no address is left out: its account is in doubt.
func parseElement(raw json.RawMessage, made map[string]*directory.Account, failed map[string]*resource.Error) error {
	var e struct {
		wireError
		wireUser
		User  *wireUser    `json:"user"`   // inferred
		Inner *wireUser    `json:"data"`   // inferred
		More  []*wireError `json:"errors"` // inferred
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return err
	}
	for _, one := range append(e.More, &e.wireError) {
		if one.Status.value < 400 && one.ErrorMessage == "" || one.Identifier == "" {
			continue
		}
		status := one.Status.value
		failed[directory.Fold(string(one.Identifier))] = &resource.Error{Kind: batchKind(status), Status: status, Detail: clip(string(one.ErrorMessage))}
	}
	for _, u := range []*wireUser{&e.wireUser, e.User, e.Inner} {
		if u != nil && u.PrimaryEmail != "" && e.ErrorMessage == "" && e.Status.value < 400 {
			a := accountOf(u)
			made[a.Address] = a
		}
	}
	return nil
}

// batchKind is kindOf for one element; an element that fails with a server error is in doubt.
func batchKind(status int) error {
	switch {
	case status == 0:
		return resource.ErrInvalid
	case status >= 500:
		return resource.ErrAmbiguous
	case status == http.StatusNotFound:
		return resource.ErrInvalid
	}
	return kindOf(status)
}

// Update sends what differs between before and after, with uid and primary address, by which the vendor knows the
// account (seen in clients; omitted fields are kept). No account is moved into or out of an administrator type. Without
// a difference nothing is sent.
func (w *Writer) Update(ctx context.Context, before, after *directory.Account) (*directory.Account, error) {
	body, err := userChanges(before, after)
	if err != nil {
		return nil, err
	}
	result := *after
	result.UID = before.UID
	if len(body) == 0 {
		return &result, nil
	}
	if err := w.client.putUser(ctx, w.org, before, after.Address, body); err != nil {
		return nil, err
	}
	return &result, nil
}

// putUser sends changed fields of one account.
func (c *Client) putUser(ctx context.Context, org string, before *directory.Account, address string, body map[string]any) error {
	body["primary_email"] = directory.Fold(address)
	if before.UID != 0 {
		body["uid"] = before.UID
	}
	q := orgCall("update account", http.MethodPut, org, "users", directory.Fold(before.Address)).about(before.Address).with(body)
	if body["primary_email"] != directory.Fold(before.Address) {
		q.notRepeated() // a renamed account is not found at its old address again
	}
	return c.do(ctx, q)
}

// userChanges are the fields of PUT that differ.
func userChanges(before, after *directory.Account) (map[string]any, error) {
	body := map[string]any{}
	if before.Type != after.Type && after.Type != "" {
		if before.Type.IsAdmin() || after.Type.IsAdmin() {
			return nil, &resource.Error{Op: "update account", Subject: before.Address, Attribute: "type", Kind: resource.ErrDenied,
				Detail: fmt.Sprintf("no account is moved from %s to %s", before.Type, after.Type), Hint: "Change the role of an administrator in the portal"}
		}
		body["type"] = string(after.Type)
	}
	if before.Active != after.Active {
		body["is_active"] = after.Active
	}
	if before.FirstName != after.FirstName {
		body["firstname"] = after.FirstName
	}
	if before.Surname != after.Surname {
		body["surname"] = after.Surname
	}
	if strings.Join(before.Aliases, "\n") != strings.Join(after.Aliases, "\n") {
		body["alias_emails"] = append([]string{}, after.Aliases...) // the list replaces (inferred)
	}
	if before.Billable != after.Billable {
		body["is_billable"] = after.Billable
	}
	if len(body) == 0 && directory.Fold(before.Address) != directory.Fold(after.Address) {
		body["primary_email"] = directory.Fold(after.Address)
	}
	return body, nil
}

// AddExemption puts one address on the list of those that the hosted sync leaves alone, and makes sure that those on it
// stay there.
func (w *Writer) AddExemption(ctx context.Context, address string) error {
	w.exempting.Lock()
	defer w.exempting.Unlock()
	address = directory.Fold(address)
	have, err := w.client.exemptions(ctx, w.org)
	if err != nil || slices.Contains(have, address) {
		return err
	}
	return w.client.protect(ctx, w.org, have, []string{address})
}

// RemoveExemption takes one address off that list; the list as a whole is never deleted.
func (w *Writer) RemoveExemption(ctx context.Context, address string) error {
	w.exempting.Lock()
	defer w.exempting.Unlock()
	return w.client.deleteExemption(ctx, w.org, directory.Fold(address))
}

// Delete removes the account for ever. It reads the account first: an address that has become the alias of another
// account would take that one with it. An account already gone is success.
func (w *Writer) Delete(ctx context.Context, address string) error {
	return w.client.deleteUser(ctx, w.org, address, 0, false)
}

// deleteUser deletes the account at address; with a uid other than 0 only if it is that one, an administrator only if
// admins says so.
func (c *Client) deleteUser(ctx context.Context, org, address string, uid int, admins bool) error {
	address = directory.Fold(address)
	have, err := c.account(ctx, org, address)
	if errors.Is(err, resource.ErrAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	if uid != 0 && have.UID != uid {
		return nil // the account is gone; the address has a new owner
	}
	if have.Type.IsAdmin() && !admins {
		return &resource.Error{Op: "delete account", Subject: address, Kind: resource.ErrDenied, Detail: "an administrator is not deleted by a sync",
			Hint: "Delete it in the portal"}
	}
	err = c.do(ctx, orgCall("delete account", http.MethodDelete, org, "users", address).about(address))
	if errors.Is(err, resource.ErrAbsent) {
		return nil
	}
	return err
}

// Get reads one account again.
func (w *Writer) Get(ctx context.Context, address string) (*directory.Account, error) {
	return w.client.account(ctx, w.org, address)
}
