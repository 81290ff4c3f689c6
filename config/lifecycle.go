package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// lifecycleBlock is a lifecycle block before evaluation.
type lifecycleBlock struct {
	preventDestroy *bool
	ignore         []string
	createFirst    bool
	triggers       []*ref
	pre, post      []*condition
}

func readLifecycle(bl *hcl.Block, owner *block) (*lifecycleBlock, hcl.Diagnostics) {
	content, diags := bl.Body.Content(&hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{
			{Name: "prevent_destroy"}, {Name: "ignore_changes"}, {Name: "create_before_destroy"}, {Name: "replace_triggered_by"},
		},
		Blocks: []hcl.BlockHeaderSchema{{Type: "precondition"}, {Type: "postcondition"}},
	})
	l := &lifecycleBlock{}
	diags = append(diags, constant(content.Attributes["prevent_destroy"], cty.Bool, func(v cty.Value) {
		b := v.True()
		l.preventDestroy = &b
	})...)
	diags = append(diags, constant(content.Attributes["create_before_destroy"], cty.Bool, func(v cty.Value) { l.createFirst = v.True() })...)
	if a := content.Attributes["ignore_changes"]; a != nil {
		diags = append(diags, l.readIgnore(a, owner)...)
	}
	if a := content.Attributes["replace_triggered_by"]; a != nil {
		exprs, more := staticList(a.Expr)
		diags = append(diags, more...)
		for _, e := range exprs {
			t, more := staticTraversal(e)
			if more.HasErrors() {
				diags = append(diags, more...)
				continue
			}
			r, more := parseRef(t)
			diags = append(diags, more...)
			if r != nil && r.kind != refBlock {
				diags = append(diags, &hcl.Diagnostic{
					Severity: hcl.DiagError, Summary: "Invalid replace_triggered_by",
					Detail: "replace_triggered_by lists blocks of this module or attributes of them.", Subject: r.rng.Ptr(),
				})
			} else if r != nil {
				l.triggers = append(l.triggers, r)
			}
		}
	}
	for _, b := range content.Blocks {
		c, more := readCondition(b)
		diags = append(diags, more...)
		switch {
		case c == nil:
		case b.Type == "precondition":
			l.pre = append(l.pre, c)
		default:
			l.post = append(l.post, c)
		}
	}
	return l, diags
}

func (l *lifecycleBlock) readIgnore(a *hcl.Attribute, owner *block) hcl.Diagnostics {
	if diags := guardStatic(a.Expr); diags.HasErrors() {
		return diags
	}
	if hcl.ExprAsKeyword(a.Expr) == "all" {
		l.ignore = []string{"all"}
		return nil
	}
	exprs, diags := staticList(a.Expr)
	for _, e := range exprs {
		if more := guardStatic(e); more.HasErrors() {
			diags = append(diags, more...)
			continue
		}
		t, more := hcl.RelTraversalForExpr(e)
		if more.HasErrors() {
			diags = append(diags, more...)
			continue
		}
		path, ok := dotted(t)
		table := owner.table
		for i, name := range strings.Split(path, ".") {
			if !ok {
				break
			}
			row := resource.Find(table, name)
			if row == nil {
				ok = false
				if i == 0 || len(table) > 0 {
					diags = append(diags, &hcl.Diagnostic{
						Severity: hcl.DiagError, Summary: "Unknown attribute",
						Detail:  fmt.Sprintf("A %s has no attribute %q.%s", owner.typeName, name, meant("", name, tableNames(table))),
						Subject: e.Range().Ptr(),
					})
				}
				break
			}
			table = row.Nested
			if len(table) == 0 {
				break // a step into a map or list
			}
		}
		if ok {
			l.ignore = append(l.ignore, path)
		}
	}
	return diags
}

// dotted writes a traversal as an attribute path.
func dotted(t hcl.Traversal) (string, bool) {
	var parts []string
	for _, step := range t {
		switch s := step.(type) {
		case hcl.TraverseRoot:
			parts = append(parts, s.Name)
		case hcl.TraverseAttr:
			parts = append(parts, s.Name)
		case hcl.TraverseIndex:
			key, err := keyOf(s.Key)
			if err != nil {
				return "", false
			}
			parts = append(parts, key.Text())
		default:
			return "", false
		}
	}
	return strings.Join(parts, "."), len(parts) > 0
}

func tableNames(table []resource.Attribute) []string {
	names := make([]string, len(table))
	for i := range table {
		names[i] = table[i].Name
	}
	return names
}
