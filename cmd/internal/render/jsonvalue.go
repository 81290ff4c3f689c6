package render

import (
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/weir-project/weir/planner"
)

// terraformVersion is the version of Terraform whose documents these are.
const terraformVersion = "1.9.0"

// writeJSON writes one document, indented, with nothing raw in it that a terminal would obey.
func writeJSON(w io.Writer, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(safeJSON(data), '\n'))
	return err
}

// jsonValue is a value for JSON: what is unknown or sensitive is null, predicates are their text, secrets are null.
func jsonValue(v cty.Value, sensitive []string) any { return jsonAt("", v, sensitive) }

func jsonAt(path string, v cty.Value, sensitive []string) any {
	if v == cty.NilVal {
		return nil
	}
	v, _ = v.UnmarkDeep()
	if v.IsNull() || !v.IsKnown() || path != "" && within(path, sensitive) {
		return nil
	}
	t := v.Type()
	switch {
	case t.IsPrimitiveType():
		data, err := ctyjson.Marshal(v, t)
		if err != nil {
			return nil
		}
		return json.RawMessage(data)
	case t.IsCapsuleType():
		s := planner.Stored(v)
		if s.IsNull() {
			return nil
		}
		return s.AsString()
	case t.IsObjectType() || t.IsMapType():
		out := map[string]any{}
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			out[k.AsString()] = jsonAt(join(path, k.AsString()), e, sensitive)
		}
		return out
	case v.CanIterateElements():
		out := []any{}
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			// Elements have no path of their own: a sensitive collection is sensitive as a whole.
			out = append(out, jsonAt("", e, nil))
		}
		return out
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// jsonTree mirrors the structure of a value with true at the leaves for which leaf says so, and without the others, as
// Terraform's after_unknown and after_sensitive do. false stands for a value without any.
func jsonTree(v cty.Value, leaf func(path string, v cty.Value) bool) any {
	if v == cty.NilVal {
		return false
	}
	v, _ = v.UnmarkDeep()
	if v.IsNull() {
		return false
	}
	tree := jsonTreeAt("", v, leaf)
	if tree == nil {
		return map[string]any{}
	}
	return tree
}

func jsonTreeAt(path string, v cty.Value, leaf func(string, cty.Value) bool) any {
	if leaf(path, v) {
		return true
	}
	if v.IsNull() || !v.IsKnown() || !v.Type().IsObjectType() && !v.Type().IsMapType() {
		return nil
	}
	out := map[string]any{}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if sub := jsonTreeAt(join(path, k.AsString()), e, leaf); sub != nil {
			out[k.AsString()] = sub
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func sensitiveLeaf(paths []string) func(string, cty.Value) bool {
	return func(path string, _ cty.Value) bool { return path != "" && slices.Contains(paths, path) }
}

// unknownLeaf is true for what is unknown, and for collections that hold something unknown.
func unknownLeaf(_ string, v cty.Value) bool {
	if !v.IsKnown() {
		return true
	}
	return !v.Type().IsObjectType() && !v.Type().IsMapType() && !v.IsWhollyKnown()
}

// placed is a resource object and the module it stands in.
type placed struct {
	module   string
	resource map[string]any
}

// modules sorts resources into Terraform's tree of modules.
func modules(resources []placed) map[string]any {
	root := map[string]any{}
	byAddress := map[string]map[string]any{"": root}
	var module func(address string) map[string]any
	module = func(address string) map[string]any {
		if m := byAddress[address]; m != nil {
			return m
		}
		m := map[string]any{"address": address}
		byAddress[address] = m
		parent := module(parentModule(address))
		children, _ := parent["child_modules"].([]map[string]any)
		parent["child_modules"] = append(children, m)
		return m
	}
	for _, r := range resources {
		m := module(r.module)
		list, _ := m["resources"].([]map[string]any)
		m["resources"] = append(list, r.resource)
	}
	return root
}

// parentModule cuts the last call off a module address: module.a["x"].module.b is in module.a["x"]. Keys are quoted, so
// that dots in them are no steps.
func parentModule(address string) string {
	quoted, last := false, -1
	for i := 0; i < len(address); i++ {
		switch {
		case quoted && address[i] == '\\':
			i++
		case address[i] == '"':
			quoted = !quoted
		case !quoted && strings.HasPrefix(address[i:], ".module."):
			last = i
		}
	}
	if last < 0 {
		return ""
	}
	return address[:last]
}
