package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// Graph is a loaded configuration: the root module, every module it calls, and the types its blocks may have. It is
// immutable after Load and safe for concurrent use.
type Graph struct {
	fsys     fs.FS
	registry *resource.Registry
	root     *module
	types    typeSet

	files   map[string]*hcl.File
	sources map[string][]byte
	bodies  map[string][]hcl.Body // by folder

	// secretNames are the environment variables that a secret("env://…") of the configuration reads.
	secretNames map[string]bool
	secretURLs  []string

	refs refCache

	validated sync.Once
	invalid   hcl.Diagnostics
}

// maxModuleDepth is how deep module calls may nest.
const maxModuleDepth = 20

// Load reads the module in folder dir of fsys ("." for its root) and every local module it calls. Modules may lie
// anywhere in fsys. With errors among the diagnostics the Graph still holds the files, for WriteDiagnostics, but must
// not be evaluated.
func Load(fsys fs.FS, dir string, registry *resource.Registry) (*Graph, hcl.Diagnostics) {
	g := &Graph{
		fsys: fsys, registry: registry, types: newTypeSet(registry),
		files: map[string]*hcl.File{}, sources: map[string][]byte{}, bodies: map[string][]hcl.Body{},
		secretNames: map[string]bool{},
	}
	root, diags := g.loadModule(path.Clean(dir), nil, nil)
	g.root = root
	if root != nil && !diags.HasErrors() && len(g.bodies[root.dir]) == 0 {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "No configuration",
			Detail: fmt.Sprintf("The folder %q holds no file whose name ends in .weir.hcl or .weir.json.", root.dir),
		})
	}
	if diags.HasErrors() {
		g.invalid = diags
	}
	return g, diags
}

// Files are the parsed files by path, for WriteDiagnostics. The map must not be changed.
func (g *Graph) Files() map[string]*hcl.File { return g.files }

// Sources are the bytes of every module source file by path within the file system, as a plan file carries them.
func (g *Graph) Sources() map[string][]byte { return maps.Clone(g.sources) }

// Digest is the SHA-256 over the sources in order of path, each with its length, in hex.
func (g *Graph) Digest() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(g.sources)) {
		_, _ = fmt.Fprintf(h, "%d %s %d\n", len(name), name, len(g.sources[name]))
		_, _ = h.Write(g.sources[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

func isSource(name string) bool {
	return !strings.HasPrefix(name, ".") && (strings.HasSuffix(name, ".weir.hcl") || strings.HasSuffix(name, ".weir.json"))
}

// folder parses the configuration files of one folder, once.
func (g *Graph) folder(dir string, from *hcl.Range) ([]hcl.Body, hcl.Diagnostics) {
	if bodies, ok := g.bodies[dir]; ok {
		return bodies, nil
	}
	var diags hcl.Diagnostics
	entries, err := fs.ReadDir(g.fsys, dir)
	if err != nil {
		detail := fmt.Sprintf("The folder %q cannot be read: %s.", dir, cause(err))
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Module not found", Detail: detail, Subject: from}}
	}
	bodies := []hcl.Body{}
	for _, entry := range entries {
		if !isSource(entry.Name()) {
			continue
		}
		name := path.Join(dir, entry.Name())
		src, err := readRegular(g.fsys, name)
		if err != nil {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "File not readable", Detail: sentence(cause(err).Error()),
				Subject: &hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos},
			})
			continue
		}
		g.sources[name] = src
		file, more := parse(src, name)
		diags = append(diags, more...)
		if file == nil {
			file = &hcl.File{Bytes: src}
		}
		g.files[name] = file
		if !more.HasErrors() {
			g.noteSecrets(file.Body)
			bodies = append(bodies, file.Body)
		}
	}
	g.bodies[dir] = bodies
	return bodies, diags
}

// parse guards, parses and prepares one file.
func parse(src []byte, name string) (*hcl.File, hcl.Diagnostics) {
	if strings.HasSuffix(name, ".json") {
		if diags := guardJSON(src, name); diags.HasErrors() {
			return nil, diags
		}
		return json.Parse(src, name)
	}
	if diags := guardConfig(src, name); diags.HasErrors() {
		return nil, diags
	}
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if body, ok := file.Body.(*hclsyntax.Body); ok && !diags.HasErrors() {
		prepare(body)
	}
	return file, diags
}

// parseExpression guards, parses and prepares one expression.
func parseExpression(src []byte, name string) (hclsyntax.Expression, hcl.Diagnostics) {
	if diags := guardExpression(src, name); diags.HasErrors() {
		return nil, diags
	}
	expr, diags := hclsyntax.ParseExpression(src, name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	prepare(expr)
	return expr, diags
}

// noteSecrets finds the secret("…") calls with constant text, so that env() can refuse their names wherever it stands.
func (g *Graph) noteSecrets(b hcl.Body) {
	body, ok := b.(*hclsyntax.Body)
	if !ok {
		return
	}
	_ = hclsyntax.VisitAll(body, func(n hclsyntax.Node) hcl.Diagnostics {
		call, ok := n.(*hclsyntax.FunctionCallExpr)
		if !ok || call.Name != "secret" || len(call.Args) != 1 {
			return nil
		}
		v, diags := call.Args[0].Value(nil)
		if diags.HasErrors() || v.Type() != cty.String || !v.IsKnown() || v.IsNull() {
			return nil
		}
		g.noteSecret(v.AsString())
		return nil
	})
}

func (g *Graph) noteSecret(url string) {
	if !slices.Contains(g.secretURLs, url) {
		g.secretURLs = append(g.secretURLs, url)
	}
	if name, ok := strings.CutPrefix(url, "env://"); ok {
		g.secretNames[name] = true
	}
}

func (g *Graph) loadModule(dir string, parent *module, via *call) (*module, hcl.Diagnostics) {
	m := &module{
		g: g, dir: dir, parent: parent, call: via,
		variables: map[string]*variable{}, locals: map[string]*local{}, outputs: map[string]*output{},
		blocks: map[string]*block{}, calls: map[string]*call{}, providers: map[string]*providerBlock{},
	}
	var from *hcl.Range
	if parent != nil {
		m.path = append(slices.Clone(parent.path), via.name)
		from = via.sourceRange.Ptr()
		for p := parent; p != nil; p = p.parent {
			if p.dir == dir {
				return m, hcl.Diagnostics{{
					Severity: hcl.DiagError, Summary: "Module calls itself",
					Detail:  fmt.Sprintf("The module in %q is called from inside itself, which would never end.", dir),
					Subject: from,
				}}
			}
		}
		if len(m.path) > maxModuleDepth {
			return m, hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "Modules nested too deeply",
				Detail:  fmt.Sprintf("Module calls may nest %d deep.", maxModuleDepth),
				Subject: from,
			}}
		}
	}
	bodies, diags := g.folder(dir, from)
	if parent != nil && len(bodies) == 0 && !diags.HasErrors() {
		return m, append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Module not found",
			Detail:  fmt.Sprintf("The folder %q holds no file whose name ends in .weir.hcl or .weir.json.", dir),
			Subject: from,
		})
	}
	for _, b := range bodies {
		diags = append(diags, m.read(b)...)
	}
	for _, name := range slices.Sorted(maps.Keys(m.calls)) {
		c := m.calls[name]
		if c.dir == "" {
			continue
		}
		child, more := g.loadModule(c.dir, m, c)
		c.module = child
		diags = append(diags, more...)
		diags = append(diags, c.checkArguments()...)
	}
	return m, diags
}

// cause drops the operation and path that the caller names itself.
func cause(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// sentence makes an error text a sentence.
func sentence(s string) string {
	s = strings.TrimRight(strings.TrimSpace(s), ".")
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
