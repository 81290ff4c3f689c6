package reference

import (
	"flag"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/providers/resource"
)

var update = flag.Bool("update", false, "write the reference pages")

// root is the repository's root, seen from this folder.
const root = "../../.."

// files are the configurations that examples are taken from, the first that has a block winning.
var files = []string{"examples/quickstart/main.weir.hcl", "cmd/internal/reference/example/main.weir.hcl"}

func examples(t *testing.T) Examples {
	t.Helper()
	out := Examples{}
	for _, name := range files {
		source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if err := out.Add(name, source); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func render(t *testing.T) map[string]string {
	t.Helper()
	pages, err := Pages(examples(t))
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// TestPagesAreFresh fails on a page that is missing, stale or left over from a type that is gone.
func TestPagesAreFresh(t *testing.T) {
	pages := render(t)
	if *update {
		for name, text := range pages {
			file := filepath.Join(root, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, problem := range compare(os.DirFS(root), pages) {
		t.Error(problem + "; write the pages with: go generate ./cmd/internal/reference")
	}
}

// compare says what differs between the pages and the files.
func compare(repository fs.FS, pages map[string]string) []string {
	var out []string
	folders := map[string]bool{}
	for name, want := range pages {
		if name != Index {
			folders[path.Dir(name)] = true
		}
		switch have, err := fs.ReadFile(repository, name); {
		case err != nil:
			out = append(out, name+" is missing: "+err.Error())
		case strings.ReplaceAll(string(have), "\r\n", "\n") != want:
			out = append(out, name+" is stale")
		}
	}
	for folder := range folders {
		entries, _ := fs.ReadDir(repository, folder) // a folder that is missing is reported by its pages
		for _, e := range entries {
			if name := path.Join(folder, e.Name()); pages[name] == "" {
				out = append(out, name+" describes nothing that exists: delete it")
			}
		}
	}
	slices.Sort(out)
	return out
}

// TestCompareFindsWhatIsWrong is the twin of TestPagesAreFresh: each fault is found.
func TestCompareFindsWhatIsWrong(t *testing.T) {
	pages := render(t)
	const page = "providers/essentials/reference/domain.md"
	for _, row := range []struct {
		name  string
		spoil func(dir string) error
		want  string
	}{
		{"nothing", func(string) error { return nil }, ""},
		{"stale", func(dir string) error { return os.WriteFile(filepath.Join(dir, page), []byte("old"), 0o644) }, page + " is stale"},
		{"missing", func(dir string) error { return os.Remove(filepath.Join(dir, page)) }, page + " is missing"},
		{"left over", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "providers/essentials/reference/gone.md"), []byte("x"), 0o644)
		}, "gone.md describes nothing"},
		{"windows line ends", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, page), []byte(strings.ReplaceAll(pages[page], "\n", "\r\n")), 0o644)
		}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range pages {
				file := filepath.Join(dir, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := row.spoil(dir); err != nil {
				t.Fatal(err)
			}
			got := compare(os.DirFS(dir), pages)
			if row.want == "" && len(got) > 0 || row.want != "" && (len(got) != 1 || !strings.Contains(got[0], row.want)) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// TestEveryRowIsOnItsPage holds the pages against the tables: no row is lost on the way, at any depth.
func TestEveryRowIsOnItsPage(t *testing.T) {
	pages := render(t)
	for _, s := range sections() {
		for _, ty := range s.types {
			checkRows(t, pages[s.path(ty.Name)], ty.Attributes)
		}
		for _, d := range s.data {
			checkRows(t, pages[s.path("data_"+d.Name)], d.Attributes)
		}
	}
	for kind, table := range config.ProviderTables {
		found := false
		for _, s := range sections() {
			if s.provider == kind {
				found = true
				checkRows(t, pages[s.path("provider")], table)
			}
		}
		if !found {
			t.Errorf("provider %s has no page", kind)
		}
	}
	checkRows(t, pages[safeguardPage], config.SafeguardTable)
}

func checkRows(t *testing.T, page string, table []resource.Attribute) {
	t.Helper()
	resource.Walk(table, func(dotted string, a *resource.Attribute) {
		name := dotted
		if a.Argument() {
			name = a.Name
		}
		if !strings.Contains(page, "\n| `"+name+"` |") {
			t.Errorf("%s is not on its page", dotted)
		}
		for _, text := range []string{a.Description, a.Label, a.Source, a.Permission} {
			if !strings.Contains(page, prose(strings.TrimSuffix(text, "."))) {
				t.Errorf("%s: the page lacks %q", dotted, text)
			}
		}
		if a.Normalize != nil && !strings.Contains(page, prose(a.Normalize.Source)) {
			t.Errorf("%s: the page lacks the source of %q", dotted, a.Normalize.Name)
		}
	})
}

// TestTypesThatNoFunctionExplainsSayHowTheyAreRecognised: behaviour has no name that could be printed.
func TestTypesThatNoFunctionExplainsSayHowTheyAreRecognised(t *testing.T) {
	for _, ty := range providers.Builtin().Types() {
		if (ty.Match != nil || ty.Project != nil) != (ty.Adoption != "") {
			t.Errorf("%s: Adoption is %q", ty.Name, ty.Adoption)
		}
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	pages := render(t)
	link := regexp.MustCompile(`\]\(([^)#]*)(?:#([^)]*))?\)`)
	n := 0
	for name, text := range pages {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			n++
			target := name
			if m[1] != "" {
				target = path.Join(path.Dir(name), m[1])
			}
			if pages[target] == "" {
				t.Errorf("%s links to %s, which is no page", name, target)
			}
			if m[2] != "" && !slices.Contains(anchors(pages[target]), m[2]) {
				t.Errorf("%s links to %s#%s, which is no heading of it", name, target, m[2])
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d links were found", n)
	}
}

// anchors are the headings as they are linked to.
func anchors(text string) []string {
	var out []string
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "#") {
			heading := strings.ToLower(strings.TrimLeft(line, "# "))
			out = append(out, strings.ReplaceAll(strings.NewReplacer("`", "", ".", "").Replace(heading), " ", "-"))
		}
	}
	return out
}

func TestExamplesAreValid(t *testing.T) {
	for _, name := range files {
		graph, diags := config.Load(os.DirFS(root), path.Dir(name), providers.Builtin())
		if !diags.HasErrors() {
			diags = append(diags, graph.Validate()...)
		}
		if diags.HasErrors() {
			t.Errorf("%s: %s", name, diags)
		}
	}
}

// TestTenantMetaIsMeta: an argument that joins the attribute table must leave the list of those outside it.
func TestTenantMetaIsMeta(t *testing.T) {
	table := providers.Builtin().Type("tenant").Attributes
	for _, a := range tenantMeta {
		if resource.Find(table, a.Name) != nil {
			t.Errorf("%s is in the table of tenant too", a.Name)
		}
	}
}

func TestAdd(t *testing.T) {
	const source = "# above\nsafeguard {\n  window = \"24h\" # why\n}\n\ndomain \"a\" {}\ndomain \"b\" {}\ndata \"directory\" \"x\" {}\nprovider \"essentials\" \"us1\" {}\n"
	e := Examples{}
	if err := e.Add("x.weir.hcl", []byte(source)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"safeguard": "safeguard {\n  window = \"24h\" # why\n}", "domain": "domain \"a\" {}\n\ndomain \"b\" {}",
		"data directory": `data "directory" "x" {}`, "provider essentials": `provider "essentials" "us1" {}`, "tenant": "",
	} {
		if e[name] != want {
			t.Errorf("%s: got %q, want %q", name, e[name], want)
		}
	}
	if err := e.Add("bad.weir.hcl", []byte("domain {")); err == nil || !strings.Contains(err.Error(), "bad.weir.hcl") {
		t.Errorf("a broken file: %v", err)
	}
	if _, err := Pages(e); err == nil || !strings.Contains(err.Error(), "no example shows a") {
		t.Errorf("pages without all examples: %v", err)
	}
}
