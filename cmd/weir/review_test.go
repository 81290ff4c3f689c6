package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

// TestReviewOfManyCustomers: one review over all customers of a module tells them apart, and an exemption belongs to its
// own: it stands in the root module, where every tenant can be named.
func TestReviewOfManyCustomers(t *testing.T) {
	f := newFleet(t, 3)
	f.weir(0, "apply", "--auto-approve")
	f.empty()
	w := f.server.World()
	w.RLock()
	until := w.Clock.AddDate(0, 2, 0).Format(time.DateOnly)
	var gone, keys []string
	for _, tenant := range w.Tenants {
		if tenant.ID != w.Automation.TenantID {
			gone = append(gone, withAccount(t, w, tenant))
			keys = append(keys, strings.TrimSuffix(domainOf(tenant), ".example"))
		}
	}
	w.RUnlock()
	for i, mail := range gone {
		f.portal(fmt.Sprintf(`{"tenant": %q, "person": %q, "remove": true}`, keys[i]+".example", mail))
	}
	f.changes()

	f.answer = gone[0] + "\ne\nthe first\n\n\nu\n" + gone[1] + "\n" + until + "\n\nyes\n"
	out := f.weir(0, "apply", "--review")
	if got := len(f.changes()); got != 2 { // the exemption of one, the disabling of another
		t.Errorf("%d changing calls\n%s", got, tail(out))
	}
	text := f.read("exemptions.weir.hcl")
	for _, want := range []string{fmt.Sprintf(`tenant    = module.customer[%q].tenant.`, keys[0]), fmt.Sprintf(`addresses = [%q]`, gone[0])} {
		if !strings.Contains(text, want) {
			t.Errorf("the file lacks %s:\n%s", want, text)
		}
	}
	f.weir(0, "validate")
	f.empty()

	var skips struct {
		Weir struct {
			Skips []struct{ Mail, Until string }
		}
	}
	for i, key := range keys {
		skips.Weir.Skips = nil
		if err := json.Unmarshal([]byte(f.weir(0, "state", "show", "--json", "--tenant", key)), &skips); err != nil {
			t.Fatal(err)
		}
		if got := len(skips.Weir.Skips); got != 0 != (i == 1) {
			t.Errorf("%s has %d skips", key, got)
		}
	}
}

// withAccount is a person of a generated tenant who has an account of her own.
func withAccount(t *testing.T, w *world.World, tenant *world.Tenant) string {
	t.Helper()
	o := w.Organization(domainOf(tenant))
	for _, p := range tenant.People {
		if u := o.User(strings.ToLower(p.Mail)); u != nil && u.IsActive && u.Type == "end_user" {
			return strings.ToLower(p.Mail)
		}
	}
	t.Fatalf("nobody in %s has an account", domainOf(tenant))
	return ""
}
