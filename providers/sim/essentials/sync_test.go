package essentials

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

// syncFixture is fixture with everything of the sync switched on and a directory that agrees with the accounts, so that
// a row of the decision table changes one thing.
func syncFixture() (*world.World, *world.Organization, *world.Tenant) {
	w := fixture()
	o, d := w.Organization("contoso.example"), w.Tenants[0]
	o.Azure = &world.AzureSync{
		PrimaryDomain: "contoso.example", ApplicationID: "app-sync", ADKey: "the value", DefaultRole: "silent_user",
		SyncUsers: true, SyncDistGroups: true, SyncSecGroups: true, AddUsers: true, UpdateUsers: true, RemoveUsers: true,
		AddGroups: true, UpdateGroups: true, RemoveGroups: true,
	}
	o.SyncedUIDs = map[int]string{}
	for _, u := range o.Users {
		if u.Type == functionalAccount {
			continue // made by hand
		}
		p := entra(u.PrimaryEmail, u.Aliases...)
		p.GivenName, p.Surname = u.FirstName, u.Surname
		w.AddPerson(d, p)
		o.SyncedUIDs[u.UID] = p.ID
	}
	return w, o, d
}

// entra is an enabled directory user with a mailbox.
func entra(address string, aliases ...string) *world.DirectoryUser {
	p := &world.DirectoryUser{ID: "id-" + address, UserPrincipalName: address, DisplayName: address, GivenName: "Given", Surname: "Sur",
		Mail: address, ProxyAddresses: []string{"SMTP:" + address, "SIP:" + address}, Enabled: true, MailboxKind: "UserMailbox"}
	for _, a := range aliases {
		p.ProxyAddresses = append(p.ProxyAddresses, "smtp:"+a)
	}
	return p
}

func entraGroup(address string, security bool) *world.Group {
	return &world.Group{ID: "id-" + address, DisplayName: "Group", Mail: address, MailEnabled: true, SecurityEnabled: security,
		ProxyAddresses: []string{"SMTP:" + address}}
}

// summary is a report in one line: "+a ~b -c x:d" for adding, updating, disabling, deleting; "=e" exempt; "?f:reason"
// skipped; "!g" errors.
func summary(r SyncReport) string {
	var out []string
	for _, l := range []struct {
		mark  string
		items []string
	}{{"+", r.Adding}, {"~", r.Updating}, {"-", r.Disabling}, {"x", r.Deleting}, {"=", r.Exempt}} {
		for _, a := range l.items {
			out = append(out, l.mark+strings.TrimSuffix(a, "@contoso.example"))
		}
	}
	for _, s := range r.Skipped {
		out = append(out, "?"+strings.TrimSuffix(s.Identifier, "@contoso.example")+":"+s.Reason)
	}
	for _, s := range r.Errors {
		out = append(out, "!"+strings.TrimSuffix(s.Identifier, "@contoso.example"))
	}
	if r.Status != "ok" {
		out = append(out, r.Status)
	}
	return strings.Join(out, " ")
}

// TestSyncDecisions has one row for each line of the decision table, and its twins.
func TestSyncDecisions(t *testing.T) {
	type f = func(*world.World, *world.Organization, *world.Tenant)
	rows := []struct {
		name string
		set  f
		mode SyncMode // "" is apply
		want string
	}{
		{"nothing to do", func(*world.World, *world.Organization, *world.Tenant) {}, "", ""},
		{"no proxyAddresses (R31)", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			p := entra("new@contoso.example")
			p.ProxyAddresses = nil
			w.AddPerson(d, p)
		}, "", "?new:no_proxy_address"},
		{"a synced account whose addresses vanish counts as gone (R31, R25)", func(_ *world.World, _ *world.Organization, d *world.Tenant) {
			d.Person(person).ProxyAddresses = nil
		}, "", "xalice ?alice:no_proxy_address"},
		{"foreign primary domain, scheduled (R33)", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			w.AddPerson(d, entra("new@elsewhere.example"))
		}, SyncScheduled, "?new@elsewhere.example:foreign_domain"},
		{"unknown tenant domain, scheduled (R33)", func(w *world.World, o *world.Organization, d *world.Tenant) {
			d.Domains = append(d.Domains, &world.EntraDomain{Name: "more.example", Verified: true})
			w.AddPerson(d, entra("new@more.example"))
			w.AddPerson(d, entra("other@contoso.example"))
		}, SyncScheduled, "+other ?new@more.example:foreign_domain"},
		{"unknown tenant domain, manual run fails (R34)", func(w *world.World, o *world.Organization, d *world.Tenant) {
			d.Domains = append(d.Domains, &world.EntraDomain{Name: "more.example", Verified: true})
			w.AddPerson(d, entra("other@contoso.example"))
		}, "", "failed"},
		{"unknown tenant domain, preview fails (R34)", func(_ *world.World, _ *world.Organization, d *world.Tenant) {
			d.Domains = append(d.Domains, &world.EntraDomain{Name: "more.example", Verified: true})
		}, SyncPreview, "failed"},
		{"a management domain satisfies the manual run (R35)", func(w *world.World, o *world.Organization, d *world.Tenant) {
			d.Domains = append(d.Domains, &world.EntraDomain{Name: "more.example", Verified: true})
			w.AddDomain(o, &world.Domain{Name: "more.example"})
		}, "", ""},
		{"an unverified tenant domain does not count", func(_ *world.World, _ *world.Organization, d *world.Tenant) {
			d.Domains = append(d.Domains, &world.EntraDomain{Name: "more.example"})
		}, "", ""},
		{"initial domain unknown", func(w *world.World, o *world.Organization, _ *world.Tenant) {
			w.RemoveDomain(o, "contoso.onmicrosoft.example")
		}, "", "failed"},
		{"initial domain ignored by switch", func(w *world.World, o *world.Organization, _ *world.Tenant) {
			w.RemoveDomain(o, "contoso.onmicrosoft.example")
			w.Switches.ManualSyncIgnoresInitialDomain = true
		}, "", ""},
		{"exempt, new in the directory", func(w *world.World, o *world.Organization, d *world.Tenant) {
			o.Exemptions = []string{"new@contoso.example"}
			w.AddPerson(d, entra("new@contoso.example"))
		}, "", "=new"},
		{"exempt, changed and disabled in the directory", func(_ *world.World, o *world.Organization, d *world.Tenant) {
			o.Exemptions = []string{person}
			p := d.Person(person)
			p.GivenName, p.Enabled = "Other", false
		}, "", "=alice"},
		{"exempt, gone from the directory", func(w *world.World, o *world.Organization, d *world.Tenant) {
			o.Exemptions = []string{person}
			w.DeletePerson(d, d.Person(person), true)
		}, "", "=alice"},
		{"exempt by the account's address, renamed in the directory", func(_ *world.World, o *world.Organization, d *world.Tenant) {
			o.Exemptions = []string{person}
			d.Person(person).ProxyAddresses = []string{"SMTP:alicia@contoso.example"}
		}, "", "=alice"},
		{"new user (R21)", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			w.AddPerson(d, entra("new@contoso.example"))
		}, "", "+new"},
		{"new user, add off", func(w *world.World, o *world.Organization, d *world.Tenant) {
			o.Azure.AddUsers = false
			w.AddPerson(d, entra("new@contoso.example"))
		}, "", ""},
		{"new user, active users off", func(w *world.World, o *world.Organization, d *world.Tenant) {
			o.Azure.SyncUsers = false
			w.AddPerson(d, entra("new@contoso.example"))
		}, "", ""},
		{"changed name (R22)", func(_ *world.World, _ *world.Organization, d *world.Tenant) { d.Person(person).Surname = "Other" }, "", "~alice"},
		{"changed name, update off", func(_ *world.World, o *world.Organization, d *world.Tenant) {
			o.Azure.UpdateUsers = false
			d.Person(person).Surname = "Other"
		}, "", ""},
		{"new alias", func(_ *world.World, _ *world.Organization, d *world.Tenant) {
			p := d.Person(person)
			p.ProxyAddresses = append(p.ProxyAddresses, "smtp:ally@contoso.example")
		}, "", "~alice"},
		{"new alias on a foreign domain", func(_ *world.World, _ *world.Organization, d *world.Tenant) {
			p := d.Person(person)
			p.ProxyAddresses = append(p.ProxyAddresses, "smtp:ally@elsewhere.example")
		}, "", ""},
		{"renamed", func(_ *world.World, _ *world.Organization, d *world.Tenant) {
			d.Person(person).ProxyAddresses = []string{"SMTP:alicia@contoso.example", "smtp:alice@contoso.example", "smtp:al@contoso.example"}
		}, "", "~alice"},
		{"sign-in blocked (R32)", func(_ *world.World, _ *world.Organization, d *world.Tenant) { d.Person(person).Enabled = false }, "", "-alice"},
		{"sign-in blocked, update off", func(_ *world.World, o *world.Organization, d *world.Tenant) {
			o.Azure.UpdateUsers = false
			d.Person(person).Enabled = false
		}, "", ""},
		{"hand-deactivated, sign-in allowed", func(_ *world.World, o *world.Organization, _ *world.Tenant) { o.User(person).IsActive = false }, "", "~alice"},
		{"gone (R25)", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			w.DeletePerson(d, d.Person(person), false)
		}, "", "xalice"},
		{"gone, remove off", func(w *world.World, o *world.Organization, d *world.Tenant) {
			o.Azure.RemoveUsers = false
			w.DeletePerson(d, d.Person(person), false)
		}, "", ""},
		{"hand-made user not in the directory", func(w *world.World, o *world.Organization, _ *world.Tenant) {
			o.AddUser(&world.User{UID: 77, PrimaryEmail: "hand@contoso.example", Type: "end_user", IsActive: true})
		}, "", ""},
		{"hand-made user, by switch", func(w *world.World, o *world.Organization, _ *world.Tenant) {
			w.Switches.HandMadeDeletedBySync = true
			o.AddUser(&world.User{UID: 77, PrimaryEmail: "hand@contoso.example", Type: "end_user", IsActive: true})
			o.Exemptions = []string{"info@contoso.example"}
		}, "", "xhand =info"},
		{"hand-made administrator, by switch", func(w *world.World, o *world.Organization, d *world.Tenant) {
			w.Switches.HandMadeDeletedBySync = true
			w.DeletePerson(d, d.Person(admin), true)
			delete(o.SyncedUIDs, o.User(admin).UID)
		}, "", "xinfo"},
		{"shared mailbox (R38)", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			p := entra("desk@contoso.example")
			p.Enabled, p.Licensed, p.MailboxKind = false, false, "SharedMailbox"
			w.AddPerson(d, p)
		}, "", "+desk"},
		{"functional account with a user's address (R40)", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			w.AddPerson(d, entra("info@contoso.example"))
		}, "", "+info xinfo"},
		{"converted leaver, not exempt (R40)", func(_ *world.World, o *world.Organization, _ *world.Tenant) {
			o.User(person).Type = functionalAccount
		}, "", "+alice xalice"},
		{"converted leaver, exempt (R39)", func(_ *world.World, o *world.Organization, _ *world.Tenant) {
			o.User(person).Type = functionalAccount
			o.Exemptions = []string{person}
		}, "", "=alice"},
		{"functional account with a user's address, remove off", func(w *world.World, o *world.Organization, d *world.Tenant) {
			o.Azure.RemoveUsers = false
			w.AddPerson(d, entra("info@contoso.example"))
		}, "", ""},
		{"functional account with a user's address, add off", func(w *world.World, o *world.Organization, d *world.Tenant) {
			o.Azure.AddUsers = false
			w.AddPerson(d, entra("info@contoso.example"))
		}, "", ""},
		{"address was somebody's alias", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			d.Person(person).ProxyAddresses = []string{"SMTP:" + person}
			w.AddPerson(d, entra("al@contoso.example"))
		}, "", "+al ~alice"},
		{"address is somebody's alias and stays so", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			w.AddPerson(d, entra("al@contoso.example"))
		}, "", "!al"},
		{"alias is another account", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			w.AddPerson(d, entra("new@contoso.example", "info@contoso.example"))
		}, "", "+new !info"},
		{"address of a leaver goes to a newcomer in one run", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			w.DeletePerson(d, d.Person(person), true)
			w.AddPerson(d, entra("new@contoso.example", "alice@contoso.example", "al@contoso.example"))
		}, "", "+new xalice"},
		{"aliases swap in one run", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			d.Person(person).ProxyAddresses = []string{"SMTP:" + person}
			d.Person(admin).ProxyAddresses = []string{"SMTP:" + admin, "smtp:al@contoso.example"}
		}, "", "~alice ~it"},
		{"hand-made user is linked by address", func(_ *world.World, o *world.Organization, _ *world.Tenant) {
			delete(o.SyncedUIDs, o.User(person).UID)
		}, "", ""},
		{"two accounts of one object: the older is its own (inferred)", func(_ *world.World, o *world.Organization, d *world.Tenant) {
			o.SyncedUIDs[o.User("info@contoso.example").UID] = d.Person(person).ID
			o.Azure.RemoveUsers, o.Azure.RemoveGroups, d.Person(person).Surname = false, false, "Changed"
		}, "", "~alice"},
		{"two accounts of one object, the newer", func(w *world.World, o *world.Organization, d *world.Tenant) {
			w.Switches.SyncLastFirst = true
			o.SyncedUIDs[o.User("info@contoso.example").UID] = d.Person(person).ID
			o.Azure.RemoveUsers, o.Azure.RemoveGroups, d.Person(person).Surname = false, false, "Changed"
		}, "", ""}, // a functional account, which stays one (R40)
		{"distribution group (R23)", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			w.AddGroup(d, entraGroup("sales@contoso.example", false))
		}, "", "+sales"},
		{"distribution group, switch off (R20)", func(w *world.World, o *world.Organization, d *world.Tenant) {
			o.Azure.SyncDistGroups = false
			w.AddGroup(d, entraGroup("sales@contoso.example", false))
		}, "", ""},
		{"distribution group, add off", func(w *world.World, o *world.Organization, d *world.Tenant) {
			o.Azure.AddGroups = false
			w.AddGroup(d, entraGroup("sales@contoso.example", false))
		}, "", ""},
		{"mail-enabled security group", func(w *world.World, o *world.Organization, d *world.Tenant) {
			o.Azure.SyncDistGroups = false
			w.AddGroup(d, entraGroup("ops@contoso.example", true))
		}, "", "+ops"},
		{"mail-enabled security group, switch off", func(w *world.World, o *world.Organization, d *world.Tenant) {
			o.Azure.SyncSecGroups = false
			w.AddGroup(d, entraGroup("ops@contoso.example", true))
		}, "", ""},
		{"security group without mail", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			w.AddGroup(d, &world.Group{ID: "id-vpn", DisplayName: "VPN", SecurityEnabled: true})
		}, "", ""},
		{"Microsoft 365 group", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			g := entraGroup("team@contoso.example", false)
			g.GroupTypes = []string{"Unified"}
			w.AddGroup(d, g)
		}, "", "?team:m365_group"},
		{"dynamic list (R37)", func(_ *world.World, _ *world.Organization, d *world.Tenant) {
			d.Exchange.DynamicLists = []*world.DynamicList{{GUID: "g", Name: "All", Primary: "all@contoso.example"}}
		}, "", "?all:dynamic_group"},
		{"renamed group (R24)", func(w *world.World, o *world.Organization, d *world.Tenant) {
			w.AddGroup(d, entraGroup("info@contoso.example", false))
		}, "", "~info"},
		{"renamed group, update off", func(w *world.World, o *world.Organization, d *world.Tenant) {
			o.Azure.UpdateGroups = false
			w.AddGroup(d, entraGroup("info@contoso.example", false))
		}, "", ""},
		{"group gone (R26)", func(_ *world.World, o *world.Organization, _ *world.Tenant) {
			o.SyncedUIDs[o.User("info@contoso.example").UID] = "id-former-group"
		}, "", "xinfo"},
		{"group gone, remove off", func(_ *world.World, o *world.Organization, _ *world.Tenant) {
			o.Azure.RemoveGroups = false
			o.SyncedUIDs[o.User("info@contoso.example").UID] = "id-former-group"
		}, "", ""},
		{"group at a user's address", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			g := entraGroup(person, false)
			g.ID = "id-group"
			w.AddGroup(d, g)
		}, "", "!alice"},
		{"seats exceeded, capping on", func(w *world.World, o *world.Organization, d *world.Tenant) {
			o.UserCapping, o.Licenses = true, 4
			w.AddPerson(d, entra("n1@contoso.example"))
			w.AddPerson(d, entra("n2@contoso.example"))
		}, "", "+n1 !n2"},
		{"seats exceeded, capping off", func(w *world.World, o *world.Organization, d *world.Tenant) {
			o.Licenses = 4
			w.AddPerson(d, entra("n1@contoso.example"))
			w.AddPerson(d, entra("n2@contoso.example"))
		}, "", "+n1 +n2"},
		{"a seat that this run frees", func(w *world.World, o *world.Organization, d *world.Tenant) {
			o.UserCapping, o.Licenses = true, 3
			w.DeletePerson(d, d.Person(person), true)
			w.AddPerson(d, entra("n1@contoso.example"))
		}, "", "+n1 xalice"},
		{"guest", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			p := entra("guest@elsewhere.example")
			p.UserType = "Guest"
			w.AddPerson(d, p)
		}, "", "?guest@elsewhere.example:foreign_domain"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			w, o, d := syncFixture()
			r.set(w, o, d)
			mode := r.mode
			if mode == "" {
				mode = SyncApply
				// A preview says the same and changes nothing (R41).
				before := fmt.Sprintf("%+v", dump(o))
				if got := summary(Sync(w, o, SyncPreview, nil)); got != r.want {
					t.Errorf("preview: %q, want %q", got, r.want)
				}
				if after := fmt.Sprintf("%+v", dump(o)); after != before {
					t.Errorf("the preview changed the organization:\n%s\n%s", before, after)
				}
			}
			got := Sync(w, o, mode, nil)
			if summary(got) != r.want {
				t.Fatalf("%q, want %q (%s)", summary(got), r.want, got.Error)
			}
			if got.Status != "ok" || mode == SyncPreview {
				return
			}
			// What was done is done: the next run repeats skips, exemptions and errors only.
			again := Sync(w, o, mode, nil)
			if n := len(again.Adding) + len(again.Updating) + len(again.Disabling) + len(again.Deleting); n > 0 {
				t.Errorf("the second run still has changes: %q", summary(again))
			}
			consistent(t, o)
		})
	}
}

func dump(o *world.Organization) []world.User {
	var out []world.User
	for _, u := range o.Users {
		out = append(out, *u)
	}
	return out
}

// consistent checks that every address has one owner, that the list is sorted and the look-ups agree.
func consistent(t *testing.T, o *world.Organization) {
	t.Helper()
	owners := map[string]string{}
	last := ""
	for _, u := range o.Users {
		if u.PrimaryEmail <= last {
			t.Errorf("%s is out of order", u.PrimaryEmail)
		}
		last = u.PrimaryEmail
		for _, a := range append([]string{u.PrimaryEmail}, u.Aliases...) {
			if other := owners[a]; other != "" {
				t.Errorf("%s belongs to %s and %s", a, other, u.PrimaryEmail)
			}
			owners[a] = u.PrimaryEmail
			if o.User(a) != u {
				t.Errorf("look-up of %s does not find %s", a, u.PrimaryEmail)
			}
		}
	}
}

func TestSyncResult(t *testing.T) {
	w, o, d := syncFixture()
	o.User(person).Allow, o.User(person).Type = []string{"friend@x.example"}, "organization_admin"
	p := d.Person(person)
	p.Surname = "Other"
	n := entra("new@contoso.example", "n@contoso.example", "n@elsewhere.example")
	n.GivenName, n.Surname, n.DisplayName = "", "", "New One"
	w.AddPerson(d, n)
	shared := entra("desk@contoso.example")
	shared.Enabled = false
	w.AddPerson(d, shared)
	w.AddGroup(d, entraGroup("sales@contoso.example", false))
	Sync(w, o, SyncApply, nil)

	alice := o.User(person)
	if alice.Surname != "Other" || alice.Type != "organization_admin" || !slices.Equal(alice.Allow, []string{"friend@x.example"}) {
		t.Errorf("an update keeps role and sender lists: %+v", alice)
	}
	u := o.User("new@contoso.example")
	if u == nil || u.Type != "silent_user" || !u.IsActive || u.FirstName != "New One" || !slices.Equal(u.Aliases, []string{"n@contoso.example"}) || u.UID < 1000 {
		t.Errorf("new user: %+v", u)
	}
	if u := o.User("desk@contoso.example"); u == nil || u.IsActive {
		t.Errorf("shared mailbox: %+v", u)
	}
	if u := o.User("sales@contoso.example"); u == nil || u.Type != functionalAccount || !u.IsActive || u.FirstName != "Group" {
		t.Errorf("group: %+v", u)
	}
	// Links survive a rename and are forgotten with the account.
	if o.SyncedUIDs[u.UID] != n.ID {
		t.Errorf("link of the new user: %q", o.SyncedUIDs[u.UID])
	}
}

func TestSyncUncheck(t *testing.T) {
	w, o, d := syncFixture()
	w.AddPerson(d, entra("n1@contoso.example"))
	w.AddPerson(d, entra("n2@contoso.example"))
	w.AddPerson(d, entra("info@contoso.example"))
	w.DeletePerson(d, d.Person(person), true)
	got := summary(Sync(w, o, SyncApply, []string{"N1@contoso.example", "info@contoso.example", person}))
	if got != "+n2" {
		t.Errorf("%q, want +n2", got)
	}
	if o.User(person) == nil || o.User("info@contoso.example").Type != functionalAccount {
		t.Error("an unticked deletion was carried out")
	}
}

func TestSyncConnection(t *testing.T) {
	type f = func(*world.World, *world.Organization, *world.Tenant)
	rows := []struct {
		name string
		set  f
		want string // part of the error, "" for success
	}{
		{"fine", func(*world.World, *world.Organization, *world.Tenant) {}, ""},
		{"not configured", func(_ *world.World, o *world.Organization, _ *world.Tenant) { o.Azure = nil }, "not configured"},
		{"organization inactive", func(_ *world.World, o *world.Organization, _ *world.Tenant) { o.IsActive = false }, "not active"},
		{"second source (R4)", func(_ *world.World, o *world.Organization, _ *world.Tenant) { o.LDAP = &world.LDAP{} }, "R4"},
		{"no such directory", func(_ *world.World, o *world.Organization, _ *world.Tenant) { o.Azure.PrimaryDomain = "x.example" }, "AADSTS90002"},
		{"GCC High (R2)", func(_ *world.World, _ *world.Organization, d *world.Tenant) { d.RegionSubScope = "DODCON" }, "R2"},
		{"GCC", func(_ *world.World, _ *world.Organization, d *world.Tenant) { d.RegionSubScope = "GCC" }, ""},
		{"application deleted", func(_ *world.World, _ *world.Organization, d *world.Tenant) { d.RemoveApplication(d.Applications[0]) }, "AADSTS700016"},
		{"principal deleted", func(_ *world.World, _ *world.Organization, d *world.Tenant) {
			d.RemoveServicePrincipal(d.ServicePrincipal("sp-sync"))
		}, "AADSTS700016"},
		{"principal disabled", func(_ *world.World, _ *world.Organization, d *world.Tenant) {
			d.ServicePrincipal("sp-sync").Enabled = false
		}, "AADSTS7000112"},
		{"secret id instead of value (R11)", func(_ *world.World, o *world.Organization, _ *world.Tenant) { o.Azure.ADKey = "key" }, "AADSTS7000215"},
		{"secret expired (R12)", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			d.Applications[0].Secrets[0].End = w.Clock
		}, "AADSTS7000222"},
		{"secret valid for one more second", func(w *world.World, _ *world.Organization, d *world.Tenant) {
			d.Applications[0].Secrets[0].End = w.Clock.Add(time.Second)
		}, ""},
		{"consent missing (R10)", func(_ *world.World, _ *world.Organization, d *world.Tenant) { d.AppRoleGrants = nil }, "Authorization_RequestDenied"},
	}
	for _, mode := range []SyncMode{SyncApply, SyncScheduled} {
		for _, r := range rows {
			t.Run(string(mode)+"/"+r.name, func(t *testing.T) {
				w, o, d := syncFixture()
				w.AddPerson(d, entra("new@contoso.example"))
				o.Azure.ConnectionGreen = true
				r.set(w, o, d)
				got := Sync(w, o, mode, nil)
				if (r.want == "") != (got.Status == "ok") || !strings.Contains(got.Error, r.want) {
					t.Fatalf("%s %q, want %q", got.Status, got.Error, r.want)
				}
				if failed := r.want != ""; failed == (o.User("new@contoso.example") != nil) {
					t.Error("accounts changed in a failed run, or not in a good one")
				}
				if o.Azure != nil && o.Azure.ConnectionGreen == (r.want != "") {
					t.Errorf("connection green is %v", o.Azure.ConnectionGreen)
				}
				if o.Azure != nil && (o.Azure.LastSync == nil) == (r.want == "") {
					t.Errorf("last sync is %v", o.Azure.LastSync)
				}
			})
		}
	}
}

func TestTick(t *testing.T) {
	type f = func(*world.World, *world.Organization, *world.Tenant)
	at := func(d time.Duration) time.Time { return noon.Add(d) } // noon is 12:30
	rows := []struct {
		name  string
		set   f
		step  time.Duration
		added bool
		last  time.Time // zero: no run
		freq  int
	}{
		{"never", func(_ *world.World, o *world.Organization, _ *world.Tenant) { o.Azure.Frequency = 0 }, 48 * time.Hour, false, time.Time{}, 0},
		{"not yet due", nil, 29 * time.Minute, false, time.Time{}, 1},
		{"due", nil, 30 * time.Minute, true, at(30 * time.Minute), 1},
		{"several due", nil, 5 * time.Hour, true, at(4*time.Hour + 30*time.Minute), 1},
		{"six hours, not yet", func(_ *world.World, o *world.Organization, _ *world.Tenant) { o.Azure.Frequency = 6 }, 5 * time.Hour, false, time.Time{}, 6},
		{"six hours", func(_ *world.World, o *world.Organization, _ *world.Tenant) { o.Azure.Frequency = 6 }, 6 * time.Hour, true, at(5*time.Hour + 30*time.Minute), 6},
		{"a day", func(_ *world.World, o *world.Organization, _ *world.Tenant) { o.Azure.Frequency = 24 }, 12 * time.Hour, true, at(11*time.Hour + 30*time.Minute), 24},
		{"manual time stamp only", func(w *world.World, _ *world.Organization, _ *world.Tenant) { w.Switches.LastSyncManualOnly = true }, 5 * time.Hour, true, time.Time{}, 1},
		{"inactive organization", func(_ *world.World, o *world.Organization, _ *world.Tenant) { o.IsActive = false }, 5 * time.Hour, false, time.Time{}, 1},
		{"secret expired before", func(_ *world.World, _ *world.Organization, d *world.Tenant) {
			d.Applications[0].Secrets[0].End = noon
		}, 5 * time.Hour, false, time.Time{}, 1},
		{"secret expires on the way", func(_ *world.World, _ *world.Organization, d *world.Tenant) {
			d.Applications[0].Secrets[0].End = at(90 * time.Minute) // 14:00: the run at that hour fails
		}, 5 * time.Hour, true, at(30 * time.Minute), 1},
		{"secret expires between runs", func(_ *world.World, _ *world.Organization, d *world.Tenant) {
			d.Applications[0].Secrets[0].End = at(100 * time.Minute)
		}, 5 * time.Hour, true, at(90 * time.Minute), 1},
		{"secret starts on the way", func(_ *world.World, _ *world.Organization, d *world.Tenant) {
			d.Applications[0].Secrets[0].Start = at(100 * time.Minute)
		}, 5 * time.Hour, true, at(4*time.Hour + 30*time.Minute), 1},
		{"with a tech contact the frequency stays (R28)", nil, 30 * 24 * time.Hour, true, at(30*24*time.Hour - 30*time.Minute), 1},
		{"without one it goes to Never (R28)", func(_ *world.World, o *world.Organization, _ *world.Tenant) { o.TechContact = "" }, 30 * 24 * time.Hour, true, at(7*24*time.Hour - 30*time.Minute), 0},
		{"without one, a day before (R28)", func(_ *world.World, o *world.Organization, _ *world.Tenant) { o.TechContact = "" }, 6 * 24 * time.Hour, true, at(6*24*time.Hour - 30*time.Minute), 1},
		{"days by switch", func(w *world.World, o *world.Organization, _ *world.Tenant) {
			o.TechContact, w.Switches.FrequencyResetDays = "", 2
		}, 3 * 24 * time.Hour, true, at(2*24*time.Hour - 30*time.Minute), 0},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			w, o, d := syncFixture()
			o.Azure.Frequency = 1
			w.AddPerson(d, entra("new@contoso.example"))
			if r.set != nil {
				r.set(w, o, d)
			}
			from := w.Clock
			to, err := w.Advance(r.step)
			if err != nil {
				t.Fatal(err)
			}
			Tick(w, from, to)
			if (o.User("new@contoso.example") != nil) != r.added {
				t.Errorf("added: %v, want %v", !r.added, r.added)
			}
			var last time.Time
			if o.Azure.LastSync != nil {
				last = *o.Azure.LastSync
			}
			if !last.Equal(r.last) || o.Azure.Frequency != r.freq {
				t.Errorf("last sync %s, want %s; frequency %d, want %d", last, r.last, o.Azure.Frequency, r.freq)
			}
			if o.Azure.ConnectionGreen {
				t.Error("a scheduled run does not turn the status green (R48)")
			}
		})
	}
}

// TestTickInSteps: the seven days of R28 run over many small moves of the clock as over one.
func TestTickInSteps(t *testing.T) {
	w, o, _ := syncFixture()
	o.Azure.Frequency, o.TechContact = 24, ""
	for day := 1; day <= 7; day++ {
		if o.Azure.Frequency != 24 {
			t.Fatalf("reset after %d days", day-1)
		}
		from := w.Clock
		to, err := w.Advance(24 * time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if day == 3 { // a contact in between starts the count anew
			o.TechContact = "x@msp.example"
			Tick(w, from, to)
			o.TechContact = ""
			continue
		}
		Tick(w, from, to)
	}
	if o.Azure.Frequency != 24 {
		t.Error("the count was not started anew")
	}
	from := w.Clock
	to, err := w.Advance(4 * 24 * time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	Tick(w, from, to)
	if o.Azure.Frequency != 0 {
		t.Error("not reset")
	}
}

func TestControl(t *testing.T) {
	w, o, d := syncFixture()
	h := New(w)
	w.AddPerson(d, entra("new@contoso.example"))
	rows := []struct {
		call
		status int
		want   string
	}{
		{call{"", "POST", "/_sim/orgs/contoso.onmicrosoft.example/azure/sync", `{"mode":"preview"}`}, 200, `{"status":"ok","adding":["new@contoso.example"],"deleting":[],"skipped":[]}`},
		{call{"", "POST", "/_sim/orgs/contoso.example/azure/sync", `{"mode":"apply","uncheck":["new@contoso.example"]}`}, 200, `{"adding":[]}`},
		{call{"", "GET", "/_sim/route?to=new@contoso.example", ""}, 200, `{"accepted":false,"reason":"unknown_address"}`},
		{call{"", "POST", "/_sim/orgs/contoso.example/azure/sync", `{"mode":"apply"}`}, 200, `{"adding":["new@contoso.example"]}`},
		{call{"", "GET", "/_sim/route?to=New@contoso.example", ""}, 200, `{"accepted":true,"account":"new@contoso.example","account_type":"silent_user","destination":"mx.contoso.example","at_gateway":true}`},
		{call{"", "POST", "/_sim/orgs/contoso.example/azure/sync", `{"mode":"now"}`}, 400, ``},
		{call{"", "POST", "/_sim/orgs/contoso.example/azure/sync", `{}`}, 422, ``},
		{call{"", "POST", "/_sim/orgs/unknown.example/azure/sync", `{"mode":"apply"}`}, 404, ``},
		{call{"", "GET", "/_sim/route?to=nobody", ""}, 422, ``},
		{call{"", "GET", "/_sim/nothing", ""}, 501, ``},
	}
	for _, r := range rows {
		expect(t, h, r.call, r.status, r.want)
	}
	// Settings that did not come through the API show the expiry of their secret all the same.
	expect(t, h, call{admin, "GET", contoso + "/settings/azure", ""}, 200, `{"ad_key":"****","secret_expiry":"2027-05-02","last_successful_sync":"2026-11-02 12:30:00"}`)
	if !o.Azure.ConnectionGreen {
		t.Error("a manual run turns the status green (R48)")
	}
}

func TestRoute(t *testing.T) {
	type f = func(*world.World, *world.Organization)
	rows := []struct {
		name, to string
		set      f
		accepted bool
		reason   string
		account  string
	}{
		{"user", person, nil, true, "", person},
		{"alias", "AL@contoso.example", nil, true, "", person},
		{"functional account", "info@contoso.example", nil, true, "", "info@contoso.example"},
		{"unknown address", "x@contoso.example", nil, false, "unknown_address", ""},
		{"discovery", "x@contoso.example", func(_ *world.World, o *world.Organization) { o.Features["smtp_discovery"] = true }, true, "smtp_discovery", ""},
		{"inactive account (R32)", person, func(_ *world.World, o *world.Organization) { o.User(person).IsActive = false }, false, "account_inactive", person},
		{"unknown domain", "x@nowhere.example", nil, false, "unknown_domain", ""},
		{"management domain", "x@contoso.onmicrosoft.example", nil, false, "not_relayed", ""},
		{"inactive domain", person, func(_ *world.World, o *world.Organization) { o.Domains[0].IsActive = false }, false, "domain_inactive", person},
		{"inactive organization", person, func(_ *world.World, o *world.Organization) { o.IsActive = false }, false, "organization_inactive", person},
		{"new domain (R46)", person, func(w *world.World, o *world.Organization) {
			o.RoutableAt = map[string]time.Time{"contoso.example": w.Clock.Add(time.Minute)}
		}, false, "not_routable_yet", person},
		{"sixty minutes later (R46)", person, func(w *world.World, o *world.Organization) {
			o.RoutableAt = map[string]time.Time{"contoso.example": w.Clock}
		}, true, "", person},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			w := fixture()
			if r.set != nil {
				r.set(w, w.Organization("contoso.example"))
			}
			got, err := Route(w, r.to)
			if err != nil {
				t.Fatal(err)
			}
			if got.Accepted != r.accepted || got.Reason != r.reason || got.Account != r.account || (got.Destination != "") != r.accepted {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestNewDomainRoutesLater goes through the API: a domain that is added routes after sixty minutes (R46).
func TestNewDomainRoutesLater(t *testing.T) {
	w := fixture()
	h := New(w)
	expect(t, h, call{admin, "POST", contoso + "/domains", `{"name":"shop.example","is_active":true,"is_relay":true,"destination":"mx.shop.example"}`}, 201, "")
	expect(t, h, call{admin, "POST", contoso + "/users", `{"primary_email":"a@shop.example"}`}, 201, "")
	expect(t, h, call{"", "GET", "/_sim/route?to=a@shop.example", ""}, 200, `{"accepted":false,"reason":"not_routable_yet"}`)
	if _, err := w.Advance(59 * time.Minute); err != nil {
		t.Fatal(err)
	}
	expect(t, h, call{"", "GET", "/_sim/route?to=a@shop.example", ""}, 200, `{"accepted":false}`)
	if _, err := w.Advance(time.Minute); err != nil {
		t.Fatal(err)
	}
	expect(t, h, call{"", "GET", "/_sim/route?to=a@shop.example", ""}, 200, `{"accepted":true,"destination":"mx.shop.example"}`)
}
