package review

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/weir-project/weir/cmd/internal/render"
)

// mode is what the keys mean at the moment.
type mode int

const (
	browsing   mode = iota
	searching       // typing into the search
	choosing        // how is it left out?
	dating          // typing a day
	exempting       // typing what the exemption says
	confirming      // the last question
	helping
)

// Screen is the review as a form with checkboxes that fills a terminal. It is a Bubble Tea model: Update and View need no
// terminal. The zero value is not ready; see NewScreen.
type Screen struct {
	list *List
	// now and owner are proposed and checked against.
	now   time.Time
	owner string
	// noExemptions says why none can be written here.
	noExemptions string
	color        bool

	width, height int
	rows          []row
	cursor, top   int
	// at is the first line shown of the last question's list, and of the help.
	at     int
	folded map[int]bool
	search string
	mode   mode
	// target are the items that are being left out.
	target []int
	// fields are what is typed, field the one that is.
	fields []field
	field  int
	note   string

	approved, ended bool
}

// row is one line of the list: a group's heading or an item.
type row struct {
	group int
	item  int // -1 for the heading
}

// field is one line of text that a person types.
type field struct {
	label, text string
	// choices are what the text may be; nil for anything.
	choices []string
}

// NewScreen makes a form over a list. Large groups are folded at first; what stops receiving is shown all the same.
func NewScreen(list *List, now time.Time, owner, noExemptions string, color bool) *Screen {
	s := &Screen{list: list, now: now, owner: owner, noExemptions: noExemptions, color: color, width: 80, height: 24, folded: map[int]bool{}}
	for g, group := range list.Groups {
		s.folded[g] = group.End-group.First > shownFew && len(list.Items) > shownFew
	}
	s.layOut()
	return s
}

// Run shows the form on a terminal until the person is done or ctx ends. approved is true for a yes to the last question
// alone. Afterwards the terminal is as it was.
func (s *Screen) Run(ctx context.Context, in *os.File, out io.Writer) (approved bool, err error) {
	program := tea.NewProgram(s, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler())
	if _, err := program.Run(); err != nil {
		if ctx.Err() != nil {
			return false, errInterrupted
		}
		return false, fmt.Errorf("the form cannot be shown (%w); with TERM=dumb the questions come line by line", err)
	}
	return s.approved, nil
}

// Init does nothing: the first message is the size of the terminal.
func (s *Screen) Init() tea.Cmd { return nil }

// Update takes a key or a new size.
func (s *Screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = msg.Width, msg.Height
		s.scroll()
	case tea.PasteMsg:
		s.typed(msg.Content)
	case tea.KeyPressMsg:
		s.note = ""
		if msg.String() == "ctrl+c" {
			s.ended = true
			return s, tea.Quit
		}
		s.press(msg)
		if s.ended {
			return s, tea.Quit
		}
		s.scroll() // a note or a question takes lines from the list
	}
	return s, nil
}

func (s *Screen) press(key tea.KeyPressMsg) {
	switch s.mode {
	case browsing:
		s.browse(key.String())
	case searching:
		s.seek(key)
	case choosing:
		s.choose(key.String())
	case dating, exempting:
		s.fill(key)
	case confirming:
		switch key.String() {
		case "y":
			s.approved, s.ended = true, true
		case "n", "esc", "q":
			s.mode = browsing
		default:
			s.leaf(key.String())
		}
	case helping:
		if !s.leaf(key.String()) {
			s.mode = browsing
		}
	}
}

// leaf moves what is shown of a long text; false for a key that does not.
func (s *Screen) leaf(key string) bool {
	page := max(1, s.body()-1)
	switch key {
	case "up", "k":
		s.at--
	case "down", "j":
		s.at++
	case "pgup", "ctrl+b":
		s.at -= page
	case "pgdown", "ctrl+f":
		s.at += page
	case "home", "g":
		s.at = 0
	case "end", "G":
		s.at = len(s.text())
	default:
		return false
	}
	s.at = max(0, min(s.at, len(s.text())-s.body()))
	return true
}

func (s *Screen) browse(key string) {
	switch key {
	case "up", "k":
		s.move(-1)
	case "down", "j":
		s.move(1)
	case "pgup", "ctrl+b":
		s.move(-s.body())
	case "pgdown", "ctrl+f":
		s.move(s.body())
	case "home", "g":
		s.move(-len(s.rows))
	case "end", "G":
		s.move(len(s.rows))
	case "left", "h":
		s.fold(true)
	case "right", "l":
		s.fold(false)
	case "tab":
		if len(s.rows) > 0 {
			s.fold(!s.folded[s.rows[s.cursor].group])
		}
	case "space", "x":
		s.toggle()
	case "/":
		s.mode = searching
	case "esc":
		if s.search != "" {
			s.search = ""
			s.layOutAgain()
		}
	case "?":
		s.mode, s.at = helping, 0
	case "enter":
		s.mode, s.at = confirming, 0
	case "q":
		s.ended = true
	}
}

// seek types into the search; what is found stays found until esc.
func (s *Screen) seek(key tea.KeyPressMsg) {
	switch key.String() {
	case "enter", "down", "up":
		s.mode = browsing
	case "esc":
		s.mode, s.search = browsing, ""
	case "backspace":
		s.search = shorten(s.search)
	case "ctrl+u":
		s.search = ""
	default:
		s.search += key.Text
	}
	s.cursor = 0
	s.layOut()
}

// toggle ticks or unticks what the cursor is on: an item, or all of a group that the search finds.
func (s *Screen) toggle() {
	if len(s.rows) == 0 {
		return
	}
	at := s.rows[s.cursor]
	items := []int{at.item}
	if at.item < 0 {
		items = nil
		group := s.list.Groups[at.group]
		for i := group.First; i < group.End; i++ {
			if s.list.matches(i, s.search) {
				items = append(items, i)
			}
		}
	}
	in := slices.DeleteFunc(slices.Clone(items), s.list.Out)
	if len(in) == 0 {
		more := s.list.TakeBack(items...)
		s.note = "Ticked again: " + plural(len(items), "item", "items") + alongText(more) + "."
		if s.list.Items[items[0]].Held {
			s.note = "Held as before: " + plural(len(items), "item", "items") + "."
		}
		s.layOutAgain()
		return
	}
	s.target = in
	if !slices.ContainsFunc(in, func(i int) bool { return s.list.Items[i].IsAccount() }) {
		s.leaveOut(Choice{Way: ThisTime})
		return
	}
	s.mode = choosing
}

func (s *Screen) choose(key string) {
	switch key {
	case "t", "enter":
		if s.held() != "" {
			s.note = "It is held, and so left out this time anyway."
			return
		}
		s.leaveOut(Choice{Way: ThisTime})
	case "u":
		s.mode, s.field = dating, 0
		s.fields = []field{{label: "Left out until the end of", text: s.now.UTC().AddDate(0, 1, 0).Format(time.DateOnly)}}
	case "e":
		if s.noExemptions != "" {
			s.note = s.noExemptions
			return
		}
		s.mode, s.field = exempting, 0
		s.fields = []field{{label: "Reason"}, {label: "Owner", text: s.owner}, {label: "Meant to stand until (empty: no end)"}}
		if s.list.convertible(s.target) {
			s.fields = append(s.fields, field{label: "As", text: "unchanged", choices: []string{"unchanged", "functional account"}})
		}
	case "esc", "q", "n":
		s.mode = browsing
	}
}

// fill types into the fields of a question.
func (s *Screen) fill(key tea.KeyPressMsg) {
	f := &s.fields[s.field]
	switch key.String() {
	case "esc":
		s.mode = choosing
	case "enter":
		if s.field < len(s.fields)-1 {
			s.field++
			return
		}
		s.answer()
	case "up", "shift+tab":
		s.field = max(0, s.field-1)
	case "down", "tab":
		s.field = min(len(s.fields)-1, s.field+1)
	case "backspace":
		if f.choices == nil {
			f.text = shorten(f.text)
		}
	case "ctrl+u":
		if f.choices == nil {
			f.text = ""
		}
	case "space", "left", "right":
		switch {
		case f.choices != nil:
			f.text = f.choices[(slices.Index(f.choices, f.text)+1)%len(f.choices)]
		case key.String() == "space":
			f.text += " "
		}
	default:
		s.typed(key.Text)
	}
}

// typed adds text to what is being typed. Nothing but one line of visible characters gets in.
func (s *Screen) typed(text string) {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
	switch {
	case s.mode == searching:
		s.search += text
		s.cursor = 0
		s.layOut()
	case (s.mode == dating || s.mode == exempting) && s.fields[s.field].choices == nil:
		s.fields[s.field].text += text
	}
}

// answer takes the fields as they are, or says what is wrong with them.
func (s *Screen) answer() {
	if s.mode == dating {
		choice, err := ParseUntil(s.fields[0].text, s.now)
		if err != nil {
			s.note = err.Error()
			return
		}
		s.leaveOut(choice)
		return
	}
	e := Exemption{Reason: s.fields[0].text, Owner: s.fields[1].text, Expires: s.fields[2].text}
	e.Functional = len(s.fields) > 3 && s.fields[3].text != "unchanged"
	if err := e.check(s.now); err != nil {
		s.note = err.Error()
		return
	}
	s.leaveOut(Choice{Way: Exempt, Exemption: e})
}

func (s *Screen) leaveOut(c Choice) {
	more := s.list.LeaveOut(c, s.target...)
	s.note = "Left out " + c.Text() + ": " + plural(len(s.target), "item", "items") + alongText(more) + "."
	s.mode = browsing
	s.layOutAgain()
}

func (s *Screen) move(by int) {
	s.cursor = max(0, min(len(s.rows)-1, s.cursor+by))
	s.scroll()
}

// fold folds or unfolds the group that the cursor is in, and goes to its heading.
func (s *Screen) fold(folded bool) {
	if len(s.rows) == 0 {
		return
	}
	g := s.rows[s.cursor].group
	s.folded[g] = folded
	s.layOut()
	if folded {
		s.cursor = slices.IndexFunc(s.rows, func(r row) bool { return r.group == g })
	}
	s.scroll()
}

// layOut makes the rows: a search unfolds what it finds, and what stops receiving, or is left out, is never folded.
func (s *Screen) layOut() {
	s.rows = s.rows[:0]
	for g, group := range s.list.Groups {
		heading := len(s.rows)
		s.rows = append(s.rows, row{g, -1})
		found := false
		for i := group.First; i < group.End; i++ {
			if !s.list.matches(i, s.search) {
				continue
			}
			found = true
			if !s.folded[g] || s.search != "" || len(s.list.Items[i].Stops) > 0 || s.list.Out(i) {
				s.rows = append(s.rows, row{g, i})
			}
		}
		if !found {
			s.rows = s.rows[:heading]
		}
	}
	s.move(0)
}

// layOutAgain makes the rows anew and keeps the cursor on its line, or goes to the heading of a line that is folded now.
func (s *Screen) layOutAgain() {
	if len(s.rows) == 0 {
		s.layOut()
		return
	}
	at := s.rows[s.cursor]
	s.layOut()
	i := slices.Index(s.rows, at)
	if i < 0 {
		i = slices.Index(s.rows, row{at.group, -1})
	}
	s.cursor = max(0, i)
	s.scroll()
}

// body is the number of lines between head and foot, at least one.
func (s *Screen) body() int { return max(1, s.height-len(s.foot())-len(s.head())) }

// scroll keeps the cursor in sight.
func (s *Screen) scroll() {
	s.top = max(0, min(s.top, s.cursor, len(s.rows)-1))
	if s.cursor >= s.top+s.body() {
		s.top = s.cursor - s.body() + 1
	}
}

func shorten(text string) string {
	runes := []rune(text)
	return string(runes[:max(0, len(runes)-1)])
}

// foot are the lines below the list: the question, a note, and what the keys do. Where the terminal has not so many, those
// around what is being typed and the last stay.
func (s *Screen) foot() []string {
	var lines []string
	for _, line := range s.footLines() {
		lines = append(lines, s.wrap(line)...)
	}
	if more := len(lines) - s.height; more > 0 && s.height > 0 {
		typed := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "> ") })
		if typed < 0 || typed > more {
			typed = more
		}
		lines = append(lines[typed:typed+s.height-1:typed+s.height-1], lines[len(lines)-1])
	}
	return lines
}

func (s *Screen) footLines() []string {
	var lines []string
	switch s.mode {
	case searching:
		lines = append(lines, s.typing("Find: ", render.SafeText(s.search)+"_")...)
		lines = append(lines, "enter keeps it · esc clears it")
	case choosing:
		if held := s.held(); held != "" {
			lines = append(lines, "Held: "+held)
			lines = append(lines, s.about()+": leave out for longer; it does not count against a limit then", "  u  until a date")
		} else {
			lines = append(lines, s.about()+": leave out", "  t  this time", "  u  until a date")
		}
		if s.noExemptions == "" {
			lines = append(lines, "  e  as an exemption, written into the configuration")
		}
		lines = append(lines, "esc goes back")
	case dating, exempting:
		lines = append(lines, s.about())
		for i, f := range s.fields {
			if i != s.field {
				lines = append(lines, cut("  "+f.label+": "+render.SafeText(f.text), s.width))
				continue
			}
			end := "_"
			if f.choices != nil {
				end = "  (space changes it)"
			}
			lines = append(lines, s.typing("> "+f.label+": ", render.SafeText(f.text)+end)...)
		}
		lines = append(lines, "enter goes on · esc goes back")
	case confirming:
		lines = append(lines, "Apply this?  y yes · n back to the list · ctrl+c change nothing")
		if len(s.text())+len(s.wrap("Review: "+s.list.sentence()))+1 > s.height-len(lines) {
			lines = append(lines, "↑ ↓ shows the rest")
		}
	case helping:
		lines = append(lines, "↑ ↓ shows the rest · any other key goes back")
	default:
		keys := "space tick · ← → fold · / find · enter go on · ? help · q change nothing"
		if s.search != "" {
			keys = fmt.Sprintf("found %q · esc shows all · ", render.SafeText(s.search)) + keys
		}
		lines = append(lines, keys)
	}
	if s.note != "" {
		lines = slices.Insert(lines, 0, render.SafeText(s.note))
	}
	return lines
}

// held is why a guard holds what is being left out; "" when none does. It is all of one group.
func (s *Screen) held() string {
	for _, group := range s.list.Groups {
		if len(s.target) > 0 && group.First <= s.target[0] && s.target[0] < group.End {
			return group.Held
		}
	}
	return ""
}

// about names what is being left out.
func (s *Screen) about() string {
	if len(s.target) == 1 {
		return s.list.Items[s.target[0]].Name
	}
	return plural(len(s.target), "item", "items")
}
