package entra

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

// grouped is contoso with alice in a group within a group, in many more, in one whose membership is hidden, and with a
// directory role. It returns her object id and the inner group's.
func grouped(w *world.World, more int) (alice, inner string) {
	w.Lock()
	defer w.Unlock()
	tn := w.Tenant(contoso)
	alice = tn.Person("alice@contoso.example").ID
	in := &world.Group{DisplayName: "Inner", SecurityEnabled: true, Members: []string{alice}}
	w.AddGroup(tn, in)
	w.AddGroup(tn, &world.Group{DisplayName: "Outer", SecurityEnabled: true, Members: []string{in.ID}})
	w.AddGroup(tn, &world.Group{DisplayName: "Secret", HiddenMembership: true, GroupTypes: []string{"Unified"}, Members: []string{alice}})
	for i := range more {
		w.AddGroup(tn, &world.Group{DisplayName: fmt.Sprintf("Team %04d", i), SecurityEnabled: true, Members: []string{alice}})
	}
	tn.RoleAssignments = append(tn.RoleAssignments, &world.RoleAssignment{ID: "reader", Principal: alice, Role: "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"}) // Directory Readers
	return alice, in.ID
}

// TestMemberships: asked for directly, an object has the groups that a read of the whole directory gives it, however many
// pages they are, and those around them.
func TestMemberships(t *testing.T) {
	w := world.Quickstart()
	alice, inner := grouped(w, 1200)
	v := newVendor(t, w)
	r, err := v.client.ReadDirectory(t.Context())
	if err != nil || !r.Proof.Complete {
		t.Fatal(err, r)
	}
	v.calls = nil
	m, err := v.client.Memberships(t.Context(), strings.ToUpper(alice), directory.User, true)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(v.calls); n != 4 { // two pages of either
		t.Errorf("%d calls: %v", n, v.calls)
	}
	var names, ids []string
	for _, g := range m.Direct {
		names, ids = append(names, g.Name), append(ids, g.ObjectID)
	}
	slices.Sort(names)
	for _, e := range r.Entries {
		if e.ObjectID == alice && (!slices.Equal(slices.Compact(names), e.Groups) || len(names) < 1201) {
			t.Errorf("asked directly %d groups, read %d", len(names), len(e.Groups))
		}
	}
	if slices.Contains(names, "Outer") || slices.Contains(names, "Secret") || !slices.IsSorted(ids) || !slices.IsSorted(m.All) || len(m.All) != len(ids)+1 {
		t.Errorf("%d direct, %d around", len(ids), len(m.All))
	}
	v.calls = nil
	m, err = v.client.Memberships(t.Context(), inner, directory.SecurityGroup, false)
	if err != nil || len(m.Direct) != 1 || m.Direct[0].Name != "Outer" || m.Nested() || len(v.calls) != 1 {
		t.Errorf("%+v %v after %v", m, err, v.calls)
	}
	// A group that is in no other has none, which is an answer.
	outer := m.Direct[0].ObjectID
	if m, err := v.client.Memberships(t.Context(), outer, directory.SecurityGroup, true); err != nil || len(m.Direct) != 0 || !m.Nested() {
		t.Errorf("%+v %v", m, err)
	}
}

// TestMembershipsWithPermissions: what may not be seen is refused, or not told; it is never taken for a group less, but for
// those with hidden membership, which a read of groups does not have either.
func TestMembershipsWithPermissions(t *testing.T) {
	for _, row := range []struct {
		name   string
		roles  []string
		named  bool // the service names groups with hidden membership all the same
		kind   directory.Kind
		secret bool // what is expected of the hidden one
		err    error
		says   string
	}{
		{name: "Directory.Read.All", roles: []string{"Directory.Read.All"}},
		{name: "GroupMember.Read.All", roles: []string{"GroupMember.Read.All"}},
		{name: "Member.Read.Hidden", roles: []string{"Directory.Read.All", "Member.Read.Hidden"}, secret: true},
		{name: "hidden groups named", roles: []string{"Directory.Read.All"}, named: true, secret: true},
		{name: "names hidden", roles: []string{"User.Read.All"}, err: resource.ErrUnavailable, says: "the names of groups are hidden"},
		{name: "refused", roles: []string{"Domain.Read.All"}, err: resource.ErrDenied, says: "GroupMember.Read.All"},
		{name: "refused for a group", roles: []string{"User.Read.All"}, kind: directory.DistributionGroup, err: resource.ErrDenied, says: "GroupMember.Read.All"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := world.Quickstart()
			alice, inner := grouped(w, 0)
			w.Switches.HiddenGroupsNamed = row.named
			id := alice
			if row.kind.IsGroup() {
				id = inner
			}
			m, err := newVendor(t, w, row.roles...).client.Memberships(t.Context(), id, row.kind, true)
			if row.err != nil {
				if !errors.Is(err, row.err) || m != nil || !strings.Contains(fmt.Sprint(err), row.says) {
					t.Errorf("%+v %v", m, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			has := func(name string) bool {
				return slices.ContainsFunc(m.Direct, func(g directory.Membership) bool { return g.Name == name })
			}
			if !has("Inner") || has("Outer") || has("Secret") != row.secret {
				t.Errorf("%+v", m)
			}
		})
	}
}

// TestDoubtfulMemberships: whatever goes wrong is an error, and never a group less.
func TestDoubtfulMemberships(t *testing.T) {
	w := world.Quickstart()
	alice, _ := grouped(w, 3)
	s, client := entered(t, w)
	whole, err := client.Memberships(t.Context(), alice, directory.User, true)
	if err != nil {
		t.Fatal(err)
	}
	// An empty page, and pages of one, are no fault.
	check := func(rules ...sim.Rule) (*directory.Memberships, error) {
		s.ClearFaults()
		for i := range rules {
			rules[i].Vendor = sim.Graph
		}
		if err := s.Fault(rules...); err != nil {
			t.Fatal(err)
		}
		return client.Memberships(t.Context(), alice, directory.User, true)
	}
	paged := sim.Rule{Path: "*emberOf*", Action: sim.Action{PageSize: 1}}
	if m, err := check(paged); err != nil || whole.Differs(m) != "" || m.Differs(whole) != "" {
		t.Errorf("in pages of one: %+v %v", m, err)
	}
	second := func(a sim.Action) []sim.Rule {
		return []sim.Rule{{Path: "*emberOf?*skiptoken*", Action: a}, paged}
	}
	for name, rules := range map[string][]sim.Rule{
		"401":              {{Path: "*/memberOf*", Action: sim.Action{Status: 401}}},
		"403":              {{Path: "*/memberOf*", Action: sim.Action{Status: 403}}},
		"404":              {{Path: "*/memberOf*", Action: sim.Action{Status: 404}}},
		"429":              {{Path: "*/memberOf*", Action: sim.Action{Status: 429, RetryAfter: "1"}}},
		"500":              {{Path: "*/memberOf*", Action: sim.Action{Status: 500}}},
		"page with 200":    {{Path: "*/memberOf*", Action: sim.Action{Status: 200, Body: "html"}}},
		"nothing with 200": {{Path: "*/memberOf*", Action: sim.Action{Status: 200, Body: "empty"}}},
		"error with 200":   {{Path: "*/memberOf*", Action: sim.Action{ErrorWith200: true}}},
		"another form":     {{Path: "*/memberOf*", Action: sim.Action{Status: 200, Body: `{"items":[]}`}}},
		"no type":          {{Path: "*/memberOf*", Action: sim.Action{Status: 200, Body: `{"value":[{"id":"7d1c0000-0000-4000-8000-000000000001","displayName":"x"}]}`}}},
		"no id":            {{Path: "*/memberOf*", Action: sim.Action{Status: 200, Body: `{"value":[{"@odata.type":"#microsoft.graph.group","displayName":"x"}]}`}}},
		"no name":          {{Path: "*/memberOf*", Action: sim.Action{Status: 200, Body: `{"value":[{"@odata.type":"#microsoft.graph.group","id":"7d1c0000-0000-4000-8000-000000000001","displayName":null}]}`}}},
		"broken off":       {{Path: "*/memberOf*", Action: sim.Action{TruncateBody: 60}}},
		"dropped":          {{Path: "*/memberOf*", Action: sim.Action{Drop: "after"}}},
		"around":           {{Path: "*/transitiveMemberOf*", Action: sim.Action{Status: 500}}},
		"page 2 refused":   second(sim.Action{Status: 403}),
		"page 2 away":      second(sim.Action{Status: 500}),
		"page 2 odd":       second(sim.Action{Status: 200, Body: `{"items":[]}`}),
		"page 1 twice":     {{Path: "*emberOf*", Action: sim.Action{PageSize: 1, RepeatPage: 1}}},
	} {
		if m, err := check(rules...); err == nil || m != nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
	if m, err := check(); err != nil || whole.Differs(m) != "" {
		t.Errorf("without the fault: %+v %v", m, err)
	}
	if _, err := client.Memberships(t.Context(), "exchange:11111111-1111-4111-8111-111111111111", directory.User, false); !errors.Is(err, resource.ErrInvalid) {
		t.Errorf("an id of Exchange: %v", err)
	}
	if _, err := client.Memberships(t.Context(), "7d1c0000-0000-4000-8000-000000000001", directory.User, false); !errors.Is(err, resource.ErrAbsent) {
		t.Errorf("nobody: %v", err)
	}
}
