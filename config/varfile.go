package config

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// VarFile reads one variable file of fsys: NAME = value lines without references (*.weirvars.hcl), or one JSON object
// (*.weirvars.json). The values come in the order of the file.
func VarFile(fsys fs.FS, name string) ([]VarInput, *hcl.File, hcl.Diagnostics) {
	src, err := readRegular(fsys, name)
	if err != nil {
		return nil, nil, hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Variable file not readable",
			Detail:  fmt.Sprintf("The variable file %s cannot be read: %s.", name, cause(err)),
			Subject: &hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos},
		}}
	}
	return ParseVarFile(src, name)
}

// ParseVarFile is VarFile for bytes already read (a file outside the configuration's folder).
func ParseVarFile(src []byte, name string) ([]VarInput, *hcl.File, hcl.Diagnostics) {
	if len(src) > maxFile {
		return nil, nil, tooLarge(name, len(src))
	}
	file, diags := parse(src, name)
	if diags.HasErrors() {
		if file == nil {
			file = &hcl.File{Bytes: src}
		}
		return nil, file, diags
	}
	attrs, diags := file.Body.JustAttributes()
	if diags.HasErrors() {
		for _, d := range diags {
			if strings.Contains(d.Summary, "block") {
				d.Detail = `A variable file holds lines of the form NAME = value only; blocks belong into *.weir.hcl files.`
			}
		}
		return nil, file, diags
	}
	var out []VarInput
	for key, a := range attrs {
		v, more := a.Expr.Value(nil)
		if more.HasErrors() {
			for _, d := range more {
				d.Detail += " A variable file holds plain values: no references, no functions."
			}
			diags = append(diags, more...)
			continue
		}
		if err := (&meter{}).charge(v); err != nil {
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: overBudget, Detail: err.Error(), Subject: a.Expr.Range().Ptr()})
			continue
		}
		out = append(out, VarInput{Name: key, Value: v, Source: name, Range: a.Range, FromFile: true})
	}
	slices.SortFunc(out, func(a, b VarInput) int { return a.Range.Start.Byte - b.Range.Start.Byte })
	return out, file, diags
}

// AutoVarFiles names the variable files of dir that count by themselves: weir.weirvars.hcl (or .json) first, then
// *.auto.weirvars.hcl and *.auto.weirvars.json by name. A missing folder is an error; no such files are none.
func AutoVarFiles(fsys fs.FS, dir string) ([]string, error) {
	entries, err := fs.ReadDir(fsys, path.Clean(dir))
	if err != nil {
		return nil, err
	}
	var first, rest []string
	for _, e := range entries {
		name := e.Name()
		switch {
		case name == "weir.weirvars.hcl" || name == "weir.weirvars.json":
			first = append(first, path.Join(dir, name))
		case strings.HasSuffix(name, ".auto.weirvars.hcl") || strings.HasSuffix(name, ".auto.weirvars.json"):
			rest = append(rest, path.Join(dir, name))
		}
	}
	return append(first, rest...), nil
}
