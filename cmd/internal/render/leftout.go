package render

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/weir-project/weir/planner"
)

// leftOutView is one item that a person left out when approving the plan.
type leftOutView struct {
	// Address is the item's, Text what would be done, What how long it is left out, and why.
	Address, Text, What string
}

func leftOutViews(part *planner.Part) []leftOutView {
	var out []leftOutView
	for i := range part.Omissions {
		o := &part.Omissions[i]
		out = append(out, leftOutView{Address: o.Address, Text: cmp.Or(o.Text, o.Address), What: o.What()})
	}
	return out
}

// leftOutOf counts the items of a part that would be applied and are left out: those that its summary counts all the same.
func leftOutOf(part *planner.Part) int {
	if len(part.Omissions) == 0 {
		return 0
	}
	whole := *part
	whole.Omissions = nil
	return len(whole.Review().Items) - len(part.Review().Items)
}

// markLeftOut says at each account, declared object and address that stops receiving that it is left out. What stops
// receiving with an item that is left out goes on.
func (t *tenantView) markLeftOut(part *planner.Part) {
	if len(t.LeftOut) == 0 {
		return
	}
	for i := range t.Changes {
		t.Changes[i].LeftOut = leftOutText(part, t.Changes[i].Address)
	}
	goesOn := map[string]bool{}
	if part.Accounts != nil {
		for i := range part.Accounts.Decisions {
			d := &part.Accounts.Decisions[i]
			if leftOutText(part, planner.AccountAddress(part.AccountPolicy, d.Address)) != "" {
				for _, address := range d.Loses {
					goesOn[address] = true
				}
			}
		}
	}
	for i := range t.Groups {
		for k := range t.Groups[i].Accounts {
			a := &t.Groups[i].Accounts[k]
			a.LeftOut = leftOutText(part, planner.AccountAddress(part.AccountPolicy, a.Address))
		}
	}
	t.Stops = slices.Clone(t.Stops)
	for i := range t.Stops {
		if goesOn[t.Stops[i].Address] {
			t.Stops[i].Why += "; left out by a person, so that it goes on"
		}
	}
}

// ofThese is the end of a line of counts that says how many of the items counted are left out.
func ofThese(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d of these left out", n)
}

// leftOut lists what a person left out when approving the plan.
func (p *printer) leftOut(list []leftOutView) {
	if len(list) == 0 {
		return
	}
	remark := fmt.Sprint(len(list))
	if approved := p.o.Approved.text(); approved != "" {
		remark += ", when the plan was approved " + approved
	}
	p.section(yellow, "Left out by a person", remark)
	for _, it := range list {
		p.prose("", "    - ", it.Text+": "+it.What)
	}
	p.blank()
}

// leftOut lists what a person left out when approving the plan, never folded.
func (m *markdown) leftOut(t *tenantView, approved string) {
	if len(t.LeftOut) == 0 {
		return
	}
	title, _ := headline(t.Part.Tenant)
	m.f("#### Left out by a person: %s\n\n", m.text(title))
	if approved != "" {
		m.f("When the plan was approved %s.\n\n", m.text(approved))
	}
	for _, it := range t.LeftOut {
		m.f("- %s: %s\n", m.text(it.Text), m.text(it.What))
	}
	m.f("\n")
}

func jsonLeftOut(part *planner.Part) []any {
	out := []any{}
	for i := range part.Omissions {
		o := &part.Omissions[i]
		e := map[string]any{"address": o.Address, "text": o.Text, "what": o.What(), "until": stamp(o.Until), "exemption": o.Exemption, "with": o.With, "reason": o.Reason, "by": o.By}
		out = append(out, e)
	}
	return out
}

// leftOutText is how an item is left out; "" for one that is not.
func leftOutText(part *planner.Part, address string) string {
	if o := part.Omitted(address); o != nil {
		return o.What()
	}
	return ""
}
