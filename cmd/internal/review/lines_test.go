package review

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	for _, row := range []struct {
		name, answers, want string
		approved            bool
		err                 error
		says                string
	}{
		{"all", "\nyes\n", "xxxxxxx", true, nil, "7 of 7 items to be applied, 3 addresses stop receiving. Only \"yes\""},
		{"without a line break at the end", "\nyes", "xxxxxxx", true, nil, ""},
		{"not yes", "\ny\n", "xxxxxxx", false, nil, ""},
		{"by number, this time", "3\nt\n\nyes\n", "xx.xxxx", true, nil, "alice@c.example: left out, this time."},
		{"a range, an address and a pattern", "2-3 leo@c.example,bo*\nt\n\nyes\n", "x..x.-.", true, nil, "kate@c.example: left out along with bob@c.example."},
		{"an object is not asked about", "mail_flow_rule.r\n\nyes\n", "x.xxxxx", true, nil, ""},
		{"until a day, at the second attempt", "alice@c.example\n1999-01-01\n2026-12-24\n\nyes\n", "xx.xxxx", true, nil, "until 2026-12-24"},
		{"as an exemption", "leo@c.example\ne\nthe phone\n\n2027-01-01\nf\n\nyes\n", "xxxxxx.", true, nil, "exempt, as a functional account"},
		{"an exemption without a reason", "alice@c.example\ne\n\n\n\nbecause\n\n\n\nyes\n", "xx.xxxx", true, nil, "a reason is needed"},
		{"and back", "1\n+nora@c.example\n\nyes\n", "xxxxxxx", true, nil, "Taken in again: 1 item, and 5 others"},
		{"nobody of that name", "who\n9\n0\n5-3\n\nyes\n", "xxxxxxx", true, nil, "nothing here is called who"},
		{"found", "/nora\n\nyes\n", "xxxxxxx", true, nil, "nora@c.example"},
		{"the input ends", "", "xxxxxxx", false, ErrNoAnswer, ""},
		{"the input ends at the last question", "\n", "xxxxxxx", false, ErrNoAnswer, ""},
		{"the input ends in a question", "3\n", "xxxxxxx", false, ErrNoAnswer, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			var out strings.Builder
			l := sample()
			lines := Lines{In: strings.NewReader(row.answers), Out: &out, Now: noon, Owner: "dana"}
			approved, err := lines.Run(context.Background(), l)
			if state(l) != row.want || approved != row.approved || !errors.Is(err, row.err) || !strings.Contains(out.String(), row.says) {
				t.Errorf("%s approved %t: %v\n%s", state(l), approved, err, out.String())
			}
		})
	}
}

func TestLinesShowWhatStops(t *testing.T) {
	var out strings.Builder
	lines := Lines{In: strings.NewReader("\nyes\n"), Out: &out, Now: noon}
	if _, err := lines.Run(context.Background(), crowd(3000)); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if n := strings.Count(text, "stops receiving: zoe@c.example"); n != 2 || !strings.Contains(text, "… and 2980 more") {
		t.Errorf("named %d times\n%s", n, text)
	}
}

func TestLinesInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	in, _ := io.Pipe() // nobody answers
	approved, err := (&Lines{In: in, Out: io.Discard, Now: noon}).Run(ctx, sample())
	if approved || !errors.Is(err, errInterrupted) {
		t.Errorf("approved %t: %v", approved, err)
	}
}

func TestLinesWithoutExemptions(t *testing.T) {
	var out strings.Builder
	l := sample()
	lines := Lines{In: strings.NewReader("3\ne\nt\n\nyes\n"), Out: &out, Now: noon, NoExemptions: "not here"}
	if approved, err := lines.Run(context.Background(), l); !approved || err != nil || !strings.Contains(out.String(), "not here") {
		t.Errorf("approved %t: %v\n%s", approved, err, out.String())
	}
}

// TestLinesCountsWhatWasNamed: of many items the answer says how many were named, also when they were left out before, and
// what was held is not said to be taken in.
func TestLinesCountsWhatWasNamed(t *testing.T) {
	l := crowd(40)
	_, out := answered(t, l, "1-30\nt\n1-30\n2027-01-31\n+1-2\n\nno\n")
	for _, want := range []string{"30 left out, this time.", "30 left out, until 2027-01-31.", "Taken in again: 2 items."} {
		if !strings.Contains(out, want) {
			t.Errorf("not said: %q in\n%s", want, out)
		}
	}
	l = withHeld()
	_, out = answered(t, l, "olga@c.example\n2027-01-31\n+olga@c.example\n2 2\n+2 2\n+3\n\nno\n")
	if strings.Contains(out, "Taken in again: 2 items") || !strings.Contains(out, "olga@c.example: held, as it was.") {
		t.Errorf("counted wrongly:\n%s", out)
	}
	if !strings.Contains(out, "Nothing of that was left out.") {
		t.Errorf("an item that was never left out is taken in:\n%s", out)
	}
}

// answered lets a dialogue run with the answers.
func answered(t *testing.T, l *List, answers string) (bool, string) {
	t.Helper()
	var out strings.Builder
	approved, err := (&Lines{In: strings.NewReader(answers), Out: &out, Now: noon, Owner: "dana"}).Run(context.Background(), l)
	if err != nil {
		t.Fatal(err)
	}
	return approved, out.String()
}
