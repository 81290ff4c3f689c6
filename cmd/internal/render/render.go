package render

// Options steer the forms for people.
type Options struct {
	// Color allows ANSI colour.
	Color bool
	// Width is the number of columns to wrap prose at; 0 means 100.
	Width int
	// Names shows people's mail addresses in Markdown; without it they appear as a…@contoso.com.
	Names bool
	// Asking leaves out what to type next, because a question follows.
	Asking bool
}

func (o Options) width() int {
	if o.Width <= 0 {
		return 100
	}
	return max(o.Width, 40)
}
