package entra

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/internal/identity"
	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

// entered is the simulator with all its vendors, and a client that signed in through it.
func entered(t *testing.T, w *world.World) (*sim.Server, *Client) {
	t.Helper()
	s, err := sim.Start(sim.Options{World: w, Sleep: func(context.Context, time.Duration) {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	c := w.Credentials()
	credential, err := identity.New(identity.Options{Kind: identity.Secret, TenantID: contoso, ClientID: c.ClientID, Secret: c.ClientSecret,
		Authority: s.URLs().Login, Transport: s.Client(), Simulated: true})
	if err != nil {
		t.Fatal(err)
	}
	client, err := New(Config{BaseURL: s.URLs().Graph + "/v1.0", TenantID: contoso, Now: w.Now, Sleep: noSleep, HTTP: transport.Client(transport.Options{
		Hosts: []string{strings.TrimPrefix(s.URLs().Graph, "https://")}, Base: s.Client().Transport, Gates: &transport.Gates{}, Sleep: noSleep,
		Credential: transport.Bearer(credential, "https://graph.microsoft.com/.default"), Retry: transport.Retry{Attempts: 2},
	})})
	if err != nil {
		t.Fatal(err)
	}
	return s, client
}

func TestReadDirectory(t *testing.T) {
	w := world.Quickstart()
	w.Lock()
	tenant := w.Tenant(contoso)
	w.AddPerson(tenant, &world.DirectoryUser{UserPrincipalName: "ext_other.example#EXT#@contoso.example", DisplayName: "Guest", UserType: "Guest",
		Mail: "ext@other.example", ProxyAddresses: []string{"SMTP:ext@other.example"}, Enabled: true})
	w.AddContact(tenant, &world.Contact{DisplayName: "Partner", Mail: "partner@other.example", ProxyAddresses: []string{"SMTP:Partner@Other.example"}})
	w.Unlock()
	_, client := entered(t, w)
	r, err := client.ReadDirectory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !r.Proof.Complete || r.Proof.Problem != "" || len(r.Proof.Parts) != 4 || r.Proof.Hash == "" || !r.Proof.At.Equal(w.Now()) {
		t.Errorf("proof %+v", r.Proof)
	}
	by := map[string]*directory.Entry{}
	for _, e := range r.Entries {
		by[e.Address] = e
	}
	if !slices.IsSortedFunc(r.Entries, func(a, b *directory.Entry) int { return strings.Compare(a.Address, b.Address) }) {
		t.Error("entries are not sorted")
	}
	tests := []struct {
		address string
		kind    directory.Kind
		enabled bool
		groups  []string
	}{
		{"alice@contoso.example", directory.User, true, []string{"Everyone", "VPN users"}},
		{"bob@contoso.example", directory.User, true, []string{"Everyone", "Sales", "VPN users"}},
		{"leo@contoso.example", directory.User, false, nil},
		{"", directory.User, true, nil},
		{"ext@other.example", directory.Guest, true, nil},
		{"partner@other.example", directory.Contact, true, nil},
		{"sales@contoso.example", directory.DistributionGroup, true, nil},
		{"everyone@contoso.example", directory.Microsoft365Group, true, nil},
	}
	for _, tt := range tests {
		e := by[tt.address]
		if e == nil || e.Kind != tt.kind || e.Enabled != tt.enabled || !slices.Equal(e.Groups, tt.groups) {
			t.Errorf("%s: %+v", tt.address, e)
		}
	}
	alice := by["alice@contoso.example"]
	if alice.GivenName != "Alice" || alice.Department != "Management" || !alice.Licensed || !alice.HasProxy || alice.UPN != "alice@contoso.example" ||
		!slices.Equal(alice.Aliases, []string{"a.archer@contoso.example", "alice@contoso.onmicrosoft.example"}) || alice.Created.IsZero() {
		t.Errorf("alice %+v", alice)
	}
	if by[""].HasProxy {
		t.Error("the entry without addresses has proxy addresses")
	}
	if len(r.Groups) != 3 || len(by["sales@contoso.example"].Members) != 3 {
		t.Errorf("groups %v", r.Groups)
	}
	for _, e := range r.Entries {
		if e.Name == "VPN users" {
			t.Error("a group without mail is an entry")
		}
	}
	if !slices.Equal(r.Domains, []string{"contoso.example", "contoso.onmicrosoft.example"}) {
		t.Errorf("domains %v", r.Domains)
	}
	again, err := client.ReadDirectory(t.Context())
	if err != nil || again.Proof.Hash != r.Proof.Hash {
		t.Errorf("a second read has hash %s, the first %s (%v)", again.Proof.Hash, r.Proof.Hash, err)
	}
}

// TestDoubtfulReads: each fault makes the read incomplete, and without it the same world reads complete.
func TestDoubtfulReads(t *testing.T) {
	w := world.Quickstart()
	s, client := entered(t, w)
	one := 1
	page := sim.Rule{Vendor: sim.Graph, Path: "/v1.0/users", Action: sim.Action{PageSize: 5}}
	tests := []struct {
		name  string
		rule  sim.Rule
		names string // in the problem
		fails bool   // nothing at all is read
	}{
		{"truncated after page 1", sim.Rule{Path: "/v1.0/users", Action: sim.Action{PageSize: 5, LastPage: 1}}, "5 users were read", false},
		{"repeated page", sim.Rule{Path: "/v1.0/users", Action: sim.Action{PageSize: 5, RepeatPage: 1}}, "page 2 came a second time", false},
		{"empty 200", sim.Rule{Path: "/v1.0/users", Action: sim.Action{EmptyList: true}}, "without a single user", false},
		{"count disagrees", sim.Rule{Path: "/v1.0/users*", Action: sim.Action{CountOffset: 1}}, "the directory says it has", false},
		{"error with 200", sim.Rule{Path: "/v1.0/users", Action: sim.Action{ErrorWith200: true}}, "", true},
		{"error on page 2", sim.Rule{Path: "/v1.0/users?*skiptoken*", Action: sim.Action{Status: 500}}, "page 2 could not be read", false},
		{"web page on page 2", sim.Rule{Path: "/v1.0/users?*skiptoken*", Action: sim.Action{Status: 200, Body: "html"}}, "page 2 could not be read", false},
		{"nothing with 200", sim.Rule{Path: "/v1.0/users", Action: sim.Action{Status: 200, Body: "empty"}}, "", true},
		{"another form with 200", sim.Rule{Path: "/v1.0/users", Action: sim.Action{Status: 200, Body: `{"items":[]}`}}, "", true},
		{"another form on page 2", sim.Rule{Path: "/v1.0/users?*skiptoken*", Action: sim.Action{Status: 200, Body: `{"items":[]}`}}, "page 2: the answer has no list", false},
		{"cut body", sim.Rule{Path: "/v1.0/users", Action: sim.Action{TruncateBody: 300}}, "", true},
		{"groups refused", sim.Rule{Path: "/v1.0/groups/delta*", Action: sim.Action{Status: 403}}, "groups: read groups", false},
		{"groups end early", sim.Rule{Path: "/v1.0/groups/delta*", Action: sim.Action{KeepItems: &one}}, "groups: 1 groups were read", false},
		{"no delta link", sim.Rule{Path: "/v1.0/groups/delta*", Action: sim.Action{DeltaToken: "missing"}}, "no delta link", false},
		{"contacts out of order", sim.Rule{Path: "/v1.0/contacts*", Action: sim.Action{Status: 503}}, "contacts: read contacts", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.ClearFaults()
			tt.rule.Vendor = sim.Graph
			rules := []sim.Rule{tt.rule}
			if strings.Contains(tt.rule.Path, "skiptoken") {
				rules = append(rules, page)
			}
			if err := s.Fault(rules...); err != nil {
				t.Fatal(err)
			}
			r, err := client.ReadDirectory(t.Context())
			switch {
			case tt.fails:
				if err == nil || r != nil {
					t.Errorf("read %+v", r.Proof)
				}
				if errors.Is(err, resource.ErrAbsent) {
					t.Errorf("a failed read says that something is absent: %v", err)
				}
			case err != nil:
				t.Errorf("failed: %v", err)
			case r.Proof.Complete || !strings.Contains(r.Proof.Problem, tt.names):
				t.Errorf("complete %v, problem %q", r.Proof.Complete, r.Proof.Problem)
			}
			s.ClearFaults()
			r, err = client.ReadDirectory(t.Context())
			if err != nil || !r.Proof.Complete {
				t.Errorf("without the fault: %v %+v", err, r)
			}
		})
	}
	if err := s.Fault(page); err != nil {
		t.Fatal(err)
	}
	if r, err := client.ReadDirectory(t.Context()); err != nil || !r.Proof.Complete || r.Proof.Parts[0].Pages != 3+2 {
		t.Errorf("small pages: %v %+v", err, r)
	}
	s.ClearFaults()
	if err := s.Fault(sim.Rule{Vendor: sim.Graph, Path: "/v1.0/domains", Action: sim.Action{Status: 500}}); err != nil {
		t.Fatal(err)
	}
	if r, err := client.ReadDirectory(t.Context()); err != nil || !r.Proof.Complete || r.Domains != nil {
		t.Errorf("unreadable domains: %v %+v", err, r)
	}
}

// TestHiddenFields: with too small a permission the fields that decide are null, not refused.
func TestHiddenFields(t *testing.T) {
	v := newVendor(t, world.Quickstart(), "User.ReadBasic.All", "GroupMember.Read.All", "OrgContact.Read.All", "Domain.Read.All")
	_, proof, err := v.client.readUsers(t.Context())
	if err != nil || !strings.Contains(proof.Problem, "hidden") {
		t.Errorf("%v %+v", err, proof)
	}
	// The change query does not even answer to it.
	if _, err = v.client.ReadDirectory(t.Context()); !errors.Is(err, resource.ErrDenied) {
		t.Errorf("%v", err)
	}
	v = newVendor(t, world.Quickstart(), "Domain.Read.All")
	if _, err = v.client.ReadDirectory(t.Context()); !errors.Is(err, resource.ErrDenied) || !strings.Contains(fmt.Sprint(err), "Directory.Read.All") {
		t.Errorf("without permission: %v", err)
	}
}

// TestLargeGroup: a group whose members span pages is put together again.
func TestLargeGroup(t *testing.T) {
	w := world.Quickstart()
	w.Lock()
	tenant := w.Tenant(contoso)
	g := &world.Group{DisplayName: "All hands", Mail: "hands@contoso.example", MailEnabled: true, ProxyAddresses: []string{"SMTP:hands@contoso.example"}}
	for i := range 1200 {
		name := fmt.Sprintf("p%04d@contoso.example", i)
		p := &world.DirectoryUser{UserPrincipalName: name, DisplayName: name, Mail: name, ProxyAddresses: []string{"SMTP:" + name}, Enabled: true, MailboxKind: "UserMailbox"}
		w.AddPerson(tenant, p)
		g.Members = append(g.Members, p.ID)
	}
	w.AddGroup(tenant, g)
	w.Unlock()
	v := newVendor(t, w)
	r, err := v.client.ReadDirectory(t.Context())
	if err != nil || !r.Proof.Complete {
		t.Fatal(err, r)
	}
	for _, e := range r.Groups {
		if e.Name == "All hands" && len(e.Members) != 1200 {
			t.Errorf("%d members", len(e.Members))
		}
	}
	if r.Proof.Parts[0].Objects != 1215 || r.Proof.Parts[0].Pages != 2+2 || r.Proof.Parts[1].Pages < 3 {
		t.Errorf("parts %+v", r.Proof.Parts)
	}
}

func TestConfirm(t *testing.T) {
	w := world.Quickstart()
	s, client := entered(t, w)
	tenant := w.Tenant(contoso)
	w.Lock()
	w.AddContact(tenant, &world.Contact{DisplayName: "Partner", Mail: "partner@other.example", ProxyAddresses: []string{"SMTP:partner@other.example"}})
	leaver, ghost := tenant.Person("leo@contoso.example"), tenant.Person("kate@contoso.example")
	leaverID, ghostID := leaver.ID, ghost.ID
	group, contact, alice := tenant.Groups[0].ID, tenant.Contacts[0].ID, tenant.Person("alice@contoso.example").ID
	w.DeletePerson(tenant, leaver, false)
	w.DeletePerson(tenant, ghost, true)
	w.Unlock()
	tests := []struct {
		name, id string
		present  bool
	}{
		{"user", alice, true}, {"user in capitals", strings.ToUpper(alice), true}, {"group", group, true}, {"contact", contact, true},
		{"deleted", leaverID, false}, {"deleted for good", ghostID, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, present, err := client.Confirm(t.Context(), tt.id)
			if err != nil || present != tt.present || present && !strings.EqualFold(e.ObjectID, tt.id) {
				t.Errorf("%+v %v %v", e, present, err)
			}
		})
	}
	for _, rule := range []sim.Rule{
		{Path: "/v1.0/users/*", Action: sim.Action{Status: 500}},
		{Path: "/v1.0/users/*", Action: sim.Action{Status: 404, Body: "html"}},
		{Path: "/v1.0/users/*", Action: sim.Action{Status: 404, Body: "empty"}},
		{Path: "/v1.0/users/*", Action: sim.Action{Status: 404, Body: "{}"}},
		{Path: "/v1.0/users/*", Action: sim.Action{Status: 404, Body: `{"error":"gone"}`}},
		{Path: "/v1.0/users/*", Action: sim.Action{Status: 200, Body: `{"id":null}`}},
		{Path: "/v1.0/users/*", Action: sim.Action{Status: 403}},
		{Path: "/v1.0/directory/deletedItems/*", Action: sim.Action{Status: 500}},
		{Path: "/v1.0/groups/*", Action: sim.Action{Status: 429, RetryAfter: "1"}},
		{Action: sim.Action{Drop: "after"}},
	} {
		rule.Vendor = sim.Graph
		s.ClearFaults()
		if err := s.Fault(rule); err != nil {
			t.Fatal(err)
		}
		if e, present, err := client.Confirm(t.Context(), leaverID); err == nil || present || errors.Is(err, resource.ErrAbsent) {
			t.Errorf("%s %+v: %+v %v %v", rule.Path, rule.Action, e, present, err)
		}
	}
	s.ClearFaults()
	if _, _, err := client.Confirm(t.Context(), "exchange:11111111-1111-4111-8111-111111111111"); err == nil {
		t.Error("an id of Exchange was confirmed")
	}
}

// TestHiddenMembers: the members of a group with hidden membership read as none without Member.Read.Hidden, which is told
// apart from a group that has none.
func TestHiddenMembers(t *testing.T) {
	for _, row := range []struct {
		name   string
		hidden bool
		empty  bool
		roles  []string
		want   bool
	}{
		{"hidden", true, false, []string{"Directory.Read.All"}, true},
		{"hidden and permitted", true, false, []string{"Directory.Read.All", "Member.Read.Hidden"}, false},
		{"shown", false, false, []string{"Directory.Read.All"}, false},
		{"shown and empty", false, true, []string{"Directory.Read.All"}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := world.Quickstart()
			w.Lock()
			for _, g := range w.Tenant(contoso).Groups {
				if g.DisplayName == "Sales" {
					g.HiddenMembership = row.hidden
					if row.empty {
						g.Members = nil
					}
				}
			}
			w.Unlock()
			r, err := newVendor(t, w, row.roles...).client.ReadDirectory(t.Context())
			if err != nil || !r.Proof.Complete {
				t.Fatalf("%v %+v", err, r)
			}
			found := false
			for _, g := range r.Groups {
				if g.Name != "Sales" {
					if g.MembersHidden {
						t.Errorf("%s hides its members", g.Name)
					}
					continue
				}
				found = true
				if g.MembersHidden != row.want || (len(g.Members) == 0) != (row.want || row.empty) {
					t.Errorf("hidden %v, members %v", g.MembersHidden, g.Members)
				}
			}
			if !found {
				t.Error("no group")
			}
		})
	}
}
