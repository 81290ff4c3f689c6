package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// body is a block's content as its table reads it, not yet evaluated.
type body struct {
	attrs     map[string]*hcl.Attribute
	nested    []*nested
	meta      map[string]*hcl.Attribute
	lifecycle *hcl.Block
	rng       hcl.Range
}

// nested is one block inside a block.
type nested struct {
	row      *resource.Attribute
	body     *body
	forEach  hcl.Expression // of a dynamic block
	iterator string
	rng      hcl.Range
}

// parseBody reads the body of the block with that header against an attribute table. meta names further arguments; lifecycle allows that block.
func parseBody(b hcl.Body, header hcl.Range, table []resource.Attribute, meta []string, lifecycle bool) (*body, hcl.Diagnostics) {
	schema := &hcl.BodySchema{}
	blocks := false
	for i := range table {
		row := &table[i]
		switch {
		case row.Block:
			schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: row.Name})
			blocks = true
		default:
			schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: row.Name})
		}
	}
	for _, name := range meta {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name})
	}
	if blocks {
		schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: "dynamic", LabelNames: []string{"type"}})
	}
	if lifecycle {
		schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: "lifecycle"})
	}
	content, diags := b.Content(schema)
	out := &body{attrs: map[string]*hcl.Attribute{}, meta: map[string]*hcl.Attribute{}, rng: header}
	for name, a := range content.Attributes {
		row := resource.Find(table, name)
		if row == nil {
			out.meta[name] = a
			continue
		}
		if !row.Argument() {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Value is computed",
				Detail:  fmt.Sprintf("%q is filled in from the live object and cannot be written.", name),
				Subject: a.NameRange.Ptr(),
			})
			continue
		}
		out.attrs[name] = a
	}
	seen := map[string]hcl.Range{}
	for _, bl := range content.Blocks {
		if bl.Type == "lifecycle" {
			if out.lifecycle != nil {
				diags = append(diags, duplicate("lifecycle", out.lifecycle.DefRange, bl.DefRange))
			}
			out.lifecycle = bl
			continue
		}
		n := &nested{rng: bl.DefRange}
		inner := bl.Body
		name := bl.Type
		if bl.Type == "dynamic" {
			name = bl.Labels[0]
			var more hcl.Diagnostics
			inner, more = n.readDynamic(bl)
			diags = append(diags, more...)
			if inner == nil {
				continue
			}
		}
		n.row = resource.Find(table, name)
		if n.row == nil || !n.row.Block {
			var names []string
			for i := range table {
				if table[i].Block {
					names = append(names, table[i].Name)
				}
			}
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Unsupported block type",
				Detail:  fmt.Sprintf("There is no block %q here.%s", name, meant("", name, names)),
				Subject: bl.LabelRanges[0].Ptr(),
			})
			continue
		}
		if first, ok := seen[name]; ok {
			diags = append(diags, duplicate(name, first, bl.DefRange))
			continue
		}
		seen[name] = bl.DefRange
		var more hcl.Diagnostics
		n.body, more = parseBody(inner, bl.DefRange, n.row.Nested, nil, false)
		diags = append(diags, more...)
		out.nested = append(out.nested, n)
	}
	if !diags.HasErrors() {
		for i := range table {
			row := &table[i]
			if _, block := seen[row.Name]; !row.Required || block || out.attrs[row.Name] != nil {
				continue
			}
			diags = append(diags, missing(row, header))
		}
	}
	return out, diags
}

func missing(row *resource.Attribute, at hcl.Range) *hcl.Diagnostic {
	what := "argument"
	if row.Block {
		what = "block"
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Missing required " + what,
		Detail:  fmt.Sprintf("%q is required. %s", row.Name, sentence(row.Description)),
		Subject: at.Ptr(),
	}
}

func (n *nested) readDynamic(bl *hcl.Block) (hcl.Body, hcl.Diagnostics) {
	content, diags := bl.Body.Content(&hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "for_each", Required: true}, {Name: "iterator"}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "content"}},
	})
	n.iterator = bl.Labels[0]
	if a := content.Attributes["iterator"]; a != nil {
		if diags := guardStatic(a.Expr); diags.HasErrors() {
			return nil, diags
		}
		n.iterator = hcl.ExprAsKeyword(a.Expr)
		if n.iterator == "" {
			return nil, append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Invalid iterator", Detail: "An iterator is one word, without quotes.", Subject: a.Expr.Range().Ptr(),
			})
		}
	}
	if len(content.Blocks) != 1 {
		if !diags.HasErrors() {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Invalid dynamic block", Detail: "A dynamic block has exactly one content block.", Subject: bl.DefRange.Ptr(),
			})
		}
		return nil, diags
	}
	if content.Attributes["for_each"] == nil {
		return nil, diags
	}
	n.forEach = content.Attributes["for_each"].Expr
	return content.Blocks[0].Body, diags
}

// refs collects the references of a body, but those to the iterators of its dynamic blocks and the entry of predicates.
func (b *body) refs(cache *refCache, table []resource.Attribute, skip map[string]*hcl.Attribute, iterators []string) ([]*ref, hcl.Diagnostics) {
	var all []*ref
	var diags hcl.Diagnostics
	add := func(expr hcl.Expression, predicate bool) {
		refs, more := cache.of(expr)
		diags = append(diags, more...)
		for _, r := range refs {
			if predicate && r.kind == refEntry {
				continue
			}
			if root, _, _ := strings.Cut(r.name, "."); r.kind == refBlock && slices.Contains(iterators, root) {
				continue
			}
			all = append(all, r)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.attrs)) {
		a := b.attrs[name]
		if skip[name] == a {
			continue
		}
		row := resource.Find(table, name)
		add(a.Expr, row != nil && row.Type == directory.PredicateType)
	}
	for _, n := range b.nested {
		inner := iterators
		if n.forEach != nil {
			add(n.forEach, false)
			inner = append(slices.Clone(iterators), n.iterator)
		}
		refs, more := n.body.refs(cache, n.row.Nested, nil, inner)
		diags = append(diags, more...)
		all = append(all, refs...)
	}
	return all, diags
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
