package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

type variable struct {
	name        string
	ty          cty.Type
	defaults    *typeexpr.Defaults
	fallback    cty.Value // default; NilVal without one
	description string
	sensitive   bool
	ephemeral   bool
	nullable    bool
	extra       string // "ignore" or "refuse"
	typed       bool
	validations []*condition
	rng         hcl.Range
}

// noValue marks the diagnostic about a required variable of that name to which nobody gave a value.
type noValue string

func (v *variable) required() bool { return v.fallback == cty.NilVal }

// isTenant reports whether the variable holds one tenant.
func (v *variable) isTenant(s *typeSet) bool { return v.typed && v.ty.Equals(s.tenant) }

func (m *module) readVariable(bl *hcl.Block) hcl.Diagnostics {
	content, diags := bl.Body.Content(&hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{
			{Name: "type"}, {Name: "default"}, {Name: "description"}, {Name: "sensitive"}, {Name: "ephemeral"}, {Name: "nullable"}, {Name: "extra"},
		},
		Blocks: []hcl.BlockHeaderSchema{{Type: "validation"}},
	})
	v := &variable{name: bl.Labels[0], ty: cty.DynamicPseudoType, nullable: true, extra: "refuse", rng: bl.DefRange}
	if first := m.variables[v.name]; first != nil {
		return append(diags, duplicate("var."+v.name, first.rng, bl.DefRange))
	}
	m.variables[v.name] = v
	if m.parent != nil {
		switch v.name {
		case "source", "for_each", "count", "depends_on", "version", "providers":
			return append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Invalid name",
				Detail: fmt.Sprintf("A module call has its own argument %q, so no variable may be called that.", v.name), Subject: bl.LabelRanges[0].Ptr(),
			})
		}
	}
	if a := content.Attributes["type"]; a != nil {
		var more hcl.Diagnostics
		v.ty, v.defaults, more = m.g.types.typeConstraint(a.Expr)
		v.typed = true
		diags = append(diags, more...)
	}
	diags = append(diags, constant(content.Attributes["description"], cty.String, func(c cty.Value) { v.description = c.AsString() })...)
	diags = append(diags, constant(content.Attributes["sensitive"], cty.Bool, func(c cty.Value) { v.sensitive = c.True() })...)
	diags = append(diags, constant(content.Attributes["ephemeral"], cty.Bool, func(c cty.Value) { v.ephemeral = c.True() })...)
	diags = append(diags, constant(content.Attributes["nullable"], cty.Bool, func(c cty.Value) { v.nullable = c.True() })...)
	diags = append(diags, constant(content.Attributes["extra"], cty.String, func(c cty.Value) { v.extra = c.AsString() })...)
	if v.extra != "refuse" && v.extra != "ignore" {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Invalid value",
			Detail:  `"extra" says what happens to object attributes that the type does not have: "refuse" (the default) or "ignore".`,
			Subject: content.Attributes["extra"].Expr.Range().Ptr(),
		})
	}
	if a := content.Attributes["default"]; a != nil && !diags.HasErrors() {
		given, more := a.Expr.Value(nil)
		if more.HasErrors() {
			for _, d := range more {
				d.Detail += " The default of a variable cannot refer to anything or call functions; use a local for that."
			}
			return append(diags, more...)
		}
		val, more := v.convert(given, a.Expr.Range(), true)
		diags = append(diags, more...)
		if !more.HasErrors() {
			v.fallback = val
		} else {
			v.fallback = cty.UnknownVal(v.ty.WithoutOptionalAttributesDeep())
		}
		if given.IsNull() && !v.nullable {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Invalid default", Detail: "The variable is not nullable, so its default cannot be null.", Subject: a.Expr.Range().Ptr(),
			})
		}
	}
	for _, b := range content.Blocks {
		c, more := readCondition(b)
		diags = append(diags, more...)
		if c != nil {
			v.validations = append(v.validations, c)
		}
	}
	return diags
}

// convert brings a given value to the variable's type, with its optional attributes filled in. loose lets attributes
// pass that the type does not have, unless they look like a slip.
func (v *variable) convert(given cty.Value, at hcl.Range, loose bool) (cty.Value, hcl.Diagnostics) {
	want := v.ty.WithoutOptionalAttributesDeep()
	if given.Type() == resource.SecretType && v.ty == cty.DynamicPseudoType {
		return given, nil
	}
	if v.extra != "ignore" {
		if d := findDropped(given, v.ty, !loose); d != nil && !sameTenant(given, want) {
			detail := fmt.Sprintf("In the value of var.%s: ", v.name) + lowerFirst(d.detail())
			if d.nearest == "" {
				detail += ` If that is meant, say extra = "ignore" in the variable block.`
			}
			return cty.UnknownVal(want), hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "Attribute would be dropped", Detail: detail, Subject: at.Ptr(),
			}}
		}
	}
	if v.defaults != nil && !given.IsNull() {
		given = v.defaults.Apply(given)
	}
	out, err := convertTo(given, v.ty)
	if err != nil {
		return cty.UnknownVal(want), hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Invalid value for variable",
			Detail:  fmt.Sprintf("var.%s (%s): %s.", v.name, place(v.rng), err),
			Subject: at.Ptr(),
		}}
	}
	return out, nil
}

// sameTenant reports whether a value is a tenant already; then nothing can be a slip.
func sameTenant(v cty.Value, want cty.Type) bool { return v.Type().Equals(want) }

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// marked applies the variable's own marks.
func (v *variable) marked(val cty.Value) cty.Value {
	if v.sensitive {
		val = val.Mark(SensitiveMark)
	}
	if v.ephemeral {
		val = val.Mark(EphemeralMark)
	}
	return val
}

// rootValue chooses and parses the given value of a root variable. given is the last input of that name, or nil.
func (v *variable) rootValue(given *VarInput) (cty.Value, hcl.Diagnostics) {
	if given == nil {
		if v.required() {
			detail := fmt.Sprintf("The variable %q has no default and no value was given. Give one with --var %s=…, WEIR_VAR_%s, or in a file weir.weirvars.hcl.", v.name, v.name, v.name)
			if v.description != "" {
				detail += " It is: " + v.description
			}
			return cty.UnknownVal(v.ty.WithoutOptionalAttributesDeep()), hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "No value for required variable", Detail: detail, Subject: v.rng.Ptr(), Extra: noValue(v.name),
			}}
		}
		return v.marked(v.fallback), nil
	}
	at := given.Range
	if at.Empty() && at.Filename == "" {
		at = v.rng
	}
	val := given.Value
	if val == cty.NilVal {
		var diags hcl.Diagnostics
		if val, diags = v.parseText(given); diags.HasErrors() {
			return cty.UnknownVal(v.ty.WithoutOptionalAttributesDeep()), diags
		}
	}
	if val.IsNull() && !v.nullable {
		if v.required() {
			return cty.UnknownVal(v.ty.WithoutOptionalAttributesDeep()), hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "Invalid value for variable",
				Detail: fmt.Sprintf("var.%s is not nullable, but %s gives null.", v.name, given.Source), Subject: at.Ptr(),
			}}
		}
		return v.marked(v.fallback), nil
	}
	val, diags := v.convert(val, at, true)
	for _, d := range diags {
		if given.Source != "" && given.Range.Filename == "" {
			d.Detail += " The value was given by " + given.Source + "."
		}
	}
	return v.marked(val), diags
}

// parseText reads a value given as text: as it is for text, else as an expression without references.
func (v *variable) parseText(given *VarInput) (cty.Value, hcl.Diagnostics) {
	if v.ty == cty.String || !v.typed {
		return cty.StringVal(given.Text), nil
	}
	if v.ty.IsPrimitiveType() {
		return cty.StringVal(given.Text), nil // the conversion knows "true" and "12"
	}
	source := given.Source
	if source == "" {
		source = "var." + v.name
	}
	expr, diags := parseExpression([]byte(given.Text), "<"+source+">")
	if diags.HasErrors() {
		return cty.DynamicVal, inWords(diags, v, source)
	}
	val, diags := expr.Value(nil)
	if diags.HasErrors() {
		return cty.DynamicVal, inWords(diags, v, source)
	}
	return val, nil
}

func inWords(diags hcl.Diagnostics, v *variable, source string) hcl.Diagnostics {
	d := diags[0]
	return hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "Invalid value for variable",
		Detail:  fmt.Sprintf("var.%s is %s, so %s must give an expression: %s", v.name, typeName(v.ty), source, d.Detail),
		Subject: v.rng.Ptr(),
	}}
}
