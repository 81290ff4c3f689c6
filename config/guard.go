package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// The limits that stand in front of the parser. HCL's parser recurses for each level of nesting, and a Go program whose
// stack overflows cannot be saved (measured with hcl v2.25.0; hcl issue 809).
const (
	// maxFile is the size of one configuration, variable or read file, in bytes.
	maxFile = 1 << 20
	// maxDepth counts open brackets, template sequences, open template directives, the unary operators in a row and the
	// conditionals in a row.
	maxDepth = 100
	// maxOperators counts operators, calls and index steps of one expression outside nested brackets: each makes the
	// tree, and with it the stack of its evaluation, one level deeper.
	maxOperators = 10_000
)

// readRegular reads one file of fsys. Links are not followed anywhere on the way to the file, so that a configuration
// cannot reach outside its folder.
func readRegular(fsys fs.FS, name string) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("%s is not a path inside the configuration's folder", name)
	}
	for i, r := range name + "/" {
		if r != '/' {
			continue
		}
		info, err := fs.Lstat(fsys, name[:i])
		if err != nil {
			return nil, err
		}
		if last := i == len(name); last && !info.Mode().IsRegular() || !last && !info.IsDir() {
			return nil, fmt.Errorf("%s is not a regular %s", name[:i], map[bool]string{true: "file", false: "folder"}[last])
		}
		if i == len(name) && info.Size() > maxFile {
			return nil, fmt.Errorf("%s has %d bytes; at most %d are read", name, info.Size(), maxFile)
		}
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	src, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(src) > maxFile {
		return nil, fmt.Errorf("%s has more than %d bytes", name, maxFile)
	}
	return src, nil
}

// guardConfig checks a native file before it is parsed.
func guardConfig(src []byte, filename string) hcl.Diagnostics {
	tokens, _ := hclsyntax.LexConfig(src, filename, hcl.InitialPos)
	return guardTokens(tokens)
}

// guardExpression checks one expression.
func guardExpression(src []byte, filename string) hcl.Diagnostics {
	if len(src) > maxFile {
		return tooLarge(filename, len(src))
	}
	tokens, _ := hclsyntax.LexExpression(src, filename, hcl.InitialPos)
	return guardTokens(tokens)
}

func guardTemplate(src []byte, filename string) hcl.Diagnostics {
	if !bytes.Contains(src, []byte("${")) && !bytes.Contains(src, []byte("%{")) {
		return nil
	}
	tokens, _ := hclsyntax.LexTemplate(src, filename, hcl.InitialPos)
	return guardTokens(tokens)
}

func tooLarge(name string, size int) hcl.Diagnostics {
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Too large",
		Detail:   fmt.Sprintf("%s has %d bytes; at most %d are read.", name, size, maxFile),
	}}
}

// bracket is one open bracket while tokens are counted.
type bracket struct {
	kind       hclsyntax.TokenType
	operators  int
	conditions int
}

func guardTokens(tokens hclsyntax.Tokens) hcl.Diagnostics {
	open := []bracket{{}}
	depth, directives, unary := 0, 0, 0
	operand := false // the token before was the end of an operand
	fail := func(t hclsyntax.Token, summary, detail string) hcl.Diagnostics {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: t.Range.Ptr()}}
	}
	for i, t := range tokens {
		top := &open[len(open)-1]
		ends := false
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp,
			hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			if operand && (t.Type == hclsyntax.TokenOBrack || t.Type == hclsyntax.TokenOParen) {
				top.operators++
			}
			next := bracket{kind: t.Type}
			if t.Type == hclsyntax.TokenTemplateControl && i+1 < len(tokens) {
				switch string(tokens[i+1].Bytes) {
				case "if", "for":
					directives++
				case "endif", "endfor":
					directives--
				}
			}
			open = append(open, next)
			depth++
			unary = 0
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd,
			hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			if len(open) > 1 {
				depth -= 1 + top.conditions
				open = open[:len(open)-1]
			}
			ends = true
			unary = 0
		case hclsyntax.TokenBang, hclsyntax.TokenMinus:
			top.operators++
			if !operand {
				unary++
			}
		case hclsyntax.TokenQuestion:
			top.conditions++
			top.operators++
			depth++
			unary = 0
		case hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPlus, hclsyntax.TokenPercent, hclsyntax.TokenEqualOp,
			hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq, hclsyntax.TokenGreaterThan,
			hclsyntax.TokenGreaterThanEq, hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenDot:
			top.operators++
			unary = 0
		case hclsyntax.TokenComma, hclsyntax.TokenNewline:
			// Inside parentheses a line break ends nothing.
			if t.Type == hclsyntax.TokenComma || top.kind == 0 || top.kind == hclsyntax.TokenOBrace {
				depth -= top.conditions
				top.operators, top.conditions = 0, 0
				unary = 0
			}
		case hclsyntax.TokenComment:
			continue
		default:
			ends = true
			unary = 0
		}
		operand = ends
		if depth+directives+unary > maxDepth {
			return fail(t, "Nested too deeply", fmt.Sprintf("Brackets, templates, conditionals and operators before an operand may be nested %d deep; here it is more. Give parts of the expression a name in a locals block.", maxDepth))
		}
		if open[len(open)-1].operators > maxOperators {
			return fail(t, "Expression too long", fmt.Sprintf("One expression may hold %d operators; this one has more. Give parts of it a name in a locals block.", maxOperators))
		}
	}
	return nil
}

// guardJSON checks a JSON file: depth of the document, and the templates in its strings.
func guardJSON(src []byte, filename string) hcl.Diagnostics {
	if at, ok := jsonDepth(src, maxDepth); !ok {
		rng := byteRange(src, filename, at)
		return hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Nested too deeply",
			Detail:  fmt.Sprintf("Arrays and objects may be nested %d deep; here it is more.", maxDepth),
			Subject: &rng,
		}}
	}
	// What encoding/json refuses never reaches the recursive parser, whose idea of where a string ends may differ.
	var raw json.RawMessage
	if err := json.Unmarshal(src, &raw); err != nil {
		at := len(src)
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			at = int(syntax.Offset) - 1
		}
		rng := byteRange(src, filename, at)
		return hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Invalid JSON",
			Detail:  fmt.Sprintf("The file is not JSON: %s.", err),
			Subject: &rng,
		}}
	}
	dec := json.NewDecoder(bytes.NewReader(src))
	for {
		tok, err := dec.Token()
		if err != nil {
			return nil
		}
		if s, ok := tok.(string); ok {
			if diags := guardTemplate([]byte(s), filename); diags.HasErrors() {
				rng := byteRange(src, filename, int(dec.InputOffset())-1)
				diags[0].Subject = &rng
				return diags
			}
		}
	}
}

// jsonDepth reports whether the document stays within limit; if not, where it first exceeds it.
func jsonDepth(src []byte, limit int) (int, bool) {
	depth := 0
	quoted := false
	for i := 0; i < len(src); i++ {
		switch c := src[i]; {
		case quoted:
			switch c {
			case '\\':
				i++
			case '"':
				quoted = false
			}
		case c == '"':
			quoted = true
		case c == '[' || c == '{':
			if depth++; depth > limit {
				return i, false
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return 0, true
}

func byteRange(src []byte, filename string, at int) hcl.Range {
	at = max(0, min(at, len(src)))
	before := src[:at]
	pos := hcl.Pos{Line: 1 + bytes.Count(before, []byte("\n")), Column: at - bytes.LastIndexByte(before, '\n'), Byte: at}
	end := pos
	end.Byte++
	end.Column++
	return hcl.Range{Filename: filename, Start: pos, End: end}
}

// inside resolves name, written in a file of folder dir, to a path of the file system.
func inside(dir, name string) (string, error) {
	if path.IsAbs(name) || strings.Contains(name, "\\") || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("%q is not a relative path with forward slashes", name)
	}
	p := path.Join(dir, name)
	if !fs.ValidPath(p) {
		return "", fmt.Errorf("%q leads out of the configuration's folder", name)
	}
	return p, nil
}
