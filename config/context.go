package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// context gathers the values of references into what HCL evaluates against. Only what is referred to is computed.
func (ev *evaluator) context(sc *scope, refs []*ref, x *extra) (*hcl.EvalContext, result) {
	var res result
	roots := map[string]cty.Value{}
	groups := map[string]map[string]cty.Value{} // var, local, provider, path, and block types
	data := map[string]map[string]cty.Value{}
	set := func(group, name string, v cty.Value) {
		if groups[group] == nil {
			groups[group] = map[string]cty.Value{}
		}
		groups[group][name] = v
	}
	if x == nil {
		x = &extra{}
	}
	maps.Copy(roots, x.roots)
	modules := map[string][]*ref{}
	blocks := map[string][]*ref{}
	variables := map[string][]*ref{}
	fail := func(d *hcl.Diagnostic) {
		res.failed = true
		ev.report(hcl.Diagnostics{d})
	}
	for _, r := range refs {
		root, _, _ := strings.Cut(r.name, ".")
		if _, given := x.roots[root]; given && r.kind == refBlock {
			continue // the iterator of a dynamic block
		}
		switch r.kind {
		case refVariable:
			if sc.mod.variables[r.name] == nil {
				fail(unknownName(sc, r))
				continue
			}
			variables[r.name] = append(variables[r.name], r)
		case refLocal:
			if sc.mod.locals[r.name] == nil {
				fail(unknownName(sc, r))
				continue
			}
			n := ev.get(nodeKey{sc: sc, kind: nodeLocal, name: r.name})
			res.merge(&n.result)
			set("local", r.name, n.val)
		case refModule:
			c := sc.mod.calls[r.name]
			if c == nil {
				fail(unknownName(sc, r))
				continue
			}
			if c.module == nil {
				res.failed = true
				continue
			}
			modules[r.name] = append(modules[r.name], r)
		case refBlock:
			b := sc.mod.blocks[r.name]
			if b == nil {
				fail(unknownName(sc, r))
				continue
			}
			if d := ev.checkAttribute(sc, b, r); d != nil {
				fail(d)
				continue
			}
			blocks[r.name] = append(blocks[r.name], r)
		case refProvider:
			if d := ev.checkProvider(r); d != nil {
				fail(d)
				continue
			}
			set("provider", r.name, ev.providers(r.name))
		case refEach, refCount:
			if _, ok := x.roots[r.name]; !ok {
				fail(&hcl.Diagnostic{
					Severity: hcl.DiagError, Summary: badReference,
					Detail:  fmt.Sprintf("%q has a meaning only inside a block with %s.", r.name, map[string]string{"each": "for_each", "count": "count"}[r.name]),
					Subject: r.rng.Ptr(),
				})
				continue
			}
			res.merge(&result{level: x.level, deps: x.deps})
		case refSelf:
			if _, ok := x.roots["self"]; !ok {
				fail(&hcl.Diagnostic{
					Severity: hcl.DiagError, Summary: badReference,
					Detail: `"self" has a meaning only in a postcondition or precondition.`, Subject: r.rng.Ptr(),
				})
			}
		case refEntry:
			fail(&hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: badReference,
				Detail: `"entry" stands for a directory entry and has a meaning only in a condition such as include or when.`, Subject: r.rng.Ptr(),
			})
		case refPath:
			switch r.name {
			case "module":
				set("path", "module", cty.StringVal(relative(ev.g.root.dir, sc.mod.dir)))
			case "root":
				set("path", "root", cty.StringVal("."))
			default:
				fail(&hcl.Diagnostic{
					Severity: hcl.DiagError, Summary: badReference,
					Detail: fmt.Sprintf("There is no path.%s; there are path.module and path.root.", r.name), Subject: r.rng.Ptr(),
				})
			}
		}
	}
	for _, name := range sortedKeys(variables) {
		set("var", name, ev.variableValue(sc, name, variables[name], &res))
	}
	for _, name := range sortedKeys(blocks) {
		b := sc.mod.blocks[name]
		v := ev.blockValue(sc, b, blocks[name], x, &res)
		if b.data != nil {
			if data[b.typeName] == nil {
				data[b.typeName] = map[string]cty.Value{}
			}
			data[b.typeName][b.name] = v
			continue
		}
		set(b.typeName, b.name, v)
	}
	if len(modules) > 0 {
		for _, name := range sortedKeys(modules) {
			set("module", name, ev.moduleValue(sc, sc.mod.calls[name], modules[name], x, &res))
		}
	}
	if len(data) > 0 {
		for kind, values := range data {
			set("data", kind, cty.ObjectVal(values))
		}
	}
	for group, values := range groups {
		roots[group] = cty.ObjectVal(values)
	}
	fns := ev.fns
	if x.provider {
		fns = ev.bodyFns
	}
	return &hcl.EvalContext{Variables: ev.withMeter(sc, roots), Functions: fns}, res
}

// unknownName says that a reference names nothing, and what is near.
func unknownName(sc *scope, r *ref) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Subject: r.rng.Ptr()}
	where := "in this module"
	m := sc.mod
	switch r.kind {
	case refVariable:
		d.Summary = "Undeclared variable"
		d.Detail = fmt.Sprintf("There is no variable %q %s.%s", r.name, where, meant("var.", r.name, sortedKeys(m.variables)))
		if Nearest(r.name, sortedKeys(m.variables)) == "" {
			d.Detail += fmt.Sprintf(" Declare it with variable %q { … }.", r.name)
		}
	case refLocal:
		d.Summary = "Undeclared local value"
		d.Detail = fmt.Sprintf("There is no local value %q %s.%s", r.name, where, meant("local.", r.name, sortedKeys(m.locals)))
	case refModule:
		d.Summary = "Unknown module"
		d.Detail = fmt.Sprintf("There is no module call %q %s.%s", r.name, where, meant("module.", r.name, sortedKeys(m.calls)))
	default:
		kind, name, _ := strings.Cut(r.name, ".")
		isData := kind == "data"
		if isData {
			kind, name, _ = strings.Cut(name, ".")
		}
		known := false
		if isData {
			known = m.g.registry.Data(kind) != nil
		} else {
			known = m.g.registry.Type(kind) != nil || kind == "tenant"
		}
		if !known {
			words := []string{"var", "local", "module", "data", "provider", "each", "count", "path", "tenant"}
			for _, t := range m.g.registry.Types() {
				words = append(words, t.Name)
			}
			d.Summary = badReference
			d.Detail = fmt.Sprintf("There is no block type %q.%s", kind, meant("", kind, words))
			if isData {
				d.Detail = fmt.Sprintf("There is no data source %q.", kind)
			}
			return d
		}
		d.Summary = "Unknown " + strings.ReplaceAll(kind, "_", " ")
		d.Detail = fmt.Sprintf("There is no %s %s.", r.name, where)
		if near := Nearest(r.name, sortedKeys(m.blocks)); near != "" {
			d.Detail += fmt.Sprintf(" Did you mean %s?", near)
			break
		}
		var same []string
		for _, b := range m.order {
			if b.typeName == kind && (b.data != nil) == isData {
				same = append(same, b.key)
			}
		}
		if near := Nearest(name, names(same)); near != "" || len(same) > 0 && len(same) <= 5 {
			d.Detail += fmt.Sprintf(" There is %s.", strings.Join(same, ", "))
		}
	}
	return d
}

func names(keys []string) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k[strings.LastIndexByte(k, '.')+1:]
	}
	return out
}

// checkAttribute finds, without values, references to attributes that a block does not have, to the instances of a
// repeated block without a key, and to the block itself.
func (ev *evaluator) checkAttribute(sc *scope, b *block, r *ref) *hcl.Diagnostic {
	keyed := r.key.IsSet() || r.keyExpr != nil
	attr := r.attr()
	if b.repeated() && !keyed {
		if attr != "" {
			return &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Missing instance key",
				Detail:  fmt.Sprintf("%s has several instances; say which: %s[…].%s, or loop over %s.", b.key, b.key, attr, b.key),
				Subject: r.rng.Ptr(),
			}
		}
		return nil
	}
	if attr == "" || !b.repeated() && keyed {
		return nil
	}
	ty := ev.g.types.value(b)
	if !ty.HasAttribute(attr) {
		what := "A " + b.typeName
		if strings.ContainsAny(b.typeName[:1], "aeio") {
			what = "An " + b.typeName
		}
		return &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Unknown attribute",
			Detail:  fmt.Sprintf("%s has no attribute %q.%s", what, attr, meant("", attr, sortedKeys(ty.AttributeTypes()))),
			Subject: r.rng.Ptr(),
		}
	}
	return nil
}

// frameOnly reports whether all references read only what the frame knows of a tenant.
func frameOnly(refs []*ref) bool {
	for _, r := range refs {
		if _, ok := frameAttributes[r.attr()]; !ok {
			return false
		}
	}
	return true
}

func (ev *evaluator) variableValue(sc *scope, name string, refs []*ref, res *result) cty.Value {
	k := nodeKey{sc: sc, kind: nodeVariable, name: name}
	if sc.mod.variables[name].isTenant(&ev.g.types) && frameOnly(refs) {
		n := ev.frameNode(k)
		res.failed = res.failed || n.failed
		return n.val
	}
	n := ev.get(k)
	res.merge(&n.result)
	return n.val
}

// frameNode returns a node as the frame has it.
func (ev *evaluator) frameNode(k nodeKey) *node {
	if ev.stage == stageFrame {
		return ev.get(k)
	}
	n := ev.frame.node(k)
	if len(n.diags) > 0 && !ev.reported[n] {
		ev.reported[n] = true
		ev.report(n.diags)
	}
	return n
}

// instanceKey is the key that a reference asks for; all when it asks for every instance, or for one that is not known.
func (ev *evaluator) instanceKey(sc *scope, r *ref, x *extra, res *result) (key resource.Key, all bool) {
	if r.key.IsSet() {
		return r.key, false
	}
	if r.keyExpr == nil {
		return resource.NoKey, true
	}
	// The key is evaluated again as part of the whole expression, which reports what is wrong with it.
	outer := ev.diags
	got := ev.eval(sc, r.keyExpr, x)
	ev.diags = outer
	res.merge(&result{deps: got.deps, level: got.level})
	if got.failed {
		return resource.NoKey, true
	}
	k, err := keyOf(got.val)
	if err != nil {
		return resource.NoKey, true
	}
	return k, false
}

// blockValue is the value of references to one block: one instance, or an object or tuple of them.
func (ev *evaluator) blockValue(sc *scope, b *block, refs []*ref, x *extra, res *result) cty.Value {
	if x.inner == b && (!b.isTenant() || !frameOnly(refs)) {
		res.failed = true
		ev.report(hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Block refers to itself",
			Detail: fmt.Sprintf("%s cannot use its own values. Use a local for what several arguments share.", b.key), Subject: refs[0].rng.Ptr(),
		}})
		return cty.DynamicVal
	}
	level := stagePlan
	switch {
	case b.data != nil:
		level = stageReads
	case b.isTenant() && frameOnly(refs):
		level = stageFrame
	}
	exp := ev.get(nodeKey{sc: sc, kind: nodeBlock, name: b.key})
	res.merge(&exp.result)
	if exp.failed {
		return cty.DynamicVal
	}
	need := func(key resource.Key, all bool) {
		if level > stageFrame {
			res.need(dep{sc: sc, b: b, key: key, all: all}, level)
		}
	}
	if exp.exp.unknown || sc.pattern && b.repeated() && ev.stage == stageFrame {
		need(resource.NoKey, true)
		return cty.DynamicVal
	}
	if exp.exp.single {
		need(resource.NoKey, false)
		return ev.instanceValue(sc, b, resource.NoKey, level, res)
	}
	wanted := map[resource.Key]bool{}
	every := false
	for _, r := range refs {
		key, all := ev.instanceKey(sc, r, x, res)
		every = every || all
		wanted[key] = true
	}
	if every || exp.exp.count {
		need(resource.NoKey, true)
	}
	values := map[string]cty.Value{}
	var list []cty.Value
	for _, key := range exp.exp.keys {
		v := cty.UnknownVal(ev.g.types.value(b))
		if every || wanted[key] {
			if !every && !exp.exp.count {
				need(key, false)
			}
			v = ev.instanceValue(sc, b, key, level, res)
		} else if !exp.exp.count {
			continue
		}
		values[key.Text()] = v
		list = append(list, v)
	}
	if exp.exp.count {
		return cty.TupleVal(list)
	}
	return cty.ObjectVal(values)
}

// instanceValue is the value of one instance as this stage sees it.
func (ev *evaluator) instanceValue(sc *scope, b *block, key resource.Key, level stage, res *result) cty.Value {
	switch {
	case b.data != nil:
		n := ev.get(nodeKey{sc: sc, kind: nodeData, name: b.key, key: key})
		res.merge(&n.result)
		return n.val
	case b.isTenant():
		n := ev.frameNode(nodeKey{sc: sc, kind: nodeTenant, name: b.key, key: key})
		res.failed = res.failed || n.failed
		if level == stageFrame || ev.stage < stagePlan {
			return n.val
		}
		return ev.tenantValue(sc, b, key, n.val)
	case ev.stage < stagePlan:
		return cty.UnknownVal(ev.g.types.value(b))
	}
	v, foreign := ev.visited(sc, b, key)
	if v == cty.NilVal {
		v = cty.UnknownVal(ev.g.types.value(b))
	}
	if foreign != nil {
		return v.Mark(*foreign)
	}
	return v
}

// visited is the value of one instance in the plan stage: visited here, or known from elsewhere; NilVal when it is
// neither. foreign marks the value of another tenant, which only root outputs may use.
func (ev *evaluator) visited(sc *scope, b *block, key resource.Key) (cty.Value, *foreignMark) {
	addr := sc.address(b, key).String()
	if v, ok := ev.values[addr]; ok {
		return markTable(v, b.table), nil
	}
	home, ok := ev.frame.home(sc, b, key)
	if ok && !ev.outputsOnly && home != nil && home != ev.tenant {
		return cty.NilVal, &foreignMark{tenant: home.Key, address: addr}
	}
	if v, ok := ev.known[addr]; ok && (home != ev.tenant || ev.outputsOnly) {
		return markTable(v, b.table), nil
	}
	return cty.NilVal, nil
}

// tenantValue joins what the frame knows of a tenant with its planned value.
func (ev *evaluator) tenantValue(sc *scope, b *block, key resource.Key, frame cty.Value) cty.Value {
	v, foreign := ev.visited(sc, b, key)
	attrs := map[string]cty.Value{}
	for name, ty := range ev.g.types.tenant.AttributeTypes() {
		_, fixed := frameAttributes[name]
		switch {
		case fixed && frame.IsKnown() && !frame.IsNull():
			attrs[name] = frame.GetAttr(name)
		case v != cty.NilVal && v.IsKnown() && !v.IsNull() && v.Type().HasAttribute(name):
			attrs[name] = v.GetAttr(name)
		default:
			attrs[name] = cty.UnknownVal(ty)
			if foreign != nil {
				attrs[name] = attrs[name].Mark(*foreign)
			}
		}
	}
	return cty.ObjectVal(attrs)
}

// markTable marks the attributes that a table calls sensitive, and secret references.
func markTable(v cty.Value, table []resource.Attribute) cty.Value {
	if !needsMarks(table) || v.IsNull() || !v.IsKnown() || v.IsMarked() {
		return v
	}
	attrs := v.AsValueMap()
	for i := range table {
		row := &table[i]
		e, ok := attrs[row.Name]
		if !ok {
			continue
		}
		switch {
		case len(row.Nested) > 0:
			attrs[row.Name] = markTable(e, row.Nested)
		case row.Type == resource.SecretType:
			attrs[row.Name] = e.WithMarks(cty.NewValueMarks(SensitiveMark, EphemeralMark))
		case row.Sensitive:
			attrs[row.Name] = e.Mark(SensitiveMark)
		}
	}
	return cty.ObjectVal(attrs)
}

func needsMarks(table []resource.Attribute) bool {
	for i := range table {
		if table[i].Sensitive || table[i].Type == resource.SecretType || needsMarks(table[i].Nested) {
			return true
		}
	}
	return false
}

// foreignMark marks the computed values of another tenant.
type foreignMark struct{ tenant, address string }

// foreignIn reports the use of another tenant's value.
func foreignIn(v cty.Value, what string, at hcl.Range) *hcl.Diagnostic {
	if v == cty.NilVal {
		return nil
	}
	for m := range cty.ValueMarksOfTypeDeep[foreignMark](v) {
		return &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Value of another tenant",
			Detail:  fmt.Sprintf("%s uses %s, which belongs to tenant %q. Tenants are planned and applied one by one, so their computed values are visible to root outputs only; name, key and domains of a tenant are visible everywhere.", what, m.address, m.tenant),
			Subject: at.Ptr(),
		}
	}
	return nil
}

// moduleValue is the value of references to one module call.
func (ev *evaluator) moduleValue(sc *scope, c *call, refs []*ref, x *extra, res *result) cty.Value {
	exp := ev.get(nodeKey{sc: sc, kind: nodeCall, name: c.name})
	res.merge(&result{deps: exp.deps, level: exp.level, failed: exp.failed})
	if exp.failed {
		return cty.DynamicVal
	}
	if exp.exp.unknown {
		pattern := sc.child(c, resource.NoKey, true)
		ev.member(pattern, c, wantedMembers(refs, true), res)
		return cty.DynamicVal
	}
	if exp.exp.single {
		return ev.member(sc.child(c, resource.NoKey, false), c, wantedMembers(refs, false), res)
	}
	byKey := map[resource.Key][]*ref{}
	var all []*ref
	for _, r := range refs {
		key, every := ev.instanceKey(sc, r, x, res)
		if every {
			all = append(all, r)
		} else {
			byKey[key] = append(byKey[key], r)
		}
	}
	values := map[string]cty.Value{}
	var list []cty.Value
	for _, key := range exp.exp.keys {
		want := byKey[key]
		if len(want)+len(all) == 0 {
			if exp.exp.count {
				list = append(list, cty.DynamicVal)
			}
			continue
		}
		v := ev.member(sc.child(c, key, false), c, append(wantedMembers(want, false), wantedMembers(all, true)...), res)
		values[key.Text()] = v
		list = append(list, v)
	}
	if exp.exp.count {
		return cty.TupleVal(list)
	}
	return cty.ObjectVal(values)
}

// wantedMembers are the steps behind the instance that references read: an empty traversal for all of it.
func wantedMembers(refs []*ref, every bool) []hcl.Traversal {
	var out []hcl.Traversal
	for _, r := range refs {
		if every && r.members != nil && len(r.rest) == 0 {
			out = append(out, r.members...)
			continue
		}
		out = append(out, r.rest)
	}
	return out
}

// member is the value of one module instance, as far as the wanted steps reach.
func (ev *evaluator) member(child *scope, c *call, wanted []hcl.Traversal, res *result) cty.Value {
	m := child.mod
	outputs := map[string]bool{}
	tenants := map[string][]*ref{}
	for _, t := range wanted {
		first, second := stepName(t, 0), stepName(t, 1)
		switch {
		case len(t) == 0:
			for name := range m.outputs {
				outputs[name] = true
			}
			for _, b := range m.order {
				if b.isTenant() {
					tenants[b.key] = append(tenants[b.key], &ref{})
				}
			}
		case first == "tenant" && m.blocks["tenant."+second] != nil && (m.outputs["tenant"] == nil || !ev.g.types.tenant.HasAttribute(second)):
			b := m.blocks["tenant."+second]
			r := &ref{kind: refBlock, name: b.key, rest: t[2:], rng: t.SourceRange()}
			if len(r.rest) > 0 {
				if index, ok := r.rest[0].(hcl.TraverseIndex); ok && b.repeated() {
					if key, err := keyOf(index.Key); err == nil {
						r.key, r.rest = key, r.rest[1:]
					}
				}
			}
			tenants[b.key] = append(tenants[b.key], r)
		case first == "tenant" && m.outputs["tenant"] == nil && second == "":
			for _, b := range m.order {
				if b.isTenant() {
					tenants[b.key] = append(tenants[b.key], &ref{})
				}
			}
		case m.outputs[first] != nil:
			outputs[first] = true
		case first != "":
			res.failed = true
			hint := meant("", first, sortedKeys(m.outputs))
			if first == "tenant" {
				hint = meant("tenant.", second, tenantNames(m))
			}
			ev.report(hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "Unknown output",
				Detail:  fmt.Sprintf("The module %q has no output %q.%s", c.name, strings.TrimSuffix(first+"."+second, "."), hint),
				Subject: t.SourceRange().Ptr(),
			}})
		}
	}
	attrs := map[string]cty.Value{}
	for _, name := range sortedKeys(outputs) {
		n := ev.outputOf(child, name)
		res.merge(&n.result)
		attrs[name] = n.val
	}
	if len(tenants) > 0 {
		inner := map[string]cty.Value{}
		for _, key := range sortedKeys(tenants) {
			b := m.blocks[key]
			inner[b.name] = ev.blockValue(child, b, tenants[key], &extra{}, res)
		}
		if attrs["tenant"] == cty.NilVal {
			attrs["tenant"] = cty.ObjectVal(inner)
		}
	}
	return cty.ObjectVal(attrs)
}

func stepName(t hcl.Traversal, i int) string {
	if i < len(t) {
		switch s := t[i].(type) {
		case hcl.TraverseAttr:
			return s.Name
		case hcl.TraverseIndex:
			if s.Key.Type() == cty.String && s.Key.IsKnown() && !s.Key.IsNull() {
				return s.Key.AsString()
			}
		}
	}
	return ""
}

func tenantNames(m *module) []string {
	var out []string
	for _, b := range m.order {
		if b.isTenant() {
			out = append(out, b.name)
		}
	}
	return out
}

// outputOf is an output of a module instance. The outputs of an instance that holds other tenants only are taken from
// the frame, with everything unknown marked foreign: evaluating one tenant must not cost an evaluation of all.
func (ev *evaluator) outputOf(child *scope, name string) *node {
	k := nodeKey{sc: child, kind: nodeOutput, name: name}
	if ev.stage == stageFrame || ev.outputsOnly || len(child.tenants) == 0 || ev.tenant != nil && child.tenants[ev.tenant.Key] {
		return ev.get(k)
	}
	return ev.frame.foreignOutput(k)
}

// checkProvider finds references to provider blocks that do not exist.
func (ev *evaluator) checkProvider(r *ref) *hcl.Diagnostic {
	var kinds, names []string
	for _, key := range sortedKeys(ev.g.root.providers) {
		p := ev.g.root.providers[key]
		if !slices.Contains(kinds, p.kind) {
			kinds = append(kinds, p.kind)
		}
		if p.kind == r.name {
			names = append(names, p.name)
		}
	}
	if len(names) == 0 {
		return &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Unknown provider",
			Detail:  fmt.Sprintf("There is no provider %q block in the root module.%s", r.name, meant("provider.", r.name, kinds)),
			Subject: r.rng.Ptr(),
		}
	}
	if name := r.attr(); name != "" && !slices.Contains(names, name) {
		return &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Unknown provider",
			Detail:  fmt.Sprintf("There is no provider.%s.%s.%s", r.name, name, meant("provider."+r.name+".", name, names)),
			Subject: r.rng.Ptr(),
		}
	}
	return nil
}

// providers is the object of all provider blocks of one kind.
func (ev *evaluator) providers(kind string) cty.Value {
	attrs := map[string]cty.Value{}
	for _, p := range ev.g.root.providers {
		if p.kind == kind {
			attrs[p.name] = cty.CapsuleVal(providerType, &providerRef{p.kind, p.name})
		}
	}
	return cty.ObjectVal(attrs)
}
