package config

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// Format brings a native file to its canonical layout. A file that does not parse is returned as it is, with the
// reasons.
func Format(src []byte, filename string) ([]byte, hcl.Diagnostics) {
	if len(src) > maxFile {
		return src, tooLarge(filename, len(src))
	}
	if diags := guardConfig(src, filename); diags.HasErrors() {
		return src, diags
	}
	if _, diags := hclsyntax.ParseConfig(src, filename, hcl.InitialPos); diags.HasErrors() {
		return src, diags
	}
	return hclwrite.Format(src), nil
}

// FormatValue writes a value as HCL source text. Sensitive parts read (sensitive value) and unknown ones
// (known after apply), which are not HCL: such a text is for people only.
func FormatValue(v cty.Value) string {
	var b strings.Builder
	writeValue(&b, v)
	return b.String()
}

func writeValue(b *strings.Builder, v cty.Value) {
	if v == cty.NilVal {
		b.WriteString("null")
		return
	}
	v, marks := v.Unmark()
	if ref := resource.SecretOf(v); ref != nil && ref.URL != "" {
		b.WriteString("secret(" + quote(ref.URL) + ")")
		return
	}
	_, sensitive := marks[SensitiveMark]
	_, ephemeral := marks[EphemeralMark]
	ty := v.Type()
	switch {
	case sensitive || ephemeral:
		b.WriteString("(sensitive value)")
	case !v.IsKnown():
		b.WriteString("(known after apply)")
	case v.IsNull():
		b.WriteString("null")
	case ty == cty.String:
		b.WriteString(quote(v.AsString()))
	case ty == cty.Number:
		b.WriteString(v.AsBigFloat().Text('f', -1))
	case ty == cty.Bool:
		if v.True() {
			b.WriteString("true")
		} else {
			b.WriteString("false")
		}
	case ty == directory.PredicateType:
		b.WriteString(directory.PredicateOf(v).Text())
	case ty == providerType:
		b.WriteString(v.EncapsulatedValue().(*providerRef).String())
	case ty.IsCapsuleType():
		b.WriteString("(" + ty.FriendlyName() + ")")
	case ty.IsObjectType() || ty.IsMapType():
		b.WriteString("{")
		first := true
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			if !first {
				b.WriteString(",")
			}
			first = false
			b.WriteString(" ")
			if name := k.AsString(); hclsyntax.ValidIdentifier(name) && name != "for" {
				b.WriteString(name)
			} else {
				b.WriteString(quote(name))
			}
			b.WriteString(" = ")
			writeValue(b, e)
		}
		if !first {
			b.WriteString(" ")
		}
		b.WriteString("}")
	default:
		set := ty.IsSetType()
		if set {
			b.WriteString("toset(")
		}
		b.WriteString("[")
		first := true
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			if !first {
				b.WriteString(", ")
			}
			first = false
			writeValue(b, e)
		}
		b.WriteString("]")
		if set {
			b.WriteString(")")
		}
	}
}

// quote writes text as an HCL literal.
func quote(s string) string {
	return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes())
}
