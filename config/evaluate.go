package config

import (
	"context"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// Evaluate walks the instances of one tenant, or of the root: data first, then every instance once all that it refers
// to has been visited. Diagnostics with errors still come with an Evaluation of what could be evaluated. Safe for
// concurrent use with different requests; Visit and Data are called from one goroutine each unless Parallel says more.
func (f *Frame) Evaluate(ctx context.Context, req EvalRequest) (*Evaluation, hcl.Diagnostics) {
	w := f.newWalk(ctx, req)
	if !req.OutputsOnly {
		w.readData()
		w.prepare()
		w.run()
		w.checks()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if req.Tenant == nil {
		w.outputs()
	}
	// What reaches neither data nor instances was read by the frame, some of it only now.
	w.fe.mu.RLock()
	files := maps.Clone(w.fe.ev.files)
	w.fe.mu.RUnlock()
	maps.Copy(files, w.ev.reads.files)
	maps.Copy(files, w.ev.files)
	w.out.Files = files
	if err := ctx.Err(); err != nil {
		w.ev.report(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Interrupted", Detail: "The evaluation was stopped before it was complete."}})
	}
	// A finding about a value that several stages use is one finding.
	seen := map[*hcl.Diagnostic]bool{}
	var diags hcl.Diagnostics
	for _, d := range append(w.ev.reads.diags, w.ev.diags...) {
		if !seen[d] {
			seen[d] = true
			diags = append(diags, d)
		}
	}
	return w.out, diags
}

// walk is one Evaluate under way.
type walk struct {
	f   *Frame
	fe  *frameEval
	req EvalRequest
	ctx context.Context
	out *Evaluation

	mu sync.Mutex // guards ev
	ev *evaluator

	units []*walkUnit
	// visited are the addresses of each block of a module instance, in order.
	visited map[string][]string
	// lost are the addresses and block addresses without a usable value, with the address that is the reason.
	lost map[string]string
}

type walkUnit struct {
	unit
	position int
	rank     int
	refs     map[*walkUnit]bool // from references
	before   int                // unfinished predecessors
	after    []*walkUnit
	tasks    []task
	open     int
	expanded bool
}

type task struct {
	sc   *scope
	key  resource.Key
	node *node
}

func (f *Frame) newWalk(ctx context.Context, req EvalRequest) *walk {
	fe := f.eval.(*frameEval)
	make := func(s stage) *evaluator {
		ev := newEvaluator(f.graph, fe, s)
		ev.ctx, ev.in, ev.tenant, ev.outputsOnly = ctx, f.inputs, req.Tenant, req.OutputsOnly
		ev.data, ev.known, ev.secrets = req.Data, req.Known, fe.ev.secrets
		ev.values = map[string]cty.Value{}
		ev.fns, ev.bodyFns = ev.functions(false), ev.functions(true)
		return ev
	}
	ev := make(stagePlan)
	ev.reads = make(stageReads)
	ev.reads.reads = ev.reads
	ev.failures = ev.reads.failures
	return &walk{
		f: f, fe: fe, req: req, ctx: ctx, ev: ev,
		out: &Evaluation{
			Skipped: map[string]string{}, Unknown: map[string]string{}, Outputs: map[string]Output{},
			Removed: fe.removed, Moved: fe.moved,
		},
		visited: map[string][]string{}, lost: map[string]string{},
	}
}

// readData reads every data block of the tenant, used or not: a read is also a check.
func (w *walk) readData() {
	for _, u := range w.fe.units[tenantKey(w.req.Tenant)] {
		if u.b.data == nil {
			continue
		}
		for _, sc := range w.ev.reads.concrete(u.sc) {
			exp := w.ev.reads.get(nodeKey{sc: sc, kind: nodeBlock, name: u.b.key})
			if exp.failed || exp.exp.unknown {
				continue
			}
			for _, key := range exp.exp.keys {
				if t, ok := w.fe.home(sc, u.b, key); ok && t == w.req.Tenant {
					w.ev.reads.get(nodeKey{sc: sc, kind: nodeData, name: u.b.key, key: key})
				}
			}
		}
	}
}

// concrete are the module instances that a scope stands for; none as long as they are not known.
func (ev *evaluator) concrete(sc *scope) []*scope {
	if !sc.pattern {
		return []*scope{sc}
	}
	var out []*scope
	for _, parent := range ev.concrete(sc.parent) {
		exp := ev.get(nodeKey{sc: parent, kind: nodeCall, name: sc.call.name})
		if exp.failed || exp.exp.unknown {
			continue
		}
		out = append(out, ev.children(parent, sc.call, exp)...)
	}
	return out
}

// undetermined is the call whose instances are not known, on the way to a pattern scope; nil when all are.
func (ev *evaluator) undetermined(sc *scope) *node {
	if !sc.pattern {
		return nil
	}
	if n := ev.undetermined(sc.parent); n != nil {
		return n
	}
	for _, parent := range ev.concrete(sc.parent) {
		exp := ev.get(nodeKey{sc: parent, kind: nodeCall, name: sc.call.name})
		if exp.failed || exp.exp.unknown {
			return exp
		}
	}
	return nil
}

// dataNode reads one instance of a data block.
func (ev *evaluator) dataNode(n *node) {
	sc, key := n.key.sc, n.key.key
	b := sc.mod.blocks[n.key.name]
	ty := ev.g.types.value(b)
	n.val = cty.UnknownVal(ty)
	n.level = stageReads
	if ev.stage == stageFrame {
		n.need(dep{sc: sc, b: b, key: key}, stageReads)
		return
	}
	n.need(dep{sc: sc, b: b, key: key}, stageReads)
	addr := sc.address(b, key).String()
	home, ok := ev.frame.home(sc, b, key)
	if !ok {
		n.failed = true
		return
	}
	if ev.outputsOnly || home == nil {
		if v, known := ev.known[addr]; known {
			n.val = markTable(v, b.table)
			return
		}
	}
	if !ev.outputsOnly && home != nil && home != ev.tenant {
		n.val = n.val.Mark(foreignMark{tenant: home.Key, address: addr})
		return
	}
	x := &extra{inner: b}
	if b.repeated() {
		exp := ev.get(nodeKey{sc: sc, kind: nodeBlock, name: b.key})
		x = instanceExtra(exp, key, b.count != nil, false)
		x.inner = b
	}
	config, ranges, res := ev.decode(sc, b.body, b.table, nil, x)
	if more := ev.dependsOn(sc, b.dependsOn); more != nil {
		res.merge(more)
	}
	if res.failed {
		n.failed = true
		return
	}
	if !config.IsWhollyKnown() {
		for d := range res.deps {
			if _, lost := ev.failures[d.String()]; lost {
				ev.failures[addr] = fmt.Sprintf("it depends on %s", ev.why(&res))
				return
			}
		}
		ev.report(hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Not known in time",
			Detail:  fmt.Sprintf("%s is read before planning, but its arguments depend on %s.", addr, ev.why(&res)),
			Subject: ranges[""].Ptr(),
		}})
		n.failed = true
		return
	}
	if ev.data == nil {
		return
	}
	v, err := ev.data(ev.ctx, DataRead{Address: sc.address(b, key), Type: b.data, Config: config, Tenant: home, Range: b.rng})
	if err != nil {
		ev.failures[addr] = err.Error()
		return
	}
	if v == cty.NilVal {
		return
	}
	v, err = convertTo(v, ty)
	if err != nil {
		ev.failures[addr] = "the answer does not have the data source's type: " + err.Error()
		return
	}
	n.val = markTable(v, b.table)
}

// prepare finds the units of the tenant and their order.
func (w *walk) prepare() {
	byUnit := map[unit]*walkUnit{}
	rank := map[string]int{}
	for i, t := range w.f.graph.registry.Types() {
		rank[t.Name] = i
	}
	for _, u := range w.fe.units[tenantKey(w.req.Tenant)] {
		if u.b.typ == nil {
			continue
		}
		wu := &walkUnit{unit: u, rank: rank[u.b.typeName], refs: map[*walkUnit]bool{}}
		byUnit[u] = wu
		w.units = append(w.units, wu)
	}
	for _, wu := range w.units {
		for d := range w.fe.depsOf(wu.unit) {
			if other := byUnit[unit{d.sc, d.b}]; other != nil && other != wu {
				wu.refs[other] = true
			}
		}
	}
	w.order()
	// A type's After precedes it where no reference says otherwise. Edges that agree with the order cannot make a cycle.
	closure := w.f.graph.afterClosure()
	for _, wu := range w.units {
		for _, other := range w.units {
			if other.position < wu.position && (wu.refs[other] || closure[wu.b.typeName][other.b.typeName]) {
				other.after = append(other.after, wu)
				wu.before++
			}
		}
	}
}

// order sorts the units: references first, then the order of types, then the source.
func (w *walk) order() {
	pending := map[*walkUnit]int{}
	users := map[*walkUnit][]*walkUnit{}
	for i, wu := range w.units {
		wu.position = i
		pending[wu] = len(wu.refs)
		for other := range wu.refs {
			users[other] = append(users[other], wu)
		}
	}
	var ready, ordered []*walkUnit
	for _, wu := range w.units {
		if pending[wu] == 0 {
			ready = append(ready, wu)
		}
	}
	for len(ready) > 0 {
		best := 0
		for i, wu := range ready {
			if b := ready[best]; wu.rank < b.rank || wu.rank == b.rank && wu.position < b.position {
				best = i
			}
		}
		wu := ready[best]
		ready = slices.Delete(ready, best, best+1)
		ordered = append(ordered, wu)
		for _, user := range users[wu] {
			if pending[user]--; pending[user] == 0 {
				ready = append(ready, user)
			}
		}
	}
	if len(ordered) < len(w.units) {
		// Validation finds cycles; this is the net below it.
		for _, wu := range w.units {
			if pending[wu] > 0 {
				addr := wu.sc.address(wu.b, resource.NoKey)
				w.out.Unknown[addr.Block()] = "it is part of a cycle"
				w.lost[addr.String()] = addr.String()
				w.ev.report(hcl.Diagnostics{cycleDiagnostic([]string{addr.String(), "…", addr.String()}, wu.b.rng)})
			}
		}
	}
	w.units = ordered
	for i, wu := range ordered {
		wu.position = i
	}
}

// afterClosure says for each type which types precede it, directly or not.
func (g *Graph) afterClosure() map[string]map[string]bool {
	out := map[string]map[string]bool{}
	var add func(into map[string]bool, t *resource.Type)
	add = func(into map[string]bool, t *resource.Type) {
		for _, name := range t.After {
			if !into[name] {
				into[name] = true
				if before := g.registry.Type(name); before != nil {
					add(into, before)
				}
			}
		}
	}
	for _, t := range g.registry.Types() {
		out[t.Name] = map[string]bool{}
		add(out[t.Name], t)
		delete(out[t.Name], t.Name)
	}
	return out
}

// depsOf are the blocks that a unit refers to, found once in the frame. Safe for concurrent use.
func (f *frameEval) depsOf(u unit) deps {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d, ok := f.unitDeps[u]; ok {
		return d
	}
	ev := f.ev
	outer := ev.diags
	res := &result{}
	exp := ev.get(nodeKey{sc: u.sc, kind: nodeBlock, name: u.b.key})
	res.merge(&exp.result)
	for sc := u.sc; sc.parent != nil; sc = sc.parent {
		if sc.pattern {
			n := ev.get(nodeKey{sc: sc.parent, kind: nodeCall, name: sc.call.name})
			res.merge(&n.result)
		}
	}
	x := &extra{inner: u.b, roots: map[string]cty.Value{"each": cty.DynamicVal, "count": cty.DynamicVal, "self": cty.DynamicVal}}
	collect := func(refs []*ref) {
		_, got := ev.context(u.sc, refs, x)
		res.merge(&got)
	}
	if refs, diags := ev.g.refs.ofBody(u.b.body, u.b.table, nil); !diags.HasErrors() {
		collect(refs)
	}
	if more := ev.dependsOn(u.sc, u.b.dependsOn); more != nil {
		res.merge(more)
	}
	for sc := u.sc; sc.parent != nil; sc = sc.parent {
		if more := ev.dependsOn(sc.parent, sc.call.dependsOn); more != nil {
			res.merge(more)
		}
	}
	if l := u.b.lifecycle; l != nil {
		res.merge(ev.lifecycleDeps(u.sc, u.b, x))
		for _, c := range append(slices.Clone(l.pre), l.post...) {
			for _, expr := range []hcl.Expression{c.condition, c.message} {
				if refs, diags := ev.g.refs.of(expr); !diags.HasErrors() {
					collect(refs)
				}
			}
		}
	}
	ev.diags = outer
	f.unitDeps[u] = res.deps
	return res.deps
}

// finished is what a visit came back with.
type finished struct {
	unit  *walkUnit
	addr  string
	value cty.Value
	diags hcl.Diagnostics
	panic any
}

// run visits the units. One goroutine decides and evaluates; visits run beside it.
func (w *walk) run() {
	limit := max(1, w.req.Parallel)
	results := make(chan finished, limit)
	running := 0
	var ready []*walkUnit
	insert := func(wu *walkUnit) {
		at := sort.Search(len(ready), func(i int) bool { return ready[i].position > wu.position })
		ready = slices.Insert(ready, at, wu)
	}
	done := func(wu *walkUnit) {
		for _, next := range wu.after {
			if next.before--; next.before == 0 {
				insert(next)
			}
		}
	}
	for _, wu := range w.units {
		if wu.before == 0 {
			insert(wu)
		}
	}
	for {
		for running < limit && len(ready) > 0 && w.ctx.Err() == nil {
			wu := ready[0]
			if !wu.expanded {
				wu.expanded = true
				w.expand(wu)
			}
			if len(wu.tasks) == 0 {
				ready = ready[1:]
				if wu.open == 0 {
					done(wu)
				}
				continue
			}
			t := wu.tasks[0]
			wu.tasks = wu.tasks[1:]
			inst := w.instance(wu, t)
			if inst == nil {
				continue
			}
			wu.open++
			running++
			addr := inst.Address.String()
			w.out.Visited = append(w.out.Visited, addr)
			go func() {
				r := finished{unit: wu, addr: addr}
				// A panic is raised again on the caller's goroutine, where it can be caught for this tenant alone.
				defer func() {
					if p := recover(); p != nil {
						r.panic = fmt.Sprintf("visiting %s: %v\n%s", addr, p, debug.Stack())
					}
					results <- r
				}()
				r.value, r.diags = w.visit(inst)
			}()
		}
		if running == 0 {
			w.interrupted()
			return
		}
		r := <-results
		if r.panic != nil {
			panic(r.panic)
		}
		running--
		r.unit.open--
		w.mu.Lock()
		w.ev.report(r.diags)
		if r.diags.HasErrors() {
			w.lost[r.addr] = r.addr
		} else {
			w.ev.values[r.addr] = r.value
		}
		w.mu.Unlock()
		if r.unit.open == 0 && len(r.unit.tasks) == 0 && !slices.Contains(ready, r.unit) {
			done(r.unit)
		}
	}
}

// interrupted records what was not come to, so that nobody takes it for absent.
func (w *walk) interrupted() {
	if w.ctx.Err() == nil {
		return
	}
	for _, wu := range w.units {
		if wu.expanded && len(wu.tasks) == 0 {
			continue
		}
		w.out.Unknown[wu.sc.address(wu.b, resource.NoKey).Block()] = "the evaluation was stopped before it came to this block"
	}
}

func (w *walk) visit(inst *Instance) (cty.Value, hcl.Diagnostics) {
	if w.req.Visit == nil {
		return inst.Config, nil
	}
	v, diags := w.req.Visit(w.ctx, inst)
	if v == cty.NilVal {
		v = cty.UnknownVal(inst.Type.Object())
	}
	return v, diags
}

// expand finds the instances of a unit.
func (w *walk) expand(wu *walkUnit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := wu.b
	if n := w.ev.undetermined(wu.sc); n != nil {
		w.unknown(wu.sc, b, n, "module."+wu.sc.call.name)
	}
	for _, sc := range w.ev.concrete(wu.sc) {
		exp := w.ev.get(nodeKey{sc: sc, kind: nodeBlock, name: b.key})
		if exp.failed || exp.exp.unknown {
			w.unknown(sc, b, exp, b.key)
			continue
		}
		if lost := w.lostBy(exp.deps, true); lost != "" && !exp.exp.single {
			w.unknown(sc, b, exp, b.key)
			continue
		}
		for _, key := range exp.exp.keys {
			t, ok := w.fe.home(sc, b, key)
			switch {
			case !ok:
				// Not knowing whose it is must not look like its absence.
				addr := sc.address(b, key)
				w.out.Unknown[addr.Block()] = "the tenant of " + addr.String() + " could not be determined"
				w.lost[addr.String()] = addr.String()
			case t == w.req.Tenant:
				wu.tasks = append(wu.tasks, task{sc, key, exp})
			}
		}
	}
}

// unknown records that the instances of a block cannot be determined.
func (w *walk) unknown(sc *scope, b *block, n *node, what string) {
	addr := sc.address(b, resource.NoKey)
	reason := ""
	switch {
	case n.failed:
		reason = fmt.Sprintf("the for_each or count of %s could not be evaluated", what)
	default:
		because := w.ev.why(&n.result)
		reason = fmt.Sprintf("which instances of %s there are depends on %s", what, because)
		read := false
		for failed := range w.ev.failures {
			read = read || strings.HasPrefix(because, failed)
		}
		if !read {
			w.ev.report(hcl.Diagnostics{{
				Severity: hcl.DiagWarning, Summary: "Instances not known yet",
				Detail:  fmt.Sprintf("Which instances of %s there are depends on %s, whose value is not known yet. They are left as they are in this run; the next one plans them.", what, because),
				Subject: b.rng.Ptr(),
			}})
		}
	}
	w.out.Unknown[addr.Block()] = reason
	w.lost[addr.String()] = addr.String()
}

// lostBy returns the address of something in deps without a usable value; "" when all are fine. Failed data counts.
func (w *walk) lostBy(d deps, data bool) string {
	found := ""
	note := func(s string) {
		if found == "" || s < found {
			found = s
		}
	}
	for dep := range d {
		addr := dep.String()
		if dep.b.data != nil {
			for failed := range w.ev.failures {
				if data && (failed == addr || dep.all && strings.HasPrefix(failed, addr+"[")) {
					note(failed)
				}
			}
			continue
		}
		if _, lost := w.lost[addr]; lost {
			note(addr)
		}
		if block := dep.sc.blockAddress(dep.b); block != addr {
			if _, lost := w.lost[block]; lost {
				note(block)
			}
		} else if dep.all {
			for _, a := range sortedKeys(w.lost) {
				if strings.HasPrefix(a, addr+"[") {
					note(a)
				}
			}
		}
	}
	return found
}

// instance evaluates one instance; nil when it cannot be visited.
func (w *walk) instance(wu *walkUnit, t task) *Instance {
	w.mu.Lock()
	defer w.mu.Unlock()
	ev, b := w.ev, wu.b
	address := t.sc.address(b, t.key)
	addr := address.String()
	x := w.instanceExtra(b, t)
	outer := ev.diags
	ev.diags = nil
	config, ranges, res := ev.decode(t.sc, b.body, b.table, nil, x)
	all := &result{}
	all.merge(&res)
	all.merge(&result{deps: t.node.deps})
	if more := ev.dependsOn(t.sc, b.dependsOn); more != nil {
		all.merge(more)
	}
	for sc := t.sc; sc.parent != nil; sc = sc.parent {
		if more := ev.dependsOn(sc.parent, sc.call.dependsOn); more != nil {
			all.merge(more)
		}
	}
	life := Lifecycle{}
	if b.lifecycle != nil {
		all.merge(ev.lifecycleDeps(t.sc, b, x))
		life = w.lifecycle(b, t)
	}
	if lost := w.lostBy(all.deps, true); lost != "" {
		ev.diags = outer // what follows from a failure is no finding of its own
		w.out.Skipped[addr] = lost
		w.lost[addr] = lost
		return nil
	}
	more := ev.diags
	ev.diags = append(outer, more...)
	if res.failed || all.failed {
		w.out.Skipped[addr] = addr
		w.lost[addr] = addr
		return nil
	}
	if b.isTenant() {
		config = w.fold(config, addr)
	}
	w.visited[t.sc.blockAddress(b)] = append(w.visited[t.sc.blockAddress(b)], addr)
	return &Instance{
		Address: address, Type: b.typ, Config: config, Ranges: ranges,
		Dependencies: w.dependencies(all.deps), Lifecycle: life, Import: w.fe.imports[addr],
	}
}

// fold gives a tenant's configuration the spelling that its identity has.
func (w *walk) fold(config cty.Value, addr string) cty.Value {
	t := w.fe.byAddress[addr]
	if t == nil {
		return config
	}
	attrs := config.AsValueMap()
	for name, s := range map[string]string{"primary_domain": t.PrimaryDomain, "parent": t.Parent, "entra_tenant_id": t.EntraTenantID} {
		if v, ok := attrs[name]; ok && v.Type() == cty.String && s != "" {
			attrs[name] = cty.StringVal(s).WithSameMarks(v)
		}
	}
	return cty.ObjectVal(attrs)
}

// instanceExtra is what an instance sees, each.value as the plan knows it.
func (w *walk) instanceExtra(b *block, t task) *extra {
	if !b.repeated() {
		return &extra{inner: b}
	}
	x := instanceExtra(t.node, t.key, b.count != nil, false)
	x.inner = b
	return x
}

// dependencies turns deps into the addresses of visited and known instances.
func (w *walk) dependencies(d deps) []string {
	set := map[string]bool{}
	for dep := range d {
		if dep.b.data != nil {
			continue
		}
		if dep.all {
			for _, a := range w.visited[dep.sc.blockAddress(dep.b)] {
				set[a] = true
			}
			if dep.sc.pattern {
				for _, sc := range w.ev.concrete(dep.sc) {
					for _, a := range w.visited[sc.blockAddress(dep.b)] {
						set[a] = true
					}
				}
			}
			continue
		}
		addr := dep.String()
		if _, here := w.ev.values[addr]; here {
			set[addr] = true
		} else if _, known := w.ev.known[addr]; known {
			set[addr] = true
		}
	}
	return sortedKeys(set)
}

// lifecycle evaluates a lifecycle block for one instance.
func (w *walk) lifecycle(b *block, t task) Lifecycle {
	l := b.lifecycle
	out := Lifecycle{
		PreventDestroy: l.preventDestroy, IgnoreChanges: slices.Clone(l.ignore),
		CreateBeforeDestroy: l.createFirst, ReplaceTriggeredBy: b.triggers(t.sc),
	}
	if len(l.pre)+len(l.post) == 0 {
		return out
	}
	out.Check = func(before bool, self cty.Value) hcl.Diagnostics {
		w.mu.Lock()
		defer w.mu.Unlock()
		ev := w.ev
		outer := ev.diags
		ev.diags = nil
		x := w.instanceExtra(b, t)
		roots := maps.Clone(x.roots)
		if roots == nil {
			roots = map[string]cty.Value{}
		}
		roots["self"] = markTable(self, b.table)
		x.roots = roots
		conditions, summary := l.post, "Postcondition failed"
		if before {
			conditions, summary = l.pre, "Precondition failed"
		}
		for _, c := range conditions {
			ev.condition(t.sc, c, x, summary, t.sc.address(b, t.key).String(), hcl.DiagError)
		}
		got := ev.diags
		ev.diags = outer
		return got
	}
	return out
}

// checks evaluates the check blocks of the tenant's modules, or of those that belong to none, as warnings.
func (w *walk) checks() {
	w.mu.Lock()
	defer w.mu.Unlock()
	ev := w.ev
	for _, sc := range w.fe.checked[tenantKey(w.req.Tenant)] {
		for _, c := range sc.mod.checks {
			for _, cond := range c.conditions {
				ev.condition(sc, cond, nil, "Check failed", nodeKey{sc: sc, kind: nodeOutput}.module()+"check."+c.name, hcl.DiagWarning)
			}
		}
	}
}

// module is the address prefix of a node's module instance.
func (k nodeKey) module() string {
	var b strings.Builder
	for _, s := range k.sc.path {
		b.WriteString("module." + s.Name + s.Key.String() + ".")
	}
	return b.String()
}

// outputs evaluates the root outputs. They alone see the values of every tenant.
func (w *walk) outputs() {
	reads, ev := w.ev.reads, w.ev
	if !w.req.OutputsOnly {
		// The objects visited in this walk are known; what belongs to tenants is not, but may be named.
		fresh := w.f.newWalk(w.ctx, EvalRequest{Data: w.req.Data, Known: w.req.Known, OutputsOnly: true})
		ev = fresh.ev
		ev.reads.memo, ev.reads.failures = reads.memo, reads.failures
		maps.Copy(ev.values, w.ev.values)
	}
	for _, name := range sortedKeys(w.f.graph.root.outputs) {
		o := w.f.graph.root.outputs[name]
		n := ev.get(nodeKey{sc: w.fe.root, kind: nodeOutput, name: name})
		if n.failed {
			continue
		}
		if more := ev.dependsOn(w.fe.root, o.dependsOn); more != nil && w.lostBy(more.deps, false) != "" {
			continue
		}
		if !ev.checkOutput(o, n.val) {
			continue
		}
		v, marks := n.val.UnmarkDeep()
		_, sensitive := marks[SensitiveMark]
		w.out.Outputs[name] = Output{Value: v, Sensitive: sensitive || o.sensitive, Description: o.description}
	}
	if ev != w.ev {
		w.ev.report(ev.diags)
		maps.Copy(w.ev.files, ev.files)
	}
}

// checkOutput reports what a root output may not hold.
func (ev *evaluator) checkOutput(o *output, v cty.Value) bool {
	bad := func(summary, detail string) bool {
		ev.report(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: o.expr.Range().Ptr()}})
		return false
	}
	switch {
	case v.HasMarkDeep(EphemeralMark):
		return bad("Secret in an output", fmt.Sprintf("output.%s is kept in state, so no secret reference or ephemeral value may flow into it.", o.name))
	case v.HasMarkDeep(SensitiveMark) && !o.sensitive:
		return bad("Output shows a sensitive value", fmt.Sprintf("output.%s holds a sensitive value. Say sensitive = true if it is meant to, or nonsensitive(…) if the value is harmless.", o.name))
	case holdsCapsule(v.Type()):
		return bad("Invalid output", fmt.Sprintf("output.%s is %s, which is no plain value. Output one of its attributes.", o.name, typeName(v.Type())))
	}
	return true
}

// Eval evaluates one expression over what the frame knows: variables, locals, tenants, functions, and module outputs as
// far as they are known. Data and instances are unknown. Safe for concurrent use.
func (f *Frame) Eval(expr string) (cty.Value, hcl.Diagnostics) {
	parsed, diags := parseExpression([]byte(expr), "<expression>")
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	return f.evalExpr(parsed)
}

func (f *Frame) evalExpr(expr hclsyntax.Expression) (cty.Value, hcl.Diagnostics) {
	fe := f.eval.(*frameEval)
	fe.mu.Lock()
	defer fe.mu.Unlock()
	ev := fe.ev
	ev.diags = nil
	// Each question has a budget of its own, whatever was asked before.
	saved := ev.meters[fe.root]
	ev.meters[fe.root] = &meter{}
	refs, diags := references(expr)
	var res result
	if !diags.HasErrors() {
		var ctx *hcl.EvalContext
		ctx, res = ev.context(fe.root, refs, nil)
		if res.failed {
			res.val = cty.DynamicVal
		} else {
			var more hcl.Diagnostics
			res.val, more = ev.value(fe.root, expr, ctx)
			ev.report(more)
			if err := ev.meters[fe.root].charge(res.val); err != nil {
				ev.report(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: overBudget, Detail: err.Error(), Subject: expr.Range().Ptr()}})
				res.val = cty.DynamicVal
			}
		}
	}
	ev.meters[fe.root] = saved
	diags = append(diags, ev.diags...)
	ev.diags = nil
	return res.val, diags
}
