package world

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func save(t *testing.T, w *World) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := w.Save(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func generate(t testing.TB, spec string) *World {
	t.Helper()
	s, err := ParseSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Generate(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWorldsRoundTripAndRepeat(t *testing.T) {
	for name, make := range map[string]func() *World{
		"quickstart": Quickstart, "msp": MSP,
		"generated": func() *World { return generate(t, "tenants=3,users=200,groups=20,seed=7") },
		"onboarded": func() *World { return generate(t, "tenants=3,users=200,groups=20,seed=7,onboarded=true") },
	} {
		t.Run(name, func(t *testing.T) {
			first := save(t, make())
			if !bytes.Equal(first, save(t, make())) {
				t.Error("two runs gave two worlds")
			}
			w, err := Load(bytes.NewReader(first))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first, save(t, w)) {
				t.Error("reading and writing changed the world")
			}
			for _, s := range w.Secrets() {
				if !strings.HasPrefix(s, "CANARY-") {
					t.Errorf("secret %q is no canary", s)
				}
			}
			if c := w.Credentials(); c.ClientSecret == "" || c.EssentialsPassword == "" || c.TenantID == "" {
				t.Errorf("credentials %+v", c)
			}
		})
	}
	if bytes.Equal(save(t, generate(t, "seed=1")), save(t, generate(t, "seed=2"))) {
		t.Error("two seeds gave one world")
	}
}

func TestSaveFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "world.json")
	w := Quickstart()
	for range 2 {
		if err := w.SaveFile(path); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info.Mode(), err)
	}
	back, err := LoadFile(path)
	if err != nil || !bytes.Equal(save(t, w), save(t, back)) {
		t.Fatalf("read back: %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v %v", entries, err)
	}
	if err := w.SaveFile(filepath.Join(path, "impossible")); err == nil {
		t.Error("writing below a file succeeded")
	}
}

func TestLoadRefuses(t *testing.T) {
	const good = `{"format":1,"id":"w","clock":"2026-11-23T08:00:00Z","organizations":[{"eid":1,"primary_domain":"a.example","users":[{"uid":1,"primary_email":"x@a.example"}]}],"tenants":[{"id":"t1"}]}`
	if _, err := Load(strings.NewReader(good)); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	for name, row := range map[string]struct{ old, new, want string }{
		"format":          {`"format":1`, `"format":2`, "format 2"},
		"no format":       {`"format":1,`, ``, "format 0"},
		"unknown field":   {`"id":"w"`, `"id":"w","colour":"red"`, "colour"},
		"bad id":          {`"id":"w"`, `"id":"W orld"`, "a-z"},
		"no clock":        {`"clock":"2026-11-23T08:00:00Z",`, ``, "clock"},
		"trailing":        {`}]}`, `}]} {}`, "follows"},
		"null":            {`[{"id":"t1"}]`, `[null]`, "tenants[0]"},
		"double tenant":   {`[{"id":"t1"}]`, `[{"id":"t1"},{"id":"T1"}]`, "twice"},
		"null user":       {`{"uid":1,"primary_email":"x@a.example"}`, `null`, "users[0]"},
		"double user":     {`{"uid":1,"primary_email":"x@a.example"}`, `{"uid":1,"primary_email":"x@a.example"},{"uid":2,"primary_email":"X@a.example"}`, "twice"},
		"parent":          {`"eid":1`, `"eid":1,"parent":7`, "parent 7"},
		"null group":      {`{"id":"t1"}`, `{"id":"t1","groups":[null]}`, "groups[0]"},
		"upper-case id":   {`{"id":"t1"}`, `{"id":"t1","users":[{"id":"A","upn":"a@a.example"}]}`, "lower-case id"},
		"double upn":      {`{"id":"t1"}`, `{"id":"t1","users":[{"id":"a","upn":"a@a.example"},{"id":"b","upn":"A@a.example"}]}`, "occurs once"},
		"truncated":       {`]}`, `]`, "EOF"},
		"zone upper case": {`"format":1`, `"format":1,"zones":{"A.example":{}}`, "zone"},
	} {
		t.Run(name, func(t *testing.T) {
			i := strings.LastIndex(good, row.old)
			if i < 0 {
				t.Fatal("the row does not fit the document")
			}
			text := good[:i] + row.new + good[i+len(row.old):]
			if _, err := Load(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want %q", err, row.want)
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"format":1,"id":"w","clock":"2026-11-23T08:00:00Z"}`))
	f.Add([]byte(`{"format":1,"id":"w","clock":"2026-11-23T08:00:00Z","tenants":[{"id":"t","users":[{"id":"a","upn":"b"}],"exchange":{"transport_rules":[{"values":null}]}}],"organizations":[{"eid":1,"primary_domain":"a.example","domains":[{"name":"b"}]}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		w, err := Load(bytes.NewReader(raw))
		if err != nil {
			return
		}
		again, err := Load(bytes.NewReader(save(t, w)))
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		if _, err := again.Comparable(); err != nil {
			t.Fatal(err)
		}
		w.Secrets()
		w.Credentials()
	})
}

func FuzzPortal(f *testing.F) {
	f.Add(`{"organization":"northwind.example","user":"ceo@northwind.example","set":{"is_active":false}}`)
	f.Add(`{"tenant":"northwind.example","group":"Board","members":{"add":["ceo@northwind.example"]}}`)
	f.Add(`{"tenant":"northwind.example","rule":"External disclaimer","set":{"Priority":1,"Name":"x"}}`)
	f.Add(`{"zone":"x.example","mx":[{"preference":1,"host":"h"}]}`)
	f.Fuzz(func(t *testing.T, edit string) {
		w := Quickstart()
		_ = w.Portal([]byte(edit)) // it must not fall over, whatever it says
		save(t, w)
	})
}

// day1 is the msp world with its live customer alone.
func day1() *World {
	b := newBuilder("day1")
	b.northwind()
	return b.done()
}

func TestComparable(t *testing.T) {
	plain, err := day1().Comparable()
	if err != nil {
		t.Fatal(err)
	}
	compare := func(name string, change func(*World), equal bool) {
		t.Run(name, func(t *testing.T) {
			w := day1()
			w.Lock()
			change(w)
			w.Unlock()
			got, err := w.Comparable()
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(got, plain) != equal {
				t.Errorf("equal is %v, want %v", !equal, equal)
			}
		})
	}
	const nw = "northwind.example"
	compare("nothing", func(*World) {}, true)
	compare("clock", func(w *World) { w.Clock = w.Clock.Add(time.Hour) }, true)
	compare("revision", func(w *World) { w.Touch() }, true)
	compare("ids used up", func(w *World) { w.NewGUID(); w.NewUID(); w.NewEID() }, true)
	compare("sync marks", func(w *World) { w.Organization(nw).Azure.LastSync = nil }, true)
	compare("made and deleted", func(w *World) {
		tn := w.Tenant(nw)
		p := &DirectoryUser{UserPrincipalName: "x@northwind.example"}
		w.AddPerson(tn, p)
		w.DeletePerson(tn, p, false)
	}, true)
	compare("user made again", func(w *World) {
		o := w.Organization(nw)
		u := *o.User("fax@northwind.example")
		o.RemoveUser(u.PrimaryEmail)
		u.UID = w.NewUID()
		o.AddUser(&u)
	}, true)
	compare("domain made again", func(w *World) {
		o := w.Organization(nw)
		d := *o.Domains[0]
		w.RemoveDomain(o, d.Name)
		w.AddDomain(o, &d)
	}, true)
	compare("feature switched off explicitly", func(w *World) { w.Organization(nw).Features["dlp"] = false }, true)
	compare("user gone", func(w *World) { w.Organization(nw).RemoveUser("fax@northwind.example") }, false)
	compare("user disabled", func(w *World) { w.Organization(nw).User("ceo@northwind.example").IsActive = false }, false)
	compare("feature", func(w *World) { w.Organization(nw).Features["url_defense"] = false }, false)
	compare("frequency", func(w *World) { w.Organization(nw).Azure.Frequency = 0 }, false)
	compare("connector", func(w *World) { w.Tenant(nw).Exchange.Inbound[0].Values["Enabled"] = false }, false)
	compare("rule order", func(w *World) { slices.Reverse(w.Tenant(nw).Exchange.Rules) }, false)
	compare("one more secret", func(w *World) {
		a := w.Tenant(nw).Applications[0]
		a.Secrets = append(a.Secrets, &Secret{KeyID: "k", DisplayName: "weir"})
	}, false)
	compare("consent taken", func(w *World) { w.Tenant(nw).AppRoleGrants = w.Tenant(nw).AppRoleGrants[1:] }, false)
	compare("record", func(w *World) { w.Zones[nw].TXT[nw] = nil }, false)
}

func TestMSPHasEveryAwkwardCase(t *testing.T) {
	w := MSP()
	if len(w.Organizations) != 3 || w.Organization("contoso.example") != nil {
		t.Fatalf("%d organizations", len(w.Organizations))
	}
	for domain, want := range map[string]int{"contoso.example": 15, "fabrikam.example": 1500} {
		if n := len(w.Tenant(domain).People); n != want {
			t.Errorf("%s has %d people, want %d", domain, n, want)
		}
	}
	o, tn := w.Organization("northwind.example"), w.Tenant("northwind.example")
	people, functional := 0, 0
	for _, u := range o.Users {
		if u.Type == "functional_account" {
			functional++
		} else if u.Type != "organization_admin" {
			people++
		}
	}
	if people+1 != northwindAccounts || functional != 7 { // the admin's account is one of the 120
		t.Errorf("%d accounts of people and %d functional accounts", people+1, functional)
	}
	has := func(what string, found bool) {
		t.Helper()
		if !found {
			t.Errorf("there is no %s", what)
		}
	}
	kinds, aliases := map[string]int{}, map[string]int{}
	var noProxy, blocked, escape, nonASCII, guest, html bool
	for _, p := range tn.People {
		kinds[p.MailboxKind]++
		noProxy = noProxy || len(p.ProxyAddresses) == 0
		blocked = blocked || !p.Enabled && p.MailboxKind == "UserMailbox"
		escape = escape || strings.ContainsRune(p.DisplayName, 0x1b)
		html = html || strings.Contains(p.DisplayName, "<script>")
		nonASCII = nonASCII || p.Surname == "Иванов"
		guest = guest || p.UserType == "Guest"
		_, list := addressesOf(p.ProxyAddresses)
		for _, a := range list {
			aliases[a]++
		}
	}
	has("person without proxy addresses", noProxy)
	has("blocked sign-in", blocked)
	has("name with terminal escapes", escape)
	has("name with HTML", html)
	has("name outside ASCII", nonASCII)
	has("guest", guest)
	has("alias of two people", aliases["shared.alias@northwind.example"] == 2)
	for _, k := range []string{"SharedMailbox", "RoomMailbox", "EquipmentMailbox", "GuestMailUser", "UserMailbox"} {
		has(k, kinds[k] > 0)
	}
	has("dynamic list", len(tn.Exchange.DynamicLists) > 0)
	has("domain unknown to Essentials", w.Tenant("nw-labs.example") == tn && o.Domain("nw-labs.example") == nil)
	var nested, mailSecurity, unified, plain bool
	for _, g := range tn.Groups {
		for _, m := range g.Members {
			nested = nested || tn.Group(m) != nil
			if tn.Group(m) == nil && tn.Contact(m) == nil && tn.Person(m) == nil {
				t.Errorf("group %s has an unknown member %s", g.DisplayName, m)
			}
		}
		mailSecurity = mailSecurity || g.MailEnabled && g.SecurityEnabled
		plain = plain || !g.MailEnabled && g.SecurityEnabled
		unified = unified || slices.Contains(g.GroupTypes, "Unified")
	}
	has("nested group", nested)
	has("mail-enabled security group", mailSecurity)
	has("security group", plain)
	has("Microsoft 365 group", unified)
	has("functional account of a directory user that is not exempt", o.User("support@northwind.example").Type == "functional_account" &&
		!slices.Contains(o.Exemptions, "support@northwind.example") && tn.Person("support@northwind.example") != nil)
	has("hosted sync", o.Azure != nil && o.Azure.ADKey != "" && tn.ApplicationByAppID(o.Azure.ApplicationID) != nil)
	for name, list := range map[string][]*ExchangeObject{"Inbound from ProofPoint": tn.Exchange.Inbound, "Proofpoint - Outbound": tn.Exchange.Outbound, "Bypass Spam Filter (PPE)": tn.Exchange.Rules} {
		has(name, slices.ContainsFunc(list, func(e *ExchangeObject) bool { return e.Name == name }))
	}
	for _, tenant := range w.Tenants {
		sp := tenant.ServicePrincipalByAppID(w.Automation.ClientID)
		if sp == nil || len(tenant.RoleAssignments) != 1 || tenant.RoleAssignments[0].Role != ExchangeAdministrator {
			t.Fatalf("%s lacks the automation application", tenant.DisplayName)
		}
		granted := map[string]bool{}
		for _, g := range tenant.AppRoleGrants {
			if g.Principal == sp.ID {
				r := tenant.ServicePrincipal(g.Resource)
				granted[PermissionName(r.AppID, g.AppRole)] = true
			}
		}
		for _, p := range append([]string{"Exchange.ManageAsApp"}, automationPermissions...) {
			if !granted[p] {
				t.Errorf("%s: %s is not consented", tenant.DisplayName, p)
			}
		}
	}
}

func TestGenerateSizes(t *testing.T) {
	for _, row := range []struct {
		spec                        string
		tenants, users, groups, org int
	}{
		{"", 1, 20, 5, 1},
		{"tenants=2,users=15000,groups=300,seed=7", 2, 15000, 300, 1},
		{"tenants=2000,users=3,groups=1", 2000, 3, 1, 1},
		{"tenants=20,users=40,groups=4,onboarded=true", 20, 40, 4, 21},
	} {
		w := generate(t, row.spec)
		if len(w.Tenants) != row.tenants+1 || len(w.Organizations) != row.org {
			t.Errorf("%q: %d tenants, %d organizations", row.spec, len(w.Tenants), len(w.Organizations))
		}
		for _, tn := range w.Tenants {
			if tn.DisplayName == "MSP Example Services" {
				continue
			}
			if len(tn.People) != row.users || len(tn.Groups) != row.groups {
				t.Fatalf("%q: %d people, %d groups", row.spec, len(tn.People), len(tn.Groups))
			}
		}
		if err := w.validate(); err != nil {
			t.Errorf("%q: %v", row.spec, err)
		}
	}
	tn := generate(t, "users=4000,groups=0").Tenant("customer-1.example")
	blocked := 0
	for _, p := range tn.People {
		if !p.Enabled && p.MailboxKind == "UserMailbox" {
			blocked++
		}
	}
	if blocked < 120 || blocked > 280 {
		t.Errorf("%d of 4000 people are blocked, want about 5 %%", blocked)
	}
}

func TestParseSpecRefuses(t *testing.T) {
	for _, s := range []string{"tenants=0", "tenants=x", "users=-1", "colour=red", "tenants=20000,users=500000", "onboarded=perhaps"} {
		if _, err := ParseSpec(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}

func TestTokens(t *testing.T) {
	w := Quickstart()
	c := Claims{Audience: "https://graph.microsoft.com", Tenant: "t", AppID: "a", ObjectID: "o", Roles: []string{"R"}, Wids: []string{"W"}, Issued: w.Clock, Expires: w.Clock.Add(time.Hour)}
	token := w.SignToken(c)
	for _, bearer := range []string{token, "Bearer " + token, "bearer " + token} {
		got, err := w.VerifyToken(bearer)
		if err != nil || got.ObjectID != "o" || !got.Expires.Equal(c.Expires) || !slices.Equal(got.Roles, c.Roles) {
			t.Errorf("%+v %v", got, err)
		}
	}
	other := MSP()
	for name, row := range map[string]struct {
		world *World
		text  string
		want  error
	}{
		"empty":       {w, "Bearer ", ErrTokenMissing},
		"shape":       {w, "Bearer abc", ErrTokenMalformed},
		"tampered":    {w, token[:len(token)-2] + "xx", ErrTokenMalformed},
		"other world": {other, token, ErrTokenMalformed},
	} {
		if _, err := row.world.VerifyToken(row.text); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
		}
	}
	w.Clock = w.Clock.Add(time.Hour)
	if _, err := w.VerifyToken(token); !errors.Is(err, ErrTokenExpired) {
		t.Errorf("after an hour: %v", err)
	}
}

func TestOrganizationIndex(t *testing.T) {
	w := MSP()
	o := w.Organization("northwind-sales.example")
	if o == nil || o != w.Organization("Northwind.example") || o != w.OrganizationByEID(o.EID) {
		t.Fatal("an organization is found by any domain and by number")
	}
	u := o.User("CAROL@northwind.example")
	if u == nil || u.PrimaryEmail != "ceo@northwind.example" || o.UserByUID(u.UID) != u {
		t.Fatalf("by alias: %+v", u)
	}
	o.RenameUser(u, "aaa@northwind.example")
	if o.User("ceo@northwind.example") != nil || o.User("aaa@northwind.example") != u || o.User("carol@northwind.example") != u || o.Users[0] != u {
		t.Error("a rename moves the account and keeps its aliases")
	}
	o.SetAliases(u, []string{"ceo@northwind.example"})
	if o.User("carol@northwind.example") != nil || o.User("ceo@northwind.example") != u {
		t.Error("the aliases were not replaced")
	}
	if !o.RemoveUser("AAA@northwind.example") || o.RemoveUser("aaa@northwind.example") || o.User("ceo@northwind.example") != nil {
		t.Error("a removed account is still found, or removed twice")
	}
	if !slices.IsSortedFunc(o.Users, func(a, b *User) int { return strings.Compare(lower(a.PrimaryEmail), lower(b.PrimaryEmail)) }) {
		t.Error("users are not sorted")
	}
}

func TestHomeOfFollowsDeletion(t *testing.T) {
	w := MSP()
	home, app := w.HomeOf(strings.ToUpper(w.Automation.ClientID))
	if app == nil || home.DisplayName != "MSP Example Services" {
		t.Fatalf("%v %v", home, app)
	}
	home.RemoveApplication(app)
	if _, app := w.HomeOf(w.Automation.ClientID); app != nil {
		t.Error("a removed application is still found")
	}
}

func BenchmarkGenerate200k(b *testing.B) {
	for b.Loop() {
		generate(b, "tenants=1,users=200000,groups=5000,seed=7")
	}
}

func BenchmarkGenerate10000Tenants(b *testing.B) {
	for b.Loop() {
		generate(b, "tenants=10000,users=5,groups=1,onboarded=true")
	}
}

func FuzzVerifyToken(f *testing.F) {
	w := Quickstart()
	f.Add("Bearer " + w.SignToken(Claims{Expires: w.Clock}))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, bearer string) {
		if c, err := w.VerifyToken(bearer); err == nil {
			t.Fatalf("%q was taken: %+v", bearer, c)
		}
	})
}

// TestOneConfigurationFitsEverySize: the customer that a seed makes is the same customer at any size.
func TestOneConfigurationFitsEverySize(t *testing.T) {
	small, large := generate(t, "users=20,seed=7"), generate(t, "users=2000,groups=50,seed=7,onboarded=true")
	for _, w := range []*World{small, large} {
		if id := w.Tenant("customer-1.example").ID; id != (Spec{Seed: 7}).EntraTenantID(1) {
			t.Errorf("%s: tenant %s", w.ID, id)
		}
	}
	if other := generate(t, "users=20,seed=8").Tenant("customer-1.example").ID; other == small.Tenant("customer-1.example").ID {
		t.Error("another seed makes the same customer")
	}
}
