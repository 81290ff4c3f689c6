package graph

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// source is a collection to page through without copying it.
type source struct {
	n int
	// at returns the object at i and its type; a nil type is left out (a dangling reference).
	at func(i int) (*entity, any)
	id func(i int) string
	// sorted means that ids ascend, so that a page starts with a binary search.
	sorted bool
}

// listing says how one collection is written.
type listing struct {
	// e is the type of the objects, or the stand-in for a mixed collection.
	e *entity
	// mixed holds the types of a mixed collection; each object then carries its type.
	mixed []*entity
	typed bool
	// style is per type: what the caller may not read.
	style func(*entity) style
	// context replaces the set name in @odata.context.
	context string
	// advancedSort means that $orderby needs an advanced query here.
	advancedSort bool
	// filterAdvanced means that any $filter needs one.
	filterAdvanced bool
	// whole collections do not page.
	whole bool
	// expand appends the expanded property to an object.
	expand func(b []byte, object any) []byte
	// columns overrides the default properties when there is no $select.
	columns []int
}

// slice is the source over a sorted slice of one type.
func slice[T any](e *entity, all []T, id func(T) string) source {
	return source{n: len(all), sorted: true,
		at: func(i int) (*entity, any) { return e, all[i] },
		id: func(i int) string { return id(all[i]) }}
}

// sortedSlice is the source over a small slice that is kept in another order.
func sortedSlice[T any](e *entity, all []T, id func(T) string) source {
	c := slices.Clone(all)
	slices.SortStableFunc(c, func(a, b T) int { return strings.Compare(id(a), id(b)) })
	return slice(e, c, id)
}

func (l *listing) chooser(x *request) (func(*entity) []int, error) {
	if l.mixed == nil {
		cols, err := l.e.columns(x, true)
		if x.q.selected == nil && l.columns != nil {
			cols = l.columns
		}
		return func(*entity) []int { return cols }, err
	}
	// In a mixed collection each type contributes the selected properties it has; a name that none has is unknown.
	per := map[*entity][]int{}
	for _, name := range x.q.selected {
		if !slices.ContainsFunc(l.mixed, func(e *entity) bool { return e.property(name) != nil }) {
			return nil, unknownProperty(name, "directoryObject")
		}
	}
	for _, e := range l.mixed {
		if x.q.selected == nil {
			per[e] = e.defaults
			continue
		}
		known := slices.DeleteFunc(slices.Clone(x.q.selected), func(n string) bool { return e.property(n) == nil })
		cols, err := e.choose(known, true)
		if err != nil {
			return nil, err
		}
		if len(known) == 0 {
			cols = []int{}
		}
		per[e] = cols
	}
	return func(e *entity) []int { return per[e] }, nil
}

// list answers a collection: filter, order, page.
func (x *request) list(src source, l listing) (*reply, error) {
	choose, err := l.chooser(x)
	if err != nil {
		return nil, err
	}
	if err := x.checkList(&l); err != nil {
		return nil, err
	}
	tok, err := x.pageToken()
	if err != nil {
		return nil, err
	}
	top := x.q.top
	if top == 0 {
		top = 100
	}
	if l.whole {
		top = max(src.n, 1)
	}
	match := func(i int) (*entity, any, bool) {
		e, o := src.at(i)
		return e, o, e != nil && (x.q.filter == nil || x.q.filter.match(x, e, o))
	}
	b := make([]byte, 0, 512+min(top, src.n)*256)
	b = append(b, `{"@odata.context":`...)
	b = appendText(b, x.context(l.set()))
	if x.q.advanced() && tok == nil {
		b = append(b, `,"@odata.count":`...)
		b = strconv.AppendInt(b, int64(x.countMatches(src, match)), 10)
	}
	write := func(values []byte, e *entity, o any) []byte {
		if len(values) > 0 {
			values = append(values, ',')
		}
		st := style{}
		if l.style != nil {
			st = l.style(e)
		}
		st.withType = l.typed
		values = e.appendObject(values, x, choose(e), o, st)
		if l.expand != nil {
			values = l.expand(values, o)
		}
		return append(values, '}')
	}
	var values []byte
	var next *pageToken
	if x.w.Switches.GraphEmptyPages && tok != nil && !tok.Gap {
		next = tok
		next.Gap = true
	} else if x.q.order == "" {
		values, next = x.pageByPosition(src, tok, top, match, write)
	} else {
		values, next = x.pageByOrder(src, l.e.property(x.q.order), tok, top, match, write)
	}
	if next != nil {
		next.For, next.Issued, next.Advanced = x.route.template, x.w.Clock.Unix(), x.q.advanced()
		b = append(b, `,"@odata.nextLink":`...)
		b = appendText(b, x.link("$skiptoken", seal(next)))
	}
	b = append(b, `,"value":[`...)
	b = append(b, values...)
	b = append(b, ']', '}')
	return &reply{status: http.StatusOK, body: b}, nil
}

func (l *listing) set() string {
	if l.context != "" {
		return l.context
	}
	return l.e.set
}

func (x *request) checkList(l *listing) error {
	if err := checkFilter(&x.q, l.e); err != nil {
		return err
	}
	if l.filterAdvanced && x.q.filter != nil && !x.q.advanced() {
		return unsupportedQuery("The specified filter to the reference property query is currently not supported.")
	}
	if x.q.order != "" {
		p := l.e.property(x.q.order)
		if p == nil || p.ops&opSort == 0 {
			return unsupportedQuery("Sorting by property '%s' of resource '%s' is not supported.", x.q.order, l.e.resource)
		}
		if l.advancedSort && !x.q.advanced() {
			return unsupportedQuery("Sorting not supported for current query.")
		}
	}
	return nil
}

// pageToken reads $skiptoken; nil on a first page.
func (x *request) pageToken() (*pageToken, error) {
	if x.q.skipToken == "" {
		return nil, nil
	}
	t := &pageToken{}
	if err := unseal(x.q.skipToken, t); err != nil || t.For != x.route.template {
		return nil, badRequest("The specified skip token is invalid for this request.")
	}
	age := x.w.Clock.Sub(time.Unix(t.Issued, 0))
	if age > pageTokenLife || t.Advanced && !x.q.eventual {
		return nil, &fault{status: http.StatusBadRequest, code: "Directory_ExpiredPageToken",
			message: "The specified page token value has expired and can no longer be included in your request."}
	}
	return t, nil
}

func (x *request) pageByPosition(src source, tok *pageToken, top int, match func(int) (*entity, any, bool),
	write func([]byte, *entity, any) []byte) ([]byte, *pageToken) {
	start := 0
	if tok != nil {
		start = src.after(tok)
	}
	values := make([]byte, 0, min(top, src.n-start)*300)
	written := 0
	for i := start; i < src.n; i++ {
		if written == top {
			return values, &pageToken{After: src.id(i - 1), Index: i - 1}
		}
		if e, o, ok := match(i); ok {
			values = write(values, e, o)
			written++
		}
	}
	return values, nil
}

// after finds the first object behind the token's.
func (src *source) after(tok *pageToken) int {
	if src.sorted {
		return sort.Search(src.n, func(i int) bool { return src.id(i) > tok.After })
	}
	if tok.Index >= 0 && tok.Index < src.n && src.id(tok.Index) == tok.After {
		return tok.Index + 1
	}
	for i := range src.n {
		if src.id(i) == tok.After {
			return i + 1
		}
	}
	return min(max(tok.Index, 0), src.n) // the object left: what followed it moved up
}

func (x *request) pageByOrder(src source, p *property, tok *pageToken, top int, match func(int) (*entity, any, bool),
	write func([]byte, *entity, any) []byte) ([]byte, *pageToken) {
	type row struct {
		key  string
		null bool
		id   string
		i    int
	}
	order := func(a, b row) int {
		d := cmp.Or(-cmp.Compare(boolRank(a.null), boolRank(b.null)), strings.Compare(a.key, b.key))
		if x.q.descend {
			d = -d
		}
		return cmp.Or(d, strings.Compare(a.id, b.id))
	}
	var rows []row
	for i := range src.n {
		e, o, ok := match(i)
		if !ok {
			continue
		}
		v := p.get(x, o)
		key := strings.ToLower(v.s)
		if v.kind == kindBool {
			key = strconv.FormatBool(v.b)
		}
		r := row{key, v.kind == kindNull, e.id(x, o), i}
		if tok == nil || order(r, row{key: tok.Sort, null: tok.Null, id: tok.After}) > 0 {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, order)
	var values []byte
	for n, r := range rows {
		if n == top {
			last := rows[n-1]
			return values, &pageToken{After: last.id, Sort: last.key, Null: last.null}
		}
		e, o := src.at(r.i)
		values = write(values, e, o)
	}
	return values, nil
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// id is the object's id.
func (e *entity) id(x *request, o any) string { return e.property("id").get(x, o).s }

func (x *request) countMatches(src source, match func(int) (*entity, any, bool)) int {
	if x.q.filter == nil && src.sorted {
		return src.n
	}
	n := 0
	for i := range src.n {
		if _, _, ok := match(i); ok {
			n++
		}
	}
	return n
}

// countText answers the /$count segment: a bare number, only with the header.
func (x *request) countText(src source, e *entity) (*reply, error) {
	if !x.q.eventual {
		return nil, badRequest("$count is not currently supported.")
	}
	x.q.count = true // the segment itself is the count that advanced filters ask for
	if err := checkFilter(&x.q, e); err != nil {
		return nil, err
	}
	n := x.countMatches(src, func(i int) (*entity, any, bool) {
		e, o := src.at(i)
		return e, o, e != nil && (x.q.filter == nil || x.q.filter.match(x, e, o))
	})
	return &reply{status: http.StatusOK, header: http.Header{"Content-Type": {"text/plain"}}, body: strconv.AppendInt(nil, int64(n), 10)}, nil
}

// one answers a single object.
func (x *request) one(e *entity, o any, st style) (*reply, error) {
	cols, err := e.columns(x, false)
	if err != nil {
		return nil, err
	}
	st.context = x.context(e.set) + "/$entity"
	return &reply{status: http.StatusOK, body: append(e.appendObject(nil, x, cols, o, st), '}')}, nil
}

// created answers 201 with the whole default set of a new object.
func (x *request) created(e *entity, o any) (*reply, error) {
	out, err := x.one(e, o, style{})
	if err == nil {
		out.status = http.StatusCreated
	}
	return out, err
}

func noContent() (*reply, error) { return &reply{status: http.StatusNoContent}, nil }

// context is the @odata.context of a set, with the selection as the service repeats it.
func (x *request) context(set string) string {
	s := x.base + "/v1.0/$metadata#" + set
	if x.q.selected != nil {
		s += "(" + strings.Join(x.q.selected, ",") + ")"
	}
	return s
}

// link is the address of this request with another token; the other options are kept as they came.
func (x *request) link(token, v string) string {
	var b strings.Builder
	b.WriteString(x.base)
	b.WriteString(x.path)
	sep := byte('?')
	for pair := range strings.SplitSeq(x.query, "&") {
		name, rest, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if name == "" || strings.EqualFold(name, "$skiptoken") {
			continue
		}
		b.WriteByte(sep)
		b.WriteString(name + "=" + rest)
		sep = '&'
	}
	b.WriteByte(sep)
	b.WriteString(token + "=" + v)
	return b.String()
}
