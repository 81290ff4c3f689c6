package essentials

import (
	"net/http"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

const functionalAccount = "functional_account"

var userTypes = []string{"oem_partner_admin", "strategic_partner_admin", "channel_admin", "organization_admin", "end_user",
	"silent_user", functionalAccount}

// user is the wire form, functional accounts included. Both spellings of the sender lists are returned.
type user struct {
	UID      int      `json:"uid"`
	Primary  string   `json:"primary_email"`
	IsActive bool     `json:"is_active"`
	Type     string   `json:"type"`
	First    string   `json:"firstname"`
	Surname  string   `json:"surname"`
	Aliases  []string `json:"alias_emails"`
	Safe     []string `json:"safe_list_senders"`
	Block    []string `json:"block_list_senders"`
	White    []string `json:"white_list_senders"`
	Black    []string `json:"black_list_senders"`
	Billable bool     `json:"is_billable"`
	Odin     odin     `json:"odin_settings"`
	ReadOnly bool     `json:"read_only_user"`
}

type odin struct {
	CanImpersonate bool `json:"can_impersonate"`
	IsImitable     bool `json:"is_imitable"`
}

func wireUser(u *world.User) user {
	return user{
		UID: u.UID, Primary: u.PrimaryEmail, IsActive: u.IsActive, Type: u.Type, First: u.FirstName, Surname: u.Surname,
		Aliases: list(u.Aliases), Safe: list(u.Allow), Block: list(u.Block), White: list(u.Allow), Black: list(u.Block),
		Billable: u.IsBillable, Odin: odin{u.CanImpersonate, u.IsImitable}, ReadOnly: u.ReadOnly,
	}
}

// account is the user {user} of the addressed organization. The path names the primary address.
func (rq *request) account() (*world.User, error) {
	address := rq.params["user"]
	u := rq.org.User(address)
	if u == nil || !strings.EqualFold(u.PrimaryEmail, address) && !rq.w.Switches.UserByAlias {
		return nil, notFound("user", address)
	}
	return u, nil
}

func listUsers(rq *request) (answer, error) {
	out := make([]user, len(rq.org.Users))
	for i, u := range rq.org.Users {
		out[i] = wireUser(u)
	}
	return answer{http.StatusOK, map[string]any{"users": out}}, nil
}

func getUser(rq *request) (answer, error) {
	u, err := rq.account()
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, wireUser(u)}, nil
}

func createUsers(rq *request) (answer, error) {
	seats := newSeats(rq.org)
	return createBatch(rq, "users", func(f *fields) (any, error) {
		u := &world.User{Type: "end_user", IsActive: true, IsBillable: true}
		if err := rq.decodeUser(f, rq.org, nil, u); err != nil {
			return nil, err
		}
		if err := seats.take(nil, u); err != nil {
			return nil, err
		}
		u.UID = rq.w.NewUID()
		rq.org.AddUser(u)
		return wireUser(u), nil
	})
}

// updateUser overlays the fields that were sent: seen in clients, of which some send the whole user and some three
// fields. Lists that are sent replace (inferred). Another primary_email renames (inferred).
func updateUser(rq *request) (answer, error) {
	u, err := rq.account()
	if err != nil {
		return answer{}, err
	}
	f, err := decodeObject(rq.body)
	if err != nil {
		return answer{}, err
	}
	changed := *u
	if err := rq.decodeUser(f, rq.org, u, &changed); err != nil {
		return answer{}, err
	}
	if err := newSeats(rq.org).take(u, &changed); err != nil {
		return answer{}, err
	}
	replaceUser(rq.org, u, changed)
	return noContent, nil
}

// replaceUser writes changed over u and keeps the look-ups right. It leaves the sorted list alone when no address
// changed.
func replaceUser(o *world.Organization, u *world.User, changed world.User) {
	aliases, primary := changed.Aliases, changed.PrimaryEmail
	if !slices.Equal(u.Aliases, aliases) {
		o.SetAliases(u, aliases)
	}
	if u.PrimaryEmail != primary {
		o.RenameUser(u, primary)
	}
	*u = changed
}

func deleteUser(rq *request) (answer, error) {
	u, err := rq.account()
	if err != nil {
		return answer{}, err
	}
	if u == rq.caller {
		return answer{}, fail(http.StatusForbidden, u.PrimaryEmail, "not authorized: an account cannot delete itself") // inferred
	}
	delete(rq.org.SyncedUIDs, u.UID)
	rq.org.RemoveUser(u.PrimaryEmail)
	return noContent, nil
}

// decodeUser reads a user over u, which holds the present values on an update, and checks it against the organization.
// present is the account that u is to replace, nil on creation.
func (rq *request) decodeUser(f *fields, o *world.Organization, present, u *world.User) error {
	before := u.PrimaryEmail
	f.str("primary_email", &u.PrimaryEmail)
	f.id = strings.ToLower(u.PrimaryEmail)
	f.readOnlyInt("uid", u.UID)
	f.boolean("is_active", &u.IsActive)
	f.enum("type", &u.Type, userTypes...)
	f.str("firstname", &u.FirstName)
	f.str("surname", &u.Surname)
	aliasesSent := f.list("alias_emails", &u.Aliases)
	senders(f, &u.Allow, &u.Block)
	f.boolean("is_billable", &u.IsBillable)
	f.boolean("read_only_user", &u.ReadOnly)
	var welcome bool
	f.boolean("send_welcome_email", &welcome) // no mail leaves the simulator
	if settings := f.object("odin_settings"); settings != nil {
		settings.boolean("can_impersonate", &u.CanImpersonate)
		settings.boolean("is_imitable", &u.IsImitable)
		if err := settings.done(); err != nil {
			f.fail(err)
		}
	}
	// "Not included in GET response and not supported in POST": the vendor's description.
	if present == nil && f.has("password") {
		f.fail(invalid(f.id, "password is not supported in POST; set it with PUT"))
	}
	f.str("password", &u.Password)
	if err := f.done(); err != nil {
		return err
	}
	if isPartnerAdmin(u.Type) && u.Type != adminOf(o.Type) {
		return invalid(f.id, "a %s cannot have a %s", o.Type, u.Type)
	}
	address, err := rq.freeAddress(o, present, u.PrimaryEmail)
	if err != nil {
		return err
	}
	u.PrimaryEmail = address
	if err := rq.decodeAliases(o, present, u, aliasesSent, !strings.EqualFold(before, address)); err != nil {
		return err
	}
	if !u.IsBillable && (present == nil || present.IsBillable) {
		if i := slices.IndexFunc(o.Users, func(e *world.User) bool { return !e.IsBillable && e != present }); i >= 0 {
			return invalid(f.id, "only one user of an organization can be non-billable, and %s is", o.Users[i].PrimaryEmail)
		}
	}
	return nil
}

// freeAddress normalises an address that is about to be given to present (nil: a new account), and checks that it lies
// under a domain of the organization and that nobody else has it.
func (rq *request) freeAddress(o *world.Organization, present *world.User, s string) (string, error) {
	address, domain, ok := addressOf(s)
	if !ok {
		return "", invalid(strings.ToLower(s), "%q is no e-mail address", s)
	}
	owner := o.User(address)
	if owner != nil && owner == present {
		return address, nil
	}
	if o.Domain(domain) == nil {
		if other := rq.w.Organization(domain); other != nil && other != o {
			return "", conflict(address, "the domain %s belongs to another organization", domain)
		}
		return "", invalid(address, "the domain %s is not registered with this organization", domain)
	}
	if owner != nil {
		return "", conflict(address, "the address is already in use by %s", owner.PrimaryEmail)
	}
	return address, nil
}

func (rq *request) decodeAliases(o *world.Organization, present, u *world.User, sent, renamed bool) error {
	if !sent {
		if renamed { // an alias that became the primary address is no alias any more
			u.Aliases = slices.DeleteFunc(slices.Clone(u.Aliases), func(a string) bool { return strings.EqualFold(a, u.PrimaryEmail) })
		}
		return nil
	}
	aliases := make([]string, 0, len(u.Aliases))
	for _, a := range u.Aliases {
		address, err := rq.freeAddress(o, present, a)
		if err != nil {
			return err
		}
		if address == u.PrimaryEmail {
			return invalid(u.PrimaryEmail, "alias_emails must not repeat the primary address")
		}
		if !slices.Contains(aliases, address) {
			aliases = append(aliases, address)
		}
	}
	u.Aliases = aliases
	return nil
}

// seats enforces user capping: when on, no account may take a seat beyond those bought. The count is taken once a
// request, and only when capping is on.
type seats struct {
	org  *world.Organization
	used int
}

func newSeats(o *world.Organization) *seats {
	s := &seats{org: o}
	if o.UserCapping {
		s.used = activeUsers(o)
	}
	return s
}

// take accounts for before (nil: none) becoming after, and refuses it when no seat is left.
func (s *seats) take(before, after *world.User) error {
	if !s.org.UserCapping || !takesSeat(after) || before != nil && takesSeat(before) {
		return nil
	}
	if s.used >= s.org.Licenses {
		return invalid(after.PrimaryEmail, "user capping: all %d licenses are in use", s.org.Licenses)
	}
	s.used++
	return nil
}
