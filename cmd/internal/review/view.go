package review

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/rivo/uniseg"

	"github.com/weir-project/weir/cmd/internal/render"
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

// head are the lines above the list: what would happen now. On a terminal without room for it there are none.
func (s *Screen) head() []string {
	lines := append(s.wrap("Review: "+s.list.sentence()), "")
	return lines[:max(0, min(len(lines), s.height-len(s.foot())-1))]
}

// text is what the last question is about, or the help.
func (s *Screen) text() []string {
	if s.mode == confirming {
		return s.conclusion()
	}
	var lines []string
	for line := range strings.SplitSeq(help, "\n") {
		lines = append(lines, s.wrap(line)...)
	}
	return lines
}

func (s *Screen) draw() string {
	head, foot, body := s.head(), s.foot(), s.body()
	var lines []string
	for _, line := range head {
		lines = append(lines, s.style(bold, cut(line, s.width)))
	}
	switch s.mode {
	case helping, confirming:
		text := s.text()
		at := max(0, min(s.at, len(text)-body))
		shown := text[at:min(len(text), at+body)]
		if hidden := len(text) - at - len(shown); hidden > 0 && body > 1 {
			shown = append(slices.Clone(shown[:body-1]), s.style(dim, cut(fmt.Sprintf("  … and %d more (↓ shows them)", hidden+1), s.width)))
		}
		lines = append(lines, shown...)
	default:
		for i := s.top; i < min(len(s.rows), s.top+body); i++ {
			lines = append(lines, s.line(i))
		}
		if len(s.rows) == 0 {
			lines = append(lines, "  nothing found")
		}
	}
	room := max(0, min(len(head)+body, s.height-len(foot)))
	lines = lines[:min(len(lines), room)]
	for len(lines) < room {
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
func (s *Screen) conclusion() []string {
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
	return lines
}

// wrap breaks a line that is wider than the terminal; others stay as they are, with their blanks.
func (s *Screen) wrap(line string) []string {
	if uniseg.StringWidth(line) <= s.width {
		return []string{line}
	}
	return render.Wrap(line, max(1, s.width))
}

// typing is text that is being typed behind a label. Its end stays in sight; where there is no room behind the label, it has
// a line of its own.
func (s *Screen) typing(label, text string) []string {
	room := s.width - uniseg.StringWidth(label)
	switch {
	case uniseg.StringWidth(text) <= room:
		return []string{label + text}
	case room >= 20:
		return []string{label + end(text, room)}
	}
	return []string{cut(strings.TrimRight(label, " "), s.width), "    " + end(text, s.width-4)}
}

// end is the end of a text that is wider than the columns for it.
func end(text string, columns int) string {
	if uniseg.StringWidth(text) <= columns {
		return text
	}
	var clusters []string
	for g := uniseg.NewGraphemes(text); g.Next(); {
		clusters = append(clusters, g.Str())
	}
	used, i := 1, len(clusters)
	for i > 0 && used+uniseg.StringWidth(clusters[i-1]) <= columns {
		i--
		used += uniseg.StringWidth(clusters[i])
	}
	return "…" + strings.Join(clusters[i:], "")
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
