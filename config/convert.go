package config

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// convertTo converts a value, keeping marks and unknowns; errors name the place inside the value.
func convertTo(v cty.Value, ty cty.Type) (cty.Value, error) {
	out, err := convert.Convert(v, ty)
	if err != nil {
		return v, fmt.Errorf("%s", typeError(err, v, ty))
	}
	return out, nil
}

// typeError says in words why v does not convert to ty. It shows types, never values.
func typeError(err error, v cty.Value, ty cty.Type) string {
	where := ""
	if pe, ok := err.(cty.PathError); ok && len(pe.Path) > 0 {
		where = " (at " + pathText(pe.Path) + ": " + pe.Error() + ")"
	} else if ty.IsObjectType() && v.Type().IsObjectType() {
		where = " (" + err.Error() + ")"
	}
	given := typeName(v.Type())
	if v.IsNull() {
		given = "null"
	}
	return fmt.Sprintf("expected %s, but this is %s%s", typeName(ty), given, where)
}

// pathText writes a path inside a value.
func pathText(p cty.Path) string {
	var b strings.Builder
	for i, step := range p {
		switch s := step.(type) {
		case cty.GetAttrStep:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.Name)
		case cty.IndexStep:
			key, err := keyOf(s.Key)
			if err != nil {
				b.WriteString("[…]")
				continue
			}
			b.WriteString(key.String())
		}
	}
	return b.String()
}

// dropped is an attribute that a conversion to an object type would lose.
type dropped struct {
	path, name string
	nearest    string // the declared attribute it resembles; "" when there is none
	declared   []string
}

// findDropped looks for an attribute of v that ty does not declare: any when every is true, else only one within two
// edits of a declared attribute, which is a slip of the pen more likely than data that nobody reads.
func findDropped(v cty.Value, ty cty.Type, every bool) *dropped {
	return findDroppedAt(v, ty, every, "")
}

func findDroppedAt(v cty.Value, ty cty.Type, every bool, at string) *dropped {
	v, _ = v.Unmark()
	if v == cty.NilVal || ty == cty.DynamicPseudoType || v.IsNull() {
		return nil
	}
	from := v.Type()
	join := func(name string) string {
		if at == "" {
			return name
		}
		return at + "." + name
	}
	switch {
	case ty.IsObjectType() && from.IsObjectType():
		declared := sortedKeys(ty.AttributeTypes())
		for _, name := range sortedKeys(from.AttributeTypes()) {
			if !ty.HasAttribute(name) {
				if d := lost(name, declared, every, at); d != nil {
					return d
				}
				continue
			}
			if !v.IsKnown() {
				continue
			}
			if d := findDroppedAt(v.GetAttr(name), ty.AttributeType(name), every, join(name)); d != nil {
				return d
			}
		}
	case ty.IsObjectType() && from.IsMapType():
		if !v.IsKnown() {
			return nil
		}
		declared := sortedKeys(ty.AttributeTypes())
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			name := k.AsString()
			if !ty.HasAttribute(name) {
				if d := lost(name, declared, every, at); d != nil {
					return d
				}
				continue
			}
			if d := findDroppedAt(e, ty.AttributeType(name), every, join(name)); d != nil {
				return d
			}
		}
	case ty.IsTupleType() && from.IsTupleType():
		types := ty.TupleElementTypes()
		if !v.IsKnown() || len(types) != from.Length() {
			return nil
		}
		for i, ety := range types {
			if d := findDroppedAt(v.Index(cty.NumberIntVal(int64(i))), ety, every, fmt.Sprintf("%s[%d]", at, i)); d != nil {
				return d
			}
		}
	case ty.IsCollectionType() && hasObject(ty.ElementType()):
		if !v.IsKnown() || !v.CanIterateElements() {
			return nil
		}
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			step := "[…]"
			if key, err := keyOf(k); err == nil && !from.IsSetType() {
				step = key.String()
			}
			if d := findDroppedAt(e, ty.ElementType(), every, at+step); d != nil {
				return d
			}
		}
	}
	return nil
}

func hasObject(ty cty.Type) bool {
	switch {
	case ty.IsObjectType() || ty.IsTupleType():
		return true
	case ty.IsCollectionType():
		return hasObject(ty.ElementType())
	}
	return false
}

func lost(name string, declared []string, every bool, at string) *dropped {
	near := Nearest(name, declared)
	if !every && near == "" {
		return nil
	}
	return &dropped{path: at, name: name, nearest: near, declared: declared}
}

func (d *dropped) detail() string {
	where := ""
	if d.path != "" {
		where = fmt.Sprintf(" at %s", d.path)
	}
	s := fmt.Sprintf("The object%s has an attribute %q that the declared type does not have.", where, d.name)
	if d.nearest != "" {
		return s + fmt.Sprintf(" Did you mean %s?", d.nearest)
	}
	return s + fmt.Sprintf(" The type has %s.", strings.Join(d.declared, ", "))
}

// conform brings a value to the type of a table, attribute by attribute: what is not written is null. strict refuses
// attributes that the table does not have (an object written out), otherwise only those that look like a slip.
func conform(v cty.Value, table []resource.Attribute, strict bool, at string) (cty.Value, error) {
	ty := resource.ObjectType(table)
	v, marks := v.Unmark()
	if !v.IsKnown() {
		if from := v.Type(); from != cty.DynamicPseudoType && !from.IsObjectType() && !from.IsMapType() {
			return v, fmt.Errorf("%sexpected an object, but this is %s", prefix(at), typeName(from))
		}
		return cty.UnknownVal(ty).WithMarks(marks), nil
	}
	if v.IsNull() {
		return cty.NullVal(ty).WithMarks(marks), nil
	}
	from := v.Type()
	if !from.IsObjectType() && !from.IsMapType() {
		return v, fmt.Errorf("%sexpected an object, but this is %s", prefix(at), typeName(from))
	}
	given := map[string]cty.Value{}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		given[k.AsString()] = e
	}
	var names []string
	for i := range table {
		if table[i].Argument() {
			names = append(names, table[i].Name)
		}
	}
	for _, name := range sortedKeys(given) {
		row := resource.Find(table, name)
		if row != nil && (row.Argument() || !strict) {
			continue
		}
		near := Nearest(name, names)
		switch {
		case row != nil && strict:
			return v, fmt.Errorf("%s%q is filled in from the live object and cannot be written", prefix(at), name)
		case strict && near != "":
			return v, fmt.Errorf("%sthere is no attribute %q. Did you mean %s?", prefix(at), name, near)
		case strict:
			return v, fmt.Errorf("%sthere is no attribute %q; there are %s", prefix(at), name, strings.Join(names, ", "))
		case near != "" && given[near] == cty.NilVal:
			return v, fmt.Errorf("%sthe attribute %q would be dropped. Did you mean %s?", prefix(at), name, near)
		}
	}
	out := map[string]cty.Value{}
	for i := range table {
		row := &table[i]
		path := row.Name
		if at != "" {
			path = at + "." + path
		}
		e, ok := given[row.Name]
		if !ok || !row.Argument() {
			if row.Required {
				return v, fmt.Errorf("%s%q is required", prefix(at), row.Name)
			}
			out[row.Name] = cty.NullVal(row.ValueType())
			continue
		}
		c, err := conformRow(e, row, strict, path)
		if err != nil {
			return v, err
		}
		out[row.Name] = c
	}
	return cty.ObjectVal(out).WithMarks(marks), nil
}

func prefix(at string) string {
	if at == "" {
		return ""
	}
	return at + ": "
}

// conformRow converts and checks the value of one row.
func conformRow(v cty.Value, row *resource.Attribute, strict bool, path string) (cty.Value, error) {
	if len(row.Nested) > 0 {
		return conform(v, row.Nested, strict, path)
	}
	if row.Type == directory.PredicateType && v.Type() != directory.PredicateType && !v.IsNull() {
		return v, fmt.Errorf("%s: a condition over entry is written in its block, not inside a value", path)
	}
	if d := findDropped(v, row.Type, false); d != nil {
		return v, fmt.Errorf("%s", strings.TrimSuffix(d.detail(), "."))
	}
	c, err := convertTo(v, row.Type)
	if err != nil {
		if row.Type == resource.SecretType && v.Type() == cty.String {
			return v, fmt.Errorf(`a secret is never written in a file: it takes a reference, such as secret("env://NAME")`)
		}
		if v.Type() == resource.SecretType {
			return v, fmt.Errorf("a secret reference goes only into write-only attributes; this one is kept in state and shown in plans")
		}
		return v, err
	}
	if row.Required && c.IsNull() {
		return v, fmt.Errorf("%q is required and cannot be null", row.Name)
	}
	if row.Sensitive && !c.IsNull() {
		c = c.Mark(SensitiveMark)
	}
	return c, checkValue(c, row)
}

// checkValue applies enumeration, pattern and validation to what is known.
func checkValue(v cty.Value, row *resource.Attribute) error {
	if !v.IsWhollyKnown() {
		// Parts of a collection may be checked all the same, but a message about half a value confuses more than it
		// helps; the whole is checked when it is known.
		return nil
	}
	secret := v.HasMarkDeep(SensitiveMark) || v.HasMarkDeep(EphemeralMark) || row.Sensitive
	v, _ = v.UnmarkDeep()
	if v.IsNull() {
		return nil
	}
	show := func(s string) string {
		if secret {
			return "The value"
		}
		return fmt.Sprintf("%q", s)
	}
	check := func(e cty.Value) error {
		if e.IsNull() || e.Type() != cty.String {
			return nil
		}
		s := e.AsString()
		if len(row.Enum) > 0 {
			found := false
			for _, allowed := range row.Enum {
				found = found || s == allowed
			}
			if !found {
				hint := meant("", s, row.Enum)
				if hint == "" || secret {
					hint = ""
				}
				return fmt.Errorf("%s is not allowed here; allowed are %s.%s", show(s), strings.Join(row.Enum, ", "), hint)
			}
		}
		if row.Pattern != nil && !row.Pattern.MatchString(s) {
			help := row.PatternHelp
			if help == "" {
				help = "it must match " + row.Pattern.String()
			}
			return fmt.Errorf("%s is not valid: %s", show(s), help)
		}
		return nil
	}
	if len(row.Enum) > 0 || row.Pattern != nil {
		ty := v.Type()
		if ty.IsListType() || ty.IsSetType() || ty.IsTupleType() {
			for it := v.ElementIterator(); it.Next(); {
				_, e := it.Element()
				if err := check(e); err != nil {
					return err
				}
			}
		} else if err := check(v); err != nil {
			return err
		}
	}
	if row.Validate != nil {
		if err := row.Validate(v); err != nil {
			if secret {
				return fmt.Errorf("the value is not valid")
			}
			return err
		}
	}
	return nil
}
