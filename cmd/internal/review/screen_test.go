package review

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/rivo/uniseg"

	"github.com/weir-project/weir/cmd/internal/render"
)

func screen(l *List) *Screen { return NewScreen(l, noon, "dana", "", false) }

func TestScreenKeys(t *testing.T) {
	for _, row := range []struct {
		name, keys, want string
		approved, ended  bool
		note             string
	}{
		{"nothing", "", "xxxxxxx", false, false, ""},
		{"an object is left out unasked", "down down space", "x.xxxxx", false, false, "this time: 1 item"},
		{"an account this time", "down down down down space t", "xx.xxxx", false, false, "this time: 1 item"},
		{"until the day proposed", "down down down down space u enter", "xx.xxxx", false, false, "until 2026-12-28"},
		{"until another day", "down down down down space u ctrl+u \"2027-01-31\" enter", "xx.xxxx", false, false, "until 2027-01-31"},
		{"a day that is over is asked again", "down down down down space u ctrl+u \"2026-01-31\" enter", "xxxxxxx", false, false, "is over"},
		{"an exemption needs a reason", "down down down down space e enter enter enter", "xxxxxxx", false, false, "a reason is needed"},
		{"an exemption", "down down down down space e \"because\" enter enter enter", "xx.xxxx", false, false, "exempt: 1 item"},
		{"as a functional account", "end space e \"phone\" enter enter enter space enter", "xxxxxx.", false, false, "as a functional account"},
		{"thought better of it", "down down down down space u esc esc", "xxxxxxx", false, false, ""},
		{"off and on", "down down down down space t space", "xxxxxxx", false, false, "Ticked again: 1 item"},
		{"a group with its heading", "down down down space t", "xx..xxx", false, false, "2 items"},
		{"a group and back", "down down down space t space", "xxxxxxx", false, false, "Ticked again: 2 items"},
		{"what goes along is said", "end up space t", "xxxx-.x", false, false, "and 1 other that belong"},
		{"a search and its group", "/ \"nora\" enter space t", "xxx.xxx", false, false, "1 item"},
		{"a search that finds nothing", "/ \"nobody\" enter space", "xxxxxxx", false, false, ""},
		{"yes", "enter y", "xxxxxxx", true, true, ""},
		{"not yet", "enter n", "xxxxxxx", false, false, ""},
		{"no", "q", "xxxxxxx", false, true, ""},
		{"ctrl+c in a question", "down down down down space u ctrl+c", "xxxxxxx", false, true, ""},
		{"ctrl+c at the last question", "enter ctrl+c", "xxxxxxx", false, true, ""},
		{"only y is yes", "enter enter space t", "xxxxxxx", false, false, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := screen(sample())
			keys(t, s, row.keys)
			if got := state(s.list); got != row.want || s.approved != row.approved || s.ended != row.ended || !strings.Contains(s.note, row.note) {
				t.Errorf("%s approved %t ended %t note %q\n%s", got, s.approved, s.ended, s.note, s.draw())
			}
		})
	}
}

func TestScreenShowsWhatStops(t *testing.T) {
	l := crowd(5000)
	s := screen(l)
	s.Update(tea.WindowSizeMsg{Width: 80, Height: 20})
	// The group is folded, and yet the leaver is in sight.
	if out := s.draw(); !strings.Contains(out, "▸ [x] Adding: 5001") || !strings.Contains(out, "stops receiving: zoe@c.example") || strings.Contains(out, "p00001") {
		t.Errorf("folded:\n%s", out)
	}
	keys(t, s, "right")
	if out := s.draw(); !strings.Contains(out, "p00001@c.example") {
		t.Errorf("unfolded:\n%s", out)
	}
	keys(t, s, "end")
	if out := s.draw(); !strings.Contains(out, "> ") || !strings.Contains(out, "zoe@") {
		t.Errorf("at the end:\n%s", out)
	}
	// A search finds one in thousands, and the heading ticks what was found.
	keys(t, s, `/ "p04321" enter space t`)
	if l.Ticked(4321) || l.Left() != 1 {
		t.Errorf("left out: %d, the one looked for: %t", l.Left(), !l.Ticked(4321))
	}
	keys(t, s, "esc home space t")
	if l.Left() != 5001 {
		t.Errorf("the whole group: %d left out", l.Left())
	}
	keys(t, s, "enter")
	if out := s.draw(); !strings.Contains(out, "0 of 5001 items") || !strings.Contains(out, "… and") {
		t.Errorf("the last question:\n%s", out)
	}
}

// TestScreenFitsTheTerminal: whatever the size, no line is wider and there are no more lines than the terminal has, and
// what was found in names stays text.
func TestScreenFitsTheTerminal(t *testing.T) {
	hostile := "e\x1b]0;title\x07vil\u202e\r\n" + strings.Repeat("漢字", 60) + "@c.example"
	item := render.ReviewItem{Address: "a", Mail: hostile, Symbol: "~", Name: render.SafeText(hostile), About: render.SafeText("\x1b[2J"), Stops: []string{render.SafeText(hostile)}}
	l := New([]render.ReviewGroup{{Title: "Disabling", Tenant: "T", Key: "t", Items: []render.ReviewItem{item}}}, nil)
	s := screen(l)
	for _, presses := range []string{"", "down", "space", "u", "esc", "e", `"rea` + "\u202e" + `son"`, "enter enter enter enter", "enter", "n", "?", "x", "/"} {
		keys(t, s, presses)
		for _, size := range [][2]int{{80, 24}, {20, 5}, {200, 60}, {10, 3}, {1, 1}} {
			s.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
			out := s.draw()
			for _, line := range strings.Split(out, "\n") {
				if n := uniseg.StringWidth(line); n > size[0] {
					t.Errorf("after %q at %v a line is %d wide: %q", presses, size, n, line)
				}
			}
			if n := strings.Count(out, "\n") + 1; n > max(size[1], 3+len(s.foot())) {
				t.Errorf("after %q at %v there are %d lines", presses, size, n)
			}
			if strings.ContainsAny(out, "\x1b\x07\r\u202e") {
				t.Errorf("after %q at %v control characters come out: %q", presses, size, out)
			}
		}
	}
	keys(t, s, "esc")
	s.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	if !strings.Contains(s.draw(), `\x1b`) {
		t.Error("the hostile name is not shown as what it is")
	}
}

func TestScreenColours(t *testing.T) {
	plain, coloured := NewScreen(sample(), noon, "", "", false), NewScreen(sample(), noon, "", "", true)
	if strings.Contains(plain.draw(), "\x1b") {
		t.Error("colour without being wanted")
	}
	if !strings.Contains(coloured.draw(), "\x1b[31m") {
		t.Error("no colour where it is wanted")
	}
}

func TestScreenWithoutExemptions(t *testing.T) {
	s := NewScreen(sample(), noon, "", "not here", false)
	keys(t, s, "end space e")
	if s.note != "not here" || s.mode != choosing {
		t.Errorf("note %q, mode %d", s.note, s.mode)
	}
}

// TestScreenPaste: what is pasted is one line of text, wherever something is typed, and nothing where nothing is.
func TestScreenPaste(t *testing.T) {
	s := screen(sample())
	s.Update(tea.PasteMsg{Content: "y\nq"})
	keys(t, s, "end space e")
	s.Update(tea.PasteMsg{Content: "two\nlines\x1b"})
	keys(t, s, "enter enter enter enter")
	if c, ok := s.list.Choice(leo); !ok || c.Exemption.Reason != "twolines" || c.Exemption.Owner != "dana" {
		t.Errorf("choice %+v, %t", c, ok)
	}
}
