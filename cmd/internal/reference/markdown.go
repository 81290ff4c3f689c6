package reference

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// typeName is a type in the words of a reader.
func typeName(t cty.Type) string {
	switch {
	case t == resource.SecretType:
		return "secret"
	case t == directory.PredicateType:
		return "predicate"
	case t == cty.DynamicPseudoType:
		return "provider"
	case t.IsSetType():
		return "set of " + typeName(t.ElementType())
	case t.IsListType():
		return "list of " + typeName(t.ElementType())
	case t.IsMapType():
		return "map of " + typeName(t.ElementType())
	case t.IsObjectType():
		return "object"
	default:
		return t.FriendlyName()
	}
}

// valueText is a value as configuration writes it.
func valueText(v cty.Value) string {
	return string(hclwrite.TokensForValue(v).Bytes())
}

// prose makes text safe within a line of Markdown and within a cell of a table.
func prose(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`).Replace(s)
}

func code(s string) string { return "`" + s + "`" }

func codes(all []string) string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = code(s)
	}
	return strings.Join(out, ", ")
}

// sentence ends text with a full stop.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

// page collects the lines of one page.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) {
	_, _ = fmt.Fprintf(p, format+"\n", args...)
}

// text writes a paragraph.
func (p *page) text(format string, args ...any) {
	p.line(format+"\n", args...)
}

// table writes rows under a head; none without rows.
func (p *page) table(head []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	p.line("| %s |", strings.Join(head, " | "))
	p.line("|%s", strings.Repeat("---|", len(head)))
	for _, row := range rows {
		p.line("| %s |", strings.Join(row, " | "))
	}
	p.line("")
}

// list writes one bullet an item; none without items.
func (p *page) list(items []string) {
	for _, s := range items {
		p.line("- %s", s)
	}
	if len(items) > 0 {
		p.line("")
	}
}

// wrap folds a paragraph of prose at 120 columns, as the repository's other Markdown is.
func wrap(s string) string {
	const width = 120
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(s) {
		n := len([]rune(word))
		switch {
		case i == 0:
		case column+1+n > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}
