package planner

import (
	"maps"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/state"
)

// TestSkipRecords: a person is told the record by which a skip ends, also when the account has had another address since.
func TestSkipRecords(t *testing.T) {
	prior := state.New("l", "r", state.TenantMeta{}, nil)
	prior.Skips = []state.Skip{
		{Address: "sync_policy.old", Mail: "kate@c.example", UID: 7, ObjectID: "o-7"},
		{Address: "sync_policy.people", Mail: "bob@c.example"},
	}
	observed := &Observation{
		Accounts:  &directory.AccountReading{Accounts: []*directory.Account{{UID: 7, Address: "kate.miller@c.example"}, {UID: 8, Address: "carl@c.example"}}},
		Directory: &directory.Reading{Entries: []*directory.Entry{{ObjectID: "o-7", Address: "kate.b@c.example"}, {ObjectID: "o-8", Address: "carl@c.example"}}},
	}
	left := skips(prior, observed)
	left["once@c.example"] = time.Time{}
	want := map[string]string{
		"kate@c.example": `sync_policy.old.skip["kate@c.example"]`, "kate.miller@c.example": `sync_policy.old.skip["kate@c.example"]`,
		"kate.b@c.example": `sync_policy.old.skip["kate@c.example"]`, "bob@c.example": `sync_policy.people.skip["bob@c.example"]`,
	}
	if got := skipRecords(prior, left, observed); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
