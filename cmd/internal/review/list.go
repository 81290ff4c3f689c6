package review

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-project/weir/cmd/internal/render"
)

// Item is one item of a plan. All items are ticked at first.
type Item struct {
	render.ReviewItem
	// Key is the key of its tenant.
	Key string
	// Held says that a guard holds it: it is not applied, and can be left out for longer than this time.
	Held bool
	// lower is what a search looks in.
	lower string
}

// IsAccount reports whether the item can be left out in every way; a declared object only this time.
func (i *Item) IsAccount() bool { return i.Mail != "" }

// Group is a range of items under one title.
type Group struct {
	Title string
	// Held says why a guard holds all of it; "" when none does.
	Held       string
	First, End int
}

// List is a plan's items and which of them a person left out. It is for one goroutine.
type List struct {
	Items  []Item
	Groups []Group
	// along gives the items that go along when one is left out, one step.
	along [][]int
	// left are the items that the person left out, with the items that went along because of others.
	left map[int]Choice
	with map[int]int
}

// New makes a list of groups. couplings gives, by tenant key and address, the addresses of the same tenant that go along
// when an item is left out.
func New(groups []render.ReviewGroup, couplings map[string]map[string][]string) *List {
	l := &List{left: map[int]Choice{}, with: map[int]int{}}
	several := false
	for _, g := range groups {
		several = several || g.Key != groups[0].Key
	}
	index := map[[2]string]int{}
	for _, g := range groups {
		title := g.Title
		if several {
			title = g.Tenant + ": " + g.Title
		}
		first := len(l.Items)
		for _, it := range g.Items {
			index[[2]string{g.Key, it.Address}] = len(l.Items)
			l.Items = append(l.Items, Item{ReviewItem: it, Key: g.Key, Held: g.Held != "", lower: strings.ToLower(title + " " + it.Name + " " + it.About + " " + strings.Join(it.Stops, " "))})
		}
		l.Groups = append(l.Groups, Group{Title: title, Held: g.Held, First: first, End: len(l.Items)})
	}
	l.along = make([][]int, len(l.Items))
	for key, of := range couplings {
		for address, others := range of {
			i, ok := index[[2]string{key, address}]
			if !ok {
				continue
			}
			for _, other := range others {
				if j, ok := index[[2]string{key, other}]; ok {
					l.along[i] = append(l.along[i], j)
				}
			}
			slices.Sort(l.along[i])
		}
	}
	return l
}

// Ticked reports whether the item is to be applied.
func (l *List) Ticked(i int) bool { return !l.Items[i].Held && !l.Out(i) }

// Out reports whether the item was left out, for its own sake or along with another.
func (l *List) Out(i int) bool {
	_, left := l.left[i]
	_, along := l.with[i]
	return left || along
}

// Choice is how the item was left out; false for one that was not, or that went along with another.
func (l *List) Choice(i int) (Choice, bool) {
	c, ok := l.left[i]
	return c, ok
}

// With is the item that this one was left out along with; false for one that stands for itself.
func (l *List) With(i int) (int, bool) {
	j, ok := l.with[i]
	return j, ok
}

// LeaveOut leaves items out, and what goes along with them; it returns how many went along that were ticked before. What is
// held is left out this time anyway, so that this is no choice.
func (l *List) LeaveOut(c Choice, items ...int) int {
	before := len(l.with)
	for _, i := range items {
		choice := c
		if !l.Items[i].IsAccount() {
			choice = Choice{Way: ThisTime}
		}
		if choice.Way == Exempt && !l.Items[i].Convertible {
			choice.Exemption.Functional = false
		}
		if choice.Way == ThisTime && l.Items[i].Held {
			delete(l.left, i)
			continue
		}
		l.left[i] = choice
	}
	l.follow()
	return max(0, len(l.with)-before)
}

// TakeBack ticks items again, and with each those on whose account it was left out; it returns how many others that were.
func (l *List) TakeBack(items ...int) int {
	before := l.Left()
	for _, i := range items {
		delete(l.left, i)
	}
	l.follow()
	for _, i := range items {
		for l.Out(i) {
			// What keeps it out goes in as well, one after the other, until nothing does.
			because := l.with[i]
			for next, ok := l.with[because]; ok; next, ok = l.with[because] {
				because = next
			}
			delete(l.left, because)
			l.follow()
		}
	}
	return max(0, before-l.Left()-len(items))
}

// follow finds out what goes along with what is left out.
func (l *List) follow() {
	clear(l.with)
	var queue []int
	for i := range l.left {
		queue = append(queue, i)
	}
	slices.Sort(queue)
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		for _, j := range l.along[i] {
			if !l.Out(j) {
				l.with[j] = i
				queue = append(queue, j)
			}
		}
	}
}

// Left is the number of items that are left out.
func (l *List) Left() int { return len(l.left) + len(l.with) }

// Held is the number of items that a guard holds and that nobody left out for longer.
func (l *List) Held() int {
	n := 0
	for i := range l.Items {
		if l.Items[i].Held && !l.Out(i) {
			n++
		}
	}
	return n
}

// Stops is the number of addresses that stop receiving with what is ticked.
func (l *List) Stops() int {
	n := 0
	for i := range l.Items {
		if l.Ticked(i) {
			n += len(l.Items[i].Stops)
		}
	}
	return n
}

// matches reports whether a search finds the item; "" finds all.
func (l *List) matches(i int, search string) bool {
	for _, word := range strings.Fields(strings.ToLower(search)) {
		if !strings.Contains(l.Items[i].lower, word) {
			return false
		}
	}
	return true
}

// sentence says what would happen now.
func (l *List) sentence() string {
	all, ticked := 0, 0
	for i := range l.Items {
		if !l.Items[i].Held {
			all++
		}
		if l.Ticked(i) {
			ticked++
		}
	}
	text := "nothing to be applied"
	if all > 0 {
		text = fmt.Sprintf("%d of %s to be applied", ticked, plural(all, "item", "items"))
	}
	if n := l.Left(); n > 0 {
		text += fmt.Sprintf(", %d left out", n)
	}
	if n := l.Held(); n > 0 {
		text += fmt.Sprintf(", %d held", n)
	}
	if n := l.Stops(); n > 0 {
		text += ", " + plural(n, "address stops", "addresses stop") + " receiving"
	}
	return text
}

// fate says why an item is not ticked; "" for one that is.
func (l *List) fate(i int) string {
	if c, ok := l.left[i]; ok {
		return c.Text()
	}
	if j, ok := l.with[i]; ok {
		return "along with " + l.Items[j].Name
	}
	return ""
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
