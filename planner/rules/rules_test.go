package rules

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write planner/RULES.md")

const page = "../RULES.md"

func TestTableIsWhole(t *testing.T) {
	for _, problem := range Check(All()) {
		t.Error(problem)
	}
	count := map[Treatment]int{}
	for _, r := range All() {
		count[r.As]++
	}
	t.Logf("%d rules: %v", len(All()), count)
}

// TestCheckCatches plants one mistake a row.
func TestCheckCatches(t *testing.T) {
	for name, row := range map[string]struct {
		plant func([]Rule) []Rule
		want  string
	}{
		"missing":            {func(all []Rule) []Rule { return slices.Delete(all, 30, 31) }, "R31 is missing"},
		"twice":              {func(all []Rule) []Rule { return slices.Insert(all, 5, all[4]) }, "R5: it stands twice"},
		"out of order":       {func(all []Rule) []Rule { all[3], all[4] = all[4], all[3]; return all }, "R4: it stands behind R5"},
		"no such rule":       {func(all []Rule) []Rule { all[66].Number = 68; return all }, "R68: there is no such rule"},
		"no text":            {func(all []Rule) []Rule { all[0].Text = ""; return all }, "R1: text or source"},
		"no source":          {func(all []Rule) []Rule { all[0].Sources = nil; return all }, "R1: text or source"},
		"no where":           {func(all []Rule) []Rule { all[0].Where = ""; return all }, "R1: what is enforced needs"},
		"no why":             {func(all []Rule) []Rule { all[2].Why = ""; return all }, "R3: what is not observable needs"},
		"no treatment":       {func(all []Rule) []Rule { all[0].As = "ignored"; return all }, `R1: "ignored"`},
		"silently forgotten": {func(all []Rule) []Rule { return all[:66] }, "R67 is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Check(row.plant(All()))
			if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, row.want) }) {
				t.Errorf("got %v, want %q", got, row.want)
			}
		})
	}
}

// TestUnpairedCatches plants a pair that is missing, one told apart another way, and one too many.
func TestUnpairedCatches(t *testing.T) {
	whole := func() map[int]Shown {
		out := map[int]Shown{}
		for _, r := range All() {
			if r.As != NotObservable {
				out[r.Number] = r.By
			}
		}
		return out
	}
	if got := Unpaired(All(), whole()); len(got) > 0 {
		t.Fatalf("complains about a whole table: %v", got)
	}
	for name, row := range map[string]struct {
		plant func(map[int]Shown)
		want  string
	}{
		"missing":     {func(m map[int]Shown) { delete(m, 31) }, "R31 has no pair of worlds"},
		"another way": {func(m map[int]Shown) { m[31] = ByDoctor }, "R31 is told apart by"},
		"too many":    {func(m map[int]Shown) { m[3] = ByPlan }, "R3 has a pair and is not observable"},
	} {
		m := whole()
		row.plant(m)
		if got := Unpaired(All(), m); len(got) != 1 || !strings.HasPrefix(got[0], row.want) {
			t.Errorf("%s: got %v, want %q", name, got, row.want)
		}
	}
}

func TestPageIsFresh(t *testing.T) {
	want := Page()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if problem := stale(string(have), want); problem != "" {
		t.Error(problem + "; write it with: go generate ./planner/rules")
	}
	if stale(strings.Replace(string(have), "| R31 |", "| R30 |", 1), want) == "" {
		t.Error("a stale page is not noticed")
	}
	if !strings.Contains(want, "| R67 |") || strings.Contains(want, "?") {
		t.Error("the page lacks a rule, or a source has no letter")
	}
}

func stale(have, want string) string {
	if strings.ReplaceAll(have, "\r\n", "\n") != want {
		return "planner/RULES.md is stale"
	}
	return ""
}
