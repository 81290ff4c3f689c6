package config

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/weir-project/weir/providers/resource"
)

// stage says how much of the world an evaluator sees.
type stage int

const (
	stageFrame stage = iota // variables, locals, functions, files, environment
	stageReads              // and data
	stagePlan               // and the values of visited instances
)

// evaluator computes named values on demand and remembers them. It is not safe for concurrent use; whoever owns it
// holds its lock.
//
// The evaluators of one tenant stand on the frame's: a value whose references reach neither data nor instances is
// computed once, in the frame, for all tenants.
type evaluator struct {
	g        *Graph
	stage    stage
	validate bool // variables without values are unknown, calls are patterns
	frame    *frameEval
	reads    *evaluator // the stage below, of a plan evaluator

	ctx         context.Context
	tenant      *Tenant
	outputsOnly bool
	data        func(context.Context, DataRead) (cty.Value, error)
	known       map[string]cty.Value
	values      map[string]cty.Value // visited, by address
	failures    map[string]string    // data that could not be read, by address: why

	in       Inputs
	vars     map[string]*VarInput
	memo     map[nodeKey]*node
	stack    []nodeKey
	meters   map[*scope]*meter
	current  *meter
	fns      map[string]function.Function
	bodyFns  map[string]function.Function // of provider bodies
	files    map[string][]byte
	secrets  *secretNames
	diags    hcl.Diagnostics
	reported map[*node]bool
}

type nodeKind byte

const (
	nodeVariable nodeKind = iota
	nodeLocal
	nodeOutput
	nodeCall
	nodeBlock
	nodeTenant
	nodeData
)

type nodeKey struct {
	sc   *scope
	kind nodeKind
	name string
	key  resource.Key
}

func (k nodeKey) String() string {
	var b strings.Builder
	for _, s := range k.sc.path {
		b.WriteString("module." + s.Name + s.Key.String() + ".")
	}
	switch k.kind {
	case nodeVariable:
		b.WriteString("var.")
	case nodeLocal:
		b.WriteString("local.")
	case nodeOutput:
		b.WriteString("output.")
	case nodeCall:
		b.WriteString("module.")
	}
	return b.String() + k.name + k.key.String()
}

// node is one named value.
type node struct {
	key nodeKey
	result
	diags hcl.Diagnostics
	busy  bool
	// exp is the expansion of a call or block.
	exp *expansion
}

// result is a value with what it rests on.
type result struct {
	val    cty.Value
	deps   deps
	level  stage // the stage at which the value is final
	failed bool  // an error has been reported
}

func (r *result) merge(other *result) {
	if len(other.deps) > 0 {
		if r.deps == nil {
			r.deps = deps{}
		}
		r.deps.add(other.deps)
	}
	r.level = max(r.level, other.level)
	r.failed = r.failed || other.failed
}

func (r *result) need(d dep, level stage) {
	if r.deps == nil {
		r.deps = deps{}
	}
	r.deps[d] = struct{}{}
	r.level = max(r.level, level)
}

// expansion says which instances a call or block has.
type expansion struct {
	single  bool // neither for_each nor count
	count   bool
	unknown bool
	keys    []resource.Key
	each    map[resource.Key]cty.Value
}

func (e *expansion) has(key resource.Key) bool {
	_, ok := e.each[key]
	return ok
}

// extra is what an expression sees besides its module.
type extra struct {
	roots map[string]cty.Value // "each", "count", "self" and iterators
	level stage                // of these
	deps  deps
	inner *block // the block that the expression stands in
	// provider marks expressions of provider bodies.
	provider bool
}

func (ev *evaluator) report(diags hcl.Diagnostics) { ev.diags = append(ev.diags, diags...) }

// get returns a node, from the lowest stage at which it is final.
func (ev *evaluator) get(k nodeKey) *node {
	n := ev.lookup(k)
	// A busy node is part of a cycle; it reports that itself when it is done.
	if len(n.diags) > 0 && !n.busy && !ev.reported[n] {
		ev.reported[n] = true
		ev.report(n.diags)
	}
	return n
}

func (ev *evaluator) lookup(k nodeKey) *node {
	if ev.stage == stageFrame {
		return ev.own(k)
	}
	base := ev.frame.node(k)
	switch {
	case base.level == stageFrame:
		return base
	case base.level == stageReads && ev.stage == stagePlan:
		return ev.reads.own(k)
	}
	return ev.own(k)
}

// own computes a node in this evaluator.
func (ev *evaluator) own(k nodeKey) *node {
	if n := ev.memo[k]; n != nil {
		if n.busy {
			n.failed = true
			n.val = cty.DynamicVal
			if n.diags == nil {
				n.diags = ev.cycle(k)
			}
		}
		return n
	}
	n := &node{key: k, busy: true}
	n.val = cty.DynamicVal
	ev.memo[k] = n
	ev.stack = append(ev.stack, k)
	outer := ev.diags
	ev.diags = nil
	meter := ev.current
	ev.current = ev.meterOf(k.sc)
	switch k.kind {
	case nodeVariable:
		ev.variable(n)
	case nodeLocal:
		l := k.sc.mod.locals[k.name]
		n.result = ev.eval(k.sc, l.expr, nil)
	case nodeOutput:
		ev.output(n)
	case nodeCall:
		c := k.sc.mod.calls[k.name]
		n.exp, n.result = ev.expand(k.sc, c.forEach, c.count, "module."+c.name, nil)
		if ev.validate && !n.exp.single {
			n.exp.unknown = true
		}
	case nodeBlock:
		b := k.sc.mod.blocks[k.name]
		n.exp, n.result = ev.expand(k.sc, b.forEach, b.count, b.key, b)
		if (ev.validate || k.sc.pattern && ev.stage == stageFrame) && !n.exp.single {
			n.exp.unknown = true
		}
	case nodeTenant:
		ev.tenantNode(n)
	case nodeData:
		ev.dataNode(n)
	}
	if n.exp == nil && !n.failed {
		if err := ev.current.charge(n.val); err != nil {
			n.failed = true
			n.val = cty.DynamicVal
			ev.report(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: overBudget, Detail: fmt.Sprintf("%s: %s", k, err), Subject: ev.rangeOf(k).Ptr()}})
		}
	}
	ev.current = meter
	n.diags = append(n.diags, ev.diags...)
	ev.diags = outer
	n.busy = false
	ev.stack = ev.stack[:len(ev.stack)-1]
	return n
}

func (ev *evaluator) meterOf(sc *scope) *meter {
	m := ev.meters[sc]
	if m == nil {
		m = &meter{}
		ev.meters[sc] = m
	}
	return m
}

func (ev *evaluator) rangeOf(k nodeKey) hcl.Range {
	m := k.sc.mod
	switch k.kind {
	case nodeVariable:
		return m.variables[k.name].rng
	case nodeLocal:
		return m.locals[k.name].rng
	case nodeOutput:
		return m.outputs[k.name].rng
	case nodeCall:
		return m.calls[k.name].rng
	default:
		return m.blocks[k.name].rng
	}
}

// cycle names the way from a value back to itself.
func (ev *evaluator) cycle(k nodeKey) hcl.Diagnostics {
	var path []string
	started := false
	for _, s := range ev.stack {
		if s == k {
			started = true
		}
		if started {
			path = append(path, s.String())
		}
	}
	path = append(path, k.String())
	return hcl.Diagnostics{cycleDiagnostic(path, ev.rangeOf(k))}
}

func cycleDiagnostic(path []string, at hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Cycle",
		Detail:  fmt.Sprintf("These values need one another, so none can be computed first: %s. Take one reference out of the circle.", strings.Join(path, " → ")),
		Subject: at.Ptr(),
	}
}

// eval evaluates one expression in a module instance.
func (ev *evaluator) eval(sc *scope, expr hcl.Expression, x *extra) result {
	refs, diags := ev.g.refs.of(expr)
	if diags.HasErrors() {
		ev.report(diags)
		return result{val: cty.DynamicVal, failed: true}
	}
	ctx, res := ev.context(sc, refs, x)
	if res.failed {
		res.val = cty.DynamicVal
		return res
	}
	v, diags := ev.value(sc, expr, ctx)
	res.val = v
	if diags.HasErrors() {
		res.failed = true
		res.val = cty.DynamicVal
	}
	ev.report(diags)
	return res
}

// value evaluates an expression whose references stand in ctx.
func (ev *evaluator) value(sc *scope, expr hcl.Expression, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	outer := ev.current
	ev.current = ev.meterOf(sc)
	defer func() { ev.current = outer }()
	if diags := estimate(expr, ctx); diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	v, diags := expr.Value(ctx)
	diags = slices.CompactFunc(diags, func(a, b *hcl.Diagnostic) bool {
		return a.Summary == overBudget && b.Summary == overBudget // once is enough, not once for every turn of a loop
	})
	for _, d := range diags {
		improve(d)
	}
	return v, diags
}

// estimate refuses an expression before it is evaluated when the text of all its references together is beyond any
// budget: thirty references to one large text in a single template are the doubling that no step counts.
func estimate(expr hcl.Expression, ctx *hcl.EvalContext) hcl.Diagnostics {
	vars := expr.Variables()
	if len(vars) <= maxBytes/maxValue {
		return nil // each is at most maxValue
	}
	total := 0
	for _, t := range vars {
		v, diags := t.TraverseAbs(ctx)
		if diags.HasErrors() {
			continue
		}
		total += sizeOf(v, maxValue)
		if total > maxBytes {
			return hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: overBudget,
				Detail:  fmt.Sprintf("The values that this expression refers to take more than %d MiB together.", maxBytes>>20),
				Subject: expr.Range().Ptr(),
			}}
		}
	}
	return nil
}

// variable computes the value of one variable of one module instance.
func (ev *evaluator) variable(n *node) {
	sc := n.key.sc
	v := sc.mod.variables[n.key.name]
	want := v.ty.WithoutOptionalAttributesDeep()
	switch {
	case sc.parent == nil && ev.validate:
		n.val = v.marked(cty.UnknownVal(want))
	case sc.parent == nil:
		val, diags := v.rootValue(ev.vars[v.name])
		n.val = val
		n.failed = diags.HasErrors()
		ev.report(diags)
	default:
		arg := sc.call.args[v.name]
		if arg == nil {
			n.val = v.fallback
			if v.required() {
				n.val, n.failed = cty.UnknownVal(want), true // reported when the call was read
			}
			n.val = v.marked(n.val)
			break
		}
		x := ev.callExtra(sc)
		n.result = ev.eval(sc.parent, arg.Expr, x)
		if n.failed {
			n.val = cty.UnknownVal(want)
			break
		}
		val := n.val
		if val.IsNull() && !v.nullable {
			if v.required() {
				n.failed = true
				n.val = cty.UnknownVal(want)
				ev.report(hcl.Diagnostics{{
					Severity: hcl.DiagError, Summary: "Invalid value for variable",
					Detail: fmt.Sprintf("var.%s (%s) is not nullable, but null is given.", v.name, place(v.rng)), Subject: arg.Expr.Range().Ptr(),
				}})
				break
			}
			val = v.fallback
		}
		val, diags := v.convert(val, arg.Expr.Range(), false)
		ev.report(diags)
		n.failed = diags.HasErrors()
		n.val = v.marked(val)
	}
	if n.failed || len(v.validations) == 0 {
		return
	}
	// The conditions refer to the variable itself, which is known from here on.
	n.busy = false
	for _, c := range v.validations {
		if !ev.condition(sc, c, nil, "Invalid value for variable", "var."+v.name, hcl.DiagError) {
			n.failed = true
		}
	}
	n.busy = true
}

// callExtra gives the each or count that the arguments of a call see.
func (ev *evaluator) callExtra(sc *scope) *extra {
	if sc.call.forEach == nil && sc.call.count == nil {
		return nil
	}
	exp := ev.get(nodeKey{sc: sc.parent, kind: nodeCall, name: sc.call.name})
	return instanceExtra(exp, sc.key, sc.call.count != nil, sc.pattern && !exp.exp.has(sc.key))
}

// instanceExtra is what one instance of a repeated block or call sees.
func instanceExtra(n *node, key resource.Key, count, unknown bool) *extra {
	x := &extra{level: n.level, deps: n.deps}
	value, ok := n.exp.each[key]
	if !ok {
		value = cty.DynamicVal
	}
	if count {
		index := cty.UnknownVal(cty.Number)
		if !unknown && key.IsSet() {
			index = key.Value()
		}
		x.roots = map[string]cty.Value{"count": cty.ObjectVal(map[string]cty.Value{"index": index})}
		return x
	}
	k := cty.UnknownVal(cty.String)
	if !unknown && key.IsSet() {
		k = key.Value()
	}
	x.roots = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": k, "value": value})}
	return x
}

// output computes one output of a module instance.
func (ev *evaluator) output(n *node) {
	sc := n.key.sc
	o := sc.mod.outputs[n.key.name]
	n.result = ev.eval(sc, o.expr, nil)
	if n.failed {
		return
	}
	if extraDeps := ev.dependsOn(sc, o.dependsOn); extraDeps != nil {
		n.merge(extraDeps)
	}
	for _, c := range o.conditions {
		if !ev.condition(sc, c, nil, "Precondition failed", "output."+o.name, hcl.DiagError) {
			n.failed = true
		}
	}
	if o.sensitive {
		n.val = n.val.Mark(SensitiveMark)
	}
}

// condition evaluates one condition and reports it when it is false. What is not known yet passes.
func (ev *evaluator) condition(sc *scope, c *condition, x *extra, summary, subject string, severity hcl.DiagnosticSeverity) bool {
	before := len(ev.diags)
	res := ev.eval(sc, c.condition, x)
	if res.failed {
		if severity == hcl.DiagWarning {
			for _, d := range ev.diags[before:] {
				d.Severity = hcl.DiagWarning
			}
		}
		return severity == hcl.DiagWarning
	}
	v, _ := res.val.UnmarkDeep()
	if !v.IsKnown() {
		return true
	}
	v, err := convertTo(v, cty.Bool)
	if err != nil || v.IsNull() {
		ev.report(hcl.Diagnostics{{
			Severity: severity, Summary: "Invalid condition",
			Detail: fmt.Sprintf("The condition of %s must be true or false.", subject), Subject: c.condition.Range().Ptr(),
		}})
		return severity == hcl.DiagWarning
	}
	if v.True() {
		return true
	}
	message := "The condition does not hold."
	text := ev.eval(sc, c.message, x)
	if m, marks := text.val.UnmarkDeep(); !text.failed && m.IsWhollyKnown() && !m.IsNull() && m.Type() == cty.String {
		message = m.AsString()
		if len(marks) > 0 {
			message = "The condition does not hold. Its message contains sensitive values and is not shown."
		}
	}
	d := &hcl.Diagnostic{
		Severity: severity, Summary: summary,
		Detail:     fmt.Sprintf("%s: %s", subject, message),
		Subject:    c.condition.Range().Ptr(),
		Expression: c.condition,
	}
	if refs, diags := ev.g.refs.of(c.condition); !diags.HasErrors() {
		d.EvalContext, _ = ev.context(sc, refs, x)
	}
	ev.report(hcl.Diagnostics{d})
	return severity == hcl.DiagWarning
}

// dependsOn resolves the blocks and modules that a depends_on names.
func (ev *evaluator) dependsOn(sc *scope, refs []*ref) *result {
	if len(refs) == 0 {
		return nil
	}
	res := &result{}
	for _, r := range refs {
		if r.kind == refModule {
			c := sc.mod.calls[r.name]
			if c == nil || c.module == nil {
				ev.report(hcl.Diagnostics{unknownName(sc, r)})
				res.failed = true
				continue
			}
			exp := ev.get(nodeKey{sc: sc, kind: nodeCall, name: c.name})
			res.merge(&exp.result)
			for _, child := range ev.children(sc, c, exp) {
				if !r.key.IsSet() || child.key == r.key {
					ev.everything(child, res)
				}
			}
			continue
		}
		b := sc.mod.blocks[r.name]
		if b == nil {
			ev.report(hcl.Diagnostics{unknownName(sc, r)})
			res.failed = true
			continue
		}
		level := stagePlan
		if b.data != nil {
			level = stageReads
		}
		res.need(dep{sc: sc, b: b, key: r.key, all: !r.key.IsSet()}, level)
	}
	return res
}

// everything adds all blocks of a module instance and of those below.
func (ev *evaluator) everything(sc *scope, res *result) {
	for _, b := range sc.mod.order {
		if b.data == nil {
			res.need(dep{sc: sc, b: b, all: true}, stagePlan)
		}
	}
	for _, name := range sortedKeys(sc.mod.calls) {
		c := sc.mod.calls[name]
		if c.module == nil {
			continue
		}
		exp := ev.get(nodeKey{sc: sc, kind: nodeCall, name: name})
		for _, child := range ev.children(sc, c, exp) {
			ev.everything(child, res)
		}
	}
}

// children are the scopes of a call's instances: the pattern when they are not known.
func (ev *evaluator) children(sc *scope, c *call, n *node) []*scope {
	if n.exp.unknown {
		return []*scope{sc.child(c, resource.NoKey, true)}
	}
	out := make([]*scope, len(n.exp.keys))
	for i, key := range n.exp.keys {
		out[i] = sc.child(c, key, false)
	}
	return out
}

// expand evaluates for_each or count. what names the block for messages; b is nil for a call.
func (ev *evaluator) expand(sc *scope, forEach, count hcl.Expression, what string, b *block) (*expansion, result) {
	unknown := &expansion{unknown: true, count: count != nil}
	switch {
	case forEach == nil && count == nil:
		return &expansion{single: true, keys: []resource.Key{resource.NoKey}, each: map[resource.Key]cty.Value{resource.NoKey: cty.NilVal}}, result{val: cty.True}
	case count != nil:
		res := ev.eval(sc, count, &extra{inner: b})
		if res.failed {
			return unknown, res
		}
		n, err := countOf(res.val)
		if err != nil {
			res.failed = true
			ev.report(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Invalid count", Detail: sentence(what + ": " + err.Error()), Subject: count.Range().Ptr()}})
			return unknown, res
		}
		if n < 0 {
			return unknown, res
		}
		exp := &expansion{count: true, each: make(map[resource.Key]cty.Value, n)}
		for i := range n {
			exp.keys = append(exp.keys, resource.IntKey(i))
			exp.each[resource.IntKey(i)] = cty.NilVal
		}
		return exp, res
	}
	res := ev.eval(sc, forEach, &extra{inner: b})
	if d := foreignIn(res.val, what, forEach.Range()); d != nil && !res.failed {
		res.failed = true
		ev.report(hcl.Diagnostics{d})
	}
	if res.failed {
		return unknown, res
	}
	exp, err := forEachOf(res.val)
	if err != nil {
		res.failed = true
		ev.report(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Invalid for_each", Detail: sentence(what + ": " + err.Error()), Subject: forEach.Range().Ptr(), Expression: forEach}})
		return unknown, res
	}
	if exp == nil {
		return unknown, res
	}
	return exp, res
}

// maxInstances bounds how many instances one block or call may have.
const maxInstances = 100_000

// countOf reads a count; -1 when it is unknown.
func countOf(v cty.Value) (int, error) {
	if v.HasMarkDeep(SensitiveMark) || v.HasMarkDeep(EphemeralMark) {
		return 0, fmt.Errorf("a sensitive value cannot decide how many instances there are, because their number is shown")
	}
	v, _ = v.UnmarkDeep()
	if !v.IsKnown() {
		return -1, nil
	}
	v, err := convertTo(v, cty.Number)
	if err != nil {
		return 0, err
	}
	if v.IsNull() {
		return 0, fmt.Errorf("count is null")
	}
	key, err := keyOf(v)
	if err != nil {
		return 0, fmt.Errorf("count must be a whole number of at least 0, but is %s", v.AsBigFloat().Text('g', 20))
	}
	var n int
	if _, err := fmt.Sscan(key.Text(), &n); err != nil || n > maxInstances {
		return 0, fmt.Errorf("count is more than %d", maxInstances)
	}
	return n, nil
}

// forEachOf reads a for_each; nil when its keys are unknown.
func forEachOf(v cty.Value) (*expansion, error) {
	for mark := range v.Marks() {
		if mark == SensitiveMark || mark == EphemeralMark {
			return nil, fmt.Errorf("a sensitive value cannot name instances, because their keys are shown. If the keys alone are harmless, use nonsensitive()")
		}
	}
	v, marks := v.Unmark()
	ty := v.Type()
	switch {
	case v.IsNull():
		return nil, fmt.Errorf("for_each is null; an empty set or map makes no instances")
	case ty == cty.DynamicPseudoType:
		return nil, nil
	case ty.IsSetType():
		if !v.IsKnown() {
			return nil, nil
		}
		if v.LengthInt() > 0 && ty.ElementType() != cty.String && ty.ElementType() != cty.DynamicPseudoType {
			return nil, fmt.Errorf("for_each takes a map or a set of texts, but this is %s", typeName(ty))
		}
	case ty.IsMapType() || ty.IsObjectType():
		if !v.IsKnown() {
			return nil, nil
		}
	case ty.IsListType() || ty.IsTupleType():
		return nil, fmt.Errorf("for_each takes a map or a set of texts, but this is %s. Write toset(…), or a for expression that makes a map", typeName(ty))
	default:
		return nil, fmt.Errorf("for_each takes a map or a set of texts, but this is %s", typeName(ty))
	}
	if v.LengthInt() > maxInstances {
		return nil, fmt.Errorf("for_each has more than %d elements", maxInstances)
	}
	exp := &expansion{each: make(map[resource.Key]cty.Value, v.LengthInt())}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if ty.IsSetType() {
			if e.HasMarkDeep(SensitiveMark) {
				return nil, fmt.Errorf("a sensitive value cannot name instances, because their keys are shown")
			}
			if k, _ = e.Unmark(); !k.IsKnown() {
				return nil, nil
			}
			if k.IsNull() {
				return nil, fmt.Errorf("the set contains null")
			}
		}
		key := resource.StringKey(k.AsString())
		exp.keys = append(exp.keys, key)
		exp.each[key] = e.WithMarks(marks)
	}
	return exp, nil
}

// why names what keeps a value from being known, as the end of a sentence; "" when nothing does.
func (ev *evaluator) why(res *result) string {
	var names []string
	for d := range res.deps {
		names = append(names, d.String())
	}
	if len(names) == 0 {
		return ""
	}
	first := names[0]
	for _, n := range names {
		if n < first {
			first = n
		}
	}
	for _, n := range sortedKeys(ev.failures) {
		for _, m := range names {
			if n == m || strings.HasPrefix(n, m+"[") {
				return fmt.Sprintf("%s, which could not be read: %s", n, ev.failures[n])
			}
		}
	}
	return first
}

// meterValue is the context variable that loops find their meter by.
func (ev *evaluator) withMeter(sc *scope, vars map[string]cty.Value) map[string]cty.Value {
	out := maps.Clone(vars)
	out[meterVariable] = cty.CapsuleVal(meterType, ev.meterOf(sc))
	return out
}
