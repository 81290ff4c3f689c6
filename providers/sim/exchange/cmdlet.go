package exchange

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

// cmdlet is one command: its parameters and what it does.
type cmdlet struct {
	name       string
	parameters []attribute
	area       area
	changes    bool
	run        func(*invocation) (output, *failure)
}

// cmdlets is the table of everything that InvokeCommand knows here, by lower-case name.
func cmdlets() map[string]*cmdlet {
	var all []*cmdlet
	all = append(all, inboundConnector.cmdlets()...)
	all = append(all, outboundConnector.cmdlets()...)
	all = append(all, transportRule.cmdlets()...)
	all = append(all, transportRuleStates()...)
	all = append(all, filterCmdlets()...)
	all = append(all, organizationCmdlets()...)
	all = append(all, recipientCmdlets()...)
	table := make(map[string]*cmdlet, len(all))
	for _, c := range all {
		c.parameters = append(slices.Clone(c.parameters), common...)
		if c.changes {
			c.parameters = append(c.parameters, confirming...)
		}
		table[strings.ToLower(c.name)] = c
	}
	return table
}

func (c *cmdlet) parameter(name string) *attribute {
	for i := range c.parameters {
		if strings.EqualFold(c.parameters[i].name, name) {
			return &c.parameters[i]
		}
	}
	return nil
}

// invocation is one run of a cmdlet. The world is locked: for changing when the cmdlet changes something.
type invocation struct {
	server   *server
	cmdlet   *cmdlet
	tenant   *world.Tenant
	live     *world.Exchange // what is changed
	view     *world.Exchange // what reads see
	args     arguments
	page     page
	caller   string
	now      time.Time
	switches world.Switches
}

func (c *invocation) text(name string) string {
	s, _ := c.args[name].(string)
	return s
}

func (c *invocation) flag(name string) bool {
	b, _ := c.args[name].(bool)
	return b
}

func (c *invocation) has(name string) bool {
	_, ok := c.args[name]
	return ok
}

// resultSize is the number of results asked for. Without the parameter it is 1000, as documented; a switch makes the
// service leave counting to the client's module.
func (c *invocation) resultSize() int {
	if n, ok := c.args["ResultSize"].(int); ok && !c.switches.ResultSizeIgnored {
		return n
	}
	if c.switches.ResultSizeIgnored {
		return int(^uint(0) >> 1)
	}
	return pageDefault
}

// rows pages over a slice: the key of a row is its position.
func rows[T any](c *invocation, items []T, row func(int, T) map[string]any) output {
	start := 0
	if n, err := strconv.Atoi(c.page.after); err == nil && n >= 0 {
		start = n + 1
	}
	return output{limited: c.cmdlet.parameter("ResultSize") != nil, rows: func(yield func(string, map[string]any) bool) {
		for i := start; i < len(items); i++ {
			if !yield(strconv.Itoa(i), row(i, items[i])) {
				return
			}
		}
	}}
}

// written applies the arguments to values and returns the new values; the old ones stay as they are. Null and empty
// fall back to what reads while unset.
func (c *invocation) written(attributes []attribute, values map[string]any) map[string]any {
	next := maps.Clone(values)
	if next == nil {
		next = map[string]any{}
	}
	for i := range attributes {
		a := &attributes[i]
		arg, given := c.args[a.name]
		if !given || a.use == readOnly {
			continue
		}
		if a.kind == list {
			switch v := arg.(type) {
			case []string:
				if len(v) == 0 && c.switches.EmptyListIsNoop {
					continue
				}
				arg = v
			case delta:
				arg = v.apply(listOf(next[a.name], a.store))
			}
			if l, _ := arg.([]string); len(l) == 0 {
				arg = nil
			}
		}
		if arg == nil {
			delete(next, a.name)
			continue
		}
		next[a.name] = arg
	}
	return next
}

func (d delta) apply(items []string) []string {
	has := func(l []string, s string) bool {
		return slices.ContainsFunc(l, func(o string) bool { return strings.EqualFold(o, s) })
	}
	var out []string
	for _, s := range items {
		if !has(d.remove, s) {
			out = append(out, s)
		}
	}
	for _, s := range d.add {
		if !has(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// listOf reads a list as a world holds it: from a file as []any, from a cmdlet as []string.
func listOf(value any, store func(string) string) []string {
	var out []string
	switch v := value.(type) {
	case []string:
		out = append(out, v...)
	case []any:
		for _, item := range v {
			if s, ok := item.(string); ok {
				out = append(out, s)
			}
		}
	case string:
		out = append(out, v)
	}
	if store != nil {
		for i := range out {
			out[i] = store(out[i])
		}
	}
	return out
}

// numberOf reads a number as a world holds it.
func numberOf(value any) (int, bool) {
	switch v := value.(type) {
	case int:
		return v, true
	case float64:
		return int(v), true
	}
	return 0, false
}

func boolOf(value any, unset bool) bool {
	if b, ok := value.(bool); ok {
		return b
	}
	return unset
}

func textOf(value any) string {
	s, _ := value.(string)
	return s
}

// show fills a row with every attribute's value.
func show(row map[string]any, attributes []attribute, values map[string]any) {
	for i := range attributes {
		a := &attributes[i]
		value, ok := values[a.name]
		if !ok || value == nil {
			row[a.name] = a.unset
			continue
		}
		switch a.kind {
		case list, enums:
			items := listOf(value, a.store)
			if len(items) == 0 {
				row[a.name] = a.unset
			} else {
				row[a.name] = items
			}
		case number:
			if n, ok := numberOf(value); ok {
				row[a.name] = asNumber(n)
			} else {
				row[a.name] = value
			}
		case date:
			row[a.name] = typed{"System.DateTime", value}
		case text: // a world written by hand may hold -1 for SetSCL
			if n, ok := numberOf(value); ok {
				value = strconv.Itoa(n)
			}
			row[a.name] = value
		default:
			row[a.name] = value
		}
	}
}

// same tells whether two sets of values read alike.
func same(attributes []attribute, a, b map[string]any) bool {
	x, y := map[string]any{}, map[string]any{}
	show(x, attributes, a)
	show(y, attributes, b)
	return reflect.DeepEqual(x, y)
}

func unchanged(name string) []string {
	return []string{"The command completed successfully but no settings of '" + name + "' have been modified."}
}
