package config

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// frameEval is what a Frame remembers for the evaluations that stand on it.
type frameEval struct {
	mu   sync.RWMutex
	ev   *evaluator
	root *scope

	byKey     map[string]*Tenant
	byAddress map[string]*Tenant
	byDomain  map[string]*Tenant // by stack and primary domain
	providers map[providerRef]*Provider
	homes     map[unit]*homes
	foreign   map[nodeKey]*node
	// units are the blocks of each tenant by key, "" for those of no tenant, in source order.
	units map[string][]unit
	// checked are the module instances with check blocks, by the tenant to which they belong.
	checked  map[string][]*scope
	unitDeps map[unit]deps
	removed  []Removed
	moved    []Moved
	imports  map[string]string
}

// unit is one block in one module instance (or in the pattern of several).
type unit struct {
	sc *scope
	b  *block
}

// homes says to which tenants the instances of a unit belong; nil for none.
type homes struct {
	all    *Tenant
	perKey map[resource.Key]*Tenant
	failed bool
}

func newEvaluator(g *Graph, f *frameEval, s stage) *evaluator {
	return &evaluator{
		g: g, frame: f, stage: s, ctx: context.Background(),
		memo: map[nodeKey]*node{}, meters: map[*scope]*meter{}, reported: map[*node]bool{},
		files: map[string][]byte{}, failures: map[string]string{},
	}
}

// Frame evaluates settings, providers, variables and the identity of every tenant. Everything in it is known; what is
// not is an error that names the reason. It validates the whole configuration first.
func (g *Graph) Frame(in Inputs) (*Frame, hcl.Diagnostics) {
	if diags := g.Validate(); diags.HasErrors() {
		return nil, diags
	}
	diags := slices.Clone(g.warnings())
	fe := newFrameEval(g, in, false)
	ev := fe.ev
	f := &Frame{graph: g, inputs: in, eval: fe, Variables: map[string]cty.Value{}, Sensitive: map[string]bool{}}
	ev.report(ev.chooseInputs())

	for _, name := range sortedKeys(g.root.variables) {
		ev.get(nodeKey{sc: fe.root, kind: nodeVariable, name: name})
	}
	if ev.diags.HasErrors() {
		return nil, append(diags, ev.diags...)
	}
	f.Settings = ev.settings()
	f.Safeguard = ev.safeguard()
	for _, key := range sortedKeys(g.root.providers) {
		if in.Unconnected {
			break
		}
		if p, ok := ev.provider(g.root.providers[key]); ok {
			f.Providers = append(f.Providers, p)
			fe.providers[providerRef{p.Type, p.Name}] = p
		}
	}
	if ev.diags.HasErrors() {
		return nil, append(diags, ev.diags...)
	}
	fe.collectTenants(fe.root)
	if !ev.diags.HasErrors() {
		fe.place(fe.root)
		fe.readImports(false)
		fe.readRenames()
	}
	if ev.diags.HasErrors() {
		return nil, append(diags, ev.diags...)
	}
	for _, key := range sortedKeys(fe.byKey) {
		f.Tenants = append(f.Tenants, fe.byKey[key])
	}
	private := g.providerVariables()
	for name, v := range g.root.variables {
		n := fe.ev.memo[nodeKey{sc: fe.root, kind: nodeVariable, name: name}]
		if v.ephemeral || private[name] || n.val.HasMarkDeep(EphemeralMark) {
			continue
		}
		f.Variables[name] = n.val
		if n.val.HasMarkDeep(SensitiveMark) {
			f.Sensitive[name] = true
		}
	}
	f.Secrets, f.Moved = ev.secrets.refs(), fe.moved
	f.Files = maps.Clone(ev.files)
	diags = append(diags, ev.diags...)
	ev.diags = nil
	return f, diags
}

func newFrameEval(g *Graph, in Inputs, validate bool) *frameEval {
	fe := &frameEval{
		root: &scope{mod: g.root}, byKey: map[string]*Tenant{}, byAddress: map[string]*Tenant{}, byDomain: map[string]*Tenant{},
		providers: map[providerRef]*Provider{}, homes: map[unit]*homes{}, foreign: map[nodeKey]*node{}, units: map[string][]unit{},
		checked: map[string][]*scope{}, unitDeps: map[unit]deps{},
	}
	ev := newEvaluator(g, fe, stageFrame)
	ev.validate = validate
	ev.in = in
	ev.vars = map[string]*VarInput{}
	ev.secrets = newSecretNames(g, in.Env)
	ev.fns, ev.bodyFns = ev.functions(false), ev.functions(true)
	fe.ev = ev
	return fe
}

// chooseInputs picks the last value given for each root variable and reports names that nobody declared.
func (ev *evaluator) chooseInputs() hcl.Diagnostics {
	var diags hcl.Diagnostics
	declared := sortedKeys(ev.g.root.variables)
	for i := range ev.in.Vars {
		given := &ev.in.Vars[i]
		if ev.g.root.variables[given.Name] != nil {
			ev.vars[given.Name] = given
			continue
		}
		if strings.HasPrefix(given.Source, "WEIR_VAR_") {
			continue // the environment may serve several configurations
		}
		d := &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Undeclared variable",
			Detail: fmt.Sprintf("%s gives a value to %q, but the root module declares no such variable.%s", given.Source, given.Name, meant("", given.Name, declared)),
		}
		if given.FromFile {
			d.Subject = given.Range.Ptr()
		}
		diags = append(diags, d)
	}
	return diags
}

// node returns a node of the frame to an evaluation that stands on it. Safe for concurrent use.
func (f *frameEval) node(k nodeKey) *node {
	f.mu.RLock()
	n := f.ev.memo[k]
	f.mu.RUnlock()
	if n != nil {
		return n
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n = f.ev.own(k)
	f.ev.diags = nil // the asking evaluation reports n.diags
	return n
}

// foreignOutput is a module output as the frame has it, what is unknown marked as another tenant's.
func (f *frameEval) foreignOutput(k nodeKey) *node {
	base := f.node(k)
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.foreign[k]; n != nil {
		return n
	}
	n := &node{key: k, result: result{val: base.val, failed: base.failed}}
	if !base.val.IsWhollyKnown() {
		mark := foreignMark{tenant: strings.Join(sortedKeys(k.sc.tenants), ", "), address: k.String()}
		n.val, _ = cty.Transform(base.val, func(_ cty.Path, v cty.Value) (cty.Value, error) {
			if !v.IsKnown() {
				return v.Mark(mark), nil
			}
			return v, nil
		})
	}
	f.foreign[k] = n
	return n
}

// home is the tenant to which one instance belongs; nil for none. ok is false after an error, which has been reported
// when the frame was made. Safe for concurrent use.
func (f *frameEval) home(sc *scope, b *block, key resource.Key) (t *Tenant, ok bool) {
	u := unit{sc, b}
	f.mu.RLock()
	h := f.homes[u]
	f.mu.RUnlock()
	if h == nil {
		h = f.lateHomes(u)
	}
	if h.failed {
		return nil, false
	}
	if h.perKey != nil {
		t, ok := h.perKey[key]
		return t, ok
	}
	return h.all, true
}

func (f *frameEval) lateHomes(u unit) *homes {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.homesOf(u)
	f.ev.diags = nil
	return h
}

func (f *frameEval) homesOf(u unit) *homes {
	if h := f.homes[u]; h != nil {
		return h
	}
	h := f.findHomes(u)
	f.homes[u] = h
	return h
}

func (f *frameEval) findHomes(u unit) *homes {
	sc, b, ev := u.sc, u.b, f.ev
	if b.isTenant() {
		exp := ev.get(nodeKey{sc: sc, kind: nodeBlock, name: b.key})
		h := &homes{perKey: map[resource.Key]*Tenant{}, failed: exp.failed}
		for _, key := range exp.exp.keys {
			h.perKey[key] = f.byAddress[sc.address(b, key).String()]
		}
		return h
	}
	if b.tenant == nil {
		t, why := f.only(sc)
		if t == nil && (why != "" || b.needsTenant()) {
			if why == "" {
				why = "The module has no tenant of its own."
			}
			ev.report(hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "Tenant missing",
				Detail:  fmt.Sprintf("%s does not say to which tenant it belongs. %s Write tenant = tenant.NAME.", b.key, why),
				Subject: b.rng.Ptr(),
			}})
			return &homes{failed: true}
		}
		return &homes{all: t}
	}
	refs, diags := ev.g.refs.of(b.tenant)
	if diags.HasErrors() {
		ev.report(diags)
		return &homes{failed: true}
	}
	each := false
	for _, r := range refs {
		each = each || r.kind == refEach || r.kind == refCount
	}
	if !each || !b.repeated() {
		t, ok := f.tenantFrom(ev.eval(sc, b.tenant, nil), b)
		return &homes{all: t, failed: !ok}
	}
	exp := ev.get(nodeKey{sc: sc, kind: nodeBlock, name: b.key})
	if exp.failed || exp.exp.unknown {
		if !exp.failed {
			ev.report(hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "Tenant not known",
				Detail:  fmt.Sprintf("The tenant of %s depends on its for_each, which is known only after %s. Give the block one tenant, or loop over something that is known from the start.", b.key, ev.why(&exp.result)),
				Subject: b.tenant.Range().Ptr(),
			}})
		}
		return &homes{failed: true}
	}
	h := &homes{perKey: map[resource.Key]*Tenant{}}
	for _, key := range exp.exp.keys {
		t, ok := f.tenantFrom(ev.eval(sc, b.tenant, instanceExtra(exp, key, b.count != nil, false)), b)
		if !ok {
			return &homes{failed: true}
		}
		h.perKey[key] = t
	}
	return h
}

// needsTenant reports whether a block makes no sense outside a tenant: its type speaks with a vendor.
func (b *block) needsTenant() bool {
	kind := ""
	if b.typ != nil {
		kind = b.typ.Provider
	} else if b.data != nil {
		kind = b.data.Provider
	}
	_, vendor := ProviderTables[kind]
	return vendor
}

// tenantFrom reads the tenant out of a block's tenant argument.
func (f *frameEval) tenantFrom(res result, b *block) (*Tenant, bool) {
	if res.failed {
		return nil, false
	}
	bad := func(detail string) (*Tenant, bool) {
		f.ev.report(hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Invalid tenant", Detail: fmt.Sprintf("%s: %s", b.key, detail), Subject: b.tenant.Range().Ptr(),
		}})
		return nil, false
	}
	v, _ := res.val.Unmark()
	switch {
	case !v.IsKnown() || v.Type() == cty.DynamicPseudoType && !v.IsNull():
		return bad(fmt.Sprintf("the tenant must be known before anything is read, but it depends on %s.", f.ev.why(&res)))
	case v.IsNull():
		return bad("the tenant is null.")
	case !v.Type().Equals(f.ev.g.types.tenant):
		return bad(fmt.Sprintf("expected a tenant, such as tenant.contoso, but this is %s.", typeName(v.Type())))
	}
	key, _ := v.GetAttr("key").Unmark()
	if !key.IsKnown() || key.IsNull() {
		return bad("the tenant's key is not known.")
	}
	t := f.byKey[key.AsString()]
	if t == nil {
		return bad(fmt.Sprintf("there is no tenant with the key %q.", key.AsString()))
	}
	return t, true
}

// only is the tenant to which blocks without a tenant belong: the module's only tenant, its only variable of type
// tenant, or what the calling module has. why says why there is none when the module has several.
func (f *frameEval) only(sc *scope) (t *Tenant, why string) {
	for ; sc != nil; sc = sc.parent {
		var blocks []*block
		for _, b := range sc.mod.order {
			if b.isTenant() {
				blocks = append(blocks, b)
			}
		}
		switch {
		case len(blocks) > 1:
			return nil, fmt.Sprintf("The module has %d tenant blocks.", len(blocks))
		case len(blocks) == 1:
			exp := f.ev.get(nodeKey{sc: sc, kind: nodeBlock, name: blocks[0].key})
			if exp.failed || exp.exp.unknown || len(exp.exp.keys) != 1 {
				return nil, fmt.Sprintf("The module's tenant block has %d instances.", len(exp.exp.keys))
			}
			return f.byAddress[sc.address(blocks[0], exp.exp.keys[0]).String()], ""
		}
		var vars []string
		for name, v := range sc.mod.variables {
			if v.isTenant(&f.ev.g.types) {
				vars = append(vars, name)
			}
		}
		if len(vars) > 1 {
			return nil, fmt.Sprintf("The module has %d variables of type tenant.", len(vars))
		}
		if len(vars) == 1 {
			n := f.ev.get(nodeKey{sc: sc, kind: nodeVariable, name: vars[0]})
			v, _ := n.val.Unmark()
			if n.failed || !v.IsKnown() || v.IsNull() {
				return nil, fmt.Sprintf("var.%s is not known.", vars[0])
			}
			key, _ := v.GetAttr("key").Unmark()
			if !key.IsKnown() || key.IsNull() {
				return nil, fmt.Sprintf("var.%s is not known.", vars[0])
			}
			return f.byKey[key.AsString()], ""
		}
	}
	return nil, ""
}

// hasTenants reports whether a module or one below it declares tenants.
func (m *module) hasTenants() bool {
	for _, b := range m.order {
		if b.isTenant() {
			return true
		}
	}
	for _, c := range m.calls {
		if c.module != nil && c.module.hasTenants() {
			return true
		}
	}
	return false
}

// collectTenants evaluates the tenants of a module instance and of those below it, and all variables on the way.
func (f *frameEval) collectTenants(sc *scope) {
	ev := f.ev
	for _, name := range sortedKeys(sc.mod.variables) {
		ev.get(nodeKey{sc: sc, kind: nodeVariable, name: name})
	}
	for _, b := range sc.mod.order {
		if !b.isTenant() {
			continue
		}
		exp := ev.get(nodeKey{sc: sc, kind: nodeBlock, name: b.key})
		if exp.failed {
			continue
		}
		if exp.exp.unknown || sc.pattern {
			ev.report(hcl.Diagnostics{f.notKnown(b.key, "which tenants there are", &exp.result, b.rng)})
			continue
		}
		for _, key := range exp.exp.keys {
			ev.get(nodeKey{sc: sc, kind: nodeTenant, name: b.key, key: key})
		}
	}
	for _, name := range sortedKeys(sc.mod.calls) {
		c := sc.mod.calls[name]
		exp := ev.get(nodeKey{sc: sc, kind: nodeCall, name: name})
		if exp.failed {
			continue
		}
		if exp.exp.unknown && c.module.hasTenants() {
			ev.report(hcl.Diagnostics{f.notKnown("module."+name, "which tenants there are", &exp.result, c.rng)})
			continue
		}
		for _, child := range ev.children(sc, c, exp) {
			f.collectTenants(child)
		}
	}
}

func (f *frameEval) notKnown(what, about string, res *result, at hcl.Range) *hcl.Diagnostic {
	because := f.ev.why(res)
	if because == "" {
		because = "a value that is not known"
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Not known in time",
		Detail:  fmt.Sprintf("%s: %s must be known before anything is read, but it depends on %s. Use variables, locals, files and functions here.", what, about, because),
		Subject: at.Ptr(),
	}
}

// place files every block of a module instance, and of those below it, under its tenants.
func (f *frameEval) place(sc *scope) map[string]bool {
	below := map[string]bool{}
	for _, b := range sc.mod.order {
		u := unit{sc, b}
		h := f.homesOf(u)
		if h.failed {
			continue
		}
		keys := map[string]bool{}
		if h.perKey != nil {
			for _, t := range h.perKey {
				keys[tenantKey(t)] = true
			}
		} else {
			keys[tenantKey(h.all)] = true
		}
		for _, key := range sortedKeys(keys) {
			f.units[key] = append(f.units[key], u)
			if key != "" {
				below[key] = true
			}
		}
	}
	if len(sc.mod.checks) > 0 {
		t, _ := f.only(sc)
		f.checked[tenantKey(t)] = append(f.checked[tenantKey(t)], sc)
	}
	for _, name := range sortedKeys(sc.mod.calls) {
		c := sc.mod.calls[name]
		exp := f.ev.get(nodeKey{sc: sc, kind: nodeCall, name: name})
		if exp.failed {
			continue
		}
		for _, child := range f.ev.children(sc, c, exp) {
			maps.Copy(below, f.place(child))
		}
	}
	sc.tenants = below
	return below
}

func tenantKey(t *Tenant) string {
	if t == nil {
		return ""
	}
	return t.Key
}

// settings evaluates the weir block.
func (ev *evaluator) settings() Settings {
	s := Settings{Adopt: "allow"}
	bl := ev.g.root.settings
	if bl == nil {
		return s
	}
	s.Range = bl.DefRange
	content, diags := bl.Body.Content(&hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "required_version"}, {Name: "vendor_data"}, {Name: "adopt"}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "state"}},
	})
	ev.report(diags)
	s.RequiredVersion = ev.text(content.Attributes["required_version"])
	s.VendorData = ev.text(content.Attributes["vendor_data"])
	if s.VendorData != "" && !isDate(s.VendorData) {
		ev.report(hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Invalid value", Detail: fmt.Sprintf("vendor_data is a date, such as \"2026-11-01\"; %q is none.", s.VendorData),
			Subject: content.Attributes["vendor_data"].Expr.Range().Ptr(),
		}})
	}
	if a := content.Attributes["adopt"]; a != nil {
		s.Adopt = ev.text(a)
		if s.Adopt != "allow" && s.Adopt != "refuse" && !ev.validate {
			ev.report(hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "Invalid value", Detail: fmt.Sprintf(`adopt is "allow" or "refuse", not %q.`, s.Adopt), Subject: a.Expr.Range().Ptr(),
			}})
		}
	}
	for i, st := range content.Blocks {
		if i > 0 {
			ev.report(hcl.Diagnostics{duplicate("state", content.Blocks[0].DefRange, st.DefRange)})
			break
		}
		ev.stateSettings(st, &s)
	}
	return s
}

func (ev *evaluator) stateSettings(st *hcl.Block, s *Settings) {
	content, diags := st.Body.Content(&hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "url"}, {Name: "plaintext"}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "encryption"}},
	})
	ev.report(diags)
	s.StateURL = ev.text(content.Attributes["url"])
	if a := content.Attributes["plaintext"]; a != nil {
		if v, _ := ev.setting(a, cty.Bool); v.IsKnown() && !v.IsNull() {
			s.Plaintext = v.True()
		}
	}
	for i, enc := range content.Blocks {
		if i > 0 {
			ev.report(hcl.Diagnostics{duplicate("encryption", content.Blocks[0].DefRange, enc.DefRange)})
			break
		}
		s.Encryption = ev.encryption(enc)
		if s.Plaintext {
			ev.report(hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "Invalid encryption",
				Detail:  "plaintext = true says that state is not encrypted, and the encryption block says how it is. Take one of them out.",
				Subject: content.Attributes["plaintext"].Expr.Range().Ptr(), Context: st.DefRange.Ptr(),
			}})
		}
	}
}

// Settings evaluates the weir block alone, with what is known of the variables. It is what a saved plan is opened with:
// the plan carries variables, but not before it is open.
func (g *Graph) Settings(in Inputs) (Settings, hcl.Diagnostics) {
	ev := newFrameEval(g, in, false).ev
	ev.report(ev.chooseInputs())
	s := ev.settings()
	return s, ev.diags
}

// setting evaluates one argument of the weir block. After an error, which is reported, it is null and ok is false.
// Secret references may stand where a type asks for them, or for anything.
func (ev *evaluator) setting(a *hcl.Attribute, ty cty.Type) (v cty.Value, ok bool) {
	before := len(ev.diags)
	res := ev.eval(ev.frame.root, a.Expr, &extra{provider: true})
	if res.failed {
		for _, d := range ev.diags[before:] {
			needsVariable(d, a)
		}
		return cty.NullVal(ty), false
	}
	v, marks := res.val.UnmarkDeep()
	v, err := convertTo(v, ty)
	_, ephemeral := marks[EphemeralMark]
	reference := ty == resource.SecretType || ty == cty.List(resource.SecretType) || ty == cty.DynamicPseudoType
	switch {
	case err != nil && reference:
		err = fmt.Errorf(`a secret is never written in a file: it takes a reference, such as secret("env://NAME")`)
	case err == nil && ephemeral && !reference:
		err = fmt.Errorf("a secret cannot stand here")
	case err == nil && !v.IsWhollyKnown() && !ev.validate:
		err = fmt.Errorf("the value must be known before anything is read, but depends on %s", ev.why(&res))
	}
	if err != nil {
		ev.report(hcl.Diagnostics{invalid(a.Name, err, a.Expr, nil)})
		return cty.NullVal(ty), false
	}
	return v, true
}

// needsVariable says of a variable without a value that a setting needs it, and how to do without it.
func needsVariable(d *hcl.Diagnostic, a *hcl.Attribute) {
	name, ok := d.Extra.(noValue)
	if !ok {
		return
	}
	d.Detail = fmt.Sprintf("%q of the weir block uses var.%s, which has no value here. A saved plan carries variables, but an encrypted one can be opened only with the weir block. "+
		"Give it with WEIR_VAR_%s or in a file weir.weirvars.hcl, or write the argument without variables, such as secret(\"env://NAME\").", a.Name, name, name)
	d.Subject = a.Expr.Range().Ptr()
}

func (ev *evaluator) text(a *hcl.Attribute) string {
	if a == nil {
		return ""
	}
	v, _ := ev.setting(a, cty.String)
	if !v.IsKnown() || v.IsNull() {
		return ""
	}
	return v.AsString()
}

// safeguard evaluates the root safeguard block.
func (ev *evaluator) safeguard() cty.Value {
	null := cty.NullVal(resource.ObjectType(SafeguardTable))
	bl := ev.g.root.safeguard
	if bl == nil {
		return null
	}
	b, diags := parseBody(bl.Body, bl.DefRange, SafeguardTable, nil, false)
	for _, d := range diags {
		if strings.Contains(d.Detail, `"allow"`) {
			d.Detail = "An allow block passes one reviewed removal of one tenant, so it stands in the safeguard block of that tenant's sync_policy."
		}
	}
	ev.report(diags)
	if diags.HasErrors() {
		return null
	}
	v, ranges, res := ev.decode(ev.frame.root, b, SafeguardTable, nil, nil)
	if res.failed {
		return null
	}
	if !v.IsWhollyKnown() && !ev.validate {
		for _, name := range sortedKeys(ranges) {
			if name != "" && !v.GetAttr(name).IsWhollyKnown() {
				ev.report(hcl.Diagnostics{ev.frame.notKnown("safeguard", name, &res, ranges[name])})
			}
		}
		return null
	}
	v, _ = v.UnmarkDeep()
	return v
}

// providerVariables are the root variables that only provider bodies and settings read: they do not travel in a plan.
func (g *Graph) providerVariables() map[string]bool {
	used := map[string]bool{}
	var visit func(expr hcl.Expression, into map[string]bool)
	visit = func(expr hcl.Expression, into map[string]bool) {
		refs, _ := g.refs.of(expr)
		for _, r := range refs {
			k := r.String()
			if into[k] || r.kind != refVariable && r.kind != refLocal {
				continue
			}
			into[k] = true
			if l := g.root.locals[r.name]; r.kind == refLocal && l != nil {
				visit(l.expr, into)
			}
		}
	}
	visitBody := func(b *body, table []resource.Attribute, into map[string]bool) {
		refs, _ := g.refs.ofBody(b, table, nil)
		for _, r := range refs {
			k := r.String()
			if into[k] {
				continue
			}
			into[k] = true
			if l := g.root.locals[r.name]; r.kind == refLocal && l != nil {
				visit(l.expr, into)
			}
		}
	}
	root := g.root
	for _, b := range root.order {
		visitBody(b.body, b.table, used)
		for _, a := range b.frame {
			visit(a.Expr, used)
		}
		for _, e := range []hcl.Expression{b.forEach, b.count, b.tenant} {
			if e != nil {
				visit(e, used)
			}
		}
		if b.lifecycle != nil {
			for _, c := range append(slices.Clone(b.lifecycle.pre), b.lifecycle.post...) {
				visit(c.condition, used)
				visit(c.message, used)
			}
		}
	}
	for _, c := range root.calls {
		for _, a := range c.args {
			visit(a.Expr, used)
		}
		for _, e := range []hcl.Expression{c.forEach, c.count} {
			if e != nil {
				visit(e, used)
			}
		}
	}
	for _, o := range root.outputs {
		visit(o.expr, used)
	}
	for _, c := range root.checks {
		for _, cond := range c.conditions {
			visit(cond.condition, used)
			visit(cond.message, used)
		}
	}
	for _, i := range root.imports {
		visit(i.id, used)
		visit(i.to, used)
		if i.forEach != nil {
			visit(i.forEach, used)
		}
	}
	inBodies := map[string]bool{}
	for _, p := range root.providers {
		visitBody(p.body, p.table, inBodies)
	}
	private := map[string]bool{}
	for k := range inBodies {
		if name, ok := strings.CutPrefix(k, "var."); ok && !used[k] {
			private[name] = true
		}
	}
	return private
}

// Select returns the tenants that the selectors name, in order of key and without repetition: a key, a primary domain
// (both also as a pattern with * and ?), or a tag (tag:ring=1, tag:ring). No selectors select all. A selector that
// matches nothing is an error with the nearest name.
func (f *Frame) Select(selectors []string) ([]*Tenant, error) {
	if len(selectors) == 0 {
		return slices.Clone(f.Tenants), nil
	}
	chosen := map[string]*Tenant{}
	for _, s := range selectors {
		hit := false
		for _, t := range f.Tenants {
			if t.matches(s) {
				chosen[t.Key] = t
				hit = true
			}
		}
		if hit {
			continue
		}
		var candidates []string
		for _, t := range f.Tenants {
			candidates = append(candidates, t.Key, t.PrimaryDomain)
			for k, v := range t.Tags {
				candidates = append(candidates, "tag:"+k+"="+v)
			}
		}
		sort.Strings(candidates)
		hint := meant("", s, candidates)
		if hint == "" && len(f.Tenants) > 0 && len(f.Tenants) <= 10 {
			var keys []string
			for _, t := range f.Tenants {
				keys = append(keys, t.Key)
			}
			hint = " There are " + strings.Join(keys, ", ") + "."
		}
		return nil, fmt.Errorf("no tenant matches %q.%s", s, hint)
	}
	out := make([]*Tenant, 0, len(chosen))
	for _, key := range sortedKeys(chosen) {
		out = append(out, chosen[key])
	}
	return out, nil
}

func (t *Tenant) matches(selector string) bool {
	if tag, ok := strings.CutPrefix(selector, "tag:"); ok {
		name, want, valued := strings.Cut(tag, "=")
		got, has := t.Tags[name]
		return has && (!valued || glob(want, got))
	}
	return glob(selector, t.Key) || glob(strings.ToLower(selector), t.PrimaryDomain)
}

// glob matches * (any text) and ? (one character).
func glob(pattern, s string) bool {
	p, t := []rune(pattern), []rune(s)
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
