package essentials

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

var organizationTypes = []string{"oem_partner", "strategic_partner", "channel", "organization"}

// organization is the wire form. Both spellings of the sender lists are returned: the description names one as
// deprecated, and clients still read it.
type organization struct {
	PrimaryDomain  string   `json:"primary_domain"`
	Name           string   `json:"name"`
	EID            int      `json:"eid"`
	Hierarchy      []string `json:"organization_hierarchy"`
	Type           string   `json:"type"`
	IsActive       bool     `json:"is_active"`
	Package        string   `json:"licensing_package"`
	BeginnerPlus   bool     `json:"is_beginner_plus"`
	BeginnerPlusOn bool     `json:"is_beginner_plus_enabled"`
	Trial          bool     `json:"is_on_trial"`
	UserLicenses   any      `json:"user_licenses"`
	ActiveUsers    any      `json:"active_users"`
	WhenRenewal    string   `json:"when_renewal"`
	WWW            string   `json:"www"`
	Address        string   `json:"address"`
	Postcode       string   `json:"postcode"`
	State          string   `json:"stateprov"`
	Country        string   `json:"country"`
	Phone          string   `json:"phone"`
	ExternalID     string   `json:"external_id"`
	Domains        []domain `json:"domains"`
	Outgoing       []string `json:"outgoing_servers"`
	Safe           []string `json:"safe_list_senders"`
	Block          []string `json:"block_list_senders"`
	White          []string `json:"white_list_senders"`
	Black          []string `json:"black_list_senders"`
	LDAPURL        string   `json:"ldap_url"`
	LDAPUsername   string   `json:"ldap_username"`
	LDAPBaseDN     string   `json:"ldap_basedn"`
	SMTPDiscovery  bool     `json:"is_smtp_discovery_enabled"`
	TemplateID     *int     `json:"account_template_id"`
	SendWelcome    bool     `json:"send_welcome_email"`
	Odin           string   `json:"odin_capabilities"`
	BillingMethod  string   `json:"billing_method"`
	Deployment     string   `json:"deployment_method"`
	Configuration  string   `json:"configuration_type"`
}

func wireOrganization(w *world.World, o *world.Organization) organization {
	discovery, _ := o.Features["smtp_discovery"].(bool)
	out := organization{
		PrimaryDomain: o.PrimaryDomain, Name: o.Name, EID: o.EID, Hierarchy: hierarchy(w, o), Type: o.Type,
		IsActive: o.IsActive, Package: o.Package, BeginnerPlus: o.BeginnerPlus, BeginnerPlusOn: o.BeginnerPlus,
		Trial: o.Trial, UserLicenses: count(w, o.Licenses), ActiveUsers: count(w, activeUsers(o)), WhenRenewal: o.Renewal,
		WWW: o.WWW, Address: o.Address, Postcode: o.Postcode, State: o.State, Country: o.Country, Phone: o.Phone, ExternalID: o.ExternalID,
		Domains: wireDomains(o), Outgoing: list(o.Outgoing),
		Safe: list(o.Allow), Block: list(o.Block), White: list(o.Allow), Black: list(o.Block),
		SMTPDiscovery: discovery, SendWelcome: o.SendWelcome,
		Odin: "none", BillingMethod: "Annual", Deployment: "mx_record", Configuration: "manual",
	}
	if o.LDAP != nil {
		out.LDAPURL, out.LDAPUsername, out.LDAPBaseDN = o.LDAP.URL, o.LDAP.Username, o.LDAP.BaseDN
	}
	return out
}

// hierarchy is the organization itself, then its ancestors, each "<eid> : '<name>'".
func hierarchy(w *world.World, o *world.Organization) []string {
	var out []string
	for range 16 {
		if o == nil {
			break
		}
		out = append(out, fmt.Sprintf("%d : '%s'", o.EID, o.Name))
		o = w.OrganizationByEID(o.Parent)
	}
	return out
}

// count is a number, or a digit string when the world says that counts arrive so.
func count(w *world.World, n int) any {
	if w.Switches.CountsAsStrings {
		return strconv.Itoa(n)
	}
	return n
}

// list makes a nil list an empty one: the API has no null lists.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// activeUsers counts the accounts that take a seat: active, billable, and no functional account.
func activeUsers(o *world.Organization) int {
	n := 0
	for _, u := range o.Users {
		if takesSeat(u) {
			n++
		}
	}
	return n
}

func takesSeat(u *world.User) bool { return u.IsActive && u.IsBillable && u.Type != functionalAccount }

func getOrganization(rq *request) (answer, error) {
	return answer{http.StatusOK, wireOrganization(rq.w, rq.org)}, nil
}

func listOrganizations(rq *request) (answer, error) {
	out := []organization{}
	if !rq.w.Switches.OrgsWithoutParent {
		out = append(out, wireOrganization(rq.w, rq.org))
	}
	for _, o := range rq.w.Children(rq.org.EID) {
		out = append(out, wireOrganization(rq.w, o))
	}
	if rq.w.Switches.BareLists {
		return answer{http.StatusOK, out}, nil
	}
	return answer{http.StatusOK, map[string]any{"orgs": out}}, nil
}

func createOrganizations(rq *request) (answer, error) {
	if rq.org.Type == "organization" || !isPartnerAdmin(rq.caller.Type) {
		return answer{}, fail(http.StatusForbidden, rq.org.PrimaryDomain, "not authorized: only a partner has customer organizations")
	}
	return createBatch(rq, "orgs", func(f *fields) (any, error) {
		o, err := rq.newOrganization(f)
		if err != nil {
			return nil, err
		}
		return wireOrganization(rq.w, o), nil
	})
}

// newOrganization validates and creates one child of the addressed organization.
func (rq *request) newOrganization(f *fields) (*world.Organization, error) {
	o := &world.Organization{
		Type: "organization", IsActive: true, Package: "business", Stack: rq.org.Stack, Parent: rq.org.EID,
		Renewal: rq.w.Clock.AddDate(1, 0, 0).Format("2006/01/02"),
		Login:   world.Login{Local: true, Azure: true},
	}
	f.str("primary_domain", &o.PrimaryDomain)
	o.PrimaryDomain = strings.ToLower(o.PrimaryDomain)
	f.id = o.PrimaryDomain
	f.str("name", &o.Name)
	f.enum("type", &o.Type, organizationTypes...)
	f.boolean("is_active", &o.IsActive)
	f.enum("licensing_package", &o.Package, packages...)
	f.boolean("is_beginner_plus", &o.BeginnerPlus)
	f.boolean("is_on_trial", &o.Trial)
	hasLicenses := f.number("user_licenses", &o.Licenses)
	f.str("when_renewal", &o.Renewal)
	contact(f, o)
	var templateID string
	if f.has("account_template_id") {
		f.fail(invalid(f.id, "account_template_id: the simulator has no account templates"))
	}
	f.str("account_template_id", &templateID)
	f.str("external_id", &o.ExternalID)
	f.boolean("send_welcome_email", &o.SendWelcome)
	f.list("outgoing_servers", &o.Outgoing)
	senders(f, &o.Allow, &o.Block)
	smtpDiscovery := true
	f.boolean("is_smtp_discovery_enabled", &smtpDiscovery)
	admin := f.object("admin_user")
	domainList, hasDomains := f.take("domains")
	if err := f.done(); err != nil {
		return nil, err
	}
	switch {
	case !validDomain(o.PrimaryDomain):
		return nil, invalid(f.id, "primary_domain is required and must be a domain name")
	case strings.TrimSpace(o.Name) == "":
		return nil, invalid(f.id, "name is required")
	case !hasLicenses:
		return nil, invalid(f.id, "user_licenses is required")
	case o.Licenses < 0:
		return nil, invalid(f.id, "user_licenses must not be negative")
	case admin == nil:
		return nil, invalid(f.id, "admin_user is required")
	case !hasDomains:
		return nil, invalid(f.id, "domains is required")
	case slices.Index(organizationTypes, o.Type) <= slices.Index(organizationTypes, rq.org.Type):
		return nil, invalid(f.id, "a %s cannot have a %s below it", rq.org.Type, o.Type)
	case (o.Country == "US" || o.Country == "CA") && o.State == "":
		return nil, invalid(f.id, "stateprov is required when country is %s", o.Country)
	}
	if _, err := time.Parse("2006/01/02", o.Renewal); err != nil {
		return nil, invalid(f.id, "when_renewal must be YYYY/MM/DD")
	}
	objects, isList, err := decodeObjects(domainList)
	if err != nil || !isList || len(objects) == 0 {
		return nil, invalid(f.id, "domains must be a list of at least one domain object")
	}
	o.Features = defaultFeatures(o.Package)
	o.Features["smtp_discovery"] = smtpDiscovery
	routableAt := rq.w.Clock.Add(routingDelay)
	o.RoutableAt = map[string]time.Time{}
	for _, object := range objects {
		d := &world.Domain{}
		if err := rq.decodeDomain(object, d, true); err != nil {
			return nil, err
		}
		if o.Domain(d.Name) != nil {
			return nil, conflict(d.Name, "the domain is named twice")
		}
		o.Domains = append(o.Domains, d)
		o.RoutableAt[d.Name] = routableAt
	}
	if o.Domain(o.PrimaryDomain) == nil {
		return nil, invalid(f.id, "primary_domain must be one of domains")
	}
	u := &world.User{Type: adminOf(o.Type), IsActive: true, IsBillable: true}
	if err := rq.decodeUser(admin, o, nil, u); err != nil {
		return nil, err
	}
	if !isAdmin(u.Type) {
		return nil, invalid(u.PrimaryEmail, "admin_user must be an administrator, not %s", u.Type)
	}
	o.EID = rq.w.NewEID()
	for _, d := range o.Domains {
		d.Verification = rq.w.VerificationCode(d.Name)
	}
	u.UID = rq.w.NewUID()
	o.Users = []*world.User{u}
	rq.w.AddOrganization(o)
	return o, nil
}

// contact reads the descriptive fields.
func contact(f *fields, o *world.Organization) {
	f.str("www", &o.WWW)
	f.str("address", &o.Address)
	f.str("postcode", &o.Postcode)
	f.str("stateprov", &o.State)
	if f.str("country", &o.Country) && o.Country != "" && len(o.Country) != 2 {
		f.fail(invalid(f.id, "country must be a two-letter code"))
	}
	f.str("phone", &o.Phone)
}

// patchOrganization changes the fields named. The description of 2023 has is_active alone; later summaries speak of "one
// or more supported fields", so the descriptive ones are taken too unless the switch says otherwise (inferred).
func patchOrganization(rq *request) (answer, error) {
	f, err := decodeObject(rq.body)
	if err != nil {
		return answer{}, err
	}
	changed := *rq.org
	f.id = changed.PrimaryDomain
	f.boolean("is_active", &changed.IsActive)
	if !rq.w.Switches.PatchOrganizationActiveOnly {
		f.str("name", &changed.Name)
		contact(f, &changed)
		f.boolean("send_welcome_email", &changed.SendWelcome)
	}
	if err := f.done(); err != nil {
		return answer{}, err
	}
	if len(f.raw) == 0 {
		return answer{}, invalid(f.id, "the body names no field")
	}
	if strings.TrimSpace(changed.Name) == "" {
		return answer{}, invalid(f.id, "name must not be empty")
	}
	*rq.org = changed
	return noContent, nil
}

// deleteOrganization refuses the caller's own organization and one that has customers (inferred).
func deleteOrganization(rq *request) (answer, error) {
	if rq.org == rq.home {
		return answer{}, fail(http.StatusForbidden, rq.org.PrimaryDomain, "not authorized: an organization cannot delete itself")
	}
	if n := len(rq.w.Children(rq.org.EID)); n > 0 {
		return answer{}, conflict(rq.org.PrimaryDomain, "the organization has %d organizations below it", n)
	}
	rq.w.RemoveOrganization(rq.org)
	return noContent, nil
}

// createBatch runs create over the body: one object answers 201 with the object, a list answers 207 with the successes
// under name and the failures under errors.
func createBatch(rq *request, name string, create func(*fields) (any, error)) (answer, error) {
	objects, isList, err := decodeObjects(rq.body)
	if err != nil {
		return answer{}, err
	}
	if !isList {
		created, err := create(objects[0])
		if err != nil {
			return answer{}, err
		}
		return answer{http.StatusCreated, created}, nil
	}
	if limit := rq.w.Switches.BatchLimit; limit > 0 && len(objects) > limit {
		return answer{}, invalid("", "a list may have at most %d elements, this one has %d", limit, len(objects))
	}
	if len(objects) == 0 {
		return answer{}, invalid("", "the list is empty")
	}
	created, failures := []any{}, []any{}
	for _, f := range objects {
		c, err := create(f)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		created = append(created, c)
	}
	status := http.StatusMultiStatus
	if len(failures) == 0 && rq.w.Switches.BatchCreated201 {
		status = http.StatusCreated
	}
	body := map[string]any{name: created}
	if len(failures) > 0 {
		body["errors"] = failures
	}
	return answer{status, body}, nil
}

// adminOf is the administrator type that belongs to an organization type.
func adminOf(organizationType string) string { return organizationType + "_admin" }
