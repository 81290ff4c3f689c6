package planner

import (
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/resource"
)

// customer is a part that adds domains and accounts in an organization which has domains already.
func customer(key, stack string, has []string, adds []string, accounts ...string) *Part {
	p := &Part{Tenant: resource.Identity{Key: key, Stack: stack}, Status: Ready, registered: has, AccountPolicy: "sync_policy.p", Accounts: &dirsync.Result{}}
	for _, name := range adds {
		p.Changes = append(p.Changes, &Change{Address: "domain." + name, Type: "domain", Action: Create, Before: cty.NilVal, After: domainValue(name, "relay", true), Wanted: domainValue(name, "relay", true)})
	}
	for _, a := range accounts {
		p.Accounts.Decisions = append(p.Accounts.Decisions, dirsync.Decision{Action: dirsync.Add, Address: a, After: mailAccount(true, a)})
	}
	p.Forecast = &Forecast{Licences: Licences{After: len(accounts)}, Recipients: &Recipients{After: Accepted{Accepted: len(accounts)}}}
	return p
}

func heldIn(p *Part) string {
	var out []string
	for _, c := range p.Changes {
		if c.Held != "" {
			out = append(out, c.Address)
		}
	}
	for _, d := range p.Accounts.Decisions {
		if d.Held != "" {
			out = append(out, d.Address)
		}
	}
	return strings.Join(out, " ")
}

func TestTenantsOfOneMSPCollide(t *testing.T) {
	for _, row := range []struct {
		name  string
		parts []*Part
		held  []string
		notes []int
	}{
		{"nothing in common", []*Part{customer("a", "us1", nil, []string{"a.example"}, "x@a.example"), customer("b", "us1", nil, []string{"b.example"})}, []string{"", ""}, []int{0, 0}},
		{"both add one domain", []*Part{
			customer("a", "us1", []string{"a.example"}, []string{"both.example"}, "x@a.example", "x@both.example"),
			customer("b", "us1", nil, []string{"b.example", "both.example"}, "y@b.example"),
		}, []string{"domain.both.example x@both.example", "domain.both.example"}, []int{0, 0}},
		{"one has it", []*Part{
			customer("a", "us1", []string{"a.example"}, nil, "new@a.example"),
			customer("b", "us1", []string{"b.example"}, []string{"a.example"}, "y@a.example", "y@b.example"),
		}, []string{"", "domain.a.example y@a.example"}, []int{1, 0}},
		{"on another stack", []*Part{customer("a", "us1", []string{"a.example"}, nil), customer("b", "eu1", nil, []string{"a.example"}, "y@a.example")}, []string{"", ""}, []int{0, 0}},
		{"its own domain made again", []*Part{customer("a", "us1", []string{"a.example"}, []string{"a.example"}), customer("b", "us1", nil, nil)}, []string{"", ""}, []int{0, 0}},
		{"three of them", []*Part{customer("a", "us1", nil, []string{"d.example"}), customer("b", "us1", nil, []string{"d.example"}), customer("c", "us1", nil, []string{"d.example"})},
			[]string{"domain.d.example", "domain.d.example", "domain.d.example"}, []int{0, 0, 0}},
	} {
		t.Run(row.name, func(t *testing.T) {
			Collide(row.parts)
			for i, p := range row.parts {
				if got := heldIn(p); got != row.held[i] || len(p.Notes) != row.notes[i] {
					t.Errorf("tenant %s: held %q, notes %q", p.Tenant.Key, got, p.Notes)
				}
				if blocked := row.held[i] != ""; blocked != (p.Status == Held) || blocked != (len(p.Guards) > 0) || blocked != (p.Forecast.Recipients.Unknown != "") {
					t.Errorf("tenant %s: status %s, guards %v, forecast %+v", p.Tenant.Key, p.Status, p.Guards, p.Forecast.Recipients)
				}
				going := 0
				for _, d := range p.Accounts.Decisions {
					if d.Held == "" {
						going++
					}
				}
				if p.Forecast.Licences.After != going {
					t.Errorf("tenant %s: %d seats forecast, %d added", p.Tenant.Key, p.Forecast.Licences.After, going)
				}
			}
		})
	}
}

func TestApplyHoldsWhatThePlanFoundToCollide(t *testing.T) {
	fresh := func() *Part {
		return customer("a", "us1", nil, []string{"both.example", "alone.example"}, "x@both.example", "y@alone.example")
	}
	planned := fresh()
	Collide([]*Part{planned, customer("b", "us1", nil, []string{"both.example"})})
	again := fresh()
	again.CollideAs(planned)
	if got := heldIn(again); got != heldIn(planned) || got != "domain.both.example x@both.example" || again.Status != Held || again.Guards[0].Text != planned.Guards[0].Text {
		t.Errorf("held %q, planned %q, guards %+v", got, heldIn(planned), again.Guards)
	}
	free := fresh()
	free.CollideAs(fresh())
	if heldIn(free) != "" || free.Status != Ready {
		t.Errorf("held %q", heldIn(free))
	}
}

func TestAccountsWaitForADomainThatIsHeld(t *testing.T) {
	for _, held := range []string{"", "a guard"} {
		p := customer("a", "us1", []string{"a.example"}, []string{"new.example"}, "x@new.example", "y@a.example")
		p.Changes[0].Held = held
		ann := mailAccount(true, "ann@a.example", "old@a.example")
		bob := mailAccount(true, "bob@a.example")
		p.Accounts.Decisions = append(p.Accounts.Decisions,
			dirsync.Decision{Action: dirsync.Update, Address: "ann@a.example", Before: ann, After: mailAccount(true, "ann@a.example"), Loses: []string{"lost@a.example"}},
			dirsync.Decision{Action: dirsync.Update, Address: "bob@a.example", Before: bob, After: mailAccount(true, "bob@a.example", "bob@new.example", "old@a.example"), Needs: []string{"ann@a.example"}},
			dirsync.Decision{Action: dirsync.Update, Address: "has@a.example", Before: mailAccount(true, "has@a.example", "has@new.example"), After: mailAccount(true, "has@a.example", "has@new.example", "h@a.example")},
		)
		p.Accounts.StopsReceiving = []dirsync.Stop{{Address: "lost@a.example", Why: "x"}}
		p.holdHomeless()
		want, stops := "", 1
		if held != "" {
			want, stops = "domain.new.example x@new.example ann@a.example bob@a.example", 0
		}
		if got := heldIn(p); got != want || len(p.Accounts.StopsReceiving) != stops {
			t.Errorf("held %q, want %q; stops %v", got, want, p.Accounts.StopsReceiving)
		}
	}
}

func TestRegisteredDomains(t *testing.T) {
	o := &Observation{Objects: map[string]Reading{"domain": {Live: []resource.Live{{Value: domainValue("A.example", "relay", true)}, {Value: domainValue("b.example", "management", false)}}}}}
	if got := registered(o); !slices.Equal(got, []string{"a.example", "b.example"}) {
		t.Errorf("got %v", got)
	}
}
