package planner

import (
	"fmt"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/providers/resource"
)

// TestDomainsThatThePlanLeaves: an alias is given up along with its domain only when the domain goes in this plan, and taken
// only when its domain is there or comes. What a guard holds, or a selection leaves out, neither goes nor comes.
func TestDomainsThatThePlanLeaves(t *testing.T) {
	goes := Change{Address: "domain.old", Type: "domain", Action: Delete, Before: domainValue("old.example", "relay", true), After: cty.NilVal}
	comes := Change{Address: "domain.new", Type: "domain", Action: Create, Before: cty.NilVal, After: domainValue("new.example", "relay", true)}
	stays := Change{Address: "domain.x", Type: "domain", Action: Update, Before: domainValue("x.example", "relay", true), After: domainValue("x.example", "management", true)}
	for _, row := range []struct {
		name              string
		guard             []string
		targets, excludes []string
		want              string
	}{
		{"all of it", nil, nil, nil, "[m.example new.example x.example]"},
		{"the domain is held", []string{"its MX records point at the gateway"}, nil, nil, "[m.example new.example old.example x.example]"},
		{"the domain is left out", nil, nil, []string{"domain.old"}, "[m.example new.example old.example x.example]"},
		{"something else alone", nil, []string{"sync_policy.p"}, nil, "[m.example old.example x.example]"},
		{"the domain alone", nil, []string{"domain.old"}, nil, "[m.example x.example]"},
		{"the new one is left out", nil, nil, []string{"domain.new"}, "[m.example x.example]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			req := forecastWorld()
			req.Frame, req.Registry, req.Targets, req.Excludes = &config.Frame{}, tenantTypes(), row.targets, row.excludes
			req.Registry.Type("domain").Guard = func(r *resource.GuardRequest) []string {
				if r.Action != "delete" || r.AddressesIn("old.example") > 0 {
					return nil // addresses in it are what is about to be given up
				}
				return row.guard
			}
			reading := req.Observed.Objects["domain"]
			reading.Live = append(reading.Live, resource.Live{Value: domainValue("old.example", "relay", true)})
			req.Observed.Objects["domain"] = reading
			old, fresh, x := goes, comes, stays
			p := &Part{Changes: []*Change{&old, &fresh, &x}}
			var names []string
			for _, d := range p.domains(req) {
				names = append(names, d.Name)
			}
			if got := fmt.Sprint(names); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}
