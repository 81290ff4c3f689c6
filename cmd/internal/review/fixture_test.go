package review

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/weir-project/weir/cmd/internal/render"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// sample is a list of two objects and five accounts. bob takes an address over from kate, all accounts belong to the
// policy, and the rule belongs to the connector.
func sample() *List {
	account := func(mail, symbol string, convertible bool, stops ...string) render.ReviewItem {
		return render.ReviewItem{Address: `sync_policy.p.account["` + mail + `"]`, Mail: mail, Symbol: symbol, Name: mail, About: "somebody", Convertible: convertible, Stops: stops}
	}
	object := func(address string) render.ReviewItem {
		return render.ReviewItem{Address: address, Symbol: "+", Name: address, About: "create"}
	}
	return New([]render.ReviewGroup{
		{Title: "Objects", Tenant: "Contoso", Key: "c", Items: []render.ReviewItem{object("sync_policy.p"), object("mail_flow_rule.r")}},
		{Title: "Adding", Tenant: "Contoso", Key: "c", Items: []render.ReviewItem{account("alice@c.example", "+", false), account("nora@c.example", "+", false)}},
		{Title: "Updating", Tenant: "Contoso", Key: "c", Items: []render.ReviewItem{account("bob@c.example", "~", true)}},
		{Title: "Disabling", Tenant: "Contoso", Key: "c", Items: []render.ReviewItem{
			account("kate@c.example", "~", true, "k@c.example", "kate@c.example"), account("leo@c.example", "~", true, "leo@c.example"),
		}},
	}, map[string]map[string][]string{"c": {
		"sync_policy.p": {
			`sync_policy.p.account["alice@c.example"]`, `sync_policy.p.account["nora@c.example"]`, `sync_policy.p.account["bob@c.example"]`,
			`sync_policy.p.account["kate@c.example"]`, `sync_policy.p.account["leo@c.example"]`,
		},
		`sync_policy.p.account["kate@c.example"]`: {`sync_policy.p.account["bob@c.example"]`},
		`sync_policy.p.account["bob@c.example"]`:  {`sync_policy.p.account["kate@c.example"]`},
	}})
}

// The items of sample by number, and the two more of withHeld.
const (
	policy = iota
	rule
	alice
	nora
	bob
	kate
	leo
	olga
	pete
)

// withHeld is sample with two leavers that a guard holds; nothing depends on what is not applied.
func withHeld() *List {
	l := sample()
	group := render.ReviewGroup{Title: "Deleting, held", Tenant: "Contoso", Key: "c", Held: "2 addresses would stop receiving"}
	for _, mail := range []string{"olga@c.example", "pete@c.example"} {
		group.Items = append(group.Items, render.ReviewItem{Address: mail, Mail: mail, Symbol: "-", Name: mail, About: "gone", Convertible: true})
	}
	more := New([]render.ReviewGroup{group}, nil)
	more.Groups[0].First, more.Groups[0].End = len(l.Items), len(l.Items)+2
	l.Items, l.Groups, l.along = append(l.Items, more.Items...), append(l.Groups, more.Groups...), append(l.along, nil, nil)
	return l
}

// crowd is a list of n newcomers and one leaver at the end.
func crowd(n int) *List {
	group := render.ReviewGroup{Title: "Adding", Tenant: "Contoso", Key: "c"}
	for i := range n {
		mail := fmt.Sprintf("p%05d@c.example", i)
		group.Items = append(group.Items, render.ReviewItem{Address: mail, Mail: mail, Symbol: "+", Name: mail})
	}
	group.Items = append(group.Items, render.ReviewItem{Address: "z", Mail: "zoe@c.example", Symbol: "-", Name: "zoe@c.example", Stops: []string{"zoe@c.example"}})
	return New([]render.ReviewGroup{group}, nil)
}

// state is which items are ticked, as a string of x, . and - (left out along with another), h for one that is held.
func state(l *List) string {
	var b strings.Builder
	for i := range l.Items {
		_, along := l.With(i)
		switch {
		case l.Ticked(i):
			b.WriteByte('x')
		case along:
			b.WriteByte('-')
		case !l.Out(i):
			b.WriteByte('h')
		default:
			b.WriteByte('.')
		}
	}
	return b.String()
}

// keys are presses by their names; a word in quotes is typed.
func keys(t *testing.T, s *Screen, presses string) {
	t.Helper()
	special := map[string]rune{
		"space": tea.KeySpace, "up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight, "enter": tea.KeyEnter, "esc": tea.KeyEscape,
		"tab": tea.KeyTab, "backspace": tea.KeyBackspace, "end": tea.KeyEnd, "home": tea.KeyHome, "pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp,
	}
	for _, press := range strings.Fields(presses) {
		switch code, ok := special[press]; {
		case ok && press == "space":
			s.Update(tea.KeyPressMsg{Code: code, Text: " "})
		case ok:
			s.Update(tea.KeyPressMsg{Code: code})
		case strings.HasPrefix(press, "ctrl+"):
			s.Update(tea.KeyPressMsg{Code: rune(press[5]), Mod: tea.ModCtrl})
		case len(press) > 1 && strings.HasPrefix(press, `"`):
			for _, r := range strings.Trim(press, `"`) {
				s.Update(tea.KeyPressMsg{Code: r, Text: string(r)})
			}
		case len(press) == 1:
			s.Update(tea.KeyPressMsg{Code: rune(press[0]), Text: press})
		default:
			t.Fatalf("no key %q", press)
		}
	}
}
