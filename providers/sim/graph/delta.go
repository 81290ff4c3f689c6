package graph

import (
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

// A delta page holds about 200 objects and 500 links whatever $top says (vendor staff on Microsoft Q&A).
const (
	deltaObjects = 200
	deltaLinks   = 500
)

// tracked is what a delta query needs to know of one collection.
type tracked struct {
	e    *entity
	kind string // of world.DeletedItem
	src  source
	// changed is the revision of the object's last change, trail what is known of its changes by property.
	changed func(o any) (uint64, *world.Trail)
	// links gives the members of a group and when others left; nil for types without.
	links func(o any) ([]string, map[string]uint64)
}

func deltaUsers(x *request) (*reply, error) {
	return x.delta(&tracked{e: userEntity, kind: "user", src: x.users(), changed: func(o any) (uint64, *world.Trail) {
		u := o.(*world.DirectoryUser)
		return u.Changed, u.Trail
	}})
}

func deltaContacts(x *request) (*reply, error) {
	return x.delta(&tracked{e: contactEntity, kind: "contact", src: x.contacts(), changed: func(o any) (uint64, *world.Trail) {
		c := o.(*world.Contact)
		return c.Changed, c.Trail
	}})
}

func deltaGroups(x *request) (*reply, error) {
	return x.delta(&tracked{e: groupEntity, kind: "group", src: x.groups(),
		changed: func(o any) (uint64, *world.Trail) {
			g := o.(*world.Group)
			return g.Changed, g.Trail
		},
		links: func(o any) ([]string, map[string]uint64) {
			g := o.(*world.Group)
			if g.HiddenMembership && !readHidden.grants(x.claims.Roles) {
				return nil, nil
			}
			return g.Members, g.RemovedMembers
		}})
}

// delta answers one page of a round. A round begins with a bare call or a $deltatoken and goes on by $skiptoken; its last
// page has the deltaLink, whose token continues from the revision at which the round began, so what changed while it
// ran is reported again.
func (x *request) delta(d *tracked) (*reply, error) {
	tok, latest, err := x.deltaToken(d)
	if err != nil {
		return nil, err
	}
	cols, withLinks, err := d.columns(tok.Select)
	if err != nil {
		return nil, err
	}
	p := &deltaPage{x: x, d: d, tok: tok, cols: cols, links: withLinks && d.links != nil,
		minimal: strings.Contains(strings.ToLower(x.header.Get("Prefer")), "return=minimal") && !tok.All}
	more := false
	if !latest {
		more = p.live() || p.deleted()
	}
	b := append([]byte(nil), `{"@odata.context":`...)
	context := *x
	context.q.selected = tok.Select
	b = appendText(b, context.context(d.e.set))
	if more {
		b = append(b, `,"@odata.nextLink":`...)
		b = appendText(b, x.deltaLink("$skiptoken", tok))
	} else {
		b = append(b, `,"@odata.deltaLink":`...)
		b = appendText(b, x.deltaLink("$deltatoken", &deltaToken{For: tok.For, Tenant: tok.Tenant, Since: tok.Until, Select: tok.Select, IDs: tok.IDs,
			Issued: x.w.Clock.Unix()}))
	}
	b = append(b, `,"value":[`...)
	b = append(b, p.values()...)
	b = append(b, ']', '}')
	out := &reply{status: http.StatusOK, body: b}
	if p.minimal {
		out.header = http.Header{"Preference-Applied": {"return=minimal"}}
	}
	return out, nil
}

// deltaLink holds the token alone: the options of the first call are inside it.
func (x *request) deltaLink(name string, t *deltaToken) string {
	return x.base + x.path + "?" + name + "=" + seal(t)
}

// deltaToken reads where the round stands; latest asks for a token alone.
func (x *request) deltaToken(d *tracked) (tok *deltaToken, latest bool, err error) {
	raw := x.q.skipToken
	if x.q.hasDelta && x.q.delta != "" {
		raw = x.q.delta
	}
	fresh := &deltaToken{For: x.route.template, Tenant: x.t.ID, All: true, Until: x.w.Revision, Select: x.q.selected, Issued: x.w.Clock.Unix()}
	if raw == "" || strings.EqualFold(raw, "latest") {
		fresh.IDs, err = deltaIDs(x.q.filter)
		return fresh, raw != "", err
	}
	tok = &deltaToken{}
	if err := unseal(raw, tok); err != nil || tok.For != x.route.template || tok.Tenant != x.t.ID {
		return nil, false, badRequest("Badly formed token.")
	}
	if x.q.selected != nil || x.q.filter != nil {
		return nil, false, badRequest("Query options cannot be added to a delta or skip token: they are encoded in it.")
	}
	if x.w.Clock.Sub(time.Unix(tok.Issued, 0)) > deltaTokenLife {
		return nil, false, &fault{status: http.StatusBadRequest, code: "syncStateNotFound", message: "The sync state generation is not found. " +
			"The delta token is expired and data must be synchronized again."}
	}
	if x.q.hasDelta && x.mustResync(tok) {
		// The body code of a reset is not settled by the public record; resyncRequired is one of the two seen.
		return nil, false, &fault{status: http.StatusGone, code: "resyncRequired",
			message: "Resync required. Follow the Location header to begin again.",
			header:  http.Header{"Location": {x.base + x.path + "?$deltatoken="}}}
	}
	if x.q.hasDelta {
		tok.Until = x.w.Revision
	}
	return tok, false, nil
}

// mustResync tells whether the world has reset delta tokens since this one began, or is older than the token (a world
// file put back).
func (x *request) mustResync(t *deltaToken) bool {
	return t.Since < x.w.Switches.DeltaResetAt || t.Since > x.w.Revision
}

// deltaIDs reads the only filter that delta queries take: id eq '…', joined by or, at most 50.
func deltaIDs(e expr) ([]string, error) {
	if e == nil {
		return nil, nil
	}
	var ids []string
	var walk func(e expr) bool
	walk = func(e expr) bool {
		switch n := e.(type) {
		case *logical:
			return !n.and && walk(n.l) && walk(n.r)
		case *comparison:
			ids = append(ids, strings.ToLower(n.want.s))
			return n.property == "id" && n.op == "eq" && n.want.kind == kindText
		}
		return false
	}
	if !walk(e) {
		return nil, unsupportedQuery("Unsupported or invalid query filter clause: delta queries take only id eq '…' joined by or.")
	}
	if len(ids) > 50 {
		return nil, unsupportedQuery("Too many ids in the filter of a delta query: %d, at most 50.", len(ids))
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// columns chooses what is tracked. members and manager are relationships that $select may name here only.
func (d *tracked) columns(selected []string) (cols []int, links bool, err error) {
	if selected == nil {
		return d.e.defaults, d.links != nil, nil
	}
	names := []string{"id"}
	for _, n := range selected {
		switch {
		case n == "members" && d.links != nil:
			links = true
		case n == "manager" && d.e == userEntity:
			// The world has no managers: nothing to report.
		default:
			names = append(names, n)
		}
	}
	cols, err = d.e.choose(names, true)
	return cols, links, err
}

// deltaPage collects one page.
type deltaPage struct {
	x       *request
	d       *tracked
	tok     *deltaToken
	cols    []int
	links   bool
	minimal bool
	out     []byte
	starts  []int // where each object begins in out
	objects int
	written int // links
}

// begin starts the next object of the page.
func (p *deltaPage) begin() {
	if p.objects > 0 {
		p.out = append(p.out, ',')
	}
	p.objects++
	p.starts = append(p.starts, len(p.out))
}

// values are the objects of the page. The service promises no order and may repeat objects; the switch makes it do so.
func (p *deltaPage) values() []byte {
	if !p.x.w.Switches.DeltaShuffled || len(p.starts) < 2 {
		return p.out
	}
	part := func(i int) []byte {
		if i == len(p.starts)-1 {
			return p.out[p.starts[i]:]
		}
		return p.out[p.starts[i] : p.starts[i+1]-1]
	}
	var out []byte
	for i := len(p.starts) - 1; i >= 0; i-- {
		out = append(append(out, part(i)...), ',')
	}
	return append(out, part(len(p.starts)-1)...)
}

func (p *deltaPage) full() bool { return p.objects >= deltaObjects || p.written >= deltaLinks }

// live writes changed objects in order of id; true means that the page is full and more remain.
func (p *deltaPage) live() bool {
	if p.tok.Phase > 0 {
		return false
	}
	src := p.d.src
	start := sort.Search(src.n, func(i int) bool {
		if p.tok.Member > 0 {
			return src.id(i) >= p.tok.After // an object whose links go on
		}
		return src.id(i) > p.tok.After
	})
	for i := start; i < src.n; i++ {
		_, o := src.at(i)
		id := src.id(i)
		if id != p.tok.After {
			p.tok.Member = 0 // the object that went on is gone
		}
		if !p.wanted(id) || !p.isChanged(o) {
			continue
		}
		if p.full() {
			return true
		}
		done := p.object(o)
		p.tok.After = id
		if !done {
			return true
		}
		p.tok.Member = 0
	}
	p.tok.Phase, p.tok.After, p.tok.Member, p.tok.Position = 1, "", 0, 0
	return false
}

func (p *deltaPage) wanted(id string) bool {
	if p.tok.IDs == nil {
		return true
	}
	_, ok := slices.BinarySearch(p.tok.IDs, strings.ToLower(id))
	return ok
}

func (p *deltaPage) isChanged(o any) bool {
	if p.tok.All {
		return true
	}
	changed, _ := p.d.changed(o)
	return changed > p.tok.Since
}

// object writes one object with as many of its links as the page still takes; false means that links remain.
func (p *deltaPage) object(o any) bool {
	_, trail := p.d.changed(o)
	st := style{omitNull: true}
	if !p.tok.All {
		// A property that was cleared is null, one that was never set is absent. What is not known to be untouched may
		// have been cleared.
		st.keepNull = func(name string) bool { return trail.Touched(name, p.tok.Since, changedOf(p.d, o)) }
		if p.minimal {
			st.only = st.keepNull
		}
	}
	p.begin()
	p.out = p.d.e.appendObject(p.out, p.x, p.cols, o, st)
	done := true
	if p.links {
		done = p.members(o, trail)
	}
	p.out = append(p.out, '}')
	return done
}

func changedOf(d *tracked, o any) uint64 {
	n, _ := d.changed(o)
	return n
}

// members writes members@delta: in a round from empty all of them; later those that joined (or, when the world does not
// know, all again: replays are allowed) and those that left.
func (p *deltaPage) members(o any, trail *world.Trail) bool {
	present, removed := p.d.links(o)
	changed := changedOf(p.d, o)
	var left []string
	if !p.tok.All {
		for id, at := range removed {
			if at > p.tok.Since && !slices.Contains(present, id) {
				left = append(left, id)
			}
		}
		slices.Sort(left)
	}
	joined := func(id string) bool {
		return p.tok.All || trail.Touched(world.MemberTrail(id), p.tok.Since, changed)
	}
	opened := false
	position := 0
	add := func(id string, gone bool) bool {
		position++
		if position <= p.tok.Member {
			return true
		}
		if p.written >= deltaLinks {
			return false
		}
		if opened {
			p.out = append(p.out, ',')
		} else {
			p.out = append(p.out, `,"members@delta":[`...)
			opened = true
		}
		e, _ := p.x.member(id)
		name := userEntity.name // a member that no longer exists was, nearly always, a user
		if e != nil {
			name = e.name
		}
		p.out = append(p.out, `{"@odata.type":"#microsoft.graph.`...)
		p.out = append(p.out, name...)
		p.out = append(p.out, `","id":`...)
		p.out = appendText(p.out, id)
		if gone {
			p.out = append(p.out, `,"@removed":{"reason":"deleted"}`...)
		}
		p.out = append(p.out, '}')
		p.written++
		return true
	}
	done := true
	for _, id := range present {
		if joined(id) && !add(id, false) {
			done = false
			break
		}
	}
	for _, id := range left {
		if done && !add(id, true) {
			done = false
		}
	}
	if opened {
		p.out = append(p.out, ']')
	}
	if !done {
		p.tok.Member = position - 1
	}
	return done
}

// deleted writes objects that are gone; true means that the page is full and more remain.
func (p *deltaPage) deleted() bool {
	for i := max(0, p.tok.Position); i < len(p.x.t.Deleted); i++ {
		item := p.x.t.Deleted[i]
		if item.Kind != p.d.kind || !p.wanted(item.ID) || !p.tok.All && item.Changed <= p.tok.Since {
			continue
		}
		if p.full() {
			p.tok.Position = i
			return true
		}
		p.begin()
		p.out = append(p.out, `{"id":`...)
		p.out = appendText(p.out, item.ID)
		reason := "changed"
		if item.Permanent {
			reason = "deleted"
		}
		p.out = append(p.out, `,"@removed":{"reason":"`+reason+`"}}`...)
	}
	return false
}
