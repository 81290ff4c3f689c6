package render

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/state"
)

// State shows what is remembered about one tenant: its objects with their values, and its derived accounts. Sensitive
// values are not shown.
func State(w io.Writer, s *state.State, o Options) error {
	p := newPrinter(w, o)
	p.heading(stateTitle(s.Tenant))
	if !s.Stored() {
		p.line("  Nothing was applied yet.")
		p.blank()
		return p.done()
	}
	p.blank()
	for _, address := range s.Addresses() {
		obj := s.Objects[address]
		line := "  " + p.style(bold, SafeText(address))
		if obj.ID != "" {
			line += p.style(dim, "  "+SafeText(obj.ID))
		}
		p.line(line, p.style(dim, "  ("+string(obj.Ownership)+")"))
		rows := leafRows(obj.Values, obj.Sensitive)
		for _, name := range slices.Sorted(maps.Keys(obj.Versions)) {
			rows = append(rows, row{Path: name, New: "(secret, written)"})
		}
		p.rows("      ", rows)
		p.blank()
	}
	if s.Accounts.Len() > 0 {
		p.line("  ", p.style(bold, "Accounts derived from the directory: "+fmt.Sprint(s.Accounts.Len())))
		column := 0
		for a := range s.Accounts.All() {
			column = max(column, min(width(SafeText(a.Address)), 44))
		}
		for a := range s.Accounts.All() {
			p.line("    ", pad(SafeText(a.Address), column), "  ", p.style(dim, SafeText(accountNote(a))))
		}
		p.blank()
	}
	p.skips(s.Skips)
	if len(s.Outputs) > 0 {
		p.section("", "Outputs", "")
		p.rows("    ", outputRows(s.Outputs))
		p.blank()
	}
	for _, d := range s.Doubts() {
		address := d.Address
		if d.Mail != "" {
			address = planner.AccountAddress(d.Address, d.Mail)
		}
		p.prose(yellow, "  ", fmt.Sprintf("In doubt: %s of %s was begun at %s and never seen to end; the next run finds out.", d.Action, address, d.Time.UTC().Format(time.DateTime)))
	}
	return p.done()
}

func accountNote(a *state.Account) string {
	note := accountType(directory.AccountType(a.Type))
	if note == "" {
		note = "account"
	}
	if !a.Active {
		note += ", disabled"
	}
	note += ", " + string(a.Ownership)
	if n := len(a.Aliases); n > 0 {
		note += ", " + plural(n, "alias", "aliases")
	}
	if !a.GoneSince.IsZero() {
		note += ", gone since " + a.GoneSince.UTC().Format(time.DateOnly)
	}
	return note
}

// StateJSON writes a state in the shape of Terraform's show: format_version, values.root_module with child modules.
// Sensitive values are null. Derived accounts and what else is Weir's own stand under "weir".
func StateJSON(w io.Writer, s *state.State) error {
	var resources []placed
	for _, address := range s.Addresses() {
		obj := s.Objects[address]
		at := placeOf(address)
		r := map[string]any{
			"address": address, "mode": "managed", "type": obj.Type, "name": at.Name, "provider_name": providerName, "schema_version": 0,
			"values": orObject(jsonValue(obj.Values, obj.Sensitive)), "sensitive_values": jsonTree(obj.Values, sensitiveLeaf(obj.Sensitive)),
			"weir": map[string]any{
				"id": obj.ID, "ownership": obj.Ownership, "provider": obj.Provider, "prevent_destroy": obj.PreventDestroy,
				"created": stamp(obj.Created), "updated": stamp(obj.Updated),
			},
		}
		if at.Index != nil {
			r["index"] = at.Index
		}
		if len(obj.Dependencies) > 0 {
			r["depends_on"] = obj.Dependencies
		}
		resources = append(resources, placed{at.Module, r})
	}
	accounts := []map[string]any{}
	for a := range s.Accounts.All() {
		accounts = append(accounts, jsonRemembered(a))
	}
	values := map[string]any{"root_module": modules(resources)}
	if len(s.Outputs) > 0 {
		values["outputs"] = jsonOutputs(s.Outputs)
	}
	return writeJSON(w, map[string]any{
		"format_version": "1.0", "terraform_version": terraformVersion, "values": values,
		"weir": map[string]any{
			"tenant":  map[string]any{"key": s.Tenant.Key, "address": s.Tenant.Address, "primary_domain": s.Tenant.PrimaryDomain},
			"lineage": s.Lineage, "serial": s.Serial, "realm": s.Realm, "accounts": accounts, "skips": jsonSkips(s.Skips), "in_doubt": jsonDoubts(s.Doubts()),
		},
	})
}

func jsonRemembered(a *state.Account) map[string]any {
	return map[string]any{
		"address": planner.AccountAddress(a.Policy, a.Address), "mail": a.Address, "uid": a.UID, "object_id": a.ObjectID, "policy": a.Policy,
		"ownership": a.Ownership, "type": a.Type, "active": a.Active, "aliases": orEmptyList(a.Aliases), "kind": a.Kind,
		"gone_since": stamp(a.GoneSince),
	}
}

func jsonDoubts(intents []state.Intent) []map[string]any {
	doubts := []map[string]any{}
	for _, d := range intents {
		doubts = append(doubts, map[string]any{"op": d.Op, "address": d.Address, "mail": d.Mail, "action": d.Action, "time": stamp(d.Time)})
	}
	return doubts
}

// Document writes a JSON document as it is, but for what a terminal would obey, which comes out escaped.
func Document(w io.Writer, document []byte) error {
	_, err := w.Write(safeJSON(document))
	return err
}

func orObject(v any) any {
	if v == nil {
		return map[string]any{}
	}
	return v
}

func orEmptyList(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// stamp is a time for JSON; nil when it is zero.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// Outputs shows the root module's outputs, one a line. Sensitive ones are not shown.
func Outputs(w io.Writer, outputs map[string]state.Output, o Options) error {
	p := newPrinter(w, o)
	if len(outputs) == 0 {
		p.line("There are no outputs. They appear after an apply.")
		return p.done()
	}
	column := 0
	rows := outputRows(outputs)
	for _, r := range rows {
		column = max(column, width(SafeText(r.Path)))
	}
	for _, r := range rows {
		p.line(pad(SafeText(r.Path), column), " = ", SafeText(r.New))
	}
	return p.done()
}

func outputRows(outputs map[string]state.Output) []row {
	var rows []row
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		rows = append(rows, row{Path: name, New: valueText(outputs[name].Value, outputs[name].Sensitive)})
	}
	return rows
}

// OutputsJSON writes {name: {sensitive, type, value}} as Terraform does, but for the value of sensitive outputs, which
// is null.
func OutputsJSON(w io.Writer, outputs map[string]state.Output) error {
	return writeJSON(w, jsonOutputs(outputs))
}

func jsonOutputs(outputs map[string]state.Output) map[string]any {
	out := map[string]any{}
	for name, o := range outputs {
		v := o.Value
		if v == cty.NilVal {
			v = cty.NullVal(cty.DynamicPseudoType)
		}
		e := map[string]any{"sensitive": o.Sensitive, "type": jsonType(v.Type()), "value": jsonValue(v, nil)}
		if o.Sensitive {
			e["value"] = nil
		}
		out[name] = e
	}
	return out
}

func jsonType(t cty.Type) any {
	data, err := ctyjson.MarshalType(t)
	if err != nil {
		return "dynamic" // a capsule: its values are shown as text, or not at all
	}
	return json.RawMessage(data)
}

// RawOutput writes one output as it is, for scripts: a string without quotes, a number or a bool. Nothing is escaped
// and no line break added.
func RawOutput(w io.Writer, o state.Output) error {
	v := o.Value
	switch {
	case null(v):
		return fmt.Errorf("the output is null; --raw prints strings, numbers and bools")
	case v.Type() == cty.String:
		_, err := io.WriteString(w, v.AsString())
		return err
	case v.Type() == cty.Number || v.Type() == cty.Bool:
		_, err := io.WriteString(w, planner.Text(v))
		return err
	}
	return fmt.Errorf("the output is a %s; --raw prints strings, numbers and bools, --json prints everything", v.Type().FriendlyName())
}
