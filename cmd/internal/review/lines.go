package review

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-project/weir/cmd/internal/render"
)

// Lines is the review as a dialogue of questions and answers, one a line: for pipes, scripts, screen readers and
// terminals that can do no more.
type Lines struct {
	In  io.Reader
	Out io.Writer
	Now time.Time
	// Owner is proposed as the owner of exemptions.
	Owner string
	// NoExemptions says why exemptions cannot be written here; "" when they can.
	NoExemptions string

	answers chan answer
}

type answer struct {
	text string
	err  error
}

// ErrNoAnswer says that the input ended before the review did. Nothing was approved.
var ErrNoAnswer = errors.New("the answers ended before the review did; not approved, nothing was changed")

// errInterrupted says that the run was stopped at a question, which is no answer.
var errInterrupted = errors.New("interrupted; nothing was changed")

// shownFew is the number of items of a group that are shown unasked.
const shownFew = 20

const linesHelp = `What to leave out, as numbers, addresses or patterns ("3 5-7 bob@contoso.example *@old.example"); + before them takes
them in again; /TEXT finds, list shows all. An empty line goes on.`

// heldHelp says what can be decided about what a guard holds, and what comes of it.
const heldHelp = `What is held is not applied. Left out until a day, or exempt, an account does not count against a limit any more; the
rest stays held in this run, and the next plan asks for it if the limit lets it pass.`

// Run asks until the person goes on or gives up. approved is false when the answer to the last question was anything but
// yes, or ctx ended; the error is ErrNoAnswer or that of a stream.
func (l *Lines) Run(ctx context.Context, list *List) (approved bool, err error) {
	l.answers = make(chan answer)
	done := make(chan struct{})
	defer close(done)
	go func() {
		in := bufio.NewReader(l.In)
		for {
			text, err := in.ReadString('\n')
			if text != "" {
				err = nil // the next one says that it was the last
			}
			select {
			case l.answers <- answer{strings.TrimSpace(text), err}:
			case <-done:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	l.show(list, shownFew, "")
	l.say("", linesHelp)
	if list.Held() > 0 {
		l.say("", heldHelp)
	}
	for {
		text, err := l.ask(ctx, "Leave out")
		switch {
		case err != nil:
			return false, err
		case text == "":
			return l.conclude(ctx, list)
		case text == "list":
			l.show(list, len(list.Items), "")
		case strings.HasPrefix(text, "/"):
			l.show(list, len(list.Items), text[1:])
		case strings.HasPrefix(text, "+"):
			items, err := list.find(text[1:])
			if err != nil {
				l.say(err.Error())
				continue
			}
			l.takeBack(list, items)
		default:
			if err := l.leaveOut(ctx, list, text); err != nil {
				return false, err
			}
		}
	}
}

// takeBack takes in again what was named, as far as it was left out.
func (l *Lines) takeBack(list *List, items []int) {
	items = slices.DeleteFunc(items, func(i int) bool { return !list.Out(i) })
	if len(items) == 0 {
		l.say("Nothing of that was left out.")
		return
	}
	ticked := slices.DeleteFunc(slices.Clone(items), func(i int) bool { return list.Items[i].Held })
	more := list.TakeBack(items...)
	if len(ticked) > 0 {
		l.say("Taken in again: " + plural(len(ticked), "item", "items") + alongText(more) + ".")
	}
	for _, i := range items {
		if list.Items[i].Held {
			l.say(fmt.Sprintf("%4d  %s: held, as it was.", i+1, list.Items[i].Name))
		}
	}
}

// leaveOut leaves out what was named, after asking how.
func (l *Lines) leaveOut(ctx context.Context, list *List, text string) error {
	items, err := list.find(text)
	if err != nil {
		l.say(err.Error())
		return nil
	}
	accounts, held := 0, 0
	for _, i := range items {
		if list.Items[i].IsAccount() {
			accounts++
		}
		if list.Items[i].Held {
			held++
		}
	}
	choice := Choice{}
	if accounts > 0 {
		name := plural(accounts, "account", "accounts")
		if len(items) == 1 {
			name = list.Items[items[0]].Name
		}
		if choice, err = l.how(ctx, list, items, name, held == len(items)); err != nil {
			return err
		}
	}
	list.LeaveOut(choice, items...)
	out := 0
	for _, i := range items {
		if list.Out(i) {
			out++
		}
		switch {
		case len(items) > shownFew:
		case list.Out(i):
			l.say(fmt.Sprintf("%4d  %s: left out, %s.", i+1, list.Items[i].Name, list.fate(i)))
		default:
			l.say(fmt.Sprintf("%4d  %s: held, as it was.", i+1, list.Items[i].Name))
		}
	}
	if len(items) > shownFew {
		l.say(fmt.Sprintf("%d left out, %s.", out, choice.Text()))
	}
	shown := 0
	for i := range list.Items {
		if _, along := list.With(i); !along {
			continue
		}
		if shown++; shown > shownFew {
			l.say("      … and more")
			break
		}
		l.say(fmt.Sprintf("%4d  %s: left out %s.", i+1, list.Items[i].Name, list.fate(i)))
	}
	return nil
}

// how asks in which way accounts are left out. What is held is left out this time anyway.
func (l *Lines) how(ctx context.Context, list *List, items []int, name string, held bool) (Choice, error) {
	question := name + ": t for this time, a day such as "
	if held {
		question = name + ": t leaves it held, a day such as "
	}
	question += l.Now.UTC().AddDate(0, 1, 0).Format(time.DateOnly) + " for until then"
	if l.NoExemptions == "" {
		question += ", e for an exemption"
	}
	for {
		text, err := l.ask(ctx, question)
		switch {
		case err != nil:
			return Choice{}, err
		case text == "t", text == "":
			return Choice{Way: ThisTime}, nil
		case text == "e" && l.NoExemptions != "":
			l.say(l.NoExemptions)
		case text == "e":
			e, err := l.exemption(ctx, list, items)
			return Choice{Way: Exempt, Exemption: e}, err
		default:
			choice, err := ParseUntil(text, l.Now)
			if err == nil {
				return choice, nil
			}
			l.say(err.Error() + ".")
		}
	}
}

func (l *Lines) exemption(ctx context.Context, list *List, items []int) (Exemption, error) {
	for {
		e := Exemption{Owner: l.Owner}
		var err error
		if e.Reason, err = l.ask(ctx, "Reason"); err != nil {
			return e, err
		}
		owner, err := l.ask(ctx, "Owner, who answers for it ["+render.SafeText(l.Owner)+"]")
		if err != nil {
			return e, err
		}
		if owner != "" {
			e.Owner = owner
		}
		if e.Expires, err = l.ask(ctx, "Until which day is it meant to stand? Empty for no end"); err != nil {
			return e, err
		}
		if list.convertible(items) {
			as, err := l.ask(ctx, "u leaves it unchanged, f makes a functional account of it, which goes on receiving [u]")
			if err != nil {
				return e, err
			}
			e.Functional = as == "f"
		}
		err = e.check(l.Now)
		if err == nil {
			return e, nil
		}
		l.say(err.Error() + ".")
	}
}

// conclude shows what it has come to and asks the last question.
func (l *Lines) conclude(ctx context.Context, list *List) (bool, error) {
	for i := range list.Items {
		if fate := list.fate(i); fate != "" && list.Left() <= shownFew {
			l.say(fmt.Sprintf("%4d  %s: left out, %s.", i+1, list.Items[i].Name, fate))
		}
	}
	for i := range list.Items {
		for _, x := range list.Items[i].Stops {
			if list.Ticked(i) {
				l.say("      stops receiving: " + x)
			}
		}
	}
	text, err := l.ask(ctx, list.sentence()+`. Only "yes" applies it`)
	return text == "yes", err
}

func (l *Lines) show(list *List, most int, search string) {
	for _, g := range list.Groups {
		l.say("", fmt.Sprintf("%s: %d", g.Title, g.End-g.First))
		if g.Held != "" {
			l.say("  " + g.Held)
		}
		shown, hidden := 0, 0
		for i := g.First; i < g.End; i++ {
			it := &list.Items[i]
			switch {
			case !list.matches(i, search):
				continue
			case shown >= most && len(it.Stops) == 0 && !list.Out(i):
				hidden++
				continue
			}
			shown++
			box, about := "[x]", it.About
			switch {
			case list.Out(i):
				box, about = "[ ]", list.fate(i)
			case it.Held:
				box = "[h]"
			}
			l.say(fmt.Sprintf("%4d %s %-3s %s  %s", i+1, box, it.Symbol, it.Name, about))
			for _, x := range it.Stops {
				l.say("              stops receiving: " + x)
			}
		}
		if hidden > 0 {
			l.say(fmt.Sprintf("     … and %d more (list shows all)", hidden))
		}
	}
}

func (l *Lines) say(lines ...string) {
	for _, line := range lines {
		_, _ = fmt.Fprintln(l.Out, line)
	}
}

// ask puts one question. An interrupt is an answer that nobody gave.
func (l *Lines) ask(ctx context.Context, question string) (string, error) {
	_, _ = fmt.Fprintf(l.Out, "%s: ", question)
	select {
	case a := <-l.answers:
		switch {
		case errors.Is(a.err, io.EOF):
			return "", ErrNoAnswer
		case a.err != nil:
			return "", a.err
		}
		return a.text, nil
	case <-ctx.Done():
		return "", errInterrupted
	}
}

func alongText(n int) string {
	if n <= 0 {
		return ""
	}
	return ", and " + plural(n, "other", "others") + " that belong to it"
}

// convertible reports whether an exemption can make a functional account of any of the items.
func (l *List) convertible(items []int) bool {
	for _, i := range items {
		if l.Items[i].Convertible {
			return true
		}
	}
	return false
}

// find reads numbers, ranges, addresses and patterns.
func (l *List) find(text string) ([]int, error) {
	var out []int
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }) {
		from, to, isRange := strings.Cut(word, "-")
		first, err1 := strconv.Atoi(from)
		last := first
		var err2 error
		if isRange {
			last, err2 = strconv.Atoi(to)
		}
		if err1 == nil && err2 == nil {
			if first < 1 || last < first || last > len(l.Items) {
				return nil, fmt.Errorf("there is no %s: the items are numbered 1 to %d", render.SafeText(word), len(l.Items))
			}
			for i := first; i <= last; i++ {
				out = append(out, i-1)
			}
			continue
		}
		found := len(out)
		for i := range l.Items {
			it := &l.Items[i]
			for _, name := range []string{it.Mail, it.Name, it.Address} {
				if ok, err := path.Match(strings.ToLower(word), strings.ToLower(name)); strings.EqualFold(name, word) || err == nil && ok {
					out = append(out, i)
					break
				}
			}
		}
		if len(out) == found {
			return nil, fmt.Errorf("nothing here is called %s", render.SafeText(word))
		}
	}
	if len(out) == 0 {
		return nil, errors.New("that names nothing")
	}
	slices.Sort(out)
	return slices.Compact(out), nil // named twice, it is one all the same
}
