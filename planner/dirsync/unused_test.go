package dirsync

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weir-project/weir/providers/directory"
)

func TestUnusedRulesAreNoted(t *testing.T) {
	const here = "main.weir.hcl:7"
	stand := func(p *Protection) *Protection {
		p.Where = here
		return p
	}
	is := func(department string) directory.Predicate {
		return predicate{fmt.Sprintf("entry.department == %q", department), func(e *directory.Entry) (bool, error) { return e.Department == department, nil }}
	}
	for _, row := range []struct {
		name string
		with func(f *fixture)
		want string
		// twin makes the rule meet somebody; then nothing is said.
		twin func(f *fixture)
	}{
		{"an address", func(f *fixture) { stand(f.exempt(AsUnchanged, "ghost@c.com", "zoe@c.com")) },
			"exemption.e0 (" + here + ") names ghost@c.com, which nobody has.",
			func(f *fixture) { f.entry("ghost", directory.Contact) }},
		{"an address that only an account has", func(f *fixture) { stand(f.exempt(AsUnchanged, "ghost@c.com")) }, "names ghost@c.com",
			func(f *fixture) { f.account("old", directory.FunctionalAccount, "ghost") }},
		{"a pattern", func(f *fixture) { stand(f.exempt(AsUnchanged)).Patterns = patterns("svc-*@c.com") },
			"exemption.e0 (" + here + ") has the pattern svc-*@c.com, which no address matches.",
			func(f *fixture) { f.entry("x", directory.User, "svc-x") }},
		{"a predicate", func(f *fixture) { stand(f.exempt(AsUnchanged)).When = is("Board") },
			`exemption.e0 (` + here + `) says when = entry.department == "Board", which is true for nobody.`,
			func(f *fixture) { f.entry("x", directory.User).Department = "Board" }},
		{"include", func(f *fixture) { f.req.Policy.Include, f.req.Policy.Where = is("Board"), here },
			policyAddress + ` (` + here + `) says include = entry.department == "Board", which is true for nobody.`,
			func(f *fixture) { f.entry("x", directory.User).Department = "Board" }},
		{"an empty group", func(f *fixture) {
			p := stand(f.exempt(AsUnchanged))
			p.Groups, p.Last = []string{"vip Test"}, []string{}
			f.req.Directory.Groups = append(f.req.Directory.Groups, &directory.Entry{ObjectID: "g", Kind: directory.SecurityGroup, Name: "vip Test"})
		}, `exemption.e0 (` + here + `) names the group "vip Test", which adds nobody.`,
			func(f *fixture) { f.req.Directory.Groups[0].Members = []string{"o-zoe"} }},
		{"a protected address", func(f *fixture) { f.req.Policy.Safeguard.Protected = []string{"ceo@c.com"} },
			policyAddress + ": safeguard.protected names ceo@c.com, which nobody has.",
			func(f *fixture) { f.person("ceo") }},
		{"a skip", func(f *fixture) { f.req.Skips["ghost@c.com"] = now.Add(dayLong) }, "A person left ghost@c.com out, which nobody has any more.",
			func(f *fixture) { f.person("ghost") }},
		{"an allowance", func(f *fixture) {
			leavers(f, 2)
			f.req.Policy.Safeguard.Allow = &Allow{Removals: 2, Reason: "x"}
		}, "safeguard.allow lets 2 removals pass, and nothing needs it",
			func(f *fixture) { f.req.Policy.Safeguard.MaxRemovals = 1 }},
	} {
		t.Run(row.name, func(t *testing.T) {
			said := func(with ...func(f *fixture)) bool {
				res := decide(func(f *fixture) {
					for _, w := range with {
						w(f)
					}
				})
				return strings.Contains(strings.Join(res.Notes, "\n"), row.want)
			}
			if !said(row.with) {
				t.Errorf("not said: %q", row.want)
			}
			if said(row.with, row.twin) {
				t.Errorf("said although it meets somebody: %q", row.want)
			}
			// After an incomplete read nothing is known to be unused.
			for name, harm := range map[string]func(f *fixture){
				"directory": func(f *fixture) { f.req.Directory.Proof.Complete = false },
				"accounts":  func(f *fixture) { f.req.Accounts.Proof.Complete = false },
				"Exchange":  func(f *fixture) { f.req.Directory.KindsErr = errTest },
			} {
				if said(row.with, harm) {
					t.Errorf("said although the read of %s is not complete", name)
				}
			}
		})
	}
	t.Run("what stands in no file", func(t *testing.T) {
		if res := decide(func(f *fixture) { f.exempt(AsUnchanged, "ghost@c.com") }); len(res.Notes) > 0 {
			t.Errorf("notes %q", res.Notes)
		}
	})
	t.Run("a person who was renamed is followed", func(t *testing.T) {
		res := decide(func(f *fixture) {
			p := f.person("alice")
			x := stand(f.exempt(AsUnchanged, "former@c.com"))
			x.UIDs, x.ObjectIDs = []int{p.a.UID}, []string{p.e.ObjectID}
		})
		if len(res.Notes) > 0 {
			t.Errorf("notes %q", res.Notes)
		}
	})
	t.Run("many are not all named", func(t *testing.T) {
		var ghosts []string
		for i := range 30 {
			ghosts = append(ghosts, fmt.Sprintf("ghost%02d@c.com", i))
		}
		res := decide(func(f *fixture) { stand(f.exempt(AsUnchanged, ghosts...)) })
		if !slices.ContainsFunc(res.Notes, func(s string) bool { return strings.Contains(s, "ghost09@c.com and 20 more") }) {
			t.Errorf("notes %q", res.Notes)
		}
	})
}
