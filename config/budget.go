package config

import (
	"fmt"
	"math/big"
	"reflect"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// What one module instance may spend while it is evaluated, and one value hold. Never seconds: the same configuration
// must pass or fail on every machine.
const (
	maxValue = 4 << 20
	maxSteps = 1_000_000
	maxBytes = 256 << 20
)

// meter counts what a module instance spends in one evaluation. Not safe for concurrent use.
type meter struct {
	steps int
	bytes int
}

type budgetError string

func (e budgetError) Error() string { return string(e) }

const overBudget = "Evaluation over budget"

func (m *meter) charge(v cty.Value) error {
	m.steps++
	size := sizeOf(v, maxValue)
	m.bytes += size
	switch {
	case size > maxValue:
		return budgetError(fmt.Sprintf("The value is larger than %d MiB. Split it, or keep it in fewer copies.", maxValue>>20))
	case m.steps > maxSteps:
		return budgetError(fmt.Sprintf("The module takes more than %d steps to evaluate. Loops inside loops are the usual reason.", maxSteps))
	case m.bytes > maxBytes:
		return budgetError(fmt.Sprintf("The module's values take more than %d MiB together. Text or lists that grow from one local to the next are the usual reason.", maxBytes>>20))
	}
	return nil
}

// sizeOf estimates the bytes that a value takes when it is written out, counting shared parts each time; it stops soon
// after limit.
func sizeOf(v cty.Value, limit int) int {
	if v == cty.NilVal {
		return 0
	}
	v, _ = v.Unmark()
	if !v.IsKnown() || v.IsNull() {
		return 8
	}
	ty := v.Type()
	switch {
	case ty == cty.String:
		return 8 + len(v.AsString())
	case ty.IsPrimitiveType() || ty.IsCapsuleType():
		return 16
	case ty.IsObjectType():
		total := 8
		for name := range ty.AttributeTypes() {
			total += len(name) + sizeOf(v.GetAttr(name), limit-total)
			if total > limit {
				return total
			}
		}
		return total
	default:
		total := 8
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			if ty.IsMapType() {
				total += sizeOf(k, limit)
			}
			total += sizeOf(e, limit-total)
			if total > limit {
				return total
			}
		}
		return total
	}
}

// meterVariable is the name under which an evaluation context carries its meter. It cannot be written in HCL.
const meterVariable = "\x00meter"

var meterType = cty.Capsule("meter", reflect.TypeFor[meter]())

func meterIn(ctx *hcl.EvalContext) *meter {
	for ; ctx != nil; ctx = ctx.Parent() {
		if v, ok := ctx.Variables[meterVariable]; ok {
			return v.EncapsulatedValue().(*meter)
		}
	}
	return nil
}

// metered is an expression whose every evaluation is charged: the body of a loop.
type metered struct{ hclsyntax.Expression }

func (e *metered) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	m := meterIn(ctx)
	if m == nil {
		return e.Expression.Value(ctx)
	}
	var v cty.Value
	var diags hcl.Diagnostics
	if m.steps <= maxSteps && m.bytes <= maxBytes { // else leave the loop quickly
		v, diags = e.Expression.Value(ctx)
	}
	if err := m.charge(v); err != nil {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: overBudget, Detail: err.Error(), Subject: e.Range().Ptr(),
		})
		return cty.DynamicVal, diags
	}
	return v, diags
}

// UnwrapExpression lets static analysis see through.
func (e *metered) UnwrapExpression() hcl.Expression { return e.Expression }

// prepare changes a freshly parsed body or expression in place: loop bodies are charged, and arithmetic that leaves the
// numbers is an error. It must run before the tree is shared.
func prepare(node hclsyntax.Node) {
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		switch e := n.(type) {
		case *hclsyntax.ForExpr:
			e.ValExpr, e.KeyExpr, e.CondExpr = charged(e.ValExpr), charged(e.KeyExpr), charged(e.CondExpr)
		case *hclsyntax.SplatExpr:
			if _, plain := e.Each.(*hclsyntax.RelativeTraversalExpr); !plain {
				e.Each = charged(e.Each)
			}
		case *hclsyntax.BinaryOpExpr:
			if op, ok := strictOps[e.Op]; ok {
				e.Op = op
			}
		}
		return nil
	})
}

func charged(e hclsyntax.Expression) hclsyntax.Expression {
	switch e.(type) {
	case nil, *metered, *hclsyntax.AnonSymbolExpr, *hclsyntax.LiteralValueExpr,
		// A bare reference is found by its type when variables are collected, and costs nothing.
		*hclsyntax.ScopeTraversalExpr:
		return e
	}
	return &metered{e}
}

var strictOps = map[*hclsyntax.Operation]*hclsyntax.Operation{
	hclsyntax.OpDivide:   {Impl: finite(stdlib.DivideFunc, "division"), Type: cty.Number},
	hclsyntax.OpModulo:   {Impl: finite(stdlib.ModuloFunc, "remainder"), Type: cty.Number},
	hclsyntax.OpMultiply: {Impl: finite(stdlib.MultiplyFunc, "multiplication"), Type: cty.Number},
}

// finite wraps a function of two numbers so that a zero divisor and an infinite result are errors.
func finite(f function.Function, what string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "a", Type: cty.Number, AllowDynamicType: true}, {Name: "b", Type: cty.Number, AllowDynamicType: true}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if what != "multiplication" && args[1].AsBigFloat().Sign() == 0 {
				return cty.NilVal, function.NewArgErrorf(1, "%s by zero", what)
			}
			v, err := f.Call(args)
			if err != nil {
				return v, err
			}
			return v, checkFinite(v)
		},
	})
}

func checkFinite(v cty.Value) error {
	if v.Type() != cty.Number || v.IsMarked() || !v.IsKnown() || v.IsNull() {
		return nil
	}
	n := v.AsBigFloat()
	if n.IsInf() {
		return fmt.Errorf("the result is infinite")
	}
	if n.MantExp(new(big.Float)) > 1<<16 {
		return fmt.Errorf("the result has too many digits")
	}
	return nil
}
