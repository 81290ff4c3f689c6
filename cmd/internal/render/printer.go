package render

import (
	"bufio"
	"io"
	"strings"
)

// The colours, as ANSI codes.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// printer writes lines for a terminal. What it is given is safe already, or goes through its safe methods. The first
// error of the writer is kept and ends all output.
type printer struct {
	w *bufio.Writer
	o Options
}

func newPrinter(w io.Writer, o Options) *printer { return &printer{w: bufio.NewWriter(w), o: o} }

func (p *printer) done() error { return p.w.Flush() }

// line writes one line; trailing blanks are cut.
func (p *printer) line(parts ...string) {
	_, _ = p.w.WriteString(strings.TrimRight(strings.Join(parts, ""), " ") + "\n")
}

func (p *printer) blank() { p.line() }

// style colours a safe text, if colours are wanted.
func (p *printer) style(code, s string) string {
	if !p.o.Color || s == "" || code == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// symbol is an action's symbol in its colour, in four columns.
func (p *printer) symbol(s string) string {
	code := ""
	switch s {
	case "+", "<-", "<=":
		code = green
	case "~", "=>":
		code = yellow
	case "-", "!":
		code = red
	case "-/+", "+/-":
		code = red
	case ".":
		code = dim
	}
	padded := pad(s, 3) + " "
	if code == "" {
		return padded
	}
	return p.style(code, padded)
}

// prose writes foreign text, wrapped, the first line with lead before it and the others as far indented. Line breaks
// in the text are kept.
func (p *printer) prose(code, lead, text string) {
	indent := strings.Repeat(" ", width(lead))
	for _, paragraph := range safeLines(text) {
		for _, line := range Wrap(paragraph, max(p.o.width()-width(lead), 30)) {
			p.line(p.style(code, lead+line))
			lead = indent
		}
	}
}

// block writes text to paste, line by line as it is.
func (p *printer) block(indent, text string) {
	for _, line := range safeLines(text) {
		p.line(indent, p.style(cyan, line))
	}
}

// Wrap breaks a line that is fit for a terminal at blanks, to that many columns. Leading blanks are kept on every line. A
// longer word stays whole.
func Wrap(s string, columns int) []string {
	lead := s[:len(s)-len(strings.TrimLeft(s, " "))]
	var lines []string
	current, used := "", 0
	for _, word := range strings.Fields(s) {
		w := width(word)
		switch {
		case current == "":
			current, used = lead+word, len(lead)+w
		case used+1+w <= columns:
			current, used = current+" "+word, used+1+w
		default:
			lines = append(lines, current)
			current, used = lead+word, len(lead)+w
		}
	}
	return append(lines, current)
}
