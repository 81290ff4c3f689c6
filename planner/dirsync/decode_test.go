package dirsync

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
)

func object(kv ...any) cty.Value {
	m := map[string]cty.Value{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i].(string)] = kv[i+1].(cty.Value)
	}
	return cty.ObjectVal(m)
}

func str(s string) cty.Value { return cty.StringVal(s) }

func TestDecodePolicy(t *testing.T) {
	defaults := Policy{
		Address: "p", Engine: EngineWeir, NewUserRole: directory.EndUser, SyncUsers: true, SyncDistributionGroups: true, SyncSecurityGroups: true,
		SharedMailboxes: AsFunctional, Rooms: AsSkip, BlockedSignIn: AsFunctional, Gone: AsDisable, OutOfScope: AsKeep, Strays: AsList,
		Users: Switches{true, true, true}, Groups: Switches{true, true, true}, OnRisk: "report", MaxAge: 3 * time.Hour,
		Safeguard: Safeguard{MaxRemovals: 5, MaxRemovalPercent: 10, MaxConversions: 50, MaxAdditions: 500, Window: 24 * time.Hour, MinAdmins: 1},
	}
	with := func(change func(*Policy)) Policy { p := defaults; change(&p); return p }
	for _, row := range []struct {
		name string
		in   cty.Value
		want Policy
	}{
		{"empty", cty.EmptyObjectVal, defaults},
		{"nulls", object("engine", cty.NullVal(cty.String), "sync", cty.NullVal(cty.Set(cty.String)), "users", cty.NullVal(cty.EmptyObject), "delete_after", cty.NullVal(cty.String)), defaults},
		{"what dirsync does not read", object("frequency", str("1h"), "last_successful_sync", cty.UnknownVal(cty.String)), defaults},
		{"marked", object("engine", str("none").Mark("sensitive")), with(func(p *Policy) { p.Engine = EngineNone })},
		{"engine", object("engine", str("essentials")), with(func(p *Policy) { p.Engine = EngineEssentials })},
		{"role", object("new_user_role", str("silent_user")), with(func(p *Policy) { p.NewUserRole = directory.SilentUser })},
		{"sync of nothing", object("sync", cty.SetValEmpty(cty.String)), with(func(p *Policy) {
			p.SyncUsers, p.SyncDistributionGroups, p.SyncSecurityGroups = false, false, false
		})},
		{"sync of users", object("sync", cty.SetVal([]cty.Value{str("active_users")})), with(func(p *Policy) { p.SyncDistributionGroups, p.SyncSecurityGroups = false, false })},
		{"enumerations", object("shared_mailboxes", str("skip"), "rooms", str("user"), "blocked_sign_in", str("keep"), "gone", str("delete"),
			"out_of_scope", str("remove"), "strays", str("adopt"), "on_risk", str("suspend")), with(func(p *Policy) {
			p.SharedMailboxes, p.Rooms, p.BlockedSignIn, p.Gone, p.OutOfScope, p.Strays, p.OnRisk = AsSkip, AsUser, AsKeep, AsDelete, AsRemove, AsAdopt, "suspend"
		})},
		{"durations", object("delete_after", str("30d"), "max_age", str("90m")), with(func(p *Policy) { p.DeleteAfter, p.MaxAge = 30*dayLong, 90*time.Minute })},
		{"switches as object", object("groups", object("remove", cty.False)), with(func(p *Policy) { p.Groups.Remove = false })},
		{"switches as list of one", object("users", cty.ListVal([]cty.Value{object("add", cty.False)})), with(func(p *Policy) { p.Users.Add = false })},
		{"switches as empty list", object("users", cty.ListValEmpty(cty.EmptyObject)), defaults},
		{"safeguard", object("safeguard", object("max_removals", cty.NumberIntVal(0), "max_removal_percent", cty.NumberFloatVal(2.5), "max_conversions", cty.NumberIntVal(1),
			"max_additions", cty.NumberIntVal(2), "window", str("2d"), "min_admins", cty.NumberIntVal(0), "protected", cty.ListVal([]cty.Value{str("B@c.com"), str("a@c.com")}),
			"allow", object("removals", cty.NumberIntVal(37), "reason", str("closed"), "until", str("2026-12-01")))), with(func(p *Policy) {
			p.Safeguard = Safeguard{MaxRemovals: 0, MaxRemovalPercent: 2.5, MaxConversions: 1, MaxAdditions: 2, Window: 48 * time.Hour, MinAdmins: 0,
				Protected: []string{"a@c.com", "b@c.com"},
				Allow:     &Allow{Removals: 37, Reason: "closed", Until: time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)}}
		})},
		{"allow until an instant", object("safeguard", object("allow", object("removals", cty.NumberIntVal(1), "until", str("2026-12-01T10:00:00+02:00")))), with(func(p *Policy) {
			p.Safeguard.Allow = &Allow{Removals: 1, Until: time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)}
		})},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := DecodePolicy("p", row.in)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, row.want) {
				t.Errorf("got  %+v\nwant %+v", got, row.want)
			}
		})
	}

	p, err := DecodePolicy("p", object("include", directory.PredicateValue(notKitchen())))
	if err != nil || p.Include == nil || p.Include.Text() != notKitchen().Text() {
		t.Errorf("include: %v, %v", p.Include, err)
	}
}

func TestDecodePolicyRefuses(t *testing.T) {
	for _, row := range []struct {
		name string
		in   cty.Value
		want string
	}{
		{"nothing", cty.NilVal, "not known"},
		{"unknown policy", cty.UnknownVal(cty.EmptyObject), "not known"},
		{"unknown engine", object("engine", cty.UnknownVal(cty.String)), "engine"},
		{"unknown predicate", object("include", cty.UnknownVal(directory.PredicateType)), "include"},
		{"unknown limit", object("safeguard", object("max_removals", cty.UnknownVal(cty.Number))), "max_removals"},
		{"unknown address", object("safeguard", object("protected", cty.ListVal([]cty.Value{cty.UnknownVal(cty.String)}))), "protected"},
		{"unknown block", object("users", cty.ListVal([]cty.Value{cty.UnknownVal(cty.EmptyObject)})), "users"},
		{"engine of another name", object("engine", str("proofpoint")), `"proofpoint"`},
		{"engine that is a number", object("engine", cty.NumberIntVal(1)), "engine"},
		{"admin role", object("new_user_role", str("organization_admin")), "new_user_role"},
		{"sync of something else", object("sync", cty.SetVal([]cty.Value{str("contacts")})), `"contacts"`},
		{"sync that is a string", object("sync", str("active_users")), "sync"},
		{"switch that is a string", object("users", object("add", str("yes"))), "add"},
		{"negative limit", object("safeguard", object("max_removals", cty.NumberIntVal(-1))), "max_removals"},
		{"broken limit", object("safeguard", object("max_removals", cty.NumberFloatVal(1.5))), "max_removals"},
		{"negative percent", object("safeguard", object("max_removal_percent", cty.NumberIntVal(-1))), "max_removal_percent"},
		{"percent above all", object("safeguard", object("max_removal_percent", cty.NumberIntVal(101))), "max_removal_percent"},
		{"window that remembers nothing", object("safeguard", object("window", str("0d"))), "window"},
		{"window longer than removals are remembered", object("safeguard", object("window", str("53w"))), "window"},
		{"duration without unit", object("delete_after", str("30")), "delete_after"},
		{"date that is none", object("safeguard", object("allow", object("until", str("tomorrow")))), "until"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := DecodePolicy("sync_policy.p", row.in)
			if err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), "sync_policy.p") {
				t.Errorf("got %v, want one that names sync_policy.p and %s", err, row.want)
			}
		})
	}
}

func TestParseDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"30d": 30 * dayLong, "24h": dayLong, "90m": 90 * time.Minute, "2w": 14 * dayLong, "1y": 365 * dayLong, "1d12h": 36 * time.Hour, "0d": 0,
		"": 0, "100y": 36500 * dayLong,
	} {
		if got, err := parseDuration(in); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"30", "d", "-1d", "1.5d", "1 d", "101y", "99999999999999999999d", "100y1m", "1s", "52560000y"} {
		if got, err := parseDuration(in); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"30d", "1d12h", "99999999999999999999d", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := parseDuration(s); err == nil && (d < 0 || d > 36500*dayLong) {
			t.Errorf("%q is %v", s, d)
		}
	})
}
