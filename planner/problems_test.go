package planner

import (
	"errors"
	"slices"
	"testing"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/resource"
)

// TestProblems: what failed for one reason is one sentence; what failed alone says in which call, too.
func TestProblems(t *testing.T) {
	signIn := func(op string) error {
		return &resource.Error{Op: op, Subject: "contoso", Kind: resource.ErrDenied, Detail: "signing in failed", Hint: "Make a new secret"}
	}
	o := &Observation{
		Objects: map[string]Reading{
			"mail_flow_rule":   {Err: signIn("list mail flow rules")},
			"m365_connector":   {Err: signIn("list inbound connectors")},
			"tenant":           {},
			"domain":           {Err: &resource.Error{Op: "list domains", Subject: "contoso", Detail: "out of order", Status: 500, Request: "7"}},
			"app_registration": {Err: errors.New("the directory is another's")},
		},
		DirectoryErr: signIn("read changes of users"),
		AccountsErr:  &resource.Error{Op: "list users", Subject: "contoso", Detail: "out of order", Status: 500, Request: "8"},
	}
	want := []string{
		"app_registration objects could not be read: the directory is another's",
		"domain objects could not be read: list domains contoso: out of order (HTTP 500, request 7)",
		"m365_connector objects, mail_flow_rule objects and the directory could not be read: signing in failed. Make a new secret",
		"the accounts could not be read: list users contoso: out of order (HTTP 500, request 8)",
	}
	if got := problems(o); !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	for _, tt := range []struct {
		err  error
		want int
	}{{o.DirectoryErr, 1}, {nil, 2}} {
		var p Part
		p.addProblems(&Observation{DirectoryErr: tt.err}, []string{dirsync.DirectoryUnread, "another"})
		if len(p.Problems) != tt.want {
			t.Errorf("directory %v: %q", tt.err, p.Problems)
		}
	}
}
