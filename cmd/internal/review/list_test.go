package review

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weir-project/weir/cmd/internal/render"
)

func TestLeaveOutTakesAlong(t *testing.T) {
	for _, row := range []struct {
		name  string
		out   []int
		back  []int
		want  string
		stops int
	}{
		{"nothing", nil, nil, "xxxxxxx", 3},
		{"one for itself", []int{alice}, nil, "xx.xxxx", 3},
		{"a giver takes the taker along", []int{kate}, nil, "xxxx-.x", 1},
		{"a taker takes the giver along", []int{bob}, nil, "xxxx.-x", 1},
		{"the policy takes all accounts", []int{policy}, nil, ".x-----", 0},
		{"an object of which nothing depends", []int{rule}, nil, "x.xxxxx", 3},
		{"both for themselves", []int{bob, kate}, nil, "xxxx..x", 1},
		{"taken back", []int{kate}, []int{kate}, "xxxxxxx", 3},
		{"the one that went along is taken back, and with it the cause", []int{kate}, []int{bob}, "xxxxxxx", 3},
		{"one of two causes stays", []int{policy, leo}, []int{alice}, "xxxxxx.", 2},
		{"both causes go", []int{policy, kate}, []int{bob}, "xxxxxxx", 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := sample()
			l.LeaveOut(Choice{Way: ThisTime}, row.out...)
			l.TakeBack(row.back...)
			if got := state(l); got != row.want || l.Stops() != row.stops {
				t.Errorf("%s, %d stop; want %s, %d", got, l.Stops(), row.want, row.stops)
			}
		})
	}
}

// TestCouplingsHold: whatever a person clicks, nothing stays ticked without what it goes along with, and whoever ticks
// something has it ticked.
func TestCouplingsHold(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	for range 500 {
		l := sample()
		for range 12 {
			i := random.IntN(len(l.Items))
			out := random.IntN(2) == 0
			if out {
				l.LeaveOut(Choice{Way: ThisTime}, i)
			} else {
				l.TakeBack(i)
			}
			if l.Ticked(i) == out {
				t.Fatalf("item %d: ticked %t", i, !out)
			}
			for j := range l.Items {
				for _, k := range l.along[j] {
					if !l.Ticked(j) && l.Ticked(k) {
						t.Fatalf("%s: %d is left out and %d, which goes along, is not", state(l), j, k)
					}
				}
			}
		}
	}
}

func TestChoicesFitTheItem(t *testing.T) {
	l := sample()
	l.LeaveOut(Choice{Way: Exempt, Exemption: Exemption{Reason: "r", Functional: true}}, rule, alice, kate)
	for i, want := range map[int]string{rule: "this time", alice: "exempt", kate: "exempt, as a functional account"} {
		if c, _ := l.Choice(i); c.Text() != want {
			t.Errorf("item %d is left out %q, want %q", i, c.Text(), want)
		}
	}
	if c, ok := l.Choice(bob); ok {
		t.Errorf("bob went along and has a choice of his own: %v", c)
	}
}

func TestParseUntil(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"2026-12-31", "2026-12-31T23:59:59Z"}, {" 2026-11-28 ", "2026-11-28T23:59:59Z"}, {"2026-11-27", ""}, {"tomorrow", ""}, {"", ""}, {"2026-02-30", ""},
	} {
		c, err := ParseUntil(row.text, noon)
		got := ""
		if err == nil {
			got = c.Until.Format(time.RFC3339)
		}
		if got != row.want {
			t.Errorf("%q: %q (%v), want %q", row.text, got, err, row.want)
		}
	}
}

func TestTenantsAreToldApart(t *testing.T) {
	item := []render.ReviewItem{{Address: "a.b", Name: "a.b"}}
	l := New([]render.ReviewGroup{
		{Title: "Objects", Tenant: "One", Key: "1", Items: item}, {Title: "Objects", Tenant: "Two", Key: "2", Items: item},
	}, map[string]map[string][]string{"1": {"a.b": {"a.b"}}})
	if l.Groups[0].Title != "One: Objects" || l.Groups[1].Title != "Two: Objects" {
		t.Errorf("titles %q, %q", l.Groups[0].Title, l.Groups[1].Title)
	}
	l.LeaveOut(Choice{}, 0)
	if got := state(l); got != ".x" {
		t.Errorf("%s: the other tenant's object of that address went along", got)
	}
}
