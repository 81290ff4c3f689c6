package resourcetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// box is the vendor's object of the in-memory type.
type box struct {
	name, colour string
	tags         []string
	size         int
	on           bool
}

// shelf is the vendor: boxes by name, as the type's functions and the portal see them.
type shelf struct {
	boxes   map[string]*box
	order   []string
	fault   Fault
	changed int
	broken  map[string]bool
}

func (s *shelf) read() error {
	switch s.fault {
	case None, LostAnswer:
		return nil
	case Throttled:
		return &resource.Error{Op: "read box", Kind: resource.ErrThrottled}
	case Denied:
		return &resource.Error{Op: "read box", Kind: resource.ErrDenied}
	}
	return &resource.Error{Op: "read box", Kind: resource.ErrUnavailable}
}

// write runs change unless the vendor refuses, and loses the answer if asked.
func (s *shelf) write(change func() error) error {
	switch s.fault {
	case Throttled, Denied, ServerError, Unreachable:
		return s.read()
	}
	if err := change(); err != nil {
		return err
	}
	s.changed++
	if s.fault == LostAnswer {
		return &resource.Error{Op: "write box", Kind: resource.ErrAmbiguous}
	}
	return nil
}

func (s *shelf) put(b *box) {
	if s.boxes[b.name] == nil {
		s.order = append(s.order, b.name)
	}
	s.boxes[b.name] = b
}

func (s *shelf) drop(name string) {
	delete(s.boxes, name)
	for i, n := range s.order {
		if n == name {
			s.order = append(s.order[:i:i], s.order[i+1:]...)
			break
		}
	}
}

func boxTable() []resource.Attribute {
	return []resource.Attribute{
		{Name: "name", Type: cty.String, Required: true, Immutable: true, Description: "Name.", Normalize: resource.FoldCase},
		{Name: "colour", Type: cty.String, Optional: true, Description: "Colour.",
			Normalize: resource.Chain("colour", "test", resource.FoldCase, resource.EmptyIsNull)},
		{Name: "tags", Type: cty.Set(cty.String), Optional: true, Description: "Tags.", Normalize: resource.FoldedSet},
		{Name: "inner", Optional: true, Block: true, Description: "Inside.", Nested: []resource.Attribute{
			{Name: "size", Type: cty.Number, Optional: true, Description: "Size."},
			{Name: "on", Type: cty.Bool, Optional: true, Description: "Switch.", Default: cty.True},
		}},
		{Name: "note", Type: cty.String, Optional: true, Local: true, Description: "Note."},
		{Name: "weight", Type: cty.Number, Computed: true, Description: "Weight."},
	}
}

func boxLive(b *box) resource.Live {
	tags := cty.SetValEmpty(cty.String)
	if len(b.tags) > 0 {
		vals := make([]cty.Value, len(b.tags))
		for i, t := range b.tags {
			vals[i] = cty.StringVal(t)
		}
		tags = cty.SetVal(vals)
	}
	colour := cty.NullVal(cty.String)
	if b.colour != "" {
		colour = cty.StringVal(b.colour)
	}
	return resource.Live{ID: resource.ObjectID("id-" + b.name), Name: b.name, Value: cty.ObjectVal(map[string]cty.Value{
		"name": cty.StringVal(b.name), "colour": colour, "tags": tags,
		"inner": cty.ObjectVal(map[string]cty.Value{"size": cty.NumberIntVal(int64(b.size)), "on": cty.BoolVal(b.on)}),
		"note":  cty.NullVal(cty.String), "weight": cty.NumberIntVal(int64(10 * b.size)),
	})}
}

func overlay(b *box, v cty.Value, skip string) {
	if c := resource.Get(v, "colour"); !c.IsNull() && skip != "colour" {
		b.colour = strings.ToLower(c.AsString())
	}
	if t := resource.Get(v, "tags"); !t.IsNull() {
		b.tags = nil
		for it := t.ElementIterator(); it.Next(); {
			_, e := it.Element()
			b.tags = append(b.tags, strings.ToLower(e.AsString()))
		}
		sort.Strings(b.tags)
	}
	if n := resource.Get(v, "inner.size"); !n.IsNull() {
		i, _ := n.AsBigFloat().Int64()
		b.size = int(i)
	}
	if o := resource.Get(v, "inner.on"); !o.IsNull() {
		b.on = o.True()
	}
}

// boxType is a good driver; the names in s.broken make it a bad one.
func boxType(s *shelf) *resource.Type {
	table := boxTable()
	if s.broken["null apart from empty"] {
		table[2].Normalize = resource.FoldCase // folds each element, keeps null apart
	}
	find := func(id resource.ObjectID) *box { return s.boxes[strings.TrimPrefix(string(id), "id-")] }
	absent := func(id resource.ObjectID) error {
		return &resource.Error{Op: "read box", Subject: string(id), Kind: resource.ErrAbsent}
	}
	t := &resource.Type{
		Name: "box", Purpose: "A box.", Provider: "test", Attributes: table,
		Key: func(v cty.Value) string { return strings.ToLower(resource.Get(v, "name").AsString()) },
		List: func(context.Context, *resource.Conn) ([]resource.Live, error) {
			if err := s.read(); err != nil {
				if s.broken["empty list on failure"] && s.fault == EmptyBody {
					return nil, nil
				}
				return nil, err
			}
			var out []resource.Live
			for _, name := range s.order {
				l := boxLive(s.boxes[name])
				if s.broken["drift not visible"] {
					l.Value = resource.With(l.Value, "colour", cty.StringVal("red"))
				}
				if s.broken["null apart from empty"] && len(s.boxes[name].tags) == 0 {
					l.Value = resource.With(l.Value, "tags", cty.NullVal(cty.Set(cty.String)))
				}
				out = append(out, l)
			}
			if s.broken["list drops an object"] && len(out) > 1 {
				out = out[:len(out)-1]
			}
			return out, nil
		},
		Read: func(_ context.Context, _ *resource.Conn, id resource.ObjectID) (resource.Live, error) {
			if err := s.read(); err != nil {
				if s.broken["absent on 500"] && s.fault == ServerError {
					return resource.Live{}, absent(id)
				}
				return resource.Live{}, err
			}
			b := find(id)
			if s.broken["read returns another object"] && len(s.order) > 1 {
				b = s.boxes[s.order[0]]
			}
			if b == nil {
				return resource.Live{}, absent(id)
			}
			return boxLive(b), nil
		},
		Create: func(_ context.Context, _ *resource.Conn, c *resource.Change) (resource.Live, error) {
			b := &box{name: strings.ToLower(resource.Get(c.Planned, "name").AsString()), on: true}
			overlay(b, c.Planned, "")
			err := s.write(func() error {
				if s.boxes[b.name] != nil {
					if s.broken["a second create on retry"] {
						for s.boxes[b.name] != nil {
							b.name += "x"
						}
						s.put(b)
						return nil
					}
					return &resource.Error{Op: "create box", Kind: resource.ErrConflict}
				}
				s.put(b)
				return nil
			})
			if err != nil {
				if s.broken["lost answer taken for failure"] && errors.Is(err, resource.ErrAmbiguous) {
					err = &resource.Error{Op: "create box", Kind: resource.ErrUnavailable}
				}
				return resource.Live{}, err
			}
			return boxLive(b), nil
		},
		Update: func(_ context.Context, _ *resource.Conn, c *resource.Change) (resource.Live, error) {
			b := find(c.ID)
			if b == nil {
				return resource.Live{}, absent(c.ID)
			}
			err := s.write(func() error {
				switch {
				case s.broken["attribute lost on update"]:
					*b = box{name: b.name, on: b.on}
					overlay(b, c.Planned, "")
				case s.broken["update ignores an attribute"]:
					overlay(b, c.Planned, "colour")
				default:
					overlay(b, c.Planned, "")
				}
				return nil
			})
			return boxLive(b), err
		},
		Delete: func(_ context.Context, _ *resource.Conn, c *resource.Change) error {
			b := find(c.ID)
			if b == nil {
				if err := s.read(); err != nil {
					return err
				}
				if s.broken["delete of the absent fails"] {
					return absent(c.ID)
				}
				return nil
			}
			return s.write(func() error {
				if s.broken["delete takes everything"] {
					s.boxes, s.order = map[string]*box{}, nil
				}
				if !s.broken["delete does nothing"] {
					s.drop(b.name)
				}
				return nil
			})
		},
	}
	if s.broken["throttling taken for success"] {
		good := t.Update
		t.Update = func(ctx context.Context, conn *resource.Conn, c *resource.Change) (resource.Live, error) {
			if s.fault == Throttled {
				return resource.Live{ID: c.ID, Name: "box", Value: c.Prior}, nil
			}
			return good(ctx, conn, c)
		}
	}
	if s.broken["not found without state"] {
		t.Key = func(cty.Value) string { return "" }
	}
	return t
}

func boxConfig(name, colour string, size int64) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{
		"name": cty.StringVal(name), "colour": cty.StringVal(colour), "tags": cty.SetVal([]cty.Value{cty.StringVal("A"), cty.StringVal("b")}),
		"inner": cty.ObjectVal(map[string]cty.Value{"size": cty.NumberIntVal(size), "on": cty.NullVal(cty.Bool)}),
		"note":  cty.StringVal("hello"), "weight": cty.NullVal(cty.Number),
	})
}

// harness is the harness of a driver broken in the ways named.
func harness(broken ...string) Harness {
	set := map[string]bool{}
	for _, b := range broken {
		set[b] = true
	}
	// The type's functions close over the shelf of the latest Open.
	current := &shelf{broken: set}
	h := Harness{
		Config: boxConfig("First", "Red", 1), Second: boxConfig("second", "green", 2),
		Changes: []Change{
			{Path: "colour", Value: cty.StringVal("blue")},
			{Path: "tags", Value: cty.SetVal([]cty.Value{cty.StringVal("c")})},
			{Path: "inner.size", Value: cty.NumberIntVal(7)},
			{Path: "inner.on", Value: cty.False},
		},
		Skip: map[string]string{"inner.on:drift": "shows the default only"},
	}
	h.Type = boxType(current)
	h.Open = func(testing.TB) *Backend {
		*current = shelf{boxes: map[string]*box{}, broken: set}
		return &Backend{
			Conn: &resource.Conn{Now: func() time.Time { return time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC) }},
			Edit: func(path string, v cty.Value) error {
				b := current.boxes["first"]
				if b == nil {
					return errors.New("no such box")
				}
				overlay(b, resource.With(cty.NullVal(cty.Object(map[string]cty.Type{"colour": cty.String, "tags": cty.Set(cty.String),
					"inner": cty.Object(map[string]cty.Type{"size": cty.Number, "on": cty.Bool})})), path, v), "")
				return nil
			},
			Remove:  func() error { current.drop("first"); return nil },
			Fault:   func(f Fault) { current.fault = f },
			Changed: func() int { return current.changed },
		}
	}
	return h
}

// recorder is a testing.TB that notes failures.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper()           {}
func (r *recorder) Log(...any)        {}
func (r *recorder) Error(args ...any) { r.failures = append(r.failures, fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatal(args ...any) { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failing runs the suite and returns the cases that failed, with the first thing each said.
func failing(t *testing.T, h Harness) map[string]string {
	out := map[string]string{}
	for _, c := range cases {
		r := &recorder{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() {
				if p := recover(); p != nil {
					r.failures = append(r.failures, fmt.Sprint("panic: ", p))
				}
			}()
			c.check(r, &h)
		}()
		<-done
		if len(r.failures) > 0 {
			out[c.name] = r.failures[0]
		}
	}
	return out
}

func TestGoodDriverPasses(t *testing.T) { Run(t, harness()) }

func TestBrokenDriversFail(t *testing.T) {
	for broken, inCase := range map[string]string{
		"absent on 500":                 "a failed read is unknown",
		"empty list on failure":         "a failed read is unknown",
		"attribute lost on update":      "what is not managed is left alone",
		"update ignores an attribute":   "each attribute is updated",
		"null apart from empty":         "empty is what the vendor keeps",
		"a second create on retry":      "lost answer to a create",
		"lost answer taken for failure": "lost answer to a create",
		"delete of the absent fails":    "already deleted",
		"delete does nothing":           "delete",
		"delete takes everything":       "siblings are left alone",
		"list drops an object":          "siblings are left alone",
		"read returns another object":   "siblings are left alone",
		"drift not visible":             "drift is seen and repaired",
		"throttling taken for success":  "throttled and refused",
		"not found without state":       "an existing object is adopted",
	} {
		t.Run(broken, func(t *testing.T) {
			got := failing(t, harness(broken))
			said, ok := got[inCase]
			if !ok {
				t.Fatalf("the suite did not fail in %q; it failed in %q", inCase, got)
			}
			if strings.HasPrefix(said, "panic") {
				t.Errorf("the suite panicked: %s", said)
			}
			t.Log(said)
		})
	}
}

func TestMissingChangeFails(t *testing.T) {
	h := harness()
	h.Changes = h.Changes[1:]
	if got := failing(t, h)["table"]; !strings.Contains(got, "colour") {
		t.Errorf("a harness without a change for colour: %q", got)
	}
}
