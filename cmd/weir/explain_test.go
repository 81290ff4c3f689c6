package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/sim/world"
)

func init() { commands["object"] = cmdObject }

// cmdObject explains the directory object of an explanation that was printed as JSON, by its id in capitals.
func cmdObject(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, args, 1, "object FILE")
	var e struct {
		Directory struct {
			ObjectID string `json:"object_id"`
		} `json:"directory"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &e))
	cmdWeir(ts, neg, []string{"explain", strings.ToUpper(e.Directory.ObjectID)})
}

// explained is one line of weir explain --all --csv.
type explained struct{ action, mail, billed, why, source string }

// now and then are the two sides of a cell.
func sides(cell string) (now, then string) {
	now, then, found := strings.Cut(cell, " -> ")
	if !found {
		return cell, cell
	}
	return now, then
}

// explainAll reads weir explain --all --csv. Lines about aliases come under the alias.
func (s *site) explainAll() map[string]explained {
	s.t.Helper()
	rows, err := csv.NewReader(strings.NewReader(s.weir(0, "explain", "--all", "--csv"))).ReadAll()
	check(s.t, err)
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	out := map[string]explained{}
	for _, r := range rows[1:] {
		if _, twice := out[r[0]]; twice {
			s.t.Errorf("%s has two lines", r[0])
		}
		out[r[0]] = explained{r[column["action"]], r[column["mail"]], r[column["billed"]], r[column["why"]], r[column["source"]]}
	}
	return out
}

// decided is what a plan says of each account, in explain's words.
func (s *site) decided() (done, skipped map[string]string) {
	s.t.Helper()
	name := filepath.Join(s.t.TempDir(), "plan")
	s.run("plan", "--out", name)
	data, err := os.ReadFile(name)
	check(s.t, err)
	p, err := planner.ReadPlan(bytes.NewReader(data))
	check(s.t, err)
	done, skipped = map[string]string{}, map[string]string{}
	for _, part := range p.Parts {
		if part.Accounts == nil {
			continue
		}
		for _, d := range part.Accounts.Decisions {
			done[d.Address] = string(d.Action)
			if d.Held != "" {
				done[d.Address] = "held: " + string(d.Action)
			}
		}
		for _, k := range part.Accounts.Skips {
			skipped[k.Address] = k.Reasons[len(k.Reasons)-1].Text
		}
	}
	return done, skipped
}

// told compares what explain says of everybody with the plan, then applies and compares it with what became of them.
func (s *site) told(domain string, applied int) {
	s.t.Helper()
	lines := s.explainAll()
	done, skipped := s.decided()
	acts := []string{"add", "update", "rename", "convert", "protect", "disable", "enable", "delete"}
	for address, line := range lines {
		if line.source == "" {
			s.t.Errorf("%s: nothing says what decides", address)
		}
		action := strings.TrimPrefix(line.action, "held: ")
		if slices.Contains(acts, action) && done[address] != line.action {
			s.t.Errorf("%s: explain says %q, the plan %q", address, line.action, done[address])
		}
		if why, is := skipped[address]; is && line.action != "unchanged" && line.why != why {
			s.t.Errorf("%s: explain says %q, the plan %q", address, line.why, why)
		}
	}
	for address, action := range done {
		if lines[address].action != action {
			s.t.Errorf("%s: the plan says %q, explain %q", address, action, lines[address].action)
		}
	}
	was := s.standing(domain)
	s.weir(applied, "apply", "--auto-approve")
	is := s.standing(domain)
	for address, line := range lines {
		mail, mailThen := sides(line.mail)
		billed, billedThen := sides(line.billed)
		if got := mail + " " + billed; got != or(was[address], "no no") {
			s.t.Errorf("%s (%s): explain says mail and billed are now %s, and they are %s", address, line.action, got, was[address])
		}
		if got := mailThen + " " + billedThen; got != or(is[address], "no no") {
			s.t.Errorf("%s (%s): explain says mail and billed become %s, and they become %s", address, line.action, got, is[address])
		}
	}
	for address := range was {
		if _, alias := s.aliasOf(domain, address); lines[address].mail == "" && !alias {
			s.t.Errorf("nothing is said of %s", address)
		}
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// standing is, by every address of an organization, whether it receives and is billed.
func (s *site) standing(domain string) map[string]string {
	words := map[bool]string{true: "yes", false: "no"}
	out := map[string]string{}
	for _, u := range s.accounts(domain) {
		for _, a := range append([]string{u.PrimaryEmail}, u.Aliases...) {
			mail := words[u.IsActive]
			if u.IsActive && !strings.HasSuffix(strings.ToLower(a), "@"+domain) {
				mail = "not relayed"
			}
			out[strings.ToLower(a)] = mail + " " + words[u.IsActive && u.IsBillable && u.Type != "functional_account"]
		}
	}
	return out
}

func (s *site) aliasOf(domain, address string) (string, bool) {
	for _, u := range s.accounts(domain) {
		for _, a := range u.Aliases {
			if strings.EqualFold(a, address) {
				return u.PrimaryEmail, true
			}
		}
	}
	return "", false
}

// TestExplainTellsWhatHappens: over a whole tenant, what explain says of every address is what the plan says, what it says
// of today is so, and what it says of the next apply comes true: taking over, with blocks of every sort, and with removals
// that a limit holds.
func TestExplainTellsWhatHappens(t *testing.T) {
	t.Parallel()
	const domain = "customer-1.example"
	w, err := world.Generate(world.Spec{Tenants: 1, Users: 150, Groups: 8, Seed: 7, Onboarded: true})
	check(t, err)
	s := newSite(t, "scale", w)
	s.told(domain, 0)

	var people []string
	func() {
		w.RLock()
		defer w.RUnlock()
		for _, p := range w.Tenant(domain).People {
			if p.MailboxKind == "UserMailbox" && p.Enabled && p.Department != "Kitchen" {
				people = append(people, strings.ToLower(p.Mail))
			}
		}
	}()
	s.write("more.weir.hcl", fmt.Sprintf(`
account "scanner" {
  email   = "scanner@customer-1.example"
  type    = "functional_account"
  aliases = ["copier@customer-1.example"]
}

exemption "kept" {
  addresses = [%q]
  as        = "functional_account"
  reason    = "keeps receiving"
  owner     = "it@customer-1.example"
}
`, people[0]))
	edit := func(address, change string) any {
		return fmt.Sprintf(`{"tenant": %q, "person": %q, %s}`, domain, address, change)
	}
	s.portal(edit(people[1], `"set": {"enabled": false}`), edit(people[2], `"set": {"department": "Kitchen"}`), edit(people[3], `"remove": true`))
	s.told(domain, 0)

	s.rewrite("more.weir.hcl", `["copier@customer-1.example"]`, `["copier@customer-1.example", "fax@customer-1.example"]`)
	for _, address := range people[4:24] {
		s.portal(edit(address, `"remove": true`))
	}
	s.told(domain, 4)

	s.write("more.weir.hcl", "")
	s.told(domain, 4)
}
