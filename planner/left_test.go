package planner

import (
	"slices"
	"testing"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
)

// TestLeftForecast: what is left of a plan forecasts only what is still to be done: no seat, and no address that stops
// receiving, of an account that a person left out. What a domain does besides stays. The twin: with nothing left out it is
// the part's own.
func TestLeftForecast(t *testing.T) {
	part := func() *Part {
		kate := &directory.Account{Address: "kate@c.example", Aliases: []string{"k@c.example"}, Active: true, Type: directory.EndUser, Billable: true}
		off := *kate
		off.Active = false
		leo := &directory.Account{Address: "leo@c.example", Active: true, Type: directory.EndUser, Billable: true}
		gone := *leo
		gone.Active = false
		return &Part{AccountPolicy: "sync_policy.p", Status: Ready,
			Accounts: &dirsync.Result{Decisions: []dirsync.Decision{
				{Action: dirsync.Disable, Address: kate.Address, UID: 3, Before: kate, After: &off, Destructive: true, Loses: []string{"k@c.example", "kate@c.example"}},
				{Action: dirsync.Disable, Address: leo.Address, UID: 4, Before: leo, After: &gone, Destructive: true, Loses: []string{"leo@c.example"}},
			}, StopsReceiving: []dirsync.Stop{{Address: "k@c.example"}, {Address: "kate@c.example"}, {Address: "leo@c.example"}}},
			Forecast: &Forecast{Licences: Licences{Before: 2, After: 0, Bought: 5, Buying: 5},
				Stops:      []dirsync.Stop{{Address: "k@c.example"}, {Address: "kate@c.example"}, {Address: "leo@c.example"}, {Address: "x@old.example"}},
				Recipients: &Recipients{Before: Accepted{Accepted: 4}, After: Accepted{Accepted: 1}}},
		}
	}
	addresses := func(stops []dirsync.Stop) (out []string) {
		for _, s := range stops {
			out = append(out, s.Address)
		}
		return out
	}
	reviewed := part()
	whole := part().Left(reviewed).Part.Forecast
	if len(whole.Stops) != 4 || whole.Licences.After != 0 || whole.Recipients == nil {
		t.Errorf("with nothing left out: %+v", whole)
	}
	reviewed.Omit(Omission{Address: mail("kate")})
	now := part()
	left := now.Left(reviewed).Part
	if got := addresses(left.Forecast.Stops); !slices.Equal(got, []string{"leo@c.example", "x@old.example"}) {
		t.Errorf("stops %v", got)
	}
	if left.Forecast.Licences.After != 1 || left.Forecast.Recipients != nil {
		t.Errorf("forecast %+v", left.Forecast)
	}
	if len(now.Forecast.Stops) != 4 || now.Forecast.Licences.After != 0 {
		t.Errorf("the fresh part was changed: %+v", now.Forecast)
	}
}
