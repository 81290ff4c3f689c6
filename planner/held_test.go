package planner

import (
	"strings"
	"testing"
)

// TestStayHeld: nobody approved what was held, also if what was left out for longer lets it pass now.
func TestStayHeld(t *testing.T) {
	free := func() *Part {
		p := decided()
		for _, c := range p.Changes {
			c.Held = ""
		}
		for i := range p.Accounts.Decisions {
			p.Accounts.Decisions[i].Held = ""
		}
		return p
	}
	p, reviewed := free(), decided()
	all := len(p.Review().Items)
	p.StayHeld(reviewed)
	items := p.Review().Items
	_, rule := items["mail_flow_rule.held"]
	_, olga := items[mail("olga")]
	if rule || olga || len(items) != all-2 || len(items) != len(reviewed.Review().Items) {
		t.Errorf("%d of %d items are applied, %d were approved", len(items), all, len(reviewed.Review().Items))
	}
	if !p.HeldAccounts() || free().HeldAccounts() {
		t.Error("which accounts are held is not known")
	}
	// The twins: what was held for a reason that still stands keeps it, and what a person decided about is decided.
	p = decided()
	p.StayHeld(reviewed)
	if d := p.Accounts.Decisions[4]; d.Held != "held" {
		t.Errorf("%+v", d)
	}
	reviewed.Omit(Omission{Address: mail("olga"), Exemption: "exemption.olga"})
	p = free()
	p.StayHeld(reviewed)
	if _, there := p.Review().Items[mail("olga")]; !there {
		t.Error("what the exemption asks for is held")
	}
}

// TestLeftOfWhatWasHeld: what a guard held then is nothing new when the plan is taken up again, whether it still does or not.
func TestLeftOfWhatWasHeld(t *testing.T) {
	differs := func(now, reviewed *Part) string { return strings.Join(now.Left(reviewed).Differs, "\n") }
	free := decided()
	free.Accounts.Decisions[4].Held = ""
	for name, now := range map[string]*Part{"held": decided(), "free": free} {
		if text := differs(now, decided()); text != "" {
			t.Errorf("%s now: %s", name, text)
		}
	}
	// The twin: what the review did not have at all is told, held or not.
	reviewed := decided()
	reviewed.Accounts.Decisions = reviewed.Accounts.Decisions[:4]
	for name, now := range map[string]*Part{"held": decided(), "free": free} {
		if text := differs(now, reviewed); !strings.Contains(text, "olga@c.example") || !strings.Contains(text, "came up since") {
			t.Errorf("%s now: %s", name, text)
		}
	}
}
