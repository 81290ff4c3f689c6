package render

import (
	"bufio"
	"io"
	"strings"
)

// csvWriter writes comma-separated values that no spreadsheet takes for a formula (OWASP, "CSV Injection"): a cell that
// begins with one of = + - @ or their wide forms, a tab or a line break has an apostrophe put before it, and every cell
// is quoted. Control and direction characters are shown as escapes, as on a terminal. The first error is kept and comes from done.
type csvWriter struct{ w *bufio.Writer }

func newCSV(w io.Writer) *csvWriter { return &csvWriter{w: bufio.NewWriterSize(w, 1<<16)} }

// row writes one line, ended as RFC 4180 says.
func (c *csvWriter) row(cells ...string) {
	for i, cell := range cells {
		if i > 0 {
			_ = c.w.WriteByte(',') // the writer keeps its first error, and flush gives it
		}
		_ = c.w.WriteByte('"')
		_, _ = c.w.WriteString(strings.ReplaceAll(formulaSafe(cell), `"`, `""`))
		_ = c.w.WriteByte('"')
	}
	_, _ = c.w.WriteString("\r\n")
}

func (c *csvWriter) done() error { return c.w.Flush() }

// formulaSafe keeps a cell from being taken for a formula. A cell that is safe comes back as it is.
func formulaSafe(cell string) string {
	text := SafeText(cell)
	// Blanks before a formula do not keep every program from running it.
	trimmed := strings.TrimLeft(text, " \u200c\u200d")
	if trimmed == "" {
		return text
	}
	if strings.ContainsAny(trimmed[:1], "=+-@|%") || strings.HasPrefix(trimmed, `\t`) || strings.HasPrefix(trimmed, `\r`) || strings.HasPrefix(trimmed, `\n`) {
		return "'" + text
	}
	for _, wide := range []string{"＝", "＋", "－", "＠", "﹢", "﹣", "−"} {
		if strings.HasPrefix(trimmed, wide) {
			return "'" + text
		}
	}
	return text
}
