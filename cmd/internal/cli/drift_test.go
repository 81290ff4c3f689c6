package cli

import (
	"testing"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
)

// TestDriftCode: what somebody changed is said whatever else waits in the tenant, of an account as of an object.
func TestDriftCode(t *testing.T) {
	account := func(cause planner.Cause) *dirsync.Result {
		return &dirsync.Result{Decisions: []dirsync.Decision{{Action: dirsync.Update, Address: "a@x.example", Cause: string(cause)}}}
	}
	object := []*planner.Change{{Address: "domain.d", Action: planner.Update}}
	for _, row := range []struct {
		name string
		part planner.Part
		want int
	}{
		{"nothing", planner.Part{Status: planner.Ready}, exitOK},
		{"an object", planner.Part{Status: planner.Ready, Drifted: object}, exitDrift},
		{"an object, and something is held", planner.Part{Status: planner.Held, Drifted: object}, exitDrift},
		{"an account", planner.Part{Status: planner.Ready, Accounts: account(planner.Drift)}, exitDrift},
		{"an account, and something is held", planner.Part{Status: planner.Held, Accounts: account(planner.Drift)}, exitDrift},
		{"something is held", planner.Part{Status: planner.Held, Accounts: account(planner.Directory)}, exitHeld},
		{"the directory alone", planner.Part{Status: planner.Ready, Accounts: account(planner.Directory)}, exitOK},
		{"the configuration", planner.Part{Status: planner.Ready, Accounts: account(planner.Configuration)}, exitPending},
		{"not all could be read", planner.Part{Status: planner.Held, Drifted: object, Problems: []string{"x"}}, exitUnreadable},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := driftCode(&planner.Plan{Parts: []*planner.Part{&row.part}}, nil, nil); got != row.want {
				t.Errorf("exit code %d, want %d", got, row.want)
			}
		})
	}
}
