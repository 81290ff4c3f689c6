package graph

import (
	"encoding/json"
	"strconv"
	"time"
)

// value is one property value: what the JSON writer prints and the filter compares. The zero value is null.
type value struct {
	kind kind
	s    string // text, or JSON text of a structure
	b    bool
	n    int64
	list []string
}

type kind uint8

const (
	kindNull kind = iota
	kindText
	kindBool
	kindNumber
	kindList
	kindStructure
)

// text is a string property. Empty reads as null: the world keeps no difference.
func text(s string) value {
	if s == "" {
		return value{}
	}
	return value{kind: kindText, s: s}
}

func boolean(b bool) value     { return value{kind: kindBool, b: b} }
func number(n int64) value     { return value{kind: kindNumber, n: n} }
func texts(l []string) value   { return value{kind: kindList, list: l} }
func structure(s string) value { return value{kind: kindStructure, s: s} }
func moment(t time.Time) value { return text(stamp(t)) }

// trueOrNull is a property that is null until it was ever true, as onPremisesSyncEnabled is.
func trueOrNull(b bool) value {
	if !b {
		return value{}
	}
	return boolean(true)
}

// encoded is a structured property made of Go values that always encode.
func encoded(v any) value {
	b, err := json.Marshal(v)
	if err != nil {
		return value{}
	}
	return structure(string(b))
}

// stamp writes a time as the service does, UTC with Z; "" for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.9999999Z07:00")
}

// getter reads one property of an object of the entity's type.
type getter func(x *request, object any) value

// always is the getter of a property that the world does not vary.
func always(v value) getter { return func(*request, any) value { return v } }

// where says in which answers a property appears.
type where uint8

const (
	byDefault  where = iota // without $select
	onSelect                // only when named
	singleOnly              // only when named, and only for one object; 501 on a collection
)

// ops are the filter operators that the documentation names for a property.
type ops uint8

const (
	opEqual    ops = 1 << iota // eq, in; ne and not as advanced queries
	opStarts                   // startsWith
	opEnds                     // endsWith, advanced
	opOrder                    // ge, le
	opAny                      // any() on a collection of strings
	opSort                     // $orderby
	opAdvanced                 // even eq needs an advanced query
)

// property is one property of an entity.
type property struct {
	name  string
	where where
	ops   ops
	get   getter
	// element is the property of a structured element that any() tests, "" when elements are text.
	element string
	// basic properties stay visible with User.ReadBasic.All.
	basic bool
}

// entity describes one resource type: its properties are read, filtered and written from this one table.
type entity struct {
	name       string // "user", as in @odata.type
	resource   string // "User", as error texts write it
	set        string // "users", as @odata.context writes it
	properties []property
	// notOffered are documented properties that live outside the directory: 501 when selected.
	notOffered []string
	byName     map[string]int
	defaults   []int
}

func newEntity(name, resource, set string, properties []property, notOffered ...string) *entity {
	e := &entity{name: name, resource: resource, set: set, properties: properties, notOffered: notOffered, byName: map[string]int{}}
	for i, p := range properties {
		e.byName[p.name] = i
		if p.where == byDefault {
			e.defaults = append(e.defaults, i)
		}
	}
	return e
}

func (e *entity) property(name string) *property {
	if i, ok := e.byName[name]; ok {
		return &e.properties[i]
	}
	return nil
}

// style is how an object is written.
type style struct {
	withType  bool // "@odata.type" first, as in mixed collections
	context   string
	omitNull  bool // delta: a property never set is absent
	limited   bool // everything but the id is null: the caller may not read this type
	basicOnly bool // everything but basic properties is null
	// keepNull, with omitNull, tells which nulls are written all the same.
	keepNull func(name string) bool
	// only, when set, tells which properties are written.
	only func(name string) bool
}

// appendObject writes the object without its closing brace, so that callers can add annotations.
func (e *entity) appendObject(b []byte, x *request, columns []int, object any, st style) []byte {
	b = append(b, '{')
	first := true
	comma := func() {
		if !first {
			b = append(b, ',')
		}
		first = false
	}
	if st.context != "" {
		comma()
		b = append(b, `"@odata.context":`...)
		b = appendText(b, st.context)
	}
	if st.withType {
		comma()
		b = append(b, `"@odata.type":"#microsoft.graph.`...)
		b = append(b, e.name...)
		b = append(b, '"')
	}
	for _, i := range columns {
		p := &e.properties[i]
		if st.only != nil && p.name != "id" && !st.only(p.name) {
			continue
		}
		var v value
		if p.name == "id" || (!st.limited && (!st.basicOnly || p.basic)) {
			v = p.get(x, object)
		}
		if st.omitNull && v.kind == kindNull && (st.keepNull == nil || !st.keepNull(p.name)) {
			continue
		}
		comma()
		b = append(b, '"')
		b = append(b, p.name...)
		b = append(b, '"', ':')
		b = appendValue(b, v)
	}
	return b
}

func appendValue(b []byte, v value) []byte {
	switch v.kind {
	case kindText:
		return appendText(b, v.s)
	case kindBool:
		return strconv.AppendBool(b, v.b)
	case kindNumber:
		return strconv.AppendInt(b, v.n, 10)
	case kindList:
		b = append(b, '[')
		for i, s := range v.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(b, s)
		}
		return append(b, ']')
	case kindStructure:
		return append(b, v.s...)
	}
	return append(b, "null"...)
}

// appendText writes a JSON string. Nearly all directory text is plain ASCII and needs no escaping.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			q, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // strings always encode
			}
			return append(b, q...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
