package graph

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The part of the OData filter language that Graph documents for directory objects: and, or, not, parentheses; eq, ne,
// ge, le, in; startsWith, endsWith; any() over collections of strings; the number of elements by path/$count; literals
// of text, boolean, null, number, GUID and time.

// expr is a parsed filter.
type expr interface {
	// check reports what the entity does not offer, and whether the filter is an advanced query.
	check(c *checker)
	// match evaluates the filter on one object.
	match(x *request, e *entity, object any) bool
}

type (
	logical struct {
		and  bool
		l, r expr
	}
	negation   struct{ of expr }
	comparison struct {
		property string
		op       string // eq ne ge le
		want     value
	}
	membership struct { // property in ('a','b')
		property string
		want     []value
	}
	affix struct { // startsWith, endsWith
		property, text string
		end            bool
	}
	lambda struct { // property/any(p: …); the inner test is about the element itself
		property string
		of       string // property of the element, "" for the element
		op       string // eq startswith endswith
		text     string
	}
	counted struct { // property/$count eq 0
		property string
		op       string
		n        int64
	}
)

// checker collects the verdict on a filter for one entity.
type checker struct {
	e        *entity
	advanced bool   // the filter needs ConsistencyLevel and $count
	operator string // the first operator that makes it so
	err      error
}

func (c *checker) property(name string, need ops) *property {
	p := c.e.property(name)
	if p == nil || p.ops&need == 0 {
		c.fail(unsupportedQuery("Unsupported or invalid query filter clause specified for property '%s' of resource '%s'.", name, c.e.resource))
		return nil
	}
	if p.ops&opAdvanced != 0 {
		c.needAdvanced("eq")
	}
	return p
}

func (c *checker) needAdvanced(operator string) {
	if !c.advanced {
		c.advanced, c.operator = true, operator
	}
}

func (c *checker) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// checkFilter refuses a filter that the entity does not offer, or that is an advanced query without its header and
// count.
func checkFilter(q *query, e *entity) error {
	if q.filter == nil {
		return nil
	}
	c := &checker{e: e}
	q.filter.check(c)
	if c.err != nil {
		return c.err
	}
	if c.advanced && !q.advanced() {
		if q.eventual {
			return unsupportedQuery("Operator '%s' is not supported because the '$count' parameter is missing.", c.operator)
		}
		return unsupportedQuery("Operator '%s' is not supported because the 'ConsistencyLevel:eventual' header is missing.", c.operator)
	}
	return nil
}

func (n *logical) check(c *checker) { n.l.check(c); n.r.check(c) }
func (n *logical) match(x *request, e *entity, o any) bool {
	if n.and {
		return n.l.match(x, e, o) && n.r.match(x, e, o)
	}
	return n.l.match(x, e, o) || n.r.match(x, e, o)
}

func (n *negation) check(c *checker)                        { c.needAdvanced("not"); n.of.check(c) }
func (n *negation) match(x *request, e *entity, o any) bool { return !n.of.match(x, e, o) }

func (n *comparison) check(c *checker) {
	need := opEqual
	if n.op == "ge" || n.op == "le" {
		need = opOrder
	}
	c.property(n.property, need)
	if n.op == "ne" {
		c.needAdvanced("ne")
	}
}

func (n *comparison) match(x *request, e *entity, o any) bool {
	got := e.property(n.property).get(x, o)
	switch n.op {
	case "eq":
		return equal(got, n.want)
	case "ne":
		return !equal(got, n.want)
	}
	if got.kind == kindNull || got.kind != n.want.kind {
		return false
	}
	d := cmp.Compare(got.n, n.want.n)
	if got.kind == kindText {
		d = strings.Compare(strings.ToLower(got.s), strings.ToLower(n.want.s))
	}
	if n.op == "ge" {
		return d >= 0
	}
	return d <= 0
}

// equal compares as the directory does: text without regard to case.
func equal(a, b value) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case kindText:
		return strings.EqualFold(a.s, b.s)
	case kindBool:
		return a.b == b.b
	case kindNumber:
		return a.n == b.n
	}
	return a.kind == kindNull
}

func (n *membership) check(c *checker) { c.property(n.property, opEqual) }
func (n *membership) match(x *request, e *entity, o any) bool {
	got := e.property(n.property).get(x, o)
	for _, w := range n.want {
		if equal(got, w) {
			return true
		}
	}
	return false
}

func (n *affix) check(c *checker) {
	if n.end {
		c.property(n.property, opEnds)
		c.needAdvanced("endsWith")
		return
	}
	c.property(n.property, opStarts)
}

func (n *affix) match(x *request, e *entity, o any) bool {
	got := e.property(n.property).get(x, o)
	return got.kind == kindText && affixed(got.s, n.text, n.end)
}

func affixed(s, affix string, end bool) bool {
	if len(s) < len(affix) {
		return false
	}
	if end {
		return strings.EqualFold(s[len(s)-len(affix):], affix)
	}
	return strings.EqualFold(s[:len(affix)], affix)
}

func (n *lambda) check(c *checker) {
	if p := c.property(n.property, opAny); p != nil && n.of != p.element {
		c.fail(unsupportedQuery("Unsupported or invalid query filter clause specified for property '%s' of resource '%s'.", n.property, c.e.resource))
	}
	if n.op == "endswith" {
		c.needAdvanced("endsWith")
	}
}

func (n *lambda) match(x *request, e *entity, o any) bool {
	for _, s := range e.property(n.property).get(x, o).list {
		if n.op == "eq" && strings.EqualFold(s, n.text) || n.op != "eq" && affixed(s, n.text, n.op == "endswith") {
			return true
		}
	}
	return false
}

func (n *counted) check(c *checker) {
	c.property(n.property, opAny)
	c.needAdvanced("$count")
	if n.n != 0 {
		// "only eq 0 and ne 0 are supported", per the advanced queries page.
		c.fail(unsupportedQuery("Unsupported or invalid query filter clause specified for property '%s' of resource '%s'.", n.property, c.e.resource))
	}
}

func (n *counted) match(x *request, e *entity, o any) bool {
	empty := len(e.property(n.property).get(x, o).list) == 0
	return empty == (n.op == "eq")
}

// maxFilterDepth bounds nesting; the service has a limit on filter size as well.
const maxFilterDepth = 64

// parseFilter reads a $filter value.
func parseFilter(s string) (expr, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("the filter is not valid UTF-8")
	}
	toks, err := lexFilter(s)
	if err != nil {
		return nil, err
	}
	p := &filterParser{toks: toks}
	e, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokEnd {
		return nil, fmt.Errorf("unexpected %q at position %d", t.text, t.at)
	}
	return e, nil
}

type tokKind uint8

const (
	tokEnd tokKind = iota
	tokWord
	tokText
	tokMark // ( ) , :
)

type tok struct {
	kind tokKind
	text string
	at   int
}

func lexFilter(s string) ([]tok, error) {
	var out []tok
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\t':
			i++
		case strings.IndexByte("(),:", c) >= 0:
			out = append(out, tok{tokMark, s[i : i+1], i})
			i++
		case c == '\'':
			var b strings.Builder
			j := i + 1
			for {
				k := strings.IndexByte(s[j:], '\'')
				if k < 0 {
					return nil, fmt.Errorf("there is an unterminated string literal at position %d", i)
				}
				b.WriteString(s[j : j+k])
				j += k + 1
				if j >= len(s) || s[j] != '\'' {
					break
				}
				b.WriteByte('\'') // a doubled quote is one
				j++
			}
			out = append(out, tok{tokText, b.String(), i})
			i = j
		default:
			j := i
			for j < len(s) && (isWordByte(s[j]) || s[j] == ':' && isTimeSoFar(s[i:j])) {
				j++
			}
			if j == i {
				return nil, fmt.Errorf("syntax error: character %q is not valid at position %d", s[i:i+1], i)
			}
			out = append(out, tok{tokWord, s[i:j], i})
			i = j
		}
	}
	return append(out, tok{kind: tokEnd, at: len(s)}), nil
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-./$+@", c) >= 0
}

// isTimeSoFar tells a colon inside 2026-11-21T19:50:00Z from the one of a lambda.
func isTimeSoFar(s string) bool {
	return len(s) >= 13 && s[0] >= '0' && s[0] <= '9' && s[4] == '-' && (s[10] == 'T' || s[10] == 't')
}

type filterParser struct {
	toks []tok
	i    int
}

func (p *filterParser) peek() tok { return p.toks[p.i] }
func (p *filterParser) next() tok {
	t := p.toks[p.i]
	if t.kind != tokEnd {
		p.i++
	}
	return t
}

func (p *filterParser) word(w string) bool {
	if t := p.peek(); t.kind == tokWord && strings.EqualFold(t.text, w) {
		p.i++
		return true
	}
	return false
}

func (p *filterParser) mark(m string) error {
	if t := p.next(); t.kind != tokMark || t.text != m {
		return fmt.Errorf("expected %q at position %d, found %q", m, t.at, t.text)
	}
	return nil
}

func (p *filterParser) or(depth int) (expr, error) {
	l, err := p.and(depth)
	for err == nil && p.word("or") {
		var r expr
		r, err = p.and(depth)
		l = &logical{l: l, r: r}
	}
	return l, err
}

func (p *filterParser) and(depth int) (expr, error) {
	l, err := p.unary(depth)
	for err == nil && p.word("and") {
		var r expr
		r, err = p.unary(depth)
		l = &logical{and: true, l: l, r: r}
	}
	return l, err
}

func (p *filterParser) unary(depth int) (expr, error) {
	if depth > maxFilterDepth {
		return nil, fmt.Errorf("the filter is nested deeper than %d levels", maxFilterDepth)
	}
	t := p.peek()
	switch {
	case p.word("not"):
		e, err := p.unary(depth + 1)
		if err != nil {
			return nil, err
		}
		return &negation{e}, nil
	case t.kind == tokMark && t.text == "(":
		p.i++
		e, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		return e, p.mark(")")
	case t.kind != tokWord:
		return nil, fmt.Errorf("expected a property or function at position %d, found %q", t.at, t.text)
	case strings.EqualFold(t.text, "startswith") || strings.EqualFold(t.text, "endswith"):
		p.i++
		return p.function(strings.EqualFold(t.text, "endswith"))
	}
	p.i++
	return p.relation(t)
}

func (p *filterParser) function(end bool) (expr, error) {
	if err := p.mark("("); err != nil {
		return nil, err
	}
	prop := p.next()
	if prop.kind != tokWord {
		return nil, fmt.Errorf("expected a property at position %d", prop.at)
	}
	if err := p.mark(","); err != nil {
		return nil, err
	}
	lit := p.next()
	if lit.kind != tokText {
		return nil, fmt.Errorf("expected a quoted text at position %d", lit.at)
	}
	if err := p.mark(")"); err != nil {
		return nil, err
	}
	// startswith(x,'y') eq true is the long form that some clients write.
	if p.word("eq") {
		switch {
		case p.word("true"):
		case p.word("false"):
			return &negation{&affix{prop.text, lit.text, end}}, nil
		default:
			return nil, fmt.Errorf("expected true or false at position %d", p.peek().at)
		}
	}
	return &affix{prop.text, lit.text, end}, nil
}

func (p *filterParser) relation(prop tok) (expr, error) {
	if path, ok := strings.CutSuffix(prop.text, "/any"); ok {
		return p.lambda(path)
	}
	if strings.HasSuffix(prop.text, "/all") {
		return nil, fmt.Errorf("the operator 'all' at position %d is not supported", prop.at)
	}
	if path, ok := strings.CutSuffix(prop.text, "/$count"); ok {
		op := strings.ToLower(p.next().text)
		n, err := strconv.ParseInt(p.next().text, 10, 64)
		if op != "eq" && op != "ne" || err != nil {
			return nil, fmt.Errorf("expected eq or ne and a number after %q", prop.text)
		}
		return &counted{path, op, n}, nil
	}
	op := p.next()
	switch name := strings.ToLower(op.text); {
	case op.kind != tokWord:
		return nil, fmt.Errorf("expected an operator at position %d, found %q", op.at, op.text)
	case name == "in":
		return p.list(prop.text)
	case name == "eq" || name == "ne" || name == "ge" || name == "le":
		v, err := p.literal()
		return &comparison{prop.text, name, v}, err
	}
	return nil, fmt.Errorf("the operator %q at position %d is not supported", op.text, op.at)
}

func (p *filterParser) list(prop string) (expr, error) {
	if err := p.mark("("); err != nil {
		return nil, err
	}
	m := &membership{property: prop}
	for {
		v, err := p.literal()
		if err != nil {
			return nil, err
		}
		m.want = append(m.want, v)
		t := p.next()
		if t.kind == tokMark && t.text == ")" {
			// The service takes at most 15 values in one clause.
			if len(m.want) > 15 {
				return nil, fmt.Errorf("too many values in the 'in' clause of %q: at most 15", prop)
			}
			return m, nil
		}
		if t.kind != tokMark || t.text != "," {
			return nil, fmt.Errorf("expected ',' or ')' at position %d", t.at)
		}
	}
}

func (p *filterParser) lambda(path string) (expr, error) {
	if err := p.mark("("); err != nil {
		return nil, err
	}
	name := p.next()
	if name.kind != tokWord {
		return nil, fmt.Errorf("expected a variable at position %d", name.at)
	}
	if err := p.mark(":"); err != nil {
		return nil, err
	}
	inner, err := p.unary(maxFilterDepth) // one test about the element, not nested further
	if err != nil {
		return nil, err
	}
	if err := p.mark(")"); err != nil {
		return nil, err
	}
	switch t := inner.(type) {
	case *comparison:
		if of, ok := element(t.property, name.text); ok && t.op == "eq" && t.want.kind == kindText {
			return &lambda{path, of, "eq", t.want.s}, nil
		}
	case *affix:
		if of, ok := element(t.property, name.text); ok {
			op := "startswith"
			if t.end {
				op = "endswith"
			}
			return &lambda{path, of, op, t.text}, nil
		}
	}
	return nil, fmt.Errorf("the test inside any() must compare %q with eq, startswith or endswith", name.text)
}

// element reads the path of a test inside any(): the variable, or the variable and one property of it.
func element(path, variable string) (of string, ok bool) {
	if path == variable {
		return "", true
	}
	return strings.CutPrefix(path, variable+"/")
}

func (p *filterParser) literal() (value, error) {
	t := p.next()
	if t.kind == tokText {
		return value{kind: kindText, s: t.text}, nil
	}
	if t.kind != tokWord {
		return value{}, fmt.Errorf("expected a literal at position %d, found %q", t.at, t.text)
	}
	switch strings.ToLower(t.text) {
	case "null":
		return value{}, nil
	case "true":
		return boolean(true), nil
	case "false":
		return boolean(false), nil
	}
	if n, err := strconv.ParseInt(t.text, 10, 64); err == nil {
		return number(n), nil
	}
	if isTimeSoFar(t.text) || isGUID(t.text) {
		return value{kind: kindText, s: t.text}, nil
	}
	return value{}, fmt.Errorf("unrecognised literal %q at position %d: text needs single quotes", t.text, t.at)
}

func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if c|0x20 < 'a' || c|0x20 > 'f' {
			if c < '0' || c > '9' {
				return false
			}
		}
	}
	return true
}
