package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

// syncedCustomers is a configuration for the customers of a generated world, each with a sync policy.
func syncedCustomers(t *testing.T, spec world.Spec, policy string) *site {
	t.Helper()
	w, err := world.Generate(spec)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: t.TempDir(), env: map[string]string{"NO_COLOR": "1", "WEIR_HOME": t.TempDir(), "WEIR_STATE_TTL": "10s"}}
	s.serve(w)
	s.write("main.weir.hcl", `provider "essentials" "us1" {
  stack    = "us1"
  user     = env("ESSENTIALS_USER")
  password = secret("env://ESSENTIALS_PASSWORD")
}

provider "microsoft" "msp" {
  client_id     = env("AZURE_CLIENT_ID")
  client_secret = secret("env://AZURE_CLIENT_SECRET")
}
`)
	for i := 1; i <= spec.Tenants; i++ {
		s.write(fmt.Sprintf("customer-%d.weir.hcl", i), customerBlock(w, i, fmt.Sprintf("c%d", i), policy))
	}
	s.weir(0, "apply", "--auto-approve")
	s.settle()
	s.empty()
	s.changes()
	return s
}

// customerBlock is the block of the i-th customer, under a key.
func customerBlock(w *world.World, i int, key, policy string) string {
	domain := fmt.Sprintf("customer-%d.example", i)
	return fmt.Sprintf(`tenant %[1]q {
  name            = "Customer %[2]d"
  primary_domain  = %[3]q
  parent          = "msp.example"
  entra_tenant_id = %[4]q
  package         = "advanced_plus"
  licenses        = 400
  purchases       = "onboarding"
  admin {
    email      = "it@%[5]s"
    first_name = "Customer"
    last_name  = "IT"
  }
}

domain "mail_%[2]d" {
  tenant      = tenant.%[1]s
  name        = %[3]q
  purpose     = "relay"
  destination = "customer-%[2]d-example.mail.protection.outlook.com"
}

sync_policy "people_%[2]d" {
  tenant = tenant.%[1]s
  engine = "weir"
%[6]s}
`, key, i, domain, w.Tenant(domain).ID, domain, policy)
}

// accepted are the addresses that an organization accepts mail for.
func (s *site) accepted(domain string) map[string]bool {
	w := s.server.World()
	w.RLock()
	defer w.RUnlock()
	out := map[string]bool{}
	for _, u := range w.Organization(domain).Users {
		if !u.IsActive {
			continue
		}
		out[strings.ToLower(u.PrimaryEmail)] = true
		for _, a := range u.Aliases {
			out[strings.ToLower(a)] = true
		}
	}
	return out
}

func (s *site) clock() time.Time {
	w := s.server.World()
	w.RLock()
	defer w.RUnlock()
	return w.Clock
}

// TestSyncOfCustomers: each customer has an end of its own, and what was applied counts even when its block is lost,
// has another key, or stands beside a mistake.
func TestSyncOfCustomers(t *testing.T) {
	s := syncedCustomers(t, world.Spec{Tenants: 2, Users: 12, Groups: 2, Seed: 1}, "")
	says := func(out string, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(out, text) {
				t.Errorf("the output does not say %q:\n%s", text, out)
			}
		}
	}
	hire := func(i int, name string) {
		s.portal(fmt.Sprintf(`{"tenant": "customer-%d.example", "person": "%s@customer-%d.example", "add": {}}`, i, name, i))
	}
	called := func(n int) {
		t.Helper()
		if calls := s.changes(); len(calls) != n {
			t.Errorf("%d changing calls, want %d:\n%s", len(calls), n, strings.Join(calls, "\n"))
		}
	}
	says(s.weir(0, "sync"), "Sync complete: nothing was changed")

	// One customer's organization refuses: the other goes on.
	hire(1, "nora")
	hire(2, "otto")
	if err := s.server.Fault(sim.Rule{Vendor: "essentials", Tenant: "customer-2.example", Action: sim.Action{Status: 403}}); err != nil {
		t.Fatal(err)
	}
	says(s.weir(6, "sync"), "+ nora@customer-1.example", "c1      0", "c2      6     not all could be read", "1 tenant needs somebody")
	called(1)
	s.server.ClearFaults()
	if out := s.weir(0, "sync", "--tenant", "c1"); strings.Contains(out, "c2") {
		t.Errorf("a customer that was not selected is spoken of:\n%s", out)
	}
	called(0)

	// The block of a customer is lost, as with a row of a table.
	block := s.read("customer-2.weir.hcl")
	s.write("customer-2.weir.hcl", "")
	says(s.weir(0, "sync"), "+ otto@customer-2.example", "no block claims this tenant")
	called(1)
	s.weir(4, "plan")

	// It comes back under another key: synced where state has it, until an apply moves the state.
	w := s.server.World()
	s.write("customer-2.weir.hcl", customerBlock(w, 2, "second", ""))
	hire(2, "pia")
	says(s.weir(0, "sync"), `state has it under the key "c2"`, "+ pia@customer-2.example")
	called(1)
	s.weir(0, "apply", "--auto-approve")
	called(0)
	if out := s.weir(0, "sync"); strings.Contains(out, "Note:") {
		t.Errorf("something is left to say:\n%s", out)
	}

	// Another identity in the files is none that was applied.
	s.write("customer-2.weir.hcl", strings.Replace(customerBlock(w, 2, "second", ""), `"customer-2.example"`, `"elsewhere.example"`, 1))
	hire(2, "quin")
	s.weir(1, "plan")
	says(s.weir(0, "sync"), "+ quin@customer-2.example", "the files are not what was applied")
	called(1)
	s.write("customer-2.weir.hcl", strings.ReplaceAll(block, "tenant.c2", "tenant.second"))
	s.write("customer-2.weir.hcl", customerBlock(w, 2, "second", ""))

	// A mistake in the files stops no sync as long as the tenants can be told.
	s.write("broken.weir.hcl", "variable \"x\" {\n  default = \"x\"\n}\n\naccount \"x\" {\n  tenant = tenant.c1\n  email  = tonumber(var.x)\n  type   = \"end_user\"\n}\n")
	hire(1, "rosa")
	s.weir(1, "plan")
	says(s.weir(0, "sync"), "the files cannot be evaluated", "+ rosa@customer-1.example")
	called(1)
}

// The day of TestSyncOfADay.
const (
	dayDomain = "customer-1.example"
	dayLimit  = 6
	dayWindow = 12 // hours
	misclick  = 80
)

// hour is what one run of the day did.
type hour struct {
	code int
	last string
}

// day runs 24 hourly syncs while people come, go and are renamed, somebody removes 80 people by mistake for three hours,
// the directory is away for an hour, the sign-in is refused for another, and three hours begin with tokens that the
// directory does not know any more. It returns the hours, and every way in which
// the day surprised somebody.
func day(t *testing.T, safeguard string) (s *site, hours []hour, surprises []string) {
	s = syncedCustomers(t, world.Spec{Tenants: 1, Users: 240, Groups: 12, Seed: 4}, safeguard)
	surprise := func(h int, format string, args ...any) {
		surprises = append(surprises, fmt.Sprintf("hour %2d: ", h)+fmt.Sprintf(format, args...))
	}
	person := func(address, what string) {
		s.portal(fmt.Sprintf(`{"tenant": %q, "person": %q, %s}`, dayDomain, address, what))
	}
	people := s.people()
	take := func() string { p := people[0]; people = people[1:]; return p }

	hired, left, lost := map[string]bool{}, map[string]bool{}, map[string]bool{}
	hire := func(h, n int) {
		address := fmt.Sprintf("hire%d-%d@%s", h, n, dayDomain)
		person(address, `"add": {}`)
		hired[address] = true
	}
	leave := func(n int) {
		for range n {
			p := take()
			person(p, `"remove": true`)
			left[p] = true
		}
	}
	var removals []time.Time
	before := s.accepted(dayDomain)
	for h := 1; h <= 24; h++ {
		if err := s.server.Advance(time.Hour); err != nil {
			t.Fatal(err)
		}
		hire(h, 1)
		switch h {
		case 2, 4, 6, 9:
			leave(1)
		case 3, 15, 22:
			hire(h, 2)
			p := take()
			local, _, _ := strings.Cut(p, "@")
			fresh := local + ".new@" + dayDomain
			person(p, fmt.Sprintf(`"set": {"upn": %[1]q, "mail": %[1]q, "proxy_addresses": ["SMTP:%[1]s", "smtp:%[2]s"]}`, fresh, p))
			hired[fresh] = true
		case 8:
			for range misclick {
				p := take()
				person(p, `"remove": true`)
				lost[p] = true
			}
		case 11:
			for p := range lost {
				person(p, `"restore": true`)
			}
		case 17:
			leave(3)
		case 20:
			leave(2)
		case 21:
			leave(1) // one too many within twelve hours: the one that was done at 11 is out of the window at 23
		}
		faults := map[int][]sim.Rule{
			13: {{Vendor: "graph", Action: sim.Action{Status: 503}}},
			16: {{Vendor: "login", Action: sim.Action{Status: 401}}},
			18: {{Vendor: "graph", Action: sim.Action{Status: 401}}},
		}[h]
		// Tokens that expired, or that the directory asks to forget, cost a full read and nothing else: also while 80 people
		// are missing.
		forgotten := map[int]string{5: "expired", 9: "reset", 14: "expired"}[h]
		tokens := slices.Clone(faults)
		if forgotten != "" {
			for _, list := range []string{"users", "groups"} {
				tokens = append(tokens, sim.Rule{Vendor: "graph", Path: "/v1.0/" + list + "/delta*", Times: 1, Action: sim.Action{DeltaToken: forgotten}})
			}
		}
		if err := s.server.Fault(tokens...); err != nil {
			t.Fatal(err)
		}
		s.server.ClearJournal()
		code, out, stderr := s.run("sync")
		s.server.ClearFaults()
		full := slices.ContainsFunc(s.server.Journal(), func(e sim.Entry) bool { return e.Path == "/v1.0/users" })
		// 80 who are missing are more than are asked about one by one, so they too are looked for in a full read.
		if due := forgotten != "" || h >= 8 && h <= 10; due != full && len(faults) == 0 {
			surprise(h, "the users were read in full: %v, and that was due: %v", full, due)
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		hours = append(hours, hour{code, lines[len(lines)-1]})
		if code == 1 || code == 8 {
			t.Fatalf("hour %d: exit status %d\n%s\n%s", h, code, tail(out), tail(stderr))
		}

		now := s.accepted(dayDomain)
		for address := range lost {
			if !now[address] {
				surprise(h, "%s, who never left, does not receive", address)
			}
		}
		for address := range before {
			if !now[address] {
				removals = append(removals, s.clock())
				if !left[address] && !lost[address] && !left[principalOf(s, address)] {
					surprise(h, "%s stopped receiving, and did not leave", address)
				}
			}
		}
		within := 0
		for _, at := range removals {
			if s.clock().Sub(at) < dayWindow*time.Hour {
				within++
			}
		}
		if within > dayLimit {
			surprise(h, "%d addresses stopped receiving within %d hours, and %d may", within, dayWindow, dayLimit)
		}
		if len(faults) == 0 {
			for address := range hired {
				if !now[address] {
					surprise(h, "%s came, and does not receive", address)
				}
			}
		}
		before = now
	}
	for _, address := range slices.Sorted(maps.Keys(left)) {
		if before[address] {
			surprise(24, "%s left, and still receives", address)
		}
	}
	for _, address := range s.addresses() {
		if !before[address] {
			surprise(24, "the directory has %s, and it does not receive", address)
		}
	}
	return s, hours, surprises
}

// people are addresses of the persons of the day, whose accounts have no alias, sorted.
func (s *site) people() []string {
	w := s.server.World()
	w.RLock()
	defer w.RUnlock()
	var out []string
	for _, p := range w.Tenant(dayDomain).People {
		if p.MailboxKind == "UserMailbox" && p.Enabled && p.Licensed && len(p.ProxyAddresses) == 1 {
			out = append(out, strings.ToLower(p.Mail))
		}
	}
	slices.Sort(out)
	return out
}

// addresses are those that the directory has for people with a mailbox of their own.
func (s *site) addresses() []string {
	w := s.server.World()
	w.RLock()
	defer w.RUnlock()
	var out []string
	for _, p := range w.Tenant(dayDomain).People {
		if p.MailboxKind != "UserMailbox" {
			continue
		}
		for _, a := range p.ProxyAddresses {
			if kind, address, _ := strings.Cut(a, ":"); strings.EqualFold(kind, "smtp") && strings.HasSuffix(strings.ToLower(address), "@"+dayDomain) {
				out = append(out, strings.ToLower(address))
			}
		}
	}
	return out
}

// principalOf is the primary address of the account that has an address.
func principalOf(s *site, address string) string {
	w := s.server.World()
	w.RLock()
	defer w.RUnlock()
	for _, u := range w.Organization(dayDomain).Users {
		if slices.Contains(u.Aliases, address) {
			return strings.ToLower(u.PrimaryEmail)
		}
	}
	return address
}

// TestSyncOfADay: a day of hourly runs keeps its limits in every window, lets hires through in every hour that can be read,
// and loses nobody: not one of the 80 that a mis-click removes stops receiving, and in the end the accounts are what the
// directory says. Run with -v it prints each hour.
func TestSyncOfADay(t *testing.T) {
	limits := fmt.Sprintf("  safeguard {\n    max_removals        = %d\n    max_removal_percent = 10\n    window              = \"%dh\"\n  }\n", dayLimit, dayWindow)
	s, hours, surprises := day(t, limits)
	want := map[int]int{8: 4, 9: 4, 10: 4, 13: 6, 16: 6, 18: 6, 21: 4, 22: 4}
	for i, h := range hours {
		t.Logf("hour %2d  exit %d  %s", i+1, h.code, h.last)
		if h.code != want[i+1] {
			t.Errorf("hour %d ended with %d, want %d", i+1, h.code, want[i+1])
		}
	}
	for _, text := range surprises {
		t.Error(text)
	}
	s.empty()
	s.weir(0, "drift")

	// The twin: without the limits the same day takes the 80 away, and the checks above say so.
	_, _, surprises = day(t, "  safeguard {\n    max_removals        = 1000\n    max_removal_percent = 100\n    max_conversions     = 1000\n  }\n")
	refused, exceeded := 0, 0
	for _, text := range surprises {
		if strings.Contains(text, "never left") {
			refused++
		}
		if strings.Contains(text, "within 12 hours") {
			exceeded++
		}
	}
	if refused < misclick || exceeded == 0 {
		t.Errorf("without limits %d refusals and %d exceeded windows are seen, want at least %d and one", refused, exceeded, misclick)
	}
}
