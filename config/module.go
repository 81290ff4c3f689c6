package config

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// module is one module as called: its blocks, not yet evaluated. Two calls of one folder are two modules.
type module struct {
	g      *Graph
	path   []string // call names from the root
	dir    string
	parent *module
	call   *call

	variables map[string]*variable
	locals    map[string]*local
	outputs   map[string]*output
	blocks    map[string]*block // "domain.mail", "data.directory.x"
	order     []*block          // in source order
	calls     map[string]*call
	providers map[string]*providerBlock // root only, by "essentials.us1"
	checks    []*check

	settings  *hcl.Block
	safeguard *hcl.Block
	imports   []*importBlock
	removed   []*hcl.Block
	moved     []*hcl.Block
}

type local struct {
	name string
	expr hcl.Expression
	rng  hcl.Range
}

type output struct {
	name        string
	expr        hcl.Expression
	sensitive   bool
	description string
	dependsOn   []*ref
	conditions  []*condition
	rng         hcl.Range
}

type call struct {
	name           string
	in             *module
	dir            string
	module         *module
	args           map[string]*hcl.Attribute
	forEach, count hcl.Expression
	dependsOn      []*ref
	rng            hcl.Range
	sourceRange    hcl.Range
}

type providerBlock struct {
	kind, name string
	body       *body
	table      []resource.Attribute
	rng        hcl.Range
}

// block is one typed block: a resource, or a data source.
type block struct {
	key      string
	typeName string
	name     string
	typ      *resource.Type     // nil for data
	data     *resource.DataType // nil for resources
	in       *module

	table          []resource.Attribute
	body           *body
	forEach, count hcl.Expression
	tenant         hcl.Expression
	frame          map[string]*hcl.Attribute // of a tenant: what only the frame reads
	dependsOn      []*ref
	lifecycle      *lifecycleBlock
	rng            hcl.Range
}

func (b *block) isTenant() bool { return b.data == nil && b.typeName == "tenant" }

func (b *block) repeated() bool { return b.forEach != nil || b.count != nil }

type importBlock struct {
	forEach hcl.Expression
	to, id  hcl.Expression
	rng     hcl.Range
}

type check struct {
	name       string
	conditions []*condition
	rng        hcl.Range
}

// condition is a precondition, postcondition, validation or assertion.
type condition struct {
	condition, message hcl.Expression
	rng                hcl.Range
}

// languageBlocks are the block types of every module, with their labels.
var languageBlocks = []hcl.BlockHeaderSchema{
	{Type: "weir"},
	{Type: "provider", LabelNames: []string{"kind", "name"}},
	{Type: "variable", LabelNames: []string{"name"}},
	{Type: "locals"},
	{Type: "output", LabelNames: []string{"name"}},
	{Type: "module", LabelNames: []string{"name"}},
	{Type: "data", LabelNames: []string{"type", "name"}},
	{Type: "check", LabelNames: []string{"name"}},
	{Type: "import"},
	{Type: "removed"},
	{Type: "moved"},
	{Type: "safeguard"},
}

// read sorts the blocks of one file into the module.
func (m *module) read(b hcl.Body) hcl.Diagnostics {
	schema := &hcl.BodySchema{Blocks: slices.Clone(languageBlocks)}
	for _, t := range m.g.registry.Types() {
		schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: t.Name, LabelNames: []string{"name"}})
	}
	if m.g.registry.Type("tenant") == nil {
		schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: "tenant", LabelNames: []string{"name"}})
	}
	content, diags := b.Content(schema)
	for _, d := range diags {
		terraformHint(d)
	}
	for _, bl := range content.Blocks {
		diags = append(diags, m.readBlock(bl)...)
	}
	return diags
}

// terraformHint says how a block of Terraform's is written here.
func terraformHint(d *hcl.Diagnostic) {
	switch {
	case strings.Contains(d.Detail, `Blocks of type "resource"`):
		d.Detail = `Blocks are typed here: write domain "x" { … } instead of resource "domain" "x" { … }.`
	case strings.Contains(d.Detail, `Blocks of type "terraform"`):
		d.Detail = `Settings stand in a weir { … } block here.`
	}
}

func (m *module) readBlock(bl *hcl.Block) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for i, label := range bl.Labels {
		if !hclsyntax.ValidIdentifier(label) {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Invalid name",
				Detail:  fmt.Sprintf("%q is not a name: a letter, then letters, digits, underscores and dashes.", label),
				Subject: bl.LabelRanges[i].Ptr(), Context: bl.DefRange.Ptr(),
			})
		}
	}
	if diags.HasErrors() {
		return diags
	}
	rootOnly := func() bool {
		if m.parent == nil {
			return true
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Block belongs in the root module",
			Detail:  fmt.Sprintf("A %s block stands in the root module only; this file belongs to module %s.", bl.Type, strings.Join(m.path, ".")),
			Subject: bl.DefRange.Ptr(),
		})
		return false
	}
	switch bl.Type {
	case "weir", "safeguard":
		if !rootOnly() {
			break
		}
		at := &m.settings
		if bl.Type == "safeguard" {
			at = &m.safeguard
		}
		if *at != nil {
			diags = append(diags, duplicate(bl.Type, (*at).DefRange, bl.DefRange))
			break
		}
		*at = bl
	case "removed", "moved":
		if !rootOnly() {
			break
		}
		if bl.Type == "moved" {
			m.moved = append(m.moved, bl)
		} else {
			m.removed = append(m.removed, bl)
		}
	case "import":
		if rootOnly() {
			content, more := bl.Body.Content(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{
				{Name: "to", Required: true}, {Name: "id", Required: true}, {Name: "for_each"},
			}})
			diags = append(diags, more...)
			if !more.HasErrors() {
				b := &importBlock{to: content.Attributes["to"].Expr, id: content.Attributes["id"].Expr, rng: bl.DefRange}
				if a := content.Attributes["for_each"]; a != nil {
					b.forEach = a.Expr
				}
				m.imports = append(m.imports, b)
			}
		}
	case "provider":
		if rootOnly() {
			diags = append(diags, m.readProvider(bl)...)
		}
	case "variable":
		diags = append(diags, m.readVariable(bl)...)
	case "locals":
		diags = append(diags, m.readLocals(bl)...)
	case "output":
		diags = append(diags, m.readOutput(bl)...)
	case "module":
		diags = append(diags, m.readCall(bl)...)
	case "check":
		diags = append(diags, m.readCheck(bl)...)
	default:
		diags = append(diags, m.readTyped(bl)...)
	}
	return diags
}

func duplicate(what string, first, second hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Declared twice",
		Detail:  fmt.Sprintf("%s stands here a second time; the first is at %s.", what, place(first)),
		Subject: second.Ptr(),
	}
}

// place is a range for people: file and line.
func place(r hcl.Range) string { return fmt.Sprintf("%s line %d", r.Filename, r.Start.Line) }

func (m *module) readLocals(bl *hcl.Block) hcl.Diagnostics {
	attrs, diags := bl.Body.JustAttributes()
	for name, a := range attrs {
		if first := m.locals[name]; first != nil {
			diags = append(diags, duplicate("local."+name, first.rng, a.NameRange))
			continue
		}
		m.locals[name] = &local{name: name, expr: a.Expr, rng: a.Range}
	}
	return diags
}

func (m *module) readOutput(bl *hcl.Block) hcl.Diagnostics {
	content, diags := bl.Body.Content(&hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "value", Required: true}, {Name: "description"}, {Name: "sensitive"}, {Name: "depends_on"}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "precondition"}},
	})
	name := bl.Labels[0]
	if first := m.outputs[name]; first != nil {
		return append(diags, duplicate("output."+name, first.rng, bl.DefRange))
	}
	o := &output{name: name, rng: bl.DefRange}
	if a := content.Attributes["value"]; a != nil {
		o.expr = a.Expr
	} else {
		return diags
	}
	diags = append(diags, constant(content.Attributes["description"], cty.String, func(v cty.Value) { o.description = v.AsString() })...)
	diags = append(diags, constant(content.Attributes["sensitive"], cty.Bool, func(v cty.Value) { o.sensitive = v.True() })...)
	o.dependsOn, diags = readDependsOn(content.Attributes["depends_on"], diags)
	for _, b := range content.Blocks {
		c, more := readCondition(b)
		diags = append(diags, more...)
		if c != nil {
			o.conditions = append(o.conditions, c)
		}
	}
	m.outputs[name] = o
	return diags
}

func (m *module) readCall(bl *hcl.Block) hcl.Diagnostics {
	attrs, diags := bl.Body.JustAttributes()
	c := &call{name: bl.Labels[0], in: m, args: map[string]*hcl.Attribute{}, rng: bl.DefRange, sourceRange: bl.DefRange}
	if first := m.calls[c.name]; first != nil {
		return append(diags, duplicate("module."+c.name, first.rng, bl.DefRange))
	}
	m.calls[c.name] = c
	var source string
	for name, a := range attrs {
		switch name {
		case "source":
			c.sourceRange = a.Expr.Range()
			diags = append(diags, constant(a, cty.String, func(v cty.Value) { source = v.AsString() })...)
		case "for_each":
			c.forEach = a.Expr
		case "count":
			c.count = a.Expr
		case "depends_on":
			c.dependsOn, diags = readDependsOn(a, diags)
		case "version", "providers":
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Unsupported argument",
				Detail: map[string]string{
					"version":   "Modules are local folders and have no version: the repository has.",
					"providers": "Provider blocks are visible in every module; pass one as a variable of type provider where a module must choose.",
				}[name],
				Subject: a.NameRange.Ptr(),
			})
		default:
			c.args[name] = a
		}
	}
	diags = append(diags, onlyOne(c.forEach, c.count)...)
	switch {
	case diags.HasErrors():
	case source == "":
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Missing required argument",
			Detail: `A module needs its folder: source = "./modules/customer".`, Subject: bl.DefRange.Ptr(),
		})
	case source != "." && source != ".." && !strings.HasPrefix(source, "./") && !strings.HasPrefix(source, "../"):
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Not a local module",
			Detail:  fmt.Sprintf("%q is no folder of this repository. Modules are local: begin the source with ./ or ../.", source),
			Subject: c.sourceRange.Ptr(),
		})
	default:
		dir, err := inside(m.dir, source)
		if err != nil {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Module outside the configuration", Detail: sentence(err.Error()), Subject: c.sourceRange.Ptr(),
			})
			break
		}
		c.dir = path.Clean(dir)
	}
	return diags
}

// checkArguments compares a call's arguments with the variables of the module it calls.
func (c *call) checkArguments() hcl.Diagnostics {
	var diags hcl.Diagnostics
	if c.module == nil {
		return nil
	}
	for _, name := range sortedKeys(c.args) {
		if c.module.variables[name] == nil {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Unsupported argument",
				Detail:  fmt.Sprintf("The module in %q has no variable %q.%s", c.dir, name, meant("", name, sortedKeys(c.module.variables))),
				Subject: c.args[name].NameRange.Ptr(),
			})
		}
	}
	for _, name := range sortedKeys(c.module.variables) {
		if v := c.module.variables[name]; v.required() && c.args[name] == nil {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Missing required argument",
				Detail:  fmt.Sprintf("The module in %q needs %q (%s).", c.dir, name, place(v.rng)),
				Subject: c.rng.Ptr(),
			})
		}
	}
	return diags
}

func (m *module) readCheck(bl *hcl.Block) hcl.Diagnostics {
	content, diags := bl.Body.Content(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "assert"}}})
	c := &check{name: bl.Labels[0], rng: bl.DefRange}
	for _, other := range m.checks {
		if other.name == c.name {
			return append(diags, duplicate("check."+c.name, other.rng, bl.DefRange))
		}
	}
	for _, b := range content.Blocks {
		cond, more := readCondition(b)
		diags = append(diags, more...)
		if cond != nil {
			c.conditions = append(c.conditions, cond)
		}
	}
	if len(content.Blocks) == 0 && !diags.HasErrors() {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Missing block", Detail: "A check needs at least one assert block.", Subject: bl.DefRange.Ptr(),
		})
	}
	m.checks = append(m.checks, c)
	return diags
}

func readCondition(bl *hcl.Block) (*condition, hcl.Diagnostics) {
	content, diags := bl.Body.Content(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{
		{Name: "condition", Required: true}, {Name: "error_message", Required: true},
	}})
	if diags.HasErrors() {
		return nil, diags
	}
	return &condition{
		condition: content.Attributes["condition"].Expr, message: content.Attributes["error_message"].Expr, rng: bl.DefRange,
	}, diags
}

// readTyped reads a resource or data block.
func (m *module) readTyped(bl *hcl.Block) hcl.Diagnostics {
	b := &block{in: m, rng: bl.DefRange}
	var diags hcl.Diagnostics
	if bl.Type == "data" {
		b.typeName, b.name = bl.Labels[0], bl.Labels[1]
		b.key = "data." + b.typeName + "." + b.name
		b.data = m.g.registry.Data(b.typeName)
		if b.data == nil {
			var names []string
			for _, d := range m.g.registry.DataTypes() {
				names = append(names, d.Name)
			}
			return hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "Unknown data source",
				Detail:  fmt.Sprintf("There is no data source %q.%s", b.typeName, meant("", b.typeName, names)),
				Subject: bl.LabelRanges[0].Ptr(), Context: bl.DefRange.Ptr(),
			}}
		}
		b.table = b.data.Attributes
	} else {
		b.typeName, b.name = bl.Type, bl.Labels[0]
		b.key = b.typeName + "." + b.name
		b.typ = m.g.registry.Type(b.typeName)
		if b.typ != nil {
			b.table = b.typ.Attributes
		}
	}
	if first := m.blocks[b.key]; first != nil {
		return hcl.Diagnostics{duplicate(b.key, first.rng, bl.DefRange)}
	}
	m.blocks[b.key] = b
	m.order = append(m.order, b)

	meta := []string{"for_each", "count", "depends_on"}
	if b.isTenant() {
		for _, name := range frameArguments {
			if resource.Find(b.table, name) == nil {
				meta = append(meta, name)
			}
		}
	} else {
		meta = append(meta, "tenant")
	}
	content, more := parseBody(bl.Body, bl.DefRange, b.table, meta, b.typ != nil || b.isTenant())
	diags = append(diags, more...)
	b.body = content
	if a := content.meta["for_each"]; a != nil {
		b.forEach = a.Expr
	}
	if a := content.meta["count"]; a != nil {
		b.count = a.Expr
	}
	diags = append(diags, onlyOne(b.forEach, b.count)...)
	b.dependsOn, diags = readDependsOn(content.meta["depends_on"], diags)
	if a := content.meta["tenant"]; a != nil {
		b.tenant = a.Expr
	}
	if b.isTenant() {
		b.frame = map[string]*hcl.Attribute{}
		for _, name := range frameArguments {
			if a := content.meta[name]; a != nil {
				b.frame[name] = a
			} else if a := content.attrs[name]; a != nil {
				b.frame[name] = a
			}
		}
		if b.frame["primary_domain"] == nil && !more.HasErrors() {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Missing required argument",
				Detail: "A tenant needs its primary_domain, by which Essentials addresses the organization.", Subject: b.rng.Ptr(),
			})
		}
	}
	if content.lifecycle != nil {
		var more hcl.Diagnostics
		b.lifecycle, more = readLifecycle(content.lifecycle, b)
		diags = append(diags, more...)
	}
	return diags
}

func onlyOne(forEach, count hcl.Expression) hcl.Diagnostics {
	if forEach == nil || count == nil {
		return nil
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "for_each and count together",
		Detail: "A block is repeated either by for_each or by count.", Subject: count.Range().Ptr(),
	}}
}

// readDependsOn reads a list of references to blocks and module calls.
func readDependsOn(a *hcl.Attribute, diags hcl.Diagnostics) ([]*ref, hcl.Diagnostics) {
	if a == nil {
		return nil, diags
	}
	exprs, more := staticList(a.Expr)
	diags = append(diags, more...)
	var refs []*ref
	for _, e := range exprs {
		t, more := staticTraversal(e)
		if more.HasErrors() {
			diags = append(diags, more...)
			continue
		}
		r, more := parseRef(t)
		diags = append(diags, more...)
		if r == nil {
			continue
		}
		if r.kind != refBlock && r.kind != refModule || len(r.rest) > 0 {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Invalid depends_on",
				Detail: "depends_on lists blocks and module calls, such as domain.mail or module.customer.", Subject: r.rng.Ptr(),
			})
			continue
		}
		refs = append(refs, r)
	}
	return refs, diags
}

// staticList and staticTraversal read what must not be evaluated; in JSON it stands in strings, which are guarded
// before they are parsed.
func staticList(expr hcl.Expression) ([]hcl.Expression, hcl.Diagnostics) {
	return hcl.ExprList(expr)
}

func staticTraversal(expr hcl.Expression) (hcl.Traversal, hcl.Diagnostics) {
	if diags := guardStatic(expr); diags.HasErrors() {
		return nil, diags
	}
	return hcl.AbsTraversalForExpr(expr)
}

func guardStatic(expr hcl.Expression) hcl.Diagnostics {
	if _, native := expr.(hclsyntax.Expression); native {
		return nil
	}
	v, _ := expr.Value(nil)
	if v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
		return guardExpression([]byte(v.AsString()), expr.Range().Filename)
	}
	return nil
}

// constant evaluates an argument that may not refer to anything.
func constant(a *hcl.Attribute, ty cty.Type, set func(cty.Value)) hcl.Diagnostics {
	if a == nil {
		return nil
	}
	v, diags := a.Expr.Value(nil)
	if diags.HasErrors() {
		return hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Constant required",
			Detail: fmt.Sprintf("%q must be written out: it is read before anything is evaluated.", a.Name), Subject: a.Expr.Range().Ptr(),
		}}
	}
	v, err := convertTo(v, ty)
	if err != nil || v.IsNull() {
		return hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Wrong type",
			Detail: fmt.Sprintf("%q must be %s.", a.Name, typeName(ty)), Subject: a.Expr.Range().Ptr(),
		}}
	}
	set(v)
	return diags
}
