package dirsync

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weir-project/weir/providers/directory"
)

// gridCase is one entry with one prior account under one policy.
type gridCase struct {
	kind              directory.Kind
	enabled, licensed bool
	prior             string
	blocked           string // blocked_sign_in
	mailboxes         string // shared_mailboxes and rooms
	sync, add, update bool
}

var (
	gridKinds = []directory.Kind{
		directory.User, directory.SharedMailbox, directory.Room, directory.Equipment, directory.Guest, directory.Contact, directory.DistributionGroup,
		directory.SecurityGroup, directory.Microsoft365Group, directory.DynamicDistributionGroup, directory.UnknownKind,
	}
	gridPriors  = []string{"none", "user", "user, off", "functional by hand", "functional by Weir", "admin", "user, not managed"}
	gridBlocked = []string{AsFunctional, AsDisable, AsKeep}
	gridMailbox = []string{AsFunctional, AsUser, AsSkip}
)

// purposes is what the policy wants of an entry, line by line in the words of the rules; the first line that fits counts.
// It knows nothing of the code: what is written here is what R1, R20, R32, R37 and R38 say.
var purposes = []struct {
	kinds string
	when  func(c gridCase) bool
	want  string
}{
	{"guest contact dynamic_distribution_group", nil, "nothing"},
	{"unknown", func(c gridCase) bool { return !c.enabled || !c.licensed }, "hands off"},
	{"*", func(c gridCase) bool { return !c.sync }, "nothing"},
	{"distribution_group security_group m365_group", nil, "functional"},
	{"shared_mailbox room equipment", func(c gridCase) bool { return c.mailboxes == AsSkip }, "nothing"},
	{"shared_mailbox room equipment", func(c gridCase) bool { return c.mailboxes == AsFunctional }, "functional"},
	{"shared_mailbox room equipment", nil, "user"}, // whatever its sign-in
	{"user", func(c gridCase) bool { return !c.enabled && c.blocked == AsFunctional }, "functional"},
	{"user", func(c gridCase) bool { return !c.enabled && c.blocked == AsDisable }, "off"},
	{"user", func(c gridCase) bool { return !c.enabled }, "as it is"},
	{"*", nil, "user"}, // licensed or not
}

// outcomes are what happens to the account, by what it is and what is wanted: "+" needs add, "~" needs update. What is not
// here is left alone.
var outcomes = map[string]map[string]string{
	"none":               {"user": "+add end_user", "functional": "+add functional_account"},
	"user":               {"functional": "~convert functional_account", "off": "~disable"},
	"user, not managed":  {"functional": "~convert functional_account", "off": "~disable"},
	"user, off":          {"user": "~enable", "functional": "~convert functional_account"},
	"functional by Weir": {"user": "~convert end_user", "off": "~disable"},
	"functional by hand": {},
	"admin":              {"off": "~disable"},
}

// expected is read off the two tables.
func expected(c gridCase) string {
	want := ""
	for _, p := range purposes {
		if (p.kinds == "*" || slices.Contains(strings.Fields(p.kinds), string(c.kind))) && (p.when == nil || p.when(c)) {
			want = p.want
			break
		}
	}
	out := outcomes[c.prior][want]
	switch {
	case strings.HasPrefix(out, "+") && !c.add, strings.HasPrefix(out, "~") && !c.update:
		return ""
	}
	return strings.TrimLeft(out, "+~")
}

// request builds the case around the unchanged user zoe.
func (c gridCase) request() Request {
	f := newFixture()
	p := &f.req.Policy
	p.BlockedSignIn, p.SharedMailboxes, p.Rooms = c.blocked, c.mailboxes, c.mailboxes
	p.SyncUsers, p.SyncDistributionGroups, p.SyncSecurityGroups = c.sync, c.sync, c.sync
	how := Switches{Add: c.add, Update: c.update, Remove: true}
	p.Users, p.Groups = how, how
	e := f.entry("x", c.kind)
	e.Enabled, e.Licensed = c.enabled, c.licensed
	if c.prior == "none" {
		return f.request()
	}
	typ := directory.EndUser
	switch {
	case strings.HasPrefix(c.prior, "functional"):
		typ = directory.FunctionalAccount
	case c.prior == "admin":
		typ = directory.OrganizationAdmin
	}
	a := f.account("x", typ)
	a.FirstName, a.Surname = e.GivenName, e.Surname
	if e.GivenName == "" {
		a.FirstName = e.Name
	}
	a.Active = c.prior != "user, off"
	switch c.prior {
	case "functional by hand", "user, not managed":
	default:
		k := f.record(e, a)
		k.Converted, k.Disabled = c.prior == "functional by Weir", !a.Active
	}
	return f.request()
}

// decided is what happens to the one entry.
func (c gridCase) decided(res *Result) string {
	d := res.Find("x@c.com")
	if d == nil {
		return ""
	}
	out := string(d.Action)
	if d.Action == Add || d.Action == Convert {
		out += " " + string(d.After.Type)
	}
	if d.Held != "" {
		out = "held " + out
	}
	return out
}

func grid() []gridCase {
	var out []gridCase
	both := []bool{true, false}
	for _, kind := range gridKinds {
		for _, prior := range gridPriors {
			for _, blocked := range gridBlocked {
				for _, mailboxes := range gridMailbox {
					for i := range 32 {
						bit := func(n int) bool { return both[i>>n&1] }
						out = append(out, gridCase{kind, bit(0), bit(1), prior, blocked, mailboxes, bit(2), bit(3), bit(4)})
					}
				}
			}
		}
	}
	return out
}

// disagreements are the cases in which a decider does not do what the tables above say.
func disagreements(t *testing.T, by func(Request) *Result) (out []string, count map[string]int) {
	t.Helper()
	count = map[string]int{}
	for _, c := range grid() {
		want := expected(c)
		count[want]++
		if got := c.decided(by(c.request())); got != want {
			out = append(out, fmt.Sprintf("%+v: got %q, want %q", c, got, want))
		}
	}
	return out, count
}

// TestDecisionGrid tries every kind with every sign-in, licence, prior account, policy and switch against an expectation
// that is read off two tables of a few lines.
func TestDecisionGrid(t *testing.T) {
	wrong, count := disagreements(t, Decide)
	for _, s := range wrong[:min(len(wrong), 20)] {
		t.Error(s)
	}
	t.Logf("%d combinations; outcomes %v", len(grid()), count)
	for _, outcome := range []string{"", "add end_user", "add functional_account", "convert functional_account", "convert end_user", "disable", "enable"} {
		if count[outcome] < 40 {
			t.Errorf("only %d combinations lead to %q", count[outcome], outcome)
		}
	}
}

// TestGridCatchesMutants: a decider that is wrong in one respect disagrees with the tables.
func TestGridCatchesMutants(t *testing.T) {
	for name, by := range map[string]func(Request) *Result{
		"looks at the sign-in of shared mailboxes": func(req Request) *Result {
			d := *req.Directory
			d.Entries = nil
			for _, e := range req.Directory.Entries {
				if e.Kind == directory.SharedMailbox {
					c := *e
					c.Kind = directory.User
					e = &c
				}
				d.Entries = append(d.Entries, e)
			}
			req.Directory = &d
			return Decide(req)
		},
		"asks for a licence": func(req Request) *Result {
			res := Decide(req)
			for _, e := range req.Directory.Entries {
				if !e.Licensed {
					res.Decisions = slices.DeleteFunc(res.Decisions, func(d Decision) bool { return d.Action == Add && d.Address == e.Address && !e.Kind.IsGroup() })
				}
			}
			return res
		},
		"turns hand-made functional accounts into users": func(req Request) *Result {
			req.Known = slices.Clone(req.Known)
			for _, a := range req.Accounts.Accounts {
				if a.Type == directory.FunctionalAccount && len(req.Known) == 1 {
					req.Known = append([]Known{{Address: a.Address, UID: a.UID, ObjectID: "o-x", Policy: policyAddress, Converted: true}}, req.Known...)
				}
			}
			return Decide(req)
		},
		"forgets the switch of updates": func(req Request) *Result {
			req.Policy.Users.Update, req.Policy.Groups.Update = true, true
			return Decide(req)
		},
	} {
		if wrong, _ := disagreements(t, by); len(wrong) == 0 {
			t.Errorf("%s: not caught", name)
		}
	}
}
