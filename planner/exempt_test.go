package planner

import (
	"fmt"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// TestExemptAsThePlanLeavesIt: an address is off the vendor's list once nobody wants it there, whatever the order of those
// who let go of it and those who want it.
func TestExemptAsThePlanLeavesIt(t *testing.T) {
	block := func(name string, action Action, before, after []string) *Change {
		c := &Change{Address: "exemption." + name, Type: "exemption", Action: action, Before: cty.NilVal, After: cty.NilVal}
		if before != nil {
			c.Before = exemptionValue("additive", before...)
		}
		if after != nil {
			c.After = exemptionValue("additive", after...)
		}
		return c
	}
	held := func(c *Change) *Change { c.Held = "a guard"; return c }
	a, b := []string{"a@x.example"}, []string{"b@x.example"}
	both := []string{"a@x.example", "b@x.example"}
	for _, row := range []struct {
		name      string
		converted string
		protected string
		changes   []*Change
		want      string
	}{
		{"nothing changes", "", "", []*Change{block("e", NoOp, both, both)}, "[a@x.example b@x.example c@x.example]"},
		{"one lets go", "", "", []*Change{block("e", Update, both, a)}, "[a@x.example c@x.example]"},
		{"another wants it", "", "", []*Change{block("e", Update, both, a), block("f", NoOp, b, b)}, "[a@x.example b@x.example c@x.example]"},
		{"another wants it, told first", "", "", []*Change{block("f", NoOp, b, b), block("e", Update, both, a)}, "[a@x.example b@x.example c@x.example]"},
		{"one goes, another wants a part", "", "", []*Change{block("f", NoOp, a, a), block("e", Delete, both, nil)}, "[a@x.example c@x.example]"},
		{"one goes, but is held", "", "", []*Change{held(block("e", Delete, both, nil)), block("f", Update, both, a)}, "[a@x.example b@x.example c@x.example]"},
		{"one is released", "", "", []*Change{block("e", Release, []string{"b@x.example", "never@x.example"}, nil), block("f", Update, both, a)}, "[a@x.example b@x.example c@x.example]"},
		{"Weir made it functional", "b@x.example", "", []*Change{block("e", Update, both, a)}, "[a@x.example b@x.example c@x.example]"},
		{"Weir made it functional, and it is on no list", "d@x.example", "", []*Change{block("e", Update, both, a)}, "[a@x.example c@x.example]"},
		{"the safeguard protects it", "", "b@x.example", []*Change{block("e", Update, both, a)}, "[a@x.example b@x.example c@x.example]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			req := &Request{Prior: &state.State{}, Observed: &Observation{Objects: map[string]Reading{
				"exemption": {Live: []resource.Live{{Value: exemptionValue("", "a@x.example", "B@x.example", "c@x.example")}}},
			}}}
			if row.converted != "" {
				req.Prior.Accounts.Put(&state.Account{Address: row.converted, Converted: true})
			}
			p := &Part{Changes: row.changes}
			if row.protected != "" {
				p.safeguard = &dirsync.Safeguard{Protected: []string{row.protected}}
			}
			got, err := p.exempt(req)
			if err != nil || fmt.Sprint(got) != row.want {
				t.Errorf("got %v, %v, want %s", got, err, row.want)
			}
		})
	}
}
