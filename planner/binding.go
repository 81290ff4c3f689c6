package planner

import (
	"slices"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/state"
)

// follow lets a protection hold for what its addresses stood for when they were first seen, whatever it is called now.
func follow(p *dirsync.Protection, obj *state.Object) {
	if obj == nil {
		return
	}
	for _, b := range obj.Bindings {
		if slices.Contains(p.Addresses, directory.Fold(b.Address)) {
			p.UIDs, p.ObjectIDs = append(p.UIDs, b.UID), append(p.ObjectIDs, b.ObjectID)
		}
	}
}

// Bind brings what state remembers of an exemption's addresses up to date: the first sight of an address counts, a half
// that was missing then is filled in, and what the exemption no longer names is forgotten. changed reports whether
// there is anything to write.
func Bind(obj *state.Object, seen []dirsync.Binding) (bindings []state.Binding, changed bool) {
	for _, address := range strs(obj.Values, "addresses") {
		known := false
		for _, b := range obj.Bindings {
			if b.Address != address {
				continue
			}
			known = true
			for _, s := range seen {
				if s.Source != obj.Address || directory.Fold(s.Address) != address {
					continue
				}
				if b.UID == 0 && s.ObjectID != "" && s.ObjectID == b.ObjectID {
					b.UID = s.UID
				}
				if b.ObjectID == "" && s.UID != 0 && s.UID == b.UID {
					b.ObjectID = s.ObjectID
				}
			}
			bindings = append(bindings, b)
		}
		if known {
			continue
		}
		for _, s := range seen {
			if s.Source == obj.Address && directory.Fold(s.Address) == address && (s.UID != 0 || s.ObjectID != "") {
				bindings = append(bindings, state.Binding{Address: address, UID: s.UID, ObjectID: s.ObjectID})
			}
		}
	}
	return bindings, !slices.Equal(bindings, obj.Bindings)
}

// narrow drops what a selection leaves out of what is to be remembered.
func (p *Part) narrow(req *Request) {
	if len(req.Targets)+len(req.Excludes) == 0 {
		return
	}
	out := func(address, within string) bool {
		return len(req.Targets) > 0 && !Matches(address, req.Targets) && !Matches(within, req.Targets) ||
			Matches(address, req.Excludes) || Matches(within, req.Excludes)
	}
	account := func(mail string) bool { return out(AccountAddress(p.AccountPolicy, mail), p.AccountPolicy) }
	r := p.Accounts
	r.Links = slices.DeleteFunc(r.Links, func(l dirsync.Link) bool { return account(l.Address) })
	r.Clocks = slices.DeleteFunc(r.Clocks, func(c dirsync.Clock) bool { return account(c.Address) })
	r.Learned = slices.DeleteFunc(r.Learned, func(k dirsync.Known) bool { return account(k.Address) })
	r.Forget = slices.DeleteFunc(r.Forget, account)
	r.Bindings = slices.DeleteFunc(r.Bindings, func(b dirsync.Binding) bool { return out(b.Source, b.Source) })
}

// remembers reports whether there is something that only Weir itself has to remember: adoptions, grace clocks, records
// to forget, ids of protected addresses, an exemption still to be lifted. It needs an apply and is no change.
func (p *Part) remembers(req *Request) bool {
	r := p.Accounts
	if len(r.Links)+len(r.Clocks)+len(r.Forget) > 0 {
		return true
	}
	if req.Prior == nil {
		return false
	}
	for _, obj := range req.Prior.Objects {
		if obj.Type != "exemption" {
			continue
		}
		if _, changed := Bind(obj, r.Bindings); changed {
			return true
		}
	}
	for _, d := range req.Prior.Doubts() {
		if d.Type == LiftExemption {
			return true
		}
	}
	return false
}

// LiftExemption is the type of a journal entry that stands for the end of an exemption which directory sync wrote
// itself. It stays open until the address has left the vendor's list.
const LiftExemption = "sync exemption"
