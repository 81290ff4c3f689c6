package config

import (
	"context"
	"io"
	"io/fs"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// Graph is a loaded configuration: the root module, every module it calls, and the types its blocks may have.
// It is immutable after Load and safe for concurrent use.
type Graph struct {
	files map[string]*hcl.File
}

var unfinished = hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Not evaluated", Detail: "Evaluation is not in this build."}}

// Load reads the module in folder dir of fsys ("." for its root) and every local module it calls.
func Load(fsys fs.FS, dir string, registry *resource.Registry) (*Graph, hcl.Diagnostics) {
	return &Graph{}, unfinished
}

// Files are the parsed files by path, for WriteDiagnostics.
func (g *Graph) Files() map[string]*hcl.File { return g.files }

// Sources are the bytes of every module source file by path, as a plan file carries them.
func (g *Graph) Sources() map[string][]byte { return nil }

// Digest is the SHA-256 over the sources in canonical order, hex.
func (g *Graph) Digest() string { return "" }

// Validate reports everything that can be said without values.
func (g *Graph) Validate() hcl.Diagnostics { return unfinished }

// Frame evaluates settings, providers, variables and tenants.
func (g *Graph) Frame(in Inputs) (*Frame, hcl.Diagnostics) { return nil, unfinished }

// Evaluate walks the instances of one tenant, or of the root.
func (f *Frame) Evaluate(ctx context.Context, req EvalRequest) (*Evaluation, hcl.Diagnostics) {
	return nil, unfinished
}

// Select returns the tenants that the selectors name, in order of key.
func (f *Frame) Select(selectors []string) ([]*Tenant, error) { return nil, nil }

// Eval evaluates one expression over frame values.
func (f *Frame) Eval(expr string) (cty.Value, hcl.Diagnostics) { return cty.NilVal, unfinished }

// VarFile reads one variable file.
func VarFile(fsys fs.FS, name string) ([]VarInput, *hcl.File, hcl.Diagnostics) {
	return nil, nil, unfinished
}

// AutoVarFiles names the variable files of dir that count by themselves, sorted.
func AutoVarFiles(fsys fs.FS, dir string) ([]string, error) { return nil, nil }

// WriteDiagnostics writes diagnostics for people.
func WriteDiagnostics(w io.Writer, diags hcl.Diagnostics, files map[string]*hcl.File, width int, color bool) {
}

// FormatValue writes a value as HCL source text.
func FormatValue(v cty.Value) string { return "" }

// ProviderTables are the attribute tables of the provider blocks by type.
var ProviderTables = map[string][]resource.Attribute{}

// SafeguardTable is the attribute table of the root safeguard block.
var SafeguardTable []resource.Attribute
