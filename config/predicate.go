package config

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/weir-project/weir/providers/directory"
)

// entryField is one attribute of entry.
type entryField struct {
	ty    cty.Type
	value func(*directory.Entry) cty.Value
	key   func(*directory.Entry) string
}

func textField(get func(*directory.Entry) string) entryField {
	return entryField{cty.String, func(e *directory.Entry) cty.Value { return cty.StringVal(get(e)) }, get}
}

func boolField(get func(*directory.Entry) bool) entryField {
	return entryField{cty.Bool, func(e *directory.Entry) cty.Value { return cty.BoolVal(get(e)) },
		func(e *directory.Entry) string { return strconv.FormatBool(get(e)) }}
}

func listField(get func(*directory.Entry) []string) entryField {
	return entryField{cty.List(cty.String), func(e *directory.Entry) cty.Value {
		var out []cty.Value
		for _, s := range get(e) {
			out = append(out, cty.StringVal(s))
		}
		if len(out) == 0 {
			return cty.ListValEmpty(cty.String)
		}
		return cty.ListVal(out)
	}, func(e *directory.Entry) string {
		var b strings.Builder
		for _, s := range get(e) {
			fmt.Fprintf(&b, "%d:%s", len(s), s)
		}
		return b.String()
	}}
}

// entryFields are the attributes of entry that a predicate may read.
var entryFields = map[string]entryField{
	"kind":           textField(func(e *directory.Entry) string { return string(e.Kind) }),
	"address":        textField(func(e *directory.Entry) string { return e.Address }),
	"aliases":        listField(func(e *directory.Entry) []string { return e.Aliases }),
	"domain":         textField(func(e *directory.Entry) string { return e.Domain() }),
	"enabled":        boolField(func(e *directory.Entry) bool { return e.Enabled }),
	"licensed":       boolField(func(e *directory.Entry) bool { return e.Licensed }),
	"name":           textField(func(e *directory.Entry) string { return e.Name }),
	"given_name":     textField(func(e *directory.Entry) string { return e.GivenName }),
	"surname":        textField(func(e *directory.Entry) string { return e.Surname }),
	"department":     textField(func(e *directory.Entry) string { return e.Department }),
	"job_title":      textField(func(e *directory.Entry) string { return e.JobTitle }),
	"company":        textField(func(e *directory.Entry) string { return e.Company }),
	"office":         textField(func(e *directory.Entry) string { return e.Office }),
	"employee_id":    textField(func(e *directory.Entry) string { return e.EmployeeID }),
	"mobile":         textField(func(e *directory.Entry) string { return e.Mobile }),
	"usage_location": textField(func(e *directory.Entry) string { return e.UsageLocation }),
	"upn":            textField(func(e *directory.Entry) string { return e.UPN }),
	"groups":         listField(func(e *directory.Entry) []string { return e.Groups }),
	"on_premises":    boolField(func(e *directory.Entry) bool { return e.OnPremises }),
	"created": textField(func(e *directory.Entry) string {
		if e.Created.IsZero() {
			return ""
		}
		return e.Created.UTC().Format(time.RFC3339)
	}),
}

// EntryFields are the attributes that entry has in a predicate, by name, with their types.
func EntryFields() map[string]cty.Type {
	out := map[string]cty.Type{}
	for name, f := range entryFields {
		out[name] = f.ty
	}
	return out
}

// predicateMemo bounds how many distinct tuples one predicate remembers.
const predicateMemo = 1 << 16

// predicate is a compiled condition. Safe for concurrent use.
type predicate struct {
	text   string
	expr   hclsyntax.Expression
	fields []string

	mu   sync.RWMutex
	memo map[string]outcome
}

type outcome struct {
	ok  bool
	err error
}

// Text is the canonical source.
func (p *predicate) Text() string { return p.text }

// Fields are the attributes of entry that the predicate reads, sorted. A caller that finds "groups" among them must
// fill Entry.Groups before Match.
func (p *predicate) Fields() []string { return slices.Clone(p.fields) }

// PredicateFields are the attributes of entry that a predicate made by this package reads, sorted.
func PredicateFields(p directory.Predicate) []string {
	if own, ok := p.(*predicate); ok {
		return own.Fields()
	}
	return nil
}

// Match evaluates the predicate, once for each distinct tuple of the attributes that it reads.
func (p *predicate) Match(e *directory.Entry) (bool, error) {
	var b strings.Builder
	for _, name := range p.fields {
		s := entryFields[name].key(e)
		b.WriteString(strconv.Itoa(len(s)))
		b.WriteByte(':')
		b.WriteString(s)
	}
	key := b.String()
	p.mu.RLock()
	o, ok := p.memo[key]
	p.mu.RUnlock()
	if ok {
		return o.ok, o.err
	}
	o.ok, o.err = p.match(e)
	p.mu.Lock()
	if len(p.memo) >= predicateMemo {
		clear(p.memo)
	}
	p.memo[key] = o
	p.mu.Unlock()
	return o.ok, o.err
}

func (p *predicate) match(e *directory.Entry) (bool, error) {
	attrs := make(map[string]cty.Value, len(p.fields))
	for _, name := range p.fields {
		attrs[name] = entryFields[name].value(e)
	}
	v, diags := p.expr.Value(&hcl.EvalContext{
		Variables: map[string]cty.Value{
			"entry": cty.ObjectVal(attrs), meterVariable: cty.CapsuleVal(meterType, &meter{}),
		},
		Functions: predicateFunctions(),
	})
	if diags.HasErrors() {
		return false, fmt.Errorf("condition %s: %s: %s", p.text, diags[0].Summary, diags[0].Detail)
	}
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() || v.Type() != cty.Bool {
		return false, fmt.Errorf("condition %s gives %s, neither true nor false", p.text, typeName(v.Type()))
	}
	return v.True(), nil
}

// ParsePredicate compiles the canonical text of a predicate, as state keeps it. It refers to nothing but entry.
func ParsePredicate(text string) (directory.Predicate, hcl.Diagnostics) {
	expr, diags := parseExpression([]byte(text), "<condition>")
	if diags.HasErrors() {
		return nil, diags
	}
	fields, diags := checkPredicate(expr, nil)
	if diags.HasErrors() {
		return nil, diags
	}
	for _, f := range traversals(expr) {
		if f.t.RootName() != "entry" {
			return nil, hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: badReference,
				Detail: fmt.Sprintf("A stored condition refers to entry only, not to %q.", f.t.RootName()), Subject: f.t.SourceRange().Ptr(),
			}}
		}
	}
	return &predicate{text: text, expr: expr, fields: fields, memo: map[string]outcome{}}, nil
}

var predicateFunctions = sync.OnceValue(func() map[string]function.Function {
	return maps.Clone(pureFunctions())
})

// checkPredicate finds what can be said of a predicate without an entry, and the fields that it reads.
func checkPredicate(expr hclsyntax.Expression, ctx *hcl.EvalContext) ([]string, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	used := map[string]bool{}
	for _, f := range traversals(expr) {
		if f.t.RootName() != "entry" {
			continue
		}
		rng := f.t.SourceRange()
		name := stepName(f.t, 1)
		if f.key != nil || name == "" {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: badReference,
				Detail: "A condition names the attribute it reads: entry.department. It cannot use the entry as a whole or look an attribute up.", Subject: rng.Ptr(),
			})
			continue
		}
		if _, ok := entryFields[name]; !ok {
			hint := meant("entry.", name, sortedKeys(entryFields))
			if hint == "" {
				hint = " An entry has " + strings.Join(sortedKeys(entryFields), ", ") + "."
			}
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Unknown attribute", Detail: fmt.Sprintf("An entry has no attribute %q.%s", name, hint), Subject: rng.Ptr(),
			})
			continue
		}
		used[name] = true
	}
	if diags.HasErrors() {
		return nil, diags
	}
	attrs := map[string]cty.Value{}
	for name := range used {
		attrs[name] = cty.UnknownVal(entryFields[name].ty)
	}
	vars := map[string]cty.Value{"entry": cty.ObjectVal(attrs), meterVariable: cty.CapsuleVal(meterType, &meter{})}
	inner := &hcl.EvalContext{Variables: vars, Functions: predicateFunctions()}
	if ctx != nil {
		inner = ctx.NewChild()
		inner.Variables, inner.Functions = vars, predicateFunctions()
	}
	v, diags := expr.Value(inner)
	if diags.HasErrors() {
		return nil, diags
	}
	if ty := v.Type(); ty != cty.Bool && ty != cty.DynamicPseudoType || v.IsKnown() && v.IsNull() && ty == cty.Bool {
		return nil, hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Invalid condition",
			Detail:  fmt.Sprintf("A condition over entry gives true or false, but this one gives %s.", typeName(ty)),
			Subject: expr.Range().Ptr(), Expression: expr, EvalContext: inner,
		}}
	}
	return sortedKeys(used), nil
}

// predicate compiles an expression over entry. What it captures stands in ctx and becomes part of its text.
func (ev *evaluator) predicate(expr hcl.Expression, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	unknown := cty.UnknownVal(directory.PredicateType)
	node, src, diags := ev.predicateSource(expr)
	if diags.HasErrors() {
		return unknown, diags
	}
	if literal, ok := node.(*hclsyntax.LiteralValueExpr); ok && literal.Val.IsNull() {
		return cty.NullVal(directory.PredicateType), nil
	}
	if len(node.Variables()) > 0 && !refersToEntry(node) {
		v, diags := node.Value(ctx)
		if diags.HasErrors() {
			return unknown, diags
		}
		if v.IsNull() {
			return cty.NullVal(directory.PredicateType), nil
		}
	}
	fields, diags := checkPredicate(node, ctx)
	if diags.HasErrors() {
		return unknown, diags
	}
	if err := budgetOf(node); err != nil {
		return unknown, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: overBudget, Detail: err.Error(), Subject: expr.Range().Ptr()}}
	}
	text, known, diags := substitute(node, src, ctx)
	if diags.HasErrors() {
		return unknown, diags
	}
	if !known {
		return unknown, nil
	}
	compiled, diags := parseExpression([]byte(text), expr.Range().Filename)
	if diags.HasErrors() {
		for _, d := range diags {
			d.Subject = expr.Range().Ptr()
		}
		return unknown, diags
	}
	return directory.PredicateValue(&predicate{text: text, expr: compiled, fields: fields, memo: map[string]outcome{}}), nil
}

// budgetOf refuses loops in a predicate that could not be told apart from hostile ones: deeper than two.
func budgetOf(node hclsyntax.Node) error {
	depth, deepest := 0, 0
	_ = hclsyntax.Walk(node, &forWalker{enter: func(d int) {
		depth += d
		deepest = max(deepest, depth)
	}})
	if deepest > 2 {
		return budgetError("A condition runs for every entry of the directory, so its loops may nest two deep at most.")
	}
	return nil
}

type forWalker struct{ enter func(int) }

func (w *forWalker) Enter(n hclsyntax.Node) hcl.Diagnostics {
	if _, ok := n.(*hclsyntax.ForExpr); ok {
		w.enter(1)
	}
	return nil
}

func (w *forWalker) Exit(n hclsyntax.Node) hcl.Diagnostics {
	if _, ok := n.(*hclsyntax.ForExpr); ok {
		w.enter(-1)
	}
	return nil
}

func refersToEntry(node hclsyntax.Expression) bool {
	for _, t := range node.Variables() {
		if t.RootName() == "entry" {
			return true
		}
	}
	return false
}

// predicateSource gives the native expression and the bytes that its ranges point into. In JSON a predicate is a string
// holding one template, "${entry.department != \"Kitchen\"}".
func (ev *evaluator) predicateSource(expr hcl.Expression) (hclsyntax.Expression, []byte, hcl.Diagnostics) {
	if node, ok := expr.(hclsyntax.Expression); ok {
		file := ev.g.files[expr.Range().Filename]
		if file == nil {
			return nil, nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Invalid condition", Detail: "The source of the condition is not at hand.", Subject: expr.Range().Ptr()}}
		}
		return node, file.Bytes, nil
	}
	v, diags := expr.Value(nil)
	if diags.HasErrors() {
		return nil, nil, diags
	}
	text := ""
	switch {
	case v.IsNull():
		text = "null"
	case v.Type() == cty.Bool:
		text = strconv.FormatBool(v.True())
	case v.Type() == cty.String:
		text = strings.TrimSpace(v.AsString())
		if strings.HasPrefix(text, "${") && strings.HasSuffix(text, "}") {
			text = strings.TrimSpace(text[2 : len(text)-1])
		}
	default:
		return nil, nil, hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Invalid condition", Detail: `In JSON a condition is a string such as "${entry.enabled}".`, Subject: expr.Range().Ptr(),
		}}
	}
	node, diags := parseExpression([]byte(text), expr.Range().Filename)
	for _, d := range diags {
		d.Subject = expr.Range().Ptr()
	}
	return node, []byte(text), diags
}

// substitute writes the predicate's text with every part that does not depend on the entry replaced by its value. known
// is false when such a value is not known yet.
func substitute(node hclsyntax.Expression, src []byte, ctx *hcl.EvalContext) (text string, known bool, diags hcl.Diagnostics) {
	w := &closedWalker{}
	_ = hclsyntax.Walk(node, w)
	sort.Slice(w.closed, func(i, j int) bool {
		a, b := w.closed[i].Range(), w.closed[j].Range()
		if a.Start.Byte != b.Start.Byte {
			return a.Start.Byte < b.Start.Byte
		}
		return a.End.Byte > b.End.Byte
	})
	whole := node.Range()
	var b bytes.Buffer
	at := whole.Start.Byte
	for _, part := range w.closed {
		rng := part.Range()
		if rng.Start.Byte < at {
			continue // inside one already replaced
		}
		v, more := part.Value(ctx)
		if more.HasErrors() {
			return "", false, more
		}
		for _, m := range []any{SensitiveMark, EphemeralMark} {
			if v.HasMarkDeep(m) {
				return "", false, hcl.Diagnostics{{
					Severity: hcl.DiagError, Summary: "Sensitive value in a condition",
					Detail: "The text of a condition is kept in state and shown in reports, so it cannot use a sensitive value.", Subject: rng.Ptr(),
				}}
			}
		}
		if d := foreignIn(v, "The condition", rng); d != nil {
			return "", false, hcl.Diagnostics{d}
		}
		v, _ = v.UnmarkDeep()
		if !v.IsWhollyKnown() {
			return "", false, nil
		}
		if holdsCapsule(v.Type()) {
			return "", false, hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "Invalid condition", Detail: "A condition can use plain values only: text, numbers, true and false, lists and maps of these.", Subject: rng.Ptr(),
			}}
		}
		b.Write(src[at:rng.Start.Byte])
		b.WriteString(FormatValue(v))
		at = rng.End.Byte
		if b.Len() > maxValue {
			return "", false, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: overBudget, Detail: "The values that the condition uses are too large.", Subject: rng.Ptr()}}
		}
	}
	b.Write(src[at:whole.End.Byte])
	return canonical(b.Bytes()), true, nil
}

func holdsCapsule(ty cty.Type) bool {
	switch {
	case ty.IsCapsuleType():
		return true
	case ty.IsCollectionType():
		return holdsCapsule(ty.ElementType())
	case ty.IsTupleType():
		return slices.ContainsFunc(ty.TupleElementTypes(), holdsCapsule)
	case ty.IsObjectType():
		for _, a := range ty.AttributeTypes() {
			if holdsCapsule(a) {
				return true
			}
		}
	}
	return false
}

// canonical formats an expression and drops its comments, so that two spellings of one condition are one text.
func canonical(src []byte) string {
	tokens, _ := hclsyntax.LexExpression(src, "", hcl.InitialPos)
	var b bytes.Buffer
	at := 0
	for _, t := range tokens {
		if t.Type != hclsyntax.TokenComment {
			continue
		}
		b.Write(src[at:t.Range.Start.Byte])
		at = t.Range.End.Byte
		b.WriteByte('\n')
	}
	b.Write(src[at:])
	if !bytes.Contains(src, []byte("<<")) {
		// Without a heredoc a line break means nothing more than a space, inside brackets and out.
		joined := joinLines(b.Bytes())
		return strings.TrimSpace(string(hclwrite.Format(joined)))
	}
	return strings.TrimSpace(string(hclwrite.Format(b.Bytes())))
}

func joinLines(src []byte) []byte {
	tokens, _ := hclsyntax.LexExpression(src, "", hcl.InitialPos)
	var b bytes.Buffer
	at := 0
	var braces []hclsyntax.TokenType
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			braces = append(braces, t.Type)
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
			if len(braces) > 0 {
				braces = braces[:len(braces)-1]
			}
		case hclsyntax.TokenNewline:
			if len(braces) > 0 && braces[len(braces)-1] == hclsyntax.TokenOBrace {
				continue // items of an object may be apart by line breaks only
			}
			b.Write(bytes.TrimRight(src[at:t.Range.Start.Byte], " \t"))
			b.WriteByte(' ')
			at = t.Range.End.Byte
			for at < len(src) && (src[at] == ' ' || src[at] == '\t') {
				at++
			}
		}
	}
	if at < len(src) {
		b.Write(src[at:])
	}
	return b.Bytes()
}

// closedWalker collects the sub-expressions that refer to something, but neither to the entry nor to a loop around them.
type closedWalker struct {
	closed []hclsyntax.Expression
	locals []map[string]struct{}
}

func (w *closedWalker) Enter(n hclsyntax.Node) hcl.Diagnostics {
	if scope, ok := n.(hclsyntax.ChildScope); ok {
		w.locals = append(w.locals, scope.LocalNames)
		return nil
	}
	expr, ok := n.(hclsyntax.Expression)
	if !ok {
		return nil
	}
	switch n.(type) {
	case *hclsyntax.ObjectConsKeyExpr, *hclsyntax.AnonSymbolExpr:
		return nil
	}
	vars := expr.Variables()
	if len(vars) == 0 {
		return nil
	}
	for _, t := range vars {
		if t.RootName() == "entry" {
			return nil
		}
		for _, names := range w.locals {
			if _, local := names[t.RootName()]; local {
				return nil
			}
		}
	}
	w.closed = append(w.closed, expr)
	return nil
}

func (w *closedWalker) Exit(n hclsyntax.Node) hcl.Diagnostics {
	if _, ok := n.(hclsyntax.ChildScope); ok {
		w.locals = w.locals[:len(w.locals)-1]
	}
	return nil
}
