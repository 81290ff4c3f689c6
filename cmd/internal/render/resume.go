package render

import (
	"fmt"
	"io"
	"time"

	"github.com/weir-project/weir/planner"
)

// Resumed is a plan that is taken up again.
type Resumed struct {
	// Plan has what is left of it; Approved is when it was made, Digest that of its file.
	Plan     *planner.Plan
	Approved time.Time
	Digest   string
	// Done counts the items that need nothing any more.
	Done int
	// Differs are those that are not what was reviewed any more, and what came up since.
	Differs []Differing
}

// Differing is one item that is left alone.
type Differing struct{ Tenant, Text string }

// Resume shows what is left of a plan that is taken up again, and what is left alone.
func Resume(w io.Writer, r *Resumed, o Options) error {
	p := newPrinter(w, o)
	text := "Going on with the plan of " + r.Approved.UTC().Format("2006-01-02 15:04 UTC")
	if r.Digest != "" {
		text += " (" + digestWords(r.Digest) + ")"
	}
	text += "; " + plural(r.Done, "item", "items") + " done before."
	p.prose(bold, "", text)
	p.blank()
	if len(r.Differs) > 0 {
		p.section(yellow, "Not taken up, because it is not what was approved", fmt.Sprint(len(r.Differs)))
		for i, d := range r.Differs {
			if i == 2*maxAccounts {
				p.line("    ", p.style(dim, fmt.Sprintf("… and %d more", len(r.Differs)-i)))
				break
			}
			if d.Tenant != "" && len(r.Plan.Parts) > 1 {
				d.Text = d.Tenant + ": " + d.Text
			}
			p.prose("", "    - ", d.Text)
		}
		p.blank()
	}
	if err := p.done(); err != nil || len(r.Plan.Parts) == 0 {
		return err
	}
	return Text(w, r.Plan, o)
}
