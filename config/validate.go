package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// Validate reports everything that can be said without values: unknown blocks, arguments, references and functions,
// wrong types, missing arguments, cycles. Its findings are remembered. Safe for concurrent use.
func (g *Graph) Validate() hcl.Diagnostics {
	g.validated.Do(func() {
		if g.invalid.HasErrors() {
			return
		}
		g.invalid = append(g.invalid, g.check()...)
	})
	return slices.Clone(g.invalid)
}

// warnings are the findings of Validate that are not errors.
func (g *Graph) warnings() hcl.Diagnostics {
	var out hcl.Diagnostics
	for _, d := range g.Validate() {
		if d.Severity != hcl.DiagError {
			out = append(out, d)
		}
	}
	return out
}

func (g *Graph) check() hcl.Diagnostics {
	fe := newFrameEval(g, Inputs{}, true)
	ev := fe.ev
	ev.settings()
	ev.safeguard()
	for _, key := range sortedKeys(g.root.providers) {
		ev.provider(g.root.providers[key])
	}
	v := &validation{ev: ev, edges: map[unit][]unit{}}
	v.module(fe.root)
	v.cycles()
	fe.readImports(true)
	fe.readRenames()
	return ev.diags
}

type validation struct {
	ev    *evaluator
	units []unit
	edges map[unit][]unit
}

func (v *validation) module(sc *scope) {
	ev, m := v.ev, sc.mod
	for _, name := range sortedKeys(m.variables) {
		ev.get(nodeKey{sc: sc, kind: nodeVariable, name: name})
	}
	for _, name := range sortedKeys(m.locals) {
		ev.get(nodeKey{sc: sc, kind: nodeLocal, name: name})
	}
	for _, b := range m.order {
		v.block(sc, b)
	}
	for _, name := range sortedKeys(m.outputs) {
		n := ev.get(nodeKey{sc: sc, kind: nodeOutput, name: name})
		if o := m.outputs[name]; sc.parent == nil && !n.failed {
			ev.checkOutput(o, n.val)
		}
	}
	for _, c := range m.checks {
		for _, cond := range c.conditions {
			ev.eval(sc, cond.condition, nil)
			ev.eval(sc, cond.message, nil)
		}
	}
	for _, name := range sortedKeys(m.calls) {
		c := m.calls[name]
		exp := ev.get(nodeKey{sc: sc, kind: nodeCall, name: name})
		ev.dependsOn(sc, c.dependsOn)
		for _, child := range ev.children(sc, c, exp) {
			v.module(child)
		}
	}
}

func (v *validation) block(sc *scope, b *block) {
	ev := v.ev
	exp := ev.get(nodeKey{sc: sc, kind: nodeBlock, name: b.key})
	x := &extra{inner: b}
	if b.repeated() {
		x = instanceExtra(exp, resource.NoKey, b.count != nil, true)
		if b.forEach != nil {
			x.roots["each"] = cty.ObjectVal(map[string]cty.Value{"key": cty.UnknownVal(cty.String), "value": elementOf(exp)})
		}
		x.inner = b
	}
	if b.isTenant() {
		ev.get(nodeKey{sc: sc, kind: nodeTenant, name: b.key})
	}
	if b.tenant != nil {
		res := ev.eval(sc, b.tenant, x)
		if ty := res.val.Type(); !res.failed && ty != cty.DynamicPseudoType && !ty.Equals(ev.g.types.tenant) {
			ev.report(hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "Invalid tenant",
				Detail:  fmt.Sprintf("%s: expected a tenant, such as tenant.contoso, but this is %s.", b.key, typeName(ty)),
				Subject: b.tenant.Range().Ptr(),
			}})
		}
	}
	_, _, res := ev.decode(sc, b.body, b.table, nil, x)
	res.merge(&result{deps: exp.deps, level: exp.level})
	if more := ev.dependsOn(sc, b.dependsOn); more != nil {
		res.merge(more)
	}
	if b.lifecycle != nil {
		res.merge(ev.lifecycleDeps(sc, b, x))
		self := &extra{roots: map[string]cty.Value{"self": cty.UnknownVal(ev.g.types.value(b))}, level: x.level, deps: x.deps}
		for k, r := range x.roots {
			self.roots[k] = r
		}
		for _, c := range append(slices.Clone(b.lifecycle.pre), b.lifecycle.post...) {
			ev.condition(sc, c, self, "Condition failed", b.key, hcl.DiagError)
		}
	}
	if b.data != nil && res.level >= stagePlan && !res.failed {
		ev.report(hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Not known in time",
			Detail:  fmt.Sprintf("%s is read before planning, so its arguments cannot use %s, which is planned later.", b.key, ev.why(&res)),
			Subject: b.rng.Ptr(),
		}})
	}
	u := unit{sc, b}
	v.units = append(v.units, u)
	for d := range res.deps {
		v.edges[u] = append(v.edges[u], unit{d.sc, d.b})
	}
}

// elementOf is an unknown element of what a block loops over.
func elementOf(n *node) cty.Value {
	if ty := n.val.Type(); ty.IsCollectionType() {
		return cty.UnknownVal(ty.ElementType())
	}
	return cty.DynamicVal
}

// cycles finds blocks that need one another.
func (v *validation) cycles() {
	if path := findCycle(v.units, v.edges); path != nil {
		var names []string
		for _, u := range path {
			names = append(names, u.sc.blockAddress(u.b))
		}
		v.ev.report(hcl.Diagnostics{cycleDiagnostic(names, path[0].b.rng)})
	}
}

// findCycle returns one cycle, its first unit again at the end; nil when there is none.
func findCycle(units []unit, edges map[unit][]unit) []unit {
	state := map[unit]int{}
	var stack []unit
	var visit func(u unit) []unit
	visit = func(u unit) []unit {
		state[u] = 1
		stack = append(stack, u)
		next := slices.Clone(edges[u])
		slices.SortFunc(next, func(a, b unit) int { return strings.Compare(a.sc.blockAddress(a.b), b.sc.blockAddress(b.b)) })
		for _, n := range next {
			switch state[n] {
			case 0:
				if path := visit(n); path != nil {
					return path
				}
			case 1:
				i := slices.Index(stack, n)
				return append(slices.Clone(stack[i:]), n)
			}
		}
		state[u] = 2
		stack = stack[:len(stack)-1]
		return nil
	}
	for _, u := range units {
		if state[u] == 0 {
			if path := visit(u); path != nil {
				return path
			}
		}
	}
	return nil
}
