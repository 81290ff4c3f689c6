package directory

import (
	"strings"
	"testing"
)

func TestMembershipsDiffer(t *testing.T) {
	direct := func(pairs ...string) Memberships {
		var m Memberships
		for i := 0; i < len(pairs); i += 2 {
			m.Direct = append(m.Direct, Membership{ObjectID: pairs[i], Name: pairs[i+1]})
		}
		return m
	}
	with := func(m Memberships, change func(*Memberships)) Memberships {
		change(&m)
		return m
	}
	ab := direct("a", "A", "b", "B")
	for name, row := range map[string]struct {
		was, now Memberships
		want     string
	}{
		"none":                  {},
		"same":                  {was: ab, now: ab},
		"joined":                {was: direct("a", "A"), now: ab, want: `is a member of "B"`},
		"left":                  {was: ab, now: direct("a", "A"), want: `is no member of "B"`},
		"left all":              {was: ab, want: `is no member of "A"`},
		"another of that name":  {was: direct("a", "A"), now: direct("b", "A"), want: `is a member of "A", and was not`},
		"renamed":               {was: direct("a", "A"), now: direct("a", "B"), want: `"B", which was "A"`},
		"joined what is hidden": {was: with(direct("a", "A"), func(m *Memberships) { m.Unseen = []string{"b"} }), now: ab},
		"hidden, and seen here": {was: with(ab, func(m *Memberships) { m.Unseen = []string{"c"} }), now: direct("a", "A"), want: `no member of "B"`},
		"around, same":          {was: with(ab, func(m *Memberships) { m.All = []string{"a", "b", "c"} }), now: with(ab, func(m *Memberships) { m.All = []string{"a", "b", "c"} })},
		"around, joined":        {was: with(ab, func(m *Memberships) { m.All = []string{"a", "b"} }), now: with(ab, func(m *Memberships) { m.All = []string{"a", "b", "c"} }), want: "member of the group c, and was not"},
		"around, left":          {was: with(ab, func(m *Memberships) { m.All = []string{"a", "b", "c"} }), now: with(ab, func(m *Memberships) { m.All = []string{"a", "b"} }), want: "no member of the group c any more"},
		"around, hidden":        {was: with(ab, func(m *Memberships) { m.All, m.Unseen = []string{"a", "b"}, []string{"c"} }), now: with(ab, func(m *Memberships) { m.All = []string{"a", "b", "c"} })},
		"around, not asked for": {was: ab, now: with(ab, func(m *Memberships) { m.All = []string{"a", "b", "c"} })},
		"around, of nothing":    {was: Memberships{All: []string{}}, now: Memberships{All: []string{"c"}}, want: "member of the group c"},
	} {
		t.Run(name, func(t *testing.T) {
			got := row.was.Differs(&row.now)
			if (got == "") != (row.want == "") || !strings.Contains(got, row.want) {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}
