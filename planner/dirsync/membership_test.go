package dirsync

import (
	"reflect"
	"slices"
	"testing"

	"github.com/weir-project/weir/providers/directory"
)

// TestMemberships: a decision to take something away has the groups of its entry with it where groups decide, and only there.
func TestMemberships(t *testing.T) {
	staff := predicate{`contains(entry.groups, "Staff")`, func(e *directory.Entry) (bool, error) { return slices.Contains(e.Groups, "Staff"), nil }}
	out := func(f *fixture) { f.req.Policy.OutOfScope = AsRemove }
	include := func(f *fixture) { f.req.Policy.Include = staff; out(f) }
	kitchen := func(f *fixture) { f.req.Policy.Include = notKitchen(); out(f) }
	exempt := func(f *fixture) {
		f.req.Protections = append(f.req.Protections, Protection{Source: "exemption.x", Groups: []string{"outer"}, Last: []string{}})
	}
	when := func(f *fixture) {
		f.req.Protections = append(f.req.Protections, Protection{Source: "exemption.y", When: predicate{`contains(entry.groups, "Board")`, func(*directory.Entry) (bool, error) { return false, nil }}})
	}
	direct := []directory.Membership{{ObjectID: "g-inner", Name: "Inner"}, {ObjectID: "g-team", Name: "Team"}}
	for _, row := range []struct {
		name    string
		change  []func(*fixture)
		nothing bool
		want    *directory.Memberships
	}{
		{name: "no group decides", change: []func(*fixture){kitchen}},
		{name: "include decides", change: []func(*fixture){include}, want: &directory.Memberships{Direct: direct}},
		{name: "when decides", change: []func(*fixture){kitchen, when}, want: &directory.Memberships{Direct: direct}},
		{name: "an exemption by group decides", change: []func(*fixture){kitchen, exempt}, nothing: true}, // alice is in inner, which is in outer: protected
		{name: "an exemption by another group", change: []func(*fixture){kitchen, func(f *fixture) {
			f.req.Protections = append(f.req.Protections, Protection{Source: "exemption.z", Groups: []string{"Lonely"}})
		}}, want: &directory.Memberships{Direct: direct, All: []string{"g-inner", "g-outer", "g-team"}}},
		{name: "gone", change: []func(*fixture){include, func(f *fixture) {
			f.req.Directory.Entries = slices.DeleteFunc(f.req.Directory.Entries, func(e *directory.Entry) bool { return e.Name == "alice" })
		}}},
		{name: "a group hides its members", change: []func(*fixture){kitchen, func(f *fixture) {
			f.req.Protections = append(f.req.Protections, Protection{Source: "exemption.z", Groups: []string{"Lonely"}})
			f.req.Directory.Groups = append(f.req.Directory.Groups, &directory.Entry{ObjectID: "g-secret", Kind: directory.SecurityGroup, Name: "Secret", MembersHidden: true})
		}}, want: &directory.Memberships{Direct: direct, All: []string{"g-inner", "g-outer", "g-team"}, Unseen: []string{"g-secret"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture()
			zoe := f.req.Directory.Entries[0]
			zoe.Groups = []string{"Staff"}
			alice := f.person("alice")
			alice.e.Name, alice.e.Department, alice.e.Groups = "alice", "Kitchen", []string{"Inner", "Team"}
			group := func(id, name string, members ...string) {
				f.req.Directory.Groups = append(f.req.Directory.Groups, &directory.Entry{ObjectID: id, Kind: directory.SecurityGroup, Name: name, Members: members})
			}
			group("g-team", "Team", "another", alice.e.ObjectID)
			group("g-inner", "Inner", alice.e.ObjectID, "g-outer")
			group("g-outer", "Outer", "g-inner") // a circle
			group("g-lonely", "Lonely", zoe.ObjectID)
			for _, c := range row.change {
				c(f)
			}
			r := Decide(f.request())
			d := r.Find(alice.a.Address)
			if (d == nil) != row.nothing {
				t.Fatalf("%+v %v", d, r.Problems)
			}
			if d == nil {
				return
			}
			if !d.Destructive || !reflect.DeepEqual(d.Groups, row.want) {
				t.Errorf("destructive %v, groups %+v, want %+v", d.Destructive, d.Groups, row.want)
			}
		})
	}
}
