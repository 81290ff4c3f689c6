package dirsync

import (
	"errors"
	"fmt"
	"slices"

	"github.com/weir-project/weir/providers/directory"
)

// fingerprint is the whole request as text, to see that Decide leaves it alone.
func fingerprint(r Request) string {
	var out []string
	if r.Directory != nil {
		for _, e := range r.Directory.Entries {
			out = append(out, fmt.Sprintf("%+v", *e))
		}
	}
	if r.Accounts != nil {
		for _, a := range r.Accounts.Accounts {
			out = append(out, fmt.Sprintf("%+v", *a))
		}
	}
	return fmt.Sprintf("%v %+v %+v", out, r.Known, r.Policy.Safeguard)
}

// turnedRound is the same request with every list in reverse.
func turnedRound(r Request) Request {
	if r.Directory != nil {
		d := *r.Directory
		d.Entries = slices.Clone(d.Entries)
		slices.Reverse(d.Entries)
		r.Directory = &d
	}
	if r.Accounts != nil {
		a := *r.Accounts
		a.Accounts = slices.Clone(a.Accounts)
		slices.Reverse(a.Accounts)
		r.Accounts = &a
	}
	r.Known = slices.Clone(r.Known)
	slices.Reverse(r.Known)
	r.Protections = slices.Clone(r.Protections)
	slices.Reverse(r.Protections)
	r.Domains = slices.Clone(r.Domains)
	slices.Reverse(r.Domains)
	return r
}

// doubted decides the same request with each proof taken away: nothing destructive is left.
func doubted(t tester, req Request) {
	t.Helper()
	for name, doubt := range map[string]func(*Request){
		"directory incomplete": func(r *Request) { d := *r.Directory; d.Proof.Complete = false; r.Directory = &d },
		"accounts incomplete":  func(r *Request) { a := *r.Accounts; a.Proof.Complete = false; r.Accounts = &a },
		"kinds unknown":        func(r *Request) { d := *r.Directory; d.KindsErr = errors.New("503"); r.Directory = &d },
		"domains in doubt":     func(r *Request) { r.DomainsDoubt = "503" },
		"directory empty":      func(r *Request) { d := *r.Directory; d.Entries = nil; r.Directory = &d },
	} {
		r := req
		if r.Directory == nil || r.Accounts == nil {
			return
		}
		doubt(&r)
		res := deciding(r)
		if len(res.Problems) == 0 && len(r.Accounts.Accounts)+len(r.Known) > 0 {
			t.Errorf("%s: no problem reported", name)
		}
		for _, w := range res.Decisions {
			if w.Destructive || len(w.Loses) > 0 || w.Action == Delete || w.Action == Disable || w.Action == Convert {
				t.Errorf("%s: %s %s is destructive", name, w.Action, w.Address)
			}
		}
		adopted := slices.ContainsFunc(res.Links, func(l Link) bool { return l.From == "" })
		if adopted && name != "kinds unknown" && name != "domains in doubt" || len(req.Declared) == 0 && len(res.Forget) > 0 || len(res.StopsReceiving) > 0 {
			t.Errorf("%s: links %v, forget %v, stops receiving %v", name, res.Links, res.Forget, res.StopsReceiving)
		}
		for _, c := range res.Clocks {
			if !c.GoneSince.IsZero() {
				t.Errorf("%s: clock of %s starts", name, c.Address)
			}
		}
	}
}

// checkInvariants states what holds of every result.
func checkInvariants(t tester, req Request, res *Result) {
	t.Helper()
	entry := map[string]*directory.Entry{}
	if req.Directory != nil {
		for _, e := range req.Directory.Entries {
			entry[directory.Fold(e.ObjectID)] = e
		}
	}
	known := map[string]bool{}
	for _, k := range req.Known {
		known[k.Address] = true
	}
	protected := map[string]bool{}
	for _, x := range req.Policy.Safeguard.Protected {
		protected[directory.Fold(x)] = true
	}
	exempt := map[string]bool{}
	for _, p := range req.Protections {
		for _, x := range p.Addresses {
			exempt[directory.Fold(x)] = true
		}
	}
	last := ""
	for i := range res.Decisions {
		w := &res.Decisions[i]
		if w.Address <= last {
			t.Errorf("decisions are not sorted, or two have one address: %s after %s", w.Address, last)
		}
		last = w.Address
		removal := w.Action == Delete || w.Action == Disable || len(w.Loses) > 0
		if removal && !w.Destructive {
			t.Errorf("%s %s removes and is not destructive", w.Action, w.Address)
		}
		adopted := w.Adopt && (entry[w.ObjectID] != nil || req.Policy.Strays == AsAdopt)
		if removal && w.Known == "" && !adopted {
			t.Errorf("%s %s removes what is not owned", w.Action, w.Address)
		}
		if w.Known != "" && !known[w.Known] {
			t.Errorf("%s %s claims a record that does not exist", w.Action, w.Address)
		}
		names := append(addresses(w.Before), w.Known)
		for _, x := range names {
			if exempt[x] && w.Action != Convert {
				t.Errorf("%s %s: %s is exempt", w.Action, w.Address, x)
			}
		}
		if req.Declared[w.Address] || w.Known != "" && req.Declared[w.Known] || w.After != nil && req.Declared[w.After.Address] {
			t.Errorf("%s %s is declared", w.Action, w.Address)
		}
		for _, x := range w.Needs {
			if giver := res.Find(x); giver == nil || giver.Wave >= w.Wave {
				t.Errorf("%s %s, wave %d, needs %s: %+v", w.Action, w.Address, w.Wave, x, giver)
			}
		}
		if (w.Wave > 0) != (len(w.Needs) > 0) {
			t.Errorf("%s %s: wave %d, needs %v", w.Action, w.Address, w.Wave, w.Needs)
		}
		if w.Gone && entry[w.ObjectID] != nil {
			t.Errorf("%s %s: its entry is not gone", w.Action, w.Address)
		}
		for _, x := range w.Loses {
			if exempt[x] || protected[x] && w.Held == "" {
				t.Errorf("%s %s loses %s, which is protected", w.Action, w.Address, x)
			}
		}
		if w.Before != nil && w.Before.Type.IsAdmin() && w.After != nil && w.After.Type != w.Before.Type {
			t.Errorf("%s %s moves an account out of an admin type", w.Action, w.Address)
		}
		if w.After != nil && w.After.Type.IsAdmin() && (w.Before == nil || !w.Before.Type.IsAdmin()) {
			t.Errorf("%s %s gives an admin type", w.Action, w.Address)
		}
		if w.After != nil && (!slices.IsSorted(w.After.Aliases) || slices.Contains(w.After.Aliases, w.After.Address)) {
			t.Errorf("%s %s: aliases %v", w.Action, w.Address, w.After.Aliases)
		}
	}
	// What stops receiving is exactly what the model refuses afterwards and accepted before.
	if req.Accounts == nil || req.Directory == nil || !req.Accounts.Proof.Complete {
		return
	}
	accepted := func(r Request) map[string]bool {
		out := map[string]bool{}
		for _, a := range r.Accounts.Accounts {
			if a.Active {
				for _, x := range addresses(normalAccount(a)) {
					out[x] = true
				}
			}
		}
		return out
	}
	after := carryOut(t, req, res)
	today, tomorrow := accepted(req), accepted(after)
	var lost []string
	for x := range today {
		if !tomorrow[x] {
			lost = append(lost, x)
		}
	}
	slices.Sort(lost)
	var said []string
	for _, s := range res.StopsReceiving {
		said = append(said, s.Address)
	}
	if !slices.Equal(lost, said) {
		t.Errorf("stops receiving: said %v, is %v", said, lost)
	}
	seats := 0
	for _, a := range after.Accounts.Accounts {
		seats += Seat(a)
	}
	if seats != res.Seats.After {
		t.Errorf("seats: forecast %d, is %d", res.Seats.After, seats)
	}
}
