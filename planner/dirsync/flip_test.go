package dirsync

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weir-project/weir/providers/directory"
)

// inGroups is a condition over the groups of an entry.
func inGroups(name string) directory.Predicate {
	return predicate{`contains(entry.groups, "` + name + `")`, func(e *directory.Entry) (bool, error) { return slices.Contains(e.Groups, name), nil }}
}

// group adds a group without a mail address, and tells its members of it.
func (f *fixture) group(name string, members ...*directory.Entry) *directory.Entry {
	g := &directory.Entry{ObjectID: "g-" + strings.ToLower(name), Kind: directory.SecurityGroup, Name: name}
	for _, m := range members {
		g.Members = append(g.Members, m.ObjectID)
		m.Groups = append(m.Groups, name)
	}
	f.req.Directory.Groups = append(f.req.Directory.Groups, g)
	return g
}

var (
	outOfGroup   = regexp.MustCompile(`^take it out of the groups? (.*)$`)
	intoGroup    = regexp.MustCompile(`^add it to the group (.*)$`)
	otherAddress = regexp.MustCompile(`^give the .* (\S+) another address in the directory, and do not keep this one as alias$`)
	takeBack     = regexp.MustCompile(`^take back that (.*) (?:is|are) left out$`)
)

// perform does what the text of a change says and nothing else, as somebody would who has only read it. false: it is of a
// sort that this does not know.
func perform(req Request, id, text string) (Request, bool) {
	d := *req.Directory
	d.Entries, d.Groups = slices.Clone(d.Entries), slices.Clone(d.Groups)
	edit := func(list []*directory.Entry, which func(*directory.Entry) bool, change func(*directory.Entry)) {
		for i, e := range list {
			if which(e) {
				n := *e
				n.Members, n.Groups, n.Aliases = slices.Clone(e.Members), slices.Clone(e.Groups), slices.Clone(e.Aliases)
				change(&n)
				list[i] = &n
			}
		}
	}
	is := func(e *directory.Entry) bool { return e.ObjectID == id }
	member := func(name string, in bool) {
		for _, list := range [][]*directory.Entry{d.Entries, d.Groups} {
			edit(list, func(g *directory.Entry) bool { return g.Kind.IsGroup() && g.Name == name }, func(g *directory.Entry) {
				g.Members = slices.DeleteFunc(g.Members, func(m string) bool { return m == id })
				if in {
					g.Members = append(g.Members, id)
				}
			})
			edit(list, is, func(e *directory.Entry) {
				e.Groups = slices.DeleteFunc(e.Groups, func(g string) bool { return g == name })
				if in {
					e.Groups = append(e.Groups, name)
					slices.Sort(e.Groups)
				}
			})
		}
	}
	req.Directory = &d
	switch {
	case outOfGroup.MatchString(text):
		for _, q := range quotedText.FindAllString(text, -1) {
			member(strings.Trim(q, `"`), false)
		}
	case intoGroup.MatchString(text):
		member(strings.Trim(intoGroup.FindStringSubmatch(text)[1], `"`), true)
	case otherAddress.MatchString(text):
		other := otherAddress.FindStringSubmatch(text)[1]
		edit(d.Entries, func(e *directory.Entry) bool { return e.ObjectID == other }, func(e *directory.Entry) { e.Address = "quite.another@c.com" })
	case takeBack.MatchString(text):
		said := strings.FieldsFunc(takeBack.FindStringSubmatch(text)[1], func(r rune) bool { return r == ' ' || r == ',' })
		skips := req.Skips
		req.Skips = nil
		for x, until := range skips {
			if !slices.Contains(said, x) {
				if req.Skips == nil {
					req.Skips = map[string]time.Time{}
				}
				req.Skips[x] = until
			}
		}
	case text == "delete it in the directory":
		d.Entries = slices.DeleteFunc(d.Entries, is)
		for _, list := range [][]*directory.Entry{d.Entries, d.Groups} {
			edit(list, func(*directory.Entry) bool { return true }, func(g *directory.Entry) {
				g.Members = slices.DeleteFunc(g.Members, func(m string) bool { return m == id })
			})
		}
	default:
		return req, false
	}
	sortReadings(&req)
	return req, true
}

// checkPerformed does what a flip says, and sees what comes of it. It reports whether it could.
func checkPerformed(t tester, req Request, address string, f Flip) bool {
	t.Helper()
	id := ""
	if cases := Explain(req).Find(address); len(cases) > 0 {
		id = (&changes{Case: cases[0]}).objectID()
	}
	then := req
	var texts []string
	for _, c := range f.Changes {
		var ok bool
		if then, ok = perform(then, id, c.Text); !ok {
			return false
		}
		texts = append(texts, c.Text)
	}
	if is := model(carryOut(t, then, Decide(then)).Accounts.Accounts, address); is != told(f.After) {
		t.Errorf("%s: %q is told to make it %q, and makes it %q", address, texts, told(f.After), is)
	}
	return true
}

// flipRows are tenants in which a change that is told could mean more, or less, than what it says.
var flipRows = []struct {
	name, address string
	with          func(*fixture)
	// want are beginnings of texts of flips that must be told, not of those that must not.
	want, not []string
}{
	{name: "left out under two addresses", address: "ann@c.com", want: []string{"take back that ann@c.com, annie@c.com are left out"}, with: func(f *fixture) {
		p := f.person("ann", "annie")
		p.e.Enabled = false
		f.req.Skips["ann@c.com"], f.req.Skips["annie@c.com"] = now, now
	}},
	{name: "in the groups of two exemptions", address: "ann@c.com", not: []string{`take it out of the group "A"`, `take it out of the group "B"`}, with: func(f *fixture) {
		p := f.person("ann")
		p.e.Enabled = false
		f.group("A", p.e)
		f.group("B", p.e)
		f.exempt(AsUnchanged).Groups = []string{"A"}
		f.exempt(AsUnchanged).Groups = []string{"B"}
	}},
	{name: "in a group within the group of an exemption", address: "ann@c.com", want: []string{`take it out of the group "Inner"`}, with: func(f *fixture) {
		p := f.person("ann")
		p.e.Enabled = false
		inner := f.group("Inner", p.e)
		f.group("Outer", inner)
		f.exempt(AsUnchanged).Groups = []string{"Outer"}
	}},
	{name: "the group that exempts is the one that lets in", address: "ann@c.com", with: func(f *fixture) {
		p := f.person("ann")
		f.group("Staff", p.e)
		f.req.Policy.Include, f.req.Policy.OutOfScope = inGroups("Staff"), AsRemove
		f.exempt(AsUnchanged).Groups = []string{"Staff"}
	}, want: []string{`take it out of the group "Staff"`}},
	{name: "added to a group that is exempt", address: "ann@c.com", with: func(f *fixture) {
		f.entry("ann", directory.User)
		f.group("Staff")
		f.req.Policy.Include = inGroups("Staff")
		f.exempt(AsUnchanged).Groups = []string{"Staff"}
	}, not: []string{`add it to the group "Staff"`}},
	{name: "two objects with one address", address: "ann@c.com", with: func(f *fixture) {
		f.person("ann")
		e := f.entry("other", directory.SharedMailbox)
		e.Address = "ann@c.com"
		f.req.Policy.SharedMailboxes = AsUser
	}},
	{name: "two new objects with one address", address: "ann@c.com", with: func(f *fixture) {
		f.entry("ann", directory.User)
		e := f.entry("other", directory.SharedMailbox)
		e.Address = "ann@c.com"
	}, want: []string{"give the "}},
	{name: "a newcomer has the address of somebody with an account", address: "ann@c.com", with: func(f *fixture) {
		p := f.person("ann")
		p.e.ObjectID, p.k.ObjectID = "o-z", "o-z"
		e := f.entry("young", directory.SharedMailbox)
		e.Address, e.ObjectID = "ann@c.com", "o-a"
	}, want: []string{"give the user o-z another address"}},
	{name: "a leaver whose id a group still has", address: "ann@c.com", with: func(f *fixture) {
		p := f.person("ann")
		f.group("Staff", p.e)
		f.exempt(AsUnchanged).Groups = []string{"Staff"}
	}, want: []string{"delete it in the directory"}},
	{name: "the window passes", address: "ann@c.com", with: func(f *fixture) {
		f.leaver("ann")
		f.req.Policy.Safeguard.MaxRemovals = 2
		f.req.Window = []Removal{{"one@c.com", now.Add(-20 * time.Hour)}, {"two@c.com", now.Add(-10 * time.Hour)}, {"two@c.com", now.Add(-30 * time.Hour)}}
	}, want: []string{"wait until 2026-11-21 16:00"}},
	{name: "the window does not help", address: "ann@c.com", with: func(f *fixture) {
		f.leaver("ann")
		f.leaver("bea")
		f.req.Policy.Safeguard.MaxRemovals = 1
		f.req.Window = []Removal{{"one@c.com", now.Add(-20 * time.Hour)}}
	}, not: []string{"wait until"}, want: []string{"let these 2 removals pass"}},
	{name: "an account whose alias is asked for", address: "annie@c.com", with: func(f *fixture) {
		f.account("ann", directory.EndUser, "annie")
		f.req.Policy.Strays, f.req.Policy.Gone = AsAdopt, AsDisable
	}, want: []string{"make a user with the address ann@c.com in the directory"}},
	{name: "an exemption that was applied", address: "ann@c.com", with: func(f *fixture) {
		p := f.person("ann")
		p.e.Enabled = false
		f.exempt(AsUnchanged, "ann@c.com").Where = "main.weir.hcl:3"
		f.req.Protections = append(f.req.Protections, f.req.Protections[0])
		f.req.Protections[1].Where = ""
	}, want: []string{"remove exemption.e0, which names nobody else, and apply twice"}},
	{name: "an exemption that is not applied yet", address: "ann@c.com", with: func(f *fixture) {
		p := f.person("ann")
		p.e.Enabled = false
		f.exempt(AsUnchanged, "ann@c.com").Where = "main.weir.hcl:3"
	}, want: []string{"remove exemption.e0, which names nobody else"}, not: []string{"remove exemption.e0, which names nobody else, and apply twice"}},
	{name: "an exemption whose block is gone", address: "ann@c.com", with: func(f *fixture) {
		p := f.person("ann")
		p.e.Enabled = false
		f.exempt(AsUnchanged, "ann@c.com")
	}, want: []string{"apply twice: exemption.e0 stands in no file any more"}, not: []string{"remove exemption.e0"}},
	{name: "declared, and not there yet", address: "ann@c.com", with: func(f *fixture) { f.req.Declared["ann@c.com"] = true }, not: []string{"declare an account"}},
	{name: "a label that is taken", address: "ann@c.com", with: func(f *fixture) {
		f.entry("ann", directory.User)
		f.req.Protections = []Protection{{Source: "exemption.ann", Addresses: []string{"ann@c.org"}}}
	}},
}

// TestPastedExemptionHasItsOwnName: two blocks of one name are an error.
func TestPastedExemptionHasItsOwnName(t *testing.T) {
	f := newFixture()
	f.entry("ann", directory.User)
	f.req.Protections = []Protection{{Source: "exemption.ann", Addresses: []string{"ann@c.org"}}}
	for _, want := range []string{`exemption "ann_c_com" {`, `exemption "ann_2" {`} {
		flips, _ := Explain(f.request()).Flips("ann@c.com", 400)
		i := slices.IndexFunc(flips, func(f Flip) bool { return strings.HasPrefix(f.Changes[0].Text, "exempt it") })
		if i < 0 || !strings.HasPrefix(flips[i].Changes[0].Paste, want) {
			t.Errorf("no %s in %s", want, flipTexts(flips))
		}
		f.req.Protections = append(f.req.Protections, Protection{Source: "exemption.ann_c_com", Addresses: []string{"ann@c.com.example"}})
	}
}

func TestFlipsDoWhatTheySay(t *testing.T) {
	for _, row := range flipRows {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture()
			row.with(f)
			req := f.request()
			flips, _ := Explain(req).Flips(row.address, 400)
			starts := func(text string) bool {
				return slices.ContainsFunc(flips, func(f Flip) bool { return len(f.Changes) == 1 && strings.HasPrefix(f.Changes[0].Text, text) })
			}
			for _, text := range row.want {
				if !starts(text) {
					t.Errorf("not told: %s; told are %s", text, flipTexts(flips))
				}
			}
			for _, text := range row.not {
				if starts(text) {
					t.Errorf("told: %s", text)
				}
			}
			for _, flip := range flips {
				checkPerformed(t, req, row.address, flip)
				checkFlip(t, req, row.address, flip)
			}
		})
	}
}

func flipTexts(flips []Flip) string {
	var out []string
	for _, f := range flips {
		var texts []string
		for _, c := range f.Changes {
			texts = append(texts, c.Text)
		}
		out = append(out, strings.Join(texts, " AND ")+" -> "+told(f.After))
	}
	return strings.Join(out, "; ")
}

// TestFlipsOfDrawnGroupsDoWhatTheySay: in drawn tenants whose rules ask for groups, every flip that a person can carry out
// from its words alone does what it says.
func TestFlipsOfDrawnGroupsDoWhatTheySay(t *testing.T) {
	performed := 0
	rapid.Check(t, func(t *rapid.T) {
		req := drawRequest(t)
		names := []string{"A", "B", "C"}
		for _, name := range names {
			g := &directory.Entry{ObjectID: "g-" + strings.ToLower(name), Kind: directory.SecurityGroup, Name: name}
			for _, e := range req.Directory.Entries {
				if e.ObjectID != "" && rapid.IntRange(0, 2).Draw(t, "member of "+name) == 0 {
					g.Members = append(g.Members, e.ObjectID)
					e.Groups = append(e.Groups, name)
				}
			}
			if name != "A" && rapid.IntRange(0, 3).Draw(t, name+" in A") == 0 {
				req.Directory.Groups[0].Members = append(req.Directory.Groups[0].Members, g.ObjectID)
			}
			req.Directory.Groups = append(req.Directory.Groups, g)
		}
		for _, name := range names[:2] {
			if rapid.Bool().Draw(t, "exempt "+name) {
				req.Protections = append(req.Protections, Protection{Source: "exemption." + name, Groups: []string{name}, As: rapid.SampledFrom([]string{AsUnchanged, AsFunctional}).Draw(t, "as "+name)})
			}
		}
		if rapid.Bool().Draw(t, "include by group") {
			req.Policy.Include = inGroups(rapid.SampledFrom(names).Draw(t, "which"))
		}
		tr := Explain(req)
		t.Log(dump(req, tr.Result))
		for _, address := range tr.Addresses() {
			flips, _ := tr.Flips(address, 100)
			for _, f := range flips {
				checkFlip(t, req, address, f)
				if checkPerformed(t, req, address, f) {
					performed++
				}
			}
		}
	})
	if performed < 15 {
		t.Errorf("only %d flips were carried out", performed)
	}
}
