package apply_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/apply"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/secrets"
	"github.com/weir-project/weir/state"
)

func TestWhatWasMadeIsRememberedThoughALaterStepFailed(t *testing.T) {
	for _, half := range []bool{true, false} {
		t.Run(fmt.Sprint("half made ", half), func(t *testing.T) {
			b := newBench(t, `box "a" { name = "a" }`)
			if half {
				b.vendor.fail["half a"] = resource.ErrInvalid
			} else {
				b.vendor.fail["create a"] = resource.ErrInvalid
			}
			report, err := b.apply(b.plan().Review())
			if err != nil || len(report.Failed) != 1 {
				t.Fatalf("%v %+v", err, report)
			}
			o := b.journal.durable.Objects["box.a"]
			if half != (o != nil && o.ID == "a" && o.Ownership == state.Created) {
				t.Errorf("state has %+v", o)
			}
			clear(b.vendor.fail)
			b.vendor.changes()
			b.mustApply()
			if calls := b.vendor.changes(); half == slices.Contains(calls, "create a") {
				t.Errorf("the next apply called %v", calls)
			}
			b.mustBeEmpty()
			b.configure("")
			if got := actions(b.plan()); got != "- box.a" {
				t.Errorf("without its block the plan is %s", got)
			}
		})
	}
}

func TestNewObjectIsRememberedThoughTheOldOneStays(t *testing.T) {
	const block = "box \"a\" {\n  name = %q\n  lifecycle {\n    create_before_destroy = true\n  }\n}\n"
	for _, stays := range []bool{true, false} {
		t.Run(fmt.Sprint("stays ", stays), func(t *testing.T) {
			b := newBench(t, fmt.Sprintf(block, "a"))
			b.mustApply()
			b.configure(fmt.Sprintf(block, "b"))
			if stays {
				b.vendor.fail["delete a"] = resource.ErrDenied
			}
			report, err := b.apply(b.plan().Review())
			if err != nil || stays != (len(report.Failed) == 1) {
				t.Fatalf("%v %+v", err, report)
			}
			if o := b.journal.durable.Objects["box.a"]; o == nil || o.ID != "b" || o.Ownership != state.Created {
				t.Errorf("state has %+v, want the new object", o)
			}
			if (b.vendor.boxes["a"] != nil) != stays || b.vendor.boxes["b"] == nil {
				t.Errorf("boxes %v", b.vendor.boxes)
			}
			b.vendor.changes()
			b.mustApply()
			if calls := b.vendor.changes(); len(calls) > 0 {
				t.Errorf("the next apply called %v", calls)
			}
			b.mustBeEmpty()
		})
	}
}

func TestReplacedSecretLivesUntilEveryConsumerIsSeen(t *testing.T) {
	const source = "key \"k\" { name = \"k\" }\nbox \"holder\" {\n  name = \"holder\"\n  secret = key.k.value\n}\n"
	for _, unreadable := range []bool{true, false} {
		t.Run(fmt.Sprint("unreadable ", unreadable), func(t *testing.T) {
			b := newBench(t, source)
			b.mustApply()
			lost := *b.journal.durable.Objects["key.k"]
			lost.Undelivered = []string{"value"} // so that the next apply issues another
			b.journal.durable.Objects["key.k"] = &lost
			if unreadable {
				b.vendor.fail["list"] = resource.ErrUnavailable
			}
			if _, err := b.apply(b.plan().Review()); err != nil {
				t.Fatal(err)
			}
			holds := b.vendor.secrets["holder"]
			standing := slices.ContainsFunc(b.vendor.keys["k"], func(id string) bool { return holds == "value of "+id })
			if !standing {
				t.Errorf("the holder has %q, and the credentials are %v", holds, b.vendor.keys["k"])
			}
			if o := b.journal.durable.Objects["key.k"]; unreadable != (len(o.Undelivered) == 1) {
				t.Errorf("undelivered %v", o.Undelivered)
			}
			clear(b.vendor.fail)
			b.mustApply()
			if got := b.vendor.keys["k"]; len(got) != 1 || b.vendor.secrets["holder"] != "value of "+got[0] {
				t.Errorf("credentials %v, the holder has %q", got, b.vendor.secrets["holder"])
			}
			b.mustBeEmpty()
		})
	}
}

func TestWhatIsNotComeToIsListed(t *testing.T) {
	b := newBench(t, two)
	req := b.request(b.journal.durable.Clone())
	part, _ := planner.Build(context.Background(), req)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	report, err := apply.Run(ctx, apply.Request{
		Part: part, Plan: req, Reviewed: part.Review(), Conn: &resource.Conn{Tenant: req.Tenant}, Secrets: &secrets.Run{}, Journal: b.journal,
		State: b.journal.durable.Clone(), Provider: func(*resource.Type) string { return "" },
		Operation: func() string { return fmt.Sprint("op-", b.n.Add(1)) }, Now: func() time.Time { return noon },
	})
	if err == nil || report.Complete() || len(report.Skipped) != len(part.Changes) {
		t.Errorf("%v, skipped %v of %s", err, report.Skipped, actions(part))
	}
	if calls := b.vendor.changes(); len(calls) > 0 {
		t.Errorf("a stopped run called %v", calls)
	}
}

func TestPolicyIsNotForgottenBeforeItsAccounts(t *testing.T) {
	policy := &resource.Type{Name: "sync_policy", Purpose: "x", Provider: "essentials", Singleton: true, Undeletable: true,
		List: func(context.Context, *resource.Conn) ([]resource.Live, error) { return nil, nil },
		Read: func(context.Context, *resource.Conn, resource.ObjectID) (resource.Live, error) {
			return resource.Live{}, nil
		},
		Update: func(context.Context, *resource.Conn, *resource.Change) (resource.Live, error) {
			return resource.Live{}, nil
		},
	}
	for _, stays := range []bool{true, false} {
		t.Run(fmt.Sprint("an account stays ", stays), func(t *testing.T) {
			j, w := newJournal(), newWriter(account(directory.EndUser))
			j.durable.Objects = map[string]*state.Object{"sync_policy.p": {Address: "sync_policy.p", Type: "sync_policy", Values: cty.NilVal}}
			j.durable.Accounts.Put(&state.Account{Address: "a@t.example", Policy: "sync_policy.p", Ownership: state.Created})
			if stays {
				w.fail["delete a@t.example"] = resource.ErrUnavailable
			}
			part := &planner.Part{
				AccountPolicy: "sync_policy.p",
				Accounts: &dirsync.Result{Decisions: []dirsync.Decision{{
					Action: dirsync.Delete, Address: "a@t.example", Before: account(directory.EndUser), Destructive: true, Created: true, Known: "a@t.example",
				}}},
				Changes: []*planner.Change{{Address: "sync_policy.p", Type: "sync_policy", Action: planner.Release}},
			}
			report, err := apply.Run(context.Background(), apply.Request{
				Part: part, Plan: planner.Request{Destroy: true, Registry: resource.NewRegistry([]*resource.Type{policy}, nil), Observed: &planner.Observation{At: noon}},
				Reviewed: part.Review(), Accounts: w, Secrets: &secrets.Run{}, Journal: j, State: j.durable.Clone(),
				Operation: numbered("op-"), Now: func() time.Time { return noon },
			})
			if err != nil {
				t.Fatal(err)
			}
			if known := j.durable.Accounts.Get("a@t.example") != nil; known != stays {
				t.Errorf("state knows the account: %v", known)
			}
			if known := j.durable.Objects["sync_policy.p"] != nil; known != stays || stays != (len(report.Skipped) == 1) {
				t.Errorf("state knows the policy: %v, skipped %v", known, report.Skipped)
			}
		})
	}
}

func TestFoundObjectIsNotReplacedUnasked(t *testing.T) {
	for _, found := range []bool{true, false} {
		t.Run(fmt.Sprint("found ", found), func(t *testing.T) {
			b := newBench(t, `box "a" { name = "a" }`)
			if found {
				b.vendor.boxes["a"] = map[string]cty.Value{"name": cty.StringVal("a")}
			}
			b.mustApply()
			b.configure(`box "a" { name = "b" }`)
			if _, err := b.apply(b.plan().Review()); err != nil {
				t.Fatal(err)
			}
			if gone := b.vendor.boxes["a"] == nil; gone == found {
				t.Errorf("the old box is gone: %v", gone)
			}
		})
	}
}
