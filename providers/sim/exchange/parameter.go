package exchange

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// kind is the type of a parameter's value.
type kind int

const (
	text kind = iota
	enum
	boolean
	number
	unlimited // a number or "Unlimited"
	date
	identifier // GUID
	list       // multi-valued: array, single value, or delta object
	enums      // array of names
)

// use tells which cmdlets of an object take an attribute.
type use int

const (
	onNew use = 1 << iota
	onSet
	readOnly use = 0
	both         = onNew | onSet
)

// attribute is one property of an object and the parameter of the same name.
type attribute struct {
	name  string
	kind  kind
	use   use
	names []string            // the values of an enum
	max   int                 // longest text in characters; 0: any
	low   int                 // smallest and largest number, when high > low
	high  int                 //
	item  func(string) error  // check of a text, or of each item of a list
	store func(string) string // the form in which items are kept
	unset any                 // what reads while nothing was written
	gap   bool                // documented, but not simulated
	must  bool                // mandatory on New, or on every use of a cmdlet parameter
}

// delta is a change to a list: the hash table with Add and Remove.
type delta struct{ add, remove []string }

// arguments are a cmdlet's bound parameters, by canonical name: string, bool, int, time.Time as text, []string, delta,
// or nil for null.
type arguments map[string]any

// common are the parameters of every cmdlet; confirming those of cmdlets that change something.
var (
	common = []attribute{
		{name: "ErrorAction"}, {name: "WarningAction"}, {name: "InformationAction"},
		{name: "Verbose", kind: boolean}, {name: "Debug", kind: boolean},
	}
	confirming = []attribute{{name: "Confirm", kind: boolean}, {name: "WhatIf", kind: boolean}}
)

// bind turns the written parameters into arguments, or answers as PowerShell's parameter binder does.
func bind(c *cmdlet, written map[string]json.RawMessage) (arguments, *failure) {
	args := arguments{}
	names := make([]string, 0, len(written))
	for name := range written {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if strings.HasPrefix(name, "@") { // annotations such as @odata.type are no parameters
			continue
		}
		p := c.parameter(name)
		if p == nil {
			return nil, binding("AmbiguousParameterSet", typeBinding,
				"Parameter set cannot be resolved using the specified named parameters. A parameter cannot be found that matches parameter name '%s'.", name)
		}
		if p.gap {
			return nil, notSimulated("parameter %s of %s", p.name, c.name)
		}
		if _, twice := args[p.name]; twice {
			return nil, binding("ParameterAlreadyBound", typeBinding,
				"Cannot bind parameter because parameter '%s' is specified more than once.", p.name)
		}
		value, f := p.convert(written[name])
		if f != nil {
			return nil, f
		}
		args[p.name] = value
	}
	for _, p := range c.parameters {
		if value, ok := args[p.name]; p.must && (!ok || value == nil || value == "") {
			return nil, binding("MissingMandatoryParameter", typeBinding,
				"Cannot process command because of one or more missing mandatory parameters: %s.", p.name)
		}
	}
	return args, nil
}

var guidForm = regexp.MustCompile(`^\{?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?$`)

// convert reads one JSON value as the parameter's type.
func (p *attribute) convert(raw json.RawMessage) (any, *failure) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, p.refuse(string(raw), err.Error())
	}
	if p.kind == list {
		return p.convertList(value)
	}
	if value == nil {
		if p.kind == boolean {
			return nil, p.refuse("", "Cannot convert null to a Boolean.")
		}
		return nil, nil
	}
	if p.kind == enums {
		return p.convertEnums(value)
	}
	written, isText := value.(string)
	if n, ok := value.(json.Number); ok && p.kind != boolean {
		written, isText = n.String(), true
	}
	if b, ok := value.(bool); ok {
		if p.kind == boolean {
			return b, nil
		}
		if p.kind == text {
			return strconv.FormatBool(b), nil
		}
	}
	if !isText {
		return nil, p.refuse(string(raw), "The value has the wrong type.")
	}
	switch p.kind {
	case text:
		return written, p.check(written)
	case enum:
		if written == "" {
			return nil, nil
		}
		return p.match(written)
	case boolean:
		// "true" and "$true" are what loosely written clients send; PowerShell's own conversion refuses other text.
		switch strings.ToLower(strings.TrimPrefix(written, "$")) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, p.refuse(written, "Boolean parameters accept only Boolean values and numbers.")
	case unlimited:
		if strings.EqualFold(written, "Unlimited") {
			return math.MaxInt, nil
		}
		n, err := strconv.Atoi(written)
		if err != nil || n < 0 {
			return nil, p.refuse(written, "Input string was not in a correct format.")
		}
		return n, nil
	case number:
		n, err := strconv.Atoi(strings.TrimSpace(written))
		if err != nil {
			return nil, p.refuse(written, "Input string was not in a correct format.")
		}
		if p.high > p.low && (n < p.low || n > p.high) {
			return nil, bad(typeValidation, "The value '%d' of parameter '%s' is not between %d and %d.", n, p.name, p.low, p.high)
		}
		return n, nil
	case date:
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.9999999", "2006-01-02 15:04:05", "2006-01-02"} {
			if t, err := time.Parse(layout, written); err == nil {
				return t.UTC().Format(utcTime), nil
			}
		}
		return nil, p.refuse(written, "String was not recognized as a valid DateTime.")
	case identifier:
		if !guidForm.MatchString(written) {
			return nil, p.refuse(written, "Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx).")
		}
		return strings.ToLower(strings.Trim(written, "{}")), nil
	}
	return nil, p.refuse(written, "The parameter has no conversion.")
}

// match finds the enum's name. Names are matched without case, and an unambiguous beginning is enough: the service has
// been seen to accept truncated values silently.
func (p *attribute) match(written string) (any, *failure) {
	var found []string
	for _, name := range p.names {
		if strings.EqualFold(name, written) {
			return name, nil
		}
		if len(written) > 0 && len(written) < len(name) && strings.EqualFold(name[:len(written)], written) {
			found = append(found, name)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return nil, p.refuse(written, fmt.Sprintf("Unable to match the identifier name %s to a valid enumerator name. "+
		"Specify one of the following enumerator names and try again: %s", written, strings.Join(p.names, ", ")))
}

func (p *attribute) convertEnums(value any) (any, *failure) {
	var written []string
	switch v := value.(type) {
	case string:
		written = strings.Split(v, ",")
	case []any:
		for _, item := range v {
			s, ok := item.(string)
			if !ok {
				return nil, p.refuse(fmt.Sprint(item), "The value has the wrong type.")
			}
			written = append(written, s)
		}
	default:
		return nil, p.refuse(fmt.Sprint(value), "The value has the wrong type.")
	}
	var out []string
	for _, w := range written {
		name, f := p.match(strings.TrimSpace(w))
		if f != nil {
			return nil, f
		}
		out = append(out, name.(string))
	}
	return out, nil
}

// convertList reads an array, a single value, a delta object, or null.
func (p *attribute) convertList(value any) (any, *failure) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case []any:
		return p.items(v)
	case string, json.Number:
		return p.items([]any{v})
	case map[string]any:
		kind, _ := v["@odata.type"].(string)
		if kind != "#Exchange.GenericHashTable" && kind != "#Exchange.StringFieldDeltaUpdateData" {
			return nil, p.refuse("Hashtable", fmt.Sprintf("@odata.type %q is no list change.", kind))
		}
		var d delta
		empty := true
		for key, raw := range v {
			if strings.Contains(key, "@") {
				continue
			}
			var side *[]string
			switch strings.ToLower(key) {
			case "add":
				side = &d.add
			case "remove":
				side = &d.remove
			default:
				return nil, p.refuse("Hashtable", fmt.Sprintf("Unexpected key %q: a list change has Add and Remove.", key))
			}
			array, ok := raw.([]any)
			if !ok {
				array = []any{raw}
			}
			items, f := p.items(array)
			if f != nil {
				return nil, f
			}
			*side, empty = items, false
		}
		if empty { // an empty hash table clears the list
			return nil, nil
		}
		return d, nil
	}
	return nil, p.refuse(fmt.Sprint(value), "The value has the wrong type.")
}

func (p *attribute) items(values []any) ([]string, *failure) {
	out := make([]string, 0, len(values))
	for _, value := range values {
		var s string
		switch v := value.(type) {
		case string:
			s = v
		case json.Number:
			s = v.String()
		default:
			return nil, p.refuse(fmt.Sprint(value), "The items must be strings.")
		}
		if f := p.check(s); f != nil {
			return nil, f
		}
		if p.store != nil {
			s = p.store(s)
		}
		if !slices.ContainsFunc(out, func(o string) bool { return strings.EqualFold(o, s) }) {
			out = append(out, s)
		}
	}
	return out, nil
}

func (p *attribute) check(s string) *failure {
	if p.max > 0 && utf8.RuneCountInString(s) > p.max {
		return bad(typeValidation, "The length of the property is too long. The maximum length is %d and the length of the value provided is %d. Property Name: %s",
			p.max, utf8.RuneCountInString(s), p.name)
	}
	if p.item != nil && s != "" {
		if err := p.item(s); err != nil {
			return bad(typeValidation, "The value '%s' of property '%s' is not valid: %v", s, p.name, err)
		}
	}
	return nil
}

func (p *attribute) refuse(written, reason string) *failure {
	return binding("ParameterArgumentTransformationError", typeTransform,
		"Cannot process argument transformation on parameter '%s'. Cannot convert value \"%s\". Error: \"%s\"", p.name, written, reason)
}
