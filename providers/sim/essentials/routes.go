package essentials

import (
	"slices"
	"strings"
)

// Operation is one operation of the Interface API v1.
type Operation struct {
	// Method is the HTTP method, Path the template below /api/v1: {d} any domain of the organization, {t} the domain
	// acted on.
	Method, Path string
	// Implemented is false for an operation that answers 501.
	Implemented bool
}

type operation struct {
	method, path string
	run          func(*request) (answer, error)
	// extra marks a second form of an operation that the list of 77 has once.
	extra    bool
	segments []string
}

// Operations lists the API's 77 operations in the order of the vendor's resources, for a coverage table.
func Operations() []Operation {
	var out []Operation
	for _, op := range routes {
		if !op.extra {
			out = append(out, Operation{Method: op.method, Path: op.path, Implemented: op.run != nil})
		}
	}
	return out
}

var routes = buildRoutes()

// match finds the operation, or the methods that the path has. The table is short and a request costs far more than the
// walk.
func match(method string, segments []string) (op *operation, params map[string]string, allowed []string) {
	for i := range routes {
		p, ok := matchPath(routes[i].segments, segments)
		if !ok {
			continue
		}
		if routes[i].method == method {
			return &routes[i], p, nil
		}
		if !slices.Contains(allowed, routes[i].method) {
			allowed = append(allowed, routes[i].method)
		}
	}
	return nil, nil, allowed
}

func matchPath(template, segments []string) (map[string]string, bool) {
	if len(template) != len(segments) {
		return nil, false
	}
	params := map[string]string{}
	for i, t := range template {
		if name, isParam := strings.CutPrefix(t, "{"); isParam {
			params[strings.TrimSuffix(name, "}")] = segments[i]
		} else if t != segments[i] {
			return nil, false
		}
	}
	return params, true
}

func buildRoutes() []operation {
	table := []operation{
		{method: "GET", path: "/me", run: getMe},
	}
	for i := range table {
		table[i].segments = strings.Split(strings.Trim(table[i].path, "/"), "/")
	}
	return table
}
