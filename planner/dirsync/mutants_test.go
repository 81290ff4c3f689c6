package dirsync

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weir-project/weir/providers/directory"
)

// recorder is a test that keeps what it is told.
type recorder struct{ said []string }

type fatal struct{}

func (r *recorder) Helper()                      {}
func (r *recorder) Errorf(f string, args ...any) { r.said = append(r.said, fmt.Sprintf(f, args...)) }
func (r *recorder) Error(args ...any)            { r.said = append(r.said, fmt.Sprint(args...)) }
func (r *recorder) Fatalf(f string, args ...any) { r.Errorf(f, args...); panic(fatal{}) }

// properties are all checks of one request, as the table and the drawn tenants run them.
func properties(t tester, req Request) {
	res := deciding(req)
	checkInvariants(t, req, res)
	if a, b := summary(res), summary(deciding(turnedRound(req))); !slices.Equal(a, b) {
		t.Errorf("order matters: %v, %v", a, b)
	}
	if req.Accounts != nil && req.Directory != nil && req.Accounts.Proof.Complete && len(res.Waits) == 0 {
		settled(t, carryOut(t, req, res))
	}
	doubted(t, req)
}

// objections are what the checks say about a decider over all rows of the table.
func objections(by func(Request) *Result) []string {
	deciding = by
	defer func() { deciding = Decide }()
	r := &recorder{}
	for _, row := range table {
		f := newFixture()
		row.with(f)
		func() {
			defer func() {
				if p := recover(); p != nil {
					if _, ours := p.(fatal); !ours {
						panic(p)
					}
				}
			}()
			properties(r, f.request())
		}()
	}
	return r.said
}

// TestChecksCatchMutants: each property that the table and the drawn tenants rest on fails for a decider that violates it,
// and for the reason that it stands for. The true decider is not objected to.
func TestChecksCatchMutants(t *testing.T) {
	if said := objections(Decide); len(said) > 0 {
		t.Fatalf("the checks object to the true decider: %v", said[:min(len(said), 3)])
	}
	// with puts a decision into its place.
	with := func(res *Result, d Decision) {
		if res.Find(d.Address) != nil {
			return
		}
		res.Decisions = append(res.Decisions, d)
		slices.SortFunc(res.Decisions, func(a, b Decision) int { return strings.Compare(a.Address, b.Address) })
	}
	account := func(req Request, address string) *directory.Account {
		if req.Accounts != nil {
			for _, a := range req.Accounts.Accounts {
				if a.Address == address {
					return a
				}
			}
		}
		return nil
	}
	named := func(a *directory.Account) *directory.Account { b := *a; b.Surname += "x"; return &b }
	for _, m := range []struct {
		name   string
		decide func(Request) *Result
		want   string
	}{
		{"deletes what nobody owns", func(req Request) *Result {
			res := Decide(req)
			for _, s := range res.Strays {
				if a := account(req, s); a != nil {
					with(res, Decision{Action: Delete, Address: s, UID: a.UID, Before: a, Destructive: true})
				}
			}
			return res
		}, "removes what is not owned"},
		{"writes what is exempt", func(req Request) *Result {
			res := Decide(req)
			for _, s := range res.Skips {
				if a := account(req, s.Address); s.Code == SkipExempt && a != nil {
					with(res, Decision{Action: Update, Address: a.Address, UID: a.UID, Before: a, After: named(a), ObjectID: s.ObjectID})
				}
			}
			return res
		}, "is exempt"},
		{"lets protected addresses go", func(req Request) *Result {
			req.Policy.Safeguard.Protected = nil
			return Decide(req)
		}, "which is protected"},
		{"writes what is declared", func(req Request) *Result {
			req.Declared = nil
			return Decide(req)
		}, "is declared"},
		{"makes users of administrators", func(req Request) *Result {
			res := Decide(req)
			if req.Accounts != nil {
				for _, a := range req.Accounts.Accounts {
					if a.Type.IsAdmin() {
						b := *a
						b.Type = directory.EndUser
						with(res, Decision{Action: Update, Address: a.Address, UID: a.UID, Before: a, After: &b})
					}
				}
			}
			return res
		}, "out of an admin type"},
		{"minds the order of its input", func(req Request) *Result {
			res := Decide(req)
			if len(req.Known) > 1 && req.Known[0].Address > req.Known[1].Address && len(res.Decisions) > 0 {
				res.Decisions = res.Decisions[1:]
			}
			return res
		}, "order matters"},
		{"is never done", func(req Request) *Result {
			res := Decide(req)
			if a := account(req, "zoe@c.com"); a != nil && len(a.Surname) < 8 {
				with(res, Decision{Action: Update, Address: a.Address, UID: a.UID, Before: a, After: named(a), Known: a.Address, Record: a.Address, ObjectID: "o-zoe"})
			}
			return res
		}, "after apply the plan still has"},
		{"believes half a directory", func(req Request) *Result {
			if req.Directory != nil {
				d := *req.Directory
				d.Proof.Complete = true
				req.Directory = &d
			}
			return Decide(req)
		}, "directory incomplete: .* is destructive"},
		{"believes half the accounts", func(req Request) *Result {
			if req.Accounts != nil {
				a := *req.Accounts
				a.Proof.Complete = true
				req.Accounts = &a
			}
			return Decide(req)
		}, "accounts incomplete: .* is destructive"},
		{"guesses kinds", func(req Request) *Result {
			if req.Directory != nil {
				d := *req.Directory
				d.KindsErr = nil
				req.Directory = &d
			}
			return Decide(req)
		}, "kinds unknown: .* is destructive"},
		{"believes that it knows the domains", func(req Request) *Result {
			req.DomainsDoubt = ""
			return Decide(req)
		}, "domains in doubt: .* is destructive"},
		{"keeps silent about who stops receiving", func(req Request) *Result {
			res := Decide(req)
			res.StopsReceiving = nil
			return res
		}, "stops receiving: said"},
		{"counts seats wrongly", func(req Request) *Result {
			res := Decide(req)
			res.Seats.After++
			return res
		}, "seats: forecast"},
		{"calls a removal harmless", func(req Request) *Result {
			res := Decide(req)
			for i := range res.Decisions {
				res.Decisions[i].Destructive = false
			}
			return res
		}, "removes and is not destructive"},
		{"gives one address to two accounts", func(req Request) *Result {
			res := Decide(req)
			for i := range res.Decisions {
				if d := &res.Decisions[i]; d.Action == Add {
					a := *d.After
					a.Aliases = merge(a.Aliases, []string{"zoe@c.com"})
					d.After = &a
				}
			}
			return res
		}, "takes zoe@c.com, which account"},
	} {
		t.Run(m.name, func(t *testing.T) {
			said := objections(m.decide)
			if !slices.ContainsFunc(said, regexp.MustCompile(m.want).MatchString) {
				t.Errorf("not caught: none of %d objections matches %q: %v", len(said), m.want, said[:min(len(said), 5)])
			}
		})
	}
}
