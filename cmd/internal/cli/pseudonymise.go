package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/resource"
)

// pseudonymise replaces what the recording says of people, and writes the configuration that goes with it.
func (w *workspace) pseudonymise(r *planner.Recording, o recordOptions) (*planner.Recording, error) {
	key := make([]byte, 32)
	if _, err := io.ReadFull(w.app.Random, key); err != nil {
		return nil, fmt.Errorf("no random key: %w", err)
	}
	p := planner.NewPseudonyms(key)
	out := p.Recording(r)
	if o.configuration == "" {
		return out, nil
	}
	root := w.app.path(o.configuration)
	if _, err := os.Lstat(root); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("--configuration %s: it is there already; name a new folder", o.configuration)
	}
	sources := w.sources()
	words := vocabulary(w.registry)
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, fmt.Errorf("%s is outside the configuration's folder and cannot be written to %s", name, o.configuration)
		}
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := privateDir(filepath.Dir(path)); err != nil {
			return nil, err
		}
		var text []byte
		switch {
		case strings.HasSuffix(name, ".hcl"):
			text = translate(sources[name], name, func(s string) string {
				if words[s] {
					return s
				}
				return p.Literal(s)
			})
		default:
			text = translateCells(sources[name], p.Literal)
		}
		if err := writeFile(path, func(f io.Writer) error { _, err := f.Write(text); return err }); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// vocabulary are the words that attributes may have as values: they mean the same in every configuration.
func vocabulary(registry *resource.Registry) map[string]bool {
	out := map[string]bool{}
	for _, t := range registry.Types() {
		resource.Walk(t.Attributes, func(_ string, a *resource.Attribute) {
			for _, word := range a.Enum {
				out[word] = true
			}
		})
	}
	return out
}

// translate replaces the strings of a configuration file and drops its comments. Labels of blocks stay, since references
// name them.
func translate(src []byte, name string, literal func(string) string) []byte {
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos) // it was loaded, so that it is sound
	var out []byte
	at := 0
	label := false
	before := hclsyntax.TokenNewline
	for _, t := range tokens {
		out = append(out, src[at:t.Range.Start.Byte]...)
		at = t.Range.End.Byte
		switch t.Type {
		case hclsyntax.TokenOQuote:
			// In an expression no string follows a name or another string.
			label = before == hclsyntax.TokenIdent || before == hclsyntax.TokenCQuote
			out = append(out, t.Bytes...)
		case hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit:
			if label {
				out = append(out, t.Bytes...)
			} else {
				out = append(out, literal(string(t.Bytes))...)
			}
		case hclsyntax.TokenComment:
			if strings.HasSuffix(string(t.Bytes), "\n") {
				out = append(out, '\n')
			}
		default:
			out = append(out, t.Bytes...)
		}
		before = t.Type
	}
	return append(out, src[at:]...)
}

// translateCells replaces what stands between commas and line ends, for the tables that a configuration reads.
func translateCells(src []byte, literal func(string) string) []byte {
	var b strings.Builder
	start := 0
	text := string(src)
	flush := func(end int) {
		cell := text[start:end]
		bare := strings.Trim(cell, " \t\r\"")
		if bare != "" {
			cell = strings.Replace(cell, bare, literal(bare), 1)
		}
		b.WriteString(cell)
	}
	for i := 0; i < len(text); i++ {
		if text[i] == ',' || text[i] == '\n' || text[i] == ';' {
			flush(i)
			b.WriteByte(text[i])
			start = i + 1
		}
	}
	flush(len(text))
	return []byte(b.String())
}
