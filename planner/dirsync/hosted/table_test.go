package hosted

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
)

const (
	user       = directory.EndUser
	functional = directory.FunctionalAccount
)

// table has the rules of the vendor's reference, R1…R48 as far as they decide about accounts, and its decision table (§7.1),
// a row each. want is what the next automatic run does; a line "fact: not …; instead …" is an either-or.
var table = []struct {
	name string
	with func(*fixture)
	want []string
}{
	// What is seen and brought over.
	{"R1 a user and a group that are as they are", func(f *fixture) {
		f.person("alice", "al")
		f.entry("sales", directory.DistributionGroup)
		f.account("sales", functional)
	}, nil},
	{"R21 a new user is added", func(f *fixture) { f.entry("alice", directory.User, "al") }, []string{"adding alice end_user"}},
	{"R18 with the role of the settings", func(f *fixture) { f.req.Settings.Role = directory.SilentUser; f.entry("alice", directory.User) },
		[]string{"adding alice silent_user"}},
	{"R21 Add Users off", func(f *fixture) { f.req.Settings.AddUsers = false; f.entry("alice", directory.User) }, nil},
	{"R20 Active Users off", func(f *fixture) { f.req.Settings.SyncUsers = false; f.entry("alice", directory.User) }, nil},
	{"R31 no proxyAddresses", func(f *fixture) { f.entry("alice", directory.User).Address = "" }, []string{"skipped alice no_proxy_address"}},
	{"R31 proxyAddresses without a primary one: the mail attribute may stand in", func(f *fixture) {
		f.entry("alice", directory.User, "al").Address = ""
	}, []string{"skipped alice no_proxy_address", "no_primary: not skipped alice no_proxy_address; instead adding al end_user"}},
	{"R33 a foreign primary domain", func(f *fixture) { f.entry("alice@f.com", directory.User, "alice") }, []string{"skipped alice@f.com foreign_domain"}},
	{"R33 aliases on foreign domains stay behind", func(f *fixture) {
		f.person("bob")
		f.req.Directory.Entries[0].Aliases = []string{"bob@f.com"}
	}, nil},
	{"R33 a known user who moved to a foreign domain is left as is", func(f *fixture) {
		e, _ := f.person("alice")
		e.Address, e.GivenName = "alice@f.com", "Other"
	}, []string{"skipped alice@f.com foreign_domain"}},
	{"R35 a management domain is registered like any other", func(f *fixture) {
		f.req.Domains = append(f.req.Domains, "m.com")
		f.entry("alice@m.com", directory.User)
	}, []string{"adding alice@m.com end_user"}},
	{"R38 a shared mailbox with sign-in comes over as a billable user", func(f *fixture) { f.entry("info", directory.SharedMailbox) },
		[]string{"adding info end_user"}},
	{"R38, R32 a shared mailbox with blocked sign-in comes over inactive", func(f *fixture) { f.entry("info", directory.SharedMailbox).Enabled = false },
		[]string{"adding info end_user inactive"}},
	{"R38 so does a room", func(f *fixture) { f.entry("room", directory.Room).Enabled = false }, []string{"adding room end_user inactive"}},
	{"R38 the kind that Exchange did not tell does not matter", func(f *fixture) { f.entry("info", directory.UnknownKind) }, []string{"adding info end_user"}},
	{"R33 a guest is a user with a foreign domain", func(f *fixture) { f.entry("g@partner.com", directory.Guest) }, []string{"skipped g@partner.com foreign_domain"}},
	{"R1 a contact is not brought over", func(f *fixture) { f.entry("c", directory.Contact) }, nil},
	{"a user without names gets the display name, or none", func(f *fixture) {
		e := f.entry("svc", directory.User)
		e.GivenName, e.Surname = "", ""
	}, []string{"adding svc end_user", "nameless: not adding svc end_user; instead adding svc end_user"}},

	// Known users.
	{"R22 other names", func(f *fixture) { e, _ := f.person("alice"); e.Surname = "Married" }, []string{"updating alice"}},
	{"R22 aliases follow the directory, hand-made ones too", func(f *fixture) { _, a := f.person("alice"); a.Aliases = []string{"by.hand@c.com"} },
		[]string{"updating alice"}},
	{"R22 the role is the account's own", func(f *fixture) { _, a := f.person("alice"); a.Type = directory.SilentUser }, nil},
	{"R22 Update Users off", func(f *fixture) {
		f.req.Settings.UpdateUsers = false
		e, _ := f.person("alice")
		e.Enabled = false
	}, nil},
	{"R32 blocked sign-in disables", func(f *fixture) { e, _ := f.person("alice"); e.Enabled = false }, []string{"disabling alice"}},
	{"R32 an administrator too", func(f *fixture) { e, a := f.person("it"); e.Enabled, a.Type = false, directory.OrganizationAdmin },
		[]string{"disabling it"}},
	{"R32 allowed again, active again", func(f *fixture) { _, a := f.person("alice"); a.Active = false }, []string{"updating alice"}},
	{"R22 renamed: one account follows, if the vendor remembers it", func(f *fixture) {
		e, _ := f.person("alice")
		e.Address = "alicia@c.com"
	}, []string{"updating alice to alicia", "earlier_runs: not updating alice to alicia; instead adding alicia end_user"}},
	{"R22 renamed, and state does not know either", func(f *fixture) {
		e, a := f.person("alice")
		e.Address = "alicia@c.com"
		delete(f.req.Remembered, a.UID)
	}, []string{"adding alicia end_user"}},
	{"R22 a newcomer takes the address that a rename sets free", func(f *fixture) {
		e, _ := f.person("alice")
		e.Address = "alicia@c.com"
		f.entry("new", directory.User).Address = "alice@c.com"
	}, []string{"adding alice end_user", "updating alice to alicia",
		"earlier_runs: not adding alice end_user, updating alice to alicia; instead adding alicia end_user"}},

	// Exemptions.
	{"R40 exempt by the entry's address", func(f *fixture) { f.entry("alice", directory.User); f.req.Exempt = []string{"alice@c.com"} }, []string{"exempt alice"}},
	{"R40 exempt whatever the directory says", func(f *fixture) {
		e, _ := f.person("alice")
		e.Enabled, e.Surname = false, "Other"
		f.req.Exempt = []string{"alice@c.com"}
	}, []string{"exempt alice"}},
	{"R40 exempt by the account's address, renamed in the directory", func(f *fixture) {
		e, _ := f.person("alice")
		e.Address = "alicia@c.com"
		f.req.Exempt = []string{"alice@c.com"}
	}, []string{"exempt alice", "earlier_runs: not exempt alice; instead adding alicia end_user"}},

	// Functional accounts.
	{"R39, R40 a functional account behind an exemption stays", func(f *fixture) {
		f.entry("leo", directory.User).Enabled = false
		f.account("leo", functional)
		f.req.Exempt = []string{"leo@c.com"}
	}, []string{"exempt leo"}},
	{"R40 without one it gives way to the user, with Remove Deleted Users", func(f *fixture) {
		f.req.Settings.RemoveUsers = true
		f.entry("leo", directory.User)
		f.account("leo", functional)
	}, []string{"adding leo end_user", "deleting leo"}},
	{"R40 without the switch it may", func(f *fixture) {
		f.entry("leo", directory.User)
		f.account("leo", functional)
	}, []string{"flip_switch: not ; instead adding leo end_user, deleting leo"}},
	{"R40, R21 not while Add Users is off", func(f *fixture) {
		f.req.Settings.RemoveUsers, f.req.Settings.AddUsers = true, false
		f.entry("leo", directory.User)
		f.account("leo", functional)
	}, nil},
	{"R40, R38 the shared mailbox that somebody converted by hand", func(f *fixture) {
		f.req.Settings.RemoveUsers = true
		f.entry("info", directory.SharedMailbox).Enabled = false
		f.account("info", functional)
	}, []string{"adding info end_user inactive", "deleting info"}},
	{"R40 a functional account without directory object stays", func(f *fixture) { f.account("helpdesk", functional) }, nil},

	// Gone.
	{"R25 gone with Remove Deleted Users off: left alone", func(f *fixture) {
		_, a := f.person("alice")
		f.req.Directory.Entries = nil
		f.req.Remembered[a.UID] = Memory{ObjectID: "o-alice", Kind: directory.User}
		f.person("bob")
	}, nil},
	{"R25 gone with it on: deleted, if the vendor remembers it", func(f *fixture) {
		f.req.Settings.RemoveUsers = true
		f.account("alice", user)
		f.req.Remembered[100] = Memory{ObjectID: "o-alice", Kind: directory.User}
	}, []string{"deleting alice", "earlier_runs: not deleting alice; instead "}},
	{"R25 a hand-made user may be deleted", func(f *fixture) {
		f.req.Settings.RemoveUsers = true
		f.account("hand", user)
	}, []string{"hand_made: not ; instead deleting hand"}},
	{"R25 a hand-made administrator is not", func(f *fixture) {
		f.req.Settings.RemoveUsers = true
		f.account("it", directory.OrganizationAdmin)
	}, nil},
	{"R25, R31 whose addresses vanish counts as gone", func(f *fixture) {
		f.req.Settings.RemoveUsers = true
		e, _ := f.person("alice")
		e.Address = ""
	}, []string{"deleting alice", "skipped alice no_proxy_address", "earlier_runs: not deleting alice; instead ",
		"hand_made: not ; instead "}[:3]},
	{"R25, R40 exempt, gone", func(f *fixture) {
		f.req.Settings.RemoveUsers = true
		f.account("alice", user)
		f.req.Remembered[100] = Memory{ObjectID: "o-alice", Kind: directory.User}
		f.req.Exempt = []string{"alice@c.com"}
	}, []string{"exempt alice", "earlier_runs: not exempt alice; instead "}},
	{"R26 a group that is gone follows its own switch", func(f *fixture) {
		f.req.Settings.RemoveUsers, f.req.Settings.RemoveGroups = false, true
		f.account("sales", functional)
		f.req.Remembered[100] = Memory{ObjectID: "o-sales", Kind: directory.DistributionGroup}
	}, []string{"deleting sales", "earlier_runs: not deleting sales; instead "}},

	// Groups.
	{"R23 a distribution group becomes a functional account", func(f *fixture) { f.entry("sales", directory.DistributionGroup) },
		[]string{"adding sales functional_account"}},
	{"R23 a mail-enabled security group too", func(f *fixture) { f.entry("vpn", directory.SecurityGroup) }, []string{"adding vpn functional_account"}},
	{"R20 distribution groups off", func(f *fixture) {
		f.req.Settings.SyncDistribution = false
		f.entry("sales", directory.DistributionGroup)
	}, nil},
	{"R20 security groups off", func(f *fixture) { f.req.Settings.SyncSecurity = false; f.entry("vpn", directory.SecurityGroup) }, nil},
	{"R23 Add Groups off", func(f *fixture) { f.req.Settings.AddGroups = false; f.entry("sales", directory.DistributionGroup) }, nil},
	{"R24 a group with another name", func(f *fixture) {
		f.entry("sales", directory.DistributionGroup).Name = "Sales 2"
		f.account("sales", functional)
	}, []string{"updating sales"}},
	{"R24 Update Groups off", func(f *fixture) {
		f.req.Settings.UpdateGroups = false
		f.entry("sales", directory.DistributionGroup).Name = "Sales 2"
		f.account("sales", functional)
	}, nil},
	{"R37 a dynamic list is left out", func(f *fixture) { f.entry("all", directory.DynamicDistributionGroup) }, []string{"skipped all dynamic_group"}},
	{"R1 a Microsoft 365 group is left out, or counts as a distribution group", func(f *fixture) { f.entry("team", directory.Microsoft365Group) },
		[]string{"skipped team m365_group", "microsoft_365_groups: not skipped team m365_group; instead adding team functional_account"}},
	{"a group at the address of a person's account", func(f *fixture) {
		f.entry("sales", directory.DistributionGroup)
		f.account("sales", user)
	}, []string{"refused sales"}},

	// Addresses that several want.
	{"an address that another account has as alias", func(f *fixture) {
		f.entry("alice", directory.User)
		f.account("hand", user, "alice")
	}, []string{"refused alice"}},
	{"an alias that two want", func(f *fixture) {
		f.entry("alice", directory.User, "shared")
		f.entry("bob", directory.User, "shared")
	}, []string{"adding alice end_user", "adding bob end_user", "refused shared",
		"contested_address: not adding alice end_user, adding bob end_user; instead adding alice end_user, adding bob end_user"}},

	// Seats.
	{"seats beyond those bought: billed, or refused with user capping", func(f *fixture) {
		f.req.Licenses = 2
		f.person("zoe")
		f.entry("alice", directory.User)
		f.entry("bob", directory.User)
	}, []string{"adding alice end_user", "adding bob end_user",
		"user_capping: not adding alice end_user, adding bob end_user; instead refused alice, refused bob"}},

	// Whole runs.
	{"R17 not configured", func(f *fixture) { f.req.Settings.Configured = false; f.entry("alice", directory.User) }, []string{"fails: the sync is not configured (R17)"}},
	{"R12 the secret ended", func(f *fixture) { f.req.Fails = "the secret ended (R12)"; f.entry("alice", directory.User) }, []string{"fails: the secret ended (R12)"}},
	{"an incomplete read predicts nothing", func(f *fixture) { f.entry("alice", directory.User); f.req.Directory.Proof.Complete = false },
		[]string{"unknown: the read of the directory is not complete"}},
	{"neither does one of the accounts", func(f *fixture) { f.entry("alice", directory.User); f.req.Accounts = nil },
		[]string{"unknown: the accounts could not be read"}},
}

func TestTable(t *testing.T) {
	for _, row := range table {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture()
			row.with(f)
			if got := lines(Predict(f.req)); !slices.Equal(got, row.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(row.want, "\n  "))
			}
			random := rand.New(rand.NewPCG(1, 2))
			swap := f.req
			directoryOf, accountsOf := *f.req.Directory, directory.AccountReading{}
			directoryOf.Entries = slices.Clone(directoryOf.Entries)
			random.Shuffle(len(directoryOf.Entries), func(i, j int) {
				directoryOf.Entries[i], directoryOf.Entries[j] = directoryOf.Entries[j], directoryOf.Entries[i]
			})
			swap.Directory = &directoryOf
			if f.req.Accounts != nil {
				accountsOf = *f.req.Accounts
				accountsOf.Accounts = slices.Clone(accountsOf.Accounts)
				slices.Reverse(accountsOf.Accounts)
				swap.Accounts = &accountsOf
			}
			if got := lines(Predict(swap)); !slices.Equal(got, row.want) {
				t.Errorf("in another order of input: %s", strings.Join(got, "\n  "))
			}
		})
	}
}

// TestManualRun has what differs when a person presses the button (R34).
func TestManualRun(t *testing.T) {
	rows := []struct {
		name string
		with func(*fixture)
		want string
		on   []Fact
	}{
		{"all domains registered", func(*fixture) {}, "", nil},
		{"R34 a domain with people that Essentials does not know", func(f *fixture) {
			f.req.Directory.Domains = append(f.req.Directory.Domains, "f.com")
			f.entry("alice@f.com", directory.User)
		}, "f.com", nil},
		{"R35 registered for management", func(f *fixture) {
			f.req.Directory.Domains, f.req.Domains = append(f.req.Directory.Domains, "f.com"), append(f.req.Domains, "f.com")
			f.entry("alice@f.com", directory.User)
		}, "", nil},
		{"R34 the initial domain may not count", func(f *fixture) { f.req.Directory.Domains = append(f.req.Directory.Domains, "c.onmicrosoft.com") },
			"c.onmicrosoft.com", []Fact{InitialDomain}},
		{"R34 a domain without anybody may carry no mail", func(f *fixture) { f.req.Directory.Domains = append(f.req.Directory.Domains, "empty.com") },
			"empty.com", []Fact{MailDomains}},
		{"R34 both", func(f *fixture) {
			f.req.Directory.Domains = append(f.req.Directory.Domains, "empty.com", "c.onmicrosoft.com")
		}, "c.onmicrosoft.com, empty.com", []Fact{InitialDomain, MailDomains}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture()
			f.person("zoe")
			row.with(f)
			p := Predict(f.req)
			if (p.ManualFails == "") != (row.want == "") || !strings.Contains(p.ManualFails, row.want) || !slices.Equal(p.ManualDepends, row.on) {
				t.Errorf("fails %q depending on %v", p.ManualFails, p.ManualDepends)
			}
			if p.Fails != "" {
				t.Errorf("an automatic run fails: %s", p.Fails)
			}
		})
	}
}

// TestSure: a doubt about a name is none about what happens.
func TestSure(t *testing.T) {
	f := newFixture()
	svc := f.entry("svc", directory.User)
	svc.GivenName, svc.Surname = "", ""
	f.entry("team", directory.Microsoft365Group)
	e, _ := f.person("alice")
	e.Address = "alicia@c.com"
	p := Predict(f.req)
	for _, i := range p.Items {
		want := map[string]bool{"svc@c.com": true, "team@c.com": false, "alice@c.com": false}[i.Address]
		if got := p.Sure(&i); got != want || len(i.Depends) == 0 {
			t.Errorf("%s: sure %t, depends on %v", line(i), got, i.Depends)
		}
	}
}

func TestNext(t *testing.T) {
	at := func(hour, minute int) time.Time { return time.Date(2026, 11, 23, hour, minute, 0, 0, time.UTC) }
	for _, row := range []struct {
		name  string
		every time.Duration
		last  time.Time
		want  time.Time
	}{
		{"never", 0, at(8, 0), time.Time{}},
		{"an hour after the last", time.Hour, at(7, 30), at(8, 30)},
		{"the last is too long ago", 3 * time.Hour, at(1, 0), at(9, 0)},
		{"no last", 6 * time.Hour, time.Time{}, at(12, 0)},
	} {
		s := Settings{Configured: true, Frequency: row.every, LastRun: row.last}
		if got := next(s, now); !got.Equal(row.want) {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

func TestRisks(t *testing.T) {
	limits := dirsync.Safeguard{MaxRemovals: 5, MaxRemovalPercent: 100, MaxConversions: 0, MaxAdditions: 1, MinAdmins: 1, Window: 24 * time.Hour}
	rows := []struct {
		name string
		with func(*fixture, *Measure)
		want []string
	}{
		{"nothing", func(f *fixture, _ *Measure) { f.person("alice") }, nil},
		{"removals within the limit", func(f *fixture, _ *Measure) {
			e, _ := f.person("alice", "a", "b", "c", "d", "e", "f")
			e.Enabled = false
		}, nil},
		{"removals above it", func(f *fixture, m *Measure) {
			m.Safeguard.MaxRemovals = 1
			for _, local := range []string{"alice", "bob"} {
				e, _ := f.person(local)
				e.Enabled = false
			}
		}, []string{"removals 2 of 1: alice bob"}},
		{"an alias counts by itself", func(f *fixture, m *Measure) {
			m.Safeguard.MaxRemovals = 1
			_, a := f.person("alice")
			a.Aliases = []string{"x@c.com", "y@c.com"}
		}, []string{"removals 2 of 1: x y"}},
		{"the window counts", func(f *fixture, m *Measure) {
			m.Safeguard.MaxRemovals = 1
			m.Window = []dirsync.Removal{{Address: "old@c.com", At: now.Add(-time.Hour)}, {Address: "older@c.com", At: now.Add(-25 * time.Hour)}}
			e, _ := f.person("alice")
			e.Enabled = false
		}, []string{"removals 1 of 1: alice"}},
		{"what the window saw already does not count again", func(f *fixture, m *Measure) {
			m.Safeguard.MaxRemovals = 1
			m.Window = []dirsync.Removal{{Address: "alice@c.com", At: now.Add(-time.Hour)}}
			e, _ := f.person("alice")
			e.Enabled = false
		}, nil},
		{"a protected alias", func(f *fixture, m *Measure) {
			m.Safeguard.Protected = []string{"AL@c.com"}
			e, _ := f.person("alice", "al")
			e.Enabled = false
		}, []string{"protected 1 of 0: al"}},
		{"the last administrator", func(f *fixture, m *Measure) {
			m.Admins = 1
			e, a := f.person("it")
			e.Enabled, a.Type = false, directory.OrganizationAdmin
		}, []string{"admins 1 of 0: it"}},
		{"a functional account that may give way", func(f *fixture, _ *Measure) {
			f.entry("leo", directory.User)
			f.account("leo", functional)
		}, []string{"conversions 1 of 0: leo"}},
		{"additions", func(f *fixture, _ *Measure) {
			f.entry("alice", directory.User)
			f.entry("bob", directory.User)
			f.entry("info", directory.SharedMailbox).Enabled = false // takes no seat
		}, []string{"additions 2 of 1: alice bob"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			f, m := newFixture(), Measure{Safeguard: limits, Admins: 3, Active: 50, Now: now}
			row.with(f, &m)
			var got []string
			for _, r := range Predict(f.req).Risks(m) {
				s := r.Limit + " " + strconv.Itoa(r.Count) + " of " + strconv.Itoa(r.Allowed) + ":"
				for _, a := range r.Addresses {
					s += " " + strings.TrimSuffix(a, "@c.com")
				}
				got = append(got, s)
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// TestEveryFactIsInTheTable: each either-or has a row that shows it, so that none is dead.
func TestEveryFactIsInTheTable(t *testing.T) {
	elsewhere := map[Fact]bool{Credentials: true, InitialDomain: true, MailDomains: true}
	seen := map[Fact]bool{}
	for _, row := range table {
		for _, w := range row.want {
			fact, _, _ := strings.Cut(w, ":")
			seen[Fact(fact)] = true
		}
	}
	for fact := range factTexts {
		if !seen[fact] && !elsewhere[fact] {
			t.Errorf("no row shows %s", fact)
		}
	}
}

// TestOneObjectTwice: two accounts that are remembered for one object are predicted the same way each time, and which of them
// is the object's is a doubt that is named.
func TestOneObjectTwice(t *testing.T) {
	f := newFixture()
	f.req.Settings.RemoveUsers = true
	e, _ := f.person("alice")
	for range 5 {
		a := f.account(fmt.Sprintf("former%d", len(f.req.Accounts.Accounts)), directory.EndUser)
		f.req.Remembered[a.UID] = Memory{ObjectID: e.ObjectID, Kind: directory.User}
	}
	first := lines(Predict(f.req))
	for range 50 {
		if got := lines(Predict(f.req)); !slices.Equal(got, first) {
			t.Fatalf("got %q, before %q", got, first)
		}
	}
	named := func() bool {
		return slices.ContainsFunc(Predict(f.req).Doubts, func(d Doubt) bool { return d.Fact == Contested })
	}
	if !named() {
		t.Error("which account is the object's is no doubt")
	}
	for uid, m := range f.req.Remembered {
		m.ObjectID = fmt.Sprint(m.ObjectID, "-", uid)
		f.req.Remembered[uid] = m
	}
	if named() {
		t.Error("accounts of different objects are a doubt")
	}
}

// TestStops: an address that stops on one side of a doubt is told, though the other side keeps it.
func TestStops(t *testing.T) {
	for _, row := range []struct {
		name string
		with func(f *fixture)
		want []string
	}{
		{"certain", func(f *fixture) {
			e, _ := f.person("alice")
			e.Enabled = false
		}, []string{"alice"}},
		{"nothing stops", func(f *fixture) { f.person("alice") }, nil},
		{"without a primary address it is deleted, or else updated", func(f *fixture) {
			f.req.Settings.RemoveUsers = true
			e, _ := f.person("alice")
			e.Address, e.Aliases, e.GivenName = "", []string{"alice@c.com"}, "Alicia"
		}, []string{"alice if earlier_runs, no_primary"}},
		{"without a primary address it is deleted, or else stays as it is", func(f *fixture) {
			f.req.Settings.RemoveUsers = true
			e, _ := f.person("alice")
			e.Address, e.Aliases = "", []string{"alice@c.com"}
		}, []string{"alice if earlier_runs, no_primary"}},
		{"it goes only by the hand of one side", func(f *fixture) {
			f.req.Settings.RemoveUsers = true
			f.account("hand", directory.EndUser)
		}, []string{"hand if hand_made"}},
		{"the functional account gives way to a user, who receives", func(f *fixture) {
			f.entry("leo", directory.User)
			f.account("leo", directory.FunctionalAccount)
		}, nil},
		{"the functional account gives way to a user, who does not", func(f *fixture) {
			f.entry("leo", directory.User).Enabled = false
			f.account("leo", directory.FunctionalAccount)
		}, []string{"leo if flip_switch"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture()
			row.with(f)
			var got []string
			for _, s := range Predict(f.req).Stops() {
				line := strings.TrimSuffix(s.Address, "@c.com")
				for i, fact := range s.Depends {
					line += []string{" if ", ", "}[min(i, 1)] + string(fact)
				}
				got = append(got, line)
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}
