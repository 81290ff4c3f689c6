package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/weir-project/weir/providers/sim/world"
)

// takesAway are the calls that delete or switch something off.
var takesAway = regexp.MustCompile(`DELETE|Remove-|Disable-|removePassword|/removeKey`)

// foreign is what the day-1 customer has that nobody declares: it must outlive adoption and destroy as it is.
func (s *site) foreign() string {
	s.t.Helper()
	w := s.server.World()
	w.RLock()
	defer w.RUnlock()
	o, t := w.Organization("northwind.example"), w.Tenant("northwind.example")
	kept := map[string]any{
		"exemptions": o.Exemptions, "features": o.Features, "allow": o.Allow, "block": o.Block, "login": o.Login, "licenses": o.Licenses,
		"groups": t.Groups, "contacts": t.Contacts, "people": t.People, "filter": t.Exchange.Filter, "config": t.Exchange.Config,
		"inbound": t.Exchange.Inbound, "outbound": t.Exchange.Outbound, "rules": t.Exchange.Rules,
	}
	for _, local := range []string{"scanner", "fax", "postmaster", "helpdesk", "essentials-admin", "gone1", "gone2", "ceo"} {
		kept[local] = o.User(local + "@northwind.example")
	}
	for _, a := range t.Applications {
		if len(a.Secrets) > 0 {
			kept["secret "+a.AppID] = a.Secrets[0] // the first is the one that was there
		}
	}
	data, err := json.MarshalIndent(kept, "", " ")
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

// TestDayOne: a live customer of 120 people comes under management. What is there is recognised by what it does, under
// whatever name; only what is declared changes, nothing is taken away, and then there is nothing to do. Taking it down
// again gives back what was found.
func TestDayOne(t *testing.T) {
	s := newSite(t, "msp", world.MSP())
	only := []string{"--tenant", "northwind"}
	before := s.foreign()
	accounts := s.accounts("northwind.example")

	plan := s.weir(2, append(only, "plan", "--detailed-exitcode")...)
	for _, want := range []string{
		`m365_connector.inbound  "Inbound from ProofPoint"  (adopt)`, `m365_connector.outbound  "Proofpoint - Outbound"  (adopt)`,
		`mail_flow_rule.bypass  "Bypass Spam Filter (PPE)"  (adopt)`, `app_registration.sync  "Proofpoint Azure AD Sync"  (adopt)`,
		`tenant.this  "Northwind Traders"  (adopt)`, `sync_policy.people  "Azure Directory Sync"  (adopt)`,
		"101 existing accounts are recognised", "0 to destroy", "6 accounts have no directory entry and nobody manages them",
	} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan does not say %s", want)
		}
	}
	for _, never := range []string{"Stops receiving", "Deleting", "Disabling", "  -   module"} {
		if strings.Contains(plan, never) {
			t.Errorf("the first plan says %q", never)
		}
	}
	if t.Failed() {
		t.Log(plan)
	}
	if calls := s.changes(); len(calls) > 0 {
		t.Fatalf("plan made changing calls: %q", calls)
	}

	s.weir(0, append(only, "apply", "--auto-approve")...)
	for _, call := range s.changes() {
		if takesAway.MatchString(call) || strings.HasPrefix(call, "exchange ") || strings.Contains(call, "/orgs/msp.example") {
			t.Errorf("adopting made the call %s", call)
		}
	}
	if after := s.foreign(); after != before {
		t.Errorf("adopting changed what nobody declares:\n%s", firstDifference(before, after))
	}
	s.empty(only...)
	s.weir(0, append(only, "drift")...)
	s.settle()
	s.empty(only...)
	if calls := s.changes(); len(calls) > 0 {
		t.Errorf("reading made changing calls: %q", calls)
	}

	// Everybody who had an account has one still, under the same number and taking mail if it did.
	now := s.accounts("northwind.example")
	for uid, was := range accounts {
		if have, ok := now[uid]; !ok || was.IsActive && !have.IsActive {
			t.Errorf("account %s: there %t", was.PrimaryEmail, ok)
		}
	}

	// Taken down: what Weir made goes, what it found is released and stays.
	made := map[string]bool{}
	for uid, u := range now {
		if _, ok := accounts[uid]; !ok {
			made[u.PrimaryEmail] = true
		}
	}
	// While mail arrives at the gateway, nobody's account goes. So mail is led elsewhere first.
	for _, domain := range []string{"northwind.example", "northwind-sales.example"} {
		s.portal(map[string]any{"zone": domain, "mx": []map[string]any{{"preference": 0, "host": "elsewhere.example"}}})
	}
	before = s.foreign()
	s.weir(0, append(only, "destroy", "--auto-approve")...)
	for _, call := range s.changes() {
		user := regexp.MustCompile(`DELETE /api/v1/orgs/northwind.example/users/(\S+)`).FindStringSubmatch(call)
		if (user == nil || !made[user[1]]) && !strings.Contains(call, "DELETE /api/v1/orgs/northwind.example/domains/nw-labs.example") {
			t.Errorf("destroy made the call %s", call)
		}
	}
	if after := s.foreign(); after != before {
		t.Errorf("destroy changed what it did not make:\n%s", firstDifference(before, after))
	}
	if left := s.accounts("northwind.example"); len(left) != len(accounts) {
		t.Errorf("%d accounts are left, there were %d", len(left), len(accounts))
	}
}

// accounts are the accounts of an organization as they are now, by number.
func (s *site) accounts(domain string) map[int]world.User {
	w := s.server.World()
	w.RLock()
	defer w.RUnlock()
	out := map[int]world.User{}
	for _, u := range w.Organization(domain).Users {
		out[u.UID] = *u
	}
	return out
}
