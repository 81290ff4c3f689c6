package review

import (
	"fmt"
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
			if n := strings.Count(out, "\n") + 1; n > size[1] {
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

// TestScreenCursorStays: the cursor stays on its line, in sight, whatever is folded, searched or asked meanwhile.
func TestScreenCursorStays(t *testing.T) {
	under := func(s *Screen) int {
		if !strings.Contains(s.draw(), "> ") {
			t.Errorf("the cursor is out of sight:\n%s", s.draw())
		}
		return s.rows[s.cursor].item
	}
	s := screen(crowd(300))
	s.Update(tea.WindowSizeMsg{Width: 80, Height: 20})
	keys(t, s, "right end up")
	at := under(s)
	keys(t, s, "enter n")
	if got := under(s); got != at {
		t.Errorf("after the last question it is on %d, not %d", got, at)
	}
	keys(t, s, "? x")
	if got := under(s); got != at {
		t.Errorf("after the help it is on %d, not %d", got, at)
	}
	keys(t, s, `/ "p00123" enter down`)
	if got := under(s); got != 123 {
		t.Fatalf("found %d", got)
	}
	keys(t, s, "esc")
	if got := under(s); got != 123 {
		t.Errorf("after the search it is on %d", got)
	}
	// In a folded group it is on what is left out, which is not folded.
	keys(t, s, "space t left right")
	keys(t, s, "left")
	if out := s.draw(); !strings.Contains(out, "[ ] +   p00123@c.example") {
		t.Errorf("what is left out is folded:\n%s", out)
	}
	s = screen(crowd(300))
	keys(t, s, `space t`)
	if n := len(s.rows); n != 302 {
		t.Errorf("of a folded group that was left out there are %d lines", n)
	}
}

// TestScreenSaysAllOfIt: on a narrow terminal the summary, the question, a note and what the keys do are wrapped, not cut.
func TestScreenSaysAllOfIt(t *testing.T) {
	const why = "A saved plan is applied to the configuration that it was made from: for exemptions run weir apply --review without it."
	for _, columns := range []int{80, 40} {
		s := NewScreen(withHeld(), noon, "dana", why, false)
		s.Update(tea.WindowSizeMsg{Width: columns, Height: 24})
		says := func(wants ...string) {
			t.Helper()
			out := strings.Join(strings.Fields(s.draw()), " ")
			for _, want := range wants {
				if !strings.Contains(out, want) {
					t.Errorf("at %d columns %q is not said:\n%s", columns, want, s.draw())
				}
			}
		}
		keys(t, s, "down down down down space t")
		says("6 of 7 items to be applied, 1 left out, 2 held, 3 addresses stop receiving", "enter go on", "? help", "q change nothing")
		keys(t, s, "enter")
		says("Apply this?", "y yes", "n back to the list", "ctrl+c change nothing")
		keys(t, s, "n end space")
		says("leave out for longer; it does not count against a limit then", "esc goes back")
		keys(t, s, "e")
		says(why)
	}
}

// TestScreenTypesInSight: the end of a long text is in sight while it is typed.
func TestScreenTypesInSight(t *testing.T) {
	s := screen(sample())
	s.Update(tea.WindowSizeMsg{Width: 40, Height: 24})
	keys(t, s, `end space e "`+strings.Repeat("because", 12)+`THE_END"`)
	if out := s.draw(); !strings.Contains(out, "THE_END_") || !strings.Contains(out, "Reason") {
		t.Errorf("what is typed is out of sight:\n%s", out)
	}
}

// TestScreenLastQuestionShowsAll: before the last question every address that stops receiving can be read, and every item
// that is left out.
func TestScreenLastQuestionShowsAll(t *testing.T) {
	group := render.ReviewGroup{Title: "Disabling", Tenant: "T", Key: "t"}
	for i := range 60 {
		mail := fmt.Sprintf("p%02d@c.example", i)
		group.Items = append(group.Items, render.ReviewItem{Address: mail, Mail: mail, Symbol: "~", Name: mail, Stops: []string{mail}})
	}
	s := screen(New([]render.ReviewGroup{group}, nil))
	s.Update(tea.WindowSizeMsg{Width: 60, Height: 16})
	keys(t, s, "end space t enter")
	seen := map[string]bool{}
	for range 60 {
		for line := range strings.SplitSeq(s.draw(), "\n") {
			seen[strings.TrimSpace(line)] = true
		}
		keys(t, s, "down")
	}
	for i := range 59 {
		if want := fmt.Sprintf("stops receiving: p%02d@c.example", i); !seen[want] {
			t.Errorf("never shown: %s", want)
		}
	}
	if !seen["left out: p59@c.example, this time"] || s.mode != confirming {
		t.Errorf("what is left out is not shown, or the question is gone (mode %d):\n%s", s.mode, s.draw())
	}
	if n := strings.Count(s.draw(), "\n") + 1; n > 16 {
		t.Errorf("%d lines on a terminal of 16", n)
	}
	keys(t, s, "y")
	if !s.approved {
		t.Error("y is no yes any more")
	}
}

// TestScreenTooSmall: on a terminal that is too small for all, the question and its keys stay.
func TestScreenTooSmall(t *testing.T) {
	s := screen(sample())
	s.Update(tea.WindowSizeMsg{Width: 60, Height: 5})
	keys(t, s, "end space e")
	out := s.draw()
	if n := strings.Count(out, "\n") + 1; n > 5 {
		t.Errorf("%d lines on a terminal of 5:\n%s", n, out)
	}
	if !strings.Contains(out, "> Reason: _") || !strings.Contains(out, "enter goes on") {
		t.Errorf("the question is not in sight:\n%s", out)
	}
	keys(t, s, "esc esc enter")
	if out := s.draw(); !strings.Contains(out, "Apply this?") {
		t.Errorf("the last question is not in sight:\n%s", out)
	}
}
