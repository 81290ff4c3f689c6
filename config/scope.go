package config

import (
	"sync"

	"github.com/weir-project/weir/providers/resource"
)

// scope is one instance of a module: the root, or one instance of a call. Scopes are shared by all evaluations of a
// frame. A pattern stands for the instances of a call whose for_each is not known in the frame.
type scope struct {
	mod     *module
	parent  *scope
	call    *call
	key     resource.Key
	pattern bool // this call, or one around it, is a pattern
	path    []resource.Step

	mu       sync.Mutex
	children map[childKey]*scope

	// tenants are the keys of the tenants that have blocks in this module instance or below; set once by the frame.
	tenants map[string]bool
}

type childKey struct {
	call    string
	key     resource.Key
	pattern bool
}

// child returns the scope of one instance of a call, always the same one.
func (s *scope) child(c *call, key resource.Key, pattern bool) *scope {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := childKey{c.name, key, pattern}
	if got := s.children[k]; got != nil {
		return got
	}
	n := &scope{
		mod: c.module, parent: s, call: c, key: key, pattern: pattern || s.pattern,
		path: append(append([]resource.Step{}, s.path...), resource.Step{Name: c.name, Key: key}),
	}
	if s.children == nil {
		s.children = map[childKey]*scope{}
	}
	s.children[k] = n
	return n
}

// address is the address of one instance of a block in this scope.
func (s *scope) address(b *block, key resource.Key) resource.Address {
	return resource.Address{Module: s.path, Type: b.typeName, Name: b.name, Key: key, Data: b.data != nil}
}

// blockAddress names the block without its instance key, in this instance of the module.
func (s *scope) blockAddress(b *block) string { return s.address(b, resource.NoKey).String() }

// dep is one thing that a value depends on: an instance of a block, or all of them.
type dep struct {
	sc  *scope
	b   *block
	key resource.Key
	all bool
}

func (d dep) String() string {
	if d.all {
		return d.sc.blockAddress(d.b)
	}
	return d.sc.address(d.b, d.key).String()
}

// deps is a set of them.
type deps map[dep]struct{}

func (d deps) add(other deps) {
	for k := range other {
		d[k] = struct{}{}
	}
}
