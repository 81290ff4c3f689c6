package apply

import (
	"fmt"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// TestBlockLetsGoOfItsOwnAlone: what a block is about to take off a shared list is what nobody else wants there.
func TestBlockLetsGoOfItsOwnAlone(t *testing.T) {
	list := func(addresses ...string) cty.Value {
		return cty.ObjectVal(map[string]cty.Value{members: resource.StringSet(addresses)})
	}
	change := func(name string, action planner.Action, before, after cty.Value) *planner.Change {
		return &planner.Change{Address: "exemption." + name, Type: "exemption", Action: action, Before: before, After: after}
	}
	object := func(name string, v cty.Value) *state.Object {
		return &state.Object{Address: "exemption." + name, Type: "exemption", Values: v, Previous: cty.NilVal}
	}
	shared := &resource.Type{Name: "exemption", Project: func(l resource.Live, _, _ cty.Value) (resource.Live, bool) { return l, true }}
	held := change("f", planner.Update, list("b@x.example"), list("c@x.example"))
	held.Held = "a guard"
	for _, row := range []struct {
		name   string
		typ    *resource.Type
		state  cty.Value // of the other block
		other  *planner.Change
		engine string
		want   string
	}{
		{"nobody else", shared, cty.NilVal, nil, "weir", "[a@x.example b@x.example]"},
		{"another has it", shared, list("b@x.example"), nil, "weir", "[a@x.example]"},
		{"another begins with it", shared, cty.NilVal, change("f", planner.Create, cty.NilVal, list("B@x.example")), "weir", "[a@x.example]"},
		{"another lets go of it, too", shared, list("b@x.example"), change("f", planner.Update, list("b@x.example"), list("c@x.example")), "weir", "[a@x.example b@x.example]"},
		{"another was to let go of it and is held", shared, list("b@x.example"), held, "weir", "[a@x.example]"},
		{"another goes after it", shared, list("b@x.example"), change("f", planner.Delete, list("b@x.example"), cty.NilVal), "weir", "[a@x.example]"},
		{"Weir made it functional", shared, cty.NilVal, nil, "essentials", "[b@x.example]"},
		{"a list of its own", &resource.Type{Name: "exemption"}, list("b@x.example"), nil, "weir", "[a@x.example b@x.example]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := change("e", planner.Update, list("a@x.example", "b@x.example"), list())
			r := &run{part: map[string]*planner.Change{c.Address: c}}
			r.Part = &planner.Part{AccountPolicy: "sync_policy.p", Changes: []*planner.Change{c}}
			r.State = &state.State{Objects: map[string]*state.Object{
				"exemption.e":   object("e", list("a@x.example", "b@x.example")),
				"sync_policy.p": {Address: "sync_policy.p", Type: "sync_policy", Values: cty.ObjectVal(map[string]cty.Value{"engine": cty.StringVal(row.engine)})},
			}}
			r.State.Accounts.Put(&state.Account{Address: "a@x.example", Converted: true})
			if row.state != cty.NilVal {
				r.State.Objects["exemption.f"] = object("f", row.state)
			}
			if row.other != nil {
				r.Part.Changes, r.part[row.other.Address] = append(r.Part.Changes, row.other), row.other
			}
			got, _ := resource.Words(r.ownAlone(row.typ, c, c.Before), members)
			if fmt.Sprint(got) != row.want {
				t.Errorf("takes off %v, want %s", got, row.want)
			}
		})
	}
}
