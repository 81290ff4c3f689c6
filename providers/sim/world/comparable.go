package world

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Comparable returns the world's JSON without what differs between two worlds that people would call the same: clock,
// revision and counters, generated ids and timestamps, deleted items, and the marks that a hosted sync leaves behind.
// Collections without an order of their own are sorted by name, so that an object removed and made again compares equal.
// It takes the read lock.
func (w *World) Comparable() ([]byte, error) {
	w.RLock()
	raw, err := json.Marshal(w)
	w.RUnlock()
	if err != nil {
		return nil, fmt.Errorf("compare world: %w", err)
	}
	var doc map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("compare world: %w", err)
	}
	drop(doc, "clock", "revision", "next_eid", "next_uid", "next_guid")
	for _, o := range objects(doc["organizations"]) {
		drop(o, "synced_uids", "freq_since", "routable_at")
		for _, u := range objects(o["users"]) {
			drop(u, "uid")
			sortStrings(u, "alias_emails", "allow_list", "block_list")
		}
		for _, x := range objects(o["domains"]) {
			drop(x, "verification_code")
		}
		for _, x := range objects(o["idps"]) {
			drop(x, "id", "sp_public_cert")
		}
		for _, x := range objects(o["dkim"]) {
			drop(x, "did")
		}
		if fs, ok := o["features"].(map[string]any); ok {
			for k, v := range fs { // a feature that is off reads the same as one that nobody touched
				if v == false || fmt.Sprint(v) == "0" {
					delete(fs, k)
				}
			}
		}
		if az, ok := o["azure"].(map[string]any); ok {
			drop(az, "last_successful_sync", "connection_green", "secret_expiry")
		}
		sortStrings(o, "allow_list", "block_list", "exemptions", "tag_exempt", "outgoing")
		sortObjects(o, "domains", "name")
		sortObjects(o, "users", "primary_email")
		sortObjects(o, "idps", "name")
		sortObjects(o, "products", "label")
		sortObjects(o, "dkim", "selector")
	}
	for _, t := range objects(doc["tenants"]) {
		drop(t, "deleted")
		comparableTenant(t)
	}
	// A map without keys, an empty list and nothing at all say the same.
	prune(doc)
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(doc); err != nil {
		return nil, fmt.Errorf("compare world: %w", err)
	}
	return out.Bytes(), nil
}

func comparableTenant(t map[string]any) {
	// Grants and role assignments name their ends by generated id; names compare.
	names := map[string]any{}
	for _, list := range []string{"applications", "service_principals"} {
		for _, x := range objects(t[list]) {
			if id, ok := x["id"].(string); ok {
				names[id] = x["display_name"]
			}
		}
	}
	named := func(x map[string]any, keys ...string) {
		for _, k := range keys {
			if id, ok := x[k].(string); ok && names[id] != nil {
				x[k] = names[id]
			}
		}
	}
	for _, x := range objects(t["role_assignments"]) {
		drop(x, "id")
		named(x, "principal")
	}
	for _, x := range objects(t["app_role_grants"]) {
		drop(x, "id", "created")
		named(x, "principal", "resource")
	}
	for _, x := range objects(t["delegated_grants"]) {
		drop(x, "id")
		named(x, "client", "resource")
	}
	for _, x := range objects(t["applications"]) {
		drop(x, "id", "app_id", "created", "owners")
		for _, s := range objects(x["secrets"]) {
			drop(s, "key_id", "value", "start", "end")
		}
		for _, f := range objects(x["federated"]) {
			drop(f, "id")
		}
		sortObjects(x, "secrets", "display_name")
		sortObjects(x, "federated", "name")
		sortStrings(x, "redirect_uris", "certificates", "tags")
	}
	for _, x := range objects(t["service_principals"]) {
		drop(x, "id", "created")
		if a, _ := x["app_id"].(string); a != GraphAppID && a != ExchangeAppID {
			drop(x, "app_id")
		}
	}
	for _, x := range objects(t["users"]) {
		drop(x, "created", "changed", "trail", "mailbox_changed")
	}
	for _, x := range objects(t["groups"]) {
		drop(x, "created", "changed", "trail", "removed_members")
		sortStrings(x, "members")
	}
	for _, x := range objects(t["contacts"]) {
		drop(x, "changed", "trail")
	}
	sortObjects(t, "applications", "display_name")
	sortObjects(t, "service_principals", "display_name")
	sortWhole(t, "role_assignments", "app_role_grants", "delegated_grants")
	sortObjects(t, "domains", "name")
	ex, _ := t["exchange"].(map[string]any)
	drop(ex, "customized_at")
	for _, list := range []string{"inbound_connectors", "outbound_connectors", "transport_rules", "dynamic_lists"} {
		for _, x := range objects(ex[list]) {
			drop(x, "guid", "created", "changed")
			if v, ok := x["values"].(map[string]any); ok {
				// Derived from the position in the list, or a stamp of the last writer.
				drop(v, "Guid", "ExchangeObjectId", "WhenCreated", "WhenCreatedUTC", "WhenChanged", "WhenChangedUTC", "Priority",
					"CreatedBy", "LastModifiedBy", "IsValidated", "LastValidationTimestamp")
			}
		}
		if list != "transport_rules" { // rules have an order that means something
			sortObjects(ex, list, "name")
		}
	}
}

func objects(v any) []map[string]any {
	list, _ := v.([]any)
	out := make([]map[string]any, 0, len(list))
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func drop(m map[string]any, keys ...string) {
	for _, k := range keys {
		delete(m, k)
	}
}

func sortStrings(m map[string]any, keys ...string) {
	for _, k := range keys {
		if list, ok := m[k].([]any); ok {
			slices.SortStableFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
	}
}

func sortObjects(m map[string]any, list, key string) {
	if l, ok := m[list].([]any); ok {
		name := func(v any) string {
			o, _ := v.(map[string]any)
			s, _ := o[key].(string)
			return lower(s)
		}
		slices.SortStableFunc(l, func(a, b any) int { return strings.Compare(name(a), name(b)) })
	}
}

func sortWhole(m map[string]any, lists ...string) {
	for _, k := range lists {
		if l, ok := m[k].([]any); ok {
			slices.SortStableFunc(l, func(a, b any) int { return strings.Compare(text(a), text(b)) })
		}
	}
}

func text(v any) string {
	b, err := json.Marshal(v) // maps come with sorted keys
	if err != nil {
		return ""
	}
	return string(b)
}

// prune removes nulls, empty lists and empty objects below m, deepest first.
func prune(v any) {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			prune(e)
			if empty(e) {
				delete(x, k)
			}
		}
	case []any:
		for _, e := range x {
			prune(e)
		}
	}
}

func empty(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(x) == 0
	case []any:
		return len(x) == 0
	}
	return false
}
