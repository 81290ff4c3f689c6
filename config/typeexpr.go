package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// providerType is the cty type of references to provider blocks.
var providerType = cty.CapsuleWithOps("provider", reflect.TypeFor[providerRef](), &cty.CapsuleOps{
	GoString:     func(v any) string { return v.(*providerRef).String() },
	TypeGoString: func(reflect.Type) string { return "config.providerType" },
	RawEquals:    func(a, b any) bool { return *a.(*providerRef) == *b.(*providerRef) },
})

type providerRef struct{ kind, name string }

func (p *providerRef) String() string { return "provider." + p.kind + "." + p.name }

// typeSet holds the types that depend on the registry.
type typeSet struct {
	// tenant is the type of tenant values: the attribute table, and what only the frame knows.
	tenant cty.Type
	blocks map[string]cty.Type // by type name, data sources with "data." before
}

// frameArguments are the arguments of a tenant block that the frame reads.
var frameArguments = []string{"key", "name", "primary_domain", "parent", "entra_tenant_id", "tags", "essentials", "microsoft"}

// frameAttributes are the attributes of a tenant value that the frame knows.
var frameAttributes = map[string]cty.Type{
	"key": cty.String, "name": cty.String, "primary_domain": cty.String, "parent": cty.String,
	"entra_tenant_id": cty.String, "tags": cty.Map(cty.String), "stack": cty.String,
}

func newTypeSet(r *resource.Registry) typeSet {
	s := typeSet{blocks: map[string]cty.Type{}}
	attrs := map[string]cty.Type{}
	for _, t := range r.Types() {
		s.blocks[t.Name] = t.Object()
		if t.Name == "tenant" {
			for name, ty := range t.Object().AttributeTypes() {
				attrs[name] = ty
			}
		}
	}
	for name, ty := range frameAttributes {
		if _, taken := attrs[name]; !taken || name != "stack" {
			attrs[name] = ty
		}
	}
	s.tenant = cty.Object(attrs)
	for _, d := range r.DataTypes() {
		s.blocks["data."+d.Name] = resource.ObjectType(d.Attributes)
	}
	return s
}

// value is the type of references to a block's instances.
func (s *typeSet) value(b *block) cty.Type {
	switch {
	case b.isTenant():
		return s.tenant
	case b.data != nil:
		return s.blocks["data."+b.typeName]
	default:
		return s.blocks[b.typeName]
	}
}

const invalidType = "Invalid type"

// typeConstraint reads the type of a variable: Terraform's type expressions, and the words tenant, provider and secret.
func (s *typeSet) typeConstraint(expr hcl.Expression) (cty.Type, *typeexpr.Defaults, hcl.Diagnostics) {
	if diags := guardStatic(expr); diags.HasErrors() {
		return cty.DynamicPseudoType, nil, diags
	}
	fail := func(rng hcl.Range, format string, args ...any) (cty.Type, *typeexpr.Defaults, hcl.Diagnostics) {
		return cty.DynamicPseudoType, nil, hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: invalidType, Detail: fmt.Sprintf(format, args...), Subject: rng.Ptr(),
		}}
	}
	words := []string{"string", "number", "bool", "any", "list", "set", "map", "object", "tuple", "tenant", "provider", "secret"}
	if word := hcl.ExprAsKeyword(expr); word != "" {
		switch word {
		case "string":
			return cty.String, nil, nil
		case "number":
			return cty.Number, nil, nil
		case "bool":
			return cty.Bool, nil, nil
		case "any":
			return cty.DynamicPseudoType, nil, nil
		case "tenant":
			return s.tenant, nil, nil
		case "provider":
			return providerType, nil, nil
		case "secret":
			return resource.SecretType, nil, nil
		case "list", "set", "map":
			return fail(expr.Range(), "%s needs the type of its elements: %s(string).", word, word)
		case "object", "tuple":
			return fail(expr.Range(), "%s needs its parts: object({ name = string }) or tuple([string, number]).", word)
		}
		return fail(expr.Range(), "%q is no type.%s", word, meant("", word, words))
	}
	call, diags := hcl.ExprCall(expr)
	if diags.HasErrors() {
		return fail(expr.Range(), "A type is a word such as string, or a call such as list(string).")
	}
	if len(call.Arguments) != 1 {
		return fail(call.ArgsRange, "%s takes one argument.", call.Name)
	}
	arg := call.Arguments[0]
	switch call.Name {
	case "list", "set", "map":
		ty, defaults, diags := s.typeConstraint(arg)
		if diags.HasErrors() {
			return ty, nil, diags
		}
		var whole cty.Type
		switch call.Name {
		case "list":
			whole = cty.List(ty)
		case "set":
			whole = cty.Set(ty)
		default:
			whole = cty.Map(ty)
		}
		return whole, inCollection(whole, defaults), nil
	case "tuple":
		items, diags := hcl.ExprList(arg)
		if diags.HasErrors() {
			return fail(arg.Range(), "tuple takes a list of types: tuple([string, number]).")
		}
		var types []cty.Type
		children := map[string]*typeexpr.Defaults{}
		for i, item := range items {
			ty, defaults, diags := s.typeConstraint(item)
			if diags.HasErrors() {
				return ty, nil, diags
			}
			types = append(types, ty)
			if defaults != nil {
				children[fmt.Sprint(i)] = defaults
			}
		}
		whole := cty.Tuple(types)
		if len(children) == 0 {
			return whole, nil, nil
		}
		return whole, &typeexpr.Defaults{Type: whole, Children: children}, nil
	case "object":
		return s.objectConstraint(arg, fail)
	}
	return fail(call.NameRange, "%q is no type.%s", call.Name, meant("", call.Name, words))
}

func (s *typeSet) objectConstraint(arg hcl.Expression, fail func(hcl.Range, string, ...any) (cty.Type, *typeexpr.Defaults, hcl.Diagnostics)) (cty.Type, *typeexpr.Defaults, hcl.Diagnostics) {
	pairs, diags := hcl.ExprMap(arg)
	if diags.HasErrors() {
		return fail(arg.Range(), "object takes its attributes: object({ name = string }).")
	}
	attrs := map[string]cty.Type{}
	var optional []string
	values := map[string]cty.Value{}
	children := map[string]*typeexpr.Defaults{}
	for _, pair := range pairs {
		if diags := guardStatic(pair.Key); diags.HasErrors() {
			return cty.DynamicPseudoType, nil, diags
		}
		name := hcl.ExprAsKeyword(pair.Key)
		if name == "" {
			return fail(pair.Key.Range(), "An attribute's name is one word.")
		}
		if _, twice := attrs[name]; twice {
			return fail(pair.Key.Range(), "Attribute %q stands twice.", name)
		}
		inner := pair.Value
		var fallback hcl.Expression
		if diags := guardStatic(inner); diags.HasErrors() {
			return cty.DynamicPseudoType, nil, diags
		}
		if call, diags := hcl.ExprCall(inner); !diags.HasErrors() && call.Name == "optional" {
			if len(call.Arguments) < 1 || len(call.Arguments) > 2 {
				return fail(call.ArgsRange, "optional takes a type and, if you like, a default.")
			}
			optional = append(optional, name)
			inner = call.Arguments[0]
			if len(call.Arguments) == 2 {
				fallback = call.Arguments[1]
			}
		}
		ty, defaults, diags := s.typeConstraint(inner)
		if diags.HasErrors() {
			return ty, nil, diags
		}
		attrs[name] = ty
		if defaults != nil {
			children[name] = defaults
		}
		if fallback != nil {
			v, diags := fallback.Value(nil)
			if diags.HasErrors() {
				return cty.DynamicPseudoType, nil, diags
			}
			v, err := convert.Convert(v, ty)
			if err != nil {
				return fail(fallback.Range(), "The default of %q is not %s: %s.", name, typeName(ty), err)
			}
			values[name] = v
		}
	}
	whole := cty.ObjectWithOptionalAttrs(attrs, optional)
	if len(values) == 0 && len(children) == 0 {
		return whole, nil, nil
	}
	return whole, &typeexpr.Defaults{Type: whole, DefaultValues: values, Children: children}, nil
}

func inCollection(ty cty.Type, inner *typeexpr.Defaults) *typeexpr.Defaults {
	if inner == nil {
		return nil
	}
	return &typeexpr.Defaults{Type: ty, Children: map[string]*typeexpr.Defaults{"": inner}}
}

// typeName names a type for people.
func typeName(ty cty.Type) string {
	switch {
	case ty == cty.String:
		return "text"
	case ty == cty.Number:
		return "a number"
	case ty == cty.Bool:
		return "true or false"
	case ty == cty.DynamicPseudoType:
		return "any value"
	case ty == resource.SecretType:
		return `a secret reference, such as secret("env://NAME")`
	case ty == directory.PredicateType:
		return "a condition over entry"
	case ty == providerType:
		return "a provider block, such as provider.essentials.us1"
	case ty.IsCapsuleType():
		return ty.FriendlyName()
	case ty.IsListType():
		return "a list of " + plural(ty.ElementType())
	case ty.IsSetType():
		return "a set of " + plural(ty.ElementType())
	case ty.IsMapType():
		return "a map of " + plural(ty.ElementType())
	case ty.IsObjectType():
		if ty.HasAttribute("primary_domain") && ty.HasAttribute("key") && ty.HasAttribute("stack") {
			return "a tenant"
		}
		return "an object"
	case ty.IsTupleType():
		return "a list"
	}
	return ty.FriendlyName()
}

func plural(ty cty.Type) string {
	switch ty {
	case cty.String:
		return "texts"
	case cty.Number:
		return "numbers"
	case cty.Bool:
		return "true or false"
	}
	return strings.TrimPrefix(strings.TrimPrefix(typeName(ty), "a "), "an ") + " values"
}
