package dirsync

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/directory"
)

// takeBack ends every skip on its addresses: while one of them holds, it is left out.
func (c *changes) takeBack(mine map[string]bool) {
	var names, commands []string
	for _, l := range c.LeftOut {
		names = append(names, l.Address)
		record := c.req.SkipRecords[l.Address]
		if record == "" {
			record = fmt.Sprintf("%s.skip[%q]", c.req.Policy.Address, l.Address)
		}
		if command := "weir state rm '" + record + "'\n"; !slices.Contains(commands, command) {
			commands = append(commands, command)
		}
	}
	verb := "is"
	if len(names) > 1 {
		verb = "are"
	}
	c.add(1, InState, fmt.Sprintf("take back that %s %s left out", strings.Join(names, ", "), verb), strings.Join(commands, ""), func(r *Request) {
		skips := map[string]time.Time{}
		for x, until := range r.Skips {
			if !mine[directory.Fold(x)] {
				skips[x] = until
			}
		}
		r.Skips = skips
	})
}

// ending is how an exemption ends, and where. What was applied holds until an apply that no longer finds it in the files.
func (c *changes) ending(source, text string) (where, how string) {
	written, applied := false, false
	for i := range c.req.Protections {
		if p := &c.req.Protections[i]; p.Source == source {
			written, applied = written || p.Where != "", applied || p.Where == ""
		}
	}
	switch {
	case !written:
		return InState, "apply twice: " + source + " stands in no file any more, and ends with the first"
	case applied:
		return InConfiguration, text + ", and apply twice"
	}
	return InConfiguration, text
}

// freeLabel is a name for an exemption of the address that no exemption has.
func (c *changes) freeLabel() string {
	taken := func(label string) bool {
		return slices.ContainsFunc(c.req.Protections, func(p Protection) bool { return p.Source == "exemption."+label })
	}
	base := blockLabel(c.address)
	label := base
	if taken(label) {
		label = blockLabel(strings.NewReplacer("@", "_", ".", "_").Replace(c.address))
	}
	for n := 2; taken(label); n++ {
		label = fmt.Sprintf("%s_%d", base, n)
	}
	return label
}

// window waits until enough of the earlier removals are no longer counted.
func (c *changes) window(h Hold) {
	s := &c.req.Policy.Safeguard
	if h.Count > h.Allowed {
		return
	}
	last := map[string]time.Time{}
	for _, r := range c.req.Window {
		if x := directory.Fold(r.Address); c.req.Now.Sub(r.At) < s.Window && r.At.After(last[x]) {
			last[x] = r.At
		}
	}
	var times []time.Time
	for _, at := range last {
		times = append(times, at)
	}
	slices.SortFunc(times, time.Time.Compare)
	leave := len(times) + h.Count - h.Allowed
	if leave < 1 || leave > len(times) {
		return
	}
	due := times[leave-1].Add(s.Window)
	c.add(1, InTime, fmt.Sprintf("wait until %s, when fewer earlier removals count", day(due)), "", func(r *Request) { r.Now = due })
}
