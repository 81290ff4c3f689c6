package dirsync

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/weir-project/weir/providers/directory"
)

// entries brings the reading into the order and spelling that the merge relies on. Readers keep both, so that this is
// one pass without copies. twice holds the ids of objects that occur more than once with differing facts: a read during
// which the object changed. Exact repetitions are dropped.
func entries(in []*directory.Entry) (out []*directory.Entry, byID map[string]*directory.Entry, twice map[string]bool) {
	copied := false
	for i, e := range in {
		n := normalEntry(e)
		if n == e {
			continue
		}
		if !copied {
			in, copied = slices.Clone(in), true
		}
		in[i] = n
	}
	byAddress := func(a, b *directory.Entry) int {
		return cmp.Or(strings.Compare(a.Address, b.Address), strings.Compare(a.ObjectID, b.ObjectID),
			strings.Compare(string(a.Kind), string(b.Kind)))
	}
	if slices.Contains(in, nil) {
		in = slices.DeleteFunc(slices.Clone(in), func(e *directory.Entry) bool { return e == nil })
	}
	if !slices.IsSortedFunc(in, byAddress) {
		in = slices.SortedStableFunc(slices.Values(in), byAddress)
	}
	byID = make(map[string]*directory.Entry, len(in))
	twice = map[string]bool{}
	repeated := false
	for _, e := range in {
		if e.ObjectID == "" {
			continue
		}
		if first := byID[e.ObjectID]; first != nil {
			repeated = true
			if !reflect.DeepEqual(first, e) {
				twice[e.ObjectID] = true
			}
			continue
		}
		byID[e.ObjectID] = e
	}
	if repeated {
		in = slices.DeleteFunc(slices.Clone(in), func(e *directory.Entry) bool {
			return e.ObjectID != "" && !twice[e.ObjectID] && byID[e.ObjectID] != e
		})
	}
	return in, byID, twice
}

func normalEntry(e *directory.Entry) *directory.Entry {
	if e == nil {
		return nil
	}
	address, id := directory.Fold(e.Address), directory.Fold(e.ObjectID)
	aliases := normalAddresses(e.Aliases, address)
	if address == e.Address && id == e.ObjectID && len(aliases) == len(e.Aliases) &&
		(len(aliases) == 0 || &aliases[0] == &e.Aliases[0]) {
		return e
	}
	n := *e
	n.Address, n.ObjectID, n.Aliases = address, id, aliases
	return &n
}

// normalAddresses returns the list folded, sorted, without repetitions and without primary; the same list if it is so
// already.
func normalAddresses(in []string, primary string) []string {
	fine := true
	for i, a := range in {
		if a != directory.Fold(a) || a == primary || a == "" || i > 0 && in[i-1] >= a {
			fine = false
			break
		}
	}
	if fine {
		return in
	}
	out := make([]string, 0, len(in))
	for _, a := range in {
		if a = directory.Fold(a); a != "" && a != primary {
			out = append(out, a)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// accounts does the same for accounts; twice are addresses that two accounts have.
func accounts(in []*directory.Account) (out []*directory.Account, twice []string) {
	copied := false
	for i, a := range in {
		n := normalAccount(a)
		if n == a {
			continue
		}
		if !copied {
			in, copied = slices.Clone(in), true
		}
		in[i] = n
	}
	if slices.Contains(in, nil) {
		in = slices.DeleteFunc(slices.Clone(in), func(a *directory.Account) bool { return a == nil })
	}
	byAddress := func(a, b *directory.Account) int {
		return cmp.Or(strings.Compare(a.Address, b.Address), cmp.Compare(a.UID, b.UID))
	}
	if !slices.IsSortedFunc(in, byAddress) {
		in = slices.SortedStableFunc(slices.Values(in), byAddress)
	}
	for i := 1; i < len(in); i++ {
		if in[i].Address == in[i-1].Address {
			twice = append(twice, in[i].Address)
		}
	}
	return in, slices.Compact(twice)
}

func normalAccount(a *directory.Account) *directory.Account {
	if a == nil {
		return nil
	}
	address := directory.Fold(a.Address)
	aliases := normalAddresses(a.Aliases, address)
	if address == a.Address && len(aliases) == len(a.Aliases) && (len(aliases) == 0 || &aliases[0] == &a.Aliases[0]) {
		return a
	}
	n := *a
	n.Address, n.Aliases = address, aliases
	return &n
}

// knowns sorts the records by address, those of this policy first.
func knowns(in []Known, policy string) []Known {
	byAddress := func(a, b Known) int {
		own := func(k Known) int {
			if k.Policy == policy {
				return 0
			}
			return 1
		}
		return cmp.Or(strings.Compare(a.Address, b.Address), cmp.Compare(own(a), own(b)), cmp.Compare(a.UID, b.UID),
			strings.Compare(a.ObjectID, b.ObjectID))
	}
	if slices.IsSortedFunc(in, byAddress) {
		return in
	}
	return slices.SortedStableFunc(slices.Values(in), byAddress)
}

// plausible refuses what can be no address of a mail account: directory text is foreign.
func plausible(address string) bool {
	at := strings.LastIndexByte(address, '@')
	if at <= 0 || at == len(address)-1 || len(address) > 320 || !utf8.ValidString(address) {
		return false
	}
	for i := 0; i < len(address); i++ {
		switch c := address[i]; {
		case c <= ' ' || c == 0x7f || c == ',' || c == '"' || c == '<' || c == '>':
			return false
		case c >= utf8.RuneSelf:
			return !strings.ContainsFunc(address, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || !unicode.IsPrint(r) })
		}
	}
	return true
}

// clean takes out of a name what could act on a terminal or a page's direction: control characters, direction
// overrides, broken UTF-8.
func clean(s string) string {
	fine := true
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= 0x7f {
			fine = false
			break
		}
	}
	if !fine {
		s = strings.Map(func(r rune) rune {
			switch {
			case r == utf8.RuneError, unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
				return -1
			}
			return r
		}, strings.ToValidUTF8(s, ""))
	}
	return strings.TrimSpace(s)
}

// contains looks an address up in a sorted list.
func contains(sorted []string, address string) bool {
	_, ok := slices.BinarySearch(sorted, address)
	return ok
}
