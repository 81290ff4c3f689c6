package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/weir-project/weir/providers/resource"
)

// Rename returns the address that the block gives to what state holds at a, and whether the block is about a at all. A
// key that stands on neither side of a step stands for every instance, which keeps its key: domain.a to domain.b, and
// module.a to module.b. Where one side has a key, the side without means the one instance that has none, as when a block
// gets or loses its for_each.
func (m Moved) Rename(a resource.Address) (resource.Address, bool) {
	from, to := m.From, m.To
	if a.Data || len(a.Module) < len(from.Module) || from.Type != "" && len(a.Module) != len(from.Module) {
		return a, false
	}
	pairs := m.pairs()
	out := resource.Address{Type: a.Type, Name: a.Name, Key: a.Key, Module: append([]resource.Step(nil), to.Module...)}
	for i, step := range from.Module {
		had := a.Module[i]
		if step.Name != had.Name {
			return a, false
		}
		if j, paired := pairs[i]; paired && !step.Key.IsSet() && !to.Module[j].Key.IsSet() {
			out.Module[j].Key = had.Key
		} else if step.Key != had.Key {
			return a, false
		}
	}
	if from.Type == "" {
		out.Module = append(out.Module, a.Module[len(from.Module):]...)
		return out, true
	}
	if a.Type != from.Type || a.Name != from.Name {
		return a, false
	}
	out.Type, out.Name = to.Type, to.Name
	if from.Key.IsSet() || to.Key.IsSet() {
		out.Key = to.Key
		if a.Key != from.Key {
			return a, false
		}
	}
	return out, true
}

// pairs are the steps of From, by index, of which a step of To is the same call: those at the beginning that have the
// same names, and all others if as many are left on both sides.
func (m Moved) pairs() map[int]int {
	from, to := m.From.Module, m.To.Module
	out := map[int]int{}
	if len(from) == len(to) {
		for i := range from {
			out[i] = i
		}
		return out
	}
	for i := 0; i < len(from) && i < len(to) && from[i].Name == to[i].Name; i++ {
		out[i] = i
	}
	return out
}

// keyed reports whether either side names an instance by its key.
func (m Moved) keyed() bool { return hasKey(m.From) || hasKey(m.To) }

func hasKey(a resource.Address) bool {
	for _, s := range a.Module {
		if s.Key.IsSet() {
			return true
		}
	}
	return a.Key.IsSet()
}

// addressText is the text of an address that may name a module call.
func addressText(a resource.Address) string {
	if a.Type != "" {
		return a.String()
	}
	text := ""
	for i, s := range a.Module {
		if i > 0 {
			text += "."
		}
		text += "module." + s.Name + s.Key.String()
	}
	return text
}

// String is the block in a few words: domain.a to domain.b.
func (m Moved) String() string { return addressText(m.From) + " to " + addressText(m.To) }

// checkMoves reports moved blocks that contradict each other or the configuration, and returns the others.
func (f *frameEval) checkMoves(all []Moved) []Moved {
	var good []Moved
	bad := func(m Moved, summary, detail string) {
		f.ev.report(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: m.Range.Ptr()}})
	}
	from, to := map[string]Moved{}, map[string]Moved{}
	for _, m := range all {
		was, becomes := addressText(m.From), addressText(m.To)
		other, twice := from[was]
		if !twice {
			other, twice = to[becomes]
		}
		switch {
		case was == becomes:
			bad(m, "Invalid move", fmt.Sprintf("%s is moved to itself. Take the block out.", was))
			continue
		case twice:
			bad(m, "Ambiguous moves", fmt.Sprintf("%s contradicts the moved block at %s, of %s: an address has one destination, and a destination one origin.", m, place(other.Range), other))
			continue
		}
		from[was], to[becomes] = m, m
		if f.declaredStill(m) {
			bad(m, "Moved but still declared", fmt.Sprintf("%s still stands in the configuration, so it cannot have become %s. Take the old block or instance out, or the moved block.", was, becomes))
			continue
		}
		good = append(good, m)
	}
	for _, m := range good {
		if _, _, steps := Follow(good, m.To); steps > len(good) {
			bad(m, "Moves in a circle", fmt.Sprintf("The moved blocks lead from %s back to it. Take out those that are done.", addressText(m.To)))
			return nil
		}
	}
	return good
}

// Follow gives an address the name that the moves give it one after the other. last is the move that gave the final
// name; steps is how many it took, 0 when none is about the address. It gives up after one step more than there are
// moves, which only moves in a circle need.
func Follow(moves []Moved, a resource.Address) (to resource.Address, last Moved, steps int) {
next:
	for steps <= len(moves) {
		for _, m := range moves {
			if renamed, ok := m.Rename(a); ok {
				a, last = renamed, m
				steps++
				continue next
			}
		}
		break
	}
	return a, last, steps
}

// declaredStill reports whether what a block moves away is certainly still declared.
func (f *frameEval) declaredStill(m Moved) bool {
	if !m.keyed() {
		mod := f.ev.g.root
		for _, s := range m.From.Module {
			c := mod.calls[s.Name]
			if c == nil || c.module == nil {
				return false
			}
			mod = c.module
		}
		return m.From.Type == "" || mod.blocks[m.From.Type+"."+m.From.Name] != nil
	}
	_, _, declared := f.locate(m.From, f.ev.get)
	return declared
}

// locate finds the module instance and the block of an address (nil for a module call). An instance that is not known
// yet counts as declared only by what is known of it: declared is false.
func (f *frameEval) locate(a resource.Address, get func(nodeKey) *node) (sc *scope, b *block, declared bool) {
	sc = f.root
	has := func(n *node, key resource.Key) bool {
		return !n.failed && n.exp != nil && !n.exp.unknown && n.exp.has(key)
	}
	for _, s := range a.Module {
		c := sc.mod.calls[s.Name]
		if c == nil || c.module == nil || !has(get(nodeKey{sc: sc, kind: nodeCall, name: s.Name}), s.Key) {
			return nil, nil, false
		}
		sc = sc.child(c, s.Key, false)
	}
	if a.Type == "" {
		return sc, nil, true
	}
	b = sc.mod.blocks[a.Type+"."+a.Name]
	if b == nil || !has(get(nodeKey{sc: sc, kind: nodeBlock, name: b.key}), a.Key) {
		return nil, nil, false
	}
	return sc, b, true
}

// Home returns the tenant to which the instance at an address belongs, nil for the root's own. declared is false when
// the configuration has no such instance, or its instances are not known before something was read. Safe for concurrent
// use.
func (f *Frame) Home(a resource.Address) (t *Tenant, declared bool) {
	fe := f.eval.(*frameEval)
	sc, b, declared := fe.locate(a, fe.node)
	if !declared || b == nil {
		return nil, false
	}
	return fe.home(sc, b, a.Key)
}
