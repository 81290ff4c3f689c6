package config

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcled"
	"github.com/mitchellh/go-wordwrap"
	"github.com/zclconf/go-cty/cty"
)

// improve puts what the HCL library says into the words of this language.
func improve(d *hcl.Diagnostic) {
	if at := strings.Index(d.Detail, "panic in function implementation"); at >= 0 {
		d.Detail = d.Detail[:at] + "the function cannot work with these values."
	}
	switch d.Summary {
	case "Unsupported attribute", "Invalid index":
		if d.Expression == nil || d.EvalContext == nil || d.Subject == nil {
			return
		}
		for _, t := range d.Expression.Variables() {
			for i := 1; i < len(t); i++ {
				v, diags := t[:i].TraverseAbs(d.EvalContext)
				if diags.HasErrors() {
					break
				}
				v, _ = v.Unmark()
				name := stepName(t, i)
				if name == "" || !v.Type().IsObjectType() || v.Type().HasAttribute(name) {
					continue
				}
				if near := Nearest(name, sortedKeys(v.Type().AttributeTypes())); near != "" && !strings.Contains(d.Detail, "Did you mean") {
					d.Detail += fmt.Sprintf(" Did you mean %q?", near)
				}
				return
			}
		}
	}
}

// WriteDiagnostics writes diagnostics for people: what happened, where with the source line, which values were in play
// (never sensitive ones), and what to do. Errors come before warnings, each in order of place; repeats are dropped.
// width wraps the explanations, 0 not at all.
func WriteDiagnostics(w io.Writer, diags hcl.Diagnostics, files map[string]*hcl.File, width int, color bool) {
	sorted := slices.Clone(diags)
	sort.SliceStable(sorted, func(i, j int) bool {
		a, b := sorted[i], sorted[j]
		if a.Severity != b.Severity {
			return a.Severity == hcl.DiagError
		}
		if a.Subject == nil || b.Subject == nil {
			return a.Subject == nil && b.Subject != nil
		}
		if a.Subject.Filename != b.Subject.Filename {
			return a.Subject.Filename < b.Subject.Filename
		}
		return a.Subject.Start.Byte < b.Subject.Start.Byte
	})
	out := bufio.NewWriter(w)
	defer func() { _ = out.Flush() }()
	seen := map[string]bool{}
	for _, d := range sorted {
		var b bytes.Buffer
		writeDiagnostic(&b, d, files, width, color)
		if seen[b.String()] {
			continue
		}
		if len(seen) > 0 {
			_, _ = out.WriteString("\n")
		}
		seen[b.String()] = true
		_, _ = out.Write(b.Bytes())
	}
}

func writeDiagnostic(b *bytes.Buffer, d *hcl.Diagnostic, files map[string]*hcl.File, width int, color bool) {
	red, yellow, bold, off := "", "", "", ""
	if color {
		red, yellow, bold, off = "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[0m"
	}
	word, tint := "Error", red
	if d.Severity == hcl.DiagWarning {
		word, tint = "Warning", yellow
	}
	fmt.Fprintf(b, "%s%s:%s %s%s%s\n", tint, word, off, bold, printable(d.Summary), off)
	if d.Subject != nil && d.Subject.Filename != "" {
		writeSnippet(b, d, files[d.Subject.Filename], bold, off)
	}
	for _, line := range valuesInScope(d) {
		fmt.Fprintf(b, "    %s\n", line)
	}
	for _, line := range strings.Split(d.Detail, "\n") {
		line = printable(line)
		// Commands to copy stand on an indented line and are never broken.
		if width > 20 && !strings.HasPrefix(line, "  ") {
			line = wordwrap.WrapString(line, uint(width))
		}
		b.WriteString(line + "\n")
	}
}

func writeSnippet(b *bytes.Buffer, d *hcl.Diagnostic, file *hcl.File, bold, off string) {
	rng := *d.Subject
	where := ""
	if file != nil && file.Nav != nil {
		if s := hcled.ContextString(file, rng.Start.Byte); s != "" {
			where = ", in " + printable(s)
		}
	}
	fmt.Fprintf(b, "  on %s line %d%s:\n", printable(rng.Filename), rng.Start.Line, where)
	if file == nil || rng.Start.Byte > len(file.Bytes) {
		return
	}
	lines := bytes.Split(file.Bytes, []byte("\n"))
	last := min(rng.End.Line, rng.Start.Line+3)
	for n := rng.Start.Line; n <= last && n <= len(lines); n++ {
		line := strings.TrimRight(string(lines[n-1]), "\r")
		if len(line) > 400 {
			line = line[:400] + "…"
		}
		from := byteOf(rng.Start, n, 0, line, file.Bytes)
		to := len(line)
		if n == rng.End.Line {
			to = byteOf(rng.End, n, len(line), line, file.Bytes)
		}
		if n > rng.Start.Line {
			from = len(line) - len(strings.TrimLeft(line, " \t"))
		}
		if bold != "" && from < to && to <= len(line) {
			fmt.Fprintf(b, "  %d: %s%s%s%s%s\n", n, printable(line[:from]), bold, printable(line[from:to]), off, printable(line[to:]))
			continue
		}
		fmt.Fprintf(b, "  %d: %s\n", n, printable(line))
	}
	if last < rng.End.Line {
		b.WriteString("  …\n")
	}
}

// byteOf is the offset of a position within its line.
func byteOf(p hcl.Pos, line, other int, text string, src []byte) int {
	if p.Line != line || p.Byte > len(src) {
		return other
	}
	return max(0, min(len(text), p.Byte-1-bytes.LastIndexByte(src[:p.Byte], '\n')))
}

// valuesInScope lists the values behind the references of the expression at fault.
func valuesInScope(d *hcl.Diagnostic) []string {
	if d.Expression == nil || d.EvalContext == nil {
		return nil
	}
	var out []string
	seen := map[string]bool{}
	for _, t := range d.Expression.Variables() {
		name := traversalText(t)
		if seen[name] || len(out) == 6 {
			continue
		}
		seen[name] = true
		v, diags := t.TraverseAbs(d.EvalContext)
		if diags.HasErrors() {
			continue
		}
		out = append(out, fmt.Sprintf("%s %s", name, describe(v)))
	}
	return out
}

// describe says what a value is, in at most a line.
func describe(v cty.Value) string {
	if v.HasMarkDeep(SensitiveMark) || v.HasMarkDeep(EphemeralMark) {
		return "has a sensitive value"
	}
	v, _ = v.UnmarkDeep()
	ty := v.Type()
	switch {
	case !v.IsKnown():
		return "is not known yet"
	case v.IsNull():
		return "is null"
	case ty.IsPrimitiveType():
		s := printable(FormatValue(v))
		if len(s) > 120 {
			s = string([]rune(s)[:60]) + "…"
		}
		return "is " + s
	case ty.IsObjectType():
		return fmt.Sprintf("is an object with %d attributes", len(ty.AttributeTypes()))
	case ty.IsCollectionType() || ty.IsTupleType():
		return fmt.Sprintf("is %s with %d elements", typeName(ty), v.LengthInt())
	}
	return "is " + typeName(ty)
}

func traversalText(t hcl.Traversal) string {
	var b strings.Builder
	for _, step := range t {
		switch s := step.(type) {
		case hcl.TraverseRoot:
			b.WriteString(s.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + s.Name)
		case hcl.TraverseIndex:
			if key, err := keyOf(s.Key); err == nil {
				b.WriteString(key.String())
				continue
			}
			b.WriteString("[…]")
		default:
			b.WriteString("[*]")
		}
	}
	return printable(b.String())
}

// printable keeps control characters and what changes the direction of text away from a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return '\uFFFD'
		}
		return r
	}, s)
}
