package reference

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/providers/entra"
	"github.com/weir-project/weir/providers/essentials"
	"github.com/weir-project/weir/providers/exchange"
	"github.com/weir-project/weir/providers/resource"
)

// Index is the path of the index, below the repository's root with slashes.
const Index = "providers/REFERENCE.md"

// safeguardPage describes the root's safeguard block, whose table belongs to config.
const safeguardPage = "config/reference/safeguard.md"

// section is the package of one vendor: its pages stand in providers/FOLDER/reference.
type section struct {
	folder, title string
	types         []*resource.Type
	data          []*resource.DataType
	// provider is the kind of provider block whose page stands here; "" when it stands with another section.
	provider string
}

func sections() []section {
	return []section{
		{folder: "essentials", title: "Proofpoint Essentials", types: essentials.Types(), provider: "essentials"},
		{folder: "entra", title: "Microsoft Entra", types: entra.Types(), data: entra.DataTypes(), provider: "microsoft"},
		{folder: "exchange", title: "Exchange Online", types: exchange.Types()},
	}
}

func (s section) path(name string) string {
	return path.Join("providers", s.folder, "reference", name+".md")
}

// Pages renders all pages, by path below the repository's root with slashes. An error names a type that no section has,
// or that has no example.
func Pages(examples Examples) (map[string]string, error) {
	registry := providers.Builtin()
	out := map[string]string{}
	known := map[string]bool{}
	put := func(path, example string, render func(example string) string) error {
		if examples[example] == "" {
			return fmt.Errorf("%s: no example shows a %s block", path, example)
		}
		out[path] = render(examples[example])
		return nil
	}
	for _, s := range sections() {
		if s.provider != "" {
			err := put(s.path("provider"), ExampleName("provider", s.provider), func(example string) string { return providerPage(s, example) })
			if err != nil {
				return nil, err
			}
		}
		for _, t := range s.types {
			known[t.Name] = true
			if err := put(s.path(t.Name), t.Name, func(example string) string { return typePage(t, example) }); err != nil {
				return nil, err
			}
		}
		for _, d := range s.data {
			known["data "+d.Name] = true
			if err := put(s.path("data_"+d.Name), ExampleName("data", d.Name), func(example string) string { return dataPage(d, example) }); err != nil {
				return nil, err
			}
		}
	}
	if err := put(safeguardPage, "safeguard", safeguardText); err != nil {
		return nil, err
	}
	for _, t := range registry.Types() {
		if !known[t.Name] {
			return nil, fmt.Errorf("resource type %s is in no section of the reference", t.Name)
		}
	}
	for _, d := range registry.DataTypes() {
		if !known["data "+d.Name] {
			return nil, fmt.Errorf("data source %s is in no section of the reference", d.Name)
		}
	}
	out[Index] = indexPage(registry)
	return out, nil
}

const generated = "<!-- Generated from the attribute table; change that and run: go generate ./cmd/internal/reference -->"

func newPage(title, purpose, example string) *page {
	p := &page{}
	p.text("%s", generated)
	p.text("# %s", title)
	p.text("%s", wrap(prose(sentence(purpose))))
	p.text("```hcl\n%s\n```", example)
	return p
}

func typePage(t *resource.Type, example string) string {
	p := newPage(code(t.Name), t.Purpose, example)
	p.line("## Arguments\n")
	p.text("%s", wrap("Arguments left out are not managed: not sent, not compared, never drift, unless a default is named. "+
		"Every block also takes the [arguments that all blocks have](../../REFERENCE.md#every-block)."))
	table := t.Attributes
	if t.Name == "tenant" {
		table = slices.Concat(tenantMeta, table)
	}
	arguments(p, "", table)
	computed(p, t.Name, t.Attributes)
	behaviour(p, t)
	facts(p, t.Attributes)
	return p.String()
}

func dataPage(d *resource.DataType, example string) string {
	p := newPage(code(`data "`+d.Name+`"`), d.Purpose, example)
	p.text("%s", wrap("It takes the [arguments that all blocks have](../../REFERENCE.md#every-block). When the read fails, everything that "+
		"depends on it is unknown: nothing is planned for it and nothing is removed."))
	if slices.ContainsFunc(d.Attributes, func(a resource.Attribute) bool { return a.Argument() }) {
		p.line("## Arguments\n")
		arguments(p, "", d.Attributes)
	}
	computed(p, "data."+d.Name, d.Attributes)
	facts(p, d.Attributes)
	return p.String()
}

func providerPage(s section, example string) string {
	p := newPage(code(`provider "`+s.provider+`"`), providerPurpose[s.provider], example)
	p.text("%s", wrap("Provider blocks stand in the root module only; one serves every tenant that names it, and the only one of its kind "+
		"serves those that name none. With --simulate none of the arguments is needed."))
	p.line("## Arguments\n")
	table := slices.Clone(config.ProviderTables[s.provider])
	for i := range table {
		table[i].WriteOnly = false // nothing of a provider block is kept, so there is no version to speak of
	}
	arguments(p, "", table)
	return p.String()
}

func safeguardText(example string) string {
	p := newPage(code("safeguard"), "The limits of all tenants, in the root module; the safeguard block of a sync_policy sets them for one", example)
	p.line("## Arguments\n")
	arguments(p, "", config.SafeguardTable)
	return p.String()
}

// arguments writes the table of what a block may write, and a section for each nested one.
func arguments(p *page, prefix string, table []resource.Attribute) {
	argumentsOf(p, prefix, table, false)
}

// argumentsOf is told whether the table is kept by Weir as a whole: then its rows need not say so.
func argumentsOf(p *page, prefix string, table []resource.Attribute, kept bool) {
	var rows [][]string
	for i := range table {
		a := &table[i]
		if !a.Argument() {
			continue
		}
		rows = append(rows, []string{code(a.Name), kind(prefix, a), need(a), prose(a.Label), meaning(a, kept)})
	}
	p.table([]string{"argument", "type", "", "in the portal", "what it says"}, rows)
	for i := range table {
		a := &table[i]
		if !a.Argument() || len(a.Nested) == 0 {
			continue
		}
		p.line("### %s\n", code(prefix+a.Name))
		argumentsOf(p, prefix+a.Name+".", a.Nested, kept || a.Local)
	}
}

// kind is the type of a row; nested ones link to their section.
func kind(prefix string, a *resource.Attribute) string {
	if len(a.Nested) == 0 {
		return typeName(a.Type)
	}
	word := "object"
	if a.Block {
		word = "block"
	}
	return "[" + word + "](#" + strings.ReplaceAll(prefix+a.Name, ".", "") + ")"
}

func need(a *resource.Attribute) string {
	if a.Required {
		return "**required**"
	}
	return "optional"
}

// meaning is everything that the table says of one argument.
func meaning(a *resource.Attribute, kept bool) string {
	parts := []string{prose(sentence(a.Description))}
	add := func(when bool, format string, args ...any) {
		if when {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(len(a.Enum) > 0, "One of %s.", codes(a.Enum))
	add(a.PatternHelp != "", "Written as %s.", prose(a.PatternHelp))
	add(unit(a) != "", "In %s.", unit(a))
	if a.Default != noDefault {
		add(true, "Default %s.", code(valueText(a.Default)))
	}
	add(a.Computed && a.Optional, "Filled in when left out.")
	add(a.Immutable, "Changing it replaces the object.")
	add(a.Fixed, "Cannot be changed.")
	add(a.WriteOnly, "Write-only: it is sent and never read back, and only a version of it is kept.")
	add(a.Sensitive && !a.WriteOnly, "Never shown.")
	add(a.Local && !kept, "*Kept by Weir.*")
	return strings.Join(parts, " ")
}

// unit is the unit of a row, unless its description names it.
func unit(a *resource.Attribute) string {
	if strings.Contains(strings.ToLower(a.Description), a.Unit) {
		return ""
	}
	return prose(a.Unit)
}

// computed writes what Weir fills in, with dotted paths.
func computed(p *page, address string, table []resource.Attribute) {
	var rows [][]string
	resource.Walk(table, func(path string, a *resource.Attribute) {
		if a.Argument() {
			return
		}
		text := prose(sentence(a.Description))
		if a.Sensitive {
			text += " Never shown."
		}
		if unit(a) != "" {
			text += " In " + unit(a) + "."
		}
		rows = append(rows, []string{code(path), typeName(a.Type), prose(a.Label), text})
	})
	if len(rows) == 0 {
		return
	}
	p.line("## Attributes that Weir fills in\n")
	p.text("Other blocks read them as `%s.NAME.ATTRIBUTE`.", address)
	p.table([]string{"attribute", "type", "in the portal", "what it says"}, rows)
}

// behaviour says how objects are found, ordered, protected and taken down.
func behaviour(p *page, t *resource.Type) {
	items := []string{adoption(t)}
	add := func(when bool, format string, args ...any) {
		if when {
			items = append(items, fmt.Sprintf(format, args...))
		}
	}
	add(t.Undeletable, "When the block goes, the object is released: it stays as it is and Weir forgets it. The vendor has no delete, or none that Weir calls.")
	add(!t.Undeletable, "When the block goes, an object that Weir made is deleted, under the guards; one that it adopted is released: it stays as it is and Weir forgets it.")
	if t.ProtectByDefault != nil {
		items = append(items, protection(t))
	}
	add(t.Guard != nil, "A change that could stop mail is held, with its reason, until the reason is gone.")
	add(t.Serial, "Changes are made one after another, since the vendor cannot take two at once.")
	add(t.Settle > 0, "For %s after a change the vendor may still show the previous value; that is a wait, not drift.", span(t.Settle))
	if len(t.After) > 0 {
		add(true, "In a tenant it is applied after %s, and taken down before them.", codes(t.After))
	}
	p.line("## How it behaves\n")
	for i := range items {
		items[i] = wrapItem(items[i])
	}
	p.list(items)
}

// facts writes normalisers, permissions and sources, each with the attributes that it is about.
func facts(p *page, table []resource.Attribute) {
	normalizers, permissions, sources := groups{}, groups{}, groups{}
	resource.Walk(table, func(path string, a *resource.Attribute) {
		if a.Normalize != nil {
			normalizers.add(a.Normalize.Name+"\x00"+a.Normalize.Source, path)
		}
		permissions.add(a.Permission, path)
		sources.add(a.Source, path)
	})
	if len(normalizers.keys) > 0 {
		p.line("## Spellings that count as equal\n")
		p.table([]string{"compared as", "attributes", "source"}, normalizers.rows(func(key string) []string {
			name, source, _ := strings.Cut(key, "\x00")
			return []string{prose(name), prose(source)}
		}))
	}
	if len(permissions.keys) > 0 {
		p.line("## Permissions\n")
		p.table([]string{"permission", "attributes"}, permissions.rows(func(key string) []string { return []string{prose(key)} }))
	}
	if len(sources.keys) > 0 {
		p.line("## Sources\n")
		p.table([]string{"source", "attributes"}, sources.rows(func(key string) []string { return []string{prose(key)} }))
	}
}

// groups gathers attribute paths under a key, in order of first appearance.
type groups struct {
	keys  []string
	paths map[string][]string
}

func (g *groups) add(key, path string) {
	if key == "" {
		return
	}
	if g.paths == nil {
		g.paths = map[string][]string{}
	}
	if g.paths[key] == nil {
		g.keys = append(g.keys, key)
	}
	g.paths[key] = append(g.paths[key], path)
}

// rows puts the attributes into the second column.
func (g *groups) rows(cells func(key string) []string) [][]string {
	var out [][]string
	for _, key := range g.keys {
		c := cells(key)
		out = append(out, slices.Concat(c[:1], []string{codes(g.paths[key])}, c[1:]))
	}
	return out
}

// indexPage lists the pages and says what all blocks have in common.
func indexPage(registry *resource.Registry) string {
	p := &page{}
	p.text("%s", generated)
	p.text("# Reference")
	p.text("%s", wrap("What each block may say, how existing objects come under management, which spellings count as equal, and where each fact "+
		"about a vendor comes from. The pages are generated from the attribute tables that the program itself works with."))
	link := func(name, target string) string { return "[" + code(name) + "](" + target + ")" }
	for _, s := range sections() {
		p.line("## %s\n", s.title)
		var rows [][]string
		here := func(name string) string { return path.Join(s.folder, "reference", name+".md") }
		if s.provider != "" {
			rows = append(rows, []string{link(`provider "`+s.provider+`"`, here("provider")), prose(sentence(providerPurpose[s.provider]))})
		}
		for _, t := range s.types {
			rows = append(rows, []string{link(t.Name, here(t.Name)), prose(sentence(t.Purpose))})
		}
		for _, d := range s.data {
			rows = append(rows, []string{link(`data "`+d.Name+`"`, here("data_"+d.Name)), prose(sentence(d.Purpose))})
		}
		p.table([]string{"block", "is"}, rows)
	}
	p.text("The limits of all tenants stand in the root's %s block.", link("safeguard", "../"+safeguardPage))

	p.line("## Every block\n")
	var rows [][]string
	for i := range blockMeta {
		a := &blockMeta[i]
		rows = append(rows, []string{code(a.Name), prose(sentence(a.Description))})
	}
	p.table([]string{"argument", "what it says"}, rows)
	p.text("%s", wrap("In a tenant, objects that no reference connects are applied in this order, and taken down in the reverse one: "+
		strings.Join(names(registry), ", ")+". Accounts that a policy derives from the directory come between the declared accounts and the connectors."))

	p.line("## Words\n")
	p.list([]string{
		wrapItem("*Kept by Weir*: the argument steers Weir and is remembered in state; the vendor's value is not compared with it, and it never drifts."),
		wrapItem("A *secret* is a reference, `secret(\"env://NAME\")` or `secret(\"file:///path\")`; its value reaches no state, plan, log or report."),
		wrapItem("A *predicate* is a condition over `entry`, one object of the directory: `entry.department != \"Kitchen\"`."),
		wrapItem("*Inferred* in a source says that no public page states the fact; *seen in clients*, that published programs rely on it."),
		wrapItem("Numbers such as R35 name the vendors' rules that Weir keeps; plans and errors show the same numbers."),
	})
	return strings.TrimRight(p.String(), "\n") + "\n"
}

func names(registry *resource.Registry) []string {
	var out []string
	for _, t := range registry.Types() {
		out = append(out, code(t.Name))
	}
	return out
}
