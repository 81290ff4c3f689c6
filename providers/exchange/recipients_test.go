package exchange

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

func personID(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }

// crowd adds n people: every tenth a shared mailbox, the last a room.
func crowd(n int) func(*world.World, *world.Tenant) {
	return func(_ *world.World, tenant *world.Tenant) {
		for i := range n {
			kind := "UserMailbox"
			switch {
			case i == n-1:
				kind = "RoomMailbox"
			case i%10 == 0:
				kind = "SharedMailbox"
			}
			address := fmt.Sprintf("p%d@contoso.example", i)
			tenant.People = append(tenant.People, &world.DirectoryUser{ID: personID(i), UserPrincipalName: address, DisplayName: address, Mail: address,
				ProxyAddresses: []string{"SMTP:" + address}, Enabled: true, MailboxKind: kind, Created: start})
		}
	}
}

func TestRecipients(t *testing.T) {
	kinds := []string{"UserMailbox", "SharedMailbox", "RoomMailbox", "EquipmentMailbox", "SchedulingMailbox", "DiscoveryMailbox", "GuestMailUser", ""}
	s := newService(t, func(_ *world.World, tenant *world.Tenant) {
		for i, kind := range kinds {
			address := fmt.Sprintf("u%d@contoso.example", i)
			tenant.People = append(tenant.People, &world.DirectoryUser{ID: personID(i), UserPrincipalName: address, DisplayName: address, Mail: address,
				ProxyAddresses: []string{"SMTP:" + address}, MailboxKind: kind, Created: start})
		}
		tenant.Exchange.DynamicLists = []*world.DynamicList{
			{GUID: "DDDDDDDD-0000-4000-8000-000000000002", Name: "Warehouse", Primary: "warehouse@contoso.example", Addresses: []string{"smtp:old@contoso.example", "SMTP:Warehouse@contoso.example", "X500:/o=x"}},
			{GUID: "dddddddd-0000-4000-8000-000000000001", Name: "Everyone", Primary: "Everyone@contoso.example"},
		}
	})
	got, dynamic, err := s.client.Recipients(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]directory.Kind{personID(0): directory.User, personID(1): directory.SharedMailbox, personID(2): directory.Room,
		personID(3): directory.Equipment, personID(4): directory.SharedMailbox, personID(5): directory.UnknownKind}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("kinds %v, want %v", got, want)
	}
	wantDynamic := []*directory.Entry{
		{ObjectID: "exchange:dddddddd-0000-4000-8000-000000000001", Kind: directory.DynamicDistributionGroup, Address: "everyone@contoso.example", Enabled: true, HasProxy: true, Name: "Everyone"},
		{ObjectID: "exchange:dddddddd-0000-4000-8000-000000000002", Kind: directory.DynamicDistributionGroup, Address: "warehouse@contoso.example",
			Aliases: []string{"old@contoso.example"}, Enabled: true, HasProxy: true, Name: "Warehouse"},
	}
	if len(dynamic) != 2 || !reflect.DeepEqual(*dynamic[0], *wantDynamic[0]) || !reflect.DeepEqual(*dynamic[1], *wantDynamic[1]) {
		for _, e := range dynamic {
			t.Errorf("dynamic group %+v", *e)
		}
	}
}

// TestIncompleteRecipients: a list that is spoilt in whatever way is unknown. The twin without fault is complete.
func TestIncompleteRecipients(t *testing.T) {
	keep := func(n int) *int { return &n }
	for name, row := range map[string]struct {
		rule *sim.Rule
		good bool
	}{
		"no fault":          {nil, true},
		"ends early":        {&sim.Rule{Operation: "Get-Mailbox", Action: sim.Action{LastPage: 1}}, false},
		"loses its last":    {&sim.Rule{Operation: "Get-Mailbox", Action: sim.Action{KeepItems: keep(999)}}, false},
		"only one spoilt":   {&sim.Rule{Operation: "Get-Mailbox", After: 3, Action: sim.Action{KeepItems: keep(3)}}, false},
		"repeats a page":    {&sim.Rule{Operation: "Get-Mailbox", Action: sim.Action{RepeatPage: 1}}, false},
		"empty":             {&sim.Rule{Operation: "Get-Mailbox", Action: sim.Action{EmptyList: true}}, false},
		"error as success":  {&sim.Rule{Operation: "Get-DynamicDistributionGroup", Action: sim.Action{ErrorWith200: true}}, false},
		"broken":            {&sim.Rule{Operation: "Get-DynamicDistributionGroup", Action: sim.Action{Status: 500}}, false},
		"second page fails": {&sim.Rule{Operation: "Get-Mailbox", After: 1, Action: sim.Action{Status: 503}}, false},
		"cut short":         {&sim.Rule{Operation: "Get-Mailbox", Action: sim.Action{TruncateBody: 500}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := simulated(t, crowd(2105))
			if row.rule != nil {
				if err := s.sim.Fault(*row.rule); err != nil {
					t.Fatal(err)
				}
			}
			kinds, dynamic, err := s.client.Recipients(context.Background())
			if row.good {
				if err != nil || len(kinds) != 2105 || kinds[personID(2104)] != directory.Room || kinds[personID(10)] != directory.SharedMailbox {
					t.Errorf("%d kinds, %v", len(kinds), err)
				}
				return
			}
			if !errors.Is(err, resource.ErrUnavailable) || kinds != nil || dynamic != nil {
				t.Errorf("%d kinds, %v", len(kinds), err)
			}
		})
	}
}

// simulation is a service behind the whole simulator, with its faults.
type simulation struct {
	*service
	sim *sim.Server
}

func simulated(t testing.TB, change ...func(*world.World, *world.Tenant)) *simulation {
	t.Helper()
	s := newService(t, change...)
	server, err := sim.Start(sim.Options{World: s.world})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(server.CA())
	s.connect(transport.Options{RootCAs: roots}, server.URLs().Exchange, admin)
	return &simulation{s, server}
}

func TestDisagreement(t *testing.T) {
	type kinds = map[string]directory.Kind
	for _, row := range []struct {
		all, special kinds
		want         string
	}{
		{kinds{"a": directory.User, "b": directory.Room}, kinds{"b": directory.Room}, ""},
		{kinds{"a": directory.User}, kinds{}, ""},
		{kinds{"a": directory.User, "c": directory.UnknownKind}, kinds{}, ""},
		{kinds{"a": directory.User}, kinds{"b": directory.Room}, "b"},
		{kinds{"a": directory.User, "b": directory.Room}, kinds{}, "b"},
		{kinds{"b": directory.User}, kinds{"b": directory.SharedMailbox}, "b"},
	} {
		if got := disagreement(row.all, row.special); got != row.want {
			t.Errorf("%v and %v: %q, want %q", row.all, row.special, got, row.want)
		}
	}
}
