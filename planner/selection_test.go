package planner

import (
	"fmt"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/state"
)

// TestWhatASelectionLeavesOutHoldsNobody: an account that is left out of the run counts towards no limit of it, and its
// selection still names something.
func TestWhatASelectionLeavesOutHoldsNobody(t *testing.T) {
	account := func(name string) string { return AccountAddress("sync_policy.p", name+"@x.example") }
	for _, row := range []struct {
		name              string
		targets, excludes []string
		applied, held     string
	}{
		{name: "all of it is too much", held: "[ann@x.example bob@x.example]"},
		{name: "one is left out", excludes: []string{account("ann")}, applied: "[bob@x.example]", held: "[]"},
		{name: "one alone", targets: []string{account("ann")}, applied: "[ann@x.example]", held: "[]"},
		{name: "all of them", targets: []string{"disable"}, held: "[ann@x.example bob@x.example]"},
		{name: "something else is left out", excludes: []string{account("new")}, held: "[ann@x.example bob@x.example]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			req := forecastWorld()
			req.Frame, req.Registry, req.AcceptRemovals, req.Targets, req.Excludes = &config.Frame{}, tenantTypes(), -1, row.targets, row.excludes
			req.Now, req.Prior = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), &state.State{}
			zoe := mailEntry("z", directory.User, "zoe@x.example")
			zoe.HasProxy = true
			fresh := mailEntry("n", directory.User, "new@x.example")
			fresh.HasProxy = true
			req.Observed.Directory.Entries = []*directory.Entry{fresh, zoe}
			req.Observed.Accounts.Accounts = nil
			for i, name := range []string{"ann", "bob", "zoe"} {
				a := mailAccount(true, name+"@x.example")
				a.UID, a.Type = i+1, directory.EndUser
				req.Observed.Accounts.Accounts = append(req.Observed.Accounts.Accounts, a)
				id := name[:1]
				req.Prior.Accounts.Put(&state.Account{Address: a.Address, UID: a.UID, ObjectID: id, Policy: "sync_policy.p", Kind: string(directory.User), Hash: dirsync.Hash(a), Ownership: state.Created})
			}
			safeguard := cty.ObjectVal(map[string]cty.Value{"max_removals": cty.NumberIntVal(1), "max_removal_percent": cty.NumberIntVal(100)})
			policy := &Change{Address: "sync_policy.p", Type: "sync_policy", Action: NoOp, Before: cty.NilVal, Wanted: policyValue("weir", safeguard), After: policyValue("weir", safeguard)}
			p := &Part{Changes: []*Change{policy}}
			p.accounts(req, NewObjects(req), nil)
			selectItems(p, req)
			applied, held := []string{}, []string{}
			for _, d := range p.Accounts.Decisions {
				switch {
				case d.Action != dirsync.Disable:
				case d.Held != "":
					held = append(held, d.Address)
				default:
					applied = append(applied, d.Address)
				}
			}
			if row.applied == "" {
				row.applied = "[]"
			}
			if fmt.Sprint(applied) != row.applied || fmt.Sprint(held) != row.held {
				t.Errorf("applied %v, held %v, want %s and %s", applied, held, row.applied, row.held)
			}
			for _, s := range append(row.targets, row.excludes...) {
				if !p.Matched[s] {
					t.Errorf("%s counts as matching nothing", s)
				}
			}
		})
	}
}

// TestDomainStaysWithAccountsThatASelectionKeeps: an account that goes in this plan, but not in this run, keeps its domain.
func TestDomainStaysWithAccountsThatASelectionKeeps(t *testing.T) {
	for _, row := range []struct {
		targets, excludes []string
		left              int
	}{
		{nil, nil, 0},
		{[]string{"domain.x"}, nil, 2},
		{nil, []string{"account.bob"}, 1},
		{nil, []string{"sync_policy.p"}, 1},
	} {
		req := forecastWorld()
		req.Targets, req.Excludes = row.targets, row.excludes
		req.Observed.Accounts.Accounts = []*directory.Account{mailAccount(true, "ann@x.example"), mailAccount(true, "bob@x.example")}
		p := &Part{
			AccountPolicy: "sync_policy.p", Changes: []*Change{{Address: "account.bob", Type: "account", Action: Delete, Before: accountValue("bob@x.example", "end_user", true), After: cty.NilVal}},
			Accounts: &dirsync.Result{Decisions: []dirsync.Decision{{Action: dirsync.Delete, Address: "ann@x.example"}}},
		}
		if got := p.addressCounter(req)("x.example"); got != row.left {
			t.Errorf("targets %v, excludes %v: %d addresses stay, want %d", row.targets, row.excludes, got, row.left)
		}
	}
}
