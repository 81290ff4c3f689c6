package graph

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// query is the parsed system query options of one request.
type query struct {
	selected  []string // names of $select; nil when absent
	filter    expr     // nil when absent
	filterRaw string
	order     string // property of $orderby, "" when absent
	descend   bool
	top       int // 0 when absent
	count     bool
	expand    string
	skipToken string
	delta     string // $deltatoken
	hasDelta  bool
	// eventual is the ConsistencyLevel header; advanced queries need it and $count=true.
	eventual bool
	values   url.Values
}

func (q *query) advanced() bool { return q.eventual && q.count }

// maxTop is the largest page; above it the service answers an error instead of capping.
const maxTop = 999

// parseQuery reads the query options that rt offers and refuses the others.
func parseQuery(in *incoming, rt *route) (query, error) {
	q := query{eventual: strings.EqualFold(in.header.Get("ConsistencyLevel"), "eventual")}
	values, err := url.ParseQuery(in.query)
	if err != nil {
		return q, &fault{status: 400, code: "BadRequest", message: "The query string could not be parsed: " + err.Error()}
	}
	q.values = values
	offered := strings.Fields(rt.options)
	for name, all := range values {
		if len(all) != 1 {
			return q, &fault{status: 400, code: "BadRequest", message: fmt.Sprintf("Query option '%s' was specified more than once.", name)}
		}
		if !strings.HasPrefix(name, "$") {
			return q, unimplemented("the query parameter %q", name)
		}
		plain := strings.ToLower(name[1:])
		if !containsFold(offered, plain) {
			return q, optionRefused(plain, rt)
		}
		if err := q.set(plain, all[0]); err != nil {
			return q, err
		}
	}
	if q.filter != nil && q.order != "" && !q.advanced() {
		return q, unsupportedQuery("Sorting not supported for current query.")
	}
	if q.expand != "" && q.eventual && q.count {
		return q, unsupportedQuery("Request with $expand query parameter is not supported together with advanced query capabilities.")
	}
	return q, nil
}

func optionRefused(name string, rt *route) *fault {
	switch name {
	case "skip":
		return unsupportedQuery("'$skip' is not supported by the service.")
	case "select", "filter", "top", "count", "orderby", "expand", "search", "skiptoken", "deltatoken", "format":
		if strings.HasSuffix(rt.template, "/delta") {
			return unsupportedQuery("The query option '$%s' is not supported by delta queries.", name)
		}
		return unimplemented("$%s on %s %s", name, rt.method, rt.template)
	}
	return &fault{status: 400, code: "BadRequest", message: fmt.Sprintf(
		"The query parameter '$%s' is not supported.", name)}
}

func (q *query) set(name, v string) error {
	switch name {
	case "select":
		q.selected = []string{}
		for s := range strings.SplitSeq(v, ",") {
			if s = strings.TrimSpace(s); s != "" {
				q.selected = append(q.selected, s)
			}
		}
		if len(q.selected) == 0 {
			q.selected = nil
		}
	case "filter":
		e, err := parseFilter(v)
		if err != nil {
			return &fault{status: 400, code: "BadRequest", message: "Invalid filter clause: " + err.Error()}
		}
		q.filter, q.filterRaw = e, v
	case "orderby":
		prop, dir, _ := strings.Cut(strings.TrimSpace(v), " ")
		switch strings.ToLower(strings.TrimSpace(dir)) {
		case "", "asc":
		case "desc":
			q.descend = true
		default:
			return &fault{status: 400, code: "BadRequest", message: fmt.Sprintf("Invalid $orderby direction '%s'.", dir)}
		}
		if prop == "" || strings.Contains(prop, ",") {
			return unimplemented("$orderby with several properties, %q", v)
		}
		q.order = prop
	case "top":
		n, err := strconv.Atoi(v)
		if err != nil {
			return &fault{status: 400, code: "BadRequest", message: fmt.Sprintf("Invalid value '%s' for $top query option found.", v)}
		}
		if n < 1 || n > maxTop {
			return unsupportedQuery("Invalid page size specified: '%d'. Must be between 1 and 999 inclusive.", n)
		}
		q.top = n
	case "count":
		b, err := strconv.ParseBool(v)
		if err != nil {
			return &fault{status: 400, code: "BadRequest", message: fmt.Sprintf("Invalid value '%s' for $count query option found.", v)}
		}
		q.count = b
	case "expand":
		q.expand = v
	case "skiptoken":
		q.skipToken = v
	case "deltatoken":
		q.delta, q.hasDelta = v, true
	}
	return nil
}

func containsFold(l []string, s string) bool {
	for _, e := range l {
		if strings.EqualFold(e, s) {
			return true
		}
	}
	return false
}

// columns chooses the properties to write. collection tells whether the answer is a list: some properties are offered
// for one object only.
func (e *entity) columns(x *request, collection bool) ([]int, error) {
	return e.choose(x.q.selected, collection)
}

func (e *entity) choose(selected []string, collection bool) ([]int, error) {
	if selected == nil {
		return e.defaults, nil
	}
	out := make([]int, 0, len(selected))
	seen := map[int]bool{}
	for _, name := range selected {
		i, ok := e.byName[name]
		switch {
		case ok && collection && e.properties[i].where == singleOnly, !ok && containsFold(e.notOffered, name):
			return nil, &fault{status: 501, code: "NotImplemented", message: fmt.Sprintf(
				"This operation requires sharding or data outside the directory: property '%s' of '%s' is not offered here.", name, e.resource)}
		case !ok:
			return nil, unknownProperty(name, e.name)
		case !seen[i]:
			seen[i] = true
			out = append(out, i)
		}
	}
	return out, nil
}

func unknownProperty(name, entity string) *fault {
	return &fault{status: 400, code: "BadRequest", message: fmt.Sprintf(
		"Parsing OData Select and Expand failed: Could not find a property named '%s' on type 'microsoft.graph.%s'.", name, entity)}
}

// units is the price of the request in resource units: $select takes one off, $expand adds one, a $top below 20 takes
// one off, never below 1.
func (x *request) units() int {
	n := max(1, x.route.cost)
	if x.q.selected != nil {
		n--
	}
	if x.q.expand != "" {
		n++
	}
	if x.q.top > 0 && x.q.top < 20 {
		n--
	}
	return max(1, n)
}
