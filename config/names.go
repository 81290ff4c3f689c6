package config

import (
	"maps"
	"slices"

	"github.com/weir-project/weir/providers/resource"
)

// Types are the names of the resource types that blocks of the configuration use, in any module.
func (g *Graph) Types() map[string]bool {
	used := map[string]bool{}
	var visit func(*module)
	visit = func(m *module) {
		for _, b := range m.order {
			if b.typ != nil {
				used[b.typ.Name] = true
			}
		}
		for _, c := range m.calls {
			if c.module != nil {
				visit(c.module)
			}
		}
	}
	visit(g.root)
	return used
}

// Variables are the names of the root module's variables, sorted.
func (g *Graph) Variables() []string { return slices.Sorted(maps.Keys(g.root.variables)) }

// Declares reports whether a block stands for the address, or for some instance of it, whether it makes any at present or
// not.
func (g *Graph) Declares(a resource.Address) bool { return g.find(a) != nil }
