package review

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/rivo/uniseg"
)

// The styles, as ANSI codes.
const (
	bold    = "1"
	dim     = "2"
	reverse = "7"
	red     = "31"
	yellow  = "33"
)

const help = `space, x     tick or untick the item, or all of a group that a search finds
↑ ↓ j k      move; page up and down, home and end too
← → tab      fold and unfold a group; what stops receiving is never folded
/            find: words that the line contains; esc shows all again
enter        go on: shows what it has come to, and asks
q, ctrl+c    end the review; nothing is changed

[x] is applied, [ ] is left out, [-] is left out along with another item,
because one depends on the other. [h] is held by a guard and not applied.

Left out this time, an item is proposed again by the next plan. Until a date,
no run touches the account, weir sync neither; past the date it is still left
alone, and reported. An exemption is a block in the configuration, with a reason.
What is held can be left out in these two ways, and does not count against a
limit then; the rest stays held, and the next plan asks for it if it may pass.`

// View draws the form.
func (s *Screen) View() tea.View {
	v := tea.NewView(s.draw())
	v.AltScreen = true
	return v
}

func (s *Screen) draw() string {
	foot := s.foot()
	body := s.body()
	lines := []string{s.style(bold, cut("Review: "+s.list.sentence(), s.width)), ""}
	switch s.mode {
	case helping:
		for line := range strings.SplitSeq(help, "\n") {
			lines = append(lines, cut(line, s.width))
		}
	case confirming:
		lines = append(lines, s.conclusion(body)...)
	default:
		for i := s.top; i < min(len(s.rows), s.top+body); i++ {
			lines = append(lines, s.line(i))
		}
		if len(s.rows) == 0 {
			lines = append(lines, "  nothing found")
		}
	}
	if len(lines) > body+2 {
		lines = lines[:body+2]
	}
	for len(lines) < body+2 {
		lines = append(lines, "")
	}
	for i, line := range foot {
		code := ""
		switch {
		case s.mode == confirming:
			code = bold
		case i == len(foot)-1:
			code = dim
		}
		lines = append(lines, s.style(code, cut(line, s.width)))
	}
	return strings.Join(lines, "\n")
}

// line is one row of the list.
func (s *Screen) line(i int) string {
	r := s.rows[i]
	mark := "  "
	if i == s.cursor {
		mark = "> "
	}
	if r.item < 0 {
		return s.paint(i, bold, cut(mark+s.heading(r.group), s.width))
	}
	it := &s.list.Items[r.item]
	box, tail := "[x]", it.About
	switch {
	case s.list.Out(r.item):
		box, tail = "[ ]", "left out, "+s.list.fate(r.item)
		if _, along := s.list.With(r.item); along {
			box, tail = "[-]", "left out "+s.list.fate(r.item)
		}
	case it.Held:
		box = "[h]"
	}
	code := ""
	switch {
	case box == "[h]":
		code = yellow
	case box != "[x]":
		code = dim
	case len(it.Stops) > 0:
		code = red
		tail = "stops receiving: " + strings.Join(it.Stops, ", ") + "; " + tail
	}
	return s.paint(i, code, cut(fmt.Sprintf("%s  %s %-3s %s  %s", mark, box, it.Symbol, it.Name, tail), s.width))
}

func (s *Screen) heading(g int) string {
	group := s.list.Groups[g]
	found, in := 0, 0
	for i := group.First; i < group.End; i++ {
		if s.list.matches(i, s.search) {
			found++
			if !s.list.Out(i) {
				in++
			}
		}
	}
	arrow, box := "▾", "[x]"
	if s.folded[g] && s.search == "" {
		arrow = "▸"
	}
	switch {
	case in == 0:
		box = "[ ]"
	case in < found:
		box = "[~]"
	case group.Held != "":
		box = "[h]"
	}
	text := fmt.Sprintf("%s %s %s: %d", arrow, box, group.Title, found)
	if in < found {
		text += fmt.Sprintf(", %d left out", found-in)
	}
	if group.Held != "" {
		text += ". " + group.Held
	}
	return text
}

// conclusion says what it has come to: what stops receiving first, then what is left out.
func (s *Screen) conclusion(most int) []string {
	var lines []string
	add := func(code, text string) { lines = append(lines, s.style(code, cut(text, s.width))) }
	for i := range s.list.Items {
		for _, x := range s.list.Items[i].Stops {
			if s.list.Ticked(i) {
				add(red, "  stops receiving: "+x)
			}
		}
	}
	for i := range s.list.Items {
		if fate := s.list.fate(i); fate != "" {
			add("", "  left out: "+s.list.Items[i].Name+", "+fate)
		}
	}
	if n := s.list.Held(); n > 0 {
		add(yellow, fmt.Sprintf("  held, and not applied: %d", n))
	}
	if len(lines) == 0 {
		add("", "  Everything is applied.")
	}
	if len(lines) > most && most > 1 {
		hidden := len(lines) - most + 1
		lines = append(lines[:most-1], s.style(dim, fmt.Sprintf("  … and %d more (n goes back to the list, which shows all)", hidden)))
	}
	return lines
}

// paint colours a row, that of the cursor above all.
func (s *Screen) paint(i int, code, text string) string {
	if i == s.cursor && s.mode == browsing {
		code = reverse
	}
	return s.style(code, text)
}

// style colours text that is fit for a terminal, if colours are wanted.
func (s *Screen) style(code, text string) string {
	if !s.color || code == "" || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// cut shortens text to columns of a terminal.
func cut(text string, columns int) string {
	if uniseg.StringWidth(text) <= columns {
		return text
	}
	var b strings.Builder
	used := 0
	for g := uniseg.NewGraphemes(text); g.Next(); {
		if used+g.Width() > columns-1 {
			break
		}
		used += g.Width()
		b.WriteString(g.Str())
	}
	return b.String() + "…"
}
