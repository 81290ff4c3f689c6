package render

import (
	"fmt"
	"strings"
	"time"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/state"
)

// skips lists the accounts that a person left out until a date, each with the address that state rm takes.
func (p *printer) skips(skips []state.Skip) {
	if len(skips) == 0 {
		return
	}
	p.section("", "Left out by a person", "weir state rm ADDRESS ends that")
	for i := range skips {
		s := &skips[i]
		p.line("    ", SafeText(planner.SkipAddress(s)), "  ", p.style(dim, SafeText(skipNote(s))))
	}
	p.blank()
}

func skipNote(s *state.Skip) string {
	parts := []string{"no end"}
	if !s.Until.IsZero() {
		parts[0] = "until " + s.Until.UTC().Format(time.DateOnly)
	}
	if s.By != "" {
		parts = append(parts, "by "+s.By)
	}
	if s.Reason != "" {
		parts = append(parts, fmt.Sprintf("%q", s.Reason))
	}
	return strings.Join(parts, ", ")
}

func jsonSkips(skips []state.Skip) []map[string]any {
	out := []map[string]any{}
	for i := range skips {
		s := &skips[i]
		out = append(out, map[string]any{
			"address": planner.SkipAddress(s), "policy": s.Address, "mail": s.Mail, "uid": s.UID, "object_id": s.ObjectID,
			"until": stamp(s.Until), "reason": s.Reason, "by": s.By,
		})
	}
	return out
}
