package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// addressStep is one step of a written address: a name, or a key.
type addressStep struct {
	name string
	key  resource.Key
}

func stepsOf(t hcl.Traversal) ([]addressStep, error) {
	var out []addressStep
	for _, step := range t {
		switch s := step.(type) {
		case hcl.TraverseRoot:
			out = append(out, addressStep{name: s.Name})
		case hcl.TraverseAttr:
			out = append(out, addressStep{name: s.Name})
		case hcl.TraverseIndex:
			key, err := keyOf(s.Key)
			if err != nil {
				return nil, err
			}
			out = append(out, addressStep{key: key})
		default:
			return nil, fmt.Errorf("an address has no [*]")
		}
	}
	return out, nil
}

// addressFrom reads an address from its steps; one that ends at a module call has an empty Type.
func addressFrom(steps []addressStep) (resource.Address, error) {
	var a resource.Address
	next := func() (string, bool) {
		if len(steps) == 0 || steps[0].key.IsSet() {
			return "", false
		}
		s := steps[0].name
		steps = steps[1:]
		return s, true
	}
	key := func() resource.Key {
		if len(steps) > 0 && steps[0].key.IsSet() {
			k := steps[0].key
			steps = steps[1:]
			return k
		}
		return resource.NoKey
	}
	for len(steps) > 0 {
		first, ok := next()
		second, ok2 := next()
		if !ok || !ok2 {
			return a, fmt.Errorf("an address is TYPE.NAME, with module.NAME before it for blocks of a module")
		}
		if first == "module" {
			a.Module = append(a.Module, resource.Step{Name: second, Key: key()})
			continue
		}
		if first == "data" {
			return a, fmt.Errorf("data is read, not kept, so it has no place in state")
		}
		a.Type, a.Name, a.Key = first, second, key()
		if len(steps) > 0 {
			return a, fmt.Errorf("the address goes on behind %s", a)
		}
	}
	return a, nil
}

// staticAddress reads an address that is written out.
func staticAddress(a *hcl.Attribute) (resource.Address, *hcl.Diagnostic) {
	bad := func(detail string) *hcl.Diagnostic {
		return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Invalid address", Detail: sentence(detail), Subject: a.Expr.Range().Ptr()}
	}
	t, diags := staticTraversal(a.Expr)
	if diags.HasErrors() {
		return resource.Address{}, bad(fmt.Sprintf("%q is an address written out, such as domain.mail or module.customer[\"contoso\"].domain.mail", a.Name))
	}
	steps, err := stepsOf(t)
	if err != nil {
		return resource.Address{}, bad(err.Error())
	}
	addr, err := addressFrom(steps)
	if err != nil {
		return resource.Address{}, bad(err.Error())
	}
	return addr, nil
}

// find returns the block that an address names; nil when the configuration has none.
func (g *Graph) find(a resource.Address) *block {
	m := g.root
	for _, s := range a.Module {
		c := m.calls[s.Name]
		if c == nil || c.module == nil {
			return nil
		}
		m = c.module
	}
	return m.blocks[a.Type+"."+a.Name]
}

// readRenames reads the removed and moved blocks.
func (f *frameEval) readRenames() {
	g, ev := f.ev.g, f.ev
	f.removed, f.moved = nil, nil
	for _, bl := range g.root.removed {
		content, diags := bl.Body.Content(&hcl.BodySchema{
			Attributes: []hcl.AttributeSchema{{Name: "from", Required: true}, {Name: "destroy"}},
		})
		ev.report(diags)
		if diags.HasErrors() {
			continue
		}
		r := Removed{Range: bl.DefRange}
		ev.report(constant(content.Attributes["destroy"], cty.Bool, func(v cty.Value) { r.Destroy = v.True() }))
		var d *hcl.Diagnostic
		if r.From, d = staticAddress(content.Attributes["from"]); d != nil {
			ev.report(hcl.Diagnostics{d})
			continue
		}
		r.Whole = !r.From.Key.IsSet()
		keyed := r.From.Key.IsSet()
		for _, s := range r.From.Module {
			keyed = keyed || s.Key.IsSet()
		}
		if b := g.find(r.From); b != nil && !keyed {
			ev.report(hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "Removed but still declared",
				Detail:  fmt.Sprintf("%s still stands at %s. Take that block out, or this one; a single instance is removed by its key: %s[\"…\"].", r.From, place(b.rng), r.From),
				Subject: content.Attributes["from"].Expr.Range().Ptr(),
			}})
			continue
		}
		f.removed = append(f.removed, r)
	}
	var moved []Moved
	for _, bl := range g.root.moved {
		content, diags := bl.Body.Content(&hcl.BodySchema{
			Attributes: []hcl.AttributeSchema{{Name: "from", Required: true}, {Name: "to", Required: true}},
		})
		ev.report(diags)
		if diags.HasErrors() {
			continue
		}
		m := Moved{Range: bl.DefRange}
		var d1, d2 *hcl.Diagnostic
		m.From, d1 = staticAddress(content.Attributes["from"])
		m.To, d2 = staticAddress(content.Attributes["to"])
		for _, d := range []*hcl.Diagnostic{d1, d2} {
			if d != nil {
				ev.report(hcl.Diagnostics{d})
			}
		}
		if d1 != nil || d2 != nil {
			continue
		}
		if m.From.Type != m.To.Type {
			ev.report(hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "Invalid move",
				Detail: fmt.Sprintf("%s and %s are of different kinds; only the name and the place of an object can change.", addressText(m.From), addressText(m.To)), Subject: bl.DefRange.Ptr(),
			}})
			continue
		}
		moved = append(moved, m)
	}
	f.moved = f.checkMoves(moved)
}

// readImports evaluates the import blocks. In validation only what is written out is checked.
func (f *frameEval) readImports(validate bool) {
	ev := f.ev
	f.imports = map[string]string{}
	places := map[string]hcl.Range{}
	for _, b := range ev.g.root.imports {
		exp, res := ev.expand(f.root, b.forEach, nil, "import", nil)
		if res.failed {
			continue
		}
		if exp.unknown {
			if !validate {
				ev.report(hcl.Diagnostics{f.notKnown("import", "for_each", &res, b.rng)})
			}
			continue
		}
		for _, key := range exp.keys {
			x := &extra{}
			if b.forEach != nil {
				x = instanceExtra(&node{exp: exp, result: res}, key, false, false)
			}
			f.readImport(b, x, places, validate)
		}
	}
}

func (f *frameEval) readImport(b *importBlock, x *extra, places map[string]hcl.Range, validate bool) {
	ev := f.ev
	bad := func(expr hcl.Expression, detail string) {
		ev.report(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Invalid import", Detail: sentence(detail), Subject: expr.Range().Ptr()}})
	}
	steps, known, err := f.addressSteps(b.to, x)
	if err != nil {
		bad(b.to, err.Error())
		return
	}
	if !known {
		if !validate {
			bad(b.to, "the address must be known from the start")
		}
		return
	}
	addr, err := addressFrom(steps)
	if err != nil || addr.Type == "" {
		bad(b.to, `"to" is the address of a block, such as domain.mail`)
		return
	}
	if ev.g.find(addr) == nil {
		bad(b.to, fmt.Sprintf("there is no %s to import into; write the block, or let weir import --generate write it", addr))
		return
	}
	res := ev.eval(f.root, b.id, x)
	if res.failed {
		return
	}
	v, marks := res.val.UnmarkDeep()
	v, err = convertTo(v, cty.String)
	switch {
	case err != nil:
		bad(b.id, "the id: "+err.Error())
	case !v.IsKnown():
		if !validate {
			ev.report(hcl.Diagnostics{f.notKnown("import of "+addr.String(), "the id", &res, b.id.Range())})
		}
	case len(marks) > 0:
		bad(b.id, "the id is shown in plans, so it cannot be sensitive")
	case v.IsNull() || v.AsString() == "":
		bad(b.id, "the id is empty")
	default:
		key := addr.String()
		if first, twice := places[key]; twice {
			ev.report(hcl.Diagnostics{duplicate("import of "+key, first, b.rng)})
			return
		}
		places[key] = b.rng
		f.imports[key] = v.AsString()
	}
}

// addressSteps reads an address whose keys may be computed.
func (f *frameEval) addressSteps(expr hcl.Expression, x *extra) (steps []addressStep, known bool, err error) {
	switch e := expr.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		steps, err = stepsOf(e.Traversal)
		return steps, true, err
	case *hclsyntax.RelativeTraversalExpr:
		base, known, err := f.addressSteps(e.Source, x)
		if err != nil {
			return nil, known, err
		}
		more, err := stepsOf(e.Traversal)
		return append(base, more...), known, err
	case *hclsyntax.IndexExpr:
		base, known, err := f.addressSteps(e.Collection, x)
		if err != nil {
			return nil, known, err
		}
		res := f.ev.eval(f.root, e.Key, x)
		if res.failed {
			return nil, false, nil
		}
		key, err := keyOf(res.val)
		if err != nil {
			return nil, false, nil
		}
		return append(base, addressStep{key: key}), known, nil
	}
	t, diags := staticTraversal(expr)
	if diags.HasErrors() {
		return nil, true, fmt.Errorf("an address is written as a reference, such as domain.mail")
	}
	steps, err = stepsOf(t)
	return steps, true, err
}

// lifecycleDeps are the references of a lifecycle block.
func (ev *evaluator) lifecycleDeps(sc *scope, b *block, x *extra) *result {
	res := &result{}
	for _, r := range b.lifecycle.triggers {
		target := sc.mod.blocks[r.name]
		if target == nil {
			ev.report(hcl.Diagnostics{unknownName(sc, r)})
			res.failed = true
			continue
		}
		res.need(dep{sc: sc, b: target, key: r.key, all: !r.key.IsSet() && target.repeated()}, stagePlan)
	}
	return res
}

// triggers are the addresses or attribute paths of replace_triggered_by.
func (b *block) triggers(sc *scope) []string {
	var out []string
	for _, r := range b.lifecycle.triggers {
		target := sc.mod.blocks[r.name]
		if target == nil {
			continue
		}
		s := sc.address(target, r.key).String()
		if path, ok := dotted(r.rest); ok && path != "" {
			s += "." + strings.TrimPrefix(path, ".")
		}
		out = append(out, s)
	}
	return out
}
