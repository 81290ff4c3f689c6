package state

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Difference is what one state has and another has not. Its slices are sorted by
// address; the zero value means that nothing differs.
type Difference struct {
	Objects  []ObjectDifference
	Accounts []AccountDifference
	Outputs  []OutputDifference
	// Identity says that the tenant's identity differs: its block's address, domain,
	// ids, or recorded providers.
	Identity bool
	// Skips, Removals and Allowances say that these lists differ.
	Skips, Removals, Allowances bool
	// Applied says that what the last apply went by besides objects differs.
	Applied bool
	// Hosted says that what the vendor's own sync is expected to do differs.
	Hosted bool
	// Begun are operations in doubt in the new state alone, Settled those in the old
	// one alone; oldest first.
	Begun, Settled []Intent
}

// ObjectDifference is one object that was added (Before is nil), removed (After
// is nil), changed, or renamed: then the addresses differ.
type ObjectDifference struct {
	Before, After *Object
}

// Address is what the object is called now, or was called last.
func (d ObjectDifference) Address() string {
	if d.After != nil {
		return d.After.Address
	}
	return d.Before.Address
}

// Renamed reports whether the object has another address than before.
func (d ObjectDifference) Renamed() bool {
	return d.Before != nil && d.After != nil && d.Before.Address != d.After.Address
}

// AccountDifference is one derived account that was added (Before is nil),
// removed (After is nil), changed, or renamed.
type AccountDifference struct {
	Before, After *Account
}

// Address is what the account is called now, or was called last.
func (d AccountDifference) Address() string {
	if d.After != nil {
		return d.After.Address
	}
	return d.Before.Address
}

// Renamed reports whether the account has another address than before.
func (d AccountDifference) Renamed() bool {
	return d.Before != nil && d.After != nil && d.Before.Address != d.After.Address
}

// OutputDifference is one output; a value of cty.NilVal means that it is not
// there.
type OutputDifference struct {
	Name          string
	Before, After Output
}

// Empty reports whether nothing differs.
func (d *Difference) Empty() bool {
	return len(d.Objects)+len(d.Accounts)+len(d.Outputs)+len(d.Begun)+len(d.Settled) == 0 &&
		!d.Identity && !d.Skips && !d.Removals && !d.Allowances && !d.Applied && !d.Hosted
}

// Diff compares two states of one tenant. Serial, lineage and realm are no part
// of it. Nothing is changed.
func Diff(before, after *State) *Difference {
	return &Difference{
		Objects:    diffObjects(before, after),
		Accounts:   diffAccounts(before, after),
		Outputs:    diffOutputs(before, after),
		Identity:   !sameJSON(storeTenant(before.Tenant), storeTenant(after.Tenant)),
		Skips:      !sameJSON(before.Skips, after.Skips),
		Removals:   !sameJSON(before.Removals, after.Removals),
		Allowances: !sameJSON(before.Allowances, after.Allowances),
		Applied:    !before.Applied.Equal(after.Applied),
		Hosted:     !sameJSON(before.Hosted, after.Hosted),
		Begun:      doubtsWithout(after, before),
		Settled:    doubtsWithout(before, after),
	}
}

func diffObjects(before, after *State) []ObjectDifference {
	var out []ObjectDifference
	gone := map[string]*Object{} // by vendor id, or by the operation that wrote them
	for address, o := range before.Objects {
		if after.Objects[address] == nil {
			gone[sameObject(o)] = o
		}
	}
	delete(gone, "")
	for _, address := range after.Addresses() {
		o, old := after.Objects[address], before.Objects[address]
		if old == nil {
			if id := sameObject(o); id != "" && gone[id] != nil {
				old = gone[id]
				delete(gone, id)
			}
		}
		if old == nil || !equalObjects(old, o) {
			out = append(out, ObjectDifference{Before: old, After: o})
		}
	}
	renamed := map[string]bool{}
	for _, d := range out {
		if d.Renamed() {
			renamed[d.Before.Address] = true
		}
	}
	for _, address := range before.Addresses() {
		if after.Objects[address] == nil && !renamed[address] {
			out = append(out, ObjectDifference{Before: before.Objects[address]})
		}
	}
	slices.SortStableFunc(out, func(a, b ObjectDifference) int { return strings.Compare(a.Address(), b.Address()) })
	return out
}

// sameObject is what an object under another address is recognised by: the
// vendor's id, or the operation that wrote it last.
func sameObject(o *Object) string {
	switch {
	case o.ID != "":
		return o.Type + "\x00" + o.ID
	case o.Op != "":
		return o.Type + "\x00\x00" + o.Op
	}
	return ""
}

func equalObjects(a, b *Object) bool {
	if a == b {
		return true
	}
	x, errX := storeObject(a)
	y, errY := storeObject(b)
	return errX == nil && errY == nil && sameJSON(x, y)
}

func diffAccounts(before, after *State) []AccountDifference {
	var out []AccountDifference
	moved := map[int]*Account{} // by user id, of those whose address is no more
	for a := range before.Accounts.All() {
		if a.UID != 0 && after.Accounts.Get(a.Address) == nil {
			moved[a.UID] = a
		}
	}
	renamed := map[string]bool{}
	for a := range after.Accounts.All() {
		old := before.Accounts.Get(a.Address)
		if old == nil && a.UID != 0 && moved[a.UID] != nil {
			old = moved[a.UID]
			delete(moved, a.UID)
			renamed[old.Address] = true
		}
		if old == nil || !equalAccounts(old, a) {
			out = append(out, AccountDifference{Before: old, After: a})
		}
	}
	for a := range before.Accounts.All() {
		if after.Accounts.Get(a.Address) == nil && !renamed[a.Address] {
			out = append(out, AccountDifference{Before: a})
		}
	}
	slices.SortStableFunc(out, func(a, b AccountDifference) int { return strings.Compare(a.Address(), b.Address()) })
	return out
}

// equalAccounts is spelled out: a state may have hundreds of thousands.
func equalAccounts(a, b *Account) bool {
	return a == b || a.Address == b.Address && a.UID == b.UID && a.ObjectID == b.ObjectID && a.Policy == b.Policy && a.Hash == b.Hash &&
		a.Ownership == b.Ownership && a.Type == b.Type && a.Active == b.Active && slices.Equal(a.Aliases, b.Aliases) && a.Kind == b.Kind &&
		a.Converted == b.Converted && a.Disabled == b.Disabled && a.GoneSince.Equal(b.GoneSince) && a.SettleUntil.Equal(b.SettleUntil)
}

func diffOutputs(before, after *State) []OutputDifference {
	names := map[string]bool{}
	for name := range before.Outputs {
		names[name] = true
	}
	for name := range after.Outputs {
		names[name] = true
	}
	var out []OutputDifference
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, b := before.Outputs[name], after.Outputs[name]
		if a.Sensitive != b.Sensitive || !equalValues(a.Value, b.Value) {
			out = append(out, OutputDifference{Name: name, Before: a, After: b})
		}
	}
	return out
}

func equalValues(a, b cty.Value) bool {
	if a == cty.NilVal || b == cty.NilVal {
		return a == b
	}
	return a.RawEquals(b)
}

// doubtsWithout are the operations in doubt in s that other has not.
func doubtsWithout(s, other *State) []Intent {
	return slices.DeleteFunc(s.Doubts(), func(i Intent) bool {
		_, there := other.InDoubt[i.Op]
		return there
	})
}

// sameJSON compares values without cty by their JSON; nil and empty lists are
// the same.
func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	if errX != nil || errY != nil {
		return false
	}
	return string(x) == string(y) || blank(x) && blank(y)
}

func blank(raw []byte) bool {
	switch string(raw) {
	case "null", "[]", "{}":
		return true
	}
	return false
}
