package render

import "time"

// Options steer the forms for people.
type Options struct {
	// Color allows ANSI colour.
	Color bool
	// Width is the number of columns to wrap prose at; 0 means 100.
	Width int
	// Proofs shows how complete each read was as a table, even when all were.
	Proofs bool
	// Names shows people's mail addresses in Markdown; without it they appear as a…@contoso.com.
	Names bool
	// Flags are those that a command to type has to repeat, such as "--simulate".
	Flags []string
	// Asking leaves out what to type next, because a question follows.
	Asking bool
	// Resumed says that an outcome is that of a plan which was taken up again.
	Resumed bool
	// GoOn is the command that takes up again what was not done; "" when planning again does, for the reason Because
	// ("" for none).
	GoOn    string
	Because string
	// File is the file that the plan is saved in; "" for one that is not.
	File string
	// Approved says when and by whom a saved plan was approved without what its omissions name.
	Approved Approval
}

// Approval is when a person approved a plan, UTC, and who; zero for a plan of which nobody left anything out here.
type Approval struct {
	At time.Time
	By string
}

// text is "on 2026-11-28 12:00 UTC by dana", fit for a terminal; "" when nobody approved.
func (a Approval) text() string {
	if a.At.IsZero() {
		return ""
	}
	return SafeText("on " + minute(a.At) + " UTC by " + a.By)
}

// command is a weir command with the flags that it has to repeat.
func (o Options) command(verb string) string {
	text := "weir " + verb
	for _, f := range o.Flags {
		text += " " + shell(f)
	}
	return text
}

func (o Options) width() int {
	if o.Width <= 0 {
		return 100
	}
	return max(o.Width, 40)
}

// Command is a weir command to type, with the flags that it has to repeat.
func Command(verb string, flags []string) string { return Options{Flags: flags}.command(verb) }
