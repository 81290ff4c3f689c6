package review

import (
	"context"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

// TestHeld: what a guard holds is not applied whatever is answered, and is left out only for longer than this time.
func TestHeld(t *testing.T) {
	l := withHeld()
	l.LeaveOut(Choice{Way: ThisTime}, olga)
	if state(l) != "xxxxxxxhh" || l.Left() != 0 || l.Held() != 2 || l.Stops() != 3 {
		t.Errorf("this time: %s, %d left out", state(l), l.Left())
	}
	until, err := ParseUntil("2027-01-31", noon)
	if err != nil {
		t.Fatal(err)
	}
	l.LeaveOut(until, olga)
	l.LeaveOut(Choice{Way: Exempt, Exemption: Exemption{Reason: "r", Functional: true}}, pete)
	if c, ok := l.Choice(pete); state(l) != "xxxxxxx.." || l.Left() != 2 || l.Held() != 0 || !ok || !c.Exemption.Functional {
		t.Errorf("for longer: %s, %+v", state(l), c)
	}
	if text := l.sentence(); text != "7 of 7 items to be applied, 2 left out, 3 addresses stop receiving" {
		t.Error(text)
	}
	l.TakeBack(pete)
	l.LeaveOut(Choice{Way: ThisTime}, olga, alice)
	if state(l) != "xx.xxxxhh" || l.sentence() != "6 of 7 items to be applied, 1 left out, 2 held, 3 addresses stop receiving" {
		t.Errorf("%s: %s", state(l), l.sentence())
	}
	l.LeaveOut(Choice{Way: ThisTime}, policy)
	if state(l) != ".x.----hh" {
		t.Errorf("with the policy: %s", state(l))
	}
}

func TestHeldOnScreen(t *testing.T) {
	for _, row := range []struct{ name, keys, want, shows string }{
		{"shown", "", "xxxxxxxhh", "[h] Deleting, held: 2. 2 addresses would stop receiving"},
		{"not this time", "end space t", "xxxxxxxhh", "It is held, and so left out this time anyway."},
		{"why, and what comes of it", "end space", "xxxxxxxhh", "it does not count against a limit then"},
		{"until a date", "end space u enter", "xxxxxxxh.", "[~] Deleting, held: 2, 1 left out"},
		{"as an exemption", "end up space e \"because\" enter enter enter space enter", "xxxxxxx.h", "exempt, as a functional account"},
		{"and back", "end space u enter space", "xxxxxxxhh", "Held as before: 1 item."},
		{"both", "end up up space u enter", "xxxxxxx..", "[ ] Deleting, held: 2, 2 left out"},
		{"at the last question", "enter", "xxxxxxxhh", "held, and not applied: 2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := screen(withHeld())
			keys(t, s, row.keys)
			if out := s.draw(); state(s.list) != row.want || !strings.Contains(out, row.shows) {
				t.Errorf("%s\n%s", state(s.list), out)
			}
		})
	}
}

// TestHeldReasonIsWhole: the reason is what somebody decides by, so the question has all of it on a narrow terminal.
func TestHeldReasonIsWhole(t *testing.T) {
	l := withHeld()
	l.Groups[len(l.Groups)-1].Held = "80 addresses would stop receiving; 5 are allowed within 24h (max_removals = 5). All removals of the tenant are held."
	s := screen(l)
	s.Update(tea.WindowSizeMsg{Width: 40, Height: 24})
	if out := s.draw(); strings.Contains(out, "are held.") {
		t.Errorf("the list has it whole already:\n%s", out)
	}
	keys(t, s, "end space")
	out := s.draw()
	if !strings.Contains(out, "Held: 80 addresses would stop receiving;\n5 are allowed within 24h (max_removals =\n5). All removals of the tenant are held.") || strings.Count(out, "\n") != 23 {
		t.Error(out)
	}
}

func TestHeldLineByLine(t *testing.T) {
	for _, row := range []struct{ name, answers, want, says string }{
		{"shown", "\nyes\n", "xxxxxxxhh", "   8 [h] -   olga@c.example  gone"},
		{"this time is as it was", "olga@c.example\nt\n\nyes\n", "xxxxxxxhh", "   8  olga@c.example: held, as it was."},
		{"along with one that is not", "alice@c.example olga@c.example\nt\n\nyes\n", "xx.xxxxhh", "alice@c.example: left out, this time."},
		{"until a date", "9\n2026-12-24\n\nyes\n", "xxxxxxxh.", "1 left out, 1 held, 3 addresses"},
		{"as an exemption", "8\ne\nthe desk\n\n\nf\n\nyes\n", "xxxxxxx.h", "exempt, as a functional account"},
		{"and back", "9\n2026-12-24\n+9\n\nyes\n", "xxxxxxxhh", "2 held"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var out strings.Builder
			l := withHeld()
			approved, err := (&Lines{In: strings.NewReader(row.answers), Out: &out, Now: noon}).Run(context.Background(), l)
			if err != nil || !approved || state(l) != row.want || !strings.Contains(out.String(), row.says) {
				t.Errorf("%s approved %t: %v\n%s", state(l), approved, err, out.String())
			}
		})
	}
	// The twin: where nothing is held nothing is said of it.
	var out strings.Builder
	if _, err := (&Lines{In: strings.NewReader("\nyes\n"), Out: &out, Now: noon}).Run(context.Background(), sample()); err != nil || strings.Contains(out.String(), "held") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
