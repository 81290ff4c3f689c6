package planner

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// plainText is a recording's JSON.
func plainText(t testing.TB, r *Recording) string {
	t.Helper()
	data, err := unpackFile("recording", written(t, r)[len(recordingMagic):])
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestPseudonymsLeaveNothing(t *testing.T) {
	r := recording(t)
	r.Observed.Objects["domain"] = Reading{Live: r.Observed.Objects["domain"].Live, Err: fmt.Errorf("list domains of acme.example: ann@acme.example may not")}
	r.Observed.Directory.Notes = append(r.Observed.Directory.Notes, `the directory was read in full: ann@acme.example (object 6f0c9a1e-0000-4000-8000-000000000001) is a member of "Team \"Chief\"", and was not in what was kept`)
	real := plainText(t, r)
	replaced := plainText(t, NewPseudonyms([]byte("k")).Recording(r))
	for _, word := range []string{"acme.example", "acme-example", "ann@", "Ann", "Acme", "Sales", "Chief", "e7", "6f0c9a1e", "3f1e0c6a", "msp.example", "Team"} {
		if !strings.Contains(real, word) {
			t.Errorf("%q would not be found where it is", word)
		}
		if strings.Contains(replaced, word) {
			t.Errorf("%q is left: %s", word, replaced)
		}
	}
	if _, err := ReadRecording(bytes.NewReader(written(t, NewPseudonyms([]byte("k")).Recording(r))), providers.Builtin()); err != nil {
		t.Error(err)
	}
	if replaced != plainText(t, NewPseudonyms([]byte("k")).Recording(r)) {
		t.Error("the same key gives different pseudonyms")
	}
	if replaced == plainText(t, NewPseudonyms([]byte("l")).Recording(r)) {
		t.Error("another key gives the same pseudonyms")
	}
}

// TestPseudonymsOfState: what state remembers names people in more places than its accounts.
func TestPseudonymsOfState(t *testing.T) {
	r := recording(t)
	r.Prior.Applied = state.Applied{Known: true, Safeguard: cty.ObjectVal(map[string]cty.Value{
		"max_removals": cty.NumberIntVal(5), "protected": cty.SetVal([]cty.Value{cty.StringVal("boss@acme.example")}),
	})}
	r.Prior.InDoubt = map[string]state.Intent{"op": {Op: "op", Address: "sync_policy.people", Mail: "bob@acme.example", Type: "account", Action: "disable", NaturalKey: "bob@acme.example", Counts: []string{"bobby@acme.example"}, Time: recordedAt}}
	r.Prior.Removals = []state.Removal{{Mail: "bea@acme.example", Time: recordedAt}}
	r.Prior.Skips = []state.Skip{{Mail: "ben@acme.example", Reason: "Benedikt asked", By: "Walter", Until: recordedAt}}
	r.Prior.Objects = map[string]*state.Object{"exemption.e": {Address: "exemption.e", Type: "exemption", Previous: cty.NilVal, Values: cty.ObjectVal(map[string]cty.Value{
		"when": cty.StringVal(`can(regex("^kelly\\.k", entry.address)) || entry.name == "Kim \"Kimi\" Kelly"`),
	})}}
	real := plainText(t, r)
	out := NewPseudonyms([]byte("k")).Recording(r)
	replaced := plainText(t, out)
	for _, word := range []string{"boss@", "bob@", "bobby@", "bea@", "ben@", "Benedikt", "Walter", "kelly", "Kimi", "Kelly"} {
		if !strings.Contains(real, word) {
			t.Errorf("%q would not be found where it is", word)
		}
		if strings.Contains(replaced, word) {
			t.Errorf("%q is left: %s", word, replaced)
		}
	}
	p := out.Prior
	if protected := strs(p.Applied.Safeguard, "protected"); !p.Applied.Known || len(protected) != 1 || len(p.InDoubt["op"].Counts) != 1 || p.InDoubt["op"].Counts[0] == p.InDoubt["op"].Mail {
		t.Errorf("applied %#v, in doubt %+v", p.Applied, p.InDoubt)
	}
	if when := text(p.Objects["exemption.e"].Values, "when"); !strings.Contains(when, "can(regex(") || !strings.Contains(when, ", entry.address)) || entry.name == ") {
		t.Errorf("the condition became %s", when)
	}
}

func TestPseudonymsKeepStructure(t *testing.T) {
	p := NewPseudonyms([]byte("k"))
	p.domains["acme.example"], p.domains["acme.onmicrosoft.com"] = true, true
	top, sub := p.domain("acme.example"), p.domain("mail.acme.example")
	if !strings.HasSuffix(sub, "."+top) || !strings.HasSuffix(top, ".example") {
		t.Errorf("%s is not below %s", sub, top)
	}
	if got := p.text("MX of ACME.example: acme-example.mail.protection.outlook.com."); strings.Contains(strings.ToLower(got), "acme") || !strings.Contains(got, strings.ReplaceAll(top, ".", "-")+".mail.protection.outlook.com") {
		t.Error(got)
	}
	if got := p.domain("acme.onmicrosoft.com"); !strings.HasSuffix(got, ".onmicrosoft.com") || got != p.label("acme")+".onmicrosoft.com" {
		t.Error(got)
	}
	if p.name("Ann Acme") != p.name("Ann")+" "+p.name("Acme") {
		t.Error("a display name is not its words any more")
	}
	if got := p.text("192.0.2.0/24 v=spf1 include:_spf-us.ppe-hosted.com -all"); got != "192.0.2.0/24 v=spf1 include:_spf-us.ppe-hosted.com -all" {
		t.Errorf("what says nothing of the tenant changed: %s", got)
	}
	if got := p.string("when", `entry.kind == "user" || entry.office == "Nowhere"`); got != `entry.kind == "user" || entry.office == "`+p.name("Nowhere")+`"` {
		t.Error(got)
	}
	if got := p.string("include", `entry.department != "Ann"`); got != `entry.department != "`+p.name("Ann")+`"` {
		t.Error(got)
	}
}

// department is a condition that compares whole values.
type department string

func (d department) Text() string { return `entry.department != "` + string(d) + `"` }
func (d department) Match(e *directory.Entry) (bool, error) {
	return e.Department != string(d), nil
}

// drawRecording is a tenant with hires, leavers, renames, blocked sign-ins and changes by hand, some of it in state.
func drawRecording(t *rapid.T) *Recording {
	names := []string{"ann", "bea", "cem", "dag", "eva", "fay", "gil", "hal"}
	r := &Recording{Made: recordedAt, Tenant: resource.Identity{Key: "c", PrimaryDomain: "c.com"}, Observed: &Observation{
		Directory: &directory.Reading{Proof: directory.Proof{Complete: true}},
		Accounts:  &directory.AccountReading{Proof: directory.Proof{Complete: true}},
	}}
	prior := state.New("l", state.Live, state.TenantMeta{Key: "c", PrimaryDomain: "c.com"}, make([]byte, state.VersionKeySize))
	prior.Serial = 1
	anchor := &directory.Entry{ObjectID: "o-anchor", Kind: directory.User, Address: "anchor@c.com", Enabled: true, HasProxy: true, Name: "An Chor"}
	r.Observed.Directory.Entries = append(r.Observed.Directory.Entries, anchor)
	for i, name := range names {
		domain := rapid.SampledFrom([]string{"c.com", "c.com", "sub.c.com", "x.com"}).Draw(t, "domain")
		address := name + "@" + domain
		e := &directory.Entry{
			ObjectID: fmt.Sprintf("o-%d", i), Address: address, HasProxy: true, Enabled: rapid.IntRange(0, 3).Draw(t, "enabled") > 0, Licensed: rapid.Bool().Draw(t, "licensed"),
			Kind:      rapid.SampledFrom([]directory.Kind{directory.User, directory.User, directory.SharedMailbox, directory.DistributionGroup, directory.Guest}).Draw(t, "kind"),
			GivenName: rapid.SampledFrom([]string{name, ""}).Draw(t, "given"), Name: name + " Test", Department: rapid.SampledFrom([]string{"", "Kitchen"}).Draw(t, "department"),
		}
		if e.GivenName != "" {
			e.Surname = "Test"
		}
		if rapid.Bool().Draw(t, "alias") {
			e.Aliases = []string{name + "2@" + rapid.SampledFrom([]string{"c.com", "x.com"}).Draw(t, "alias domain")}
		}
		has := rapid.IntRange(0, 4).Draw(t, "who")
		if has != 0 {
			r.Observed.Directory.Entries = append(r.Observed.Directory.Entries, e)
		}
		if has == 1 {
			continue
		}
		a := &directory.Account{
			UID: 100 + i, Address: rapid.SampledFrom([]string{address, address, name + "-old@c.com"}).Draw(t, "account"), Active: rapid.IntRange(0, 4).Draw(t, "active") > 0, Billable: true,
			Type:      rapid.SampledFrom([]directory.AccountType{directory.EndUser, directory.EndUser, directory.FunctionalAccount, directory.OrganizationAdmin}).Draw(t, "type"),
			FirstName: name, Surname: "Test", Aliases: rapid.SampledFrom([][]string{nil, e.Aliases, {name + "3@c.com"}}).Draw(t, "aliases"),
		}
		r.Observed.Accounts.Accounts = append(r.Observed.Accounts.Accounts, a)
		if rapid.IntRange(0, 2).Draw(t, "managed") == 0 {
			continue
		}
		k := &state.Account{Address: a.Address, UID: a.UID, ObjectID: e.ObjectID, Policy: "sync_policy.people", Hash: dirsync.Hash(a), Ownership: state.Created, Aliases: a.Aliases,
			Kind: string(e.Kind), Converted: rapid.Bool().Draw(t, "converted"), Disabled: !a.Active}
		switch rapid.IntRange(0, 3).Draw(t, "left as") {
		case 0:
			k.Hash = "otherwise"
		case 1:
			k.GoneSince = recordedAt.Add(-time.Duration(rapid.IntRange(1, 60).Draw(t, "gone")) * 24 * time.Hour)
		}
		prior.Accounts.Put(k)
	}
	directory.Sort(r.Observed.Directory.Entries)
	slices.SortFunc(r.Observed.Accounts.Accounts, func(a, b *directory.Account) int { return strings.Compare(a.Address, b.Address) })
	r.Prior = prior
	return r
}

// shapeOf is the shape of what is decided: everything but who.
func shapeOf(r *Recording, kitchen string, limit int, address func(string) string) []string {
	policy := dirsync.Policy{
		Address: "sync_policy.people", Engine: dirsync.EngineWeir, SyncUsers: true, SyncDistributionGroups: true, SharedMailboxes: dirsync.AsFunctional,
		BlockedSignIn: dirsync.AsFunctional, Gone: dirsync.AsDisable, OutOfScope: dirsync.AsRemove, Strays: dirsync.AsList, DeleteAfter: 30 * 24 * time.Hour,
		Include: department(kitchen), Users: dirsync.Switches{Add: true, Update: true, Remove: true}, Groups: dirsync.Switches{Add: true, Update: true, Remove: true},
		Safeguard: dirsync.Safeguard{MaxRemovals: limit, MaxRemovalPercent: 100, MaxConversions: limit, MaxAdditions: 100, Window: 24 * time.Hour, Protected: []string{address("bea@c.com")}},
	}
	res := dirsync.Decide(dirsync.Request{
		Policy: policy, Domains: []dirsync.Domain{{Name: directory.DomainOf(address("a@c.com")), Relay: true}, {Name: directory.DomainOf(address("a@sub.c.com"))}},
		Directory: r.Observed.Directory, Accounts: r.Observed.Accounts, Known: known(r.Prior), Now: r.Made,
		Protections: []dirsync.Protection{{Source: "exemption.x", Addresses: []string{address("cem@c.com")}}},
	})
	var out []string
	for i := range res.Decisions {
		d := &res.Decisions[i]
		out = append(out, fmt.Sprintf("%s %s held=%v loses=%d kind=%s destructive=%v adopt=%v", d.Action, d.Cause, d.Held != "", len(d.Loses), d.Kind, d.Destructive, d.Adopt))
	}
	for _, s := range res.Skips {
		out = append(out, "skip "+string(s.Code))
	}
	out = append(out, fmt.Sprintf("links %d clocks %d waits %d strays %d foreign %d unchanged %d learned %d seats %v stops %d", len(res.Links), len(res.Clocks), len(res.Waits),
		len(res.Strays), len(res.Foreign), res.Unchanged, len(res.Learned), res.Seats, len(res.StopsReceiving)))
	slices.Sort(out)
	return out
}

// TestPseudonymsDecideAlike: the same is decided about the same people under other names.
func TestPseudonymsDecideAlike(t *testing.T) {
	same := func(s string) string { return s }
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecording(t)
		limit := rapid.IntRange(0, 3).Draw(t, "limit")
		p := NewPseudonyms([]byte("k"))
		replaced := p.Recording(r)
		want, got := shapeOf(r, "Kitchen", limit, same), shapeOf(replaced, p.Literal("Kitchen"), limit, p.Literal)
		if !slices.Equal(got, want) {
			t.Fatalf("as recorded:\n%s\nunder other names:\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
		}
	})
}

// TestDecideAlikeCatches: a hash that is not carried over, or an address that is not the same everywhere, shows.
func TestDecideAlikeCatches(t *testing.T) {
	same := func(s string) string { return s }
	caught := 0
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecording(t)
		p := NewPseudonyms([]byte("k"))
		replaced := p.Recording(r)
		for k := range replaced.Prior.Accounts.All() {
			n := *k
			n.Hash = "lost"
			replaced.Prior.Accounts.Put(&n)
		}
		if !slices.Equal(shapeOf(replaced, p.Literal("Kitchen"), 3, p.Literal), shapeOf(r, "Kitchen", 3, same)) {
			caught++
		}
	})
	if caught == 0 {
		t.Error("lost hashes were not caught")
	}
}
