package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// bodyRefs are the references of a body, found once.
type bodyRefs struct {
	refs  []*ref
	diags hcl.Diagnostics
}

func (c *refCache) ofBody(b *body, table []resource.Attribute, skip map[string]*hcl.Attribute) ([]*ref, hcl.Diagnostics) {
	if got, ok := c.m.Load(b); ok {
		r := got.(*bodyRefs)
		return r.refs, r.diags
	}
	r := &bodyRefs{}
	r.refs, r.diags = b.refs(c, table, skip, nil)
	c.m.Store(b, r)
	return r.refs, r.diags
}

// decoder evaluates one body.
type decoder struct {
	ev     *evaluator
	sc     *scope
	ranges map[string]hcl.Range
	failed bool
}

// decode evaluates a body against its table. skip names attributes whose references do not count (they are evaluated by
// the frame). The value conforms to the table's object type; with failed set it must not be used.
func (ev *evaluator) decode(sc *scope, b *body, table []resource.Attribute, skip map[string]*hcl.Attribute, x *extra) (cty.Value, map[string]hcl.Range, result) {
	ranges := map[string]hcl.Range{"": b.rng}
	unknown := cty.UnknownVal(resource.ObjectType(table))
	refs, diags := ev.g.refs.ofBody(b, table, skip)
	if diags.HasErrors() {
		ev.report(diags)
		return unknown, ranges, result{failed: true}
	}
	ctx, res := ev.context(sc, refs, x)
	if res.failed {
		return unknown, ranges, res
	}
	d := &decoder{ev: ev, sc: sc, ranges: ranges}
	v := d.body(b, table, ctx, "")
	res.failed = d.failed
	res.val = v
	return v, ranges, res
}

func (d *decoder) fail(diags hcl.Diagnostics) {
	d.failed = d.failed || diags.HasErrors()
	d.ev.report(diags)
}

func (d *decoder) body(b *body, table []resource.Attribute, ctx *hcl.EvalContext, at string) cty.Value {
	out := make(map[string]cty.Value, len(table))
	blocks := map[string]*nested{}
	for _, n := range b.nested {
		blocks[n.row.Name] = n
	}
	for i := range table {
		row := &table[i]
		path := row.Name
		if at != "" {
			path = at + "." + path
		}
		switch {
		case b.attrs[row.Name] != nil:
			a := b.attrs[row.Name]
			d.ranges[path] = a.Range
			out[row.Name] = d.attribute(a, row, ctx, path)
		case blocks[row.Name] != nil:
			n := blocks[row.Name]
			d.ranges[path] = n.rng
			out[row.Name] = d.nested(n, ctx, path)
		default:
			out[row.Name] = cty.NullVal(row.ValueType())
		}
	}
	return cty.ObjectVal(out)
}

func (d *decoder) attribute(a *hcl.Attribute, row *resource.Attribute, ctx *hcl.EvalContext, path string) cty.Value {
	if row.Type == directory.PredicateType {
		v, diags := d.ev.predicate(a.Expr, ctx)
		d.fail(diags)
		return v
	}
	unknown := cty.UnknownVal(row.ValueType())
	v, diags := d.ev.value(d.sc, a.Expr, ctx)
	d.fail(diags)
	if diags.HasErrors() {
		return unknown
	}
	if foreign := foreignIn(v, fmt.Sprintf("%q", path), a.Expr.Range()); foreign != nil {
		d.fail(hcl.Diagnostics{foreign})
		return unknown
	}
	c, err := conformRow(v, row, writtenOut(a.Expr), path)
	if err != nil {
		d.fail(hcl.Diagnostics{invalid(path, err, a.Expr, ctx)})
		return unknown
	}
	if err := d.ev.meterOf(d.sc).charge(c); err != nil {
		d.fail(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: overBudget, Detail: err.Error(), Subject: a.Expr.Range().Ptr()}})
		return unknown
	}
	if stored := storedSecret(c, row, path); stored != "" {
		d.fail(hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Secret in a stored attribute",
			Detail:  fmt.Sprintf("%q is kept in state and shown in plans, so no secret reference or ephemeral value may flow into it. Such values go into write-only attributes only.", stored),
			Subject: a.Expr.Range().Ptr(),
		}})
		return unknown
	}
	return c
}

func invalid(path string, err error, expr hcl.Expression, ctx *hcl.EvalContext) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Invalid value",
		Detail:  fmt.Sprintf("%q: %s", path, sentence(err.Error())),
		Subject: expr.Range().Ptr(), Expression: expr, EvalContext: ctx,
	}
}

// writtenOut reports whether an expression is an object constructor, every attribute of which its author chose.
func writtenOut(expr hcl.Expression) bool {
	switch e := expr.(type) {
	case *hclsyntax.ObjectConsExpr:
		return true
	case *hclsyntax.ParenthesesExpr:
		return writtenOut(e.Expression)
	case hclsyntax.Expression:
		return false
	}
	pairs, diags := hcl.ExprMap(expr)
	return !diags.HasErrors() && len(pairs) > 0
}

// storedSecret finds an ephemeral part in an attribute that is not write-only: its path, or "".
func storedSecret(v cty.Value, row *resource.Attribute, path string) string {
	if row.WriteOnly {
		return ""
	}
	if len(row.Nested) == 0 {
		if v.HasMarkDeep(EphemeralMark) {
			return path
		}
		return ""
	}
	u, marks := v.Unmark()
	if _, ok := marks[EphemeralMark]; ok {
		return path
	}
	if !u.IsKnown() || u.IsNull() {
		return ""
	}
	for i := range row.Nested {
		inner := &row.Nested[i]
		if found := storedSecret(u.GetAttr(inner.Name), inner, path+"."+inner.Name); found != "" {
			return found
		}
	}
	return ""
}

func (d *decoder) nested(n *nested, ctx *hcl.EvalContext, path string) cty.Value {
	if n.forEach == nil {
		return d.body(n.body, n.row.Nested, ctx, path)
	}
	ty := n.row.ValueType()
	v, diags := d.ev.value(d.sc, n.forEach, ctx)
	d.fail(diags)
	if diags.HasErrors() {
		return cty.UnknownVal(ty)
	}
	bad := func(detail string) cty.Value {
		d.fail(hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Invalid for_each", Detail: fmt.Sprintf("dynamic %q: %s", n.row.Name, detail),
			Subject: n.forEach.Range().Ptr(), Expression: n.forEach, EvalContext: ctx,
		}})
		return cty.UnknownVal(ty)
	}
	if foreign := foreignIn(v, path, n.forEach.Range()); foreign != nil {
		d.fail(hcl.Diagnostics{foreign})
		return cty.UnknownVal(ty)
	}
	if v.HasMarkDeep(EphemeralMark) {
		return bad("a secret cannot decide whether the block is there.")
	}
	v, marks := v.Unmark()
	switch {
	case v.IsNull():
		return bad("for_each is null; an empty list makes no block.")
	case !v.IsKnown():
		return cty.UnknownVal(ty)
	case !v.CanIterateElements():
		return bad("for_each takes a list, set or map, but this is " + typeName(v.Type()) + ".")
	case v.LengthInt() == 0:
		if n.row.Required {
			return bad("the block is required, so for_each must have one element.")
		}
		return cty.NullVal(ty)
	case v.LengthInt() > 1:
		return bad(fmt.Sprintf("for_each has %d elements, but the block may stand only once.", v.LengthInt()))
	}
	it := v.ElementIterator()
	it.Next()
	key, e := it.Element()
	if v.Type().IsSetType() {
		key = e
	}
	inner := ctx.NewChild()
	inner.Variables = map[string]cty.Value{
		n.iterator: cty.ObjectVal(map[string]cty.Value{"key": key, "value": e.WithMarks(marks)}),
	}
	return d.body(n.body, n.row.Nested, inner, path)
}
