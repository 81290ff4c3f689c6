package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/providers/resource"
)

// TestTenantsTakenDownInOneRun holds everything of the tenants that are too many: objects, accounts, and what a guard of
// their own left over.
func TestTenantsTakenDownInOneRun(t *testing.T) {
	part := func(key string, held bool) *planner.Part {
		c := &planner.Change{Address: "domain." + key, Type: "domain", Action: planner.Delete}
		p := &planner.Part{
			Tenant: resource.Identity{Key: key}, Removed: true, Status: planner.Ready, AccountPolicy: "sync_policy." + key, Changes: []*planner.Change{c},
			Accounts: &dirsync.Result{Decisions: []dirsync.Decision{{Action: dirsync.Delete, Address: "a@" + key + ".example", Destructive: true}}},
		}
		if held {
			c.Held, p.Status = "its MX", planner.Held
		}
		return p
	}
	for _, row := range []struct {
		keys, accepted []string
		held           bool // a guard holds one item of each
		most, items    int
	}{
		{keys: []string{"a"}, most: 1, items: 2},
		{keys: []string{"a", "b"}, most: 1, items: 0},
		{keys: []string{"a", "b"}, most: 2, items: 4},
		{keys: []string{"a", "b"}, held: true, most: 1, items: 0},
		{keys: []string{"a", "b"}, held: true, most: 2, items: 2},
		{keys: []string{"a", "b"}, accepted: []string{"a", "b"}, most: 1, items: 4},
		{keys: []string{"a"}, most: 0, items: 0},
	} {
		t.Run(fmt.Sprint(row), func(t *testing.T) {
			p := &planner.Plan{}
			for _, key := range row.keys {
				p.Parts = append(p.Parts, part(key, row.held))
			}
			guardRemovedTenants(p, planOptions{acceptTenants: row.accepted}, row.most)
			n := 0
			for _, part := range p.Parts {
				n += len(part.Review().Items)
			}
			if n != row.items {
				t.Errorf("%d items would be applied, want %d", n, row.items)
			}
		})
	}
}

func TestRemovedBlockNamesItsTenantOnly(t *testing.T) {
	for _, row := range []struct {
		from, tenant string
		want         bool
	}{
		{"tenant.a", "tenant.a", true},
		{"tenant.a", "tenant.acme", false},
		{"tenant.a", `tenant.a["x"]`, true},
		{`tenant.a["x"]`, `tenant.a["y"]`, false},
		{`module.c["x"].tenant.this`, `module.c["x"].tenant.this`, true},
		{`module.c["x"].tenant.this`, `module.c["y"].tenant.this`, false},
		{`module.c.tenant.this`, `module.c["y"].tenant.this`, true},
		{"tenant.this", `module.c["y"].tenant.this`, false},
	} {
		from, err := resource.ParseAddress(row.from)
		if err != nil {
			t.Fatal(err)
		}
		r := config.Removed{From: from, Whole: !from.Key.IsSet()}
		if got := names(r, &unit{address: row.tenant}); got != row.want {
			t.Errorf("removed from %s is about %s: %v", row.from, row.tenant, got)
		}
	}
}

func TestCredentialsInAPipeline(t *testing.T) {
	for _, row := range []struct {
		env     map[string]string
		limited bool
		hosts   int
	}{
		{nil, false, 0},
		{map[string]string{"CI": "true"}, true, 0},
		{map[string]string{"CI": "false"}, false, 0},
		{map[string]string{"CI": "true", "WEIR_ALLOW_HOSTS": "mail.example, x.example"}, true, 2},
	} {
		w := &workspace{app: &App{Env: func(name string) (string, bool) { v, ok := row.env[name]; return v, ok }}}
		if got := w.allowHosts(); row.limited != (got != nil) || len(got) != row.hosts {
			t.Errorf("%v: %v", row.env, got)
		}
	}
}

// TestInterruptAtTheQuestion ends the wait for an answer that does not come.
func TestInterruptAtTheQuestion(t *testing.T) {
	silent, _ := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	a := &App{Stdin: silent, Stderr: io.Discard, StdinTTY: true, secrets: providers.Secrets()}
	if ok, err := a.confirm(ctx, "Apply this?"); ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
	a = &App{Stdin: strings.NewReader("yes\n"), Stderr: io.Discard, StdinTTY: true, secrets: providers.Secrets()}
	if ok, err := a.confirm(context.Background(), "Apply this?"); !ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
}
