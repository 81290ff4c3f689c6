package config

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

var fileFunctionNames = []string{"file", "filebase64", "fileexists", "fileset", "filesha256", "templatefile"}

// maxSetFiles bounds what one fileset may find.
const maxSetFiles = 10_000

// relative is the path from the root module's folder to another, as path.module gives it.
func relative(root, dir string) string {
	rel, err := filepath.Rel(filepath.FromSlash(root), filepath.FromSlash(dir))
	if err != nil {
		return dir
	}
	return filepath.ToSlash(rel)
}

// readFile reads a file for a function and records what was read.
func (ev *evaluator) readFile(name string) ([]byte, error) {
	p, err := inside(ev.g.root.dir, name)
	if err != nil {
		return nil, err
	}
	if b, ok := ev.files[p]; ok {
		return b, nil
	}
	b, err := readRegular(ev.g.fsys, p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, cause(err))
	}
	ev.files[p] = b
	return b, nil
}

func utf8Value(b []byte, what string) (cty.Value, error) {
	if !utf8.Valid(b) {
		return cty.NilVal, fmt.Errorf("%s are not text in UTF-8", what)
	}
	return cty.StringVal(string(b)), nil
}

// fileFunctions are the functions that read files of the configuration's file system.
func (ev *evaluator) fileFunctions() map[string]function.Function {
	one := func(ty cty.Type, f func(name string) (cty.Value, error)) function.Function {
		return function.New(&function.Spec{
			Params: []function.Parameter{{Name: "path", Type: cty.String}},
			Type:   function.StaticReturnType(ty),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				return f(args[0].AsString())
			},
		})
	}
	return map[string]function.Function{
		"file": one(cty.String, func(name string) (cty.Value, error) {
			b, err := ev.readFile(name)
			if err != nil {
				return cty.NilVal, err
			}
			return utf8Value(b, "the bytes of "+name)
		}),
		"filebase64": one(cty.String, func(name string) (cty.Value, error) {
			b, err := ev.readFile(name)
			return cty.StringVal(base64.StdEncoding.EncodeToString(b)), err
		}),
		"filesha256": one(cty.String, func(name string) (cty.Value, error) {
			b, err := ev.readFile(name)
			if err != nil {
				return cty.NilVal, err
			}
			return pureFunctions()["sha256"].Call([]cty.Value{cty.StringVal(string(b))})
		}),
		"fileexists": one(cty.Bool, func(name string) (cty.Value, error) {
			p, err := inside(ev.g.root.dir, name)
			if err != nil {
				return cty.NilVal, err
			}
			if _, err := fs.Lstat(ev.g.fsys, p); err != nil {
				return cty.False, nil
			}
			_, err = ev.readFile(name)
			return cty.True, err
		}),
		"fileset": function.New(&function.Spec{
			Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "pattern", Type: cty.String}},
			Type:   function.StaticReturnType(cty.Set(cty.String)),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				return ev.fileSet(args[0].AsString(), args[1].AsString())
			},
		}),
		"templatefile": function.New(&function.Spec{
			Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "vars", Type: cty.DynamicPseudoType}},
			Type: func(args []cty.Value) (cty.Type, error) {
				if !args[0].IsKnown() || !args[1].IsWhollyKnown() {
					return cty.DynamicPseudoType, nil
				}
				v, err := ev.template(args[0].AsString(), args[1])
				return v.Type(), err
			},
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				return ev.template(args[0].AsString(), args[1])
			},
		}),
	}
}

func (ev *evaluator) fileSet(dir, pattern string) (cty.Value, error) {
	base, err := inside(ev.g.root.dir, dir)
	if err != nil {
		return cty.NilVal, err
	}
	if path.IsAbs(pattern) || strings.Contains(pattern, "..") || !doublestar.ValidatePattern(pattern) {
		return cty.NilVal, function.NewArgErrorf(1, "%q is no pattern of files below the folder", pattern)
	}
	var found []cty.Value
	err = fs.WalkDir(ev.g.fsys, base, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return nil
		}
		rel := p
		if base != "." {
			rel = strings.TrimPrefix(p, base+"/")
		}
		if ok, _ := doublestar.Match(pattern, rel); ok {
			if len(found) == maxSetFiles {
				return fmt.Errorf("the pattern finds more than %d files", maxSetFiles)
			}
			found = append(found, cty.StringVal(rel))
			// What travels with a plan must find the same files.
			if _, err := ev.readFile(relative(ev.g.root.dir, p)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return cty.NilVal, cause(err)
	}
	if len(found) == 0 {
		return cty.SetValEmpty(cty.String), nil
	}
	return cty.SetVal(found), nil
}

// template renders a file as a template over the given object.
func (ev *evaluator) template(name string, vars cty.Value) (cty.Value, error) {
	src, err := ev.readFile(name)
	if err != nil {
		return cty.DynamicVal, err
	}
	if diags := guardTemplate(src, name); diags.HasErrors() {
		return cty.DynamicVal, fmt.Errorf("%s: %s", name, diags[0].Detail)
	}
	expr, diags := hclsyntax.ParseTemplate(src, name, hcl.InitialPos)
	if diags.HasErrors() {
		return cty.DynamicVal, fmt.Errorf("%s: %s", name, diags[0].Detail)
	}
	prepare(expr)
	if !vars.Type().IsObjectType() && !vars.Type().IsMapType() {
		return cty.DynamicVal, function.NewArgErrorf(1, "the template's values are an object")
	}
	if !vars.IsKnown() {
		return cty.UnknownVal(cty.String), nil
	}
	roots := map[string]cty.Value{}
	for it := vars.ElementIterator(); it.Next(); {
		k, v := it.Element()
		roots[k.AsString()] = v
	}
	for _, t := range expr.Variables() {
		if _, ok := roots[t.RootName()]; !ok {
			return cty.DynamicVal, function.NewArgErrorf(1, "the template %s needs %q.%s", name, t.RootName(), meant("", t.RootName(), sortedKeys(roots)))
		}
	}
	m := ev.current
	if m == nil {
		m = &meter{}
	}
	roots[meterVariable] = cty.CapsuleVal(meterType, m)
	ctx := &hcl.EvalContext{Variables: roots, Functions: pureFunctions()}
	if diags := estimate(expr, ctx); diags.HasErrors() {
		return cty.DynamicVal, fmt.Errorf("%s: %s", name, diags[0].Detail)
	}
	v, diags := expr.Value(ctx)
	if diags.HasErrors() {
		return cty.DynamicVal, fmt.Errorf("%s: %s", name, diags[0].Detail)
	}
	return v, nil
}
