package graph

import (
	"slices"
	"strings"
)

// route is one operation that the simulator serves.
type route struct {
	method string
	// template is the path with placeholders in braces, "/users/{id}"; it names the operation in the journal.
	template string
	need     permissions
	// cost is the base price in resource units ("Microsoft Graph service-specific throttling limits"); 0 means 1.
	cost int
	// changing routes run under the write lock.
	changing bool
	// options are the query options served, without "$", separated by spaces.
	options string
	run     func(x *request) (*reply, error)
}

// permissions lists the application permissions that suffice for a call: any one group, all of its members.
type permissions [][]string

// anyOf accepts each of the permissions alone.
func anyOf(names ...string) permissions {
	p := make(permissions, 0, len(names))
	for _, n := range names {
		p = append(p, []string{n})
	}
	return p
}

func (p permissions) grants(roles []string) bool {
	for _, group := range p {
		if !slices.ContainsFunc(group, func(n string) bool { return !slices.Contains(roles, n) }) {
			return true
		}
	}
	return len(p) == 0
}

// node is one level of the routing tree.
type node struct {
	children map[string]*node
	any      *node
	methods  map[string]*route
}

func buildRoutes(routes []route) *node {
	root := &node{}
	for i := range routes {
		at := root
		for seg := range strings.SplitSeq(strings.Trim(routes[i].template, "/"), "/") {
			if strings.HasPrefix(seg, "{") {
				if at.any == nil {
					at.any = &node{}
				}
				at = at.any
				continue
			}
			if at.children == nil {
				at.children = map[string]*node{}
			}
			seg = strings.ToLower(seg) // the service does not mind case here
			if at.children[seg] == nil {
				at.children[seg] = &node{}
			}
			at = at.children[seg]
		}
		if at.methods == nil {
			at.methods = map[string]*route{}
		}
		at.methods[routes[i].method] = &routes[i]
	}
	return root
}

// reserved segments mean something of their own and are never a key: what is not served there must not look absent.
func reserved(segment string) bool {
	return segment == "" || segment[0] == '$' || strings.EqualFold(segment, "delta") || strings.HasPrefix(segment, "microsoft.graph.")
}

// find returns the route of a path and the values of its placeholders. A fixed segment wins over a placeholder.
func (n *node) find(method string, segments []string) (*route, []string) {
	if len(segments) == 0 {
		return n.methods[method], nil
	}
	if c := n.children[strings.ToLower(segments[0])]; c != nil {
		if r, p := c.find(method, segments[1:]); r != nil {
			return r, p
		}
	}
	if n.any == nil || reserved(segments[0]) {
		return nil, nil
	}
	r, p := n.any.find(method, segments[1:])
	if r == nil {
		return nil, nil
	}
	return r, append([]string{segments[0]}, p...)
}
