package reference

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// noDefault is the Default of an attribute without one.
var noDefault = cty.NilVal

// adoption says how an object that exists and is not in state comes under management.
func adoption(t *resource.Type) string {
	const adopted = "An object that exists already is adopted, as a line of the plan that is reviewed. "
	switch {
	case t.Adoption != "":
		return adopted + "It is recognised " + sentence(t.Adoption)
	case t.Singleton:
		return adopted + "A tenant has exactly one."
	case t.Key != nil:
		return adopted + fmt.Sprintf("It is recognised by %s.", codes(keyOf(t)))
	case t.Match != nil || t.Project != nil:
		return adopted + "It is recognised by what it does, not by its name."
	}
	return "An object that exists already is never adopted."
}

// keyOf finds the attributes that make the natural key by asking the key of a value with one of them set.
func keyOf(t *resource.Type) []string {
	var out []string
	for _, a := range t.Attributes {
		if a.Type != cty.String {
			continue
		}
		const mark = "weir-mark.example"
		v := resource.Null(t.Attributes)
		v[a.Name] = cty.StringVal(mark)
		if strings.Contains(t.Key(cty.ObjectVal(v)), mark) {
			out = append(out, a.Name)
		}
	}
	return out
}

// protection says for which values the type is protected, by asking with each allowed word of each argument.
func protection(t *resource.Type) string {
	const held = "It is not destroyed or replaced because its block is missing, as if `lifecycle { prevent_destroy = true }` were written; `weir destroy` and `removed { destroy = true }` may."
	if t.ProtectByDefault(cty.ObjectVal(resource.Null(t.Attributes))) {
		return held
	}
	var when []string
	for _, a := range t.Attributes {
		for _, word := range a.Enum {
			v := resource.Null(t.Attributes)
			v[a.Name] = cty.StringVal(word)
			if t.ProtectByDefault(cty.ObjectVal(v)) {
				when = append(when, code(a.Name+" = "+valueText(cty.StringVal(word))))
			}
		}
	}
	slices.Sort(when)
	return "With " + strings.Join(when, " or ") + ": " + strings.ToLower(held[:1]) + held[1:]
}

// span is a duration in words.
func span(d time.Duration) string {
	if d%time.Minute == 0 {
		return plural(int(d/time.Minute), "minute")
	}
	return plural(int(d/time.Second), "second")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// wrapItem folds the text of a bullet, with its following lines indented.
func wrapItem(s string) string { return strings.ReplaceAll(wrap(s), "\n", "\n  ") }
