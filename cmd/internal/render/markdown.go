package render

import (
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/weir-project/weir/planner"
)

// Markdown shows a plan in a pull request.
func Markdown(w io.Writer, p *planner.Plan, o Options) error {
	return fenced(w, o, func(b io.Writer) error { return Text(b, p, Options{}) })
}

// DriftMarkdown shows drift in an issue or a pull request.
func DriftMarkdown(w io.Writer, p *planner.Plan, o Options) error {
	return fenced(w, o, func(b io.Writer) error { return DriftText(b, p, Options{}) })
}

func fenced(w io.Writer, o Options, draw func(io.Writer) error) error {
	var b strings.Builder
	if err := draw(&b); err != nil {
		return err
	}
	text := b.String()
	if !o.Names {
		text = pseudonym(text)
	}
	_, err := fmt.Fprintf(w, "~~~~~~~~\n%s~~~~~~~~\n", text)
	return err
}

var page = template.Must(template.New("plan").Parse(`<!doctype html><meta charset="utf-8"><title>Weir plan</title><pre>{{.}}</pre>`))

// HTML shows a plan as one self-contained page.
func HTML(w io.Writer, p *planner.Plan) error {
	var b strings.Builder
	if err := Text(&b, p, Options{}); err != nil {
		return err
	}
	return page.Execute(w, b.String())
}
