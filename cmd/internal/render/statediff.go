package render

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/state"
)

// StateComparison is what differs between two states of one tenant.
type StateComparison struct {
	Tenant state.TenantMeta
	// Before and After say which states they are, in a few words, such as "version 3" and "now".
	Before, After string
	// BeforeSerial and AfterSerial are their serials; 0 for one that is not stored.
	BeforeSerial, AfterSerial uint64
	Difference                *state.Difference
}

// StateDiff shows what differs: objects with each attribute's old and new value, accounts, outputs and what else is
// remembered. Sensitive values are hidden.
func StateDiff(w io.Writer, c StateComparison, o Options) error {
	p := newPrinter(w, o)
	title, detail := stateTitle(c.Tenant)
	p.heading(title, append(detail, c.Before+" → "+c.After))
	p.blank()
	d := c.Difference
	if d.Empty() {
		p.line("  Nothing differs.")
		return p.done()
	}
	for i := range d.Objects {
		p.objectDifference(&d.Objects[i])
	}
	p.accountDifferences(d.Accounts)
	if len(d.Outputs) > 0 {
		p.section("", "Outputs", "")
		var rows []row
		for _, out := range d.Outputs {
			rows = append(rows, changed(out.Name, out.Before.Value, out.After.Value, out.Before.Sensitive || out.After.Sensitive))
		}
		p.rows("    ", rows)
		p.blank()
	}
	p.sentences("", "Also", remembered(d))
	p.prose(bold, "", differenceWords(d)+".")
	return p.done()
}

// stateTitle names a state: the tenant's key and domain.
func stateTitle(t state.TenantMeta) (title string, detail []string) {
	if t.Key == state.RootKey || t.Key == "" {
		return "Root module", nil
	}
	if t.PrimaryDomain != "" {
		detail = append(detail, t.PrimaryDomain)
	}
	return t.Key, detail
}

// differenceSymbol is the symbol of one thing that differs.
func differenceSymbol(before, after, renamed bool) string {
	switch {
	case !before:
		return "+"
	case !after:
		return "-"
	case renamed:
		return "=>"
	}
	return "~"
}

func objectSymbol(d *state.ObjectDifference) string {
	return differenceSymbol(d.Before != nil, d.After != nil, d.Renamed())
}

func (p *printer) objectDifference(d *state.ObjectDifference) {
	line := "  " + p.symbol(objectSymbol(d)) + p.style(bold, SafeText(d.Address()))
	some := cmp.Or(d.After, d.Before)
	if some.ID != "" {
		line += p.style(dim, "  "+SafeText(some.ID))
	}
	p.line(line)
	if d.Renamed() {
		p.line("        ", p.style(dim, "was "+SafeText(d.Before.Address)))
	}
	rows := objectRows(d)
	p.rows("        ", rows)
	if len(rows) == 0 && d.Before != nil && d.After != nil && !d.Renamed() {
		p.line("        ", p.style(dim, "its values are the same; only Weir's notes about it differ"))
	}
	p.blank()
}

// objectRows are the attributes that differ, and what else is remembered about an object that people know of. A removed
// object has none.
func objectRows(d *state.ObjectDifference) []row {
	if d.After == nil {
		return nil
	}
	if d.Before == nil {
		rows := leafRows(d.After.Values, d.After.Sensitive)
		for _, name := range slices.Sorted(maps.Keys(d.After.Versions)) {
			rows = append(rows, row{Path: name, New: "(secret, written)"})
		}
		return rows
	}
	a, b := d.Before, d.After
	var rows []row
	old, now := leaves(a.Values), leaves(b.Values)
	for _, path := range sortedUnion(old, now) {
		hidden := within(path, a.Sensitive) || within(path, b.Sensitive)
		x, there := old[path]
		y, here := now[path]
		if there && here && equalLeaf(x, y) {
			continue
		}
		rows = append(rows, changed(path, x, y, hidden))
	}
	for _, name := range sortedUnion(a.Versions, b.Versions) {
		switch {
		case a.Versions[name] == b.Versions[name]:
		case b.Versions[name] == "":
			rows = append(rows, row{Path: name, New: "(secret, not written)"})
		default:
			rows = append(rows, row{Path: name, New: "(secret, another value was written)"})
		}
	}
	text := func(path, x, y string) {
		if x != y {
			rows = append(rows, changed(path, orNull(x), orNull(y), false))
		}
	}
	text("(id)", a.ID, b.ID)
	text("(how it came)", string(a.Ownership), string(b.Ownership))
	text("(provider)", a.Provider, b.Provider)
	if a.PreventDestroy != b.PreventDestroy {
		rows = append(rows, changed("(prevent_destroy)", cty.BoolVal(a.PreventDestroy), cty.BoolVal(b.PreventDestroy), false))
	}
	if added, removed := without(b.Dependencies, a.Dependencies), without(a.Dependencies, b.Dependencies); len(added)+len(removed) > 0 {
		rows = append(rows, row{Path: "(needs)", Added: added, Removed: removed})
	}
	return rows
}

// changed is the row of one value that differs.
func changed(path string, before, after cty.Value, sensitive bool) row {
	if sensitive && !null(before) && !null(after) {
		return row{Path: path, New: "(sensitive, another value)"}
	}
	return pathRow(&planner.PathChange{Path: path, Before: before, After: after, Sensitive: sensitive}, "", false)
}

func orNull(s string) cty.Value {
	if s == "" {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(s)
}

func equalLeaf(a, b cty.Value) bool {
	if a == cty.NilVal || b == cty.NilVal {
		return a == b
	}
	return a.RawEquals(b)
}

// leaves are the parts of an object value that are set, by dotted path.
func leaves(v cty.Value) map[string]cty.Value {
	out := map[string]cty.Value{}
	var walk func(prefix string, v cty.Value)
	walk = func(prefix string, v cty.Value) {
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			path := prefix + k.AsString()
			switch {
			case e.IsNull():
			case e.IsKnown() && e.Type().IsObjectType():
				walk(path+".", e)
			default:
				out[path] = e
			}
		}
	}
	if v == cty.NilVal {
		return out
	}
	if v, _ = v.UnmarkDeep(); !v.IsNull() && v.IsKnown() && v.Type().IsObjectType() {
		walk("", v)
	}
	return out
}

func sortedUnion[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// accountDifferences shows accounts by what became of them, of each group the first few.
func (p *printer) accountDifferences(list []state.AccountDifference) {
	if len(list) == 0 {
		return
	}
	p.section("", "Accounts derived from the directory", fmt.Sprint(len(list)))
	column := 0
	for i := range list {
		column = max(column, min(width(SafeText(list[i].Address())), 44))
	}
	for _, symbol := range []string{"+", "~", "=>", "-"} {
		shown, more := 0, 0
		for i := range list {
			d := &list[i]
			if differenceSymbol(d.Before != nil, d.After != nil, d.Renamed()) != symbol {
				continue
			}
			if shown == maxAccounts {
				more++
				continue
			}
			shown++
			line := "    " + p.symbol(symbol) + pad(SafeText(d.Address()), column)
			switch {
			case d.Renamed():
				line += p.style(dim, "  was "+SafeText(d.Before.Address))
			case d.Before == nil:
				line += p.style(dim, "  "+SafeText(accountNote(d.After)))
			}
			p.line(line)
			p.rows("          ", rememberedAccountRows(d))
		}
		if more > 0 {
			p.line("    ", p.symbol(symbol), p.style(dim, fmt.Sprintf("… and %d more", more)))
		}
	}
	p.blank()
}

// rememberedAccountRows compares what is remembered of an account before and after; an account that came or went has
// none.
func rememberedAccountRows(d *state.AccountDifference) []row {
	a, b := d.Before, d.After
	if a == nil || b == nil {
		return nil
	}
	var rows []row
	text := func(path, x, y string) {
		if x != y {
			rows = append(rows, changed(path, orNull(x), orNull(y), false))
		}
	}
	flag := func(path string, x, y bool) {
		if x != y {
			rows = append(rows, changed(path, cty.BoolVal(x), cty.BoolVal(y), false))
		}
	}
	text("type", accountType(directory.AccountType(a.Type)), accountType(directory.AccountType(b.Type)))
	flag("active", a.Active, b.Active)
	if added, removed := without(b.Aliases, a.Aliases), without(a.Aliases, b.Aliases); len(added)+len(removed) > 0 {
		rows = append(rows, row{Path: "aliases", Added: added, Removed: removed})
	}
	text("policy", a.Policy, b.Policy)
	text("gone since", dayOf(a.GoneSince), dayOf(b.GoneSince))
	flag("converted by Weir", a.Converted, b.Converted)
	flag("disabled by Weir", a.Disabled, b.Disabled)
	text("how it came", string(a.Ownership), string(b.Ownership))
	if a.UID != b.UID || a.ObjectID != b.ObjectID {
		text("ids", fmt.Sprintf("%d %s", a.UID, a.ObjectID), fmt.Sprintf("%d %s", b.UID, b.ObjectID))
	}
	if len(rows) == 0 && a.Address == b.Address {
		rows = append(rows, row{Path: "names or details", New: "as last written, differ"})
	}
	return rows
}

func dayOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// remembered says in sentences what else differs.
func remembered(d *state.Difference) []string {
	var out []string
	if d.Identity {
		out = append(out, "The tenant's identity as recorded: its block's address, domain, ids or providers.")
	}
	if d.Skips {
		out = append(out, "The items that a person left out until a date.")
	}
	if d.Removals {
		out = append(out, "The removals that count against the limits.")
	}
	if d.Allowances {
		out = append(out, "The one-time allowances that are used up.")
	}
	if d.Applied {
		out = append(out, "What the directory sync goes by besides the policy: the root's limits, and when it was last done.")
	}
	if d.Hosted {
		out = append(out, "What the vendor's own sync is expected to do.")
	}
	for _, list := range []struct {
		intents []state.Intent
		what    string
	}{{d.Begun, "In doubt only afterwards"}, {d.Settled, "In doubt only before"}} {
		for i, intent := range list.intents {
			if i == maxAccounts {
				out = append(out, fmt.Sprintf("%s: %d more.", list.what, len(list.intents)-i))
				break
			}
			address := intent.Address
			if intent.Mail != "" {
				address = planner.AccountAddress(address, intent.Mail)
			}
			out = append(out, fmt.Sprintf("%s: %s of %s.", list.what, intent.Action, address))
		}
	}
	return out
}

// differenceCounts counts by symbol.
func differenceCounts(d *state.Difference) (objects, accounts map[string]int) {
	objects, accounts = map[string]int{}, map[string]int{}
	for i := range d.Objects {
		objects[objectSymbol(&d.Objects[i])]++
	}
	for _, a := range d.Accounts {
		accounts[differenceSymbol(a.Before != nil, a.After != nil, a.Renamed())]++
	}
	return objects, accounts
}

// differenceWords is a difference in one line.
func differenceWords(d *state.Difference) string {
	objects, accounts := differenceCounts(d)
	var parts []string
	for _, group := range []struct {
		one, many string
		n         int
		counts    map[string]int
	}{{"object", "objects", len(d.Objects), objects}, {"account", "accounts", len(d.Accounts), accounts}} {
		if group.n == 0 {
			continue
		}
		var words []string
		for _, s := range []struct{ symbol, word string }{{"+", "added"}, {"~", "changed"}, {"=>", "renamed"}, {"-", "removed"}} {
			if n := group.counts[s.symbol]; n > 0 {
				words = append(words, fmt.Sprintf("%d %s", n, s.word))
			}
		}
		parts = append(parts, plural(group.n, group.one, group.many)+" ("+strings.Join(words, ", ")+")")
	}
	if n := len(d.Outputs); n > 0 {
		parts = append(parts, plural(n, "output", "outputs"))
	}
	if len(parts) == 0 {
		return "No object, account or output differs"
	}
	verb := " differ"
	if len(parts) == 1 && len(d.Objects)+len(d.Accounts)+len(d.Outputs) == 1 {
		verb = " differs"
	}
	return strings.Join(parts, ", ") + verb
}

// StateDiffJSON writes the comparison as one document: objects in the shape of Terraform's resource_changes, accounts
// and the rest under names of their own. Sensitive values are null.
func StateDiffJSON(w io.Writer, c StateComparison) error {
	d := c.Difference
	objects := []map[string]any{}
	for i := range d.Objects {
		o := &d.Objects[i]
		some := cmp.Or(o.After, o.Before)
		e := map[string]any{
			"address": o.Address(), "type": some.Type, "id": some.ID, "action": differenceAction(objectSymbol(o)),
			"before": nil, "after": nil, "changed": []string{},
		}
		if o.Renamed() {
			e["previous_address"] = o.Before.Address
		}
		var paths []string
		if o.Before != nil {
			e["before"] = orObject(jsonValue(o.Before.Values, hiddenOf(o)))
		}
		if o.After != nil {
			e["after"] = orObject(jsonValue(o.After.Values, hiddenOf(o)))
		}
		if o.Before != nil && o.After != nil {
			for _, r := range objectRows(o) {
				paths = append(paths, r.Path)
			}
			e["changed"] = orEmptyList(paths)
		}
		objects = append(objects, e)
	}
	accounts := []map[string]any{}
	for i := range d.Accounts {
		a := &d.Accounts[i]
		e := map[string]any{
			"mail": a.Address(), "action": differenceAction(differenceSymbol(a.Before != nil, a.After != nil, a.Renamed())),
			"before": nil, "after": nil,
		}
		if a.Before != nil {
			e["before"] = jsonRemembered(a.Before)
		}
		if a.After != nil {
			e["after"] = jsonRemembered(a.After)
		}
		accounts = append(accounts, e)
	}
	outputs := map[string]any{}
	for _, out := range d.Outputs {
		hidden := out.Before.Sensitive || out.After.Sensitive
		e := map[string]any{"sensitive": hidden, "before": nil, "after": nil}
		if !hidden {
			e["before"], e["after"] = jsonValue(out.Before.Value, nil), jsonValue(out.After.Value, nil)
		}
		outputs[out.Name] = e
	}
	return writeJSON(w, map[string]any{
		"format_version": "1.0", "tenant": c.Tenant.Key, "before_serial": c.BeforeSerial, "after_serial": c.AfterSerial,
		"equal": d.Empty(), "objects": objects, "accounts": accounts, "outputs": outputs,
		"identity": d.Identity, "skips": d.Skips, "removals": d.Removals, "allowances": d.Allowances, "applied": d.Applied, "hosted": d.Hosted,
		"in_doubt_begun": jsonDoubts(d.Begun), "in_doubt_settled": jsonDoubts(d.Settled),
	})
}

// hiddenOf are the paths that either side hides.
func hiddenOf(d *state.ObjectDifference) []string {
	var out []string
	for _, o := range []*state.Object{d.Before, d.After} {
		if o != nil {
			out = append(out, o.Sensitive...)
		}
	}
	return out
}

func differenceAction(symbol string) string {
	switch symbol {
	case "+":
		return "add"
	case "-":
		return "remove"
	case "=>":
		return "rename"
	}
	return "change"
}
