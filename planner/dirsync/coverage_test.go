package dirsync

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/weir-project/weir/providers/directory"
)

// leastRows is how many rows the decision table has at least.
const leastRows = 250

// classes are what the rows of the table are made of, and lead to: each with the number of rows that have it.
func classes() map[string]int {
	out := map[string]int{}
	for _, row := range table {
		f := newFixture()
		row.with(f)
		req := f.request()
		mine := map[string]bool{}
		add := func(format string, args ...any) { mine[fmt.Sprintf(format, args...)] = true }
		p := req.Policy
		for name, value := range map[string]any{
			"engine": p.Engine, "new_user_role": p.NewUserRole, "shared_mailboxes": p.SharedMailboxes, "rooms": p.Rooms, "blocked_sign_in": p.BlockedSignIn,
			"gone": p.Gone, "out_of_scope": p.OutOfScope, "strays": p.Strays, "delete_after": p.DeleteAfter > 0, "include": p.Include != nil,
			"users.add": p.Users.Add, "users.update": p.Users.Update, "users.remove": p.Users.Remove,
			"groups.add": p.Groups.Add, "groups.update": p.Groups.Update, "groups.remove": p.Groups.Remove,
			"sync.users": p.SyncUsers, "sync.distribution": p.SyncDistributionGroups, "sync.security": p.SyncSecurityGroups,
			"policy changed": req.PolicyChanged, "exempt": len(req.Protections) > 0, "declared": len(req.Declared) > 0, "left out": len(req.Skips) > 0,
			"window": len(req.Window) > 0, "allow": p.Safeguard.Allow != nil,
		} {
			add("%s = %v", name, value)
		}
		if req.Directory != nil {
			for _, e := range req.Directory.Entries {
				add("kind %s", e.Kind)
				add("kind %s, sign-in %v", e.Kind, e.Enabled)
			}
		}
		if req.Accounts != nil {
			for _, a := range req.Accounts.Accounts {
				add("account %s, active %v", a.Type, a.Active)
				add("account %s, managed %v", a.Type, slices.ContainsFunc(req.Known, func(k Known) bool { return k.Address == a.Address }))
			}
		}
		res := Decide(req)
		for _, d := range res.Decisions {
			add("action %s", d.Action)
			add("cause %s", d.Cause)
		}
		for _, s := range res.Skips {
			add("skip %s", s.Code)
		}
		for code := range res.SkipCounts {
			add("skip %s", code)
		}
		for _, h := range res.Held {
			add("hold %s", h.Limit)
		}
		for c := range mine {
			out[c]++
		}
	}
	return out
}

// required are the classes that must have a row.
func required() []string {
	var out []string
	each := func(format string, values ...any) {
		for _, v := range values {
			out = append(out, fmt.Sprintf(format, v))
		}
	}
	each("engine = %v", EngineWeir, EngineEssentials, EngineNone)
	each("new_user_role = %v", directory.EndUser, directory.SilentUser)
	each("shared_mailboxes = %v", AsFunctional, AsUser, AsSkip)
	each("rooms = %v", AsFunctional, AsUser, AsSkip)
	each("blocked_sign_in = %v", AsFunctional, AsDisable, AsKeep)
	each("gone = %v", AsDisable, AsFunctional, AsKeep, AsDelete)
	each("out_of_scope = %v", AsKeep, AsRemove)
	each("strays = %v", AsList, AsAdopt)
	for _, flag := range []string{
		"delete_after", "include", "users.add", "users.update", "users.remove", "groups.add", "groups.update", "groups.remove", "sync.users", "sync.distribution",
		"sync.security", "policy changed", "exempt", "declared", "left out", "window", "allow",
	} {
		each(flag+" = %v", true, false)
	}
	for _, k := range gridKinds {
		each("kind %v", k)
	}
	each("kind user, sign-in %v", true, false)
	each("kind shared_mailbox, sign-in %v", true, false)
	for _, typ := range []directory.AccountType{directory.EndUser, directory.FunctionalAccount, directory.OrganizationAdmin} {
		each("account "+string(typ)+", active %v", true, false)
		each("account "+string(typ)+", managed %v", true, false)
	}
	each("action %v", Add, Update, Rename, Convert, Disable, Enable, Delete)
	each("cause %v", CauseConfiguration, CauseDirectory, CauseDrift)
	each("hold %v", "removals", "conversions", "additions", "admins", "protected")
	each("skip %v", SkipNoProxy, SkipNoPrimary, SkipUnregistered, SkipGuest, SkipContact, SkipDynamic, SkipSyncOff, SkipKindOff, SkipNotIncluded,
		SkipUnknownKind, SkipPredicate, SkipBlocked, SkipAdmin, SkipAddOff, SkipUpdateOff, SkipRemoveOff, SkipGoneKept, SkipGrace, SkipDeclared, SkipExempt,
		SkipLeftOut, SkipCollision, SkipUndecided, SkipIncomplete, SkipUnknownEntry, SkipHostedEngine)
	return out
}

func missing(have map[string]int) []string {
	var out []string
	for _, c := range required() {
		if have[c] == 0 {
			out = append(out, c)
		}
	}
	return out
}

// TestTableCovers: the decision table has the rows it is said to have, and every kind, flag, policy, prior account and
// outcome among them.
func TestTableCovers(t *testing.T) {
	have := classes()
	t.Logf("%d rows, %d required classes", len(table), len(required()))
	if len(table) < leastRows {
		t.Errorf("%d rows, want at least %d", len(table), leastRows)
	}
	for _, c := range missing(have) {
		t.Errorf("no row has: %s", c)
	}
	planted := maps.Clone(have)
	delete(planted, "kind contact")
	if got := missing(planted); !strings.Contains(strings.Join(got, " "), "kind contact") {
		t.Error("a class that is missing is not noticed")
	}
}
