package planner

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// NewFacts answers questions about a directory reading; nil for a nil reading.
func NewFacts(reading *directory.Reading) resource.DirectoryFacts {
	if reading == nil {
		return nil
	}
	return &facts{reading: reading}
}

type facts struct {
	reading *directory.Reading
	// byID is made when the first group is asked for: many exemptions may name groups of one large directory.
	once sync.Once
	byID map[string]*directory.Entry
}

func (f *facts) index() {
	f.byID = make(map[string]*directory.Entry, len(f.reading.Entries))
	for _, list := range [][]*directory.Entry{f.reading.Entries, f.reading.Groups} {
		for _, e := range list {
			f.byID[e.ObjectID] = e
		}
	}
}

// Matching implements resource.DirectoryFacts.
func (f *facts) Matching(match func(entry any) (bool, error)) ([]string, error) {
	var out []string
	for _, e := range f.reading.Entries {
		if e.Address == "" {
			continue
		}
		ok, err := match(e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Address, err)
		}
		if ok {
			out = append(out, e.Address)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// GroupMembers implements resource.DirectoryFacts. Members of nested groups count.
func (f *facts) GroupMembers(nameOrAddress string) ([]string, error) {
	f.once.Do(f.index)
	var found []*directory.Entry
	for _, g := range f.reading.Groups {
		if strings.EqualFold(g.Name, nameOrAddress) || g.Address != "" && g.Address == directory.Fold(nameOrAddress) {
			found = append(found, g)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("the directory has no group %q", nameOrAddress)
	case 1:
	default:
		return nil, fmt.Errorf("the directory has %d groups named %q; name one by its address", len(found), nameOrAddress)
	}
	var out []string
	seen := map[string]bool{}
	var hidden *directory.Entry
	var collect func(*directory.Entry)
	collect = func(g *directory.Entry) {
		if g.MembersHidden {
			hidden = g
		}
		for _, id := range g.Members {
			if seen[id] {
				continue
			}
			seen[id] = true
			switch m := f.byID[id]; {
			case m == nil:
			case m.Kind.IsGroup():
				collect(m)
			case m.Address != "":
				out = append(out, m.Address)
			}
		}
	}
	collect(found[0])
	if hidden != nil {
		return nil, fmt.Errorf("the members of the group %q are hidden; grant the microsoft provider's application Member.Read.Hidden", hidden.Name)
	}
	slices.Sort(out)
	return out, nil
}
