package world

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
)

// MaxFile is the largest world file that Load reads, in bytes. A tenant of 200,000 people takes about 100 MB.
const MaxFile = 1 << 30

// Load reads a world file. It is strict: a format number other than FormatVersion, an unknown field, text after the end,
// a missing or doubled identity, and a file above MaxFile are errors that name what is wrong. The world it returns is
// indexed and ready to serve.
func Load(r io.Reader) (*World, error) {
	limited := &io.LimitedReader{R: r, N: MaxFile + 1}
	w := &World{}
	d := json.NewDecoder(limited)
	d.DisallowUnknownFields()
	if err := d.Decode(w); err != nil {
		if limited.N <= 0 {
			return nil, fmt.Errorf("world file is larger than %d bytes", MaxFile)
		}
		return nil, fmt.Errorf("world file: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("world file: something follows the end of the JSON object")
	}
	if w.Format != FormatVersion {
		return nil, fmt.Errorf("world file has format %d; this program reads format %d: write the world anew", w.Format, FormatVersion)
	}
	if err := w.validate(); err != nil {
		return nil, fmt.Errorf("world file: %w", err)
	}
	w.Clock = w.Clock.UTC()
	w.Reindex()
	return w, nil
}

// Save writes the world as indented JSON, the same bytes for the same world. It takes the read lock.
func (w *World) Save(out io.Writer) error {
	w.RLock()
	defer w.RUnlock()
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(w); err != nil {
		return fmt.Errorf("write world: %w", err)
	}
	return nil
}

// LoadFile reads the world file at path.
func LoadFile(path string) (*World, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read world: %w", err)
	}
	w, err := Load(f)
	if cerr := f.Close(); err == nil && cerr != nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}

// SaveFile writes the world to path in one step (a temporary file beside it, then a rename), readable by its owner
// alone, since a world holds its secrets. It takes the read lock.
func (w *World) SaveFile(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".world-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write world: %w", err)
	}
	err = w.Save(f)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write world %s: %w", path, err)
	}
	return nil
}

// Clone returns an independent copy of the world as it is now. It takes the read lock.
func (w *World) Clone() (*World, error) {
	var b bytes.Buffer
	if err := w.Save(&b); err != nil {
		return nil, err
	}
	return Load(&b)
}

// validate refuses what would make the look-ups ambiguous or a handler fall over: null entries, missing and doubled
// identities.
func (w *World) validate() error {
	if !validID(w.ID) {
		return fmt.Errorf("id %q: want 1 to 64 of a-z, 0-9 and -", w.ID)
	}
	if w.Clock.IsZero() {
		return errors.New("clock is missing: give the world's present as RFC 3339")
	}
	eids := map[int]bool{}
	for i, o := range w.Organizations {
		if o == nil || o.EID == 0 || o.PrimaryDomain == "" {
			return fmt.Errorf("organizations[%d]: want an object with eid and primary_domain", i)
		}
		if eids[o.EID] {
			return fmt.Errorf("organizations[%d]: eid %d occurs twice", i, o.EID)
		}
		eids[o.EID] = true
		if err := o.validate(); err != nil {
			return fmt.Errorf("organization %s: %w", o.PrimaryDomain, err)
		}
	}
	for _, o := range w.Organizations {
		if o.Parent != 0 && !eids[o.Parent] {
			return fmt.Errorf("organization %s: parent %d is no organization of this world", o.PrimaryDomain, o.Parent)
		}
	}
	tenants := map[string]bool{}
	for i, t := range w.Tenants {
		if t == nil || t.ID == "" {
			return fmt.Errorf("tenants[%d]: want an object with id", i)
		}
		if tenants[lower(t.ID)] {
			return fmt.Errorf("tenants[%d]: id %s occurs twice", i, t.ID)
		}
		tenants[lower(t.ID)] = true
		if err := t.validate(); err != nil {
			return fmt.Errorf("tenant %s: %w", t.ID, err)
		}
	}
	for name, z := range w.Zones {
		if z == nil || name != lower(strings.TrimSuffix(name, ".")) || name == "" {
			return fmt.Errorf("zone %q: want a lower-case name without trailing dot, and an object", name)
		}
	}
	return nil
}

func (o *Organization) validate() error {
	domains := map[string]bool{}
	for i, d := range o.Domains {
		if d == nil || d.Name == "" || domains[lower(d.Name)] {
			return fmt.Errorf("domains[%d]: want an object with a name of its own", i)
		}
		domains[lower(d.Name)] = true
	}
	users, uids := make(map[string]bool, len(o.Users)), make(map[int]bool, len(o.Users))
	for i, u := range o.Users {
		if u == nil || u.PrimaryEmail == "" || u.UID == 0 {
			return fmt.Errorf("users[%d]: want an object with uid and primary_email", i)
		}
		if users[lower(u.PrimaryEmail)] || uids[u.UID] {
			return fmt.Errorf("users[%d]: %s or uid %d occurs twice", i, u.PrimaryEmail, u.UID)
		}
		users[lower(u.PrimaryEmail)], uids[u.UID] = true, true
	}
	return errors.Join(noNil("idps", o.IdPs), noNil("products", o.Products), noNil("dkim", o.DKIM))
}

func (t *Tenant) validate() error {
	ids := make(map[string]bool, len(t.People)+len(t.Groups))
	add := func(where string, i int, id string) error {
		if id == "" || id != lower(id) || ids[id] {
			return fmt.Errorf("%s[%d]: id %q: want a lower-case id that occurs once", where, i, id)
		}
		ids[id] = true
		return nil
	}
	if err := errors.Join(noNil("domains", t.Domains), noNil("users", t.People), noNil("groups", t.Groups),
		noNil("contacts", t.Contacts), noNil("deleted", t.Deleted), noNil("applications", t.Applications),
		noNil("service_principals", t.ServicePrincipals), noNil("role_assignments", t.RoleAssignments),
		noNil("app_role_grants", t.AppRoleGrants), noNil("delegated_grants", t.Grants),
		noNil("inbound_connectors", t.Exchange.Inbound), noNil("outbound_connectors", t.Exchange.Outbound),
		noNil("transport_rules", t.Exchange.Rules), noNil("dynamic_lists", t.Exchange.DynamicLists)); err != nil {
		return err
	}
	upns := make(map[string]bool, len(t.People))
	for i, p := range t.People {
		if err := add("users", i, p.ID); err != nil {
			return err
		}
		if p.UserPrincipalName == "" || upns[lower(p.UserPrincipalName)] {
			return fmt.Errorf("users[%d]: upn %q: want one that occurs once", i, p.UserPrincipalName)
		}
		upns[lower(p.UserPrincipalName)] = true
	}
	for i, g := range t.Groups {
		if err := add("groups", i, g.ID); err != nil {
			return err
		}
	}
	for i, c := range t.Contacts {
		if err := add("contacts", i, c.ID); err != nil {
			return err
		}
	}
	for i, a := range t.Applications {
		if err := errors.Join(add("applications", i, a.ID), noNil("secrets", a.Secrets)); err != nil {
			return err
		}
	}
	for i, s := range t.ServicePrincipals {
		if err := add("service_principals", i, s.ID); err != nil {
			return err
		}
	}
	return nil
}

func noNil[T any](where string, list []*T) error {
	for i, e := range list {
		if e == nil {
			return fmt.Errorf("%s[%d] is null: leave it out or write an object", where, i)
		}
	}
	return nil
}

func validID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range id {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// Secrets returns every secret value in the world: application secrets, keys of the Azure sync, local passwords.
// Worlds that this package generates give each a value that begins with CANARY-, so that a scan can look for them. It
// takes the read lock.
func (w *World) Secrets() []string {
	w.RLock()
	defer w.RUnlock()
	seen := map[string]bool{}
	var out []string
	add := func(s string) {
		if s != "" && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	for _, t := range w.Tenants {
		for _, a := range t.Applications {
			for _, s := range a.Secrets {
				add(s.Value)
			}
		}
	}
	for _, o := range w.Organizations {
		if o.Azure != nil {
			add(o.Azure.ADKey)
		}
		for _, u := range o.Users {
			add(u.Password)
		}
	}
	return out
}

// Credentials are what a client needs to work in the world as the MSP does.
type Credentials struct {
	EssentialsUser     string `json:"essentials_user"` // primary address of an admin account
	EssentialsPassword string `json:"-"`
	TenantID           string `json:"tenant_id"` // the application's home tenant
	ClientID           string `json:"client_id"`
	ClientSecret       string `json:"-"`
}

// Credentials returns the identities that the world names for clients, with the secret values looked up where they
// live; fields the world does not know are "". It takes the read lock.
func (w *World) Credentials() Credentials {
	w.RLock()
	defer w.RUnlock()
	c := w.Automation
	if a, err := mail.ParseAddress(c.EssentialsUser); err == nil {
		if o := w.Organization(a.Address[strings.LastIndexByte(a.Address, '@')+1:]); o != nil && o.User(a.Address) != nil {
			c.EssentialsPassword = o.User(a.Address).Password
		}
	}
	if _, a := w.HomeOf(c.ClientID); a != nil {
		for _, s := range a.Secrets {
			if w.Clock.Before(s.End) {
				c.ClientSecret = s.Value
			}
		}
	}
	return c
}
