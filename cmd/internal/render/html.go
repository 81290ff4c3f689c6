package render

import (
	_ "embed"
	"html/template"
	"io"
	"strings"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"safe":    SafeText,
	"lines":   func(s string) string { return strings.Join(safeLines(s), "\n") },
	"join":    func(list []string) string { return SafeText(strings.Join(list, "; ")) },
	"title":   func(id resource.Identity) string { t, _ := headline(id); return SafeText(t) },
	"detail":  func(id resource.Identity) string { _, d := headline(id); return SafeText(strings.Join(d, ", ")) },
	"counts":  counts,
	"ofthese": ofThese,
	"strays":  strayText,
	"cell":    cell,
	"verdict": func(v *view) string { return strings.ReplaceAll(verdict(v), "**", "") },
	"status":  statusText,
	"changed": accountCounts,
	"plural":  plural,
	"seats":   seatsCell,
	"because": func(g group) string { return g.becauseWord() },
	"reason":  reasonText,
	"add":     func(a, b int) int { return a + b },
	"stops": func(v *view) int {
		n := 0
		for _, t := range v.Tenants {
			n += len(t.Stops)
		}
		return n
	},
	"symbol": func(s string) string {
		switch s {
		case "+", "<-", "<=":
			return "plus"
		case "~", "=>":
			return "tilde"
		case ".":
			return "dot"
		}
		return "minus"
	},
	"word": func(it item) string {
		switch it.Word {
		case "create", "update", "delete", "changed":
			return ""
		}
		return it.Word
	},
	"proofs":    proofRows,
	"complete":  readCompletely,
	"withheld":  withheld,
	"thousands": thousands,
	"either":    func(e hostedEither) string { return SafeText(e.sides(10)) },
	"stopwhy":   stopText,
	"nochanges": func() string { return textNoChanges },
}).Parse(pageSource))

func seatsCell(t *tenantView) string {
	if t.Forecast == nil {
		return ""
	}
	return t.Forecast.Seats
}

func proofsText(proofs []directory.Proof) string {
	var parts []string
	for _, p := range proofs {
		text, _ := proofText(p)
		parts = append(parts, text)
	}
	return SafeText(strings.Join(parts, ", "))
}

// HTML shows a plan as one self-contained page: no script, nothing fetched, light and dark. All accounts are listed,
// with names: whoever publishes the page decides who may see it.
func HTML(w io.Writer, p *planner.Plan, o Options) error {
	v := newView(p)
	v.Approved = o.Approved.text()
	return page.Execute(w, v)
}
