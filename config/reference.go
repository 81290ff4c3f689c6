package config

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// refKind says what a reference names.
type refKind int

const (
	refVariable refKind = iota
	refLocal
	refModule
	refBlock // resource or data, of this module
	refProvider
	refEach
	refCount
	refPath
	refSelf
	refEntry
)

// ref is one reference in an expression, as far as its source says without values.
type ref struct {
	kind refKind
	// name is the variable, local or module call; for a block its key in module.blocks; for a provider its kind.
	name string
	// key is the constant instance key, keyExpr one that is computed; neither: all instances, or there are none.
	key     resource.Key
	keyExpr hcl.Expression
	// rest are the steps behind name and key.
	rest hcl.Traversal
	// members are what a loop over all instances reads of each; nil when it may read everything.
	members []hcl.Traversal
	rng     hcl.Range
}

func (r *ref) String() string {
	switch r.kind {
	case refVariable:
		return "var." + r.name
	case refLocal:
		return "local." + r.name
	case refModule:
		return "module." + r.name
	case refProvider:
		return "provider." + r.name
	default:
		return r.name
	}
}

// attr is the first attribute step behind the reference; "" when there is none.
func (r *ref) attr() string {
	if len(r.rest) > 0 {
		if step, ok := r.rest[0].(hcl.TraverseAttr); ok {
			return step.Name
		}
	}
	return ""
}

// refCache remembers the references of expressions, which are immutable after loading.
type refCache struct{ m sync.Map }

type refResult struct {
	refs  []*ref
	diags hcl.Diagnostics
}

// of returns the references of an expression. Unreadable ones are diagnostics.
func (c *refCache) of(expr hcl.Expression) ([]*ref, hcl.Diagnostics) {
	if got, ok := c.m.Load(expr); ok {
		r := got.(*refResult)
		return r.refs, r.diags
	}
	var r refResult
	r.refs, r.diags = references(expr)
	c.m.Store(expr, &r)
	return r.refs, r.diags
}

// references finds the references of an expression. An instance key that is computed outside of any loop is kept, so
// that module.customer[each.key] needs one instance only.
func references(expr hcl.Expression) ([]*ref, hcl.Diagnostics) {
	var refs []*ref
	var diags hcl.Diagnostics
	for _, found := range traversals(expr) {
		r, more := parseRef(found.t)
		diags = append(diags, more...)
		if r == nil {
			continue
		}
		if found.key != nil && !r.key.IsSet() && len(r.rest) == 0 && (r.kind == refModule || r.kind == refBlock) {
			r.keyExpr = found.key
			r.rest = found.rest
		}
		if !r.key.IsSet() && len(r.rest) == 0 {
			r.members = found.members
		}
		refs = append(refs, r)
	}
	return refs, diags
}

// found is one traversal with the computed index that follows it, if any.
type found struct {
	t    hcl.Traversal
	key  hcl.Expression
	rest hcl.Traversal
	// members of each element, in a loop over the traversal
	members []hcl.Traversal
}

func traversals(expr hcl.Expression) []found {
	node, ok := expr.(hclsyntax.Expression)
	if !ok {
		var out []found
		for _, t := range expr.Variables() {
			out = append(out, found{t: t})
		}
		return out
	}
	w := &walker{}
	_ = hclsyntax.Walk(node, w)
	return w.found
}

type walker struct {
	found  []found
	locals []map[string]struct{}
	// indexed are the bases already taken together with their index.
	indexed map[*hclsyntax.ScopeTraversalExpr]bool
	rests   map[*hclsyntax.IndexExpr]hcl.Traversal
	members map[*hclsyntax.ScopeTraversalExpr][]hcl.Traversal
}

func (w *walker) local(name string) bool {
	for _, names := range w.locals {
		if _, ok := names[name]; ok {
			return true
		}
	}
	return false
}

func (w *walker) Enter(n hclsyntax.Node) hcl.Diagnostics {
	switch e := n.(type) {
	case hclsyntax.ChildScope:
		w.locals = append(w.locals, e.LocalNames)
	case *hclsyntax.RelativeTraversalExpr:
		if index, ok := e.Source.(*hclsyntax.IndexExpr); ok {
			if w.rests == nil {
				w.rests = map[*hclsyntax.IndexExpr]hcl.Traversal{}
			}
			w.rests[index] = e.Traversal
		}
	case *hclsyntax.IndexExpr:
		base, ok := e.Collection.(*hclsyntax.ScopeTraversalExpr)
		if !ok || w.local(base.Traversal.RootName()) {
			break
		}
		// A key that a loop computes is another one each time round.
		for _, t := range e.Key.Variables() {
			if w.local(t.RootName()) {
				return nil
			}
		}
		w.found = append(w.found, found{t: base.Traversal, key: e.Key, rest: w.rests[e]})
		if w.indexed == nil {
			w.indexed = map[*hclsyntax.ScopeTraversalExpr]bool{}
		}
		w.indexed[base] = true
	case *hclsyntax.ForExpr:
		if base, ok := e.CollExpr.(*hclsyntax.ScopeTraversalExpr); ok {
			if w.members == nil {
				w.members = map[*hclsyntax.ScopeTraversalExpr][]hcl.Traversal{}
			}
			w.members[base] = membersOf(e)
		}
	case *hclsyntax.ScopeTraversalExpr:
		if !w.indexed[e] && !w.local(e.Traversal.RootName()) {
			w.found = append(w.found, found{t: e.Traversal, members: w.members[e]})
		}
	}
	return nil
}

// membersOf collects what a loop reads of its element; nil when the element is used as a whole.
func membersOf(e *hclsyntax.ForExpr) []hcl.Traversal {
	members := []hcl.Traversal{}
	for _, part := range []hclsyntax.Expression{e.KeyExpr, e.ValExpr, e.CondExpr} {
		if part == nil {
			continue
		}
		for _, t := range part.Variables() {
			if t.RootName() != e.ValVar {
				continue
			}
			if len(t) < 2 {
				return nil
			}
			members = append(members, t[1:])
		}
	}
	return members
}

func (w *walker) Exit(n hclsyntax.Node) hcl.Diagnostics {
	if _, ok := n.(hclsyntax.ChildScope); ok {
		w.locals = w.locals[:len(w.locals)-1]
	}
	return nil
}

const badReference = "Invalid reference"

// parseRef reads one traversal. Names are not looked up here.
func parseRef(t hcl.Traversal) (*ref, hcl.Diagnostics) {
	r := &ref{rng: t.SourceRange()}
	bad := func(format string, args ...any) hcl.Diagnostics {
		return hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: badReference, Detail: fmt.Sprintf(format, args...), Subject: r.rng.Ptr(),
		}}
	}
	step := func(i int) (string, bool) {
		if i >= len(t) {
			return "", false
		}
		switch s := t[i].(type) {
		case hcl.TraverseAttr:
			return s.Name, true
		case hcl.TraverseIndex:
			// provider.essentials["us1"] and data.directory["x"] read as names.
			if s.Key.Type() == cty.String && s.Key.IsKnown() && !s.Key.IsNull() {
				return s.Key.AsString(), true
			}
		}
		return "", false
	}
	root := t.RootName()
	take := func(n int) {
		r.rest = t[n:]
		if (r.kind == refModule || r.kind == refBlock) && len(r.rest) > 0 {
			if index, ok := r.rest[0].(hcl.TraverseIndex); ok {
				if key, err := keyOf(index.Key); err == nil {
					r.key = key
					r.rest = r.rest[1:]
				}
			}
		}
	}
	switch root {
	case "var", "local", "module", "path":
		name, ok := step(1)
		if !ok {
			return nil, bad("%q names nothing alone; write %s.NAME.", root, root)
		}
		r.name = name
		r.kind = map[string]refKind{"var": refVariable, "local": refLocal, "module": refModule, "path": refPath}[root]
		take(2)
	case "each", "count":
		r.name = root
		r.kind = map[string]refKind{"each": refEach, "count": refCount}[root]
		name, _ := step(1)
		if root == "each" && name != "key" && name != "value" || root == "count" && name != "index" {
			return nil, bad("%q has %s.", root, map[string]string{"each": "each.key and each.value", "count": "count.index"}[root])
		}
		r.rest = t[1:]
	case "self", "entry":
		r.name = root
		r.kind = map[string]refKind{"self": refSelf, "entry": refEntry}[root]
		r.rest = t[1:]
	case "provider":
		name, ok := step(1)
		if !ok {
			return nil, bad(`"provider" names nothing alone; write provider.KIND.NAME, such as provider.essentials.us1.`)
		}
		r.kind, r.name = refProvider, name
		r.rest = t[2:]
	case "data":
		kind, ok := step(1)
		name, ok2 := step(2)
		if !ok || !ok2 {
			return nil, bad(`"data" names nothing alone; write data.TYPE.NAME.`)
		}
		r.kind, r.name = refBlock, "data."+kind+"."+name
		take(3)
	default:
		name, ok := step(1)
		if !ok {
			return nil, bad("There is no %q here. References begin with var, local, module, data, provider, each, count, path or the type of a block (%s.NAME); text stands in quotes.", root, root)
		}
		r.kind, r.name = refBlock, root+"."+name
		take(2)
	}
	return r, nil
}

// keyOf turns a value into an instance key.
func keyOf(v cty.Value) (resource.Key, error) {
	v, _ = v.Unmark()
	if !v.IsKnown() || v.IsNull() {
		return resource.NoKey, fmt.Errorf("the key is not known")
	}
	switch v.Type() {
	case cty.String:
		return resource.StringKey(v.AsString()), nil
	case cty.Number:
		f := v.AsBigFloat()
		if n, acc := f.Int64(); acc == 0 && n >= 0 && n < 1<<31 {
			return resource.IntKey(int(n)), nil
		}
	}
	return resource.NoKey, fmt.Errorf("a key is text or a whole number")
}

// Nearest returns the candidate closest to name, at most two edits away (one for short names); "" when none is.
func Nearest(name string, candidates []string) string {
	best, distance := "", 3
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		d := levenshtein.Distance(strings.ToLower(name), strings.ToLower(c), nil)
		if d < distance && d < max(len(name), len(c)) {
			best, distance = c, d
		}
	}
	return best
}

// meant is the sentence " Did you mean …?", or "".
func meant(prefix, name string, candidates []string) string {
	if n := Nearest(name, candidates); n != "" {
		return fmt.Sprintf(" Did you mean %s%s?", prefix, n)
	}
	return ""
}
