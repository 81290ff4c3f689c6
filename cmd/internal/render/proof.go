package render

import (
	"fmt"
	"strings"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
)

// proofRow is one read, or a part of one, as a row of a table.
type proofRow struct {
	// Source is indented for a part. Size is "2,341 of 2,341".
	Source, Pages, Size, Verdict, Problem, Hash, At string
	Complete                                        bool
}

// proofRows are the reads that a part rests on, each before the reads that it is made of.
func proofRows(proofs []directory.Proof) []proofRow { return appendProofs(nil, proofs, "") }

func appendProofs(rows []proofRow, proofs []directory.Proof, indent string) []proofRow {
	for _, p := range proofs {
		r := proofRow{Source: indent + p.Source, Complete: p.Complete, Verdict: "complete", Problem: p.Problem, Size: thousands(p.Objects)}
		if !p.Complete {
			r.Verdict = "NOT COMPLETE"
		}
		switch {
		case p.Count >= 0:
			r.Size += " of " + thousands(p.Count)
		case p.Complete && len(p.Parts) == 0 && p.Base == nil:
			r.Size += ", not counted by the vendor"
		}
		if b := p.Base; b != nil && len(p.Parts) == 0 {
			r.Size += fmt.Sprintf(", %s changed since %s", thousands(p.Changed), minute(b.At))
		} else if b != nil {
			r.Size += ", read in full on " + minute(b.Full)
		}
		if p.Pages > 0 {
			r.Pages = plural(p.Pages, "page", "pages")
		}
		if p.Hash != "" {
			r.Hash = "sha256 " + p.Hash[:min(16, len(p.Hash))]
		}
		if !p.At.IsZero() && indent == "" {
			r.At = p.At.UTC().Format("15:04:05")
		}
		rows = appendProofs(append(rows, r), p.Parts, indent+"  ")
	}
	return rows
}

// readCompletely reports whether every read, and every read that one is made of, was complete.
func readCompletely(proofs []directory.Proof) bool {
	for _, p := range proofs {
		if !p.Complete || !readCompletely(p.Parts) {
			return false
		}
	}
	return true
}

// withheld says what is not done because a read was not complete; "" when nothing is withheld.
func withheld(part *planner.Part) string {
	a := part.Accounts
	if a == nil || len(a.Problems) == 0 {
		return ""
	}
	text := "No account is disabled, deleted or converted, and none loses an address"
	var names []string
	for _, s := range a.Skips {
		if s.Code == dirsync.SkipIncomplete {
			names = append(names, s.Address)
		}
	}
	if n := len(names); n > 0 {
		text += fmt.Sprintf("; %s left as %s, which a complete read might change: %s", plural(n, "account is", "accounts are"), pick(n, "it is", "they are"), strings.Join(names[:min(n, maxAccounts)], ", "))
		if n > maxAccounts {
			text += fmt.Sprintf(" and %d more", n-maxAccounts)
		}
	}
	if n := a.SkipCounts[string(dirsync.SkipUnknownKind)]; n > 0 {
		text += fmt.Sprintf("; %s not added, because what %s cannot be told", plural(n, "entry is", "entries are"), pick(n, "it is", "they are"))
	}
	return text + "."
}

func pick(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// proofs writes how complete each read was: in one line when all were and nobody asked for more, else as a table with
// what is withheld.
func (p *printer) proofs(t *tenantView) {
	if len(t.Proofs) == 0 {
		return
	}
	complete := readCompletely(t.Proofs)
	if complete && !p.o.Proofs {
		p.prose(dim, "  ", "Read completely: "+proofsText(t.Proofs)+".")
		return
	}
	code, remark := "", "what the plan rests on, times in UTC"
	if !complete {
		code, remark = red, "NOT COMPLETE"
	}
	p.section(code, "Read", remark)
	rows := proofRows(t.Proofs)
	widths := [4]int{}
	for _, r := range rows {
		for i, s := range []string{r.Source, r.Pages, r.Size, r.Verdict} {
			widths[i] = max(widths[i], width(SafeText(s)))
		}
	}
	for _, r := range rows {
		line := "    "
		for i, s := range []string{r.Source, r.Pages, r.Size} {
			line += pad(SafeText(s), widths[i]) + "  "
		}
		verdict := pad(r.Verdict, widths[3])
		if !r.Complete {
			verdict = p.style(red, verdict)
		}
		p.line(line, verdict, "  ", p.style(dim, pad(r.At, 8)), "  ", p.style(dim, r.Hash))
		if r.Problem != "" {
			p.prose(red, "        ", r.Problem)
		}
	}
	if text := withheld(t.Part); text != "" {
		p.prose(red, "    Withheld: ", text)
	}
	p.blank()
}

// proofs writes the reads as a table.
func (m *markdown) proofs(t *tenantView) {
	if len(t.Proofs) == 0 {
		return
	}
	m.f("| read | pages | objects | | at (UTC) | hash |\n|---|---|---|---|---|---|\n")
	for _, r := range proofRows(t.Proofs) {
		verdict := r.Verdict
		if r.Problem != "" {
			verdict += ": " + r.Problem
		}
		source := strings.TrimLeft(r.Source, " ")
		lead := strings.Repeat("– ", (len(r.Source)-len(source))/2)
		m.f("| %s%s | %s | %s | %s | %s | %s |\n", lead, m.text(source), r.Pages, r.Size, m.text(verdict), r.At, m.code(r.Hash))
	}
	m.f("\n")
	if text := withheld(t.Part); text != "" {
		m.f("**Withheld:** %s\n\n", m.text(text))
	}
}
