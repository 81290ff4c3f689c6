package resource

import (
	"fmt"
	"regexp"

	"github.com/zclconf/go-cty/cty"
)

// Attribute is one row of a type's table: an argument that a block may write, a value that Weir computes, or both.
type Attribute struct {
	// Name as written in configuration.
	Name string
	// Type of the value. For an attribute with Nested it is derived and left zero here. Write-only attributes that take
	// a secret have type SecretType.
	Type cty.Type
	// Nested, if not empty, makes the attribute an object with its own table. Null members are not managed.
	Nested []Attribute
	// Block makes a nested attribute a block (`admin { … }`) instead of an argument (`application = { … }`).
	Block bool

	// Required arguments must be written. Optional ones may be; left out they are not managed, unless Default is set.
	Required, Optional bool
	// Computed attributes are filled from the live object (or by Customize). Computed and Optional together means:
	// written or filled.
	Computed bool
	// WriteOnly attributes are sent and never read back; state keeps a version of them.
	WriteOnly bool
	// Local attributes steer Weir only: kept in state, never sent, never drift.
	Local bool
	// Waits says that Customize may plan the attribute at its live value until something else is ready. State then keeps
	// another value than the block has, and nobody edited anything.
	Waits bool
	// Sensitive values are never shown.
	Sensitive bool
	// Immutable attributes force replacement; with Fixed, changing them is an error instead (identities).
	Immutable, Fixed bool
	// Default is used when the argument is left out; cty.NilVal means none.
	Default cty.Value

	// Description is one sentence; Label the portal's own words for the setting ("" when the portal has none); Unit such
	// as "hours".
	Description, Label, Unit string
	// Enum lists the allowed strings.
	Enum []string
	// Pattern is what a string must match, PatternHelp says so in words.
	Pattern     *regexp.Regexp
	PatternHelp string
	// Validate checks one known, non-null value.
	Validate func(cty.Value) error
	// Normalize says which values the vendor treats alike; nil compares exactly.
	Normalize *Normalizer
	// Permission names what a caller needs to write it ("Exchange Administrator"); Source the public page and date.
	Permission, Source string
}

// Normalizer brings a value to the form in which the vendor's and the author's spelling agree. It must be idempotent
// and pure. A normaliser is named, so that a report can say why two different spellings count as equal.
type Normalizer struct {
	Name   string
	Source string
	Func   func(cty.Value) cty.Value
}

// Apply normalises v; unknown and null values pass through unless the normaliser handles null itself.
func (n *Normalizer) Apply(v cty.Value) cty.Value {
	if n == nil || !v.IsKnown() {
		return v
	}
	return n.Func(v)
}

// ValueType is the attribute's cty type, with nested tables as objects.
func (a *Attribute) ValueType() cty.Type {
	if len(a.Nested) > 0 {
		return ObjectType(a.Nested)
	}
	return a.Type
}

// ObjectType is the object type of an attribute table.
func ObjectType(table []Attribute) cty.Type {
	types := make(map[string]cty.Type, len(table))
	for i := range table {
		types[table[i].Name] = table[i].ValueType()
	}
	return cty.Object(types)
}

// Object is the cty type of the type's values.
func (t *Type) Object() cty.Type { return ObjectType(t.Attributes) }

// Find returns the row of that name, or nil.
func Find(table []Attribute, name string) *Attribute {
	for i := range table {
		if table[i].Name == name {
			return &table[i]
		}
	}
	return nil
}

// Argument reports whether a block may write the attribute.
func (a *Attribute) Argument() bool { return a.Required || a.Optional }

// Observable reports whether a live read shows the attribute, so that drift can be seen.
func (a *Attribute) Observable() bool { return !a.WriteOnly && !a.Local }

// Walk calls visit for every leaf row of a table with its dotted path: rows without Nested. What a nested attribute is
// as a whole (local, write-only, sensitive, computed only) its rows are too.
func Walk(table []Attribute, visit func(path string, a *Attribute)) {
	walk("", table, &Attribute{Optional: true}, visit)
}

func walk(prefix string, table []Attribute, parent *Attribute, visit func(string, *Attribute)) {
	for i := range table {
		a := table[i]
		a.Local = a.Local || parent.Local
		a.WriteOnly = a.WriteOnly || parent.WriteOnly
		a.Sensitive = a.Sensitive || parent.Sensitive
		if !parent.Argument() {
			a.Required, a.Optional, a.Computed = false, false, true
		}
		path := prefix + a.Name
		if len(a.Nested) > 0 {
			walk(path+".", a.Nested, &a, visit)
			continue
		}
		visit(path, &a)
	}
}

func checkTable(table []Attribute) error {
	seen := map[string]bool{}
	for i := range table {
		a := &table[i]
		switch {
		case a.Name == "" || a.Description == "":
			return fmt.Errorf("attribute %d: name and description are required", i)
		case seen[a.Name]:
			return fmt.Errorf("attribute %s stands twice", a.Name)
		case !a.Required && !a.Optional && !a.Computed:
			return fmt.Errorf("attribute %s is neither required, optional nor computed", a.Name)
		case a.Required && (a.Optional || a.Computed):
			return fmt.Errorf("attribute %s is required and something else", a.Name)
		case a.WriteOnly && a.Local:
			return fmt.Errorf("attribute %s is write-only and local", a.Name)
		case a.Block && len(a.Nested) == 0:
			return fmt.Errorf("attribute %s is a block without a table", a.Name)
		case len(a.Nested) == 0 && a.Type == cty.NilType:
			return fmt.Errorf("attribute %s has no type", a.Name)
		}
		seen[a.Name] = true
		if err := checkTable(a.Nested); err != nil {
			return fmt.Errorf("in %s: %w", a.Name, err)
		}
	}
	return nil
}
