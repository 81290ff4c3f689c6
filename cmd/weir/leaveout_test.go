package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/store"
)

// cmdLeaveOut leaves an account out for a while, as a person does who reviews an apply; without an account it ends all that.
func cmdLeaveOut(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 && len(args) != 3 {
		ts.Fatalf("usage: leaveout KEY [ADDRESS DURATION]")
	}
	ctx := context.Background()
	bucket, err := store.OpenBucket(ctx, "file://"+filepath.ToSlash(ts.MkAbs(".weir/state")), store.Options{})
	ts.Check(err)
	defer func() { ts.Check(bucket.Close()) }()
	tenant, err := bucket.Tenant(args[0])
	ts.Check(err)
	head, err := tenant.Head(ctx)
	ts.Check(err)
	lease, err := tenant.Acquire(ctx, store.Holder{Run: "run-skip", Who: "robin", Host: "here", Operation: "apply"},
		store.AcquireOptions{TTL: ttlOf(ts), Existing: true, Realm: head.Realm, Tenant: head.Tenant})
	ts.Check(err)
	skips := []state.Skip{}
	now := clockOf(ts)
	if len(args) == 3 {
		d, err := time.ParseDuration(args[2])
		ts.Check(err)
		skip := state.Skip{Address: "sync_policy.people", Mail: args[1], Until: now.Add(d), Reason: "parental leave", By: "robin", Created: now}
		if a := lease.State().Accounts.Get(args[1]); a != nil {
			skip.UID, skip.ObjectID = a.UID, a.ObjectID
		}
		skips = append(skips, skip)
	}
	ts.Check(lease.Note(ctx, state.Note{Text: "skips", Skips: &skips, Time: now}))
	ts.Check(lease.Release(ctx))
}

// clockOf is the world's present.
func clockOf(ts *testscript.TestScript) time.Time {
	w := serverOf(ts).World()
	w.RLock()
	defer w.RUnlock()
	return w.Clock
}
