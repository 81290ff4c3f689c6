package config

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apparentlymart/go-cidr/cidr"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	ctyyaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// pureFunctions are the functions that need nothing but their arguments. The results of all of them are bounded.
var pureFunctions = sync.OnceValue(func() map[string]function.Function {
	fns := map[string]function.Function{
		// numbers
		"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "log": stdlib.LogFunc,
		"max": stdlib.MaxFunc, "min": stdlib.MinFunc, "parseint": stdlib.ParseIntFunc, "pow": stdlib.PowFunc,
		"signum": stdlib.SignumFunc, "sum": sumFunc,
		// text
		"chomp": stdlib.ChompFunc, "endswith": textPair(strings.HasSuffix), "format": stdlib.FormatFunc,
		"formatlist": stdlib.FormatListFunc, "indent": stdlib.IndentFunc, "join": stdlib.JoinFunc, "lower": stdlib.LowerFunc,
		"regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc, "replace": replaceFunc, "split": stdlib.SplitFunc,
		"startswith": textPair(strings.HasPrefix), "strcontains": textPair(strings.Contains), "strrev": stdlib.ReverseFunc,
		"substr": stdlib.SubstrFunc, "title": stdlib.TitleFunc, "trim": stdlib.TrimFunc, "trimprefix": stdlib.TrimPrefixFunc,
		"trimspace": stdlib.TrimSpaceFunc, "trimsuffix": stdlib.TrimSuffixFunc, "upper": stdlib.UpperFunc,
		// collections
		"alltrue": boolsFunc(true), "anytrue": boolsFunc(false), "chunklist": stdlib.ChunklistFunc, "coalesce": coalesceFunc,
		"coalescelist": stdlib.CoalesceListFunc, "compact": stdlib.CompactFunc, "concat": stdlib.ConcatFunc,
		"contains": stdlib.ContainsFunc, "distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc,
		"flatten": stdlib.FlattenFunc, "index": indexFunc, "keys": stdlib.KeysFunc, "length": lengthFunc, "lookup": lookupFunc,
		"matchkeys": matchKeysFunc, "merge": stdlib.MergeFunc, "one": oneFunc, "range": stdlib.RangeFunc,
		"reverse": stdlib.ReverseListFunc, "setintersection": stdlib.SetIntersectionFunc, "setproduct": stdlib.SetProductFunc,
		"setsubtract": stdlib.SetSubtractFunc, "setunion": stdlib.SetUnionFunc, "slice": stdlib.SliceFunc,
		"sort": stdlib.SortFunc, "transpose": transposeFunc, "values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc,
		// types
		"tobool": toFunc(cty.Bool), "tolist": toFunc(cty.List(cty.DynamicPseudoType)), "tomap": toFunc(cty.Map(cty.DynamicPseudoType)),
		"tonumber": toFunc(cty.Number), "toset": toFunc(cty.Set(cty.DynamicPseudoType)), "tostring": toFunc(cty.String),
		// encodings
		"base64decode": base64DecodeFunc, "base64encode": textFunc(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }),
		"csvdecode": stdlib.CSVDecodeFunc, "jsondecode": stdlib.JSONDecodeFunc, "jsonencode": stdlib.JSONEncodeFunc,
		"urlencode": textFunc(url.QueryEscape), "yamldecode": ctyyaml.YAMLDecodeFunc, "yamlencode": ctyyaml.YAMLEncodeFunc,
		// digests
		"base64sha256": textFunc(func(s string) string { h := sha256.Sum256([]byte(s)); return base64.StdEncoding.EncodeToString(h[:]) }),
		"base64sha512": textFunc(func(s string) string { h := sha512.Sum512([]byte(s)); return base64.StdEncoding.EncodeToString(h[:]) }),
		"md5":          textFunc(func(s string) string { h := md5.Sum([]byte(s)); return hex.EncodeToString(h[:]) }),
		"sha1":         textFunc(func(s string) string { h := sha1.Sum([]byte(s)); return hex.EncodeToString(h[:]) }),
		"sha256":       textFunc(func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }),
		"sha512":       textFunc(func(s string) string { h := sha512.Sum512([]byte(s)); return hex.EncodeToString(h[:]) }),
		// times
		"formatdate": stdlib.FormatDateFunc, "timeadd": stdlib.TimeAddFunc, "timecmp": timeCmpFunc,
		// networks
		"cidrhost": cidrHostFunc, "cidrnetmask": cidrNetmaskFunc, "cidrsubnet": cidrSubnetFunc, "cidrsubnets": cidrSubnetsFunc,
		// paths
		"basename": textFunc(path.Base), "dirname": textFunc(path.Dir),
		// marks
		"sensitive": markFunc(true), "nonsensitive": markFunc(false), "issensitive": isSensitiveFunc,
	}
	for name, f := range fns {
		fns[name] = bounded(f, guards[name], func(v cty.Value) error {
			if sizeOf(v, maxValue) > maxValue {
				return budgetError(fmt.Sprintf("the result is larger than %d MiB", maxValue>>20))
			}
			return nil
		})
	}
	fns["try"], fns["can"] = tryfunc.TryFunc, tryfunc.CanFunc
	return fns
})

// functions are all functions, charged to this evaluator's current meter.
func (ev *evaluator) functions(provider bool) map[string]function.Function {
	fns := maps.Clone(pureFunctions())
	charge := func(v cty.Value) error {
		if ev.current == nil {
			return nil
		}
		return ev.current.charge(v)
	}
	for name, f := range ev.fileFunctions() {
		fns[name] = f
	}
	now := cty.UnknownVal(cty.String)
	if !ev.in.Now.IsZero() && !ev.validate {
		now = cty.StringVal(ev.in.Now.UTC().Format(time.RFC3339))
	}
	nowFunc := function.New(&function.Spec{
		Type: function.StaticReturnType(cty.String),
		Impl: func([]cty.Value, cty.Type) (cty.Value, error) { return now, nil },
	})
	fns["timestamp"], fns["plantimestamp"] = nowFunc, nowFunc
	for name, f := range fns {
		if name != "try" && name != "can" {
			fns[name] = bounded(f, nil, charge)
		}
	}
	fns["env"] = ev.secrets.envFunction(provider, ev.validate, ev.in.Simulated && provider)
	fns["secret"] = ev.secrets.secretFunction()
	return fns
}

// bounded wraps a function with a check of its known arguments and one of its result.
func bounded(f function.Function, before func([]cty.Value) error, after func(cty.Value) error) function.Function {
	return function.New(&function.Spec{
		Description: f.Description(),
		Params:      f.Params(),
		VarParam:    f.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			// Some functions do their work to find the type.
			if before != nil && allKnown(args) {
				if err := before(args); err != nil {
					return cty.DynamicPseudoType, err
				}
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := f.Call(args)
			if err != nil {
				return v, err
			}
			if err := checkFinite(v); err != nil {
				return cty.NilVal, err
			}
			return v, after(v)
		},
	})
}

func allKnown(args []cty.Value) bool {
	for _, a := range args {
		if a.ContainsMarked() {
			a, _ = a.UnmarkDeep()
		}
		if !a.IsWhollyKnown() || a.IsNull() {
			return false
		}
	}
	return true
}

// guards refuse arguments with which a function would take memory out of proportion before its result can be measured.
var guards = map[string]func([]cty.Value) error{
	"join": func(args []cty.Value) error {
		n := 0
		for _, l := range args[1:] {
			n += length(l)
		}
		return product(textSize(args[0]), n)
	},
	"indent": func(args []cty.Value) error {
		spaces, _ := unmarked(args[0]).AsBigFloat().Float64()
		if spaces > 10_000 {
			return budgetError("an indent of more than 10000 spaces")
		}
		return product(int(spaces), 1+strings.Count(unmarked(args[1]).AsString(), "\n"))
	},
	"replace": func(args []cty.Value) error {
		s, old, repl := unmarked(args[0]).AsString(), unmarked(args[1]).AsString(), unmarked(args[2]).AsString()
		if len(old) > 1 && strings.HasPrefix(old, "/") && strings.HasSuffix(old, "/") {
			if err := product(len(s)+1, strings.Count(repl, "$")); err != nil {
				return err
			}
			if len(s)*len(repl) <= maxValue {
				return nil
			}
			re, err := regexp.Compile(old[1 : len(old)-1])
			if err != nil {
				return err
			}
			return product(len(re.FindAllStringIndex(s, -1)), len(repl))
		}
		return product(strings.Count(s, old), len(repl))
	},
	"format":     guardFormat,
	"formatlist": guardFormat,
	"setproduct": func(args []cty.Value) error {
		n := 1
		for _, a := range args {
			if n *= length(a); n > 100_000 {
				return budgetError("a product of more than 100000 combinations")
			}
		}
		return nil
	},
	"jsondecode": func(args []cty.Value) error {
		s := unmarked(args[0]).AsString()
		if _, ok := jsonDepth([]byte(s), maxDepth); !ok {
			return fmt.Errorf("arrays and objects may be nested %d deep; here it is more", maxDepth)
		}
		return nil
	},
	"yamldecode": func(args []cty.Value) error { return guardYAML(unmarked(args[0]).AsString()) },
}

func unmarked(v cty.Value) cty.Value { v, _ = v.UnmarkDeep(); return v }

func length(v cty.Value) int {
	v = unmarked(v)
	if v.IsNull() || !v.IsKnown() || !v.CanIterateElements() {
		return 0
	}
	return v.LengthInt()
}

func textSize(v cty.Value) int {
	if v = unmarked(v); v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
		return len(v.AsString())
	}
	return 0
}

func product(a, b int) error {
	if a > 0 && b > 0 && a > maxValue/b {
		return budgetError(fmt.Sprintf("the result is larger than %d MiB", maxValue>>20))
	}
	return nil
}

var wide = regexp.MustCompile(`%[^%a-zA-Z]*[0-9]{4,}`)

func guardFormat(args []cty.Value) error {
	f := unmarked(args[0])
	if f.Type() != cty.String {
		return nil
	}
	spec := f.AsString()
	if wide.MatchString(spec) {
		return fmt.Errorf("widths and precisions of more than 999 are not supported")
	}
	largest, rows := 0, 1
	for _, a := range args[1:] {
		largest = max(largest, sizeOf(a, maxValue))
		rows = max(rows, length(a))
	}
	if err := product(largest, strings.Count(spec, "%")); err != nil {
		return err
	}
	return product(len(spec)+999*strings.Count(spec, "%")/64, rows)
}

// guardYAML refuses documents that nest deeply; the parser recurses for each level.
func guardYAML(s string) error {
	depth, deepest := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth = max(0, depth-1)
		}
	}
	for line := range strings.Lines(s) {
		n := 0
		for _, r := range line {
			if r == '-' || r == '?' || r == ':' {
				n++
			} else if r != ' ' && r != '\t' {
				break
			}
		}
		if indent := len(line) - len(strings.TrimLeft(line, " ")); indent > 1000 {
			n = max(n, indent)
		}
		deepest = max(deepest, n-3) // "---" begins a document
	}
	if deepest > maxDepth {
		return fmt.Errorf("sequences and mappings may be nested %d deep; here it is more", maxDepth)
	}
	if strings.Count(s, "*") > 10_000 {
		return fmt.Errorf("too many aliases")
	}
	return nil
}

func textFunc(f func(string) string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.StringVal(f(args[0].AsString())), nil
		},
	})
}

func textPair(f func(s, part string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "part", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(f(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

var base64DecodeFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "text", Type: cty.String}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		b, err := base64.StdEncoding.DecodeString(args[0].AsString())
		if err != nil {
			return cty.NilVal, fmt.Errorf("the text is not base64")
		}
		return utf8Value(b, "the decoded bytes")
	},
})

var replaceFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "substring", Type: cty.String}, {Name: "replacement", Type: cty.String}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		s, old, repl := args[0].AsString(), args[1].AsString(), args[2].AsString()
		if len(old) > 1 && strings.HasPrefix(old, "/") && strings.HasSuffix(old, "/") {
			re, err := regexp.Compile(old[1 : len(old)-1])
			if err != nil {
				return cty.NilVal, err
			}
			return cty.StringVal(re.ReplaceAllString(s, repl)), nil
		}
		return cty.StringVal(strings.ReplaceAll(s, old, repl)), nil
	},
})

var lengthFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowUnknown: true, AllowMarked: true}},
	Type: func(args []cty.Value) (cty.Type, error) {
		ty := args[0].Type()
		if ty == cty.String || ty == cty.DynamicPseudoType || ty.IsCollectionType() || ty.IsTupleType() || ty.IsObjectType() {
			return cty.Number, nil
		}
		return cty.Number, function.NewArgErrorf(0, "length takes text, a list, set, map or object, but this is %s", typeName(ty))
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		v, marks := args[0].Unmark()
		ty := v.Type()
		switch {
		case ty == cty.DynamicPseudoType:
			return cty.UnknownVal(cty.Number).WithMarks(marks), nil
		case ty.IsTupleType():
			return cty.NumberIntVal(int64(len(ty.TupleElementTypes()))).WithMarks(marks), nil
		case ty.IsObjectType():
			return cty.NumberIntVal(int64(len(ty.AttributeTypes()))).WithMarks(marks), nil
		case !v.IsKnown():
			return cty.UnknownVal(cty.Number).WithMarks(marks), nil
		case ty == cty.String:
			n, err := stdlib.Strlen(v)
			return n.WithMarks(marks), err
		}
		return v.Length().WithMarks(marks), nil
	},
})

var lookupFunc = function.New(&function.Spec{
	Params:   []function.Parameter{{Name: "map", Type: cty.DynamicPseudoType, AllowMarked: true}, {Name: "key", Type: cty.String, AllowMarked: true}},
	VarParam: &function.Parameter{Name: "default", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowDynamicType: true, AllowNull: true, AllowMarked: true},
	Type: func(args []cty.Value) (cty.Type, error) {
		if len(args) > 3 {
			return cty.NilType, fmt.Errorf("lookup takes a map, a key and at most one default")
		}
		ty := args[0].Type()
		switch {
		case ty.IsMapType():
			if len(args) == 3 {
				if _, err := convert.Convert(args[2], ty.ElementType()); err != nil {
					return cty.NilType, function.NewArgErrorf(2, "the default must have the type of the map's elements, %s", typeName(ty.ElementType()))
				}
			}
			return ty.ElementType(), nil
		case ty.IsObjectType():
			key, _ := args[1].Unmark()
			if !key.IsKnown() {
				return cty.DynamicPseudoType, nil
			}
			if ty.HasAttribute(key.AsString()) {
				return ty.AttributeType(key.AsString()), nil
			}
			if len(args) == 3 {
				return args[2].Type(), nil
			}
			return cty.DynamicPseudoType, function.NewArgErrorf(1, "there is no %q", key.AsString())
		}
		return cty.NilType, function.NewArgErrorf(0, "lookup takes a map, but this is %s", typeName(ty))
	},
	Impl: func(args []cty.Value, ret cty.Type) (cty.Value, error) {
		m, marks := args[0].Unmark()
		key, keyMarks := args[1].Unmark()
		if !m.IsKnown() || !key.IsKnown() {
			return cty.UnknownVal(ret).WithMarks(marks, keyMarks), nil
		}
		name := key.AsString()
		if m.Type().IsObjectType() && m.Type().HasAttribute(name) {
			return m.GetAttr(name).WithMarks(marks, keyMarks), nil
		}
		if m.Type().IsMapType() && m.HasIndex(key).True() {
			return m.Index(key).WithMarks(marks, keyMarks), nil
		}
		if len(args) == 3 {
			v, err := convert.Convert(args[2], ret)
			return v.WithMarks(marks, keyMarks), err
		}
		return cty.NilVal, function.NewArgErrorf(1, "there is no %q", name)
	},
})

var coalesceFunc = function.New(&function.Spec{
	VarParam: &function.Parameter{Name: "values", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowDynamicType: true, AllowNull: true},
	Type: func(args []cty.Value) (cty.Type, error) {
		types := make([]cty.Type, len(args))
		for i, a := range args {
			types[i] = a.Type()
		}
		if len(types) == 0 {
			return cty.NilType, fmt.Errorf("coalesce takes at least one value")
		}
		ty, _ := convert.UnifyUnsafe(types)
		if ty == cty.NilType {
			return cty.NilType, fmt.Errorf("all values must have the same type")
		}
		return ty, nil
	},
	Impl: func(args []cty.Value, ret cty.Type) (cty.Value, error) {
		for _, a := range args {
			v, err := convert.Convert(a, ret)
			if err != nil {
				return cty.NilVal, err
			}
			if !v.IsKnown() {
				return cty.UnknownVal(ret), nil
			}
			if v.IsNull() || ret == cty.String && v.AsString() == "" {
				continue
			}
			return v, nil
		}
		return cty.NilVal, fmt.Errorf("every value is null or an empty text")
	},
})

var indexFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}, {Name: "value", Type: cty.DynamicPseudoType}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		ty := args[0].Type()
		if !ty.IsListType() && !ty.IsTupleType() {
			return cty.NilVal, function.NewArgErrorf(0, "index takes a list")
		}
		if !args[0].IsWhollyKnown() || !args[1].IsWhollyKnown() {
			return cty.UnknownVal(cty.Number), nil
		}
		for it := args[0].ElementIterator(); it.Next(); {
			i, e := it.Element()
			if eq := e.Equals(args[1]); eq.IsKnown() && eq.True() {
				return i, nil
			}
		}
		return cty.NilVal, fmt.Errorf("the list does not contain the value")
	},
})

var oneFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
	Type: func(args []cty.Value) (cty.Type, error) {
		ty := args[0].Type()
		switch {
		case ty.IsListType() || ty.IsSetType():
			return ty.ElementType(), nil
		case ty.IsTupleType():
			switch types := ty.TupleElementTypes(); len(types) {
			case 0:
				return cty.DynamicPseudoType, nil
			case 1:
				return types[0], nil
			}
		case ty == cty.DynamicPseudoType:
			return ty, nil
		default:
			return cty.NilType, function.NewArgErrorf(0, "one takes a list or set, but this is %s", typeName(ty))
		}
		return cty.NilType, function.NewArgErrorf(0, "the list has more than one element")
	},
	Impl: func(args []cty.Value, ret cty.Type) (cty.Value, error) {
		v := args[0]
		if !v.IsKnown() {
			return cty.UnknownVal(ret), nil
		}
		switch v.LengthInt() {
		case 0:
			return cty.NullVal(ret), nil
		case 1:
			it := v.ElementIterator()
			it.Next()
			_, e := it.Element()
			return e, nil
		}
		return cty.NilVal, function.NewArgErrorf(0, "the list has more than one element")
	},
})

var sumFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if !args[0].IsWhollyKnown() {
			return cty.UnknownVal(cty.Number), nil
		}
		if !args[0].CanIterateElements() || args[0].LengthInt() == 0 {
			return cty.NilVal, function.NewArgErrorf(0, "sum takes a list of at least one number")
		}
		total := cty.Zero
		for it := args[0].ElementIterator(); it.Next(); {
			_, e := it.Element()
			n, err := convert.Convert(e, cty.Number)
			if err != nil || n.IsNull() {
				return cty.NilVal, function.NewArgErrorf(0, "sum takes numbers")
			}
			total = total.Add(n)
		}
		return total, nil
	},
})

func boolsFunc(all bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			unknown := false
			for it := args[0].ElementIterator(); it.Next(); {
				_, e := it.Element()
				switch {
				case !e.IsKnown():
					unknown = true
				case e.IsNull():
					if all {
						return cty.False, nil
					}
				case e.True() != all:
					return cty.BoolVal(!all), nil
				}
			}
			if unknown {
				return cty.UnknownVal(cty.Bool), nil
			}
			return cty.BoolVal(all), nil
		},
	})
}

var matchKeysFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "values", Type: cty.List(cty.DynamicPseudoType)}, {Name: "keys", Type: cty.List(cty.DynamicPseudoType)}, {Name: "wanted", Type: cty.List(cty.DynamicPseudoType)}},
	Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
	Impl: func(args []cty.Value, ret cty.Type) (cty.Value, error) {
		if !args[0].IsWhollyKnown() || !args[1].IsWhollyKnown() || !args[2].IsWhollyKnown() {
			return cty.UnknownVal(ret), nil
		}
		if args[0].LengthInt() != args[1].LengthInt() {
			return cty.NilVal, fmt.Errorf("values and keys must have the same length")
		}
		var out []cty.Value
		for it := args[1].ElementIterator(); it.Next(); {
			i, k := it.Element()
			for want := args[2].ElementIterator(); want.Next(); {
				if _, w := want.Element(); k.Equals(w).True() {
					out = append(out, args[0].Index(i))
					break
				}
			}
		}
		if len(out) == 0 {
			return cty.ListValEmpty(ret.ElementType()), nil
		}
		return cty.ListVal(out), nil
	},
})

var transposeFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "map", Type: cty.Map(cty.List(cty.String))}},
	Type:   function.StaticReturnType(cty.Map(cty.List(cty.String))),
	Impl: func(args []cty.Value, ret cty.Type) (cty.Value, error) {
		if !args[0].IsWhollyKnown() {
			return cty.UnknownVal(ret), nil
		}
		turned := map[string][]cty.Value{}
		for it := args[0].ElementIterator(); it.Next(); {
			k, list := it.Element()
			for inner := list.ElementIterator(); inner.Next(); {
				if _, e := inner.Element(); !e.IsNull() {
					turned[e.AsString()] = append(turned[e.AsString()], k)
				}
			}
		}
		out := map[string]cty.Value{}
		for k, list := range turned {
			out[k] = cty.ListVal(list)
		}
		if len(out) == 0 {
			return cty.MapValEmpty(cty.List(cty.String)), nil
		}
		return cty.MapVal(out), nil
	},
})

func toFunc(want cty.Type) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true, AllowMarked: true, AllowDynamicType: true}},
		Type: func(args []cty.Value) (cty.Type, error) {
			got := args[0].Type()
			if got.Equals(want) {
				return want, nil
			}
			v, _ := args[0].UnmarkDeep()
			c, err := convert.Convert(v, want)
			if err != nil {
				if got.IsTupleType() || got.IsObjectType() || got.IsCollectionType() {
					return cty.NilType, function.NewArgErrorf(0, "this is %s and does not convert to %s", typeName(got), typeName(want))
				}
				return cty.NilType, function.NewArgErrorf(0, "the value does not convert to %s", typeName(want))
			}
			return c.Type(), nil
		},
		Impl: func(args []cty.Value, ret cty.Type) (cty.Value, error) { return convert.Convert(args[0], ret) },
	})
}

func markFunc(set bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowNull: true, AllowMarked: true, AllowDynamicType: true}},
		Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if set {
				return args[0].Mark(SensitiveMark), nil
			}
			v, marks := args[0].Unmark()
			if _, ephemeral := marks[EphemeralMark]; ephemeral {
				return cty.NilVal, fmt.Errorf("a secret reference stays secret")
			}
			kept := cty.ValueMarks{}
			for m := range marks {
				if m != SensitiveMark {
					kept[m] = struct{}{}
				}
			}
			return v.WithMarks(kept), nil
		},
	})
}

var isSensitiveFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowNull: true, AllowMarked: true, AllowDynamicType: true}},
	Type:   function.StaticReturnType(cty.Bool),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		return cty.BoolVal(args[0].HasMark(SensitiveMark)), nil
	},
})

var timeCmpFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "a", Type: cty.String}, {Name: "b", Type: cty.String}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var t [2]time.Time
		for i := range t {
			var err error
			if t[i], err = time.Parse(time.RFC3339, args[i].AsString()); err != nil {
				return cty.NilVal, function.NewArgErrorf(i, "a time has the form 2026-11-01T00:00:00Z")
			}
		}
		return cty.NumberIntVal(int64(t[0].Compare(t[1]))), nil
	},
})

func parseNetwork(v cty.Value) (*net.IPNet, error) {
	_, n, err := net.ParseCIDR(v.AsString())
	if err != nil {
		return nil, function.NewArgErrorf(0, "%q is no network such as 10.0.0.0/8", v.AsString())
	}
	return n, nil
}

func whole(v cty.Value) (*big.Int, error) {
	f := v.AsBigFloat()
	if !f.IsInt() || f.MantExp(nil) > 256 {
		return nil, fmt.Errorf("a whole number is needed")
	}
	i, _ := f.Int(nil)
	return i, nil
}

var cidrHostFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "prefix", Type: cty.String}, {Name: "hostnum", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		n, err := parseNetwork(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		i, err := whole(args[1])
		if err != nil {
			return cty.NilVal, err
		}
		ip, err := cidr.HostBig(n, i)
		if err != nil {
			return cty.NilVal, err
		}
		return cty.StringVal(ip.String()), nil
	},
})

var cidrNetmaskFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "prefix", Type: cty.String}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		n, err := parseNetwork(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		if n.IP.To4() == nil {
			return cty.NilVal, function.NewArgErrorf(0, "IPv6 networks have no netmask")
		}
		return cty.StringVal(net.IP(n.Mask).String()), nil
	},
})

var cidrSubnetFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "prefix", Type: cty.String}, {Name: "newbits", Type: cty.Number}, {Name: "netnum", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		n, err := parseNetwork(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		bits, err := whole(args[1])
		if err != nil || !bits.IsInt64() || bits.Int64() < 0 || bits.Int64() > 128 {
			return cty.NilVal, function.NewArgErrorf(1, "a whole number between 0 and 128 is needed")
		}
		num, err := whole(args[2])
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(2, "%s", err)
		}
		out, err := cidr.SubnetBig(n, int(bits.Int64()), num)
		if err != nil {
			return cty.NilVal, err
		}
		return cty.StringVal(out.String()), nil
	},
})

var cidrSubnetsFunc = function.New(&function.Spec{
	Params:   []function.Parameter{{Name: "prefix", Type: cty.String}},
	VarParam: &function.Parameter{Name: "newbits", Type: cty.Number},
	Type:     function.StaticReturnType(cty.List(cty.String)),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		n, err := parseNetwork(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		if len(args) == 1 {
			return cty.ListValEmpty(cty.String), nil
		}
		ones, total := n.Mask.Size()
		var out []cty.Value
		var current *net.IPNet
		for i, a := range args[1:] {
			bits, err := whole(a)
			if err != nil || !bits.IsInt64() || bits.Int64() < 1 || int(bits.Int64())+ones > total {
				return cty.NilVal, function.NewArgErrorf(i+1, "the network has room for 1 to %d more bits", total-ones)
			}
			length := ones + int(bits.Int64())
			if current == nil {
				current = &net.IPNet{IP: n.IP, Mask: net.CIDRMask(length, total)}
			} else {
				next, rolled := cidr.NextSubnet(current, length)
				if rolled || !n.Contains(next.IP) {
					return cty.NilVal, function.NewArgErrorf(i+1, "no room for a network of %s in %s", strconv.Itoa(length), n)
				}
				current = next
			}
			out = append(out, cty.StringVal(current.String()))
		}
		return cty.ListVal(out), nil
	},
})

// FunctionNames are the names of all functions that expressions may call, sorted.
func FunctionNames() []string {
	names := []string{"env", "secret", "timestamp", "plantimestamp"}
	names = append(names, fileFunctionNames...)
	for name := range pureFunctions() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
