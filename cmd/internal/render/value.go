package render

import (
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/directory"
)

// What is said in place of a value.
const (
	textSecret    = "(secret, will be written)"
	textSensitive = "(sensitive)"
	textUnknown   = "(known after apply)"
	textNone      = "(not set)"
)

// longSet is the number of characters from which on a set shows only the elements that come and go.
const longSet = 48

// row is one attribute of an item: its old and its new value in words, or the elements that come and go. The texts are
// foreign still.
type row struct {
	Path, Label string
	// Old is "" where only a wanted or only a live value is shown.
	Old, New string
	// Added and Removed are set for long sets instead of Old and New.
	Added, Removed []string
	// More counts further elements of a new set, which are not shown.
	More int
	// Marks are short remarks: "forces replacement", "drift".
	Marks []string
}

func null(v cty.Value) bool { return v == cty.NilVal || v.IsNull() }

// valueText is a value on one line for people.
func valueText(v cty.Value, sensitive bool) string {
	switch {
	case v != cty.NilVal && !v.IsKnown():
		return textUnknown
	case null(v):
		return textNone
	case sensitive:
		return textSensitive
	}
	return planner.Text(v)
}

// pathRow is the row of one differing attribute. wanted shows the new value alone, as for something that is created.
func pathRow(c *planner.PathChange, cause planner.Cause, wanted bool) row {
	r := row{Path: c.Path, Label: c.Label}
	if c.Forces {
		r.Marks = append(r.Marks, "forces replacement")
	}
	if c.Local {
		r.Marks = append(r.Marks, "kept by Weir, not sent")
	}
	if c.Cause != "" && cause != "" && c.Cause != cause {
		r.Marks = append(r.Marks, causeWord(c.Cause))
	}
	if c.WriteOnly {
		r.New = textSecret
		return r
	}
	r.New = valueText(c.After, c.Sensitive)
	if wanted {
		if list, ok := elements(c.After); ok && !c.Sensitive && len(list) > 1 && len(r.New) > longSet {
			r.Added, r.New = list, ""
			if n := len(list) - maxAccounts; n > 1 {
				r.Added, r.More = list[:maxAccounts], n
			}
		}
		return r
	}
	r.Old = valueText(c.Before, c.Sensitive)
	if c.Sensitive {
		return r
	}
	if old, ok := elements(c.Before); ok {
		if now, ok := elements(c.After); ok && len(r.Old)+len(r.New) > longSet {
			added, removed := without(now, old), without(old, now)
			if len(added)+len(removed) > 0 {
				r.Added, r.Removed, r.Old, r.New = added, removed, "", ""
			} else {
				r.Marks = append(r.Marks, "the order differs")
			}
		}
	}
	return r
}

// elements are the texts of a known collection of primitives.
func elements(v cty.Value) ([]string, bool) {
	if null(v) || !v.IsWhollyKnown() {
		return nil, false
	}
	t := v.Type()
	if !t.IsListType() && !t.IsSetType() && !t.IsTupleType() {
		return nil, false
	}
	out := []string{}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if !e.Type().IsPrimitiveType() {
			return nil, false
		}
		out = append(out, planner.Text(e))
	}
	return out, true
}

// without returns the elements of a that b does not have, each as often as it is missing.
func without(a, b []string) []string {
	left := map[string]int{}
	for _, s := range b {
		left[s]++
	}
	var out []string
	for _, s := range a {
		if left[s] > 0 {
			left[s]--
			continue
		}
		out = append(out, s)
	}
	return out
}

// leafRows are the rows of a whole value: every leaf that is set. paths names the sensitive ones.
func leafRows(v cty.Value, sensitive []string) []row {
	var rows []row
	var walk func(prefix string, v cty.Value)
	walk = func(prefix string, v cty.Value) {
		if null(v) || !v.Type().IsObjectType() {
			return
		}
		for _, name := range sortedNames(v.Type()) {
			path := prefix + name
			member := cty.UnknownVal(v.Type().AttributeType(name))
			if v.IsKnown() {
				member = v.GetAttr(name)
			}
			member, _ = member.Unmark()
			switch {
			case null(member):
			case member.Type().IsObjectType() && member.IsKnown() && !within(path, sensitive):
				walk(path+".", member)
			default:
				rows = append(rows, row{Path: path, New: valueText(member, within(path, sensitive))})
			}
		}
	}
	if v != cty.NilVal {
		v, _ = v.Unmark()
		walk("", v)
	}
	return rows
}

func sortedNames(t cty.Type) []string {
	var names []string
	for name := range t.AttributeTypes() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// within reports whether path is one of paths or lies below one.
func within(path string, paths []string) bool {
	for _, p := range paths {
		if path == p || strings.HasPrefix(path, p+".") {
			return true
		}
	}
	return false
}

// accountRows compares two states of an account.
func accountRows(before, after *directory.Account) []row {
	if before == nil || after == nil {
		return nil
	}
	var rows []row
	add := func(path, label string, a, b cty.Value) {
		if a.RawEquals(b) {
			return
		}
		rows = append(rows, pathRow(&planner.PathChange{Path: path, Label: label, Before: a, After: b}, "", false))
	}
	add("address", "", cty.StringVal(before.Address), cty.StringVal(after.Address))
	add("type", "", cty.StringVal(accountType(before.Type)), cty.StringVal(accountType(after.Type)))
	add("active", "", cty.BoolVal(before.Active), cty.BoolVal(after.Active))
	add("first_name", "", cty.StringVal(before.FirstName), cty.StringVal(after.FirstName))
	add("surname", "", cty.StringVal(before.Surname), cty.StringVal(after.Surname))
	add("billable", "", cty.BoolVal(before.Billable), cty.BoolVal(after.Billable))
	if added, removed := without(after.Aliases, before.Aliases), without(before.Aliases, after.Aliases); len(added)+len(removed) > 0 {
		rows = append(rows, row{Path: "aliases", Added: added, Removed: removed})
	}
	return rows
}

func accountType(t directory.AccountType) string {
	return strings.ReplaceAll(string(t), "_", " ")
}
