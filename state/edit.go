package state

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// settled refuses while an operation in doubt is about what touched names.
func (s *State) settled(touched func(address, mail string) bool) error {
	for _, i := range s.Doubts() {
		if touched(i.Address, i.Mail) {
			what := i.Address
			if i.Mail != "" {
				what = i.Mail + " of " + i.Address
			}
			return fmt.Errorf("%s of %s was begun at %s and never seen to end, so it may still be at work; apply first, which finds out",
				i.Action, what, i.Time.UTC().Format(time.DateTime))
		}
	}
	return nil
}

// Forget returns a state without the objects with those addresses and the
// derived accounts with those mail addresses. Dependencies on the objects are
// taken out of the others. What else is remembered stays: a skip protects an
// account that is forgotten, too, and removals done count against the limits.
// The receiver is not changed. It fails while an operation in doubt is about one
// of them.
func (s *State) Forget(addresses, mails []string) (*State, error) {
	gone := map[string]bool{}
	for _, a := range addresses {
		gone[a] = true
	}
	people := map[string]bool{}
	for _, m := range mails {
		people[m] = true
	}
	err := s.settled(func(address, mail string) bool {
		return mail == "" && gone[address] || mail != "" && people[mail]
	})
	if err != nil {
		return nil, err
	}
	next := s.Clone()
	for _, a := range addresses {
		delete(next.Objects, a)
	}
	for _, m := range mails {
		next.Accounts.Delete(m)
	}
	for address, o := range next.Objects {
		if slices.ContainsFunc(o.Dependencies, func(d string) bool { return gone[d] }) {
			c := *o
			c.Dependencies = slices.DeleteFunc(slices.Clone(o.Dependencies), func(d string) bool { return gone[d] })
			next.Objects[address] = &c
		}
	}
	return next, nil
}

// Unskip returns a state without the skips of those for whom ended says so. The
// receiver is not changed.
func (s *State) Unskip(ended func(Skip) bool) *State {
	next := s.Clone()
	next.Skips = slices.DeleteFunc(next.Skips, ended)
	return next
}

// Keep returns then with what must not be forgotten of s, the present: which
// operations are in doubt, the removals that count against limits, and the
// one-time allowances used up. Neither is changed.
func (s *State) Keep(then *State) *State {
	next := then.Clone()
	if next.InDoubt == nil && len(s.InDoubt) > 0 {
		next.InDoubt = map[string]Intent{}
	}
	maps.Copy(next.InDoubt, s.InDoubt)
	removals := next.Removals
	next.Removals = slices.Clone(s.Removals)
	next.countRemovals(removals)
	slices.SortStableFunc(next.Removals, func(a, b Removal) int { return a.Time.Compare(b.Time) })
	if next.Allowances == nil && len(s.Allowances) > 0 {
		next.Allowances = map[string]time.Time{}
	}
	maps.Copy(next.Allowances, s.Allowances)
	return next
}

// protecting is the type of the objects that protect people from what a directory
// sync does.
const protecting = "exemption"

// Rollback returns a state that remembers the objects, accounts and outputs of
// then, an earlier state of the same tenant. All else is the present's: who the
// tenant is, people's skips and exemptions (a sync goes by state alone, and whom
// one of today protects would lose that without a word), and what Keep names; an
// operation that was in doubt then and is settled now stays settled. A grace clock
// does not run on from then: an account without a directory object has the clock
// of the present, or a new one. Neither state is changed.
func (s *State) Rollback(then *State) *State {
	next := s.Clone()
	next.Objects = maps.Clone(then.Objects)
	for address, o := range s.Objects {
		if o.Type == protecting {
			if next.Objects == nil {
				next.Objects = map[string]*Object{}
			}
			next.Objects[address] = o
		}
	}
	next.Outputs = maps.Clone(then.Outputs)
	next.Accounts = Accounts{}
	for a := range then.Accounts.All() {
		if now := s.Accounts.Get(a.Address); !a.GoneSince.IsZero() && (now == nil || !now.GoneSince.Equal(a.GoneSince)) {
			c := *a
			c.GoneSince = time.Time{}
			if now != nil {
				c.GoneSince = now.GoneSince
			}
			a = &c
		}
		next.Accounts.Put(a)
	}
	return next
}
